//! Operations for a connection.

mod model;

pub use model::ConnectionModel;

use super::words::{own, said, segments, wanted};
use crate::machine::{Machine, Table};
use crate::repmgr::connection::{
    Config, Connection, Identity, Input, MembershipPolicy, State, TABLE, TableEvent, Traffic,
};
use crate::repmgr::handshake::VersionRange;
use crate::repmgr::message::{AppMessage, AppResponse, ResponseError};
use crate::repmgr::{AckPolicy, ErrorCode, SiteAddress, Version};
use crate::testing::Choices;
use crate::testing::contract::{InputOf, Subject};
use crate::testing::trial::{Trial, on_trial};
use crate::time::Instant;
use core::time::Duration;

/// One thing that happens to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionOp {
    /// What would come next if all went well; the number chooses where there are several ways.
    Forward(u8),
    /// The transport is there.
    Open,
    /// The peer says something.
    Say(u8),
    /// The application says something.
    Send(u8),
    /// It answers about membership.
    Answer(u8),
    /// Something malformed has come.
    Malformed,
    /// The transport closes.
    Close,
    /// The application closes it.
    Disconnect,
    /// The timeout input, due or not.
    Timeout,
}

impl ConnectionOp {
    /// Any operation.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        match c.byte() {
            0..=109 => Self::Forward(c.byte()),
            110..=114 => Self::Open,
            115..=184 => Self::Say(c.byte()),
            185..=229 => Self::Send(c.byte()),
            230..=239 => Self::Answer(c.byte()),
            240 => Self::Malformed,
            241 => Self::Close,
            242 => Self::Disconnect,
            _ => Self::Timeout,
        }
    }
}

on_trial!(ops ConnectionOp);

/// A connection for the contract suite and for [`run_connection`](super::run_connection).
///
/// That each connection ends once (line 7) is left to the model: it has no event with which it begins.
#[derive(Clone, Debug, Default)]
pub struct ConnectionSubject {
    config: Config,
    dialler: bool,
    unique: u32,
}

impl ConnectionSubject {
    fn config(choices: &mut Choices<'_>) -> Config {
        let mut config = Config::default();
        let range = |min, max| VersionRange { min: Version(min), max: Version(max) };
        let ranges = [VersionRange::CHANNELS, VersionRange::ALL, range(3, 4), range(1, 3), range(4, 9), range(0, 0)];
        if choices.one_in(3) {
            config.versions = *choices.pick(&ranges);
        }
        if choices.boolean() {
            config.membership = MembershipPolicy::Ask;
        }
        if choices.one_in(4) {
            let mut time = || Duration::from_millis(u64::from(choices.byte()));
            (config.dial_timeout, config.handshake_timeout, config.membership_timeout) = (time(), time(), time());
        }
        if choices.one_in(4) {
            let address = SiteAddress::new("me", choices.u16()).expect("it is good");
            config.identity = Identity { address, priority: u32::from(choices.byte() % 2), ack_policy: AckPolicy::ALL };
        }
        config
    }
}

impl Subject for ConnectionSubject {
    on_trial!(subject Connection, Input::Closed);

    const OUTPUTS_PER_INPUT: usize = 4;

    fn machine(&mut self, choices: &mut Choices<'_>) -> Connection {
        self.config = Self::config(choices);
        self.dialler = choices.boolean();
        let begin = if self.dialler { Connection::dial } else { Connection::accept };
        begin(self.config.clone(), Instant::ZERO)
    }

    fn is_terminal(machine: &Connection) -> bool {
        machine.state() == State::Closed
    }

    fn wind_down(&mut self, machine: &Connection) -> Option<Input> {
        (machine.state() == State::Ready).then_some(Input::Disconnect)
    }
}

impl Trial for ConnectionSubject {
    on_trial!(trial Connection, ConnectionOp, ConnectionModel);

    fn forward(&self, number: u8, machine: &Connection) -> ConnectionOp {
        match (machine.state(), number % 8) {
            (State::Dialling, _) => ConnectionOp::Open,
            // Those that settle version 4, and one that does not.
            (State::Proposed, _) => ConnectionOp::Say(5 + number % 128 / 32 * 32),
            (State::Negotiating, 0) => ConnectionOp::Say(21),
            (State::Negotiating, _) => ConnectionOp::Say(number % 128 / 32 * 32),
            (State::Introducing, 0..=2) => ConnectionOp::Say(26 + number / 128),
            (State::Introducing, _) => ConnectionOp::Say(8 + number / 32 * 32),
            (State::Asked, 0) => ConnectionOp::Timeout,
            (State::Asked, _) => ConnectionOp::Answer(number / 8),
            (State::Ready, 0..=3) => ConnectionOp::Say(13 + number / 8 % 8 + number / 64 * 64),
            (State::Ready, _) => ConnectionOp::Send(number),
            (State::Closed, _) => ConnectionOp::Timeout,
        }
    }

    fn resolve(&mut self, op: &ConnectionOp) -> Input {
        self.unique += 1;
        match *op {
            // `forward` gives no more than one step.
            ConnectionOp::Forward(_) | ConnectionOp::Timeout => Input::Timeout,
            ConnectionOp::Open => Input::Opened,
            ConnectionOp::Say(number) => Input::Message(said(number, self.unique)),
            ConnectionOp::Send(number) => Input::Send(traffic(number, self.unique)),
            ConnectionOp::Answer(number) => Input::AnswerMembership(own(number)),
            ConnectionOp::Malformed => Input::Malformed,
            ConnectionOp::Close => Input::Closed,
            ConnectionOp::Disconnect => Input::Disconnect,
        }
    }

    fn model(&self, _machine: &Connection) -> ConnectionModel {
        ConnectionModel::new(self.config.clone(), self.dialler)
    }
}

/// What an application says on a connection.
fn traffic(number: u8, unique: u32) -> Traffic {
    let tag = unique;
    match number % 8 {
        0..=2 => Traffic::Message(AppMessage::new(segments(number / 8, unique))),
        3 | 4 => Traffic::Message(AppMessage::request(segments(number / 8, unique), wanted(number, tag))),
        5 | 6 => Traffic::Response(AppResponse::single(tag, unique.to_be_bytes().to_vec())),
        _ if number >= 224 => Traffic::Error(ResponseError { tag, code: ErrorCode::NONE }),
        _ => Traffic::Error(ResponseError { tag, code: ErrorCode::NO_SERVER }),
    }
}
