//! Oracles of the codecs of this crate's own protocols: what holds of every [`Native`] message whose protocol has
//! generators and a second reading.
//!
//! Each takes bytes and panics with the name of the property that does not hold: so proptest, libFuzzer and a seed in a
//! file all run the same. The protocols' own oracles are these, for their messages.

use crate::error::DecodeError;
use crate::frame::{Frame, FrameFlags, FrameStream, Native};
use crate::limits::FrameLimits;
use crate::testing::frame::reference::{Reader, Refused};
use crate::testing::frame::{flags, frame};
use crate::testing::{Choices, check_chunking, check_encoding, damaged};
use crate::wire::{Encode as _, Framer};
use core::fmt::Debug;
use std::format;
use std::vec::Vec;

/// A protocol's messages, with what they are tested by.
pub trait Subject: Native + Clone + PartialEq + Debug {
    /// The property in spec/ that is about the codec.
    const PROPERTY: &'static str;

    /// Something that stands in a body, as the second reading has it.
    type Part: PartialEq + Debug;

    /// What a kind is called, if it is known.
    fn kind_name(kind: u8) -> Option<&'static str>;

    /// Any message that the API can build and the wire can carry.
    fn any(choices: &mut Choices<'_>) -> Self;

    /// The kind and body of a message as a peer could lay it out.
    fn odd(choices: &mut Choices<'_>) -> (u8, Vec<u8>);

    /// The second reading of a body; `None` if the kind is not known and the message is to be skipped.
    ///
    /// # Errors
    /// It is refused.
    fn read(kind: u8, flags: u8, body: &[u8], reader: Reader) -> Result<Option<Vec<Self::Part>>, Refused>;

    /// The message in parts; `None` for one that is not known.
    fn parts(&self) -> Option<Vec<Self::Part>>;

    /// What is true of a message of this protocol besides, once it was read.
    ///
    /// # Panics
    /// It is not.
    fn check_read(&self) {}
}

/// One message, or one direction of a link, of anybody.
///
/// The first byte chooses: a message's kind, flags and body; the same out of a generator; cuts and a stream; cuts and
/// decisions of a generator of [`stream`]s. Every message is then cut in many places.
///
/// # Panics
/// Something is not read as the second reading has it, a way of cutting gives something else, or what was accepted is
/// not written back byte for byte.
pub fn run_messages<M: Subject>(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let form = choices.byte() % 4;
    if form < 2 {
        let (kind, flags) = (choices.byte(), FrameFlags::from_bits_retain(choices.byte()));
        let (kind, body) = match form {
            0 => (kind, rest(&mut choices)),
            _ => M::odd(&mut choices),
        };
        let frame = Frame { protocol: M::PROTOCOL, kind, flags, body: body.into() };
        check_message::<M>(&frame);
        cut::<M>(&frame);
        return;
    }
    let cuts: Vec<usize> = (0..choices.below(8)).map(|_| usize::from(choices.u16())).collect();
    let stream = if form == 2 { rest(&mut choices) } else { stream::<M>(&mut choices) };
    check_chunking(|| FrameStream::new(&FrameLimits::DEFAULT), &stream, &cuts);
    let mut framer = Framer::new(FrameStream::new(&FrameLimits::DEFAULT));
    framer.push(&stream);
    while let Ok(Some(frame)) = framer.next_item() {
        check_message::<M>(&frame);
    }
}

fn rest(choices: &mut Choices<'_>) -> Vec<u8> {
    (0..choices.remaining()).map(|_| choices.byte()).collect()
}

/// Beginnings of a body, as if they were one: some sixty of them, and those that lack little.
fn cut<M: Subject>(frame: &Frame) {
    let size = frame.body.len();
    let step = 1 + size / 61;
    for end in (0..size).filter(|end| end % step == 0 || end + 16 > size) {
        check_message::<M>(&Frame { body: frame.body.slice(..end), ..frame.clone() });
    }
}

/// A frame as the codec reads it, beside the second reading.
///
/// # Panics
/// They differ, or what was accepted is not written back byte for byte.
pub fn check_message<M: Subject>(frame: &Frame) {
    let message = M::from_frame(frame);
    let _ = format!("{message:?}");
    if frame.protocol != M::PROTOCOL {
        assert_eq!(message.map_err(refused), Err(("protocol", "invalid")), "{}: another protocol's", M::PROPERTY);
        return;
    }
    let expected = M::read(frame.kind, frame.flags.bits(), &frame.body, Reader::KnowsNone);
    let parts = message.as_ref().map(M::parts).map_err(|error| refused(*error));
    let (kind, body) = (frame.kind, &frame.body[..]);
    assert_eq!(parts, expected, "{}: {kind:02x} {body:02x?} is read otherwise: {message:?}", M::PROPERTY);
    if let Ok(message) = &message {
        written_back(M::PROPERTY, message, frame);
        message.check_read();
    }
}

/// Why something is refused, as second readings say it.
pub(super) fn refused(error: DecodeError) -> Refused {
    (error.field, error.kind.name())
}

/// The message is the frame's, byte for byte; the flags are the frame's own (spec/frame.md 1.3).
pub(super) fn written_back(property: &str, message: &impl Native, frame: &Frame) {
    let back = message.to_frame().unwrap_or_else(|error| panic!("{property}: it was read: {error}"));
    let back = Frame { flags: frame.flags, ..back };
    assert_eq!((&back, &*back.body), (frame, &*frame.body), "{property}: a message is written back");
}

/// A message through its bytes and back.
///
/// # Panics
/// It is not the same, or a size is not what was said.
pub fn run_roundtrip<M: Subject>(bytes: &[u8]) {
    let (bytes, frame) = roundtrip(M::PROPERTY, &M::any(&mut Choices::new(bytes)));
    check_message::<M>(&frame);
    cut::<M>(&frame);
    let mut framer = Framer::new(FrameStream::new(&FrameLimits::DEFAULT));
    framer.push(&bytes);
    assert_eq!(framer.next_item(), Ok(Some(frame)), "{}: on a stream", M::PROPERTY);
}

/// The bytes of a message and the frame that they are, once it has come out of that frame again.
pub(super) fn roundtrip<M: Native + PartialEq + Debug>(property: &str, message: &M) -> (Vec<u8>, Frame) {
    let bytes = check_encoding(&message.framed());
    let frame = message.to_frame().expect("it was encoded");
    assert_eq!(check_encoding(&frame), bytes, "{property}: framed, and as a frame");
    let said = (message.body_len(), message.flags());
    assert_eq!((frame.body.len(), frame.flags), said, "{property}: what it says of itself");
    assert_eq!(M::from_frame(&frame).as_ref(), Ok(message), "{property}: a message");
    (bytes, frame)
}

/// Frames in a row: messages of ours, odd ones, frames of anything else, and some with bytes changed.
pub fn stream<M: Subject>(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..=choices.below(5) {
        let frame = match choices.below(4) {
            0 => M::any(choices).to_frame().expect("the generator keeps to the rules"),
            1 => frame(choices),
            _ => {
                let (kind, body) = M::odd(choices);
                Frame { protocol: M::PROTOCOL, kind, flags: odd_flags(choices), body: body.into() }
            }
        };
        let encoded = frame.to_vec().expect("its body is short");
        bytes.extend(if choices.one_in(8) { damaged(encoded, choices) } else { encoded });
    }
    bytes
}

/// Mostly none.
fn odd_flags(choices: &mut Choices<'_>) -> FrameFlags {
    if choices.one_in(4) { flags(choices) } else { FrameFlags::empty() }
}
