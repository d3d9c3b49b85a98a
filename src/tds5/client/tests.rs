//! Walks through the client: each test is one sequence of spec/tds5.md 4.2, 4.3 or 6.3.

mod crossing;
mod login;
mod migration;
mod random;
mod requests;

use super::*;
use crate::error::Error;
use crate::machine::{AttemptId, Machine};
use crate::tds5::capability::{Capabilities, Mask};
use crate::tds5::connection::Item;
use crate::tds5::ids::DoneStatus;
use crate::tds5::login::LoginRecord;
use crate::tds5::migration::{FailReason, Migration, Request};
use crate::tds5::stream::Data;
use crate::tds5::token::{Done, LoginAck, LoginStatus, Token};
use crate::wire::ByteOrder;
use alloc::vec;

const OLD: LinkId = LinkId(1);
const NEW: LinkId = LinkId(2);
const FIRST: AttemptId = AttemptId(1);

fn address(host: &str) -> Address {
    Address::new(host, 5000).unwrap()
}

fn id(byte: u8) -> SessionId {
    SessionId::new([byte; 6]).unwrap()
}

fn record() -> LoginRecord {
    LoginRecord::new(ByteOrder::Little).with_user(b"guest", b"secret").unwrap()
}

fn login_ack(status: LoginStatus) -> Item {
    Item::Token(LoginAck::new(status, "server", [1, 0, 0, 0]).into())
}

/// CAPABILITY with these request numbers.
fn capability(numbers: &[u16]) -> Item {
    Item::Token(Capabilities::new(&Mask::of(numbers.iter().copied()).unwrap(), &Mask::zero(1)).into())
}

fn done() -> Item {
    Item::Token(Done::FINAL.into())
}

fn acknowledged() -> Item {
    Item::Token(Done { status: DoneStatus::ATTENTION, ..Done::FINAL }.into())
}

fn more() -> Item {
    Item::Token(Done { status: DoneStatus::MORE, ..Done::FINAL }.into())
}

const END: Item = Item::End(PacketType::RESPONSE);

fn given(id: SessionId) -> Item {
    Item::Migration(Migration::SessionId(Some(id)))
}

/// The response to a login that gives an id inline.
fn accepted(id: Option<SessionId>) -> Vec<Item> {
    let mut items = vec![login_ack(LoginStatus::SUCCEED)];
    items.extend(id.map(given));
    items.extend([capability(&[1, 89]), done(), END]);
    items
}

fn asks(hosts: &[&str]) -> Migration {
    let addresses = hosts.iter().map(|host| address(host)).collect();
    Migration::Request(Request { addresses, unreadable: Vec::new() })
}

fn piece(text: &'static str, end: bool) -> Command {
    Command::Request { ty: PacketType::LANGUAGE, data: Data(text.into()), end }
}

fn sent(link: LinkId, text: &'static str, end: bool) -> Output {
    Output::Send { link, ty: PacketType::LANGUAGE, data: Data(text.into()), end }
}

fn says(link: LinkId, migration: Migration) -> Output {
    Output::Migration { link, migration }
}

fn fails(code: i32, text: &str) -> Migration {
    Migration::Fail(Some(FailReason::new(code, text)))
}

fn event(event: Event) -> Output {
    Output::Event(event)
}

fn passed(item: Item) -> Output {
    event(Event::Item(item))
}

fn ended(attempt: u32, outcome: Outcome) -> Output {
    event(Event::Ended { attempt: AttemptId(attempt), outcome })
}

fn started(attempt: u32, migration: Migration) -> Output {
    let Migration::Request(request) = migration else { panic!("no request") };
    event(Event::Started { attempt: AttemptId(attempt), request })
}

fn completed(request: u32) -> Output {
    event(Event::Completed(RequestId(request)))
}

fn ignored(link: LinkId, what: &'static str) -> Output {
    event(Event::Ignored { link, what })
}

fn disconnected(reason: Disconnect, unfinished: &[u32]) -> Output {
    event(Event::Disconnected { reason, unfinished: unfinished.iter().copied().map(RequestId).collect() })
}

fn dials(link: LinkId, host: &str) -> Output {
    Output::Dial { link, address: address(host), tls: false }
}

/// A client under test.
struct Trial {
    client: Client,
    now: Instant,
}

impl Trial {
    fn new(config: Config) -> Self {
        Self { client: Client::new(config), now: Instant::ZERO }
    }

    /// A client that waits for the answer to its login at the first address of `a` and `b`.
    fn logging_in(config: Config) -> Self {
        let mut trial = Self::new(config);
        trial.connect();
        trial.input(Input::Opened(OLD));
        trial
    }

    /// A client that is logged in, and can be migrated to `a`, `b` and `c`.
    fn idle() -> Self {
        Self::idle_with(Config {
            trust: Trust::List(vec![address("a"), address("b"), address("c")]),
            ..Config::default()
        })
    }

    fn idle_with(config: Config) -> Self {
        let mut trial = Self::logging_in(config);
        trial.items(OLD, accepted(Some(id(1))));
        assert_eq!(trial.client.state(), State::Idle);
        trial
    }

    /// A client that waits for the results of command 1.
    fn busy() -> Self {
        let mut trial = Self::idle();
        assert_eq!(trial.command(piece("one", true)), [sent(OLD, "one", true)]);
        trial
    }

    /// The same, with SYNC sent in attempt 1 to `b` and `c`.
    fn synced(mut self) -> Self {
        let outputs = self.migration(OLD, asks(&["b", "c"]));
        assert_eq!(outputs, [started(1, asks(&["b", "c"])), says(OLD, Migration::Sync)]);
        self
    }

    /// The same, with `b` dialled.
    fn moving(self) -> Self {
        let mut trial = self.synced();
        assert_eq!(trial.migration(OLD, Migration::Continue), [dials(NEW, "b")]);
        trial
    }

    /// The same, with the login sent to `b`.
    fn logging_in_anew(self) -> Self {
        let mut trial = self.moving();
        assert!(matches!(&*trial.input(Input::Opened(NEW)), [Output::Login { link: NEW, .. }]));
        trial
    }

    fn connect(&mut self) -> Vec<Output> {
        let login = Box::new(Login::new(record(), false));
        self.command(Command::Connect { addresses: vec![address("a"), address("b")], login })
    }

    fn input(&mut self, input: Input) -> Vec<Output> {
        self.client.handle(self.now, input).unwrap();
        self.drain()
    }

    fn drain(&mut self) -> Vec<Output> {
        core::iter::from_fn(|| self.client.poll_output()).collect()
    }

    fn command(&mut self, command: Command) -> Vec<Output> {
        self.input(Input::Command(command))
    }

    fn items(&mut self, link: LinkId, items: impl IntoIterator<Item = Item>) -> Vec<Output> {
        items.into_iter().flat_map(|item| self.input(Input::Item { link, item })).collect()
    }

    /// A message of type 17.
    fn migration(&mut self, link: LinkId, migration: Migration) -> Vec<Output> {
        self.items(link, [Item::Migration(migration), Item::End(PacketType::MIGRATE)])
    }

    /// Lets the deadline pass.
    fn wait(&mut self) -> Vec<Output> {
        self.now = self.client.poll_timeout().expect("a deadline");
        let before = Instant::from_micros(self.now.as_micros() - 1);
        let client = self.client.clone();
        self.client.handle(before, Input::Timeout).unwrap();
        assert_eq!(self.client, client, "early");
        let outputs = self.input(Input::Timeout);
        assert!(self.client.poll_timeout().is_none_or(|next| next > self.now));
        outputs
    }

    /// Something that is refused, and changes nothing.
    fn misuse(&mut self, input: Input) -> alloc::string::String {
        let before = self.client.clone();
        let error = self.client.handle(Instant::from_micros(u64::MAX), input).unwrap_err();
        assert!(matches!(error, Error::Misuse(_)));
        assert_eq!(self.client, before);
        alloc::string::ToString::to_string(&error)
    }

    fn state(&self) -> State {
        self.client.state()
    }
}

/// The session goes on at `link`: a command goes there and is completed.
fn goes_on(trial: &mut Trial, link: LinkId) {
    assert_eq!(trial.state(), State::Idle);
    assert_eq!(trial.command(piece("on", true)), [sent(link, "on", true)]);
    let request = trial.client.last_request().unwrap();
    assert_eq!(trial.items(link, [done(), END]), [passed(done()), passed(END), completed(request.0)]);
    assert_eq!(trial.state(), State::Idle);
}

/// The seconds until the next deadline.
fn seconds(trial: &Trial) -> Option<u64> {
    trial.client.poll_timeout().map(|at| at.saturating_duration_since(trial.now).as_secs())
}
