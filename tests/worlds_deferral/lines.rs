//! Shipped servers with lines, and work of others before ours.

use super::scripted::in_two_parts;
use super::walk::{Harm, User, client, names, task, walk};
use super::yard::{Site, Yard};
use handover::deferral::client::{Config, Failure, Outcome};
use handover::deferral::message::Alternate;
use handover::deferral::server::{self, Input};
use handover::deferral::{ServerAbilities, ServerUri};
use handover::machine::Machine;
use handover::time::Instant;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    Free,
    /// Its only slot is taken for ten seconds.
    Occupied,
    /// And two wait.
    Crowded,
    Draining,
    Stopped,
    Dead,
}

const LOADS: [Load; 6] = [Load::Free, Load::Occupied, Load::Crowded, Load::Draining, Load::Stopped, Load::Dead];

#[derive(Clone, Copy, Debug)]
struct Place {
    load: Load,
    writes: bool,
    /// A bit for each that it knows.
    alternates: u8,
}

fn places(at: usize) -> Vec<Place> {
    // Nobody, the next one, everybody with itself.
    let masks = [0, 1 << ((at + 1) % 3), 0b111];
    let each = LOADS.into_iter().flat_map(move |load| masks.map(|alternates| (load, alternates)));
    each.flat_map(|(load, alternates)| [true, false].map(|writes| Place { load, writes, alternates })).collect()
}

fn abilities(writes: bool) -> ServerAbilities {
    if writes { ServerAbilities::READ | ServerAbilities::WRITE } else { ServerAbilities::READ }
}

impl Place {
    fn able(self, harm: Harm) -> bool {
        (self.writes || harm == Harm::ReadOnly) && !matches!(self.load, Load::Stopped | Load::Dead)
    }

    fn site(self, world: &[Place; 3], names: &[ServerUri]) -> Site {
        let mut config = server::Config::default();
        config.abilities = abilities(self.writes);
        config.busy_threshold = Duration::from_millis(500);
        for (at, other) in world.iter().enumerate().filter(|(at, _)| self.alternates & 1 << at != 0) {
            config
                .alternates
                .push(Alternate { abilities: abilities(other.writes), ..Alternate::new(names[at].clone()) });
        }
        let mut site = Site::new(config);
        match self.load {
            Load::Occupied => site.occupy(1, Duration::ZERO),
            Load::Crowded => site.occupy(3, Duration::ZERO),
            Load::Draining => site.server.handle(Instant::ZERO, Input::Drain).expect("it serves"),
            Load::Stopped => site.server.handle(Instant::ZERO, Input::Stop { random: 1 }).expect("it serves"),
            Load::Dead => site.up = false,
            Load::Free => {}
        }
        site
    }
}

/// Who can be come to: the first, and whoever is named by one who is come to and defers. A server names those who are
/// fit for the command; it defers if it is not able, is draining, or has no room and somebody else to name.
fn reached(world: &[Place; 3], harm: Harm) -> Vec<usize> {
    let mut reached = vec![0];
    let mut at = 0;
    while let Some(&server) = reached.get(at) {
        at += 1;
        let place = world[server];
        let fit =
            |other: &usize| place.alternates & 1 << other != 0 && (world[*other].writes || harm == Harm::ReadOnly);
        let takes = place.able(harm) && place.load == Load::Free;
        if place.load != Load::Dead && !takes {
            (0..3).filter(fit).for_each(|other| {
                if !reached.contains(&other) {
                    reached.push(other);
                }
            });
        }
    }
    reached
}

fn world(world: [Place; 3], names: &[ServerUri], harm: Harm, deadline: Option<Duration>) -> bool {
    let sites = world.iter().map(|place| place.site(&world, names)).collect();
    let mut yard = Yard::new(sites, &[]);
    let mut begin = task(vec![names[0].clone()], harm);
    begin.deadline = deadline;
    let tale = walk(client(&Config::default(), begin), names, &mut yard, User::Waits);
    let told = || format!("{world:?} {harm:?} {deadline:?}: {tale:#?}");
    tale.check(names, 1, 4).unwrap_or_else(|wrong| panic!("{world:?} {harm:?}: {wrong}"));
    let reached = reached(&world, harm);
    let patient = deadline.is_none();
    let serves = |server: &&usize| {
        let place = world[**server];
        place.able(harm) && (patient || !matches!(place.load, Load::Occupied | Load::Crowded))
    };
    let served = reached.iter().any(|server| serves(&server));
    match tale.outcome() {
        Outcome::Done { server, .. } => {
            assert!(served, "{}", told());
            let at = names.iter().position(|name| name == server).expect("a server of this world");
            assert_eq!((yard.executed(), yard.sites[at].executed.len()), (1, 1), "{}", told());
        }
        Outcome::Failed(Failure::NoServer, report) => {
            assert!(!served && yard.executed() == 0, "{}", told());
            // Who is able never defers one who has been round the block (D4).
            assert!(report.violators.is_empty() && report.busy.is_empty(), "{}", told());
        }
        _ => panic!("{}", told()),
    }
    served
}

#[test]
fn every_load_of_three_servers() {
    let names = names(3);
    let counts = in_two_parts(|part| {
        let (mut worlds, mut done) = (0, 0);
        for (at, first) in places(0).into_iter().enumerate() {
            if at % 2 != part {
                continue;
            }
            for second in places(1) {
                for third in places(2) {
                    for harm in [Harm::Plain, Harm::ReadOnly] {
                        for deadline in [None, Some(Duration::from_millis(500))] {
                            worlds += 1;
                            done += u32::from(world([first, second, third], &names, harm, deadline));
                        }
                    }
                }
            }
        }
        (worlds, done)
    });
    let (worlds, done) = (counts[0].0 + counts[1].0, counts[0].1 + counts[1].1);
    println!("{worlds} worlds of shipped servers, {done} done, {} clean errors", worlds - done);
    assert_eq!(worlds, 186_624);
    assert!(done > 0 && done < worlds);
}
