//! A client with its links.

use super::EndpointError;
use crate::error::{EncodeError, Error, Misuse};
use crate::machine::{LinkId, Machine};
use crate::tds5::client::{Client, Command, Config, Event, Input, Output, State};
use crate::tds5::connection::ClientConnection;
use crate::tds5::ids::PacketType;
use crate::tds5::login::Login;
use crate::tds5::migration::{Address, Options};
use crate::tds5::stream::Data;
use crate::tds5::token::{Format, Language, Token};
use crate::time::Instant;
use crate::wire::{ByteOrder, Encode};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};

/// What a [`ClientEndpoint`] wants done, in this order.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientOutput {
    /// Dial `address`; answer with [`ClientEndpoint::connected`] or [`ClientEndpoint::closed`].
    Dial {
        /// The number of the new link.
        link: LinkId,
        /// Where.
        address: Address,
        /// Whether with TLS, verified against the address.
        tls: bool,
    },
    /// Write these bytes.
    Transmit {
        /// On this link.
        link: LinkId,
        /// The bytes.
        bytes: BytesMut,
    },
    /// Close the link, or stop dialling it, once everything before is written.
    Close(LinkId),
    /// Something that the application should know.
    Event(Event),
}

impl core::fmt::Debug for ClientOutput {
    /// What is written may be a password: only its length is shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Dial { link, address, tls } => write!(f, "Dial({link:?}, {address}, tls: {tls})"),
            Self::Transmit { link, bytes } => write!(f, "Transmit({link:?}, {} bytes)", bytes.len()),
            Self::Close(link) => write!(f, "Close({link:?})"),
            Self::Event(event) => f.debug_tuple("Event").field(event).finish(),
        }
    }
}

#[derive(Clone, Debug)]
struct Link {
    connection: ClientConnection,
    /// Whether the transport is there.
    opened: bool,
}

/// A [`Client`] with a [`ClientConnection`] for each of its links.
///
/// ```
/// use handover::tds5::client::Config;
/// use handover::tds5::endpoint::{ClientEndpoint, ClientOutput};
/// use handover::tds5::login::{Login, LoginRecord};
/// use handover::tds5::migration::Address;
/// use handover::time::Instant;
/// use handover::wire::ByteOrder;
///
/// let mut client = ClientEndpoint::new(Config::default(), Default::default());
/// let login = Login::new(LoginRecord::new(ByteOrder::Little).with_user(b"guest", b"secret")?, true);
/// client.connect(Instant::ZERO, Address::new("127.0.0.1", 5000).into_iter().collect(), login)?;
/// let Some(ClientOutput::Dial { link, .. }) = client.poll_output() else { panic!() };
/// client.connected(Instant::ZERO, link)?;
/// let Some(ClientOutput::Transmit { bytes, .. }) = client.poll_output() else { panic!() };
/// assert_eq!(bytes[0], 2); // a login message
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientEndpoint {
    config: Config,
    options: Options,
    machine: Client,
    order: ByteOrder,
    links: BTreeMap<LinkId, Link>,
    /// The link in use, if it was closed: what it has begun may go on at another.
    closed_home: Option<(LinkId, ClientConnection)>,
    outputs: VecDeque<ClientOutput>,
}

impl ClientEndpoint {
    /// A client that has no session yet.
    #[must_use]
    pub fn new(config: Config, options: Options) -> Self {
        Self {
            machine: Client::new(config.clone()),
            config,
            options,
            order: ByteOrder::Little,
            links: BTreeMap::new(),
            closed_home: None,
            outputs: VecDeque::new(),
        }
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

    /// The byte order of the payload: that of formats and values.
    #[must_use]
    pub fn order(&self) -> ByteOrder {
        self.order
    }

    /// The format of the values in the last [`Token::Row`] that has come on a link. Outputs may lag behind: whoever reads
    /// rows keeps the [`Token::Format`] that came out before them.
    #[must_use]
    pub fn rows_format(&self, link: LinkId) -> Option<&Format> {
        self.links.get(&link)?.connection.rows_format()
    }

    /// The format of the values in the last [`Token::Params`] that has come on a link; see
    /// [`rows_format`](Self::rows_format).
    #[must_use]
    pub fn params_format(&self, link: LinkId) -> Option<&Format> {
        self.links.get(&link)?.connection.params_format()
    }

    /// Starts the session: the first of the addresses that works.
    ///
    /// # Errors
    /// It was started already, or there is no address; nothing has changed.
    pub fn connect(&mut self, now: Instant, addresses: Vec<Address>, login: Login) -> Result<(), EndpointError> {
        self.command(now, Command::Connect { addresses, login: Box::new(login) })
    }

    /// Sends a command in the server's language, in tokens.
    ///
    /// # Errors
    /// It makes no sense now, or too many wait already; nothing has changed.
    pub fn language(&mut self, now: Instant, text: impl Into<Bytes>) -> Result<(), EndpointError> {
        self.request(now, &[Language::new(text).into()])
    }

    /// Sends a command that consists of these tokens.
    ///
    /// # Errors
    /// A token cannot be encoded, it makes no sense now, or too many wait already; nothing has changed.
    pub fn request(&mut self, now: Instant, tokens: &[Token]) -> Result<(), EndpointError> {
        let mut data = BytesMut::new();
        for token in tokens {
            let failed = |error| EndpointError::Encode { link: LinkId(0), error };
            token.in_order(self.order).encode_to(&mut data).map_err(failed)?;
        }
        let data = Data(data.freeze());
        self.command(now, Command::Request { ty: PacketType::NORMAL, data, end: true })
    }

    /// A wish of the application.
    ///
    /// # Errors
    /// It makes no sense now; nothing has changed.
    pub fn command(&mut self, now: Instant, command: Command) -> Result<(), EndpointError> {
        let order = match &command {
            Command::Connect { login, .. } => match login.record.order() {
                Ok(order) => order,
                Err(_) => {
                    let misuse = Misuse::Argument { what: "login", reason: "its byte orders are not one" };
                    return Err(Error::from(misuse).into());
                }
            },
            _ => self.order,
        };
        self.feed(now, Input::Command(command))?;
        self.order = order;
        Ok(())
    }

    /// The transport of a link is there.
    ///
    /// # Errors
    /// There is no such link, or the login cannot be put on the wire.
    pub fn connected(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        let Some(entry) = self.links.get_mut(&link) else { return Ok(()) };
        entry.opened = true;
        self.feed(now, Input::Opened(link))
    }

    /// Bytes have come on a link. Links that are closed already are ignored.
    ///
    /// # Errors
    /// The server sent something that it may not.
    pub fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) -> Result<(), EndpointError> {
        let Some(entry) = self.links.get_mut(&link) else { return Ok(()) };
        entry.connection.receive(data);
        while let Some(entry) = self.links.get_mut(&link) {
            let item = match entry.connection.next_item() {
                Ok(Some(item)) => item,
                Ok(None) => break,
                Err(error) => {
                    self.outputs.push_back(ClientOutput::Close(link));
                    self.closed(now, link)?;
                    return Err(EndpointError::Decode { link, error });
                }
            };
            self.feed(now, Input::Item { link, item })?;
        }
        Ok(())
    }

    /// A link has closed or broken, or could not be dialled.
    ///
    /// # Errors
    /// None today.
    pub fn closed(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        let Some(entry) = self.forget(link) else { return Ok(()) };
        self.feed(now, if entry { Input::Closed(link) } else { Input::OpenFailed(link) })
    }

    /// The instant of [`poll_timeout`](Self::poll_timeout) has come.
    ///
    /// # Errors
    /// None today.
    pub fn timeout(&mut self, now: Instant) -> Result<(), EndpointError> {
        self.feed(now, Input::Timeout)
    }

    /// Takes a link out; whether its transport was there.
    fn forget(&mut self, link: LinkId) -> Option<bool> {
        let entry = self.links.remove(&link)?;
        // Not one that was tried in vain meanwhile.
        if self.machine.link() == Some(link) {
            self.closed_home = Some((link, entry.connection));
        }
        Some(entry.opened)
    }

    /// Gives the machine one input and carries out what follows.
    fn feed(&mut self, now: Instant, input: Input) -> Result<(), EndpointError> {
        let result = self.machine.handle(now, input).map_err(EndpointError::from);
        let mut failed = Ok(());
        while let Some(output) = self.machine.poll_output() {
            let done = match output {
                Output::Dial { link, address, tls } => {
                    let connection = ClientConnection::new(self.config.limits, self.options);
                    self.links.insert(link, Link { connection, opened: false });
                    self.outputs.push_back(ClientOutput::Dial { link, address, tls });
                    Ok(())
                }
                Output::Login { link, login } => self.transmit(link, |connection, dst| connection.login(&login, dst)),
                Output::SessionIdReceived(link) => self.transmit(link, ClientConnection::session_id_received),
                Output::Send { link, ty, data, end } => self.transmit(link, |connection, dst| {
                    connection.data(ty, &data.0, dst)?;
                    if end {
                        connection.end(dst);
                    }
                    Ok(())
                }),
                Output::Migration { link, migration } => {
                    self.transmit(link, |connection, dst| connection.migration(&migration, dst))
                }
                Output::Attention(link) => self.transmit(link, ClientConnection::attention),
                Output::Logout(link) => self.transmit(link, ClientConnection::logout),
                Output::Switch { from, to } => {
                    self.inherit(from, to);
                    Ok(())
                }
                Output::Close(link) => {
                    if self.forget(link).is_some() {
                        self.outputs.push_back(ClientOutput::Close(link));
                    }
                    Ok(())
                }
                Output::Event(event) => {
                    self.outputs.push_back(ClientOutput::Event(event));
                    Ok(())
                }
            };
            failed = failed.and(done);
        }
        result.and(failed)
    }

    /// The new link goes on with what the old one has begun.
    fn inherit(&mut self, from: LinkId, to: LinkId) {
        let closed = self.closed_home.take().filter(|(link, _)| *link == from).map(|(_, connection)| connection);
        let old = self.links.get(&from).map(|entry| entry.connection.clone()).or(closed);
        if let (Some(old), Some(new)) = (old, self.links.get_mut(&to)) {
            new.connection.inherit_formats(&old);
        }
    }

    /// Appends to the last output if that goes to the same link, so that a burst is one write.
    fn transmit(
        &mut self,
        link: LinkId,
        encode: impl FnOnce(&mut ClientConnection, &mut BytesMut) -> Result<(), EncodeError>,
    ) -> Result<(), EndpointError> {
        let Some(entry) = self.links.get_mut(&link) else {
            return Err(Error::from(Misuse::Unknown { what: "link", id: link.0 }).into());
        };
        let failed = |error| EndpointError::Encode { link, error };
        if let Some(ClientOutput::Transmit { link: last, bytes }) = self.outputs.back_mut()
            && *last == link
        {
            return encode(&mut entry.connection, bytes).map_err(failed);
        }
        let mut bytes = BytesMut::new();
        encode(&mut entry.connection, &mut bytes).map_err(failed)?;
        if !bytes.is_empty() {
            self.outputs.push_back(ClientOutput::Transmit { link, bytes });
        }
        Ok(())
    }
}
