//! Values of every data type, as FreeTDS prints them.

use crate::freetds_results::session;
use crate::freetds_rows::{Cell, SAMPLE, Table, integer, sample, sized};
use crate::freetds_server::Session;
use handover::tds5::token::{Column, DataType, Done, FormatKind, Token};
use handover::wire::ByteOrder;

/// A column, a value and how `tsql` prints it, for each data type that FreeTDS knows. It does not ask for UNITEXT and XML,
/// and takes their formats for those of a LONGCHAR; of a SINT1 it prints nothing, and no separator behind it.
fn types(order: ByteOrder) -> Vec<(Column, Cell, &'static str)> {
    let fixed = Column::fixed;
    let short = Column::short;
    let long = |ty| Column::long(ty, order, 0x7fff_ffff);
    let parts = |high: i64, low: i64| Cell::Bytes([integer(order, high, 4), integer(order, low, 4)].concat());
    let float = |value: f64| Cell::Int(i64::from_ne_bytes(value.to_ne_bytes()));
    let single = |value: f32| Cell::Int(i64::from(i32::from_ne_bytes(value.to_ne_bytes())));
    let object = |ty| sized(ty, &[&integer(order, 0x7fff_ffff, 4)[..], &integer(order, 5, 2), b"table"].concat());
    vec![
        (fixed(DataType::BIT), 1.into(), "1"),
        (fixed(DataType::INT1), 200.into(), "200"),
        (fixed(DataType::SINT1), (-5).into(), ""),
        (fixed(DataType::INT2), (-2).into(), "-2"),
        (fixed(DataType::INT4), (-70_000).into(), "-70000"),
        (fixed(DataType::INT8), (-(1 << 40)).into(), "-1099511627776"),
        (fixed(DataType::UINT2), 65_535.into(), "65535"),
        (fixed(DataType::UINT4), 4_294_967_295.into(), "4294967295"),
        (fixed(DataType::UINT8), (1 << 62).into(), "4611686018427387904"),
        (short(DataType::INTN, 1), 200.into(), "200"),
        (short(DataType::INTN, 2), (-300).into(), "-300"),
        (short(DataType::INTN, 4), (-70_000).into(), "-70000"),
        (short(DataType::INTN, 8), (1 << 40).into(), "1099511627776"),
        (short(DataType::UINTN, 2), 65_535.into(), "65535"),
        (short(DataType::UINTN, 4), 4_294_967_295.into(), "4294967295"),
        (short(DataType::UINTN, 8), (1 << 40).into(), "1099511627776"),
        (fixed(DataType::FLT4), single(0.5), "0.5"),
        (fixed(DataType::FLT8), float(-2.25), "-2.25"),
        (short(DataType::FLTN, 4), single(0.5), "0.5"),
        (short(DataType::FLTN, 8), float(1.5), "1.5"),
        (fixed(DataType::MONEY), parts(1, 5_000), "429497.2296"),
        (fixed(DataType::SHORT_MONEY), 12_345.into(), "1.2345"),
        (short(DataType::MONEYN, 8), parts(0, 10_000), "1.0000"),
        (short(DataType::MONEYN, 4), (-10_000).into(), "-1.0000"),
        (fixed(DataType::DATETIME), parts(36_524, 300 * 3600), "Jan  1 2000 01:00AM"),
        (
            fixed(DataType::SHORT_DATETIME),
            Cell::Bytes([integer(order, 36_524, 2), integer(order, 61, 2)].concat()),
            "Jan  1 2000 01:01AM",
        ),
        (short(DataType::DATETIMEN, 8), parts(36_525, 300), "Jan  2 2000 12:00AM"),
        (
            short(DataType::DATETIMEN, 4),
            Cell::Bytes([integer(order, 0, 2), integer(order, 0, 2)].concat()),
            "Jan  1 1900 12:00AM",
        ),
        (fixed(DataType::DATE), 36_524.into(), "Jan  1 2000 12:00AM"),
        (fixed(DataType::TIME), (300 * 3600).into(), "Jan  1 1900 01:00AM"),
        (short(DataType::DATEN, 4), 36_524.into(), "Jan  1 2000 12:00AM"),
        (short(DataType::TIMEN, 4), (300 * 60).into(), "Jan  1 1900 12:01AM"),
        (
            sized(DataType::BIGDATETIMEN, &[8, 6]),
            (730_485 * 86_400_000_000_i64 + 60_123_456).into(),
            "Jan  1 2000 12:01AM",
        ),
        (sized(DataType::BIGTIMEN, &[8, 6]), 3_600_123_456.into(), "Jan  1 1900 01:00AM"),
        (sized(DataType::NUMN, &[5, 8, 3]), b"\x01\x00\x00\x30\x39"[..].into(), "-12.345"),
        (sized(DataType::DECN, &[5, 8, 2]), b"\x00\x00\x00\x30\x39"[..].into(), "123.45"),
        (short(DataType::CHAR, 8), "char".into(), "char"),
        (short(DataType::VARCHAR, 8), "hält".into(), "hält"),
        (short(DataType::BINARY, 4), b"\x00\x01\xff"[..].into(), "0001ff"),
        (short(DataType::VARBINARY, 4), b"\xab"[..].into(), "ab"),
        (long(DataType::LONGCHAR), "long".into(), "long"),
        (long(DataType::LONGBINARY), b"\xca\xfe"[..].into(), "cafe"),
        (object(DataType::TEXT), "object".into(), "object"),
        (object(DataType::IMAGE), b"\xbe\xef"[..].into(), "beef"),
    ]
}

#[test]
fn values_of_every_type_are_printed_in_both_formats() {
    for (kind, word) in [(FormatKind::Rows, "narrow"), (FormatKind::WideRows, "wide")] {
        let answer = move |session: &mut Session<'_>, sql: &str| {
            let types = types(session.order());
            // Each type by itself, or all in one row.
            let (chosen, nulls) = match sql.trim().parse::<usize>() {
                Ok(number) => (types[number..=number].to_vec(), true),
                Err(_) => (types, false),
            };
            let behind = (Column::fixed(DataType::INT4), Cell::Int(4711), "4711");
            let chosen: Vec<_> = chosen.into_iter().chain([behind]).collect();
            let columns = chosen.iter().map(|(column, ..)| Column { status: 0x20, ..column.clone() }.named("value"));
            let table = Table::new(kind, session.order(), columns.collect());
            let mut tokens = vec![table.format(), table.row(chosen.iter().map(|(_, cell, _)| cell.clone()))];
            if nulls && !chosen[0].0.size.is_empty() {
                tokens.push(table.row([Cell::Null, Cell::Int(4711)]));
            }
            tokens.push(Done::FINAL.into());
            session.respond(tokens);
        };
        let count = types(ByteOrder::Little).len();
        let batches: Vec<_> = (0..count).map(|number| number.to_string()).chain([word.to_owned()]).collect();
        let Some(finished) = session(&batches, answer) else { return };
        finished.assert_clean();
        let mut expected = Vec::new();
        let mut line = String::new();
        for (column, _, printed) in types(ByteOrder::Little) {
            expected.extend(["value|value".to_owned(), format!("{printed}|4711")]);
            if !column.size.is_empty() {
                expected.push("NULL|4711".into());
            }
            let rows = if column.size.is_empty() { "1 row" } else { "2 rows" };
            expected.push(format!("({rows} affected)"));
            if !printed.is_empty() {
                line.push_str(&format!("{printed}|"));
            }
        }
        expected.extend([vec!["value"; count + 1].join("|"), format!("{line}4711"), "(1 row affected)".into()]);
        assert_eq!(finished.stdout, expected);
        assert!(finished.stderr.is_empty());
    }
}

/// The same as parameters, between the tokens of another answer.
#[test]
fn parameters_of_every_type_are_skipped_in_both_formats() {
    for kind in [FormatKind::Params, FormatKind::WideParams] {
        let answer = move |session: &mut Session<'_>, sql: &str| {
            let (column, cell, _) = types(session.order()).swap_remove(sql.trim().parse().unwrap());
            let columns = vec![Column { status: 1, ..column.named("@out") }, Column::fixed(DataType::INT4)];
            let table = Table::new(kind, session.order(), columns);
            let Token::Row(values) = table.row([cell, Cell::Int(4711)]) else { unreachable!("it is one") };
            let parameters = [table.format(), Token::Params(values)];
            let tokens = sample(FormatKind::Rows, session.order());
            session
                .respond(tokens.into_iter().flat_map(|token| [&parameters[..], &[token]].concat()).collect::<Vec<_>>());
        };
        let batches: Vec<_> = (0..types(ByteOrder::Little).len()).map(|number| number.to_string()).collect();
        let Some(finished) = session(&batches, answer) else { return };
        finished.assert_clean();
        assert_eq!(finished.stdout, SAMPLE.repeat(batches.len()));
    }
}
