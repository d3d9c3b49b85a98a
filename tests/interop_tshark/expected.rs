//! What we decode, as tshark should show it: its fields, in its order.

use handover::tds5::login::LoginRecord;
use handover::tds5::token::{Column, DataType, Done, DoneKind, Eed, Format, FormatKind, Notice, Token, Value};
use handover::wire::ByteOrder;

/// What a field shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
    /// It shows something else, where its dissector errs; but these bytes are what it shows.
    Raw(Vec<u8>),
    /// Whatever it shows.
    Any,
}

pub(crate) type Fields = Vec<(String, Shown)>;

fn number(number: impl Into<i64>) -> Shown {
    Shown::Number(number.into())
}

fn text(bytes: &[u8]) -> Shown {
    Shown::Text(String::from_utf8(bytes.to_vec()).expect("the script says text"))
}

fn bytes(bytes: &[u8]) -> Shown {
    Shown::Bytes(bytes.to_vec())
}

fn length(bytes: &[u8]) -> Shown {
    number(u32::try_from(bytes.len()).expect("the script says little"))
}

/// Fields of one token, whose names begin alike.
struct Of {
    prefix: &'static str,
    fields: Fields,
}

impl Of {
    fn new(prefix: &'static str) -> Self {
        Self { prefix, fields: Vec::new() }
    }

    fn with(mut self, name: &str, shown: Shown) -> Self {
        self.fields.push((format!("tds.{}.{name}", self.prefix), shown));
        self
    }

    /// A length and, unless it is empty, the text.
    fn with_text(self, length_name: &str, name: &str, content: &[u8]) -> Self {
        let of = self.with(length_name, length(content));
        if content.is_empty() { of } else { of.with(name, text(content)) }
    }
}

/// The login record.
pub(crate) fn login(record: &LoginRecord) -> Fields {
    let flag = |bits: u8| number(i64::from(bits != 0));
    let mut of = Of::new("login")
        .with_text("hostname_length", "hostname", record.host_name.as_bytes())
        .with_text("username_length", "username", record.user_name.as_bytes())
        .with_text("password_length", "password", record.password.expose())
        .with_text("hostprocess_length", "pid", record.host_process.as_bytes())
        .with("option.int2", number(record.int2))
        // It shows the field before.
        .with("option.int4", Shown::Raw(vec![record.int4]))
        .with("option.char", number(record.character))
        .with("option.float", number(record.float8))
        .with("option.date", number(record.date8))
        .with("option.usedb", number(record.use_database_notify))
        .with("option.bulk", number(record.dump_load))
        .with("option.server_to_server", number(record.interface_spare))
        .with("option.server_to_server_loginack", number(record.interface_spare))
        .with("option.type", number(record.connection_type.bits()))
        .with_text("appname_length", "appname", record.application_name.as_bytes())
        .with_text("servername_length", "servname", record.server_name.as_bytes());
    let remote: Vec<_> = record.remote_passwords.entries().collect();
    let total: usize = remote.iter().map(|(server, password)| 2 + server.len() + password.len()).sum();
    of = of.with("rempw_length", number(u32::try_from(total).expect("255 at most")));
    for (server, password) in remote {
        of = of.with_text("rempw_servername_length", "rempw_servername", server).with_text(
            "rempw_password_length",
            "rempw_password",
            password,
        );
    }
    of.with("protoversion", number(u32::from_be_bytes(record.tds_version)))
        .with_text("progname_length", "progname", record.program_name.as_bytes())
        .with("progversion", number(u32::from_be_bytes(record.program_version)))
        .with("option.noshort", number(record.no_short))
        .with("option.flt4", number(record.float4))
        .with("option.date4", number(record.date4))
        .with_text("language_length", "language", record.language.as_bytes())
        .with("setlang", number(record.set_language))
        .with("seclogin", flag(record.security_login.bits()))
        .with("secbulk", number(record.security_bulk))
        .with("halogin", flag(record.ha_login.bits()))
        .with("hasessionid", bytes(&record.session_id.map_or([0; 6], |id| id.bytes())))
        .with_text("charset_length", "charset", record.character_set.as_bytes())
        .with("setcharset", number(record.set_character_set))
        .with_text("packetsize_length", "packetsize", record.packet_size.as_bytes())
        .fields
}

/// A token, whose body has this length; its values are in this format.
pub(crate) fn token(token: &Token, size: usize, format: Option<&Format>) -> Fields {
    let size = number(u32::try_from(size).expect("the script says little"));
    match token {
        Token::Message(message) => {
            Of::new("msg")
                .with("length", size)
                .with("status", number(message.status))
                .with("msgid", number(message.id.0))
                .fields
        }
        Token::LoginAck(ack) => {
            Of::new("loginack")
                .with("length", size)
                .with("interface", number(ack.status.0))
                .with("tdsversion", number(u32::from_be_bytes(ack.tds_version)))
                .with("progname", text(&ack.program_name))
                .with("progversion", number(u32::from_be_bytes(ack.program_version)))
                .fields
        }
        Token::EnvironmentChange(change) => {
            let mut of = Of::new("envchange").with("length", size);
            for (kind, new, old) in change.iter() {
                of = of.with("type", number(kind.0)).with_text("newvalue_length", "newvalue_string", new).with_text(
                    "oldvalue_length",
                    "oldvalue_string",
                    old,
                );
            }
            of.fields
        }
        Token::Eed(Eed {
            number: id,
            state,
            class,
            sql_state,
            status,
            transaction,
            text: words,
            server,
            procedure,
            line,
            ..
        }) => {
            Of::new("eed")
                .with("length", size)
                .with("number", number(*id))
                .with("state", number(*state))
                .with("class", number(*class))
                .with("sql_state", bytes(sql_state))
                .with("status", number(i64::from(status.0 != 0)))
                .with("transtate", number(*transaction))
                .with("msgtext", text(words))
                .with("servername", text(server))
                .with("procname", text(procedure))
                .with("linenumber", number(*line))
                .fields
        }
        Token::Error(notice) => self::notice(Of::new("error"), size, notice),
        Token::Info(notice) => self::notice(Of::new("info"), size, notice),
        Token::Done(Done { kind, status, transaction, count }) => {
            let prefix = match kind {
                DoneKind::Done => "done",
                DoneKind::Procedure => "doneproc",
                DoneKind::InProcedure => "doneinproc",
            };
            Of::new(prefix)
                .with("status", number(status.bits()))
                .with("curcmd", number(transaction.0))
                .with("donerowcount", number(count.cast_unsigned()))
                .fields
        }
        Token::ReturnStatus(status) => {
            Of::new("returnstatus").with("value", number(status.value.cast_unsigned())).fields
        }
        Token::Logout(logout) => Of::new("logout").with("options", number(logout.options)).fields,
        Token::Language(language) => {
            Of::new("lang")
                .with("length", size)
                .with("token_status", number(language.status))
                .with("language_text", text(&language.text))
                .fields
        }
        Token::Control(control) => {
            control.iter().fold(Of::new("control").with("length", size), |of, each| of.with("fmt", bytes(each))).fields
        }
        Token::Format(format) => self::format(format, size),
        Token::Params(values) | Token::Row(values) => {
            let format = format.expect("values have a format");
            format
                .values(&values.data)
                .flat_map(|(column, each)| value(format.order(), column.data_type, each))
                .collect()
        }
        other => panic!("the script does not say {other:?}"),
    }
}

fn notice(of: Of, size: Shown, notice: &Notice) -> Fields {
    of.with("length", size)
        .with("number", number(notice.number))
        .with("state", number(notice.state))
        .with("class", number(notice.class))
        .with_text("msgtext_length", "msgtext", &notice.text)
        .with_text("servername_length", "servername", &notice.server)
        .with_text("procname_length", "procname", &notice.procedure)
        .with("linenumber", number(notice.line))
        .fields
}

fn format(format: &Format, size: Shown) -> Fields {
    let (prefix, count, name) = match format.kind() {
        FormatKind::Params => ("paramfmt", "numparams", "colname"),
        FormatKind::WideParams => ("paramfmt2", "numparams", "paramname"),
        FormatKind::Rows => ("rowfmt", "numcols", "colname"),
        FormatKind::WideRows => ("rowfmt2", "numcols", "colname"),
    };
    let mut of = Of::new(prefix).with("length", size).with(count, number(format.count()));
    for column in format.columns() {
        let mut origin = column.origin;
        for name in ["labelname", "catalogname", "schemaname", "tablename"] {
            if let Some((&length, rest)) = origin.split_first() {
                let (content, rest) = rest.split_at(length.into());
                of = of.with(name, text(content));
                origin = rest;
            }
        }
        of = of
            .with(name, text(column.name))
            .with("status", number(column.status))
            .with("utype", number(column.user_type.cast_unsigned()))
            .with("ctype", number(column.data_type.0));
        of = self::size(of, format.order(), &column).with("locale_info", bytes(column.locale));
    }
    of.fields
}

/// The part of a column's format that depends on its type.
fn size(of: Of, order: ByteOrder, column: &Column<&[u8]>) -> Of {
    match *column.size {
        [] => of,
        [one] => of.with("csize", number(one)),
        [one, precision, scale] => {
            of.with("csize", number(one)).with("precision", number(precision)).with("scale", number(scale))
        }
        [a, b, c, d, ref table @ ..] => {
            let long = [a, b, c, d];
            let long = if order == ByteOrder::Big { u32::from_be_bytes(long) } else { u32::from_le_bytes(long) };
            let of = of.with("csize", number(long));
            match table {
                [] => of,
                [_, _, name @ ..] => of.with("text_tablename", text(name)),
                [_] => panic!("{column:?}"),
            }
        }
        _ => panic!("the script has no {column:?}"),
    }
}

fn value(order: ByteOrder, ty: DataType, value: Value<'_>) -> Fields {
    let field = |name: &str, shown| (format!("tds.type_varbyte.{name}"), shown);
    let data = value.data;
    match ty {
        DataType::VARCHAR | DataType::CHAR | DataType::LONGCHAR => {
            vec![field("data.uint_string", text(data.unwrap_or_default()))]
        }
        DataType::VARBINARY | DataType::BINARY | DataType::LONGBINARY => {
            vec![field("data.uint_bytes", bytes(data.unwrap_or_default()))]
        }
        DataType::INTN => {
            let size = field("length", length(data.unwrap_or_default()));
            vec![size, data.map_or_else(|| field("data.null", text(b"")), |data| integer(order, data))]
        }
        DataType::INT1 | DataType::INT2 | DataType::INT4 | DataType::INT8 => {
            vec![integer(order, data.unwrap_or_default())]
        }
        DataType::BIT => vec![field("data.bool", number(data.unwrap_or_default()[0]))],
        // For what else there is, only where it stands.
        _ => vec![field("*", Shown::Any)],
    }
}

fn integer(order: ByteOrder, data: &[u8]) -> (String, Shown) {
    let mut little = data.to_vec();
    if order == ByteOrder::Big {
        little.reverse();
    }
    let (name, shown) = match *little {
        // It has no sign on the wire and one in the dissector.
        [a] => ("int", number(i8::from_le_bytes([a]))),
        [a, b] => ("int", number(i16::from_le_bytes([a, b]))),
        [a, b, c, d] => ("int", number(i32::from_le_bytes([a, b, c, d]))),
        // It is read as little-endian, whatever it is.
        _ => ("int64", Shown::Raw(data.to_vec())),
    };
    (format!("tds.type_varbyte.data.{name}"), shown)
}
