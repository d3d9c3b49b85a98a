//! The TDS 5.0 machines on trial: operation lists, reference models, and all parties over bytes.
//!
//! | oracle | what it runs |
//! |---|---|
//! | [`run_server`], [`run_target`], [`run_client`] | one machine on a list of operations, beside a reference model |
//! | [`run_parties`] | a client and three servers over links that are cut, delayed and broken |
//!
//! Each takes bytes, which are its decisions, and panics with a readable list of what was done. The operations are
//! legal and illegal alike: a request is withdrawn, replaced and answered twice, a handler is entered for an attempt
//! that is over, a client says what only servers say.
//!
//! A reference model is a second description of a machine, from spec/tds5.md 6 and the properties M5 to M12, by whose
//! names its complaints begin: it keeps the requests that were asked and not answered as a queue, and the commands as
//! what they are owed. It says beforehand whether an input is fine, misuse or a violation, and which messages and which
//! events must follow, in which order; `Table::step` says which states may follow.

mod client;
mod parties;
mod server;
mod target;
mod words;

pub use client::{ClientModel, ClientOp, ClientSubject, Pick};
pub use parties::{Parties, PartiesOp, run_parties};
pub use server::{ServerModel, ServerOp, ServerSubject};
pub use target::{TargetModel, TargetOp, TargetSubject};

use super::trial;

/// One [`Server`](crate::tds5::server::Server) on the operations that `bytes` stand for, beside its model.
///
/// # Panics
/// The machine and the model disagree, or a property (M5 to M9, M13) does not hold.
pub fn run_server(bytes: &[u8]) {
    trial::run::<ServerSubject>(bytes);
}

/// One [`Target`](crate::tds5::target::Target) on the operations that `bytes` stand for, beside its model.
///
/// # Panics
/// The machine and the model disagree, or a property (M4, M9, M13) does not hold.
pub fn run_target(bytes: &[u8]) {
    trial::run::<TargetSubject>(bytes);
}

/// One [`Client`](crate::tds5::client::Client) on the operations that `bytes` stand for, beside its model.
///
/// # Panics
/// The machine and the model disagree, or a property (M9 to M13) does not hold.
pub fn run_client(bytes: &[u8]) {
    trial::run::<ClientSubject>(bytes);
}
