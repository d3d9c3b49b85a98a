//! What holds of the messages of each of our own protocols.

use crate::input;
use crate::native::{LIMITS, RefusedVector, frame, read, unhex};
use crate::{compare, complaints_of_each, dissect, frames, talk};
use handover::frame::{Frame, FrameFlags, FrameStream, Native};
use handover::testing::{Choices, Rng};
use handover::wire::Framer;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
struct MessageVector {
    bytes: Vec<String>,
}

fn frames_of(bytes: &[u8]) -> Vec<Frame> {
    let mut framer = Framer::new(FrameStream::new(&LIMITS));
    framer.push(bytes);
    let frames = std::iter::from_fn(|| framer.next_item().expect("well-formed")).collect();
    assert_eq!(framer.buffered(), 0);
    frames
}

/// Frames without a fault are shown as our decoder reads them.
fn are_shown(frames: &[(bool, Frame)], rng: &mut Rng) {
    let packets = dissect(&talk(frames, rng));
    assert_eq!(frames::complaints(&packets), [""; 0]);
    compare(frames, &packets);
}

/// Messages that were written by hand, and what was said on links: at least so many frames.
pub(crate) fn vectors_are_shown(directory: &str, least: usize) {
    let vectors: Vec<MessageVector> = read(directory, "messages.json");
    let mut frames: Vec<_> = vectors.iter().map(|vector| (true, frame(&unhex(&vector.bytes.concat())))).collect();
    for link in input::read(&Path::new(directory).join("links.jsonl"), &[]).expect("it is there").conversations {
        frames.extend(frames_of(&link.client.bytes).into_iter().map(|frame| (true, frame)));
        frames.extend(frames_of(&link.server.bytes).into_iter().map(|frame| (false, frame)));
    }
    assert!(frames.len() >= least, "{}", frames.len());
    are_shown(&frames, &mut Rng::new(3));
}

/// Each of at least so many messages with a fault is complained of, for that kind of fault.
pub(crate) fn refused_vectors_are_complained_of(directory: &str, least: usize) {
    let vectors: Vec<RefusedVector> = read(directory, "refused.json");
    let frames: Vec<_> = vectors.iter().map(|vector| (true, frame(&unhex(&vector.bytes.concat())))).collect();
    assert!(frames.len() >= least, "{}", frames.len());
    for (vector, complaints) in vectors.iter().zip(complaints_of_each(&frames, &mut Rng::new(3))) {
        let expected = if vector.kind == "unsupported" { "handover.unsupported" } else { "handover.malformed" };
        let name = &vector.name;
        assert!(complaints.first().is_some_and(|first| first.starts_with(expected)), "{name}: {complaints:?}");
    }
}

/// Any messages at all.
pub(crate) fn any_are_shown<M: Native>(mut any: impl FnMut(&mut Choices<'_>) -> M) {
    for seed in 0..3 {
        let mut rng = Rng::new(seed);
        let frames: Vec<_> = (0..240)
            .map(|_| {
                let bytes = rng.bytes(500);
                let message = any(&mut Choices::new(&bytes));
                (rng.below(3) > 0, message.to_frame().expect("it can be said"))
            })
            .collect();
        are_shown(&frames, &mut rng);
    }
}

/// How much is tried, and how often each outcome is to come of it at least.
pub(crate) struct Trial {
    pub(crate) frames: u32,
    /// Bytes of choices for each of them.
    pub(crate) bytes: usize,
    pub(crate) least: u32,
}

/// Of messages as a peer could lay them out, kind and body: what our decoder refuses is complained of, and nothing else.
pub(crate) fn refused_are_complained_of<M: Native>(trial: &Trial, odd: impl Fn(&mut Choices<'_>) -> (u8, Vec<u8>)) {
    let mut rng = Rng::new(7);
    let frames: Vec<(bool, Frame)> = (0..trial.frames)
        .map(|_| {
            let bytes = rng.bytes(trial.bytes);
            let (kind, body) = odd(&mut Choices::new(&bytes));
            (true, Frame { protocol: M::PROTOCOL, kind, flags: FrameFlags::empty(), body: body.into() })
        })
        .collect();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for ((_, frame), complaints) in frames.iter().zip(complaints_of_each(&frames, &mut rng)) {
        let ours = M::from_frame(frame).err();
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
    assert!(often.iter().all(|count| *count >= trial.least), "{counts:?}");
}
