//! Processes and coordinators over bytes: each link says hello, and carries their messages (spec/group.md 1.2).
//!
//! ```
//! use handover::group::coordinator::Event as DomainEvent;
//! use handover::group::endpoint::{
//!     Command, CoordinatorConfig, CoordinatorEndpoint, CoordinatorEvent, CoordinatorOutput, ProcessConfig,
//!     ProcessEndpoint, ProcessOutput,
//! };
//! use handover::group::process::{Config, Event};
//! use handover::group::replica::{self, Memory};
//! use handover::group::{CoordinatorId, DomainId};
//! use handover::time::Instant;
//!
//! let now = Instant::ZERO;
//! // The only coordinator that there is.
//! let config = CoordinatorConfig::new(DomainId(7), replica::Config::new(CoordinatorId(0), 1));
//! let mut coordinator = CoordinatorEndpoint::new(config, Memory::default(), now);
//! coordinator.command(now, Command::Found)?;
//! let mut process = ProcessEndpoint::new(ProcessConfig::new(Config::new(1, 1)));
//! // A connection, seen from both ends.
//! let (here, there) = (process.connected(now)?, coordinator.accept(now));
//! let mut entered = None;
//! while entered.is_none() {
//!     match process.poll_output() {
//!         Some(ProcessOutput::Transmit { bytes, .. }) => coordinator.received(now, there, &bytes)?,
//!         Some(ProcessOutput::Event(Event::Entered { domain, .. })) => entered = Some(domain),
//!         _ => {}
//!     }
//!     match coordinator.poll_output() {
//!         Some(CoordinatorOutput::Transmit { bytes, .. }) => process.received(now, here, &bytes)?,
//!         // Here it would be written to a disk.
//!         Some(CoordinatorOutput::Store { number, .. }) => coordinator.command(now, Command::Stored(number))?,
//!         Some(CoordinatorOutput::Event(CoordinatorEvent::Domain(DomainEvent::Entering { link, .. }))) => {
//!             coordinator.command(now, Command::Admit { link, allowed: true })?;
//!         }
//!         _ => {}
//!     }
//! }
//! assert_eq!(entered, Some(DomainId(7)));
//! # Ok::<(), handover::error::EndpointError>(())
//! ```

mod coordinator;
mod process;
#[cfg(test)]
mod tests;

pub use coordinator::{Command, CoordinatorConfig, CoordinatorEndpoint, CoordinatorEvent, CoordinatorOutput};
pub use process::{ProcessConfig, ProcessEndpoint, ProcessOutput};

use crate::frame::{Capabilities, Hello, Offer, Protocol};

/// A hello that offers this protocol.
fn hello() -> Hello {
    Hello::new([Offer::new(Protocol::GROUP, Capabilities::empty())])
}
