//! What our server answers, and what FreeTDS makes of it.

use crate::freetds_login::client_of;
use crate::freetds_rows::{SAMPLE, Table, counted, integer, sample, text};
use crate::freetds_server::{Application, Options, Server, Session};
use crate::support::tsql::{Finished, TdsOptions};
use bytes::Bytes;
use handover::tds5::endpoint::ServerCommand;
use handover::tds5::packet::PacketHeader;
use handover::tds5::token::{
    Column, Control, DataType, Done, DoneKind, Eed, EedStatus, Format, FormatKind, Notice, OptionAction, OptionCommand,
    Other, ReturnStatus, Token, Values,
};
use handover::tds5::{DoneStatus, PacketType, TokenType};
use handover::wire::{ByteOrder, Encode};

/// One session with a server that answers in this way, batch by batch.
pub fn session<S: AsRef<str>>(
    batches: &[S],
    batch: impl FnMut(&mut Session<'_>, &str) + Send + 'static,
) -> Option<Finished> {
    let server = Server::start(Options { application: Application::answering(batch), ..Options::default() });
    let utf8 = TdsOptions { charset: Some("UTF-8".into()), packet_size: Some(2048), ..TdsOptions::default() };
    let mut client = client_of(&server, &utf8)?;
    batches.iter().for_each(|sql| client.batch(sql.as_ref()));
    let finished = client.finish();
    assert_eq!(server.batches().len(), batches.len(), "{finished:?}");
    server.finish();
    Some(finished)
}

#[test]
fn rows_counts_messages_and_status_are_printed() {
    for (kind, number) in [(FormatKind::Rows, 0xee), (FormatKind::WideRows, 0x61)] {
        let answer = move |session: &mut Session<'_>, sql: &str| {
            if sql == "plain\n" {
                return session.respond(sample(kind, session.order()));
            }
            let mut tokens = sample(kind, session.order());
            tokens.pop();
            let error = Eed { server: "ours".into(), procedure: "proc".into(), line: 7, ..Eed::new(102, 16, "No way") };
            let notice = Eed { sql_state: "ZZZZZ".into(), state: 9, ..Eed::new(12_345, 10, "Mind the gäp") };
            tokens.extend([
                counted(2, true),
                error.into(),
                notice.into(),
                Done {
                    kind: DoneKind::InProcedure,
                    status: DoneStatus::MORE | DoneStatus::COUNT,
                    count: 5,
                    ..Done::FINAL
                }
                .into(),
                ReturnStatus { value: -6 }.into(),
                Done { kind: DoneKind::Procedure, status: DoneStatus::ERROR, ..Done::FINAL }.into(),
            ]);
            session.respond(tokens);
        };
        let Some(finished) = session(&["much", "plain"], answer) else { return };
        finished.assert_clean();
        let mut expected = SAMPLE.to_vec();
        expected.push("(return status = -6)");
        expected.extend(SAMPLE);
        assert_eq!(finished.stdout, expected);
        let told = [
            "\rMsg 102 (severity 16, state 1) from ours, Procedure proc Line 7:",
            "\t\"No way\"",
            "Msg 12345 (severity 10, state 9) from :",
            "\t\"Mind the gäp\"",
        ];
        assert_eq!(finished.stderr, told);
        let login = [0xe3, 0xad, 0xe2, 0xfd, 0xee, 0xd1, 0xfd];
        let much = [number, 0xd1, 0xd1, 0xfd, 0xe5, 0xe5, 0xff, 0x79, 0xfe];
        let plain = [number, 0xd1, 0xd1, 0xfd];
        assert_eq!(finished.dump.tokens(), [&login[..], &much, &plain, &[0xfd]].concat());
        for count in ["rows_affected = 2", "rows_affected = 5"] {
            assert!(finished.dump.contains(count), "{finished:?}");
        }
    }
}

/// A token that is framed only.
fn other(ty: TokenType, body: &'static [u8]) -> Token {
    Other { ty, body: Bytes::from_static(body) }.into()
}

/// A returned parameter, 99.
fn parameter(kind: FormatKind, order: ByteOrder) -> [Token; 2] {
    let columns = [Column { status: 1, ..Column::fixed(DataType::INT4) }.named("@out")];
    let format = Format::new(kind, order, &columns).unwrap();
    [format.into(), Token::Params(Values { data: integer(order, 99, 4).into() })]
}

fn notice() -> Notice {
    Notice {
        number: 50_001,
        state: 3,
        class: 16,
        text: "plain".into(),
        server: "srv".into(),
        procedure: Bytes::new(),
        line: 4,
        extra: Bytes::new(),
    }
}

/// Tokens that may stand anywhere in a response, and what `tsql` says to them.
fn between(order: ByteOrder) -> Vec<(Vec<Token>, Option<&'static str>)> {
    let eed = |status| Token::from(Eed { status, ..Eed::new(7, 16, "rich") });
    let explained = |kind| [eed(EedStatus::FOLLOWS)].into_iter().chain(parameter(kind, order)).collect();
    let option = OptionCommand { action: OptionAction::INFO, option: 1, argument: "1".into(), extra: Bytes::new() };
    let rich = Some("Msg 7 (severity 16, state 1) from :");
    vec![
        (vec![Token::Error(notice())], Some("Msg 50001 (severity 16, state 3) from srv Line 4:")),
        (
            vec![Token::Info(Notice { class: 10, ..notice() })],
            Some("Msg 50001 (severity 10, state 3) from srv Line 4:"),
        ),
        (explained(FormatKind::Params), rich),
        (explained(FormatKind::WideParams), rich),
        (vec![eed(EedStatus::INFO)], rich),
        (parameter(FormatKind::Params, order).into(), None),
        (parameter(FormatKind::WideParams, order).into(), None),
        (vec![Control::new([&b""[..], b"%d", b""]).unwrap().into()], None),
        (vec![option.into()], None),
        (vec![other(TokenType::ORDER_BY, b"\x01\x02")], None),
        (vec![other(TokenType::ORDER_BY_2, b"\x01\x00\x02\x00")], None),
        (vec![other(TokenType::TABLE_NAME, b"\x01t")], None),
        (vec![other(TokenType::COLUMN_INFO, b"\x01\x00\x00")], None),
        (vec![other(TokenType::PROCEDURE_ID, b"\x01\x00\x00\x00\x00\x00\x00\x00")], None),
    ]
}

#[test]
fn tokens_between_rows_are_framed_as_told() {
    let count = between(ByteOrder::Little).len();
    let answer = |session: &mut Session<'_>, sql: &str| {
        let (tokens, _) = between(session.order()).swap_remove(sql.trim().parse().unwrap());
        // Before each token of the answer.
        let sample = sample(FormatKind::Rows, session.order());
        session.respond(sample.into_iter().flat_map(|token| [&tokens[..], &[token]].concat()).collect::<Vec<_>>());
    };
    let batches: Vec<_> = (0..count).map(|number| number.to_string()).collect();
    let Some(finished) = session(&batches, answer) else { return };
    finished.assert_clean();
    assert_eq!(finished.stdout, SAMPLE.repeat(count));
    let told = between(ByteOrder::Little).into_iter().filter_map(|(_, told)| told);
    let expected: Vec<_> = told.flat_map(|told| [told; 4]).collect();
    let heads = finished.stderr.iter().map(|line| line.trim_start_matches('\r')).filter(|line| line.starts_with("Msg"));
    assert_eq!(heads.collect::<Vec<_>>(), expected);
}

#[test]
fn a_batch_may_have_many_results() {
    let answer = |session: &mut Session<'_>, _: &str| {
        for _ in 0..20 {
            for kind in [FormatKind::Rows, FormatKind::WideRows] {
                let mut tokens = sample(kind, session.order());
                tokens.pop();
                session.respond(tokens.into_iter().chain([counted(2, true)]));
            }
        }
        session.respond([Done::FINAL.into()]);
    };
    let Some(finished) = session(&["all"], answer) else { return };
    finished.assert_clean();
    assert_eq!(finished.stdout, SAMPLE.repeat(40));
}

#[test]
fn a_format_may_have_more_than_64_kib() {
    const COUNT: usize = 500;
    let name = |n| format!("{n}{}", text(n, 100));
    let answer = move |session: &mut Session<'_>, _: &str| {
        let columns = (0..COUNT).map(|n| Column::fixed(DataType::INT4).named(name(n)));
        let table = Table::new(FormatKind::WideRows, session.order(), columns.collect());
        session.respond([table.format(), table.row((0..COUNT).map(|n| i64::try_from(n).unwrap())), counted(1, false)]);
    };
    let Some(finished) = session(&["wide"], answer) else { return };
    finished.assert_clean();
    let numbers: Vec<_> = (0..COUNT).map(|n| n.to_string()).collect();
    let names: Vec<_> = (0..COUNT).map(name).collect();
    assert_eq!(finished.stdout, [names.join("|"), numbers.join("|"), "(1 row affected)".into()]);
}

/// That it notices what is wrong is what makes these tests worth something. It does not look at the lengths of formats.
#[test]
fn a_wrong_length_is_noticed() {
    let wrong = |ty: TokenType, change: i8| {
        move |session: &mut Session<'_>, _: &str| {
            let order = session.order();
            let said = [Eed::new(102, 16, "text").into(), Token::Error(notice()), other(TokenType::ORDER_BY, b"\x01")];
            let mut bytes = Vec::new();
            for token in said.into_iter().chain(sample(FormatKind::Rows, order)) {
                let start = bytes.len();
                bytes.extend(token.in_order(order).to_vec().unwrap());
                if token.token_type() == ty {
                    // The length of a ROW's first value, else that of the token.
                    bytes[start + 1] = bytes[start + 1].wrapping_add_signed(change);
                }
            }
            let header = PacketHeader::new(PacketType::RESPONSE, true, u16::try_from(bytes.len()).unwrap());
            session.write(&[header.to_vec().unwrap(), bytes].concat());
            session.execute(ServerCommand::Disconnect);
        }
    };
    for (ty, change) in [
        (TokenType::EED, 0),
        (TokenType::EED, 1),
        (TokenType::ERROR, 1),
        (TokenType::ORDER_BY, 1),
        (TokenType::ORDER_BY, -1),
        (TokenType::ROW, 1),
        (TokenType::ROW, -1),
    ] {
        let application = Application::answering(wrong(ty, change));
        let server = Server::start(Options { application, ..Options::default() });
        let Some(mut client) = client_of(&server, &TdsOptions::default()) else { return };
        client.batch("all");
        let finished = client.finish();
        assert_eq!(finished.stdout == SAMPLE, change == 0, "{ty} {change} {finished:?}");
        let error = finished.stderr.iter().any(|line| line.starts_with("Error "));
        assert_eq!(error, change != 0, "{ty} {change} {finished:?}");
        server.finish();
    }
}
