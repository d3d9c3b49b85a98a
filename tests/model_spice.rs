//! Every interleaving of a source, a target and a client, up to a budget of things that go wrong: the shipped
//! machines, explored by a model checker, against the properties of spec/spice.md section 8.
//!
//! Every action consumes a message or a budget, so that there are no cycles: whatever must happen "in the
//! end" is asserted where nothing can happen any more.

mod model;

#[path = "model_spice/adapter.rs"]
mod adapter;
#[path = "model_spice/choices.rs"]
mod choices;
#[path = "model_spice/configs.rs"]
mod configs;
#[path = "model_spice/ghost.rs"]
mod ghost;
#[path = "model_spice/migration.rs"]
mod migration;
#[path = "model_spice/mutants.rs"]
mod mutants;
#[path = "model_spice/properties.rs"]
mod properties;
#[path = "model_spice/words.rs"]
mod words;
#[path = "model_spice/world.rs"]
mod world;

use adapter::Seen;
use configs::{Setup, large, small};
use ghost::PROPERTIES;
use handover::spice::client::Scheme;
use migration::Migration;
use mutants::MUTANTS;
use world::World;

/// Explores everything that can happen, and returns what was seen of the properties.
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
        assert!(seen.iter().any(|seen| seen.has(property)), "never put to the test: {text}");
    }
    for scheme in [Scheme::SwitchHost, Scheme::SemiSeamless, Scheme::Seamless] {
        assert!(seen.iter().any(|seen| seen.has_scheme(scheme)), "no client has arrived by {scheme:?}");
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
