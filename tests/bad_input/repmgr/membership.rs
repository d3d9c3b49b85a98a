//! Messages about membership (spec/repmgr.md 4).

use super::{OWN_MSG, assert_invalid, error, message, short, taken};
use handover::error::DecodeError;
use handover::repmgr::message::Message;
use handover::repmgr::own::OwnMessage;

const JOIN_REQUEST: u32 = 4;
const LISTS: [u32; 2] = [5, 11];

/// u32 size of the host, host, u16 port, u32 number.
fn site(size: u32, host: &[u8]) -> Vec<u8> {
    [&size.to_be_bytes()[..], host, &[0x17, 0xd6, 0, 0, 0, 4]].concat()
}

fn refused(ty: u32, body: &[u8]) -> DecodeError {
    error(&message(OWN_MSG, body, ty))
}

#[test]
fn bodies_that_are_short_or_long() {
    for (ty, name, second) in [(1, "ConnectReject", "generation"), (6, "ParameterRefresh", "flags")] {
        assert_eq!(refused(ty, &[0; 7]), short(name, second, 4, 3));
        assert_invalid(&refused(ty, &[0; 9]), name, "length", 1);
        taken(&message(OWN_MSG, &[0xff; 8], ty));
    }
    for (ty, name) in [(2, "Failure"), (9, "RemoveSuccess")] {
        assert_invalid(&refused(ty, b"x"), name, "length", 1);
    }
    let good = site(2, b"x\0");
    for (ty, name, number) in
        [(3, "Forward", "generation"), (JOIN_REQUEST, "SiteRequest", "flags"), (8, "SiteRequest", "flags")]
    {
        taken(&message(OWN_MSG, &good, ty));
        assert_invalid(&refused(ty, &[&good[..], b"xy"].concat()), name, "length", 2);
        for (size, field, needed, left) in [
            (3, "host_size", 4, 3),
            (4, "host", 2, 0),
            (5, "host", 2, 1),
            (6, "port", 2, 0),
            (7, "port", 2, 1),
            (8, number, 4, 0),
            (11, number, 4, 3),
        ] {
            assert_eq!(refused(ty, &good[..size]), short(name, field, needed, left), "{size} bytes of {ty}");
        }
    }
}

#[test]
fn hosts_that_are_none() {
    for (size, host, got) in [(0, &b""[..], 0), (1, b"x", 1), (3, b"x\0y", 3), (2, b"\0x", 2)] {
        assert_invalid(&refused(JOIN_REQUEST, &site(size, host)), "SiteRequest", "host", got);
    }
    for host in [&b"x\0\0"[..], b"\0\0", b"a\0b\0"] {
        let error = refused(JOIN_REQUEST, &site(host.len() as u32, host));
        assert_invalid(&error, "SiteRequest", "host", host.len() as u64);
    }
    for size in [9, 0x7fff_ffff, u32::MAX] {
        assert_eq!(refused(JOIN_REQUEST, &site(size, b"x\0")), short("SiteRequest", "host", size.into(), 8));
    }
    // No name is a name.
    taken(&message(OWN_MSG, &site(1, b"\0"), JOIN_REQUEST));
    taken(&message(OWN_MSG, &site(3, b"\xff\xfe\0"), JOIN_REQUEST));
}

#[test]
fn lists_that_end_in_the_midst() {
    let two = [&[0; 8][..], &site(2, b"x\0"), &site(1, b"\0")].concat();
    for ty in LISTS {
        taken(&message(OWN_MSG, &two, ty));
        taken(&message(OWN_MSG, &two[..8], ty));
        for end in 1..two.len() {
            let (name, whole) = if end < 8 { ("Membership", 8) } else { ("Member", 20) };
            if end == 8 || end == whole {
                continue;
            }
            let error = refused(ty, &two[..end]);
            assert_eq!((error.kind.name(), error.message), ("short", name), "{end} bytes");
        }
    }
}

/// What is not known is carried, whatever is in it.
#[test]
fn kinds_that_are_not_known() {
    for ty in [0, 7, 10, 12, 0x100, u32::MAX] {
        let Message::Own(OwnMessage::Unknown { ty: read, body }) = taken(&message(OWN_MSG, b"anything", ty)) else {
            panic!("{ty} is not known");
        };
        assert_eq!((read.0, &body[..]), (ty, &b"anything"[..]));
    }
}
