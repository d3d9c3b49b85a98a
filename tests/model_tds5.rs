//! Every interleaving of a client, the server that it leaves and the servers that it goes to, up to a budget of what
//! applications want and of what goes wrong: the shipped machines, explored by a model checker, against the properties
//! of spec/tds5.md section 8.
//!
//! Every action consumes a word or a budget, so that there are no cycles: whatever must happen "in the end" is
//! asserted where nothing can happen any more.

mod model;

#[path = "model_tds5/adapter.rs"]
mod adapter;
#[path = "model_tds5/choices.rs"]
mod choices;
#[path = "model_tds5/configs.rs"]
mod configs;
#[path = "model_tds5/ghost.rs"]
mod ghost;
#[path = "model_tds5/migration.rs"]
mod migration;
#[path = "model_tds5/mutants.rs"]
mod mutants;
#[path = "model_tds5/properties.rs"]
mod properties;
#[path = "model_tds5/words.rs"]
mod words;
#[path = "model_tds5/world.rs"]
mod world;

use adapter::Seen;
use configs::{Setup, large, small};
use ghost::{PROPERTIES, Reached};
use migration::Migration;
use mutants::MUTANTS;
use world::World;

/// Explores everything that can happen, and returns what was seen.
fn explore(setup: Setup) -> Seen {
    let name = setup.name;
    let model = Migration::new(setup);
    let seen = model.seen.clone();
    model::explore(name, model);
    seen
}

#[test]
fn the_machines_keep_every_property_whatever_happens() {
    let seen: Vec<Seen> = large().into_iter().map(explore).collect();
    for &(property, text) in PROPERTIES {
        assert!(seen.iter().any(|seen| seen.properties.has(property as u32)), "never put to the test: {text}");
    }
    for &what in Reached::ALL {
        assert!(seen.iter().any(|seen| seen.reached.has(what as u32)), "never reached: {what:?}");
    }
}

model::mutant_tests! {
    Migration,
    small: small,
    all: small,
    line: World::line,
    properties: PROPERTIES,
    name: ghost::name,
    mutants: MUTANTS,
}
