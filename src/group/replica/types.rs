//! What goes into a replica and what comes out.

use crate::frame::Text;
use crate::group::coordinator::Durability;
use crate::group::ids::DissolveReason;
use crate::group::message::{Entry, GroupRecord, Message};
use crate::group::name::{CoordinatorId, Epoch, GroupId};
use crate::limits::GroupLimits;
use crate::machine::LinkId;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

/// The settings of a [`Replica`](super::Replica). All but `id`, `address` and what was stored are the same at every
/// coordinator of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// Which of the coordinators it is.
    pub id: CoordinatorId,
    /// How many there are, this one among them.
    pub coordinators: u16,
    /// What an outcome must have before it is told.
    pub durability: Durability,
    /// Where processes find it, if it reigns.
    pub address: Text,
    /// How often who reigns says so. Default 1 s.
    pub heartbeat: Duration,
    /// With [`Durability::Quorum`], how long a reign lasts without being heard of by more than half. Default 5 s; a few
    /// heartbeats at least.
    pub lease: Duration,
    /// How long the others have to agree. Default 5 s.
    pub election: Duration,
    /// Bounds.
    pub limits: GroupLimits,
}

impl Config {
    /// The defaults, and [`Durability::Survivors`].
    #[must_use]
    pub const fn new(id: CoordinatorId, coordinators: u16) -> Self {
        Self {
            id,
            coordinators,
            durability: Durability::Survivors,
            address: Text::EMPTY,
            heartbeat: Duration::from_secs(1),
            lease: Duration::from_secs(5),
            election: Duration::from_secs(5),
            limits: GroupLimits::DEFAULT,
        }
    }
}

/// What a replica knew when it stopped, [out of](Self::add) what it had [stored](Output::Store).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Memory {
    /// The highest epoch that it has agreed to.
    pub promised: Epoch,
    /// The groups.
    pub records: BTreeMap<GroupId, GroupRecord>,
}

/// What goes into a [`Replica`](super::Replica).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// A link to another coordinator is there, whichever of the two has opened it. One that is there already is over.
    Opened {
        /// The link.
        link: LinkId,
        /// Who is at the other end, as the transport has proved.
        coordinator: CoordinatorId,
    },
    /// A message of another coordinator has come.
    Message {
        /// On this link.
        link: LinkId,
        /// The message.
        message: Message,
    },
    /// The link has closed or broken.
    Closed(LinkId),
    /// Reign: there is nobody who does, as far as it is known. That may be wrong.
    TakeOver,
    /// What its own coordinator wants kept: an answer to
    /// [`Output::Persist`](crate::group::coordinator::Output::Persist).
    Append(Box<Entry>),
    /// Everything up to this number is stored: the answer to [`Output::Store`].
    Stored(u64),
    /// Reign no more: its coordinator has ended.
    Abdicate,
    /// Stop.
    Stop,
    /// The instant of [`poll_timeout`](crate::machine::Machine::poll_timeout) has come.
    Timeout,
}

impl Input {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "Opened",
            Self::Message { .. } => "Message",
            Self::Closed(_) => "Closed",
            Self::TakeOver => "TakeOver",
            Self::Append(_) => "Append",
            Self::Stored(_) => "Stored",
            Self::Abdicate => "Abdicate",
            Self::Stop => "Stop",
            Self::Timeout => "Timeout",
        }
    }
}

/// What a [`Replica`](super::Replica) wants done, in this order.
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
    /// Store this where it outlives the process, and answer with [`Input::Stored`]. Who has no such place may answer at
    /// once, and then a coordinator that comes back must be a new one.
    Store {
        /// The number of this, from 1.
        number: u64,
        /// What.
        item: Item,
    },
    /// Something that the application should know.
    Event(Event),
}

/// What is stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Item {
    /// It has agreed to this epoch, and to none before.
    Promise(Epoch),
    /// An outcome.
    Entry(Box<Entry>),
}

/// What the application should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// It reigns: make a coordinator with [`Coordinator::take_over`](crate::group::coordinator::Coordinator::take_over).
    Elected {
        /// In this epoch.
        epoch: Epoch,
        /// What is known of the groups.
        records: Vec<GroupRecord>,
    },
    /// Its attempt to reign has failed: too few agree, or somebody else reigns.
    Failed,
    /// Its reign is over: tell its coordinator to end.
    Deposed(DissolveReason),
    /// All outcomes up to this one are kept as they are to be: the coordinator's
    /// [`Input::Persisted`](crate::group::coordinator::Input::Persisted).
    Kept(u64),
    /// Another one reigns: processes are to go there.
    Follows {
        /// In this epoch.
        epoch: Epoch,
        /// Where.
        address: Text,
    },
    /// Something has come that makes no sense any more, and was passed over.
    Ignored(&'static str),
}
