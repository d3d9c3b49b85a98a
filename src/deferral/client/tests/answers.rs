//! What a server may answer, and when (4.1, 4.2).

use super::*;

/// A server says this at first, and the command is done.
fn done_after(messages: &[fn(&mut Bench)]) -> (Vec<Event>, State) {
    let mut bench = Bench::at(State::Waiting);
    messages.iter().for_each(|say| say(&mut bench));
    let state = bench.client.state();
    (bench.drain().events, state)
}

fn executing(bench: &mut Bench) {
    bench.say(Message::Executing(bench.signal()));
}

#[test]
fn a_command_is_carried_out() {
    let queued = |bench: &mut Bench| bench.queued(2);
    let (events, state) = done_after(&[queued, executing, |bench| bench.data(b"piece"), |bench| bench.done(-3)]);
    let estimate = Some(Duration::from_millis(5));
    let end = Outcome::Done { server: uri("a"), status: -3, text: Text::fitting("end"), complete: true };
    let expected = [
        Event::Queued { server: uri("a"), position: 2, estimate },
        Event::Executing(uri("a")),
        Event::Data(Piece(Bytes::from_static(b"piece"))),
        Event::Ended(end),
    ];
    assert_eq!((events, state), (expected.to_vec(), State::Ended));
}

#[test]
fn a_result_says_that_it_is_carried_out() {
    for (say, state) in
        [((|bench| bench.data(b"")) as fn(&mut Bench), State::Executing), (|bench| bench.done(0), State::Ended)]
    {
        for before in [State::Waiting, State::Queued] {
            let mut bench = Bench::at(before);
            say(&mut bench);
            let events = bench.drain().events;
            assert_eq!(events.first(), Some(&Event::Executing(uri("a"))));
            assert_eq!(bench.client.state(), state);
        }
    }
}

#[test]
fn the_place_in_line_may_change() {
    let mut bench = Bench::at(State::Queued);
    bench.queued(2);
    bench.say(Message::Queued(Queued {
        key: bench.client.key,
        position: 1,
        estimate_ms: None,
        extensions: Extensions::NONE,
    }));
    let estimate = Some(Duration::from_millis(5));
    let expected = [
        Event::Queued { server: uri("a"), position: 2, estimate },
        Event::Queued { server: uri("a"), position: 1, estimate: None },
    ];
    assert_eq!(bench.drain().events, expected);
}

#[test]
fn whoever_waits_in_line_may_be_deferred_refused_or_continued() {
    let answers: [fn(&mut Bench); 4] = [
        |bench| bench.declines(&[]),
        |bench| bench.is_busy(&[]),
        |bench| bench.refused(RefusalCode::DEADLINE),
        |bench| bench.continues(&[]),
    ];
    for answer in answers {
        let mut bench = Bench::at(State::Queued);
        answer(&mut bench);
        assert_eq!(bench.client.state(), State::Dialling);
        bench.asks("b");
    }
}

#[test]
fn a_command_that_is_carried_out_may_be_continued() {
    let mut bench = Bench::at(State::Executing);
    bench.continues(&[]);
    let Drained { dials, closed, .. } = bench.drain();
    assert_eq!((dials, closed), (uris(&["b"]), Vec::from([LinkId(1)])));
}

#[test]
fn refusals_that_others_need_not_share() {
    for code in [RefusalCode::DEADLINE, RefusalCode::OVERLOADED] {
        let mut bench = Bench::at(State::Waiting);
        bench.refused(code);
        bench.asks("b");
        bench.declines(&[]);
        assert_eq!(bench.fails().declined, uris(&["a", "b"]), "{code}");
    }
}

#[test]
fn refusals_for_good() {
    let codes =
        [RefusalCode::BAD_REQUEST, RefusalCode::UNAUTHORIZED, RefusalCode::DUPLICATE, RefusalCode(99), RefusalCode(0)];
    for code in codes {
        let mut bench = Bench::at(State::Waiting);
        bench.refused(code);
        let Outcome::Failed(failure, report) = bench.outcome() else { panic!("{code}") };
        assert_eq!(failure, Failure::Refused { server: uri("a"), code, text: Text::fitting("no") });
        assert_eq!((report.declined, report.untried), (uris(&["a"]), uris(&["b"])));
    }
}

/// The application looks at a command when it is to be carried out.
#[test]
fn a_refusal_may_come_at_the_last_moment() {
    let mut bench = Bench::at(State::Executing);
    bench.refused(RefusalCode::BAD_REQUEST);
    assert!(matches!(bench.outcome(), Outcome::Failed(Failure::Refused { code: RefusalCode::BAD_REQUEST, .. }, _)));

    let mut bench = Bench::at(State::Executing);
    bench.refused(RefusalCode::OVERLOADED);
    bench.asks("b");

    let mut bench = Bench::at(State::Executing);
    bench.fine(Input::Cancel);
    bench.refused(RefusalCode::UNAUTHORIZED);
    bench.is_cancelled(0);
}

#[test]
fn a_stranger_need_not_know_who_we_are() {
    let mut bench = Bench::of(&["a"]);
    bench.asks("a");
    bench.declines(&["b", "c"]);
    bench.asks("b");
    bench.refused(RefusalCode::UNAUTHORIZED);
    bench.asks("c");
}

#[test]
fn what_a_server_has_forgotten_may_have_been_carried_out() {
    let mut bench = Bench::at(State::Waiting);
    bench.refused(RefusalCode::FORGOTTEN);
    assert_eq!(bench.is_unsure_of("a").declined, uris(&["a"]));
}

/// Nothing is wrong with asking another one; but if nobody does it, that is not to say that nobody has.
#[test]
fn harmless_commands_go_on_after_a_duplicate_or_what_was_forgotten() {
    for code in [RefusalCode::DUPLICATE, RefusalCode::FORGOTTEN] {
        let mut bench = Bench::new(anywhere(), harmless(&["a", "b"]));
        bench.asks("a");
        bench.refused(code);
        bench.asks("b");
        bench.declines(&[]);
        bench.fails();

        let mut bench = Bench::new(anywhere(), idempotent(&["a", "b"]));
        bench.asks("a");
        bench.refused(code);
        bench.asks("b");
        bench.declines(&[]);
        assert_eq!(bench.is_unsure_of("a").declined, uris(&["a", "b"]));
    }
}

#[test]
fn what_is_about_another_command_is_skipped() {
    let mut bench = Bench::at(State::Waiting);
    let before = bench.client.clone();
    let other = |id, epoch| RequestKey { id: RequestId([id; 16]), epoch };
    for key in [other(7, 1), other(8, 0)] {
        bench.say(Message::Executing(key.into()));
        bench.say(Message::End(End { key, status: 0, text: Text::EMPTY, extensions: Extensions::NONE }));
    }
    bench.say(Message::Unknown { kind: crate::deferral::ids::MessageKind(0x99), body: Bytes::new() });
    assert!(bench.client == before);
}

/// Everything that a server must not say, where.
fn violations() -> Vec<(State, Message)> {
    let key = RequestKey { id: RequestId([7; 16]), epoch: 0 };
    let queued = Message::Queued(Queued { key, position: 0, estimate_ms: None, extensions: Extensions::NONE });
    let defer = |kind| Message::Defer(Box::new(defer(kind, &[])));
    let without = Message::Defer(Box::new(Defer { kind: DeferKind::BUSY, ..super::defer(DeferKind::CONTINUE, &[]) }));
    let nothing = Message::Defer(Box::new(Defer { next: None, ..super::defer(DeferKind::CONTINUE, &[]) }));
    let request = Message::Request(Box::new(Request::new(key, command("help"))));
    let mut list = Vec::from([
        (State::Executing, queued),
        (State::Executing, Message::Executing(key.into())),
        (State::Executing, defer(DeferKind::BUSY)),
        (State::Executing, defer(DeferKind::NO_SERVICE)),
        (State::Executing, defer(DeferKind::PREFER_OTHER)),
        (State::Executing, defer(DeferKind(9))),
    ]);
    for state in [State::Waiting, State::Queued, State::Executing] {
        list.push((state, Message::Cancelled(key.into())));
        list.push((state, Message::Cancel(key.into())));
        list.push((state, request.clone()));
        list.push((state, without.clone()));
        list.push((state, nothing.clone()));
    }
    list
}

#[test]
fn who_breaks_the_protocol_may_have_done_anything() {
    for (state, message) in violations() {
        let mut bench = Bench::at(state);
        let said = violation(bench.hears(message.clone()));
        assert_eq!(said.state, state.name());
        let Drained { closed, events, .. } = bench.drain();
        assert_eq!(closed, [LinkId(1)]);
        let [Event::Ended(Outcome::Indeterminate { server, report })] = &events[..] else { panic!("{events:?}") };
        assert_eq!((server, &report.violators[..]), (&uri("a"), &uris(&["a"])[..]), "{message:?}");
    }
}

#[test]
fn a_harmless_command_goes_on_after_who_breaks_the_protocol() {
    for (state, message) in violations() {
        for task in [harmless(&["a", "b"]), idempotent(&["a", "b"])] {
            let read_only = task.read_only;
            let mut bench = Bench::new(anywhere(), task);
            bench.asks("a");
            match state {
                State::Queued => bench.queued(0),
                State::Executing => executing(&mut bench),
                _ => {}
            }
            violation(bench.hears(message.clone()));
            bench.asks("b");
            bench.declines(&["a"]);
            let report = if read_only { bench.fails() } else { bench.is_unsure_of("a") };
            assert_eq!((report.violators, report.declined), (uris(&["a"]), uris(&["b"])));
        }
    }
}

/// P9: whatever becomes of the servers, each is in one list.
#[test]
fn a_report_says_of_every_server_once_what_became_of_it() {
    let mut bench = Bench::new(
        Config { policy: Policy { hosts: Hosts::Any, ..Policy::default() }, ..Config::default() },
        harmless(&["declined", "dead", "busy", "violator", "lazy", "untried"]),
    );
    bench.asks("declined");
    bench.defers(Defer {
        alternates: Vec::from([Alternate::new(uri("localhost")), Alternate::new(uri("http://weaker"))]),
        ..defer(DeferKind::NO_SERVICE, &[])
    });
    bench.asks("dead");
    bench.loses();
    bench.asks("busy");
    bench.is_busy(&[]);
    bench.asks("violator");
    violation(bench.hears(Message::Cancelled(bench.signal())));
    bench.asks_as("lazy", peer(1, None));
    bench.prefers(&["other-name"]);
    bench.drain();
    let report = bench.client.report();
    assert_eq!(report.untried, uris(&["untried", "other-name"]));
    let rest = [report.declined, report.dead, report.violators, report.aliases, report.denied, report.busy];
    let expected: [&[&str]; 6] =
        [&["declined"], &["dead"], &["violator"], &[], &["localhost", "http://weaker"], &["busy", "lazy"]];
    assert_eq!(rest, expected.map(uris));
}
