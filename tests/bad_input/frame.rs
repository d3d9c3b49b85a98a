//! What an end of a native link must not send: each case says precisely what is wrong, what is answered, and that
//! nothing is stored for what was only announced. And what looks wrong and is taken all the same.

use bytes::Bytes;
use handover::error::{DecodeError, DecodeErrorKind, Error, Limit, Misuse, Violation};
use handover::frame::link::{Config, Ending, Event, Input, Link, Output, State};
use handover::frame::{
    Capabilities, Close, CloseReason, Extension, ExtensionType, Extensions, Frame, FrameFlags, FrameStream, Header,
    Hello, Native, Offer, Protocol, Text, VersionRange,
};
use handover::limits::FrameLimits;
use handover::machine::Machine;
use handover::time::Instant;
use handover::wire::{Encode, Framer};
use std::time::Duration;

const LIMITS: FrameLimits = FrameLimits::DEFAULT;
const NOW: Instant = Instant::ZERO;
const NAMED: Protocol = Protocol::DEFERRAL;
const OTHER: Protocol = Protocol(200);

fn invalid(field: &'static str, reason: &'static str, got: u64) -> DecodeError {
    DecodeError { message: "Hello", field, kind: DecodeErrorKind::Invalid { reason, got } }
}

fn hello() -> Hello {
    Hello { max_body: 2000, ..Hello::new([Offer::new(NAMED, Capabilities::empty())]) }
}

fn frame(protocol: Protocol, kind: u8, flags: u8, body: impl Into<Bytes>) -> Frame {
    Frame { protocol, kind, flags: FrameFlags::from_bits_retain(flags), body: body.into() }
}

/// The body of the least useful hello, to be spoilt.
fn body() -> Vec<u8> {
    hello().to_frame().unwrap().body.to_vec()
}

fn later(seconds: u64) -> Instant {
    NOW.saturating_add(Duration::from_secs(seconds))
}

fn outputs(link: &mut Link) -> Vec<Output> {
    std::iter::from_fn(|| link.poll_output()).collect()
}

/// A link that waits for the other end's hello.
fn greeting(config: Config) -> Link {
    let mut link = Link::new(config, NOW);
    link.handle(NOW, Input::Opened).unwrap();
    assert_eq!(outputs(&mut link).len(), 1);
    link
}

/// A link whose other end takes 1500 bytes.
fn ready(config: Config) -> Link {
    let mut link = greeting(config);
    let theirs = Hello { max_body: 1500, ..hello() };
    link.handle(NOW, Input::Frame(theirs.to_frame().unwrap())).unwrap();
    assert!(matches!(&outputs(&mut link)[..], [Output::Event(Event::Ready(_))]));
    link
}

fn config() -> Config {
    Config::new(hello())
}

fn passing_on() -> Config {
    let mut config = config();
    config.pass_on = true;
    config
}

/// The link has said why, has closed, and is over; it takes nothing more.
#[track_caller]
fn is_over(link: &mut Link, reason: CloseReason) {
    let [Output::Send(close), Output::Close, Output::Event(Event::Closed(Ending::Local(told)))] = &outputs(link)[..]
    else {
        panic!("it does not close: {link:?}");
    };
    assert_eq!((Close::from_frame(close), *told), (Ok(Close::new(reason)), reason));
    assert_eq!((link.state(), link.poll_timeout()), (State::Closed, None));
    let dead = link.clone();
    for input in [
        Input::Opened,
        Input::Frame(hello().to_frame().unwrap()),
        Input::Frame(frame(NAMED, 1, 0, "x")),
        Input::Frame(Close::new(CloseReason::DONE).to_frame().unwrap()),
        Input::Send(frame(NAMED, 1, 0, "x")),
        Input::Close(Close::new(CloseReason::DONE)),
        Input::Closed,
    ] {
        let refused = link.handle(NOW, input);
        assert!(matches!(refused, Err(Error::Misuse(Misuse::WrongState { state: "Closed", .. }))), "{refused:?}");
    }
    assert_eq!(link.handle(later(1), Input::Timeout), Ok(()));
    assert_eq!((outputs(link), &*link), (vec![], &dead));
}

/// A frame is a violation.
#[track_caller]
fn violates(mut link: Link, frame: Frame, expected: &'static str, reason: CloseReason) {
    let state = link.state();
    let result = link.handle(NOW, Input::Frame(frame));
    let Err(Error::Violation(Violation { state: named, expected: told, got })) = result else {
        panic!("{result:?}");
    };
    assert_eq!((named, told), (if state == State::Ready { "Ready" } else { "Greeting" }, expected));
    assert!(!got.is_empty());
    is_over(&mut link, reason);
}

#[test]
fn lengths_beyond_the_limits_are_refused_on_the_header() {
    let limits = LIMITS;
    for (protocol, most, what) in [(NAMED, limits.frame, "frame"), (Protocol::LINK, limits.hello, "hello")] {
        for length in [most + 1, most * 2, 1 << 31, u32::MAX - 8, u32::MAX] {
            let header = Header { length, protocol, kind: 1, flags: FrameFlags::empty() }.to_vec().unwrap();
            let limit = Limit { what, limit: most.into(), got: length.into() };
            let expected = DecodeError { message: "Header", field: "length", kind: DecodeErrorKind::Limit(limit) };
            let mut framer = Framer::new(FrameStream::new(&limits));
            framer.push(&header[..7]);
            assert_eq!(framer.next_item(), Ok(None));
            framer.push(&header[7..]);
            assert_eq!(framer.next_item(), Err(expected), "{protocol} {length}");
            // What follows is dropped.
            framer.push(&[0; 4096]);
            assert_eq!((framer.next_item(), framer.buffered()), (Err(expected), 0));
            assert!(framer.buffer_mut().capacity() < 4096, "nothing was stored");

            let mut link = ready(config());
            assert_eq!(link.handle(NOW, Input::Malformed(expected)), Ok(()));
            is_over(&mut link, CloseReason::LIMIT);
        }
        // The largest is taken, and waited for without room being made.
        let header = Header { length: most, protocol, kind: 9, flags: FrameFlags::empty() }.to_vec().unwrap();
        let mut framer = Framer::new(FrameStream::new(&limits));
        framer.push(&header);
        assert_eq!(framer.next_item(), Ok(None));
        assert!(framer.buffer_mut().capacity() < 4096, "an announced length is no allocation");
        let body = vec![7; most as usize];
        framer.push(&body);
        assert_eq!(framer.next_item().unwrap().unwrap().body, body);
    }
}

/// Where no limit is set, 4 GiB may be announced: as much is stored as has come.
#[test]
fn four_gigabytes_are_only_announced() {
    let mut limits = LIMITS;
    limits.frame = u32::MAX;
    let mut framer = Framer::new(FrameStream::new(&limits));
    framer.push(&[0xff, 0xff, 0xff, 0xff, 1, 1, 1, 0]);
    for _ in 0..1000 {
        framer.push(&[0; 10]);
        assert_eq!(framer.next_item(), Ok(None));
    }
    assert_eq!(framer.buffered(), 10_008);
    assert!(framer.buffer_mut().capacity() < 64 << 10);
}

#[test]
fn another_version_of_the_frame() {
    for version in [0, 2, 255] {
        for length in [0, u32::MAX] {
            let mut header = Header { length, protocol: NAMED, kind: 1, flags: FrameFlags::CRITICAL }.to_vec().unwrap();
            header[4] = version;
            let error = Header::parse(&header, &LIMITS).unwrap_err();
            assert_eq!((error.message, error.field, error.kind.name()), ("Header", "version", "unsupported"));
            let mut link = greeting(config());
            link.handle(NOW, Input::Malformed(error)).unwrap();
            is_over(&mut link, CloseReason::UNKNOWN);
        }
    }
}

#[test]
fn a_hello_that_is_cut_anywhere() {
    let full = Hello { agent: Text::new("somebody").unwrap(), ..hello() }.to_frame().unwrap();
    for end in 0..full.body.len() {
        let cut = Frame { body: full.body.slice(..end), ..full.clone() };
        let error = Hello::from_frame(&cut).unwrap_err();
        assert_eq!((error.message, error.kind.name()), ("Hello", "short"), "{end}");
        violates(greeting(config()), cut, "a hello", CloseReason::MALFORMED);
    }
    let longer = Frame { body: [&full.body[..], &[0]].concat().into(), ..full };
    violates(greeting(config()), longer, "a hello", CloseReason::MALFORMED);
}

#[test]
fn a_hello_that_says_what_may_not_be_said() {
    let offers = |list: &[(u8, u16, u16)]| {
        let offers = list.iter().flat_map(|&(protocol, min, max)| {
            [&[protocol][..], &min.to_be_bytes(), &max.to_be_bytes(), &[0; 8]].concat()
        });
        [&body()[..10], &[list.len() as u8], &offers.collect::<Vec<_>>()].concat()
    };
    let mut small = body();
    small[..4].copy_from_slice(&1023_u32.to_be_bytes());
    let mut long = body();
    long[8] = 65;
    let cases = [
        (small, invalid("max_body", "at least 1024", 1023)),
        (long, invalid("identity_size", "at most 64", 65)),
        (offers(&[(0, 1, 1)]), invalid("protocol", "the link itself is not offered", 0)),
        (offers(&[(9, 1, 1), (1, 1, 1), (9, 2, 2)]), invalid("protocol", "offered twice", 9)),
        (offers(&[(1, 1, 1), (9, 4, 3)]), invalid("min_version", "higher than the highest", 4)),
        (offers(&[(9, 0xffff, 0)]), invalid("min_version", "higher than the highest", 0xffff)),
    ];
    for (body, expected) in cases {
        let frame = frame(Protocol::LINK, Hello::KIND, 1, body);
        assert_eq!(Hello::from_frame(&frame), Err(expected));
        violates(greeting(config()), frame, "a hello", CloseReason::MALFORMED);
    }
}

#[test]
fn texts_that_are_none() {
    let cases: [(&[u8], &str, u64); 12] = [
        (b"\0", "a control character", 0),
        (b"a\tb", "a control character", 9),
        (b"two\nlines", "a control character", 10),
        (b"\x1b[31m", "a control character", 0x1b),
        (b"\x7f", "a control character", 0x7f),
        ("\u{80}".as_bytes(), "a control character", 0x80),
        ("ok \u{9f}".as_bytes(), "a control character", 0x9f),
        (b"\x80", "no UTF-8", 0x80),
        (b"caf\xe9", "no UTF-8", 0xe9),
        (b"\xc0\xaf", "no UTF-8", 0xc0),
        (b"\xed\xa0\x80", "no UTF-8", 0xed),
        (b"ab\xf4\x90\x80\x80", "no UTF-8", 0xf4),
    ];
    for (text, reason, got) in cases {
        let sized = [&[text.len() as u8], text].concat();
        let agent = [&body()[..9], &sized, &body()[10..]].concat();
        let greeting_frame = frame(Protocol::LINK, Hello::KIND, 1, agent);
        assert_eq!(Hello::from_frame(&greeting_frame), Err(invalid("agent", reason, got)));
        violates(greeting(config()), greeting_frame, "a hello", CloseReason::MALFORMED);

        let close = frame(Protocol::LINK, Close::KIND, 0, [&[0, 0], &sized[..]].concat());
        let error = DecodeError { message: "Close", ..invalid("text", reason, got) };
        assert_eq!(Close::from_frame(&close), Err(error));
        violates(greeting(config()), close.clone(), "a close", CloseReason::MALFORMED);
        violates(ready(config()), close, "a close", CloseReason::MALFORMED);
        assert!(String::from_utf8(text.to_vec()).is_ok_and(|text| Text::new(text).is_some()).eq(&false));
    }
    // The neighbours of what is refused.
    for text in ["\u{20}", "\u{7e}", "\u{a0}", "\u{ff}", "\u{2028}", "\u{10ffff}", &"x".repeat(255)] {
        let sized = [&[0, 0, text.len() as u8], text.as_bytes()].concat();
        let close = Close::from_frame(&frame(Protocol::LINK, Close::KIND, 0, sized)).unwrap();
        assert_eq!((close.text.as_str(), close.reason), (text, CloseReason::DONE));
    }
    assert_eq!(Text::fitting("a\u{85}b\0c").as_str(), "a b c");
    assert_eq!(Text::fitting(&"é".repeat(200)).as_str(), "é".repeat(127));
}

#[test]
fn extensions_that_must_be_understood_and_are_not() {
    for ty in [0x8000, 0x8001, 0xffff] {
        let list = [Extension { ty: ExtensionType(1), value: b"known to none, and harmless" }];
        let list = list.into_iter().chain([Extension { ty: ExtensionType(ty), value: b"" }]);
        let extensions = Extensions::new(list).unwrap();
        let theirs = Hello { extensions: extensions.clone(), ..hello() }.to_frame().unwrap();
        let error = Hello::from_frame(&theirs).unwrap_err();
        assert_eq!((error.field, error.kind.name()), ("extensions", "unsupported"));
        assert!(error.to_string().ends_with(&format!("(got {ty})")), "{error}");
        violates(greeting(config()), theirs, "a hello", CloseReason::UNKNOWN);
        let close = Close { extensions, ..Close::new(CloseReason::DONE) }.to_frame().unwrap();
        violates(ready(config()), close, "a close", CloseReason::UNKNOWN);
    }
    // One that need not be is kept.
    let extensions = Extensions::new([Extension { ty: ExtensionType(0x7fff), value: &[1; 300] }]).unwrap();
    let mut link = greeting(config());
    let theirs = Hello { extensions, ..hello() };
    link.handle(NOW, Input::Frame(theirs.to_frame().unwrap())).unwrap();
    assert_eq!(link.settled().map(|settled| &settled.peer), Some(&theirs));
}

#[test]
fn nothing_comes_before_the_hello() {
    for frame in [
        frame(NAMED, 1, 0, ""),
        frame(OTHER, 1, 1, "x"),
        frame(Protocol::LINK, 3, 0, ""),
        frame(Protocol::LINK, 0, 1, "a hello, perhaps"),
        frame(Protocol::LINK, 255, 0xfe, ""),
    ] {
        violates(greeting(config()), frame.clone(), "a hello", CloseReason::VIOLATION);
        violates(greeting(passing_on()), frame, "a hello", CloseReason::VIOLATION);
    }
    // But a close.
    let mut link = greeting(config());
    let close = Close { text: Text::new("full").unwrap(), ..Close::new(CloseReason::GOING_AWAY) };
    link.handle(NOW, Input::Frame(close.to_frame().unwrap())).unwrap();
    assert_eq!(outputs(&mut link), [Output::Close, Output::Event(Event::Closed(Ending::Peer(close)))]);
}

#[test]
fn a_second_hello() {
    let again = hello().to_frame().unwrap();
    violates(ready(config()), again.clone(), "frames", CloseReason::VIOLATION);
    violates(
        ready(passing_on()),
        Frame { flags: FrameFlags::empty(), body: Bytes::new(), ..again },
        "frames",
        CloseReason::VIOLATION,
    );
}

#[test]
fn kinds_of_the_link_that_are_not_known() {
    for kind in [0, 3, 255] {
        violates(ready(config()), frame(Protocol::LINK, kind, 0x81, ""), "a kind that is known", CloseReason::UNKNOWN);
        let mut link = ready(config());
        let before = link.clone();
        for flags in [0, 0x80, 0xfe] {
            assert_eq!(link.handle(NOW, Input::Frame(frame(Protocol::LINK, kind, flags, "skipped"))), Ok(()));
            assert_eq!((outputs(&mut link), &link), (vec![], &before));
        }
    }
}

#[test]
fn protocols_that_are_not_spoken() {
    let strange = frame(OTHER, 3, 0x41, "strange");
    violates(ready(config()), strange.clone(), "a protocol that is spoken here", CloseReason::UNKNOWN);
    let refused = ready(config()).handle(NOW, Input::Send(strange.clone()));
    assert_eq!(refused, Err(Misuse::Argument { what: "protocol", reason: "not spoken on this link" }.into()));
    // A proxy passes them on, both ways, with every bit.
    let mut link = ready(passing_on());
    link.handle(NOW, Input::Frame(strange.clone())).unwrap();
    link.handle(NOW, Input::Send(strange.clone())).unwrap();
    assert_eq!(outputs(&mut link), [Output::Event(Event::Frame(strange.clone())), Output::Send(strange)]);
    // But for what is the link's own.
    for kind in [0, Hello::KIND, Close::KIND, 9] {
        let refused = link.handle(NOW, Input::Send(frame(Protocol::LINK, kind, 0, "")));
        assert!(matches!(refused, Err(Error::Misuse(Misuse::Argument { what: "protocol", .. }))), "{refused:?}");
    }
}

#[test]
fn bodies_that_are_larger_than_was_said() {
    for config in [config(), passing_on()] {
        let mut link = ready(config.clone());
        // We take 2000, they take 1500.
        let largest = frame(NAMED, 1, 0, vec![1; 2000]);
        link.handle(NOW, Input::Frame(largest.clone())).unwrap();
        assert_eq!(outputs(&mut link), [Output::Event(Event::Frame(largest))]);
        let sent = frame(NAMED, 1, 0, vec![1; 1500]);
        link.handle(NOW, Input::Send(sent.clone())).unwrap();
        assert_eq!(outputs(&mut link), [Output::Send(sent)]);
        let before = link.clone();
        let refused = link.handle(NOW, Input::Send(frame(NAMED, 1, 0, vec![1; 1501])));
        assert_eq!(refused, Err(Misuse::Argument { what: "body", reason: "larger than the other end takes" }.into()));
        assert_eq!(link, before);
        for protocol in [NAMED, OTHER] {
            violates(
                ready(config.clone()),
                frame(protocol, 1, 0, vec![1; 2001]),
                "a body within max_body",
                CloseReason::LIMIT,
            );
        }
    }
}

#[test]
fn an_end_promises_no_more_than_it_takes() {
    for (frame_limit, said, expected) in
        [(1500, 4000, 1500), (1500, 1200, 1200), (10, 4000, 1024), (u32::MAX, 4000, 4000)]
    {
        let mut config = Config::new(Hello { max_body: said, ..hello() });
        config.limits.frame = frame_limit;
        let mut link = Link::new(config, NOW);
        link.handle(NOW, Input::Opened).unwrap();
        let [Output::Send(frame)] = &outputs(&mut link)[..] else { panic!("{link:?}") };
        assert_eq!(Hello::from_frame(frame).unwrap().max_body, expected);
    }
}

#[test]
fn what_cannot_be_said_is_refused_and_nothing_changes() {
    let offer = Offer::new(NAMED, Capabilities::empty());
    let versions = VersionRange { min: 2, max: 1 };
    let long = Extensions::new([Extension { ty: ExtensionType(1), value: &[0; 8192] }]).unwrap();
    for (bad, why) in [
        (Hello { max_body: 1023, ..hello() }, "at least 1024"),
        (Hello::new([offer, offer]), "each protocol once, not the link itself, versions in order"),
        (Hello::new([Offer { versions, ..offer }]), "each protocol once, not the link itself, versions in order"),
        (Hello::new([offer; 256]), "too long"),
        (Hello { extensions: long.clone(), ..hello() }, "too long"),
    ] {
        let mut link = Link::new(Config::new(bad), NOW);
        let before = link.clone();
        let refused = link.handle(NOW, Input::Opened);
        assert_eq!(refused, Err(Misuse::Argument { what: "hello", reason: why }.into()));
        assert_eq!((&link, outputs(&mut link.clone())), (&before, vec![]));
        // It can still be given up, or runs out of time.
        link.handle(link.poll_timeout().unwrap(), Input::Timeout).unwrap();
        let ended = Output::Event(Event::Closed(Ending::Local(CloseReason::TIMED_OUT)));
        assert_eq!(outputs(&mut link), [Output::Close, ended]);
    }
    let mut link = ready(config());
    let before = link.clone();
    let refused = link.handle(NOW, Input::Close(Close { extensions: long, ..Close::new(CloseReason::DONE) }));
    assert_eq!(refused, Err(Misuse::Argument { what: "close", reason: "too long" }.into()));
    assert_eq!(link, before);
}

#[test]
fn an_end_that_says_nothing() {
    let mut link = greeting(config());
    let due = link.poll_timeout().unwrap();
    assert_eq!(due, later(10));
    link.handle(due, Input::Timeout).unwrap();
    is_over(&mut link, CloseReason::TIMED_OUT);
    // A transport that is not there hears no close.
    let mut link = Link::new(config(), NOW);
    link.handle(link.poll_timeout().unwrap(), Input::Timeout).unwrap();
    let ended = Output::Event(Event::Closed(Ending::Local(CloseReason::TIMED_OUT)));
    assert_eq!(outputs(&mut link), [Output::Close, ended]);
    // One that goes without a word is lost, wherever the link stands.
    for mut link in [Link::new(config(), NOW), greeting(config()), ready(config())] {
        link.handle(NOW, Input::Closed).unwrap();
        assert_eq!(outputs(&mut link), [Output::Event(Event::Closed(Ending::Lost))]);
        assert_eq!((link.state(), link.poll_timeout()), (State::Closed, None));
    }
}

/// A message reads no other kind, and no other protocol's.
#[test]
fn a_frame_of_something_else() {
    let close = Close::new(CloseReason::DONE).to_frame().unwrap();
    let hello = hello().to_frame().unwrap();
    let facts = |error: DecodeError| (error.message, error.field, error.kind.name());
    assert_eq!(
        facts(Hello::from_frame(&Frame { kind: 2, ..hello.clone() }).unwrap_err()),
        ("Header", "kind", "invalid")
    );
    assert_eq!(
        facts(Close::from_frame(&Frame { kind: 1, ..close.clone() }).unwrap_err()),
        ("Header", "kind", "invalid")
    );
    assert_eq!(
        facts(Hello::from_frame(&Frame { protocol: NAMED, ..hello }).unwrap_err()),
        ("Header", "protocol", "invalid")
    );
    assert_eq!(
        facts(Close::from_frame(&Frame { protocol: NAMED, ..close }).unwrap_err()),
        ("Header", "protocol", "invalid")
    );
}

/// What is not shown: bodies are the application's.
#[test]
fn a_frame_s_body_is_not_shown() {
    let shown = format!("{:?}", frame(NAMED, 1, 0, "a ticket"));
    assert_eq!(shown, "Frame { DEFERRAL 1, flags 0x0, 8 bytes }");
    let extensions = Extensions::new([Extension { ty: ExtensionType(1), value: b"a ticket" }]).unwrap();
    let shown = format!(
        "{:?} {:?}",
        Close { extensions, ..Close::new(CloseReason::DONE) },
        Input::Frame(frame(NAMED, 1, 0, "a ticket"))
    );
    assert!(!shown.contains("ticket") && !shown.contains("97, 32"), "{shown}");
}
