//! Three sites on a list of operations, over bytes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::repmgr_machines::run_sites(bytes));
