//! Group Services: who is in a group, one value that all of its providers agree on, and votes in phases.
//!
//! The design is that of IBM's Group Services (GSAPI), on [native frames](crate::frame). The normative text is
//! spec/group.md.
//!
//! * Messages: [`message`], with [`Attributes`] and [`Proposal`](proposal::Proposal).

mod attributes;
pub mod coordinator;
pub mod endpoint;
mod ids;
pub mod message;
mod name;
pub mod process;
pub mod proposal;
pub mod provider;
pub mod replica;
pub mod subscriber;

pub use attributes::{AttributeError, Attributes};
pub use ids::{
    Announcement, BatchControl, DissolveReason, ErrorCode, LeaveReason, MergeControl, MessageKind, Phases,
    ProtocolKind, Subscription, Summary, Vote,
};
pub use name::{
    CoordinatorId, DomainId, Epoch, GroupId, GroupName, InvalidName, InvalidValue, ProtocolId, ProviderId,
    ProviderMessage, RequestId, Sequence, StateValue, Token, ViewId,
};
