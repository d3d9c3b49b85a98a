//! A second reading of spec/group.md 2: a cursor that walks the [table](super::layout) of layouts. It shares no code with
//! the codec.

use super::layout::{self, Field, Record};
pub use super::parts::parts;
pub use crate::testing::frame::reference::{Reader, Refused};
use std::string::String;
use std::vec::Vec;

/// Something that stands in a body: in which layout and which field of it, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The name of the layout.
    pub record: &'static str,
    /// The name of the field.
    pub field: &'static str,
    /// What stands there.
    pub is: Is,
}

/// What a [`Part`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Is {
    /// Here begins another layout.
    Begins,
    /// Whether there is something.
    Present(bool),
    /// How many there are.
    Count(u64),
    /// How many bytes there are.
    Size(u64),
    /// A number, its bits without a sign.
    Number(u64),
    /// Bytes, without their size.
    Bytes(Vec<u8>),
    /// A text for people.
    Text(String),
}

/// What is read of a body, from the front.
struct Cursor<'a> {
    body: &'a [u8],
    at: usize,
    parts: Vec<Part>,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, size: u64, field: &'static str) -> Result<&'a [u8], Refused> {
        let left = self.body.len() - self.at;
        if (left as u64) < size {
            return Err((field, "short"));
        }
        let taken = &self.body[self.at..self.at + size as usize];
        self.at += taken.len();
        Ok(taken)
    }

    fn number(&mut self, width: usize, field: &'static str) -> Result<u64, Refused> {
        Ok(self.take(width as u64, field)?.iter().fold(0, |number, byte| number * 256 + u64::from(*byte)))
    }

    fn flag(&mut self, field: &'static str) -> Result<bool, Refused> {
        match self.number(1, field)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err((field, "invalid")),
        }
    }

    fn record(&mut self, record: &Record) -> Result<(), Refused> {
        record.fields.iter().try_for_each(|(name, field)| self.field(record.name, name, field))
    }

    fn field(&mut self, record: &'static str, field: &'static str, form: &Field) -> Result<(), Refused> {
        let part = |is| Part { record, field, is };
        match form {
            Field::Number(width) => {
                let number = self.number(*width, field)?;
                self.parts.push(part(Is::Number(number)));
            }
            Field::Flag => {
                let flag = self.flag(field)?;
                self.parts.push(part(Is::Number(u64::from(flag))));
            }
            Field::Sized(width, least, most) => {
                let size = self.number(*width, field)?;
                if !(*least..=*most).contains(&size) {
                    return Err((field, "invalid"));
                }
                let bytes = self.take(size, field)?.to_vec();
                self.parts.extend([part(Is::Size(size)), part(Is::Bytes(bytes))]);
            }
            Field::Text => {
                let size = self.number(1, field)?;
                let text = String::from_utf8(self.take(size, field)?.to_vec()).map_err(|_| (field, "invalid"))?;
                if text.contains(|c: char| matches!(u32::from(c), 0..0x20 | 0x7f..0xa0)) {
                    return Err((field, "invalid"));
                }
                self.parts.extend([part(Is::Size(size)), part(Is::Text(text))]);
            }
            Field::Optional(inner) => {
                let present = self.flag(field)?;
                self.parts.push(part(Is::Present(present)));
                if present {
                    self.field(record, field, inner)?;
                }
            }
            Field::List(inner) => {
                let count = self.number(2, field)?;
                if count * inner.least() as u64 > (self.body.len() - self.at) as u64 {
                    return Err((field, "invalid"));
                }
                self.parts.push(part(Is::Count(count)));
                for _ in 0..count {
                    self.field(record, field, &Field::Record(inner))?;
                }
            }
            Field::Record(inner) => {
                self.parts.push(part(Is::Begins));
                self.record(inner)?;
            }
            Field::Wish => {
                let number = self.number(1, field)?;
                self.parts.push(part(Is::Number(number)));
                let known = layout::WISHES.iter().find(|(known, ..)| *known == number);
                let (_, name, form) = known.ok_or((field, "unsupported"))?;
                self.field("wish", name, form)?;
            }
        }
        Ok(())
    }

    fn extensions(&mut self, reader: Reader) -> Result<(), Refused> {
        while self.at < self.body.len() {
            let ty = self.number(2, "extension_type")?;
            let size = self.number(2, "extension_size")?;
            let value = self.take(size, "extension_value")?.to_vec();
            self.parts.extend(extension(ty, value));
            if ty >= 0x8000 && reader == Reader::KnowsNone {
                return Err(("extensions", "unsupported"));
            }
        }
        Ok(())
    }
}

/// The parts of an extension.
pub(super) fn extension(ty: u64, value: Vec<u8>) -> [Part; 2] {
    let part = |field, is| Part { record: "extensions", field, is };
    [part("type", Is::Number(ty)), part("value", Is::Bytes(value))]
}

/// Reads the body of a message of this kind; `None` if the kind is not known and the message is to be skipped.
///
/// # Errors
/// It is refused.
pub fn message(kind: u8, flags: u8, body: &[u8], reader: Reader) -> Result<Option<Vec<Part>>, Refused> {
    let Some(record) = layout::of(kind) else {
        return if flags & 1 == 1 { Err(("kind", "unsupported")) } else { Ok(None) };
    };
    let mut cursor = Cursor { body, at: 0, parts: Vec::new() };
    cursor.record(record)?;
    cursor.extensions(reader)?;
    Ok(Some(cursor.parts))
}
