//! The group protocol's machines beside their reference models, on fixed lists of operations; together these take every
//! row of the transition tables and nothing else.

mod lists;
mod rows;

use handover::group::coordinator;
use handover::testing::group_machines::run_coordinator;
use lists::lists;

const LISTS: u64 = 10_000;

#[test]
fn a_coordinator_is_as_its_model_and_takes_every_row() {
    rows::check(&coordinator::reign::TABLE, || lists(LISTS).for_each(|bytes| run_coordinator(&bytes)));
}
