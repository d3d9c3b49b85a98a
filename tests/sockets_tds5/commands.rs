//! Commands and attentions that are under way while the session moves (spec/tds5.md 4.3 d, 6.3, 6.4).

use crate::batches::{World, batch};
use crate::client_party::{Client, Note, Setup};
use crate::server::Server;
use crate::server_party::{Behaviour, Handler, Verdict};
use bytes::BytesMut;
use handover::tds5::PacketType;
use handover::tds5::client::{Command, Disconnect, Event, Outcome as ClientOutcome, SafePoint, State};
use handover::tds5::endpoint::ServerCommand;
use handover::tds5::server::{Caller, MigrationState, Outcome};
use handover::tds5::stream::Data;
use handover::tds5::token::{Language, Token};
use handover::wire::{ByteOrder, Encode};
use std::sync::Arc;
use std::time::Duration;

/// A client that is ready to leave A for B, with a batch of four rows half answered if `waits`.
#[track_caller]
fn ready(waits: bool) -> (Arc<World>, Server, Server, Client) {
    let world = World::new();
    let behaviour = Behaviour { hold_at: waits.then_some(2), handler: Handler::Wait, ..Behaviour::default() };
    let (a, b) = (Server::start_with("A", &world, behaviour), Server::start("B", &world));
    let client = Client::start(&[&a, &b]);
    client.send(batch(1, 4));
    a.wait_batch(1);
    if !waits {
        client.wait_completed(&[batch(1, 4)]);
    }
    a.migrate(&[&b]);
    a.wait_ready(1);
    assert_eq!(client.state(), State::Synced);
    (world, a, b, client)
}

const CANCEL: ServerCommand = ServerCommand::Cancel { by: Caller::Other };

#[test]
fn what_is_queued_goes_to_the_winner() {
    /// How the attempt ends.
    #[derive(Clone, Copy, PartialEq)]
    enum End {
        Moved,
        Cancelled,
        Failed,
    }
    let queued = [batch(2, 3), batch(3, 1), batch(4, 2)];
    for end in [End::Moved, End::Cancelled, End::Failed] {
        for waits in [false, true] {
            let (world, a, b, client) = ready(waits);
            client.send(queued[0]);
            client.send(queued[1]);
            assert_eq!(world.batches(), [("A", 1)]);
            match end {
                End::Moved => a.let_go(1),
                End::Cancelled => assert_eq!(a.command(CANCEL), Ok(())),
                End::Failed => {
                    b.behave(|behaviour| behaviour.verdict = Verdict::Wait);
                    a.let_go(1);
                    b.wait_word("connect migrated");
                    // Some come when it is moving.
                    client.send(queued[2]);
                    assert_eq!(b.command(ServerCommand::Refuse { notice: None }), Ok(()));
                }
            }
            if end != End::Failed {
                client.send(queued[2]);
            }
            let winner = if end == End::Moved { "B" } else { "A" };
            if waits && end != End::Moved {
                a.wait_word("resume");
            }
            a.behave(|behaviour| behaviour.hold_at = None);
            if end != End::Moved {
                a.go_on();
            }
            client.wait_completed(&[&[batch(1, 4)][..], &queued].concat());
            assert_eq!(world.batches(), [("A", 1), (winner, 2), (winner, 3), (winner, 4)]);
            client.finish();
            a.finish();
            b.finish();
        }
    }
}

#[test]
fn commands_cross_requests_to_migrate() {
    // The client goes round and round, and commands are given all the time.
    let world = World::new();
    let servers = ["A", "B", "C"].map(|name| Server::start(name, &world));
    let client = Client::start(&[&servers[0], &servers[1], &servers[2]]);
    let (rounds, mut batches) = (24, Vec::new());
    for round in 0..rounds {
        let (from, to) = (&servers[round % 3], &servers[(round + 1) % 3]);
        let mut send = || {
            let next = batch(u32::try_from(batches.len()).expect("few batches") + 1, 3);
            batches.push(next);
            client.send(next);
        };
        send();
        send();
        from.migrate(&[to]);
        (0..4).for_each(|_| send());
        let attempt = u32::try_from(round).expect("few rounds") + 1;
        client.wait_migrated(attempt);
    }
    client.wait_completed(&batches);
    let arrived: Vec<_> = world.batches().into_iter().map(|(_, number)| number).collect();
    assert!(arrived.iter().copied().eq(1..=u32::try_from(batches.len()).expect("few batches")), "{arrived:?}");
    client.finish();
    servers.into_iter().for_each(Server::finish);
}

#[test]
fn a_command_may_complete_before_the_client_goes() {
    let (world, a, b, client) = ready(true);
    // The rest comes behind SYNC: the client waits no longer, and says nothing to B.
    a.go_on();
    client.wait_completed(&[batch(1, 4)]);
    assert_eq!(client.state(), State::Synced);
    a.let_go(1);
    client.wait_migrated(1);
    client.send(batch(2, 1));
    client.wait_completed(&[batch(1, 4), batch(2, 1)]);
    b.tells(&["connect migrated"]);
    assert_eq!(world.batches(), [("A", 1), ("B", 2)]);
    client.finish();
    a.finish();
    b.finish();
}

fn half(from: &[u8], end: bool) -> Command {
    let data = Data(from.to_vec().into());
    Command::Request { ty: PacketType::NORMAL, data, end }
}

#[test]
fn a_command_that_is_half_sent_is_sent_to_its_end() {
    let mut tokens = BytesMut::new();
    let command = Token::from(Language::new(batch(1, 2).text()));
    command.in_order(ByteOrder::Little).encode_to(&mut tokens).expect("a short command");
    let (begin, end) = tokens.split_at(5);
    for impatient in [false, true] {
        let world = World::new();
        let mut behaviour = Behaviour { hold_at: Some(1), ..Behaviour::default() };
        if impatient {
            behaviour.config.server.sync_timeout = Duration::from_millis(60);
        }
        let (a, b) = (Server::start_with("A", &world, behaviour), Server::start("B", &world));
        let client = Client::start(&[&a, &b]);
        client.command(half(begin, false));
        a.migrate(&[&b]);
        client.wait_event("the request", |event| matches!(event, Event::Started { .. }).then_some(()));
        assert_eq!(client.state(), State::Busy);
        assert_eq!(a.state(), ("Requested", MigrationState::Requested));
        if impatient {
            // The request is withdrawn; its SYNC is sent all the same, and ignored.
            assert_eq!(a.wait_ended(1), Outcome::TimedOut);
            assert_eq!(client.wait_ended(1), ClientOutcome::Ignored);
            client.command(half(end, true));
            a.wait_word("ignored MIG_SYNC");
            a.go_on();
        } else {
            client.command(half(end, true));
            client.wait_migrated(1);
            assert_eq!(b.wait_event("resume", |_| Some(())), ());
        }
        client.wait_completed(&[batch(1, 2)]);
        assert_eq!(world.batches(), [("A", 1)]);
        client.finish();
        a.finish();
        b.finish();
    }
}

#[test]
fn a_client_that_stops_only_when_it_is_idle() {
    let world = World::new();
    let behaviour = Behaviour { hold_at: Some(2), ..Behaviour::default() };
    let (a, b) = (Server::start_with("A", &world, behaviour), Server::start("B", &world));
    let mut setup = Setup::default();
    setup.config.safe_point = SafePoint::WhenIdle;
    let client = Client::start_with(setup, &[a.address(), b.address()]);
    client.send(batch(1, 4));
    client.send(batch(2, 1));
    a.wait_batch(1);
    a.migrate(&[&b]);
    client.wait_event("the request", |event| matches!(event, Event::Started { .. }).then_some(()));
    assert_eq!(client.state(), State::Busy);
    a.go_on();
    client.wait_migrated(1);
    client.wait_completed(&[batch(1, 4), batch(2, 1)]);
    b.tells(&["connect migrated"]);
    assert_eq!(world.batches(), [("A", 1), ("B", 2)]);
    client.finish();
    a.finish();
    b.finish();
}

/// Waits for the end of a batch that was cancelled: it has one final DONE, which says so.
#[track_caller]
fn wait_cancelled(client: &Client) {
    client.wait_event("the batch", |event| matches!(event, Event::Completed(id) if id.0 == 1).then_some(()));
    let is_done = |note: &Note| matches!(note, Note::Done { .. });
    let dones: Vec<_> = client.log.all().into_iter().filter(is_done).collect();
    assert_eq!(dones, [Note::Done { count: 0, attention: true }], "{}", client.log);
}

#[test]
fn an_attention_is_kept_until_the_client_may_speak() {
    // Back at the old server, and at the new one, whether it was wanted in time or when the client was moving.
    for moves in [false, true] {
        let (_, a, b, client) = ready(true);
        b.behave(|behaviour| behaviour.hold_at = Some(2));
        client.command(Command::Attention);
        if moves {
            a.let_go(1);
            client.wait_migrated(1);
        } else {
            assert_eq!(a.command(CANCEL), Ok(()));
        }
        wait_cancelled(&client);
        let (winner, server) = if moves { (&b, "connect migrated") } else { (&a, "1 Cancelled") };
        let story = winner.story();
        assert_eq!(story[story.len() - 3..], [server, "resume", "attention"]);
        let wire = client.wire(winner);
        let resume = wire.iter().position(|line| line == "-> MIG_RESUME").expect("RESUME was sent");
        assert_eq!(wire[resume + 1], "-> ATTENTION");
        client.finish();
        a.finish();
        b.finish();
    }
    let (_, a, b, client) = ready(true);
    b.behave(|behaviour| (behaviour.verdict, behaviour.hold_at) = (Verdict::Wait, Some(2)));
    a.let_go(1);
    b.wait_word("connect migrated");
    client.command(Command::Attention);
    b.accept();
    wait_cancelled(&client);
    b.tells(&["connect migrated", "resume", "attention"]);
    client.finish();
    a.finish();
    b.finish();
}

#[test]
fn an_attention_is_dropped_if_its_command_completes() {
    let (_, a, b, client) = ready(true);
    client.command(Command::Attention);
    a.go_on();
    client.wait_completed(&[batch(1, 4)]);
    a.let_go(1);
    client.wait_migrated(1);
    client.send(batch(2, 1));
    client.wait_completed(&[batch(1, 4), batch(2, 1)]);
    b.tells(&["connect migrated"]);
    for server in [&a, &b] {
        assert!(!client.wire(server).contains(&"-> ATTENTION".to_owned()));
    }
    client.finish();
    a.finish();
    b.finish();
}

#[test]
fn an_attention_that_the_old_server_has_not_answered_is_said_again() {
    let world = World::new();
    let behaviour = Behaviour { hold_at: Some(2), ignores_attention: true, ..Behaviour::default() };
    let (a, b) = (Server::start_with("A", &world, behaviour), Server::start("B", &world));
    let client = Client::start(&[&a, &b]);
    client.send(batch(1, 4));
    a.wait_batch(1);
    client.command(Command::Attention);
    a.wait_word("attention");
    b.behave(|behaviour| behaviour.hold_at = Some(2));
    a.migrate(&[&b]);
    client.wait_migrated(1);
    wait_cancelled(&client);
    b.tells(&["connect migrated", "resume", "attention"]);
    client.send(batch(2, 0));
    b.wait_batch(2);
    client.finish();
    a.finish();
    b.finish();
}

#[test]
fn goodbye() {
    // Not while the session moves; then to the new server.
    let (_, a, b, client) = ready(false);
    let logout = || Command::Logout;
    let refused = client.run(move |endpoint, now| endpoint.command(now, logout())).expect_err("it moves");
    assert!(refused.contains("Synced"), "{refused}");
    a.let_go(1);
    client.wait_migrated(1);
    client.command(Command::Logout);
    assert_eq!(client.wait_disconnected(), (Disconnect::Logout, Vec::new()));
    b.wait_word("gone None");
    assert_eq!(client.wire(&b)[2], "-> LOGOUT");
    client.finish();
    a.finish();
    b.finish();
}
