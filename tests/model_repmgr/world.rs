//! The state of the model: sites with their machines, the links between them, and what is left of each budget.
//!
//! Messages lie on the links as small [`Word`]s: what a message says is tested when it is sent (see `words`) and built
//! again when it is delivered, so that states stay small.

use super::ghost::{Ghost, Wire};
use super::model::Shared;
use handover::machine::Machine;
use handover::repmgr::channel::Channel;
use handover::repmgr::connection::Connection;
use handover::repmgr::dispatcher::Dispatcher;
use handover::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Site {
    Home,
    A,
    B,
}

impl Site {
    pub(crate) const ALL: [Self; 3] = [Self::Home, Self::A, Self::B];
}

/// Whose end of a link it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    Dialler,
    Listener,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Dialler, Self::Listener];
}

/// Whose machine it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Peer {
    Channel(Site),
    Dispatcher(Site),
    Link(u8, Side),
}

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// One segment.
    Plain,
    /// One segment of one byte.
    Limited,
    /// Two segments, and no byte more than they take.
    Bulk,
}

/// What is in an answer, made of the number of the request that it is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Body {
    /// One byte.
    One(u8),
    /// Two bytes.
    Two(u8),
    /// Two segments of one byte.
    Block(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Code {
    Zero,
    NoServer,
    KeyEmpty,
    BufferSmall,
}

/// A message, or another thing that arrives in order on a link. Messages and requests have numbers, which are what
/// they consist of; see [`number`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Word {
    Proposal,
    Confirmation,
    Parameters,
    Message(u8),
    Request {
        tag: u8,
        number: u8,
        kind: Kind,
    },
    Response {
        tag: u8,
        body: Body,
    },
    Error {
        tag: u8,
        code: Code,
    },
    /// Only a mutant says that.
    Heartbeat,
    /// The link has ended.
    Closed,
}

impl Word {
    /// Whether it may travel on a link that is ready.
    pub(crate) const fn is_traffic(self) -> bool {
        matches!(self, Self::Message(_) | Self::Request { .. } | Self::Response { .. } | Self::Error { .. })
    }

    /// The number of a message or request, if it is one.
    pub(crate) const fn number(self) -> Option<u8> {
        match self {
            Self::Message(number) | Self::Request { number, .. } => Some(number),
            _ => None,
        }
    }
}

/// Who sends what: a site's channel and its dispatcher count for themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Channel,
    Dispatcher,
}

/// The number of what a site sends, from 1.
pub(crate) const fn number(site: Site, source: Source, count: u8) -> u8 {
    (site as u8) << 5 | (source as u8) << 4 | count
}

/// A number without who counts.
pub(crate) const fn count_of(number: u8) -> u8 {
    number & 0xf
}

pub(crate) const fn source(number: u8) -> Source {
    if number & 1 << 4 == 0 { Source::Channel } else { Source::Dispatcher }
}

/// What has come to an application and is not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Task {
    pub(crate) handle: u8,
    /// 0 if it is from this site itself.
    pub(crate) link: u8,
    pub(crate) number: u8,
    /// The tag and what is wanted, of a request.
    pub(crate) wanted: Option<(u8, Kind)>,
    pub(crate) answered: bool,
    /// Whoever has sent it is gone.
    pub(crate) lost: bool,
}

impl Task {
    /// Whether somebody waits for an answer to it.
    pub(crate) const fn is_owed(&self) -> bool {
        self.wanted.is_some() && !self.answered && !self.lost
    }
}

/// The way from a site's channel to the site itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Local {
    pub(crate) waiting: Vec<Word>,
    /// The channel is over.
    pub(crate) closing: bool,
    pub(crate) gone: bool,
    pub(crate) wire: Wire,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) channel: Option<Shared<Channel>>,
    /// The channel's; see [`World`].
    pub(crate) clock: Instant,
    pub(crate) dispatcher: Shared<Dispatcher>,
    pub(crate) local: Local,
    pub(crate) tasks: Vec<Task>,
    pub(crate) ghost: Ghost,
}

/// One end of a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct End {
    pub(crate) connection: Shared<Connection>,
    pub(crate) clock: Instant,
    pub(crate) congested: bool,
    pub(crate) paused: bool,
    /// It has said that it is over.
    pub(crate) over: bool,
}

impl End {
    pub(crate) fn new(connection: Connection) -> Self {
        let connection = Shared::new(connection);
        Self { connection, clock: Instant::ZERO, congested: false, paused: false, over: false }
    }
}

/// One link, with both of its ends and what is under way in both directions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Link {
    pub(crate) id: u8,
    /// The number that the channel has given.
    pub(crate) number: u8,
    pub(crate) from: Site,
    pub(crate) to: Site,
    pub(crate) arrived: bool,
    pub(crate) dialler: Option<End>,
    pub(crate) listener: Option<End>,
    /// Whether the channel is to hear of it.
    pub(crate) mapped: bool,
    /// Nothing is carried any more; each end finds out by itself.
    pub(crate) broken: bool,
    /// It has broken, or its listener has closed it.
    pub(crate) cut: bool,
    pub(crate) up: Vec<Word>,
    pub(crate) down: Vec<Word>,
    pub(crate) wire: Wire,
    /// Requests that a listener without manners remembers.
    pub(crate) heard: Vec<(u8, u8, Kind)>,
}

impl Link {
    pub(crate) fn new(id: u8, number: u8, from: Site, to: Site, dialler: Connection) -> Self {
        Self {
            id,
            number,
            from,
            to,
            arrived: false,
            dialler: Some(End::new(dialler)),
            listener: None,
            mapped: true,
            broken: false,
            cut: false,
            up: Vec::new(),
            down: Vec::new(),
            wire: Wire { known: true, ..Wire::default() },
            heard: Vec::new(),
        }
    }

    pub(crate) const fn end(&self, side: Side) -> Option<&End> {
        match side {
            Side::Dialler => self.dialler.as_ref(),
            Side::Listener => self.listener.as_ref(),
        }
    }

    pub(crate) const fn end_mut(&mut self, side: Side) -> Option<&mut End> {
        match side {
            Side::Dialler => self.dialler.as_mut(),
            Side::Listener => self.listener.as_mut(),
        }
    }

    pub(crate) const fn site(&self, side: Side) -> Site {
        match side {
            Side::Dialler => self.from,
            Side::Listener => self.to,
        }
    }

    /// Which end of it is a site's.
    pub(crate) fn side(&self, site: Site) -> Side {
        if self.from == site { Side::Dialler } else { Side::Listener }
    }

    pub(crate) fn is_congested(&self, side: Side) -> bool {
        self.end(side).is_some_and(|end| end.congested)
    }

    /// What comes to an end.
    pub(crate) const fn queue(&mut self, side: Side) -> &mut Vec<Word> {
        match side {
            Side::Dialler => &mut self.down,
            Side::Listener => &mut self.up,
        }
    }

    pub(crate) fn has_word_for(&self, side: Side) -> bool {
        let queue = if side == Side::Dialler { &self.down } else { &self.up };
        !queue.is_empty()
    }

    /// Carries a word, unless the other end has closed: that end will not look.
    pub(crate) fn send(&mut self, from: Side, word: Word) {
        let to = if from == Side::Dialler { Side::Listener } else { Side::Dialler };
        if self.end(to).is_some() && !self.broken {
            self.queue(to).push(word);
        }
    }

    /// One end closes: what it has sent still arrives, what it has not read is gone.
    pub(crate) fn close(&mut self, side: Side) {
        self.send(side, Word::Closed);
        self.queue(side).clear();
        self.cut |= side == Side::Listener;
    }

    /// The link breaks: what is under way is lost.
    pub(crate) fn lose(&mut self) {
        self.up.clear();
        self.down.clear();
        self.send(Side::Dialler, Word::Closed);
        self.send(Side::Listener, Word::Closed);
        (self.broken, self.cut) = (true, true);
    }
}

/// How often the environment and the applications may still do each thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) messages: u8,
    pub(crate) requests: u8,
    pub(crate) replies: u8,
    /// Links that are wanted before there is anything to send.
    pub(crate) connects: u8,
    /// Channels that are closed, and that are closed at once.
    pub(crate) closes: u8,
    pub(crate) aborts: u8,
    /// Links to which nothing can be written for a while.
    pub(crate) congestions: u8,
    /// Requests that an application does not answer, and that it answers with too much.
    pub(crate) silences: u8,
    pub(crate) floods: u8,
    /// Changes between an application that takes messages and one that does not.
    pub(crate) serves: u8,
    /// Links that break, that cannot be had, that a listener closes.
    pub(crate) losses: u8,
    pub(crate) refusals: u8,
    pub(crate) quits: u8,
    /// What a listener without manners sends.
    pub(crate) pranks: u8,
    /// Timers that fire although something else could happen first.
    pub(crate) timers: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// Each machine's clock stands still until one of its timers fires, and then shows that instant: how long things
    /// take makes no other difference. Clocks are not compared, so that every order of deadlines of different machines
    /// is explored.
    pub(crate) places: Vec<Place>,
    pub(crate) links: Vec<Link>,
    pub(crate) last_link: u8,
    /// How many changes of the master have been told.
    pub(crate) moves: u8,
    pub(crate) budget: Budget,
    /// Properties that were refuted on the way here, a bit each.
    pub(crate) refuted: u32,
}

impl World {
    pub(crate) fn place(&self, site: Site) -> &Place {
        &self.places[site as usize]
    }

    pub(crate) fn place_mut(&mut self, site: Site) -> &mut Place {
        &mut self.places[site as usize]
    }

    pub(crate) fn sites(&self) -> impl Iterator<Item = Site> + use<> {
        Site::ALL.into_iter().take(self.places.len())
    }

    pub(crate) fn link(&self, id: u8) -> Option<&Link> {
        self.links.iter().find(|link| link.id == id)
    }

    pub(crate) fn link_mut(&mut self, id: u8) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.id == id)
    }

    /// A link by the number that a site's channel has for it.
    pub(crate) fn dialled(&self, site: Site, number: u8) -> Option<&Link> {
        self.links.iter().find(|link| link.from == site && link.number == number)
    }

    pub(crate) fn dialled_mut(&mut self, site: Site, number: u8) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.from == site && link.number == number)
    }

    /// What has passed between a site's channel and whoever it has sent to on a way, 0 for the site itself.
    pub(crate) fn way(&mut self, site: Site, via: u8) -> Option<&mut Wire> {
        if via == 0 {
            return Some(&mut self.place_mut(site).local.wire);
        }
        self.dialled_mut(site, via).map(|link| &mut link.wire)
    }

    pub(crate) fn deadline(&self, peer: Peer) -> Option<Instant> {
        match peer {
            Peer::Channel(site) => self.place(site).channel.as_ref()?.get().poll_timeout(),
            Peer::Dispatcher(_) => None,
            Peer::Link(id, side) => self.link(id)?.end(side)?.connection.get().poll_timeout(),
        }
    }

    pub(crate) fn clock(&self, peer: Peer) -> Instant {
        match peer {
            Peer::Channel(site) => self.place(site).clock,
            Peer::Dispatcher(_) => Instant::ZERO,
            Peer::Link(id, side) => {
                let end = self.link(id).and_then(|link| link.end(side));
                end.map_or(Instant::ZERO, |end| end.clock)
            }
        }
    }

    /// A machine's clock shows what it has waited for.
    pub(crate) fn advance(&mut self, peer: Peer) {
        let Some(due) = self.deadline(peer) else { return };
        match peer {
            Peer::Channel(site) => self.place_mut(site).clock = due,
            Peer::Dispatcher(_) => {}
            Peer::Link(id, side) => {
                let end = self.link_mut(id).and_then(|link| link.end_mut(side));
                end.into_iter().for_each(|end| end.clock = due);
            }
        }
    }

    /// Everybody who may wait for something.
    pub(crate) fn waiters(&self) -> impl Iterator<Item = Peer> + '_ {
        let ends = |link: &Link| Side::BOTH.map(|side| Peer::Link(link.id, side));
        let peers = self.sites().map(Peer::Channel).chain(self.links.iter().flat_map(ends));
        peers.filter(|peer| self.deadline(*peer).is_some())
    }

    /// The world in a line, for traces.
    pub(crate) fn line(&self) -> String {
        use std::fmt::Write as _;
        let mut line = String::new();
        for site in self.sites() {
            let Place { channel, dispatcher, tasks, ghost, .. } = self.place(site);
            let channel = channel.as_ref().map(|channel| channel.get().state());
            let handles: Vec<u8> = tasks.iter().map(|task| task.handle).collect();
            let (state, master) = (dispatcher.get().state(), ghost.master);
            let _ = write!(line, "{site:?} {channel:?} to {master:?} {state:?} {handles:?} | ");
        }
        for link in &self.links {
            let Link { id, from, to, up, down, .. } = link;
            let states = Side::BOTH.map(|side| link.end(side).map(|end| end.connection.get().state()));
            let _ = write!(line, "{id} {from:?}->{to:?} {states:?} up {up:?} down {down:?} | ");
        }
        line
    }
}
