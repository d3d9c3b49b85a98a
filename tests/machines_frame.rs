//! A link over native frames under the contract suite, and two ends over bytes. Beside its reference model:
//! rows_frame.rs.
//!
//! Every list of operations comes out of a fixed seed, so that a run is the same each time; libFuzzer looks for new
//! ones with the same oracles (fuzz/). `MACHINES_LISTS` multiplies how many are run.

mod lists;

use handover::testing::frame_machines::{LinkSubject, run_link};
use lists::lists;
use proptest::prelude::*;

handover::contract_tests!(link_contract: LinkSubject);

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Beside the model, by proptest, which makes a list that fails smaller.
    #[test]
    fn any_list(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        run_link(&bytes);
    }
}

#[test]
fn fixed_lists() {
    lists(2_000).for_each(|bytes| run_link(&bytes));
}
