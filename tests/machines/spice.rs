//! The SPICE machines under the contract suite, and all three over bytes.

use crate::lists::lists;
use handover::spice::client::{Outcome, Scheme};
use handover::testing::Choices;
use handover::testing::spice_machines::{
    ClientSubject, Parties, PartiesOp, SourceSubject, TargetSubject, run_client, run_data, run_link, run_parties,
    run_roundtrip, run_source, run_target,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

handover::contract_tests!(source_contract: SourceSubject);
handover::contract_tests!(target_contract: TargetSubject);
handover::contract_tests!(client_contract: ClientSubject);

#[test]
fn the_codec_on_random_bytes() {
    for bytes in lists(1500) {
        run_link(&bytes);
        run_data(&bytes);
        run_roundtrip(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The same by proptest, which makes a list that fails smaller.
    #[test]
    fn any_list(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        run_source(&bytes);
        run_target(&bytes);
        run_client(&bytes);
        run_parties(&bytes);
    }
}

#[test]
fn three_parties_lose_nothing_and_come_to_an_end() {
    lists(10_000).for_each(|bytes| run_parties(&bytes));
}

/// How many attempts of the client ended in which way, in lists without a fault and in those with some.
#[test]
fn three_parties_get_everywhere() {
    let mut ends: BTreeMap<(bool, String), u32> = BTreeMap::new();
    for bytes in lists(400) {
        let mut choices = Choices::new(&bytes);
        let faults = choices.boolean();
        let mut parties = Parties::new(&mut choices);
        while !choices.is_empty() {
            let op = PartiesOp::choose(&mut choices, faults);
            parties.apply(&op);
        }
        for outcome in parties.outcomes() {
            *ends.entry((parties.is_clean(), format!("{outcome:?}"))).or_default() += 1;
        }
    }
    println!("{ends:#?}");
    let schemes = [Scheme::Seamless, Scheme::SemiSeamless, Scheme::SwitchHost].map(Outcome::Switched);
    for outcome in schemes.into_iter().chain([Outcome::Cancelled, Outcome::Superseded]) {
        let key = (true, format!("{outcome:?}"));
        assert!(ends.get(&key).is_some_and(|&count| count >= 20), "{outcome:?} is seldom reached: {ends:#?}");
    }
}

/// From A to B, back to A, and to B once more, with both applications talking all the time.
#[test]
fn three_parties_there_and_back() {
    let talk =
        [0, 1, 2].into_iter().flat_map(|channel| [PartiesOp::ClientSends(channel), PartiesOp::ServerSends(channel)]);
    let mut parties = Parties::new(&mut Choices::new(&[]));
    parties.apply(&PartiesOp::Settle);
    for _ in 0..3 {
        let answered = [PartiesOp::MigrateInfo, PartiesOp::Settle].into_iter().chain(talk.clone());
        let moved = [PartiesOp::Completed].into_iter().chain(talk.clone()).chain([PartiesOp::Settle]);
        answered.chain(moved).for_each(|op| parties.apply(&op));
    }
    assert_eq!(parties.outcomes(), [Outcome::Switched(Scheme::Seamless); 3]);
    parties.finish();
}
