//! Four processes and their coordinators on a list of operations.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::group_machines::run_parties(bytes));
