//! A server over bytes.

use super::{close, error, hello};
use crate::deferral::message::{Data, Message};
use crate::deferral::server::{Config, Event, Input, Output, Server};
use crate::error::{EndpointError, Error, Limit, Misuse, to_u64};
use crate::frame::connection::{Connection, ConnectionError, Output as LinkOutput};
use crate::frame::link::{Config as LinkConfig, Event as LinkEvent};
use crate::frame::{Frame, Identity, Native as _};
use crate::machine::{LinkId, Machine as _};
use crate::random::SplitMix;
use crate::time::Instant;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use bytes::{Bytes, BytesMut};

/// The settings of a [`ServerEndpoint`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ServerConfig {
    /// For admission.
    pub server: Config,
    /// For each link.
    pub link: LinkConfig,
}

impl ServerConfig {
    /// A server whose hello says its id. `boot` grows with every start, since its memory of ended requests does not
    /// outlive it; 0: it does not say, and nobody asks it again.
    #[must_use]
    pub fn new(server: Config, boot: u32) -> Self {
        let id = if server.id.is_known() { Bytes::copy_from_slice(&server.id.0) } else { Bytes::new() };
        let identity = Identity::new(id).unwrap_or_default();
        Self { server, link: LinkConfig::new(hello(identity, boot)) }
    }
}

/// What a [`ServerEndpoint`] wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerOutput {
    /// Write these bytes.
    Transmit {
        /// On this link.
        link: LinkId,
        /// What is to be written.
        bytes: BytesMut,
    },
    /// Close the link, once everything before is written.
    Close(LinkId),
    /// Something that the application should know.
    Event(Event),
}

/// A [`Server`] with its links, bytes in and bytes out.
///
/// ```
/// use handover::deferral::client::{Event as ClientEvent, Outcome, Task};
/// use handover::deferral::endpoint::{ClientConfig, ClientEndpoint, ClientOutput};
/// use handover::deferral::endpoint::{ServerConfig, ServerEndpoint, ServerOutput};
/// use handover::deferral::message::{Command, CommandName};
/// use handover::deferral::server::{Config, Event, Input};
/// use handover::deferral::RequestId;
/// use handover::frame::Text;
/// use handover::time::Instant;
///
/// let now = Instant::ZERO;
/// let mut server = ServerEndpoint::new(ServerConfig::new(Config::default(), 1), 4);
/// let command = Command { name: CommandName::new("help").unwrap(), arguments: Vec::new() };
/// let task = Task::new(RequestId([7; 16]), vec!["handover://db1:7999".parse()?], command);
/// let mut client = ClientEndpoint::new(ClientConfig::default(), task, now)?;
/// let Some(ClientOutput::Dial { link, .. }) = client.poll_output() else { panic!() };
/// let accepted = server.accept(now);
/// client.connected(now, link)?;
/// let outcome = 'outcome: loop {
///     while let Some(output) = client.poll_output() {
///         match output {
///             ClientOutput::Transmit { bytes, .. } => server.received(now, accepted, &bytes)?,
///             ClientOutput::Event(ClientEvent::Ended(outcome)) => break 'outcome outcome,
///             _ => {}
///         }
///     }
///     while let Some(output) = server.poll_output() {
///         match output {
///             ServerOutput::Transmit { bytes, .. } => client.received(now, link, &bytes)?,
///             ServerOutput::Event(Event::Execute(job)) => {
///                 server.command(now, Input::End { job: job.id, status: 0, text: Text::EMPTY })?;
///             }
///             _ => {}
///         }
///     }
/// };
/// assert!(matches!(outcome, Outcome::Done { status: 0, .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ServerEndpoint {
    config: ServerConfig,
    server: Server,
    random: SplitMix,
    links: BTreeMap<LinkId, Link>,
    last_link: u32,
    deadlines: BTreeSet<(Instant, LinkId)>,
    /// What the machine has still to hear of its links.
    events: VecDeque<(LinkId, LinkEvent)>,
    outputs: VecDeque<ServerOutput>,
    /// Bytes in outputs that nobody has taken.
    undrained: usize,
}

#[derive(Clone, Debug)]
struct Link {
    connection: Connection,
    deadline: Option<Instant>,
}

impl ServerEndpoint {
    /// A server without links. The alternates that it names are permuted by what follows from `seed`.
    #[must_use]
    pub fn new(config: ServerConfig, seed: u64) -> Self {
        Self {
            server: Server::new(config.server.clone()),
            config,
            random: SplitMix(seed),
            links: BTreeMap::new(),
            last_link: 0,
            deadlines: BTreeSet::new(),
            events: VecDeque::new(),
            outputs: VecDeque::new(),
            undrained: 0,
        }
    }

    /// The machine, to look at.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// The links that there are.
    pub fn links(&self) -> impl Iterator<Item = LinkId> {
        self.links.keys().copied()
    }

    /// A connection was accepted. Returns the number of its link.
    pub fn accept(&mut self, now: Instant) -> LinkId {
        loop {
            self.last_link = self.last_link.wrapping_add(1);
            if !self.links.contains_key(&LinkId(self.last_link)) {
                break;
            }
        }
        let link = LinkId(self.last_link);
        let mut connection = Connection::new(self.config.link.clone(), now);
        // A hello that cannot be said is never heard: the client will give up.
        _ = connection.opened(now);
        self.links.insert(link, Link { connection, deadline: None });
        // Nothing has come yet that could be wrong.
        _ = self.pump(now, link, Ok(()));
        link
    }

    /// Bytes have come. On a link that is over they are ignored.
    ///
    /// # Errors
    /// The client has sent what it may not: the link is closed. Or too much waits to be taken: nothing is read.
    pub fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) -> Result<(), EndpointError> {
        self.check_drained()?;
        let result = self.on_link(link, |connection| connection.received(now, data));
        self.pump(now, link, result)
    }

    /// A connection has closed or broken.
    ///
    /// # Errors
    /// None today.
    pub fn closed(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        let result = self.on_link(link, |connection| connection.closed(now));
        self.pump(now, link, result)
    }

    /// What the application has to say of a job, or wants: any input that is not a message, the end of a link, or a
    /// timeout. A piece of a result that is larger than the client takes is cut.
    ///
    /// # Errors
    /// It makes no sense now, or too much waits to be taken; nothing has changed.
    pub fn command(&mut self, now: Instant, command: Input) -> Result<(), EndpointError> {
        if matches!(command, Input::Message { .. } | Input::Closed(_) | Input::Timeout) {
            let wrong = Misuse::Argument { what: "command", reason: "comes from a link" };
            return Err(Error::from(wrong).into());
        }
        self.check_drained()?;
        self.feed(now, command)
    }

    /// The instant of [`poll_timeout`](Self::poll_timeout) has come.
    ///
    /// # Errors
    /// None today.
    pub fn timeout(&mut self, now: Instant) -> Result<(), EndpointError> {
        let mut result = self.feed(now, Input::Timeout);
        while let Some(&(at, link)) = self.deadlines.first() {
            if at > now {
                break;
            }
            let done = self.on_link(link, |connection| connection.timeout(now));
            self.deadlines.remove(&(at, link));
            result = result.and(self.pump(now, link, done));
        }
        result
    }

    /// When to call [`timeout`](Self::timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let link = self.deadlines.first().map(|(at, _)| *at);
        self.server.poll_timeout().into_iter().chain(link).min()
    }

    /// The next effect.
    pub fn poll_output(&mut self) -> Option<ServerOutput> {
        let output = self.outputs.pop_front();
        if let Some(ServerOutput::Transmit { bytes, .. }) = &output {
            self.undrained = self.undrained.saturating_sub(bytes.len());
        }
        output
    }

    fn check_drained(&self) -> Result<(), EndpointError> {
        let limits = &self.config.server.limits;
        let full = |what, limit, got| Err(Error::from(Misuse::Limit(Limit { what, limit, got })).into());
        if self.outputs.len() >= limits.outputs {
            return full("outputs", to_u64(limits.outputs), to_u64(self.outputs.len()));
        }
        if self.undrained > limits.undrained {
            return full("undrained", to_u64(limits.undrained), to_u64(self.undrained));
        }
        Ok(())
    }

    fn on_link(
        &mut self,
        link: LinkId,
        act: impl FnOnce(&mut Connection) -> Result<(), ConnectionError>,
    ) -> Result<(), EndpointError> {
        self.links.get_mut(&link).map_or(Ok(()), |found| act(&mut found.connection).map_err(|wrong| error(link, wrong)))
    }

    /// Feeds the machine, and does what it wants.
    fn feed(&mut self, now: Instant, input: Input) -> Result<(), EndpointError> {
        let result = self.server.handle(now, input);
        let mut sent = Ok(());
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Send { link, message } => {
                    let done = self.on_link(link, |connection| send(connection, message));
                    self.take(link);
                    sent = sent.and(done);
                }
                Output::Close(link) => {
                    // One that is over already has nothing more to say.
                    _ = self.on_link(link, |connection| connection.close(now, close(result)));
                    self.take(link);
                    self.forget(link);
                }
                Output::Event(event) => self.outputs.push_back(ServerOutput::Event(event)),
            }
        }
        Ok(result?).and(sent)
    }

    /// Takes what a link wants done.
    fn take(&mut self, link: LinkId) {
        let Some(found) = self.links.get_mut(&link) else { return };
        while let Some(output) = found.connection.poll_output() {
            match output {
                LinkOutput::Transmit(bytes) => {
                    self.undrained = self.undrained.saturating_add(bytes.len());
                    self.outputs.push_back(ServerOutput::Transmit { link, bytes });
                }
                LinkOutput::Close => self.outputs.push_back(ServerOutput::Close(link)),
                LinkOutput::Event(event) => self.events.push_back((link, event)),
            }
        }
    }

    fn pump(&mut self, now: Instant, link: LinkId, mut result: Result<(), EndpointError>) -> Result<(), EndpointError> {
        self.take(link);
        while let Some((link, event)) = self.events.pop_front() {
            let done = match event {
                LinkEvent::Ready(_) => Ok(()),
                LinkEvent::Frame(frame) => self.frame(now, link, &frame),
                LinkEvent::Closed(_) => {
                    self.forget(link);
                    self.feed(now, Input::Closed(link))
                }
            };
            result = result.and(done);
        }
        self.note_deadline(link);
        result
    }

    fn frame(&mut self, now: Instant, link: LinkId, frame: &Frame) -> Result<(), EndpointError> {
        match Message::from_frame(frame) {
            Ok(message) => {
                let random = self.random.next();
                self.feed(now, Input::Message { link, message, random })
            }
            Err(wrong) => {
                _ = self.on_link(link, |connection| connection.malformed(now, wrong));
                self.take(link);
                Err(EndpointError::Decode { link, error: wrong })
            }
        }
    }

    fn note_deadline(&mut self, link: LinkId) {
        let Some(found) = self.links.get_mut(&link) else { return };
        let deadline = found.connection.poll_timeout();
        if let Some(before) = core::mem::replace(&mut found.deadline, deadline) {
            self.deadlines.remove(&(before, link));
        }
        if let Some(at) = deadline {
            self.deadlines.insert((at, link));
        }
    }

    /// The link is not heard of any more.
    fn forget(&mut self, link: LinkId) {
        self.events.retain(|(of, _)| *of != link);
        if let Some(Link { deadline: Some(at), .. }) = self.links.remove(&link) {
            self.deadlines.remove(&(at, link));
        }
    }
}

/// Sends a message; a piece of a result in as many as the client's limit asks for.
fn send(connection: &mut Connection, message: Message) -> Result<(), ConnectionError> {
    let most = connection.settled().map_or(u32::MAX, |settled| settled.peer.max_body);
    match message {
        Message::Data(Data { key, bytes, extensions }) => {
            // Key and size are 22 bytes.
            let room = usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(22);
            let room = room.saturating_sub(extensions.as_bytes().len()).max(1);
            let mut rest = bytes;
            loop {
                let piece = rest.split_to(room.min(rest.len()));
                connection.send(&Message::Data(Data { key, bytes: piece, extensions: extensions.clone() }))?;
                if rest.is_empty() {
                    return Ok(());
                }
            }
        }
        message => connection.send(&message),
    }
}
