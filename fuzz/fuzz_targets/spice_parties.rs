//! A client and two servers over bytes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::spice_machines::run_parties(bytes));
