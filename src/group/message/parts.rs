//! What messages tell of groups and protocols (spec/group.md 2.3).

use crate::frame::record;
use crate::group::attributes::Attributes;
use crate::group::ids::{ProtocolKind, Subscription, Summary, Vote as VoteValue};
use crate::group::name::{GroupId, ProtocolId, ProviderId, ProviderMessage, Sequence, StateValue, Token, ViewId};
use crate::group::proposal::Proposal;
use alloc::boxed::Box;
use alloc::vec::Vec;

record! {
    /// What a process knows of a group that it was in, or subscribed to, under the coordinator before this one.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Standing {
        /// Its token.
        pub token: Token,
        /// Which provider it is; none: a subscriber.
        pub provider: Option<ProviderId>,
        /// What it wants to know, as a subscriber.
        pub subscription: Subscription,
        /// The group.
        pub snapshot: Snapshot,
        /// The protocols that have ended last, the oldest first.
        pub recent: Vec<Past>,
        /// The protocol that runs, as far as it knows.
        pub open: Option<Open>,
    }

    /// A group as it is.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Snapshot {
        /// Which.
        pub group: GroupId,
        /// What it has been told.
        pub sequence: Sequence,
        /// Which membership it has.
        pub view: ViewId,
        /// What it is like.
        pub attributes: Attributes,
        /// What it agrees on.
        pub state: StateValue,
        /// Who is in it, in the order in which they have joined.
        pub members: Vec<ProviderId>,
        /// The protocol that has ended last.
        pub last: ProtocolId,
    }

    /// A protocol that has ended: u8 whether it was approved, and what was told of it.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Past {
        /// Whether it was approved.
        pub approved: bool,
        /// How it has ended.
        pub ended: Outcome,
    }

    /// How a protocol has ended.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Outcome {
        /// What the group has been told with this.
        pub sequence: Sequence,
        /// Which protocol.
        pub protocol: ProtocolId,
        /// What it was about.
        pub kind: ProtocolKind,
        /// How many phases there were.
        pub phases: u32,
        /// How it has come here.
        pub summary: Summary,
        /// The membership from now on.
        pub view: ViewId,
        /// A digest of it, to be compared with one's own.
        pub digest: u64,
        /// What was proposed; approved, what is now.
        pub proposal: Box<Proposal>,
    }

    /// A protocol that runs.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Open {
        /// Which.
        pub protocol: ProtocolId,
        /// What it is about.
        pub kind: ProtocolKind,
        /// Its phase, from 1.
        pub phase: u32,
        /// How long a vote may take, in s; 0: for ever.
        pub time_limit: u16,
        /// What counts for who does not vote.
        pub default_vote: VoteValue,
        /// How it has come here.
        pub summary: Summary,
        /// What is voted on.
        pub proposal: Box<Proposal>,
        /// The vote that this process has given in this phase.
        pub vote: Option<Ballot>,
    }

    /// What a provider says in a phase: u8 vote, new default vote, state value and message, if it proposes them.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Ballot {
        /// Yes, no, or once more.
        pub vote: VoteValue,
        /// What is to count from now on for who does not vote.
        pub default_vote: Option<VoteValue>,
        /// Another state value.
        pub state: Option<StateValue>,
        /// A message, for the next notification.
        pub message: Option<ProviderMessage>,
    }
}
