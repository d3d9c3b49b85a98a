//! The line, jobs, and cancels (5.3).

use super::*;

#[test]
fn a_job_is_carried_out_and_its_result_sent() {
    let mut bench = Bench::new(config());
    let credentials = Bytes::from_static(b"secret");
    let receipt = Bytes::from_static(b"was here");
    let referrer = Some(uri("other"));
    let flags = READ | RequestFlags::from_bits_retain(0x80);
    let whole = Request { credentials, receipt, referrer, ..request(1, flags) };
    bench.asks(ONE, whole.clone());
    assert_eq!(bench.server.poll_output(), Some(Output::Send { link: ONE, message: executing(1) }));
    let Some(Output::Event(Event::Execute(job))) = bench.server.poll_output() else { panic!() };
    let Request { key, command, credentials, receipt, referrer, .. } = whole;
    let credentials = Credentials(credentials);
    assert_eq!(*job, Job { id: JobId(1), key, flags, command, credentials, receipt, referrer });
    bench.data(1);
    bench.ends(1);
    let said = bench.says();
    assert!(matches!(&said[0], (ONE, Message::Data(data)) if &data.bytes[..] == b"piece"));
    assert_eq!((&said[1], said.len(), bench.server.running()), (&(ONE, ended(1, 7)), 2, 0));
}

#[test]
fn who_came_first_is_served_first() {
    let mut bench = Bench::with_line(alone(), 5);
    for number in 1..=5 {
        bench.ends(u32::from(number));
        let Drained { executes, .. } = bench.drain();
        assert_eq!(executes, [(JobId(u32::from(number) + 1), key(number))]);
    }
    bench.ends(6);
    assert_eq!((bench.server.queued(), bench.server.running()), (0, 0));
}

#[test]
fn a_short_wait_gives_no_place_before_others() {
    let mut bench = Bench::at_work(alone());
    for (number, flags) in [(1, PLAIN), (2, PRIORITY), (3, PLAIN)] {
        bench.asks(ONE, request(number, flags));
    }
    for number in 1..4 {
        bench.drain();
        bench.ends(u32::from(number));
        assert_eq!(bench.drain().executes, [(JobId(u32::from(number) + 1), key(number))]);
    }
}

#[test]
fn a_refused_or_continued_job_makes_room_too() {
    let refuse = Input::Refuse { job: JobId(1), code: RefusalCode::UNAUTHORIZED, text: Text::EMPTY };
    let next = Input::Continue { job: JobId(1), next: command("next"), read_only: true, random: 1 };
    for input in [refuse, next] {
        let mut bench = Bench::with_line(config(), 1);
        bench.fine(input);
        assert_eq!(bench.drain().executes, [(JobId(2), key(1))]);
    }
}

#[test]
fn a_continuation_names_those_who_may_be_able_to_go_on() {
    for (read_only, able) in [(true, &["r", "rw", "x"][..]), (false, &["rw", "x"])] {
        let mut bench = Bench::at_work(config());
        bench.fine(Input::Continue { job: JobId(1), next: command("next"), read_only, random: 1 });
        let defer = bench.defers();
        assert_eq!((defer.kind, defer.next), (DeferKind::CONTINUE, Some(command("next"))));
        assert_eq!(names(&defer.alternates), able);
    }
}

#[test]
fn who_waits_too_long_is_told_that_it_was_not_done() {
    let mut bench = Bench::at_work(alone());
    let within = |number, deadline_ms| Request { deadline_ms, ..request(number, PLAIN) };
    bench.asks(ONE, within(1, 0));
    bench.asks(ONE, within(2, 300));
    bench.asks(ONE, within(3, 200));
    bench.drain();
    assert_eq!(bench.server.poll_timeout(), Some(Instant::from_micros(200_000)));
    bench.passes(Duration::from_millis(199));
    bench.fine(Input::Timeout);
    assert_eq!(bench.says(), []);
    bench.passes(Duration::from_millis(1));
    bench.fine(Input::Timeout);
    assert_eq!(bench.says(), [(ONE, refused(3, RefusalCode::DEADLINE))]);
    bench.passes(Duration::from_secs(1));
    bench.fine(Input::Timeout);
    assert_eq!(bench.says(), [(ONE, refused(2, RefusalCode::DEADLINE))]);
    assert_eq!((bench.server.poll_timeout(), bench.server.queued()), (None, 1));
    // It may come again: nothing is known of it.
    bench.asks(ONE, within(2, 0));
    assert_eq!(bench.says(), [(ONE, queued(2, 1, 2000))]);
}

#[test]
fn a_deadline_in_line_is_none_for_what_is_carried_out() {
    let mut bench = Bench::new(alone());
    bench.asks(ONE, Request { deadline_ms: 1, ..request(1, PLAIN) });
    assert_eq!(bench.server.poll_timeout(), None);
    bench.asks(ONE, Request { deadline_ms: 9, ..request(2, PLAIN) });
    bench.ends(1);
    let Drained { executes, .. } = bench.drain();
    assert_eq!((executes.len(), bench.server.running()), (2, 1));
}

#[test]
fn whose_deadline_has_passed_is_not_let_in_even_if_nobody_has_called() {
    let mut bench = Bench::at_work(alone());
    bench.asks(ONE, Request { deadline_ms: 9, ..request(1, PLAIN) });
    bench.asks(TWO, request(2, PLAIN));
    bench.drain();
    bench.passes(Duration::from_millis(9));
    bench.ends(1);
    let Drained { sent, executes, .. } = bench.drain();
    let expected = [(LinkId(0), ended(0, 7)), (ONE, refused(1, RefusalCode::DEADLINE)), (TWO, executing(2))];
    assert_eq!((sent, executes), (expected.to_vec(), Vec::from([(JobId(2), key(2))])));
}

#[test]
fn a_cancel_says_which_came_first() {
    let mut bench = Bench::with_line(alone(), 2);
    // It waits.
    bench.cancels(ONE, 1);
    assert_eq!(bench.says(), [(ONE, cancelled(1))]);
    // It is carried out.
    bench.cancels(LinkId(0), 0);
    assert_eq!(bench.drain(), Drained { abandoned: Vec::from([JobId(1)]), ..Drained::default() });
    bench.cancels(LinkId(0), 0);
    assert_eq!(bench.says(), []);
    bench.data(1);
    bench.ends(1);
    let Drained { sent, executes, .. } = bench.drain();
    assert_eq!((&sent[1], sent.len()), (&(LinkId(0), ended(0, 7)), 3));
    assert_eq!(executes, [(JobId(2), key(2))]);
    // It has ended, or was never here: what there was to say has been said.
    for number in [0, 30] {
        bench.cancels(LinkId(0), number);
        assert_eq!(bench.says(), []);
    }
}

#[test]
fn nobody_cancels_what_is_another_ones() {
    let mut bench = Bench::with_line(alone(), 1);
    let before = bench.server.clone();
    bench.cancels(TWO, 0);
    bench.cancels(TWO, 1);
    assert!(bench.server == before);
}

#[test]
fn whose_link_is_lost_waits_no_longer() {
    let mut bench = Bench::with_line(alone(), 2);
    bench.asks(ONE, request(3, PRIORITY));
    bench.drain();
    bench.fine(Input::Closed(ONE));
    assert_eq!((bench.says(), bench.server.queued()), (Vec::new(), 1));
    bench.ends(1);
    assert_eq!(bench.drain().executes, [(JobId(2), key(2))]);
}

#[test]
fn a_job_whose_link_is_lost_goes_on_for_nobody() {
    let mut bench = Bench::at_work(alone());
    bench.fine(Input::Closed(LinkId(0)));
    assert_eq!(bench.drain(), Drained { abandoned: Vec::from([JobId(1)]), ..Drained::default() });
    bench.fine(Input::Closed(LinkId(0)));
    bench.data(1);
    bench.ends(1);
    assert_eq!((bench.says(), bench.server.running()), (Vec::new(), 0));
}

#[test]
fn what_servers_say_is_no_business_of_clients() {
    let defer = Bench::new(config()).server.defer(key(0), DeferKind::BUSY, Vec::new());
    let messages = [
        executing(0),
        cancelled(0),
        queued(0, 1, 1),
        ended(0, 0),
        refused(0, RefusalCode::DEADLINE),
        Message::Defer(Box::new(defer)),
    ];
    for message in messages {
        let mut bench = Bench::with_line(alone(), 1);
        let Err(Error::Violation(violation)) = bench.give(Input::Message { link: ONE, message, random: 0 }) else {
            panic!()
        };
        assert_eq!((violation.state, violation.got), ("Serving", "what servers send"));
        let Drained { closed, sent, .. } = bench.drain();
        assert_eq!((closed, sent, bench.server.queued()), (Vec::from([ONE]), Vec::new(), 0));
        // That is said once.
        let late = Input::Message { link: ONE, message: Message::Cancel(key(0).into()), random: 0 };
        let again = bench.give(late.clone());
        assert!(matches!(again, Err(Error::Misuse(Misuse::Unknown { what: "link", id: 1 }))), "{again:?}");
        bench.fine(Input::Closed(ONE));
        bench.fine(late);
    }
}

#[test]
fn what_is_not_known_is_skipped() {
    let mut bench = Bench::with_line(alone(), 1);
    let before = bench.server.clone();
    let message = Message::Unknown { kind: crate::deferral::ids::MessageKind(0x99), body: Bytes::new() };
    bench.fine(Input::Message { link: ONE, message, random: 0 });
    assert!(bench.server == before);
}

#[test]
fn there_is_no_such_job() {
    let jobs = |job| {
        [
            Input::Data { job, bytes: Bytes::new() },
            Input::End { job, status: 0, text: Text::EMPTY },
            Input::Continue { job, next: command("next"), read_only: false, random: 0 },
            Input::Refuse { job, code: RefusalCode::BAD_REQUEST, text: Text::EMPTY },
        ]
    };
    let mut bench = Bench::at_work(alone());
    bench.ends(1);
    for input in jobs(JobId(1)).into_iter().chain(jobs(JobId(0))) {
        let result = bench.give(input);
        assert!(matches!(result, Err(Error::Misuse(Misuse::Unknown { what: "job", .. }))), "{result:?}");
    }
}

#[test]
fn a_full_outbox_takes_no_input() {
    let limits = DeferralLimits { outputs: 2, ..DeferralLimits::DEFAULT };
    let mut bench = Bench::new(Config { limits, ..alone() });
    bench.asks(ONE, request(1, PLAIN));
    for input in [Input::Drain, Input::Timeout, Input::Closed(ONE)] {
        assert!(matches!(bench.give(input), Err(Error::Misuse(Misuse::Limit(_)))));
    }
    bench.drain();
    bench.fine(Input::Drain);
}

#[test]
fn nothing_that_is_secret_or_the_applications_is_shown() {
    let secret = Bytes::from_static(b"0123456789abcdef");
    let mut bench = Bench::at_work(alone());
    let whole = Request { credentials: secret.clone(), receipt: secret.clone(), ..request(1, PLAIN) };
    let mut shown = Vec::new();
    bench.asks(ONE, whole);
    bench.asks(TWO, request(2, PLAIN));
    shown.push(alloc::format!("{:?}", bench.server));
    bench.ends(1);
    let data = Input::Data { job: JobId(2), bytes: secret };
    shown.push(alloc::format!("{data:?}"));
    bench.fine(data);
    shown.push(alloc::format!("{:?}", bench.server));
    while let Some(output) = bench.server.poll_output() {
        shown.push(alloc::format!("{output:?}"));
    }
    assert!(shown.iter().any(|text| text.contains("16 bytes")));
    for secret in ["0123456789abcdef", "48, 49, 50", "303132", "b\"argument"] {
        assert_eq!(shown.iter().find(|text| text.contains(secret)), None);
    }
}
