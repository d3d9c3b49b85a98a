//! The server that a client comes to, from another one or afresh (spec/tds5.md 6.2).

mod handle;
mod table;
#[cfg(test)]
mod tests;
mod types;

pub use table::{Event as TableEvent, State, TABLE, step};
pub use types::{Config, Event, Input, LoginOutcome, Output, SessionIdDelivery};

use super::capability::RequestCapability;
use super::ledger::Ledger;
use super::login::Login;
use super::secret::SessionId;
use super::server::{self, Refusal, Server, Session};
use crate::machine::Outbox;
use crate::time::Instant;
use alloc::boxed::Box;

/// One connection of a server from its first byte on: the login, and if the client has come from another server in the
/// middle of a command, the rest of its results.
///
/// ```
/// use handover::machine::Machine;
/// use handover::tds5::connection::Item;
/// use handover::tds5::login::{Login, LoginRecord};
/// use handover::tds5::migration::Migration;
/// use handover::tds5::target::{Config, Event, Input, Output, Target};
/// use handover::tds5::token::Done;
/// use handover::tds5::SessionId;
/// use handover::time::Instant;
/// use handover::wire::ByteOrder;
///
/// let mut target = Target::new(Config::default(), Instant::ZERO);
/// let id = SessionId::new(*b"123456").unwrap();
/// let login = Login::new(LoginRecord::new(ByteOrder::Little).with_migration(id), true);
/// target.handle(Instant::ZERO, Input::Item(Item::Login(login.into())))?;
/// let Some(Output::Event(Event::Connect { migrated: true, session_id, .. })) = target.poll_output() else { panic!() };
/// assert_eq!(session_id, Some(id));
/// target.handle(Instant::ZERO, Input::Accept { tokens: Vec::new() })?;
/// target.handle(Instant::ZERO, Input::Item(Item::Migration(Migration::Resume)))?;
/// target.handle(Instant::ZERO, Input::Respond(Done::FINAL.into()))?; // the rest of the results
/// # Ok::<(), handover::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    config: Config,
    state: State,
    now: Instant,
    login: Option<Box<Login>>,
    session_id: Option<SessionId>,
    /// Whether the id was set here, and has to be told.
    id_is_new: bool,
    migrated: bool,
    /// What is to be said with the acknowledgement once the client has its id.
    tokens: alloc::vec::Vec<super::token::Token>,
    ledger: Ledger,
    /// Whether the client has just come from another server, and may say that it waits.
    arriving: bool,
    /// Whether the end of the login was told.
    login_ended: bool,
    deadline: Option<Instant>,
    outbox: Outbox<Output>,
}

impl Target {
    /// A connection that was accepted at `now`.
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        let deadline = Some(now.saturating_add(config.login_timeout));
        Self {
            config,
            state: State::Login,
            now,
            login: None,
            session_id: None,
            id_is_new: false,
            migrated: false,
            tokens: alloc::vec::Vec::new(),
            ledger: Ledger::default(),
            arriving: false,
            login_ended: false,
            deadline,
            outbox: Outbox::new(),
        }
    }

    /// Whether the client continues a session of another server.
    #[must_use]
    #[doc(alias = "SRV_T_MIGRATED")]
    pub const fn migrated(&self) -> bool {
        self.migrated
    }

    /// The session's id: the one that was set, or the one that the client has brought.
    ///
    /// # Errors
    /// There is none.
    #[doc(alias = "SRV_T_SESSIONID")]
    pub const fn session_id(&self) -> Result<SessionId, Refusal> {
        match self.session_id {
            Some(id) => Ok(id),
            None => Err(Refusal::NoSessionId),
        }
    }

    /// Whether [`Input::SetSessionId`] would be accepted.
    ///
    /// # Errors
    /// Why not.
    pub fn may_set_session_id(&self) -> Result<(), Refusal> {
        match (self.state, &self.login) {
            (State::Gone, _) => Err(Refusal::Gone),
            (State::Connecting, Some(login)) if self.delivery(login).is_some() => Ok(()),
            (State::Connecting, _) => Err(Refusal::NotMigratable),
            _ => Err(Refusal::TooLate),
        }
    }

    /// Whether the client could be asked to migrate on, by the server that [`into_server`](Self::into_server) makes.
    ///
    /// # Errors
    /// Why not.
    pub fn may_migrate(&self) -> Result<(), Refusal> {
        match self.state {
            State::Gone => Err(Refusal::Gone),
            State::Serving | State::Resuming if self.is_migratable() && self.session_id.is_some() => Ok(()),
            _ => Err(Refusal::NotMigratable),
        }
    }

    /// Whether the client has asked for the capability to migrate, and was granted it.
    fn is_migratable(&self) -> bool {
        let granted = self.config.migration && self.config.capabilities.request(RequestCapability::MIGRATE);
        granted && self.login.as_ref().is_some_and(|login| login.migratable())
    }

    /// How many commands wait for their final DONE.
    #[must_use]
    pub const fn pending(&self) -> u32 {
        self.ledger.pending()
    }

    /// The machine for the rest of the connection's life, from which the client can be migrated on. It takes over what
    /// this one owes.
    ///
    /// # Errors
    /// The client is not logged in, or outputs wait to be drained: this machine comes back as it was.
    pub fn into_server(self, config: server::Config) -> Result<Server, Box<Self>> {
        if !matches!(self.state, State::Serving | State::Resuming) || !self.outbox.is_empty() {
            return Err(Box::new(self));
        }
        let session =
            Session { migratable: self.is_migratable(), session_id: self.session_id, migrated: self.migrated };
        Ok(Server::with_ledger(config, session, self.ledger, self.arriving))
    }
}
