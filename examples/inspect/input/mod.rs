//! Reading captured byte streams, whatever protocol is in them.
//!
//! It is shared with tests, by path: nothing here knows of the rest of the inspector.

mod capture;
mod jsonl;
mod tcp;

use std::fs::{self, File};
use std::path::Path;

/// One direction of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stream {
    /// The direction by its name in the input, `c2s` or `s2c` in captures.
    pub(crate) dir: String,
    pub(crate) bytes: Vec<u8>,
    /// How many bytes the capture lacks behind `bytes`, if more was sent.
    pub(crate) hole: Option<u64>,
}

/// Both directions of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conversation {
    pub(crate) conn: String,
    /// What the side sent that opened the connection.
    pub(crate) client: Stream,
    pub(crate) server: Stream,
    /// Whether the user asked for it (by its port, or in a file that holds nothing else).
    pub(crate) chosen: bool,
}

/// What a file holds.
#[derive(Debug, Default)]
pub(crate) struct Input {
    pub(crate) conversations: Vec<Conversation>,
    /// What the user should know about the file.
    pub(crate) notes: Vec<String>,
}

fn ending(path: &Path) -> &str {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default()
}

/// Whether the file's name ends in a way that [`read`] knows.
pub(crate) fn is_known(path: &Path) -> bool {
    matches!(ending(path), "jsonl" | "pcap" | "pcapng")
}

/// Reads a file; of a capture, with `ports`, only the connections to one of these server ports.
pub(crate) fn read(path: &Path, ports: &[u16]) -> Result<Input, String> {
    let unreadable = |error| format!("cannot be read: {error}");
    if ending(path) == "jsonl" {
        let text = fs::read_to_string(path).map_err(unreadable)?;
        return Ok(Input { conversations: jsonl::read(&text)?, notes: Vec::new() });
    }
    capture::read(File::open(path).map_err(unreadable)?, ports)
}
