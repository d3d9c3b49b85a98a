//! Every interleaving of two ends of a native link, hellos crossing, closed or broken at any moment and with deadlines
//! that pass at any moment: the shipped machine, explored by a model checker, against the properties of spec/frame.md
//! section 8.
//!
//! Every action consumes a word, a deadline or a budget, so that there are no cycles: whatever must happen "in the end"
//! is asserted where nothing has to happen any more.

mod model;

#[path = "model_frame/mutants.rs"]
mod mutants;
#[path = "model_frame/pair.rs"]
mod pair;
#[path = "model_frame/world.rs"]
mod world;

use mutants::MUTANTS;
use pair::{Pair, Setup, setups};
use world::{PROPERTIES, Reached, World, name};

model::mutant_tests! {
    Pair,
    small: setups,
    all: setups,
    line: World::line,
    properties: PROPERTIES,
    name: name,
    mutants: MUTANTS,
    reached: Reached::ALL,
}
