//! The state of the model: three machines, the links between them, and what is left of each budget.
//!
//! Messages lie on the links as small [`Word`]s and not as packets: what a message says is tested when it is
//! sent (see the adapter) and built again when it is delivered, so that states stay small.

use super::ghost::Ghost;
use super::model::Shared;
use bitflags::bitflags;
use handover::machine::Machine;
use handover::spice::client::Client;
use handover::spice::source::Source;
use handover::spice::target::Target;
use handover::spice::{ChannelId, ChannelType};
use handover::time::Instant;

/// The session's connection id while it lasts.
pub(crate) const SESSION: u8 = 7;
/// The session id of the client that looks on (several clients); no link of the model has this number.
pub(crate) const BYSTANDER: u8 = 99;
/// A fresh session gets this plus the number of its main link.
pub(crate) const FRESH: u8 = 100;
/// The target's numbered messages start behind this, so that they come after the source's.
pub(crate) const TARGET_NUMBERS: u8 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Peer {
    Source,
    Target,
    Client,
}

pub(crate) const PEERS: [Peer; 3] = [Peer::Source, Peer::Target, Peer::Client];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Chan {
    Main,
    Display,
    Inputs,
    /// Its MIGRATE has no flags.
    Cursor,
}

impl Chan {
    pub(crate) const ALL: [Self; 4] = [Self::Main, Self::Display, Self::Inputs, Self::Cursor];

    pub(crate) const fn id(self) -> ChannelId {
        match self {
            Self::Main => ChannelId::MAIN,
            Self::Display => ChannelId::new(ChannelType::DISPLAY, 0),
            Self::Inputs => ChannelId::new(ChannelType::INPUTS, 0),
            Self::Cursor => ChannelId::new(ChannelType::CURSOR, 0),
        }
    }

    pub(crate) fn of(id: ChannelId) -> Self {
        Self::ALL.into_iter().find(|chan| chan.id() == id).expect("a channel of the model")
    }

    /// Whether MIGRATE asks for a FLUSH_MARK and announces MIGRATE_DATA (both or none, spec/spice.md 4.1).
    pub(crate) const fn has_state(self) -> bool {
        !matches!(self, Self::Cursor)
    }

    /// Marks the channel's MIGRATE_DATA.
    pub(crate) const fn tag(self) -> u8 {
        self as u8 + 1
    }

    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A message, or another thing that arrives in order on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Word {
    /// Link result 0.
    Accepted,
    /// Another link result; nothing follows.
    Refused,
    /// The link has ended.
    Closed,
    /// A numbered message of an application.
    App(u8),
    Ping,
    Pong,
    /// With the TLS port's number on the wire, as in the next two.
    Begin(u16),
    BeginSeamless(u16),
    SwitchHost(u16),
    Cancel,
    /// MIGRATE_END, in either direction.
    End,
    Migrate,
    /// With the [`Chan::tag`] of the channel whose state it is, 255 if its bytes are not as they were.
    Data(u8),
    FlushMark,
    SeamlessAck,
    SeamlessNack,
    Init(u8),
    Connected,
    ConnectedSeamless,
    ConnectError,
    DoSeamless(u8),
}

impl Word {
    pub(crate) const fn is_answer(self) -> bool {
        matches!(self, Self::Connected | Self::ConnectedSeamless | Self::ConnectError)
    }
}

bitflags! {
    /// What has passed on a link: the memory that the properties need.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub(crate) struct Flags: u32 {
        // The target's main link.
        const GOT_END = 1;
        const GOT_DO = 1 << 1;
        const ACK_SENT = 1 << 2;
        const INIT_SENT = 1 << 3;
        const SETTLED = 1 << 4;
        const ASKED = 1 << 5;
        const ACK_SEEN = 1 << 6;
        const NACK_SEEN = 1 << 7;
        // Any link to the target.
        const SWITCHED = 1 << 8;
        const STARTED = 1 << 9;
        const DATA_GOT = 1 << 10;
        /// Dialled in a session that is not on its way.
        const AFRESH = 1 << 16;
        // Any link to the source.
        const MIGRATED = 1 << 11;
        const DATA_SENT = 1 << 12;
        const DATA_SEEN = 1 << 13;
        const DATA_WANTED = 1 << 14;
        const FLUSHED = 1 << 15;
    }
}

/// One link, with both of its ends and what is under way in both directions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Link {
    pub(crate) id: u8,
    pub(crate) server: Peer,
    pub(crate) chan: Chan,
    /// From the link message.
    pub(crate) connection_id: u8,
    pub(crate) tls: bool,
    /// The number of the session's main link.
    pub(crate) main: u8,
    /// On main links: the target's number of the client.
    pub(crate) client: u8,
    /// The server knows of it.
    pub(crate) arrived: bool,
    /// The client has its link result.
    pub(crate) opened: bool,
    pub(crate) client_open: bool,
    pub(crate) server_open: bool,
    /// Nothing is carried any more; each end finds out by itself.
    pub(crate) broken: bool,
    pub(crate) client_paused: bool,
    pub(crate) server_paused: bool,
    pub(crate) flags: Flags,
    pub(crate) up: Vec<Word>,
    pub(crate) down: Vec<Word>,
}

impl Link {
    pub(crate) fn new(id: u8, server: Peer, chan: Chan, connection_id: u8, tls: bool) -> Self {
        Self {
            id,
            server,
            chan,
            connection_id,
            tls,
            main: id,
            client: 0,
            arrived: false,
            opened: false,
            client_open: true,
            server_open: false,
            broken: false,
            client_paused: false,
            server_paused: false,
            flags: Flags::empty(),
            up: Vec::new(),
            down: Vec::new(),
        }
    }

    /// The id that INIT must tell and that other channels must name.
    pub(crate) const fn session_id(&self) -> u8 {
        if self.connection_id == 0 { FRESH + self.id } else { self.connection_id }
    }

    pub(crate) fn is_main_of(&self, server: Peer) -> bool {
        self.server == server && self.chan == Chan::Main
    }

    /// A message is lost if the other end has closed: that end will not look.
    pub(crate) fn send(&mut self, from_client: bool, word: Word) {
        let (open, queue) =
            if from_client { (self.server_open, &mut self.up) } else { (self.client_open, &mut self.down) };
        if open && !self.broken {
            queue.push(word);
        }
    }

    /// One end closes: what it has sent still arrives, what it has not read is gone.
    pub(crate) fn close(&mut self, by_client: bool) {
        self.send(by_client, Word::Closed);
        self.forget(by_client);
    }

    /// One end is gone.
    pub(crate) fn forget(&mut self, client: bool) {
        let (open, queue) =
            if client { (&mut self.client_open, &mut self.down) } else { (&mut self.server_open, &mut self.up) };
        *open = false;
        queue.clear();
    }

    /// The link breaks: what is under way is lost.
    pub(crate) fn lose(&mut self) {
        if self.broken {
            return;
        }
        self.up.clear();
        self.down.clear();
        self.send(true, Word::Closed);
        self.send(false, Word::Closed);
        self.broken = true;
    }
}

/// How often the environment may still do each thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) attempts: u8,
    pub(crate) losses: u8,
    pub(crate) refusals: u8,
    pub(crate) deaths: u8,
    /// Timers that fire although something else could happen first.
    pub(crate) timers: u8,
    pub(crate) pings: u8,
    pub(crate) client_says: u8,
    pub(crate) source_says: u8,
    pub(crate) target_says: u8,
    /// What the client's application may want besides.
    pub(crate) commands: u8,
    /// Messages that no client may send.
    pub(crate) rogue: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// `None` once it has died.
    pub(crate) source: Option<Shared<Source>>,
    pub(crate) target: Option<Shared<Target>>,
    pub(crate) client: Option<Shared<Client>>,
    /// Each peer's clock stands still until one of its timers fires, and then shows that instant: how long
    /// things take makes no other difference. Clocks of peers are not compared, so that every order of
    /// deadlines of different peers is explored.
    pub(crate) clocks: [Instant; 3],
    pub(crate) links: Vec<Link>,
    /// The target's application owes this client's INIT.
    pub(crate) init_wanted: Option<u8>,
    pub(crate) budget: Budget,
    pub(crate) ghost: Ghost,
    /// Properties that were refuted on the way here, a bit each.
    pub(crate) refuted: u32,
}

impl World {
    pub(crate) fn link(&self, id: u8) -> Option<&Link> {
        self.links.iter().find(|link| link.id == id)
    }

    pub(crate) fn link_mut(&mut self, id: u8) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.id == id)
    }

    /// Whether a link belongs to a session that came from another server.
    pub(crate) fn is_arriving(&self, link: &Link) -> bool {
        self.link(link.main).is_some_and(|main| main.connection_id != 0)
    }

    pub(crate) fn is_alive(&self, peer: Peer) -> bool {
        match peer {
            Peer::Source => self.source.is_some(),
            Peer::Target => self.target.is_some(),
            Peer::Client => self.client.is_some(),
        }
    }

    pub(crate) fn deadline(&self, peer: Peer) -> Option<Instant> {
        match peer {
            Peer::Source => self.source.as_ref()?.get().poll_timeout(),
            Peer::Target => self.target.as_ref()?.get().poll_timeout(),
            Peer::Client => self.client.as_ref()?.get().poll_timeout(),
        }
    }

    /// The world in a line, for traces.
    pub(crate) fn line(&self) -> String {
        use std::fmt::Write as _;
        let mut line = format!(
            "{:?} {:?} {:?}",
            self.source.as_ref().map(|source| source.get().state()),
            self.target.as_ref().map(|target| target.get().state()),
            self.client.as_ref().map(|client| client.get().state()),
        );
        for link in &self.links {
            let ends = (u8::from(link.client_open), u8::from(link.server_open));
            let Link { id, server, chan, up, down, .. } = link;
            let _ = write!(line, " | {id} {server:?}/{chan:?} {ends:?} up {up:?} down {down:?}");
        }
        line
    }

    /// Whether a link was dialled in a session at the target while something is still under way on the
    /// session's main link. A link stage takes several round trips, and the main channel's MIGRATE_DATA, which
    /// was sent before, is small: the model does not let the link overtake it. A target without any
    /// MIGRATE_DATA could not tell that link from one that belongs to the move.
    pub(crate) fn waits_for_main(&self, link: &Link) -> bool {
        let older = |other: &Link| other.is_main_of(Peer::Target) && other.id < link.id && !other.up.is_empty();
        link.flags.contains(Flags::AFRESH) && self.links.iter().any(older)
    }

    /// Forgets links that both ends have forgotten. A main link is remembered as long as another link of
    /// its session: that one is judged by it.
    pub(crate) fn tidy(&mut self) {
        let gone = |link: &Link| !link.client_open && !link.server_open;
        let mains: Vec<u8> = self.links.iter().filter(|link| !gone(link)).map(|link| link.main).collect();
        self.links.retain(|link| !gone(link) || mains.contains(&link.id));
    }
}
