//! tshark with our dissectors (spec/wireshark/) beside our decoder: it finds nothing wrong in what we write,
//! shows in each field what our decoder reads there, and complains of what our decoder refuses.
//!
//! The dissector was written from spec/frame.md, in another language and without a line of the decoder's: where both
//! agree, a third reader of the text will too. If tshark is missing the tests are skipped with a line on standard error;
//! with `HANDOVER_REQUIRE_PEERS=1` they fail.

#[path = "interop_tshark/capture.rs"]
mod capture;
#[path = "interop_tshark_native/deferral.rs"]
mod deferral;
#[path = "interop_tshark_native/frames.rs"]
mod frames;
#[path = "interop_tshark_native/group.rs"]
mod group;
#[path = "../examples/inspect/input/mod.rs"]
#[allow(dead_code, reason = "the inspector needs more of it")]
mod input;
#[path = "interop_tshark_native/messages.rs"]
mod messages;
#[path = "vectors/native/mod.rs"]
#[allow(dead_code, reason = "the vectors' own tests need more of it")]
mod native;
#[path = "interop_tshark/pdml.rs"]
#[allow(dead_code, reason = "the other test needs more of it")]
mod pdml;
mod support;
#[path = "interop_tshark/tshark.rs"]
#[allow(dead_code, reason = "the other test needs more of it")]
mod tshark;

use capture::{Capture, PORT};
use frames::{complaints, dissected, fields, shown};
use handover::error::DecodeError;
use handover::frame::{Close, Frame, FrameFlags, Hello, Native, Protocol};
use handover::limits::FrameLimits;
use handover::testing::frame as values;
use handover::testing::{Choices, Rng};
use handover::wire::Encode;
use pdml::Node;
use std::panic::catch_unwind;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/wireshark/handover.lua");
const DEFERRAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/wireshark/handover_deferral.lua");
const GROUP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/wireshark/handover_group.lua");

/// What tshark says of a capture, with our dissectors and others behind them.
fn dissect_with(capture: &Capture, more: &[&str]) -> Vec<Node> {
    let (script, ports) = (format!("lua_script:{SCRIPT}"), format!("handover.ports:{PORT}"));
    let (deferral, group) = (format!("lua_script:{DEFERRAL}"), format!("lua_script:{GROUP}"));
    let arguments = [&["-X", &script, "-X", &deferral, "-X", &group][..], more, &["-o", &ports]].concat();
    tshark::run(capture.bytes(), &arguments)
}

fn dissect(capture: &Capture) -> Vec<Node> {
    dissect_with(capture, &[])
}

/// What tshark complains of in each of the frames.
fn complaints_of_each(frames: &[(bool, Frame)], rng: &mut Rng) -> Vec<Vec<String>> {
    let packets = dissect(&talk(frames, rng));
    let protos = dissected(&packets);
    assert_eq!(protos.len(), frames.len(), "tshark sees as many frames");
    protos.into_iter().map(|proto| complaints(std::slice::from_ref(proto))).collect()
}

/// Frames of either end, in segments that begin and end anywhere.
fn talk(frames: &[(bool, Frame)], rng: &mut Rng) -> Capture {
    let mut capture = Capture::new();
    for run in frames.chunk_by(|one, other| one.0 == other.0) {
        let bytes: Vec<u8> = run.iter().flat_map(|(_, frame)| frame.to_vec().expect("it can be said")).collect();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let size = match rng.below(4) {
                0 => 1 + rng.below(9),
                1 => 1 + rng.below(100),
                _ => 1 + rng.below(2000),
            };
            let (segment, behind) = rest.split_at(rest.len().min(usize::try_from(size).expect("it is small")));
            capture.segment(run[0].0, segment);
            rest = behind;
        }
    }
    capture
}

/// Frames of all kinds.
fn any_frames(count: usize, rng: &mut Rng) -> Vec<(bool, Frame)> {
    let frames = (0..count).map(|number| {
        let bytes = rng.bytes(400);
        let choices = &mut Choices::new(&bytes);
        let frame = match number % 4 {
            0 => values::hello(choices).to_frame().expect("it can be said"),
            1 => values::close(choices).to_frame().expect("it can be said"),
            _ => {
                let mut frame = values::frame(choices);
                // A kind that is not known may be complained of.
                if frame.protocol == Protocol::LINK {
                    frame.kind |= 4;
                    frame.flags.remove(FrameFlags::CRITICAL);
                }
                if [Protocol::DEFERRAL, Protocol::GROUP].contains(&frame.protocol) {
                    frame.kind = 0x40 | frame.kind & 0x3f;
                    frame.flags.remove(FrameFlags::CRITICAL);
                }
                frame
            }
        };
        (rng.below(3) > 0, frame)
    });
    frames.collect()
}

/// Both agree on each field of each frame.
fn compare(frames: &[(bool, Frame)], packets: &[Node]) {
    let protos = dissected(packets);
    assert_eq!(protos.len(), frames.len(), "tshark sees as many frames");
    for ((_, frame), proto) in frames.iter().zip(protos) {
        assert_eq!(shown(proto), fields(frame), "{frame:?}");
        let (bytes, size) = (frame.to_vec().expect("it can be said"), proto.size);
        assert_eq!((frames::bytes(proto), size), (bytes.clone(), bytes.len()), "{frame:?}");
    }
}

#[test]
fn frames_are_shown_as_we_read_them() {
    if !tshark::available() {
        return;
    }
    for seed in 0..3 {
        let mut rng = Rng::new(seed);
        let frames = any_frames(240, &mut rng);
        let packets = dissect(&talk(&frames, &mut rng));
        assert_eq!(complaints(&packets), [""; 0]);
        compare(&frames, &packets);
    }
}

#[test]
fn the_largest_frames() {
    if !tshark::available() {
        return;
    }
    let limits = FrameLimits::DEFAULT;
    let body = |size: u32| vec![7; usize::try_from(size).expect("it is small")].into();
    let flags = FrameFlags::empty();
    let frames = [
        (true, Frame { protocol: Protocol::GROUP, kind: 0x49, flags, body: body(limits.frame) }),
        (false, Frame { protocol: Protocol::LINK, kind: 9, flags, body: body(limits.hello) }),
        (true, Close::new(handover::frame::CloseReason::DONE).to_frame().expect("it can be said")),
    ];
    let packets = dissect(&talk(&frames, &mut Rng::new(1)));
    assert_eq!(complaints(&packets), [""; 0]);
    compare(&frames, &packets);
}

/// The judge itself: what is not so it does not let pass.
#[test]
fn what_differs_is_noticed() {
    if !tshark::available() {
        return;
    }
    let mut rng = Rng::new(9);
    let frames = any_frames(40, &mut rng);
    let packets = dissect(&talk(&frames, &mut rng));
    let agrees = |frames: &[(bool, Frame)]| catch_unwind(|| compare(frames, &packets)).is_ok();
    assert!(agrees(&frames));
    assert!(!agrees(&frames[1..]) && !agrees(&[&frames[..], &frames[..1]].concat()));
    for at in 0..frames.len() {
        let mut changed = frames.clone();
        let frame = &mut changed[at].1;
        match at % 5 {
            0 if frame.protocol != Protocol::LINK => frame.protocol.0 ^= 0x80,
            1 if frame.protocol != Protocol::LINK => frame.kind ^= 1,
            2 => frame.flags.toggle(FrameFlags::from_bits_retain(0x40)),
            _ if frame.body.is_empty() => frame.body = vec![0].into(),
            _ => {
                let mut body = frame.body.to_vec();
                let byte = usize::try_from(rng.below(body.len() as u64)).expect("it is small");
                body[byte] ^= 1;
                frame.body = body.into();
            }
        }
        assert!(!agrees(&changed), "frame {at}: {:?}", changed[at].1);
    }
}

/// Whether our decoder, or a link that is ready, refuses a frame.
fn refused(frame: &Frame) -> Option<DecodeError> {
    match (frame.protocol, frame.kind) {
        (Protocol::LINK, Hello::KIND) => Hello::from_frame(frame).err(),
        (Protocol::LINK, Close::KIND) => Close::from_frame(frame).err(),
        _ => None,
    }
}

#[test]
fn it_complains_of_what_we_refuse_and_of_nothing_else() {
    if !tshark::available() {
        return;
    }
    let mut rng = Rng::new(4);
    let frames: Vec<(bool, Frame)> = (0..600)
        .map(|number| {
            let bytes = rng.bytes(300);
            let choices = &mut Choices::new(&bytes);
            let (kind, body) = match number % 2 {
                0 => (Hello::KIND, values::odd_hello(choices)),
                _ => (Close::KIND, values::odd_close(choices)),
            };
            (true, Frame { protocol: Protocol::LINK, kind, flags: FrameFlags::empty(), body: body.into() })
        })
        .collect();
    let mut counts = [0; 3];
    for ((_, frame), complaints) in frames.iter().zip(complaints_of_each(&frames, &mut rng)) {
        let ours = refused(frame);
        assert_eq!(complaints.is_empty(), ours.is_none(), "{ours:?} {complaints:?} {frame:?} {:02x?}", &frame.body[..]);
        let Some(error) = ours else {
            counts[0] += 1;
            continue;
        };
        // What is wrong first may be of either kind; only one that has a single fault can be told apart.
        if let [complaint] = &complaints[..] {
            let expected =
                if error.kind.name() == "unsupported" { "handover.unsupported" } else { "handover.malformed" };
            assert!(complaint.starts_with(expected), "{error} {complaint}");
            counts[if expected.ends_with("unsupported") { 1 } else { 2 }] += 1;
        }
    }
    assert!(counts.iter().all(|count| *count >= 20), "{counts:?}");
}

#[test]
fn headers_behind_which_nothing_can_be_found() {
    if !tshark::available() {
        return;
    }
    let cases: [(&[u8], &str); 5] = [
        (&[0, 4, 0, 1, 1, 1, 1, 0], "handover.beyond"),
        (&[0, 0, 0x20, 1, 1, 0, 3, 0], "handover.beyond"),
        (&[0xff, 0xff, 0xff, 0xff, 1, 200, 0, 1], "handover.beyond"),
        (&[0xff, 0xff, 0xff, 0xff, 2, 0, 1, 1], "handover.unsupported"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "handover.unsupported"),
    ];
    for (bytes, expected) in cases {
        assert!(handover::frame::Header::parse(bytes, &FrameLimits::DEFAULT).is_err());
        let mut capture = Capture::new();
        capture.segment(true, bytes);
        let packets = dissect(&capture);
        let complaints = complaints(&packets);
        assert_eq!(dissected(&packets).len(), 1);
        assert!(complaints.len() == 1 && complaints[0].starts_with(expected), "{complaints:?}");
    }
    // The limits are preferences.
    let mut capture = Capture::new();
    capture.segment(true, &[0, 0, 0, 3, 1, 0, 2, 0, 0, 0, 0]);
    assert_eq!(complaints(&dissect(&capture)), [""; 0]);
    assert_eq!(complaints(&dissect_with(&capture, &["-o", "handover.hello:2"])).len(), 1);
}

/// A critical kind that is not known, of a protocol that is; what another protocol has is not known.
#[test]
fn critical_kinds() {
    if !tshark::available() {
        return;
    }
    for (protocol, flags, expected) in
        [(0, 0, 0), (0, 0x81, 1), (1, 0xfe, 0), (1, 1, 1), (2, 0xfe, 0), (2, 1, 1), (3, 1, 0), (200, 1, 0)]
    {
        let flags = FrameFlags::from_bits_retain(flags);
        let frame = Frame { protocol: Protocol(protocol), kind: 0x49, flags, body: Default::default() };
        let packets = dissect(&talk(&[(true, frame)], &mut Rng::new(1)));
        assert_eq!(complaints(&packets).len(), expected, "{protocol} {flags:?}");
    }
}

/// No stream is taken for ours that nobody has called so.
#[test]
fn there_is_no_heuristic() {
    if !tshark::available() {
        return;
    }
    let frames = [(true, Hello::new([]).to_frame().expect("it can be said"))];
    let capture = talk(&frames, &mut Rng::new(1));
    let script = format!("lua_script:{SCRIPT}");
    assert!(dissected(&tshark::run(capture.bytes(), &["-X", &script])).is_empty());
    let other = format!("handover.ports:{}", PORT + 1);
    assert!(dissected(&tshark::run(capture.bytes(), &["-X", &script, "-o", &other])).is_empty());
    let ports = format!("handover.ports:{}-{}", PORT - 1, PORT + 1);
    compare(&frames, &tshark::run(capture.bytes(), &["-X", &script, "-o", &ports]));
    let decode_as = format!("tcp.port=={PORT},handover");
    compare(&frames, &tshark::run(capture.bytes(), &["-X", &script, "-d", &decode_as]));
}

/// A protocol in a file beside, as the head of the dissector says it.
const BESIDE: &str = r#"
local f = {
  number = ProtoField.uint32("handover.trial.number", "Number"),
  wide = ProtoField.uint64("handover.trial.wide", "Wide"),
  size = ProtoField.uint8("handover.trial.size", "Size"),
  text = ProtoField.string("handover.trial.text", "Text", base.UNICODE),
}
Handover.register(200, "TRIAL", f, {
  [7] = { name = "ASK", dissect = function(body)
    local number, item = body:number(f.number, 4)
    if number == 13 then Handover.malformed(item, "Not that one") end
    body:number(f.wide, 8)
    return body:text(f.size, f.text)
  end },
  [9] = { name = "BROKEN", dissect = function(body) body:nothing() end },
})
"#;

#[test]
fn other_protocols_register_themselves() {
    if !tshark::available() {
        return;
    }
    let directory = support::TempDir::new().expect("a directory");
    let path = directory.path().join("beside.lua");
    std::fs::write(&path, BESIDE).expect("a file in it");
    let beside = format!("lua_script:{}", path.display());
    let dissect = |kind, flags, body: &[u8]| {
        let flags = FrameFlags::from_bits_retain(flags);
        let frame = Frame { protocol: Protocol(200), kind, flags, body: body.to_vec().into() };
        let frames = [(true, frame), (false, Hello::new([]).to_frame().expect("it can be said"))];
        let packets = dissect_with(&talk(&frames, &mut Rng::new(1)), &["-X", &beside]);
        let protos: Vec<Node> = dissected(&packets).into_iter().cloned().collect();
        assert_eq!(protos.len(), 2);
        assert!(complaints(&protos[1..]).is_empty(), "the link's own messages are read as before");
        (protos[0].clone(), complaints(&packets))
    };
    let body = b"\0\0\0\x05\x80\0\0\0\0\0\0\x01\x02ok\0\x09\0\x01x";
    let (proto, complaints) = dissect(7, 1, body);
    assert_eq!(complaints, [""; 0]);
    assert!(proto.line.ends_with("ASK"), "{}", proto.line);
    let names: Vec<_> = shown(&proto).into_iter().skip(6).collect();
    let expected = [
        ("handover.trial.number", "5"),
        ("handover.trial.wide", "9223372036854775809"),
        ("handover.trial.size", "2"),
        ("handover.trial.text", "ok"),
        ("handover.extension", ""),
        ("handover.extension.type", "9"),
        ("handover.extension.critical", "0"),
        ("handover.extension.size", "1"),
        ("handover.extension.value", "78"),
    ];
    assert_eq!(names, expected.map(|(name, show)| (name.to_owned(), show.to_owned())));
    // Short, not allowed, a critical kind that it does not have, and a script with an error.
    for (kind, flags, body) in [(7, 0, &body[..11]), (7, 0, b"\0\0\0\x0d\0\0\0\0\0\0\0\0\0"), (8, 1, b""), (9, 0, b"")]
    {
        let (_, complaints) = dissect(kind, flags, body);
        assert!(!complaints.is_empty(), "{kind}");
    }
    assert_eq!(dissect(8, 0, b"anything").1, [""; 0]);
}
