use super::link::{Config, Event, Input, Link, Output, State};
use super::*;
use crate::error::{DecodeError, DecodeErrorKind, Error, Limit, Misuse};
use crate::hold::{Held, Weight as _};
use crate::limits::FrameLimits;
use crate::machine::Machine as _;
use crate::time::Instant;
use crate::wire::{Encode as _, StreamDecode as _};
use alloc::format;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};

const LIMITS: FrameLimits = FrameLimits::DEFAULT;

fn frame(body: &'static [u8]) -> Frame {
    Frame { protocol: Protocol::GROUP, kind: 9, flags: FrameFlags::CRITICAL, body: Bytes::from_static(body) }
}

#[test]
fn a_header_has_its_fields_where_they_should_be() {
    let header = Header { length: 0x0102, protocol: Protocol(4), kind: 5, flags: FrameFlags::from_bits_retain(0x86) };
    let bytes = [0, 0, 1, 2, 1, 4, 5, 0x86];
    assert_eq!(header.to_vec().as_deref(), Ok(&bytes[..]));
    assert_eq!(Header::parse(&bytes, &LIMITS), Ok(Some(header)));
    // What is behind it does not matter, and without its end it is nothing.
    assert_eq!(Header::parse(&[&bytes[..], &[9]].concat(), &LIMITS), Ok(Some(header)));
    (0..8).for_each(|end| assert_eq!(Header::parse(&bytes[..end], &LIMITS), Ok(None)));
}

#[test]
fn how_many_bytes_a_stream_needs() {
    let stream = FrameStream::new(&LIMITS);
    let bytes = frame(b"four").to_vec().unwrap();
    (0..8).for_each(|end| assert_eq!(stream.needed(&bytes[..end]), 8));
    (8..12).for_each(|end| assert_eq!(stream.needed(&bytes[..end]), 12));
    // An error is said at once.
    assert_eq!(stream.needed(&[0, 0, 0, 9, 7, 0, 0, 0]), 0);
    assert_eq!(stream.needed(&[0xff, 0xff, 0xff, 0xff, 1, 1, 0, 0]), 0);
}

#[test]
fn a_body_is_shared_and_not_copied() {
    let mut src = BytesMut::from(&*frame(b"a body of some length").to_vec().unwrap());
    let at = src.as_ptr() as usize;
    let taken = FrameStream::new(&LIMITS).decode_next(&mut src).unwrap().unwrap();
    assert_eq!(taken.body.as_ptr() as usize, at + Header::SIZE);
    assert_eq!((taken, src.len()), (frame(b"a body of some length"), 0));

    let hello = Hello { identity: Identity::new(&b"somebody"[..]).unwrap(), ..Hello::new([]) }.to_frame().unwrap();
    let read = Hello::from_frame(&hello).unwrap();
    let body = hello.body.as_ptr_range();
    assert!(body.contains(&read.identity.as_bytes().as_ptr()));
}

#[test]
fn a_frame_weighs_what_its_body_does() {
    let mut held = Held::new();
    held.push(frame(b"four"));
    assert_eq!(frame(b"four").weight(), 4);
    assert!(held.check_room(&frame(b"four"), 2, 8).is_ok() && held.check_room(&frame(b"more."), 2, 8).is_err());
}

#[test]
fn names() {
    assert_eq!(
        format!("{} {:?} {}", Protocol::SESSION, Protocol(77), CloseReason::LIMIT),
        "SESSION Protocol(77) LIMIT"
    );
    let close = Close::new(CloseReason::DONE);
    let hello = Hello::new([]);
    assert_eq!([hello.name(), close.name()], ["HELLO", "CLOSE"]);
    assert_eq!((hello.kind(), hello.flags()), (1, FrameFlags::CRITICAL));
    assert_eq!((close.kind(), close.flags()), (2, FrameFlags::empty()));
    let identity = Identity::new(&[0xde, 0xad][..]).unwrap();
    assert_eq!(format!("{identity:?} {:?}", Identity::NONE), "dead ");
    assert_eq!(LongIdentity.to_string(), "an identity has at most 64 bytes");
    assert_eq!(InvalidText.to_string(), "a text has at most 255 bytes and no control characters");
}

#[test]
fn reasons_of_refusals() {
    let reason = |kind| CloseReason::for_error(&DecodeError { message: "Hello", field: "boot", kind });
    let limit = Limit { what: "frame", limit: 1, got: 2 };
    assert_eq!(reason(DecodeErrorKind::Limit(limit)), CloseReason::LIMIT);
    assert_eq!(reason(DecodeErrorKind::Unsupported { reason: "", got: 0 }), CloseReason::UNKNOWN);
    assert_eq!(reason(DecodeErrorKind::Invalid { reason: "", got: 0 }), CloseReason::MALFORMED);
    assert_eq!(reason(DecodeErrorKind::Short { needed: 1, left: 0 }), CloseReason::MALFORMED);
}

#[test]
fn extensions_are_listed_in_order() {
    let list = [(3, &b"abc"[..]), (0x8000, b""), (3, b"d")];
    let extension = |(ty, value)| Extension { ty: ExtensionType(ty), value };
    let extensions = Extensions::new(list.map(extension)).unwrap();
    assert_eq!(extensions.as_bytes(), b"\0\x03\0\x03abc\x80\0\0\0\0\x03\0\x01d");
    assert_eq!(extensions.iter().collect::<Vec<_>>(), list.map(extension));
    assert_eq!(extensions.iter().map(|extension| extension.ty.is_critical()).collect::<Vec<_>>(), [false, true, false]);
    assert!(Extensions::NONE.is_empty() && !extensions.is_empty());
    // Types and sizes are shown, values are not.
    assert_eq!(format!("{extensions:?}"), "{3: 3, 32768: 0, 3: 1}");
    let body = Bytes::from_static(b"head\x80\x07\0\0");
    assert!(Extensions::parse("Test", &body, &body[4..], &[0x8007]).is_ok());
    assert!(Extensions::parse("Test", &body, &body[4..], &[0x8008]).is_err());
}

#[test]
fn outputs_that_nobody_takes_are_bounded() {
    let mut config = Config::new(Hello::new([Offer::new(Protocol::GROUP, Capabilities::empty())]));
    config.limits.outputs = 3;
    let theirs = config.hello.to_frame().unwrap();
    let mut link = Link::new(config, Instant::ZERO);
    link.handle(Instant::ZERO, Input::Opened).unwrap();
    link.handle(Instant::ZERO, Input::Frame(theirs)).unwrap();
    link.handle(Instant::ZERO, Input::Frame(frame(b""))).unwrap();
    let before = link.clone();
    for input in [Input::Frame(frame(b"")), Input::Timeout, Input::Closed] {
        let limit = Misuse::Limit(Limit { what: "outputs", limit: 3, got: 3 });
        assert_eq!(link.handle(Instant::ZERO, input), Err(Error::Misuse(limit)));
    }
    assert_eq!(link, before);
    assert!(matches!(link.poll_output(), Some(Output::Send(_))));
    link.handle(Instant::ZERO, Input::Frame(frame(b""))).unwrap();
    assert!(matches!(link.poll_output(), Some(Output::Event(Event::Ready(_)))));
    assert_eq!(link.state(), State::Ready);
}
