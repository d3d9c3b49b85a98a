//! Bodies of the other tokens (spec/tds5.md 3.2).

use super::{DONE, ORDERS, RESPONSE, items, packet, response, response_error, short, sized, u16, u32};
use handover::error::DecodeError;
use handover::tds5::connection::Item;
use handover::tds5::token::{Eed, EedStatus, LoginAck, LoginStatus, OptionCommand, Token};
use handover::wire::{ByteOrder, Encode};

/// The error of a token with a length of two bytes and this body.
#[track_caller]
fn error(order: ByteOrder, ty: u8, body: &[u8]) -> DecodeError {
    response_error(order, &[&sized(order, ty, body)[..], DONE].concat())
}

#[test]
fn the_length_of_the_name_in_a_loginack_is_not_believed() {
    for order in ORDERS {
        for (said, name) in
            [(10, &b"fakeserver"[..]), (0, b"fakeserver"), (255, b"fakeserver"), (3, b""), (9, b"fakeserver\0\0")]
        {
            let body = [&b"\x05\x05\0\0\0"[..], &[said], name, b"\x0f\0\x01\x02"].concat();
            let token = sized(order, 0xad, &body);
            let tokens = response(order, &[&token[..], DONE].concat());
            let [read @ Token::LoginAck(ack), Token::Done(_)] = &tokens[..] else { panic!("{tokens:?}") };
            let LoginAck { status, tds_version, name_length, program_name, program_version } = ack;
            assert_eq!((*status, *tds_version, *name_length), (LoginStatus::SUCCEED, [5, 0, 0, 0], said));
            assert_eq!((&program_name[..], *program_version), (name, [15, 0, 1, 2]));
            assert_eq!(read.in_order(order).to_vec().unwrap(), token);
        }
        // What is too short for the fixed part is refused.
        let whole = b"\x05\x05\0\0\0\0\x0f\0\0\0";
        for (length, field, needed, left) in [
            (0, "status", 1, 0),
            (1, "tds_version", 4, 0),
            (4, "tds_version", 4, 3),
            (5, "name_length", 1, 0),
            (6, "program_version", 4, 0),
            (9, "program_version", 4, 3),
        ] {
            assert_eq!(error(order, 0xad, &whole[..length]), short("LoginAck", field, needed, left));
        }
        assert_eq!(response(order, &sized(order, 0xad, whole)).len(), 1);
        // One that could not be written again.
        let long = [&whole[..6], &[b'x'; 256], &whole[6..]].concat();
        assert_eq!(error(order, 0xad, &long).field, "program_name");
    }
    // Whatever it says, it is passed on.
    let (items, error) = items(&packet(RESPONSE, true, &sized(ByteOrder::Little, 0xad, b"\xee\x07\0\0\0\0\0\0\0\0")));
    assert!(matches!(&items[0], Item::Token(Token::LoginAck(ack)) if ack.status == LoginStatus(0xee)));
    assert_eq!(error, None);
}

#[test]
fn strings_of_an_eed() {
    for order in ORDERS {
        let eed = |sql_state: &[u8], text_length, text: &[u8], server: &[u8], procedure: &[u8], line: &[u8]| {
            let status = [&[2][..], &u16(order, 3)].concat();
            [
                &u32(order, 5701)[..],
                &[1, 10],
                sql_state,
                &status,
                &u16(order, text_length),
                text,
                server,
                procedure,
                line,
            ]
            .concat()
        };
        let line = &u16(order, 7)[..];
        let good = eed(b"\x05ZZZZZ", 2, b"hi", b"\x01s", b"\0", line);
        let tokens = response(order, &sized(order, 0xe5, &good));
        let [
            Token::Eed(Eed {
                number, sql_state, status, transaction, text, server, procedure, line: at, extra, ..
            }),
        ] = &tokens[..]
        else {
            panic!("{tokens:?}");
        };
        assert_eq!((*number, &sql_state[..], *status, *transaction), (5701, &b"ZZZZZ"[..], EedStatus::INFO, 3));
        assert_eq!((&text[..], &server[..], procedure.len(), *at, extra.len()), (&b"hi"[..], &b"s"[..], 0, 7, 0));

        for (body, field, needed, left) in [
            (eed(b"\xff", 2, b"hi", b"\x01s", b"\0", line), "sql_state", 255, good.len() as u64 - 12),
            (eed(b"\0", u16::MAX, b"hi", b"\x01s", b"\0", line), "text", 65_535, 7),
            (eed(b"\0", 8, b"hi", b"\x01s", b"\0", line), "text", 8, 7),
            // One byte too many is taken from what follows.
            (eed(b"\0", 3, b"hi", b"\x01s", b"\0", line), "server", b's'.into(), 3),
            (eed(b"\0", 2, b"hi", b"\x09s", b"\0", line), "server", 9, 4),
            (eed(b"\0", 2, b"hi", b"\x01s", b"\x03", line), "procedure", 3, 2),
            (eed(b"\0", 2, b"hi", b"\x01s", b"\0", &[7]), "line", 2, 1),
            (eed(b"\0", 2, b"hi", b"\x01s", b"\0", b""), "line", 2, 0),
            (eed(b"\0", 2, b"hi", b"\x01s", b"", b""), "procedure", 1, 0),
            (eed(b"\0", 2, b"hi", b"", b"", b""), "server", 1, 0),
        ] {
            assert_eq!(error(order, 0xe5, &body), short("Eed", field, needed, left), "{order:?}");
        }
        for (length, field) in [(0, "number"), (3, "number"), (4, "state"), (5, "class"), (6, "sql_state")] {
            let error = error(order, 0xe5, &good[..length]);
            assert_eq!((error.message, error.field, error.kind.name()), ("Eed", field, "short"));
        }
        // What is behind it is kept.
        let token = sized(order, 0xe5, &[&good[..], b"more"].concat());
        let tokens = response(order, &token);
        assert!(matches!(&tokens[..], [Token::Eed(eed)] if eed.extra == b"more"[..]));
        assert_eq!(tokens[0].in_order(order).to_vec().unwrap(), token);
    }
}

#[test]
fn strings_of_an_error_and_an_info() {
    for order in ORDERS {
        for ty in [0xaa, 0xab] {
            let notice = |text_length, text: &[u8], behind: &[u8]| {
                [&u32(order, 1), &[1, 10][..], &u16(order, text_length), text, behind].concat()
            };
            assert_eq!(response(order, &sized(order, ty, &notice(1, b"x", b"\0\0\0\0"))).len(), 1);
            for (body, field, needed, left) in [
                (notice(u16::MAX, b"x", b"\0\0\0\0"), "text", 65_535, 5),
                (notice(1, b"x", b"\xff\0\0\0"), "server", 255, 3),
                (notice(1, b"x", b"\0\xff\0\0"), "procedure", 255, 2),
                (notice(1, b"x", b"\0\0\0"), "line", 2, 1),
                (notice(1, b"x", b""), "server", 1, 0),
            ] {
                assert_eq!(error(order, ty, &body), short("Notice", field, needed, left));
            }
        }
    }
}

#[test]
fn values_of_an_envchange() {
    for order in ORDERS {
        for (body, field, needed, left) in [
            (&b"\x04"[..], "new", 1, 0),
            (b"\x04\x05", "new", 5, 0),
            (b"\x04\x042048", "old", 1, 0),
            (b"\x04\x042048\x04512", "old", 4, 3),
            (b"\x04\xff2048\x03512", "new", 255, 8),
            // The second of two.
            (b"\x01\0\0\x04\x01", "new", 1, 0),
        ] {
            assert_eq!(error(order, 0xe3, body), short("EnvironmentChange", field, needed, left), "{body:?}");
        }
        let tokens = response(order, &sized(order, 0xe3, b"\x01\0\0\x09\x01a\x01b"));
        assert!(matches!(&tokens[..], [Token::EnvironmentChange(change)] if change.iter().count() == 2));
        assert_eq!(response(order, &sized(order, 0xe3, b"")).len(), 1);
    }
}

#[test]
fn what_else_overruns() {
    let little = ByteOrder::Little;
    assert_eq!(error(little, 0xae, b"\x01a\x02b"), short("Control", "column", 2, 1));
    assert_eq!(error(little, 0xa6, b""), short("OptionCommand", "action", 1, 0));
    assert_eq!(error(little, 0xa6, b"\x01\x02"), short("OptionCommand", "argument", 1, 0));
    assert_eq!(error(little, 0xa6, b"\x01\x02\x04abc"), short("OptionCommand", "argument", 4, 3));
    let tokens = response(little, &sized(little, 0xa6, b"\x09\x02\x01abc"));
    let [Token::OptionCommand(OptionCommand { argument, extra, .. })] = &tokens[..] else { panic!("{tokens:?}") };
    assert_eq!((&argument[..], &extra[..]), (&b"a"[..], &b"bc"[..]));
    assert_eq!(response_error(little, b"\x21\0\0\0\0"), short("Language", "status", 1, 0));
    // A command may be empty, and is whatever it is.
    assert_eq!(response(little, b"\x21\x01\0\0\0\xff").len(), 1);
}
