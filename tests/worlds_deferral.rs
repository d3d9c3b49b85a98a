//! Every world of a few servers, within small bounds: the shipped client walks through each, past servers that follow a
//! script, past shipped servers with lines and work of others, over links that are lost, past names that a policy
//! denies, past one server under several names, and past liars. No walk is endless and none ends wrongly, by the
//! properties of spec/deferral.md section 8.

#[path = "worlds_deferral/aliases.rs"]
mod aliases;
#[path = "worlds_deferral/liars.rs"]
mod liars;
#[path = "worlds_deferral/lines.rs"]
mod lines;
#[path = "worlds_deferral/lost.rs"]
mod lost;
#[path = "worlds_deferral/policies.rs"]
mod policies;
#[path = "worlds_deferral/reference.rs"]
mod reference;
#[path = "worlds_deferral/regressions.rs"]
mod regressions;
#[path = "worlds_deferral/scripted.rs"]
mod scripted;
#[path = "worlds_deferral/walk.rs"]
mod walk;
#[path = "worlds_deferral/yard.rs"]
mod yard;

use handover::deferral::client::{Config, Report};
use handover::deferral::{DeferKind, ServerUri};
use reference::Order;
use scripted::{Behaviour, Ending, Figures, Script, ending, every_world, in_two_parts, reachable, run, three};
use walk::Tale;

fn sum(parts: [Figures; 2]) -> Figures {
    let [mut all, other] = parts;
    all.add(&other);
    all
}

/// What the report must say, by what has happened.
fn check_report(script: &Script<3>, names: &[ServerUri], tale: &Tale) {
    let Some(Report { declined, dead, violators, aliases, denied, busy, untried, ignored }) = tale.report() else {
        return;
    };
    let last = tale.contacts.last().expect("somebody was asked");
    let of = |list: &[ServerUri], of: &[Behaviour]| {
        list.iter().all(|uri| names.iter().position(|name| name == uri).is_some_and(|at| of.contains(&script[at].0)))
    };
    assert!(of(declined, &[Behaviour::NoService]), "{script:?}: {tale:#?}");
    assert!(of(dead, &[Behaviour::Dead]), "{script:?}: {tale:#?}");
    assert!(of(violators, &[Behaviour::AlwaysBusy]), "{script:?}: {tale:#?}");
    assert!(aliases.is_empty() && denied.is_empty() && *ignored == 0, "{script:?}: {tale:#?}");
    match ending(tale) {
        // Whoever was busy has been asked again.
        Ending::NoServer => assert!(busy.is_empty() && untried.is_empty(), "{script:?}: {tale:#?}"),
        _ => {
            let continues = tale.deferred.last() == Some(&(last.server, 4, last.priority, DeferKind::CONTINUE));
            assert!(continues, "{script:?}: {tale:#?}");
        }
    }
}

#[test]
fn every_world_of_three_servers() {
    let names = three();
    let config = Config::default();
    let shipped = sum(in_two_parts(|part| {
        let mut figures = Figures::default();
        every_world(part, |script| {
            let tale = run(&config, &names, script);
            tale.check(&names, 1, 4).unwrap_or_else(|wrong| panic!("{script:?}: {wrong}"));
            check_report(&script, &names, &tale);
            let (ending, path) = (ending(&tale), tale.path());
            // Exactly if nobody who can be come to carries it out, or carries out a part of it.
            let reached = reachable(&script);
            let hopeless = [Behaviour::Dead, Behaviour::AlwaysBusy, Behaviour::NoService];
            let none = reached.into_iter().all(|server| hopeless.contains(&script[server].0));
            assert_eq!(ending == Ending::NoServer, none, "{script:?}: {tale:#?}");
            // The same walk, step by step, as a second description of it.
            assert_eq!(reference::walk(&script, Order::SHIPPED), (ending, path.clone()), "{script:?}");
            figures.count(&script, ending, &path);
        });
        figures
    }));
    let again = |order: Order| {
        sum(in_two_parts(|part| {
            let mut figures = Figures::default();
            every_world(part, |script| {
                let (ending, path) = reference::walk(&script, order);
                figures.count(&script, ending, &path);
            });
            figures
        }))
    };
    let first = again(Order::FIRST);
    let untried = again(Order { untried_first: true, ..Order::SHIPPED });
    let listed = again(Order { continuing_last: false, ..Order::SHIPPED });
    let once = again(Order { once_is_first: true, ..Order::SHIPPED });
    println!("shipped: {shipped:?}");
    println!("the order of the design's first exploration: {first:?}");
    println!("shipped, but who was not asked comes before who is named: {untried:?}");
    println!("shipped, but who continues comes where its own list says: {listed:?}");
    println!("shipped, but who continues once does so with the first command: {once:?}");
    let expected = Figures {
        worlds: 175_616,
        done: 99_968,
        errors: 48_640,
        limit: 27_008,
        endless: 0,
        errors_though_able: 0,
        limit_though_able: 7_552,
        most: 15,
        same: 1,
    };
    assert_eq!(shipped, expected);
    assert_eq!(first, Figures { done: 100_320, limit: 26_656, limit_though_able: 7_200, ..expected });
}
