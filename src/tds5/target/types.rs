//! What goes into a target and what comes out.

use crate::limits::Tds5Limits;
use crate::tds5::capability::Capabilities;
use crate::tds5::connection::Item;
use crate::tds5::login::Login;
use crate::tds5::secret::SessionId;
use crate::tds5::token::{Eed, Token};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

/// A target's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// The server's name, as LOGINACK tells it: at most 255 bytes. Default "handover".
    pub program_name: Bytes,
    /// The server's version. Default 0.1.0.0.
    pub program_version: [u8; 4],
    /// What the server grants of what a client asks for. Default [`Capabilities::served`].
    pub capabilities: Capabilities,
    /// Whether clients may migrate from here and to here. Default true.
    pub migration: bool,
    /// The packet size to be told to a client that asks for another one than 512; at most what it asks for. Default
    /// 2048.
    pub packet_size: u16,
    /// How a client is told its session id. Default [`SessionIdDelivery::Automatic`].
    pub session_id_delivery: SessionIdDelivery,
    /// How long a login may take, the application's verdict included. Default 30 s.
    pub login_timeout: Duration,
    /// Bounds.
    pub limits: Tds5Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            program_name: Bytes::from_static(b"handover"),
            program_version: [0, 1, 0, 0],
            capabilities: Capabilities::served(true),
            migration: true,
            packet_size: 2048,
            session_id_delivery: SessionIdDelivery::Automatic,
            login_timeout: Duration::from_secs(30),
            limits: Tds5Limits::DEFAULT,
        }
    }
}

/// How a client is told its session id (spec/tds5.md 4.3 j).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SessionIdDelivery {
    /// In a round of its own to a client whose login record asks for a session, within the response to its login to any
    /// other that can migrate, and not at all to the rest: some of them break at the first message that they do not
    /// know.
    Automatic,
    /// Within the response to the login.
    Inline,
    /// In a round of its own, which the client answers.
    Negotiate,
}

/// What goes into a [`Target`](super::Target).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// Something has come from the client.
    Item(Item),
    /// Give the session this id. Only while the application decides about the login, and only to a client that can be
    /// told. A client that has come from another server keeps the one that it has brought if it is given none.
    #[doc(alias = "SRV_T_SESSIONID")]
    SetSessionId(SessionId),
    /// Accept the login.
    Accept {
        /// What is to be said before the acknowledgement: changes of database, language and character set, notices.
        tokens: Vec<Token>,
    },
    /// Refuse the login: the client goes on elsewhere.
    Refuse {
        /// Why, for the client's user.
        notice: Option<Box<Eed>>,
    },
    /// Send a token of the response to the oldest command that waits. A final DONE ends the response and the command;
    /// there is exactly one.
    #[doc(alias = "srv_senddone")]
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
            Self::Item(_) => "Item",
            Self::SetSessionId(_) => "SetSessionId",
            Self::Accept { .. } => "Accept",
            Self::Refuse { .. } => "Refuse",
            Self::Respond(_) => "Respond",
            Self::Closed => "Closed",
            Self::Disconnect => "Disconnect",
            Self::Timeout => "Timeout",
        }
    }
}

/// What a [`Target`](super::Target) wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Send a token of the response message, which begins with it if there is none.
    Send(Token),
    /// Send the session's id within the response message.
    SessionId(SessionId),
    /// End the response message.
    EndMessage,
    /// Close the connection. What was sent before still goes out.
    Close,
    /// Something that the application should know.
    Event(Event),
}

/// How a login has ended. Each ends exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoginOutcome {
    /// The client is logged in.
    Established,
    /// The application has refused it.
    Refused,
    /// It has taken too long, and was refused.
    TimedOut,
    /// The connection was lost or closed before, or the client broke the protocol.
    Lost,
}

/// What the application should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A client wants to log in: find its context by the session id if it has migrated, and answer with
    /// [`Input::Accept`] or [`Input::Refuse`].
    #[doc(alias = "SRV_CONNECT")]
    Connect {
        /// All that the client says of itself.
        login: Box<Login>,
        /// Whether it continues a session of another server.
        #[doc(alias = "SRV_T_MIGRATED")]
        migrated: bool,
        /// The id of that session.
        session_id: Option<SessionId>,
    },
    /// The login has ended.
    LoginEnded(LoginOutcome),
    /// The client waits for the results of a command that another server has begun: go on with the response, which must
    /// end with a final DONE. Rows that were sent there are not sent again.
    #[doc(alias = "SRV_MIGRATE_RESUME")]
    MigrateResume,
    /// Something that is not about migration; [`Item::End`] says that a command is complete.
    Item(Item),
    /// The client wants the running command to be cancelled: end its response soon.
    #[doc(alias = "SRV_ATTENTION")]
    Attention,
    /// A message of the protocol that has no effect here.
    Ignored(&'static str),
    /// The connection is over.
    #[doc(alias = "SRV_DISCONNECT")]
    Disconnect,
}
