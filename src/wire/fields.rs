//! Parsing of fixed fields, in either byte order, with nom. No nom type leaves this module's users.

use crate::error::{DecodeError, to_u64};

/// Parsers over a whole body. Their error carries nothing: [`short_field`] finds the field, in the cold path.
pub(crate) mod parse {
    use nom::{IResult, Parser};

    pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, ()>;

    macro_rules! little_endian {
        ($($name:ident = $size:literal;)+) => {$(
            #[inline(always)]
            pub(crate) fn $name(input: &[u8]) -> Parsed<'_, $name> {
                array::<$size>.map(<$name>::from_le_bytes).parse(input)
            }
        )+};
    }

    little_endian! {
        u8 = 1;
        u16 = 2;
        u32 = 4;
        u64 = 8;
    }

    /// The same in a byte order that only the connection knows.
    pub(crate) mod ordered {
        use super::super::super::ByteOrder;
        use super::{Parsed, array};
        use nom::Parser;

        macro_rules! ordered {
            ($($name:ident = $size:literal;)+) => {$(
                #[inline(always)]
                pub(crate) fn $name(order: ByteOrder) -> impl Fn(&[u8]) -> Parsed<'_, $name> {
                    move |input| {
                        array::<$size>.map(|bytes| order.arrange(<$name>::from_ne_bytes(bytes))).parse(input)
                    }
                }
            )+};
        }

        ordered! {
            u8 = 1;
            u16 = 2;
            u32 = 4;
            u64 = 8;
            i32 = 4;
        }
    }

    /// Exactly `N` bytes.
    #[inline(always)]
    pub(crate) fn array<const N: usize>(input: &[u8]) -> Parsed<'_, [u8; N]> {
        match input.split_first_chunk() {
            Some((head, rest)) => Ok((rest, *head)),
            None => Err(nom::Err::Error(())),
        }
    }

    /// The next `size` bytes, borrowed. (nom's own `take` compares twice.)
    #[inline(always)]
    pub(crate) fn slice(size: usize) -> impl Fn(&[u8]) -> Parsed<'_, &[u8]> {
        move |input: &[u8]| match input.split_at_checked(size) {
            Some((head, rest)) => Ok((rest, head)),
            None => Err(nom::Err::Error(())),
        }
    }
}

/// Reads the fixed fields at the front of a body, little-endian unless an order is given: one length check, then
/// reads that cannot fail. Evaluates to `(rest, (field, field, …))`; leaves the function with [`short_field`]'s
/// error.
macro_rules! fixed {
    (in $order:expr; $message:expr, $input:expr, { $($field:ident: $type:ident),+ $(,)? }) => {
        $crate::wire::fixed!(@ ($($crate::wire::parse::ordered::$type($order),)+), $message, $input, { $($field: $type),+ })
    };
    ($message:expr, $input:expr, { $($field:ident: $type:ident),+ $(,)? }) => {
        $crate::wire::fixed!(@ ($($crate::wire::parse::$type,)+), $message, $input, { $($field: $type),+ })
    };
    (@ $parsers:expr, $message:expr, $input:expr, { $($field:ident: $type:ident),+ }) => {{
        const SIZE: usize = 0 $(+ size_of::<$type>())+;
        let input: &[u8] = $input;
        let short = || {
            const FIELDS: &[(&str, usize)] = &[$((stringify!($field), size_of::<$type>())),+];
            let (field, needed, left) = $crate::wire::short_field(FIELDS, input.len());
            // Written out, so that the compiler sees an error here and keeps the good path apart from it.
            let kind = $crate::error::DecodeErrorKind::Short { needed, left };
            $crate::error::DecodeError { message: $message, field, kind }
        };
        let (rest, head) = $crate::wire::parse::slice(SIZE)(input).map_err(|_| short())?;
        let (_, values) = nom::Parser::parse(&mut $parsers, head).map_err(|_| short())?;
        (rest, values)
    }};
}
pub(crate) use fixed;

/// The first of `fields` (name, size) that does not fit into `have` bytes, what it needs and what is left for it.
#[cold]
#[inline(never)]
pub(crate) fn short_field(fields: &[(&'static str, usize)], have: usize) -> (&'static str, u64, u64) {
    let mut left = have;
    for &(field, size) in fields {
        match left.checked_sub(size) {
            Some(rest) => left = rest,
            None => return (field, to_u64(size), to_u64(left)),
        }
    }
    ("body", to_u64(have), to_u64(have))
}

/// The next `size` bytes of a body, as `field`.
#[inline]
pub(crate) fn bytes<'a>(
    message: &'static str,
    field: &'static str,
    size: usize,
    input: &'a [u8],
) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
    parse::slice(size)(input).map_err(|_| DecodeError::short(message, field, size, input.len()))
}
