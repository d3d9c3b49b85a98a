//! Names that a policy denies.

use super::scripted::{Behaviour, Scripted, in_two_parts};
use super::walk::{Harm, User, client, task, walk};
use handover::deferral::ServerUri;
use handover::deferral::client::{Config, Hosts, Policy};

/// Scheme's strength (0: weak, 1: its strong form, 2: neither), host, whether on this machine, and where.
const NAMES: [(u8, &str, bool, &str); 7] = [
    (1, "a", false, "https://a"),
    (0, "a", false, "http://a:8080"),
    (1, "b", false, "https://b"),
    (0, "b", false, "http://b:8080"),
    (0, "here", true, "http://127.0.0.1:81"),
    (1, "c", false, "https://x.c.example"),
    (2, "a", false, "handover://a:1"),
];

/// 4.4, by another reading of it.
fn allows(policy: &Policy, own: &[usize], from: usize, to: usize) -> bool {
    let ((was, _, near, _), (is, host, local, _)) = (NAMES[from], NAMES[to]);
    let weaker = !(is == was || (was == 0 && is == 1));
    if (weaker && !policy.weaker) || (local && !near && !policy.local) {
        return false;
    }
    let listed = match &policy.hosts {
        Hosts::Any => true,
        Hosts::Listed(_) => host == "c",
        _ => false,
    };
    listed || own.iter().any(|own| NAMES[*own].1 == host)
}

fn policies() -> Vec<Policy> {
    let hosts = [Hosts::Known, Hosts::Listed(vec![".c.example".into()]), Hosts::Any];
    let each = hosts.into_iter().flat_map(|hosts| [0, 1, 2, 3].map(|bits| (hosts.clone(), bits)));
    let policy = |(hosts, bits)| {
        let mut policy = Policy::default();
        (policy.hosts, policy.weaker, policy.local) = (hosts, bits & 1 != 0, bits & 2 != 0);
        policy
    };
    each.map(policy).collect()
}

fn check(chosen: [usize; 3], own: usize, policy: &Policy, behaviours: [Behaviour; 3], counts: &mut [u32; 3]) {
    let names: Vec<ServerUri> = chosen.iter().map(|at| NAMES[*at].3.parse().expect("a name")).collect();
    let mut config = Config::default();
    config.policy = policy.clone();
    let script = behaviours.map(|behaviour| (behaviour, 0b111));
    let begin = task(names[..own].to_vec(), Harm::Plain);
    let tale = walk(client(&config, begin), &names, &mut Scripted::new(script, &names), User::Waits);
    let told = || format!("{names:?} {own} {policy:?} {behaviours:?}: {tale:#?}");
    tale.check(&names, own, 4).unwrap_or_else(|wrong| panic!("{names:?} {own} {policy:?} {behaviours:?}: {wrong}"));
    let owned = &chosen[..own];
    let may = |from: usize, to: usize| allows(policy, owned, chosen[from], chosen[to]);
    for (at, contact) in tale.contacts.iter().enumerate() {
        let to = contact.server;
        // D8: nobody is asked whom no one might name, and nobody else sees what the client is known by.
        let named = tale.contacts[..at].iter().any(|before| before.request.is_some() && may(before.server, to));
        assert!(to < own || named, "{}", told());
        if let Some(request) = &contact.request {
            let origin = owned.iter().any(|own| names[to].same_origin(&NAMES[*own].3.parse().expect("a name")));
            assert_eq!(!request.credentials.is_empty(), origin, "{}", told());
        }
    }
    if let Some(report) = tale.report() {
        for denied in &report.denied {
            let to = names.iter().position(|name| name == denied).expect("a server of this world");
            assert!(tale.contacts.iter().all(|contact| contact.server != to && !may(contact.server, to)), "{}", told());
        }
        counts[2] += u32::from(!report.denied.is_empty());
    }
    counts[0] += 1;
    counts[1] += u32::try_from(tale.contacts.len()).expect("few");
}

#[test]
fn nobody_is_asked_whom_the_policy_denies() {
    let parts = in_two_parts(|part| {
        let mut counts = [0; 3];
        let choices = (0..7).flat_map(|a| (0..7).flat_map(move |b| (0..7).map(move |c| [a, b, c])));
        let distinct = choices.filter(|[a, b, c]| a != b && b != c && a != c);
        for chosen in distinct.skip(part).step_by(2) {
            for policy in policies() {
                for bits in 0..8 {
                    let behaviour = |at: u32| if bits & 1 << at == 0 { Behaviour::NoService } else { Behaviour::Busy };
                    for own in 1..=2 {
                        check(chosen, own, &policy, [behaviour(0), behaviour(1), behaviour(2)], &mut counts);
                    }
                }
            }
        }
        counts
    });
    let [worlds, contacts, denied] = [0, 1, 2].map(|at| parts[0][at] + parts[1][at]);
    println!("{worlds} worlds with a policy: {contacts} contacts, {denied} reports name one who is denied");
    assert_eq!(worlds, 210 * 12 * 8 * 2);
    assert!(denied > 0);
}
