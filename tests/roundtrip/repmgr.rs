//! The Replication Manager's codec on any value that its API can build, and on any bytes (spec/repmgr.md 8: P1 to P8,
//! P16, P23).

use bytes::BytesMut;
use handover::limits::RepmgrLimits;
use handover::repmgr::handshake::{
    Confirmation, Control, Handshake, LegacyHandshake, Parameters, Proposal, SiteParameters, VersionRange,
};
use handover::repmgr::message::{AppMessage, AppResponse, Message, Replication, ResponseError, Wanted};
use handover::repmgr::own::{Member, Membership, OwnMessage};
use handover::repmgr::stream::{MessageStream, Side};
use handover::repmgr::{
    AckPolicy, ConnectionFlags, ErrorCode, Host, OwnMessageType, Segments, SiteAddress, SiteStatus, Version,
};
use handover::testing::repmgr::{self as values, strategies};
use handover::testing::{Choices, Rng, check_chunking, check_encoding, check_unencodable, repmgr_codec};
use handover::wire::{Encode, StreamDecode};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const LIMITS: RepmgrLimits = RepmgrLimits::DEFAULT;

#[track_caller]
fn refuses(value: impl Into<Message>) -> String {
    check_unencodable(&value.into()).to_string()
}

/// The messages of an established connection.
fn established(bytes: &[u8]) -> Vec<Message> {
    let (mut stream, mut src) = (MessageStream::established(Version::V4, &LIMITS), BytesMut::from(bytes));
    let messages = std::iter::from_fn(|| stream.decode_next(&mut src).expect("it is ours")).collect();
    assert!(src.is_empty(), "{} bytes are left", src.len());
    messages
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn p1_any_message(message in strategies::message()) {
        let bytes = check_encoding(&message);
        if !matches!(message, Message::Handshake(_)) {
            prop_assert_eq!(established(&bytes), vec![message]);
        }
    }

    /// Each kind of message is encoded by itself as it is in a [`Message`].
    #[test]
    fn p1_messages_by_themselves(message in strategies::message()) {
        let whole = check_encoding(&message);
        let alone = match &message {
            Message::App(message) => check_encoding(message),
            Message::Response(message) => check_encoding(message),
            Message::Error(message) => check_encoding(message),
            Message::Replication(message) => check_encoding(message),
            Message::Handshake(message) => check_encoding(message),
            Message::Own(message) => check_encoding(message),
            _ => whole.clone(),
        };
        prop_assert_eq!(alone, whole);
    }

    #[test]
    fn p1_segments(segments in strategies::segments()) {
        let block = check_encoding(&segments).into();
        let read = Segments::parse(&block).unwrap();
        prop_assert!(read.is_canonical());
        prop_assert_eq!(&read, &segments);
        prop_assert_eq!(check_encoding(&read), block);
    }

    #[test]
    fn p3_odd_layouts((expected, block) in strategies::odd_block()) {
        let read = Segments::parse(&block.clone().into()).unwrap();
        prop_assert_eq!(read.iter().collect::<Vec<_>>(), expected);
        prop_assert_eq!(check_encoding(&read), block);
    }

    #[test]
    fn p5_conversations(conversation in strategies::conversation(), cuts in proptest::collection::vec(any::<usize>(), 0..6)) {
        let stream = conversation.bytes();
        check_chunking(|| conversation.decoder(&LIMITS), &stream, &cuts);
        let (mut decoder, mut src, mut messages) = (conversation.decoder(&LIMITS), BytesMut::from(&stream[..]), Vec::new());
        while let Some(message) = decoder.decode_next(&mut src).unwrap() {
            messages.push(message);
        }
        prop_assert_eq!(messages, conversation.messages);
    }

    #[test]
    fn serde_keeps_messages(message in strategies::message()) {
        let text = serde_json::to_string(&message).unwrap();
        prop_assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), message);
    }
}

/// P4: every truncation of a message is waited for, and never refused; every bit that is changed gives an error or
/// something that is written back.
#[test]
fn p4_every_truncation_and_every_bit() {
    let wanted = Wanted { tag: 3, bulk: true, limit: Some(100) };
    let request = AppMessage::request(["hello", "", "world!"].into_iter().collect(), wanted);
    let sites = ["127.0.0.1", "db.example.org"]
        .map(|host| Member { site: SiteAddress::new(host, 5000).unwrap(), status: SiteStatus::PRESENT });
    let messages: [Message; 4] = [
        request.into(),
        AppResponse::bulk(7, &["part", "", "whole"].into_iter().collect()).unwrap().into(),
        OwnMessage::Sharing(Membership { version: 3, generation: 2, sites: sites.into() }).into(),
        Replication { control: vec![1; 36].into(), record: vec![2; 9].into() }.into(),
    ];
    for message in messages {
        let bytes = message.to_vec().unwrap();
        for end in 0..bytes.len() {
            let mut src = BytesMut::from(&bytes[..end]);
            let mut stream = MessageStream::established(Version::V4, &LIMITS);
            assert_eq!(stream.decode_next(&mut src), Ok(None), "{end} bytes of {message:?}");
            assert!(src.len() == end && stream.needed(&src) > end);
        }
        let (mut refused, mut changed) = (0, 0);
        for bit in 0..8 * bytes.len() {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let mut src = BytesMut::from(&other[..]);
            let mut stream = MessageStream::established(Version::V4, &LIMITS);
            match stream.decode_next(&mut src) {
                Ok(None) => changed += 1,
                Ok(Some(read)) => {
                    // What stands between segments says nothing.
                    let odd = matches!(&read, Message::App(read) if !read.segments.is_canonical());
                    assert!(read != message || odd, "bit {bit} says nothing");
                    assert_eq!(read.to_vec().unwrap()[..], other[..other.len() - src.len()], "bit {bit}");
                    changed += 1;
                }
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 8 && changed > 8, "{refused} and {changed}: {message:?}");
    }
}

/// The same oracles as those of the fuzz targets, on bytes that are the same each time.
#[test]
fn oracles_on_random_bytes() {
    let mut rng = Rng::new(21);
    for round in 0..1500 {
        let length = [30, 120, 500][round % 3];
        repmgr_codec::run_frames(&rng.bytes(length));
        repmgr_codec::run_segments(&rng.bytes(length));
        repmgr_codec::run_handshake(&rng.bytes(length));
        for form in 0..8 {
            let mut bytes = rng.bytes(length);
            bytes[0] = form;
            repmgr_codec::run_roundtrip(&bytes);
        }
    }
}

#[test]
fn every_kind_of_message_comes_up() {
    let mut rng = Rng::new(5);
    let (mut types, mut kinds, mut layouts) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut steps, mut counts) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..6000 {
        let bytes = rng.bytes(300);
        let message = values::message(&mut Choices::new(&bytes));
        types.insert(message.ty().0);
        match &message {
            Message::Own(own) => _ = kinds.insert(own.ty().0),
            Message::Handshake(step) => _ = steps.insert(step.name()),
            Message::App(message) => {
                layouts.insert((message.segments.is_canonical(), message.wanted().is_some()));
                counts.insert(message.segments.len());
            }
            _ => {}
        }
    }
    assert!(types.into_iter().eq(1..=8));
    assert!((1..=12).all(|ty| kinds.contains(&ty)), "{kinds:?}");
    assert_eq!((steps.len(), layouts.len()), (4, 4), "{steps:?} {layouts:?}");
    assert!((0..8).all(|count| counts.contains(&count)) && counts.iter().any(|count| *count >= 2000), "{counts:?}");
}

/// With nothing to decide on, the simplest value comes; with something, others do.
#[test]
fn values_are_arbitrary() {
    use arbitrary::{Arbitrary, Unstructured};
    let mut rng = Rng::new(8);
    let mut seen = BTreeSet::new();
    assert!(Message::arbitrary(&mut Unstructured::new(&[])).is_ok());
    for _ in 0..200 {
        let bytes = rng.bytes(200);
        let mut unstructured = Unstructured::new(&bytes);
        let message = Message::arbitrary(&mut unstructured).unwrap();
        assert!(unstructured.len() < 200, "the rest is for what comes next");
        seen.insert(message.name());
        check_encoding(&Handshake::arbitrary(&mut unstructured).unwrap());
    }
    assert_eq!(seen.len(), 8);
}

/// The properties above mean something only if much of what they try is accepted, and much is not.
#[test]
fn damaged_messages_are_sometimes_accepted() {
    let mut rng = Rng::new(6);
    let mut tried: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..4000 {
        let bytes = values::damaged_message(&mut Choices::new(&rng.bytes(300)));
        let mut src = BytesMut::from(&bytes[..]);
        let outcome = match MessageStream::established(Version::V4, &LIMITS).decode_next(&mut src) {
            Ok(Some(_)) => "accepted",
            Ok(None) => "open",
            Err(error) => error.kind.name(),
        };
        *tried.entry(outcome).or_default() += 1;
    }
    for outcome in ["accepted", "open", "invalid", "limit", "short"] {
        assert!(tried.get(outcome).is_some_and(|count| *count >= 100), "{outcome}: {tried:?}");
    }
}

/// P1 at the edges: no segments, empty ones in each place, thousands, and large ones.
#[test]
fn p1_segments_at_the_edges() {
    let large = "x".repeat(3 << 20);
    let cases: [(Vec<&str>, usize); 8] = [
        (vec![], 4),
        (vec![""], 12),
        (vec!["", "a"], 8 + 20),
        (vec!["a", "", "b"], 16 + 28),
        (vec!["a", ""], 8 + 20),
        (vec!["", "", ""], 28),
        (vec!["12345678", "1234567", "123456789"], 8 + 8 + 16 + 28),
        (vec![&large, "", &large], (6 << 20) + 28),
    ];
    for (parts, length) in cases {
        let segments: Segments = parts.iter().map(|part| part.as_bytes().to_vec()).collect();
        let bytes = check_encoding(&AppMessage::new(segments.clone()));
        assert_eq!(bytes.len(), 9 + length + 12);
        let messages = established(&bytes);
        let [Message::App(message)] = &messages[..] else { panic!("{messages:?}") };
        assert!(message.segments.slices().eq(parts.iter().map(|part| part.as_bytes())));
        assert_eq!((message.segments.len(), message.segments == segments), (parts.len(), true));
    }
    let many: Segments = (0..60_000_u32).map(|at| at.to_be_bytes()[..at as usize % 5].to_vec()).collect();
    assert_eq!(established(&check_encoding(&AppMessage::new(many.clone()))), [AppMessage::new(many).into()]);
}

fn v4() -> Control {
    Control::v4(AckPolicy::QUORUM, ConnectionFlags::empty())
}

#[test]
fn what_no_peer_could_bear_is_refused_and_nothing_is_written() {
    assert!(refuses(ResponseError { tag: 1, code: ErrorCode::NONE }).contains("ResponseError.code"));
    let nothing = || bytes::Bytes::new();
    assert!(refuses(Replication { control: nothing(), record: "x".into() }).contains("Replication.control"));
    for ty in [1, 2, 3, 4, 5, 6, 8, 9, 11] {
        let known = OwnMessage::Unknown { ty: OwnMessageType(ty), body: "x".into() };
        assert!(refuses(known).contains("OwnMessage.ty"), "{ty}");
    }
    for ty in [0, 7, 10, 12, u32::MAX] {
        let unknown = |body| OwnMessage::Unknown { ty: OwnMessageType(ty), body };
        assert!(refuses(unknown(nothing())).contains("OwnMessage.body"), "{ty}");
        check_encoding(&unknown("x".into()));
    }
    let confirmed = |version, control| Confirmation { version, ..Confirmation::new(site(control)) };
    for (version, control) in [(4, Control::V2 { priority: 1 }), (3, v4()), (1, v4()), (5, v4())] {
        let error = refuses(Handshake::from(confirmed(Version(version), control)));
        assert!(error.contains("Confirmation.version"), "{error}");
    }
    for control in [&b""[..], b"\x01\0\0\0", b"\x02\0\0\0\0\0\0\0\0\0\0\0", b"\x01\0\0\0\0\0\0\0\0\0\0\0\0"] {
        let legacy = LegacyHandshake { control: control.into(), host: Host::EMPTY };
        assert!(refuses(Handshake::from(legacy)).contains("LegacyHandshake.control"));
    }
}

fn site(control: Control) -> SiteParameters {
    SiteParameters::new(Host::new("site").unwrap(), 1, control)
}

/// P23: sizes that do not fit their 32 bits. The bytes are shared, so that few are needed.
#[test]
#[cfg(target_pointer_width = "64")]
fn p23_what_is_too_long_is_refused() {
    let chunk = bytes::Bytes::from(vec![b'x'; 1 << 20]);
    let parts = |count| Segments::from(vec![chunk.clone(); count]);
    // 4095 MiB and their table fit, 4096 MiB do not.
    let fits = AppMessage::new(parts(4095));
    assert_eq!((fits.check(), fits.encoded_len()), (Ok(()), 9 + (4095 << 20) + 4 + 4095 * 8 + 12));
    assert!(refuses(AppMessage::new(parts(4096))).contains("AppMessage.length is too long: 4295000080"));
    assert!(AppResponse::bulk(1, &parts(4096)).unwrap_err().to_string().contains("Segments.length is too long"));
    // The largest body there can be, and one more byte: no segment is looked at to know.
    let rest = u32::MAX as usize - (4095 << 20) - (4 + 4096 * 8 + 12);
    let edge = |last: usize| {
        let last = chunk.slice(..last);
        AppMessage::new(vec![chunk.clone(); 4095].into_iter().chain([last]).collect())
    };
    assert_eq!(rest % 8, 7, "what fills up to 8 would not fit either");
    assert_eq!(edge(rest - 7).check(), Ok(()));
    assert!(edge(rest - 6).check().is_err());
}

#[test]
fn constructors_make_what_libdb_makes() {
    let host = || Host::new("h").unwrap();
    let [proposal, legacy] = [
        Handshake::from(Proposal::new(host(), 0x1234, 0x0506_0708, VersionRange::CHANNELS)),
        LegacyHandshake::new(host(), 0x1234, 0x0506_0708).into(),
    ];
    let control = b"\x01\0\0\0\x34\x12\0\0\x05\x06\x07\x08";
    assert_eq!(check_encoding(&proposal)[9..], [&control[..], b"h\0\0\0\0\x04\0\0\0\x04\0"].concat());
    assert_eq!(check_encoding(&legacy)[9..], [&control[..], b"h\0"].concat());
    let parameters = Parameters::channel(host(), 7);
    assert_eq!(check_encoding(&Handshake::from(parameters))[9..], *b"\0\x07\0\x08\0\0\0\x07\0\0\0\x02h\0");
    for (control, version) in
        [(Control::V2 { priority: 1 }, 2), (Control::V3 { priority: 1, flags: ConnectionFlags::all() }, 3), (v4(), 4)]
    {
        assert_eq!((control.version(), Confirmation::new(site(control)).version), (Version(version), Version(version)));
        let mut stream = MessageStream::new(Side::Listener, VersionRange::ALL, &LIMITS);
        let mut src = BytesMut::from(&check_encoding(&Handshake::from(Confirmation::new(site(control))))[..]);
        assert!(stream.decode_next(&mut src).unwrap().is_some());
        assert_eq!(stream.version(), Some(Version(version)));
    }
}
