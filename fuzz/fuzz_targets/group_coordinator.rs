//! A coordinator on a list of operations, beside its model.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::group_machines::run_coordinator(bytes));
