//! A connection on a list of operations, beside its model.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::repmgr_machines::run_connection(bytes));
