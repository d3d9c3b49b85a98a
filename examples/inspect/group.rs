//! Group Services, on native frames.

use crate::decode::Protocol;
use crate::input::Conversation;
use crate::native;
use crate::record::Record;

/// The protocol.
pub(crate) struct Group;

impl Protocol for Group {
    fn recognises(&self, conversation: &Conversation) -> bool {
        native::is_plausible(conversation)
    }

    fn decode(&self, conversation: &Conversation, verify: bool) -> [Vec<Record>; 2] {
        native::decode(conversation, verify)
    }
}
