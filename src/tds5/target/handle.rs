//! What a target does with each input.

use super::table::Event as TableEvent;
use super::{Event, Input, LoginOutcome, Output, SessionIdDelivery, State, Target, step};
use crate::error::{Error, Misuse, Violation};
use crate::machine::{Machine, trace_transition};
use crate::tds5::capability::{Capabilities, CapabilityType, Mask, RequestCapability};
use crate::tds5::connection::Item;
use crate::tds5::ids::DoneStatus;
use crate::tds5::ledger::Incoming;
use crate::tds5::login::{HaLogin, Login};
use crate::tds5::migration::Migration;
use crate::tds5::token::{Done, Eed, EnvironmentChange, EnvironmentKind, LoginAck, LoginStatus, Token};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::string::ToString;

impl Machine for Target {
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
            Input::Item(item) => return self.item(item),
            Input::SetSessionId(id) => (self.session_id, self.id_is_new) = (Some(id), true),
            Input::Accept { tokens } => self.accept(tokens),
            Input::Refuse { notice } => self.refuse(TableEvent::Refused, LoginOutcome::Refused, notice),
            Input::Respond(token) => self.respond(token),
            Input::Closed => self.end(LoginOutcome::Lost),
            Input::Disconnect => {
                self.outbox.push(Output::Close);
                self.end(LoginOutcome::Lost);
            }
            Input::Timeout => self.refuse(TableEvent::LoginTimeout, LoginOutcome::TimedOut, None),
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

impl Target {
    /// Everything that our caller can do wrong; nothing changes.
    fn validate(&self, input: &Input) -> Result<(), Misuse> {
        let wrong_state = || Err(Misuse::WrongState { state: self.state.name(), input: input.name() });
        match input {
            Input::Timeout => Ok(()),
            Input::SetSessionId(_) => self
                .may_set_session_id()
                .map_err(|refusal| Misuse::Refused { what: "SetSessionId", reason: refusal.reason() }),
            Input::Accept { .. } | Input::Refuse { .. } if self.state != State::Connecting => wrong_state(),
            Input::Accept { tokens } => {
                let ends = |token: &Token| {
                    matches!(token, Token::Done(_) | Token::LoginAck(_) | Token::Capability(_) | Token::Logout(_))
                };
                if tokens.iter().any(ends) {
                    let reason = "LOGINACK, CAPABILITY and DONE are the machine's to send";
                    return Err(Misuse::Argument { what: "tokens", reason });
                }
                if self.config.program_name.len() > usize::from(u8::MAX) {
                    return Err(Misuse::Argument { what: "program_name", reason: "longer than 255 bytes" });
                }
                Ok(())
            }
            Input::Respond(_) if !matches!(self.state, State::Serving | State::Resuming) => wrong_state(),
            Input::Respond(_) => self.ledger.check_response(),
            _ if self.state == State::Gone => wrong_state(),
            Input::Refuse { .. } | Input::Item(_) | Input::Closed | Input::Disconnect => Ok(()),
        }
    }

    /// How a client can be told its id; `None` if it cannot.
    pub(super) fn delivery(&self, login: &Login) -> Option<SessionIdDelivery> {
        let asked = login.record.ha_login.contains(HaLogin::SESSION) && login.wants_session();
        let able = self.is_migratable();
        match self.config.session_id_delivery {
            SessionIdDelivery::Automatic if asked => Some(SessionIdDelivery::Negotiate),
            SessionIdDelivery::Automatic if able => Some(SessionIdDelivery::Inline),
            SessionIdDelivery::Automatic => None,
            chosen => (able || login.wants_session()).then_some(chosen),
        }
    }

    fn item(&mut self, item: Item) -> Result<(), Error> {
        match (self.state, item) {
            (State::Login, Item::Login(login)) => self.log_in(login),
            // Whatever it says, it has the id.
            (State::Negotiating, Item::End(ty)) if !ty.is_header_only() => {
                self.go(TableEvent::Answered);
                let tokens = core::mem::take(&mut self.tokens);
                self.establish(tokens);
            }
            (State::Negotiating, Item::Token(_) | Item::Migration(_) | Item::Data { .. } | Item::End(_)) => {}
            (State::Login, item) => return self.violate("a login message", item.name()),
            (State::Connecting | State::Negotiating, item) => {
                return self.violate("nothing before the login is answered", item.name());
            }
            (_, item) => return self.serve(item),
        }
        Ok(())
    }

    fn log_in(&mut self, login: Box<Login>) {
        let session_id = login.is_migration().filter(|_| self.config.migration);
        self.session_id = session_id;
        self.migrated = session_id.is_some();
        self.login = Some(login.clone());
        self.go(TableEvent::LoggedIn);
        self.event(Event::Connect { login, migrated: self.migrated, session_id });
    }

    fn accept(&mut self, tokens: alloc::vec::Vec<Token>) {
        let new_id = self.session_id.filter(|_| self.id_is_new);
        let delivery = self.login.as_ref().and_then(|login| self.delivery(login));
        match (new_id, delivery) {
            (Some(id), Some(SessionIdDelivery::Negotiate)) => {
                self.acknowledge(LoginStatus::NEGOTIATE);
                self.outbox.push(Output::SessionId(id));
                self.done(DoneStatus::empty());
                self.id_is_new = false;
                self.tokens = tokens;
                self.go(TableEvent::Negotiated);
            }
            _ => {
                self.go(TableEvent::Accepted);
                self.establish(tokens);
            }
        }
    }

    /// The last response of the login.
    fn establish(&mut self, tokens: alloc::vec::Vec<Token>) {
        self.deadline = None;
        if let Some(change) = self.packet_size() {
            self.outbox.push(Output::Send(change));
        }
        tokens.into_iter().for_each(|token| self.outbox.push(Output::Send(token)));
        self.acknowledge(LoginStatus::SUCCEED);
        if let Some(id) = self.session_id.filter(|_| core::mem::take(&mut self.id_is_new)) {
            self.outbox.push(Output::SessionId(id));
        }
        let granted = self.login.as_ref().map(|login| login.capabilities.granted(&self.offered()));
        if let Some(granted) = granted {
            self.outbox.push(Output::Send(granted.into()));
        }
        self.done(DoneStatus::empty());
        self.arriving = self.migrated;
        self.end_login(LoginOutcome::Established);
    }

    /// What is granted of what a client asks for.
    fn offered(&self) -> Capabilities {
        let ours = &self.config.capabilities;
        if self.config.migration {
            return ours.clone();
        }
        ours.masks()
            .map(|(ty, mask)| {
                let without = mask
                    .iter()
                    .filter(|&number| ty != CapabilityType::REQUEST || number != RequestCapability::MIGRATE.0);
                (ty, Mask::of(without).unwrap_or_default())
            })
            .collect()
    }

    /// The change of the packet size, if the client asks for another one than the first.
    fn packet_size(&self) -> Option<Token> {
        let first = crate::tds5::packet::FIRST_PACKET_SIZE;
        let asked = self.login.as_ref()?.record.packet_size()?;
        let size = u16::try_from(asked).unwrap_or(u16::MAX).min(self.config.packet_size);
        if size <= first {
            return None;
        }
        let (new, old) = (size.to_string(), first.to_string());
        EnvironmentChange::new(EnvironmentKind::PACKET_SIZE, new.as_bytes(), old.as_bytes()).ok().map(Token::from)
    }

    fn acknowledge(&mut self, status: LoginStatus) {
        let ack = LoginAck::new(status, self.config.program_name.clone(), self.config.program_version);
        self.outbox.push(Output::Send(ack.into()));
    }

    /// The DONE of a login's response; no command waits for it.
    fn done(&mut self, status: DoneStatus) {
        self.outbox.push(Output::Send(Done { status, ..Done::FINAL }.into()));
        self.outbox.push(Output::EndMessage);
    }

    fn refuse(&mut self, event: TableEvent, outcome: LoginOutcome, notice: Option<Box<Eed>>) {
        // A client that has said nothing gets no answer.
        if self.login.is_some() {
            if let Some(notice) = notice {
                self.outbox.push(Output::Send((*notice).into()));
            }
            self.acknowledge(LoginStatus::FAIL);
            self.done(DoneStatus::ERROR);
        }
        self.outbox.push(Output::Close);
        self.deadline = None;
        self.end_login(outcome);
        self.event(Event::Disconnect);
        self.go(event);
    }

    fn serve(&mut self, item: Item) -> Result<(), Error> {
        // That it waits is the first thing that a client says, or it does not wait.
        let arriving = core::mem::take(&mut self.arriving);
        match self.ledger.take(item, self.config.limits.pending) {
            Incoming::Pass(item) | Incoming::Command(item) => self.event(Event::Item(item)),
            Incoming::Attention => self.event(Event::Attention),
            Incoming::Acknowledge(token) => {
                self.outbox.push(Output::Send(token));
                self.outbox.push(Output::EndMessage);
            }
            Incoming::Logout => {
                self.done(DoneStatus::empty());
                self.outbox.push(Output::Close);
                self.end(LoginOutcome::Lost);
            }
            Incoming::Migration(Migration::Resume) if arriving => {
                self.ledger.add();
                self.go(TableEvent::Resumed);
                self.event(Event::MigrateResume);
            }
            Incoming::Migration(migration) => self.event(Event::Ignored(migration.name())),
            Incoming::Nothing => {}
            Incoming::Illegal(got) => return self.violate("a command or a migration message", got),
        }
        Ok(())
    }

    fn respond(&mut self, token: Token) {
        let (token, ends) = self.ledger.respond(token);
        self.outbox.push(Output::Send(token));
        if ends {
            self.outbox.push(Output::EndMessage);
            if self.state == State::Resuming {
                self.go(TableEvent::Completed);
            }
        }
    }

    fn violate(&mut self, expected: &'static str, got: &'static str) -> Result<(), Error> {
        let violation = Violation { state: self.state.name(), expected, got };
        self.outbox.push(Output::Close);
        self.end(LoginOutcome::Lost);
        Err(violation.into())
    }

    /// The connection is over.
    fn end(&mut self, outcome: LoginOutcome) {
        self.deadline = None;
        self.end_login(outcome);
        self.event(Event::Disconnect);
        self.go(TableEvent::Closed);
    }

    fn end_login(&mut self, outcome: LoginOutcome) {
        if !core::mem::replace(&mut self.login_ended, true) {
            self.event(Event::LoginEnded(outcome));
        }
    }

    fn event(&mut self, event: Event) {
        self.outbox.push(Output::Event(event));
    }

    fn go(&mut self, event: TableEvent) {
        match step(self.state, event) {
            Ok(next) => {
                trace_transition!("tds5 target", self.state, event, next);
                self.state = next;
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }
}
