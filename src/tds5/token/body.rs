//! What the bodies of all tokens have in common.

use crate::error::{DecodeError, EncodeError, to_u64};
use crate::wire::{ByteOrder, Writer};

/// A body that can be parsed from exactly its bytes: what is behind the token's type and length.
pub(crate) trait Parse<'a>: Sized {
    fn parse(order: ByteOrder, body: &'a [u8]) -> Result<Self, DecodeError>;
}

/// A body that can be written.
pub(crate) trait Compose {
    /// Exactly how many bytes [`write_body`](Self::write_body) writes.
    fn body_len(&self) -> usize;

    /// Whether every length fits its field; the token's own length is not the body's business.
    fn check_body(&self) -> Result<(), EncodeError> {
        Ok(())
    }

    fn write_body(&self, order: ByteOrder, writer: &mut Writer<'_>);
}

/// Whether a length is at most `max`, the most that its field can say.
#[inline(always)]
pub(crate) fn fits(
    message: &'static str,
    field: &'static str,
    max: impl Into<u64>,
    length: usize,
) -> Result<(), EncodeError> {
    let (max, got) = (max.into(), to_u64(length));
    if got > max { Err(EncodeError::TooLong { message, field, max, got }) } else { Ok(()) }
}

/// A length that [`fits`] a byte.
pub(crate) fn length_u8(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

/// A length that [`fits`] two bytes.
pub(crate) fn length_u16(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// A string behind its length in one byte: the string and what follows it.
#[inline(always)]
pub(crate) fn short_string<'a>(
    message: &'static str,
    field: &'static str,
    input: &'a [u8],
) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
    let Some((&size, rest)) = input.split_first() else {
        return Err(DecodeError::short(message, field, 1, 0));
    };
    crate::wire::bytes(message, field, usize::from(size), rest).map(|(rest, text)| (text, rest))
}

/// Writes a string behind its length in one byte.
pub(crate) fn put_short_string(writer: &mut Writer<'_>, text: &[u8]) {
    writer.put(&[length_u8(text.len())]);
    writer.put(text);
}
