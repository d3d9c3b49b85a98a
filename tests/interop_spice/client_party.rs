//! Our client: a [`ClientEndpoint`] under the driver, with the little that an application must do.

use crate::driver::{self, Effect, Party, Wire};
use crate::log::{Log, PATIENCE};
use crate::support::ticket;
use crate::tap::{Passed, Tap};
use bytes::Bytes;
use handover::spice::client::{Address, AttemptId, Command, Config, Disconnect, Event, Outcome, Scheme, State};
use handover::spice::endpoint::{ClientEndpoint, ClientOutput};
use handover::spice::link::Ticket;
use handover::spice::{Capabilities, ChannelId, ChannelType, ClientMessage, LinkId, Port, ServerMessage, Unknown};
use handover::time::{Clock, Instant};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

pub const INPUTS: ChannelId = ChannelId::new(ChannelType::INPUTS, 0);

/// The first message of a display channel: u8 cache id, u64 cache size, u8 dictionary id, u32 window size.
const DISPLAY_INIT: Unknown =
    Unknown { ty: 101, body: Bytes::from_static(&[1, 0, 0, 0x40, 1, 0, 0, 0, 0, 1, 0, 0xfc, 0x5f, 0]) };
/// The pointer moves: i32 dx, i32 dy, u16 buttons.
const MOTION: Unknown = Unknown { ty: 111, body: Bytes::from_static(&[1, 0, 0, 0, 1, 0, 0, 0, 0, 0]) };
/// The server says so after every fourth motion on an inputs channel, and never else.
pub const MOTIONS_TO_ACK: usize = 4;
const MOTION_ACK_TYPE: u16 = 111;

#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// The machine's word, all but messages.
    Event(Event),
    /// A message on the link to the server at this port.
    Passed { port: u16, channel: ChannelId, message: Passed },
    /// The client has closed its link to the server at this port.
    Left { port: u16, channel: ChannelId },
    /// What the endpoint reports beside its outputs; no test expects any.
    Error(String),
}

/// What the client can tell of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub state: State,
    /// The address of the session.
    pub port: u16,
    pub connection_id: u32,
    /// For each open link: which server, which channel.
    pub links: Vec<(u16, ChannelId)>,
}

pub enum Order {
    Command(Command),
    Look(Sender<View>),
    Quit,
}

struct ClientParty {
    endpoint: ClientEndpoint,
    password: Vec<u8>,
    log: Log<Note>,
    links: BTreeMap<LinkId, (u16, Tap)>,
    /// The INIT that comes next belongs to a session that knows its channels.
    switched: bool,
    done: bool,
}

impl ClientParty {
    fn send(&mut self, now: Instant, channel: ChannelId, message: ClientMessage) {
        self.command(now, Order::Command(Command::Send { channel, packet: message.into() }));
    }

    fn event(&mut self, now: Instant, event: Event) {
        if let Event::Message { packet, .. } = &event {
            return self.message(now, &packet.message);
        }
        // First, so that a test sees what follows from it behind it.
        self.log.push(now, Note::Event(event.clone()));
        match event {
            // A real server lets nobody go before each display channel has told its caches.
            Event::Linked { channel, .. } if channel.ty == ChannelType::DISPLAY => {
                self.send(now, channel, ClientMessage::Unknown(DISPLAY_INIT));
            }
            Event::MigrationEnded { outcome: Outcome::Switched(Scheme::SemiSeamless), .. } => self.switched = true,
            _ => {}
        }
    }

    fn message(&mut self, now: Instant, message: &ServerMessage) {
        match message {
            ServerMessage::Init(_) if !std::mem::take(&mut self.switched) => {
                self.send(now, ChannelId::MAIN, ClientMessage::AttachChannels);
            }
            ServerMessage::ChannelsList(list) => {
                for channel in list.iter() {
                    let caps = Capabilities::default();
                    self.command(now, Order::Command(Command::OpenChannel { channel, caps }));
                }
            }
            _ => {}
        }
    }

    fn passed(&mut self, now: Instant, link: LinkId, tap: impl FnOnce(&mut Tap) -> Vec<Passed>) {
        let Some((port, entry)) = self.links.get_mut(&link) else { return };
        for message in tap(entry) {
            self.log.push(now, Note::Passed { port: *port, channel: entry.channel(), message });
        }
    }

    fn check<E: ToString>(&self, now: Instant, result: Result<(), E>) {
        if let Err(error) = result {
            self.log.push(now, Note::Error(error.to_string()));
        }
    }

    fn view(&self) -> View {
        let machine = self.endpoint.machine();
        View {
            state: self.endpoint.state(),
            port: machine.address().map_or(0, |address| address.port.wire()),
            connection_id: machine.connection_id(),
            links: self.links.values().map(|(port, tap)| (*port, tap.channel())).collect(),
        }
    }
}

impl Party for ClientParty {
    type Command = Order;

    fn accepted(&mut self, _: Instant, _: LinkId) {}

    fn connected(&mut self, now: Instant, link: LinkId) {
        // The link may have been given up while it was dialled.
        if self.links.contains_key(&link) {
            let result = self.endpoint.connected(link);
            self.check(now, result);
        }
    }

    fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) {
        self.passed(now, link, |tap| tap.server_sent(data));
        let result = self.endpoint.received(now, link, data);
        self.check(now, result);
    }

    fn closed(&mut self, now: Instant, link: LinkId) {
        self.links.remove(&link);
        let result = self.endpoint.closed(now, link);
        self.check(now, result);
    }

    fn command(&mut self, now: Instant, order: Order) {
        match order {
            Order::Command(command) => {
                let result = self.endpoint.command(now, command);
                self.check(now, result);
            }
            Order::Look(reply) => drop(reply.send(self.view())),
            Order::Quit => {
                let _ = self.endpoint.command(now, Command::Disconnect);
                self.done = true;
            }
        }
    }

    fn wake(&mut self, now: Instant) {
        let result = self.endpoint.timeout(now);
        self.check(now, result);
    }

    fn poll_wake(&self) -> Option<Instant> {
        self.endpoint.poll_timeout()
    }

    fn poll_effect(&mut self, now: Instant) -> Option<Effect> {
        loop {
            match self.endpoint.poll_output()? {
                ClientOutput::Dial { link, address, tls } => {
                    assert!(!tls, "no test announces a TLS port");
                    let host: IpAddr = String::from_utf8_lossy(&address.host).parse().expect("tests use addresses");
                    self.links.insert(link, (address.port.wire(), Tap::new()));
                    return Some(Effect::Dial(link, SocketAddr::new(host, address.port.wire())));
                }
                ClientOutput::Transmit { link, bytes } => {
                    self.passed(now, link, |tap| tap.client_sent(&bytes));
                    return Some(Effect::Write(link, bytes.to_vec()));
                }
                ClientOutput::TicketWanted { link, public_key } => {
                    let ticket = ticket::encrypt(&public_key.0, &self.password).expect("the key of a real server");
                    let result = self.endpoint.ticket(link, &Ticket(ticket));
                    self.check(now, result);
                }
                ClientOutput::Close(link) => {
                    if let Some((port, tap)) = self.links.remove(&link) {
                        self.log.push(now, Note::Left { port, channel: tap.channel() });
                    }
                    return Some(Effect::Close(link));
                }
                ClientOutput::Pause(link) => return Some(Effect::Pause(link)),
                ClientOutput::Resume(link) => return Some(Effect::Resume(link)),
                ClientOutput::Event(event) => self.event(now, event),
                other => unreachable!("a new kind of output: {other:?}"),
            }
        }
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
    /// Starts a client for the server at `port`.
    pub fn start(port: u16, config: Config, password: &str) -> Self {
        let (wires, inbox) = channel();
        let log = Log::new("the client");
        let mut party = ClientParty {
            endpoint: ClientEndpoint::new(config),
            password: password.into(),
            log: log.clone(),
            links: BTreeMap::new(),
            switched: false,
            done: false,
        };
        let own = wires.clone();
        let thread = thread::spawn(move || driver::run(&mut party, Clock::start(), &inbox, &own));
        let client = Self { wires, log, thread: Some(thread) };
        client.tell(Command::Connect(Address::new("127.0.0.1", Port::from_wire(port), Port::ABSENT, None)));
        client
    }

    pub fn tell(&self, command: Command) {
        self.order(Order::Command(command));
    }

    fn order(&self, order: Order) {
        // A client that is gone shows in what is awaited next.
        let _ = self.wires.send(Wire::Command(order));
    }

    #[track_caller]
    pub fn view(&self) -> View {
        let (reply, answer) = channel();
        self.order(Order::Look(reply));
        answer.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("the client is gone\n{}", self.log))
    }

    /// Waits for an event.
    #[track_caller]
    pub fn wait_event<T>(&self, what: &str, mut find: impl FnMut(&Event) -> Option<T>) -> T {
        self.log.wait(what, |note| if let Note::Event(event) = note { find(event) } else { None })
    }

    /// Waits until this many channels, the main channel included, were opened since `mark`.
    #[track_caller]
    pub fn wait_linked(&self, mark: usize, count: usize) {
        let mut linked = 0;
        self.log.wait_after(mark, "all channels", |note| {
            linked += usize::from(matches!(note, Note::Event(Event::Linked { .. })));
            (linked == count).then_some(())
        });
    }

    /// Waits until the attempt is ready to switch, and says in which scheme.
    #[track_caller]
    pub fn wait_ready(&self, wanted: u32) -> Scheme {
        self.wait_event(&format!("attempt {wanted}: ready"), |event| match event {
            Event::MigrationReady { attempt: AttemptId(id), scheme } if *id == wanted => Some(*scheme),
            _ => None,
        })
    }

    /// Waits for the end of an attempt.
    #[track_caller]
    pub fn wait_ended(&self, wanted: u32) -> Outcome {
        self.wait_event(&format!("attempt {wanted}: end"), |event| match event {
            Event::MigrationEnded { attempt: AttemptId(id), outcome } if *id == wanted => Some(*outcome),
            _ => None,
        })
    }

    /// Waits for the end of the session.
    #[track_caller]
    pub fn wait_disconnected(&self) -> Disconnect {
        self.wait_event("end of the session", |event| match event {
            Event::Disconnected(reason) => Some(*reason),
            _ => None,
        })
    }

    /// Moves the pointer, `count` times.
    pub fn move_pointer(&self, count: usize) {
        for _ in 0..count {
            let packet = ClientMessage::Unknown(MOTION).into();
            self.tell(Command::Send { channel: INPUTS, packet });
        }
    }

    /// Waits until the server at `port` has acknowledged motions, after `mark`.
    #[track_caller]
    pub fn wait_motion_ack(&self, mark: usize, port: u16) {
        let is_ack =
            |message: &ServerMessage| matches!(message, ServerMessage::Unknown(Unknown { ty: MOTION_ACK_TYPE, .. }));
        self.log.wait_after(mark, "an answer on the inputs channel", |note| match note {
            Note::Passed { port: from, channel: INPUTS, message: Passed::FromServer(message) } => {
                (*from == port && is_ack(message)).then_some(())
            }
            _ => None,
        });
    }

    /// Proves that the session works, at the server at `port`: it acts upon what we send and answers.
    #[track_caller]
    pub fn round_trip(&self, port: u16) {
        let mark = self.log.mark();
        self.move_pointer(MOTIONS_TO_ACK);
        self.wait_motion_ack(mark, port);
    }

    /// What passed on main links to the server at `port`, by name.
    pub fn main_messages(&self, port: u16) -> Vec<String> {
        let of_main = |note: Note| match note {
            Note::Passed { port: of, channel: ChannelId::MAIN, message } if of == port => Some(format!("{message:?}")),
            _ => None,
        };
        self.log.all().into_iter().filter_map(of_main).collect()
    }

    /// Microseconds from the first of `from` to the first of `to`: messages with their arrows.
    pub fn micros_between(&self, from: &str, to: &str) -> u64 {
        let passed = |wanted: &str| {
            let is = |note: &Note| matches!(note, Note::Passed { message, .. } if format!("{message:?}") == wanted);
            self.log.time_of(is).unwrap_or_else(|| panic!("no {wanted}\n{}", self.log))
        };
        passed(to).as_micros().saturating_sub(passed(from).as_micros())
    }

    /// Ends the client. Nothing that any server has sent was malformed, or a violation, or made us err.
    #[track_caller]
    pub fn finish(mut self) {
        self.end();
        let wrong = |note: &Note| matches!(note, Note::Error(_) | Note::Passed { message: Passed::Malformed(_), .. });
        assert!(!self.log.all().iter().any(wrong), "{}", self.log);
    }

    fn end(&mut self) {
        self.order(Order::Quit);
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
