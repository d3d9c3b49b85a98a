//! What is said in trials, by number.

use crate::group::message::{Ballot, Open};
use crate::group::proposal::{Expulsion, Voting, Wish};
use crate::group::{Attributes, BatchControl, GroupName, Phases, ProtocolKind, ProviderId, ViewId, Vote};
use crate::group::{ProviderMessage, StateValue};
use crate::testing::Choices;
use bytes::Bytes;
use std::boxed::Box;
use std::vec::Vec;

pub(super) use crate::testing::must::{Must, broken};

/// So many groups are spoken of.
pub(super) const GROUPS: usize = 4;

pub(super) fn name(number: u8) -> GroupName {
    GroupName::new([b"a", b"b", b"c", b"d"][usize::from(number) % GROUPS].as_slice()).expect("it is good")
}

/// What the groups of a list are like: the second may have the first as its source, the third the second.
pub(super) fn attributes(choices: &mut Choices<'_>) -> Vec<Attributes> {
    let sources = choices.byte();
    (0..4_u8)
        .map(|number| {
            let mut attributes = Attributes::new(name(number));
            attributes.phases = *choices.pick(&[Phases::N, Phases::ONE]);
            attributes.reflection_phases = *choices.pick(&[Phases::ONE, Phases::N]);
            attributes.default_vote = *choices.pick(&[Vote::APPROVE, Vote::APPROVE, Vote::REJECT]);
            attributes.batch_control = BatchControl::from_bits_retain(choices.byte() % 4);
            attributes.time_limit = *choices.pick(&[0, 0, 1, 5]);
            attributes.reflection_time_limit = *choices.pick(&[0, 2]);
            let has_source = (1..=2).contains(&number) && sources >> number & 1 == 1;
            attributes.source_group = has_source.then(|| name(number - 1));
            attributes
        })
        .collect()
}

/// Mostly what the group is like, now and then something else, or something that makes no sense.
pub(super) fn changed(like: &Attributes, shape: u8) -> Attributes {
    let mut attributes = like.clone();
    match shape {
        0..=215 => {}
        216..=221 => attributes.client_version = u32::from(shape % 2),
        222..=227 => attributes.default_vote = Vote::REJECT,
        228..=233 => attributes.batch_control = BatchControl::JOINS,
        234..=238 => attributes.time_limit = 7,
        239..=243 => (attributes.reflection_phases, attributes.reflection_time_limit) = (Phases::N, 9),
        244..=247 => attributes.source_group = Some(name(shape)),
        248 => attributes.default_vote = Vote::CONTINUE,
        249 => attributes.phases = Phases(0),
        250 => attributes.reflection_phases = Phases(7),
        251 => attributes.merge_control.0 = 0,
        252 => attributes.batch_control = BatchControl::from_bits_retain(0x40),
        _ => attributes.source_group = Some(attributes.name.clone()),
    }
    attributes
}

pub(super) fn value(number: u8) -> StateValue {
    StateValue::new(std::vec![number; usize::from(number % 4)]).expect("it is short")
}

fn message(number: u8) -> ProviderMessage {
    ProviderMessage::new(std::vec![number; 1 + usize::from(number % 3)]).expect("it is short")
}

/// Mostly to approve, and nothing else.
pub(super) fn ballot(shape: u8) -> Ballot {
    let vote = match shape % 16 {
        0..=8 => Vote::APPROVE,
        9..=13 => Vote::CONTINUE,
        14 => Vote::REJECT,
        _ => [Vote::REJECT, Vote::APPROVE, Vote::CONTINUE, Vote(9)][usize::from(shape / 16 % 4)],
    };
    let default_vote = match shape / 16 {
        0..=9 => None,
        10 | 11 => Some(Vote::APPROVE),
        12 | 13 => Some(Vote::REJECT),
        14 => Some(Vote::CONTINUE),
        _ => None,
    };
    let state = (shape % 7 == 5).then(|| value(shape));
    let message = (shape % 5 == 4).then(|| message(shape));
    Ballot { vote, default_vote, state, message }
}

pub(super) fn voting(shape: u8) -> Voting {
    let phases = [Phases::N, Phases::N, Phases::ONE, Phases::N][usize::from(shape % 4)];
    let phases = if shape == 255 { Phases(3) } else { phases };
    Voting { phases, time_limit: [0, 0, 2, 1][usize::from(shape / 4 % 4)] }
}

/// What somebody may want who is in a group with these, and who is not alone in the world.
pub(super) fn wish(shape: u8, like: &Attributes, members: &[ProviderId], strangers: &[ProviderId]) -> Wish {
    let target = |number: u8| {
        let all: Vec<ProviderId> = members.iter().chain(strangers).copied().collect();
        let among = if number % 8 == 7 { all.len() } else { members.len() };
        all.get(usize::from(number) % among.max(1)).copied()
    };
    match shape % 16 {
        0..=4 => Wish::State(value(shape / 16)),
        5 | 6 => Wish::Message(message(shape / 16)),
        7 | 8 => Wish::Leave(u32::from(shape)),
        9 | 10 => Wish::Attributes(Box::new(changed(like, shape.wrapping_mul(41) | 0x80))),
        _ => {
            let count = shape / 16 % 4;
            let targets = (0..count.max(1)).filter_map(|at| target(shape / 16 + at)).collect();
            let flag = Bytes::from(std::vec![shape; usize::from(shape % 3)]);
            Wish::Expel(Expulsion { targets, deactivate_phase: u32::from(shape / 64 % 3), flag })
        }
    }
}

/// The digest of a membership: FNV-1a of 64 bits over the view and each member, big endian (spec/group.md 2.3).
pub(super) fn digest(view: ViewId, members: &[ProviderId]) -> u64 {
    let mut bytes = view.0.to_be_bytes().to_vec();
    for member in members {
        bytes.extend(member.node.to_be_bytes());
        bytes.extend(member.instance.to_be_bytes());
        bytes.extend(member.incarnation.to_be_bytes());
    }
    bytes
        .into_iter()
        .fold(14_695_981_039_346_656_037, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211))
}

/// Whether a vote is one at all.
pub(super) fn is_ballot(ballot: &Ballot) -> bool {
    let votes = [Vote::APPROVE, Vote::CONTINUE, Vote::REJECT];
    votes.contains(&ballot.vote) && [None, Some(Vote::APPROVE), Some(Vote::REJECT)].contains(&ballot.default_vote)
}

/// Those whose going does not depend on votes.
pub(super) fn is_certain(kind: ProtocolKind) -> bool {
    kind == ProtocolKind::FAILURE_LEAVE || kind == ProtocolKind::CAST_OUT
}

/// The protocol of a phase, and its number.
pub(super) fn place(open: &Open) -> (crate::group::ProtocolId, u32) {
    (open.protocol, open.phase)
}
