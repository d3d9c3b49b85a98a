//! Byte streams of a real client (spec/vectors/tds5/README.md): decoded, written back byte for byte, cut in every way,
//! and said anew through the connections. And the byte vectors of spec/tds5.md 4.4.

mod build;
mod bytes;
mod content;
mod link;

use crate::input::Conversation;
use handover::limits::Tds5Limits;
use handover::testing::check_chunking;
use handover::wire::ByteOrder;
use link::{Direction, stream};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::fs;
use std::path::PathBuf;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/vectors/tds5");
const LIMITS: Tds5Limits = Tds5Limits::DEFAULT;

/// The files, by name; all but the last are `.jsonl`.
const FILES: [&str; 6] = [
    "login_default.jsonl",
    "login_emptypw.jsonl",
    "login_ha_inline.jsonl",
    "login_longuser.jsonl",
    "mig_exchange.pcap",
    "query_mig_inresp.jsonl",
];

/// The one conversation that each file holds.
fn conversation(name: &str) -> Conversation {
    let path: PathBuf = [VECTORS, name].iter().collect();
    let read = crate::input::read(&path, &[]).unwrap_or_else(|reason| panic!("{}: {reason}", path.display()));
    assert_eq!((read.conversations.len(), read.notes.len()), (1, 0), "{name}");
    let conversation = read.conversations.into_iter().next().expect("counted");
    assert!(conversation.client.hole.is_none() && conversation.server.hole.is_none(), "{name}");
    conversation
}

/// Both streams of each file.
fn streams() -> impl Iterator<Item = (String, Direction, Vec<u8>)> {
    FILES.into_iter().flat_map(|name| {
        let Conversation { client, server, .. } = conversation(name);
        [
            (format!("{name} c2s"), Direction::FromClient, client.bytes),
            (format!("{name} s2c"), Direction::FromServer, server.bytes),
        ]
    })
}

#[test]
fn every_vector_is_listed() {
    let paths = fs::read_dir(VECTORS).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending != "md"))
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, FILES);
}

#[test]
fn every_vector_is_written_back_as_it_came() {
    for (name, direction, bytes) in streams() {
        let pieces = link::pieces(stream(direction, ByteOrder::Little), &bytes);
        assert_eq!(link::write_back(&pieces, ByteOrder::Little), bytes, "{name}");
    }
}

#[test]
fn every_chunking_gives_the_same() {
    for (name, direction, bytes) in streams() {
        let make = || stream(direction, ByteOrder::Little);
        // At each place, at each pair of neighbours, and anywhere.
        for cut in 0..bytes.len() {
            check_chunking(make, &bytes, &[cut, cut + 1]);
        }
        let mut random = StdRng::seed_from_u64(name.len() as u64);
        for _ in 0..64 {
            let cuts: Vec<usize> = (0..random.gen_range(0..20)).map(|_| random.gen_range(0..bytes.len())).collect();
            check_chunking(make, &bytes, &cuts);
        }
    }
}

#[test]
fn connections_give_the_same_however_they_are_fed() {
    for name in FILES {
        let conversation = conversation(name);
        let whole = link::items(&conversation, usize::MAX);
        for size in [1, 2, 3, 7, 8, 9, 100, 511, 512, 513] {
            assert_eq!(link::items(&conversation, size), whole, "{name} in pieces of {size}");
        }
    }
}
