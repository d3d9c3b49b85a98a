//! What goes into a provider and what comes out.

use crate::frame::Text;
use crate::group::attributes::Attributes;
use crate::group::ids::{Announcement as Flags, DissolveReason, ErrorCode, MessageKind};
use crate::group::message::{Ballot, Ended, Message, Open, Snapshot};
use crate::group::name::{ProtocolId, ProviderId, RequestId, Token, ViewId};
use crate::group::proposal::{Expulsion, Voting, Wish};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// Who wants to be a provider, and of what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Config {
    /// What the group is like, or is to be like.
    pub attributes: Attributes,
    /// Who it will be: its machine, its number there, and this start of its process.
    pub provider: ProviderId,
    /// Its name in logs; never sent.
    #[doc(alias = "gs_provider_local_name")]
    pub local_name: String,
}

/// What goes into a [`Provider`](super::Provider).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// A message for it has come: one with its token, or an answer to a request of its.
    Message(Message),
    /// Its vote. One for a phase that is over changes nothing: the answer may have crossed the end of it.
    Vote {
        /// In which protocol.
        protocol: ProtocolId,
        /// In which phase.
        phase: u32,
        /// What it says.
        ballot: Ballot,
    },
    /// Propose something.
    Propose {
        /// A number that no other request of the process has.
        request: RequestId,
        /// How it is to be voted on.
        voting: Voting,
        /// In which view it makes sense; none: in any.
        view: Option<ViewId>,
        /// What.
        wish: Wish,
    },
    /// It has deactivated itself, or could not.
    Deactivated(bool),
    /// Everything that it was told is taken.
    Acknowledge,
    /// Go at once.
    Goodbye,
    /// The link to the coordinator is lost, and with it the group.
    Lost,
    /// Another coordinator reigns, and has been told [what is known](super::Provider::standing).
    Reentered,
    /// The instant of [`poll_timeout`](crate::machine::Machine::poll_timeout) has come.
    Timeout,
}

impl Input {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Message(_) => "Message",
            Self::Vote { .. } => "Vote",
            Self::Propose { .. } => "Propose",
            Self::Deactivated(_) => "Deactivated",
            Self::Acknowledge => "Acknowledge",
            Self::Goodbye => "Goodbye",
            Self::Lost => "Lost",
            Self::Reentered => "Reentered",
            Self::Timeout => "Timeout",
        }
    }
}

/// What a [`Provider`](super::Provider) wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Send a message to the coordinator.
    Send(Message),
    /// Something that the application should know.
    Event(Event),
}

/// What the application should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// The request is accepted; it is not in the group yet.
    Accepted(Token),
    /// A phase begins, and its vote is due.
    Phase(Open),
    /// A phase begins in which it has no vote, since it is to be expelled; if `deactivate` says how, it is to do that
    /// and to answer with [`Input::Deactivated`].
    Watch {
        /// The phase.
        open: Open,
        /// How to deactivate itself.
        deactivate: Option<Expulsion>,
    },
    /// The time for its vote is over: the default vote may count for it.
    TimeIsUp,
    /// A protocol has ended, approved.
    Approved(Box<Ended>),
    /// A protocol has ended, rejected.
    Rejected(Box<Ended>),
    /// Something else.
    Announcement {
        /// What.
        flags: Flags,
        /// Of whom.
        providers: Vec<ProviderId>,
    },
    /// A request is not carried out.
    Error {
        /// Which; 0 for a vote.
        request: RequestId,
        /// What it was.
        kind: MessageKind,
        /// Why not.
        code: ErrorCode,
        /// The same for people.
        text: Text,
    },
    /// Something was missed: this is the group now.
    Resynchronised(Box<Snapshot>),
    /// Something has come that makes no sense any more, and was passed over.
    Ignored(&'static str),
    /// It is not in the group any more, or will never be. Exactly once.
    Gone(Departure),
}

/// Why a provider is not in its group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Departure {
    /// Its join is not carried out.
    Refused(ErrorCode),
    /// Its join was rejected by the others.
    Rejected,
    /// It has left, or was removed.
    Left,
    /// It has said goodbye.
    Goodbye,
    /// The group, or the domain, is no more.
    Dissolved(DissolveReason),
    /// The link to the coordinator is lost.
    Lost,
}
