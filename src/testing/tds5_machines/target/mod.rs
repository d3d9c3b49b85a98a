//! Operations for a target.

mod model;

pub use model::TargetModel;

use super::words::{id, response, said, token};
use crate::machine::{Machine, Table};
use crate::tds5::PacketType;
use crate::tds5::capability::{Capabilities, CapabilityType, Mask, RequestCapability, ResponseCapability};
use crate::tds5::connection::Item;
use crate::tds5::login::{HaLogin, Login, LoginRecord};
use crate::tds5::migration::Migration;
use crate::tds5::target::{Config, Input, SessionIdDelivery, State, TABLE, TableEvent, Target};
use crate::tds5::token::{Done, Eed, LoginAck, LoginStatus, Token};
use crate::testing::Choices;
use crate::testing::contract::{InputOf, Subject};
use crate::testing::trial::{Trial, on_trial};
use crate::time::Instant;
use crate::wire::ByteOrder;
use bytes::Bytes;
use core::time::Duration;
use std::vec::Vec;

/// One thing that happens to a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetOp {
    /// What would come next if all went well; the number chooses where there are several ways.
    Forward(u8),
    /// A login message.
    Login {
        /// What it says of availability.
        ha: u8,
        /// What it asks for.
        capabilities: u8,
        /// Which packet size.
        size: u8,
    },
    /// The application gives an id.
    SetSessionId(u8),
    /// It accepts the login, with other words or without.
    Accept(u8),
    /// It refuses it.
    Refuse(bool),
    /// The client says something, or a part of it.
    Say(u8),
    /// The application says something.
    Respond(u8),
    /// The connection closes.
    Close,
    /// The application closes it.
    Disconnect,
    /// The timeout input, due or not.
    Timeout,
}

impl TargetOp {
    /// Any operation.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        match c.byte() {
            0..=109 => Self::Forward(c.byte()),
            110..=124 => Self::Login { ha: c.byte(), capabilities: c.byte(), size: c.byte() },
            125..=134 => Self::SetSessionId(c.byte()),
            135..=144 => Self::Accept(c.byte()),
            145..=146 => Self::Refuse(c.boolean()),
            147..=204 => Self::Say(c.byte()),
            205..=242 => Self::Respond(c.byte()),
            243 => Self::Close,
            244 => Self::Disconnect,
            _ => Self::Timeout,
        }
    }
}

on_trial!(ops TargetOp);

/// The login of any client.
fn login(ha: u8, capabilities: u8, size: u8) -> Login {
    let mut record = LoginRecord::new(if size.is_multiple_of(2) { ByteOrder::Little } else { ByteOrder::Big });
    let bits = [HaLogin::MIGRATE, HaLogin::empty(), HaLogin::SESSION, HaLogin::MIGRATE | HaLogin::SESSION];
    record.ha_login = bits[usize::from(ha) % 4] | if ha >= 224 { HaLogin::REDIRECT } else { HaLogin::empty() };
    record.session_id = (ha / 4 % 4 != 3).then(|| id(ha));
    if let Some(&asked) = [512, 2048, 16384, 256, 65535, 1].get(usize::from(size / 2) % 8) {
        record = record.with_packet_size(asked).expect("it has room for six digits");
    }
    let requests = [
        &[RequestCapability::MIGRATE][..],
        &[],
        &[RequestCapability::CLUSTER_FAILOVER],
        &[RequestCapability::MIGRATE, RequestCapability::CLUSTER_FAILOVER],
    ];
    let own = Capabilities::offered(false);
    let asked = own.mask(CapabilityType::REQUEST).expect("it is there");
    let more = requests[usize::from(capabilities) % 4].iter().map(|capability| capability.0);
    let request = Mask::of(asked.iter().chain(more)).expect("they are small");
    let silent = capabilities / 4 % 8 == 7;
    let response = Mask::of(silent.then_some(ResponseCapability::NO_MESSAGE.0)).expect("it is small");
    let all = Capabilities::new(&request, &response);
    let third = (CapabilityType::SECURITY, Mask::zero(capabilities / 32));
    let all = match capabilities / 64 {
        0 => all,
        1 => all.masks().chain([(third.0, Mask::new(third.1.as_bytes()).expect("it is short"))]).collect(),
        2 => all.masks().take(1).collect(),
        _ => all.masks().collect::<Vec<_>>().into_iter().rev().collect(),
    };
    Login { record: record.into(), capabilities: all, extra: Vec::new() }
}

/// A target for the contract suite and for [`run_target`](super::run_target).
///
/// That each login ends once (line 7) is left to the model: a login has no event with which it begins.
#[derive(Clone, Debug, Default)]
pub struct TargetSubject {
    config: Config,
    unique: u32,
}

impl TargetSubject {
    fn config(choices: &mut Choices<'_>) -> Config {
        let mut config = Config::default();
        if choices.one_in(3) {
            let chosen = [SessionIdDelivery::Inline, SessionIdDelivery::Negotiate];
            config.session_id_delivery = *choices.pick(&chosen);
        }
        if choices.one_in(6) {
            config.migration = choices.boolean();
            config.capabilities = Capabilities::offered(choices.boolean());
            config.packet_size = *choices.pick(&[512, 256, 513, 4096, u16::MAX]);
            config.program_name = Bytes::from(std::vec![b'x'; *choices.pick(&[0, 8, 255, 256])]);
            config.limits.pending = *choices.pick(&[1, 2, 0]);
        }
        if choices.one_in(4) {
            config.login_timeout = Duration::from_millis(u64::from(choices.byte()) * 64);
        }
        config
    }
}

impl Subject for TargetSubject {
    on_trial!(subject Target, Input::Closed);

    fn machine(&mut self, choices: &mut Choices<'_>) -> Target {
        self.config = Self::config(choices);
        Target::new(self.config.clone(), Instant::ZERO)
    }

    fn is_terminal(machine: &Target) -> bool {
        machine.state() == State::Gone
    }
}

impl Trial for TargetSubject {
    on_trial!(trial Target, TargetOp, TargetModel);

    fn forward(&self, number: u8, machine: &Target) -> TargetOp {
        match (machine.state(), number % 8) {
            (State::Login, _) => TargetOp::Login { ha: number / 8, capabilities: number / 8, size: number },
            (State::Connecting, 0) => TargetOp::Refuse(number >= 128),
            (State::Connecting, 1..=3) => TargetOp::SetSessionId(number),
            (State::Connecting, _) => TargetOp::Accept(number),
            (State::Negotiating, 0..=3) => TargetOp::Say(46),
            (State::Negotiating, _) => TargetOp::Say(18),
            (State::Serving, 0..=2) if machine.migrated() => TargetOp::Say(8),
            (State::Serving | State::Resuming, 0 | 1) => TargetOp::Say(18),
            (State::Serving | State::Resuming, 2) => TargetOp::Say(number / 8 % 29),
            (State::Serving | State::Resuming, _) => TargetOp::Respond(number / 8),
            (State::Gone, _) => TargetOp::Timeout,
        }
    }

    fn resolve(&mut self, op: &TargetOp) -> Input {
        self.unique += 1;
        match *op {
            // No further than one step.
            TargetOp::Forward(_) | TargetOp::Timeout => Input::Timeout,
            TargetOp::Login { ha, capabilities, size } => {
                Input::Item(Item::Login(login(ha, capabilities, size).into()))
            }
            TargetOp::SetSessionId(number) => Input::SetSessionId(id(number)),
            TargetOp::Accept(number) => {
                let tokens = match number % 16 {
                    0 => Vec::from([token(self.unique), Eed::new(5701, 10, "changed").into()]),
                    1 => Vec::from([token(self.unique), Done::FINAL.into()]),
                    2 => Vec::from([LoginAck::new(LoginStatus::SUCCEED, Bytes::new(), [0; 4]).into()]),
                    3 => Vec::from([Token::from(Capabilities::offered(true))]),
                    _ => Vec::new(),
                };
                Input::Accept { tokens }
            }
            TargetOp::Refuse(why) => Input::Refuse { notice: why.then(|| Eed::new(4002, 14, "no").into()) },
            TargetOp::Say(number) => Input::Item(match said(number, self.unique) {
                // What a client says to an id.
                Item::Migration(Migration::SessionId(Some(_))) if number >= 192 => Item::End(PacketType::LOGIN),
                other => other,
            }),
            TargetOp::Respond(number) => Input::Respond(response(number, self.unique)),
            TargetOp::Close => Input::Closed,
            TargetOp::Disconnect => Input::Disconnect,
        }
    }

    fn model(&self, _machine: &Target) -> TargetModel {
        TargetModel::new(self.config.clone())
    }
}
