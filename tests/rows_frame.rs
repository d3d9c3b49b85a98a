//! A link over native frames beside its reference model, on fixed lists of operations; together these take every row of
//! the transition table and nothing else.

mod lists;
mod rows;

use handover::frame::link;
use handover::testing::frame_machines::run_link;
use lists::lists;

#[test]
fn a_link_is_as_its_model_and_takes_every_row() {
    rows::check(&link::TABLE, || lists(10_000).for_each(|bytes| run_link(&bytes)));
}
