//! What goes into a client and what comes out.

use crate::deferral::ids::{DeferKind, RefusalCode, RequestId, ServerId};
use crate::deferral::message::{Command, Message};
use crate::deferral::uri::ServerUri;
use crate::frame::Text;
use crate::limits::DeferralLimits;
use crate::machine::LinkId;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

/// A client's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// Which servers may be asked that others have named. Default: those of the same scheme or its stronger form, on
    /// the hosts that the command began with.
    pub policy: Policy,
    /// How long it may take to reach a server. Default 5 s.
    pub dial_timeout: Duration,
    /// How long a server may take for its first answer. Default 10 s.
    pub answer_timeout: Duration,
    /// How long the request may wait in a server's line. Default 5 minutes.
    pub queue_timeout: Duration,
    /// How long it may be carried out. Default 1 hour.
    pub execute_timeout: Duration,
    /// How long the user may think. Default 5 minutes.
    pub ask_timeout: Duration,
    /// How long a server may take to say which came first, the result or [`Input::Cancel`]. Default 5 s.
    pub cancel_timeout: Duration,
    /// Whether to wait for a busy server without asking. Default false.
    pub wait_unasked: bool,
    /// Whether a user who has waited once keeps the priority for what comes after a continuation. Default false.
    pub keep_priority: bool,
    /// Bounds.
    pub limits: DeferralLimits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            dial_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(10),
            queue_timeout: Duration::from_secs(300),
            execute_timeout: Duration::from_secs(3600),
            ask_timeout: Duration::from_secs(300),
            cancel_timeout: Duration::from_secs(5),
            wait_unasked: false,
            keep_priority: false,
            limits: DeferralLimits::DEFAULT,
        }
    }
}

/// Which servers may be asked that others have named (spec/deferral.md 4.4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Policy {
    /// On which hosts.
    pub hosts: Hosts,
    /// Whether a server may name one with a weaker scheme. Default false.
    pub weaker: bool,
    /// Whether a server elsewhere may name one on this machine. Default false.
    pub local: bool,
}

/// On which hosts servers may be that others have named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Hosts {
    /// On those of the servers that the command began with.
    #[default]
    Known,
    /// On those too, on these, and on all whose names end in one of these that begins with a dot.
    Listed(Vec<String>),
    /// On any.
    Any,
}

/// What is to be done, and where to begin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    /// An id that no other task has; randomness is the caller's.
    pub id: RequestId,
    /// The servers to begin with, in order. One at least.
    pub servers: Vec<ServerUri>,
    /// What is to be done.
    pub command: Command,
    /// Whether it changes nothing. (What follows in a chain, its server says.)
    pub read_only: bool,
    /// Whether it may be carried out more than once.
    pub idempotent: bool,
    /// How long the client waits for it to be carried out, by each server; `None`: no matter how long.
    pub deadline: Option<Duration>,
    /// What the servers that the command began with know the client by. Shown to no other.
    pub credentials: Credentials,
}

/// What a server knows a client by. Never shown by `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Credentials(pub Bytes);

impl core::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Credentials({} bytes)", self.0.len())
    }
}

/// Who is at the other end of a link, as its hello says (spec/deferral.md 1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The server's id, the same under all its names, if the transport proves it: whoever could say another's id could
    /// keep us from that one. [Unknown](ServerId::UNKNOWN) otherwise.
    pub id: ServerId,
    /// Which memory it has of requests that have ended, if it carries each out once at most and says again how it ended:
    /// as long as this is the same, nothing was forgotten that it does not know to be forgotten.
    pub memory: Option<u32>,
    /// The largest body of a message that it takes, in bytes, if it says so.
    pub max_body: Option<u32>,
}

/// What goes into a [`Client`](super::Client).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// A link that was asked for is ready.
    Opened {
        /// The link.
        link: LinkId,
        /// Who is at its other end.
        peer: Peer,
    },
    /// A message has come.
    Message {
        /// On this link.
        link: LinkId,
        /// The message.
        message: Message,
    },
    /// A link could not be had, has closed, or has broken.
    Closed(LinkId),
    /// Whether the user wants to wait for a busy server: the answer to [`Event::AskWait`].
    Wait(bool),
    /// The user gives up.
    Cancel,
    /// The instant of [`poll_timeout`](crate::machine::Machine::poll_timeout) has come.
    Timeout,
}

impl Input {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "Opened",
            Self::Message { .. } => "Message",
            Self::Closed(_) => "Closed",
            Self::Wait(_) => "Wait",
            Self::Cancel => "Cancel",
            Self::Timeout => "Timeout",
        }
    }
}

/// What a [`Client`](super::Client) wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Establish a link; answer with [`Input::Opened`] or [`Input::Closed`].
    Dial {
        /// The number of the new link.
        link: LinkId,
        /// Where.
        server: ServerUri,
    },
    /// Send a message.
    Send {
        /// On this link.
        link: LinkId,
        /// The message.
        message: Message,
    },
    /// Close the link, or stop dialling it, once everything before is written. It is not heard of again.
    Close(LinkId),
    /// Something that the application should know.
    Event(Event),
}

/// What the application should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A server has deferred the command.
    Deferred {
        /// Which.
        server: ServerUri,
        /// Why.
        kind: DeferKind,
        /// The same for people.
        reason: Text,
    },
    /// Every server that could be reached is busy: wait for one? Answer with [`Input::Wait`].
    AskWait {
        /// How many are busy.
        busy: usize,
        /// The shortest wait that one of them expects, if any says.
        estimate: Option<Duration>,
    },
    /// The command waits in a server's line.
    Queued {
        /// Which.
        server: ServerUri,
        /// How many are before it.
        position: u32,
        /// How long it may take until its turn.
        estimate: Option<Duration>,
    },
    /// It is being carried out. If another server did so before, the result begins anew.
    Executing(ServerUri),
    /// A piece of the result.
    Data(Piece),
    /// Another command follows this one, which was carried out.
    Continued(Command),
    /// The command has come to its end. Exactly once.
    Ended(Outcome),
}

/// A piece of a result. Never shown by `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Piece(pub Bytes);

impl core::fmt::Debug for Piece {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Piece({} bytes)", self.0.len())
    }
}

/// How a command has come to its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It was carried out.
    Done {
        /// By which server.
        server: ServerUri,
        /// What that says: 0 if all is well.
        status: i32,
        /// The same for people.
        text: Text,
        /// Whether every piece of the result has come: not if a link was lost on the way, and the server has only said
        /// again how it ended.
        complete: bool,
    },
    /// It was not carried out by anybody.
    Failed(Failure, Report),
    /// Nobody knows whether it was carried out: a server has it, and has not said how it ended.
    Indeterminate {
        /// Which server.
        server: ServerUri,
        /// Who else was asked.
        report: Report,
    },
    /// The user has given up, and it was not carried out.
    Cancelled {
        /// How many commands of the chain were carried out before.
        carried_out: u16,
    },
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Nobody could or would.
    #[error("no server could carry it out")]
    NoServer,
    /// It was continued more often than the limits allow.
    #[error("the command was continued too often")]
    ContinuedTooOften,
    /// A server refuses it for good.
    #[error("a server refuses it: {code}")]
    Refused {
        /// Which.
        server: ServerUri,
        /// Why.
        code: RefusalCode,
        /// The same for people.
        text: Text,
    },
}

/// What became of every server that the client knew: each is in one list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Report {
    /// They would not, or could not, carry it out.
    pub declined: Vec<ServerUri>,
    /// They could not be reached, or were lost.
    pub dead: Vec<ServerUri>,
    /// They were busy although the client had been round the block, or have broken the protocol otherwise.
    pub violators: Vec<ServerUri>,
    /// Other names of servers that have answered under a name of these lists.
    pub aliases: Vec<ServerUri>,
    /// The policy does not allow to ask them.
    pub denied: Vec<ServerUri>,
    /// They are busy.
    pub busy: Vec<ServerUri>,
    /// Nobody has asked them, at least not for the last command.
    pub untried: Vec<ServerUri>,
    /// How many more were named, beyond the limit.
    pub ignored: u32,
}
