//! One direction of a connection, as packets, pieces and items, with the login and behind it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::tds5_codec::run_packets(bytes));
