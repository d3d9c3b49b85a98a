//! FreeTDS does not migrate: it says so, and skips what it is sent all the same.

use crate::freetds_beneath::{Place, Slip};
use crate::freetds_login::{FAILED, client_of, sampling};
use crate::freetds_rows::{SAMPLE, sample};
use crate::freetds_server::{Note, Options, Server};
use crate::support::tsql::TdsOptions;
use bytes::{Bytes, BytesMut};
use handover::error::{Error, Misuse};
use handover::limits::Tds5Limits;
use handover::tds5::connection::ServerConnection;
use handover::tds5::endpoint::{EndpointError, ServerCommand};
use handover::tds5::migration::{Address, Migration, Options as Layout, Request};
use handover::tds5::server::{Caller, MigrationState, Refusal};
use handover::tds5::target::SessionIdDelivery;
use handover::tds5::token::{Column, DataType, Format, FormatKind, LoginAck, LoginStatus, Message, Token, Values};
use handover::tds5::{MessageId, PacketType, SessionId};
use handover::wire::ByteOrder;

fn addresses() -> Vec<Address> {
    vec![Address::new("127.0.0.1", 5001).unwrap(), Address::new("::1", 5002).unwrap()]
}

fn id() -> SessionId {
    SessionId::new(*b"\xa1\xb2\xc3\xd4\xe5\xf6").unwrap()
}

fn request() -> Migration {
    Migration::Request(Request { addresses: addresses(), unreadable: Vec::new() })
}

/// Why an order was refused.
fn reason(result: Result<(), EndpointError>) -> &'static str {
    match result {
        Err(EndpointError::Machine(Error::Misuse(Misuse::Refused { reason, .. }))) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_that_does_not_offer_it_is_not_asked() {
    let ask = |by| ServerCommand::Migrate { addresses: addresses(), by };
    let mut options = Options::default();
    options.application.connect = Box::new(move |session, login| {
        assert!(!login.migratable());
        assert_eq!(reason(session.command(ServerCommand::SetSessionId(id()))), Refusal::NotMigratable.reason());
        session.accept();
        assert_eq!(session.endpoint().session_id(), Err(Refusal::NoSessionId));
        assert_eq!(reason(session.command(ask(Caller::Own))), Refusal::NotMigratable.reason());
    });
    options.application.batch = Box::new(move |session, _| {
        for (number, token) in sample(FormatKind::Rows, session.order()).into_iter().enumerate() {
            // Before the answer, in the middle of it, from any thread.
            let by = if number % 2 == 0 { Caller::Own } else { Caller::Other };
            assert_eq!(session.endpoint().may_migrate(by), Err(Refusal::NotMigratable));
            assert_eq!(reason(session.command(ask(by))), Refusal::NotMigratable.reason());
            session.respond([token]);
        }
    });
    let server = Server::start(options);
    let Some(mut client) = client_of(&server, &TdsOptions::default()) else { return };
    client.batch("select 1");
    server.wait_batch("select 1");
    let refused = server.with(move |session| {
        let state = session.endpoint().migration_state();
        assert_eq!((session.endpoint().state(), state), ("Serving", MigrationState::None));
        let _ = reason(session.command(ServerCommand::Cancel { by: Caller::Other }));
        (reason(session.command(ask(Caller::Other))), session.endpoint().may_migrate(Caller::Other))
    });
    assert_eq!(refused, ("the connection cannot migrate", Err(Refusal::NotMigratable)));
    assert_eq!(refused.1.unwrap_err().number(), Some(16_394));
    client.batch("select 2");
    let finished = client.finish();
    finished.assert_clean();
    assert_eq!(finished.stdout, SAMPLE.repeat(2));
    server.finish();
}

/// What is slipped in: one message of section 4, laid out in all ways, or another MSG.
fn slips(order: ByteOrder) -> Vec<Slip> {
    let inline = |migration: Migration, layout| Slip::Tokens(migration.tokens(order, &layout).unwrap());
    let mut slips: Vec<_> = [request(), Migration::Ignore, Migration::Continue].map(Slip::Message).into();
    for migration in [request(), Migration::Ignore, Migration::Continue] {
        slips.push(inline(migration, Layout::DEFAULT));
    }
    for ty in [DataType::CHAR, DataType::LONGCHAR] {
        let mut layout = Layout::DEFAULT;
        layout.address_type = ty;
        slips.push(inline(request(), layout));
    }
    for ty in [DataType::VARBINARY, DataType::BINARY, DataType::LONGBINARY] {
        let mut layout = Layout::DEFAULT;
        layout.session_id_type = ty;
        slips.push(inline(Migration::SessionId(Some(id())), layout));
    }
    let unknown = |parameters| Token::from(Message::new(MessageId(99), parameters));
    slips.push(Slip::Tokens(vec![unknown(false)]));
    for kind in [FormatKind::Params, FormatKind::WideParams] {
        let format = Format::new(kind, order, &[Column::fixed(DataType::BIT)]).unwrap();
        let values = Token::Params(Values { data: Bytes::from_static(&[1]) });
        slips.push(Slip::Tokens(vec![unknown(true), format.into(), values]));
    }
    slips
}

/// Places in the sample: before each of its tokens, and behind the last one.
const PLACES: usize = 5;

#[test]
fn migration_messages_are_skipped_at_every_place_of_a_response() {
    let kinds = slips(ByteOrder::Little).len();
    let hand = move |place: Place<'_>| {
        // The first two are the answers to the login and to what FreeTDS asks behind it.
        let Some(batch) = place.message.checked_sub(2) else { return Slip::Nothing };
        if batch % PLACES != place.token || batch >= kinds * PLACES {
            return Slip::Nothing;
        }
        slips(ByteOrder::Little).swap_remove(batch / PLACES)
    };
    let server = with_hand(hand);
    let Some(mut client) = client_of(&server, &TdsOptions::default()) else { return };
    let count = kinds * PLACES;
    (0..=count).for_each(|number| client.batch(&format!("select {number}")));
    let finished = client.finish();
    finished.assert_clean();
    assert_eq!(finished.stdout, SAMPLE.repeat(count + 1));
    assert!(finished.stderr.is_empty(), "{finished:?}");
    assert_eq!(finished.dump.tokens().iter().filter(|&&token| token == 0x65).count(), count);
    assert_silent(&server, count + 1);
    server.finish();
}

/// The client has sent its login, its commands and its logout, and no answer to anything.
#[track_caller]
fn assert_silent(server: &Server, batches: usize) {
    let mut expected = vec![PacketType::NORMAL; batches + 3];
    expected[0] = PacketType::LOGIN;
    assert_eq!(client_messages(server), expected);
}

fn client_messages(server: &Server) -> Vec<PacketType> {
    let message = |note| match note {
        Note::FromClient(header) if header.ends_message() => Some(header.ty),
        _ => None,
    };
    server.log.all().into_iter().filter_map(message).collect()
}

#[test]
fn migration_messages_are_skipped_between_responses() {
    let server = Server::start(Options { application: sampling(), ..Options::default() });
    let Some(mut client) = client_of(&server, &TdsOptions::default()) else { return };
    let mut count = 0;
    for messages in [vec![request()], vec![request(), Migration::Ignore, request()], vec![Migration::Continue]] {
        for number in 0..5 {
            client.batch(&format!("select {count} {number}"));
            server.wait_batch(&format!("select {count} {number}"));
            let messages = messages.clone();
            server.with(move |session| {
                // A link of which the machine knows nothing.
                let mut link = ServerConnection::new(Tds5Limits::DEFAULT, Layout::DEFAULT);
                let mut bytes = BytesMut::new();
                messages.iter().for_each(|message| link.migration(message, &mut bytes).unwrap());
                session.write(&bytes);
            });
        }
        count += 5;
    }
    client.batch("select");
    let finished = client.finish();
    finished.assert_clean();
    assert_eq!(finished.stdout, SAMPLE.repeat(count + 1));
    assert_silent(&server, count + 1);
    server.finish();
}

/// A server on whose answer to the login a hand is laid.
fn with_hand(hand: impl FnMut(Place<'_>) -> Slip + Send + 'static) -> Server {
    Server::start(Options { application: sampling(), beneath: Some(Box::new(hand)), ..Options::default() })
}

#[test]
fn messages_are_skipped_in_the_answer_to_a_login() {
    for number in 0..slips(ByteOrder::Little).len() {
        // Before LOGINACK, CAPABILITY and DONE, and behind them.
        for place in 0..4 {
            let server = with_hand(move |at| match (at.message, at.token) == (0, place) {
                true => slips(ByteOrder::Little).swap_remove(number),
                false => Slip::Nothing,
            });
            let Some(mut client) = client_of(&server, &TdsOptions::default()) else { return };
            client.batch("select 1");
            let finished = client.finish();
            finished.assert_clean();
            assert_eq!(finished.stdout, SAMPLE, "{number} {place}");
            let expected = [(LOGIN_ACK, 1), (MESSAGE, 1), (CAPABILITY, 1)];
            let read = finished.dump.tokens();
            let count = |token| read.iter().filter(|&&other| other == token).count();
            assert_eq!(expected.map(|(token, _)| (token, count(token))), expected, "{number} {place}");
            assert_silent(&server, 1);
            server.finish();
        }
    }
}

const LOGIN_ACK: u8 = 0xad;
const MESSAGE: u8 = 0x65;
const CAPABILITY: u8 = 0xe2;

#[test]
fn a_negotiated_session_id_is_a_failure_to_it() {
    // No target sends it to such a client, whatever is chosen.
    for delivery in [SessionIdDelivery::Automatic, SessionIdDelivery::Inline, SessionIdDelivery::Negotiate] {
        let mut options = Options { application: sampling(), ..Options::default() };
        options.config.target.session_id_delivery = delivery;
        options.application.connect = Box::new(move |session, _| {
            assert_eq!(reason(session.command(ServerCommand::SetSessionId(id()))), Refusal::NotMigratable.reason());
            session.accept();
        });
        let server = Server::start(options);
        let Some(mut client) = client_of(&server, &TdsOptions::default()) else { return };
        client.batch("select 1");
        let finished = client.finish();
        finished.assert_clean();
        assert!(finished.stdout == SAMPLE && !finished.dump.tokens().contains(&MESSAGE), "{delivery:?}");
        server.finish();
    }
    // Sent all the same, it ends the login: spec/tds5.md 7.1.
    let server = with_hand(|place| match place.next {
        Some(Token::LoginAck(ack)) if place.message == 0 => {
            let ack = LoginAck { status: LoginStatus::NEGOTIATE, ..ack.clone() };
            let id = Migration::SessionId(Some(id())).tokens(ByteOrder::Little, &Layout::DEFAULT).unwrap();
            Slip::Instead([vec![ack.into()], id].concat())
        }
        Some(Token::Capability(_)) => Slip::Instead(Vec::new()),
        _ => Slip::Nothing,
    });
    let Some(client) = client_of(&server, &TdsOptions::default()) else { return };
    let finished = client.finish();
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert_eq!(finished.stderr.last().map(String::as_str), Some(FAILED));
    // It logs out.
    assert_eq!(client_messages(&server), [PacketType::LOGIN, PacketType::NORMAL]);
    assert!(server.batches().is_empty());
    server.finish();
}
