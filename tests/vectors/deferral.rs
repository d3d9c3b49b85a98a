//! Messages of the deferral protocol as spec/vectors/deferral/ has them, written by hand from spec/deferral.md: decoded,
//! written back, and cut in every way.

use crate::native::protocol::{
    self, check_every_chunking, check_links, check_refused, check_refused_block, directions, names, refused,
};
use crate::native::{ExtensionVector, blocks, check_files, frame, read, section, unhex};
use bytes::Bytes;
use handover::deferral::message::{
    Alternate, Command, CommandName, Data, Defer, End, Message, Queued, Refused, Request, RequestKey, Signal,
};
use handover::deferral::{
    DeferKind, MessageKind, RefusalCode, RequestFlags, RequestId, ServerAbilities, ServerId, capability,
};
use handover::frame::{Native, Offer, Protocol, Text};
use handover::testing::deferral::check_message;
use handover::wire::Encode;
use serde::Deserialize;
use std::collections::BTreeSet;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/vectors/deferral");

#[derive(Deserialize)]
struct CommandVector {
    name: String,
    arguments: Vec<String>,
}

#[derive(Deserialize)]
struct AlternateVector {
    abilities: u8,
    server: String,
    uri: String,
}

/// Every field of every message; those that a message has not are not there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    kind: String,
    id: Option<String>,
    epoch: Option<u16>,
    flags: Option<u16>,
    deadline_ms: Option<u32>,
    receipt: Option<String>,
    credentials: Option<String>,
    referrer: Option<String>,
    next_flags: Option<u16>,
    command: Option<CommandVector>,
    position: Option<u32>,
    estimate_ms: Option<u32>,
    data: Option<String>,
    status: Option<i32>,
    text: Option<String>,
    defer: Option<String>,
    server: Option<String>,
    reason: Option<String>,
    queue_length: Option<u32>,
    retry_after_ms: Option<u32>,
    alternates: Option<Vec<AlternateVector>>,
    code: Option<u16>,
    body: Option<String>,
    #[serde(default)]
    extensions: Vec<ExtensionVector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageVector {
    name: String,
    bytes: Vec<String>,
    message: Fields,
}

fn sixteen(text: &str) -> [u8; 16] {
    unhex(text).try_into().expect("16 bytes")
}

fn messages() -> Vec<MessageVector> {
    read(VECTORS, "messages.json")
}

fn blob(text: Option<String>) -> Bytes {
    unhex(&text.expect("bytes")).into()
}

fn text(text: Option<String>) -> Text {
    Text::new(text.expect("a text")).expect("a text")
}

fn command(command: CommandVector) -> Command {
    let arguments = command.arguments.iter().map(|argument| unhex(argument).into()).collect();
    Command { name: CommandName::new(command.name).expect("a name"), arguments }
}

fn defer_kind(name: &str) -> DeferKind {
    (0..=u8::MAX).map(DeferKind).find(|kind| kind.name() == Some(name)).expect("a kind of deferral")
}

/// The message that the fields make.
fn value(fields: Fields) -> Message {
    if let Some(number) = fields.kind.strip_prefix("0x") {
        let kind = MessageKind(u8::from_str_radix(number, 16).unwrap());
        return Message::Unknown { kind, body: blob(fields.body) };
    }
    let key = RequestKey { id: RequestId(sixteen(&fields.id.unwrap())), epoch: fields.epoch.unwrap() };
    let extensions = crate::native::extensions(&fields.extensions);
    let signal = Signal { key, extensions: extensions.clone() };
    match &*fields.kind {
        "REQUEST" => Message::Request(Box::new(Request {
            key,
            flags: RequestFlags::from_bits_retain(fields.flags.unwrap()),
            deadline_ms: fields.deadline_ms.unwrap(),
            receipt: blob(fields.receipt),
            credentials: blob(fields.credentials),
            referrer: fields.referrer.filter(|uri| !uri.is_empty()).map(|uri| uri.parse().unwrap()),
            command: command(fields.command.unwrap()),
            extensions,
        })),
        "CANCEL" => Message::Cancel(signal),
        "EXECUTING" => Message::Executing(signal),
        "CANCELLED" => Message::Cancelled(signal),
        "QUEUED" => {
            let (position, estimate_ms) = (fields.position.unwrap(), fields.estimate_ms);
            Message::Queued(Queued { key, position, estimate_ms, extensions })
        }
        "DATA" => Message::Data(Data { key, bytes: blob(fields.data), extensions }),
        "END" => Message::End(End { key, status: fields.status.unwrap(), text: text(fields.text), extensions }),
        "REFUSED" => {
            let (code, text) = (RefusalCode(fields.code.unwrap()), text(fields.text));
            Message::Refused(Refused { key, code, text, extensions })
        }
        "DEFER" => {
            let alternates = fields.alternates.unwrap().into_iter().map(|alternate| Alternate {
                uri: alternate.uri.parse().unwrap(),
                abilities: ServerAbilities::from_bits_retain(alternate.abilities),
                server: ServerId(sixteen(&alternate.server)),
            });
            Message::Defer(Box::new(Defer {
                key,
                kind: defer_kind(&fields.defer.unwrap()),
                server: ServerId(sixteen(&fields.server.unwrap())),
                reason: text(fields.reason),
                queue_length: fields.queue_length,
                estimate_ms: fields.estimate_ms,
                retry_after_ms: fields.retry_after_ms,
                receipt: blob(fields.receipt),
                alternates: alternates.collect(),
                next: fields.command.map(command),
                next_flags: RequestFlags::from_bits_retain(fields.next_flags.unwrap_or_default()),
                extensions,
            }))
        }
        other => panic!("{other}"),
    }
}

#[test]
fn messages_are_read_and_written_as_the_spec_says() {
    let mut kinds = BTreeSet::new();
    for MessageVector { name, bytes, message } in messages() {
        let (bytes, value) = (unhex(&bytes.concat()), value(message));
        let frame = frame(&bytes);
        assert_eq!(Message::from_frame(&frame).as_ref(), Ok(&value), "{name}");
        assert_eq!(value.framed().to_vec(), Ok(bytes), "{name}");
        assert_eq!(value.to_frame().as_ref(), Ok(&frame), "{name}");
        check_message(&frame);
        kinds.insert(value.kind());
    }
    assert!(names::<Message>().all(|(kind, _)| kinds.contains(&kind)));
}

#[test]
fn what_is_refused_is_refused_for_that_reason() {
    check_refused::<Message>(VECTORS);
}

/// The blocks of section 9 are what they are said to be.
#[test]
fn the_text_shows_good_bytes() {
    let section = section("deferral.md", "9");
    let [request, busy, line, refused] = blocks(&section)[..] else { panic!("four blocks") };
    let [Message::Request(request)] = &protocol::messages(request)[..] else { panic!("a request") };
    assert_eq!(
        (request.key.epoch, request.flags, request.command.name.as_str()),
        (1, RequestFlags::READ_ONLY, "ws_sync")
    );
    assert_eq!(request.command.arguments, [&b"ws"[..]]);
    assert_eq!(request.referrer.as_ref().map(|uri| uri.as_str()), Some("handover://db1.example.org:7440"));
    let [Message::Defer(busy)] = &protocol::messages(busy)[..] else { panic!("a deferral") };
    assert_eq!((busy.kind, busy.queue_length, busy.alternates.len()), (DeferKind::BUSY, None, 1));
    let line = protocol::messages(line);
    let [Message::Queued(queued), Message::Executing(_), Message::End(end)] = &line[..] else { panic!("{line:?}") };
    assert_eq!((queued.position, queued.estimate_ms, end.status, end.text.as_str()), (2, Some(9000), 0, "done"));
    check_refused_block::<Message>(refused);
}

#[test]
fn links_are_read_and_written_as_they_came() {
    let offer = Offer::new(Protocol::DEFERRAL, capability::REPLAYS);
    let said = check_links(VECTORS, offer, |message| match message {
        Message::Defer(defer) => format!("DEFER {}", defer.kind),
        Message::Unknown { kind, .. } => format!("{:#04x}", kind.0),
        other => other.name().into(),
    });
    for kind in ["DEFER BUSY", "DEFER NO_SERVICE", "DEFER CONTINUE", "DEFER PREFER_OTHER", "CANCELLED", "REFUSED"] {
        assert!(said.contains(kind), "{kind}");
    }
}

#[test]
fn every_chunking_gives_the_same() {
    check_every_chunking(VECTORS);
}

#[test]
fn every_file_is_read() {
    check_files(VECTORS);
    assert!(messages().len() >= 31 && refused(VECTORS).len() >= 55 && directions(VECTORS).len() >= 30);
}
