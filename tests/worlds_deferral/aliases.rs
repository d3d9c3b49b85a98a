//! One server under several names.

use super::scripted::{Behaviour, Ending, Script, Scripted, ending, in_two_parts};
use super::walk::{Harm, User, client, names, task, walk};
use handover::deferral::ServerUri;
use handover::deferral::client::Config;

/// Which server each name leads to.
const HOUSES: [[usize; 3]; 4] = [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1]];

/// What can be come to under some name, and is not hopeless.
fn hope(script: &Script<2>, houses: &[usize; 3]) -> bool {
    let mut reached = vec![0];
    let mut at = 0;
    while let Some(&name) = reached.get(at) {
        at += 1;
        let (behaviour, mask) = script[houses[name]];
        match behaviour {
            Behaviour::Ok | Behaviour::Busy | Behaviour::ContinueOnce | Behaviour::ContinueAlways => return true,
            Behaviour::Dead => {}
            Behaviour::AlwaysBusy | Behaviour::NoService => {
                let named = (0..3).filter(|other| mask & 1 << other != 0);
                named.for_each(|other| {
                    if !reached.contains(&other) {
                        reached.push(other);
                    }
                });
            }
        }
    }
    false
}

fn check(script: Script<2>, houses: &[usize; 3], proved: bool, names: &[ServerUri], counts: &mut [u32; 4]) {
    let begin = task(vec![names[0].clone()], Harm::Plain);
    let mut servers = Scripted::under_names(script, names, houses, proved);
    let tale = walk(client(&Config::default(), begin), names, &mut servers, User::Waits);
    let told = || format!("{script:?} {houses:?} {proved}: {tale:#?}");
    tale.check(names, 1, 4).unwrap_or_else(|wrong| panic!("{script:?} {houses:?} {proved}: {wrong}"));
    if proved {
        // D2, for servers and not only for names.
        let requests: Vec<_> = tale.contacts.iter().filter(|contact| contact.request.is_some()).collect();
        for (at, one) in requests.iter().enumerate() {
            for other in &requests[..at] {
                let same = houses[one.server] == houses[other.server];
                assert!(!same || (one.epoch, one.priority) != (other.epoch, other.priority), "{}", told());
            }
        }
    }
    let ending = ending(&tale);
    assert_eq!(ending == Ending::NoServer, !hope(&script, houses), "{}", told());
    let aliases = tale.report().map_or(0, |report| report.aliases.len());
    assert!(proved || aliases == 0, "{}", told());
    counts[0] += 1;
    counts[1] += u32::from(ending == Ending::Done);
    counts[2] += u32::from(ending == Ending::NoServer);
    counts[3] += u32::from(aliases > 0);
}

#[test]
fn a_server_under_several_names_is_asked_once() {
    let names = names(3);
    let each: Vec<(Behaviour, u8)> =
        Behaviour::ALL.into_iter().flat_map(|behaviour| (0..8).map(move |mask| (behaviour, mask))).collect();
    let parts = in_two_parts(|part| {
        let mut counts = [0; 4];
        for &first in each.iter().skip(part).step_by(2) {
            for &second in &each {
                for houses in &HOUSES {
                    // Where all names lead to one server there is no second.
                    if houses.contains(&1) || second == each[0] {
                        for proved in [true, false] {
                            check([first, second], houses, proved, &names, &mut counts);
                        }
                    }
                }
            }
        }
        counts
    });
    let [worlds, done, errors, aliases] = [0, 1, 2, 3].map(|at| parts[0][at] + parts[1][at]);
    println!("{worlds} worlds of aliases: {done} done, {errors} clean errors, {aliases} reports name an alias");
    assert_eq!(worlds, 2 * (56 + 3 * 56 * 56));
    assert!(done > 0 && errors > 0 && aliases > 0);
}
