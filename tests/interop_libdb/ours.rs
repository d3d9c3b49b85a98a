//! Our site: a [`SiteEndpoint`] under the driver, with an application that does what the first segment of a message
//! says, as the real site's does.
//!
//! [`SiteEndpoint`]: handover::repmgr::endpoint::SiteEndpoint

use crate::driver::{Application, Hand, Site};
use crate::log::{Log, PATIENCE};
use crate::support::libdb::pattern;
use bytes::Bytes;
use handover::error::{Error, Misuse};
use handover::machine::LinkId;
use handover::repmgr::channel::{self, Failure, MessageId, RequestId, RequestOptions, RequestTimeout, Response, To};
use handover::repmgr::dispatcher::{self, Handle};
use handover::repmgr::endpoint::{ChannelId, EndpointError, LinkEvent, SiteCommand, SiteConfig, SiteEvent};
use handover::repmgr::own::OwnMessage;
use handover::repmgr::{Segments, SiteAddress};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What a site has seen and done.
#[derive(Clone, Debug)]
pub enum Note {
    Channel(ChannelId, channel::Event),
    /// A message or request was given to the application.
    Dispatch(Dispatch),
    /// The application has sent something: what the endpoint says to it.
    Answered(Result<(), String>),
    /// Anything else of the dispatcher.
    Dispatcher(dispatcher::Event),
    Link(LinkEvent),
    /// What the endpoint reports beside its outputs. Few tests expect any.
    Error(String),
    /// A flood has been told to wait.
    Full,
}

#[derive(Clone, Debug)]
pub struct Dispatch {
    pub request: bool,
    pub segments: Segments,
    pub bulk: bool,
    pub limit: Option<u32>,
}

/// Numbered messages, as they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbered {
    pub fresh: u32,
    pub repeated: u32,
    pub late: u32,
    pub highest: u32,
}

#[derive(Default)]
pub struct Numbers {
    seen: BTreeSet<u32>,
    counts: Numbered,
}

impl Numbers {
    pub fn count(&mut self, number: u32) {
        let counts = &mut self.counts;
        if !self.seen.insert(number) {
            counts.repeated += 1;
            return;
        }
        counts.fresh += 1;
        counts.late += u32::from(number < counts.highest);
        counts.highest = counts.highest.max(number);
    }
}

/// Numbered messages that are sent as fast as they are taken.
struct Flood {
    letter: char,
    next: u32,
    last: u32,
    size: usize,
}

/// The application.
pub struct Behaving {
    log: Log<Note>,
    open: BTreeSet<String>,
    /// Requests that wait at a gate, with what is to be answered.
    gates: BTreeMap<String, Vec<Handle>>,
    numbers: BTreeMap<char, Numbers>,
    floods: BTreeMap<ChannelId, Flood>,
    /// Whether what comes is put off, and what was.
    busy: bool,
    put_off: VecDeque<(Handle, Dispatch)>,
    /// Answers for which there was no room.
    refused: VecDeque<(Handle, Segments)>,
    /// Where a site that wants to join is sent.
    master: Option<u16>,
}

impl Application for Behaving {
    fn event(&mut self, site: &mut Hand<'_>, event: SiteEvent) {
        match event {
            SiteEvent::Channel { channel, event } => {
                let goes_on = matches!(event, channel::Event::Sent(_) | channel::Event::Dropped { .. });
                self.log.push(site.now(), Note::Channel(channel, event));
                if goes_on {
                    self.flood(site, channel, 1);
                }
            }
            SiteEvent::Dispatch(dispatcher::Event::Message { handle, segments, .. }) => {
                self.take(site, handle, Dispatch { request: false, segments, bulk: false, limit: None });
            }
            SiteEvent::Dispatch(dispatcher::Event::Request { handle, segments, bulk, limit, .. }) => {
                self.take(site, handle, Dispatch { request: true, segments, bulk, limit });
            }
            SiteEvent::Dispatch(event) => self.log.push(site.now(), Note::Dispatcher(event)),
            SiteEvent::Link { link, event } => {
                if let (LinkEvent::MembershipRequest(_), Some(port)) = (&event, self.master) {
                    let answer = OwnMessage::Forward { master: address(port), generation: 1 };
                    self.command(site, SiteCommand::AnswerMembership { link, answer });
                }
                self.log.push(site.now(), Note::Link(event));
            }
            other => unreachable!("a new kind of event: {other:?}"),
        }
    }

    fn error(&mut self, site: &mut Hand<'_>, error: EndpointError) {
        self.log.push(site.now(), Note::Error(error.to_string()));
    }

    fn drained(&mut self, site: &mut Hand<'_>, _: LinkId) {
        for (handle, segments) in std::mem::take(&mut self.refused) {
            if self.answer(site, handle, true, segments) {
                self.command(site, SiteCommand::Finish(handle));
            }
        }
    }
}

impl Behaving {
    fn take(&mut self, site: &mut Hand<'_>, handle: Handle, dispatch: Dispatch) {
        if self.busy {
            self.put_off.push_back((handle, dispatch));
        } else {
            self.dispatch(site, handle, dispatch);
        }
    }

    fn dispatch(&mut self, site: &mut Hand<'_>, handle: Handle, dispatch: Dispatch) {
        let first = String::from_utf8_lossy(dispatch.segments.slice(0).unwrap_or_default()).into_owned();
        let numbered = first.starts_with('#');
        if numbered {
            self.count(&first);
        }
        let request = dispatch.request;
        if !numbered {
            self.log.push(site.now(), Note::Dispatch(dispatch.clone()));
        }
        let (what, argument) = first.split_once(':').unwrap_or((&first, ""));
        if what == "gate" && !self.open.contains(argument) {
            return self.gates.entry(argument.to_owned()).or_default().push(handle);
        }
        let answers: Vec<Segments> = match what {
            "echo" => vec![dispatch.segments.iter().skip(1).collect()],
            "none" => vec![],
            "big" => vec![Segments::one(pattern(argument.parse().unwrap()))],
            "multi" => vec![multi(argument.parse().unwrap())],
            "two" => vec![Segments::one("first"), Segments::one("second")],
            "zero" => vec![Segments::EMPTY],
            "empty" => vec![Segments::one("")],
            "reply" => (0..argument.parse().unwrap()).map(|n: u32| Segments::one(format!("reply{n}"))).collect(),
            _ if request => vec![dispatch.segments.iter().take(1).collect()],
            _ => vec![],
        };
        let mut room = true;
        for segments in answers {
            room &= self.answer(site, handle, request, segments);
        }
        if room {
            self.command(site, SiteCommand::Finish(handle));
        }
    }

    fn count(&mut self, text: &str) {
        let letter = text.chars().nth(1).unwrap();
        let digits: String = text.chars().skip(2).take_while(char::is_ascii_digit).collect();
        self.numbers.entry(letter).or_default().count(digits.parse().unwrap());
    }

    /// Whether it needs no other attempt.
    fn answer(&mut self, site: &mut Hand<'_>, handle: Handle, request: bool, segments: Segments) -> bool {
        let result = site.command(match request {
            true => SiteCommand::Answer { handle, segments: segments.clone() },
            false => SiteCommand::Reply { handle, segments: segments.clone() },
        });
        let room = !matches!(result, Err(EndpointError::Machine(Error::Misuse(Misuse::Limit(_)))));
        if !room {
            self.refused.push_back((handle, segments));
        }
        self.log.push(site.now(), Note::Answered(result.map_err(|error| error.to_string())));
        room
    }

    /// A command that must succeed.
    fn command(&self, site: &mut Hand<'_>, command: SiteCommand) {
        if let Err(error) = site.command(command) {
            self.log.push(site.now(), Note::Error(error.to_string()));
        }
    }

    /// Sends so many messages of a flood, if there is room; whether it is to go on.
    fn flood(&mut self, site: &mut Hand<'_>, channel: ChannelId, count: u32) -> bool {
        let Some(flood) = self.floods.get_mut(&channel) else { return false };
        for _ in 0..count {
            if flood.next > flood.last {
                return false;
            }
            let mut segment = format!("#{}{}", flood.letter, flood.next).into_bytes();
            segment.resize(segment.len().max(flood.size), 0);
            let (id, segments) = (MessageId(flood.next), Segments::one(segment));
            if site.command(SiteCommand::Send { channel, id, segments }).is_err() {
                self.log.push(site.now(), Note::Full);
                return false;
            }
            flood.next += 1;
        }
        true
    }

    /// Answers those who wait at a gate, the last one first, with what they have sent.
    fn open_gate(&mut self, site: &mut Hand<'_>, name: &str) {
        self.open.insert(name.to_owned());
        for handle in self.gates.remove(name).unwrap_or_default().into_iter().rev() {
            if self.answer(site, handle, true, Segments::one(format!("gate:{name}"))) {
                self.command(site, SiteCommand::Finish(handle));
            }
        }
    }
}

/// What `multi:K` answers.
pub fn multi(count: usize) -> Segments {
    (0..count).map(|n| if n == 1 { Bytes::new() } else { Bytes::from(format!("part{n}")) }).collect()
}

/// Our site as the tests hold it. Dropping it ends it.
pub struct Ours {
    site: Site<Behaving>,
    pub log: Log<Note>,
    last_id: AtomicU32,
    /// How many notes were looked at for something that is returned once.
    looked: AtomicU32,
}

impl Ours {
    pub fn start() -> Self {
        Self::start_with(SiteConfig::default())
    }

    pub fn start_with(config: SiteConfig) -> Self {
        let log = Log::new("our site");
        let behaving = Behaving {
            log: log.clone(),
            open: BTreeSet::new(),
            gates: BTreeMap::new(),
            numbers: BTreeMap::new(),
            floods: BTreeMap::new(),
            busy: false,
            put_off: VecDeque::new(),
            refused: VecDeque::new(),
            master: None,
        };
        let site = Site::start(config, behaving).unwrap();
        Self { site, log, last_id: AtomicU32::new(0), looked: AtomicU32::new(0) }
    }

    pub fn port(&self) -> u16 {
        self.site.port()
    }

    fn id(&self) -> u32 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    #[track_caller]
    pub fn with<T: Send + 'static>(&self, work: impl FnOnce(&mut Hand<'_>, &mut Behaving) -> T + Send + 'static) -> T {
        self.site.with(work).unwrap_or_else(|| panic!("our site has panicked\n{}", self.log))
    }

    /// What the endpoint says to a command.
    #[track_caller]
    pub fn try_command(&self, command: SiteCommand) -> Result<(), String> {
        self.with(|site, _| site.command(command).map_err(|error| error.to_string()))
    }

    /// A command that must succeed.
    #[track_caller]
    pub fn command(&self, command: SiteCommand) {
        let name = format!("{command:?}");
        self.try_command(command).unwrap_or_else(|error| panic!("{name}: {error}\n{}", self.log));
    }

    #[track_caller]
    pub fn open(&self, to: To) -> ChannelId {
        let channel = ChannelId(self.id());
        self.command(SiteCommand::OpenChannel { channel, to });
        channel
    }

    /// A channel to the site at a port of this machine.
    #[track_caller]
    pub fn open_to(&self, port: u16) -> ChannelId {
        self.open(To::Site(address(port)))
    }

    #[track_caller]
    pub fn send(&self, channel: ChannelId, segments: impl Into<Segments>) -> MessageId {
        let id = MessageId(self.id());
        self.command(SiteCommand::Send { channel, id, segments: segments.into() });
        id
    }

    #[track_caller]
    pub fn request(&self, channel: ChannelId, segments: Segments, options: RequestOptions) -> RequestId {
        let id = RequestId(self.id());
        self.command(SiteCommand::Request { channel, id, segments, options });
        id
    }

    /// Waits for what becomes of a request.
    #[track_caller]
    pub fn completed(&self, request: RequestId) -> Result<Response, Failure> {
        self.log.wait("the answer", |note| match note {
            Note::Channel(_, channel::Event::Completed { id, result }) if *id == request => Some(result.clone()),
            _ => None,
        })
    }

    /// Asks for one segment.
    #[track_caller]
    pub fn ask(&self, channel: ChannelId, segments: Segments) -> Result<Vec<u8>, Failure> {
        let request = self.request(channel, segments, RequestOptions::default());
        self.completed(request).map(single)
    }

    /// Waits for an event of a channel, of all that have come.
    #[track_caller]
    pub fn wait_channel(&self, channel: ChannelId, what: &str, is: impl Fn(&channel::Event) -> bool) -> channel::Event {
        self.log.wait(what, |note| match note {
            Note::Channel(of, event) if *of == channel && is(event) => Some(event.clone()),
            _ => None,
        })
    }

    /// Waits for the next note that `find` finds something in; each note is looked at once.
    #[track_caller]
    pub fn next<T>(&self, what: &str, mut find: impl FnMut(&Note) -> Option<T>) -> T {
        let from = self.looked.load(Ordering::Relaxed);
        let mut place = from;
        let found = self.log.wait_after(from.try_into().unwrap(), what, |note| {
            place += 1;
            find(note)
        });
        self.looked.store(place, Ordering::Relaxed);
        found
    }

    #[track_caller]
    pub fn next_dispatch(&self) -> Dispatch {
        self.next("a message", |note| if let Note::Dispatch(dispatch) = note { Some(dispatch.clone()) } else { None })
    }

    #[track_caller]
    pub fn next_answered(&self) -> Result<(), String> {
        self.next("an answer", |note| if let Note::Answered(result) = note { Some(result.clone()) } else { None })
    }

    #[track_caller]
    pub fn open_gate(&self, name: &'static str) {
        self.with(move |site, behaving| behaving.open_gate(site, name));
    }

    #[track_caller]
    pub fn numbered(&self, letter: char) -> Numbered {
        self.with(move |_, behaving| behaving.numbers.entry(letter).or_default().counts)
    }

    /// Waits until so many different numbered messages have come.
    #[track_caller]
    pub fn wait_numbered(&self, letter: char, count: u32) -> Numbered {
        self.wait_until("numbered messages", count, |ours| ours.numbered(letter).fresh);
        self.numbered(letter)
    }

    #[track_caller]
    fn wait_until<T: PartialOrd + Debug>(&self, what: &str, least: T, mut look: impl FnMut(&Self) -> T) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = look(self);
            if found >= least {
                return found;
            }
            assert!(Instant::now() < end, "{found:?} {what} instead of {least:?}\n{}", self.log);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Puts off whatever comes from now on.
    #[track_caller]
    pub fn be_busy(&self) {
        self.with(|_, behaving| behaving.busy = true);
    }

    /// Does what was put off, one after the other, and then what comes.
    #[track_caller]
    pub fn catch_up(&self) {
        let next = |site: &mut Hand<'_>, behaving: &mut Behaving| match behaving.put_off.pop_front() {
            Some((handle, dispatch)) => {
                behaving.dispatch(site, handle, dispatch);
                true
            }
            None => {
                behaving.busy = false;
                false
            }
        };
        while self.with(next) {}
    }

    /// Waits until at least so many messages and requests are put off, and says how many there are.
    #[track_caller]
    pub fn wait_put_off(&self, count: usize) -> usize {
        self.wait_until("put off", count, |ours| ours.with(|_, behaving| behaving.put_off.len()))
    }

    /// Sends sites that want to join to this one.
    #[track_caller]
    pub fn forward_to(&self, port: u16) {
        self.with(move |_, behaving| behaving.master = Some(port));
    }

    /// Sends numbered messages as fast as they are taken: until there is no room, and then one for each that is sent.
    #[track_caller]
    pub fn flood(&self, channel: ChannelId, letter: char, count: u32, size: usize) {
        let flood = Flood { letter, next: 1, last: count, size };
        self.with(move |_, behaving| behaving.floods.insert(channel, flood));
        while self.with(move |site, behaving| behaving.flood(site, channel, 16)) {}
    }

    /// The same for a site that takes nothing: until there is no room, and `more` behind that. Says how many these are.
    #[track_caller]
    pub fn flood_until_full(&self, channel: ChannelId, letter: char, size: usize, more: u32) -> u32 {
        let flood = Flood { letter, next: 1, last: u32::MAX, size };
        self.with(move |_, behaving| behaving.floods.insert(channel, flood));
        let turn = move |site: &mut Hand<'_>, behaving: &mut Behaving| {
            if behaving.flood(site, channel, 16) {
                assert!(behaving.floods[&channel].next < 20_000, "there is room for everything");
                return None;
            }
            let flood = behaving.floods.get_mut(&channel)?;
            flood.last = flood.next - 1 + more;
            Some(flood.last)
        };
        loop {
            if let Some(count) = self.with(turn) {
                return count;
            }
        }
    }

    /// What the endpoint has reported beside its outputs.
    pub fn errors(&self) -> Vec<String> {
        let error = |note| if let Note::Error(error) = note { Some(error) } else { None };
        self.log.all().into_iter().filter_map(error).collect()
    }

    /// Ends it: it has seen no error.
    #[track_caller]
    pub fn finish(self) {
        assert!(self.errors().is_empty(), "{}", self.log);
        let log = self.log.clone();
        assert!(self.site.quit().is_some(), "our site has panicked\n{log}");
    }
}

/// Where a site of this machine listens.
pub fn address(port: u16) -> SiteAddress {
    SiteAddress::new("127.0.0.1", port).unwrap()
}

/// Segments of bytes or text.
pub fn parts<const N: usize>(parts: [&[u8]; N]) -> Segments {
    parts.map(Bytes::copy_from_slice).into_iter().collect()
}

/// The only segment of an answer.
#[track_caller]
pub fn single(response: Response) -> Vec<u8> {
    match response {
        Response::Single(payload) => payload.0.to_vec(),
        Response::Bulk(segments) => panic!("{segments:?}"),
    }
}

/// The segments of an answer.
#[track_caller]
pub fn bulk(response: Response) -> Segments {
    match response {
        Response::Bulk(segments) => segments,
        Response::Single(payload) => panic!("{payload:?}"),
    }
}

/// A request that may take so long.
pub fn within(millis: u64) -> RequestOptions {
    RequestOptions { timeout: RequestTimeout::After(Duration::from_millis(millis)), ..RequestOptions::default() }
}
