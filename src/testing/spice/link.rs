//! The link stage: as this crate writes it, and as a peer could.

use super::messages::{capabilities, channel_id};
use crate::spice::link::{LinkMess, LinkReply, MAGIC, MAJOR, PublicKey, Ticket};
use crate::spice::{CommonCaps, LinkError};
use crate::testing::Choices;
use std::vec::Vec;

fn common_caps(choices: &mut Choices<'_>) -> CommonCaps {
    CommonCaps::from_bits_retain(choices.edge_u32())
}

fn public_key(choices: &mut Choices<'_>) -> PublicKey {
    let first = choices.byte();
    PublicKey(core::array::from_fn(|at| first.wrapping_mul(at as u8 | 1)))
}

/// A ticket.
pub fn ticket(choices: &mut Choices<'_>) -> Ticket {
    let first = choices.byte();
    Ticket(core::array::from_fn(|at| first.wrapping_add(at as u8)))
}

/// A link message by [`LinkMess::new`].
pub fn link_mess(choices: &mut Choices<'_>) -> LinkMess {
    let id = choices.edge_u32();
    LinkMess::new(id, channel_id(choices), common_caps(choices), capabilities(choices))
}

/// A link reply by [`LinkReply::accept`], or now and then by [`LinkReply::refuse`].
pub fn link_reply(choices: &mut Choices<'_>) -> LinkReply {
    if choices.one_in(4) {
        return LinkReply::refuse(LinkError(choices.edge_u32()));
    }
    LinkReply::accept(public_key(choices), common_caps(choices), capabilities(choices))
}

/// The bytes of a link message, header and all, laid out as we would not: the words anywhere, more of them,
/// gaps, bytes at the end, any minor version. Now and then one that has to be refused.
pub fn odd_link_mess(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut fixed = choices.u32().to_le_bytes().to_vec();
    fixed.extend([choices.byte(), choices.byte()]);
    odd_link(fixed, choices)
}

/// The same of a link reply.
pub fn odd_link_reply(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut fixed = (choices.edge_u32() % 12).to_le_bytes().to_vec();
    fixed.extend(public_key(choices).0);
    odd_link(fixed, choices)
}

/// Header, `fixed`, counts and offset, and then the words somewhere.
fn odd_link(fixed: Vec<u8>, choices: &mut Choices<'_>) -> Vec<u8> {
    let (common, channel) = (choices.length(500), choices.length(500));
    let gap = if choices.one_in(3) { choices.length(40) } else { 0 };
    let offset = match choices.byte() {
        0..=199 => (fixed.len() + 12 + gap) as u32,
        _ => choices.edge_u32(),
    };
    let mut body = fixed;
    body.extend_from_slice(&(common as u32).to_le_bytes());
    body.extend_from_slice(&(channel as u32).to_le_bytes());
    body.extend_from_slice(&offset.to_le_bytes());
    body.resize(body.len() + gap, 0xaa);
    for _ in 0..common + channel {
        body.extend_from_slice(&choices.u32().to_le_bytes());
    }
    if choices.one_in(4) {
        body.extend(choices.bytes(32));
    }
    if choices.one_in(16) {
        body.truncate(choices.below(body.len()));
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&MAJOR.to_le_bytes());
    bytes.extend_from_slice(&choices.edge_u32().to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend(body);
    bytes
}
