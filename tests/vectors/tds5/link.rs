//! Captured streams on their way through the decoders.

use super::LIMITS;
use crate::input::Conversation;
use handover::tds5::connection::{ClientConnection, Item, ServerConnection};
use handover::tds5::migration::Options;
use handover::tds5::packet::PacketHeader;
use handover::tds5::stream::{MessageStream, Piece, Sender};
use handover::wire::{ByteOrder, Encode, Framer};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    FromClient,
    FromServer,
}

/// A decoder for a direction of a link on which this byte order is spoken.
pub(crate) fn stream(direction: Direction, order: ByteOrder) -> MessageStream {
    match direction {
        Direction::FromClient => MessageStream::new(Sender::Client, LIMITS),
        Direction::FromServer => {
            let mut stream = MessageStream::new(Sender::Server, LIMITS);
            stream.set_order(order);
            stream
        }
    }
}

/// Everything in a well-formed stream.
pub(crate) fn pieces(stream: MessageStream, bytes: &[u8]) -> Vec<Piece> {
    let mut framer = Framer::new(stream);
    framer.push(bytes);
    let mut pieces = Vec::new();
    while let Some(piece) = framer.next_item().unwrap() {
        pieces.push(piece);
    }
    assert_eq!(framer.buffered(), 0);
    assert!(!framer.decoder().in_message() && framer.decoder().begun() == 0);
    pieces
}

/// A stream again, from its pieces alone.
pub(crate) fn write_back(pieces: &[Piece], order: ByteOrder) -> Vec<u8> {
    let (mut bytes, mut headers, mut payload) = (Vec::new(), Vec::new(), Vec::new());
    for piece in pieces {
        match piece {
            Piece::Packet(header) => headers.push(*header),
            Piece::Login(record) => payload.extend(record.to_vec().unwrap()),
            Piece::Token(token) => payload.extend(token.in_order(order).to_vec().unwrap()),
            Piece::Data { data, .. } => payload.extend_from_slice(&data.0),
            Piece::End(_) => {
                let mut rest = payload.as_slice();
                for header in headers.drain(..) {
                    let (part, behind) = rest.split_at(usize::from(header.length) - PacketHeader::SIZE);
                    bytes.extend(header.to_vec().unwrap());
                    bytes.extend_from_slice(part);
                    rest = behind;
                }
                assert!(rest.is_empty(), "the tokens of a message are longer than its packets");
                payload.clear();
            }
            other => panic!("no vector has {other:?}"),
        }
    }
    bytes
}

/// What a client's and a server's connection make of a conversation in pieces of `size` bytes: what the server's
/// hears of the client, then what the client's hears of the server.
pub(crate) fn items(conversation: &Conversation, size: usize) -> [Vec<Item>; 2] {
    let mut server = ServerConnection::new(LIMITS, Options::DEFAULT);
    let mut client = ClientConnection::new(LIMITS, Options::DEFAULT);
    let mut found = [Vec::new(), Vec::new()];
    for piece in conversation.client.bytes.chunks(size) {
        server.receive(piece);
        while let Some(item) = server.next_item().unwrap() {
            found[0].push(item);
        }
    }
    for piece in conversation.server.bytes.chunks(size) {
        client.receive(piece);
        while let Some(item) = client.next_item().unwrap() {
            found[1].push(item);
        }
    }
    found
}
