//! The generators as proptest strategies.

use super::Conversation;
use crate::repmgr::handshake::{Handshake, VersionRange};
use crate::repmgr::message::{AppMessage, AppResponse, Message};
use crate::repmgr::own::OwnMessage;
use crate::repmgr::{Header, Host, Segments, SiteAddress};
use crate::testing::{Choices, strategy};
use bytes::Bytes;
use proptest::strategy::Strategy;
use std::vec::Vec;

/// Most bytes that one value is decided by.
const DECISIONS: usize = 512;

/// Any header.
pub fn header() -> impl Strategy<Value = Header> {
    strategy(12, super::header)
}

/// A host.
pub fn host() -> impl Strategy<Value = Host> {
    strategy(300, super::host)
}

/// Where a site listens.
pub fn site_address() -> impl Strategy<Value = SiteAddress> {
    strategy(300, super::site_address)
}

/// Any range of versions.
pub fn version_range() -> impl Strategy<Value = VersionRange> {
    strategy(16, super::version_range)
}

/// Any step of establishing a connection.
pub fn handshake() -> impl Strategy<Value = Handshake> {
    strategy(DECISIONS, super::handshake)
}

/// Any number of segments.
pub fn segments() -> impl Strategy<Value = Segments> {
    strategy(DECISIONS, super::segments)
}

/// Segments, and a block in which they are laid out in an odd way.
pub fn odd_block() -> impl Strategy<Value = (Vec<Bytes>, Vec<u8>)> {
    strategy(DECISIONS, super::odd_block)
}

/// What an application sends.
pub fn app_message() -> impl Strategy<Value = AppMessage> {
    strategy(DECISIONS, super::app_message)
}

/// A message of an application, the number of its segments, and a body with it that is laid out in an odd way.
pub fn odd_app_message() -> impl Strategy<Value = (AppMessage, u32, Vec<u8>)> {
    strategy(DECISIONS, super::odd_app_message)
}

/// An answer.
pub fn app_response() -> impl Strategy<Value = AppResponse> {
    strategy(DECISIONS, super::app_response)
}

/// Any message about membership.
pub fn own_message() -> impl Strategy<Value = OwnMessage> {
    strategy(DECISIONS, super::own_message)
}

/// Any message.
pub fn message() -> impl Strategy<Value = Message> {
    strategy(DECISIONS, super::message)
}

/// All that one end of a connection sends.
pub fn conversation() -> impl Strategy<Value = Conversation> {
    strategy(4 * DECISIONS, super::conversation)
}

/// Any message, with a few changes to its bytes.
pub fn damaged_message() -> impl Strategy<Value = Vec<u8>> {
    strategy(DECISIONS, |choices: &mut Choices<'_>| super::damaged_message(choices))
}
