//! What stands on one direction of a connection (spec/repmgr.md 1 and 2.1).
//!
//! ```
//! use bytes::BytesMut;
//! use handover::limits::RepmgrLimits;
//! use handover::repmgr::Version;
//! use handover::repmgr::handshake::VersionRange;
//! use handover::repmgr::stream::{MessageStream, Side};
//! use handover::wire::StreamDecode;
//!
//! // A proposal, the parameters of a channel, and a request "hi": all that a dialler needs to say.
//! let mut bytes = BytesMut::from(&b"\x02\0\0\0\0\0\0\0\x0bx\0\0\0\0\x04\0\0\0\x04\0"[..]);
//! bytes.extend_from_slice(b"\x02\0\0\0\x0c\0\0\0\x02\0\0\0\x08\0\0\0\0\0\0\0\x02x\0");
//! bytes.extend_from_slice(b"\x05\0\0\0\x1a\0\0\0\x01hi\xff\xff\xff\xff\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02");
//! let mut stream = MessageStream::new(Side::Dialler, VersionRange::CHANNELS, &RepmgrLimits::DEFAULT);
//! let mut names = Vec::new();
//! while let Some(message) = stream.decode_next(&mut bytes)? {
//!     names.push(message.name());
//! }
//! assert_eq!((names, stream.version()), (vec!["HANDSHAKE", "HANDSHAKE", "APP_MESSAGE"], Some(Version::V4)));
//! # Ok::<(), handover::error::DecodeError>(())
//! ```

use super::handshake::{Handshake, VersionRange};
use super::header::Header;
use super::ids::{ErrorCode, MessageType, OwnMessageType, Version};
use super::message::{AppMessage, AppResponse, Message, Permanent, Replication, ResponseError, fixed_size};
use super::own::OwnMessage;
use crate::error::{DecodeError, DecodeErrorKind, to_u64};
use crate::limits::RepmgrLimits;
use crate::wire::StreamDecode;
use bytes::{Buf, Bytes, BytesMut};

/// Which end of the connection has sent what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one that has opened the connection: it proposes versions, and says what it is.
    Dialler,
    /// The one that has accepted it: it confirms a version.
    Listener,
}

/// What is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// The dialler's first.
    Proposal,
    /// The listener's first.
    Confirmation,
    /// The dialler's second.
    Parameters(Version),
    /// Anything but handshakes.
    Ready(Version),
    /// Nothing: there is no version that both ends speak.
    Unsettled,
}

/// Takes one direction of a connection apart, however it is cut.
///
/// In the dialler's direction the version is found as the listener finds it, out of the proposal and the versions
/// that the listener speaks; in the listener's direction it is in the confirmation. With version 1 everything is in
/// the byte order of its sender, which nobody says: there, numbers that are more than one byte may be reversed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageStream {
    versions: VersionRange,
    handshake: usize,
    own: usize,
    message: usize,
    segments: u32,
    stage: Stage,
}

impl MessageStream {
    /// One direction of a connection, from its first byte. `versions` are those that the other end speaks: whoever
    /// reads this.
    #[must_use]
    pub const fn new(side: Side, versions: VersionRange, limits: &RepmgrLimits) -> Self {
        let stage = match side {
            Side::Dialler => Stage::Proposal,
            Side::Listener => Stage::Confirmation,
        };
        Self::at(stage, versions, limits)
    }

    /// Either direction of a connection that is established already: no handshakes, and any other message.
    #[must_use]
    pub const fn established(version: Version, limits: &RepmgrLimits) -> Self {
        Self::at(Stage::Ready(version), VersionRange { min: version, max: version }, limits)
    }

    const fn at(stage: Stage, versions: VersionRange, limits: &RepmgrLimits) -> Self {
        let RepmgrLimits { handshake, own, message, segments, .. } = *limits;
        Self { versions, handshake, own, message, segments, stage }
    }

    /// The version, once it is settled.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        match self.stage {
            Stage::Proposal | Stage::Confirmation | Stage::Unsettled => None,
            Stage::Parameters(version) | Stage::Ready(version) => Some(version),
        }
    }

    /// Whether all handshakes of this direction are over.
    #[must_use]
    pub const fn is_established(&self) -> bool {
        matches!(self.stage, Stage::Ready(_))
    }

    /// Whether a message of this kind may come now.
    #[inline]
    fn expects(&self, header: &Header) -> Result<(), DecodeError> {
        let Some(since) = header.ty.since() else {
            return Err(refused(header, "there is no such kind of message"));
        };
        let is_handshake = header.ty == MessageType::HANDSHAKE;
        let reason = match self.stage {
            Stage::Ready(version) | Stage::Parameters(version) if since > version => {
                let got = u64::from(header.ty.0);
                let reason = "the version of the connection has no such message";
                return Err(DecodeError::unsupported("Header", "type", reason, got));
            }
            Stage::Ready(_) if !is_handshake => return Ok(()),
            Stage::Ready(_) => "the connection is established",
            Stage::Proposal | Stage::Confirmation | Stage::Parameters(_) if is_handshake => return Ok(()),
            Stage::Parameters(_) if header.ty == MessageType::OWN_MESSAGE => return Ok(()),
            // libdb passes over these.
            Stage::Proposal if header.ty == MessageType::HEARTBEAT && header.body_len() == 0 => return Ok(()),
            Stage::Unsettled => "no version was settled",
            Stage::Parameters(_) => "the parameters must come first, or a message about membership",
            Stage::Proposal | Stage::Confirmation => "a handshake must come first",
        };
        Err(refused(header, reason))
    }

    /// Everything that the header alone can tell: nothing of a message that fails here is waited for.
    #[inline]
    fn announces(&self, header: &Header) -> Result<(), DecodeError> {
        self.expects(header)?;
        let (message, what, limit) = match header.ty {
            MessageType::APP_MESSAGE => ("AppMessage", "message", self.message),
            MessageType::APP_RESPONSE => ("AppResponse", "message", self.message),
            MessageType::REP_MESSAGE => ("Replication", "message", self.message),
            MessageType::OWN_MESSAGE => ("OwnMessage", "own", self.own),
            MessageType::HANDSHAKE => ("Handshake", "handshake", self.handshake),
            MessageType::PERM_LSN => return fixed_size("PermLsn", header, Permanent::SIZE),
            MessageType::HEARTBEAT if header.body_len() == 0 => return Ok(()),
            MessageType::HEARTBEAT => return fixed_size("Heartbeat", header, Permanent::SIZE),
            _ => return Ok(()),
        };
        let (limit, got) = (to_u64(limit), header.body_len());
        if got > limit {
            return Err(DecodeError::limit(message, "length", what, limit, got));
        }
        let empty = |field| DecodeError::invalid(message, field, "must not be empty", 0);
        match header.ty {
            MessageType::APP_MESSAGE => self.table(header),
            MessageType::REP_MESSAGE if header.word1 == 0 => Err(empty("control")),
            MessageType::HANDSHAKE if header.word2 == 0 => Err(empty("record")),
            MessageType::OWN_MESSAGE if got == 0 && !OwnMessageType(header.word2).is_empty() => Err(empty("length")),
            _ => Ok(()),
        }
    }

    /// Whether the body can have a table of that many segments.
    #[inline]
    fn table(&self, header: &Header) -> Result<(), DecodeError> {
        const MESSAGE: &str = "AppMessage";
        let (count, left, needed) = (header.word2, header.body_len(), AppMessage::least(header.word2));
        if left < needed {
            return Err(DecodeError {
                message: MESSAGE,
                field: "segments",
                kind: DecodeErrorKind::Short { needed, left },
            });
        }
        if count > self.segments {
            let (limit, got) = (u64::from(self.segments), u64::from(count));
            return Err(DecodeError::limit(MESSAGE, "segments", "segments", limit, got));
        }
        Ok(())
    }

    /// How many bytes the message at the front of `src` has; `None` if its header is not whole.
    #[inline]
    fn frame(&self, src: &[u8]) -> Result<Option<(Header, usize)>, DecodeError> {
        let Some(header) = Header::parse(src) else { return Ok(None) };
        self.announces(&header)?;
        let body = usize::try_from(header.body_len()).unwrap_or(usize::MAX);
        Ok(Some((header, body.saturating_add(Header::SIZE))))
    }

    /// A handshake, which settles what comes next.
    #[cold]
    fn handshake(&mut self, header: &Header, mut body: Bytes) -> Result<Handshake, DecodeError> {
        let control = usize::try_from(header.word1).unwrap_or(usize::MAX);
        if body.len() < control {
            return Err(DecodeError::short("Handshake", "control", control, body.len()));
        }
        let control = body.split_to(control);
        let step = match self.stage {
            Stage::Proposal => Handshake::parse_first(control, &body)?,
            Stage::Confirmation => Handshake::parse_answer(control, &body)?,
            Stage::Parameters(version) | Stage::Ready(version) => Handshake::parse_second(version, &control, &body)?,
            Stage::Unsettled => return Err(refused(header, "no version was settled")),
        };
        let known = |version: Version| self.versions.contains(version).then_some(version);
        let (settled, next): (_, fn(Version) -> Stage) = match &step {
            Handshake::Proposal(proposal) => (self.versions.select(proposal.versions), Stage::Parameters),
            Handshake::Legacy(_) => (known(Version::V1), Stage::Ready),
            Handshake::Confirmation(confirmation) => (known(confirmation.version), Stage::Ready),
            Handshake::Parameters(parameters) => (Some(parameters.site.control.version()), Stage::Ready),
        };
        // Whoever gets the handshake sees that there is none in common, and closes the connection.
        self.stage = settled.map_or(Stage::Unsettled, next);
        Ok(step)
    }

    /// A message that is whole.
    #[inline]
    fn message(&mut self, header: &Header, body: Bytes) -> Result<Message, DecodeError> {
        Ok(match header.ty {
            MessageType::APP_MESSAGE => Message::App(AppMessage::parse(header.word2, body)?),
            MessageType::APP_RESPONSE => Message::Response(AppResponse { tag: header.word2, body }),
            MessageType::RESPONSE_ERROR => {
                Message::Error(ResponseError { tag: header.word2, code: ErrorCode(header.word1) })
            }
            MessageType::REP_MESSAGE => {
                let control = usize::try_from(header.word1).unwrap_or(usize::MAX);
                Message::Replication(Replication::parse(control, body)?)
            }
            MessageType::PERM_LSN => Message::PermLsn(Permanent::parse("PermLsn", &body)?),
            MessageType::HEARTBEAT if body.is_empty() => Message::Heartbeat(None),
            MessageType::HEARTBEAT => Message::Heartbeat(Some(Permanent::parse("Heartbeat", &body)?)),
            MessageType::HANDSHAKE => Message::Handshake(self.handshake(header, body)?),
            MessageType::OWN_MESSAGE => {
                let message = OwnMessage::parse(OwnMessageType(header.word2), body)?;
                if let Stage::Parameters(version) = self.stage {
                    self.stage = Stage::Ready(version);
                }
                Message::Own(message)
            }
            _ => return Err(refused(header, "there is no such kind of message")),
        })
    }
}

#[cold]
fn refused(header: &Header, reason: &'static str) -> DecodeError {
    DecodeError::invalid("Header", "type", reason, u64::from(header.ty.0))
}

impl StreamDecode for MessageStream {
    type Item = Message;

    #[inline]
    fn needed(&self, src: &[u8]) -> usize {
        match self.frame(src) {
            Ok(Some((_, size))) => size,
            Ok(None) => Header::SIZE,
            Err(_) => 0,
        }
    }

    #[inline]
    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<Message>, DecodeError> {
        let Some((header, size)) = self.frame(src)? else { return Ok(None) };
        if src.len() < size {
            return Ok(None);
        }
        let mut body = src.split_to(size);
        body.advance(Header::SIZE);
        self.message(&header, body.freeze()).map(Some)
    }
}

#[cfg(feature = "tokio-util")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio-util")))]
impl tokio_util::codec::Decoder for MessageStream {
    type Item = Message;
    type Error = crate::wire::CodecError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Message>, Self::Error> {
        Ok(self.decode_next(src)?)
    }
}

/// Messages know how they are written: which direction is read makes no difference to it.
#[cfg(feature = "tokio-util")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio-util")))]
impl tokio_util::codec::Encoder<Message> for MessageStream {
    type Error = crate::wire::CodecError;

    fn encode(&mut self, message: Message, dst: &mut BytesMut) -> Result<(), Self::Error> {
        Ok(crate::wire::Encode::encode_to(&message, dst)?)
    }
}

#[cfg(test)]
mod tests;
