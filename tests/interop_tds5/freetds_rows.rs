//! Results as a server writes them: formats and rows.

use bytes::Bytes;
use handover::tds5::DoneStatus;
use handover::tds5::token::{Column, DataType, Done, Format, FormatKind, Token, Values};
use handover::wire::ByteOrder;

/// A value that is still to be laid out.
#[derive(Clone, Debug)]
pub enum Cell {
    Null,
    /// In as many bytes as the column's type has.
    Int(i64),
    Bytes(Vec<u8>),
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Bytes(text.into())
    }
}

impl From<&[u8]> for Cell {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// Columns, and how they are announced.
#[derive(Clone, Debug)]
pub struct Table {
    pub kind: FormatKind,
    pub order: ByteOrder,
    pub columns: Vec<Column>,
}

impl Table {
    pub fn new(kind: FormatKind, order: ByteOrder, columns: Vec<Column>) -> Self {
        Self { kind, order, columns }
    }

    /// ROWFMT or ROWFMT2, in which a column has its label before its name.
    pub fn format(&self) -> Token {
        let mut columns = self.columns.clone();
        if self.kind == FormatKind::WideRows {
            for column in &mut columns {
                let mut origin = vec![u8::try_from(column.name.len()).unwrap()];
                origin.extend_from_slice(&column.name);
                origin.extend_from_slice(b"\x06master\x03dbo\x05table");
                column.origin = origin.into();
            }
        }
        Format::new(self.kind, self.order, &columns).unwrap().into()
    }

    pub fn row<C: Into<Cell>>(&self, cells: impl IntoIterator<Item = C>) -> Token {
        let mut data = Vec::new();
        let mut cells = cells.into_iter();
        for column in &self.columns {
            put(self.order, column, cells.next().expect("a cell for each column").into(), &mut data);
        }
        Token::Row(Values { data: data.into() })
    }
}

fn put(order: ByteOrder, column: &Column, cell: Cell, data: &mut Vec<u8>) {
    let fixed = match column.data_type {
        DataType::BIT | DataType::INT1 | DataType::SINT1 => 1,
        DataType::INT2 | DataType::UINT2 => 2,
        DataType::INT4 | DataType::UINT4 | DataType::FLT4 | DataType::DATE | DataType::TIME => 4,
        DataType::SHORT_DATETIME | DataType::SHORT_MONEY => 4,
        DataType::INT8 | DataType::UINT8 | DataType::FLT8 | DataType::DATETIME | DataType::MONEY => 8,
        _ => 0,
    };
    let size = if fixed > 0 { fixed } else { column.size.first().copied().map_or(0, usize::from) };
    let bytes = match cell {
        Cell::Null => None,
        Cell::Bytes(bytes) => Some(bytes),
        Cell::Int(value) => Some(integer(order, value, size)),
    };
    let length = u32::try_from(bytes.as_ref().map_or(0, Vec::len)).unwrap();
    let long = integer(order, length.into(), 4);
    match column.data_type {
        _ if fixed > 0 => assert_eq!(bytes.as_ref().map(Vec::len), Some(fixed), "{column:?}"),
        DataType::LONGCHAR | DataType::LONGBINARY => data.extend_from_slice(&long),
        DataType::TEXT | DataType::IMAGE | DataType::UNITEXT | DataType::XML if bytes.is_none() => data.push(0),
        DataType::TEXT | DataType::IMAGE | DataType::UNITEXT | DataType::XML => {
            // A pointer of 16 bytes and a timestamp of 8.
            data.push(16);
            data.extend_from_slice(&[0xee; 16]);
            data.extend_from_slice(&[0xdd; 8]);
            data.extend_from_slice(&long);
        }
        _ => data.push(u8::try_from(length).unwrap()),
    }
    data.extend_from_slice(&bytes.unwrap_or_default());
}

/// The last `size` bytes of a number.
pub fn integer(order: ByteOrder, value: i64, size: usize) -> Vec<u8> {
    match order {
        ByteOrder::Little => value.to_le_bytes()[..size].to_vec(),
        ByteOrder::Big => value.to_be_bytes()[8 - size..].to_vec(),
    }
}

/// A DONE that counts rows; a final one, or one with more to come.
pub fn counted(count: i32, more: bool) -> Token {
    let status = if more { DoneStatus::COUNT | DoneStatus::MORE } else { DoneStatus::COUNT };
    Done { status, count, ..Done::FINAL }.into()
}

/// Two rows of three columns, and how `tsql` prints them.
pub fn sample(kind: FormatKind, order: ByteOrder) -> Vec<Token> {
    let nullable = Column { status: 0x20, ..Column::short(DataType::INTN, 4) };
    let name = Column::short(DataType::VARCHAR, 30);
    let columns = vec![name.named("name"), Column::fixed(DataType::INT4).named("number"), nullable.named("maybe")];
    let table = Table::new(kind, order, columns);
    let rows = [[Cell::from("first"), Cell::Int(-7), Cell::Int(8)], ["".into(), Cell::Int(70_000), Cell::Null]];
    let mut tokens = vec![table.format()];
    tokens.extend(rows.into_iter().map(|row| table.row(row)));
    tokens.push(counted(2, false));
    tokens
}

/// How `tsql` prints [`sample`]. An empty VARCHAR is NULL.
pub const SAMPLE: [&str; 4] = ["name|number|maybe", "first|-7|8", "NULL|70000|NULL", "(2 rows affected)"];

/// Text of `length` bytes in which a hole or a repetition shows.
pub fn text(seed: usize, length: usize) -> String {
    (0..length).map(|i| char::from(b'a' + u8::try_from((seed * 7 + i * 3 + i / 26) % 26).unwrap())).collect()
}

/// `count` rows of a number and a text of 97 bytes.
pub fn many(order: ByteOrder, count: usize) -> Vec<Token> {
    let columns = vec![Column::fixed(DataType::INT4).named("n"), Column::short(DataType::VARCHAR, 100).named("text")];
    let table = Table::new(FormatKind::Rows, order, columns);
    let rows = (0..count).map(|n| table.row([Cell::Int(i64::try_from(n).unwrap()), text(n, 97).as_str().into()]));
    let end = counted(i32::try_from(count).unwrap(), false);
    [table.format()].into_iter().chain(rows).chain([end]).collect()
}

/// How `tsql` prints [`many`].
pub fn many_printed(count: usize) -> Vec<String> {
    let rows = (0..count).map(|n| format!("{n}|{}", text(n, 97)));
    ["n|text".to_owned()].into_iter().chain(rows).chain([format!("({count} rows affected)")]).collect()
}

/// A column with more in its format than a length.
pub fn sized(data_type: DataType, size: &[u8]) -> Column {
    Column { size: Bytes::copy_from_slice(size), ..Column::fixed(data_type) }
}
