//! Text for people (spec/frame.md 1.5).

use crate::error::DecodeError;
use crate::wire::{Writer, bytes, put, together};
use alloc::string::String;
use core::fmt;

/// A text for people: UTF-8 without control characters, at most 255 bytes.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct Text(String);

/// The text is too long, or holds control characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("a text has at most 255 bytes and no control characters")]
pub struct InvalidText;

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
        let (rest, size) = bytes(message, field, 1, input)?;
        let size = size.first().copied().unwrap_or_default();
        let (rest, raw) = bytes(message, field, usize::from(size), rest)?;
        let invalid = |reason, got| DecodeError::invalid(message, field, reason, got);
        let text = core::str::from_utf8(raw).map_err(|error| {
            let byte = raw.get(error.valid_up_to()).copied().unwrap_or_default();
            invalid("no UTF-8", u64::from(byte))
        })?;
        if let Some(control) = text.chars().find(|c| c.is_control()) {
            return Err(invalid("a control character", u64::from(u32::from(control))));
        }
        let text = Self(String::from(text));
        Ok((rest, text))
    }

    pub(crate) fn encoded_len(&self) -> usize {
        together(self.0.len(), 1)
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        put!(writer, { size: u8 = u8::try_from(self.0.len()).unwrap_or(u8::MAX) });
        writer.put(self.0.as_bytes());
    }
}

impl TryFrom<String> for Text {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, InvalidText> {
        if text.len() > Self::MAX || text.chars().any(char::is_control) { Err(InvalidText) } else { Ok(Self(text)) }
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
