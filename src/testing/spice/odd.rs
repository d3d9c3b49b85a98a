//! Bodies that a peer could send and we would not.

use super::messages::{any_type, client_message, port, server_message};
use crate::spice::{ChannelType, ClientMessage, ServerMessage};
use crate::testing::{Choices, damaged};
use crate::wire::Encode as _;
use bytes::Bytes;
use std::vec::Vec;

/// A type and a body for it that a server could send: a destination laid out in another way, one of our own
/// bodies that was lengthened, shortened or damaged, or nothing but random bytes. Many are acceptable, some not.
pub fn odd_server_body(channel: ChannelType, choices: &mut Choices<'_>) -> (u16, Vec<u8>) {
    match choices.below(4) {
        0 => (*choices.pick(&[101, 111]), odd_dst_info(false, choices)),
        1 => (116, odd_dst_info(true, choices)),
        2 => {
            let message = server_message(channel, choices);
            let body = message.to_vec().expect("the generator keeps to the rules");
            (message.wire_type(), damaged(body, choices))
        }
        _ => (any_type(ServerMessage::<Bytes>::TYPES, choices), choices.bytes(300)),
    }
}

/// A type and a body for it that a client could send: see [`odd_server_body`].
pub fn odd_client_body(channel: ChannelType, choices: &mut Choices<'_>) -> (u16, Vec<u8>) {
    if choices.boolean() {
        return (any_type(ClientMessage::<Bytes>::TYPES, choices), choices.bytes(300));
    }
    let message = client_message(channel, choices);
    let body = message.to_vec().expect("the generator keeps to the rules");
    (message.wire_type(), damaged(body, choices))
}

/// The body of a destination (with a migration version if `seamless`) whose strings stand anywhere: in either
/// order, apart, overlapping, in the fixed part, without NULs, with bytes between and behind them. Now and then
/// one of the numbers makes no sense.
pub fn odd_dst_info(seamless: bool, choices: &mut Choices<'_>) -> Vec<u8> {
    let fixed = if seamless { 24 } else { 20 };
    let mut strings = choices.bytes(200);
    if strings.is_empty() {
        strings.push(b'h');
    }
    let total = fixed + strings.len();
    // A place and a size within the body, mostly among the strings.
    let place = |choices: &mut Choices<'_>| {
        let from = if choices.one_in(8) { 0 } else { fixed };
        let start = from + choices.below(total - from);
        let size = choices.below(total - start + 1);
        (start, size)
    };
    let (host_at, host_size) = match choices.byte() {
        0..=95 => (fixed, choices.below(strings.len()) + 1),
        _ => place(choices),
    };
    let (subject_at, subject_size) = match choices.byte() {
        0..=63 => (0, 0),
        64..=79 => (0, choices.below(total)),
        80..=143 => {
            let at = host_at + host_size;
            (at, choices.below(total.saturating_sub(at) + 1))
        }
        _ => place(choices),
    };
    // A name starts with something.
    if let Some(first) = host_at.checked_sub(fixed).and_then(|at| strings.get_mut(at)) {
        *first = (*first).max(1);
    }
    let mut numbers = [host_size, host_at, subject_size, subject_at].map(|number| number as u32);
    if choices.one_in(12) {
        numbers[choices.below(4)] = choices.edge_u32();
    }
    let mut body = Vec::with_capacity(total);
    body.extend_from_slice(&port(choices).wire().to_le_bytes());
    body.extend_from_slice(&port(choices).wire().to_le_bytes());
    numbers.iter().for_each(|number| body.extend_from_slice(&number.to_le_bytes()));
    if seamless {
        body.extend_from_slice(&choices.edge_u32().to_le_bytes());
    }
    body.extend(strings);
    body
}
