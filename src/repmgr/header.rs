//! The header of every message (spec/repmgr.md 1.1).

use super::ids::MessageType;
use crate::wire::{ByteOrder::Big, Encode, Writer, parse, put};
use nom::Parser;

/// The header, big-endian: u8 type, u32 first word, u32 second word. What the words mean depends on the type.
///
/// ```
/// use handover::repmgr::{Header, MessageType};
/// use handover::wire::Encode;
///
/// let header = Header::parse(b"\x05\0\0\0\x20\0\0\0\x01and what follows").expect("nine bytes");
/// assert_eq!((header.ty, header.word1, header.word2), (MessageType::APP_MESSAGE, 32, 1));
/// assert_eq!(header.body_len(), 32);
/// assert_eq!(header.to_vec()?, b"\x05\0\0\0\x20\0\0\0\x01");
/// # Ok::<(), handover::error::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// The kind of message.
    pub ty: MessageType,
    /// A size in bytes; the error code of a [`RESPONSE_ERROR`](MessageType::RESPONSE_ERROR).
    pub word1: u32,
    /// A second size, a number of segments, a tag or a kind.
    pub word2: u32,
}

impl Header {
    /// The size in bytes.
    pub const SIZE: usize = 9;

    /// The header at the front of `bytes`; `None` if it is not whole.
    #[inline]
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        use parse::ordered::{u8, u32};
        let (_, (ty, word1, word2)) = (u8(Big), u32(Big), u32(Big)).parse(bytes).ok()?;
        Some(Self { ty: MessageType(ty), word1, word2 })
    }

    /// How many bytes follow.
    #[inline]
    #[must_use]
    pub fn body_len(&self) -> u64 {
        let (word1, word2) = (u64::from(self.word1), u64::from(self.word2));
        match self.ty {
            MessageType::APP_MESSAGE | MessageType::APP_RESPONSE | MessageType::OWN_MESSAGE => word1,
            MessageType::RESPONSE_ERROR => 0,
            _ => word1.saturating_add(word2),
        }
    }
}

impl Encode for Header {
    #[inline]
    fn encoded_len(&self) -> usize {
        Self::SIZE
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        put!(in Big; writer, { ty: u8 = self.ty.0, word1: u32 = self.word1, word2: u32 = self.word2 });
    }
}
