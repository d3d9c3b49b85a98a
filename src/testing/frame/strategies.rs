//! The generators as proptest strategies.

use crate::frame::{Close, Extensions, Frame, Header, Hello, Text};
use crate::testing::{Choices, strategy};
use proptest::strategy::Strategy;
use std::vec::Vec;

/// Most bytes that one value is decided by.
const DECISIONS: usize = 512;

/// The header of any frame.
pub fn header() -> impl Strategy<Value = Header> {
    strategy(16, super::header)
}

/// Any frame.
pub fn frame() -> impl Strategy<Value = Frame> {
    strategy(64, super::frame)
}

/// Frames in a row.
pub fn frames() -> impl Strategy<Value = Vec<Frame>> {
    strategy(DECISIONS, |choices: &mut Choices<'_>| {
        let count = choices.below(8);
        (0..count).map(|_| super::frame(choices)).collect()
    })
}

/// A text.
pub fn text() -> impl Strategy<Value = Text> {
    strategy(64, super::text)
}

/// Extensions of any kind.
pub fn critical_extensions() -> impl Strategy<Value = Extensions> {
    strategy(DECISIONS, super::critical_extensions)
}

/// A hello.
pub fn hello() -> impl Strategy<Value = Hello> {
    strategy(DECISIONS, super::hello)
}

/// A close.
pub fn close() -> impl Strategy<Value = Close> {
    strategy(DECISIONS, super::close)
}

/// The body of a hello as a peer could lay it out.
pub fn odd_hello() -> impl Strategy<Value = Vec<u8>> {
    strategy(DECISIONS, super::odd_hello)
}

/// The body of a close as a peer could lay it out.
pub fn odd_close() -> impl Strategy<Value = Vec<u8>> {
    strategy(DECISIONS, super::odd_close)
}

/// One direction of a link as a peer could write it.
pub fn stream() -> impl Strategy<Value = Vec<u8>> {
    strategy(2 * DECISIONS, super::stream)
}
