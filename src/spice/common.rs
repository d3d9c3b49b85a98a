//! Messages of every channel (spec/spice.md 4.1 and 4.2).

use super::ids::{ChannelId, ChannelType, LinkError, MigrateFlags};
use super::message::Body;
use crate::error::{DecodeError, EncodeError, to_u64};
use crate::wire::{Encode, Payload, Writer, bytes as take, fits_u32, fixed, length_u32, put};
use bytes::Bytes;

/// Declares a body of fixed fields, little-endian: the struct, its parser and its encoder. A field is written
/// `name: Type => wire integer = from the wire => to the wire`.
macro_rules! body {
    (
        $(#[$doc:meta])*
        pub struct $name:ident { $($(#[$f_doc:meta])* $field:ident: $type:ty => $wire:ident = $from:expr => $to:expr;)+ }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name { $($(#[$f_doc])* pub $field: $type),+ }

        impl<'a> $crate::spice::message::Body<'a> for $name {
            #[inline]
            fn parse(body: &'a [u8]) -> Result<(Self, &'a [u8]), $crate::error::DecodeError> {
                let (rest, ($($field,)+)) = $crate::wire::fixed!(stringify!($name), body, { $($field: $wire),+ });
                Ok((Self { $($field: $from($field)),+ }, rest))
            }
        }

        impl $crate::wire::Encode for $name {
            #[inline]
            fn encoded_len(&self) -> usize {
                const { 0 $(+ size_of::<$wire>())+ }
            }

            #[inline]
            fn write(&self, writer: &mut $crate::wire::Writer<'_>) {
                $crate::wire::put!(writer, { $($field: $wire = $to(self.$field)),+ });
            }
        }
    };
}
pub(crate) use body;

/// A field whose wire form is the value itself.
pub(crate) const fn same<T: Copy>(value: T) -> T {
    value
}

/// Declares a body that is nothing but bytes.
macro_rules! opaque_body {
    ($(#[$doc:meta])* pub struct $name:ident;) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name<B = bytes::Bytes> {
            /// The whole body.
            pub data: B,
        }

        impl<B> $name<B> {
            /// The same message with its payload held in another way.
            #[must_use]
            pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> $name<C> {
                $name { data: convert(self.data) }
            }
        }

        impl<'a> $crate::spice::message::Body<'a> for $name<&'a [u8]> {
            #[inline]
            fn parse(body: &'a [u8]) -> Result<(Self, &'a [u8]), $crate::error::DecodeError> {
                Ok((Self { data: body }, &[]))
            }
        }

        impl<B: $crate::wire::Payload> $crate::wire::Encode for $name<B> {
            fn encoded_len(&self) -> usize {
                self.data.as_ref().len()
            }

            fn write(&self, writer: &mut $crate::wire::Writer<'_>) {
                writer.put(self.data.as_ref());
            }
        }
    };
}
pub(crate) use opaque_body;

body! {
    /// The channel is about to move: `flags` says what the client owes the source first. Type 1, server to client.
    pub struct Migrate {
        /// What the client must do.
        flags: MigrateFlags => u32 = MigrateFlags::from_bits_retain => |flags: MigrateFlags| flags.bits();
    }
}

opaque_body! {
    /// The channel's state on its way from the source through the client to the target, byte by byte
    /// the same. Types 2 (server to client) and 5 (client to server). What is inside is
    /// [`migrate_data`](super::migrate_data)'s business and never the client's.
    pub struct MigrateData;
}

body! {
    /// Asks for an acknowledgement after every `window` messages. Type 3, server to client.
    pub struct SetAck {
        /// To be repeated in [`AckSync`].
        generation: u32 => u32 = same => same;
        /// Messages per acknowledgement; 0 turns them off.
        window: u32 => u32 = same => same;
    }
}

body! {
    /// Answers [`SetAck`]. Type 1, client to server.
    pub struct AckSync {
        /// The generation of the SET_ACK that is answered.
        generation: u32 => u32 = same => same;
    }
}

body! {
    /// Answers [`Ping`]; the padding is not echoed. Type 3, client to server.
    pub struct Pong {
        /// The ping's id.
        id: u32 => u32 = same => same;
        /// The ping's timestamp.
        timestamp: u64 => u64 = same => same;
    }
}

body! {
    /// A goodbye with a reason. Type 6, in both directions.
    pub struct Disconnecting {
        /// The sender's clock.
        time_stamp: u64 => u64 = same => same;
        /// Why.
        reason: LinkError => u32 = LinkError => |reason: LinkError| reason.0;
    }
}

/// Asks for a [`Pong`]. Type 4, server to client: u32 id, u64 timestamp, then padding (the real server's
/// net test sends 256 000 zero bytes).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ping<B = Bytes> {
    /// To be repeated in the answer.
    pub id: u32,
    /// To be repeated in the answer; microseconds or nanoseconds of the server's clock.
    pub timestamp: u64,
    /// Bytes that only measure the network.
    pub padding: B,
}

impl<B> Ping<B> {
    /// The same message with its payload held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> Ping<C> {
        Ping { id: self.id, timestamp: self.timestamp, padding: convert(self.padding) }
    }

    /// The answer to it.
    #[must_use]
    pub const fn pong(&self) -> Pong {
        Pong { id: self.id, timestamp: self.timestamp }
    }
}

impl<'a> Body<'a> for Ping<&'a [u8]> {
    #[inline]
    fn parse(body: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let (padding, (id, timestamp)) = fixed!("Ping", body, { id: u32, timestamp: u64 });
        Ok((Self { id, timestamp, padding }, &[]))
    }
}

impl<B: Payload> Encode for Ping<B> {
    #[inline]
    fn encoded_len(&self) -> usize {
        self.padding.as_ref().len().saturating_add(12)
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        put!(writer, { id: u32 = self.id, timestamp: u64 = self.timestamp });
        writer.put(self.padding.as_ref());
    }
}

/// Do not go on before these channels have come this far. Type 5, server to client: u8 count, then count ×
/// {u8 type, u8 id, u64 serial}.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WaitForChannels<B = Bytes> {
    entries: B,
}

impl<B> WaitForChannels<B> {
    const ENTRY: usize = 10;

    /// The same message with its payload held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> WaitForChannels<C> {
        WaitForChannels { entries: convert(self.entries) }
    }
}

impl<B: Payload> WaitForChannels<B> {
    /// Each channel with the serial to wait for.
    pub fn iter(&self) -> impl Iterator<Item = (ChannelId, u64)> + '_ {
        self.entries.as_ref().chunks_exact(Self::ENTRY).filter_map(|entry| {
            let (&[ty, id], serial) = entry.split_first_chunk()?;
            let serial = u64::from_le_bytes(serial.try_into().ok()?);
            Some((ChannelId::new(ChannelType(ty), id), serial))
        })
    }
}

impl FromIterator<(ChannelId, u64)> for WaitForChannels {
    fn from_iter<T: IntoIterator<Item = (ChannelId, u64)>>(channels: T) -> Self {
        let mut entries = alloc::vec::Vec::new();
        for (channel, serial) in channels {
            entries.extend_from_slice(&[channel.ty.0, channel.id]);
            entries.extend_from_slice(&serial.to_le_bytes());
        }
        Self { entries: entries.into() }
    }
}

impl<'a> Body<'a> for WaitForChannels<&'a [u8]> {
    fn parse(body: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let (rest, (count,)) = fixed!("WaitForChannels", body, { count: u8 });
        let size = usize::from(count).saturating_mul(Self::ENTRY);
        let (rest, entries) = take("WaitForChannels", "entries", size, rest)?;
        Ok((Self { entries }, rest))
    }
}

impl<B: Payload> Encode for WaitForChannels<B> {
    fn encoded_len(&self) -> usize {
        self.entries.as_ref().len().saturating_add(1)
    }

    fn check(&self) -> Result<(), EncodeError> {
        let got = to_u64(self.iter().count());
        let max = u64::from(u8::MAX);
        if got > max {
            return Err(EncodeError::TooLong { message: "WaitForChannels", field: "count", max, got });
        }
        Ok(())
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.put(&[u8::try_from(self.iter().count()).unwrap_or(u8::MAX)]);
        writer.put(self.entries.as_ref());
    }
}

/// Something to tell the user. Type 7, server to client: u64 time, u32 severity (0 info, 1 warning, 2
/// error), u32 visibility (0 low to 2 high), u32 what, u32 length, the text, and a NUL that is not counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Notify<B = Bytes> {
    /// The server's clock.
    pub time_stamp: u64,
    /// 0 info, 1 warning, 2 error.
    pub severity: u32,
    /// 0 low, 1 medium, 2 high.
    pub visibility: u32,
    /// A number for the event; peers send 0.
    pub what: u32,
    /// The text, without the NUL.
    pub message: B,
    /// Whether the NUL is there. Real servers send it.
    pub terminated: bool,
}

impl<B> Notify<B> {
    /// The same message with its payload held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> Notify<C> {
        let Self { time_stamp, severity, visibility, what, message, terminated } = self;
        Notify { time_stamp, severity, visibility, what, message: convert(message), terminated }
    }
}

impl<'a> Body<'a> for Notify<&'a [u8]> {
    fn parse(body: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let (rest, (time_stamp, severity, visibility, what, message_len)) = fixed!("Notify", body, {
            time_stamp: u64, severity: u32, visibility: u32, what: u32, message_len: u32
        });
        let size = usize::try_from(message_len).unwrap_or(usize::MAX);
        let (rest, message) = take("Notify", "message", size, rest)?;
        let (terminated, rest) = match rest.split_first() {
            Some((0, behind)) => (true, behind),
            _ => (false, rest),
        };
        Ok((Self { time_stamp, severity, visibility, what, message, terminated }, rest))
    }
}

impl<B: Payload> Encode for Notify<B> {
    fn encoded_len(&self) -> usize {
        self.message.as_ref().len().saturating_add(24).saturating_add(usize::from(self.terminated))
    }

    fn check(&self) -> Result<(), EncodeError> {
        fits_u32("Notify", "message", self.message.as_ref().len())
    }

    fn write(&self, writer: &mut Writer<'_>) {
        put!(writer, {
            time_stamp: u64 = self.time_stamp,
            severity: u32 = self.severity,
            visibility: u32 = self.visibility,
            what: u32 = self.what,
            message_len: u32 = length_u32(self.message.as_ref().len()),
        });
        writer.put(self.message.as_ref());
        if self.terminated {
            writer.put(&[0]);
        }
    }
}
