//! Our client, moved by real servers: where something is in the way.

use crate::client_party::{Client, Note};
use crate::log::PATIENCE;
use crate::qemus::{
    CHANNELS, assert_at, client_of, dead_port, finish, listed, move_vm, spawn, spawn_with, wait_completed,
};
use crate::support::qemu::{Incoming, Qemu, QemuOptions};
use crate::support::{free_port, require};
use handover::spice::LinkError;
use handover::spice::client::{Config, Disconnect, Event, Failure, LinkFailure, Outcome, Scheme, State};
use serde_json::json;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

const TICKETS: &str = "seamless-migration=on";
const DENIED: LinkFailure = LinkFailure::Denied(LinkError::PERMISSION_DENIED);

fn qemu() -> bool {
    require(Qemu::available(), "qemu-system-x86_64")
}

/// A listener that accepts and says nothing.
struct BlackHole {
    port: u16,
}

impl BlackHole {
    fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        // Both end with the test program.
        thread::spawn(move || listener.incoming().flatten().collect::<Vec<TcpStream>>());
        Self { port }
    }
}

/// A session that started anew at `target`, by the attempt with this number.
#[track_caller]
fn assert_anew(client: &Client, mark: usize, target: &mut Qemu, attempt: u32, old_id: u32) {
    assert_eq!(client.wait_ended(attempt), Outcome::Switched(Scheme::SwitchHost));
    client.wait_linked(mark, CHANNELS);
    let id = client.view().connection_id;
    assert_ne!(id, old_id);
    assert_at(client, target, id);
}

#[test]
fn connect_error_then_switch_host() {
    if !qemu() {
        return;
    }
    let mut source = spawn("source", true, Incoming::No);
    let client = client_of(&source, Config::default(), "");
    let (id, port) = (client.view().connection_id, dead_port());
    source.migrate_info(port, json!({})).unwrap();
    assert_eq!(client.wait_ended(1), Outcome::Failed(Failure::Link(LinkFailure::Transport)));
    assert!(client.main_messages(source.port()).contains(&"-> MIGRATE_CONNECT_ERROR".to_owned()));
    assert_at(&client, &mut source, id);

    // The target comes to life in time for the machine, and the client starts anew there.
    let options = QemuOptions { incoming: Incoming::Listen, ..QemuOptions::default() };
    let mut first = Some(port);
    let mut target = Qemu::spawn_on("target", &options, || first.take().unwrap_or_else(free_port)).unwrap();
    assert_eq!(target.port(), port);
    let mark = client.log.mark();
    move_vm(&mut source, &mut target);
    assert_anew(&client, mark, &mut target, 2, id);
    wait_completed(&mut source);
    finish(client, [&mut source, &mut target]);
}

/// The machine's way is too narrow, and management gives up while the client is linked to the target.
#[test]
fn cancel_after_connected() {
    if qemu() {
        cancel(Scheme::SemiSeamless);
    }
}

#[test]
fn cancel_after_connected_seamless() {
    if qemu() {
        cancel(Scheme::Seamless);
    }
}

fn cancel(scheme: Scheme) {
    let seamless = scheme == Scheme::Seamless;
    let mut source = spawn("source", seamless, Incoming::No);
    let mut machines = spawn("machines", seamless, Incoming::Listen);
    // It outlives the broken migration, and takes the second one.
    let mut target = spawn("target", seamless, Incoming::Defer);
    let mut second = spawn("second", seamless, Incoming::Listen);
    let client = client_of(&source, Config::default(), "");
    let id = client.view().connection_id;

    source.command("migrate-set-parameters", json!({"max-bandwidth": 20_000})).unwrap();
    source.migrate_info(target.port(), json!({})).unwrap();
    assert_eq!(client.wait_ready(1), scheme);
    source.migrate(&machines.incoming_uri()).unwrap();
    source.wait_migration(&["active"], PATIENCE).unwrap();
    // Nothing is decided yet: the client is at both, and works at the source.
    assert_eq!(client.view().links.len(), 2 * CHANNELS);
    client.round_trip(source.port());
    source.command("migrate_cancel", json!({})).unwrap();
    source.wait_migration(&["cancelled"], PATIENCE).unwrap();
    assert_eq!(client.wait_ended(1), Outcome::Cancelled);
    // Exactly the source's links are left, with the source's address.
    assert_at(&client, &mut source, id);

    // Nothing of it is left to be in the way of the next attempt.
    source.command("migrate-set-parameters", json!({"max-bandwidth": 1_000_000_000})).unwrap();
    source.migrate_info(second.port(), json!({})).unwrap();
    assert_eq!(client.wait_ready(2), scheme);
    move_vm(&mut source, &mut second);
    assert_eq!(client.wait_ended(2), Outcome::Switched(scheme));
    assert_at(&client, &mut second, id);
    wait_completed(&mut source);
    machines.kill();
    finish(client, [&mut source, &mut target, &mut second]);
}

/// The target dies while the client is linked to it, and the migration of the machine with it.
#[test]
fn target_dies_after_connected() {
    if !qemu() {
        return;
    }
    let mut source = spawn("source", false, Incoming::No);
    let mut target = spawn("target", false, Incoming::Listen);
    let client = client_of(&source, Config::default(), "");
    let id = client.view().connection_id;
    source.command("migrate-set-parameters", json!({"max-bandwidth": 20_000})).unwrap();
    source.migrate_info(target.port(), json!({})).unwrap();
    assert_eq!(client.wait_ready(1), Scheme::SemiSeamless);
    source.migrate(&target.incoming_uri()).unwrap();
    source.wait_migration(&["active"], PATIENCE).unwrap();
    target.kill();
    assert_eq!(source.wait_migration(&["failed", "completed"], PATIENCE).unwrap(), "failed");
    assert_eq!(client.wait_ended(1), Outcome::Cancelled);
    assert_at(&client, &mut source, id);
    finish(client, [&mut source]);
}

/// The target accepts and never answers: our deadline ends that, and the session never stops.
#[test]
fn black_holed_target() {
    if !qemu() {
        return;
    }
    let mut source = spawn("source", true, Incoming::No);
    let hole = BlackHole::open();
    let mut config = Config::default();
    config.connect_timeout = Duration::from_secs(1);
    let client = client_of(&source, config, "");
    let id = client.view().connection_id;
    source.migrate_info(hole.port, json!({})).unwrap();
    client.wait_event("the attempt", |event| matches!(event, Event::MigrationStarted { .. }).then_some(()));
    assert_eq!(client.view().state, State::ConnectingSeamless);
    client.round_trip(source.port());
    assert_eq!(client.view().state, State::ConnectingSeamless, "the source was served while connecting");
    assert_eq!(client.wait_ended(1), Outcome::Failed(Failure::Deadline));
    assert!(client.main_messages(source.port()).contains(&"-> MIGRATE_CONNECT_ERROR".to_owned()));
    assert_at(&client, &mut source, id);
    finish(client, [&mut source]);
}

#[test]
fn ticket_right() {
    if !qemu() {
        return;
    }
    let mut source = spawn_with("source", TICKETS, Incoming::No);
    let mut target = spawn_with("target", TICKETS, Incoming::Listen);
    source.set_password("sesame").unwrap();
    target.set_password("sesame").unwrap();
    let client = client_of(&source, Config::default(), "sesame");
    let id = client.view().connection_id;
    source.migrate_info(target.port(), json!({})).unwrap();
    assert_eq!(client.wait_ready(1), Scheme::Seamless);
    move_vm(&mut source, &mut target);
    assert_eq!(client.wait_ended(1), Outcome::Switched(Scheme::Seamless));
    assert_at(&client, &mut target, id);
    wait_completed(&mut source);
    finish(client, [&mut source, &mut target]);
}

#[test]
fn ticket_wrong_on_target() {
    if !qemu() {
        return;
    }
    let mut source = spawn_with("source", TICKETS, Incoming::No);
    let mut target = spawn_with("target", TICKETS, Incoming::Listen);
    source.set_password("sesame").unwrap();
    target.set_password("other").unwrap();
    let client = client_of(&source, Config::default(), "sesame");
    let id = client.view().connection_id;
    source.migrate_info(target.port(), json!({})).unwrap();
    assert_eq!(client.wait_ended(1), Outcome::Failed(Failure::Link(DENIED)));
    assert!(client.main_messages(source.port()).contains(&"-> MIGRATE_CONNECT_ERROR".to_owned()));
    assert_at(&client, &mut source, id);
    // When the machine has gone, the only way left is as closed as the first.
    move_vm(&mut source, &mut target);
    assert_eq!(client.wait_disconnected(), Disconnect::Link(DENIED));
    assert_eq!(client.wait_ended(2), Outcome::Failed(Failure::Disconnected));
    wait_completed(&mut source);
    assert_eq!(listed(&mut target), []);
    finish(client, [&mut source, &mut target]);
}

#[test]
fn ticket_wrong_on_source() {
    if !qemu() {
        return;
    }
    let mut source = spawn_with("source", TICKETS, Incoming::No);
    source.set_password("sesame").unwrap();
    let client = Client::start(source.port(), Config::default(), "other");
    assert_eq!(client.wait_disconnected(), Disconnect::Link(DENIED));
    assert_eq!(listed(&mut source), []);
    finish(client, [&mut source]);
}

/// Another target is announced when the client is linked to a first one.
#[test]
fn announced_twice_with_time_between() {
    if !qemu() {
        return;
    }
    let mut source = spawn("source", true, Incoming::No);
    let mut first = spawn("first", true, Incoming::Defer);
    let mut second = spawn("second", true, Incoming::Listen);
    let client = client_of(&source, Config::default(), "");
    let id = client.view().connection_id;
    source.migrate_info(first.port(), json!({})).unwrap();
    assert_eq!(client.wait_ready(1), Scheme::Seamless);
    source.migrate_info(second.port(), json!({})).unwrap();
    // The real source calls it back before it asks again.
    assert_eq!(client.wait_ended(1), Outcome::Cancelled);
    assert_eq!(client.wait_ready(2), Scheme::Seamless);
    assert!(client.view().links.iter().all(|(port, _)| *port != first.port()));
    move_vm(&mut source, &mut second);
    assert_eq!(client.wait_ended(2), Outcome::Switched(Scheme::Seamless));
    assert_at(&client, &mut second, id);
    wait_completed(&mut source);
    finish(client, [&mut source, &mut first, &mut second]);
}

/// Another target is announced while the client is still connecting to a first one. The real source books the
/// first answer for the second announcement (spec/spice.md 7.2): it hears our CONNECT_ERROR for the first, takes
/// our CONNECTED for one that nobody asked for, calls it back, and sends us after the machine with SWITCH_HOST.
/// What matters: the client ends where the machine is.
#[test]
fn announced_twice_at_once() {
    if !qemu() {
        return;
    }
    let mut source = spawn("source", false, Incoming::No);
    let mut target = spawn("target", false, Incoming::Listen);
    let hole = BlackHole::open();
    let client = client_of(&source, Config::default(), "");
    let id = client.view().connection_id;
    source.migrate_info(hole.port, json!({})).unwrap();
    source.migrate_info(target.port(), json!({})).unwrap();
    assert_eq!(client.wait_ended(1), Outcome::Superseded);
    assert_eq!(client.wait_ready(2), Scheme::SemiSeamless);
    assert_eq!(client.wait_ended(2), Outcome::Cancelled);
    assert_at(&client, &mut source, id);
    let mark = client.log.mark();
    move_vm(&mut source, &mut target);
    assert_anew(&client, mark, &mut target, 3, id);
    wait_completed(&mut source);
    let answers = |note: &Note| match note {
        Note::Passed { message, .. } => ["MIGRATE_CONNECTED", "MIGRATE_CONNECT_ERROR"].contains(&message.name()),
        _ => false,
    };
    assert_eq!(client.log.all().iter().filter(|note| answers(note)).count(), 2, "one answer each\n{}", client.log);
    finish(client, [&mut source, &mut target]);
}
