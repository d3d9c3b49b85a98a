//! The data stage, in both directions, with both headers.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::spice_machines::run_data(bytes));
