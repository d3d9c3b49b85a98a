//! Packets (spec/tds5.md 1).

use super::{DONE, LIMITS, MIGRATE, NORMAL, RESPONSE, assert_invalid, limit, packet, pieces, server_stream};
use bytes::{Bytes, BytesMut};
use handover::error::DecodeError;
use handover::limits::Tds5Limits;
use handover::tds5::PacketType;
use handover::tds5::connection::{ClientConnection, Item, ServerConnection};
use handover::tds5::migration::{Migration, Options};
use handover::tds5::packet::PacketHeader;
use handover::tds5::stream::Piece;
use handover::tds5::token::{Done, EnvironmentChange, EnvironmentKind, Language, Message, Other};
use handover::tds5::{MessageId, TokenType};
use handover::wire::{ByteOrder, Framer};

fn parse(limits: Tds5Limits, bytes: &[u8]) -> (Vec<Piece>, Option<DecodeError>) {
    pieces(|| server_stream(limits, ByteOrder::Little), bytes)
}

#[test]
fn lengths_that_are_smaller_than_the_header() {
    for length in 0..8_u8 {
        let header = [RESPONSE, 1, 0, length, 0, 0, 0, 0];
        let (pieces, error) = parse(LIMITS, &header);
        assert!(pieces.is_empty());
        assert_invalid(&error.unwrap(), "PacketHeader", "length", length.into());
        // Not before the header is whole.
        assert_eq!(parse(LIMITS, &header[..7]), (vec![], None));
        assert!(PacketHeader::parse(&header, u16::MAX).is_err());
    }
    let (pieces, error) = parse(LIMITS, &packet(NORMAL, true, b""));
    assert_eq!((pieces.len(), error), (2, None));
}

#[test]
fn lengths_beyond_the_limit() {
    let mut limits = LIMITS;
    limits.packet_size = 1000;
    for (length, accepted) in [(1000_u16, true), (1001, false), (u16::MAX, false)] {
        // The header alone tells.
        let [high, low] = length.to_be_bytes();
        let (pieces, error) = parse(limits, &[RESPONSE, 1, high, low, 0, 0, 0, 0]);
        let expected = limit("PacketHeader", "length", "packet_size", 1000, length.into());
        assert_eq!((pieces, error), (vec![], (!accepted).then_some(expected)));
    }
    // Whatever size was settled, up to the limit everything is taken.
    let (pieces, error) = parse(LIMITS, &packet(1, true, &vec![0; usize::from(u16::MAX) - 8]));
    assert_eq!((pieces.len(), error), (3, None));
}

#[test]
fn another_type_within_a_message() {
    for (first, second) in [(RESPONSE, NORMAL), (RESPONSE, MIGRATE), (NORMAL, 6), (3, 7), (MIGRATE, RESPONSE)] {
        let open = packet(first, false, if first == 3 { b"x" } else { DONE });
        // Also if only the header of the second is there.
        for behind in
            [&packet(second, true, DONE)[..], &packet(second, false, b"")[..8], &[second, 1, 9, 0, 0, 0, 0, 0]]
        {
            let (pieces, error) = parse(LIMITS, &[&open[..], behind].concat());
            assert_eq!(pieces.len(), 2, "the first packet and what is in it");
            assert_invalid(&error.unwrap(), "PacketHeader", "ty", second.into());
        }
        // Behind the end of the message it may come.
        let last = packet(first, true, b"");
        let (_, error) = parse(LIMITS, &[&open[..], &last, &packet(second, false, DONE)].concat());
        assert_eq!(error, None);
    }
}

#[test]
fn a_migration_message_without_a_message() {
    for last in [true, false] {
        let (pieces, error) = parse(LIMITS, &packet(MIGRATE, last, b""));
        assert!(pieces.is_empty());
        assert_invalid(&error.unwrap(), "PacketHeader", "length", 8);
    }
    // Empty packets behind its first one, and in other messages, are taken.
    let sync = b"\x65\x03\0\x12\0";
    let cut = [packet(MIGRATE, false, &sync[..2]), packet(MIGRATE, false, b""), packet(MIGRATE, true, &sync[2..])];
    let (pieces, error) = parse(LIMITS, &cut.concat());
    assert_eq!((pieces.len(), error), (5, None));
    let (pieces, error) = parse(LIMITS, &[packet(RESPONSE, false, b""), packet(RESPONSE, true, DONE)].concat());
    assert_eq!((pieces.len(), error), (4, None));
}

#[test]
fn types_and_statuses_that_are_not_known_are_carried() {
    for ty in [0, 5, 12, 14, 18, 24, 28, 99, 255] {
        let bytes = [ty, 0xff, 0, 9, 1, 2, 3, 4, 0xee];
        let (pieces, error) = parse(LIMITS, &bytes);
        let [Piece::Packet(header), Piece::Data { ty: data_ty, data }, Piece::End(end)] = &pieces[..] else {
            panic!("{pieces:?}");
        };
        assert_eq!((header.status.bits(), header.channel, header.number, header.window), (0xff, 0x0102, 3, 4));
        assert_eq!(
            (*data_ty, &data.0, *end, error),
            (PacketType(ty), &Bytes::from_static(&[0xee]), PacketType(ty), None)
        );
    }
    // Types that should be a header only are no error with something behind it.
    let (pieces, error) = parse(LIMITS, &packet(6, true, b"x"));
    assert_eq!((pieces.len(), error), (3, None));
}

#[test]
fn settled_sizes_that_make_no_sense() {
    let done = || Done::FINAL.into();
    for (text, size) in [
        (&b"600"[..], 600),
        (b"0", 256),
        (b"1", 256),
        (b"4294967295", 65535),
        (b"99999999999", 512),
        (b"", 512),
        (b"-1", 512),
        (b"+600", 512),
        (b"6oo", 512),
        (b"\xff", 512),
    ] {
        let mut server = ServerConnection::new(LIMITS, Options::DEFAULT);
        let mut bytes = BytesMut::new();
        let change = EnvironmentChange::new(EnvironmentKind::PACKET_SIZE, text, b"512").unwrap();
        server.token(&change.into(), &mut bytes).unwrap();
        server.end(&mut bytes);
        bytes.clear();
        for _ in 0..10_000 {
            server.token(&done(), &mut bytes).unwrap();
        }
        server.end(&mut bytes);
        let first = PacketHeader::parse(&bytes, u16::MAX).unwrap().unwrap();
        assert_eq!(first.length, size, "{text:?}");
    }
}

#[test]
fn what_cannot_be_sent_changes_nothing() {
    let mut client = ClientConnection::new(LIMITS, Options::DEFAULT);
    let mut bytes = BytesMut::new();
    // A token that is too long for its length, and one whose end nobody could find.
    let long = Message { extra: Bytes::from_static(&[0; 253]), ..Message::new(MessageId::EMPTY, false) };
    let lost = Other { ty: TokenType(0), body: Bytes::new() };
    for token in [long.into(), lost.into()] {
        assert!(client.token(PacketType::NORMAL, &token, &mut bytes).is_err());
        client.end(&mut bytes);
        assert!(bytes.is_empty(), "no message was begun");
        client.migration(&Migration::Sync, &mut bytes).expect("no message is open");
        bytes.clear();
    }
    // Nor does it end a message that was begun.
    client.token(PacketType::NORMAL, &Language::new("a").into(), &mut bytes).unwrap();
    assert!(
        client.token(PacketType::NORMAL, &Other { ty: TokenType(0), body: Bytes::new() }.into(), &mut bytes).is_err()
    );
    assert!(client.token(PacketType::RPC, &Language::new("a").into(), &mut bytes).is_err());
    assert!(client.attention(&mut bytes).is_err() && client.migration(&Migration::Sync, &mut bytes).is_err());
    client.token(PacketType::NORMAL, &Language::new("b").into(), &mut bytes).unwrap();
    client.end(&mut bytes);
    assert_eq!(bytes, packet(NORMAL, true, b"\x21\x02\0\0\0\0a\x21\x02\0\0\0\0b"));
    // A server sends no login and no bytes.
    let mut server = ServerConnection::new(LIMITS, Options::DEFAULT);
    let data = Item::Data { ty: PacketType::BULK, data: Default::default() };
    assert!(server.encode_item(&data, &mut bytes).is_err());
}

#[test]
fn an_error_is_final() {
    let mut framer = Framer::new(server_stream(LIMITS, ByteOrder::Little));
    framer.push(b"HTTP/1.1 200 OK");
    // 0x5450 bytes of a type that is not known.
    assert_eq!(framer.next_item(), Ok(None));
    framer.push(&[0; 0x5450]);
    assert!(matches!(framer.next_item(), Ok(Some(Piece::Packet(header))) if header.ty == PacketType(b'H')));
    let error = loop {
        if let Err(error) = framer.next_item() {
            break error;
        }
    };
    framer.push(&packet(RESPONSE, true, DONE));
    assert_eq!((framer.next_item(), framer.buffered()), (Err(error), 0));
}
