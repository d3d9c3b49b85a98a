//! What goes into a server and what comes out.

use crate::limits::Tds5Limits;
pub use crate::machine::AttemptId;
use crate::tds5::connection::Item;
use crate::tds5::migration::{Address, FailReason, Migration};
use crate::tds5::secret::SessionId;
use crate::tds5::token::Token;
use alloc::vec::Vec;
use core::time::Duration;

/// A server's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// Which answers count. Default [`SyncRule::EachRequest`].
    pub sync_rule: SyncRule,
    /// How long a client may take to answer a request. Default 60 s: some clients announce the capability and know
    /// nothing of the protocol.
    pub sync_timeout: Duration,
    /// How long a client that was told to go may keep its connection. Default 5 minutes.
    pub migrate_timeout: Duration,
    /// Bounds.
    pub limits: Tds5Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sync_rule: SyncRule::EachRequest,
            sync_timeout: Duration::from_secs(60),
            migrate_timeout: Duration::from_secs(300),
            limits: Tds5Limits::DEFAULT,
        }
    }
}

/// Which request a SYNC answers, when a request was withdrawn while its SYNC was under way (spec/tds5.md 4.3 e).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SyncRule {
    /// The client answers each request once, in order: a SYNC that belongs to an older one is stale.
    EachRequest,
    /// The client answers only the newest request that it knows: any SYNC will do. With such a client a command can be
    /// lost when a request replaces another.
    NewestOnly,
}

/// What the login has settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Session {
    /// Whether the client can migrate: it has asked for the capability, and the server has granted it.
    #[doc(alias = "CS_REQ_MIGRATE")]
    pub migratable: bool,
    /// The session's id, as the client has received it or brought it along.
    #[doc(alias = "SRV_T_SESSIONID")]
    pub session_id: Option<SessionId>,
    /// Whether the client has come from another server.
    #[doc(alias = "SRV_T_MIGRATED")]
    pub migrated: bool,
}

/// `SRV_T_MIGRATE_STATE`: where the migration of a client stands, with the numbers of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "SRV_T_MIGRATE_STATE")]
#[doc(alias = "SRV_MIG_STATE")]
#[repr(u8)]
pub enum MigrationState {
    /// There is no migration.
    #[doc(alias = "SRV_MIG_NONE")]
    None = 0,
    /// The server has requested one.
    #[doc(alias = "SRV_MIG_REQUESTED")]
    Requested = 1,
    /// The client is ready.
    #[doc(alias = "SRV_MIG_READY")]
    Ready = 2,
    /// The client is on its way.
    #[doc(alias = "SRV_MIG_MIGRATING")]
    Migrating = 3,
    /// The request was withdrawn.
    #[doc(alias = "SRV_MIG_CANCELLED")]
    Cancelled = 4,
    /// The client has failed to migrate.
    #[doc(alias = "SRV_MIG_FAILED")]
    Failed = 5,
}

impl MigrationState {
    /// The number that the original has for it.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Requested => 1,
            Self::Ready => 2,
            Self::Migrating => 3,
            Self::Cancelled => 4,
            Self::Failed => 5,
        }
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// The connection's own thread: one of its handlers.
    Own,
    /// Any other thread.
    Other,
}

/// Why a request or its withdrawal is not possible: `CS_FAIL` with a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The client cannot migrate, or has no session id.
    #[error("the connection cannot migrate")]
    #[doc(alias = "SRV_ENOTMIGRATABLE")]
    NotMigratable,
    /// The client was told to go.
    #[error("the client has started to migrate")]
    Migrating,
    /// The handler has taken over: only the connection's own thread can change it now, or nobody.
    #[error("the migration can no longer be cancelled")]
    TooLate,
    /// There is no request.
    #[error("there is no migration to cancel")]
    NothingToCancel,
    /// The connection is over.
    #[error("the connection is over")]
    Gone,
    /// Neither was an id given to the client nor has it brought one.
    #[error("there is no session id")]
    NoSessionId,
}

impl Refusal {
    /// The number of the original's error, where it is public: 16394 for a connection that cannot migrate.
    #[must_use]
    pub const fn number(self) -> Option<u32> {
        match self {
            Self::NotMigratable => Some(16394),
            _ => None,
        }
    }

    /// The reason in words.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotMigratable => "the connection cannot migrate",
            Self::Migrating => "the client has started to migrate",
            Self::TooLate => "the migration can no longer be cancelled",
            Self::NothingToCancel => "there is no migration to cancel",
            Self::Gone => "the connection is over",
            Self::NoSessionId => "there is no session id",
        }
    }
}

/// What goes into a [`Server`](super::Server).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// Ask the client to migrate to the first of these addresses that it can reach. In the place of an earlier request,
    /// if there is one.
    #[doc(alias = "srv_send_ctlinfo")]
    #[doc(alias = "SRV_CTL_MIGRATE")]
    Migrate {
        /// Where to, in order.
        #[doc(alias = "SRV_CT_SERVERNAME")]
        addresses: Vec<Address>,
        /// Who asks.
        by: Caller,
    },
    /// Withdraw the request.
    #[doc(alias = "srv_send_ctlinfo")]
    #[doc(alias = "SRV_CTL_MIGRATE")]
    Cancel {
        /// Who asks.
        by: Caller,
    },
    /// The application's handler for [`Event::MigrateState`] with [`Ready`](StateEvent::Ready) begins. It is misuse if
    /// the request was withdrawn meanwhile: then the handler must not run.
    Enter(AttemptId),
    /// The handler returns. Unless it has withdrawn or replaced the request, the client is told to go.
    Leave,
    /// Something has come from the client.
    Item(Item),
    /// Send a token of the response to the oldest command that waits. A final DONE ends the response and the command;
    /// there is exactly one.
    #[doc(alias = "srv_senddone")]
    #[doc(alias = "srv_xferdata")]
    Respond(Token),
    /// The connection has closed, or broken.
    Closed,
    /// Close the connection.
    Disconnect,
    /// The instant of [`poll_timeout`](crate::machine::Machine::poll_timeout) has come.
    Timeout,
}

impl Input {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Migrate { .. } => "Migrate",
            Self::Cancel { .. } => "Cancel",
            Self::Enter(_) => "Enter",
            Self::Leave => "Leave",
            Self::Item(_) => "Item",
            Self::Respond(_) => "Respond",
            Self::Closed => "Closed",
            Self::Disconnect => "Disconnect",
            Self::Timeout => "Timeout",
        }
    }
}

/// What a [`Server`](super::Server) wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Send a token of the response message, which begins with it if there is none.
    Send(Token),
    /// End the response message.
    EndMessage,
    /// Send a migration message of its own.
    Migration(Migration),
    /// Close the connection. What was sent before still goes out.
    Close,
    /// Something that the application should know.
    Event(Event),
}

/// What [`Event::MigrateState`] reports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StateEvent {
    /// The client is ready: run the handler between [`Input::Enter`] and [`Input::Leave`].
    #[doc(alias = "SRV_MIG_READY")]
    Ready,
    /// The client could not migrate, or would not. The session's context is still here.
    #[doc(alias = "SRV_MIG_FAILED")]
    Failed(Option<FailReason>),
}

/// How an attempt has ended. Each attempt ends exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The client was told to go, and has gone.
    Migrated,
    /// The client says that it could not, or has fallen back without a word.
    Failed,
    /// It was withdrawn.
    Cancelled,
    /// Another request took its place.
    Superseded,
    /// The client has not answered in time, or has not gone in time.
    TimedOut,
    /// The connection was lost or closed before the client was told to go.
    Lost,
}

/// What the application should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// An attempt has begun.
    Started(AttemptId),
    /// An attempt has ended.
    Ended {
        /// The attempt's number.
        attempt: AttemptId,
        /// How it has ended.
        outcome: Outcome,
    },
    /// The client's answer has changed the state. Never for a cancellation that succeeds.
    #[doc(alias = "SRV_MIGRATE_STATE")]
    MigrateState {
        /// The attempt's number.
        attempt: AttemptId,
        /// To what.
        state: StateEvent,
    },
    /// The client waits for the results of a command that a migration has interrupted: go on with the response, which
    /// must end with a final DONE.
    #[doc(alias = "SRV_MIGRATE_RESUME")]
    MigrateResume,
    /// Something that is not about migration; [`Item::End`] says that a command is complete.
    Item(Item),
    /// The client wants the running command to be cancelled: end its response soon.
    #[doc(alias = "SRV_ATTENTION")]
    Attention,
    /// A message of the protocol that has no effect: it has crossed another one, or the client has not negotiated it.
    Ignored(&'static str),
    /// The connection is over.
    #[doc(alias = "SRV_DISCONNECT")]
    Disconnect {
        /// Where the migration stood: [`MigrationState::Migrating`] means that the client has moved.
        state: MigrationState,
    },
}
