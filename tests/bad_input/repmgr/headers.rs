//! Headers: types, words and limits (spec/repmgr.md 1 and 2.1).

use super::{
    APP_MESSAGE, APP_RESPONSE, HANDSHAKE, HEARTBEAT, LIMITS, OWN_MSG, PERM_LSN, REP_MESSAGE, RESP_ERROR,
    assert_invalid, assert_unsupported, confirmation, dialler, error, header, limit, listener, message, messages,
    parameters, parts, proposal, ready, taken, waits,
};
use handover::limits::RepmgrLimits;
use handover::repmgr::handshake::VersionRange;
use handover::repmgr::message::{Message, ResponseError};
use handover::repmgr::stream::MessageStream;
use handover::repmgr::{ErrorCode, Header, Version};
use handover::wire::{Encode, Framer};

const ALL: VersionRange = VersionRange::ALL;

#[test]
fn types_that_there_are_not() {
    for ty in [0, 9, 10, 0x16, b'G', 0x80, 0xff] {
        for make in [|| dialler(ALL), || listener(ALL), ready] {
            // Not before the header is whole, and at once then, whatever it announces.
            let bytes = header(ty, u32::MAX, u32::MAX);
            waits(make, &bytes[..8], Header::SIZE);
            let (messages, error) = messages(make, &bytes);
            assert_eq!(messages, []);
            assert_invalid(&error.unwrap(), "Header", "type", ty.into());
        }
    }
}

#[test]
fn types_that_the_version_does_not_have() {
    for (version, last) in [(1, 3), (2, 4), (3, 4)] {
        let make = || MessageStream::established(Version(version), &LIMITS);
        for ty in [HEARTBEAT, APP_MESSAGE, APP_RESPONSE, RESP_ERROR, OWN_MSG] {
            let (_, error) = messages(make, &header(ty, 0, 0));
            match error {
                Some(error) => assert_unsupported(&error, "Header", "type", ty.into()),
                None => assert!(ty <= last, "{ty} in version {version}"),
            }
            assert_eq!(error.is_some(), ty > last, "{ty} in version {version}");
        }
    }
    // Nor may a dialler of version 3 ask for membership in place of its parameters.
    let old = parts(HANDSHAKE, b"", b"x\0\0\0\0\x01\0\0\0\x03\0");
    let (messages, error) = messages(|| dialler(ALL), &[old, message(OWN_MSG, b"", 9)].concat());
    assert_eq!(messages.len(), 1);
    assert_unsupported(&error.unwrap(), "Header", "type", OWN_MSG.into());
}

#[test]
fn types_out_of_stage() {
    let proposed = || proposal();
    // A dialler begins with a proposal.
    for ty in [PERM_LSN, REP_MESSAGE, APP_MESSAGE, APP_RESPONSE, RESP_ERROR, OWN_MSG] {
        for make in [|| dialler(ALL), || listener(ALL)] {
            let (messages, error) = messages(make, &header(ty, 12, 0));
            assert_eq!(messages, []);
            assert_invalid(&error.unwrap(), "Header", "type", ty.into());
        }
        // Behind it come its parameters, or a message about membership.
        if ty != OWN_MSG {
            let (messages, error) = messages(|| dialler(ALL), &[proposed(), header(ty, 12, 0)].concat());
            assert_eq!(messages.len(), 1);
            assert_invalid(&error.unwrap(), "Header", "type", ty.into());
        }
    }
    // Before the proposal an empty heartbeat is passed over, behind it and from a listener it is not.
    let empty = header(HEARTBEAT, 0, 0);
    let (said, error) = messages(|| dialler(ALL), &[&empty[..], &empty, &proposal(), &parameters()].concat());
    assert_eq!((said.len(), error), (4, None));
    let full = parts(HEARTBEAT, &[0; 12], b"");
    for bytes in [full.clone(), [proposal(), empty.clone()].concat(), [proposal(), full].concat()] {
        let (_, error) = messages(|| dialler(ALL), &bytes);
        assert_invalid(&error.unwrap(), "Header", "type", HEARTBEAT.into());
    }
    let (_, error) = messages(|| listener(ALL), &empty);
    assert_invalid(&error.unwrap(), "Header", "type", HEARTBEAT.into());
}

#[test]
fn handshakes_on_an_established_connection() {
    let (_, error) = messages(ready, &proposal());
    assert_invalid(&error.unwrap(), "Header", "type", HANDSHAKE.into());
    for bytes in [proposal(), parameters(), confirmation(), header(HANDSHAKE, u32::MAX, 1)] {
        let (said, error) = messages(|| dialler(ALL), &[proposal(), parameters(), bytes.clone()].concat());
        assert_eq!(said.len(), 2);
        assert_invalid(&error.unwrap(), "Header", "type", HANDSHAKE.into());
        let (said, error) = messages(|| listener(ALL), &[confirmation(), bytes].concat());
        assert_eq!(said.len(), 1);
        assert_invalid(&error.unwrap(), "Header", "type", HANDSHAKE.into());
    }
}

#[test]
fn messages_without_a_body() {
    for (ty, word2, name, field) in [
        (REP_MESSAGE, 0, "Replication", "control"),
        (OWN_MSG, 0, "OwnMessage", "length"),
        (OWN_MSG, 1, "OwnMessage", "length"),
        (OWN_MSG, 4, "OwnMessage", "length"),
        (OWN_MSG, 7, "OwnMessage", "length"),
        (OWN_MSG, 77, "OwnMessage", "length"),
        (PERM_LSN, 0, "PermLsn", "length"),
    ] {
        assert_invalid(&error(&header(ty, 0, word2)), name, field, 0);
    }
    // A record alone is not enough.
    assert_invalid(&error(&parts(REP_MESSAGE, b"", b"record")), "Replication", "control", 0);
    for make in [|| dialler(ALL), || listener(ALL)] {
        for word1 in [0, 12] {
            let (_, error) = messages(make, &header(HANDSHAKE, word1, 0));
            assert_invalid(&error.unwrap(), "Handshake", "record", 0);
        }
    }
    // These have none, or need none.
    for (ty, word2) in [(HEARTBEAT, 0), (APP_RESPONSE, 0), (APP_RESPONSE, 7), (OWN_MSG, 2), (OWN_MSG, 9)] {
        taken(&header(ty, 0, word2));
    }
    taken(&header(RESP_ERROR, 30_995, 3));
}

#[test]
fn messages_of_a_fixed_size() {
    for (ty, name) in [(PERM_LSN, "PermLsn"), (HEARTBEAT, "Heartbeat")] {
        for (word1, word2) in [(11, 0), (13, 0), (11, 1), (0, 12), (12, 12), (1, 0), (0, 1), (u32::MAX, u32::MAX)] {
            let got = u64::from(word1) + u64::from(word2);
            assert_invalid(&error(&header(ty, word1, word2)), name, "length", got);
        }
        taken(&parts(ty, &[7; 12], b""));
    }
}

/// The header alone tells: nothing is waited for, and no room is made.
#[test]
fn sizes_beyond_the_limits() {
    let limits = RepmgrLimits::DEFAULT;
    let most = |limit: usize| u32::try_from(limit).unwrap();
    let (message, own, handshake) = (most(limits.message), most(limits.own), most(limits.handshake));
    for (ty, name, what, largest, second) in [
        (APP_RESPONSE, "AppResponse", "message", message, 7),
        (APP_MESSAGE, "AppMessage", "message", message, 7),
        (OWN_MSG, "OwnMessage", "own", own, 5),
    ] {
        waits(ready, &header(ty, largest, second), 9 + largest as usize);
        for size in [largest + 1, u32::MAX - 15, u32::MAX] {
            let expected = limit(name, "length", what, largest.into(), size.into());
            assert_eq!(error(&header(ty, size, second)), expected);
        }
    }
    waits(ready, &header(REP_MESSAGE, message - 1, 1), 9 + message as usize);
    for (word1, word2) in [(message, 1), (1, message), (u32::MAX, u32::MAX), (1, u32::MAX)] {
        let got = u64::from(word1) + u64::from(word2);
        let expected = limit("Replication", "length", "message", message.into(), got);
        assert_eq!(error(&header(REP_MESSAGE, word1, word2)), expected);
    }
    for make in [|| dialler(ALL), || listener(ALL)] {
        waits(make, &header(HANDSHAKE, handshake - 1, 1), 9 + handshake as usize);
        for (word1, word2) in [(handshake, 1), (0, u32::MAX), (u32::MAX, u32::MAX)] {
            let got = u64::from(word1) + u64::from(word2);
            let (_, error) = messages(make, &header(HANDSHAKE, word1, word2));
            assert_eq!(error, Some(limit("Handshake", "length", "handshake", handshake.into(), got)));
        }
    }
}

/// With limits that allow it, 4 GiB are waited for, and what is held is what has come.
#[test]
fn four_gib_are_not_an_allocation() {
    let mut limits = LIMITS;
    (limits.message, limits.segments) = (usize::MAX, u32::MAX);
    for (ty, word2) in
        [(APP_RESPONSE, 0), (APP_MESSAGE, 1), (APP_MESSAGE, (u32::MAX - 31) / 8), (REP_MESSAGE, u32::MAX)]
    {
        let mut framer = Framer::new(MessageStream::established(Version::V4, &limits));
        framer.push(&header(ty, u32::MAX - 15, word2));
        for _ in 0..1000 {
            assert_eq!(framer.next_item(), Ok(None));
            framer.push(&[0xff; 1000]);
        }
        assert!(framer.buffered() == 9 + 1_000_000 && framer.buffer_mut().capacity() < 4_000_000);
    }
}

/// 0 is no error. It is told, so that it can be said who sent it, and it cannot be sent on.
#[test]
fn an_error_that_is_none() {
    let (said, error) = messages(ready, &header(RESP_ERROR, 0, 5));
    let expected = Message::Error(ResponseError { tag: 5, code: ErrorCode::NONE });
    assert_eq!((&said[..], error), (&[expected][..], None));
    assert!(said[0].to_vec().is_err());
    // Numbers that libdb does not know are carried.
    for code in [1, 12_345, 30_973, u32::MAX] {
        taken(&header(RESP_ERROR, code, 5));
    }
}

/// Behind something malformed nothing is read, however good it is.
#[test]
fn an_error_is_final() {
    let good = message(APP_RESPONSE, b"12", 3);
    let (said, error) = messages(ready, &[&good[..], &header(99, 0, 0), &good].concat());
    assert_eq!(said.len(), 1);
    assert_invalid(&error.unwrap(), "Header", "type", 99);
    // Another protocol on the port.
    for bytes in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"SSH-2.0-OpenSSH_9.2\r\n", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"]
    {
        let (said, error) = messages(|| dialler(ALL), bytes);
        assert_eq!(said, []);
        assert_invalid(&error.unwrap(), "Header", "type", bytes[0].into());
    }
}
