//! The generators as proptest strategies. What depends on the byte order comes with it.

use super::Conversation;
use crate::tds5::SessionId;
use crate::tds5::capability::{Capabilities, Mask};
use crate::tds5::login::{Login, LoginRecord};
use crate::tds5::migration::{Address, Migration, Options};
use crate::tds5::packet::PacketHeader;
use crate::tds5::token::{Format, Token};
use crate::testing::{Choices, strategy};
use crate::wire::ByteOrder;
use proptest::strategy::Strategy;
use std::vec::Vec;

/// Most bytes that one value is decided by.
const DECISIONS: usize = 512;

/// Either byte order.
pub fn byte_order() -> impl Strategy<Value = ByteOrder> {
    strategy(1, super::byte_order)
}

/// A value of which the byte order is a part.
fn in_order<T: core::fmt::Debug>(
    generate: impl Fn(ByteOrder, &mut Choices<'_>) -> T,
) -> impl Strategy<Value = (ByteOrder, T)> {
    strategy(DECISIONS, move |choices| {
        let order = super::byte_order(choices);
        (order, generate(order, choices))
    })
}

/// Any token that needs no other one.
pub fn token() -> impl Strategy<Value = (ByteOrder, Token)> {
    in_order(super::token)
}

/// Tokens in a row.
pub fn tokens() -> impl Strategy<Value = (ByteOrder, Vec<Token>)> {
    in_order(|order, choices| super::tokens(order, 8, choices))
}

/// A format of any kind.
pub fn format() -> impl Strategy<Value = Format> {
    strategy(DECISIONS, |choices: &mut Choices<'_>| {
        let (kind, order) = (super::format_kind(choices), super::byte_order(choices));
        super::format(kind, order, choices)
    })
}

/// The header of a packet.
pub fn packet_header() -> impl Strategy<Value = PacketHeader> {
    strategy(16, super::packet_header)
}

/// A capability mask of any length.
pub fn mask() -> impl Strategy<Value = Mask> {
    strategy(DECISIONS, super::mask)
}

/// Capabilities.
pub fn capabilities() -> impl Strategy<Value = Capabilities> {
    strategy(DECISIONS, super::capabilities)
}

/// A login record.
pub fn login_record() -> impl Strategy<Value = LoginRecord> {
    strategy(DECISIONS, |choices: &mut Choices<'_>| {
        let order = super::byte_order(choices);
        super::login_record(order, choices)
    })
}

/// A login message.
pub fn login() -> impl Strategy<Value = Login> {
    strategy(DECISIONS, super::login)
}

/// A session id.
pub fn session_id() -> impl Strategy<Value = SessionId> {
    strategy(6, super::session_id)
}

/// An address.
pub fn address() -> impl Strategy<Value = Address> {
    strategy(300, super::address)
}

/// A message of the exchange, and how it is laid out.
pub fn migration() -> impl Strategy<Value = (Migration, Options)> {
    strategy(DECISIONS, |choices: &mut Choices<'_>| (super::migration(choices), super::options(choices)))
}

/// A message of the exchange as a peer could lay it out.
pub fn odd_migration() -> impl Strategy<Value = (ByteOrder, (Migration, Vec<Token>))> {
    in_order(super::odd_migration)
}

/// All that one end of a connection sends.
pub fn conversation() -> impl Strategy<Value = Conversation> {
    strategy(4 * DECISIONS, super::conversation)
}

/// The bytes of a token that a peer could send and we would not.
pub fn odd_token() -> impl Strategy<Value = (ByteOrder, Vec<u8>)> {
    in_order(super::odd_token)
}
