//! What a server must do: a queue of requests, what its commands are owed, and how far an attempt has come, as
//! spec/tds5.md 6.1, 6.4 and the properties M5 to M9 have them.

use super::super::words::{acknowledging, broken, is_command, is_final, request};
use crate::machine::Machine;
use crate::tds5::PacketType;
use crate::tds5::connection::Item;
use crate::tds5::migration::{FailReason, Migration};
use crate::tds5::server::{
    AttemptId, Caller, Config, Event, Input, MigrationState, Outcome, Output, Server, Session, StateEvent, SyncRule,
};
use crate::tds5::token::{Done, Token};
use crate::testing::trial::{Expected, Reference};
use crate::time::Instant;
use std::collections::VecDeque;
use std::string::String;

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// REQ.
    Asked,
    /// SYNC, which was announced.
    Announced,
    /// The handler has begun.
    Entered,
    /// CONT.
    Told,
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    number: u32,
    stage: Stage,
}

/// The reference model of a [`Server`].
#[derive(Clone, Debug)]
pub struct ServerModel {
    config: Config,
    session: Session,
    now: Instant,
    requests: u32,
    /// REQs that were answered by neither SYNC nor FAIL, oldest first.
    asked: VecDeque<u32>,
    /// The request that the last SYNC was for (0: for none), unless something has come since that ends its silence.
    synced: Option<u32>,
    attempt: Option<Attempt>,
    /// What the last attempt has left behind.
    left: MigrationState,
    /// The attempt whose handler runs.
    handler: Option<u32>,
    /// Commands without their final DONE.
    waiting: u32,
    /// An attention is to be acknowledged.
    attention: bool,
    /// A response message is begun.
    open: bool,
    /// The client waits and will say so.
    resume: bool,
    /// The client has come from elsewhere and has said nothing.
    fresh: bool,
    /// What the message that comes in has had so far: anything but migration, and migration.
    contents: bool,
    migration: bool,
    over: bool,
    due: Option<Instant>,
    history: checks::History,
}

type Must = super::super::words::Must<Output, Event>;

impl ServerModel {
    /// The model of a server with these settings, behind such a login.
    #[must_use]
    pub fn new(config: Config, session: Session) -> Self {
        Self {
            config,
            session,
            now: Instant::ZERO,
            requests: 0,
            asked: VecDeque::new(),
            synced: None,
            attempt: None,
            left: MigrationState::None,
            handler: None,
            waiting: 0,
            attention: false,
            open: false,
            resume: false,
            fresh: session.migrated,
            contents: false,
            migration: false,
            over: false,
            due: None,
            history: checks::History::default(),
        }
    }

    fn is_able(&self) -> bool {
        self.session.migratable && self.session.session_id.is_some()
    }

    fn stage(&self) -> Option<Stage> {
        self.attempt.map(|attempt| attempt.stage)
    }

    /// SRV_T_MIGRATE_STATE.
    fn property(&self) -> MigrationState {
        match self.stage() {
            None => self.left,
            Some(Stage::Asked) => MigrationState::Requested,
            Some(Stage::Announced | Stage::Entered) => MigrationState::Ready,
            Some(Stage::Told) => MigrationState::Migrating,
        }
    }

    /// Whether a request could be made, and whether it could be withdrawn: the columns of 6.1.
    fn may_migrate(&self, by: Caller) -> bool {
        let late = match self.stage() {
            Some(Stage::Told) => true,
            Some(Stage::Entered) => by == Caller::Other,
            _ => false,
        };
        self.is_able() && !self.over && !late
    }

    fn may_cancel(&self, by: Caller) -> bool {
        match self.stage() {
            None | Some(Stage::Told) => false,
            Some(Stage::Entered) => by == Caller::Own,
            Some(Stage::Asked | Stage::Announced) => true,
        }
    }

    fn say(&mut self, migration: Migration, must: &mut Must) {
        if core::mem::take(&mut self.open) {
            must.wire.push(Output::EndMessage);
        }
        must.wire.push(Output::Migration(migration));
    }

    /// The client will say RESUME if it has stopped, and a command is pending (6.4).
    fn expect_resume(&mut self) {
        self.resume |= self.waiting > 0;
    }

    /// The client goes on: it has heard that the request is withdrawn for which it has said SYNC.
    fn forget_withdrawn(&mut self) {
        let open = self.attempt.map(|attempt| attempt.number);
        self.synced = self.synced.filter(|number| Some(*number) == open);
    }

    fn take_back(&mut self, must: &mut Must) {
        self.say(Migration::Ignore, must);
        if self.stage() != Some(Stage::Asked) {
            self.expect_resume();
            self.synced = self.attempt.map(|attempt| attempt.number);
        }
    }

    fn end_attempt(&mut self, outcome: Outcome, left: MigrationState, must: &mut Must) {
        self.left = left;
        self.due = None;
        if let Some(Attempt { number, .. }) = self.attempt.take() {
            must.events.push(Event::Ended { attempt: AttemptId(number), outcome });
        }
    }

    /// The client failed, or fell back: one state event, one end.
    fn fail(&mut self, reason: Option<FailReason>, must: &mut Must) {
        if let Some(Attempt { number, .. }) = self.attempt {
            let state = StateEvent::Failed(reason);
            must.events.push(Event::MigrateState { attempt: AttemptId(number), state });
        }
        self.end_attempt(Outcome::Failed, MigrationState::Failed, must);
    }

    /// The connection is over; the property stays.
    fn end(&mut self, outcome: Outcome, must: &mut Must) {
        let state = self.property();
        self.end_attempt(outcome, state, must);
        self.handler = None;
        self.over = true;
        must.events.push(Event::Disconnect { state });
    }

    fn input(&mut self, now: Instant, input: &Input) -> Must {
        let mut must = Must::default();
        let after = self.now.max(now);
        let due = self.due.is_some_and(|due| due <= after);
        if *input == Input::Timeout && !due {
            return must;
        }
        self.now = after;
        match input {
            Input::Migrate { addresses, .. } => {
                if self.attempt.is_some() {
                    self.take_back(&mut must);
                    self.end_attempt(Outcome::Superseded, self.left, &mut must);
                }
                self.requests += 1;
                let number = self.requests;
                self.asked.push_back(number);
                self.attempt = Some(Attempt { number, stage: Stage::Asked });
                self.due = Some(self.now.saturating_add(self.config.sync_timeout));
                must.events.push(Event::Started(AttemptId(number)));
                self.say(request(addresses.clone()), &mut must);
            }
            Input::Cancel { .. } => {
                self.take_back(&mut must);
                self.end_attempt(Outcome::Cancelled, MigrationState::Cancelled, &mut must);
            }
            Input::Enter(AttemptId(number)) => {
                self.handler = Some(*number);
                self.attempt.iter_mut().for_each(|attempt| attempt.stage = Stage::Entered);
            }
            Input::Leave => {
                let left = self.handler.take();
                let attempt = self.attempt.as_mut().filter(|attempt| attempt.stage == Stage::Entered);
                if let Some(attempt) = attempt.filter(|attempt| Some(attempt.number) == left) {
                    attempt.stage = Stage::Told;
                    self.due = Some(self.now.saturating_add(self.config.migrate_timeout));
                    self.say(Migration::Continue, &mut must);
                }
            }
            Input::Item(item) => self.item(item, &mut must),
            Input::Respond(token) => {
                let ends = is_final(token);
                must.wire.push(Output::Send(acknowledging(token, ends && self.attention)));
                self.open = !ends;
                if ends {
                    must.wire.push(Output::EndMessage);
                    self.waiting -= 1;
                    self.attention = false;
                }
            }
            Input::Closed => {
                let moved = self.stage() == Some(Stage::Told);
                self.end(if moved { Outcome::Migrated } else { Outcome::Lost }, &mut must);
            }
            Input::Disconnect => {
                must.wire.push(Output::Close);
                self.end(Outcome::Lost, &mut must);
            }
            Input::Timeout if self.stage() == Some(Stage::Told) => {
                must.wire.push(Output::Close);
                self.end(Outcome::TimedOut, &mut must);
            }
            Input::Timeout => {
                self.take_back(&mut must);
                self.end_attempt(Outcome::TimedOut, MigrationState::Cancelled, &mut must);
            }
        }
        must
    }

    fn item(&mut self, item: &Item, must: &mut Must) {
        let first = core::mem::take(&mut self.fresh);
        let told = self.stage() == Some(Stage::Told);
        let pass = Event::Item(item.clone());
        match item {
            Item::Migration(migration) => {
                self.migration = true;
                self.exchange(migration, first, must);
            }
            Item::Token(Token::Logout(_)) if told => {
                must.wire.push(Output::Close);
                self.end(Outcome::Migrated, must);
            }
            Item::Token(Token::Logout(_)) => {
                must.wire.extend([Output::Send(Done::FINAL.into()), Output::EndMessage, Output::Close]);
                self.end(Outcome::Lost, must);
            }
            Item::End(PacketType::ATTENTION) if self.waiting > 0 => {
                self.attention = true;
                must.events.push(Event::Attention);
            }
            Item::End(PacketType::ATTENTION) if told => must.events.push(Event::Ignored("ATTENTION")),
            Item::End(PacketType::ATTENTION) => {
                must.wire.extend([Output::Send(acknowledging(&Done::FINAL.into(), true)), Output::EndMessage]);
            }
            Item::End(ty) => {
                let (contents, migration) = (core::mem::take(&mut self.contents), core::mem::take(&mut self.migration));
                if !is_command(*ty) {
                    if contents {
                        must.events.push(pass);
                    }
                } else if contents || !migration {
                    if self.waiting >= self.config.limits.pending {
                        must.wire.push(Output::Close);
                        return self.end(Outcome::Lost, must);
                    }
                    self.waiting += 1;
                    self.resume = false;
                    if told {
                        self.fail(None, must);
                    }
                    self.forget_withdrawn();
                    must.events.push(pass);
                }
            }
            Item::Login(_) => {
                must.wire.push(Output::Close);
                self.end(Outcome::Lost, must);
            }
            Item::Token(_) | Item::Data { .. } => {
                self.contents = true;
                must.events.push(pass);
            }
        }
    }

    fn exchange(&mut self, migration: &Migration, first: bool, must: &mut Must) {
        let ignored = Event::Ignored(migration.name());
        match migration {
            Migration::Resume if first || self.resume => {
                // The old server owes the command already.
                self.waiting += u32::from(!core::mem::take(&mut self.resume));
                self.forget_withdrawn();
                if self.attempt.is_none() {
                    self.left = MigrationState::None;
                }
                must.events.push(Event::MigrateResume);
            }
            Migration::Sync if self.is_able() => {
                let answered = match self.config.sync_rule {
                    SyncRule::EachRequest => self.asked.pop_front(),
                    _ => self.asked.drain(..).next_back(),
                };
                self.synced = Some(answered.unwrap_or(0));
                match &mut self.attempt {
                    Some(attempt) if attempt.stage == Stage::Asked && answered == Some(attempt.number) => {
                        attempt.stage = Stage::Announced;
                        self.due = None;
                        let attempt = AttemptId(attempt.number);
                        must.events.push(Event::MigrateState { attempt, state: StateEvent::Ready });
                    }
                    _ => must.events.push(ignored),
                }
            }
            Migration::Fail(reason) if self.is_able() => match (self.attempt, self.synced.take()) {
                (Some(Attempt { stage: Stage::Announced | Stage::Entered | Stage::Told, .. }), _) => {
                    self.expect_resume();
                    self.fail(reason.clone(), must);
                }
                // Behind a SYNC that was for another request: it is of that one.
                (_, Some(_)) => must.events.push(ignored),
                (attempt, None) => {
                    // In the place of a SYNC.
                    let answered = self.asked.pop_front();
                    if attempt.is_some_and(|attempt| answered == Some(attempt.number)) {
                        self.fail(reason.clone(), must);
                    } else {
                        must.events.push(ignored);
                    }
                }
            },
            _ => must.events.push(ignored),
        }
    }
}

mod checks;
