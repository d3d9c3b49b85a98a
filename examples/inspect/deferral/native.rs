//! Native frames. Not read yet: a stream of them is reported as an error.

use crate::input::{Conversation, Stream};
use crate::record::{Fault, Record};

/// Nothing is taken for native frames as long as they cannot be read.
pub(super) fn is_plausible(_conversation: &Conversation) -> bool {
    false
}

pub(super) fn decode(conversation: &Conversation, _verify: bool) -> [Vec<Record>; 2] {
    [&conversation.client, &conversation.server].map(refuse)
}

fn refuse(stream: &Stream) -> Vec<Record> {
    if stream.bytes.is_empty() {
        return Vec::new();
    }
    let reason = "the native wire cannot be inspected yet".to_owned();
    vec![Record::Error { offset: 0, error: Fault { kind: "unsupported", message: "Frame", field: "native", reason } }]
}
