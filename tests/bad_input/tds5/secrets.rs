//! Passwords and session ids are in no `Debug` and in no error, whatever state they are in.

use super::{DONE, LIMITS, LOGIN, MIGRATE, NORMAL, RESPONSE, packet, server_stream};
use bytes::{Bytes, BytesMut};
use handover::tds5::connection::{ClientConnection, Item, ServerConnection};
use handover::tds5::login::{Login, LoginRecord, PasswordText, RemotePasswords};
use handover::tds5::migration::{Migration, Options};
use handover::tds5::packet::{Packet, PacketHeader};
use handover::tds5::stream::{Data, MessageStream, Piece, Sender};
use handover::tds5::token::{Column, DataType, Format, FormatKind, Language, Message, Other, Token, Values, walk};
use handover::tds5::{MessageId, PacketType, SessionId, TokenType};
use handover::wire::{ByteOrder, Encode, Framer};
use std::fmt::Debug;

const PASSWORD: &str = "Secr3t-Pa55w0rd";
const ID: [u8; 6] = [0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6];

fn id() -> SessionId {
    SessionId::new(ID).unwrap()
}

/// Not four bytes of a secret may be shown, in any of the ways in which bytes are.
#[track_caller]
fn assert_hidden(what: &str, shown: &str) {
    let shown = shown.to_lowercase().replace(['\n', ' '], "");
    for secret in [PASSWORD.as_bytes(), &ID] {
        for part in secret.windows(4) {
            let join = |each: fn(&u8) -> String, between: &str| part.iter().map(each).collect::<Vec<_>>().join(between);
            for form in [
                String::from_utf8_lossy(part).to_lowercase(),
                join(|byte| format!("{byte:02x}"), ""),
                join(|byte| format!("{byte:x}"), ","),
                join(|byte| format!("0x{byte:02x}"), ","),
                join(|byte| format!("\\x{byte:02x}"), ""),
                join(|byte| byte.to_string(), ","),
            ] {
                assert!(form.contains('\u{fffd}') || !shown.contains(&form), "{what} shows {form}: {shown}");
            }
        }
    }
}

#[track_caller]
fn hidden(value: &impl Debug) {
    let what = std::any::type_name_of_val(value);
    assert_hidden(what, &format!("{value:?}"));
    assert_hidden(what, &format!("{value:#?}"));
}

fn login() -> Login {
    let record =
        LoginRecord::new(ByteOrder::Little).with_user(b"sa", PASSWORD.as_bytes()).unwrap().with_migration(id());
    Login::new(record, true)
}

fn login_message() -> Vec<u8> {
    let mut client = ClientConnection::new(LIMITS, Options::DEFAULT);
    let mut bytes = BytesMut::new();
    client.login(&login(), &mut bytes).unwrap();
    bytes.to_vec()
}

/// MSG 31 with an encrypted password as it were, and its values.
fn parameters() -> Vec<Token> {
    let column = Column::short(DataType::VARBINARY, 255);
    let secrets = [&ID[..], PASSWORD.as_bytes()];
    let values: Vec<u8> =
        secrets.iter().flat_map(|secret| [&[u8::try_from(secret.len()).unwrap()], *secret].concat()).collect();
    vec![
        Message::new(MessageId::SECURITY_LOGIN_PASSWORD_3, true).into(),
        Format::new(FormatKind::Params, ByteOrder::Little, &[column.clone(), column]).unwrap().into(),
        Token::Params(Values { data: values.into() }),
    ]
}

#[test]
fn the_test_itself_finds_what_is_shown() {
    for shown in [
        PASSWORD.to_owned(),
        format!("{:?}", PASSWORD.as_bytes()),
        format!("{:#?}", ID),
        format!("{:x?}", ID),
        format!("{:#x?}", ID),
        format!("{:02X?}", PASSWORD.as_bytes()),
        format!("{:?}", Bytes::from_static(&ID)),
        format!("{:?}", Bytes::from_static(PASSWORD.as_bytes())),
        "A1B2C3D4E5F6".to_owned(),
    ] {
        assert!(std::panic::catch_unwind(|| assert_hidden("", &shown)).is_err(), "{shown}");
    }
}

#[test]
fn values_hide_them() {
    let login = login();
    hidden(&login.record);
    hidden(&login.record.password);
    hidden(&login.record.remote_passwords);
    hidden(&login.record.session_id);
    hidden(&PasswordText::<30>::new(PASSWORD.as_bytes()).unwrap());
    hidden(&RemotePasswords::new([(&b"server"[..], PASSWORD.as_bytes())]).unwrap());
    hidden(&id());
    hidden(&Migration::SessionId(Some(id())));
    hidden(&Item::Migration(Migration::SessionId(Some(id()))));
    hidden(&Item::Login(Box::new(login.clone())));
    hidden(&Piece::Login(login.record.clone()));
    let with_more = Login { extra: parameters(), ..login };
    hidden(&with_more);
    let secret = Bytes::from(PASSWORD);
    hidden(&Item::Data { ty: PacketType::BULK, data: Data(secret.clone()) });
    hidden(&Piece::Data { ty: PacketType::BULK, data: Data(secret.clone()) });
    hidden(&Packet { header: PacketHeader::new(PacketType::LOGIN, true, 15), payload: secret.clone() });
    for token in parameters().into_iter().chain([
        Token::Row(Values { data: Bytes::from(ID.to_vec()) }),
        Token::from(Language::new(format!("sp_password '{PASSWORD}'"))),
        Token::from(Other { ty: TokenType::DYNAMIC, body: secret }),
    ]) {
        hidden(&token);
        hidden(&token.in_order(ByteOrder::Little));
        hidden(&Item::Token(token.clone()));
        hidden(&Piece::Token(token));
    }
    let [_, Token::Format(format), Token::Params(values)] = &parameters()[..] else { panic!() };
    format.values(&values.data).for_each(|value| hidden(&value));
    let tokens: Vec<u8> =
        parameters().iter().flat_map(|token| token.in_order(ByteOrder::Little).to_vec().unwrap()).collect();
    let mut walk = walk(ByteOrder::Little, &tokens);
    hidden(&walk);
    while let Some(raw) = walk.next() {
        hidden(&walk);
        hidden(&raw);
        hidden(&raw.unwrap().decode().unwrap());
    }
}

/// Looks at everything that reads, after each byte.
fn read(bytes: &[u8], sender: Sender) {
    let mut stream = Framer::new(MessageStream::new(sender, LIMITS));
    let mut server = ServerConnection::new(LIMITS, Options::DEFAULT);
    let mut client = ClientConnection::new(LIMITS, Options::DEFAULT);
    for byte in bytes.chunks(1) {
        stream.push(byte);
        loop {
            let piece = stream.next_item();
            hidden(&stream);
            if let Err(error) = &piece {
                assert_hidden("the error", &error.to_string());
            }
            hidden(&piece);
            if !matches!(piece, Ok(Some(_))) {
                break;
            }
        }
        if sender == Sender::Client {
            server.receive(byte);
            hidden(&server);
            while let item @ Ok(Some(_)) = server.next_item() {
                hidden(&item);
            }
            hidden(&server);
        } else {
            client.receive(byte);
            hidden(&client);
            while let item @ Ok(Some(_)) = client.next_item() {
                hidden(&item);
            }
            hidden(&client);
        }
    }
}

#[test]
fn readers_hide_them() {
    let message = login_message();
    read(&message, Sender::Client);
    let tokens: Vec<u8> =
        parameters().iter().flat_map(|token| token.in_order(ByteOrder::Little).to_vec().unwrap()).collect();
    read(&[packet(RESPONSE, false, DONE), packet(RESPONSE, true, &tokens)].concat(), Sender::Server);
    let id = [&b"\x65\x03\x01\x0c\0\xec\x0b\0\x01\0\0\0\0\0\0\0\x25\x06\0\xd7\x06"[..], &ID].concat();
    for (ty, sender) in [(RESPONSE, Sender::Server), (MIGRATE, Sender::Server), (NORMAL, Sender::Client)] {
        read(&packet(ty, true, &id), sender);
        // In pieces that cut it.
        let cut = [packet(ty, false, &id[..id.len() - 3]), packet(ty, true, &id[id.len() - 3..])].concat();
        read(&cut, sender);
    }
    read(&packet(7, true, PASSWORD.as_bytes()), Sender::Client);
}

#[test]
fn errors_hide_them() {
    // Each byte of a login message changed, so that lengths, codes and tokens are wrong in every way.
    let message = login_message();
    for at in 0..message.len() {
        for flip in [0xff, 0x20, 0x01] {
            let mut bytes = message.clone();
            bytes[at] ^= flip;
            let mut server = ServerConnection::new(LIMITS, Options::DEFAULT);
            server.receive(&bytes);
            loop {
                let item = server.next_item();
                // A byte of a name may have become the length of it, and shows what is behind it: not the password.
                hidden(&item);
                if let Err(error) = &item {
                    assert_hidden("the error", &error.to_string());
                }
                if !matches!(item, Ok(Some(_))) {
                    break;
                }
            }
            hidden(&server);
        }
    }
}

#[test]
fn senders_hide_them() {
    let mut client = ClientConnection::new(LIMITS, Options::DEFAULT);
    let mut bytes = BytesMut::new();
    client.login(&login(), &mut bytes).unwrap();
    hidden(&client);
    for token in parameters() {
        client.token(PacketType::NORMAL, &token, &mut bytes).unwrap();
        hidden(&client);
    }
    client.end(&mut bytes);
    client.data(PacketType::LANGUAGE, PASSWORD.as_bytes(), &mut bytes).unwrap();
    hidden(&client);
    let mut server = ServerConnection::new(LIMITS, Options::DEFAULT);
    server.session_id(id(), &mut bytes).unwrap();
    hidden(&server);
    hidden(&client.migration(&Migration::Sync, &mut bytes));
    // What is wrong with a password is told without it.
    let long = PASSWORD.repeat(20);
    let record = || LoginRecord::new(ByteOrder::Little);
    hidden(&record().with_user(b"sa", long.as_bytes()).unwrap_err());
    hidden(&PasswordText::<30>::new(long.as_bytes()).unwrap_err());
    hidden(&RemotePasswords::new([(&b""[..], long.as_bytes())]).unwrap_err());
    let mixed = LoginRecord { int4: 7, ..record().with_user(b"sa", PASSWORD.as_bytes()).unwrap() };
    hidden(&mixed.to_vec().unwrap_err());
    hidden(&Framer::new(server_stream(LIMITS, ByteOrder::Little)));
    assert_eq!(LOGIN, PacketType::LOGIN.0);
}
