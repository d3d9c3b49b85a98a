//! What goes into a process and what comes out.

use crate::frame::Text;
use crate::group::attributes::Attributes;
use crate::group::coordinator::Credentials;
use crate::group::ids::{DissolveReason, Subscription};
use crate::group::message::Message;
use crate::group::name::{DomainId, Epoch, GroupName, RequestId};
use crate::group::{provider, subscriber};
use crate::limits::GroupLimits;
use crate::machine::LinkId;
use alloc::string::String;
use core::time::Duration;

/// The settings of a [`Process`](super::Process).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Config {
    /// Its machine.
    pub node: u32,
    /// Which start of it: higher than that of any process that was there before it on its machine. Who was declared dead
    /// comes back with another one.
    pub incarnation: u64,
    /// What it is known by.
    pub credentials: Credentials,
    /// How often it is to be asked whether it is there; 0: never. Whole milliseconds. Default 0.
    pub ping_interval: Duration,
    /// How long its answer may take. Whole milliseconds. Default 0.
    pub pong_limit: Duration,
    /// How long its providers and subscribers outlive the link to their coordinator, so that another one can take over.
    /// 0: not at all, as in GSAPI. Default 30 s.
    pub reenter: Duration,
    /// Bounds.
    pub limits: GroupLimits,
}

impl Config {
    /// The defaults.
    #[must_use]
    pub fn new(node: u32, incarnation: u64) -> Self {
        Self {
            node,
            incarnation,
            credentials: Credentials::default(),
            ping_interval: Duration::ZERO,
            pong_limit: Duration::ZERO,
            reenter: Duration::from_secs(30),
            limits: GroupLimits::DEFAULT,
        }
    }
}

/// What goes into a [`Process`](super::Process). `request` is a number of the caller's: no two requests of a process have
/// the same. A provider or a subscriber is known by that of its join or subscription.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// A link to a coordinator is there.
    Opened(LinkId),
    /// A message has come.
    Message {
        /// On this link.
        link: LinkId,
        /// The message.
        message: Message,
    },
    /// The link has closed or broken.
    Closed(LinkId),
    /// Join a group as a provider.
    Join {
        /// Its number.
        request: RequestId,
        /// What the group is like, or is to be like.
        attributes: Attributes,
        /// Which provider of the group it will be on its machine.
        instance: i16,
        /// Its name in logs; never sent.
        local_name: String,
    },
    /// Be told what becomes of a group.
    Subscribe {
        /// Its number.
        request: RequestId,
        /// The group.
        group: GroupName,
        /// What it wants to know.
        subscription: Subscription,
    },
    /// What one of its providers says: anything but messages, and what is about the link.
    Provider {
        /// Which.
        request: RequestId,
        /// What.
        input: provider::Input,
    },
    /// One of its subscribers wants to know nothing any more.
    Unsubscribe(RequestId),
    /// Leave the domain: all of its providers fail.
    Quit,
    /// The instant of [`poll_timeout`](crate::machine::Machine::poll_timeout) has come.
    Timeout,
}

impl Input {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Opened(_) => "Opened",
            Self::Message { .. } => "Message",
            Self::Closed(_) => "Closed",
            Self::Join { .. } => "Join",
            Self::Subscribe { .. } => "Subscribe",
            Self::Provider { .. } => "Provider",
            Self::Unsubscribe(_) => "Unsubscribe",
            Self::Quit => "Quit",
            Self::Timeout => "Timeout",
        }
    }
}

/// What a [`Process`](super::Process) wants done, in this order.
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
    /// Close the link, once everything before is written.
    Close(LinkId),
    /// Something that the application should know.
    Event(Event),
}

/// What the application should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// It is in the domain.
    Entered {
        /// Which.
        domain: DomainId,
        /// Who reigns.
        epoch: Epoch,
    },
    /// The link is lost. Another one is wanted: to the same coordinator, or to the one that takes over.
    Orphaned,
    /// Another coordinator reigns; the link is closed.
    Redirected {
        /// Its reign.
        epoch: Epoch,
        /// Where it is.
        address: Text,
    },
    /// One of its providers.
    Provider {
        /// Which.
        request: RequestId,
        /// What.
        event: provider::Event,
    },
    /// One of its subscribers.
    Subscriber {
        /// Which.
        request: RequestId,
        /// What.
        event: subscriber::Event,
    },
    /// Something has come that makes no sense any more, and was passed over.
    Ignored(&'static str),
    /// It is over. Exactly once.
    Ended(End),
}

/// Why a process is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// It wanted so.
    Quit,
    /// It was told to stop.
    Dissolved(DissolveReason),
    /// It has found no coordinator in time.
    Lost,
}
