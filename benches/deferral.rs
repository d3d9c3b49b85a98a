//! Redirect and deferral: decoding and encoding a request and a deferral, beside a hand-written floor and other codecs.
//!
//! The request has been deferred once: it has a receipt, credentials, a referrer and three arguments; the deferral names
//! four alternates. One iteration is a pass over [`pass::PASS`] = 1000 of them, so that a time in µs reads as ns for a
//! message; `same` repeats one message, `varied` has 1000 different ones. Inputs are made beforehand. What comes out is
//! shown to `black_box` and dropped within the time.
//!
//! `handover` and `hand_kept` give a message that can be kept: texts are its own, all else shares the buffer.
//! `hand_cursor` and `postcard` borrow everything, and are there to show what keeping costs; `prost` keeps.
//!
//! What is wanted, by medians of one run on a quiet machine: decode at most 2.5 × `hand_kept` and ahead of `prost`;
//! encode at most 1.3 × `hand_cursor`.

#[path = "peers/pass.rs"]
mod pass;
#[path = "peers/deferral/mod.rs"]
mod peers;
#[path = "deferral/walk.rs"]
mod walk;

use ::handover::deferral::message::{Alternate, Command, CommandName, Defer, Message, Request, RequestKey};
use ::handover::deferral::{DeferKind, RequestFlags, RequestId, ServerAbilities, ServerId};
use ::handover::frame::{Extensions, FrameFlags, Header, Native, Text};
use ::handover::wire::Encode;
use ::prost::Message as _;
use bytes::Bytes;
use divan::{Bencher, black_box};
use pass::{PASSES, Pass, pass, pass_into, pass_onto};
use peers::hand;

fn main() {
    divan::main();
}

fn request(index: usize) -> Message {
    let peers::Request { id, epoch, flags, deadline_ms, receipt, credentials, referrer, command, arguments } =
        peers::request(index);
    Message::Request(Box::new(Request {
        key: RequestKey { id: RequestId(id), epoch },
        flags: RequestFlags::from_bits_retain(flags),
        deadline_ms,
        receipt: receipt.into(),
        credentials: credentials.into(),
        referrer: Some(referrer.parse().unwrap()),
        command: Command {
            name: CommandName::new(command).unwrap(),
            arguments: arguments.into_iter().map(Bytes::from).collect(),
        },
        extensions: Extensions::NONE,
    }))
}

fn defer(index: usize) -> Message {
    let defer = peers::defer(index);
    let alternate = |one: peers::Alternate| Alternate {
        uri: one.uri.parse().unwrap(),
        abilities: ServerAbilities::from_bits_retain(one.abilities),
        server: ServerId(one.server),
    };
    let optional = |number| Some(number).filter(|number| *number != u32::MAX);
    Message::Defer(Box::new(Defer {
        key: RequestKey { id: RequestId(defer.id), epoch: defer.epoch },
        kind: DeferKind(defer.kind),
        server: ServerId(defer.server),
        reason: Text::new(defer.reason).unwrap(),
        queue_length: optional(defer.queue_length),
        estimate_ms: optional(defer.estimate_ms),
        retry_after_ms: optional(defer.retry_after_ms),
        receipt: defer.receipt.into(),
        alternates: defer.alternates.into_iter().map(alternate).collect(),
        next: None,
        next_flags: RequestFlags::empty(),
        extensions: Extensions::NONE,
    }))
}

const REQUEST: u8 = 0x01;
const DEFER: u8 = 0x85;

/// A body as it comes out of a receive buffer: a part of something shared. The floor reads and writes the same bytes.
fn request_body(index: usize) -> Bytes {
    let bytes = Bytes::from(request(index).framed().to_vec().unwrap());
    let (peer, mut room) = (peers::request(index), [0; 512]);
    let size = hand::encode_request(&peer, &mut room).unwrap();
    assert_eq!(room[..size], bytes);
    let body = bytes.slice(Header::SIZE..);
    let kept = hand::keep_request(&body).unwrap();
    assert_eq!(
        (&*kept.referrer, &kept.command, &kept.receipt[..]),
        (&*peer.referrer, &peer.command, &peer.receipt[..])
    );
    assert_eq!((kept.arguments, kept.credentials), (peer.arguments.map(Bytes::from).to_vec(), peer.credentials.into()));
    let Message::Request(read) = parse(REQUEST, &body) else { panic!("a request") };
    assert_eq!((read.key.id.0, read.key.epoch, read.flags.bits()), (kept.id, kept.epoch, kept.flags));
    assert_eq!(read.deadline_ms, kept.deadline_ms);
    body
}

/// The same of a deferral.
fn defer_body(index: usize) -> Bytes {
    let bytes = Bytes::from(defer(index).framed().to_vec().unwrap());
    let (peer, mut room) = (peers::defer(index), [0; 512]);
    let size = hand::encode_defer(&peer, &mut room).unwrap();
    assert_eq!(room[..size], bytes);
    let body = bytes.slice(Header::SIZE..);
    let kept = hand::keep_defer(&body).unwrap();
    let Message::Defer(read) = parse(DEFER, &body) else { panic!("a deferral") };
    assert_eq!(
        (read.key.id.0, read.key.epoch, read.kind.0, read.server.0),
        (kept.id, kept.epoch, kept.kind, kept.server)
    );
    assert_eq!((read.reason.as_str(), &read.receipt), (&*kept.reason, &kept.receipt));
    assert_eq!([read.queue_length, read.estimate_ms, read.retry_after_ms], kept.numbers);
    let named = |one: &Alternate| (one.abilities.bits(), one.server.0, one.uri.as_str().into());
    assert_eq!(read.alternates.iter().map(named).collect::<Vec<_>>(), kept.alternates);
    body
}

fn parse(kind: u8, body: &Bytes) -> Message {
    Message::parse(black_box(kind), FrameFlags::empty(), body).unwrap()
}

mod decode_request {
    use crate::*;

    #[divan::bench(args = PASSES)]
    fn handover(bencher: Bencher<'_, '_>, kind: Pass) {
        pass(bencher, &kind.items(request_body), |body| parse(REQUEST, body));
    }

    #[divan::bench(args = PASSES)]
    fn hand_kept(bencher: Bencher<'_, '_>, kind: Pass) {
        pass(bencher, &kind.items(request_body), |body| hand::keep_request(body).unwrap());
    }

    #[divan::bench(args = PASSES)]
    fn hand_cursor(bencher: Bencher<'_, '_>, kind: Pass) {
        pass(bencher, &kind.items(request_body), |body| {
            hand::decode_request(body, |argument| _ = black_box(argument))
                .map(|view| black_box(view).arguments)
                .unwrap()
        });
    }

    #[divan::bench(args = PASSES)]
    fn postcard(bencher: Bencher<'_, '_>, kind: Pass) {
        let encoded = |index| {
            let mut room = [0; 512];
            ::postcard::to_slice(&peers::postcard::Request::from(&peers::request(index)), &mut room).unwrap().to_vec()
        };
        pass(bencher, &kind.items(encoded), |bytes| {
            let message: peers::postcard::Request<'_> = ::postcard::from_bytes(bytes).unwrap();
            black_box(message).deadline_ms
        });
    }

    #[divan::bench(args = PASSES)]
    fn prost(bencher: Bencher<'_, '_>, kind: Pass) {
        let encoded = |index| Bytes::from(peers::prost::Request::from(&peers::request(index)).encode_to_vec());
        pass(bencher, &kind.items(encoded), |bytes| peers::prost::Request::decode(bytes.clone()).unwrap());
    }
}

mod decode_defer {
    use crate::*;

    #[divan::bench(args = PASSES)]
    fn handover(bencher: Bencher<'_, '_>, kind: Pass) {
        pass(bencher, &kind.items(defer_body), |body| parse(DEFER, body));
    }

    #[divan::bench(args = PASSES)]
    fn hand_kept(bencher: Bencher<'_, '_>, kind: Pass) {
        pass(bencher, &kind.items(defer_body), |body| hand::keep_defer(body).unwrap());
    }

    #[divan::bench(args = PASSES)]
    fn hand_cursor(bencher: Bencher<'_, '_>, kind: Pass) {
        pass(bencher, &kind.items(defer_body), |body| {
            let each = |abilities, server, uri| _ = black_box((abilities, server, uri));
            hand::decode_defer(body, each).map(|view| black_box(view).alternates).unwrap()
        });
    }

    #[divan::bench(args = PASSES)]
    fn postcard(bencher: Bencher<'_, '_>, kind: Pass) {
        let encoded = |index| {
            let mut room = [0; 512];
            ::postcard::to_slice(&peers::postcard::Defer::from(&peers::defer(index)), &mut room).unwrap().to_vec()
        };
        pass(bencher, &kind.items(encoded), |bytes| {
            let message: peers::postcard::Defer<'_> = ::postcard::from_bytes(bytes).unwrap();
            black_box(message).estimate_ms
        });
    }

    #[divan::bench(args = PASSES)]
    fn prost(bencher: Bencher<'_, '_>, kind: Pass) {
        let encoded = |index| Bytes::from(peers::prost::Defer::from(&peers::defer(index)).encode_to_vec());
        pass(bencher, &kind.items(encoded), |bytes| peers::prost::Defer::decode(bytes.clone()).unwrap());
    }
}

mod encode_request {
    use crate::*;

    #[divan::bench(args = PASSES)]
    fn handover(bencher: Bencher<'_, '_>, kind: Pass) {
        pass_into(bencher, &kind.items(request), |message, room| message.framed().encode(room).unwrap());
    }

    #[divan::bench(args = PASSES)]
    fn hand_cursor(bencher: Bencher<'_, '_>, kind: Pass) {
        pass_into(bencher, &kind.items(peers::request), |request, room| hand::encode_request(request, room).unwrap());
    }

    #[divan::bench(args = PASSES)]
    fn postcard(bencher: Bencher<'_, '_>, kind: Pass) {
        pass_into(bencher, &kind.items(peers::request), |request, room| {
            ::postcard::to_slice(&peers::postcard::Request::from(request), room).unwrap().len()
        });
    }

    #[divan::bench(args = PASSES)]
    fn prost(bencher: Bencher<'_, '_>, kind: Pass) {
        let owned = |index| peers::prost::Request::from(&peers::request(index));
        pass_onto(bencher, &kind.items(owned), |message, buffer| message.encode(buffer).unwrap());
    }
}

mod encode_defer {
    use crate::*;

    #[divan::bench(args = PASSES)]
    fn handover(bencher: Bencher<'_, '_>, kind: Pass) {
        pass_into(bencher, &kind.items(defer), |message, room| message.framed().encode(room).unwrap());
    }

    #[divan::bench(args = PASSES)]
    fn hand_cursor(bencher: Bencher<'_, '_>, kind: Pass) {
        pass_into(bencher, &kind.items(peers::defer), |defer, room| hand::encode_defer(defer, room).unwrap());
    }

    #[divan::bench(args = PASSES)]
    fn postcard(bencher: Bencher<'_, '_>, kind: Pass) {
        pass_into(bencher, &kind.items(peers::defer), |defer, room| {
            ::postcard::to_slice(&peers::postcard::Defer::from(defer), room).unwrap().len()
        });
    }

    #[divan::bench(args = PASSES)]
    fn prost(bencher: Bencher<'_, '_>, kind: Pass) {
        let owned = |index| peers::prost::Defer::from(&peers::defer(index));
        pass_onto(bencher, &kind.items(owned), |message, buffer| message.encode(buffer).unwrap());
    }
}
