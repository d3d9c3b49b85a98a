//! A tap on one link. The passive decoders see both directions, whatever the machines make of them.

use bytes::BytesMut;
use handover::limits::SpiceLimits;
use handover::spice::stream::{ClientItem, ClientStream, ServerItem, ServerStream};
use handover::spice::{ClientMessage, ServerMessage};
use handover::wire::StreamDecode;

/// A message that has passed on a link.
#[derive(Clone, Debug, PartialEq)]
pub enum Passed {
    FromClient(ClientMessage),
    FromServer(ServerMessage),
    /// Bytes that are no message of the protocol.
    Malformed(String),
}

impl Passed {
    /// The protocol's name for it, without what it begins with.
    pub fn name(&self) -> &str {
        match self {
            Self::FromClient(message) => message.name().trim_start_matches("SPICE_MSGC_MAIN_"),
            Self::FromServer(message) => message.name().trim_start_matches("SPICE_MSG_MAIN_"),
            Self::Malformed(error) => error,
        }
    }
}

pub struct Tap {
    up: (ClientStream, BytesMut),
    down: (ServerStream, BytesMut),
}

impl Tap {
    pub fn new() -> Self {
        let limits = SpiceLimits::DEFAULT;
        let (up, down) = (ClientStream::new(limits), ServerStream::new(limits));
        Self { up: (up, BytesMut::new()), down: (down, BytesMut::new()) }
    }

    /// Bytes of the client; the messages that they complete.
    pub fn from_client(&mut self, bytes: &[u8]) -> Vec<Passed> {
        let mut passed = Vec::new();
        self.up.1.extend_from_slice(bytes);
        loop {
            match self.up.0.decode_next(&mut self.up.1) {
                Ok(Some(ClientItem::Link(mess))) => self.down.0.set_link(&mess),
                Ok(Some(ClientItem::Message(packet))) => passed.push(Passed::FromClient(packet.message)),
                Ok(Some(_)) => {}
                Ok(None) => return passed,
                Err(error) => {
                    passed.push(Passed::Malformed(error.to_string()));
                    self.up.1.clear();
                    return passed;
                }
            }
        }
    }

    /// Bytes of the server; the messages that they complete.
    pub fn from_server(&mut self, bytes: &[u8]) -> Vec<Passed> {
        let mut passed = Vec::new();
        self.down.1.extend_from_slice(bytes);
        loop {
            match self.down.0.decode_next(&mut self.down.1) {
                Ok(Some(ServerItem::Reply(reply))) => self.up.0.set_reply(&reply),
                Ok(Some(ServerItem::Message(packet))) => passed.push(Passed::FromServer(packet.message)),
                Ok(Some(_)) => {}
                Ok(None) => return passed,
                Err(error) => {
                    passed.push(Passed::Malformed(error.to_string()));
                    self.down.1.clear();
                    return passed;
                }
            }
        }
    }
}
