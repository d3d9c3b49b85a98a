//! A tap on one link. The passive decoders see both directions, whatever the machines make of them.

use bytes::BytesMut;
use handover::limits::SpiceLimits;
use handover::spice::stream::{ClientItem, ClientStream, ServerItem, ServerStream};
use handover::spice::{ChannelId, ChannelType, ClientMessage, ServerMessage};
use handover::wire::StreamDecode;
use std::fmt::{self, Debug};

/// A message that has passed on a link.
#[derive(Clone, PartialEq)]
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

    /// Whether it is worth a note: not what only keeps a link going, nor the screen's contents.
    fn is_notable(&self, channel: ChannelId) -> bool {
        let is_screen = matches!(channel.ty, ChannelType::DISPLAY | ChannelType::CURSOR);
        match self {
            Self::FromClient(message) => !matches!(message, ClientMessage::Ack | ClientMessage::AckSync(_)),
            Self::FromServer(ServerMessage::Unknown(_)) => !is_screen,
            Self::FromServer(message) => !matches!(message, ServerMessage::SetAck(_) | ServerMessage::Ping(_)),
            Self::Malformed(_) => true,
        }
    }
}

impl Debug for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = if matches!(self, Self::FromClient(_)) { "->" } else { "<-" };
        write!(f, "{arrow} {}", self.name())?;
        match self {
            Self::FromClient(ClientMessage::Unknown(unknown)) => write!(f, " {}", unknown.ty),
            Self::FromServer(ServerMessage::Unknown(unknown)) => write!(f, " {}", unknown.ty),
            _ => Ok(()),
        }
    }
}

pub struct Tap {
    channel: ChannelId,
    up: (ClientStream, BytesMut),
    down: (ServerStream, BytesMut),
}

impl Tap {
    pub fn new() -> Self {
        let limits = SpiceLimits::DEFAULT;
        let (up, down) = (ClientStream::new(limits), ServerStream::new(limits));
        Self { channel: ChannelId::MAIN, up: (up, BytesMut::new()), down: (down, BytesMut::new()) }
    }

    /// The channel, once the client has named it.
    pub fn channel(&self) -> ChannelId {
        self.channel
    }

    /// Bytes of the client; the notable messages that they complete.
    pub fn client_sent(&mut self, bytes: &[u8]) -> Vec<Passed> {
        let mut passed = Vec::new();
        self.up.1.extend_from_slice(bytes);
        loop {
            match self.up.0.decode_next(&mut self.up.1) {
                Ok(Some(ClientItem::Link(mess))) => {
                    self.channel = mess.channel();
                    self.down.0.set_link(&mess);
                }
                Ok(Some(ClientItem::Message(packet))) => passed.push(Passed::FromClient(packet.message)),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    passed.push(Passed::Malformed(error.to_string()));
                    self.up.1.clear();
                    break;
                }
            }
        }
        self.notable(passed)
    }

    /// Bytes of the server; the notable messages that they complete.
    pub fn server_sent(&mut self, bytes: &[u8]) -> Vec<Passed> {
        let mut passed = Vec::new();
        self.down.1.extend_from_slice(bytes);
        loop {
            match self.down.0.decode_next(&mut self.down.1) {
                Ok(Some(ServerItem::Reply(reply))) => self.up.0.set_reply(&reply),
                Ok(Some(ServerItem::Message(packet))) => passed.push(Passed::FromServer(packet.message)),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    passed.push(Passed::Malformed(error.to_string()));
                    self.down.1.clear();
                    break;
                }
            }
        }
        self.notable(passed)
    }

    fn notable(&self, mut passed: Vec<Passed>) -> Vec<Passed> {
        passed.retain(|passed| passed.is_notable(self.channel));
        passed
    }
}
