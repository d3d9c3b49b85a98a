//! Closing a channel.

use super::*;

#[test]
fn a_channel_that_has_nothing_to_do_ends_at_once() {
    for state in [State::Idle, State::Dialling, State::Open, State::Congested, State::Local] {
        let mut bench = Bench::at(state);
        bench.fine(Input::Close);
        let outputs = bench.outputs();
        let linked = !matches!(state, State::Idle | State::Local);
        let expected = if linked { Vec::from([Output::Close(ONE), over(0, 0)]) } else { Vec::from([over(0, 0)]) };
        assert_eq!((outputs, bench.channel.state()), (expected, State::Closed), "{state:?}");
    }
}

#[test]
fn what_was_accepted_is_brought_to_an_end() {
    let mut bench = Bench::to_site();
    bench.send(1).unwrap();
    bench.request(2).unwrap();
    bench.fine(Input::Close);
    assert_eq!(bench.channel.state(), State::Draining);
    for result in [bench.send(3), bench.request(3), bench.give(Input::Connect), bench.give(Input::Close)] {
        assert!(matches!(result, Err(Error::Misuse(Misuse::WrongState { .. }))), "{result:?}");
    }
    bench.outputs();
    bench.fine(Input::Ready(ONE));
    let [one, told] = sent(on(ONE), 1);
    bench.wants([one, told, asked(on(ONE), 0, 2)]);
    bench.answer(on(ONE), 0, "x").unwrap();
    bench.wants([completed(2, Ok(single("x"))), Output::Close(ONE), over(0, 0)]);
}

#[test]
fn a_channel_that_ends_sends_what_waits_over_another_link_if_need_be() {
    let mut bench = Bench::at(State::Congested);
    bench.send(1).unwrap();
    bench.fine(Input::Close);
    bench.fine(Input::Closed(ONE));
    bench.wants([lost(ONE, 0), dial(TWO, "a")]);
    bench.fine(Input::Ready(TWO));
    let [one, told] = sent(on(TWO), 1);
    bench.wants([one, told, Output::Close(TWO), over(0, 0)]);

    let mut bench = Bench::at(State::Congested);
    bench.send(1).unwrap();
    bench.fine(Input::Close);
    bench.fine(Input::Drained(ONE));
    let [one, told] = sent(on(ONE), 1);
    bench.wants([one, told, Output::Close(ONE), over(0, 0)]);
}

#[test]
fn a_channel_that_ends_follows_the_master() {
    let mut bench = Bench::at(State::Congested);
    bench.send(1).unwrap();
    bench.fine(Input::Close);
    bench.fine(Input::Master(remote("b")));
    let outputs = bench.outputs();
    assert!(outputs.contains(&Output::Close(ONE)) && outputs.contains(&dial(TWO, "b")), "{outputs:?}");
    bench.fine(Input::Master(Some(Master::Local)));
    let [one, told] = sent(Via::Local, 1);
    bench.wants([Output::Close(TWO), one, told, over(0, 0)]);
}

#[test]
fn a_channel_that_cannot_be_drained_ends_all_the_same() {
    let mut bench = Bench::at(State::Dialling);
    bench.send(1).unwrap();
    bench.request(2).unwrap();
    bench.fine(Input::Close);
    bench.fine(Input::Closed(ONE));
    bench.wants([lost(ONE, 0), dropped(1, DropReason::Unavailable), completed(2, Err(NOT_SENT)), over(0, 0)]);

    let mut bench = Bench::at(State::Dialling);
    bench.send(1).unwrap();
    bench.fine(Input::Close);
    bench.fine(Input::Master(None));
    bench.wants([Output::Close(ONE), dropped(1, DropReason::Unavailable), over(0, 0)]);

    let mut bench = Bench::at(State::Draining);
    bench.fine(Input::Closed(ONE));
    bench.wants([completed(99, Err(UNANSWERED)), lost(ONE, 0), over(0, 0)]);
}

#[test]
fn requests_whose_time_is_up_keep_the_link_for_a_while() {
    let mut bench = Bench::at(State::Draining);
    bench.due();
    bench.wants([completed(99, Err(Failure::Timeout { sent: true }))]);
    assert_eq!((bench.now, bench.channel.state()), (Instant::from_micros(5_000_000), State::Draining));
    bench.due();
    assert_eq!(bench.now, Instant::from_micros(65_000_000));
    bench.wants([Output::Close(ONE), lost(ONE, 0), over(0, 0)]);

    let mut bench = Bench::at(State::Draining);
    bench.due();
    bench.answer(on(ONE), 0, "late").unwrap();
    bench.wants([
        completed(99, Err(Failure::Timeout { sent: true })),
        Output::Event(Event::Ignored),
        Output::Close(ONE),
        over(0, 0),
    ]);
}

/// To this site itself there is nothing that could not be survived.
#[test]
fn nobody_waits_for_this_sites_own_late_answers() {
    let mut bench = Bench::at(State::Local);
    bench.request(1).unwrap();
    bench.fine(Input::Close);
    bench.outputs();
    assert_eq!(bench.channel.state(), State::Draining);
    bench.due();
    bench.wants([completed(1, Err(Failure::Timeout { sent: true })), over(0, 0)]);
}

#[test]
fn closing_now_tells_the_end_of_everything() {
    let mut bench = Bench::at(State::Open);
    bench.request(1).unwrap();
    bench.fine(Input::Master(remote("b")));
    bench.request(2).unwrap();
    bench.fine(Input::Ready(TWO));
    bench.fine(Input::Congested(TWO));
    bench.send(3).unwrap();
    bench.request(4).unwrap();
    bench.outputs();
    bench.fine(Input::CloseNow);
    let (early, late) = (Failure::Closed { sent: false }, Failure::Closed { sent: true });
    bench.wants([
        dropped(3, DropReason::Closed),
        completed(4, Err(early)),
        completed(1, Err(late)),
        completed(2, Err(late)),
        Output::Close(ONE),
        Output::Close(TWO),
        over(1, 3),
    ]);
    assert_eq!((bench.channel.unanswered(), bench.channel.held()), (0, 0));
}

#[test]
fn every_state_can_be_closed_now_and_is_closed_once() {
    for state in ALL.into_iter().filter(|state| *state != State::Closed) {
        let mut bench = Bench::at(state);
        bench.fine(Input::CloseNow);
        assert!(matches!(bench.outputs().last(), Some(Output::Event(Event::Closed { .. }))), "{state:?}");
        assert_eq!((bench.channel.state(), bench.channel.poll_timeout()), (State::Closed, None));
        for input in [Input::CloseNow, Input::Close, Input::Connect, Input::Master(None), Input::Closed(ONE)] {
            assert!(is_misuse(bench.give(input)), "{state:?}");
        }
        assert!(is_misuse(bench.send(1)) && is_misuse(bench.request(1)));
        assert!(is_misuse(bench.answer(Via::Local, 0, "")));
        bench.now = Instant::from_micros(u64::MAX);
        bench.fine(Input::Timeout);
        assert_eq!(bench.outputs(), []);
    }
}
