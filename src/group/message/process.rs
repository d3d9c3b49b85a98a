//! What processes send (spec/group.md 2.4).

use super::parts::{Ballot, Standing};
use crate::frame::{Extensions, record};
use crate::group::attributes::Attributes;
use crate::group::ids::Subscription;
use crate::group::name::{Epoch, GroupName, ProtocolId, RequestId, Sequence, Token, ViewId};
use crate::group::proposal::{Voting, Wish};
use alloc::boxed::Box;
use bytes::Bytes;

record! {
    /// A process enters the domain, for the first time or at another coordinator.
    #[derive(Clone, PartialEq, Eq, Hash)]
    pub struct Enter {
        /// Its machine.
        pub node: u32,
        /// Which start of it: a higher number each time.
        pub incarnation: u64,
        /// The highest reign that it knows of; 0: none.
        pub epoch: Epoch,
        /// How often it is to be asked whether it is there, in ms; 0: never.
        #[doc(alias = "gs_responsiveness_interval")]
        pub ping_interval_ms: u32,
        /// How long its answer may take, in ms.
        #[doc(alias = "gs_responsiveness_response_time_limit")]
        pub pong_limit_ms: u32,
        /// How many tokens it has from the coordinator before this one: each is to be reported.
        pub reports: u32,
        /// What it is known by. Not shown by `Debug`.
        pub credentials: Bytes,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// An answer to [`Query`](super::Query), one for each token, and one at least.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Report {
        /// How many more of this come.
        pub remaining: u32,
        /// What it knows of a group.
        pub standing: Option<Box<Standing>>,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A process wants to be a provider of a group. (The provider's local name is nobody else's business.)
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Join {
        /// The process's number for it.
        pub request: RequestId,
        /// Which provider of the group it will be on its node.
        pub instance: i16,
        /// What the group is like, or is to be like.
        pub attributes: Attributes,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A process wants to be told what becomes of a group.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Subscribe {
        /// The process's number for it.
        pub request: RequestId,
        /// The group.
        pub group: GroupName,
        /// What it wants to know.
        pub subscription: Subscription,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A message that says nothing but whose it is.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Signal {
        /// Whose.
        pub token: Token,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A message that says nothing.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Plain {
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A provider proposes something.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Propose {
        /// The process's number for it.
        pub request: RequestId,
        /// Whose it is.
        pub token: Token,
        /// How it is to be voted on.
        pub voting: Voting,
        /// In which view it makes sense; none: in any.
        pub view: Option<ViewId>,
        /// What.
        pub wish: Wish,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A provider votes.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Vote {
        /// Whose it is.
        pub token: Token,
        /// In which protocol.
        pub protocol: ProtocolId,
        /// In which phase.
        pub phase: u32,
        /// What it says.
        pub ballot: Ballot,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A provider that is to be expelled has deactivated itself, or could not.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Deactivated {
        /// Whose it is.
        pub token: Token,
        /// In which protocol.
        pub protocol: ProtocolId,
        /// Whether it could.
        pub successful: bool,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// Is the process still there? The same number comes back.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Ping {
        /// Any number.
        pub nonce: u64,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A process has taken everything of a group up to here.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Acknowledge {
        /// Whose it is.
        pub token: Token,
        /// Up to here.
        pub sequence: Sequence,
        /// What else is said.
        pub extensions: Extensions,
    }
}

impl core::fmt::Debug for Enter {
    /// Without the credentials.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { node, incarnation, epoch, reports, .. } = self;
        let mut shown = f.debug_struct("Enter");
        shown.field("node", node).field("incarnation", incarnation).field("epoch", epoch).field("reports", reports);
        shown.finish_non_exhaustive()
    }
}
