//! The SPICE codec on any value that its API can build, and on any bytes (spec/spice.md 8: C1, C2, C3, C5).

mod link;

use bytes::Bytes;
use handover::error::{DecodeErrorKind, EncodeError};
use handover::limits::SpiceLimits;
use handover::spice::common::WaitForChannels;
use handover::spice::link::{LinkHeader, LinkMess, LinkReply, PublicKey};
use handover::spice::stream::{ClientStream, ServerStream};
use handover::spice::{
    Capabilities, ChannelId, ChannelType, ClientMessage, CommonCaps, DstInfo, Message, Packet, Port, ServerMessage,
    SubList,
};
use handover::testing::spice::{self as values, strategies};
use handover::testing::{Choices, Rng, check_chunking, check_encoding, check_unencodable, strategy};
use handover::wire::{Encode, Framer, StreamDecode};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

const LIMITS: SpiceLimits = SpiceLimits::DEFAULT;

/// Decoding what was encoded gives the message, and nothing besides.
fn round_trip<M: Message>(channel: ChannelType, message: &M) {
    let body = Bytes::from(check_encoding(message));
    let (decoded, extra) = M::from_body(channel, message.wire_type(), &body).expect("our own bytes");
    assert_eq!(&decoded, message);
    assert!(extra.is_empty(), "{extra:?}");
}

/// What is accepted is written back byte for byte. Whether it was accepted.
fn reproduces<M: Message>(channel: ChannelType, ty: u16, body: &[u8]) -> bool {
    let body = Bytes::copy_from_slice(body);
    let Ok((message, extra)) = M::from_body(channel, ty, &body) else { return false };
    assert_eq!(message.wire_type(), ty);
    let mut again = check_encoding(&message);
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
        let bytes = check_encoding(&mess);
        let header = LinkHeader::parse(&bytes, LinkMess::sizes(&LIMITS)).unwrap().unwrap();
        let body = Bytes::from(bytes).split_off(LinkHeader::SIZE);
        prop_assert_eq!(header.size as usize, body.len());
        prop_assert_eq!(LinkMess::parse(header.minor, &body, &LIMITS).unwrap(), mess);

        let bytes = check_encoding(&reply);
        let header = LinkHeader::parse(&bytes, LinkReply::sizes(&LIMITS)).unwrap().unwrap();
        let body = Bytes::from(bytes).split_off(LinkHeader::SIZE);
        prop_assert_eq!(LinkReply::parse(header.minor, &body, &LIMITS).unwrap(), reply);
    }

    #[test]
    fn any_destination(dst in strategies::dst_info()) {
        let body = check_encoding(&dst);
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
            prop_assert_eq!(check_encoding(&mess), bytes.clone());
        }
        check_chunking(|| ClientStream::new(LIMITS), &bytes, &cuts);
    }

    #[test]
    fn odd_link_replies(bytes in strategy(3000, values::odd_link_reply), cuts in any::<[usize; 4]>()) {
        let mut framer = Framer::new(ServerStream::new(LIMITS));
        framer.push(&bytes);
        if let Ok(Some(handover::spice::stream::ServerItem::Reply(reply))) = framer.next_item() {
            prop_assert_eq!(check_encoding(&reply), bytes.clone());
        }
        check_chunking(|| ServerStream::new(LIMITS), &bytes, &cuts);
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

#[test]
fn what_the_wire_cannot_carry_is_refused_and_nothing_is_written() {
    let many: WaitForChannels = (0..256).map(|serial| (ChannelId::MAIN, serial)).collect();
    let too_long = |max, got| {
        move |error| match error {
            EncodeError::TooLong { max: m, got: g, .. } => assert_eq!((m, g), (max, got)),
            other => panic!("{other}"),
        }
    };
    too_long(255, 256)(check_unencodable(&ServerMessage::WaitForChannels(many)));
    let words = Capabilities(vec![1; 1025]);
    let mess = LinkMess::new(0, ChannelId::MAIN, CommonCaps::empty(), words.clone());
    too_long(1024, 1025)(check_unencodable(&mess));
    too_long(1024, 1025)(check_unencodable(&LinkReply::accept(PublicKey::ZERO, CommonCaps::empty(), words)));
    let list = ServerMessage::List(SubList::new(&[]).unwrap());
    assert!(matches!(SubList::new(&[list]), Err(EncodeError::Invalid { field: "type", .. })));
    for (host, port) in [("a\0b", 1), ("", 1), ("a", u16::MAX)] {
        assert!(DstInfo::new(host, Port::from_wire(port), Port::ABSENT, None).is_err());
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
        check_encoding(&LinkMess::arbitrary(&mut u).unwrap());
        check_encoding(&LinkReply::arbitrary(&mut u).unwrap());
        let packet = Packet::<ServerMessage>::arbitrary(&mut u).unwrap();
        assert_eq!(packet.body_len(), packet.message.encoded_len() + packet.extra.len());
        assert!(u.len() < bytes.len(), "decisions are used up");
    }
}
