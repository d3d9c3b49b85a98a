//! What a link must do: what has been said and heard, as spec/frame.md 3 to 5 and the properties F4 to F10 have it.

use crate::frame::link::{Config, Ending, Event, Input, Link, Output};
use crate::frame::{Frame, FrameFlags, Protocol, Settled};
use crate::machine::Machine as _;
use crate::testing::frame::reference::Reader::{KnowsAll, KnowsNone};
use crate::testing::frame::reference::{self, CloseParts, HelloParts, Parts, Refused};
use crate::testing::trial::{Expected, Reference};
use crate::time::Instant;
use core::fmt;
use std::format;
use std::string::String;
use std::vec::Vec;

/// Something that is said, done or told, in the words of the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    /// A hello is sent.
    Hello(HelloParts),
    /// A close is sent.
    Close(CloseParts),
    /// Another frame is sent.
    Sent(Parts),
    /// The transport is closed.
    Shut,
    /// Both hellos are there.
    Ready(Vec<(u8, u16, u64)>, HelloParts),
    /// A frame is handed on.
    Got(Parts),
    /// The link is over.
    Ended(Who),
}

/// Who has ended a link.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    They(CloseParts),
    We(u16),
    Nobody,
}

/// What an input is, beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Refused,
    Fine,
    /// And the reason that is said.
    Violation(u16),
}

/// The reasons of 4.2.
const NOTHING_IN_COMMON: u16 = 2;
const MALFORMED: u16 = 3;
const VIOLATION: u16 = 4;
const UNKNOWN: u16 = 5;
const TIMED_OUT: u16 = 6;
const LIMIT: u16 = 7;

/// The largest message of the link itself (1.4).
const LARGEST: usize = 8192;

/// The reference model of a [`Link`].
#[derive(Clone, Debug)]
pub struct LinkModel {
    config: Config,
    /// What we say, or would.
    ours: HelloParts,
    now: Instant,
    due: Option<Instant>,
    opened: bool,
    theirs: Option<HelloParts>,
    over: bool,
    /// What has come out so far.
    hellos: u32,
    closes: u32,
    ends: u32,
}

impl LinkModel {
    /// The model of a link with these settings whose transport has been dialled at the beginning of time.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut ours = reference::hello_parts(&config.hello);
        // 1.4: a hello says no more than is taken, which every end has to make 1024 at least.
        let taken = config.limits.frame.max(1024);
        if ours.0 > taken {
            ours.0 = taken;
        }
        let due = Some(Instant::ZERO.saturating_add(config.open_timeout));
        let now = Instant::ZERO;
        Self { config, ours, now, due, opened: false, theirs: None, over: false, hellos: 0, closes: 0, ends: 0 }
    }

    /// 3.1: what may be said at all.
    fn can_greet(&self) -> bool {
        let (max_body, _, identity, agent, offers, extensions) = &self.ours;
        let once = |protocol| offers.iter().filter(|offer| offer.0 == protocol).count() == 1;
        let good = offers.iter().all(|&(protocol, min, max, _)| protocol != 0 && once(protocol) && min <= max);
        let size = 11 + identity.len() + agent.len() + 13 * offers.len() + size_of(extensions);
        *max_body >= 1024 && offers.len() < 256 && good && size <= LARGEST
    }

    fn settled(&self) -> Vec<(u8, u16, u64)> {
        self.theirs.as_ref().map(|theirs| reference::settled(&self.ours, theirs)).unwrap_or_default()
    }

    fn carries(&self, protocol: Protocol) -> bool {
        let spoken = self.settled().iter().any(|spoken| spoken.0 == protocol.0);
        protocol.0 != 0 && (spoken || self.config.pass_on)
    }

    fn may_send(&self, frame: &Frame) -> bool {
        let fits = |theirs: &HelloParts| frame.body.len() as u64 <= u64::from(theirs.0);
        !self.over && self.theirs.as_ref().is_some_and(fits) && self.carries(frame.protocol)
    }

    fn verdict(&self, input: &Input) -> Verdict {
        let fine = match input {
            Input::Timeout => true,
            _ if self.over => false,
            Input::Opened => !self.opened && self.can_greet(),
            Input::Frame(frame) if self.opened => return self.arrives(frame),
            Input::Frame(_) => false,
            Input::Malformed(_) => self.opened,
            Input::Send(frame) => self.may_send(frame),
            Input::Close(close) => {
                let (_, text, extensions) = reference::close_parts(close);
                3 + text.len() + size_of(&extensions) <= LARGEST
            }
            Input::Closed => true,
        };
        if fine { Verdict::Fine } else { Verdict::Refused }
    }

    /// 5.2: what a frame is.
    fn arrives(&self, frame: &Frame) -> Verdict {
        let read =
            |refused: Option<Refused>| refused.map_or(Verdict::Fine, |(_, kind)| Verdict::Violation(reason(kind)));
        match (frame.protocol.0, frame.kind, self.theirs.is_some()) {
            (0, 1, false) => read(reference::hello(&frame.body, KnowsNone).err()),
            (0, 2, _) => read(reference::close(&frame.body, KnowsNone).err()),
            (0, 1, true) | (_, _, false) => Verdict::Violation(VIOLATION),
            (0, _, true) if frame.flags.bits() % 2 == 1 => Verdict::Violation(UNKNOWN),
            (0, _, true) => Verdict::Fine,
            _ if frame.body.len() as u64 > u64::from(self.ours.0) => Verdict::Violation(LIMIT),
            _ if self.carries(frame.protocol) => Verdict::Fine,
            _ => Verdict::Violation(UNKNOWN),
        }
    }

    /// What must come of an input that is not refused.
    fn consequences(&mut self, now: Instant, input: &Input) -> Vec<Seen> {
        let after = self.now.max(now);
        if *input == Input::Timeout && self.due.is_none_or(|due| after < due) {
            return Vec::new();
        }
        self.now = after;
        match (self.verdict(input), input) {
            (Verdict::Violation(reason), _) => self.finish(Some((reason, String::new(), Vec::new())), true),
            (_, Input::Opened) => {
                self.opened = true;
                self.due = Some(after.saturating_add(self.config.hello_timeout));
                Vec::from([Seen::Hello(self.ours.clone())])
            }
            (_, Input::Timeout) => self.finish(Some((TIMED_OUT, String::new(), Vec::new())), true),
            (_, Input::Malformed(error)) => {
                self.finish(Some((reason(error.kind.name()), String::new(), Vec::new())), true)
            }
            (_, Input::Close(close)) => self.finish(Some(reference::close_parts(close)), true),
            (_, Input::Closed) => self.finish(None, false),
            (_, Input::Send(frame)) => Vec::from([Seen::Sent(reference::parts(frame))]),
            (_, Input::Frame(frame)) => self.take(frame),
        }
    }

    fn take(&mut self, frame: &Frame) -> Vec<Seen> {
        match (frame.protocol.0, frame.kind) {
            (0, 1) => {
                self.theirs = reference::hello(&frame.body, KnowsNone).ok();
                let settled = self.settled();
                if settled.is_empty() {
                    return self.finish(Some((NOTHING_IN_COMMON, String::new(), Vec::new())), true);
                }
                self.due = None;
                self.theirs.iter().map(|theirs| Seen::Ready(settled.clone(), theirs.clone())).collect()
            }
            (0, 2) => {
                let close = reference::close(&frame.body, KnowsNone).unwrap_or_default();
                self.over = true;
                self.due = None;
                Vec::from([Seen::Shut, Seen::Ended(Who::They(close))])
            }
            (0, _) => Vec::new(),
            _ => Vec::from([Seen::Got(reference::parts(frame))]),
        }
    }

    /// We close, for this reason and with these words; or the transport is gone.
    fn finish(&mut self, close: Option<CloseParts>, shut: bool) -> Vec<Seen> {
        self.over = true;
        self.due = None;
        let who = close.as_ref().map_or(Who::Nobody, |close| Who::We(close.0));
        let said = close.filter(|_| self.opened).map(Seen::Close);
        said.into_iter().chain(shut.then_some(Seen::Shut)).chain([Seen::Ended(who)]).collect()
    }

    /// What has come out, in the words of the reference.
    fn seen(output: &Output) -> Result<Seen, String> {
        let of_link = |frame: &Frame| frame.protocol == Protocol::LINK;
        let said = |(field, kind): Refused| format!("F4: it says what nobody reads: {field}, {kind}");
        Ok(match output {
            Output::Send(frame) if of_link(frame) && frame.kind == 1 && frame.flags == FrameFlags::CRITICAL => {
                // What we say ourselves may be critical: that is for the other end to know.
                Seen::Hello(reference::hello(&frame.body, KnowsAll).map_err(said)?)
            }
            Output::Send(frame) if of_link(frame) && frame.kind == 2 && frame.flags == FrameFlags::empty() => {
                Seen::Close(reference::close(&frame.body, KnowsAll).map_err(said)?)
            }
            Output::Send(frame) => Seen::Sent(reference::parts(frame)),
            Output::Close => Seen::Shut,
            Output::Event(Event::Ready(settled)) => ready(settled),
            Output::Event(Event::Frame(frame)) => Seen::Got(reference::parts(frame)),
            Output::Event(Event::Closed(Ending::Peer(close))) => Seen::Ended(Who::They(reference::close_parts(close))),
            Output::Event(Event::Closed(Ending::Local(reason))) => Seen::Ended(Who::We(reason.0)),
            Output::Event(Event::Closed(Ending::Lost)) => Seen::Ended(Who::Nobody),
        })
    }

    /// F4 and F8, by what has gone out.
    fn count(&mut self, seen: &[Seen]) -> Result<(), String> {
        for seen in seen {
            if self.ends > 0 {
                return broken("F8", format_args!("{seen:?} comes behind the end"));
            }
            if self.closes > 0 && !matches!(seen, Seen::Shut | Seen::Ended(_)) {
                return broken("F4", format_args!("{seen:?} comes behind the close"));
            }
            if self.hellos == 0 && matches!(seen, Seen::Close(_) | Seen::Sent(_)) {
                return broken("F4", format_args!("{seen:?} comes before the hello"));
            }
            self.hellos += u32::from(matches!(seen, Seen::Hello(_)));
            self.closes += u32::from(matches!(seen, Seen::Close(_)));
            self.ends += u32::from(matches!(seen, Seen::Ended(_)));
        }
        if self.hellos > 1 { broken("F4", format_args!("a second hello")) } else { Ok(()) }
    }

    fn check_getters(&self, machine: &Link) -> Result<(), String> {
        let settled = machine.settled().map(ready);
        let expected = self.theirs.clone().map(|theirs| Seen::Ready(self.settled(), theirs));
        // Where nothing was in common, nothing was settled.
        let expected = expected.filter(|ready| !matches!(ready, Seen::Ready(settled, _) if settled.is_empty()));
        if settled != expected {
            return broken("F5", format_args!("it has settled {settled:?}, not {expected:?}"));
        }
        for protocol in [0, 1, 2, 3, 98, 200, 255].map(Protocol) {
            for size in [0, 1024, 1025] {
                let body = std::vec![0; size].into();
                let frame = Frame { protocol, kind: 0, flags: FrameFlags::empty(), body };
                if machine.check(&frame).is_ok() != self.may_send(&frame) {
                    return broken("F6", format_args!("it may send {frame:?}: {:?}", machine.check(&frame)));
                }
            }
        }
        Ok(())
    }
}

impl Reference<Link, Input> for LinkModel {
    fn expect(&self, input: &Input) -> Option<Expected> {
        Some(match self.verdict(input) {
            Verdict::Refused => Expected::Misuse,
            Verdict::Fine => Expected::Fine,
            Verdict::Violation(_) => Expected::Violation,
        })
    }

    fn follow(&mut self, now: Instant, input: &Input, outputs: &[Output], machine: &Link) -> Result<(), String> {
        let must = self.consequences(now, input);
        let seen: Vec<Seen> = outputs.iter().map(Self::seen).collect::<Result<_, _>>()?;
        if let Some(at) = (0..must.len().max(seen.len())).find(|&at| must.get(at) != seen.get(at)) {
            let first = seen.get(at).or_else(|| must.get(at)).map_or("F4", property);
            return broken(first, format_args!("what came out is {seen:?}, not {must:?}"));
        }
        self.count(&seen)?;
        if machine.poll_timeout() != self.due {
            return broken("F10", format_args!("the deadline is {:?}, not {:?}", machine.poll_timeout(), self.due));
        }
        self.check_getters(machine)
    }

    fn at_rest(&self, machine: &Link) -> Result<(), String> {
        if self.ends != 1 {
            return broken("F8", format_args!("the link has ended {} times: {machine:?}", self.ends));
        }
        Ok(())
    }
}

/// A property does not hold.
fn broken(property: &str, why: fmt::Arguments<'_>) -> Result<(), String> {
    Err(format!("{property}: {why}"))
}

/// The property that a difference is about.
fn property(seen: &Seen) -> &'static str {
    match seen {
        Seen::Hello(_) | Seen::Close(_) | Seen::Shut => "F4",
        Seen::Ready(..) => "F5",
        Seen::Sent(_) => "F6",
        Seen::Got(_) => "F7",
        Seen::Ended(_) => "F8",
    }
}

/// 5.3.
fn reason(kind: &str) -> u16 {
    match kind {
        "limit" => LIMIT,
        "unsupported" => UNKNOWN,
        _ => MALFORMED,
    }
}

fn ready(settled: &Settled) -> Seen {
    let spoken = settled.spoken.iter().map(|spoken| (spoken.protocol.0, spoken.version, spoken.capabilities.bits()));
    Seen::Ready(spoken.collect(), reference::hello_parts(&settled.peer))
}

/// How many bytes extensions take.
fn size_of(extensions: &[(u16, Vec<u8>)]) -> usize {
    extensions.iter().map(|(_, value)| 4 + value.len()).sum()
}
