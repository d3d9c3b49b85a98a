//! Data types: what a format says about a value, and how long a value is (spec/tds5.md 3.5).

use crate::error::DecodeError;
use crate::wire::{ByteOrder, codes, parse};
use nom::Parser;

codes! {
    /// The type of a parameter or a column.
    pub struct DataType(u8) {
        /// Nothing: its values, which would take no bytes, cannot be read here.
        VOID = 0x1f, "TDS_VOID";
        /// Bytes, in a table's large object.
        IMAGE = 0x22, "TDS_IMAGE";
        /// Text, in a table's large object.
        TEXT = 0x23, "TDS_TEXT";
        /// A large object in pieces: its values cannot be skipped here.
        BLOB = 0x24, "TDS_BLOB";
        /// Up to 255 bytes.
        VARBINARY = 0x25, "TDS_VARBINARY";
        /// An integer of 1, 2, 4 or 8 bytes, or NULL.
        INTN = 0x26, "TDS_INTN";
        /// Up to 255 characters.
        VARCHAR = 0x27, "TDS_VARCHAR";
        /// Up to 255 bytes, padded.
        BINARY = 0x2d, "TDS_BINARY";
        /// Up to 255 characters, padded.
        CHAR = 0x2f, "TDS_CHAR";
        /// An unsigned byte.
        INT1 = 0x30, "TDS_INT1";
        /// A date.
        DATE = 0x31, "TDS_DATE";
        /// 0 or 1.
        BIT = 0x32, "TDS_BIT";
        /// A time.
        TIME = 0x33, "TDS_TIME";
        /// Two bytes, signed.
        INT2 = 0x34, "TDS_INT2";
        /// Four bytes, signed.
        INT4 = 0x38, "TDS_INT4";
        /// A date and a time in four bytes.
        SHORT_DATETIME = 0x3a, "TDS_SHORTDATE";
        /// A floating-point number in four bytes.
        FLT4 = 0x3b, "TDS_FLT4";
        /// Money in eight bytes.
        MONEY = 0x3c, "TDS_MONEY";
        /// A date and a time in eight bytes.
        DATETIME = 0x3d, "TDS_DATETIME";
        /// A floating-point number in eight bytes.
        FLT8 = 0x3e, "TDS_FLT8";
        /// Two bytes, unsigned.
        UINT2 = 0x41, "TDS_UINT2";
        /// Four bytes, unsigned.
        UINT4 = 0x42, "TDS_UINT4";
        /// Eight bytes, unsigned.
        UINT8 = 0x43, "TDS_UINT8";
        /// An unsigned integer of 1, 2, 4 or 8 bytes, or NULL.
        UINTN = 0x44, "TDS_UINTN";
        /// Decimal digits, or NULL.
        DECN = 0x6a, "TDS_DECN";
        /// Decimal digits, or NULL.
        NUMN = 0x6c, "TDS_NUMN";
        /// A floating-point number, or NULL.
        FLTN = 0x6d, "TDS_FLTN";
        /// Money, or NULL.
        MONEYN = 0x6e, "TDS_MONEYN";
        /// A date and a time, or NULL.
        DATETIMEN = 0x6f, "TDS_DATETIMEN";
        /// Money in four bytes.
        SHORT_MONEY = 0x7a, "TDS_SHORTMONEY";
        /// A date, or NULL.
        DATEN = 0x7b, "TDS_DATEN";
        /// A time, or NULL.
        TIMEN = 0x93, "TDS_TIMEN";
        /// An XML document, in a table's large object.
        XML = 0xa3, "TDS_XML";
        /// UTF-16 text, in a table's large object.
        UNITEXT = 0xae, "TDS_UNITEXT";
        /// Characters, with a long length.
        LONGCHAR = 0xaf, "TDS_LONGCHAR";
        /// A signed byte.
        SINT1 = 0xb0, "TDS_SINT1";
        /// A date and a time in microseconds, or NULL.
        BIGDATETIMEN = 0xbb, "TDS_BIGDATETIMEN";
        /// A time in microseconds, or NULL.
        BIGTIMEN = 0xbc, "TDS_BIGTIMEN";
        /// Eight bytes, signed.
        INT8 = 0xbf, "TDS_INT8";
        /// Bytes, with a long length.
        LONGBINARY = 0xe1, "TDS_LONGBINARY";
    }
}

/// How the values of a type are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Always this many bytes; nothing in the format.
    Fixed(u8),
    /// A length byte; the format has the largest length in one byte, and this many more bytes.
    Short(u8),
    /// A length in four bytes; the format has the largest length in four.
    Long,
    /// A large object: the format has four bytes of largest length and the name of its table; a value has a
    /// pointer behind a length byte (0 is NULL), eight bytes of timestamp, and a length in four bytes.
    LargeObject,
    /// We do not know.
    Unknown,
}

/// What is known of a type by its number.
#[derive(Clone, Copy)]
struct Known {
    layout: Layout,
    /// How many bytes it takes in a format, if that is always the same and not 255.
    part: u8,
    /// Whether its values have a length byte.
    short: bool,
}

/// All of them: to look one up is quicker than to go through the rule for each value.
const KNOWN: [Known; 256] = {
    let mut known = [UNKNOWN; 256];
    let (mut rest, mut number): (&mut [Known], u8) = (&mut known, 0);
    while let Some((first, behind)) = rest.split_first_mut() {
        let layout = DataType(number).rule();
        let (part, short) = match layout {
            Layout::Fixed(_) => (0, false),
            Layout::Short(more) => (more.saturating_add(1), true),
            Layout::Long => (4, false),
            Layout::LargeObject | Layout::Unknown => (u8::MAX, false),
        };
        *first = Known { layout, part, short };
        (rest, number) = (behind, number.wrapping_add(1));
    }
    known
};

const UNKNOWN: Known = Known { layout: Layout::Unknown, part: u8::MAX, short: false };

impl DataType {
    #[inline(always)]
    fn known(self) -> Known {
        KNOWN.get(usize::from(self.0)).copied().unwrap_or(UNKNOWN)
    }

    #[inline]
    pub(crate) fn layout(self) -> Layout {
        self.known().layout
    }

    /// How many bytes it takes in a format, if that is always the same.
    #[inline]
    pub(crate) fn part(self) -> Option<u8> {
        Some(self.known().part).filter(|&part| part != u8::MAX)
    }

    /// Whether its values have a length byte.
    #[inline]
    pub(crate) fn is_short(self) -> bool {
        self.known().short
    }

    const fn rule(self) -> Layout {
        match self {
            Self::INT1 | Self::BIT | Self::SINT1 => Layout::Fixed(1),
            Self::INT2 | Self::UINT2 => Layout::Fixed(2),
            Self::INT4 | Self::UINT4 | Self::DATE | Self::TIME | Self::SHORT_DATETIME | Self::FLT4 => Layout::Fixed(4),
            Self::SHORT_MONEY => Layout::Fixed(4),
            Self::INT8 | Self::UINT8 | Self::MONEY | Self::DATETIME | Self::FLT8 => Layout::Fixed(8),
            Self::VARCHAR | Self::CHAR | Self::VARBINARY | Self::BINARY | Self::INTN | Self::UINTN => Layout::Short(0),
            Self::FLTN | Self::MONEYN | Self::DATETIMEN | Self::DATEN | Self::TIMEN => Layout::Short(0),
            Self::BIGDATETIMEN | Self::BIGTIMEN => Layout::Short(1),
            Self::DECN | Self::NUMN => Layout::Short(2),
            Self::LONGCHAR | Self::LONGBINARY => Layout::Long,
            Self::TEXT | Self::IMAGE | Self::UNITEXT | Self::XML => Layout::LargeObject,
            _ => Layout::Unknown,
        }
    }

    /// Whether values are text in the session's character set.
    #[must_use]
    pub const fn is_text(self) -> bool {
        matches!(self, Self::VARCHAR | Self::CHAR | Self::LONGCHAR | Self::TEXT)
    }
}

/// What the end of the input at a place means: the frame is not whole yet, or the body is malformed.
pub(crate) enum Extent {
    /// This many bytes.
    Whole(usize),
    /// At least this many bytes are needed.
    Needs(usize),
}

impl Layout {
    /// The fewest bytes that a value takes: never none, so that what a row costs is paid for in bytes.
    pub(crate) fn least(self) -> usize {
        match self {
            Self::Fixed(size) => usize::from(size),
            Self::Long => 4,
            Self::Short(_) | Self::LargeObject | Self::Unknown => 1,
        }
    }

    /// How many bytes of `input` the value at its front takes.
    #[inline(always)]
    pub(crate) fn value_extent(self, order: ByteOrder, input: &[u8]) -> Result<Extent, DecodeError> {
        let size = match self {
            Self::Fixed(size) => usize::from(size),
            Self::Short(_) => match input.first() {
                Some(&size) => usize::from(size).saturating_add(1),
                None => return Ok(Extent::Needs(1)),
            },
            Self::Long => match parse::ordered::u32(order).parse(input) {
                Ok((_, size)) => usize::try_from(size).unwrap_or(usize::MAX).saturating_add(4),
                Err(_) => return Ok(Extent::Needs(4)),
            },
            Self::LargeObject => return Ok(large_object_extent(order, input)),
            Self::Unknown => {
                let reason = "values of this data type cannot be skipped";
                return Err(DecodeError::unsupported("Params", "data_type", reason, 0));
            }
        };
        Ok(Extent::of(size, input))
    }
}

impl Extent {
    /// That of an item of `size` bytes at the front of `input`.
    #[inline(always)]
    pub(crate) fn of(size: usize, input: &[u8]) -> Self {
        if input.len() < size { Self::Needs(size) } else { Self::Whole(size) }
    }
}

#[inline(never)]
fn large_object_extent(order: ByteOrder, input: &[u8]) -> Extent {
    let Some((&pointer, rest)) = input.split_first() else { return Extent::Needs(1) };
    if pointer == 0 {
        return Extent::Whole(1);
    }
    // Behind the pointer come eight bytes of timestamp and the length.
    let before = usize::from(pointer).saturating_add(8);
    let head = before.saturating_add(5);
    match parse::ordered::u32(order).parse(rest.get(before..).unwrap_or_default()) {
        Ok((_, size)) => Extent::of(usize::try_from(size).unwrap_or(usize::MAX).saturating_add(head), input),
        Err(_) => Extent::Needs(head),
    }
}
