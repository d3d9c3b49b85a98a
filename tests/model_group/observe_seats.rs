//! What is asserted of what coordinators say and are told.

use super::glue::{join_of, place_of};
use super::talk::Step;
use super::world::{Property, Reached};
use handover::group::message::{Ended, Message};
use handover::group::{BatchControl, ErrorCode, GroupId, GroupName, LeaveReason, ProviderId, Token, coordinator};
use handover::machine::LinkId;

impl Step<'_> {
    fn place(&self, name: &GroupName) -> Option<usize> {
        self.talk.setup.places.iter().position(|place| place.attributes.name == *name)
    }

    pub(crate) fn place_of(&self, group: GroupId) -> Option<usize> {
        self.w.names.get(&group).copied()
    }

    pub(crate) fn members(&self, seat: usize, place: usize) -> Vec<ProviderId> {
        let name = &self.talk.setup.places[place].attributes.name;
        let reign = self.w.seats[seat].reign.as_ref();
        reign.and_then(|reign| reign.get().members(name)).unwrap_or_default()
    }

    /// Whether a coordinator knows that a provider is not there any more.
    pub(crate) fn is_gone(&self, seat: usize, place: usize, provider: ProviderId) -> bool {
        let there = self.w.wires.iter().any(|wire| {
            let known = wire.seat == seat && wire.seat_has && wire.holds & 1 << place != 0;
            known && self.identity(wire.person) == provider
        });
        !there || self.w.seats[seat].goodbyes.contains(&(place, provider))
    }

    pub(crate) fn before_seat(&mut self, seat: usize, at: usize, person: usize, message: &Message) {
        self.count(seat, person, message);
        match message {
            Message::Goodbye(signal) => {
                if let Some((provider, place)) = self.owner(person, signal.token) {
                    self.w.seats[seat].goodbyes.insert((place, provider));
                    self.frees(seat, signal.token);
                }
            }
            Message::Unsubscribe(signal) => self.frees(seat, signal.token),
            Message::Propose(propose) => {
                let Some((_, place)) = self.owner(person, propose.token) else { return };
                let known = &self.w.seats[seat];
                let votes = known.tallies.iter().any(|tally| tally.place == place);
                if votes || known.keeping.iter().any(|(_, of)| *of == place) {
                    self.collides = Some(propose.request);
                }
            }
            Message::Report(report) => {
                let Some(standing) = &report.standing else { return };
                if let Some(place) = self.place(&standing.snapshot.attributes.name) {
                    self.w.names.insert(standing.snapshot.group, place);
                    if standing.provider.is_some() {
                        self.w.wires[at].holds |= 1 << place;
                    }
                }
            }
            _ => {}
        }
    }

    pub(crate) fn frees(&mut self, seat: usize, token: Token) {
        if let Some(held) = &mut self.w.seats[seat].held {
            held.remove(&token);
        }
    }

    pub(crate) fn frees_link(&mut self, seat: usize, link: LinkId) {
        if let Some(held) = &mut self.w.seats[seat].held {
            held.retain(|_, of| *of != link);
        }
    }

    pub(crate) fn observe_message(&mut self, seat: usize, link: LinkId, message: &Message) {
        let wire = self.w.wires.iter().find(|wire| wire.link == link && wire.seat == seat);
        let Some(person) = wire.map(|wire| wire.person) else { return };
        match message {
            Message::Accepted(accepted) => {
                let place = place_of(accepted.request);
                self.w.names.insert(accepted.group, place);
                if accepted.request == join_of(place) {
                    let provider = self.identity(person);
                    self.w.seats[seat].goodbyes.remove(&(place, provider));
                    let wire = self.w.wires.iter_mut().find(|wire| wire.link == link && wire.seat == seat);
                    wire.into_iter().for_each(|wire| wire.holds |= 1 << place);
                }
                let Some(held) = &mut self.w.seats[seat].held else { return };
                let index = accepted.token.index;
                let lowest = (0..).find(|index| !held.keys().any(|token| token.index == *index));
                let is_lowest = lowest == Some(index);
                held.insert(accepted.token, link);
                if accepted.token.generation > 0 {
                    self.reach(Reached::TokenReused);
                }
                self.check(Property::S10, is_lowest);
            }
            Message::Dissolved(dissolved) => {
                if let Some(token) = dissolved.token {
                    self.frees(seat, token);
                }
            }
            Message::DelayedError(error) => {
                let refused = [ErrorCode::COLLIDE, ErrorCode::BAD_MEMBER_TOKEN].contains(&error.code);
                if self.collides == Some(error.request) && refused {
                    self.collides = None;
                }
            }
            Message::View(view) if self.w.seats[seat].takes_over => {
                // Before it goes on, everybody is told where it stands.
                if let Some(place) = self.place_of(view.snapshot.group) {
                    self.w.seats[seat].places[place].clone_from(&view.snapshot.members);
                }
            }
            Message::Phase(phase) => self.phase_is_told(seat, person, phase.group, &phase.open),
            Message::Approved(ended) => self.end_is_said(seat, person, ended, true),
            Message::Rejected(ended) => self.end_is_said(seat, person, ended, false),
            _ => {}
        }
    }

    fn end_is_said(&mut self, seat: usize, person: usize, ended: &Ended, approved: bool) {
        let (outcome, proposal) = (&ended.outcome, &ended.outcome.proposal);
        self.end_is_told(seat, ended.group, outcome, approved);
        let me = self.identity(person);
        let leaves = (approved || outcome.kind.is_certain()) && proposal.leaving.iter().any(|one| one.provider == me);
        if leaves || (!approved && proposal.joining.contains(&me)) {
            self.frees(seat, ended.token);
        }
        let Some(place) = self.place_of(ended.group) else { return };
        let batch = self.talk.setup.places[place].attributes.batch_control;
        let one = |many: usize, of: BatchControl| many <= 1 || batch.contains(of);
        let leaving = if outcome.kind.is_certain() { proposal.leaving.len() } else { 1 };
        let mixed = !proposal.joining.is_empty() && !proposal.leaving.is_empty();
        let few = one(proposal.joining.len(), BatchControl::JOINS) && one(leaving, BatchControl::LEAVES);
        if proposal.joining.len().max(leaving) > 1 {
            self.reach(Reached::Batch);
        }
        self.check(Property::Batches, !mixed && few);
    }

    pub(crate) fn observe_event(&mut self, seat: usize, event: coordinator::Event) {
        use coordinator::Event;
        match event {
            Event::Entering { link, .. } => {
                self.seat_is_given(seat, coordinator::Input::Admit { link, allowed: true });
            }
            Event::Joined(name, provider) => {
                let Some(place) = self.place(&name) else { return };
                if self.is_gone(seat, place, provider) {
                    self.reach(Reached::JoinerDied);
                }
                let members = &mut self.w.seats[seat].places[place];
                let is_new = !members.contains(&provider);
                members.push(provider);
                self.check(Property::S8, is_new);
            }
            Event::Left(name, provider, reason) => {
                let Some(place) = self.place(&name) else { return };
                let known = &mut self.w.seats[seat];
                let was = known.places[place].contains(&provider);
                known.places[place].retain(|one| *one != provider);
                let is_true = self.is_true(seat, place, provider, reason);
                self.check(Property::S8, was && is_true);
                self.w.seats[seat].goodbyes.remove(&(place, provider));
                for at in 0..self.w.wires.len() {
                    if self.w.wires[at].seat == seat && self.identity(self.w.wires[at].person) == provider {
                        self.w.wires[at].holds &= !(1 << place);
                    }
                }
            }
            Event::Recovered => self.recovered = true,
            Event::Dissolved(name) => {
                let Some(place) = self.place(&name) else { return };
                self.w.seats[seat].places[place].clear();
                self.w.seats[seat].ended.remove(&place);
            }
            _ => {}
        }
    }

    fn is_true(&mut self, seat: usize, place: usize, provider: ProviderId, reason: LeaveReason) -> bool {
        let known = &self.w.seats[seat];
        match reason {
            LeaveReason::PROVIDER_FAILURE => self.is_gone(seat, place, provider),
            LeaveReason::HOST_FAILURE => known.downs.contains(&provider),
            LeaveReason::SAID_GOODBYE => {
                let said = known.goodbyes.contains(&(place, provider));
                self.check(Property::S10, said);
                said
            }
            _ => true,
        }
    }

    /// What a coordinator knows is what it has said.
    pub(crate) fn after_seat(&mut self, seat: usize) {
        let Some(reign) = &self.w.seats[seat].reign else { return };
        let names: Vec<_> = self.talk.setup.places.iter().map(|place| place.attributes.name.clone()).collect();
        let members: Vec<_> = names.iter().map(|name| reign.get().members(name).unwrap_or_default()).collect();
        let tallies = self.w.seats[seat].tallies.clone();
        let tallies = tallies.into_iter().filter(|tally| !self.is_deserted(seat, tally)).collect();
        let known = &mut self.w.seats[seat];
        known.tallies = tallies;
        if std::mem::take(&mut self.recovered) {
            // Nobody is told where a group stands of which nobody is there.
            known.places = members;
        } else {
            let same = known.places == members;
            self.check(Property::S8, same);
        }
    }
}
