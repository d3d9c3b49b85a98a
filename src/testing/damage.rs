//! Bytes with mistakes in them.

use super::Choices;
use std::vec::Vec;

/// Bytes with a few changes: longer, shorter, a bit or a byte changed, and that often where lengths stand.
pub fn damaged(mut bytes: Vec<u8>, choices: &mut Choices<'_>) -> Vec<u8> {
    const LENGTHS: [u8; 5] = [0, 0xff, 0x7f, 1, 8];
    for _ in 0..=choices.below(3) {
        match choices.below(6) {
            0 => bytes.extend(choices.bytes(40)),
            1 => bytes.truncate(choices.below(bytes.len() + 1)),
            _ if bytes.is_empty() => {}
            2 => {
                let at = choices.below(bytes.len());
                bytes[at] = choices.byte();
            }
            3 => {
                // A header is at the front.
                let at = choices.below(bytes.len().min(16));
                bytes[at] = *choices.pick(&LENGTHS);
            }
            4 => {
                // A table of segments is at the end.
                let at = bytes.len() - 1 - choices.below(bytes.len().min(48));
                bytes[at] = *choices.pick(&LENGTHS);
            }
            _ => {
                let at = choices.below(bytes.len());
                bytes[at] ^= 1 << choices.below(8);
            }
        }
    }
    bytes
}
