//! Migrations that succeed (spec/tds5.md 4.2, 4.3 c, g, j).

use crate::batches::{Batch, World, batch};
use crate::client_party::{Client, Setup};
use crate::server::Server;
use crate::server_party::{Behaviour, Verdict};
use handover::tds5::client::{Config, State};
use handover::tds5::migration::{Address, Options};
use handover::tds5::server::{MigrationState, Outcome};
use handover::tds5::target::SessionIdDelivery;
use handover::tds5::token::DataType;
use handover::wire::ByteOrder;
use std::net::{TcpListener, TcpStream};

/// A port of this machine at which nobody listens, for as long as it is held.
pub struct Nobody(TcpStream);

impl Nobody {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self(TcpStream::connect(listener.local_addr().expect("a bound socket")).expect("a connection"))
    }

    /// That of our own end of a connection.
    pub fn address(&self) -> Address {
        let port = self.0.local_addr().expect("a connected socket").port();
        Address::new("127.0.0.1", port).expect("a bound port is not 0")
    }
}

#[test]
fn an_idle_client_moves() {
    let world = World::new();
    let (a, b) = (Server::start("A", &world), Server::start("B", &world));
    let client = Client::start(&[&a, &b]);
    client.send(batch(1, 3));
    client.wait_completed(&[batch(1, 3)]);

    a.migrate(&[&b]);
    client.wait_migrated(1);
    a.wait_word("gone Migrating");
    client.send(batch(2, 3));
    client.wait_completed(&[batch(1, 3), batch(2, 3)]);

    assert_eq!(world.batches(), [("A", 1), ("B", 2)]);
    a.tells(&["connect", "1 started", "1 ready", "1 Migrated", "gone Migrating"]);
    b.tells(&["connect migrated"]);
    client.tells(&["1 started", "1 Migrated"]);
    let exchange = ["<- MIG_REQ", "-> MIG_SYNC", "<- MIG_CONT"];
    assert_eq!(client.wire(&a)[..3], ["-> LOGIN", "<- LOGINACK accepted", "<- HAFAILOVER"]);
    assert_eq!(client.wire(&a)[3..], exchange);
    // Nobody waits: no RESUME. The id is kept: no other comes.
    assert_eq!(client.wire(&b), ["-> LOGIN with MIGRATE", "<- LOGINACK accepted"]);
    client.finish();
    a.finish();
    b.finish();
}

#[test]
fn a_client_moves_within_a_batch() {
    // Nothing of it was sent, a part, all but the DONE.
    for rows in [0, 1, 4, 8] {
        let world = World::new();
        let behaviour = Behaviour { hold_at: Some(rows), ..Behaviour::default() };
        let (a, b) = (Server::start_with("A", &world, behaviour), Server::start("B", &world));
        let client = Client::start(&[&a, &b]);
        client.send(batch(1, 8));
        a.wait_batch(1);
        a.migrate(&[&b]);
        client.wait_migrated(1);
        client.send(batch(2, 2));
        client.wait_completed(&[batch(1, 8), batch(2, 2)]);

        assert_eq!(world.batches(), [("A", 1), ("B", 2)]);
        b.tells(&["connect migrated", "resume"]);
        let mut wire = client.wire(&a)[3..].to_vec();
        if rows > 0 {
            assert_eq!(wire.remove(0), format!("<- {rows} x ROW, no DONE yet"));
        }
        assert_eq!(wire, ["<- MIG_REQ", "-> MIG_SYNC", "<- MIG_CONT"]);
        let rest = format!("<- {} x ROW, final DONE, count 8", 8 - rows);
        assert_eq!(client.wire(&b)[2..], ["-> MIG_RESUME", &rest]);
        client.finish();
        a.finish();
        b.finish();
    }
}

#[test]
fn a_client_moves_on_and_on_within_one_batch() {
    let world = World::new();
    let holding = |rows| Behaviour { hold_at: Some(rows), ..Behaviour::default() };
    let a = Server::start_with("A", &world, holding(2));
    let b = Server::start_with("B", &world, holding(5));
    let c = Server::start_with("C", &world, holding(7));
    let client = Client::start(&[&a, &b, &c]);
    client.send(batch(1, 9));
    a.wait_batch(1);
    a.migrate(&[&b]);
    client.wait_migrated(1);
    b.wait_word("resume");
    b.migrate(&[&c]);
    client.wait_migrated(2);
    c.wait_word("resume");
    // And home again.
    a.behave(|behaviour| behaviour.hold_at = None);
    c.migrate(&[&a]);
    client.wait_migrated(3);
    client.wait_completed(&[batch(1, 9)]);

    assert_eq!(world.batches(), [("A", 1)]);
    assert_eq!(b.wait_ended(1), Outcome::Migrated);
    assert_eq!(c.wait_ended(1), Outcome::Migrated);
    client.tells(&["1 started", "1 Migrated", "2 started", "2 Migrated", "3 started", "3 Migrated"]);
    assert_eq!(client.state(), State::Idle);
    client.finish();
    [a, b, c].into_iter().for_each(Server::finish);
}

#[test]
fn addresses_are_tried_in_order() {
    let world = World::new();
    let behaviour = Behaviour { hold_at: Some(2), ..Behaviour::default() };
    let (a, b) = (Server::start_with("A", &world, behaviour), Nobody::new());
    let deaf = Behaviour { verdict: Verdict::HangUp, ..Behaviour::default() };
    let refusing = Behaviour { verdict: Verdict::Refuse, ..Behaviour::default() };
    let (c, d) = (Server::start_with("C", &world, deaf), Server::start_with("D", &world, refusing));
    let (e, f) = (Server::start("E", &world), Server::start("F", &world));
    let list = vec![b.address(), c.address(), d.address(), e.address(), f.address()];
    let known = [&[a.address()], &list[..]].concat();
    let client = Client::start_with(Setup::default(), &known);
    client.send(batch(1, 4));
    a.wait_batch(1);
    a.migrate_to(list);
    client.wait_migrated(1);
    client.wait_completed(&[batch(1, 4)]);

    a.tells(&["connect", "1 started", "1 ready", "1 Migrated", "gone Migrating"]);
    c.begins(&["connect migrated"]);
    d.tells(&["connect migrated", "login Refused", "gone None"]);
    e.tells(&["connect migrated", "resume"]);
    f.tells(&[]);
    client.tells(&["1 started", "1 Migrated"]);
    client.finish();
    [a, c, d, e, f].into_iter().for_each(Server::finish);
}

#[test]
fn both_byte_orders_and_any_packet_size() {
    let wide = |number, width| Batch { number, rows: 6, width };
    // What the client asks for, what each server settles, and how many bytes a row has.
    let sizes = [(512, 512, 512, 40), (512, 512, 512, 1700), (2048, 2048, 512, 3000), (65_535, 512, 65_535, 70_000)];
    for order in [ByteOrder::Little, ByteOrder::Big] {
        for (packet_size, at_a, at_b, width) in sizes {
            let world = World::new();
            let mut behaviour = Behaviour { hold_at: Some(3), ..Behaviour::default() };
            behaviour.config.target.packet_size = at_a;
            let a = Server::start_with("A", &world, behaviour.clone());
            behaviour.config.target.packet_size = at_b;
            let b = Server::start_with("B", &world, Behaviour { hold_at: None, ..behaviour });
            let setup = Setup { order, packet_size, ..Setup::default() };
            let client = Client::start_with(setup, &[a.address(), b.address()]);
            client.send(wide(1, width));
            a.wait_batch(1);
            a.migrate(&[&b]);
            client.wait_migrated(1);
            client.send(wide(2, width));
            client.wait_completed(&[wide(1, width), wide(2, width)]);
            assert_eq!(world.batches(), [("A", 1), ("B", 2)]);
            client.finish();
            a.finish();
            b.finish();
        }
    }
}

#[test]
fn the_layouts_that_are_guesses() {
    let types = [
        (DataType::VARCHAR, DataType::VARBINARY),
        (DataType::CHAR, DataType::BINARY),
        (DataType::LONGCHAR, DataType::LONGBINARY),
    ];
    for order in [ByteOrder::Little, ByteOrder::Big] {
        for (address_type, session_id_type) in types {
            // In packets of their own type, and in those of responses and requests.
            for (client_packets, server_packets) in [(true, true), (false, false), (true, false), (false, true)] {
                let world = World::new();
                let mut options = Options::default();
                (options.address_type, options.session_id_type) = (address_type, session_id_type);
                options.migrate_packets = server_packets;
                let mut behaviour = Behaviour { hold_at: Some(1), ..Behaviour::default() };
                behaviour.config.options = options;
                let a = Server::start_with("A", &world, behaviour.clone());
                let b = Server::start_with("B", &world, Behaviour { hold_at: None, ..behaviour });
                options.migrate_packets = client_packets;
                let setup = Setup { options, order, ..Setup::default() };
                let nobody = Nobody::new();
                let client = Client::start_with(setup, &[nobody.address(), a.address(), b.address()]);
                client.send(batch(1, 2));
                a.wait_batch(1);
                a.migrate_to(vec![nobody.address(), b.address()]);
                client.wait_migrated(1);
                client.send(batch(2, 1));
                client.wait_completed(&[batch(1, 2), batch(2, 1)]);
                assert_eq!(world.batches(), [("A", 1), ("B", 2)]);
                client.finish();
                a.finish();
                b.finish();
            }
        }
    }
}

#[test]
fn session_ids_come_in_every_way() {
    use SessionIdDelivery::{Automatic, Inline, Negotiate};
    // How the server delivers, whether the client asks by the record, and whether there is a round for it.
    let ways = [
        (Automatic, false, false),
        (Automatic, true, true),
        (Inline, false, false),
        (Inline, true, false),
        (Negotiate, false, true),
        (Negotiate, true, true),
    ];
    for (delivery, wants_session, in_a_round) in ways {
        let world = World::new();
        // Each server gives the client an id of its own.
        let mut behaviour = Behaviour { renames: true, ..Behaviour::default() };
        behaviour.config.target.session_id_delivery = delivery;
        let servers = ["A", "B", "C"].map(|name| Server::start_with(name, &world, behaviour.clone()));
        let [a, b, c] = &servers;
        a.behave(|behaviour| behaviour.hold_at = Some(1));
        b.behave(|behaviour| behaviour.hold_at = Some(2));
        let known = [a.address(), b.address(), c.address()];
        let client = Client::start_with(Setup { wants_session, ..Setup::default() }, &known);
        client.send(batch(1, 3));
        a.wait_batch(1);
        a.migrate(&[b]);
        client.wait_migrated(1);
        b.wait_word("resume");
        b.migrate(&[c]);
        client.wait_migrated(2);
        client.wait_completed(&[batch(1, 3)]);
        let id = client.ask(|endpoint, _| endpoint.machine().session_id()).expect("an id");
        assert_eq!(id.bytes(), *b"C\0\0\0\0\x01");
        let login: &[&str] = if in_a_round {
            &["<- LOGINACK negotiates", "<- HAFAILOVER", "-> HAFAILOVER", "<- LOGINACK accepted"]
        } else {
            &["<- LOGINACK accepted", "<- HAFAILOVER"]
        };
        assert_eq!(client.wire(a)[0], "-> LOGIN");
        assert_eq!(client.wire(a)[1..=login.len()], *login);
        assert_eq!(client.wire(b)[0], "-> LOGIN with MIGRATE");
        assert_eq!(client.wire(b)[1..=login.len()], *login);
        client.finish();
        servers.into_iter().for_each(Server::finish);
    }
}

#[test]
fn the_old_server_may_be_told_goodbye() {
    let world = World::new();
    let (a, b) = (Server::start("A", &world), Server::start("B", &world));
    let mut config = Config::default();
    config.logout_old = true;
    let client = Client::start_with(Setup { config, ..Setup::default() }, &[a.address(), b.address()]);
    a.migrate(&[&b]);
    client.wait_migrated(1);
    a.wait_word("gone Migrating");
    a.tells(&["connect", "1 started", "1 ready", "1 Migrated", "gone Migrating"]);
    assert_eq!(client.wire(&a)[3..], ["<- MIG_REQ", "-> MIG_SYNC", "<- MIG_CONT", "-> LOGOUT"]);
    client.finish();
    a.finish();
    b.finish();
}

#[test]
fn the_old_connection_stays_until_the_new_login_is_done() {
    let world = World::new();
    let waiting = Behaviour { verdict: Verdict::Wait, ..Behaviour::default() };
    let (a, b) = (Server::start("A", &world), Server::start_with("B", &world, waiting));
    let client = Client::start(&[&a, &b]);
    a.migrate(&[&b]);
    b.wait_word("connect migrated");
    assert_eq!(a.state(), ("Migrating", MigrationState::Migrating));
    assert_eq!(client.state(), State::Moving);
    a.tells(&["connect", "1 started", "1 ready"]);
    b.accept();
    client.wait_migrated(1);
    assert_eq!(a.wait_ended(1), Outcome::Migrated);
    client.finish();
    a.finish();
    b.finish();
}
