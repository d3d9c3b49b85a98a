//! Messages and packets as this crate's constructors make them.

use crate::spice::common::{AckSync, Disconnecting, Migrate, MigrateData, Notify, Ping, Pong, SetAck, WaitForChannels};
use crate::spice::main_channel::{
    AgentConnectedTokens, AgentData, AgentDisconnected, AgentStart, AgentToken, ChannelsList, ClientInfo, DoSeamless,
    Init, MouseMode, MouseModeRequest, MultiMediaTime, Name, QualityIndicator, Uuid,
};
use crate::spice::{
    Capabilities, ChannelId, ChannelType, ClientMessage, DstInfo, HeaderKind, LinkError, Message, MigrateBeginSeamless,
    MigrateFlags, MouseModes, Packet, Port, ServerMessage, SubList, Unknown,
};
use crate::testing::Choices;
use bytes::Bytes;
use std::vec::Vec;

/// Most bytes of a generated payload: what an agent message may have.
const PAYLOAD: usize = 2048;

fn payload(choices: &mut Choices<'_>) -> Bytes {
    choices.bytes(PAYLOAD).into()
}

/// A kind of channel: main half of the time, else any, known or not.
pub fn any_channel_type(choices: &mut Choices<'_>) -> ChannelType {
    match choices.byte() {
        0..=127 => ChannelType::MAIN,
        byte @ 128..=223 => ChannelType(byte % 12),
        _ => ChannelType(choices.byte()),
    }
}

/// A channel of any kind.
pub fn channel_id(choices: &mut Choices<'_>) -> ChannelId {
    ChannelId::new(any_channel_type(choices), choices.byte())
}

/// A port as it may stand on the wire, absent ones among them.
pub fn port(choices: &mut Choices<'_>) -> Port {
    Port::from_wire(match choices.byte() {
        0..=31 => 0,
        32..=63 => u16::MAX,
        _ => choices.edge_u16(),
    })
}

/// Capability words, few and many.
pub fn capabilities(choices: &mut Choices<'_>) -> Capabilities {
    let words = if choices.one_in(64) { choices.below(400) } else { choices.below(4) };
    Capabilities((0..words).map(|_| choices.edge_u32()).collect())
}

/// A destination by [`DstInfo::new`]: always one that it accepts.
pub fn dst_info(choices: &mut Choices<'_>) -> DstInfo {
    let host = choices.text(64);
    let (plain, tls) = (port(choices), port(choices));
    let plain = if plain.get().is_none() && tls.get().is_none() { Port::from_wire(5900) } else { plain };
    let subject = choices.boolean().then(|| choices.text(96));
    DstInfo::new(&host, plain, tls, subject.as_deref()).expect("the generator keeps to the rules")
}

/// A destination with a migration version.
pub fn migrate_begin_seamless(choices: &mut Choices<'_>) -> MigrateBeginSeamless {
    let dst = dst_info(choices);
    MigrateBeginSeamless::new(dst, choices.edge_u32())
}

/// A list of up to 8 messages that fit `channel`, none of them a list.
pub fn sub_list(channel: ChannelType, choices: &mut Choices<'_>) -> SubList {
    let messages: Vec<ServerMessage> = subs(channel, choices).into_iter().map(|(message, _)| message).collect();
    SubList::new(&messages).expect("the generator keeps to the rules")
}

/// The type of a list, which cannot stand in a list.
const LIST: u16 = 8;

/// A type number: mostly one with a name.
pub(super) fn any_type(types: &[(u16, bool, &str)], choices: &mut Choices<'_>) -> u16 {
    if choices.one_in(8) { choices.edge_u16() } else { choices.pick(types).0 }
}

/// A direction's generators, for what is the same in both.
trait Direction: Message {
    /// As `TYPES` of the enum.
    const TYPES: &'static [(u16, bool, &'static str)];

    /// A message of type `ty`, which is in scope.
    fn known(ty: u16, channel: ChannelType, choices: &mut Choices<'_>) -> Self;

    fn unknown(unknown: Unknown) -> Self;

    /// Whether the message is all of its body, so that nothing can follow it there.
    fn takes_all(&self) -> bool;

    /// What cannot be told from the message if it follows.
    fn accepts_extra(&self, _extra: &[u8]) -> bool {
        true
    }

    fn of(ty: u16, channel: ChannelType, choices: &mut Choices<'_>) -> Self {
        let main = channel == ChannelType::MAIN;
        if Self::TYPES.iter().any(|&(known, main_only, _)| known == ty && (main || !main_only)) {
            return Self::known(ty, channel, choices);
        }
        Self::unknown(Unknown { ty, body: payload(choices) })
    }

    fn any(channel: ChannelType, choices: &mut Choices<'_>) -> Self {
        let ty = any_type(Self::TYPES, choices);
        Self::of(ty, channel, choices)
    }

    fn any_but_list(channel: ChannelType, choices: &mut Choices<'_>) -> Self {
        let ty = any_type(Self::TYPES, choices);
        Self::of(if Self::LISTS && ty == LIST { 1 } else { ty }, channel, choices)
    }
}

impl Direction for ServerMessage {
    const TYPES: &'static [(u16, bool, &'static str)] = ServerMessage::<Bytes>::TYPES;

    fn known(ty: u16, channel: ChannelType, c: &mut Choices<'_>) -> Self {
        match ty {
            1 => Self::Migrate(Migrate { flags: MigrateFlags::from_bits_retain(c.edge_u32()) }),
            2 => Self::MigrateData(MigrateData { data: payload(c) }),
            3 => Self::SetAck(SetAck { generation: c.edge_u32(), window: c.edge_u32() }),
            4 => Self::Ping(Ping { id: c.edge_u32(), timestamp: c.edge_u64(), padding: payload(c) }),
            5 => {
                let count = c.length(255);
                Self::WaitForChannels((0..count).map(|_| (channel_id(c), c.edge_u64())).collect::<WaitForChannels>())
            }
            6 => Self::Disconnecting(Disconnecting { time_stamp: c.edge_u64(), reason: LinkError(c.edge_u32()) }),
            7 => Self::Notify(Notify {
                time_stamp: c.edge_u64(),
                severity: c.edge_u32(),
                visibility: c.edge_u32(),
                what: c.edge_u32(),
                message: payload(c),
                terminated: !c.one_in(4),
            }),
            8 => Self::List(sub_list(channel, c)),
            101 => Self::MigrateBegin(dst_info(c)),
            102 => Self::MigrateCancel,
            103 => Self::Init(Init {
                session_id: c.edge_u32(),
                display_channels_hint: c.edge_u32(),
                supported_mouse_modes: c.edge_u32(),
                current_mouse_mode: c.edge_u32(),
                agent_connected: c.edge_u32(),
                agent_tokens: c.edge_u32(),
                multi_media_time: c.edge_u32(),
                ram_hint: c.edge_u32(),
            }),
            104 => {
                let count = c.length(300);
                Self::ChannelsList((0..count).map(|_| channel_id(c)).collect::<ChannelsList>())
            }
            105 => Self::MouseMode(MouseMode { supported: mouse_modes(c), current: mouse_modes(c) }),
            106 => Self::MultiMediaTime(MultiMediaTime { time: c.edge_u32() }),
            107 => Self::AgentConnected,
            108 => Self::AgentDisconnected(AgentDisconnected { error_code: c.edge_u32() }),
            109 => Self::AgentData(AgentData { data: payload(c) }),
            110 => Self::AgentToken(AgentToken { tokens: c.edge_u32() }),
            111 => Self::MigrateSwitchHost(dst_info(c)),
            112 => Self::MigrateEnd,
            113 => Self::Name(Name { name: payload(c) }),
            114 => Self::Uuid(Uuid { uuid: core::array::from_fn(|_| c.byte()) }),
            115 => Self::AgentConnectedTokens(AgentConnectedTokens { tokens: c.edge_u32() }),
            116 => Self::MigrateBeginSeamless(migrate_begin_seamless(c)),
            117 => Self::DstSeamlessAck,
            118 => Self::DstSeamlessNack,
            _ => panic!("type {ty} has no generator"),
        }
    }

    fn unknown(unknown: Unknown) -> Self {
        Self::Unknown(unknown)
    }

    fn takes_all(&self) -> bool {
        matches!(self, Self::MigrateData(_) | Self::Ping(_) | Self::List(_) | Self::AgentData(_) | Self::Unknown(_))
    }

    fn accepts_extra(&self, extra: &[u8]) -> bool {
        // A NUL behind the text is its own.
        !matches!(self, Self::Notify(notify) if !notify.terminated) || extra.first() != Some(&0)
    }
}

impl Direction for ClientMessage {
    const TYPES: &'static [(u16, bool, &'static str)] = ClientMessage::<Bytes>::TYPES;

    fn known(ty: u16, _channel: ChannelType, c: &mut Choices<'_>) -> Self {
        match ty {
            1 => Self::AckSync(AckSync { generation: c.edge_u32() }),
            2 => Self::Ack,
            3 => Self::Pong(Pong { id: c.edge_u32(), timestamp: c.edge_u64() }),
            4 => Self::MigrateFlushMark,
            5 => Self::MigrateData(MigrateData { data: payload(c) }),
            6 => Self::Disconnecting(Disconnecting { time_stamp: c.edge_u64(), reason: LinkError(c.edge_u32()) }),
            101 => Self::ClientInfo(ClientInfo { cache_size: c.edge_u64() }),
            102 => Self::MigrateConnected,
            103 => Self::MigrateConnectError,
            104 => Self::AttachChannels,
            105 => Self::MouseModeRequest(MouseModeRequest { mode: mouse_modes(c) }),
            106 => Self::AgentStart(AgentStart { tokens: c.edge_u32() }),
            107 => Self::AgentData(AgentData { data: payload(c) }),
            108 => Self::AgentToken(AgentToken { tokens: c.edge_u32() }),
            109 => Self::MigrateEnd,
            110 => Self::MigrateDstDoSeamless(DoSeamless { src_version: c.edge_u32() }),
            111 => Self::MigrateConnectedSeamless,
            112 => Self::QualityIndicator(QualityIndicator { data: payload(c) }),
            _ => panic!("type {ty} has no generator"),
        }
    }

    fn unknown(unknown: Unknown) -> Self {
        Self::Unknown(unknown)
    }

    fn takes_all(&self) -> bool {
        matches!(self, Self::MigrateData(_) | Self::AgentData(_) | Self::QualityIndicator(_) | Self::Unknown(_))
    }
}

fn mouse_modes(choices: &mut Choices<'_>) -> MouseModes {
    MouseModes::from_bits_retain(choices.edge_u16())
}

/// Any message that a server may send on `channel`.
pub fn server_message(channel: ChannelType, choices: &mut Choices<'_>) -> ServerMessage {
    Direction::any(channel, choices)
}

/// Any message that a client may send on `channel`.
pub fn client_message(channel: ChannelType, choices: &mut Choices<'_>) -> ClientMessage {
    Direction::any(channel, choices)
}

/// A server's message of type `ty`; [`ServerMessage::Unknown`] where the type has no name on `channel`.
pub fn server_message_of(ty: u16, channel: ChannelType, choices: &mut Choices<'_>) -> ServerMessage {
    Direction::of(ty, channel, choices)
}

/// A client's message of type `ty`; [`ClientMessage::Unknown`] where the type has no name on `channel`.
pub fn client_message_of(ty: u16, channel: ChannelType, choices: &mut Choices<'_>) -> ClientMessage {
    Direction::of(ty, channel, choices)
}

/// A packet with the sub-messages that stand in its body, each with what its own body holds besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample<M> {
    /// The packet.
    pub packet: Packet<M>,
    /// Its sub-messages.
    pub subs: Vec<(M, Bytes)>,
}

/// Any packet that a server may send on `channel` with the header `kind`.
pub fn server_packet(channel: ChannelType, kind: HeaderKind, choices: &mut Choices<'_>) -> Sample<ServerMessage> {
    if choices.one_in(24) {
        let mut subs: Vec<(ServerMessage, Bytes)> = subs(channel, choices);
        subs.iter_mut().for_each(|(_, extra)| *extra = Bytes::new());
        let messages: Vec<ServerMessage> = subs.iter().map(|(message, _)| message.clone()).collect();
        let list = SubList::new(&messages).expect("the generator keeps to the rules");
        return Sample { packet: Packet::new(ServerMessage::List(list)), subs };
    }
    packet(channel, kind, choices)
}

/// Any packet that a client may send on `channel` with the header `kind`.
pub fn client_packet(channel: ChannelType, kind: HeaderKind, choices: &mut Choices<'_>) -> Sample<ClientMessage> {
    packet(channel, kind, choices)
}

/// A packet that is no list itself.
fn packet<M: Direction>(channel: ChannelType, kind: HeaderKind, choices: &mut Choices<'_>) -> Sample<M> {
    let mut packet = Packet::new(M::any_but_list(channel, choices));
    let mut parts = Vec::new();
    if choices.one_in(4) {
        packet.serial = Some(choices.edge_u64());
    }
    packet.extra = extra(&packet.message, choices);
    if kind == HeaderKind::Full && choices.one_in(8) && !packet.message.takes_all() {
        parts = subs(channel, choices);
        let mut body = packet.extra.to_vec();
        let at = packet.message.encoded_len();
        if at + body.len() == 0 || !packet.message.accepts_extra(&[0]) {
            // Offset 0 would mean that there is no list.
            body.push(0xff);
        }
        packet.sub_list = (at + body.len()) as u32;
        append_list(&parts, at, &mut body);
        packet.extra = body.into();
    }
    Sample { packet, subs: parts }
}

/// What may follow `message` in its body.
fn extra<M: Direction>(message: &M, choices: &mut Choices<'_>) -> Bytes {
    if !choices.one_in(4) || message.takes_all() {
        return Bytes::new();
    }
    let extra = choices.bytes(64);
    if message.accepts_extra(&extra) { extra.into() } else { Bytes::new() }
}

/// Up to 4 sub-messages.
fn subs<M: Direction>(channel: ChannelType, choices: &mut Choices<'_>) -> Vec<(M, Bytes)> {
    let count = choices.below(5);
    let sub = |choices: &mut Choices<'_>| {
        let message = M::any_but_list(channel, choices);
        let extra = extra(&message, choices);
        (message, extra)
    };
    (0..count).map(|_| sub(choices)).collect()
}

/// Writes a list behind `body`, which itself stands `at` bytes behind the start of the whole body.
fn append_list<M: Message>(subs: &[(M, Bytes)], at: usize, body: &mut Vec<u8>) {
    body.extend_from_slice(&(subs.len() as u16).to_le_bytes());
    let mut bodies = Vec::new();
    let start = at + body.len() + 4 * subs.len();
    for (message, extra) in subs {
        body.extend_from_slice(&((start + bodies.len()) as u32).to_le_bytes());
        bodies.extend_from_slice(&message.wire_type().to_le_bytes());
        bodies.extend_from_slice(&((message.encoded_len() + extra.len()) as u32).to_le_bytes());
        bodies.extend(message.to_vec().expect("the generator keeps to the rules"));
        bodies.extend_from_slice(extra);
    }
    body.extend(bodies);
}
