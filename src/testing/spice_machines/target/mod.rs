//! Operations for a target.

mod model;

pub use model::TargetModel;

use super::source::{ALL_CAPS, channel_id, destination};
use crate::machine::{Machine, Table};
use crate::spice::common::{MigrateData, Pong};
use crate::spice::main_channel::{AgentData, DoSeamless, Init};
use crate::spice::migrate_data::MigrateDataHeader;
use crate::spice::target::{Config, Event, Input, Output, State, TABLE, TableEvent, Target};
use crate::spice::{ChannelType, ClientId, ClientMessage, LinkId, MainCaps, ServerMessage, Unknown};
use crate::testing::Choices;
use crate::testing::contract::{InputOf, Subject};
use crate::testing::trial::{Trial, on_trial};
use bytes::Bytes;
use core::time::Duration;
use std::vec::Vec;

/// One thing that happens to a target. Links are named by a client and a channel; the machine gives numbers
/// to clients itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetOp {
    /// What would come next if all went well; the number chooses where there are several ways.
    Forward(u8),
    /// A link.
    Link {
        /// Whose it is by its number.
        client: u8,
        /// What it is for.
        channel: u8,
        /// Which connection id it names: none, its client's, or another's.
        id: u8,
        /// Which of its capabilities it lacks.
        lacks: u8,
        /// The number for a new session.
        session: u8,
    },
    /// A link closes.
    Close(u8, u8),
    /// A client says something on a link.
    Say(u8, u8, u8),
    /// The application says something on a link.
    Send(u8, u8, u8),
    /// INIT for the client that wanted it last, or for another one.
    Init(u8),
    /// A state cannot be used.
    Reject(u8, u8),
    /// The virtual machine runs here.
    Running,
    /// The timeout input, due or not.
    Timeout,
}

impl TargetOp {
    /// Any operation.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        let kind = c.byte();
        let client = |c: &mut Choices<'_>| [0, 0, 0, 1, 1, 2][c.below(6)];
        let channel = |c: &mut Choices<'_>| [0, 0, 0, 1, 1, 2, 3][c.below(7)];
        match kind {
            0..=109 => Self::Forward(c.byte()),
            110..=139 => Self::Link {
                client: client(c),
                channel: channel(c),
                id: if c.one_in(3) { c.byte() } else { 1 },
                lacks: if c.one_in(4) { c.byte() } else { 0 },
                session: c.byte(),
            },
            140..=155 => Self::Close(client(c), channel(c)),
            156..=205 => Self::Say(client(c), channel(c), c.byte()),
            206..=224 => Self::Send(client(c), channel(c), c.byte()),
            225..=236 => Self::Init(c.byte()),
            237..=240 => Self::Reject(client(c), channel(c)),
            241..=245 => Self::Running,
            _ => Self::Timeout,
        }
    }
}

on_trial!(ops TargetOp);

fn link(client: u8, channel: u8) -> LinkId {
    LinkId(u32::from(client) * 8 + u32::from(channel) + 1)
}

/// A state that a target takes for this kind of channel.
pub(super) fn state_of(channel: ChannelType) -> Bytes {
    let mut data = Vec::new();
    if let Some(header) = MigrateDataHeader::for_channel(channel) {
        data.extend(header.magic);
        data.extend(header.version.to_le_bytes());
    }
    data.resize(80, 0);
    data.into()
}

/// What a client says.
fn said(number: u8, channel: u8) -> ClientMessage {
    let state = |ty| ClientMessage::MigrateData(MigrateData { data: state_of(ty) });
    match number % 16 {
        0..=2 => ClientMessage::MigrateDstDoSeamless(DoSeamless { src_version: u32::from(number / 16) % 3 }),
        3..=4 => ClientMessage::MigrateEnd,
        5..=8 => state(channel_id(channel).ty),
        9 => state(ChannelType::SMARTCARD),
        10 => ClientMessage::MigrateFlushMark,
        11 => ClientMessage::AttachChannels,
        12 => ClientMessage::AgentData(AgentData { data: Bytes::copy_from_slice(&[number]) }),
        13 => ClientMessage::Unknown(Unknown { ty: 900, body: Bytes::copy_from_slice(&[number]) }),
        14 => ClientMessage::MigrateConnected,
        _ => ClientMessage::Pong(Pong { id: 1, timestamp: u64::from(number) }),
    }
}

fn init(session_id: u32) -> Init {
    Init {
        session_id,
        display_channels_hint: 1,
        supported_mouse_modes: 3,
        current_mouse_mode: 1,
        agent_connected: 0,
        agent_tokens: 10,
        multi_media_time: 7,
        ram_hint: 0,
    }
}

/// What the application sends.
fn sent(number: u8, session: u32) -> ServerMessage {
    match number % 8 {
        0 => ServerMessage::DstSeamlessAck,
        1 => ServerMessage::DstSeamlessNack,
        2 => ServerMessage::Init(init(session)),
        3 => ServerMessage::Init(init(u32::from(number))),
        4 => ServerMessage::MigrateBegin(destination(0)),
        5 => ServerMessage::MigrateEnd,
        _ => ServerMessage::AgentData(AgentData { data: Bytes::copy_from_slice(&[number]) }),
    }
}

/// A target for the contract suite and for [`run_target`](super::run_target).
///
/// That each arrival ends once (line 7) is left to the model: `Gone` ends one only where no `Settled` came
/// before, which the suite cannot tell from the output alone.
#[derive(Clone, Debug, Default)]
pub struct TargetSubject {
    config: Config,
    /// Clients that came, with their main links and ids.
    clients: Vec<(ClientId, LinkId, u32)>,
    wanted: Option<ClientId>,
}

impl TargetSubject {
    fn config(choices: &mut Choices<'_>) -> Config {
        let several_clients = choices.one_in(3);
        let check_migrate_data = !choices.one_in(4);
        let mut config = Config { several_clients, check_migrate_data, ..Config::default() };
        if choices.one_in(6) {
            config.migration_version = u32::from(choices.byte() % 3);
            config.limits.clients = 1 + choices.below(2);
            config.limits.channels = 1 + choices.below(3);
            config.limits.held_messages = choices.below(3);
            config.limits.held_bytes = choices.below(100);
        }
        if choices.one_in(6) {
            config.parked_timeout = Duration::from_millis(u64::from(choices.byte()));
            config.switch_timeout = Duration::from_millis(u64::from(choices.byte()));
        }
        config
    }
}

impl Subject for TargetSubject {
    on_trial!(subject Target, Input::Closed(LinkId(0)));

    fn machine(&mut self, choices: &mut Choices<'_>) -> Target {
        self.config = Self::config(choices);
        Target::new(self.config.clone())
    }

    fn is_terminal(_machine: &Target) -> bool {
        false
    }

    fn observe(&mut self, output: &Output) {
        match output {
            Output::Event(Event::Attached { client, link, session_id, .. }) => {
                self.clients.push((*client, *link, *session_id));
            }
            Output::Event(Event::InitWanted { client, .. }) => self.wanted = Some(*client),
            _ => {}
        }
    }
}

impl Trial for TargetSubject {
    on_trial!(trial Target, TargetOp, TargetModel);

    fn forward(&self, number: u8, machine: &Target) -> TargetOp {
        let (client, channel) = (u8::from(number % 8 == 7), (number >> 3) % 3);
        let fresh = u8::from(number % 16 == 9) * 3;
        let arrive =
            |channel| TargetOp::Link { client, channel, id: if fresh == 3 { 0 } else { 1 }, lacks: 0, session: 1 };
        match machine.state() {
            State::Empty => arrive(0),
            State::MigWait => match number % 4 {
                0 | 1 => arrive(1 + channel % 3),
                2 => TargetOp::Say(client, 0, if number < 200 { 0 } else { 32 }),
                _ => TargetOp::Say(client, 0, 3),
            },
            State::SeamlessWait if number.is_multiple_of(4) => arrive(1 + channel % 3),
            State::SeamlessWait => TargetOp::Say(client, [0, 1, 3][usize::from(channel)], 5),
            State::Starting => TargetOp::Init(0),
            State::Normal => match number % 4 {
                0 => TargetOp::Close(client, channel),
                1 => TargetOp::Say(client, channel, 12),
                2 => TargetOp::Send(client, channel, 7),
                _ => arrive(channel),
            },
        }
    }

    fn resolve(&mut self, op: &TargetOp) -> Input {
        match *op {
            // No further than one step.
            TargetOp::Forward(_) | TargetOp::Timeout => Input::Timeout,
            TargetOp::Link { client, channel, id, lacks, session } => Input::Link {
                link: link(client, channel),
                connection_id: [0, 70 + u32::from(client), 70, 71, 5][usize::from(id) % 5],
                channel: channel_id(channel),
                caps: if lacks % 2 == 0 { ALL_CAPS } else { MainCaps::empty() },
                session_id: if session == 0 { 0 } else { 80 + u32::from(session % 32) },
            },
            TargetOp::Close(client, channel) => Input::Closed(link(client, channel)),
            TargetOp::Say(client, channel, number) => {
                Input::Message { link: link(client, channel), packet: said(number, channel).into() }
            }
            TargetOp::Send(client, channel, number) => {
                let main = link(client, 0);
                let session = self.clients.iter().rev().find(|(_, of, _)| *of == main).map_or(1, |(_, _, id)| *id);
                Input::Send { link: link(client, channel), packet: sent(number, session).into() }
            }
            TargetOp::Init(number) => {
                let other = ClientId(u32::from(number % 4));
                let client = if number < 128 { self.wanted.unwrap_or(other) } else { other };
                Input::Init { client, init: init(u32::from(number)) }
            }
            TargetOp::Reject(client, channel) => Input::RejectData(link(client, channel)),
            TargetOp::Running => Input::VmRunning,
        }
    }

    fn model(&self, _machine: &Target) -> TargetModel {
        TargetModel::new(self.config.clone())
    }
}
