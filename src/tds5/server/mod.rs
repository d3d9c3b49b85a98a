//! The server that a client leaves, and every other server of a client that is logged in (spec/tds5.md 6.1).

mod handle;
mod table;
#[cfg(test)]
mod tests;
mod types;

pub use table::{Event as TableEvent, State, TABLE, step};
pub use types::{
    AttemptId, Caller, Config, Event, Input, MigrationState, Outcome, Output, Refusal, Session, StateEvent, SyncRule,
};

use super::ledger::Ledger;
use super::secret::SessionId;
use crate::machine::Outbox;
use crate::time::Instant;

/// One connection of a server after its login: who may ask the client to migrate, when, and what becomes of it.
///
/// It stands between the application and the connection: requests and responses that are not about migration pass
/// through untouched and in order. The machine knows which commands wait for their final DONE, so that each gets
/// exactly one, here or at the server that the client has moved to.
///
/// ```
/// use handover::machine::Machine;
/// use handover::tds5::connection::Item;
/// use handover::tds5::migration::{Address, Migration};
/// use handover::tds5::server::{Caller, Config, Event, Input, MigrationState, Output, Server, Session, StateEvent};
/// use handover::tds5::SessionId;
/// use handover::time::Instant;
///
/// let session = Session { migratable: true, session_id: SessionId::new(*b"123456"), migrated: false };
/// let mut server = Server::new(Config::default(), session);
/// let now = Instant::ZERO;
/// let addresses = Address::new("db2", 5000).into_iter().collect();
/// server.handle(now, Input::Migrate { addresses, by: Caller::Other })?;
/// server.handle(now, Input::Item(Item::Migration(Migration::Sync)))?;
/// let ready = std::iter::from_fn(|| server.poll_output()).find_map(|output| match output {
///     Output::Event(Event::MigrateState { attempt, state: StateEvent::Ready }) => Some(attempt),
///     _ => None,
/// });
/// server.handle(now, Input::Enter(ready.unwrap()))?;
/// // Here the handler hands the session's context to the other server.
/// server.handle(now, Input::Leave)?;
/// assert_eq!(server.poll_output(), Some(Output::Migration(Migration::Continue)));
/// assert_eq!(server.migration_state(), MigrationState::Migrating);
/// # Ok::<(), handover::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    config: Config,
    session: Session,
    state: State,
    /// The property, which outlives the connection.
    property: MigrationState,
    now: Instant,
    ledger: Ledger,
    attempt: Option<AttemptId>,
    attempts: u32,
    /// Requests that the client has not answered.
    unanswered: u32,
    /// The attempt whose handler runs.
    handler: Option<AttemptId>,
    /// Whether the client waits, and will say so: until then nothing is sent to it.
    resume_expected: bool,
    /// Whether the client has said SYNC for a request that is withdrawn: a FAIL that comes next is for that one.
    fail_may_cross: bool,
    /// Whether the client has just come from another server, and may say that it waits.
    arriving: bool,
    deadline: Option<Instant>,
    outbox: Outbox<Output>,
}

impl Server {
    /// A server for a client that has just logged in.
    #[must_use]
    pub fn new(config: Config, session: Session) -> Self {
        Self::with_ledger(config, session, Ledger::default(), session.migrated)
    }

    pub(super) fn with_ledger(config: Config, session: Session, ledger: Ledger, arriving: bool) -> Self {
        Self {
            config,
            session,
            state: State::None,
            property: MigrationState::None,
            now: Instant::ZERO,
            ledger,
            attempt: None,
            attempts: 0,
            unanswered: 0,
            handler: None,
            resume_expected: false,
            fail_may_cross: false,
            arriving,
            deadline: None,
            outbox: Outbox::new(),
        }
    }

    /// Where the migration of the client stands, for any thread to read.
    #[must_use]
    #[doc(alias = "SRV_T_MIGRATE_STATE")]
    pub const fn migration_state(&self) -> MigrationState {
        self.property
    }

    /// Whether the client has come from another server.
    #[must_use]
    #[doc(alias = "SRV_T_MIGRATED")]
    pub const fn migrated(&self) -> bool {
        self.session.migrated
    }

    /// The session's id.
    ///
    /// # Errors
    /// There is none.
    #[doc(alias = "SRV_T_SESSIONID")]
    pub const fn session_id(&self) -> Result<SessionId, Refusal> {
        match self.session.session_id {
            Some(id) => Ok(id),
            None => Err(Refusal::NoSessionId),
        }
    }

    /// How many commands wait for their final DONE.
    #[must_use]
    pub const fn pending(&self) -> u32 {
        self.ledger.pending()
    }

    /// The attempt that is under way.
    #[must_use]
    pub const fn attempt(&self) -> Option<AttemptId> {
        self.attempt
    }

    /// Whether [`Input::Migrate`] would be accepted.
    ///
    /// # Errors
    /// Why not.
    #[doc(alias = "srv_capability_info")]
    pub const fn may_migrate(&self, by: Caller) -> Result<(), Refusal> {
        match (self.state, by) {
            (State::Gone, _) => Err(Refusal::Gone),
            _ if !self.is_able() => Err(Refusal::NotMigratable),
            (State::Migrating, _) => Err(Refusal::Migrating),
            (State::Deciding, Caller::Other) => Err(Refusal::TooLate),
            _ => Ok(()),
        }
    }

    /// Whether [`Input::Cancel`] would be accepted.
    ///
    /// # Errors
    /// Why not.
    pub const fn may_cancel(&self, by: Caller) -> Result<(), Refusal> {
        match (self.state, by) {
            (State::Gone, _) => Err(Refusal::Gone),
            (State::None | State::Cancelled | State::Failed, _) => Err(Refusal::NothingToCancel),
            (State::Migrating, _) | (State::Deciding, Caller::Other) => Err(Refusal::TooLate),
            _ => Ok(()),
        }
    }

    /// Whether the client can be migrated at all.
    const fn is_able(&self) -> bool {
        self.session.migratable && self.session.session_id.is_some()
    }
}
