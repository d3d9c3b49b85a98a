//! What a server does with each input.

use super::table::Event as TableEvent;
use super::{
    AttemptId, Event, Input, MigrationState, Outcome, Output, Refusal, Server, State, StateEvent, SyncRule, step,
};
use crate::error::{Error, Limit, Misuse, Violation};
use crate::machine::{Machine, trace_transition};
use crate::tds5::connection::Item;
use crate::tds5::ledger::Incoming;
use crate::tds5::migration::{Address, FailReason, Migration, Request};
use crate::tds5::token::{Done, Token};
use crate::time::Instant;
use alloc::vec::Vec;

impl Machine for Server {
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
            Input::Migrate { addresses, .. } => self.request(addresses),
            Input::Cancel { .. } => self.cancel(TableEvent::Cancelled, Outcome::Cancelled),
            Input::Enter(attempt) => {
                self.handler = Some(attempt);
                self.go(TableEvent::Entered);
            }
            Input::Leave => self.leave(),
            Input::Item(item) => return self.item(item),
            Input::Respond(token) => {
                let (token, ends) = self.ledger.respond(token);
                self.outbox.push(Output::Send(token));
                if ends {
                    self.outbox.push(Output::EndMessage);
                }
            }
            Input::Closed => {
                let moved = self.state == State::Migrating;
                self.end(if moved { Outcome::Migrated } else { Outcome::Lost });
            }
            Input::Disconnect => {
                self.outbox.push(Output::Close);
                self.end(Outcome::Lost);
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

impl Server {
    /// Everything that our caller can do wrong; nothing changes.
    fn validate(&self, input: &Input) -> Result<(), Misuse> {
        let refused = |what, refusal: Refusal| Misuse::Refused { what, reason: refusal.reason() };
        match input {
            Input::Timeout => Ok(()),
            Input::Migrate { addresses, by } => {
                self.may_migrate(*by).map_err(|refusal| refused("Migrate", refusal))?;
                self.check_addresses(addresses)
            }
            Input::Cancel { by } => self.may_cancel(*by).map_err(|refusal| refused("Cancel", refusal)),
            _ if self.state == State::Gone => Err(Misuse::WrongState { state: self.state.name(), input: input.name() }),
            Input::Enter(attempt) => {
                if self.state == State::Ready && self.attempt == Some(*attempt) && self.handler.is_none() {
                    return Ok(());
                }
                Err(Misuse::Refused { what: "Enter", reason: "the client is not ready any more, or was not told" })
            }
            Input::Leave if self.handler.is_none() => Err(Misuse::Refused { what: "Leave", reason: "no handler runs" }),
            Input::Respond(_) if self.state == State::Migrating => Err(refused("Respond", Refusal::Migrating)),
            Input::Respond(_) if self.resume_expected => {
                Err(Misuse::Refused { what: "Respond", reason: "the client will say first that it waits" })
            }
            Input::Respond(_) => self.ledger.check_response(),
            Input::Leave | Input::Item(_) | Input::Closed | Input::Disconnect => Ok(()),
        }
    }

    fn check_addresses(&self, addresses: &[Address]) -> Result<(), Misuse> {
        if addresses.is_empty() {
            return Err(Misuse::Argument { what: "addresses", reason: "there must be one at least" });
        }
        let refuse = |what, limit: u64, got: u64| Err(Misuse::Limit(Limit { what, limit, got }));
        let to_u64 = crate::error::to_u64;
        let limits = &self.config.limits;
        if addresses.len() > limits.addresses {
            return refuse("addresses", to_u64(limits.addresses), to_u64(addresses.len()));
        }
        if self.unanswered >= limits.unanswered_requests {
            let got = u64::from(self.unanswered).saturating_add(1);
            return refuse("unanswered_requests", u64::from(limits.unanswered_requests), got);
        }
        Ok(())
    }

    fn request(&mut self, addresses: Vec<Address>) {
        if matches!(self.state, State::Requested | State::Ready | State::Deciding) {
            self.ignore();
            self.end_attempt(Outcome::Superseded);
        }
        self.attempts = self.attempts.saturating_add(1);
        let attempt = AttemptId(self.attempts);
        self.attempt = Some(attempt);
        self.event(Event::Started(attempt));
        self.say(Migration::Request(Request { addresses, unreadable: Vec::new() }));
        self.unanswered = self.unanswered.saturating_add(1);
        self.deadline = Some(self.now.saturating_add(self.config.sync_timeout));
        self.go(TableEvent::Requested);
    }

    fn cancel(&mut self, event: TableEvent, outcome: Outcome) {
        self.ignore();
        self.deadline = None;
        self.go(event);
        self.end_attempt(outcome);
    }

    /// Tells the client never mind. If it has said SYNC for this request and waits, it will say so now: whatever was
    /// sent to it before would be taken for the answer to that.
    fn ignore(&mut self) {
        self.say(Migration::Ignore);
        if self.state != State::Requested {
            self.resume_expected = self.ledger.pending() > 0;
            self.fail_may_cross = true;
        }
    }

    fn leave(&mut self) {
        let attempt = self.handler.take();
        if self.state == State::Deciding && attempt == self.attempt {
            self.say(Migration::Continue);
            self.deadline = Some(self.now.saturating_add(self.config.migrate_timeout));
            self.go(TableEvent::Left);
        }
    }

    fn item(&mut self, item: Item) -> Result<(), Error> {
        // Only the first thing that a client says here can be that it waits for what it has asked elsewhere.
        let arriving = core::mem::take(&mut self.arriving);
        match self.ledger.take(item, self.config.limits.pending) {
            Incoming::Pass(item) => self.event(Event::Item(item)),
            Incoming::Command(item) => {
                self.resume_expected = false;
                self.fail_may_cross = false;
                if self.state == State::Migrating {
                    self.fail(TableEvent::FellBack, None);
                }
                self.event(Event::Item(item));
            }
            Incoming::Attention => self.event(Event::Attention),
            // What a client that was told to go still waits for is not here any more.
            Incoming::Acknowledge(_) if self.state == State::Migrating => self.event(Event::Ignored("ATTENTION")),
            Incoming::Acknowledge(token) => {
                self.outbox.push(Output::Send(token));
                self.outbox.push(Output::EndMessage);
            }
            Incoming::Logout => self.logout(),
            Incoming::Migration(migration) => self.migration(migration, arriving),
            Incoming::Nothing => {}
            Incoming::Illegal(got) => {
                let violation =
                    Violation { state: self.state.name(), expected: "a command or a migration message", got };
                self.outbox.push(Output::Close);
                self.end(Outcome::Lost);
                return Err(violation.into());
            }
        }
        Ok(())
    }

    fn migration(&mut self, migration: Migration, arriving: bool) {
        let ignored = Event::Ignored(migration.name());
        match migration {
            Migration::Resume if self.resume_expected || arriving => self.resume(),
            _ if !self.is_able() => self.event(ignored),
            Migration::Sync => self.sync(ignored),
            Migration::Fail(reason) => self.refusal(reason, ignored),
            _ => self.event(ignored),
        }
    }

    fn sync(&mut self, ignored: Event) {
        let answers = self.unanswered > 0;
        self.unanswered = self.unanswered.saturating_sub(1);
        if self.config.sync_rule == SyncRule::NewestOnly {
            self.unanswered = 0;
        }
        match self.attempt {
            Some(attempt) if self.state == State::Requested && answers && self.unanswered == 0 => {
                self.deadline = None;
                self.fail_may_cross = false;
                self.go(TableEvent::Synced);
                self.event(Event::MigrateState { attempt, state: StateEvent::Ready });
            }
            _ => {
                self.fail_may_cross = true;
                self.event(ignored);
            }
        }
    }

    fn refusal(&mut self, reason: Option<FailReason>, ignored: Event) {
        let crossed = core::mem::take(&mut self.fail_may_cross);
        match self.state {
            State::Migrating | State::Ready | State::Deciding => {
                self.resume_expected = self.ledger.pending() > 0;
                self.fail(TableEvent::Failed, reason);
            }
            _ if crossed => self.event(ignored),
            _ => {
                // In the place of a SYNC, as our client never does it: it has stopped nothing, and will not say that it
                // waits.
                let answers = self.unanswered > 0;
                self.unanswered = self.unanswered.saturating_sub(1);
                if self.state == State::Requested && answers && self.unanswered == 0 {
                    self.fail(TableEvent::Failed, reason);
                } else {
                    self.event(ignored);
                }
            }
        }
    }

    fn fail(&mut self, event: TableEvent, reason: Option<FailReason>) {
        self.deadline = None;
        self.go(event);
        if let Some(attempt) = self.attempt {
            self.event(Event::MigrateState { attempt, state: StateEvent::Failed(reason) });
        }
        self.end_attempt(Outcome::Failed);
    }

    fn resume(&mut self) {
        // A client that has come from elsewhere waits for a command that this server has not seen.
        if !core::mem::take(&mut self.resume_expected) {
            self.ledger.add();
        }
        self.fail_may_cross = false;
        if matches!(self.state, State::None | State::Cancelled | State::Failed) {
            self.go(TableEvent::Resumed);
        }
        self.event(Event::MigrateResume);
    }

    fn logout(&mut self) {
        if self.state == State::Migrating {
            self.outbox.push(Output::Close);
            return self.end(Outcome::Migrated);
        }
        self.outbox.push(Output::Send(Token::Done(Done::FINAL)));
        self.outbox.push(Output::EndMessage);
        self.outbox.push(Output::Close);
        self.end(Outcome::Lost);
    }

    fn timeout(&mut self) {
        self.deadline = None;
        if self.state == State::Migrating {
            self.outbox.push(Output::Close);
            self.end(Outcome::TimedOut);
        } else {
            self.cancel(TableEvent::SyncTimeout, Outcome::TimedOut);
        }
    }

    /// The connection is over.
    fn end(&mut self, outcome: Outcome) {
        self.deadline = None;
        self.handler = None;
        self.end_attempt(outcome);
        self.event(Event::Disconnect { state: self.property });
        self.go(TableEvent::Closed);
    }

    /// Sends a migration message, between response messages: one that was begun is ended first. The client goes on
    /// waiting, since no final DONE has come.
    fn say(&mut self, migration: Migration) {
        if self.ledger.is_open() {
            self.ledger.close_message();
            self.outbox.push(Output::EndMessage);
        }
        self.outbox.push(Output::Migration(migration));
    }

    fn end_attempt(&mut self, outcome: Outcome) {
        if let Some(attempt) = self.attempt.take() {
            self.event(Event::Ended { attempt, outcome });
        }
    }

    fn event(&mut self, event: Event) {
        self.outbox.push(Output::Event(event));
    }

    fn go(&mut self, event: TableEvent) {
        match step(self.state, event) {
            Ok(next) => {
                trace_transition!("tds5 server", self.state, event, next);
                self.state = next;
                self.property = match next {
                    State::None => MigrationState::None,
                    State::Requested => MigrationState::Requested,
                    State::Ready | State::Deciding => MigrationState::Ready,
                    State::Migrating => MigrationState::Migrating,
                    State::Cancelled => MigrationState::Cancelled,
                    State::Failed => MigrationState::Failed,
                    State::Gone => self.property,
                };
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }
}
