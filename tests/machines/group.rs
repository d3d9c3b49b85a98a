//! The group protocol's machines under the contract suite, and processes with their coordinators.

use crate::lists::lists;
use handover::testing::Choices;
use handover::testing::group_machines::{
    CoordinatorSubject, Counts, Parties, PartiesOp, ProcessSubject, ProviderSubject, ReplicaSubject, SubscriberSubject,
    run_coordinator, run_parties, run_replicas,
};
use proptest::prelude::*;

handover::contract_tests!(coordinator_contract: CoordinatorSubject);
handover::contract_tests!(provider_contract: ProviderSubject);
handover::contract_tests!(subscriber_contract: SubscriberSubject);
handover::contract_tests!(process_contract: ProcessSubject);
handover::contract_tests!(replica_contract: ReplicaSubject);

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The same by proptest, which makes a list that fails smaller.
    #[test]
    fn any_list(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        run_coordinator(&bytes);
        run_parties(&bytes);
    }
}

#[test]
fn what_coordinators_keep_is_kept() {
    lists(10_000).for_each(|bytes| run_replicas(&bytes));
}

#[test]
fn parties_agree_and_come_to_an_end() {
    lists(10_000).for_each(|bytes| run_parties(&bytes));
}

/// How often what comes about, in lists without a fault and in those with some.
#[test]
fn parties_get_everywhere() {
    let mut all = [Counts::default(); 2];
    for bytes in lists(2000) {
        let mut choices = Choices::new(&bytes);
        let faults = choices.boolean();
        let mut parties = Parties::new(&mut choices);
        while !choices.is_empty() {
            let op = PartiesOp::choose_with(&mut choices, faults);
            parties.apply(&op);
        }
        let clean = parties.is_clean();
        all[usize::from(!clean)] += parties.finish();
    }
    println!("{all:#?}");
    let [clean, faulty] = all;
    for often in [clean.approved, clean.rejected, clean.continued, clean.joined, clean.refused, faulty.approved] {
        assert!(often >= 300, "{all:#?}");
    }
    for seldom in [clean.failed, clean.expelled, faulty.failed, faulty.rejected, faulty.taken_over] {
        assert!(seldom >= 50, "{all:#?}");
    }
    assert!(clean.cast_out >= 5 && clean.reflected >= 20 && faulty.caught_up > 0, "{all:#?}");
    assert_eq!((clean.taken_over, clean.caught_up), (0, 0));
}
