//! Whom it asks, and in which order (4.3).

use super::*;

#[test]
fn the_first_server_is_asked_first_and_its_alternates_last() {
    let mut bench = Bench::of(&["a", "b"]);
    bench.asks("a");
    bench.declines(&["c", "d"]);
    for name in ["b", "c", "d"] {
        bench.asks(name);
        bench.declines(&[]);
    }
    assert_eq!(bench.fails().declined, uris(&["a", "b", "c", "d"]));
}

#[test]
fn each_deferral_is_told_with_its_reason() {
    let kinds = [DeferKind::BUSY, DeferKind::NO_SERVICE, DeferKind::PREFER_OTHER, DeferKind(77), DeferKind::CONTINUE];
    for kind in kinds {
        let mut bench = Bench::of(&["a", "b"]);
        bench.asks("a");
        bench.defers(defer(kind, &[]));
        let Drained { dials, closed, events, .. } = bench.drain();
        let told = Event::Deferred { server: uri("a"), kind, reason: Text::fitting("a reason") };
        let next = (kind == DeferKind::CONTINUE).then(|| Event::Continued(command("next")));
        assert_eq!(events, core::iter::once(told).chain(next).collect::<Vec<_>>());
        assert_eq!((dials, closed), (uris(&["b"]), Vec::from([LinkId(1)])), "{kind:?}");
    }
}

#[test]
fn a_deferral_of_an_unknown_kind_is_a_refusal_to_serve() {
    let mut bench = Bench::of(&["a"]);
    bench.asks("a");
    bench.defers(defer(DeferKind(9), &[]));
    assert_eq!(bench.fails().declined, uris(&["a"]));
}

#[test]
fn the_second_round_has_priority_and_begins_with_who_only_prefers_others() {
    let mut bench = Bench::of(&["a", "b", "c", "d", "e"]);
    let busy = |estimate_ms| Defer { estimate_ms, ..defer(DeferKind::BUSY, &[]) };
    bench.asks("a");
    bench.defers(busy(None));
    bench.asks("b");
    bench.defers(busy(Some(900)));
    bench.asks("c");
    bench.declines(&[]);
    bench.asks("d");
    bench.defers(busy(Some(100)));
    let request = bench.asks("e");
    assert!(!request.flags.contains(RequestFlags::PRIORITY) && !bench.client.priority());
    bench.prefers(&[]);
    let events = bench.drain().events;
    let ask = Event::AskWait { busy: 4, estimate: Some(Duration::from_millis(100)) };
    assert_eq!((events.last(), bench.client.state()), (Some(&ask), State::Asking));
    bench.due_in(Config::default().ask_timeout);
    bench.fine(Input::Wait(true));
    for name in ["e", "d", "b", "a"] {
        let request = bench.asks(name);
        assert!(request.flags.contains(RequestFlags::PRIORITY) && bench.client.priority());
        bench.declines(&[]);
    }
    assert_eq!(bench.fails().declined, uris(&["a", "b", "c", "d", "e"]));
}

#[test]
fn who_waits_unasked_is_not_asked() {
    let mut bench = Bench::new(Config { wait_unasked: true, ..anywhere() }, task(&["a"]));
    bench.asks("a");
    bench.is_busy(&[]);
    assert!(bench.asks("a").flags.contains(RequestFlags::PRIORITY));
}

#[test]
fn who_does_not_want_to_wait_has_given_up() {
    let mut bench = Bench::at(State::Asking);
    bench.fine(Input::Wait(false));
    bench.is_cancelled(0);

    let mut bench = Bench::at(State::Asking);
    bench.due();
    bench.is_cancelled(0);
}

#[test]
fn nobody_is_asked_to_wait_for_nobody() {
    let mut bench = Bench::of(&["a", "b"]);
    bench.asks("a");
    bench.declines(&[]);
    bench.drain();
    bench.loses();
    let report = bench.fails();
    assert_eq!((report.declined, report.dead), (uris(&["a"]), uris(&["b"])));
}

#[test]
fn there_is_no_third_round() {
    for kind in [DeferKind::BUSY, DeferKind::PREFER_OTHER] {
        let mut bench = Bench::at(State::Asking);
        bench.fine(Input::Wait(true));
        bench.asks("a");
        bench.defers(defer(kind, &["b"]));
        // Who is named only now is asked with priority, too.
        assert!(bench.asks("b").flags.contains(RequestFlags::PRIORITY));
        bench.declines(&[]);
        let report = bench.fails();
        assert_eq!((report.violators, report.declined), (uris(&["a"]), uris(&["b"])), "{kind:?}");
    }
}

#[test]
fn a_server_that_names_itself_is_not_asked_again() {
    let mut bench = Bench::of(&["a"]);
    bench.asks("a");
    bench.declines(&["a", "b", "a"]);
    bench.asks("b");
    bench.declines(&["b", "a"]);
    assert_eq!(bench.fails().declined, uris(&["a", "b"]));
}

#[test]
fn a_server_that_is_dead_stays_dead() {
    let mut bench = Bench::of(&["a", "b"]);
    bench.drain();
    bench.loses();
    bench.asks("b");
    bench.continues(&["a"]);
    assert_eq!(bench.asks("b").key.epoch, 1);
    bench.declines(&["a"]);
    assert_eq!(bench.fails().dead, uris(&["a"]));
}

#[test]
fn a_continuation_begins_anew_with_the_named_ones_and_ends_with_who_has_continued() {
    let mut bench = Bench::of(&["a", "b", "c", "d", "e", "f"]);
    bench.asks("a");
    bench.is_busy(&[]);
    bench.asks("b");
    bench.declines(&[]);
    bench.asks("c");
    bench.prefers(&[]);
    bench.drain();
    bench.loses();
    bench.asks("e");
    // "d" is dead, "f" untried, "a" known and named.
    bench.continues(&["x", "a", "d", "e"]);
    assert_eq!(bench.client.epoch(), 1);
    for name in ["x", "a", "f", "c", "b", "e"] {
        let request = bench.asks(name);
        assert_eq!((request.key.epoch, request.command), (1, command("next")));
        assert_eq!(request.flags, RequestFlags::empty());
        bench.declines(&[]);
    }
    assert_eq!(bench.fails().dead, uris(&["d"]));
}

#[test]
fn a_lone_server_may_continue() {
    let mut bench = Bench::of(&["a"]);
    bench.asks("a");
    bench.continues(&[]);
    assert_eq!(bench.asks("a").command, command("next"));
    bench.done(0);
    assert!(matches!(bench.outcome(), Outcome::Done { status: 0, .. }));
}

#[test]
fn who_has_waited_loses_the_priority_with_a_continuation_or_keeps_it() {
    for keep_priority in [false, true] {
        let mut bench = Bench::new(Config { keep_priority, ..anywhere() }, task(&["a"]));
        bench.asks("a");
        bench.is_busy(&[]);
        bench.waits();
        bench.asks("a");
        bench.continues(&[]);
        assert_eq!(bench.asks("a").flags.contains(RequestFlags::PRIORITY), keep_priority);
        bench.is_busy(&[]);
        assert_eq!(bench.client.state(), if keep_priority { State::Ended } else { State::Asking });
    }
}

#[test]
fn who_wants_to_be_left_alone_is_passed_over_until_then() {
    let mut bench = Bench::of(&["a", "b"]);
    let alone = |retry_after_ms| Defer { retry_after_ms: Some(retry_after_ms), ..defer(DeferKind::BUSY, &[]) };
    bench.asks("a");
    bench.defers(alone(1000));
    bench.asks("b");
    bench.defers(Defer { estimate_ms: Some(9), ..alone(200) });
    bench.waits();
    bench.drain();
    assert_eq!(bench.client.state(), State::Pausing);
    bench.due_in(Duration::from_millis(200));
    // Too early.
    bench.now = Instant::from_micros(199_999);
    bench.fine(Input::Timeout);
    assert_eq!(bench.client.state(), State::Pausing);
    bench.due();
    bench.asks("b");
    // Meanwhile the time of the other one has come.
    bench.now = Instant::from_micros(1_000_000);
    bench.declines(&[]);
    bench.asks("a");
}

#[test]
fn nobody_is_left_alone_for_more_than_an_hour() {
    let mut bench = Bench::new(Config { wait_unasked: true, ..anywhere() }, task(&["a"]));
    bench.asks("a");
    bench.defers(Defer { retry_after_ms: Some(u32::MAX - 1), ..defer(DeferKind::BUSY, &[]) });
    bench.due_in(Duration::from_secs(3600));
    bench.due();
    bench.asks("a");
}

#[test]
fn an_estimate_is_at_most_an_hour() {
    let mut bench = Bench::of(&["a"]);
    bench.asks("a");
    bench.defers(Defer { estimate_ms: Some(u32::MAX - 1), ..defer(DeferKind::BUSY, &[]) });
    let ask = Event::AskWait { busy: 1, estimate: Some(Duration::from_secs(3600)) };
    assert_eq!(bench.drain().events.last(), Some(&ask));
}

#[test]
fn another_name_of_a_server_that_has_answered_is_not_asked() {
    let mut bench = Bench::of(&["a", "b", "c"]);
    bench.asks_as("a", peer(1, None));
    bench.declines(&[]);
    assert_eq!(bench.drain().dials, uris(&["b"]));
    let link = bench.link;
    bench.fine(Input::Opened { link, peer: peer(1, None) });
    let Drained { dials, sent, closed, .. } = bench.drain();
    assert_eq!((dials, sent, closed), (uris(&["c"]), Vec::new(), Vec::from([link])));
    bench.reached(peer(2, None));
    bench.declines(&[]);
    let report = bench.fails();
    assert_eq!((report.declined, report.aliases), (uris(&["a", "c"]), uris(&["b"])));
}

#[test]
fn servers_that_do_not_prove_who_they_are_are_not_the_same() {
    let mut bench = Bench::of(&["a", "b"]);
    bench.asks("a");
    bench.declines(&[]);
    bench.asks("b");
}

#[test]
fn a_server_that_died_may_be_reached_under_another_name() {
    let mut bench = Bench::new(anywhere(), harmless(&["a", "b"]));
    bench.asks_as("a", peer(1, None));
    bench.loses();
    bench.asks_as("b", peer(1, None));
}

#[test]
fn ids_of_alternates_count_beside_the_id_of_who_says_so_and_within_the_list_only() {
    let named = |name: &str, server: u8| Alternate { server: id(server), ..Alternate::new(uri(name)) };
    let mut bench = Bench::of(&["a"]);
    bench.asks_as("a", peer(1, None));
    let alternates = [named("itself", 1), named("b", 2), named("b-again", 2), named("c", 3)];
    bench.defers(Defer { alternates: alternates.into(), ..defer(DeferKind::NO_SERVICE, &[]) });
    // What another one says of the same ids counts for itself.
    bench.asks_as("b", peer(9, None));
    let alternates = [named("itself", 1), named("b-again", 2)];
    bench.defers(Defer { alternates: alternates.into(), ..defer(DeferKind::NO_SERVICE, &[]) });
    for name in ["c", "itself", "b-again"] {
        assert_eq!(bench.drain().dials, uris(&[name]));
        bench.loses();
    }
    bench.fails();
}

#[test]
fn a_name_that_must_not_be_asked_does_not_hide_one_that_may() {
    let named = |text: &str| Alternate { server: id(2), ..Alternate::new(uri(text)) };
    let mut bench = Bench::new(anywhere(), task(&["handovers://a:1"]));
    bench.drain();
    bench.reached(Peer::default());
    let alternates = [named("handover://b:1"), named("handovers://b:2")];
    bench.defers(Defer { alternates: alternates.into(), ..defer(DeferKind::NO_SERVICE, &[]) });
    bench.asks("handovers://b:2");
}

#[test]
fn who_is_said_not_to_be_able_is_not_asked() {
    let named = |name: &str, abilities| Alternate { abilities, ..Alternate::new(uri(name)) };
    let alternates = || {
        let (read, write) = (ServerAbilities::READ, ServerAbilities::WRITE);
        let unknown = ServerAbilities::from_bits_retain(0x80);
        [named("r", read), named("w", write), named("u", unknown), named("rw", read | write)]
    };
    for (task, able) in [(task(&["a"]), &["w", "rw"][..]), (harmless(&["a"]), &["r", "w", "rw"])] {
        let mut bench = Bench::new(anywhere(), task);
        bench.asks("a");
        bench.defers(Defer { alternates: alternates().into(), ..defer(DeferKind::NO_SERVICE, &[]) });
        for name in able {
            bench.asks(name);
            bench.declines(&[]);
        }
        bench.fails();
    }
}
