//! Handshakes (spec/repmgr.md 2).

use super::{
    HANDSHAKE, assert_invalid, assert_unsupported, confirmation, dialler, listener, messages, parameters, parts,
    proposal, short,
};
use handover::error::DecodeError;
use handover::repmgr::handshake::{Handshake, VersionRange};
use handover::repmgr::message::Message;
use handover::repmgr::stream::MessageStream;
use handover::wire::{Encode, Framer};

const ALL: VersionRange = VersionRange::ALL;
const CHANNELS: VersionRange = VersionRange::CHANNELS;

fn one(make: impl Fn() -> MessageStream, bytes: &[u8]) -> Result<Message, DecodeError> {
    match messages(make, bytes) {
        (_, Some(error)) => Err(error),
        (mut said, None) => Ok(said.pop().expect("waited for")),
    }
}

fn first(control: &[u8], record: &[u8]) -> Result<Message, DecodeError> {
    one(|| dialler(ALL), &parts(HANDSHAKE, control, record))
}

fn answer(control: &[u8], record: &[u8]) -> Result<Message, DecodeError> {
    one(|| listener(ALL), &parts(HANDSHAKE, control, record))
}

/// A dialler's second, behind a proposal out of which `max` is selected.
fn second(max: u8, control: &[u8], record: &[u8]) -> Result<Message, DecodeError> {
    let proposal = parts(HANDSHAKE, b"", &[b"x\0\0\0\0\x01\0\0\0", &[max, 0][..]].concat());
    one(|| dialler(ALL), &[proposal, parts(HANDSHAKE, control, record)].concat())
}

/// What is taken is written back.
#[track_caller]
fn taken(result: Result<Message, DecodeError>, control: &[u8], record: &[u8]) -> Handshake {
    let message = result.unwrap();
    assert_eq!(message.to_vec(), Ok(parts(HANDSHAKE, control, record)));
    let Message::Handshake(step) = message else { panic!("{message:?}") };
    step
}

#[test]
fn proposals_that_are_short_or_long() {
    for (record, expected) in [
        (&b"x\0\0"[..], short("Proposal", "min", 4, 1)),
        (b"x\0\0\0\0\x01", short("Proposal", "max", 4, 0)),
        (b"x\0\0\0\0\x01\0\0\0", short("Proposal", "max", 4, 3)),
        // The byte that means nothing must be there all the same.
        (b"x\0\0\0\0\x01\0\0\0\x04", short("Proposal", "trailing", 1, 0)),
        (b"\0\0\0\0\x01\0\0\0\x04", short("Proposal", "trailing", 1, 0)),
    ] {
        assert_eq!(first(b"", record), Err(expected), "{record:?}");
    }
    assert_invalid(&first(b"", b"x\0\0\0\0\x01\0\0\0\x04\0\0\0").unwrap_err(), "Proposal", "record", 2);
}

#[test]
fn hosts_without_an_end() {
    for record in [&b"x"[..], b"127.0.0.1", &[0xff; 300]] {
        let size = record.len() as u64;
        assert_invalid(&first(b"", record).unwrap_err(), "Proposal", "host", size);
        assert_invalid(&answer(&[0; 12], record).unwrap_err(), "Confirmation", "host", size);
        assert_invalid(&second(4, &[0; 12], record).unwrap_err(), "Parameters", "host", size);
    }
}

/// Nobody who knows versions reads the control part of a proposal, and its last byte is whatever lay in memory.
#[test]
fn what_nobody_reads_may_be_anything() {
    let long = [0xa5; 300];
    for control in [&b""[..], b"\xff", b"abc", &[0; 12], &[0xff; 13], &long] {
        for trailing in [0, 0x4a, 0xdb, 0xff] {
            let record = [&b"x\0\0\0\0\x01\0\0\0\x04"[..], &[trailing]].concat();
            let Handshake::Proposal(proposal) = taken(first(control, &record), control, &record) else {
                panic!("a proposal");
            };
            assert_eq!((&proposal.legacy[..], proposal.trailing, proposal.versions), (control, trailing, ALL));
        }
    }
    // Nor any host: none, one that is no name, one that is long.
    for host in [&b""[..], b"\xff\xfe", &[b'h'; 4000]] {
        let record = [host, b"\0\0\0\0\x01\0\0\0\x04\0"].concat();
        taken(first(b"", &record), b"", &record);
    }
}

/// The proposal comes out, so that the connection can be closed for what it is; behind it nothing does.
#[test]
fn versions_that_nobody_speaks() {
    let settled = |own, min: u32, max: u32| {
        let record = [&b"x\0"[..], &min.to_be_bytes(), &max.to_be_bytes(), b"\0"].concat();
        settles(dialler(own), &parts(HANDSHAKE, b"", &record))
    };
    for (min, max) in [(1, 4), (4, 4), (2, 9), (1, 3), (1, 2), (0, u32::MAX)] {
        assert!(settled(ALL, min, max), "{min}..{max}");
    }
    for (min, max) in [(1, 1), (5, 9), (0, 0), (u32::MAX, u32::MAX)] {
        assert!(!settled(ALL, min, max), "{min}..{max}");
    }
    for (min, max) in [(1, 3), (5, 9), (0, 0), (3, 2)] {
        assert!(!settled(CHANNELS, min, max), "{min}..{max}");
    }
}

/// Whether a handshake settles a version; if not, whatever comes behind it is refused.
fn settles(stream: MessageStream, handshake: &[u8]) -> bool {
    let mut framer = Framer::new(stream);
    framer.push(handshake);
    assert!(matches!(framer.next_item(), Ok(Some(Message::Handshake(_)))));
    let settled = framer.decoder().version().is_some();
    if !settled {
        for message in [parts(HANDSHAKE, &[0; 12], b"x\0"), [&[6][..], &[0; 8]].concat(), [&[4][..], &[0; 8]].concat()]
        {
            let mut framer = framer.clone();
            framer.push(&message);
            assert_invalid(&framer.next_item().unwrap_err(), "Header", "type", message[0].into());
        }
    }
    settled
}

#[test]
fn confirmations_of_something_else() {
    let control = [0; 12];
    let confirmed = |version: u32| [&b"x\0"[..], &version.to_be_bytes(), b"\0"].concat();
    for version in [0, 1, 5, u32::MAX] {
        let error = answer(&control, &confirmed(version)).unwrap_err();
        assert_unsupported(&error, "Confirmation", "version", version.into());
    }
    for version in [2_u32, 3] {
        assert!(answer(&control, &confirmed(version)).is_ok());
        assert!(!settles(listener(CHANNELS), &parts(HANDSHAKE, &control, &confirmed(version))));
    }
    for (record, expected) in [
        (&b"x\0\0"[..], short("Confirmation", "version", 4, 1)),
        (b"x\0\0\0\0\x04", short("Confirmation", "trailing", 1, 0)),
    ] {
        assert_eq!(answer(&control, record), Err(expected));
    }
    assert_invalid(&answer(&control, b"x\0\0\0\0\x04\0\0").unwrap_err(), "Confirmation", "record", 1);
    taken(answer(&control, b"x\0\0\0\0\x04\xee"), &control, b"x\0\0\0\0\x04\xee");
}

#[test]
fn control_parts_that_are_short_or_long() {
    for (version, field, needed, left, size) in
        [(4, "flags", 4, 3, 11), (3, "flags", 4, 3, 9), (2, "priority", 4, 3, 5), (4, "port", 2, 1, 1)]
    {
        let expected = short("Parameters", field, needed, left);
        assert_eq!(second(version, &vec![0; size], b"x\0"), Err(expected), "version {version}");
        let record = [b'x', 0, 0, 0, 0, version, 0];
        let expected = short("Confirmation", field, needed, left);
        assert_eq!(answer(&vec![0; size], &record), Err(expected), "version {version}");
    }
    // What is behind the layout is kept.
    for (version, size) in [(4, 12), (3, 10), (2, 6)] {
        for extra in [0, 1, 500] {
            let control = [&vec![0; size][..], &vec![0xee; extra]].concat();
            let Handshake::Parameters(parameters) = taken(second(version, &control, b"x\0"), &control, b"x\0") else {
                panic!("parameters");
            };
            assert_eq!((parameters.site.extra.len(), parameters.site.control.version().0), (extra, version.into()));
            let record = [b'x', 0, 0, 0, 0, version, 0];
            taken(answer(&control, &record), &control, &record);
        }
    }
}

#[test]
fn parameters_with_more_than_a_host() {
    assert_invalid(&second(4, &[0; 12], b"x\0\0").unwrap_err(), "Parameters", "record", 1);
    assert_invalid(&second(4, &[0; 12], b"\0x").unwrap_err(), "Parameters", "record", 1);
    taken(second(4, &[0xff; 12], b"\0"), &[0xff; 12], b"\0");
}

#[test]
fn version_1_without_its_version() {
    let control = |version: u32| [&version.to_le_bytes()[..], &[0; 8]].concat();
    for (make, name) in [(dialler as fn(_) -> _, "dialler"), (listener, "listener")] {
        let legacy = |own, control: &[u8]| one(|| make(own), &parts(HANDSHAKE, control, b"x\0"));
        for (bytes, expected) in [
            (&b""[..], short("LegacyHandshake", "version", 4, 0)),
            (&[1, 0, 0, 0, 0], short("LegacyHandshake", "port", 2, 1)),
            (&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], short("LegacyHandshake", "priority", 4, 3)),
        ] {
            assert_eq!(legacy(ALL, bytes), Err(expected), "{name}");
        }
        let error = legacy(ALL, &[&control(1)[..], b"\0"].concat()).unwrap_err();
        assert_invalid(&error, "LegacyHandshake", "control", 1);
        for version in [0_u32, 2, 4, 0x0100] {
            let error = legacy(ALL, &control(version)).unwrap_err();
            assert_invalid(&error, "LegacyHandshake", "version", version.swap_bytes().into());
        }
        // It is understood, and settles nothing where it is not spoken.
        assert!(legacy(ALL, &control(1)).is_ok());
        assert!(!settles(make(CHANNELS), &parts(HANDSHAKE, &control(1), b"x\0")), "{name}");
    }
}

/// A dialler may say everything at once, before it is answered.
#[test]
fn everything_at_once() {
    let request = b"\x05\0\0\0\x12\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\x02\xee\xee";
    let bytes = [&proposal()[..], &parameters(), &request[..9]].concat();
    let (said, error) = messages(|| dialler(CHANNELS), &bytes);
    assert_eq!((said.len(), error), (2, None));
    let mut framer = Framer::new(listener(CHANNELS));
    assert_eq!((framer.decoder().version(), framer.decoder().is_established()), (None, false));
    framer.push(&confirmation());
    assert!(framer.next_item().unwrap().is_some());
    assert_eq!(framer.decoder().version().map(|version| version.0), Some(4));
}
