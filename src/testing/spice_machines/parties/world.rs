//! The three endpoints, their links and their applications.

use super::PartiesOp;
use super::ledger::Ledger;
use crate::spice::client::{self, Address, Command, State};
use crate::spice::endpoint::{
    ClientEndpoint, ClientOutput, EndpointError, ServerCommand, ServerConfig, ServerEndpoint, ServerEvent, ServerOutput,
};
use crate::spice::link::{PublicKey, Ticket};
use crate::spice::main_channel::{AgentData, Init};
use crate::spice::{
    Capabilities, ChannelId, ChannelType, ClientId, ClientMessage, CommonCaps, DstInfo, LinkError, LinkId, MainCaps,
    Packet, Port, ServerMessage, Unknown, source, target,
};
use crate::testing::Choices;
use crate::testing::pipe::Pipe;
use crate::time::Instant;
use bytes::Bytes;
use core::time::Duration;
use std::collections::BTreeMap;
use std::vec::Vec;

/// Most rounds until nothing is on its way any more, and until no deadline is left.
const ROUNDS: usize = 4096;

/// A server with what its application remembers.
#[derive(Clone, Debug)]
struct Server {
    endpoint: ServerEndpoint,
    /// Refuses links without TLS.
    secure: bool,
    links: BTreeMap<LinkId, (ClientId, ChannelId)>,
    newest: Option<ClientId>,
}

/// Something that was done, or came of it.
#[derive(Clone, Debug)]
enum Line {
    Op(Instant, PartiesOp),
    Client(client::Event),
    Server(usize, ServerEvent),
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
                    Line::Client(event) => std::eprintln!("    client: {event:?}"),
                    Line::Server(at, event) => std::eprintln!("    server {at}: {event:?}"),
                }
            }
        }
    }
}

/// A [`ClientEndpoint`], two [`ServerEndpoint`]s that the client is moved between, and the links.
///
/// ```
/// use handover::testing::Choices;
/// use handover::testing::spice_machines::{Parties, PartiesOp};
///
/// let mut parties = Parties::new(&mut Choices::new(&[]));
/// for op in [PartiesOp::Settle, PartiesOp::MigrateInfo, PartiesOp::Settle, PartiesOp::ClientSends(1)] {
///     parties.apply(&op);
/// }
/// parties.apply(&PartiesOp::Completed);
/// parties.finish();
/// ```
#[derive(Debug)]
pub struct Parties {
    now: Instant,
    client: ClientEndpoint,
    servers: [Server; 2],
    /// Where the virtual machine runs.
    home: usize,
    pipes: Vec<Pipe>,
    next_link: u32,
    ledger: Ledger,
    /// No fault so far.
    clean: bool,
    refuse: Option<bool>,
    trace: Trace,
}

const fn channel(number: u8) -> ChannelId {
    match number % 4 {
        0 | 3 => ChannelId::MAIN,
        1 => ChannelId::new(ChannelType::DISPLAY, 0),
        _ => ChannelId::new(ChannelType::CURSOR, 0),
    }
}

fn number_in(body: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*body.first_chunk()?))
}

impl Parties {
    /// Three parties in any configuration, and the client dials the first server.
    #[must_use]
    pub fn new(choices: &mut Choices<'_>) -> Self {
        let mut config = client::Config::default();
        if choices.one_in(6) {
            config.main_caps -= MainCaps::SEAMLESS_MIGRATE;
        }
        if choices.one_in(8) {
            config.main_caps = MainCaps::empty();
        }
        if choices.one_in(4) {
            config.common_caps -= CommonCaps::MINI_HEADER;
        }
        let mut server = || {
            let mut config = ServerConfig::default();
            config.source.seamless = !choices.one_in(8);
            config.target.several_clients = choices.one_in(12);
            if choices.one_in(8) {
                config.target.migration_version = 0;
            }
            if choices.one_in(6) {
                config.common_caps -= CommonCaps::AUTH_SELECTION;
            }
            let endpoint = ServerEndpoint::new(config);
            Server { endpoint, secure: choices.one_in(6), links: BTreeMap::new(), newest: None }
        };
        let servers = [server(), server()];
        let mut parties = Self {
            now: Instant::ZERO,
            client: ClientEndpoint::new(config),
            servers,
            home: 0,
            pipes: Vec::new(),
            next_link: 0,
            ledger: Ledger::default(),
            clean: true,
            refuse: None,
            trace: Trace::default(),
        };
        let address = Address::new("a", Port::from_wire(5900), Port::from_wire(5901), None);
        parties.command(Command::Connect(address)).expect("it is the first");
        parties
    }

    /// Whether no fault has happened.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.clean
    }

    /// Where the client stands.
    #[must_use]
    pub fn client_state(&self) -> State {
        self.client.state()
    }

    /// How the client's attempts have ended so far.
    #[must_use]
    pub fn outcomes(&self) -> &[client::Outcome] {
        &self.ledger.outcomes
    }

    /// Does one thing. What makes no sense now does nothing.
    pub fn apply(&mut self, op: &PartiesOp) {
        self.trace.0.push(Line::Op(self.now, op.clone()));
        self.clean &= !op.is_fault();
        match *op {
            PartiesOp::Settle => self.settle(),
            PartiesOp::Deliver { link, up, bytes } => {
                if let Some(at) = self.pipe(link) {
                    let most = if bytes == 0 { usize::MAX } else { usize::from(bytes) };
                    self.deliver(at, up, most);
                }
            }
            PartiesOp::Connect(link) => self.pipe(link).into_iter().for_each(|at| self.connect(at)),
            PartiesOp::ClientSends(number) => self.client_sends(channel(number)),
            PartiesOp::ServerSends(number) => self.server_sends(channel(number)),
            PartiesOp::OpenChannel(number) => {
                let caps = Capabilities::default();
                let _ = self.command(Command::OpenChannel { channel: channel(number), caps });
            }
            PartiesOp::MigrateInfo => self.migrate_info(),
            PartiesOp::Completed => self.completed(),
            PartiesOp::Cancelled => drop(self.order(self.home, ServerCommand::VmCancelled)),
            PartiesOp::Failed => drop(self.order(self.home, ServerCommand::VmFailed)),
            PartiesOp::Running => drop(self.order(self.home, ServerCommand::VmRunning)),
            PartiesOp::Wait(millis) => {
                // Not past a deadline: that would be a fault.
                let then = self.now.saturating_add(Duration::from_millis(millis.into()));
                self.now = self.deadline().map_or(then, |due| then.min(due)).max(self.now);
            }
            PartiesOp::Deadline => self.deadline_comes(),
            PartiesOp::Break { link, client, server } => self.break_link(link, client, server),
            PartiesOp::Refuse(late) => self.refuse = Some(late),
            PartiesOp::Garble { link, up, with } => {
                self.ledger.garbled = true;
                let at = self.pipe(link);
                let bytes = at.map(|at| &mut self.pipes[at].end(up).bytes);
                if let Some(byte) = bytes.and_then(|bytes| bytes.get_mut(usize::from(with) % 16)) {
                    *byte ^= with | 1;
                }
            }
            PartiesOp::CloseChannel(number) => drop(self.command(Command::CloseChannel(channel(number)))),
            PartiesOp::Abandon => drop(self.command(Command::Abandon)),
            PartiesOp::Disconnect => drop(self.command(Command::Disconnect)),
        }
    }

    /// Ends everything and checks that it has ended, and that nothing was lost.
    ///
    /// # Panics
    /// It has not, or something was.
    pub fn finish(&mut self) {
        self.apply(&PartiesOp::Settle);
        for server in 0..2 {
            // Where there is no attempt, that is misuse.
            let _ = self.order(server, ServerCommand::VmCancelled);
        }
        self.apply(&PartiesOp::Settle);
        if self.ledger.garbled {
            // Who is told a wrong length waits for the rest as long as the link is there.
            (0..self.pipes.len()).for_each(|_| self.break_link(0, true, true));
        }
        if self.clean {
            self.ledger.check_ended("without any timer");
            if !self.ledger.lossy {
                self.ledger.check_whole();
            }
        }
        for _ in 0..ROUNDS {
            if self.deadline().is_none() {
                break;
            }
            self.deadline_comes();
            self.settle();
        }
        assert_eq!(self.deadline(), None, "deadlines without end");
        self.ledger.check_ended("after all timers");
        let state = self.client.state();
        assert!(matches!(state, State::Online | State::Disconnected), "K9: the client hangs in {state:?}");
        for server in &self.servers {
            let state = crate::machine::Machine::state(server.endpoint.source());
            assert_eq!(state, source::State::Idle, "S3: a source hangs");
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let servers = self.servers.iter().filter_map(|server| server.endpoint.poll_timeout());
        self.client.poll_timeout().into_iter().chain(servers).min()
    }

    fn deadline_comes(&mut self) {
        self.now = self.deadline().map_or(self.now, |due| due.max(self.now));
        let result = self.client.timeout(self.now);
        self.client_did(result);
        for at in 0..2 {
            let result = self.servers[at].endpoint.timeout(self.now);
            self.server_did(at, result);
        }
    }

    /// The link `number` from the newest, of those that are there.
    fn pipe(&self, number: u8) -> Option<usize> {
        let there: Vec<usize> = (0..self.pipes.len()).rev().filter(|&at| !self.pipes[at].is_over()).collect();
        there.get(usize::from(number) % there.len().max(1)).copied()
    }

    /// Brings everything on its way until nothing moves any more.
    fn settle(&mut self) {
        for _ in 0..ROUNDS {
            let mut moved = false;
            for at in 0..self.pipes.len() {
                if !self.pipes[at].up && !self.pipes[at].is_over() {
                    self.connect(at);
                    moved = true;
                }
                moved |= self.deliver(at, true, usize::MAX);
                moved |= self.deliver(at, false, usize::MAX);
            }
            if !moved {
                return;
            }
        }
        panic!("8: they talk without end");
    }

    fn connect(&mut self, at: usize) {
        let pipe = &mut self.pipes[at];
        if pipe.up || pipe.is_over() {
            return;
        }
        pipe.up = true;
        let (client, server, at_server) = (pipe.at_client.id, pipe.server, pipe.at_server.id);
        self.servers[server].endpoint.accepted(at_server);
        let result = self.client.connected(client);
        self.client_did(result);
    }

    /// Hands over up to `most` bytes, and behind the last one the news that the link is closed.
    fn deliver(&mut self, at: usize, up: bool, most: usize) -> bool {
        let pipe = &mut self.pipes[at];
        let (server, closing) = (pipe.server, pipe.is_closing(up));
        let end = pipe.end(up);
        if end.done || (end.bytes.is_empty() && !closing) || (end.paused && !closing) {
            return false;
        }
        let link = end.id;
        end.done = closing;
        let bytes = end.take(most);
        match (up, closing) {
            (true, false) => {
                let result = self.servers[server].endpoint.received(self.now, link, &bytes);
                self.server_did(server, result);
            }
            (true, true) => {
                let result = self.servers[server].endpoint.closed(self.now, link);
                self.server_did(server, result);
            }
            (false, false) => {
                let result = self.client.received(self.now, link, &bytes);
                self.client_did(result);
            }
            (false, true) => {
                let result = self.client.closed(self.now, link);
                self.client_did(result);
            }
        }
        true
    }

    fn break_link(&mut self, link: u8, client: bool, server: bool) {
        let Some(at) = self.pipe(link) else { return };
        let pipe = &mut self.pipes[at];
        let (at_client, at_server, up) = (pipe.at_client.done, pipe.at_server.done, pipe.up);
        pipe.at_client.bytes.clear();
        pipe.at_server.bytes.clear();
        let (client_link, server_at, server_link) = (pipe.at_client.id, pipe.server, pipe.at_server.id);
        // The end that is not told now hears it as a close by the other one.
        (pipe.at_client.done, pipe.at_server.done) = (client || at_client || !server, server || at_server || !up);
        if (client || !server) && !at_client {
            let result = self.client.closed(self.now, client_link);
            self.client_did(result);
        }
        if server && up && !at_server {
            let result = self.servers[server_at].endpoint.closed(self.now, server_link);
            self.server_did(server_at, result);
        }
    }

    /// What an endpoint complains about, where nobody has made a mistake.
    fn check(&self, result: Result<(), EndpointError>) {
        if self.clean {
            assert_eq!(result, Ok(()), "without a fault");
        }
    }

    fn client_did(&mut self, result: Result<(), EndpointError>) {
        self.check(result);
        self.carry_out_client();
    }

    fn server_did(&mut self, at: usize, result: Result<(), EndpointError>) {
        self.check(result);
        self.carry_out_server(at);
    }

    fn command(&mut self, command: Command) -> Result<(), EndpointError> {
        let result = self.client.command(self.now, command);
        self.carry_out_client();
        result
    }

    fn order(&mut self, at: usize, command: ServerCommand) -> Result<(), EndpointError> {
        let result = self.servers[at].endpoint.command(self.now, command);
        self.carry_out_server(at);
        result
    }

    fn client_sends(&mut self, channel: ChannelId) {
        let number = self.ledger.number();
        let body = Bytes::copy_from_slice(&number.to_le_bytes());
        let message = match channel.is_main() {
            true => ClientMessage::AgentData(AgentData { data: body }),
            false => ClientMessage::Unknown(Unknown { ty: 900, body }),
        };
        let mut ledger = self.ledger.clone();
        ledger.sent(true, channel, number);
        let before = core::mem::replace(&mut self.ledger, ledger);
        if self.command(Command::Send { channel, packet: message.into() }).is_err() {
            self.ledger = before;
        }
    }

    fn server_sends(&mut self, channel: ChannelId) {
        let server = &self.servers[self.home];
        let Some(link) = server.newest.and_then(|client| server.endpoint.link_of(client, channel)) else { return };
        let number = self.ledger.number();
        let body = Bytes::copy_from_slice(&number.to_le_bytes());
        let message = match channel.is_main() {
            true => ServerMessage::AgentData(AgentData { data: body }),
            false => ServerMessage::Unknown(Unknown { ty: 900, body }),
        };
        if self.order(self.home, ServerCommand::Send { link, packet: message.into() }).is_ok() {
            self.ledger.sent(false, channel, number);
        }
    }

    fn migrate_info(&mut self) {
        let name = ["a", "b"][1 - self.home];
        let dst = DstInfo::new(name, Port::from_wire(5900), Port::from_wire(5901), None).expect("it is good");
        let _ = self.order(self.home, ServerCommand::MigrateInfo(dst));
    }

    fn completed(&mut self) {
        if self.order(self.home, ServerCommand::VmCompleted).is_ok() {
            self.home = 1 - self.home;
        }
    }
}

mod apps;
