//! What a coordinator must do: for each group one line of all that waits, and one protocol (spec/group.md 5).

mod processes;
mod protocols;
mod requests;

use super::super::words::{self, broken};
use crate::frame::{Extensions, Text};
use crate::group::coordinator::{Config, Coordinator, Credentials, Durability, Event, Input, Output};
use crate::group::message::{
    Announcement, Ballot, DelayedError, Dissolved, Enter, Message, Ping, Proclaim, Query, Welcome,
};
use crate::group::proposal::{Leave, Proposal};
use crate::group::{Announcement as Flags, DissolveReason, ErrorCode, LeaveReason, ProtocolKind, Summary};
use crate::group::{
    Attributes, Epoch, GroupId, MessageKind, ProtocolId, ProviderId, RequestId, Sequence, StateValue, Subscription,
    Token, ViewId, Vote,
};
use crate::machine::{LinkId, Machine};
use crate::testing::trial::{Expected, Reference};
use crate::time::Instant;
use core::cmp::Reverse;
use core::time::Duration;
use std::boxed::Box;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::string::String;
use std::vec::Vec;

type Must = words::Must<Output, Event>;

/// A process with a link.
#[derive(Clone, Debug)]
struct Process {
    node: u32,
    incarnation: u64,
    epoch: Epoch,
    admitted: bool,
    entered: bool,
    /// It has tokens from before this reign, and has said all of them.
    has_before: bool,
    reported: bool,
    interval: Duration,
    patience: Duration,
    nonce: u64,
    silent: bool,
    /// When it is asked next whether it is there (false), or has not answered (true).
    due: Option<(Instant, bool)>,
}

#[derive(Clone, Copy, Debug)]
struct Holder {
    link: LinkId,
    group: GroupId,
    /// None: a subscriber.
    who: Option<ProviderId>,
}

/// One that joins.
#[derive(Clone, Debug)]
struct Joiner {
    who: ProviderId,
    token: Token,
    request: RequestId,
    attributes: Attributes,
    failed: Option<LeaveReason>,
}

/// What waits in a group.
#[derive(Clone, Debug)]
enum Waits {
    Failure(Leave),
    CastOut(Leave),
    Join(Joiner),
    Reflection(StateValue),
}

#[derive(Clone, Debug)]
struct Member {
    who: ProviderId,
    token: Token,
    failed: bool,
}

/// A protocol.
#[derive(Clone, Debug)]
struct Run {
    id: ProtocolId,
    kind: ProtocolKind,
    voted: bool,
    phase: u32,
    limit: u16,
    proposal: Proposal,
    joiners: Vec<Joiner>,
    /// The oldest provider first: its vote, and whether it has failed.
    votes: Vec<(ProviderId, Option<Ballot>, bool)>,
    default: Vote,
    summary: Summary,
    due: Option<Instant>,
    late: BTreeSet<ProviderId>,
    deactivate: BTreeSet<ProviderId>,
    /// How it has ended, while that is being kept.
    verdict: Option<bool>,
}

#[derive(Clone, Debug)]
struct Group {
    attributes: Attributes,
    value: StateValue,
    members: Vec<Member>,
    view: ViewId,
    told: Sequence,
    begun: ProtocolId,
    ended: ProtocolId,
    line: Vec<Waits>,
    run: Option<Run>,
    subscribers: Vec<(Token, Subscription)>,
    /// What is announced after the end that is being kept.
    later: Vec<(Flags, Vec<ProviderId>)>,
}

/// The reference model of a [`Coordinator`].
#[derive(Clone, Debug)]
pub struct CoordinatorModel {
    config: Config,
    now: Instant,
    /// Until when the reign before this one is asked after.
    recovers: Option<Instant>,
    over: bool,
    processes: BTreeMap<LinkId, Process>,
    shut: BTreeSet<LinkId>,
    dead: BTreeSet<(u32, u64)>,
    /// Generations and holders.
    slots: Vec<(u32, Option<Holder>)>,
    groups: BTreeMap<GroupId, Group>,
    last_group: u64,
    keeping: VecDeque<(u64, GroupId)>,
    decided: u64,
    /// What subscribers of before have said, in order.
    reports: Vec<(LinkId, GroupId, Token)>,
}

const fn none() -> Extensions {
    Extensions::NONE
}

/// What was passed over is passed over, whatever it is called.
fn plain(output: &Output) -> Output {
    match output {
        Output::Event(Event::Ignored { link, .. }) => Output::Event(Event::Ignored { link: *link, what: "" }),
        other => other.clone(),
    }
}

/// 6.2: what numbers of a reign begin at: 24 bits of which it is, 8 bits of whose, 32 bits of zeros.
fn first_number(epoch: Epoch) -> u64 {
    let count = (epoch.0 >> 16).saturating_sub(1).min(0xff_ffff);
    count << 40 | (epoch.0 & 0xff) << 32
}

impl CoordinatorModel {
    /// The model of a coordinator with these settings, that takes over if there is a grace time.
    #[must_use]
    pub fn new(config: Config, grace: Option<Duration>) -> Self {
        let last_group = first_number(config.epoch);
        Self {
            config,
            now: Instant::ZERO,
            recovers: grace.map(|grace| Instant::ZERO.saturating_add(grace)),
            over: false,
            processes: BTreeMap::new(),
            shut: BTreeSet::new(),
            dead: BTreeSet::new(),
            slots: Vec::new(),
            groups: BTreeMap::new(),
            last_group,
            keeping: VecDeque::new(),
            decided: 0,
            reports: Vec::new(),
        }
    }

    fn send(&self, link: LinkId, message: Message, must: &mut Must) {
        must.wire.push(Output::Send { link, message });
    }

    fn dissolved(&self, link: LinkId, token: Option<Token>, reason: DissolveReason, must: &mut Must) {
        self.send(link, Message::Dissolved(Dissolved { token, reason, extensions: none() }), must);
    }

    fn ignored(&self, link: LinkId, must: &mut Must) {
        must.events.push(Event::Ignored { link, what: "" });
    }

    fn close(&mut self, link: LinkId, must: &mut Must) {
        self.shut.insert(link);
        must.wire.push(Output::Close(link));
    }

    /// 5.2: numbers are those of files.
    fn take_token(&mut self, holder: Holder) -> Option<Token> {
        let free = self.slots.iter().position(|(_, holder)| holder.is_none());
        let at = match free {
            Some(at) => at,
            None if self.slots.len() < self.config.limits.tokens => {
                self.slots.push((0, None));
                self.slots.len() - 1
            }
            None => return None,
        };
        self.slots[at].1 = Some(holder);
        Some(Token { index: u32::try_from(at).unwrap_or(0), generation: self.slots[at].0 })
    }

    fn holder(&self, token: Token) -> Option<Holder> {
        let (generation, holder) = self.slots.get(usize::try_from(token.index).ok()?)?;
        holder.filter(|_| *generation == token.generation)
    }

    fn free_token(&mut self, token: Token) {
        if self.holder(token).is_some() {
            self.slots[token.index as usize] = (token.generation.wrapping_add(1), None);
        }
    }

    fn link_of(&self, token: Token) -> Option<LinkId> {
        self.holder(token).map(|holder| holder.link)
    }

    fn named(&self, name: &crate::group::GroupName) -> Option<GroupId> {
        self.groups.iter().find(|(_, group)| group.attributes.name == *name).map(|(id, _)| *id)
    }

    fn refused(
        &self,
        link: LinkId,
        (request, token, kind): (RequestId, Option<Token>, MessageKind),
        code: ErrorCode,
        must: &mut Must,
    ) {
        let error = DelayedError { request, token, kind, code, text: Text::EMPTY, extensions: none() };
        self.send(link, Message::DelayedError(error), must);
    }

    /// Whether a message may come on this link now.
    fn may(&self, link: LinkId, message: &Message) -> bool {
        let process = self.processes.get(&link);
        match (message, process) {
            _ if self.shut.contains(&link) => true,
            (Message::Enter(_), process) => process.is_none(),
            (_, None) => false,
            (Message::Report(report), Some(process)) => {
                let room = report.standing.is_none() || self.reports.len() < self.config.limits.tokens;
                !process.entered && process.admitted && !process.reported && room
            }
            (_, Some(process)) if !process.entered => false,
            (message, Some(_)) => matches!(
                message,
                Message::Join(_)
                    | Message::Subscribe(_)
                    | Message::Unsubscribe(_)
                    | Message::Propose(_)
                    | Message::Vote(_)
                    | Message::Deactivated(_)
                    | Message::Goodbye(_)
                    | Message::Quit(_)
                    | Message::Pong(_)
                    | Message::Acknowledge(_)
                    | Message::Unknown { .. }
                    | Message::Resynchronise(_)
            ),
        }
    }

    fn input(&mut self, now: Instant, input: &Input) -> Must {
        let mut must = Must::default();
        let now = self.now.max(now);
        if *input == Input::Timeout && self.due().is_none_or(|(at, ..)| now < at) {
            return must;
        }
        self.now = now;
        match input {
            Input::Message { link, message } if !self.may(*link, message) => {
                self.close(*link, &mut must);
                self.gone(*link, LeaveReason::PROVIDER_FAILURE, &mut must);
            }
            Input::Message { link, .. } if self.shut.contains(link) => self.ignored(*link, &mut must),
            Input::Message { link, message } => self.message(*link, message, &mut must),
            Input::Admit { link, allowed } => self.admit(*link, *allowed, &mut must),
            Input::Closed(link) => {
                self.shut.remove(link);
                self.gone(*link, LeaveReason::PROVIDER_FAILURE, &mut must);
            }
            Input::Persisted(index) => {
                while self.keeping.front().is_some_and(|(first, _)| first <= index) {
                    let Some((_, id)) = self.keeping.pop_front() else { break };
                    self.tell_end(id, &mut must);
                }
            }
            Input::Recovered => self.recovered(&mut must),
            Input::Proclaimed(other) => self.met(other, &mut must),
            Input::NodeDown(node) => {
                let on: Vec<LinkId> =
                    self.processes.iter().filter(|(_, one)| one.node == *node).map(|(link, _)| *link).collect();
                for link in on {
                    self.dissolved(link, None, DissolveReason::FENCED, &mut must);
                    self.close(link, &mut must);
                    self.gone(link, LeaveReason::HOST_FAILURE, &mut must);
                }
            }
            Input::End(reason) => self.end(*reason, &mut must),
            Input::Timeout => self.time(&mut must),
        }
        self.begin_what_waits(&mut must);
        must
    }
}

impl Process {
    fn asks_next(&mut self, now: Instant) {
        self.due = (!self.interval.is_zero()).then(|| (now.saturating_add(self.interval), false));
    }
}

impl Group {
    /// Those that are told: who is there, and who is voted in.
    fn hearers(&self) -> Vec<Token> {
        let joiners = self.run.iter().flat_map(|run| &run.joiners).map(|joiner| joiner.token);
        self.members.iter().map(|member| member.token).chain(joiners).collect()
    }

    fn hears(&self, who: ProviderId) -> bool {
        let mut joiners = self.run.iter().flat_map(|run| &run.joiners);
        self.members.iter().any(|member| member.who == who) || joiners.any(|joiner| joiner.who == who)
    }

    fn there(&self) -> Vec<ProviderId> {
        self.members.iter().filter(|member| !member.failed).map(|member| member.who).collect()
    }

    fn who(&self) -> Vec<ProviderId> {
        self.members.iter().map(|member| member.who).collect()
    }
}

impl Reference<Coordinator, Input> for CoordinatorModel {
    fn expect(&self, input: &Input) -> Option<Expected> {
        let misuse = match input {
            Input::Timeout => false,
            _ if self.over => true,
            Input::Admit { link, .. } => self.processes.get(link).is_none_or(|process| process.admitted),
            Input::Persisted(index) => self.keeping.back().is_none_or(|(last, _)| last < index),
            Input::Recovered => self.recovers.is_none(),
            _ => false,
        };
        Some(match input {
            _ if misuse => Expected::Misuse,
            Input::Message { link, message } if !self.may(*link, message) => Expected::Violation,
            _ => Expected::Fine,
        })
    }

    fn follow(&mut self, now: Instant, input: &Input, outputs: &[Output], machine: &Coordinator) -> Result<(), String> {
        let must = self.input(now, input);
        let outputs: Vec<Output> = outputs.iter().map(plain).collect();
        let event = |output: &Output| match output {
            Output::Event(event) => Some(event.clone()),
            _ => None,
        };
        let wire: Vec<Output> = outputs.iter().filter(|output| event(output).is_none()).cloned().collect();
        let events: Vec<Event> = outputs.iter().filter_map(event).collect();
        if wire != must.wire {
            let at = (0..).find(|&at| wire.get(at) != must.wire.get(at)).unwrap_or(0);
            let (got, right) = (wire.get(at), must.wire.get(at));
            return broken("5: who is told what", format_args!("{got:?}, not {right:?}"));
        }
        if events != must.events {
            return broken("5: what has become of groups", format_args!("{events:?}, not {:?}", must.events));
        }
        let due = self.due().map(|(at, ..)| at);
        if machine.poll_timeout() != due {
            return broken("G-L1: deadlines", format_args!("{:?}, not {due:?}", machine.poll_timeout()));
        }
        for group in self.groups.values() {
            let name = &group.attributes.name;
            if machine.members(name) != Some(group.who()) {
                return broken("G-S8: members", format_args!("{:?} of {name:?}", machine.members(name)));
            }
            let awaited: Vec<ProviderId> = group.run.iter().flat_map(Run::awaited).collect();
            if machine.blocked_on(name) != awaited {
                return broken("G-L7: whose votes are awaited", format_args!("{:?}", machine.blocked_on(name)));
            }
        }
        if machine.groups() != self.groups.len() {
            return broken("5.6: groups", format_args!("{}, not {}", machine.groups(), self.groups.len()));
        }
        Ok(())
    }

    fn at_rest(&self, machine: &Coordinator) -> Result<(), String> {
        if !self.over || machine.groups() > 0 {
            return broken("5: the end", format_args!("{} groups are left", machine.groups()));
        }
        Ok(())
    }
}

/// Nobody may be told of an outcome before it is kept.
fn is_kept_first(config: &Config) -> bool {
    config.durability != Durability::Survivors
}

/// A message in a box, or not at all.
fn boxed<T>(value: T) -> Box<T> {
    Box::new(value)
}
