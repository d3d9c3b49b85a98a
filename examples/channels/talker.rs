//! A site's application: it sends what is numbered as fast as it is taken, and checks what comes.

use crate::driver::{Application, Hand};
use crate::ledger::Ledger;
use bytes::Bytes;
use handover::repmgr::Segments;
use handover::repmgr::channel::{self, Failure, MessageId, RequestId, RequestOptions, Response};
use handover::repmgr::dispatcher::{self, Handle};
use handover::repmgr::endpoint::{ChannelId, EndpointError, SiteCommand, SiteEvent};

/// How many messages or requests of one stream are under way at once.
const WINDOW: u32 = 64;
/// How far a stream may be ahead of the site's slowest, so that all of them are in their middle at the same time.
const LEAD: u32 = 64;

/// Where a stream comes from.
#[derive(Clone, Debug)]
pub struct Outlet {
    pub letter: char,
    pub channel: ChannelId,
    pub asks: bool,
    pub last: u32,
    /// Nothing beyond this number is sent until the stream is released.
    pub hold: u32,
    next: u32,
    under_way: u32,
}

impl Outlet {
    pub fn new(letter: char, channel: ChannelId, asks: bool, last: u32) -> Self {
        Self { letter, channel, asks, last, hold: last, next: 1, under_way: 0 }
    }
}

pub struct Talker {
    name: &'static str,
    ledger: Ledger,
    outlets: Vec<Outlet>,
}

/// What a message of this number consists of. The first part says which one it is, and, if it is a request, whether it
/// is to be answered with that part (`#`) or with all parts (`*`).
pub fn parts(letter: char, number: u32, all: bool) -> Segments {
    let mark = if all { '*' } else { '#' };
    let first = Bytes::from(format!("{mark}{letter}{number}"));
    let rest = (0..number % 4).map(|part| {
        // Some are empty, some are of a few hundred bytes.
        let size = (number * 37 + part * 101) % 500;
        (0..if size < 50 { 0 } else { size }).map(|at| (at + number).to_le_bytes()[0]).collect::<Bytes>()
    });
    std::iter::once(first).chain(rest).collect()
}

/// Every other request wants all parts back.
const fn wants_all(asks: bool, number: u32) -> bool {
    asks && number.is_multiple_of(2)
}

/// Letter and number of a message.
fn read(segments: &Segments) -> Option<(bool, char, u32)> {
    let first = std::str::from_utf8(segments.slice(0)?).ok()?;
    let mut chars = first.chars();
    let (mark, letter) = (chars.next()?, chars.next()?);
    Some((mark == '*', letter, chars.as_str().trim_end_matches('\0').parse().ok()?))
}

impl Talker {
    pub fn new(name: &'static str, ledger: Ledger) -> Self {
        Self { name, ledger, outlets: Vec::new() }
    }

    /// Starts a stream.
    pub fn start(&mut self, site: &mut Hand<'_>, outlet: Outlet) {
        self.outlets.push(outlet);
        self.send_all(site);
    }

    /// Lets all streams go on to their end.
    pub fn release(&mut self, site: &mut Hand<'_>) {
        self.outlets.iter_mut().for_each(|outlet| outlet.hold = outlet.last);
        self.send_all(site);
    }

    fn send_all(&mut self, site: &mut Hand<'_>) {
        let slowest = self.outlets.iter().map(|outlet| outlet.next - outlet.under_way).min().unwrap_or(0);
        for index in 0..self.outlets.len() {
            self.send(site, index, slowest + LEAD);
        }
    }

    /// Sends what the window allows, up to number `until`.
    fn send(&mut self, site: &mut Hand<'_>, index: usize, until: u32) {
        let outlet = &mut self.outlets[index];
        let Outlet { letter, channel, asks, .. } = *outlet;
        while outlet.under_way < WINDOW && outlet.next <= outlet.hold.min(until) {
            let number = outlet.next;
            let bulk = wants_all(asks, number);
            let segments = parts(letter, number, bulk);
            let result = site.command(match asks {
                true => {
                    let options = RequestOptions { bulk, ..RequestOptions::default() };
                    SiteCommand::Request { channel, id: RequestId(number), segments, options }
                }
                false => SiteCommand::Send { channel, id: MessageId(number), segments },
            });
            if let Err(error) = result {
                return self.ledger.note(letter, |stream| stream.failed.push(error.to_string()));
            }
            outlet.next += 1;
            outlet.under_way += 1;
            self.ledger.note(letter, |stream| stream.sent = number);
        }
    }

    /// Something of a channel's stream has come to its end.
    fn ended(&mut self, site: &mut Hand<'_>, channel: ChannelId, asks: bool, end: impl FnOnce(&Ledger, char)) {
        let is = |outlet: &Outlet| outlet.channel == channel && outlet.asks == asks;
        if let Some(index) = self.outlets.iter().position(is) {
            let outlet = &mut self.outlets[index];
            outlet.under_way -= 1;
            end(&self.ledger, outlet.letter);
            self.send_all(site);
        }
    }

    fn channel(&mut self, site: &mut Hand<'_>, channel: ChannelId, event: channel::Event) {
        match event {
            channel::Event::Sent(_) => self.ended(site, channel, false, |_, _| {}),
            channel::Event::Dropped { id: MessageId(number), reason } => {
                self.ended(site, channel, false, |ledger, letter| {
                    ledger.note(letter, |stream| stream.failed.push(format!("message {number}: {reason}")));
                });
            }
            channel::Event::Completed { id: RequestId(number), result } => {
                self.ended(site, channel, true, |ledger, letter| {
                    ledger.note(letter, |stream| match check(letter, number, result) {
                        Ok(()) => stream.answered += 1,
                        Err(what) => stream.failed.push(format!("request {number}: {what}")),
                    });
                });
            }
            _ => {}
        }
    }

    /// Notes what has come, answers it if it is a request, and is through with it.
    fn take(&mut self, site: &mut Hand<'_>, handle: Handle, segments: &Segments, asks: bool) {
        let Some((all, letter, number)) = read(segments) else {
            eprintln!("site {}: {segments:?} is nothing that is sent here", self.name);
            return;
        };
        // A real site sends nothing but the first part.
        let intact = segments.len() == 1 || *segments == parts(letter, number, all);
        self.ledger.note(letter, |stream| stream.arrive(self.name, number, intact));
        if asks {
            let segments = if all { segments.clone() } else { segments.iter().take(1).collect() };
            self.command(site, SiteCommand::Answer { handle, segments });
        }
        self.command(site, SiteCommand::Finish(handle));
    }

    fn command(&mut self, site: &mut Hand<'_>, command: SiteCommand) {
        if let Err(error) = site.command(command) {
            self.error(site, error);
        }
    }
}

/// Whether an answer is the right one.
fn check(letter: char, number: u32, result: Result<Response, Failure>) -> Result<(), String> {
    let all = wants_all(true, number);
    let sent = parts(letter, number, all);
    let right = match result.map_err(|failure| failure.to_string())? {
        Response::Single(payload) => !all && sent.slice(0) == Some(&*payload.0),
        Response::Bulk(segments) => all && segments == sent,
    };
    right.then_some(()).ok_or_else(|| "a wrong answer".to_owned())
}

impl Application for Talker {
    fn event(&mut self, site: &mut Hand<'_>, event: SiteEvent) {
        match event {
            SiteEvent::Channel { channel, event } => self.channel(site, channel, event),
            SiteEvent::Dispatch(dispatcher::Event::Message { handle, segments, .. }) => {
                self.take(site, handle, &segments, false);
            }
            SiteEvent::Dispatch(dispatcher::Event::Request { handle, segments, .. }) => {
                self.take(site, handle, &segments, true);
            }
            // What a lost link means to what is under way, its channel says.
            _ => {}
        }
    }

    fn error(&mut self, _: &mut Hand<'_>, error: EndpointError) {
        eprintln!("site {}: {error}", self.name);
    }
}
