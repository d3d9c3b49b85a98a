//! The byte vectors of spec/tds5.md: what stands there is what the connections write, and what they read.

use super::LIMITS;
use bytes::BytesMut;
use handover::tds5::capability::{Capabilities, CapabilityType, Mask};
use handover::tds5::connection::{ClientConnection, Item, ServerConnection};
use handover::tds5::login::{Login, LoginRecord};
use handover::tds5::migration::{Address, FailReason, Migration, Options, Request};
use handover::tds5::token::{DataType, Token, walk};
use handover::tds5::{PacketType, SessionId};
use handover::wire::{ByteOrder, Encode};
use std::collections::BTreeSet;

const SPEC: &str = include_str!("../../../spec/tds5.md");

/// The vectors of section 4.4: byte order, name, bytes.
fn vectors() -> Vec<(ByteOrder, String, Vec<u8>)> {
    let section = SPEC.split("\n### 4.4 ").nth(1).expect("section 4.4");
    let block = section.split("```").nth(1).expect("its vectors");
    let (mut order, mut vectors) = (ByteOrder::Little, Vec::new());
    for line in block.lines().filter(|line| !line.is_empty()) {
        match line {
            "little-endian" => order = ByteOrder::Little,
            "big-endian" => order = ByteOrder::Big,
            _ => {
                let (name, rest) = line.split_at(13);
                // Behind the bytes there may be the file in which they stand, too.
                let digits =
                    rest.split_whitespace().take_while(|word| word.bytes().all(|byte| byte.is_ascii_hexdigit()));
                let digits: String = digits.collect();
                let bytes =
                    (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap());
                if name.trim().is_empty() {
                    let (_, _, last): &mut (_, _, Vec<u8>) = vectors.last_mut().expect("a line to go on with");
                    last.extend(bytes);
                } else {
                    vectors.push((order, name.trim().to_owned(), bytes.collect()));
                }
            }
        }
    }
    vectors
}

/// What a vector's name stands for.
fn meaning(name: &str) -> Migration {
    let address = |host, port| Address::new(host, port).unwrap();
    let request = |addresses| Migration::Request(Request { addresses, unreadable: Vec::new() });
    let reason =
        |text: Option<&str>| Migration::Fail(Some(FailReason { code: Some(2), text: text.map(str::to_owned) }));
    match name {
        "REQ" => request(vec![address("127.0.0.1", 5001)]),
        "REQ, two" => request(vec![address("127.0.0.1", 5001), address("::1", 5002)]),
        "SYNC" => Migration::Sync,
        "CONT" => Migration::Continue,
        "IGN" => Migration::Ignore,
        "FAIL" => Migration::Fail(None),
        "FAIL, 2" => reason(None),
        "FAIL, 2 text" => reason(Some("connect failed")),
        "RESUME" => Migration::Resume,
        "MSG 12" => Migration::SessionId(SessionId::new([0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6])),
        other => panic!("{other} is not known here"),
    }
}

/// Both ends of a link whose login has settled this byte order.
fn link(order: ByteOrder, options: Options) -> (ClientConnection, ServerConnection) {
    let (mut client, mut server) = (ClientConnection::new(LIMITS, options), ServerConnection::new(LIMITS, options));
    let mut bytes = BytesMut::new();
    client.login(&Login::new(LoginRecord::new(order), true), &mut bytes).unwrap();
    server.receive(&bytes);
    assert!(matches!(server.next_item(), Ok(Some(Item::Login(_)))));
    assert_eq!((client.order(), server.order()), (order, order));
    (client, server)
}

#[test]
fn written_and_read_as_the_spec_says() {
    let vectors = vectors();
    let names =
        |order| vectors.iter().filter(|each| each.0 == order).map(|each| each.1.clone()).collect::<BTreeSet<_>>();
    assert_eq!(names(ByteOrder::Little), names(ByteOrder::Big));
    assert_eq!((vectors.len(), names(ByteOrder::Little).len()), (21, 10));
    for (order, name, expected) in vectors {
        let migration = meaning(&name);
        let mut options = Options::DEFAULT;
        if expected.windows(3).any(|part| part == [DataType::BINARY.0, 6, 0]) {
            options.session_id_type = DataType::BINARY;
        }
        let (mut client, mut server) = link(order, options);
        let mut bytes = BytesMut::new();
        let heard = match migration {
            Migration::Sync | Migration::Fail(_) | Migration::Resume => {
                client.migration(&migration, &mut bytes).unwrap();
                server.receive(&bytes);
                [server.next_item(), server.next_item()]
            }
            Migration::SessionId(Some(id)) => {
                server.session_id(id, &mut bytes).unwrap();
                server.end(&mut bytes);
                client.receive(&bytes);
                // The vector is without the response in which it stands.
                let header = bytes.split_to(8);
                assert_eq!(header, [4, 1, 0, u8::try_from(bytes.len() + 8).unwrap(), 0, 0, 0, 0][..]);
                [client.next_item(), client.next_item()]
            }
            _ => {
                server.migration(&migration, &mut bytes).unwrap();
                client.receive(&bytes);
                [client.next_item(), client.next_item()]
            }
        };
        assert_eq!(bytes, expected, "{name}, {order:?}");
        let end = if expected[0] == 17 { PacketType::MIGRATE } else { PacketType::RESPONSE };
        assert_eq!(
            heard,
            [Ok(Some(Item::Migration(migration.clone()))), Ok(Some(Item::End(end)))],
            "{name}, {order:?}"
        );

        // Its tokens one by one, without a connection.
        let tokens = migration.tokens(order, &options).unwrap();
        let written: Vec<u8> = tokens.iter().flat_map(|token| token.in_order(order).to_vec().unwrap()).collect();
        let body = if expected[0] == 17 { &expected[8..] } else { &expected[..] };
        assert_eq!(written, body, "{name}, {order:?}");
        let read: Vec<_> = walk(order, body).map(|raw| raw.unwrap().decode().unwrap()).collect();
        assert_eq!(read.len(), tokens.len(), "{name}, {order:?}");
        for (read, token) in read.into_iter().zip(tokens) {
            assert_eq!(read.map(&mut bytes::Bytes::copy_from_slice), token, "{name}, {order:?}");
        }
    }
}

#[test]
fn a_byte_order_is_not_the_other() {
    // What is 18 in one order is 4608 in the other: a message that is not known, and no error.
    let (_, mut server) = link(ByteOrder::Big, Options::DEFAULT);
    server.receive(b"\x11\x01\0\x0d\0\0\0\0\x65\x03\0\x12\0");
    assert!(matches!(server.next_item(), Ok(Some(Item::Token(Token::Message(message)))) if message.id.0 == 0x1200));
}

#[test]
fn capability_numbers_stand_where_the_spec_says() {
    let expected = b"\0\0\x02\x02\0\0\0\0\0\0\0\0\x01\0";
    let line = "{8, 81, 89} in 14 bytes   00 00 02 02 00 00 00 00 00 00 00 00 01 00";
    assert!(SPEC.contains(line));
    let mut mask = Mask::zero(14);
    for number in [8, 81, 89] {
        mask.set(number, true).unwrap();
    }
    assert_eq!(mask.as_bytes(), expected);
    let capabilities = Capabilities::new(&mask, &Mask::zero(0));
    for (order, length) in [(ByteOrder::Little, [18, 0]), (ByteOrder::Big, [0, 18])] {
        let token = Token::from(capabilities.clone());
        let bytes = token.in_order(order).to_vec().unwrap();
        assert_eq!(bytes, [&[0xe2], &length[..], &[1, 14], expected, &[2, 0]].concat());
        let Token::Capability(read) = walk(order, &bytes).next().unwrap().unwrap().decode().unwrap() else { panic!() };
        assert!(read.mask(CapabilityType::REQUEST).unwrap().iter().eq([8, 81, 89]));
    }
    // Whether a number is set does not depend on the length of the mask.
    for length in 0..=255 {
        let mut mask = Mask::zero(length);
        assert!(!mask.contains(89));
        mask.set(89, true).unwrap();
        assert!(mask.contains(89) && !mask.contains(88) && mask.iter().eq([89]));
        assert_eq!(mask.as_bytes().len(), usize::from(length.max(12)));
    }
    assert!(!Mask::new(&[0xff; 11][..]).unwrap().contains(89));
    // Of a .NET client: 88 to 97 are set, 81 is not.
    let dot_net = Mask::new(&b"\x01\xef\xff\x69\xb7\xfd\xff\xaf\x65\x41\xff\xff\xff\xd6"[..]).unwrap();
    assert!((88..=97).all(|number| dot_net.contains(number)) && !dot_net.contains(81));
}
