//! What must be where nothing has to happen any more.

use super::glue::join_of;
use super::talk::Step;
use super::world::{Property, Reached};
use handover::group::coordinator::reign;
use handover::group::{ProviderId, process, provider};
use handover::machine::Machine;

impl Step<'_> {
    pub(crate) fn at_rest(&mut self) {
        let leads = |seat: &super::world::Seat| {
            seat.up && seat.reign.as_ref().is_some_and(|reign| reign.get().state() == reign::State::Leading)
        };
        let leading: Vec<usize> = (0..self.w.seats.len()).filter(|at| leads(&self.w.seats[*at])).collect();
        for &seat in &leading {
            self.nothing_runs(seat);
            self.everybody_is_known(seat);
        }
        if let [seat] = leading[..] {
            self.everybody_knows(seat);
        }
    }

    /// No protocol is left that could end.
    fn nothing_runs(&mut self, seat: usize) {
        for tally in self.w.seats[seat].tallies.clone() {
            self.check(Property::L1, !tally.is_limited());
            let gone = |one: ProviderId| self.is_gone(seat, tally.place, one);
            let mute = |one: &ProviderId| self.person_of(*one).is_some_and(|at| self.talk.setup.says[at].is_empty());
            let awaited = tally.awaits(gone);
            let stuck = awaited.iter().any(mute) || tally.deactivates();
            let name = &self.talk.setup.places[tally.place].attributes.name;
            let blocked = self.w.seats[seat].reign.as_ref().map(|reign| reign.get().blocked_on(name));
            let blocked = blocked.map(|known| self.talk.setup.mutant.blocked(known));
            let takes_over = self.w.seats[seat].takes_over;
            self.reach(Reached::Stuck);
            self.check(Property::L2, stuck);
            self.check(Property::L5, stuck || !takes_over);
            self.check(Property::L7, blocked == Some(awaited));
        }
        if self.w.seats[seat].takes_over {
            let settled = self.w.seats[seat].tallies.is_empty();
            if settled {
                self.check(Property::L5, true);
            }
        }
        self.check(Property::L1, true);
        self.check(Property::L2, true);
    }

    fn person_of(&self, provider: ProviderId) -> Option<usize> {
        (0..self.w.people.len()).find(|at| self.identity(*at) == provider)
    }

    /// A coordinator knows who is there and who is not.
    fn everybody_is_known(&mut self, seat: usize) {
        for place in 0..self.talk.setup.places.len() {
            if self.w.seats[seat].tallies.iter().any(|tally| tally.place == place) {
                continue;
            }
            if self.w.seats[seat].keeping.iter().any(|(_, of)| *of == place) {
                continue;
            }
            let members = self.members(seat, place);
            let ghosts = members.iter().any(|one| self.is_gone(seat, place, *one));
            self.check(Property::L3, !ghosts);
        }
    }

    /// Who is there knows what the others do.
    fn everybody_knows(&mut self, seat: usize) {
        for at in 0..self.w.diaries.len() {
            let diary = self.w.diaries[at].clone();
            let person = &self.w.people[diary.person];
            let attached = self.w.wires.iter().any(|wire| {
                wire.person == diary.person && wire.seat == seat && wire.person_has && wire.seat_has && wire.entered
            });
            let inside = person.process.get().state() == process::State::Inside;
            let busy = self.w.seats[seat].tallies.iter().any(|tally| tally.place == diary.place);
            let keeps = self.w.seats[seat].keeping.iter().any(|(_, of)| *of == diary.place);
            if diary.gone || !attached || !inside || busy || keeps {
                continue;
            }
            let members = self.members(seat, diary.place);
            if diary.watches {
                let same = diary.members == members;
                let providers = self.w.diaries.iter().filter(|other| !other.watches && other.group == diary.group);
                let values = providers.filter(|other| !other.gone).filter_map(|other| {
                    let process = self.w.people[other.person].process.get();
                    process.provider(join_of(other.place)).map(|one| Self::value_of(one.value()))
                });
                let values: Vec<u64> = values.collect();
                let same_value = values.iter().all(|value| diary.value.is_none_or(|known| known == *value));
                self.check(Property::S1, same && same_value);
                continue;
            }
            let Some(provider) = person.process.get().provider(join_of(diary.place)) else { continue };
            let is_member = provider.state() == provider::State::Member;
            let same = provider.members() == members;
            let me = self.identity(diary.person);
            self.check(Property::L4, is_member && members.contains(&me));
            self.check(Property::L6, is_member);
            self.check(Property::S1, same);
        }
    }
}
