//! A process, a provider or a subscriber under the contract suite.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover::testing::group_machines::run_process(bytes));
