//! What must never be shown.

use core::fmt;

/// The six bytes by which a session is known at the server that it migrates to (spec/tds5.md 2.5). Never shown by
/// `Debug`. All zero means "none".
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "[u8; 6]", into = "[u8; 6]")
)]
#[doc(alias = "SRV_T_SESSIONID")]
#[doc(alias = "CS_SESSIONID")]
#[doc(alias = "lhasessionid")]
pub struct SessionId([u8; 6]);

impl SessionId {
    /// An id, `None` if all bytes are zero.
    #[must_use]
    pub const fn new(bytes: [u8; 6]) -> Option<Self> {
        if matches!(bytes, [0, 0, 0, 0, 0, 0]) { None } else { Some(Self(bytes)) }
    }

    /// The bytes, as they stand on the wire.
    #[must_use]
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }
}

/// All bytes are zero: that is no session id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("a session id of zeros is none")]
pub struct ZeroSessionId;

impl TryFrom<[u8; 6]> for SessionId {
    type Error = ZeroSessionId;

    fn try_from(bytes: [u8; 6]) -> Result<Self, ZeroSessionId> {
        Self::new(bytes).ok_or(ZeroSessionId)
    }
}

impl From<SessionId> for [u8; 6] {
    fn from(id: SessionId) -> Self {
        id.0
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}
