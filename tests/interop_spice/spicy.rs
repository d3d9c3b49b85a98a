//! Our servers, moving the program that a person would use: spicy, on a screen that nobody sees.
//!
//! It has nothing to tell; the servers see it come and go. It is offered no channel but main: it would not
//! connect inputs without a screen's contents, and does not survive a move with a channel unconnected
//! (spec/spice.md 7.9).

use crate::log::PATIENCE;
use crate::qemus::dead_port;
use crate::server_party::{Note, Options, Server};
use crate::support::gtk::Spicy;
use crate::support::require;
use handover::spice::endpoint::{ServerCommand, ServerConfig};
use handover::spice::source::{Event as Departure, Outcome};
use handover::spice::target::{Event as Arrival, Start};
use handover::spice::{ChannelId, ClientMessage};

fn options(seamless: bool) -> Options {
    let mut config = ServerConfig::default();
    config.source.seamless = seamless;
    Options { config, ..Options::default() }
}

/// A spicy that has its session at `source`.
fn client_of(source: &Server, password: Option<&str>) -> Option<Spicy> {
    if !require(Spicy::available(), "spicy or xvfb-run") {
        return None;
    }
    let client = Spicy::start(source.port, password).unwrap();
    wait_attached(source);
    source.round_trip(1);
    Some(client)
}

/// Waits until it has taken a new session's INIT.
#[track_caller]
fn wait_attached(server: &Server) {
    server.wait_message(0, ChannelId::MAIN, |message| *message == ClientMessage::AttachChannels);
}

#[track_caller]
fn wait_settled(target: &Server, start: Start) {
    target.wait_target("the client to settle", |event| {
        matches!(event, Arrival::Settled { start: how, .. } if *how == start).then_some(())
    });
}

#[track_caller]
fn wait_ended(source: &Server, outcome: Outcome) {
    source.wait_source("the end of the attempt", |event| {
        matches!(event, Departure::Ended { outcome: how, .. } if *how == outcome).then_some(())
    });
}

/// The machine has moved: both servers hear of it.
fn complete(source: &Server, target: &Server) {
    target.tell(ServerCommand::VmRunning);
    source.tell(ServerCommand::VmCompleted);
}

/// The client has moved with the machine, and works where it is; the source's attempt has ended, once.
#[track_caller]
fn assert_moved(mut client: Spicy, source: Server, target: Server) {
    target.round_trip(2);
    target.ping_until_gone(&source);
    wait_ended(&source, Outcome::Completed);
    assert_eq!((source.outcomes(), source.clients(), target.clients()), (vec![Outcome::Completed], 0, 1));
    client.stop();
    source.finish();
    target.finish();
}

/// A move in which the client is linked to the target first.
fn linked_first(of_source: Options, of_target: Options, start: Start) {
    let password = of_source.password.clone();
    let (source, target) = (Server::start("source", of_source), Server::start("target", of_target));
    let Some(client) = client_of(&source, password.as_deref()) else { return };
    source.announce(target.port);
    assert!(source.wait_answer(), "{}", client.output());
    source.round_trip(10);
    complete(&source, &target);
    wait_settled(&target, start);
    assert_moved(client, source, target);
}

#[test]
fn semi_seamless() {
    linked_first(options(false), options(false), Start::Afresh);
}

#[test]
fn seamless() {
    linked_first(options(true), options(true), Start::Seamless);
}

#[test]
fn seamless_refused() {
    let mut target = options(true);
    target.config.target.several_clients = true;
    linked_first(options(true), target, Start::Afresh);
}

#[test]
fn ticket_right() {
    let with_password = || Options { password: Some("sesame".to_owned()), ..options(true) };
    linked_first(with_password(), with_password(), Start::Seamless);
}

#[test]
fn connect_error_then_switch_host() {
    let source = Server::start("source", options(true));
    let Some(client) = client_of(&source, None) else { return };
    let port = dead_port();
    source.announce(port);
    assert!(!source.wait_answer(), "{}", client.output());
    let target = Server::start("target", Options { port: Some(port), ..options(true) });
    complete(&source, &target);
    wait_attached(&target);
    assert_moved(client, source, target);
}

#[test]
fn cancel_after_connected() {
    let (source, target) = (Server::start("source", options(false)), Server::start("target", options(false)));
    let Some(mut client) = client_of(&source, None) else { return };
    source.announce(target.port);
    assert!(source.wait_answer(), "{}", client.output());
    source.tell(ServerCommand::VmCancelled);
    target.wait_target("the client to leave", |event| matches!(event, Arrival::Gone { .. }).then_some(()));
    source.round_trip(10);
    assert_eq!((source.outcomes(), source.clients(), target.clients()), (vec![Outcome::Aborted], 1, 0));
    client.stop();
    source.finish();
    target.finish();
}

/// It notices only when it is sent to the dead target; then it ends, and so does the attempt.
#[test]
fn target_dies_after_connected() {
    let (source, mut target) = (Server::start("source", options(false)), Server::start("target", options(false)));
    let Some(mut client) = client_of(&source, None) else { return };
    source.announce(target.port);
    assert!(source.wait_answer(), "{}", client.output());
    target.kill();
    source.round_trip(10);
    source.tell(ServerCommand::VmCompleted);
    wait_ended(&source, Outcome::Completed);
    assert!(client.wait_exit(PATIENCE).is_some(), "{}", client.output());
    assert_eq!((source.outcomes(), source.clients()), (vec![Outcome::Completed], 0));
    source.finish();
    let settled = |note: &Note| matches!(note, Note::Target(Arrival::Settled { .. }));
    assert!(!target.log.all().iter().any(settled), "{}", target.log);
}
