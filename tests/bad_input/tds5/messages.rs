//! MSG and its parameters (spec/tds5.md 3.3 and 4.1).

use super::{
    DONE, LIMITS, MIGRATE, NORMAL, ORDERS, RESPONSE, assert_invalid, items, packet, response, response_error, short,
    sized,
};
use allocation_counter::measure;
use handover::tds5::connection::{Item, ServerConnection};
use handover::tds5::migration::{FailReason, Migration, Options, Request};
use handover::tds5::token::{Message, Token};
use handover::tds5::{MessageId, PacketType, SessionId};
use handover::wire::ByteOrder;

const FORMAT: &[u8] = b"\xec\x0b\0\x01\0\0\0\0\0\0\0\x27\xff\0";
const WIDE_FORMAT: &[u8] = b"\x20\x0e\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\x27\xff\0";
const ROW_FORMAT: &[u8] = b"\xee\x0b\0\x01\0\0\0\0\0\0\0\x27\xff\0";
const PARAMS: &[u8] = b"\xd7\x0e127.0.0.1:5001";

/// The numbers of the exchange, and that of the session id.
const OURS: [u8; 7] = [12, 17, 18, 19, 20, 21, 23];

fn msg(status: u8, id: u8) -> [u8; 5] {
    [0x65, 3, status, id, 0]
}

#[test]
fn parameters_that_are_announced_must_follow() {
    for id in OURS {
        for (ty, before) in
            [(MIGRATE, &b""[..]), (RESPONSE, b""), (RESPONSE, DONE), (RESPONSE, &[FORMAT, PARAMS].concat())]
        {
            for behind in [
                // Nothing, or something else in their place or between them.
                &b""[..],
                DONE,
                &msg(0, id),
                &[DONE, FORMAT, PARAMS].concat(),
                FORMAT,
                &[FORMAT, DONE, PARAMS].concat(),
                &[FORMAT, &msg(1, id), PARAMS].concat(),
                &[FORMAT, FORMAT, PARAMS].concat(),
                &[FORMAT, WIDE_FORMAT, PARAMS].concat(),
                &[FORMAT, ROW_FORMAT, PARAMS].concat(),
                &[ROW_FORMAT, FORMAT, PARAMS].concat(),
                // A format with a data type that is not known is as good as none.
                &[&b"\xec\x0b\0\x01\0\0\0\0\0\0\0\xee\xff\0"[..], PARAMS].concat(),
            ] {
                let (_, error) = items(&packet(ty, true, &[before, &msg(1, id), behind].concat()));
                assert_invalid(&error.expect("accepted"), "Message", "status", id.into());
            }
            // Values at once: of the last format, or of none.
            let (_, error) = items(&packet(ty, true, &[before, &msg(1, id), PARAMS].concat()));
            let error = error.expect("accepted");
            let expected = if before.len() > DONE.len() { ("Message", "status") } else { ("Params", "format") };
            assert_eq!((error.kind.name(), (error.message, error.field)), ("invalid", expected));
            // As they should be.
            for format in [FORMAT, WIDE_FORMAT] {
                let (items, error) = items(&packet(ty, true, &[before, &msg(1, id), format, PARAMS].concat()));
                assert!(matches!(items.iter().rev().nth(1), Some(Item::Migration(_))), "{items:?}");
                assert_eq!(error, None);
            }
        }
    }
}

#[test]
fn parameters_may_come_in_the_next_packet_but_not_in_the_next_message() {
    let (items_of_one, error) = items(
        &[packet(MIGRATE, false, &msg(1, 17)), packet(MIGRATE, false, FORMAT), packet(MIGRATE, true, PARAMS)].concat(),
    );
    assert_eq!((items_of_one.len(), error), (2, None));
    let (_, error) =
        items(&[packet(MIGRATE, true, &msg(1, 17)), packet(MIGRATE, true, &[FORMAT, PARAMS].concat())].concat());
    assert_invalid(&error.unwrap(), "Message", "status", 17);
}

#[test]
fn nothing_is_kept_behind_an_error() {
    let mut server = ServerConnection::new(LIMITS, Options::DEFAULT);
    server.receive(&packet(MIGRATE, true, &msg(1, 21)));
    assert_invalid(&server.next_item().unwrap_err(), "Message", "status", 21);
    let more = packet(NORMAL, true, &DONE.repeat(1000));
    let counted = measure(|| (0..1000).for_each(|_| server.receive(&more)));
    assert!(counted.bytes_max < 1000, "{} bytes", counted.bytes_max);
    assert_invalid(&server.next_item().unwrap_err(), "Message", "status", 21);
}

#[test]
fn other_messages_are_passed_on_whatever_they_announce() {
    for id in (0..=60).filter(|id| !OURS.contains(id)) {
        let (items, error) = items(&packet(RESPONSE, true, &[&msg(1, id)[..], DONE].concat()));
        let [Item::Token(Token::Message(message)), Item::Token(Token::Done(_)), Item::End(_)] = &items[..] else {
            panic!("{items:?}");
        };
        assert_eq!((message.id, message.has_parameters(), error), (MessageId(id.into()), true, None));
    }
    // So are parameters that nobody has announced.
    let (items, error) = items(&packet(MIGRATE, true, &[&msg(0, 17)[..], FORMAT, PARAMS].concat()));
    let [Item::Migration(Migration::Request(request)), Item::Token(_), Item::Token(_), Item::End(_)] = &items[..]
    else {
        panic!("{items:?}");
    };
    assert_eq!((request, error), (&Request::default(), None));
}

#[test]
fn messages_outside_their_type_if_the_options_say_so() {
    let mut options = Options::DEFAULT;
    options.accept_anywhere = false;
    let id = [&msg(1, 12)[..], FORMAT, b"\xd7\x06abcdef"].concat();
    for (ty, tokens, taken) in [
        (NORMAL, &msg(0, 18)[..], false),
        (MIGRATE, &msg(0, 18), true),
        // What is not taken need not have its parameters either.
        (NORMAL, &msg(1, 21), false),
        (NORMAL, &id, true),
    ] {
        let mut server = ServerConnection::new(LIMITS, options);
        server.receive(&packet(ty, true, tokens));
        let item = server.next_item().unwrap().unwrap();
        assert_eq!(matches!(item, Item::Migration(_)), taken, "{item:?}");
        assert_eq!(server.next_item(), Ok(Some(Item::End(PacketType(ty)))));
    }
}

#[test]
fn lengths_other_than_three() {
    for order in ORDERS {
        let id = super::u16(order, 18);
        for length in 0..3_u64 {
            let token =
                [&[0x65, u8::try_from(length).unwrap()], &[0, id[0], id[1]][..usize::try_from(length).unwrap()]]
                    .concat();
            let expected =
                if length == 0 { short("Message", "status", 1, 0) } else { short("Message", "id", 2, length - 1) };
            assert_eq!(response_error(order, &token), expected);
        }
        // More is kept.
        for more in [&b"x"[..], &[7; 252]] {
            let length = u8::try_from(3 + more.len()).unwrap();
            let token = [&[0x65, length, 0x80, id[0], id[1]], more].concat();
            let tokens = response(order, &[&token[..], DONE].concat());
            let [Token::Message(Message { status, id, extra }), Token::Done(_)] = &tokens[..] else { panic!() };
            assert_eq!((*status, *id, &extra[..]), (0x80, MessageId::MIGRATION_SYNC, more));
        }
    }
    // And does not keep a message from being understood.
    let (items, error) = items(&packet(MIGRATE, true, b"\x65\x05\0\x13\0xx"));
    assert_eq!((items.len(), &items[0], error), (2, &Item::Migration(Migration::Continue), None));
}

/// What a client makes of a message with these columns (their formats) and values.
#[track_caller]
fn migration(id: u8, columns: &[&[u8]], values: &[u8]) -> Migration {
    let body: Vec<u8> = columns.iter().flat_map(|column| [&[0; 6], *column, &[0]].concat()).collect();
    let count = u16::try_from(columns.len()).unwrap().to_le_bytes();
    let format = sized(ByteOrder::Little, 0xec, &[&count[..], &body].concat());
    let (mut items, error) = items(&packet(MIGRATE, true, &[&msg(1, id)[..], &format, &[0xd7], values].concat()));
    assert_eq!((items.len(), error), (2, None));
    match items.swap_remove(0) {
        Item::Migration(migration) => migration,
        other => panic!("{other:?}"),
    }
}

const VARCHAR: &[u8] = &[0x27, 255];
const INTN: &[u8] = &[0x26, 4];
const LONGCHAR: &[u8] = &[0xaf, 255, 255, 255, 127];

#[test]
fn addresses_that_cannot_be_read_are_kept() {
    let request = |columns: &[&[u8]], values: &[u8]| match migration(17, columns, values) {
        Migration::Request(Request { addresses, unreadable }) => {
            (addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), unreadable)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(request(&[], b""), (vec![], vec![]));
    // NULL, something else, a number, bytes, an address of an odd form; then a good one.
    let columns = [VARCHAR, VARCHAR, INTN, &[0x25, 9], VARCHAR, LONGCHAR];
    let values = b"\0\x04host\x04\x01\x02\x03\x04\x03a:1\x06::1:50\x05\0\0\0h 500";
    let unreadable: Vec<&[u8]> = vec![b"", b"host", b"\x01\x02\x03\x04", b"a:1", b"::1:50"];
    let (addresses, kept) = request(&columns, values);
    assert_eq!((addresses, kept), (vec!["h:500".to_owned()], unreadable.into_iter().map(Into::into).collect()));
    // More than a request may hold is for the machine to refuse: its limit is not the codec's.
    let (addresses, _) = request(&[VARCHAR; 40], &b"\x03a:1".repeat(40));
    assert_eq!(addresses.len(), 40);
}

#[test]
fn reasons_of_any_kind_are_taken() {
    let fail = |columns: &[&[u8]], values: &[u8]| migration(21, columns, values);
    let reason = |code, text: Option<&str>| Migration::Fail(Some(FailReason { code, text: text.map(str::to_owned) }));
    assert_eq!(fail(&[], b""), Migration::Fail(None));
    assert_eq!(fail(&[VARCHAR, INTN], b"\0\0"), Migration::Fail(None));
    assert_eq!(fail(&[&[0x25, 9], &[0x38]], b"\x02ab\xff\xff\xff\xff"), reason(Some(-1), None));
    // The first of each kind; text that is none is shown as far as it is.
    assert_eq!(
        fail(&[VARCHAR, INTN, INTN, VARCHAR], b"\x02a\xff\x04\x01\0\0\0\x04\x02\0\0\0\x01b"),
        reason(Some(1), Some("a\u{fffd}"))
    );
    // Numbers that do not fit are none, nor are odd sizes.
    assert_eq!(fail(&[&[0x26, 8]], b"\x08\0\0\0\0\x01\0\0\0"), Migration::Fail(None));
    assert_eq!(fail(&[&[0x44, 4]], b"\x04\xff\xff\xff\xff"), Migration::Fail(None));
    assert_eq!(fail(&[INTN], b"\x03\x01\x02\x03"), Migration::Fail(None));
}

#[test]
fn session_ids_of_other_sizes_are_none() {
    let none = Migration::SessionId(None);
    let binary: &[u8] = &[0x25, 255];
    for (columns, values) in [
        (&[][..], &b""[..]),
        (&[binary], b"\0"),
        (&[binary], b"\x05abcde"),
        (&[binary], b"\x07abcdefg"),
        (&[binary], b"\x06\0\0\0\0\0\0"),
        (&[INTN], b"\x04abcd"),
    ] {
        assert_eq!(migration(12, columns, values), none, "{values:?}");
    }
    // The first that has six bytes, whatever its type.
    let id = Migration::SessionId(SessionId::new(*b"abcdef"));
    assert_eq!(migration(12, &[binary, VARCHAR, binary], b"\x05vwxyz\x06abcdef\x06ghijkl"), id);
}
