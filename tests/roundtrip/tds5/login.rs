//! M1, M12 and M13 of the login message.

use super::{LIMITS, ORDERS, packets};
use bytes::BytesMut;
use handover::tds5::connection::{ClientConnection, Item, ServerConnection};
use handover::tds5::login::{HaLogin, Login, LoginRecord};
use handover::tds5::migration::Options;
use handover::tds5::stream::{MessageStream, Sender};
use handover::tds5::{PacketType, SessionId};
use handover::testing::tds5::{self as values, strategies};
use handover::testing::{Choices, check_chunking, check_encoding};
use handover::wire::ByteOrder;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn m1_any_record(record in strategies::login_record()) {
        let bytes = check_encoding(&record);
        prop_assert_eq!(bytes.len(), 568);
        prop_assert_eq!(LoginRecord::parse(&bytes), Ok(record.clone()));
        // The order of the record is in its codes, not in how it is laid out.
        prop_assert_eq!(record.order(), Ok(if bytes[124] == 3 { ByteOrder::Little } else { ByteOrder::Big }));
    }

    /// Any field, any padding: what is accepted is written back.
    #[test]
    fn m1_odd_records_are_written_back(
        decisions in proptest::collection::vec(any::<u8>(), 0..700),
        damage in proptest::collection::vec((0_usize..568, any::<u8>()), 0..4),
    ) {
        let choices = &mut Choices::new(&decisions);
        let order = values::byte_order(choices);
        let mut bytes = values::login_record_bytes(order, choices);
        prop_assert_eq!(&check_encoding(&LoginRecord::parse(&bytes).unwrap()), &bytes);
        damage.into_iter().for_each(|(at, byte)| bytes[at] = byte);
        if let Ok(record) = LoginRecord::parse(&bytes) {
            prop_assert_eq!(check_encoding(&record), bytes);
        }
    }

    #[test]
    fn m1_login_messages_arrive_as_they_were_sent(login in strategies::login(), cuts in any::<[usize; 4]>()) {
        let (mut client, mut server) = pair();
        let mut up = BytesMut::new();
        client.login(&login, &mut up).unwrap();
        server.receive(&up);
        prop_assert_eq!(server.next_item(), Ok(Some(Item::Login(Box::new(login.clone())))));
        prop_assert_eq!(server.next_item(), Ok(None));
        prop_assert_eq!(Ok(server.order()), login.record.order());
        check_chunking(|| MessageStream::new(Sender::Client, LIMITS), &up, &cuts);
    }

    /// M12: the session id of the new login is the one received, bytes unchanged, and nothing else of it changes.
    #[test]
    fn m12_the_session_id_goes_through_unchanged(
        id in strategies::session_id(),
        login in strategies::login(),
        order in strategies::byte_order(),
    ) {
        // From the old server to the client, in each layout that there is.
        for session_id_type in [0x25, 0x2d, 0xe1].map(handover::tds5::token::DataType) {
            let mut options = Options::default();
            options.session_id_type = session_id_type;
            let (mut client, mut server) = (ClientConnection::new(LIMITS, options), ServerConnection::new(LIMITS, options));
            let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
            client.login(&Login::new(LoginRecord::new(order), true), &mut up).unwrap();
            server.receive(&up);
            prop_assert!(server.next_item().unwrap().is_some());
            server.session_id(id, &mut down).unwrap();
            server.end(&mut down);
            client.receive(&down);
            let received = match client.next_item().unwrap() {
                Some(Item::Migration(handover::tds5::migration::Migration::SessionId(id))) => id,
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(received, Some(id));
        }
        // From the client to the new server.
        let before = check_encoding(&*login.record);
        let record = (*login.record).clone().with_migration(id);
        let bytes = check_encoding(&record);
        prop_assert_eq!(&bytes[517..523], &id.bytes());
        prop_assert_eq!(bytes[516], before[516] | 0x10);
        prop_assert_eq!((&bytes[..516], &bytes[523..]), (&before[..516], &before[523..]));
        let (mut client, mut server) = pair();
        let mut up = BytesMut::new();
        client.login(&Login { record: Box::new(record), ..login }, &mut up).unwrap();
        server.receive(&up);
        let Some(Item::Login(came)) = server.next_item().unwrap() else { panic!("a login was sent") };
        prop_assert_eq!(came.is_migration(), Some(id));
        let shown = format!("{came:?}");
        prop_assert!(!shown.contains(format!("{:?}", id.bytes()).trim_matches(['[', ']'])), "{shown}");
    }
}

fn pair() -> (ClientConnection, ServerConnection) {
    (ClientConnection::new(LIMITS, Options::default()), ServerConnection::new(LIMITS, Options::default()))
}

#[test]
fn m12_a_zero_id_is_none_and_every_other_is_one() {
    assert_eq!(SessionId::new([0; 6]), None);
    let record = LoginRecord::new(ByteOrder::Little);
    let mut bytes = check_encoding(&record);
    for at in 0..48 {
        let mut id = [0; 6];
        id[at / 8] = 1 << (at % 8);
        bytes[516] = 0x10;
        bytes[517..523].copy_from_slice(&id);
        let read = LoginRecord::parse(&bytes).unwrap();
        assert_eq!((read.session_id.map(SessionId::bytes), read.ha_login), (Some(id), HaLogin::MIGRATE));
    }
    bytes[517..523].fill(0);
    assert_eq!(LoginRecord::parse(&bytes).unwrap().session_id, None);
}

/// M13: the whole message is bounded, not only each of its tokens, and whatever it is cut into.
#[test]
fn m13_a_login_message_is_bounded() {
    for order in ORDERS {
        let mut payload = check_encoding(&LoginRecord::new(order));
        while payload.len() < LIMITS.login - 9 {
            payload.extend_from_slice(b"\xfd\0\0\0\0\0\0\0\0");
        }
        let error = |payload: &[u8], size: usize| {
            let pieces: Vec<&[u8]> = payload.chunks(size).collect();
            let bytes = packets::message(PacketType::LOGIN, &pieces);
            check_chunking(|| MessageStream::new(Sender::Client, LIMITS), &bytes, &[9, 600, 1000]);
            let mut server = ServerConnection::new(LIMITS, Options::default());
            server.receive(&bytes);
            server.next_item().map(|item| item.is_some())
        };
        for size in [504, 60_000] {
            assert_eq!(error(&payload, size), Ok(true));
            let longer = [&payload[..], &[0xfd, 0, 0, 0, 0, 0, 0, 0, 0].repeat(2)].concat();
            let refused = error(&longer, size).unwrap_err();
            assert_eq!(refused.field, "length", "{refused}");
        }
    }
}
