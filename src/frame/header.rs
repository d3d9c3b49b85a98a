//! The header, and a frame as it is passed on (spec/frame.md 1).

use crate::error::{DecodeError, EncodeError, to_u64};
use crate::limits::FrameLimits;
use crate::wire::ByteOrder::Big;
use crate::wire::{Encode, Writer, codes, fits_u32, fixed, length_u32, put};
use bitflags::bitflags;
use bytes::Bytes;

codes! {
    /// What a frame belongs to (spec/frame.md 1.2).
    pub struct Protocol(u8) {
        /// The link itself.
        LINK = 0;
        /// Redirect and deferral.
        DEFERRAL = 1;
        /// Groups that vote.
        GROUP = 2;
        /// Sessions that move.
        SESSION = 3;
    }
}

bitflags! {
    /// What is said of a frame besides its kind (spec/frame.md 1.3). Unknown bits are kept, and mean nothing.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct FrameFlags: u8 {
        /// Who does not know the kind must not go on. Without it, such a frame is skipped.
        const CRITICAL = 0x01;
        const _ = !0;
    }
}

/// The header, big-endian: u32 size of the body, u8 version of the frame, u8 protocol, u8 kind, u8 flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// Bytes that follow the header.
    pub length: u32,
    /// What it belongs to.
    pub protocol: Protocol,
    /// Which message of that protocol it is.
    pub kind: u8,
    /// What else is said of it.
    pub flags: FrameFlags,
}

impl Header {
    /// The size in bytes.
    pub const SIZE: usize = 8;

    /// The only version of the frame.
    pub const VERSION: u8 = 1;

    /// The header at the front of `bytes`; `None` if it is not whole.
    ///
    /// # Errors
    /// The version is another one, or the length is beyond the limits.
    #[inline]
    pub fn parse(bytes: &[u8], limits: &FrameLimits) -> Result<Option<Self>, DecodeError> {
        const MESSAGE: &str = "Header";
        if bytes.len() < Self::SIZE {
            return Ok(None);
        }
        let (_, (length, version, protocol, kind, flags)) = fixed!(in Big; MESSAGE, bytes, {
            length: u32, version: u8, protocol: u8, kind: u8, flags: u8
        });
        if version != Self::VERSION {
            let reason = "a version of the frame that is not known";
            return Err(DecodeError::unsupported(MESSAGE, "version", reason, u64::from(version)));
        }
        let protocol = Protocol(protocol);
        let (what, limit) = if protocol == Protocol::LINK { ("hello", limits.hello) } else { ("frame", limits.frame) };
        if length > limit {
            return Err(DecodeError::limit(MESSAGE, "length", what, u64::from(limit), u64::from(length)));
        }
        Ok(Some(Self { length, protocol, kind, flags: FrameFlags::from_bits_retain(flags) }))
    }
}

impl Encode for Header {
    #[inline]
    fn encoded_len(&self) -> usize {
        Self::SIZE
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        put!(in Big; writer, {
            length: u32 = self.length, version: u8 = Self::VERSION, protocol: u8 = self.protocol.0, kind: u8 = self.kind,
            flags: u8 = self.flags.bits()
        });
    }
}

/// A frame, not looked into: what a proxy passes on.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Frame {
    /// What it belongs to.
    pub protocol: Protocol,
    /// Which message of that protocol it is.
    pub kind: u8,
    /// What else is said of it.
    pub flags: FrameFlags,
    /// What it says.
    pub body: Bytes,
}

impl core::fmt::Debug for Frame {
    /// The body is the application's: only its size is shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { protocol, kind, flags, body } = self;
        write!(f, "Frame {{ {protocol} {kind}, flags {:#x}, {} bytes }}", flags.bits(), body.len())
    }
}

impl Encode for Frame {
    #[inline]
    fn encoded_len(&self) -> usize {
        Header::SIZE.saturating_add(self.body.len())
    }

    fn check(&self) -> Result<(), EncodeError> {
        fits_u32("Frame", "body", self.body.len())
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        let Self { protocol, kind, flags, .. } = *self;
        Header { length: length_u32(self.body.len()), protocol, kind, flags }.write(writer);
        writer.put(&self.body);
    }
}

impl crate::hold::Weight for Frame {
    fn weight(&self) -> usize {
        self.body.len()
    }
}

/// A size within `limit`, before anything is encoded.
pub(super) fn check_size(message: &'static str, size: usize, limit: u32) -> Result<(), EncodeError> {
    let (max, got) = (u64::from(limit), to_u64(size));
    if got > max {
        return Err(EncodeError::TooLong { message, field: "body", max, got });
    }
    Ok(())
}
