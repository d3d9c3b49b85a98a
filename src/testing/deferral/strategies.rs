//! The generators as proptest strategies.

use crate::deferral::ServerUri;
use crate::deferral::message::{Defer, Message, Request};
use crate::testing::{Choices, strategy};
use proptest::strategy::Strategy;
use std::vec::Vec;

/// Most bytes that one value is decided by.
const DECISIONS: usize = 600;

/// Any message.
pub fn message() -> impl Strategy<Value = Message> {
    strategy(DECISIONS, super::message)
}

/// Messages in a row.
pub fn messages() -> impl Strategy<Value = Vec<Message>> {
    strategy(2 * DECISIONS, |choices: &mut Choices<'_>| {
        let count = choices.below(8);
        (0..count).map(|_| super::message(choices)).collect()
    })
}

/// A request.
pub fn request() -> impl Strategy<Value = Request> {
    strategy(DECISIONS, super::request)
}

/// A deferral.
pub fn defer() -> impl Strategy<Value = Defer> {
    strategy(DECISIONS, super::defer)
}

/// Where a server is.
pub fn server_uri() -> impl Strategy<Value = ServerUri> {
    strategy(64, super::server_uri)
}

/// A text that may name a server.
pub fn odd_uri() -> impl Strategy<Value = Vec<u8>> {
    strategy(64, super::odd_uri)
}

/// The kind and body of a message as a peer could lay it out.
pub fn odd_message() -> impl Strategy<Value = (u8, Vec<u8>)> {
    strategy(DECISIONS, super::odd_message)
}
