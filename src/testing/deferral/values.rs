//! Generators of values.

use crate::deferral::message::{
    Alternate, Command, CommandName, Data, Defer, End, Message, Queued, Refused, Request, RequestKey, Signal,
};
use crate::deferral::{
    DeferKind, MessageKind, RefusalCode, RequestFlags, RequestId, ServerAbilities, ServerId, ServerUri,
};
use crate::testing::Choices;
use crate::testing::frame::{extensions, text};
use bytes::Bytes;
use std::boxed::Box;
use std::format;
use std::string::String;
use std::vec::Vec;

fn sixteen(choices: &mut Choices<'_>) -> [u8; 16] {
    // One of a few, so that two are now and then the same; or any.
    let first = choices.byte();
    if first < 200 { [first % 4; 16] } else { core::array::from_fn(|_| choices.byte()) }
}

/// The id of a request.
pub fn request_id(choices: &mut Choices<'_>) -> RequestId {
    RequestId(sixteen(choices))
}

/// The id of a server, or none.
pub fn server_id(choices: &mut Choices<'_>) -> ServerId {
    ServerId(sixteen(choices))
}

/// Which request, and which command of it.
pub fn key(choices: &mut Choices<'_>) -> RequestKey {
    RequestKey { id: request_id(choices), epoch: choices.edge_u16() }
}

/// What is said of a request, known or not.
pub fn flags(choices: &mut Choices<'_>) -> RequestFlags {
    let bits = choices.edge_u16();
    RequestFlags::from_bits_retain(if choices.boolean() { bits } else { bits % 16 })
}

/// What a server can do, known or not.
pub fn abilities(choices: &mut Choices<'_>) -> ServerAbilities {
    let bits = choices.byte();
    ServerAbilities::from_bits_retain(if choices.one_in(4) { bits } else { bits % 4 })
}

/// A kind of deferral. There are none but those that are known.
pub fn defer_kind(choices: &mut Choices<'_>) -> DeferKind {
    *choices.pick(&[DeferKind::BUSY, DeferKind::NO_SERVICE, DeferKind::CONTINUE, DeferKind::PREFER_OTHER])
}

/// Why a request is refused, known or not.
pub fn refusal_code(choices: &mut Choices<'_>) -> RefusalCode {
    RefusalCode(if choices.one_in(4) { choices.edge_u16() } else { u16::from(choices.byte() % 8) })
}

/// A command's name, now and then as long as one can be.
pub fn command_name(choices: &mut Choices<'_>) -> CommandName {
    let name = match choices.below(32) {
        31 => String::from_iter(['x'; 256]),
        30 => String::from_iter(['漢'; 85]),
        _ => choices.text(40),
    };
    CommandName::new(name).expect("it is short and has no control characters")
}

fn blob(choices: &mut Choices<'_>, max: usize) -> Bytes {
    choices.bytes(max).into()
}

/// A command, now and then with very many arguments.
pub fn command(choices: &mut Choices<'_>) -> Command {
    let name = command_name(choices);
    let arguments = match choices.byte() {
        254 => Vec::from_iter((0..1000).map(|_| Bytes::new())),
        byte => (0..byte % 5).map(|_| blob(choices, 300)).collect(),
    };
    Command { name, arguments }
}

/// Where a server is, out of any spelling.
pub fn server_uri(choices: &mut Choices<'_>) -> ServerUri {
    let scheme = *choices.pick(&["http", "https", "handover", "handovers", "HTTP", "x-own+1.0", "a"]);
    let host: String = match choices.below(12) {
        0..4 => (*choices.pick(&["db1.example.org", "db2.example.org", "DB1.Example.org.", "localhost"])).into(),
        4 => format!("{}.{}.0.1", choices.byte(), choices.byte()),
        5 => (*choices.pick(&["[::1]", "[2001:DB8:0::1]", "[::ffff:1.2.3.4]", "[fe80:0:0:1::]"])).into(),
        6 => {
            let groups: Vec<_> = (0..8).map(|_| format!("{:x}", choices.edge_u16())).collect();
            format!("[{}]", groups.join(":"))
        }
        7 => [&*"x".repeat(63); 3].join("."),
        8 => format!("{}{}", "y.".repeat(95), "z".repeat(1 + choices.below(60))),
        _ => {
            let labels: Vec<_> = (0..=choices.below(4))
                .map(|_| format!("{}{}", choices.pick(&["a", "b-", "C_", "0x"]), choices.byte()))
                .collect();
            format!("{}.example", labels.join("."))
        }
    };
    let port = match choices.below(6) {
        0 if scheme.eq_ignore_ascii_case("http") || scheme == "https" => String::new(),
        1 => ":80".into(),
        2 => ":00443".into(),
        _ => format!(":{}", choices.edge_u16().max(1)),
    };
    let path = match choices.below(8) {
        0..3 => "",
        3 => "/",
        4 => "/csf/",
        5 => "/a//b/../@:[%41]",
        6 => "/~x///",
        _ => &*format!("/{}", "p".repeat(choices.length(600))),
    };
    format!("{scheme}://{host}{port}{path}").parse().expect("it names a server")
}

/// A server that may be asked.
pub fn alternate(choices: &mut Choices<'_>) -> Alternate {
    Alternate { uri: server_uri(choices), abilities: abilities(choices), server: server_id(choices) }
}

/// A number or none. The largest stands for none.
fn optional(choices: &mut Choices<'_>) -> Option<u32> {
    Some(choices.edge_u32()).filter(|number| *number != u32::MAX)
}

fn receipt(choices: &mut Choices<'_>) -> Bytes {
    blob(choices, 64)
}

/// A request.
pub fn request(choices: &mut Choices<'_>) -> Request {
    Request {
        key: key(choices),
        flags: flags(choices),
        deadline_ms: choices.edge_u32(),
        receipt: receipt(choices),
        credentials: blob(choices, 500),
        referrer: choices.boolean().then(|| server_uri(choices)),
        command: command(choices),
        extensions: extensions(choices),
    }
}

/// A message that says nothing but which request it is about.
pub fn signal(choices: &mut Choices<'_>) -> Signal {
    Signal { key: key(choices), extensions: extensions(choices) }
}

/// A place in line.
pub fn queued(choices: &mut Choices<'_>) -> Queued {
    let (key, position) = (key(choices), choices.edge_u32());
    Queued { key, position, estimate_ms: optional(choices), extensions: extensions(choices) }
}

/// A piece of a result.
pub fn data(choices: &mut Choices<'_>) -> Data {
    Data { key: key(choices), bytes: blob(choices, 2000), extensions: extensions(choices) }
}

/// The end of a result.
pub fn end(choices: &mut Choices<'_>) -> End {
    let (key, status) = (key(choices), i32::from_le_bytes(choices.edge_u32().to_le_bytes()));
    End { key, status, text: text(choices), extensions: extensions(choices) }
}

/// A deferral, now and then with as many alternates as there can be.
pub fn defer(choices: &mut Choices<'_>) -> Defer {
    let kind = defer_kind(choices);
    let count = if choices.one_in(16) { 32 } else { choices.below(6) };
    Defer {
        key: key(choices),
        kind,
        server: server_id(choices),
        reason: text(choices),
        queue_length: optional(choices),
        estimate_ms: optional(choices),
        retry_after_ms: optional(choices),
        receipt: receipt(choices),
        alternates: (0..count).map(|_| alternate(choices)).collect(),
        next: (kind == DeferKind::CONTINUE).then(|| command(choices)),
        next_flags: if kind == DeferKind::CONTINUE { flags(choices) } else { RequestFlags::empty() },
        extensions: extensions(choices),
    }
}

/// A request that is refused.
pub fn refused(choices: &mut Choices<'_>) -> Refused {
    let (key, code) = (key(choices), refusal_code(choices));
    Refused { key, code, text: text(choices), extensions: extensions(choices) }
}

/// A message of tomorrow.
pub fn unknown(choices: &mut Choices<'_>) -> Message {
    let kind = MessageKind(choices.byte());
    let kind = if kind.name().is_some() { MessageKind(kind.0 ^ 0x40) } else { kind };
    Message::Unknown { kind, body: blob(choices, 300) }
}

/// Any message that the wire can carry.
pub fn message(choices: &mut Choices<'_>) -> Message {
    match choices.below(14) {
        0 => Message::Cancel(signal(choices)),
        1 => Message::Queued(queued(choices)),
        2 => Message::Executing(signal(choices)),
        3 => Message::Data(data(choices)),
        4 => Message::End(end(choices)),
        5 => Message::Cancelled(signal(choices)),
        6 => Message::Refused(refused(choices)),
        7 => unknown(choices),
        8..11 => Message::Request(Box::new(request(choices))),
        _ => Message::Defer(Box::new(defer(choices))),
    }
}
