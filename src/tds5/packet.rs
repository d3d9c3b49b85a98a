//! Packets: the frames of TDS 5.0 (spec/tds5.md 1).

use super::ids::{PacketStatus, PacketType};
use crate::error::{DecodeError, EncodeError, to_u64};
use crate::limits::Tds5Limits;
use crate::wire::{ByteOrder, Encode, StreamDecode, Writer, fixed, put};
use bytes::{Buf, Bytes, BytesMut};

/// The header of a packet, always big-endian: u8 type, u8 status, u16 length with the header, u16 channel, u8 packet
/// number, u8 window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "TDS_BUFFER_HEADER")]
pub struct PacketHeader {
    /// The kind of message that it belongs to.
    pub ty: PacketType,
    /// Whether it is the last one of its message, and more.
    pub status: PacketStatus,
    /// Bytes in the packet, these eight among them.
    pub length: u16,
    /// The logical channel; 0 without multiplexing. Some servers answer with other values: it is not looked at.
    pub channel: u16,
    /// Some count here, some do not: it is not looked at.
    pub number: u8,
    /// The window of the logical channel.
    pub window: u8,
}

impl PacketHeader {
    /// The size in bytes.
    pub const SIZE: usize = 8;

    /// A header for `payload` bytes on the only channel.
    #[must_use]
    pub fn new(ty: PacketType, end_of_message: bool, payload: u16) -> Self {
        let status = if end_of_message { PacketStatus::END_OF_MESSAGE } else { PacketStatus::empty() };
        Self { ty, status, length: payload.saturating_add(8), channel: 0, number: 0, window: 0 }
    }

    /// Whether the message ends with this packet.
    #[must_use]
    pub const fn ends_message(&self) -> bool {
        self.status.contains(PacketStatus::END_OF_MESSAGE)
    }

    /// The header at the front of `bytes`; `None` if it is not whole.
    ///
    /// # Errors
    /// The length is below 8 or beyond `limit`.
    #[inline]
    pub fn parse(bytes: &[u8], limit: u16) -> Result<Option<Self>, DecodeError> {
        const MESSAGE: &str = "PacketHeader";
        if bytes.len() < Self::SIZE {
            return Ok(None);
        }
        let (_, (ty, status, length, channel, number, window)) = fixed!(in ByteOrder::Big; MESSAGE, bytes, {
            ty: u8, status: u8, length: u16, channel: u16, number: u8, window: u8
        });
        if usize::from(length) < Self::SIZE {
            let reason = "smaller than the header";
            return Err(DecodeError::invalid(MESSAGE, "length", reason, u64::from(length)));
        }
        if length > limit {
            let (limit, got) = (u64::from(limit), u64::from(length));
            return Err(DecodeError::limit(MESSAGE, "length", "packet_size", limit, got));
        }
        let (ty, status) = (PacketType(ty), PacketStatus::from_bits_retain(status));
        Ok(Some(Self { ty, status, length, channel, number, window }))
    }
}

impl Encode for PacketHeader {
    fn encoded_len(&self) -> usize {
        Self::SIZE
    }

    fn write(&self, writer: &mut Writer<'_>) {
        put!(in ByteOrder::Big; writer, {
            ty: u8 = self.ty.0, status: u8 = self.status.bits(), length: u16 = self.length,
            channel: u16 = self.channel, number: u8 = self.number, window: u8 = self.window
        });
    }
}

/// One packet.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Packet {
    /// Its header.
    pub header: PacketHeader,
    /// What is behind it: a piece of a message.
    pub payload: Bytes,
}

impl core::fmt::Debug for Packet {
    /// The payload may hold a password: it is not shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Packet").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Takes packets off a byte stream, and keeps to what all messages have in common: one type from the first packet to
/// the last, and something in a migration message.
#[derive(Clone, Debug)]
pub struct PacketStream {
    limit: u16,
    /// The type of the message of which more packets are to come.
    open: Option<PacketType>,
}

impl PacketStream {
    /// Packets up to `limits.packet_size`.
    #[must_use]
    pub const fn new(limits: &Tds5Limits) -> Self {
        Self { limit: limits.packet_size, open: None }
    }

    /// The header at the front of `src`, if it may stand there; `None` if it is not whole.
    #[inline]
    fn header(&self, src: &[u8]) -> Result<Option<PacketHeader>, DecodeError> {
        let Some(header) = PacketHeader::parse(src, self.limit)? else { return Ok(None) };
        if let Some(open) = self.open
            && open != header.ty
        {
            let reason = "changes in the middle of a message";
            return Err(DecodeError::invalid("PacketHeader", "ty", reason, u64::from(header.ty.0)));
        }
        if header.ty == PacketType::MIGRATE && self.open.is_none() && usize::from(header.length) == PacketHeader::SIZE {
            let reason = "a migration message without a message";
            return Err(DecodeError::invalid("PacketHeader", "length", reason, u64::from(header.length)));
        }
        Ok(Some(header))
    }
}

impl StreamDecode for PacketStream {
    type Item = Packet;

    #[inline]
    fn needed(&self, src: &[u8]) -> usize {
        match self.header(src) {
            Ok(Some(header)) => usize::from(header.length),
            Ok(None) => PacketHeader::SIZE,
            Err(_) => 0,
        }
    }

    #[inline]
    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<Packet>, DecodeError> {
        let Some(header) = self.header(src)? else { return Ok(None) };
        if src.len() < usize::from(header.length) {
            return Ok(None);
        }
        self.open = (!header.ends_message()).then_some(header.ty);
        let mut packet = src.split_to(usize::from(header.length));
        packet.advance(PacketHeader::SIZE);
        Ok(Some(Packet { header, payload: packet.freeze() }))
    }
}

/// Cuts messages into packets. Every packet but the last of a message is full, and the last one says that it is the
/// last, whatever its size.
#[derive(Clone)]
pub(crate) struct Packets {
    /// Bytes in a packet, header included.
    size: u16,
    /// The size from the next message on.
    next_size: u16,
    /// The message that is being sent, and what of it did not fill a packet.
    open: Option<(PacketType, BytesMut)>,
}

impl core::fmt::Debug for Packets {
    /// What waits to be sent may hold a password: it is not shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Packets").field("size", &self.size).field("open", &self.open()).finish_non_exhaustive()
    }
}

/// Before anything is settled.
pub(crate) const FIRST_PACKET_SIZE: u16 = 512;

impl Packets {
    pub(crate) const fn new() -> Self {
        Self { size: FIRST_PACKET_SIZE, next_size: FIRST_PACKET_SIZE, open: None }
    }

    /// The size of packets from the next message on.
    pub(crate) fn set_size(&mut self, size: u16) {
        self.next_size = size.max(256);
        if self.open.is_none() {
            self.size = self.next_size;
        }
    }

    /// The type of the message that is being sent.
    pub(crate) fn open(&self) -> Option<PacketType> {
        self.open.as_ref().map(|(ty, _)| *ty)
    }

    /// Where the next bytes of the message of type `ty` go.
    ///
    /// # Errors
    /// A message of another type is being sent.
    pub(crate) fn message(&mut self, ty: PacketType) -> Result<&mut BytesMut, EncodeError> {
        let (open, rest) = self.open.get_or_insert_with(|| (ty, BytesMut::new()));
        if *open != ty {
            let reason = "a message of another type is being sent";
            return Err(EncodeError::Invalid { message: "PacketHeader", field: "ty", reason });
        }
        Ok(rest)
    }

    /// Puts what fills packets into `dst`; with `end` all of it, and the message is over.
    pub(crate) fn flush(&mut self, end: bool, dst: &mut BytesMut) {
        let room = self.size.saturating_sub(8);
        let Some((ty, rest)) = &mut self.open else { return };
        // What exactly fills a packet waits: it may be the last one.
        while rest.len() > usize::from(room) {
            packet(*ty, false, &rest.split_to(usize::from(room)), dst);
        }
        if end {
            packet(*ty, true, rest, dst);
            self.open = None;
            self.size = self.next_size;
        }
    }
}

fn packet(ty: PacketType, end: bool, payload: &[u8], dst: &mut BytesMut) {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    debug_assert_eq!(to_u64(payload.len()), u64::from(length), "cut to size before");
    // A header has nothing that could not be encoded.
    let _ = PacketHeader::new(ty, end, length).encode_to(dst);
    dst.extend_from_slice(payload);
}
