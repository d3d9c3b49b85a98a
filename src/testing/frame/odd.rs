//! Bytes that a peer could send and we would not.

use super::values::{close, frame, hello};
use crate::frame::{Close, Frame, FrameFlags, Hello, Native as _, Protocol};
use crate::testing::{Choices, damaged};
use crate::wire::Encode as _;
use std::vec::Vec;

/// The body of a hello, laid out by hand: good, or with one thing that is wrong. Or one of ours that was damaged.
pub fn odd_hello(choices: &mut Choices<'_>) -> Vec<u8> {
    if choices.boolean() {
        let body = hello(choices).to_frame().expect("the generator keeps to the rules").body;
        return damaged(body.to_vec(), choices);
    }
    let mut body = Vec::new();
    body.extend(choices.pick(&[1024_u32, 262_144, u32::MAX, 1023, 0]).to_be_bytes());
    body.extend(choices.edge_u32().to_be_bytes());
    let identity = *choices.pick(&[0, 4, 64, 65, 255]);
    body.push(identity);
    body.extend((0..identity).map(|_| 0xaa));
    text(choices, &mut body);
    let count = choices.below(5) as u8;
    body.push(count);
    for _ in 0..count {
        body.push(*choices.pick(&[1, 2, 3, 200, 255, 0]));
        body.extend(
            choices.pick(&[[1_u16, 1], [1, 3], [0, 0xffff], [2, 1], [0xffff, 0xffff]]).map(u16::to_be_bytes).concat(),
        );
        body.extend(choices.edge_u64().to_be_bytes());
    }
    extensions(choices, &mut body);
    body
}

/// The body of a close, laid out by hand: good, or with one thing that is wrong. Or one of ours that was damaged.
pub fn odd_close(choices: &mut Choices<'_>) -> Vec<u8> {
    if choices.boolean() {
        let body = close(choices).to_frame().expect("the generator keeps to the rules").body;
        return damaged(body.to_vec(), choices);
    }
    let mut body = Vec::from(choices.edge_u16().to_be_bytes());
    text(choices, &mut body);
    extensions(choices, &mut body);
    body
}

fn text(choices: &mut Choices<'_>, body: &mut Vec<u8>) {
    let texts: [&[u8]; 12] = [
        b"",
        b"plain",
        "caf\u{e9}".as_bytes(),
        "\u{10ffff}".as_bytes(),
        "\u{a0}".as_bytes(),
        b"new\nline",
        b"nul\0",
        b"delete\x7f",
        "next line \u{85}".as_bytes(),
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xc0\x80",
    ];
    let text = choices.pick(&texts);
    body.push(text.len() as u8);
    body.extend_from_slice(text);
}

fn extensions(choices: &mut Choices<'_>, body: &mut Vec<u8>) {
    for _ in 0..choices.below(4) {
        body.extend(choices.pick(&[0_u16, 1, 0x7fff, 0x8000, 0xffff]).to_be_bytes());
        let value = choices.bytes(20);
        // Now and then it says one byte more than there is.
        let size = value.len() + usize::from(choices.one_in(8));
        body.extend((size as u16).to_be_bytes());
        body.extend(value);
    }
}

/// Frames in a row: any, those of a link's beginning and end, with odd bodies, and some with bytes changed.
pub fn stream(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..=choices.below(6) {
        let mut frame = frame(choices);
        match choices.below(6) {
            0 => frame = own(Hello::KIND, odd_hello(choices)),
            1 => frame = own(Close::KIND, odd_close(choices)),
            _ => {}
        }
        let encoded = frame.to_vec().expect("its body is short");
        bytes.extend(if choices.one_in(8) { damaged(encoded, choices) } else { encoded });
    }
    bytes
}

fn own(kind: u8, body: Vec<u8>) -> Frame {
    let flags = if kind == Hello::KIND { FrameFlags::CRITICAL } else { FrameFlags::empty() };
    Frame { protocol: Protocol::LINK, kind, flags, body: body.into() }
}
