//! Over the tokens of a whole buffer.

use super::format::FormatKind;
use super::frame::Formats;
use super::{Extent, Format, Message, Parse, Token, Values};
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
    /// Which format it is, if it is one that was read once already, because values may come.
    was_read: Option<FormatKind>,
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
    #[inline(always)]
    pub fn decode(&self) -> Result<Token<&'a [u8]>, DecodeError> {
        // The tokens that messages consist of are taken apart here, any other in a function of its own.
        if let Some(kind) = self.was_read
            && let Some(format) = Format::parse_again(kind, self.order, self.body)
        {
            return Ok(Token::Format(format));
        }
        match self.ty {
            TokenType::MESSAGE => Message::parse(self.order, self.body).map(Token::Message),
            TokenType::PARAMS => Ok(Token::Params(Values { data: self.body })),
            _ => Token::parse(self.order, self.ty, self.body),
        }
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

/// The body of a token, and what is behind it.
type Split<'a> = (&'a [u8], &'a [u8]);

impl<'a> Walk<'a> {
    #[inline(always)]
    fn step(&mut self) -> Result<RawToken<'a>, DecodeError> {
        let ty = TokenType(self.rest.first().copied().unwrap_or_default());
        let (was_read, (body, rest)) = match self.usual(ty) {
            Some(split) => (ty.format(), split),
            None => (None, self.any(ty)?),
        };
        self.rest = rest;
        Ok(RawToken { ty, order: self.order, body, was_read })
    }

    /// The token at the front, if it is of the usual kind and whole.
    #[inline(always)]
    fn usual(&mut self, ty: TokenType) -> Option<Split<'a>> {
        let split = self.formats.usual(self.order, ty, self.rest.get(1..)?)?;
        match ty.format() {
            Some(kind) if !self.formats.note_usual(self.order, kind, split.0) => None,
            _ => Some(split),
        }
    }

    /// The token at the front, whatever it is.
    #[inline(never)]
    fn any(&mut self, ty: TokenType) -> Result<Split<'a>, DecodeError> {
        let input = self.rest;
        let size = match self.formats.extent(self.order, input, ("token", usize::MAX))? {
            Extent::Whole(size) => size,
            Extent::Needs(needed) => return Err(DecodeError::short("Token", "body", needed, input.len())),
        };
        let short = || DecodeError::short("Token", "body", size, input.len());
        let (token, rest) = input.split_at_checked(size).ok_or_else(short)?;
        let body = token.get(ty.head()..).ok_or_else(short)?;
        if let Some(kind) = ty.format() {
            self.formats.note(self.order, kind, body, |format| format)?;
        }
        Ok((body, rest))
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
