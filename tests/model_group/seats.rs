//! What coordinators are given, and where what they say goes.

use super::model::Shared;
use super::mutants::Mutant;
use super::talk::{DOMAIN, Step, node};
use super::world::{Peer, Property, Reached, Word};
use handover::error::Error;
use handover::frame::Extensions;
use handover::group::coordinator::{self, Coordinator, Input, Output, reign};
use handover::group::message::{GroupRecord, Message, Proclaim, Redirect};
use handover::group::replica::{self, Replica};
use handover::group::{CoordinatorId, DissolveReason, DomainId, Epoch};
use handover::limits::GroupLimits;
use handover::machine::{LinkId, Machine};
use handover::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// The link of a coordinator to another one.
fn peer_link(to: usize) -> LinkId {
    LinkId(u32::try_from(to).expect("few") + 1)
}

impl Step<'_> {
    pub(crate) fn connect(&mut self, one: usize, other: usize) {
        let coordinator = CoordinatorId(u16::try_from(other).expect("few"));
        self.replica_is_given(one, replica::Input::Opened { link: peer_link(other), coordinator });
    }

    pub(crate) fn take_over(&mut self, seat: usize) {
        self.w.seats[seat].tries -= 1;
        self.replica_is_given(seat, replica::Input::TakeOver);
    }

    fn now(&self, seat: usize) -> Instant {
        let all = self.w.seats.iter().map(|seat| seat.now).max().unwrap_or_default();
        if self.talk.setup.clock { all } else { self.w.seats[seat].now }
    }

    pub(crate) fn replica_is_given(&mut self, seat: usize, input: replica::Input) {
        use replica::{Event, Output};
        let now = self.now(seat);
        let (result, outputs) = self.w.seats[seat].replica.change(|replica| {
            let result = replica.handle(now, input);
            (result, std::iter::from_fn(|| replica.poll_output()).collect::<Vec<_>>())
        });
        self.check(Property::NoMisuse, !matches!(result, Err(Error::Misuse(_))));
        self.check(Property::NoBlame, !matches!(result, Err(Error::Violation(_))));
        for output in outputs {
            match output {
                Output::Send { link, message } => {
                    let to = usize::try_from(link.0).expect("few") - 1;
                    if let Some(peer) = self.w.peers.get_mut(&(seat, to)).filter(|peer| !peer.cut)
                        && self.w.seats[to].up
                    {
                        peer.words.push_back(message);
                    }
                }
                Output::Store { number, item } => self.w.seats[seat].storing.push_back((number, item)),
                Output::Event(Event::Elected { epoch, records }) => self.begins(seat, epoch, records),
                Output::Event(Event::Kept(index)) if self.w.seats[seat].reign.is_some() => {
                    self.reach(Reached::Kept);
                    self.seat_is_given(seat, Input::Persisted(index));
                }
                Output::Event(Event::Deposed(reason)) => {
                    let reason = if reason == DissolveReason::STOPPED { DissolveReason::FENCED } else { reason };
                    if reason == DissolveReason::NO_QUORUM {
                        self.reach(Reached::NoQuorum);
                    }
                    if self.w.seats[seat].reign.is_some() {
                        self.reach(Reached::FencedCoordinator);
                        self.seat_is_given(seat, Input::End(reason));
                    }
                }
                _ => {}
            }
        }
        while !self.talk.setup.disk && !self.w.seats[seat].storing.is_empty() {
            self.stores(seat);
        }
    }

    /// What a coordinator wanted to keep is where it outlives it.
    pub(crate) fn stores(&mut self, seat: usize) {
        let Some((number, item)) = self.w.seats[seat].storing.pop_front() else { return };
        // Nobody comes back to know it.
        if self.talk.setup.budget.restarts > 0 {
            self.w.seats[seat].stored.add(&item, &GroupLimits::DEFAULT);
        }
        self.replica_is_given(seat, replica::Input::Stored(number));
    }

    /// A coordinator that was lost comes back, and knows what it had stored.
    pub(crate) fn restart(&mut self, seat: usize) {
        let mut memory = self.w.seats[seat].stored.clone();
        if self.talk.setup.mutant == Mutant::ForgetsPromises {
            memory = replica::Memory::default();
        }
        self.w.seats[seat].replica = Shared::new(self.talk.replica(seat, memory));
        self.w.seats[seat].up = true;
        self.w.seats[seat].places = vec![Vec::new(); self.talk.setup.places.len()];
        for other in 0..self.w.seats.len() {
            if other != seat && self.w.seats[other].up {
                self.w.peers.insert((seat, other), Peer::default());
                self.w.peers.insert((other, seat), Peer::default());
                self.connect(seat, other);
                self.connect(other, seat);
            }
        }
    }

    /// A reign begins.
    fn begins(&mut self, seat: usize, epoch: Epoch, records: Vec<GroupRecord>) {
        let founds = self.w.seats.iter().all(|seat| seat.epoch == Epoch(0));
        let mutant = self.talk.setup.mutant;
        let epoch = mutant.reigns(epoch);
        let others = self.w.seats.iter().enumerate().filter(|(at, other)| *at != seat && other.reign.is_some());
        let mut epochs = others.map(|(_, other)| other.epoch);
        let is_new = !epochs.any(|other| other == epoch);
        self.check(Property::S11, is_new && epoch > self.w.seats[seat].epoch);
        let mut config = coordinator::Config::new(DOMAIN, epoch);
        config.durability = self.talk.setup.durability;
        let now = self.now(seat);
        let grace = Duration::from_secs(10);
        let reign =
            if founds { Coordinator::new(config, now) } else { Coordinator::take_over(config, records, grace, now) };
        let seat = &mut self.w.seats[seat];
        (seat.reign, seat.epoch, seat.takes_over) = (Some(Shared::new(reign)), epoch, !founds);
        if !founds {
            seat.held = None;
            self.reach(Reached::TookOver);
        }
    }

    pub(crate) fn peer_reads(&mut self, from: usize, to: usize) {
        let message = self.w.peers.get_mut(&(from, to)).and_then(|peer| peer.words.pop_front());
        if let Some(message) = message {
            self.replica_is_given(to, replica::Input::Message { link: peer_link(from), message });
        }
    }

    pub(crate) fn peer_notices(&mut self, from: usize, to: usize) {
        self.w.peers.remove(&(from, to));
        self.replica_is_given(to, replica::Input::Closed(peer_link(from)));
    }

    pub(crate) fn replica_expires(&mut self, seat: usize) {
        let replica = self.w.seats[seat].replica.get();
        let Some(at) = replica.poll_timeout() else { return };
        if replica.state() != replica::State::Asking {
            self.w.budget.replica_expires -= 1;
        }
        self.w.seats[seat].now = self.w.seats[seat].now.max(at);
        self.replica_is_given(seat, replica::Input::Timeout);
    }

    pub(crate) fn seat_expires(&mut self, seat: usize) {
        let mut left = Vec::new();
        self.talk.duties(&self.w, &mut left);
        if !left.is_empty() {
            self.w.budget.expires = self.w.budget.expires.saturating_sub(1);
        }
        let Some(at) = self.w.seats[seat].reign.as_ref().and_then(|reign| reign.get().poll_timeout()) else { return };
        self.w.seats[seat].now = self.w.seats[seat].now.max(at);
        self.seat_is_given(seat, Input::Timeout);
    }

    pub(crate) fn seat_is_given(&mut self, seat: usize, input: Input) {
        let now = self.now(seat);
        let lateness = match &input {
            Input::Message { link, .. } => !self.w.wires.iter().any(|wire| wire.link == *link && wire.seat_has),
            _ => false,
        };
        if let Input::Persisted(upto) = &input {
            self.w.seats[seat].keeping.retain(|(index, _)| index > upto);
        }
        let Some(reign) = &mut self.w.seats[seat].reign else { return };
        let (result, outputs) = reign.change(|reign| {
            let result = reign.handle(now, input);
            (result, std::iter::from_fn(|| reign.poll_output()).collect::<Vec<_>>())
        });
        self.check(Property::NoMisuse, !matches!(result, Err(Error::Misuse(_))));
        self.check(Property::NoBlame, lateness || !matches!(result, Err(Error::Violation(_))));
        let first = self.said.is_empty();
        let outputs = self.talk.setup.mutant.seat_says(outputs);
        self.said.extend(outputs.into_iter().map(|output| (seat, output)));
        // What is said first is heard first, whatever comes of it.
        while first && let Some((seat, output)) = self.said.front().cloned() {
            self.seat_says(seat, output);
            self.said.pop_front();
        }
        if first {
            self.after_seat(seat);
        }
        let over = |reign: &Shared<Coordinator>| reign.get().state() == reign::State::Over;
        if self.w.seats[seat].reign.as_ref().is_some_and(over) {
            let known = &mut self.w.seats[seat];
            known.reign = None;
            known.tallies.clear();
            known.keeping.clear();
            known.places.iter_mut().for_each(Vec::clear);
            (known.held, known.ended) = (None, BTreeMap::new());
            if self.w.seats[seat].replica.get().state() == replica::State::Reigning {
                self.replica_is_given(seat, replica::Input::Abdicate);
            }
        }
    }

    fn seat_says(&mut self, seat: usize, output: Output) {
        match output {
            Output::Send { link, message } => {
                self.observe_message(seat, link, &message);
                let wire = self.w.wires.iter_mut().find(|wire| wire.link == link && wire.seat == seat);
                if let Some(wire) = wire.filter(|wire| wire.person_has && !wire.broken) {
                    wire.down.push_back(Word::Message(message));
                }
            }
            Output::Persist(entry) => {
                let (group, past) = (entry.snapshot.group, &entry.past);
                self.end_is_told(seat, group, &past.ended, past.approved);
                if let Some(place) = self.place_of(group) {
                    self.w.seats[seat].keeping.push((entry.index, place));
                }
                let index = entry.index;
                self.replica_is_given(seat, replica::Input::Append(entry));
                if self.talk.setup.mutant == Mutant::ToldBeforeKept && self.w.seats[seat].reign.is_some() {
                    self.seat_is_given(seat, Input::Persisted(index));
                }
            }
            Output::Close(link) => {
                if let Some(wire) = self.w.wires.iter_mut().find(|wire| wire.link == link && wire.seat == seat)
                    && wire.seat_has
                {
                    wire.seat_has = false;
                    if wire.person_has && !wire.broken {
                        wire.down.push_back(Word::End);
                    }
                    self.frees_link(seat, link);
                }
            }
            Output::Event(event) => self.observe_event(seat, event),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn seat_reads(&mut self, at: usize) {
        let wire = &mut self.w.wires[at];
        let (link, seat, person, seat_has) = (wire.link, wire.seat, wire.person, wire.seat_has);
        let Some(word) = wire.up.pop_front() else { return };
        let reigns = self.w.seats[seat].reign.is_some();
        match word {
            Word::Message(message) if reigns => {
                if seat_has {
                    self.before_seat(seat, at, person, &message);
                }
                if matches!(message, Message::Enter(_)) {
                    self.w.wires[at].entered = true;
                }
                let forged = self.forged(seat, link, &message);
                if let Some(message) = self.reaches_seat(seat, person, message) {
                    self.seat_is_given(seat, Input::Message { link, message });
                }
                for (link, message) in forged {
                    self.seat_is_given(seat, Input::Message { link, message });
                }
                let missed = self.collides.take();
                self.check(Property::S14, missed.is_none());
            }
            Word::Message(Message::Enter(_)) if seat_has => self.redirect(seat, at),
            Word::Message(_) => {}
            Word::End => {
                if seat_has {
                    self.w.wires[at].seat_has = false;
                    self.frees_link(seat, link);
                    if reigns && self.is_told_of_the_loss(seat, person) {
                        self.seat_is_given(seat, Input::Closed(link));
                    }
                }
            }
        }
    }

    /// Somebody else reigns, or nobody does.
    fn redirect(&mut self, seat: usize, at: usize) {
        let leader = self.w.seats[seat].replica.get().leader().cloned();
        let wire = &mut self.w.wires[at];
        wire.seat_has = false;
        wire.up.clear();
        if wire.person_has && !wire.broken {
            if let Some((epoch, address)) = leader {
                let redirect = Redirect { epoch, address, extensions: Extensions::NONE };
                wire.down.push_back(Word::Message(Message::Redirect(redirect)));
            }
            wire.down.push_back(Word::End);
        }
    }

    pub(crate) fn seat_notices(&mut self, at: usize) {
        let wire = &mut self.w.wires[at];
        let (link, seat) = (wire.link, wire.seat);
        wire.seat_has = false;
        wire.up.clear();
        self.frees_link(seat, link);
        if self.w.seats[seat].reign.is_some() {
            self.seat_is_given(seat, Input::Closed(link));
        }
    }

    pub(crate) fn node_down(&mut self, seat: usize, person: usize) {
        let identity = self.identity(person);
        self.w.seats[seat].downs.insert(identity);
        self.seat_is_given(seat, Input::NodeDown(node(person)));
    }

    pub(crate) fn crash(&mut self, seat: usize) {
        for wire in self.w.wires.iter_mut().filter(|wire| wire.seat == seat && wire.seat_has) {
            (wire.seat_has, wire.broken) = (false, true);
            wire.up.clear();
        }
        for other in 0..self.w.seats.len() {
            if let Some(peer) = self.w.peers.get_mut(&(seat, other)) {
                peer.cut = true;
            }
            self.w.peers.remove(&(other, seat));
        }
        let known = &mut self.w.seats[seat];
        known.up = false;
        known.reign = None;
        let config = replica::Config::new(CoordinatorId(0), 1);
        known.replica = Shared::new(Replica::new(config, replica::Memory::default(), Instant::ZERO));
        known.storing.clear();
        known.tallies.clear();
        known.keeping.clear();
        known.goodbyes.clear();
        known.downs.clear();
        known.places.clear();
        known.ended.clear();
        (known.held, known.now) = (None, Instant::ZERO);
    }

    /// A larger domain is met: this one ends.
    pub(crate) fn meet(&mut self, seat: usize) {
        self.reach(Reached::Merged);
        let other =
            Proclaim { domain: DomainId(8), epoch: Epoch(1), nodes: 100, lowest_node: 1, extensions: Extensions::NONE };
        self.seat_is_given(seat, Input::Proclaimed(other));
    }
}
