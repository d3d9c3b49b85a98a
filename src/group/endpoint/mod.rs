//! Processes and coordinators over bytes: each link says hello, and carries their messages (spec/group.md 1.2).

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
