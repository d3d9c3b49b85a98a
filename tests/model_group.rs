//! Every interleaving of a domain's coordinators, three processes with their providers and a subscriber: messages under
//! way, votes, links that break, processes and coordinators that die, a process that is declared dead and is not, and
//! deadlines that pass at any moment. The shipped machines, explored by a model checker, against the properties of
//! spec/group.md section 8.
//!
//! Every action consumes a message, a wish or a budget, so that there are no cycles: whatever must happen "in the end"
//! is asserted where nothing has to happen any more.

mod model;

#[path = "model_group/choices.rs"]
mod choices;
#[path = "model_group/configs.rs"]
mod configs;
#[path = "model_group/configs_lost.rs"]
mod configs_lost;
#[path = "model_group/glue.rs"]
mod glue;
#[path = "model_group/mutants.rs"]
mod mutants;
#[path = "model_group/observe.rs"]
mod observe;
#[path = "model_group/observe_seats.rs"]
mod observe_seats;
#[path = "model_group/rest.rs"]
mod rest;
#[path = "model_group/seats.rs"]
mod seats;
#[path = "model_group/talk.rs"]
mod talk;
#[path = "model_group/tally.rs"]
mod tally;
#[path = "model_group/world.rs"]
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
