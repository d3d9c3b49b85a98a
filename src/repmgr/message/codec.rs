//! Messages as bytes.

use super::{AppMessage, AppResponse, Message, Permanent, Replication, ResponseError};
use crate::error::{DecodeError, EncodeError, to_u64};
use crate::repmgr::header::Header;
use crate::repmgr::ids::{ErrorCode, MessageFlags, MessageType};
use crate::repmgr::segments::{SegmentTable, Segments};
use crate::wire::{ByteOrder::Big, Encode, Writer, fits_u32, fixed, length_u32, put};
use bytes::Bytes;

/// A header whose first word is the size of the body.
fn sized(ty: MessageType, body: usize, word2: u32) -> Header {
    Header { ty, word1: length_u32(body), word2 }
}

impl Permanent {
    /// The size in bytes.
    pub const SIZE: usize = 4 + 4 + 4;

    pub(in crate::repmgr) fn parse(message: &'static str, body: &[u8]) -> Result<Self, DecodeError> {
        let (_, (generation, file, offset)) =
            fixed!(in Big; message, body, { generation: u32, file: u32, offset: u32 });
        Ok(Self { generation, file, offset })
    }

    fn write_as(&self, ty: MessageType, writer: &mut Writer<'_>) {
        sized(ty, Self::SIZE, 0).write(writer);
        put!(in Big; writer, { generation: u32 = self.generation, file: u32 = self.file, offset: u32 = self.offset });
    }
}

impl AppMessage {
    /// Bytes behind the table: u32 tag, u32 limit, u32 flags.
    pub(crate) const METADATA_SIZE: usize = 4 + 4 + 4;

    /// The shortest body with that many segments: a table, and the metadata.
    pub(in crate::repmgr) fn least(count: u32) -> u64 {
        const NO_SEGMENTS: u64 = 4 + 12;
        u64::from(count).saturating_mul(8).saturating_add(NO_SEGMENTS)
    }

    /// Takes a body apart; `count` is the number of segments that the header announces. Nothing is copied and nothing
    /// allocated: the segments share the body.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use handover::repmgr::message::AppMessage;
    ///
    /// let body = b"hi\xff\xff\xff\xff\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    /// let message = AppMessage::parse(1, Bytes::from_static(body))?;
    /// assert_eq!(message.segments.slice(0), Some(&b"hi"[..]));
    /// assert_eq!(message.wanted(), None);
    /// # Ok::<(), handover::error::DecodeError>(())
    /// ```
    ///
    /// # Errors
    /// The body is too short, or the table is not one of `count` segments within the body: see [`Segments::parse`].
    #[inline]
    pub fn parse(count: u32, mut body: Bytes) -> Result<Self, DecodeError> {
        let (block, metadata) = split(&body)?;
        let (_, (tag, limit, flags)) = fixed!(in Big; "AppMessage", metadata, { tag: u32, limit: u32, flags: u32 });
        body.truncate(block.len());
        let segments = Segments::parse_counted("AppMessage", body, count)?;
        Ok(Self { segments, tag, limit, flags: MessageFlags::from_bits_retain(flags) })
    }

    fn body_len(&self) -> usize {
        self.segments.encoded_len().saturating_add(Self::METADATA_SIZE)
    }
}

impl<'a> AppMessage<SegmentTable<'a>> {
    /// The same, borrowed.
    ///
    /// # Errors
    /// As [`AppMessage::parse`].
    #[inline]
    pub fn decode(count: u32, body: &'a [u8]) -> Result<Self, DecodeError> {
        let (block, metadata) = split(body)?;
        let (_, (tag, limit, flags)) = fixed!(in Big; "AppMessage", metadata, { tag: u32, limit: u32, flags: u32 });
        let segments = SegmentTable::parse_counted("AppMessage", block, count)?;
        Ok(Self { segments, tag, limit, flags: MessageFlags::from_bits_retain(flags) })
    }
}

/// The segments with their table, and the metadata.
#[inline]
fn split(body: &[u8]) -> Result<(&[u8], &[u8]), DecodeError> {
    let size = AppMessage::METADATA_SIZE;
    let block = body.len().checked_sub(size).and_then(|block| body.split_at_checked(block));
    block.ok_or_else(|| DecodeError::short("AppMessage", "metadata", size, body.len()))
}

/// The message, with its header.
impl Encode for AppMessage {
    #[inline]
    fn encoded_len(&self) -> usize {
        Header::SIZE.saturating_add(self.body_len())
    }

    #[inline]
    fn check(&self) -> Result<(), EncodeError> {
        fits_u32("AppMessage", "length", self.body_len())
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        sized(MessageType::APP_MESSAGE, self.body_len(), length_u32(self.segments.len())).write(writer);
        self.segments.write(writer);
        put!(in Big; writer, { tag: u32 = self.tag, limit: u32 = self.limit, flags: u32 = self.flags.bits() });
    }
}

/// The message, with its header.
impl Encode for AppResponse {
    #[inline]
    fn encoded_len(&self) -> usize {
        Header::SIZE.saturating_add(self.body.len())
    }

    #[inline]
    fn check(&self) -> Result<(), EncodeError> {
        fits_u32("AppResponse", "length", self.body.len())
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        sized(MessageType::APP_RESPONSE, self.body.len(), self.tag).write(writer);
        writer.put(&self.body);
    }
}

/// The message: a header and nothing else.
impl Encode for ResponseError {
    fn encoded_len(&self) -> usize {
        Header::SIZE
    }

    fn check(&self) -> Result<(), EncodeError> {
        if self.code == ErrorCode::NONE {
            let reason = "0 is no error: the requester would take it for an empty answer";
            return Err(EncodeError::Invalid { message: "ResponseError", field: "code", reason });
        }
        Ok(())
    }

    fn write(&self, writer: &mut Writer<'_>) {
        Header { ty: MessageType::RESPONSE_ERROR, word1: self.code.0, word2: self.tag }.write(writer);
    }
}

impl Replication {
    pub(in crate::repmgr) fn parse(control_len: usize, mut body: Bytes) -> Result<Self, DecodeError> {
        const MESSAGE: &str = "Replication";
        if control_len == 0 {
            return Err(DecodeError::invalid(MESSAGE, "control", "must not be empty", 0));
        }
        if body.len() < control_len {
            return Err(DecodeError::short(MESSAGE, "control", control_len, body.len()));
        }
        let control = body.split_to(control_len);
        Ok(Self { control, record: body })
    }
}

/// The message, with its header.
impl Encode for Replication {
    fn encoded_len(&self) -> usize {
        Header::SIZE.saturating_add(self.control.len()).saturating_add(self.record.len())
    }

    fn check(&self) -> Result<(), EncodeError> {
        const MESSAGE: &str = "Replication";
        if self.control.is_empty() {
            return Err(EncodeError::Invalid { message: MESSAGE, field: "control", reason: "must not be empty" });
        }
        fits_u32(MESSAGE, "control", self.control.len())?;
        fits_u32(MESSAGE, "record", self.record.len())
    }

    fn write(&self, writer: &mut Writer<'_>) {
        sized(MessageType::REP_MESSAGE, self.control.len(), length_u32(self.record.len())).write(writer);
        writer.put(&self.control);
        writer.put(&self.record);
    }
}

/// The message, with its header: whatever the types can say and a site of any kind survives reading. What was received
/// is written byte for byte as it came; only an error of number 0 is not written at all.
impl Encode for Message {
    #[inline]
    fn encoded_len(&self) -> usize {
        match self {
            Self::App(message) => message.encoded_len(),
            Self::Response(message) => message.encoded_len(),
            Self::Error(message) => message.encoded_len(),
            Self::PermLsn(_) | Self::Heartbeat(Some(_)) => Header::SIZE.saturating_add(Permanent::SIZE),
            Self::Heartbeat(None) => Header::SIZE,
            Self::Handshake(message) => message.encoded_len(),
            Self::Replication(message) => message.encoded_len(),
            Self::Own(message) => message.encoded_len(),
        }
    }

    #[inline]
    fn check(&self) -> Result<(), EncodeError> {
        match self {
            Self::App(message) => message.check(),
            Self::Response(message) => message.check(),
            Self::Error(message) => message.check(),
            Self::PermLsn(_) | Self::Heartbeat(_) => Ok(()),
            Self::Handshake(message) => message.check(),
            Self::Replication(message) => message.check(),
            Self::Own(message) => message.check(),
        }
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        match self {
            Self::App(message) => message.write(writer),
            Self::Response(message) => message.write(writer),
            Self::Error(message) => message.write(writer),
            Self::PermLsn(permanent) => permanent.write_as(MessageType::PERM_LSN, writer),
            Self::Heartbeat(Some(permanent)) => permanent.write_as(MessageType::HEARTBEAT, writer),
            Self::Heartbeat(None) => sized(MessageType::HEARTBEAT, 0, 0).write(writer),
            Self::Handshake(message) => message.write(writer),
            Self::Replication(message) => message.write(writer),
            Self::Own(message) => message.write(writer),
        }
    }
}

/// How many bytes of a body a message of fixed size must have.
pub(in crate::repmgr) fn fixed_size(message: &'static str, header: &Header, size: usize) -> Result<(), DecodeError> {
    if (u64::from(header.word1), header.word2) == (to_u64(size), 0) {
        return Ok(());
    }
    let reason = "must be 12 bytes of control part and no record";
    Err(DecodeError::invalid(message, "length", reason, header.body_len()))
}
