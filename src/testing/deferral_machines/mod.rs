//! The deferral protocol's machines on trial: operation lists, reference models, and a client among servers.
//!
//! | oracle | what it runs |
//! |---|---|
//! | [`run_client`], [`run_server`] | one machine on a list of operations, beside a reference model |
//! | [`run_parties`] | a client and three servers over links that are delayed and lost, with crashes, cancels and deadlines |
//!
//! Each takes bytes, which are its decisions, and panics with a readable list of what was done. The operations are legal
//! and illegal alike: a second answer, a deferral of what is carried out, a cancel of what is another one's.
//!
//! A reference model is a second description of a machine, from spec/deferral.md 4 and 5 and the properties D1 to D15, by
//! whose names its complaints begin. That of a client keeps each server by its name in one of eight lists; that of a server
//! keeps everything that it has heard of in one list, each with its place. They say beforehand whether an input is fine,
//! misuse or a violation, and what must follow, in which order. Beside them stand the properties by themselves, told from
//! what has gone in and come out alone.

mod client;
mod parties;
mod server;
mod words;

pub use client::{ClientModel, ClientOp, ClientSubject};
pub use parties::{Counts, Parties, PartiesOp, run_parties};
pub use server::{ServerModel, ServerOp, ServerSubject};

use super::trial;

/// One [`Client`](crate::deferral::client::Client) on the operations that `bytes` stand for, beside its model.
///
/// # Panics
/// The machine and the model disagree, or a property (D1 to D3, D6 to D9) does not hold.
pub fn run_client(bytes: &[u8]) {
    trial::run::<ClientSubject>(bytes);
}

/// One [`Server`](crate::deferral::server::Server) on the operations that `bytes` stand for, beside its model.
///
/// # Panics
/// The machine and the model disagree, or a property (D4, D6, D7, D10 to D12, D15) does not hold.
pub fn run_server(bytes: &[u8]) {
    trial::run::<ServerSubject>(bytes);
}
