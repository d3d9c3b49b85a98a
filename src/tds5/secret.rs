//! What must never be shown: passwords and session ids.

use bytes::Bytes;
use core::fmt;

/// The six bytes by which a session is known at the server that it migrates to (spec/tds5.md 2.5). Never shown by
/// `Debug`. All zero means "none".
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

/// A password, or bytes that hold passwords. Never shown by `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Password(Bytes);

impl Password {
    /// A password in the client's character set.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    #[must_use]
    pub fn expose(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}
