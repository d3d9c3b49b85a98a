//! What allocates and what does not: decoding a borrowed message and encoding into a buffer never do.
//!
//! The counting allocator is the whole binary's; it counts for each thread apart.

mod deferral;
mod domain;
mod frame;
mod group;

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use handover::error::DecodeError;
use handover::limits::{RepmgrLimits, SpiceLimits};
use handover::repmgr::message::{AppMessage, AppResponse, Message as RepmgrMessage, ResponseError, Wanted};
use handover::repmgr::stream::MessageStream;
use handover::repmgr::{ErrorCode, Segments, Version};
use handover::spice::common::Ping;
use handover::spice::connection::{ClientConnection, ClientEvent, ServerConnection, ServerEvent};
use handover::spice::link::{LinkReply, PublicKey, Ticket};
use handover::spice::{
    Capabilities, ChannelId, ChannelType, CommonCaps, DstInfo, LinkError, Message, MigrateBeginSeamless, Packet, Port,
    ServerMessage,
};
use handover::tds5::migration::{Address, Migration, Options, Request};
use handover::tds5::token::{Token, walk};
use handover::wire::{ByteOrder, Encode, Framer, StreamDecode};
use std::hint::black_box;

const MAIN: ChannelType = ChannelType::MAIN;

/// How many allocations `work` makes. What it returns is dropped outside.
#[track_caller]
fn allocations<R>(work: impl FnOnce() -> R) -> u64 {
    let mut kept = None;
    let counted = measure(|| kept = Some(black_box(work())));
    drop(kept);
    counted.count_total
}

fn begin() -> ServerMessage {
    let port = Port::from_wire(5900);
    let dst = DstInfo::new("target.vm.example.org", port, Port::ABSENT, Some("O=Example,CN=target")).unwrap();
    ServerMessage::MigrateBeginSeamless(MigrateBeginSeamless::new(dst, 1))
}

fn ping(padding: &'static [u8]) -> ServerMessage {
    ServerMessage::Ping(Ping { id: 7, timestamp: 1_000_000, padding: padding.into() })
}

/// One message of each kind of body: strings, padding, none, fixed fields, bytes, unknown.
fn samples() -> Vec<ServerMessage> {
    let bodies: [(u16, &[u8]); 8] = [
        (2, b"state of the channel"),
        (3, &[1, 0, 0, 0, 20, 0, 0, 0]),
        (5, &[1, 2, 0, 9, 0, 0, 0, 0, 0, 0, 0]),
        (7, b"\0\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\0\0\0\0\0\x04\0\0\0note\0"),
        (103, &[1; 32]),
        (104, &[2, 0, 0, 0, 2, 0, 3, 0]),
        (112, b""),
        (40_000, b"a type of tomorrow"),
    ];
    let decoded = bodies.map(|(ty, body)| {
        let (message, extra) = ServerMessage::from_body(MAIN, ty, &Bytes::from_static(body)).unwrap();
        assert!(extra.is_empty());
        message
    });
    decoded.into_iter().chain([begin(), ping(b""), ping(&[0; 300])]).collect()
}

/// Both ends of a link of the main channel, whose link stage is over.
fn linked(extra: CommonCaps) -> (ClientConnection, ServerConnection) {
    let caps = CommonCaps::AUTH_SELECTION | CommonCaps::AUTH_SPICE | extra;
    let limits = SpiceLimits::DEFAULT;
    let mut client = ClientConnection::new(0, ChannelId::MAIN, caps, Capabilities::default(), limits);
    let mut server = ServerConnection::new(limits);
    let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
    client.start(&mut up).unwrap();
    server.receive(&up.split());
    assert!(matches!(server.next_event(), Ok(Some(ServerEvent::Link(_)))));
    server.reply(&LinkReply::accept(PublicKey([7; 162]), caps, Capabilities::default()), &mut down).unwrap();
    client.receive(&down.split());
    assert!(matches!(client.next_event(), Ok(Some(ClientEvent::TicketWanted(_)))));
    client.answer_ticket(&Ticket([1; 128]), &mut up).unwrap();
    server.receive(&up.split());
    assert!(matches!(server.next_event(), Ok(Some(ServerEvent::Ticket(_)))));
    server.finish(LinkError::OK, &mut down).unwrap();
    client.receive(&down.split());
    assert!(matches!(client.next_event(), Ok(Some(ClientEvent::Linked { .. }))));
    (client, server)
}

const HEADERS: [CommonCaps; 2] = [CommonCaps::MINI_HEADER, CommonCaps::empty()];

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| vec![1_u8]), 1);
    assert_eq!(allocations(|| [1_u8]), 0);
}

#[test]
fn decoding_a_borrowed_message_allocates_nothing() {
    for message in samples() {
        let (ty, body) = (message.wire_type(), message.to_vec().unwrap());
        assert_eq!(allocations(|| ServerMessage::decode(MAIN, ty, &body).unwrap()), 0, "{}", message.name());
    }
}

#[test]
fn refusing_a_malformed_body_allocates_nothing() {
    for message in samples() {
        let (ty, body) = (message.wire_type(), message.to_vec().unwrap());
        for end in 0..body.len() {
            assert_eq!(allocations(|| ServerMessage::decode(MAIN, ty, &body[..end])), 0, "{}", message.name());
        }
    }
}

#[test]
fn keeping_a_message_shares_its_body() {
    for message in samples() {
        let (ty, body) = (message.wire_type(), message.to_vec().unwrap());
        // As a body comes out of a receive buffer: a part of something shared.
        let mut buffer = BytesMut::from(&b"header"[..]);
        buffer.extend_from_slice(&body);
        let shared = buffer.split_off(6).freeze();
        let kept = allocations(|| <ServerMessage as Message>::from_body(MAIN, ty, &shared).unwrap());
        assert_eq!(kept, 0, "{}", message.name());
        // A vector that nobody has shared yet is made shareable, once, by the first payload that is kept.
        let fresh = Bytes::from(body);
        let kept = allocations(|| <ServerMessage as Message>::from_body(MAIN, ty, &fresh).unwrap());
        assert!(kept <= 1, "{}: {kept}", message.name());
    }
}

#[test]
fn encoding_into_a_slice_allocates_nothing() {
    let mut room = [0; 512];
    for message in samples() {
        assert_eq!(allocations(|| message.encode(&mut room).unwrap()), 0, "{}", message.name());
        assert_eq!(allocations(|| message.encode(&mut []).is_err()), 0, "{}", message.name());
    }
}

#[test]
fn encoding_into_a_buffer_with_capacity_allocates_nothing() {
    let mut buffer = BytesMut::with_capacity(4096);
    for message in samples() {
        assert_eq!(allocations(|| message.encode_to(&mut buffer).unwrap()), 0, "{}", message.name());
    }
    assert_eq!(allocations(|| begin().to_vec().unwrap()) - allocations(begin), 1);
}

#[test]
fn sending_a_packet_into_a_buffer_with_capacity_allocates_nothing() {
    for header in HEADERS {
        let (_, mut server) = linked(header);
        let mut buffer = BytesMut::with_capacity(4096);
        for message in samples() {
            let packet = Packet::new(message);
            assert_eq!(allocations(|| server.send(&packet, &mut buffer).unwrap()), 0, "{}", packet.message.name());
        }
    }
}

/// A decoder's buffer grows at first and is then used again, as long as nobody keeps what came out of it.
#[test]
fn a_stream_that_is_consumed_settles_at_no_allocation() {
    for header in HEADERS {
        let (mut client, mut server) = linked(header);
        let mut down = BytesMut::with_capacity(4096);
        for message in samples() {
            server.send(&Packet::new(message), &mut down).unwrap();
        }
        let mut feed = |bytes: &[u8], step: usize| -> Result<usize, DecodeError> {
            let mut messages = 0;
            for piece in bytes.chunks(step) {
                client.receive(piece);
                while let Some(event) = client.next_event()? {
                    assert!(matches!(black_box(event), ClientEvent::Message(_)));
                    messages += 1;
                }
            }
            Ok(messages)
        };
        for step in [1, 7, 1448] {
            for _ in 0..8 {
                assert_eq!(feed(&down, step), Ok(samples().len()));
            }
            assert_eq!(allocations(|| feed(&down, step).unwrap()), 0, "pieces of {step}");
        }
    }
}

/// MSG, PARAMFMT and PARAMS of a request to migrate.
fn tds5_request() -> Vec<Token> {
    let addresses = vec![Address::new("target.db.example.org", 5000).unwrap()];
    let request = Migration::Request(Request { addresses, unreadable: Vec::new() });
    request.tokens(ByteOrder::Little, &Options::DEFAULT).unwrap()
}

#[test]
fn encoding_tokens_allocates_nothing() {
    let (mut room, mut buffer) = ([0; 256], BytesMut::with_capacity(4096));
    for token in tds5_request() {
        let token = token.in_order(ByteOrder::Little);
        assert_eq!(allocations(|| token.encode(&mut room).unwrap()), 0);
        assert_eq!(allocations(|| token.encode_to(&mut buffer).unwrap()), 0);
    }
}

#[test]
fn decoding_borrowed_tokens_allocates_nothing() {
    let mut bytes = BytesMut::new();
    for token in tds5_request() {
        token.in_order(ByteOrder::Little).encode_to(&mut bytes).unwrap();
    }
    let decoded = allocations(|| {
        let mut values = 0;
        let mut walk = walk(ByteOrder::Little, &bytes);
        let Some(Ok(message)) = walk.next() else { panic!("MSG") };
        black_box(message.decode().unwrap());
        let Some(Ok(format)) = walk.next() else { panic!("PARAMFMT") };
        let Token::Format(format) = format.decode().unwrap() else { panic!("PARAMFMT") };
        let Some(Ok(params)) = walk.next() else { panic!("PARAMS") };
        let Token::Params(params) = params.decode().unwrap() else { panic!("PARAMS") };
        for (column, value) in format.values(params.data) {
            black_box((column, value));
            values += 1;
        }
        assert_eq!(values, 1);
        assert!(walk.next().is_none());
    });
    assert_eq!(decoded, 0);
}

/// A request of four segments, its answer, and an error.
fn repmgr_messages() -> [RepmgrMessage; 3] {
    let segments = || Segments::from_iter(["account", "", "42", "a segment that is longer than all the others"]);
    let wanted = Wanted { tag: 7, bulk: true, limit: Some(4096) };
    [
        AppMessage::request(segments(), wanted).into(),
        AppResponse::bulk(7, &segments()).unwrap().into(),
        ResponseError { tag: 7, code: ErrorCode::KEY_EMPTY }.into(),
    ]
}

fn repmgr_stream() -> MessageStream {
    MessageStream::established(Version::V4, &RepmgrLimits::DEFAULT)
}

#[test]
fn encoding_segments_allocates_nothing() {
    let (mut room, mut buffer) = ([0; 512], BytesMut::with_capacity(4096));
    for message in repmgr_messages() {
        assert_eq!(allocations(|| message.encode(&mut room).unwrap()), 0, "{}", message.name());
        assert_eq!(allocations(|| message.encode_to(&mut buffer).unwrap()), 0, "{}", message.name());
        assert_eq!(allocations(|| message.encode(&mut []).is_err()), 0, "{}", message.name());
    }
}

/// The first message that is taken off a buffer makes the buffer shareable; that is all.
#[test]
fn decoding_segments_allocates_nothing() {
    for message in repmgr_messages() {
        let (mut src, mut stream) = (BytesMut::new(), repmgr_stream());
        (0..3).for_each(|_| message.encode_to(&mut src).unwrap());
        let first = allocations(|| stream.decode_next(&mut src).unwrap().unwrap());
        assert!(first <= 1, "{}: {first}", message.name());
        let decoded = allocations(|| {
            let message = stream.decode_next(&mut src).unwrap().unwrap();
            if let RepmgrMessage::App(AppMessage { segments, .. }) = &message {
                assert_eq!(segments.slices().map(<[u8]>::len).sum::<usize>(), segments.payload_len());
                assert!(segments.iter().map(|segment| black_box(segment).len()).eq([7, 0, 2, 44]));
            }
            message
        });
        assert_eq!(decoded, 0, "{}", message.name());
        // One whose first offset is wrong, or whose type is.
        let at = if matches!(message, RepmgrMessage::App(_)) { src.len() - 16 } else { 0 };
        src[at] ^= 0x80;
        let refused = allocations(|| stream.decode_next(&mut src).is_err());
        assert_eq!(refused, 0, "{}", message.name());
    }
}

#[test]
fn looking_at_segments_allocates_nothing() {
    let bytes = repmgr_messages()[0].to_vec().unwrap();
    let looked = allocations(|| {
        let message = AppMessage::decode(4, black_box(&bytes[9..])).unwrap();
        assert!(message.segments.iter().map(<[u8]>::len).eq([7, 0, 2, 44]));
        assert_eq!(message.wanted().and_then(|wanted| wanted.limit), Some(4096));
    });
    assert_eq!(looked, 0);
    for end in 9..bytes.len() {
        assert_eq!(allocations(|| AppMessage::decode(4, black_box(&bytes[9..end])).is_err()), 0);
    }
}

/// Bytes that are taken off a stream go into one buffer, as long as nobody keeps what came out of it.
#[test]
fn a_stream_of_segments_settles_at_no_allocation() {
    let (mut framer, mut bytes) = (Framer::new(repmgr_stream()), BytesMut::new());
    repmgr_messages().iter().for_each(|message| message.encode_to(&mut bytes).unwrap());
    let mut feed = |step: usize| {
        let mut messages = 0;
        for piece in bytes.chunks(step) {
            framer.push(piece);
            while let Some(message) = framer.next_item().unwrap() {
                black_box(message);
                messages += 1;
            }
        }
        messages
    };
    for step in [1, 7, 1448] {
        for _ in 0..8 {
            assert_eq!(feed(step), 3);
        }
        assert_eq!(allocations(|| feed(step)), 0, "pieces of {step}");
    }
}

/// A segment of 1 MiB is where it was received.
#[test]
fn a_large_segment_is_not_copied() {
    let large = Bytes::from(vec![0x5a; 1 << 20]);
    let sent = AppMessage::new(Segments::from(vec![Bytes::from_static(b"head"), large.clone()]));
    let mut src = BytesMut::from(&sent.to_vec().unwrap()[..]);
    let received = src.as_ptr_range();
    let mut read = None;
    let counted = measure(|| read = repmgr_stream().decode_next(&mut src).unwrap());
    assert!(counted.bytes_total < 1000, "{} bytes", counted.bytes_total);
    let Some(RepmgrMessage::App(message)) = read else { panic!("an APP_MESSAGE") };
    let segment = message.segments.get(1).unwrap();
    assert!(segment == large && received.contains(&segment.as_ptr()));
    assert_eq!(segment.as_ptr(), message.segments.slice(1).unwrap().as_ptr());
    // An answer neither.
    let mut src = BytesMut::from(&AppResponse::single(1, large).to_vec().unwrap()[..]);
    let received = src.as_ptr_range();
    let Ok(Some(RepmgrMessage::Response(answer))) = repmgr_stream().decode_next(&mut src) else { panic!("an answer") };
    assert_eq!((received.contains(&answer.body.as_ptr()), answer.body.len()), (true, 1 << 20));
}
