//! Two ends of one link.

use bytes::BytesMut;
use handover::limits::SpiceLimits;
use handover::spice::connection::{ClientConnection, ClientEvent, ServerConnection, ServerEvent};
use handover::spice::link::{LinkReply, PublicKey, Ticket};
use handover::spice::{Capabilities, ChannelId, CommonCaps, LinkError, MainCaps};

pub const CAPS: CommonCaps = CommonCaps::AUTH_SELECTION.union(CommonCaps::AUTH_SPICE).union(CommonCaps::MINI_HEADER);

pub fn pair(caps: CommonCaps) -> (ClientConnection, ServerConnection) {
    let main: Capabilities = MainCaps::SEMI_SEAMLESS_MIGRATE.into();
    let client = ClientConnection::new(7, ChannelId::MAIN, caps, main, SpiceLimits::DEFAULT);
    (client, ServerConnection::new(SpiceLimits::DEFAULT))
}

/// Runs the link stage of a pair.
pub fn link(client: &mut ClientConnection, server: &mut ServerConnection, caps: CommonCaps) {
    let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
    client.start(&mut up).unwrap();
    server.receive(&up.split());
    assert!(matches!(server.next_event(), Ok(Some(ServerEvent::Link(_)))));
    server.reply(&LinkReply::accept(PublicKey([3; 162]), caps, Capabilities::default()), &mut down).unwrap();
    client.receive(&down.split());
    assert!(matches!(client.next_event(), Ok(Some(ClientEvent::TicketWanted(_)))));
    client.answer_ticket(&Ticket(SECRET), &mut up).unwrap();
    server.receive(&up.split());
    assert!(matches!(server.next_event(), Ok(Some(ServerEvent::Ticket(_)))));
    server.finish(LinkError::OK, &mut down).unwrap();
    client.receive(&down.split());
    assert!(matches!(client.next_event(), Ok(Some(ClientEvent::Linked { .. }))));
}

pub const SECRET: [u8; 128] = *b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\
0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
