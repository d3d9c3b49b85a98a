//! An attempt to migrate, from REQ to its terminal event (spec/tds5.md 4).

use super::Client;
use super::config::SafePoint;
use super::session::Home;
use super::table::{Event as TableEvent, State};
use super::types::{Disconnect, Event, Failure, Outcome, Output};
use crate::machine::{AttemptId, LinkId};
use crate::tds5::migration::{Address, FailReason, Migration, Request};
use alloc::vec::Vec;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Attempt {
    id: AttemptId,
    /// Those that can be used and are trusted.
    addresses: Vec<Address>,
}

/// What a request to migrate is answered with at the next safe point. SYNC comes in either case: the server counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reply {
    Sync,
    /// None of its addresses may be used: FAIL follows.
    Refuse,
}

impl Client {
    /// A message of the exchange on the link in use.
    pub(super) fn migration(&mut self, link: LinkId, migration: Migration) {
        let at_home = matches!(self.state, State::Idle | State::Busy | State::Resuming);
        match migration {
            _ if !self.is_migratable() => self.ignore(link, migration.name()),
            Migration::Request(request) if at_home || self.state == State::Synced => self.asked(request),
            Migration::Ignore if self.state == State::Synced => self.taken_back(Outcome::Ignored),
            Migration::Ignore if at_home && self.attempt.is_some() => {
                // Its SYNC is still owed: the server counts them.
                self.go(TableEvent::Withdraw);
                self.end_attempt(Outcome::Ignored);
            }
            Migration::Ignore if at_home && self.owed.last() == Some(&Reply::Refuse) => {
                // There is nothing left to refuse.
                self.owed.pop();
                self.owed.push(Reply::Sync);
            }
            Migration::Continue if self.state == State::Synced => self.set_out(),
            other => self.ignore(link, other.name()),
        }
    }

    /// REQ.
    fn asked(&mut self, request: Request) {
        if self.state == State::Synced {
            self.taken_back(Outcome::Superseded);
        }
        self.end_attempt(Outcome::Superseded);
        self.go(TableEvent::Request);
        self.attempts = self.attempts.saturating_add(1);
        let id = AttemptId(self.attempts);
        let trusted = |address: &&Address| self.config.trust.allows(address, &self.known);
        let usable = request.addresses.iter().filter(trusted).take(self.config.limits.addresses);
        let addresses: Vec<Address> = usable.cloned().collect();
        self.attempt = Some(Attempt { id, addresses });
        self.event(Event::Started { attempt: id, request });
        let refused = self.attempt.as_ref().is_some_and(|attempt| attempt.addresses.is_empty());
        if refused {
            self.end_attempt(Outcome::Refused);
        }
        self.owe(if refused { Reply::Refuse } else { Reply::Sync });
    }

    /// A server that asks more often than it may is not answered more often: the newest request still counts.
    fn owe(&mut self, reply: Reply) {
        let limit = usize::try_from(self.config.limits.unanswered_requests).unwrap_or(usize::MAX);
        if self.owed.len() >= limit {
            self.owed.pop();
        }
        self.owed.push(reply);
    }

    pub(super) fn end_attempt(&mut self, outcome: Outcome) {
        if let Some(attempt) = self.attempt.take() {
            self.event(Event::Ended { attempt: attempt.id, outcome });
        }
    }

    /// Whether the client may stop here.
    fn is_safe(&self) -> bool {
        let between = self.home.as_ref().is_some_and(|home| !home.open)
            && self.current.as_ref().is_none_or(|current| current.sent);
        match self.state {
            State::Idle => between,
            State::Busy | State::Resuming => between && self.config.safe_point == SafePoint::BetweenMessages,
            _ => false,
        }
    }

    /// Answers the requests to migrate at a safe point, each of them (spec/tds5.md 4.3 e).
    pub(super) fn answer_requests(&mut self) {
        if self.owed.is_empty() || !self.is_safe() {
            return;
        }
        let Some(link) = self.link() else { return };
        let owed = core::mem::take(&mut self.owed);
        let refuses = owed.last() == Some(&Reply::Refuse);
        for _ in owed {
            self.outbox.push(Output::Migration { link, migration: Migration::Sync });
        }
        if refuses {
            let migration = self.fail_message(FailReason::NO_USABLE_ADDRESS, "no usable address");
            self.outbox.push(Output::Migration { link, migration });
            if self.current.is_some() {
                self.resume(link, false);
            }
        }
        if self.attempt.is_some() {
            self.go(TableEvent::Sync);
            self.deadline = Some(self.now.saturating_add(self.config.answer_timeout));
        }
    }

    fn fail_message(&self, code: i32, text: &str) -> Migration {
        Migration::Fail(self.config.send_reason.then(|| FailReason::new(code, text)))
    }

    /// IGN behind SYNC, or another REQ in its place.
    fn taken_back(&mut self, outcome: Outcome) {
        self.complete_finished();
        self.deadline = None;
        self.end_attempt(outcome);
        self.stay(TableEvent::Ignore, TableEvent::IgnoreWaiting);
    }

    /// The old server goes on: it is told so if a command waits.
    fn stay(&mut self, idle: TableEvent, waiting: TableEvent) {
        match self.link().filter(|_| self.current.is_some()) {
            Some(link) => {
                self.go(waiting);
                self.resume(link, false);
            }
            None => self.go(idle),
        }
    }

    fn resume(&mut self, link: LinkId, is_new: bool) {
        self.outbox.push(Output::Migration { link, migration: Migration::Resume });
        self.send_kept_attention(link, is_new);
    }

    /// CONT.
    fn set_out(&mut self) {
        // The server sends nothing any more, not even the end of this message.
        self.complete_finished();
        self.go(TableEvent::Continue);
        let addresses = self.attempt.as_mut().map(|attempt| core::mem::take(&mut attempt.addresses));
        self.ahead = addresses.unwrap_or_default().into();
        self.redirects = 0;
        self.dial_next();
    }

    /// The client stays: no address has worked, or the server has not said whether to go.
    pub(super) fn give_up(&mut self, failure: Failure) {
        let Some(home) = self.home.as_ref().filter(|home| home.alive) else {
            return self.lose(Disconnect::Closed);
        };
        let link = home.link;
        self.complete_finished();
        self.deadline = None;
        self.end_attempt(Outcome::Failed(failure));
        let migration = match failure {
            Failure::LoginRefused => self.fail_message(FailReason::LOGIN_REFUSED, "login refused"),
            Failure::NoAnswer => self.fail_message(FailReason::NO_ANSWER, "no answer to the synchronisation"),
            Failure::NotReached | Failure::Deadline | Failure::Violation => {
                self.fail_message(FailReason::NOT_REACHED, "no server reached")
            }
        };
        self.outbox.push(Output::Migration { link, migration });
        self.stay(TableEvent::Fail, TableEvent::FailWaiting);
    }

    /// The new login is done: the session is there.
    pub(super) fn switch(&mut self, old: &Home, link: LinkId) {
        self.outbox.push(Output::Switch { from: old.link, to: link });
        if old.alive {
            if self.config.logout_old {
                self.outbox.push(Output::Logout(old.link));
            }
            self.outbox.push(Output::Close(old.link));
        }
        self.end_attempt(Outcome::Migrated { link });
        if self.current.is_some() {
            self.go(TableEvent::MigratedWaiting);
            self.resume(link, true);
        } else {
            self.go(TableEvent::Migrated);
        }
    }
}
