//! Logins and what follows them, one by one (spec/tds5.md 6.2).

use super::*;
use crate::error::Error;
use crate::machine::Machine;
use crate::tds5::capability::{Capabilities, Mask, RequestCapability, ResponseCapability};
use crate::tds5::connection::Item;
use crate::tds5::ids::PacketType;
use crate::tds5::login::{HaLogin, LoginRecord};
use crate::tds5::migration::{Address, Migration};
use crate::tds5::server::Caller;
use crate::tds5::token::{Done, Eed, Language, LoginStatus, Token};
use crate::wire::ByteOrder;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

const ID: [u8; 6] = [9; 6];

fn id() -> SessionId {
    SessionId::new(ID).unwrap()
}

fn record() -> LoginRecord {
    LoginRecord::new(ByteOrder::Little)
}

fn come(config: Config, login: Login) -> Target {
    let mut target = Target::new(config, Instant::ZERO);
    target.handle(Instant::ZERO, Input::Item(Item::Login(Box::new(login)))).unwrap();
    target
}

fn give(target: &mut Target, input: Input) -> Result<(), Error> {
    let before = target.clone();
    let result = target.handle(Instant::ZERO, input);
    if matches!(result, Err(Error::Misuse(_))) {
        assert!(before == *target, "a misuse changes nothing");
    }
    result
}

/// All outputs, in short; events in angle brackets.
fn outputs(target: &mut Target) -> Vec<String> {
    let name = |output| match output {
        Output::Send(Token::LoginAck(ack)) => match ack.status {
            LoginStatus::SUCCEED => "ACK",
            LoginStatus::FAIL => "NAK",
            _ => "NEGOTIATE",
        }
        .to_string(),
        Output::Send(token) => token.token_type().to_string(),
        Output::SessionId(_) => "ID".to_string(),
        Output::EndMessage => "EOM".to_string(),
        Output::Close => "close".to_string(),
        Output::Event(Event::Connect { migrated, .. }) => alloc::format!("<connect {migrated}>"),
        Output::Event(Event::LoginEnded(outcome)) => alloc::format!("<{outcome:?}>"),
        Output::Event(Event::MigrateResume) => "<resume>".to_string(),
        Output::Event(Event::Item(_)) => "<item>".to_string(),
        Output::Event(Event::Attention) => "<attention>".to_string(),
        Output::Event(Event::Ignored(_)) => "<ignored>".to_string(),
        Output::Event(Event::Disconnect) => "<disconnect>".to_string(),
    };
    core::iter::from_fn(|| target.poll_output()).map(name).collect()
}

fn accept(target: &mut Target) -> Vec<String> {
    give(target, Input::Accept { tokens: Vec::new() }).unwrap();
    outputs(target)
}

#[test]
fn an_ordinary_login_with_an_id_within_the_response() {
    let mut target = come(Config::default(), Login::new(record(), true));
    assert_eq!(outputs(&mut target), ["<connect false>"]);
    assert_eq!(target.session_id(), Err(Refusal::NoSessionId));
    give(&mut target, Input::SetSessionId(id())).unwrap();
    assert_eq!(accept(&mut target), ["ACK", "ID", "CAPABILITY", "DONE", "EOM", "<Established>"]);
    assert_eq!((target.session_id(), target.migrated()), (Ok(id()), false));
    assert!(give(&mut target, Input::SetSessionId(id())).is_err(), "only while connecting");
    assert_eq!(target.may_migrate(), Ok(()));
    assert_eq!(target.poll_timeout(), None);
}

#[test]
fn a_client_that_asks_for_a_session_is_told_in_a_round_of_its_own() {
    let session = LoginRecord { ha_login: HaLogin::SESSION, ..record() };
    let mut target = come(Config::default(), Login::new(session, true));
    give(&mut target, Input::SetSessionId(id())).unwrap();
    assert_eq!(accept(&mut target), ["<connect false>", "NEGOTIATE", "ID", "DONE", "EOM"]);
    give(&mut target, Input::Item(Item::Migration(Migration::SessionId(None)))).unwrap();
    give(&mut target, Input::Item(Item::End(PacketType::NORMAL))).unwrap();
    assert_eq!(outputs(&mut target), ["ACK", "CAPABILITY", "DONE", "EOM", "<Established>"]);
}

#[test]
fn ids_are_given_only_to_clients_that_can_be_told() {
    let with = |requests: &[RequestCapability], responses: &[ResponseCapability]| {
        let mask = |numbers: Vec<u16>| Mask::of(numbers).unwrap();
        let request = mask(requests.iter().map(|capability| capability.0).collect());
        let response = mask(responses.iter().map(|capability| capability.0).collect());
        Login { capabilities: Capabilities::new(&request, &response), ..Login::new(record(), false) }
    };
    let migrate = &[RequestCapability::MIGRATE][..];
    let failover = &[RequestCapability::CLUSTER_FAILOVER][..];
    let chosen = Config { session_id_delivery: SessionIdDelivery::Negotiate, ..Config::default() };
    for (config, login, may) in [
        (Config::default(), with(migrate, &[]), true),
        (Config::default(), with(migrate, &[ResponseCapability::NO_MESSAGE]), false),
        (Config::default(), with(&[], &[]), false),
        (Config::default(), with(failover, &[]), false),
        (chosen, with(failover, &[]), true),
        (Config { migration: false, ..Config::default() }, with(migrate, &[]), false),
    ] {
        let mut target = come(config, login);
        assert_eq!(give(&mut target, Input::SetSessionId(id())).is_ok(), may);
    }
}

#[test]
fn a_migrated_client_resumes_once_and_gets_one_final_done() {
    let mut target = come(Config::default(), Login::new(record().with_migration(id()), true));
    assert_eq!(outputs(&mut target), ["<connect true>"]);
    assert_eq!(accept(&mut target), ["ACK", "CAPABILITY", "DONE", "EOM", "<Established>"], "it has its id");
    assert!(target.migrated() && target.session_id() == Ok(id()));
    assert!(give(&mut target, Input::Respond(Done::FINAL.into())).is_err(), "nothing is waited for");
    give(&mut target, Input::Item(Item::Migration(Migration::Resume))).unwrap();
    assert_eq!((outputs(&mut target), target.state()), (["<resume>".to_string()].into(), State::Resuming));
    give(&mut target, Input::Item(Item::Migration(Migration::Resume))).unwrap();
    give(&mut target, Input::Respond(Language::new("rest").into())).unwrap();
    give(&mut target, Input::Respond(Done::FINAL.into())).unwrap();
    assert_eq!(outputs(&mut target), ["<ignored>", "LANGUAGE", "DONE", "EOM"]);
    assert!(give(&mut target, Input::Respond(Done::FINAL.into())).is_err());
    assert_eq!(target.state(), State::Serving);
}

#[test]
fn resume_is_for_those_who_have_come_and_first() {
    let mut fresh = come(Config::default(), Login::new(record(), true));
    accept(&mut fresh);
    give(&mut fresh, Input::Item(Item::Migration(Migration::Resume))).unwrap();
    assert_eq!(outputs(&mut fresh), ["<ignored>"]);
    let mut late = come(Config::default(), Login::new(record().with_migration(id()), true));
    accept(&mut late);
    give(&mut late, Input::Item(Item::End(PacketType::LANGUAGE))).unwrap();
    give(&mut late, Input::Item(Item::Migration(Migration::Resume))).unwrap();
    assert_eq!(outputs(&mut late), ["<item>", "<ignored>"]);
}

#[test]
fn a_zero_id_or_a_server_without_migration_makes_an_ordinary_login() {
    let zero = LoginRecord { ha_login: HaLogin::MIGRATE, ..record() };
    assert_eq!(outputs(&mut come(Config::default(), Login::new(zero, true))), ["<connect false>"]);
    let config = Config { migration: false, ..Config::default() };
    let mut target = come(config, Login::new(record().with_migration(id()), true));
    give(&mut target, Input::Accept { tokens: Vec::new() }).unwrap();
    let granted = core::iter::from_fn(|| target.poll_output()).find_map(|output| match output {
        Output::Send(Token::Capability(granted)) => Some(granted),
        _ => None,
    });
    assert!(!granted.unwrap().request(RequestCapability::MIGRATE));
}

#[test]
fn the_packet_size_is_at_most_what_either_side_wants() {
    for (asked, told) in [(512, None), (1024, Some(1024)), (16384, Some(2048))] {
        let login = Login::new(record().with_packet_size(asked).unwrap(), true);
        let mut target = come(Config::default(), login);
        give(&mut target, Input::Accept { tokens: Vec::new() }).unwrap();
        let size = core::iter::from_fn(|| target.poll_output()).find_map(|output| match output {
            Output::Send(Token::EnvironmentChange(change)) => change.packet_size(),
            _ => None,
        });
        assert_eq!(size, told, "{asked}");
    }
}

#[test]
fn refusals_and_deadlines_end_a_login_once() {
    let mut target = come(Config::default(), Login::new(record().with_migration(id()), true));
    outputs(&mut target);
    give(&mut target, Input::Refuse { notice: Some(Box::new(Eed::new(4002, 14, "login failed"))) }).unwrap();
    assert_eq!(outputs(&mut target), ["EED", "NAK", "DONE", "EOM", "close", "<Refused>", "<disconnect>"]);
    assert!(give(&mut target, Input::Closed).is_err());

    let mut silent = Target::new(Config::default(), Instant::ZERO);
    let deadline = silent.poll_timeout().unwrap();
    silent.handle(deadline, Input::Timeout).unwrap();
    assert_eq!(outputs(&mut silent), ["close", "<TimedOut>", "<disconnect>"]);

    let mut lost = come(Config::default(), Login::new(record(), true));
    give(&mut lost, Input::Closed).unwrap();
    assert_eq!(outputs(&mut lost), ["<connect false>", "<Lost>", "<disconnect>"]);

    let mut rude = Target::new(Config::default(), Instant::ZERO);
    assert!(matches!(give(&mut rude, Input::Item(Item::End(PacketType::RPC))), Err(Error::Violation(_))));
    assert_eq!(outputs(&mut rude), ["close", "<Lost>", "<disconnect>"]);
}

#[test]
fn a_server_takes_over_what_is_owed() {
    let mut target = come(Config::default(), Login::new(record().with_migration(id()), true));
    accept(&mut target);
    let waiting = target.clone();
    let mut server = waiting.into_server(Default::default()).unwrap();
    server.handle(Instant::ZERO, server::Input::Item(Item::Migration(Migration::Resume))).unwrap();
    assert_eq!(server.poll_output(), Some(server::Output::Event(server::Event::MigrateResume)));
    assert_eq!(server.pending(), 1);

    give(&mut target, Input::Item(Item::Migration(Migration::Resume))).unwrap();
    let mut target = *target.into_server(Default::default()).unwrap_err(); // not drained
    outputs(&mut target);
    let mut server = target.into_server(Default::default()).unwrap();
    assert_eq!((server.pending(), server.migrated(), server.session_id()), (1, true, Ok(id())));
    let addresses = Address::new("c", 1).into_iter().collect();
    server.handle(Instant::ZERO, server::Input::Migrate { addresses, by: Caller::Other }).unwrap();
    server.handle(Instant::ZERO, server::Input::Respond(Done::FINAL.into())).unwrap();
    assert_eq!(server.pending(), 0);
}
