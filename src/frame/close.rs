//! The last message on a link (spec/frame.md 4).

use super::extension::Extensions;
use super::header::{FrameFlags, Protocol};
use super::message::{Native, check_kind};
use super::text::Text;
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::wire::ByteOrder::Big;
use crate::wire::{Writer, codes, fixed, put};
use bytes::Bytes;

codes! {
    /// Why a link is closed (spec/frame.md 4).
    pub struct CloseReason(u16) {
        /// It is not needed any more.
        DONE = 0;
        /// The end that closes it is going away.
        GOING_AWAY = 1;
        /// There is no protocol that both ends speak.
        NOTHING_IN_COMMON = 2;
        /// What came is malformed.
        MALFORMED = 3;
        /// What came may not come.
        VIOLATION = 4;
        /// What came is not known, and must be.
        UNKNOWN = 5;
        /// Something has taken too long.
        TIMED_OUT = 6;
        /// A bound was reached.
        LIMIT = 7;
        /// The other end may not do this.
        FORBIDDEN = 8;
        /// Something is wrong at the end that closes it.
        INTERNAL = 9;
    }
}

impl CloseReason {
    /// What to say to an end whose bytes are refused for this error: [`LIMIT`](Self::LIMIT) for a bound,
    /// [`UNKNOWN`](Self::UNKNOWN) for what is not supported, else [`MALFORMED`](Self::MALFORMED).
    #[must_use]
    pub const fn for_error(error: &DecodeError) -> Self {
        match error.kind {
            DecodeErrorKind::Limit(_) => Self::LIMIT,
            DecodeErrorKind::Unsupported { .. } => Self::UNKNOWN,
            DecodeErrorKind::Short { .. } | DecodeErrorKind::Invalid { .. } => Self::MALFORMED,
        }
    }
}

/// The last message on a link: u16 reason, u8 size and text, extensions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Close {
    /// Why.
    pub reason: CloseReason,
    /// The same for people.
    pub text: Text,
    /// What else is said.
    pub extensions: Extensions,
}

impl Close {
    /// Its number among the link's messages.
    pub const KIND: u8 = 2;

    /// A close without a text.
    #[must_use]
    pub const fn new(reason: CloseReason) -> Self {
        Self { reason, text: Text::EMPTY, extensions: Extensions::NONE }
    }
}

impl Native for Close {
    const PROTOCOL: Protocol = Protocol::LINK;

    fn kind(&self) -> u8 {
        Self::KIND
    }

    fn name(&self) -> &'static str {
        "CLOSE"
    }

    fn parse(kind: u8, _flags: FrameFlags, body: &Bytes) -> Result<Self, DecodeError> {
        check_kind(kind, Self::KIND)?;
        let (rest, (reason,)) = fixed!(in Big; "Close", body, { reason: u16 });
        let (rest, text) = Text::parse("Close", "text", rest)?;
        let extensions = Extensions::parse("Close", body, rest, &[])?;
        Ok(Self { reason: CloseReason(reason), text, extensions })
    }

    fn body_len(&self) -> usize {
        let fixed = size_of::<u16>().saturating_add(self.text.encoded_len());
        fixed.saturating_add(self.extensions.as_bytes().len())
    }

    fn check(&self) -> Result<(), EncodeError> {
        Ok(())
    }

    fn write_body(&self, writer: &mut Writer<'_>) {
        put!(in Big; writer, { reason: u16 = self.reason.0 });
        self.text.write(writer);
        writer.put(self.extensions.as_bytes());
    }
}
