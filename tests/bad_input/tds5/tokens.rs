//! Framing of tokens (spec/tds5.md 3.1).

use super::{
    DONE, LIMITS, LOGIN, MIGRATE, ORDERS, RESPONSE, assert_unsupported, facts, limit, message, packet, pieces,
    response, response_error, server_stream, short, sized, u32,
};
use allocation_counter::measure;
use handover::error::DecodeError;
use handover::limits::Tds5Limits;
use handover::tds5::TokenType;
use handover::tds5::stream::Piece;
use handover::tds5::token::Token;
use handover::wire::{ByteOrder, Framer};

#[test]
fn tokens_that_their_message_cuts() {
    let little = ByteOrder::Little;
    let tokens: [(&[u8], u64); 10] = [
        (DONE, 9),
        (b"\x79\0\0\0\0", 5),
        (b"\x71\0", 2),
        (b"\x65\x03\0\x12\0", 5),
        (&sized(little, 0xe3, b"\x01\0\0"), 6),
        (&sized(little, 0xe2, b"\x01\x01\x02"), 6),
        (&sized(little, 0xec, b"\0\0"), 5),
        (b"\x21\x02\0\0\0\0x", 7),
        (b"\x61\x02\0\0\0\0\0", 7),
        (&sized(little, 0xa2, b"event"), 8),
    ];
    for (token, size) in tokens {
        assert_eq!(response(little, token).len(), 1);
        for cut in 1..token.len() {
            // What is needed at least, as far as one can know.
            let head = match token[0] {
                0x65 => 2,
                0x21 | 0x61 => 5,
                0..0x80 | 0xfd..=0xff => 1,
                _ => 3,
            };
            let needed = if cut < head { head as u64 } else { size };
            let expected = short("Token", "body", needed, cut as u64);
            assert_eq!(response_error(little, &token[..cut]), expected, "{token:x?}");
            // Behind another one the same.
            assert_eq!(response_error(little, &[DONE, &token[..cut]].concat()), expected);
        }
    }
    // Values, as their format says: the columns behind need something too.
    let format = sized(little, 0xec, b"\x02\0\0\0\0\0\0\0\x27\xff\0\0\0\0\0\0\0\x38\0");
    for (values, needed, left) in [
        (&b"\xd7"[..], 6, 1),
        (b"\xd7\x03", 9, 2),
        (b"\xd7\x03ab", 9, 4),
        (b"\xd7\x03abc", 9, 5),
        (b"\xd7\x03abc\0\0\0", 9, 8),
    ] {
        assert_eq!(response_error(little, &[&format[..], values].concat()), short("Token", "body", needed, left));
    }
}

/// Everything that 3.1 cannot place.
fn unplaced() -> impl Iterator<Item = u8> {
    let known = [0x10, 0x61, 0x62, 0x65, 0xd1, 0xd7];
    (0..=0xff_u8).filter(move |ty| {
        let classes = [0x20..=0x3f, 0x70..=0x8f, 0xa0..=0xbf, 0xe0..=0xff];
        !known.contains(ty) && !classes.iter().any(|class| class.contains(ty))
    })
}

#[test]
fn tokens_whose_end_cannot_be_found() {
    assert_eq!(unplaced().count(), 0x20 - 1 + 0x30 - 3 + 0x10 + 0x20 - 2);
    for ty in unplaced() {
        assert_unsupported(
            &response_error(ByteOrder::Little, &[DONE, &[ty, 0, 0, 0]].concat()),
            "Token",
            "type",
            ty.into(),
        );
    }
}

#[test]
fn unknown_tokens_of_a_known_class_are_kept() {
    for order in ORDERS {
        for ty in (0..=0xff_u8).filter(|ty| TokenType(*ty).name().is_none() && unplaced().all(|other| other != *ty)) {
            let (token, body) = match ty {
                0x20..=0x2f => ([&[ty][..], &u32(order, 3), b"abc"].concat(), &b"abc"[..]),
                0x80..=0x8f | 0xa0..=0xaf | 0xe0..=0xef => (sized(order, ty, b"abc"), &b"abc"[..]),
                _ => {
                    let body = &b"12345678"[..[1, 2, 4, 8][usize::from(ty >> 2 & 3)]];
                    ([&[ty], body].concat(), body)
                }
            };
            let tokens = response(order, &[&token[..], DONE].concat());
            let [Token::Other(other), Token::Done(_)] = &tokens[..] else { panic!("{ty:#x}: {tokens:?}") };
            assert_eq!((other.ty, &other.body[..]), (TokenType(ty), body));
        }
    }
}

/// What is said of a message with this payload, and how much memory it took to say so.
fn measured(limits: Tds5Limits, ty: u8, order: ByteOrder, payload: &[u8]) -> (Option<DecodeError>, u64) {
    let mut framer = Framer::new(server_stream(limits, order));
    let bytes = message(ty, 60_000, payload);
    let mut error = None;
    let counted = measure(|| {
        for byte in bytes.chunks(1000) {
            framer.push(byte);
            while error.is_none() {
                match framer.next_item() {
                    Ok(Some(Piece::End(_)) | None) => break,
                    Ok(Some(_)) => {}
                    Err(reason) => error = Some(reason),
                }
            }
        }
    });
    (error, counted.bytes_max)
}

#[test]
fn lengths_beyond_the_limit_are_refused_before_anything_is_kept() {
    let mut limits = LIMITS;
    limits.token = 1 << 20;
    for order in ORDERS {
        for ty in [0x10, 0x20, 0x21, 0x22, 0x2f, 0x61, 0x62] {
            for length in [(1 << 20) + 1, u32::MAX] {
                let head = [&[ty][..], &u32(order, length), b"beginning"].concat();
                let (error, memory) = measured(limits, RESPONSE, order, &head);
                assert_eq!(error, Some(limit("Token", "length", "token", 1 << 20, length.into())), "{ty:#x}");
                assert!(memory < 8192, "{memory} bytes");
                // In messages that have a tighter limit, that one counts.
                let (error, _) = measured(limits, MIGRATE, order, &head);
                assert_eq!(error, Some(limit("Token", "length", "migration", 16 << 10, length.into())), "{ty:#x}");
                let (error, _) = measured(limits, LOGIN, order, &head);
                assert_eq!(error, Some(limit("Token", "length", "login", 4096, length.into())), "{ty:#x}");
            }
            // Up to the limit memory grows with what has come, and not with what is announced.
            let head = [&[ty][..], &u32(order, 1 << 20), &[0; 1000]].concat();
            let bytes = packet(RESPONSE, false, &head);
            let mut framer = Framer::new(server_stream(limits, order));
            let counted = measure(|| {
                framer.push(&bytes);
                assert!(matches!(framer.next_item(), Ok(Some(Piece::Packet(_)))));
                assert_eq!(framer.next_item(), Ok(None));
            });
            assert!(counted.bytes_max < 16_384, "{} bytes", counted.bytes_max);
        }
    }
}

#[test]
fn values_beyond_the_limit_are_refused_before_anything_is_kept() {
    for order in ORDERS {
        // LONGBINARY and LONGCHAR; IMAGE and TEXT, with a pointer of 16 bytes.
        for (ty, before) in [(0xe1, &b""[..]), (0xaf, b""), (0x22, &[16; 25]), (0x23, &[16; 25])] {
            let table: &[u8] = if before.is_empty() { b"" } else { &[0, 0] };
            let column = [b"\0\0\0\0\0\0", &[ty][..], &u32(order, 0x7fff_ffff), table, &[0]].concat();
            for (format, values, name) in [(0xec, 0xd7, "Params"), (0xee, 0xd1, "Row")] {
                let format = sized(order, format, &[&super::u16(order, 1)[..], &column].concat());
                let token = |length| [&format[..], &[values], before, &u32(order, length), b"beginning"].concat();
                let got = |length: u32| u64::from(length) + before.len() as u64 + 4;
                for length in [u32::MAX, 1 << 24] {
                    let (error, memory) = measured(LIMITS, RESPONSE, order, &token(length));
                    let expected = limit("Token", "length", "token", 1 << 24, got(length));
                    assert_eq!(error, Some(expected), "{name} {ty:#x}");
                    assert!(memory < 8192, "{memory} bytes");
                }
                let (error, _) = measured(LIMITS, MIGRATE, order, &token(1 << 14));
                assert_eq!(error, Some(limit("Token", "length", "migration", 1 << 14, got(1 << 14))));
                // A length that is allowed is waited for.
                let most = (1 << 24) - before.len() as u32 - 4;
                let expected = short("Token", "body", (1 << 24) + 1, values_came(before));
                assert_eq!(measured(LIMITS, RESPONSE, order, &token(most)).0, Some(expected));
            }
        }
    }
}

/// How many bytes of a token of values came: its number, what stands before the length, the length and some bytes.
fn values_came(before: &[u8]) -> u64 {
    (1 + before.len() + 4 + b"beginning".len()) as u64
}

#[test]
fn a_migration_message_has_a_limit_of_its_own() {
    // Many small tokens: 16 KiB and no more.
    let many = DONE.repeat(2000);
    let (error, _) = measured(LIMITS, MIGRATE, ByteOrder::Little, &many);
    assert_eq!(error, Some(limit("Migration", "length", "migration", 1 << 14, 18_000)));
    let (error, _) = measured(LIMITS, RESPONSE, ByteOrder::Little, &many);
    assert_eq!(error, None);
    // It is the message that counts, not its packets.
    let packets = message(MIGRATE, 1000, &many);
    let error = pieces(|| server_stream(LIMITS, ByteOrder::Little), &packets).1.unwrap();
    assert_eq!(facts(&error), ("limit", "Migration", "length", None));
    let two = [message(MIGRATE, 1000, &DONE.repeat(1000)), message(MIGRATE, 1000, &DONE.repeat(1000))].concat();
    assert_eq!(pieces(|| server_stream(LIMITS, ByteOrder::Little), &two).1, None);
}

#[test]
fn a_token_in_many_packets_is_bounded_too() {
    let mut limits = LIMITS;
    limits.token = 10_000;
    let order = ByteOrder::Little;
    // An ENVCHANGE of the largest size is beyond it, whatever came of it.
    let bytes = message(RESPONSE, 1, &[&[0xe3, 0xff, 0xff][..], &[0; 100]].concat());
    let (_, error) = pieces(|| server_stream(limits, order), &bytes);
    assert_eq!(error, Some(limit("Token", "length", "token", 10_000, 65_535)));
    let exact = [&[0x21][..], &u32(order, 10_000), &[0; 10_000]].concat();
    let (pieces, error) = pieces(|| server_stream(limits, order), &message(RESPONSE, 100, &exact));
    assert_eq!((error, matches!(pieces.iter().rev().nth(1), Some(Piece::Token(Token::Language(_))))), (None, true));
}
