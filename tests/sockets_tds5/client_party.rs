//! Our client: a [`ClientEndpoint`] under the driver, with an application that reads rows.

use crate::batches::{Batch, read_row};
use crate::driver::{self, Effect, Party, Wire};
use crate::log::{Log, PATIENCE};
use crate::server::Server;
use crate::tap::Tds5Tap;
use crate::timeline::Tap;
use handover::machine::{AttemptId, LinkId};
use handover::tds5::DoneStatus;
use handover::tds5::client::{Command, Config, Disconnect, Event, Outcome, State};
use handover::tds5::connection::Item;
use handover::tds5::endpoint::{ClientEndpoint, ClientOutput, EndpointError};
use handover::tds5::login::{HaLogin, Login, LoginRecord};
use handover::tds5::migration::{Address, Options};
use handover::tds5::token::{Format, Token};
use handover::time::{Clock, Instant};
use handover::wire::ByteOrder;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// The machine's word, all but items.
    Event(Event),
    Row {
        batch: u32,
        row: u32,
    },
    /// A final DONE.
    Done {
        count: i32,
        attention: bool,
    },
    /// A message on a link to the server at this port.
    Passed {
        port: u16,
        message: String,
    },
    /// The server at this port has closed a link, or there is none.
    Closed(u16),
    /// What no test expects.
    Error(String),
}

/// How to start a [`Client`].
#[derive(Clone, Debug)]
pub struct Setup {
    pub config: Config,
    pub options: Options,
    pub order: ByteOrder,
    pub packet_size: u32,
    /// Ask for a session id by the login record.
    pub wants_session: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            config: Config::default(),
            options: Options::default(),
            order: ByteOrder::Little,
            packet_size: 512,
            wants_session: false,
        }
    }
}

/// What a test wants done on the client's thread.
type Order = Box<dyn FnOnce(&mut ClientParty, Instant) + Send>;

struct ClientParty {
    endpoint: ClientEndpoint,
    tap: Tds5Tap,
    log: Log<Note>,
    links: BTreeMap<LinkId, u16>,
    /// Beside the endpoint's.
    effects: VecDeque<Effect>,
    /// Of the rows, as it came last, from whichever server.
    format: Option<Format>,
    done: bool,
}

impl ClientParty {
    fn check(&self, now: Instant, result: Result<(), EndpointError>) {
        if let Err(error) = result {
            self.log.push(now, Note::Error(error.to_string()));
        }
    }

    fn passed(&mut self, now: Instant, link: LinkId, sent: bool, bytes: &[u8]) {
        let Some(&port) = self.links.get(&link) else { return };
        for line in self.tap.passes(link, sent, bytes) {
            let arrow = if sent { "->" } else { "<-" };
            // Ports are different in each run.
            let line = if line.starts_with("MIG_REQ") { "MIG_REQ" } else { &line };
            self.log.push(now, Note::Passed { port, message: format!("{arrow} {line}") });
        }
    }

    fn event(&mut self, now: Instant, event: Event) {
        let note = match event {
            Event::Item(Item::Token(token)) => match token {
                Token::Format(format) if format.kind().is_rows() => return self.format = Some(format),
                Token::Row(values) => match self.format.as_ref().and_then(|format| read_row(format, &values)) {
                    Some((batch, row)) => Note::Row { batch, row },
                    None => Note::Error("a row cannot be read".to_owned()),
                },
                Token::Done(done) if done.is_final() => {
                    Note::Done { count: done.count, attention: done.status.contains(DoneStatus::ATTENTION) }
                }
                _ => return,
            },
            Event::Item(_) | Event::Login { .. } => return,
            event => Note::Event(event),
        };
        self.log.push(now, note);
    }
}

impl Party for ClientParty {
    type Command = Order;

    fn accepted(&mut self, _: Instant, _: LinkId) {}

    fn connected(&mut self, now: Instant, link: LinkId) {
        if self.links.contains_key(&link) {
            let result = self.endpoint.connected(now, link);
            self.check(now, result);
        } else {
            // It was given up while it was dialled.
            self.effects.push_back(Effect::Close(link));
        }
    }

    fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) {
        self.passed(now, link, false, data);
        let result = self.endpoint.received(now, link, data);
        self.check(now, result);
    }

    fn closed(&mut self, now: Instant, link: LinkId) {
        if let Some(port) = self.links.remove(&link) {
            self.log.push(now, Note::Closed(port));
        }
        let result = self.endpoint.closed(now, link);
        self.check(now, result);
    }

    fn command(&mut self, now: Instant, order: Order) {
        order(self, now);
    }

    fn wake(&mut self, now: Instant) {
        let result = self.endpoint.timeout(now);
        self.check(now, result);
    }

    fn poll_wake(&self) -> Option<Instant> {
        self.endpoint.poll_timeout()
    }

    fn poll_effect(&mut self, now: Instant) -> Option<Effect> {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                ClientOutput::Dial { link, address, tls } => {
                    assert!(!tls, "no test asks for TLS");
                    self.links.insert(link, address.port());
                    self.tap.dialled(link);
                    let host = address.host().parse().expect("tests use numbers");
                    return Some(Effect::Dial(link, SocketAddr::new(host, address.port())));
                }
                ClientOutput::Transmit { link, bytes } => {
                    self.passed(now, link, true, &bytes);
                    return Some(Effect::Write(link, bytes.to_vec()));
                }
                ClientOutput::Close(link) => {
                    self.links.remove(&link);
                    return Some(Effect::Close(link));
                }
                ClientOutput::Event(event) => self.event(now, event),
                other => unreachable!("a new kind of output: {other:?}"),
            }
        }
        self.effects.pop_front()
    }

    fn finished(&self) -> bool {
        self.done
    }
}

/// The client as the tests hold it. Dropping it ends it.
pub struct Client {
    wires: Sender<Wire<Order>>,
    pub log: Log<Note>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// A client that logs in to the first of `servers` and trusts all of them.
    #[track_caller]
    pub fn start(servers: &[&Server]) -> Self {
        Self::start_with(Setup::default(), &servers.iter().map(|server| server.address()).collect::<Vec<_>>())
    }

    /// A client that is logged in to the first of `addresses` that works.
    #[track_caller]
    pub fn start_with(setup: Setup, addresses: &[Address]) -> Self {
        let Setup { config, options, order, packet_size, wants_session } = setup;
        let (wires, inbox) = channel();
        let log = Log::new("the client");
        let mut party = ClientParty {
            endpoint: ClientEndpoint::new(config, options),
            tap: Tds5Tap::default(),
            log: log.clone(),
            links: BTreeMap::new(),
            effects: VecDeque::new(),
            format: None,
            done: false,
        };
        let own = wires.clone();
        let thread = thread::spawn(move || driver::run(&mut party, Clock::start(), &inbox, &own));
        let client = Self { wires, log, thread: Some(thread) };
        let mut record = LoginRecord::new(order)
            .with_user(b"guest", b"secret")
            .and_then(|record| record.with_packet_size(packet_size))
            .expect("short names");
        if wants_session {
            record.ha_login |= HaLogin::SESSION;
        }
        let addresses = addresses.to_vec();
        client
            .run(move |endpoint, now| endpoint.connect(now, addresses, Login::new(record, true)))
            .expect("a new client");
        client.wait_event("login", |event| matches!(event, Event::Connected { .. }).then_some(()));
        client
    }

    fn order(&self, order: Order) {
        // A client that is gone shows in what is awaited next.
        let _ = self.wires.send(Wire::Command(order));
    }

    #[track_caller]
    pub fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut ClientEndpoint, Instant) -> T + Send + 'static,
    ) -> T {
        let (reply, answer) = channel();
        self.order(Box::new(move |party, now| drop(reply.send(question(&mut party.endpoint, now)))));
        answer.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("the client is gone\n{}", self.log))
    }

    /// Does something that may be refused; why it was.
    #[track_caller]
    pub fn run(
        &self,
        wish: impl FnOnce(&mut ClientEndpoint, Instant) -> Result<(), EndpointError> + Send + 'static,
    ) -> Result<(), String> {
        self.ask(wish).map_err(|error| error.to_string())
    }

    #[track_caller]
    pub fn command(&self, command: Command) {
        self.run(move |endpoint, now| endpoint.command(now, command)).expect("a command that is legal");
    }

    #[track_caller]
    pub fn send(&self, batch: Batch) {
        self.run(move |endpoint, now| endpoint.language(now, batch.text())).expect("room for a command");
    }

    #[track_caller]
    pub fn state(&self) -> State {
        self.ask(|endpoint, _| endpoint.state())
    }

    /// Waits for an event.
    #[track_caller]
    pub fn wait_event<T>(&self, what: &str, mut find: impl FnMut(&Event) -> Option<T>) -> T {
        self.log.wait(what, |note| if let Note::Event(event) = note { find(event) } else { None })
    }

    /// Waits for the end of an attempt.
    #[track_caller]
    pub fn wait_ended(&self, wanted: u32) -> Outcome {
        self.wait_event(&format!("attempt {wanted}: end"), |event| match event {
            Event::Ended { attempt: AttemptId(id), outcome } if *id == wanted => Some(*outcome),
            _ => None,
        })
    }

    #[track_caller]
    pub fn wait_migrated(&self, wanted: u32) {
        let outcome = self.wait_ended(wanted);
        assert!(matches!(outcome, Outcome::Migrated { .. }), "{outcome:?}\n{}", self.log);
    }

    /// Waits for the end of the session: why, and the commands that were not completed.
    #[track_caller]
    pub fn wait_disconnected(&self) -> (Disconnect, Vec<u32>) {
        self.wait_event("end of the session", |event| match event {
            Event::Disconnected { reason, unfinished } => Some((*reason, unfinished.iter().map(|id| id.0).collect())),
            _ => None,
        })
    }

    /// Waits until these batches, which are all that were sent, are completed: each row has come once and in order,
    /// and each batch has one final DONE.
    #[track_caller]
    pub fn wait_completed(&self, batches: &[Batch]) {
        let last = u32::try_from(batches.len()).expect("few batches");
        self.wait_event(&format!("{last} batches"), |event| match event {
            Event::Completed(id) if id.0 == last => Some(()),
            _ => None,
        });
        let (mut rows, mut counts, mut completed) = (Vec::new(), Vec::new(), Vec::new());
        for note in self.log.all() {
            match note {
                Note::Row { batch, row } => rows.push((batch, row)),
                Note::Done { count, .. } => counts.push(count),
                Note::Event(Event::Completed(id)) => completed.push(id.0),
                _ => {}
            }
        }
        let wanted_rows = batches.iter().flat_map(|batch| (1..=batch.rows).map(|row| (batch.number, row)));
        assert!(rows.iter().copied().eq(wanted_rows), "rows {rows:?}\n{}", self.log);
        let wanted_counts = batches.iter().map(|batch| i32::try_from(batch.rows).expect("few rows"));
        assert!(counts.iter().copied().eq(wanted_counts), "counts {counts:?}\n{}", self.log);
        assert!(completed.iter().copied().eq(1..=last), "completed {completed:?}\n{}", self.log);
    }

    /// What passed on links to a server.
    pub fn wire(&self, server: &Server) -> Vec<String> {
        let of = |note| match note {
            Note::Passed { port, message } if port == server.port => Some(message),
            _ => None,
        };
        self.log.all().into_iter().filter_map(of).collect()
    }

    /// What has happened to attempts, and what was ignored, in words.
    pub fn story(&self) -> Vec<String> {
        self.log.all().iter().filter_map(word).collect()
    }

    /// Waits until that much has happened: these words, and no others behind them.
    #[track_caller]
    pub fn tells(&self, words: &[&str]) {
        let mut seen = 0;
        self.log.wait(&format!("{words:?}"), |note| {
            seen += usize::from(word(note).is_some());
            (seen == words.len()).then_some(())
        });
        assert_eq!(self.story(), words, "{}", self.log);
    }

    /// Ends the client. Nothing that any server has sent was malformed, or a violation, or made us err.
    #[track_caller]
    pub fn finish(mut self) {
        self.end();
        let wrong = |note: &Note| match note {
            Note::Error(_) => true,
            Note::Passed { message, .. } => message.contains("malformed"),
            _ => false,
        };
        assert!(!self.log.all().iter().any(wrong), "{}", self.log);
    }

    fn end(&mut self) {
        self.order(Box::new(|party, now| {
            let _ = party.endpoint.command(now, Command::Close);
            party.done = true;
        }));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join().is_ok();
            assert!(ended || thread::panicking(), "the client's thread panicked\n{}", self.log);
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.end();
    }
}

fn word(note: &Note) -> Option<String> {
    let Note::Event(event) = note else { return None };
    Some(match event {
        Event::Started { attempt, .. } => format!("{} started", attempt.0),
        Event::Ended { attempt, outcome: Outcome::Migrated { .. } } => format!("{} Migrated", attempt.0),
        Event::Ended { attempt, outcome } => format!("{} {outcome:?}", attempt.0),
        Event::Ignored { what, .. } => format!("ignored {what}"),
        _ => return None,
    })
}
