//! Messages of the group protocol.

use crate::allocations;
use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use handover::frame::{Extension, ExtensionType, Extensions, Frame, FrameFlags, Native, Protocol, Text};
use handover::group::message::{
    Accepted, Acknowledge, Announcement, Ballot, Deactivated, DelayedError, Ended, Message, Open, Outcome, Phase, Ping,
    Plain, Query, Replicated, Signal, Snapshot, Vote, Welcome,
};
use handover::group::proposal::Proposal;
use handover::group::{
    Announcement as AnnouncementFlags, Attributes, DomainId, Epoch, ErrorCode, GroupId, GroupName, MessageKind,
    ProtocolId, ProtocolKind, ProviderId, ProviderMessage, RequestId, Sequence, StateValue, Summary, Token, ViewId,
    Vote as VoteValue,
};
use handover::wire::Encode;
use std::hint::black_box;

const TOKEN: Token = Token { index: 3, generation: 1 };
const PROVIDER: ProviderId = ProviderId { node: 7, instance: 0, incarnation: 9 };

fn vote() -> Message {
    let ballot = Ballot {
        vote: VoteValue::CONTINUE,
        default_vote: Some(VoteValue::REJECT),
        state: StateValue::new(vec![1; 32]),
        message: ProviderMessage::new(vec![2; 100]),
    };
    let (protocol, extensions) = (ProtocolId(9), Extensions::NONE);
    Message::Vote(Vote { token: TOKEN, protocol, phase: 2, ballot, extensions })
}

fn proposal() -> Box<Proposal> {
    let (state, message) = (StateValue::new(vec![3; 32]), ProviderMessage::new(vec![4; 48]));
    Box::new(Proposal { proposer: Some(PROVIDER), state, message, ..Proposal::default() })
}

fn phase() -> Message {
    let open = Open {
        protocol: ProtocolId(9),
        kind: ProtocolKind::STATE_VALUE_CHANGE,
        phase: 2,
        time_limit: 30,
        default_vote: VoteValue::APPROVE,
        summary: Summary::EXPLICIT_APPROVE,
        proposal: proposal(),
        vote: None,
    };
    let (group, sequence, extensions) = (GroupId(1), Sequence(8), Extensions::NONE);
    Message::Phase(Phase { token: TOKEN, group, sequence, open, extensions })
}

fn outcome() -> Outcome {
    Outcome {
        sequence: Sequence(9),
        protocol: ProtocolId(9),
        kind: ProtocolKind::JOIN,
        phases: 1,
        summary: Summary::EXPLICIT_APPROVE,
        view: ViewId(2),
        digest: 5,
        proposal: Box::new(Proposal { joining: vec![PROVIDER], ..Proposal::default() }),
    }
}

/// For one that has joined.
fn approved() -> Message {
    let snapshot = Snapshot {
        group: GroupId(1),
        sequence: Sequence(9),
        view: ViewId(2),
        attributes: Attributes::new(GroupName::new("web").unwrap()),
        state: StateValue::new("green").unwrap(),
        members: vec![PROVIDER; 5],
        last: ProtocolId(9),
    };
    let (outcome, snapshot) = (outcome(), Some(Box::new(snapshot)));
    Message::Approved(Box::new(Ended {
        token: TOKEN,
        group: GroupId(1),
        outcome,
        snapshot,
        extensions: Extensions::NONE,
    }))
}

/// Those that come often and hold no list, each with an extension.
fn small() -> Vec<Message> {
    let extensions = Extensions::new([Extension { ty: ExtensionType(1), value: b"kept" }]).unwrap();
    let signal = Signal { token: TOKEN, extensions: extensions.clone() };
    let (request, group, epoch) = (RequestId(1), GroupId(1), Epoch(0x10001));
    vec![
        vote(),
        Message::Unsubscribe(signal.clone()),
        Message::Goodbye(signal.clone()),
        Message::Resynchronise(signal),
        Message::Quit(Plain { extensions: extensions.clone() }),
        Message::Ping(Ping { nonce: 1, extensions: extensions.clone() }),
        Message::Pong(Ping { nonce: 1, extensions: extensions.clone() }),
        Message::Acknowledge(Acknowledge { token: TOKEN, sequence: Sequence(8), extensions: extensions.clone() }),
        Message::Deactivated(Deactivated {
            token: TOKEN,
            protocol: ProtocolId(9),
            successful: true,
            extensions: extensions.clone(),
        }),
        Message::Welcome(Welcome { domain: DomainId(1), epoch, extensions: extensions.clone() }),
        Message::Accepted(Accepted { request, token: TOKEN, group, extensions: extensions.clone() }),
        Message::Query(Query { epoch, extensions: extensions.clone() }),
        Message::Replicated(Replicated { epoch, index: 3, beat: 1, extensions }),
        Message::Unknown { kind: MessageKind(0x70), body: Bytes::from_static(b"of tomorrow") },
    ]
}

/// Shared already, as a body out of a receive buffer is.
fn received(message: &Message) -> (Frame, Bytes) {
    let frame = message.to_frame().unwrap();
    let shared = frame.body.clone();
    (frame, shared)
}

#[test]
fn encoding_messages_allocates_nothing() {
    let (mut room, mut buffer) = ([0; 1024], BytesMut::with_capacity(8192));
    for message in small().into_iter().chain([phase(), approved()]) {
        assert_eq!(allocations(|| message.framed().encode(&mut room).unwrap()), 0, "{message:?}");
        assert_eq!(allocations(|| message.framed().encode_to(&mut buffer).unwrap()), 0, "{message:?}");
        assert_eq!(allocations(|| message.framed().encode(&mut []).is_err()), 0, "{message:?}");
        // A frame of its own has its body, and a handle that shares it.
        assert!(allocations(|| message.to_frame().unwrap()) <= 2, "{message:?}");
    }
}

/// A vote above all: there is one for each provider in each phase.
#[test]
fn reading_a_small_message_allocates_nothing() {
    for message in small() {
        let (frame, _shared) = received(&message);
        assert_eq!(allocations(|| Message::from_frame(&frame).unwrap()), 0, "{message:?}");
        assert_eq!(Message::from_frame(&frame), Ok(message));
    }
}

/// One for each proposal, list, group and text that it has.
#[test]
fn reading_a_large_message_allocates_what_it_keeps() {
    let (frame, _shared) = received(&phase());
    assert_eq!(allocations(|| Message::from_frame(&frame).unwrap()), 1);
    let (frame, _shared) = received(&approved());
    let (boxed, proposal, joining, snapshot, members) = (1, 1, 1, 1, 1);
    let expected = boxed + proposal + joining + snapshot + members;
    assert_eq!(allocations(|| Message::from_frame(&frame).unwrap()), expected);
    let error = DelayedError {
        request: RequestId(1),
        token: None,
        kind: MessageKind::JOIN,
        code: ErrorCode::COLLIDE,
        text: Text::new("another protocol runs").unwrap(),
        extensions: Extensions::NONE,
    };
    let (frame, _shared) = received(&Message::DelayedError(error));
    assert_eq!(allocations(|| Message::from_frame(&frame).unwrap()), 1);
    let announcement = Announcement {
        token: TOKEN,
        group: GroupId(1),
        sequence: Sequence(3),
        flags: AnnouncementFlags::NO_RESPONSE,
        providers: vec![PROVIDER; 100],
        extensions: Extensions::NONE,
    };
    let (frame, _shared) = received(&Message::Announcement(announcement));
    assert_eq!(allocations(|| Message::from_frame(&frame).unwrap()), 1);
}

/// Whatever is announced, nothing is stored for it.
#[test]
fn refusing_what_was_announced_allocates_nothing() {
    let refused = |kind: MessageKind, body: Vec<u8>| {
        let body = Bytes::from(body);
        let _shared = body.clone();
        let frame = Frame { protocol: Protocol::GROUP, kind: kind.0, flags: FrameFlags::empty(), body };
        let counted = measure(|| assert!(black_box(Message::from_frame(&frame)).is_err()));
        counted.bytes_total
    };
    // 4 GiB of credentials, 65 535 providers, and as many for which there is almost room.
    assert_eq!(refused(MessageKind::ENTER, [&[0; 32][..], &[0xff; 4], &[0; 30]].concat()), 0);
    for count in [&[0xff, 0xff][..], &[0, 15]] {
        assert_eq!(refused(MessageKind::ANNOUNCEMENT, [&[0; 26][..], count, &[0; 200]].concat()), 0);
    }
    // 65 535 outcomes of a group of which nothing else is wrong.
    let group = [&[0; 24][..], &[0, 0, 0, 0, 1, b'g'], &[1; 5], &[0; 5], &[0; 4], &[0; 8]].concat();
    assert_eq!(refused(MessageKind::GRANT, [&[0; 12][..], &[1], &group, &[0xff, 0xff], &[0; 200]].concat()), 0);
}
