//! FreeTDS logs in: what it says of itself, what it is told, how it is refused.

use crate::freetds_beneath::{Hand, Place, Slip};
use crate::freetds_rows::{SAMPLE, Table, counted, many, many_printed, sample, text};
use crate::freetds_server::{Application, Note, Options, Server};
use crate::support::require;
use crate::support::tsql::{Finished, TdsOptions, Tsql};
use handover::tds5::PacketType;
use handover::tds5::capability::{Capabilities, CapabilityType, RequestCapability};
use handover::tds5::endpoint::{ServerCommand, ServerEvent};
use handover::tds5::login::SecurityLogin;
use handover::tds5::packet::PacketHeader;
use handover::tds5::target::LoginOutcome;
use handover::tds5::token::{Column, DataType, Eed, EnvironmentChange, EnvironmentKind, FormatKind, Token};
use handover::wire::ByteOrder;
use std::sync::mpsc::channel;
use std::time::Duration;

/// A client of `server`, if there is one on this machine.
pub fn client_of(server: &Server, options: &TdsOptions) -> Option<Tsql> {
    require(Tsql::available(), "tsql").then(|| Tsql::start(server.port, options).unwrap())
}

/// A server that answers every command with the sample.
pub fn sampling() -> Application {
    Application::answering(|session, _| session.respond(sample(FormatKind::Rows, session.order())))
}

#[test]
fn the_login_is_read_as_it_was_meant() {
    let user = "abcdefghijklmnopqrstuvwxyz0123";
    let word = "ABCDEFGHIJKLMNOPQRSTUVWXYZ4567";
    for (user, password, application, packet_size, charset) in [
        ("sa", "secret", "an application", None, None),
        ("guest", "", "tsql", Some(2048), Some("UTF-8")),
        (user, word, user, Some(65_535), Some("ISO-8859-1")),
        ("x", "y", "z", Some(512), None),
    ] {
        let server = Server::start(Options { application: sampling(), ..Options::default() });
        let options = TdsOptions {
            user: user.into(),
            password: password.into(),
            packet_size,
            charset: charset.map(str::to_owned),
            application: Some(application.into()),
            ..TdsOptions::default()
        };
        let Some(mut client) = client_of(&server, &options) else { return };
        client.batch("select 1");
        let finished = client.finish();
        finished.assert_clean();
        assert_eq!((&finished.stdout[..], &finished.stderr[..]), (&SAMPLE.map(str::to_owned)[..], &[][..]));

        let login = server.login();
        let record = &login.record;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(text(record.user_name.as_bytes()), user);
        assert_eq!(text(record.password.expose()), password);
        let everywhere: Vec<_> =
            record.remote_passwords.entries().map(|(name, word)| (text(name), text(word))).collect();
        assert_eq!(everywhere, [(String::new(), password.to_owned())]);
        assert_eq!(text(record.application_name.as_bytes()), application);
        assert_eq!(text(record.server_name.as_bytes()), "peer");
        assert_eq!(text(record.program_name.as_bytes()), "TDS-Librar");
        assert_eq!(record.packet_size(), Some(packet_size.unwrap_or(512)));
        assert_eq!(record.order().unwrap(), ByteOrder::Little);
        assert!(record.ha_login.is_empty() && record.session_id.is_none() && login.extra.is_empty());
        assert!(!login.migratable() && !login.wants_session() && login.is_migration().is_none());
        server.finish();
    }
}

/// FreeTDS asks for some data types and against some, and is granted both: no mask comes back empty, which would mean
/// that the server has not understood it (spec/tds5.md 2.2).
#[test]
fn the_capabilities_are_answered() {
    let (answers, answer) = channel();
    let hand = move |place: Place<'_>| {
        if let Some(Token::Capability(granted)) = place.next {
            answers.send(granted.clone()).unwrap();
        }
        Slip::Nothing
    };
    let beneath: Option<Hand> = Some(Box::new(hand));
    let server = Server::start(Options { application: sampling(), beneath, ..Options::default() });
    let Some(client) = client_of(&server, &TdsOptions::default()) else { return };
    client.finish().assert_clean();
    let asked = server.login().capabilities;
    let granted = answer.recv().unwrap();
    assert!(granted.request(RequestCapability::WIDE_TABLES) && !granted.request(RequestCapability::MIGRATE));
    assert_eq!(granted, asked.granted(&Capabilities::served(true)));
    assert_eq!(granted.mask(CapabilityType::RESPONSE), asked.mask(CapabilityType::RESPONSE));
    server.finish();
}

fn headers(server: &Server, is: impl Fn(&Note) -> Option<PacketHeader>) -> Vec<PacketHeader> {
    server.log.all().iter().filter_map(is).collect()
}

/// Messages are of packets of the settled size, and only the last one may be smaller.
#[track_caller]
fn assert_packets(headers: &[PacketHeader], size: u16, at_least: usize) {
    assert!(headers.iter().all(|header| header.length == size || header.ends_message() && header.length < size));
    assert!(headers.iter().filter(|header| !header.ends_message()).count() >= at_least, "{}", headers.len());
}

#[test]
fn large_messages_arrive_whole_in_packets_of_every_size() {
    for (asked, ours, settled) in [
        (None, 2048, 512),
        (Some(512), 2048, 512),
        (Some(2048), 2048, 2048),
        (Some(16_384), 16_384, 16_384),
        (Some(16_384), 2048, 2048),
        (Some(65_535), 65_535, 65_535),
        (Some(600), 1000, 600),
        (Some(4096), 513, 513),
    ] {
        let command: String = (0..600).map(|n| format!("{}\n", text(n, 80))).collect();
        let length = command.len();
        let mut options = Options::default();
        options.config.target.packet_size = ours;
        options.application = Application::answering(move |session, sql| match sql.len() == length {
            true => session.respond(many(session.order(), 3000)),
            false => session.respond(sample(FormatKind::Rows, session.order())),
        });
        let server = Server::start(options);
        let Some(mut client) = client_of(&server, &TdsOptions { packet_size: asked, ..TdsOptions::default() }) else {
            return;
        };
        client.batch(command.trim_end());
        client.batch("select 1");
        let finished = client.finish();
        finished.assert_clean();
        let expected: Vec<_> = many_printed(3000).into_iter().chain(SAMPLE.map(str::to_owned)).collect();
        assert!(finished.stdout == expected && finished.stderr.is_empty(), "{asked:?}, {ours}");
        assert_eq!(server.batches(), [command.as_str(), "select 1\n"]);
        let change: Vec<_> = if settled == 512 { vec![] } else { vec![u32::from(settled)] };
        assert_eq!(finished.dump.packet_sizes(), change);
        let down = headers(&server, |note| if let Note::FromServer(header) = note { Some(*header) } else { None });
        assert_packets(&down, settled, 4);
        let up = headers(&server, |note| match note {
            Note::FromClient(header) if header.ty == PacketType::NORMAL => Some(*header),
            _ => None,
        });
        assert_packets(&up, settled, if settled < 65_535 { 2 } else { 0 });
        server.finish();
    }
}

#[test]
fn what_is_said_with_the_login_is_heard() {
    let mut options = Options::default();
    options.application.connect = Box::new(|session, _| {
        let change = |kind, new: &[u8], old: &[u8]| Token::from(EnvironmentChange::new(kind, new, old).unwrap());
        let tokens = vec![
            change(EnvironmentKind::DATABASE, b"master", b""),
            Eed::new(5701, 10, "Changed database context to 'master'.").into(),
            change(EnvironmentKind::LANGUAGE, b"us_english", b""),
            change(EnvironmentKind::CHARACTER_SET, b"iso_1", b""),
            Eed::new(12_345, 10, "Mind the gap").into(),
        ];
        session.execute(ServerCommand::Accept { tokens });
    });
    options.application.batch = Box::new(|session, _| {
        let columns = vec![Column::short(DataType::VARCHAR, 10).named("word")];
        let table = Table::new(FormatKind::Rows, session.order(), columns);
        session.respond([table.format(), table.row([&b"h\xe4lt"[..]]), counted(1, false)]);
    });
    let server = Server::start(options);
    let utf8 = TdsOptions { charset: Some("UTF-8".into()), packet_size: Some(2048), ..TdsOptions::default() };
    let Some(mut client) = client_of(&server, &utf8) else { return };
    client.batch("select 1");
    let finished = client.finish();
    finished.assert_clean();
    assert_eq!(finished.stdout, ["word", "hält", "(1 row affected)"]);
    // What it calls a change of the database it keeps to itself.
    assert_eq!(finished.stderr, ["Msg 12345 (severity 10, state 1) from [peer]:", "\t\"Mind the gap\""]);
    assert_eq!(finished.dump.tokens()[..10], [0xe3, 0xe3, 0xe5, 0xe3, 0xe3, 0xe5, 0xad, 0xe2, 0xfd, 0xee]);
    server.finish();
}

/// What it prints in the end when it is not logged in.
pub const FAILED: &str = "There was a problem connecting to the server";

fn refused(server: &Server, password: &str) -> Option<Finished> {
    let client = client_of(server, &TdsOptions { password: password.into(), ..TdsOptions::default() })?;
    let finished = client.finish();
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let end = finished.stderr.last().map(String::as_str);
    assert!(finished.stdout.is_empty() && end == Some(FAILED), "{finished:?}");
    Some(finished)
}

#[track_caller]
fn assert_ended(server: &Server, outcome: LoginOutcome) {
    let ended = |note| if let Note::Event(ServerEvent::LoginEnded(how)) = note { Some(how) } else { None };
    assert_eq!(server.log.all().into_iter().filter_map(ended).collect::<Vec<_>>(), [outcome], "{}", server.log);
}

#[test]
fn a_wrong_password_is_told_so_and_the_right_one_is_not() {
    let guarded = || {
        let mut application = sampling();
        application.connect = Box::new(|session, login| match login.record.password.expose() {
            b"secret" => session.accept(),
            _ => {
                let notice = Some(Box::new(Eed::new(4002, 14, "Login failed.\n")));
                session.execute(ServerCommand::Refuse { notice });
            }
        });
        Server::start(Options { application, ..Options::default() })
    };
    for wrong in ["Secret", "secre", "secret2", ""] {
        let server = guarded();
        let Some(finished) = refused(&server, wrong) else { return };
        let told = ["Msg 4002 (severity 14, state 1) from [peer]:", "\t\"Login failed.", "\"", FAILED];
        assert_eq!(finished.stderr, told);
        assert_ended(&server, LoginOutcome::Refused);
        server.finish();
    }
    let server = guarded();
    let Some(mut client) = client_of(&server, &TdsOptions::default()) else { return };
    client.batch("select 1");
    let finished = client.finish();
    finished.assert_clean();
    assert_eq!(finished.stdout, SAMPLE);
    assert_ended(&server, LoginOutcome::Established);
    server.finish();
}

#[test]
fn a_refusal_without_a_reason_is_one() {
    let mut options = Options::default();
    options.application.connect = Box::new(|session, _| session.execute(ServerCommand::Refuse { notice: None }));
    let server = Server::start(options);
    let Some(finished) = refused(&server, "secret") else { return };
    assert!(finished.dump.tokens().starts_with(&[0xad, 0xfd]), "{finished:?}");
    assert_ended(&server, LoginOutcome::Refused);
    server.finish();
}

#[test]
fn a_login_without_a_verdict_is_refused_in_time() {
    let mut options = Options::default();
    options.config.target.login_timeout = Duration::from_millis(300);
    options.application.connect = Box::new(|_, _| {});
    let server = Server::start(options);
    let Some(finished) = refused(&server, "secret") else { return };
    assert!(finished.dump.tokens().starts_with(&[0xad, 0xfd]), "{finished:?}");
    assert_ended(&server, LoginOutcome::TimedOut);
    server.finish();
}

#[test]
fn several_are_served_at_once() {
    let users = ["anna", "ben", "carla", "dora", "emil", "fritz"];
    let server = Server::start(Options {
        application: Application::answering(|session, sql| match sql.starts_with("many") {
            true => session.respond(many(session.order(), 1000)),
            false => session.respond(sample(FormatKind::WideRows, session.order())),
        }),
        ..Options::default()
    });
    let mut clients = Vec::new();
    for user in users {
        let Some(mut client) = client_of(&server, &TdsOptions { user: user.into(), ..TdsOptions::default() }) else {
            return;
        };
        (0..5).for_each(|number| client.batch(if number % 2 == 0 { "many" } else { "few" }));
        clients.push(client);
    }
    let (many, few) = (many_printed(1000), SAMPLE.map(str::to_owned).to_vec());
    let expected = [&many[..], &few, &many, &few, &many].concat();
    for client in clients {
        let finished = client.finish();
        finished.assert_clean();
        assert!(finished.stdout == expected);
    }
    let login =
        |note| if let Note::Login(login) = note { Some(login.record.user_name.as_bytes().to_vec()) } else { None };
    let mut seen: Vec<_> = server.log.all().into_iter().filter_map(login).collect();
    seen.sort();
    assert_eq!(seen, users.map(|user| user.as_bytes().to_vec()));
    assert_eq!(server.finish_after(users.len()), [""; 0]);
}

#[test]
fn a_password_that_is_not_sent_in_the_clear_is_not_sent() {
    let server = Server::start(Options { application: sampling(), ..Options::default() });
    let options = TdsOptions { encryption: Some("require".into()), ..TdsOptions::default() };
    let Some(mut client) = client_of(&server, &options) else { return };
    client.batch("select 1");
    let finished = client.finish();
    finished.assert_clean();
    assert_eq!(finished.stdout, SAMPLE);
    let record = server.login().record;
    assert_eq!(record.security_login, SecurityLogin::ENCRYPT_2 | SecurityLogin::ENCRYPT_3);
    assert!(record.password.expose().is_empty() && record.remote_passwords.entries().next().is_none());
    server.finish();
}

/// The first packet of these has types that mean other things in our version, or none.
#[test]
fn a_client_of_another_version_is_turned_away() {
    for version in ["4.2", "7.0", "7.1", "7.2", "7.3", "7.4"] {
        let server = Server::start(Options { application: sampling(), ..Options::default() });
        let options = TdsOptions { version: version.into(), ..TdsOptions::default() };
        let Some(client) = client_of(&server, &options) else { return };
        let finished = client.finish();
        assert_eq!(
            (finished.code, finished.stderr.last().map(String::as_str)),
            (Some(1), Some(FAILED)),
            "{finished:?}"
        );
        let log = server.log.clone();
        assert_eq!(server.finish_after(1).len(), 1, "{version} {log}");
        assert!(!log.all().iter().any(|note| matches!(note, Note::Login(_) | Note::FromServer(_))), "{version} {log}");
    }
}

/// It tries a later version first, and comes again because it is turned away at once.
#[test]
fn a_client_that_looks_for_the_version_finds_it() {
    let server = Server::start(Options { application: sampling(), ..Options::default() });
    let options = TdsOptions { version: "auto".into(), ..TdsOptions::default() };
    let Some(mut client) = client_of(&server, &options) else { return };
    client.batch("select 1");
    let finished = client.finish();
    assert_eq!((finished.code, &finished.stdout[..]), (Some(0), &SAMPLE.map(str::to_owned)[..]), "{finished:?}");
    assert_eq!(server.finish_after(2).len(), 1);
}
