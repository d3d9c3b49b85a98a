//! What a replica does that wants to reign, or does.

use super::table::Event as TableEvent;
use super::{Durability, Event, Item, Replica, State, Then};
use crate::group::ids::DissolveReason;
use crate::group::message::{Entry, Grant, GroupRecord, Past, Replicated};
use crate::group::name::{CoordinatorId, Sequence};
use crate::machine::LinkId;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Most beats whose times are kept: an answer to an older one says nothing.
const MOST_BEATS: usize = 16;

impl Replica {
    /// Asks all that have not agreed, once it is free to agree itself. Who has promised another reign something does not
    /// answer before that is over, so it asks again and again.
    pub(super) fn ask_all(&mut self) {
        if let Some(until) = self.owes_another(self.memory.promised) {
            self.deadline = Some(until.min(self.fails));
            return;
        }
        self.asked.get_or_insert(self.now);
        self.deadline = Some(self.now.saturating_add(self.config.heartbeat).min(self.fails));
        let links: Vec<LinkId> = self.links.values().filter(|other| !other.granted).map(|other| other.link).collect();
        links.into_iter().for_each(|link| self.ask(link, self.memory.promised));
        self.count_grants();
    }

    /// Somebody agrees.
    pub(super) fn granted(&mut self, from: CoordinatorId, grant: Grant) {
        if self.state != State::Asking || grant.epoch != self.memory.promised {
            return self.event(Event::Ignored("an old answer"));
        }
        if let Some(record) = grant.record {
            let known = self.memory.records.get(&record.snapshot.group);
            // The later reign knows better, though it may have come less far.
            if known.is_none_or(|known| known.snapshot.sequence < record.snapshot.sequence) {
                // What it keeps from now on stands on this.
                for entry in entries(&record) {
                    self.store(Item::Entry(Box::new(entry)), Then::Nothing);
                }
                self.memory.records.insert(record.snapshot.group, record);
            }
        }
        if let Some(other) = self.links.get_mut(&from).filter(|_| grant.remaining == 0) {
            other.granted = true;
            self.count_grants();
        }
    }

    pub(super) fn count_grants(&mut self) {
        let granted = self.links.values().filter(|other| other.granted).count();
        if granted.saturating_add(1) < self.askers() {
            return;
        }
        self.go(TableEvent::Elected);
        self.leader = Some((self.memory.promised, self.config.address.clone()));
        // What is taken over holds in this reign, whatever others have from before it.
        for record in self.memory.records.values_mut() {
            record.snapshot.sequence = record.snapshot.sequence.max(Sequence::before(self.memory.promised));
        }
        let (epoch, records) = (self.memory.promised, self.memory.records.values().cloned().collect());
        self.event(Event::Elected { epoch, records });
        self.beats.clear();
        let asked = self.asked.unwrap_or(self.now);
        for other in self.links.values_mut() {
            // The first lease: who has agreed follows nobody else for a while, from when it was asked at the earliest.
            (other.kept, other.answered) = (0, other.granted.then_some(asked));
        }
        let links: Vec<LinkId> = self.links.values().map(|other| other.link).collect();
        for link in links {
            self.bring_up(link);
        }
        self.beat();
    }

    /// Tells another one who reigns, and all that it is to keep.
    pub(super) fn bring_up(&mut self, link: LinkId) {
        let beat = self.beats.back().map_or(0, |(beat, _)| *beat);
        self.say_reign(link, beat);
        let mut entries: Vec<Entry> = self.memory.records.values().flat_map(entries).collect();
        // Only the last one says up to where it knows everything now.
        if let Some(last) = entries.last_mut() {
            last.index = self.last;
        }
        for entry in entries {
            self.replicate(link, entry);
        }
    }

    pub(super) fn append(&mut self, entry: &Entry) {
        self.last = entry.index;
        self.memory.keep(entry, &self.config.limits);
        self.store(Item::Entry(Box::new(entry.clone())), Then::Count(self.memory.promised, entry.index));
        let links: Vec<LinkId> = self.links.values().map(|other| other.link).collect();
        for link in links {
            self.replicate(link, entry.clone());
        }
    }

    pub(super) fn replicated(&mut self, from: CoordinatorId, kept: &Replicated) {
        if self.state != State::Reigning || kept.epoch != self.memory.promised {
            return self.event(Event::Ignored("an old answer"));
        }
        let (last, sent) = (self.last, self.beats.iter().find(|(beat, _)| *beat == kept.beat).map(|(_, at)| *at));
        if let Some(other) = self.links.get_mut(&from) {
            other.kept = other.kept.max(kept.index.min(last));
            other.answered = other.answered.max(sent);
        }
        self.count_copies();
        self.set_deadline();
    }

    /// Says which outcomes are kept by as many as are to keep them.
    pub(super) fn count_copies(&mut self) {
        if self.state != State::Reigning {
            return;
        }
        let mut kept: Vec<u64> = self.links.values().map(|other| other.kept).collect();
        kept.sort_unstable_by(|one, other| other.cmp(one));
        let upto = match self.copies() {
            0 => self.stored,
            copies => kept.get(copies.saturating_sub(1)).copied().unwrap_or_default(),
        };
        let upto = if self.config.durability == Durability::Quorum { upto.min(self.stored) } else { upto };
        if upto > self.kept {
            self.kept = upto;
            self.event(Event::Kept(upto));
        }
    }

    /// Until when more than half are sure to follow nobody else.
    fn leased(&self) -> Option<Instant> {
        if self.config.durability != Durability::Quorum || self.copies() == 0 {
            return None;
        }
        let mut answered: Vec<Option<Instant>> = self.links.values().map(|other| other.answered).collect();
        answered.sort_unstable_by(|one, other| other.cmp(one));
        let oldest = answered.get(self.copies().saturating_sub(1)).copied().flatten().unwrap_or(Instant::ZERO);
        Some(oldest.saturating_add(self.config.lease))
    }

    fn set_deadline(&mut self) {
        let beat = self.beats.back().map(|(_, at)| at.saturating_add(self.config.heartbeat));
        self.deadline = beat.into_iter().chain(self.leased()).min();
    }

    fn beat(&mut self) {
        let beat = self.beats.back().map_or(1, |(beat, _)| beat.saturating_add(1));
        self.beats.push_back((beat, self.now));
        if self.beats.len() > MOST_BEATS {
            self.beats.pop_front();
        }
        let links: Vec<LinkId> = self.links.values().map(|other| other.link).collect();
        links.into_iter().for_each(|link| self.say_reign(link, beat));
        self.set_deadline();
    }

    pub(super) fn timeout(&mut self) {
        match self.state {
            State::Asking if self.now < self.fails => self.ask_all(),
            State::Asking => {
                self.deadline = None;
                self.go(TableEvent::Yields);
                self.event(Event::Failed);
            }
            State::Reigning if self.leased().is_some_and(|until| self.now >= until) => {
                // Another one may reign from now on.
                self.deadline = None;
                self.leader = None;
                self.go(TableEvent::Yields);
                self.event(Event::Deposed(DissolveReason::NO_QUORUM));
            }
            State::Reigning => self.beat(),
            _ => self.deadline = None,
        }
    }
}

/// A group as it is kept, outcome by outcome.
fn entries(record: &GroupRecord) -> impl Iterator<Item = Entry> + '_ {
    let entry = |past: &Past| Entry { index: 0, past: past.clone(), snapshot: record.snapshot.clone() };
    record.recent.iter().map(entry)
}
