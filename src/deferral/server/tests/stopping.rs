//! Draining and stopping (5.5).

use super::*;

#[test]
fn each_row() {
    for row in TABLE.rows {
        assert_eq!(step(row.from, row.event), Ok(row.to));
        let mut bench = Bench::new(alone());
        match row.from {
            State::Serving => {}
            State::Draining => bench.fine(Input::Drain),
            State::Stopped => bench.fine(Input::Stop { random: 1 }),
        }
        assert_eq!(bench.server.state(), row.from);
        bench.fine(match row.event {
            TableEvent::Drain => Input::Drain,
            TableEvent::Serve => Input::Serve,
            TableEvent::Stop => Input::Stop { random: 1 },
        });
        assert_eq!((bench.server.state(), bench.says()), (row.to, Vec::new()), "{row:?}");
    }
}

#[test]
fn who_drains_sends_on_all_that_have_no_priority() {
    // Who has nothing to do prefers others; who has is busy.
    for (waiting, kind) in [(None, DeferKind::PREFER_OTHER), (Some(1), DeferKind::BUSY)] {
        let mut bench = waiting.map_or_else(|| Bench::new(config()), |count| Bench::with_line(config(), count));
        bench.fine(Input::Drain);
        for (flags, able) in [(PLAIN, &["rw", "x"][..]), (READ, &["r", "rw", "x"])] {
            bench.asks(TWO, request(20, flags));
            let defer = bench.defers();
            assert_eq!(defer.kind, kind);
            assert_eq!(names(&defer.alternates), able);
        }
    }
    let mut bench = Bench::with_line(config(), 1);
    bench.fine(Input::Drain);
    bench.asks(TWO, request(20, PRIORITY));
    assert_eq!(bench.says(), [(TWO, queued(20, 1, 2000))]);
    // Who is here already is served.
    bench.ends(1);
    assert_eq!(bench.drain().executes, [(JobId(2), key(1))]);
}

#[test]
fn who_stops_sends_on_all_that_wait_and_ends_what_runs() {
    let mut bench = Bench::with_line(Config { receipt: Bytes::from_static(b"r"), ..config() }, 2);
    bench.asks(LinkId(3), Request { deadline_ms: 100, ..request(3, PRIORITY | READ) });
    bench.drain();
    bench.fine(Input::Stop { random: 4 });
    let said = bench.says();
    let able: [&[&str]; 3] = [&["rw", "x"], &["rw", "x"], &["r", "rw", "x"]];
    assert_eq!(said.len(), 3);
    for (at, ((link, message), able)) in (1..).zip(said.iter().zip(able)) {
        let Message::Defer(defer) = message else { panic!("{message:?}") };
        assert_eq!((*link, defer.key, defer.kind), (LinkId(at), key(at.try_into().unwrap()), DeferKind::NO_SERVICE));
        assert_eq!(names(&defer.alternates), able);
    }
    assert_eq!((bench.server.queued(), bench.server.running(), bench.server.poll_timeout()), (0, 1, None));
    bench.asks(TWO, request(20, PRIORITY));
    assert_eq!(bench.defers().kind, DeferKind::NO_SERVICE);
    // Who comes again hears how it ended.
    bench.ends(1);
    bench.asks(TWO, request(0, AGAIN));
    assert_eq!(bench.says(), [(LinkId(0), ended(0, 7)), (TWO, ended(0, 7))]);
    bench.fine(Input::Serve);
    bench.asks(TWO, request(20, PLAIN));
    assert_eq!(bench.drain().executes, [(JobId(2), key(20))]);
}

#[test]
fn a_clock_that_goes_backwards_is_held() {
    let mut bench = Bench::at_work(alone());
    bench.now = Instant::from_micros(1_000_000);
    bench.fine(Input::Drain);
    bench.now = Instant::ZERO;
    bench.asks(ONE, Request { deadline_ms: 1, ..request(1, PRIORITY) });
    assert_eq!(bench.server.poll_timeout(), Some(Instant::from_micros(1_001_000)));
}
