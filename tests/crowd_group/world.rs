//! A group of many processes and their coordinator, which dies now and then: the shipped machines, on a clock that only
//! events move.

use handover::group::coordinator::{Config, Coordinator, Durability, Event as DomainEvent, Input, Output};
use handover::group::message::{Ballot, Ended, Entry, Message};
use handover::group::process::{self, Process};
use handover::group::proposal::{Voting, Wish};
use handover::group::provider::{Event as ProviderEvent, Input as ProviderInput};
use handover::group::replica::{Item, Memory};
use handover::group::{
    Attributes, BatchControl, CoordinatorId, DomainId, Epoch, GroupName, Phases, ProtocolId, ProtocolKind, RequestId,
    StateValue, ViewId, Vote,
};
use handover::limits::GroupLimits;
use handover::machine::{LinkId, Machine};
use handover::testing::Rng;
use handover::time::Instant;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

/// The number of every join.
const PLACE: RequestId = RequestId(1);

#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub processes: usize,
    /// How many state values are proposed, one behind the other.
    pub rounds: u32,
    /// Each is voted on in so many phases.
    pub phases: u32,
    pub durability: Durability,
    /// Of a hundred rounds, in so many somebody dies, and in so many the coordinator does.
    pub deaths: u64,
    pub crashes: u64,
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub approved: u32,
    pub rejected: u32,
    pub deaths: u32,
    pub crashes: u32,
    pub survivors: usize,
    /// Messages of rounds in which nobody died, and how many such rounds there were.
    pub quiet_messages: u64,
    pub quiet_rounds: u32,
    pub most_messages: u64,
    pub resynchronised: u32,
    pub events: u64,
}

/// How a protocol has ended, as a provider was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    approved: bool,
    view: ViewId,
    /// A hash of the members: there are many of these.
    members: u64,
    value: StateValue,
}

#[derive(Debug)]
enum Happening {
    ToProcess(usize, LinkId, Box<Message>),
    ToCoordinator(u64, LinkId, Box<Message>),
    /// The coordinator of this reign hears that a link is closed.
    Closed(u64, LinkId),
    /// A process dials whoever reigns.
    Dials(usize),
    /// A coordinator takes over.
    TakesOver,
    Persisted(u64, u64),
    Timeout,
    Kills(usize),
}

struct Party {
    process: Option<Process>,
    /// Its link, which is also when it was opened.
    link: Option<LinkId>,
    /// When the last message on the way to it, and from it, comes.
    arrives: [Instant; 2],
    told: BTreeMap<ProtocolId, Told>,
}

pub struct World {
    setup: Setup,
    rng: Rng,
    now: Instant,
    queue: BinaryHeap<Reverse<(Instant, u64)>>,
    what: BTreeMap<u64, Happening>,
    number: u64,
    parties: Vec<Party>,
    links: BTreeMap<LinkId, usize>,
    last_link: u32,
    coordinator: Option<Coordinator>,
    reign: u64,
    epoch: Epoch,
    memory: Memory,
    /// What everybody was told of each protocol.
    told: BTreeMap<ProtocolId, Told>,
    /// How proposals of state values have ended.
    ends: BTreeMap<ProtocolId, bool>,
    requests: u32,
    messages: u64,
    /// What the machines of the coordinators have taken, on the real clock.
    pub machine_time: Duration,
    figures: Figures,
}

fn attributes() -> Attributes {
    let mut attributes = Attributes::new(GroupName::new("fleet").unwrap());
    attributes.batch_control = BatchControl::JOINS | BatchControl::LEAVES;
    attributes
}

impl World {
    pub fn new(setup: Setup) -> Self {
        let epoch = Epoch(0).next(CoordinatorId(1));
        let party = || Party { process: None, link: None, arrives: [Instant::ZERO; 2], told: BTreeMap::new() };
        let mut world = Self {
            setup,
            rng: Rng::new(setup.seed),
            now: Instant::ZERO,
            queue: BinaryHeap::new(),
            what: BTreeMap::new(),
            number: 0,
            parties: (0..setup.processes).map(|_| party()).collect(),
            links: BTreeMap::new(),
            last_link: 0,
            coordinator: Some(Coordinator::new(config(setup, epoch), Instant::ZERO)),
            reign: 1,
            epoch,
            memory: Memory::default(),
            told: BTreeMap::new(),
            ends: BTreeMap::new(),
            requests: 1,
            messages: 0,
            machine_time: Duration::ZERO,
            figures: Figures::default(),
        };
        for at in 0..setup.processes {
            let mut config = process::Config::new(u32::try_from(at).unwrap(), 1);
            config.reenter = Duration::from_secs(600);
            world.parties[at].process = Some(Process::new(config));
            world.dial(at);
        }
        world
    }

    fn at(&mut self, delay: Duration, what: Happening) {
        self.push(self.now.saturating_add(delay), what);
    }

    fn push(&mut self, at: Instant, what: Happening) {
        self.number += 1;
        self.queue.push(Reverse((at, self.number)));
        self.what.insert(self.number, what);
    }

    fn milliseconds(&mut self, range: std::ops::RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.rng.within(&range))
    }

    /// When a message arrives: never before one that was sent before it.
    fn arrival(&mut self, party: usize, way: usize) -> Instant {
        let latency = self.milliseconds(1..=20);
        let at = self.now.saturating_add(latency).max(self.parties[party].arrives[way]);
        self.parties[party].arrives[way] = at;
        at
    }

    fn dial(&mut self, at: usize) {
        if self.coordinator.is_none() {
            let delay = self.milliseconds(10..=50);
            return self.at(delay, Happening::Dials(at));
        }
        self.last_link += 1;
        let link = LinkId(self.last_link);
        self.links.insert(link, at);
        self.parties[at].link = Some(link);
        self.feed_process(at, process::Input::Opened(link));
    }

    fn feed_process(&mut self, at: usize, input: process::Input) {
        let now = self.now;
        let Some(process) = &mut self.parties[at].process else { return };
        process.handle(now, input).unwrap();
        while let Some(output) = self.parties[at].process.as_mut().and_then(Process::poll_output) {
            match output {
                process::Output::Send { link, message } => {
                    let (arrival, reign) = (self.arrival(at, 1), self.reign);
                    self.push(arrival, Happening::ToCoordinator(reign, link, Box::new(message)));
                }
                process::Output::Close(_) => self.parties[at].link = None,
                process::Output::Event(process::Event::Provider { event, .. }) => self.heard(at, event),
                process::Output::Event(process::Event::Ended(end)) => panic!("process {at} ends: {end:?}"),
                process::Output::Event(_) => {}
                other => unreachable!("a new kind of output: {other:?}"),
            }
        }
    }

    /// What a provider does with what it hears.
    fn heard(&mut self, at: usize, event: ProviderEvent) {
        match event {
            ProviderEvent::Phase(open) => {
                let more = open.kind == ProtocolKind::STATE_VALUE_CHANGE && open.phase < self.setup.phases;
                let vote = if more { Vote::CONTINUE } else { Vote::APPROVE };
                let ballot = Ballot { vote, default_vote: None, state: None, message: None };
                let input = ProviderInput::Vote { protocol: open.protocol, phase: open.phase, ballot };
                self.feed_process(at, process::Input::Provider { request: PLACE, input });
            }
            ProviderEvent::Approved(ended) => self.tells(at, &ended, true),
            ProviderEvent::Rejected(ended) => self.tells(at, &ended, false),
            ProviderEvent::Resynchronised(_) => self.figures.resynchronised += 1,
            ProviderEvent::Gone(why) => panic!("provider {at} is gone: {why:?}"),
            _ => {}
        }
    }

    /// Whoever is told of a protocol is told the same.
    fn tells(&mut self, at: usize, ended: &Ended, approved: bool) {
        let provider = self.parties[at].process.as_ref().unwrap().provider(PLACE).unwrap();
        let mut hasher = DefaultHasher::new();
        provider.members().hash(&mut hasher);
        let (members, value) = (hasher.finish(), provider.value().clone());
        let told = Told { approved, view: provider.view(), members, value };
        let protocol = ended.outcome.protocol;
        if self.setup.durability != Durability::Survivors {
            // Not even of who is dead by now.
            let first = self.told.entry(protocol).or_insert_with(|| told.clone());
            assert!(*first == told, "provider {at} was told otherwise of {protocol:?}");
        }
        if ended.outcome.kind == ProtocolKind::STATE_VALUE_CHANGE {
            self.ends.insert(protocol, approved);
        }
        assert!(self.parties[at].told.insert(protocol, told).is_none(), "provider {at} was told twice");
    }

    fn feed_coordinator(&mut self, input: Input) {
        let start = std::time::Instant::now();
        let Some(coordinator) = &mut self.coordinator else { return };
        coordinator.handle(self.now, input).unwrap();
        let outputs: Vec<Output> = std::iter::from_fn(|| coordinator.poll_output()).collect();
        self.machine_time += start.elapsed();
        for output in outputs {
            match output {
                Output::Send { link, message } => {
                    self.messages += 1;
                    let Some(party) = self.links.get(&link).copied() else { continue };
                    let arrival = self.arrival(party, 0);
                    self.push(arrival, Happening::ToProcess(party, link, Box::new(message)));
                }
                Output::Event(DomainEvent::Entering { link, .. }) => {
                    self.feed_coordinator(Input::Admit { link, allowed: true });
                }
                Output::Persist(entry) => {
                    // A standby has it a little later.
                    let index = entry.index;
                    self.keep(*entry);
                    let (delay, reign) = (self.milliseconds(1..=5), self.reign);
                    self.at(delay, Happening::Persisted(reign, index));
                }
                Output::Close(_) | Output::Event(_) => {}
                other => unreachable!("a new kind of output: {other:?}"),
            }
        }
        if let Some(at) = self.coordinator.as_ref().and_then(Coordinator::poll_timeout) {
            self.push(at, Happening::Timeout);
        }
    }

    fn keep(&mut self, entry: Entry) {
        self.memory.add(&Item::Entry(Box::new(entry)), &GroupLimits::DEFAULT);
    }

    fn happens(&mut self, what: Happening) {
        self.figures.events += 1;
        match what {
            Happening::ToProcess(at, link, message) if self.parties[at].link == Some(link) => {
                self.feed_process(at, process::Input::Message { link, message: *message });
            }
            Happening::ToCoordinator(reign, link, message) if reign == self.reign => {
                self.messages += 1;
                self.feed_coordinator(Input::Message { link, message: *message });
            }
            Happening::Closed(reign, link) if reign == self.reign => self.feed_coordinator(Input::Closed(link)),
            Happening::Persisted(reign, index) if reign == self.reign => {
                self.feed_coordinator(Input::Persisted(index));
            }
            Happening::Dials(at) if self.parties[at].process.is_some() => self.dial(at),
            Happening::TakesOver => {
                self.epoch = self.epoch.next(CoordinatorId(1));
                let records = self.memory.records.values().cloned().collect();
                let (config, grace) = (config(self.setup, self.epoch), Duration::from_secs(2));
                self.coordinator = Some(Coordinator::take_over(config, records, grace, self.now));
                self.push(self.now.saturating_add(grace), Happening::Timeout);
            }
            Happening::Timeout => {
                let timeout = self.coordinator.as_ref().and_then(Coordinator::poll_timeout);
                timeout.filter(|at| *at <= self.now).into_iter().for_each(|_| self.feed_coordinator(Input::Timeout));
            }
            Happening::Kills(at) => self.kill(at),
            _ => {}
        }
    }

    fn kill(&mut self, at: usize) {
        self.parties[at].process = None;
        self.figures.deaths += 1;
        if let Some(link) = self.parties[at].link.take() {
            let (arrival, reign) = (self.arrival(at, 1), self.reign);
            self.push(arrival, Happening::Closed(reign, link));
        }
    }

    /// The coordinator dies; everybody notices, and comes back to the one that takes over.
    fn crash(&mut self) {
        self.coordinator = None;
        self.reign += 1;
        self.figures.crashes += 1;
        let delay = self.milliseconds(50..=200);
        self.at(delay, Happening::TakesOver);
        for at in 0..self.parties.len() {
            if let Some(link) = self.parties[at].link.take() {
                // What was on its way to it may still have come: that is what `arrives` is for.
                self.feed_process(at, process::Input::Closed(link));
                let delay = self.milliseconds(1..=500);
                self.at(delay, Happening::Dials(at));
            }
        }
    }

    /// Lets things happen until nothing more does.
    fn settle(&mut self) {
        while let Some(Reverse((at, number))) = self.queue.pop() {
            self.now = self.now.max(at);
            let what = self.what.remove(&number).unwrap();
            self.happens(what);
        }
    }

    fn living(&self) -> Vec<usize> {
        (0..self.parties.len()).filter(|at| self.parties[*at].process.is_some()).collect()
    }

    /// Everything, from the joins to the end.
    pub fn run(mut self) -> (Figures, Duration) {
        self.settle();
        for at in 0..self.parties.len() {
            let (attributes, local_name) = (attributes(), String::new());
            self.feed_process(at, process::Input::Join { request: PLACE, attributes, instance: 0, local_name });
        }
        self.settle();
        self.agree();
        self.machine_time = Duration::ZERO;
        for round in 0..self.setup.rounds {
            self.round(round);
            self.agree();
        }
        self.figures.survivors = self.living().len();
        let approved = self.ends.values().filter(|approved| **approved).count();
        self.figures.approved = u32::try_from(approved).unwrap();
        self.figures.rejected = u32::try_from(self.ends.len() - approved).unwrap();
        (self.figures, self.machine_time)
    }

    fn round(&mut self, round: u32) {
        let living = self.living();
        let index = |rng: &mut Rng| usize::try_from(rng.below(u64::try_from(living.len()).unwrap())).unwrap();
        let proposer = living[index(&mut self.rng)];
        let before = self.messages;
        self.requests += 1;
        let voting = Voting { phases: Phases::N, time_limit: 10 };
        let wish = Wish::State(StateValue::new(round.to_be_bytes().to_vec()).unwrap());
        let input = ProviderInput::Propose { request: RequestId(self.requests), voting, view: None, wish };
        self.feed_process(proposer, process::Input::Provider { request: PLACE, input });
        let dies = living.len() > 2 && self.rng.below(100) < self.setup.deaths;
        let crashes = self.rng.below(100) < self.setup.crashes;
        if dies {
            let victim = living[index(&mut self.rng)];
            let delay = self.milliseconds(0..=150);
            self.at(delay, Happening::Kills(victim));
        }
        if crashes {
            // Somewhere in the protocol, which takes about 150 ms.
            let until = self.now.saturating_add(self.milliseconds(0..=200));
            while self.queue.peek().is_some_and(|Reverse((at, _))| *at <= until) {
                let Some(Reverse((at, number))) = self.queue.pop() else { break };
                self.now = self.now.max(at);
                let what = self.what.remove(&number).unwrap();
                self.happens(what);
            }
            self.crash();
        }
        self.settle();
        if !dies && !crashes {
            self.figures.quiet_rounds += 1;
            self.figures.quiet_messages += self.messages - before;
            self.figures.most_messages = self.figures.most_messages.max(self.messages - before);
        }
    }

    /// Everybody who is there knows the same, was told the same, and who is there is who lives.
    fn agree(&mut self) {
        let living = self.living();
        let mut told: BTreeMap<ProtocolId, Told> = BTreeMap::new();
        for at in &living {
            for (protocol, one) in std::mem::take(&mut self.parties[*at].told) {
                let first = told.entry(protocol).or_insert_with(|| one.clone());
                assert!(*first == one, "provider {at} was told otherwise of {protocol:?}");
            }
        }
        let nodes: Vec<u32> = living.iter().map(|at| u32::try_from(*at).unwrap()).collect();
        let known = |at: usize| {
            let provider = self.parties[at].process.as_ref().unwrap().provider(PLACE).unwrap();
            let members = provider.members().to_vec();
            (provider.view(), members, provider.value().clone(), provider.sequence(), provider.open().is_none())
        };
        let first = known(living[0]);
        let mut members: Vec<u32> = first.1.iter().map(|member| member.node).collect();
        members.sort_unstable();
        assert_eq!(members, nodes, "members are those that live");
        assert!(first.4, "nothing runs");
        for at in &living {
            assert!(known(*at) == first, "provider {at} knows something else than provider {}", living[0]);
        }
        let name = attributes().name;
        assert_eq!(self.coordinator.as_ref().unwrap().members(&name), Some(first.1));
    }
}

fn config(setup: Setup, epoch: Epoch) -> Config {
    let mut config = Config::new(DomainId(1), epoch);
    config.durability = setup.durability;
    config
}
