//! What is in the vectors.

use super::link::{Direction, items, pieces, stream};
use super::{FILES, conversation};
use handover::tds5::PacketType;
use handover::tds5::capability::{Capabilities, CapabilityType, RequestCapability, ResponseCapability};
use handover::tds5::connection::Item;
use handover::tds5::login::{HaLogin, Login, SecurityLogin};
use handover::tds5::migration::{Address, FailReason, Migration, Request};
use handover::tds5::stream::Piece;
use handover::tds5::token::{
    DataType, Done, DoneKind, EnvironmentKind, Format, LoginStatus, Message, Token, TransactionState,
};
use handover::tds5::{DoneStatus, MessageId, SessionId};
use handover::wire::ByteOrder;

/// What differs between the logins of one client: file, user, password, process and packet size.
type LoginOf = (&'static str, &'static [u8], &'static [u8], &'static [u8], &'static str);

const LOGINS: [LoginOf; 6] = [
    ("login_default.jsonl", b"sa", b"secret", b"13757", "512"),
    ("login_emptypw.jsonl", b"guest", b"", b"13942", "16384"),
    ("login_ha_inline.jsonl", b"sa", b"secret", b"14085", "512"),
    ("login_longuser.jsonl", b"abcdefghijklmnopqrstuvwxyz0123", b"p", b"13878", "2048"),
    ("mig_exchange.pcap", b"sa", b"secret", b"13757", "512"),
    ("query_mig_inresp.jsonl", b"sa", b"secret", b"14254", "512"),
];

fn login(file: &str) -> Login {
    let [from_client, _] = items(&conversation(file), usize::MAX);
    match from_client.into_iter().next() {
        Some(Item::Login(login)) => *login,
        other => panic!("{file} begins with {other:?}"),
    }
}

#[test]
fn login_records() {
    assert_eq!(LOGINS.map(|(file, ..)| file), FILES);
    for (file, user, password, process, packet_size) in LOGINS {
        let record = login(file).record;
        assert_eq!(record.host_name.as_bytes(), b"vm", "{file}");
        assert_eq!(record.user_name.as_bytes(), user, "{file}");
        assert_eq!(record.password.expose(), password, "{file}");
        assert_eq!(record.host_process.as_bytes(), process, "{file}");
        let types =
            [record.int2, record.int4, record.character, record.float8, record.date8, record.float4, record.date4];
        assert_eq!(types, [3, 1, 6, 10, 9, 13, 17], "{file}");
        assert_eq!(record.order(), Ok(ByteOrder::Little));
        assert_eq!((record.use_database_notify, record.dump_load, record.interface_spare), (1, 0, 0), "{file}");
        assert!(record.connection_type.is_empty(), "{file}");
        assert_eq!((record.buffer_size, record.spare), ([0; 4], [0; 3]), "{file}");
        assert_eq!(record.application_name.as_bytes(), b"TSQL", "{file}");
        assert_eq!(record.server_name.as_bytes(), b"fake", "{file}");
        assert!(record.remote_passwords.entries().eq([(&b""[..], password)]), "{file}");
        assert_eq!((record.tds_version, record.program_version), ([5, 0, 0, 0], [5, 0, 0, 0]), "{file}");
        assert_eq!(record.program_name.as_bytes(), b"TDS-Librar", "{file}");
        assert_eq!((record.no_short, record.set_language, record.set_character_set), (0, 0, 1), "{file}");
        assert_eq!(record.language.as_bytes(), b"us_english", "{file}");
        assert_eq!((record.old_secure, record.secure_spare, record.dummy), ([0; 2], [0; 2], [0; 4]), "{file}");
        assert_eq!((record.security_login, record.security_bulk), (SecurityLogin::empty(), 0), "{file}");
        assert_eq!((record.ha_login, record.session_id), (HaLogin::empty(), None), "{file}");
        assert_eq!(record.character_set.as_bytes(), b"", "{file}");
        assert_eq!(record.packet_size.as_bytes(), packet_size.as_bytes(), "{file}");
        assert_eq!(record.packet_size(), packet_size.parse().ok(), "{file}");
    }
}

#[test]
fn the_clients_capabilities() {
    for (file, ..) in LOGINS {
        let login = login(file);
        let capabilities = &login.capabilities;
        let masks: Vec<_> = capabilities.masks().map(|(ty, mask)| (ty, mask.as_bytes().to_vec())).collect();
        assert_eq!(
            masks,
            [
                (CapabilityType::REQUEST, b"\0\0\x60\x08\x81\x81\xe8\x0f\x6d\x7f\xff\xff\xff\xfe".to_vec()),
                (CapabilityType::RESPONSE, b"\0\0\0\0\0\0\0\0\0\x02\x68\0\0\0".to_vec()),
            ],
            "{file}"
        );
        assert!(capabilities.request(RequestCapability::MESSAGE), "{file}");
        assert!(!capabilities.request(RequestCapability::CLUSTER_FAILOVER), "{file}");
        assert!(!capabilities.request(RequestCapability::MIGRATE), "{file}");
        assert!(capabilities.request(RequestCapability::WIDE_TABLES), "{file}");
        let refused = capabilities.mask(CapabilityType::RESPONSE).unwrap();
        let expected = [
            ResponseCapability::NO_OUT_OF_BAND,
            ResponseCapability::NO_TOKENISED_TEXT,
            ResponseCapability::NO_TOKENISED_BULK,
            ResponseCapability::NO_DEBUG,
        ];
        assert!(refused.iter().map(ResponseCapability).eq(expected), "{file}");
        assert!(
            !login.migratable() && !login.wants_session() && login.is_migration().is_none() && login.extra.is_empty()
        );
    }
}

/// What a server's answer to the login says, and what it says to each of four commands.
fn assert_server(file: &str, login: &str, each: [&str; 4]) {
    let [_, from_server] = items(&conversation(file), usize::MAX);
    let names: Vec<_> = from_server
        .iter()
        .map(|item| match item {
            Item::Token(Token::EnvironmentChange(_)) => "ENVCHANGE",
            Item::Token(Token::LoginAck(_)) => "LOGINACK",
            Item::Token(Token::Capability(_)) => "CAPABILITY",
            Item::Token(Token::Done(_)) => "DONE",
            Item::End(_) => ".",
            Item::Migration(migration) => migration.name(),
            other => panic!("{file}: {other:?}"),
        })
        .collect();
    let expected: Vec<_> = login.split(' ').chain(each.iter().flat_map(|answer| answer.split(' '))).collect();
    assert_eq!(names, expected, "{file}");
}

#[test]
fn servers_in_order() {
    let (login, plain) = ("ENVCHANGE LOGINACK CAPABILITY DONE .", ["DONE ."; 4]);
    for file in ["login_default.jsonl", "login_emptypw.jsonl", "login_longuser.jsonl"] {
        assert_server(file, login, plain);
    }
    assert_server("query_mig_inresp.jsonl", login, ["DONE .", "MIG_REQ DONE .", "MIG_REQ DONE .", "DONE ."]);
    let login = "LOGINACK HAFAILOVER CAPABILITY DONE .";
    assert_server("login_ha_inline.jsonl", login, plain);
    assert_server("mig_exchange.pcap", login, ["MIG_REQ .", "MIG_CONT .", "MIG_IGN .", "MIG_REQ DONE ."]);
}

#[test]
fn the_servers_tokens() {
    for (file, ..) in LOGINS {
        let [_, from_server] = items(&conversation(file), usize::MAX);
        let tokens: Vec<&Token> = from_server
            .iter()
            .filter_map(|item| match item {
                Item::Token(token) => Some(token),
                _ => None,
            })
            .collect();
        for token in &tokens {
            match token {
                Token::EnvironmentChange(change) => {
                    assert!(change.iter().eq([(EnvironmentKind::PACKET_SIZE, &b"2048"[..], &b"512"[..])]), "{file}");
                    assert_eq!(change.packet_size(), Some(2048), "{file}");
                }
                Token::LoginAck(ack) => {
                    assert_eq!(
                        (ack.status, ack.status.verdict()),
                        (LoginStatus::SUCCEED, LoginStatus::SUCCEED),
                        "{file}"
                    );
                    assert_eq!((ack.tds_version, ack.program_version), ([5, 0, 0, 0], [15, 0, 0, 0]), "{file}");
                    assert_eq!((&ack.program_name[..], ack.name_length), (&b"fakeserver"[..], 10), "{file}");
                }
                Token::Capability(granted) => assert_granted(file, granted),
                Token::Done(done) => {
                    assert_eq!((done.kind, done.transaction, done.count), (DoneKind::Done, TransactionState::NONE, 0));
                    assert!(done.is_final() && (done.status - DoneStatus::COUNT).is_empty(), "{file}");
                }
                other => panic!("{file}: {other:?}"),
            }
        }
        let counted = |done: &&&Token| matches!(done, Token::Done(Done { status: DoneStatus::COUNT, .. }));
        assert_eq!(tokens.iter().filter(counted).count(), if file.ends_with("pcap") { 1 } else { 3 }, "{file}");
    }
}

/// The server of these files grants what nobody has asked for.
fn assert_granted(file: &str, granted: &Capabilities) {
    let masks: Vec<_> = granted.masks().map(|(ty, mask)| (ty, mask.as_bytes().to_vec())).collect();
    let request = b"\0\0\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe".to_vec();
    assert_eq!(masks, [(CapabilityType::REQUEST, request), (CapabilityType::RESPONSE, vec![0; 14])], "{file}");
    assert!(granted.request(RequestCapability::MIGRATE) && !granted.response(ResponseCapability::NO_MESSAGE), "{file}");
    let asked = login(file).capabilities;
    assert!(!granted.granted(&asked).request(RequestCapability::MIGRATE), "{file}");
}

#[test]
fn the_clients_commands() {
    for (file, ..) in LOGINS.into_iter().filter(|(file, ..)| !file.ends_with("pcap")) {
        let [from_client, _] = items(&conversation(file), usize::MAX);
        let mut said = Vec::new();
        for item in &from_client[1..] {
            match item {
                Item::Token(Token::Language(language)) => {
                    assert_eq!(language.status, 0, "{file}");
                    said.push(String::from_utf8(language.text.to_vec()).unwrap());
                }
                Item::Token(Token::Logout(logout)) => said.push(format!("logout {}", logout.options)),
                Item::End(PacketType::NORMAL) => said.push(".".to_owned()),
                other => panic!("{file}: {other:?}"),
            }
        }
        assert_eq!(said, ["select @@spid ", ".", "select 1\n", ".", "select 2\n", ".", "logout 0", "."], "{file}");
    }
}

fn request() -> Migration {
    let addresses = vec![Address::new("127.0.0.1", 5001).unwrap()];
    Migration::Request(Request { addresses, unreadable: Vec::new() })
}

#[test]
fn migration_messages() {
    let id = SessionId::new([0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6]).unwrap();
    let migrations = |file: &str| {
        items(&conversation(file), usize::MAX).map(|items| {
            let migrations = items.into_iter().filter_map(|item| match item {
                Item::Migration(migration) => Some(migration),
                _ => None,
            });
            migrations.collect::<Vec<_>>()
        })
    };
    let id = Migration::SessionId(Some(id));
    assert_eq!(migrations("login_ha_inline.jsonl"), [vec![], vec![id.clone()]]);
    assert_eq!(migrations("query_mig_inresp.jsonl"), [vec![], vec![request(), request()]]);
    let reason = FailReason { code: None, text: Some("connect falied".to_owned()) };
    assert_eq!(
        migrations("mig_exchange.pcap"),
        [
            vec![Migration::Sync, Migration::Fail(None), Migration::Resume, Migration::Fail(Some(reason))],
            vec![id, request(), Migration::Continue, Migration::Ignore, request()],
        ]
    );
}

#[test]
fn a_session_id_in_its_tokens() {
    let bytes = conversation("login_ha_inline.jsonl").server.bytes;
    let pieces = pieces(stream(Direction::FromServer, ByteOrder::Little), &bytes);
    let at = pieces.iter().position(|piece| matches!(piece, Piece::Token(Token::Message(_)))).unwrap();
    let [Piece::Token(message), Piece::Token(Token::Format(format)), Piece::Token(Token::Params(params))] =
        &pieces[at..at + 3]
    else {
        panic!("MSG, PARAMFMT and PARAMS");
    };
    assert_eq!(*message, Message::new(MessageId::HA_FAILOVER, true).into());
    let format: &Format = format;
    let columns: Vec<_> = format.columns().collect();
    assert_eq!((format.count(), columns.len()), (1, 1));
    let column = &columns[0];
    assert_eq!((column.data_type, column.size, column.status, column.user_type), (DataType::BINARY, &[6][..], 0, 0));
    assert!(column.name.is_empty() && column.locale.is_empty() && column.origin.is_empty());
    let values: Vec<_> = format.values(&params.data).map(|(_, value)| value.data.unwrap().to_vec()).collect();
    assert_eq!(values, [[0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6]]);
}
