//! The endpoints, their links, and time.

use super::super::words::{segments, site, wanted};
use super::SitesOp;
use super::apps::{Site, check_misuse};
use super::ledger::{Counts, Kind, Ledger, content};
use crate::machine::LinkId;
use crate::repmgr::channel::{self, Master, MessageId, RequestId, RequestOptions, RequestTimeout, To};
use crate::repmgr::connection::CloseReason;
use crate::repmgr::endpoint::{
    ChannelId, EndpointError, LinkEvent, SiteCommand, SiteConfig, SiteEndpoint, SiteEvent, SiteOutput,
};
use crate::repmgr::handshake::VersionRange;
use crate::repmgr::message::{Message, Wanted};
use crate::repmgr::stream::{MessageStream, Side};
use crate::testing::Choices;
use crate::testing::pipe::Pipe;
use crate::time::Instant;
use crate::wire::StreamDecode;
use bytes::BytesMut;
use core::time::Duration;
use std::collections::BTreeMap;
use std::vec::Vec;

/// Most rounds until nothing is on its way any more, and until no deadline is left.
const ROUNDS: usize = 4096;

/// How many sites there are, and how many channels each may have.
const SITES: usize = 3;
const CHANNELS: usize = 4;

/// Something that was done, or came of it.
#[derive(Clone, Debug)]
enum Line {
    Op(Instant, SitesOp),
    Event(usize, SiteEvent),
    Wire(usize, LinkId, &'static str, u32),
}

/// What was done, for the message of a panic, whoever panics.
#[derive(Clone, Debug, Default)]
struct Trace(Vec<Line>);

impl Drop for Trace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::eprintln!("what was done:");
            for line in &self.0 {
                match line {
                    Line::Op(now, op) => std::eprintln!("t={} {op:?}", now.as_micros()),
                    Line::Event(at, event) => std::eprintln!("    {}: {event:?}", site(at.to_le_bytes()[0])),
                    Line::Wire(at, link, what, number) => {
                        std::eprintln!("    {} writes on {}: {what} {number}", site(at.to_le_bytes()[0]), link.0);
                    }
                }
            }
        }
    }
}

/// What one end of a link has written.
#[derive(Clone, Debug)]
struct Written {
    stream: MessageStream,
    bytes: BytesMut,
    /// The messages and requests in it, in order, and how many of them have come.
    numbers: Vec<u32>,
    came: usize,
    /// Requests without an answer, by tag.
    asked: BTreeMap<u32, u32>,
    congested: bool,
}

/// A link that one site has dialled to another.
#[derive(Clone, Debug)]
struct Link {
    dialler: usize,
    pipe: Pipe,
    /// By the one that has dialled, and by the other one.
    written: [Written; 2],
    /// It was broken, or closed before its time.
    faulty: bool,
}

/// Three sites with a [`SiteEndpoint`] each, and the links between them.
///
/// ```
/// use handover::testing::Choices;
/// use handover::testing::repmgr_machines::{Sites, SitesOp};
///
/// let mut sites = Sites::new(&mut Choices::new(&[]));
/// // The second site asks the first one, which is the master.
/// let ask = SitesOp::Request { site: 1, shape: 0, options: 0 };
/// for op in [ask, SitesOp::Settle, SitesOp::Work(0), SitesOp::Settle] {
///     sites.apply(&op);
/// }
/// assert_eq!(sites.finish().answered, 1);
/// ```
#[derive(Debug)]
pub struct Sites {
    now: Instant,
    sites: Vec<Site>,
    links: Vec<Link>,
    ledger: Ledger,
    next: u32,
    /// How many bytes may be on their way in one direction until that is too much.
    capacity: usize,
    /// Whether there is a time in which somebody takes no messages, and whether bytes are others on their way: after
    /// that less can be checked.
    may_refuse: bool,
    may_garble: bool,
    /// The next link that is dialled finds nobody.
    refuse: bool,
    /// A deadline comes: what is closed now is closed before its time.
    timing: bool,
    /// What has come last on each way from a site to itself.
    locals: BTreeMap<(usize, LinkId), u32>,
    trace: Trace,
}

fn sort(number: u8) -> (usize, ChannelId) {
    let (at, channel) = (usize::from(number) % SITES, usize::from(number) / SITES % CHANNELS);
    (at, ChannelId(u32::try_from(channel).unwrap_or(0)))
}

impl Sites {
    /// Three sites in any configuration, the first of which is the master. Each has a channel to the master and one to the
    /// next site.
    #[must_use]
    pub fn new(choices: &mut Choices<'_>) -> Self {
        let mut config = || {
            let mut config = SiteConfig::default();
            if choices.one_in(3) {
                config.dispatcher.limits.incoming = 1 + choices.below(4);
                config.dispatcher.limits.incoming_total = 1 + choices.below(8);
            }
            if choices.one_in(4) {
                config.dispatcher.limits.held_messages = choices.below(4);
                config.channel.limits.held_messages = 1 + choices.below(6);
            }
            if choices.one_in(4) {
                config.dispatcher.limits.held_bytes = choices.below(200);
                config.channel.limits.requests = 1 + choices.below(6);
            }
            if choices.one_in(4) {
                config.channel.linger = Duration::from_secs(1);
                config.channel.send_timeout = Some(Duration::from_secs(2));
            }
            Site::new(SiteEndpoint::new(config))
        };
        let sites = (0..SITES).map(|_| config()).collect();
        let capacity = *choices.pick(&[usize::MAX, 1000, 100, 0]);
        let mut world = Self {
            now: Instant::ZERO,
            sites,
            links: Vec::new(),
            ledger: Ledger::default(),
            next: 0,
            capacity,
            may_refuse: choices.one_in(3),
            may_garble: choices.one_in(3),
            refuse: false,
            timing: false,
            locals: BTreeMap::new(),
            trace: Trace::default(),
        };
        world.elect(0);
        for at in 0..SITES {
            let next = site(u8::try_from((at + 1) % SITES).unwrap_or(0));
            world.order(at, SiteCommand::OpenChannel { channel: ChannelId(0), to: To::Master });
            world.order(at, SiteCommand::OpenChannel { channel: ChannelId(1), to: To::Site(next) });
        }
        world
    }

    /// Whether no fault has happened.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        !self.ledger.faulty
    }

    /// Does one thing. What makes no sense now does nothing.
    pub fn apply(&mut self, op: &SitesOp) {
        self.trace.0.push(Line::Op(self.now, op.clone()));
        self.ledger.faulty |= op.is_fault();
        match *op {
            SitesOp::Settle => self.settle(),
            SitesOp::Deliver { link, up, bytes } => {
                let most = if bytes == 0 { usize::MAX } else { usize::from(bytes) };
                if let Some(at) = self.link(link) {
                    self.deliver(at, up, most);
                }
            }
            SitesOp::Connect(link) => {
                if let Some(at) = self.link(link) {
                    self.connect(at);
                }
            }
            SitesOp::Open { site: number, to } => {
                let (at, channel) = sort(number);
                // More than half of them are to the master.
                let to = if to % 8 < 3 { To::Site(site(to % 8)) } else { To::Master };
                self.order(at, SiteCommand::OpenChannel { channel, to });
            }
            SitesOp::Dial(number) => self.on_channel(number, SiteCommand::Connect),
            SitesOp::Send { site, shape } => self.send(site, shape),
            SitesOp::Request { site, shape, options } => self.request(site, shape, options),
            SitesOp::Close(number) => self.on_channel(number, SiteCommand::CloseChannel),
            SitesOp::Elect(number) => self.elect(number),
            SitesOp::Tell { site, master } => self.tell(usize::from(site) % SITES, master),
            SitesOp::Answer { site, which, shape } => {
                self.with(site, |site, now, ledger| site.answer(now, which, shape, ledger));
            }
            SitesOp::Reply { site, which, shape } => {
                let (at, number) = (usize::from(site) % SITES, self.number());
                self.with(site, |site, now, ledger| site.reply(now, which, (shape, number), at, ledger));
            }
            SitesOp::Finish { site, which } => self.with(site, |site, now, ledger| site.finish(now, which, ledger)),
            SitesOp::Work(site) => self.with(site, |site, now, ledger| {
                site.work(now, 3, ledger);
            }),
            SitesOp::Serve(site, serve) => self.serve(usize::from(site) % SITES, serve || !self.may_refuse),
            SitesOp::Wait(millis) => {
                // Not past a deadline: that would be a fault.
                let then = self.now.saturating_add(Duration::from_millis(millis.into()));
                self.now = self.deadline().map_or(then, |due| then.min(due)).max(self.now);
            }
            SitesOp::Deadline => self.deadline_comes(),
            SitesOp::Break { link, dialler, listener } => {
                self.link(link).into_iter().for_each(|at| self.break_link(at, dialler, listener));
            }
            SitesOp::Garble { .. } if !self.may_garble => {}
            SitesOp::Garble { link, up, with } => {
                let at = self.link(link);
                let bytes = at.map(|at| &mut self.links[at].pipe.end(up).bytes);
                if let Some(byte) = bytes.and_then(|bytes| bytes.get_mut(usize::from(with) % 64)) {
                    *byte ^= with | 1;
                    self.ledger.garbled = true;
                }
            }
            SitesOp::Disconnect(link) => {
                if let Some(at) = self.link(link).filter(|at| self.links[*at].pipe.up) {
                    self.links[at].faulty = true;
                    let Pipe { server, at_server, .. } = &self.links[at].pipe;
                    self.order(*server, SiteCommand::Disconnect(at_server.id));
                }
            }
            SitesOp::CloseNow(number) => {
                self.ledger.closed_now = true;
                let (at, _) = sort(number);
                self.links.iter_mut().filter(|link| link.dialler == at).for_each(|link| link.faulty = true);
                self.on_channel(number, SiteCommand::CloseChannelNow);
            }
            SitesOp::Refuse => self.refuse = true,
        }
        self.congest();
    }

    /// Ends everything and checks that it has ended, and that nothing was lost. What has come about.
    ///
    /// # Panics
    /// It has not, or something was.
    pub fn finish(&mut self) -> Counts {
        self.wind_down();
        for number in 0..u8::try_from(SITES * CHANNELS).unwrap_or(0) {
            self.on_channel(number, SiteCommand::CloseChannel);
        }
        self.wind_down();
        if self.ledger.garbled {
            // Who is told a wrong length waits for the rest as long as the link is there.
            (0..self.links.len()).for_each(|at| self.break_link(at, true, true));
            self.wind_down();
        }
        if self.is_clean() {
            self.check_ended("without any timer");
        }
        for _ in 0..ROUNDS {
            if self.deadline().is_none() {
                break;
            }
            self.ledger.faulty = true;
            self.deadline_comes();
            self.wind_down();
        }
        self.check_ended("after all timers");
        self.ledger.count_missing();
        self.ledger.counts
    }

    /// Nothing is left of anything.
    fn check_ended(&self, when: &str) {
        self.ledger.check_ended();
        for (at, one) in self.sites.iter().enumerate() {
            let open = (0..8).map(ChannelId).find(|channel| one.endpoint.channel(*channel).is_some());
            assert_eq!(open, None, "6.4: {when}, site {at} has a channel");
            assert_eq!(one.endpoint.poll_timeout(), None, "6.4: {when}, site {at} has a deadline");
            assert_eq!(one.endpoint.links().next(), None, "6.4: {when}, site {at} has a link");
            assert_eq!(one.endpoint.dispatcher().unfinished(), 0, "6.4: {when}, site {at} has handles");
        }
        for link in &self.links {
            assert!(link.pipe.is_over(), "6.4: {when}, {:?} is there", link.pipe);
            let [up, down] = &link.written;
            let whole = link.faulty || self.ledger.garbled || self.ledger.refused;
            assert!(whole || up.came == up.numbers.len(), "P17: {when}, {:?} of {:?} has come", up.came, up.numbers);
            let unanswered = up.asked.is_empty() && down.asked.is_empty();
            assert!(link.faulty || self.ledger.garbled || unanswered, "P10: {when}, {:?} has no answer", up.asked);
        }
        if self.is_clean() && !self.ledger.refused {
            self.ledger.check_whole();
        }
    }

    /// Brings everything on its way, and lets all applications do what is theirs, until nothing moves any more.
    fn wind_down(&mut self) {
        for _ in 0..ROUNDS {
            self.settle();
            let mut moved = false;
            for at in 0..SITES {
                moved |= self.sites[at].work(self.now, 3, &mut self.ledger);
                self.carry_out(at);
            }
            self.congest();
            if !moved {
                return;
            }
        }
        panic!("8: they go on without end");
    }

    fn deadline(&self) -> Option<Instant> {
        self.sites.iter().filter_map(|site| site.endpoint.poll_timeout()).min()
    }

    fn deadline_comes(&mut self) {
        self.now = self.deadline().map_or(self.now, |due| due.max(self.now));
        self.timing = true;
        for at in 0..SITES {
            let result = self.sites[at].endpoint.timeout(self.now);
            self.did(at, result);
        }
        self.timing = false;
        self.congest();
    }

    /// The link `number` from the newest, of those that are there.
    fn link(&self, number: u8) -> Option<usize> {
        let there: Vec<usize> = (0..self.links.len()).rev().filter(|&at| !self.links[at].pipe.is_over()).collect();
        there.get(usize::from(number) % there.len().max(1)).copied()
    }

    fn settle(&mut self) {
        for _ in 0..ROUNDS {
            let mut moved = false;
            for at in 0..self.links.len() {
                moved |= self.connect(at);
                moved |= self.deliver(at, true, usize::MAX);
                moved |= self.deliver(at, false, usize::MAX);
            }
            self.congest();
            if !moved {
                return;
            }
        }
        panic!("8: they talk without end");
    }

    /// What an endpoint complains about, where nobody has made a mistake: links break, but they do not lie.
    fn did(&mut self, at: usize, result: Result<(), EndpointError>) {
        assert!(self.ledger.garbled || result == Ok(()), "no byte was another one on its way: {result:?}");
        self.carry_out(at);
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// Has an application do something.
    fn with(&mut self, number: u8, act: impl FnOnce(&mut Site, Instant, &mut Ledger)) {
        let at = usize::from(number) % SITES;
        act(&mut self.sites[at], self.now, &mut self.ledger);
        self.carry_out(at);
    }

    fn order(&mut self, at: usize, command: SiteCommand) {
        // What cannot be done now is not done.
        check_misuse(self.sites[at].endpoint.command(self.now, command));
        self.carry_out(at);
    }

    fn on_channel(&mut self, number: u8, command: fn(ChannelId) -> SiteCommand) {
        let (at, channel) = sort(number);
        self.order(at, command(channel));
    }

    fn send(&mut self, number: u8, shape: u8) {
        let ((at, channel), number) = (sort(number), self.number());
        let command = SiteCommand::Send { channel, id: MessageId(number), segments: segments(shape, number) };
        self.accept(at, channel, number, Kind::Message, command);
    }

    fn request(&mut self, number: u8, shape: u8, options: u8) {
        let ((at, channel), number) = (sort(number), self.number());
        let Wanted { bulk, limit, .. } = wanted(options, 0);
        let timeout = match options / 32 {
            0..=5 => RequestTimeout::Default,
            6 => RequestTimeout::Never,
            _ => RequestTimeout::After(Duration::from_millis(700)),
        };
        let (id, options) = (RequestId(number), RequestOptions { timeout, limit, bulk });
        let command = SiteCommand::Request { channel, id, segments: segments(shape, number), options };
        self.accept(at, channel, number, Kind::Request { bulk, limit }, command);
    }

    fn accept(&mut self, at: usize, channel: ChannelId, number: u32, kind: Kind, command: SiteCommand) {
        let result = self.sites[at].endpoint.command(self.now, command);
        if result.is_ok() {
            self.ledger.accepted(number, at, Some(channel), kind);
        }
        check_misuse(result);
        self.carry_out(at);
    }

    fn elect(&mut self, number: u8) {
        (0..SITES).for_each(|at| self.tell(at, number));
    }

    fn tell(&mut self, at: usize, number: u8) {
        let master = match usize::from(number % 16) {
            // Seldom nobody is.
            15 => None,
            other if other % SITES == at => Some(Master::Local),
            other => Some(Master::Remote(site(u8::try_from(other % SITES).unwrap_or(0)))),
        };
        self.order(at, SiteCommand::Master(master));
    }

    fn serve(&mut self, at: usize, serve: bool) {
        self.ledger.refused |= !serve;
        self.order(at, SiteCommand::Serve(serve));
    }
}

mod links;
