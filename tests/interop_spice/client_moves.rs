//! Our client, moved by real servers: where all goes well.

use crate::client_party::{Client, MOTIONS_TO_ACK, Note};
use crate::qemus::{self, CHANNELS, assert_at, client_of, finish, listed, move_vm, spawn, wait_completed};
use crate::support::qemu::{Incoming, Qemu, QemuOptions};
use crate::support::require;
use crate::tap::Passed;
use handover::spice::client::{Config, Event, Outcome, Scheme};
use handover::spice::{ChannelId, ClientMessage, MainCaps, ServerMessage};
use serde_json::json;
use std::io::Write;

fn qemu() -> bool {
    require(Qemu::available(), "qemu-system-x86_64")
}

/// A line for whoever reads the test's output, passed or not.
fn inform(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// One move from `source` to `target` in the scheme that both offer; the session goes on.
fn move_client(client: &Client, source: &mut Qemu, target: &mut Qemu, attempt: u32, scheme: Scheme) {
    let id = client.view().connection_id;
    source.migrate_info(target.port(), json!({})).unwrap();
    assert_eq!(client.wait_ready(attempt), scheme);
    move_vm(source, target);
    assert_eq!(client.wait_ended(attempt), Outcome::Switched(scheme));
    assert_at(client, target, id);
    wait_completed(source);
}

#[test]
fn semi_seamless() {
    if !qemu() {
        return;
    }
    let mut source = spawn("source", false, Incoming::No);
    let mut target = spawn("target", false, Incoming::Listen);
    let client = client_of(&source, Config::default(), "");
    // Half of what the source would answer to: a channel that starts afresh knows nothing of it.
    client.move_pointer(MOTIONS_TO_ACK / 2);
    source.migrate_info(target.port(), json!({})).unwrap();
    assert_eq!(client.wait_ready(1), Scheme::SemiSeamless);
    // The target lists links that it has not heard a message on; the session goes on at the source.
    let id = client.view().connection_id;
    qemus::wait_listed(&mut target, id);
    assert_eq!(client.main_messages(target.port()), [""; 0]);
    client.move_pointer(MOTIONS_TO_ACK / 2);
    client.wait_motion_ack(0, source.port());
    move_vm(&mut source, &mut target);
    assert_eq!(client.wait_ended(1), Outcome::Switched(Scheme::SemiSeamless));
    assert_at(&client, &mut target, id);
    wait_completed(&mut source);
    let messages = client.main_messages(target.port());
    assert_eq!(messages[..2], ["-> MIGRATE_END", "<- INIT"], "{}", client.log);
    let (linked, switched) = (
        client.micros_between("<- MIGRATE_BEGIN", "-> MIGRATE_CONNECTED"),
        client.micros_between("<- MIGRATE_END", "-> MIGRATE_END"),
    );
    inform(&format!("semi-seamless: BEGIN -> CONNECTED {linked} µs, END -> MIGRATE_END {switched} µs"));
    finish(client, [&mut source, &mut target]);
}

#[test]
fn seamless() {
    if !qemu() {
        return;
    }
    let mut source = spawn("source", true, Incoming::No);
    let mut target = spawn("target", true, Incoming::Listen);
    let client = client_of(&source, Config::default(), "");
    let id = client.view().connection_id;
    // The inputs channel's state is this count: the target must go on from it.
    client.move_pointer(MOTIONS_TO_ACK / 2);
    source.migrate_info(target.port(), json!({})).unwrap();
    assert_eq!(client.wait_ready(1), Scheme::Seamless);
    move_vm(&mut source, &mut target);
    assert_eq!(client.wait_ended(1), Outcome::Switched(Scheme::Seamless));
    client.move_pointer(MOTIONS_TO_ACK / 2);
    client.wait_motion_ack(0, target.port());
    assert_at(&client, &mut target, id);
    wait_completed(&mut source);
    assert_states_carried(&client, source.port(), target.port());
    inform(&format!(
        "seamless: BEGIN_SEAMLESS -> CONNECTED_SEAMLESS {} µs",
        client.micros_between("<- MIGRATE_BEGIN_SEAMLESS", "-> MIGRATE_CONNECTED_SEAMLESS")
    ));
    finish(client, [&mut source, &mut target]);
}

/// What the source gave each channel is what the target got, as the first thing behind the handshake.
fn assert_states_carried(client: &Client, source: u16, target: u16) {
    let mut given = Vec::new();
    let mut carried = Vec::new();
    for note in client.log.all() {
        match note {
            Note::Passed { port, channel, message: Passed::FromServer(ServerMessage::MigrateData(data)) } => {
                assert_eq!(port, source);
                given.push((channel, data.data));
            }
            Note::Passed { port, channel, message: Passed::FromClient(ClientMessage::MigrateData(data)) } => {
                assert_eq!(port, target);
                carried.push((channel, data.data));
            }
            _ => {}
        }
    }
    // Real servers let go of the whole client when its main link closes: that one is closed last.
    let left = |note: Note| if let Note::Left { port, channel } = note { Some((port, channel)) } else { None };
    let left: Vec<_> = client.log.all().into_iter().filter_map(left).filter(|(port, _)| *port == source).collect();
    assert_eq!((left.len(), left.last()), (CHANNELS, Some(&(source, ChannelId::MAIN))), "{}", client.log);
    // Main, display and inputs; the cursor has none.
    assert_eq!((given.len(), &given), (3, &carried), "{}", client.log);
    let sent: Vec<String> =
        client.main_messages(target).into_iter().filter(|message| message.starts_with("->")).collect();
    assert_eq!(sent[..2], ["-> MIGRATE_DST_DO_SEAMLESS", "-> SPICE_MSGC_MIGRATE_DATA"], "{}", client.log);
}

/// A target that may have several clients takes nobody over seamlessly.
#[test]
fn seamless_refused() {
    if !qemu() {
        return;
    }
    let mut source = spawn("source", true, Incoming::No);
    let env = vec![("SPICE_DEBUG_ALLOW_MC".to_owned(), "1".to_owned())];
    let options = QemuOptions { incoming: Incoming::Listen, env, ..QemuOptions::default() };
    let mut target = Qemu::spawn("target", &options).unwrap();
    let client = client_of(&source, Config::default(), "");
    move_client(&client, &mut source, &mut target, 1, Scheme::SemiSeamless);
    assert!(client.main_messages(target.port()).contains(&"<- MIGRATE_DST_SEAMLESS_NACK".to_owned()), "{}", client.log);
    finish(client, [&mut source, &mut target]);
}

#[test]
fn chain_semi_seamless() {
    if qemu() {
        chain(Scheme::SemiSeamless);
    }
}

#[test]
fn chain_seamless() {
    if qemu() {
        chain(Scheme::Seamless);
    }
}

/// From a to b to c: one session.
fn chain(scheme: Scheme) {
    let seamless = scheme == Scheme::Seamless;
    let mut a = spawn("a", seamless, Incoming::No);
    let mut b = spawn("b", seamless, Incoming::Listen);
    let mut c = spawn("c", seamless, Incoming::Listen);
    let client = client_of(&a, Config::default(), "");
    let id = client.view().connection_id;
    move_client(&client, &mut a, &mut b, 1, scheme);
    move_client(&client, &mut b, &mut c, 2, scheme);
    assert_eq!(client.view().connection_id, id);
    assert_eq!((listed(&mut a), listed(&mut b)), (vec![], vec![]));
    finish(client, [&mut a, &mut b, &mut c]);
}

/// A client from before MIGRATE_BEGIN hears of a move when all is over.
#[test]
fn old_client() {
    if !qemu() {
        return;
    }
    let mut source = spawn("source", true, Incoming::No);
    let mut target = spawn("target", true, Incoming::Listen);
    let mut config = Config::default();
    config.main_caps.remove(MainCaps::SEMI_SEAMLESS_MIGRATE | MainCaps::SEAMLESS_MIGRATE);
    let client = client_of(&source, config, "");
    source.migrate_info(target.port(), json!({})).unwrap();
    switch_host(&client, &mut source, &mut target);
    finish(client, [&mut source, &mut target]);
}

/// A client that comes after the announcement was not asked.
#[test]
fn late_client() {
    if !qemu() {
        return;
    }
    let mut source = spawn("source", true, Incoming::No);
    let mut target = spawn("target", true, Incoming::Listen);
    source.migrate_info(target.port(), json!({})).unwrap();
    let client = client_of(&source, Config::default(), "");
    switch_host(&client, &mut source, &mut target);
    finish(client, [&mut source, &mut target]);
}

/// The machine moves, and the client follows with a new session, as its first and only attempt.
fn switch_host(client: &Client, source: &mut Qemu, target: &mut Qemu) {
    let (id, mark) = (client.view().connection_id, client.log.mark());
    move_vm(source, target);
    assert_eq!(client.wait_ended(1), Outcome::Switched(Scheme::SwitchHost));
    client.wait_linked(mark, CHANNELS);
    let view = client.view();
    assert_ne!(view.connection_id, id, "a new session has an id of its own");
    assert_at(client, target, view.connection_id);
    wait_completed(source);
    let started = |note: &Note| matches!(note, Note::Event(Event::MigrationStarted { .. }));
    assert_eq!(client.log.all().iter().filter(|note| started(note)).count(), 1, "{}", client.log);
}
