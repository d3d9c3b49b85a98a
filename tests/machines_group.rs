//! The group protocol's machines on operation lists: beside reference models, under the contract suite, and together.
//!
//! Every list of operations comes out of a fixed seed, so that a run is the same each time; libFuzzer looks for new
//! ones with the same oracles (fuzz/). `MACHINES_LISTS` multiplies how many are run.

mod lists;

use handover::testing::Choices;
use handover::testing::group_machines::{Counts, Parties, PartiesOp, run_parties};
use lists::lists;

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
        all[usize::from(faults)] += parties.finish();
    }
    println!("{all:#?}");
}
