//! Messages of the deferral protocol, of anybody, read beside the reference.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::deferral::run_messages(bytes));
