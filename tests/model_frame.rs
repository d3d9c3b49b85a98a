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

use mutants::{MUTANTS, Mutant};
use pair::{Pair, Setup, setups};
use world::{PROPERTIES, Property, Reached, World, name};

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

#[test]
fn no_run_goes_round_in_circles() {
    setups().into_iter().for_each(|setup| model::always_ends(setup.name, &Pair::new(setup), World::line));
}

#[test]
fn every_mutant_is_caught_by_its_property() {
    let mut missed = Vec::new();
    for &(property, mutant, setup) in MUTANTS {
        let setup = setups().into_iter().find(|known| known.name == setup).expect("a setup");
        match model::refutes(Pair::new(Setup { mutant, ..setup }), name(property)) {
            Some(steps) => println!("{} catches {mutant:?} in {steps} steps", name(property)),
            None => missed.push((name(property), mutant)),
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn every_property_has_a_mutant() {
    let without = |property: &&(Property, &str)| !MUTANTS.iter().any(|(judge, ..)| *judge == property.0);
    assert_eq!(PROPERTIES.iter().find(without), None);
    assert!(MUTANTS.iter().all(|(_, mutant, _)| *mutant != Mutant::None));
}
