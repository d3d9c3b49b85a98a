//! The machines, their links, and time.

use super::PartiesOp;
use crate::error::Error;
use crate::group::coordinator::{self, Coordinator, Durability};
use crate::group::message::{Ballot, Ended, GroupRecord, Message};
use crate::group::process::{self, Process};
use crate::group::proposal::{Expulsion, Voting, Wish};
use crate::group::provider;
use crate::group::{
    Attributes, BatchControl, CoordinatorId, DomainId, Epoch, GroupId, GroupName, Phases, ProtocolId, ProviderId,
    ProviderMessage, RequestId, StateValue, Subscription, ViewId, Vote,
};
use crate::machine::{LinkId, Machine};
use crate::testing::Choices;
use crate::time::Instant;
use bytes::Bytes;
use core::time::Duration;
use std::boxed::Box;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::string::String;
use std::vec::Vec;

const PROCESSES: usize = 4;

/// Most rounds until everything has come to an end.
const ROUNDS: usize = 2000;

/// How often what has come about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ends that were approved, as providers were told.
    pub approved: u32,
    /// Ends that were rejected.
    pub rejected: u32,
    /// Providers that have joined, and that have gone from a group that they were in.
    pub joined: u32,
    /// See before.
    pub left: u32,
    /// Coordinators that have taken over.
    pub take_overs: u32,
    /// Times that a provider was told the whole anew.
    pub resynchronised: u32,
    /// Processes that were told that they are dead.
    pub fenced: u32,
    /// Requests that were refused.
    pub refused: u32,
}

impl core::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.approved += other.approved;
        self.rejected += other.rejected;
        self.joined += other.joined;
        self.left += other.left;
        self.take_overs += other.take_overs;
        self.resynchronised += other.resynchronised;
        self.fenced += other.fenced;
        self.refused += other.refused;
    }
}

/// How a protocol has ended, as a provider was told.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    approved: bool,
    view: ViewId,
    members: Vec<ProviderId>,
    value: StateValue,
}

/// What one provider was told.
#[derive(Clone, Debug, Default)]
struct Place {
    told: BTreeMap<(GroupId, ProtocolId), Told>,
    last: Option<ProtocolId>,
    gone: bool,
}

#[derive(Clone, Debug)]
struct Party {
    process: Option<Process>,
    incarnation: u64,
    link: Option<LinkId>,
    up: VecDeque<Message>,
    down: VecDeque<Message>,
    requests: u32,
    places: BTreeMap<RequestId, Place>,
    /// It was said to be dead, or its link was lost to a coordinator that lives.
    suspected: bool,
    over: bool,
}

/// Four processes and their coordinator, or nobody in its place.
#[derive(Clone, Debug)]
pub struct Parties {
    now: Instant,
    attributes: Attributes,
    durability: Durability,
    coordinator: Option<Coordinator>,
    epoch: Epoch,
    last_link: u32,
    parties: Vec<Party>,
    persisting: VecDeque<u64>,
    records: BTreeMap<GroupId, GroupRecord>,
    counts: Counts,
    trace: Trace,
}

/// What was done, for the message of a panic, whoever panics.
#[derive(Clone, Debug, Default)]
struct Trace(Vec<String>);

impl Drop for Trace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::eprintln!("what was done:");
            self.0.iter().for_each(|line| std::eprintln!("{line}"));
        }
    }
}

impl Parties {
    /// All processes are there, in a domain that is new.
    #[must_use]
    pub fn new(choices: &mut Choices<'_>) -> Self {
        let mut attributes = Attributes::new(GroupName::new("fleet").expect("a name of 5 bytes"));
        attributes.phases = if choices.boolean() { Phases::N } else { Phases::ONE };
        attributes.batch_control = BatchControl::from_bits_retain(choices.byte() % 4);
        attributes.default_vote = if choices.boolean() { Vote::REJECT } else { Vote::APPROVE };
        attributes.time_limit = u16::from(choices.byte() % 3);
        let durability = if choices.boolean() { Durability::Replicated(1) } else { Durability::Survivors };
        let epoch = Epoch(0).next(CoordinatorId(1));
        let party = |_| Party {
            process: None,
            incarnation: 0,
            link: None,
            up: VecDeque::new(),
            down: VecDeque::new(),
            requests: 0,
            places: BTreeMap::new(),
            suspected: false,
            over: false,
        };
        let mut parties = Self {
            now: Instant::ZERO,
            attributes,
            durability,
            coordinator: Some(Coordinator::new(config(epoch, durability), Instant::ZERO)),
            epoch,
            last_link: 0,
            parties: (0..PROCESSES).map(party).collect(),
            persisting: VecDeque::new(),
            records: BTreeMap::new(),
            counts: Counts::default(),
            trace: Trace::default(),
        };
        (0..PROCESSES).for_each(|at| parties.begin(at));
        parties.settle();
        parties
    }

    /// How often what has come about so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    fn node(at: usize) -> u32 {
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// A process begins, as somebody new.
    fn begin(&mut self, at: usize) {
        let party = &mut self.parties[at];
        party.incarnation += 1;
        let mut config = process::Config::new(Self::node(at), party.incarnation);
        config.reenter = Duration::from_secs(3600);
        party.process = Some(Process::new(config));
        party.places.clear();
        (party.suspected, party.over) = (false, false);
        self.dial(at);
    }

    fn dial(&mut self, at: usize) {
        let party = &mut self.parties[at];
        if self.coordinator.is_none() || party.process.is_none() || party.over || party.link.is_some() {
            return;
        }
        self.last_link += 1;
        let link = LinkId(self.last_link);
        party.link = Some(link);
        self.feed_process(at, process::Input::Opened(link));
    }

    /// Does one thing.
    pub fn apply(&mut self, op: &PartiesOp) {
        self.trace.0.push(std::format!("t={} {op:?}", self.now.as_micros()));
        let who = |process: u8| usize::from(process) % PROCESSES;
        match *op {
            PartiesOp::Settle => self.settle(),
            PartiesOp::Deliver { process, up, messages } => {
                for _ in 0..messages {
                    self.deliver(who(process), up);
                }
            }
            PartiesOp::Dial(process) => self.dial(who(process)),
            PartiesOp::Join(process) => {
                let (request, attributes) = (self.request(who(process)), self.attributes.clone());
                // Two of one process may be in the group.
                let instance = i16::from(process / 128);
                let input = process::Input::Join { request, attributes, instance, local_name: String::new() };
                self.feed_process(who(process), input);
            }
            PartiesOp::Subscribe(process) => {
                let (request, group) = (self.request(who(process)), self.attributes.name.clone());
                let input = process::Input::Subscribe { request, group, subscription: Subscription::all() };
                self.feed_process(who(process), input);
            }
            PartiesOp::Vote { process, ballot } => self.vote(who(process), process, ballot),
            PartiesOp::Propose { process, wish, voting } => self.propose(who(process), process, wish, voting),
            PartiesOp::Deactivated { process, successful } => {
                self.say(who(process), process, &provider::Input::Deactivated(successful));
            }
            PartiesOp::Acknowledge(process) => self.say(who(process), process, &provider::Input::Acknowledge),
            PartiesOp::Goodbye(process) => self.say(who(process), process, &provider::Input::Goodbye),
            PartiesOp::Quit(process) => self.feed_process(who(process), process::Input::Quit),
            PartiesOp::Keep => self.keep(),
            PartiesOp::Pass(milliseconds) => {
                self.now = self.now.saturating_add(Duration::from_millis(u64::from(milliseconds)));
                self.timeouts();
            }
            PartiesOp::Deadline => self.deadline(),
            PartiesOp::Kill(process) => {
                let at = who(process);
                if self.parties[at].process.is_some() { self.kill(at) } else { self.begin(at) }
            }
            PartiesOp::Suspect(process) => {
                let at = who(process);
                self.parties[at].suspected = true;
                self.feed_coordinator(coordinator::Input::NodeDown(Self::node(at)));
            }
            PartiesOp::Crash => self.crash(),
            PartiesOp::TakeOver => self.take_over(),
        }
    }

    fn request(&mut self, at: usize) -> RequestId {
        self.parties[at].requests += 1;
        RequestId(self.parties[at].requests)
    }

    /// One of the providers of a process: which, the number says.
    fn place(&self, at: usize, number: u8) -> Option<RequestId> {
        let party = &self.parties[at];
        let process = party.process.as_ref()?;
        let live: Vec<RequestId> =
            party.places.keys().copied().filter(|request| process.provider(*request).is_some()).collect();
        live.get(usize::from(number / 8) % live.len().max(1)).copied()
    }

    fn say(&mut self, at: usize, number: u8, input: &provider::Input) {
        if let Some(request) = self.place(at, number) {
            self.feed_process(at, process::Input::Provider { request, input: input.clone() });
        }
    }

    fn vote(&mut self, at: usize, number: u8, what: u8) {
        let Some(request) = self.place(at, number) else { return };
        let process = self.parties[at].process.as_ref();
        let open = process.and_then(|process| process.provider(request)).and_then(provider::Provider::open);
        let Some((protocol, phase)) = open.map(|open| (open.protocol, open.phase)) else { return };
        let ballot = Ballot {
            vote: [Vote::APPROVE, Vote::CONTINUE, Vote::REJECT, Vote::APPROVE][usize::from(what % 4)],
            default_vote: [None, None, Some(Vote::APPROVE), Some(Vote::REJECT)][usize::from(what / 4 % 4)],
            state: (what / 16 % 4 == 1).then(|| value(what)),
            message: (what / 64 == 1).then(|| message(what)),
        };
        let input = provider::Input::Vote { protocol, phase, ballot };
        self.feed_process(at, process::Input::Provider { request, input });
    }

    fn propose(&mut self, at: usize, number: u8, what: u8, how: u8) {
        let voting = Voting {
            phases: if how.is_multiple_of(2) { Phases::N } else { Phases::ONE },
            time_limit: u16::from(how / 2 % 3),
        };
        let members = self.coordinator.as_ref().and_then(|one| one.members(&self.attributes.name)).unwrap_or_default();
        let wish = match what % 8 {
            0..=2 => Wish::State(value(what)),
            3 => Wish::Message(message(what)),
            4 | 5 => Wish::Leave(u32::from(what)),
            6 => {
                let first = usize::from(what / 8) % members.len().max(1);
                let targets: Vec<ProviderId> =
                    members.into_iter().skip(first).take(1 + usize::from(what / 64)).collect();
                Wish::Expel(Expulsion { targets, deactivate_phase: u32::from(how / 8 % 3), flag: Bytes::new() })
            }
            _ => {
                let mut attributes = self.attributes.clone();
                attributes.time_limit = u16::from(what / 8 % 3);
                Wish::Attributes(Box::new(attributes))
            }
        };
        let request = self.request(at);
        self.say(at, number, &provider::Input::Propose { request, voting, view: None, wish });
    }

    fn feed_process(&mut self, at: usize, input: process::Input) {
        let now = self.now;
        let Some(process) = &mut self.parties[at].process else { return };
        match process.handle(now, input) {
            Ok(()) | Err(Error::Misuse(_)) => {}
            Err(Error::Violation(wrong)) => panic!("process {at} complains: {wrong:?}"),
        }
        while let Some(output) = self.parties[at].process.as_mut().and_then(Process::poll_output) {
            self.trace.0.push(std::format!("    process {at}: {output:?}"));
            match output {
                process::Output::Send { link, message } => {
                    if self.parties[at].link == Some(link) {
                        self.parties[at].up.push_back(message);
                    }
                }
                process::Output::Close(link) => self.closed(at, link),
                process::Output::Event(event) => self.heard(at, event),
            }
        }
    }

    /// A process closes its link: what it has said comes, and then the end.
    fn closed(&mut self, at: usize, link: LinkId) {
        if self.parties[at].link == Some(link) {
            while !self.parties[at].up.is_empty() && self.parties[at].link == Some(link) {
                self.deliver(at, true);
            }
            if self.parties[at].link == Some(link) {
                self.parties[at].link = None;
                self.parties[at].down.clear();
                self.feed_coordinator(coordinator::Input::Closed(link));
            }
        }
    }

    fn heard(&mut self, at: usize, event: process::Event) {
        match event {
            process::Event::Provider { request, event } => self.provider_heard(at, request, event),
            process::Event::Ended(_) => {
                assert!(!self.parties[at].over, "process {at} ends twice");
                self.parties[at].over = true;
                self.counts.fenced += u32::from(self.parties[at].suspected);
            }
            _ => {}
        }
    }

    fn provider_heard(&mut self, at: usize, request: RequestId, event: provider::Event) {
        let place = self.parties[at].places.entry(request).or_default();
        assert!(!place.gone, "G-S12: {request:?} of process {at} hears {event:?} after its end");
        match event {
            provider::Event::Approved(ended) => self.tells(at, request, &ended, true),
            provider::Event::Rejected(ended) => self.tells(at, request, &ended, false),
            provider::Event::Resynchronised(snapshot) => {
                self.counts.resynchronised += 1;
                place.last = Some(snapshot.last);
            }
            provider::Event::Error { .. } => self.counts.refused += 1,
            provider::Event::Gone(_) => {
                self.counts.left += u32::from(place.last.is_some());
                place.gone = true;
            }
            _ => {}
        }
    }

    fn tells(&mut self, at: usize, request: RequestId, ended: &Ended, approved: bool) {
        let Some(provider) = self.parties[at].process.as_ref().and_then(|process| process.provider(request)) else {
            return;
        };
        let (members, value) = (provider.members().to_vec(), provider.value().clone());
        let told = Told { approved, view: provider.view(), members, value };
        let (protocol, key) = (ended.outcome.protocol, (ended.group, ended.outcome.protocol));
        // Who is turned down, or goes, may know of nobody any more.
        let knows = !told.members.is_empty();
        let strict = self.durability != Durability::Survivors;
        for (other, party) in self.parties.iter().enumerate().filter(|_| knows) {
            if strict || (party.process.is_some() && !party.suspected && !party.over) {
                for before in party.places.values().filter_map(|place| place.told.get(&key)) {
                    assert!(*before == told, "G-S1: process {at} and {other} of {key:?}: {told:?}, {before:?}");
                }
            }
        }
        let place = self.parties[at].places.entry(request).or_default();
        let is_later = place.last.is_none_or(|last| last < protocol);
        assert!(is_later, "G-S3: {protocol:?} after {:?} at process {at}", place.last);
        let me = |id: &ProviderId| id.node == Self::node(at);
        let joins = ended.outcome.proposal.joining.iter().any(me);
        assert!(place.last.is_some() || joins, "G-S8: process {at} is told {protocol:?} before its join");
        if joins && approved {
            self.counts.joined += 1;
        }
        if approved || place.last.is_some() {
            place.last = Some(protocol);
        }
        if knows {
            place.told.insert(key, told);
        }
        self.counts.approved += u32::from(approved);
        self.counts.rejected += u32::from(!approved);
    }

    fn feed_coordinator(&mut self, input: coordinator::Input) {
        let now = self.now;
        let Some(coordinator) = &mut self.coordinator else { return };
        match coordinator.handle(now, input) {
            Ok(()) | Err(Error::Misuse(_)) => {}
            Err(Error::Violation(wrong)) => panic!("the coordinator complains: {wrong:?}"),
        }
        while let Some(output) = self.coordinator.as_mut().and_then(Coordinator::poll_output) {
            self.trace.0.push(std::format!("    coordinator: {output:?}"));
            match output {
                coordinator::Output::Send { link, message } => {
                    if let Some(party) = self.parties.iter_mut().find(|party| party.link == Some(link)) {
                        party.down.push_back(message);
                    }
                }
                coordinator::Output::Close(link) => {
                    // What was said before comes, and then the end.
                    if let Some(at) = self.parties.iter().position(|party| party.link == Some(link)) {
                        self.parties[at].up.clear();
                        while self.parties[at].link == Some(link) && !self.parties[at].down.is_empty() {
                            self.deliver(at, false);
                        }
                        if self.parties[at].link == Some(link) {
                            self.parties[at].link = None;
                            self.feed_process(at, process::Input::Closed(link));
                        }
                    }
                }
                coordinator::Output::Event(coordinator::Event::Entering { link, .. }) => {
                    self.feed_coordinator(coordinator::Input::Admit { link, allowed: true });
                }
                coordinator::Output::Persist(entry) => {
                    self.persisting.push_back(entry.index);
                    let record = self.records.entry(entry.snapshot.group);
                    let record =
                        record.or_insert_with(|| GroupRecord { snapshot: entry.snapshot.clone(), recent: Vec::new() });
                    record.snapshot = entry.snapshot;
                    record.recent.push(entry.past);
                    if record.recent.len() > 8 {
                        record.recent.remove(0);
                    }
                }
                coordinator::Output::Event(_) => {}
            }
        }
    }

    fn keep(&mut self) {
        if let Some(index) = self.persisting.pop_front() {
            self.feed_coordinator(coordinator::Input::Persisted(index));
        }
    }

    fn deliver(&mut self, at: usize, up: bool) {
        let party = &mut self.parties[at];
        let Some(link) = party.link else { return };
        if up {
            if let Some(message) = party.up.pop_front() {
                self.feed_coordinator(coordinator::Input::Message { link, message });
            }
        } else if let Some(message) = party.down.pop_front() {
            self.feed_process(at, process::Input::Message { link, message });
        }
    }

    fn is_quiet(&self) -> bool {
        self.parties.iter().all(|party| party.link.is_none() || party.up.is_empty() && party.down.is_empty())
    }

    fn settle(&mut self) {
        for _ in 0..ROUNDS {
            if self.is_quiet() {
                return;
            }
            for at in 0..PROCESSES {
                self.deliver(at, true);
                self.deliver(at, false);
            }
        }
        panic!("G-L2: messages without end");
    }

    fn timeouts(&mut self) {
        self.feed_coordinator(coordinator::Input::Timeout);
        for at in 0..PROCESSES {
            self.feed_process(at, process::Input::Timeout);
        }
    }

    fn deadline(&mut self) {
        if let Some(at) = self.coordinator.as_ref().and_then(Coordinator::poll_timeout) {
            self.now = self.now.max(at);
            self.timeouts();
        }
    }

    fn kill(&mut self, at: usize) {
        let party = &mut self.parties[at];
        party.process = None;
        party.down.clear();
        if self.durability == Durability::Survivors {
            party.places.clear();
        }
        if let Some(link) = party.link {
            while !self.parties[at].up.is_empty() && self.parties[at].link == Some(link) {
                self.deliver(at, true);
            }
            self.parties[at].link = None;
            self.feed_coordinator(coordinator::Input::Closed(link));
        }
    }

    fn crash(&mut self) {
        self.coordinator = None;
        self.persisting.clear();
        for at in 0..PROCESSES {
            if let Some(link) = self.parties[at].link.take() {
                self.parties[at].up.clear();
                self.parties[at].down.clear();
                self.feed_process(at, process::Input::Closed(link));
            }
        }
    }

    fn take_over(&mut self) {
        if self.coordinator.is_some() {
            return;
        }
        self.counts.take_overs += 1;
        self.epoch = self.epoch.next(CoordinatorId(1));
        let records = self.records.values().cloned().collect();
        let grace = Duration::from_secs(1);
        let config = config(self.epoch, self.durability);
        self.coordinator = Some(Coordinator::take_over(config, records, grace, self.now));
    }

    /// No more faults: everything comes to an end, and everybody who is there knows the same.
    ///
    /// # Panics
    /// It does not, or they do not.
    pub fn finish(mut self) -> Counts {
        self.trace.0.push(String::from("the end"));
        self.take_over();
        for _ in 0..ROUNDS {
            (0..PROCESSES).for_each(|at| self.dial(at));
            self.settle();
            let is_over = self.advance();
            if is_over && self.is_quiet() {
                self.agree();
                return self.counts;
            }
        }
        panic!("G-L2, G-L5: something does not come to an end");
    }

    /// Everybody does what is due; true if nothing is.
    fn advance(&mut self) -> bool {
        let mut is_over = true;
        for at in 0..PROCESSES {
            let requests: Vec<RequestId> = self.parties[at].places.keys().copied().collect();
            for request in requests {
                let Some(process) = &self.parties[at].process else { continue };
                let Some(provider) = process.provider(request) else { continue };
                let open = provider.open().map(|open| (open.protocol, open.phase));
                match (provider.state(), open) {
                    (provider::State::Voting, Some((protocol, phase))) => {
                        let ballot = Ballot { vote: Vote::APPROVE, default_vote: None, state: None, message: None };
                        let input = provider::Input::Vote { protocol, phase, ballot };
                        self.feed_process(at, process::Input::Provider { request, input });
                        is_over = false;
                    }
                    (provider::State::Voted, _) => {
                        let input = provider::Input::Deactivated(true);
                        self.feed_process(at, process::Input::Provider { request, input });
                        is_over = false;
                    }
                    (provider::State::Requested | provider::State::Accepted, _) => is_over = false,
                    _ => {}
                }
            }
        }
        while !self.persisting.is_empty() {
            self.keep();
            is_over = false;
        }
        if self.coordinator.as_ref().is_some_and(|one| one.poll_timeout().is_some()) {
            is_over = false;
            self.deadline();
        }
        is_over
    }

    fn agree(&self) {
        let Some(coordinator) = &self.coordinator else { return };
        let members = coordinator.members(&self.attributes.name).unwrap_or_default();
        let mut there: BTreeSet<ProviderId> = BTreeSet::new();
        let mut first: Option<(Vec<ProviderId>, ViewId, StateValue, Attributes)> = None;
        for party in &self.parties {
            let Some(process) = &party.process else { continue };
            for provider in party.places.keys().filter_map(|request| process.provider(*request)) {
                there.insert(provider.id());
                let known = (
                    provider.members().to_vec(),
                    provider.view(),
                    provider.value().clone(),
                    provider.attributes().clone(),
                );
                let first = first.get_or_insert_with(|| known.clone());
                assert!(*first == known, "G-S1, G-S9: at the end {first:?} and {known:?}");
            }
        }
        let distinct: BTreeSet<ProviderId> = members.iter().copied().collect();
        assert!(distinct.len() == members.len(), "G-S8: {members:?}");
        assert!(distinct == there, "G-L3, G-L4: members {members:?}, and there are {there:?}");
        if let Some((known, ..)) = first {
            assert!(known == members, "G-S1: members {members:?}, and known are {known:?}");
        }
    }
}

fn value(number: u8) -> StateValue {
    StateValue::new(std::vec![number]).unwrap_or_default()
}

fn message(number: u8) -> ProviderMessage {
    ProviderMessage::new(std::vec![number]).expect("a message of one byte")
}

fn config(epoch: Epoch, durability: Durability) -> coordinator::Config {
    let mut config = coordinator::Config::new(DomainId(1), epoch);
    config.durability = durability;
    config
}
