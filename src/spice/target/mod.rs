//! The server that a client comes to (spec/spice.md 5 and 6.2).

mod handle;
mod session;
mod table;
mod types;

pub use table::{Event as TableEvent, State, TABLE, step};
pub use types::{Config, Event, Input, Loss, Output, Start};

use crate::machine::Outbox;
use crate::spice::ids::ClientId;
use crate::time::Instant;
use alloc::vec::Vec;
use session::Session;

/// A SPICE server that takes over clients from another server, and new ones too.
///
/// It decides about each link, keeps clients that arrive parked and silent until they say that they have
/// switched, and then lets messages pass both ways untouched and in order. A client that breaks the protocol
/// is closed, never more.
///
/// ```
/// use handover::machine::Machine;
/// use handover::spice::target::{Config, Input, Output, State, Target};
/// use handover::spice::{ChannelId, LinkId, MainCaps};
/// use handover::time::Instant;
///
/// let mut target = Target::new(Config::default());
/// let (link, caps) = (LinkId(1), MainCaps::SEMI_SEAMLESS_MIGRATE);
/// let arriving = Input::Link { link, connection_id: 7, channel: ChannelId::MAIN, caps, session_id: 9 };
/// target.handle(Instant::ZERO, arriving)?;
/// assert_eq!(target.poll_output(), Some(Output::Accept(link)));
/// assert_eq!(target.state(), State::MigWait);
/// # Ok::<(), handover::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    config: Config,
    now: Instant,
    sessions: Vec<Session>,
    next_client: u32,
    /// The earliest of the sessions' deadlines.
    deadline: Option<Instant>,
    outbox: Outbox<Output>,
}

impl Target {
    /// A target without clients.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, now: Instant::ZERO, sessions: Vec::new(), next_client: 1, deadline: None, outbox: Outbox::new() }
    }

    /// Where a client stands; [`State::Empty`] if it is gone.
    #[must_use]
    pub fn client_state(&self, client: ClientId) -> State {
        self.sessions.iter().find(|session| session.id == client).map_or(State::Empty, |session| session.state)
    }

    /// How many clients are there.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.sessions.len()
    }
}
