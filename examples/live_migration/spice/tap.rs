//! Which messages are printed.

use crate::timeline::Tap;
use bytes::BytesMut;
use handover::limits::SpiceLimits;
use handover::spice::stream::{ClientItem, ClientStream, ServerItem, ServerStream};
use handover::spice::{ClientMessage, LinkId, ServerMessage};
use handover::wire::StreamDecode;
use std::collections::HashMap;

struct Link {
    up: (ClientStream, BytesMut),
    down: (ServerStream, BytesMut),
}

impl Link {
    fn sent(&mut self, bytes: &[u8]) -> Vec<&'static str> {
        self.up.1.extend_from_slice(bytes);
        let mut names = Vec::new();
        while let Ok(Some(item)) = self.up.0.decode_next(&mut self.up.1) {
            match item {
                ClientItem::Link(mess) => {
                    self.down.0.set_link(&mess);
                    names.push("SpiceLinkMess");
                }
                ClientItem::Message(packet) if is_migration_of_client(&packet.message) => {
                    names.push(packet.message.name());
                }
                _ => {}
            }
        }
        names
    }

    fn received(&mut self, bytes: &[u8]) -> Vec<&'static str> {
        self.down.1.extend_from_slice(bytes);
        let mut names = Vec::new();
        while let Ok(Some(item)) = self.down.0.decode_next(&mut self.down.1) {
            match item {
                ServerItem::Reply(reply) => self.up.0.set_reply(&reply),
                ServerItem::Result(_) => names.push("SpiceLinkResult"),
                ServerItem::Message(packet) if is_migration_of_server(&packet.message) => {
                    names.push(packet.message.name());
                }
                _ => {}
            }
        }
        names
    }
}

/// The passive decoders of each link.
#[derive(Default)]
pub struct SpiceTap(HashMap<LinkId, Link>);

impl Tap for SpiceTap {
    fn dialled(&mut self, link: LinkId) {
        let limits = SpiceLimits::DEFAULT;
        let (up, down) = (ClientStream::new(limits), ServerStream::new(limits));
        self.0.insert(link, Link { up: (up, BytesMut::new()), down: (down, BytesMut::new()) });
    }

    fn passes(&mut self, link: LinkId, sent: bool, bytes: &[u8]) -> Vec<String> {
        let Some(link) = self.0.get_mut(&link) else { return Vec::new() };
        let names = if sent { link.sent(bytes) } else { link.received(bytes) };
        names.into_iter().map(str::to_owned).collect()
    }
}

fn is_migration_of_client(message: &ClientMessage) -> bool {
    use ClientMessage::*;
    !matches!(message, AgentData(_) | Unknown(_) | Ack | AckSync(_) | Pong(_))
}

fn is_migration_of_server(message: &ServerMessage) -> bool {
    use ServerMessage::*;
    !matches!(message, AgentData(_) | Unknown(_) | SetAck(_) | Ping(_))
}
