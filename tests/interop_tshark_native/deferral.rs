//! Messages of the deferral protocol.

use crate::frames::{complaints, dissected};
use crate::{compare, dissect, input, talk, tshark};
use handover::deferral::message::Message;
use handover::frame::{Frame, FrameFlags, FrameStream, Native, Protocol};
use handover::limits::FrameLimits;
use handover::testing::deferral as values;
use handover::testing::{Choices, Rng};
use handover::wire::Framer;
use std::collections::BTreeMap;
use std::path::Path;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/vectors/deferral");

pub(crate) fn frames_of(bytes: &[u8]) -> Vec<Frame> {
    let mut framer = Framer::new(FrameStream::new(&FrameLimits::DEFAULT));
    framer.push(bytes);
    let frames = std::iter::from_fn(|| framer.next_item().expect("well-formed")).collect();
    assert_eq!(framer.buffered(), 0);
    frames
}

/// Frames that were written by hand: their names, what is said of their fault, if they have one, and they themselves.
pub(crate) fn vectors(directory: &str, file: &str) -> Vec<(String, Option<bool>, Frame)> {
    let text = std::fs::read_to_string(Path::new(directory).join(file)).expect("it is there");
    let vectors: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
    let frame = |vector: &serde_json::Value| {
        let digits = vector["bytes"].as_array().expect("a list").iter().filter_map(|part| part.as_str());
        let digits: String = digits.collect::<String>().replace(' ', "");
        let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("digits"));
        let bytes: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).expect("digits")).collect();
        let fault = vector.get("field").map(|_| vector["kind"] == "unsupported");
        (vector["name"].to_string(), fault, frames_of(&bytes).remove(0))
    };
    vectors.iter().map(frame).collect()
}

#[test]
fn vectors_are_shown_as_we_read_them() {
    if !tshark::available() {
        return;
    }
    let mut frames: Vec<_> = vectors(VECTORS, "messages.json").into_iter().map(|(_, _, frame)| (true, frame)).collect();
    for link in input::read(&Path::new(VECTORS).join("links.jsonl"), &[]).expect("it is there").conversations {
        frames.extend(frames_of(&link.client.bytes).into_iter().map(|frame| (true, frame)));
        frames.extend(frames_of(&link.server.bytes).into_iter().map(|frame| (false, frame)));
    }
    assert!(frames.len() >= 31 + 4 * 15);
    let packets = dissect(&talk(&frames, &mut Rng::new(3)));
    assert_eq!(complaints(&packets), [""; 0]);
    compare(&frames, &packets);
}

#[test]
fn vectors_that_are_refused_are_complained_of() {
    if !tshark::available() {
        return;
    }
    let vectors = vectors(VECTORS, "refused.json");
    let frames: Vec<_> = vectors.iter().map(|(_, _, frame)| (true, frame.clone())).collect();
    let packets = dissect(&talk(&frames, &mut Rng::new(3)));
    let protos = dissected(&packets);
    assert!(frames.len() >= 55 && protos.len() == frames.len());
    for ((name, fault, _), proto) in vectors.iter().zip(protos) {
        let complaints = complaints(std::slice::from_ref(proto));
        let expected = if *fault == Some(true) { "handover.unsupported" } else { "handover.malformed" };
        assert!(complaints.first().is_some_and(|first| first.starts_with(expected)), "{name}: {complaints:?}");
    }
}

#[test]
fn messages_are_shown_as_we_read_them() {
    if !tshark::available() {
        return;
    }
    for seed in 0..3 {
        let mut rng = Rng::new(seed);
        let frames: Vec<_> = (0..240)
            .map(|_| {
                let bytes = rng.bytes(500);
                let message = values::message(&mut Choices::new(&bytes));
                (rng.below(3) > 0, message.to_frame().expect("it can be said"))
            })
            .collect();
        let packets = dissect(&talk(&frames, &mut rng));
        assert_eq!(complaints(&packets), [""; 0]);
        compare(&frames, &packets);
    }
}

#[test]
fn it_complains_of_what_we_refuse_and_of_nothing_else() {
    if !tshark::available() {
        return;
    }
    let mut rng = Rng::new(7);
    let frames: Vec<(bool, Frame)> = (0..1200)
        .map(|_| {
            let bytes = rng.bytes(300);
            let (kind, body) = values::odd_message(&mut Choices::new(&bytes));
            let flags = FrameFlags::empty();
            (true, Frame { protocol: Protocol::DEFERRAL, kind, flags, body: body.into() })
        })
        .collect();
    let packets = dissect(&talk(&frames, &mut rng));
    let protos = dissected(&packets);
    assert_eq!(protos.len(), frames.len());
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for ((_, frame), proto) in frames.iter().zip(protos) {
        let complaints = complaints(std::slice::from_ref(proto));
        let ours = Message::from_frame(frame).err();
        assert_eq!(
            complaints.is_empty(),
            ours.is_none(),
            "{ours:?} {complaints:?} {:#x} {:02x?}",
            frame.kind,
            &frame.body[..]
        );
        *counts.entry(ours.map_or("fine", |error| error.kind.name())).or_default() += 1;
    }
    let often = ["fine", "short", "invalid", "unsupported"].map(|name| counts.get(name).copied().unwrap_or_default());
    assert!(often.iter().all(|count| *count >= 25), "{counts:?}");
}

/// What names a server and what does not, of every spelling.
#[test]
fn uris() {
    if !tshark::available() {
        return;
    }
    let mut rng = Rng::new(8);
    let frames: Vec<(bool, Frame)> = (0..1500)
        .map(|_| {
            let bytes = rng.bytes(60);
            let uri = values::odd_uri(&mut Choices::new(&bytes));
            let size = u16::try_from(uri.len()).expect("it is short").to_be_bytes();
            let body = [&[1; 18 + 6][..], &[0, 0, 0], &size, &uri, b"\0\x01a\0\0"].concat();
            let flags = FrameFlags::empty();
            (true, Frame { protocol: Protocol::DEFERRAL, kind: 1, flags, body: body.into() })
        })
        .collect();
    let packets = dissect(&talk(&frames, &mut rng));
    let protos = dissected(&packets);
    assert_eq!(protos.len(), frames.len());
    let mut fine = 0;
    for ((_, frame), proto) in frames.iter().zip(protos) {
        let complaints = complaints(std::slice::from_ref(proto));
        let ours = Message::from_frame(frame);
        assert_eq!(complaints.is_empty(), ours.is_ok(), "{ours:?} {complaints:?} {}", frame.body.escape_ascii());
        fine += u32::from(ours.is_ok());
    }
    assert!((300..1200).contains(&fine), "{fine}");
}
