//! Requests that are withdrawn or replaced (spec/tds5.md 4.3 e, h; 6.1, 6.4).

use crate::batches::{World, batch};
use crate::client_party::Client;
use crate::server::Server;
use crate::server_party::{Behaviour, Handler};
use handover::tds5::client::Outcome as ClientOutcome;
use handover::tds5::endpoint::ServerCommand;
use handover::tds5::server::{AttemptId, Caller, MigrationState, Outcome, Refusal};
use std::sync::Arc;

const CALLERS: [Caller; 2] = [Caller::Own, Caller::Other];

/// Servers and a client of the first one; if `waits`, in the middle of a batch of four rows.
fn stage(waits: bool, handler: Handler) -> (Arc<World>, [Server; 3], Client) {
    let world = World::new();
    let hold_at = waits.then_some(2);
    let a = Server::start_with("A", &world, Behaviour { hold_at, handler, ..Behaviour::default() });
    let (b, c) = (Server::start("B", &world), Server::start("C", &world));
    let client = Client::start(&[&a, &b, &c]);
    if waits {
        client.send(batch(1, 4));
        a.wait_batch(1);
    }
    (world, [a, b, c], client)
}

/// The batch goes on at A, and A can still send the client away.
fn goes_on_and_moves(waits: bool, world: &World, a: Server, b: Server, client: Client, attempts: u32) {
    // The handler does not matter any more.
    a.behave(|behaviour| (behaviour.handler, behaviour.hold_at) = (Handler::Go, None));
    if waits {
        a.go_on();
    } else {
        client.send(batch(1, 4));
    }
    client.wait_completed(&[batch(1, 4)]);
    a.migrate(&[&b]);
    client.wait_migrated(attempts + 1);
    assert_eq!(a.wait_ended(attempts + 1), Outcome::Migrated);
    client.send(batch(2, 2));
    client.wait_completed(&[batch(1, 4), batch(2, 2)]);
    assert_eq!(world.batches(), [("A", 1), ("B", 2)]);
    client.finish();
    a.finish();
    b.finish();
}

fn migrate(server: &Server, by: Caller) -> ServerCommand {
    ServerCommand::Migrate { addresses: vec![server.address()], by }
}

#[test]
fn cancelled_before_sync_has_come() {
    for by in CALLERS {
        for waits in [false, true] {
            let (world, [a, b, _], client) = stage(waits, Handler::Go);
            assert_eq!(a.commands([migrate(&b, by), ServerCommand::Cancel { by }]), [Ok(()), Ok(())]);
            assert_eq!(a.state(), ("Cancelled", MigrationState::Cancelled));
            assert_eq!(client.wait_ended(1), ClientOutcome::Ignored);
            a.wait_word("ignored MIG_SYNC");
            if waits {
                // It was not needed, and is ignored: A has not seen SYNC when it said IGN.
                a.wait_word("ignored MIG_RESUME");
            }
            let mut wire = client.wire(&a)[3..].to_vec();
            if waits {
                assert_eq!(wire.pop().as_deref(), Some("-> MIG_RESUME"));
                assert_eq!(wire.remove(0), "<- 2 x ROW, no DONE yet");
            }
            wire.retain(|line| line != "-> MIG_RESUME");
            assert_eq!(wire[..1], ["<- MIG_REQ"]);
            assert!(wire.contains(&"<- MIG_IGN".to_owned()) && wire.contains(&"-> MIG_SYNC".to_owned()));
            a.begins(&["connect", "1 started", "1 Cancelled"]);
            goes_on_and_moves(waits, &world, a, b, client, 1);
        }
    }
}

#[test]
fn cancelled_when_the_client_is_ready() {
    for by in CALLERS {
        for waits in [false, true] {
            let (world, [a, b, _], client) = stage(waits, Handler::Wait);
            a.migrate(&[&b]);
            a.wait_ready(1);
            assert_eq!(a.command(ServerCommand::Cancel { by }), Ok(()));
            assert_eq!(client.wait_ended(1), ClientOutcome::Ignored);
            a.begins(&["connect", "1 started", "1 ready", "1 Cancelled"]);
            if waits {
                a.wait_word("resume");
                assert_eq!(a.state(), ("None", MigrationState::None));
            } else {
                assert_eq!(a.state(), ("Cancelled", MigrationState::Cancelled));
            }
            let wire = client.wire(&a);
            let last = if waits { &["<- MIG_IGN", "-> MIG_RESUME"][..] } else { &["<- MIG_IGN"] };
            assert_eq!(&wire[wire.len() - last.len()..], last);
            goes_on_and_moves(waits, &world, a, b, client, 1);
        }
    }
}

#[test]
fn cancelled_in_the_handler() {
    for waits in [false, true] {
        let (world, [a, b, _], client) = stage(waits, Handler::Cancel);
        a.migrate(&[&b]);
        assert_eq!(a.wait_ended(1), Outcome::Cancelled);
        assert_eq!(client.wait_ended(1), ClientOutcome::Ignored);
        if waits {
            a.wait_word("resume");
        }
        goes_on_and_moves(waits, &world, a, b, client, 1);
    }
}

#[test]
fn what_is_refused_and_when() {
    let (too_late, migrating) = (Err(Refusal::TooLate.reason()), Err(Refusal::Migrating.reason()));
    let nothing = Err(Refusal::NothingToCancel.reason());
    let (world, [a, b, _], client) = stage(true, Handler::Wait);
    b.behave(|behaviour| behaviour.verdict = crate::server_party::Verdict::Wait);
    for by in CALLERS {
        assert_eq!(a.command(ServerCommand::Cancel { by }), nothing);
    }
    a.migrate(&[&b]);
    a.wait_ready(1);
    // In the handler only its own thread can change anything.
    assert_eq!(a.command(ServerCommand::Enter(AttemptId(1))), Ok(()));
    assert_eq!(a.command(ServerCommand::Cancel { by: Caller::Other }), too_late);
    assert_eq!(a.command(migrate(&b, Caller::Other)), too_late);
    assert_eq!(a.state(), ("Deciding", MigrationState::Ready));
    // Behind CONT nobody can.
    assert_eq!(a.command(ServerCommand::Leave), Ok(()));
    b.wait_word("connect migrated");
    for by in CALLERS {
        assert_eq!(a.command(ServerCommand::Cancel { by }), too_late);
        assert_eq!(a.command(migrate(&b, by)), migrating);
    }
    assert_eq!(a.command(ServerCommand::Respond(batch(1, 4).done())), migrating);
    assert_eq!(a.state(), ("Migrating", MigrationState::Migrating));
    // The test has handed nothing over: B knows no such session, and the client goes on here.
    b.accept();
    assert_eq!(a.wait_ended(1), Outcome::Failed);
    a.wait_word("resume");
    b.behave(|behaviour| behaviour.verdict = crate::server_party::Verdict::Accept);
    goes_on_and_moves(true, &world, a, b, client, 1);
}

#[test]
fn asked_again_before_the_client_has_answered() {
    for by in CALLERS {
        for waits in [false, true] {
            let (_, [a, b, c], client) = stage(waits, Handler::Go);
            // B is not wanted any more before it was asked for in earnest: REQ, IGN, REQ cross the first SYNC.
            assert_eq!(a.commands([migrate(&c, by), migrate(&b, by)]), [Ok(()), Ok(())]);
            client.wait_migrated(2);
            if waits {
                b.wait_word("resume");
            }
            a.wait_word("gone Migrating");
            let mut story = a.story();
            story.retain(|word| word != "ignored MIG_RESUME");
            let asked = ["connect", "1 started", "1 Superseded", "2 started"];
            assert_eq!(story[..4], asked);
            assert_eq!(story[4..], ["ignored MIG_SYNC", "2 ready", "2 Migrated", "gone Migrating"]);
            client.tells(&["1 started", "1 Ignored", "2 started", "2 Migrated"]);
            c.tells(&[]);
            let syncs = client.wire(&a).iter().filter(|line| *line == "-> MIG_SYNC").count();
            assert_eq!(syncs, 2, "one answer to each request");
            if !waits {
                client.send(batch(1, 4));
            }
            client.wait_completed(&[batch(1, 4)]);
            client.finish();
            [a, b, c].into_iter().for_each(Server::finish);
        }
    }
}

#[test]
fn asked_again_when_the_client_is_ready() {
    for by in CALLERS {
        for waits in [false, true] {
            let (_, [a, b, c], client) = stage(waits, Handler::Wait);
            a.migrate(&[&c]);
            a.wait_ready(1);
            assert_eq!(a.command(migrate(&b, by)), Ok(()));
            a.wait_ready(2);
            a.let_go(2);
            client.wait_migrated(2);
            a.wait_word("gone Migrating");
            let mut words = vec!["connect", "1 started", "1 ready", "1 Superseded", "2 started"];
            if waits {
                // Behind IGN the client says that it waits, and so it does at B.
                words.push("resume");
                b.wait_word("resume");
            }
            words.extend(["2 ready", "2 Migrated", "gone Migrating"]);
            a.tells(&words);
            c.tells(&[]);
            if !waits {
                client.send(batch(1, 4));
            }
            client.wait_completed(&[batch(1, 4)]);
            client.finish();
            [a, b, c].into_iter().for_each(Server::finish);
        }
    }
}

#[test]
fn asked_again_in_the_handler() {
    for waits in [false, true] {
        let (world, [a, b, c], client) = stage(waits, Handler::Wait);
        let address = b.address();
        a.behave(|behaviour| behaviour.handler = Handler::Migrate(vec![address]));
        if !waits {
            client.send(batch(1, 4));
            a.wait_batch(1);
        }
        a.migrate(&[&c]);
        client.wait_migrated(2);
        client.send(batch(2, 1));
        client.wait_completed(&[batch(1, 4), batch(2, 1)]);
        assert_eq!(a.wait_ended(1), Outcome::Superseded);
        assert_eq!(a.wait_ended(2), Outcome::Migrated);
        c.tells(&[]);
        assert_eq!(world.batches(), [("A", 1), ("B", 2)]);
        client.finish();
        [a, b, c].into_iter().for_each(Server::finish);
    }
}

#[test]
fn asked_many_times_over() {
    let (_, [a, b, c], client) = stage(true, Handler::Go);
    let ask = |server: &Server| migrate(server, Caller::Other);
    let cancel = || ServerCommand::Cancel { by: Caller::Other };
    let commands = [ask(&c), ask(&b), cancel(), ask(&c), cancel(), ask(&c), ask(&c), ask(&b)];
    assert_eq!(a.commands(commands), [Ok(()); 8]);
    client.wait_migrated(6);
    client.wait_completed(&[batch(1, 4)]);
    a.wait_word("gone Migrating");
    let ends: Vec<_> = (1..=6).map(|attempt| a.wait_ended(attempt)).collect();
    use Outcome::{Cancelled, Migrated, Superseded};
    assert_eq!(ends, [Superseded, Cancelled, Cancelled, Superseded, Superseded, Migrated]);
    assert_eq!(a.story().iter().filter(|word| word.ends_with("ready")).count(), 1);
    c.tells(&[]);
    client.finish();
    [a, b, c].into_iter().for_each(Server::finish);
}
