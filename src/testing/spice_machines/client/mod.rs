//! Operations for a client.

mod model;

pub use model::ClientModel;

use super::source::{channel_id, destination};
use crate::machine::{Machine, Table};
use crate::spice::client::{
    Address, Client, Command, Config, Event, Input, LinkFailure, Output, State, TABLE, TableEvent, TlsPolicy,
};
use crate::spice::common::{Migrate, MigrateData, Ping, SetAck};
use crate::spice::main_channel::{AgentData, Init};
use crate::spice::{
    Capabilities, ChannelId, ClientMessage, LinkError, LinkId, MainCaps, MigrateBeginSeamless, MigrateFlags, Packet,
    Port, ServerMessage, Unknown,
};
use crate::testing::Choices;
use crate::testing::contract::{Attempt, InputOf, Subject};
use crate::testing::trial::{Trial, on_trial};
use bytes::Bytes;
use core::time::Duration;
use std::vec::Vec;

/// A link by its channel: its oldest or newest one that is there, or any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// The channel.
    pub channel: u8,
    /// Which of its links.
    pub which: u8,
}

impl Pick {
    fn choose(c: &mut Choices<'_>) -> Self {
        Self { channel: [0, 0, 0, 1, 1, 2, 3][c.below(7)], which: c.byte() }
    }
}

/// One thing that happens to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientOp {
    /// What would come next if all went well; the number chooses where there are several ways.
    Forward(u8),
    /// A session is wanted.
    Connect(u8),
    /// A channel is wanted.
    OpenChannel(u8),
    /// A channel is not wanted any more.
    CloseChannel(u8),
    /// The application sends something.
    Send(u8, u8),
    /// The attempt is given up.
    Abandon,
    /// The session is.
    Disconnect,
    /// A link is there.
    Opened(Pick, u8),
    /// A link cannot be had.
    OpenFailed(Pick, u8),
    /// A link closes.
    Closed(Pick),
    /// A server says something.
    Say(Pick, u8),
    /// The timeout input, due or not.
    Timeout,
}

impl ClientOp {
    /// Any operation.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        match c.byte() {
            0..=129 => Self::Forward(c.byte()),
            130..=132 => Self::Connect(c.byte()),
            133..=140 => Self::OpenChannel(c.byte()),
            141..=144 => Self::CloseChannel(c.byte()),
            145..=164 => Self::Send([0, 0, 1, 2, 3][c.below(5)], c.byte()),
            165..=166 => Self::Abandon,
            167 => Self::Disconnect,
            168..=183 => Self::Opened(Pick::choose(c), c.byte()),
            184..=188 => Self::OpenFailed(Pick::choose(c), c.byte()),
            189..=194 => Self::Closed(Pick::choose(c)),
            195..=249 => Self::Say(Pick::choose(c), c.byte()),
            _ => Self::Timeout,
        }
    }
}

on_trial!(ops ClientOp);

/// The first server, or one with other ports.
fn address(number: u8) -> Address {
    let (plain, tls) = match number % 8 {
        0 => (0, 0),
        1 => (0, 5900),
        2 => (5900, 5901),
        _ => (5900, 0),
    };
    Address::new("home", Port::from_wire(plain), Port::from_wire(tls), None)
}

/// What a server says; `token` makes it one of its kind.
fn said(number: u8, token: u32) -> ServerMessage {
    let body = Bytes::copy_from_slice(&token.to_le_bytes());
    match number % 20 {
        0 => ServerMessage::Init(Init {
            session_id: 77,
            display_channels_hint: 1,
            supported_mouse_modes: 3,
            current_mouse_mode: 1,
            agent_connected: 0,
            agent_tokens: 10,
            multi_media_time: token,
            ram_hint: 0,
        }),
        1 => ServerMessage::MigrateBegin(destination(number / 20)),
        2 => ServerMessage::MigrateBeginSeamless(MigrateBeginSeamless::new(destination(number / 20), 1)),
        3 => ServerMessage::MigrateCancel,
        4 => ServerMessage::MigrateEnd,
        5 => ServerMessage::MigrateSwitchHost(destination(number / 20)),
        6 | 7 => ServerMessage::Migrate(Migrate { flags: MigrateFlags::NEED_FLUSH | MigrateFlags::NEED_DATA_TRANSFER }),
        8 => ServerMessage::Migrate(Migrate { flags: MigrateFlags::from_bits_retain(u32::from(number / 20) % 4) }),
        9 | 10 => ServerMessage::MigrateData(MigrateData { data: body }),
        11 => ServerMessage::DstSeamlessAck,
        12 => ServerMessage::DstSeamlessNack,
        13 => ServerMessage::Ping(Ping { id: token, timestamp: 1, padding: Bytes::new() }),
        14 => ServerMessage::SetAck(SetAck { generation: token, window: u32::from(number / 20) % 4 }),
        15 | 16 => ServerMessage::AgentData(AgentData { data: body }),
        _ => ServerMessage::Unknown(Unknown { ty: 900, body }),
    }
}

/// What the application sends.
fn sent(number: u8, token: u32) -> ClientMessage {
    let body = Bytes::copy_from_slice(&token.to_le_bytes());
    match number % 16 {
        0 => ClientMessage::MigrateEnd,
        1 => ClientMessage::MigrateConnected,
        2 => ClientMessage::MigrateFlushMark,
        3..=7 => ClientMessage::AgentData(AgentData { data: body }),
        _ => ClientMessage::Unknown(Unknown { ty: 900, body }),
    }
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    link: LinkId,
    channel: ChannelId,
    linked: bool,
}

/// A client for the contract suite and for [`run_client`](super::run_client).
#[derive(Clone, Debug, Default)]
pub struct ClientSubject {
    config: Config,
    /// Links that the machine has asked for and nobody has closed.
    links: Vec<Seen>,
    token: u32,
}

impl ClientSubject {
    fn config(choices: &mut Choices<'_>) -> Config {
        let mut config = Config { auto_reply: !choices.one_in(4), ..Config::default() };
        if choices.one_in(8) {
            config.tls = TlsPolicy::Required;
        }
        if choices.one_in(8) {
            config.connect_timeout = Duration::from_millis(u64::from(choices.byte()) + 1);
            config.switch_timeout = Duration::from_millis(u64::from(choices.byte()) + 1);
        }
        if choices.one_in(8) {
            config.limits.held_messages = choices.below(4);
            config.limits.channels = 1 + choices.below(3);
        }
        config
    }

    fn pick(&self, pick: Pick) -> LinkId {
        let channel = channel_id(pick.channel);
        let mut of = self.links.iter().filter(|seen| seen.channel == channel).map(|seen| seen.link);
        match pick.which % 4 {
            0 | 1 => of.next(),
            2 => of.next_back(),
            _ => Some(LinkId(u32::from(pick.which / 4))),
        }
        .unwrap_or(LinkId(u32::from(pick.which / 4)))
    }
}

impl Subject for ClientSubject {
    on_trial!(subject Client, Input::Closed(LinkId(0)));

    fn machine(&mut self, choices: &mut Choices<'_>) -> Client {
        self.config = Self::config(choices);
        Client::new(self.config.clone())
    }

    fn is_terminal(machine: &Client) -> bool {
        machine.state() == State::Disconnected
    }

    fn observe(&mut self, output: &Output) {
        match output {
            Output::Open { link, channel, .. } => {
                self.links.push(Seen { link: *link, channel: *channel, linked: false });
            }
            Output::Close(link) => self.links.retain(|seen| seen.link != *link),
            _ => {}
        }
    }

    fn attempt(output: &Output) -> Option<Attempt> {
        match output {
            Output::Event(Event::MigrationStarted { attempt, .. }) => Some(Attempt::Started(attempt.0.into())),
            Output::Event(Event::MigrationEnded { attempt, .. }) => Some(Attempt::Ended(attempt.0.into())),
            _ => None,
        }
    }

    fn wind_down(&mut self, machine: &Client) -> Option<Input> {
        // Linked to both servers it waits for its source, for as long as that takes.
        let waits = machine.poll_timeout().is_none() && machine.state() != State::Disconnected;
        waits.then_some(Input::Command(Command::Disconnect))
    }
}

impl Trial for ClientSubject {
    on_trial!(trial Client, ClientOp, ClientModel);

    fn forward(&self, number: u8, machine: &Client) -> ClientOp {
        let home = |channel| Pick { channel, which: 0 };
        let away = |channel| Pick { channel, which: 2 };
        let waiting: Vec<&Seen> = self.links.iter().filter(|seen| !seen.linked).collect();
        if !waiting.is_empty() && !number.is_multiple_of(8) {
            let seen = waiting[usize::from(number) % waiting.len()];
            let channel = (0..4).find(|&channel| channel_id(channel) == seen.channel).unwrap_or(0);
            let newest = self.links.iter().rev().find(|other| other.channel == seen.channel);
            let newest = newest.is_some_and(|other| other.link == seen.link);
            return ClientOp::Opened(if newest { away(channel) } else { home(channel) }, number);
        }
        let channel = (number >> 2) % 3;
        match machine.state() {
            State::Offline => ClientOp::Connect(3),
            State::Online if machine.connection_id() == 0 => ClientOp::Say(home(0), 0),
            State::Online if self.links.len() < 3 && number < 160 => ClientOp::OpenChannel(number),
            State::Online => ClientOp::Say(home(0), 1 + (number >> 2) % 2),
            State::Handshake => ClientOp::Say(away(0), if number % 8 == 7 { 12 } else { 11 }),
            State::Ready => match number % 8 {
                1 => ClientOp::Say(home(0), 3),
                2 => ClientOp::Say(away(channel), 15),
                _ => ClientOp::Say(home(0), 4),
            },
            State::ReadySeamless if number % 8 == 1 => ClientOp::Say(away(channel), 15),
            State::ReadySeamless => ClientOp::Say(home(channel), if number % 8 == 2 { 48 } else { 6 }),
            State::Moving if number % 16 == 3 => ClientOp::Say(away(0), 5),
            State::Joining | State::JoiningSeamless => ClientOp::Say(home(0), 1 + (number >> 3) % 5),
            State::Moving => ClientOp::Say(home(channel), if number.is_multiple_of(2) { 6 } else { 9 }),
            State::AwaitingInit if number % 4 == 1 => ClientOp::Say(home(channel), 15),
            State::AwaitingInit => ClientOp::Say(home(0), 0),
            _ => ClientOp::Send(channel, 8),
        }
    }

    fn resolve(&mut self, op: &ClientOp) -> Input {
        self.token += 1;
        let token = self.token;
        match *op {
            // No further than one step.
            ClientOp::Forward(_) | ClientOp::Timeout => Input::Timeout,
            ClientOp::Connect(number) => Input::Command(Command::Connect(address(number))),
            ClientOp::OpenChannel(channel) => {
                let (channel, caps) = (channel_id(channel), Capabilities::default());
                Input::Command(Command::OpenChannel { channel, caps })
            }
            ClientOp::CloseChannel(channel) => Input::Command(Command::CloseChannel(channel_id(channel))),
            ClientOp::Send(channel, number) => {
                Input::Command(Command::Send { channel: channel_id(channel), packet: sent(number, token).into() })
            }
            ClientOp::Abandon => Input::Command(Command::Abandon),
            ClientOp::Disconnect => Input::Command(Command::Disconnect),
            ClientOp::Opened(pick, lacks) => {
                let link = self.pick(pick);
                self.links.iter_mut().filter(|seen| seen.link == link).for_each(|seen| seen.linked = true);
                let caps = if lacks % 8 == 5 { MainCaps::SEMI_SEAMLESS_MIGRATE } else { MainCaps::all() };
                Input::Opened { link, caps: caps.into() }
            }
            ClientOp::OpenFailed(pick, reason) => {
                let link = self.pick(pick);
                self.links.retain(|seen| seen.link != link);
                let reason = match reason % 4 {
                    0 | 1 => LinkFailure::Refused(LinkError::NEED_SECURED),
                    2 => LinkFailure::Transport,
                    _ => LinkFailure::Denied(LinkError::PERMISSION_DENIED),
                };
                Input::OpenFailed { link, reason }
            }
            ClientOp::Closed(pick) => {
                let link = self.pick(pick);
                self.links.retain(|seen| seen.link != link);
                Input::Closed(link)
            }
            ClientOp::Say(pick, number) => {
                let packet: Packet<ServerMessage> = said(number, token).into();
                Input::Message { link: self.pick(pick), packet }
            }
        }
    }

    fn model(&self, _machine: &Client) -> ClientModel {
        ClientModel::new(self.config.clone())
    }
}
