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
use mutants::MUTANTS;
use talk::Talk;
use world::{PROPERTIES, Reached, World, name};

fn small() -> Vec<Setup> {
    setups().into_iter().filter(|setup| setup.small).collect()
}

model::mutant_tests! {
    Talk,
    small: small,
    all: setups,
    line: World::line,
    properties: PROPERTIES,
    name: name,
    mutants: MUTANTS,
    reached: Reached::ALL,
}
