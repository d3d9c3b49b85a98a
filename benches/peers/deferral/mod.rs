//! What the benches of redirect and deferral compare with: hand-written code as the floor, other codecs on messages of
//! like content.
//!
//! The floor checks what the format demands of sizes and texts, and nothing else: no errors with a field in them, no type
//! but the one of the bench, no look at how a URI is spelled.

pub(crate) mod hand;
#[path = "../native.rs"]
pub(crate) mod native;
pub(crate) mod postcard;
pub(crate) mod prost;
#[path = "../raw.rs"]
pub(crate) mod raw;

/// Arguments of a request.
pub(crate) const ARGUMENTS: usize = 3;
/// Alternates of a deferral.
pub(crate) const ALTERNATES: usize = 4;

/// A request that has been deferred once.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) id: [u8; 16],
    pub(crate) epoch: u16,
    pub(crate) flags: u16,
    pub(crate) deadline_ms: u32,
    pub(crate) receipt: Vec<u8>,
    pub(crate) credentials: Vec<u8>,
    pub(crate) referrer: String,
    pub(crate) command: String,
    pub(crate) arguments: [Vec<u8>; ARGUMENTS],
}

/// Busy, with others that may be asked.
#[derive(Clone, Debug)]
pub(crate) struct Defer {
    pub(crate) id: [u8; 16],
    pub(crate) epoch: u16,
    pub(crate) kind: u8,
    pub(crate) server: [u8; 16],
    pub(crate) reason: String,
    pub(crate) queue_length: u32,
    pub(crate) estimate_ms: u32,
    pub(crate) retry_after_ms: u32,
    pub(crate) receipt: Vec<u8>,
    pub(crate) alternates: [Alternate; ALTERNATES],
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Alternate {
    pub(crate) abilities: u8,
    pub(crate) server: [u8; 16],
    pub(crate) uri: String,
}

fn byte(index: usize) -> u8 {
    u8::try_from(index % 251).unwrap()
}

fn uri(number: usize) -> String {
    format!("handover://db{:04}.example.org:7440/csf", number % 10_000)
}

/// Request number `index`.
pub(crate) fn request(index: usize) -> Request {
    Request {
        id: [byte(index); 16],
        epoch: 1,
        flags: 3,
        deadline_ms: 30_000,
        receipt: vec![byte(index + 1); 32],
        credentials: vec![byte(index + 2); 24],
        referrer: uri(index),
        command: format!("csf/command/ws_sync{:03}", index % 1000),
        arguments: [8, 20, 0].map(|size| vec![byte(index + 3); size]),
    }
}

/// Deferral number `index`.
pub(crate) fn defer(index: usize) -> Defer {
    let alternate = |number: usize| Alternate {
        abilities: 3,
        server: [byte(index * 7 + number); 16],
        uri: uri(index * ALTERNATES + number),
    };
    Defer {
        id: [byte(index); 16],
        epoch: 1,
        kind: 1,
        server: [byte(index + 1); 16],
        reason: "12 requests wait".into(),
        queue_length: 12,
        estimate_ms: 90_000,
        retry_after_ms: u32::MAX,
        receipt: vec![byte(index + 2); 32],
        alternates: [0, 1, 2, 3].map(alternate),
    }
}
