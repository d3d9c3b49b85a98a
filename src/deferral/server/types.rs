//! What goes into a server and what comes out.

use crate::deferral::ids::{RefusalCode, RequestFlags, ServerAbilities, ServerId};
use crate::deferral::message::{Alternate, Command, Message, RequestKey};
use crate::deferral::uri::ServerUri;
use crate::frame::Text;
use crate::limits::DeferralLimits;
use crate::machine::LinkId;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

/// A server's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// Its own id, the same under all its names.
    pub id: ServerId,
    /// What it is able to do. Default: everything.
    pub abilities: ServerAbilities,
    /// How many commands it carries out at a time; 1 at least. Default 1.
    pub slots: usize,
    /// A request without priority that would wait longer than this is sent on, if there is anybody to send it to.
    /// Default 2 s.
    pub busy_threshold: Duration,
    /// How long a command takes, for estimates. Default 1 s.
    pub service_time: Duration,
    /// Whether a server that is able to change things sends on requests that change nothing, if others are there that
    /// can do nothing else. Default false.
    pub prefer_readers: bool,
    /// How long a busy server wants to be left alone by whom it sends on. Default `None`: it does not say.
    pub retry_after: Option<Duration>,
    /// What whom it sends on is to show elsewhere, as a sign that it was here; at most 64 bytes, more is cut off. Default:
    /// nothing.
    pub receipt: Bytes,
    /// How long the end of a request is remembered, to say it again. Requests that change nothing, or may be carried out
    /// more than once, are not remembered. Default 10 minutes.
    pub remember: Duration,
    /// Who else may be asked; this server may be among them.
    pub alternates: Vec<Alternate>,
    /// Bounds.
    pub limits: DeferralLimits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            id: ServerId::UNKNOWN,
            abilities: ServerAbilities::READ.union(ServerAbilities::WRITE),
            slots: 1,
            busy_threshold: Duration::from_secs(2),
            service_time: Duration::from_secs(1),
            prefer_readers: false,
            retry_after: None,
            receipt: Bytes::new(),
            remember: Duration::from_secs(600),
            alternates: Vec::new(),
            limits: DeferralLimits::DEFAULT,
        }
    }
}

/// A command that the application carries out; not used again by its server while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u32);

/// What goes into a [`Server`](super::Server).
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// A message has come.
    Message {
        /// On this link.
        link: LinkId,
        /// The message.
        message: Message,
        /// A random number, by which the alternates are permuted if it comes to that.
        random: u64,
    },
    /// A link has closed or broken.
    Closed(LinkId),
    /// A piece of a job's result.
    Data {
        /// The job.
        job: JobId,
        /// The piece.
        bytes: Bytes,
    },
    /// A job is done.
    End {
        /// The job.
        job: JobId,
        /// 0 if all is well.
        status: i32,
        /// The same for people.
        text: Text,
    },
    /// A job is done, and another command follows, perhaps elsewhere.
    Continue {
        /// The job.
        job: JobId,
        /// What follows.
        next: Command,
        /// Whether that changes nothing.
        read_only: bool,
        /// A random number, by which the alternates are permuted.
        random: u64,
    },
    /// A job makes no sense, or its client may not do that; it was not carried out.
    Refuse {
        /// The job.
        job: JobId,
        /// Why.
        code: RefusalCode,
        /// The same for people.
        text: Text,
    },
    /// Other alternates from now on.
    Alternates(Vec<Alternate>),
    /// Send clients on, and serve only those that have been round the block.
    Drain,
    /// Take requests again.
    Serve,
    /// Take none any more, and send on those that wait.
    Stop {
        /// A random number, by which the alternates are permuted.
        random: u64,
    },
    /// The instant of [`poll_timeout`](crate::machine::Machine::poll_timeout) has come.
    Timeout,
}

impl core::fmt::Debug for Input {
    /// A piece of a result is the application's: only its size is shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Message { link, message, random } => {
                f.debug_struct("Message").field("link", link).field("message", message).field("random", random).finish()
            }
            Self::Closed(link) => f.debug_tuple("Closed").field(link).finish(),
            Self::Data { job, bytes } => write!(f, "Data {{ job: {job:?}, {} bytes }}", bytes.len()),
            Self::End { job, status, text } => {
                f.debug_struct("End").field("job", job).field("status", status).field("text", text).finish()
            }
            Self::Continue { job, next, read_only, random } => {
                let mut shown = f.debug_struct("Continue");
                shown.field("job", job).field("next", next).field("read_only", read_only).field("random", random);
                shown.finish()
            }
            Self::Refuse { job, code, text } => {
                f.debug_struct("Refuse").field("job", job).field("code", code).field("text", text).finish()
            }
            Self::Alternates(alternates) => f.debug_tuple("Alternates").field(alternates).finish(),
            Self::Drain => f.write_str("Drain"),
            Self::Serve => f.write_str("Serve"),
            Self::Stop { random } => f.debug_struct("Stop").field("random", random).finish(),
            Self::Timeout => f.write_str("Timeout"),
        }
    }
}

/// What a [`Server`](super::Server) wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Send a message.
    Send {
        /// On this link.
        link: LinkId,
        /// The message.
        message: Message,
    },
    /// Close the link, once everything before is written: the client has broken the protocol. It is not heard of again,
    /// but for [`Input::Closed`].
    Close(LinkId),
    /// Something that the application should know.
    Event(Event),
}

/// What the application should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// Carry this out. It is to be [ended](Input::End), [continued](Input::Continue) or [refused](Input::Refuse) once.
    Execute(Box<Job>),
    /// The client of a job has gone, or has said that it wants it no longer (which may have been for want of patience: if
    /// it still listens, it takes what comes). The job goes on, and how it ends is remembered all the same; one that
    /// cannot change anything may be ended at once, with a status that says so.
    Abandoned(JobId),
}

/// What is to be carried out.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// Which request it is.
    pub key: RequestKey,
    /// What is said of it.
    pub flags: RequestFlags,
    /// What is to be done.
    pub command: Command,
    /// What the client is known by.
    pub credentials: Credentials,
    /// What another server has given to the client.
    pub receipt: Bytes,
    /// Which server has named this one.
    pub referrer: Option<ServerUri>,
}

impl core::fmt::Debug for Job {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { id, key, flags, command, referrer, .. } = self;
        let mut shown = f.debug_struct("Job");
        shown.field("id", id).field("key", key).field("flags", flags).field("command", command);
        shown.field("referrer", referrer).finish_non_exhaustive()
    }
}

pub use crate::deferral::client::Credentials;
