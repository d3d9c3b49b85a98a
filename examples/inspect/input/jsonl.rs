//! `.jsonl`: one JSON object a line, one line for each direction of each connection.

use super::{Conversation, Stream};
use serde::Deserialize;

/// The largest stream that a file may describe: `zeros` would make any size cheap to ask for.
const LARGEST: usize = 1 << 30;

/// A line. Other keys are ignored.
#[derive(Deserialize)]
struct Line {
    conn: String,
    dir: String,
    hex: Option<String>,
    parts: Option<Vec<Part>>,
}

/// A part of a stream.
#[derive(Deserialize)]
#[serde(untagged)]
enum Part {
    Hex { hex: String },
    Zeros { zeros: usize },
}

/// The conversations of a file, in the order in which they begin there.
pub(super) fn read(text: &str) -> Result<Vec<Conversation>, String> {
    let mut conversations: Vec<Conversation> = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        add(&mut conversations, line).map_err(|reason| format!("line {}: {reason}", number + 1))?;
    }
    Ok(conversations)
}

fn add(conversations: &mut Vec<Conversation>, line: &str) -> Result<(), String> {
    let Line { conn, dir, hex, parts } = serde_json::from_str(line).map_err(|error| error.to_string())?;
    // Where neither side is a client, the file says who opened the connection: a.
    let (from_client, other) = match dir.as_str() {
        "c2s" => (true, "s2c"),
        "s2c" => (false, "c2s"),
        "a2b" => (true, "b2a"),
        "b2a" => (false, "a2b"),
        _ => return Err(format!("dir {dir:?} is none of c2s, s2c, a2b, b2a")),
    };
    let bytes = match (hex, parts) {
        (Some(hex), None) => unhex(&hex)?,
        (None, Some(parts)) => concatenate(&parts)?,
        _ => return Err("needs either hex or parts".to_owned()),
    };
    let stream = Stream { dir, bytes, hole: None };
    let missing = Stream { dir: other.to_owned(), ..Stream::default() };

    // The other direction of a conversation that is there, unless its place is taken: then the name was
    // used again for a later connection.
    let known = conversations.iter_mut().rfind(|known| known.conn == conn);
    if let Some(known) = known {
        let place = if from_client { &mut known.client } else { &mut known.server };
        if place.bytes.is_empty() && place.dir == stream.dir {
            *place = stream;
            return Ok(());
        }
    }
    let (client, server) = if from_client { (stream, missing) } else { (missing, stream) };
    conversations.push(Conversation { conn, client, server, chosen: true });
    Ok(())
}

fn concatenate(parts: &[Part]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for part in parts {
        match part {
            Part::Hex { hex } => bytes.extend_from_slice(&unhex(hex)?),
            Part::Zeros { zeros } => match bytes.len().checked_add(*zeros) {
                Some(length) if length <= LARGEST => bytes.resize(length, 0),
                _ => return Err(format!("a stream may have at most {LARGEST} bytes")),
            },
        }
    }
    Ok(bytes)
}

fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect::<Option<_>>().ok_or_else(|| "hex is not hexadecimal".to_owned())
}
