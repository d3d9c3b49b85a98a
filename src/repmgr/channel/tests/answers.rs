//! Requests, and what comes of them.

use super::*;

fn bulk() -> RequestOptions {
    RequestOptions { bulk: true, ..RequestOptions::default() }
}

fn limit(limit: u32) -> RequestOptions {
    RequestOptions { limit: Some(limit), ..RequestOptions::default() }
}

fn timeout(timeout: RequestTimeout) -> RequestOptions {
    RequestOptions { timeout, ..RequestOptions::default() }
}

#[test]
fn what_a_request_wants_stands_in_it() {
    let options = RequestOptions { timeout: RequestTimeout::Never, limit: Some(0), bulk: true };
    let mut bench = Bench::at(State::Open);
    bench.request_with(1, options).unwrap();
    let wanted = Wanted { tag: 0, bulk: true, limit: Some(0) };
    bench.wants([Output::Send { via: on(ONE), message: AppMessage::request(text(1), wanted) }]);
}

#[test]
fn each_answer_is_what_it_says() {
    let mut bench = Bench::at(State::Open);
    for (tag, code, failure) in [
        (0, ErrorCode::NO_SERVER, Failure::NoServer),
        (1, ErrorCode::KEY_EMPTY, Failure::NoAnswer),
        (2, ErrorCode::BUFFER_SMALL, Failure::TooLarge),
        (3, ErrorCode(12345), Failure::Other(ErrorCode(12345))),
    ] {
        bench.request(7).unwrap();
        bench.error(on(ONE), tag, code).unwrap();
        bench.wants([asked(on(ONE), tag, 7), completed(7, Err(failure))]);
    }
    for (tag, body) in [(4, "hello"), (5, "")] {
        bench.request(7).unwrap();
        bench.answer(on(ONE), tag, body).unwrap();
        bench.wants([asked(on(ONE), tag, 7), completed(7, Ok(single(body)))]);
    }
    assert_eq!((bench.channel.unanswered(), bench.channel.poll_timeout()), (0, None));
}

#[test]
fn bulk_answers_are_segments_or_malformed() {
    let mut bench = Bench::at(State::Open);
    let lists: [&[&str]; 4] = [&[], &[""], &["one", "", "three"], &["x"]];
    for (tag, segments) in (0..).zip(lists) {
        let segments: Segments = segments.iter().copied().collect();
        bench.request_with(1, bulk()).unwrap();
        bench.outputs();
        let answer = Answer::Response(AppResponse::bulk(tag, &segments).unwrap());
        bench.fine(Input::Received { via: on(ONE), answer });
        bench.wants([completed(1, Ok(Response::Bulk(segments)))]);
    }
    bench.request_with(1, bulk()).unwrap();
    bench.outputs();
    bench.answer(on(ONE), 4, "no table").unwrap();
    bench.wants([completed(1, Err(Failure::Malformed))]);
}

/// A responder that does not keep to the limit is no reason to hand out more than was wanted.
#[test]
fn an_answer_beyond_the_limit_is_too_large() {
    let mut bench = Bench::at(State::Open);
    for (tag, most, body, result) in [
        (0, 5, "hello", Ok(single("hello"))),
        (1, 4, "hello", Err(Failure::TooLarge)),
        (2, 0, "", Ok(single(""))),
        (3, 0, "x", Err(Failure::TooLarge)),
    ] {
        bench.request_with(1, limit(most)).unwrap();
        bench.outputs();
        bench.answer(on(ONE), tag, body).unwrap();
        bench.wants([completed(1, result)]);
    }
}

#[test]
fn answers_come_in_any_order() {
    let mut bench = Bench::at(State::Open);
    (0..4).for_each(|id| bench.request(id).unwrap());
    bench.outputs();
    for (tag, body) in [(2, "c"), (0, "a"), (3, "d"), (1, "b")] {
        bench.answer(on(ONE), tag, body).unwrap();
        bench.wants([completed(tag, Ok(single(body)))]);
    }
}

#[test]
fn a_tag_is_not_used_again() {
    let mut bench = Bench::at(State::Open);
    for tag in 0..5 {
        bench.request(1).unwrap();
        bench.answer(on(ONE), tag, "x").unwrap();
        bench.wants([asked(on(ONE), tag, 1), completed(1, Ok(single("x")))]);
    }
}

#[test]
fn an_answer_that_comes_twice_meets_nobody() {
    let mut bench = Bench::at(State::Open);
    bench.request(1).unwrap();
    bench.answer(on(ONE), 0, "first").unwrap();
    bench.request(1).unwrap();
    bench.outputs();
    bench.answer(on(ONE), 0, "second").unwrap();
    bench.error(on(ONE), 0, ErrorCode::KEY_EMPTY).unwrap();
    bench.wants([Output::Event(Event::Ignored), Output::Event(Event::Ignored)]);
    bench.answer(on(ONE), 1, "own").unwrap();
    bench.wants([completed(1, Ok(single("own")))]);
}

#[test]
fn an_answer_to_nothing_breaks_the_link() {
    let mut bench = Bench::at(State::Open);
    bench.send(5).unwrap();
    bench.request(1).unwrap();
    bench.outputs();
    for _ in 0..2 {
        let violation = bench.answer(on(ONE), 1, "x");
        if matches!(violation, Err(Error::Violation(_))) {
            bench.wants([Output::Close(ONE), completed(1, Err(UNANSWERED)), lost(ONE, 1)]);
        } else {
            assert!(is_misuse(violation), "it is said once");
        }
    }
    bench.request(2).unwrap();
    bench.wants([dial(TWO, "a")]);
}

#[test]
fn a_request_has_the_time_that_it_says() {
    let config = Config { request_timeout: Some(Duration::from_secs(2)), ..Config::default() };
    for (time, due) in [
        (RequestTimeout::Default, Some(2_000_000)),
        (RequestTimeout::After(Duration::from_millis(7)), Some(7000)),
        (RequestTimeout::After(Duration::ZERO), Some(0)),
        (RequestTimeout::Never, None),
    ] {
        let mut bench = Bench::new(config.clone(), To::Site(site("a")));
        bench.fine(Input::Connect);
        bench.fine(Input::Ready(ONE));
        bench.request_with(1, timeout(time)).unwrap();
        bench.outputs();
        assert_eq!(bench.channel.poll_timeout(), due.map(Instant::from_micros), "{time:?}");
        if due.is_some() {
            bench.due();
            bench.wants([completed(1, Err(Failure::Timeout { sent: true }))]);
        }
    }
    assert_eq!(Config::default().request_timeout, Some(Duration::from_secs(5)), "as in libdb");
}

#[test]
fn the_time_of_a_request_counts_from_when_it_is_accepted() {
    let mut bench = Bench::to_site();
    bench.request(1).unwrap();
    bench.after(4000);
    bench.request(2).unwrap();
    bench.due();
    bench.wants([dial(ONE, "a"), completed(1, Err(Failure::Timeout { sent: false }))]);
    // It was not sent, and it is not sent later.
    bench.fine(Input::Ready(ONE));
    bench.wants([asked(on(ONE), 0, 2)]);
    bench.due();
    assert_eq!(bench.now, Instant::from_micros(9_000_000));
    bench.wants([completed(2, Err(Failure::Timeout { sent: true }))]);
}

#[test]
fn a_late_answer_is_taken_off_the_link_and_meets_nobody() {
    let mut bench = Bench::at(State::Open);
    bench.request(1).unwrap();
    bench.due();
    bench.outputs();
    assert_eq!(bench.channel.unanswered(), 1);
    bench.request(1).unwrap();
    bench.wants([asked(on(ONE), 1, 1)]);
    bench.answer(on(ONE), 0, "late").unwrap();
    bench.wants([Output::Event(Event::Ignored)]);
    assert_eq!(bench.channel.unanswered(), 1);
    bench.answer(on(ONE), 1, "own").unwrap();
    bench.wants([completed(1, Ok(single("own")))]);
}

#[test]
fn a_lost_link_completes_all_its_requests_but_those_whose_time_was_up() {
    let mut bench = Bench::at(State::Open);
    bench.request_with(1, timeout(RequestTimeout::After(Duration::from_millis(1)))).unwrap();
    bench.request(2).unwrap();
    bench.request_with(3, timeout(RequestTimeout::Never)).unwrap();
    bench.due();
    bench.outputs();
    bench.fine(Input::Closed(ONE));
    bench.wants([completed(2, Err(UNANSWERED)), completed(3, Err(UNANSWERED)), lost(ONE, 0)]);
    assert_eq!((bench.channel.unanswered(), bench.channel.poll_timeout()), (0, None));
}

/// Also what was given up counts: its answer may still come.
#[test]
fn requests_without_answer_are_bounded() {
    let mut config = Config::default();
    config.limits.requests = 2;
    let mut bench = Bench::new(config, To::Site(site("a")));
    bench.request(1).unwrap();
    bench.fine(Input::Ready(ONE));
    bench.due();
    bench.fine(Input::Congested(ONE));
    bench.request(2).unwrap();
    assert_eq!(bound(bench.request(3)), "requests");
    bench.outputs();
    bench.answer(on(ONE), 0, "late").unwrap();
    bench.request(3).unwrap();
    bench.fine(Input::Drained(ONE));
    assert_eq!(bound(bench.request(4)), "requests");
    bench.fine(Input::Closed(ONE));
    bench.request(4).unwrap();
}

#[test]
fn several_deadlines_at_once() {
    let mut bench = Bench::at(State::Dialling);
    bench.send(1).unwrap();
    bench.request(2).unwrap();
    bench.request_with(3, timeout(RequestTimeout::After(Duration::from_secs(30)))).unwrap();
    bench.after(60_000);
    bench.fine(Input::Timeout);
    let late = Failure::Timeout { sent: false };
    bench.wants([completed(2, Err(late)), completed(3, Err(late)), dropped(1, DropReason::TimedOut)]);
    bench.fine(Input::Ready(ONE));
    assert_eq!((bench.outputs(), bench.channel.poll_timeout()), (Vec::new(), None));
}

#[test]
fn early_timeouts_change_nothing_and_time_goes_forwards() {
    let mut bench = Bench::at(State::Open);
    bench.now = Instant::from_micros(1_000_000);
    bench.request(1).unwrap();
    bench.outputs();
    let before = bench.channel.clone();
    bench.now = Instant::from_micros(5_999_999);
    bench.fine(Input::Timeout);
    assert!(before == bench.channel);
    bench.now = Instant::ZERO;
    bench.request(2).unwrap();
    bench.outputs();
    bench.due();
    assert_eq!(bench.now, Instant::from_micros(6_000_000));
    let late = Failure::Timeout { sent: true };
    bench.wants([completed(1, Err(late)), completed(2, Err(late))]);
}
