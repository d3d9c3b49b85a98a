//! What goes into a dispatcher and what comes out.

use crate::limits::RepmgrLimits;
use crate::machine::LinkId;
use crate::repmgr::connection::Traffic;
use crate::repmgr::message::AppMessage;
use crate::repmgr::segments::Segments;

/// A dispatcher's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// Whether something takes messages from the start. Default true.
    pub serving: bool,
    /// Bounds.
    pub limits: RepmgrLimits,
}

impl Default for Config {
    fn default() -> Self {
        Self { serving: true, limits: RepmgrLimits::DEFAULT }
    }
}

/// A message or request that has come in; never used again by its dispatcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Handle(pub u32);

/// What goes into a [`Dispatcher`](super::Dispatcher).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// Something takes messages from now on, or nothing does.
    #[doc(alias = "DB_ENV->repmgr_msg_dispatch")]
    Serve(bool),
    /// A message or request has come. Not while the link is [paused](Output::Pause).
    Received {
        /// From where.
        link: LinkId,
        /// The message.
        message: AppMessage,
    },
    /// Answer a request: with one segment or none, or with any number if that is wanted. It counts as the answer even
    /// if it turns out to be [too large](Event::TooLarge); ask [`Dispatcher::fits`](super::Dispatcher::fits) before.
    #[doc(alias = "DB_CHANNEL->send_msg")]
    Answer {
        /// The request.
        handle: Handle,
        /// The answer.
        segments: Segments,
    },
    /// Send a message back to where a message has come from.
    #[doc(alias = "DB_CHANNEL->send_msg")]
    Reply {
        /// The message.
        handle: Handle,
        /// What to send.
        segments: Segments,
    },
    /// The application is through with it. A request that has no answer is told that there is none.
    Finish(Handle),
    /// A link is over.
    Closed(LinkId),
    /// What is written on a link now would have to wait.
    Congested(LinkId),
    /// It can be written to again.
    Drained(LinkId),
    /// Nothing: a dispatcher has no deadlines.
    Timeout,
}

/// What a [`Dispatcher`](super::Dispatcher) wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Send an answer, or a message.
    Send {
        /// On this link.
        link: LinkId,
        /// What.
        traffic: Traffic,
    },
    /// Take nothing more off the link.
    Pause(LinkId),
    /// Go on.
    Resume(LinkId),
    /// Something that the application should know.
    Event(Event),
}

/// What the application should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A message has come. [Finish](Input::Finish) it.
    Message {
        /// Its number.
        handle: Handle,
        /// From where.
        link: LinkId,
        /// What it consists of.
        segments: Segments,
    },
    /// A request has come. [Answer](Input::Answer) it, and [finish](Input::Finish) it.
    #[doc(alias = "DB_REPMGR_NEED_RESPONSE")]
    Request {
        /// Its number.
        handle: Handle,
        /// From where.
        link: LinkId,
        /// What it consists of.
        segments: Segments,
        /// Whether the answer may have any number of segments, and not just one.
        bulk: bool,
        /// The largest answer in bytes; of several segments, with padding and table.
        limit: Option<u32>,
    },
    /// The sender of something that is not finished has gone: there is nobody to answer.
    Lost(Handle),
    /// The answer was larger than the requester allows, or had several segments where one is wanted; the requester was
    /// told so. Nothing else can be answered to it.
    #[doc(alias = "DB_BUFFER_SMALL")]
    TooLarge {
        /// The request.
        handle: Handle,
        /// The answer's size in bytes; of several segments, with padding and table.
        size: u64,
    },
    /// A message has come and nothing takes messages.
    Unserved(LinkId),
}
