//! A data area with its table of segments.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::repmgr_codec::run_segments(bytes));
