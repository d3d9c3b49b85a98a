//! Sub-message lists (spec/spice.md 3.4).

use super::{
    HEADERS, LIMITS, assert_invalid, data_header, full_header, length, limit, linked_client, linked_server, short,
};
use bytes::Bytes;
use handover::error::DecodeError;
use handover::spice::stream::{ClientItem, ServerItem};
use handover::spice::{ChannelType, ClientMessage, HeaderKind, ServerMessage, sub_messages};

/// A list: its offsets, then whatever they may point at.
fn list(offsets: &[u32], behind: &[u8]) -> Vec<u8> {
    let count = u16::try_from(offsets.len()).unwrap();
    let offsets: Vec<u8> = offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect();
    [&count.to_le_bytes()[..], &offsets, behind].concat()
}

/// A sub-message with any size.
fn sub(ty: u16, size: u32, body: &[u8]) -> Vec<u8> {
    [&ty.to_le_bytes()[..], &size.to_le_bytes(), body].concat()
}

/// What is said of a LIST with this body, the same with both headers.
fn error(body: &[u8]) -> DecodeError {
    let errors = HEADERS.map(|header| {
        let mut framer = linked_server(header, ChannelType::MAIN);
        framer.push(&data_header(header, 8, length(body)));
        framer.push(body);
        framer.next_item().expect_err("accepted")
    });
    assert_eq!(errors[0], errors[1]);
    errors[0]
}

#[test]
fn sub_messages_come_first_and_in_order() {
    // MIGRATE_END, then MIGRATE_CANCEL, which stands before it in the body.
    let body = list(&[16, 10], &[sub(102, 0, &[]), sub(112, 0, &[])].concat());
    for header in HEADERS {
        let mut framer = linked_server(header, ChannelType::MAIN);
        framer.push(&data_header(header, 8, length(&body)));
        framer.push(&body);
        let Ok(Some(ServerItem::SubMessage(first))) = framer.next_item() else { panic!("a sub-message") };
        let Ok(Some(ServerItem::SubMessage(second))) = framer.next_item() else { panic!("a sub-message") };
        let Ok(Some(ServerItem::Message(outer))) = framer.next_item() else { panic!("the list") };
        assert_eq!((first.message, second.message), (ServerMessage::MigrateEnd, ServerMessage::MigrateCancel));
        assert!(matches!(outer.message, ServerMessage::List(_)));
        assert_eq!(framer.next_item(), Ok(None));
    }
}

#[test]
fn either_side_may_add_a_list_to_any_message() {
    let list = list(&[4 + 6], &sub(2, 0, &[]));
    let body = [&[1, 0, 0, 0][..], &list].concat();
    let mut framer = linked_client(HeaderKind::Full, ChannelType::MAIN);
    framer.push(&full_header(HeaderKind::Full, 1, length(&body), 4));
    framer.push(&body);
    let Ok(Some(ClientItem::SubMessage(first))) = framer.next_item() else { panic!("a sub-message") };
    let Ok(Some(ClientItem::Message(outer))) = framer.next_item() else { panic!("the message") };
    assert_eq!(first.message, ClientMessage::Ack);
    assert_eq!((outer.sub_list, &outer.extra[..]), (4, &list[..]));
}

#[test]
fn the_list_must_lie_within_the_body() {
    for (sub_list, expected) in [
        (5, None),
        (u32::MAX, None),
        // At the very end, or a byte before it, no count fits.
        (4, Some(short("SubList", "count", 2, 0))),
        (3, Some(short("SubList", "count", 2, 1))),
    ] {
        let mut framer = linked_server(HeaderKind::Full, ChannelType::MAIN);
        framer.push(&full_header(HeaderKind::Full, 1, 4, sub_list));
        framer.push(&[3, 0, 0, 0]);
        let error = framer.next_item().unwrap_err();
        match expected {
            Some(expected) => assert_eq!(error, expected),
            None => assert_invalid(&error, "SubList", "sub_list", sub_list.into()),
        }
    }
    assert_eq!(error(&[]), short("SubList", "count", 2, 0));
    assert_eq!(error(&[1]), short("SubList", "count", 2, 1));
    assert_eq!(error(&[1, 0]), short("SubList", "offset", 4, 0));
    assert_eq!(error(&[1, 0, 6, 0, 0]), short("SubList", "offset", 4, 3));
}

#[test]
fn sub_messages_must_lie_within_the_body() {
    let end = sub(112, 0, &[]);
    // Offsets beyond the end; headers that do not fit.
    assert_invalid(&error(&list(&[13], &end)), "SubList", "offset", 13);
    assert_invalid(&error(&list(&[u32::MAX], &end)), "SubList", "offset", u32::MAX.into());
    assert_eq!(error(&list(&[12], &end)), short("SubList", "ty", 2, 0));
    assert_eq!(error(&list(&[9], &end)), short("SubList", "size", 4, 1));
    // Sizes that go beyond it.
    assert_invalid(&error(&list(&[6], &sub(2, 1, &[]))), "SubList", "size", 1);
    assert_invalid(&error(&list(&[6], &sub(2, u32::MAX, &[0; 8]))), "SubList", "size", u32::MAX.into());
}

#[test]
fn sub_messages_must_not_overlap_their_list() {
    let end = sub(112, 0, &[]);
    // The list itself, its offsets, and a sub-message that begins in the table.
    for offset in [0, 1, 2, 5] {
        let body = list(&[offset], &[end.clone(), vec![0; 16]].concat());
        let error = error(&body);
        assert_eq!((error.message, error.kind.name()), ("SubList", "invalid"), "{offset}: {error}");
        assert!(matches!(error.field, "offset" | "size"), "{offset}: {error}");
    }
    // A list that points at itself with a size that fits.
    let body = [&[1, 0, 0, 0, 0, 0][..], &[0; 8]].concat();
    assert_invalid(&error(&body), "SubList", "offset", 0);

    // In front of a list in mid-body a sub-message may stand, into it it must not reach.
    let outer = |size: u32| {
        let front = sub(2, size, &[0; 4]);
        Bytes::from([&front[..], &list(&[0], &[])].concat())
    };
    let messages = sub_messages::<ServerMessage>(ChannelType::MAIN, &outer(4), 10, LIMITS.sub_messages);
    assert_eq!(messages.map(|messages| messages.len()), Ok(1));
    let messages = sub_messages::<ServerMessage>(ChannelType::MAIN, &outer(5), 10, LIMITS.sub_messages);
    assert_invalid(&messages.unwrap_err(), "SubList", "offset", 0);
}

#[test]
fn lists_have_one_level() {
    let inner = list(&[6], &sub(112, 0, &[]));
    assert_invalid(&error(&list(&[6], &sub(8, length(&inner), &inner))), "SubList", "type", 8);
}

#[test]
fn sub_messages_are_bounded() {
    let end = sub(112, 0, &[]);
    let many = |count: usize| list(&vec![u32::try_from(2 + 4 * count).unwrap(); count], &end);
    assert_eq!(error(&many(65)), limit("SubList", "count", "sub_messages", 64, 65));
    // The count alone is enough to refuse it.
    assert_eq!(error(&[0xff, 0xff]), limit("SubList", "count", "sub_messages", 64, 65535));

    let body = many(64);
    let mut framer = linked_server(HeaderKind::Mini, ChannelType::MAIN);
    framer.push(&data_header(HeaderKind::Mini, 8, length(&body)));
    framer.push(&body);
    for _ in 0..64 {
        assert!(matches!(framer.next_item(), Ok(Some(ServerItem::SubMessage(_)))));
    }
    assert!(matches!(framer.next_item(), Ok(Some(ServerItem::Message(_)))));
}

#[test]
fn a_malformed_sub_message_is_named() {
    assert_eq!(error(&list(&[6], &sub(1, 3, &[3, 0, 0]))), short("Migrate", "flags", 4, 3));
}

#[test]
fn a_mini_header_has_no_list_and_a_clients_type_8_is_unknown() {
    let body = list(&[6], &sub(112, 0, &[]));
    let mut framer = linked_client(HeaderKind::Mini, ChannelType::MAIN);
    framer.push(&data_header(HeaderKind::Mini, 8, length(&body)));
    framer.push(&body);
    let Ok(Some(ClientItem::Message(packet))) = framer.next_item() else { panic!("a message") };
    assert_eq!((packet.message.name(), packet.body_len()), ("Unknown", body.len()));
    assert_eq!(framer.next_item(), Ok(None));
}
