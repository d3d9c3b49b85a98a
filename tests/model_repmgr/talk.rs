//! The model: where it begins, what can happen, and what it leads to.

use super::adapter::{Form, Seen, Step, Stimulus};
use super::choices::Action;
use super::configs::Setup;
use super::ghost::{self, Ghost, Property};
use super::model::{Shared, Told};
use super::mutants::Mutant;
use super::words::master;
use super::world::{Code, End, Local, Peer, Place, Side, Site, Source, Word, World, count_of, number};
use handover::machine::Machine;
use handover::repmgr::channel::{Channel, Input, To};
use handover::repmgr::connection::Connection;
use handover::repmgr::dispatcher::Dispatcher;
use handover::time::Instant;
use stateright::Model;
use std::collections::VecDeque;

#[derive(Debug)]
pub(crate) struct Talk {
    pub(crate) setup: Setup,
    pub(crate) seen: Seen,
}

impl Talk {
    pub(crate) fn new(setup: Setup) -> Self {
        Self { setup, seen: Seen::default() }
    }

    fn place(&self, site: Site) -> Place {
        let to = self.setup.channels.iter().find(|(from, _)| *from == site).map(|(_, to)| *to);
        let destination = to.and_then(|to| to.or(self.setup.first_master));
        let channel = to.map(|to| {
            let address = to.map(super::words::address);
            let mut channel = Channel::new(self.setup.channel(), address.map_or(To::Master, To::Site));
            if to.is_none() {
                let first = Input::Master(master(site, self.setup.first_master));
                channel.handle(Instant::ZERO, first).expect("a legal start");
            }
            Shared::new(channel)
        });
        Place {
            channel,
            clock: Instant::ZERO,
            dispatcher: Shared::new(Dispatcher::new(self.setup.dispatcher())),
            local: Local::default(),
            tasks: Vec::new(),
            ghost: Ghost { master: destination, ..Ghost::default() },
        }
    }

    /// A world and what an action makes of it; `None` if that is refused.
    fn step(&self, world: &World, action: Action, log: Option<Vec<String>>) -> Option<Step<'_>> {
        let mut duties = Vec::new();
        let pending = VecDeque::new();
        let mut step = Step { setup: &self.setup, seen: &self.seen, w: world.clone(), pending, log };
        if let Action::Fire(_) = action {
            world.duties(&mut duties);
            if duties.is_empty() {
                // Nothing else is left to do: a timer has to help, and that only where a peer owes something.
                step.check(Property::Ends, self.setup.rogue.is_some());
            } else {
                step.w.budget.timers -= 1;
            }
            duties.clear();
        }
        let done = step.take(action);
        if !done {
            // Nothing has changed, by the contract.
            let same = World { refuted: world.refuted, ..step.w.clone() } == *world;
            step.check(Property::NoMisuse, same);
            return (step.w.refuted != world.refuted).then_some(step);
        }
        step.settle();
        step.w.duties(&mut duties);
        if duties.is_empty() && step.w.waiters().next().is_none() {
            step.at_rest();
        }
        Some(step)
    }
}

impl Model for Talk {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let places = Site::ALL.into_iter().take(self.setup.sites).map(|site| self.place(site)).collect();
        let budget = self.setup.budget;
        vec![World { places, links: Vec::new(), last_link: 0, moves: 0, budget, refuted: 0 }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        // Behind a counterexample everything may be wrong. (Mutants go on: several of them refute more than one
        // property, in an order that does not matter.)
        if world.refuted != 0 && self.setup.mutant == Mutant::None {
            return;
        }
        let start = actions.len();
        world.duties(actions);
        let idle = actions.len() == start;
        world.whims(&self.setup, idle, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        Some(self.step(world, action, None)?.w)
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        ghost::all()
    }
}

impl Told for Talk {
    fn tell(&self, world: &World, action: Action) -> String {
        let log = self.step(world, action, Some(Vec::new())).and_then(|step| step.log).unwrap_or_default();
        format!("  {}\n  * {action:?}\n    {}\n", world.line(), log.join("\n    "))
    }
}

impl Step<'_> {
    /// Whether it was done, and not refused.
    fn take(&mut self, action: Action) -> bool {
        match action {
            Action::Send(site) => {
                let (id, number) = self.next_wish(site, false);
                if self.feed(Peer::Channel(site), Stimulus::Send { id, number }).is_err() {
                    return false;
                }
                self.w.budget.messages -= 1;
            }
            Action::Request(site) => {
                let (id, number) = self.next_wish(site, true);
                let kind = self.setup.kind(self.w.place(site).ghost.accepted);
                if self.feed(Peer::Channel(site), Stimulus::Request { id, number, kind }).is_err() {
                    return false;
                }
                self.w.budget.requests -= 1;
            }
            Action::Connect(site) => {
                if self.feed(Peer::Channel(site), Stimulus::Connect).is_err() {
                    return false;
                }
                self.w.budget.connects -= 1;
            }
            Action::Close(site) => {
                self.w.budget.closes -= 1;
                self.give(Peer::Channel(site), Stimulus::Close);
            }
            Action::CloseNow(site) => {
                self.w.budget.aborts -= 1;
                self.give(Peer::Channel(site), Stimulus::CloseNow);
            }
            Action::Move => self.change_master(),
            Action::Respond(site, handle) => self.respond(site, handle, Form::Fits),
            Action::Flood(site, handle) => {
                self.w.budget.floods -= 1;
                self.respond(site, handle, Form::TooMuch);
            }
            Action::Reply(site, handle) => {
                let number = number(site, Source::Dispatcher, self.w.place(site).ghost.replies + 1);
                if self.feed(Peer::Dispatcher(site), Stimulus::Reply { handle, number }).is_err() {
                    return false;
                }
                self.w.budget.replies -= 1;
            }
            Action::Finish(site, handle) => {
                let owed = self.w.place(site).tasks.iter().any(|task| task.handle == handle && task.is_owed());
                self.w.budget.silences -= u8::from(owed);
                self.give(Peer::Dispatcher(site), Stimulus::Finish(handle));
            }
            Action::Serve(site) => {
                use handover::repmgr::dispatcher::State;
                self.w.budget.serves -= 1;
                let serves = self.w.place(site).dispatcher.get().state() == State::Serving;
                self.give(Peer::Dispatcher(site), Stimulus::Serve(!serves));
            }
            Action::Quit(id) => {
                self.w.budget.quits -= 1;
                self.give(Peer::Link(id, Side::Listener), Stimulus::Disconnect);
            }
            Action::Prank(id, word) => self.prank(id, word),
            Action::Arrive(id) => self.arrive(id),
            Action::Refuse(id) => {
                self.w.budget.refusals -= 1;
                self.w.link_mut(id).into_iter().for_each(|link| link.arrived = true);
                self.give(Peer::Link(id, Side::Dialler), Stimulus::Closed(id));
            }
            Action::Deliver(id, side) => self.deliver(id, side),
            Action::Congest(id, side) => {
                self.w.budget.congestions -= 1;
                self.flow(id, side, true);
            }
            Action::Drain(id, side) => self.flow(id, side, false),
            Action::Lose(id) => {
                self.w.budget.losses -= 1;
                self.w.link_mut(id).into_iter().for_each(super::world::Link::lose);
            }
            Action::Fire(peer) => self.give(peer, Stimulus::Timeout),
        }
        true
    }

    /// The number of what a site's application wants next, and what it calls it: the smallest number that is free.
    fn next_wish(&self, site: Site, request: bool) -> (u8, u8) {
        let ghost = &self.w.place(site).ghost;
        let used = |id: &u8| ghost.wishes.iter().any(|wish| wish.kind.is_some() == request && wish.id == *id);
        let id = (1..).find(|id| !used(id)).expect("few wishes");
        (id, number(site, Source::Channel, ghost.accepted + 1))
    }

    fn change_master(&mut self) {
        let master = self.setup.masters[usize::from(self.w.moves)];
        self.w.moves += 1;
        let follows = |site: &Site| self.setup.channels.contains(&(*site, None));
        let following: Vec<Site> = self.w.sites().filter(follows).collect();
        for site in following {
            if self.w.place(site).channel.is_some() {
                self.give(Peer::Channel(site), Stimulus::Master(master));
            }
        }
    }

    /// An answer that is given twice is refused, whatever the first was.
    fn respond(&mut self, site: Site, handle: u8, form: Form) {
        self.give(Peer::Dispatcher(site), Stimulus::Respond { handle, form });
        let Place { dispatcher, tasks, .. } = self.w.place(site);
        let mut again = dispatcher.get().clone();
        let input = super::words::dispatcher_input(tasks, Stimulus::Respond { handle, form: Form::Fits });
        let refused = again.handle(Instant::ZERO, input).is_err() && again == *dispatcher.get();
        self.check(Property::P10, refused);
        if self.setup.brisk {
            self.settle();
            self.give(Peer::Dispatcher(site), Stimulus::Finish(handle));
        }
    }

    fn prank(&mut self, id: u8, word: Word) {
        self.w.budget.pranks -= 1;
        if let Word::Error { code: Code::Zero, .. } = word {
            // Our own connections do not say that for anybody.
            self.w.link_mut(id).into_iter().for_each(|link| link.send(Side::Listener, word));
            return;
        }
        if let (Word::Message(number), Some(link)) = (word, self.w.link_mut(id)) {
            link.wire.replied[Side::Listener as usize] = count_of(number);
            link.wire.under_way[Side::Dialler as usize] += 1;
        }
        self.give(Peer::Link(id, Side::Listener), Stimulus::Write(word));
    }

    fn arrive(&mut self, id: u8) {
        let connection = Connection::accept(self.setup.connection(), Instant::ZERO);
        let Some(link) = self.w.link_mut(id) else { return };
        link.arrived = true;
        link.listener = Some(End::new(connection));
        self.give(Peer::Link(id, Side::Dialler), Stimulus::Opened);
        if !self.setup.fine {
            for side in [Side::Listener, Side::Dialler, Side::Listener] {
                self.settle();
                self.deliver(id, side);
            }
        }
    }

    /// An end of a link finds out that what it writes would have to wait, or need not any more.
    fn flow(&mut self, id: u8, side: Side, congested: bool) {
        let Some(link) = self.w.link_mut(id) else { return };
        let (site, number, mapped) = (link.site(side), link.number, link.mapped && side == Side::Dialler);
        link.end_mut(side).into_iter().for_each(|end| end.congested = congested);
        let told = |id| if congested { Stimulus::Congested(id) } else { Stimulus::Drained(id) };
        self.give(Peer::Dispatcher(site), told(id));
        if mapped {
            self.give(Peer::Channel(site), told(number));
        }
    }

    /// The next word on a link.
    fn deliver(&mut self, id: u8, side: Side) {
        let Some(link) = self.w.link_mut(id) else { return };
        let queue = link.queue(side);
        if queue.is_empty() {
            return;
        }
        let stimulus = match queue.remove(0) {
            Word::Closed => Stimulus::Closed(id),
            word => Stimulus::Word(word),
        };
        self.give(Peer::Link(id, side), stimulus);
    }
}
