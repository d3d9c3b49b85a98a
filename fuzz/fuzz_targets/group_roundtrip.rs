//! Any message of the group protocol that the API can build, through its bytes and back.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::group::run_roundtrip(bytes));
