//! What a TDS 5.0 peer must not send: each case says precisely which field is wrong, and why. And what looks wrong and
//! is taken all the same.

mod bodies;
mod login;
mod messages;
mod packets;
mod secrets;
mod tokens;
mod values;

use crate::errors::{assert_invalid, assert_unsupported, facts, limit, short};
use bytes::BytesMut;
use handover::error::DecodeError;
use handover::limits::Tds5Limits;
use handover::tds5::connection::{ClientConnection, Item};
use handover::tds5::migration::Options;
use handover::tds5::stream::{MessageStream, Piece, Sender};
use handover::tds5::token::Token;
use handover::testing::check_chunking;
use handover::wire::{ByteOrder, Framer};

const LIMITS: Tds5Limits = Tds5Limits::DEFAULT;
const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];

/// Packet types.
const LOGIN: u8 = 2;
const RESPONSE: u8 = 4;
const NORMAL: u8 = 15;
const MIGRATE: u8 = 17;

const DONE: &[u8] = b"\xfd\0\0\0\0\0\0\0\0";

/// A packet, the last of its message if `last`.
fn packet(ty: u8, last: bool, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).unwrap().to_be_bytes();
    [&[ty, u8::from(last), length[0], length[1], 0, 0, 0, 0], payload].concat()
}

/// A message in packets of at most `size` bytes of payload.
fn message(ty: u8, size: usize, payload: &[u8]) -> Vec<u8> {
    let packets = payload.len().div_ceil(size);
    let packet = |(index, part)| packet(ty, index + 1 == packets, part);
    payload.chunks(size).enumerate().flat_map(packet).collect()
}

fn u16(order: ByteOrder, number: u16) -> [u8; 2] {
    if order == ByteOrder::Big { number.to_be_bytes() } else { number.to_le_bytes() }
}

fn u32(order: ByteOrder, number: u32) -> [u8; 4] {
    if order == ByteOrder::Big { number.to_be_bytes() } else { number.to_le_bytes() }
}

/// A token with a length of two bytes, whatever is behind it.
fn sized(order: ByteOrder, ty: u8, body: &[u8]) -> Vec<u8> {
    [&[ty][..], &u16(order, u16::try_from(body.len()).unwrap()), body].concat()
}

/// What a server sends, to be read in this byte order.
fn server_stream(limits: Tds5Limits, order: ByteOrder) -> MessageStream {
    let mut stream = MessageStream::new(Sender::Server, limits);
    stream.set_order(order);
    stream
}

/// Everything up to the error, if there is one; the same however the bytes are cut.
fn pieces(make: impl Fn() -> MessageStream, bytes: &[u8]) -> (Vec<Piece>, Option<DecodeError>) {
    if bytes.len() < 10_000 {
        check_chunking(&make, bytes, &[1, 9, 10, bytes.len() / 2, bytes.len() - 1]);
    }
    let mut framer = Framer::new(make());
    framer.push(bytes);
    let mut pieces = Vec::new();
    loop {
        match framer.next_item() {
            Ok(Some(piece)) => pieces.push(piece),
            Ok(None) => return (pieces, None),
            Err(error) => {
                // It stays so, and nothing of what comes is kept.
                framer.push(&packet(RESPONSE, true, DONE));
                assert_eq!((framer.next_item(), framer.buffered()), (Err(error), 0));
                return (pieces, Some(error));
            }
        }
    }
}

/// The error that a response with these tokens ends in, whether it comes in one packet or in many.
#[track_caller]
fn response_error(order: ByteOrder, tokens: &[u8]) -> DecodeError {
    let error = |size| {
        let bytes = message(RESPONSE, size, tokens);
        pieces(|| server_stream(LIMITS, order), &bytes).1.expect("accepted")
    };
    let whole = error(tokens.len());
    if tokens.len() < 1000 {
        assert_eq!(facts(&error(1)), facts(&whole));
    }
    whole
}

/// The tokens of a response that is well-formed.
#[track_caller]
fn response(order: ByteOrder, tokens: &[u8]) -> Vec<Token> {
    let bytes = packet(RESPONSE, true, tokens);
    let (pieces, error) = pieces(|| server_stream(LIMITS, order), &bytes);
    assert_eq!(error, None);
    let tokens = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Token(token) => Some(token),
        _ => None,
    });
    tokens.collect()
}

/// What a client's connection makes of what a server sends: items, and perhaps an error.
fn items(bytes: &[u8]) -> (Vec<Item>, Option<DecodeError>) {
    let mut client = ClientConnection::new(LIMITS, Options::DEFAULT);
    client.receive(bytes);
    let mut items = Vec::new();
    loop {
        match client.next_item() {
            Ok(Some(item)) => items.push(item),
            Ok(None) => return (items, None),
            Err(error) => {
                assert_eq!(client.next_item(), Err(error));
                let mut sent = BytesMut::new();
                client.attention(&mut sent).expect("what is to be sent can still be sent");
                return (items, Some(error));
            }
        }
    }
}
