//! Every interleaving of sites that talk over channels, up to a budget of what applications want and of what goes
//! wrong: the shipped machines, explored by a model checker, against the properties of spec/repmgr.md section 8.
//!
//! Every action consumes a word or a budget, so that there are no cycles: whatever must happen "in the end" is
//! asserted where nothing can happen any more.

mod model;

#[path = "model_repmgr/adapter.rs"]
mod adapter;
#[path = "model_repmgr/choices.rs"]
mod choices;
#[path = "model_repmgr/configs.rs"]
mod configs;
#[path = "model_repmgr/ghost.rs"]
mod ghost;
#[path = "model_repmgr/glue.rs"]
mod glue;
#[path = "model_repmgr/mutants.rs"]
mod mutants;
#[path = "model_repmgr/of_channels.rs"]
mod of_channels;
#[path = "model_repmgr/of_listeners.rs"]
mod of_listeners;
#[path = "model_repmgr/properties.rs"]
mod properties;
#[path = "model_repmgr/talk.rs"]
mod talk;
#[path = "model_repmgr/words.rs"]
mod words;
#[path = "model_repmgr/world.rs"]
mod world;

use adapter::Seen;
use configs::{Setup, large, small};
use ghost::{PROPERTIES, Reached};
use mutants::MUTANTS;
use talk::Talk;
use world::World;

/// Explores everything that can happen, and returns what was seen.
fn explore(setup: Setup) -> Seen {
    let name = setup.name;
    let model = Talk::new(setup);
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
    Talk,
    small: small,
    all: small,
    line: World::line,
    properties: PROPERTIES,
    name: ghost::name,
    mutants: MUTANTS,
}
