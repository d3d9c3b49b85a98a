//! What is printed: messages, errors and left-over bytes, as JSON or as text.

use clap::ValueEnum;
use handover::error::DecodeError;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{self, Write};

/// How to print.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// One JSON object a line
    Json,
    /// One aligned line a message, for people
    Text,
}

/// One line of output.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Record {
    /// A message.
    Message(MessageRecord),
    /// The stream cannot be decoded any further, or (kind `verify`) a message was not reproduced.
    Error { offset: usize, error: Fault },
    /// The stream ends inside a message, or in front of one that cannot be told without the other direction.
    Incomplete { offset: usize, incomplete: usize },
}

#[derive(Debug, Serialize)]
pub(crate) struct MessageRecord {
    /// Where in its stream the message begins; `None` for one that stands in another message's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offset: Option<usize>,
    /// How many bytes of the stream it takes, with its header.
    pub(crate) length: usize,
    #[serde(flatten)]
    pub(crate) head: Head,
}

/// What a protocol says about a message.
#[derive(Debug, Serialize)]
pub(crate) struct Head {
    /// The protocol's own name.
    pub(crate) name: &'static str,
    /// The wire's number for it, where the protocol has one.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) ty: Option<u32>,
    /// The size of its body as the header announces it, where the protocol does so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    /// Whether it stands in the body of the next message.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) sub: bool,
    pub(crate) fields: Fields,
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// Why a stream ends.
#[derive(Debug, Serialize)]
pub(crate) struct Fault {
    /// `short`, `invalid`, `unsupported` or `limit` from the decoder; `hole` or `verify` from the inspector.
    pub(crate) kind: &'static str,
    /// The message or header by its type's name.
    pub(crate) message: &'static str,
    pub(crate) field: &'static str,
    pub(crate) reason: String,
}

impl From<&DecodeError> for Fault {
    fn from(error: &DecodeError) -> Self {
        let DecodeError { message, field, kind } = *error;
        Self { kind: kind.name(), message, field, reason: kind.to_string() }
    }
}

/// The fields of a message, in the order of the wire.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    /// How much of an opaque payload is shown.
    const SHOWN: usize = 64;

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// An opaque payload: its length, and the beginning in hexadecimal.
    pub(crate) fn with_opaque(self, length: &'static str, name: &'static str, bytes: &[u8]) -> Self {
        let fields = self.with(length, bytes.len());
        match bytes.get(..Self::SHOWN).unwrap_or(bytes) {
            [] => fields,
            shown => fields.with(name, hex(shown)),
        }
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Record {
    /// Whether the exit status must tell.
    pub(crate) const fn is_error(&self) -> bool {
        matches!(self, Self::Error { .. })
    }

    /// Prints one line.
    pub(crate) fn print(
        &self,
        format: Format,
        conn: &str,
        conn_width: usize,
        dir: &str,
        out: &mut impl Write,
    ) -> io::Result<()> {
        match format {
            Format::Json => {
                serde_json::to_writer(&mut *out, &Line { conn, dir, record: self })?;
                writeln!(out)
            }
            Format::Text => {
                // The name may come from a file: nothing in it may control the terminal.
                let conn = conn.escape_debug().to_string();
                write!(out, "{conn:conn_width$} {dir} {:>9} ", self.offset().unwrap_or_default())?;
                self.print_text(out)
            }
        }
    }

    fn offset(&self) -> Option<String> {
        match self {
            Self::Message(message) => message.offset.map(|offset| offset.to_string()),
            Self::Error { offset, .. } | Self::Incomplete { offset, .. } => Some(offset.to_string()),
        }
    }

    fn print_text(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Message(MessageRecord { length, head, .. }) => {
                // The longest name of SPICE has 42 characters.
                let mut line = format!("{length:>9}  {:42}", head.name);
                if head.sub {
                    line.push_str(" (sub-message)");
                }
                let numbers = [("type", head.ty.map(u64::from)), ("size", head.size)];
                for (name, number) in numbers.into_iter().filter_map(|(name, number)| Some((name, number?))) {
                    let _ = write!(line, " {name}={number}");
                }
                for (name, value) in &head.fields.0 {
                    let _ = write!(line, " {name}={}", text(value));
                }
                writeln!(out, "{}", line.trim_end())
            }
            Self::Error { error: Fault { kind, message, field, reason }, .. } => {
                writeln!(out, "{:>9}  error ({kind}): {message}.{field}: {reason}", "")
            }
            Self::Incomplete { incomplete, .. } => writeln!(out, "{incomplete:>9}  incomplete"),
        }
    }
}

/// A value for people: plain where that is unambiguous, else quoted and escaped.
fn text(value: &Value) -> String {
    match value {
        Value::String(plain) if !plain.is_empty() && plain.chars().all(|c| c.is_ascii_graphic() && c != '"') => {
            plain.clone()
        }
        Value::String(other) => format!("{other:?}"),
        other => other.to_string(),
    }
}

#[derive(Serialize)]
struct Line<'a> {
    conn: &'a str,
    dir: &'a str,
    #[serde(flatten)]
    record: &'a Record,
}
