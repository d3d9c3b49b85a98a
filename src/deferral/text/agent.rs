//! What the file agent and the server say to each other while it has the connection (spec/deferral.md 6.2.4).

use crate::error::{DecodeError, EncodeError, to_u64};
use crate::wire::{Encode, StreamDecode, Writer};
use bytes::{Bytes, BytesMut};

/// What a server asks the file agent of a client: four letters, and what stands behind a blank.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AgentRequest {
    /// What is asked.
    pub name: [u8; 4],
    /// With what: no newline.
    pub argument: Option<Bytes>,
}

/// What the agent answers: three digits, and what stands behind a blank.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AgentReply {
    /// What has become of it; 100 to 999.
    pub code: u16,
    /// What is said of it: no newline.
    pub text: Option<Bytes>,
}

impl core::fmt::Debug for AgentRequest {
    /// The argument is the application's: only its size is shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let name = self.name.escape_ascii();
        write!(f, "{name}({} bytes)", self.argument.as_ref().map_or(0, Bytes::len))
    }
}

impl core::fmt::Debug for AgentReply {
    /// The text is the application's: only its size is shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}({} bytes)", self.code, self.text.as_ref().map_or(0, Bytes::len))
    }
}

impl AgentRequest {
    /// Are you there.
    pub const HELO: [u8; 4] = *b"HELO";
    /// What is the current directory.
    pub const CURR: [u8; 4] = *b"CURR";
    /// The agent is done. Once it has answered [`AgentReply::BYE`] the server goes on with directives, and not before:
    /// the agent reads ahead, and what it has read is lost.
    pub const QUIT: [u8; 4] = *b"QUIT";

    /// A request.
    #[must_use]
    pub const fn new(name: [u8; 4], argument: Option<Bytes>) -> Self {
        Self { name, argument }
    }
}

impl AgentReply {
    /// The answer to [`AgentRequest::QUIT`].
    pub const BYE: u16 = 221;
}

/// A word, and what stands behind a blank.
fn each(word: &[u8], rest: Option<&Bytes>, mut put: impl FnMut(&[u8])) {
    put(word);
    if let Some(rest) = rest {
        put(b" ");
        put(rest);
    }
    put(b"\n");
}

fn length(word: &[u8], rest: Option<&Bytes>) -> usize {
    let mut length = 0_usize;
    each(word, rest, |part| length = length.saturating_add(part.len()));
    length
}

fn digits(code: u16) -> [u8; 3] {
    let digit = |value: u16| u8::try_from(value % 10).unwrap_or_default().saturating_add(b'0');
    [digit(code / 100), digit(code / 10), digit(code)]
}

impl Encode for AgentRequest {
    fn encoded_len(&self) -> usize {
        length(&self.name, self.argument.as_ref())
    }

    fn check(&self) -> Result<(), EncodeError> {
        let invalid = |field, reason| Err(EncodeError::Invalid { message: "AgentRequest", field, reason });
        if !self.name.iter().all(u8::is_ascii_alphabetic) {
            return invalid("name", "four letters");
        }
        match &self.argument {
            Some(argument) if argument.contains(&b'\n') => invalid("argument", "no newline"),
            _ => Ok(()),
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        each(&self.name, self.argument.as_ref(), |part| writer.put(part));
    }
}

impl Encode for AgentReply {
    fn encoded_len(&self) -> usize {
        length(&digits(self.code), self.text.as_ref())
    }

    fn check(&self) -> Result<(), EncodeError> {
        let invalid = |field, reason| Err(EncodeError::Invalid { message: "AgentReply", field, reason });
        if !(100..=999).contains(&self.code) {
            return invalid("code", "three digits");
        }
        match &self.text {
            Some(text) if text.contains(&b'\n') => invalid("text", "no newline"),
            _ => Ok(()),
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        each(&digits(self.code), self.text.as_ref(), |part| writer.put(part));
    }
}

/// Takes lines off a stream, each up to a limit.
#[derive(Clone, Debug)]
struct Lines {
    limit: usize,
    /// Bytes that were looked at.
    at: usize,
    message: &'static str,
}

impl Lines {
    /// The next line without its newline.
    fn next(&mut self, src: &mut BytesMut) -> Result<Option<Bytes>, DecodeError> {
        let fresh = src.get(self.at..).unwrap_or_default();
        let end = fresh.iter().position(|byte| *byte == b'\n').map(|end| end.saturating_add(self.at));
        self.at = end.unwrap_or(src.len());
        if self.at >= self.limit {
            let (limit, got) = (to_u64(self.limit), to_u64(self.at.saturating_add(1)));
            return Err(DecodeError::limit(self.message, "length", "line", limit, got));
        }
        let Some(end) = end else { return Ok(None) };
        self.at = 0;
        let mut line = src.split_to(end.saturating_add(1)).freeze();
        line.truncate(end);
        Ok(Some(line))
    }
}

/// Word and rest of a line, if the word has `N` bytes.
fn split<const N: usize>(line: &Bytes) -> Option<([u8; N], Option<Bytes>)> {
    let (word, rest) = line.split_first_chunk::<N>()?;
    match rest.first() {
        None => Some((*word, None)),
        Some(b' ') => Some((*word, Some(line.slice(N.saturating_add(1)..)))),
        Some(_) => None,
    }
}

/// Takes what the server asks off the bytes behind [`Directive::StartFileAgent`](super::Directive::StartFileAgent).
///
/// Only the lines of this conversation are known. Whoever is asked to move the contents of files takes them off the
/// buffer himself.
///
/// ```
/// use handover::deferral::text::{AgentRequest, AgentRequests, AnswerStream, Directive, Item};
/// use handover::wire::{Framer, StreamDecode};
///
/// let mut answer = Framer::new(AnswerStream::default());
/// answer.push(b"STARTFSA\nQUIT T\nRETURN 0\n");
/// assert_eq!(answer.next_item()?, Some(Item::Directive(Directive::StartFileAgent)));
/// assert_eq!(answer.next_item()?, None);
/// let quit = AgentRequests::default().decode_next(answer.buffer_mut())?;
/// assert_eq!(quit, Some(AgentRequest::new(AgentRequest::QUIT, Some("T".into()))));
/// answer.decoder_mut().resume();
/// assert_eq!(answer.next_item()?, Some(Item::Directive(Directive::Return(0))));
/// # Ok::<(), handover::error::DecodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct AgentRequests(Lines);

impl AgentRequests {
    /// Lines up to `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self(Lines { limit, at: 0, message: "AgentRequest" })
    }
}

impl Default for AgentRequests {
    /// Lines up to 64 KiB.
    fn default() -> Self {
        Self::new(64 << 10)
    }
}

impl StreamDecode for AgentRequests {
    type Item = AgentRequest;

    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<AgentRequest>, DecodeError> {
        let Some(line) = self.0.next(src)? else { return Ok(None) };
        match split(&line) {
            Some((name, argument)) if name.iter().all(u8::is_ascii_alphabetic) => {
                Ok(Some(AgentRequest { name, argument }))
            }
            _ => Err(DecodeError::invalid("AgentRequest", "name", "four letters are expected", to_u64(line.len()))),
        }
    }
}

/// Takes what the agent answers off what a client sends behind its request.
#[derive(Clone, Debug)]
pub struct AgentReplies(Lines);

impl AgentReplies {
    /// Lines up to `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self(Lines { limit, at: 0, message: "AgentReply" })
    }
}

impl Default for AgentReplies {
    /// Lines up to 64 KiB.
    fn default() -> Self {
        Self::new(64 << 10)
    }
}

impl StreamDecode for AgentReplies {
    type Item = AgentReply;

    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<AgentReply>, DecodeError> {
        let Some(line) = self.0.next(src)? else { return Ok(None) };
        let reply = split::<3>(&line).and_then(|(word, text)| {
            let digits = word.iter().all(u8::is_ascii_digit).then(|| core::str::from_utf8(&word).ok()).flatten()?;
            let code = digits.parse().ok().filter(|code| *code >= 100)?;
            Some(AgentReply { code, text })
        });
        match reply {
            Some(reply) => Ok(Some(reply)),
            None => Err(DecodeError::invalid("AgentReply", "code", "three digits are expected", to_u64(line.len()))),
        }
    }
}
