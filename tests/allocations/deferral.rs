//! Messages of the deferral protocol.

use crate::allocations;
use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use handover::deferral::message::{
    Alternate, Command, CommandName, Data, Defer, End, Message, Queued, Request, RequestKey,
};
use handover::deferral::{DeferKind, MessageKind, RequestFlags, RequestId, ServerId, ServerUri};
use handover::frame::{Extension, ExtensionType, Extensions, Frame, FrameFlags, Native, Protocol, Text};
use handover::wire::Encode;
use std::hint::black_box;

const KEY: RequestKey = RequestKey { id: RequestId([9; 16]), epoch: 1 };

fn command() -> Command {
    let arguments = [&b"project"[..], b"", b"a longer argument"].map(Bytes::from_static);
    Command { name: CommandName::new("csf/command/ws_sync").unwrap(), arguments: arguments.into() }
}

fn uri(number: usize) -> ServerUri {
    format!("handover://db{number}.example.org:7999/csf").parse().unwrap()
}

fn request() -> Message {
    let mut request = Request::new(KEY, command());
    request.receipt = vec![1; 32].into();
    request.credentials = vec![2; 40].into();
    request.referrer = Some(uri(0));
    Message::Request(Box::new(request))
}

fn defer() -> Message {
    Message::Defer(Box::new(Defer {
        key: KEY,
        kind: DeferKind::CONTINUE,
        server: ServerId([5; 16]),
        reason: Text::new("busy").unwrap(),
        queue_length: Some(3),
        estimate_ms: Some(1500),
        retry_after_ms: None,
        receipt: vec![3; 32].into(),
        alternates: (1..5).map(|number| Alternate::new(uri(number))).collect(),
        next: Some(command()),
        next_flags: RequestFlags::READ_ONLY,
        extensions: Extensions::NONE,
    }))
}

/// Those that come often, each with an extension.
fn small() -> Vec<Message> {
    let extensions = Extensions::new([Extension { ty: ExtensionType(1), value: b"kept" }]).unwrap();
    let (bytes, text) = (Bytes::from_static(&[7; 100]), Text::EMPTY);
    vec![
        Message::Cancel(KEY.into()),
        Message::Executing(KEY.into()),
        Message::Cancelled(KEY.into()),
        Message::Queued(Queued { key: KEY, position: 4, estimate_ms: Some(100), extensions: extensions.clone() }),
        Message::Data(Data { key: KEY, bytes, extensions: extensions.clone() }),
        Message::End(End { key: KEY, status: 0, text, extensions }),
        Message::Unknown { kind: MessageKind(0x70), body: Bytes::from_static(b"of tomorrow") },
    ]
}

/// Shared already, as a body out of a receive buffer is.
fn received(message: &Message) -> (Frame, Bytes) {
    let frame = message.to_frame().unwrap();
    let shared = frame.body.clone();
    (frame, shared)
}

#[test]
fn encoding_messages_allocates_nothing() {
    let (mut room, mut buffer) = ([0; 1024], BytesMut::with_capacity(8192));
    for message in small().into_iter().chain([request(), defer()]) {
        assert_eq!(allocations(|| message.framed().encode(&mut room).unwrap()), 0, "{message:?}");
        assert_eq!(allocations(|| message.framed().encode_to(&mut buffer).unwrap()), 0, "{message:?}");
        assert_eq!(allocations(|| message.framed().encode(&mut []).is_err()), 0, "{message:?}");
        // A frame of its own has its body, and a handle that shares it.
        assert!(allocations(|| message.to_frame().unwrap()) <= 2, "{message:?}");
    }
}

#[test]
fn reading_a_small_message_allocates_nothing() {
    for message in small() {
        let (frame, _shared) = received(&message);
        assert_eq!(allocations(|| Message::from_frame(&frame).unwrap()), 0, "{message:?}");
        assert_eq!(Message::from_frame(&frame), Ok(message));
    }
    // A text for people is kept apart from the bytes it came in.
    let told =
        Message::End(End { key: KEY, status: 1, text: Text::new("done").unwrap(), extensions: Extensions::NONE });
    let (frame, _shared) = received(&told);
    assert_eq!(allocations(|| Message::from_frame(&frame).unwrap()), 1);
}

/// One for what the message is in, for each name or list that it has, and for each server that it names.
#[test]
fn reading_a_large_message_allocates_what_it_keeps() {
    let (frame, _shared) = received(&request());
    let (boxed, referrer, name, arguments) = (1, 1, 1, 1);
    assert_eq!(allocations(|| Message::from_frame(&frame).unwrap()), boxed + referrer + name + arguments);
    let (frame, _shared) = received(&defer());
    let (reason, list, alternates) = (1, 1, 4);
    let expected = boxed + reason + list + alternates + name + arguments;
    assert_eq!(allocations(|| Message::from_frame(&frame).unwrap()), expected);
}

/// Whatever is announced, nothing is stored for it.
#[test]
fn refusing_what_was_announced_allocates_nothing() {
    let refused = |kind: MessageKind, body: Vec<u8>| {
        let body = Bytes::from(body);
        let _shared = body.clone();
        let frame = Frame { protocol: Protocol::DEFERRAL, kind: kind.0, flags: FrameFlags::empty(), body };
        let counted = measure(|| assert!(black_box(Message::from_frame(&frame)).is_err()));
        counted.bytes_total
    };
    let key = [0; 18];
    assert_eq!(refused(MessageKind::DATA, [&key[..], &[0xff; 4], &[0; 30]].concat()), 0);
    // 65 535 arguments for which there is no room.
    let head = [&key[..], &[0; 6], &[0], &[0; 4]].concat();
    assert_eq!(refused(MessageKind::REQUEST, [&head[..], b"\0\x04name\xff\xff", &[0; 200]].concat()), 0);
    // 255, 33, and 32 alternates for which there is no room.
    for count in [255, 33, 32] {
        let body = [&key[..], &[1], &[0; 16], &[0], &[0; 12], &[0], &[count], &[0; 200]].concat();
        assert_eq!(refused(MessageKind::DEFER, body), 0);
    }
}
