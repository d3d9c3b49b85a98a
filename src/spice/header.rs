//! Data headers and packets (spec/spice.md 3.1 to 3.3).

use crate::error::{EncodeError, to_u64};
use crate::wire::length_u32;
use crate::wire::{Encode, Writer, parse, put};
use bytes::Bytes;
use nom::Parser;

/// Which of the two data headers a link uses: the mini header if both sides have the capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum HeaderKind {
    /// 18 bytes: u64 serial, u16 type, u32 size, u32 offset of a sub-message list.
    #[doc(alias = "SpiceDataHeader")]
    Full,
    /// 6 bytes: u16 type, u32 size.
    #[doc(alias = "SpiceMiniDataHeader")]
    Mini,
}

impl HeaderKind {
    /// The header's size in bytes.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::Full => 18,
            Self::Mini => 6,
        }
    }

    /// The header at the front of `bytes`, `None` if it is not whole.
    #[inline]
    pub(crate) fn parse(self, bytes: &[u8]) -> Option<DataHeader> {
        match self {
            Self::Full => {
                let (_, (serial, ty, size, sub_list)) =
                    (parse::u64, parse::u16, parse::u32, parse::u32).parse(bytes).ok()?;
                Some(DataHeader { serial: Some(serial), ty, size, sub_list })
            }
            Self::Mini => {
                let (_, (ty, size)) = (parse::u16, parse::u32).parse(bytes).ok()?;
                Some(DataHeader { serial: None, ty, size, sub_list: 0 })
            }
        }
    }
}

/// A data header as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DataHeader {
    /// The message's number in its direction, from 1; `None` with the mini header, where both ends count.
    pub serial: Option<u64>,
    /// The message's type.
    pub ty: u16,
    /// The size of its body in bytes.
    pub size: u32,
    /// Where in the body a sub-message list starts; 0 if there is none.
    pub sub_list: u32,
}

impl Encode for DataHeader {
    #[inline]
    fn encoded_len(&self) -> usize {
        if self.serial.is_some() { HeaderKind::Full.size() } else { HeaderKind::Mini.size() }
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        match self.serial {
            Some(serial) => {
                put!(writer, { serial: u64 = serial, ty: u16 = self.ty, size: u32 = self.size, sub_list: u32 = self.sub_list });
            }
            None => put!(writer, { ty: u16 = self.ty, size: u32 = self.size }),
        }
    }
}

/// A message with what its header and body hold besides.
///
/// To send a message, [`Packet::new`] is enough. A received packet keeps what is needed to send it on
/// byte by byte the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Packet<M> {
    /// The message.
    pub message: M,
    /// The message's number in its direction. Always there on receipt (counted, with the mini header);
    /// `None` in a packet to be sent means "the next one".
    pub serial: Option<u64>,
    /// Where in the body a sub-message list starts; 0 if there is none. Only full headers have it. The
    /// sub-messages come out of the connection as packets of their own, before this one.
    pub sub_list: u32,
    /// What the body holds beyond the message's layout. Peers ignore it.
    pub extra: Bytes,
}

impl<M> Packet<M> {
    /// A message to be sent.
    #[must_use]
    pub const fn new(message: M) -> Self {
        Self { message, serial: None, sub_list: 0, extra: Bytes::new() }
    }
}

impl<M> From<M> for Packet<M> {
    fn from(message: M) -> Self {
        Self::new(message)
    }
}

impl<M: super::message::Message> crate::hold::Weight for Packet<M> {
    fn weight(&self) -> usize {
        self.body_len()
    }
}

impl<M: super::message::Message> Packet<M> {
    /// The size of the body.
    #[must_use]
    pub fn body_len(&self) -> usize {
        self.message.encoded_len().saturating_add(self.extra.len())
    }

    /// Encodes the packet with the header `kind`; `next_serial` is used where the packet has none.
    pub(crate) fn framed(&self, kind: HeaderKind, next_serial: u64) -> Framed<'_, M> {
        let serial = match kind {
            HeaderKind::Full => Some(self.serial.unwrap_or(next_serial)),
            HeaderKind::Mini => None,
        };
        let header = DataHeader {
            serial,
            ty: self.message.wire_type(),
            size: length_u32(self.body_len()),
            sub_list: self.sub_list,
        };
        Framed { header, packet: self }
    }
}

/// A packet with its header.
pub(crate) struct Framed<'a, M> {
    header: DataHeader,
    packet: &'a Packet<M>,
}

impl<M: super::message::Message> Encode for Framed<'_, M> {
    fn encoded_len(&self) -> usize {
        self.packet.body_len().saturating_add(self.header.encoded_len())
    }

    fn check(&self) -> Result<(), EncodeError> {
        let (max, got) = (u64::from(u32::MAX), to_u64(self.packet.body_len()));
        if got > max {
            return Err(EncodeError::TooLong { message: self.packet.message.name(), field: "body", max, got });
        }
        if self.packet.sub_list != 0 && self.header.serial.is_none() {
            return Err(EncodeError::Invalid {
                message: self.packet.message.name(),
                field: "sub_list",
                reason: "a mini header has no sub-message list",
            });
        }
        self.packet.message.check()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        self.header.write(writer);
        self.packet.message.write(writer);
        writer.put(&self.packet.extra);
    }
}
