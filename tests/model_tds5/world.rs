//! The state of the model: a client, a machine for each connection of a server, the links between them, and what is
//! left of each budget.
//!
//! Items lie on the links as small [`Word`]s: what an item says is tested when it is sent (see `words`) and built
//! again when it is delivered, so that states stay small.

use super::ghost::{Ghost, Wire};
use super::model::Shared;
use handover::machine::Machine;
use handover::tds5::client::Client;
use handover::tds5::server::Server;
use handover::tds5::target::Target;
use handover::time::Instant;

/// Where a server may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    A,
    B,
    C,
    /// Nobody answers there.
    Dead,
    /// The client may not go there.
    Stranger,
}

impl Host {
    pub(crate) const ALL: [Self; 5] = [Self::A, Self::B, Self::C, Self::Dead, Self::Stranger];
}

/// Whose machine it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Peer {
    Client,
    /// The server's end of a link.
    Server(u8),
}

/// An item, or another thing that arrives in order on a link. Unless single items are looked at, a migration message is
/// one with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Word {
    /// With the session id that is shown, 0 if none.
    Login(u8),
    /// The client has the id that it was told.
    HaveId,
    /// A piece of a command, by its number in the session, and whether the command ends with it.
    Piece(u8, bool),
    Attention,
    Logout,
    /// What the client says of a request, with the number of the request that is meant. The number is not on the wire:
    /// it is what the client means, and no machine sees it.
    Sync(u8),
    Fail(u8),
    Resume,
    /// LOGINACK with its status.
    Ack(u8),
    Id(u8),
    /// CAPABILITY: whether the client can be migrated.
    Caps(bool),
    /// A part of a result, by its number in the session.
    Row(u8),
    /// A final DONE: for which command (0: a login, or nothing but an acknowledgement), and whether it acknowledges an
    /// attention.
    Done(u8, bool),
    /// The message that is made of the words before ends here.
    End,
    /// A request, by its number on this link, which is not on the wire either.
    Request(u8),
    Continue,
    Ignore,
    /// The end of a migration message, where it comes by itself.
    MigrationEnd,
    /// The link has ended.
    Closed,
}

impl Word {
    pub(crate) const fn is_migration(self) -> bool {
        matches!(self, Self::Sync(_) | Self::Fail(_) | Self::Resume | Self::Request(_) | Self::Continue | Self::Ignore)
    }
}

/// What the server's application knows on one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct App {
    /// A login waits for its verdict.
    pub(crate) login: bool,
    /// The commands that wait for a final DONE, oldest first.
    pub(crate) owed: [u8; 2],
    /// The attempt that was announced as ready and whose handler has not begun.
    pub(crate) ready: u8,
    /// The attempt whose handler runs.
    pub(crate) handler: u8,
    /// The client was announced as ready for the attempt that is under way.
    pub(crate) told: bool,
    /// The client was told to go.
    pub(crate) left: bool,
    /// The client will say first that it waits.
    pub(crate) held: bool,
    /// Pieces of a command have come, but not the last.
    pub(crate) piece: bool,
}

impl App {
    /// Whether it may send a part of a response.
    pub(crate) const fn responds(&self) -> bool {
        self.owed[0] != 0 && !self.held && !self.left
    }

    /// The attempt is over, or another one takes its place.
    pub(crate) const fn forget_attempt(&mut self) {
        (self.ready, self.told) = (0, false);
    }

    /// It was, by the application's own order: a client that was ready and waits will say so.
    pub(crate) const fn take_back(&mut self) {
        self.held |= self.told && self.owed[0] != 0;
        self.forget_attempt();
    }

    pub(crate) const fn owe(&mut self, command: u8) {
        if self.owed[0] == 0 {
            self.owed[0] = command;
        } else {
            self.owed[1] = command;
        }
    }
}

/// The machine of a server's end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Site {
    Target(Shared<Target>),
    Server(Shared<Server>),
}

/// One link, with both of its ends and what is under way in both directions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Link {
    pub(crate) id: u8,
    pub(crate) host: Host,
    pub(crate) arrived: bool,
    /// `None` before the link is there, and once the server is done with it.
    pub(crate) site: Option<Site>,
    pub(crate) clock: Instant,
    pub(crate) app: App,
    pub(crate) wire: Wire,
    pub(crate) client_open: bool,
    /// Nothing is carried any more; each end finds out by itself.
    pub(crate) broken: bool,
    pub(crate) up: Vec<Word>,
    pub(crate) down: Vec<Word>,
}

impl Link {
    pub(crate) fn new(id: u8, host: Host) -> Self {
        Self {
            id,
            host,
            arrived: false,
            site: None,
            clock: Instant::ZERO,
            app: App::default(),
            wire: Wire::default(),
            client_open: true,
            broken: false,
            up: Vec::new(),
            down: Vec::new(),
        }
    }

    pub(crate) const fn server_open(&self) -> bool {
        self.site.is_some()
    }

    /// The server's machine, if it is one from which clients are migrated.
    pub(crate) fn server(&self) -> Option<&Server> {
        match &self.site {
            Some(Site::Server(server)) => Some(server.get()),
            _ => None,
        }
    }

    pub(crate) fn target(&self) -> Option<&Target> {
        match &self.site {
            Some(Site::Target(target)) => Some(target.get()),
            _ => None,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.site {
            Some(Site::Target(target)) => target.get().poll_timeout(),
            Some(Site::Server(server)) => server.get().poll_timeout(),
            None => None,
        }
    }

    /// Carries a word, unless the other end has closed: that end will not look.
    pub(crate) fn send(&mut self, from_client: bool, word: Word) {
        let (open, queue) =
            if from_client { (self.server_open(), &mut self.up) } else { (self.client_open, &mut self.down) };
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
        if client {
            self.client_open = false;
            self.down.clear();
        } else {
            self.site = None;
            self.app = App::default();
            self.up.clear();
        }
    }

    /// The link breaks: what is under way is lost.
    pub(crate) fn lose(&mut self) {
        self.up.clear();
        self.down.clear();
        self.send(true, Word::Closed);
        self.send(false, Word::Closed);
        self.broken = true;
    }
}

/// How often the environment and the applications may still do each thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) requests: u8,
    pub(crate) cancels: u8,
    pub(crate) commands: u8,
    pub(crate) attentions: u8,
    pub(crate) logouts: u8,
    pub(crate) rows: u8,
    /// Links that break.
    pub(crate) losses: u8,
    /// Links that cannot be had.
    pub(crate) refusals: u8,
    /// Logins that are refused.
    pub(crate) denials: u8,
    /// Connections that a server's application closes.
    pub(crate) quits: u8,
    /// Timers that fire although something else could happen first.
    pub(crate) timers: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) client: Shared<Client>,
    /// Each peer's clock stands still until one of its timers fires, and then shows that instant: how long things
    /// take makes no other difference. Clocks of peers are not compared, so that every order of deadlines of
    /// different peers is explored.
    pub(crate) clock: Instant,
    pub(crate) links: Vec<Link>,
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

    pub(crate) fn wire(&self, id: u8) -> Wire {
        self.link(id).map(|link| link.wire).unwrap_or_default()
    }

    pub(crate) fn app(&self, id: u8) -> App {
        self.link(id).map(|link| link.app).unwrap_or_default()
    }

    pub(crate) fn deadline(&self, peer: Peer) -> Option<Instant> {
        match peer {
            Peer::Client => self.client.get().poll_timeout(),
            Peer::Server(id) => self.link(id)?.deadline(),
        }
    }

    /// A peer's clock shows what it has waited for.
    pub(crate) fn advance(&mut self, peer: Peer) {
        let Some(due) = self.deadline(peer) else { return };
        match peer {
            Peer::Client => self.clock = due,
            Peer::Server(id) => self.link_mut(id).into_iter().for_each(|link| link.clock = due),
        }
    }

    /// Everybody who has a machine.
    pub(crate) fn peers(&self) -> Vec<Peer> {
        let servers = self.links.iter().filter(|link| link.server_open()).map(|link| Peer::Server(link.id));
        std::iter::once(Peer::Client).chain(servers).collect()
    }

    /// The world in a line, for traces.
    pub(crate) fn line(&self) -> String {
        use std::fmt::Write as _;
        let mut line = format!("{:?}", self.client.get().state());
        for link in &self.links {
            let Link { id, host, client_open, up, down, .. } = link;
            let state = match &link.site {
                Some(Site::Target(target)) => format!("{:?}", target.get().state()),
                Some(Site::Server(server)) => format!("{:?}", server.get().state()),
                None => "-".into(),
            };
            let end = if *client_open { "" } else { " (left)" };
            let _ = write!(line, " | {id}{end} {host:?} {state} up {up:?} down {down:?}");
        }
        line
    }

    /// Forgets links that both ends have forgotten.
    pub(crate) fn tidy(&mut self) {
        self.links.retain(|link| link.client_open || link.server_open());
    }
}
