//! What a SPICE peer must not send: each case says precisely which field is wrong, and why.

mod bodies;
mod destination;
mod link_stage;
mod sub_list;

use crate::errors::{assert_invalid, assert_unsupported, limit, short};
use handover::limits::SpiceLimits;
use handover::spice::link::{LinkMess, LinkReply, LinkResult, PublicKey, Ticket};
use handover::spice::stream::{ClientItem, ClientStream, ServerItem, ServerStream};
use handover::spice::{Capabilities, ChannelId, ChannelType, CommonCaps, HeaderKind, LinkError};
use handover::wire::{Encode, Framer};

const LIMITS: SpiceLimits = SpiceLimits::DEFAULT;

fn caps(header: HeaderKind) -> CommonCaps {
    match header {
        HeaderKind::Mini => CommonCaps::AUTH_SPICE | CommonCaps::MINI_HEADER,
        HeaderKind::Full => CommonCaps::AUTH_SPICE,
    }
}

fn link_mess(header: HeaderKind, channel: ChannelType) -> LinkMess {
    LinkMess::new(0, ChannelId::new(channel, 0), caps(header), Capabilities::default())
}

fn link_reply(header: HeaderKind) -> LinkReply {
    LinkReply::accept(PublicKey([7; PublicKey::SIZE]), caps(header), Capabilities::default())
}

/// A server's stream that has passed the link stage.
fn linked_server(header: HeaderKind, channel: ChannelType) -> Framer<ServerStream> {
    let mut stream = ServerStream::new(LIMITS);
    stream.set_link(&link_mess(header, channel));
    let mut framer = Framer::new(stream);
    framer.push(&link_reply(header).to_vec().unwrap());
    framer.push(&LinkResult { error: LinkError::OK }.to_vec().unwrap());
    assert!(matches!(framer.next_item(), Ok(Some(ServerItem::Reply(_)))));
    assert!(matches!(framer.next_item(), Ok(Some(ServerItem::Result(_)))));
    assert_eq!(framer.next_item(), Ok(None));
    framer
}

/// A client's stream that has passed the link stage, without a mechanism.
fn linked_client(header: HeaderKind, channel: ChannelType) -> Framer<ClientStream> {
    let mut framer = Framer::new(ClientStream::new(LIMITS));
    framer.push(&link_mess(header, channel).to_vec().unwrap());
    framer.push(&[9; Ticket::SIZE]);
    assert!(matches!(framer.next_item(), Ok(Some(ClientItem::Link(_)))));
    framer.decoder_mut().set_reply(&link_reply(header));
    assert!(matches!(framer.next_item(), Ok(Some(ClientItem::Ticket(_)))));
    assert_eq!(framer.next_item(), Ok(None));
    framer
}

/// A data header of either kind, without a sub-message list.
fn data_header(kind: HeaderKind, ty: u16, size: u32) -> Vec<u8> {
    full_header(kind, ty, size, 0)
}

fn full_header(kind: HeaderKind, ty: u16, size: u32, sub_list: u32) -> Vec<u8> {
    let mini = [&ty.to_le_bytes()[..], &size.to_le_bytes()].concat();
    match kind {
        HeaderKind::Mini => mini,
        HeaderKind::Full => [&1_u64.to_le_bytes()[..], &mini, &sub_list.to_le_bytes()].concat(),
    }
}

fn length(body: &[u8]) -> u32 {
    u32::try_from(body.len()).unwrap()
}

const HEADERS: [HeaderKind; 2] = [HeaderKind::Full, HeaderKind::Mini];
