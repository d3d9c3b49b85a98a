//! The generators as proptest strategies, for messages of the main channel unless said otherwise.

use super::Sample;
use crate::spice::link::{LinkMess, LinkReply};
use crate::spice::{ChannelType, ClientMessage, DstInfo, HeaderKind, ServerMessage};
use crate::testing::{Choices, strategy};
use proptest::strategy::Strategy;
use std::vec::Vec;

/// Most bytes that one value is decided by.
const DECISIONS: usize = 512;

/// Any server message.
pub fn server_message() -> impl Strategy<Value = ServerMessage> {
    strategy(DECISIONS, |choices| super::server_message(ChannelType::MAIN, choices))
}

/// Any client message.
pub fn client_message() -> impl Strategy<Value = ClientMessage> {
    strategy(DECISIONS, |choices| super::client_message(ChannelType::MAIN, choices))
}

/// Any packet of a server on `channel` with the header `kind`.
pub fn server_packet(channel: ChannelType, kind: HeaderKind) -> impl Strategy<Value = Sample<ServerMessage>> {
    strategy(DECISIONS, move |choices| super::server_packet(channel, kind, choices))
}

/// Any packet of a client on `channel` with the header `kind`.
pub fn client_packet(channel: ChannelType, kind: HeaderKind) -> impl Strategy<Value = Sample<ClientMessage>> {
    strategy(DECISIONS, move |choices| super::client_packet(channel, kind, choices))
}

/// Any link message.
pub fn link_mess() -> impl Strategy<Value = LinkMess> {
    strategy(DECISIONS, super::link_mess)
}

/// Any link reply.
pub fn link_reply() -> impl Strategy<Value = LinkReply> {
    strategy(DECISIONS, super::link_reply)
}

/// Any destination as we send it.
pub fn dst_info() -> impl Strategy<Value = DstInfo> {
    strategy(DECISIONS, super::dst_info)
}

/// A channel, a type and a body for it that a server could send and we would not.
pub fn odd_server_body() -> impl Strategy<Value = (ChannelType, u16, Vec<u8>)> {
    strategy(DECISIONS, |choices: &mut Choices<'_>| {
        let channel = super::any_channel_type(choices);
        let (ty, body) = super::odd_server_body(channel, choices);
        (channel, ty, body)
    })
}

/// A channel, a type and a body for it that a client could send and we would not.
pub fn odd_client_body() -> impl Strategy<Value = (ChannelType, u16, Vec<u8>)> {
    strategy(DECISIONS, |choices: &mut Choices<'_>| {
        let channel = super::any_channel_type(choices);
        let (ty, body) = super::odd_client_body(channel, choices);
        (channel, ty, body)
    })
}
