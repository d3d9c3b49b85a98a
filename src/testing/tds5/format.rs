//! Formats, and values that fit them.

use crate::tds5::token::{COLUMN_STATUS, Column, DataType, Format, FormatKind, Values};
use crate::testing::Choices;
use crate::wire::ByteOrder;
use bytes::Bytes;
use std::vec;
use std::vec::Vec;

/// How a data type's values are laid out, by spec/tds5.md 3.5 and not by the codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// This many bytes, and nothing in the format.
    Plain(usize),
    /// A length byte; in the format one, and this many bytes more.
    Short(usize),
    /// A length in four bytes, here and in the format.
    Long,
    /// Pointer, timestamp, length in four bytes; in the format a length and the name of a table.
    Object,
}

/// Every data type whose values can be told apart.
const TYPES: [(DataType, Shape); 38] = [
    (DataType::VARCHAR, Shape::Short(0)),
    (DataType::INTN, Shape::Short(0)),
    (DataType::VARBINARY, Shape::Short(0)),
    (DataType::INT4, Shape::Plain(4)),
    (DataType::LONGCHAR, Shape::Long),
    (DataType::LONGBINARY, Shape::Long),
    (DataType::CHAR, Shape::Short(0)),
    (DataType::BINARY, Shape::Short(0)),
    (DataType::UINTN, Shape::Short(0)),
    (DataType::FLTN, Shape::Short(0)),
    (DataType::MONEYN, Shape::Short(0)),
    (DataType::DATETIMEN, Shape::Short(0)),
    (DataType::DATEN, Shape::Short(0)),
    (DataType::TIMEN, Shape::Short(0)),
    (DataType::BIGDATETIMEN, Shape::Short(1)),
    (DataType::BIGTIMEN, Shape::Short(1)),
    (DataType::DECN, Shape::Short(2)),
    (DataType::NUMN, Shape::Short(2)),
    (DataType::BIT, Shape::Plain(1)),
    (DataType::INT1, Shape::Plain(1)),
    (DataType::SINT1, Shape::Plain(1)),
    (DataType::INT2, Shape::Plain(2)),
    (DataType::UINT2, Shape::Plain(2)),
    (DataType::UINT4, Shape::Plain(4)),
    (DataType::FLT4, Shape::Plain(4)),
    (DataType::DATE, Shape::Plain(4)),
    (DataType::TIME, Shape::Plain(4)),
    (DataType::SHORT_DATETIME, Shape::Plain(4)),
    (DataType::SHORT_MONEY, Shape::Plain(4)),
    (DataType::INT8, Shape::Plain(8)),
    (DataType::UINT8, Shape::Plain(8)),
    (DataType::FLT8, Shape::Plain(8)),
    (DataType::DATETIME, Shape::Plain(8)),
    (DataType::MONEY, Shape::Plain(8)),
    (DataType::TEXT, Shape::Object),
    (DataType::IMAGE, Shape::Object),
    (DataType::UNITEXT, Shape::Object),
    (DataType::XML, Shape::Object),
];

fn shape(ty: DataType) -> Shape {
    let known = TYPES.iter().find(|(other, _)| *other == ty);
    known.expect("generated formats have known types only").1
}

/// A data type whose values can be told apart.
pub fn data_type(choices: &mut Choices<'_>) -> DataType {
    choices.pick(&TYPES).0
}

/// A data type of which nothing is known: formats with it can be skipped, values cannot.
pub fn unknown_data_type(choices: &mut Choices<'_>) -> DataType {
    let ty = DataType(choices.byte());
    if TYPES.iter().any(|(known, _)| *known == ty) { DataType::BLOB } else { ty }
}

/// A number in the connection's byte order, four bytes.
pub(super) fn four(order: ByteOrder, number: u32) -> [u8; 4] {
    if order == ByteOrder::Big { number.to_be_bytes() } else { number.to_le_bytes() }
}

/// A number in the connection's byte order, two bytes.
pub(super) fn two(order: ByteOrder, number: u16) -> [u8; 2] {
    if order == ByteOrder::Big { number.to_be_bytes() } else { number.to_le_bytes() }
}

/// A column of a format of this kind and order: any known type, any status, names and locales of any length.
pub fn column(kind: FormatKind, order: ByteOrder, choices: &mut Choices<'_>) -> Column {
    let data_type = data_type(choices);
    let size = match shape(data_type) {
        Shape::Plain(_) => Vec::new(),
        Shape::Short(more) => (0..=more).map(|_| choices.byte()).collect(),
        Shape::Long => four(order, choices.edge_u32()).to_vec(),
        Shape::Object => {
            let table = choices.bytes(300);
            let mut size = four(order, choices.edge_u32()).to_vec();
            size.extend(two(order, table.len() as u16));
            size.extend(table);
            size
        }
    };
    let mut origin = Vec::new();
    if kind == FormatKind::WideRows {
        for _ in 0..4 {
            let part = if choices.one_in(3) { choices.bytes(255) } else { Vec::new() };
            origin.push(part.len() as u8);
            origin.extend(part);
        }
    }
    let name = if choices.one_in(3) { choices.bytes(255) } else { Vec::new() };
    let wide = matches!(kind, FormatKind::WideParams | FormatKind::WideRows);
    let mut status = if wide { choices.edge_u32() } else { u32::from(choices.byte()) };
    if choices.boolean() {
        status ^= COLUMN_STATUS;
    }
    let locale = if choices.one_in(8) { choices.bytes(255) } else { Vec::new() };
    Column {
        origin: origin.into(),
        name: name.into(),
        status,
        user_type: choices.edge_u32() as i32,
        data_type,
        size: size.into(),
        locale: locale.into(),
    }
}

/// Any of the four kinds of format.
pub fn format_kind(choices: &mut Choices<'_>) -> FormatKind {
    *choices.pick(&[FormatKind::Params, FormatKind::Rows, FormatKind::WideParams, FormatKind::WideRows])
}

/// Columns for a format: mostly a few, now and then none, and now and then a hundred.
pub fn columns(kind: FormatKind, order: ByteOrder, choices: &mut Choices<'_>) -> Vec<Column> {
    let count = if choices.one_in(32) { choices.below(100) } else { choices.below(5) };
    let mut columns: Vec<Column> = (0..count).map(|_| column(kind, order, choices)).collect();
    // What the 16 bits of a length cannot say is not what is tried here.
    let len = |column: &Column| column.origin.len() + column.name.len() + column.size.len() + column.locale.len() + 11;
    while columns.iter().map(len).sum::<usize>() > 65_000 {
        columns.pop();
    }
    columns
}

/// A format of this kind, with [`columns`].
pub fn format(kind: FormatKind, order: ByteOrder, choices: &mut Choices<'_>) -> Format {
    Format::new(kind, order, &columns(kind, order, choices)).expect("the generator keeps to the rules")
}

/// One value as it goes into a PARAMS or a ROW.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The status byte, where the column has one.
    pub status: Option<u8>,
    /// The bytes, `None` for NULL.
    pub data: Option<Vec<u8>>,
}

/// A value for each column of a format: NULL, empty and full ones.
pub fn cells(format: &Format, choices: &mut Choices<'_>) -> Vec<Cell> {
    format.columns().map(|column| cell(column.status, column.data_type, choices)).collect()
}

fn cell(column_status: u32, ty: DataType, choices: &mut Choices<'_>) -> Cell {
    let has_status = column_status & COLUMN_STATUS != 0;
    let null = choices.one_in(4);
    if has_status && null {
        // The other bits mean nothing then.
        return Cell { status: Some(choices.byte() | 1), data: None };
    }
    let data = match shape(ty) {
        Shape::Plain(size) => {
            let status = has_status.then(|| choices.byte() & !1);
            return Cell { status, data: Some((0..size).map(|_| choices.byte()).collect()) };
        }
        Shape::Short(_) => match ty {
            DataType::INTN | DataType::UINTN => {
                let size = *choices.pick(&[4, 1, 2, 8]);
                (0..size).map(|_| choices.byte()).collect()
            }
            _ => choices.bytes(255),
        },
        Shape::Long | Shape::Object => {
            let most = if choices.one_in(64) { 70_000 } else { 600 };
            choices.bytes(most)
        }
    };
    let is_empty = null || data.is_empty();
    match has_status {
        // Without a status byte nothing tells an empty value from NULL.
        false if is_empty => Cell { status: None, data: None },
        false => Cell { status: None, data: Some(data) },
        true => {
            let status = choices.byte() & !1;
            let status = if data.is_empty() { status | 2 } else { status };
            Cell { status: Some(status), data: Some(data) }
        }
    }
}

/// The bytes of `cells`, which must be one for each column of the format.
pub fn values_of(format: &Format, cells: &[Cell], choices: &mut Choices<'_>) -> Values {
    let order = format.order();
    let mut out = Vec::new();
    for (column, cell) in format.columns().zip(cells) {
        out.extend(cell.status);
        if cell.status.is_some_and(|status| status & 1 != 0) {
            continue;
        }
        let data = cell.data.as_deref().unwrap_or_default();
        match shape(column.data_type) {
            Shape::Plain(_) => {}
            Shape::Short(_) => out.push(data.len() as u8),
            Shape::Long => out.extend(four(order, data.len() as u32)),
            Shape::Object if cell.data.is_none() => out.push(0),
            Shape::Object => {
                let pointer = choices.byte().max(1);
                out.push(pointer);
                out.resize(out.len() + usize::from(pointer) + 8, 0xbb);
                out.extend(four(order, data.len() as u32));
            }
        }
        out.extend_from_slice(data);
    }
    Values { data: Bytes::from(out) }
}

/// Values that fit the format: those of one PARAMS or ROW.
pub fn values(format: &Format, choices: &mut Choices<'_>) -> Values {
    let cells = cells(format, choices);
    values_of(format, &cells, choices)
}

/// The bytes of a format that has a data type of which nothing is known: the body of a token of this kind.
pub fn unreadable_format(kind: FormatKind, order: ByteOrder, choices: &mut Choices<'_>) -> Vec<u8> {
    let mut body = two(order, 1).to_vec();
    if kind == FormatKind::WideRows {
        body.extend([0; 4]);
    }
    body.push(0);
    let wide = matches!(kind, FormatKind::WideParams | FormatKind::WideRows);
    body.extend(vec![choices.byte(); if wide { 4 } else { 1 }]);
    body.extend([0; 4]);
    body.push(unknown_data_type(choices).0);
    body.extend(choices.bytes(20));
    body
}
