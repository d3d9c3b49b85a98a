//! The handshakes of one side, and the choice of a version.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::repmgr_codec::run_handshake(bytes));
