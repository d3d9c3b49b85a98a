//! What is in the vectors: the order of the messages, their numbers, their fields.

use super::link::Link;
use super::{conversation, conversations};
use handover::spice::link::{LinkMess, LinkReply, PublicKey};
use handover::spice::stream::{ClientItem, ServerItem};
use handover::spice::{
    ChannelId, ChannelType, ClientMessage, LinkError, MigrateFlags, MouseModes, Packet, ServerMessage,
};
use handover::wire::Encode;
use std::collections::BTreeMap;

/// The link stage, as all of these connections have it.
const CLIENT_LINK: [&str; 3] = ["LinkMess", "AuthMechanism", "Ticket"];
const SERVER_LINK: [&str; 2] = ["LinkReply", "LinkResult"];
/// What a new session begins with, behind it.
const CLIENT_SESSION: [&str; 6] = [
    "SPICE_MSGC_MAIN_ATTACH_CHANNELS",
    "SPICE_MSGC_PONG",
    "SPICE_MSGC_PONG",
    "SPICE_MSGC_PONG",
    "SPICE_MSGC_PONG",
    "SPICE_MSGC_PONG",
];
const SERVER_SESSION: [&str; 7] = [
    "SPICE_MSG_MAIN_INIT",
    "SPICE_MSG_MAIN_NAME",
    "SPICE_MSG_MAIN_UUID",
    "SPICE_MSG_PING",
    "SPICE_MSG_PING",
    "SPICE_MSG_PING",
    "SPICE_MSG_MAIN_CHANNELS_LIST",
];
/// The pair of pings that follows, before or behind the notification.
const NOTIFY_PINGS: [&str; 3] = ["SPICE_MSG_NOTIFY", "SPICE_MSG_PING", "SPICE_MSG_PING"];
const PINGS_NOTIFY: [&str; 3] = ["SPICE_MSG_PING", "SPICE_MSG_PING", "SPICE_MSG_NOTIFY"];

fn assert_sequence(file: &str, conn: &str, client: &[&[&str]], server: &[&[&str]]) {
    let link = Link::whole(&conversation(file, conn));
    assert_eq!(link.client_names(), [&CLIENT_LINK, &client.concat()[..]].concat(), "{file} {conn} c2s");
    assert_eq!(link.server_names(), [&SERVER_LINK, &server.concat()[..]].concat(), "{file} {conn} s2c");
}

#[test]
fn semi_seamless_in_order() {
    assert_sequence(
        "01-semi-seamless",
        "client->source#main",
        &[&CLIENT_SESSION, &["SPICE_MSGC_MAIN_MIGRATE_CONNECTED"]],
        &[&SERVER_SESSION, &PINGS_NOTIFY, &["SPICE_MSG_MAIN_MIGRATE_BEGIN", "SPICE_MSG_MAIN_MIGRATE_END"]],
    );
    assert_sequence(
        "01-semi-seamless",
        "client->target#main",
        &[&["SPICE_MSGC_MAIN_MIGRATE_END", "SPICE_MSGC_PONG", "SPICE_MSGC_PONG"]],
        &[&["SPICE_MSG_MAIN_INIT"], &NOTIFY_PINGS],
    );
}

#[test]
fn seamless_in_order() {
    assert_sequence(
        "02-seamless",
        "client->source#main",
        &[&CLIENT_SESSION, &["SPICE_MSGC_MAIN_MIGRATE_CONNECTED_SEAMLESS", "SPICE_MSGC_MIGRATE_FLUSH_MARK"]],
        &[
            &SERVER_SESSION,
            &NOTIFY_PINGS,
            &["SPICE_MSG_MAIN_MIGRATE_BEGIN_SEAMLESS", "SPICE_MSG_MIGRATE", "SPICE_MSG_MIGRATE_DATA"],
        ],
    );
    assert_sequence(
        "02-seamless",
        "client->target#main",
        &[&[
            "SPICE_MSGC_MAIN_MIGRATE_DST_DO_SEAMLESS",
            "SPICE_MSGC_MIGRATE_DATA",
            "SPICE_MSGC_PONG",
            "SPICE_MSGC_PONG",
        ]],
        &[&[
            "SPICE_MSG_MAIN_MIGRATE_DST_SEAMLESS_ACK",
            "SPICE_MSG_PING",
            "SPICE_MSG_PING",
            "SPICE_MSG_MAIN_MULTI_MEDIA_TIME",
        ]],
    );
}

#[test]
fn switch_host_in_order() {
    assert_sequence(
        "03a-connect-error-switch-host",
        "client->source#main",
        &[&CLIENT_SESSION, &["SPICE_MSGC_MAIN_MIGRATE_CONNECT_ERROR"]],
        &[
            &SERVER_SESSION,
            &NOTIFY_PINGS,
            &["SPICE_MSG_MAIN_MIGRATE_BEGIN_SEAMLESS", "SPICE_MSG_MAIN_MIGRATE_SWITCH_HOST"],
        ],
    );
    assert_sequence(
        "03a-connect-error-switch-host",
        "client->target#main",
        &[&CLIENT_SESSION],
        &[&SERVER_SESSION, &NOTIFY_PINGS],
    );
}

#[test]
fn seamless_refused_in_order() {
    assert_sequence(
        "12-seamless-nack",
        "client->source#main",
        &[&CLIENT_SESSION, &["SPICE_MSGC_MAIN_MIGRATE_CONNECTED"]],
        &[&SERVER_SESSION, &NOTIFY_PINGS, &["SPICE_MSG_MAIN_MIGRATE_BEGIN_SEAMLESS", "SPICE_MSG_MAIN_MIGRATE_END"]],
    );
    assert_sequence(
        "12-seamless-nack",
        "client->target#main",
        &[&[
            "SPICE_MSGC_MAIN_MIGRATE_DST_DO_SEAMLESS",
            "SPICE_MSGC_PONG",
            "SPICE_MSGC_PONG",
            "SPICE_MSGC_MAIN_MIGRATE_END",
        ]],
        &[&[
            "SPICE_MSG_MAIN_MIGRATE_DST_SEAMLESS_NACK",
            "SPICE_MSG_PING",
            "SPICE_MSG_PING",
            "SPICE_MSG_MAIN_INIT",
            "SPICE_MSG_NOTIFY",
        ]],
    );
}

/// How many messages of each type a file has, as an independent decoder counted them when it was recorded.
struct Counts {
    file: &'static str,
    server: &'static [(u16, usize)],
    client: &'static [(u16, usize)],
}

const COUNTS: [Counts; 5] = [
    Counts {
        file: "01-semi-seamless",
        server: &[(4, 7), (7, 2), (101, 1), (103, 2), (104, 1), (112, 1), (113, 1), (114, 1)],
        client: &[(3, 7), (102, 1), (104, 1), (109, 1)],
    },
    Counts {
        file: "02-seamless",
        server: &[(1, 1), (2, 1), (4, 7), (7, 1), (103, 1), (104, 1), (106, 1), (113, 1), (114, 1), (116, 1), (117, 1)],
        client: &[(3, 7), (4, 1), (5, 1), (104, 1), (110, 1), (111, 1)],
    },
    Counts {
        file: "03a-connect-error-switch-host",
        server: &[(4, 10), (7, 2), (103, 2), (104, 2), (111, 1), (113, 2), (114, 2), (116, 1)],
        client: &[(3, 10), (103, 1), (104, 2)],
    },
    Counts {
        file: "12-seamless-nack",
        server: &[(4, 7), (7, 2), (103, 2), (104, 1), (112, 1), (113, 1), (114, 1), (116, 1), (118, 1)],
        client: &[(3, 7), (102, 1), (104, 1), (109, 1), (110, 1)],
    },
    Counts {
        file: "14a-old-client-full-header-no-caps",
        server: &[(4, 5), (103, 1), (104, 1), (111, 1)],
        client: &[(3, 5), (104, 1)],
    },
];

#[test]
fn as_many_messages_as_were_recorded() {
    for Counts { file, server, client } in COUNTS {
        let (mut up, mut down) = (BTreeMap::new(), BTreeMap::new());
        for conversation in conversations(file) {
            let link = Link::whole(&conversation);
            link.client_packets().for_each(|(packet, _)| *up.entry(packet.message.wire_type()).or_default() += 1);
            link.server_packets().for_each(|(packet, _)| *down.entry(packet.message.wire_type()).or_default() += 1);
        }
        assert_eq!(down, BTreeMap::from_iter(server.iter().copied()), "{file} s2c");
        assert_eq!(up, BTreeMap::from_iter(client.iter().copied()), "{file} c2s");
    }
}

fn server_messages(file: &str, conn: &str, ty: u16) -> Vec<Packet<ServerMessage>> {
    let link = Link::whole(&conversation(file, conn));
    let packets = link.server_packets().filter(|(packet, _)| packet.message.wire_type() == ty);
    packets.map(|(packet, _)| packet.clone()).collect()
}

fn client_messages(file: &str, conn: &str, ty: u16) -> Vec<Packet<ClientMessage>> {
    let link = Link::whole(&conversation(file, conn));
    let packets = link.client_packets().filter(|(packet, _)| packet.message.wire_type() == ty);
    packets.map(|(packet, _)| packet.clone()).collect()
}

fn link_mess(file: &str, conn: &str) -> LinkMess {
    let link = Link::whole(&conversation(file, conn));
    match link.client.items.into_iter().next() {
        Some((ClientItem::Link(mess), _)) => mess,
        other => panic!("{file} {conn} begins with {other:?}"),
    }
}

fn link_replies(file: &str, conn: &str) -> Vec<LinkReply> {
    let link = Link::whole(&conversation(file, conn));
    let replies = link.server.items.into_iter().filter_map(|(item, _)| match item {
        ServerItem::Reply(reply) => Some(reply),
        _ => None,
    });
    replies.collect()
}

#[test]
fn link_stage_of_the_real_programs() {
    let mess = link_mess("01-semi-seamless", "client->source#main");
    assert_eq!((mess.minor(), mess.connection_id(), mess.channel()), (2, 0, ChannelId::MAIN));
    assert_eq!((mess.common_caps().0.as_slice(), mess.channel_caps().0.as_slice()), (&[0x0d][..], &[0x0f][..]));
    // The target's link names the session.
    assert_eq!(link_mess("01-semi-seamless", "client->target#main").connection_id(), 0xa390_d33c);
    assert_eq!(link_mess("17-link-errors", "client->source#main.4").minor(), 99);
    assert_eq!(link_mess("17-link-errors", "client->source#main.19").channel(), ChannelId::new(ChannelType::MAIN, 7));
    assert_eq!(link_mess("17-link-errors", "client->source#main.21").connection_id(), 0x1234);
    let bare = link_mess("17-link-errors", "client->source#main.10");
    assert!(bare.common_caps().0.is_empty() && bare.channel_caps().0.is_empty());

    let [reply] = &link_replies("01-semi-seamless", "client->source#main")[..] else { panic!("one reply") };
    assert_eq!((reply.minor(), reply.error()), (2, LinkError::OK));
    assert_eq!((reply.common_caps().0.as_slice(), reply.channel_caps().0.as_slice()), (&[0x0b][..], &[0x0f][..]));
    assert_eq!(reply.public_key().0[..8], [0x30, 0x81, 0x9f, 0x30, 0x0d, 0x06, 0x09, 0x2a]);
    assert_eq!(reply.public_key().0[157..], [2, 3, 1, 0, 1]);
}

#[test]
fn link_errors_of_the_real_server() {
    for (file, conn, errors) in [
        ("09-tls-port-and-cert-subject", "client->target#main", &[LinkError::NEED_SECURED][..]),
        ("17-link-errors", "client->source#?", &[LinkError::INVALID_MAGIC]),
        ("17-link-errors", "client->source#main", &[LinkError::VERSION_MISMATCH]),
        ("17-link-errors", "client->source#main.3", &[]),
        ("17-link-errors", "client->source#main.6", &[LinkError::INVALID_DATA]),
        // The second one stands where the result would.
        ("17-link-errors", "client->source#main.16", &[LinkError::OK, LinkError::INVALID_DATA]),
        ("17-link-errors", "client->source#main.18", &[LinkError::OK, LinkError::INVALID_DATA]),
    ] {
        let replies = link_replies(file, conn);
        assert_eq!(replies.iter().map(LinkReply::error).collect::<Vec<_>>(), errors, "{file} {conn}");
        for refused in replies.iter().filter(|reply| reply.error() != LinkError::OK) {
            assert_eq!(refused.public_key(), PublicKey::ZERO, "{file} {conn}");
        }
    }
    let link = Link::whole(&conversation("05b-ticket-wrong-on-target", "client->target#main"));
    let Some((ServerItem::Result(result), _)) = link.server.items.last() else { panic!("a result") };
    assert_eq!(result.error, LinkError::PERMISSION_DENIED);
}

#[test]
fn destinations() {
    let [begin] = &server_messages("01-semi-seamless", "client->source#main", 101)[..] else { panic!("one BEGIN") };
    let ServerMessage::MigrateBegin(dst) = &begin.message else { panic!("{begin:?}") };
    assert_eq!((dst.port().wire(), dst.port().get().map(u16::from)), (15931, Some(15931)));
    assert_eq!((dst.tls_port().wire(), dst.tls_port().get()), (65535, None));
    assert_eq!((dst.host(), dst.cert_subject()), (&b"127.0.0.1"[..], None));
    assert!(begin.extra.is_empty());

    let [begin] = &server_messages("02-seamless", "client->source#main", 116)[..] else { panic!("one BEGIN") };
    let ServerMessage::MigrateBeginSeamless(begin) = &begin.message else { panic!("{begin:?}") };
    let dst = begin.dst();
    assert_eq!((dst.port().wire(), dst.tls_port().wire(), begin.src_mig_version()), (15931, 65535, 1));
    assert_eq!((dst.host(), dst.cert_subject()), (&b"127.0.0.1"[..], None));

    let file = "09-tls-port-and-cert-subject";
    let [begin] = &server_messages(file, "client->source#main", 116)[..] else { panic!("one BEGIN") };
    let ServerMessage::MigrateBeginSeamless(begin) = &begin.message else { panic!("{begin:?}") };
    let dst = begin.dst();
    assert_eq!((dst.port().wire(), dst.tls_port().wire(), begin.src_mig_version()), (15931, 15933, 1));
    assert_eq!(dst.host(), b"127.0.0.1");
    assert_eq!(dst.cert_subject(), Some(&b"C=XX,O=Test,CN=target.example"[..]));

    // With a full header.
    let file = "14a-old-client-full-header-no-caps";
    let [switch] = &server_messages(file, "client->source#main", 111)[..] else { panic!("one SWITCH_HOST") };
    let ServerMessage::MigrateSwitchHost(dst) = &switch.message else { panic!("{switch:?}") };
    assert_eq!((dst.port().wire(), dst.tls_port().wire(), dst.host()), (15931, 65535, &b"127.0.0.1"[..]));
    assert_eq!((switch.serial, switch.sub_list), (Some(8), 0));
}

#[test]
fn destinations_that_are_not_canonical() {
    let file = "34d-fake-begin-host-without-nul";
    let [begin] = &server_messages(file, "client->fake-source#main", 101)[..] else { panic!("one BEGIN") };
    let ServerMessage::MigrateBegin(dst) = &begin.message else { panic!("{begin:?}") };
    assert_eq!((dst.host(), dst.encoded_len()), (&b"127.0.0.1"[..], 29));

    let file = "34g-fake-begin-trailing-bytes";
    let [begin] = &server_messages(file, "client->fake-source#main", 101)[..] else { panic!("one BEGIN") };
    let ServerMessage::MigrateBegin(dst) = &begin.message else { panic!("{begin:?}") };
    assert_eq!((dst.host(), &begin.extra[..]), (&b"127.0.0.1"[..], &b"tail-tail-tail"[..]));
}

#[test]
fn session_messages() {
    let (file, conn) = ("01-semi-seamless", "client->source#main");
    let [init] = &server_messages(file, conn, 103)[..] else { panic!("one INIT") };
    let ServerMessage::Init(init) = init.message else { panic!("{init:?}") };
    assert_eq!((init.session_id, init.display_channels_hint), (0xa390_d33c, 1));
    let server_mode = u32::from(MouseModes::SERVER.bits());
    assert_eq!((init.supported_mouse_modes, init.current_mouse_mode), (server_mode, server_mode));
    assert_eq!((init.agent_connected, init.agent_tokens), (0, 10));
    assert_eq!((init.multi_media_time, init.ram_hint), (816_354, 50_323_456));

    let [notify] = &server_messages(file, conn, 7)[..] else { panic!("one NOTIFY") };
    let ServerMessage::Notify(text) = &notify.message else { panic!("{notify:?}") };
    assert_eq!((text.time_stamp, text.severity, text.visibility, text.what), (0xbe_4831_3637, 1, 2, 0));
    assert_eq!((&text.message[..], text.terminated), (&b"keyboard channel is insecure"[..], true));
    assert!(notify.extra.is_empty());

    let pings = server_messages(file, conn, 4);
    let padding = pings.iter().map(|ping| match &ping.message {
        ServerMessage::Ping(ping) => (ping.id, ping.padding.len()),
        other => panic!("{other:?}"),
    });
    let again = 1_804_289_383;
    assert_eq!(padding.collect::<Vec<_>>(), [(1, 0), (2, 0), (3, 256_000), (again, 0), (again, 0)]);
    let Some(ServerMessage::Ping(net_test)) = pings.get(2).map(|ping| &ping.message) else { panic!("{pings:?}") };
    assert!(net_test.padding.iter().all(|&byte| byte == 0));
    // Each is answered with its own number and time.
    let pongs: Vec<_> = client_messages(file, conn, 3).into_iter().map(|pong| pong.message).collect();
    let expected = pings.iter().map(|ping| match &ping.message {
        ServerMessage::Ping(ping) => ClientMessage::Pong(ping.pong()),
        other => panic!("{other:?}"),
    });
    assert_eq!(pongs, expected.collect::<Vec<_>>());

    let [list] = &server_messages(file, conn, 104)[..] else { panic!("one CHANNELS_LIST") };
    let ServerMessage::ChannelsList(list) = &list.message else { panic!("{list:?}") };
    let kinds = [ChannelType::DISPLAY, ChannelType::CURSOR, ChannelType::INPUTS];
    assert_eq!(list.iter().collect::<Vec<_>>(), kinds.map(|ty| ChannelId::new(ty, 0)));
}

#[test]
fn migration_data_goes_through_the_client_unchanged() {
    let from = server_messages("02-seamless", "client->source#main", 2);
    let to = client_messages("02-seamless", "client->target#main", 5);
    let ([from], [to]) = (&from[..], &to[..]) else { panic!("one each") };
    let (ServerMessage::MigrateData(from), ClientMessage::MigrateData(to)) = (&from.message, &to.message) else {
        panic!("{from:?} {to:?}")
    };
    assert_eq!((from, from.data.len(), &from.data[..4]), (to, 65, &b"MNMD"[..]));
    let [migrate] = &server_messages("02-seamless", "client->source#main", 1)[..] else { panic!("one MIGRATE") };
    let ServerMessage::Migrate(migrate) = migrate.message else { panic!("{migrate:?}") };
    assert_eq!(migrate.flags, MigrateFlags::NEED_FLUSH | MigrateFlags::NEED_DATA_TRANSFER);
}

#[test]
fn messages_count_from_one() {
    // With full headers the numbers stand in the stream, with mini headers the decoder counts.
    for file in ["14a-old-client-full-header-no-caps", "01-semi-seamless"] {
        let link = Link::whole(&conversation(file, "client->source#main"));
        let up: Vec<_> = link.client_packets().map(|(packet, _)| packet.serial).collect();
        let down: Vec<_> = link.server_packets().map(|(packet, _)| packet.serial).collect();
        for serials in [up, down] {
            assert!(serials.len() > 5, "{file}");
            assert_eq!(serials, (1..).map(Some).take(serials.len()).collect::<Vec<_>>(), "{file}");
        }
    }
}
