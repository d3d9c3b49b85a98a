//! Formats and values (spec/tds5.md 3.2 and 3.5).

use super::{
    DONE, LIMITS, MIGRATE, ORDERS, RESPONSE, assert_invalid, assert_unsupported, limit, packet, pieces, response,
    response_error, server_stream, short, sized, u16, u32,
};
use handover::tds5::TokenType;
use handover::tds5::stream::Piece;
use handover::tds5::token::{Format, Token};
use handover::wire::{ByteOrder, Framer};

/// The four formats: number, name in errors, number of the values.
const FORMATS: [(u8, &str, u8); 4] =
    [(0xec, "ParamFormat", 0xd7), (0x20, "ParamFormat2", 0xd7), (0xee, "RowFormat", 0xd1), (0x61, "RowFormat2", 0xd1)];

fn is_wide(ty: u8) -> bool {
    matches!(ty, 0x20 | 0x61)
}

/// A format token with any body.
fn format(order: ByteOrder, ty: u8, body: &[u8]) -> Vec<u8> {
    if is_wide(ty) {
        [&[ty][..], &u32(order, u32::try_from(body.len()).unwrap()), body].concat()
    } else {
        sized(order, ty, body)
    }
}

/// A column of a data type without names.
fn column(order: ByteOrder, ty: u8, status: u8, data_type: &[u8]) -> Vec<u8> {
    let names: &[u8] = if ty == 0x61 { &[0; 5] } else { &[0] };
    let status = if is_wide(ty) { u32(order, status.into()).to_vec() } else { vec![status] };
    [names, &status, &[0; 4], data_type, &[0]].concat()
}

fn counted(order: ByteOrder, count: u16, columns: &[u8]) -> Vec<u8> {
    [&u16(order, count)[..], columns].concat()
}

#[test]
fn values_without_a_format() {
    let little = ByteOrder::Little;
    assert_invalid(&response_error(little, b"\xd7\x01a"), "Params", "format", 0);
    assert_invalid(&response_error(little, b"\xd1\x01a"), "Row", "format", 0);
    // Rows and parameters are two things.
    let int4 = |ty| format(little, ty, &counted(little, 1, &column(little, ty, 0, &[0x38])));
    assert_invalid(&response_error(little, &[&int4(0xec)[..], b"\xd1\0\0\0\0"].concat()), "Row", "format", 0);
    assert_invalid(&response_error(little, &[&int4(0xee)[..], b"\xd7\0\0\0\0"].concat()), "Params", "format", 0);
    // One format is enough for all that comes, also in later messages.
    let bytes =
        [packet(RESPONSE, true, &[&int4(0xec)[..], b"\xd7\0\0\0\0"].concat()), packet(RESPONSE, true, b"\xd7\0\0\0\0")];
    assert_eq!(pieces(|| server_stream(LIMITS, little), &bytes.concat()).1, None);
}

#[test]
fn a_migration_messages_format_ends_with_it() {
    let little = ByteOrder::Little;
    let request = b"\x65\x03\x01\x11\0\xec\x0b\0\x01\0\0\0\0\0\0\0\x27\xff\0\xd7\x01a";
    // Behind it there is none, if there was none before.
    let bytes = [packet(MIGRATE, true, request), packet(RESPONSE, true, b"\xd7\x01a")].concat();
    assert_invalid(&pieces(|| server_stream(LIMITS, little), &bytes).1.unwrap(), "Params", "format", 0);
    // And the one before holds again.
    let int4 = sized(little, 0xec, &counted(little, 1, &column(little, 0xec, 0, &[0x38])));
    let bytes =
        [packet(RESPONSE, true, &int4), packet(MIGRATE, true, request), packet(RESPONSE, true, b"\xd7\x01\0\0\0")];
    let mut framer = Framer::new(server_stream(LIMITS, little));
    framer.push(&bytes.concat());
    let mut types = Vec::new();
    while let Some(piece) = framer.next_item().unwrap() {
        if let Piece::Token(Token::Params(_)) = piece {
            let format: &Format = framer.decoder().params_format().unwrap();
            types.push(format.columns().next().unwrap().data_type.0);
        }
    }
    assert_eq!(types, [0x27, 0x38]);
}

#[test]
fn formats_that_are_shorter_or_longer_than_their_count() {
    for order in ORDERS {
        for (ty, name, _) in FORMATS {
            let one = column(order, ty, 0, &[0x27, 0xff]);
            let error =
                |count, columns: &[u8]| response_error(order, &format(order, ty, &counted(order, count, columns)));
            for (count, columns) in [(0, &one[..]), (1, &[&one[..], &one].concat()), (1, &[&one[..], &[0]].concat())] {
                assert_invalid(&error(count, columns), name, "length", columns.len() as u64 + 2);
            }
            // The first field of the column that is missing.
            let first = if ty == 0x61 { "label" } else { "name" };
            assert_eq!(error(2, &one), short(name, first, 1, 0));
            assert_eq!(error(u16::MAX, &one), short(name, first, 1, 0));
            assert_eq!(response_error(order, &format(order, ty, &[])), short(name, "count", 2, 0));
            assert_eq!(response_error(order, &format(order, ty, &[0])), short(name, "count", 2, 1));
            // Every field, cut.
            for cut in 0..one.len() {
                let error = error(1, &one[..cut]);
                assert_eq!((error.kind.name(), error.message), ("short", name), "{cut}: {error}");
            }
            let locale = [&one[..one.len() - 1], &[4, b'u', b's']].concat();
            assert_eq!(error(1, &locale), short(name, "locale", 4, 2));
        }
    }
    // The table's name in a large object's format.
    let text = column(ByteOrder::Little, 0xee, 0, b"\x23\xff\xff\xff\x7f\x09\0table");
    let error =
        response_error(ByteOrder::Little, &sized(ByteOrder::Little, 0xee, &counted(ByteOrder::Little, 1, &text)));
    assert_eq!(error, short("RowFormat", "size", 15, 12));
}

#[test]
fn data_types_that_are_not_known() {
    for order in ORDERS {
        for (ty, name, values) in FORMATS {
            for unknown in [0x00, 0x24, 0x6b, 0xff] {
                // Nobody knows where the next column begins: the format is skipped by its length, and kept.
                let columns = [column(order, ty, 0, &[0x38]), column(order, ty, 0, &[unknown, 1, 2, 3]), vec![9; 40]];
                let odd = format(order, ty, &counted(order, 3, &columns.concat()));
                let tokens = response(order, &[&odd[..], DONE].concat());
                let [Token::Other(other), Token::Done(_)] = &tokens[..] else { panic!("{tokens:?}") };
                assert_eq!((other.ty, other.body.len()), (TokenType(ty), columns.concat().len() + 2));
                // Its values cannot be skipped.
                let error = response_error(order, &[&odd[..], &[values], b"\0\0\0\0\0\0\0\0"].concat());
                let message = if values == 0xd7 { "Params" } else { "Row" };
                assert_unsupported(&error, message, "data_type", unknown.into());
                // It has replaced the one before, and the one behind replaces it.
                let good = format(order, ty, &counted(order, 1, &column(order, ty, 0, &[0x38])));
                let error = response_error(order, &[&good[..], &odd, &[values], b"\0\0\0\0"].concat());
                assert_unsupported(&error, message, "data_type", unknown.into());
                let tokens = response(order, &[&odd[..], &good, &[values], b"\0\0\0\0"].concat());
                assert!(
                    matches!(&tokens[..], [Token::Other(_), Token::Format(_), Token::Params(_) | Token::Row(_)]),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn columns_beyond_the_limit() {
    let mut limits = LIMITS;
    limits.columns = 3;
    for (ty, ..) in FORMATS {
        for order in ORDERS {
            let columns = |count: u16| column(order, ty, 0, &[0x38]).repeat(count.into());
            for (count, expected) in [(3, None), (4, Some(limit("Format", "count", "columns", 3, 4)))] {
                let bytes = packet(RESPONSE, true, &format(order, ty, &counted(order, count, &columns(count))));
                assert_eq!(pieces(|| server_stream(limits, order), &bytes).1, expected);
            }
        }
    }
    // By default 4096.
    let order = ByteOrder::Little;
    let many = column(order, 0xec, 0, &[0x38]).repeat(4097);
    let error = response_error(order, &sized(order, 0xec, &counted(order, 4097, &many)));
    assert_eq!(error, limit("Format", "count", "columns", 4096, 4097));
}

#[test]
fn values_as_the_status_of_their_column_says() {
    let order = ByteOrder::Little;
    for (ty, _, values) in FORMATS {
        // A VARCHAR and an INT4, both with a status byte.
        let columns = [column(order, ty, 8, &[0x27, 0xff]), column(order, ty, 8, &[0x38])].concat();
        let format = format(order, ty, &counted(order, 2, &columns));
        for (bytes, expected) in [
            (&b"\0\x01a\0\x01\0\0\0"[..], [(Some(0), Some(&b"a"[..])), (Some(0), Some(b"\x01\0\0\0"))]),
            (b"\x01\x01", [(Some(1), None), (Some(1), None)]),
            (b"\x02\0\x01", [(Some(2), Some(b"")), (Some(1), None)]),
            (b"\0\0\x01", [(Some(0), None), (Some(1), None)]),
            // Bits that are not known change nothing.
            (b"\xf0\x01a\xf1", [(Some(0xf0), Some(b"a")), (Some(0xf1), None)]),
        ] {
            let tokens = response(order, &[&format[..], &[values], bytes, DONE].concat());
            let [Token::Format(format), Token::Params(data) | Token::Row(data), Token::Done(_)] = &tokens[..] else {
                panic!("{tokens:?}");
            };
            let read: Vec<_> = format.values(&data.data).map(|(_, value)| (value.status, value.data)).collect();
            assert_eq!(read, expected);
        }
    }
}
