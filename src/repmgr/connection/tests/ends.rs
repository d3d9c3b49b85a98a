//! Deadlines, and how a connection ends.

use super::*;

#[test]
fn every_wait_has_its_time_and_ends_with_it() {
    for state in ALL {
        let mut bench = Bench::at(state);
        let millis = match state {
            State::Dialling => 1000,
            State::Proposed | State::Negotiating | State::Introducing => 2000,
            State::Asked => 3000,
            State::Ready | State::Closed => {
                assert_eq!(bench.connection.poll_timeout(), None, "{state:?}");
                bench.now = Instant::from_micros(u64::MAX);
                bench.give(Input::Timeout).unwrap();
                assert_eq!(bench.outputs(), []);
                continue;
            }
        };
        let due = Instant::ZERO.saturating_add(Duration::from_millis(millis));
        assert_eq!(bench.connection.poll_timeout(), Some(due), "{state:?}");
        let before = bench.connection.clone();
        bench.now = Instant::from_micros(due.as_micros() - 1);
        bench.give(Input::Timeout).unwrap();
        assert!(before == bench.connection, "{state:?}: an early call changes nothing");
        bench.now = due;
        bench.give(Input::Timeout).unwrap();
        let outputs = bench.outputs();
        assert!(outputs.ends_with(&[Output::Close, closed(CloseReason::TimedOut)]), "{state:?}: {outputs:?}");
        assert_eq!(outputs.len(), if state == State::Asked { 3 } else { 2 }, "{state:?}");
    }
}

/// Each step has the time anew, and the clock does not go backwards.
#[test]
fn deadlines_count_from_the_latest_time_that_was_told() {
    let mut bench = Bench::accept(config());
    bench.now = Instant::from_micros(500_000);
    bench.message(proposal(4, 4)).unwrap();
    assert_eq!(bench.connection.poll_timeout(), Some(Instant::from_micros(2_500_000)));
    bench.now = Instant::ZERO;
    bench.message(Message::Own(join())).unwrap();
    assert_eq!(bench.connection.poll_timeout(), Some(Instant::from_micros(3_500_000)));
}

#[test]
fn a_connection_can_end_in_every_state_and_ends_once() {
    for state in ALL {
        let lost = if state == State::Dialling { CloseReason::Unreachable } else { CloseReason::Lost };
        let ends = [
            (Input::Closed, Vec::from([closed(lost)])),
            (Input::Disconnect, Vec::from([Output::Close, closed(CloseReason::Local)])),
            (Input::Malformed, Vec::from([Output::Close, closed(CloseReason::Violation)])),
        ];
        for (input, expected) in ends {
            let mut bench = Bench::at(state);
            let misuse = state == State::Closed || (state == State::Dialling && input == Input::Malformed);
            assert_eq!(bench.is_misuse(input.clone()), misuse, "{state:?} {input:?}");
            if misuse {
                continue;
            }
            assert_eq!(bench.outputs(), expected, "{state:?} {input:?}");
            assert_eq!((bench.connection.state(), bench.connection.poll_timeout()), (State::Closed, None));
            for again in [Input::Opened, Input::Closed, Input::Disconnect, Input::Malformed] {
                assert!(bench.is_misuse(again));
            }
            assert_eq!(bench.outputs(), []);
        }
    }
}

#[test]
fn a_transport_opens_once_and_only_where_it_was_dialled() {
    for state in ALL {
        assert_eq!(Bench::at(state).is_misuse(Input::Opened), state != State::Dialling, "{state:?}");
    }
}

#[test]
fn outputs_that_nobody_takes_are_bounded() {
    let mut bench = Bench::ready_listener();
    bench.connection.config.limits.outputs = 2;
    let send = || Input::Send(Traffic::Message(request()));
    bench.give(send()).unwrap();
    bench.give(send()).unwrap();
    for input in [send(), Input::Message(Message::App(request())), Input::Disconnect] {
        let result = bench.give(input);
        assert!(matches!(result, Err(Error::Misuse(Misuse::Limit(limit))) if limit.what == "outputs"), "{result:?}");
    }
    bench.outputs();
    bench.give(Input::Disconnect).unwrap();
}
