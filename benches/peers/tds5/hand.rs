//! The floor: a cursor and fixed slices, written for these tokens and nothing else.

use super::{data, ty};
use bytes::Bytes;

/// A cursor over bytes in one of the two byte orders; which of them is settled before it starts.
struct Cursor<'a, const BIG: bool>(&'a [u8]);

impl<'a, const BIG: bool> Cursor<'a, BIG> {
    #[inline(always)]
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    #[inline(always)]
    fn u8(&mut self) -> Option<u8> {
        self.take().map(|[byte]| byte)
    }

    #[inline(always)]
    fn u16(&mut self) -> Option<u16> {
        self.take().map(if BIG { u16::from_be_bytes } else { u16::from_le_bytes })
    }

    #[inline(always)]
    fn u32(&mut self) -> Option<u32> {
        self.take().map(if BIG { u32::from_be_bytes } else { u32::from_le_bytes })
    }

    #[inline(always)]
    fn i32(&mut self) -> Option<i32> {
        self.take().map(if BIG { i32::from_be_bytes } else { i32::from_le_bytes })
    }

    #[inline(always)]
    fn bytes(&mut self, size: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(head)
    }

    #[inline(always)]
    fn short(&mut self) -> Option<&'a [u8]> {
        let size = self.u8()?;
        self.bytes(usize::from(size))
    }

    #[inline(always)]
    fn long(&mut self) -> Option<&'a [u8]> {
        let size = self.u16()?;
        self.bytes(usize::from(size))
    }

    #[inline(always)]
    fn is(&mut self, ty: u8) -> Option<()> {
        (self.u8()? == ty).then_some(())
    }
}

/// What a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ColumnView<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) status: u8,
    pub(crate) user_type: i32,
    pub(crate) data_type: u8,
    pub(crate) max: u32,
    pub(crate) locale: &'a [u8],
}

/// A value; NULL is `None`.
pub(crate) type ValueView<'a> = Option<&'a [u8]>;

/// MSG, PARAMFMT and PARAMS: status and number of the message; each parameter goes to `each`. Format and values are
/// read side by side.
#[inline]
pub(crate) fn decode_request<'a>(
    big: bool,
    bytes: &'a [u8],
    each: impl FnMut(ColumnView<'a>, ValueView<'a>),
) -> Option<(u8, u16)> {
    if big { request::<true>(bytes, each) } else { request::<false>(bytes, each) }
}

/// With the crate's checks: each length lies within what is there, the count of parameters is that of the format and
/// of the values, and nothing is left over.
#[inline(always)]
fn request<'a, const BIG: bool>(
    bytes: &'a [u8],
    mut each: impl FnMut(ColumnView<'a>, ValueView<'a>),
) -> Option<(u8, u16)> {
    let mut cursor = Cursor::<BIG>(bytes);
    cursor.is(ty::MESSAGE)?;
    let mut message = Cursor::<BIG>(cursor.short()?);
    let head = (message.u8()?, message.u16()?);
    cursor.is(ty::PARAM_FORMAT)?;
    let mut format = Cursor::<BIG>(cursor.long()?);
    cursor.is(ty::PARAMS)?;
    for _ in 0..format.u16()? {
        let (name, status, user_type, data_type) = (format.short()?, format.u8()?, format.i32()?, format.u8()?);
        let short = match data_type {
            data::VARCHAR | data::CHAR => true,
            data::LONGCHAR => false,
            _ => return None,
        };
        let max = if short { format.u8()?.into() } else { format.u32()? };
        let locale = format.short()?;
        let mut value = None;
        let value_status = if status & 0x08 != 0 { cursor.u8()? } else { 0 };
        if value_status & 0x01 == 0 {
            let size = if short { cursor.u8()?.into() } else { usize::try_from(cursor.u32()?).ok()? };
            value = Some(cursor.bytes(size)?).filter(|value| !value.is_empty() || value_status & 0x02 != 0);
        }
        each(ColumnView { name, status, user_type, data_type, max, locale }, value);
    }
    (format.0.is_empty() && cursor.0.is_empty()).then_some(head)
}

/// A request to be encoded: one address as VARCHAR.
#[derive(Clone, Debug)]
pub(crate) struct RequestOwned {
    pub(crate) id: u16,
    pub(crate) max: u8,
    pub(crate) address: Bytes,
}

/// One check of the size up front, then a slice cut in fixed places.
#[inline]
pub(crate) fn encode_request(big: bool, request: &RequestOwned, dst: &mut [u8]) -> Option<usize> {
    let u16 = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let length = u8::try_from(request.address.len()).ok()?;
    let size = 21_usize.checked_add(request.address.len())?;
    let (fixed, address) = dst.get_mut(..size)?.split_first_chunk_mut::<21>()?;
    fixed[0..3].copy_from_slice(&[ty::MESSAGE, 3, 1]);
    fixed[3..5].copy_from_slice(&u16(request.id));
    fixed[5] = ty::PARAM_FORMAT;
    fixed[6..8].copy_from_slice(&u16(11));
    fixed[8..10].copy_from_slice(&u16(1));
    fixed[10..12].copy_from_slice(&[0, 0]);
    fixed[12..16].copy_from_slice(&[0; 4]);
    fixed[16..19].copy_from_slice(&[data::VARCHAR, request.max, 0]);
    fixed[19..21].copy_from_slice(&[ty::PARAMS, length]);
    address.copy_from_slice(&request.address);
    Some(size)
}

/// The same three tokens as a program has them that does not know what is in them: a message, the columns of a
/// format, the values.
#[derive(Clone, Debug)]
pub(crate) struct PartsOwned {
    pub(crate) status: u8,
    pub(crate) id: u16,
    pub(crate) count: u16,
    pub(crate) columns: Bytes,
    pub(crate) values: Bytes,
}

/// One check of the size up front, then a slice cut in two places.
#[inline]
pub(crate) fn encode_parts(big: bool, parts: &PartsOwned, dst: &mut [u8]) -> Option<usize> {
    let u16 = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let format = parts.columns.len().checked_add(2)?;
    let length = u16::try_from(format).ok()?;
    let size = format.checked_add(9)?.checked_add(parts.values.len())?;
    let (fixed, rest) = dst.get_mut(..size)?.split_first_chunk_mut::<10>()?;
    fixed[0..3].copy_from_slice(&[ty::MESSAGE, 3, parts.status]);
    fixed[3..5].copy_from_slice(&u16(parts.id));
    fixed[5] = ty::PARAM_FORMAT;
    fixed[6..8].copy_from_slice(&u16(length));
    fixed[8..10].copy_from_slice(&u16(parts.count));
    let (columns, rest) = rest.split_at_mut_checked(parts.columns.len())?;
    columns.copy_from_slice(&parts.columns);
    let (params, values) = rest.split_first_mut()?;
    *params = ty::PARAMS;
    values.copy_from_slice(&parts.values);
    Some(size)
}

/// A token whose end is known: its number and its body.
pub(crate) type Raw<'a> = (u8, &'a [u8]);

/// Goes over the tokens in `bytes`, each of which goes to `each`; `None` if one is not whole or of an unknown class.
#[inline]
pub(crate) fn walk<'a>(big: bool, bytes: &'a [u8], each: impl FnMut(Raw<'a>) -> Option<()>) -> Option<()> {
    if big { tokens::<true>(bytes, each) } else { tokens::<false>(bytes, each) }
}

#[inline(always)]
fn tokens<'a, const BIG: bool>(bytes: &'a [u8], mut each: impl FnMut(Raw<'a>) -> Option<()>) -> Option<()> {
    let mut cursor = Cursor::<BIG>(bytes);
    while !cursor.0.is_empty() {
        let ty = cursor.u8()?;
        let body = match ty {
            ty::MESSAGE => cursor.short(),
            0x10 | 0x61 | 0x62 | 0x20..=0x2f => cursor.u32().and_then(|size| cursor.bytes(size.try_into().ok()?)),
            0x80..=0x8f | 0xa0..=0xaf | 0xe0..=0xef => cursor.long(),
            0x30..=0x3f | 0x70..=0x7f | 0xb0..=0xbf | 0xf0..=0xff => cursor.bytes(1 << ((ty >> 2) & 3)),
            _ => None,
        }?;
        each((ty, body))?;
    }
    Some(())
}

/// What the tokens of the bench's response say; what is skipped has no variant of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenView<'a> {
    EnvironmentChange {
        entries: &'a [u8],
    },
    Eed {
        number: i32,
        state: u8,
        class: u8,
        sql_state: &'a [u8],
        status: u8,
        transaction: u16,
        text: &'a [u8],
        server: &'a [u8],
        procedure: &'a [u8],
        line: u16,
        extra: &'a [u8],
    },
    Done {
        status: u16,
        transaction: u16,
        count: i32,
    },
    Other {
        ty: u8,
        body: &'a [u8],
    },
}

/// With the crate's checks: each length lies within the body.
#[inline]
pub(crate) fn decode_token(big: bool, raw: Raw<'_>) -> Option<TokenView<'_>> {
    if big { token::<true>(raw) } else { token::<false>(raw) }
}

#[inline(always)]
fn token<const BIG: bool>((ty, body): Raw<'_>) -> Option<TokenView<'_>> {
    let mut cursor = Cursor::<BIG>(body);
    Some(match ty {
        ty::ENVIRONMENT_CHANGE => {
            while !cursor.0.is_empty() {
                let _ = (cursor.u8()?, cursor.short()?, cursor.short()?);
            }
            TokenView::EnvironmentChange { entries: body }
        }
        ty::EED => TokenView::Eed {
            number: cursor.i32()?,
            state: cursor.u8()?,
            class: cursor.u8()?,
            sql_state: cursor.short()?,
            status: cursor.u8()?,
            transaction: cursor.u16()?,
            text: cursor.long()?,
            server: cursor.short()?,
            procedure: cursor.short()?,
            line: cursor.u16()?,
            extra: cursor.0,
        },
        ty::DONE => TokenView::Done { status: cursor.u16()?, transaction: cursor.u16()?, count: cursor.i32()? },
        _ => TokenView::Other { ty, body },
    })
}
