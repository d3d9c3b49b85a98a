//! The Replication Manager's machines under the contract suite, and whole sites over bytes.

use crate::lists::lists;
use handover::testing::Choices;
use handover::testing::repmgr_machines::{
    ChannelSubject, ConnectionSubject, Counts, DispatcherSubject, Sites, SitesOp, run_channel, run_connection,
    run_dispatcher, run_sites,
};
use proptest::prelude::*;

handover::contract_tests!(connection_contract: ConnectionSubject);
handover::contract_tests!(channel_contract: ChannelSubject);
handover::contract_tests!(dispatcher_contract: DispatcherSubject);

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The same by proptest, which makes a list that fails smaller.
    #[test]
    fn any_list(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        run_connection(&bytes);
        run_channel(&bytes);
        run_dispatcher(&bytes);
        run_sites(&bytes);
    }
}

#[test]
fn sites_lose_nothing_untold_and_come_to_an_end() {
    lists(10_000).for_each(|bytes| run_sites(&bytes));
}

/// How often what comes about, in lists without a fault and in those with some.
#[test]
fn sites_get_everywhere() {
    let mut all = [Counts::default(); 2];
    for bytes in lists(400) {
        let mut choices = Choices::new(&bytes);
        let faults = choices.boolean();
        let mut sites = Sites::new(&mut choices);
        while !choices.is_empty() {
            let op = SitesOp::choose_with(&mut choices, faults);
            sites.apply(&op);
        }
        let clean = sites.is_clean();
        all[usize::from(!clean)] += sites.finish();
    }
    println!("{all:#?}");
    let [clean, faulty] = all;
    for often in [clean.answered, clean.errors, clean.messages, clean.paused, clean.congested, faulty.answered] {
        assert!(often >= 200, "{all:#?}");
    }
    for seldom in [faulty.late, faulty.lost, faulty.missing, faulty.dropped, faulty.ignored] {
        assert!(seldom >= 50, "{all:#?}");
    }
    assert_eq!((clean.late, clean.lost), (0, 0));
}
