//! Messages of an established connection.

use super::handshake::handshake;
use super::odd::odd_app_message;
use super::own::own_message;
use crate::repmgr::message::{AppMessage, AppResponse, Message, Permanent, Replication, ResponseError, Wanted};
use crate::repmgr::{ErrorCode, Header, MessageFlags, MessageType, Segments, Version};
use crate::testing::Choices;
use bytes::Bytes;
use std::vec::Vec;

/// Any header, of a kind that there is or not.
pub fn header(choices: &mut Choices<'_>) -> Header {
    let ty = if choices.one_in(8) { choices.byte() } else { 1 + choices.byte() % 8 };
    Header { ty: MessageType(ty), word1: choices.edge_u32(), word2: choices.edge_u32() }
}

/// Any number of segments of any length; mostly a few, now and then thousands.
pub fn segments(choices: &mut Choices<'_>) -> Segments {
    let count = match choices.byte() {
        0..=250 => choices.below(9),
        251..=254 => 9 + choices.below(300),
        _ => 2000 + choices.below(3000),
    };
    let segment = |choices: &mut Choices<'_>| match choices.byte() % 4 {
        0 => Bytes::new(),
        _ => choices.bytes(200).into(),
    };
    let mut parts: Vec<Bytes> = Vec::new();
    for _ in 0..count {
        parts.push(segment(choices));
    }
    parts.into()
}

/// Flags: mostly the known ones.
pub fn message_flags(choices: &mut Choices<'_>) -> MessageFlags {
    let bits = if choices.one_in(4) { choices.edge_u32() } else { u32::from(choices.byte() % 8) };
    MessageFlags::from_bits_retain(bits)
}

/// What an application sends: as our constructors make it, or with any tag, limit and flags, or laid out in an odd way.
pub fn app_message(choices: &mut Choices<'_>) -> AppMessage {
    match choices.below(4) {
        0 => AppMessage::new(segments(choices)),
        1 => {
            let limit = choices.boolean().then(|| choices.edge_u32());
            let wanted = Wanted { tag: choices.edge_u32(), bulk: choices.boolean(), limit };
            AppMessage::request(segments(choices), wanted)
        }
        2 => AppMessage {
            segments: segments(choices),
            tag: choices.edge_u32(),
            limit: choices.edge_u32(),
            flags: message_flags(choices),
        },
        _ => {
            let (expected, count, body) = odd_app_message(choices);
            let message = AppMessage::parse(count, body.into()).expect("the generator keeps to the rules");
            assert_eq!(message, expected, "P3");
            message
        }
    }
}

/// An answer: one segment, or a block of them.
pub fn app_response(choices: &mut Choices<'_>) -> AppResponse {
    let tag = choices.edge_u32();
    if choices.boolean() {
        return AppResponse::single(tag, choices.bytes(3000));
    }
    AppResponse::bulk(tag, &segments(choices)).expect("they are short")
}

/// An error: mostly one of those that libdb knows, never 0.
pub fn response_error(choices: &mut Choices<'_>) -> ResponseError {
    let known = *choices.pick(&[ErrorCode::NO_SERVER, ErrorCode::KEY_EMPTY, ErrorCode::BUFFER_SMALL]);
    let code = if choices.one_in(4) { ErrorCode(choices.edge_u32().max(1)) } else { known };
    ResponseError { tag: choices.edge_u32(), code }
}

/// A place in the log.
pub fn permanent(choices: &mut Choices<'_>) -> Permanent {
    Permanent { generation: choices.edge_u32(), file: choices.edge_u32(), offset: choices.edge_u32() }
}

/// A message of the replication, with a control part of any size but none.
pub fn replication(choices: &mut Choices<'_>) -> Replication {
    let control = if choices.one_in(4) { choices.bytes(60) } else { std::vec![7; 35] };
    let control: Vec<u8> = control.into_iter().chain([choices.byte()]).collect();
    Replication { control: control.into(), record: choices.bytes(500).into() }
}

/// Any message that may come once a connection of this version is established.
pub fn established(version: Version, choices: &mut Choices<'_>) -> Message {
    let kinds = match version.0 {
        0 | 1 => 2,
        2 | 3 => 3,
        _ => 12,
    };
    match choices.below(kinds) {
        0 => Message::PermLsn(permanent(choices)),
        1 => replication(choices).into(),
        2 => Message::Heartbeat(choices.boolean().then(|| permanent(choices))),
        3..=5 => app_message(choices).into(),
        6 | 7 => app_response(choices).into(),
        8 => response_error(choices).into(),
        _ => own_message(choices).into(),
    }
}

/// Any message at all.
pub fn message(choices: &mut Choices<'_>) -> Message {
    if choices.one_in(5) { handshake(choices).into() } else { established(Version::V4, choices) }
}
