//! What messages consist of: values that are read off a body one behind the other (spec/frame.md 2).

use super::body::Body;
use super::extension::Extensions;
use super::text::Text;
use crate::error::{DecodeError, EncodeError, to_u64};
use crate::wire::{ByteOrder::Big, Writer, fits_u32, length_u32, put, together};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;

/// A part of a message: integers are big-endian, flags are one byte, what may be missing has a byte before it that says
/// so, bytes have their size in a u32, lists the number of their parts in a u16.
pub(crate) trait Value: Sized {
    /// The fewest bytes that one takes: what a list announces is compared with it.
    const LEAST: usize;

    /// Whether each takes just these.
    const FIXED: bool = false;

    fn parse(body: &mut Body<'_>, field: &'static str) -> Result<Self, DecodeError>;

    fn encoded_len(&self) -> usize;

    /// Whether the wire can carry it.
    fn check(&self, _message: &'static str, _field: &'static str) -> Result<(), EncodeError> {
        Ok(())
    }

    /// Hands the writer on: see [`Writer::pass`].
    fn write<'w>(&self, writer: Writer<'w>) -> Writer<'w>;
}

macro_rules! integers {
    ($($name:ident),+) => {$(
        impl Value for $name {
            const LEAST: usize = size_of::<Self>();
            const FIXED: bool = true;

            #[inline]
            fn parse(body: &mut Body<'_>, field: &'static str) -> Result<Self, DecodeError> {
                body.array(field).map(Self::from_be_bytes)
            }

            #[inline]
            fn encoded_len(&self) -> usize {
                Self::LEAST
            }

            #[inline]
            fn write<'w>(&self, mut writer: Writer<'w>) -> Writer<'w> {
                writer.put(&self.to_be_bytes());
                writer
            }
        }
    )+};
}

integers!(u8, u16, u32, u64, i16, i32);

impl Value for bool {
    const LEAST: usize = 1;
    const FIXED: bool = true;

    #[inline]
    fn parse(body: &mut Body<'_>, field: &'static str) -> Result<Self, DecodeError> {
        match body.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(body.invalid(field, "0 or 1 is expected", u64::from(other))),
        }
    }

    #[inline]
    fn encoded_len(&self) -> usize {
        1
    }

    #[inline]
    fn write<'w>(&self, mut writer: Writer<'w>) -> Writer<'w> {
        writer.put(&[u8::from(*self)]);
        writer
    }
}

impl<T: Value> Value for Option<T> {
    const LEAST: usize = 1;

    #[inline]
    fn parse(body: &mut Body<'_>, field: &'static str) -> Result<Self, DecodeError> {
        bool::parse(body, field)?.then(|| T::parse(body, field)).transpose()
    }

    #[inline]
    fn encoded_len(&self) -> usize {
        self.as_ref().map_or(1, |value| together(value.encoded_len(), 1))
    }

    #[inline]
    fn check(&self, message: &'static str, field: &'static str) -> Result<(), EncodeError> {
        self.as_ref().map_or(Ok(()), |value| value.check(message, field))
    }

    #[inline]
    fn write<'w>(&self, mut writer: Writer<'w>) -> Writer<'w> {
        match self {
            Some(value) if T::FIXED => {
                let both = writer.lend(T::LEAST.saturating_add(1));
                value.write(true.write(both));
                writer
            }
            Some(value) => value.write(true.write(writer)),
            None => false.write(writer),
        }
    }
}

impl<T: Value> Value for Box<T> {
    const LEAST: usize = T::LEAST;
    const FIXED: bool = T::FIXED;

    #[inline]
    fn parse(body: &mut Body<'_>, field: &'static str) -> Result<Self, DecodeError> {
        T::parse(body, field).map(Self::new)
    }

    #[inline]
    fn encoded_len(&self) -> usize {
        self.as_ref().encoded_len()
    }

    #[inline]
    fn check(&self, message: &'static str, field: &'static str) -> Result<(), EncodeError> {
        self.as_ref().check(message, field)
    }

    #[inline]
    fn write<'w>(&self, writer: Writer<'w>) -> Writer<'w> {
        self.as_ref().write(writer)
    }
}

impl<T: Value> Value for Vec<T> {
    const LEAST: usize = 2;

    #[inline]
    fn parse(body: &mut Body<'_>, field: &'static str) -> Result<Self, DecodeError> {
        let count = body.u16(field)?;
        // A number that lies is found out before anything is made for it.
        if usize::from(count).saturating_mul(T::LEAST.max(1)) > body.left() {
            return Err(body.invalid(field, "more than there is room for", u64::from(count)));
        }
        let mut list = Self::with_capacity(usize::from(count));
        for _ in 0..count {
            list.push(T::parse(body, field)?);
        }
        Ok(list)
    }

    #[inline]
    fn encoded_len(&self) -> usize {
        self.iter().fold(2_usize, |sum, value| together(sum, value.encoded_len()))
    }

    #[inline]
    fn check(&self, message: &'static str, field: &'static str) -> Result<(), EncodeError> {
        let (max, got) = (u64::from(u16::MAX), to_u64(self.len()));
        if got > max {
            return Err(EncodeError::TooLong { message, field, max, got });
        }
        self.iter().try_for_each(|value| value.check(message, field))
    }

    #[inline]
    fn write<'w>(&self, mut writer: Writer<'w>) -> Writer<'w> {
        put!(in Big; &mut writer, { count: u16 = u16::try_from(self.len()).unwrap_or(u16::MAX) });
        self.iter().fold(writer, |writer, value| value.write(writer))
    }
}

impl Value for Bytes {
    const LEAST: usize = 4;

    #[inline]
    fn parse(body: &mut Body<'_>, field: &'static str) -> Result<Self, DecodeError> {
        let size = usize::try_from(body.u32(field)?).unwrap_or(usize::MAX);
        body.share(field, size)
    }

    #[inline]
    fn encoded_len(&self) -> usize {
        together(self.len(), 4)
    }

    #[inline]
    fn check(&self, message: &'static str, field: &'static str) -> Result<(), EncodeError> {
        fits_u32(message, field, self.len())
    }

    #[inline]
    fn write<'w>(&self, mut writer: Writer<'w>) -> Writer<'w> {
        put!(in Big; &mut writer, { size: u32 = length_u32(self.len()) });
        writer.put(self);
        writer
    }
}

impl Value for Text {
    const LEAST: usize = 1;

    #[inline]
    fn parse(body: &mut Body<'_>, field: &'static str) -> Result<Self, DecodeError> {
        body.text(field)
    }

    #[inline]
    fn encoded_len(&self) -> usize {
        Self::encoded_len(self)
    }

    #[inline]
    fn write<'w>(&self, mut writer: Writer<'w>) -> Writer<'w> {
        Self::write(self, &mut writer);
        writer
    }
}

/// Comes last: what is left of the body.
impl Value for Extensions {
    const LEAST: usize = 0;

    #[inline]
    fn parse(body: &mut Body<'_>, _field: &'static str) -> Result<Self, DecodeError> {
        body.take_extensions()
    }

    #[inline]
    fn encoded_len(&self) -> usize {
        self.as_bytes().len()
    }

    #[inline]
    fn write<'w>(&self, mut writer: Writer<'w>) -> Writer<'w> {
        writer.put(self.as_bytes());
        writer
    }
}

/// Values that are a number and nothing else.
macro_rules! number_values {
    ($($name:ty: $repr:ty, $from:expr, $get:expr;)+) => {$(
        impl $crate::frame::Value for $name {
            const LEAST: usize = size_of::<$repr>();
            const FIXED: bool = true;

            #[inline]
            fn parse(
                body: &mut $crate::frame::Body<'_>,
                field: &'static str,
            ) -> Result<Self, $crate::error::DecodeError> {
                <$repr as $crate::frame::Value>::parse(body, field).map($from)
            }

            #[inline]
            fn encoded_len(&self) -> usize {
                size_of::<$repr>()
            }

            #[inline]
            fn write<'w>(&self, writer: $crate::wire::Writer<'w>) -> $crate::wire::Writer<'w> {
                $crate::frame::Value::write(&($get)(*self), writer)
            }
        }
    )+};
}
pub(crate) use number_values;

/// How many bytes the fields at the front of a layout take that are of one size always: each is said by whether it is, and
/// its size.
pub(crate) const fn run(mut fields: &[(bool, usize)]) -> usize {
    let mut size = 0_usize;
    while let [(true, one), rest @ ..] = fields {
        size = size.saturating_add(*one);
        fields = rest;
    }
    size
}

/// A struct whose fields are values, in the order of the wire; it is a value itself. Fields of fixed sizes that stand
/// together share one check of what is there, or of the room.
macro_rules! record {
    (@run $($ty:ty),+) => {
        const {
            $crate::frame::run(&[
                $((<$ty as $crate::frame::Value>::FIXED, <$ty as $crate::frame::Value>::LEAST)),+
            ])
        }
    };
    (@write $writer:ident $run:ident $within:ident;) => {};
    (@write $writer:ident $run:ident $within:ident; $value:expr => $ty:ty, $($rest:expr => $rest_ty:ty,)*) => {
        if <$ty as $crate::frame::Value>::FIXED && !$within {
            $run = $writer.lend($crate::frame::record!(@run $ty $(, $rest_ty)*));
        }
        $within = <$ty as $crate::frame::Value>::FIXED;
        if $within {
            $run = $crate::frame::Value::write($value, $run);
        } else {
            $writer = $crate::frame::Value::write($value, $writer);
        }
        $crate::frame::record!(@write $writer $run $within; $($rest => $rest_ty,)*);
    };
    ($($(#[$doc:meta])* pub struct $name:ident { $($(#[$field_doc:meta])* pub $field:ident: $ty:ty,)+ })+) => {$(
        $(#[$doc])*
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $ty,)+
        }

        impl $crate::frame::Value for $name {
            const LEAST: usize = 0 $(+ <$ty as $crate::frame::Value>::LEAST)+;
            const FIXED: bool = true $(&& <$ty as $crate::frame::Value>::FIXED)+;

            #[inline]
            fn parse(
                body: &mut $crate::frame::Body<'_>,
                _field: &'static str,
            ) -> Result<Self, $crate::error::DecodeError> {
                Ok(Self { $($field: $crate::frame::Value::parse(body, stringify!($field))?,)+ })
            }

            #[inline]
            fn encoded_len(&self) -> usize {
                let size = 0;
                $(let size = $crate::wire::together(size, $crate::frame::Value::encoded_len(&self.$field));)+
                size
            }

            #[inline]
            fn check(&self, message: &'static str, _field: &'static str) -> Result<(), $crate::error::EncodeError> {
                $($crate::frame::Value::check(&self.$field, message, stringify!($field))?;)+
                Ok(())
            }

            #[inline]
            #[allow(unused_assignments, reason = "nothing is asked behind the last field")]
            fn write<'w>(&self, mut writer: $crate::wire::Writer<'w>) -> $crate::wire::Writer<'w> {
                let (mut run, mut within) = (writer.lend(0), false);
                $crate::frame::record!(@write writer run within; $(&self.$field => $ty,)+);
                writer
            }
        }
    )+};
}
pub(crate) use record;
