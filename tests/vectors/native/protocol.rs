//! What the vectors of the protocols share that are spoken on native links: what is refused, and whole links.

use super::{LIMITS, RefusedVector, frame, unhex};
use bytes::BytesMut;
use handover::frame::{Close, Frame, FrameStream, Hello, Native, Offer, Protocol};
use handover::testing::check_chunking;
use handover::testing::native::{Subject, check_message};
use handover::wire::{Encode, Framer};
use serde::Deserialize;
use std::collections::BTreeSet;

pub(crate) fn refused(directory: &str) -> Vec<RefusedVector> {
    super::read(directory, "refused.json")
}

/// Each is refused on the field and with the kind of error that it names.
pub(crate) fn check_refused<M: Subject>(directory: &str) {
    for RefusedVector { name, bytes, field, kind } in refused(directory) {
        let frame = frame(&unhex(&bytes.concat()));
        let error = M::from_frame(&frame).expect_err(&name);
        assert_eq!((error.field, error.kind.name()), (&*field, &*kind), "{name}: {error}");
        check_message::<M>(&frame);
    }
}

/// Every kind that has a name.
pub(crate) fn names<M: Subject>() -> impl Iterator<Item = (u8, &'static str)> {
    (0..=u8::MAX).filter_map(|kind| Some((kind, M::kind_name(kind)?)))
}

/// The frames that a block of the text shows.
pub(crate) fn frames(block: &str) -> Vec<Frame> {
    let mut framer = Framer::new(FrameStream::new(&LIMITS));
    framer.push(&unhex(&super::shown(block)));
    let frames = std::iter::from_fn(|| framer.next_item().expect("well-formed")).collect();
    assert_eq!(framer.buffered(), 0, "{block}");
    frames
}

/// The messages that a block of the text shows.
pub(crate) fn messages<M: Native>(block: &str) -> Vec<M> {
    frames(block).iter().map(|frame| M::from_frame(frame).expect("well-formed")).collect()
}

/// The block shows messages that are refused, each on the field that it is said to be.
pub(crate) fn check_refused_block<M: Subject>(block: &str) {
    let errors: Vec<_> = frames(block).iter().map(|frame| M::from_frame(frame).unwrap_err().field).collect();
    let said: Vec<_> = block.split_whitespace().filter_map(|word| word.strip_suffix(':')).collect();
    assert_eq!(errors, said);
}

#[derive(Clone, Deserialize)]
pub(crate) struct Line {
    conn: String,
    dir: String,
    says: Vec<String>,
}

/// Each direction: what the file says of it, and its bytes.
pub(crate) fn directions(directory: &str) -> Vec<(Line, Vec<u8>)> {
    let (lines, streams) = super::links::<Line>(directory);
    let bytes = |line: &Line| {
        let stream = streams.iter().find(|stream| stream.conn == line.conn).unwrap();
        let direction = if line.dir == "c2s" { &stream.client } else { &stream.server };
        direction.bytes.clone()
    };
    lines.iter().map(|line| (line.clone(), bytes(line))).collect()
}

/// What a frame is called, and its bytes written anew. Whoever greets offers just this.
fn reread<M: Native>(frame: &Frame, offer: Offer, name: impl Fn(&M) -> String) -> (String, Vec<u8>) {
    if frame.protocol == Protocol::LINK {
        return match frame.kind {
            Hello::KIND => {
                let hello = Hello::from_frame(frame).unwrap();
                assert_eq!(hello.offers, [offer]);
                ("HELLO".into(), hello.framed().to_vec().unwrap())
            }
            _ => ("CLOSE".into(), Close::from_frame(frame).unwrap().framed().to_vec().unwrap()),
        };
    }
    let message = M::from_frame(frame).unwrap();
    (name(&message), message.framed().to_vec().unwrap())
}

/// Every direction is written as it came, and says what the file says: all that is said, by name.
pub(crate) fn check_links<M: Native>(directory: &str, offer: Offer, name: impl Fn(&M) -> String) -> BTreeSet<String> {
    let mut said = BTreeSet::new();
    for (line, bytes) in directions(directory) {
        let mut framer = Framer::new(FrameStream::new(&LIMITS));
        let (mut says, mut back) = (Vec::new(), BytesMut::new());
        for piece in bytes.chunks(7) {
            framer.push(piece);
            while let Some(frame) = framer.next_item().unwrap() {
                let (name, bytes) = reread(&frame, offer, &name);
                says.push(name);
                back.extend_from_slice(&bytes);
            }
        }
        assert_eq!((framer.buffered(), &says), (0, &line.says), "{}, {}", line.conn, line.dir);
        assert_eq!(back, bytes, "{}, {}", line.conn, line.dir);
        said.extend(says);
    }
    said
}

pub(crate) fn check_every_chunking(directory: &str) {
    for (_, bytes) in directions(directory) {
        for cut in 0..bytes.len() {
            check_chunking(|| FrameStream::new(&LIMITS), &bytes, &[cut, cut + 1, cut + 9]);
        }
    }
}
