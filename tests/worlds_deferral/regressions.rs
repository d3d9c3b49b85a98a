//! Worlds by name: those in which the design, taken literally, went wrong, and those that every user meets.

use super::scripted::{Behaviour, Ending, Scripted, ending, run};
use super::walk::{Harm, User, client, names, task, walk};
use super::yard::{Site, Yard};
use handover::deferral::client::{Config, Failure, Outcome};
use handover::deferral::message::Alternate;
use handover::deferral::{DeferKind, ServerAbilities, server};
use std::time::Duration;

/// Of one server, or of several, each with whom it names.
fn ends<const N: usize>(script: [(Behaviour, u8); N], contacts: &[(usize, u16, bool)]) -> Ending {
    let names = names(N);
    let tale = run(&Config::default(), &names, script);
    tale.check(&names, 1, 4).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(tale.path(), contacts);
    ending(&tale)
}

#[test]
fn who_declines_and_names_itself_is_asked_once() {
    assert_eq!(ends([(Behaviour::NoService, 0b1)], &[(0, 0, false)]), Ending::NoServer);
}

#[test]
fn two_who_decline_and_name_each_other_are_asked_once_each() {
    let script = [(Behaviour::NoService, 0b10), (Behaviour::NoService, 0b01)];
    assert_eq!(ends(script, &[(0, 0, false), (1, 0, false)]), Ending::NoServer);
}

#[test]
fn one_server_that_continues_and_names_nobody_carries_out_both() {
    assert_eq!(ends([(Behaviour::ContinueOnce, 0)], &[(0, 0, false), (0, 1, false)]), Ending::Done);
}

#[test]
fn one_server_that_always_continues_comes_to_the_limit() {
    let contacts = [(0, 0, false), (0, 1, false), (0, 2, false), (0, 3, false), (0, 4, false)];
    assert_eq!(ends([(Behaviour::ContinueAlways, 1)], &contacts), Ending::Limit);
}

#[test]
fn a_lone_busy_server_serves_who_has_been_round_the_block() {
    assert_eq!(ends([(Behaviour::Busy, 0)], &[(0, 0, false), (0, 0, true)]), Ending::Done);
    // And names itself.
    assert_eq!(ends([(Behaviour::Busy, 1)], &[(0, 0, false), (0, 0, true)]), Ending::Done);
}

#[test]
fn a_chain_of_three_goes_where_it_is_sent() {
    // The first continues twice: there and back again.
    let names = names(3);
    let script = [(Behaviour::ContinueOnce, 0b110), (Behaviour::ContinueOnce, 0b001), (Behaviour::Busy, 0b001)];
    let tale = run(&Config::default(), &names, script);
    tale.check(&names, 1, 4).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(tale.path(), [(0, 0, false), (1, 1, false), (0, 2, false)]);
    assert_eq!((ending(&tale), tale.continued), (Ending::Done, 2));
}

#[test]
fn all_are_dead() {
    let names = names(3);
    let begin = || task(names.clone(), Harm::Plain);
    let script = [(Behaviour::Dead, 0); 3];
    let tale = walk(client(&Config::default(), begin()), &names, &mut Scripted::new(script, &names), User::Waits);
    tale.check(&names, 3, 4).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(matches!(tale.outcome(), Outcome::Failed(Failure::NoServer, report) if report.dead == names));
    assert_eq!((tale.contacts.len(), tale.asked), (3, 0));
}

#[test]
fn all_decline() {
    let names = names(3);
    let script = [(Behaviour::NoService, 0b111); 3];
    let tale = run(&Config::default(), &names, script);
    tale.check(&names, 1, 4).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(matches!(tale.outcome(), Outcome::Failed(Failure::NoServer, report) if report.declined == names));
    // Nobody is busy: there is nothing to wait for.
    assert_eq!((tale.contacts.len(), tale.asked), (3, 0));
}

#[test]
fn who_does_not_want_to_wait_leaves() {
    let names = names(1);
    let client = client(&Config::default(), task(names.clone(), Harm::Plain));
    let tale = walk(client, &names, &mut Scripted::new([(Behaviour::Busy, 0)], &names), User::Leaves);
    assert_eq!((tale.outcome(), tale.contacts.len()), (&Outcome::Cancelled { carried_out: 0 }, 1));
}

/// A lone site: whatever its load, and however long the chain, the command is carried out, each part once (D14).
#[test]
fn a_site_of_one_server() {
    let names = names(1);
    for (load, continues, harm, alone) in (0..4).flat_map(|load| {
        let chains = (0..=4).flat_map(move |continues| Harm::ALL.map(|harm| (load, continues, harm)));
        chains.flat_map(|(load, continues, harm)| [true, false].map(|alone| (load, continues, harm, alone)))
    }) {
        let mut config = server::Config::default();
        config.busy_threshold = Duration::ZERO;
        if !alone {
            config.alternates = vec![Alternate::new(names[0].clone())];
        }
        let mut site = Site::new(config);
        site.occupy(load, Duration::ZERO);
        site.continues = continues + u32::from(load);
        let mut yard = Yard::new(vec![site], &[]);
        let tale = walk(client(&Config::default(), task(names.clone(), harm)), &names, &mut yard, User::Waits);
        tale.check(&names, 1, 4).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(matches!(tale.outcome(), Outcome::Done { complete: true, .. }), "{load} {continues}: {tale:#?}");
        let executed: Vec<u16> = yard.sites[0].executed.iter().map(|key| key.epoch).collect();
        let chain = tale.continued;
        assert_eq!(executed, (0..=chain).collect::<Vec<_>>(), "{load} {continues} {harm:?}");
        assert!(u32::from(chain) <= continues + u32::from(load));
        let busy = tale.deferred.iter().filter(|(.., kind)| *kind == DeferKind::BUSY).count();
        assert_eq!(busy > 0, load > 0 && !alone, "{load} {continues} {harm:?} {alone}");
    }
}

/// A short command that changes something, then a long one, then one that changes something again, where one server
/// writes and two only read. Whoever the client begins with, all of it is carried out.
///
/// A change, then something long that changes nothing, then a change again: the readers have the middle of it.
#[test]
fn a_chain_over_one_writer_and_two_readers() {
    let names = names(3);
    let abilities = [ServerAbilities::READ | ServerAbilities::WRITE, ServerAbilities::READ, ServerAbilities::READ];
    let sites = (0..3).map(|at| {
        let mut config = server::Config::default();
        config.abilities = abilities[at];
        config.alternates = names
            .iter()
            .zip(abilities)
            .map(|(uri, abilities)| Alternate { abilities, ..Alternate::new(uri.clone()) })
            .collect();
        let mut site = Site::new(config);
        site.next_read_only = at == 0;
        site
    });
    let mut yard = Yard::new(sites.collect(), &[]);
    for first in 0..3 {
        yard.sites.iter_mut().for_each(|site| site.continues = 1);
        let mut begin = task(vec![names[first].clone()], Harm::Plain);
        begin.id.0[0] = u8::try_from(first).expect("small");
        let tale = walk(client(&Config::default(), begin), &names, &mut yard, User::Waits);
        tale.check(&names, 1, 4).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(matches!(tale.outcome(), Outcome::Done { .. }), "{tale:#?}");
        assert_eq!(tale.continued, 2);
    }
    let executed: Vec<usize> = yard.sites.iter().map(|site| site.executed.len()).collect();
    assert_eq!((executed[0], executed[1] + executed[2]), (6, 3));
}
