//! The last message on a link (spec/frame.md 4).

use super::extension::Extensions;
use super::header::{FrameFlags, Protocol};
use super::message::Native;
use crate::error::{DecodeError, EncodeError};
use crate::wire::ByteOrder::Big;
use crate::wire::{Writer, bytes, codes, fixed, put};
use alloc::string::String;
use bytes::Bytes;
use core::fmt;

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

/// A text for people: UTF-8 without control characters, at most 255 bytes.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "String", into = "String"))]
pub struct Text(String);

/// The text is too long, or holds control characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("a text has at most 255 bytes and no control characters")]
pub struct NoText;

impl Text {
    /// No text.
    pub const EMPTY: Self = Self(String::new());

    /// Most bytes.
    pub const MAX: usize = 255;

    /// A text; `None` if it is too long or holds control characters.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Option<Self> {
        Self::try_from(text.into()).ok()
    }

    /// As much of `text` as can be one: control characters become spaces, and what is too long is cut.
    #[must_use]
    pub fn fitting(text: &str) -> Self {
        let mut fitting = String::new();
        for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
            if fitting.len().saturating_add(c.len_utf8()) > Self::MAX {
                break;
            }
            fitting.push(c);
        }
        Self(fitting)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// u8 size, then so many bytes.
    pub(crate) fn parse<'a>(
        message: &'static str,
        field: &'static str,
        input: &'a [u8],
    ) -> Result<(&'a [u8], Self), DecodeError> {
        let (rest, (size,)) = fixed!(in Big; message, input, { size: u8 });
        let (rest, raw) = bytes(message, field, usize::from(size), rest)?;
        let text = core::str::from_utf8(raw).ok().and_then(Self::new);
        let text = text.ok_or_else(|| {
            let at = raw.iter().position(u8::is_ascii_control).unwrap_or_default();
            let got = raw.get(at).copied().unwrap_or_default();
            DecodeError::invalid(message, field, "UTF-8 without control characters is expected", u64::from(got))
        })?;
        Ok((rest, text))
    }

    pub(crate) fn encoded_len(&self) -> usize {
        self.0.len().saturating_add(1)
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        put!(writer, { size: u8 = u8::try_from(self.0.len()).unwrap_or(u8::MAX) });
        writer.put(self.0.as_bytes());
    }
}

impl TryFrom<String> for Text {
    type Error = NoText;

    fn try_from(text: String) -> Result<Self, NoText> {
        if text.len() > Self::MAX || text.chars().any(char::is_control) { Err(NoText) } else { Ok(Self(text)) }
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
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
    /// A close without a text.
    #[must_use]
    pub const fn new(reason: CloseReason) -> Self {
        Self { reason, text: Text::EMPTY, extensions: Extensions::NONE }
    }
}

impl Native for Close {
    const PROTOCOL: Protocol = Protocol::LINK;

    fn kind(&self) -> u8 {
        2
    }

    fn name(&self) -> &'static str {
        "CLOSE"
    }

    fn parse(_kind: u8, _flags: FrameFlags, body: &Bytes) -> Result<Self, DecodeError> {
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
