//! Messages of the deferral protocol on any value that the API can build, and on any bytes (spec/deferral.md 8: D13).

use bytes::{Bytes, BytesMut};
use handover::deferral::message::{Alternate, Command, CommandName, Data, Defer, Message, Queued, Request, RequestKey};
use handover::deferral::{DeferKind, MessageKind, RequestFlags, RequestId, ServerId, ServerUri, UriError};
use handover::error::EncodeError;
use handover::frame::{Extensions, Frame, FrameFlags, FrameStream, Native, Protocol, Text};
use handover::limits::FrameLimits;
use handover::testing::deferral::reference::{self, Reader};
use handover::testing::deferral::{self as values, check_message, check_uri, run_messages, run_roundtrip, strategies};
use handover::testing::frame::strategies::critical_extensions;
use handover::testing::{Choices, Rng, check_chunking};
use handover::wire::{Encode, Framer};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const LIMITS: FrameLimits = FrameLimits::DEFAULT;
const KEY: RequestKey = RequestKey { id: RequestId([7; 16]), epoch: 2 };

fn frame(kind: u8, flags: u8, body: impl Into<Bytes>) -> Frame {
    Frame { protocol: Protocol::DEFERRAL, kind, flags: FrameFlags::from_bits_retain(flags), body: body.into() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn d13_any_message(decisions in prop::collection::vec(any::<u8>(), 0..600)) {
        run_roundtrip(&decisions);
    }

    #[test]
    fn d13_messages_in_a_row_however_they_are_cut(messages in strategies::messages(), cuts in any::<[usize; 4]>()) {
        let bytes: Vec<u8> = messages.iter().flat_map(|message| message.framed().to_vec().unwrap()).collect();
        check_chunking(|| FrameStream::new(&LIMITS), &bytes, &cuts);
        let mut framer = Framer::new(FrameStream::new(&LIMITS));
        let mut again = Vec::new();
        for piece in bytes.chunks(1 + cuts[0] % 100) {
            framer.push(piece);
            while let Some(frame) = framer.next_item().unwrap() {
                again.push(Message::from_frame(&frame).unwrap());
            }
        }
        prop_assert_eq!(again, messages);
    }

    #[test]
    fn d13_messages_that_are_cut_anywhere(message in strategies::message()) {
        let whole = message.to_frame().unwrap();
        // A longer one is cut in some places by the oracle.
        for end in 0..whole.body.len().min(700) {
            check_message(&frame(whole.kind, 0, whole.body.slice(..end)));
        }
    }

    #[test]
    fn d13_odd_messages((kind, body) in strategies::odd_message(), flags in any::<u8>()) {
        check_message(&frame(kind, flags, body));
    }

    #[test]
    fn d13_any_bytes(kind in prop::sample::select(vec![1_u8, 2, 0x81, 0x83, 0x84, 0x85, 0x87]), body in any::<Vec<u8>>()) {
        check_message(&frame(kind, 0, body));
    }

    /// A flag that is not known changes nothing; the flags are the frame's own.
    #[test]
    fn flags_of_the_frame_mean_nothing(message in strategies::message(), flags in any::<u8>()) {
        let plain = message.to_frame().unwrap();
        let flags = FrameFlags::from_bits_retain(flags);
        let is_unknown = matches!(message, Message::Unknown { .. });
        let again = Message::from_frame(&Frame { flags, ..plain });
        prop_assert_eq!(again.is_err(), is_unknown && flags.contains(FrameFlags::CRITICAL));
        again.iter().for_each(|again| assert_eq!(again, &message));
    }

    #[test]
    fn extensions_that_must_be_understood(request in strategies::request(), extensions in critical_extensions()) {
        let critical = extensions.iter().any(|extension| extension.ty.0 >= 0x8000);
        let message = Message::Request(Box::new(Request { extensions, ..request }));
        let frame = message.to_frame().unwrap();
        prop_assert_eq!(Message::from_frame(&frame).is_err(), critical);
        let knowing = reference::message(frame.kind, 0, &frame.body, Reader::KnowsAll).unwrap();
        prop_assert_eq!(knowing, reference::parts(&message));
    }

    /// The wire has the canonical spelling and no other; whatever is read at all has one.
    #[test]
    fn uris(text in strategies::odd_uri(), uri in strategies::server_uri()) {
        check_uri(&uri);
        let text = String::from_utf8_lossy(&text).into_owned();
        let read = text.parse::<ServerUri>();
        let is_canonical = read.as_ref().is_ok_and(|uri| uri.as_str() == text);
        prop_assert_eq!(is_canonical, reference::is_canonical_uri(text.as_bytes()), "{}", text);
        read.iter().for_each(check_uri);
    }

    #[test]
    fn messages_survive_serde(message in strategies::message()) {
        let text = serde_json::to_string(&message).unwrap();
        prop_assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), message);
    }

    #[test]
    fn the_oracle_on_any_bytes(decisions in prop::collection::vec(any::<u8>(), 0..700)) {
        run_messages(&decisions);
    }
}

/// The oracles of the fuzz targets on fixed random bytes, so that plain `cargo test` runs them.
#[test]
fn oracles_on_random_bytes() {
    let mut rng = Rng::new(33);
    for round in 0..1500 {
        let length = [40, 200, 700][round % 3];
        for form in 0..4 {
            let mut bytes = rng.bytes(length);
            bytes[0] = form;
            run_messages(&bytes);
            run_roundtrip(&bytes[1..]);
        }
    }
}

/// The properties above mean something only if much of what they try is accepted, and much is not.
#[test]
fn odd_layouts_are_often_accepted_and_often_not() {
    let mut rng = Rng::new(6);
    let (mut tried, mut errors): (BTreeMap<_, u32>, BTreeSet<_>) = Default::default();
    let mut uris = [0; 2];
    for _ in 0..6000 {
        let bytes = rng.bytes(500);
        let choices = &mut Choices::new(&bytes);
        let (kind, body) = values::odd_message(choices);
        let read = reference::message(kind, 0, &body, Reader::KnowsNone);
        let name = MessageKind(kind).name().unwrap_or("Unknown");
        *tried.entry((name, read.is_ok())).or_default() += 1;
        errors.extend(read.err().map(|(field, why)| (name, field, why)));
        uris[usize::from(reference::is_canonical_uri(&values::odd_uri(choices)))] += 1;
    }
    let names = ["REQUEST", "CANCEL", "QUEUED", "EXECUTING", "DATA", "END", "DEFER", "CANCELLED", "REFUSED"];
    let often = |what, good| tried.get(&(what, good)).is_some_and(|&count| count >= 30);
    let seldom: Vec<_> = names.iter().filter(|what| !often(what, true) || !often(what, false)).collect();
    assert!(seldom.is_empty() && uris.iter().all(|count| *count > 1000), "{seldom:?}: {tried:?} {uris:?}");
    let expected = [
        ("REQUEST", "id", "short"),
        ("REQUEST", "deadline_ms", "short"),
        ("REQUEST", "receipt_size", "invalid"),
        ("REQUEST", "receipt", "short"),
        ("REQUEST", "credentials", "short"),
        ("REQUEST", "referrer_size", "invalid"),
        ("REQUEST", "referrer", "invalid"),
        ("REQUEST", "referrer", "short"),
        ("REQUEST", "command_size", "invalid"),
        ("REQUEST", "command", "invalid"),
        ("REQUEST", "command", "short"),
        ("REQUEST", "arguments_count", "invalid"),
        ("REQUEST", "argument", "short"),
        ("REQUEST", "extensions", "unsupported"),
        ("REQUEST", "extension_value", "short"),
        ("DATA", "bytes", "short"),
        ("END", "text", "invalid"),
        ("DEFER", "kind", "unsupported"),
        ("DEFER", "reason", "invalid"),
        ("DEFER", "receipt_size", "invalid"),
        ("DEFER", "alternates_count", "invalid"),
        ("DEFER", "uri_size", "invalid"),
        ("DEFER", "uri", "invalid"),
        ("DEFER", "uri", "short"),
        ("DEFER", "command", "invalid"),
        ("DEFER", "arguments_count", "invalid"),
        ("DEFER", "extensions", "unsupported"),
        ("REFUSED", "text", "invalid"),
    ];
    let missing: Vec<_> = expected.iter().filter(|error| !errors.contains(*error)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// A value that cannot be encoded leaves every destination as it was.
#[track_caller]
fn refuses(message: Message) -> String {
    let mut room = [0xa5; 64];
    let error = message.framed().encode(&mut room).expect_err("it cannot be encoded");
    assert_eq!(room, [0xa5; 64]);
    let mut behind = BytesMut::from(&b"before"[..]);
    assert_eq!(message.framed().encode_to(&mut behind), Err(error));
    assert_eq!(&behind[..], b"before");
    assert_eq!((message.framed().to_vec(), message.to_frame()), (Err(error), Err(error)));
    assert!(!matches!(error, EncodeError::ShortBuffer { .. }));
    error.to_string()
}

fn request(change: impl FnOnce(&mut Request)) -> Message {
    let command = Command { name: CommandName::new("ws_create").unwrap(), arguments: Vec::new() };
    let mut request = Request::new(KEY, command);
    change(&mut request);
    Message::Request(Box::new(request))
}

fn defer(change: impl FnOnce(&mut Defer)) -> Message {
    let mut defer = Defer {
        key: KEY,
        kind: DeferKind::BUSY,
        server: ServerId::UNKNOWN,
        reason: Text::EMPTY,
        queue_length: None,
        estimate_ms: None,
        retry_after_ms: None,
        receipt: Bytes::new(),
        alternates: Vec::new(),
        next: None,
        next_flags: RequestFlags::empty(),
        extensions: Extensions::NONE,
    };
    change(&mut defer);
    Message::Defer(Box::new(defer))
}

#[test]
fn what_the_wire_cannot_carry_is_refused_and_nothing_is_written() {
    let long = |size: usize| Bytes::from(vec![1; size]);
    let next = Command { name: CommandName::new("next").unwrap(), arguments: Vec::new() };
    let alternate = Alternate::new("http://a".parse().unwrap());
    let none = "the largest value stands for none";
    let cases = [
        (request(|request| request.receipt = long(65)), "Request.receipt is too long: 65, at most 64".into()),
        (
            request(|request| request.credentials = long(65_536)),
            "Request.credentials is too long: 65536, at most 65535".into(),
        ),
        (
            request(|request| request.command.arguments = vec![Bytes::new(); 65_536]),
            "Request.arguments is too long: 65536, at most 65535".into(),
        ),
        (defer(|defer| defer.receipt = long(65)), "Defer.receipt is too long: 65, at most 64".into()),
        (
            defer(|defer| defer.alternates = vec![alternate.clone(); 33]),
            "Defer.alternates is too long: 33, at most 32".into(),
        ),
        (defer(|defer| defer.kind = DeferKind(0)), "Defer.kind: no kind of deferral".into()),
        (defer(|defer| defer.kind = DeferKind(5)), "Defer.kind: no kind of deferral".into()),
        (defer(|defer| defer.queue_length = Some(u32::MAX)), format!("Defer.queue_length: {none}")),
        (defer(|defer| defer.estimate_ms = Some(u32::MAX)), format!("Defer.estimate_ms: {none}")),
        (defer(|defer| defer.retry_after_ms = Some(u32::MAX)), format!("Defer.retry_after_ms: {none}")),
        (defer(|defer| defer.next = Some(next.clone())), "Defer.next: in a continuation, and only there".into()),
        (defer(|defer| defer.kind = DeferKind::CONTINUE), "Defer.next: in a continuation, and only there".into()),
        (
            Message::Queued(Queued {
                key: KEY,
                position: 0,
                estimate_ms: Some(u32::MAX),
                extensions: Extensions::NONE,
            }),
            format!("Queued.estimate_ms: {none}"),
        ),
        (
            Message::Unknown { kind: MessageKind::DEFER, body: Bytes::new() },
            "Unknown.kind: a kind that is known".into(),
        ),
    ];
    for (message, expected) in cases {
        assert_eq!(refuses(message), expected);
    }
}

/// The largest that there is of each is carried.
#[test]
fn the_largest_of_each() {
    let long = |size: usize| Bytes::from(vec![1; size]);
    let uri: ServerUri = format!("http://h/{}", "p".repeat(1015)).parse().unwrap();
    assert_eq!(uri.as_str().len(), ServerUri::MAX);
    let alternate = Alternate::new(uri.clone());
    let largest = [
        request(|request| {
            request.receipt = long(64);
            request.credentials = long(65_535);
            request.referrer = Some(uri.clone());
            request.command.name = CommandName::new("c".repeat(256)).unwrap();
            request.command.arguments = vec![Bytes::new(); 30_000];
        }),
        defer(|defer| {
            defer.kind = DeferKind::CONTINUE;
            defer.reason = Text::new("r".repeat(255)).unwrap();
            defer.receipt = long(64);
            defer.alternates = vec![alternate; 32];
            let arguments = vec![long(1000); 100];
            defer.next = Some(Command { name: CommandName::new("é".repeat(128)).unwrap(), arguments });
        }),
        Message::Data(Data { key: KEY, bytes: long(262_144 - 22), extensions: Extensions::NONE }),
    ];
    for message in largest {
        let bytes = message.framed().to_vec().unwrap();
        let mut framer = Framer::new(FrameStream::new(&LIMITS));
        framer.push(&bytes);
        let frame = framer.next_item().unwrap().unwrap();
        check_message(&frame);
        assert_eq!(Message::from_frame(&frame), Ok(message));
    }
    // More arguments than fit a frame here are counted all the same.
    let message = request(|request| request.command.arguments = vec![Bytes::new(); 65_535]);
    let frame = message.to_frame().unwrap();
    assert!(frame.body.len() > LIMITS.frame as usize - 32);
    assert_eq!(Message::from_frame(&frame), Ok(message));
}

#[test]
fn parts_that_are_too_long_cannot_be_made() {
    assert!(CommandName::new("").is_none() && CommandName::new("x".repeat(257)).is_none());
    assert!(CommandName::new("x".repeat(256)).is_some() && CommandName::new("two\nlines").is_none());
    // An address may grow in its normal form.
    let path = "p".repeat(1024 - "http://[::ffff:ffff:ffff]/".len());
    let grown = format!("http://[::ffff:ffff:ffff]/{path}");
    assert_eq!((grown.len(), grown.parse::<ServerUri>()), (1024, Err(UriError::TooLong)));
    let shrunk = format!("HTTP://H:00080/{}", "p".repeat(1009)).parse::<ServerUri>().unwrap();
    assert_eq!((shrunk.as_str().len(), shrunk.port()), (1018, 80));
}

/// What cannot be made cannot be read either.
#[test]
fn serde_keeps_the_rules() {
    assert!(serde_json::from_str::<ServerUri>("\"http://me@a\"").is_err());
    assert_eq!(serde_json::from_str::<ServerUri>("\"HTTP://A:80/\"").unwrap().as_str(), "http://a");
    assert!(serde_json::from_str::<CommandName>("\"\"").is_err());
    assert!(serde_json::from_str::<CommandName>("\"a\\u0007\"").is_err());
}
