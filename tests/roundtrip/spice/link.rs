//! Whole links: both connections, from the first byte to the last (spec/spice.md 8: C1, C3).

use bytes::{Bytes, BytesMut};
use handover::error::EncodeError;
use handover::limits::SpiceLimits;
use handover::spice::common::WaitForChannels;
use handover::spice::connection::{ClientConnection, ClientEvent, ServerConnection, ServerEvent};
use handover::spice::link::{LinkReply, PublicKey, Ticket};
use handover::spice::stream::{ClientItem, ClientStream, ServerItem, ServerStream};
use handover::spice::{
    Capabilities, ChannelId, ClientMessage, CommonCaps, HeaderKind, LinkError, Message, Packet, ServerMessage,
};
use handover::testing::spice::{self as values, Sample};
use handover::testing::{Choices, Rng};
use handover::wire::StreamDecode as _;
use proptest::prelude::*;

const LIMITS: SpiceLimits = SpiceLimits::DEFAULT;

/// A link from its first byte: what both ends say.
#[derive(Debug)]
struct Link {
    channel: ChannelId,
    client_caps: CommonCaps,
    server_caps: CommonCaps,
    channel_caps: Capabilities,
    ticket: Ticket,
    result: LinkError,
    up: Vec<Sample<ClientMessage>>,
    down: Vec<Sample<ServerMessage>>,
}

impl Link {
    fn choose(choices: &mut Choices<'_>) -> Self {
        let channel = values::channel_id(choices);
        let mut caps = || CommonCaps::from_bits_retain(choices.u32());
        let (client_caps, server_caps) = (caps(), caps() | CommonCaps::AUTH_SPICE);
        let channel_caps = values::capabilities(choices);
        let ticket = values::ticket(choices);
        let result = if choices.one_in(8) { LinkError::PERMISSION_DENIED } else { LinkError::OK };
        let mut link =
            Self { channel, client_caps, server_caps, channel_caps, ticket, result, up: vec![], down: vec![] };
        let (ty, kind) = (channel.ty, link.kind());
        while !choices.is_empty() {
            if choices.boolean() {
                link.up.push(values::client_packet(ty, kind, choices));
            } else {
                link.down.push(values::server_packet(ty, kind, choices));
            }
        }
        link
    }

    fn kind(&self) -> HeaderKind {
        let mini = self.client_caps.intersection(self.server_caps).contains(CommonCaps::MINI_HEADER);
        if mini { HeaderKind::Mini } else { HeaderKind::Full }
    }

    /// Both ends talk; each gets the other's bytes in pieces of any size, as late as it may be.
    fn run(&self, rng: &mut Rng) {
        let (id, channel, caps) = (7, self.channel, self.channel_caps.clone());
        let mut client = ClientConnection::new(id, channel, self.client_caps, caps.clone(), LIMITS);
        let mut server = ServerConnection::new(LIMITS);
        let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
        let (mut got_up, mut got_down) = (Vec::new(), Vec::new());
        let (mut all_up, mut all_down) = (Vec::new(), Vec::new());
        let mut refused = None;
        client.start(&mut up).unwrap();
        assert!(client.start(&mut up).is_err(), "a link starts once");
        while !(up.is_empty() && down.is_empty()) {
            let to_server = !up.is_empty() && (down.is_empty() || rng.happens(500_000));
            let bytes = if to_server { &mut up } else { &mut down };
            let most = if rng.happens(300_000) { bytes.len().min(3) } else { bytes.len() };
            let piece = bytes.split_to(rng.within(&(1..=most as u64)) as usize);
            if to_server { &mut all_up } else { &mut all_down }.extend_from_slice(&piece);
            if to_server {
                server.receive(&piece);
                while let Some(event) = server.next_event().unwrap() {
                    match event {
                        ServerEvent::Link(mess) => {
                            assert_eq!(
                                (mess.connection_id(), mess.channel(), mess.channel_caps()),
                                (id, channel, &caps)
                            );
                            assert_eq!(mess.common_caps().common(), self.client_caps);
                            let reply = LinkReply::accept(PublicKey([9; 162]), self.server_caps, caps.clone());
                            server.reply(&reply, &mut down).unwrap();
                        }
                        ServerEvent::Ticket(ticket) => {
                            assert_eq!(ticket, self.ticket);
                            server.finish(self.result, &mut down).unwrap();
                            if self.result == LinkError::OK {
                                // Its first messages may stand right behind the result.
                                self.down.iter().for_each(|sample| server.send(&sample.packet, &mut down).unwrap());
                            }
                        }
                        ServerEvent::Message(packet) => got_up.push(packet),
                        other => panic!("{other:?}"),
                    }
                }
            } else {
                client.receive(&piece);
                while let Some(event) = client.next_event().unwrap() {
                    match event {
                        ClientEvent::TicketWanted(key) => {
                            assert_eq!(key, PublicKey([9; 162]));
                            client.answer_ticket(&self.ticket, &mut up).unwrap();
                            // Nor does a client have to wait for the result.
                            self.up.iter().for_each(|sample| client.send(&sample.packet, &mut up).unwrap());
                        }
                        ClientEvent::Linked { common, channel } => {
                            assert_eq!((common, &channel), (self.server_caps, &caps));
                        }
                        ClientEvent::Refused { error, authentication } => refused = Some((error, authentication)),
                        ClientEvent::Message(packet) => got_down.push(packet),
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
        assert_eq!(got_up, events(&expected(self.kind(), &self.up)));
        let down = if self.result == LinkError::OK { &self.down[..] } else { &[] };
        let down = expected(self.kind(), down);
        // Here a list has no meaning beside its messages.
        let mut seen = events(&down);
        seen.retain(|packet| !matches!(packet.message, ServerMessage::List(_)));
        assert_eq!(got_down, seen);
        assert_eq!(refused, (self.result != LinkError::OK).then_some((self.result, true)));
        relay(&all_up, &all_down, &expected(self.kind(), &self.up), &down);
    }
}

/// A relay that takes both streams apart sees every packet as it was sent, and writes the same bytes again.
fn relay(up: &[u8], down: &[u8], packets_up: &Packets<ClientMessage>, packets_down: &Packets<ServerMessage>) {
    let (mut from_client, mut from_server) = (ClientStream::new(LIMITS), ServerStream::new(LIMITS));
    let (mut to_server, mut to_client) = (
        ClientConnection::new(0, ChannelId::MAIN, CommonCaps::empty(), Capabilities::default(), LIMITS),
        ServerConnection::new(LIMITS),
    );
    let (mut rest_up, mut rest_down) = (BytesMut::from(up), BytesMut::from(down));
    let (mut again_up, mut again_down) = (BytesMut::new(), BytesMut::new());

    let item = from_client.decode_next(&mut rest_up).unwrap().unwrap();
    let ClientItem::Link(mess) = &item else { panic!("{item:?}") };
    from_server.set_link(mess);
    to_server.encode_item(&item, &mut again_up).unwrap();
    assert_eq!(to_client.decode_next(&mut again_up.clone()).unwrap(), Some(item));
    let item = from_server.decode_next(&mut rest_down).unwrap().unwrap();
    let ServerItem::Reply(reply) = &item else { panic!("{item:?}") };
    from_client.set_reply(reply);
    to_client.encode_item(&item, &mut again_down).unwrap();
    assert_eq!(to_server.decode_next(&mut again_down.clone()).unwrap(), Some(item));

    let mut seen = Vec::new();
    while let Some(item) = from_client.decode_next(&mut rest_up).unwrap() {
        to_server.encode_item(&item, &mut again_up).unwrap();
        match item {
            ClientItem::SubMessage(packet) => seen.push((true, packet)),
            ClientItem::Message(packet) => seen.push((false, packet)),
            _ => {}
        }
    }
    assert_eq!((&seen, &again_up[..]), (packets_up, up));
    let mut seen = Vec::new();
    while let Some(item) = from_server.decode_next(&mut rest_down).unwrap() {
        to_client.encode_item(&item, &mut again_down).unwrap();
        match item {
            ServerItem::SubMessage(packet) => seen.push((true, packet)),
            ServerItem::Message(packet) => seen.push((false, packet)),
            _ => {}
        }
    }
    assert_eq!((&seen, &again_down[..]), (packets_down, down));
}

/// Packets, each with whether it is a sub-message.
type Packets<M> = Vec<(bool, Packet<M>)>;

/// What stands on the wire: sub-messages first, every packet with its serial.
fn expected<M: Message>(kind: HeaderKind, samples: &[Sample<M>]) -> Packets<M> {
    let mut packets = Vec::new();
    let mut next = 1_u64;
    for (index, Sample { packet, subs }) in samples.iter().enumerate() {
        let serial = match kind {
            HeaderKind::Full => packet.serial.unwrap_or(next),
            HeaderKind::Mini => index as u64 + 1,
        };
        next = serial.saturating_add(1);
        let serial = Some(serial);
        packets.extend(
            subs.iter().cloned().map(|(message, extra)| (true, Packet { serial, extra, ..Packet::new(message) })),
        );
        packets.push((false, Packet { serial, ..packet.clone() }));
    }
    packets
}

/// What an end of the link is told: a message whose sub-messages have come is without them.
fn events<M: Message>(packets: &Packets<M>) -> Vec<Packet<M>> {
    let event = |(_, packet): &(bool, Packet<M>)| match packet.clone() {
        packet if packet.sub_list == 0 => packet,
        packet => Packet { sub_list: 0, extra: Bytes::new(), ..packet },
    };
    packets.iter().map(event).collect()
}

proptest! {
    /// C1 and C3: a whole link, link stage and all, both directions, both headers, cut anywhere.
    #[test]
    fn whole_links(bytes in proptest::collection::vec(any::<u8>(), 0..1500)) {
        Link::choose(&mut Choices::new(&bytes)).run(&mut Rng::new(bytes.len() as u64));
    }
}

/// The links that the property tries are of all sorts.
#[test]
fn whole_links_use_both_headers_and_sub_messages() {
    let mut rng = Rng::new(8);
    let links: Vec<Link> = (0..200).map(|_| Link::choose(&mut Choices::new(&rng.bytes(1500)))).collect();
    let count = |test: &dyn Fn(&Link) -> bool| links.iter().filter(|link| test(link)).count();
    assert!(count(&|link| link.kind() == HeaderKind::Mini) > 20);
    assert!(count(&|link| link.kind() == HeaderKind::Full) > 20);
    assert!(count(&|link| link.result != LinkError::OK) > 5);
    assert!(count(&|link| link.up.iter().any(|sample| sample.packet.sub_list != 0 && !sample.subs.is_empty())) > 20);
    assert!(count(&|link| link.down.iter().any(|sample| sample.packet.sub_list == 0 && !sample.subs.is_empty())) > 20);
    assert!(count(&|link| link.down.iter().any(|sample| !sample.packet.extra.is_empty())) > 50);
    links.iter().for_each(|link| link.run(&mut rng));
}

/// A packet that its link cannot carry takes up no serial.
#[test]
fn a_refused_packet_changes_nothing() {
    for caps in [CommonCaps::empty(), CommonCaps::MINI_HEADER] {
        let mut client = ClientConnection::new(0, ChannelId::MAIN, caps, Capabilities::default(), LIMITS);
        let mut server = ServerConnection::new(LIMITS);
        let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
        assert!(client.send(&ClientMessage::Ack.into(), &mut up).is_err(), "the link stage comes first");
        assert!(up.is_empty());
        client.start(&mut up).unwrap();
        server.receive(&up.split());
        server.next_event().unwrap().unwrap();
        server.reply(&LinkReply::accept(PublicKey::ZERO, caps, Capabilities::default()), &mut down).unwrap();
        client.receive(&down.split());
        client.next_event().unwrap().unwrap();
        client.answer_ticket(&Ticket([0; 128]), &mut up).unwrap();
        server.receive(&up.split());
        server.next_event().unwrap().unwrap();
        server.finish(LinkError::OK, &mut down).unwrap();

        let before = down.clone();
        let many: WaitForChannels = (0..256).map(|serial| (ChannelId::MAIN, serial)).collect();
        assert!(server.send(&ServerMessage::WaitForChannels(many).into(), &mut down).is_err());
        if caps.contains(CommonCaps::MINI_HEADER) {
            let listed = Packet { sub_list: 1, ..Packet::new(ServerMessage::MigrateEnd) };
            assert!(matches!(server.send(&listed, &mut down), Err(EncodeError::Invalid { field: "sub_list", .. })));
        }
        assert_eq!(down, before);
        server.send(&ServerMessage::MigrateEnd.into(), &mut down).unwrap();
        client.receive(&down.split());
        assert!(matches!(client.next_event(), Ok(Some(ClientEvent::Linked { .. }))));
        let Ok(Some(ClientEvent::Message(packet))) = client.next_event() else { panic!() };
        assert_eq!(packet.serial, Some(1));
    }
}
