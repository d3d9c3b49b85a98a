//! Redirect and deferral: a client that begins with a method of HTTP speaks the historical text protocol, any other one
//! native frames.

mod text;

use crate::decode::Protocol;
use crate::input::Conversation;
use crate::native;
use crate::record::Record;

/// The protocol.
pub(crate) struct Deferral;

/// Which of the two wires a conversation is on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Text,
    Native,
}

impl Wire {
    fn of(conversation: &Conversation) -> Self {
        let Conversation { client, server, .. } = conversation;
        let is_text = if client.bytes.is_empty() {
            // Where nothing is known of the request the answer tells.
            begins_with(&server.bytes, b"HTTP/")
        } else {
            METHODS.iter().any(|method| begins_with(&client.bytes, method))
        };
        if is_text { Self::Text } else { Self::Native }
    }
}

/// No frame begins so: it would have more than a billion bytes.
const METHODS: [&[u8]; 9] =
    [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"CONNECT ", b"OPTIONS ", b"TRACE ", b"PATCH "];

/// Whether a stream, which may end early, begins with `word`.
fn begins_with(stream: &[u8], word: &[u8]) -> bool {
    !stream.is_empty() && (stream.starts_with(word) || word.starts_with(stream))
}

impl Protocol for Deferral {
    fn recognises(&self, conversation: &Conversation) -> bool {
        match Wire::of(conversation) {
            Wire::Text => text::is_plausible(conversation),
            Wire::Native => native::is_plausible(conversation),
        }
    }

    fn decode(&self, conversation: &Conversation, verify: bool) -> [Vec<Record>; 2] {
        match Wire::of(conversation) {
            Wire::Text => text::decode(conversation, verify),
            Wire::Native => native::decode(conversation, verify),
        }
    }
}
