//! What is said in trials, by number.

use crate::deferral::message::{Alternate, Command, CommandName, Defer, Message, RequestKey};
use crate::deferral::{DeferKind, RequestFlags, RequestId, ServerAbilities, ServerId, ServerUri};
use crate::frame::{Extensions, Text};
use crate::testing::Rng;
use bytes::Bytes;
use std::vec::Vec;

pub(super) use crate::testing::must::{Must, broken};

/// Servers that differ in all that counts.
const SERVERS: [&str; 14] = [
    "handover://a:1",
    "handover://b:1",
    "handover://c:1",
    "handover://d.x.org:1",
    "handover://g:1",
    "handover://h:1",
    "handovers://a:1",
    "handovers://e.x.org:1",
    "handover://a:2/path",
    "http://a",
    "https://f",
    "handover://localhost:1",
    "handover://127.0.0.1:1",
    "handover://[::1]:1",
];

pub(super) fn uri(number: usize) -> ServerUri {
    SERVERS[number % SERVERS.len()].parse().expect("it is good")
}

pub(super) fn command(number: u8) -> Command {
    let names = ["help", "ws_create", "ws_sync", "ws_sync_commit"];
    let name = CommandName::new(names[usize::from(number % 4)]).expect("it is good");
    Command { name, arguments: std::vec![Bytes::from(std::vec![number; usize::from(number % 3)])] }
}

pub(super) fn key(id: u8, epoch: u16) -> RequestKey {
    RequestKey { id: RequestId([id; 16]), epoch }
}

/// One of a few ids, 0 is none.
pub(super) const fn server_id(number: u8) -> ServerId {
    ServerId([number; 16])
}

pub(super) fn alternate(rng: &mut Rng) -> Alternate {
    let server = usize::try_from(rng.below(SERVERS.len() as u64)).unwrap_or(0);
    // The plain ones are named more often than the odd ones.
    let server = if rng.below(3) > 0 { server % 6 } else { server };
    let abilities = [0, 0, 0, 3, 1, 2, 0x80][usize::try_from(rng.below(7)).unwrap_or(0)];
    let id = if rng.below(3) == 0 { rng.below(5) } else { 0 };
    Alternate {
        uri: uri(server),
        abilities: ServerAbilities::from_bits_retain(abilities),
        server: server_id(u8::try_from(id).unwrap_or(0)),
    }
}

/// What is said of a next command: what counts, and what does not.
fn next_flags(shape: u8) -> RequestFlags {
    RequestFlags::from_bits_retain([0, 2, 4, 0x8009][usize::from(shape / 3 % 4)])
}

/// A deferral of this kind; `shape` says what is in it.
pub(super) fn defer(key: RequestKey, kind: DeferKind, shape: u8) -> Defer {
    let mut rng = Rng::new(u64::from(shape) << 8 | u64::from(kind.0));
    let mut number = |often: u64, most: u64| {
        let number = rng.below(most);
        (rng.below(often) == 0).then(|| u32::try_from(number).unwrap_or(0))
    };
    let (queue_length, estimate_ms) = (number(2, 9), number(2, 900));
    let (retry_after_ms, long) = (number(4, 900), number(40, 1 << 32));
    let names = rng.below(5);
    Defer {
        key,
        kind,
        server: server_id(shape % 5),
        reason: Text::fitting(["", "a reason"][usize::from(shape % 2)]),
        queue_length,
        estimate_ms,
        retry_after_ms: retry_after_ms.or(long),
        receipt: Bytes::from(std::vec![shape; usize::from(shape % 3)]),
        alternates: (0..names).map(|_| alternate(&mut rng)).collect(),
        next: (kind == DeferKind::CONTINUE).then(|| command(shape)),
        next_flags: if kind == DeferKind::CONTINUE { next_flags(shape) } else { RequestFlags::empty() },
        extensions: Extensions::NONE,
    }
}

/// The same with its alternates in one order, whatever order they came in.
pub(super) fn sorted(message: &Message) -> Message {
    let mut message = message.clone();
    if let Message::Defer(defer) = &mut message {
        sort(&mut defer.alternates);
    }
    message
}

pub(super) fn sort(alternates: &mut [Alternate]) {
    alternates.sort_by_key(|one| (one.uri.clone(), one.abilities.bits(), one.server));
}

/// The names in alternates.
pub(super) fn named(alternates: &[Alternate]) -> Vec<ServerUri> {
    alternates.iter().map(|one| one.uri.clone()).collect()
}
