//! The messages of an established connection (spec/repmgr.md 3 and 5).

use super::handshake::Handshake;
use super::ids::{ErrorCode, MessageFlags};
use super::own::OwnMessage;
use super::segments::Segments;
use bytes::Bytes;

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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "DB_CHANNEL->send_msg")]
#[doc(alias = "DB_CHANNEL->send_request")]
pub struct AppMessage {
    /// What it consists of.
    pub segments: Segments,
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
