//! Messages of the main channel that are not about the destination (spec/spice.md 4.3 and 4.4).

use super::common::{body, opaque_body, same};
use super::ids::{ChannelId, ChannelType, MouseModes};
use super::message::Body;
use crate::error::{DecodeError, EncodeError};
use crate::wire::{Encode, Payload, Writer, bytes as take, fixed, parse, put};
use crate::wire::{fits_u32, length_u32};
use bytes::Bytes;

body! {
    /// The session starts. Type 103, server to client: eight u32.
    pub struct Init {
        /// The connection id that every other channel of the session links with.
        session_id: u32 => u32 = same => same;
        /// How many display channels to expect.
        display_channels_hint: u32 => u32 = same => same;
        /// The pointer modes that the server can do, bits as in [`MouseModes`].
        supported_mouse_modes: u32 => u32 = same => same;
        /// The pointer mode in force, a bit as in [`MouseModes`].
        current_mouse_mode: u32 => u32 = same => same;
        /// Whether the guest's agent is connected (0 or 1).
        agent_connected: u32 => u32 = same => same;
        /// Agent messages that the client may send at first.
        agent_tokens: u32 => u32 = same => same;
        /// The server's multimedia clock, in milliseconds.
        multi_media_time: u32 => u32 = same => same;
        /// The size of the guest's video memory, in bytes.
        ram_hint: u32 => u32 = same => same;
    }
}

body! {
    /// Pointer modes have changed. Type 105, server to client.
    pub struct MouseMode {
        /// The modes that the server can do.
        supported: MouseModes => u16 = MouseModes::from_bits_retain => |modes: MouseModes| modes.bits();
        /// The mode in force.
        current: MouseModes => u16 = MouseModes::from_bits_retain => |modes: MouseModes| modes.bits();
    }
}

body! {
    /// The multimedia clock. Type 106, server to client.
    pub struct MultiMediaTime {
        /// Milliseconds.
        time: u32 => u32 = same => same;
    }
}

body! {
    /// The guest's agent has gone. Type 108, server to client.
    pub struct AgentDisconnected {
        /// Why; real servers send 0.
        error_code: u32 => u32 = same => same;
    }
}

body! {
    /// More agent messages are allowed. Types 110 (server to client) and 108 (client to server).
    pub struct AgentToken {
        /// How many more.
        tokens: u32 => u32 = same => same;
    }
}

body! {
    /// The guest's agent is there. Type 115, server to client.
    pub struct AgentConnectedTokens {
        /// Agent messages that the client may send at first.
        tokens: u32 => u32 = same => same;
    }
}

body! {
    /// Obsolete; real servers drop a client that sends it. Type 101, client to server.
    pub struct ClientInfo {
        /// The client's cache, in bytes.
        cache_size: u64 => u64 = same => same;
    }
}

body! {
    /// Asks for a pointer mode. Type 105, client to server.
    pub struct MouseModeRequest {
        /// The mode that is wanted.
        mode: MouseModes => u16 = MouseModes::from_bits_retain => |modes: MouseModes| modes.bits();
    }
}

body! {
    /// Starts the conversation with the guest's agent. Type 106, client to server.
    pub struct AgentStart {
        /// Agent messages that the server may send at first.
        tokens: u32 => u32 = same => same;
    }
}

body! {
    /// Asks the target to take the session over seamlessly. Type 110, client to server.
    pub struct DoSeamless {
        /// The source's migration version, copied from MIGRATE_BEGIN_SEAMLESS.
        src_version: u32 => u32 = same => same;
    }
}

opaque_body! {
    /// A piece of the conversation with the guest's agent; the protocol allows 2048 bytes. Types 109
    /// (server to client) and 107 (client to server).
    pub struct AgentData;
}

opaque_body! {
    /// Reserved; real servers drop a client that sends it. Type 112, client to server.
    pub struct QualityIndicator;
}

/// The virtual machine's UUID, in the order in which it is written. Type 114, server to client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Uuid {
    /// 16 bytes.
    pub uuid: [u8; 16],
}

impl<'a> Body<'a> for Uuid {
    fn parse(body: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let (rest, uuid) = parse::array(body).map_err(|_| DecodeError::short("Uuid", "uuid", 16, body.len()))?;
        Ok((Self { uuid }, rest))
    }
}

impl Encode for Uuid {
    fn encoded_len(&self) -> usize {
        self.uuid.len()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.put(&self.uuid);
    }
}

/// The virtual machine's name. Type 113, server to client: u32 length with the NUL, then the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Name<B = Bytes> {
    /// The name as it is on the wire: with its NUL.
    pub name: B,
}

impl<B> Name<B> {
    /// The same message with its payload held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> Name<C> {
        Name { name: convert(self.name) }
    }
}

impl<'a> Body<'a> for Name<&'a [u8]> {
    fn parse(body: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let (rest, (name_len,)) = fixed!("Name", body, { name_len: u32 });
        let size = usize::try_from(name_len).unwrap_or(usize::MAX);
        let (rest, name) = take("Name", "name", size, rest)?;
        Ok((Self { name }, rest))
    }
}

impl<B: Payload> Encode for Name<B> {
    fn encoded_len(&self) -> usize {
        self.name.as_ref().len().saturating_add(4)
    }

    fn check(&self) -> Result<(), EncodeError> {
        fits_u32("Name", "name", self.name.as_ref().len())
    }

    fn write(&self, writer: &mut Writer<'_>) {
        put!(writer, { name_len: u32 = length_u32(self.name.as_ref().len()) });
        writer.put(self.name.as_ref());
    }
}

/// The channels that the server offers. Type 104, server to client: u32 count, then count × {u8 type, u8 id}.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ChannelsList<B = Bytes> {
    entries: B,
}

impl<B> ChannelsList<B> {
    /// The same message with its payload held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> ChannelsList<C> {
        ChannelsList { entries: convert(self.entries) }
    }
}

impl<B: Payload> ChannelsList<B> {
    /// The channels, in the server's order.
    pub fn iter(&self) -> impl Iterator<Item = ChannelId> + '_ {
        self.entries.as_ref().chunks_exact(2).filter_map(|entry| match *entry {
            [ty, id] => Some(ChannelId::new(ChannelType(ty), id)),
            _ => None,
        })
    }
}

impl FromIterator<ChannelId> for ChannelsList {
    fn from_iter<T: IntoIterator<Item = ChannelId>>(channels: T) -> Self {
        let entries: alloc::vec::Vec<u8> =
            channels.into_iter().flat_map(|channel| [channel.ty.0, channel.id]).collect();
        Self { entries: entries.into() }
    }
}

impl<'a> Body<'a> for ChannelsList<&'a [u8]> {
    fn parse(body: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let (rest, (count,)) = fixed!("ChannelsList", body, { count: u32 });
        let size = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(2);
        let (rest, entries) = take("ChannelsList", "channels", size, rest)?;
        Ok((Self { entries }, rest))
    }
}

impl<B: Payload> Encode for ChannelsList<B> {
    fn encoded_len(&self) -> usize {
        self.entries.as_ref().len().saturating_add(4)
    }

    fn check(&self) -> Result<(), EncodeError> {
        fits_u32("ChannelsList", "channels", self.entries.as_ref().len())
    }

    fn write(&self, writer: &mut Writer<'_>) {
        put!(writer, { count: u32 = length_u32(self.entries.as_ref().len() / 2) });
        writer.put(self.entries.as_ref());
    }
}
