//! The machines, their links, and time.

mod links;

use super::super::words::{self, ballot, changed, voting, wish};
use super::PartiesOp;
use super::ledger::{Counts, Key, Ledger};
use crate::error::Error;
use crate::group::coordinator::{self, Coordinator, Durability, Event as DomainEvent};
use crate::group::message::{Dissolved, Entry, Message, Snapshot};
use crate::group::process::{self, Event, Process};
use crate::group::provider::{Event as ProviderEvent, Input as ProviderInput, State as ProviderState};
use crate::group::replica::{Item, Memory};
use crate::group::{Attributes, DissolveReason, DomainId, Epoch, GroupId, ProviderId, RequestId, Subscription, Vote};
use crate::limits::GroupLimits;
use crate::machine::{LinkId, Machine};
use crate::testing::Choices;
use crate::time::Instant;
use core::time::Duration;
use std::boxed::Box;
use std::collections::{BTreeMap, VecDeque};
use std::string::String;
use std::vec::Vec;

/// Most rounds until nothing is on its way any more, and until no deadline is left.
const ROUNDS: usize = 4096;

const PROCESSES: usize = 4;
const GRACE: Duration = Duration::from_secs(5);

/// Something that was done, or came of it.
#[derive(Clone, Debug)]
enum Line {
    Op(Instant, PartiesOp),
    Process(usize, process::Output),
    Coordinator(coordinator::Output),
}

/// What was done, for the message of a panic, whoever panics.
#[derive(Clone, Debug, Default)]
struct Trace(Vec<Line>);

impl Drop for Trace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::eprintln!("what was done:");
            for line in &self.0 {
                match line {
                    Line::Op(now, op) => std::eprintln!("t={} {op:?}", now.as_micros()),
                    Line::Process(at, output) => std::eprintln!("    process {at}: {output:?}"),
                    Line::Coordinator(output) => std::eprintln!("    coordinator: {output:?}"),
                }
            }
        }
    }
}

/// A process, and what its application knows.
#[derive(Clone, Debug)]
struct Seat {
    process: Process,
    node: u32,
    incarnation: u64,
    link: Option<LinkId>,
    providers: Vec<(RequestId, usize)>,
    subscribers: Vec<(RequestId, usize)>,
    deactivating: Vec<RequestId>,
    next: u32,
}

/// A link between a process and the coordinator of one reign.
#[derive(Clone, Debug)]
struct Link {
    process: usize,
    incarnation: u64,
    reign: u64,
    up: VecDeque<Message>,
    down: VecDeque<Message>,
    /// Whether each end is still there.
    process_open: bool,
    coordinator_open: bool,
    /// The providers of which the process has said what they know.
    reported: Vec<Key>,
}

/// Four [`Process`]es and their [`Coordinator`]s, one after the other.
///
/// ```
/// use handover::testing::Choices;
/// use handover::testing::group_machines::{Parties, PartiesOp};
///
/// let mut parties = Parties::new(&mut Choices::new(&[]));
/// parties.apply(&PartiesOp::Join { process: 0, group: 0, shape: 0 });
/// parties.apply(&PartiesOp::Settle);
/// assert_eq!(parties.finish().joined, 1);
/// ```
#[derive(Debug)]
pub struct Parties {
    now: Instant,
    coordinator: Option<Coordinator>,
    durability: Durability,
    reign: u64,
    /// What the other coordinators keep.
    memory: Memory,
    /// What is kept, and was not yet said to be.
    keeping: VecDeque<u64>,
    groups: Vec<Attributes>,
    seats: Vec<Seat>,
    links: BTreeMap<LinkId, Link>,
    ledger: Ledger,
    clean: bool,
    trace: Trace,
}

impl Parties {
    /// Processes that are in, and a coordinator, in any configuration.
    #[must_use]
    pub fn new(choices: &mut Choices<'_>) -> Self {
        let durability = *choices.pick(&[Durability::Survivors, Durability::Quorum]);
        let groups = words::attributes(choices);
        let mut parties = Self {
            now: Instant::ZERO,
            coordinator: None,
            durability,
            reign: 0,
            memory: Memory::default(),
            keeping: VecDeque::new(),
            groups,
            seats: (0..PROCESSES).map(|at| seat(at, 1)).collect(),
            links: BTreeMap::new(),
            ledger: Ledger::new(durability != Durability::Survivors),
            clean: true,
            trace: Trace::default(),
        };
        parties.reign = 1;
        let config = parties.config();
        parties.coordinator = Some(Coordinator::new(config, Instant::ZERO));
        (0..PROCESSES).for_each(|at| parties.dial(at));
        parties.settle();
        parties
    }

    fn config(&self) -> coordinator::Config {
        let mut config = coordinator::Config::new(DomainId(7), Epoch(self.reign << 16));
        config.durability = self.durability;
        config
    }

    /// Whether no fault has happened.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.clean
    }

    /// Does one thing. What makes no sense now does nothing.
    pub fn apply(&mut self, op: &PartiesOp) {
        self.trace.0.push(Line::Op(self.now, op.clone()));
        let at = |number: u8| usize::from(number) % PROCESSES;
        match *op {
            PartiesOp::Settle => self.settle(),
            PartiesOp::Deliver { process, up, messages } => {
                if let Some(link) = self.seats[at(process)].link {
                    for _ in 0..messages {
                        self.deliver(link, up);
                    }
                }
            }
            PartiesOp::Dial(process) => self.dial(at(process)),
            PartiesOp::Join { process, group, shape } => self.join(at(process), group, shape),
            PartiesOp::Subscribe { process, group } => {
                let request = self.request(at(process));
                let kind = usize::from(group) % words::GROUPS;
                let subscription = Subscription::all();
                let input = process::Input::Subscribe { request, group: words::name(group), subscription };
                if self.ask(at(process), request, input) {
                    self.seats[at(process)].subscribers.push((request, kind));
                }
            }
            PartiesOp::Propose { process, provider, wish, voting } => self.propose(at(process), provider, wish, voting),
            PartiesOp::Vote { process, ballot } => self.vote(at(process), ballot),
            PartiesOp::Deactivate { process, successful } => self.deactivate(at(process), successful),
            PartiesOp::Leave { process, which } => self.leave(at(process), which),
            PartiesOp::Kept => self.kept(),
            PartiesOp::Pass(millis) => {
                let then = self.now.saturating_add(Duration::from_millis(millis.into()));
                self.now = self.deadline().map_or(then, |due| then.min(due)).max(self.now);
            }
            _ => {
                self.clean = false;
                self.fault(op);
            }
        }
    }

    fn fault(&mut self, op: &PartiesOp) {
        let at = |number: u8| usize::from(number) % PROCESSES;
        match *op {
            PartiesOp::Deadline => self.deadline_comes(),
            PartiesOp::Cut { process, both } => self.cut(at(process), both),
            PartiesOp::Die(process) => self.die(at(process)),
            PartiesOp::NodeDown(process) => {
                let node = self.seats[at(process)].node;
                self.order(coordinator::Input::NodeDown(node));
            }
            PartiesOp::Crash => self.crash(),
            PartiesOp::TakeOver(away) => {
                self.take_over();
                (0..PROCESSES).filter(|at| away >> at & 1 == 0).for_each(|at| self.dial(at));
            }
            PartiesOp::Recovered if self.recovers() => self.order(coordinator::Input::Recovered),
            _ => {}
        }
    }

    /// Whether the coordinator waits for those from before its reign.
    fn recovers(&self) -> bool {
        self.coordinator.as_ref().is_some_and(|one| one.state() == coordinator::reign::State::Recovering)
    }

    fn request(&mut self, at: usize) -> RequestId {
        self.seats[at].next += 1;
        RequestId(self.seats[at].next)
    }

    fn key(&self, at: usize, request: RequestId) -> Key {
        (self.seats[at].node, self.seats[at].incarnation, request)
    }

    /// Something that a process is asked to do by its application, which knows when it may.
    fn ask(&mut self, at: usize, request: RequestId, input: process::Input) -> bool {
        let key = self.key(at, request);
        let asks = matches!(input, process::Input::Join { .. } | process::Input::Subscribe { .. });
        let result = self.seats[at].process.handle(self.now, input);
        match result {
            Ok(()) => {
                if asks {
                    self.ledger.asks(key);
                }
                self.carry_out(at);
                true
            }
            Err(Error::Misuse(_)) => false,
            Err(Error::Violation(_)) => panic!("our own application is no peer: {result:?}"),
        }
    }

    fn join(&mut self, at: usize, group: u8, shape: u8) {
        let kind = usize::from(group) % words::GROUPS;
        let attributes = changed(&self.groups[kind], shape);
        let (request, instance) = (self.request(at), i16::from(shape % 2));
        let input = process::Input::Join { request, attributes, instance, local_name: String::new() };
        if self.ask(at, request, input) {
            self.seats[at].providers.push((request, kind));
        }
    }

    fn propose(&mut self, at: usize, provider: u8, shape: u8, how: u8) {
        let seat = &self.seats[at];
        let Some(&(owner, kind)) = seat.providers.iter().rev().nth(usize::from(provider)) else { return };
        let Some(known) = seat.process.provider(owner) else { return };
        let stranger = ProviderId { node: 99, instance: 0, incarnation: 1 };
        let wish = wish(shape, &self.groups[kind], known.members(), &[stranger]);
        let view = (how > 240).then(|| known.view());
        let request = self.request(at);
        let input = ProviderInput::Propose { request, voting: voting(how), view, wish };
        let key = self.key(at, owner);
        self.ledger.proposes(key, request);
        self.ask(at, request, process::Input::Provider { request: owner, input });
    }

    /// Whichever of its providers has a vote due.
    fn due(&self, at: usize) -> Option<(RequestId, crate::group::ProtocolId, u32)> {
        let seat = &self.seats[at];
        seat.providers.iter().rev().find_map(|(request, _)| {
            let provider = seat.process.provider(*request)?;
            let (protocol, phase) = words::place(provider.open()?);
            (provider.state() == ProviderState::Voting).then_some((*request, protocol, phase))
        })
    }

    fn vote(&mut self, at: usize, shape: u8) {
        let Some((request, protocol, phase)) = self.due(at) else { return };
        let input = ProviderInput::Vote { protocol, phase, ballot: ballot(shape) };
        self.ask(at, request, process::Input::Provider { request, input });
    }

    fn deactivate(&mut self, at: usize, successful: bool) {
        let Some(request) = self.seats[at].deactivating.pop() else { return };
        let input = ProviderInput::Deactivated(successful);
        self.ask(at, request, process::Input::Provider { request, input });
    }

    fn leave(&mut self, at: usize, which: u8) {
        let seat = &self.seats[at];
        if which % 4 == 3 {
            let Some(&(request, _)) = seat.subscribers.iter().rev().nth(usize::from(which / 4)) else { return };
            self.ask(at, request, process::Input::Unsubscribe(request));
        } else {
            let Some(&(request, _)) = seat.providers.iter().rev().nth(usize::from(which / 4)) else { return };
            self.ask(at, request, process::Input::Provider { request, input: ProviderInput::Goodbye });
        }
    }

    fn kept(&mut self) {
        if let Some(index) = self.keeping.pop_front() {
            self.order(coordinator::Input::Persisted(index));
        }
    }

    fn dial(&mut self, at: usize) {
        if self.coordinator.is_none() {
            return;
        }
        let link = LinkId(u32::try_from(self.links.len()).unwrap_or(0));
        let (incarnation, reign) = (self.seats[at].incarnation, self.reign);
        if self.seats[at].process.state() != process::State::Outside {
            return;
        }
        let (up, down) = (VecDeque::new(), VecDeque::new());
        let (process_open, coordinator_open) = (true, true);
        let (process, reported) = (at, Vec::new());
        let ends = Link { process, incarnation, reign, up, down, process_open, coordinator_open, reported };
        self.links.insert(link, ends);
        self.seats[at].link = Some(link);
        self.tell(at, process::Input::Opened(link));
    }

    fn deadline(&self) -> Option<Instant> {
        let processes = self.seats.iter().filter_map(|seat| seat.process.poll_timeout());
        processes.chain(self.coordinator.as_ref().and_then(Machine::poll_timeout)).min()
    }

    fn deadline_comes(&mut self) {
        self.now = self.deadline().map_or(self.now, |due| due.max(self.now));
        self.order(coordinator::Input::Timeout);
        (0..PROCESSES).for_each(|at| self.tell(at, process::Input::Timeout));
    }

    /// Lets everything come to its end, and checks what was said of it. What has come about.
    ///
    /// # Panics
    /// It does not, or it is not true.
    pub fn finish(&mut self) -> Counts {
        self.settle();
        self.take_over();
        for _ in 0..ROUNDS {
            (0..PROCESSES).for_each(|at| self.dial(at));
            self.settle();
            if self.recovers() {
                self.order(coordinator::Input::Recovered);
                continue;
            }
            let voter = (0..PROCESSES).find_map(|at| self.due(at).map(|due| (at, due)));
            if let Some((at, (request, protocol, phase))) = voter {
                let ballot = crate::group::message::Ballot {
                    vote: Vote::APPROVE,
                    default_vote: None,
                    state: None,
                    message: None,
                };
                let input = ProviderInput::Vote { protocol, phase, ballot };
                let done = self.ask(at, request, process::Input::Provider { request, input });
                assert!(done, "4.3: a vote is due and is not taken");
                continue;
            }
            let busy = (0..PROCESSES).find(|at| !self.seats[*at].deactivating.is_empty());
            match busy {
                Some(at) => self.deactivate(at, true),
                None if (0..PROCESSES).any(|at| self.seats[at].process.state() != process::State::Inside) => {}
                None => break,
            }
        }
        self.check();
        self.ledger.check();
        self.ledger.counts
    }

    /// What everybody knows is what is.
    fn check(&self) {
        let Some(coordinator) = &self.coordinator else { panic!("somebody has taken over") };
        let mut tokens = Vec::new();
        let mut known: BTreeMap<GroupId, Snapshot> = BTreeMap::new();
        for (at, seat) in self.seats.iter().enumerate() {
            for (request, kind) in &seat.providers {
                let provider = seat.process.provider(*request).expect("it has not gone");
                let name = &self.groups[*kind].name;
                assert_eq!(provider.state(), ProviderState::Member, "G-L2, G-L4: {at} {request:?} of {name:?}");
                assert_eq!(
                    Some(provider.members()),
                    coordinator.members(name).as_deref(),
                    "G-S1: who is in {name:?}, as {at} knows it"
                );
                let standing = provider.standing().expect("it is there");
                let snapshot = standing.snapshot;
                let same = known.entry(snapshot.group).or_insert_with(|| snapshot.clone());
                assert_eq!(*same, snapshot, "G-S1, G-S9: what {at} knows of {name:?}");
                tokens.push(standing.token.index);
            }
        }
        for (at, seat) in self.seats.iter().enumerate() {
            for (request, kind) in &seat.subscribers {
                let subscriber = seat.process.subscriber(*request).expect("it has not gone");
                let name = &self.groups[*kind].name;
                let standing = subscriber.standing();
                let standing = standing.unwrap_or_else(|| panic!("G-L4: {at} {request:?} of {name:?} has no answer"));
                tokens.push(standing.token.index);
                if let Some(snapshot) = known.get(&standing.snapshot.group) {
                    self.ledger.check_subscriber(self.key(at, *request), snapshot);
                }
            }
        }
        for name in self.groups.iter().map(|group| &group.name) {
            assert_eq!(coordinator.blocked_on(name), [], "G-L2: {name:?} waits");
            let members = coordinator.members(name).unwrap_or_default();
            let here = |member: &ProviderId| {
                self.seats.iter().any(|seat| (seat.node, seat.incarnation) == (member.node, member.incarnation))
            };
            assert!(members.iter().all(here), "G-L3: the dead are in {name:?}: {members:?}");
        }
        let count = tokens.len();
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), count, "G-S10: two have one number");
    }
}

fn seat(at: usize, incarnation: u64) -> Seat {
    let node = u32::try_from(at).unwrap_or(0) + 1;
    Seat {
        process: Process::new(process::Config::new(node, incarnation)),
        node,
        incarnation,
        link: None,
        providers: Vec::new(),
        subscribers: Vec::new(),
        deactivating: Vec::new(),
        next: 0,
    }
}
