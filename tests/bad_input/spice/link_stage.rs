//! The link stage (spec/spice.md 2).

use super::{LIMITS, assert_invalid, assert_unsupported, limit, link_mess, link_reply, linked_client};
use handover::error::DecodeError;
use handover::spice::link::LinkMess;
use handover::spice::link::{AuthMechanism, LinkReply, LinkResult, Ticket};
use handover::spice::stream::{ClientItem, ClientStream, ServerItem, ServerStream};
use handover::spice::{Capabilities, ChannelId, ChannelType, CommonCaps, HeaderKind, LinkError, Mechanism};
use handover::wire::{Encode, Framer};

fn client_error(bytes: &[u8]) -> DecodeError {
    let mut framer = Framer::new(ClientStream::new(LIMITS));
    framer.push(bytes);
    framer.next_item().expect_err("accepted")
}

fn server_error(bytes: &[u8]) -> DecodeError {
    let mut framer = Framer::new(ServerStream::new(LIMITS));
    framer.push(bytes);
    framer.next_item().expect_err("accepted")
}

/// A link header.
fn header(major: u32, size: u32) -> Vec<u8> {
    [&b"REDQ"[..], &major.to_le_bytes(), &2_u32.to_le_bytes(), &size.to_le_bytes()].concat()
}

/// A link message with any counts and offset, `words` bytes behind the fixed part.
fn mess(num_common: u32, num_channel: u32, caps_offset: u32, words: usize) -> Vec<u8> {
    let size = u32::try_from(18 + words).unwrap();
    let numbers = [num_common, num_channel, caps_offset].map(u32::to_le_bytes).concat();
    [header(2, size), vec![0, 0, 0, 0, 1, 0], numbers, vec![0; words]].concat()
}

/// A link reply with any counts and offset, `words` bytes behind the fixed part.
fn reply(num_common: u32, num_channel: u32, caps_offset: u32, words: usize) -> Vec<u8> {
    let size = u32::try_from(178 + words).unwrap();
    let numbers = [num_common, num_channel, caps_offset].map(u32::to_le_bytes).concat();
    [header(2, size), vec![0; 4 + 162], numbers, vec![0; words]].concat()
}

#[test]
fn magic() {
    for wrong in 0..4_usize {
        let mut bytes = b"REDQ".to_vec();
        bytes[wrong] ^= 0x20;
        // Said as soon as it shows, and in the same words whatever comes behind.
        let mut seen = [0; 4];
        seen[..=wrong].copy_from_slice(&bytes[..=wrong]);
        let got = u64::from(u32::from_le_bytes(seen));
        for end in wrong + 1..=4 {
            assert_invalid(&client_error(&bytes[..end]), "LinkHeader", "magic", got);
            assert_invalid(&server_error(&bytes[..end]), "LinkHeader", "magic", got);
        }
        let mut framer = Framer::new(ClientStream::new(LIMITS));
        framer.push(&bytes[..wrong]);
        assert_eq!(framer.next_item(), Ok(None));
    }
}

#[test]
fn major_version() {
    for major in [0, 1, 3, u32::MAX] {
        // Eight bytes are enough to see it.
        let bytes = &header(major, 26)[..8];
        assert_unsupported(&client_error(bytes), "LinkHeader", "major", major.into());
        assert_unsupported(&server_error(bytes), "LinkHeader", "major", major.into());
    }
}

#[test]
fn sizes() {
    // On the header alone.
    for size in [0, 17] {
        assert_invalid(&client_error(&header(2, size)), "LinkHeader", "size", size.into());
    }
    for size in [0, 177] {
        assert_invalid(&server_error(&header(2, size)), "LinkHeader", "size", size.into());
    }
    for size in [4097, u32::MAX] {
        let expected = limit("LinkHeader", "size", "link_size", 4096, size.into());
        assert_eq!(client_error(&header(2, size)), expected);
        assert_eq!(server_error(&header(2, size)), expected);
    }
    for size in [18, 4096] {
        let mut framer = Framer::new(ClientStream::new(LIMITS));
        framer.push(&header(2, size));
        assert_eq!(framer.next_item(), Ok(None));
    }
    for size in [178, 4096] {
        let mut framer = Framer::new(ServerStream::new(LIMITS));
        framer.push(&header(2, size));
        assert_eq!(framer.next_item(), Ok(None));
    }
}

#[test]
fn counts_beyond_the_limit() {
    for got in [1025, u32::MAX] {
        let expected = |message, field| limit(message, field, "capability_words", 1024, got.into());
        assert_eq!(client_error(&mess(got, 0, 18, 0)), expected("LinkMess", "num_common_caps"));
        assert_eq!(client_error(&mess(0, got, 18, 0)), expected("LinkMess", "num_channel_caps"));
        assert_eq!(server_error(&reply(got, 0, 178, 0)), expected("LinkReply", "num_common_caps"));
        assert_eq!(server_error(&reply(0, got, 178, 0)), expected("LinkReply", "num_channel_caps"));
    }
}

#[test]
fn counts_that_would_overflow() {
    // A caller who takes the limit away gets the protocol's own, so that no sum of counts can overflow.
    let mut limits = LIMITS;
    limits.capability_words = u32::MAX;
    for (common, channel) in [(u32::MAX, u32::MAX), (u32::MAX, 1), (1 << 30, 0), (1 << 31, 1 << 31)] {
        let expected = |message| limit(message, "num_common_caps", "capability_words", 1024, common.into());
        let mut framer = Framer::new(ClientStream::new(limits));
        framer.push(&mess(common, channel, 18, 8));
        assert_eq!(framer.next_item().unwrap_err(), expected("LinkMess"));
        let mut framer = Framer::new(ServerStream::new(limits));
        framer.push(&reply(common, channel, 178, 8));
        assert_eq!(framer.next_item().unwrap_err(), expected("LinkReply"));
    }
}

#[test]
fn capability_offsets() {
    // Eight bytes of words: two fit from 18 on, one from 22 on.
    for (words, offset) in [(1, 0), (1, 17), (2, 19), (1, 23), (1, 26), (3, 18), (1, u32::MAX), (2, u32::MAX - 3)] {
        assert_invalid(&client_error(&mess(words, 0, offset, 8)), "LinkMess", "caps_offset", offset.into());
        assert_invalid(&client_error(&mess(0, words, offset, 8)), "LinkMess", "caps_offset", offset.into());
    }
    for (words, offset) in [(1, 0), (1, 18), (1, 177), (2, 179), (1, 183), (3, 178), (1, u32::MAX)] {
        assert_invalid(&server_error(&reply(words, 0, offset, 8)), "LinkReply", "caps_offset", offset.into());
    }
}

#[test]
fn layouts_that_are_odd_and_allowed() {
    // No words, so that the offset means nothing; words with a gap before and bytes behind.
    for bytes in [mess(0, 0, u32::MAX, 0), mess(0, 0, 18, 5), mess(1, 0, 22, 12), mess(1, 1, 18, 8)] {
        let mut framer = Framer::new(ClientStream::new(LIMITS));
        framer.push(&bytes);
        let Ok(Some(ClientItem::Link(mess))) = framer.next_item() else { panic!("{bytes:?}") };
        assert_eq!(mess.to_vec().unwrap(), bytes);
    }
    for bytes in [reply(0, 0, u32::MAX, 0), reply(0, 0, 178, 5), reply(1, 0, 182, 12), reply(1, 1, 178, 8)] {
        let mut framer = Framer::new(ServerStream::new(LIMITS));
        framer.push(&bytes);
        let Ok(Some(ServerItem::Reply(reply))) = framer.next_item() else { panic!("{bytes:?}") };
        assert_eq!(reply.to_vec().unwrap(), bytes);
    }
}

/// A client's stream behind the link message, with a mechanism to be chosen.
fn selecting_client() -> Framer<ClientStream> {
    let common = CommonCaps::AUTH_SELECTION | CommonCaps::AUTH_SPICE;
    let mut framer = Framer::new(ClientStream::new(LIMITS));
    let mess = LinkMess::new(0, ChannelId::MAIN, common, Capabilities::default());
    framer.push(&mess.to_vec().unwrap());
    assert_eq!(framer.next_item(), Ok(Some(ClientItem::Link(mess))));
    let key = link_reply(HeaderKind::Full).public_key();
    framer.decoder_mut().set_reply(&LinkReply::accept(key, common, Capabilities::default()));
    framer
}

#[test]
fn a_ticket_too_short_is_not_complete_and_one_too_long_begins_the_next_message() {
    let mut framer = selecting_client();
    framer.push(&[1, 0, 0]);
    assert_eq!((framer.next_item(), framer.buffered()), (Ok(None), 3));
    framer.push(&[0]);
    let mechanism = AuthMechanism { mechanism: Mechanism::TICKET.0 };
    assert_eq!(framer.next_item(), Ok(Some(ClientItem::Mechanism(mechanism))));
    framer.push(&[5; Ticket::SIZE - 1]);
    assert_eq!((framer.next_item(), framer.buffered()), (Ok(None), Ticket::SIZE - 1));
    framer.push(&[5, 6]);
    assert_eq!(framer.next_item(), Ok(Some(ClientItem::Ticket(Ticket([5; Ticket::SIZE])))));
    assert_eq!((framer.next_item(), framer.buffered()), (Ok(None), 1));
}

#[test]
fn sasl_is_named_and_refused() {
    let mut framer = selecting_client();
    framer.push(&[2, 0, 0, 0]);
    let mechanism = AuthMechanism { mechanism: Mechanism::SASL.0 };
    assert_eq!(framer.next_item(), Ok(Some(ClientItem::Mechanism(mechanism))));
    assert_eq!(framer.next_item(), Ok(None));
    framer.push(&[0]);
    assert_unsupported(&framer.next_item().unwrap_err(), "AuthMechanism", "mechanism", 2);
}

#[test]
fn nothing_is_read_before_the_other_side_has_spoken() {
    let mut client = Framer::new(ClientStream::new(LIMITS));
    client.push(&link_mess(HeaderKind::Mini, ChannelType::MAIN).to_vec().unwrap());
    client.push(&[0xff; 1000]);
    assert!(matches!(client.next_item(), Ok(Some(ClientItem::Link(_)))));
    assert_eq!((client.next_item(), client.buffered()), (Ok(None), 1000));

    let mut server = Framer::new(ServerStream::new(LIMITS));
    server.push(&link_reply(HeaderKind::Mini).to_vec().unwrap());
    server.push(&[0; 4]);
    server.push(&[0xff; 1000]);
    assert!(matches!(server.next_item(), Ok(Some(ServerItem::Reply(_)))));
    assert_eq!(server.next_item(), Ok(Some(ServerItem::Result(LinkResult { error: LinkError::OK }))));
    assert_eq!((server.next_item(), server.buffered()), (Ok(None), 1000));
}

#[test]
fn nothing_follows_a_refusal() {
    let refused = LinkReply::refuse(LinkError::NEED_SECURED);
    let denied = LinkResult { error: LinkError::PERMISSION_DENIED };
    let accepted = link_reply(HeaderKind::Mini).to_vec().unwrap();
    for (bytes, items) in [
        (refused.to_vec().unwrap(), 1),
        ([accepted.clone(), denied.to_vec().unwrap()].concat(), 2),
        // A link reply in the place of the result, whatever it says.
        ([accepted, refused.to_vec().unwrap()].concat(), 2),
    ] {
        let mut framer = Framer::new(ServerStream::new(LIMITS));
        framer.push(&bytes);
        for _ in 0..items {
            assert!(matches!(framer.next_item(), Ok(Some(_))));
        }
        assert_eq!(framer.next_item(), Ok(None));
        framer.push(&[0x2c, 1, 2]);
        assert_invalid(&framer.next_item().unwrap_err(), "LinkResult", "end", 0x2c);
    }
}

#[test]
fn an_error_is_final() {
    let mut framer = Framer::new(ClientStream::new(LIMITS));
    framer.push(b"GET / HTTP/1.1");
    let first = framer.next_item().unwrap_err();
    framer.push(&link_mess(HeaderKind::Mini, ChannelType::MAIN).to_vec().unwrap());
    assert_eq!((framer.next_item(), framer.buffered()), (Err(first), 0));
    // And a stream of its own is none the worse.
    linked_client(HeaderKind::Mini, ChannelType::MAIN);
}
