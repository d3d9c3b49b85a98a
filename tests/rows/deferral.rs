//! The deferral protocol's machines beside their reference models, on fixed lists of operations; together these take
//! every row of the transition tables and nothing else.

use crate::lists::lists;
use crate::transitions;
use handover::deferral::{client, server};
use handover::testing::deferral_machines::{run_client, run_server};

const LISTS: u64 = 10_000;

#[test]
fn a_client_is_as_its_model_and_takes_every_row() {
    transitions::check(&client::TABLE, || lists(LISTS).for_each(|bytes| run_client(&bytes)));
}

#[test]
fn a_server_is_as_its_model_and_takes_every_row() {
    transitions::check(&server::TABLE, || lists(LISTS).for_each(|bytes| run_server(&bytes)));
}
