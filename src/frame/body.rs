//! Reading a body of fields of any size, in order.

use super::extension::Extensions;
use super::text::Text;
use crate::error::DecodeError;
use crate::wire::{bytes, parse, share};
use bytes::Bytes;

/// What is left of a body. Every error says which field of which message it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<'a> {
    message: &'static str,
    whole: &'a Bytes,
    rest: &'a [u8],
}

macro_rules! integers {
    ($($name:ident),+) => {$(
        #[inline]
        pub(crate) fn $name(&mut self, field: &'static str) -> Result<$name, DecodeError> {
            self.array(field).map($name::from_be_bytes)
        }
    )+};
}

impl<'a> Body<'a> {
    #[inline]
    pub(crate) fn new(message: &'static str, whole: &'a Bytes) -> Self {
        Self { message, whole, rest: whole }
    }

    integers!(u8, u16, u32, i32);

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let (rest, array) =
            parse::array(self.rest).map_err(|_| DecodeError::short(self.message, field, N, self.rest.len()))?;
        self.rest = rest;
        Ok(array)
    }

    /// The next `size` bytes, borrowed.
    #[inline]
    pub(crate) fn slice(&mut self, field: &'static str, size: usize) -> Result<&'a [u8], DecodeError> {
        let (rest, slice) = bytes(self.message, field, size, self.rest)?;
        self.rest = rest;
        Ok(slice)
    }

    /// The next `size` bytes, shared.
    #[inline]
    pub(crate) fn share(&mut self, field: &'static str, size: usize) -> Result<Bytes, DecodeError> {
        self.slice(field, size).map(|slice| share(self.whole, slice))
    }

    /// u8 size, then so many bytes of text for people.
    pub(crate) fn text(&mut self, field: &'static str) -> Result<Text, DecodeError> {
        let (rest, text) = Text::parse(self.message, field, self.rest)?;
        self.rest = rest;
        Ok(text)
    }

    /// u32, of which the largest value stands for none.
    pub(crate) fn optional(&mut self, field: &'static str) -> Result<Option<u32>, DecodeError> {
        self.u32(field).map(|value| (value != u32::MAX).then_some(value))
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn invalid(&self, field: &'static str, reason: &'static str, got: u64) -> DecodeError {
        DecodeError::invalid(self.message, field, reason, got)
    }

    pub(crate) fn unsupported(&self, field: &'static str, reason: &'static str, got: u64) -> DecodeError {
        DecodeError::unsupported(self.message, field, reason, got)
    }

    /// What is left must be extensions.
    pub(crate) fn extensions(mut self) -> Result<Extensions, DecodeError> {
        self.take_extensions()
    }

    #[inline]
    pub(crate) fn take_extensions(&mut self) -> Result<Extensions, DecodeError> {
        // Mostly there are none.
        if self.rest.is_empty() {
            return Ok(Extensions::NONE);
        }
        let rest = core::mem::take(&mut self.rest);
        Extensions::parse(self.message, self.whole, rest, &[])
    }
}
