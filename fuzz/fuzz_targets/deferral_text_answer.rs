//! The body of an answer of the historical deferral protocol.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::deferral_text::run_text_answer(bytes));
