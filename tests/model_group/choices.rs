//! What can happen.

use super::glue::join_of;
use super::talk::{Action, MOST_LINKS, Talk};
use super::world::{Seat, World};
use handover::group::coordinator::reign;
use handover::group::{process, provider, replica};
use handover::machine::Machine;
use handover::time::Instant;

impl Talk {
    /// What happens in any case, some time.
    pub(crate) fn duties(&self, w: &World, actions: &mut Vec<Action>) {
        for (at, wire) in w.wires.iter().enumerate() {
            if wire.person_has && !wire.down.is_empty() {
                actions.push(Action::ToPerson(at));
            }
            if !wire.up.is_empty() {
                actions.push(Action::ToSeat(at));
            }
            if wire.broken && wire.person_has {
                actions.push(Action::PersonNotices(at));
            }
            if wire.broken && wire.seat_has {
                actions.push(Action::SeatNotices(at));
            }
        }
        for (&(from, to), peer) in &w.peers {
            if !w.seats[to].up {
                continue;
            }
            if !peer.words.is_empty() {
                actions.push(Action::ToPeer(from, to));
            }
            if peer.cut {
                actions.push(Action::PeerNotices(from, to));
            }
        }
        for (at, seat) in w.seats.iter().enumerate() {
            if !seat.storing.is_empty() {
                actions.push(Action::Stored(at));
            }
            if Self::must_take_over(w, at) {
                actions.push(Action::TakeOver(at));
            }
        }
        for (at, person) in w.people.iter().enumerate().filter(|(_, person)| person.up && !person.over) {
            let state = person.process.get().state();
            if state == process::State::Outside && person.links < MOST_LINKS {
                let reigning = w.seats.iter().enumerate().filter(|(_, seat)| seat.up && seat.reign.is_some());
                actions.extend(reigning.map(|(seat, _)| Action::Dial(at, seat)));
            }
            if state != process::State::Inside {
                continue;
            }
            for (number, place) in self.setup.places.iter().enumerate() {
                let bit = 1 << number;
                if person.asked & bit == 0 {
                    let back = person.incarnation > 1 && place.members.contains(&at);
                    if place.joiners.contains(&at) || back {
                        actions.push(Action::Join(at, number));
                    }
                }
                if person.asked & (16 << number) == 0 && place.watchers.contains(&at) {
                    actions.push(Action::Watch(at, number));
                }
                let Some(provider) = person.process.get().provider(join_of(number)) else { continue };
                if provider.state() == provider::State::Voting {
                    let says = self.setup.says.get(at).copied().unwrap_or_default();
                    actions.extend((0..says.len()).map(|say| Action::Vote(at, number, say)));
                }
                if w.diaries
                    .iter()
                    .any(|diary| (diary.person, diary.place) == (at, number) && diary.deactivating && !diary.gone)
                {
                    actions.push(Action::Deactivated(at, number, true));
                }
            }
        }
    }

    pub(crate) fn must_take_over(w: &World, at: usize) -> bool {
        let seat = &w.seats[at];
        let reigns = w.seats.iter().any(|seat| seat.up && seat.replica.get().state() != replica::State::Following);
        seat.up && seat.tries > 0 && !reigns && seat.replica.get().state() == replica::State::Following
    }

    /// Deadlines, and whether it is their turn.
    pub(crate) fn deadlines(&self, w: &World, idle: bool, actions: &mut Vec<Action>) {
        let reign = |seat: &Seat| seat.reign.as_ref().and_then(|reign| reign.get().poll_timeout());
        let first = w.seats.iter().filter(|seat| seat.up);
        let first = first.flat_map(|seat| reign(seat).into_iter().chain(seat.replica.get().poll_timeout())).min();
        let is_next = |at: Instant| !self.setup.clock || first == Some(at);
        for (at, seat) in w.seats.iter().enumerate().filter(|(_, seat)| seat.up) {
            if reign(seat).is_some_and(is_next) && (idle || w.budget.expires > 0) {
                actions.push(Action::SeatExpires(at));
            }
            let asks = seat.replica.get().state() == replica::State::Asking;
            let due = seat.replica.get().poll_timeout();
            let may = if asks { idle || w.budget.expires > 0 } else { w.budget.replica_expires > 0 };
            if due.is_some_and(is_next) && may {
                actions.push(Action::ReplicaExpires(at));
            }
        }
    }

    /// All that can happen.
    pub(crate) fn choices(&self, w: &World, actions: &mut Vec<Action>) {
        self.duties(w, actions);
        let budget = w.budget;
        self.deadlines(w, actions.is_empty(), actions);
        for (number, wish) in self.setup.wishes.iter().enumerate() {
            let person = &w.people[wish.person];
            let provider = person.process.get().provider(join_of(wish.place));
            let is_member = provider.is_some_and(|one| one.state() == provider::State::Member);
            if w.wished & 1 << number == 0 && person.up && is_member {
                actions.push(Action::Wish(number));
            }
        }
        for (at, person) in w.people.iter().enumerate() {
            if person.up && budget.kills > 0 {
                actions.push(Action::Kill(at));
            }
            if (!person.up || person.over) && budget.returns > 0 {
                actions.push(Action::Return(at));
            }
            if person.up && budget.echoes > 0 && person.voted.is_some() {
                actions.push(Action::Echo(at));
            }
            if person.up && budget.rejoins > 0 && person.process.get().state() == process::State::Inside {
                let gone = w.diaries.iter().filter(|diary| diary.person == at && diary.gone && !diary.watches);
                actions.extend(gone.map(|diary| Action::JoinAgain(at, diary.place)));
            }
            if person.up && budget.goodbyes > 0 {
                for place in 0..self.setup.places.len() {
                    let provider = person.process.get().provider(join_of(place));
                    if provider.is_some_and(|one| one.token().is_some()) {
                        actions.push(Action::Goodbye(at, place));
                    }
                }
            }
        }
        for (at, wire) in w.wires.iter().enumerate() {
            if wire.person_has && wire.seat_has && !wire.broken && budget.breaks > 0 {
                actions.push(Action::Break(at));
            }
            let person = &w.people[wire.person];
            if wire.seat_has && budget.downs > 0 && person.up {
                actions.push(Action::NodeDown(wire.seat, wire.person));
            }
        }
        for (at, seat) in w.seats.iter().enumerate() {
            let noticed = !w.peers.keys().any(|(from, to)| *from == at && w.seats[*to].up);
            if !seat.up && budget.restarts > 0 && noticed {
                actions.push(Action::Restart(at));
            }
            if !seat.up {
                continue;
            }
            let leads = seat.reign.as_ref().is_some_and(|reign| reign.get().state() == reign::State::Leading);
            if seat.reign.is_some() && budget.crashes > 0 {
                actions.push(Action::Crash(at));
            }
            let follows = seat.replica.get().state() == replica::State::Following;
            if follows && budget.splits > 0 && seat.tries > 0 && !Self::must_take_over(w, at) {
                actions.push(Action::TakeOver(at));
            }
            if leads && budget.merges > 0 {
                actions.push(Action::Meet(at));
            }
        }
    }
}
