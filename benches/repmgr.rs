//! The Replication Manager: decoding, encoding, a stream that arrives byte by byte, a large segment, and many requests
//! at a time, beside a hand-written floor and other codecs.
//!
//! In `decode` and `encode` the message is a request of four segments, 256 bytes together. One iteration is a pass over
//! [`pass::PASS`] = 1000 of them, so that a time in µs reads as ns for a message; `same` repeats one message, `varied`
//! has 1000 different ones. In `stream` one iteration is the whole stream. Inputs are made beforehand. What comes out
//! is shown to `black_box` and dropped within the time.
//!
//! What is wanted, by medians of one run on a quiet machine: decode at most 2.5 × `hand_cursor` and ahead of
//! `postcard` and `prost`; encode at most 1.3 × `hand_cursor`; stream in pieces of 1 at most 1.3 × `bare_framer`; a
//! segment of 1 MiB at 20 GB/s or more, since nothing of it is moved; a request among 1000 costs what one among 1 does.

#[path = "peers/pass.rs"]
mod pass;
#[path = "peers/repmgr/mod.rs"]
mod peers;

use ::handover::limits::RepmgrLimits;
use ::handover::machine::Machine;
use ::handover::repmgr::channel::{Answer, Channel, Config, Input, Output, RequestId, To};
use ::handover::repmgr::message::{AppMessage, AppResponse, Message, Wanted};
use ::handover::repmgr::stream::{MessageStream, Side};
use ::handover::repmgr::{Header, Segments, SiteAddress, Version};
use ::handover::time::Instant;
use ::handover::wire::{Encode, Framer, StreamDecode};
use ::prost::Message as _;
use bytes::{Bytes, BytesMut};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use pass::{PASSES, Pass, pass, pass_into, pass_onto};
use peers::{SEGMENTS, hand};

fn main() {
    divan::main();
}

fn message(index: usize) -> AppMessage {
    let request = peers::request(index);
    let wanted = Wanted { tag: request.tag, bulk: false, limit: None };
    AppMessage::request(request.segments.into_iter().collect(), wanted)
}

/// A whole message; the floor reads and writes the same bytes.
fn bytes_of(index: usize) -> Bytes {
    let bytes = message(index).to_vec().unwrap();
    let request = peers::request(index);
    let mut room = [0; 512];
    let size = hand::encode(request.tag, &request.segments, &mut room).unwrap();
    assert_eq!(room[..size], bytes);
    let mut seen = Vec::new();
    let metadata = hand::decode(4, &bytes[Header::SIZE..], |segment| seen.push(segment.to_vec()));
    assert_eq!((metadata, seen), (Some((request.tag, 0, 2)), request.segments.to_vec()));
    bytes.into()
}

fn body_of(index: usize) -> Bytes {
    bytes_of(index).slice(Header::SIZE..)
}

const COUNT: u32 = 4;
const _: () = assert!(SEGMENTS == 4);

mod decode {
    use crate::*;

    /// Borrowed; each segment is looked at.
    #[divan::bench(args = PASSES)]
    fn handover(bencher: Bencher<'_, '_>, kind: Pass) {
        pass(bencher, &kind.items(body_of), |body| {
            let message = AppMessage::decode(black_box(COUNT), body).unwrap();
            message.segments.iter().for_each(|segment| _ = black_box(segment));
            (message.tag, message.flags)
        });
    }

    /// To be kept: shares the buffer.
    #[divan::bench(args = PASSES)]
    fn handover_shared(bencher: Bencher<'_, '_>, kind: Pass) {
        pass(bencher, &kind.items(body_of), |body| {
            let message = AppMessage::parse(black_box(COUNT), body.clone()).unwrap();
            message.segments.slices().for_each(|segment| _ = black_box(segment));
            message
        });
    }

    #[divan::bench(args = PASSES)]
    fn hand_cursor(bencher: Bencher<'_, '_>, kind: Pass) {
        pass(bencher, &kind.items(body_of), |body| {
            hand::decode(black_box(COUNT), body, |segment| _ = black_box(segment)).unwrap()
        });
    }

    /// The same, and as `handover` does it keeps the buffer alive.
    #[divan::bench(args = PASSES)]
    fn hand_cursor_shared(bencher: Bencher<'_, '_>, kind: Pass) {
        pass(bencher, &kind.items(body_of), |body| {
            let body = body.clone();
            let metadata = hand::decode(black_box(COUNT), &body, |segment| _ = black_box(segment)).unwrap();
            (body, metadata)
        });
    }

    #[divan::bench(args = PASSES)]
    fn postcard(bencher: Bencher<'_, '_>, kind: Pass) {
        let encoded = |index| {
            let mut room = [0; 512];
            ::postcard::to_slice(&peers::postcard::Message::from(&peers::request(index)), &mut room).unwrap().to_vec()
        };
        pass(bencher, &kind.items(encoded), |bytes| {
            let message: peers::postcard::Message<'_> = ::postcard::from_bytes(bytes).unwrap();
            message.segments.iter().for_each(|segment| _ = black_box(segment));
            black_box(message.tag)
        });
    }

    #[divan::bench(args = PASSES)]
    fn prost(bencher: Bencher<'_, '_>, kind: Pass) {
        let encoded = |index| Bytes::from(peers::prost::Message::from(&peers::request(index)).encode_to_vec());
        pass(bencher, &kind.items(encoded), |bytes| peers::prost::Message::decode(bytes.clone()).unwrap());
    }
}

mod encode {
    use crate::*;

    #[divan::bench(args = PASSES)]
    fn handover(bencher: Bencher<'_, '_>, kind: Pass) {
        pass_into(bencher, &kind.items(message), |message, room| message.encode(room).unwrap());
    }

    #[divan::bench(args = PASSES)]
    fn hand_cursor(bencher: Bencher<'_, '_>, kind: Pass) {
        let owned = |index| peers::request(index);
        pass_into(bencher, &kind.items(owned), |request, room| {
            hand::encode(request.tag, &request.segments, room).unwrap()
        });
    }

    #[divan::bench(args = PASSES)]
    fn postcard(bencher: Bencher<'_, '_>, kind: Pass) {
        pass_into(bencher, &kind.items(peers::request), |request, room| {
            ::postcard::to_slice(&peers::postcard::Message::from(request), room).unwrap().len()
        });
    }

    #[divan::bench(args = PASSES)]
    fn prost(bencher: Bencher<'_, '_>, kind: Pass) {
        let owned = |index| peers::prost::Message::from(&peers::request(index));
        pass_onto(bencher, &kind.items(owned), |message, buffer| message.encode(buffer).unwrap());
    }
}

mod stream {
    use crate::peers::bare::{BareFramer, HEADER};
    use crate::*;

    /// Messages of a stream.
    const MESSAGES: usize = 64;
    /// Bytes that arrive at once: one, and a TCP segment.
    const PIECES: [usize; 2] = [1, 1448];
    const _: () = assert!(HEADER == Header::SIZE);

    fn feed(bencher: Bencher<'_, '_>, size: usize, mut step: impl FnMut(&[u8]) -> usize) {
        let stream: Vec<u8> = (0..MESSAGES).flat_map(bytes_of).collect();
        bencher.counter(BytesCount::new(stream.len())).counter(ItemsCount::new(MESSAGES)).bench_local(|| {
            let mut messages = 0;
            for piece in black_box(&stream).chunks(size) {
                messages += step(piece);
            }
            assert_eq!(messages, MESSAGES);
        });
    }

    #[divan::bench(args = PIECES)]
    fn handover(bencher: Bencher<'_, '_>, size: usize) {
        let mut framer = Framer::new(MessageStream::established(Version::V4, &RepmgrLimits::DEFAULT));
        feed(bencher, size, |piece| {
            framer.push(piece);
            let mut messages = 0;
            while let Some(message) = framer.next_item().unwrap() {
                black_box(&message);
                messages += 1;
            }
            messages
        });
    }

    #[divan::bench(args = PIECES)]
    fn bare_framer(bencher: Bencher<'_, '_>, size: usize) {
        let mut framer = BareFramer::new(64 << 20);
        feed(bencher, size, |piece| {
            framer.push(piece);
            let mut messages = 0;
            while let Some(frame) = framer.next_frame().unwrap() {
                black_box(&frame);
                messages += 1;
            }
            messages
        });
    }
}

mod large {
    use crate::*;

    const SIZE: usize = 1 << 20;

    /// A message with a segment of 1 MiB, already in the receive buffer; the segment shares it.
    #[divan::bench]
    fn decode(bencher: Bencher<'_, '_>) {
        let bytes = AppMessage::new(Segments::one(vec![7; SIZE])).to_vec().unwrap();
        bencher.counter(BytesCount::new(SIZE)).with_inputs(|| BytesMut::from(&bytes[..])).bench_local_refs(|buffer| {
            let mut stream = MessageStream::established(Version::V4, &RepmgrLimits::DEFAULT);
            let Ok(Some(Message::App(message))) = stream.decode_next(buffer) else { panic!("a message") };
            let segment = message.segments.get(0).unwrap();
            assert_eq!(segment.len(), SIZE);
            segment
        });
    }
}

mod requests {
    use crate::*;

    /// Requests that are under way while one more is sent and the oldest is answered.
    const IN_FLIGHT: [u32; 5] = [1, 10, 100, 1000, 10_000];

    fn take(channel: &mut Channel) -> Option<AppMessage> {
        let mut sent = None;
        while let Some(output) = channel.poll_output() {
            if let Output::Send { message, .. } = output {
                sent = Some(message);
            }
        }
        sent
    }

    #[divan::bench(args = IN_FLIGHT)]
    fn one_of(bencher: Bencher<'_, '_>, in_flight: u32) {
        let now = Instant::ZERO;
        let mut channel = Channel::new(Config::default(), To::Site(SiteAddress::new("site", 5000).unwrap()));
        channel.handle(now, Input::Connect).unwrap();
        let Some(Output::Dial { link, .. }) = channel.poll_output() else { panic!("a link") };
        channel.handle(now, Input::Ready(link)).unwrap();
        let segments = Segments::one("balance?");
        let mut next = 0;
        let mut send = |channel: &mut Channel| {
            let (id, segments) = (RequestId(next), segments.clone());
            next += 1;
            channel.handle(now, Input::Request { id, segments, options: Default::default() }).unwrap();
            take(channel).unwrap().tag
        };
        for _ in 0..in_flight {
            send(&mut channel);
        }
        let mut oldest = 0;
        bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
            let answer = Answer::Response(AppResponse::single(oldest, Bytes::from_static(b"12")));
            oldest += 1;
            let via = handover::repmgr::Via::Link(link);
            channel.handle(now, Input::Received { via, answer }).unwrap();
            assert_eq!(take(&mut channel), None);
            black_box(send(&mut channel))
        });
    }
}

mod established {
    use crate::*;

    /// Both handshakes of a dialler, decoded.
    #[divan::bench]
    fn handshake(bencher: Bencher<'_, '_>) {
        use ::handover::repmgr::handshake::VersionRange;
        let bytes: Vec<u8> = [
            &b"\x02\0\0\0\x0c\0\0\0\x0b\x01\0\0\0\0\0\0\0\0\0\0\0x\0\0\0\0\x04\0\0\0\x04\0"[..],
            &b"\x02\0\0\0\x0c\0\0\0\x02\0\0\0\x08\0\0\0\0\0\0\0\x02x\0"[..],
        ]
        .concat();
        bencher.with_inputs(|| BytesMut::from(&bytes[..])).bench_local_refs(|buffer| {
            let mut stream = MessageStream::new(Side::Dialler, VersionRange::CHANNELS, &RepmgrLimits::DEFAULT);
            let first = stream.decode_next(buffer).unwrap().unwrap();
            (first, stream.decode_next(buffer).unwrap().unwrap())
        });
    }
}
