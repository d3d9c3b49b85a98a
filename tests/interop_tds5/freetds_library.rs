//! What a program does by FreeTDS' DB-Library and `tsql` never does: it cancels, and calls procedures.

use crate::freetds_proxy::{self, Cut};
use crate::freetds_rows::{Table, integer, many, sample};
use crate::freetds_server::{Application, Note, Options, Server, Session};
use crate::support::require;
use crate::support::tsql::{DbLibrary, Finished, TdsOptions};
use handover::tds5::connection::Item;
use handover::tds5::endpoint::ServerEvent;
use handover::tds5::token::{Column, DataType, Done, DoneKind, Format, FormatKind, ReturnStatus, Token, Values};
use handover::tds5::{DoneStatus, PacketType, TokenType};

fn library_of(port: u16) -> Option<DbLibrary> {
    let available = require(DbLibrary::available(), "libsybdb.so.5 (with python3)");
    available.then(|| DbLibrary::start(port, &TdsOptions::default()).unwrap())
}

/// Answers "endless" with rows until it is cancelled, "silence" with nothing until then, "rows" with 2000 rows, and all
/// else with the sample. The words may have numbers behind them.
pub fn patient() -> Application {
    let numbers = |session: &Session<'_>| {
        Table::new(FormatKind::Rows, session.order(), vec![Column::fixed(DataType::INT4).named("n")])
    };
    let mut next = 0_i64;
    Application {
        batch: Box::new(move |session, sql| match sql.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "endless" => {
                session.respond([numbers(session).format()]);
                session.ticking(true);
            }
            "silence" => {}
            "rows" => session.respond(many(session.order(), 2000)),
            _ => session.respond(sample(FormatKind::Rows, session.order())),
        }),
        tick: Box::new(move |session, ()| {
            let rows: Vec<_> = (next..next + 100).map(|n| numbers(session).row([n])).collect();
            next += 100;
            session.respond(rows);
        }),
        attention: Box::new(|session, ()| {
            session.ticking(false);
            // It may have come together with its command, which was answered before this is heard.
            if session.endpoint().pending() > 0 {
                session.respond([Done::FINAL.into()]);
            }
        }),
        ..Application::default()
    }
}

fn attentions(server: &Server) -> (usize, usize) {
    let notes = server.log.all();
    let sent =
        notes.iter().filter(|note| matches!(note, Note::FromClient(header) if header.ty == PacketType::ATTENTION));
    let told = notes.iter().filter(|note| **note == Note::Event(ServerEvent::Attention));
    (sent.count(), told.count())
}

/// A client that is told to cancel in some way, and then to do something else.
fn cancel<S: AsRef<str>>(lines: &[S], cut: Option<Cut>) -> Option<(Finished, Server)> {
    let server = Server::start(Options { application: patient(), ..Options::default() });
    let port = cut.map_or(server.port, |cut| freetds_proxy::start(server.port, cut));
    let mut client = library_of(port)?;
    for line in lines.iter().map(AsRef::as_ref) {
        client.tell(line);
        if let Some(sql) = line.strip_prefix("send ")
            && !matches!(cut, Some(Cut::Nowhere))
        {
            server.wait_batch(sql);
        }
    }
    client.tell("exec and now");
    let finished = client.finish();
    finished.assert_clean();
    let end = ["row first|-7|8", "row NULL|70000|NULL", "count 2", "end"];
    assert!(finished.stdout.ends_with(&end.map(str::to_owned)), "{finished:?}");
    assert!(finished.dump.contains("was_cancelled = 1"), "{finished:?}");
    Some((finished, server))
}

#[test]
fn an_attention_in_the_middle_of_rows_is_acknowledged() {
    for cut in [None, Some(Cut::EveryByte), Some(Cut::Random(5))] {
        let Some((finished, server)) = cancel(&["cancel 150 endless"], cut) else { return };
        let rows = (0..150).map(|n| format!("row {n}"));
        let expected: Vec<_> = ["ready".into()].into_iter().chain(rows).chain(["cancelled".into()]).collect();
        assert_eq!(finished.stdout[..152], expected);
        assert_eq!(attentions(&server), (1, 1));
        server.finish();
    }
}

#[test]
fn an_attention_before_the_answer_is_acknowledged() {
    let Some((finished, server)) = cancel(&["send silence", "cancel"], None) else { return };
    assert_eq!(finished.stdout[..3], ["ready", "sent", "cancelled"]);
    assert_eq!(attentions(&server), (1, 1));
    server.finish();
}

/// It crosses the final DONE: nothing is left to be cancelled, and the machine acknowledges it by itself.
#[test]
fn an_attention_behind_the_answer_is_acknowledged() {
    for lines in [&["cancel 10 rows"][..], &["send rows", "cancel"]] {
        let Some((finished, server)) = cancel(lines, None) else { return };
        assert!(finished.stdout.contains(&"cancelled".to_owned()));
        assert_eq!(attentions(&server), (1, 0), "{}", server.log);
        server.finish();
    }
}

#[test]
fn an_attention_in_one_piece_with_its_command_is_acknowledged() {
    for sql in ["rows", "silence", "endless", "anything"] {
        let lines = [format!("send {sql}"), "cancel".to_owned()];
        let Some((finished, server)) = cancel(&lines, Some(Cut::Nowhere)) else { return };
        assert_eq!(finished.stdout[..3], ["ready", "sent", "cancelled"]);
        assert_eq!(attentions(&server), (1, 1), "{}", server.log);
        server.finish();
    }
}

#[test]
fn attention_upon_attention() {
    let lines = |n| ["cancel 3 endless".into(), "cancel 3 rows".into(), format!("send silence{n}"), "cancel".into()];
    let more = |n| [format!("send rows{n}"), "cancel".into()];
    let lines: Vec<_> = (0..10).flat_map(|n| lines(n).into_iter().chain(more(n))).collect();
    let Some((_, server)) = cancel(&lines, None) else { return };
    assert_eq!(attentions(&server), (40, 20));
    server.finish();
}

#[test]
fn a_procedure_call_is_read_and_answered() {
    let application = Application::answering(|session, sql| {
        let order = session.order();
        if !sql.is_empty() {
            return session.respond(sample(FormatKind::Rows, order));
        }
        let mut tokens = sample(FormatKind::Rows, order);
        tokens.pop();
        let out = Column { status: 1, ..Column::short(DataType::INTN, 4) }.named("@out");
        let done = |kind, status| Token::from(Done { kind, status, ..Done::FINAL });
        tokens.extend([
            done(DoneKind::InProcedure, DoneStatus::MORE),
            ReturnStatus { value: 5 }.into(),
            Format::new(FormatKind::Params, order, &[out]).unwrap().into(),
            Token::Params(Values { data: [vec![4], integer(order, 99, 4)].concat().into() }),
            done(DoneKind::Procedure, DoneStatus::empty()),
        ]);
        session.respond(tokens);
    });
    let server = Server::start(Options { application, ..Options::default() });
    let Some(mut client) = library_of(server.port) else { return };
    client.tell("call do_it");
    client.tell("exec and now");
    let finished = client.finish();
    finished.assert_clean();
    let rows = ["row first|-7|8", "row NULL|70000|NULL"];
    let called = [&["ready"], &rows[..], &["count -1", "status 5", "returned @out=99", "end"]].concat();
    assert_eq!(finished.stdout, [&called, &rows[..], &["count 2", "end"]].concat());

    let token = |note| if let Note::Event(ServerEvent::Item(Item::Token(token))) = note { Some(token) } else { None };
    let tokens: Vec<_> = server.log.all().into_iter().filter_map(token).collect();
    let [Token::Other(call), Token::Format(format), Token::Params(values)] = &tokens[..] else {
        panic!("{}", server.log)
    };
    assert!(call.ty == TokenType::DB_RPC && call.body.windows(6).any(|part| part == b"\x05do_it"));
    let read: Vec<_> = format
        .values(&values.data)
        .map(|(column, value)| (column.name.to_vec(), column.status, column.data_type, value.data.map(<[u8]>::to_vec)))
        .collect();
    let expected = [
        (&b"@small"[..], 0, DataType::INTN, Some((-7_i32).to_le_bytes().to_vec())),
        (b"@large", 0, DataType::INT8, Some((1_i64 << 40).to_le_bytes().to_vec())),
        (b"@text", 0, DataType::VARCHAR, Some(b"words".to_vec())),
        (b"@none", 0, DataType::VARCHAR, None),
        (b"@raw", 0, DataType::BINARY, Some(b"\x00\x01\xff".to_vec())),
        (b"@out", 1, DataType::INTN, None),
    ];
    assert_eq!(read, expected.map(|(name, status, ty, data)| (name.to_vec(), status, ty, data)));
    server.finish();
}
