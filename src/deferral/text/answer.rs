//! Directives off a body (spec/deferral.md 6.2 and 6.3).

use super::directive::{Directive, Redirect, RedirectKind, is_space};
use crate::error::{DecodeError, to_u64};
use crate::wire::StreamDecode;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};

/// What comes out of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// A directive.
    Directive(Directive),
    /// Something that the original says it does not understand, and passes over.
    Skipped(&'static str),
    /// The end; the rest of the body means nothing.
    End(Ending),
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// With [`Directive::Return`].
    Returned(i32),
    /// With [`Directive::Redirect`].
    Redirected(RedirectKind),
    /// Otherwise: nobody knows whether the command was carried out.
    Unknown(Doubt),
}

/// Why nobody knows. The original takes each for success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Doubt {
    /// The body has ended, or the connection was lost.
    EndOfStream,
    /// A blank line, or one that begins with a blank.
    BlankLine,
    /// A kind of redirection that is not known.
    UnknownRedirect,
    /// A status that is no number. (The original takes it for an error.)
    NoStatus,
}

/// Takes directives off the body of an answer, however it is cut. Lines end with a newline; a carriage return is part of
/// the text.
///
/// ```
/// use handover::deferral::text::{AnswerStream, Directive, Ending, Item};
/// use handover::wire::Framer;
///
/// let mut answer = Framer::new(AnswerStream::default());
/// answer.push(b"DISPLAY \"done\"\nRETU");
/// assert_eq!(answer.next_item()?, Some(Item::Directive(Directive::Display("done".into()))));
/// assert_eq!(answer.next_item()?, None);
/// answer.push(b"RN 0\n");
/// assert_eq!(answer.next_item()?, Some(Item::Directive(Directive::Return(0))));
/// assert_eq!(answer.next_item()?, Some(Item::End(Ending::Returned(0))));
/// # Ok::<(), handover::error::DecodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct AnswerStream {
    limit: usize,
    /// How far the directive at the front was looked at.
    scan: Scan,
    ending: Option<Ending>,
    told: bool,
}

impl Default for AnswerStream {
    /// Directives up to 1 MiB.
    fn default() -> Self {
        Self::new(1 << 20)
    }
}

/// Where a directive stands that is not whole yet, so that no byte is looked at twice.
#[derive(Clone, Copy, Debug, Default)]
struct Scan {
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
    /// The size of the directive at the front of `src`; `None` if it is not whole.
    fn whole(&mut self, src: &[u8]) -> Option<usize> {
        for byte in src.get(self.at..)? {
            let here = self.at;
            self.at = here.saturating_add(1);
            self.stage = match (self.stage, byte) {
                (Stage::Token, b'\n') => {
                    (self.token, self.start) = (here, here);
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

    /// Token and argument of a directive that is whole.
    fn parts(self, line: &[u8]) -> (&[u8], Bytes) {
        let token = line.get(..self.token).unwrap_or_default();
        if !matches!(self.stage, Stage::Closed) {
            let end = line.len().saturating_sub(1);
            return (token, Bytes::copy_from_slice(line.get(self.start..end).unwrap_or_default()));
        }
        let raw = line.get(self.start..line.len().saturating_sub(2)).unwrap_or_default();
        let mut text = Vec::with_capacity(raw.len());
        let mut bytes = raw.iter();
        while let Some(byte) = bytes.next() {
            // A mark or backslash that is meant has a backslash before it; so may have any other byte.
            let meant = if *byte == b'\\' { bytes.next() } else { Some(byte) };
            text.extend(meant.copied());
        }
        (token, text.into())
    }
}

impl AnswerStream {
    /// Directives up to `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { limit, scan: Scan { at: 0, token: 0, start: 0, stage: Stage::Token }, ending: None, told: false }
    }

    /// The body has ended, or the connection was lost: how the answer ends.
    #[must_use]
    pub fn finish(&self) -> Ending {
        self.ending.unwrap_or(Ending::Unknown(Doubt::EndOfStream))
    }

    fn end(&mut self, ending: Ending) -> Item {
        (self.ending, self.told) = (Some(ending), true);
        Item::End(ending)
    }

    fn item(&mut self, token: &[u8], text: Bytes) -> Item {
        Item::Directive(match token {
            b"DISPLAY" => Directive::Display(text),
            b"RETURN" => {
                let Some(status) = number(&text) else { return self.end(Ending::Unknown(Doubt::NoStatus)) };
                self.ending = Some(Ending::Returned(status));
                Directive::Return(status)
            }
            b"TRACE" => match number(&text) {
                Some(level) => Directive::Trace(level),
                None => return Item::Skipped("TRACE without a number"),
            },
            b"STARTFSA" => Directive::StartFileAgent,
            b"CD" => Directive::ChangeDirectory(text),
            b"REDIRECT" => return self.redirect(&text),
            _ => Directive::Unknown { token: Bytes::copy_from_slice(token), argument: text },
        })
    }

    fn redirect(&mut self, text: &Bytes) -> Item {
        let mut words = text.split(|byte| is_space(*byte)).filter(|word| !word.is_empty());
        let Some(kind) = words.next() else { return Item::Skipped("REDIRECT without a kind") };
        let Some(kind) = RedirectKind::from_token(kind) else {
            return self.end(Ending::Unknown(Doubt::UnknownRedirect));
        };
        let mut path = None;
        if kind == RedirectKind::Continue {
            path = words.next().map(Bytes::copy_from_slice);
            if path.is_none() {
                return Item::Skipped("REDIRECT :CONTINUE without a path");
            }
        }
        let servers = words.map(Bytes::copy_from_slice).collect();
        self.ending = Some(Ending::Redirected(kind));
        Item::Directive(Directive::Redirect(Redirect { kind, path, servers }))
    }
}

impl StreamDecode for AnswerStream {
    type Item = Item;

    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<Item>, DecodeError> {
        if let Some(ending) = self.ending {
            src.clear();
            return Ok((!core::mem::replace(&mut self.told, true)).then_some(Item::End(ending)));
        }
        let Some(first) = src.first() else { return Ok(None) };
        if matches!(first, b'\n' | b' ') {
            return Ok(Some(self.end(Ending::Unknown(Doubt::BlankLine))));
        }
        match self.scan.whole(src) {
            Some(size) if size <= self.limit => {
                let line = src.split_to(size);
                let (token, text) = core::mem::take(&mut self.scan).parts(&line);
                Ok(Some(self.item(token, text)))
            }
            None if src.len() <= self.limit => Ok(None),
            _ => {
                let (limit, got) = (to_u64(self.limit), to_u64(src.len()));
                Err(DecodeError::limit("Directive", "length", "directive", limit, got))
            }
        }
    }
}

/// An optional sign and digits, within 32 bits; nothing else.
fn number(text: &[u8]) -> Option<i32> {
    core::str::from_utf8(text).ok()?.parse().ok()
}
