//! Tokens that a peer could send and we would not.

use super::format::{four, two};
use super::token::token;
use crate::testing::{Choices, damaged};
use crate::wire::{ByteOrder, Encode as _};
use std::vec::Vec;

fn string(choices: &mut Choices<'_>) -> Vec<u8> {
    let text = choices.bytes(60);
    let mut bytes = std::vec![text.len() as u8];
    bytes.extend(text);
    bytes
}

/// The bytes of one token, laid out by hand as a peer could: a MSG longer than 3, a LOGINACK with a wrong length of
/// its name, more behind a known layout, several changes in an ENVCHANGE, masks of unknown types, formats of several
/// columns. Or one of ours that was lengthened, shortened or damaged. Many are acceptable, some not.
pub fn odd_token(order: ByteOrder, choices: &mut Choices<'_>) -> Vec<u8> {
    let framed = |ty: u8, body: Vec<u8>| {
        let mut bytes = std::vec![ty];
        bytes.extend(two(order, body.len() as u16));
        bytes.extend(body);
        bytes
    };
    let mut body = Vec::new();
    match choices.below(8) {
        0 => {
            let extra = choices.bytes(252);
            body.extend([0x65, 3 + extra.len() as u8, choices.byte()]);
            body.extend(two(order, choices.edge_u16()));
            body.extend(extra);
            body
        }
        1 => {
            body.extend([5, 5, 0, 0, 0, choices.byte()]);
            body.extend(choices.bytes(255));
            body.extend([15, 7, 0, 0]);
            framed(0xad, body)
        }
        2 => {
            body.extend(four(order, choices.edge_u32()));
            body.extend([1, 10]);
            body.extend(string(choices));
            body.push(choices.byte());
            body.extend(two(order, choices.edge_u16()));
            let text = choices.bytes(300);
            body.extend(two(order, text.len() as u16));
            body.extend(text);
            body.extend(string(choices));
            body.extend(string(choices));
            body.extend(two(order, 1));
            body.extend(choices.bytes(40));
            framed(0xe5, body)
        }
        3 => {
            for _ in 0..choices.below(5) {
                body.push(choices.byte() % 6);
                body.extend(string(choices));
                body.extend(string(choices));
            }
            framed(0xe3, body)
        }
        4 => {
            for _ in 0..choices.below(6) {
                body.push(choices.byte());
                body.extend(string(choices));
            }
            framed(0xe2, body)
        }
        5 => {
            let count = choices.below(4);
            body.extend(two(order, count as u16));
            for _ in 0..count {
                body.extend(string(choices));
                body.push(choices.byte());
                body.extend(four(order, 0));
                body.extend(*choices.pick(&[&[0x38][..], &[0x26, 4], &[0x27, 255], &[0x6a, 17, 38, 2], &[0x24, 1]]));
                body.extend(string(choices));
            }
            framed(0xec, body)
        }
        _ => {
            let bytes = token(order, choices).in_order(order).to_vec().expect("the generator keeps to the rules");
            damaged(bytes, choices)
        }
    }
}
