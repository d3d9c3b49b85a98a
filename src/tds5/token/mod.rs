//! Tokens: what the messages of TDS 5.0 consist of (spec/tds5.md 3).
//!
//! A [`Token`] is one of them, decoded; [`walk`] goes over the tokens of a whole buffer without decoding what
//! is not asked for, and [`MessageStream`](super::stream::MessageStream) takes them out of a byte stream that may
//! be cut anywhere.
//!
//! ```
//! use handover::tds5::token::{Done, Token, walk};
//! use handover::wire::{ByteOrder, Encode};
//!
//! let bytes = Token::from(Done::FINAL).in_order(ByteOrder::Little).to_vec()?;
//! assert_eq!(bytes, [0xfd, 0, 0, 2, 0, 0, 0, 0, 0]);
//! for raw in walk(ByteOrder::Little, &bytes) {
//!     assert_eq!(raw?.decode()?, Token::Done(Done::FINAL));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod body;
mod data_type;
mod done;
mod format;
mod frame;
mod message;
mod notice;
mod walk;

pub(crate) use body::{Compose, Parse, fits, length_u8};
pub use data_type::DataType;
pub(crate) use data_type::Extent;
pub use done::{Done, DoneKind, Logout, ReturnStatus, TransactionState};
pub use format::{COLUMN_STATUS, Column, Format, FormatKind, Value};
pub(crate) use frame::Formats;
use frame::is_unreadable;
pub use message::{
    Control, EnvironmentChange, EnvironmentKind, Language, LoginAck, LoginStatus, Message, OptionAction, OptionCommand,
};
pub use notice::{Eed, EedStatus, Notice};
pub use walk::{RawToken, Walk, walk};

use super::capability::Capabilities;
use super::ids::TokenType;
use crate::error::{DecodeError, EncodeError};
use crate::wire::{ByteOrder, Encode, Payload, Writer, share};
use bytes::Bytes;

/// The values of one PARAMS or ROW, as they stand behind the token's number. What they are, the last [`Format`]
/// says: [`Format::values`].
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Values<B = Bytes> {
    /// The bytes.
    pub data: B,
}

impl<B> Values<B> {
    /// The same values with their bytes held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> Values<C> {
        Values { data: convert(self.data) }
    }
}

impl<B> core::fmt::Debug for Values<B> {
    /// Values may be passwords or session ids: they are not shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Values(..)")
    }
}

impl<'a> Parse<'a> for Values<&'a [u8]> {
    fn parse(_order: ByteOrder, data: &'a [u8]) -> Result<Self, DecodeError> {
        Ok(Self { data })
    }
}

impl<B: Payload> Compose for Values<B> {
    fn body_len(&self) -> usize {
        self.data.as_ref().len()
    }

    fn write_body(&self, _order: ByteOrder, writer: &mut Writer<'_>) {
        writer.put(self.data.as_ref());
    }
}

/// A token that this crate does not take apart: its bytes are kept.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Other<B = Bytes> {
    /// The token's number.
    pub ty: TokenType,
    /// The whole body.
    pub body: B,
}

impl<B> core::fmt::Debug for Other<B> {
    /// Nobody knows what is in it: it is not shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Other({}, ..)", self.ty)
    }
}

impl<B: Payload> Compose for Other<B> {
    fn body_len(&self) -> usize {
        self.body.as_ref().len()
    }

    fn write_body(&self, _order: ByteOrder, writer: &mut Writer<'_>) {
        writer.put(self.body.as_ref());
    }
}

macro_rules! tokens {
    ($($variant:ident($body:ident) = $ty:ident, $name:literal;)+) => {
        /// One token.
        ///
        /// `B` is how its bytes are held: [`Bytes`] in a token that is kept, `&[u8]` in a borrowed view.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[non_exhaustive]
        pub enum Token<B = Bytes> {
            $(#[doc = concat!("Token ", $name, ".")] $variant($body<B>),)+
            /// PARAMFMT, PARAMFMT2, ROWFMT or ROWFMT2.
            Format(Format<B>),
            /// DONE, DONEPROC or DONEINPROC.
            Done(Done),
            /// Token RETURNSTATUS.
            ReturnStatus(ReturnStatus),
            /// Token LOGOUT.
            Logout(Logout),
            /// Any other token, or a format whose data types are not known.
            Other(Other<B>),
        }

        impl<B> Token<B> {
            /// The token's number.
            #[must_use]
            pub const fn token_type(&self) -> TokenType {
                match self {
                    $(Self::$variant(_) => TokenType::$ty,)+
                    Self::Format(format) => match format.kind() {
                        FormatKind::Params => TokenType::PARAM_FORMAT,
                        FormatKind::WideParams => TokenType::PARAM_FORMAT_2,
                        FormatKind::Rows => TokenType::ROW_FORMAT,
                        FormatKind::WideRows => TokenType::ROW_FORMAT_2,
                    },
                    Self::Done(done) => match done.kind {
                        DoneKind::Done => TokenType::DONE,
                        DoneKind::Procedure => TokenType::DONE_PROCEDURE,
                        DoneKind::InProcedure => TokenType::DONE_IN_PROCEDURE,
                    },
                    Self::ReturnStatus(_) => TokenType::RETURN_STATUS,
                    Self::Logout(_) => TokenType::LOGOUT,
                    Self::Other(other) => other.ty,
                }
            }

            /// The same token with its bytes held in another way.
            #[must_use]
            pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> Token<C> {
                match self {
                    $(Self::$variant(body) => Token::$variant(body.map(convert)),)+
                    Self::Format(format) => Token::Format(format.map(convert)),
                    Self::Done(done) => Token::Done(done),
                    Self::ReturnStatus(status) => Token::ReturnStatus(status),
                    Self::Logout(logout) => Token::Logout(logout),
                    Self::Other(other) => Token::Other(Other { ty: other.ty, body: convert(other.body) }),
                }
            }
        }

        impl<'a> Token<&'a [u8]> {
            /// Parses the body of a token.
            #[inline]
            pub(crate) fn parse(order: ByteOrder, ty: TokenType, body: &'a [u8]) -> Result<Self, DecodeError> {
                let format = |kind| match Format::parse(kind, order, body) {
                    Ok(format) => Ok(Self::Format(format)),
                    Err(error) if is_unreadable(&error) => Ok(Self::Other(Other { ty, body })),
                    Err(error) => Err(error),
                };
                match ty {
                    $(TokenType::$ty => $body::parse(order, body).map(Self::$variant),)+
                    TokenType::PARAM_FORMAT => format(FormatKind::Params),
                    TokenType::PARAM_FORMAT_2 => format(FormatKind::WideParams),
                    TokenType::ROW_FORMAT => format(FormatKind::Rows),
                    TokenType::ROW_FORMAT_2 => format(FormatKind::WideRows),
                    TokenType::DONE => Done::parse(DoneKind::Done, order, body).map(Self::Done),
                    TokenType::DONE_PROCEDURE => Done::parse(DoneKind::Procedure, order, body).map(Self::Done),
                    TokenType::DONE_IN_PROCEDURE => Done::parse(DoneKind::InProcedure, order, body).map(Self::Done),
                    TokenType::RETURN_STATUS => ReturnStatus::parse(order, body).map(Self::ReturnStatus),
                    TokenType::LOGOUT => Logout::parse(order, body).map(Self::Logout),
                    _ => Ok(Self::Other(Other { ty, body })),
                }
            }
        }

        impl<B: Payload> Compose for Token<B> {
            #[inline]
            fn body_len(&self) -> usize {
                match self {
                    $(Self::$variant(body) => body.body_len(),)+
                    Self::Format(format) => format.body_len(),
                    Self::Done(done) => done.body_len(),
                    Self::ReturnStatus(status) => status.body_len(),
                    Self::Logout(logout) => logout.body_len(),
                    Self::Other(other) => other.body_len(),
                }
            }

            #[inline]
            fn check_body(&self) -> Result<(), EncodeError> {
                match self {
                    $(Self::$variant(body) => body.check_body(),)+
                    _ => Ok(()),
                }
            }

            #[inline]
            fn write_body(&self, order: ByteOrder, writer: &mut Writer<'_>) {
                match self {
                    $(Self::$variant(body) => body.write_body(order, writer),)+
                    Self::Format(format) => format.write_body(order, writer),
                    Self::Done(done) => done.write_body(order, writer),
                    Self::ReturnStatus(status) => status.write_body(order, writer),
                    Self::Logout(logout) => logout.write_body(order, writer),
                    Self::Other(other) => other.write_body(order, writer),
                }
            }
        }
    };
}

tokens! {
    Message(Message) = MESSAGE, "MSG";
    Params(Values) = PARAMS, "PARAMS";
    Row(Values) = ROW, "ROW";
    LoginAck(LoginAck) = LOGIN_ACK, "LOGINACK";
    Capability(Capabilities) = CAPABILITY, "CAPABILITY";
    EnvironmentChange(EnvironmentChange) = ENVIRONMENT_CHANGE, "ENVCHANGE";
    Eed(Eed) = EED, "EED";
    Error(Notice) = ERROR, "ERROR";
    Info(Notice) = INFO, "INFO";
    Language(Language) = LANGUAGE, "LANGUAGE";
    Control(Control) = CONTROL, "CONTROL";
    OptionCommand(OptionCommand) = OPTION_COMMAND, "OPTIONCMD";
}

macro_rules! from_body {
    ($($variant:ident($body:ident),)+ ; $($plain:ident,)+) => {
        $(impl<B> From<$body<B>> for Token<B> {
            fn from(body: $body<B>) -> Self {
                Self::$variant(body)
            }
        })+
        $(impl From<$plain> for Token {
            fn from(body: $plain) -> Self {
                Self::$plain(body)
            }
        })+
    };
}

from_body! {
    Message(Message), LoginAck(LoginAck), Capability(Capabilities), EnvironmentChange(EnvironmentChange), Eed(Eed),
    Language(Language), Control(Control), OptionCommand(OptionCommand), Format(Format), Other(Other),;
    Done, ReturnStatus, Logout,
}

impl Token<&[u8]> {
    /// The same token, which shares the bytes of `frame`; it must have been parsed from a part of it.
    pub(crate) fn share(self, frame: &Bytes) -> Token {
        self.map(&mut |part| share(frame, part))
    }
}

impl<B: Payload> Token<B> {
    /// The token as it stands on the wire in this byte order.
    #[must_use]
    pub const fn in_order(&self, order: ByteOrder) -> InOrder<'_, B> {
        InOrder { token: self, order }
    }
}

/// A token with the byte order of its connection: what can be encoded.
#[derive(Clone, Copy, Debug)]
pub struct InOrder<'a, B = Bytes> {
    token: &'a Token<B>,
    order: ByteOrder,
}

impl<B: Payload> InOrder<'_, B> {
    /// How many bytes stand behind the token's number and its length.
    #[must_use]
    pub fn body_len(&self) -> usize {
        self.token.body_len()
    }
}

impl<B: Payload> Encode for InOrder<'_, B> {
    #[inline]
    fn encoded_len(&self) -> usize {
        self.token.body_len().saturating_add(self.token.token_type().head())
    }

    #[inline]
    fn check(&self) -> Result<(), EncodeError> {
        self.token.check_body()?;
        if let Token::Format(format) = self.token
            && format.order() != self.order
        {
            let reason = "the format is of another byte order than the connection";
            return Err(EncodeError::Invalid { message: "Format", field: "order", reason });
        }
        let ty = self.token.token_type();
        if let Token::Other(other) = self.token {
            let fixed = ty.fixed().is_some_and(|size| size != other.body.as_ref().len());
            if fixed || !ty.is_framed() {
                let reason = "a body of this length cannot stand behind this token's number";
                return Err(EncodeError::Invalid { message: "Other", field: "body", reason });
            }
        }
        fits("Token", "length", ty.largest(), self.token.body_len())
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        let ty = self.token.token_type();
        ty.write_head(self.order, self.token.body_len(), writer);
        self.token.write_body(self.order, writer);
    }
}
