//! M2, and the sizes of packets.

use super::{LIMITS, ORDERS, stream, tokens_of};
use bytes::BytesMut;
use handover::tds5::connection::{ClientConnection, Item, ServerConnection};
use handover::tds5::login::{Login, LoginRecord};
use handover::tds5::migration::{Migration, Options};
use handover::tds5::packet::{PacketHeader, PacketStream};
use handover::tds5::token::{Done, EnvironmentChange, EnvironmentKind, Language, Token};
use handover::tds5::{PacketStatus, PacketType};
use handover::testing::tds5::{self as values, strategies};
use handover::testing::tds5_codec::check_cut;
use handover::testing::{Choices, check_chunking, check_encoding, damaged, strategy};
use handover::wire::{ByteOrder, Encode, Framer, StreamDecode};
use proptest::prelude::*;

/// A message in packets with these payloads.
pub fn message(ty: PacketType, payloads: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, payload) in payloads.iter().enumerate() {
        let header = PacketHeader::new(ty, at + 1 == payloads.len(), u16::try_from(payload.len()).unwrap());
        bytes.extend(header.to_vec().unwrap());
        bytes.extend_from_slice(payload);
    }
    bytes
}

/// Both ends of a link that is past its login, with packets of this size.
fn linked(order: ByteOrder, size: u16) -> (ClientConnection, ServerConnection) {
    let mut client = ClientConnection::new(LIMITS, Options::default());
    let mut server = ServerConnection::new(LIMITS, Options::default());
    let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
    client.login(&Login::new(LoginRecord::new(order), true), &mut up).unwrap();
    server.receive(&up);
    assert!(matches!(server.next_item(), Ok(Some(Item::Login(_)))));
    let change = EnvironmentChange::new(EnvironmentKind::PACKET_SIZE, size.to_string().as_bytes(), b"512").unwrap();
    server.token(&change.into(), &mut down).unwrap();
    server.token(&Done::FINAL.into(), &mut down).unwrap();
    server.end(&mut down);
    client.receive(&down);
    while client.next_item().unwrap().is_some() {}
    (client, server)
}

/// A LANGUAGE token of this many bytes in all.
fn language(size: usize) -> Token {
    Language::new((0..size - 6).map(|at| at as u8).collect::<Vec<_>>()).into()
}

/// Both ends send a token of `length` bytes in packets of `size`: how many packets it took.
fn sent(order: ByteOrder, size: u16, length: usize) -> usize {
    let (mut client, mut server) = linked(order, size);
    let token = language(length);
    let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
    client.token(PacketType::NORMAL, &token, &mut up).unwrap();
    client.end(&mut up);
    server.token(&token, &mut down).unwrap();
    server.end(&mut down);
    let payload = token.in_order(order).to_vec().unwrap();
    assert_eq!(check_cut(&up, size), [(PacketType::NORMAL, payload.clone())]);
    assert_eq!(check_cut(&down, size), [(PacketType::RESPONSE, payload)]);
    server.receive(&up);
    client.receive(&down);
    assert_eq!(server.next_item(), Ok(Some(Item::Token(token.clone()))));
    assert_eq!(server.next_item(), Ok(Some(Item::End(PacketType::NORMAL))));
    assert_eq!(client.next_item(), Ok(Some(Item::Token(token))));
    assert_eq!(client.next_item(), Ok(Some(Item::End(PacketType::RESPONSE))));
    (up.len() - length) / 8
}

/// The last packet of a message is the last, also when it is exactly full.
#[test]
fn m2_exactly_full_packets() {
    for order in ORDERS {
        for size in [512, 513, 600, 1024, 2048, 4096, 16_384, 32_768, 65_534, 65_535] {
            let room = usize::from(size) - 8;
            for packets in 1..=3 {
                assert_eq!(sent(order, size, packets * room - 1), packets);
                assert_eq!(sent(order, size, packets * room), packets, "exactly full: no empty packet follows");
                assert_eq!(sent(order, size, packets * room + 1), packets + 1);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn m2_any_size_from_512_to_65535(size in 512_u16..=65_535, length in 6_usize..200_000, big in any::<bool>()) {
        let order = ORDERS[usize::from(big)];
        let packets = sent(order, size, length);
        prop_assert_eq!(packets, length.div_ceil(usize::from(size) - 8));
    }

    #[test]
    fn m2_headers(header in strategies::packet_header(), limit in any::<u16>()) {
        let bytes = check_encoding(&header);
        prop_assert_eq!(bytes.len(), PacketHeader::SIZE);
        prop_assert_eq!(PacketHeader::parse(&bytes, u16::MAX), Ok(Some(header)));
        prop_assert_eq!(PacketHeader::parse(&bytes, limit).is_ok(), header.length <= limit);
        for short in 0..8 {
            prop_assert_eq!(PacketHeader::parse(&bytes[..short], u16::MAX), Ok(None));
        }
    }

    /// Packets on any bytes: what comes out is what went in, and a length below 8 ends it.
    #[test]
    fn m2_packets_on_any_bytes(
        bytes in strategy(600, |choices: &mut Choices<'_>| {
            let mut bytes = values::conversation(choices).bytes();
            if choices.boolean() {
                bytes = damaged(bytes, choices);
            }
            bytes.truncate(4000);
            bytes
        }),
        cuts in any::<[usize; 6]>(),
    ) {
        check_chunking(|| PacketStream::new(&LIMITS), &bytes, &cuts);
        let (mut stream, mut src, mut again) = (PacketStream::new(&LIMITS), BytesMut::from(&bytes[..]), Vec::new());
        while let Ok(Some(packet)) = stream.decode_next(&mut src) {
            prop_assert_eq!(usize::from(packet.header.length), 8 + packet.payload.len());
            again.extend(packet.header.to_vec().unwrap());
            again.extend_from_slice(&packet.payload);
        }
        prop_assert!(bytes.starts_with(&again));
        prop_assert_eq!(&bytes[again.len()..], &src[..]);
    }

    /// The same tokens in packets of any size.
    #[test]
    fn m1_tokens_in_packets_of_any_size((order, tokens) in strategies::tokens(), size in 512_usize..=65_535) {
        let payload = values::payload_of(&tokens, order);
        let chunks: Vec<&[u8]> = payload.chunks(size - 8).collect();
        let bytes = if chunks.is_empty() { message(PacketType::RESPONSE, &[b""]) } else { message(PacketType::RESPONSE, &chunks) };
        prop_assert_eq!(tokens_of(order, &bytes), tokens);
    }
}

#[test]
fn m2_a_message_has_one_type_and_nothing_comes_between() {
    let (mut client, mut server) = linked(ByteOrder::Little, 512);
    let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
    client.token(PacketType::NORMAL, &language(1000), &mut up).unwrap();
    server.token(&language(1000), &mut down).unwrap();
    let (sent, answered) = (up.len(), down.len());
    assert!(sent == 512 && answered == 512, "what fills a packet goes, the rest waits");
    assert!(client.token(PacketType::BULK, &language(10), &mut up).is_err());
    assert!(client.attention(&mut up).is_err() && client.logout(&mut up).is_err());
    assert!(client.migration(&Migration::Sync, &mut up).is_err());
    assert!(client.login(&Login::new(LoginRecord::new(ByteOrder::Little), true), &mut up).is_err());
    assert!(server.migration(&Migration::Continue, &mut down).is_err());
    assert_eq!((up.len(), down.len()), (sent, answered), "nothing was written");
    client.end(&mut up);
    server.end(&mut down);
    client.end(&mut up);
    assert_eq!((check_cut(&up, 512).len(), check_cut(&down, 512).len()), (1, 1));

    let mut open = [&message(PacketType::RESPONSE, &[b"\xfd"])[..], &message(PacketType::MIGRATE, &[b"\x65"])].concat();
    open[1] = 0;
    let mut stream = Framer::new(stream(ByteOrder::Little));
    stream.push(&open);
    assert!(matches!(stream.next_item(), Ok(Some(_))));
    assert_eq!(stream.next_item().unwrap_err().field, "ty");
}

/// The size that is settled holds from the next message on, in both directions.
#[test]
fn m2_a_new_size_holds_from_the_next_message_on() {
    let (mut client, mut server) = linked(ByteOrder::Big, 1024);
    let mut down = BytesMut::new();
    let change = EnvironmentChange::new(EnvironmentKind::PACKET_SIZE, b"2048", b"1024").unwrap();
    server.token(&change.into(), &mut down).unwrap();
    server.token(&language(5000), &mut down).unwrap();
    server.end(&mut down);
    assert_eq!(check_cut(&down, 1024).len(), 1);
    client.receive(&down.split());
    while client.next_item().unwrap().is_some() {}
    server.token(&language(5000), &mut down).unwrap();
    server.end(&mut down);
    assert_eq!(check_cut(&down, 2048).len(), 1);
    let mut up = BytesMut::new();
    client.token(PacketType::NORMAL, &language(5000), &mut up).unwrap();
    client.end(&mut up);
    assert_eq!(check_cut(&up, 2048).len(), 1);
}

/// Sizes that make no sense are not taken over.
#[test]
fn m2_sizes_that_make_no_sense() {
    for text in ["0", "1", "8", "255", "4294967295", "99999999999", "-1", "", "x", "512 "] {
        let (mut client, mut server) = linked(ByteOrder::Little, 512);
        let mut down = BytesMut::new();
        let change = EnvironmentChange::new(EnvironmentKind::PACKET_SIZE, text.as_bytes(), b"512").unwrap();
        server.token(&change.into(), &mut down).unwrap();
        server.end(&mut down);
        client.receive(&down.split());
        while client.next_item().unwrap().is_some() {}
        let mut up = BytesMut::new();
        client.token(PacketType::NORMAL, &language(70_000), &mut up).unwrap();
        client.end(&mut up);
        server.receive(&up);
        assert!(matches!(server.next_item(), Ok(Some(Item::Token(_)))), "{text}");
    }
}

/// A link that ends within a message does not end well, although the packets were taken off the buffer.
#[test]
fn an_end_in_the_midst_of_a_message_is_told() {
    use tokio_util::codec::Decoder;
    let whole = message(PacketType::RESPONSE, &[b"\xfd\0\0", b"\0\0\0\0\0\0"]);
    for end in 0..=whole.len() {
        let (mut client, _) = linked(ByteOrder::Little, 512);
        let mut src = BytesMut::from(&whole[..end]);
        while client.decode(&mut src).unwrap().is_some() {}
        let ended = client.decode_eof(&mut src);
        assert_eq!(ended.is_ok(), end == 0 || end == whole.len(), "at {end}: {ended:?}");
    }
}

/// M13: a message of the exchange is bounded as a whole, whatever it is cut into.
#[test]
fn m13_a_migration_message_is_bounded() {
    for (tokens, size) in [(1820, 504), (1820, 60_000), (1821, 504), (1821, 60_000)] {
        let payload = b"\xfd\0\0\0\0\0\0\0\0".repeat(tokens);
        let bytes = message(PacketType::MIGRATE, &payload.chunks(size).collect::<Vec<_>>());
        check_chunking(|| stream(ByteOrder::Little), &bytes, &[8, 600, 5000]);
        let mut pieces = Framer::new(stream(ByteOrder::Little));
        pieces.push(&bytes);
        let end = core::iter::from_fn(|| pieces.next_item().transpose()).find(|piece| piece.is_err());
        assert_eq!(end.map(|error| error.unwrap_err().field), (payload.len() > LIMITS.migration).then_some("length"));
    }
}

/// Status bits other than the last packet's are carried and mean nothing.
#[test]
fn m2_other_bits_mean_nothing() {
    for bits in 0..=255 {
        let mut bytes = message(PacketType::RESPONSE, &[b"\xfd\0\0", b"\0\0\0\0\0\0"]);
        let status = PacketStatus::from_bits_retain(bits);
        bytes[1] = bits & !1;
        bytes[12] = bits | 1;
        assert_eq!(tokens_of(ByteOrder::Little, &bytes).len(), 1, "{status:?}");
    }
}
