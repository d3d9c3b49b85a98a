//! The items of spec/deferral.md 4, one by one.

mod answers;
mod cancel;
mod limits;
mod lost;
mod misuse;
mod order;
mod policy;

use super::*;
use crate::deferral::ids::{DeferKind, RefusalCode, RequestFlags, RequestId, ServerAbilities};
use crate::deferral::message::{Alternate, CommandName, Data, Defer, End, Message, Queued, Refused, Request, Signal};
use crate::error::{Error, Violation};
use crate::frame::{Extensions, Text};
use crate::machine::Machine;
use alloc::boxed::Box;
use core::time::Duration;

const ALL: [State; 7] =
    [State::Pausing, State::Dialling, State::Waiting, State::Queued, State::Executing, State::Asking, State::Ended];

fn uri(name: &str) -> ServerUri {
    let text = if name.contains("://") { name.into() } else { alloc::format!("handover://{name}:7999") };
    text.parse().unwrap()
}

fn uris(names: &[&str]) -> Vec<ServerUri> {
    names.iter().map(|name| uri(name)).collect()
}

fn command(name: &str) -> Command {
    Command { name: CommandName::new(name).unwrap(), arguments: Vec::from([Bytes::from_static(b"argument")]) }
}

fn task(names: &[&str]) -> Task {
    Task::new(RequestId([7; 16]), uris(names), command("help"))
}

fn harmless(names: &[&str]) -> Task {
    Task { read_only: true, ..task(names) }
}

fn idempotent(names: &[&str]) -> Task {
    Task { idempotent: true, ..task(names) }
}

/// Any host may be named.
fn anywhere() -> Config {
    let policy = Policy { hosts: Hosts::Any, ..Policy::default() };
    Config { policy, ..Config::default() }
}

fn id(number: u8) -> ServerId {
    ServerId([number; 16])
}

fn peer(number: u8, memory: Option<u32>) -> Peer {
    Peer { id: id(number), memory, max_body: None }
}

fn defer(kind: DeferKind, names: &[&str]) -> Defer {
    Defer {
        key: RequestKey { id: RequestId([7; 16]), epoch: 0 },
        kind,
        server: ServerId::UNKNOWN,
        reason: Text::fitting("a reason"),
        queue_length: None,
        estimate_ms: None,
        retry_after_ms: None,
        receipt: Bytes::new(),
        alternates: uris(names).into_iter().map(Alternate::new).collect(),
        next: (kind == DeferKind::CONTINUE).then(|| command("next")),
        next_flags: RequestFlags::empty(),
        extensions: Extensions::NONE,
    }
}

/// What was drained.
#[derive(Debug, Default)]
struct Drained {
    dials: Vec<ServerUri>,
    sent: Vec<Message>,
    closed: Vec<LinkId>,
    events: Vec<Event>,
}

/// A client, and the last link that it has asked for.
struct Bench {
    client: Client,
    now: Instant,
    link: LinkId,
}

impl Bench {
    fn new(config: Config, task: Task) -> Self {
        Self { client: Client::new(config, task, Instant::ZERO).unwrap(), now: Instant::ZERO, link: LinkId(0) }
    }

    /// A client of these servers, which may be sent anywhere.
    fn of(names: &[&str]) -> Self {
        Self::new(anywhere(), task(names))
    }

    /// One in a state, drained; whoever asks, it is the server "a", and "b" is not asked yet. What is asked for may be
    /// done once only.
    fn at(state: State) -> Self {
        let mut bench = Self::of(&["a", "b"]);
        match state {
            State::Dialling => {}
            State::Waiting => drop(bench.asks("a")),
            State::Queued => {
                bench.asks("a");
                bench.queued(3);
            }
            State::Executing => {
                bench.asks("a");
                bench.say(Message::Executing(bench.signal()));
            }
            State::Pausing => {
                bench = Self::new(Config { wait_unasked: true, ..anywhere() }, task(&["a"]));
                bench.asks("a");
                let retry_after_ms = Some(1000);
                bench.defers(Defer { retry_after_ms, ..defer(DeferKind::BUSY, &[]) });
            }
            State::Asking => {
                bench = Self::of(&["a"]);
                bench.asks("a");
                bench.is_busy(&[]);
            }
            State::Ended => bench.fine(Input::Cancel),
        }
        bench.drain();
        assert_eq!(bench.client.state(), state);
        bench
    }

    fn give(&mut self, input: Input) -> Result<(), Error> {
        let before = self.client.clone();
        let result = self.client.handle(self.now, input);
        if matches!(result, Err(Error::Misuse(_))) {
            assert!(before == self.client, "a misuse changes nothing");
        }
        result
    }

    fn fine(&mut self, input: Input) {
        self.give(input).unwrap();
    }

    fn drain(&mut self) -> Drained {
        let mut drained = Drained::default();
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Dial { link, server } => {
                    self.link = link;
                    drained.dials.push(server);
                }
                Output::Send { link, message } => {
                    assert_eq!(link, self.link);
                    drained.sent.push(message);
                }
                Output::Close(link) => drained.closed.push(link),
                Output::Event(event) => drained.events.push(event),
            }
        }
        drained
    }

    /// The server that is dialled is this one; it answers, and is told what is to be done.
    fn asks(&mut self, name: &str) -> Request {
        self.asks_as(name, Peer::default())
    }

    fn asks_as(&mut self, name: &str, peer: Peer) -> Request {
        assert_eq!(self.drain().dials, uris(&[name]));
        self.reached(peer)
    }

    /// The server that is dialled answers, and is told what is to be done.
    fn reached(&mut self, peer: Peer) -> Request {
        let link = self.link;
        self.fine(Input::Opened { link, peer });
        match &mut self.drain().sent[..] {
            [Message::Request(request)] => (**request).clone(),
            other => panic!("{other:?}"),
        }
    }

    fn signal(&self) -> Signal {
        self.client.key.into()
    }

    fn hears(&mut self, message: Message) -> Result<(), Error> {
        let link = self.link;
        self.give(Input::Message { link, message })
    }

    fn say(&mut self, message: Message) {
        self.hears(message).unwrap();
    }

    fn queued(&mut self, position: u32) {
        let key = self.client.key;
        self.say(Message::Queued(Queued { key, position, estimate_ms: Some(5), extensions: Extensions::NONE }));
    }

    fn data(&mut self, bytes: &'static [u8]) {
        let (key, bytes) = (self.client.key, Bytes::from_static(bytes));
        self.say(Message::Data(Data { key, bytes, extensions: Extensions::NONE }));
    }

    fn done(&mut self, status: i32) {
        let (key, text) = (self.client.key, Text::fitting("end"));
        self.say(Message::End(End { key, status, text, extensions: Extensions::NONE }));
    }

    fn refused(&mut self, code: RefusalCode) {
        let (key, text) = (self.client.key, Text::fitting("no"));
        self.say(Message::Refused(Refused { key, code, text, extensions: Extensions::NONE }));
    }

    fn defers(&mut self, defer: Defer) {
        let key = self.client.key;
        self.say(Message::Defer(Box::new(Defer { key, ..defer })));
    }

    fn is_busy(&mut self, names: &[&str]) {
        self.defers(defer(DeferKind::BUSY, names));
    }

    fn declines(&mut self, names: &[&str]) {
        self.defers(defer(DeferKind::NO_SERVICE, names));
    }

    fn prefers(&mut self, names: &[&str]) {
        self.defers(defer(DeferKind::PREFER_OTHER, names));
    }

    fn continues(&mut self, names: &[&str]) {
        self.defers(defer(DeferKind::CONTINUE, names));
    }

    fn loses(&mut self) {
        let link = self.link;
        self.fine(Input::Closed(link));
    }

    /// The deadline comes.
    fn due(&mut self) {
        let deadline = self.client.poll_timeout().unwrap();
        assert!(deadline >= self.now);
        self.now = deadline;
        self.fine(Input::Timeout);
    }

    /// The deadline is this far away.
    fn due_in(&self, time: Duration) {
        assert_eq!(self.client.poll_timeout(), Some(self.now.saturating_add(time)));
    }

    /// Every busy server was asked; waits for one.
    fn waits(&mut self) {
        let events = self.drain().events;
        assert!(matches!(events[..], [.., Event::AskWait { .. }]), "{events:?}");
        self.fine(Input::Wait(true));
    }

    /// It has ended just now, and leaves nothing behind.
    fn outcome(&mut self) -> Outcome {
        let events = self.drain().events;
        assert_eq!((self.client.state(), self.client.poll_timeout()), (State::Ended, None));
        let ends = events.iter().filter(|event| matches!(event, Event::Ended(_))).count();
        assert_eq!(ends, 1, "{events:?}");
        match events.into_iter().next_back() {
            Some(Event::Ended(outcome)) => outcome,
            other => panic!("{other:?}"),
        }
    }

    /// Nobody could or would.
    fn fails(&mut self) -> Report {
        match self.outcome() {
            Outcome::Failed(Failure::NoServer, report) => report,
            other => panic!("{other:?}"),
        }
    }

    /// Nobody knows whether this server has carried it out.
    fn is_unsure_of(&mut self, name: &str) -> Report {
        match self.outcome() {
            Outcome::Indeterminate { server, report } if server == uri(name) => report,
            other => panic!("{other:?}"),
        }
    }

    fn is_cancelled(&mut self, carried_out: u16) {
        assert_eq!(self.outcome(), Outcome::Cancelled { carried_out });
    }
}

fn violation(result: Result<(), Error>) -> Violation {
    match result {
        Err(Error::Violation(violation)) => violation,
        other => panic!("{other:?}"),
    }
}
