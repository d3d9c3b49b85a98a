//! What goes into a coordinator and what comes out.

use crate::group::ids::{DissolveReason, LeaveReason};
use crate::group::message::{Entry, Message, Proclaim};
use crate::group::name::{DomainId, Epoch, GroupName, ProviderId};
use crate::limits::GroupLimits;
use crate::machine::LinkId;
use alloc::boxed::Box;
use bytes::Bytes;

/// A coordinator's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// Which domain.
    pub domain: DomainId,
    /// Which reign.
    pub epoch: Epoch,
    /// When an outcome is told.
    pub durability: Durability,
    /// Bounds.
    pub limits: GroupLimits,
}

impl Config {
    /// A reign, with the defaults: [`Durability::Survivors`].
    #[must_use]
    pub const fn new(domain: DomainId, epoch: Epoch) -> Self {
        Self { domain, epoch, durability: Durability::Survivors, limits: GroupLimits::DEFAULT }
    }
}

/// What must be before anybody is told of an outcome, and so what a coordinator that takes over is sure to know
/// (spec/group.md 6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: an outcome that a survivor was told of holds. One that only the dead were told of may come out otherwise.
    #[default]
    Survivors,
    /// So many other coordinators keep it: it holds whoever of the processes dies, as long as fewer coordinators than
    /// that are lost beside the one that reigns.
    Replicated(u16),
    /// More than half of all coordinators keep it, the one that reigns among them. Only with more than half of them
    /// anybody reigns at all: of two halves that do not hear each other one stops.
    Quorum,
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
    /// Outcomes are kept as they are to be: all up to this number, an answer to [`Output::Persist`].
    Persisted(u64),
    /// All those from before this reign are back: nobody else is waited for.
    Recovered,
    /// Another coordinator has said that it is there. What was said by this one itself does nothing.
    Proclaimed(Proclaim),
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
            Self::Persisted(_) => "Persisted",
            Self::Recovered => "Recovered",
            Self::Proclaimed(_) => "Proclaimed",
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
    /// An outcome is to be kept as [`Config::durability`] says; answer with [`Input::Persisted`]. Nobody is told of it
    /// before. Never asked for with [`Durability::Survivors`].
    Persist(Box<Entry>),
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
    /// What was before this reign is known, as far as it will be: groups go on.
    Recovered,
    /// A domain was met that has lost against this one: tell it so with [`Coordinator::proclaim`](super::Coordinator::proclaim).
    Outranks(DomainId),
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
