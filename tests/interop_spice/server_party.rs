//! Our servers: a [`ServerEndpoint`] under the driver, with the least that the real client wants of a server.

use crate::driver::{self, Effect, Party, Wire};
use crate::log::{Log, PATIENCE};
use crate::support::ticket::ServerKey;
use crate::tap::{Passed, Tap};
use bytes::{Bytes, BytesMut};
use handover::spice::common::Ping;
use handover::spice::endpoint::{ServerCommand, ServerConfig, ServerEndpoint, ServerEvent, ServerOutput};
use handover::spice::link::PublicKey;
use handover::spice::main_channel::{ChannelsList, Init};
use handover::spice::migrate_data::MigrateDataHeader;
use handover::spice::source::{ClientLoss, Event as Departure, Outcome};
use handover::spice::target::Event as Arrival;
use handover::spice::{
    ChannelId, ChannelType, ClientId, ClientMessage, DstInfo, LinkError, LinkId, Packet, Port, ServerMessage, Unknown,
};
use handover::time::{Clock, Instant};
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub const INPUTS: ChannelId = ChannelId::new(ChannelType::INPUTS, 0);

/// The first message of an inputs channel: u16 keyboard lamps.
const INPUTS_INIT: Unknown = Unknown { ty: 101, body: Bytes::from_static(&[0, 0]) };
/// What the client answers, in its words.
pub const KEY_MODIFIERS_TYPE: u16 = 103;

/// Real servers take longer.
const PING_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    Target(Arrival),
    Source(Departure),
    /// A message on a link of this channel.
    Passed {
        channel: ChannelId,
        message: Passed,
    },
    /// A client has asked for a channel.
    Asked {
        connection_id: u32,
        channel: ChannelId,
    },
    /// A ticket was refused.
    Denied,
    /// What the endpoint reports beside its outputs; no test expects any.
    Error(String),
}

/// How to start a [`Server`].
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub config: ServerConfig,
    /// Channels beside main; the real client opens all of them.
    pub channels: Vec<ChannelId>,
    /// Any, if there is none.
    pub password: Option<String>,
    /// The port; any, if there is none.
    pub port: Option<u16>,
}

pub enum Order {
    Command(ServerCommand),
    /// Ping the client on a channel.
    Ping(ChannelId, u32),
    /// How many clients are there?
    Clients(Sender<usize>),
    /// End, and close all links.
    Quit,
}

struct ServerParty {
    endpoint: ServerEndpoint,
    channels: Vec<ChannelId>,
    password: Option<Vec<u8>>,
    key: Arc<ServerKey>,
    session_id: u32,
    log: Log<Note>,
    links: BTreeMap<LinkId, Tap>,
    /// The client that came last.
    client: Option<ClientId>,
    /// Beside the endpoint's.
    effects: VecDeque<Effect>,
    done: bool,
}

impl ServerParty {
    fn send(&mut self, now: Instant, link: LinkId, message: ServerMessage) {
        self.execute(now, ServerCommand::Send { link, packet: Packet::new(message) });
    }

    fn execute(&mut self, now: Instant, command: ServerCommand) {
        let result = self.endpoint.command(now, command);
        self.check(now, result);
    }

    fn check<E: ToString>(&self, now: Instant, result: Result<(), E>) {
        if let Err(error) = result {
            self.log.push(now, Note::Error(error.to_string()));
        }
    }

    fn init(session_id: u32) -> Init {
        Init {
            session_id,
            display_channels_hint: 1,
            supported_mouse_modes: 1,
            current_mouse_mode: 1,
            agent_connected: 0,
            agent_tokens: 10,
            multi_media_time: 0,
            ram_hint: 0,
        }
    }

    fn arrival(&mut self, now: Instant, event: Arrival) {
        self.log.push(now, Note::Target(event.clone()));
        match event {
            Arrival::Attached { client, link, session_id, arriving, .. } => {
                self.client = Some(client);
                if !arriving {
                    self.send(now, link, ServerMessage::Init(Self::init(session_id)));
                }
            }
            Arrival::InitWanted { client, session_id } => {
                self.execute(now, ServerCommand::Init { client, init: Self::init(session_id) });
            }
            // Of a client that moves seamlessly too, and then before it has switched, as the real server does.
            Arrival::ChannelStarted { link, .. } => self.send(now, link, ServerMessage::Unknown(INPUTS_INIT)),
            _ => {}
        }
    }

    fn departure(&mut self, now: Instant, event: Departure) {
        if !matches!(event, Departure::Message { .. }) {
            self.log.push(now, Note::Source(event.clone()));
        }
        match event {
            Departure::Message { link, packet } if packet.message == ClientMessage::AttachChannels => {
                let list: ChannelsList = self.channels.iter().copied().collect();
                self.send(now, link, ServerMessage::ChannelsList(list));
            }
            Departure::MigrateDataWanted { link, channel } => {
                self.execute(now, ServerCommand::MigrateData { link, data: state_of(channel) });
            }
            _ => {}
        }
    }

    fn passed(&mut self, now: Instant, link: LinkId, tap: impl FnOnce(&mut Tap) -> Vec<Passed>) {
        let Some(entry) = self.links.get_mut(&link) else { return };
        for message in tap(entry) {
            self.log.push(now, Note::Passed { channel: entry.channel(), message });
        }
    }
}

/// What a channel's MIGRATE_DATA carries: the protocol's header, and as much behind it as targets check for.
pub fn state_of(channel: ChannelId) -> Bytes {
    let header = MigrateDataHeader::for_channel(channel.ty).expect("main and inputs have one");
    let mut data = BytesMut::zeroed(65);
    data[..4].copy_from_slice(&header.magic);
    data[4..8].copy_from_slice(&header.version.to_le_bytes());
    data[64] = channel.ty.0;
    data.freeze()
}

impl Party for ServerParty {
    type Command = Order;

    fn accepted(&mut self, _: Instant, link: LinkId) {
        self.links.insert(link, Tap::new());
        self.endpoint.accepted(link);
    }

    fn connected(&mut self, _: Instant, _: LinkId) {}

    fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) {
        self.passed(now, link, |tap| tap.client_sent(data));
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
            Order::Command(command) => self.execute(now, command),
            Order::Ping(channel, id) => {
                let ping = ServerMessage::Ping(Ping { id, timestamp: now.as_micros(), padding: Bytes::new() });
                let link = self.client.and_then(|client| self.endpoint.link_of(client, channel));
                link.into_iter().for_each(|link| self.send(now, link, ping.clone()));
            }
            Order::Clients(reply) => drop(reply.send(self.endpoint.target().clients())),
            Order::Quit => {
                self.effects.extend(self.links.keys().copied().map(Effect::Close));
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
            let Some(output) = self.endpoint.poll_output() else { return self.effects.pop_front() };
            match output {
                ServerOutput::LinkRequested { link, mess } => {
                    let (connection_id, channel) = (mess.connection_id(), mess.channel());
                    self.log.push(now, Note::Asked { connection_id, channel });
                    let result = self.endpoint.reply(link, PublicKey(self.key.public_key_der()));
                    self.check(now, result);
                }
                ServerOutput::Ticket { link, ticket } => {
                    let password = self.key.decrypt(&ticket.0);
                    let good = password.is_some() && (self.password.is_none() || self.password == password);
                    let result = if good {
                        self.endpoint.admit(now, link, self.session_id)
                    } else {
                        self.log.push(now, Note::Denied);
                        self.endpoint.refuse(link, LinkError::PERMISSION_DENIED)
                    };
                    self.check(now, result);
                }
                ServerOutput::Transmit { link, bytes } => {
                    self.passed(now, link, |tap| tap.server_sent(&bytes));
                    return Some(Effect::Write(link, bytes.to_vec()));
                }
                ServerOutput::Close(link) => {
                    self.links.remove(&link);
                    return Some(Effect::Close(link));
                }
                ServerOutput::Pause(link) => return Some(Effect::Pause(link)),
                ServerOutput::Resume(link) => return Some(Effect::Resume(link)),
                ServerOutput::Event(ServerEvent::Target(event)) => self.arrival(now, event),
                ServerOutput::Event(ServerEvent::Source(event)) => self.departure(now, event),
                other => unreachable!("a new kind of output: {other:?}"),
            }
        }
    }

    fn finished(&self) -> bool {
        self.done
    }
}

/// A server as the tests hold it. Dropping it ends it.
pub struct Server {
    pub port: u16,
    pub session_id: u32,
    wires: Sender<Wire<Order>>,
    pub log: Log<Note>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server on 127.0.0.1.
    pub fn start(name: &str, options: Options) -> Self {
        static KEY: OnceLock<Arc<ServerKey>> = OnceLock::new();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port.unwrap_or(0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (wires, inbox) = channel();
        let log = Log::new(name);
        // Different on each server, and as good as random to the client.
        let session_id = 0x7e57_0000 + u32::from(port);
        let mut party = ServerParty {
            endpoint: ServerEndpoint::new(options.config),
            channels: options.channels,
            password: options.password.map(String::into_bytes),
            // Real servers make one for each link; it takes them 10 ms.
            key: Arc::clone(KEY.get_or_init(|| Arc::new(ServerKey::generate()))),
            session_id,
            log: log.clone(),
            links: BTreeMap::new(),
            client: None,
            effects: VecDeque::new(),
            done: false,
        };
        driver::listen(listener, wires.clone());
        let own = wires.clone();
        let thread = thread::spawn(move || driver::run(&mut party, Clock::start(), &inbox, &own));
        Self { port, session_id, wires, log, thread: Some(thread) }
    }

    pub fn tell(&self, command: ServerCommand) {
        self.order(Order::Command(command));
    }

    fn order(&self, order: Order) {
        // A server that is gone shows in what is awaited next.
        let _ = self.wires.send(Wire::Command(order));
    }

    /// Announces the server at `port`.
    pub fn announce(&self, port: u16) {
        let dst = DstInfo::new("127.0.0.1", Port::from_wire(port), Port::ABSENT, None).unwrap();
        self.tell(ServerCommand::MigrateInfo(dst));
    }

    #[track_caller]
    pub fn wait_source<T>(&self, what: &str, mut find: impl FnMut(&Departure) -> Option<T>) -> T {
        self.log.wait(what, |note| if let Note::Source(event) = note { find(event) } else { None })
    }

    #[track_caller]
    pub fn wait_target<T>(&self, what: &str, mut find: impl FnMut(&Arrival) -> Option<T>) -> T {
        self.log.wait(what, |note| if let Note::Target(event) = note { find(event) } else { None })
    }

    /// Waits for the clients' answer to the announcement: is anybody linked to the target?
    #[track_caller]
    pub fn wait_answer(&self) -> bool {
        self.wait_source("an answer", |event| match event {
            Departure::ClientsReady { connected, .. } => Some(*connected),
            _ => None,
        })
    }

    /// Waits for a message of the client on a channel, behind `mark`.
    #[track_caller]
    pub fn wait_message(&self, mark: usize, channel: ChannelId, is: impl Fn(&ClientMessage) -> bool) {
        self.log.wait_after(mark, "a message of the client", |note| match note {
            Note::Passed { channel: on, message: Passed::FromClient(message) } => {
                (*on == channel && is(message)).then_some(())
            }
            _ => None,
        });
    }

    /// Pings the client on a channel; the answer may have to wait.
    pub fn ping(&self, channel: ChannelId, id: u32) {
        self.order(Order::Ping(channel, id));
    }

    /// Waits for the answer to a ping.
    #[track_caller]
    pub fn wait_pong(&self, channel: ChannelId, wanted: u32) {
        self.wait_message(0, channel, |message| matches!(message, ClientMessage::Pong(pong) if pong.id == wanted));
    }

    /// Proves that the client serves its main channel here. A number serves once for each server.
    #[track_caller]
    pub fn round_trip(&self, id: u32) {
        self.ping(ChannelId::MAIN, id);
        self.wait_pong(ChannelId::MAIN, id);
    }

    /// Pings the client here, again and again as real servers do, until `other` has noted what `find` looks for.
    #[track_caller]
    pub fn ping_until<T>(&self, other: &Self, what: &str, mut find: impl FnMut(&Note) -> Option<T>) -> T {
        let end = std::time::Instant::now() + PATIENCE;
        let mut id = 1000;
        loop {
            self.ping(ChannelId::MAIN, id);
            if let Some(found) = other.log.look(0, PING_INTERVAL, &mut find) {
                return found;
            }
            assert!(std::time::Instant::now() < end, "{what} did not come\n{}\n{}", other.log, self.log);
            id += 1;
        }
    }

    #[track_caller]
    pub fn clients(&self) -> usize {
        let (reply, answer) = channel();
        self.order(Order::Clients(reply));
        answer.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("the server is gone\n{}", self.log))
    }

    /// Pings the client here until `source` has seen it go, by itself. A seamless move does not end before:
    /// spice-gtk closes the source's main link only after something has come on the target's (spec/spice.md 7).
    #[track_caller]
    pub fn ping_until_gone(&self, source: &Self) {
        let reason = self.ping_until(source, "the client to leave", |note| match note {
            Note::Source(Departure::ClientGone { reason, .. }) => Some(*reason),
            _ => None,
        });
        assert_eq!(reason, ClientLoss::Closed, "{}", source.log);
    }

    /// How the attempts have ended, all so far.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let outcome = |note| match note {
            Note::Source(Departure::Ended { outcome, .. }) => Some(outcome),
            _ => None,
        };
        self.log.all().into_iter().filter_map(outcome).collect()
    }

    /// What has passed on a channel, by name.
    pub fn messages(&self, channel: ChannelId) -> Vec<String> {
        let of_channel = |note| match note {
            Note::Passed { channel: on, message } if on == channel => Some(format!("{message:?}")),
            _ => None,
        };
        self.log.all().into_iter().filter_map(of_channel).collect()
    }

    /// Ends the server as a crash would: it closes all links and listens no more.
    pub fn kill(&mut self) {
        self.order(Order::Quit);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join().is_ok();
            assert!(ended || thread::panicking(), "the server's thread panicked\n{}", self.log);
        }
    }

    /// Ends the server. Nothing that the client has sent was malformed, or a violation, or made us err.
    #[track_caller]
    pub fn finish(mut self) {
        self.kill();
        let wrong = |note: &Note| matches!(note, Note::Error(_) | Note::Passed { message: Passed::Malformed(_), .. });
        assert!(!self.log.all().iter().any(wrong), "{}", self.log);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
