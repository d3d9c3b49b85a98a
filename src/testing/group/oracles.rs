//! Oracles of the codec. Each takes bytes and panics with the name of the property (spec/group.md 8: G-S13) that does not
//! hold: so proptest, libFuzzer and a seed in a file all run the same.

use super::reference::{self, Reader::KnowsNone};
use crate::error::DecodeError;
use crate::frame::{Frame, FrameFlags, FrameStream, Native as _, Protocol};
use crate::group::message::Message;
use crate::limits::FrameLimits;
use crate::testing::frame::encodes;
use crate::testing::{Choices, check_chunking};
use crate::wire::Framer;
use std::format;
use std::vec::Vec;

fn kind(error: DecodeError) -> reference::Refused {
    (error.field, error.kind.name())
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
    let mut choices = Choices::new(bytes);
    let form = choices.byte() % 4;
    if form < 2 {
        let (kind, flags) = (choices.byte(), FrameFlags::from_bits_retain(choices.byte()));
        let (kind, body) = match form {
            0 => (kind, rest(&mut choices)),
            _ => super::odd_message(&mut choices),
        };
        let frame = Frame { protocol: Protocol::GROUP, kind, flags, body: body.into() };
        check_message(&frame);
        cut(&frame);
        return;
    }
    let cuts: Vec<usize> = (0..choices.below(8)).map(|_| usize::from(choices.u16())).collect();
    let stream = if form == 2 { rest(&mut choices) } else { super::stream(&mut choices) };
    check_chunking(|| FrameStream::new(&FrameLimits::DEFAULT), &stream, &cuts);
    let mut framer = Framer::new(FrameStream::new(&FrameLimits::DEFAULT));
    framer.push(&stream);
    while let Ok(Some(frame)) = framer.next_item() {
        check_message(&frame);
    }
}

fn rest(choices: &mut Choices<'_>) -> Vec<u8> {
    (0..choices.remaining()).map(|_| choices.byte()).collect()
}

/// Beginnings of a body, as if they were one: some sixty of them, and those that lack little.
fn cut(frame: &Frame) {
    let size = frame.body.len();
    let step = 1 + size / 61;
    for end in (0..size).filter(|end| end % step == 0 || end + 16 > size) {
        check_message(&Frame { body: frame.body.slice(..end), ..frame.clone() });
    }
}

/// A frame as the codec reads it, beside [`reference`](mod@reference).
///
/// # Panics
/// They differ, or what was accepted is not written back byte for byte (G-S13).
pub fn check_message(frame: &Frame) {
    let message = Message::from_frame(frame);
    let _ = format!("{message:?}");
    if frame.protocol != Protocol::GROUP {
        assert_eq!(message.map_err(kind), Err(("protocol", "invalid")), "G-S13: another protocol's");
        return;
    }
    let expected = reference::message(frame.kind, frame.flags.bits(), &frame.body, KnowsNone);
    let parts = message.as_ref().map(reference::parts).map_err(|error| kind(*error));
    assert_eq!(parts, expected, "G-S13: {:02x} {:02x?} is read otherwise: {message:?}", frame.kind, &frame.body[..]);
    if let Ok(message) = &message {
        let back = Frame { flags: frame.flags, ..message.to_frame().expect("G-S13: it was read") };
        assert_eq!((&back, &*back.body), (frame, &*frame.body), "G-S13: a message is written back");
    }
}

/// A message through its bytes and back.
///
/// # Panics
/// It is not the same, or a size is not what was said (G-S13).
pub fn run_roundtrip(bytes: &[u8]) {
    let message = super::message(&mut Choices::new(bytes));
    let bytes = encodes(&message.framed());
    let frame = message.to_frame().expect("it was encoded");
    assert_eq!(encodes(&frame), bytes, "G-S13: framed, and as a frame");
    assert_eq!((frame.body.len(), frame.flags), (message.body_len(), message.flags()), "G-S13: what it says of itself");
    assert_eq!(Message::from_frame(&frame).as_ref(), Ok(&message), "G-S13: a message");
    check_message(&frame);
    cut(&frame);
    let mut framer = Framer::new(FrameStream::new(&FrameLimits::DEFAULT));
    framer.push(&bytes);
    assert_eq!(framer.next_item(), Ok(Some(frame)), "G-S13: on a stream");
}
