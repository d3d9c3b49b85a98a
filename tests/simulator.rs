//! The simulator keeps what it promises.

#[path = "simulator/toy.rs"]
mod toy;

use handover::testing::simulator::{Config, Context, Down, Fault, Link, Party, PartyId, Reason, Simulator, What};
use handover::time::Instant;
use std::collections::BTreeSet;
use std::time::Duration;

fn at(micros: u64) -> Instant {
    Instant::from_micros(micros)
}

/// A party that writes down what it is told, and does only what a test tells it to.
#[derive(Default)]
struct Scribe {
    log: Vec<Told>,
    /// Answered to each message, if there is one.
    echo: bool,
    /// Sent behind each other when a link comes up.
    burst: u32,
    crashes: u32,
}

#[derive(Clone, Debug, PartialEq)]
enum Told {
    Started(u64),
    Up(Link, PartyId, Instant),
    Message(Link, u32, Instant),
    Down(Link, Down, Instant),
}

impl Party for Scribe {
    type Message = u32;

    fn on_start(&mut self, cx: &mut Context<'_, u32>) {
        self.log.push(Told::Started(cx.start()));
    }

    fn on_link_up(&mut self, cx: &mut Context<'_, u32>, link: Link, peer: PartyId) {
        assert_eq!(cx.peer(link), peer);
        self.log.push(Told::Up(link, peer, cx.now()));
        (0..self.burst).for_each(|number| assert!(cx.send(link, number)));
    }

    fn on_message(&mut self, cx: &mut Context<'_, u32>, link: Link, message: u32) {
        self.log.push(Told::Message(link, message, cx.now()));
        if self.echo {
            cx.send(link, message + 1000);
        }
    }

    fn on_link_down(&mut self, cx: &mut Context<'_, u32>, link: Link, why: Down) {
        self.log.push(Told::Down(link, why, cx.now()));
    }

    fn on_crash(&mut self) {
        self.crashes += 1;
    }
}

impl Scribe {
    fn messages(&self) -> Vec<u32> {
        let number = |told: &Told| if let Told::Message(_, number, _) = told { Some(*number) } else { None };
        self.log.iter().filter_map(number).collect()
    }

    fn downs(&self) -> Vec<(Link, Down)> {
        let down = |told: &Told| if let Told::Down(link, why, _) = told { Some((*link, *why)) } else { None };
        self.log.iter().filter_map(down).collect()
    }
}

/// Two scribes and a link between them, opened by the first and up at both.
fn pair(config: Config, burst: u32) -> (Simulator<Scribe>, PartyId, PartyId, Link) {
    let mut world = Simulator::new(config);
    let one = world.add("one", Scribe { burst, ..Scribe::default() });
    let two = world.add("two", Scribe { burst, ..Scribe::default() });
    world.run_until(at(0)).unwrap();
    let link = world.with(one, |_, cx| cx.open(two)).unwrap();
    if burst == 0 {
        world.run_until_idle().unwrap();
    }
    (world, one, two, link)
}

#[test]
fn order_is_kept_and_nothing_is_lost_on_a_good_link() {
    for seed in 0..50 {
        let (mut world, one, two, _) = pair(Config::new(seed), 40);
        world.run_until_idle().unwrap();
        let all: Vec<u32> = (0..40).collect();
        assert_eq!((world.party(one).messages(), world.party(two).messages()), (all.clone(), all));
        assert!(world.party(one).downs().is_empty() && world.party(two).downs().is_empty());
    }
}

#[test]
fn each_message_takes_a_time_within_the_bounds() {
    let mut seen = BTreeSet::new();
    for seed in 0..50 {
        let (mut world, one, two, link) = pair(Config { delay: 100..=130, ..Config::new(seed) }, 0);
        let sent = world.now();
        world.with(two, |_, cx| cx.send(link, 5)).unwrap();
        world.run_until_idle().unwrap();
        let Some(Told::Message(_, 5, got)) = world.party(one).log.last() else { panic!() };
        seen.insert(got.saturating_duration_since(sent).as_micros());
        let Some(Told::Up(_, _, up)) = world.party(one).log.get(1) else { panic!() };
        assert!((200..=260).contains(&up.as_micros()), "there and back");
    }
    assert!(seen.iter().all(|micros| (100..=130).contains(micros)) && seen.len() > 10, "{seen:?}");

    let (mut world, one, two, link) = pair(Config { delay: 0..=0, ..Config::new(1) }, 0);
    world.set_delay(two, one, 7_000..=7_000);
    world.with(one, |_, cx| cx.send(link, 5)).unwrap();
    world.run_until_idle().unwrap();
    assert_eq!(world.now(), at(7_000), "a pair can have a delay of its own");
}

#[test]
fn a_cut_loses_only_what_is_on_its_way_and_each_end_is_told_once() {
    let mut arrived = BTreeSet::new();
    let mut apart = BTreeSet::new();
    for seed in 0..200 {
        let (mut world, one, two, link) = pair(Config { delay: 1_000..=1_000, ..Config::new(seed) }, 0);
        world.with(one, |_, cx| (0..3).for_each(|number| assert!(cx.send(link, number)))).unwrap();
        world.run_until_idle().unwrap();
        world.with(one, |_, cx| (3..9).for_each(|number| assert!(cx.send(link, number)))).unwrap();
        let cut_at = world.now();
        world.fault_at(cut_at, Fault::Cut(link));
        world.fault_at(cut_at, Fault::Cut(link));
        world.step();
        // Neither end knows: what is sent now is lost.
        world.with(one, |_, cx| assert!(cx.send(link, 77))).unwrap();
        world.with(two, |_, cx| assert!(cx.send(link, 78))).unwrap();
        world.run_until_idle().unwrap();
        let got = world.party(two).messages();
        assert_eq!(got, (0..got.len() as u32).collect::<Vec<_>>(), "a first part, in order");
        assert!((3..=9).contains(&got.len()));
        arrived.insert(got.len());
        assert_eq!(world.party(one).messages(), []);
        for party in [one, two] {
            assert_eq!(world.party(party).downs(), [(link, Down::Broken)]);
            let Some(Told::Down(_, _, told)) = world.party(party).log.last() else { panic!() };
            let took = told.saturating_duration_since(cut_at).as_micros();
            assert!((1_000..=3_000_000).contains(&took), "{took}");
            apart.insert(took);
        }
        assert_eq!(world.with(one, |_, cx| cx.send(link, 1)), Some(false), "it is down at this end");
        world.with(one, |_, cx| cx.close(link)).unwrap();
        assert_eq!(world.next_at(), None);
        let lost = world.trace().entries().iter().filter(|entry| matches!(entry.what, What::Lost(_))).count();
        assert_eq!(lost, 9 - got.len() + 2);
    }
    assert_eq!(arrived, (3..=9).collect());
    assert!(apart.len() > 350, "each end has a time of its own");
}

#[test]
fn a_closed_link_first_delivers_what_was_sent() {
    let (mut world, one, two, link) = pair(Config::new(3), 0);
    world.with(two, |_, cx| cx.send(link, 50)).unwrap();
    world
        .with(one, |_, cx| {
            cx.send(link, 1);
            cx.send(link, 2);
            cx.close(link);
            cx.close(link);
            assert!(!cx.send(link, 3));
        })
        .unwrap();
    world.run_until_idle().unwrap();
    assert_eq!((world.party(two).messages(), world.party(two).downs()), (vec![1, 2], vec![(link, Down::Closed)]));
    assert_eq!((world.party(one).messages(), world.party(one).downs()), (vec![], vec![]), "who closes hears no more");
}

#[test]
fn both_ends_may_close_and_a_cut_may_come_in_between() {
    for seed in 0..100 {
        let (mut world, one, two, link) = pair(Config::new(seed), 0);
        world.with(one, |_, cx| cx.close(link)).unwrap();
        if seed % 2 == 0 {
            world.with(two, |_, cx| cx.close(link)).unwrap();
        } else {
            world.fault_at(world.now(), Fault::CutBetween(two, one));
        }
        world.run_until_idle().unwrap();
        assert_eq!(world.party(one).downs(), []);
        let told: Vec<Link> = world.party(two).downs().into_iter().map(|(link, _)| link).collect();
        assert_eq!(told, if seed % 2 == 0 { vec![] } else { vec![link] });
    }
}

#[test]
fn a_link_may_be_cut_before_it_is_up() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let mut world = Simulator::new(Config { delay: 100..=100, ..Config::new(seed) });
        let one = world.add("one", Scribe::default());
        let two = world.add("two", Scribe { burst: 1, ..Scribe::default() });
        world.run_until(at(0)).unwrap();
        let link = world.with(one, |_, cx| cx.open(two)).unwrap();
        // On the way there, or on the way back.
        world.fault_at(at(if seed % 2 == 0 { 50 } else { 150 }), Fault::Cut(link));
        world.run_until_idle().unwrap();
        let story = |id| -> Vec<&'static str> {
            let word = |told: &Told| match told {
                Told::Started(_) => "started",
                Told::Up(..) => "up",
                Told::Message(..) => "message",
                Told::Down(_, Down::Refused, _) => "refused",
                Told::Down(..) => "down",
            };
            world.party(id).log.iter().map(word).collect()
        };
        seen.insert((seed % 2, story(one), story(two)));
    }
    let (here, there) = (vec!["started", "refused"], vec!["started", "up", "down"]);
    let expected = [
        (0, here.clone(), vec!["started"]),
        (0, here.clone(), there.clone()),
        (1, here, there.clone()),
        (1, there.clone(), there.clone()),
        (1, vec!["started", "up", "message", "down"], there),
    ];
    assert_eq!(seen, expected.into_iter().collect());
}

#[test]
fn a_cut_link_carries_no_farewell() {
    for seed in 0..50 {
        let (mut world, one, two, link) = pair(Config::new(seed), 0);
        world.fault_at(world.now(), Fault::Cut(link));
        world.step();
        world.with(one, |_, cx| cx.close(link)).unwrap();
        world.run_until_idle().unwrap();
        assert_eq!((world.party(one).downs(), world.party(two).downs()), (vec![], vec![(link, Down::Broken)]));
    }
}

#[test]
fn links_have_new_numbers_and_the_old_one_is_down_first() {
    let (mut both, mut early) = (0, 0);
    for seed in 0..300 {
        for old_down_first in [true, false] {
            let (mut world, one, two, old) = pair(Config { old_down_first, ..Config::new(seed) }, 0);
            world.with(two, |_, cx| (0..3).for_each(|number| assert!(cx.send(old, number)))).unwrap();
            world.fault_at(world.now(), Fault::Cut(old));
            world.step();
            let new = world.with(one, |_, cx| cx.open(two)).unwrap();
            assert_ne!(new, old);
            world.run_until_idle().unwrap();
            for id in [one, two] {
                let log = &world.party(id).log;
                let up = log.iter().position(|told| matches!(told, Told::Up(link, ..) if *link == new)).unwrap();
                let down = log.iter().position(|told| matches!(told, Told::Down(link, ..) if *link == old)).unwrap();
                assert!(log[down..].iter().all(|told| !matches!(told, Told::Message(link, ..) if *link == old)));
                if old_down_first {
                    assert!(down < up, "{}", world.trace());
                } else if down > up {
                    both += 1;
                }
                early += usize::from(down < up);
                assert_eq!(world.party(id).downs(), [(old, Down::Broken)]);
            }
        }
    }
    assert!(both > 100 && early > 600, "without the rule an end can have both: {both} {early}");
}

#[test]
fn make_before_break_has_both_links() {
    let (mut world, one, two, old) = pair(Config::new(4), 0);
    let new = world.with(one, |_, cx| cx.open(two)).unwrap();
    world.run_until_idle().unwrap();
    world.with(two, |_, cx| assert!(cx.send(old, 1) && cx.send(new, 2))).unwrap();
    world.with(one, |_, cx| cx.close(old)).unwrap();
    world.run_until_idle().unwrap();
    assert_eq!((world.party(one).messages(), world.party(two).downs()), (vec![2], vec![(old, Down::Closed)]));
}

#[test]
fn nobody_there_or_no_way_refuses() {
    let mut world = Simulator::new(Config::new(5));
    let one = world.add("one", Scribe::default());
    let two = world.add("two", Scribe::default());
    world.run_until(at(10)).unwrap();
    world.fault_at(at(20), Fault::Crash(two));
    world.run_until(at(20)).unwrap();
    assert!(!world.is_up(two) && world.with(two, |_, _| ()).is_none());
    let first = world.with(one, |_, cx| cx.open(two)).unwrap();
    world.run_until_idle().unwrap();
    world.fault_at(world.now(), Fault::Restart(two));
    world.fault_at(world.now(), Fault::Partition(two, one));
    world.run_until_idle().unwrap();
    let second = world.with(one, |_, cx| cx.open(two)).unwrap();
    world.run_until_idle().unwrap();
    world.fault_at(world.now(), Fault::Heal(one, two));
    world.run_until_idle().unwrap();
    let third = world.with(one, |_, cx| cx.open(two)).unwrap();
    world.run_until_idle().unwrap();
    assert_eq!(world.party(one).downs(), [(first, Down::Refused), (second, Down::Refused)]);
    let two = world.party(two);
    assert_eq!(two.log[..2], [Told::Started(1), Told::Started(2)]);
    assert!(matches!(two.log[2..], [Told::Up(link, ..)] if link == third));
}

#[test]
fn a_crash_forgets_and_the_others_are_told() {
    for seed in 0..100 {
        let (mut world, one, two, link) = pair(Config::new(seed), 0);
        world.with(one, |_, cx| cx.send(link, 1)).unwrap();
        world.with(two, |_, cx| (10..14).for_each(|number| assert!(cx.send(link, number)))).unwrap();
        world.fault_at(world.now(), Fault::Crash(two));
        world.fault_at(world.now(), Fault::Crash(two));
        world.call_at(world.now().saturating_add(Duration::from_millis(1)), two, |_, _| panic!("it is not there"));
        world.run_until_idle().unwrap();
        assert_eq!((world.party(two).crashes, world.is_up(two)), (1, false));
        assert_eq!(world.party(two).messages(), []);
        assert_eq!(world.party(two).downs(), [], "who is gone is told nothing");
        assert_eq!(world.party(one).downs(), [(link, Down::Broken)]);
        let got = world.party(one).messages();
        assert_eq!(got, (10..10 + got.len() as u32).collect::<Vec<_>>());
        world.fault_at(world.now(), Fault::Restart(two));
        world.run_until_idle().unwrap();
        assert_eq!(world.party(two).log.last(), Some(&Told::Started(2)));
        assert_eq!(world.with(two, |_, cx| cx.send(link, 1)), Some(false), "an old link is of no use");
    }
}

#[test]
fn calls_and_faults_come_at_their_time() {
    let (mut world, one, two, link) = pair(Config { delay: 10..=10, ..Config::new(6) }, 0);
    world.call_at(at(500), one, move |_, cx| assert!(cx.send(link, cx.now().as_micros() as u32)));
    world.call_at(at(300), one, move |_, cx| assert!(cx.send(link, cx.now().as_micros() as u32)));
    world.run_until(at(509)).unwrap();
    assert_eq!((world.party(two).messages(), world.now()), (vec![300], at(509)));
    assert_eq!(world.next_at(), Some(at(510)));
    world.run_until(at(510)).unwrap();
    assert_eq!(world.party(two).messages(), [300, 500]);
}

#[test]
fn a_trace_reads_like_a_story() {
    let (mut world, one, two, link) = pair(Config { delay: 250..=250, ..Config::new(1) }, 0);
    world.with(one, |_, cx| {
        cx.send(link, 7);
        cx.note("that was all");
        cx.close(link);
        cx.send(link, 8);
    });
    world.run_until_idle().unwrap();
    world.fault_at(at(5_000), Fault::Crash(two));
    world.run_until_idle().unwrap();
    let expected = "           0  one  started
           0  two  started
           0  one -> two  #0  opens
         250  one -> two  #0  up
         500  two -> one  #0  up
         500  one -> two  #0  sends 7
         500  one  note: that was all
         500  one -> two  #0  closes
         500  one -> two  #0  cannot send 8
         750  one -> two  #0  received 7
         750  one -> two  #0  down: closed
        5000  two  crashed
";
    assert_eq!(world.trace().to_string(), expected);
    assert_eq!(world.trace().tail(1), "        5000  two  crashed\n");

    let (mut quiet, one, _, link) = pair(Config { trace: false, ..Config::new(1) }, 0);
    quiet.with(one, |_, cx| cx.send(link, 1));
    quiet.run_until_idle().unwrap();
    assert!(quiet.trace().entries().is_empty());
}

#[test]
fn a_livelock_is_stopped_and_shown() {
    let config = Config { max_steps: 500, ..Config::new(2) };
    let mut world = Simulator::new(config);
    let scribes = ["ping", "pong"].map(|name| world.add(name, Scribe { echo: true, ..Scribe::default() }));
    world.run_until_idle().unwrap();
    let link = world.with(scribes[0], |_, cx| cx.open(scribes[1])).unwrap();
    world.run_until_idle().unwrap();
    world.with(scribes[0], |_, cx| cx.send(link, 0)).unwrap();
    let stopped = world.run_until_idle().unwrap_err();
    assert_eq!((stopped.reason.clone(), stopped.seed), (Reason::Livelock, 2));
    let text = stopped.to_string();
    assert!(text.contains("does not come to rest (seed 2") && text.contains("pong -> ping  #0  received"), "{text}");

    /// Is always due and never does anything about it.
    struct Spins(bool);
    impl Party for Spins {
        type Message = ();
        fn on_message(&mut self, _: &mut Context<'_, ()>, _: Link, (): ()) {}
        fn poll_timeout(&self) -> Option<Instant> {
            self.0.then_some(at(10))
        }
    }
    let mut world = Simulator::new(Config { max_steps: 100, ..Config::new(1) });
    let spins = world.add("spins", Spins(false));
    world.call_at(at(50), spins, |spins, _| spins.0 = true);
    assert_eq!(world.run_until(at(60)).unwrap_err().reason, Reason::Livelock);
    assert!(world.is_up(spins) && world.now() == at(50), "a deadline that has passed is due now");
}

#[test]
fn a_failed_check_stops_the_run() {
    let (mut world, _, two, _) = pair(Config::new(9), 5);
    let check = |world: &Simulator<Scribe>| match world.party(two).messages().len() {
        0..3 => Ok(()),
        count => Err(format!("{count} messages")),
    };
    let stopped = world.run_checked(None, check).unwrap_err();
    assert_eq!(stopped.reason, Reason::Check("3 messages".into()));
    assert_eq!((stopped.at, stopped.steps), (world.now(), world.steps()));
}

/// Parties of several kinds can be boxed.
#[test]
fn parties_may_be_boxed() {
    let mut world: Simulator<Box<dyn Party<Message = u32>>> = Simulator::new(Config::new(1));
    let one = world.add("one", Box::new(Scribe { burst: 2, ..Scribe::default() }));
    let two = world.add("two", Box::new(Scribe { echo: true, ..Scribe::default() }));
    world.run_until(at(0)).unwrap();
    world.with(one, |_, cx| cx.open(two)).unwrap();
    world.run_until_idle().unwrap();
    let received = world.trace().entries().iter().filter(|entry| matches!(entry.what, What::Received(_))).count();
    assert_eq!((received, world.parties().len()), (4, 2));
}
