//! One link, dialled or accepted: how it is established, and what may travel on it (spec/repmgr.md 6.1).

mod handle;
mod table;
#[cfg(test)]
mod tests;
mod types;

pub use table::{Event as TableEvent, State, TABLE, step};
pub use types::{CloseReason, Config, Event, Identity, Input, MembershipPolicy, Output, Peer, Traffic};

use super::ids::Version;
use crate::machine::Outbox;
use crate::time::Instant;

/// One link: it agrees on the version, says or hears what the link is for, and from then on lets pass what may travel
/// on a connection for channels. Every wait has a deadline.
///
/// ```
/// use handover::machine::Machine;
/// use handover::repmgr::connection::{Config, Connection, Event, Input, Output, State};
/// use handover::repmgr::message::Message;
/// use handover::time::Instant;
///
/// let now = Instant::ZERO;
/// let mut dialler = Connection::dial(Config::default(), now);
/// let mut listener = Connection::accept(Config::default(), now);
/// dialler.handle(now, Input::Opened)?;
/// loop {
///     let mut quiet = true;
///     while let Some(output) = dialler.poll_output() {
///         if let Output::Send(message) = output {
///             listener.handle(now, Input::Message(message))?;
///             quiet = false;
///         }
///     }
///     while let Some(output) = listener.poll_output() {
///         if let Output::Send(message) = output {
///             dialler.handle(now, Input::Message(message))?;
///             quiet = false;
///         }
///     }
///     if quiet {
///         break;
///     }
/// }
/// assert_eq!((dialler.state(), listener.state()), (State::Ready, State::Ready));
/// # Ok::<(), handover::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Connection {
    config: Config,
    state: State,
    version: Option<Version>,
    now: Instant,
    deadline: Option<Instant>,
    outbox: Outbox<Output>,
}

impl Connection {
    /// A link that is being dialled since `now`: [`Input::Opened`] comes next.
    #[must_use]
    pub fn dial(config: Config, now: Instant) -> Self {
        let deadline = now.saturating_add(config.dial_timeout);
        Self::new(config, State::Dialling, now, deadline)
    }

    /// A link that was accepted at `now`.
    #[must_use]
    pub fn accept(config: Config, now: Instant) -> Self {
        let deadline = now.saturating_add(config.handshake_timeout);
        Self::new(config, State::Negotiating, now, deadline)
    }

    fn new(config: Config, state: State, now: Instant, deadline: Instant) -> Self {
        Self { config, state, version: None, now, deadline: Some(deadline), outbox: Outbox::new() }
    }

    /// The version of the protocol, once it is settled.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Whether messages of applications can go both ways.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready)
    }
}
