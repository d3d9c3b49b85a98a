//! EED, ERROR and INFO: what a server has to say in words (spec/tds5.md 3.2).

use super::body::{Compose, Parse, fits, length_u16, put_short_string, short_string};
use crate::error::{DecodeError, EncodeError};
use crate::wire::{ByteOrder, Payload, Writer, bytes as take, codes, fixed, put};
use bytes::Bytes;

codes! {
    /// What follows an EED, and whom it is for.
    pub struct EedStatus(u8) {
        /// Nothing follows.
        NONE = 0, "TDS_NO_EED";
        /// PARAMFMT and PARAMS follow.
        FOLLOWS = 1, "TDS_EED_FOLLOWS";
        /// For the client library, not for the application.
        INFO = 2, "TDS_EED_INFO";
    }
}

/// EED: i32 number, u8 state, u8 class, SQL state behind a length byte, u8 status, u16 transaction state, text behind
/// a u16 length, server and procedure behind length bytes, u16 line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "TDS_EED")]
#[doc(alias = "srv_sendinfo")]
pub struct Eed<B = Bytes> {
    /// The message's number.
    pub number: i32,
    /// Its state.
    pub state: u8,
    /// Its severity: above 10 it is an error.
    pub class: u8,
    /// The SQL state.
    pub sql_state: B,
    /// What follows, and whom it is for.
    pub status: EedStatus,
    /// Where the transaction stands, as in [`Done`](super::Done).
    pub transaction: u16,
    /// The text.
    pub text: B,
    /// The server's name.
    pub server: B,
    /// The procedure's name.
    pub procedure: B,
    /// The line in the batch or the procedure.
    pub line: u16,
    /// What the token holds beyond that; no known peer sends any.
    pub extra: B,
}

impl Eed {
    /// An error or a notice without parameters.
    #[must_use]
    pub fn new(number: i32, class: u8, text: impl Into<Bytes>) -> Self {
        Self {
            number,
            state: 1,
            class,
            sql_state: Bytes::new(),
            status: EedStatus::NONE,
            transaction: 0,
            text: text.into(),
            server: Bytes::new(),
            procedure: Bytes::new(),
            line: 0,
            extra: Bytes::new(),
        }
    }
}

impl<B> Eed<B> {
    /// The same token with its bytes held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> Eed<C> {
        let Self { number, state, class, status, transaction, line, .. } = self;
        Eed {
            number,
            state,
            class,
            sql_state: convert(self.sql_state),
            status,
            transaction,
            text: convert(self.text),
            server: convert(self.server),
            procedure: convert(self.procedure),
            line,
            extra: convert(self.extra),
        }
    }
}

impl<'a> Parse<'a> for Eed<&'a [u8]> {
    #[inline]
    fn parse(order: ByteOrder, body: &'a [u8]) -> Result<Self, DecodeError> {
        const MESSAGE: &str = "Eed";
        let (rest, (number, state, class)) = fixed!(in order; MESSAGE, body, { number: i32, state: u8, class: u8 });
        let (sql_state, rest) = short_string(MESSAGE, "sql_state", rest)?;
        let (rest, (status, transaction, text)) =
            fixed!(in order; MESSAGE, rest, { status: u8, transaction: u16, text: u16 });
        let (rest, text) = take(MESSAGE, "text", usize::from(text), rest)?;
        let (server, rest) = short_string(MESSAGE, "server", rest)?;
        let (procedure, rest) = short_string(MESSAGE, "procedure", rest)?;
        let (extra, (line,)) = fixed!(in order; MESSAGE, rest, { line: u16 });
        let status = EedStatus(status);
        Ok(Self { number, state, class, sql_state, status, transaction, text, server, procedure, line, extra })
    }
}

impl<B: Payload> Compose for Eed<B> {
    fn body_len(&self) -> usize {
        let parts = [&self.sql_state, &self.text, &self.server, &self.procedure, &self.extra];
        parts.iter().fold(16, |sum: usize, part| sum.saturating_add(part.as_ref().len()))
    }

    fn check_body(&self) -> Result<(), EncodeError> {
        fits("Eed", "sql_state", u8::MAX, self.sql_state.as_ref().len())?;
        fits("Eed", "text", u16::MAX, self.text.as_ref().len())?;
        fits("Eed", "server", u8::MAX, self.server.as_ref().len())?;
        fits("Eed", "procedure", u8::MAX, self.procedure.as_ref().len())
    }

    fn write_body(&self, order: ByteOrder, writer: &mut Writer<'_>) {
        put!(in order; writer, { number: i32 = self.number, state: u8 = self.state, class: u8 = self.class });
        put_short_string(writer, self.sql_state.as_ref());
        let text = length_u16(self.text.as_ref().len());
        put!(in order; writer, { status: u8 = self.status.0, transaction: u16 = self.transaction, text: u16 = text });
        writer.put(self.text.as_ref());
        put_short_string(writer, self.server.as_ref());
        put_short_string(writer, self.procedure.as_ref());
        put!(in order; writer, { line: u16 = self.line });
        writer.put(self.extra.as_ref());
    }
}

/// ERROR or INFO, for clients that take no EED: i32 number, u8 state, u8 class, text behind a u16 length, server and
/// procedure behind length bytes, u16 line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "TDS_ERROR")]
#[doc(alias = "TDS_INFO")]
pub struct Notice<B = Bytes> {
    /// The message's number.
    pub number: i32,
    /// Its state.
    pub state: u8,
    /// Its severity.
    pub class: u8,
    /// The text.
    pub text: B,
    /// The server's name.
    pub server: B,
    /// The procedure's name.
    pub procedure: B,
    /// The line in the batch or the procedure.
    pub line: u16,
    /// What the token holds beyond that.
    pub extra: B,
}

impl<B> Notice<B> {
    /// The same token with its bytes held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> Notice<C> {
        let Self { number, state, class, line, .. } = self;
        Notice {
            number,
            state,
            class,
            text: convert(self.text),
            server: convert(self.server),
            procedure: convert(self.procedure),
            line,
            extra: convert(self.extra),
        }
    }
}

impl<'a> Parse<'a> for Notice<&'a [u8]> {
    fn parse(order: ByteOrder, body: &'a [u8]) -> Result<Self, DecodeError> {
        const MESSAGE: &str = "Notice";
        let (rest, (number, state, class, text)) =
            fixed!(in order; MESSAGE, body, { number: i32, state: u8, class: u8, text: u16 });
        let (rest, text) = take(MESSAGE, "text", usize::from(text), rest)?;
        let (server, rest) = short_string(MESSAGE, "server", rest)?;
        let (procedure, rest) = short_string(MESSAGE, "procedure", rest)?;
        let (extra, (line,)) = fixed!(in order; MESSAGE, rest, { line: u16 });
        Ok(Self { number, state, class, text, server, procedure, line, extra })
    }
}

impl<B: Payload> Compose for Notice<B> {
    fn body_len(&self) -> usize {
        let parts = [&self.text, &self.server, &self.procedure, &self.extra];
        parts.iter().fold(12, |sum: usize, part| sum.saturating_add(part.as_ref().len()))
    }

    fn check_body(&self) -> Result<(), EncodeError> {
        fits("Notice", "text", u16::MAX, self.text.as_ref().len())?;
        fits("Notice", "server", u8::MAX, self.server.as_ref().len())?;
        fits("Notice", "procedure", u8::MAX, self.procedure.as_ref().len())
    }

    fn write_body(&self, order: ByteOrder, writer: &mut Writer<'_>) {
        let text = length_u16(self.text.as_ref().len());
        put!(in order; writer, { number: i32 = self.number, state: u8 = self.state, class: u8 = self.class, text: u16 = text });
        writer.put(self.text.as_ref());
        put_short_string(writer, self.server.as_ref());
        put_short_string(writer, self.procedure.as_ref());
        put!(in order; writer, { line: u16 = self.line });
        writer.put(self.extra.as_ref());
    }
}
