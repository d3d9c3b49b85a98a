//! What the benches of the group protocol compare with: hand-written code as the floor, other codecs on messages of like
//! content.
//!
//! The floor checks what the format demands of sizes and of what may be missing, and nothing else: no errors with a field
//! in them, no part that these messages do not have.

pub(crate) mod hand;
#[path = "../native.rs"]
pub(crate) mod native;
pub(crate) mod postcard;
pub(crate) mod prost;
#[path = "../raw.rs"]
pub(crate) mod raw;

/// Who a provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Provider {
    pub(crate) node: u32,
    pub(crate) instance: i16,
    pub(crate) incarnation: u64,
}

/// A provider proposes another state value, with a message: the second phase.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    pub(crate) token: [u32; 2],
    pub(crate) group: u64,
    pub(crate) sequence: u64,
    pub(crate) protocol: u64,
    pub(crate) kind: u8,
    pub(crate) phase: u32,
    pub(crate) time_limit: u16,
    pub(crate) default_vote: u8,
    pub(crate) summary: u16,
    pub(crate) proposer: Provider,
    pub(crate) state: Vec<u8>,
    pub(crate) message: Vec<u8>,
}

/// A provider votes, and proposes another state value.
#[derive(Clone, Debug)]
pub(crate) struct Vote {
    pub(crate) token: [u32; 2],
    pub(crate) protocol: u64,
    pub(crate) phase: u32,
    pub(crate) vote: u8,
    pub(crate) state: Vec<u8>,
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap()
}

fn bytes(index: usize, size: usize) -> Vec<u8> {
    vec![u8::try_from(index % 251).unwrap(); size]
}

/// Phase number `index`.
pub(crate) fn phase(index: usize) -> Phase {
    Phase {
        token: [number(index % 64), 1],
        group: 77,
        sequence: index as u64,
        protocol: index as u64 / 2,
        kind: 6,
        phase: 2,
        time_limit: 30,
        default_vote: 1,
        summary: 1,
        proposer: Provider { node: number(index % 1000), instance: 0, incarnation: 3 },
        state: bytes(index, 32),
        message: bytes(index + 1, 48),
    }
}

/// Vote number `index`.
pub(crate) fn vote(index: usize) -> Vote {
    Vote { token: [number(index % 64), 1], protocol: index as u64, phase: 2, vote: 2, state: bytes(index, 32) }
}
