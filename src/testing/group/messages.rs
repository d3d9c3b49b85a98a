//! Generators of messages.

use super::values::{
    announcement_flags, attributes, ballot, dissolve_reason, domain_id, entry, epoch, error_code, group_id, group_name,
    group_record, leave, list, message_kind, open, optional, outcome, protocol_id, provider_id, request_id, sequence,
    snapshot, standing, state_value, subscription, token, view_id, voting, wish,
};
use crate::group::MessageKind;
use crate::group::message::{
    Accepted, Acknowledge, Announcement, Deactivated, DelayedError, Dissolved, Ended, Enter, Fenced, Grant, Join,
    Message, Notice, Phase, Ping, Plain, Proclaim, Propose, Query, Redirect, Reign, Replicate, Replicated, Report,
    Signal, Subscribe, View, Vote, Welcome,
};
use crate::testing::Choices;
use crate::testing::frame::{extensions, text};
use std::boxed::Box;

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident: $type:ident { $($field:ident: $generate:expr,)* };)+) => {$(
        $(#[$doc])*
        pub fn $name(choices: &mut Choices<'_>) -> $type {
            $type { $($field: $generate(choices),)* extensions: extensions(choices) }
        }
    )+};
}

messages! {
    /// A process enters.
    enter: Enter {
        node: Choices::edge_u32,
        incarnation: Choices::edge_u64,
        epoch: epoch,
        ping_interval_ms: Choices::edge_u32,
        pong_limit_ms: Choices::edge_u32,
        reports: Choices::edge_u32,
        credentials: |choices: &mut Choices<'_>| choices.bytes(500).into(),
    };
    /// A process wants to be a provider.
    join: Join {
        request: request_id,
        instance: |choices: &mut Choices<'_>| i16::from_be_bytes(choices.edge_u16().to_be_bytes()),
        attributes: attributes,
    };
    /// A process wants to be told.
    subscribe: Subscribe { request: request_id, group: group_name, subscription: subscription, };
    /// A message that says nothing but whose it is.
    signal: Signal { token: token, };
    /// A message that says nothing.
    plain: Plain {};
    /// A provider proposes something.
    propose: Propose {
        request: request_id,
        token: token,
        voting: voting,
        view: |choices: &mut Choices<'_>| optional(choices, view_id),
        wish: wish,
    };
    /// A provider votes.
    vote: Vote { token: token, protocol: protocol_id, phase: Choices::edge_u32, ballot: ballot, };
    /// A provider has deactivated itself, or could not.
    deactivated: Deactivated { token: token, protocol: protocol_id, successful: Choices::boolean, };
    /// Is it still there?
    ping: Ping { nonce: Choices::edge_u64, };
    /// Everything up to here has come.
    acknowledge: Acknowledge { token: token, sequence: sequence, };
    /// What a process knows of a group.
    report: Report {
        remaining: Choices::edge_u32,
        standing: |choices: &mut Choices<'_>| (!choices.one_in(4)).then(|| Box::new(standing(choices))),
    };
    /// A process is in the domain.
    welcome: Welcome { domain: domain_id, epoch: epoch, };
    /// A request is accepted.
    accepted: Accepted { request: request_id, token: token, group: group_id, };
    /// A request is not carried out.
    delayed_error: DelayedError {
        request: request_id,
        token: |choices: &mut Choices<'_>| optional(choices, token),
        kind: message_kind,
        code: error_code,
        text: text,
    };
    /// A phase begins.
    phase: Phase { token: token, group: group_id, sequence: sequence, open: open, };
    /// A protocol has ended, one way or the other.
    ended: Ended {
        token: token,
        group: group_id,
        outcome: outcome,
        snapshot: |choices: &mut Choices<'_>| optional(choices, snapshot).map(Box::new),
    };
    /// Something else.
    announcement: Announcement {
        token: token,
        group: group_id,
        sequence: sequence,
        flags: announcement_flags,
        providers: |choices: &mut Choices<'_>| list(choices, provider_id),
    };
    /// What has become of a group.
    notice: Notice {
        token: token,
        group: group_id,
        sequence: sequence,
        view: view_id,
        state: |choices: &mut Choices<'_>| optional(choices, state_value),
        members: |choices: &mut Choices<'_>| optional(choices, |choices| list(choices, provider_id)),
        joined: |choices: &mut Choices<'_>| list(choices, provider_id),
        left: |choices: &mut Choices<'_>| list(choices, leave),
    };
    /// A group, or the domain, is no more.
    dissolved: Dissolved {
        token: |choices: &mut Choices<'_>| optional(choices, token),
        reason: dissolve_reason,
    };
    /// Another coordinator leads.
    redirect: Redirect { epoch: epoch, address: text, };
    /// A group as it is.
    view: View {
        token: token,
        snapshot: |choices: &mut Choices<'_>| Box::new(snapshot(choices)),
        open: |choices: &mut Choices<'_>| optional(choices, open),
    };
    /// An outcome to be kept.
    replicate: Replicate { epoch: epoch, entry: entry, };
    /// It is kept.
    replicated: Replicated { epoch: epoch, index: Choices::edge_u64, beat: Choices::edge_u64, };
    /// A coordinator wants to reign.
    query: Query { epoch: epoch, };
    /// It may.
    grant: Grant {
        epoch: epoch,
        remaining: Choices::edge_u32,
        record: |choices: &mut Choices<'_>| optional(choices, group_record),
    };
    /// A coordinator reigns.
    reign: Reign { epoch: epoch, beat: Choices::edge_u64, address: text, };
    /// An epoch is over.
    fenced: Fenced { epoch: epoch, };
    /// A coordinator is there.
    proclaim: Proclaim {
        domain: domain_id,
        epoch: epoch,
        nodes: Choices::edge_u32,
        lowest_node: Choices::edge_u32,
    };
}

/// A message of tomorrow.
pub fn unknown(choices: &mut Choices<'_>) -> Message {
    let kind = MessageKind(choices.byte());
    let kind = if kind.name().is_some() { MessageKind(kind.0 ^ 0x20) } else { kind };
    Message::Unknown { kind, body: choices.bytes(300).into() }
}

/// Any message that the wire can carry.
pub fn message(choices: &mut Choices<'_>) -> Message {
    match choices.below(36) {
        0 => Message::Quit(plain(choices)),
        1 => Message::Enter(Box::new(enter(choices))),
        2 => Message::Join(Box::new(join(choices))),
        3 => Message::Subscribe(subscribe(choices)),
        4 => Message::Unsubscribe(signal(choices)),
        5 => Message::Goodbye(signal(choices)),
        6 => Message::Resynchronise(signal(choices)),
        7 | 8 => Message::Propose(Box::new(propose(choices))),
        9 | 10 => Message::Vote(vote(choices)),
        11 => Message::Deactivated(deactivated(choices)),
        12 => Message::Pong(ping(choices)),
        13 => Message::Acknowledge(acknowledge(choices)),
        14 => Message::Report(report(choices)),
        15 => Message::Welcome(welcome(choices)),
        16 => Message::Accepted(accepted(choices)),
        17 => Message::DelayedError(delayed_error(choices)),
        18 | 19 => Message::Phase(phase(choices)),
        20 => Message::Approved(Box::new(ended(choices))),
        21 => Message::Rejected(Box::new(ended(choices))),
        22 => Message::Announcement(announcement(choices)),
        23 => Message::Notice(notice(choices)),
        24 => Message::Ping(ping(choices)),
        25 => Message::Dissolved(dissolved(choices)),
        26 => Message::Redirect(redirect(choices)),
        27 => Message::View(view(choices)),
        28 => Message::Replicate(Box::new(replicate(choices))),
        29 => Message::Replicated(replicated(choices)),
        30 => Message::Query(query(choices)),
        31 => Message::Grant(Box::new(grant(choices))),
        32 => Message::Reign(reign(choices)),
        33 => Message::Fenced(fenced(choices)),
        34 => Message::Proclaim(proclaim(choices)),
        _ => unknown(choices),
    }
}
