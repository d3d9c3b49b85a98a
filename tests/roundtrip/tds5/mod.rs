//! The TDS 5.0 codec on any value that its API can build, and on any bytes (spec/tds5.md 8: M1 to M4, M12, M13).

mod capabilities;
mod formats;
mod login;
mod packets;

use bytes::{Bytes, BytesMut};
use handover::error::DecodeError;
use handover::limits::Tds5Limits;
use handover::tds5::connection::{ClientConnection, Item};
use handover::tds5::migration::{Migration, Options};
use handover::tds5::stream::{MessageStream, Piece, Sender};
use handover::tds5::token::{Control, Eed, Language, LoginAck, LoginStatus, Message, Other, Token, walk};
use handover::tds5::{MessageId, PacketType, TokenType};
use handover::testing::tds5::{self as values, strategies};
use handover::testing::{Choices, Rng, check_chunking, check_encoding, check_unencodable, tds5_codec};
use handover::wire::{ByteOrder, Encode, StreamDecode};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const LIMITS: Tds5Limits = Tds5Limits::DEFAULT;
const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];

fn own(part: &[u8]) -> Bytes {
    Bytes::copy_from_slice(part)
}

/// The tokens of a whole buffer.
fn tokens_in(order: ByteOrder, bytes: &[u8]) -> Result<Vec<Token>, DecodeError> {
    walk(order, bytes).map(|raw| raw.and_then(|raw| Ok(raw.decode()?.map(&mut own)))).collect()
}

/// A stream of a server to a client of this byte order.
fn stream(order: ByteOrder) -> MessageStream {
    let mut stream = MessageStream::new(Sender::Server, LIMITS);
    stream.set_order(order);
    stream
}

/// The tokens of a stream that is our own.
fn tokens_of(order: ByteOrder, bytes: &[u8]) -> Vec<Token> {
    let (mut stream, mut src, mut tokens) = (stream(order), BytesMut::from(bytes), Vec::new());
    while let Some(piece) = stream.decode_next(&mut src).expect("it is ours") {
        if let Piece::Token(token) = piece {
            tokens.push(token);
        }
    }
    assert!(src.is_empty() && !stream.in_message());
    tokens
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn m1_any_token_in_either_order((order, token) in strategies::token()) {
        let bytes = check_encoding(&token.in_order(order));
        prop_assert_eq!(tokens_in(order, &bytes), Ok(vec![token]));
    }

    /// What a token says does not depend on the byte order that carries it.
    #[test]
    fn m1_both_orders_carry_the_same(decisions in proptest::collection::vec(any::<u8>(), 0..300)) {
        let [little, big] = ORDERS.map(|order| {
            let token = values::token(order, &mut Choices::new(&decisions));
            let bytes = check_encoding(&token.in_order(order));
            (tokens_in(order, &bytes).unwrap(), bytes.len())
        });
        prop_assert_eq!(little.1, big.1);
        // What keeps parts as they stand keeps them in their order.
        if !matches!(little.0[..], [Token::Format(_) | Token::Other(_)]) {
            prop_assert_eq!(little.0, big.0);
        }
    }

    #[test]
    fn m1_tokens_in_a_row((order, tokens) in strategies::tokens()) {
        let payload = values::payload_of(&tokens, order);
        prop_assert_eq!(tokens_in(order, &payload), Ok(tokens));
    }

    #[test]
    fn m1_conversations_however_they_are_cut(
        conversation in strategies::conversation(),
        cuts in any::<[usize; 4]>(),
    ) {
        let make = || {
            let mut stream = MessageStream::new(conversation.sender, LIMITS);
            stream.set_order(conversation.order);
            stream
        };
        let bytes = conversation.bytes();
        check_chunking(make, &bytes, &cuts);
        let (mut stream, mut src, mut pieces) = (make(), BytesMut::from(&bytes[..]), Vec::new());
        while let Some(piece) = stream.decode_next(&mut src).unwrap() {
            if !matches!(piece, Piece::Packet(_)) {
                pieces.push(piece);
            }
        }
        prop_assert_eq!(pieces, conversation.pieces());
    }

    /// Whatever is accepted, in whatever layout, is written back byte for byte, in both orders.
    #[test]
    fn m1_odd_tokens_are_written_back((order, bytes) in strategies::odd_token(), cut in any::<[u16; 2]>()) {
        for other in ORDERS {
            if let Ok(tokens) = tokens_in(other, &bytes) {
                prop_assert_eq!(values::payload_of(&tokens, other), bytes.clone());
            }
        }
        let mut input = vec![0, 2];
        input.extend(cut.iter().flat_map(|cut| cut.to_le_bytes()));
        input.extend(&bytes);
        let _ = order;
        tds5_codec::run_tokens(&input);
    }

    #[test]
    fn m1_messages_of_the_exchange((migration, options) in strategies::migration(), order in strategies::byte_order()) {
        let tokens = migration.tokens(order, &options).unwrap();
        prop_assert_eq!(read_migration(&tokens), Some(migration));
    }

    #[test]
    fn m1_messages_of_the_exchange_in_odd_layouts((_, (migration, tokens)) in strategies::odd_migration()) {
        prop_assert_eq!(read_migration(&tokens), Some(migration));
    }

    /// M13: a client that has settled nothing takes any message of the exchange, anywhere, and goes on.
    #[test]
    fn m13_the_exchange_with_those_who_did_not_ask((order, (migration, tokens)) in strategies::odd_migration()) {
        for accept_anywhere in [true, false] {
            let mut options = Options::default();
            options.accept_anywhere = accept_anywhere;
            let mut client = ClientConnection::new(LIMITS, options);
            let order_of = handover::tds5::login::LoginRecord::new(order);
            let login = handover::tds5::login::Login::new(order_of, false);
            client.login(&login, &mut BytesMut::new()).unwrap();
            let payload = values::payload_of(&tokens, order);
            for packet in values::packets(PacketType::RESPONSE, &payload, &mut Choices::new(&[])) {
                client.receive(&packet.header.to_vec().unwrap());
                client.receive(&packet.payload);
            }
            let items: Vec<Item> = std::iter::from_fn(|| client.next_item().unwrap()).collect();
            let is_id = matches!(migration, Migration::SessionId(_));
            let expected: Vec<Item> = if accept_anywhere || is_id {
                vec![Item::Migration(migration.clone()), Item::End(PacketType::RESPONSE)]
            } else {
                let tokens = tokens.iter().cloned().map(Item::Token);
                tokens.chain([Item::End(PacketType::RESPONSE)]).collect()
            };
            prop_assert_eq!(items, expected);
        }
    }

    #[test]
    fn addresses_in_every_form(address in strategies::address(), decisions in any::<[u8; 4]>()) {
        let text = values::address_text(&address, &mut Choices::new(&decisions));
        prop_assert_eq!(handover::tds5::migration::Address::parse(text.as_bytes()), Some(address));
    }
}

/// What the tokens of one message mean.
fn read_migration(tokens: &[Token]) -> Option<Migration> {
    let (message, parameters) = match tokens {
        [Token::Message(message)] => (message, None),
        [Token::Message(message), Token::Format(format), Token::Params(values)] => {
            (message, Some((format, &values.data[..])))
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(message.has_parameters(), parameters.is_some());
    Migration::from_parameters(message.id, parameters)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A packet may end anywhere in a token: every place is tried.
    #[test]
    fn m1_tokens_cut_at_every_byte((order, tokens) in strategies::tokens()) {
        let payload = values::payload_of(&tokens, order);
        let payload = &payload[..payload.len().min(3000)];
        let whole = tokens_in(order, payload);
        let step = payload.len() / 600 + 1;
        for cut in (0..=payload.len()).step_by(step) {
            let bytes = packets::message(PacketType::RESPONSE, &[&payload[..cut], &payload[cut..]]);
            match &whole {
                Ok(tokens) => prop_assert_eq!(&tokens_of(order, &bytes), tokens),
                Err(_) => check_chunking(|| stream(order), &bytes, &[cut, cut + 8, cut + 16]),
            }
        }
        let every: Vec<&[u8]> = payload.chunks(1).collect();
        if let Ok(tokens) = whole && !every.is_empty() {
            prop_assert_eq!(tokens_of(order, &packets::message(PacketType::RESPONSE, &every)), tokens);
        }
    }
}

/// The oracles of the fuzz targets on fixed random bytes, so that plain `cargo test` runs them.
#[test]
fn oracles_on_random_bytes() {
    let mut rng = Rng::new(11);
    for round in 0..600 {
        let length = [40, 200, 700][round % 3];
        tds5_codec::run_packets(&rng.bytes(length));
        tds5_codec::run_tokens(&rng.bytes(length));
        tds5_codec::run_login(&rng.bytes(length));
        for form in 0..10 {
            let mut bytes = rng.bytes(length);
            bytes[0] = form;
            tds5_codec::run_roundtrip(&bytes);
        }
    }
}

#[test]
fn every_token_has_a_generator_and_comes_up() {
    let mut rng = Rng::new(5);
    let (mut seen, mut types) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..3000 {
        let bytes = rng.bytes(400);
        let choices = &mut Choices::new(&bytes);
        let mut tokens = vec![values::token(ByteOrder::Big, choices)];
        tokens.extend(values::tokens(ByteOrder::Big, 6, choices));
        for token in tokens {
            seen.insert(token.token_type().0);
            if let Token::Format(format) = &token {
                types.extend(format.columns().map(|column| column.data_type.0));
            }
        }
    }
    let known = [
        0x65, 0xec, 0x20, 0xd7, 0xee, 0x61, 0xd1, 0xad, 0xe2, 0xe3, 0xe5, 0xaa, 0xab, 0xfd, 0xfe, 0xff, 0x79, 0x71,
        0x21, 0xa6, 0xae, 0xa2, 0x10, 0x22, 0x23, 0x62, 0x83, 0x86, 0x88, 0xa4, 0xa5, 0xa9, 0xe6, 0xe7, 0x78, 0x7c,
    ];
    let missing: Vec<String> = known.iter().filter(|ty| !seen.contains(ty)).map(|ty| format!("{ty:02x}")).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(types.len(), 38, "{types:?}");
}

/// The properties above mean something only if much of what they try is accepted.
#[test]
fn odd_layouts_are_often_accepted_and_sometimes_not() {
    let mut rng = Rng::new(6);
    let mut tried: BTreeMap<bool, u32> = BTreeMap::new();
    for _ in 0..2000 {
        let bytes = rng.bytes(400);
        let token = values::odd_token(ByteOrder::Little, &mut Choices::new(&bytes));
        *tried.entry(tokens_in(ByteOrder::Little, &token).is_ok()).or_default() += 1;
    }
    assert!(tried[&true] >= 800 && tried[&false] >= 200, "{tried:?}");
}

#[test]
fn what_the_wire_cannot_carry_is_refused_and_nothing_is_written() {
    let long = |size: usize| Bytes::from(vec![b'x'; size]);
    let refused = |token: Token| check_unencodable(&token.in_order(ByteOrder::Little)).to_string();
    assert_eq!(
        refused(LoginAck::new(LoginStatus::SUCCEED, long(256), [0; 4]).into()),
        "LoginAck.program_name is too long: 256, at most 255"
    );
    assert_eq!(
        refused(Message { status: 0, id: MessageId::EMPTY, extra: long(253) }.into()),
        "Token.length is too long: 256, at most 255"
    );
    assert_eq!(refused(Eed::new(1, 1, long(65_536)).into()), "Eed.text is too long: 65536, at most 65535");
    assert_eq!(refused(Eed::new(1, 1, long(65_535)).into()), "Token.length is too long: 65551, at most 65535");
    assert!(refused(Eed { sql_state: long(256), ..Eed::new(1, 1, "") }.into()).contains("sql_state"));
    let columns = vec![&[0; 255][..]; 257];
    assert_eq!(refused(Control::new(columns).unwrap().into()), "Token.length is too long: 65792, at most 65535");
    for (ty, size) in [(0x78, 3), (0x7c, 9), (0x00, 0), (0xd1, 0)] {
        assert!(refused(Other { ty: TokenType(ty), body: long(size) }.into()).contains("a body of this length"));
    }
    let format = values::format(handover::tds5::token::FormatKind::Params, ByteOrder::Big, &mut Choices::new(&[]));
    assert!(refused(format.into()).contains("another byte order"));
    let language = Token::from(Language::new(long(70_000)));
    assert_eq!(check_encoding(&language.in_order(ByteOrder::Big)).len(), 70_006);
}

/// M13: sizes are judged before anything is stored or room is made.
#[test]
fn m13_an_announced_size_is_not_an_allocation() {
    // LONGBINARY of 4 GiB, LANGUAGE of 4 GiB, a format of 65535 columns.
    let longbinary = b"\xec\x0e\x00\x01\x00\x00\x00\x00\x00\x00\x00\xe1\xff\xff\xff\x7f\x00\xd7\xff\xff\xff\xff";
    let mut columns = b"\x20\xf7\xff\x0a\x00\xff\xff".to_vec();
    columns.extend(b"\0\0\0\0\0\0\0\0\0\x38\0".repeat(65_535));
    for (payload, field) in [(&longbinary[..], "length"), (b"\x21\xff\xff\xff\xff\x00", "length")] {
        let bytes = packets::message(PacketType::RESPONSE, &[payload]);
        let (mut stream, mut src) = (stream(ByteOrder::Little), BytesMut::from(&bytes[..]));
        let mut begun = 0;
        let error = loop {
            match stream.decode_next(&mut src) {
                Ok(Some(_)) => begun = begun.max(stream.begun()),
                Ok(None) => panic!("it is refused"),
                Err(error) => break error,
            }
        };
        assert_eq!((error.message, error.field, begun), ("Token", field, 0), "{error}");
        check_chunking(|| self::stream(ByteOrder::Little), &bytes, &[9, 12]);
    }
    let packets: Vec<&[u8]> = columns.chunks(60_000).collect();
    let bytes = packets::message(PacketType::RESPONSE, &packets);
    let (mut stream, mut src) = (stream(ByteOrder::Little), BytesMut::from(&bytes[..]));
    let error = loop {
        match stream.decode_next(&mut src) {
            Ok(piece) => assert!(piece.is_some(), "it is refused"),
            Err(error) => break error,
        }
    };
    assert_eq!((error.message, error.field), ("Format", "count"), "{error}");
}
