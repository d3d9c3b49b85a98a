//! The SPICE machines under the contract suite and beside their reference models.

use handover::testing::spice_machines::{ClientSubject, SourceSubject, TargetSubject, run_client, run_source, run_target};

handover::contract_tests!(source: SourceSubject);
handover::contract_tests!(target: TargetSubject);
handover::contract_tests!(client: ClientSubject);

/// Lists of operations out of fixed seeds, so that it is the same ones every time.
fn lists(count: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|seed| {
        let mut rng = handover::testing::Rng::new(seed);
        let length = usize::try_from(rng.below(600)).unwrap();
        rng.bytes(length)
    })
}

#[test]
fn source_model() {
    lists(20000).for_each(|bytes| run_source(&bytes));
}

#[test]
fn target_model() {
    lists(20000).for_each(|bytes| run_target(&bytes));
}

#[test]
fn client_model() {
    lists(20000).for_each(|bytes| run_client(&bytes));
}
