//! Where a token ends: framing, before anything inside is looked at (spec/tds5.md 3.1).

use super::body::{length_u8, length_u16};
use super::data_type::Extent;
use super::format::{Format, FormatKind, Shape};
use crate::error::{DecodeError, DecodeErrorKind, to_u64};
use crate::tds5::ids::TokenType;
use crate::wire::{ByteOrder, Payload, Writer, length_u32, parse, put};
use nom::Parser;

/// How the size of a token's body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    /// It is always this.
    Fixed(u8),
    /// A byte says so.
    U8,
    /// Two bytes say so.
    U16,
    /// Four bytes say so.
    U32,
    /// The last format of parameters says so.
    Params,
    /// The last format of rows says so.
    Row,
    /// We do not know.
    Unknown,
}

/// What is known of a token by its number alone.
#[derive(Clone, Copy)]
struct Head {
    /// How the size of the body is known.
    length: Length,
    /// How many bytes stand before the body: the token's number and its length.
    size: u8,
    /// Which format it is, if it is one.
    format: Option<FormatKind>,
}

/// All of them: to look one up is quicker than to go through the rule for each token.
const HEADS: [Head; 256] = {
    let mut heads = [UNKNOWN; 256];
    let (mut rest, mut number): (&mut [Head], u8) = (&mut heads, 0);
    while let Some((first, behind)) = rest.split_first_mut() {
        let length = TokenType(number).rule();
        let size = match length {
            Length::Fixed(_) | Length::Params | Length::Row | Length::Unknown => 1,
            Length::U8 => 2,
            Length::U16 => 3,
            Length::U32 => 5,
        };
        *first = Head { length, size, format: FormatKind::of(TokenType(number)) };
        (rest, number) = (behind, number.wrapping_add(1));
    }
    heads
};

const UNKNOWN: Head = Head { length: Length::Unknown, size: 1, format: None };

impl TokenType {
    const fn rule(self) -> Length {
        match self {
            Self::MESSAGE => Length::U8,
            Self::PARAMS => Length::Params,
            Self::ROW => Length::Row,
            Self::CURSOR_DECLARE_3 | Self::PARAM_FORMAT_2 | Self::LANGUAGE | Self::ORDER_BY_2 => Length::U32,
            Self::CURSOR_DECLARE_2 | Self::ROW_FORMAT_2 | Self::DYNAMIC_2 => Length::U32,
            // What is not known by name goes by its class.
            Self(0x20..=0x2f) => Length::U32,
            Self(0x80..=0x8f | 0xa0..=0xaf | 0xe0..=0xef) => Length::U16,
            Self(0x30..=0x3f | 0x70..=0x7f | 0xb0..=0xbf | 0xf0..=0xff) => Length::Fixed(match (self.0 >> 2) & 3 {
                0 => 1,
                1 => 2,
                2 => 4,
                _ => 8,
            }),
            _ => Length::Unknown,
        }
    }

    #[inline(always)]
    fn known(self) -> Head {
        HEADS.get(usize::from(self.0)).copied().unwrap_or(UNKNOWN)
    }

    #[inline]
    fn length(self) -> Length {
        self.known().length
    }

    /// Which format it is, if it is one.
    #[inline]
    pub(crate) fn format(self) -> Option<FormatKind> {
        self.known().format
    }

    /// How many bytes stand before the body: the token's number and its length.
    #[inline]
    pub(crate) fn head(self) -> usize {
        usize::from(self.known().size)
    }

    /// Whether the end of such a token can be found without a format, if its body has this size.
    pub(crate) fn can_have(self, body: usize) -> bool {
        match self.length() {
            Length::Fixed(size) => usize::from(size) == body,
            Length::U8 | Length::U16 | Length::U32 => true,
            Length::Params | Length::Row | Length::Unknown => false,
        }
    }

    /// Writes what stands before a body of this size.
    #[inline]
    pub(crate) fn write_head(self, order: ByteOrder, body: usize, writer: &mut Writer<'_>) {
        let ty = self.0;
        match self.length() {
            Length::Fixed(_) | Length::Params | Length::Row | Length::Unknown => writer.put(&[ty]),
            Length::U8 => writer.put(&[ty, length_u8(body)]),
            Length::U16 => put!(in order; writer, { ty: u8 = ty, length: u16 = length_u16(body) }),
            Length::U32 => put!(in order; writer, { ty: u8 = ty, length: u32 = length_u32(body) }),
        }
    }

    /// The largest body that the token's length can announce.
    pub(crate) fn largest(self) -> u64 {
        match self.length() {
            Length::Fixed(_) | Length::Params | Length::Row | Length::Unknown => u64::MAX,
            Length::U8 => 0xff,
            Length::U16 => 0xffff,
            Length::U32 => 0xffff_ffff,
        }
    }
}

/// What is known about values to come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Slot<B> {
    /// There was no format.
    #[default]
    Empty,
    /// This is it, and of its shape are the values.
    Known(Format<B>, Shape),
    /// There was one that cannot be read.
    Unreadable(DecodeError),
}

/// The formats that hold for the next values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Formats<B> {
    params: Slot<B>,
    rows: Slot<B>,
}

impl<B> Default for Formats<B> {
    fn default() -> Self {
        Self { params: Slot::Empty, rows: Slot::Empty }
    }
}

impl<B: Payload> Formats<B> {
    /// Takes note of a format. One that has a data type of which nothing is known can be skipped; its values cannot.
    pub(crate) fn note<'a>(
        &mut self,
        order: ByteOrder,
        kind: FormatKind,
        body: &'a [u8],
        keep: impl FnOnce(Format<&'a [u8]>) -> Format<B>,
    ) -> Result<(), DecodeError> {
        let slot = if kind.is_rows() { &mut self.rows } else { &mut self.params };
        *slot = match Format::parse(kind, order, body) {
            Ok(format) => Slot::Known(keep(format), Shape::Any),
            Err(error) if is_unreadable(&error) => Slot::Unreadable(error),
            Err(error) => return Err(error),
        };
        Ok(())
    }

    /// The format of the next PARAMS.
    pub(crate) fn params(&self) -> Option<&Format<B>> {
        if let Slot::Known(format, _) = &self.params { Some(format) } else { None }
    }

    /// The format of the next ROW.
    pub(crate) fn rows(&self) -> Option<&Format<B>> {
        if let Slot::Known(format, _) = &self.rows { Some(format) } else { None }
    }

    #[cold]
    fn missing(slot: &Slot<B>, message: &'static str) -> DecodeError {
        match slot {
            Slot::Unreadable(error) => DecodeError { message, ..*error },
            _ => DecodeError::invalid(message, "format", "no format came before", 0),
        }
    }

    /// How many bytes the token at the front of `input` takes. `limit` is a bound and its name.
    #[inline(never)]
    pub(crate) fn extent(
        &self,
        order: ByteOrder,
        input: &[u8],
        limit: (&'static str, usize),
    ) -> Result<Extent, DecodeError> {
        let Some((&ty, rest)) = input.split_first() else { return Ok(Extent::Needs(1)) };
        let length = TokenType(ty).length();
        let body = match length {
            Length::U16 => parse::ordered::u16(order).parse(rest).map(|(_, size)| usize::from(size)).ok(),
            Length::Fixed(size) => Some(usize::from(size)),
            Length::U8 => rest.first().map(|&size| usize::from(size)),
            Length::U32 => {
                parse::ordered::u32(order).parse(rest).map(|(_, size)| usize::try_from(size).unwrap_or(usize::MAX)).ok()
            }
            Length::Params | Length::Row => return self.values_extent(length, rest, limit),
            Length::Unknown => {
                let reason = "no length is known for this token: what follows cannot be found";
                return Err(DecodeError::unsupported("Token", "type", reason, u64::from(ty)));
            }
        };
        let head = TokenType(ty).head();
        let Some(body) = body else { return Ok(Extent::Needs(head)) };
        within(body, limit)?;
        Ok(Extent::of(body.saturating_add(head), input))
    }

    fn values_extent(&self, length: Length, rest: &[u8], limit: (&'static str, usize)) -> Result<Extent, DecodeError> {
        let (slot, message) = if length == Length::Row { (&self.rows, "Row") } else { (&self.params, "Params") };
        let Slot::Known(format, _) = slot else { return Err(Self::missing(slot, message)) };
        Ok(match format.values_extent(rest)? {
            Extent::Whole(size) => {
                within(size, limit)?;
                Extent::Whole(size.saturating_add(1))
            }
            Extent::Needs(size) => {
                within(size, limit)?;
                Extent::Needs(size.saturating_add(1))
            }
        })
    }

    /// The body of a whole token of the usual kind with `rest` behind its number, and what is behind the body.
    #[inline(always)]
    pub(crate) fn usual<'a>(&self, order: ByteOrder, ty: TokenType, rest: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        match ty.length() {
            Length::U16 => {
                let (&size, rest) = rest.split_first_chunk()?;
                rest.split_at_checked(order.arrange(u16::from_ne_bytes(size)).into())
            }
            Length::Fixed(size) => rest.split_at_checked(size.into()),
            Length::U8 => {
                let (&size, rest) = rest.split_first()?;
                rest.split_at_checked(size.into())
            }
            _ => rest.split_at_checked(self.usual_params(ty, rest)?),
        }
    }

    /// How many bytes of `input` the values of PARAMS take, if they are whole and have a length byte each. Apart from
    /// the above, which is then quicker for all others.
    #[inline(always)]
    fn usual_params(&self, ty: TokenType, input: &[u8]) -> Option<usize> {
        let (TokenType::PARAMS, Slot::Known(format, Shape::Short)) = (ty, &self.params) else { return None };
        let mut rest = input;
        for _ in 0..format.count() {
            let (&size, behind) = rest.split_first()?;
            rest = behind.get(usize::from(size)..)?;
        }
        input.len().checked_sub(rest.len())
    }
}

#[inline]
fn within(size: usize, (what, limit): (&'static str, usize)) -> Result<(), DecodeError> {
    if size > limit {
        return Err(DecodeError::limit("Token", "length", what, to_u64(limit), to_u64(size)));
    }
    Ok(())
}

impl<'a> Formats<&'a [u8]> {
    /// Takes note of a format of usual columns; `false` if it is none.
    #[inline(never)]
    pub(crate) fn note_usual(&mut self, order: ByteOrder, kind: FormatKind, body: &'a [u8]) -> bool {
        let Some((format, shape)) = Format::parse_usual(kind, order, body) else { return false };
        let slot = if kind.is_rows() { &mut self.rows } else { &mut self.params };
        *slot = Slot::Known(format, shape);
        true
    }
}

/// Whether a format could not be read because nothing is known about one of its data types.
pub(crate) const fn is_unreadable(error: &DecodeError) -> bool {
    matches!(error.kind, DecodeErrorKind::Unsupported { .. })
}
