//! Operations for a source.

mod model;

pub use model::SourceModel;

use crate::machine::{Machine, Table};
use crate::spice::common::{MigrateData, Pong};
use crate::spice::main_channel::{AgentData, DoSeamless, MultiMediaTime};
use crate::spice::source::{Config, Event, Input, Output, Source, State, TABLE, TableEvent};
use crate::spice::{
    ChannelId, ChannelType, ClientId, ClientMessage, DstInfo, LinkId, MainCaps, MigrateFlags, Port, ServerMessage,
    Unknown,
};
use crate::testing::Choices;
use crate::testing::contract::{Attempt, InputOf, Subject};
use crate::testing::trial::{Trial, on_trial};
use bytes::Bytes;
use core::time::Duration;

/// Main and three more.
const CHANNELS: usize = 4;

/// One thing that happens to a source. Links are named by their client and channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceOp {
    /// What would come next if all went well; the number chooses where there are several ways.
    Forward(u8),
    /// A client attaches.
    Attach {
        /// The client.
        client: u8,
        /// Whether it takes the link of its main channel, or that of another of its channels.
        link: u8,
        /// Which of its capabilities it lacks.
        lacks: u8,
        /// Whether it is arriving from elsewhere.
        arriving: bool,
    },
    /// A channel of a client attaches.
    AttachChannel {
        /// The client.
        client: u8,
        /// The channel.
        channel: u8,
        /// Its flags, if they are not the usual ones.
        flags: Option<u8>,
    },
    /// A client has arrived.
    Settle(u8),
    /// A link closes.
    Close(u8, u8),
    /// A client says something on a link.
    Say(u8, u8, u8),
    /// The application says something on a link.
    Send(u8, u8, u8),
    /// A destination.
    MigrateInfo(u8),
    /// The virtual machine has moved.
    Completed,
    /// It has not.
    Failed,
    /// It will not.
    Cancelled,
    /// The state of a channel, perhaps empty.
    Data(u8, u8, u8),
    /// The timeout input, due or not.
    Timeout,
}

impl SourceOp {
    /// Any operation.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        let kind = c.byte();
        let client = |c: &mut Choices<'_>| [0, 0, 0, 1, 1, 2][c.below(6)];
        let channel = |c: &mut Choices<'_>| [0, 0, 0, 1, 1, 2, 3][c.below(7)];
        match kind {
            0..=99 => Self::Forward(c.byte()),
            100..=107 => Self::Attach {
                client: client(c),
                link: if c.one_in(6) { 1 } else { 0 },
                lacks: if c.one_in(3) { c.byte() } else { 0 },
                arriving: c.one_in(4),
            },
            108..=120 => {
                Self::AttachChannel { client: client(c), channel: channel(c), flags: c.one_in(4).then(|| c.byte()) }
            }
            121..=126 => Self::Settle(client(c)),
            127..=138 => Self::Close(client(c), channel(c)),
            139..=190 => Self::Say(client(c), channel(c), c.byte()),
            191..=206 => Self::Send(client(c), channel(c), c.byte()),
            207..=218 => Self::MigrateInfo(c.byte()),
            219..=225 => Self::Completed,
            226..=228 => Self::Failed,
            229..=231 => Self::Cancelled,
            232..=243 => Self::Data(client(c), channel(c), c.byte()),
            _ => Self::Timeout,
        }
    }
}

on_trial!(ops SourceOp);

fn link(client: u8, channel: u8) -> LinkId {
    LinkId(u32::from(client) * 8 + u32::from(channel) + 1)
}

pub(super) fn channel_id(channel: u8) -> ChannelId {
    let ty = [ChannelType::MAIN, ChannelType::DISPLAY, ChannelType::CURSOR, ChannelType::INPUTS];
    ChannelId::new(ty[usize::from(channel) % CHANNELS], 0)
}

/// One of a few destinations, as an application gives them.
pub(super) fn destination(number: u8) -> DstInfo {
    let (one, other) = (Port::from_wire(5901), Port::from_wire(5902));
    let made = match number % 4 {
        0 => DstInfo::new("a", one, Port::ABSENT, None),
        1 => DstInfo::new("b", Port::from_wire(u16::MAX), other, Some("CN=b")),
        2 => DstInfo::new("c", one, other, None),
        // As another server has sent it: with an absent port as 65535.
        _ => {
            let mut body = std::vec::Vec::from([0x0d, 0x17, 0xff, 0xff, 2, 0, 0, 0, 20]);
            body.extend([0; 11]);
            body.extend(b"d\0");
            return match <ServerMessage<&[u8]>>::decode(ChannelType::MAIN, 101, &body) {
                Ok((ServerMessage::MigrateBegin(dst), _)) => dst.map(&mut Bytes::copy_from_slice),
                other => panic!("{other:?}"),
            };
        }
    };
    made.expect("they are good")
}

/// What a client says.
fn said(number: u8) -> ClientMessage {
    match number % 16 {
        0..=2 => ClientMessage::MigrateConnected,
        3..=5 => ClientMessage::MigrateConnectedSeamless,
        6 => ClientMessage::MigrateConnectError,
        7..=9 => ClientMessage::MigrateFlushMark,
        10 => ClientMessage::MigrateData(MigrateData { data: Bytes::from_static(b"state") }),
        11 => ClientMessage::MigrateEnd,
        12 => ClientMessage::MigrateDstDoSeamless(DoSeamless { src_version: 1 }),
        13 => ClientMessage::AgentData(AgentData { data: Bytes::copy_from_slice(&[number]) }),
        14 => ClientMessage::Unknown(Unknown { ty: 900, body: Bytes::copy_from_slice(&[number]) }),
        _ => ClientMessage::Pong(Pong { id: 1, timestamp: u64::from(number) }),
    }
}

/// What the application sends.
fn sent(number: u8) -> ServerMessage {
    match number % 16 {
        0 => ServerMessage::MigrateEnd,
        1 => ServerMessage::MigrateCancel,
        2 => ServerMessage::MigrateBegin(destination(0)),
        3 => ServerMessage::MigrateSwitchHost(destination(1)),
        4 => ServerMessage::DstSeamlessAck,
        5 => ServerMessage::MigrateData(MigrateData { data: Bytes::from_static(b"state") }),
        6..=10 => ServerMessage::AgentData(AgentData { data: Bytes::copy_from_slice(&[number]) }),
        11..=13 => ServerMessage::Unknown(Unknown { ty: 900, body: Bytes::copy_from_slice(&[number]) }),
        _ => ServerMessage::MultiMediaTime(MultiMediaTime { time: u32::from(number) }),
    }
}

pub(super) const ALL_CAPS: MainCaps =
    MainCaps::SEMI_SEAMLESS_MIGRATE.union(MainCaps::SEAMLESS_MIGRATE).union(MainCaps::AGENT_CONNECTED_TOKENS);

fn caps(lacks: u8) -> MainCaps {
    match lacks % 5 {
        0 => ALL_CAPS,
        1 => MainCaps::empty(),
        2 => MainCaps::SEMI_SEAMLESS_MIGRATE,
        3 => MainCaps::SEMI_SEAMLESS_MIGRATE.union(MainCaps::SEAMLESS_MIGRATE),
        _ => MainCaps::SEAMLESS_MIGRATE.union(MainCaps::AGENT_CONNECTED_TOKENS),
    }
}

/// A source for the contract suite and for [`run_source`](super::run_source).
#[derive(Clone, Debug, Default)]
pub struct SourceSubject {
    config: Config,
    /// The last thing that was asked for.
    wanted: Option<LinkId>,
}

impl SourceSubject {
    fn config(choices: &mut Choices<'_>) -> Config {
        let mut config = Config::default();
        if choices.one_in(8) {
            config.seamless = false;
        }
        if choices.one_in(6) {
            config.limits.clients = 1 + choices.below(2);
            config.limits.channels = 1 + choices.below(3);
            config.limits.unanswered_begins = [0, 1, 2, 33][choices.below(4)];
        }
        if choices.one_in(6) {
            config.connect_timeout = Duration::from_millis(u64::from(choices.byte()));
            config.disconnect_timeout = Duration::from_millis(u64::from(choices.byte()));
        }
        config
    }
}

impl Subject for SourceSubject {
    on_trial!(subject Source, Input::Closed(LinkId(0)));

    fn machine(&mut self, choices: &mut Choices<'_>) -> Source {
        self.config = Self::config(choices);
        Source::new(self.config.clone())
    }

    fn is_terminal(_machine: &Source) -> bool {
        false
    }

    fn observe(&mut self, output: &Output) {
        if let Output::Event(Event::MigrateDataWanted { link, .. }) = output {
            self.wanted = Some(*link);
        }
    }

    fn attempt(output: &Output) -> Option<Attempt> {
        match output {
            Output::Event(Event::Started(id)) => Some(Attempt::Started(id.0.into())),
            Output::Event(Event::Ended { attempt, .. }) => Some(Attempt::Ended(attempt.0.into())),
            _ => None,
        }
    }

    fn wind_down(&mut self, machine: &Source) -> Option<Input> {
        // The virtual machine's fate is the application's to tell; the rest comes by itself.
        matches!(machine.state(), State::WaitConnect | State::Connected | State::Announced).then_some(Input::VmFailed)
    }
}

impl Trial for SourceSubject {
    on_trial!(trial Source, SourceOp, SourceModel);

    fn forward(&self, number: u8, machine: &Source) -> SourceOp {
        let client = u8::from(number % 8 == 7);
        let links = machine.links(ClientId(client.into())).len();
        if links == 0 {
            return SourceOp::Attach { client, link: 0, lacks: 0, arriving: number % 16 == 9 };
        }
        match machine.state() {
            State::Idle if links < 3 && number < 128 => {
                let channel = u8::try_from(links).unwrap_or(0);
                SourceOp::AttachChannel { client, channel, flags: None }
            }
            State::Idle => SourceOp::MigrateInfo(number % 8),
            State::WaitConnect if number % 16 == 2 => SourceOp::Settle(client),
            State::WaitConnect => SourceOp::Say(client, 0, [3, 3, 3, 0, 0, 6][usize::from(number) % 6]),
            State::Connected | State::Announced => match number % 8 {
                0 => SourceOp::Settle(client),
                1 => SourceOp::Cancelled,
                2 => SourceOp::MigrateInfo(number),
                _ => SourceOp::Completed,
            },
            State::WaitDisconnect => {
                let channel = (number >> 2) % 3;
                match (number % 4, self.wanted) {
                    (0, _) => SourceOp::Close(client, channel),
                    (1, Some(LinkId(wanted))) if wanted > 0 => {
                        let wanted = u8::try_from(wanted - 1).unwrap_or(0);
                        SourceOp::Data(wanted / 8, wanted % 8, 1)
                    }
                    _ => SourceOp::Say(client, channel, 7),
                }
            }
        }
    }

    fn resolve(&mut self, op: &SourceOp) -> Input {
        match *op {
            // No further than one step.
            SourceOp::Forward(_) | SourceOp::Timeout => Input::Timeout,
            SourceOp::Attach { client, link: at, lacks, arriving } => {
                Input::Attached { client: ClientId(client.into()), link: link(client, at), caps: caps(lacks), arriving }
            }
            SourceOp::AttachChannel { client, channel, flags } => {
                let id = channel_id(channel);
                let usual = MigrateFlags::for_channel(id.ty);
                Input::ChannelAttached {
                    client: ClientId(client.into()),
                    link: link(client, channel),
                    channel: id,
                    flags: flags.map_or(usual, |flags| MigrateFlags::from_bits_retain(u32::from(flags % 4))),
                }
            }
            SourceOp::Settle(client) => Input::Settled(ClientId(client.into())),
            SourceOp::Close(client, channel) => Input::Closed(link(client, channel)),
            SourceOp::Say(client, channel, number) => {
                Input::Message { link: link(client, channel), packet: said(number).into() }
            }
            SourceOp::Send(client, channel, number) => {
                Input::Send { link: link(client, channel), packet: sent(number).into() }
            }
            SourceOp::MigrateInfo(number) => Input::MigrateInfo(destination(number)),
            SourceOp::Completed => Input::VmCompleted,
            SourceOp::Failed => Input::VmFailed,
            SourceOp::Cancelled => Input::VmCancelled,
            SourceOp::Data(client, channel, number) => {
                let data = Bytes::from_static(if number % 8 == 0 { b"" } else { b"state" });
                Input::MigrateData { link: link(client, channel), data }
            }
        }
    }

    fn model(&self, _machine: &Source) -> SourceModel {
        SourceModel::new(self.config.clone())
    }
}
