//! M3: the length of a format is what its columns take, and values are one for each column.

use super::{ORDERS, tokens_in};
use bytes::Bytes;
use handover::error::DecodeError;
use handover::tds5::token::{COLUMN_STATUS, Column, DataType, Format, FormatKind, Token, Values, walk};
use handover::testing::tds5::{self as values, Cell, strategies};
use handover::testing::tds5_codec::check_values;
use handover::testing::{Choices, check_encoding, strategy};
use handover::wire::ByteOrder;
use proptest::prelude::*;

const KINDS: [FormatKind; 4] = [FormatKind::Params, FormatKind::WideParams, FormatKind::Rows, FormatKind::WideRows];

/// A format, its columns, and the values of one PARAMS or ROW.
fn sample(choices: &mut Choices<'_>) -> (Format, Vec<Column>, Vec<Cell>, Values) {
    let (kind, order) = (values::format_kind(choices), values::byte_order(choices));
    let columns = values::columns(kind, order, choices);
    let format = Format::new(kind, order, &columns).unwrap();
    let cells = values::cells(&format, choices);
    let row = values::values_of(&format, &cells, choices);
    (format, columns, cells, row)
}

fn token(format: &Format, values: &Values) -> Token {
    if format.kind().is_rows() { Token::Row(values.clone()) } else { Token::Params(values.clone()) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn m3_columns_are_what_they_were(format in strategies::format()) {
        let columns: Vec<Column> = format.columns().map(|column| column.map(&mut super::own)).collect();
        prop_assert_eq!(&Format::new(format.kind(), format.order(), &columns).unwrap(), &format);
        prop_assert_eq!(columns.len(), usize::from(format.count()));
        let order = format.order();
        let bytes = check_encoding(&Token::from(format.clone()).in_order(order));
        prop_assert_eq!(tokens_in(order, &bytes), Ok(vec![format.into()]));
    }

    #[test]
    fn m3_a_value_for_each_column((format, columns, cells, row) in strategy(600, sample)) {
        check_values(&format, &row.data);
        let read: Vec<Cell> = format
            .values(&row.data)
            .map(|(_, value)| Cell { status: value.status, data: value.data.map(<[u8]>::to_vec) })
            .collect();
        prop_assert_eq!(&read, &cells);
        prop_assert_eq!(read.len(), columns.len());
        // No more and no less: what is behind the last value is the next token, and a value that is cut is none.
        let order = format.order();
        let tokens = vec![format.clone().into(), token(&format, &row), token(&format, &row)];
        let bytes = values::payload_of(&tokens, order);
        prop_assert_eq!(tokens_in(order, &bytes), Ok(tokens));
        if !row.data.is_empty() {
            let error = tokens_in(order, &bytes[..bytes.len() - 1]).unwrap_err();
            prop_assert_eq!((error.message, error.field), ("Token", "body"));
        }
    }

    /// A length that is not what the columns take is malformed, in either direction.
    #[test]
    fn m3_the_length_is_what_the_columns_take(format in strategies::format(), by in prop_oneof![Just(-1_i64), Just(1)]) {
        let order = format.order();
        let mut bytes = check_encoding(&Token::from(format.clone()).in_order(order));
        let wide = matches!(format.kind(), FormatKind::WideParams | FormatKind::WideRows);
        let size = if wide { 4 } else { 2 };
        let length = (bytes.len() - 1 - size) as i64 + by;
        let length = match order {
            ByteOrder::Little => (length as u32).to_le_bytes()[..size].to_vec(),
            ByteOrder::Big => (length as u32).to_be_bytes()[4 - size..].to_vec(),
        };
        bytes[1..=size].copy_from_slice(&length);
        bytes.push(0);
        prop_assert!(tokens_in(order, &bytes).is_err());
    }

    /// The format that came last counts; formats of rows and of parameters are two things.
    #[test]
    fn m3_a_new_format_replaces_the_old(decisions in proptest::collection::vec(any::<u8>(), 0..600)) {
        let choices = &mut Choices::new(&decisions);
        let order = values::byte_order(choices);
        let formats: Vec<Format> = (0..5).map(|_| {
            let kind = values::format_kind(choices);
            values::format(kind, order, choices)
        }).collect();
        let mut tokens = Vec::new();
        let mut last: [Option<&Format>; 2] = [None; 2];
        for format in &formats {
            tokens.push(format.clone().into());
            last[usize::from(format.kind().is_rows())] = Some(format);
            for format in last.into_iter().flatten() {
                tokens.push(token(format, &values::values(format, choices)));
            }
        }
        let bytes = values::payload_of(&tokens, order);
        prop_assert_eq!(tokens_in(order, &bytes), Ok(tokens));
    }

    #[test]
    fn m3_values_of_unknown_types_are_refused(decisions in proptest::collection::vec(any::<u8>(), 0..100)) {
        let choices = &mut Choices::new(&decisions);
        let (kind, order) = (values::format_kind(choices), values::byte_order(choices));
        let ty = [0xec, 0x20, 0xee, 0x61][KINDS.iter().zip([0, 1, 2, 3]).find(|(other, _)| **other == kind).unwrap().1];
        let body = values::unreadable_format(kind, order, choices);
        let format = handover::tds5::token::Other { ty: handover::tds5::TokenType(ty), body: body.into() };
        let bytes = check_encoding(&Token::from(format.clone()).in_order(order));
        prop_assert_eq!(tokens_in(order, &bytes), Ok(vec![format.into()]), "it can be skipped");
        let row = [&bytes[..], &[if kind.is_rows() { 0xd1 } else { 0xd7 }, 0, 0, 0]].concat();
        let mut walk = walk(order, &row);
        prop_assert!(walk.next().unwrap().is_ok());
        let error: DecodeError = walk.next().unwrap().unwrap_err();
        prop_assert_eq!(error.kind.name(), handover::error::DecodeErrorKind::Unsupported { reason: "", got: 0 }.name());
        prop_assert!(walk.next().is_none());
    }
}

#[test]
fn m3_no_values_without_a_format() {
    for order in ORDERS {
        for (bytes, message) in [(b"\xd7\x00", "Params"), (b"\xd1\x00", "Row")] {
            let error = tokens_in(order, bytes).unwrap_err();
            assert_eq!((error.message, error.field), (message, "format"));
        }
        // A format of rows is none for parameters, and the other way round.
        let empty = |kind| Format::new(kind, order, &[]).unwrap();
        for (kind, good) in KINDS.into_iter().zip([false, false, true, true]) {
            let bytes = check_encoding(&Token::from(empty(kind)).in_order(order));
            assert_eq!(tokens_in(order, &[&bytes[..], b"\xd1"].concat()).is_ok(), good);
            assert_eq!(tokens_in(order, &[&bytes[..], b"\xd7"].concat()).is_ok(), !good);
        }
    }
}

#[test]
fn m3_null_and_empty_are_told_apart_by_the_status_only() {
    let with_status = Column { status: COLUMN_STATUS, ..Column::short(DataType::VARCHAR, 255) };
    let format = Format::new(
        FormatKind::Params,
        ByteOrder::Little,
        &[Column::short(DataType::VARCHAR, 255), with_status.clone(), with_status.clone(), with_status],
    )
    .unwrap();
    let row = [0, 1, 2, 0, 0, 1, b'x'];
    let read: Vec<_> = format.values(&row).map(|(_, value)| (value.status, value.data)).collect();
    assert_eq!(read, [(None, None), (Some(1), None), (Some(2), Some(&b""[..])), (Some(0), Some(&b"x"[..]))]);
    check_values(&format, &row);
}

#[test]
fn m3_columns_that_cannot_be_carried_are_refused() {
    let new = |kind, column: &Column| {
        Format::new(kind, ByteOrder::Little, core::slice::from_ref(column)).map(drop).map_err(|error| error.to_string())
    };
    let plain = Column::fixed(DataType::INT4);
    let long = |size: usize| Bytes::from(vec![0; size]);
    for kind in KINDS {
        let message = ["ParamFormat", "ParamFormat2", "RowFormat", "RowFormat2"]
            [KINDS.iter().position(|other| *other == kind).unwrap()];
        let origin = if kind == FormatKind::WideRows { Bytes::from_static(&[0; 4]) } else { Bytes::new() };
        let plain = Column { origin, ..plain.clone() };
        assert_eq!(new(kind, &plain), Ok(()));
        assert_eq!(
            new(kind, &plain.clone().named(long(256))),
            Err(format!("{message}.name is too long: 256, at most 255"))
        );
        for bad in [
            Column { locale: long(256), ..plain.clone() },
            Column { origin: Bytes::from_static(b"\x01"), ..plain.clone() },
            Column { size: long(1), ..plain.clone() },
            Column { size: Bytes::new(), data_type: DataType::VARCHAR, ..plain.clone() },
            Column { size: long(3), data_type: DataType::LONGCHAR, ..plain.clone() },
            Column { size: long(1), data_type: DataType::BIGTIMEN, ..plain.clone() },
            Column { data_type: DataType::BLOB, ..plain.clone() },
            // The name of a table is as long as its length says, in the connection's byte order.
            Column { size: Bytes::from_static(b"\0\0\0\0\x02\x00t"), data_type: DataType::TEXT, ..plain.clone() },
            Column { size: Bytes::from_static(b"\0\0\0\0\x00\x01t"), data_type: DataType::TEXT, ..plain.clone() },
            Column { size: Bytes::from_static(b"\0\0\0\0\x00\x00t"), data_type: DataType::XML, ..plain.clone() },
        ] {
            assert!(new(kind, &bad).is_err(), "{kind:?} {bad:?}");
        }
        let table =
            Column { size: Bytes::from_static(b"\0\0\0\0\x01\x00t"), data_type: DataType::TEXT, ..plain.clone() };
        assert_eq!(new(kind, &table), Ok(()));
        let wide = matches!(kind, FormatKind::WideParams | FormatKind::WideRows);
        assert_eq!(new(kind, &Column { status: 256, ..plain }).is_ok(), wide);
    }
    let many = vec![plain; 65_536];
    assert!(Format::new(FormatKind::WideParams, ByteOrder::Big, &many).is_err());
    assert!(Format::new(FormatKind::WideParams, ByteOrder::Big, &many[1..]).is_ok());
    assert!(Format::new(FormatKind::Params, ByteOrder::Big, &many[1..]).is_err());
}
