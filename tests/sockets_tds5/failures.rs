//! Migrations that fail, and connections that die (spec/tds5.md 4.3 i, l; 6.1, 6.3).

use crate::batches::{World, batch};
use crate::client_party::{Client, Note, Setup};
use crate::moves::Nobody;
use crate::server::Server;
use crate::server_party::{Behaviour, Handler, Verdict};
use handover::tds5::client::{Config, Disconnect, Failure, Outcome as ClientOutcome, State, Trust};
use handover::tds5::endpoint::{ServerCommand, ServerEvent};
use handover::tds5::migration::Address;
use handover::tds5::server::{Caller, MigrationState, Outcome, Refusal};
use std::slice;
use std::sync::Arc;
use std::time::Duration;

/// How long something takes that times out.
const SHORT: Duration = Duration::from_millis(120);

fn holding(waits: bool) -> Behaviour {
    Behaviour { hold_at: waits.then_some(2), ..Behaviour::default() }
}

fn with(change: impl FnOnce(&mut Config)) -> Setup {
    let mut setup = Setup::default();
    change(&mut setup.config);
    setup
}

/// A client at `a` that knows `others` too; if `waits`, in the middle of a batch of four rows.
#[track_caller]
fn client(setup: Setup, a: &Server, others: &[Address], waits: bool) -> Client {
    let client = Client::start_with(setup, &[&[a.address()], others].concat());
    if waits {
        client.send(batch(1, 4));
        a.wait_batch(1);
    }
    client
}

/// The session works: the batch that waits gets the rest of its rows from `server`, or another one is served there.
#[track_caller]
fn works(client: Client, server: &Server, waits: bool) {
    server.go_on();
    if !waits {
        client.send(batch(1, 4));
    }
    client.send(batch(2, 1));
    client.wait_completed(&[batch(1, 4), batch(2, 1)]);
    assert_eq!(client.state(), State::Idle);
    client.finish();
}

#[test]
fn no_address_works() {
    use Failure::{Deadline, LoginRefused, NotReached};
    let ways = [
        (None, NotReached, 2),
        (Some(Verdict::Refuse), LoginRefused, 3),
        (Some(Verdict::HangUp), NotReached, 2),
        (Some(Verdict::Wait), Deadline, 2),
    ];
    for (verdict, failure, code) in ways {
        for waits in [false, true] {
            let world = World::new();
            let a = Server::start_with("A", &world, holding(waits));
            let b = verdict.map(|verdict| Server::start_with("B", &world, Behaviour { verdict, ..holding(false) }));
            let nobody = Nobody::new();
            let target = b.as_ref().map_or_else(|| nobody.address(), Server::address);
            let setup = with(|config| config.login_timeout = SHORT);
            let client = client(setup, &a, slice::from_ref(&target), waits);
            a.migrate_to(vec![target]);
            assert_eq!(client.wait_ended(1), ClientOutcome::Failed(failure));
            assert_eq!(a.wait_ended(1), Outcome::Failed);
            a.begins(&["connect", "1 started", "1 ready", &format!("1 failed {code}"), "1 Failed"]);
            if waits {
                a.wait_word("resume");
                assert_eq!(a.state(), ("None", MigrationState::None));
            } else {
                assert_eq!(a.state(), ("Failed", MigrationState::Failed));
            }
            let wire = client.wire(&a);
            let fail = wire.iter().position(|line| line.starts_with("-> MIG_FAIL")).expect("FAIL was sent");
            let behind: &[&str] = if waits { &["-> MIG_RESUME"] } else { &[] };
            assert_eq!(wire[fail + 1..], *behind);
            works(client, &a, waits);
            assert_eq!(world.batches(), [("A", 1), ("A", 2)]);
            a.finish();
        }
    }
}

#[test]
fn the_new_server_breaks_the_protocol() {
    let world = World::new();
    let a = Server::start_with("A", &world, holding(true));
    let b = Server::start_with("B", &world, Behaviour { verdict: Verdict::Garbage, ..Behaviour::default() });
    let client = client(Setup::default(), &a, &[b.address()], true);
    a.migrate(&[&b]);
    assert!(matches!(client.wait_ended(1), ClientOutcome::Failed(_)));
    a.wait_word("resume");
    a.go_on();
    client.wait_completed(&[batch(1, 4)]);
    assert!(client.log.all().iter().any(|note| matches!(note, Note::Error(_))), "the endpoint tells");
    a.finish();
}

#[test]
fn a_client_that_has_failed_moves_at_the_next_request() {
    let world = World::new();
    let (a, b) = (Server::start_with("A", &world, holding(true)), Server::start("B", &world));
    let client = client(Setup::default(), &a, &[b.address()], true);
    for attempt in 1..=3 {
        b.behave(|behaviour| behaviour.verdict = Verdict::Refuse);
        a.migrate(&[&b]);
        assert_eq!(client.wait_ended(attempt), ClientOutcome::Failed(Failure::LoginRefused));
        // The client waits here again.
        let mut resumes = 0;
        a.log.wait("a resume each time", |note| {
            resumes += u32::from(*note == crate::server_party::Note::Event(ServerEvent::MigrateResume));
            (resumes == attempt).then_some(())
        });
    }
    b.behave(|behaviour| behaviour.verdict = Verdict::Accept);
    a.migrate(&[&b]);
    client.wait_migrated(4);
    works(client, &b, true);
    assert_eq!(world.batches(), [("A", 1), ("B", 2)]);
    a.finish();
    b.finish();
}

#[test]
fn addresses_that_are_not_trusted() {
    for waits in [false, true] {
        let world = World::new();
        let (a, b) = (Server::start_with("A", &world, holding(waits)), Server::start("B", &world));
        let client = client(Setup::default(), &a, &[], waits);
        a.migrate(&[&b]);
        assert_eq!(client.wait_ended(1), ClientOutcome::Refused);
        assert_eq!(a.wait_ended(1), Outcome::Failed);
        let (mut words, mut wire) = (vec!["connect", "1 started", "1 ready", "1 failed 1", "1 Failed"], Vec::new());
        if waits {
            a.wait_word("resume");
            words.push("resume");
            wire.push("-> MIG_RESUME");
        }
        a.tells(&words);
        let mut passed = client.wire(&a);
        // The handler may have begun before FAIL has come.
        passed.retain(|line| line != "<- MIG_CONT");
        let sync = passed.iter().position(|line| line == "-> MIG_SYNC").expect("SYNC was sent");
        assert_eq!(passed[sync + 1], "-> MIG_FAIL 1 no usable address");
        assert_eq!(passed[sync + 2..], wire);
        b.tells(&[]);
        works(client, &a, waits);
        a.finish();
        b.finish();
    }
}

#[test]
fn only_what_is_trusted_is_dialled() {
    let world = World::new();
    let (a, b, c) = (Server::start("A", &world), Server::start("B", &world), Server::start("C", &world));
    let trust = Trust::List(vec![c.address()]);
    let client = client(with(|config| config.trust = trust), &a, &[b.address()], false);
    a.migrate(&[&b, &c]);
    client.wait_migrated(1);
    b.tells(&[]);
    works(client, &c, false);
    [a, b, c].into_iter().for_each(Server::finish);

    let (a, b) = (Server::start("A", &world), Server::start("B", &world));
    let client = self::client(with(|config| config.trust = Trust::Any), &a, &[], false);
    a.migrate(&[&b]);
    client.wait_migrated(1);
    works(client, &b, false);
    a.finish();
    b.finish();
}

/// A client that is on its way to B, which has not said whether it may come.
#[track_caller]
fn moving(setup: Setup, a: Behaviour) -> (Arc<World>, Server, Server, Client) {
    let world = World::new();
    let waits = a.hold_at.is_some();
    let waiting = Behaviour { verdict: Verdict::Wait, ..Behaviour::default() };
    let (a, b) = (Server::start_with("A", &world, a), Server::start_with("B", &world, waiting));
    let client = client(setup, &a, &[b.address()], waits);
    a.migrate(&[&b]);
    b.wait_word("connect migrated");
    (world, a, b, client)
}

#[track_caller]
fn wait_closed(client: &Client, server: &Server) {
    let port = server.port;
    client.log.wait("the end of a link", |note| (*note == Note::Closed(port)).then_some(()));
}

#[test]
fn the_old_connection_dies_while_the_client_moves() {
    for waits in [false, true] {
        let (world, a, b, client) = moving(Setup::default(), holding(waits));
        assert_eq!(a.command(ServerCommand::Disconnect), Ok(()));
        wait_closed(&client, &a);
        assert_eq!(client.state(), State::Moving);
        b.accept();
        client.wait_migrated(1);
        works(client, &b, waits);
        assert_eq!(world.batches(), if waits { [("A", 1), ("B", 2)] } else { [("B", 1), ("B", 2)] });
        a.finish();
        b.finish();
    }
}

#[test]
fn the_old_server_loses_patience() {
    let mut impatient = holding(true);
    impatient.config.server.migrate_timeout = SHORT;
    let (_, a, b, client) = moving(Setup::default(), impatient);
    assert_eq!(a.wait_ended(1), Outcome::TimedOut);
    wait_closed(&client, &a);
    b.accept();
    client.wait_migrated(1);
    works(client, &b, true);
    a.finish();
    b.finish();
}

#[test]
fn both_connections_die() {
    let (_, a, b, client) = moving(Setup::default(), holding(true));
    client.send(batch(2, 1));
    assert_eq!(a.command(ServerCommand::Disconnect), Ok(()));
    wait_closed(&client, &a);
    assert_eq!(b.command(ServerCommand::Refuse { notice: None }), Ok(()));
    assert_eq!(client.wait_disconnected(), (Disconnect::Closed, vec![1, 2]));
    assert_eq!(client.wait_ended(1), ClientOutcome::Lost);
    client.finish();
    a.finish();
    b.finish();
}

#[test]
fn the_connection_dies_before_the_client_may_go() {
    let world = World::new();
    let waiting = Behaviour { handler: Handler::Wait, ..holding(true) };
    let (a, b) = (Server::start_with("A", &world, waiting), Server::start("B", &world));
    let client = client(Setup::default(), &a, &[b.address()], true);
    a.migrate(&[&b]);
    a.wait_ready(1);
    assert_eq!(a.command(ServerCommand::Disconnect), Ok(()));
    assert_eq!(client.wait_disconnected(), (Disconnect::Closed, vec![1]));
    assert_eq!(client.wait_ended(1), ClientOutcome::Lost);
    a.wait_word("gone Ready");
    a.tells(&["connect", "1 started", "1 ready", "1 Lost", "gone Ready"]);
    b.tells(&[]);
    client.finish();
    a.finish();
    b.finish();
}

#[test]
fn the_client_dies_on_its_way() {
    let (_, a, b, client) = moving(Setup::default(), holding(true));
    client.command(handover::tds5::client::Command::Close);
    assert_eq!(client.wait_disconnected(), (Disconnect::Application, vec![1]));
    // To A it looks as if the client had moved.
    a.wait_word("gone Migrating");
    b.wait_word("gone None");
    assert_eq!(a.wait_ended(1), Outcome::Migrated);
    b.tells(&["connect migrated", "login Lost", "gone None"]);
    client.finish();
    a.finish();
    b.finish();
}

#[test]
fn the_client_loses_patience() {
    for waits in [false, true] {
        let world = World::new();
        let behaviour = Behaviour { handler: Handler::Wait, ..holding(waits) };
        let (a, b) = (Server::start_with("A", &world, behaviour), Server::start("B", &world));
        let client = client(with(|config| config.answer_timeout = SHORT), &a, &[b.address()], waits);
        a.migrate(&[&b]);
        assert_eq!(client.wait_ended(1), ClientOutcome::Failed(Failure::NoAnswer));
        assert_eq!(a.wait_ended(1), Outcome::Failed);
        let mut words = vec!["connect", "1 started", "1 ready", "1 failed 4", "1 Failed"];
        if waits {
            a.wait_word("resume");
            words.push("resume");
        }
        a.tells(&words);
        works(client, &a, waits);
        a.finish();
        b.finish();
    }
}

#[test]
fn clients_that_cannot_migrate() {
    let refused = Err(Refusal::NotMigratable.reason());
    let ask = |server: &Server| ServerCommand::Migrate { addresses: vec![server.address()], by: Caller::Own };
    for client_can in [false, true] {
        let world = World::new();
        let mut behaviour = Behaviour::default();
        behaviour.config.target.migration = !client_can;
        let a = Server::start_with("A", &world, Behaviour { verdict: Verdict::Wait, ..behaviour });
        let (log, address) = (a.log.clone(), a.address());
        // Its id cannot be told to such a client.
        let accepts = std::thread::spawn(move || {
            log.wait("a login", |_| Some(()));
            a.command(ServerCommand::Accept { tokens: Vec::new() }).map(|()| a)
        });
        let client = Client::start_with(with(|config| config.migratable = client_can), &[address]);
        let a = accepts.join().expect("no panic").expect("a login");
        assert!(!client.ask(|endpoint, _| endpoint.machine().is_migratable()));
        assert_eq!(a.command(ask(&a)), refused);
        client.finish();
        a.finish();
    }
}
