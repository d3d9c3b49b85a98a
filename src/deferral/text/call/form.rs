//! Keys and values as forms are encoded.

use super::CallError;
use alloc::vec::Vec;
use bytes::Bytes;

/// Letters, digits and four marks stand for themselves; a blank is a plus sign.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'*' | b'_')
}

const fn digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0'.saturating_add(value),
        _ => b'A'.saturating_add(value.saturating_sub(10)),
    }
}

pub(super) fn encode(bytes: &[u8], target: &mut Vec<u8>) {
    for byte in bytes {
        match *byte {
            b' ' => target.push(b'+'),
            byte if is_plain(byte) => target.push(byte),
            byte => target.extend([b'%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
}

/// Takes what [`encode`] writes, and what other programs write: digits in lower case, and marks that need not be
/// encoded.
pub(super) fn decode(text: &[u8]) -> Result<Bytes, CallError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(*byte).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else { return Err(CallError::Percent) };
                u8::try_from(high << 4 | low).unwrap_or_default()
            }
            byte => *byte,
        });
    }
    Ok(bytes.into())
}
