//! Messages of the deferral protocol.

use crate::messages::Trial;
use crate::{complaints_of_each, messages, tshark};
use handover::deferral::message::Message;
use handover::frame::{Frame, FrameFlags, Native, Protocol};
use handover::testing::deferral as values;
use handover::testing::{Choices, Rng};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/vectors/deferral");

#[test]
fn vectors_are_shown_as_we_read_them() {
    if !tshark::available() {
        return;
    }
    messages::vectors_are_shown(VECTORS, 31 + 4 * 15);
}

#[test]
fn vectors_that_are_refused_are_complained_of() {
    if !tshark::available() {
        return;
    }
    messages::refused_vectors_are_complained_of(VECTORS, 55);
}

#[test]
fn messages_are_shown_as_we_read_them() {
    if !tshark::available() {
        return;
    }
    messages::any_are_shown(values::message);
}

#[test]
fn it_complains_of_what_we_refuse_and_of_nothing_else() {
    if !tshark::available() {
        return;
    }
    let trial = Trial { frames: 1200, bytes: 300, least: 25 };
    messages::refused_are_complained_of::<Message>(&trial, values::odd_message);
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
    let mut fine = 0;
    for ((_, frame), complaints) in frames.iter().zip(complaints_of_each(&frames, &mut rng)) {
        let ours = Message::from_frame(frame);
        assert_eq!(complaints.is_empty(), ours.is_ok(), "{ours:?} {complaints:?} {}", frame.body.escape_ascii());
        fine += u32::from(ours.is_ok());
    }
    assert!((300..1200).contains(&fine), "{fine}");
}
