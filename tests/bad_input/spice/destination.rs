//! Destinations (spec/spice.md 4.5 and 4.7): offsets and sizes that point anywhere, and layouts of old releases.

use super::{assert_invalid, assert_unsupported};
use handover::error::DecodeError;
use handover::spice::{ChannelType, DstInfo, ServerMessage};
use handover::wire::Encode;

/// BEGIN, SWITCH_HOST and BEGIN_SEAMLESS, with their fixed parts and their names in errors.
const KINDS: [(u16, u32, &str); 3] = [(101, 20, "DstInfo"), (111, 20, "DstInfo"), (116, 24, "MigrateBeginSeamless")];

/// A body with a tail of 16 bytes behind a fixed part of `fixed`. Sizes and offsets as given.
fn body(fixed: u32, host: (u32, u32), subject: (u32, u32)) -> Vec<u8> {
    let numbers = [host.0, host.1, subject.0, subject.1].map(u32::to_le_bytes).concat();
    let version: &[u8] = if fixed == 24 { &[1, 0, 0, 0] } else { &[] };
    [b"\x3b\x3e\x3d\x3e", &numbers[..], version, b"host.example\0CN\0"].concat()
}

/// The bytes that a size and an offset name, up to the first NUL.
fn named(body: &[u8], (size, at): (u32, u32)) -> Vec<u8> {
    let bytes = body.iter().skip(at as usize).take(size as usize).copied();
    bytes.take_while(|&byte| byte != 0).collect()
}

fn dst<'a, 'b>(message: &'b ServerMessage<&'a [u8]>) -> &'b DstInfo<&'a [u8]> {
    match message {
        ServerMessage::MigrateBegin(dst) | ServerMessage::MigrateSwitchHost(dst) => dst,
        ServerMessage::MigrateBeginSeamless(begin) => begin.dst(),
        other => panic!("{other:?}"),
    }
}

fn error(ty: u16, body: &[u8]) -> DecodeError {
    ServerMessage::decode(ChannelType::MAIN, ty, body).expect_err("accepted")
}

#[test]
fn anything_within_the_body_is_accepted_and_written_back() {
    for (ty, fixed, _) in KINDS {
        let end = fixed + 16;
        for (host, subject) in [
            // As we write it; with bytes behind; without a subject.
            ((13, fixed), (3, fixed + 13)),
            ((13, fixed), (0, 0)),
            ((5, fixed), (0, 0)),
            // No NUL; only a part of the text.
            ((4, fixed), (2, fixed + 13)),
            // In the other order; with a gap; one inside the other; the same.
            ((3, fixed + 13), (13, fixed)),
            ((12, fixed + 1), (3, fixed + 13)),
            ((13, fixed), (4, fixed + 5)),
            ((13, fixed), (13, fixed)),
            // Into the fixed part, whole or in part.
            ((4, 1), (4, 2)),
            ((8, fixed - 8), (3, fixed + 13)),
            ((13, fixed), (20, 1)),
            ((end - 1, 1), (end, 0)),
            // A subject with an offset and no bytes, at the very end too; one with a size and no offset is none.
            ((13, fixed), (0, fixed + 13)),
            ((13, fixed), (0, end)),
            ((13, fixed), (3, 0)),
        ] {
            let body = body(fixed, host, subject);
            let decoded = ServerMessage::decode(ChannelType::MAIN, ty, &body);
            let (message, rest) = decoded.unwrap_or_else(|error| panic!("{ty} {host:?} {subject:?}: {error}"));
            assert_eq!(dst(&message).host(), named(&body, host), "{ty} {host:?} {subject:?}");
            let expected = Some(named(&body, subject)).filter(|text| subject.1 != 0 && !text.is_empty());
            assert_eq!(dst(&message).cert_subject(), expected.as_deref(), "{ty} {host:?} {subject:?}");
            assert_eq!([message.to_vec().unwrap(), rest.to_vec()].concat(), body, "{ty} {host:?} {subject:?}");
        }
    }
}

#[test]
fn the_host_must_lie_within_the_body() {
    for (ty, fixed, message) in KINDS {
        let end = fixed + 16;
        for (size, at) in [
            (1, end),
            (17, fixed),
            (13, fixed + 4),
            (end + 1, 0),
            (u32::MAX, fixed),
            (u32::MAX, 0),
            (13, u32::MAX),
            (u32::MAX, u32::MAX),
            // Offset plus size is 10 in 32 bits.
            (26, u32::MAX - 15),
        ] {
            let body = body(fixed, (size, at), (0, 0));
            assert_invalid(&error(ty, &body), message, "host", u64::from(size) + u64::from(at));
        }
    }
}

#[test]
fn the_subject_must_lie_within_the_body() {
    for (ty, fixed, message) in KINDS {
        let end = fixed + 16;
        for (size, at) in [
            (1, end),
            (0, end + 1),
            (4, fixed + 13),
            // Its size counts even if there is no offset, as with the real client.
            (end + 1, 0),
            (u32::MAX, 0),
            (u32::MAX, fixed),
            (3, u32::MAX),
            (u32::MAX, u32::MAX),
            (26, u32::MAX - 15),
        ] {
            let body = body(fixed, (13, fixed), (size, at));
            assert_invalid(&error(ty, &body), message, "cert_subject", u64::from(size) + u64::from(at));
        }
    }
}

#[test]
fn there_must_be_a_host() {
    for (ty, fixed, message) in KINDS {
        // Null, with and without a size; empty; beginning with its NUL.
        for host in [(13, 0), (0, 0), (0, fixed), (1, fixed + 12)] {
            let body = body(fixed, host, (0, 0));
            assert_invalid(&error(ty, &body), message, "host", host.1.into());
        }
    }
}

#[test]
fn layouts_of_old_releases_are_named() {
    // Major 1: the offset before the size.
    let begin_12 = [&[0x3b, 0x3e, 0, 0, 12, 0, 0, 0, 10, 0, 0, 0][..], b"127.0.0.1\0"].concat();
    let begin_22 =
        [&[0x3b, 0x3e, 0, 0, 22, 0, 0, 0, 10, 0, 0, 0][..], &[1, 0, 32, 0, 0, 0, 4, 0, 0, 0], b"127.0.0.1\0key!"]
            .concat();
    let switch_20 =
        [&[0x3b, 0x3e, 0, 0, 20, 0, 0, 0, 10, 0, 0, 0][..], &[30, 0, 0, 0, 3, 0, 0, 0], b"127.0.0.1\0CN\0"].concat();
    for (ty, body) in [(101, &begin_12), (101, &begin_22), (111, &switch_20)] {
        assert_unsupported(&error(ty, body), "DstInfo", "layout", 1);
    }
    // Major 2 before release 0.8.2: a public key in place of the subject.
    let with_key =
        [&[0x3b, 0x3e, 0, 0, 10, 0, 0, 0, 22, 0, 0, 0][..], &[1, 0, 4, 0, 0, 0, 32, 0, 0, 0], b"127.0.0.1\0key!"]
            .concat();
    assert_unsupported(&error(101, &with_key), "DstInfo", "layout", 22);
}

#[test]
fn an_old_layout_with_an_empty_key_reads_as_a_gap() {
    let body = [&[0x3b, 0x3e, 0, 0, 10, 0, 0, 0, 22, 0, 0, 0][..], &[0; 10], b"127.0.0.1\0"].concat();
    let (message, rest) = ServerMessage::decode(ChannelType::MAIN, 101, &body).unwrap();
    assert_eq!((dst(&message).host(), dst(&message).cert_subject()), (&b"127.0.0.1"[..], None));
    assert_eq!((message.to_vec().unwrap(), rest), (body.clone(), &[][..]));
}
