//! Messages of the group protocol, of anybody, read beside the reference.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::group::run_messages(bytes));
