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
use crate::wire::{ByteOrder, Encode, Payload, Writer, encode, refused, share};
use bytes::{Bytes, BytesMut};

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

/// A body with what stands before it.
struct Framed<'a, T> {
    ty: TokenType,
    body: &'a T,
    order: ByteOrder,
}

impl<T: Compose> Encode for Framed<'_, T> {
    #[inline(always)]
    fn encoded_len(&self) -> usize {
        self.body.body_len().saturating_add(self.ty.head())
    }

    #[inline(always)]
    fn check(&self) -> Result<(), EncodeError> {
        self.body.check_body()?;
        fits("Token", "length", self.ty.largest(), self.body.body_len())
    }

    // As it stands in the trait, but for the reason: only that needs a value in memory.
    #[inline(always)]
    fn encode(&self, dst: &mut [u8]) -> Result<usize, EncodeError> {
        #[cold]
        #[inline(never)]
        fn reason<T: Compose>(ty: TokenType, body: &T, order: ByteOrder, got: usize) -> Result<usize, EncodeError> {
            refused(&Framed { ty, body, order }, got)
        }
        match encode(self, dst) {
            Some(written) => Ok(written),
            None => reason(self.ty, self.body, self.order, dst.len()),
        }
    }

    #[inline(always)]
    fn write(&self, writer: &mut Writer<'_>) {
        self.ty.write_head(self.order, self.body.body_len(), writer);
        self.body.write_body(self.order, writer);
    }
}

/// Where a token is encoded to.
trait Room {
    type Written;

    fn put(self, token: &impl Encode) -> Result<Self::Written, EncodeError>;
}

impl Room for &mut [u8] {
    type Written = usize;

    #[inline(always)]
    fn put(self, token: &impl Encode) -> Result<usize, EncodeError> {
        token.encode(self)
    }
}

impl Room for &mut BytesMut {
    type Written = ();

    #[inline(always)]
    fn put(self, token: &impl Encode) -> Result<(), EncodeError> {
        token.encode_to(self)
    }
}

/// Parses a body and wraps it up. A function of its own for each kind, so that its result is built where the caller
/// wants it: copies of it would cost more than the parse.
#[inline(never)]
fn whole<'a, T: Parse<'a>, R>(order: ByteOrder, body: &'a [u8], wrap: impl FnOnce(T) -> R) -> Result<R, DecodeError> {
    T::parse(order, body).map(wrap)
}

/// The same for the kinds of formats.
#[inline(never)]
fn format(kind: FormatKind, order: ByteOrder, ty: TokenType, body: &[u8]) -> Result<Token<&[u8]>, DecodeError> {
    if let Some((format, _)) = Format::parse_usual(kind, order, body) {
        return Ok(Token::Format(format));
    }
    match Format::parse(kind, order, body) {
        Ok(format) => Ok(Token::Format(format)),
        Err(error) if is_unreadable(&error) => Ok(Token::Other(Other { ty, body })),
        Err(error) => Err(error),
    }
}

/// The same for the kinds of DONE.
#[inline(never)]
fn done(kind: DoneKind, order: ByteOrder, body: &[u8]) -> Result<Token<&[u8]>, DecodeError> {
    Done::parse(kind, order, body).map(Token::Done)
}

fn check_format<B>(format: &Format<B>, order: ByteOrder) -> Result<(), EncodeError> {
    if format.order() == order {
        return Ok(());
    }
    let reason = "the format is of another byte order than the connection";
    Err(EncodeError::Invalid { message: "Format", field: "order", reason })
}

fn check_other<B: Payload>(other: &Other<B>) -> Result<(), EncodeError> {
    if other.ty.can_have(other.body.as_ref().len()) {
        return Ok(());
    }
    let reason = "a body of this length cannot stand behind this token's number";
    Err(EncodeError::Invalid { message: "Other", field: "body", reason })
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
                    Self::Format(format) => format.kind().token_type(),
                    Self::Done(done) => done.kind.token_type(),
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
                match ty {
                    $(TokenType::$ty => whole(order, body, Self::$variant),)+
                    TokenType::PARAM_FORMAT => format(FormatKind::Params, order, ty, body),
                    TokenType::PARAM_FORMAT_2 => format(FormatKind::WideParams, order, ty, body),
                    TokenType::ROW_FORMAT => format(FormatKind::Rows, order, ty, body),
                    TokenType::ROW_FORMAT_2 => format(FormatKind::WideRows, order, ty, body),
                    TokenType::DONE => done(DoneKind::Done, order, body),
                    TokenType::DONE_PROCEDURE => done(DoneKind::Procedure, order, body),
                    TokenType::DONE_IN_PROCEDURE => done(DoneKind::InProcedure, order, body),
                    TokenType::RETURN_STATUS => whole(order, body, Self::ReturnStatus),
                    TokenType::LOGOUT => whole(order, body, Self::Logout),
                    _ => Ok(Self::Other(Other { ty, body })),
                }
            }
        }

        impl<B: Payload> Token<B> {
            /// Encodes it with one look at the variant instead of one for each step.
            #[inline(never)]
            fn put<R: Room>(&self, order: ByteOrder, room: R) -> Result<R::Written, EncodeError> {
                match self {
                    $(Self::$variant(body) => room.put(&Framed { ty: TokenType::$ty, body, order }),)+
                    Self::Format(body) => {
                        check_format(body, order)?;
                        room.put(&Framed { ty: body.kind().token_type(), body, order })
                    }
                    Self::Done(body) => room.put(&Framed { ty: body.kind.token_type(), body, order }),
                    Self::ReturnStatus(body) => room.put(&Framed { ty: TokenType::RETURN_STATUS, body, order }),
                    Self::Logout(body) => room.put(&Framed { ty: TokenType::LOGOUT, body, order }),
                    Self::Other(body) => {
                        check_other(body)?;
                        room.put(&Framed { ty: body.ty, body, order })
                    }
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

    /// Encodes the token; one of those that messages consist of where it is called, any other in a function apart.
    #[inline]
    fn put<R: Room>(&self, room: R) -> Result<R::Written, EncodeError> {
        let order = self.order;
        match self.token {
            Token::Message(body) => room.put(&Framed { ty: TokenType::MESSAGE, body, order }),
            Token::Params(body) => room.put(&Framed { ty: TokenType::PARAMS, body, order }),
            Token::Format(body) if body.kind() == FormatKind::Params && body.order() == order => {
                room.put(&Framed { ty: TokenType::PARAM_FORMAT, body, order })
            }
            token => token.put(order, room),
        }
    }
}

impl<B: Payload> Encode for InOrder<'_, B> {
    #[inline]
    fn encoded_len(&self) -> usize {
        self.token.body_len().saturating_add(self.token.token_type().head())
    }

    #[inline]
    fn check(&self) -> Result<(), EncodeError> {
        match self.token {
            Token::Format(format) => check_format(format, self.order)?,
            Token::Other(other) => check_other(other)?,
            other => other.check_body()?,
        }
        fits("Token", "length", self.token.token_type().largest(), self.token.body_len())
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        let ty = self.token.token_type();
        ty.write_head(self.order, self.token.body_len(), writer);
        self.token.write_body(self.order, writer);
    }

    #[inline]
    fn encode(&self, dst: &mut [u8]) -> Result<usize, EncodeError> {
        self.put(dst)
    }

    #[inline]
    fn encode_to(&self, dst: &mut BytesMut) -> Result<(), EncodeError> {
        self.put(dst)
    }
}
