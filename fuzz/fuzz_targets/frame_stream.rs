//! One direction of a link over native frames, read beside the reference.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::frame::run_stream(bytes));
