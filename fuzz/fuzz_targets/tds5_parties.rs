//! A client and three servers on a list of operations, over bytes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::tds5_machines::run_parties(bytes));
