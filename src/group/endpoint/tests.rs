use super::{
    Command, CoordinatorConfig, CoordinatorEndpoint, CoordinatorEvent, CoordinatorOutput, ProcessConfig,
    ProcessEndpoint, ProcessOutput,
};
use crate::group::coordinator::{Durability, Event as DomainEvent};
use crate::group::message::Ballot;
use crate::group::name::{CoordinatorId, DomainId, Epoch, GroupName, RequestId, StateValue};
use crate::group::process::{Config, End, Event, Input};
use crate::group::proposal::{Voting, Wish};
use crate::group::provider::{Departure, Event as ProviderEvent, Input as ProviderInput};
use crate::group::replica::{self, Memory};
use crate::group::subscriber::Event as SubscriberEvent;
use crate::group::{Attributes, LeaveReason, Phases, Subscription, Vote};
use crate::machine::LinkId;
use crate::time::Instant;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// Whom a link goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wire {
    Process(usize, LinkId),
    Coordinator(usize, LinkId),
}

/// Processes and coordinators, and what is on its way between them.
struct Network {
    now: Instant,
    coordinators: Vec<Option<CoordinatorEndpoint>>,
    processes: Vec<Option<ProcessEndpoint>>,
    wires: BTreeMap<Wire, Wire>,
    flying: VecDeque<(Wire, Option<Vec<u8>>)>,
    heard: Vec<Vec<Event>>,
    domain: Vec<Vec<CoordinatorEvent>>,
}

impl Network {
    fn new(coordinators: u16, durability: Durability) -> Self {
        let now = Instant::ZERO;
        let make = |id: u16| {
            let mut config = replica::Config::new(CoordinatorId(id), coordinators);
            config.durability = durability;
            Some(CoordinatorEndpoint::new(CoordinatorConfig::new(DomainId(7), config), Memory::default(), now))
        };
        let mut network = Self {
            now,
            coordinators: (0..coordinators).map(make).collect(),
            processes: Vec::new(),
            wires: BTreeMap::new(),
            flying: VecDeque::new(),
            heard: Vec::new(),
            domain: (0..coordinators).map(|_| Vec::new()).collect(),
        };
        for one in 0..usize::from(coordinators) {
            for other in 0..one {
                network.connect_coordinators(one, other);
            }
        }
        network.settle();
        network
    }

    fn wire(&mut self, one: Wire, other: Wire) {
        self.wires.insert(one, other);
        self.wires.insert(other, one);
    }

    fn connect_coordinators(&mut self, one: usize, other: usize) {
        let now = self.now;
        let id = |number: usize| CoordinatorId(u16::try_from(number).unwrap());
        let link = self.coordinators[one].as_mut().unwrap().connected(now, id(other));
        let back = self.coordinators[other].as_mut().unwrap().connected(now, id(one));
        self.wire(Wire::Coordinator(one, link), Wire::Coordinator(other, back));
    }

    fn process(&mut self, node: u32, incarnation: u64) -> usize {
        let config = ProcessConfig::new(Config::new(node, incarnation));
        self.processes.push(Some(ProcessEndpoint::new(config)));
        self.heard.push(Vec::new());
        self.processes.len() - 1
    }

    fn dial(&mut self, process: usize, coordinator: usize) {
        let now = self.now;
        let link = self.processes[process].as_mut().unwrap().connected(now).unwrap();
        let back = self.coordinators[coordinator].as_mut().unwrap().accept(now);
        self.wire(Wire::Process(process, link), Wire::Coordinator(coordinator, back));
        self.settle();
    }

    /// Carries everything that is on its way, and all that follows from it.
    fn settle(&mut self) {
        loop {
            self.collect();
            let Some((to, what)) = self.flying.pop_front() else { return };
            let now = self.now;
            match to {
                Wire::Process(at, link) => {
                    let Some(process) = &mut self.processes[at] else { continue };
                    match what {
                        Some(bytes) => process.received(now, link, &bytes).unwrap(),
                        None => process.closed(now, link).unwrap(),
                    }
                }
                Wire::Coordinator(at, link) => {
                    let Some(coordinator) = &mut self.coordinators[at] else { continue };
                    match what {
                        Some(bytes) => coordinator.received(now, link, &bytes).unwrap(),
                        None => coordinator.closed(now, link).unwrap(),
                    }
                }
            }
        }
    }

    fn send(&mut self, from: Wire, what: Option<Vec<u8>>) {
        let closes = what.is_none();
        if let Some(to) = self.wires.get(&from).copied() {
            self.flying.push_back((to, what));
            if closes {
                self.wires.remove(&from);
                self.wires.remove(&to);
            }
        }
    }

    fn collect(&mut self) {
        for at in 0..self.processes.len() {
            while let Some(output) = self.processes[at].as_mut().and_then(ProcessEndpoint::poll_output) {
                match output {
                    ProcessOutput::Transmit { link, bytes } => {
                        self.send(Wire::Process(at, link), Some(bytes.to_vec()));
                    }
                    ProcessOutput::Close(link) => self.send(Wire::Process(at, link), None),
                    ProcessOutput::Event(event) => self.heard[at].push(event),
                }
            }
        }
        let now = self.now;
        for at in 0..self.coordinators.len() {
            while let Some(output) = self.coordinators[at].as_mut().and_then(CoordinatorEndpoint::poll_output) {
                let mut answer = None;
                match output {
                    CoordinatorOutput::Transmit { link, bytes } => {
                        self.send(Wire::Coordinator(at, link), Some(bytes.to_vec()));
                    }
                    CoordinatorOutput::Close(link) => self.send(Wire::Coordinator(at, link), None),
                    CoordinatorOutput::Store { number, .. } => answer = Some(Command::Stored(number)),
                    CoordinatorOutput::Event(event) => {
                        if let CoordinatorEvent::Domain(DomainEvent::Entering { link, .. }) = &event {
                            answer = Some(Command::Admit { link: *link, allowed: true });
                        }
                        self.domain[at].push(event);
                    }
                }
                if let (Some(answer), Some(coordinator)) = (answer, &mut self.coordinators[at]) {
                    coordinator.command(now, answer).unwrap();
                }
            }
        }
    }

    fn order(&mut self, coordinator: usize, command: Command) {
        let now = self.now;
        self.coordinators[coordinator].as_mut().unwrap().command(now, command).unwrap();
        self.settle();
    }

    fn command(&mut self, process: usize, input: Input) {
        let now = self.now;
        self.processes[process].as_mut().unwrap().command(now, input).unwrap();
        self.settle();
    }

    fn join(&mut self, process: usize, request: u32, attributes: &Attributes) {
        let (request, attributes) = (RequestId(request), attributes.clone());
        let input = Input::Join { request, attributes, instance: 1, local_name: String::new() };
        self.command(process, input);
    }

    fn say(&mut self, process: usize, request: u32, input: ProviderInput) {
        self.command(process, Input::Provider { request: RequestId(request), input });
    }

    fn vote(&mut self, process: usize, request: u32, vote: Vote) {
        let ballot = Ballot { vote, default_vote: None, state: None, message: None };
        let provider = self.processes[process].as_ref().unwrap().process().provider(RequestId(request)).unwrap();
        let open = provider.open().unwrap();
        let (protocol, phase) = (open.protocol, open.phase);
        self.say(process, request, ProviderInput::Vote { protocol, phase, ballot });
    }

    /// A process or a coordinator is gone without a word.
    fn kill_process(&mut self, at: usize) {
        self.processes[at] = None;
        self.cut(|end| matches!(end, Wire::Process(of, _) if *of == at));
    }

    fn kill_coordinator(&mut self, at: usize) {
        self.coordinators[at] = None;
        self.cut(|end| matches!(end, Wire::Coordinator(of, _) if *of == at));
    }

    fn cut(&mut self, gone: impl Fn(&Wire) -> bool) {
        let ends: Vec<Wire> = self.wires.keys().copied().filter(|end| gone(end)).collect();
        for end in ends {
            self.send(end, None);
        }
        self.settle();
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now = self.now.saturating_add(Duration::from_secs(1));
            let now = self.now;
            for coordinator in self.coordinators.iter_mut().flatten() {
                coordinator.timeout(now).unwrap();
            }
            for process in self.processes.iter_mut().flatten() {
                process.timeout(now).unwrap();
            }
            self.settle();
        }
    }

    /// What a provider has heard since the last time.
    fn provider(&mut self, process: usize) -> Vec<ProviderEvent> {
        let events = core::mem::take(&mut self.heard[process]);
        events
            .into_iter()
            .filter_map(|event| match event {
                Event::Provider { event, .. } => Some(event),
                _ => None,
            })
            .collect()
    }

    fn nodes(&self, process: usize, request: u32) -> Vec<u32> {
        let process = self.processes[process].as_ref().unwrap().process();
        process.provider(RequestId(request)).unwrap().members().iter().map(|member| member.node).collect()
    }
}

fn attributes(phases: Phases) -> Attributes {
    let mut attributes = Attributes::new(GroupName::new("kitchen").unwrap());
    attributes.phases = phases;
    attributes
}

fn founded(coordinators: u16, durability: Durability, processes: u32) -> Network {
    let mut network = Network::new(coordinators, durability);
    network.order(0, Command::Found);
    for number in 0..processes {
        let at = network.process(number + 1, 1);
        network.dial(at, 0);
    }
    network
}

#[test]
fn three_join_one_dies() {
    let mut network = founded(1, Durability::Survivors, 4);
    let attributes = attributes(Phases::ONE);
    for at in 0..3 {
        network.join(at, 1, &attributes);
    }
    let subscription = Subscription::all();
    let group = attributes.name.clone();
    network.command(3, Input::Subscribe { request: RequestId(9), group, subscription });
    for at in 0..3 {
        assert_eq!(network.nodes(at, 1), [1, 2, 3]);
    }
    network.kill_process(1);
    assert_eq!(network.nodes(0, 1), [1, 3]);
    let last = network.provider(2).pop();
    let Some(ProviderEvent::Approved(ended)) = last else { panic!("{last:?}") };
    assert_eq!(ended.outcome.proposal.leaving[0].reason, LeaveReason::PROVIDER_FAILURE);
    let notices = network.heard[3].iter().filter_map(|event| match event {
        Event::Subscriber { event: SubscriberEvent::Notice(notice), .. } => Some(notice),
        _ => None,
    });
    let members: Vec<usize> = notices.map(|notice| notice.members.as_ref().map_or(0, Vec::len)).collect();
    assert_eq!(members, [3, 2]);
}

#[test]
fn a_rejecting_voter() {
    let mut network = founded(1, Durability::Survivors, 2);
    let attributes = attributes(Phases::ONE);
    network.join(0, 1, &attributes);
    network.join(1, 1, &attributes);
    let voting = Voting { phases: Phases::N, time_limit: 0 };
    let wish = Wish::State(StateValue::new("soup").unwrap());
    network.say(0, 1, ProviderInput::Propose { request: RequestId(2), voting, view: None, wish });
    network.vote(0, 1, Vote::APPROVE);
    network.vote(1, 1, Vote::REJECT);
    assert!(matches!(network.provider(0).pop(), Some(ProviderEvent::Rejected(_))));
    let process = network.processes[0].as_ref().unwrap().process();
    assert!(process.provider(RequestId(1)).unwrap().value().as_bytes().is_empty());
}

/// Scenarios of a take-over, with every durability.
fn durabilities() -> [Durability; 3] {
    [Durability::Survivors, Durability::Replicated(1), Durability::Quorum]
}

#[test]
fn the_standby_finishes_what_runs() {
    for durability in durabilities() {
        let mut network = founded(3, durability, 3);
        let attributes = attributes(Phases::ONE);
        for at in 0..3 {
            network.join(at, 1, &attributes);
        }
        let voting = Voting { phases: Phases::N, time_limit: 0 };
        let wish = Wish::State(StateValue::new("soup").unwrap());
        network.say(0, 1, ProviderInput::Propose { request: RequestId(2), voting, view: None, wish });
        network.vote(0, 1, Vote::APPROVE);
        network.kill_coordinator(0);
        // A vote that is given while nobody reigns counts.
        network.vote(1, 1, Vote::APPROVE);
        network.pass(6);
        network.order(1, Command::TakeOver);
        for at in 0..3 {
            network.dial(at, 1);
        }
        network.pass(10);
        assert!(network.domain[1].contains(&CoordinatorEvent::Reigns(Epoch(0x2_0001))), "{durability:?}");
        network.vote(2, 1, Vote::APPROVE);
        for at in 0..3 {
            let process = network.processes[at].as_ref().unwrap().process();
            let provider = process.provider(RequestId(1)).unwrap();
            assert_eq!(&provider.value().as_bytes()[..], b"soup", "{durability:?} {at}");
            assert_eq!(network.nodes(at, 1), [1, 2, 3]);
            assert!(matches!(network.provider(at).pop(), Some(ProviderEvent::Approved(_))));
        }
    }
}

#[test]
fn who_does_not_come_back_has_failed() {
    for durability in durabilities() {
        let mut network = founded(3, durability, 3);
        for at in 0..3 {
            network.join(at, 1, &attributes(Phases::ONE));
        }
        network.kill_coordinator(0);
        network.pass(6);
        network.order(2, Command::TakeOver);
        network.dial(0, 2);
        network.dial(2, 2);
        network.pass(10);
        assert_eq!(network.nodes(0, 1), [1, 3]);
        assert_eq!(network.nodes(2, 1), [1, 3]);
        // It comes too late, and is told.
        network.dial(1, 2);
        assert!(matches!(network.heard[1].last(), Some(Event::Ended(End::Dissolved(_)))));
        assert!(network.provider(1).iter().any(|event| matches!(event, ProviderEvent::Gone(Departure::Dissolved(_)))));
    }
}

#[test]
fn nobody_is_told_before_it_is_kept() {
    let mut network = founded(2, Durability::Replicated(1), 1);
    network.kill_coordinator(1);
    network.join(0, 1, &attributes(Phases::ONE));
    assert!(network.provider(0).iter().all(|event| matches!(event, ProviderEvent::Accepted(_))));
}

#[test]
fn a_reign_without_a_quorum_ends() {
    let mut network = founded(3, Durability::Quorum, 1);
    network.join(0, 1, &attributes(Phases::ONE));
    network.kill_coordinator(1);
    network.pass(10);
    assert_eq!(network.nodes(0, 1), [1]);
    network.kill_coordinator(2);
    network.pass(10);
    assert!(network.coordinators[0].as_ref().unwrap().coordinator().is_none());
    assert!(matches!(network.heard[0].last(), Some(Event::Ended(End::Dissolved(_)))));
}
