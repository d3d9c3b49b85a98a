//! One direction of a connection, from its first byte or behind the handshakes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::repmgr_codec::run_frames(bytes));
