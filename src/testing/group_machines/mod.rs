//! The group protocol's machines on trial.

mod parties;

pub use parties::{Counts, Parties, PartiesOp, run_parties};
