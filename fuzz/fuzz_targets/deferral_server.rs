//! A deferral server on a list of operations, beside its model.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::deferral_machines::run_server(bytes));
