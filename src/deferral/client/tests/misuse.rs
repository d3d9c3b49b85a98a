//! What our caller can do wrong, and the whole table (4.1, 4.2).

use super::*;

fn inputs(link: LinkId) -> [Input; 6] {
    let key = RequestKey { id: RequestId([7; 16]), epoch: 0 };
    [
        Input::Opened { link, peer: Peer::default() },
        Input::Message { link, message: Message::Executing(key.into()) },
        Input::Closed(link),
        Input::Wait(true),
        Input::Wait(false),
        Input::Cancel,
    ]
}

#[test]
fn what_makes_no_sense_in_a_state_changes_nothing() {
    for state in ALL {
        let linked = [State::Dialling, State::Waiting, State::Queued, State::Executing].contains(&state);
        let link = Bench::at(state).link;
        for input in inputs(link) {
            let fine = match &input {
                Input::Opened { .. } => state == State::Dialling,
                // (That it is carried out is said once.)
                Input::Message { .. } => linked && !matches!(state, State::Dialling | State::Executing),
                Input::Closed(_) => linked,
                Input::Wait(_) => state == State::Asking,
                Input::Cancel => state != State::Ended,
                _ => continue,
            };
            let mut bench = Bench::at(state);
            let is_violation = state == State::Executing && matches!(input, Input::Message { .. });
            let result = bench.give(input.clone());
            if is_violation {
                violation(result);
            } else {
                assert_eq!(result.is_ok(), fine, "{state:?} {input:?} {result:?}");
                assert!(fine || matches!(result, Err(Error::Misuse(_))), "{state:?} {input:?}");
            }
        }
    }
}

#[test]
fn links_that_were_not_asked_for_or_are_over_are_unknown() {
    for state in ALL {
        for link in [LinkId(0), LinkId(9)] {
            for input in inputs(link).into_iter().take(3) {
                let mut bench = Bench::at(state);
                let result = bench.give(input);
                let expected = if state == State::Ended {
                    matches!(result, Err(Error::Misuse(Misuse::WrongState { state: "Ended", .. })))
                } else {
                    matches!(result, Err(Error::Misuse(Misuse::Unknown { what: "link", .. })))
                };
                assert!(expected, "{state:?} {result:?}");
            }
        }
    }
    let mut bench = Bench::of(&["a", "b"]);
    bench.asks("a");
    bench.declines(&[]);
    let late = bench.give(Input::Closed(LinkId(1)));
    assert!(matches!(late, Err(Error::Misuse(Misuse::Unknown { what: "link", id: 1 }))));
}

#[test]
fn a_clock_that_goes_backwards_is_held() {
    let mut bench = Bench::at(State::Dialling);
    bench.now = Instant::from_micros(1_000_000);
    bench.reached(Peer::default());
    bench.now = Instant::ZERO;
    bench.queued(0);
    let deadline = Instant::from_micros(1_000_000).saturating_add(Config::default().queue_timeout);
    assert_eq!(bench.client.poll_timeout(), Some(deadline));
}

/// A client that is about to leave the state in which it is with its server, and what comes then.
fn leaving(state: State, event: TableEvent) -> Bench {
    let later = |retry_after_ms| Defer { retry_after_ms, ..defer(DeferKind::BUSY, &[]) };
    let names: &[&str] = if event == TableEvent::Ended { &["a"] } else { &["a", "b"] };
    let mut bench = Bench::new(anywhere(), harmless(names));
    match event {
        TableEvent::AllBusy => {
            bench.asks("a");
            bench.is_busy(&[]);
        }
        TableEvent::Paused => {
            bench.asks("a");
            bench.is_busy(&[]);
            bench.asks("b");
            bench.defers(later(Some(60_000)));
            bench.waits();
        }
        _ => {}
    }
    bench.drain();
    if state != State::Dialling {
        bench.reached(Peer::default());
    }
    match state {
        State::Queued => bench.queued(0),
        State::Executing => bench.say(Message::Executing(bench.signal())),
        _ => {}
    }
    bench
}

/// 4.1: each row of the table comes about.
#[test]
fn each_row() {
    for row in TABLE.rows {
        assert_eq!(step(row.from, row.event), Ok(row.to));
        let bench = match (row.from, row.event) {
            (State::Pausing, event) => {
                let mut bench = Bench::at(State::Pausing);
                if event == TableEvent::Next {
                    bench.due();
                } else {
                    bench.fine(Input::Cancel);
                }
                bench
            }
            (State::Asking, event) => {
                let mut bench = Bench::of(&["a"]);
                bench.asks("a");
                let retry_after_ms = (event == TableEvent::Paused).then_some(60_000);
                bench.defers(Defer { retry_after_ms, ..defer(DeferKind::BUSY, &[]) });
                bench.fine(Input::Wait(event != TableEvent::Ended));
                bench
            }
            (from, TableEvent::Opened | TableEvent::Queued | TableEvent::Executing) => {
                let mut bench = Bench::at(from);
                match row.event {
                    TableEvent::Opened => drop(bench.reached(Peer::default())),
                    TableEvent::Queued => bench.queued(1),
                    _ => bench.say(Message::Executing(bench.signal())),
                }
                bench
            }
            (from, event) => {
                let mut bench = leaving(from, event);
                assert_eq!(bench.client.state(), from);
                bench.loses();
                bench
            }
        };
        assert_eq!(bench.client.state(), row.to, "{row:?}");
    }
}
