//! Native frames.

use crate::allocations;
use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use handover::frame::{
    Capabilities, Close, CloseReason, Frame, FrameFlags, FrameStream, Hello, Identity, Native, Offer, Protocol, Text,
};
use handover::limits::FrameLimits;
use handover::wire::{Encode, Framer};
use std::hint::black_box;

fn frame_hello() -> Hello {
    let offers = [Protocol::GROUP, Protocol::SESSION].map(|protocol| Offer::new(protocol, Capabilities::empty()));
    let (identity, agent) = (Identity::new(&[7; 32][..]).unwrap(), Text::new("allocations/1").unwrap());
    Hello { identity, agent, ..Hello::new(offers) }
}

fn frame_close() -> Close {
    Close { text: Text::new("going away").unwrap(), ..Close::new(CloseReason::GOING_AWAY) }
}

#[test]
fn encoding_frames_allocates_nothing() {
    let (hello, close) = (frame_hello(), frame_close());
    let frame = hello.to_frame().unwrap();
    let (mut room, mut buffer) = ([0; 256], BytesMut::with_capacity(4096));
    assert_eq!(allocations(|| hello.framed().encode(&mut room).unwrap()), 0);
    assert_eq!(allocations(|| close.framed().encode(&mut room).unwrap()), 0);
    assert_eq!(allocations(|| frame.encode(&mut room).unwrap()), 0);
    assert_eq!(allocations(|| hello.framed().encode_to(&mut buffer).unwrap()), 0);
    assert_eq!(allocations(|| close.framed().encode_to(&mut buffer).unwrap()), 0);
    assert_eq!(allocations(|| frame.encode_to(&mut buffer).unwrap()), 0);
    // A frame of its own has its body, and a handle that shares it.
    assert!(allocations(|| hello.to_frame().unwrap()) <= 2);
}

#[test]
fn reading_a_hello_allocates_its_offers_and_its_agent() {
    let frame = frame_hello().to_frame().unwrap();
    // Shared already, as a body out of a receive buffer is.
    let _shared = frame.clone();
    assert_eq!(allocations(|| Hello::from_frame(&frame).unwrap()), 2);
    let close = Close::new(CloseReason::DONE).to_frame().unwrap();
    assert_eq!(allocations(|| Close::from_frame(&close).unwrap()), 0);
    for end in 0..frame.body.len() {
        let cut = Frame { body: frame.body.slice(..end), ..frame.clone() };
        assert!(allocations(|| Hello::from_frame(&cut).is_err()) <= 2);
    }
}

/// A framer's buffer grows at first and is then used again, as long as nobody keeps what came out of it.
#[test]
fn frames_that_are_consumed_settle_at_no_allocation() {
    let body = Bytes::from_static(&[1; 300]);
    let frame = Frame { protocol: Protocol::GROUP, kind: 1, flags: FrameFlags::empty(), body };
    let bytes: Vec<u8> = (0..20).flat_map(|_| frame.to_vec().unwrap()).collect();
    let mut framer = Framer::new(FrameStream::new(&FrameLimits::DEFAULT));
    let mut feed = |step: usize| {
        let mut frames = 0;
        for piece in bytes.chunks(step) {
            framer.push(piece);
            while let Some(frame) = framer.next_item().unwrap() {
                black_box(frame);
                frames += 1;
            }
        }
        frames
    };
    for step in [1, 7, 1448] {
        (0..8).for_each(|_| assert_eq!(feed(step), 20));
        assert_eq!(allocations(|| feed(step)), 0, "pieces of {step}");
    }
}

/// 4 GiB may be announced, and 200 offers: nothing is stored for them.
#[test]
fn refusing_what_was_announced_allocates_nothing() {
    let limits = FrameLimits::DEFAULT;
    let mut framer = Framer::new(FrameStream::new(&limits));
    framer.push(&[0xff, 0xff, 0xff, 0xff, 1, 1, 0]);
    let counted = measure(|| {
        framer.push(&[0]);
        black_box(framer.next_item().is_err());
    });
    assert_eq!(counted.bytes_total, 0);
    let mut body = frame_hello().to_frame().unwrap().body.to_vec();
    let count = body.len() - 2 * 13 - 1;
    body[count] = 200;
    let frame = Frame { body: body.into(), ..frame_hello().to_frame().unwrap() };
    let _shared = frame.clone();
    let counted = measure(|| assert!(black_box(Hello::from_frame(&frame)).is_err()));
    assert!(counted.bytes_max < 512, "{counted:?}");
}
