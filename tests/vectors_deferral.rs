//! Messages of the deferral protocol as spec/vectors/deferral/ has them, written by hand from spec/deferral.md: decoded,
//! written back, and cut in every way.

#[path = "../examples/inspect/input/mod.rs"]
#[allow(dead_code, reason = "the inspector needs more of it")]
mod input;
mod native_vectors;

use bytes::{Bytes, BytesMut};
use handover::deferral::message::{
    Alternate, Command, CommandName, Data, Defer, End, Message, Queued, Refused, Request, RequestKey, Signal,
};
use handover::deferral::{
    DeferKind, MessageKind, RefusalCode, RequestFlags, RequestId, ServerAbilities, ServerId, capability,
};
use handover::frame::{Close, Frame, FrameStream, Hello, Native, Protocol, Text};
use handover::testing::check_chunking;
use handover::testing::deferral::check_message;
use handover::wire::{Encode, Framer};
use native_vectors::{ExtensionVector, LIMITS, RefusedVector, frame, read, unhex};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

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

fn refused() -> Vec<RefusedVector> {
    read(VECTORS, "refused.json")
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
    let extensions = native_vectors::extensions(&fields.extensions);
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
    assert!((0..=u8::MAX).filter(|kind| MessageKind(*kind).name().is_some()).all(|kind| kinds.contains(&kind)));
}

#[test]
fn what_is_refused_is_refused_for_that_reason() {
    for RefusedVector { name, bytes, field, kind } in refused() {
        let frame = frame(&unhex(&bytes.concat()));
        let error = Message::from_frame(&frame).expect_err(&name);
        assert_eq!((error.field, error.kind.name()), (&*field, &*kind), "{name}: {error}");
        check_message(&frame);
    }
}

/// The blocks of section 9 are what they are said to be.
#[test]
fn the_text_shows_good_bytes() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/spec/deferral.md")).unwrap();
    let section = text.split("\n## ").find(|section| section.starts_with("9 Vectors")).expect("section 9");
    let is_hex = |word: &&str| word.len().is_multiple_of(2) && word.bytes().all(|digit| digit.is_ascii_hexdigit());
    let shown = |line: &str| -> String { line.split_whitespace().take_while(is_hex).collect() };
    let said = |block: &str| {
        let words = block.split_whitespace().filter_map(|word| word.strip_suffix(':'));
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let frames = |block: &str| {
        let mut framer = Framer::new(FrameStream::new(&LIMITS));
        framer.push(&unhex(&block.lines().map(shown).collect::<String>()));
        let frames: Vec<Frame> = std::iter::from_fn(|| framer.next_item().expect("well-formed")).collect();
        assert_eq!(framer.buffered(), 0, "{block}");
        frames
    };
    let blocks: Vec<&str> = section.split("```").skip(1).step_by(2).collect();
    let [request, busy, line, refused] = &blocks[..] else { panic!("four blocks") };
    let read = |block: &str| -> Vec<Message> {
        let frames = frames(block);
        frames.iter().map(|frame| Message::from_frame(frame).expect("well-formed")).collect()
    };
    let [Message::Request(request)] = &read(request)[..] else { panic!("a request") };
    assert_eq!(
        (request.key.epoch, request.flags, request.command.name.as_str()),
        (1, RequestFlags::READ_ONLY, "ws_sync")
    );
    assert_eq!(request.command.arguments, [&b"ws"[..]]);
    assert_eq!(request.referrer.as_ref().map(|uri| uri.as_str()), Some("handover://db1.example.org:7440"));
    let [Message::Defer(busy)] = &read(busy)[..] else { panic!("a deferral") };
    assert_eq!((busy.kind, busy.queue_length, busy.alternates.len()), (DeferKind::BUSY, None, 1));
    let line = read(line);
    let [Message::Queued(queued), Message::Executing(_), Message::End(end)] = &line[..] else { panic!("{line:?}") };
    assert_eq!((queued.position, queued.estimate_ms, end.status, end.text.as_str()), (2, Some(9000), 0, "done"));
    let errors = frames(refused).iter().map(|frame| Message::from_frame(frame).unwrap_err().field).collect::<Vec<_>>();
    assert_eq!(errors, said(refused));
}

#[derive(Clone, Deserialize)]
struct Line {
    conn: String,
    dir: String,
    says: Vec<String>,
}

/// Each direction: what the file says of it, and its bytes.
fn directions() -> Vec<(Line, Vec<u8>)> {
    let path = Path::new(VECTORS).join("links.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<Line> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let streams = input::read(&path, &[]).unwrap().conversations;
    assert_eq!(2 * streams.len(), lines.len());
    let bytes = |line: &Line| {
        let stream = streams.iter().find(|stream| stream.conn == line.conn).unwrap();
        if line.dir == "c2s" { stream.client.bytes.clone() } else { stream.server.bytes.clone() }
    };
    lines.iter().map(|line| (line.clone(), bytes(line))).collect()
}

/// What a frame is called, and its bytes written anew.
fn reread(frame: &Frame) -> (String, Vec<u8>) {
    if frame.protocol == Protocol::LINK {
        return match frame.kind {
            Hello::KIND => {
                let hello = Hello::from_frame(frame).unwrap();
                let offer = hello.offers[0];
                assert_eq!((offer.protocol, offer.capabilities), (Protocol::DEFERRAL, capability::REPLAYS));
                ("HELLO".into(), hello.framed().to_vec().unwrap())
            }
            _ => ("CLOSE".into(), Close::from_frame(frame).unwrap().framed().to_vec().unwrap()),
        };
    }
    let message = Message::from_frame(frame).unwrap();
    let name = match &message {
        Message::Defer(defer) => format!("DEFER {}", defer.kind),
        Message::Unknown { kind, .. } => format!("{:#04x}", kind.0),
        other => other.name().into(),
    };
    (name, message.framed().to_vec().unwrap())
}

#[test]
fn links_are_read_and_written_as_they_came() {
    let mut said = BTreeSet::new();
    for (line, bytes) in directions() {
        let mut framer = Framer::new(FrameStream::new(&LIMITS));
        let (mut says, mut back) = (Vec::new(), BytesMut::new());
        for piece in bytes.chunks(7) {
            framer.push(piece);
            while let Some(frame) = framer.next_item().unwrap() {
                let (name, bytes) = reread(&frame);
                says.push(name);
                back.extend_from_slice(&bytes);
            }
        }
        assert_eq!((framer.buffered(), &says), (0, &line.says), "{}, {}", line.conn, line.dir);
        assert_eq!(back, bytes, "{}, {}", line.conn, line.dir);
        said.extend(says);
    }
    for kind in ["DEFER BUSY", "DEFER NO_SERVICE", "DEFER CONTINUE", "DEFER PREFER_OTHER", "CANCELLED", "REFUSED"] {
        assert!(said.contains(kind), "{kind}");
    }
}

#[test]
fn every_chunking_gives_the_same() {
    for (_, bytes) in directions() {
        for cut in 0..bytes.len() {
            check_chunking(|| FrameStream::new(&LIMITS), &bytes, &[cut, cut + 1, cut + 9]);
        }
    }
}

#[test]
fn every_file_is_read() {
    let names = fs::read_dir(VECTORS).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "README.md").collect();
    names.sort();
    assert_eq!(names, ["links.jsonl", "messages.json", "refused.json"]);
    assert!(messages().len() >= 31 && refused().len() >= 55 && directions().len() >= 30);
}
