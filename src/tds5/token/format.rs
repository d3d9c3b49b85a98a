//! PARAMFMT, PARAMFMT2, ROWFMT and ROWFMT2: what the values behind them are (spec/tds5.md 3.2 and 3.5).

use super::body::{Compose, fits, length_u8, put_short_string, short_string};
use super::data_type::{DataType, Extent, Layout};
use crate::error::{DecodeError, EncodeError, to_u64};
use crate::tds5::ids::TokenType;
use crate::wire::{ByteOrder, Payload, Writer, bytes as take, fixed, put};
use alloc::vec::Vec;
use bytes::Bytes;

/// Which of the four format tokens it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum FormatKind {
    /// Of parameters: a length and a status in 16 and 8 bits.
    #[doc(alias = "TDS_PARAMFMT")]
    Params,
    /// Of parameters: a length and a status in 32 bits each.
    #[doc(alias = "TDS_PARAMFMT2")]
    WideParams,
    /// Of rows: laid out as [`Params`](Self::Params).
    #[doc(alias = "TDS_ROWFMT")]
    Rows,
    /// Of rows: with four names more a column.
    #[doc(alias = "TDS_ROWFMT2")]
    WideRows,
}

impl FormatKind {
    const fn message(self) -> &'static str {
        match self {
            Self::Params => "ParamFormat",
            Self::WideParams => "ParamFormat2",
            Self::Rows => "RowFormat",
            Self::WideRows => "RowFormat2",
        }
    }

    const fn is_wide(self) -> bool {
        matches!(self, Self::WideParams | Self::WideRows)
    }

    /// The kind of format that a token is, if it is one.
    pub(crate) const fn of(ty: TokenType) -> Option<Self> {
        match ty {
            TokenType::PARAM_FORMAT => Some(Self::Params),
            TokenType::PARAM_FORMAT_2 => Some(Self::WideParams),
            TokenType::ROW_FORMAT => Some(Self::Rows),
            TokenType::ROW_FORMAT_2 => Some(Self::WideRows),
            _ => None,
        }
    }

    /// The token that it is.
    pub(crate) const fn token_type(self) -> TokenType {
        match self {
            Self::Params => TokenType::PARAM_FORMAT,
            Self::WideParams => TokenType::PARAM_FORMAT_2,
            Self::Rows => TokenType::ROW_FORMAT,
            Self::WideRows => TokenType::ROW_FORMAT_2,
        }
    }

    /// Whether the rows or the parameters that follow are meant.
    #[must_use]
    pub const fn is_rows(self) -> bool {
        matches!(self, Self::Rows | Self::WideRows)
    }
}

/// The status of a column that says that a status byte stands before each value.
pub const COLUMN_STATUS: u32 = 0x08;

/// One parameter or one column of a [`Format`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Column<B = Bytes> {
    /// In a wide row format: label, catalogue, schema and table, each behind a length byte, as they stand there.
    /// Otherwise empty.
    pub origin: B,
    /// The name; parameters of messages have none.
    pub name: B,
    /// 0x01 returned, 0x08 a status byte stands before each value, 0x20 may be NULL; 8 bits unless the format is
    /// wide.
    pub status: u32,
    /// The application's own number for the type.
    pub user_type: i32,
    /// The type.
    pub data_type: DataType,
    /// The format part as it stands: empty, or the largest length and what else the type has.
    pub size: B,
    /// The locale, almost always empty.
    pub locale: B,
}

impl<B> Column<B> {
    /// The same column with its bytes held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> Column<C> {
        let Self { origin, name, status, user_type, data_type, size, locale } = self;
        Column {
            origin: convert(origin),
            name: convert(name),
            status,
            user_type,
            data_type,
            size: convert(size),
            locale: convert(locale),
        }
    }
}

impl Column {
    /// A column without a name, of a type without a format part: INT4, INT2, BIT and so on.
    #[must_use]
    pub const fn fixed(data_type: DataType) -> Self {
        Self {
            origin: Bytes::new(),
            name: Bytes::new(),
            status: 0,
            user_type: 0,
            data_type,
            size: Bytes::new(),
            locale: Bytes::new(),
        }
    }

    /// A column without a name, of a type whose values have a length byte: VARCHAR, VARBINARY, INTN and so on.
    #[must_use]
    pub fn short(data_type: DataType, max: u8) -> Self {
        Self { size: Bytes::copy_from_slice(&[max]), ..Self::fixed(data_type) }
    }

    /// A column without a name, of a type whose values have a length in four bytes: LONGCHAR, LONGBINARY.
    #[must_use]
    pub fn long(data_type: DataType, order: ByteOrder, max: u32) -> Self {
        Self { size: Bytes::copy_from_slice(&order.arrange(max).to_ne_bytes()), ..Self::fixed(data_type) }
    }

    /// The same column with a name.
    #[must_use]
    pub fn named(self, name: impl Into<Bytes>) -> Self {
        Self { name: name.into(), ..self }
    }
}

impl<B: Payload> Column<B> {
    fn len(&self, kind: FormatKind) -> usize {
        let parts = [&self.origin, &self.name, &self.size, &self.locale];
        // Name length, status, user type, data type, locale length.
        let fixed: usize = if kind.is_wide() { 11 } else { 8 };
        parts.iter().fold(fixed, |sum, part| sum.saturating_add(part.as_ref().len()))
    }

    fn check(&self, kind: FormatKind, order: ByteOrder) -> Result<(), EncodeError> {
        let message = kind.message();
        fits(message, "name", u8::MAX, self.name.as_ref().len())?;
        fits(message, "locale", u8::MAX, self.locale.as_ref().len())?;
        let invalid = |field, reason| Err(EncodeError::Invalid { message, field, reason });
        if !kind.is_wide() && self.status > u32::from(u8::MAX) {
            return invalid("status", "more than 8 bits");
        }
        let mut strings = self.origin.as_ref();
        for _ in 0..if kind == FormatKind::WideRows { 4 } else { 0 } {
            let Ok((_, rest)) = short_string(message, "origin", strings) else {
                return invalid("origin", "must be four strings behind length bytes");
            };
            strings = rest;
        }
        if !strings.is_empty() {
            return invalid("origin", "must be four strings behind length bytes, in a wide row format only");
        }
        match size_part(order, message, self.data_type, self.size.as_ref()) {
            Ok(([], _)) => Ok(()),
            _ => invalid("size", "does not fit the data type"),
        }
    }

    fn write(&self, kind: FormatKind, order: ByteOrder, writer: &mut Writer<'_>) {
        writer.put(self.origin.as_ref());
        put_short_string(writer, self.name.as_ref());
        if kind.is_wide() {
            put!(in order; writer, { status: u32 = self.status });
        } else {
            writer.put(&[length_u8(usize::try_from(self.status).unwrap_or(usize::MAX))]);
        }
        put!(in order; writer, { user_type: i32 = self.user_type, data_type: u8 = self.data_type.0 });
        writer.put(self.size.as_ref());
        put_short_string(writer, self.locale.as_ref());
    }
}

impl Column<&[u8]> {
    /// How many bytes the column's value at the front of `input` takes, its status byte among them.
    #[inline]
    fn value_extent(&self, order: ByteOrder, input: &[u8]) -> Result<Extent, DecodeError> {
        let layout = self.data_type.layout();
        if self.status & COLUMN_STATUS == 0 {
            return layout.value_extent(order, input);
        }
        Ok(match input.split_first() {
            None => Extent::Needs(1),
            Some((status, _)) if status & VALUE_IS_NULL != 0 => Extent::Whole(1),
            Some((_, rest)) => match layout.value_extent(order, rest)? {
                Extent::Whole(size) => Extent::Whole(size.saturating_add(1)),
                Extent::Needs(size) => Extent::Needs(size.saturating_add(1)),
            },
        })
    }

    /// The fewest bytes that a value of the column takes.
    fn least(&self) -> usize {
        if self.status & COLUMN_STATUS != 0 { 1 } else { self.data_type.layout().least() }
    }
}

/// The format part at the front of `input`: what is behind it, and the part itself.
#[inline(always)]
fn size_part<'a>(
    order: ByteOrder,
    message: &'static str,
    data_type: DataType,
    input: &'a [u8],
) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
    let size = match data_type.layout() {
        Layout::Fixed(_) => 0,
        Layout::Short(more) => usize::from(more).saturating_add(1),
        Layout::Long => 4,
        Layout::LargeObject => {
            let (_, (_max, table)) = fixed!(in order; message, input, { size: u32, table_name: u16 });
            usize::from(table).saturating_add(6)
        }
        Layout::Unknown => {
            let (reason, got) = ("the format of this data type is not known", u64::from(data_type.0));
            return Err(DecodeError::unsupported(message, "data_type", reason, got));
        }
    };
    take(message, "size", size, input)
}

/// What is known of the values of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    /// Each stands behind its length in a byte.
    Short,
    /// Anything: each column has to be looked at.
    Any,
}

/// A column, and what is behind it.
type Columns<'a> = (&'a [u8], Column<&'a [u8]>);

/// The column at the front of `input`, and what is behind it, if it is one of most: neither wide nor malformed, and of
/// a type whose format part has a fixed size. Where only some fields are asked for, the compiler leaves out the rest.
#[inline(always)]
fn usual_column(kind: FormatKind, order: ByteOrder, input: &[u8]) -> Option<Columns<'_>> {
    if kind.is_wide() {
        return None;
    }
    // Where the parts end. The last of them lies behind all others, so that these need no checks.
    let name = usize::from(*input.first()?).saturating_add(1);
    let fixed = name.saturating_add(6);
    let data_type = DataType(*input.get(fixed.saturating_sub(1))?);
    let size = fixed.saturating_add(usize::from(data_type.part()?));
    let locale = usize::from(*input.get(size)?).saturating_add(size).saturating_add(1);
    let rest = input.get(locale..)?;
    let &[status, a, b, c, d] = input.get(name..)?.first_chunk()?;
    let column = Column {
        origin: input.get(..0)?,
        name: input.get(1..name)?,
        status: u32::from(status),
        user_type: order.arrange(i32::from_ne_bytes([a, b, c, d])),
        data_type,
        size: input.get(fixed..size)?,
        locale: input.get(size.saturating_add(1)..locale)?,
    };
    Some((rest, column))
}

/// The shape of this many usual columns that take up all of `columns`; `None` if they do not or if one is not usual.
#[inline(always)]
fn usual_shape(kind: FormatKind, count: u16, columns: &[u8]) -> Option<Shape> {
    let (mut rest, mut short) = (columns, true);
    for _ in 0..count {
        let (behind, column) = usual_column(kind, ByteOrder::Little, rest)?;
        rest = behind;
        short &= column.data_type.is_short() & (column.status & COLUMN_STATUS == 0);
    }
    rest.is_empty().then_some(if short { Shape::Short } else { Shape::Any })
}

/// The same for any column.
#[inline(never)]
fn any_column(kind: FormatKind, order: ByteOrder, input: &[u8]) -> Result<Columns<'_>, DecodeError> {
    let message = kind.message();
    let mut rest = input;
    if kind == FormatKind::WideRows {
        for field in ["label", "catalogue", "schema", "table"] {
            (_, rest) = short_string(message, field, rest)?;
        }
    }
    let (origin, _) = input.split_at(input.len().saturating_sub(rest.len()));
    let (name, rest) = short_string(message, "name", rest)?;
    let (rest, (status, user_type, data_type)) = if kind.is_wide() {
        fixed!(in order; message, rest, { status: u32, user_type: i32, data_type: u8 })
    } else {
        let (rest, (status, user_type, data_type)) =
            fixed!(in order; message, rest, { status: u8, user_type: i32, data_type: u8 });
        (rest, (u32::from(status), user_type, data_type))
    };
    let data_type = DataType(data_type);
    let (rest, size) = size_part(order, message, data_type, rest)?;
    let (locale, rest) = short_string(message, "locale", rest)?;
    Ok((rest, Column { origin, name, status, user_type, data_type, size, locale }))
}

/// PARAMFMT, PARAMFMT2, ROWFMT or ROWFMT2: u16 count, then the columns. It holds for the values behind it until the
/// next one comes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "TDS_PARAMFMT")]
#[doc(alias = "TDS_ROWFMT")]
pub struct Format<B = Bytes> {
    kind: FormatKind,
    order: ByteOrder,
    count: u16,
    columns: B,
}

impl Format {
    /// A format of these columns, for a connection of this byte order.
    ///
    /// # Errors
    /// There are too many, or one of them cannot be carried.
    pub fn new(kind: FormatKind, order: ByteOrder, columns: &[Column]) -> Result<Self, EncodeError> {
        let message = kind.message();
        fits(message, "count", u16::MAX, columns.len())?;
        let mut bytes = Vec::new();
        for column in columns {
            column.check(kind, order)?;
            let start = bytes.len();
            bytes.resize(start.saturating_add(column.len(kind)), 0);
            let room = bytes.get_mut(start..).unwrap_or_default();
            Writer::fill(room, |writer| column.write(kind, order, writer));
        }
        let max = if kind.is_wide() { u64::from(u32::MAX) } else { u64::from(u16::MAX) };
        fits(message, "length", max, bytes.len().saturating_add(2))?;
        let count = u16::try_from(columns.len()).unwrap_or(u16::MAX);
        Ok(Self { kind, order, count, columns: bytes.into() })
    }
}

impl<B> Format<B> {
    /// Which token it is.
    #[must_use]
    pub const fn kind(&self) -> FormatKind {
        self.kind
    }

    /// The byte order of its connection.
    #[must_use]
    pub const fn order(&self) -> ByteOrder {
        self.order
    }

    /// How many columns there are.
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// The same format with its bytes held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> Format<C> {
        Format { kind: self.kind, order: self.order, count: self.count, columns: convert(self.columns) }
    }
}

impl<B: Payload> Format<B> {
    /// The columns, in order.
    pub fn columns(&self) -> impl Iterator<Item = Column<&[u8]>> + '_ {
        let mut rest = self.columns.as_ref();
        // All of them were parsed once: none fails.
        core::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let usual = usual_column(self.kind, self.order, rest);
            let (behind, column) = match usual {
                Some(found) => found,
                None => {
                    let (behind, column) = any_column(self.kind, self.order, rest).ok()?;
                    (behind, column.map(&mut |part| part))
                }
            };
            rest = behind;
            Some(column)
        })
    }

    /// How many bytes of `input` the values of all columns take: those of one PARAMS or ROW.
    pub(crate) fn values_extent(&self, input: &[u8]) -> Result<Extent, DecodeError> {
        let mut used = 0_usize;
        let mut columns = self.columns();
        while let Some(column) = columns.next() {
            match column.value_extent(self.order, input.get(used..).unwrap_or_default())? {
                Extent::Whole(size) => used = used.saturating_add(size),
                // The columns behind need something too: told at once, they are not gone over again byte by byte.
                Extent::Needs(size) => {
                    let needed = columns.fold(size, |sum, column| sum.saturating_add(column.least()));
                    return Ok(Extent::Needs(used.saturating_add(needed)));
                }
            }
        }
        Ok(Extent::Whole(used))
    }

    /// Each column with its value in `values`, those of one PARAMS or ROW in this format. It ends early where the
    /// values do.
    pub fn values<'a>(&'a self, values: &'a [u8]) -> impl Iterator<Item = (Column<&'a [u8]>, Value<'a>)> + 'a {
        let mut rest = values;
        self.columns().map_while(move |column| {
            let layout = column.data_type.layout();
            let with_status = column.status & COLUMN_STATUS != 0;
            let (status, data, behind) = match layout {
                Layout::Short(_) if !with_status => {
                    let (&size, rest) = rest.split_first()?;
                    let (data, behind) = rest.split_at_checked(usize::from(size))?;
                    (None, Some(data).filter(|data| !data.is_empty()), behind)
                }
                Layout::Fixed(size) if !with_status => {
                    let (data, behind) = rest.split_at_checked(usize::from(size))?;
                    (None, Some(data), behind)
                }
                _ => any_value(layout, with_status, self.order, rest)?,
            };
            rest = behind;
            Some((column, Value { status, data }))
        })
    }
}

/// A value's status, its bytes, and what is behind them.
type AnyValue<'a> = (Option<u8>, Option<&'a [u8]>, &'a [u8]);

/// The value at the front of `input`.
#[inline(never)]
fn any_value(layout: Layout, with_status: bool, order: ByteOrder, input: &[u8]) -> Option<AnyValue<'_>> {
    let (mut status, mut rest) = (None, input);
    if with_status {
        let (&first, behind) = rest.split_first()?;
        (status, rest) = (Some(first), behind);
        if first & VALUE_IS_NULL != 0 {
            return Some((status, None, rest));
        }
    }
    let Ok(Extent::Whole(size)) = layout.value_extent(order, rest) else { return None };
    let (value, rest) = rest.split_at_checked(size)?;
    let data = match layout {
        Layout::Fixed(_) => Some(value),
        // A length of 0 is NULL, unless the status says that it is an empty value.
        Layout::Short(_) => value.get(1..),
        Layout::Long => value.get(4..),
        Layout::LargeObject => value.split_first().and_then(|(&pointer, rest)| match pointer {
            0 => None,
            pointer => rest.get(usize::from(pointer).saturating_add(12)..),
        }),
        Layout::Unknown => None,
    };
    let empty_is_null = !matches!(layout, Layout::Fixed(_)) && status.is_none_or(|status| status & 2 == 0);
    Some((status, data.filter(|data| !(empty_is_null && data.is_empty())), rest))
}

/// The bit of a value's status byte that says: NULL, and nothing follows.
const VALUE_IS_NULL: u8 = 0x01;

/// One value of PARAMS or ROW.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Value<'a> {
    /// The status byte, where the format has one: 0 normal, 1 NULL, 2 empty and not NULL.
    pub status: Option<u8>,
    /// The bytes, without their length; `None` is NULL. Integers are in the connection's byte order.
    pub data: Option<&'a [u8]>,
}

impl core::fmt::Debug for Value<'_> {
    /// Values may be passwords: only the length is shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.data {
            Some(data) => write!(f, "Value({} bytes)", data.len()),
            None => f.write_str("Value(NULL)"),
        }
    }
}

impl<'a> Format<&'a [u8]> {
    /// Parses the body of the token that `kind` stands for, if its columns are usual ones.
    #[inline(always)]
    pub(crate) fn parse_usual(kind: FormatKind, order: ByteOrder, body: &'a [u8]) -> Option<(Self, Shape)> {
        let format = Self::parse_again(kind, order, body)?;
        let shape = usual_shape(kind, format.count, format.columns)?;
        Some((format, shape))
    }

    /// Parses a body that was parsed before.
    #[inline(always)]
    pub(crate) fn parse_again(kind: FormatKind, order: ByteOrder, body: &'a [u8]) -> Option<Self> {
        let (&count, columns) = body.split_first_chunk()?;
        Some(Self { kind, order, count: order.arrange(u16::from_ne_bytes(count)), columns })
    }

    /// The same for any columns.
    #[inline(never)]
    pub(crate) fn parse(kind: FormatKind, order: ByteOrder, body: &'a [u8]) -> Result<Self, DecodeError> {
        let message = kind.message();
        let (columns, (count,)) = fixed!(in order; message, body, { count: u16 });
        let mut rest = columns;
        for _ in 0..count {
            (rest, _) = any_column(kind, order, rest)?;
        }
        if !rest.is_empty() {
            let reason = "the length says more than the count of columns takes";
            return Err(DecodeError::invalid(message, "length", reason, to_u64(body.len())));
        }
        Ok(Self { kind, order, count, columns })
    }
}

impl<B: Payload> Compose for Format<B> {
    #[inline]
    fn body_len(&self) -> usize {
        self.columns.as_ref().len().saturating_add(2)
    }

    #[inline]
    fn write_body(&self, order: ByteOrder, writer: &mut Writer<'_>) {
        put!(in order; writer, { count: u16 = self.count });
        writer.put(self.columns.as_ref());
    }
}
