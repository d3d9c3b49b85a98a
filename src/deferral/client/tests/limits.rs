//! What bounds a walk: M servers, C continuations, the outbox, and deadlines (4.3).

use super::*;
use crate::error::Limit;
use crate::limits::DeferralLimits;

fn limited(limits: DeferralLimits) -> Config {
    Config { limits, ..anywhere() }
}

#[test]
fn there_must_be_a_server_and_not_too_many() {
    let new = |task, limits| Client::new(limited(limits), task, Instant::ZERO);
    let none = new(task(&[]), DeferralLimits::DEFAULT);
    assert!(matches!(none, Err(Misuse::Argument { what: "servers", .. })));
    let two = DeferralLimits { servers: 2, ..DeferralLimits::DEFAULT };
    let three = new(task(&["a", "b", "c"]), two);
    assert_eq!(three.err(), Some(Misuse::Limit(Limit { what: "servers", limit: 2, got: 3 })));
    assert!(new(task(&["a", "b"]), two).is_ok());
}

#[test]
fn a_server_that_is_given_twice_is_asked_once() {
    let mut bench = Bench::of(&["a", "A", "a."]);
    bench.asks("a");
    bench.declines(&[]);
    assert_eq!(bench.fails().declined, uris(&["a"]));
}

#[test]
fn no_more_servers_are_known_than_the_limit() {
    let limits = DeferralLimits { servers: 3, ..DeferralLimits::DEFAULT };
    let mut bench = Bench::new(limited(limits), task(&["a"]));
    bench.asks("a");
    bench.declines(&["b", "c", "d", "e", "a"]);
    bench.asks("b");
    bench.declines(&["f"]);
    bench.asks("c");
    bench.continues(&["g"]);
    for name in ["a", "b", "c"] {
        bench.asks(name);
        bench.declines(&[]);
    }
    let report = bench.fails();
    assert_eq!((report.declined, report.ignored), (uris(&["a", "b", "c"]), 4));
}

#[test]
fn no_more_denied_ones_are_remembered_than_the_limit() {
    let limits = DeferralLimits { servers: 2, ..DeferralLimits::DEFAULT };
    let mut bench = Bench::new(Config { limits, ..Config::default() }, task(&["a"]));
    bench.asks("a");
    bench.declines(&["x", "x", "y", "z"]);
    let report = bench.fails();
    assert_eq!((report.denied, report.ignored), (uris(&["x", "y"]), 1));
}

/// Two servers that send us to and fro, and one that names a fresh one each time: P1.
#[test]
fn loops_come_to_an_end() {
    let mut bench = Bench::of(&["a"]);
    let mut contacts = 0;
    while bench.client.state() != State::Ended {
        if bench.client.state() == State::Asking {
            bench.fine(Input::Wait(true));
            continue;
        }
        bench.drain();
        bench.reached(Peer::default());
        contacts += 1;
        let fresh = alloc::format!("h{contacts}");
        match contacts % 3 {
            0 => bench.continues(&["a", "b", &fresh]),
            1 => bench.is_busy(&["a", "b", &fresh]),
            _ => bench.declines(&["a", "b", &fresh]),
        }
    }
    assert!(matches!(bench.outcome(), Outcome::Failed(Failure::ContinuedTooOften, _)));
    let DeferralLimits { servers, continuations, .. } = DeferralLimits::DEFAULT;
    assert!(contacts <= 2 * servers * (usize::from(continuations) + 1), "{contacts}");
}

#[test]
fn a_command_is_not_continued_too_often() {
    let limits = DeferralLimits { continuations: 2, ..DeferralLimits::DEFAULT };
    let mut bench = Bench::new(limited(limits), task(&["a"]));
    for _ in 0..2 {
        bench.asks("a");
        bench.continues(&[]);
    }
    bench.asks("a");
    bench.continues(&["b"]);
    let Outcome::Failed(failure, _) = bench.outcome() else { panic!() };
    assert_eq!((failure, bench.client.epoch()), (Failure::ContinuedTooOften, 2));
}

#[test]
fn a_full_outbox_takes_no_input() {
    let limits = DeferralLimits { outputs: 2, ..DeferralLimits::DEFAULT };
    let mut bench = Bench::new(limited(limits), task(&["a"]));
    let link = LinkId(1);
    bench.fine(Input::Opened { link, peer: Peer::default() });
    for input in [Input::Closed(link), Input::Cancel, Input::Timeout] {
        let full = bench.give(input);
        assert!(matches!(full, Err(Error::Misuse(Misuse::Limit(Limit { what: "outputs", limit: 2, got: 2 })))));
    }
    bench.drain();
    bench.fine(Input::Cancel);
}

#[test]
fn every_state_but_the_last_has_its_own_deadline() {
    let Config { dial_timeout, answer_timeout, queue_timeout, execute_timeout, ask_timeout, .. } = Config::default();
    let second = Duration::from_secs(1);
    let expected = [second, dial_timeout, answer_timeout, queue_timeout, execute_timeout, ask_timeout];
    for (state, time) in ALL.into_iter().zip(expected) {
        let mut bench = Bench::at(state);
        bench.due_in(time);
        // What is not due does nothing.
        let before = bench.client.clone();
        bench.fine(Input::Timeout);
        assert!(bench.client == before);
        bench.due();
        assert!(bench.client != before);
    }
    let mut bench = Bench::at(State::Ended);
    assert_eq!(bench.client.poll_timeout(), None);
    bench.fine(Input::Timeout);
    assert!(bench.client.poll_output().is_none());
}

#[test]
fn the_time_in_line_is_bounded_however_often_the_place_is_told() {
    let mut bench = Bench::at(State::Queued);
    let deadline = bench.client.poll_timeout();
    bench.now = Instant::from_micros(1_000_000);
    bench.queued(1);
    assert_eq!(bench.client.poll_timeout(), deadline);
}

#[test]
fn a_piece_of_the_result_does_not_make_it_take_longer() {
    let mut bench = Bench::at(State::Executing);
    let deadline = bench.client.poll_timeout();
    bench.now = Instant::from_micros(1_000_000);
    bench.data(b"piece");
    assert_eq!(bench.client.poll_timeout(), deadline);
}

#[test]
fn the_deadline_of_the_task_is_told_to_each_server() {
    let second = Duration::from_secs(1);
    let told = [(None, 0), (Some(Duration::ZERO), 1), (Some(second), 1000), (Some(Duration::MAX), u32::MAX)];
    for (deadline, deadline_ms) in told {
        let mut bench = Bench::new(anywhere(), Task { deadline, ..task(&["a", "b"]) });
        assert_eq!(bench.asks("a").deadline_ms, deadline_ms);
        bench.declines(&[]);
        assert_eq!(bench.asks("b").deadline_ms, deadline_ms);
    }
}
