//! Orders of all kinds at any moment, without waiting for what comes of them: whatever crosses, every row comes once and
//! in order, every batch reaches one server, once, in order, and nobody waits for ever (M9, M10, M14).

use crate::batches::{World, batch};
use crate::client_party::Client;
use crate::server::Server;
use crate::server_party::Verdict;
use handover::tds5::endpoint::ServerCommand;
use handover::tds5::server::Caller;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::thread;
use std::time::Duration;

/// A wish that may be refused, at a server that may have no client.
fn wish(server: &Server, command: ServerCommand) {
    server.ask(move |party, now| {
        let _ = party.newest().map(|connection| connection.endpoint.command(now, command));
    });
}

fn storm(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let world = World::new();
    let servers = ["A", "B", "C"].map(|name| Server::start(name, &world));
    let [a, b, c] = &servers;
    let client = Client::start(&[a, b, c]);
    let mut batches = Vec::new();
    for _ in 0..120 {
        let server = &servers[rng.gen_range(0..3)];
        let by = if rng.gen_bool(0.5) { Caller::Own } else { Caller::Other };
        match rng.gen_range(0..10) {
            0..=2 => {
                let next = batch(u32::try_from(batches.len()).expect("few batches") + 1, rng.gen_range(0..5));
                batches.push(next);
                client.send(next);
            }
            3..=5 => {
                let others = servers.iter().filter(|other| other.port != server.port);
                let mut addresses: Vec<_> = others.map(Server::address).collect();
                addresses.shuffle(&mut rng);
                wish(server, ServerCommand::Migrate { addresses, by });
            }
            6 => wish(server, ServerCommand::Cancel { by }),
            7 => {
                let hold_at = rng.gen_bool(0.7).then(|| rng.gen_range(0..4));
                server.behave(move |behaviour| behaviour.hold_at = hold_at);
            }
            8 => server.go_on(),
            _ => {
                let verdict = if rng.gen_bool(0.4) { Verdict::Refuse } else { Verdict::Accept };
                server.behave(move |behaviour| behaviour.verdict = verdict);
            }
        }
        thread::sleep(Duration::from_micros(rng.gen_range(0..300)));
    }
    for server in &servers {
        server.behave(|behaviour| (behaviour.verdict, behaviour.hold_at) = (Verdict::Accept, None));
        server.go_on();
    }
    // At rest, wherever the client is now.
    let last = batch(u32::try_from(batches.len()).expect("few batches") + 1, 1);
    batches.push(last);
    client.send(last);
    client.wait_completed(&batches);
    let arrived = world.batches().into_iter().map(|(_, number)| number);
    assert!(arrived.eq(1..=last.number), "seed {seed}: {:?}", world.batches());
    client.finish();
    servers.into_iter().for_each(Server::finish);
}

#[test]
fn orders_at_any_moment() {
    (0..12).for_each(storm);
}

#[test]
fn orders_at_any_moment_to_many_clients() {
    thread::scope(|scope| {
        for seed in 100..106 {
            scope.spawn(move || storm(seed));
        }
    });
}
