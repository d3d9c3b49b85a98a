//! How a connection ends: by a logout, by the client's death, by our will.

use crate::freetds_library::patient;
use crate::freetds_login::{client_of, sampling};
use crate::freetds_rows::SAMPLE;
use crate::freetds_server::{Note, Options, Server};
use crate::support::tsql::TdsOptions;
use handover::tds5::endpoint::{ServerCommand, ServerEvent};
use handover::tds5::server::MigrationState;
use handover::tds5::target::LoginOutcome;

/// What the endpoint has reported, but for the login itself and commands.
fn events(server: &Server) -> Vec<ServerEvent> {
    let event = |note| if let Note::Event(event) = note { Some(event) } else { None };
    server.log.all().into_iter().filter_map(event).collect()
}

fn ended(outcome: LoginOutcome) -> [ServerEvent; 2] {
    [ServerEvent::LoginEnded(outcome), ServerEvent::Disconnect { state: MigrationState::None }]
}

#[track_caller]
fn wait_closed(server: &Server) {
    server.log.wait("the end of the connection", |note| (*note == Note::Closed).then_some(()));
}

#[test]
fn a_logout_is_answered_and_ends_the_connection() {
    for batches in [0, 1, 3] {
        let server = Server::start(Options { application: sampling(), ..Options::default() });
        let Some(mut client) = client_of(&server, &TdsOptions::default()) else { return };
        (0..batches).for_each(|_| client.batch("select 1"));
        let finished = client.finish();
        finished.assert_clean();
        assert_eq!(finished.stdout, SAMPLE.repeat(batches));
        // The answers to the login, to what FreeTDS asks behind it, to the commands and to the logout.
        let dones = finished.dump.tokens().iter().filter(|&&token| token == 0xfd).count();
        assert_eq!((dones, finished.dump.tokens().last()), (batches + 3, Some(&0xfd)));
        wait_closed(&server);
        assert_eq!(events(&server), ended(LoginOutcome::Established));
        server.finish();
    }
}

#[test]
fn a_client_that_dies_is_reported_once() {
    for sql in ["silence", "endless", "anything"] {
        let server = Server::start(Options { application: patient(), ..Options::default() });
        let Some(mut client) = client_of(&server, &TdsOptions::default()) else { return };
        client.batch(sql);
        server.wait_batch(sql);
        client.kill();
        wait_closed(&server);
        assert_eq!(events(&server), ended(LoginOutcome::Established));
        server.finish();
    }
}

#[test]
fn a_client_that_dies_in_its_login_is_reported_once() {
    let mut options = Options::default();
    options.application.connect = Box::new(|_, _| {});
    let server = Server::start(options);
    let Some(client) = client_of(&server, &TdsOptions::default()) else { return };
    server.login();
    client.kill();
    wait_closed(&server);
    assert_eq!(events(&server), ended(LoginOutcome::Lost));
    server.finish();
}

#[test]
fn a_connection_that_we_close_is_reported_once_and_its_client_notices() {
    let server = Server::start(Options { application: sampling(), ..Options::default() });
    let Some(mut client) = client_of(&server, &TdsOptions::default()) else { return };
    client.batch("select 1");
    server.wait_batch("select 1");
    server.with(|session| session.execute(ServerCommand::Disconnect));
    client.batch("select 2");
    let finished = client.finish();
    assert_eq!(finished.stdout, SAMPLE);
    assert!(!finished.dump.troubles().is_empty() && !finished.stderr.is_empty(), "{finished:?}");
    wait_closed(&server);
    assert_eq!(events(&server), ended(LoginOutcome::Established));
    server.finish();
}
