//! The group protocol's machines on trial: operation lists, reference models, and processes with their coordinators.
//!
//! | oracle | what it runs |
//! |---|---|
//! | [`run_coordinator`] | one machine on a list of operations, beside a reference model |
//! | [`run_parties`] | four processes and their coordinators over links that are delayed and cut, with deaths and take-overs |
//!
//! Each takes bytes, which are its decisions, and panics with a readable list of what was done. The operations are legal
//! and illegal alike.

mod contract;
mod coordinator;
mod parties;
mod process;
mod words;

pub use contract::{ProviderSubject, ReplicaSubject, SubscriberSubject};
pub use coordinator::{CoordinatorModel, CoordinatorOp, CoordinatorSubject};
pub use parties::{Counts, Parties, PartiesOp, run_parties};
pub use process::ProcessSubject;

use super::trial;

/// One [`Coordinator`](crate::group::coordinator::Coordinator) on the operations that `bytes` stand for, beside its model.
///
/// # Panics
/// The machine and the model disagree.
pub fn run_coordinator(bytes: &[u8]) {
    trial::run::<CoordinatorSubject>(bytes);
}
