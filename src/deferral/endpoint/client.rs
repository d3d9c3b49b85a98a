//! A client over bytes.

use super::{close, hello, server_id};
use crate::deferral::capability::REPLAYS;
use crate::deferral::client::{Client, Config, Event, Input, Output, Peer, Task};
use crate::deferral::ids::ServerId;
use crate::deferral::message::Message;
use crate::deferral::uri::ServerUri;
use crate::error::{EndpointError, Error, Misuse};
use crate::frame::connection::{Connection, Output as LinkOutput};
use crate::frame::link::{Config as LinkConfig, Event as LinkEvent};
use crate::frame::{Frame, Identity, Native as _, Protocol, Settled};
use crate::machine::{LinkId, Machine as _};
use crate::time::Instant;
use alloc::collections::VecDeque;
use bytes::BytesMut;

/// The settings of a [`ClientEndpoint`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ClientConfig {
    /// For the walk.
    pub client: Config,
    /// For each link. Default: a hello of somebody who does not say who it is.
    pub link: LinkConfig,
    /// Whether the transport proves what servers say of themselves in their hellos. Default false: their ids are not
    /// relied on.
    pub trust_identity: bool,
}

impl Default for ClientConfig {
    fn default() -> Self {
        let link = LinkConfig::new(hello(Identity::NONE, 0));
        Self { client: Config::default(), link, trust_identity: false }
    }
}

/// What a [`ClientEndpoint`] wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "the large one is the outcome, which comes once")]
pub enum ClientOutput {
    /// Open a connection to a server; answer with [`ClientEndpoint::connected`] or [`ClientEndpoint::closed`].
    Dial {
        /// The number of the new link.
        link: LinkId,
        /// Where.
        server: ServerUri,
    },
    /// Write these bytes.
    Transmit {
        /// On this link.
        link: LinkId,
        /// What is to be written.
        bytes: BytesMut,
    },
    /// Close the link, once everything before is written, or stop dialling it.
    Close(LinkId),
    /// Something that the application should know.
    Event(Event),
}

/// A [`Client`] with its link, bytes in and bytes out.
#[derive(Clone, Debug)]
pub struct ClientEndpoint {
    config: ClientConfig,
    client: Client,
    /// The server that is asked now.
    contact: Option<(LinkId, Connection)>,
    outputs: VecDeque<ClientOutput>,
}

impl ClientEndpoint {
    /// Sets out.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn new(config: ClientConfig, task: Task, now: Instant) -> Result<Self, Misuse> {
        let client = Client::new(config.client.clone(), task, now)?;
        let mut endpoint = Self { config, client, contact: None, outputs: VecDeque::new() };
        // Nothing has come yet that could be wrong.
        _ = endpoint.pump(now, Ok(()));
        Ok(endpoint)
    }

    /// The walk, to look at.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// A connection that was asked for is there.
    ///
    /// # Errors
    /// It is there already.
    pub fn connected(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        self.on_link(now, link, |connection| connection.opened(now))
    }

    /// A connection could not be opened, has closed, or has broken.
    ///
    /// # Errors
    /// None today.
    pub fn closed(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        self.on_link(now, link, |connection| connection.closed(now))
    }

    /// Bytes have come. On a link that is over they are ignored.
    ///
    /// # Errors
    /// The server has sent what it may not: the link is closed, and the walk goes on, or has ended.
    pub fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) -> Result<(), EndpointError> {
        self.on_link(now, link, |connection| connection.received(now, data))
    }

    /// Whether the user wants to wait for a busy server.
    ///
    /// # Errors
    /// Nobody has asked.
    pub fn wait(&mut self, now: Instant, wait: bool) -> Result<(), EndpointError> {
        let result = self.feed(now, Input::Wait(wait));
        self.pump(now, result)
    }

    /// The user gives up.
    ///
    /// # Errors
    /// The walk is over, or is being given up already.
    pub fn cancel(&mut self, now: Instant) -> Result<(), EndpointError> {
        let result = self.feed(now, Input::Cancel);
        self.pump(now, result)
    }

    /// The instant of [`poll_timeout`](Self::poll_timeout) has come.
    ///
    /// # Errors
    /// None today.
    pub fn timeout(&mut self, now: Instant) -> Result<(), EndpointError> {
        let link = self.contact.as_ref().map(|(link, _)| *link);
        let result = link.map_or(Ok(()), |link| self.on_link(now, link, |connection| connection.timeout(now)));
        let fed = self.feed(now, Input::Timeout);
        self.pump(now, result.and(fed))
    }

    /// When to call [`timeout`](Self::timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let link = self.contact.as_ref().and_then(|(_, connection)| connection.poll_timeout());
        self.client.poll_timeout().into_iter().chain(link).min()
    }

    /// The next effect.
    pub fn poll_output(&mut self) -> Option<ClientOutput> {
        self.outputs.pop_front()
    }

    fn on_link(
        &mut self,
        now: Instant,
        link: LinkId,
        act: impl FnOnce(&mut Connection) -> Result<(), crate::frame::connection::ConnectionError>,
    ) -> Result<(), EndpointError> {
        let result = match &mut self.contact {
            Some((current, connection)) if *current == link => act(connection).map_err(|wrong| wrong.on(link)),
            _ => Ok(()),
        };
        self.pump(now, result)
    }

    /// Feeds the walk, and does what it wants.
    fn feed(&mut self, now: Instant, input: Input) -> Result<(), EndpointError> {
        let result = self.client.handle(now, input);
        let sent = self.carry_out(now, result);
        Ok(result?).and(sent)
    }

    fn carry_out(&mut self, now: Instant, result: Result<(), Error>) -> Result<(), EndpointError> {
        let mut sent = Ok(());
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Dial { link, server } => {
                    self.contact = Some((link, Connection::new(self.config.link.clone(), now)));
                    self.outputs.push_back(ClientOutput::Dial { link, server });
                }
                Output::Send { link, message } => {
                    if let Some((_, connection)) = self.contact.as_mut().filter(|(current, _)| *current == link) {
                        sent = sent.and(connection.send(&message).map_err(|wrong| wrong.on(link)));
                    }
                }
                Output::Close(link) => {
                    if let Some((_, connection)) = self.contact.as_mut().filter(|(current, _)| *current == link) {
                        // One that is over already has nothing more to say.
                        _ = connection.close(now, close(result));
                        // What has come and was not taken is not heard of again.
                        while self.flush().is_some() {}
                        self.contact = None;
                    }
                }
                Output::Event(event) => self.outputs.push_back(ClientOutput::Event(event)),
            }
        }
        sent
    }

    /// Takes what the link wants done, up to the next thing that the walk should know.
    fn flush(&mut self) -> Option<(LinkId, LinkEvent)> {
        let (link, connection) = self.contact.as_mut()?;
        let link = *link;
        while let Some(output) = connection.poll_output() {
            match output {
                LinkOutput::Transmit(bytes) => self.outputs.push_back(ClientOutput::Transmit { link, bytes }),
                LinkOutput::Close => self.outputs.push_back(ClientOutput::Close(link)),
                LinkOutput::Event(event) => return Some((link, event)),
            }
        }
        None
    }

    fn pump(&mut self, now: Instant, mut result: Result<(), EndpointError>) -> Result<(), EndpointError> {
        let done = self.carry_out(now, Ok(()));
        result = result.and(done);
        while let Some((link, event)) = self.flush() {
            let done = match event {
                LinkEvent::Ready(settled) => self.feed(now, Input::Opened { link, peer: self.peer(&settled) }),
                LinkEvent::Frame(frame) => self.frame(now, link, &frame),
                LinkEvent::Closed(_) => {
                    self.contact = None;
                    self.feed(now, Input::Closed(link))
                }
            };
            result = result.and(done);
        }
        result
    }

    fn frame(&mut self, now: Instant, link: LinkId, frame: &Frame) -> Result<(), EndpointError> {
        match Message::from_frame(frame) {
            Ok(message) => self.feed(now, Input::Message { link, message }),
            Err(wrong) => {
                if let Some((_, connection)) = &mut self.contact {
                    _ = connection.malformed(now, wrong);
                }
                Err(EndpointError::Decode { link, error: wrong })
            }
        }
    }

    fn peer(&self, settled: &Settled) -> Peer {
        let hello = &settled.peer;
        let id = if self.config.trust_identity { server_id(&hello.identity) } else { ServerId::UNKNOWN };
        let replays = settled.protocol(Protocol::DEFERRAL).is_some_and(|spoken| spoken.capabilities.contains(REPLAYS));
        Peer { id, memory: Some(hello.boot).filter(|boot| replays && *boot != 0), max_body: Some(hello.max_body) }
    }
}
