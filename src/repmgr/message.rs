//! The messages of an established connection (spec/repmgr.md 3 and 5).

mod codec;

pub(super) use codec::fixed_size;

use super::handshake::Handshake;
use super::ids::{ErrorCode, MessageFlags, MessageType};
use super::own::OwnMessage;
use super::segments::Segments;
use crate::error::{DecodeError, EncodeError, Limit, Misuse, to_u64};
use crate::limits::RepmgrLimits;
use crate::wire::Encode;
use bytes::{Bytes, BytesMut};

/// Any message of the protocol. There is one set of them for both directions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Message {
    /// How far a site's log is permanent.
    #[doc(alias = "REPMGR_PERMLSN")]
    PermLsn(Permanent),
    /// A step of establishing the connection.
    #[doc(alias = "REPMGR_HANDSHAKE")]
    Handshake(Handshake),
    /// A message of the replication itself, not looked into.
    #[doc(alias = "REPMGR_REP_MESSAGE")]
    Replication(Replication),
    /// The master is alive; in the old form it says nothing else.
    #[doc(alias = "REPMGR_HEARTBEAT")]
    Heartbeat(Option<Permanent>),
    /// A message or request of an application.
    #[doc(alias = "REPMGR_APP_MESSAGE")]
    App(AppMessage),
    /// The answer to a request.
    #[doc(alias = "REPMGR_APP_RESPONSE")]
    Response(AppResponse),
    /// A request that cannot be answered.
    #[doc(alias = "REPMGR_RESP_ERROR")]
    Error(ResponseError),
    /// A message about membership.
    #[doc(alias = "REPMGR_OWN_MSG")]
    Own(OwnMessage),
}

impl Message {
    /// The kind of message, as its header has it.
    #[must_use]
    pub const fn ty(&self) -> MessageType {
        match self {
            Self::PermLsn(_) => MessageType::PERM_LSN,
            Self::Handshake(_) => MessageType::HANDSHAKE,
            Self::Replication(_) => MessageType::REP_MESSAGE,
            Self::Heartbeat(_) => MessageType::HEARTBEAT,
            Self::App(_) => MessageType::APP_MESSAGE,
            Self::Response(_) => MessageType::APP_RESPONSE,
            Self::Error(_) => MessageType::RESPONSE_ERROR,
            Self::Own(_) => MessageType::OWN_MESSAGE,
        }
    }

    /// Its name on the wire, without contents.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PermLsn(_) => "PERMLSN",
            Self::Handshake(_) => "HANDSHAKE",
            Self::Replication(_) => "REP_MESSAGE",
            Self::Heartbeat(_) => "HEARTBEAT",
            Self::App(_) => "APP_MESSAGE",
            Self::Response(_) => "APP_RESPONSE",
            Self::Error(_) => "RESP_ERROR",
            Self::Own(_) => "OWN_MSG",
        }
    }
}

macro_rules! messages {
    ($($kind:ident($type:ty))+) => {$(
        impl From<$type> for Message {
            fn from(message: $type) -> Self {
                Self::$kind(message)
            }
        }
    )+};
}
messages! {
    Handshake(Handshake) Replication(Replication) App(AppMessage) Response(AppResponse) Error(ResponseError)
    Own(OwnMessage)
}

/// A place in the log up to which it is permanent: u32 generation, u32 file, u32 offset, big-endian
/// (spec/repmgr.md 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Permanent {
    /// The generation of the master.
    pub generation: u32,
    /// The number of the log file.
    pub file: u32,
    /// The offset in it.
    pub offset: u32,
}

/// A message of the replication, not looked into. The control part is never empty (spec/repmgr.md 5).
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Replication {
    /// The control part.
    pub control: Bytes,
    /// The record.
    pub record: Bytes,
}

/// A message of an application, with or without the wish for an answer (spec/repmgr.md 3.1 and 3.2).
///
/// Body: the segments with their table, then u32 tag, u32 limit, u32 flags. On the wire the header comes first:
///
/// ```
/// use handover::repmgr::Segments;
/// use handover::repmgr::message::{AppMessage, Wanted};
/// use handover::wire::Encode;
///
/// let request = AppMessage::request(Segments::one("hi"), Wanted { tag: 0, bulk: false, limit: None });
/// let header = b"\x05\0\0\0\x20\0\0\0\x01";
/// let block = b"hi\0\0\0\0\0\0\xff\xff\xff\xff\0\0\0\x02\0\0\0\0";
/// let metadata = b"\0\0\0\0\0\0\0\0\0\0\0\x02";
/// assert_eq!(request.to_vec()?, [&header[..], block, metadata].concat());
/// # Ok::<(), handover::error::EncodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "DB_CHANNEL->send_msg")]
#[doc(alias = "DB_CHANNEL->send_request")]
pub struct AppMessage<S = Segments> {
    /// What it consists of: [`Segments`] in a message that is kept or sent, a
    /// [`SegmentTable`](super::segments::SegmentTable) in one that is only looked at.
    pub segments: S,
    /// What the answer is to carry; 0 in a message without the wish for one.
    pub tag: u32,
    /// The largest answer in bytes, if [`MessageFlags::RESPONSE_LIMIT`] is set; else it means nothing.
    pub limit: u32,
    /// What the sender wants.
    pub flags: MessageFlags,
}

/// What the sender of a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// What the answer is to carry.
    pub tag: u32,
    /// Whether the answer is to be a block of segments.
    pub bulk: bool,
    /// The largest answer in bytes; of a block, with its table.
    pub limit: Option<u32>,
}

impl AppMessage {
    /// A message that wants no answer.
    #[must_use]
    pub const fn new(segments: Segments) -> Self {
        Self { segments, tag: 0, limit: 0, flags: MessageFlags::empty() }
    }

    /// A message that wants an answer.
    #[must_use]
    pub fn request(segments: Segments, wanted: Wanted) -> Self {
        let mut flags = MessageFlags::REQUEST;
        flags.set(MessageFlags::BULK, wanted.bulk);
        flags.set(MessageFlags::RESPONSE_LIMIT, wanted.limit.is_some());
        Self { segments, tag: wanted.tag, limit: wanted.limit.unwrap_or_default(), flags }
    }

    /// Whether a message of these segments keeps to the bounds, so that a peer with the same ones takes it.
    pub(super) fn check_bounds(segments: &Segments, limits: &RepmgrLimits) -> Result<(), Misuse> {
        let refuse = |what, limit: u64, got: usize| Err(Misuse::Limit(Limit { what, limit, got: to_u64(got) }));
        if to_u64(segments.len()) > u64::from(limits.segments) {
            return refuse("segments", u64::from(limits.segments), segments.len());
        }
        let size = segments.encoded_len().saturating_add(Self::METADATA_SIZE);
        if size > limits.message || segments.check().is_err() {
            return refuse("message", to_u64(limits.message), size);
        }
        Ok(())
    }
}

impl<S> AppMessage<S> {
    /// What the sender wants; `None` if no answer is wanted.
    #[must_use]
    pub fn wanted(&self) -> Option<Wanted> {
        let has = |flag| self.flags.contains(flag);
        let limit = has(MessageFlags::RESPONSE_LIMIT).then_some(self.limit);
        has(MessageFlags::REQUEST).then_some(Wanted { tag: self.tag, bulk: has(MessageFlags::BULK), limit })
    }
}

/// The answer to a request (spec/repmgr.md 3.3).
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AppResponse {
    /// The request's tag.
    pub tag: u32,
    /// The only segment; or, if the request wants it, a block for [`Segments::parse`].
    pub body: Bytes,
}

impl AppResponse {
    /// The answer to a request that wants one segment at most.
    #[must_use]
    pub fn single(tag: u32, segment: impl Into<Bytes>) -> Self {
        Self { tag, body: segment.into() }
    }

    /// The answer to a request that wants a block of segments. Received segments share their bytes, others are laid
    /// out here.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use handover::repmgr::Segments;
    /// use handover::repmgr::message::AppResponse;
    ///
    /// let answer = AppResponse::bulk(7, &Segments::one("part"))?;
    /// assert_eq!(&answer.body[..], b"part\0\0\0\0\xff\xff\xff\xff\0\0\0\x04\0\0\0\0");
    /// assert_eq!(answer.segments()?, Segments::one("part"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The segments are too large for a message.
    pub fn bulk(tag: u32, segments: &Segments) -> Result<Self, EncodeError> {
        if let Some(block) = segments.block() {
            return Ok(Self { tag, body: block.clone() });
        }
        let mut body = BytesMut::new();
        segments.encode_to(&mut body)?;
        Ok(Self { tag, body: body.freeze() })
    }

    /// The segments of an answer to a request that wants a block of them.
    ///
    /// # Errors
    /// It is none: see [`Segments::parse`].
    pub fn segments(&self) -> Result<Segments, DecodeError> {
        Segments::parse(&self.body)
    }
}

/// A request that cannot be answered (spec/repmgr.md 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ResponseError {
    /// The request's tag.
    pub tag: u32,
    /// Why not.
    pub code: ErrorCode,
}

impl core::fmt::Debug for Replication {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Replication({} + {} bytes)", self.control.len(), self.record.len())
    }
}

impl core::fmt::Debug for AppResponse {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "AppResponse {{ tag: {}, {} bytes }}", self.tag, self.body.len())
    }
}
