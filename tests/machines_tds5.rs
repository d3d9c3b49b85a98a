//! The TDS 5.0 machines under the contract suite, and all parties over bytes. Beside their reference models:
//! rows_tds5.rs.
//!
//! Every list of operations comes out of a fixed seed, so that a run is the same each time; libFuzzer looks for new
//! ones with the same oracles (fuzz/). `MACHINES_LISTS` multiplies how many are run.

mod lists;

use handover::testing::tds5_machines::{
    ClientSubject, ServerSubject, TargetSubject, run_client, run_server, run_target,
};
use proptest::prelude::*;

handover::contract_tests!(server_contract: ServerSubject);
handover::contract_tests!(target_contract: TargetSubject);
handover::contract_tests!(client_contract: ClientSubject);

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The same by proptest, which makes a list that fails smaller.
    #[test]
    fn any_list(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        run_server(&bytes);
        run_target(&bytes);
        run_client(&bytes);
    }
}
