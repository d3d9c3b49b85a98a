//! A toy protocol: a client's session goes from one server to the other, again and again.

use super::at;
use handover::testing::simulator::{Chaos, Config, Context, Down, Entry, Link, Party, PartyId, Simulator, What};
use handover::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// A client holds a session on one of two servers and is told to go to the other, again and again.
///
/// A move is done before it is believed: link to the new server, `Attach`, `Attached`, then close the old link. When
/// its link is down the client tries again, at whichever server it believes to be right.
enum Toy {
    Server {
        /// Survives a crash: the highest move that this server has taken the session for.
        taken: u64,
        client: Option<Link>,
    },
    Client {
        servers: [PartyId; 2],
        moves: u64,
        done: u64,
        link: Option<(Link, bool)>,
        old: Option<Link>,
        retry: Option<Instant>,
    },
}

#[derive(Debug)]
enum Word {
    Attach(u64),
    Attached(u64),
}

impl Toy {
    fn client(servers: [PartyId; 2]) -> Self {
        Self::Client { servers, moves: 1, done: 0, link: None, old: None, retry: None }
    }

    fn connect(&mut self, cx: &mut Context<'_, Word>) {
        if let Self::Client { servers, moves, link, retry, .. } = self {
            *link = Some((cx.open(servers[(*moves % 2) as usize]), false));
            *retry = None;
        }
    }
}

impl Party for Toy {
    type Message = Word;

    fn on_start(&mut self, cx: &mut Context<'_, Word>) {
        self.connect(cx);
    }

    fn on_link_up(&mut self, cx: &mut Context<'_, Word>, link: Link, _peer: PartyId) {
        if let Self::Client { moves, .. } = self {
            cx.send(link, Word::Attach(*moves));
        }
    }

    fn on_message(&mut self, cx: &mut Context<'_, Word>, link: Link, word: Word) {
        match (&mut *self, word) {
            (Self::Server { taken, client }, Word::Attach(number)) => {
                (*taken, *client) = ((*taken).max(number), Some(link));
                cx.send(link, Word::Attached(number));
            }
            (Self::Client { moves, done, link: current, old, .. }, Word::Attached(number)) if number == *moves => {
                cx.note(format!("session moved, move {number}"));
                *done = number;
                old.take().into_iter().for_each(|old| cx.close(old));
                if let Some((_, attached)) = current.as_mut() {
                    *attached = true;
                }
                if number < 20 {
                    *moves += 1;
                    *old = current.take().map(|(link, _)| link);
                    self.connect(cx);
                }
            }
            _ => panic!("a word that makes no sense"),
        }
    }

    fn on_link_down(&mut self, cx: &mut Context<'_, Word>, link: Link, _why: Down) {
        match self {
            Self::Server { client, .. } => *client = client.filter(|&client| client != link),
            Self::Client { link: current, old, retry, .. } => {
                *old = old.filter(|&old| old != link);
                if current.is_some_and(|(current, _)| current == link) {
                    *current = None;
                    *retry = Some(cx.now().saturating_add(Duration::from_millis(50)));
                }
            }
        }
    }

    fn on_timeout(&mut self, cx: &mut Context<'_, Word>) {
        self.connect(cx);
    }

    fn on_crash(&mut self) {
        match self {
            Self::Server { client, .. } => *client = None,
            Self::Client { servers, moves, done, .. } => {
                let (servers, moves, done) = (*servers, *moves, *done);
                *self = Self::Client { servers, moves, done, link: None, old: None, retry: None };
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if let Self::Client { retry, .. } = self { *retry } else { None }
    }
}

fn toy_world(seed: u64) -> (Simulator<Toy>, PartyId) {
    let mut world = Simulator::new(Config::new(seed));
    let servers = ["west", "east"].map(|name| world.add(name, Toy::Server { taken: 0, client: None }));
    let client = world.add("client", Toy::client(servers));
    let chaos = Chaos { cut: 60_000, crash: 20_000, partition: 20_000, ..Chaos::until(at(30_000_000)) };
    world.set_chaos(chaos);
    (world, client)
}

#[test]
fn a_move_gets_there_through_cuts_crashes_and_partitions() {
    let mut faults = BTreeMap::new();
    for seed in 0..150 {
        let (mut world, client) = toy_world(seed);
        let check = |world: &Simulator<Toy>| {
            let Toy::Client { done, servers, .. } = world.party(client) else { return Err("no client".into()) };
            let taken = servers.map(|id| if let Toy::Server { taken, .. } = world.party(id) { *taken } else { 0 });
            if *done > taken[0].max(taken[1]) { Err(format!("{done} is done, {taken:?} taken")) } else { Ok(()) }
        };
        world.run_checked(None, check).unwrap_or_else(|stopped| panic!("{stopped}"));
        let Toy::Client { done, .. } = world.party(client) else { panic!() };
        assert_eq!(*done, 20, "seed {seed}\n{}", world.trace());
        for Entry { what, .. } in world.trace().entries() {
            let kind = match what {
                What::Cut => "cut",
                What::Crashed => "crash",
                What::Parted => "parted",
                What::Healed => "healed",
                What::Lost(_) => "lost",
                What::Down(Down::Refused) => "refused",
                What::Down(Down::Broken) => "broken",
                What::Down(Down::Closed) => "closed",
                _ => "other",
            };
            *faults.entry(kind).or_insert(0) += 1;
        }
    }
    assert!(faults.len() == 9 && faults.values().all(|&count| count > 20), "{faults:?}");
}

#[test]
fn a_seed_repeats_a_run_exactly() {
    let run = |seed| {
        let (mut world, _) = toy_world(seed);
        world.run_until_idle().unwrap();
        world.trace().clone()
    };
    for seed in [0, 7, 8, 1 << 40] {
        let (one, two) = (run(seed), run(seed));
        assert_eq!(one, two);
        assert_eq!(one.to_string(), two.to_string());
    }
    assert_ne!(run(7), run(8));
}
