//! The endpoints, their links, and time.

use super::PartiesOp;
use super::apps::{Service, Store};
use super::ledger::Ledger;
use crate::machine::LinkId;
use crate::tds5::PacketType;
use crate::tds5::client::{self, Command, Event, Outcome, SafePoint, State, Trust};
use crate::tds5::connection::Item;
use crate::tds5::endpoint::{
    ClientEndpoint, ClientOutput, EndpointError, ServerCommand, ServerConfig, ServerEndpoint, ServerEvent, ServerOutput,
};
use crate::tds5::login::{HaLogin, Login, LoginRecord};
use crate::tds5::migration::{Address, Options};
use crate::tds5::server::Caller;
use crate::tds5::stream::Data;
use crate::tds5::target::SessionIdDelivery;
use crate::tds5::token::{DataType, Language, Token};
use crate::testing::Choices;
use crate::testing::pipe::Pipe;
use crate::time::Instant;
use crate::wire::{ByteOrder, Encode as _};
use bytes::Bytes;
use core::time::Duration;
use std::vec::Vec;

/// Most rounds until nothing is on its way any more, and until no deadline is left.
const ROUNDS: usize = 4096;

/// A number that no server has.
const NOBODY: usize = usize::MAX;

/// Something that was done, or came of it.
#[derive(Clone, Debug)]
enum Line {
    Op(Instant, PartiesOp),
    Client(Event),
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
                    Line::Server(at, event) => std::eprintln!("    link {at}: {event:?}"),
                }
            }
        }
    }
}

/// A link that the client has dialled, and the service at its other end.
#[derive(Clone, Debug)]
struct Link {
    pipe: Pipe,
    service: Option<Service>,
}

/// A [`ClientEndpoint`], the servers `a`, `b` and `c` with a [`ServerEndpoint`] for each connection, and the links. The
/// servers share what they know of a session by its id.
///
/// ```
/// use handover::testing::Choices;
/// use handover::testing::tds5_machines::{Parties, PartiesOp};
///
/// let mut parties = Parties::new(&mut Choices::new(&[]));
/// let ask = PartiesOp::Migrate { link: 0, to: 0, own: false };
/// for op in [PartiesOp::Settle, PartiesOp::Command(false), ask, PartiesOp::Settle, PartiesOp::Row(0)] {
///     parties.apply(&op);
/// }
/// // The handler lets the client go in the midst of the results: the other server sends the rest.
/// parties.apply(&PartiesOp::Decide(0));
/// parties.finish();
/// assert_eq!(parties.resumed(), [1, 0]);
/// ```
#[derive(Debug)]
pub struct Parties {
    now: Instant,
    client: ClientEndpoint,
    links: Vec<Link>,
    config: ServerConfig,
    store: Store,
    ledger: Ledger,
    order: ByteOrder,
    /// The other half of a command.
    half: Option<Data>,
    /// No fault so far.
    clean: bool,
    trace: Trace,
}

fn address(host: &str) -> Address {
    Address::new(host, 5000).expect("it is good")
}

fn addresses(hosts: &[&str]) -> Vec<Address> {
    hosts.iter().map(|host| address(host)).collect()
}

impl Parties {
    /// All parties in any configuration, and the client dials the first server.
    #[must_use]
    pub fn new(choices: &mut Choices<'_>) -> Self {
        let (mut own, mut config) = (client::Config::default(), ServerConfig::default());
        own.trust = if choices.one_in(4) { Trust::Known } else { Trust::Any };
        own.logout_old = choices.one_in(4);
        own.send_reason = !choices.one_in(4);
        if choices.one_in(4) {
            own.safe_point = SafePoint::WhenIdle;
        }
        let mut options = Options::DEFAULT;
        if choices.one_in(4) {
            options.migrate_packets = false;
            options.address_type = *choices.pick(&[DataType::CHAR, DataType::LONGCHAR]);
            options.session_id_type = *choices.pick(&[DataType::BINARY, DataType::LONGBINARY]);
        }
        config.options = options;
        if choices.one_in(3) {
            let chosen = [SessionIdDelivery::Inline, SessionIdDelivery::Negotiate];
            config.target.session_id_delivery = *choices.pick(&chosen);
        }
        if choices.one_in(6) {
            config.server.limits.unanswered_requests = 1 + u32::from(choices.byte() % 3);
        }
        let order = if choices.one_in(3) { ByteOrder::Big } else { ByteOrder::Little };
        let mut record = LoginRecord::new(order);
        if choices.one_in(3) {
            record.ha_login |= HaLogin::SESSION;
        }
        if choices.one_in(3) {
            record = record.with_packet_size(*choices.pick(&[513, 1000, 4096])).expect("it has room for it");
        }
        let mut parties = Self {
            now: Instant::ZERO,
            client: ClientEndpoint::new(own, options),
            links: Vec::new(),
            config,
            store: Store::default(),
            ledger: Ledger::default(),
            order,
            half: None,
            clean: true,
            trace: Trace::default(),
        };
        let result = parties.client.connect(parties.now, addresses(&["a", "b", "c"]), Login::new(record, true));
        parties.client_did(result);
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
    pub fn outcomes(&self) -> &[Outcome] {
        &self.ledger.outcomes
    }

    /// How often a RESUME was taken up, by a new server and by the old one.
    #[must_use]
    pub const fn resumed(&self) -> [u32; 2] {
        self.ledger.resumed
    }

    /// Does one thing. What makes no sense now does nothing.
    pub fn apply(&mut self, op: &PartiesOp) {
        self.trace.0.push(Line::Op(self.now, op.clone()));
        self.clean &= !op.is_fault();
        match *op {
            PartiesOp::Settle => self.settle(),
            PartiesOp::Deliver { link, up, bytes } => {
                if let Some(at) = self.link(link) {
                    let most = if bytes == 0 { usize::MAX } else { usize::from(bytes) };
                    self.deliver(at, up, most);
                }
            }
            PartiesOp::Connect(link) => self.link(link).into_iter().for_each(|at| self.connect(at)),
            PartiesOp::Command(half) => self.command(half),
            PartiesOp::Attention => {
                // It is misuse where nothing waits.
                let _ = self.client.command(self.now, Command::Attention);
                self.carry_out_client();
            }
            PartiesOp::Migrate { link, to, own } => {
                let others = [&["b"][..], &["c"], &["a"], &["b", "c"], &["x", "a"], &["x"], &["a", "b"], &["x", "y"]];
                let addresses = addresses(others[usize::from(to) % 8]);
                self.order(link, ServerCommand::Migrate { addresses, by: caller(own) });
            }
            PartiesOp::Cancel(link, own) => self.order(link, ServerCommand::Cancel { by: caller(own) }),
            PartiesOp::Enter(link) => self.serve(link, |service, now, _, _| service.enter(now)),
            PartiesOp::Leave(link) => self.serve(link, |service, now, store, _| service.leave(now, store)),
            PartiesOp::Decide(link) => self.serve(link, |service, now, store, _| {
                service.enter(now);
                service.leave(now, store)
            }),
            PartiesOp::Row(link) => self.serve(link, |service, now, _, ledger| service.row(now, ledger)),
            PartiesOp::Finish(link) => self.serve(link, |service, now, _, ledger| service.finish(now, ledger)),
            PartiesOp::Refuse => self.store.refuse = true,
            PartiesOp::Wait(millis) => {
                // Not past a deadline: that would be a fault.
                let then = self.now.saturating_add(Duration::from_millis(millis.into()));
                self.now = self.deadline().map_or(then, |due| then.min(due)).max(self.now);
            }
            PartiesOp::Deadline => self.deadline_comes(),
            PartiesOp::Break { link, client, server } => self.break_link(link, client, server),
            PartiesOp::Garble { link, up, with } => {
                self.ledger.garbled = true;
                let at = self.link(link);
                let bytes = at.map(|at| &mut self.links[at].pipe.end(up).bytes);
                if let Some(byte) = bytes.and_then(|bytes| bytes.get_mut(usize::from(with) % 32)) {
                    *byte ^= with | 1;
                }
            }
            PartiesOp::Disconnect(link) => self.order(link, ServerCommand::Disconnect),
            PartiesOp::Close(logout) => {
                let command = if logout { Command::Logout } else { Command::Close };
                // It is misuse where a command waits.
                let _ = self.client.command(self.now, command);
                self.carry_out_client();
            }
        }
    }

    /// Ends everything and checks that it has ended, and that nothing was lost.
    ///
    /// # Panics
    /// It has not, or something was.
    pub fn finish(&mut self) {
        if self.half.is_some() {
            self.command(false);
        }
        self.wind_down();
        if self.ledger.garbled {
            // Who is told a wrong length waits for the rest as long as the link is there.
            (0..self.links.len()).for_each(|_| self.break_link(0, true, true));
        }
        if self.clean {
            self.ledger.check_ended("without any timer");
            self.ledger.check_whole();
            assert_eq!(self.client.state(), State::Idle, "M14: the client hangs, or is gone");
        }
        for _ in 0..ROUNDS {
            if self.deadline().is_none() {
                break;
            }
            self.deadline_comes();
            self.wind_down();
        }
        assert_eq!(self.deadline(), None, "deadlines without end");
        self.ledger.check_ended("after all timers");
        let state = self.client.state();
        assert!(matches!(state, State::Idle | State::Closed), "M14: the client hangs in {state:?}");
        for (at, link) in self.links.iter().enumerate() {
            let Some(service) = &link.service else { continue };
            let state = service.endpoint.state();
            let rests = ["Serving", "None", "Cancelled", "Failed", "Gone"].contains(&state);
            assert!(rests, "M14: the server of link {at} hangs in {state}");
            let owes = service.endpoint.pending() > 0 && state != "Gone";
            assert!(!owes, "M9: the server of link {at} owes results still, in {state}");
        }
    }

    /// Brings everything on its way, and lets all applications do what is theirs, until nothing moves any more.
    fn wind_down(&mut self) {
        for _ in 0..ROUNDS {
            self.settle();
            let mut moved = false;
            for at in 0..self.links.len() {
                let Some(mut service) = self.links[at].service.take() else { continue };
                moved |= service.leave(self.now, &mut self.store);
                moved |= service.enter(self.now);
                moved |= service.waits() && service.finish(self.now, &mut self.ledger);
                self.links[at].service = Some(service);
                self.carry_out_server(at);
            }
            if !moved {
                return;
            }
        }
        panic!("8: they go on without end");
    }

    fn deadline(&self) -> Option<Instant> {
        let services = self.links.iter().filter_map(|link| link.service.as_ref());
        let servers = services.filter_map(|service| service.endpoint.poll_timeout());
        self.client.poll_timeout().into_iter().chain(servers).min()
    }

    fn deadline_comes(&mut self) {
        self.now = self.deadline().map_or(self.now, |due| due.max(self.now));
        let result = self.client.timeout(self.now);
        self.client_did(result);
        for at in 0..self.links.len() {
            let Some(service) = &mut self.links[at].service else { continue };
            let result = service.endpoint.timeout(self.now);
            self.server_did(at, result);
        }
    }

    /// The link `number` from the newest, of those that are there.
    fn link(&self, number: u8) -> Option<usize> {
        let there: Vec<usize> = (0..self.links.len()).rev().filter(|&at| !self.links[at].pipe.is_over()).collect();
        there.get(usize::from(number) % there.len().max(1)).copied()
    }

    fn settle(&mut self) {
        for _ in 0..ROUNDS {
            let mut moved = false;
            for at in 0..self.links.len() {
                if !self.links[at].pipe.up && !self.links[at].pipe.is_over() {
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

    /// What an endpoint complains about, where nobody has made a mistake: links break, but they do not lie.
    fn check(&self, result: Result<(), EndpointError>) {
        assert!(self.ledger.garbled || result == Ok(()), "no byte was another one on its way: {result:?}");
    }

    fn client_did(&mut self, result: Result<(), EndpointError>) {
        self.check(result);
        self.carry_out_client();
    }

    fn server_did(&mut self, at: usize, result: Result<(), EndpointError>) {
        self.check(result);
        self.carry_out_server(at);
    }

    /// A command whose text is its number, or the half of one, or the other half.
    fn command(&mut self, half: bool) {
        let other = self.half.take();
        let is_new = other.is_none();
        let number = self.client.machine().last_request().map_or(1, |last| last.0 + 1);
        let mut data = other.map_or_else(|| self.text(number), |data| data.0);
        let rest = (half && is_new).then(|| Data(data.split_off(5)));
        let command = Command::Request { ty: PacketType::NORMAL, data: Data(data.clone()), end: rest.is_none() };
        match self.client.command(self.now, command) {
            Ok(()) if is_new => {
                self.ledger.accepted(number);
                self.half = rest;
            }
            Err(_) if !is_new && self.client.state() != State::Closed => self.half = Some(Data(data)),
            _ => {}
        }
        self.carry_out_client();
    }

    fn text(&self, number: u32) -> Bytes {
        let token: Token = Language::new(Bytes::copy_from_slice(&number.to_le_bytes())).into();
        token.in_order(self.order).to_vec().expect("it is short").into()
    }

    fn order(&mut self, link: u8, command: ServerCommand) {
        self.serve(link, |service, now, _, _| service.endpoint.command(now, command));
    }

    fn serve<T>(&mut self, link: u8, act: impl FnOnce(&mut Service, Instant, &mut Store, &mut Ledger) -> T) {
        let Some(at) = self.link(link) else { return };
        if let Some(service) = &mut self.links[at].service {
            // What cannot be done now is not done.
            let _ = act(service, self.now, &mut self.store, &mut self.ledger);
            self.carry_out_server(at);
        }
    }
}

const fn caller(own: bool) -> Caller {
    if own { Caller::Own } else { Caller::Other }
}

mod links;
