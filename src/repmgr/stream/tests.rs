//! Real bytes of both sides, and the rules of each stage.

use super::*;
use crate::repmgr::handshake::{Confirmation, Control, LegacyHandshake, Parameters, Proposal, SiteParameters};
use crate::repmgr::message::Wanted;
use crate::repmgr::{AckPolicy, ConnectionFlags, Host, Segments};
use crate::wire::Encode as _;
use alloc::vec::Vec;

const LIMITS: RepmgrLimits = RepmgrLimits::DEFAULT;

/// Bytes out of hexadecimal digits; anything else is there for the eye.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn all(mut stream: MessageStream, bytes: &[u8]) -> (Vec<Message>, Option<DecodeError>) {
    let (mut src, mut messages) = (BytesMut::from(bytes), Vec::new());
    loop {
        match stream.decode_next(&mut src) {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, None),
            Err(error) => return (messages, Some(error)),
        }
    }
}

fn dialler(versions: VersionRange, text: &str) -> (Vec<Message>, Option<DecodeError>) {
    all(MessageStream::new(Side::Dialler, versions, &LIMITS), &hex(text))
}

fn listener(versions: VersionRange, text: &str) -> (Vec<Message>, Option<DecodeError>) {
    all(MessageStream::new(Side::Listener, versions, &LIMITS), &hex(text))
}

fn localhost() -> Host {
    Host::new("127.0.0.1").unwrap()
}

const PROPOSAL: &str = "02 0000000c 00000013 | 01000000 e017 0000 00000064 | 3132372e302e302e3100 00000001 00000004 00";
const CONFIRMATION: &str = "02 0000000c 0000000f | 17df 0008 00000007 00000004 | 3132372e302e302e3100 00000004 00";
const CHANNEL: &str = "02 0000000c 0000000a | 17e0 0008 00000007 00000006 | 3132372e302e302e3100";

#[test]
fn libdb_opens_a_channel() {
    let flags = ConnectionFlags::APP_CHANNEL | ConnectionFlags::ELECTABLE;
    let site = SiteParameters::new(localhost(), 6112, Control::v4(AckPolicy::QUORUM, flags));
    let said: [Handshake; 2] =
        [Proposal::new(localhost(), 6112, 100, VersionRange::ALL).into(), Parameters { site }.into()];
    let text = [PROPOSAL, CHANNEL].concat();
    let bytes: Vec<u8> = said.iter().flat_map(|step| step.to_vec().unwrap()).collect();
    assert_eq!(bytes, hex(&text));
    assert_eq!(dialler(VersionRange::CHANNELS, &text), (said.map(Message::Handshake).into(), None));
    let control = Control::v4(AckPolicy::QUORUM, ConnectionFlags::ELECTABLE);
    let confirmation = Handshake::from(Confirmation::new(SiteParameters::new(localhost(), 6111, control)));
    assert_eq!(confirmation.to_vec(), Ok(hex(CONFIRMATION)));
    assert_eq!(listener(VersionRange::ALL, CONFIRMATION), ([confirmation.into()].into(), None));
}

/// What a program that is no site says, all of it at once, and what it is answered.
#[test]
fn a_stranger_asks_and_is_answered() {
    let text = "02 0000000c 0000000b | 01000000 0000 0000 00000000 | 7800 00000004 00000004 00
        02 0000000c 00000002 | 0000 0008 00000000 00000002 | 7800
        05 00000020 00000001 | 6869 000000000000 | ffffffff 00000002 00000000 | 00000000 00000000 00000002";
    let (messages, error) = dialler(VersionRange::CHANNELS, &text.replace("| ", ""));
    assert_eq!(error, None);
    let host = || Host::new("x").unwrap();
    let control = Control::v4(AckPolicy(0), ConnectionFlags::APP_CHANNEL);
    let wanted = Wanted { tag: 0, bulk: false, limit: None };
    let expected: [Message; 3] = [
        Handshake::from(Proposal::new(host(), 0, 0, VersionRange::CHANNELS)).into(),
        Handshake::from(Parameters { site: SiteParameters::new(host(), 0, control) }).into(),
        AppMessage::request(Segments::one("hi"), wanted).into(),
    ];
    assert_eq!(messages, expected);
    let written: Vec<u8> = expected.iter().flat_map(|message| message.to_vec().unwrap()).collect();
    assert_eq!(written, hex(text));
    let answer = hex("06 00000002 00000000 6869");
    let (messages, error) = all(MessageStream::established(Version::V4, &LIMITS), &answer);
    assert_eq!((&messages[..], error), (&[Message::Response(AppResponse::single(0, "hi"))][..], None));
    assert_eq!(messages[0].to_vec(), Ok(answer));
}

#[test]
fn the_version_is_selected_as_libdb_selects_it() {
    let select = |own: VersionRange, min, max| {
        own.select(VersionRange { min: Version(min), max: Version(max) }).map(|version| version.0)
    };
    let table = [(1, 4, 4), (4, 4, 4), (2, 9, 4), (1, 3, 3), (1, 2, 2), (1, 1, 0), (5, 9, 0), (0, 0, 0)];
    for (min, max, expected) in table {
        assert_eq!(select(VersionRange::ALL, min, max).unwrap_or(0), expected, "{min}..{max}");
        let only = select(VersionRange::CHANNELS, min, max);
        assert_eq!(only.unwrap_or(0), if expected == 4 { 4 } else { 0 }, "{min}..{max}");
    }
    let own = |min, max| VersionRange { min: Version(min), max: Version(max) };
    // Nobody gets what this crate does not know, or what has no proposals.
    assert_eq!((select(own(1, 9), 1, 9), select(own(5, 9), 1, 9), select(own(1, 1), 1, 1)), (Some(4), None, None));
    assert_eq!((select(own(2, 3), 1, 4), select(own(3, 2), 1, 4), select(own(0, 0), 0, 9)), (Some(3), None, None));
}

#[test]
fn each_version_has_its_parameters() {
    let proposal = |max| PROPOSAL.replace("00000004 00", &alloc::format!("0000000{max} 00"));
    let two = "02 00000006 0000000a | 17e0 00000064 | 3132372e302e302e3100";
    let three = "02 0000000a 0000000a | 17e0 00000064 00000006 | 3132372e302e302e3100";
    let flags = ConnectionFlags::APP_CHANNEL | ConnectionFlags::ELECTABLE;
    for (version, text, control) in [
        (2, two, Control::V2 { priority: 100 }),
        (3, three, Control::V3 { priority: 100, flags }),
        (4, CHANNEL, Control::v4(AckPolicy::QUORUM, flags)),
    ] {
        let (messages, error) = dialler(VersionRange::ALL, &[&proposal(version), text].concat());
        assert_eq!(error, None);
        let parameters = Handshake::from(Parameters { site: SiteParameters::new(localhost(), 6112, control) });
        assert_eq!(messages[1..], [Message::Handshake(parameters)]);
        let confirmed = Handshake::from(Confirmation::new(SiteParameters::new(localhost(), 1, control)));
        let (messages, error) =
            all(MessageStream::new(Side::Listener, VersionRange::ALL, &LIMITS), &confirmed.to_vec().unwrap());
        assert_eq!((messages, error), ([confirmed.into()].into(), None));
    }
    // A channel is not opened with an old site: its proposal is all that comes.
    let (messages, error) = dialler(VersionRange::CHANNELS, &[&proposal(3), three].concat());
    assert_eq!((messages.len(), error.map(|error| (error.message, error.field))), (1, Some(("Header", "type"))));
}

#[test]
fn version_1_knows_no_versions() {
    let text = "02 0000000c 00000002 | 01000000 e017 0000 00000064 | 7800";
    let legacy = Message::Handshake(LegacyHandshake::new(Host::new("x").unwrap(), 6112, 100).into());
    assert_eq!(legacy.to_vec(), Ok(hex(text)));
    for side in [dialler, listener] {
        assert_eq!(side(VersionRange::ALL, text), ([legacy.clone()].into(), None));
        let (messages, error) = side(VersionRange::CHANNELS, &[text, text].concat());
        assert_eq!((messages, error.unwrap().field), ([legacy.clone()].into(), "type"));
        // Behind it there is nothing that version 1 does not have.
        let (messages, error) = side(VersionRange::ALL, &[text, "06 00000000 00000000"].concat());
        assert_eq!((messages.len(), error.unwrap().kind.name()), (1, "unsupported"));
    }
    let other = "02 0000000c 00000002 | 02000000 e017 0000 00000064 | 7800";
    assert_eq!(dialler(VersionRange::ALL, other).1.unwrap().field, "version");
    let big = "02 0000000c 00000002 | 00000001 17e0 0000 00000064 | 7800";
    assert_eq!(dialler(VersionRange::ALL, big).1, None);
}

#[test]
fn an_empty_heartbeat_may_come_before_the_proposal_and_nothing_else() {
    let (messages, error) = dialler(VersionRange::ALL, &["04 00000000 00000000", PROPOSAL].concat());
    assert_eq!((messages.len(), messages[0].name(), error), (2, "HEARTBEAT", None));
    for first in ["04 0000000c 00000000 000000000000000000000000", "06 00000000 00000000", "08 00000000 00000009"] {
        let (messages, error) = dialler(VersionRange::ALL, first);
        assert_eq!((messages, error.map(|error| error.field)), (Vec::new(), Some("type")), "{first}");
    }
    let (_, error) = listener(VersionRange::ALL, "04 00000000 00000000");
    assert_eq!(error.unwrap().field, "type");
}

#[test]
fn membership_may_come_instead_of_the_parameters() {
    let join = "08 00000014 00000004 | 0000000a 3132372e302e302e3100 17d6 00000000";
    let (messages, error) = dialler(VersionRange::ALL, &[PROPOSAL, join].concat());
    assert_eq!((messages.len(), error), (2, None));
    assert_eq!(messages[1].to_vec(), Ok(hex(join)));
    let (_, error) = dialler(VersionRange::ALL, &[PROPOSAL, join, CHANNEL].concat());
    assert_eq!(error.unwrap().field, "type");
    let (_, error) = dialler(VersionRange::ALL, &[PROPOSAL, "06 00000000 00000000"].concat());
    assert_eq!(error.unwrap().field, "type");
}

#[test]
fn debug_shows_no_payload() {
    let secret = "correct horse battery staple";
    let messages: [Message; 5] = [
        AppMessage::new(Segments::one(secret)).into(),
        AppResponse::single(1, secret).into(),
        Replication { control: secret.into(), record: secret.into() }.into(),
        OwnMessage::Unknown { ty: OwnMessageType(77), body: secret.into() }.into(),
        AppResponse::bulk(1, &Segments::one(secret)).unwrap().into(),
    ];
    for message in messages {
        let shown = alloc::format!("{message:?}");
        let bytes = alloc::format!("{:?}", secret.as_bytes());
        assert!(!shown.contains("horse") && !shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
    }
}
