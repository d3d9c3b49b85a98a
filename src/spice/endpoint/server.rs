//! A server with its links: a target for clients that come, a source for clients that go.

use super::EndpointError;
use crate::error::{Error, Misuse};
use crate::limits::SpiceLimits;
use crate::machine::Machine;
use crate::spice::DstInfo;
use crate::spice::connection::{ServerConnection, ServerEvent as LinkEvent, refusal};
use crate::spice::header::Packet;
use crate::spice::ids::{Capabilities, ChannelId, ClientId, CommonCaps, LinkError, LinkId, MainCaps, MigrateFlags};
use crate::spice::link::{LinkMess, LinkReply, PublicKey, Ticket};
use crate::spice::main_channel::Init;
use crate::spice::message::ServerMessage;
use crate::spice::source::{self, Source};
use crate::spice::target::{self, Target};
use crate::time::Instant;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};

/// A server's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ServerConfig {
    /// What the server can do on every channel. Default: AUTH_SELECTION, AUTH_SPICE, MINI_HEADER.
    pub common_caps: CommonCaps,
    /// What it can do on its main channel. Default: all four capabilities.
    pub main_caps: MainCaps,
    /// For clients that go.
    pub source: source::Config,
    /// For clients that come.
    pub target: target::Config,
    /// Bounds of the links.
    pub limits: SpiceLimits,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            common_caps: CommonCaps::AUTH_SELECTION | CommonCaps::AUTH_SPICE | CommonCaps::MINI_HEADER,
            main_caps: MainCaps::SEMI_SEAMLESS_MIGRATE
                | MainCaps::NAME_AND_UUID
                | MainCaps::AGENT_CONNECTED_TOKENS
                | MainCaps::SEAMLESS_MIGRATE,
            source: source::Config::default(),
            target: target::Config::default(),
            limits: SpiceLimits::DEFAULT,
        }
    }
}

/// Wishes of the application.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerCommand {
    /// Send a message.
    Send {
        /// The link.
        link: LinkId,
        /// The message.
        packet: Packet<ServerMessage>,
    },
    /// Answers [`target::Event::InitWanted`].
    Init {
        /// The client.
        client: ClientId,
        /// INIT; its session id is replaced by the client's.
        init: Init,
    },
    /// A state that came cannot be restored: the client is closed.
    RejectData(LinkId),
    /// The virtual machine runs here now.
    VmRunning,
    /// The virtual machine is going to move there.
    MigrateInfo(DstInfo),
    /// The virtual machine runs at the destination now.
    VmCompleted,
    /// The virtual machine could not be moved.
    VmFailed,
    /// Moving the virtual machine was given up.
    VmCancelled,
    /// Answers [`source::Event::MigrateDataWanted`].
    MigrateData {
        /// The link.
        link: LinkId,
        /// The channel's state.
        data: Bytes,
    },
}

/// What the application should know. Messages always come as the source's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerEvent {
    /// About clients that come.
    Target(target::Event),
    /// About clients that go, and messages.
    Source(source::Event),
}

/// What a [`ServerEndpoint`] wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerOutput {
    /// A client opens a channel: answer with [`ServerEndpoint::reply`] or [`ServerEndpoint::refuse`].
    LinkRequested {
        /// The link.
        link: LinkId,
        /// What the client asks for.
        mess: LinkMess,
    },
    /// Decrypt and judge the ticket: answer with [`ServerEndpoint::admit`] or [`ServerEndpoint::refuse`].
    Ticket {
        /// The link.
        link: LinkId,
        /// The ticket.
        ticket: Ticket,
    },
    /// Write these bytes.
    Transmit {
        /// On this link.
        link: LinkId,
        /// The bytes.
        bytes: BytesMut,
    },
    /// Close the link once everything before is written.
    Close(LinkId),
    /// Stop reading from the link. (Bytes that come all the same are kept.)
    Pause(LinkId),
    /// Read from it again.
    Resume(LinkId),
    /// Something that the application should know.
    Event(ServerEvent),
}

#[derive(Clone, Debug)]
struct Link {
    connection: ServerConnection,
    mess: Option<LinkMess>,
    /// Whether a link reply has gone out.
    replied: bool,
    /// The client, once the target has accepted the link.
    client: Option<ClientId>,
    paused: bool,
}

/// A [`Target`] and a [`Source`] with a [`ServerConnection`] for each link. The target stands nearest to the
/// links: it decides which are accepted and when messages pass; the source stands behind it and sees what
/// has passed.
#[derive(Clone, Debug)]
pub struct ServerEndpoint {
    config: ServerConfig,
    target: Target,
    source: Source,
    links: BTreeMap<LinkId, Link>,
    outputs: VecDeque<ServerOutput>,
}

impl ServerEndpoint {
    /// A server without clients.
    #[must_use]
    pub fn new(config: ServerConfig) -> Self {
        Self {
            target: Target::new(config.target.clone()),
            source: Source::new(config.source.clone()),
            config,
            links: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// The machine for clients that go, to look at.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The machine for clients that come, to look at.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The next effect.
    pub fn poll_output(&mut self) -> Option<ServerOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`timeout`](Self::timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.target.poll_timeout().into_iter().chain(self.source.poll_timeout()).min()
    }

    /// A transport connection was accepted. `link` must never have been used before.
    pub fn accepted(&mut self, link: LinkId) {
        let connection = ServerConnection::new(self.config.limits);
        self.links.insert(link, Link { connection, mess: None, replied: false, client: None, paused: false });
    }

    /// Lets the link stage go on, with the public key for the ticket.
    ///
    /// # Errors
    /// The link did not ask.
    pub fn reply(&mut self, link: LinkId, public_key: PublicKey) -> Result<(), EndpointError> {
        let Some(mess) = self.links.get(&link).and_then(|entry| entry.mess.as_ref()) else {
            return Err(unknown(link));
        };
        let caps = if mess.channel().is_main() { self.config.main_caps.into() } else { Capabilities::default() };
        let reply = LinkReply::accept(public_key, self.config.common_caps, caps);
        self.transmit(link, |connection, dst| connection.reply(&reply, dst))?;
        self.links.entry(link).and_modify(|entry| entry.replied = true);
        Ok(())
    }

    /// The ticket is good. `session_id` is for a new session: random, not 0, not in use.
    ///
    /// # Errors
    /// The link is not that far, or `session_id` is 0.
    pub fn admit(&mut self, now: Instant, link: LinkId, session_id: u32) -> Result<(), EndpointError> {
        let Some(mess) = self.links.get(&link).and_then(|entry| entry.mess.as_ref()) else {
            return Err(unknown(link));
        };
        let (connection_id, channel, caps) = (mess.connection_id(), mess.channel(), mess.channel_caps().main());
        self.feed_target(now, target::Input::Link { link, connection_id, channel, caps, session_id })
    }

    /// Refuses a link: in the link reply, or in the link result if the reply has gone out already.
    ///
    /// # Errors
    /// The link is not in its link stage.
    pub fn refuse(&mut self, link: LinkId, error: LinkError) -> Result<(), EndpointError> {
        let replied = self.links.get(&link).is_some_and(|entry| entry.replied);
        let refused = self.transmit(link, |connection, dst| match replied {
            true => connection.finish(error, dst),
            false => connection.reply(&LinkReply::refuse(error), dst),
        });
        self.close(link);
        refused
    }

    /// Bytes have come on a link. Links that are closed already are ignored.
    ///
    /// # Errors
    /// The client sent something that it may not; it is closed.
    pub fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) -> Result<(), EndpointError> {
        let Some(entry) = self.links.get_mut(&link) else { return Ok(()) };
        entry.connection.receive(data);
        self.pump(now, link)
    }

    /// A link has closed or broken.
    ///
    /// # Errors
    /// None today.
    pub fn closed(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        match self.links.remove(&link) {
            Some(entry) if entry.client.is_some() => self.feed_target(now, target::Input::Closed(link)),
            _ => Ok(()),
        }
    }

    /// The instant of [`poll_timeout`](Self::poll_timeout) has come.
    ///
    /// # Errors
    /// None today.
    pub fn timeout(&mut self, now: Instant) -> Result<(), EndpointError> {
        self.feed_target(now, target::Input::Timeout)?;
        self.feed_source(now, source::Input::Timeout)
    }

    /// A wish of the application.
    ///
    /// # Errors
    /// It makes no sense now; nothing has changed.
    pub fn command(&mut self, now: Instant, command: ServerCommand) -> Result<(), EndpointError> {
        use source::Input as Go;
        use target::Input as Come;
        match command {
            ServerCommand::Send { link, packet } => {
                // A client that is parked is the target's business; the source would let it pass.
                let parked =
                    self.links.get(&link).and_then(|entry| entry.client).map(|id| self.target.client_state(id));
                if let Some(state @ (target::State::MigWait | target::State::Starting)) = parked {
                    return Err(Error::from(Misuse::WrongState { state: state.name(), input: "Send" }).into());
                }
                self.feed_source(now, Go::Send { link, packet })
            }
            ServerCommand::Init { client, init } => self.feed_target(now, Come::Init { client, init }),
            ServerCommand::RejectData(link) => self.feed_target(now, Come::RejectData(link)),
            ServerCommand::VmRunning => self.feed_target(now, Come::VmRunning),
            ServerCommand::MigrateInfo(dst) => self.feed_source(now, Go::MigrateInfo(dst)),
            ServerCommand::VmCompleted => self.feed_source(now, Go::VmCompleted),
            ServerCommand::VmFailed => self.feed_source(now, Go::VmFailed),
            ServerCommand::VmCancelled => self.feed_source(now, Go::VmCancelled),
            ServerCommand::MigrateData { link, data } => self.feed_source(now, Go::MigrateData { link, data }),
        }
    }

    /// Takes messages off a link, one at a time, until it is paused or more bytes are needed.
    fn pump(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        while let Some(entry) = self.links.get_mut(&link).filter(|entry| !entry.paused) {
            match entry.connection.next_event() {
                Ok(None) => break,
                Ok(Some(LinkEvent::Link(mess))) => {
                    entry.mess = Some(mess.clone());
                    self.outputs.push_back(ServerOutput::LinkRequested { link, mess });
                }
                Ok(Some(LinkEvent::Ticket(ticket))) => self.outputs.push_back(ServerOutput::Ticket { link, ticket }),
                Ok(Some(LinkEvent::UnsupportedMechanism(_))) => {
                    self.transmit(link, ServerConnection::refuse_mechanism)?;
                    self.close(link);
                }
                Ok(Some(LinkEvent::Message(packet))) => {
                    self.feed_target(now, target::Input::Message { link, packet })?;
                }
                Err(error) => {
                    let attached = entry.client.is_some();
                    if let Some(refused) = refusal(&error).filter(|_| !entry.replied) {
                        self.transmit(link, |connection, dst| connection.reply(&LinkReply::refuse(refused), dst))?;
                    }
                    self.close(link);
                    if attached {
                        self.feed_target(now, target::Input::Closed(link))?;
                    }
                    return Err(EndpointError::Decode { link, error });
                }
            }
        }
        Ok(())
    }

    /// Gives the target one input; what passes it goes to the source.
    fn feed_target(&mut self, now: Instant, input: target::Input) -> Result<(), EndpointError> {
        use target::Output;
        let mut result = self.target.handle(now, input).map_err(EndpointError::from);
        let mut resumed = Vec::new();
        while let Some(output) = self.target.poll_output() {
            let step = match output {
                Output::Accept(link) => self.transmit(link, |connection, dst| connection.finish(LinkError::OK, dst)),
                Output::Refuse { link, error } => {
                    let refused = self.transmit(link, |connection, dst| connection.finish(error, dst));
                    self.close(link);
                    refused
                }
                Output::Send { link, packet } => self.transmit(link, |connection, dst| connection.send(&packet, dst)),
                Output::Close(link) => {
                    self.close(link);
                    Ok(())
                }
                Output::Pause(link) => {
                    self.pause(link, true);
                    Ok(())
                }
                Output::Resume(link) => {
                    self.pause(link, false);
                    resumed.push(link);
                    Ok(())
                }
                Output::Event(event) => self.passed(now, event),
            };
            result = result.and(step);
        }
        // What had come before the pause is in the connection's buffer, whatever one of them holds.
        resumed.into_iter().fold(result, |first, link| first.and(self.pump(now, link)))
    }

    /// An event of the target: the application hears of it first, since the source may answer it at once.
    fn passed(&mut self, now: Instant, event: target::Event) -> Result<(), EndpointError> {
        use source::Input;
        use target::Event;
        if let Event::Message { link, packet } = event {
            return self.feed_source(now, Input::Message { link, packet });
        }
        self.outputs.push_back(ServerOutput::Event(ServerEvent::Target(event.clone())));
        match event {
            Event::Attached { client, link, caps, arriving, .. } => {
                self.links.entry(link).and_modify(|entry| entry.client = Some(client));
                self.feed_source(now, Input::Attached { client, link, caps, arriving })
            }
            Event::ChannelAttached { client, link, channel } => {
                self.links.entry(link).and_modify(|entry| entry.client = Some(client));
                let flags = MigrateFlags::for_channel(channel.ty);
                self.feed_source(now, Input::ChannelAttached { client, link, channel, flags })
            }
            Event::Settled { client, .. } => self.feed_source(now, Input::Settled(client)),
            Event::ChannelGone(link) => self.feed_source(now, Input::Closed(link)),
            Event::Gone { client, .. } => self.forget(now, client),
            _ => Ok(()),
        }
    }

    /// A client is gone: the source hears that of each of its links.
    fn forget(&mut self, now: Instant, client: ClientId) -> Result<(), EndpointError> {
        for link in self.source.links(client) {
            self.close(link);
            self.feed_source(now, source::Input::Closed(link))?;
        }
        Ok(())
    }

    /// Gives the source one input; what it sends goes through the target.
    fn feed_source(&mut self, now: Instant, input: source::Input) -> Result<(), EndpointError> {
        use source::Output;
        let mut result = self.source.handle(now, input).map_err(EndpointError::from);
        while let Some(output) = self.source.poll_output() {
            let step = match output {
                Output::Send { link, packet } => self.feed_target(now, target::Input::Send { link, packet }),
                Output::Close(link) => {
                    self.close(link);
                    self.feed_target(now, target::Input::Closed(link))
                }
                Output::Event(event) => {
                    self.outputs.push_back(ServerOutput::Event(ServerEvent::Source(event)));
                    Ok(())
                }
            };
            result = result.and(step);
        }
        result
    }

    fn close(&mut self, link: LinkId) {
        if self.links.remove(&link).is_some() {
            self.outputs.push_back(ServerOutput::Close(link));
        }
    }

    fn pause(&mut self, link: LinkId, paused: bool) {
        if let Some(entry) = self.links.get_mut(&link) {
            entry.paused = paused;
            self.outputs.push_back(if paused { ServerOutput::Pause(link) } else { ServerOutput::Resume(link) });
        }
    }

    /// Appends to the last output if that goes to the same link, so that a burst is one write.
    fn transmit(
        &mut self,
        link: LinkId,
        encode: impl FnOnce(&mut ServerConnection, &mut BytesMut) -> Result<(), crate::error::EncodeError>,
    ) -> Result<(), EndpointError> {
        let Some(entry) = self.links.get_mut(&link) else { return Err(unknown(link)) };
        let failed = |error| EndpointError::Encode { link, error };
        if let Some(ServerOutput::Transmit { link: last, bytes }) = self.outputs.back_mut()
            && *last == link
        {
            return encode(&mut entry.connection, bytes).map_err(failed);
        }
        let mut bytes = BytesMut::new();
        encode(&mut entry.connection, &mut bytes).map_err(failed)?;
        self.outputs.push_back(ServerOutput::Transmit { link, bytes });
        Ok(())
    }

    /// A client's link for a channel, if it is there.
    #[must_use]
    pub fn link_of(&self, client: ClientId, channel: ChannelId) -> Option<LinkId> {
        let is = |entry: &Link| {
            entry.client == Some(client) && entry.mess.as_ref().is_some_and(|mess| mess.channel() == channel)
        };
        self.links.iter().find(|(_, entry)| is(entry)).map(|(&link, _)| link)
    }
}

fn unknown(link: LinkId) -> EndpointError {
    Error::from(Misuse::Unknown { what: "link", id: link.0 }).into()
}
