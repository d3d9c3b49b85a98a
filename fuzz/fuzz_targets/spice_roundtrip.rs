//! Any value that the API can build.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::spice_machines::run_roundtrip(bytes));
