//! The user gives up, or it takes too long (4.2).

use super::*;

#[test]
fn who_is_not_asked_need_not_be_told() {
    for state in [State::Pausing, State::Asking, State::Dialling] {
        let mut bench = Bench::at(state);
        let dialling = state == State::Dialling;
        bench.fine(Input::Cancel);
        let Drained { sent, closed, events, .. } = bench.drain();
        let expected = if dialling { Vec::from([LinkId(1)]) } else { Vec::new() };
        assert_eq!((sent, closed), (Vec::new(), expected), "{state:?}");
        assert_eq!(events, [Event::Ended(Outcome::Cancelled { carried_out: 0 })]);
    }
}

/// A client that has told a server, in a state, that its user has given up.
fn cancelling(state: State) -> Bench {
    let mut bench = Bench::at(state);
    bench.fine(Input::Cancel);
    let Drained { sent, closed, events, .. } = bench.drain();
    assert_eq!((sent, closed), (Vec::from([Message::Cancel(bench.signal())]), Vec::new()));
    assert_eq!((events, bench.client.state()), (Vec::new(), state));
    bench.due_in(Config::default().cancel_timeout);
    let again = bench.give(Input::Cancel);
    assert!(matches!(again, Err(Error::Misuse(Misuse::WrongState { .. }))), "{again:?}");
    bench
}

#[test]
fn whichever_comes_first_counts() {
    let in_line = [State::Waiting, State::Queued];
    for state in in_line {
        let mut bench = cancelling(state);
        bench.say(Message::Cancelled(bench.signal()));
        bench.is_cancelled(0);
        // What crosses the cancel says as well that it was not carried out.
        let crossing: [fn(&mut Bench); 4] = [
            |bench| bench.is_busy(&["c"]),
            |bench| bench.declines(&["c"]),
            |bench| bench.refused(RefusalCode::DEADLINE),
            |bench| bench.refused(RefusalCode::BAD_REQUEST),
        ];
        for cross in crossing {
            let mut bench = cancelling(state);
            cross(&mut bench);
            bench.is_cancelled(0);
        }
    }
    for state in [State::Waiting, State::Queued, State::Executing] {
        let mut bench = cancelling(state);
        bench.done(4);
        assert!(matches!(bench.outcome(), Outcome::Done { status: 4, .. }));

        let mut bench = cancelling(state);
        bench.data(b"too late");
        bench.done(0);
        assert!(matches!(bench.outcome(), Outcome::Done { .. }));

        let mut bench = cancelling(state);
        bench.continues(&["c"]);
        bench.is_cancelled(1);

        // It is there, and gives no answer in time.
        let mut bench = cancelling(state);
        bench.due();
        assert_eq!(bench.is_unsure_of("a").dead, uris(&["a"]));

        let mut bench = cancelling(state);
        bench.loses();
        bench.is_unsure_of("a");
    }
}

#[test]
fn a_place_in_line_does_not_make_a_cancel_wait_longer() {
    let mut bench = cancelling(State::Waiting);
    let deadline = bench.client.poll_timeout();
    bench.queued(1);
    bench.say(Message::Executing(bench.signal()));
    assert_eq!((bench.client.poll_timeout(), bench.client.state()), (deadline, State::Executing));
    let said = violation(bench.hears(Message::Cancelled(bench.signal())));
    assert_eq!(said.state, "Executing");
    bench.is_unsure_of("a");
}

#[test]
fn what_a_server_forgot_is_not_cancelled() {
    let mut bench = cancelling(State::Waiting);
    bench.refused(RefusalCode::FORGOTTEN);
    bench.is_unsure_of("a");
}

#[test]
fn a_cancel_in_a_later_epoch_says_how_many_commands_were_carried_out() {
    let mut bench = Bench::at(State::Waiting);
    bench.continues(&[]);
    bench.fine(Input::Cancel);
    bench.is_cancelled(1);
}

/// An idempotent command that was lost once is not said to be cancelled; one that changes nothing is.
#[test]
fn a_harmless_command_is_cancelled_unless_it_may_have_changed_something() {
    for (task, sure) in [(harmless(&["a", "b"]), true), (idempotent(&["a", "b"]), false)] {
        for lose in [true, false] {
            let mut bench = Bench::new(anywhere(), task.clone());
            bench.asks("a");
            if lose {
                bench.loses();
                bench.drain();
                bench.fine(Input::Cancel);
            } else {
                bench.fine(Input::Cancel);
                bench.due();
            }
            if sure { bench.is_cancelled(0) } else { drop(bench.is_unsure_of("a")) }
        }
    }
}

#[test]
fn a_cancel_while_it_is_asked_whether_it_was_done_leaves_that_open() {
    let mut bench = Bench::of(&["a", "b"]);
    bench.asks_as("a", peer(1, Some(5)));
    bench.loses();
    assert_eq!(bench.drain().dials, uris(&["a"]));
    bench.fine(Input::Cancel);
    assert_eq!(bench.is_unsure_of("a").dead, uris(&["a"]));
}

/// A client that has told a server, in a state, that it takes too long.
fn impatient(state: State) -> Bench {
    let mut bench = Bench::at(state);
    bench.due();
    let Drained { sent, closed, .. } = bench.drain();
    assert_eq!((sent, closed), (Vec::from([Message::Cancel(bench.signal())]), Vec::new()));
    bench.due_in(Config::default().cancel_timeout);
    bench
}

#[test]
fn who_takes_too_long_is_left_once_it_is_sure_not_to_begin() {
    for state in [State::Waiting, State::Queued] {
        let mut bench = impatient(state);
        bench.say(Message::Cancelled(bench.signal()));
        bench.asks("b");
        bench.declines(&[]);
        assert_eq!(bench.fails().declined, uris(&["a", "b"]));

        let mut bench = impatient(state);
        bench.is_busy(&[]);
        bench.asks("b");

        let mut bench = impatient(state);
        bench.due();
        assert_eq!(bench.is_unsure_of("a").dead, uris(&["a"]));
    }
}

#[test]
fn who_has_begun_after_all_is_waited_for() {
    for state in [State::Waiting, State::Queued] {
        let mut bench = impatient(state);
        bench.say(Message::Executing(bench.signal()));
        bench.due_in(Config::default().execute_timeout);
        // From now on only the user can give up.
        bench.drain();
        bench.fine(Input::Cancel);
        assert_eq!(bench.drain().sent, [Message::Cancel(bench.signal())]);
        bench.done(0);
        assert!(matches!(bench.outcome(), Outcome::Done { .. }));
    }
}

#[test]
fn a_user_may_give_up_what_takes_too_long() {
    let mut bench = impatient(State::Waiting);
    bench.now = Instant::from_micros(bench.now.as_micros() + 1000);
    bench.fine(Input::Cancel);
    assert_eq!(bench.drain().sent, []);
    bench.due_in(Config::default().cancel_timeout);
    bench.say(Message::Cancelled(bench.signal()));
    bench.is_cancelled(0);
}
