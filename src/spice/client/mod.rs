//! The client that is moved (spec/spice.md 5 and 6.3).

mod acks;
mod attempt;
mod channel;
mod handle;
mod links;
mod table;
mod types;

pub use table::{Event as TableEvent, State, TABLE, step};
pub use types::{
    Address, AttemptId, ChannelLoss, Command, Config, Disconnect, Event, Failure, Input, LinkFailure, Outcome, Output,
    Scheme, TlsPolicy,
};

use crate::machine::Outbox;
use crate::time::Instant;
use alloc::vec::Vec;
use channel::Channel;

/// A SPICE client that a server may move to another server.
///
/// It stands between the application and its links: messages that are not about migration pass through
/// both ways untouched and in order; everything else it does by itself. While it connects to a target it
/// goes on serving its source. The tickets and TLS are the driver's: [`Output::Open`] asks for a link,
/// [`Input::Opened`] or [`Input::OpenFailed`] answers when the link stage is over.
///
/// ```
/// use handover::machine::Machine;
/// use handover::spice::client::{Address, Client, Command, Config, Input, Output, State};
/// use handover::spice::Port;
/// use handover::time::Instant;
///
/// let mut client = Client::new(Config::default());
/// let server = Address::new("127.0.0.1", Port::from_wire(5900), Port::ABSENT, None);
/// client.handle(Instant::ZERO, Input::Command(Command::Connect(server)))?;
/// assert!(matches!(client.poll_output(), Some(Output::Open { connection_id: 0, .. })));
/// assert_eq!(client.state(), State::Opening);
/// # Ok::<(), handover::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    config: Config,
    state: State,
    now: Instant,
    /// The server in use; a target's address is taken over only at the switch.
    address: Option<Address>,
    /// 0 until the server's INIT tells it.
    connection_id: u32,
    /// In the order in which they were asked for; the main channel, if any, is first.
    channels: Vec<Channel>,
    attempt: Option<attempt::Attempt>,
    /// Of whatever is awaited now; `None` where waiting is normal.
    deadline: Option<Instant>,
    next_link: u32,
    attempts: u32,
    outbox: Outbox<Output>,
}

impl Client {
    /// A client that has no session yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            state: State::Offline,
            now: Instant::ZERO,
            address: None,
            connection_id: 0,
            channels: Vec::new(),
            attempt: None,
            deadline: None,
            next_link: 1,
            attempts: 0,
            outbox: Outbox::new(),
        }
    }

    /// The server in use: never a target's before the switch.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }

    /// The session's id, 0 while it is not known.
    #[must_use]
    pub fn connection_id(&self) -> u32 {
        self.connection_id
    }
}
