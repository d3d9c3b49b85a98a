//! What the Replication Manager's benches compare with: hand-written code as the floor, other codecs on messages of
//! like content.
//!
//! The floor checks what the format demands, that every length lies within what is there, and nothing else: no errors
//! with a field in them, no type but the one of the bench.

pub(crate) mod bare;
pub(crate) mod hand;
pub(crate) mod postcard;
pub(crate) mod prost;
#[path = "../raw.rs"]
pub(crate) mod raw;

/// Segments of a message.
pub(crate) const SEGMENTS: usize = 4;

/// A request of four segments, 256 bytes together.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) tag: u32,
    pub(crate) segments: [Vec<u8>; SEGMENTS],
}

/// Request number `index`.
pub(crate) fn request(index: usize) -> Request {
    let byte = u8::try_from(index % 251).unwrap();
    let sizes = [16, 80, 32, 128];
    Request { tag: u32::try_from(index).unwrap(), segments: sizes.map(|size| vec![byte; size]) }
}
