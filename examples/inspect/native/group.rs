//! What is shown of each message of the group protocol. Credentials never are, but for their size; of what is the
//! application's, the size and the beginning.

use super::fields::with_extensions;
use crate::record::Fields;
use handover::frame::Extensions;
use handover::group::message::{Ballot, Message, Open, Outcome, Past, Snapshot, Standing};
use handover::group::proposal::{Expulsion, Leave, Proposal, Wish};
use handover::group::{
    Announcement, Attributes, BatchControl, GroupName, ProviderId, ProviderMessage, StateValue, Subscription, Summary,
    Token,
};
use serde_json::{Value, json};

pub(super) fn group(message: &Message) -> Fields {
    let (fields, extensions) = match message {
        Message::Unknown { body, .. } => return Fields::default().with_opaque("body_length", "body", body),
        Message::Replicate(_)
        | Message::Replicated(_)
        | Message::Query(_)
        | Message::Grant(_)
        | Message::Reign(_)
        | Message::Fenced(_)
        | Message::Proclaim(_) => of_standby(message),
        Message::Welcome(_)
        | Message::Accepted(_)
        | Message::DelayedError(_)
        | Message::Phase(_)
        | Message::Approved(_)
        | Message::Rejected(_)
        | Message::Announcement(_)
        | Message::Notice(_)
        | Message::Ping(_)
        | Message::Dissolved(_)
        | Message::Redirect(_)
        | Message::View(_) => of_coordinator(message),
        _ => of_process(message),
    };
    match extensions {
        Some(extensions) => with_extensions(fields, extensions),
        None => fields,
    }
}

/// Fields, and what is behind them.
type Shown<'a> = (Fields, Option<&'a Extensions>);

fn of_process(message: &Message) -> Shown<'_> {
    let fields = Fields::default();
    let (fields, extensions) = match message {
        Message::Enter(enter) => (
            fields
                .with("node", enter.node)
                .with("incarnation", enter.incarnation)
                .with("epoch", enter.epoch.0)
                .with("ping_interval_ms", enter.ping_interval_ms)
                .with("pong_limit_ms", enter.pong_limit_ms)
                .with("reports", enter.reports)
                .with("credentials_length", enter.credentials.len()),
            &enter.extensions,
        ),
        Message::Join(join) => (
            fields
                .with("request", join.request.0)
                .with("instance", join.instance)
                .with("attributes", attributes(&join.attributes)),
            &join.extensions,
        ),
        Message::Subscribe(subscribe) => (
            fields
                .with("request", subscribe.request.0)
                .with("group", name(&subscribe.group))
                .with("subscription", subscription(subscribe.subscription)),
            &subscribe.extensions,
        ),
        Message::Unsubscribe(signal) | Message::Goodbye(signal) | Message::Resynchronise(signal) => {
            (fields.with("token", token(signal.token)), &signal.extensions)
        }
        Message::Propose(propose) => (
            fields
                .with("request", propose.request.0)
                .with("token", token(propose.token))
                .with("phases", code(propose.voting.phases.name(), propose.voting.phases.0))
                .with("time_limit", propose.voting.time_limit)
                .with("view", propose.view.map(|view| view.0))
                .with("wish", wish(&propose.wish)),
            &propose.extensions,
        ),
        Message::Vote(vote) => (
            fields
                .with("token", token(vote.token))
                .with("protocol", vote.protocol.0)
                .with("phase", vote.phase)
                .with("ballot", ballot(&vote.ballot)),
            &vote.extensions,
        ),
        Message::Deactivated(deactivated) => (
            fields
                .with("token", token(deactivated.token))
                .with("protocol", deactivated.protocol.0)
                .with("successful", deactivated.successful),
            &deactivated.extensions,
        ),
        Message::Quit(plain) => (fields, &plain.extensions),
        Message::Pong(ping) => (fields.with("nonce", ping.nonce), &ping.extensions),
        Message::Acknowledge(acknowledge) => (
            fields.with("token", token(acknowledge.token)).with("sequence", acknowledge.sequence.0),
            &acknowledge.extensions,
        ),
        Message::Report(report) => (
            fields.with("remaining", report.remaining).with("standing", report.standing.as_deref().map(standing)),
            &report.extensions,
        ),
        _ => return (fields, None),
    };
    (fields, Some(extensions))
}

fn of_coordinator(message: &Message) -> Shown<'_> {
    let fields = Fields::default();
    let (fields, extensions) = match message {
        Message::Welcome(welcome) => {
            (fields.with("domain", welcome.domain.0).with("epoch", welcome.epoch.0), &welcome.extensions)
        }
        Message::Accepted(accepted) => (
            fields
                .with("request", accepted.request.0)
                .with("token", token(accepted.token))
                .with("group", accepted.group.0),
            &accepted.extensions,
        ),
        Message::DelayedError(error) => (
            fields
                .with("request", error.request.0)
                .with("token", error.token.map(token))
                .with("kind", code(error.kind.name(), error.kind.0))
                .with("code", code(error.code.name(), error.code.0))
                .with("text", error.text.as_str()),
            &error.extensions,
        ),
        Message::Phase(phase) => (
            of_group(fields, phase.token, phase.group.0)
                .with("sequence", phase.sequence.0)
                .with("open", open(&phase.open)),
            &phase.extensions,
        ),
        Message::Approved(ended) | Message::Rejected(ended) => (
            of_group(fields, ended.token, ended.group.0)
                .with("outcome", outcome(&ended.outcome))
                .with("snapshot", ended.snapshot.as_deref().map(snapshot)),
            &ended.extensions,
        ),
        Message::Announcement(said) => (
            of_group(fields, said.token, said.group.0)
                .with("sequence", said.sequence.0)
                .with("flags", announcement(said.flags))
                .with("providers", providers(&said.providers)),
            &said.extensions,
        ),
        Message::Notice(notice) => (
            of_group(fields, notice.token, notice.group.0)
                .with("sequence", notice.sequence.0)
                .with("view", notice.view.0)
                .with("state", notice.state.as_ref().map(state))
                .with("members", notice.members.as_deref().map(providers))
                .with("joined", providers(&notice.joined))
                .with("left", notice.left.iter().map(leave).collect::<Vec<Value>>()),
            &notice.extensions,
        ),
        Message::Ping(ping) => (fields.with("nonce", ping.nonce), &ping.extensions),
        Message::Dissolved(dissolved) => (
            fields
                .with("token", dissolved.token.map(token))
                .with("reason", code(dissolved.reason.name(), dissolved.reason.0)),
            &dissolved.extensions,
        ),
        Message::Redirect(redirect) => {
            (fields.with("epoch", redirect.epoch.0).with("address", redirect.address.as_str()), &redirect.extensions)
        }
        Message::View(view) => (
            fields
                .with("token", token(view.token))
                .with("snapshot", snapshot(&view.snapshot))
                .with("open", view.open.as_ref().map(open)),
            &view.extensions,
        ),
        _ => return (fields, None),
    };
    (fields, Some(extensions))
}

fn of_standby(message: &Message) -> Shown<'_> {
    let fields = Fields::default();
    let (fields, extensions) = match message {
        Message::Replicate(replicate) => (
            fields
                .with("epoch", replicate.epoch.0)
                .with("index", replicate.entry.index)
                .with("past", past(&replicate.entry.past))
                .with("snapshot", snapshot(&replicate.entry.snapshot)),
            &replicate.extensions,
        ),
        Message::Replicated(replicated) => (
            fields.with("epoch", replicated.epoch.0).with("index", replicated.index).with("beat", replicated.beat),
            &replicated.extensions,
        ),
        Message::Query(query) => (fields.with("epoch", query.epoch.0), &query.extensions),
        Message::Grant(grant) => {
            let record = grant.record.as_ref().map(|record| {
                let recent: Vec<Value> = record.recent.iter().map(past).collect();
                json!({ "snapshot": snapshot(&record.snapshot), "recent": recent })
            });
            let fields = fields.with("epoch", grant.epoch.0).with("remaining", grant.remaining).with("record", record);
            (fields, &grant.extensions)
        }
        Message::Reign(reign) => (
            fields.with("epoch", reign.epoch.0).with("beat", reign.beat).with("address", reign.address.as_str()),
            &reign.extensions,
        ),
        Message::Fenced(fenced) => (fields.with("epoch", fenced.epoch.0), &fenced.extensions),
        Message::Proclaim(proclaim) => (
            fields
                .with("domain", proclaim.domain.0)
                .with("epoch", proclaim.epoch.0)
                .with("nodes", proclaim.nodes)
                .with("lowest_node", proclaim.lowest_node),
            &proclaim.extensions,
        ),
        _ => return (fields, None),
    };
    (fields, Some(extensions))
}

/// Who is told of which group.
fn of_group(fields: Fields, of: Token, group: u64) -> Fields {
    fields.with("token", token(of)).with("group", group)
}

fn standing(standing: &Standing) -> Value {
    json!({
        "token": token(standing.token),
        "provider": standing.provider.as_ref().map(provider),
        "subscription": subscription(standing.subscription),
        "snapshot": snapshot(&standing.snapshot),
        "recent": standing.recent.iter().map(past).collect::<Vec<Value>>(),
        "open": standing.open.as_ref().map(open),
    })
}

/// A number by its name, if it has one.
fn code(name: Option<&'static str>, number: impl ToString) -> String {
    name.map_or_else(|| number.to_string(), str::to_owned)
}

macro_rules! flags {
    ($($name:ident: $type:ident;)+) => {$(
        /// Each by its name, and what has none.
        fn $name(flags: $type) -> Vec<String> {
            let mut names = flags.iter_names();
            let mut list: Vec<String> = names.by_ref().map(|(name, _)| name.to_owned()).collect();
            let rest = names.remaining();
            if !rest.is_empty() {
                list.push(format!("{:#x}", rest.bits()));
            }
            list
        }
    )+};
}

flags! {
    batch_control: BatchControl;
    summary: Summary;
    announcement: Announcement;
    subscription: Subscription;
}

fn token(token: Token) -> Value {
    json!({ "index": token.index, "generation": token.generation })
}

fn provider(provider: &ProviderId) -> Value {
    json!({ "node": provider.node, "instance": provider.instance, "incarnation": provider.incarnation })
}

fn providers(list: &[ProviderId]) -> Vec<Value> {
    list.iter().map(provider).collect()
}

/// As a terminal can show it.
fn name(name: &GroupName) -> String {
    name.as_bytes().escape_ascii().to_string()
}

fn opaque(bytes: &[u8]) -> Value {
    json!(Fields::default().with_opaque("length", "bytes", bytes))
}

fn state(state: &StateValue) -> Value {
    opaque(state.as_bytes())
}

fn provider_message(message: &ProviderMessage) -> Value {
    opaque(message.as_bytes())
}

fn attributes(attributes: &Attributes) -> Value {
    let Attributes { phases, reflection_phases, default_vote, merge_control, .. } = attributes;
    json!({
        "client_version": attributes.client_version,
        "name": name(&attributes.name),
        "batch_control": batch_control(attributes.batch_control),
        "phases": code(phases.name(), phases.0),
        "reflection_phases": code(reflection_phases.name(), reflection_phases.0),
        "default_vote": code(default_vote.name(), default_vote.0),
        "merge_control": code(merge_control.name(), merge_control.0),
        "time_limit": attributes.time_limit,
        "reflection_time_limit": attributes.reflection_time_limit,
        "source_group": attributes.source_group.as_ref().map(name),
    })
}

fn leave(leave: &Leave) -> Value {
    let Leave { provider: who, reason, code: said } = leave;
    json!({ "provider": provider(who), "reason": code(reason.name(), reason.0), "code": said })
}

fn expulsion(expulsion: &Expulsion) -> Value {
    let Expulsion { targets, deactivate_phase, flag } = expulsion;
    json!({ "targets": providers(targets), "deactivate_phase": deactivate_phase, "flag": opaque(flag) })
}

fn proposal(proposal: &Proposal) -> Value {
    json!({
        "proposer": proposal.proposer.as_ref().map(provider),
        "joining": providers(&proposal.joining),
        "leaving": proposal.leaving.iter().map(leave).collect::<Vec<Value>>(),
        "expulsion": proposal.expulsion.as_ref().map(expulsion),
        "state": proposal.state.as_ref().map(state),
        "source_state": proposal.source_state.as_ref().map(state),
        "message": proposal.message.as_ref().map(provider_message),
        "attributes": proposal.attributes.as_deref().map(attributes),
    })
}

fn wish(wish: &Wish) -> Value {
    match wish {
        Wish::Leave(code) => json!({ "leave": code }),
        Wish::Expel(targets) => json!({ "expel": expulsion(targets) }),
        Wish::State(value) => json!({ "state": state(value) }),
        Wish::Message(message) => json!({ "message": provider_message(message) }),
        Wish::Attributes(all) => json!({ "attributes": attributes(all) }),
        _ => Value::Null,
    }
}

fn ballot(ballot: &Ballot) -> Value {
    json!({
        "vote": code(ballot.vote.name(), ballot.vote.0),
        "default_vote": ballot.default_vote.map(|vote| code(vote.name(), vote.0)),
        "state": ballot.state.as_ref().map(state),
        "message": ballot.message.as_ref().map(provider_message),
    })
}

fn open(open: &Open) -> Value {
    json!({
        "protocol": open.protocol.0,
        "kind": code(open.kind.name(), open.kind.0),
        "phase": open.phase,
        "time_limit": open.time_limit,
        "default_vote": code(open.default_vote.name(), open.default_vote.0),
        "summary": summary(open.summary),
        "proposal": proposal(&open.proposal),
        "vote": open.vote.as_ref().map(ballot),
    })
}

fn outcome(outcome: &Outcome) -> Value {
    json!({
        "sequence": outcome.sequence.0,
        "protocol": outcome.protocol.0,
        "kind": code(outcome.kind.name(), outcome.kind.0),
        "phases": outcome.phases,
        "summary": summary(outcome.summary),
        "view": outcome.view.0,
        "digest": format!("{:016x}", outcome.digest),
        "proposal": proposal(&outcome.proposal),
    })
}

fn past(past: &Past) -> Value {
    json!({ "approved": past.approved, "ended": outcome(&past.ended) })
}

fn snapshot(snapshot: &Snapshot) -> Value {
    json!({
        "group": snapshot.group.0,
        "sequence": snapshot.sequence.0,
        "view": snapshot.view.0,
        "attributes": attributes(&snapshot.attributes),
        "state": state(&snapshot.state),
        "members": providers(&snapshot.members),
        "last": snapshot.last.0,
    })
}
