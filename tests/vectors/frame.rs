//! The native frame as spec/vectors/frame/ has it, written by hand from spec/frame.md: decoded, written back, cut in
//! every way, and said by links.

use crate::input::Conversation;
use crate::native::{
    ExtensionVector, LIMITS, RefusedVector, blocks, check_files, extensions, frame, read, section, shown, unhex,
};
use bytes::BytesMut;
use handover::frame::link::{Config, Ending, Event, Input, Link, Output};
use handover::frame::{
    Capabilities, Close, CloseReason, Frame, FrameFlags, FrameStream, Hello, Identity, Native, Offer, Protocol, Text,
    VersionRange,
};
use handover::machine::Machine;
use handover::testing::check_chunking;
use handover::time::Instant;
use handover::wire::{Encode, Framer};
use serde::Deserialize;
use std::collections::BTreeMap;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/vectors/frame");

#[derive(Deserialize)]
struct OfferVector {
    protocol: u8,
    min: u16,
    max: u16,
    capabilities: String,
}

#[derive(Deserialize)]
struct HelloVector {
    max_body: u32,
    boot: u32,
    identity: String,
    agent: String,
    offers: Vec<OfferVector>,
    extensions: Vec<ExtensionVector>,
}

#[derive(Deserialize)]
struct CloseVector {
    reason: u16,
    text: String,
    extensions: Vec<ExtensionVector>,
}

#[derive(Deserialize)]
struct FrameVector {
    protocol: u8,
    kind: u8,
    flags: u8,
    body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageVector {
    name: String,
    bytes: Vec<String>,
    hello: Option<HelloVector>,
    close: Option<CloseVector>,
    frame: Option<FrameVector>,
}

fn messages() -> Vec<MessageVector> {
    read(VECTORS, "messages.json")
}

fn refused() -> Vec<RefusedVector> {
    read(VECTORS, "refused.json")
}

/// The message is read as `value`, and `value` is written as it came.
fn same<M: Native + PartialEq + std::fmt::Debug>(name: &str, bytes: &[u8], value: &M) {
    assert_eq!(M::from_frame(&frame(bytes)).as_ref(), Ok(value), "{name}");
    assert_eq!(value.framed().to_vec().as_deref(), Ok(bytes), "{name}");
    assert_eq!(value.to_frame(), Ok(frame(bytes)), "{name}");
}

#[test]
fn messages_are_read_and_written_as_the_spec_says() {
    for MessageVector { name, bytes, hello, close, frame: other } in messages() {
        let bytes = unhex(&bytes.concat());
        let mut said = 0;
        if let Some(hello) = hello {
            let offers = hello.offers.iter().map(|offer| Offer {
                protocol: Protocol(offer.protocol),
                versions: VersionRange { min: offer.min, max: offer.max },
                capabilities: Capabilities::from_bits_retain(u64::from_str_radix(&offer.capabilities, 16).unwrap()),
            });
            let hello = Hello {
                max_body: hello.max_body,
                boot: hello.boot,
                identity: Identity::new(unhex(&hello.identity)).unwrap(),
                agent: Text::new(hello.agent).unwrap(),
                offers: offers.collect(),
                extensions: extensions(&hello.extensions),
            };
            same(&name, &bytes, &hello);
            said += 1;
        }
        if let Some(CloseVector { reason, text, extensions: list }) = close {
            let (reason, text) = (CloseReason(reason), Text::new(text).unwrap());
            same(&name, &bytes, &Close { reason, text, extensions: extensions(&list) });
            said += 1;
        }
        if let Some(FrameVector { protocol, kind, flags, body }) = other {
            let flags = FrameFlags::from_bits_retain(flags);
            let expected = Frame { protocol: Protocol(protocol), kind, flags, body: unhex(&body).into() };
            assert_eq!(frame(&bytes), expected, "{name}");
            assert_eq!(expected.to_vec(), Ok(bytes), "{name}");
            said += 1;
        }
        assert_eq!(said, 1, "{name} says what it is, once");
    }
}

#[test]
fn what_is_refused_is_refused_for_that_reason() {
    for RefusedVector { name, bytes, field, kind } in refused() {
        let bytes = unhex(&bytes.concat());
        let mut framer = Framer::new(FrameStream::new(&LIMITS));
        framer.push(&bytes);
        let error = match framer.next_item() {
            Err(error) => error,
            Ok(None) => panic!("{name} is not whole"),
            Ok(Some(frame)) if frame.kind == Hello::KIND => Hello::from_frame(&frame).expect_err(&name),
            Ok(Some(frame)) => Close::from_frame(&frame).expect_err(&name),
        };
        assert_eq!((error.field, error.kind.name()), (&*field, &*kind), "{name}: {error}");
    }
}

#[test]
fn every_chunking_gives_the_same() {
    let all: Vec<u8> = messages().iter().flat_map(|message| unhex(&message.bytes.concat())).collect();
    for RefusedVector { bytes, .. } in refused() {
        let bytes = [&unhex(&messages()[0].bytes.concat())[..], &unhex(&bytes.concat())].concat();
        for cut in 0..bytes.len() {
            check_chunking(|| FrameStream::new(&LIMITS), &bytes, &[cut, cut + 1]);
        }
    }
    for cut in 0..all.len() {
        check_chunking(|| FrameStream::new(&LIMITS), &all, &[cut, cut + 1, cut + 9]);
    }
}

/// The blocks of section 9 are these vectors.
#[test]
fn the_text_shows_the_same_bytes() {
    let section = section("frame.md", "9");
    let blocks: Vec<String> = blocks(&section).into_iter().map(shown).collect();
    let (messages, refused) = (messages(), refused());
    let bytes = |name: &str| {
        let message = messages.iter().map(|message| (&message.name, &message.bytes));
        let mut all = message.chain(refused.iter().map(|refused| (&refused.name, &refused.bytes)));
        all.find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name}")).1.concat().replace(' ', "")
    };
    let joined = |names: &[&str]| names.iter().map(|name| bytes(name)).collect::<String>();
    let expected = [
        joined(&["the least useful hello"]),
        joined(&["a hello with everything"]),
        joined(&["going away", "a reason of tomorrow", "a frame of anybody's protocol, with a flag that is not known"]),
        joined(&[
            "a body of one byte more than is taken",
            "a message of the link of one byte more",
            "version 2, whatever the length",
            "boot is missing",
            "an extension without its size",
            "a critical extension that is not known",
            "a control character",
        ]),
    ];
    assert_eq!(blocks, expected);
}

#[derive(Clone, Deserialize)]
struct Line {
    conn: String,
    dir: String,
    by: String,
    settled: Option<Vec<(u8, u16, String)>>,
    handed_on: Option<Vec<String>>,
    ended: Option<(String, u16)>,
}

/// Each link: what the file says of both directions, and their bytes.
fn links() -> BTreeMap<String, [(Line, Vec<u8>); 2]> {
    let (lines, streams) = crate::native::links::<Line>(VECTORS);
    let link = |stream: Conversation| {
        let line = |dir: &str| lines.iter().find(|line| line.conn == stream.conn && line.dir == dir).unwrap().clone();
        (stream.conn.clone(), [(line("a2b"), stream.client.bytes), (line("b2a"), stream.server.bytes)])
    };
    streams.into_iter().map(link).collect()
}

/// An end that says what is in `own`, as far as its machine does not say it by itself, while it reads `theirs`.
struct End {
    link: Link,
    sent: BytesMut,
    settled: Vec<(u8, u16, String)>,
    handed_on: Vec<String>,
    ended: Vec<(String, u16)>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl End {
    fn input(&mut self, input: Input) {
        // What it says of the other end is in the outputs too.
        let _ = self.link.handle(Instant::ZERO, input);
        while let Some(output) = self.link.poll_output() {
            match output {
                Output::Send(frame) => frame.encode_to(&mut self.sent).unwrap(),
                Output::Event(Event::Ready(settled)) => {
                    let shown = settled.spoken.iter().map(|spoken| {
                        (spoken.protocol.0, spoken.version, format!("{:016x}", spoken.capabilities.bits()))
                    });
                    self.settled.extend(shown);
                }
                Output::Event(Event::Frame(frame)) => {
                    let head = [frame.protocol.0, frame.kind, frame.flags.bits()];
                    self.handed_on.push(hex(&head) + &hex(&frame.body));
                }
                Output::Event(Event::Closed(Ending::Peer(close))) => self.ended.push(("peer".into(), close.reason.0)),
                Output::Event(Event::Closed(Ending::Local(reason))) => self.ended.push(("local".into(), reason.0)),
                Output::Close => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn run(own: &[u8], theirs: &[u8], step: usize) -> Self {
        let mut script = Framer::new(FrameStream::new(&LIMITS));
        script.push(own);
        let hello = Hello::from_frame(&script.next_item().unwrap().unwrap()).unwrap();
        let link = Link::new(Config::new(hello), Instant::ZERO);
        let mut end = Self { link, sent: BytesMut::new(), settled: vec![], handed_on: vec![], ended: vec![] };
        end.input(Input::Opened);
        let mut stream = Framer::new(FrameStream::new(&LIMITS));
        for piece in theirs.chunks(step) {
            stream.push(piece);
            loop {
                match stream.next_item() {
                    Ok(Some(frame)) => {
                        let greeted = end.settled.len();
                        end.input(Input::Frame(frame));
                        if end.settled.len() > greeted {
                            end.say(&mut script);
                        }
                    }
                    Ok(None) => break,
                    Err(error) => {
                        end.input(Input::Malformed(error));
                        break;
                    }
                }
            }
        }
        end
    }

    /// Its frames, once it is ready. It closes behind what the other end has to say.
    fn say(&mut self, script: &mut Framer<FrameStream>) {
        while let Some(frame) = script.next_item().unwrap() {
            if frame.protocol != Protocol::LINK {
                self.input(Input::Send(frame));
            }
        }
    }
}

#[test]
fn links_say_what_the_vectors_say() {
    let mut machines = 0;
    for (name, [a, b]) in links() {
        for (own, theirs) in [(&a, &b), (&b, &a)] {
            let (line, bytes) = own;
            if line.by != "link" {
                continue;
            }
            machines += 1;
            for step in [usize::MAX, 1, 7] {
                let mut end = End::run(bytes, &theirs.1, step);
                if line.ended == Some(("local".into(), 0)) {
                    end.input(Input::Close(Close::new(CloseReason::DONE)));
                }
                assert_eq!(hex(&end.sent), hex(bytes), "{name}, {}", line.dir);
                assert_eq!(Some(end.settled), line.settled, "{name}, {}", line.dir);
                assert_eq!(Some(end.handed_on), line.handed_on, "{name}, {}", line.dir);
                assert_eq!(end.ended, Vec::from_iter(line.ended.clone()), "{name}");
            }
        }
    }
    assert_eq!(machines, 12);
}

#[test]
fn every_file_is_read() {
    check_files(VECTORS);
    assert!(messages().len() >= 12 && refused().len() >= 35 && links().len() >= 10);
}
