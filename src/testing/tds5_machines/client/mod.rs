//! Operations for a client.

mod lines;
mod model;

pub use model::ClientModel;

use super::words::{data, token};
use crate::machine::{LinkId, Machine, Table};
use crate::tds5::PacketType;
use crate::tds5::capability::{Capabilities, Mask, ResponseCapability};
use crate::tds5::client::{Client, Command, Config, Event, Input, Output, SafePoint, State, TABLE, TableEvent, Trust};
use crate::tds5::login::{Login, LoginRecord};
use crate::tds5::migration::Address;
use crate::testing::Choices;
use crate::testing::contract::{Attempt, InputOf, Subject};
use crate::testing::trial::{Trial, on_trial};
use crate::wire::ByteOrder;
use core::time::Duration;
use std::collections::VecDeque;
use std::vec::Vec;

/// A link: the one in use, the newest that was dialled, or any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The one in use.
    Home,
    /// The newest.
    Newest,
    /// Any.
    Number(u8),
}

impl Pick {
    fn choose(c: &mut Choices<'_>) -> Self {
        match c.byte() % 8 {
            0..=3 => Self::Home,
            4..=6 => Self::Newest,
            _ => Self::Number(c.byte() % 6),
        }
    }
}

/// One thing that happens to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientOp {
    /// What would come next if all went well; the number chooses where there are several ways.
    Forward(u8),
    /// The session is wanted.
    Connect(u8),
    /// The application gives a piece of a command.
    Request {
        /// The kind of message.
        ty: u8,
        /// Whether the command ends.
        end: bool,
    },
    /// It wants the command to be cancelled.
    Attention,
    /// It gives a piece of an answer to a login.
    Answer(Pick, u8),
    /// It wants to log out.
    Logout,
    /// It closes everything.
    Close,
    /// A link is there.
    Opened(Pick),
    /// A link cannot be had.
    OpenFailed(Pick),
    /// A link closes.
    Closed(Pick),
    /// A server says one thing.
    Say(Pick, u8),
    /// A server begins to say several things, which come one by one as [`Forward`](Self::Forward) asks for them.
    Begin(Pick, u8),
    /// The next of these.
    Next,
    /// The timeout input, due or not.
    Timeout,
}

impl ClientOp {
    /// Any operation.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        match c.byte() {
            0..=159 => Self::Forward(c.byte()),
            160..=161 => Self::Connect(c.byte()),
            162..=181 => Self::Request { ty: if c.one_in(4) { c.byte() } else { 0 }, end: !c.one_in(3) },
            182..=187 => Self::Attention,
            188..=190 => Self::Answer(Pick::choose(c), c.byte()),
            191 => Self::Logout,
            192 => Self::Close,
            193..=194 => Self::Opened(Pick::choose(c)),
            195..=197 => Self::OpenFailed(Pick::choose(c)),
            198..=200 => Self::Closed(Pick::choose(c)),
            201..=230 => Self::Say(Pick::choose(c), c.byte()),
            231..=250 => Self::Begin(Pick::choose(c), c.byte()),
            _ => Self::Timeout,
        }
    }
}

on_trial!(ops ClientOp);

/// The addresses of these trials: two that the client knows, one that it may trust, one that it does not.
pub(super) fn address(number: u8) -> Address {
    let host = ["a", "B", "c", "d"][usize::from(number) % 4];
    Address::new(host, 5000).expect("it is good")
}

/// A client for the contract suite and for [`run_client`](super::run_client).
#[derive(Clone, Debug, Default)]
pub struct ClientSubject {
    config: Config,
    home: u32,
    newest: u32,
    /// What a server is in the middle of saying.
    lines: VecDeque<Input>,
    unique: u32,
}

impl ClientSubject {
    fn config(choices: &mut Choices<'_>) -> Config {
        let mut config = Config::default();
        match choices.byte() % 8 {
            0..=4 => config.trust = Trust::Any,
            5 => config.trust = Trust::List(Vec::from([address(1), address(2)])),
            _ => {}
        }
        let odd = choices.byte();
        config.migratable = odd % 16 != 15;
        config.tls = odd / 16 % 4 == 3;
        config.logout_old = odd / 64 % 2 == 1;
        config.send_reason = odd / 128 != 1;
        if choices.one_in(4) {
            config.safe_point = SafePoint::WhenIdle;
        }
        if choices.one_in(2) {
            config.follow_redirects = true;
            config.max_redirects = choices.byte() % 3;
        }
        if choices.one_in(6) {
            config.answer_timeout = Duration::from_millis(u64::from(choices.byte()));
            config.login_timeout = Duration::from_millis(u64::from(choices.byte()));
        }
        if choices.one_in(6) {
            config.limits.held_messages = choices.below(4);
            config.limits.held_bytes = choices.below(12);
            config.limits.addresses = 1 + choices.below(2);
            config.limits.unanswered_requests = *choices.pick(&[1, 2, 0]);
        }
        config
    }

    fn pick(&self, pick: Pick) -> LinkId {
        LinkId(match pick {
            Pick::Home => self.home,
            Pick::Newest => self.newest,
            Pick::Number(number) => number.into(),
        })
    }

    fn command(&self, op: &ClientOp) -> Command {
        let data = data(self.unique);
        match *op {
            ClientOp::Connect(number) => {
                let addresses = [&[0, 1][..], &[0], &[1, 0], &[], &[0, 1, 2]][usize::from(number) % 5];
                let record = LoginRecord::new(ByteOrder::Little);
                let mut login = Login::new(record, number >= 128);
                if number % 16 == 15 {
                    let silent = Mask::of([ResponseCapability::NO_MESSAGE.0]).expect("it is small");
                    login.capabilities = Capabilities::new(&Mask::zero(12), &silent);
                }
                Command::Connect { addresses: addresses.iter().map(|&at| address(at)).collect(), login: login.into() }
            }
            ClientOp::Request { ty, end } => {
                let types = [PacketType::NORMAL, PacketType::LANGUAGE, PacketType::RPC, PacketType::ATTENTION];
                Command::Request { ty: types[usize::from(ty) % 4], data, end }
            }
            ClientOp::Attention => Command::Attention,
            ClientOp::Answer(pick, number) => {
                let ty = [PacketType::NORMAL, PacketType::NORMAL, PacketType::LOGIN, PacketType::RPC];
                let (ty, end) = (ty[usize::from(number) % 4], number / 4 % 2 == 0);
                Command::Answer { link: self.pick(pick), ty, data, end }
            }
            ClientOp::Logout => Command::Logout,
            _ => Command::Close,
        }
    }
}

impl Subject for ClientSubject {
    on_trial!(subject Client, Input::Closed(LinkId(0)));

    fn machine(&mut self, choices: &mut Choices<'_>) -> Client {
        self.config = Self::config(choices);
        Client::new(self.config.clone())
    }

    fn is_terminal(machine: &Client) -> bool {
        machine.state() == State::Closed
    }

    fn observe(&mut self, output: &Output) {
        match output {
            Output::Dial { link, .. } => self.newest = link.0,
            Output::Switch { to, .. } | Output::Event(Event::Connected { link: to, .. }) => self.home = to.0,
            _ => {}
        }
    }

    fn attempt(output: &Output) -> Option<Attempt> {
        match output {
            Output::Event(Event::Started { attempt, .. }) => Some(Attempt::Started(attempt.0.into())),
            Output::Event(Event::Ended { attempt, .. }) => Some(Attempt::Ended(attempt.0.into())),
            _ => None,
        }
    }

    fn wind_down(&mut self, machine: &Client) -> Option<Input> {
        // A session lasts until somebody ends it.
        let waits = machine.poll_timeout().is_none() && machine.state() != State::Closed;
        waits.then_some(Input::Command(Command::Close))
    }
}

impl Trial for ClientSubject {
    on_trial!(trial Client, ClientOp, ClientModel);

    fn forward(&self, number: u8, machine: &Client) -> ClientOp {
        let (home, newest) = (Pick::Home, Pick::Newest);
        let request = ClientOp::Request { ty: 0, end: number < 224 };
        let there = self.lines.is_empty();
        match (machine.state(), number % 16) {
            (State::Closed, _) => ClientOp::Timeout,
            (_, 0..=9) if !there => ClientOp::Next,
            (State::New, _) => ClientOp::Connect(number / 16 % 2 * 4),
            (State::Dialling, 15) => ClientOp::OpenFailed(newest),
            (State::Dialling, _) => ClientOp::Opened(newest),
            (State::LoggingIn, 11) => ClientOp::Begin(newest, lines::REFUSED),
            (State::LoggingIn, 12) => ClientOp::Begin(newest, lines::ELSEWHERE + number / 16),
            (State::LoggingIn, 13) => ClientOp::Begin(newest, lines::ASKED),
            (State::LoggingIn, 14) => ClientOp::Answer(newest, 0),
            (State::LoggingIn, 15) => ClientOp::Begin(newest, lines::NEGOTIATED),
            (State::LoggingIn, _) => ClientOp::Begin(newest, lines::ACCEPTED + number / 16 % 4),
            (_, 10 | 11) => request,
            (State::Idle, 12) if number < 32 => ClientOp::Logout,
            (State::Idle, _) => ClientOp::Begin(home, lines::REQUEST + number / 16),
            (State::Busy | State::Resuming, 12) => ClientOp::Attention,
            (State::Busy | State::Resuming, 0..=4) => ClientOp::Begin(home, lines::REQUEST + number / 16),
            (State::Busy | State::Resuming, 5) => ClientOp::Begin(home, lines::PART),
            (State::Busy | State::Resuming, 6) => ClientOp::Begin(home, lines::CANCELLED),
            (State::Busy | State::Resuming, _) => ClientOp::Begin(home, lines::RESULTS),
            (State::Synced, 12) => ClientOp::Attention,
            (State::Synced, 13) => ClientOp::Begin(home, lines::RESULTS),
            (State::Synced, 8 | 9) => ClientOp::Begin(home, lines::IGNORED),
            (State::Synced, 14) => ClientOp::Begin(home, lines::REQUEST + number / 16),
            (State::Synced, _) => ClientOp::Begin(home, lines::CONTINUED),
            (State::Moving, 12) => ClientOp::Attention,
            (State::Moving, 13) => ClientOp::OpenFailed(newest),
            (State::Moving, 14) => ClientOp::Begin(newest, lines::REFUSED),
            (State::Moving, 15) => ClientOp::Begin(newest, lines::ELSEWHERE + number / 16),
            (State::Moving, 9) => ClientOp::Closed(home),
            (State::Moving, 0..=4) => ClientOp::Opened(newest),
            (State::Moving, 8) => ClientOp::Begin(newest, lines::NEGOTIATED),
            (State::Moving, _) => ClientOp::Begin(newest, lines::ACCEPTED + number / 16 % 4),
            (State::LoggingOut, 0..=3) => ClientOp::Closed(home),
            (State::LoggingOut, _) => ClientOp::Begin(home, lines::RESULTS),
        }
    }

    fn resolve(&mut self, op: &ClientOp) -> Input {
        self.unique += 1;
        match *op {
            // No further than one step.
            ClientOp::Forward(_) | ClientOp::Timeout => Input::Timeout,
            ClientOp::Opened(pick) => Input::Opened(self.pick(pick)),
            ClientOp::OpenFailed(pick) => Input::OpenFailed(self.pick(pick)),
            ClientOp::Closed(pick) => Input::Closed(self.pick(pick)),
            ClientOp::Say(pick, number) => {
                Input::Item { link: self.pick(pick), item: lines::item(number, self.unique) }
            }
            ClientOp::Begin(pick, number) => {
                let link = self.pick(pick);
                let lines = lines::lines(number, self.unique);
                self.lines = lines.into_iter().map(|item| Input::Item { link, item }).collect();
                self.lines.pop_front().unwrap_or(Input::Timeout)
            }
            ClientOp::Next => self.lines.pop_front().unwrap_or(Input::Timeout),
            _ => Input::Command(self.command(op)),
        }
    }

    fn model(&self, _machine: &Client) -> ClientModel {
        ClientModel::new(self.config.clone())
    }
}

/// A token that nobody looks into.
fn row(unique: u32) -> crate::tds5::connection::Item {
    crate::tds5::connection::Item::Token(token(unique))
}
