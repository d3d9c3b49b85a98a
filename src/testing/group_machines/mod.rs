//! The group protocol's machines on trial: operation lists, reference models, and processes with their coordinators.
//!
//! | oracle | what it runs |
//! |---|---|
//! | [`run_coordinator`] | one machine on a list of operations, beside a reference model |
//! | [`run_process`], [`run_replica`] | these machines under the contract suite, whatever is said to them |
//! | [`run_parties`] | four processes and their coordinators over links that are delayed and cut, with deaths and take-overs |
//!
//! Each takes bytes, which are its decisions, and panics with a readable list of what was done. The operations are legal
//! and illegal alike: votes for phases that are over, tokens of others and of yesterday, attributes that do not match.
//!
//! The model of a coordinator is a second description of it, from spec/group.md 5: for each group one line of all that waits
//! in the order in which it came, and one protocol. It says beforehand whether an input is fine, misuse or a violation, and
//! what everybody must be told, in which order. What a coordinator does that takes over with groups is for [`run_parties`]:
//! there the properties of spec/group.md 8 are told from what has gone in and come out alone.

mod coordinator;
mod parties;
mod process;
mod subjects;
mod words;

pub use coordinator::{CoordinatorModel, CoordinatorOp, CoordinatorSubject};
pub use parties::{Counts, Parties, PartiesOp, run_parties};
pub use process::ProcessSubject;
pub use subjects::{ProviderSubject, ReplicaSubject, SubscriberSubject};

use super::{contract, trial};

/// One [`Coordinator`](crate::group::coordinator::Coordinator) on the operations that `bytes` stand for, beside its model.
///
/// # Panics
/// The machine and the model disagree.
pub fn run_coordinator(bytes: &[u8]) {
    trial::run::<CoordinatorSubject>(bytes);
}

/// A [`Process`](crate::group::process::Process), a [`Provider`](crate::group::provider::Provider) and a
/// [`Subscriber`](crate::group::subscriber::Subscriber) on the inputs that `bytes` stand for, under every line of the
/// contract. What they say to an honest coordinator is for [`run_parties`].
///
/// # Panics
/// A line is broken.
pub fn run_process(bytes: &[u8]) {
    contract::run::<ProcessSubject>(bytes);
    contract::run::<ProviderSubject>(bytes);
    contract::run::<SubscriberSubject>(bytes);
}

/// A [`Replica`](crate::group::replica::Replica) on the inputs that `bytes` stand for, under every line of the contract.
///
/// # Panics
/// A line is broken.
pub fn run_replica(bytes: &[u8]) {
    contract::run::<ReplicaSubject>(bytes);
}
