//! What a target must do: what a login asks for, what its response consists of, and what commands are owed, as
//! spec/tds5.md 2.2, 2.5, 2.6, 6.2 and the properties M4, M9 and M13 have them.

use super::super::words::{acknowledging, broken, is_command, is_final};
use crate::machine::Machine;
use crate::tds5::capability::{Capabilities, CapabilityType, Mask, RequestCapability, ResponseCapability};
use crate::tds5::connection::Item;
use crate::tds5::login::{HaLogin, Login};
use crate::tds5::migration::Migration;
use crate::tds5::server::{self, Server};
use crate::tds5::target::{Config, Event, Input, LoginOutcome, Output, SessionIdDelivery, Target};
use crate::tds5::token::{Done, Eed, EnvironmentChange, EnvironmentKind, LoginAck, LoginStatus, Token};
use crate::tds5::{DoneStatus, PacketType, SessionId};
use crate::testing::trial::{Expected, Reference};
use crate::time::Instant;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

/// How far the connection has come.
#[derive(Clone, Debug)]
enum Stage {
    Silent,
    /// The application decides.
    Asked,
    /// LOGINACK(7); the tokens that are to come with the next one.
    Negotiating(Vec<Token>),
    In,
    Over,
}

/// The reference model of a [`Target`].
#[derive(Clone, Debug)]
pub struct TargetModel {
    config: Config,
    now: Instant,
    stage: Stage,
    login: Option<Login>,
    /// The id that the client has shown, and the one that it is to be told.
    shown: Option<SessionId>,
    given: Option<SessionId>,
    ends: u32,
    /// Commands without their final DONE, a RESUME among them, and whether the oldest is that.
    waiting: u32,
    resuming: bool,
    attention: bool,
    /// The client has come from elsewhere and has said nothing.
    fresh: bool,
    contents: bool,
    migration: bool,
    due: Option<Instant>,
    /// Final DONEs behind the login, and what they were owed for.
    finals: u32,
    owed: u32,
}

type Must = super::super::words::Must<Output, Event>;

impl TargetModel {
    /// The model of a target with these settings, for a connection that is there from the beginning of time on.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            due: Some(Instant::ZERO.saturating_add(config.login_timeout)),
            config,
            now: Instant::ZERO,
            stage: Stage::Silent,
            login: None,
            shown: None,
            given: None,
            ends: 0,
            waiting: 0,
            resuming: false,
            attention: false,
            fresh: false,
            contents: false,
            migration: false,
            finals: 0,
            owed: 0,
        }
    }

    /// 2.2: MIGRATE is granted if both have it, and the option is on.
    fn grants_migration(&self, login: &Login) -> bool {
        let migrate = RequestCapability::MIGRATE;
        let silent = login.capabilities.response(ResponseCapability::NO_MESSAGE);
        let both = login.capabilities.request(migrate) && self.config.capabilities.request(migrate);
        both && self.config.migration && !silent
    }

    /// 4.3 j: how an id could be told.
    fn delivery(&self) -> Option<SessionIdDelivery> {
        let login = self.login.as_ref()?;
        if login.capabilities.response(ResponseCapability::NO_MESSAGE) {
            return None;
        }
        let session = login.record.ha_login.contains(HaLogin::SESSION);
        let failover = login.capabilities.request(RequestCapability::CLUSTER_FAILOVER);
        let migrates = self.grants_migration(login);
        match self.config.session_id_delivery {
            SessionIdDelivery::Automatic if session => Some(SessionIdDelivery::Negotiate),
            SessionIdDelivery::Automatic => migrates.then_some(SessionIdDelivery::Inline),
            chosen => (session || failover || migrates).then_some(chosen),
        }
    }

    fn may_set_id(&self) -> bool {
        matches!(self.stage, Stage::Asked) && self.delivery().is_some()
    }

    fn acknowledge(&self, status: LoginStatus) -> Output {
        let ack = LoginAck::new(status, self.config.program_name.clone(), self.config.program_version);
        Output::Send(ack.into())
    }

    /// The masks of the client, bit by bit.
    fn capabilities(&self, login: &Login) -> Capabilities {
        let mut granted = Vec::new();
        for (ty, asked) in login.capabilities.masks() {
            let Some(ours) = self.config.capabilities.mask(ty) else { continue };
            let length = u8::try_from(asked.as_bytes().len()).expect("a mask is short");
            let mut mask = Mask::zero(length);
            for number in 1..u16::from(length) * 8 {
                let migrate = ty == CapabilityType::REQUEST && number == RequestCapability::MIGRATE.0;
                let on = asked.contains(number) && ours.contains(number) && (!migrate || self.config.migration);
                if on {
                    mask.set(number, true).expect("it is within");
                }
            }
            granted.push((ty, mask));
        }
        granted.into_iter().collect()
    }

    /// The response that makes the login good (2.6).
    fn establish(&mut self, tokens: Vec<Token>, must: &mut Must) {
        let Some(login) = self.login.clone() else { return };
        let size = login.record.packet_size().unwrap_or(0).min(u32::from(self.config.packet_size));
        if size > 512 {
            let change = EnvironmentChange::new(EnvironmentKind::PACKET_SIZE, size.to_string().as_bytes(), b"512");
            must.wire.push(Output::Send(change.expect("it is short").into()));
        }
        must.wire.extend(tokens.into_iter().map(Output::Send));
        must.wire.push(self.acknowledge(LoginStatus::SUCCEED));
        if let Some(id) = self.given.take() {
            self.shown = Some(id);
            must.wire.push(Output::SessionId(id));
        }
        must.wire.push(Output::Send(self.capabilities(&login).into()));
        must.wire.extend([Output::Send(Done::FINAL.into()), Output::EndMessage]);
        must.events.push(Event::LoginEnded(LoginOutcome::Established));
        self.ends += 1;
        self.due = None;
        self.fresh = self.migrated();
        self.stage = Stage::In;
    }

    fn migrated(&self) -> bool {
        let shows = |login: &Login| login.record.ha_login.contains(HaLogin::MIGRATE);
        let has_id = self.login.as_ref().is_some_and(|login| shows(login) && login.record.session_id.is_some());
        has_id && self.config.migration
    }

    fn refuse(&mut self, notice: Option<Eed>, outcome: LoginOutcome, must: &mut Must) {
        if self.login.is_some() {
            must.wire.extend(notice.map(|notice| Output::Send(notice.into())));
            must.wire.push(self.acknowledge(LoginStatus::FAIL));
            let status = DoneStatus::ERROR;
            must.wire.extend([Output::Send(Done { status, ..Done::FINAL }.into()), Output::EndMessage]);
        }
        must.wire.push(Output::Close);
        self.end(outcome, must);
    }

    fn end(&mut self, outcome: LoginOutcome, must: &mut Must) {
        if !matches!(self.stage, Stage::In) {
            self.ends += 1;
            must.events.push(Event::LoginEnded(outcome));
        }
        must.events.push(Event::Disconnect);
        self.stage = Stage::Over;
        self.due = None;
    }

    fn input(&mut self, now: Instant, input: &Input) -> Must {
        let mut must = Must::default();
        let after = self.now.max(now);
        if *input == Input::Timeout && self.due.is_none_or(|due| after < due) {
            return must;
        }
        self.now = after;
        match input {
            Input::Item(item) => self.item(item, &mut must),
            Input::SetSessionId(id) => self.given = Some(*id),
            Input::Accept { tokens } => match (self.given, self.delivery()) {
                (Some(id), Some(SessionIdDelivery::Negotiate)) => {
                    self.given = None;
                    self.shown = Some(id);
                    must.wire.extend([self.acknowledge(LoginStatus::NEGOTIATE), Output::SessionId(id)]);
                    must.wire.extend([Output::Send(Done::FINAL.into()), Output::EndMessage]);
                    self.stage = Stage::Negotiating(tokens.clone());
                }
                _ => self.establish(tokens.clone(), &mut must),
            },
            Input::Refuse { notice } => self.refuse(notice.as_deref().cloned(), LoginOutcome::Refused, &mut must),
            Input::Respond(token) => {
                let ends = is_final(token);
                must.wire.push(Output::Send(acknowledging(token, ends && self.attention)));
                if ends {
                    must.wire.push(Output::EndMessage);
                    self.waiting -= 1;
                    (self.attention, self.resuming) = (false, false);
                }
            }
            Input::Closed => self.end(LoginOutcome::Lost, &mut must),
            Input::Disconnect => {
                must.wire.push(Output::Close);
                self.end(LoginOutcome::Lost, &mut must);
            }
            Input::Timeout => self.refuse(None, LoginOutcome::TimedOut, &mut must),
        }
        must
    }

    fn item(&mut self, item: &Item, must: &mut Must) {
        if self.verdict(item) == Expected::Violation {
            must.wire.push(Output::Close);
            return self.end(LoginOutcome::Lost, must);
        }
        match (&self.stage, item) {
            (Stage::Silent, Item::Login(login)) => {
                self.login = Some((**login).clone());
                self.shown = login.record.session_id.filter(|_| self.migrated());
                self.stage = Stage::Asked;
                let (login, migrated) = (login.clone(), self.migrated());
                must.events.push(Event::Connect { login, migrated, session_id: self.shown });
            }
            (Stage::Negotiating(tokens), Item::End(ty)) if !is_header_only(*ty) => {
                let tokens = tokens.clone();
                self.establish(tokens, must);
            }
            (Stage::In, _) => self.serve(item, must),
            _ => {}
        }
    }

    fn serve(&mut self, item: &Item, must: &mut Must) {
        let first = core::mem::take(&mut self.fresh);
        let pass = Event::Item(item.clone());
        match item {
            Item::Migration(migration) => {
                self.migration = true;
                if *migration == Migration::Resume && first {
                    self.resuming = true;
                    self.waiting += 1;
                    must.events.push(Event::MigrateResume);
                } else {
                    must.events.push(Event::Ignored(migration.name()));
                }
            }
            Item::Token(Token::Logout(_)) => {
                must.wire.extend([Output::Send(Done::FINAL.into()), Output::EndMessage, Output::Close]);
                self.end(LoginOutcome::Lost, must);
            }
            Item::End(PacketType::ATTENTION) if self.waiting > 0 => {
                self.attention = true;
                must.events.push(Event::Attention);
            }
            Item::End(PacketType::ATTENTION) => {
                must.wire.extend([Output::Send(acknowledging(&Done::FINAL.into(), true)), Output::EndMessage]);
            }
            Item::End(ty) => {
                let (contents, migration) = (core::mem::take(&mut self.contents), core::mem::take(&mut self.migration));
                let command = is_command(*ty) && (contents || !migration);
                self.waiting += u32::from(command);
                if command || (contents && !is_command(*ty)) {
                    must.events.push(pass);
                }
            }
            _ => {
                self.contents = true;
                must.events.push(pass);
            }
        }
    }

    /// What may come at all.
    fn verdict(&self, item: &Item) -> Expected {
        let login = matches!(item, Item::Login(_));
        let fine = match &self.stage {
            Stage::Silent => login,
            Stage::Asked => false,
            Stage::Negotiating(_) => !login,
            Stage::In => match item {
                Item::End(ty) if is_command(*ty) && (self.contents || !self.migration) => {
                    self.waiting < self.config.limits.pending
                }
                _ => !login,
            },
            Stage::Over => return Expected::Misuse,
        };
        if fine { Expected::Fine } else { Expected::Violation }
    }
}

/// spec/tds5.md 1.2.
fn is_header_only(ty: PacketType) -> bool {
    matches!(ty.0, 6 | 8 | 9 | 10 | 11 | 13)
}

mod checks;
