//! Messages of the group protocol as spec/vectors/group/ has them, written by hand from spec/group.md: decoded, written
//! back, and cut in every way.

#[path = "../examples/inspect/input/mod.rs"]
#[allow(dead_code, reason = "the inspector needs more of it")]
mod input;
mod native_vectors;

use bytes::BytesMut;
use handover::frame::{Capabilities, Close, Frame, FrameStream, Hello, Native, Offer, Protocol};
use handover::group::message::Message;
use handover::group::{
    Announcement, Attributes, BatchControl, DissolveReason, ErrorCode, LeaveReason, MessageKind, Phases, ProtocolKind,
    ProviderId, Subscription, Summary, Vote,
};
use handover::testing::check_chunking;
use handover::testing::group::check_message;
use handover::testing::group::layout::{self, Field, Record, WISHES};
use handover::testing::group::reference::{self, Is, Part};
use handover::wire::{Encode, Framer};
use native_vectors::{ExtensionVector, LIMITS, RefusedVector, extensions, frame, read, unhex};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/vectors/group");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageVector {
    name: String,
    kind: String,
    bytes: Vec<String>,
    message: Value,
    #[serde(default)]
    extensions: Vec<ExtensionVector>,
}

fn messages() -> Vec<MessageVector> {
    read(VECTORS, "messages.json")
}

fn refused() -> Vec<RefusedVector> {
    read(VECTORS, "refused.json")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What our decoder has read, as the vectors tell it.
struct Told<'a>(std::slice::Iter<'a, Part>);

impl Told<'_> {
    /// The next part, which must be of this field.
    fn next(&mut self, record: &str, field: &str) -> Is {
        let part = self.0.next().expect("there is more");
        assert_eq!((part.record, part.field), (record, field));
        part.is.clone()
    }

    fn record(&mut self, record: &Record) -> Value {
        let fields = record.fields.iter().map(|(name, form)| ((*name).into(), self.field(record.name, name, form)));
        Value::Object(fields.collect::<Map<String, Value>>())
    }

    fn field(&mut self, record: &str, name: &str, form: &Field) -> Value {
        match (form, self.next(record, name)) {
            (Field::Number(2), Is::Number(number)) if name == "instance" => {
                json!(i16::from_be_bytes(u16::try_from(number).unwrap().to_be_bytes()))
            }
            (Field::Number(_), Is::Number(number)) => json!(number),
            (Field::Flag, Is::Number(number)) => json!(number == 1),
            (Field::Sized(..) | Field::Text, Is::Size(size)) => match self.next(record, name) {
                Is::Bytes(bytes) => {
                    assert_eq!(bytes.len() as u64, size);
                    json!(hex(&bytes))
                }
                Is::Text(text) => json!(text),
                other => panic!("{other:?}"),
            },
            (Field::Optional(_), Is::Present(false)) => Value::Null,
            (Field::Optional(inner), Is::Present(true)) => self.field(record, name, inner),
            (Field::List(inner), Is::Count(count)) => {
                (0..count).map(|_| self.field(record, name, &Field::Record(inner))).collect()
            }
            (Field::Record(inner), Is::Begins) => self.record(inner),
            (Field::Wish, Is::Number(number)) => {
                let (_, name, form) = WISHES.iter().find(|(known, ..)| *known == number).expect("a wish");
                json!({ *name: self.field("wish", name, form) })
            }
            (_, other) => panic!("{record}.{name} is {other:?}"),
        }
    }
}

/// The kind, the fields and the extensions of a message, as the vectors tell them.
fn told(message: &Message) -> (String, Value, Vec<Part>) {
    let kind = MessageKind(message.kind());
    if let Message::Unknown { body, .. } = message {
        return (format!("{:#04x}", kind.0), json!({ "body": hex(body) }), Vec::new());
    }
    let parts = reference::parts(message).unwrap();
    let mut told = Told(parts.iter());
    let fields = told.record(layout::of(kind.0).unwrap());
    (kind.name().unwrap().into(), fields, told.0.cloned().collect())
}

#[test]
fn messages_are_read_and_written_as_the_spec_says() {
    let mut kinds = BTreeSet::new();
    for MessageVector { name, kind, bytes, message, extensions: list } in messages() {
        let bytes = unhex(&bytes.concat());
        let frame = frame(&bytes);
        let read = Message::from_frame(&frame).expect(&name);
        let (read_kind, fields, behind) = told(&read);
        assert_eq!((read_kind, &fields), (kind, &message), "{name}");
        let expected = extensions(&list);
        let expected = expected.iter().flat_map(|one| [Is::Number(one.ty.0.into()), Is::Bytes(one.value.to_vec())]);
        assert_eq!(behind.into_iter().map(|part| part.is).collect::<Vec<_>>(), Vec::from_iter(expected), "{name}");
        let flags = frame.flags;
        assert_eq!(read.to_frame(), Ok(Frame { flags: read.flags(), ..frame.clone() }), "{name}");
        assert_eq!(Frame { flags, ..read.to_frame().unwrap() }.to_vec(), Ok(bytes), "{name}");
        check_message(&frame);
        kinds.insert((read.kind(), list.is_empty()));
    }
    for kind in (0..=u8::MAX).filter(|kind| MessageKind(*kind).name().is_some()) {
        assert!(kinds.contains(&(kind, true)) && kinds.contains(&(kind, false)), "{kind:#04x}, with and without");
    }
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

const TEXT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/group.md");

/// A section of the text, by its number.
fn section(number: &str) -> String {
    let text = fs::read_to_string(TEXT).unwrap();
    let begins = |part: &&str| part.trim_start_matches('#').trim_start().starts_with(&format!("{number} "));
    text.split("\n##").find(begins).unwrap_or_else(|| panic!("section {number}")).to_owned()
}

/// The blocks of section 9 are what they are said to be.
#[test]
fn the_text_shows_good_bytes() {
    let section = section("9");
    let is_hex = |word: &&str| word.len().is_multiple_of(2) && word.bytes().all(|digit| digit.is_ascii_hexdigit());
    let shown = |line: &str| -> String { line.split_whitespace().take_while(is_hex).collect() };
    let frames = |block: &str| {
        let mut framer = Framer::new(FrameStream::new(&LIMITS));
        framer.push(&unhex(&block.lines().map(shown).collect::<String>()));
        let frames: Vec<Frame> = std::iter::from_fn(|| framer.next_item().expect("well-formed")).collect();
        assert_eq!(framer.buffered(), 0, "{block}");
        frames
    };
    let read = |block: &str| -> Vec<Message> {
        frames(block).iter().map(|frame| Message::from_frame(frame).expect("well-formed")).collect()
    };
    let blocks: Vec<&str> = section.split("```").skip(1).step_by(2).collect();
    let [join, phase, vote, refused] = &blocks[..] else { panic!("four blocks") };
    let [Message::Join(join)] = &read(join)[..] else { panic!("a join") };
    let Attributes { client_version, name, phases, time_limit, .. } = &join.attributes;
    assert_eq!((*client_version, name.as_bytes(), *phases, *time_limit), (3, &b"web"[..], Phases::N, 30));
    let [Message::Phase(phase)] = &read(phase)[..] else { panic!("a phase") };
    let proposer = Some(ProviderId { node: 1, instance: 0, incarnation: 1 });
    let proposed = (phase.open.time_limit, phase.open.default_vote, phase.open.proposal.proposer);
    assert_eq!(proposed, (30, Vote::APPROVE, proposer));
    assert_eq!(phase.open.proposal.state.as_ref().map(|state| &state.as_bytes()[..]), Some(&b"green"[..]));
    let [Message::Vote(vote), Message::Rejected(ended)] = &read(vote)[..] else { panic!("a vote, and an end") };
    assert_eq!((vote.ballot.vote, vote.ballot.default_vote), (Vote::REJECT, Some(Vote::APPROVE)));
    assert_eq!((ended.outcome.protocol, ended.outcome.digest), (vote.protocol, 0xc6d6_5cfd_4073_6f3a));
    assert!(ended.outcome.proposal == phase.open.proposal && ended.snapshot.is_none());
    let errors: Vec<_> = frames(refused).iter().map(|frame| Message::from_frame(frame).unwrap_err().field).collect();
    let said: Vec<&str> = refused.split_whitespace().filter_map(|word| word.strip_suffix(':')).collect();
    assert_eq!(errors, said);
}

/// Every number that has a name in the code has it in the text, and the other way round.
#[test]
fn the_text_has_the_same_numbers() {
    let rows = |number: &str| -> BTreeSet<(u64, String)> {
        let section = section(number);
        let cells = section.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ").map(str::trim);
            let (number, name) = (cells.next()?, cells.next()?);
            let number = match number.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            // A row of a layout has a size here.
            let is_name = name.starts_with(|c: char| c.is_ascii_uppercase());
            is_name.then(|| (number, name.to_owned()))
        });
        cells.collect()
    };
    let named = |name: &dyn Fn(u16) -> Option<&'static str>| -> BTreeSet<(u64, String)> {
        (0..=u16::MAX).filter_map(|number| Some((number.into(), name(number)?.into()))).collect()
    };
    let byte = |number: u16| u8::try_from(number).ok();
    assert_eq!(rows("2.1"), named(&|number| MessageKind(byte(number)?).name()));
    let wishes = ["LEAVE", "EXPEL", "STATE", "MESSAGE", "ATTRIBUTES"];
    let wishes = (1..).zip(wishes.map(str::to_owned));
    let kinds = named(&|number| ProtocolKind(byte(number)?).name());
    assert_eq!(rows("2.7"), kinds.into_iter().chain(wishes).collect());
    assert_eq!(rows("2.10"), named(&|number| ErrorCode(number).name()));
    let flags = |all: &mut dyn Iterator<Item = (&'static str, u64)>| -> BTreeSet<(u64, String)> {
        all.map(|(name, bits)| (bits, name.to_owned())).collect()
    };
    let mut expected = named(&|number| LeaveReason(byte(number)?).name());
    expected.extend(flags(&mut Summary::all().iter_names().map(|(name, flag)| (name, flag.bits().into()))));
    expected.extend(flags(&mut Announcement::all().iter_names().map(|(name, flag)| (name, flag.bits().into()))));
    assert_eq!(rows("2.8"), expected);
    let all = &mut Subscription::all().iter_names().map(|(name, flag)| (name, flag.bits().into()));
    assert_eq!(rows("2.9"), flags(all));
    let all = &mut BatchControl::all().iter_names().map(|(name, flag)| (name, flag.bits().into()));
    assert_eq!(rows("2.11"), flags(all));
    // These have no table.
    let listed: String = section("2.8").split_whitespace().collect::<Vec<_>>().join(" ");
    for number in 1..=5 {
        let [phases, vote, dissolved] = [Phases(number).name(), Vote(number).name(), DissolveReason(number).name()]
            .map(|name| name.map(|name| format!("{number} {name},")));
        for name in [phases, dissolved].into_iter().flatten() {
            assert!(listed.contains(&name), "{name}");
        }
        let vote = vote.map(|name| name.replace(',', ""));
        assert!(vote.iter().all(|name| listed.contains(name.as_str())), "{vote:?}");
    }
}

#[derive(Clone, Deserialize)]
struct Line {
    conn: String,
    dir: String,
    says: Vec<String>,
}

/// What the file says of each direction, and its bytes.
fn directions() -> Vec<(Line, Vec<u8>)> {
    let path = Path::new(VECTORS).join("links.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<Line> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let streams = input::read(&path, &[]).unwrap().conversations;
    assert_eq!(2 * streams.len(), lines.len());
    let bytes = |line: &Line| {
        let stream = streams.iter().find(|stream| stream.conn == line.conn).unwrap();
        let direction = if line.dir == "c2s" { &stream.client } else { &stream.server };
        direction.bytes.clone()
    };
    lines.iter().map(|line| (line.clone(), bytes(line))).collect()
}

/// What a frame is called, and its bytes written anew.
fn reread(frame: &Frame) -> (String, Vec<u8>) {
    if frame.protocol == Protocol::LINK {
        return match frame.kind {
            Hello::KIND => {
                let hello = Hello::from_frame(frame).unwrap();
                assert_eq!(hello.offers, [Offer::new(Protocol::GROUP, Capabilities::empty())]);
                ("HELLO".into(), hello.framed().to_vec().unwrap())
            }
            _ => ("CLOSE".into(), Close::from_frame(frame).unwrap().framed().to_vec().unwrap()),
        };
    }
    let message = Message::from_frame(frame).unwrap();
    let kind = MessageKind(message.kind());
    let name = kind.name().map_or_else(|| format!("{:#04x}", kind.0), str::to_owned);
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
    let every = (0..=u8::MAX).filter_map(|kind| MessageKind(kind).name());
    let missing: Vec<_> = every.filter(|name| !said.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
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
    assert!(messages().len() >= 80 && refused().len() >= 88 && directions().len() >= 22);
}
