//! Operations for a client.

mod model;

pub use model::ClientModel;

use super::words::{command, defer, key, server_id, uri};
use crate::deferral::client::{
    Client, Config, Credentials, Event, Hosts, Input, Output, Peer, Policy, State, TABLE, TableEvent, Task,
};
use crate::deferral::message::{Data, Defer, End, Message, Queued, Refused, Request, RequestKey};
use crate::deferral::{DeferKind, MessageKind, RefusalCode};
use crate::frame::{Extensions, Text};
use crate::machine::{LinkId, Machine, Table};
use crate::testing::Choices;
use crate::testing::contract::{Attempt, InputOf, OutputOf, Subject};
use crate::testing::trial::{Trial, on_trial};
use crate::time::Instant;
use bytes::Bytes;
use core::time::Duration;
use std::boxed::Box;
use std::vec::Vec;

/// One thing that happens to a client. The link is the last that it has asked for, from 240 on another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientOp {
    /// What would come next; the number chooses where there are several ways.
    Forward(u8),
    /// A server is reached.
    Open {
        /// On which link.
        link: u8,
        /// Who it is, and what it remembers; 240 and more: as when it was reached before.
        peer: u8,
    },
    /// A server says something.
    Say {
        /// On which link.
        link: u8,
        /// Which message.
        what: u8,
        /// What is in it.
        shape: u8,
    },
    /// A link is over.
    Closed(u8),
    /// The user wants to wait, or not.
    Wait(bool),
    /// The user gives up.
    Cancel,
    /// The timeout input, due or not.
    Timeout,
}

impl ClientOp {
    /// Any operation.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        let link = |c: &mut Choices<'_>| if c.one_in(24) { 240 + c.byte() % 16 } else { 0 };
        match c.byte() {
            0..=175 => Self::Forward(c.byte()),
            176..=189 => Self::Open { link: link(c), peer: c.byte() },
            190..=219 => Self::Say { link: link(c), what: c.byte(), shape: c.byte() },
            220..=227 => Self::Closed(link(c)),
            228..=231 => Self::Wait(!c.one_in(3)),
            232 | 233 => Self::Cancel,
            _ => Self::Timeout,
        }
    }
}

on_trial!(ops ClientOp);

/// A client for the contract suite and for [`run_client`](super::run_client).
#[derive(Clone, Debug, Default)]
pub struct ClientSubject {
    config: Config,
    task: Option<Task>,
    link: u32,
    key: Option<RequestKey>,
    /// Who was reached last.
    peer: Peer,
}

fn config(choices: &mut Choices<'_>) -> Config {
    let hosts = match choices.below(6) {
        0..=3 => Hosts::Any,
        4 => Hosts::Known,
        _ => Hosts::Listed(Vec::from([".x.org".into(), "b".into(), "127.0.0.1".into()])),
    };
    let policy = Policy { hosts, weaker: choices.one_in(4), local: choices.one_in(4) };
    let mut config = Config { policy, ..Config::default() };
    (config.wait_unasked, config.keep_priority) = (choices.one_in(4), choices.one_in(4));
    if choices.one_in(3) {
        let mut time = || Duration::from_millis(u64::from(choices.byte()) * 16);
        (config.dial_timeout, config.answer_timeout, config.queue_timeout) = (time(), time(), time());
        (config.execute_timeout, config.ask_timeout, config.cancel_timeout) = (time(), time(), time());
    }
    if choices.one_in(3) {
        config.limits.servers = *choices.pick(&[6, 4, 9]);
        config.limits.continuations = *choices.pick(&[1, 0, 2, 9]);
    }
    if choices.one_in(12) {
        config.limits.outputs = *choices.pick(&[8, 2, 3]);
    }
    config
}

fn task(choices: &mut Choices<'_>) -> Task {
    let servers = 1 + choices.below(4);
    let first = if choices.one_in(3) { choices.below(14) } else { 0 };
    let servers = (0..servers).map(|at| if choices.one_in(12) { uri(first) } else { uri(first + at) }).collect();
    let mut task = Task::new(crate::deferral::RequestId([7; 16]), servers, command(0));
    (task.read_only, task.idempotent) = (choices.one_in(4), choices.one_in(4));
    task.deadline =
        *choices.pick(&[None, None, Some(Duration::ZERO), Some(Duration::from_millis(70)), Some(Duration::MAX)]);
    task.credentials = Credentials(Bytes::from_static(b"secret"));
    task
}

impl ClientSubject {
    fn link(&self, number: u8) -> LinkId {
        if number < 240 { LinkId(self.link) } else { LinkId(u32::from(number - 240)) }
    }

    fn peer(&mut self, number: u8) -> Peer {
        if number < 240 {
            let memory = [None, Some(0), Some(1), Some(1)][usize::from(number / 5 % 4)];
            self.peer = Peer { id: server_id(number % 5), memory, max_body: None };
        }
        self.peer
    }

    fn message(&self, what: u8, shape: u8) -> Message {
        let key = self.key.unwrap_or(key(7, 0));
        let extensions = Extensions::NONE;
        let (text, status) = (Text::fitting(["", "text"][usize::from(shape % 2)]), i32::from(shape) - 1);
        let deferred = |kind| Message::Defer(Box::new(defer(key, kind, shape)));
        match what % 18 {
            0..=2 => deferred(DeferKind::BUSY),
            3 | 4 => deferred(DeferKind::NO_SERVICE),
            5 | 6 => deferred(DeferKind::PREFER_OTHER),
            7 => deferred(DeferKind::CONTINUE),
            8 => {
                let odd = defer(key, DeferKind::CONTINUE, shape);
                Message::Defer(Box::new(match shape % 3 {
                    0 => Defer { kind: DeferKind(9), next: None, ..odd },
                    1 => Defer { next: None, ..odd },
                    _ => Defer { kind: DeferKind::BUSY, ..odd },
                }))
            }
            9 => Message::Queued(Queued {
                key,
                position: shape.into(),
                estimate_ms: shape.is_multiple_of(2).then(|| shape.into()),
                extensions,
            }),
            10 => Message::Executing(key.into()),
            11 => Message::Data(Data { key, bytes: Bytes::from(std::vec![shape; 5]), extensions }),
            12 => Message::End(End { key, status, text, extensions }),
            13 => Message::Cancelled(key.into()),
            14 | 15 => Message::Refused(Refused { key, code: RefusalCode(u16::from(shape % 8)), text, extensions }),
            16 if shape.is_multiple_of(2) => Message::Request(Box::new(Request::new(key, command(shape)))),
            16 => Message::Cancel(key.into()),
            _ if shape.is_multiple_of(2) => Message::Unknown { kind: MessageKind(shape | 0x40), body: Bytes::new() },
            _ => Message::End(End { key: RequestKey { epoch: key.epoch + 1, ..key }, status, text, extensions }),
        }
    }
}

impl Subject for ClientSubject {
    on_trial!(subject Client, Input::Cancel);

    fn machine(&mut self, choices: &mut Choices<'_>) -> Client {
        self.config = config(choices);
        let task = task(choices);
        let client = Client::new(self.config.clone(), task.clone(), Instant::ZERO);
        self.task = Some(task);
        client.expect("there is a server, and there are not too many")
    }

    fn is_terminal(machine: &Client) -> bool {
        machine.state() == State::Ended
    }

    fn observe(&mut self, output: &Output) {
        match output {
            Output::Dial { link, .. } => self.link = link.0,
            Output::Send { message: Message::Request(request), .. } => self.key = Some(request.key),
            _ => {}
        }
    }

    fn attempt(output: &OutputOf<Self>) -> Option<Attempt> {
        match output {
            Output::Dial { link: LinkId(1), .. } => Some(Attempt::Started(1)),
            Output::Event(Event::Ended(_)) => Some(Attempt::Ended(1)),
            _ => None,
        }
    }
}

impl Trial for ClientSubject {
    on_trial!(trial Client, ClientOp, ClientModel);

    fn forward(&self, number: u8, machine: &Client) -> ClientOp {
        let say = |what| ClientOp::Say { link: 0, what, shape: number.wrapping_mul(37) };
        match (machine.state(), number % 16) {
            (State::Dialling, 0) => ClientOp::Closed(0),
            (State::Dialling, 1) => ClientOp::Timeout,
            // Who was lost comes back as it was.
            (State::Dialling, 2..=5) => ClientOp::Open { link: 0, peer: 255 },
            (State::Dialling, _) => ClientOp::Open { link: 0, peer: number / 16 * 15 },
            (State::Waiting, 0..=2) => say(9),
            (State::Waiting, 3) => say(10),
            (State::Waiting | State::Queued, 4) => ClientOp::Closed(0),
            (State::Waiting | State::Queued, 5) => ClientOp::Timeout,
            (State::Queued, 0..=3) => say(10),
            (State::Waiting | State::Queued, 6) => say(14),
            (State::Waiting | State::Queued, 7) => say(7),
            (State::Waiting | State::Queued, 8) => say(3),
            (State::Waiting | State::Queued, 9) => say(5),
            (State::Waiting | State::Queued, _) => say(0),
            (State::Executing, 0..=5) => say(11),
            (State::Executing, 6) => say(14),
            (State::Executing, 7..=9) => say(7),
            (State::Executing, 10..=13) => ClientOp::Closed(0),
            (State::Executing, _) => say(12),
            (State::Asking, _) => ClientOp::Wait(true),
            (State::Pausing | State::Ended, _) => ClientOp::Timeout,
        }
    }

    fn resolve(&mut self, op: &ClientOp) -> Input {
        match *op {
            // `forward` gives no more than one step.
            ClientOp::Forward(_) | ClientOp::Timeout => Input::Timeout,
            ClientOp::Open { link, peer } => Input::Opened { link: self.link(link), peer: self.peer(peer) },
            ClientOp::Say { link, what, shape } => {
                Input::Message { link: self.link(link), message: self.message(what, shape) }
            }
            ClientOp::Closed(link) => Input::Closed(self.link(link)),
            ClientOp::Wait(yes) => Input::Wait(yes),
            ClientOp::Cancel => Input::Cancel,
        }
    }

    fn model(&self, _machine: &Client) -> ClientModel {
        ClientModel::new(self.config.clone(), self.task.clone().expect("there is a machine"))
    }
}
