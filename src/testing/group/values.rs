//! Generators of what is in messages.

use crate::group::message::{Ballot, Entry, GroupRecord, Open, Outcome, Past, Snapshot, Standing};
use crate::group::proposal::{Expulsion, Leave, Proposal, Voting, Wish};
use crate::group::{
    Announcement, Attributes, BatchControl, CoordinatorId, DissolveReason, DomainId, Epoch, ErrorCode, GroupId,
    GroupName, LeaveReason, MergeControl, MessageKind, Phases, ProtocolId, ProtocolKind, ProviderId, ProviderMessage,
    RequestId, Sequence, StateValue, Subscription, Summary, Token, ViewId, Vote,
};
use crate::testing::Choices;
use std::boxed::Box;
use std::vec::Vec;

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident: $type:ident($edge:ident);)+) => {$(
        $(#[$doc])*
        pub fn $name(choices: &mut Choices<'_>) -> $type {
            // One of a few, so that two are now and then the same; or any.
            let small = choices.byte();
            $type(if small < 128 { (small % 4).into() } else { choices.$edge() })
        }
    )+};
}

numbers! {
    /// The id of a domain.
    domain_id: DomainId(edge_u64);
    /// A reign, or none.
    epoch: Epoch(edge_u64);
    /// The id of a coordinator.
    coordinator_id: CoordinatorId(edge_u16);
    /// The id of a group.
    group_id: GroupId(edge_u64);
    /// The id of a protocol.
    protocol_id: ProtocolId(edge_u64);
    /// The number of a request.
    request_id: RequestId(edge_u32);
    /// How many things a group has been told.
    sequence: Sequence(edge_u64);
    /// The number of a membership.
    view_id: ViewId(edge_u64);
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident: $type:ident from $first:literal to $last:literal, else $edge:ident;)+) => {$(
        $(#[$doc])*
        pub fn $name(choices: &mut Choices<'_>) -> $type {
            let known = $first + choices.below($last - $first + 1) as u16;
            $type(if choices.one_in(8) { choices.$edge() } else { known.try_into().expect("it is small") })
        }
    )+};
}

codes! {
    /// What a protocol is about, known or not.
    protocol_kind: ProtocolKind from 1 to 9, else byte;
    /// How many phases, known or not.
    phases: Phases from 1 to 2, else byte;
    /// A vote, known or not.
    vote_value: Vote from 1 to 3, else byte;
    /// What becomes of a group when domains meet, known or not.
    merge_control: MergeControl from 1 to 1, else byte;
    /// Why a request is not carried out, known or not.
    error_code: ErrorCode from 1 to 21, else edge_u16;
    /// Why a provider goes, known or not.
    leave_reason: LeaveReason from 1 to 6, else byte;
    /// Why something was dissolved, known or not.
    dissolve_reason: DissolveReason from 1 to 5, else byte;
    /// The kind of a message, known or not.
    message_kind: MessageKind from 1 to 9, else byte;
}

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident: $type:ident of $bits:literal, else $edge:ident;)+) => {$(
        $(#[$doc])*
        pub fn $name(choices: &mut Choices<'_>) -> $type {
            let bits = choices.$edge();
            $type::from_bits_retain(if choices.one_in(4) { bits } else { bits % (1 << $bits) })
        }
    )+};
}

flags! {
    /// What is batched, known or not.
    batch_control: BatchControl of 3, else byte;
    /// How a protocol has come to where it is, known or not.
    summary: Summary of 7, else edge_u16;
    /// What is announced, known or not.
    announcement_flags: Announcement of 7, else edge_u16;
    /// What a subscriber wants to know, known or not.
    subscription: Subscription of 4, else byte;
}

/// A token.
pub fn token(choices: &mut Choices<'_>) -> Token {
    let small = choices.byte();
    if small < 160 {
        return Token { index: (small % 8).into(), generation: (small / 8 % 4).into() };
    }
    Token { index: choices.edge_u32(), generation: choices.edge_u32() }
}

/// A provider.
pub fn provider_id(choices: &mut Choices<'_>) -> ProviderId {
    let small = choices.byte();
    if small < 160 {
        return ProviderId { node: (small % 4).into(), instance: (small / 4 % 2).into(), incarnation: 1 };
    }
    let instance = i16::from_be_bytes(choices.edge_u16().to_be_bytes());
    ProviderId { node: choices.edge_u32(), instance, incarnation: choices.edge_u64() }
}

/// A name, now and then as long as one can be.
pub fn group_name(choices: &mut Choices<'_>) -> GroupName {
    let name = match choices.below(8) {
        7 => Vec::from([choices.byte(); GroupName::MAX]),
        6 => {
            let mut any = choices.bytes(GroupName::MAX);
            any.resize(any.len().max(1), 0);
            any
        }
        _ => choices.pick(&[&b"g"[..], b"web", b"cssMembership", b"theSourceGroup"]).to_vec(),
    };
    GroupName::new(name).expect("it has 1 to 32 bytes")
}

/// A state value, now and then none or as long as one can be.
pub fn state_value(choices: &mut Choices<'_>) -> StateValue {
    StateValue::new(choices.bytes(StateValue::MAX)).expect("it is short")
}

/// A message of a provider, now and then as long as one can be.
pub fn provider_message(choices: &mut Choices<'_>) -> ProviderMessage {
    let mut bytes = choices.bytes(ProviderMessage::MAX);
    bytes.resize(bytes.len().max(1), b'm');
    ProviderMessage::new(bytes).expect("it is short, and not empty")
}

/// Mostly few.
pub(super) fn list<T>(choices: &mut Choices<'_>, generate: impl Fn(&mut Choices<'_>) -> T) -> Vec<T> {
    let count = if choices.one_in(128) { 300 } else { choices.below(4) };
    (0..count).map(|_| generate(choices)).collect()
}

/// Now and then.
pub(super) fn optional<T>(choices: &mut Choices<'_>, generate: impl Fn(&mut Choices<'_>) -> T) -> Option<T> {
    choices.boolean().then(|| generate(choices))
}

/// Any attributes, whether they make sense or not.
pub fn attributes(choices: &mut Choices<'_>) -> Attributes {
    Attributes {
        client_version: choices.edge_u32(),
        name: group_name(choices),
        batch_control: batch_control(choices),
        phases: phases(choices),
        reflection_phases: phases(choices),
        default_vote: vote_value(choices),
        merge_control: merge_control(choices),
        time_limit: choices.edge_u16(),
        reflection_time_limit: choices.edge_u16(),
        source_group: optional(choices, group_name),
    }
}

/// Attributes that make sense: [`Attributes::check`] finds nothing.
pub fn sound_attributes(choices: &mut Choices<'_>) -> Attributes {
    let mut attributes = attributes(choices);
    attributes.batch_control &= BatchControl::JOINS | BatchControl::LEAVES | BatchControl::DEACTIVATE_ON_FAILURE;
    for phases in [&mut attributes.phases, &mut attributes.reflection_phases] {
        *phases = *choices.pick(&[Phases::ONE, Phases::N]);
    }
    attributes.default_vote = *choices.pick(&[Vote::APPROVE, Vote::REJECT]);
    attributes.merge_control = MergeControl::DISSOLVE;
    attributes.source_group = attributes.source_group.filter(|source| *source != attributes.name);
    attributes
}

/// Why a provider goes.
pub fn leave(choices: &mut Choices<'_>) -> Leave {
    Leave { provider: provider_id(choices), reason: leave_reason(choices), code: choices.edge_u32() }
}

/// Who is to be expelled.
pub fn expulsion(choices: &mut Choices<'_>) -> Expulsion {
    let (targets, deactivate_phase) = (list(choices, provider_id), choices.edge_u32());
    Expulsion { targets, deactivate_phase, flag: choices.bytes(300).into() }
}

/// What a protocol is about; often nothing but a provider that joins.
pub fn proposal(choices: &mut Choices<'_>) -> Proposal {
    if choices.one_in(3) {
        return Proposal { joining: Vec::from([provider_id(choices)]), ..Proposal::default() };
    }
    Proposal {
        proposer: optional(choices, provider_id),
        joining: list(choices, provider_id),
        leaving: list(choices, leave),
        expulsion: optional(choices, expulsion),
        state: optional(choices, state_value),
        source_state: optional(choices, state_value),
        message: optional(choices, provider_message),
        attributes: optional(choices, attributes).map(Box::new),
    }
}

/// How a proposal is to be voted on.
pub fn voting(choices: &mut Choices<'_>) -> Voting {
    Voting { phases: phases(choices), time_limit: choices.edge_u16() }
}

/// What a provider proposes.
pub fn wish(choices: &mut Choices<'_>) -> Wish {
    match choices.below(5) {
        0 => Wish::Leave(choices.edge_u32()),
        1 => Wish::Expel(expulsion(choices)),
        2 => Wish::State(state_value(choices)),
        3 => Wish::Message(provider_message(choices)),
        _ => Wish::Attributes(Box::new(attributes(choices))),
    }
}

/// A vote, with what may be proposed with it.
pub fn ballot(choices: &mut Choices<'_>) -> Ballot {
    Ballot {
        vote: vote_value(choices),
        default_vote: optional(choices, vote_value),
        state: optional(choices, state_value),
        message: optional(choices, provider_message),
    }
}

/// A protocol that runs.
pub fn open(choices: &mut Choices<'_>) -> Open {
    Open {
        protocol: protocol_id(choices),
        kind: protocol_kind(choices),
        phase: choices.edge_u32(),
        time_limit: choices.edge_u16(),
        default_vote: vote_value(choices),
        summary: summary(choices),
        proposal: Box::new(proposal(choices)),
        vote: optional(choices, ballot),
    }
}

/// How a protocol has ended.
pub fn outcome(choices: &mut Choices<'_>) -> Outcome {
    Outcome {
        sequence: sequence(choices),
        protocol: protocol_id(choices),
        kind: protocol_kind(choices),
        phases: choices.edge_u32(),
        summary: summary(choices),
        view: view_id(choices),
        digest: choices.edge_u64(),
        proposal: Box::new(proposal(choices)),
    }
}

/// A protocol that has ended.
pub fn past(choices: &mut Choices<'_>) -> Past {
    Past { approved: choices.boolean(), ended: outcome(choices) }
}

/// A group.
pub fn snapshot(choices: &mut Choices<'_>) -> Snapshot {
    Snapshot {
        group: group_id(choices),
        sequence: sequence(choices),
        view: view_id(choices),
        attributes: attributes(choices),
        state: state_value(choices),
        members: list(choices, provider_id),
        last: protocol_id(choices),
    }
}

/// What a process knows of a group.
pub fn standing(choices: &mut Choices<'_>) -> Standing {
    Standing {
        token: token(choices),
        provider: optional(choices, provider_id),
        subscription: subscription(choices),
        snapshot: snapshot(choices),
        recent: (0..choices.below(3)).map(|_| past(choices)).collect(),
        open: optional(choices, open),
    }
}

/// An outcome, and the group after it.
pub fn entry(choices: &mut Choices<'_>) -> Entry {
    Entry { index: choices.edge_u64(), past: past(choices), snapshot: snapshot(choices) }
}

/// What is kept of a group.
pub fn group_record(choices: &mut Choices<'_>) -> GroupRecord {
    GroupRecord { snapshot: snapshot(choices), recent: (0..choices.below(3)).map(|_| past(choices)).collect() }
}
