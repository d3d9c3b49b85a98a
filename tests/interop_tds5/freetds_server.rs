//! Our server: a [`ServerEndpoint`] for each connection under the driver, with an application that a test writes.

use crate::driver::{self, Effect, Party, Wire};
use crate::freetds_beneath::{Beneath, Hand};
use crate::freetds_rows::{Table, counted};
use crate::log::{Log, PATIENCE};
use bytes::BytesMut;
use handover::limits::Tds5Limits;
use handover::spice::LinkId;
use handover::tds5::PacketType;
use handover::tds5::connection::Item;
use handover::tds5::endpoint::{EndpointError, ServerCommand, ServerConfig, ServerEndpoint, ServerEvent, ServerOutput};
use handover::tds5::login::Login;
use handover::tds5::packet::{PacketHeader, PacketStream};
use handover::tds5::token::{Column, DataType, Done, FormatKind, Token};
use handover::time::{Clock, Instant};
use handover::wire::{ByteOrder, StreamDecode};
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    Login(Box<Login>),
    /// The text of a command, once it is whole.
    Batch(String),
    /// Anything else that the endpoint reports.
    Event(ServerEvent),
    /// The head of a packet.
    FromClient(PacketHeader),
    FromServer(PacketHeader),
    /// The client has closed the connection, and has got all that was sent.
    Closed,
    /// What the endpoint reports beside its outputs; no test expects any.
    Error(String),
}

/// What an application does on an occasion, with what it is about.
type Handler<T> = Box<dyn FnMut(&mut Session<'_>, &T) + Send>;

/// What a test's server does. The defaults accept everybody and answer every command with a final DONE.
pub struct Application {
    pub connect: Handler<Login>,
    pub batch: Handler<str>,
    pub attention: Handler<()>,
    /// Every [`TICK`] on a connection that has asked for it.
    pub tick: Handler<()>,
}

const TICK: Duration = Duration::from_millis(5);

impl Default for Application {
    fn default() -> Self {
        Self {
            connect: Box::new(|session, _| session.accept()),
            batch: Box::new(|session, _| session.respond([Done::FINAL.into()])),
            attention: Box::new(|session, ()| session.respond([Done::FINAL.into()])),
            tick: Box::new(|_, ()| {}),
        }
    }
}

impl Application {
    /// One that answers commands this way.
    pub fn answering(batch: impl FnMut(&mut Session<'_>, &str) + Send + 'static) -> Self {
        Self { batch: Box::new(batch), ..Self::default() }
    }
}

/// How to start a [`Server`].
#[derive(Default)]
pub struct Options {
    pub config: ServerConfig,
    pub application: Application,
    /// Comes between the first connection's machine and its client.
    pub beneath: Option<Hand>,
}

struct Connection {
    endpoint: ServerEndpoint,
    /// The command that is coming in.
    text: Vec<u8>,
    effects: VecDeque<Effect>,
    events: VecDeque<ServerEvent>,
    beneath: Option<Beneath>,
    up: (PacketStream, BytesMut),
    down: (PacketStream, BytesMut),
    reads: usize,
    /// When the application wants to be called again.
    tick: Option<Instant>,
}

/// A connection as an application sees it.
pub struct Session<'a> {
    connection: &'a mut Connection,
    link: LinkId,
    now: Instant,
    log: &'a Log<Note>,
}

impl Session<'_> {
    pub fn endpoint(&self) -> &ServerEndpoint {
        &self.connection.endpoint
    }

    pub fn order(&self) -> ByteOrder {
        self.connection.endpoint.order()
    }

    /// How many pieces the client's bytes have come in.
    pub fn reads(&self) -> usize {
        self.connection.reads
    }

    pub fn command(&mut self, command: ServerCommand) -> Result<(), EndpointError> {
        let result = self.connection.endpoint.command(self.now, command);
        self.drain();
        result
    }

    /// A command that must succeed.
    pub fn execute(&mut self, command: ServerCommand) {
        let result = self.command(command);
        self.check(result);
    }

    pub fn accept(&mut self) {
        self.execute(ServerCommand::Accept { tokens: Vec::new() });
    }

    pub fn respond(&mut self, tokens: impl IntoIterator<Item = Token>) {
        tokens.into_iter().for_each(|token| self.execute(ServerCommand::Respond(token)));
    }

    /// Writes bytes of which the machine knows nothing.
    pub fn write(&mut self, bytes: &[u8]) {
        self.drain();
        self.send(bytes);
    }

    /// Calls the application's `tick` from now on, or no longer.
    pub fn ticking(&mut self, on: bool) {
        self.connection.tick = on.then(|| self.now.saturating_add(TICK));
    }

    fn check<E: ToString>(&self, result: Result<(), E>) {
        if let Err(error) = result {
            self.log.push(self.now, Note::Error(error.to_string()));
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        packets(&mut self.connection.down, bytes).for_each(|header| self.log.push(self.now, Note::FromServer(header)));
        self.connection.effects.push_back(Effect::Write(self.link, bytes.to_vec()));
    }

    /// Takes what the endpoint wants done.
    fn drain(&mut self) {
        while let Some(output) = self.connection.endpoint.poll_output() {
            match output {
                ServerOutput::Transmit(bytes) => match &mut self.connection.beneath {
                    Some(beneath) => {
                        let bytes = beneath.sent(&bytes);
                        self.send(&bytes);
                    }
                    None => self.send(&bytes),
                },
                ServerOutput::Close => self.connection.effects.push_back(Effect::Close(self.link)),
                ServerOutput::Event(event) => self.connection.events.push_back(event),
                other => unreachable!("a new kind of output: {other:?}"),
            }
        }
    }
}

/// The heads of the packets that `bytes` complete.
fn packets<'a>(
    (stream, buffer): &'a mut (PacketStream, BytesMut),
    bytes: &[u8],
) -> impl Iterator<Item = PacketHeader> + use<'a> {
    buffer.extend_from_slice(bytes);
    std::iter::from_fn(|| stream.decode_next(buffer).expect("packets").map(|packet| packet.header))
}

type Work = Box<dyn FnOnce(&mut Session<'_>) + Send>;

pub enum Order {
    /// Something to be done with the connection that came last.
    Work(Work),
    /// End, and close all links.
    Quit,
}

struct ServerParty {
    config: ServerConfig,
    application: Application,
    beneath: Option<Hand>,
    log: Log<Note>,
    connections: BTreeMap<LinkId, Connection>,
    effects: VecDeque<Effect>,
    done: bool,
}

impl ServerParty {
    /// Does something with a connection, and what follows from it.
    fn with(&mut self, now: Instant, link: LinkId, work: impl FnOnce(&mut Session<'_>, &mut Application)) {
        let Some(connection) = self.connections.get_mut(&link) else { return };
        let mut session = Session { connection, link, now, log: &self.log };
        work(&mut session, &mut self.application);
        session.drain();
        while let Some(event) = session.connection.events.pop_front() {
            Self::event(&mut session, &mut self.application, event);
            session.drain();
        }
        self.effects.append(&mut session.connection.effects);
    }

    fn event(session: &mut Session<'_>, application: &mut Application, event: ServerEvent) {
        let note = |session: &Session<'_>, note| session.log.push(session.now, note);
        match event {
            ServerEvent::Connect { login, .. } => {
                note(session, Note::Login(login.clone()));
                (application.connect)(session, &login);
            }
            ServerEvent::Item(Item::Token(Token::Language(language))) => {
                session.connection.text.extend_from_slice(&language.text);
            }
            ServerEvent::Item(Item::End(PacketType::NORMAL)) => {
                let text = String::from_utf8(std::mem::take(&mut session.connection.text)).expect("text");
                if text.trim() == "select @@spid" {
                    return session.respond(process_number(session));
                }
                note(session, Note::Batch(text.clone()));
                (application.batch)(session, &text);
            }
            ServerEvent::Attention => {
                note(session, Note::Event(ServerEvent::Attention));
                (application.attention)(session, &());
            }
            event => note(session, Note::Event(event)),
        }
    }
}

/// The answer to what FreeTDS asks behind every login: a row with the number of its session.
fn process_number(session: &Session<'_>) -> [Token; 3] {
    let columns = vec![Column::fixed(DataType::INT4).named("spid")];
    let table = Table::new(FormatKind::Rows, session.order(), columns);
    [table.format(), table.row([4711]), counted(1, false)]
}

impl Party for ServerParty {
    type Command = Order;

    fn accepted(&mut self, now: Instant, link: LinkId) {
        let stream = || (PacketStream::new(&Tds5Limits::DEFAULT), BytesMut::new());
        let connection = Connection {
            endpoint: ServerEndpoint::new(self.config.clone(), now),
            text: Vec::new(),
            effects: VecDeque::new(),
            events: VecDeque::new(),
            beneath: self.beneath.take().map(Beneath::new),
            up: stream(),
            down: stream(),
            reads: 0,
            tick: None,
        };
        self.connections.insert(link, connection);
    }

    fn connected(&mut self, _: Instant, _: LinkId) {}

    fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) {
        self.with(now, link, |session, _| {
            session.connection.reads += 1;
            let headers: Vec<_> = packets(&mut session.connection.up, data).collect();
            headers.into_iter().for_each(|header| session.log.push(now, Note::FromClient(header)));
            let result = session.connection.endpoint.received(now, data);
            session.check(result);
        });
    }

    fn closed(&mut self, now: Instant, link: LinkId) {
        self.with(now, link, |session, _| {
            let result = session.connection.endpoint.closed(now);
            session.check(result);
        });
        self.log.push(now, Note::Closed);
        self.connections.remove(&link);
    }

    fn command(&mut self, now: Instant, order: Order) {
        match order {
            Order::Work(work) => {
                if let Some(link) = self.connections.keys().next_back().copied() {
                    self.with(now, link, |session, _| work(session));
                }
            }
            Order::Quit => {
                self.effects.extend(self.connections.keys().copied().map(Effect::Close));
                self.done = true;
            }
        }
    }

    fn wake(&mut self, now: Instant) {
        let links: Vec<_> = self.connections.keys().copied().collect();
        for link in links {
            self.with(now, link, |session, application| {
                if session.connection.endpoint.poll_timeout().is_some_and(|at| at <= now) {
                    let result = session.connection.endpoint.timeout(now);
                    session.check(result);
                }
                if session.connection.tick.is_some_and(|at| at <= now) {
                    session.ticking(true);
                    (application.tick)(session, &());
                }
            });
        }
    }

    fn poll_wake(&self) -> Option<Instant> {
        let connections = self.connections.values();
        connections.flat_map(|connection| [connection.endpoint.poll_timeout(), connection.tick]).flatten().min()
    }

    fn poll_effect(&mut self, _: Instant) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn finished(&self) -> bool {
        self.done
    }
}

/// A server as the tests hold it. Dropping it ends it.
pub struct Server {
    pub port: u16,
    pub log: Log<Note>,
    wires: Sender<Wire<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server on 127.0.0.1.
    pub fn start(options: Options) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (wires, inbox) = channel();
        let log = Log::new("the server");
        let Options { config, application, beneath } = options;
        let mut party = ServerParty {
            config,
            application,
            beneath,
            log: log.clone(),
            connections: BTreeMap::new(),
            effects: VecDeque::new(),
            done: false,
        };
        driver::listen(listener, wires.clone());
        let own = wires.clone();
        let thread = thread::spawn(move || driver::run(&mut party, Clock::start(), &inbox, &own));
        Self { port, log, wires, thread: Some(thread) }
    }

    /// Does something with the connection that came last.
    #[track_caller]
    pub fn with<T: Send + 'static>(&self, work: impl FnOnce(&mut Session<'_>) -> T + Send + 'static) -> T {
        let (reply, answer) = channel();
        let work: Work = Box::new(move |session| drop(reply.send(work(session))));
        // A server that is gone shows in what is awaited next.
        let _ = self.wires.send(Wire::Command(Order::Work(work)));
        answer.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("there is no connection\n{}", self.log))
    }

    /// Waits for a command.
    #[track_caller]
    pub fn wait_batch(&self, text: &str) {
        self.log.wait(text, |note| matches!(note, Note::Batch(batch) if batch.trim_end() == text).then_some(()));
    }

    /// The login of the only client.
    #[track_caller]
    pub fn login(&self) -> Box<Login> {
        self.log.wait("a login", |note| if let Note::Login(login) = note { Some(login.clone()) } else { None })
    }

    /// Every command so far.
    pub fn batches(&self) -> Vec<String> {
        let batch = |note| if let Note::Batch(text) = note { Some(text) } else { None };
        self.log.all().into_iter().filter_map(batch).collect()
    }

    /// Waits for the only client to close, and ends the server: it has seen one end and no error.
    #[track_caller]
    pub fn finish(self) {
        assert_eq!(self.finish_after(1), [""; 0]);
    }

    /// Waits for so many clients to close, and ends the server: it has seen the end of each once. Gives its errors.
    #[track_caller]
    pub fn finish_after(mut self, clients: usize) -> Vec<String> {
        let mut closed = 0;
        self.log.wait("the end of the connections", |note| {
            closed += usize::from(*note == Note::Closed);
            (closed == clients).then_some(())
        });
        let ends =
            self.log.all().into_iter().filter(|note| matches!(note, Note::Event(ServerEvent::Disconnect { .. })));
        assert_eq!(ends.count(), clients, "{}", self.log);
        let _ = self.wires.send(Wire::Command(Order::Quit));
        let ended = self.thread.take().is_none_or(|thread| thread.join().is_ok());
        assert!(ended, "{}", self.log);
        let error = |note| if let Note::Error(error) = note { Some(error) } else { None };
        self.log.all().into_iter().filter_map(error).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.wires.send(Wire::Command(Order::Quit));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
