//! A crowd: a hundred thousand clients and a hundred servers, all of them the shipped machines, on a clock that only
//! events move. More is wanted for a minute than all servers together can do; then what waits is done.

#[path = "crowd_deferral/chance.rs"]
mod chance;
#[path = "crowd_deferral/crowd.rs"]
mod crowd;
#[path = "crowd_deferral/network.rs"]
mod network;

use chance::{bound, statistic};
use crowd::{Crowd, Figures, Setup};
use handover::deferral::message::{Alternate, Command, CommandName, Message, Request, RequestKey};
use handover::deferral::server::{Config, Input, Output, Server};
use handover::deferral::{DeferKind, RequestFlags, RequestId, ServerUri};
use handover::machine::{LinkId, Machine};
use handover::testing::Rng;
use handover::time::Instant;
use std::time::Duration;

#[test]
fn a_crowd_is_served() {
    let start = std::time::Instant::now();
    let setup = Setup { clients: 100_000, servers: 100, slots: 4, arrivals: Duration::from_secs(60), seed: 1 };
    let figures = Crowd::new(setup).run();
    let Figures { served, priority, contacts, refused_priority, begun_twice, lost, first, .. } = &figures;
    let all: u64 = contacts.iter().map(|contacts| u64::from(*contacts)).sum();
    let at = |share: usize| contacts[(contacts.len() - 1) * share / 1000];
    let n: u64 = first.iter().sum();
    let statistic = statistic(first);
    println!(
        "{served} of {} served, {priority} of them with priority; {all} contacts: mean {:.2} for each, median {}, p99 {}, \
         most {}; busiest server {} contacts in a second; last one served after {:.1} s of fake time, longest wait in \
         line {:.1} s",
        setup.clients,
        all as f64 / *served as f64,
        at(500),
        at(990),
        at(1000),
        figures.busiest,
        figures.over.as_secs_f64(),
        figures.longest.as_secs_f64(),
    );
    println!("first alternates: n {n}, chi-square {statistic:.2}, bound {:.2}: {first:?}", bound(first.len() - 1));
    println!("{} events in {:.1} s", figures.events, start.elapsed().as_secs_f64());
    assert_eq!((*served, *lost, *begun_twice), (setup.clients, 0, 0));
    // The load is above what they can do, or nothing of this would be shown.
    assert!(figures.over > setup.arrivals + Duration::from_secs(5) && *priority > setup.clients / 20);
    assert_eq!(*refused_priority, 0);
    // What is too much waits, and not much longer than if every server had the same share of it: nobody is flooded, who
    // is taken out of service for a while least of all.
    let capacity = setup.servers as f64 * setup.slots as f64 / 0.3;
    let share = setup.clients as f64 / capacity - setup.arrivals.as_secs_f64();
    assert!(figures.longest.as_secs_f64() < 2.0 * (share + 2.0), "{:?}", figures.longest);
    // A client knows 16 servers at most and asks each once; then the first one that it asks with priority takes it.
    assert!(at(1000) <= 16 + 1);
    // Who waits does so in one line and asks nobody: where nobody comes, nobody asks.
    assert_eq!(figures.late_contacts, 0);
    assert!(statistic < bound(first.len() - 1));
}

#[test]
fn the_same_seed_gives_the_same_crowd() {
    let setup = Setup { clients: 2_000, servers: 10, slots: 2, arrivals: Duration::from_secs(20), seed: 2 };
    let figures = Crowd::new(setup).run();
    assert_eq!(figures, Crowd::new(setup).run());
    assert_ne!(figures, Crowd::new(Setup { seed: 3, ..setup }).run());
    assert_eq!((figures.served, figures.lost, figures.begun_twice, figures.refused_priority), (2_000, 0, 0, 0));
}

/// A server whose only slot is taken, and that knows others.
fn busy(others: usize) -> (Server, Vec<ServerUri>) {
    let uris: Vec<ServerUri> = (0..others).map(|at| format!("handover://db:{}", at + 1).parse().unwrap()).collect();
    let mut config = Config::default();
    config.busy_threshold = Duration::ZERO;
    config.alternates = uris.iter().cloned().map(Alternate::new).collect();
    let mut server = Server::new(config);
    let (named, _) = asked(&mut server, 0, RequestFlags::PRIORITY, 0);
    assert_eq!(named, None);
    (server, uris)
}

/// Whom a server names to a request, if it defers it.
fn asked(server: &mut Server, number: u32, flags: RequestFlags, random: u64) -> (Option<Vec<ServerUri>>, DeferKind) {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let command = Command { name: CommandName::new("query").unwrap(), arguments: Vec::new() };
    let key = RequestKey { id: RequestId(id), epoch: 0 };
    let request = Request { flags, ..Request::new(key, command) };
    let (link, message) = (LinkId(number), Message::Request(Box::new(request)));
    server.handle(Instant::ZERO, Input::Message { link, message, random }).unwrap();
    let mut named = (None, DeferKind::BUSY);
    while let Some(output) = server.poll_output() {
        if let Output::Send { message: Message::Defer(defer), .. } = output {
            named = (Some(defer.alternates.into_iter().map(|one| one.uri).collect()), defer.kind);
        }
    }
    named
}

/// D10: each alternate is as likely as any other to be the first, and each order as any other; nobody is left out.
#[test]
fn alternates_come_in_any_order() {
    for others in 2..=8 {
        // From good random numbers, and from bad ones.
        for counted in [false, true] {
            let ((mut server, uris), mut rng) = (busy(others), Rng::new(10));
            let mut first = vec![0; others];
            let mut orders = std::collections::BTreeMap::<Vec<ServerUri>, u64>::new();
            let n = 20_000;
            for number in 1..=n {
                let random = if counted { u64::from(number) } else { rng.next_u64() };
                let (named, kind) = asked(&mut server, number, RequestFlags::empty(), random);
                let named = named.expect("it is busy");
                assert_eq!(kind, DeferKind::BUSY);
                first[uris.iter().position(|uri| *uri == named[0]).unwrap()] += 1;
                let mut sorted = named.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, uris);
                if others <= 5 {
                    *orders.entry(named).or_default() += 1;
                }
            }
            let value = statistic(&first);
            println!("{others} alternates, n {n}: chi-square {value:.2}, bound {:.2}", bound(others - 1));
            assert!(value < bound(others - 1), "{first:?}");
            if others <= 5 {
                let orders: Vec<u64> = orders.into_values().collect();
                assert_eq!(orders.len(), (1..=others).product::<usize>());
                assert!(statistic(&orders) < bound(orders.len() - 1), "{orders:?}");
            }
        }
    }
}

/// Of more than a deferral can name, each is as likely as any other to be named.
#[test]
fn of_many_alternates_each_is_named_as_often() {
    let ((mut server, uris), mut rng) = (busy(100), Rng::new(11));
    let (mut first, mut named) = (vec![0; uris.len()], vec![0; uris.len()]);
    let n = 20_000;
    for number in 1..=n {
        let list = asked(&mut server, number, RequestFlags::empty(), rng.next_u64()).0.expect("it is busy");
        assert_eq!(list.len(), 32);
        for (at, uri) in list.iter().enumerate() {
            let which = uris.iter().position(|known| known == uri).unwrap();
            named[which] += 1;
            first[which] += u64::from(at == 0);
        }
    }
    println!("100 alternates, n {n}: first {:.2}, bound {:.2}", statistic(&first), bound(99));
    assert!(statistic(&first) < bound(99));
    // Those of one list are not independent of each other: this is closer to even than chance, and a weaker test.
    assert!(statistic(&named) < bound(99), "{named:?}");
}
