//! A site: its links, its channels and its dispatcher, bytes in and bytes out (spec/repmgr.md 6.4).

mod pump;
#[cfg(test)]
mod tests;
mod types;

pub use crate::error::EndpointError;
pub use types::{ChannelId, LinkEvent, SiteCommand, SiteConfig, SiteEvent, SiteOutput};

use super::channel::{self, Channel, Master, State as ChannelState, To};
use super::connection::{self, Connection};
use super::dispatcher::{self, Dispatcher, Handle};
use super::message::AppMessage;
use super::stream::{MessageStream, Side};
use crate::error::{Error, Limit, Misuse, to_u64};
use crate::machine::{LinkId, Machine};
use crate::time::Instant;
use crate::wire::Framer;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

/// A [`Connection`] for each link, a [`Channel`] for each channel that is open, and one [`Dispatcher`].
///
/// ```
/// use handover::repmgr::channel::{Event, RequestId, Response, To};
/// use handover::repmgr::dispatcher;
/// use handover::repmgr::endpoint::{ChannelId, SiteCommand, SiteConfig, SiteEndpoint, SiteEvent, SiteOutput};
/// use handover::repmgr::{Segments, SiteAddress};
/// use handover::time::Instant;
///
/// let now = Instant::ZERO;
/// let (mut here, mut there) = (SiteEndpoint::new(SiteConfig::default()), SiteEndpoint::new(SiteConfig::default()));
/// let channel = ChannelId(1);
/// here.command(now, SiteCommand::OpenChannel { channel, to: To::Site(SiteAddress::new("there", 5000).unwrap()) })?;
/// let (id, segments) = (RequestId(1), Segments::one("balance?"));
/// here.command(now, SiteCommand::Request { channel, id, segments, options: Default::default() })?;
/// let Some(SiteOutput::Dial { link, .. }) = here.poll_output() else { panic!() };
/// let accepted = there.accept(now);
/// here.connected(now, link)?;
/// let answer = 'answer: loop {
///     while let Some(output) = here.poll_output() {
///         match output {
///             SiteOutput::Transmit { bytes, .. } => there.received(now, accepted, &bytes)?,
///             SiteOutput::Event(SiteEvent::Channel { event: Event::Completed { result, .. }, .. }) => break 'answer result,
///             _ => {}
///         }
///     }
///     while let Some(output) = there.poll_output() {
///         match output {
///             SiteOutput::Transmit { bytes, .. } => here.received(now, link, &bytes)?,
///             SiteOutput::Event(SiteEvent::Dispatch(dispatcher::Event::Request { handle, .. })) => {
///                 there.command(now, SiteCommand::Answer { handle, segments: Segments::one("12") })?;
///                 there.command(now, SiteCommand::Finish(handle))?;
///             }
///             _ => {}
///         }
///     }
/// };
/// assert!(matches!(answer, Ok(Response::Single(payload)) if payload.0 == "12"));
/// # Ok::<(), handover::repmgr::endpoint::EndpointError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SiteEndpoint {
    config: SiteConfig,
    master: Option<Master>,
    dispatcher: Dispatcher,
    links: BTreeMap<LinkId, Link>,
    last_link: u32,
    channels: BTreeMap<ChannelId, Slot>,
    locals: BTreeMap<LinkId, Local>,
    deadlines: BTreeSet<(Instant, Who)>,
    /// Which machines may have outputs.
    dirty: VecDeque<Who>,
    /// Which links may have messages that can be taken.
    reading: VecDeque<LinkId>,
    outputs: VecDeque<SiteOutput>,
    /// Bytes in outputs that nobody has taken.
    undrained: usize,
}

/// One of the machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Dispatcher,
    Link(LinkId),
    Channel(ChannelId),
}

#[derive(Clone, Debug)]
struct Link {
    connection: Connection,
    incoming: Framer<MessageStream>,
    /// The channel that has dialled it, and its number there.
    channel: Option<(ChannelId, LinkId)>,
    deadline: Option<Instant>,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

#[derive(Clone, Debug)]
struct Slot {
    channel: Channel,
    /// Its links, by its own numbers.
    links: BTreeMap<LinkId, LinkId>,
    /// Those that are over, until the channel has said what it has to say of them.
    gone: BTreeMap<LinkId, LinkId>,
    /// Stands for the way to this site itself.
    local: LinkId,
    deadline: Option<Instant>,
}

impl Slot {
    /// The link is not this channel's any more.
    fn give_up(&mut self, number: LinkId) -> Option<LinkId> {
        let link = self.links.remove(&number)?;
        self.gone.insert(number, link);
        Some(link)
    }
}

/// The way from a channel to this site itself.
#[derive(Clone, Debug)]
struct Local {
    channel: ChannelId,
    /// What the dispatcher could not take yet.
    waiting: VecDeque<AppMessage>,
    /// Whether the channel is closed.
    closing: bool,
}

impl SiteEndpoint {
    /// A site without links and channels, which knows no master.
    #[must_use]
    pub fn new(config: SiteConfig) -> Self {
        Self {
            dispatcher: Dispatcher::new(config.dispatcher.clone()),
            config,
            master: None,
            links: BTreeMap::new(),
            last_link: 0,
            channels: BTreeMap::new(),
            locals: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            dirty: VecDeque::new(),
            reading: VecDeque::new(),
            outputs: VecDeque::new(),
            undrained: 0,
        }
    }

    /// The next effect.
    pub fn poll_output(&mut self) -> Option<SiteOutput> {
        let output = self.outputs.pop_front();
        if let Some(SiteOutput::Transmit { bytes, .. }) = &output {
            self.undrained = self.undrained.saturating_sub(bytes.len());
        }
        output
    }

    /// When to call [`timeout`](Self::timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// A channel, to look at; `None` if there is none of that number.
    #[must_use]
    pub fn channel(&self, channel: ChannelId) -> Option<&Channel> {
        self.channels.get(&channel).map(|slot| &slot.channel)
    }

    /// The dispatcher, to look at.
    #[must_use]
    pub const fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// The links that there are.
    pub fn links(&self) -> impl Iterator<Item = LinkId> {
        self.links.keys().copied()
    }

    /// Whether a link in an event of the dispatcher is the way from one of this site's own channels.
    #[must_use]
    pub fn is_local(&self, link: LinkId) -> bool {
        self.locals.contains_key(&link)
    }

    /// A connection was accepted. Returns the number of its link.
    pub fn accept(&mut self, now: Instant) -> LinkId {
        let link = self.next_link();
        let connection = Connection::accept(self.config.connection.clone(), now);
        self.add_link(link, connection, Side::Dialler, None);
        link
    }

    /// A transport that was asked for is there.
    ///
    /// # Errors
    /// It is there already.
    pub fn connected(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        let result = self.feed_link(now, link, connection::Input::Opened);
        self.pump(now, result)
    }

    /// A transport could not be opened, has closed, or has broken. What has come on it and was not taken is lost: the end
    /// of a link that is paused is to be read, like all before it, when it is resumed.
    ///
    /// # Errors
    /// None today.
    pub fn closed(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        let result = self.feed_link(now, link, connection::Input::Closed);
        self.pump(now, result)
    }

    /// Bytes have come on a link. On one that is over they are ignored.
    ///
    /// # Errors
    /// The peer has sent what it may not. The link is closed.
    pub fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) -> Result<(), EndpointError> {
        if let Some(found) = self.links.get_mut(&link) {
            found.incoming.push(data);
            self.reading.push_back(link);
        }
        self.pump(now, Ok(()))
    }

    /// What is written on a link now would have to wait: bytes of which there are many have not been written.
    ///
    /// # Errors
    /// None today.
    pub fn congested(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        self.flow(now, link, dispatcher::Input::Congested(link), channel::Input::Congested)
    }

    /// A link can be written to again.
    ///
    /// # Errors
    /// None today.
    pub fn drained(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        self.flow(now, link, dispatcher::Input::Drained(link), channel::Input::Drained)
    }

    /// The instant of [`poll_timeout`](Self::poll_timeout) has come.
    ///
    /// # Errors
    /// None today.
    pub fn timeout(&mut self, now: Instant) -> Result<(), EndpointError> {
        let due: VecDeque<Who> = self.deadlines.iter().take_while(|(at, _)| *at <= now).map(|(_, who)| *who).collect();
        let mut result = Ok(());
        for who in due {
            let done = match who {
                Who::Dispatcher => Ok(()),
                Who::Link(link) => self.feed_link(now, link, connection::Input::Timeout),
                Who::Channel(channel) => self.feed_channel(now, channel, channel::Input::Timeout),
            };
            // A link and its channel may be due together: the one is to hear of the other before its own turn.
            result = self.pump(now, result.and(done));
        }
        result
    }

    /// A wish of the application.
    ///
    /// # Errors
    /// It makes no sense now, or cannot be accepted now; nothing has changed. Nothing is accepted to be sent while more
    /// waits in the outputs than a channel may hold: they are to be drained first.
    pub fn command(&mut self, now: Instant, command: SiteCommand) -> Result<(), EndpointError> {
        if let SiteCommand::Send { .. }
        | SiteCommand::Request { .. }
        | SiteCommand::Answer { .. }
        | SiteCommand::Reply { .. } = command
        {
            self.check_drained()?;
        }
        let result = match command {
            SiteCommand::OpenChannel { channel, to } => self.open(now, channel, to),
            SiteCommand::Connect(channel) => self.on_channel(now, channel, channel::Input::Connect),
            SiteCommand::Send { channel, id, segments } => {
                self.on_channel(now, channel, channel::Input::Send { id, segments })
            }
            SiteCommand::Request { channel, id, segments, options } => {
                self.on_channel(now, channel, channel::Input::Request { id, segments, options })
            }
            SiteCommand::CloseChannel(channel) => self.on_channel(now, channel, channel::Input::Close),
            SiteCommand::CloseChannelNow(channel) => self.on_channel(now, channel, channel::Input::CloseNow),
            SiteCommand::Master(master) => self.set_master(now, master),
            SiteCommand::Serve(serve) => self.dispatch(now, dispatcher::Input::Serve(serve)),
            SiteCommand::Answer { handle, segments } => {
                self.dispatch(now, dispatcher::Input::Answer { handle, segments })
            }
            SiteCommand::Reply { handle, segments } => self
                .check_reply(handle)
                .and_then(|()| self.dispatch(now, dispatcher::Input::Reply { handle, segments })),
            SiteCommand::Finish(handle) => self.dispatch(now, dispatcher::Input::Finish(handle)),
            SiteCommand::AnswerMembership { link, answer } => {
                self.on_accepted(now, link, connection::Input::AnswerMembership(answer))
            }
            SiteCommand::Disconnect(link) => self.on_accepted(now, link, connection::Input::Disconnect),
        };
        self.pump_for(now, result)
    }

    fn open(&mut self, now: Instant, id: ChannelId, to: To) -> Result<(), EndpointError> {
        if self.channels.contains_key(&id) {
            return Err(Error::from(Misuse::Duplicate { what: "channel", id: id.0 }).into());
        }
        let local = self.next_link();
        let follows = to == To::Master;
        self.locals.insert(local, Local { channel: id, waiting: VecDeque::new(), closing: false });
        let channel = Channel::new(self.config.channel.clone(), to);
        self.channels
            .insert(id, Slot { channel, links: BTreeMap::new(), gone: BTreeMap::new(), local, deadline: None });
        if follows { self.feed_channel(now, id, channel::Input::Master(self.master.clone())) } else { Ok(()) }
    }

    fn set_master(&mut self, now: Instant, master: Option<Master>) -> Result<(), EndpointError> {
        self.master = master;
        let following = self.channels.iter().filter(|(_, slot)| *slot.channel.to() == To::Master);
        let following: VecDeque<ChannelId> = following.map(|(id, _)| *id).collect();
        let mut result = Ok(());
        for id in following {
            let done = self.feed_channel(now, id, channel::Input::Master(self.master.clone()));
            result = result.and(done);
        }
        result
    }

    fn on_channel(&mut self, now: Instant, id: ChannelId, input: channel::Input) -> Result<(), EndpointError> {
        let Some(slot) = self.channels.get(&id) else {
            return Err(Error::from(Misuse::Unknown { what: "channel", id: id.0 }).into());
        };
        let sends = matches!(input, channel::Input::Send { .. } | channel::Input::Request { .. });
        // What goes to this site itself must find room here.
        if sends && slot.channel.state() == ChannelState::Local && self.dispatcher.is_paused(slot.local) {
            let limit = to_u64(self.config.dispatcher.limits.incoming);
            let full = Limit { what: "incoming", limit, got: limit.saturating_add(1) };
            return Err(Error::from(Misuse::Limit(full)).into());
        }
        self.feed_channel(now, id, input)
    }

    /// Whether what was accepted before has been taken, by and large.
    fn check_drained(&self) -> Result<(), EndpointError> {
        let limits = &self.config.channel.limits;
        let full = |what, limit, got| Err(Error::from(Misuse::Limit(Limit { what, limit, got })).into());
        if self.outputs.len() >= limits.outputs {
            return full("outputs", to_u64(limits.outputs), to_u64(self.outputs.len()));
        }
        if self.undrained > limits.held_bytes {
            return full("held_bytes", to_u64(limits.held_bytes), to_u64(self.undrained));
        }
        Ok(())
    }

    /// What is said to this site itself must find room here.
    fn check_reply(&self, handle: Handle) -> Result<(), EndpointError> {
        let local = self.dispatcher.link_of(handle).and_then(|link| self.locals.get(&link));
        let (limit, got) = (self.config.dispatcher.limits.held_messages, local.map_or(0, |local| local.waiting.len()));
        if got < limit || local.is_none() {
            return Ok(());
        }
        let (limit, got) = (to_u64(limit), to_u64(got.saturating_add(1)));
        Err(Error::from(Misuse::Limit(Limit { what: "held_messages", limit, got })).into())
    }

    fn on_accepted(&mut self, now: Instant, id: LinkId, input: connection::Input) -> Result<(), EndpointError> {
        match self.links.get(&id) {
            Some(Link { channel: None, .. }) => self.feed_link(now, id, input),
            _ => Err(Error::from(Misuse::Unknown { what: "link", id: id.0 }).into()),
        }
    }

    fn flow(
        &mut self,
        now: Instant,
        id: LinkId,
        dispatch: dispatcher::Input,
        input: fn(LinkId) -> channel::Input,
    ) -> Result<(), EndpointError> {
        let Some(link) = self.links.get(&id) else { return Ok(()) };
        let channel = link.channel;
        let mut result = self.dispatch(now, dispatch);
        if let Some((channel, number)) = channel {
            result = result.and(self.feed_channel(now, channel, input(number)));
        }
        self.pump_for(now, result)
    }

    fn next_link(&mut self) -> LinkId {
        self.last_link = self.last_link.saturating_add(1);
        LinkId(self.last_link)
    }
}
