//! Messages about membership.

use super::handshake::site_address;
use crate::repmgr::own::{Member, Membership, OwnMessage, SiteRequest};
use crate::repmgr::{AckPolicy, ConnectionFlags, OwnMessageType, SiteStatus};
use crate::testing::Choices;

/// A request to join or to be removed.
pub fn site_request(choices: &mut Choices<'_>) -> SiteRequest {
    let mut request = SiteRequest::new(site_address(choices));
    if choices.one_in(4) {
        request.flags = choices.edge_u32();
    }
    request
}

/// A list of up to ten members.
pub fn membership(choices: &mut Choices<'_>) -> Membership {
    let (version, generation) = (choices.edge_u32(), choices.edge_u32());
    let member = |choices: &mut Choices<'_>| {
        let status = if choices.one_in(4) { choices.edge_u32() } else { 1 << choices.below(3) };
        Member { site: site_address(choices), status: SiteStatus(status) }
    };
    Membership { version, generation, sites: (0..choices.below(11)).map(|_| member(choices)).collect() }
}

/// Any message about membership, unknown ones among them.
pub fn own_message(choices: &mut Choices<'_>) -> OwnMessage {
    match choices.below(10) {
        0 => OwnMessage::ConnectReject { version: choices.edge_u32(), generation: choices.edge_u32() },
        1 => OwnMessage::Failure,
        2 => OwnMessage::Forward { master: site_address(choices), generation: choices.edge_u32() },
        3 => OwnMessage::JoinRequest(site_request(choices)),
        4 => OwnMessage::JoinSuccess(membership(choices)),
        5 => OwnMessage::ParameterRefresh {
            ack_policy: AckPolicy(choices.edge_u32()),
            flags: ConnectionFlags::from_bits_retain(choices.edge_u32()),
        },
        6 => OwnMessage::RemoveRequest(site_request(choices)),
        7 => OwnMessage::RemoveSuccess,
        8 => OwnMessage::Sharing(membership(choices)),
        _ => {
            let ty = *choices.pick(&[7, 10, 0, 12, 255, 1 << 31, u32::MAX]);
            let mut body = choices.bytes(100);
            body.push(choices.byte());
            OwnMessage::Unknown { ty: OwnMessageType(ty), body: body.into() }
        }
    }
}
