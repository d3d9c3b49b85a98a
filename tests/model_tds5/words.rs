//! Words to items and back, stimuli to inputs, outputs to effects.
//!
//! What an item says is tested here, against what the machines really hand out, and reduced to a [`Word`]; a delivered
//! [`Word`] becomes items again.

use super::adapter::{Effect, Note, Stimulus};
use super::configs::Setup;
use super::ghost::Reached;
use super::world::{Host, Word};
use bytes::Bytes;
use handover::machine::LinkId;
use handover::tds5::capability::{Capabilities, RequestCapability};
use handover::tds5::connection::Item;
use handover::tds5::login::{HaLogin, Login, LoginRecord};
use handover::tds5::migration::{Address, Migration, Request};
use handover::tds5::stream::Data;
use handover::tds5::token::{Done, LoginAck, LoginStatus, Logout, ReturnStatus, Token};
use handover::tds5::{DoneStatus, PacketType, SessionId, client, server, target};
use handover::wire::ByteOrder;

pub(crate) fn address(host: Host) -> Address {
    Address::new(&format!("{host:?}"), 5000).expect("an address")
}

pub(crate) fn addresses(hosts: &[Host]) -> Vec<Address> {
    hosts.iter().copied().map(address).collect()
}

fn host(address: &Address) -> Host {
    Host::ALL.into_iter().find(|host| self::address(*host) == *address).expect("a host of the model")
}

/// An id by its number; all of its bytes count.
pub(crate) fn session_id(number: u8) -> SessionId {
    SessionId::new([number, 2, 3, 4, 5, number]).expect("not zero")
}

fn id_number(id: SessionId) -> u8 {
    let number = id.bytes()[0];
    assert_eq!(id, session_id(number), "an id of the model");
    number
}

/// The client's login, as its application gives it to the machine.
pub(crate) fn login() -> Login {
    let record = LoginRecord::new(ByteOrder::Little).with_user(b"user", b"password").expect("short names");
    Login::new(record, true)
}

fn login_with(setup: &Setup, id: u8) -> Login {
    let Login { record, .. } = login();
    let record = if id == 0 { *record } else { record.with_migration(session_id(id)) };
    Login::new(record, setup.able)
}

fn login_word(setup: &Setup, login: &Login) -> Word {
    let id = login.record.session_id.map_or(0, id_number);
    assert_eq!(*login, login_with(setup, id), "the application's login, and the id");
    assert_eq!(id != 0, login.record.ha_login.contains(HaLogin::MIGRATE));
    Word::Login(id)
}

fn data(number: u8) -> Data {
    Data(Bytes::copy_from_slice(&[number]))
}

fn done(command: u8, attention: bool) -> Done {
    let status = if attention { DoneStatus::ATTENTION } else { DoneStatus::empty() };
    Done { status, count: command.into(), ..Done::FINAL }
}

pub(crate) fn small(number: u32) -> u8 {
    u8::try_from(number).expect("small numbers")
}

fn number(link: LinkId) -> u8 {
    small(link.0)
}

fn link(number: u8) -> LinkId {
    LinkId(number.into())
}

/// What a word is at the end that reads it.
fn items(setup: &Setup, at: Host, word: Word) -> Vec<Item> {
    let over = (!setup.fine).then_some(Item::End(PacketType::MIGRATE));
    let migration = |migration| std::iter::once(Item::Migration(migration)).chain(over).collect();
    let token = |token: Token| vec![Item::Token(token)];
    match word {
        Word::Login(id) => vec![Item::Login(login_with(setup, id).into())],
        Word::HaveId => vec![Item::Migration(Migration::SessionId(None)), Item::End(PacketType::NORMAL)],
        Word::Piece(number, end) => {
            let piece = Item::Data { ty: PacketType::LANGUAGE, data: data(number) };
            std::iter::once(piece).chain(end.then_some(Item::End(PacketType::LANGUAGE))).collect()
        }
        Word::Attention => vec![Item::End(PacketType::ATTENTION)],
        Word::Logout => vec![Item::Token(Token::Logout(Logout::default())), Item::End(PacketType::NORMAL)],
        Word::Sync(_) => migration(Migration::Sync),
        Word::Fail(_) => migration(Migration::Fail(None)),
        Word::Resume => migration(Migration::Resume),
        Word::Ack(status) => token(LoginAck::new(LoginStatus(status), Bytes::new(), [0; 4]).into()),
        Word::Id(id) => vec![Item::Migration(Migration::SessionId(Some(session_id(id))))],
        Word::Caps(migrate) => token(Capabilities::offered(migrate).into()),
        Word::Row(number) => token(ReturnStatus { value: number.into() }.into()),
        Word::Done(command, attention) => token(done(command, attention).into()),
        Word::End => vec![Item::End(PacketType::RESPONSE)],
        Word::MigrationEnd => vec![Item::End(PacketType::MIGRATE)],
        Word::Request(_) => {
            let addresses = addresses(setup.route(at));
            migration(Migration::Request(Request { addresses, unreadable: Vec::new() }))
        }
        Word::Continue => migration(Migration::Continue),
        Word::Ignore => migration(Migration::Ignore),
        Word::Closed => unreachable!("it is no item"),
    }
}

/// A token that a server sends.
fn server_word(token: &Token) -> Word {
    match token {
        Token::LoginAck(ack) => Word::Ack(ack.status.0),
        Token::Capability(capabilities) => Word::Caps(capabilities.request(RequestCapability::MIGRATE)),
        Token::ReturnStatus(row) => Word::Row(u8::try_from(row.value).expect("few rows")),
        Token::Done(done) if done.is_final() => {
            let attention = done.status.contains(DoneStatus::ATTENTION);
            Word::Done(u8::try_from(done.count).expect("few commands"), attention)
        }
        other => unreachable!("no server says {other:?}"),
    }
}

/// A migration message, but for the numbers that are not on the wire.
fn migration_word(setup: &Setup, at: Host, migration: &Migration) -> Word {
    match migration {
        Migration::Sync => Word::Sync(0),
        Migration::Fail(_) => Word::Fail(0),
        Migration::Resume => Word::Resume,
        Migration::Request(request) => {
            assert_eq!(request.addresses, addresses(setup.route(at)));
            Word::Request(0)
        }
        Migration::Continue => Word::Continue,
        Migration::Ignore => Word::Ignore,
        other => unreachable!("nobody says {other:?}"),
    }
}

pub(crate) fn client_inputs(setup: &Setup, at: Host, stimulus: &Stimulus) -> Vec<client::Input> {
    use client::{Command, Input};
    vec![match *stimulus {
        Stimulus::Word(number, word) => {
            let wrap = |item| Input::Item { link: link(number), item };
            return items(setup, at, word).into_iter().map(wrap).collect();
        }
        Stimulus::Opened(number) => Input::Opened(link(number)),
        Stimulus::OpenFailed(number) => Input::OpenFailed(link(number)),
        Stimulus::Closed(number) => Input::Closed(link(number)),
        Stimulus::Timeout => Input::Timeout,
        Stimulus::Piece(number, end) => {
            Input::Command(Command::Request { ty: PacketType::LANGUAGE, data: data(number), end })
        }
        Stimulus::Attention => Input::Command(Command::Attention),
        Stimulus::Logout => Input::Command(Command::Logout),
        _ => unreachable!("not for a client: {stimulus:?}"),
    }]
}

pub(crate) fn server_inputs(setup: &Setup, at: Host, stimulus: &Stimulus) -> Vec<server::Input> {
    use server::{AttemptId, Input};
    vec![match *stimulus {
        Stimulus::Word(_, word) => return items(setup, at, word).into_iter().map(Input::Item).collect(),
        Stimulus::Closed(_) => Input::Closed,
        Stimulus::Timeout => Input::Timeout,
        Stimulus::Migrate(by) => Input::Migrate { addresses: addresses(setup.route(at)), by },
        Stimulus::Cancel(by) => Input::Cancel { by },
        Stimulus::Enter(attempt) => Input::Enter(AttemptId(attempt.into())),
        Stimulus::Leave => Input::Leave,
        Stimulus::Row(number) => Input::Respond(ReturnStatus { value: number.into() }.into()),
        Stimulus::Done(command) => Input::Respond(done(command, false).into()),
        Stimulus::Quit => Input::Disconnect,
        _ => unreachable!("not for a server: {stimulus:?}"),
    }]
}

pub(crate) fn target_inputs(setup: &Setup, at: Host, stimulus: &Stimulus) -> Vec<target::Input> {
    use target::Input;
    vec![match *stimulus {
        Stimulus::Word(_, word) => return items(setup, at, word).into_iter().map(Input::Item).collect(),
        Stimulus::Closed(_) => Input::Closed,
        Stimulus::Timeout => Input::Timeout,
        Stimulus::Accept(id) => {
            let given = (id != 0).then(|| Input::SetSessionId(session_id(id)));
            return given.into_iter().chain([Input::Accept { tokens: Vec::new() }]).collect();
        }
        Stimulus::Deny => Input::Refuse { notice: None },
        Stimulus::Row(number) => Input::Respond(ReturnStatus { value: number.into() }.into()),
        Stimulus::Done(command) => Input::Respond(done(command, false).into()),
        Stimulus::Quit => Input::Disconnect,
        _ => unreachable!("not for a target: {stimulus:?}"),
    }]
}

/// The application's end of an item of the client.
fn heard(item: &Item) -> Note {
    match item {
        Item::Data { data, .. } => Note::Piece(data.0[0]),
        Item::End(PacketType::LANGUAGE) => Note::Over,
        other => unreachable!("no client says {other:?}"),
    }
}

pub(crate) fn server_effect(setup: &Setup, at: Host, id: u8, output: &server::Output) -> Effect {
    use server::{Event, Output, StateEvent};
    match output {
        Output::Send(token) => Effect::Send(id, server_word(token)),
        Output::EndMessage => Effect::Send(id, Word::End),
        Output::Migration(migration) => Effect::Send(id, migration_word(setup, at, migration)),
        Output::Close => Effect::Close(id),
        Output::Event(event) => Effect::Note(match event {
            Event::Started(attempt) => Note::Started(small(attempt.0)),
            Event::Ended { attempt, outcome } => Note::Ended(small(attempt.0), Reached::of_server(*outcome)),
            Event::MigrateState { attempt, state: StateEvent::Ready } => Note::Ready(small(attempt.0)),
            Event::MigrateState { state: StateEvent::Failed(_), .. } => Note::Failed,
            Event::MigrateResume => Note::Resume,
            Event::Item(item) => heard(item),
            _ => Note::Other,
        }),
        other => unreachable!("{other:?}"),
    }
}

pub(crate) fn target_effect(id: u8, output: &target::Output) -> Effect {
    use target::{Event, Output};
    match output {
        Output::Send(token) => Effect::Send(id, server_word(token)),
        Output::SessionId(given) => Effect::Send(id, Word::Id(id_number(*given))),
        Output::EndMessage => Effect::Send(id, Word::End),
        Output::Close => Effect::Close(id),
        Output::Event(event) => Effect::Note(match event {
            Event::Connect { login, session_id, migrated } => {
                let same = login.is_migration() == *session_id && *migrated == session_id.is_some();
                assert!(same, "the event says what the login says");
                Note::Connect
            }
            Event::LoginEnded(outcome) => Note::LoginEnded(Reached::of_target(*outcome)),
            Event::MigrateResume => Note::Resume,
            Event::Item(item) => heard(item),
            _ => Note::Other,
        }),
        other => unreachable!("{other:?}"),
    }
}

pub(crate) fn client_effect(setup: &Setup, at: impl Fn(u8) -> Host, output: &client::Output) -> Effect {
    use client::{Event, Output};
    match output {
        Output::Dial { link, address, .. } => Effect::Dial(number(*link), host(address)),
        Output::Login { link, login } => Effect::Send(number(*link), login_word(setup, login)),
        Output::SessionIdReceived(link) => Effect::Send(number(*link), Word::HaveId),
        Output::Send { link, ty: PacketType::LANGUAGE, data, end } => {
            Effect::Send(number(*link), Word::Piece(data.0[0], *end))
        }
        Output::Migration { link, migration } => {
            Effect::Send(number(*link), migration_word(setup, at(number(*link)), migration))
        }
        Output::Attention(link) => Effect::Send(number(*link), Word::Attention),
        Output::Logout(link) => Effect::Send(number(*link), Word::Logout),
        Output::Switch { from, to } => Effect::Switch(number(*from), number(*to)),
        Output::Close(link) => Effect::Close(number(*link)),
        Output::Event(event) => Effect::Note(match event {
            Event::Connected { .. } => Note::Connected,
            Event::Item(Item::Token(Token::ReturnStatus(row))) => Note::Row(u8::try_from(row.value).expect("few")),
            Event::Completed(id) => Note::Completed(small(id.0)),
            Event::Started { attempt, .. } => Note::Started(small(attempt.0)),
            Event::Ended { attempt, outcome } => Note::Ended(small(attempt.0), Reached::of_client(*outcome)),
            Event::Disconnected { .. } => Note::Disconnected,
            _ => Note::Other,
        }),
        other => unreachable!("{other:?}"),
    }
}
