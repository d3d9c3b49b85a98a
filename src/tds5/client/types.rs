//! What goes into a client and what comes out.

use crate::machine::{AttemptId, LinkId};
use crate::tds5::connection::Item;
use crate::tds5::ids::PacketType;
use crate::tds5::login::Login;
use crate::tds5::migration::{Address, Migration, Request};
use crate::tds5::stream::Data;
use crate::tds5::token::Token;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The number of a command that the application has given to a client, from 1 in the order of their first pieces;
/// never used again by its machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestId(pub u32);

/// Wishes of the application.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Command {
    /// Start the session. Once.
    #[doc(alias = "ct_connect")]
    Connect {
        /// Where the server may be, in the order in which it is to be tried.
        addresses: Vec<Address>,
        /// How to log in, here and at every server that the session migrates to. The machine sets the capability to
        /// migrate, and in a migration what says that it is one.
        login: Box<Login>,
    },
    /// A piece of a command. Commands are sent one at a time; while one waits for its results, and while the session
    /// is being moved, the others wait in a queue. Its number is then
    /// [`last_request`](super::Client::last_request).
    #[doc(alias = "ct_send")]
    Request {
        /// The kind of message: LANGUAGE, RPC, UNFORMATTED, BULK or NORMAL; the same for all pieces of a command.
        ty: PacketType,
        /// The bytes. Those of a NORMAL message are tokens, in the byte order of the login.
        data: Data,
        /// Whether the command ends here.
        end: bool,
    },
    /// Cancel the command that waits for its results. It is completed all the same.
    #[doc(alias = "ct_cancel")]
    Attention,
    /// A piece of the answer to what a server asks in a login: see [`Event::Negotiate`].
    Answer {
        /// The link that is being logged in to.
        link: LinkId,
        /// The kind of message: NORMAL or LOGIN.
        ty: PacketType,
        /// Tokens.
        data: Data,
        /// Whether the answer ends here.
        end: bool,
    },
    /// Say goodbye to the server, and close. Only while no command waits.
    #[doc(alias = "ct_close")]
    Logout,
    /// Close everything at once.
    #[doc(alias = "CS_FORCE_CLOSE")]
    Close,
}

impl Command {
    /// What it is, without contents.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "Connect",
            Self::Request { .. } => "Request",
            Self::Attention => "Attention",
            Self::Answer { .. } => "Answer",
            Self::Logout => "Logout",
            Self::Close => "Close",
        }
    }
}

/// What can happen to a [`Client`](super::Client).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// The application wants something.
    Command(Command),
    /// A link that was asked for is there.
    Opened(LinkId),
    /// A link that was asked for could not be had.
    OpenFailed(LinkId),
    /// Something came on a link.
    Item {
        /// The link.
        link: LinkId,
        /// What came.
        item: Item,
    },
    /// A link was closed by the server, or broke.
    Closed(LinkId),
    /// The instant of [`poll_timeout`](crate::machine::Machine::poll_timeout) has come.
    Timeout,
}

/// What a [`Client`](super::Client) wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Open a connection.
    Dial {
        /// The number of the new link.
        link: LinkId,
        /// Where.
        address: Address,
        /// Whether with TLS; the certificate is then verified against the address.
        tls: bool,
    },
    /// Send a login message.
    Login {
        /// On this link.
        link: LinkId,
        /// The login.
        login: Box<Login>,
    },
    /// Answer the session id that came in a login negotiation.
    SessionIdReceived(LinkId),
    /// Send a piece of a message.
    Send {
        /// On this link.
        link: LinkId,
        /// The kind of message.
        ty: PacketType,
        /// The bytes.
        data: Data,
        /// Whether the message ends here.
        end: bool,
    },
    /// Send a message of the migration.
    Migration {
        /// On this link.
        link: LinkId,
        /// The message.
        migration: Migration,
    },
    /// Send an attention.
    Attention(LinkId),
    /// Send LOGOUT.
    Logout(LinkId),
    /// The session has moved from one link to the other. The formats of rows and parameters go along: what `to`
    /// brings may be rows of a result that `from` has begun. `from` may be closed already.
    Switch {
        /// The link to the old server.
        from: LinkId,
        /// The link to the new server.
        to: LinkId,
    },
    /// Close a link, or stop dialling it. What was sent before still goes out.
    Close(LinkId),
    /// Something that the application should know.
    Event(Event),
}

/// Why an address, or a whole attempt, has not worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// No connection could be made, or it broke before the login was done.
    NotReached,
    /// The server has refused the login.
    LoginRefused,
    /// The time for it has passed.
    Deadline,
    /// The server broke the protocol.
    Violation,
    /// The old server has not said in time whether to go.
    NoAnswer,
}

/// How an attempt to migrate ended. Each attempt ends exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The session is at the new server.
    Migrated {
        /// The link to it.
        link: LinkId,
    },
    /// The server took it back.
    Ignored,
    /// The server asked again, before this request was through.
    Superseded,
    /// No address of the request can be used and is trusted.
    Refused,
    /// It could not be done; the session is where it was.
    Failed(Failure),
    /// The session has ended.
    Lost,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Disconnect {
    /// The application closed it.
    Application,
    /// The application logged out.
    Logout,
    /// No address worked; the last one for this reason.
    NotConnected(Failure),
    /// The connection was closed by the server, or broke.
    Closed,
    /// The server broke the protocol.
    Violation,
}

/// What the application should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A token of the response to a login, on the first link or on one that a migration leads to.
    Login {
        /// The link.
        link: LinkId,
        /// The token.
        token: Token,
    },
    /// The server asks something before it decides about a login: the tokens that came last on this link. Answer with
    /// [`Command::Answer`].
    Negotiate(LinkId),
    /// A notice for the client's library, with its parameters: not for people.
    #[doc(alias = "TDS_EED_INFO")]
    LibraryNotice {
        /// The link.
        link: LinkId,
        /// The EED, then the format and the values of its parameters.
        token: Token,
    },
    /// The client is logged in.
    Connected {
        /// The link.
        link: LinkId,
        /// The address that worked.
        address: Address,
        /// Whether the server can migrate the session.
        migratable: bool,
    },
    /// Something of the session: a token, data, the end of a message, in order, from whichever server has the session.
    Item(Item),
    /// A command is completed.
    Completed(RequestId),
    /// The server asks the client to migrate.
    Started {
        /// The attempt's number.
        attempt: AttemptId,
        /// Where to, as the server says it.
        request: Request,
    },
    /// An attempt has ended.
    Ended {
        /// The attempt's number.
        attempt: AttemptId,
        /// How.
        outcome: Outcome,
    },
    /// Something came that has no effect here: messages cross.
    Ignored {
        /// The link.
        link: LinkId,
        /// What it was.
        what: &'static str,
    },
    /// The session has ended; the last event.
    Disconnected {
        /// Why.
        reason: Disconnect,
        /// The commands that were not completed, in the order of their numbers.
        unfinished: Vec<RequestId>,
    },
}
