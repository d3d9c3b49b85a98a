//! Links that are lost, and requests that come again (4.5).

use super::*;

const REACHED: [State; 3] = [State::Waiting, State::Queued, State::Executing];

/// A client with a link to the server "a", which is this, in a state.
fn bench(task: Task, peer: Peer, state: State) -> Bench {
    let mut bench = Bench::new(anywhere(), task);
    assert!(!bench.asks_as("a", peer).flags.contains(RequestFlags::AGAIN));
    match state {
        State::Queued => bench.queued(1),
        State::Executing => bench.data(b"half"),
        _ => {}
    }
    bench.drain();
    bench
}

#[test]
fn who_cannot_be_reached_has_done_nothing() {
    let ends: [fn(&mut Bench); 2] = [Bench::loses, Bench::due];
    for (end, closes) in ends.into_iter().zip([0, 1]) {
        let mut bench = Bench::at(State::Dialling);
        bench.due_in(Config::default().dial_timeout);
        end(&mut bench);
        let Drained { dials, closed, .. } = bench.drain();
        assert_eq!((dials, closed.len()), (uris(&["b"]), closes));
        bench.loses();
        assert_eq!(bench.fails().dead, uris(&["a", "b"]));
    }
}

#[test]
fn a_harmless_command_goes_to_the_next_server() {
    for task in [harmless(&["a", "b"]), idempotent(&["a", "b"])] {
        for (state, memory) in REACHED.into_iter().flat_map(|state| [(state, None), (state, Some(1))]) {
            let read_only = task.read_only;
            let mut bench = bench(task.clone(), peer(1, memory), state);
            bench.loses();
            assert!(!bench.asks("b").flags.contains(RequestFlags::AGAIN));
            bench.declines(&[]);
            let report = if read_only { bench.fails() } else { bench.is_unsure_of("a") };
            assert_eq!((report.dead, report.declined), (uris(&["a"]), uris(&["b"])));
        }
    }
}

#[test]
fn it_is_no_longer_unsure_once_the_command_was_carried_out() {
    let mut bench = bench(idempotent(&["a", "b"]), Peer::default(), State::Waiting);
    bench.loses();
    bench.asks("b");
    bench.continues(&["c"]);
    bench.asks("c");
    bench.declines(&[]);
    bench.asks("b");
    bench.declines(&[]);
    assert_eq!(bench.fails().dead, uris(&["a"]));
}

#[test]
fn without_a_memory_nobody_knows() {
    for state in REACHED {
        let mut bench = bench(task(&["a", "b"]), peer(1, None), state);
        bench.loses();
        let report = bench.is_unsure_of("a");
        assert_eq!((report.dead, report.untried), (uris(&["a"]), uris(&["b"])));
    }
}

#[test]
fn who_has_a_memory_is_asked_again() {
    for state in REACHED {
        let mut bench = bench(task(&["a", "b"]), peer(1, Some(5)), state);
        let key = bench.client.key;
        bench.loses();
        let request = bench.asks_as("a", peer(1, Some(5)));
        assert_eq!((request.key, request.flags), (key, RequestFlags::AGAIN));
        bench.done(0);
        let end = Outcome::Done { server: uri("a"), status: 0, text: Text::fitting("end"), complete: false };
        assert_eq!(bench.outcome(), end);
    }
}

#[test]
fn a_server_that_takes_too_long_may_still_know_how_it_ended() {
    let mut bench = bench(task(&["a"]), peer(1, Some(5)), State::Executing);
    bench.due_in(Config::default().execute_timeout);
    bench.due();
    let Drained { dials, closed, .. } = bench.drain();
    assert_eq!((dials, closed), (uris(&["a"]), Vec::from([LinkId(1)])));

    // The same after a cancel out of impatience that has no answer.
    let mut bench = Bench::new(anywhere(), task(&["a"]));
    bench.asks_as("a", peer(1, Some(5)));
    bench.due();
    bench.due();
    let Drained { dials, closed, sent, .. } = bench.drain();
    assert_eq!((dials, closed.len(), sent.len()), (uris(&["a"]), 1, 1));
    let request = bench.reached(peer(1, Some(5)));
    assert!(request.flags.contains(RequestFlags::AGAIN));
}

#[test]
fn priority_is_kept_when_it_comes_again() {
    let mut bench = Bench::new(anywhere(), task(&["a"]));
    bench.asks("a");
    bench.is_busy(&[]);
    bench.waits();
    bench.asks_as("a", peer(1, Some(5)));
    bench.loses();
    let request = bench.asks_as("a", peer(1, Some(5)));
    assert_eq!(request.flags, RequestFlags::AGAIN | RequestFlags::PRIORITY);
}

#[test]
fn another_server_or_another_memory_is_not_asked_to_do_it_again() {
    for other in [peer(1, Some(6)), peer(1, None), peer(2, Some(5)), Peer::default()] {
        let mut bench = bench(task(&["a", "b"]), peer(1, Some(5)), State::Waiting);
        bench.loses();
        bench.drain();
        let link = bench.link;
        bench.fine(Input::Opened { link, peer: other });
        let Drained { sent, closed, events, .. } = bench.drain();
        assert_eq!((sent, closed), (Vec::new(), Vec::from([link])));
        let [Event::Ended(Outcome::Indeterminate { server, report })] = &events[..] else { panic!("{events:?}") };
        assert_eq!((server, &report.dead, &report.untried), (&uri("a"), &uris(&["a"]), &uris(&["b"])));
    }
}

#[test]
fn nobody_is_asked_again_twice() {
    let lost: [fn(&mut Bench); 3] = [
        // It cannot be reached any more.
        |bench| drop((bench.drain(), bench.loses())),
        |bench| drop((bench.drain(), bench.due())),
        |bench| {
            bench.asks_as("a", peer(1, Some(5)));
            bench.loses();
        },
    ];
    for lose in lost {
        let mut bench = bench(task(&["a", "b"]), peer(1, Some(5)), State::Waiting);
        bench.loses();
        lose(&mut bench);
        assert_eq!(bench.is_unsure_of("a").dead, uris(&["a"]));
    }
}

#[test]
fn who_knows_that_it_has_not_been_done_may_send_it_on() {
    let answers: [fn(&mut Bench); 4] = [
        |bench| bench.is_busy(&[]),
        |bench| bench.declines(&[]),
        |bench| bench.refused(RefusalCode::OVERLOADED),
        |bench| bench.refused(RefusalCode::DEADLINE),
    ];
    for answer in answers {
        let mut bench = bench(task(&["a", "b"]), peer(1, Some(5)), State::Waiting);
        bench.loses();
        bench.asks_as("a", peer(1, Some(5)));
        answer(&mut bench);
        let request = bench.asks("b");
        assert_eq!(request.flags, RequestFlags::empty());
        // Then nobody has done it.
        bench.declines(&[]);
        if bench.client.state() == State::Asking {
            bench.waits();
            bench.asks("a");
            bench.declines(&[]);
        }
        assert_eq!(bench.fails().declined, uris(&["a", "b"]));
    }
}

#[test]
fn who_does_not_know_whether_it_was_done_leaves_that_open() {
    for code in [RefusalCode::FORGOTTEN, RefusalCode::DUPLICATE] {
        let mut bench = bench(task(&["a", "b"]), peer(1, Some(5)), State::Waiting);
        bench.loses();
        bench.asks_as("a", peer(1, Some(5)));
        bench.refused(code);
        bench.is_unsure_of("a");
    }
}

#[test]
fn a_continuation_that_was_lost_is_said_again() {
    let mut bench = bench(task(&["a"]), peer(1, Some(5)), State::Executing);
    bench.loses();
    bench.asks_as("a", peer(1, Some(5)));
    bench.continues(&[]);
    let request = bench.asks_as("a", peer(1, Some(5)));
    assert_eq!((request.key.epoch, request.flags), (1, RequestFlags::empty()));
    bench.done(0);
    assert!(matches!(bench.outcome(), Outcome::Done { complete: true, .. }));
}

#[test]
fn a_user_who_has_given_up_does_not_ask_again() {
    let mut bench = bench(task(&["a"]), peer(1, Some(5)), State::Executing);
    bench.fine(Input::Cancel);
    bench.loses();
    bench.is_unsure_of("a");
}
