//! Messages of the deferral protocol that must not be sent: each case says precisely what is wrong, and that nothing is
//! stored for what was only announced. And what looks wrong and is taken all the same.

use crate::native::{
    Good, Kind, NO_TEXTS, check_cut_anywhere, check_extensions, check_other_protocols, check_unknown, read, refused,
    short, shown_without_secret, sized8, sized16,
};
use bytes::Bytes;
use handover::deferral::message::{Message, Request};
use handover::deferral::{DeferKind, MessageKind, RefusalCode, RequestFlags, ServerAbilities, ServerUri, UriError};

const KEY: [u8; 18] = [0xa1; 18];

impl Kind for MessageKind {
    type Message = Message;

    fn number(self) -> u8 {
        self.0
    }

    fn unknown(self, body: Bytes) -> Message {
        Message::Unknown { kind: self, body }
    }
}

const COMMAND: &[u8] = b"\0\x04sync\0\0";

/// A request in parts, so that each can be spoilt: head, receipt, credentials, referrer, command.
fn request(receipt: &[u8], credentials: &[u8], referrer: &[u8], command: &[u8]) -> Vec<u8> {
    [&KEY[..], &[0; 6], receipt, credentials, referrer, command].concat()
}

/// A deferral in parts: kind, reason, receipt, alternates, what is behind them.
fn defer(kind: u8, reason: &[u8], receipt: &[u8], alternates: &[u8], behind: &[u8]) -> Vec<u8> {
    [&KEY[..], &[kind], &[7; 16], reason, &[0xff; 12], receipt, alternates, behind].concat()
}

/// A continuation: behind the alternates are flags and a command.
fn continuation(reason: &[u8], receipt: &[u8], alternates: &[u8], command: &[u8]) -> Vec<u8> {
    defer(3, reason, receipt, alternates, &[&[0, 2], command].concat())
}

fn alternates(uris: &[&[u8]]) -> Vec<u8> {
    let one = |uri: &&[u8]| [&[3; 17][..], &sized16(uri)].concat();
    [vec![u8::try_from(uris.len()).unwrap()], uris.iter().flat_map(one).collect()].concat()
}

#[test]
fn the_parts_above_are_good() {
    let message = read(MessageKind::REQUEST, &request(&sized8(b""), &sized16(b""), &sized16(b""), COMMAND)).unwrap();
    let Message::Request(request) = message else { panic!("{message:?}") };
    assert_eq!((request.command.name.as_str(), request.referrer), ("sync", None));
    let body = defer(1, &sized8(b"later"), &sized8(b"cookie"), &alternates(&[b"http://a", b"http://b"]), b"");
    let Message::Defer(defer) = read(MessageKind::DEFER, &body).unwrap() else { panic!() };
    assert_eq!((defer.alternates.len(), defer.queue_length, &defer.receipt[..]), (2, None, &b"cookie"[..]));
}

/// Every message, at every place: short, or its extensions are.
#[test]
fn messages_that_are_cut_anywhere() {
    let uri: &[u8] = b"handover://db1.example.org:7999/csf";
    let command = [&sized16(b"ws_sync")[..], &[0, 2, 0, 0, 0, 1, 0xaa, 0, 0, 0, 0]].concat();
    let whole: [Good<MessageKind>; 9] = [
        (MessageKind::REQUEST, "Request", request(&sized8(&[1; 64]), &sized16(b"me"), &sized16(uri), &command)),
        (MessageKind::CANCEL, "Cancel", KEY.to_vec()),
        (MessageKind::QUEUED, "Queued", [&KEY[..], &[0; 8]].concat()),
        (MessageKind::EXECUTING, "Executing", KEY.to_vec()),
        (MessageKind::DATA, "Data", [&KEY[..], &[0, 0, 0, 2, 1, 2]].concat()),
        (MessageKind::END, "End", [&KEY[..], &[0, 0, 0, 0, 2], b"ok"].concat()),
        (MessageKind::DEFER, "Defer", continuation(&sized8(b"why"), &sized8(b"r"), &alternates(&[uri, uri]), &command)),
        (MessageKind::CANCELLED, "Cancelled", KEY.to_vec()),
        (MessageKind::REFUSED, "Refused", [&KEY[..], &[0, 1, 1, b'x']].concat()),
    ];
    check_cut_anywhere(&whole, |error| error.field.ends_with("_count") && error.kind.name() == "invalid");
    short(MessageKind::CANCEL, &KEY[..17], "Cancel", "epoch", 2, 1);
    short(MessageKind::DATA, &[&KEY[..], &[0xff; 4]].concat(), "Data", "bytes", u64::from(u32::MAX), 0);
}

/// No number that is announced is room that is made.
#[test]
fn lists_of_more_than_there_is() {
    let arguments = |count: u16, behind: &[u8]| {
        let command = [&sized16(b"c")[..], &count.to_be_bytes(), behind].concat();
        request(&sized8(b""), &sized16(b""), &sized16(b""), &command)
    };
    let (room, name) = ("more than there is room for", "arguments_count");
    for (count, left) in [(65_535, 0), (65_535, 1000), (65_535, 262_139), (1, 3), (2, 7)] {
        let body = arguments(count, &vec![0; left]);
        refused(MessageKind::REQUEST, &body, "Request", name, room, count.into());
    }
    assert!(read(MessageKind::REQUEST, &arguments(65_535, &vec![0; 262_140])).is_ok());
    // Each argument may say 4 GiB.
    short(MessageKind::REQUEST, &arguments(2, &[0xff; 9]), "Request", "argument", u64::from(u32::MAX), 5);

    for (count, left, reason) in [(33, 10_000, "at most 32"), (255, 0, "at most 32"), (32, 607, room), (1, 18, room)] {
        let list = [&[count][..], &vec![0; left]].concat();
        let body = defer(1, b"\0", b"\0", &list, b"");
        refused(MessageKind::DEFER, &body, "Defer", "alternates_count", reason, count.into());
    }
    let uris: Vec<String> = (0..32).map(|number| format!("http://s{number}")).collect();
    let uris: Vec<&[u8]> = uris.iter().map(|uri| uri.as_bytes()).collect();
    assert!(read(MessageKind::DEFER, &defer(2, b"\0", b"\0", &alternates(&uris), b"")).is_ok());
}

#[test]
fn sizes_beyond_their_bounds() {
    let good = (sized8(b""), sized16(b""));
    let cases: [(Vec<u8>, &str, &str, u64); 6] = [
        (request(&sized8(&[1; 65]), &good.1, &good.1, COMMAND), "receipt_size", "at most 64", 65),
        (request(&[255], &good.1, &good.1, COMMAND), "receipt_size", "at most 64", 255),
        (request(&good.0, &good.1, &sized16(&[b'x'; 1025]), COMMAND), "referrer_size", "at most 1024", 1025),
        (request(&good.0, &good.1, &[0xff, 0xff], b""), "referrer_size", "at most 1024", 65_535),
        (request(&good.0, &good.1, &good.1, b"\0\0\0\0"), "command_size", "1 to 256", 0),
        (request(&good.0, &good.1, &good.1, &sized16(&[b'x'; 257])), "command_size", "1 to 256", 257),
    ];
    for (body, field, reason, got) in cases {
        refused(MessageKind::REQUEST, &body, "Request", field, reason, got);
    }
    let host = [b"http://", &[b'h'; 10_000][..]].concat();
    let body = defer(1, b"\0", b"\0", &alternates(&[&host]), b"");
    refused(MessageKind::DEFER, &body, "Defer", "uri_size", "at most 1024", 10_007);
    let body = defer(1, b"\0", &sized8(&[1; 65]), b"\0", b"");
    refused(MessageKind::DEFER, &body, "Defer", "receipt_size", "at most 64", 65);
}

#[test]
fn texts_and_names_that_are_none() {
    for (text, reason, got) in NO_TEXTS {
        let command = [&sized16(text)[..], &[0, 0]].concat();
        let body = request(&sized8(b""), &sized16(b""), &sized16(b""), &command);
        refused(MessageKind::REQUEST, &body, "Request", "command", reason, got);
        let body = continuation(b"\0", b"\0", b"\0", &command);
        refused(MessageKind::DEFER, &body, "Defer", "command", reason, got);
        let body = defer(1, &sized8(text), b"\0", b"\0", b"");
        refused(MessageKind::DEFER, &body, "Defer", "reason", reason, got);
        let body = [&KEY[..], &[0; 4], &sized8(text)].concat();
        refused(MessageKind::END, &body, "End", "text", reason, got);
        let body = [&KEY[..], &[0; 2], &sized8(text)].concat();
        refused(MessageKind::REFUSED, &body, "Refused", "text", reason, got);
    }
}

/// Where a server is: only the canonical spelling stands on the wire, whatever the library reads elsewhere.
#[test]
fn uris_that_name_no_server_and_other_spellings() {
    let other = "another spelling is the canonical one";
    let reason = |error: UriError| -> &'static str { error.to_string().leak() };
    let long_label = format!("http://{}.a", "x".repeat(64));
    let long_name = format!("http://{}a", "x.".repeat(127));
    let cases: [(&[u8], Result<&str, UriError>); 45] = [
        (b"", Err(UriError::Scheme)),
        (b"db1", Err(UriError::Scheme)),
        (b"db1:80", Err(UriError::Scheme)),
        (b"http:/a", Err(UriError::Scheme)),
        (b"://a", Err(UriError::Scheme)),
        (b"1p://a:1", Err(UriError::Scheme)),
        (b"h_p://a:1", Err(UriError::Scheme)),
        (b"http://", Err(UriError::Host)),
        (b"http:///csf", Err(UriError::Host)),
        (b"http://:80", Err(UriError::Host)),
        (b"http://.", Err(UriError::Host)),
        (b"http://a..b", Err(UriError::Host)),
        (b"http://a_b.%41", Err(UriError::Host)),
        (long_label.as_bytes(), Err(UriError::Host)),
        (long_name.as_bytes(), Err(UriError::Host)),
        (b"http://127.1", Err(UriError::Host)),
        (b"http://2130706433", Err(UriError::Host)),
        (b"http://0x7f000001", Err(UriError::Host)),
        (b"http://0177.0.0.1", Err(UriError::Host)),
        (b"http://127.0.0.1.", Err(UriError::Host)),
        (b"http://256.0.0.1", Err(UriError::Host)),
        (b"http://[::1", Err(UriError::Host)),
        (b"http://[::1]80", Err(UriError::Host)),
        (b"http://[fe80::1%25eth0]", Err(UriError::Host)),
        (b"http://user@a", Err(UriError::UserInfo)),
        (b"http://user:secret@a:80/x", Err(UriError::UserInfo)),
        (b"http://a:80@b", Err(UriError::UserInfo)),
        (b"http://a:", Err(UriError::Port)),
        (b"http://a:0", Err(UriError::Port)),
        (b"http://a:65536", Err(UriError::Port)),
        (b"http://a:+80", Err(UriError::Port)),
        (b"handover://a", Err(UriError::Port)),
        (b"http://a?b", Err(UriError::Path)),
        (b"http://a/#b", Err(UriError::Path)),
        (b"http://a\\@b", Err(UriError::Path)),
        (b"http://a/ b", Err(UriError::Characters)),
        (b"http://a\0", Err(UriError::Characters)),
        (b"http://a/\r\nHost: b", Err(UriError::Characters)),
        ("http://\u{e4}".as_bytes(), Err(UriError::Characters)),
        (b"HTTP://a", Ok("http://a")),
        (b"http://DB1.Example.", Ok("http://db1.example")),
        (b"https://a:0443/", Ok("https://a")),
        (b"http://a/x//", Ok("http://a/x")),
        (b"handover://[0:0::1]:1", Ok("handover://[::1]:1")),
        (b"handover://[::FFFF:7f00:1]:1", Ok("handover://[::ffff:127.0.0.1]:1")),
    ];
    for (uri, expected) in cases {
        let read = std::str::from_utf8(uri).unwrap().parse::<ServerUri>();
        assert_eq!(read.as_ref().map(ServerUri::as_str).map_err(|error| *error), expected);
        let (reason, got) = (expected.map_or_else(reason, |_| other), uri.len() as u64);
        let body = defer(1, b"\0", b"\0", &alternates(&[b"http://good", uri]), b"");
        refused(MessageKind::DEFER, &body, "Defer", "uri", reason, got);
        if !uri.is_empty() {
            let body = request(&sized8(b""), &sized16(b""), &sized16(uri), COMMAND);
            refused(MessageKind::REQUEST, &body, "Request", "referrer", reason, got);
        }
    }
    let not_utf8 = reason(UriError::Characters);
    let body = defer(1, b"\0", b"\0", &alternates(&[b"http://a/\xff"]), b"");
    refused(MessageKind::DEFER, &body, "Defer", "uri", not_utf8, 10);
    // The neighbours of what is refused.
    let label = format!("http://{}.a", "x".repeat(63));
    let name = format!("http://{}ab", "x.".repeat(125));
    for uri in [&label, &name, "http://0xavier", "http://1a.b-_", "http://a//./../x@y", "x+y-z.1://a:65535"] {
        let body = defer(4, b"\0", b"\0", &alternates(&[uri.as_bytes()]), b"");
        let Message::Defer(defer) = read(MessageKind::DEFER, &body).unwrap() else { panic!() };
        assert_eq!(defer.alternates[0].uri.as_str(), uri);
    }
}

#[test]
fn what_a_uri_says_of_itself() {
    let uri = |text: &str| text.parse::<ServerUri>().unwrap();
    let parts = |text: &str| {
        let uri = uri(text);
        (uri.scheme().to_owned(), uri.host().to_owned(), uri.port(), uri.path().to_owned())
    };
    let told = |scheme: &str, host: &str, port, path: &str| (scheme.into(), host.into(), port, path.into());
    assert_eq!(parts("HTTP://A.b.:0080/c//"), told("http", "a.b", 80, "/c"));
    assert_eq!(parts("handover://[0::1]:7"), told("handover", "::1", 7, ""));
    assert_eq!(parts("https://1.2.3.4/x/y"), told("https", "1.2.3.4", 443, "/x/y"));
    for (text, is_local) in [
        ("http://localhost", true),
        ("http://db.LOCALHOST.", true),
        ("http://localhost.example", false),
        ("http://127.9.9.9", true),
        ("http://169.254.0.1", true),
        ("http://0.0.0.0", true),
        ("http://10.0.0.1", false),
        ("http://[::1]", true),
        ("http://[::]", true),
        ("http://[fe80::1]", true),
        ("http://[::ffff:127.0.0.1]", true),
        ("http://[::ffff:0.0.0.0]", true),
        ("http://[2001:db8::1]", false),
    ] {
        assert_eq!(uri(text).is_local(), is_local, "{text}");
    }
    assert!(uri("https://a").is_as_strong_as(&uri("http://a")) && !uri("http://a").is_as_strong_as(&uri("https://a")));
    assert!(uri("http://a/x").same_origin(&uri("http://A:80/y")) && !uri("http://a").same_origin(&uri("http://a:81")));
}

/// A kind of deferral says what follows and what is to be done: one that is not known cannot be skipped.
#[test]
fn kinds_of_deferral_that_are_not_known() {
    for kind in [0, 5, 255] {
        let body = defer(kind, b"\0", b"\0", b"\0", b"");
        let error = read(MessageKind::DEFER, &body).unwrap_err();
        assert_eq!(error.kind.name(), "unsupported");
        let reason = "a kind of deferral that must be understood";
        refused(MessageKind::DEFER, &body, "Defer", "kind", reason, kind.into());
    }
}

/// A continuation has a command, and no other deferral has one.
#[test]
fn who_lies_about_the_kind() {
    short(MessageKind::DEFER, &defer(3, b"\0", b"\0", b"\0", b""), "Defer", "next_flags", 2, 0);
    short(MessageKind::DEFER, &continuation(b"\0", b"\0", b"\0", b""), "Defer", "command_size", 2, 0);
    for kind in [1, 2, 4] {
        // Read as an extension, of type 4: "sync" would be its size and more.
        let body = defer(kind, b"\0", b"\0", b"\0", COMMAND);
        short(MessageKind::DEFER, &body, "Defer", "extension_value", 0x7379, 4);
    }
}

#[test]
fn extensions_that_must_be_understood_and_are_not() {
    let bodies: [Good<MessageKind>; 9] = [
        (MessageKind::CANCEL, "Cancel", KEY.to_vec()),
        (MessageKind::EXECUTING, "Executing", KEY.to_vec()),
        (MessageKind::CANCELLED, "Cancelled", KEY.to_vec()),
        (MessageKind::QUEUED, "Queued", [&KEY[..], &[0; 8]].concat()),
        (MessageKind::DATA, "Data", [&KEY[..], &[0; 4]].concat()),
        (MessageKind::END, "End", [&KEY[..], &[0; 5]].concat()),
        (MessageKind::REFUSED, "Refused", [&KEY[..], &[0; 3]].concat()),
        (MessageKind::REQUEST, "Request", request(b"\0", b"\0\0", b"\0\0", COMMAND)),
        (MessageKind::DEFER, "Defer", defer(1, b"\0", b"\0", b"\0", b"")),
    ];
    check_extensions(&bodies, |message| match message {
        Message::Cancel(signal) => Some(&signal.extensions),
        _ => None,
    });
}

/// What is not known and need not be: kept, and written as it came.
#[test]
fn what_is_not_known_and_taken() {
    check_unknown(&[0, 3, 0x80, 0x88, 0xff].map(MessageKind));
    let mut bits = request(b"\0", b"\0\0", b"\0\0", COMMAND);
    bits[18..20].copy_from_slice(&[0xff, 0xf0]);
    let Message::Request(request) = read(MessageKind::REQUEST, &bits).unwrap() else { panic!() };
    assert_eq!(request.flags, RequestFlags::from_bits_retain(0xfff0));
    let Message::Defer(told) =
        read(MessageKind::DEFER, &defer(2, b"\0", b"\0", &alternates(&[b"http://a"]), b"")).unwrap()
    else {
        panic!()
    };
    assert_eq!(
        (told.kind, told.alternates[0].abilities),
        (DeferKind::NO_SERVICE, ServerAbilities::READ | ServerAbilities::WRITE)
    );
    let mut abilities = defer(2, b"\0", b"\0", &alternates(&[b"http://a"]), b"");
    let at = abilities.len() - (16 + 2 + 8) - 1;
    abilities[at] = 0xf0;
    let Message::Defer(told) = read(MessageKind::DEFER, &abilities).unwrap() else { panic!() };
    assert_eq!(told.alternates[0].abilities.bits(), 0xf0);
    let Message::Refused(told) = read(MessageKind::REFUSED, &[&KEY[..], &[0x9c, 0x40, 0]].concat()).unwrap() else {
        panic!()
    };
    assert_eq!(told.code, RefusalCode(40_000));
    let Message::End(end) = read(MessageKind::END, &[&KEY[..], &[0x80, 0, 0, 0, 0]].concat()).unwrap() else {
        panic!()
    };
    assert_eq!(end.status, i32::MIN);
}

#[test]
fn a_frame_of_another_protocol() {
    check_other_protocols(MessageKind::CANCEL, &KEY);
}

/// What is not shown: credentials, receipts, arguments, results.
#[test]
fn secrets_are_not_shown() {
    let command = [&sized16(b"sync")[..], &[0, 1, 0, 0, 0, 6], b"secret"].concat();
    let body = request(&sized8(b"secret"), &sized16(b"secret"), &sized16(b"http://a"), &command);
    let messages = [
        read(MessageKind::REQUEST, &body),
        read(MessageKind::DEFER, &continuation(b"\0", &sized8(b"secret"), b"\0", &command)),
        read(MessageKind::DATA, &[&KEY[..], &[0, 0, 0, 6], b"secret"].concat()),
        read(MessageKind(9), b"secret"),
    ];
    for message in messages {
        let message = message.unwrap();
        let shown = shown_without_secret(&message);
        if let Message::Request(request) = message {
            let Request { referrer, command, .. } = *request;
            assert!(shown.contains("sync") && shown.contains("http://a"), "{referrer:?} {command:?}");
        }
    }
}
