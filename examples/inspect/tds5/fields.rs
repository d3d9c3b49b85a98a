//! The fields of tokens by their names in the crate. Passwords, session ids and commands are never shown, of values
//! only those of the migration exchange and of errors: of all others the length.

use super::names;
use crate::record::{Fields, hex};
use handover::tds5::capability::{Capabilities, CapabilityType, RequestCapability, ResponseCapability};
use handover::tds5::login::{LoginRecord, Text};
use handover::tds5::token::{
    Column, DataType, Done, Eed, EnvironmentChange, Format, LoginAck, Message, Notice, OptionCommand, Token, Value,
};
use handover::wire::ByteOrder;
use serde_json::{Value as Json, json};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn name<const N: usize>(field: &Text<N>) -> String {
    text(field.as_bytes())
}

/// A number by its name, if it has one.
fn named(name: Option<&'static str>, number: impl Into<Json>) -> Json {
    name.map_or_else(|| number.into(), Json::from)
}

/// Flags by their names; bits that have none as one number at the end.
macro_rules! flags {
    ($flags:expr) => {{
        let mut names = $flags.iter_names();
        let mut list: Vec<Json> = names.by_ref().map(|(name, _)| name.into()).collect();
        let rest = names.remaining().bits();
        if rest != 0 {
            list.push(rest.into());
        }
        list
    }};
}

pub(super) fn login(fields: Fields, record: &LoginRecord) -> Fields {
    let remote: Vec<_> = record
        .remote_passwords
        .entries()
        .map(|(server, password)| json!({"server": text(server), "password_len": password.len()}))
        .collect();
    fields
        .with("host_name", name(&record.host_name))
        .with("user_name", name(&record.user_name))
        .with("password_len", record.password.expose().len())
        .with("host_process", name(&record.host_process))
        .with("int2", record.int2)
        .with("int4", record.int4)
        .with("character", record.character)
        .with("float8", record.float8)
        .with("date8", record.date8)
        .with("use_database_notify", record.use_database_notify)
        .with("dump_load", record.dump_load)
        .with("interface_spare", record.interface_spare)
        .with("connection_type", flags!(record.connection_type))
        .with("buffer_size", hex(&record.buffer_size))
        .with("spare", hex(&record.spare))
        .with("application_name", name(&record.application_name))
        .with("server_name", name(&record.server_name))
        .with("remote_passwords", remote)
        .with("tds_version", hex(&record.tds_version))
        .with("program_name", name(&record.program_name))
        .with("program_version", hex(&record.program_version))
        .with("no_short", record.no_short)
        .with("float4", record.float4)
        .with("date4", record.date4)
        .with("language", name(&record.language))
        .with("set_language", record.set_language)
        .with("old_secure", hex(&record.old_secure))
        .with("security_login", flags!(record.security_login))
        .with("security_bulk", record.security_bulk)
        .with("ha_login", flags!(record.ha_login))
        .with("session_id_len", record.session_id.map_or(0, |id| id.bytes().len()))
        .with("secure_spare", hex(&record.secure_spare))
        .with("character_set", name(&record.character_set))
        .with("set_character_set", record.set_character_set)
        .with("packet_size", name(&record.packet_size))
        .with("dummy", hex(&record.dummy))
}

/// What stands behind the layout that is known: its length, if there is anything.
fn extra(fields: Fields, bytes: &[u8]) -> Fields {
    if bytes.is_empty() { fields } else { fields.with("extra_len", bytes.len()) }
}

/// The fields of a token. Its values, if it has any, are in this format; `shown` says whether they may be seen.
pub(super) fn token(fields: Fields, token: &Token, format: Option<&Format>, shown: bool) -> Fields {
    match token {
        Token::Message(Message { status, id, extra: behind }) => {
            extra(fields.with("status", *status).with("id", named(names::message(*id), id.0)), behind)
        }
        Token::Params(values) => self::values(fields, format, &values.data, shown),
        Token::Row(values) => self::values(fields, format, &values.data, false),
        Token::LoginAck(LoginAck { status, tds_version, name_length, program_name, program_version }) => fields
            .with("status", status.0)
            .with("verdict", named(status.verdict().name(), status.verdict().0))
            .with("tds_version", hex(tds_version))
            .with("name_length", *name_length)
            .with("program_name", text(program_name))
            .with("program_version", hex(program_version)),
        Token::Capability(capabilities) => fields.with("masks", masks(capabilities)),
        Token::EnvironmentChange(change) => fields.with("changes", changes(change)),
        Token::Eed(eed) => self::eed(fields, eed),
        Token::Error(notice) | Token::Info(notice) => self::notice(fields, notice),
        // A command may set a password.
        Token::Language(language) => fields.with("status", language.status).with("text_len", language.text.len()),
        Token::Control(control) => fields.with("columns", control.iter().map(text).collect::<Vec<_>>()),
        Token::OptionCommand(OptionCommand { action, option, argument, extra: behind }) => {
            let fields = fields.with("action", named(action.name(), action.0)).with("option", *option);
            extra(fields.with_opaque("argument_len", "argument", argument), behind)
        }
        Token::Format(format) => {
            let columns: Vec<_> = format.columns().map(|each| column(format.order(), &each)).collect();
            fields.with("count", format.count()).with("columns", columns)
        }
        Token::Done(Done { status, transaction, count, .. }) => {
            fields.with("status", flags!(status)).with("transaction", transaction.0).with("count", *count)
        }
        Token::ReturnStatus(status) => fields.with("value", status.value),
        Token::Logout(logout) => fields.with("options", logout.options),
        // Nobody knows what is in it.
        _ => fields,
    }
}

fn masks(capabilities: &Capabilities) -> Vec<Json> {
    let mask = |ty: CapabilityType, number: u16| match ty {
        CapabilityType::REQUEST => named(RequestCapability(number).name(), number),
        CapabilityType::RESPONSE => named(ResponseCapability(number).name(), number),
        _ => number.into(),
    };
    let masks = capabilities.masks().map(|(ty, bits)| {
        let set: Vec<_> = bits.iter().map(|number| mask(ty, number)).collect();
        json!({"type": named(ty.name(), ty.0), "length": bits.as_bytes().len(), "set": set})
    });
    masks.collect()
}

fn changes(change: &EnvironmentChange) -> Vec<Json> {
    let changes = change
        .iter()
        .map(|(kind, new, old)| json!({"kind": named(kind.name(), kind.0), "new": text(new), "old": text(old)}));
    changes.collect()
}

fn eed(fields: Fields, eed: &Eed) -> Fields {
    let fields = fields
        .with("number", eed.number)
        .with("state", eed.state)
        .with("class", eed.class)
        .with("sql_state", text(&eed.sql_state))
        .with("status", named(eed.status.name(), eed.status.0))
        .with("transaction", eed.transaction)
        .with("text", text(&eed.text))
        .with("server", text(&eed.server))
        .with("procedure", text(&eed.procedure))
        .with("line", eed.line);
    extra(fields, &eed.extra)
}

fn notice(fields: Fields, notice: &Notice) -> Fields {
    let fields = fields
        .with("number", notice.number)
        .with("state", notice.state)
        .with("class", notice.class)
        .with("text", text(&notice.text))
        .with("server", text(&notice.server))
        .with("procedure", text(&notice.procedure))
        .with("line", notice.line);
    extra(fields, &notice.extra)
}

fn column(order: ByteOrder, column: &Column<&[u8]>) -> Json {
    let ty = column.data_type;
    let mut shown = json!({
        "name": text(column.name),
        "status": column.status,
        "user_type": column.user_type,
        "data_type": named(ty.name(), ty.0),
        "size": match *column.size {
            [] => Json::Null,
            [one] => one.into(),
            [a, b, c, d] => unsigned(order, &[a, b, c, d]).into(),
            ref other => hex(other).into(),
        },
        "locale": text(column.locale),
    });
    // Label, catalogue, schema and table of a wide row format.
    let mut origin = column.origin;
    let mut names = Vec::new();
    while let Some((name, rest)) = origin.split_first().and_then(|(&length, rest)| rest.split_at_checked(length.into()))
    {
        names.push(text(name));
        origin = rest;
    }
    if !names.is_empty() {
        shown["origin"] = names.into();
    }
    shown
}

/// An integer of up to eight bytes.
fn unsigned(order: ByteOrder, bytes: &[u8]) -> u64 {
    let add = |sum, &byte: &u8| sum << 8 | u64::from(byte);
    match order {
        ByteOrder::Big => bytes.iter().fold(0, add),
        ByteOrder::Little => bytes.iter().rev().fold(0, add),
    }
}

/// The values of PARAMS or ROW, or how long they are; NULL is null.
fn values(fields: Fields, format: Option<&Format>, data: &[u8], shown: bool) -> Fields {
    let Some(format) = format else { return fields };
    let length = |value: Value<'_>| value.data.map_or(Json::Null, |data| data.len().into());
    let values = format.values(data).map(
        |(column, it)| {
            if shown { value(format.order(), column.data_type, it) } else { length(it) }
        },
    );
    fields.with(if shown { "values" } else { "lengths" }, values.collect::<Vec<_>>())
}

fn value(order: ByteOrder, ty: DataType, value: Value<'_>) -> Json {
    let Some(data) = value.data else { return Json::Null };
    let signed = matches!(ty, DataType::INTN | DataType::INT2 | DataType::INT4 | DataType::INT8);
    match ty {
        _ if ty.is_text() => text(data).into(),
        _ if signed && matches!(data.len(), 2 | 4 | 8) => {
            let unused = 64 - 8 * u32::try_from(data.len()).unwrap_or(8);
            (unsigned(order, data).cast_signed() << unused >> unused).into()
        }
        DataType::SINT1 if data.len() == 1 => data.first().map(|byte| byte.cast_signed()).into(),
        DataType::INTN | DataType::INT1 | DataType::BIT | DataType::UINTN if data.len() <= 8 => {
            unsigned(order, data).into()
        }
        DataType::UINT2 | DataType::UINT4 | DataType::UINT8 => unsigned(order, data).into(),
        _ => hex(data).into(),
    }
}
