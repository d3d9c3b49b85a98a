//! Groups of up to a thousand processes that vote in three phases, while some die and their coordinator does: the shipped
//! machines, on a clock that only events move. Whoever is left knows the same after each protocol.

#[path = "crowd_group/world.rs"]
mod world;

use handover::group::coordinator::Durability;
use world::{Figures, Setup, World};

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

fn troubled(durability: Durability, processes: usize, rounds: u32, seed: u64) -> Figures {
    World::new(Setup { processes, rounds, durability, deaths: 40, crashes: 30, seed, ..QUIET }).run().0
}

#[test]
fn all_survivors_agree() {
    for durability in [Durability::Survivors, Durability::Replicated(1)] {
        let figures = troubled(durability, 1000, 20, 7);
        println!("{durability:?}, n 1000: {figures:?}");
        assert!(figures.deaths > 3 && figures.crashes > 3 && figures.approved > 10, "nothing has happened");
    }
}

/// The same with other numbers, many times.
#[test]
fn all_survivors_agree_whatever_the_seed() {
    for durability in [Durability::Survivors, Durability::Replicated(1)] {
        let all = (0..60).map(|seed| troubled(durability, 25, 12, seed));
        let (mut deaths, mut crashes, mut approved) = (0, 0, 0);
        for figures in all {
            deaths += figures.deaths;
            crashes += figures.crashes;
            approved += figures.approved;
        }
        println!("{durability:?}: 60 groups, {approved} of 720 approved, {deaths} deaths, {crashes} take-overs");
        assert!(deaths > 200 && crashes > 150 && approved > 600);
    }
}

#[test]
fn the_same_seed_gives_the_same_crowd() {
    let setup = Setup { processes: 30, deaths: 40, crashes: 30, seed: 3, ..QUIET };
    let figures = World::new(setup).run().0;
    assert_eq!(figures, World::new(setup).run().0);
    assert_ne!(figures, World::new(Setup { seed: 4, ..setup }).run().0);
}
