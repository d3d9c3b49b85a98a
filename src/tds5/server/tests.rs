//! The orders and items of spec/tds5.md 6.1, one by one.

use super::*;
use crate::error::Error;
use crate::machine::Machine;
use crate::tds5::connection::Item;
use crate::tds5::ids::{DoneStatus, PacketType};
use crate::tds5::migration::{Address, FailReason, Migration};
use crate::tds5::token::{Done, Language, Logout, Token};
use alloc::vec::Vec;
use core::time::Duration;

fn able() -> Server {
    let session = Session { migratable: true, session_id: SessionId::new([7; 6]), migrated: false };
    Server::new(Config::default(), session)
}

fn to(host: &str) -> Vec<Address> {
    Address::new(host, 5000).into_iter().collect()
}

/// A server and what it has said since it was last asked.
struct Bench {
    server: Server,
    now: Instant,
}

impl Bench {
    fn new(server: Server) -> Self {
        Self { server, now: Instant::ZERO }
    }

    /// A server in a state, drained.
    fn at(state: State) -> Self {
        let mut bench = Self::new(able());
        let steps: &[fn(&mut Self)] = match state {
            State::None => &[],
            State::Requested => &[Self::migrate],
            State::Ready => &[Self::migrate, Self::sync],
            State::Deciding => &[Self::migrate, Self::sync, Self::enter],
            State::Migrating => &[Self::migrate, Self::sync, Self::enter, Self::leave],
            State::Cancelled => &[Self::migrate, Self::cancel],
            State::Failed => &[Self::migrate, Self::sync, Self::enter, Self::leave, Self::fail],
            State::Gone => &[Self::close],
        };
        steps.iter().for_each(|step| step(&mut bench));
        bench.wire();
        assert_eq!(bench.server.state(), state);
        bench
    }

    fn give(&mut self, input: Input) -> Result<(), Error> {
        let before = self.server.clone();
        let result = self.server.handle(self.now, input);
        if matches!(result, Err(Error::Misuse(_))) {
            assert!(before == self.server, "a misuse changes nothing");
        }
        result
    }

    fn migrate(&mut self) {
        self.give(Input::Migrate { addresses: to("b"), by: Caller::Own }).unwrap();
    }

    fn cancel(&mut self) {
        self.give(Input::Cancel { by: Caller::Own }).unwrap();
    }

    fn sync(&mut self) {
        self.item(Item::Migration(Migration::Sync));
    }

    fn enter(&mut self) {
        self.give(Input::Enter(self.server.attempt().unwrap())).unwrap();
    }

    fn leave(&mut self) {
        self.give(Input::Leave).unwrap();
    }

    fn fail(&mut self) {
        self.item(Item::Migration(Migration::Fail(None)));
    }

    fn close(&mut self) {
        self.give(Input::Closed).unwrap();
    }

    fn item(&mut self, item: Item) {
        self.give(Input::Item(item)).unwrap();
    }

    fn command(&mut self) {
        self.item(Item::Token(Language::new("select 1").into()));
        self.item(Item::End(PacketType::NORMAL));
    }

    fn respond(&mut self, token: impl Into<Token>) -> Result<(), Error> {
        self.give(Input::Respond(token.into()))
    }

    /// What has gone to the client, in short, and nothing of the events.
    fn wire(&mut self) -> Vec<&'static str> {
        self.outputs().into_iter().filter(|what| !what.starts_with('<')).collect()
    }

    /// All outputs, in short; events in angle brackets.
    fn outputs(&mut self) -> Vec<&'static str> {
        let name = |output| match output {
            Output::Send(Token::Done(done)) if done.status.contains(DoneStatus::ATTENTION) => "DONE ATTN",
            Output::Send(Token::Done(_)) => "DONE",
            Output::Send(_) => "token",
            Output::EndMessage => "EOM",
            Output::Migration(migration) => migration.name(),
            Output::Close => "close",
            Output::Event(Event::Started(_)) => "<started>",
            Output::Event(Event::Ended { outcome, .. }) => match outcome {
                Outcome::Migrated => "<migrated>",
                Outcome::Failed => "<failed>",
                Outcome::Cancelled => "<cancelled>",
                Outcome::Superseded => "<superseded>",
                Outcome::TimedOut => "<timed out>",
                Outcome::Lost => "<lost>",
            },
            Output::Event(Event::MigrateState { state: StateEvent::Ready, .. }) => "<ready>",
            Output::Event(Event::MigrateState { .. }) => "<state failed>",
            Output::Event(Event::MigrateResume) => "<resume>",
            Output::Event(Event::Item(_)) => "<item>",
            Output::Event(Event::Attention) => "<attention>",
            Output::Event(Event::Ignored(_)) => "<ignored>",
            Output::Event(Event::Disconnect { .. }) => "<disconnect>",
        };
        core::iter::from_fn(|| self.server.poll_output()).map(name).collect()
    }
}

const ALL: [State; 7] =
    [State::None, State::Requested, State::Ready, State::Deciding, State::Migrating, State::Cancelled, State::Failed];

#[test]
fn requests_in_every_state_by_both_kinds_of_callers() {
    for state in ALL {
        for by in [Caller::Own, Caller::Other] {
            let mut bench = Bench::at(state);
            let result = bench.give(Input::Migrate { addresses: to("c"), by });
            let refused = state == State::Migrating || (state == State::Deciding && by == Caller::Other);
            assert_eq!(result.is_err(), refused, "{state:?} {by:?}");
            if refused {
                assert_eq!(bench.server.state(), state);
                continue;
            }
            let pending = matches!(state, State::Requested | State::Ready | State::Deciding);
            let expected: &[&str] = if pending { &["MIG_IGN", "MIG_REQ"] } else { &["MIG_REQ"] };
            assert_eq!(bench.wire(), expected, "{state:?} {by:?}");
            assert_eq!(bench.server.migration_state(), MigrationState::Requested);
        }
    }
}

#[test]
fn cancellations_in_every_state_by_both_kinds_of_callers() {
    for state in ALL {
        for by in [Caller::Own, Caller::Other] {
            let mut bench = Bench::at(state);
            let reason = bench.server.may_cancel(by).err();
            let expected = match (state, by) {
                (State::None | State::Cancelled | State::Failed, _) => Some(Refusal::NothingToCancel),
                (State::Migrating, _) | (State::Deciding, Caller::Other) => Some(Refusal::TooLate),
                _ => None,
            };
            assert_eq!(reason, expected, "{state:?} {by:?}");
            assert_eq!(bench.give(Input::Cancel { by }).is_err(), expected.is_some());
            if expected.is_none() {
                // No state event for a cancellation that succeeds.
                assert_eq!(bench.outputs(), ["MIG_IGN", "<cancelled>"]);
                assert_eq!(bench.server.migration_state(), MigrationState::Cancelled);
            }
        }
    }
}

#[test]
fn a_client_that_cannot_migrate_is_never_asked() {
    let sessions = [
        Session { migratable: false, session_id: SessionId::new([7; 6]), migrated: false },
        Session { migratable: true, session_id: None, migrated: false },
    ];
    for session in sessions {
        let mut bench = Bench::new(Server::new(Config::default(), session));
        assert_eq!(bench.server.may_migrate(Caller::Own), Err(Refusal::NotMigratable));
        assert_eq!(Refusal::NotMigratable.number(), Some(16394));
        assert!(bench.give(Input::Migrate { addresses: to("b"), by: Caller::Own }).is_err());
        for migration in [Migration::Sync, Migration::Fail(None), Migration::Resume, Migration::Continue] {
            bench.item(Item::Migration(migration));
            assert_eq!(bench.outputs(), ["<ignored>"]);
        }
    }
    assert_eq!(Bench::new(Server::new(Config::default(), sessions[1])).server.session_id(), Err(Refusal::NoSessionId));
}

#[test]
fn the_states_have_the_numbers_of_the_original() {
    use MigrationState as S;
    let numbers = [S::None, S::Requested, S::Ready, S::Migrating, S::Cancelled, S::Failed].map(S::number);
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_move_of_an_idle_client() {
    let mut bench = Bench::new(able());
    bench.migrate();
    assert_eq!(bench.outputs(), ["<started>", "MIG_REQ"]);
    bench.command(); // it crosses the request, and is served
    bench.respond(Done::FINAL).unwrap();
    assert_eq!(bench.outputs(), ["<item>", "<item>", "DONE", "EOM"]);
    bench.sync();
    assert_eq!(bench.outputs(), ["<ready>"]);
    bench.enter();
    bench.leave();
    assert_eq!(bench.outputs(), ["MIG_CONT"]);
    bench.close();
    assert_eq!(bench.outputs(), ["<migrated>", "<disconnect>"]);
    assert_eq!(bench.server.migration_state(), MigrationState::Migrating, "the property says that it was a success");
}

#[test]
fn a_response_is_interrupted_between_messages() {
    let mut bench = Bench::new(able());
    bench.command();
    bench.respond(Language::new("some rows")).unwrap();
    bench.outputs();
    bench.migrate();
    assert_eq!(bench.outputs(), ["<started>", "EOM", "MIG_REQ"]);
    bench.sync();
    bench.enter();
    bench.respond(Language::new("more rows")).unwrap();
    bench.leave();
    assert_eq!(bench.outputs(), ["<ready>", "token", "EOM", "MIG_CONT"]);
    assert!(bench.respond(Done::FINAL).is_err(), "the new server ends it");
    bench.close();
}

#[test]
fn a_cancelled_move_of_a_waiting_client_is_resumed_here_once() {
    let mut bench = Bench::new(able());
    bench.command();
    bench.migrate();
    bench.sync();
    bench.enter();
    bench.cancel();
    bench.leave(); // it has withdrawn the request: nothing happens
    bench.outputs();
    assert!(bench.respond(Done::FINAL).is_err(), "the client will say RESUME, and would take this for the answer");
    bench.item(Item::Migration(Migration::Resume));
    assert_eq!(bench.outputs(), ["<resume>"]);
    assert_eq!(bench.server.state(), State::None);
    bench.item(Item::Migration(Migration::Resume));
    assert_eq!(bench.outputs(), ["<ignored>"]);
    bench.respond(Done::FINAL).unwrap();
    assert!(bench.respond(Done::FINAL).is_err(), "one final DONE a command");
}

#[test]
fn a_cancellation_that_crosses_the_sync_stops_nothing() {
    let mut bench = Bench::new(able());
    bench.command();
    bench.migrate();
    bench.cancel();
    bench.outputs();
    bench.sync();
    bench.item(Item::Migration(Migration::Resume));
    assert_eq!(bench.outputs(), ["<ignored>", "<ignored>"]);
    bench.respond(Done::FINAL).unwrap();
    assert_eq!(bench.outputs(), ["DONE", "EOM"]);
}

#[test]
fn a_stale_sync_is_not_taken_for_the_new_request() {
    let mut bench = Bench::at(State::Requested);
    bench.migrate();
    bench.outputs();
    bench.sync();
    assert_eq!(bench.outputs(), ["<ignored>"]);
    bench.sync();
    assert_eq!(bench.outputs(), ["<ready>"]);
    // A client that answers the newest request only is served by the other rule.
    let config = Config { sync_rule: SyncRule::NewestOnly, ..Config::default() };
    let session = Session { migratable: true, session_id: SessionId::new([7; 6]), migrated: false };
    let mut bench = Bench::new(Server::new(config, session));
    bench.migrate();
    bench.migrate();
    bench.outputs();
    bench.sync();
    assert_eq!(bench.outputs(), ["<ready>"]);
}

#[test]
fn a_client_may_fail_early_or_late() {
    let reason = FailReason::new(FailReason::NOT_REACHED, "nobody there");
    for state in [State::Requested, State::Ready, State::Deciding, State::Migrating] {
        let mut bench = Bench::at(state);
        bench.item(Item::Migration(Migration::Fail(Some(reason.clone()))));
        assert_eq!(bench.outputs(), ["<state failed>", "<failed>"], "{state:?}");
        assert_eq!(bench.server.migration_state(), MigrationState::Failed);
        if state == State::Deciding {
            bench.leave();
            assert_eq!(bench.outputs(), [""; 0]);
        }
        bench.migrate();
        assert_eq!(bench.wire(), ["MIG_REQ"]);
    }
    for state in [State::None, State::Cancelled, State::Failed] {
        let mut bench = Bench::at(state);
        bench.fail();
        assert_eq!(bench.outputs(), ["<ignored>"], "{state:?}");
    }
}

#[test]
fn a_handler_runs_only_while_the_client_is_ready() {
    let mut bench = Bench::at(State::Ready);
    let attempt = bench.server.attempt().unwrap();
    assert!(bench.give(Input::Leave).is_err());
    bench.give(Input::Cancel { by: Caller::Other }).unwrap();
    assert!(bench.give(Input::Enter(attempt)).is_err());
    // Replaced from within the handler: it is called again when the client is ready for the new one.
    let mut bench = Bench::at(State::Deciding);
    bench.migrate();
    bench.leave();
    assert_eq!(bench.outputs(), ["MIG_IGN", "<superseded>", "<started>", "MIG_REQ"]);
    bench.sync();
    bench.enter();
    bench.leave();
    assert_eq!(bench.outputs(), ["<ready>", "MIG_CONT"]);
}

#[test]
fn a_client_that_never_answers_is_given_up() {
    let mut bench = Bench::at(State::Requested);
    let deadline = bench.server.poll_timeout().unwrap();
    let before = bench.server.clone();
    bench.give(Input::Timeout).unwrap();
    assert!(before == bench.server, "it was too early");
    bench.now = deadline;
    bench.give(Input::Timeout).unwrap();
    assert_eq!(bench.outputs(), ["MIG_IGN", "<timed out>"]);
    assert_eq!((bench.server.state(), bench.server.poll_timeout()), (State::Cancelled, None));

    let mut bench = Bench::at(State::Migrating);
    bench.now = bench.server.poll_timeout().unwrap().saturating_add(Duration::from_secs(1));
    bench.give(Input::Timeout).unwrap();
    assert_eq!(bench.outputs(), ["close", "<timed out>", "<disconnect>"]);
}

#[test]
fn attentions_are_acknowledged_once() {
    let mut bench = Bench::new(able());
    bench.item(Item::End(PacketType::ATTENTION));
    assert_eq!(bench.outputs(), ["DONE ATTN", "EOM"]);
    bench.command();
    bench.item(Item::End(PacketType::ATTENTION));
    bench.respond(Done::FINAL).unwrap();
    assert_eq!(bench.outputs(), ["<item>", "<item>", "<attention>", "DONE ATTN", "EOM"]);
    let mut bench = Bench::at(State::Migrating);
    bench.item(Item::End(PacketType::ATTENTION));
    assert_eq!(bench.outputs(), ["<ignored>"]);
}

#[test]
fn goodbyes() {
    let logout = || Item::Token(Logout::default().into());
    let mut bench = Bench::at(State::Requested);
    bench.item(logout());
    assert_eq!(bench.outputs(), ["DONE", "EOM", "close", "<lost>", "<disconnect>"]);
    assert!(bench.give(Input::Item(logout())).is_err(), "it is over");
    let mut bench = Bench::at(State::Migrating);
    bench.item(logout());
    assert_eq!(bench.outputs(), ["close", "<migrated>", "<disconnect>"]);
    let mut bench = Bench::at(State::Ready);
    bench.give(Input::Disconnect).unwrap();
    assert_eq!(bench.outputs(), ["close", "<lost>", "<disconnect>"]);
}

#[test]
fn a_client_that_falls_back_without_a_word_is_served() {
    let mut bench = Bench::at(State::Migrating);
    bench.command();
    assert_eq!(bench.outputs(), ["<item>", "<state failed>", "<failed>", "<item>"]);
    bench.respond(Done::FINAL).unwrap();
}

#[test]
fn what_cannot_be_carried_or_counted_is_refused() {
    let mut bench = Bench::new(able());
    assert!(bench.give(Input::Migrate { addresses: Vec::new(), by: Caller::Own }).is_err());
    assert!(bench.give(Input::Migrate { addresses: alloc::vec![to("b").remove(0); 33], by: Caller::Own }).is_err());
    for _ in 0..8 {
        bench.migrate();
    }
    assert!(bench.give(Input::Migrate { addresses: to("b"), by: Caller::Own }).is_err(), "eight are unanswered");
    bench.outputs();
    for _ in 0..64 {
        bench.command();
    }
    let result = bench.give(Input::Item(Item::End(PacketType::LANGUAGE)));
    assert!(matches!(result, Err(Error::Violation(_))), "more commands than may wait");
    assert_eq!(bench.server.state(), State::Gone);
}
