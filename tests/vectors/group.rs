//! Messages of the group protocol as spec/vectors/group/ has them, written by hand from spec/group.md: decoded, written
//! back, and cut in every way.

use crate::native::protocol::{
    self, check_every_chunking, check_links, check_refused, check_refused_block, directions, names, refused,
};
use crate::native::{ExtensionVector, blocks, check_files, extensions, frame, read, section, unhex};
use handover::frame::{Capabilities, Frame, Native, Offer, Protocol};
use handover::group::message::Message;
use handover::group::{
    Announcement, Attributes, BatchControl, DissolveReason, ErrorCode, LeaveReason, MessageKind, Phases, ProtocolKind,
    ProviderId, Subscription, Summary, Vote,
};
use handover::testing::group::check_message;
use handover::testing::group::layout::{self, Field, Record, WISHES};
use handover::testing::group::reference::{self, Is, Part};
use handover::wire::Encode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

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
    for (kind, _) in names::<Message>() {
        assert!(kinds.contains(&(kind, true)) && kinds.contains(&(kind, false)), "{kind:#04x}, with and without");
    }
}

#[test]
fn what_is_refused_is_refused_for_that_reason() {
    check_refused::<Message>(VECTORS);
}

/// The blocks of section 9 are what they are said to be.
#[test]
fn the_text_shows_good_bytes() {
    let section = section("group.md", "9");
    let [join, phase, vote, refused] = blocks(&section)[..] else { panic!("four blocks") };
    let [Message::Join(join)] = &protocol::messages(join)[..] else { panic!("a join") };
    let Attributes { client_version, name, phases, time_limit, .. } = &join.attributes;
    assert_eq!((*client_version, name.as_bytes(), *phases, *time_limit), (3, &b"web"[..], Phases::N, 30));
    let [Message::Phase(phase)] = &protocol::messages(phase)[..] else { panic!("a phase") };
    let proposer = Some(ProviderId { node: 1, instance: 0, incarnation: 1 });
    let proposed = (phase.open.time_limit, phase.open.default_vote, phase.open.proposal.proposer);
    assert_eq!(proposed, (30, Vote::APPROVE, proposer));
    assert_eq!(phase.open.proposal.state.as_ref().map(|state| &state.as_bytes()[..]), Some(&b"green"[..]));
    let [Message::Vote(vote), Message::Rejected(ended)] = &protocol::messages(vote)[..] else {
        panic!("a vote, and an end")
    };
    assert_eq!((vote.ballot.vote, vote.ballot.default_vote), (Vote::REJECT, Some(Vote::APPROVE)));
    assert_eq!((ended.outcome.protocol, ended.outcome.digest), (vote.protocol, 0xc6d6_5cfd_4073_6f3a));
    assert!(ended.outcome.proposal == phase.open.proposal && ended.snapshot.is_none());
    check_refused_block::<Message>(refused);
}

/// Every number that has a name in the code has it in the text, and the other way round.
#[test]
fn the_text_has_the_same_numbers() {
    let rows = |number: &str| -> BTreeSet<(u64, String)> {
        let section = section("group.md", number);
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
    let listed: String = section("group.md", "2.8").split_whitespace().collect::<Vec<_>>().join(" ");
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

#[test]
fn links_are_read_and_written_as_they_came() {
    let offer = Offer::new(Protocol::GROUP, Capabilities::empty());
    let said = check_links(VECTORS, offer, |message: &Message| {
        let kind = MessageKind(message.kind());
        kind.name().map_or_else(|| format!("{:#04x}", kind.0), str::to_owned)
    });
    let missing: Vec<_> = names::<Message>().filter(|(_, name)| !said.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_chunking_gives_the_same() {
    check_every_chunking(VECTORS);
}

#[test]
fn every_file_is_read() {
    check_files(VECTORS);
    assert!(messages().len() >= 80 && refused(VECTORS).len() >= 88 && directions(VECTORS).len() >= 22);
}
