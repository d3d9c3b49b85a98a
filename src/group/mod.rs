//! Group Services: who is in a group, one value that all of its providers agree on, and votes in phases.
//!
//! The design is that of IBM's Group Services (GSAPI), on [native frames](crate::frame). The normative text is
//! spec/group.md.
//!
//! * Messages: [`message`], with [`Attributes`] and [`Proposal`](proposal::Proposal).
//! * The roles, each a machine over messages: [`provider::Provider`] (in a group, with a vote),
//!   [`subscriber::Subscriber`] (told of a group), [`process::Process`] (those of one process, and its link),
//!   [`coordinator::Coordinator`] (who is in which group, and what is voted on), [`replica::Replica`] (coordinators
//!   among each other: who reigns, and what the others keep).
//! * The same over bytes: [`endpoint`].
//!
//! ```
//! use handover::group::coordinator::{self, Coordinator};
//! use handover::group::process::{self, Process};
//! use handover::group::{Attributes, DomainId, Epoch, GroupName, RequestId};
//! use handover::machine::{LinkId, Machine};
//! use handover::time::Instant;
//!
//! let (now, link) = (Instant::ZERO, LinkId(1));
//! let mut coordinator = Coordinator::new(coordinator::Config::new(DomainId(7), Epoch(1 << 16)), now);
//! let mut process = Process::new(process::Config::new(1, 1));
//! let (request, name) = (RequestId(1), GroupName::new("fleet").unwrap());
//! process.handle(now, process::Input::Opened(link))?;
//! loop {
//!     if let Some(output) = process.poll_output() {
//!         match output {
//!             process::Output::Send { link, message } => {
//!                 coordinator.handle(now, coordinator::Input::Message { link, message })?;
//!             }
//!             process::Output::Event(process::Event::Entered { .. }) => {
//!                 let (attributes, local_name) = (Attributes::new(name.clone()), String::new());
//!                 process.handle(now, process::Input::Join { request, attributes, instance: 0, local_name })?;
//!             }
//!             _ => {}
//!         }
//!     } else if let Some(output) = coordinator.poll_output() {
//!         match output {
//!             coordinator::Output::Send { link, message } => {
//!                 process.handle(now, process::Input::Message { link, message })?;
//!             }
//!             coordinator::Output::Event(coordinator::Event::Entering { link, .. }) => {
//!                 coordinator.handle(now, coordinator::Input::Admit { link, allowed: true })?;
//!             }
//!             _ => {}
//!         }
//!     } else {
//!         break;
//!     }
//! }
//! let provider = process.provider(request).unwrap();
//! assert_eq!(provider.members(), [provider.id()]);
//! assert_eq!(coordinator.members(&name).unwrap(), provider.members());
//! # Ok::<(), handover::error::Error>(())
//! ```

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
