//! The fields of SPICE messages by the names of the protocol. Tickets are never shown, of keys the length.

use crate::record::{Fields, hex};
use handover::spice::link::{LinkHeader, LinkMess, LinkReply, PublicKey};
use handover::spice::migrate_data::MigrateDataHeader;
use handover::spice::{Capabilities, ChannelId, ClientMessage, ServerMessage};
use handover::wire::Encode;
use serde_json::{Value, json};

/// The u32 at `at`, to show what a message says about its own layout.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

/// Text without what follows its NUL.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|&byte| byte == 0).next().unwrap_or_default()).into_owned()
}

fn words(caps: &Capabilities) -> Vec<String> {
    caps.0.iter().map(|word| format!("{word:#x}")).collect()
}

fn channel(channel: ChannelId) -> Value {
    json!([channel.ty.0, channel.id])
}

/// What both link messages end with. `caps_offset` stands at `at` in the message behind the header.
fn capabilities(fields: Fields, frame: &[u8], at: usize, common: &Capabilities, channel: &Capabilities) -> Fields {
    fields
        .with("num_common", common.0.len())
        .with("num_channel", channel.0.len())
        .with("caps_offset", word(frame, LinkHeader::SIZE + at))
        .with("common_words", words(common))
        .with("channel_words", words(channel))
}

fn version(minor: u32) -> String {
    format!("{}.{minor}", handover::spice::link::MAJOR)
}

pub(super) fn link_mess(frame: &[u8], mess: &LinkMess) -> Fields {
    let fields = Fields::default()
        .with("version", version(mess.minor()))
        .with("connection_id", mess.connection_id())
        .with("channel_type", mess.channel().ty.0)
        .with("channel_id", mess.channel().id);
    capabilities(fields, frame, 14, mess.common_caps(), mess.channel_caps())
}

pub(super) fn link_reply(frame: &[u8], reply: &LinkReply) -> Fields {
    let fields = Fields::default()
        .with("version", version(reply.minor()))
        .with("error", reply.error().0)
        .with("pub_key_len", PublicKey::SIZE);
    capabilities(fields, frame, 174, reply.common_caps(), reply.channel_caps())
}

/// MIGRATE_BEGIN, MIGRATE_BEGIN_SEAMLESS and MIGRATE_SWITCH_HOST: `body` holds what they have in common.
macro_rules! destination {
    ($message:expr, $dst:expr) => {{
        let (body, dst) = ($message.to_vec().unwrap_or_default(), $dst);
        Fields::default()
            .with("port", dst.port().wire())
            .with("sport", dst.tls_port().wire())
            .with("host_size", word(&body, 4))
            .with("host_off", word(&body, 8))
            .with("host", text(dst.host()))
            .with("cert_size", word(&body, 12))
            .with("cert_off", word(&body, 16))
            .with("cert_subject", dst.cert_subject().map(text))
    }};
}

fn migrate_data(data: &[u8]) -> Fields {
    let fields = match MigrateDataHeader::decode(data) {
        Ok(header) => Fields::default()
            .with("magic", String::from_utf8_lossy(&header.magic).into_owned())
            .with("version", header.version),
        Err(_) => Fields::default(),
    };
    fields.with_opaque("data_len", "data", data)
}

pub(super) fn server(message: &ServerMessage) -> Fields {
    let fields = Fields::default();
    match message {
        ServerMessage::Migrate(body) => fields.with("flags", body.flags.bits()),
        ServerMessage::SetAck(body) => fields.with("generation", body.generation).with("window", body.window),
        ServerMessage::Disconnecting(body) => fields.with("time_stamp", body.time_stamp).with("reason", body.reason.0),
        ServerMessage::Init(body) => fields
            .with("session_id", body.session_id)
            .with("display_channels_hint", body.display_channels_hint)
            .with("supported_mouse_modes", body.supported_mouse_modes)
            .with("current_mouse_mode", body.current_mouse_mode)
            .with("agent_connected", body.agent_connected)
            .with("agent_tokens", body.agent_tokens)
            .with("multi_media_time", body.multi_media_time)
            .with("ram_hint", body.ram_hint),
        ServerMessage::MouseMode(body) => {
            fields.with("supported", body.supported.bits()).with("current", body.current.bits())
        }
        ServerMessage::MultiMediaTime(body) => fields.with("v", body.time),
        ServerMessage::AgentDisconnected(body) => fields.with("error_code", body.error_code),
        ServerMessage::AgentToken(body) => fields.with("tokens", body.tokens),
        ServerMessage::Uuid(body) => fields.with("uuid", hex(&body.uuid)),
        ServerMessage::AgentConnectedTokens(body) => fields.with("tokens", body.tokens),
        ServerMessage::MigrateData(body) => migrate_data(&body.data),
        ServerMessage::Ping(body) => {
            fields.with("id", body.id).with("timestamp", body.timestamp).with_opaque("data_len", "data", &body.padding)
        }
        ServerMessage::WaitForChannels(body) => {
            let list: Vec<_> = body.iter().map(|(id, serial)| json!([id.ty.0, id.id, serial])).collect();
            fields.with("count", list.len()).with("channels", list)
        }
        ServerMessage::Notify(body) => fields
            .with("time_stamp", body.time_stamp)
            .with("severity", body.severity)
            .with("visibility", body.visibility)
            .with("what", body.what)
            .with("message_len", body.message.len())
            .with("message", text(&body.message)),
        ServerMessage::List(list) => fields.with_opaque("data_len", "data", &list.to_vec().unwrap_or_default()),
        ServerMessage::ChannelsList(body) => {
            let list: Vec<_> = body.iter().map(channel).collect();
            fields.with("n", list.len()).with("channels", list)
        }
        ServerMessage::AgentData(body) => fields.with_opaque("data_len", "data", &body.data),
        ServerMessage::Name(body) => fields.with("name_len", body.name.len()).with("name", text(&body.name)),
        ServerMessage::MigrateBegin(dst) | ServerMessage::MigrateSwitchHost(dst) => destination!(dst, dst),
        ServerMessage::MigrateBeginSeamless(body) => {
            destination!(body, body.dst()).with("src_mig_version", body.src_mig_version())
        }
        ServerMessage::Unknown(unknown) => fields.with_opaque("data_len", "data", &unknown.body),
        // What is left has no body.
        _ => fields,
    }
}

pub(super) fn client(message: &ClientMessage) -> Fields {
    let fields = Fields::default();
    match message {
        ClientMessage::AckSync(body) => fields.with("generation", body.generation),
        ClientMessage::Pong(body) => fields.with("id", body.id).with("timestamp", body.timestamp),
        ClientMessage::Disconnecting(body) => fields.with("time_stamp", body.time_stamp).with("reason", body.reason.0),
        ClientMessage::ClientInfo(body) => fields.with("cache_size", body.cache_size),
        ClientMessage::MouseModeRequest(body) => fields.with("mode", body.mode.bits()),
        ClientMessage::AgentStart(body) => fields.with("tokens", body.tokens),
        ClientMessage::AgentToken(body) => fields.with("tokens", body.tokens),
        ClientMessage::MigrateDstDoSeamless(body) => fields.with("src_version", body.src_version),
        ClientMessage::MigrateData(body) => migrate_data(&body.data),
        ClientMessage::AgentData(body) => fields.with_opaque("data_len", "data", &body.data),
        ClientMessage::QualityIndicator(body) => fields.with_opaque("data_len", "data", &body.data),
        ClientMessage::Unknown(unknown) => fields.with_opaque("data_len", "data", &unknown.body),
        // What is left has no body.
        _ => fields,
    }
}
