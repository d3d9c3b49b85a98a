//! What is said: one of everything.

use crate::talk::{Said, Talk};
use bytes::Bytes;
use handover::tds5::capability::{Capabilities, Mask};
use handover::tds5::login::{ConnectionType, HaLogin, Login, LoginRecord, RemotePasswords, SecurityLogin};
use handover::tds5::migration::{Address, FailReason, Migration, Options, Request};
use handover::tds5::token::{
    Column, Control, DataType, Done, DoneKind, Eed, EedStatus, EnvironmentChange, EnvironmentKind, Format, FormatKind,
    Language, LoginAck, LoginStatus, Message, Notice, ReturnStatus, Token, TransactionState, Values,
};
use handover::tds5::{DoneStatus, MessageId, SessionId};
use handover::wire::ByteOrder;

const FORMATS: [FormatKind; 4] = [FormatKind::Params, FormatKind::WideParams, FormatKind::Rows, FormatKind::WideRows];

fn id() -> SessionId {
    SessionId::new([0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6]).unwrap()
}

/// A login that continues a session.
fn login(order: ByteOrder) -> Login {
    let record = LoginRecord::new(order)
        .with_user(b"abcdefghijklmnopqrstuvwxyz0123", b"secret")
        .and_then(|record| record.with_host(b"host.example", 4711))
        .and_then(|record| record.with_names(b"interop", b"SERVER"))
        .and_then(|record| record.with_program(b"handover", [1, 2, 3, 4]))
        .and_then(|record| record.with_locale(b"us_english", b"utf8"))
        .and_then(|record| record.with_packet_size(16384))
        .unwrap();
    Login::new(record.with_migration(id()), true)
}

/// Another one: hardly anything in it, and all that the first leaves out.
pub(crate) fn other_login(order: ByteOrder) -> Login {
    let record = LoginRecord {
        use_database_notify: 0,
        dump_load: 1,
        connection_type: ConnectionType::SERVER,
        remote_passwords: RemotePasswords::new([(&b"srv"[..], &b"pw"[..])]).unwrap(),
        set_language: 1,
        security_login: SecurityLogin::ENCRYPT_3,
        ha_login: HaLogin::SESSION | HaLogin::REDIRECT,
        set_character_set: 0,
        ..LoginRecord::new(order)
    };
    let capabilities = Capabilities::new(&Mask::of((1..=87).chain([89])).unwrap(), &Mask::of(1..=64).unwrap());
    Login { record: Box::new(record), capabilities, extra: Vec::new() }
}

fn u16(order: ByteOrder, number: u16) -> Vec<u8> {
    if order == ByteOrder::Big { number.to_be_bytes().to_vec() } else { number.to_le_bytes().to_vec() }
}

fn u32(order: ByteOrder, number: u32) -> Vec<u8> {
    if order == ByteOrder::Big { number.to_be_bytes().to_vec() } else { number.to_le_bytes().to_vec() }
}

fn u64(order: ByteOrder, number: u64) -> Vec<u8> {
    if order == ByteOrder::Big { number.to_be_bytes().to_vec() } else { number.to_le_bytes().to_vec() }
}

/// A column of each type that migration messages use, and of integers, with a value.
fn columns(order: ByteOrder) -> Vec<(Column, Vec<u8>)> {
    let long = |ty| Column::long(ty, order, 0x7fff_ffff);
    let intn = |size| Column::short(DataType::INTN, size);
    vec![
        (
            Column { status: 0x20, user_type: -7, ..Column::short(DataType::VARCHAR, 255).named("text") },
            b"\x05hello".to_vec(),
        ),
        (Column::short(DataType::VARCHAR, 255), vec![0]),
        (Column::short(DataType::CHAR, 4), b"\x04ab  ".to_vec()),
        (Column::short(DataType::VARBINARY, 6).named("id"), b"\x03\x01\x02\x03".to_vec()),
        (Column::short(DataType::BINARY, 6), b"\x06abcdef".to_vec()),
        (intn(4), [vec![4], u32(order, 0xffff_fffe)].concat()),
        (intn(2), [vec![2], u16(order, 513)].concat()),
        (intn(8), [vec![8], u64(order, 5_000_000_000)].concat()),
        (intn(4), vec![0]),
        (Column::fixed(DataType::INT1), vec![200]),
        (Column::fixed(DataType::INT2), u16(order, 513)),
        (Column { user_type: 7, ..Column::fixed(DataType::INT4) }, u32(order, 123_456)),
        (Column::fixed(DataType::BIT), vec![1]),
        (long(DataType::LONGCHAR), [u32(order, 6), b"longer".to_vec()].concat()),
        (long(DataType::LONGBINARY), [u32(order, 3), vec![7, 8, 9]].concat()),
    ]
}

/// Columns of other types, of which only the size is known here.
fn other_columns(order: ByteOrder, kind: FormatKind) -> Vec<(Column, Vec<u8>)> {
    let sized = |ty, size: Vec<u8>| Column { size: size.into(), ..Column::fixed(ty) };
    let mut columns = vec![
        (Column::fixed(DataType::FLT8), u64(order, 1.5_f64.to_bits())),
        (Column::short(DataType::FLTN, 8), [vec![8], u64(order, 1.5_f64.to_bits())].concat()),
        (Column::fixed(DataType::MONEY), [u32(order, 0), u32(order, 15_000)].concat()),
        (Column::short(DataType::MONEYN, 8), vec![0]),
        (Column::fixed(DataType::DATETIME), [u32(order, 40_000), u32(order, 300)].concat()),
        (Column::short(DataType::DATETIMEN, 8), [vec![8], u32(order, 40_000), u32(order, 300)].concat()),
        (Column::fixed(DataType::SHORT_DATETIME), [u16(order, 40_000), u16(order, 30)].concat()),
    ];
    // Of parameters tshark knows no precision and no scale.
    if kind.is_rows() {
        let table = |name: &[u8]| {
            [u32(order, 0x7fff_ffff), u16(order, u16::try_from(name.len()).unwrap()), name.to_vec()].concat()
        };
        let large = [vec![16], vec![0xee; 24], u32(order, 4), b"long".to_vec()].concat();
        columns.extend([
            (sized(DataType::NUMN, vec![5, 6, 2]), vec![5, 0, 0, 0, 1, 0]),
            (sized(DataType::DECN, vec![5, 6, 2]), vec![5, 1, 0, 0, 1, 0]),
            (sized(DataType::TEXT, table(b"t")), large.clone()),
            (sized(DataType::IMAGE, table(b"dbo.table")), large),
            (sized(DataType::TEXT, table(b"")), vec![0]),
        ]);
    }
    columns.push((Column::fixed(DataType::INT4), u32(order, 1)));
    columns
}

/// A format and, twice, values in it.
fn values(order: ByteOrder, kind: FormatKind, columns: Vec<(Column, Vec<u8>)>) -> Vec<Token> {
    let wide_row = kind == FormatKind::WideRows;
    let origin = Bytes::from_static(if wide_row { b"\x05label\x00\x03dbo\x01t" } else { b"" });
    let (columns, values): (Vec<_>, Vec<_>) =
        columns.into_iter().map(|(column, value)| (Column { origin: origin.clone(), ..column }, value)).unzip();
    let values = Values { data: values.concat().into() };
    let values = if kind.is_rows() { Token::Row(values) } else { Token::Params(values) };
    vec![Format::new(kind, order, &columns).unwrap().into(), values.clone(), values]
}

fn done(kind: DoneKind, status: DoneStatus, transaction: u16, count: i32) -> Token {
    Done { kind, status, transaction: TransactionState(transaction), count }.into()
}

/// The response to a login.
fn login_response(order: ByteOrder, packet_size: u16) -> Vec<Token> {
    let change =
        |kind, new: &str, old: &str| EnvironmentChange::new(kind, new.as_bytes(), old.as_bytes()).unwrap().into();
    let eed = Eed {
        sql_state: Bytes::from_static(b"ZZZZZ"),
        server: Bytes::from_static(b"SERVER"),
        procedure: Bytes::from_static(b"proc"),
        line: 7,
        transaction: 1,
        ..Eed::new(5701, 10, "Changed database context to 'master'.")
    };
    let mut tokens = vec![
        change(EnvironmentKind::DATABASE, "master", ""),
        change(EnvironmentKind::LANGUAGE, "us_english", ""),
        change(EnvironmentKind::CHARACTER_SET, "utf8", "iso_1"),
        change(EnvironmentKind::PACKET_SIZE, &packet_size.to_string(), "512"),
        eed.into(),
        LoginAck::new(LoginStatus::SUCCEED, "SERVER", [15, 7, 0, 2]).into(),
    ];
    tokens.extend(Migration::SessionId(Some(id())).tokens(order, &Options::DEFAULT).unwrap());
    tokens.extend([Capabilities::offered(true).into(), Done::FINAL.into()]);
    tokens
}

/// Each message of the exchange, in each layout that there is.
fn exchange(order: ByteOrder) -> Vec<Vec<Token>> {
    let addresses = vec![Address::new("127.0.0.1", 5001).unwrap(), Address::new("::1", 5002).unwrap()];
    let request = Migration::Request(Request { addresses, unreadable: vec![Bytes::from_static(b"?")] });
    let reason = |code, text: Option<&str>| Migration::Fail(Some(FailReason { code, text: text.map(str::to_owned) }));
    let messages = [
        request,
        Migration::Request(Request::default()),
        Migration::Sync,
        Migration::Continue,
        Migration::Ignore,
        Migration::Fail(None),
        reason(Some(2), None),
        reason(None, Some("connect failed")),
        reason(Some(-3), Some("login refused")),
        Migration::Resume,
        Migration::SessionId(Some(id())),
        Migration::SessionId(None),
    ];
    let layouts = [
        (DataType::VARCHAR, DataType::VARBINARY),
        (DataType::CHAR, DataType::BINARY),
        (DataType::LONGCHAR, DataType::LONGBINARY),
    ];
    let tokens = layouts.into_iter().flat_map(|(address_type, session_id_type)| {
        let mut options = Options::DEFAULT;
        (options.address_type, options.session_id_type) = (address_type, session_id_type);
        messages.iter().map(move |message| message.tokens(order, &options).unwrap()).collect::<Vec<_>>()
    });
    tokens.collect()
}

/// A whole session, in packets of this size.
pub(crate) fn session(order: ByteOrder, packet_size: u16) -> Talk {
    let mut talk = Talk::new(Options::DEFAULT);
    talk.client(Said::Login(login(order)));
    talk.server(Said::Tokens(login_response(order, packet_size)));

    talk.client(Said::Tokens(vec![Language::new("select * from t").into()]));
    for kind in FORMATS {
        let mut tokens = values(order, kind, columns(order));
        tokens.extend(values(order, kind, other_columns(order, kind)));
        tokens.push(done(DoneKind::InProcedure, DoneStatus::MORE | DoneStatus::COUNT, 2, 3));
        talk.server(Said::Tokens(tokens));
    }
    // Longer than any packet but the largest, or than that as well.
    let size = usize::from(packet_size) * 2 + 100;
    let long = [u32(order, u32::try_from(size).unwrap()), vec![0x5a; size]].concat();
    let column = Column::long(DataType::LONGBINARY, order, 0x7fff_ffff);
    let mut tokens = values(order, FormatKind::Rows, vec![(column, long)]);
    tokens.push(Control::new([&b"shown"[..]]).unwrap().into());
    tokens.push(ReturnStatus { value: -6 }.into());
    tokens.push(done(DoneKind::Procedure, DoneStatus::PROCEDURE | DoneStatus::IN_TRANSACTION, 1, 0));
    talk.server(Said::Tokens(tokens));

    // With parameters, and errors of both kinds.
    let language = Language { status: 1, ..Language::new("select @p") };
    let column = (Column::short(DataType::VARCHAR, 255).named("@p"), b"\x05value".to_vec());
    let [format, params, _] = &values(order, FormatKind::Params, vec![column.clone()])[..] else { panic!() };
    talk.client(Said::Tokens(vec![language.into(), format.clone(), params.clone()]));
    let eed = Eed { status: EedStatus::FOLLOWS, ..Eed::new(102, 15, "Incorrect syntax") };
    let mut tokens = vec![eed.into()];
    tokens.extend(values(order, FormatKind::Params, vec![column]));
    let notice = Notice {
        number: 102,
        state: 1,
        class: 15,
        text: Bytes::from_static(b"syntax"),
        server: Bytes::from_static(b"SERVER"),
        procedure: Bytes::from_static(b"proc"),
        line: 3,
        extra: Bytes::new(),
    };
    tokens.extend([Token::Error(notice.clone()), Token::Info(Notice { procedure: Bytes::new(), ..notice })]);
    tokens.push(done(DoneKind::Done, DoneStatus::ERROR, 4, 0));
    talk.server(Said::Tokens(tokens));

    talk.client(Said::Text(b"select 1".to_vec()));
    talk.client(Said::Attention);
    talk.server(Said::Tokens(vec![done(DoneKind::Done, DoneStatus::ATTENTION, 0, 0)]));

    exchange(order).into_iter().for_each(|tokens| talk.server(Said::Tokens(tokens)));
    talk.server(Said::Tokens(vec![Message::new(MessageId(0x7fff), false).into(), Done::FINAL.into()]));

    talk.client(Said::Logout);
    talk.server(Said::Tokens(vec![Done::FINAL.into()]));
    talk
}

/// The exchange as it is sent, in packets of type 17.
pub(crate) fn migration(order: ByteOrder) -> Talk {
    let mut talk = Talk::new(Options::DEFAULT);
    talk.client(Said::Login(other_login(order)));
    let addresses = vec![Address::new("127.0.0.1", 5001).unwrap()];
    talk.server(Said::Migration(Migration::Request(Request { addresses, unreadable: Vec::new() })));
    talk.client(Said::Migration(Migration::Sync));
    talk.server(Said::Migration(Migration::Continue));
    talk.client(Said::Migration(Migration::Fail(Some(FailReason::new(2, "not reached")))));
    talk.client(Said::Migration(Migration::Resume));
    talk.server(Said::Migration(Migration::Ignore));
    talk
}
