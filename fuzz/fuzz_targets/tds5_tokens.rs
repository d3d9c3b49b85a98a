//! The payload of a message, in both byte orders, cut into packets anywhere.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::tds5_codec::run_tokens(bytes));
