//! A server over bytes.

use super::hello;
use crate::deferral::message::{Data, Message};
use crate::deferral::server::{Config, Event, Input, Output, Server};
use crate::error::{EndpointError, Error, Limit, Misuse, to_u64};
use crate::frame::link::{Config as LinkConfig, Event as LinkEvent};
use crate::frame::{Effect, Identity, Links, Native as _};
use crate::machine::{LinkId, Machine as _};
use crate::random::SplitMix;
use crate::time::Instant;
use alloc::collections::VecDeque;
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
    links: Links,
    outputs: VecDeque<ServerOutput>,
    /// Bytes in outputs that nobody has taken.
    undrained: usize,
}

impl ServerEndpoint {
    /// A server without links. The alternates that it names are permuted by what follows from `seed`.
    #[must_use]
    pub fn new(config: ServerConfig, seed: u64) -> Self {
        Self {
            server: Server::new(config.server.clone()),
            config,
            random: SplitMix(seed),
            links: Links::default(),
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
        self.links.ids()
    }

    /// A connection was accepted. Returns the number of its link.
    pub fn accept(&mut self, now: Instant) -> LinkId {
        let link = self.links.open(self.config.link.clone(), now);
        // Nothing has come yet that could be wrong.
        _ = self.pump(now, Ok(()));
        link
    }

    /// Bytes have come. On a link that is over they are ignored.
    ///
    /// # Errors
    /// The client has sent what it may not: the link is closed. Or too much waits to be taken: nothing is read.
    pub fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) -> Result<(), EndpointError> {
        self.check_drained()?;
        let result = self.links.received(now, link, data);
        self.pump(now, result)
    }

    /// A connection has closed or broken.
    ///
    /// # Errors
    /// None today.
    pub fn closed(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        let result = self.links.closed(now, link);
        self.pump(now, result)
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
        let fed = self.feed(now, Input::Timeout);
        let links = self.links.timeout(now);
        self.pump(now, fed.and(links))
    }

    /// When to call [`timeout`](Self::timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.server.poll_timeout().into_iter().chain(self.links.poll_timeout()).min()
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

    /// Feeds the machine, and does what it wants.
    fn feed(&mut self, now: Instant, input: Input) -> Result<(), EndpointError> {
        let result = self.server.handle(now, input);
        let mut sent = Ok(());
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Send { link, message } => sent = sent.and(send(&mut self.links, link, message)),
                Output::Close(link) => self.links.close(now, link, result),
                Output::Event(event) => {
                    self.flush();
                    self.outputs.push_back(ServerOutput::Event(event));
                }
            }
        }
        self.flush();
        Ok(result?).and(sent)
    }

    fn flush(&mut self) {
        while let Some(effect) = self.links.poll_effect() {
            self.outputs.push_back(match effect {
                Effect::Transmit { link, bytes } => {
                    self.undrained = self.undrained.saturating_add(bytes.len());
                    ServerOutput::Transmit { link, bytes }
                }
                Effect::Close(link) => ServerOutput::Close(link),
            });
        }
    }

    fn pump(&mut self, now: Instant, mut result: Result<(), EndpointError>) -> Result<(), EndpointError> {
        self.flush();
        while let Some((link, event)) = self.links.poll_event() {
            let done = match event {
                LinkEvent::Ready(_) => Ok(()),
                LinkEvent::Frame(frame) => match Message::from_frame(&frame) {
                    Ok(message) => {
                        let random = self.random.next();
                        self.feed(now, Input::Message { link, message, random })
                    }
                    Err(wrong) => Err(self.links.malformed(now, link, wrong)),
                },
                LinkEvent::Closed(_) => self.feed(now, Input::Closed(link)),
            };
            result = result.and(done);
        }
        self.flush();
        result
    }
}

/// Sends a message; a piece of a result in as many as the client's limit asks for.
fn send(links: &mut Links, link: LinkId, message: Message) -> Result<(), EndpointError> {
    let most = links.settled(link).map_or(u32::MAX, |settled| settled.peer.max_body);
    match message {
        Message::Data(Data { key, bytes, extensions }) => {
            // Key and size are 22 bytes.
            let room = usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(22);
            let room = room.saturating_sub(extensions.as_bytes().len()).max(1);
            let mut rest = bytes;
            loop {
                let piece = rest.split_to(room.min(rest.len()));
                links.send(link, &Message::Data(Data { key, bytes: piece, extensions: extensions.clone() }))?;
                if rest.is_empty() {
                    return Ok(());
                }
            }
        }
        message => links.send(link, &message),
    }
}
