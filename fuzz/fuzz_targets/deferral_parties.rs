//! A client among three servers on a list of operations.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::deferral_machines::run_parties(bytes));
