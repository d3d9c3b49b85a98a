//! Words to messages and back, stimuli to inputs, outputs to effects.
//!
//! What a message says is tested here, against the packets that the machines really hand out, and reduced
//! to a [`Word`]; a delivered [`Word`] becomes a packet again.

use super::adapter::{Effect, Note, Stimulus};
use super::configs::Setup;
use super::world::{Chan, FRESH, Peer, Word, World};
use bytes::Bytes;
use handover::spice::common::{Migrate, MigrateData, Ping, Pong};
use handover::spice::main_channel::{DoSeamless, Init};
use handover::spice::migrate_data::MigrateDataHeader;
use handover::spice::{
    Capabilities, ClientId, ClientMessage, DstInfo, LinkId, MigrateBeginSeamless, MigrateFlags, Port, ServerMessage,
    Unknown, client, source, target,
};
use handover::wire::Encode;
use std::sync::OnceLock;

pub(crate) const SOURCE_HOST: &str = "s";
pub(crate) const TARGET_HOST: &str = "t";
/// The type of the applications' messages; no type that the crate knows.
const APP: u16 = 300;

/// Where the target is, as it is announced; one of its ports may be left out the way QEMU does it.
fn destination(setup: &Setup) -> DstInfo {
    static INFOS: [OnceLock<DstInfo>; 2] = [OnceLock::new(), OnceLock::new()];
    let info = INFOS[usize::from(setup.tls)].get_or_init(|| {
        DstInfo::new(TARGET_HOST, Port::from_wire(5900), setup.tls_port(), None).expect("a destination")
    });
    info.clone()
}

/// The TLS port of a destination as it stands on the wire.
fn wire_tls_port(dst: &impl Encode) -> u16 {
    let mut bytes = [0; 64];
    dst.encode(&mut bytes).expect("a short host");
    u16::from_le_bytes([bytes[2], bytes[3]])
}

/// The state of a channel: what a target of today takes, and a mark of the channel.
fn state_of(tag: u8) -> Bytes {
    let Some(chan) = Chan::ALL.into_iter().find(|chan| chan.tag() == tag) else {
        return Bytes::from_static(b"not what a source writes");
    };
    let mut data = vec![0; 65];
    if let Some(header) = MigrateDataHeader::for_channel(chan.id().ty) {
        data[..4].copy_from_slice(&header.magic);
        data[4..8].copy_from_slice(&header.version.to_le_bytes());
    }
    data.push(tag);
    data.into()
}

fn tag_of(data: &MigrateData) -> u8 {
    let tag = data.data.last().copied().unwrap_or_default();
    if state_of(tag) == data.data { tag } else { 255 }
}

fn server_message(setup: &Setup, word: Word) -> ServerMessage {
    match word {
        Word::App(number) => ServerMessage::Unknown(Unknown { ty: APP, body: Bytes::copy_from_slice(&[number]) }),
        Word::Ping => ServerMessage::Ping(Ping { id: 1, timestamp: 2, padding: Bytes::new() }),
        Word::Begin(_) => ServerMessage::MigrateBegin(destination(setup)),
        Word::BeginSeamless(_) => ServerMessage::MigrateBeginSeamless(MigrateBeginSeamless::new(destination(setup), 1)),
        Word::SwitchHost(_) => ServerMessage::MigrateSwitchHost(destination(setup)),
        Word::Cancel => ServerMessage::MigrateCancel,
        Word::End => ServerMessage::MigrateEnd,
        Word::Data(tag) => ServerMessage::MigrateData(MigrateData { data: state_of(tag) }),
        Word::SeamlessAck => ServerMessage::DstSeamlessAck,
        Word::SeamlessNack => ServerMessage::DstSeamlessNack,
        Word::Init(id) => ServerMessage::Init(init(id)),
        other => unreachable!("no server says {other:?}"),
    }
}

fn server_word(message: &ServerMessage) -> Word {
    match message {
        ServerMessage::Unknown(Unknown { ty: APP, body }) => Word::App(body[0]),
        ServerMessage::Ping(_) => Word::Ping,
        ServerMessage::MigrateBegin(dst) => Word::Begin(wire_tls_port(dst)),
        ServerMessage::MigrateBeginSeamless(begin) => Word::BeginSeamless(wire_tls_port(begin)),
        ServerMessage::MigrateSwitchHost(dst) => Word::SwitchHost(wire_tls_port(dst)),
        ServerMessage::MigrateCancel => Word::Cancel,
        ServerMessage::MigrateEnd => Word::End,
        ServerMessage::Migrate(_) => Word::Migrate,
        ServerMessage::MigrateData(data) => Word::Data(tag_of(data)),
        ServerMessage::DstSeamlessAck => Word::SeamlessAck,
        ServerMessage::DstSeamlessNack => Word::SeamlessNack,
        ServerMessage::Init(init) => Word::Init(u8::try_from(init.session_id).expect("ids of the model")),
        other => unreachable!("no server says {other:?}"),
    }
}

fn client_message(word: Word) -> ClientMessage {
    match word {
        Word::App(number) => ClientMessage::Unknown(Unknown { ty: APP, body: Bytes::copy_from_slice(&[number]) }),
        Word::Pong => ClientMessage::Pong(Pong { id: 1, timestamp: 2 }),
        Word::Connected => ClientMessage::MigrateConnected,
        Word::ConnectedSeamless => ClientMessage::MigrateConnectedSeamless,
        Word::ConnectError => ClientMessage::MigrateConnectError,
        Word::End => ClientMessage::MigrateEnd,
        Word::DoSeamless(version) => ClientMessage::MigrateDstDoSeamless(DoSeamless { src_version: version.into() }),
        Word::FlushMark => ClientMessage::MigrateFlushMark,
        Word::Data(tag) => ClientMessage::MigrateData(MigrateData { data: state_of(tag) }),
        other => unreachable!("no client says {other:?}"),
    }
}

fn client_word(message: &ClientMessage) -> Word {
    match message {
        ClientMessage::Unknown(Unknown { ty: APP, body }) => Word::App(body[0]),
        ClientMessage::Pong(Pong { id: 1, timestamp: 2 }) => Word::Pong,
        ClientMessage::MigrateConnected => Word::Connected,
        ClientMessage::MigrateConnectedSeamless => Word::ConnectedSeamless,
        ClientMessage::MigrateConnectError => Word::ConnectError,
        ClientMessage::MigrateEnd => Word::End,
        ClientMessage::MigrateDstDoSeamless(ask) => {
            Word::DoSeamless(u8::try_from(ask.src_version).expect("versions of the model"))
        }
        ClientMessage::MigrateFlushMark => Word::FlushMark,
        ClientMessage::MigrateData(data) => Word::Data(tag_of(data)),
        other => unreachable!("no client says {other:?}"),
    }
}

pub(crate) fn init(id: u8) -> Init {
    Init {
        session_id: id.into(),
        display_channels_hint: 1,
        supported_mouse_modes: 1,
        current_mouse_mode: 1,
        agent_connected: 0,
        agent_tokens: 10,
        multi_media_time: 0,
        ram_hint: 0,
    }
}

pub(crate) fn source_input(setup: &Setup, world: &World, stimulus: Stimulus) -> source::Input {
    match stimulus {
        Stimulus::Word(link, word) => {
            source::Input::Message { link: LinkId(link.into()), packet: client_message(word).into() }
        }
        Stimulus::Closed(link) => source::Input::Closed(LinkId(link.into())),
        Stimulus::Timeout => source::Input::Timeout,
        Stimulus::Info => source::Input::MigrateInfo(destination(setup)),
        Stimulus::Completed => source::Input::VmCompleted,
        Stimulus::Failed => source::Input::VmFailed,
        Stimulus::Cancelled => source::Input::VmCancelled,
        Stimulus::Say(link, word) => {
            source::Input::Send { link: LinkId(link.into()), packet: server_message(setup, word).into() }
        }
        Stimulus::GiveData(link) => {
            let tag = world.link(link).map_or(0, |link| link.chan.tag());
            source::Input::MigrateData { link: LinkId(link.into()), data: state_of(tag) }
        }
        Stimulus::Arrive(id) => {
            let channel = world.link(id).expect("it arrives").chan.id();
            let flags = MigrateFlags::for_channel(channel.ty);
            source::Input::ChannelAttached { client: ClientId(1), link: LinkId(id.into()), channel, flags }
        }
        other => unreachable!("not for a source: {other:?}"),
    }
}

pub(crate) fn target_input(setup: &Setup, world: &World, stimulus: Stimulus) -> target::Input {
    match stimulus {
        Stimulus::Word(link, word) => {
            target::Input::Message { link: LinkId(link.into()), packet: client_message(word).into() }
        }
        Stimulus::Closed(link) => target::Input::Closed(LinkId(link.into())),
        Stimulus::Timeout => target::Input::Timeout,
        Stimulus::VmRunning => target::Input::VmRunning,
        Stimulus::Arrive(id) => {
            let link = world.link(id).expect("it arrives");
            target::Input::Link {
                link: LinkId(id.into()),
                connection_id: link.connection_id.into(),
                channel: link.chan.id(),
                caps: setup.client_caps,
                session_id: u32::from(FRESH + id),
            }
        }
        Stimulus::Say(link, word) => {
            target::Input::Send { link: LinkId(link.into()), packet: server_message(setup, word).into() }
        }
        // The machine puts the session's id in: a wrong one is given to see that.
        Stimulus::GiveInit(client) => target::Input::Init { client: ClientId(client.into()), init: init(255) },
        other => unreachable!("not for a target: {other:?}"),
    }
}

pub(crate) fn client_input(setup: &Setup, world: &World, stimulus: Stimulus) -> client::Input {
    match stimulus {
        Stimulus::Word(id, word) => {
            let message = match (word, world.link(id)) {
                (Word::Migrate, Some(link)) => {
                    ServerMessage::Migrate(Migrate { flags: MigrateFlags::for_channel(link.chan.id().ty) })
                }
                _ => server_message(setup, word),
            };
            client::Input::Message { link: LinkId(id.into()), packet: message.into() }
        }
        Stimulus::Opened(id) => {
            let main = world.link(id).is_some_and(|link| link.chan == Chan::Main);
            let caps = if main { setup.target_caps().into() } else { Capabilities::default() };
            client::Input::Opened { link: LinkId(id.into()), caps }
        }
        Stimulus::OpenFailed(link, reason) => client::Input::OpenFailed { link: LinkId(link.into()), reason },
        Stimulus::Closed(link) => client::Input::Closed(LinkId(link.into())),
        Stimulus::Timeout => client::Input::Timeout,
        Stimulus::SayOn(chan, word) => {
            client::Input::Command(client::Command::Send { channel: chan.id(), packet: client_message(word).into() })
        }
        Stimulus::Command(command) => client::Input::Command(command),
        other => unreachable!("not for a client: {other:?}"),
    }
}

fn number(link: LinkId) -> u8 {
    u8::try_from(link.0).expect("few links")
}

fn small(id: u32) -> u8 {
    u8::try_from(id).expect("small numbers")
}

pub(crate) fn source_effect(output: source::Output) -> Effect {
    use source::{Event, Output};
    match output {
        Output::Send { link, packet } => Effect::Send(number(link), server_word(&packet.message)),
        Output::Close(link) => Effect::Close(number(link)),
        Output::Event(event) => Effect::Note(match event {
            Event::Started(id) => Note::Started(small(id.0)),
            Event::Ended { attempt, .. } => Note::Ended(small(attempt.0), None),
            Event::MigrateDataWanted { link, .. } => Note::DataWanted(number(link)),
            Event::Message { link, packet } => Note::Message(number(link), client_word(&packet.message)),
            Event::ClientGone { .. } => Note::Gone,
            _ => Note::Other,
        }),
        other => unreachable!("{other:?}"),
    }
}

pub(crate) fn target_effect(output: target::Output) -> Effect {
    use target::{Event, Output, Start};
    match output {
        Output::Accept(link) => Effect::Accept(number(link)),
        Output::Refuse { link, .. } => Effect::Refuse(number(link)),
        Output::Send { link, packet } => Effect::Send(number(link), server_word(&packet.message)),
        Output::Close(link) => Effect::Close(number(link)),
        Output::Pause(link) => Effect::Pause(number(link)),
        Output::Resume(link) => Effect::Resume(number(link)),
        Output::Event(event) => Effect::Note(match event {
            Event::Attached { client, link, arriving, .. } => {
                Note::Attached { link: number(link), client: small(client.0), arriving }
            }
            Event::ChannelStarted { link, .. } => Note::ChannelStarted(number(link)),
            Event::InitWanted { client, .. } => Note::InitWanted(small(client.0)),
            Event::MigrateData { link, .. } => Note::Data(number(link)),
            Event::Settled { client, start } => {
                Note::Settled { client: small(client.0), seamless: start == Start::Seamless }
            }
            Event::Message { link, packet } => Note::Message(number(link), client_word(&packet.message)),
            Event::Gone { .. } => Note::Gone,
            _ => Note::Other,
        }),
        other => unreachable!("{other:?}"),
    }
}

pub(crate) fn client_effect(output: client::Output) -> Effect {
    use client::{Event, Outcome, Output};
    let chan = Chan::of;
    match output {
        Output::Open { link, channel, address, tls, connection_id, .. } => {
            let server = if address.host == SOURCE_HOST.as_bytes() { Peer::Source } else { Peer::Target };
            Effect::Open { link: number(link), server, chan: chan(channel), connection_id, tls }
        }
        Output::Send { link, packet } => Effect::Send(number(link), client_word(&packet.message)),
        Output::Close(link) => Effect::Close(number(link)),
        Output::Pause(link) => Effect::Pause(number(link)),
        Output::Resume(link) => Effect::Resume(number(link)),
        Output::Event(event) => Effect::Note(match event {
            Event::Linked { channel, .. } => Note::Linked(chan(channel)),
            Event::ChannelClosed { channel, .. } => Note::ChannelClosed(chan(channel)),
            Event::Message { channel, packet } => Note::Message(chan(channel).bit(), server_word(&packet.message)),
            Event::MigrationStarted { attempt, .. } => Note::Started(small(attempt.0)),
            Event::MigrationEnded { attempt, outcome } => {
                let scheme = if let Outcome::Switched(scheme) = outcome { Some(scheme) } else { None };
                Note::Ended(small(attempt.0), scheme)
            }
            Event::Disconnected(_) => Note::Disconnected,
            _ => Note::Other,
        }),
        other => unreachable!("{other:?}"),
    }
}
