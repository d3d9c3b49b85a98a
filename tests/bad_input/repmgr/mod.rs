//! What a peer on the Replication Manager's wire must not send: each case says precisely which field is wrong, and
//! why. And what looks wrong and is taken all the same.

mod handshakes;
mod headers;
mod membership;
mod segments;

use crate::errors::{assert_invalid, assert_unsupported, limit, short};
use bytes::BytesMut;
use handover::error::DecodeError;
use handover::limits::RepmgrLimits;
use handover::repmgr::Version;
use handover::repmgr::handshake::VersionRange;
use handover::repmgr::message::Message;
use handover::repmgr::stream::{MessageStream, Side};
use handover::testing::check_chunking;
use handover::wire::{Encode, Framer, StreamDecode};

const LIMITS: RepmgrLimits = RepmgrLimits::DEFAULT;

/// Types of messages.
const PERM_LSN: u8 = 1;
const HANDSHAKE: u8 = 2;
const REP_MESSAGE: u8 = 3;
const HEARTBEAT: u8 = 4;
const APP_MESSAGE: u8 = 5;
const APP_RESPONSE: u8 = 6;
const RESP_ERROR: u8 = 7;
const OWN_MSG: u8 = 8;

fn header(ty: u8, word1: u32, word2: u32) -> Vec<u8> {
    [&[ty][..], &word1.to_be_bytes(), &word2.to_be_bytes()].concat()
}

/// A message with a body and a second word that is not a size.
fn message(ty: u8, body: &[u8], word2: u32) -> Vec<u8> {
    [&header(ty, u32::try_from(body.len()).unwrap(), word2)[..], body].concat()
}

/// A message with a control part and a record.
fn parts(ty: u8, control: &[u8], record: &[u8]) -> Vec<u8> {
    let (word1, word2) = (u32::try_from(control.len()).unwrap(), u32::try_from(record.len()).unwrap());
    [&header(ty, word1, word2)[..], control, record].concat()
}

/// A connection of version 4 behind its handshakes.
fn ready() -> MessageStream {
    MessageStream::established(Version::V4, &LIMITS)
}

fn dialler(versions: VersionRange) -> MessageStream {
    MessageStream::new(Side::Dialler, versions, &LIMITS)
}

fn listener(versions: VersionRange) -> MessageStream {
    MessageStream::new(Side::Listener, versions, &LIMITS)
}

/// What a peer proposes, confirms and says of itself where nothing is wrong.
fn proposal() -> Vec<u8> {
    parts(HANDSHAKE, b"", b"x\0\0\0\0\x01\0\0\0\x04\0")
}

fn confirmation() -> Vec<u8> {
    parts(HANDSHAKE, b"\x17\xdf\0\x08\0\0\0\x07\0\0\0\x04", b"x\0\0\0\0\x04\0")
}

fn parameters() -> Vec<u8> {
    parts(HANDSHAKE, b"\0\0\0\x08\0\0\0\0\0\0\0\x02", b"x\0")
}

/// Everything up to the error, if there is one; the same however the bytes are cut.
fn messages(make: impl Fn() -> MessageStream, bytes: &[u8]) -> (Vec<Message>, Option<DecodeError>) {
    check_chunking(&make, bytes, &[1, 8, 9, 10, bytes.len() / 2, bytes.len().saturating_sub(1)]);
    let mut framer = Framer::new(make());
    framer.push(bytes);
    let mut messages = Vec::new();
    loop {
        match framer.next_item() {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, None),
            Err(error) => {
                // It stays so, and nothing of what comes is kept.
                framer.push(&header(RESP_ERROR, 1, 1));
                assert_eq!((framer.next_item(), framer.buffered()), (Err(error), 0));
                return (messages, Some(error));
            }
        }
    }
}

/// The error that one message of an established connection ends in.
#[track_caller]
fn error(bytes: &[u8]) -> DecodeError {
    let (messages, error) = messages(ready, bytes);
    assert_eq!(messages, [], "accepted");
    error.expect("waited for")
}

/// One message of an established connection that is taken, and can be sent on.
#[track_caller]
fn taken(bytes: &[u8]) -> Message {
    let (mut messages, error) = messages(ready, bytes);
    assert_eq!((messages.len(), error), (1, None));
    let message = messages.pop().unwrap();
    assert_eq!(message.to_vec().as_deref(), Ok(bytes));
    message
}

/// Whether more is waited for, and how much that is.
#[track_caller]
fn waits(make: impl Fn() -> MessageStream, bytes: &[u8], needed: usize) {
    assert_eq!(messages(&make, bytes), (Vec::new(), None));
    assert_eq!(make().needed(bytes), needed);
    let (mut stream, mut src) = (make(), BytesMut::from(bytes));
    let capacity = src.capacity();
    assert_eq!(stream.decode_next(&mut src), Ok(None));
    assert_eq!((src.len(), src.capacity()), (bytes.len(), capacity), "an announcement makes no room");
}
