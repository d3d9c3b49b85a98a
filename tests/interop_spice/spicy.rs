//! Our servers, moving the program that a person would use: spicy, on a screen that nobody sees.
//!
//! It has nothing to tell; the servers see it come and go. It is offered no channel but main: it would not
//! connect inputs without a screen's contents, and does not survive a move with a channel unconnected
//! (spec/spice.md 7.9).

use crate::qemus::dead_port;
use crate::server_party::{Options, Server};
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
fn client_of(source: &Server) -> Option<Spicy> {
    if !require(Spicy::available(), "spicy or xvfb-run") {
        return None;
    }
    let client = Spicy::start(source.port).unwrap();
    wait_attached(source);
    source.round_trip(1);
    Some(client)
}

/// Waits until it has taken a new session's INIT.
#[track_caller]
fn wait_attached(server: &Server) {
    server.wait_message(0, ChannelId::MAIN, |message| *message == ClientMessage::AttachChannels);
}

/// The machine and its client have moved, and the client works where it is.
#[track_caller]
fn assert_moved(mut client: Spicy, source: Server, target: Server) {
    target.round_trip(2);
    target.ping_until_gone(&source);
    source.wait_source("the end of the attempt", |event| {
        matches!(event, Departure::Ended { outcome: Outcome::Completed, .. }).then_some(())
    });
    assert_eq!((source.outcomes(), source.clients(), target.clients()), (vec![Outcome::Completed], 0, 1));
    client.stop();
    source.finish();
    target.finish();
}

#[track_caller]
fn wait_settled(target: &Server, start: Start) {
    target.wait_target("the client to settle", |event| {
        matches!(event, Arrival::Settled { start: how, .. } if *how == start).then_some(())
    });
}

fn linked_first(seamless: bool, start: Start) {
    let (source, target) = (Server::start("source", options(seamless)), Server::start("target", options(seamless)));
    let Some(client) = client_of(&source) else { return };
    source.announce(target.port);
    assert!(source.wait_answer(), "{}", client.output());
    source.round_trip(10);
    target.tell(ServerCommand::VmRunning);
    source.tell(ServerCommand::VmCompleted);
    wait_settled(&target, start);
    assert_moved(client, source, target);
}

#[test]
fn semi_seamless() {
    linked_first(false, Start::Afresh);
}

#[test]
fn seamless() {
    linked_first(true, Start::Seamless);
}

#[test]
fn connect_error_then_switch_host() {
    let source = Server::start("source", options(true));
    let Some(client) = client_of(&source) else { return };
    let port = dead_port();
    source.announce(port);
    assert!(!source.wait_answer(), "{}", client.output());
    let target = Server::start("target", Options { port: Some(port), ..options(true) });
    target.tell(ServerCommand::VmRunning);
    source.tell(ServerCommand::VmCompleted);
    wait_attached(&target);
    assert_moved(client, source, target);
}
