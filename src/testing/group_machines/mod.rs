//! The group protocol's machines on trial: operation lists, reference models, and processes with their coordinators.
//!
//! | oracle | what it runs |
//! |---|---|
//! | [`run_coordinator`] | one machine on a list of operations, beside a reference model |
//! | [`run_process`] | these machines under the contract suite, whatever is said to them |
//! | [`run_replicas`] | three coordinators over links that break, with deaths |
//! | [`run_replica`] | the same, or one under the contract suite |
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
mod replicas;
mod subjects;
mod words;

pub use coordinator::{CoordinatorModel, CoordinatorOp, CoordinatorSubject};
pub use parties::{Counts, Parties, PartiesOp, run_parties};
pub use process::ProcessSubject;
pub use replicas::ReplicasOp;
pub use subjects::{ProviderSubject, ReplicaSubject, SubscriberSubject};

use super::{contract, trial};

/// One [`Coordinator`](crate::group::coordinator::Coordinator) on the operations that `bytes` stand for, beside its model.
///
/// # Panics
/// The machine and the model disagree.
pub fn run_coordinator(bytes: &[u8]) {
    trial::run::<CoordinatorSubject>(bytes);
}

/// A [`Process`](crate::group::process::Process), a [`Provider`](crate::group::provider::Provider) or a
/// [`Subscriber`](crate::group::subscriber::Subscriber), as the first byte says, on the inputs that the others stand for,
/// under every line of the contract. What they say to an honest coordinator is for [`run_parties`].
///
/// # Panics
/// A line is broken.
pub fn run_process(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else { return };
    match which % 3 {
        0 => contract::run::<ProcessSubject>(bytes),
        1 => contract::run::<ProviderSubject>(bytes),
        _ => contract::run::<SubscriberSubject>(bytes),
    }
}

/// As the first byte says: three coordinators on the operations that the others stand for ([`run_replicas`]), or one under
/// every line of the contract, whatever is said to it.
///
/// # Panics
/// They promise what is not so, or a line is broken.
pub fn run_replica(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else { return };
    match which % 2 {
        0 => run_replicas(bytes),
        _ => contract::run::<ReplicaSubject>(bytes),
    }
}

/// Three [`Replica`](crate::group::replica::Replica)s on the operations that `bytes` stand for, with links that break and
/// deaths.
///
/// Checked is, whatever goes wrong: nobody complains of another; no two reign in one epoch, and with a quorum no two at
/// once; nobody promises anything before it is stored, or less than before; what is kept is known to whoever reigns later,
/// as it was kept (G-S1). In the end somebody reigns, and has outcomes kept.
///
/// # Panics
/// It is not so.
pub fn run_replicas(bytes: &[u8]) {
    replicas::run(bytes);
}
