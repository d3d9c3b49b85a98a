//! The TDS 5.0 machines under the contract suite, and all parties over bytes.

use crate::lists::lists;
use handover::tds5::client::Outcome;
use handover::testing::Choices;
use handover::testing::tds5_machines::{
    ClientSubject, Parties, PartiesOp, ServerSubject, TargetSubject, run_client, run_parties, run_server, run_target,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

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
        run_parties(&bytes);
    }
}

#[test]
fn parties_lose_nothing_and_come_to_an_end() {
    lists(10_000).for_each(|bytes| run_parties(&bytes));
}

/// How many attempts of the client ended in which way, in lists without a fault and in those with some.
#[test]
fn parties_get_everywhere() {
    let mut ends: BTreeMap<(bool, &str), u32> = BTreeMap::new();
    let mut resumed = [0; 2];
    for bytes in lists(400) {
        let mut choices = Choices::new(&bytes);
        let faults = choices.boolean();
        let mut parties = Parties::new(&mut choices);
        while !choices.is_empty() {
            let op = PartiesOp::choose_with(&mut choices, faults);
            parties.apply(&op);
        }
        for outcome in parties.outcomes() {
            let name = match outcome {
                Outcome::Migrated { .. } => "migrated",
                Outcome::Ignored => "ignored",
                Outcome::Superseded => "superseded",
                Outcome::Refused => "refused",
                Outcome::Failed(_) => "failed",
                _ => "lost",
            };
            *ends.entry((parties.is_clean(), name)).or_default() += 1;
        }
        resumed = core::array::from_fn(|at| resumed[at] + parties.resumed()[at]);
    }
    println!("{ends:#?}, resumed at a new server and at the old one: {resumed:?}");
    for name in ["migrated", "ignored", "refused", "failed"] {
        assert!(ends.get(&(true, name)).is_some_and(|&count| count >= 20), "{name} is seldom reached: {ends:#?}");
    }
    assert!(resumed.iter().all(|&count| count >= 20), "RESUME is seldom needed: {resumed:?}");
}
