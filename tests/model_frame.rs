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

#[test]
fn two_ends_keep_every_property_whatever_happens() {
    let mut models = Vec::new();
    for setup in setups() {
        let model = Pair::new(setup);
        models.push((model.properties.clone(), model.reached.clone()));
        model::explore(setup.name, model);
    }
    for &(property, text) in PROPERTIES {
        assert!(models.iter().any(|seen| seen.0.has(property as u32)), "never put to the test: {text}");
    }
    for &what in Reached::ALL {
        assert!(models.iter().any(|seen| seen.1.has(what as u32)), "never reached: {what:?}");
    }
}

model::mutant_tests! {
    Pair,
    small: setups,
    all: setups,
    line: World::line,
    properties: PROPERTIES,
    name: name,
    mutants: MUTANTS,
}
