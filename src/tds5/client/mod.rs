//! The client that is moved (spec/tds5.md 4, 5 and 6.3).

mod arrival;
mod attempt;
mod config;
mod handle;
mod notice;
mod request;
mod session;
mod table;
#[cfg(test)]
mod tests;
mod types;

pub use config::{Config, SafePoint, Trust};
pub use table::{Event as TableEvent, State, TABLE, step};
pub use types::{Command, Disconnect, Event, Failure, Input, Outcome, Output, RequestId};

use super::ids::PacketType;
use super::login::Login;
use super::migration::Address;
use super::secret::SessionId;
use crate::hold::Held;
use crate::machine::{LinkId, Outbox};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use arrival::Arrival;
use attempt::{Attempt, Reply};
use request::{Current, Piece};
use session::Home;

/// A client of a TDS 5.0 server that the server may move to another one.
///
/// It stands between the application and its links: commands go out one at a time and what comes back passes through
/// untouched and in order; everything that a migration takes it does by itself. A client lives for one session.
///
/// ```
/// use handover::limits::Tds5Limits;
/// use handover::machine::Machine;
/// use handover::tds5::client::{Client, Command, Config, Input, Output, State};
/// use handover::tds5::login::{Login, LoginRecord};
/// use handover::tds5::migration::Address;
/// use handover::time::Instant;
/// use handover::wire::ByteOrder;
///
/// let mut client = Client::new(Config::default());
/// let addresses = Address::parse(b"127.0.0.1:5001").into_iter().collect();
/// let record = LoginRecord::new(ByteOrder::Little).with_user(b"guest", b"secret")?;
/// let login = Box::new(Login::new(record, true));
/// client.handle(Instant::ZERO, Input::Command(Command::Connect { addresses, login }))?;
/// let Some(Output::Dial { link, .. }) = client.poll_output() else { panic!() };
/// client.handle(Instant::ZERO, Input::Opened(link))?;
/// assert!(matches!(client.poll_output(), Some(Output::Login { .. })));
/// assert_eq!(client.state(), State::LoggingIn);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    config: Config,
    state: State,
    now: Instant,
    /// The application's, with the capability to migrate as the configuration says.
    login: Option<Box<Login>>,
    /// The addresses that the application has named.
    known: Vec<Address>,
    /// Of the server in use.
    address: Option<Address>,
    /// Whether the server in use can migrate us, if a session id comes.
    granted: bool,
    /// The last one of an acknowledged login.
    session_id: Option<SessionId>,
    /// The link in use.
    home: Option<Home>,
    /// The link that is to be used next.
    arrival: Option<Arrival>,
    /// The addresses that come behind the one that is being tried.
    ahead: VecDeque<Address>,
    /// How many times this login was sent elsewhere.
    redirects: u8,
    /// The attempt that no terminal event was told of.
    attempt: Option<Attempt>,
    /// What the requests to migrate are still to be answered with, in order.
    owed: Vec<Reply>,
    /// The command that is being sent, or waits for its results.
    current: Option<Current>,
    queue: Held<Piece>,
    /// Of the newest command, while its end is to come.
    composing: Option<PacketType>,
    /// How many commands were taken from the application, and how many of them were begun to be sent.
    accepted: u32,
    begun: u32,
    deadline: Option<Instant>,
    next_link: u32,
    attempts: u32,
    outbox: Outbox<Output>,
}

impl Client {
    /// A client that is not connected.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            state: State::New,
            now: Instant::ZERO,
            login: None,
            known: Vec::new(),
            address: None,
            granted: false,
            session_id: None,
            home: None,
            arrival: None,
            ahead: VecDeque::new(),
            redirects: 0,
            attempt: None,
            owed: Vec::new(),
            current: None,
            queue: Held::new(),
            composing: None,
            accepted: 0,
            begun: 0,
            deadline: None,
            next_link: 1,
            attempts: 0,
            outbox: Outbox::new(),
        }
    }

    /// The server in use: never a new one's before the login there is done.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }

    /// The link to the server in use. While the session moves it may be closed already.
    #[must_use]
    pub fn link(&self) -> Option<LinkId> {
        self.home.as_ref().map(|home| home.link)
    }

    /// The session id that a migration would show to the new server.
    #[must_use]
    #[doc(alias = "CS_SESSIONID")]
    pub fn session_id(&self) -> Option<SessionId> {
        self.session_id
    }

    /// Whether the server in use can migrate this client: both want it, and a session id has come.
    #[must_use]
    pub fn is_migratable(&self) -> bool {
        let asked = self.login.as_ref().is_some_and(|login| login.migratable());
        asked && self.granted && self.session_id.is_some()
    }

    /// The newest command: the one of the last [`Command::Request`].
    #[must_use]
    pub fn last_request(&self) -> Option<RequestId> {
        (self.accepted > 0).then_some(RequestId(self.accepted))
    }

    /// The command that is being sent, or waits for its results.
    #[must_use]
    pub fn current_request(&self) -> Option<RequestId> {
        self.current.as_ref().map(|current| current.id)
    }
}
