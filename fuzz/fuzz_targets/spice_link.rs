//! The link stage, in both directions, as streams and as connections.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::spice_machines::run_link(bytes));
