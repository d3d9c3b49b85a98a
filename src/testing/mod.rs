//! What tests of this crate and of machines built on it are made of.
//!
//! **Semver-exempt**: everything in here may change in any release.
//!
//! | item | what it is for |
//! |---|---|
//! | [`Choices`] | decisions out of bytes: one source for proptest, for libFuzzer and for a fixed seed |
//! | [`damaged`] | bytes with a few changes |
//! | [`contract`] | the eight lines of the [`Machine`](crate::machine::Machine) contract as checks; joined with [`contract_tests!`](crate::contract_tests) |
//! | [`check_encoding`], [`check_unencodable`] | the contract of [`Encode`](crate::wire::Encode): sizes, short buffers, every way the same |
//! | [`check_chunking`] | the contract of [`StreamDecode`](crate::wire::StreamDecode): bytes cut at any point |
//! | [`deferral`] | any message of the deferral protocol, and in odd layouts; oracles of the codec |
//! | [`deferral_text`] | any call and answer of the historical deferral protocol; oracles of its codec |
//! | [`deferral_machines`] | operation lists and reference models for the deferral protocol's machines, and a client among servers |
//! | [`frame`] | any native frame, hello and close, and in odd layouts; oracles of the codec |
//! | [`frame_machines`] | operation lists and a reference model for a link over native frames |
//! | [`group`] | any message of the group protocol, and in odd layouts; oracles of the codec |
//! | [`group_machines`] | operation lists and reference models for the group protocol's machines, and processes with their coordinators |
//! | [`native`] | oracles of the codecs of this crate's own protocols, for each that has generators and a second reading |
//! | [`spice`] | any message, packet and link message of the SPICE room, in our layout and in odd ones |
//! | [`spice_machines`] | operation lists and reference models for the machines of the SPICE room |
//! | [`Reference`] | a second description of a machine, beside which operation lists run it |
//! | [`tds5`] | any token, login message and conversation of the TDS 5.0 room, in our layout and in odd ones |
//! | [`tds5_codec`] | oracles of the TDS 5.0 codec on bytes and on values |
//! | [`tds5_machines`] | operation lists and reference models for the machines of the TDS 5.0 room |
//! | [`repmgr`] | any message, handshake and conversation of the Replication Manager's room, in our layout and in odd ones |
//! | [`repmgr_codec`] | oracles of the Replication Manager's codec on bytes and on values |
//! | [`simulator`] | several parties, links that are slow and break, crashes, a clock: all of it out of one seed |
//!
//! Generators take a [`Choices`] and never fail: where the bytes are over, the simplest value comes. That makes
//! one generator serve everywhere. With the `proptest` feature `strategy` turns it into a
//! strategy (which shrinks by dropping and lowering bytes), with the `arbitrary` feature the crate's own
//! types are `Arbitrary` by it, and a fuzz target hands over its bytes as they are.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "assertions are what this module is for: a panic is how it reports, and only tests use it"
)]

mod choices;
pub mod chunking;
pub mod contract;
mod damage;
pub mod deferral;
pub mod deferral_machines;
pub mod deferral_text;
mod encoding;
pub mod frame;
pub mod frame_machines;
pub mod group;
pub mod group_machines;
mod must;
pub mod native;
mod pipe;
pub mod repmgr;
pub mod repmgr_codec;
pub mod repmgr_machines;
mod rng;
pub mod simulator;
pub mod spice;
pub mod spice_machines;
pub mod tds5;
pub mod tds5_codec;
pub mod tds5_machines;
mod trial;

pub use choices::Choices;
#[cfg(feature = "proptest")]
pub use choices::strategy;
pub use chunking::check_chunking;
pub use damage::damaged;
pub use encoding::{check_encoding, check_unencodable};
pub use rng::Rng;
pub use trial::{Expected, Reference, When};
