//! Lines of an answer as they are spelled (spec/deferral.md 6.2).

use crate::error::EncodeError;
use crate::wire::{Encode, Writer};
use alloc::vec::Vec;
use bytes::Bytes;

/// A line of an answer in the spelling that it came in: what it means is a [`Directive`](super::Directive). Encoding
/// gives the same bytes again.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Line {
    /// Its first word: neither empty, nor with a blank or newline in it.
    pub token: Bytes,
    /// What stands behind.
    pub argument: Argument,
}

/// What stands behind the first word of a line.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Argument {
    /// A newline.
    #[default]
    None,
    /// Blanks, and text up to a newline.
    Plain {
        /// How many; at least one.
        blanks: usize,
        /// The text. It does not begin with a blank or a quotation mark, and may be empty.
        text: Bytes,
    },
    /// Blanks, and text in quotation marks.
    Quoted {
        /// How many; at least one.
        blanks: usize,
        /// What stands between the marks, with its backslashes.
        raw: Bytes,
        /// The byte behind, which is passed over. It should be a newline.
        after: u8,
    },
}

impl core::fmt::Debug for Line {
    /// Texts are the application's: only their sizes are shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Line").field("token", &self.token).field("argument", &self.argument).finish()
    }
}

impl core::fmt::Debug for Argument {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Plain { blanks, text } => write!(f, "Plain({blanks} blanks, {} bytes)", text.len()),
            Self::Quoted { blanks, raw, after } => {
                write!(f, "Quoted({blanks} blanks, {} bytes, then {after:#04x})", raw.len())
            }
        }
    }
}

impl Argument {
    /// What is meant: without the blanks, the marks, and the backslashes that stand before a byte.
    #[must_use]
    pub fn text(&self) -> Bytes {
        match self {
            Self::None => Bytes::new(),
            Self::Plain { text, .. } => text.clone(),
            Self::Quoted { raw, .. } if !raw.contains(&b'\\') => raw.clone(),
            Self::Quoted { raw, .. } => {
                let mut text = Vec::with_capacity(raw.len());
                let mut bytes = raw.iter();
                while let Some(byte) = bytes.next() {
                    // A mark or backslash that is meant has a backslash before it; so may have any other byte.
                    let meant = if *byte == b'\\' { bytes.next() } else { Some(byte) };
                    text.extend(meant.copied());
                }
                text.into()
            }
        }
    }
}

impl Encode for Line {
    fn encoded_len(&self) -> usize {
        let argument = match &self.argument {
            Argument::None => 1,
            Argument::Plain { blanks, text } => blanks.saturating_add(text.len()).saturating_add(1),
            Argument::Quoted { blanks, raw, .. } => blanks.saturating_add(raw.len()).saturating_add(3),
        };
        self.token.len().saturating_add(argument)
    }

    fn check(&self) -> Result<(), EncodeError> {
        let invalid = |field, reason| Err(EncodeError::Invalid { message: "Line", field, reason });
        if self.token.is_empty() || self.token.iter().any(|byte| matches!(byte, b' ' | b'\n')) {
            return invalid("token", "a word without blank and newline");
        }
        match &self.argument {
            Argument::Plain { blanks: 0, .. } | Argument::Quoted { blanks: 0, .. } => invalid("blanks", "at least one"),
            Argument::Plain { text, .. } if matches!(text.first(), Some(b' ' | b'"')) || text.contains(&b'\n') => {
                invalid("text", "no blank or quotation mark at its beginning, no newline")
            }
            Argument::Quoted { raw, .. } if !is_closed(raw) => {
                invalid("raw", "a backslash before each quotation mark, and a byte behind each backslash")
            }
            _ => Ok(()),
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.put(&self.token);
        let blanks = match self.argument {
            Argument::None => 0,
            Argument::Plain { blanks, .. } | Argument::Quoted { blanks, .. } => blanks,
        };
        (0..blanks).for_each(|_| writer.put(b" "));
        match &self.argument {
            Argument::None => writer.put(b"\n"),
            Argument::Plain { text, .. } => {
                writer.put(text);
                writer.put(b"\n");
            }
            Argument::Quoted { raw, after, .. } => {
                writer.put(b"\"");
                writer.put(raw);
                writer.put(&[b'"', *after]);
            }
        }
    }
}

/// Whether a text can stand between quotation marks as it is.
fn is_closed(raw: &[u8]) -> bool {
    let mut bytes = raw.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return false,
            b'\\' if bytes.next().is_none() => return false,
            _ => {}
        }
    }
    true
}

/// Where a line stands that is not whole yet, so that no byte is looked at twice.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    /// Bytes that were looked at.
    at: usize,
    /// Where the token ends, and where the argument begins.
    token: usize,
    start: usize,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    #[default]
    Token,
    Blanks,
    Plain,
    Quoted,
    Escaped,
    /// Behind the closing mark.
    Closed,
}

impl Scan {
    pub(super) const NEW: Self = Self { at: 0, token: 0, start: 0, stage: Stage::Token };

    /// The size of the line at the front of `src`; `None` if it is not whole.
    pub(super) fn whole(&mut self, src: &[u8]) -> Option<usize> {
        for byte in src.get(self.at..)? {
            let here = self.at;
            self.at = here.saturating_add(1);
            self.stage = match (self.stage, byte) {
                (Stage::Token, b'\n') => {
                    self.token = here;
                    return Some(self.at);
                }
                (Stage::Token, b' ') => {
                    self.token = here;
                    Stage::Blanks
                }
                (Stage::Blanks, b' ') => Stage::Blanks,
                (Stage::Blanks, b'"') => {
                    self.start = self.at;
                    Stage::Quoted
                }
                (Stage::Blanks, b'\n') => {
                    self.start = here;
                    return Some(self.at);
                }
                (Stage::Blanks, _) => {
                    self.start = here;
                    Stage::Plain
                }
                (Stage::Plain, b'\n') => return Some(self.at),
                (Stage::Quoted, b'\\') => Stage::Escaped,
                (Stage::Quoted, b'"') => Stage::Closed,
                (Stage::Quoted | Stage::Escaped, _) => Stage::Quoted,
                // Whatever stands behind the closing mark goes with it; it should be a newline.
                (Stage::Closed, _) => return Some(self.at),
                (stage @ (Stage::Token | Stage::Plain), _) => stage,
            };
        }
        None
    }

    /// The line that is `whole`, without a copy.
    pub(super) fn line(self, whole: &Bytes) -> Line {
        let part = |from: usize, to: usize| {
            if from < to && to <= whole.len() { whole.slice(from..to) } else { Bytes::new() }
        };
        let end = whole.len().saturating_sub(1);
        let argument = match self.stage {
            Stage::Token => Argument::None,
            Stage::Closed => Argument::Quoted {
                blanks: self.start.saturating_sub(self.token).saturating_sub(1),
                raw: part(self.start, end.saturating_sub(1)),
                after: whole.last().copied().unwrap_or_default(),
            },
            _ => Argument::Plain { blanks: self.start.saturating_sub(self.token), text: part(self.start, end) },
        };
        Line { token: part(0, self.token), argument }
    }
}
