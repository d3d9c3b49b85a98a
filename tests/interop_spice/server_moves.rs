//! Our servers, moving the real client, spice-gtk.

use crate::log::PATIENCE;
use crate::qemus::dead_port;
use crate::server_party::{INPUTS, KEY_MODIFIERS_TYPE, Note, Options, Server, state_of};
use crate::support::gtk::{GtkClient, GtkOptions};
use crate::support::require;
use crate::tap::Passed;
use handover::spice::endpoint::{ServerCommand, ServerConfig};
use handover::spice::source::{ClientLoss, Event as Departure, Outcome};
use handover::spice::target::{Event as Arrival, Loss, Start};
use handover::spice::{ChannelId, ClientMessage};
use serde_json::Value;
use std::time::Duration;

fn gtk() -> bool {
    require(GtkClient::available(), "spice-gtk for Python (gir1.2-spiceclientglib-2.0, python3-gi)")
}

fn options(seamless: bool) -> Options {
    let mut config = ServerConfig::default();
    config.source.seamless = seamless;
    Options { config, channels: vec![INPUTS], ..Options::default() }
}

fn with_password(seamless: bool, password: &str) -> Options {
    Options { password: Some(password.to_owned()), ..options(seamless) }
}

/// A client that has its channels open at `source`.
fn client_of(source: &Server, options: &GtkOptions) -> GtkClient {
    let client = GtkClient::start("127.0.0.1", source.port, options).unwrap();
    wait_inputs(source);
    assert!(client.wait_opened(2, PATIENCE), "{:?}", client.events());
    source.round_trip(1);
    client
}

/// Waits until the client's inputs channel works: it answers the channel's first message.
#[track_caller]
fn wait_inputs(server: &Server) {
    server.wait_message(
        0,
        INPUTS,
        |message| matches!(message, ClientMessage::Unknown(unknown) if unknown.ty == KEY_MODIFIERS_TYPE),
    );
}

/// Waits until the session says that it is at this server, and in no migration.
#[track_caller]
fn wait_address(client: &GtkClient, port: u16) {
    let port = port.to_string();
    let is = |event: &Value| event["event"] == "migration-state" && event["state"] == "none" && event["port"] == *port;
    assert!(client.wait(is, PATIENCE).is_some(), "{:#?}", client.events());
}

/// Waits until a channel has this to tell.
#[track_caller]
fn wait_channel(client: &GtkClient, channel: &str, what: &str) {
    let is = |event: &Value| event["event"] == "channel" && event["channel"] == channel && event["what"] == what;
    assert!(client.wait(is, PATIENCE).is_some(), "no {channel} {what}: {:#?}", client.events());
}

/// The client's links to a target, main's first, with the id that they named.
fn links(server: &Server) -> Vec<(u32, ChannelId)> {
    let asked = |note| match note {
        Note::Asked { connection_id, channel } => Some((connection_id, channel)),
        _ => None,
    };
    server.log.all().into_iter().filter_map(asked).collect()
}

/// Waits until the source's attempt has ended: how, and why its client was gone.
#[track_caller]
fn wait_ended(source: &Server) -> (Outcome, ClientLoss) {
    let ended = |event: &Departure| match event {
        Departure::Ended { outcome, .. } => Some(*outcome),
        _ => None,
    };
    let gone = |event: &Departure| match event {
        Departure::ClientGone { reason, .. } => Some(*reason),
        _ => None,
    };
    (source.wait_source("the end of the attempt", ended), source.wait_source("the client to leave", gone))
}

/// Waits until the source is done with its client, because the client has closed its links.
#[track_caller]
fn wait_completed(source: &Server) {
    assert_eq!(wait_ended(source), (Outcome::Completed, ClientLoss::Closed), "{}", source.log);
}

#[track_caller]
fn wait_settled(target: &Server, start: Start) {
    let settled = |event: &Arrival| match event {
        Arrival::Settled { start, .. } => Some(*start),
        _ => None,
    };
    assert_eq!(target.wait_target("the client to settle", settled), start);
}

#[track_caller]
fn wait_gone(server: &Server) {
    let gone = |event: &Arrival| match event {
        Arrival::Gone { reason, .. } => Some(*reason),
        _ => None,
    };
    assert_eq!(server.wait_target("the client to leave", gone), Loss::Closed);
}

/// Ends the client, then the servers: the client has found nothing to complain about, each attempt of the source
/// has ended once, in this way, and everybody has kept to the protocol.
#[track_caller]
fn finish(mut client: GtkClient, source: Server, outcomes: &[Outcome], targets: impl IntoIterator<Item = Server>) {
    let status = client.stop();
    assert!(status.is_some_and(|status| status.success()), "{status:?}\n{}", client.stderr());
    assert_eq!(client.criticals(), [""; 0]);
    assert_eq!(source.outcomes(), outcomes, "{}", source.log);
    source.finish();
    for target in targets {
        let settled = |note: &Note| matches!(note, Note::Target(Arrival::Settled { .. }));
        assert!(target.log.all().iter().filter(|note| settled(note)).count() <= 1, "{}", target.log);
        target.finish();
    }
}

/// The machine has moved: both servers hear of it.
fn complete(source: &Server, target: &Server) {
    target.tell(ServerCommand::VmRunning);
    source.tell(ServerCommand::VmCompleted);
}

/// The client has arrived in the semi-seamless scheme and works.
#[track_caller]
fn assert_switched(client: &GtkClient, source: &Server, target: &Server) {
    wait_settled(target, Start::Afresh);
    wait_inputs(target);
    wait_completed(source);
    wait_address(client, target.port);
    target.round_trip(2);
    let id = source.session_id;
    assert_eq!(links(target), [(id, ChannelId::MAIN), (id, INPUTS)]);
    let main = target.messages(ChannelId::MAIN);
    let at = |name: &str| main.iter().position(|message| message == name);
    let (end, init) = (at("-> MIGRATE_END"), at("<- INIT"));
    assert_eq!((end.map(|end| end + 1), main.iter().filter(|name| *name == "<- INIT").count()), (init, 1), "{main:?}");
    assert_eq!(target.clients(), 1);
}

#[test]
fn semi_seamless() {
    if !gtk() {
        return;
    }
    let (source, target) = (Server::start("source", options(false)), Server::start("target", options(false)));
    let client = client_of(&source, &GtkOptions::default());
    source.announce(target.port);
    assert!(source.wait_answer());
    // Both of its links are there, parked and silent; it works at the source.
    assert_eq!((target.clients(), links(&target).len()), (1, 2));
    assert_eq!(target.messages(ChannelId::MAIN), [""; 0]);
    source.round_trip(10);
    complete(&source, &target);
    assert_switched(&client, &source, &target);
    finish(client, source, &[Outcome::Completed], [target]);
}

#[test]
fn seamless() {
    if !gtk() {
        return;
    }
    let (source, target) = (Server::start("source", options(true)), Server::start("target", options(true)));
    let client = client_of(&source, &GtkOptions::default());
    source.announce(target.port);
    assert!(source.wait_answer());
    source.round_trip(10);
    // Like the real target, which pings every client every now and then, parked or not.
    target.ping(ChannelId::MAIN, 1);
    target.ping(INPUTS, 1);
    source.round_trip(11);
    complete(&source, &target);
    wait_settled(&target, Start::Seamless);
    target.ping_until_gone(&source);
    wait_completed(&source);
    wait_address(&client, target.port);
    // What the target had sent before the switch is acted upon behind it.
    target.wait_pong(ChannelId::MAIN, 1);
    target.wait_pong(INPUTS, 1);
    for channel in [ChannelId::MAIN, INPUTS] {
        target.wait_message(
            0,
            channel,
            |message| matches!(message, ClientMessage::MigrateData(data) if data.data == state_of(channel)),
        );
    }
    let main = target.messages(ChannelId::MAIN);
    let first = [
        "-> MIGRATE_DST_DO_SEAMLESS",
        "<- MIGRATE_DST_SEAMLESS_ACK",
        "-> SPICE_MSGC_MIGRATE_DATA",
        "-> SPICE_MSGC_PONG",
    ];
    assert_eq!(main[..4], first, "{main:?}");
    assert!(!main.contains(&"<- INIT".to_owned()), "{main:?}");
    let inputs = target.messages(INPUTS);
    assert_eq!(inputs, ["<- Unknown 101", "-> SPICE_MSGC_MIGRATE_DATA", "-> SPICE_MSGC_PONG"]);
    finish(client, source, &[Outcome::Completed], [target]);
}

/// A target that says nothing on its main channel: spice-gtk keeps the source's main link open until something comes
/// on the target's (spec/spice.md 7). The source has its deadline for such clients, and nothing else suffers.
#[test]
fn seamless_to_silent_target() {
    if !gtk() {
        return;
    }
    let mut of_source = options(true);
    of_source.config.source.disconnect_timeout = Duration::from_secs(1);
    let (source, target) = (Server::start("source", of_source), Server::start("target", options(true)));
    let client = client_of(&source, &GtkOptions::default());
    source.announce(target.port);
    assert!(source.wait_answer());
    complete(&source, &target);
    wait_settled(&target, Start::Seamless);
    wait_address(&client, target.port);
    assert_eq!(wait_ended(&source), (Outcome::Completed, ClientLoss::Deadline));
    target.round_trip(2);
    finish(client, source, &[Outcome::Completed], [target]);
}

/// The target refuses the seamless scheme; the client falls back to the semi-seamless one.
fn refused(change: impl Fn(&mut ServerConfig)) {
    if !gtk() {
        return;
    }
    let mut of_target = options(true);
    change(&mut of_target.config);
    let (source, target) = (Server::start("source", options(true)), Server::start("target", of_target));
    let client = client_of(&source, &GtkOptions::default());
    source.announce(target.port);
    assert!(source.wait_answer());
    assert_eq!(
        target.messages(ChannelId::MAIN),
        ["-> MIGRATE_DST_DO_SEAMLESS", "<- MIGRATE_DST_SEAMLESS_NACK"],
        "{}",
        target.log
    );
    complete(&source, &target);
    assert_switched(&client, &source, &target);
    finish(client, source, &[Outcome::Completed], [target]);
}

#[test]
fn seamless_refused_by_shared_target() {
    refused(|config| config.target.several_clients = true);
}

#[test]
fn seamless_refused_by_old_target() {
    refused(|config| config.target.migration_version = 0);
}

/// Nobody listens at the target when it is announced, but when it counts.
#[test]
fn connect_error_then_switch_host() {
    if !gtk() {
        return;
    }
    let source = Server::start("source", options(true));
    let client = client_of(&source, &GtkOptions::default());
    let port = dead_port();
    source.announce(port);
    assert!(!source.wait_answer());
    source.round_trip(10);
    let target = Server::start("target", Options { port: Some(port), ..options(true) });
    complete(&source, &target);
    wait_inputs(&target);
    wait_completed(&source);
    wait_address(&client, target.port);
    target.round_trip(2);
    assert_eq!(links(&target), [(0, ChannelId::MAIN), (target.session_id, INPUTS)]);
    let main = source.messages(ChannelId::MAIN);
    assert_eq!(main.last().map(String::as_str), Some("<- MIGRATE_SWITCH_HOST"), "{main:?}");
    finish(client, source, &[Outcome::Completed], [target]);
}

#[test]
fn cancel_after_connected() {
    cancel(false);
}

#[test]
fn cancel_after_connected_seamless() {
    cancel(true);
}

/// The machine stays: the client leaves the target, works at the source, and can be moved afterwards.
fn cancel(seamless: bool) {
    if !gtk() {
        return;
    }
    let (source, target) = (Server::start("source", options(seamless)), Server::start("target", options(seamless)));
    let second = Server::start("second", options(seamless));
    let client = client_of(&source, &GtkOptions::default());
    source.announce(target.port);
    assert!(source.wait_answer());
    source.tell(ServerCommand::VmCancelled);
    if seamless {
        // spice-gtk closes the target's main link only after something has come on it.
        target.ping_until(&target, "the client to leave", |note| {
            matches!(note, Note::Target(Arrival::Gone { .. })).then_some(())
        });
    }
    wait_gone(&target);
    assert_eq!(target.clients(), 0);
    let mark = client.mark();
    source.round_trip(10);
    assert_eq!(source.outcomes(), [Outcome::Aborted]);

    let mark_of_source = source.log.mark();
    source.announce(second.port);
    let answered = source.log.wait_after(mark_of_source, "a second answer", |note| match note {
        Note::Source(Departure::ClientsReady { connected, .. }) => Some(*connected),
        _ => None,
    });
    assert!(answered);
    complete(&source, &second);
    wait_settled(&second, if seamless { Start::Seamless } else { Start::Afresh });
    second.ping_until_gone(&source);
    let port = second.port.to_string();
    let at_second = |event: &Value| event["event"] == "migration-state" && event["port"] == *port;
    assert!(client.wait_after(mark, at_second, PATIENCE).is_some(), "{:#?}", client.events());
    source.log.wait_after(mark_of_source, "the end of the second attempt", |note| {
        matches!(note, Note::Source(Departure::Ended { outcome: Outcome::Completed, .. })).then_some(())
    });
    finish(client, source, &[Outcome::Aborted, Outcome::Completed], [target, second]);
}

/// The target dies when the client is linked to it, unnoticed; the client is sent there all the same.
#[test]
fn target_dies_after_connected() {
    if !gtk() {
        return;
    }
    let (source, mut target) = (Server::start("source", options(false)), Server::start("target", options(false)));
    let client = client_of(&source, &GtkOptions::default());
    source.announce(target.port);
    assert!(source.wait_answer());
    target.kill();
    source.round_trip(10);
    source.tell(ServerCommand::VmCompleted);
    wait_completed(&source);
    wait_channel(&client, "main:0", "closed");
    assert_eq!(source.clients(), 0);
    finish(client, source, &[Outcome::Completed], [target]);
}

/// The client dies when it is linked to the target.
#[test]
fn client_dies_after_connected() {
    if !gtk() {
        return;
    }
    let (source, target) = (Server::start("source", options(true)), Server::start("target", options(true)));
    let mut client = client_of(&source, &GtkOptions::default());
    source.announce(target.port);
    assert!(source.wait_answer());
    client.kill();
    wait_gone(&source);
    wait_gone(&target);
    source.tell(ServerCommand::VmCompleted);
    wait_completed(&source);
    assert_eq!((source.outcomes(), source.clients(), target.clients()), (vec![Outcome::Completed], 0, 0));
    source.finish();
    target.finish();
}

#[test]
fn ticket_right() {
    if !gtk() {
        return;
    }
    let source = Server::start("source", with_password(true, "sesame"));
    let target = Server::start("target", with_password(true, "sesame"));
    let client = client_of(&source, &GtkOptions { password: Some("sesame".to_owned()), ..GtkOptions::default() });
    source.announce(target.port);
    assert!(source.wait_answer());
    complete(&source, &target);
    wait_settled(&target, Start::Seamless);
    target.ping_until_gone(&source);
    wait_completed(&source);
    wait_address(&client, target.port);
    finish(client, source, &[Outcome::Completed], [target]);
}

#[test]
fn ticket_wrong_on_target() {
    if !gtk() {
        return;
    }
    let source = Server::start("source", with_password(false, "sesame"));
    let target = Server::start("target", with_password(false, "other"));
    let client = client_of(&source, &GtkOptions { password: Some("sesame".to_owned()), ..GtkOptions::default() });
    source.announce(target.port);
    assert!(!source.wait_answer());
    source.round_trip(10);
    complete(&source, &target);
    wait_completed(&source);
    wait_channel(&client, "main:0", "error-auth");
    // Once with its session's id, then with none.
    assert_eq!(links(&target), [(source.session_id, ChannelId::MAIN), (0, ChannelId::MAIN)]);
    assert_eq!(target.clients(), 0);
    finish(client, source, &[Outcome::Completed], [target]);
}

#[test]
fn ticket_wrong_on_source() {
    if !gtk() {
        return;
    }
    let source = Server::start("source", with_password(false, "sesame"));
    let options = GtkOptions { password: Some("other".to_owned()), ..GtkOptions::default() };
    let client = GtkClient::start("127.0.0.1", source.port, &options).unwrap();
    wait_channel(&client, "main:0", "error-auth");
    assert_eq!(source.clients(), 0);
    let passed = |note: &Note| matches!(note, Note::Passed { message: Passed::FromServer(_), .. });
    assert!(!source.log.all().iter().any(passed), "{}", source.log);
    finish(client, source, &[], []);
}

/// When main is all there is, spice-gtk finds itself in the wrong (spec/spice.md 7.15), and goes on.
#[test]
fn main_alone() {
    if !gtk() {
        return;
    }
    let start = |name| Server::start(name, Options { channels: Vec::new(), ..options(false) });
    let (source, target) = (start("source"), start("target"));
    let mut client =
        GtkClient::start("127.0.0.1", source.port, &GtkOptions { main_only: true, ..GtkOptions::default() }).unwrap();
    source.wait_message(0, ChannelId::MAIN, |message| *message == ClientMessage::AttachChannels);
    source.announce(target.port);
    assert!(source.wait_answer());
    complete(&source, &target);
    wait_settled(&target, Start::Afresh);
    target.wait_message(0, ChannelId::MAIN, |message| *message == ClientMessage::AttachChannels);
    wait_completed(&source);
    wait_address(&client, target.port);
    target.round_trip(2);
    assert!(client.stop().is_some_and(|status| status.success()), "{}", client.stderr());
    assert_eq!(client.criticals().len(), 1, "{:#?}", client.criticals());
    assert_eq!(source.outcomes(), [Outcome::Completed]);
    source.finish();
    target.finish();
}
