//! Every interleaving of a source, a target and a client, up to a budget of things that go wrong: the shipped
//! machines, explored by a model checker, against the properties of spec/spice.md section 8.
//!
//! Every action consumes a message or a budget, so that there are no cycles: whatever must happen "in the
//! end" is asserted where nothing can happen any more.

#[path = "model_spice/adapter.rs"]
mod adapter;
#[path = "model_spice/choices.rs"]
mod choices;
#[path = "model_spice/configs.rs"]
mod configs;
#[path = "model_spice/ghost.rs"]
mod ghost;
#[path = "model_spice/model.rs"]
mod model;
#[path = "model_spice/mutants.rs"]
mod mutants;
#[path = "model_spice/properties.rs"]
mod properties;
#[path = "model_spice/words.rs"]
mod words;
#[path = "model_spice/world.rs"]
mod world;

use adapter::Seen;
use choices::Action;
use configs::{Setup, large, small};
use ghost::{PROPERTIES, Property};
use handover::spice::client::Scheme;
use model::Migration;
use mutants::MUTANTS;
use stateright::{Checker, HasDiscoveries, Model, Path};
use std::collections::HashMap;
use std::time::Instant;
use world::World;

/// What a refutation looks like, step by step.
fn tell(model: &Migration, path: Path<World, Action>) -> String {
    let steps = path.into_vec().into_iter();
    steps.filter_map(|(world, action)| Some(model.tell(&world, action?))).collect()
}

/// Explores everything that can happen, tells how much that was, and returns what was seen of the properties.
fn explore(setup: Setup) -> Seen {
    let (name, start) = (setup.name, Instant::now());
    let checker = Migration::new(setup).checker().spawn_bfs().join();
    let found = checker.discoveries();
    let (states, steps, depth) = (checker.unique_state_count(), checker.state_count(), checker.max_depth());
    println!("{name}: {states} states, {steps} steps, depth {depth}, {:.1} s", start.elapsed().as_secs_f32());
    let told = found.into_iter().map(|(property, path)| format!("{property}:\n{}", tell(checker.model(), path)));
    let told: Vec<String> = told.collect();
    assert!(told.is_empty(), "{name} refutes\n{}", told.concat());
    // No limit was set: the checker is done because nothing is left.
    assert!(checker.is_done());
    checker.model().seen.clone()
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

#[test]
fn the_small_configurations_refute_nothing_without_a_mutant() {
    small().into_iter().for_each(|setup| drop(explore(setup)));
}

/// What must happen in the end is asserted where nothing can happen any more, which proves something only if
/// every run comes there.
#[test]
fn no_run_goes_round_in_circles() {
    for setup in small() {
        let model = Migration::new(setup);
        // Worlds that were entered, and whether all that follows from them is known.
        let mut worlds = HashMap::new();
        let mut stack: Vec<(World, bool)> = model.init_states().into_iter().map(|world| (world, false)).collect();
        while let Some((world, left)) = stack.pop() {
            if left {
                worlds.insert(world, true);
                continue;
            }
            match worlds.get(&world) {
                Some(done) => assert!(done, "{}: a circle through\n{}", model.setup.name, world.line()),
                None => {
                    worlds.insert(world.clone(), false);
                    let next = model.next_states(&world);
                    stack.push((world, true));
                    stack.extend(next.into_iter().map(|world| (world, false)));
                }
            }
        }
    }
}

#[test]
fn every_mutant_is_caught_by_its_property() {
    let mut missed = Vec::new();
    for &(property, mutant, name) in MUTANTS {
        let setup = small().into_iter().find(|setup| setup.name == name).expect("a small configuration");
        let named = ghost::name(property);
        let model = Migration::new(Setup { mutant, ..setup });
        let until = HasDiscoveries::AnyOf([named].into());
        let checker = model.checker().finish_when(until).spawn_bfs().join();
        match checker.discovery(named) {
            Some(path) => println!("{named} catches {mutant:?} ({name}) in {} steps", path.into_actions().len()),
            None => missed.push((named, mutant, name)),
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn every_property_has_a_mutant() {
    let without = |property: &&(Property, &str)| !MUTANTS.iter().any(|(judge, ..)| *judge == property.0);
    assert_eq!(PROPERTIES.iter().find(without), None);
}
