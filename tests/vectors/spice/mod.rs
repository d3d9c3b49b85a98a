//! Byte streams of real programs (spec/vectors/spice/README.md): decoded, written back byte for byte, cut in every
//! way, and built anew through the public API.

mod build;
mod content;
mod link;

use crate::input::Conversation;
use handover::error::DecodeError;
use link::Link;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::fs;
use std::path::PathBuf;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/vectors/spice");

/// The `.jsonl` files, by name.
const FILES: [&str; 25] = [
    "01-semi-seamless",
    "02-seamless",
    "03a-connect-error-switch-host",
    "04a-cancel-after-connected-semi",
    "04d-migrate-info-twice",
    "05a-ticket-seamless",
    "05b-ticket-wrong-on-target",
    "06b-client-connects-after-info",
    "09-tls-port-and-cert-subject",
    "12-seamless-nack",
    "14a-old-client-full-header-no-caps",
    "14b-client-without-any-capability",
    "15a-client-ignores-migrate-end",
    "16-unsolicited-connected",
    "17-link-errors",
    "18-raw-target",
    "19c-migrate-end-after-seamless-ack",
    "19e-short-migrate-data",
    "31b-fake-semi-with-inputs",
    "32b-fake-seamless-with-inputs",
    "33a-fake-switch-host",
    "34b-fake-begin-host-offset-0",
    "34d-fake-begin-host-without-nul",
    "34g-fake-begin-trailing-bytes",
    "36b-fake-target-dies-after-connected-then-end",
];

/// What is malformed on purpose: file, connection, direction, where, kind, message and field.
#[rustfmt::skip]
const FAULTS: [(&str, &str, &str, usize, &str, &str, &str); 14] = [
    ("09-tls-port-and-cert-subject", "client->target(tls)#?", "c2s", 0, "invalid", "LinkHeader", "magic"),
    ("09-tls-port-and-cert-subject", "client->target(tls)#?", "s2c", 0, "invalid", "LinkHeader", "magic"),
    ("17-link-errors", "client->source#?", "c2s", 0, "invalid", "LinkHeader", "magic"),
    ("17-link-errors", "client->source#main", "c2s", 0, "unsupported", "LinkHeader", "major"),
    ("17-link-errors", "client->source#main.2", "c2s", 0, "unsupported", "LinkHeader", "major"),
    ("17-link-errors", "client->source#main.3", "c2s", 0, "unsupported", "LinkHeader", "major"),
    ("17-link-errors", "client->source#main.5", "c2s", 0, "invalid", "LinkHeader", "size"),
    ("17-link-errors", "client->source#main.6", "c2s", 0, "limit", "LinkHeader", "size"),
    ("17-link-errors", "client->source#main.7", "c2s", 0, "invalid", "LinkMess", "caps_offset"),
    ("17-link-errors", "client->source#main.8", "c2s", 0, "invalid", "LinkMess", "caps_offset"),
    ("17-link-errors", "client->source#main.9", "c2s", 0, "limit", "LinkMess", "num_common_caps"),
    ("17-link-errors", "client->source#main.17", "c2s", 46, "unsupported", "AuthMechanism", "mechanism"),
    ("17-link-errors", "client->source#main.17", "s2c", 206, "invalid", "LinkResult", "end"),
    ("34b-fake-begin-host-offset-0", "client->fake-source#main", "s2c", 256, "invalid", "DstInfo", "host"),
];

/// What is cut off on purpose: file, connection, direction, and how many bytes are left over.
const CUT_OFF: [(&str, &str, &str, usize); 4] = [
    ("17-link-errors", "client->source#main.4", "s2c", 122_880),
    ("17-link-errors", "client->source#main.14", "s2c", 122_880),
    ("17-link-errors", "client->source#main.15", "s2c", 122_880),
    ("17-link-errors", "client->source#main.19", "s2c", 122_880),
];

fn conversations(name: &str) -> Vec<Conversation> {
    let path: PathBuf = [VECTORS, &format!("{name}.jsonl")].iter().collect();
    let read = crate::input::read(&path, &[]).unwrap_or_else(|reason| panic!("{}: {reason}", path.display()));
    assert!(!read.conversations.is_empty(), "{name} is empty");
    read.conversations
}

fn conversation(name: &str, conn: &str) -> Conversation {
    let found = conversations(name).into_iter().find(|each| each.conn == conn);
    found.unwrap_or_else(|| panic!("{name} has no {conn}"))
}

#[test]
fn every_vector_is_listed() {
    let paths = fs::read_dir(VECTORS).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, FILES);
}

#[test]
fn every_vector_is_written_back_as_it_came() {
    let (mut faults, mut cut_off) = (Vec::new(), Vec::new());
    for name in FILES {
        for conversation in conversations(name) {
            let link = Link::whole(&conversation);
            let written = link.write_back();
            let Conversation { conn, client, server, .. } = conversation;
            for (dir, written, came, error) in [
                ("c2s", &written.0, client.bytes, link.client.error),
                ("s2c", &written.1, server.bytes, link.server.error),
            ] {
                assert!(came.starts_with(written), "{name} {conn} {dir}: not written back as it came");
                let left = came.len() - written.len();
                if let Some(DecodeError { message, field, kind }) = error {
                    faults.push((name, conn.clone(), dir, written.len(), kind.name(), message, field));
                } else if left > 0 {
                    cut_off.push((name, conn.clone(), dir, left));
                }
            }
        }
    }
    let faults: Vec<_> = faults.iter().map(|(a, b, c, d, e, f, g)| (*a, b.as_str(), *c, *d, *e, *f, *g)).collect();
    let cut_off: Vec<_> = cut_off.iter().map(|(a, b, c, d)| (*a, b.as_str(), *c, *d)).collect();
    assert_eq!(faults, FAULTS);
    assert_eq!(cut_off, CUT_OFF);
}

#[test]
fn byte_by_byte_gives_the_same() {
    for name in FILES {
        for conversation in conversations(name) {
            let mut from_client = false;
            let pieces = Link::in_pieces(&conversation, || {
                from_client = !from_client;
                (from_client, 1)
            });
            pieces.assert_same(&Link::whole(&conversation), name);
        }
    }
}

#[test]
fn every_chunking_gives_the_same() {
    for name in FILES {
        for conversation in conversations(name) {
            let whole = Link::whole(&conversation);
            for seed in 0..8 {
                let mut random = StdRng::seed_from_u64(seed);
                // Many small pieces and a few large ones, in any order of the two directions: one may be over
                // before the other begins.
                let bias = random.gen_range(0.05..0.95);
                let pieces = Link::in_pieces(&conversation, || {
                    let largest = 1 << random.gen_range(0..17);
                    (random.gen_bool(bias), random.gen_range(1..=largest))
                });
                pieces.assert_same(&whole, &format!("{name}, seed {seed}"));
            }
        }
    }
}
