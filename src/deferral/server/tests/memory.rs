//! Requests that come again (5.4).

use super::*;

#[test]
fn what_waits_goes_to_the_link_on_which_it_comes_again() {
    for flags in [AGAIN, READ, RequestFlags::IDEMPOTENT] {
        let mut bench = Bench::at_work(alone());
        bench.asks(ONE, request(1, flags & !AGAIN));
        bench.asks(TWO, request(2, PLAIN));
        bench.drain();
        bench.asks(LinkId(3), request(1, flags));
        // Its place is the same.
        assert_eq!(bench.says(), [(LinkId(3), queued(1, 0, 1000))]);
        // The old link has nothing to do with it any more.
        bench.cancels(ONE, 1);
        bench.fine(Input::Closed(ONE));
        assert_eq!((bench.says(), bench.server.queued()), (Vec::new(), 2));
        bench.ends(1);
        let Drained { sent, .. } = bench.drain();
        assert_eq!(sent.last(), Some(&(LinkId(3), executing(1))));
    }
}

#[test]
fn who_comes_twice_without_saying_so_is_refused() {
    let mut bench = Bench::with_line(alone(), 1);
    for number in [0, 1] {
        bench.asks(TWO, request(number, PLAIN));
        assert_eq!(bench.says(), [(TWO, refused(number, RefusalCode::DUPLICATE))]);
    }
    assert_eq!((bench.server.queued(), bench.server.running()), (1, 1));
}

#[test]
fn what_is_carried_out_goes_on_for_the_link_on_which_it_comes_again() {
    let mut bench = Bench::at_work(alone());
    bench.asks(TWO, request(0, AGAIN));
    assert_eq!(bench.says(), [(TWO, executing(0))]);
    bench.fine(Input::Closed(LinkId(0)));
    assert_eq!(bench.says(), []);
    bench.ends(1);
    assert_eq!(bench.says(), [(TWO, ended(0, 7))]);
}

#[test]
fn an_orphan_goes_to_whoever_asks_for_it() {
    let mut bench = Bench::at_work(alone());
    bench.fine(Input::Closed(LinkId(0)));
    bench.drain();
    bench.asks(TWO, request(0, PLAIN));
    assert_eq!(bench.says(), [(TWO, executing(0))]);
    // Lost again: the application knows that already.
    bench.fine(Input::Closed(TWO));
    assert_eq!(bench.says(), []);
}

#[test]
fn a_harmless_command_begins_anew() {
    for harmless in [READ, RequestFlags::IDEMPOTENT] {
        let mut bench = Bench::new(Config { slots: 2, ..alone() });
        bench.asks(ONE, request(1, harmless));
        bench.drain();
        bench.asks(TWO, request(1, harmless | AGAIN));
        let Drained { sent, executes, abandoned, .. } = bench.drain();
        assert_eq!((sent, executes), (Vec::from([(TWO, executing(1))]), Vec::from([(JobId(2), key(1))])));
        assert_eq!(abandoned, [JobId(1)]);
        // The old one ends for nobody; the new one is known all the same.
        bench.data(1);
        bench.ends(1);
        assert_eq!(bench.says(), []);
        bench.ends(2);
        assert_eq!(bench.says(), [(TWO, ended(1, 7))]);
        assert_eq!(bench.server.poll_timeout(), None);
    }
}

#[test]
fn what_was_to_be_done_once_does_not_begin_anew_because_it_is_called_harmless_later() {
    let mut bench = Bench::new(Config { slots: 2, ..alone() });
    bench.asks(ONE, request(1, PLAIN));
    bench.drain();
    bench.asks(TWO, request(1, READ));
    assert_eq!(bench.says(), [(TWO, refused(1, RefusalCode::DUPLICATE))]);
    bench.asks(TWO, request(1, READ | AGAIN));
    assert_eq!(bench.says(), [(TWO, executing(1))]);
}

#[test]
fn a_harmless_command_that_begins_anew_may_have_to_wait() {
    let mut bench = Bench::new(alone());
    bench.asks(ONE, request(1, READ));
    bench.drain();
    bench.asks(TWO, request(1, READ));
    let Drained { sent, abandoned, .. } = bench.drain();
    assert_eq!((sent, abandoned), (Vec::from([(TWO, queued(1, 0, 1000))]), Vec::from([JobId(1)])));
    bench.ends(1);
    assert_eq!(bench.drain().executes, [(JobId(2), key(1))]);
}

/// How each job may end, and what is said then.
fn ends() -> [Input; 3] {
    let job = JobId(1);
    [
        Input::End { job, status: 7, text: Text::EMPTY },
        Input::Continue { job, next: command("next"), read_only: false, random: 3 },
        Input::Refuse { job, code: RefusalCode::UNAUTHORIZED, text: Text::EMPTY },
    ]
}

#[test]
fn how_it_ended_is_said_again_and_again() {
    for end in ends() {
        let mut bench = Bench::at_work(config());
        bench.fine(end);
        let first = bench.says();
        for flags in [AGAIN, PLAIN, AGAIN | PRIORITY] {
            bench.asks(TWO, request(0, flags));
            assert_eq!(bench.says(), [(TWO, first[0].1.clone())]);
        }
        // Another epoch is another command.
        let next = RequestKey { epoch: 1, ..key(0) };
        bench.asks(TWO, Request { key: next, ..request(0, PLAIN) });
        assert_eq!(bench.drain().executes, [(JobId(2), next)]);
    }
}

#[test]
fn an_end_that_nobody_heard_is_said_to_who_comes_again() {
    let mut bench = Bench::at_work(alone());
    bench.fine(Input::Closed(LinkId(0)));
    bench.ends(1);
    bench.drain();
    bench.asks(TWO, request(0, AGAIN));
    assert_eq!(bench.says(), [(TWO, ended(0, 7))]);
}

#[test]
fn what_does_no_harm_is_not_remembered() {
    for flags in [READ, RequestFlags::IDEMPOTENT] {
        let mut bench = Bench::new(alone());
        bench.asks(ONE, request(1, flags));
        bench.ends(1);
        bench.drain();
        assert_eq!(bench.server.poll_timeout(), None);
        bench.asks(ONE, request(1, flags | AGAIN));
        assert_eq!(bench.drain().executes, [(JobId(2), key(1))]);
    }
}

#[test]
fn what_was_never_here_is_carried_out_as_long_as_nothing_was_forgotten() {
    let mut bench = Bench::new(alone());
    bench.asks(ONE, request(1, AGAIN));
    assert_eq!(bench.drain().executes, [(JobId(1), key(1))]);
}

#[test]
fn an_end_is_forgotten_in_time_and_then_nobody_is_sure_any_more() {
    let mut bench = Bench::at_work(Config { slots: 9, ..alone() });
    bench.ends(1);
    bench.drain();
    assert_eq!(bench.server.poll_timeout(), Some(Instant::ZERO.saturating_add(Config::default().remember)));
    bench.passes(Config::default().remember - Duration::from_micros(1));
    bench.fine(Input::Timeout);
    bench.asks(ONE, request(0, AGAIN));
    assert_eq!(bench.says(), [(ONE, ended(0, 7))]);
    bench.passes(Duration::from_micros(1));
    bench.fine(Input::Timeout);
    assert_eq!(bench.server.poll_timeout(), None);
    for number in [0, 5] {
        bench.asks(ONE, request(number, AGAIN));
        assert_eq!(bench.says(), [(ONE, refused(number, RefusalCode::FORGOTTEN))]);
    }
    // What does no harm is done, and what says that it is new.
    for (number, flags) in [(5, AGAIN | READ), (6, PLAIN)] {
        bench.asks(ONE, request(number, flags));
        assert_eq!(bench.drain().executes.len(), 1);
    }
}

#[test]
fn no_more_ends_are_remembered_than_the_limit() {
    for remembered in 0..3_u8 {
        let limits = DeferralLimits { remembered: remembered.into(), ..DeferralLimits::DEFAULT };
        let mut bench = Bench::new(Config { limits, ..alone() });
        for number in 0..5 {
            bench.asks(ONE, request(number, PLAIN));
            bench.ends(u32::from(number) + 1);
        }
        bench.drain();
        for number in 0..5 {
            bench.asks(TWO, request(number, AGAIN));
            let known = number >= 5 - remembered;
            let expected = if known { ended(number, 7) } else { refused(number, RefusalCode::FORGOTTEN) };
            assert_eq!(bench.says(), [(TWO, expected)]);
        }
    }
}

#[test]
fn what_was_sent_on_is_not_remembered() {
    let mut bench = Bench::at_work(Config { busy_threshold: Duration::ZERO, ..config() });
    bench.asks(ONE, request(1, PLAIN));
    assert_eq!(bench.defers().kind, DeferKind::BUSY);
    bench.asks(ONE, request(1, PRIORITY));
    assert_eq!(bench.says(), [(ONE, queued(1, 0, 1000))]);
}

#[test]
fn a_copy_that_comes_late_is_not_carried_out() {
    for (flags, later) in [(PLAIN, PRIORITY), (PRIORITY, PRIORITY)] {
        // It comes again on another link before it has come at all, and is sent on.
        let abilities = ServerAbilities::READ;
        let mut bench = Bench::new(Config { abilities, ..config() });
        bench.asks(TWO, request(1, AGAIN | flags));
        bench.defers();
        // What was under way on the lost link comes all the same: somebody else has it by now.
        bench.asks(ONE, request(1, flags));
        assert_eq!(bench.says(), [(ONE, refused(1, RefusalCode::DUPLICATE))]);
        // Who has been round the block may come back, if it had not been before.
        bench.asks(TWO, request(1, later));
        let again = bench.says();
        assert_eq!(matches!(again[0].1, Message::Defer(_)), flags == PLAIN, "{again:?}");
        // And it is forgotten in time.
        bench.passes(Config::default().remember);
        bench.fine(Input::Timeout);
        bench.asks(ONE, request(1, PLAIN));
        bench.defers();
    }
    // Nor if it has waited in line, and was called off there.
    let mut bench = Bench::with_line(alone(), 0);
    bench.asks(TWO, request(1, AGAIN));
    bench.drain();
    bench.cancels(TWO, 1);
    assert_eq!(bench.says(), [(TWO, cancelled(1))]);
    bench.asks(ONE, request(1, PLAIN));
    assert_eq!(bench.says(), [(ONE, refused(1, RefusalCode::DUPLICATE))]);
}
