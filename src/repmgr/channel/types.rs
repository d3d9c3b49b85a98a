//! What goes into a channel and what comes out.

use crate::limits::RepmgrLimits;
use crate::machine::LinkId;
use crate::repmgr::host::SiteAddress;
use crate::repmgr::ids::ErrorCode;
use crate::repmgr::message::{AppMessage, AppResponse, ResponseError};
use crate::repmgr::segments::Segments;
use crate::repmgr::via::Via;
use bytes::Bytes;
use core::time::Duration;

/// A channel's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// How long a request may wait for its answer, from when it is accepted, if it does not say otherwise. Default 5 s,
    /// as in libdb; `None`: for ever.
    #[doc(alias = "DB_CHANNEL->set_timeout")]
    pub request_timeout: Option<Duration>,
    /// How long a message may wait until it is sent. Default 30 s; `None`: for ever.
    pub send_timeout: Option<Duration>,
    /// How long a link that is not needed any more is kept for the answers to requests whose time is up. Default 60 s.
    /// A libdb site whose requester has gone may not survive it (spec/repmgr.md 7).
    pub linger: Duration,
    /// Bounds.
    pub limits: RepmgrLimits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            request_timeout: Some(Duration::from_secs(5)),
            send_timeout: Some(Duration::from_secs(30)),
            linger: Duration::from_secs(60),
            limits: RepmgrLimits::DEFAULT,
        }
    }
}

/// Which site a channel is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum To {
    /// Always this one.
    #[doc(alias = "eid")]
    Site(SiteAddress),
    /// Whichever is the master when something is sent.
    #[doc(alias = "DB_EID_MASTER")]
    Master,
}

/// Which site is the master.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Master {
    /// This one.
    Local,
    /// Another.
    Remote(SiteAddress),
}

/// The number that the caller gives to a message; it can be used again once the message is sent or dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MessageId(pub u32);

/// The number that the caller gives to a request; it can be used again once the request is completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestId(pub u32);

/// What a request wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestOptions {
    /// How long it may take.
    pub timeout: RequestTimeout,
    /// The largest answer in bytes; of several segments, with padding and table. `None`: any.
    #[doc(alias = "DB_DBT_USERMEM")]
    pub limit: Option<u32>,
    /// Whether the answer may have any number of segments, and not just one.
    #[doc(alias = "DB_MULTIPLE")]
    pub bulk: bool,
}

/// How long a request may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum RequestTimeout {
    /// As the channel's settings say.
    #[default]
    Default,
    /// For ever, or until the link is lost.
    Never,
    /// So long.
    After(Duration),
}

/// What goes into a [`Channel`](super::Channel).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// Another site is the master, or none is. Only for a channel to the master.
    Master(Option<Master>),
    /// Have a link, although there is nothing to send yet.
    #[doc(alias = "DB_ENV->repmgr_channel")]
    Connect,
    /// Send a message that wants no answer.
    #[doc(alias = "DB_CHANNEL->send_msg")]
    Send {
        /// The caller's number for it.
        id: MessageId,
        /// What it consists of.
        segments: Segments,
    },
    /// Send a request.
    #[doc(alias = "DB_CHANNEL->send_request")]
    Request {
        /// The caller's number for it.
        id: RequestId,
        /// What it consists of.
        segments: Segments,
        /// What it wants.
        options: RequestOptions,
    },
    /// A link that was asked for is ready.
    Ready(LinkId),
    /// An answer has come.
    Received {
        /// On this way.
        via: Via,
        /// The answer.
        answer: Answer,
    },
    /// A link could not be had, has closed, or has broken.
    Closed(LinkId),
    /// What is written on a link now would have to wait.
    Congested(LinkId),
    /// It can be written to again.
    Drained(LinkId),
    /// Accept no more, and end once all that was accepted has come to its end.
    #[doc(alias = "DB_CHANNEL->close")]
    Close,
    /// End now: what was not sent is dropped, and who waits for an answer waits no longer.
    CloseNow,
    /// The instant of [`poll_timeout`](crate::machine::Machine::poll_timeout) has come.
    Timeout,
}

impl Input {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Master(_) => "Master",
            Self::Connect => "Connect",
            Self::Send { .. } => "Send",
            Self::Request { .. } => "Request",
            Self::Ready(_) => "Ready",
            Self::Received { .. } => "Received",
            Self::Closed(_) => "Closed",
            Self::Congested(_) => "Congested",
            Self::Drained(_) => "Drained",
            Self::Close => "Close",
            Self::CloseNow => "CloseNow",
            Self::Timeout => "Timeout",
        }
    }
}

/// What a responder says to a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// An answer.
    Response(AppResponse),
    /// That there is none.
    Error(ResponseError),
}

impl Answer {
    pub(super) const fn tag(&self) -> u32 {
        match self {
            Self::Response(response) => response.tag,
            Self::Error(error) => error.tag,
        }
    }
}

/// What a [`Channel`](super::Channel) wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Establish a connection; answer with [`Input::Ready`] or [`Input::Closed`].
    Dial {
        /// The number of the new link.
        link: LinkId,
        /// Where.
        address: SiteAddress,
    },
    /// Send a message.
    Send {
        /// On this way.
        via: Via,
        /// The message.
        message: AppMessage,
    },
    /// Close the link, or stop dialling it, once everything before is written. It is not heard of again.
    Close(LinkId),
    /// Something that the application should know.
    Event(Event),
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Response {
    /// The only segment; empty if the responder sends none.
    Single(Payload),
    /// Any number of segments, if the request wants that.
    Bulk(Segments),
}

/// Bytes of an answer. Never shown by `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Payload(pub Bytes);

impl core::fmt::Debug for Payload {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

/// Why a request has no answer. Where the responder may have had the request, `sent` says so: then nobody knows whether
/// it was carried out, and it is never sent again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Its time is up.
    #[error("the request's time is up")]
    #[doc(alias = "DB_TIMEOUT")]
    Timeout {
        /// Whether the request was on its way.
        sent: bool,
    },
    /// The site cannot be reached, or the link was lost.
    #[error("the site cannot be reached")]
    #[doc(alias = "DB_REP_UNAVAIL")]
    Unavailable {
        /// Whether the request was on its way.
        sent: bool,
    },
    /// The site has nothing that takes messages.
    #[error("the site takes no messages")]
    #[doc(alias = "DB_NOSERVER")]
    NoServer,
    /// What takes messages there has not answered it.
    #[error("the site gives no answer")]
    #[doc(alias = "DB_KEYEMPTY")]
    NoAnswer,
    /// The answer is larger than the limit, or has several segments where one is wanted.
    #[error("the answer is too large")]
    #[doc(alias = "DB_BUFFER_SMALL")]
    TooLarge,
    /// The site says something that is not known here.
    #[error("the site says error {0}")]
    Other(ErrorCode),
    /// The answer was to be segments, and is none.
    #[error("the answer is malformed")]
    Malformed,
    /// The channel was closed.
    #[error("the channel was closed")]
    Closed {
        /// Whether the request was on its way.
        sent: bool,
    },
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DropReason {
    /// It has waited too long.
    #[error("the message has waited too long")]
    TimedOut,
    /// The site cannot be reached, or there is no master any more.
    #[error("the site cannot be reached")]
    Unavailable,
    /// The channel was closed.
    #[error("the channel was closed")]
    Closed,
}

/// What the application should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A message was handed to the link. It is delivered unless the link is lost; see [`Event::LinkLost`].
    Sent(MessageId),
    /// A message was not sent, and will not be.
    Dropped {
        /// The message.
        id: MessageId,
        /// Why not.
        reason: DropReason,
    },
    /// A request has come to its end. Exactly once for each.
    Completed {
        /// The request.
        id: RequestId,
        /// Its answer, or why there is none.
        result: Result<Response, Failure>,
    },
    /// A link was lost, or could not be had.
    LinkLost {
        /// The link.
        link: LinkId,
        /// How many messages were handed to it and may not have arrived.
        messages: u32,
    },
    /// An answer that nobody waits for any more, or that has come twice.
    Ignored,
    /// The channel is over. Exactly once.
    Closed {
        /// Messages that were dropped for it.
        messages: u32,
        /// Requests that were given up for it.
        requests: u32,
    },
}
