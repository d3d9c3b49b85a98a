//! A channel to whichever site is the master, and to this site if it is that itself.

use super::*;

const LOCAL: Input = Input::Master(Some(Master::Local));

fn to(host: &str) -> Input {
    Input::Master(remote(host))
}

#[test]
fn without_a_master_nothing_is_accepted() {
    let mut bench = Bench::new(Config::default(), To::Master);
    for result in [bench.send(1), bench.request(1), bench.give(Input::Connect)] {
        assert!(matches!(result, Err(Error::Misuse(Misuse::Refused { .. }))), "{result:?}");
    }
    bench.fine(to("a"));
    bench.send(1).unwrap();
    bench.wants([dial(ONE, "a")]);
}

#[test]
fn a_channel_to_one_site_has_no_master() {
    let mut bench = Bench::to_site();
    for master in [None, remote("a"), Some(Master::Local)] {
        assert!(matches!(bench.give(Input::Master(master)), Err(Error::Misuse(Misuse::Refused { .. }))));
    }
}

#[test]
fn the_master_is_looked_up_at_each_send() {
    let mut bench = Bench::at(State::Open);
    bench.send(1).unwrap();
    bench.request(2).unwrap();
    bench.outputs();
    bench.fine(to("b"));
    // The link to the old one is kept for the answer.
    assert_eq!((bench.outputs(), bench.channel.state()), (Vec::new(), State::Idle));
    bench.request(3).unwrap();
    bench.wants([dial(TWO, "b")]);
    bench.fine(Input::Ready(TWO));
    bench.wants([asked(on(TWO), 0, 3)]);
    // The old one answers what it has, and is left.
    bench.answer(on(ONE), 0, "old").unwrap();
    bench.wants([completed(2, Ok(single("old"))), Output::Close(ONE)]);
    bench.answer(on(TWO), 0, "new").unwrap();
    bench.wants([completed(3, Ok(single("new")))]);
    assert_eq!(bench.channel.state(), State::Open);
}

#[test]
fn a_link_that_nothing_is_waited_for_on_is_left_at_once() {
    let mut bench = Bench::at(State::Open);
    bench.send(1).unwrap();
    bench.outputs();
    bench.fine(to("b"));
    bench.wants([Output::Close(ONE)]);
    assert!(is_misuse(bench.give(Input::Closed(ONE))), "it is not heard of again");
}

#[test]
fn what_was_not_sent_goes_to_the_new_master() {
    for state in [State::Dialling, State::Congested] {
        let mut bench = Bench::at(state);
        bench.send(1).unwrap();
        bench.request(2).unwrap();
        bench.outputs();
        bench.fine(to("b"));
        let outputs = bench.outputs();
        let expected = [Output::Close(ONE), dial(TWO, "b")];
        assert!(expected.iter().all(|output| outputs.contains(output)) && outputs.len() == 2, "{state:?} {outputs:?}");
        assert_eq!(bench.channel.state(), State::Dialling);
        bench.fine(Input::Ready(TWO));
        let [one, told] = sent(on(TWO), 1);
        bench.wants([one, told, asked(on(TWO), 0, 2)]);
    }
}

#[test]
fn what_was_sent_is_never_sent_again() {
    let mut bench = Bench::at(State::Open);
    bench.send(1).unwrap();
    bench.request(2).unwrap();
    bench.outputs();
    bench.fine(to("b"));
    bench.fine(Input::Connect);
    bench.fine(Input::Ready(TWO));
    bench.fine(Input::Closed(ONE));
    bench.wants([dial(TWO, "b"), completed(2, Err(UNANSWERED)), lost(ONE, 1)]);
    assert_eq!(bench.channel.state(), State::Open);
}

/// What libdb does not do: its handle stays dead for ever.
#[test]
fn a_master_that_comes_back_is_dialled_anew() {
    let mut bench = Bench::at(State::Open);
    for (number, host) in [(2, "b"), (3, "a"), (4, "b")] {
        bench.fine(Input::Closed(LinkId(number - 1)));
        bench.fine(to(host));
        bench.outputs();
        bench.send(1).unwrap();
        bench.wants([dial(LinkId(number), host)]);
        bench.fine(Input::Ready(LinkId(number)));
        bench.wants(sent(on(LinkId(number)), 1));
    }
    // The same one, restarted.
    bench.fine(Input::Closed(LinkId(4)));
    bench.fine(to("b"));
    bench.outputs();
    bench.send(1).unwrap();
    bench.wants([dial(LinkId(5), "b")]);
}

#[test]
fn a_master_that_is_told_again_changes_nothing() {
    for state in [State::Idle, State::Dialling, State::Open, State::Congested] {
        let mut bench = Bench::at(state);
        let before = bench.channel.clone();
        bench.fine(to("a"));
        assert!(before == bench.channel, "{state:?}");
    }
}

#[test]
fn a_master_that_is_gone_takes_with_it_what_waits() {
    for state in [State::Dialling, State::Congested] {
        let mut bench = Bench::at(state);
        bench.send(1).unwrap();
        bench.request(2).unwrap();
        bench.outputs();
        bench.fine(Input::Master(None));
        let mut outputs = bench.outputs();
        outputs.retain(|output| *output != Output::Close(ONE));
        assert_eq!(outputs, [dropped(1, DropReason::Unavailable), completed(2, Err(NOT_SENT))], "{state:?}");
        assert_eq!((bench.channel.state(), bench.channel.poll_timeout()), (State::Idle, None));
        assert!(is_misuse(bench.send(3)));
    }
    // What is on its way may still be answered.
    let mut bench = Bench::at(State::Open);
    bench.request(1).unwrap();
    bench.fine(Input::Master(None));
    bench.outputs();
    bench.answer(on(ONE), 0, "x").unwrap();
    bench.wants([completed(1, Ok(single("x"))), Output::Close(ONE)]);
}

/// A libdb site whose requester has gone may not survive it.
#[test]
fn an_old_link_lingers_for_answers_that_nobody_waits_for() {
    let config = Config { linger: Duration::from_secs(9), ..Config::default() };
    let start = || {
        let mut bench = Bench::new(config.clone(), To::Master);
        bench.fine(to("a"));
        bench.at_rest_with_a_request();
        bench.fine(to("b"));
        bench.due();
        bench.wants([completed(99, Err(Failure::Timeout { sent: true }))]);
        assert_eq!(bench.channel.poll_timeout(), Some(Instant::from_micros(14_000_000)));
        bench
    };
    let mut bench = start();
    bench.answer(on(ONE), 0, "late").unwrap();
    bench.wants([Output::Event(Event::Ignored), Output::Close(ONE)]);
    assert_eq!(bench.channel.poll_timeout(), None);
    let mut bench = start();
    bench.due();
    bench.wants([Output::Close(ONE), lost(ONE, 0)]);
    let mut bench = start();
    bench.fine(Input::Closed(ONE));
    bench.wants([lost(ONE, 0)]);
    assert_eq!(bench.channel.poll_timeout(), None);
}

#[test]
fn an_answer_to_nothing_breaks_an_old_link_only() {
    let mut bench = Bench::at(State::Open);
    bench.request(1).unwrap();
    bench.fine(to("b"));
    bench.request(2).unwrap();
    bench.fine(Input::Ready(TWO));
    bench.outputs();
    assert!(matches!(bench.answer(on(ONE), 7, "x"), Err(Error::Violation(_))));
    bench.wants([Output::Close(ONE), completed(1, Err(UNANSWERED)), lost(ONE, 0)]);
    assert_eq!((bench.channel.state(), bench.channel.unanswered()), (State::Open, 1));
}

#[test]
fn to_this_site_itself_nothing_is_dialled() {
    let mut bench = Bench::at(State::Local);
    bench.fine(Input::Connect);
    bench.send(1).unwrap();
    bench.wants(sent(Via::Local, 1));
    bench.request(2).unwrap();
    bench.wants([asked(Via::Local, 0, 2)]);
    bench.answer(Via::Local, 0, "x").unwrap();
    bench.wants([completed(2, Ok(single("x")))]);
}

/// Where libdb hides what is too large, and has no timeouts.
#[test]
fn this_site_is_asked_like_any_other() {
    let mut bench = Bench::at(State::Local);
    bench.request(1).unwrap();
    bench.error(Via::Local, 0, ErrorCode::BUFFER_SMALL).unwrap();
    bench.request(2).unwrap();
    bench.outputs();
    bench.due();
    bench.wants([completed(2, Err(Failure::Timeout { sent: true }))]);
    bench.answer(Via::Local, 1, "late").unwrap();
    bench.wants([Output::Event(Event::Ignored)]);
    // Nobody else gives these answers.
    assert!(is_misuse(bench.answer(Via::Local, 2, "x")));
}

#[test]
fn becoming_the_master_sends_what_waits_to_this_site() {
    for state in [State::Idle, State::Dialling, State::Open, State::Congested] {
        let mut bench = Bench::at(state);
        let waits = matches!(state, State::Dialling | State::Congested);
        if waits {
            bench.send(1).unwrap();
            bench.request(2).unwrap();
        }
        bench.fine(LOCAL);
        let mut outputs = bench.outputs();
        outputs.retain(|output| *output != Output::Close(ONE));
        let [one, told] = sent(Via::Local, 1);
        let expected = if waits { Vec::from([one, told, asked(Via::Local, 0, 2)]) } else { Vec::new() };
        assert_eq!((outputs, bench.channel.state()), (expected, State::Local), "{state:?}");
    }
}

#[test]
fn ceasing_to_be_the_master_leaves_what_was_asked_here() {
    for next in [remote("b"), None] {
        let mut bench = Bench::at(State::Local);
        bench.request(1).unwrap();
        bench.outputs();
        bench.fine(Input::Master(next));
        assert_eq!((bench.outputs(), bench.channel.state()), (Vec::new(), State::Idle));
        bench.answer(Via::Local, 0, "x").unwrap();
        bench.wants([completed(1, Ok(single("x")))]);
    }
}
