//! Byte streams of real sites (spec/vectors/repmgr/README.md): decoded, written back byte for byte, cut in every way,
//! and said anew from their parts. And single messages with what is known to be in them.

mod build;
mod content;
mod messages;

use handover::limits::RepmgrLimits;
use handover::repmgr::Version;
use handover::repmgr::handshake::VersionRange;
use handover::repmgr::message::Message;
use handover::repmgr::stream::{MessageStream, Side};
use handover::testing::check_chunking;
use handover::wire::{Encode, Framer};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;
use std::fs;
use std::path::PathBuf;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/vectors/repmgr");
const LIMITS: RepmgrLimits = RepmgrLimits::DEFAULT;

/// The files with streams, by name.
const FILES: [&str; 11] = [
    "s01_join_group",
    "s02_send_msg_one",
    "s03_send_msg_multi",
    "s04_request_response",
    "s05_request_no_response",
    "s07_no_dispatch",
    "s09_bulk_response",
    "s10_master_change",
    "s12_async_reply",
    "s16_python_interop",
    "s23_timeouts_and_close",
];

fn path(name: &str) -> PathBuf {
    [VECTORS, name].iter().collect()
}

/// One direction of a connection, a line of a file.
#[derive(Deserialize)]
struct Stream {
    conn: String,
    /// `a2b` from the dialler, `b2a` from the listener.
    dir: String,
    /// What the connection is for.
    kind: String,
    /// Whether the capture has its beginning.
    syn_seen: bool,
    hex: String,
    #[serde(skip)]
    file: &'static str,
}

impl Stream {
    fn bytes(&self) -> Vec<u8> {
        unhex(&self.hex)
    }

    fn side(&self) -> Side {
        match self.dir.as_str() {
            "a2b" => Side::Dialler,
            "b2a" => Side::Listener,
            other => panic!("{other}"),
        }
    }

    fn decoder(&self) -> MessageStream {
        if self.syn_seen {
            MessageStream::new(self.side(), VersionRange::ALL, &LIMITS)
        } else {
            MessageStream::established(Version::V4, &LIMITS)
        }
    }

    fn messages(&self) -> Vec<Message> {
        decode(self.decoder(), &self.bytes())
    }

    fn name(&self) -> String {
        format!("{} {} {}", self.file, self.conn, self.dir)
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let pair = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    assert!(text.len().is_multiple_of(2));
    text.as_bytes().chunks(2).map(pair).collect()
}

/// Everything in a well-formed stream.
fn decode(decoder: MessageStream, bytes: &[u8]) -> Vec<Message> {
    let mut framer = Framer::new(decoder);
    framer.push(bytes);
    let mut messages = Vec::new();
    while let Some(message) = framer.next_item().unwrap_or_else(|error| panic!("behind {messages:?}: {error}")) {
        messages.push(message);
    }
    assert_eq!(framer.buffered(), 0, "behind {messages:?}");
    messages
}

fn streams_of(file: &'static str) -> Vec<Stream> {
    let text = fs::read_to_string(path(&format!("{file}.jsonl"))).unwrap();
    let stream = |line| Stream { file, ..serde_json::from_str(line).unwrap() };
    text.lines().map(stream).collect()
}

fn streams() -> impl Iterator<Item = Stream> {
    FILES.into_iter().flat_map(streams_of)
}

#[test]
fn every_vector_is_listed() {
    let paths = fs::read_dir(VECTORS).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = paths.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    let streams = FILES.iter().map(|name| format!("{name}.jsonl"));
    let mut expected: Vec<String> =
        streams.chain(["README.md", "s04_request_response.pcapng", "vectors.json"].map(str::to_owned)).collect();
    expected.sort();
    assert_eq!(names, expected);
}

#[test]
fn every_stream_is_written_back_as_it_came() {
    let mut count = 0;
    for stream in streams() {
        let messages = stream.messages();
        let written: Vec<u8> = messages.iter().flat_map(|message| message.to_vec().unwrap()).collect();
        assert_eq!(written, stream.bytes(), "{}", stream.name());
        count += messages.len();
    }
    assert_eq!(count, 342);
}

#[test]
fn every_chunking_gives_the_same() {
    for stream in streams() {
        let (bytes, mut random) = (stream.bytes(), StdRng::seed_from_u64(stream.hex.len() as u64));
        let make = || stream.decoder();
        if bytes.len() < 1000 {
            // At each place, and at each pair of neighbours.
            for cut in 0..bytes.len() {
                check_chunking(make, &bytes, &[cut, cut + 1]);
            }
        }
        for _ in 0..16 {
            let cuts: Vec<usize> = (0..random.gen_range(1..40)).map(|_| random.gen_range(0..bytes.len())).collect();
            check_chunking(make, &bytes, &cuts);
        }
    }
}

/// A capture file says the same as the streams that were taken out of it.
#[test]
fn a_capture_file_says_the_same() {
    let read = crate::input::read(&path("s04_request_response.pcapng"), &[6131]).unwrap();
    let [conversation] = &read.conversations[..] else { panic!("{}", read.conversations.len()) };
    let [dialler, listener] = &streams_of("s04_request_response")[..] else { panic!("two directions") };
    assert_eq!((&conversation.client.bytes, &conversation.server.bytes), (&dialler.bytes(), &listener.bytes()));
}
