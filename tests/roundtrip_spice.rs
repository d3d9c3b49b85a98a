//! The SPICE codec on any value that its API can build, and on any bytes (spec/spice.md 8: C1, C2, C3, C5).

use bytes::{Bytes, BytesMut};
use handover::error::{DecodeErrorKind, EncodeError};
use handover::limits::SpiceLimits;
use handover::spice::common::WaitForChannels;
use handover::spice::connection::{ClientConnection, ClientEvent, ServerConnection, ServerEvent};
use handover::spice::link::{LinkHeader, LinkMess, LinkReply, PublicKey, Ticket};
use handover::spice::stream::{ClientStream, ServerStream};
use handover::spice::{
    Capabilities, ChannelId, ChannelType, ClientMessage, CommonCaps, DstInfo, HeaderKind, LinkError, Message, Packet,
    ServerMessage, SubList,
};
use handover::testing::spice::{self as values, Sample, strategies};
use handover::testing::{Choices, Rng, check_chunking, strategy};
use handover::wire::{Encode, Framer, StreamDecode};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

const LIMITS: SpiceLimits = SpiceLimits::DEFAULT;

/// What every encodable value keeps to: the size is exact, a short buffer is refused and left alone, and all
/// ways of encoding give the same bytes.
fn encodes(value: &impl Encode) -> Vec<u8> {
    let bytes = value.to_vec().expect("it can be encoded");
    assert_eq!(bytes.len(), value.encoded_len());

    let mut room = vec![0xa5; bytes.len() + 3];
    assert_eq!(value.encode(&mut room), Ok(bytes.len()));
    assert_eq!(room[..bytes.len()], bytes);
    assert_eq!(room[bytes.len()..], [0xa5; 3]);

    if let Some(got) = bytes.len().checked_sub(1) {
        let mut short = vec![0xa5; got];
        let needed = bytes.len();
        assert_eq!(value.encode(&mut short), Err(EncodeError::ShortBuffer { needed, got }));
        assert!(short.iter().all(|&byte| byte == 0xa5), "nothing may be written on error");
    }

    let mut behind = BytesMut::from(&b"before"[..]);
    value.encode_to(&mut behind).expect("it can be encoded");
    assert_eq!(&behind[..6], b"before");
    assert_eq!(behind[6..], bytes);
    bytes
}

/// A value that cannot be encoded leaves every destination as it was.
fn refuses(value: &impl Encode) -> EncodeError {
    let mut room = [0xa5; 64];
    let error = value.encode(&mut room).expect_err("it cannot be encoded");
    assert_eq!(room, [0xa5; 64]);
    let mut behind = BytesMut::from(&b"before"[..]);
    assert_eq!(value.encode_to(&mut behind), Err(error));
    assert_eq!(&behind[..], b"before");
    assert_eq!(value.to_vec(), Err(error));
    error
}

/// Decoding what was encoded gives the message, and nothing besides.
fn round_trip<M: Message>(channel: ChannelType, message: &M) {
    let body = Bytes::from(encodes(message));
    let (decoded, extra) = M::from_body(channel, message.wire_type(), &body).expect("our own bytes");
    assert_eq!(&decoded, message);
    assert!(extra.is_empty(), "{extra:?}");
}

/// What is accepted is written back byte for byte. Whether it was accepted.
fn reproduces<M: Message>(channel: ChannelType, ty: u16, body: &[u8]) -> bool {
    let body = Bytes::copy_from_slice(body);
    let Ok((message, extra)) = M::from_body(channel, ty, &body) else { return false };
    assert_eq!(message.wire_type(), ty);
    let mut again = encodes(&message);
    again.extend_from_slice(&extra);
    assert_eq!(again, body, "{message:?} behind {extra:?}");
    true
}

proptest! {
    #[test]
    fn any_server_message(message in strategies::server_message()) {
        round_trip(ChannelType::MAIN, &message);
    }

    #[test]
    fn any_client_message(message in strategies::client_message()) {
        round_trip(ChannelType::MAIN, &message);
    }

    #[test]
    fn any_message_of_any_channel(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let mut choices = Choices::new(&bytes);
        let channel = values::any_channel_type(&mut choices);
        round_trip(channel, &values::server_message(channel, &mut choices));
        round_trip(channel, &values::client_message(channel, &mut choices));
    }

    #[test]
    fn any_link_message(mess in strategies::link_mess(), reply in strategies::link_reply()) {
        let bytes = encodes(&mess);
        let header = LinkHeader::parse(&bytes, LinkMess::sizes(&LIMITS)).unwrap().unwrap();
        let body = Bytes::from(bytes).split_off(LinkHeader::SIZE);
        prop_assert_eq!(header.size as usize, body.len());
        prop_assert_eq!(LinkMess::parse(header.minor, &body, &LIMITS).unwrap(), mess);

        let bytes = encodes(&reply);
        let header = LinkHeader::parse(&bytes, LinkReply::sizes(&LIMITS)).unwrap().unwrap();
        let body = Bytes::from(bytes).split_off(LinkHeader::SIZE);
        prop_assert_eq!(LinkReply::parse(header.minor, &body, &LIMITS).unwrap(), reply);
    }

    #[test]
    fn any_destination(dst in strategies::dst_info()) {
        let body = encodes(&dst);
        // The canonical layout of 4.5: the host behind the fixed part, the subject behind the host.
        let host = dst.host();
        prop_assert_eq!(&body[8..12], &20_u32.to_le_bytes());
        prop_assert_eq!(&body[20..20 + host.len()], host);
        prop_assert_eq!(body[20 + host.len()], 0);
        prop_assert!(dst.port().wire() != u16::MAX && dst.tls_port().wire() != u16::MAX);
        if dst.cert_subject().is_none() {
            prop_assert_eq!(&body[12..20], &[0; 8]);
        }
    }

    /// C1: whatever is accepted, in whatever layout, is written back byte for byte.
    #[test]
    fn odd_server_bodies((channel, ty, body) in strategies::odd_server_body()) {
        reproduces::<ServerMessage>(channel, ty, &body);
    }

    #[test]
    fn odd_client_bodies((channel, ty, body) in strategies::odd_client_body()) {
        reproduces::<ClientMessage>(channel, ty, &body);
    }

    #[test]
    fn random_bodies_of_every_type(body in proptest::collection::vec(any::<u8>(), 0..200), ty in any::<u16>()) {
        for channel in (0..=12).map(ChannelType) {
            for &(ty, ..) in ServerMessage::<Bytes>::TYPES.iter().chain(&[(ty, false, "")]) {
                reproduces::<ServerMessage>(channel, ty, &body);
            }
            for &(ty, ..) in ClientMessage::<Bytes>::TYPES.iter().chain(&[(ty, false, "")]) {
                reproduces::<ClientMessage>(channel, ty, &body);
            }
        }
    }

    /// C2: the strings of a destination are the bytes that its numbers name, and a number that names none
    /// within the body is refused. Told by an oracle that shares nothing with the codec.
    #[test]
    fn destinations_name_their_bytes(
        body in strategy(512, |choices: &mut Choices<'_>| values::odd_dst_info(false, choices)),
    ) {
        let number = |at: usize| u32::from_le_bytes(body[at..at + 4].try_into().unwrap()) as usize;
        let named = |size: usize, at: usize| body.get(at..at.checked_add(size)?);
        let text = |bytes: &[u8]| bytes.iter().copied().take_while(|&byte| byte != 0).collect::<Vec<u8>>();
        let (host, subject) = (named(number(4), number(8)), named(number(12), number(16)));
        let host = host.filter(|host| number(8) != 0 && host.first().is_some_and(|&byte| byte != 0));
        let decoded = ServerMessage::from_body(ChannelType::MAIN, 101, &Bytes::copy_from_slice(&body));
        match (host, subject, decoded) {
            (Some(host), Some(subject), Ok((ServerMessage::MigrateBegin(dst), _))) => {
                prop_assert_eq!(dst.host(), text(host));
                let subject = if number(16) == 0 { Vec::new() } else { text(subject) };
                prop_assert_eq!(dst.cert_subject().unwrap_or_default(), subject);
            }
            (None, _, Err(_)) | (_, None, Err(_)) => {}
            (host, subject, decoded) => prop_assert!(false, "{host:?} {subject:?} {decoded:?}"),
        }
    }

    #[test]
    fn odd_link_messages(bytes in strategy(3000, values::odd_link_mess), cuts in any::<[usize; 4]>()) {
        let mut framer = Framer::new(ClientStream::new(LIMITS));
        framer.push(&bytes);
        if let Ok(Some(handover::spice::stream::ClientItem::Link(mess))) = framer.next_item() {
            prop_assert_eq!(encodes(&mess), bytes.clone());
        }
        check_chunking(|| ClientStream::new(LIMITS), &bytes, &cuts);
    }

    #[test]
    fn odd_link_replies(bytes in strategy(3000, values::odd_link_reply), cuts in any::<[usize; 4]>()) {
        let mut framer = Framer::new(ServerStream::new(LIMITS));
        framer.push(&bytes);
        if let Ok(Some(handover::spice::stream::ServerItem::Reply(reply))) = framer.next_item() {
            prop_assert_eq!(encodes(&reply), bytes.clone());
        }
        check_chunking(|| ServerStream::new(LIMITS), &bytes, &cuts);
    }

    /// C1 and C3: a whole link, link stage and all, both directions, both headers, cut anywhere.
    #[test]
    fn whole_links(bytes in proptest::collection::vec(any::<u8>(), 0..1500)) {
        Link::choose(&mut Choices::new(&bytes)).run(&mut Rng::new(bytes.len() as u64));
    }

    /// C3 on bytes that make no sense: a framer holds no more than was pushed, and an error stays.
    #[test]
    fn framers_on_any_bytes(
        reply in strategies::link_reply(),
        mess in strategies::link_mess(),
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        sensible in any::<bool>(),
        cuts in any::<[usize; 6]>(),
    ) {
        let behind = |start: Vec<u8>| if sensible { [start, bytes.clone()].concat() } else { bytes.clone() };
        let client = || {
            let mut stream = ClientStream::new(LIMITS);
            stream.set_reply(&reply);
            stream
        };
        let server = || {
            let mut stream = ServerStream::new(LIMITS);
            stream.set_link(&mess);
            stream
        };
        let up = behind(mess.to_vec().unwrap());
        let down = behind([reply.to_vec().unwrap(), vec![0; 4]].concat());
        check_chunking(client, &up, &cuts);
        check_chunking(server, &down, &cuts);
        frames(client(), &up);
        frames(server(), &down);
    }
}

/// Pushes byte by byte: nothing is buffered that was not pushed, and an error is repeated for ever.
fn frames<D: StreamDecode<Item: Debug>>(decoder: D, bytes: &[u8]) {
    let mut framer = Framer::new(decoder);
    for (pushed, byte) in bytes.iter().enumerate() {
        framer.push(&[*byte]);
        assert!(framer.buffered() <= pushed + 1);
        loop {
            match framer.next_item() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    framer.push(b"REDQ");
                    assert_eq!(framer.next_item().unwrap_err(), error);
                    assert_eq!((framer.next_item().unwrap_err(), framer.buffered()), (error, 0));
                    return;
                }
            }
        }
        assert!(framer.buffer_mut().capacity() <= 2 * bytes.len() + 64, "it grows with what is pushed");
    }
}

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
        let mut refused = None;
        client.start(&mut up).unwrap();
        assert!(client.start(&mut up).is_err(), "a link starts once");
        while !(up.is_empty() && down.is_empty()) {
            let to_server = !up.is_empty() && (down.is_empty() || rng.happens(500_000));
            let bytes = if to_server { &mut up } else { &mut down };
            let most = if rng.happens(300_000) { bytes.len().min(3) } else { bytes.len() };
            let piece = bytes.split_to(rng.within(&(1..=most as u64)) as usize);
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
        assert_eq!(got_up, expected(self.kind(), &self.up));
        if self.result == LinkError::OK {
            assert_eq!((got_down, refused), (expected(self.kind(), &self.down), None));
        } else {
            assert_eq!((got_down, refused), (vec![], Some((self.result, true))));
        }
    }
}

/// What the other end must see: sub-messages first, every packet with its serial.
fn expected<M: Message>(kind: HeaderKind, samples: &[Sample<M>]) -> Vec<Packet<M>> {
    let mut packets = Vec::new();
    let mut next = 1_u64;
    for (index, Sample { packet, subs }) in samples.iter().enumerate() {
        let serial = match kind {
            HeaderKind::Full => packet.serial.unwrap_or(next),
            HeaderKind::Mini => index as u64 + 1,
        };
        next = serial.saturating_add(1);
        let whole = |message: &M, extra: &Bytes| Packet {
            message: message.clone(),
            serial: Some(serial),
            sub_list: 0,
            extra: extra.clone(),
        };
        packets.extend(subs.iter().map(|(message, extra)| whole(message, extra)));
        packets.push(Packet { sub_list: packet.sub_list, ..whole(&packet.message, &packet.extra) });
    }
    packets
}

#[test]
fn every_type_has_a_generator_and_comes_up() {
    let mut rng = Rng::new(5);
    let (mut server, mut client) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..2000 {
        let bytes = rng.bytes(256);
        let choices = &mut Choices::new(&bytes);
        server.insert(values::server_message(ChannelType::MAIN, choices).name());
        client.insert(values::client_message(ChannelType::MAIN, choices).name());
    }
    let names = |types: &[(u16, bool, &'static str)]| -> BTreeSet<&'static str> {
        types.iter().map(|&(_, _, name)| name).chain(["Unknown"]).collect()
    };
    assert_eq!(server, names(ServerMessage::<Bytes>::TYPES));
    assert_eq!(client, names(ClientMessage::<Bytes>::TYPES));

    for &(ty, main_only, _) in ServerMessage::<Bytes>::TYPES {
        for channel in [ChannelType::MAIN, ChannelType::DISPLAY] {
            let message = values::server_message_of(ty, channel, &mut Choices::new(&[]));
            let unknown = matches!(message, ServerMessage::Unknown(_));
            assert_eq!((message.wire_type(), unknown), (ty, main_only && channel != ChannelType::MAIN));
            round_trip(channel, &message);
        }
    }
    for &(ty, ..) in ClientMessage::<Bytes>::TYPES {
        let message = values::client_message_of(ty, ChannelType::MAIN, &mut Choices::new(&[]));
        assert_eq!(message.wire_type(), ty);
        round_trip(ChannelType::MAIN, &message);
    }
}

/// The properties above mean something only if much of what they try is accepted.
#[test]
fn odd_layouts_are_often_accepted_and_sometimes_not() {
    let mut rng = Rng::new(6);
    let mut tried: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for _ in 0..1000 {
        let bytes = rng.bytes(512);
        let choices = &mut Choices::new(&bytes);
        let mut count = |what, accepted| {
            let entry = tried.entry(what).or_default();
            *(if accepted { &mut entry.0 } else { &mut entry.1 }) += 1;
        };
        let (ty, body) = values::odd_server_body(ChannelType::MAIN, choices);
        count("server", reproduces::<ServerMessage>(ChannelType::MAIN, ty, &body));
        let (ty, body) = values::odd_client_body(ChannelType::MAIN, choices);
        count("client", reproduces::<ClientMessage>(ChannelType::MAIN, ty, &body));
        count("dst", reproduces::<ServerMessage>(ChannelType::MAIN, 101, &values::odd_dst_info(false, choices)));
        let mut framer = Framer::new(ClientStream::new(LIMITS));
        framer.push(&values::odd_link_mess(&mut Choices::new(&rng.bytes(1000))));
        count("mess", framer.next_item().is_ok_and(|item| item.is_some()));
        let mut framer = Framer::new(ServerStream::new(LIMITS));
        framer.push(&values::odd_link_reply(&mut Choices::new(&rng.bytes(1000))));
        count("reply", framer.next_item().is_ok_and(|item| item.is_some()));
    }
    assert!(tried.values().all(|&(accepted, refused)| accepted >= 400 && refused >= 20), "{tried:?}");
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

#[test]
fn what_the_wire_cannot_carry_is_refused_and_nothing_is_written() {
    let many: WaitForChannels = (0..256).map(|serial| (ChannelId::MAIN, serial)).collect();
    let too_long = |max, got| {
        move |error| match error {
            EncodeError::TooLong { max: m, got: g, .. } => assert_eq!((m, g), (max, got)),
            other => panic!("{other}"),
        }
    };
    too_long(255, 256)(refuses(&ServerMessage::WaitForChannels(many)));
    let words = Capabilities(vec![1; 1025]);
    let mess = LinkMess::new(0, ChannelId::MAIN, CommonCaps::empty(), words.clone());
    too_long(1024, 1025)(refuses(&mess));
    too_long(1024, 1025)(refuses(&LinkReply::accept(PublicKey::ZERO, CommonCaps::empty(), words)));
    let list = ServerMessage::List(SubList::new(&[]).unwrap());
    assert!(matches!(SubList::new(&[list]), Err(EncodeError::Invalid { field: "type", .. })));
    assert!(DstInfo::new("a\0b", 1.into_port(), 0.into_port(), None).is_err());
    assert!(DstInfo::new("", 1.into_port(), 0.into_port(), None).is_err());
    assert!(DstInfo::new("a", u16::MAX.into_port(), 0.into_port(), None).is_err());
}

trait IntoPort {
    fn into_port(self) -> handover::spice::Port;
}

impl IntoPort for u16 {
    fn into_port(self) -> handover::spice::Port {
        handover::spice::Port::from_wire(self)
    }
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

/// C3: a size is judged on the header, before anything of the body is stored or room is made for it.
#[test]
fn an_announced_size_is_not_an_allocation() {
    let mess = LinkMess::new(0, ChannelId::MAIN, CommonCaps::MINI_HEADER, Capabilities::default());
    let reply = LinkReply::accept(PublicKey::ZERO, CommonCaps::MINI_HEADER, Capabilities::default());
    let mut stream = ServerStream::new(LIMITS);
    stream.set_link(&mess);
    let mut framer = Framer::new(stream);
    framer.push(&reply.to_vec().unwrap());
    framer.push(&[0; 4]);
    assert!(framer.next_item().unwrap().is_some() && framer.next_item().unwrap().is_some());
    let mut header = 4_u16.to_le_bytes().to_vec();
    header.extend((64_u32 << 20).to_le_bytes());
    framer.push(&header);
    assert!(framer.next_item().unwrap().is_none());
    assert_eq!(framer.buffered(), 6);
    assert!(framer.buffer_mut().capacity() < 4096);

    let mut stream = ClientStream::new(LIMITS);
    stream.set_reply(&reply);
    let mut framer = Framer::new(stream);
    framer.push(&mess.to_vec().unwrap());
    framer.push(&[0; 128]);
    assert!(framer.next_item().unwrap().is_some() && framer.next_item().unwrap().is_some());
    framer.push(&107_u16.to_le_bytes());
    framer.push(&26_625_u32.to_le_bytes());
    let error = framer.next_item().unwrap_err();
    assert!(matches!(error.kind, DecodeErrorKind::Limit(limit) if limit.got == 26_625), "{error}");
}

/// The crate's own types are `Arbitrary` by the same generators.
#[test]
fn arbitrary_values_round_trip() {
    use arbitrary::{Arbitrary as _, Unstructured};
    let mut rng = Rng::new(9);
    for _ in 0..300 {
        let bytes = rng.bytes(600);
        let mut u = Unstructured::new(&bytes);
        round_trip(ChannelType::MAIN, &ServerMessage::arbitrary(&mut u).unwrap());
        round_trip(ChannelType::MAIN, &ClientMessage::arbitrary(&mut u).unwrap());
        encodes(&LinkMess::arbitrary(&mut u).unwrap());
        encodes(&LinkReply::arbitrary(&mut u).unwrap());
        let packet = Packet::<ServerMessage>::arbitrary(&mut u).unwrap();
        assert_eq!(packet.body_len(), packet.message.encoded_len() + packet.extra.len());
        assert!(u.len() < bytes.len(), "decisions are used up");
    }
}
