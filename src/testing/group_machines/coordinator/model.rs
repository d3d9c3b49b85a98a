//! What a coordinator must do: for each group one line of all that waits, and one protocol (spec/group.md 5).

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

impl CoordinatorModel {
    /// The model of a coordinator with these settings, that takes over if there is a grace time.
    #[must_use]
    pub fn new(config: Config, grace: Option<Duration>) -> Self {
        let last_group = (config.epoch.0 >> 16).saturating_sub(1) << 32;
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

    /// 5.2: a process comes.
    fn enter(&mut self, link: LinkId, enter: &Enter, must: &mut Must) {
        let who = (enter.node, enter.incarnation);
        let there = self.processes.values().any(|other| (other.node, other.incarnation) == who);
        let many = enter.reports as usize > self.config.limits.tokens;
        let full = self.processes.len() >= self.config.limits.processes || many;
        if full || there || self.dead.contains(&who) {
            let reason = if full { DissolveReason::STOPPED } else { DissolveReason::FENCED };
            self.dissolved(link, None, reason, must);
            return self.close(link, must);
        }
        let millis = |millis: u32| Duration::from_millis(u64::from(millis));
        let process = Process {
            node: enter.node,
            incarnation: enter.incarnation,
            epoch: enter.epoch,
            admitted: false,
            entered: false,
            has_before: enter.reports > 0,
            reported: enter.reports == 0,
            interval: millis(enter.ping_interval_ms),
            patience: millis(enter.pong_limit_ms).max(millis(1)),
            nonce: 0,
            silent: false,
            due: None,
        };
        self.processes.insert(link, process);
        let (node, incarnation, credentials) = (enter.node, enter.incarnation, Credentials(enter.credentials.clone()));
        must.events.push(Event::Entering { link, node, incarnation, credentials });
    }

    fn admit(&mut self, link: LinkId, allowed: bool, must: &mut Must) {
        let Some(process) = self.processes.get_mut(&link) else { return };
        process.admitted = allowed;
        let (epoch, has_before) = (process.epoch, process.has_before);
        let reason = match (allowed, self.recovers, has_before) {
            (false, ..) => DissolveReason::STOPPED,
            (true, ..) if epoch > self.config.epoch => return self.end(DissolveReason::FENCED, must),
            (true, Some(_), true) => {
                let epoch = self.config.epoch;
                return self.send(link, Message::Query(Query { epoch, extensions: none() }), must);
            }
            (true, Some(_), false) => return,
            (true, None, true) => DissolveReason::FENCED,
            (true, None, false) => return self.welcome(link, must),
        };
        self.processes.remove(&link);
        self.dissolved(link, None, reason, must);
        self.close(link, must);
    }

    fn welcome(&mut self, link: LinkId, must: &mut Must) {
        let (domain, epoch) = (self.config.domain, self.config.epoch);
        self.send(link, Message::Welcome(Welcome { domain, epoch, extensions: none() }), must);
        let now = self.now;
        if let Some(process) = self.processes.get_mut(&link) {
            process.entered = true;
            process.asks_next(now);
        }
    }

    /// 6.3: all that will come have come. Nobody who votes is among them: every group is over.
    fn recovered(&mut self, must: &mut Must) {
        self.recovers = None;
        let slow = |process: &Process| process.admitted && !process.reported;
        let (slow, ready): (Vec<LinkId>, Vec<LinkId>) = {
            let links = |which: &dyn Fn(&Process) -> bool| {
                self.processes.iter().filter(|(_, process)| which(process)).map(|(link, _)| *link).collect()
            };
            (links(&slow), links(&|process| process.admitted && process.reported))
        };
        for link in slow {
            self.processes.remove(&link);
            self.dissolved(link, None, DissolveReason::FENCED, must);
            self.close(link, must);
        }
        ready.iter().for_each(|link| self.welcome(*link, must));
        let mut reports = core::mem::take(&mut self.reports);
        reports.retain(|(link, ..)| ready.contains(link));
        let known = reports.iter().map(|(_, group, _)| group.0).max().unwrap_or(0);
        self.last_group = self.last_group.max(known);
        reports.sort_by_key(|(_, group, _)| Reverse(*group));
        for (link, _, token) in reports {
            self.dissolved(link, Some(token), DissolveReason::EMPTY, must);
        }
        must.events.push(Event::Recovered);
    }

    /// 5.2: a process is gone, and everything of its.
    fn gone(&mut self, link: LinkId, reason: LeaveReason, must: &mut Must) {
        let Some(process) = self.processes.remove(&link) else { return };
        if process.entered || reason == LeaveReason::HOST_FAILURE {
            self.dead.insert((process.node, process.incarnation));
        }
        self.reports.retain(|(other, ..)| *other != link);
        for index in 0..self.slots.len() {
            let (generation, holder) = self.slots[index];
            let Some(holder) = holder.filter(|holder| holder.link == link) else { continue };
            let token = Token { index: u32::try_from(index).unwrap_or(0), generation };
            self.free_token(token);
            match holder.who {
                Some(who) => self.failed(holder.group, who, reason, must),
                None => self.unsubscribed(holder.group, token),
            }
        }
    }

    fn unsubscribed(&mut self, group: GroupId, token: Token) {
        if let Some(group) = self.groups.get_mut(&group) {
            group.subscribers.retain(|(other, _)| *other != token);
        }
    }

    fn end(&mut self, reason: DissolveReason, must: &mut Must) {
        let links: Vec<LinkId> = self.processes.keys().copied().collect();
        for link in links {
            if reason != DissolveReason::FENCED {
                self.dissolved(link, None, reason, must);
            }
            self.close(link, must);
        }
        let mut names: Vec<_> = self.groups.values().map(|group| group.attributes.name.clone()).collect();
        names.sort();
        must.events.extend(names.into_iter().map(Event::Dissolved));
        must.events.push(Event::Ended(reason));
        self.over = true;
        self.processes.clear();
        self.groups.clear();
        self.keeping.clear();
        self.recovers = None;
    }

    /// 6.5: of two domains the larger one stays, of two reigns the later one.
    fn met(&mut self, other: &Proclaim, must: &mut Must) {
        if other.domain == self.config.domain {
            if other.epoch > self.config.epoch {
                self.end(DissolveReason::FENCED, must);
            }
            return;
        }
        let nodes: BTreeSet<u32> = self.processes.values().map(|process| process.node).collect();
        let (count, lowest) = (nodes.len() as u64, nodes.first().copied().unwrap_or(u32::MAX));
        let theirs = (u64::from(other.nodes), Reverse(other.lowest_node), Reverse(other.domain));
        if theirs > (count, Reverse(lowest), Reverse(self.config.domain)) {
            self.end(DissolveReason::MERGED, must);
        } else {
            must.events.push(Event::Outranks(other.domain));
        }
    }

    /// What is due first: groups by number, then processes by link, those to be asked before those that have not
    /// answered, and the end of the asking after.
    fn due(&self) -> Option<(Instant, u8, u64)> {
        self.all_due().into_iter().min()
    }

    fn all_due(&self) -> Vec<(Instant, u8, u64)> {
        let phases = self.groups.iter().filter_map(|(id, group)| Some((group.run.as_ref()?.due?, 0, id.0)));
        let pings = self.processes.iter().filter_map(|(link, process)| {
            let (at, answer) = process.due?;
            Some((at, if answer { 2 } else { 1 }, u64::from(link.0)))
        });
        let mut all: Vec<_> = phases.chain(pings).chain(self.recovers.map(|at| (at, 3, 0))).collect();
        all.sort_unstable();
        all
    }

    fn time(&mut self, must: &mut Must) {
        let now = self.now;
        for one in self.all_due().into_iter().filter(|(at, ..)| *at <= now) {
            // What was before it may have ended it.
            if !self.all_due().contains(&one) {
                continue;
            }
            let (_, what, which) = one;
            let link = LinkId(u32::try_from(which).unwrap_or(0));
            match what {
                0 => self.phase_is_over(GroupId(which), must),
                1 => {
                    let Some(process) = self.processes.get_mut(&link) else { return };
                    process.nonce += 1;
                    process.due = Some((now.saturating_add(process.patience), true));
                    let nonce = process.nonce;
                    self.send(link, Message::Ping(Ping { nonce, extensions: none() }), must);
                }
                2 => {
                    let Some(process) = self.processes.get_mut(&link) else { return };
                    process.asks_next(now);
                    if !core::mem::replace(&mut process.silent, true) {
                        self.announce_process(link, Flags::NO_RESPONSE, must);
                    }
                }
                _ => self.recovered(must),
            }
        }
    }

    fn pong(&mut self, link: LinkId, nonce: u64, must: &mut Must) {
        let now = self.now;
        let Some(process) = self.processes.get_mut(&link) else { return };
        if process.nonce != nonce {
            return self.ignored(link, must);
        }
        process.asks_next(now);
        if core::mem::replace(&mut process.silent, false) {
            self.announce_process(link, Flags::RESPONSE, must);
        }
    }

    /// Those that the others know of: who only waits to join is nobody yet.
    fn announce_process(&mut self, link: LinkId, flags: Flags, must: &mut Must) {
        let places: Vec<Holder> =
            self.slots.iter().filter_map(|(_, holder)| *holder).filter(|holder| holder.link == link).collect();
        for Holder { group: id, who, .. } in places {
            let group = self.groups.get(&id);
            if let Some(who) = who.filter(|who| group.is_some_and(|group| group.hears(*who))) {
                self.announce(id, flags, Vec::from([who]), must);
            }
        }
    }

    fn announce(&mut self, id: GroupId, flags: Flags, providers: Vec<ProviderId>, must: &mut Must) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        if group.run.as_ref().is_some_and(|run| run.verdict.is_some()) {
            return group.later.push((flags, providers));
        }
        group.told.0 += 1;
        let (sequence, tokens) = (group.told, group.hearers());
        for token in tokens {
            let Some(link) = self.link_of(token) else { continue };
            let providers = providers.clone();
            let said = Announcement { token, group: id, sequence, flags, providers, extensions: none() };
            self.send(link, Message::Announcement(said), must);
        }
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
