//! What goes into a coordinator and what comes out.

use crate::group::ids::{DissolveReason, LeaveReason};
use crate::group::message::Message;
use crate::group::name::{DomainId, Epoch, GroupName, ProviderId};
use crate::limits::GroupLimits;
use crate::machine::LinkId;
use bytes::Bytes;
use core::time::Duration;

/// A coordinator's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// Which domain.
    pub domain: DomainId,
    /// Which reign.
    pub epoch: Epoch,
    /// How long those that were in the domain before this reign have to come back. `None`: there was nobody.
    pub recover: Option<Duration>,
    /// Bounds.
    pub limits: GroupLimits,
}

impl Config {
    /// The first reign of a domain, with the defaults.
    #[must_use]
    pub const fn new(domain: DomainId) -> Self {
        Self { domain, epoch: Epoch(1), recover: None, limits: GroupLimits::DEFAULT }
    }
}

/// What goes into a [`Coordinator`](super::Coordinator).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// A message of a process has come.
    Message {
        /// On this link.
        link: LinkId,
        /// The message.
        message: Message,
    },
    /// Whether a process may enter: the answer to [`Event::Entering`].
    Admit {
        /// Its link.
        link: LinkId,
        /// Whether it may.
        allowed: bool,
    },
    /// A link has closed or broken: its process has failed.
    Closed(LinkId),
    /// A machine has failed, with all its processes. Whoever is there nevertheless is told to stop.
    NodeDown(u32),
    /// The reign ends, and every group with it.
    End(DissolveReason),
    /// The instant of [`poll_timeout`](crate::machine::Machine::poll_timeout) has come.
    Timeout,
}

impl Input {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Message { .. } => "Message",
            Self::Admit { .. } => "Admit",
            Self::Closed(_) => "Closed",
            Self::NodeDown(_) => "NodeDown",
            Self::End(_) => "End",
            Self::Timeout => "Timeout",
        }
    }
}

/// What a [`Coordinator`](super::Coordinator) wants done, in this order.
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
    /// A process wants to enter: answer with [`Input::Admit`].
    Entering {
        /// Its link.
        link: LinkId,
        /// Its machine.
        node: u32,
        /// Which start of it.
        incarnation: u64,
        /// What it is known by. Never shown by `Debug`.
        credentials: Credentials,
    },
    /// A group is there.
    Formed(GroupName),
    /// A provider has joined.
    Joined(GroupName, ProviderId),
    /// Something has come that makes no sense any more, and was passed over.
    Ignored {
        /// On this link.
        link: LinkId,
        /// What.
        what: &'static str,
    },
    /// A provider has gone.
    Left(GroupName, ProviderId, LeaveReason),
    /// A group is no more.
    Dissolved(GroupName),
    /// The reign is over. Exactly once.
    Ended(DissolveReason),
}

/// What a process is known by. Never shown by `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Credentials(pub Bytes);

impl core::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Credentials({} bytes)", self.0.len())
    }
}
