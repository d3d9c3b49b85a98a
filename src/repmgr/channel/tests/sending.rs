//! Opening a channel, and messages that want no answer.

use super::*;

#[test]
fn nothing_is_dialled_before_it_is_needed() {
    let mut bench = Bench::to_site();
    assert_eq!((bench.outputs(), bench.channel.state()), (Vec::new(), State::Idle));
    bench.fine(Input::Connect);
    bench.wants([dial(ONE, "a")]);
    // Once is enough.
    bench.fine(Input::Connect);
    bench.fine(Input::Ready(ONE));
    bench.fine(Input::Connect);
    assert_eq!((bench.outputs(), bench.channel.state()), (Vec::new(), State::Open));
}

#[test]
fn what_is_sent_before_the_link_is_there_waits_in_order() {
    let mut bench = Bench::to_site();
    bench.send(1).unwrap();
    bench.wants([dial(ONE, "a")]);
    bench.request(2).unwrap();
    bench.send(3).unwrap();
    bench.request(4).unwrap();
    assert_eq!((bench.outputs(), bench.channel.held(), bench.channel.unanswered()), (Vec::new(), 4, 2));
    bench.fine(Input::Ready(ONE));
    let ([one, told_one], [three, told_three]) = (sent(on(ONE), 1), sent(on(ONE), 3));
    bench.wants([one, told_one, asked(on(ONE), 0, 2), three, told_three, asked(on(ONE), 1, 4)]);
    assert_eq!((bench.channel.held(), bench.channel.unanswered()), (0, 2));
}

#[test]
fn on_a_link_that_is_there_everything_goes_at_once() {
    let mut bench = Bench::at(State::Open);
    bench.send(1).unwrap();
    bench.wants(sent(on(ONE), 1));
    bench.request(1).unwrap();
    bench.wants([asked(on(ONE), 0, 1)]);
}

#[test]
fn a_site_that_cannot_be_reached_takes_with_it_what_waits() {
    let mut bench = Bench::to_site();
    bench.send(1).unwrap();
    bench.request(2).unwrap();
    bench.fine(Input::Closed(ONE));
    bench.wants([dial(ONE, "a"), lost(ONE, 0), dropped(1, DropReason::Unavailable), completed(2, Err(NOT_SENT))]);
    assert_eq!((bench.channel.state(), bench.channel.poll_timeout()), (State::Idle, None));
    // The next attempt is a new link.
    bench.request(3).unwrap();
    bench.wants([dial(TWO, "a")]);
    assert!(is_misuse(bench.give(Input::Ready(ONE))));
}

#[test]
fn a_link_that_is_lost_is_dialled_again_when_there_is_something_to_send() {
    let mut bench = Bench::at(State::Open);
    bench.fine(Input::Closed(ONE));
    bench.wants([lost(ONE, 0)]);
    assert_eq!(bench.channel.state(), State::Idle);
    bench.send(1).unwrap();
    bench.wants([dial(TWO, "a")]);
    bench.fine(Input::Ready(TWO));
    bench.wants(sent(on(TWO), 1));
}

#[test]
fn what_waits_for_a_congested_link_goes_over_the_next_one() {
    let mut bench = Bench::at(State::Congested);
    bench.send(1).unwrap();
    bench.request(2).unwrap();
    bench.fine(Input::Closed(ONE));
    bench.wants([lost(ONE, 0), dial(TWO, "a")]);
    assert_eq!(bench.channel.state(), State::Dialling);
    bench.fine(Input::Ready(TWO));
    let [one, told] = sent(on(TWO), 1);
    bench.wants([one, told, asked(on(TWO), 0, 2)]);
}

#[test]
fn a_lost_link_says_how_many_messages_it_had() {
    let mut bench = Bench::at(State::Open);
    (1..=3).for_each(|id| bench.send(id).unwrap());
    bench.request(4).unwrap();
    bench.outputs();
    bench.fine(Input::Closed(ONE));
    bench.wants([completed(4, Err(UNANSWERED)), lost(ONE, 3)]);
}

#[test]
fn nothing_goes_over_a_congested_link_until_it_is_drained() {
    let mut bench = Bench::at(State::Congested);
    bench.send(1).unwrap();
    bench.request(2).unwrap();
    bench.fine(Input::Congested(ONE));
    bench.wants([]);
    bench.fine(Input::Drained(ONE));
    let [one, told] = sent(on(ONE), 1);
    bench.wants([one, told, asked(on(ONE), 0, 2)]);
    assert_eq!(bench.channel.state(), State::Open);
    bench.fine(Input::Drained(ONE));
    bench.wants([]);
}

#[test]
fn a_link_can_be_congested_when_it_becomes_ready() {
    let mut bench = Bench::at(State::Dialling);
    bench.send(1).unwrap();
    bench.fine(Input::Congested(ONE));
    assert_eq!(bench.channel.state(), State::Dialling);
    bench.fine(Input::Ready(ONE));
    assert_eq!((bench.outputs(), bench.channel.state()), (Vec::new(), State::Congested));
    bench.fine(Input::Drained(ONE));
    bench.wants(sent(on(ONE), 1));

    let mut bench = Bench::at(State::Dialling);
    bench.fine(Input::Congested(ONE));
    bench.fine(Input::Drained(ONE));
    bench.fine(Input::Ready(ONE));
    assert_eq!(bench.channel.state(), State::Open);
}

#[test]
fn a_message_that_has_waited_too_long_is_dropped() {
    let mut bench = Bench::new(Config { send_timeout: Some(Duration::from_secs(2)), ..Config::default() }, To::Master);
    bench.fine(Input::Master(remote("a")));
    bench.send(1).unwrap();
    bench.after(500);
    bench.send(2).unwrap();
    bench.outputs();
    bench.due();
    bench.wants([dropped(1, DropReason::TimedOut)]);
    assert_eq!(bench.now, Instant::from_micros(2_000_000));
    bench.fine(Input::Ready(ONE));
    bench.wants(sent(on(ONE), 2));
    // What was sent has no deadline any more, and its number is free.
    assert_eq!(bench.channel.poll_timeout(), None);
    bench.send(1).unwrap();
    bench.wants(sent(on(ONE), 1));
}

#[test]
fn a_message_may_wait_for_ever() {
    let mut bench = Bench::new(Config { send_timeout: None, ..Config::default() }, To::Site(site("a")));
    bench.send(1).unwrap();
    assert_eq!(bench.channel.poll_timeout(), None);
}

#[test]
fn numbers_of_messages_are_free_once_they_are_sent() {
    let mut bench = Bench::at(State::Dialling);
    bench.send(1).unwrap();
    assert_eq!(bench.send(1), Err(Misuse::Duplicate { what: "message", id: 1 }.into()));
    // Those of requests are others.
    bench.request(1).unwrap();
    assert_eq!(bench.request(1), Err(Misuse::Duplicate { what: "request", id: 1 }.into()));
    bench.fine(Input::Ready(ONE));
    bench.send(1).unwrap();
    assert!(is_misuse(bench.request(1)));
    bench.answer(on(ONE), 0, "x").unwrap();
    bench.request(1).unwrap();
}

#[test]
fn what_may_wait_is_bounded_and_nothing_is_lost_beyond() {
    let mut config = Config::default();
    config.limits.held_messages = 2;
    config.limits.held_bytes = 64;
    let mut bench = Bench::new(config, To::Site(site("a")));
    bench.send(1).unwrap();
    bench.request(2).unwrap();
    assert_eq!(bound(bench.send(3)), "held_messages");
    assert_eq!(bound(bench.request(3)), "held_messages");
    bench.outputs();
    bench.fine(Input::Ready(ONE));
    assert_eq!(bench.outputs().len(), 3);

    let mut bench = Bench { now: Instant::ZERO, channel: Channel::new(bench.channel.config, To::Site(site("a"))) };
    let large = |id| Input::Send { id: MessageId(id), segments: Segments::one(alloc::vec![0; 100]) };
    // One may always wait.
    bench.fine(large(1));
    assert_eq!(bound(bench.give(large(2))), "held_bytes");
    bench.fine(Input::Ready(ONE));
    bench.fine(large(2));
}

#[test]
fn a_message_has_bounds_of_its_own() {
    let mut config = Config::default();
    config.limits.segments = 2;
    config.limits.message = 100;
    let mut bench = Bench::new(config, To::Site(site("a")));
    let send = |sizes: &[usize]| {
        let segments = sizes.iter().map(|size| alloc::vec![0; *size]).collect();
        Input::Send { id: MessageId(1), segments }
    };
    assert_eq!(bound(bench.give(send(&[1, 1, 1]))), "segments");
    // With the table and the metadata: 104 bytes, and 96.
    assert_eq!(bound(bench.give(send(&[80]))), "message");
    bench.fine(send(&[72]));
}

#[test]
fn outputs_that_nobody_takes_are_bounded() {
    let mut config = Config::default();
    config.limits.outputs = 2;
    let mut bench = Bench::new(config, To::Site(site("a")));
    bench.send(1).unwrap();
    bench.fine(Input::Ready(ONE));
    for input in [Input::Connect, Input::Closed(ONE), Input::CloseNow, Input::Timeout] {
        assert_eq!(bench.give(input), bench.give(Input::Close));
    }
    assert!(is_misuse(bench.give(Input::CloseNow)));
    bench.outputs();
    bench.fine(Input::CloseNow);
}

#[test]
fn links_that_nobody_has_asked_for_are_misuse() {
    for state in ALL {
        let mut bench = Bench::at(state);
        let inputs = [Input::Ready, Input::Closed, Input::Congested, Input::Drained];
        for input in inputs {
            assert!(is_misuse(bench.give(input(LinkId(7)))), "{state:?}");
        }
        assert!(is_misuse(bench.answer(on(LinkId(7)), 0, "")), "{state:?}");
    }
    let mut bench = Bench::at(State::Dialling);
    assert!(is_misuse(bench.answer(on(ONE), 0, "")), "nothing comes before it is ready");
    bench.fine(Input::Ready(ONE));
    assert!(is_misuse(bench.give(Input::Ready(ONE))), "it is ready once");
}
