//! A client with its links.

use super::EndpointError;
use crate::error::Misuse;
use crate::machine::Machine;
use crate::spice::client::{Address, Client, Command, Config, Event, Input, LinkFailure, Output, State};
use crate::spice::connection::{ClientConnection, ClientEvent};
use crate::spice::ids::LinkId;
use crate::spice::link::{PublicKey, Ticket};
use crate::time::Instant;
use alloc::collections::{BTreeMap, VecDeque};
use bytes::BytesMut;

/// What a [`ClientEndpoint`] wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientOutput {
    /// Dial `address` (its TLS port if `tls`); answer with [`ClientEndpoint::connected`] or
    /// [`ClientEndpoint::closed`].
    Dial {
        /// The number of the new link.
        link: LinkId,
        /// Where.
        address: Address,
        /// Which of the two ports.
        tls: bool,
    },
    /// Write these bytes.
    Transmit {
        /// On this link.
        link: LinkId,
        /// The bytes.
        bytes: BytesMut,
    },
    /// Encrypt the password for this key; answer with [`ClientEndpoint::ticket`].
    TicketWanted {
        /// The link.
        link: LinkId,
        /// The server's key.
        public_key: PublicKey,
    },
    /// Close the link, or stop dialling it, once everything before is written.
    Close(LinkId),
    /// Stop reading from the link. (Bytes that come all the same are kept.)
    Pause(LinkId),
    /// Read from it again.
    Resume(LinkId),
    /// Something that the application should know.
    Event(Event),
}

#[derive(Clone, Debug)]
struct Link {
    connection: ClientConnection,
    linked: bool,
    paused: bool,
}

/// A [`Client`] with a [`ClientConnection`] for each of its links.
///
/// ```
/// use handover::spice::Port;
/// use handover::spice::client::{Address, Command, Config};
/// use handover::spice::endpoint::{ClientEndpoint, ClientOutput};
/// use handover::time::Instant;
///
/// let mut client = ClientEndpoint::new(Config::default());
/// let server = Address::new("127.0.0.1", Port::from_wire(5900), Port::ABSENT, None);
/// client.command(Instant::ZERO, Command::Connect(server))?;
/// let Some(ClientOutput::Dial { link, .. }) = client.poll_output() else { panic!() };
/// client.connected(link)?;
/// let Some(ClientOutput::Transmit { bytes, .. }) = client.poll_output() else { panic!() };
/// assert!(bytes.starts_with(b"REDQ"));
/// # Ok::<(), handover::spice::endpoint::EndpointError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientEndpoint {
    config: Config,
    machine: Client,
    links: BTreeMap<LinkId, Link>,
    outputs: VecDeque<ClientOutput>,
}

impl ClientEndpoint {
    /// A client that has no session yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let machine = Client::new(config.clone());
        Self { config, machine, links: BTreeMap::new(), outputs: VecDeque::new() }
    }

    /// The machine, to look at.
    #[must_use]
    pub fn machine(&self) -> &Client {
        &self.machine
    }

    /// Where the machine stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.machine.state()
    }

    /// The next effect.
    pub fn poll_output(&mut self) -> Option<ClientOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`timeout`](Self::timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.machine.poll_timeout()
    }

    /// A wish of the application.
    ///
    /// # Errors
    /// It makes no sense now; nothing has changed.
    pub fn command(&mut self, now: Instant, command: Command) -> Result<(), EndpointError> {
        self.feed(now, Input::Command(command))
    }

    /// The transport of a link is there.
    ///
    /// # Errors
    /// There is no such link.
    pub fn connected(&mut self, link: LinkId) -> Result<(), EndpointError> {
        self.transmit(link, |connection, dst| connection.start(dst))
    }

    /// The encrypted password for a link.
    ///
    /// # Errors
    /// No ticket is wanted.
    pub fn ticket(&mut self, link: LinkId, ticket: &Ticket) -> Result<(), EndpointError> {
        self.transmit(link, |connection, dst| connection.answer_ticket(ticket, dst))
    }

    /// Bytes have come on a link. Links that are closed already are ignored.
    ///
    /// # Errors
    /// The server sent something that it may not.
    pub fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) -> Result<(), EndpointError> {
        let Some(entry) = self.links.get_mut(&link) else { return Ok(()) };
        entry.connection.receive(data);
        self.pump(now, link)
    }

    /// A link has closed or broken, or could not be dialled.
    ///
    /// # Errors
    /// None today.
    pub fn closed(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        let Some(entry) = self.links.remove(&link) else { return Ok(()) };
        let reason = LinkFailure::Transport;
        self.feed(now, if entry.linked { Input::Closed(link) } else { Input::OpenFailed { link, reason } })
    }

    /// The instant of [`poll_timeout`](Self::poll_timeout) has come.
    ///
    /// # Errors
    /// None today.
    pub fn timeout(&mut self, now: Instant) -> Result<(), EndpointError> {
        self.feed(now, Input::Timeout)
    }

    /// Takes messages off a link, one at a time, until it is paused or more bytes are needed.
    fn pump(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        while let Some(entry) = self.links.get_mut(&link).filter(|entry| !entry.paused) {
            let event = match entry.connection.next_event() {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    let linked = entry.linked;
                    self.links.remove(&link);
                    self.outputs.push_back(ClientOutput::Close(link));
                    let reason = LinkFailure::Malformed;
                    self.feed(now, if linked { Input::Closed(link) } else { Input::OpenFailed { link, reason } })?;
                    return Err(EndpointError::Decode { link, error });
                }
            };
            match event {
                ClientEvent::TicketWanted(public_key) => {
                    self.outputs.push_back(ClientOutput::TicketWanted { link, public_key });
                }
                ClientEvent::Linked { channel, .. } => {
                    entry.linked = true;
                    self.feed(now, Input::Opened { link, caps: channel })?;
                }
                ClientEvent::Refused { error, authentication } => {
                    self.links.remove(&link);
                    self.outputs.push_back(ClientOutput::Close(link));
                    let reason = if authentication { LinkFailure::Denied(error) } else { LinkFailure::Refused(error) };
                    self.feed(now, Input::OpenFailed { link, reason })?;
                }
                ClientEvent::Message(packet) => self.feed(now, Input::Message { link, packet })?,
            }
        }
        Ok(())
    }

    /// Gives the machine one input and carries out what follows.
    fn feed(&mut self, now: Instant, input: Input) -> Result<(), EndpointError> {
        let result = self.machine.handle(now, input).map_err(EndpointError::from);
        let mut resumed = VecDeque::new();
        let mut failed = Ok(());
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Open { link, channel, address, tls, connection_id, caps } => {
                    let common = self.config.common_caps;
                    let connection = ClientConnection::new(connection_id, channel, common, caps, self.config.limits);
                    self.links.insert(link, Link { connection, linked: false, paused: false });
                    self.outputs.push_back(ClientOutput::Dial { link, address, tls });
                }
                Output::Send { link, packet } => {
                    failed = failed.and(self.transmit(link, |connection, dst| connection.send(&packet, dst)));
                }
                Output::Close(link) => {
                    if self.links.remove(&link).is_some() {
                        self.outputs.push_back(ClientOutput::Close(link));
                    }
                }
                Output::Pause(link) => self.pause(link, true),
                Output::Resume(link) => {
                    self.pause(link, false);
                    resumed.push_back(link);
                }
                Output::Event(event) => self.outputs.push_back(ClientOutput::Event(event)),
            }
        }
        // What had come before the pause is in the connection's buffer, whatever one of them holds.
        resumed.into_iter().fold(result.and(failed), |first, link| first.and(self.pump(now, link)))
    }

    fn pause(&mut self, link: LinkId, paused: bool) {
        if let Some(entry) = self.links.get_mut(&link) {
            entry.paused = paused;
            self.outputs.push_back(if paused { ClientOutput::Pause(link) } else { ClientOutput::Resume(link) });
        }
    }

    /// Appends to the last output if that goes to the same link, so that a burst is one write.
    fn transmit(
        &mut self,
        link: LinkId,
        encode: impl FnOnce(&mut ClientConnection, &mut BytesMut) -> Result<(), crate::error::EncodeError>,
    ) -> Result<(), EndpointError> {
        let Some(entry) = self.links.get_mut(&link) else {
            return Err(crate::error::Error::from(Misuse::Unknown { what: "link", id: link.0 }).into());
        };
        let failed = |error| EndpointError::Encode { link, error };
        if let Some(ClientOutput::Transmit { link: last, bytes }) = self.outputs.back_mut()
            && *last == link
        {
            return encode(&mut entry.connection, bytes).map_err(failed);
        }
        let mut bytes = BytesMut::new();
        encode(&mut entry.connection, &mut bytes).map_err(failed)?;
        self.outputs.push_back(ClientOutput::Transmit { link, bytes });
        Ok(())
    }
}
