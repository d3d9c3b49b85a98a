//! The walk of a command from server to server, until one carries it out (spec/deferral.md 4).

mod handle;
mod table;
#[cfg(test)]
mod tests;
mod types;
mod walk;

pub use table::{Event as TableEvent, State, TABLE, step};
pub use types::{
    Config, Credentials, Event, Failure, Hosts, Input, Outcome, Output, Peer, Piece, Policy, Report, Task,
};

use super::ids::{RequestFlags, ServerId};
use super::message::{Command, RequestKey};
use super::uri::ServerUri;
use crate::error::{Limit, Misuse, to_u64};
use crate::machine::{LinkId, Outbox};
use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;

/// One command on its walk from server to server.
///
/// It asks one server at a time. Who defers it names others, which are asked next. When all are busy it asks whether to
/// wait, goes round once more with priority, which nobody who is able may defer, and waits in one line. A command that
/// one server may have carried out is never sent to another, unless that does no harm.
///
/// However servers answer, the walk ends: a server is asked at most twice for one command of the chain, once with and
/// once without priority, and once more if the link was lost and it says again how a request ended; there are at most
/// `limits.servers` of them and `limits.continuations` continuations.
///
/// ```
/// use handover::deferral::client::{Client, Config, Event, Input, Outcome, Output, Peer, Task};
/// use handover::deferral::message::{Command, CommandName, End, Message};
/// use handover::deferral::{RequestId, ServerUri};
/// use handover::frame::{Extensions, Text};
/// use handover::machine::Machine;
/// use handover::time::Instant;
///
/// let now = Instant::ZERO;
/// let server: ServerUri = "handover://db1:7999".parse()?;
/// let command = Command { name: CommandName::new("help").unwrap(), arguments: Vec::new() };
/// let mut client = Client::new(Config::default(), Task::new(RequestId([7; 16]), vec![server], command), now)?;
/// let Some(Output::Dial { link, .. }) = client.poll_output() else { panic!() };
/// client.handle(now, Input::Opened { link, peer: Peer::default() })?;
/// let Some(Output::Send { message: Message::Request(request), .. }) = client.poll_output() else { panic!() };
/// let end = End { key: request.key, status: 0, text: Text::EMPTY, extensions: Extensions::NONE };
/// client.handle(now, Input::Message { link, message: Message::End(end) })?;
/// let outcome = std::iter::from_fn(|| client.poll_output()).find_map(|output| match output {
///     Output::Event(Event::Ended(outcome)) => Some(outcome),
///     _ => None,
/// });
/// assert!(matches!(outcome, Some(Outcome::Done { status: 0, .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    config: Config,
    task: Task,
    /// What is to be done now.
    command: Command,
    /// Whether that changes nothing, and whether it may be carried out more than once.
    flags: RequestFlags,
    key: RequestKey,
    state: State,
    now: Instant,
    /// Whether it has been round the block.
    priority: bool,
    servers: Vec<Server>,
    /// Whom to ask next, by index.
    to_try: VecDeque<usize>,
    denied: Vec<ServerUri>,
    ignored: u32,
    contact: Option<Contact>,
    /// Who has had the command and may have carried it out without saying so. Somebody else was asked all the same, since
    /// it may be carried out more than once.
    unsure: Option<usize>,
    last_link: u32,
    deadline: Option<Instant>,
    outbox: Outbox<Output>,
}

/// A server that the client knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server {
    uri: ServerUri,
    /// Proved by the transport of a link to it.
    id: ServerId,
    standing: Standing,
    estimate_ms: Option<u32>,
    /// It wants to be left alone until then.
    not_before: Option<Instant>,
    referrer: Option<ServerUri>,
    receipt: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Standing {
    ToTry,
    Asked,
    Busy,
    /// It could, and says that others are better suited.
    Lazy,
    Declined,
    Dead,
    Violator,
    /// Another name of a server that has answered.
    Alias,
}

/// The server that is asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Contact {
    link: LinkId,
    server: usize,
    peer: Peer,
    /// It has had the request on a link that was lost, and was this.
    before: Option<Peer>,
    cancelling: Option<Cancelling>,
}

/// Why a CANCEL was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Cancelling {
    /// The user wants it.
    User,
    /// It takes too long.
    Impatience,
}

impl Task {
    /// A task that changes something, may be carried out once only, and has no deadline.
    #[must_use]
    pub const fn new(id: super::RequestId, servers: Vec<ServerUri>, command: Command) -> Self {
        let credentials = Credentials(Bytes::new());
        Self { id, servers, command, read_only: false, idempotent: false, deadline: None, credentials }
    }
}

impl Client {
    /// Sets out.
    ///
    /// # Errors
    /// There is no server to begin with, or there are more than the limits allow.
    pub fn new(config: Config, task: Task, now: Instant) -> Result<Self, Misuse> {
        if task.servers.is_empty() {
            return Err(Misuse::Argument { what: "servers", reason: "there must be one at least" });
        }
        let (limit, got) = (to_u64(config.limits.servers), to_u64(task.servers.len()));
        if got > limit {
            return Err(Misuse::Limit(Limit { what: "servers", limit, got }));
        }
        let mut flags = RequestFlags::empty();
        flags.set(RequestFlags::READ_ONLY, task.read_only);
        flags.set(RequestFlags::IDEMPOTENT, task.idempotent);
        let mut client = Self {
            command: task.command.clone(),
            flags,
            key: RequestKey { id: task.id, epoch: 0 },
            state: State::Pausing,
            now,
            priority: false,
            servers: Vec::new(),
            to_try: VecDeque::new(),
            denied: Vec::new(),
            ignored: 0,
            contact: None,
            unsure: None,
            last_link: 0,
            deadline: None,
            outbox: Outbox::new(),
            config,
            task,
        };
        for uri in client.task.servers.clone() {
            client.add(uri, None, Bytes::new());
        }
        client.next();
        Ok(client)
    }

    /// Which command of the chain it is, from 0.
    #[must_use]
    pub const fn epoch(&self) -> u16 {
        self.key.epoch
    }

    /// Whether it has been round the block.
    #[must_use]
    pub const fn priority(&self) -> bool {
        self.priority
    }

    /// What has become of every server so far.
    #[must_use]
    pub fn report(&self) -> Report {
        let with = |wanted: &[Standing]| {
            let those = self.servers.iter().filter(|server| wanted.contains(&server.standing));
            those.map(|server| server.uri.clone()).collect()
        };
        Report {
            declined: with(&[Standing::Declined]),
            dead: with(&[Standing::Dead]),
            violators: with(&[Standing::Violator]),
            aliases: with(&[Standing::Alias]),
            denied: self.denied.clone(),
            busy: with(&[Standing::Busy, Standing::Lazy]),
            untried: with(&[Standing::ToTry, Standing::Asked]),
            ignored: self.ignored,
        }
    }
}
