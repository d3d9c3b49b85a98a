//! The same messages through the public API give the captured bytes.

use super::conversation;
use super::link::Link;
use bytes::{Bytes, BytesMut};
use handover::limits::SpiceLimits;
use handover::spice::common::{Migrate, MigrateData, Notify, Ping, Pong};
use handover::spice::connection::{ClientConnection, ServerConnection};
use handover::spice::link::{LinkMess, LinkReply, LinkResult, PublicKey};
use handover::spice::main_channel::{ChannelsList, DoSeamless, Init, MultiMediaTime, Name, QualityIndicator, Uuid};
use handover::spice::stream::{ClientItem, ServerItem};
use handover::spice::{
    Capabilities, ChannelId, ChannelType, ClientMessage, CommonCaps, DstInfo, LinkError, MainCaps,
    MigrateBeginSeamless, MigrateFlags, Packet, Port, ServerMessage,
};
use handover::wire::Encode;

/// The bytes of the first message of type `ty` that the server sent, with its mini header.
fn server_bytes(file: &str, conn: &str, ty: u16) -> Vec<u8> {
    let conversation = conversation(file, conn);
    let link = Link::whole(&conversation);
    let mut found = link.server_packets().filter(|(packet, _)| packet.message.wire_type() == ty);
    let (_, range) = found.next().unwrap_or_else(|| panic!("{file} {conn} has no message {ty}"));
    conversation.server.bytes[range].to_vec()
}

fn client_bytes(file: &str, conn: &str, ty: u16) -> Vec<u8> {
    let conversation = conversation(file, conn);
    let link = Link::whole(&conversation);
    let mut found = link.client_packets().filter(|(packet, _)| packet.message.wire_type() == ty);
    let (_, range) = found.next().unwrap_or_else(|| panic!("{file} {conn} has no message {ty}"));
    conversation.client.bytes[range].to_vec()
}

/// A message behind the mini header that announces it.
fn framed(ty: u16, message: &impl Encode) -> Vec<u8> {
    let body = message.to_vec().unwrap();
    [&ty.to_le_bytes()[..], &u32::try_from(body.len()).unwrap().to_le_bytes(), &body].concat()
}

#[track_caller]
fn assert_server(file: &str, conn: &str, message: &ServerMessage) {
    assert_eq!(framed(message.wire_type(), message), server_bytes(file, conn, message.wire_type()), "{message:?}");
}

#[track_caller]
fn assert_client(file: &str, conn: &str, message: &ClientMessage) {
    assert_eq!(framed(message.wire_type(), message), client_bytes(file, conn, message.wire_type()), "{message:?}");
}

const SOURCE: &str = "client->source#main";
const TARGET: &str = "client->target#main";

fn destination(tls_port: u16, cert_subject: Option<&str>) -> DstInfo {
    DstInfo::new("127.0.0.1", Port::from_wire(15931), Port::from_wire(tls_port), cert_subject).unwrap()
}

#[test]
fn a_destination_with_everything() {
    let dst = destination(15933, Some("C=XX,O=Test,CN=target.example"));
    let begin = ServerMessage::MigrateBeginSeamless(MigrateBeginSeamless::new(dst, 1));
    assert_server("09-tls-port-and-cert-subject", SOURCE, &begin);
}

#[test]
fn an_absent_port_is_sent_as_zero() {
    // The real server sends 65535 for it; all else is the same.
    for (file, message, tls_port) in [
        ("01-semi-seamless", ServerMessage::MigrateBegin(destination(65535, None)), 8..10),
        ("03a-connect-error-switch-host", ServerMessage::MigrateSwitchHost(destination(0, None)), 8..10),
        (
            "02-seamless",
            ServerMessage::MigrateBeginSeamless(MigrateBeginSeamless::new(destination(65535, None), 1)),
            8..10,
        ),
    ] {
        let mut captured = server_bytes(file, SOURCE, message.wire_type());
        assert_eq!(captured[tls_port.clone()], [0xff, 0xff], "{file}");
        captured[tls_port].fill(0);
        assert_eq!(framed(message.wire_type(), &message), captured, "{file}");
    }
}

#[test]
fn session_messages() {
    let file = "01-semi-seamless";
    assert_server(
        file,
        SOURCE,
        &ServerMessage::Init(Init {
            session_id: 0xa390_d33c,
            display_channels_hint: 1,
            supported_mouse_modes: 1,
            current_mouse_mode: 1,
            agent_connected: 0,
            agent_tokens: 10,
            multi_media_time: 816_354,
            ram_hint: 50_323_456,
        }),
    );
    assert_server(file, SOURCE, &ServerMessage::Name(Name { name: Bytes::from_static(b"src\0") }));
    let uuid = 0x1111_1111_2222_3333_4444_5555_5555_5555_u128.to_be_bytes();
    assert_server(file, SOURCE, &ServerMessage::Uuid(Uuid { uuid }));
    let kinds = [ChannelType::DISPLAY, ChannelType::CURSOR, ChannelType::INPUTS];
    let list = ChannelsList::from_iter(kinds.map(|ty| ChannelId::new(ty, 0)));
    assert_server(file, SOURCE, &ServerMessage::ChannelsList(list));
    let notify = Notify {
        time_stamp: 0xbe_4831_3637,
        severity: 1,
        visibility: 2,
        what: 0,
        message: Bytes::from_static(b"keyboard channel is insecure"),
        terminated: true,
    };
    assert_server(file, SOURCE, &ServerMessage::Notify(notify));
    let ping = Ping { id: 1, timestamp: 0x30ae_af2c, padding: Bytes::new() };
    assert_client(file, SOURCE, &ClientMessage::Pong(ping.pong()));
    assert_server(file, SOURCE, &ServerMessage::Ping(ping));
    assert_client(file, SOURCE, &ClientMessage::Pong(Pong { id: 1, timestamp: 0x30ae_af2c }));
    assert_client(file, SOURCE, &ClientMessage::AttachChannels);
}

#[test]
fn migration_messages() {
    assert_client("01-semi-seamless", SOURCE, &ClientMessage::MigrateConnected);
    assert_server("01-semi-seamless", SOURCE, &ServerMessage::MigrateEnd);
    assert_client("01-semi-seamless", TARGET, &ClientMessage::MigrateEnd);
    assert_client("03a-connect-error-switch-host", SOURCE, &ClientMessage::MigrateConnectError);
    assert_server("04a-cancel-after-connected-semi", SOURCE, &ServerMessage::MigrateCancel);
    assert_server("12-seamless-nack", TARGET, &ServerMessage::DstSeamlessNack);

    let file = "02-seamless";
    assert_client(file, TARGET, &ClientMessage::MigrateDstDoSeamless(DoSeamless { src_version: 1 }));
    assert_server(file, TARGET, &ServerMessage::DstSeamlessAck);
    assert_client(file, SOURCE, &ClientMessage::MigrateConnectedSeamless);
    let flags = MigrateFlags::NEED_FLUSH | MigrateFlags::NEED_DATA_TRANSFER;
    assert_server(file, SOURCE, &ServerMessage::Migrate(Migrate { flags }));
    assert_client(file, SOURCE, &ClientMessage::MigrateFlushMark);
    let mut state = b"MNMD\x01\0\0\0\x01\0\0\0".to_vec();
    state.resize(65, 0);
    let data = MigrateData { data: Bytes::from(state) };
    assert_server(file, SOURCE, &ServerMessage::MigrateData(data.clone()));
    assert_client(file, TARGET, &ClientMessage::MigrateData(data));
    assert_server(file, TARGET, &ServerMessage::MultiMediaTime(MultiMediaTime { time: 838_776 }));

    let indicator = QualityIndicator { data: Bytes::from_static(b"x") };
    assert_client("16-unsolicited-connected", SOURCE, &ClientMessage::QualityIndicator(indicator));
}

#[test]
fn link_messages() {
    // What spice-gtk announces: without AUTH_SPICE.
    let common = CommonCaps::AUTH_SELECTION | CommonCaps::AUTH_SASL | CommonCaps::MINI_HEADER;
    let caps = Capabilities::from(MainCaps::from_bits_retain(0xf));
    let captured = conversation("01-semi-seamless", SOURCE);
    let mess = LinkMess::new(0, ChannelId::MAIN, common, caps.clone());
    assert_eq!(mess.to_vec().unwrap(), captured.client.bytes[..42]);

    let key = PublicKey(captured.server.bytes[20..182].try_into().unwrap());
    let common = CommonCaps::AUTH_SELECTION | CommonCaps::AUTH_SPICE | CommonCaps::MINI_HEADER;
    let reply = LinkReply::accept(key, common, caps);
    assert_eq!(reply.to_vec().unwrap(), captured.server.bytes[..202]);
    assert_eq!(LinkResult { error: LinkError::OK }.to_vec().unwrap(), captured.server.bytes[202..206]);

    let refused = conversation("09-tls-port-and-cert-subject", TARGET);
    assert_eq!(LinkReply::refuse(LinkError::NEED_SECURED).to_vec().unwrap(), refused.server.bytes);
    let denied = conversation("05b-ticket-wrong-on-target", TARGET);
    let result = LinkResult { error: LinkError::PERMISSION_DENIED };
    assert_eq!(result.to_vec().unwrap(), denied.server.bytes[denied.server.bytes.len() - 4..]);
}

/// Connections that are told what to send say exactly what the real programs said; serials they count themselves.
#[test]
fn connections_speak_as_the_real_programs() {
    for file in ["02-seamless", "14a-old-client-full-header-no-caps"] {
        let captured = conversation(file, SOURCE);
        let link = Link::whole(&captured);

        let mut client = ClientConnection::new(
            7,
            ChannelId::MAIN,
            CommonCaps::empty(),
            Capabilities::default(),
            SpiceLimits::DEFAULT,
        );
        let mut up = BytesMut::new();
        for (item, _) in link.client.items {
            let item = match item {
                ClientItem::Message(packet) => ClientItem::Message(Packet { serial: None, ..packet }),
                other => other,
            };
            client.encode_item(&item, &mut up).unwrap();
            if matches!(item, ClientItem::Link(_)) {
                client.receive(&captured.server.bytes);
                while client.next_event().unwrap().is_some() {}
            }
        }
        assert_eq!(up, captured.client.bytes, "{file}");

        let mut server = ServerConnection::new(SpiceLimits::DEFAULT);
        let mut down = BytesMut::new();
        server.receive(&captured.client.bytes);
        for (item, _) in link.server.items {
            while server.next_event().unwrap().is_some() {}
            let item = match item {
                ServerItem::Message(packet) => ServerItem::Message(Packet { serial: None, ..packet }),
                other => other,
            };
            server.encode_item(&item, &mut down).unwrap();
        }
        assert_eq!(down, captured.server.bytes, "{file}");
    }
}
