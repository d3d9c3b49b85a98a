//! Every interleaving of a client and up to three servers: messages under way, links that break, servers that crash and
//! come back without a memory, a user who gives up, deadlines that pass at any moment, and other clients' work. The
//! shipped machines, explored by a model checker, against the properties of spec/deferral.md section 8.
//!
//! Every action consumes a message, a job or a budget, so that there are no cycles: whatever must happen "in the end" is
//! asserted where nothing has to happen any more.

mod model;

#[path = "model_deferral/configs.rs"]
mod configs;
#[path = "model_deferral/glue.rs"]
mod glue;
#[path = "model_deferral/mutants.rs"]
mod mutants;
#[path = "model_deferral/observe.rs"]
mod observe;
#[path = "model_deferral/talk.rs"]
mod talk;
#[path = "model_deferral/world.rs"]
mod world;

use configs::{Setup, setups};
use mutants::{MUTANTS, Mutant};
use talk::Talk;
use world::{PROPERTIES, Property, Reached, World, name};

#[test]
fn the_machines_keep_every_property_whatever_happens() {
    let mut models = Vec::new();
    for setup in setups() {
        let (name, model) = (setup.name, Talk::new(setup));
        models.push((model.properties.clone(), model.reached.clone()));
        model::explore(name, model);
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
    for setup in setups().into_iter().filter(|setup| setup.small) {
        model::always_ends(setup.name, &Talk::new(setup.clone()), World::line);
    }
}

#[test]
fn every_mutant_is_caught_by_its_property() {
    let mut missed = Vec::new();
    for &(property, mutant, setup) in MUTANTS {
        let setup = setups().into_iter().find(|known| known.name == setup).expect("a setup");
        match model::refutes(Talk::new(Setup { mutant, ..setup }), name(property)) {
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
