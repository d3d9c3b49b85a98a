//! A link over native frames on a list of operations, beside its model.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::frame_machines::run_link(bytes));
