//! The oracles of [`native`], for messages of this protocol: each panics with the name of the property (spec/group.md
//! 8: G-S13) that does not hold.

use super::reference::{self, Part, Reader, Refused};
use crate::frame::Frame;
use crate::group::MessageKind;
use crate::group::message::Message;
use crate::testing::{Choices, native};
use std::vec::Vec;

impl native::Subject for Message {
    const PROPERTY: &'static str = "G-S13";

    type Part = Part;

    fn kind_name(kind: u8) -> Option<&'static str> {
        MessageKind(kind).name()
    }

    fn any(choices: &mut Choices<'_>) -> Self {
        super::message(choices)
    }

    fn odd(choices: &mut Choices<'_>) -> (u8, Vec<u8>) {
        super::odd_message(choices)
    }

    fn read(kind: u8, flags: u8, body: &[u8], reader: Reader) -> Result<Option<Vec<Part>>, Refused> {
        reference::message(kind, flags, body, reader)
    }

    fn parts(&self) -> Option<Vec<Part>> {
        reference::parts(self)
    }
}

/// One message, or one direction of a link, of anybody.
///
/// The first byte chooses: a message's kind, flags and body; the same out of a generator; cuts and a stream; cuts and
/// decisions of a generator of [`stream`](fn@super::stream)s. Every message is then cut in many places.
///
/// # Panics
/// Something is not read as [`reference`](mod@reference) reads it, a way of cutting gives something else, or what was
/// accepted is not written back byte for byte (G-S13).
pub fn run_messages(bytes: &[u8]) {
    native::run_messages::<Message>(bytes);
}

/// A frame as the codec reads it, beside [`reference`](mod@reference).
///
/// # Panics
/// They differ, or what was accepted is not written back byte for byte (G-S13).
pub fn check_message(frame: &Frame) {
    native::check_message::<Message>(frame);
}

/// A message through its bytes and back.
///
/// # Panics
/// It is not the same, or a size is not what was said (G-S13).
pub fn run_roundtrip(bytes: &[u8]) {
    native::run_roundtrip::<Message>(bytes);
}
