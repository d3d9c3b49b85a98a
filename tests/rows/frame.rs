//! A link over native frames beside its reference model, on fixed lists of operations; together these take every row of
//! the transition table and nothing else.

use crate::lists::lists;
use crate::transitions;
use handover::frame::link;
use handover::testing::frame_machines::run_link;

#[test]
fn a_link_is_as_its_model_and_takes_every_row() {
    transitions::check(&link::TABLE, || lists(10_000).for_each(|bytes| run_link(&bytes)));
}
