//! The machines under the contract suite, and several of them together. Beside their reference models: tests/rows/.
//!
//! Every list of operations comes out of a fixed seed, so that a run is the same each time; libFuzzer looks for new
//! ones with the same oracles (fuzz/). `MACHINES_LISTS` multiplies how many are run.

mod deferral;
mod frame;
mod group;
#[path = "../lists/mod.rs"]
mod lists;
mod repmgr;
mod spice;
mod tds5;
