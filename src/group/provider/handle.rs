//! What a provider does with each input.

use super::table::Event as TableEvent;
use super::{Departure, Event, Input, Known, Output, Provider, State, step};
use crate::error::{Error, Misuse, Violation};
use crate::frame::{Extensions, Text};
use crate::group::coordinator::membership_digest;
use crate::group::ids::{ErrorCode, MessageKind, ProtocolKind, Vote as VoteValue};
use crate::group::message::{
    Acknowledge, Ballot, Deactivated, Ended, Message, Open, Outcome, Past, Phase, Propose, Signal, Snapshot, Vote,
};
use crate::group::name::{GroupId, ProtocolId, ProviderId, Sequence, Token};
use crate::limits::GroupLimits;
use crate::machine::{Machine, trace_transition};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

/// Most requests of a provider that are not answered.
const MOST_PROPOSED: usize = 64;

impl Machine for Provider {
    type Input<'a> = Input;
    type Output = Output;
    type State = State;

    fn handle(&mut self, now: Instant, input: Input) -> Result<(), Error> {
        self.outbox.check_room(Self::limit())?;
        self.validate(&input)?;
        let now = self.now.max(now);
        if matches!(input, Input::Timeout) && self.deadline.is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        self.now = now;
        match input {
            Input::Message(message) => return self.message(message),
            Input::Vote { ballot, .. } => self.vote(ballot),
            Input::Propose { request, voting, view, wish } => {
                if let Some(token) = self.token {
                    self.proposed.push_back(request);
                    let extensions = Extensions::NONE;
                    self.send(Message::Propose(Box::new(Propose { request, token, voting, view, wish, extensions })));
                }
            }
            Input::Deactivated(successful) => {
                self.deactivating = false;
                if let (Some(token), Some(open)) = (self.token, &self.open) {
                    let protocol = open.protocol;
                    let extensions = Extensions::NONE;
                    self.send(Message::Deactivated(Deactivated { token, protocol, successful, extensions }));
                }
            }
            Input::Acknowledge => {
                if let Some(token) = self.token {
                    let (sequence, extensions) = (self.known.sequence, Extensions::NONE);
                    self.send(Message::Acknowledge(Acknowledge { token, sequence, extensions }));
                }
            }
            Input::Goodbye => {
                if let Some(token) = self.token {
                    self.send(Message::Goodbye(Signal { token, extensions: Extensions::NONE }));
                }
                self.leave(Departure::Goodbye);
            }
            Input::Lost => self.leave(Departure::Lost),
            Input::Reentered => {
                self.deadline = None;
                (self.missed, self.reentered) = (true, true);
                self.doubtful = self.proposed.len();
            }
            Input::Timeout => {
                self.deadline = None;
                self.event(Event::TimeIsUp);
            }
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

impl Provider {
    /// Everything that our caller can do wrong; nothing changes.
    pub(in crate::group) fn validate(&self, input: &Input) -> Result<(), Misuse> {
        let wrong_state = Err(Misuse::WrongState { state: self.state.name(), input: input.name() });
        match input {
            Input::Timeout => Ok(()),
            _ if self.state == State::Gone => wrong_state,
            Input::Vote { .. } if self.state != State::Voting => wrong_state,
            Input::Vote { protocol, phase, .. } if !self.runs(*protocol, *phase) => {
                Err(Misuse::Argument { what: "phase", reason: "the one that runs" })
            }
            Input::Vote { ballot, .. } => check_ballot(ballot),
            Input::Propose { .. } if self.state != State::Member => wrong_state,
            Input::Propose { .. } if self.proposed.len() >= MOST_PROPOSED => {
                Err(Misuse::Argument { what: "wish", reason: "fewer that are not answered" })
            }
            Input::Reentered if self.token.is_none() => wrong_state,
            Input::Deactivated(_) if !self.deactivating => wrong_state,
            Input::Goodbye | Input::Acknowledge if self.token.is_none() => wrong_state,
            _ => Ok(()),
        }
    }

    fn runs(&self, protocol: ProtocolId, phase: u32) -> bool {
        self.open.as_ref().is_some_and(|open| (open.protocol, open.phase) == (protocol, phase))
    }

    fn message(&mut self, message: Message) -> Result<(), Error> {
        match message {
            Message::Accepted(accepted) if self.state == State::Requested => {
                self.token = Some(accepted.token);
                self.known.group = accepted.group;
                self.go(TableEvent::Accepted);
                self.event(Event::Accepted(accepted.token));
            }
            Message::DelayedError(error) => {
                let (request, kind, code, text) = (error.request, error.kind, error.code, error.text);
                if kind == MessageKind::PROPOSE {
                    let before = self.proposed.len();
                    self.proposed.retain(|other| *other != request);
                    if self.proposed.len() < before {
                        self.doubtful = self.doubtful.saturating_sub(1);
                    }
                }
                // A join may be refused after it was accepted, while it waits.
                let mine = if error.token.is_some() { error.token == self.token } else { request == self.request };
                let joins = [State::Requested, State::Accepted].contains(&self.state) && self.open.is_none();
                self.event(Event::Error { request, kind, code, text });
                if kind == MessageKind::JOIN && mine && joins {
                    self.leave(Departure::Refused(code));
                }
            }
            Message::Phase(phase) => self.phase(phase),
            Message::Approved(ended) => self.ended(ended, true),
            Message::Rejected(ended) => self.ended(ended, false),
            Message::Announcement(announcement) => {
                if self.follows(announcement.token, announcement.group, announcement.sequence, false) {
                    let (flags, providers) = (announcement.flags, announcement.providers);
                    self.event(Event::Announcement { flags, providers });
                }
            }
            Message::View(view) if Some(view.token) == self.token && self.missed => {
                self.learn(*view.snapshot, view.open);
            }
            Message::Dissolved(dissolved) if dissolved.token.is_none() || dissolved.token == self.token => {
                self.leave(Departure::Dissolved(dissolved.reason));
            }
            Message::View(_) | Message::Dissolved(_) | Message::Accepted(_) => {
                self.event(Event::Ignored("a message that nobody waits for"));
            }
            Message::Unknown { .. } => {}
            _ => {
                let (state, expected) = (self.state.name(), "what coordinators tell providers");
                self.leave(Departure::Lost);
                return Err(Violation { state, expected, got: "something else" }.into());
            }
        }
        Ok(())
    }

    /// Whether this is the next thing that the group is told. If something is missing, the whole is asked for.
    fn follows(&mut self, token: Token, group: GroupId, sequence: Sequence, joins: bool) -> bool {
        if Some(token) != self.token || group != self.known.group {
            self.event(Event::Ignored("another's message"));
            return false;
        }
        if self.missed {
            return false;
        }
        let last = self.known.sequence.0;
        // What was told before its join began is not its business.
        let waits = self.state == State::Accepted && self.open.is_none();
        if sequence.0 <= last {
            self.event(Event::Ignored("a message that has come already"));
            return false;
        }
        let is_next = if waits { joins } else { sequence.0 == last.saturating_add(1) };
        if !is_next {
            self.resynchronise();
            return false;
        }
        self.known.sequence = sequence;
        true
    }

    fn resynchronise(&mut self) {
        if let Some(token) = self.token {
            self.missed = true;
            self.send(Message::Resynchronise(Signal { token, extensions: Extensions::NONE }));
        }
    }

    fn phase(&mut self, phase: Phase) {
        let joins = phase.open.proposal.joining.contains(&self.config.provider);
        if !self.follows(phase.token, phase.group, phase.sequence, joins) {
            return;
        }
        self.begin(phase.open);
    }

    fn begin(&mut self, open: Open) {
        let me = self.config.provider;
        self.has_begun(open.protocol, open.proposal.proposer);
        let target = open.kind == ProtocolKind::EXPEL && open.proposal.leaving.iter().any(|one| one.provider == me);
        let has_voted = open.vote.is_some();
        let limit = Duration::from_secs(u64::from(open.time_limit));
        self.deadline = (!limit.is_zero() && !target && !has_voted).then(|| self.now.saturating_add(limit));
        self.open = Some(open.clone());
        if target {
            let now = |phase: u32| phase == open.phase;
            let deactivate = open.proposal.expulsion.clone().filter(|expulsion| now(expulsion.deactivate_phase));
            self.deactivating = deactivate.is_some();
            self.go(TableEvent::Watches);
            self.event(Event::Watch { open, deactivate });
        } else if has_voted {
            // It is known to the coordinator already.
            self.go(TableEvent::Watches);
        } else {
            self.go(TableEvent::Phase);
            self.event(Event::Phase(open));
        }
    }

    /// A request of its is answered once its protocol is told of for the first time, by a phase or by its end.
    fn has_begun(&mut self, protocol: ProtocolId, proposer: Option<ProviderId>) {
        if proposer == Some(self.config.provider) && protocol > self.begun {
            self.begun = protocol;
            self.proposed.pop_front();
            self.doubtful = self.doubtful.saturating_sub(1);
        }
    }

    fn vote(&mut self, ballot: Ballot) {
        let (Some(token), Some(open)) = (self.token, &mut self.open) else { return };
        open.vote = Some(ballot.clone());
        let (protocol, phase) = (open.protocol, open.phase);
        self.deadline = None;
        self.send(Message::Vote(Vote { token, protocol, phase, ballot, extensions: Extensions::NONE }));
        self.go(TableEvent::Votes);
    }

    fn ended(&mut self, ended: Box<Ended>, approved: bool) {
        if !self.is_next(&ended) {
            return;
        }
        let outcome = &ended.outcome;
        self.has_begun(outcome.protocol, outcome.proposal.proposer);
        self.open = None;
        self.deadline = None;
        self.deactivating = false;
        let me = self.config.provider;
        let joins = outcome.proposal.joining.contains(&me);
        let certain = approved || outcome.kind.is_certain();
        let leaves = certain && outcome.proposal.leaving.iter().any(|leave| leave.provider == me);
        if let Some(snapshot) = ended.snapshot.as_ref().filter(|_| joins && approved) {
            self.known = known(Snapshot::clone(snapshot));
        } else {
            self.apply(outcome, approved);
        }
        let view = outcome.view;
        (self.known.last, self.known.view) = (outcome.protocol, view);
        let digest = membership_digest(view, self.known.members.iter().copied());
        let wrong = !leaves && certain && digest != outcome.digest;
        self.recent.push_back(Past { approved, ended: outcome.clone() });
        if self.recent.len() > GroupLimits::DEFAULT.recent {
            self.recent.pop_front();
        }
        let gone = match (joins, approved, leaves) {
            (true, false, _) => Some(Departure::Rejected),
            (_, _, true) => Some(Departure::Left),
            _ => None,
        };
        self.event(if approved { Event::Approved(ended) } else { Event::Rejected(ended) });
        match gone {
            Some(departure) => self.leave(departure),
            None => {
                self.go(TableEvent::Ends);
                if wrong && !self.missed {
                    self.resynchronise();
                }
            }
        }
    }

    /// Whether this is the end that comes next. What was missed before a coordinator took over is told end by end.
    fn is_next(&mut self, ended: &Ended) -> bool {
        let outcome = &ended.outcome;
        let joins = outcome.proposal.joining.contains(&self.config.provider);
        if !self.missed {
            return self.follows(ended.token, ended.group, outcome.sequence, joins);
        }
        let mine = Some(ended.token) == self.token && ended.group == self.known.group;
        let new = mine && outcome.sequence > self.known.sequence;
        let next = outcome.protocol.0 == self.known.last.0.saturating_add(1) && !self.known.members.is_empty();
        let is_next = new && (joins || next);
        if is_next {
            self.known.sequence = outcome.sequence;
        }
        is_next
    }

    /// Makes the changes that everybody makes.
    fn apply(&mut self, outcome: &Outcome, approved: bool) {
        let proposal = &outcome.proposal;
        if approved || outcome.kind.is_certain() {
            self.known.members.retain(|member| !proposal.leaving.iter().any(|leave| leave.provider == *member));
        }
        if approved {
            self.known.members.extend(proposal.joining.iter().copied());
            if let Some(state) = &proposal.state {
                self.known.state = state.clone();
            }
            if let Some(attributes) = &proposal.attributes {
                self.known.attributes = (**attributes).clone();
            }
        }
    }

    /// The whole group, after something was missed.
    fn learn(&mut self, snapshot: Snapshot, open: Option<Open>) {
        self.missed = false;
        self.open = None;
        self.deadline = None;
        self.deactivating = false;
        if core::mem::take(&mut self.reentered) {
            // Whether they had come is not known: they are not carried out.
            let doubtful = core::mem::take(&mut self.doubtful);
            for request in self.proposed.drain(..doubtful).collect::<Vec<_>>() {
                let (kind, code) = (MessageKind::PROPOSE, ErrorCode::NOT_OK);
                self.event(Event::Error { request, kind, code, text: Text::EMPTY });
            }
        }
        let is_in = snapshot.members.contains(&self.config.provider);
        let was_in = !self.known.members.is_empty();
        if is_in || was_in {
            let before = core::mem::replace(&mut self.known, known(snapshot.clone()));
            let is_same = Known { sequence: before.sequence, ..self.known.clone() } == before;
            if !is_same {
                self.event(Event::Resynchronised(Box::new(snapshot)));
            }
        } else {
            self.known.sequence = snapshot.sequence;
        }
        match (is_in, was_in) {
            (true, _) => self.go(TableEvent::Ends),
            (false, true) => return self.leave(Departure::Left),
            // It was told that it was in, and not who is.
            (false, false) if self.state == State::Member => return self.leave(Departure::Left),
            // It is still on its way into the group.
            (false, false) => self.go(TableEvent::Waits),
        }
        if let Some(open) = open {
            self.begin(open);
        }
    }

    fn leave(&mut self, departure: Departure) {
        self.token = None;
        self.open = None;
        self.deadline = None;
        self.deactivating = false;
        self.go(TableEvent::Gone);
        self.event(Event::Gone(departure));
    }

    fn send(&mut self, message: Message) {
        self.outbox.push(Output::Send(message));
    }

    fn event(&mut self, event: Event) {
        self.outbox.push(Output::Event(event));
    }

    fn go(&mut self, event: TableEvent) {
        match step(self.state, event) {
            Ok(next) => {
                trace_transition!("group provider", self.state, event, next);
                self.state = next;
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }
}

fn known(snapshot: Snapshot) -> Known {
    let Snapshot { group, sequence, view, attributes, state, members, last } = snapshot;
    Known { group, sequence, view, attributes, state, members, last }
}

fn check_ballot(ballot: &Ballot) -> Result<(), Misuse> {
    if ballot.vote.name().is_none() {
        return Err(Misuse::Argument { what: "vote", reason: "approve, continue or reject" });
    }
    match ballot.default_vote {
        None | Some(VoteValue::APPROVE | VoteValue::REJECT) => Ok(()),
        Some(_) => Err(Misuse::Argument { what: "default_vote", reason: "approve or reject" }),
    }
}
