//! A login record and what is behind it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::tds5_codec::run_login(bytes));
