//! Groups of up to a thousand processes that vote in three phases, while some die and their coordinator does: the shipped
//! machines, on a clock that only events move. Whoever is left knows the same after each protocol.

#[path = "crowd_group/world.rs"]
mod world;

use handover::group::coordinator::Durability;
use std::time::Duration;
use world::{Setup, World};

const QUIET: Setup =
    Setup { processes: 10, rounds: 20, phases: 3, durability: Durability::Survivors, deaths: 0, crashes: 0, seed: 1 };

/// Messages for each protocol within 4 n for each phase, and what that costs for each member.
#[test]
fn a_protocol_costs_what_its_members_do() {
    for processes in [10_usize, 100, 1000] {
        let (figures, time) = World::new(Setup { processes, ..QUIET }).run();
        let most = figures.most_messages;
        let each = time / u32::try_from(processes).unwrap() / figures.quiet_rounds;
        println!("n {processes}: {most} messages a protocol of 3 phases, coordinator {each:?} a member and protocol");
        assert_eq!((figures.approved, figures.rejected), (QUIET.rounds, 0));
        assert!(most <= 4 * u64::try_from(processes).unwrap() * u64::from(QUIET.phases));
        // As many as there must be: PHASE and VOTE in each phase, an end, and the request.
        assert_eq!(most, u64::try_from(processes).unwrap() * 7 + 1);
    }
}

fn troubled(durability: Durability, processes: usize, rounds: u32, seed: u64) -> (u32, Duration) {
    let setup = Setup { processes, rounds, durability, deaths: 40, crashes: 30, seed, ..QUIET };
    let (figures, time) = World::new(setup).run();
    println!("{durability:?}, n {processes}: {figures:?}");
    assert!(figures.deaths > 0 && figures.crashes > 0, "nothing has happened");
    assert!(figures.survivors < processes);
    (figures.approved, time)
}

#[test]
fn all_survivors_agree() {
    for durability in [Durability::Survivors, Durability::Replicated(1)] {
        let (approved, _) = troubled(durability, 1000, 20, 7);
        assert!(approved > 5);
    }
}

/// The same with other numbers, many times.
#[test]
fn all_survivors_agree_whatever_the_seed() {
    for seed in 0..40 {
        for durability in [Durability::Survivors, Durability::Replicated(1), Durability::Quorum] {
            troubled(durability, 25, 12, seed);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_crowd() {
    let setup = Setup { processes: 30, deaths: 40, crashes: 30, seed: 3, ..QUIET };
    let figures = World::new(setup).run().0;
    assert_eq!(figures, World::new(setup).run().0);
    assert_ne!(figures, World::new(Setup { seed: 4, ..setup }).run().0);
}
