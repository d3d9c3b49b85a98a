//! The header of every message (spec/repmgr.md 1.1).

use super::ids::MessageType;

/// The header, big-endian: u8 type, u32 first word, u32 second word. What the words mean depends on the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// The kind of message.
    pub ty: MessageType,
    /// A size in bytes; the error code of a [`RESPONSE_ERROR`](MessageType::RESPONSE_ERROR).
    pub word1: u32,
    /// A second size, a number of segments, a tag or a kind.
    pub word2: u32,
}

impl Header {
    /// The size in bytes.
    pub const SIZE: usize = 9;

    /// How many bytes follow.
    #[must_use]
    pub fn body_len(&self) -> u64 {
        let (word1, word2) = (u64::from(self.word1), u64::from(self.word2));
        match self.ty {
            MessageType::APP_MESSAGE | MessageType::APP_RESPONSE | MessageType::OWN_MESSAGE => word1,
            MessageType::RESPONSE_ERROR => 0,
            _ => word1.saturating_add(word2),
        }
    }
}
