//! The application that runs over the migrated session: numbered messages both ways on two channels.
//!
//! A channel that starts afresh first says how far it has come (a greeting), as any application that must
//! not lose anything does; one that moves seamlessly goes on as if nothing had happened.

use crate::flow::Flow;
use bytes::{BufMut, Bytes, BytesMut};
use handover::spice::main_channel::AgentData;
use handover::spice::{ChannelId, ChannelType, ClientMessage, Packet, ServerMessage, Unknown};
use std::collections::BTreeMap;

/// The second channel, beside the main channel.
pub const SIDE: ChannelId = ChannelId::new(ChannelType::PORT, 0);
/// Both channels.
pub const CHANNELS: [ChannelId; 2] = [ChannelId::MAIN, SIDE];
/// A message type of the side channel that the crate does not know, and passes on.
const SIDE_TYPE: u16 = 201;

/// What a virtual machine knows of its client: it moves with the machine.
pub type Flows = BTreeMap<ChannelId, Flow>;

pub fn new_flows() -> Flows {
    CHANNELS.into_iter().map(|channel| (channel, Flow::default())).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The last number that came: go on behind it.
    Greeting(u64),
    Number(u64),
}

impl Word {
    fn encode(self) -> Bytes {
        let (kind, number) = match self {
            Self::Greeting(number) => (1, number),
            Self::Number(number) => (0, number),
        };
        let mut bytes = BytesMut::with_capacity(9);
        bytes.put_u8(kind);
        bytes.put_u64_le(number);
        bytes.freeze()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (&kind, number) = bytes.split_first()?;
        let number = u64::from_le_bytes(number.try_into().ok()?);
        Some(if kind == 1 { Self::Greeting(number) } else { Self::Number(number) })
    }

    pub fn to_server(self, channel: ChannelId) -> Packet<ClientMessage> {
        let body = self.encode();
        Packet::new(match channel {
            ChannelId::MAIN => ClientMessage::AgentData(AgentData { data: body }),
            _ => ClientMessage::Unknown(Unknown { ty: SIDE_TYPE, body }),
        })
    }

    pub fn to_client(self, channel: ChannelId) -> Packet<ServerMessage> {
        let body = self.encode();
        Packet::new(match channel {
            ChannelId::MAIN => ServerMessage::AgentData(AgentData { data: body }),
            _ => ServerMessage::Unknown(Unknown { ty: SIDE_TYPE, body }),
        })
    }

    pub fn of_client(message: &ClientMessage) -> Option<Self> {
        match message {
            ClientMessage::AgentData(AgentData { data: body }) => Self::decode(body),
            ClientMessage::Unknown(unknown) if unknown.ty == SIDE_TYPE => Self::decode(&unknown.body),
            _ => None,
        }
    }

    pub fn of_server(message: &ServerMessage) -> Option<Self> {
        match message {
            ServerMessage::AgentData(AgentData { data: body }) => Self::decode(body),
            ServerMessage::Unknown(unknown) if unknown.ty == SIDE_TYPE => Self::decode(&unknown.body),
            _ => None,
        }
    }
}
