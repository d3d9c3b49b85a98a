//! Oracles of the codec. Each takes bytes and panics with the name of the property (spec/frame.md 8) that does not
//! hold: so proptest, libFuzzer and a seed in a file all run the same.

use super::reference::{self, Reader::KnowsNone};
use crate::frame::{Close, Frame, FrameStream, Header, Hello, Native, Protocol};
use crate::limits::FrameLimits;
use crate::testing::native::{refused, roundtrip, written_back};
use crate::testing::{Choices, check_chunking, check_encoding};
use crate::wire::{Encode, Framer};
use bytes::BytesMut;
use core::fmt::Debug;
use std::vec::Vec;

/// Limits that a fuzzer reaches.
const SMALL: FrameLimits = FrameLimits { frame: 300, hello: 60, ..FrameLimits::DEFAULT };

/// One direction of a link: any frames, any bytes.
///
/// The first byte chooses the limits, and whether the bytes are those of a peer or decisions of a generator of
/// [`stream`](super::stream)s; then cuts, then the rest.
///
/// # Panics
/// A way of cutting or feeding gives something else (F2), more is held than was pushed (F3), it is not read as
/// [`reference`](mod@reference) reads it, or what was accepted is not written back byte for byte (F1).
pub fn run_stream(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let form = choices.byte();
    let limits = if form & 1 == 0 { FrameLimits::DEFAULT } else { SMALL };
    let cuts: Vec<usize> = (0..choices.below(8)).map(|_| usize::from(choices.u16())).collect();
    let stream = match form & 2 {
        0 => (0..choices.remaining()).map(|_| choices.byte()).collect(),
        _ => super::stream(&mut choices),
    };
    check_chunking(|| FrameStream::new(&limits), &stream, &cuts);

    let (frames, left) = read(&limits, &stream);
    let (expected, rest) = reference::frames(&stream, u64::from(limits.frame), u64::from(limits.hello));
    let parts: Vec<_> = frames.iter().map(reference::parts).collect();
    assert_eq!((parts, left), (expected, rest), "F1: it is read otherwise");

    let mut back = BytesMut::new();
    frames.iter().for_each(|frame| frame.encode_to(&mut back).expect("it was read"));
    assert_eq!(back, stream[..back.len()], "F1: frames are written back");
    frames.iter().for_each(check_message);
}

/// A stream byte by byte, and what of it is held meanwhile.
fn read(limits: &FrameLimits, stream: &[u8]) -> (Vec<Frame>, Result<usize, reference::Refused>) {
    let mut framer = Framer::new(FrameStream::new(limits));
    let mut frames = Vec::new();
    // Since the last frame.
    let mut pushed = 0;
    for (at, byte) in stream.iter().enumerate() {
        framer.push(&[*byte]);
        pushed += 1;
        loop {
            assert!(framer.buffered() <= pushed, "F3: {} bytes are held of {pushed}", framer.buffered());
            match framer.next_item() {
                Ok(Some(frame)) => {
                    assert_eq!(frame.encoded_len(), pushed, "F2: a frame comes with its last byte");
                    pushed = 0;
                    frames.push(frame);
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(pushed, Header::SIZE, "F3: {error} shows in the header");
                    framer.push(&[0; 64]);
                    assert_eq!((framer.next_item(), framer.buffered()), (Err(error), 0), "F2: an error stays");
                    return (frames, Err(refused(error)));
                }
            }
        }
        // To look makes the framer forget how many bytes it waits for.
        if at % 64 == 63 {
            assert!(framer.buffer_mut().capacity() <= 2 * stream.len() + 64, "F3: it grows with what has come");
        }
    }
    (frames, Ok(framer.buffered()))
}

/// A frame of the link as its messages read it, beside [`reference`](mod@reference).
///
/// # Panics
/// They differ, or what was accepted is not written back byte for byte (F1).
pub fn check_message(frame: &Frame) {
    let hello = Hello::from_frame(frame).map_err(refused);
    let close = Close::from_frame(frame).map_err(refused);
    let of_link = frame.protocol == Protocol::LINK;
    if !(of_link && frame.kind == Hello::KIND) {
        assert!(hello.is_err(), "F1: no hello: {frame:?}");
    } else {
        let expected = reference::hello(&frame.body, KnowsNone);
        assert_eq!(hello.as_ref().map(reference::hello_parts).map_err(|refused| *refused), expected, "F1: a hello");
        hello.iter().for_each(|hello| written_back("F1", hello, frame));
    }
    if !(of_link && frame.kind == Close::KIND) {
        assert!(close.is_err(), "F1: no close: {frame:?}");
    } else {
        let expected = reference::close(&frame.body, KnowsNone);
        assert_eq!(close.as_ref().map(reference::close_parts).map_err(|refused| *refused), expected, "F1: a close");
        close.iter().for_each(|close| written_back("F1", close, frame));
    }
}

/// A value through its bytes and back. The first byte chooses what it is.
///
/// # Panics
/// It is not the same (F1), or a size is not what was said.
pub fn run_roundtrip(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    match choices.byte() % 4 {
        0 => {
            let frame = super::frame(&mut choices);
            let bytes = check_encoding(&frame);
            let (frames, left) = read(&FrameLimits::DEFAULT, &bytes);
            assert_eq!((frames, left), (Vec::from([frame]), Ok(0)), "F1: a frame");
        }
        1 => {
            let header = super::header(&mut choices);
            let (bytes, limits) =
                (check_encoding(&header), FrameLimits { frame: u32::MAX, hello: u32::MAX, outputs: 1 });
            assert_eq!(Header::parse(&bytes, &limits), Ok(Some(header)), "F1: a header");
        }
        2 => message(&super::hello(&mut choices)),
        _ => message(&super::close(&mut choices)),
    }
}

fn message<M: Native + PartialEq + Debug>(message: &M) {
    let (bytes, frame) = roundtrip("F1", message);
    let (frames, left) = read(&FrameLimits { hello: u32::MAX, ..FrameLimits::DEFAULT }, &bytes);
    assert_eq!((frames, left), (Vec::from([frame]), Ok(0)), "F1: on a stream");
}
