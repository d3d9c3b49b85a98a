//! What must not be sent in a message of a native protocol, whatever the protocol: how each case is put to the codec,
//! and what all protocols refuse alike.

use bytes::Bytes;
use handover::error::{DecodeError, DecodeErrorKind};
use handover::frame::{CloseReason, ExtensionType, Extensions, Frame, FrameFlags, Native, Protocol};
use handover::testing::native::Subject;
use std::fmt::Debug;

/// A protocol's kinds of messages.
pub(crate) trait Kind: Copy + Debug {
    type Message: Subject;

    fn number(self) -> u8;

    /// A message of a kind that is not known.
    fn unknown(self, body: Bytes) -> Self::Message;
}

/// A body that is good, of a kind, and what its message is called in errors.
pub(crate) type Good<K> = (K, &'static str, Vec<u8>);

pub(crate) fn frame<K: Kind>(kind: K, flags: u8, body: &[u8]) -> Frame {
    let flags = FrameFlags::from_bits_retain(flags);
    Frame { protocol: K::Message::PROTOCOL, kind: kind.number(), flags, body: Bytes::copy_from_slice(body) }
}

pub(crate) fn read<K: Kind>(kind: K, body: &[u8]) -> Result<K::Message, DecodeError> {
    let frame = frame(kind, 0, body);
    let message = K::Message::from_frame(&frame);
    if let Ok(message) = &message {
        assert_eq!(message.to_frame().as_ref(), Ok(&frame), "it is written as it came");
    }
    message
}

pub(crate) fn sized8(value: &[u8]) -> Vec<u8> {
    [&[u8::try_from(value.len()).unwrap()], value].concat()
}

pub(crate) fn sized16(value: &[u8]) -> Vec<u8> {
    [&u16::try_from(value.len()).unwrap().to_be_bytes()[..], value].concat()
}

#[track_caller]
pub(crate) fn refused<K: Kind>(kind: K, body: &[u8], message: &str, field: &str, reason: &str, got: u64) {
    let error = read(kind, body).expect_err("it is refused");
    assert_eq!((error.message, error.field), (message, field), "{error}");
    match error.kind {
        DecodeErrorKind::Invalid { reason: said, got: told }
        | DecodeErrorKind::Unsupported { reason: said, got: told } => assert_eq!((said, told), (reason, got)),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn short<K: Kind>(kind: K, body: &[u8], message: &str, field: &str, needed: u64, left: u64) {
    let error = read(kind, body).expect_err("it is refused");
    assert_eq!((error.message, error.field, error.kind), (message, field, DecodeErrorKind::Short { needed, left }));
}

/// Every message, at every place: short, or what it counts is, or its extensions are.
pub(crate) fn check_cut_anywhere<K: Kind>(good: &[Good<K>], is_counted: impl Fn(&DecodeError) -> bool) {
    for (kind, name, body) in good {
        assert!(read(*kind, body).is_ok(), "{kind:?}: {:?}", read(*kind, body));
        let kind_name = K::Message::kind_name(kind.number()).expect("it is known");
        assert!(kind_name.replace('_', "").eq_ignore_ascii_case(name), "{name}");
        for end in 0..body.len() {
            let error = read(*kind, &body[..end]).expect_err("it is cut");
            // What would be room for a list is missed when its number is read.
            assert!(error.kind.name() == "short" || is_counted(&error), "{kind:?} {end}: {error}");
            assert_eq!(error.message, *name);
        }
        let error = read(*kind, &[&body[..], &[0]].concat()).unwrap_err();
        assert_eq!((error.field, error.kind.name()), ("extension_type", "short"), "{kind:?}");
    }
}

/// An extension that is not known ends what must understand it, and is kept by what need not: `kept` has the extensions
/// of the message of one kind.
pub(crate) fn check_extensions<K: Kind>(good: &[Good<K>], kept: impl Fn(&K::Message) -> Option<&Extensions>) {
    let mut seen = 0;
    for ty in [0x8000_u16, 0xffff] {
        let list = [&[0, 1, 0, 1, 9][..], &ty.to_be_bytes(), &[0, 0]].concat();
        for (kind, name, body) in good {
            let reason = "an extension that must be understood";
            refused(*kind, &[&body[..], &list].concat(), name, "extensions", reason, ty.into());
            // The one in front of it need not be, and is kept.
            let message = read(*kind, &[&body[..], &list[..5]].concat()).unwrap();
            if let Some(extensions) = kept(&message) {
                let list: Vec<_> = extensions.iter().map(|extension| (extension.ty, extension.value)).collect();
                assert_eq!(list, [(ExtensionType(1), &[9][..])]);
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 2);
}

/// What is not known and need not be is kept, and written as it came; what must be known ends the link.
pub(crate) fn check_unknown<K: Kind>(kinds: &[K]) {
    for kind in kinds {
        let message = K::Message::from_frame(&frame(*kind, 0xfe, b"of tomorrow")).unwrap();
        assert_eq!(message, kind.unknown(Bytes::from_static(b"of tomorrow")));
        let error = K::Message::from_frame(&frame(*kind, 1, b"of tomorrow")).unwrap_err();
        assert_eq!((error.message, error.field, error.kind.name()), ("Header", "kind", "unsupported"));
        assert_eq!(CloseReason::for_error(&error), CloseReason::UNKNOWN);
    }
}

pub(crate) fn check_other_protocols<K: Kind>(kind: K, body: &[u8]) {
    let others = [Protocol::LINK, Protocol::DEFERRAL, Protocol::GROUP, Protocol::SESSION, Protocol(200)];
    for protocol in others.into_iter().filter(|protocol| *protocol != K::Message::PROTOCOL) {
        let error = K::Message::from_frame(&Frame { protocol, ..frame(kind, 0, body) }).unwrap_err();
        assert_eq!((error.message, error.field, error.kind.name()), ("Header", "protocol", "invalid"));
    }
}

/// What is no text for people: why, and what is told of it.
pub(crate) const NO_TEXTS: [(&[u8], &str, u64); 9] = [
    (b"\0", "a control character", 0),
    (b"two\r\nlines", "a control character", 13),
    (b"\x1b[31m", "a control character", 0x1b),
    (b"\x7f", "a control character", 0x7f),
    ("ok \u{85}".as_bytes(), "a control character", 0x85),
    (b"\x80", "no UTF-8", 0x80),
    (b"caf\xe9", "no UTF-8", 0xe9),
    (b"\xc0\xaf", "no UTF-8", 0xc0),
    (b"\xed\xa0\x80", "no UTF-8", 0xed),
];

/// What is shown of a message in which "secret" stands: not that.
#[track_caller]
pub(crate) fn shown_without_secret(message: &impl Debug) -> String {
    let shown = format!("{message:?}");
    assert!(!shown.contains("secret") && !shown.contains("115, 101"), "{shown}");
    shown
}
