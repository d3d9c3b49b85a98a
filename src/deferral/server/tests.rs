//! The items of spec/deferral.md 5, one by one.

mod admission;
mod line;
mod memory;
mod stopping;

use super::*;
use crate::deferral::ids::{DeferKind, RefusalCode, RequestFlags, RequestId, ServerAbilities, ServerId};
use crate::deferral::message::{Alternate, Command, CommandName, Defer, End, Queued, Refused};
use crate::deferral::uri::ServerUri;
use crate::error::{Error, Misuse};
use crate::frame::{Extensions, Text};
use crate::limits::DeferralLimits;
use crate::machine::Machine;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

const ONE: LinkId = LinkId(1);
const TWO: LinkId = LinkId(2);

const PLAIN: RequestFlags = RequestFlags::empty();
const PRIORITY: RequestFlags = RequestFlags::PRIORITY;
const READ: RequestFlags = RequestFlags::READ_ONLY;
const AGAIN: RequestFlags = RequestFlags::AGAIN;

fn uri(name: &str) -> ServerUri {
    alloc::format!("handover://{name}:7999").parse().unwrap()
}

fn command(name: &str) -> Command {
    Command { name: CommandName::new(name).unwrap(), arguments: Vec::from([Bytes::from_static(b"argument")]) }
}

/// The request of a number.
fn key(number: u8) -> RequestKey {
    RequestKey { id: RequestId([number; 16]), epoch: 0 }
}

fn request(number: u8, flags: RequestFlags) -> Request {
    Request { flags, ..Request::new(key(number), command("help")) }
}

fn alternate(name: &str, abilities: ServerAbilities) -> Alternate {
    Alternate { abilities, ..Alternate::new(uri(name)) }
}

/// A server that knows a reader, a writer, and one of which it does not know what it can.
fn config() -> Config {
    let (r, w) = (ServerAbilities::READ, ServerAbilities::WRITE);
    let alternates = [alternate("r", r), alternate("rw", r | w), alternate("x", ServerAbilities::empty())];
    Config { alternates: alternates.into(), id: ServerId([9; 16]), ..Config::default() }
}

/// One that knows nobody.
fn alone() -> Config {
    Config { alternates: Vec::new(), ..config() }
}

fn executing(number: u8) -> Message {
    Message::Executing(key(number).into())
}

fn cancelled(number: u8) -> Message {
    Message::Cancelled(key(number).into())
}

fn queued(number: u8, position: u32, millis: u32) -> Message {
    let estimate_ms = Some(millis);
    Message::Queued(Queued { key: key(number), position, estimate_ms, extensions: Extensions::NONE })
}

fn refused(number: u8, code: RefusalCode) -> Message {
    Message::Refused(Refused { key: key(number), code, text: Text::EMPTY, extensions: Extensions::NONE })
}

fn ended(number: u8, status: i32) -> Message {
    Message::End(End { key: key(number), status, text: Text::EMPTY, extensions: Extensions::NONE })
}

/// What was drained.
#[derive(Debug, Default, PartialEq)]
struct Drained {
    sent: Vec<(LinkId, Message)>,
    executes: Vec<(JobId, RequestKey)>,
    abandoned: Vec<JobId>,
    closed: Vec<LinkId>,
}

struct Bench {
    server: Server,
    now: Instant,
}

impl Bench {
    fn new(config: Config) -> Self {
        Self { server: Server::new(config), now: Instant::ZERO }
    }

    /// One that carries out the request 0 of the link 0, as the job 1, and knows others.
    fn at_work(config: Config) -> Self {
        let mut bench = Self::new(config);
        bench.asks(LinkId(0), request(0, PLAIN));
        let Drained { executes, .. } = bench.drain();
        assert_eq!(executes, [(JobId(1), key(0))]);
        bench
    }

    /// One where so many wait in line: request 1 of link 1, and so on.
    fn with_line(config: Config, waiting: u8) -> Self {
        let mut bench = Self::at_work(config);
        for number in 1..=waiting {
            bench.asks(LinkId(number.into()), request(number, PRIORITY));
        }
        bench.drain();
        assert_eq!(bench.server.queued(), usize::from(waiting));
        bench
    }

    fn give(&mut self, input: Input) -> Result<(), Error> {
        let before = self.server.clone();
        let result = self.server.handle(self.now, input);
        if matches!(result, Err(Error::Misuse(_))) {
            assert!(before == self.server, "a misuse changes nothing");
        }
        result
    }

    fn fine(&mut self, input: Input) {
        self.give(input).unwrap();
    }

    fn asks(&mut self, link: LinkId, request: Request) {
        let message = Message::Request(Box::new(request));
        self.fine(Input::Message { link, message, random: 5 });
    }

    fn cancels(&mut self, link: LinkId, number: u8) {
        let message = Message::Cancel(key(number).into());
        self.fine(Input::Message { link, message, random: 5 });
    }

    fn ends(&mut self, job: u32) {
        self.fine(Input::End { job: JobId(job), status: 7, text: Text::EMPTY });
    }

    fn data(&mut self, job: u32) {
        self.fine(Input::Data { job: JobId(job), bytes: Bytes::from_static(b"piece") });
    }

    fn passes(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
    }

    fn drain(&mut self) -> Drained {
        let mut drained = Drained::default();
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Send { link, message } => drained.sent.push((link, message)),
                Output::Close(link) => drained.closed.push(link),
                Output::Event(Event::Execute(job)) => drained.executes.push((job.id, job.key)),
                Output::Event(Event::Abandoned(job)) => drained.abandoned.push(job),
            }
        }
        drained
    }

    /// What was said, of which nothing but messages has come.
    fn says(&mut self) -> Vec<(LinkId, Message)> {
        let Drained { sent, executes, abandoned, closed } = self.drain();
        assert_eq!((executes, abandoned, closed), (Vec::new(), Vec::new(), Vec::new()));
        sent
    }

    /// The deferral that is the only thing that was said.
    fn defers(&mut self) -> Defer {
        match &self.says()[..] {
            [(_, Message::Defer(defer))] => (**defer).clone(),
            other => panic!("{other:?}"),
        }
    }
}

/// The names of alternates, sorted.
fn names(alternates: &[Alternate]) -> Vec<alloc::string::String> {
    let mut names: Vec<_> = alternates.iter().map(|one| one.uri.host().into()).collect();
    names.sort();
    names
}
