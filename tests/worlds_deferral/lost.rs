//! Links that are lost, and servers that crash, before and after a command is carried out.

use super::scripted::in_two_parts;
use super::walk::{Harm, Tale, User, client, names, task, walk};
use super::yard::{Cut, Site, Yard};
use handover::deferral::ServerUri;
use handover::deferral::client::{Config, Failure, Outcome};
use handover::deferral::message::Alternate;
use handover::deferral::server::{self, Input};
use handover::machine::Machine;
use handover::time::Instant;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Free,
    Occupied,
    Unable,
}

const PLACES: [Place; 3] = [Place::Free, Place::Occupied, Place::Unable];

#[derive(Clone, Debug)]
struct World {
    places: [Place; 3],
    cuts: [Cut; 4],
    memory: bool,
    half_open: bool,
    harm: Harm,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    worlds: u32,
    done: u32,
    failed: u32,
    indeterminate: u32,
    replayed: u32,
}

/// How it goes, and how often the command was carried out; the client begins with `known` servers.
fn run(world: &World, names: &[ServerUri], known: usize) -> (Tale, usize) {
    let sites = world.places.iter().map(|place| {
        let mut config = server::Config::default();
        config.busy_threshold = Duration::ZERO;
        config.alternates = names.iter().cloned().map(Alternate::new).collect();
        let mut site = Site::new(config);
        match place {
            Place::Free => {}
            Place::Occupied => site.occupy(1, Duration::ZERO),
            Place::Unable => site.server.handle(Instant::ZERO, Input::Stop { random: 1 }).expect("it serves"),
        }
        site
    });
    let mut yard = Yard::new(sites.collect(), &world.cuts);
    (yard.memory, yard.half_open) = (world.memory, world.half_open);
    let begin = task(names[..known].to_vec(), world.harm);
    let tale = walk(client(&Config::default(), begin), names, &mut yard, User::Waits);
    let executed = yard.executed();
    (tale, executed)
}

/// Whether somebody has the command and nobody has said how it ended, by what the client has seen.
fn in_doubt(tale: &Tale) -> bool {
    let asked = tale.contacts.iter().enumerate().filter(|(_, contact)| contact.request.is_some());
    let mut lost = asked.filter(|(_, contact)| !contact.settled);
    // Unless the same server, whose memory is the same, was asked again.
    lost.any(|(at, contact)| {
        let told = |next: &&super::walk::Contact| next.server == contact.server && next.again() && next.settled;
        tale.contacts[at + 1..].iter().find(told).is_none()
    })
}

fn check(world: &World, names: &[ServerUri], counts: &mut Counts) {
    let (tale, executed) = run(world, names, 1);
    let told = || format!("{world:?}, carried out {executed} times: {tale:#?}");
    tale.check(names, 1, 4).unwrap_or_else(|wrong| panic!("{world:?}: {wrong}"));
    assert!(world.harm != Harm::Plain || executed <= 1, "D6: {}", told());
    counts.worlds += 1;
    let doubt = in_doubt(&tale);
    match tale.outcome() {
        Outcome::Done { complete, .. } => {
            assert!(executed > 0, "{}", told());
            // Done although something was lost: it does no harm, or the one who had it has said it again.
            assert!(world.harm != Harm::Plain || !doubt, "{}", told());
            let again = tale.contacts.last().is_some_and(|contact| contact.again());
            assert_eq!(*complete, !again, "{}", told());
            counts.done += 1;
            counts.replayed += u32::from(again);
        }
        Outcome::Failed(_, report) => {
            assert!(world.harm == Harm::ReadOnly || (executed == 0 && !doubt), "{}", told());
            assert!(report.busy.is_empty(), "{}", told());
            counts.failed += 1;
        }
        Outcome::Indeterminate { server, .. } => {
            assert!(doubt && world.harm != Harm::ReadOnly, "{}", told());
            let at = names.iter().position(|name| name == server);
            let has_it = |contact: &super::walk::Contact| Some(contact.server) == at && contact.request.is_some();
            assert!(tale.contacts.iter().any(has_it), "{}", told());
            // Nothing else is true: it had no memory, or was asked again and lost again, or was not the same any more.
            if world.harm == Harm::Plain && world.memory {
                let dialled = tale.contacts.iter().filter(|contact| Some(contact.server) == at).count();
                assert!(dialled > 1, "{}", told());
            }
            counts.indeterminate += 1;
        }
        _ => panic!("{}", told()),
    }
}

#[test]
fn what_may_have_been_carried_out_is_never_carried_out_again() {
    let names = names(3);
    let parts = in_two_parts(|part| {
        let mut counts = Counts::default();
        let mut at = 0;
        for first in Cut::ALL {
            for second in Cut::ALL {
                for third in Cut::ALL {
                    at += 1;
                    if at % 2 != part {
                        continue;
                    }
                    let two = PLACES.into_iter().flat_map(|first| PLACES.map(|second| (first, second)));
                    for (one, other) in two {
                        for last in [Place::Free, Place::Unable] {
                            for harm in Harm::ALL {
                                for (memory, half_open) in [(true, false), (true, true), (false, false), (false, true)]
                                {
                                    let places = [one, other, last];
                                    let cuts = [first, second, third, Cut::None];
                                    check(&World { places, cuts, memory, half_open, harm }, &names, &mut counts);
                                }
                            }
                        }
                    }
                }
            }
        }
        counts
    });
    let of = |count: fn(&Counts) -> u32| parts.iter().map(count).sum::<u32>();
    let (worlds, done, failed) = (of(|one| one.worlds), of(|one| one.done), of(|one| one.failed));
    let (doubt, replayed) = (of(|one| one.indeterminate), of(|one| one.replayed));
    println!(
        "{worlds} worlds of lost links: {done} done ({replayed} said again), {failed} clean errors, {doubt} in doubt"
    );
    assert_eq!(worlds, 729 * 18 * 3 * 4);
    assert!(done > 0 && replayed > 0 && failed > 0 && doubt > 0);
}

/// It may be sent to the next one; but that one declines, and nobody knows what the first has done.
#[test]
fn a_command_that_may_be_repeated_and_was_lost_has_not_failed() {
    let world = World {
        places: [Place::Free, Place::Unable, Place::Unable],
        cuts: [Cut::LastAnswer, Cut::None, Cut::None, Cut::None],
        memory: true,
        half_open: false,
        harm: Harm::Idempotent,
    };
    let names = names(3);
    let (tale, executed) = run(&world, &names, 2);
    // The second names the third.
    assert_eq!((executed, tale.path()), (1, vec![(0, 0, false), (1, 0, false), (2, 0, false)]));
    assert!(matches!(tale.outcome(), Outcome::Indeterminate { server, .. } if *server == names[0]), "{tale:#?}");
    // Whoever changes nothing has only not been served.
    let (tale, executed) = run(&World { harm: Harm::ReadOnly, ..world }, &names, 2);
    assert!(executed == 1 && matches!(tale.outcome(), Outcome::Failed(Failure::NoServer, _)), "{tale:#?}");
}
