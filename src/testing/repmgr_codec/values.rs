//! Values that the API can build, through their bytes and back.

use super::feeds::{framed, reproduces};
use super::{Direction, NONE, cuts, judge};
use crate::limits::RepmgrLimits;
use crate::repmgr::handshake::{Handshake, VersionRange};
use crate::repmgr::message::{AppMessage, AppResponse, Message};
use crate::repmgr::stream::{MessageStream, Side};
use crate::repmgr::{Header, Segments, Version};
use crate::testing::repmgr as any;
use crate::testing::{Choices, check_chunking, damaged};
use crate::wire::Encode as _;
use bytes::Bytes;
use std::vec::Vec;

const LIMITS: RepmgrLimits = RepmgrLimits::DEFAULT;

/// Any value that the API can build, through its bytes and back.
///
/// The first byte chooses what, the rest are decisions of a generator.
///
/// # Panics
/// It is another one afterwards, or a property of the codec does not hold.
pub fn run_roundtrip(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let c = &mut choices;
    match c.byte() % 8 {
        0 => header(c),
        1 => {
            let version = *c.pick(&[Version::V4, Version::V1, Version::V2, Version::V3]);
            one(version, any::established(version, c));
        }
        2 => conversation(c),
        3 => segments(c),
        4 => odd_messages(c),
        5 => responses(c),
        6 => with_changes(c),
        _ => handshakes(c),
    }
}

fn header(c: &mut Choices<'_>) {
    let header = any::header(c);
    let bytes = header.to_vec().expect("a header can be encoded");
    assert_eq!((bytes.len(), Header::parse(&bytes), Header::parse(&bytes[..8])), (9, Some(header), None), "P1");
    assert_eq!(bytes[1..5], header.word1.to_be_bytes(), "big-endian");
}

/// P1 for one message of a connection.
fn one(version: Version, message: Message) {
    let bytes = message.to_vec().unwrap_or_else(|error| panic!("P1: {message:?}: {error}"));
    assert_eq!(bytes.len(), message.encoded_len(), "P1: {message:?}");
    let (came, error) = framed(MessageStream::established(version, &NONE), [&bytes[..]]);
    assert_eq!((came, error), ([message].into(), None), "P1");
}

/// What one end says is what the other finds, however it is cut.
fn conversation(c: &mut Choices<'_>) {
    let cuts = cuts(c);
    let conversation = any::conversation(c);
    let stream = conversation.bytes();
    let make = || conversation.decoder(&LIMITS);
    let (messages, error) = framed(make(), [&stream[..]]);
    assert_eq!((&messages, error), (&conversation.messages, None), "P1: {conversation:?}");
    assert_eq!(reproduces(&messages, &stream).iter().sum::<usize>(), stream.len(), "P1");
    check_chunking(make, &stream, &cuts);
    let mut framer = crate::wire::Framer::new(make());
    framer.push(&stream);
    while framer.next_item().expect("it is good").is_some() {}
    let decoder = framer.decoder();
    assert!(decoder.version().is_none_or(|version| version == conversation.version), "P7: {conversation:?}");
    assert_eq!(decoder.is_established(), decoder.version().is_some(), "all of them get there");
}

/// P1 and P2 for segments, in a message and in an answer.
fn segments(c: &mut Choices<'_>) {
    let segments = any::segments(c);
    let parts: Vec<Bytes> = segments.iter().collect();
    let block = segments.to_vec().expect("they are short");
    super::check_block(&block, &parts);
    one(Version::V4, AppMessage::new(segments.clone()).into());
    let answer = AppResponse::bulk(c.u32(), &segments).expect("they are short");
    assert_eq!((&answer.body[..], answer.segments()), (&block[..], Ok(segments)), "P2");
    let received = Segments::parse(&answer.body).expect("it is ours");
    let again = AppResponse::bulk(1, &received).expect("they are short");
    assert_eq!(again.body.as_ptr(), answer.body.as_ptr(), "what was received is not laid out again");
    one(Version::V4, answer.into());
}

/// P3: messages in layouts of others.
fn odd_messages(c: &mut Choices<'_>) {
    let (expected, count, body) = any::odd_app_message(c);
    let message = AppMessage::parse(count, body.clone().into()).unwrap_or_else(|error| panic!("P3: {error}"));
    assert_eq!(message, expected, "P3");
    let bytes = message.to_vec().expect("it was accepted");
    assert_eq!(bytes[9..], body, "P1: written as it came");
    one(Version::V4, message.into());
    one(Version::V4, expected.into());
}

fn responses(c: &mut Choices<'_>) {
    let answer = any::app_response(c);
    let _ = answer.segments();
    one(Version::V4, answer.into());
    one(Version::V4, any::response_error(c).into());
    one(Version::V4, any::own_message(c).into());
}

/// P4: a good message with a few bits changed is refused, or is something that is written back.
fn with_changes(c: &mut Choices<'_>) {
    let (cuts, conversation) = (cuts(c), any::conversation(c));
    let stream = damaged(conversation.bytes(), c);
    let direction = match conversation.side {
        Some(side) => Direction::Of(side, VersionRange::ALL),
        None => Direction::Established(conversation.version),
    };
    judge(direction, LIMITS, &stream, &cuts);
    judge(Direction::Established(Version::V4), LIMITS, &any::damaged_message(c), &cuts);
}

/// Each step through a stream of the side that says it.
fn handshakes(c: &mut Choices<'_>) {
    let step = any::handshake(c);
    let bytes = step.to_vec().expect("the generator keeps to the rules");
    let version = match &step {
        Handshake::Parameters(parameters) => Some(parameters.site.control.version()),
        _ => None,
    };
    let (side, before) = match (&step, version) {
        (Handshake::Confirmation(_), _) => (Side::Listener, Vec::new()),
        (_, Some(version)) => {
            let proposal = Handshake::from(any::proposal(version, c));
            (Side::Dialler, proposal.to_vec().expect("the generator keeps to the rules"))
        }
        _ => (Side::Dialler, Vec::new()),
    };
    let stream = [&before[..], &bytes].concat();
    let (messages, error) = framed(MessageStream::new(side, VersionRange::ALL, &NONE), [&stream[..]]);
    assert_eq!((messages.last(), error), (Some(&Message::Handshake(step.clone())), None), "P1");
    if matches!(step, Handshake::Legacy(_)) {
        let (messages, error) = framed(MessageStream::new(Side::Listener, VersionRange::ALL, &NONE), [&stream[..]]);
        assert_eq!((messages, error), ([step.into()].into(), None), "P1");
    }
}

/// P8: what nobody reads in a proposal changes nothing: another control part and another last byte.
pub(super) fn is_ignored(side: Side, message: &Message, own: VersionRange, form: u8) {
    let Message::Handshake(Handshake::Proposal(proposal)) = message else { return };
    let mut other = proposal.clone();
    other.trailing ^= form | 1;
    other.legacy = std::vec![form; usize::from(form % 20)].into();
    let decoded = |step: Handshake| {
        let mut framer = crate::wire::Framer::new(MessageStream::new(side, own, &NONE));
        framer.push(&step.to_vec().expect("P1: it was accepted"));
        let message = framer.next_item().expect("P8: it was accepted");
        (message, framer.decoder().clone())
    };
    let (came, stage) = decoded(proposal.clone().into());
    let (came_other, stage_other) = decoded(other.clone().into());
    assert_eq!((came, came_other), (Some(message.clone()), Some(Message::Handshake(other.into()))), "P8");
    assert_eq!(stage, stage_other, "P8: the same is to come");
}
