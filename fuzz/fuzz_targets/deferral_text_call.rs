//! The target of a request of the historical deferral protocol.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::deferral_text::run_text_call(bytes));
