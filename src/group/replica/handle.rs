//! What a replica does with each input.

use super::table::Event as TableEvent;
use super::{Durability, Event, Input, Item, Other, Output, Replica, State, Then, step};
use crate::error::{Error, Misuse, Violation};
use crate::frame::Extensions;
use crate::group::ids::DissolveReason;
use crate::group::message::{Entry, Fenced, Grant, Message, Query, Reign, Replicate, Replicated};
use crate::group::name::{CoordinatorId, Epoch};
use crate::machine::{LinkId, Machine, trace_transition};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::vec::Vec;

impl Machine for Replica {
    type Input<'a> = Input;
    type Output = Output;
    type State = State;

    fn handle(&mut self, now: Instant, input: Input) -> Result<(), Error> {
        self.outbox.check_room(self.config.limits.outputs)?;
        self.validate(&input)?;
        let now = self.now.max(now);
        if matches!(input, Input::Timeout) && self.deadline.is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        self.now = now;
        match input {
            Input::Opened { link, coordinator } => self.opened(link, coordinator),
            Input::Message { link, message } => return self.message(link, message),
            Input::Closed(link) => self.links.retain(|_, other| other.link != link),
            Input::TakeOver => {
                self.go(TableEvent::Asks);
                let epoch = self.memory.promised.next(self.config.id);
                self.promise(epoch, Then::Ask(epoch));
                self.links.values_mut().for_each(|other| other.granted = false);
                self.asked = None;
                self.fails = self.owes_another(epoch).unwrap_or(now).saturating_add(self.config.election);
                self.deadline = Some(self.fails);
            }
            Input::Append(entry) => self.append(&entry),
            Input::Stored(number) => self.stored(number),
            Input::Abdicate => {
                self.go(TableEvent::Yields);
                (self.deadline, self.leader) = (None, None);
            }
            Input::Stop => {
                let reigns = self.state == State::Reigning;
                self.go(TableEvent::Stops);
                self.deadline = None;
                self.storing.clear();
                for link in core::mem::take(&mut self.links).into_values().map(|other| other.link) {
                    self.outbox.push(Output::Close(link));
                }
                if reigns {
                    self.event(Event::Deposed(DissolveReason::STOPPED));
                }
            }
            Input::Timeout => self.timeout(),
        }
        Ok(())
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    fn state(&self) -> State {
        self.state
    }
}

impl Replica {
    /// Everything that our caller can do wrong; nothing changes.
    fn validate(&self, input: &Input) -> Result<(), Misuse> {
        let wrong_state = Err(Misuse::WrongState { state: self.state.name(), input: input.name() });
        match input {
            Input::Timeout => Ok(()),
            _ if self.state == State::Stopped => wrong_state,
            Input::TakeOver if self.state != State::Following => wrong_state,
            Input::Append(_) | Input::Abdicate if self.state != State::Reigning => wrong_state,
            Input::Append(entry) if entry.index != self.last.saturating_add(1) => {
                Err(Misuse::Argument { what: "index", reason: "the one after the last" })
            }
            Input::Stored(number) if *number > self.last_number => {
                Err(Misuse::Argument { what: "number", reason: "one that was to be stored" })
            }
            Input::Opened { coordinator, .. } if *coordinator == self.config.id => {
                Err(Misuse::Argument { what: "coordinator", reason: "another one" })
            }
            _ => Ok(()),
        }
    }

    fn opened(&mut self, link: LinkId, coordinator: CoordinatorId) {
        let other = Other { link, kept: 0, answered: None, granted: false };
        if let Some(before) = self.links.insert(coordinator, other) {
            self.outbox.push(Output::Close(before.link));
        }
        match self.state {
            State::Reigning => self.bring_up(link),
            State::Asking if self.asked.is_some() => self.ask(link, self.memory.promised),
            _ => {}
        }
    }

    fn message(&mut self, link: LinkId, message: Message) -> Result<(), Error> {
        let Some(from) = self.links.iter().find(|(_, other)| other.link == link).map(|(id, _)| *id) else {
            self.event(Event::Ignored("a message on a link that is over"));
            return Ok(());
        };
        match message {
            Message::Query(query) => self.asked(link, from, query.epoch),
            Message::Replicate(replicate) => {
                let Replicate { epoch, entry, .. } = *replicate;
                if self.follows(link, from, epoch) {
                    self.memory.keep(&entry, &self.config.limits);
                    let index = self.last.max(entry.index);
                    self.last = index;
                    self.store(Item::Entry(Box::new(entry)), Then::Confirm(epoch, index));
                }
            }
            Message::Reign(reign) => {
                if self.follows(link, from, reign.epoch) {
                    let leader = Some((reign.epoch, reign.address.clone()));
                    if self.leader != leader {
                        self.leader = leader;
                        self.event(Event::Follows { epoch: reign.epoch, address: reign.address });
                    }
                    self.confirm(link, reign.epoch, self.stored, reign.beat);
                }
            }
            Message::Replicated(kept) => self.replicated(from, &kept),
            Message::Grant(grant) => self.granted(from, *grant),
            Message::Fenced(fenced) => self.fenced(fenced.epoch),
            Message::Unknown { .. } => {}
            _ => {
                self.links.remove(&from);
                self.outbox.push(Output::Close(link));
                let (state, expected) = (self.state.name(), "what coordinators tell each other");
                return Err(Violation { state, expected, got: "something else" }.into());
            }
        }
        Ok(())
    }

    /// Whether what somebody says who reigns counts. Who reigns in an earlier epoch is told that it is over.
    fn follows(&mut self, link: LinkId, from: CoordinatorId, epoch: Epoch) -> bool {
        if epoch < self.memory.promised {
            self.send(link, Message::Fenced(Fenced { epoch: self.memory.promised, extensions: Extensions::NONE }));
            return false;
        }
        if epoch.coordinator() != from || epoch == self.memory.promised && self.state != State::Following {
            self.event(Event::Ignored("a reign of somebody else"));
            return false;
        }
        if epoch > self.memory.promised {
            self.yield_to(epoch);
            self.promise(epoch, Then::Nothing);
        }
        self.heard = Some((epoch, self.now));
        true
    }

    /// Somebody wants to reign.
    fn asked(&mut self, link: LinkId, from: CoordinatorId, epoch: Epoch) {
        let again = epoch == self.memory.promised && self.state == State::Following;
        if epoch.coordinator() != from || epoch <= self.memory.promised && !again {
            let fenced = Fenced { epoch: self.memory.promised, extensions: Extensions::NONE };
            return self.send(link, Message::Fenced(fenced));
        }
        // Who was promised that nobody else reigns for a while is not let down.
        let reigns = self.state == State::Reigning && self.config.durability == Durability::Quorum;
        if reigns || self.owes_another(epoch).is_some() {
            return self.event(Event::Ignored("a candidate, during a reign"));
        }
        self.heard = Some((epoch, self.now));
        if again {
            // On another link, or it was promised when somebody else spoke of this epoch.
            let promise = self.promise;
            match self.storing.iter_mut().find(|(number, _)| *number == promise) {
                Some((_, then)) => *then = Then::Grant(from, epoch),
                None => self.grant(from, epoch),
            }
            return;
        }
        self.yield_to(epoch);
        self.promise(epoch, Then::Grant(from, epoch));
    }

    /// A later epoch has come: whatever it was doing in an earlier one is over.
    pub(super) fn yield_to(&mut self, epoch: Epoch) {
        if epoch <= self.memory.promised {
            return;
        }
        match self.state {
            State::Asking => {
                self.go(TableEvent::Yields);
                self.event(Event::Failed);
            }
            State::Reigning => {
                self.go(TableEvent::Yields);
                self.event(Event::Deposed(DissolveReason::FENCED));
            }
            _ => {}
        }
        self.deadline = None;
        self.leader = None;
        // What was to be said in the earlier epoch is not said any more.
        for (_, then) in &mut self.storing {
            *then = Then::Nothing;
        }
    }

    fn fenced(&mut self, epoch: Epoch) {
        if epoch <= self.memory.promised {
            return self.event(Event::Ignored("an old reign"));
        }
        self.yield_to(epoch);
        self.promise(epoch, Then::Nothing);
    }

    pub(super) fn promise(&mut self, epoch: Epoch, then: Then) {
        self.memory.promised = epoch;
        (self.last, self.stored, self.kept) = (0, 0, 0);
        self.store(Item::Promise(epoch), then);
        self.promise = self.last_number;
    }

    pub(super) fn store(&mut self, item: Item, then: Then) {
        self.last_number = self.last_number.saturating_add(1);
        self.storing.push_back((self.last_number, then));
        self.outbox.push(Output::Store { number: self.last_number, item });
    }

    fn stored(&mut self, number: u64) {
        while let Some((_, then)) = self.storing.front().copied().filter(|(first, _)| *first <= number) {
            self.storing.pop_front();
            match then {
                Then::Ask(epoch) if self.state == State::Asking && epoch == self.memory.promised => self.ask_all(),
                Then::Grant(to, epoch) if epoch == self.memory.promised => self.grant(to, epoch),
                Then::Confirm(epoch, index) if epoch == self.memory.promised => {
                    self.stored = self.stored.max(index);
                    let leader = self.links.get(&epoch.coordinator()).map(|other| other.link);
                    if let Some(link) = leader.filter(|_| index > 0) {
                        self.confirm(link, epoch, self.stored, 0);
                    }
                }
                Then::Count(epoch, index) if epoch == self.memory.promised => {
                    self.stored = self.stored.max(index);
                    self.count_copies();
                }
                _ => {}
            }
        }
    }

    pub(super) fn ask(&mut self, link: LinkId, epoch: Epoch) {
        self.send(link, Message::Query(Query { epoch, extensions: Extensions::NONE }));
    }

    /// Agrees, and says all that it knows.
    fn grant(&mut self, to: CoordinatorId, epoch: Epoch) {
        let Some(link) = self.links.get(&to).map(|other| other.link) else { return };
        let mut records: Vec<_> = self.memory.records.values().cloned().map(Some).collect();
        if records.is_empty() {
            records.push(None);
        }
        let mut remaining = u32::try_from(records.len()).unwrap_or(u32::MAX);
        for record in records {
            remaining = remaining.saturating_sub(1);
            let grant = Grant { epoch, remaining, record, extensions: Extensions::NONE };
            self.send(link, Message::Grant(Box::new(grant)));
        }
    }

    fn confirm(&mut self, link: LinkId, epoch: Epoch, index: u64, beat: u64) {
        let extensions = Extensions::NONE;
        self.send(link, Message::Replicated(Replicated { epoch, index, beat, extensions }));
    }

    pub(super) fn say_reign(&mut self, link: LinkId, beat: u64) {
        let (epoch, address) = (self.memory.promised, self.config.address.clone());
        self.send(link, Message::Reign(Reign { epoch, beat, address, extensions: Extensions::NONE }));
    }

    pub(super) fn replicate(&mut self, link: LinkId, entry: Entry) {
        let (epoch, extensions) = (self.memory.promised, Extensions::NONE);
        self.send(link, Message::Replicate(Box::new(Replicate { epoch, entry, extensions })));
    }

    fn send(&mut self, link: LinkId, message: Message) {
        self.outbox.push(Output::Send { link, message });
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outbox.push(Output::Event(event));
    }

    pub(super) fn go(&mut self, event: TableEvent) {
        match step(self.state, event) {
            Ok(next) => {
                trace_transition!("group replica", self.state, event, next);
                self.state = next;
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }
}
