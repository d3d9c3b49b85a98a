//! The model: where it begins, what can happen, and what it leads to.

use super::configs::{ALIASED, DENIED, Harm, Place, Setup};
use super::model::{Marks, Shared, Told};
use super::mutants::Mutant;
use super::world::{Property, Reached, Site, Wire, Word, World, all};
use handover::deferral::client::{self, Client, Credentials, Peer, Task};
use handover::deferral::message::{Alternate, Command, CommandName, Message, Request, RequestKey};
use handover::deferral::server::{self, Server};
use handover::deferral::{RequestFlags, RequestId, ServerAbilities, ServerId, ServerUri};
use handover::machine::{LinkId, Machine};
use handover::time::Instant;
use stateright::Model;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The server that is dialled is there, or is not.
    Open,
    Fail,
    /// The next word arrives.
    ToServer(usize),
    ToClient(usize),
    /// A job is done.
    Finish(usize, usize),
    /// The user is asked whether to wait.
    Wait,
    Leave,
    Cancel,
    /// A deadline has passed.
    Expire,
    ServerExpires(usize),
    /// A link breaks, and each end finds it out.
    Break(usize),
    ClientNotices(usize),
    ServerNotices(usize),
    Crash(usize),
    Restart(usize),
    /// Another client's request.
    Other(usize),
    Drain(usize),
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
}

/// Another name of the first server.
pub(crate) const ALIAS: usize = 4;
/// Who the denied one is.
pub(crate) const STRANGER: usize = 7;
/// Other clients' requests begin here.
pub(crate) const OTHERS: u8 = 100;

pub(crate) fn uri(site: usize) -> ServerUri {
    let host = if site == STRANGER { "elsewhere" } else { "db" };
    format!("handover://{host}:{}", site + 1).parse().expect("a name")
}

pub(crate) fn site_of(uri: &ServerUri) -> usize {
    usize::from(uri.port()) - 1
}

pub(crate) fn command(name: &str) -> Command {
    Command { name: CommandName::new(name).expect("a name"), arguments: Vec::new() }
}

impl Talk {
    pub(crate) fn new(setup: Setup) -> Self {
        Self { setup, properties: Marks::default(), reached: Marks::default() }
    }

    fn abilities(place: Place) -> ServerAbilities {
        if place.writes { ServerAbilities::READ | ServerAbilities::WRITE } else { ServerAbilities::READ }
    }

    pub(crate) fn server(&self, at: usize) -> Server {
        let place = self.setup.places[at];
        let mut config = server::Config::default();
        config.id = ServerId([u8::try_from(at).expect("few") + 1; 16]);
        config.abilities = Self::abilities(place);
        config.busy_threshold = Duration::ZERO;
        let named = self.setup.places.iter().enumerate().filter(|(other, _)| place.names & 1 << other != 0);
        // Of what they are able to do nothing is said: the client must find out.
        for (other, _) in named {
            config.alternates.push(Alternate::new(uri(other)));
        }
        for (bit, other) in [(ALIASED, ALIAS), (DENIED, STRANGER)] {
            if place.names & bit != 0 {
                config.alternates.push(Alternate::new(uri(other)));
            }
        }
        Server::new(config)
    }

    fn client(&self) -> Client {
        let mut config = client::Config::default();
        config.limits.continuations = self.setup.continuations;
        if self.setup.mutant == Mutant::PolicyOff {
            config.policy.hosts = client::Hosts::Any;
        }
        let task = Task {
            read_only: self.setup.harm == Harm::ReadOnly,
            idempotent: self.setup.harm == Harm::Idempotent,
            deadline: self.setup.deadline.then_some(Duration::from_secs(1)),
            credentials: Credentials(vec![42].into()),
            ..Task::new(RequestId([7; 16]), vec![uri(0)], command("first"))
        };
        Client::new(config, task, Instant::ZERO).expect("a client")
    }

    fn begin(&self) -> World {
        let setup = &self.setup;
        let sites = setup.places.iter().enumerate().map(|(at, place)| Site {
            server: Shared::new(self.server(at)),
            up: true,
            boot: 1,
            jobs: Vec::new(),
            continues: place.continues,
            line: Vec::new(),
            cancelled: Vec::new(),
            executed: Vec::new(),
        });
        let w = World {
            client: Shared::new(self.client()),
            sites: sites.collect(),
            wires: Vec::new(),
            asks: false,
            asked: Vec::new(),
            dials: 0,
            earned: false,
            begun: vec![0],
            lost: false,
            cancels_now: false,
            known: vec![0],
            outcomes: Vec::new(),
            losses: setup.losses,
            crashes: setup.crashes,
            cancels: setup.cancels,
            leaves: setup.leaves,
            expires: setup.expires,
            forgets: setup.forgets,
            others: setup.others,
            drains: setup.drains,
            disturbed: false,
            refuted: 0,
        };
        let mut step = Step { talk: self, w };
        for (at, place) in setup.places.iter().enumerate() {
            (0..place.before).for_each(|number| step.other(at, number));
        }
        step.drain_client(Ok(()));
        step.w
    }

    fn step(&self, world: &World, action: Action) -> World {
        let mut step = Step { talk: self, w: world.clone() };
        step.take(action);
        let mut left = Vec::new();
        self.duties(&step.w, &mut left);
        if left.is_empty() && step.w.client.get().poll_timeout().is_none() {
            step.at_rest();
        }
        step.w
    }

    /// What happens in any case, some time.
    fn duties(&self, w: &World, actions: &mut Vec<Action>) {
        for (at, wire) in w.wires.iter().enumerate() {
            let up = w.sites.get(wire.site).is_some_and(|site| site.up);
            if wire.dialled {
                actions.push(if up && !wire.broken { Action::Open } else { Action::Fail });
                continue;
            }
            if wire.server && !wire.to_server.is_empty() {
                actions.push(Action::ToServer(at));
            }
            if wire.client && !wire.to_client.is_empty() {
                actions.push(Action::ToClient(at));
            }
            if wire.broken && wire.client {
                actions.push(Action::ClientNotices(at));
            }
            if wire.broken && wire.server {
                actions.push(Action::ServerNotices(at));
            }
        }
        for (at, site) in w.sites.iter().enumerate() {
            actions.extend((0..site.jobs.len()).map(|job| Action::Finish(at, job)));
        }
        if w.asks {
            actions.push(Action::Wait);
        }
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

    fn take(&mut self, action: Action) {
        use client::Input;
        match action {
            Action::Open => {
                let wire = self.w.wires.iter_mut().find(|wire| wire.dialled).expect("a link that is dialled");
                (wire.dialled, wire.server) = (false, true);
                let (link, site) = (wire.link, &self.w.sites[wire.site]);
                let peer =
                    Peer { id: ServerId::UNKNOWN, memory: self.talk.setup.memory.then_some(site.boot), max_body: None };
                self.client_is_given(Input::Opened { link, peer });
                if self.talk.setup.mutant == Mutant::OpenedTwice {
                    self.client_is_given(Input::Opened { link, peer });
                }
            }
            Action::Fail => {
                let at = self.w.wires.iter().position(|wire| wire.dialled).expect("a link that is dialled");
                let wire = self.w.wires.remove(at);
                if !wire.broken && self.w.sites.get(wire.site).is_some_and(|site| site.up) {
                    self.w.losses -= 1;
                }
                self.w.disturbed = true;
                self.client_is_given(Input::Closed(wire.link));
            }
            Action::ToServer(at) => self.server_reads(at),
            Action::ToClient(at) => self.client_reads(at),
            Action::Finish(site, job) => self.finish(site, job),
            Action::Wait => {
                self.w.asks = false;
                self.reach(Reached::Asked);
                self.client_is_given(Input::Wait(self.talk.setup.mutant != Mutant::NeverWaits));
            }
            Action::Leave => {
                (self.w.asks, self.w.leaves, self.w.disturbed) = (false, self.w.leaves - 1, true);
                self.client_is_given(Input::Wait(false));
            }
            Action::Cancel => {
                (self.w.cancels, self.w.disturbed) = (self.w.cancels - 1, true);
                self.client_is_given(Input::Cancel);
            }
            Action::Expire => {
                let mut left = Vec::new();
                self.talk.duties(&self.w, &mut left);
                if !left.is_empty() {
                    self.w.expires -= 1;
                }
                (self.w.disturbed, self.w.asks) = (true, false);
                // It does not wait for the last answer any more.
                self.w.lost |= match self.w.client.get().state() {
                    client::State::Executing => true,
                    client::State::Waiting | client::State::Queued => self.w.cancels_now,
                    _ => false,
                };
                self.reach(Reached::Impatient);
                self.client_is_given(Input::Timeout);
            }
            Action::ServerExpires(site) => {
                (self.w.forgets, self.w.disturbed) = (self.w.forgets - 1, true);
                self.server_is_given(site, server::Input::Timeout);
            }
            Action::Break(at) => {
                (self.w.losses, self.w.disturbed) = (self.w.losses - 1, true);
                self.breaks(at);
            }
            Action::ClientNotices(at) => {
                let wire = &mut self.w.wires[at];
                wire.client = false;
                let link = wire.link;
                self.w.lost = true;
                self.client_is_given(Input::Closed(link));
            }
            Action::ServerNotices(at) => {
                let wire = &mut self.w.wires[at];
                wire.server = false;
                let (link, site) = (wire.link, wire.site);
                self.server_is_given(site, server::Input::Closed(link));
            }
            Action::Crash(at) => self.crash(at),
            Action::Restart(at) => self.w.sites[at].up = true,
            Action::Other(at) => {
                self.w.others -= 1;
                self.other(at, 10 + self.w.others);
            }
            Action::Drain(at) => {
                self.w.drains -= 1;
                self.reach(Reached::Draining);
                self.server_is_given(at, server::Input::Drain);
            }
        }
        self.w.wires.retain(|wire| wire.dialled || wire.client || wire.server);
    }

    fn breaks(&mut self, at: usize) {
        let wire = &mut self.w.wires[at];
        wire.broken = true;
        wire.to_server.clear();
        wire.to_client.clear();
    }

    fn crash(&mut self, at: usize) {
        self.reach(Reached::Crashed);
        (self.w.crashes, self.w.disturbed) = (self.w.crashes - 1, true);
        let fresh = self.talk.server(at);
        let site = &mut self.w.sites[at];
        site.server = Shared::new(fresh);
        site.up = false;
        // Who says that it is the same as before, and is not.
        site.boot += u32::from(self.talk.setup.mutant != Mutant::SameMemory);
        site.jobs.clear();
        site.line.clear();
        site.cancelled.clear();
        site.executed.clear();
        for wire in 0..self.w.wires.len() {
            if self.w.wires[wire].site == at {
                self.breaks(wire);
                self.w.wires[wire].server = false;
            }
        }
    }

    /// Another client's request, that changes something and has been round the block.
    fn other(&mut self, at: usize, number: u8) {
        let key = RequestKey { id: RequestId([OTHERS + number; 16]), epoch: 0 };
        let request =
            Request { flags: RequestFlags::PRIORITY | RequestFlags::READ_ONLY, ..Request::new(key, command("other")) };
        let link = LinkId(u32::from(OTHERS) + u32::from(number));
        let message = Message::Request(Box::new(request));
        self.server_is_given(at, server::Input::Message { link, message, random: 1 });
    }
}

impl Model for Talk {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![self.begin()]
    }

    fn actions(&self, w: &World, actions: &mut Vec<Action>) {
        if w.refuted != 0 && self.setup.mutant == Mutant::None {
            return;
        }
        self.duties(w, actions);
        let idle = actions.is_empty();
        let over = !w.outcomes.is_empty();
        // It passes when nothing else happens, and sometimes although something does.
        if w.client.get().poll_timeout().is_some() && (idle || w.expires > 0) {
            actions.push(Action::Expire);
        }
        if over {
            return;
        }
        if w.asks && w.leaves > 0 {
            actions.push(Action::Leave);
        }
        if w.cancels > 0 {
            actions.push(Action::Cancel);
        }
        for (at, wire) in w.wires.iter().enumerate() {
            if w.losses > 0 && !wire.broken {
                let up = w.sites.get(wire.site).is_some_and(|site| site.up);
                if wire.dialled && up {
                    // It cannot be reached, although it is up.
                    actions.push(Action::Fail);
                } else if !wire.dialled && wire.client {
                    actions.push(Action::Break(at));
                }
            }
        }
        for (at, site) in w.sites.iter().enumerate() {
            if !site.up {
                actions.push(Action::Restart(at));
                continue;
            }
            if w.crashes > 0 {
                actions.push(Action::Crash(at));
            }
            if w.others > 0 {
                actions.push(Action::Other(at));
            }
            if w.drains > 0 {
                actions.push(Action::Drain(at));
            }
            if w.forgets > 0 && site.server.get().poll_timeout().is_some() {
                actions.push(Action::ServerExpires(at));
            }
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

impl Wire {
    pub(crate) fn new(link: LinkId, name: usize) -> Self {
        let (to_server, to_client) = (Default::default(), Default::default());
        let site = if name == ALIAS { 0 } else { name };
        Self { link, name, site, dialled: true, to_server, to_client, client: true, server: false, broken: false }
    }

    pub(crate) fn says(&mut self, message: Message) {
        if self.server && !self.broken {
            self.to_server.push_back(Word::Message(message));
        }
    }
}
