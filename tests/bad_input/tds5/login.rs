//! The login message (spec/tds5.md 2.1 and 2.2).

use super::{
    DONE, LIMITS, LOGIN, ORDERS, assert_invalid, assert_unsupported, facts, limit, message, packet, pieces, response,
    response_error, short, sized,
};
use allocation_counter::measure;
use handover::error::DecodeError;
use handover::limits::Tds5Limits;
use handover::tds5::capability::CapabilityType;
use handover::tds5::connection::{Item, ServerConnection};
use handover::tds5::login::LoginRecord;
use handover::tds5::migration::Options;
use handover::tds5::stream::{MessageStream, Piece, Sender};
use handover::tds5::token::Token;
use handover::wire::{ByteOrder, Encode};

const CAPABILITIES: &[u8] = b"\xe2\x06\0\x01\x01\x02\x02\x01\0";

fn record(order: ByteOrder) -> Vec<u8> {
    LoginRecord::new(order).with_user(b"sa", b"secret").unwrap().to_vec().unwrap()
}

fn parse(limits: Tds5Limits, bytes: &[u8]) -> (Vec<Piece>, Option<DecodeError>) {
    pieces(|| MessageStream::new(Sender::Client, limits), bytes)
}

/// The error that a login message ends in, whether it comes in one packet or in many.
#[track_caller]
fn error(payload: &[u8]) -> DecodeError {
    let whole = parse(LIMITS, &packet(LOGIN, true, payload)).1.expect("accepted");
    assert_eq!(facts(&parse(LIMITS, &message(LOGIN, 504, payload)).1.expect("accepted")), facts(&whole));
    whole
}

/// A record with other bytes at `at`.
fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut record = record(ByteOrder::Little);
    record[at..at + bytes.len()].copy_from_slice(bytes);
    record
}

#[test]
fn texts_that_are_longer_than_their_field() {
    for (at, size, field) in [
        (30, 30, "host_name"),
        (61, 30, "user_name"),
        (92, 30, "password"),
        (123, 30, "host_process"),
        (170, 30, "application_name"),
        (201, 30, "server_name"),
        (472, 10, "program_name"),
        (510, 30, "language"),
        (555, 30, "character_set"),
        (563, 6, "packet_size"),
    ] {
        for length in [size + 1, 0x7f, 0xff] {
            assert_invalid(&error(&with(at, &[length])), "LoginRecord", field, length.into());
        }
        assert_eq!(parse(LIMITS, &packet(LOGIN, true, &with(at, &[size]))).1, None, "{field}");
    }
    // The remote passwords fill their field whatever their length says; what is malformed in them ends them.
    for list in [&b"\xff"[..], b"\x01a", b"\x01a\x09pw", b"\0\xff"] {
        let (pieces, error) =
            parse(LIMITS, &packet(LOGIN, true, &[&with(202, list)[..457], &[255], &with(202, list)[458..]].concat()));
        let [_, Piece::Login(record), _] = &pieces[..] else { panic!("{pieces:?} {error:?}") };
        assert!(record.remote_passwords.entries().count() < 127);
    }
}

#[test]
fn byte_orders_that_are_not_one() {
    for (int2, int4, field, got) in [
        (3, 0, "int4", 0),
        (2, 1, "int4", 1),
        (3, 3, "int4", 3),
        (2, 255, "int4", 255),
        (0, 0, "int2", 0),
        (1, 1, "int2", 1),
        (255, 1, "int2", 255),
    ] {
        assert_invalid(&error(&with(124, &[int2, int4])), "LoginRecord", field, got);
    }
    // The other codes are carried.
    for at in [126, 127, 128, 478, 479] {
        assert_eq!(parse(LIMITS, &packet(LOGIN, true, &with(at, &[0xee]))).1, None);
    }
}

#[test]
fn versions_that_are_not_spoken() {
    for major in [0, 4, 6, 7, 0x74] {
        assert_unsupported(&error(&with(458, &[major])), "LoginRecord", "tds_version", major.into());
    }
    assert_eq!(parse(LIMITS, &packet(LOGIN, true, &with(459, &[1, 2, 3]))).1, None);
    for (bytes, got) in [([1, 0], 0x100), ([0, 1], 1), ([0xff, 0xff], 0xffff)] {
        assert_unsupported(&error(&with(512, &bytes)), "LoginRecord", "old_secure", got);
    }
}

#[test]
fn messages_that_end_in_the_record() {
    let record = record(ByteOrder::Little);
    for length in [0, 1, 203, 504, 567] {
        let whole = error_of_any(&record[..length]);
        assert_eq!(whole, short("LoginRecord", "body", 568, length as u64));
    }
    // Behind it they may end: a client without capabilities.
    let mut server = ServerConnection::new(LIMITS, Options::DEFAULT);
    server.receive(&packet(LOGIN, true, &record));
    let Ok(Some(Item::Login(login))) = server.next_item() else { panic!("a login") };
    assert!(login.capabilities.masks().count() == 0 && !login.migratable());
    // In the middle of the capabilities they may not.
    let cut = [&record[..], &CAPABILITIES[..5]].concat();
    assert_eq!(error(&cut), short("Token", "body", 9, 5));
}

/// As [`error`], also for an empty message.
fn error_of_any(payload: &[u8]) -> DecodeError {
    if payload.is_empty() { parse(LIMITS, &packet(LOGIN, true, b"")).1.expect("accepted") } else { error(payload) }
}

#[test]
fn messages_beyond_the_limit() {
    let record = record(ByteOrder::Little);
    let expected = |got| limit("LoginRecord", "length", "login", 4096, got);
    let filled = |size: usize| [&record[..], &DONE.repeat(1000)[..size - 568]].concat();
    // In one packet, before anything in it is looked at.
    assert_eq!(error(&filled(4097)).kind.name(), "limit");
    let (pieces, error) = parse(LIMITS, &packet(LOGIN, true, &filled(5000)));
    assert_eq!((pieces, error), (vec![], Some(expected(5000))));
    // In several: what came before the limit is there, and nothing behind it.
    let (pieces, error) = parse(LIMITS, &message(LOGIN, 1000, &filled(5000)));
    assert_eq!(error, Some(expected(5000)));
    assert!(pieces.iter().any(|piece| matches!(piece, Piece::Login(_))));
    let exact = filled(568 + 9 * 392);
    assert_eq!(exact.len(), 4096);
    assert_eq!(parse(LIMITS, &message(LOGIN, 504, &exact)).1, None);
    // A limit that has no room for the record leaves nobody in.
    let mut limits = LIMITS;
    limits.login = 567;
    let error = parse(limits, &message(LOGIN, 504, &record)).1.unwrap();
    assert_eq!(error, limit("LoginRecord", "length", "login", 567, 568));
}

#[test]
fn a_login_that_never_ends_takes_no_memory() {
    let mut server = ServerConnection::new(LIMITS, Options::DEFAULT);
    server.receive(&packet(LOGIN, false, &record(ByteOrder::Little)));
    assert_eq!(server.next_item(), Ok(None));
    let more = packet(LOGIN, false, &DONE.repeat(20));
    let mut error = None;
    let counted = measure(|| {
        for _ in 0..100_000 {
            server.receive(&more);
            error = server.next_item().err();
            if error.is_some() {
                break;
            }
        }
    });
    assert_eq!(error, Some(limit("LoginRecord", "length", "login", 4096, 568 + 20 * 180)));
    assert!(counted.bytes_max < 200_000, "{} bytes", counted.bytes_max);
}

#[test]
fn a_second_login_message_holds_tokens() {
    // As in a negotiation; a second record is none.
    let login = packet(LOGIN, true, &[&record(ByteOrder::Little)[..], CAPABILITIES].concat());
    let mut server = ServerConnection::new(LIMITS, Options::DEFAULT);
    server.receive(&login);
    server.receive(&packet(LOGIN, true, b"\x65\x03\0\x0d\0"));
    server.receive(&login);
    assert!(matches!(server.next_item(), Ok(Some(Item::Login(_)))));
    assert!(matches!(server.next_item(), Ok(Some(Item::Token(Token::Message(_))))));
    assert!(matches!(server.next_item(), Ok(Some(Item::End(_)))));
    assert_unsupported(&server.next_item().unwrap_err(), "Token", "type", 0);
}

#[test]
fn masks_of_any_length() {
    for order in ORDERS {
        let body = [&[1, 0, 2, 255][..], &[0xff; 255], &[9, 3, 1, 2, 3, 1, 1, 2]].concat();
        let tokens = response(order, &sized(order, 0xe2, &body));
        let [Token::Capability(capabilities)] = &tokens[..] else { panic!("{tokens:?}") };
        let lengths: Vec<_> = capabilities.masks().map(|(ty, mask)| (ty.0, mask.as_bytes().len())).collect();
        assert_eq!(lengths, [(1, 0), (2, 255), (9, 3), (1, 1)]);
        assert_eq!(capabilities.mask(CapabilityType::REQUEST).unwrap().iter().count(), 0);
        assert!(capabilities.mask(CapabilityType::RESPONSE).unwrap().iter().eq(0..2040));
        assert_eq!(capabilities.mask(CapabilityType::SECURITY), None);
        assert_eq!(response(order, &sized(order, 0xe2, b"")).len(), 1);
    }
}

#[test]
fn masks_that_overrun_their_token() {
    for order in ORDERS {
        for (body, expected) in [
            (&b"\x01"[..], short("Capabilities", "length", 1, 0)),
            (b"\x01\x01", short("Capabilities", "mask", 1, 0)),
            (b"\x01\x0e\0\0\0", short("Capabilities", "mask", 14, 3)),
            (b"\x01\xff\0", short("Capabilities", "mask", 255, 1)),
            (b"\x01\x01\x02\x02", short("Capabilities", "length", 1, 0)),
            (b"\x01\0\x09\x02\xff", short("Capabilities", "mask", 2, 1)),
        ] {
            assert_eq!(response_error(order, &sized(order, 0xe2, body)), expected, "{body:x?}");
        }
    }
    let login = [&record(ByteOrder::Little)[..], b"\xe2\x02\0\x01\x09"].concat();
    assert_eq!(error(&login), short("Capabilities", "mask", 9, 0));
}
