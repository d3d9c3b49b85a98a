//! What the vectors of the native protocols share: files of frames in hexadecimal, with what is in them.

// Every test program compiles this module for itself, as a private one.
#![allow(unreachable_pub)]

use handover::frame::{Extension, ExtensionType, Extensions, Frame, FrameStream};
use handover::limits::FrameLimits;
use handover::wire::Framer;
use serde::Deserialize;
use std::fs;
use std::path::Path;

pub const LIMITS: FrameLimits = FrameLimits::DEFAULT;

#[derive(Deserialize)]
pub struct ExtensionVector {
    #[serde(rename = "type")]
    ty: u16,
    value: String,
}

/// A frame that is refused: on which field, and with which kind of error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedVector {
    pub name: String,
    pub bytes: Vec<String>,
    pub field: String,
    pub kind: String,
}

/// Hexadecimal; spaces mean nothing.
pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|digit| *digit != ' ').collect();
    let pair = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).expect("hexadecimal");
    digits.chunks(2).map(pair).collect()
}

/// What a file of a protocol's vectors lists.
pub fn read<T: for<'a> Deserialize<'a>>(directory: &str, name: &str) -> Vec<T> {
    let text = fs::read_to_string(Path::new(directory).join(name)).expect("it is there");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The one frame that the bytes are.
pub fn frame(bytes: &[u8]) -> Frame {
    let mut framer = Framer::new(FrameStream::new(&LIMITS));
    framer.push(bytes);
    let frame = framer.next_item().expect("well-formed").expect("whole");
    assert_eq!((framer.next_item(), framer.buffered()), (Ok(None), 0));
    frame
}

pub fn extensions(list: &[ExtensionVector]) -> Extensions {
    let values: Vec<_> = list.iter().map(|extension| (ExtensionType(extension.ty), unhex(&extension.value))).collect();
    Extensions::new(values.iter().map(|(ty, value)| Extension { ty: *ty, value })).expect("they are short")
}
