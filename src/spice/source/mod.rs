//! The server that a client leaves (spec/spice.md 5 and 6.1).

mod entry;
mod handle;
mod table;
mod types;

pub use table::{Event as TableEvent, State, TABLE, step};
pub use types::{AttemptId, ClientLoss, Config, Event, Input, Outcome, Output};

use crate::machine::Outbox;
use crate::spice::DstInfo;
use crate::spice::ids::{ClientId, LinkId};
use crate::time::Instant;
use alloc::vec::Vec;

/// A SPICE server that moves its clients to another server, with the virtual machine that they watch.
///
/// It stands between the application and the links of all clients: messages that are not about migration
/// pass through both ways untouched and in order. The application says what becomes of the virtual machine;
/// the machine tells the clients, in the best scheme that each of them can do, and reports exactly one end
/// of each attempt, whatever clients do.
///
/// ```
/// use handover::machine::Machine;
/// use handover::spice::source::{Config, Event, Input, Outcome, Output, Source};
/// use handover::spice::{DstInfo, Port};
/// use handover::time::Instant;
///
/// let mut source = Source::new(Config::default());
/// let dst = DstInfo::new("127.0.0.1", Port::from_wire(5901), Port::ABSENT, None).unwrap();
/// source.handle(Instant::ZERO, Input::MigrateInfo(dst))?;
/// source.handle(Instant::ZERO, Input::VmCompleted)?; // nobody is attached: it is over at once
/// let outputs: Vec<Output> = std::iter::from_fn(|| source.poll_output()).collect();
/// assert!(matches!(outputs.last(), Some(Output::Event(Event::Ended { outcome: Outcome::Completed, .. }))));
/// # Ok::<(), handover::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    config: Config,
    state: State,
    now: Instant,
    clients: Vec<entry::Client>,
    attempt: Option<Attempt>,
    deadline: Option<Instant>,
    attempts: u32,
    outbox: Outbox<Output>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Attempt {
    id: AttemptId,
    dst: DstInfo,
    /// Whether the application was told that clients are ready.
    reported: bool,
}

impl Source {
    /// A source without clients.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            state: State::Idle,
            now: Instant::ZERO,
            clients: Vec::new(),
            attempt: None,
            deadline: None,
            attempts: 0,
            outbox: Outbox::new(),
        }
    }

    /// The links of a client, its main channel's first; none if it is gone.
    #[must_use]
    pub fn links(&self, client: ClientId) -> Vec<LinkId> {
        let channels = self.clients.iter().filter(|entry| entry.id == client).flat_map(|entry| &entry.channels);
        channels.map(|channel| channel.link).collect()
    }

    /// How many clients are attached.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.clients.len()
    }
}
