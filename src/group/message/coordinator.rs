//! What a coordinator sends to processes (spec/group.md 2.5).

use super::parts::{Open, Outcome, Snapshot};
use crate::frame::{Extensions, Text, record};
use crate::group::ids::{Announcement as AnnouncementFlags, DissolveReason, ErrorCode, MessageKind};
use crate::group::name::{DomainId, Epoch, GroupId, ProviderId, RequestId, Sequence, StateValue, Token, ViewId};
use crate::group::proposal::Leave;
use alloc::boxed::Box;
use alloc::vec::Vec;

record! {
    /// A process is in the domain.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Welcome {
        /// Which domain.
        pub domain: DomainId,
        /// Who reigns.
        pub epoch: Epoch,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A join or subscription is accepted. It is not carried out yet.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Accepted {
        /// Which.
        pub request: RequestId,
        /// From now on.
        pub token: Token,
        /// The group.
        pub group: GroupId,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A request is not carried out.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct DelayedError {
        /// Which.
        pub request: RequestId,
        /// Whose it was; none before a token was given.
        pub token: Option<Token>,
        /// What it was.
        pub kind: MessageKind,
        /// Why not.
        pub code: ErrorCode,
        /// The same for people.
        pub text: Text,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A phase of a protocol begins, and its voters are to vote.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Phase {
        /// For whom.
        pub token: Token,
        /// Which group.
        pub group: GroupId,
        /// What the group has been told with this.
        pub sequence: Sequence,
        /// The protocol, with its phase.
        pub open: Open,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A protocol has ended.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Ended {
        /// For whom.
        pub token: Token,
        /// Which group.
        pub group: GroupId,
        /// How.
        pub outcome: Outcome,
        /// The whole group, for those that have just joined.
        pub snapshot: Option<Box<Snapshot>>,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// Something else that the providers of a group should know.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Announcement {
        /// For whom.
        pub token: Token,
        /// Which group.
        pub group: GroupId,
        /// What the group has been told with this.
        pub sequence: Sequence,
        /// What.
        pub flags: AnnouncementFlags,
        /// Of whom.
        pub providers: Vec<ProviderId>,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// What has become of a group, for a subscriber.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Notice {
        /// For whom.
        pub token: Token,
        /// Which group.
        pub group: GroupId,
        /// What the group has been told with this.
        pub sequence: Sequence,
        /// The membership from now on.
        pub view: ViewId,
        /// The state value.
        pub state: Option<StateValue>,
        /// Who is there.
        pub members: Option<Vec<ProviderId>>,
        /// Who has joined.
        pub joined: Vec<ProviderId>,
        /// Who has gone, and why.
        pub left: Vec<Leave>,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A group, or the domain, is no more.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Dissolved {
        /// For whom; none: for everybody in the process.
        pub token: Option<Token>,
        /// Why.
        pub reason: DissolveReason,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// Another coordinator leads the domain.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Redirect {
        /// Its reign.
        pub epoch: Epoch,
        /// Where it is.
        pub address: Text,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A group as it is, for who asks for it.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct View {
        /// For whom.
        pub token: Token,
        /// The group.
        pub snapshot: Box<Snapshot>,
        /// The protocol that runs, if it is told again.
        pub open: Option<Open>,
        /// What else is said.
        pub extensions: Extensions,
    }
}
