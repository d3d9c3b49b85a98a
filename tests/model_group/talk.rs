//! The model: where it begins, what can happen, and what it leads to.

use super::configs::{Ask, Say, Setup, Wish};
use super::glue::{join_of, wish_of};
use super::model::{Marks, Shared, Told};
use super::mutants::Mutant;
use super::world::{Peer, Person, Property, Reached, Seat, World, all};
use handover::frame::Text;
use handover::group::message::Ballot;
use handover::group::process::{self, Process};
use handover::group::proposal::{Expulsion, Voting, Wish as Proposed};
use handover::group::replica::{self, Replica};
use handover::group::{
    CoordinatorId, DomainId, Epoch, ProviderId, ProviderMessage, RequestId, StateValue, Subscription, Vote,
    coordinator, provider,
};
use handover::time::Instant;
use stateright::Model;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The next word on a link arrives, or the loss of the link is noticed.
    ToPerson(usize),
    ToSeat(usize),
    PersonNotices(usize),
    SeatNotices(usize),
    /// The same between coordinators.
    ToPeer(usize, usize),
    PeerNotices(usize, usize),
    /// A coordinator has stored what it wanted to.
    Stored(usize),
    /// A process without a link looks for a coordinator.
    Dial(usize, usize),
    Join(usize, usize),
    Watch(usize, usize),
    Vote(usize, usize, usize),
    Deactivated(usize, usize, bool),
    Wish(usize),
    Goodbye(usize, usize),
    JoinAgain(usize, usize),
    /// A vote comes once more.
    Echo(usize),
    Return(usize),
    TakeOver(usize),
    /// A deadline has passed.
    SeatExpires(usize),
    ReplicaExpires(usize),
    Kill(usize),
    Crash(usize),
    Restart(usize),
    NodeDown(usize, usize),
    Break(usize),
    Meet(usize),
}

#[derive(Debug)]
pub(crate) struct Talk {
    pub(crate) setup: Setup,
    pub(crate) properties: Marks,
    pub(crate) reached: Marks,
}

/// A step of the model: the world, while it is being changed.
pub(crate) struct Step<'a> {
    pub(crate) talk: &'a Talk,
    pub(crate) w: World,
    /// What coordinators have said and nobody has heard yet.
    pub(crate) said: VecDeque<(usize, coordinator::Output)>,
    /// A proposal that must collide.
    pub(crate) collides: Option<RequestId>,
    /// A coordinator goes on from where the one before it was.
    pub(crate) recovered: bool,
}

pub(crate) const DOMAIN: DomainId = DomainId(7);
/// Never sent.
pub(crate) const LOCAL_NAME: &str = "only here";
/// Links of one process are numbered from here.
pub(crate) const LINKS: u32 = 100;
/// Most links of a process.
pub(crate) const MOST_LINKS: u32 = 4;

pub(crate) fn node(person: usize) -> u32 {
    u32::try_from(person).expect("few") + 1
}

pub(crate) fn provider_id(person: usize, incarnation: u64) -> ProviderId {
    ProviderId { node: node(person), instance: 1, incarnation }
}

fn value(text: &'static str) -> StateValue {
    StateValue::new(text).expect("a value")
}

impl Talk {
    pub(crate) fn new(setup: Setup) -> Self {
        Self { setup, properties: Marks::default(), reached: Marks::default() }
    }

    pub(crate) fn process(person: usize, incarnation: u64) -> Process {
        Process::new(process::Config::new(node(person), incarnation))
    }

    pub(crate) fn replica(&self, at: usize, memory: replica::Memory) -> Replica {
        let number = |number: usize| u16::try_from(number).expect("few");
        let mut config = replica::Config::new(CoordinatorId(number(at)), number(self.setup.seats));
        config.durability = self.setup.durability;
        config.address = Text::new(format!("seat {at}")).expect("short");
        config.heartbeat = Duration::from_secs(2);
        Replica::new(config, memory, Instant::ZERO)
    }

    fn seat(&self, at: usize) -> Seat {
        Seat {
            replica: Shared::new(self.replica(at, replica::Memory::default())),
            reign: None,
            epoch: Epoch(0),
            up: true,
            tries: 2,
            now: Instant::ZERO,
            storing: VecDeque::new(),
            stored: replica::Memory::default(),
            tallies: Vec::new(),
            goodbyes: BTreeSet::new(),
            downs: BTreeSet::new(),
            places: vec![Vec::new(); self.setup.places.len()],
            held: Some(BTreeMap::new()),
            keeping: Vec::new(),
            ended: BTreeMap::new(),
            takes_over: false,
        }
    }

    fn begin(&self) -> World {
        let person = |at: usize| Person {
            process: Shared::new(Self::process(at, 1)),
            incarnation: 1,
            up: true,
            over: false,
            links: 0,
            epoch: Epoch(0),
            asked: 0,
            voted: None,
        };
        let seats = 0..self.setup.seats;
        let pairs = seats.clone().flat_map(|one| seats.clone().map(move |other| (one, other)));
        let w = World {
            seats: seats.clone().map(|at| self.seat(at)).collect(),
            people: (0..self.setup.people).map(person).collect(),
            wires: Vec::new(),
            peers: pairs.filter(|(one, other)| one != other).map(|pair| (pair, Peer::default())).collect(),
            diaries: Vec::new(),
            ends: BTreeMap::new(),
            names: BTreeMap::new(),
            tokens: BTreeMap::new(),
            wished: 0,
            budget: self.setup.budget,
            refuted: 0,
        };
        let mut step = Step::new(self, w);
        step.begin();
        step.w
    }

    fn step(&self, world: &World, action: Action) -> World {
        let mut step = Step::new(self, world.clone());
        step.take(action);
        step.tidy();
        let mut left = Vec::new();
        self.duties(&step.w, &mut left);
        if left.is_empty() {
            self.deadlines(&step.w, true, &mut left);
        }
        if left.is_empty() {
            step.at_rest();
        }
        step.w
    }
}

impl<'a> Step<'a> {
    fn new(talk: &'a Talk, w: World) -> Self {
        Self { talk, w, said: VecDeque::new(), collides: None, recovered: false }
    }
}

impl Step<'_> {
    pub(crate) fn check(&mut self, property: Property, holds: bool) {
        self.talk.properties.set(property as u32);
        if !holds {
            self.w.refuted |= 1 << property as u32;
        }
    }

    pub(crate) fn reach(&self, what: Reached) {
        self.talk.reached.set(what as u32);
    }

    /// Founds the domain, and lets in who is there when it begins.
    fn begin(&mut self) {
        for (one, other) in self.w.peers.keys().copied().collect::<Vec<_>>() {
            self.connect(one, other);
        }
        self.take_over(0);
        self.settle();
        for person in 0..self.w.people.len() {
            self.take(Action::Dial(person, 0));
            self.settle();
        }
        for (number, place) in self.talk.setup.places.iter().enumerate() {
            for &person in &place.members {
                self.take(Action::Join(person, number));
                self.settle();
            }
            for &person in &place.watchers {
                self.take(Action::Watch(person, number));
                self.settle();
            }
        }
    }

    /// Everything that is under way arrives; who is to vote approves.
    fn settle(&mut self) {
        loop {
            self.tidy();
            let mut left = Vec::new();
            self.talk.duties(&self.w, &mut left);
            let arrives = |action: &&Action| match action {
                Action::Vote(person, ..) => !self.talk.setup.says[*person].is_empty(),
                Action::ToPerson(_) | Action::ToSeat(_) | Action::ToPeer(..) | Action::Stored(_) => true,
                _ => false,
            };
            match left.iter().find(arrives) {
                Some(&Action::Vote(person, place, _)) => self.votes(person, place, Say::Approve),
                Some(&action) => self.take(action),
                None => return,
            }
        }
    }

    fn votes(&mut self, person: usize, place: usize, say: Say) {
        let process = self.w.people[person].process.get();
        let open = process.provider(join_of(place)).and_then(provider::Provider::open);
        let Some((protocol, phase)) = open.map(|open| (open.protocol, open.phase)) else { return };
        let once = if phase > 1 { Vote::APPROVE } else { Vote::CONTINUE };
        let ballot = |vote: Vote| Ballot { vote, default_vote: None, state: None, message: None };
        let ballot = match say {
            Say::Approve => ballot(Vote::APPROVE),
            Say::Reject => ballot(Vote::REJECT),
            Say::Continue => ballot(once),
            Say::State(text) => Ballot { state: Some(value(text)), ..ballot(Vote::APPROVE) },
            Say::Default(vote) => Ballot { default_vote: Some(vote), ..ballot(Vote::APPROVE) },
            Say::ContinueDefault(vote) => Ballot { default_vote: Some(vote), ..ballot(once) },
        };
        self.provider_is_given(person, place, provider::Input::Vote { protocol, phase, ballot });
    }

    fn take(&mut self, action: Action) {
        match action {
            Action::ToPerson(at) => self.person_reads(at),
            Action::ToSeat(at) => self.seat_reads(at),
            Action::PersonNotices(at) => self.person_notices(at),
            Action::SeatNotices(at) => self.seat_notices(at),
            Action::ToPeer(from, to) => self.peer_reads(from, to),
            Action::PeerNotices(from, to) => self.peer_notices(from, to),
            Action::Stored(seat) => {
                self.stores(seat);
            }
            Action::Dial(person, seat) => self.dial(person, seat),
            Action::Join(person, place) => self.join(person, place),
            Action::Watch(person, place) => self.watch(person, place, Subscription::all()),
            Action::Vote(person, place, say) => self.votes(person, place, self.talk.setup.says[person][say]),
            Action::Deactivated(person, place, successful) => {
                self.provider_is_given(person, place, provider::Input::Deactivated(successful));
                for diary in &mut self.w.diaries {
                    if (diary.person, diary.place) == (person, place) {
                        diary.deactivating = false;
                    }
                }
                self.reach(Reached::Deactivated);
            }
            Action::Wish(number) => {
                self.w.wished |= 1 << number;
                self.wishes(number, self.talk.setup.wishes[number]);
            }
            Action::Goodbye(person, place) => {
                self.w.budget.goodbyes -= 1;
                self.provider_is_given(person, place, provider::Input::Goodbye);
            }
            Action::JoinAgain(person, place) => {
                self.w.budget.rejoins -= 1;
                self.w.diaries.retain(|diary| (diary.person, diary.place, diary.watches) != (person, place, false));
                self.join(person, place);
            }
            Action::Echo(person) => {
                self.w.budget.echoes -= 1;
                self.echo(person);
            }
            Action::Return(person) => {
                self.w.budget.returns -= 1;
                self.comes_back(person);
            }
            Action::TakeOver(seat) => {
                if !Talk::must_take_over(&self.w, seat) {
                    self.w.budget.splits -= 1;
                }
                self.take_over(seat);
            }
            Action::SeatExpires(seat) => self.seat_expires(seat),
            Action::ReplicaExpires(seat) => self.replica_expires(seat),
            Action::Kill(person) => {
                self.w.budget.kills -= 1;
                self.kill(person);
            }
            Action::Crash(seat) => {
                self.w.budget.crashes -= 1;
                self.crash(seat);
            }
            Action::Restart(seat) => {
                self.w.budget.restarts -= 1;
                self.restart(seat);
            }
            Action::NodeDown(seat, person) => {
                self.w.budget.downs -= 1;
                self.node_down(seat, person);
            }
            Action::Break(at) => {
                self.w.budget.breaks -= 1;
                self.w.wires[at].broken = true;
            }
            Action::Meet(seat) => {
                self.w.budget.merges -= 1;
                self.meet(seat);
            }
        }
    }

    fn wishes(&mut self, number: usize, wish: Wish) {
        let voting = Voting { phases: wish.phases, time_limit: wish.limit };
        let wanted = match wish.ask {
            Ask::State(text) => Proposed::State(value(text)),
            Ask::Message => Proposed::Message(ProviderMessage::new("to all").expect("a message")),
            Ask::Leave => Proposed::Leave(4),
            Ask::Expel(people, deactivate_phase) => Proposed::Expel(Expulsion {
                targets: people.iter().map(|person| self.identity(*person)).collect(),
                deactivate_phase,
                flag: Default::default(),
            }),
            Ask::Version(version) => {
                let mut attributes = self.talk.setup.places[wish.place].attributes.clone();
                attributes.client_version = version;
                Proposed::Attributes(Box::new(attributes))
            }
        };
        let request = wish_of(number);
        let input = provider::Input::Propose { request, voting, view: None, wish: wanted };
        self.provider_is_given(wish.person, wish.place, input);
    }
}

impl Model for Talk {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![self.begin()]
    }

    fn actions(&self, w: &World, actions: &mut Vec<Action>) {
        // What follows from what is wrong already says nothing.
        if w.refuted == 0 || self.setup.mutant != Mutant::None {
            self.choices(w, actions);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        Some(self.step(world, action))
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        all()
    }
}

impl Told for Talk {
    fn tell(&self, world: &World, action: Action) -> String {
        format!("{action:?}: {}", self.step(world, action).line())
    }
}
