//! The group protocol's machines beside their reference models, on fixed lists of operations; together these take every
//! row of the transition tables and nothing else.

use crate::lists::lists;
use crate::transitions;
use handover::group::{coordinator, process, provider, replica, subscriber};
use handover::testing::contract;
use handover::testing::group_machines::{ProviderSubject, run_coordinator, run_parties, run_replica};

const LISTS: u64 = 10_000;

#[test]
fn a_coordinator_is_as_its_model_and_takes_every_row() {
    transitions::check(&coordinator::reign::TABLE, || lists(LISTS).for_each(|bytes| run_coordinator(&bytes)));
}

#[test]
fn a_group_takes_every_row() {
    transitions::check(&coordinator::group::TABLE, || lists(LISTS).for_each(|bytes| run_coordinator(&bytes)));
}

#[test]
fn providers_subscribers_and_processes_take_every_row() {
    let run = || lists(LISTS).for_each(|bytes| run_parties(&bytes));
    transitions::check(&process::TABLE, run);
    transitions::check(&subscriber::TABLE, run);
    // One row is for coordinators that break the protocol.
    transitions::check(&provider::TABLE, || {
        run();
        lists(LISTS / 10).for_each(|bytes| contract::run::<ProviderSubject>(&bytes));
    });
}

#[test]
fn a_coordinator_among_coordinators_takes_every_row() {
    transitions::check(&replica::TABLE, || {
        lists(LISTS / 3).for_each(|bytes| run_replica(&bytes));
    });
}
