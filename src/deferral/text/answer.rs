//! Directives off a body (spec/deferral.md 6.2 and 6.3).

use super::directive::{Directive, Redirect, RedirectKind, is_space};
use super::line::{Line, Scan};
use super::url;
use crate::error::{DecodeError, to_u64};
use crate::wire::{StreamDecode, share};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};

/// What comes out of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// A directive.
    Directive(Directive),
    /// A line that the original complains about, and passes over.
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

/// Why nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Doubt {
    /// The body has ended, or the connection was lost. The original takes it for success, or does what an unfinished
    /// last line says.
    EndOfStream,
    /// A blank line, or one that begins with a blank. The original takes it for success.
    BlankLine,
    /// A kind of redirection that is not known. The original takes it for success.
    UnknownRedirect,
    /// A RETURN without a number. The original takes it for an error.
    NoStatus,
    /// A TRACE with something that is no number. The original takes it for an error.
    NoLevel,
}

/// What becomes of a redirection that holds a word which is no server's URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BadUrl {
    /// The whole line is passed over, as by the original.
    #[default]
    VoidsLine,
    /// The word is passed over, and the other servers are kept.
    LeftOut,
}

/// Takes directives off the body of an answer, however it is cut. Lines end with a newline; a carriage return is part of
/// the text.
///
/// Only a whole line counts. When the body is over ask [`finish`](Self::finish): what the original mistakes for success
/// is [unknown](Ending::Unknown) there, and whoever is not told [`Ending::Returned`] has no result.
///
/// Behind the [end](Item::End) nothing is taken any more: close the connection. Behind
/// [`Directive::StartFileAgent`] the bytes are the [file agent's](super::AgentRequests) until
/// [`resume`](Self::resume).
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
    bad_url: BadUrl,
    /// How far the line at the front was looked at.
    scan: Scan,
    line: Line,
    agent: bool,
    ending: Option<Ending>,
    told: bool,
}

impl Default for AnswerStream {
    /// Lines up to 1 MiB.
    fn default() -> Self {
        Self::new(1 << 20)
    }
}

impl AnswerStream {
    /// Lines up to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let (bad_url, line) = (BadUrl::VoidsLine, Line::default());
        Self { limit, bad_url, scan: Scan::NEW, line, agent: false, ending: None, told: false }
    }

    /// What becomes of a redirection that holds a word which is no server's URL.
    #[must_use]
    pub const fn bad_url(mut self, bad_url: BadUrl) -> Self {
        self.bad_url = bad_url;
        self
    }

    /// The line that the last item was made of. (An end that a directive has announced, and a blank line, have none of
    /// their own.)
    #[must_use]
    pub const fn line(&self) -> &Line {
        &self.line
    }

    /// Whether the file agent has the connection: nothing is taken until [`resume`](Self::resume). What has come stays
    /// in the buffer ([`Framer::buffer_mut`](crate::wire::Framer::buffer_mut)), and is the agent's.
    #[must_use]
    pub const fn is_handed_over(&self) -> bool {
        self.agent
    }

    /// The file agent is done: what comes next are directives again.
    pub const fn resume(&mut self) {
        self.agent = false;
    }

    /// The body has ended, or the connection was lost: how the answer ends. A line that is not whole does not count.
    #[must_use]
    pub fn finish(&self) -> Ending {
        self.ending.unwrap_or(Ending::Unknown(Doubt::EndOfStream))
    }

    fn end(&mut self, ending: Ending) -> Item {
        (self.ending, self.told) = (Some(ending), true);
        Item::End(ending)
    }

    fn item(&mut self) -> Result<Item, DecodeError> {
        let text = self.line.argument.text();
        Ok(Item::Directive(match &*self.line.token {
            b"DISPLAY" => Directive::Display(text),
            b"RETURN" => {
                let Some(status) = number(&text) else { return Ok(self.end(Ending::Unknown(Doubt::NoStatus))) };
                self.ending = Some(Ending::Returned(status));
                Directive::Return(status)
            }
            b"TRACE" if text.iter().copied().all(is_space) => return Ok(Item::Skipped("TRACE without a number")),
            b"TRACE" => match number(&text) {
                Some(level) => Directive::Trace(level),
                None => return Ok(self.end(Ending::Unknown(Doubt::NoLevel))),
            },
            b"STARTFSA" => {
                self.agent = true;
                Directive::StartFileAgent
            }
            b"CD" => Directive::ChangeDirectory(text),
            b"REDIRECT" => return self.redirect(&text),
            _ => Directive::Unknown { token: self.line.token.clone(), argument: text },
        }))
    }

    fn redirect(&mut self, text: &Bytes) -> Result<Item, DecodeError> {
        let mut words = text.split(|byte| is_space(*byte)).filter(|word| !word.is_empty());
        let Some(kind) = words.next() else { return Ok(Item::Skipped("REDIRECT without a kind")) };
        let Some(kind) = RedirectKind::from_token(kind) else {
            return Ok(self.end(Ending::Unknown(Doubt::UnknownRedirect)));
        };
        let mut path = None;
        if kind == RedirectKind::Continue {
            let Some(word) = words.next() else { return Ok(Item::Skipped("REDIRECT :CONTINUE without a path")) };
            if !url::is_path(word) {
                return Ok(Item::Skipped("REDIRECT :CONTINUE with a path that is none"));
            }
            path = Some(share(text, word));
        }
        let mut servers = Vec::new();
        for word in words {
            if url::is_url(word) {
                servers.push(share(text, word));
            } else if self.bad_url == BadUrl::VoidsLine {
                return Ok(Item::Skipped("REDIRECT with a URL that is none"));
            }
            if servers.len() > Redirect::MAX_SERVERS {
                let (limit, got) = (to_u64(Redirect::MAX_SERVERS), to_u64(servers.len()));
                return Err(DecodeError::limit("Redirect", "servers", "servers", limit, got));
            }
        }
        self.ending = Some(Ending::Redirected(kind));
        Ok(Item::Directive(Directive::Redirect(Redirect { kind, path, servers })))
    }
}

impl StreamDecode for AnswerStream {
    type Item = Item;

    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<Item>, DecodeError> {
        let too_long = |limit: usize, got: usize| {
            Err(DecodeError::limit("Directive", "length", "directive", to_u64(limit), to_u64(got)))
        };
        if let Some(ending) = self.ending {
            if !core::mem::replace(&mut self.told, true) {
                return Ok(Some(Item::End(ending)));
            }
            // A little may follow, and means nothing; a peer that goes on for ever is not heard out.
            return if src.len() > self.limit { too_long(self.limit, src.len()) } else { Ok(None) };
        }
        if self.agent {
            return Ok(None);
        }
        let Some(first) = src.first() else { return Ok(None) };
        if matches!(first, b'\n' | b' ') {
            self.line = Line::default();
            return Ok(Some(self.end(Ending::Unknown(Doubt::BlankLine))));
        }
        match self.scan.whole(src) {
            Some(size) if size <= self.limit => {
                self.line = core::mem::take(&mut self.scan).line(&src.split_to(size).freeze());
                self.item().map(Some)
            }
            None if src.len() <= self.limit => Ok(None),
            whole => too_long(self.limit, whole.unwrap_or(src.len())),
        }
    }
}

/// An optional sign and digits, within 32 bits; nothing else.
fn number(text: &[u8]) -> Option<i32> {
    core::str::from_utf8(text).ok()?.parse().ok()
}
