//! The SPICE machines beside their reference models, on fixed lists of operations; together these take every row of
//! the transition tables and nothing else.

use crate::lists::lists;
use crate::transitions;
use handover::spice::{client, source, target};
use handover::testing::spice_machines::{run_client, run_source, run_target};

const LISTS: u64 = 10_000;

#[test]
fn a_source_is_as_its_model_and_takes_every_row() {
    transitions::check(&source::TABLE, || lists(LISTS).for_each(|bytes| run_source(&bytes)));
}

#[test]
fn a_target_is_as_its_model_and_takes_every_row() {
    transitions::check(&target::TABLE, || lists(LISTS).for_each(|bytes| run_target(&bytes)));
}

#[test]
fn a_client_is_as_its_model_and_takes_every_row() {
    transitions::check(&client::TABLE, || lists(LISTS).for_each(|bytes| run_client(&bytes)));
}
