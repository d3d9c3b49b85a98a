//! Oracles of the Replication Manager's codec. Each takes bytes and panics with the name of the property
//! (spec/repmgr.md 8) that does not hold: so proptest, libFuzzer and a seed in a file all run the same.
//!
//! | oracle | what the bytes are |
//! |---|---|
//! | [`run_frames`] | one direction of a connection, from a peer |
//! | [`run_segments`] | a data area with its table, or changes of a good one |
//! | [`run_handshake`] | the handshakes of one side, or changes of good ones |
//! | [`run_roundtrip`] | decisions of the generators in [`repmgr`](super::repmgr): values through their bytes and back |
//!
//! What is accepted and what is not is decided a second time by a reference that shares no code with the codec.

mod feeds;
mod reference;
mod values;

pub use values::run_roundtrip;

use crate::limits::RepmgrLimits;
use crate::repmgr::handshake::VersionRange;
use crate::repmgr::message::{AppMessage, AppResponse, Message};
use crate::repmgr::stream::{MessageStream, Side};
use crate::repmgr::{SegmentTable, Segments, Version};
use crate::testing::repmgr as any;
use crate::testing::{Choices, check_chunking, damaged};
use crate::wire::Encode as _;
use bytes::Bytes;
use feeds::{bounded, framed, reproduces};
use reference::{End, Reference};
use std::vec::Vec;

/// Limits that a fuzzer reaches.
const SMALL: RepmgrLimits = RepmgrLimits { handshake: 40, own: 60, message: 120, segments: 3, ..RepmgrLimits::DEFAULT };

/// Limits that nothing reaches.
const NONE: RepmgrLimits = RepmgrLimits {
    handshake: usize::MAX,
    own: usize::MAX,
    message: usize::MAX,
    segments: u32::MAX,
    ..RepmgrLimits::DEFAULT
};

/// Up to 8 places to cut a stream at. Few decisions, so that the rest of the input is the stream.
fn cuts(choices: &mut Choices<'_>) -> Vec<usize> {
    (0..choices.below(8)).map(|_| usize::from(choices.u16())).collect()
}

fn rest(choices: &mut Choices<'_>) -> Vec<u8> {
    (0..choices.remaining()).map(|_| choices.byte()).collect()
}

/// Changes of something good: what the bytes say, on top of it.
fn changed(good: &[u8], mut changes: Vec<u8>) -> Vec<u8> {
    changes.resize(changes.len().max(good.len()), 0);
    changes.iter_mut().zip(good).for_each(|(byte, good)| *byte ^= good);
    changes
}

/// A direction of a connection, of somebody who speaks `own`.
#[derive(Clone, Copy, Debug)]
enum Direction {
    Of(Side, VersionRange),
    Established(Version),
}

impl Direction {
    fn decoder(self, limits: &RepmgrLimits) -> MessageStream {
        match self {
            Self::Of(side, own) => MessageStream::new(side, own, limits),
            Self::Established(version) => MessageStream::established(version, limits),
        }
    }

    fn reference(self, limits: RepmgrLimits) -> Reference {
        match self {
            Self::Of(side, own) => Reference::new(side, (own.min.0, own.max.0), limits),
            Self::Established(version) => Reference::established(version.0, limits),
        }
    }
}

/// A stream against the reference and against itself, cut in all ways. What came.
fn judge(direction: Direction, limits: RepmgrLimits, stream: &[u8], cuts: &[usize]) -> Vec<Message> {
    let make = || direction.decoder(&limits);
    let (messages, error) = framed(make(), [stream]);
    let (lengths, end) = direction.reference(limits).judge(stream);
    assert_eq!(reproduces(&messages, stream), lengths, "P6: {direction:?} accepts {messages:?}, then {error:?}");
    match end {
        End::Malformed => assert!(error.is_some(), "P6: {direction:?} accepts what is malformed behind {messages:?}"),
        End::Open(left) => {
            assert_eq!(error, None, "P6: {direction:?} refuses what is good behind {messages:?}");
            assert_eq!(lengths.iter().sum::<usize>() + left, stream.len());
        }
    }
    check_chunking(make, stream, cuts);
    bounded(make(), stream);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).chain([0, stream.len()]).collect();
    cuts.sort_unstable();
    let pieces = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]);
    for (how, fed) in [("cut", framed(make(), pieces)), ("byte by byte", framed(make(), stream.chunks(1)))] {
        assert_eq!((&fed.0, fed.1), (&messages, error), "P5: {how}");
    }
    messages
}

/// One direction of a connection: a dialler's, a listener's, or either once it is established.
///
/// The first byte chooses direction, versions, whether good handshakes come first, and the limits; then cuts, then
/// the bytes of the peer.
///
/// # Panics
/// A way of cutting gives something else (P5), something is accepted or refused that should not be (P6), or what was
/// accepted is not written back byte for byte (P1).
pub fn run_frames(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let form = choices.byte();
    let limits = if form & 1 == 0 { RepmgrLimits::DEFAULT } else { SMALL };
    let own = if form & 2 == 0 { VersionRange::ALL } else { VersionRange::CHANNELS };
    let direction = match form >> 2 & 7 {
        0 | 1 => Direction::Of(Side::Dialler, own),
        2 | 3 => Direction::Of(Side::Listener, own),
        4 => Direction::Established(Version(u32::from(form >> 5))),
        _ => Direction::Established(Version::V4),
    };
    let cuts = cuts(&mut choices);
    let mut stream = Vec::new();
    // The handshakes of a channel, so that the rest comes behind them.
    match (direction, form >> 2 & 1) {
        (Direction::Of(Side::Dialler, _), 1) => {
            stream.extend(b"\x02\0\0\0\x0c\0\0\0\x0b\x01\0\0\0\0\0\0\0\0\0\0\0x\0\0\0\0\x04\0\0\0\x04\0");
            stream.extend(b"\x02\0\0\0\x0c\0\0\0\x02\0\0\0\x08\0\0\0\0\0\0\0\x02x\0");
        }
        (Direction::Of(Side::Listener, _), 1) => {
            stream.extend(b"\x02\0\0\0\x0c\0\0\0\x07\x17\xdf\0\x08\0\0\0\x07\0\0\0\x04x\0\0\0\0\x04\0");
        }
        _ => {}
    }
    stream.extend(rest(&mut choices));
    judge(direction, limits, &stream, &cuts);
}

/// A data area with its table: as the body of a bulk answer, and with metadata behind it as that of a message.
///
/// The first byte chooses whether the bytes are all there is or changes of a good block, and the number of segments
/// that is announced: that of the block, or another; then comes what a generator decides on, or the block.
///
/// # Panics
/// Something is accepted or refused that should not be (P3, P4), segments are not what they should be, or what was
/// accepted is not written back byte for byte (P1, P2).
pub fn run_segments(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let form = choices.byte();
    let block = match form & 3 {
        0 | 1 => rest(&mut choices),
        2 => {
            let (expected, block) = any::odd_block(&mut choices);
            check_block(&block, &expected);
            damaged(block, &mut choices)
        }
        _ => {
            // Thousands are for `run_roundtrip`.
            let segments: Segments = any::segments(&mut choices).iter().take(60).collect();
            let block = segments.to_vec().expect("they are short");
            check_block(&block, &segments.iter().collect::<Vec<_>>());
            changed(&block, rest(&mut choices))
        }
    };
    let found = reference::segments(&block, None);
    let parsed = Segments::parse(&Bytes::from(block.clone()));
    assert_eq!(SegmentTable::parse(&block).err(), parsed.as_ref().err().copied(), "P4");
    match &found {
        None => assert!(parsed.is_err(), "P4: {block:?} is taken for {parsed:?}"),
        Some(found) => {
            let own: Vec<Bytes> = found.iter().map(|part| Bytes::copy_from_slice(part)).collect();
            check_block(&block, &own);
        }
    }
    let answer = AppResponse::single(9, block.clone());
    assert_eq!(answer.segments(), parsed);

    let count = found.as_ref().map_or(block.len() as u32 / 8, |found| found.len() as u32);
    for announced in [count, u32::from(form >> 2), count.wrapping_sub(1), count.wrapping_add(1), 0x0fff_ffff] {
        let metadata = [form.wrapping_mul(7), 1, 2, 3, form, 5, 6, 7, 8, 9, form >> 1, form];
        let body = [&block[..], &metadata].concat();
        let accepts = reference::segments(&block, Some(u128::from(announced)));
        let taken = AppMessage::parse(announced, body.clone().into());
        assert_eq!(taken.is_ok(), accepts.is_some(), "P4: {announced} segments in {block:?}: {taken:?}");
        let looked_at = AppMessage::decode(announced, &body);
        assert_eq!(looked_at.as_ref().err(), taken.as_ref().err(), "a look finds what is found by keeping");
        let (Ok(message), Ok(view)) = (taken, looked_at) else { continue };
        assert!(view.segments.iter().eq(message.segments.slices()), "{view:?} is {message:?}");
        assert_eq!((view.tag, view.limit, view.flags), (message.tag, message.limit, message.flags));
        assert_eq!(view.wanted(), message.wanted());
        assert!(message.segments.slices().eq(accepts.into_iter().flatten()), "P3: {block:?} is {message:?}");
        let words = [message.tag, message.limit, message.flags.bits()].map(u32::to_be_bytes).concat();
        assert_eq!(words, metadata, "P1: metadata");
        let header = [&[5][..], &(body.len() as u32).to_be_bytes(), &announced.to_be_bytes()].concat();
        assert_eq!(message.to_vec(), Ok([header, body].concat()), "P1");
        assert_eq!(message.wanted().is_some(), form & 2 != 0, "only a request wants an answer");
    }
    if block.len() > 1500 {
        // Byte by byte it would take its time.
        return;
    }
    let whole = [&[5][..], &(block.len() as u32 + 12).to_be_bytes(), &count.to_be_bytes(), &block, &[0; 12]].concat();
    judge(Direction::Established(Version::V4), NONE, &whole, &[9, block.len()]);
}

/// P1, P2 and P3 on a block that holds these segments.
fn check_block(block: &[u8], expected: &[Bytes]) {
    let shared = Bytes::copy_from_slice(block);
    let range = shared.as_ptr_range();
    let segments = Segments::parse(&shared).unwrap_or_else(|error| panic!("P3: {block:?}: {error}"));
    assert!(segments.iter().eq(expected.iter().cloned()), "P3: {block:?} is {segments:?}");
    assert!(segments.slices().eq(expected.iter().map(|part| &part[..])), "P3: borrowed");
    assert_eq!((segments.len(), segments.is_empty()), (expected.len(), expected.is_empty()));
    assert_eq!(segments.payload_len(), expected.iter().map(Bytes::len).sum::<usize>());
    for (at, part) in expected.iter().enumerate() {
        assert_eq!((segments.get(at).as_ref(), segments.slice(at)), (Some(part), Some(&part[..])), "P3");
        let inside = segments.get(at).is_some_and(|part| part.is_empty() || range.contains(&part.as_ptr()));
        assert!(inside, "a segment is shared, not copied");
    }
    assert_eq!((segments.get(expected.len()), segments.slice(expected.len())), (None, None));
    let table = SegmentTable::parse(block).unwrap_or_else(|error| panic!("P3: {block:?}: {error}"));
    assert!(table.iter().eq(expected.iter().map(|part| &part[..])), "P3: {block:?} is {table:?}");
    assert_eq!((table.len(), table.is_empty()), (expected.len(), expected.is_empty()));
    assert!((0..=expected.len()).all(|at| table.get(at) == expected.get(at).map(|part| &part[..])), "P3: {table:?}");
    assert_eq!(segments.to_vec().as_deref(), Ok(block), "P1: written as it came");
    // Laid out anew they are the same segments, and all ways of laying them out agree.
    let ours = Segments::from(expected.to_vec());
    let again = ours.to_vec().expect("they are short");
    let parts: Vec<&[u8]> = expected.iter().map(|part| &part[..]).collect();
    assert_eq!(again, reference::canonical(&parts), "P2");
    assert_eq!((&ours, ours.is_canonical()), (&segments, true), "P1");
    assert_eq!(segments.is_canonical(), block == again, "P2: {block:?}");
}

/// The handshakes of one side and what is behind them, and the choice of a version.
///
/// The first byte chooses side and versions, and whether the bytes are the stream or changes of a good one, which a
/// generator decides on first.
///
/// # Panics
/// Something is accepted or refused that should not be (P6, P7, P8), or what was accepted is not written back (P1).
pub fn run_handshake(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let form = choices.byte();
    let side = if form & 1 == 0 { Side::Dialler } else { Side::Listener };
    let own = match form >> 2 & 3 {
        0 | 1 => VersionRange::ALL,
        2 => VersionRange::CHANNELS,
        _ => any::version_range(&mut choices),
    };
    let proposed = any::version_range(&mut choices);
    let selected = own.select(proposed).map(|version| version.0);
    let expected = reference::select((own.min.0, own.max.0), (proposed.min.0, proposed.max.0));
    assert_eq!(selected, expected, "P7: {own:?} of {proposed:?}");
    let cuts = cuts(&mut choices);
    let stream = if form & 2 == 0 {
        rest(&mut choices)
    } else {
        let version = any::version(&mut choices);
        let good: Vec<crate::repmgr::handshake::Handshake> = match (side, form & 64) {
            (_, 64) => std::vec![any::legacy(&mut choices).into()],
            (Side::Dialler, _) => {
                let mut proposal = any::proposal(version, &mut choices);
                if form & 128 != 0 {
                    proposal.versions = proposed;
                }
                std::vec![proposal.into(), any::parameters(version, &mut choices).into()]
            }
            (Side::Listener, _) => std::vec![any::confirmation(version, &mut choices).into()],
        };
        let bytes = good.iter().flat_map(|step| step.to_vec().expect("the generator keeps to the rules"));
        changed(&bytes.collect::<Vec<u8>>(), rest(&mut choices))
    };
    for limits in [NONE, SMALL] {
        let messages = judge(Direction::Of(side, own), limits, &stream, &cuts);
        for message in messages {
            values::is_ignored(side, &message, own, form);
        }
    }
}
