//! The same bytes in other pieces: a proxy cuts what both sides send.

use crate::freetds_login::client_of;
use crate::freetds_proxy::{self, Cut};
use crate::freetds_rows::{Cell, SAMPLE, Table, counted, many, many_printed, sample, text};
use crate::freetds_server::{Application, Note, Options, Server};
use crate::support::require;
use crate::support::tsql::{TdsOptions, Tsql};
use handover::tds5::PacketType;
use handover::tds5::packet::PacketHeader;
use handover::tds5::token::{Column, DataType, FormatKind};

/// A client of `server` behind a proxy.
fn client_behind(server: &Server, cut: Cut, packet_size: u32) -> Option<Tsql> {
    let port = freetds_proxy::start(server.port, cut);
    let options = TdsOptions { packet_size: Some(packet_size), ..TdsOptions::default() };
    require(Tsql::available(), "tsql").then(|| Tsql::start(port, &options).unwrap())
}

fn from_server(server: &Server) -> Vec<PacketHeader> {
    let header = |note: &Note| if let Note::FromServer(header) = note { Some(*header) } else { None };
    server.log.all().iter().filter_map(header).collect()
}

#[test]
fn cut_at_each_place() {
    let application = Application::answering(|session, sql| {
        let kind = if sql.starts_with("wide") { FormatKind::WideRows } else { FormatKind::Rows };
        session.respond(sample(kind, session.order()));
    });
    let server = Server::start(Options { application, ..Options::default() });
    let Some(mut client) = client_behind(&server, Cut::EachPlace, 512) else { return };
    const COUNT: usize = 200;
    (0..COUNT).for_each(|_| client.batch("select 1"));
    (0..COUNT).for_each(|_| client.batch("wide"));
    let finished = client.finish();
    finished.assert_clean();
    assert_eq!(finished.stdout, SAMPLE.repeat(2 * COUNT));
    // Each place was cut at.
    assert!(from_server(&server).iter().all(|header| usize::from(header.length) < COUNT), "{}", server.log);
    assert_eq!(server.batches().len(), 2 * COUNT);
    server.finish();
}

#[test]
fn cut_behind_every_byte() {
    let application = Application::answering(|session, sql| match sql {
        "much\n" => session.respond(many(session.order(), 20)),
        _ => session.respond(sample(FormatKind::WideRows, session.order())),
    });
    let server = Server::start(Options { application, ..Options::default() });
    let Some(mut client) = client_behind(&server, Cut::EveryByte, 512) else { return };
    client.batch("select 1");
    client.batch("much");
    server.wait_batch("much");
    let sent = 512 + 107 + 28 + 23 + 19;
    let reads = server.with(|session| session.reads());
    assert!(reads > sent / 4, "{reads} pieces of {sent} bytes: the proxy does not cut");
    let finished = client.finish();
    finished.assert_clean();
    let expected: Vec<_> = SAMPLE.map(str::to_owned).into_iter().chain(many_printed(20)).collect();
    assert_eq!(finished.stdout, expected);
    server.finish();
}

#[test]
fn cut_at_random() {
    for seed in 0..4 {
        let command: String = (0..250).map(|n| format!("{}\n", text(n, 80))).collect();
        let mut options = Options::default();
        options.config.target.packet_size = 16_384;
        options.application = Application::answering(|session, _| session.respond(many(session.order(), 500)));
        let server = Server::start(options);
        let packet_size = [512, 1000, 2048, 16_384][seed];
        let Some(mut client) = client_behind(&server, Cut::Random(seed.try_into().unwrap()), packet_size) else {
            return;
        };
        client.batch(command.trim_end());
        client.batch("again");
        let finished = client.finish();
        finished.assert_clean();
        assert!(finished.stdout == [many_printed(500), many_printed(500)].concat(), "{seed}");
        assert_eq!(server.batches(), [command.as_str(), "again\n"]);
        server.finish();
    }
}

fn halves(length: usize) -> (usize, usize) {
    (length / 2, length - length / 2)
}

/// Messages of all lengths around that of a packet, in both directions: a token ends a packet, and a message does.
#[test]
fn messages_that_just_fill_a_packet() {
    let application = Application::answering(|session, sql| {
        let columns = vec![Column::short(DataType::VARCHAR, 255).named("t"), Column::fixed(DataType::INT4).named("n")];
        let table = Table::new(FormatKind::Rows, session.order(), columns);
        let row = |length| table.row([Cell::from(text(length, length).as_str()), Cell::Int(-1)]);
        let (first, second) = halves(sql.trim_end().len());
        session.respond([table.format(), row(first), row(second), counted(2, false)]);
    });
    let server = Server::start(Options { application, ..Options::default() });
    let Some(mut client) = client_of(&server, &TdsOptions::default()) else { return };
    let lengths: Vec<_> = (400..=510).collect();
    lengths.iter().for_each(|length| client.batch(&text(*length, *length)));
    let finished = client.finish();
    finished.assert_clean();
    let printed = lengths.iter().flat_map(|length| {
        let (first, second) = halves(*length);
        let row = |length| format!("{}|-1", text(length, length));
        ["t|n".to_owned(), row(first), row(second), "(2 rows affected)".to_owned()]
    });
    assert!(finished.stdout == printed.collect::<Vec<_>>(), "{:#?}", finished.stdout);
    let typed: Vec<_> = lengths.iter().map(|length| format!("{}\n", text(*length, *length))).collect();
    assert!(server.batches() == typed);

    // The end of the message is on the packet that is full, and no empty one comes behind it: theirs and ours.
    let theirs = server.log.all().into_iter().filter_map(|note| match note {
        Note::FromClient(header) if header.ty == PacketType::NORMAL => Some(header),
        _ => None,
    });
    for headers in [from_server(&server), theirs.collect()] {
        assert!(headers.iter().any(|header| header.length == 512 && header.ends_message()));
        assert!(headers.iter().all(|header| header.length > 8));
    }
    server.finish();
}
