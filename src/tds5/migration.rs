//! The messages of the migration protocol as types (spec/tds5.md 4.1 and 4.3).

mod address;

pub use address::{Address, NotAnAddress};

use super::ids::MessageId;
use super::secret::SessionId;
use super::token::{Column, DataType, Format, FormatKind, Message, Token, Values, length_u8};
use crate::error::EncodeError;
use crate::wire::{ByteOrder, Payload};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;

/// What two peers say to each other about a migration, and the session id that makes one possible.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Migration {
    /// Server to client: please migrate to one of these.
    #[doc(alias = "TDS_MIG_REQ")]
    Request(Request),
    /// Client to server: I have the request and am ready.
    #[doc(alias = "TDS_MIG_SYNC")]
    Sync,
    /// Server to client: go.
    #[doc(alias = "TDS_MIG_CONT")]
    Continue,
    /// Server to client: never mind.
    #[doc(alias = "TDS_MIG_IGN")]
    Ignore,
    /// Client to the original server: I could not, or will not.
    #[doc(alias = "TDS_MIG_FAIL")]
    Fail(Option<FailReason>),
    /// Client to whichever server has it: I am waiting for results.
    #[doc(alias = "TDS_MIG_RESUME")]
    Resume,
    /// Server to client: the id of the session. Client to server, without one: I have it.
    #[doc(alias = "TDS_MSG_HAFAILOVER")]
    SessionId(Option<SessionId>),
}

impl Migration {
    /// The number of its message.
    #[must_use]
    pub const fn message_id(&self) -> MessageId {
        match self {
            Self::Request(_) => MessageId::MIGRATION_REQUEST,
            Self::Sync => MessageId::MIGRATION_SYNC,
            Self::Continue => MessageId::MIGRATION_CONTINUE,
            Self::Ignore => MessageId::MIGRATION_IGNORE,
            Self::Fail(_) => MessageId::MIGRATION_FAIL,
            Self::Resume => MessageId::MIGRATION_RESUME,
            Self::SessionId(_) => MessageId::HA_FAILOVER,
        }
    }

    /// Its name, without contents.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Request(_) => "MIG_REQ",
            Self::Sync => "MIG_SYNC",
            Self::Continue => "MIG_CONT",
            Self::Ignore => "MIG_IGN",
            Self::Fail(_) => "MIG_FAIL",
            Self::Resume => "MIG_RESUME",
            Self::SessionId(_) => "HAFAILOVER",
        }
    }

    /// Whether messages of this number are taken out of the token stream and understood.
    #[must_use]
    pub const fn is_ours(id: MessageId) -> bool {
        matches!(
            id,
            MessageId::MIGRATION_REQUEST
                | MessageId::MIGRATION_SYNC
                | MessageId::MIGRATION_CONTINUE
                | MessageId::MIGRATION_IGNORE
                | MessageId::MIGRATION_FAIL
                | MessageId::MIGRATION_RESUME
                | MessageId::HA_FAILOVER
        )
    }
}

/// A request to migrate: where to, in the order in which it is to be tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Request {
    /// The addresses that could be read.
    pub addresses: Vec<Address>,
    /// The parameters that could not: text in none of the forms that are known, or values that are no text.
    pub unreadable: Vec<Bytes>,
}

/// Why a client could not migrate. Both parts are optional on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FailReason {
    /// A number; ours are the constants of this type, a peer's may mean anything.
    pub code: Option<i32>,
    /// A text for people.
    pub text: Option<String>,
}

impl FailReason {
    /// No address could be read or may be used.
    pub const NO_USABLE_ADDRESS: i32 = 1;
    /// No connection could be made.
    pub const NOT_REACHED: i32 = 2;
    /// The new server has refused the login.
    pub const LOGIN_REFUSED: i32 = 3;
    /// The old server took too long to say whether to go.
    pub const NO_ANSWER: i32 = 4;

    /// A reason with a number and a text.
    #[must_use]
    pub fn new(code: i32, text: &str) -> Self {
        Self { code: Some(code), text: Some(text.into()) }
    }
}

/// How migration messages are laid out where the original is silent (spec/tds5.md 4.3 a, b and j): what we send, and
/// whether the alternatives are understood. Any data type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Options {
    /// For addresses. Default VARCHAR; CHAR and LONGCHAR can be chosen.
    pub address_type: DataType,
    /// For session ids. Default VARBINARY; BINARY and LONGBINARY can be chosen.
    pub session_id_type: DataType,
    /// Whether migration messages are packets of type 17. Default true; otherwise they are sent as responses and
    /// requests are. Both are accepted.
    pub migrate_packets: bool,
    /// Whether migration messages are understood in any message, not only in packets of type 17. Default true. (The
    /// session id always is: it comes in the response to a login.)
    pub accept_anywhere: bool,
}

impl Options {
    /// The documented defaults.
    pub const DEFAULT: Self = Self {
        address_type: DataType::VARCHAR,
        session_id_type: DataType::VARBINARY,
        migrate_packets: true,
        accept_anywhere: true,
    };
}

impl Default for Options {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A column of a chosen type and its value.
fn parameter(order: ByteOrder, ty: DataType, value: &[u8], values: &mut Vec<u8>) -> Result<Column, EncodeError> {
    let column = match ty {
        DataType::LONGCHAR | DataType::LONGBINARY => {
            let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
            values.extend_from_slice(&order.arrange(length).to_ne_bytes());
            Column::long(ty, order, 0x7fff_ffff)
        }
        DataType::VARCHAR | DataType::CHAR | DataType::VARBINARY | DataType::BINARY => {
            super::token::fits("Migration", "parameter", u8::MAX, value.len())?;
            values.push(length_u8(value.len()));
            let binary = matches!(ty, DataType::VARBINARY | DataType::BINARY);
            Column::short(ty, if binary { length_u8(value.len()) } else { u8::MAX })
        }
        _ => {
            let reason = "must be a character or binary type";
            return Err(EncodeError::Invalid { message: "Options", field: "type", reason });
        }
    };
    values.extend_from_slice(value);
    Ok(column)
}

impl Migration {
    /// The tokens of the message: MSG, and where it has parameters PARAMFMT and PARAMS.
    ///
    /// # Errors
    /// An address cannot be carried, or a type of `options` is not one of those allowed.
    pub fn tokens(&self, order: ByteOrder, options: &Options) -> Result<Vec<Token>, EncodeError> {
        let mut columns = Vec::new();
        let mut values = Vec::new();
        match self {
            Self::Request(request) => {
                if !options.address_type.is_text() {
                    let reason = "must be a character type";
                    return Err(EncodeError::Invalid { message: "Options", field: "address_type", reason });
                }
                for address in &request.addresses {
                    let text = address.to_string();
                    columns.push(parameter(order, options.address_type, text.as_bytes(), &mut values)?);
                }
                for raw in &request.unreadable {
                    columns.push(parameter(order, options.address_type, raw, &mut values)?);
                }
            }
            Self::Fail(Some(reason)) => {
                if let Some(code) = reason.code {
                    values.push(4);
                    values.extend_from_slice(&order.arrange(code).to_ne_bytes());
                    columns.push(Column::short(DataType::INTN, 4));
                }
                if let Some(text) = &reason.text {
                    columns.push(parameter(order, DataType::VARCHAR, text.as_bytes(), &mut values)?);
                }
            }
            Self::SessionId(Some(id)) => {
                columns.push(parameter(order, options.session_id_type, &id.bytes(), &mut values)?);
            }
            Self::Sync | Self::Continue | Self::Ignore | Self::Fail(None) | Self::Resume | Self::SessionId(None) => {}
        }
        let mut tokens = Vec::new();
        tokens.push(Message::new(self.message_id(), !columns.is_empty()).into());
        if !columns.is_empty() {
            tokens.push(Format::new(FormatKind::Params, order, &columns)?.into());
            tokens.push(Token::Params(Values { data: values.into() }));
        }
        Ok(tokens)
    }

    /// Reads a message of the protocol from its number and its parameters; `None` for a number that is not of it.
    /// What cannot be understood in the parameters is kept or ignored, never refused.
    #[must_use]
    pub fn from_parameters<B: Payload>(id: MessageId, parameters: Option<(&Format<B>, &[u8])>) -> Option<Self> {
        let values = || {
            parameters.into_iter().flat_map(|(format, values)| {
                let order = format.order();
                format.values(values).map(move |(column, value)| (column.data_type, value.data, order))
            })
        };
        Some(match id {
            MessageId::MIGRATION_REQUEST => {
                let mut request = Request::default();
                for (ty, data, _) in values() {
                    let data = data.unwrap_or_default();
                    match Address::parse(data).filter(|_| ty.is_text()) {
                        Some(address) => request.addresses.push(address),
                        None => request.unreadable.push(Bytes::copy_from_slice(data)),
                    }
                }
                Self::Request(request)
            }
            MessageId::MIGRATION_SYNC => Self::Sync,
            MessageId::MIGRATION_CONTINUE => Self::Continue,
            MessageId::MIGRATION_IGNORE => Self::Ignore,
            MessageId::MIGRATION_FAIL => {
                let mut reason = FailReason { code: None, text: None };
                for (ty, data, order) in values() {
                    let Some(data) = data else { continue };
                    if ty.is_text() {
                        reason.text.get_or_insert_with(|| String::from_utf8_lossy(data).into_owned());
                    } else if let Some(code) = integer(ty, order, data) {
                        reason.code.get_or_insert(code);
                    }
                }
                Self::Fail((reason.code.is_some() || reason.text.is_some()).then_some(reason))
            }
            MessageId::MIGRATION_RESUME => Self::Resume,
            MessageId::HA_FAILOVER => {
                let first = values().find_map(|(_, data, _)| <[u8; 6]>::try_from(data?).ok());
                Self::SessionId(first.and_then(SessionId::new))
            }
            _ => return None,
        })
    }
}

/// A number in one of the integer types, if it fits.
fn integer(ty: DataType, order: ByteOrder, data: &[u8]) -> Option<i32> {
    let signed = !matches!(ty, DataType::UINTN | DataType::UINT2 | DataType::UINT4 | DataType::UINT8 | DataType::INT1);
    let integers = matches!(
        ty,
        DataType::INTN | DataType::INT1 | DataType::INT2 | DataType::INT4 | DataType::INT8 | DataType::SINT1
    );
    if signed && !integers {
        return None;
    }
    let wide = match *data {
        // INTN of one byte is unsigned, like INT1.
        [one] if ty == DataType::SINT1 => i64::from(i8::from_ne_bytes([one])),
        [one] => i64::from(one),
        [a, b] if signed => i64::from(i16::from_ne_bytes(order.arrange(u16::from_ne_bytes([a, b])).to_ne_bytes())),
        [a, b] => i64::from(order.arrange(u16::from_ne_bytes([a, b]))),
        [a, b, c, d] if signed => i64::from(order.arrange(i32::from_ne_bytes([a, b, c, d]))),
        [a, b, c, d] => i64::from(order.arrange(u32::from_ne_bytes([a, b, c, d]))),
        [a, b, c, d, e, f, g, h] => {
            let wide = order.arrange(u64::from_ne_bytes([a, b, c, d, e, f, g, h]));
            if signed { i64::from_ne_bytes(wide.to_ne_bytes()) } else { i64::try_from(wide).ok()? }
        }
        _ => return None,
    };
    i32::try_from(wide).ok()
}
