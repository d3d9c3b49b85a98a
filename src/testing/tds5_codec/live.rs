//! Both ends of a live connection, and the bytes between them.

use super::packets_of;
use crate::limits::Tds5Limits;
use crate::tds5::connection::{ClientConnection, Item, ServerConnection};
use crate::tds5::login::Login;
use crate::tds5::migration::{Migration, Options};
use crate::tds5::stream::Data;
use crate::tds5::token::{Done, EnvironmentChange, EnvironmentKind, Language, LoginAck, LoginStatus, Message, Token};
use crate::tds5::{MessageId, PacketType};
use crate::testing::Choices;
use crate::testing::tds5 as any;
use crate::wire::ByteOrder;
use bytes::BytesMut;
use std::boxed::Box;
use std::format;
use std::vec::Vec;

const LIMITS: Tds5Limits = Tds5Limits::DEFAULT;

/// M2 on what one end has sent, in packets of `size`: the last packet of each message has END_OF_MESSAGE and no other
/// has it, a length is 8 and the payload, all packets but the last are full, and all are of one type. The messages.
///
/// # Panics
/// It does not hold.
pub fn check_cut(stream: &[u8], size: u16) -> Vec<(PacketType, Vec<u8>)> {
    let mut messages = Vec::new();
    let mut open: Option<(PacketType, Vec<u8>)> = None;
    let mut rest = stream;
    while let [ty, status, high, low, 0, 0, 0, 0, behind @ ..] = rest {
        let length = u16::from_be_bytes([*high, *low]);
        assert!((8..=size).contains(&length), "M2: a packet of {length} bytes where {size} are settled");
        let (payload, behind) = behind.split_at(usize::from(length) - 8);
        let (open_ty, message) = open.get_or_insert_with(|| (PacketType(*ty), Vec::new()));
        assert_eq!(open_ty.0, *ty, "M2: one type from the first packet to the last");
        message.extend_from_slice(payload);
        match status {
            0 => assert_eq!(length, size, "M2: all but the last are full"),
            1 => {
                assert!(!payload.is_empty() || message.is_empty(), "M2: no empty packet follows a full one");
                messages.extend(open.take());
            }
            other => panic!("M2: status {other}"),
        }
        rest = behind;
    }
    assert!(rest.is_empty() && open.is_none(), "M2: the last packet ends its message: {} bytes, {open:?}", rest.len());
    messages
}

fn client_items(client: &mut ClientConnection, down: &mut BytesMut) -> Vec<Item> {
    client.receive(&down.split());
    core::iter::from_fn(|| client.next_item().expect("M1: it is ours")).collect()
}

fn server_items(server: &mut ServerConnection, up: &mut BytesMut) -> Vec<Item> {
    server.receive(&up.split());
    core::iter::from_fn(|| server.next_item().expect("M1: it is ours")).collect()
}

fn pair(options: Options) -> (ClientConnection, ServerConnection) {
    (ClientConnection::new(LIMITS, options), ServerConnection::new(LIMITS, options))
}

/// A login message arrives as it was sent, in packets of 512 bytes.
pub(super) fn login(login: &Login) {
    let (mut client, mut server) = pair(Options::DEFAULT);
    let mut up = BytesMut::new();
    client.login(login, &mut up).expect("the generator keeps to the rules");
    assert_eq!(check_cut(&up, 512).len(), 1, "M2");
    let items = server_items(&mut server, &mut up);
    assert_eq!(items, [Item::Login(Box::new(login.clone()))], "M1");
    assert_eq!((Ok(client.order()), Ok(server.order())), (login.record.order(), login.record.order()));
}

/// A pair that is past a login, with packets of `size` settled.
fn logged_in(order: ByteOrder, size: u16, options: Options) -> (ClientConnection, ServerConnection) {
    let (mut client, mut server) = pair(options);
    let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
    client.login(&Login::new(crate::tds5::login::LoginRecord::new(order), true), &mut up).expect("it is ours");
    assert_eq!(server_items(&mut server, &mut up).len(), 1);
    let text = format!("{size}");
    let change = EnvironmentChange::new(EnvironmentKind::PACKET_SIZE, text.as_bytes(), b"512").expect("it is short");
    let ack = LoginAck::new(LoginStatus::SUCCEED, &b"server"[..], [1, 0, 0, 0]);
    // More than a packet of 512: the new size holds from the next message on.
    let fill = Language::new(std::vec![b'x'; 700]);
    let tokens: [Token; 4] = [change.into(), ack.into(), fill.into(), Done::FINAL.into()];
    tokens.iter().for_each(|token| server.token(token, &mut down).expect("it is good"));
    server.end(&mut down);
    assert_eq!(check_cut(&down, 512).len(), 1, "M2");
    let expected: Vec<Item> = tokens.into_iter().map(Item::Token).chain([Item::End(PacketType::RESPONSE)]).collect();
    assert_eq!(client_items(&mut client, &mut down), expected, "M1");
    (client, server)
}

/// Both ends talk in packets of a size that was settled: tokens, attentions, bytes, messages that exactly fill their
/// packets.
pub(super) fn dialogue(c: &mut Choices<'_>) {
    let (order, size) = (any::byte_order(c), any::packet_size(c));
    let (mut client, mut server) = logged_in(order, size, Options::DEFAULT);
    let (mut ups, mut downs) = (any::Tokens::new(order), any::Tokens::new(order));
    for _ in 0..=c.below(5) {
        let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
        match c.below(5) {
            0 => {
                client.attention(&mut up).expect("nothing is being sent");
                let data = c.bytes(2000);
                client.data(PacketType::BULK, &data, &mut up).expect("nothing is being sent");
                assert!(client.attention(&mut up).is_err(), "M2: nothing between the packets of a message");
                client.end(&mut up);
                let packets = packets_of(&up);
                assert_eq!(check_cut(&up, size), [(PacketType::ATTENTION, Vec::new()), (PacketType::BULK, data)], "M2");
                let ty = PacketType::BULK;
                let payloads = packets.into_iter().map(|packet| packet.payload).filter(|payload| !payload.is_empty());
                let data = payloads.map(|payload| Item::Data { ty, data: Data(payload) });
                let expected: Vec<Item> =
                    [Item::End(PacketType::ATTENTION)].into_iter().chain(data).chain([Item::End(ty)]).collect();
                assert_eq!(server_items(&mut server, &mut up), expected, "M1");
            }
            1 => {
                // A LANGUAGE whose token fills its packets but for a few bytes more or less.
                let packets = 1 + c.below(3);
                let length = packets * (usize::from(size) - 8) - 6 + c.below(3) - 1;
                let token = Token::from(Language::new(std::vec![b'l'; length]));
                client.token(PacketType::NORMAL, &token, &mut up).expect("it is good");
                client.end(&mut up);
                assert_eq!(check_cut(&up, size).len(), 1, "M2");
                let count = packets_of(&up).len();
                assert_eq!(count, (length + 6).div_ceil(usize::from(size) - 8), "M2: as few packets as can be");
                let expected = [Item::Token(token), Item::End(PacketType::NORMAL)];
                assert_eq!(server_items(&mut server, &mut up), expected, "M1");
            }
            2 => {
                let tokens: Vec<Token> = (0..c.below(5)).flat_map(|_| ups.some(c)).collect();
                for token in &tokens {
                    client.token(PacketType::NORMAL, token, &mut up).expect("the generator keeps to the rules");
                }
                client.end(&mut up);
                let payload = any::payload_of(&tokens, order);
                assert!(check_cut(&up, size).iter().all(|message| message.1 == payload), "M2");
                assert_eq!(up.is_empty(), tokens.is_empty(), "a message that was not begun does not end");
                let ends = (!tokens.is_empty()).then_some(Item::End(PacketType::NORMAL));
                let expected: Vec<Item> = tokens.into_iter().map(Item::Token).chain(ends).collect();
                assert_eq!(server_items(&mut server, &mut up), expected, "M1");
            }
            _ => {
                let tokens: Vec<Token> =
                    (0..=c.below(5)).flat_map(|_| downs.some(c)).chain([Done::FINAL.into()]).collect();
                tokens
                    .iter()
                    .for_each(|token| server.token(token, &mut down).expect("the generator keeps to the rules"));
                server.end(&mut down);
                assert_eq!(check_cut(&down, size), [(PacketType::RESPONSE, any::payload_of(&tokens, order))], "M2");
                let ends = [Item::End(PacketType::RESPONSE)];
                let expected: Vec<Item> = tokens.into_iter().map(Item::Token).chain(ends).collect();
                assert_eq!(client_items(&mut client, &mut down), expected, "M1");
            }
        }
    }
}

/// Messages of the exchange between two live ends, in any layout that the options have, also in the midst of results:
/// the formats around them go on behind them.
pub(super) fn migrations(c: &mut Choices<'_>) {
    let (order, size, options) = (any::byte_order(c), any::packet_size(c), any::options(c));
    let (mut client, mut server) = logged_in(order, size, options);
    let (kind, by_client) = (any::format_kind(c), c.boolean());
    let format = any::format(kind, order, c);
    let row = any::values(&format, c);
    let row = if kind.is_rows() { Token::Row(row) } else { Token::Params(row) };
    let migration = any::migration(c);
    let mut link = BytesMut::new();
    // A message of the exchange is between messages, whole.
    let ty = match (options.migrate_packets, by_client) {
        (true, _) => PacketType::MIGRATE,
        (false, true) => PacketType::NORMAL,
        (false, false) => PacketType::RESPONSE,
    };
    let ordinary = if by_client { PacketType::NORMAL } else { PacketType::RESPONSE };
    let (before, behind): ([Token; 2], [Token; 2]) =
        ([format.into(), row.clone()], [row, Message::new(MessageId::EMPTY, false).into()]);
    let say =
        |tokens: &[Token; 2], client: &mut ClientConnection, server: &mut ServerConnection, link: &mut BytesMut| {
            for token in tokens {
                let said = if by_client { client.token(ordinary, token, link) } else { server.token(token, link) };
                said.expect("the generator keeps to the rules");
            }
            let refused =
                if by_client { client.migration(&migration, link) } else { server.migration(&migration, link) };
            assert!(refused.is_err(), "M2: nothing between the packets of a message");
            if by_client { client.end(link) } else { server.end(link) }
        };
    say(&before, &mut client, &mut server, &mut link);
    let said =
        if by_client { client.migration(&migration, &mut link) } else { server.migration(&migration, &mut link) };
    said.expect("the generator keeps to the rules");
    say(&behind, &mut client, &mut server, &mut link);
    let types: Vec<PacketType> = check_cut(&link, size).into_iter().map(|message| message.0).collect();
    assert_eq!(types, [ordinary, ty, ordinary], "M2");
    if let Migration::SessionId(Some(id)) = &migration {
        let at = link.windows(6).position(|bytes| bytes == id.bytes());
        assert!(at.is_some(), "M12: the id is on the wire, bytes unchanged");
    }
    let [before, behind] = [before, behind].map(|tokens| tokens.map(Item::Token));
    let expected: Vec<Item> = before
        .into_iter()
        .chain([Item::End(ordinary), Item::Migration(migration), Item::End(ty)])
        .chain(behind)
        .chain([Item::End(ordinary)])
        .collect();
    let items = if by_client { server_items(&mut server, &mut link) } else { client_items(&mut client, &mut link) };
    assert_eq!(items, expected, "M1: the exchange changes nothing around it");
}
