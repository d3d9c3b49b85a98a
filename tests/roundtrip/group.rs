//! Messages of the group protocol on any value that the API can build, and on any bytes (spec/group.md 8: G-S13).

use crate::native::{LIMITS, is_carried, must_be_understood, often_accepted_and_often_not, refuses};
use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use handover::frame::{Extensions, Native, Text};
use handover::group::message::{
    Announcement, Enter, Grant, Join, Message, Open, Phase, Propose, Reign, Report, Snapshot, Standing, Vote,
};
use handover::group::proposal::{Expulsion, Voting, Wish};
use handover::group::{
    AttributeError, Attributes, BatchControl, Epoch, GroupId, GroupName, MergeControl, MessageKind, Phases, ProviderId,
    ProviderMessage, RequestId, Sequence, StateValue, Token, Vote as VoteValue,
};
use handover::testing::frame::strategies::critical_extensions;
use handover::testing::group::{self as values, check_message, layout, run_messages, run_roundtrip, strategies};
use handover::testing::{Choices, Rng};
use proptest::prelude::*;
use std::collections::BTreeSet;

const TOKEN: Token = Token { index: 3, generation: 1 };

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

crate::native::message_tests! {
    Message,
    messages: run_messages,
    roundtrip: run_roundtrip,
    seed: 34,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn extensions_that_must_be_understood(report in strategies::report(), extensions in critical_extensions()) {
        let message = Message::Report(Report { extensions: extensions.clone(), ..report });
        must_be_understood(&message, &extensions);
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
    fn messages_are_arbitrary(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let message = Message::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
        prop_assert_eq!(&message, &values::message(&mut Choices::new(&bytes)));
        check_message(&message.to_frame().unwrap());
    }
}

/// The properties above mean something only if much of what they try is accepted, and much is not.
#[test]
fn odd_layouts_are_often_accepted_and_often_not() {
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
    often_accepted_and_often_not::<Message>(24_000, 600, &expected);
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
    largest.iter().for_each(is_carried);
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
