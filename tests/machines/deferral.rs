//! The deferral protocol's machines under the contract suite, and a client among servers.

use crate::lists::lists;
use handover::testing::Choices;
use handover::testing::deferral_machines::{
    ClientSubject, Counts, Parties, PartiesOp, ServerSubject, run_client, run_parties, run_server,
};
use proptest::prelude::*;

handover::contract_tests!(client_contract: ClientSubject);
handover::contract_tests!(server_contract: ServerSubject);

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The same by proptest, which makes a list that fails smaller.
    #[test]
    fn any_list(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        run_client(&bytes);
        run_server(&bytes);
        run_parties(&bytes);
    }
}

#[test]
fn parties_say_the_truth_and_come_to_an_end() {
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
    for often in [clean.done, clean.deferred, clean.queued, clean.continued, clean.priority, faulty.done] {
        assert!(often >= 40, "{all:#?}");
    }
    for seldom in [clean.failed, clean.cancelled, faulty.said_again, faulty.indeterminate, faulty.again, faulty.late] {
        assert!(seldom >= 10, "{all:#?}");
    }
    assert_eq!((clean.indeterminate, clean.again, clean.late), (0, 0, 0));
}
