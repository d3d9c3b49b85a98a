//! SPICE: decoding, encoding and a stream that arrives byte by byte, beside a hand-written floor and other codecs.
//!
//! In `decode` and `encode` one iteration is a pass over [`pass::PASS`] = 1000 messages, so that a time in µs
//! reads as ns for a message; `same` repeats one message, `varied` has 1000 different ones. In `stream` one
//! iteration is the whole stream. Inputs are made beforehand. What comes out is shown to `black_box` and dropped
//! within the time; of the borrowed decoders none has anything to free, prost has.
//!
//! What is wanted, by medians of one run on a quiet machine: decode at most 2.5 × `hand_cursor` and ahead of
//! `postcard` and `prost`; encode at most 1.3 × `hand_cursor`; stream in pieces of 1 at most 1.3 × `bare_framer`.
//!
//! Whole handovers have their own file, `handover.rs`.

#[path = "peers/pass.rs"]
mod pass;
mod peers;

use ::handover::spice::common::Ping;
use ::handover::spice::{ChannelType, DstInfo, MigrateBeginSeamless, Port, ServerMessage};
use ::handover::wire::Encode;
use bytes::{Bytes, BytesMut};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use pass::{PASSES, Pass, pass, pass_into, pass_onto};

fn main() {
    divan::main();
}

/// The wire's types.
const BEGIN: u16 = 116;
const PING: u16 = 4;

fn begin_body(begin: &peers::Begin) -> MigrateBeginSeamless {
    let (port, tls_port) = (Port::from_wire(begin.port), Port::from_wire(begin.tls_port));
    let dst = DstInfo::new(&begin.host, port, tls_port, Some(&begin.cert_subject)).unwrap();
    MigrateBeginSeamless::new(dst, begin.version)
}

fn begin_message(begin: &peers::Begin) -> ServerMessage {
    ServerMessage::MigrateBeginSeamless(begin_body(begin))
}

fn ping_body(ping: &peers::Ping) -> Ping {
    Ping { id: ping.id, timestamp: ping.timestamp, padding: Bytes::new() }
}

fn ping_message(ping: &peers::Ping) -> ServerMessage {
    ServerMessage::Ping(ping_body(ping))
}

fn begin_bytes(index: usize) -> Vec<u8> {
    let body = begin_message(&peers::begin(index)).to_vec().unwrap();
    assert_eq!(body.len(), peers::BEGIN_SIZE);
    // The floor reads and writes the same bytes.
    let view = peers::hand::decode_begin(&body).unwrap();
    assert_eq!(view.host, peers::c_string(&peers::begin(index).host));
    let mut ours = vec![0; body.len()];
    peers::hand::encode_begin(&(&peers::begin(index)).into(), &mut ours).unwrap();
    assert_eq!(ours, body);
    body
}

fn ping_bytes(index: usize) -> Vec<u8> {
    let body = ping_message(&peers::ping(index)).to_vec().unwrap();
    assert_eq!(body.len(), 12);
    let mut ours = vec![0; body.len()];
    peers::hand::encode_ping(&(&peers::ping(index)).into(), &mut ours).unwrap();
    assert_eq!(ours, body);
    body
}

fn postcard_bytes(value: &impl serde::Serialize) -> Vec<u8> {
    let mut room = [0; 256];
    postcard::to_slice(value, &mut room).unwrap().to_vec()
}

/// A whole body to a borrowed message.
mod decode {
    /// 75 bytes: two strings behind (offset, size) pairs.
    mod migrate_begin_seamless {
        use crate::peers::{self, hand};
        use crate::*;

        /// The type as it comes off the wire.
        #[divan::bench(args = PASSES)]
        fn handover(bencher: Bencher<'_, '_>, kind: Pass) {
            let (channel, ty) = black_box((ChannelType::MAIN, BEGIN));
            pass(bencher, &kind.items(begin_bytes), |body| ServerMessage::decode(channel, ty, body));
        }

        /// The type known to the compiler.
        #[divan::bench(args = PASSES)]
        fn handover_known_type(bencher: Bencher<'_, '_>, kind: Pass) {
            pass(bencher, &kind.items(begin_bytes), |body| ServerMessage::decode(ChannelType::MAIN, BEGIN, body));
        }

        /// To a message that is kept: shares the body.
        #[divan::bench(args = PASSES)]
        fn handover_kept(bencher: Bencher<'_, '_>, kind: Pass) {
            use ::handover::spice::Message;
            let bodies = kind.items(|index| Bytes::from_owner(begin_bytes(index)));
            pass(bencher, &bodies, |body| <ServerMessage as Message>::from_body(ChannelType::MAIN, BEGIN, body));
        }

        #[divan::bench(args = PASSES)]
        fn hand_cursor(bencher: Bencher<'_, '_>, kind: Pass) {
            pass(bencher, &kind.items(begin_bytes), |body| hand::decode_begin(body));
        }

        #[divan::bench(args = PASSES)]
        fn postcard(bencher: Bencher<'_, '_>, kind: Pass) {
            let items = kind.items(|index| postcard_bytes(&peers::postcard::Begin::from(&peers::begin(index))));
            pass(bencher, &items, |bytes| ::postcard::from_bytes::<peers::postcard::Begin<'_>>(bytes));
        }

        #[divan::bench(args = PASSES)]
        fn prost(bencher: Bencher<'_, '_>, kind: Pass) {
            use ::prost::Message;
            let items = kind.items(|index| peers::prost::Begin::from(&peers::begin(index)).encode_to_vec());
            pass(bencher, &items, |bytes| peers::prost::Begin::decode(bytes.as_slice()));
        }

        #[divan::bench(args = PASSES)]
        fn httparse(bencher: Bencher<'_, '_>, kind: Pass) {
            let items = kind.items(|index| peers::http::begin(&peers::begin(index)));
            pass(bencher, &items, |bytes| peers::http::parse(bytes));
        }
    }

    /// 12 bytes: two integers and no padding.
    mod ping {
        use crate::peers::{self, hand};
        use crate::*;

        /// The type as it comes off the wire.
        #[divan::bench(args = PASSES)]
        fn handover(bencher: Bencher<'_, '_>, kind: Pass) {
            let (channel, ty) = black_box((ChannelType::MAIN, PING));
            pass(bencher, &kind.items(ping_bytes), |body| ServerMessage::decode(channel, ty, body));
        }

        /// The type known to the compiler.
        #[divan::bench(args = PASSES)]
        fn handover_known_type(bencher: Bencher<'_, '_>, kind: Pass) {
            pass(bencher, &kind.items(ping_bytes), |body| ServerMessage::decode(ChannelType::MAIN, PING, body));
        }

        #[divan::bench(args = PASSES)]
        fn hand_cursor(bencher: Bencher<'_, '_>, kind: Pass) {
            pass(bencher, &kind.items(ping_bytes), |body| hand::decode_ping(body));
        }

        #[divan::bench(args = PASSES)]
        fn postcard(bencher: Bencher<'_, '_>, kind: Pass) {
            let items = kind.items(|index| postcard_bytes(&peers::postcard::Ping::from(&peers::ping(index))));
            pass(bencher, &items, |bytes| ::postcard::from_bytes::<peers::postcard::Ping<'_>>(bytes));
        }

        #[divan::bench(args = PASSES)]
        fn prost(bencher: Bencher<'_, '_>, kind: Pass) {
            use ::prost::Message;
            let items = kind.items(|index| peers::prost::Ping::from(&peers::ping(index)).encode_to_vec());
            pass(bencher, &items, |bytes| peers::prost::Ping::decode(bytes.as_slice()));
        }

        #[divan::bench(args = PASSES)]
        fn httparse(bencher: Bencher<'_, '_>, kind: Pass) {
            let items = kind.items(|index| peers::http::ping(&peers::ping(index)));
            pass(bencher, &items, |bytes| peers::http::parse(bytes));
        }
    }
}

/// A message to a body in a buffer that is used again. (httparse does not encode.)
mod encode {
    mod migrate_begin_seamless {
        use crate::peers::{self, hand};
        use crate::*;

        /// The message among all others.
        #[divan::bench(args = PASSES)]
        fn handover(bencher: Bencher<'_, '_>, kind: Pass) {
            let items = kind.items(|index| begin_message(&peers::begin(index)));
            pass_into(bencher, &items, |message, room| message.encode(room));
        }

        /// The body alone.
        #[divan::bench(args = PASSES)]
        fn handover_known_type(bencher: Bencher<'_, '_>, kind: Pass) {
            let items = kind.items(|index| begin_body(&peers::begin(index)));
            pass_into(bencher, &items, |message, room| message.encode(room));
        }

        /// Into a `BytesMut` with capacity.
        #[divan::bench(args = PASSES)]
        fn handover_bytes_mut(bencher: Bencher<'_, '_>, kind: Pass) {
            let items = kind.items(|index| begin_message(&peers::begin(index)));
            pass_onto(bencher, &items, |message, buffer| message.encode_to(buffer));
        }

        #[divan::bench(args = PASSES)]
        fn hand_cursor(bencher: Bencher<'_, '_>, kind: Pass) {
            let items = kind.items(|index| hand::BeginOwned::from(&peers::begin(index)));
            pass_into(bencher, &items, hand::encode_begin);
        }

        #[divan::bench(args = PASSES)]
        fn postcard(bencher: Bencher<'_, '_>, kind: Pass) {
            let begins = kind.items(peers::begin);
            let items: Vec<_> = begins.iter().map(peers::postcard::Begin::from).collect();
            pass_into(bencher, &items, |value, room| ::postcard::to_slice(value, room).map(|used| used.len()));
        }

        #[divan::bench(args = PASSES)]
        fn prost(bencher: Bencher<'_, '_>, kind: Pass) {
            use ::prost::Message;
            let items = kind.items(|index| peers::prost::Begin::from(&peers::begin(index)));
            pass_into(bencher, &items, |value, mut room| value.encode(&mut room));
        }
    }

    mod ping {
        use crate::peers::{self, hand};
        use crate::*;

        /// The message among all others.
        #[divan::bench(args = PASSES)]
        fn handover(bencher: Bencher<'_, '_>, kind: Pass) {
            let items = kind.items(|index| ping_message(&peers::ping(index)));
            pass_into(bencher, &items, |message, room| message.encode(room));
        }

        /// The body alone.
        #[divan::bench(args = PASSES)]
        fn handover_known_type(bencher: Bencher<'_, '_>, kind: Pass) {
            let items = kind.items(|index| ping_body(&peers::ping(index)));
            pass_into(bencher, &items, |message, room| message.encode(room));
        }

        /// Into a `BytesMut` with capacity.
        #[divan::bench(args = PASSES)]
        fn handover_bytes_mut(bencher: Bencher<'_, '_>, kind: Pass) {
            let items = kind.items(|index| ping_message(&peers::ping(index)));
            pass_onto(bencher, &items, |message, buffer| message.encode_to(buffer));
        }

        #[divan::bench(args = PASSES)]
        fn hand_cursor(bencher: Bencher<'_, '_>, kind: Pass) {
            let items = kind.items(|index| hand::PingOwned::from(&peers::ping(index)));
            pass_into(bencher, &items, hand::encode_ping);
        }

        #[divan::bench(args = PASSES)]
        fn postcard(bencher: Bencher<'_, '_>, kind: Pass) {
            let items = kind.items(|index| peers::postcard::Ping::from(&peers::ping(index)));
            pass_into(bencher, &items, |value, room| ::postcard::to_slice(value, room).map(|used| used.len()));
        }

        #[divan::bench(args = PASSES)]
        fn prost(bencher: Bencher<'_, '_>, kind: Pass) {
            use ::prost::Message;
            let items = kind.items(|index| peers::prost::Ping::from(&peers::ping(index)));
            pass_into(bencher, &items, |value, mut room| value.encode(&mut room));
        }
    }
}

/// [`stream::MESSAGES`] messages with mini headers that arrive in pieces, into a buffer that stays.
mod stream {
    use crate::peers::bare::{BareFramer, HEADER};
    use crate::peers::{self, hand};
    use crate::*;
    use ::handover::limits::SpiceLimits;
    use ::handover::spice::link::{LinkMess, LinkReply, LinkResult, PublicKey};
    use ::handover::spice::stream::{ServerItem, ServerStream};
    use ::handover::spice::{Capabilities, ChannelId, CommonCaps, LinkError};
    use ::handover::wire::Framer;
    use divan::counter::BytesCount;

    /// Messages of a stream.
    const MESSAGES: usize = 64;

    /// Bytes that arrive at once: one, and a TCP segment.
    const PIECES: [usize; 2] = [1, 1448];

    /// A decoder whose link stage is over.
    fn linked() -> Framer<ServerStream> {
        let caps = CommonCaps::AUTH_SELECTION | CommonCaps::AUTH_SPICE | CommonCaps::MINI_HEADER;
        let mut stream = ServerStream::new(SpiceLimits::DEFAULT);
        stream.set_link(&LinkMess::new(0, ChannelId::MAIN, caps, Capabilities::default()));
        let mut framer = Framer::new(stream);
        let reply = LinkReply::accept(PublicKey([7; 162]), caps, Capabilities::default());
        framer.push(&reply.to_vec().unwrap());
        framer.push(&LinkResult { error: LinkError::OK }.to_vec().unwrap());
        assert!(matches!(framer.next_item(), Ok(Some(ServerItem::Reply(_)))));
        assert!(matches!(framer.next_item(), Ok(Some(ServerItem::Result(_)))));
        framer
    }

    /// A stream of `bodies`, each behind a mini header.
    fn framed(ty: u16, body: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
        let mut stream = Vec::new();
        for index in 0..MESSAGES {
            let body = body(index);
            stream.extend_from_slice(&ty.to_le_bytes());
            stream.extend_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
            stream.extend_from_slice(&body);
        }
        stream
    }

    /// Times `step` on each piece of `stream`; `step` returns how many messages came out.
    fn feed(bencher: Bencher<'_, '_>, stream: &[u8], size: usize, mut step: impl FnMut(&[u8]) -> usize) {
        bencher.counter(BytesCount::new(stream.len())).counter(ItemsCount::new(MESSAGES)).bench_local(|| {
            let mut messages = 0;
            for piece in black_box(stream).chunks(size) {
                messages += step(piece);
            }
            assert_eq!(messages, MESSAGES);
        });
    }

    /// Frames, then `parse` on each.
    fn feed_frames<R>(bencher: Bencher<'_, '_>, stream: &[u8], size: usize, parse: impl Fn(&[u8]) -> Option<R>) {
        let mut framer = BareFramer::new(SpiceLimits::DEFAULT.server_body);
        feed(bencher, stream, size, |piece| {
            framer.push(piece);
            let mut messages = 0;
            while let Some(frame) = framer.next_frame().unwrap() {
                black_box(&parse(&frame).unwrap());
                messages += 1;
            }
            messages
        });
    }

    fn feed_handover(bencher: Bencher<'_, '_>, stream: &[u8], size: usize) {
        let mut framer = linked();
        feed(bencher, stream, size, |piece| {
            framer.push(piece);
            let mut messages = 0;
            while let Some(item) = framer.next_item().unwrap() {
                black_box(&item);
                messages += 1;
            }
            messages
        });
    }

    /// As its documentation has it: parse from the start until it is whole.
    fn feed_httparse(bencher: Bencher<'_, '_>, stream: &[u8], size: usize) {
        let mut buffer = BytesMut::new();
        feed(bencher, stream, size, |piece| {
            use bytes::Buf;
            buffer.extend_from_slice(piece);
            let mut messages = 0;
            while let Some(end) = peers::http::parse(&buffer).unwrap() {
                buffer.advance(end);
                messages += 1;
            }
            messages
        });
    }

    mod migrate_begin_seamless {
        use super::*;

        #[divan::bench(args = PIECES)]
        fn handover(bencher: Bencher<'_, '_>, size: usize) {
            feed_handover(bencher, &framed(BEGIN, begin_bytes), size);
        }

        /// Frame boundaries only.
        #[divan::bench(args = PIECES)]
        fn bare_framer(bencher: Bencher<'_, '_>, size: usize) {
            feed_frames(bencher, &framed(BEGIN, begin_bytes), size, |_| Some(()));
        }

        #[divan::bench(args = PIECES)]
        fn hand_cursor(bencher: Bencher<'_, '_>, size: usize) {
            feed_frames(bencher, &framed(BEGIN, begin_bytes), size, |body| {
                black_box(&hand::decode_begin(body)?);
                Some(())
            });
        }

        #[divan::bench(args = PIECES)]
        fn postcard(bencher: Bencher<'_, '_>, size: usize) {
            let body = |index| postcard_bytes(&peers::postcard::Begin::from(&peers::begin(index)));
            feed_frames(bencher, &framed(BEGIN, body), size, |body| {
                black_box(&::postcard::from_bytes::<peers::postcard::Begin<'_>>(body).ok()?);
                Some(())
            });
        }

        #[divan::bench(args = PIECES)]
        fn prost(bencher: Bencher<'_, '_>, size: usize) {
            use ::prost::Message;
            let body = |index| peers::prost::Begin::from(&peers::begin(index)).encode_to_vec();
            feed_frames(bencher, &framed(BEGIN, body), size, |body| peers::prost::Begin::decode(body).ok());
        }

        #[divan::bench(args = PIECES)]
        fn httparse(bencher: Bencher<'_, '_>, size: usize) {
            let stream = (0..MESSAGES).flat_map(|index| peers::http::begin(&peers::begin(index))).collect::<Vec<_>>();
            assert_eq!(stream.len(), MESSAGES * (HEADER + peers::BEGIN_SIZE));
            feed_httparse(bencher, &stream, size);
        }
    }

    mod ping {
        use super::*;

        #[divan::bench(args = PIECES)]
        fn handover(bencher: Bencher<'_, '_>, size: usize) {
            feed_handover(bencher, &framed(PING, ping_bytes), size);
        }

        /// Frame boundaries only.
        #[divan::bench(args = PIECES)]
        fn bare_framer(bencher: Bencher<'_, '_>, size: usize) {
            feed_frames(bencher, &framed(PING, ping_bytes), size, |_| Some(()));
        }

        #[divan::bench(args = PIECES)]
        fn hand_cursor(bencher: Bencher<'_, '_>, size: usize) {
            feed_frames(bencher, &framed(PING, ping_bytes), size, |body| {
                black_box(&hand::decode_ping(body)?);
                Some(())
            });
        }

        #[divan::bench(args = PIECES)]
        fn postcard(bencher: Bencher<'_, '_>, size: usize) {
            let body = |index| postcard_bytes(&peers::postcard::Ping::from(&peers::ping(index)));
            feed_frames(bencher, &framed(PING, body), size, |body| {
                black_box(&::postcard::from_bytes::<peers::postcard::Ping<'_>>(body).ok()?);
                Some(())
            });
        }

        #[divan::bench(args = PIECES)]
        fn prost(bencher: Bencher<'_, '_>, size: usize) {
            use ::prost::Message;
            let body = |index| peers::prost::Ping::from(&peers::ping(index)).encode_to_vec();
            feed_frames(bencher, &framed(PING, body), size, |body| peers::prost::Ping::decode(body).ok());
        }

        #[divan::bench(args = PIECES)]
        fn httparse(bencher: Bencher<'_, '_>, size: usize) {
            let stream = (0..MESSAGES).flat_map(|index| peers::http::ping(&peers::ping(index))).collect::<Vec<_>>();
            feed_httparse(bencher, &stream, size);
        }
    }
}
