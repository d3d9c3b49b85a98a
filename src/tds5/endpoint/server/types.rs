//! What goes into a server's endpoint and what comes out.

use crate::tds5::connection::Item;
use crate::tds5::login::Login;
use crate::tds5::migration::{Address, Options};
use crate::tds5::secret::SessionId;
use crate::tds5::server::{self, AttemptId, Caller, MigrationState, Outcome, StateEvent};
use crate::tds5::target::{self, LoginOutcome};
use crate::tds5::token::{Eed, Token};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::BytesMut;

/// The settings of a [`ServerEndpoint`](super::ServerEndpoint).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServerConfig {
    /// For the login.
    pub target: target::Config,
    /// For what follows it.
    pub server: server::Config,
    /// How migration messages are laid out.
    pub options: Options,
}

/// A wish of the application.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerCommand {
    /// See [`target::Input::SetSessionId`].
    SetSessionId(SessionId),
    /// See [`target::Input::Accept`].
    Accept {
        /// What is to be said before the acknowledgement.
        tokens: Vec<Token>,
    },
    /// See [`target::Input::Refuse`].
    Refuse {
        /// Why, for the client's user.
        notice: Option<Box<Eed>>,
    },
    /// See [`server::Input::Migrate`].
    Migrate {
        /// Where to, in order.
        addresses: Vec<Address>,
        /// Who asks.
        by: Caller,
    },
    /// See [`server::Input::Cancel`].
    Cancel {
        /// Who asks.
        by: Caller,
    },
    /// See [`server::Input::Enter`].
    Enter(AttemptId),
    /// See [`server::Input::Leave`].
    Leave,
    /// See [`server::Input::Respond`].
    Respond(Token),
    /// Close the connection.
    Disconnect,
}

/// What the application should know: the events of [`target::Event`] and [`server::Event`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerEvent {
    /// See [`target::Event::Connect`].
    Connect {
        /// All that the client says of itself.
        login: Box<Login>,
        /// Whether it continues a session of another server.
        migrated: bool,
        /// The id of that session.
        session_id: Option<SessionId>,
    },
    /// The login has ended.
    LoginEnded(LoginOutcome),
    /// An attempt to migrate the client has begun.
    Started(AttemptId),
    /// It has ended.
    Ended {
        /// The attempt's number.
        attempt: AttemptId,
        /// How it has ended.
        outcome: Outcome,
    },
    /// See [`server::Event::MigrateState`].
    MigrateState {
        /// The attempt's number.
        attempt: AttemptId,
        /// What has changed.
        state: StateEvent,
    },
    /// See [`server::Event::MigrateResume`].
    MigrateResume,
    /// Something that is not about migration; [`Item::End`] says that a command is complete.
    Item(Item),
    /// The running command is to be cancelled.
    Attention,
    /// A message of the protocol that has no effect.
    Ignored(&'static str),
    /// The connection is over.
    Disconnect {
        /// Where the migration stood.
        state: MigrationState,
    },
}

impl From<target::Event> for ServerEvent {
    fn from(event: target::Event) -> Self {
        match event {
            target::Event::Connect { login, migrated, session_id } => Self::Connect { login, migrated, session_id },
            target::Event::LoginEnded(outcome) => Self::LoginEnded(outcome),
            target::Event::MigrateResume => Self::MigrateResume,
            target::Event::Item(item) => Self::Item(item),
            target::Event::Attention => Self::Attention,
            target::Event::Ignored(what) => Self::Ignored(what),
            target::Event::Disconnect => Self::Disconnect { state: MigrationState::None },
        }
    }
}

impl From<server::Event> for ServerEvent {
    fn from(event: server::Event) -> Self {
        match event {
            server::Event::Started(attempt) => Self::Started(attempt),
            server::Event::Ended { attempt, outcome } => Self::Ended { attempt, outcome },
            server::Event::MigrateState { attempt, state } => Self::MigrateState { attempt, state },
            server::Event::MigrateResume => Self::MigrateResume,
            server::Event::Item(item) => Self::Item(item),
            server::Event::Attention => Self::Attention,
            server::Event::Ignored(what) => Self::Ignored(what),
            server::Event::Disconnect { state } => Self::Disconnect { state },
        }
    }
}

/// What a [`ServerEndpoint`](super::ServerEndpoint) wants done, in this order.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerOutput {
    /// Write these bytes.
    Transmit(BytesMut),
    /// Close the connection once everything before is written.
    Close,
    /// Something that the application should know.
    Event(ServerEvent),
}

impl core::fmt::Debug for ServerOutput {
    /// What is written may be a session's id: only its length is shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Transmit(bytes) => write!(f, "Transmit({} bytes)", bytes.len()),
            Self::Close => f.write_str("Close"),
            Self::Event(event) => f.debug_tuple("Event").field(event).finish(),
        }
    }
}
