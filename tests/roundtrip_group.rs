//! Messages of the group protocol on any value that the API can build, and on any bytes (spec/group.md 8: G-S13).

use arbitrary::{Arbitrary, Unstructured};
use bytes::{Bytes, BytesMut};
use handover::error::EncodeError;
use handover::frame::{Extensions, Frame, FrameFlags, FrameStream, Native, Protocol, Text};
use handover::group::message::{
    Announcement, Enter, Grant, Join, Message, Open, Phase, Propose, Reign, Report, Snapshot, Standing, Vote,
};
use handover::group::proposal::{Expulsion, Voting, Wish};
use handover::group::{
    AttributeError, Attributes, BatchControl, Epoch, GroupId, GroupName, MergeControl, MessageKind, Phases, ProviderId,
    ProviderMessage, RequestId, Sequence, StateValue, Token, Vote as VoteValue,
};
use handover::limits::FrameLimits;
use handover::testing::frame::strategies::critical_extensions;
use handover::testing::group::reference::{self, Reader};
use handover::testing::group::{self as values, check_message, layout, run_messages, run_roundtrip, strategies};
use handover::testing::{Choices, Rng, check_chunking};
use handover::wire::{Encode, Framer};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const LIMITS: FrameLimits = FrameLimits::DEFAULT;
const TOKEN: Token = Token { index: 3, generation: 1 };

fn frame(kind: u8, flags: u8, body: impl Into<Bytes>) -> Frame {
    Frame { protocol: Protocol::GROUP, kind, flags: FrameFlags::from_bits_retain(flags), body: body.into() }
}

/// What [`Attributes::matches`] compares, field by field: those that have no meaning are left out.
fn meaning(attributes: &Attributes) -> String {
    let Attributes { client_version, name, batch_control, phases, default_vote, merge_control, time_limit, .. } =
        attributes;
    let reflection = attributes.source_group.as_ref().map(|source| {
        let limit = (attributes.reflection_phases != Phases::ONE).then_some(attributes.reflection_time_limit);
        (source, attributes.reflection_phases, limit)
    });
    let plain = (client_version, name, batch_control.bits(), phases, default_vote, merge_control, time_limit);
    format!("{plain:?} {reflection:?}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn g_s13_any_message(decisions in prop::collection::vec(any::<u8>(), 0..600)) {
        run_roundtrip(&decisions);
    }

    #[test]
    fn g_s13_messages_in_a_row_however_they_are_cut(messages in strategies::messages(), cuts in any::<[usize; 4]>()) {
        let bytes: Vec<u8> = messages.iter().flat_map(|message| message.framed().to_vec().unwrap()).collect();
        check_chunking(|| FrameStream::new(&LIMITS), &bytes, &cuts);
        let mut framer = Framer::new(FrameStream::new(&LIMITS));
        let mut again = Vec::new();
        for piece in bytes.chunks(1 + cuts[0] % 100) {
            framer.push(piece);
            while let Some(frame) = framer.next_item().unwrap() {
                again.push(Message::from_frame(&frame).unwrap());
            }
        }
        prop_assert_eq!(again, messages);
    }

    #[test]
    fn g_s13_messages_that_are_cut_anywhere(message in strategies::message()) {
        let whole = message.to_frame().unwrap();
        // A longer one is cut in some places by the oracle.
        for end in 0..whole.body.len().min(400) {
            check_message(&frame(whole.kind, 0, whole.body.slice(..end)));
        }
    }

    #[test]
    fn g_s13_odd_messages((kind, body) in strategies::odd_message(), flags in any::<u8>()) {
        check_message(&frame(kind, flags, body));
    }

    #[test]
    fn g_s13_any_bytes(at in 0..layout::KINDS.len(), body in any::<Vec<u8>>()) {
        check_message(&frame(layout::KINDS[at].0, 0, body));
    }

    /// A flag that is not known changes nothing; the flags are the frame's own.
    #[test]
    fn flags_of_the_frame_mean_nothing(message in strategies::message(), flags in any::<u8>()) {
        let plain = message.to_frame().unwrap();
        let flags = FrameFlags::from_bits_retain(flags);
        let is_unknown = matches!(message, Message::Unknown { .. });
        let again = Message::from_frame(&Frame { flags, ..plain });
        prop_assert_eq!(again.is_err(), is_unknown && flags.contains(FrameFlags::CRITICAL));
        again.iter().for_each(|again| assert_eq!(again, &message));
    }

    #[test]
    fn extensions_that_must_be_understood(report in strategies::report(), extensions in critical_extensions()) {
        let critical = extensions.iter().any(|extension| extension.ty.0 >= 0x8000);
        let message = Message::Report(Report { extensions, ..report });
        let frame = message.to_frame().unwrap();
        prop_assert_eq!(Message::from_frame(&frame).is_err(), critical);
        let knowing = reference::message(frame.kind, 0, &frame.body, Reader::KnowsAll).unwrap();
        prop_assert_eq!(knowing, reference::parts(&message));
    }

    #[test]
    fn attributes_match_by_what_has_a_meaning(one in strategies::attributes(), field in 0..10_u8, by in 1..4_u8) {
        let mut other = one.clone();
        let by16 = u16::from(by);
        match field {
            0 => other.client_version = one.client_version.wrapping_add(by.into()),
            1 => other.name = GroupName::new([b"another", &[by][..]].concat()).unwrap(),
            2 => other.batch_control.toggle(BatchControl::from_bits_retain(by)),
            3 => other.phases = Phases(one.phases.0 ^ by),
            4 => other.reflection_phases = Phases(one.reflection_phases.0 ^ by),
            5 => other.default_vote = VoteValue(one.default_vote.0 ^ by),
            6 => other.merge_control = MergeControl(one.merge_control.0 ^ by),
            7 => other.time_limit ^= by16,
            8 => other.reflection_time_limit ^= by16,
            _ => other.source_group = if by == 1 { None } else { GroupName::new(vec![by]) },
        }
        let same = meaning(&one) == meaning(&other);
        prop_assert_eq!((one.matches(&other), other.matches(&one)), (same, same));
        prop_assert!(one.matches(&one));
        // All but these always count.
        prop_assert!(!same || [4, 8, 9].contains(&field));
    }

    #[test]
    fn attributes_make_sense_or_not(attributes in strategies::attributes(), sound in strategies::sound_attributes()) {
        prop_assert_eq!(sound.check(), Ok(()));
        let phases = [attributes.phases.0, attributes.reflection_phases.0];
        let wrong = [
            (phases.iter().any(|phases| ![1, 2].contains(phases)), AttributeError::Phases),
            (![1, 3].contains(&attributes.default_vote.0), AttributeError::DefaultVote),
            (attributes.merge_control.0 != 1, AttributeError::MergeControl),
            (attributes.batch_control.bits() > 7, AttributeError::BatchControl),
            (attributes.source_group.as_ref() == Some(&attributes.name), AttributeError::SourceGroup),
        ];
        let first = wrong.into_iter().find(|(wrong, _)| *wrong).map(|(_, error)| error);
        prop_assert_eq!(attributes.check().err(), first);
    }

    #[test]
    fn messages_survive_serde(message in strategies::message()) {
        let text = serde_json::to_string(&message).unwrap();
        prop_assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), message);
    }

    #[test]
    fn messages_are_arbitrary(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let message = Message::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
        prop_assert_eq!(&message, &values::message(&mut Choices::new(&bytes)));
        check_message(&message.to_frame().unwrap());
    }

    #[test]
    fn the_oracle_on_any_bytes(decisions in prop::collection::vec(any::<u8>(), 0..700)) {
        run_messages(&decisions);
    }
}

/// The oracles of the fuzz targets on fixed random bytes, so that plain `cargo test` runs them.
#[test]
fn oracles_on_random_bytes() {
    let mut rng = Rng::new(34);
    for round in 0..1500 {
        let length = [40, 200, 700][round % 3];
        for form in 0..4 {
            let mut bytes = rng.bytes(length);
            bytes[0] = form;
            run_messages(&bytes);
            run_roundtrip(&bytes[1..]);
        }
    }
}

/// The properties above mean something only if much of what they try is accepted, and much is not.
#[test]
fn odd_layouts_are_often_accepted_and_often_not() {
    let mut rng = Rng::new(6);
    let (mut tried, mut errors): (BTreeMap<_, u32>, BTreeSet<_>) = Default::default();
    for _ in 0..12_000 {
        let bytes = rng.bytes(600);
        let (kind, body) = values::odd_message(&mut Choices::new(&bytes));
        let read = reference::message(kind, 0, &body, Reader::KnowsNone);
        let name = MessageKind(kind).name().unwrap_or("Unknown");
        *tried.entry((name, read.is_ok())).or_default() += 1;
        errors.extend(read.err().map(|(field, why)| (name, field, why)));
    }
    let often = |what, good| tried.get(&(what, good)).is_some_and(|&count| count >= 30);
    let names: Vec<_> = layout::KINDS.iter().map(|(kind, _)| MessageKind(*kind).name().expect("a name")).collect();
    let seldom: Vec<_> = names.iter().filter(|what| !often(what, true) || !often(what, false)).collect();
    assert!(seldom.is_empty(), "{seldom:?}: {tried:?}");
    let expected = [
        ("ENTER", "node", "short"),
        ("ENTER", "credentials", "short"),
        ("ENTER", "extensions", "unsupported"),
        ("JOIN", "name", "invalid"),
        ("JOIN", "name", "short"),
        ("JOIN", "source_group", "invalid"),
        ("JOIN", "source_group", "short"),
        ("SUBSCRIBE", "group", "invalid"),
        ("UNSUBSCRIBE", "generation", "short"),
        ("PROPOSE", "view", "invalid"),
        ("PROPOSE", "wish", "unsupported"),
        ("PROPOSE", "targets", "invalid"),
        ("PROPOSE", "flag", "short"),
        ("PROPOSE", "state", "invalid"),
        ("PROPOSE", "message", "invalid"),
        ("VOTE", "default_vote", "invalid"),
        ("VOTE", "state", "invalid"),
        ("VOTE", "message", "invalid"),
        ("VOTE", "message", "short"),
        ("DEACTIVATED", "successful", "invalid"),
        ("QUIT", "extension_type", "short"),
        ("REPORT", "provider", "invalid"),
        ("REPORT", "recent", "invalid"),
        ("REPORT", "open", "invalid"),
        ("DELAYED_ERROR", "token", "invalid"),
        ("DELAYED_ERROR", "text", "invalid"),
        ("PHASE", "proposer", "invalid"),
        ("PHASE", "joining", "invalid"),
        ("PHASE", "leaving", "invalid"),
        ("PHASE", "vote", "invalid"),
        ("APPROVED", "snapshot", "invalid"),
        ("REJECTED", "source_state", "invalid"),
        ("ANNOUNCEMENT", "providers", "invalid"),
        ("NOTICE", "members", "invalid"),
        ("NOTICE", "left", "invalid"),
        ("DISSOLVED", "token", "invalid"),
        ("REDIRECT", "address", "invalid"),
        ("REDIRECT", "address", "short"),
        ("REPLICATE", "approved", "invalid"),
        ("GRANT", "record", "invalid"),
        ("REIGN", "extension_value", "short"),
        ("PROCLAIM", "lowest_node", "short"),
    ];
    let missing: Vec<_> = expected.iter().filter(|error| !errors.contains(*error)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The table of layouts names every kind there is, and no other.
#[test]
fn every_kind_is_laid_out() {
    let known: BTreeSet<u8> = (0..=u8::MAX).filter(|kind| MessageKind(*kind).name().is_some()).collect();
    assert_eq!(known, layout::KINDS.iter().map(|(kind, _)| *kind).collect());
    // And the generator makes every one.
    let mut rng = Rng::new(2);
    let made: BTreeSet<u8> = (0..2000)
        .map(|_| values::message(&mut Choices::new(&rng.bytes(300))).kind())
        .filter(|k| known.contains(k))
        .collect();
    assert_eq!(made, known);
}

/// A value that cannot be encoded leaves every destination as it was.
#[track_caller]
fn refuses(message: &Message) -> String {
    let mut room = [0xa5; 64];
    let error = message.framed().encode(&mut room).expect_err("it cannot be encoded");
    assert_eq!(room, [0xa5; 64]);
    let mut behind = BytesMut::from(&b"before"[..]);
    assert_eq!(message.framed().encode_to(&mut behind), Err(error));
    assert_eq!(&behind[..], b"before");
    assert_eq!((message.framed().to_vec(), message.to_frame()), (Err(error), Err(error)));
    assert!(!matches!(error, EncodeError::ShortBuffer { .. }));
    error.to_string()
}

/// With the simplest of everything else.
fn simplest<T>(generate: fn(&mut Choices<'_>) -> T) -> T {
    generate(&mut Choices::new(&[]))
}

const PROVIDER: ProviderId = ProviderId { node: 1, instance: -1, incarnation: 9 };

fn many(count: usize) -> Vec<ProviderId> {
    vec![PROVIDER; count]
}

#[test]
fn what_the_wire_cannot_carry_is_refused_and_nothing_is_written() {
    let snapshot = Snapshot { members: many(65_536), ..simplest(values::snapshot) };
    let mut open: Open = simplest(values::open);
    open.proposal.joining = many(65_536);
    let expulsion = Expulsion { targets: many(65_536), ..simplest(values::expulsion) };
    let cases = [
        (
            Message::Announcement(Announcement { providers: many(65_536), ..simplest(values::announcement) }),
            "Announcement.providers is too long: 65536, at most 65535",
        ),
        (
            Message::Report(Report {
                standing: Some(Box::new(Standing { snapshot, ..simplest(values::standing) })),
                ..simplest(values::report)
            }),
            "Report.members is too long: 65536, at most 65535",
        ),
        (Message::Phase(Phase { open, ..simplest(values::phase) }), "Phase.joining is too long: 65536, at most 65535"),
        (
            Message::Propose(Box::new(Propose { wish: Wish::Expel(expulsion), ..simplest(values::propose) })),
            "Propose.targets is too long: 65536, at most 65535",
        ),
        (Message::Unknown { kind: MessageKind::VOTE, body: Bytes::new() }, "Unknown.kind: a kind that is known"),
    ];
    for (message, expected) in &cases {
        assert_eq!(refuses(message), *expected);
    }
}

/// The largest that there is of each is carried.
#[test]
fn the_largest_of_each() {
    let state = StateValue::new(vec![1; 256]).unwrap();
    let provider_message = ProviderMessage::new(vec![2; 2048]).unwrap();
    let name = |byte: u8| GroupName::new(vec![byte; 32]).unwrap();
    let attributes = Attributes { source_group: Some(name(b's')), ..Attributes::new(name(b'g')) };
    let mut vote: Vote = simplest(values::vote);
    vote.ballot.state = Some(state.clone());
    vote.ballot.message = Some(provider_message.clone());
    let mut phase: Phase = simplest(values::phase);
    phase.open.vote = Some(vote.ballot.clone());
    *phase.open.proposal = handover::group::proposal::Proposal {
        proposer: Some(PROVIDER),
        joining: many(4096),
        leaving: Vec::new(),
        expulsion: Some(Expulsion { targets: many(4096), deactivate_phase: 1, flag: vec![3; 4096].into() }),
        state: Some(state.clone()),
        source_state: Some(state.clone()),
        message: Some(provider_message.clone()),
        attributes: Some(Box::new(attributes.clone())),
    };
    let snapshot =
        Snapshot { members: many(18_000), attributes: attributes.clone(), state, ..simplest(values::snapshot) };
    let enter = Enter { credentials: vec![4; 262_144 - 36].into(), ..simplest(values::enter) };
    let largest = [
        Message::Vote(vote),
        Message::Phase(phase),
        Message::Join(Box::new(Join {
            request: RequestId(u32::MAX),
            instance: i16::MIN,
            attributes,
            extensions: Extensions::NONE,
        })),
        Message::Report(Report {
            standing: Some(Box::new(Standing { snapshot, ..simplest(values::standing) })),
            ..simplest(values::report)
        }),
        Message::Propose(Box::new(Propose {
            request: RequestId(0),
            token: TOKEN,
            voting: Voting { phases: Phases::N, time_limit: u16::MAX },
            view: None,
            wish: Wish::Message(provider_message),
            extensions: Extensions::NONE,
        })),
        Message::Enter(Box::new(enter)),
        Message::Reign(Reign {
            epoch: Epoch(u64::MAX),
            beat: u64::MAX,
            address: Text::new("é".repeat(127)).unwrap(),
            extensions: Extensions::NONE,
        }),
    ];
    for message in largest {
        let bytes = message.framed().to_vec().unwrap();
        let mut framer = Framer::new(FrameStream::new(&LIMITS));
        framer.push(&bytes);
        let frame = framer.next_item().unwrap().expect("it is within the limits");
        check_message(&frame);
        assert_eq!(Message::from_frame(&frame), Ok(message));
    }
    // More providers than fit a frame here are counted all the same.
    let announcement = Announcement { providers: many(65_535), ..simplest(values::announcement) };
    let message = Message::Announcement(announcement);
    let frame = message.to_frame().unwrap();
    assert!(frame.body.len() > LIMITS.frame as usize);
    assert_eq!(Message::from_frame(&frame), Ok(message));
}

#[test]
fn values_that_are_too_long_cannot_be_made() {
    assert!(GroupName::new("").is_none() && GroupName::new(vec![0; 33]).is_none());
    assert!(GroupName::new(vec![0; 1]).is_some() && GroupName::new(vec![0xff; 32]).is_some());
    assert!(StateValue::new("").is_some() && StateValue::new(vec![0; 256]).is_some());
    assert!(StateValue::new(vec![0; 257]).is_none() && StateValue::default().as_bytes().is_empty());
    assert!(ProviderMessage::new("").is_none() && ProviderMessage::new(vec![0; 2049]).is_none());
    assert!(ProviderMessage::new("m").is_some() && ProviderMessage::new(vec![0; 2048]).is_some());
}

/// What cannot be made cannot be read from elsewhere either.
#[test]
fn serde_keeps_the_rules() {
    let list = |size: usize| format!("{:?}", vec![1; size]);
    for (size, name, state, message) in
        [(0, false, true, false), (1, true, true, true), (32, true, true, true), (33, false, true, true)]
            .into_iter()
            .chain([(256, false, true, true), (257, false, false, true), (2048, false, false, true)])
            .chain([(2049, false, false, false)])
    {
        assert_eq!(serde_json::from_str::<GroupName>(&list(size)).is_ok(), name, "{size}");
        assert_eq!(serde_json::from_str::<StateValue>(&list(size)).is_ok(), state, "{size}");
        assert_eq!(serde_json::from_str::<ProviderMessage>(&list(size)).is_ok(), message, "{size}");
    }
}

/// A grant without a record, and the least of others: no field is hidden in another.
#[test]
fn the_least_of_each_has_the_size_of_the_table() {
    let grant = Grant { record: None, ..simplest(values::grant) };
    let phase = Phase { token: TOKEN, group: GroupId(1), sequence: Sequence(1), ..simplest(values::phase) };
    let (grant, phase) = (Message::Grant(Box::new(grant)), Message::Phase(phase));
    for message in [grant, phase] {
        let least = layout::of(message.kind()).unwrap().least();
        assert_eq!(message.body_len(), least, "{message:?}");
    }
}
