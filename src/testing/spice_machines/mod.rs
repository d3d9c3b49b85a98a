//! The SPICE machines on trial: operation lists, reference models, and all three parties over bytes.
//!
//! | oracle | what it runs |
//! |---|---|
//! | [`run_source`], [`run_target`], [`run_client`] | one machine on a list of operations, beside a reference model |
//! | [`run_parties`] | a client and two servers over links that are cut, delayed and broken |
//! | [`run_link`], [`run_data`], [`run_roundtrip`] | the codec on bytes and on values |
//!
//! Each takes bytes, which are its decisions, and panics with a readable list of what was done: so proptest,
//! libFuzzer and a seed in a file all run the same. The operations are legal and illegal alike, with so few
//! numbers that they collide: a client or a link is used again, unknown, or closed.
//!
//! A reference model is a second description of a machine: queues, sets and counters straight from the
//! properties of spec/spice.md 8, by whose names its complaints begin. It says beforehand whether an input is
//! fine, misuse or a violation and which messages must follow; `Table::step` says which states may follow.

mod client;
mod codec;
mod parties;
mod source;
mod target;

pub use client::{ClientModel, ClientOp, ClientSubject, Pick};
pub use codec::{run_data, run_link, run_roundtrip};
pub use parties::{Parties, PartiesOp, run_parties};
pub use source::{SourceModel, SourceOp, SourceSubject};
pub use target::{TargetModel, TargetOp, TargetSubject};

use super::trial;

/// One [`Source`](crate::spice::source::Source) on the operations that `bytes` stand for, beside its model.
///
/// # Panics
/// The machine and the model disagree, or a property (S1 to S7) does not hold.
pub fn run_source(bytes: &[u8]) {
    trial::run::<SourceSubject>(bytes);
}

/// One [`Target`](crate::spice::target::Target) on the operations that `bytes` stand for, beside its model.
///
/// # Panics
/// The machine and the model disagree, or a property (T1 to T7) does not hold.
pub fn run_target(bytes: &[u8]) {
    trial::run::<TargetSubject>(bytes);
}

/// One [`Client`](crate::spice::client::Client) on the operations that `bytes` stand for, beside its model.
///
/// # Panics
/// The machine and the model disagree, or a property (K1 to K8, K10) does not hold.
pub fn run_client(bytes: &[u8]) {
    trial::run::<ClientSubject>(bytes);
}
