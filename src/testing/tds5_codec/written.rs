//! What was accepted, written back.

use super::values::{check_capabilities, check_values};
use super::{NONE, message, own};
use crate::error::DecodeError;
use crate::tds5::PacketType;
use crate::tds5::stream::{MessageStream, Piece, Sender};
use crate::tds5::token::{Token, walk};
use crate::wire::{ByteOrder, Encode as _, StreamDecode as _};
use bytes::BytesMut;
use std::vec::Vec;

/// M1: every message that ends is, piece by piece, the bytes that its packets held; and of one that does not, what
/// came out is how it begins.
pub(super) fn reproduces(mut decoder: MessageStream, stream: &[u8]) {
    let mut src = BytesMut::from(stream);
    let (mut held, mut said) = (Vec::new(), Vec::new());
    while let Ok(Some(piece)) = decoder.decode_next(&mut src) {
        match &piece {
            Piece::Packet(header) => {
                let end = stream.len() - src.len();
                let packet = &stream[end - usize::from(header.length)..end];
                assert_eq!(header.to_vec().as_deref(), Ok(&packet[..8]), "M1: a header is written back");
                held.extend_from_slice(&packet[8..]);
            }
            Piece::Login(record) => said.extend(record.to_vec().expect("M1: it was accepted")),
            Piece::Token(token) => {
                said.extend(encoded(token, decoder.order()));
                check(token, &decoder);
            }
            Piece::Data { data, .. } => said.extend_from_slice(&data.0),
            Piece::End(ty) => {
                assert!(said == held, "M1: {ty} is {said:?}, not {held:?}");
                held.clear();
                said.clear();
            }
        }
        let _ = std::format!("{piece:?}");
        assert!(held.starts_with(&said), "M1: {piece:?} is not what came");
    }
}

fn encoded(token: &Token, order: ByteOrder) -> Vec<u8> {
    let bytes = token.in_order(order).to_vec().unwrap_or_else(|error| panic!("M1: {token:?} was accepted: {error}"));
    assert_eq!(bytes.len(), token.in_order(order).encoded_len(), "M1: {token:?}");
    bytes
}

/// What holds inside a token that was accepted.
fn check(token: &Token, decoder: &MessageStream) {
    match token {
        Token::Params(values) => {
            let format = decoder.params_format().expect("M3: no values without a format");
            check_values(format, &values.data);
        }
        Token::Row(values) => {
            let format = decoder.rows_format().expect("M3: no values without a format");
            check_values(format, &values.data);
        }
        Token::Format(format) => {
            assert_eq!(format.columns().count(), usize::from(format.count()), "M3: {format:?}");
            let holds = if format.kind().is_rows() { decoder.rows_format() } else { decoder.params_format() };
            assert_eq!(holds, Some(format), "M3: a new format holds");
        }
        Token::Capability(capabilities) => check_capabilities(capabilities),
        Token::EnvironmentChange(change) => {
            let (entries, size) = (change.iter().count(), change.packet_size());
            assert!(entries > 0 || size.is_none());
        }
        Token::Control(control) => drop(control.iter().count()),
        _ => {}
    }
}

type Tokens = (Vec<Token>, Option<(&'static str, &'static str, &'static str)>);

fn kind(error: DecodeError) -> (&'static str, &'static str, &'static str) {
    (error.message, error.field, error.kind.name())
}

/// One payload: over the whole of it, as one packet, and cut into many. The same tokens, and the same error.
pub(super) fn cut_alike(order: ByteOrder, ty: PacketType, payload: &[u8], cuts: &[usize]) {
    let (mut walked, mut failed, mut bytes) = (Vec::new(), None, Vec::new());
    for raw in walk(order, payload) {
        let token = raw.and_then(|raw| {
            let token = raw.decode()?;
            assert_eq!((raw.ty, raw.order), (token.token_type(), order));
            Ok(token.map(&mut own))
        });
        match token {
            Ok(token) => {
                bytes.extend(encoded(&token, order));
                walked.push(token);
            }
            Err(error) => {
                failed = Some(kind(error));
                break;
            }
        }
    }
    assert!(payload.starts_with(&bytes), "M1: {walked:?} is {bytes:?}, not what came");
    assert!(failed.is_some() || bytes.len() == payload.len(), "M1: {walked:?} is not all that came");
    if payload.is_empty() {
        return;
    }
    let expected = (walked, failed);
    let whole = message(ty, payload, &[]);
    let cut = message(ty, payload, cuts);
    assert_eq!(tokens(order, &whole), expected, "M1: walk and stream");
    assert_eq!(tokens(order, &cut), expected, "M1: cut into packets at {cuts:?}");
    if payload.len() <= 200 {
        let every: Vec<usize> = (0..payload.len()).collect();
        assert_eq!(tokens(order, &message(ty, payload, &every)), expected, "M1: a packet for each byte");
    }
    let make = || {
        let mut decoder = MessageStream::new(Sender::Server, NONE);
        decoder.set_order(order);
        decoder
    };
    reproduces(make(), &cut);
}

/// The tokens of a stream.
fn tokens(order: ByteOrder, stream: &[u8]) -> Tokens {
    let mut decoder = MessageStream::new(Sender::Server, NONE);
    decoder.set_order(order);
    let (mut src, mut tokens) = (BytesMut::from(stream), Vec::new());
    loop {
        match decoder.decode_next(&mut src) {
            Ok(Some(Piece::Token(token))) => tokens.push(token),
            Ok(Some(_)) => {}
            Ok(None) => return (tokens, None),
            Err(error) => return (tokens, Some(kind(error))),
        }
    }
}
