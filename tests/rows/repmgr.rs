//! The Replication Manager's machines beside their reference models, on fixed lists of operations; together these take
//! every row of the transition tables and nothing else.

use crate::lists::lists;
use crate::transitions;
use handover::repmgr::dispatcher::incoming;
use handover::repmgr::{channel, connection, dispatcher};
use handover::testing::repmgr_machines::{run_channel, run_connection, run_dispatcher};

const LISTS: u64 = 10_000;

#[test]
fn a_connection_is_as_its_model_and_takes_every_row() {
    transitions::check(&connection::TABLE, || lists(LISTS).for_each(|bytes| run_connection(&bytes)));
}

#[test]
fn a_channel_is_as_its_model_and_takes_every_row() {
    transitions::check(&channel::TABLE, || lists(LISTS).for_each(|bytes| run_channel(&bytes)));
}

#[test]
fn a_dispatcher_is_as_its_model_and_takes_every_row() {
    transitions::check(&dispatcher::TABLE, || lists(LISTS).for_each(|bytes| run_dispatcher(&bytes)));
}

#[test]
fn what_has_come_takes_every_row() {
    transitions::check(&incoming::TABLE, || lists(LISTS / 10).for_each(|bytes| run_dispatcher(&bytes)));
}
