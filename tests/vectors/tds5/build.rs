//! The same logins, commands and answers through the public API give the captured bytes.

use super::link::items;
use super::{LIMITS, conversation};
use bytes::BytesMut;
use handover::tds5::PacketType;
use handover::tds5::capability::{Capabilities, CapabilityType, Mask};
use handover::tds5::connection::{ClientConnection, Item, ServerConnection};
use handover::tds5::login::{Login, LoginRecord};
use handover::tds5::migration::{Migration, Options};
use handover::tds5::token::{
    DataType, Done, EnvironmentChange, EnvironmentKind, Language, LoginAck, LoginStatus, Token, TransactionState,
};
use handover::tds5::{DoneStatus, SessionId};
use handover::wire::ByteOrder;

/// The options that give what the scripted server sent: session ids as BINARY.
fn options() -> Options {
    let mut options = Options::DEFAULT;
    options.session_id_type = DataType::BINARY;
    options
}

#[test]
fn a_client_says_it_from_scratch() {
    let masks = [
        (CapabilityType::REQUEST, &b"\0\0\x60\x08\x81\x81\xe8\x0f\x6d\x7f\xff\xff\xff\xfe"[..]),
        (CapabilityType::RESPONSE, b"\0\0\0\0\0\0\0\0\0\x02\x68\0\0\0"),
    ];
    let capabilities: Capabilities = masks.into_iter().map(|(ty, mask)| (ty, Mask::new(mask).unwrap())).collect();
    for (file, user, password, process, packet_size) in [
        ("login_default.jsonl", &b"sa"[..], &b"secret"[..], 13757, 512),
        ("login_emptypw.jsonl", b"guest", b"", 13942, 16384),
        ("login_longuser.jsonl", b"abcdefghijklmnopqrstuvwxyz0123", b"p", 13878, 2048),
    ] {
        let record = LoginRecord::new(ByteOrder::Little)
            .with_user(user, password)
            .and_then(|record| record.with_host(b"vm", process))
            .and_then(|record| record.with_names(b"TSQL", b"fake"))
            .and_then(|record| record.with_program(b"TDS-Librar", [5, 0, 0, 0]))
            .and_then(|record| record.with_locale(b"us_english", b""))
            .and_then(|record| record.with_packet_size(packet_size))
            .unwrap();
        let login = Login { record: Box::new(record), capabilities: capabilities.clone(), extra: Vec::new() };
        let mut client = ClientConnection::new(LIMITS, Options::DEFAULT);
        let mut bytes = BytesMut::new();
        client.login(&login, &mut bytes).unwrap();
        for command in ["select @@spid ", "select 1\n", "select 2\n"] {
            client.token(PacketType::NORMAL, &Language::new(command).into(), &mut bytes).unwrap();
            client.end(&mut bytes);
        }
        client.logout(&mut bytes).unwrap();
        assert_eq!(bytes, conversation(file).client.bytes, "{file}");
    }
}

#[test]
fn a_server_says_it_from_scratch() {
    let request = Mask::new(&b"\0\0\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"[..]).unwrap();
    let granted = Capabilities::new(&request, &Mask::zero(14));
    let done = |status| Token::from(Done { status, transaction: TransactionState::NONE, ..Done::FINAL });
    let ack = LoginAck::new(LoginStatus::SUCCEED, "fakeserver", [15, 0, 0, 0]);
    let size = EnvironmentChange::new(EnvironmentKind::PACKET_SIZE, b"2048", b"512").unwrap();
    let id = SessionId::new([0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6]).unwrap();
    for (file, id) in [("login_default.jsonl", None), ("login_ha_inline.jsonl", Some(id))] {
        let mut server = ServerConnection::new(LIMITS, options());
        let mut bytes = BytesMut::new();
        if id.is_none() {
            server.token(&size.clone().into(), &mut bytes).unwrap();
        }
        server.token(&ack.clone().into(), &mut bytes).unwrap();
        if let Some(id) = id {
            server.session_id(id, &mut bytes).unwrap();
        }
        server.token(&granted.clone().into(), &mut bytes).unwrap();
        for status in
            [DoneStatus::empty(), DoneStatus::COUNT, DoneStatus::COUNT, DoneStatus::COUNT, DoneStatus::empty()]
        {
            server.token(&done(status), &mut bytes).unwrap();
            server.end(&mut bytes);
        }
        assert_eq!(bytes, conversation(file).server.bytes, "{file}");
    }
}

/// Connections that are told what to send say exactly what the captured programs said.
#[test]
fn connections_repeat_what_they_heard() {
    for file in ["login_default.jsonl", "login_emptypw.jsonl", "login_longuser.jsonl", "login_ha_inline.jsonl"] {
        let conversation = conversation(file);
        let [from_client, from_server] = items(&conversation, usize::MAX);
        let mut client = ClientConnection::new(LIMITS, options());
        let mut bytes = BytesMut::new();
        from_client.iter().for_each(|item| client.encode_item(item, &mut bytes).unwrap());
        assert_eq!(bytes, conversation.client.bytes, "{file}");
        let mut server = ServerConnection::new(LIMITS, options());
        let mut bytes = BytesMut::new();
        from_server.iter().for_each(|item| server.encode_item(item, &mut bytes).unwrap());
        assert_eq!(bytes, conversation.server.bytes, "{file}");
    }
}

/// The exchange of mig_exchange, but for what is not sent so: RESUME, the last FAIL and the last REQ in other types.
#[test]
fn the_exchange_said_anew() {
    let conversation = conversation("mig_exchange.pcap");
    let [from_client, from_server] = items(&conversation, usize::MAX);
    let mut client = ClientConnection::new(LIMITS, options());
    let mut bytes = BytesMut::new();
    for item in from_client.iter().take_while(|item| !matches!(item, Item::Migration(Migration::Resume))) {
        client.encode_item(item, &mut bytes).unwrap();
    }
    let (same, rest) = conversation.client.bytes.split_at(bytes.len());
    assert_eq!(bytes, same);
    assert_eq!(rest[..13], *b"\x0f\x01\0\x0d\0\0\0\0\x65\x03\0\x17\0");
    // RESUME goes in type 17 unless it is told otherwise.
    bytes.clear();
    client.migration(&Migration::Resume, &mut bytes).unwrap();
    assert_eq!(bytes, [&[17], &rest[1..13]].concat());
    let mut other = options();
    other.migrate_packets = false;
    let mut client = ClientConnection::new(LIMITS, other);
    bytes.clear();
    for item in from_client.iter().skip_while(|item| !matches!(item, Item::Migration(Migration::Resume))) {
        client.encode_item(item, &mut bytes).unwrap();
    }
    assert_eq!(bytes, rest);

    let mut server = ServerConnection::new(LIMITS, options());
    let mut bytes = BytesMut::new();
    let before_last = from_server.iter().rposition(|item| matches!(item, Item::Migration(_))).unwrap();
    from_server[..before_last].iter().for_each(|item| server.encode_item(item, &mut bytes).unwrap());
    assert_eq!(bytes, conversation.server.bytes[..bytes.len()]);
    assert_eq!(conversation.server.bytes[bytes.len()], PacketType::RESPONSE.0);
}
