//! Messages of the deferral protocol on any value that the API can build, and on any bytes (spec/deferral.md 8: D13).

use crate::native::{LIMITS, is_carried, must_be_understood, often_accepted_and_often_not, refuses};
use bytes::Bytes;
use handover::deferral::message::{Alternate, Command, CommandName, Data, Defer, Message, Queued, Request, RequestKey};
use handover::deferral::{DeferKind, MessageKind, RequestFlags, RequestId, ServerId, ServerUri, UriError};
use handover::frame::{Extensions, Native, Text};
use handover::testing::deferral::{
    self as values, check_message, check_uri, reference, run_messages, run_roundtrip, strategies,
};
use handover::testing::frame::strategies::critical_extensions;
use handover::testing::{Choices, Rng};
use proptest::prelude::*;

const KEY: RequestKey = RequestKey { id: RequestId([7; 16]), epoch: 2 };

crate::native::message_tests! {
    Message,
    messages: run_messages,
    roundtrip: run_roundtrip,
    seed: 33,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn extensions_that_must_be_understood(request in strategies::request(), extensions in critical_extensions()) {
        let message = Message::Request(Box::new(Request { extensions: extensions.clone(), ..request }));
        must_be_understood(&message, &extensions);
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
}

/// The properties above mean something only if much of what they try is accepted, and much is not.
#[test]
fn odd_layouts_are_often_accepted_and_often_not() {
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
    often_accepted_and_often_not::<Message>(6000, 500, &expected);
    let mut rng = Rng::new(6);
    let mut uris = [0; 2];
    for _ in 0..6000 {
        let uri = values::odd_uri(&mut Choices::new(&rng.bytes(500)));
        uris[usize::from(reference::is_canonical_uri(&uri))] += 1;
    }
    assert!(uris.iter().all(|count| *count > 1000), "{uris:?}");
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
        assert_eq!(refuses(&message), expected);
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
    largest.iter().for_each(is_carried);
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
