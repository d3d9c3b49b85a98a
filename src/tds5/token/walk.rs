//! Over the tokens of a whole buffer.

use super::frame::Formats;
use super::{Extent, Token};
use crate::error::DecodeError;
use crate::tds5::ids::TokenType;
use crate::wire::ByteOrder;

/// A token whose end is known and whose body was not looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawToken<'a> {
    /// The token's number.
    pub ty: TokenType,
    /// The byte order of its connection.
    pub order: ByteOrder,
    /// What is behind the number and the length.
    pub body: &'a [u8],
}

impl core::fmt::Debug for RawToken<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "RawToken({}, {} bytes)", self.ty, self.body.len())
    }
}

impl<'a> RawToken<'a> {
    /// Takes the body apart.
    ///
    /// # Errors
    /// It is malformed.
    #[inline]
    pub fn decode(&self) -> Result<Token<&'a [u8]>, DecodeError> {
        Token::parse(self.order, self.ty, self.body)
    }
}

/// Goes over the tokens in `bytes`, which must hold whole ones.
#[must_use]
pub fn walk(order: ByteOrder, bytes: &[u8]) -> Walk<'_> {
    Walk { order, rest: bytes, formats: Formats::default() }
}

/// Iterator over the tokens of a buffer. It ends at the first error.
#[derive(Clone)]
pub struct Walk<'a> {
    order: ByteOrder,
    rest: &'a [u8],
    formats: Formats<&'a [u8]>,
}

impl core::fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Walk({} bytes)", self.rest.len())
    }
}

impl<'a> Walk<'a> {
    #[inline]
    fn step(&mut self) -> Result<RawToken<'a>, DecodeError> {
        let input = self.rest;
        let size = match self.formats.extent(self.order, input, ("token", usize::MAX))? {
            Extent::Whole(size) => size,
            Extent::Needs(needed) => return Err(DecodeError::short("Token", "body", needed, input.len())),
        };
        let short = || DecodeError::short("Token", "body", size, input.len());
        let (token, rest) = input.split_at_checked(size).ok_or_else(short)?;
        let ty = TokenType(token.first().copied().unwrap_or_default());
        let body = token.get(ty.head()..).ok_or_else(short)?;
        self.rest = rest;
        self.formats.note(self.order, ty, body, |format| format)?;
        Ok(RawToken { ty, order: self.order, body })
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Result<RawToken<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.rest = &[];
        }
        Some(step)
    }
}
