//! Connecting, login, negotiation, redirection, logout.

use super::*;
use crate::tds5::ids::{MessageId, PacketType};
use crate::tds5::login::HaLogin;
use crate::tds5::token::{Column, DataType, Eed, EedStatus, Format, FormatKind, Message, Values};

fn login_of(outputs: &[Output]) -> &Login {
    let [Output::Login { login, .. }] = outputs else { panic!("{outputs:?}") };
    login
}

#[test]
fn the_id_comes_inline() {
    let mut trial = Trial::new(Config::default());
    assert_eq!(trial.connect(), [dials(OLD, "a")]);
    assert_eq!((trial.state(), seconds(&trial)), (State::Dialling, Some(15)));
    let outputs = trial.input(Input::Opened(OLD));
    let login = login_of(&outputs);
    assert!(login.migratable() && login.is_migration().is_none());
    assert_eq!(login.record.ha_login, HaLogin::empty());
    let mut items = accepted(Some(id(1)));
    assert_eq!(items.pop(), Some(END));
    let tokens: Vec<Output> = items.iter().filter_map(token_of).map(|token| of_login(OLD, token)).collect();
    assert_eq!(trial.items(OLD, items), tokens);
    assert_eq!((trial.state(), trial.client.session_id()), (State::LoggingIn, None));
    let connected = Event::Connected { link: OLD, address: address("a"), migratable: true };
    assert_eq!(trial.items(OLD, [END]), [event(connected)]);
    assert_eq!((trial.state(), seconds(&trial)), (State::Idle, None));
    assert_eq!((trial.client.session_id(), trial.client.is_migratable()), (Some(id(1)), true));
    assert_eq!((trial.client.link(), trial.client.address()), (Some(OLD), Some(&address("a"))));
    goes_on(&mut trial, OLD);
}

fn token_of(item: &Item) -> Option<Token> {
    match item {
        Item::Token(token) => Some(token.clone()),
        _ => None,
    }
}

fn of_login(link: LinkId, token: Token) -> Output {
    event(Event::Login { link, token })
}

fn without_login(outputs: Vec<Output>) -> Vec<Output> {
    outputs.into_iter().filter(|output| !matches!(output, Output::Event(Event::Login { .. }))).collect()
}

#[test]
fn the_id_is_negotiated() {
    let mut trial = Trial::logging_in(Config::default());
    let outputs = trial.items(OLD, [login_ack(LoginStatus::NEGOTIATE), given(id(1)), done(), END]);
    assert_eq!(without_login(outputs), [Output::SessionIdReceived(OLD)]);
    let outputs = trial.items(OLD, accepted(None));
    assert!(matches!(&*without_login(outputs), [Output::Event(Event::Connected { migratable: true, .. })]));
    // The last id counts.
    let mut trial = Trial::logging_in(Config::default());
    trial.items(OLD, [login_ack(LoginStatus::NEGOTIATE), given(id(1)), done(), END]);
    trial.items(OLD, accepted(Some(id(2))));
    assert_eq!(trial.client.session_id(), Some(id(2)));
    // And so it is in the session.
    trial.items(OLD, [given(id(3)), END]);
    assert_eq!(trial.client.session_id(), Some(id(3)));
}

#[test]
fn the_application_answers_what_else_is_asked() {
    let mut trial = Trial::logging_in(Config::default());
    let answer = |ty, text: &'static str, end| Command::Answer { link: OLD, ty, data: Data(text.into()), end };
    assert!(trial.misuse(Input::Command(answer(PacketType::NORMAL, "x", true))).contains("nothing was asked"));
    let question = Item::Token(Message::new(MessageId::SECURITY_ENCRYPT_3, false).into());
    let outputs = trial.items(OLD, [login_ack(LoginStatus::NEGOTIATE), given(id(1)), question, done(), END]);
    assert_eq!(without_login(outputs), [event(Event::Negotiate(OLD))]);
    assert!(trial.misuse(Input::Command(answer(PacketType::RPC, "x", true))).contains("type of an answer"));
    let send =
        |text: &'static str, end| Output::Send { link: OLD, ty: PacketType::NORMAL, data: Data(text.into()), end };
    assert_eq!(trial.command(answer(PacketType::NORMAL, "x", false)), [send("x", false)]);
    assert!(trial.misuse(Input::Command(answer(PacketType::LOGIN, "y", true))).contains("first piece"));
    assert_eq!(trial.command(answer(PacketType::NORMAL, "y", true)), [send("y", true)]);
    assert!(trial.misuse(Input::Command(answer(PacketType::NORMAL, "z", true))).contains("nothing was asked"));
    trial.items(OLD, accepted(None));
    assert!(trial.client.is_migratable());
    assert!(trial.misuse(Input::Command(answer(PacketType::NORMAL, "z", true))).contains("unknown link"));
}

#[test]
fn who_is_able() {
    let able = |config: Config, items: Vec<Item>| {
        let mut trial = Trial::logging_in(config);
        trial.items(OLD, items);
        assert_eq!(trial.state(), State::Idle);
        trial.client.is_migratable()
    };
    assert!(able(Config::default(), accepted(Some(id(1)))));
    assert!(!able(Config::default(), accepted(None)));
    assert!(!able(Config { migratable: false, ..Config::default() }, accepted(Some(id(1)))));
    let not_granted = vec![login_ack(LoginStatus(0x85)), given(id(1)), capability(&[1]), done(), END];
    assert!(!able(Config::default(), not_granted));
    // Not able: nothing of the exchange has an effect.
    let mut trial = Trial::idle_with(Config { migratable: false, ..Config::default() });
    for migration in [asks(&["a"]), Migration::Continue, Migration::Ignore, Migration::Sync] {
        let name = migration.name();
        assert_eq!(trial.migration(OLD, migration), [ignored(OLD, name)]);
    }
    goes_on(&mut trial, OLD);
}

#[test]
fn the_capability_is_as_configured() {
    for migratable in [false, true] {
        for login in [
            Login::new(record(), !migratable),
            Login { capabilities: Capabilities::default(), ..Login::new(record(), true) },
        ] {
            let mut trial = Trial::new(Config { migratable, ..Config::default() });
            trial.command(Command::Connect { addresses: vec![address("a")], login: Box::new(login) });
            let outputs = trial.input(Input::Opened(OLD));
            assert_eq!(login_of(&outputs).migratable(), migratable);
        }
    }
}

#[test]
fn addresses_are_tried_in_order() {
    let mut trial = Trial::new(Config::default());
    trial.connect();
    assert_eq!(trial.input(Input::OpenFailed(OLD)), [dials(NEW, "b")]);
    trial.input(Input::Opened(NEW));
    let outputs = trial.items(NEW, [login_ack(LoginStatus::FAIL), done(), END]);
    let last = disconnected(Disconnect::NotConnected(Failure::LoginRefused), &[]);
    assert_eq!(without_login(outputs), [Output::Close(NEW), last]);
    assert_eq!((trial.state(), seconds(&trial)), (State::Closed, None));
    for command in [Command::Close, Command::Logout, Command::Attention, piece("x", true)] {
        assert!(trial.misuse(Input::Command(command)).contains("in state Closed"));
    }
    assert_eq!(trial.input(Input::Closed(NEW)), []);
    assert_eq!(trial.items(NEW, [END]), []);
    // Deadlines, and connections that break.
    let mut trial = Trial::logging_in(Config::default());
    assert_eq!(trial.wait(), [Output::Close(OLD), dials(NEW, "b")]);
    trial.input(Input::Opened(NEW));
    let last = disconnected(Disconnect::NotConnected(Failure::NotReached), &[]);
    assert_eq!(trial.input(Input::Closed(NEW)), [last]);
}

#[test]
fn misuse_of_links_and_of_connect() {
    let mut trial = Trial::new(Config::default());
    let connect = |addresses| Command::Connect { addresses, login: Box::new(Login::new(record(), true)) };
    assert!(trial.misuse(Input::Command(connect(vec![]))).contains("addresses"));
    assert!(trial.misuse(Input::Command(connect(vec![address("a"); 33]))).contains("limit 32"));
    let mixed = LoginRecord { int4: 0, ..record() };
    let login = Box::new(Login::new(mixed, true));
    assert!(trial.misuse(Input::Command(Command::Connect { addresses: vec![address("a")], login })).contains("login"));
    assert!(trial.misuse(Input::Command(piece("x", true))).contains("New"));
    assert!(trial.misuse(Input::Opened(OLD)).contains("unknown link 1"));
    trial.connect();
    assert!(trial.misuse(Input::Command(connect(vec![address("a")]))).contains("Dialling"));
    assert!(trial.misuse(Input::Item { link: OLD, item: END }).contains("dialling"));
    assert!(trial.misuse(Input::Closed(LinkId(0))).contains("unknown link 0"));
    trial.input(Input::Opened(OLD));
    assert!(trial.misuse(Input::Opened(OLD)).contains("opened"));
    assert!(trial.misuse(Input::OpenFailed(OLD)).contains("opened"));
}

/// EED 1 for the library, with the addresses as parameters.
fn redirect(state: u8, hosts: &[&str]) -> Vec<Item> {
    let mut values = Vec::new();
    for host in hosts {
        let text = alloc::string::ToString::to_string(&address(host));
        values.push(u8::try_from(text.len()).unwrap());
        values.extend_from_slice(text.as_bytes());
    }
    let columns = vec![Column::short(DataType::VARCHAR, 255); hosts.len()];
    let format = Format::new(FormatKind::Params, ByteOrder::Little, &columns).unwrap();
    vec![
        Item::Token(Eed { state, status: EedStatus::INFO, ..Eed::new(1, 10, "") }.into()),
        Item::Token(format.into()),
        Item::Token(Token::Params(Values { data: values.into() })),
    ]
}

fn notices(link: LinkId, items: &[Item]) -> Vec<Output> {
    items.iter().filter_map(token_of).map(|token| event(Event::LibraryNotice { link, token })).collect()
}

#[test]
fn a_server_sends_the_client_on() {
    let follow = Config { follow_redirects: true, max_redirects: 2, ..Config::default() };
    let mut trial = Trial::new(follow.clone());
    trial.connect();
    let outputs = trial.input(Input::Opened(OLD));
    assert_eq!(login_of(&outputs).record.ha_login, HaLogin::REDIRECT);
    let there = redirect(1, &["x", "b", "a"]);
    assert_eq!(trial.items(OLD, there.clone()), notices(OLD, &there));
    let outputs = trial.items(OLD, [login_ack(LoginStatus::FAIL), done(), END]);
    assert_eq!(without_login(outputs), [Output::Close(OLD), dials(NEW, "b")], "x is not trusted");
    // A server that closes at once means the same.
    trial.input(Input::Opened(NEW));
    trial.items(NEW, redirect(1, &["b"]));
    assert_eq!(trial.input(Input::Closed(NEW)), [dials(LinkId(3), "b")]);
    // Twice is enough: what is left of the list comes next.
    trial.input(Input::Opened(LinkId(3)));
    trial.items(LinkId(3), redirect(1, &["b"]));
    assert_eq!(trial.items(LinkId(3), [END]), []);
    assert_eq!(trial.wait(), [Output::Close(LinkId(3)), dials(LinkId(4), "a")]);
    // State 2, or a client that does not follow: the application is told.
    for (config, state) in [(follow, 2), (Config::default(), 1)] {
        let mut trial = Trial::logging_in(config);
        let there = redirect(state, &["b"]);
        assert_eq!(trial.items(OLD, there.clone()), notices(OLD, &there));
        trial.items(OLD, accepted(None));
        assert_eq!((trial.state(), trial.client.link()), (State::Idle, Some(OLD)));
        // In a session it is a notice, too, and what comes next is not.
        let there = redirect(state, &["b"]);
        assert_eq!(trial.items(OLD, there.clone()), notices(OLD, &there));
        assert_eq!(trial.items(OLD, there[1..].to_vec()), there[1..].iter().cloned().map(passed).collect::<Vec<_>>());
    }
}

#[test]
fn the_client_logs_out() {
    let mut trial = Trial::busy();
    assert!(trial.misuse(Input::Command(Command::Logout)).contains("Busy"));
    trial.items(OLD, [done(), END]);
    assert_eq!(trial.command(Command::Logout), [Output::Logout(OLD)]);
    assert_eq!((trial.state(), seconds(&trial)), (State::LoggingOut, Some(15)));
    assert!(trial.misuse(Input::Command(piece("x", true))).contains("LoggingOut"));
    assert_eq!(trial.migration(OLD, asks(&["a"])), [ignored(OLD, "MIG_REQ")]);
    assert_eq!(trial.items(OLD, [done()]), [passed(done())]);
    let over = [passed(END), Output::Close(OLD), disconnected(Disconnect::Logout, &[])];
    assert_eq!(trial.items(OLD, [END]), over);
    let leaving = || {
        let mut trial = Trial::idle();
        trial.command(Command::Logout);
        trial
    };
    assert_eq!(leaving().input(Input::Closed(OLD)), [disconnected(Disconnect::Logout, &[])]);
    assert_eq!(leaving().wait(), [Output::Close(OLD), disconnected(Disconnect::Logout, &[])]);
    let closed = [Output::Close(OLD), disconnected(Disconnect::Application, &[])];
    assert_eq!(leaving().command(Command::Close), closed);
}

#[test]
fn a_login_that_breaks_the_protocol_is_an_address_that_does_not_work() {
    let mut trial = Trial::logging_in(Config::default());
    let item = Item::Login(Box::new(Login::new(record(), false)));
    let error = trial.client.handle(trial.now, Input::Item { link: OLD, item }).unwrap_err();
    assert!(matches!(error, Error::Violation(_)));
    assert_eq!(trial.drain(), [Output::Close(OLD), dials(NEW, "b")]);
}
