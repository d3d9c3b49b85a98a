//! Messages of the group protocol that must not be sent: each case says precisely what is wrong, and that nothing is
//! stored for what was only announced. And what looks wrong and is taken all the same.

use crate::native::{
    Good, Kind, NO_TEXTS, check_cut_anywhere, check_extensions, check_other_protocols, check_unknown, frame, read,
    refused, short, shown_without_secret, sized8, sized16,
};
use bytes::Bytes;
use handover::error::DecodeErrorKind;
use handover::frame::{CloseReason, Native};
use handover::group::message::Message;
use handover::group::proposal::Wish;
use handover::group::{
    Announcement, AttributeError, Attributes, BatchControl, DissolveReason, ErrorCode, GroupName, LeaveReason,
    MergeControl, MessageKind, Phases, ProtocolKind, Subscription, Summary, Vote,
};
use handover::testing::group::layout;

impl Kind for MessageKind {
    type Message = Message;

    fn number(self) -> u8 {
        self.0
    }

    fn unknown(self, body: Bytes) -> Message {
        Message::Unknown { kind: self, body }
    }
}

const TOKEN: [u8; 8] = [0, 0, 0, 3, 0, 0, 0, 1];
const NUMBER: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 9];
const PROVIDER: [u8; 14] = [0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 5];

/// What may be missing, and is there.
fn some(value: &[u8]) -> Vec<u8> {
    [&[1], value].concat()
}

/// Attributes in parts: name, numbers from the batch control to the merge control, source group.
fn attributes(name: &[u8], numbers: [u8; 5], source: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 7], name, &numbers, &[0, 30, 0, 0], source].concat()
}

fn good_attributes() -> Vec<u8> {
    attributes(b"\x01g", [0, 2, 1, 1, 1], b"\0")
}

fn join(attributes: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 1, 0, 0], attributes].concat()
}

/// A proposal in parts: proposer, joiners, leavers, and the five that may be there.
fn proposal(proposer: &[u8], joining: &[u8], leaving: &[u8], rest: [&[u8]; 5]) -> Vec<u8> {
    [proposer, joining, leaving, &rest.concat()].concat()
}

fn no_proposal() -> Vec<u8> {
    proposal(b"\0", b"\0\0", b"\0\0", [b"\0"; 5])
}

fn phase(proposal: &[u8], vote: &[u8]) -> Vec<u8> {
    let open = [&NUMBER[..], &[6, 0, 0, 0, 1, 0, 30, 1, 0, 0], proposal, vote].concat();
    [&TOKEN[..], &NUMBER, &NUMBER, &open].concat()
}

fn outcome() -> Vec<u8> {
    [&NUMBER[..], &NUMBER, &[1, 0, 0, 0, 1, 0, 0], &NUMBER, &NUMBER, &no_proposal()].concat()
}

fn snapshot(state: &[u8], members: &[u8]) -> Vec<u8> {
    [&NUMBER[..], &NUMBER, &NUMBER, &good_attributes(), state, members, &NUMBER].concat()
}

fn propose(view: &[u8], wish: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 1], &TOKEN[..], &[2, 0, 0], view, wish].concat()
}

fn vote(default_vote: &[u8], state: &[u8], message: &[u8]) -> Vec<u8> {
    [&TOKEN[..], &NUMBER, &[0, 0, 0, 1], &[1], default_vote, state, message].concat()
}

/// A good body of every kind, as full as it may be.
fn good() -> Vec<Good<MessageKind>> {
    let signal = TOKEN.to_vec();
    let leave = [&PROVIDER[..], &[1, 0, 0, 0, 2]].concat();
    let expulsion = [&[0, 1][..], &PROVIDER, &[0, 0, 0, 1], &[0, 0, 0, 3], b"now"].concat();
    let full = proposal(
        &some(&PROVIDER),
        &[&[0, 1][..], &PROVIDER].concat(),
        &[&[0, 1][..], &leave].concat(),
        [
            &some(&expulsion),
            &some(&sized16(b"new")),
            &some(&sized16(b"")),
            &some(&sized16(b"hello")),
            &some(&good_attributes()),
        ],
    );
    let ballot = [&[2][..], &some(&[3]), &some(&sized16(b"x")), &some(&sized16(b"y"))].concat();
    let whole = snapshot(&sized16(b"state"), &[&[0, 2][..], &PROVIDER, &PROVIDER].concat());
    let open = phase(&full, &some(&ballot))[24..].to_vec();
    let past = [&[1][..], &outcome()].concat();
    let ended = [&TOKEN[..], &NUMBER, &outcome(), &some(&whole)].concat();
    let pasts = [&[0, 1][..], &past].concat();
    vec![
        (MessageKind::ENTER, "Enter", [&[0; 32][..], &[0, 0, 0, 3], b"key"].concat()),
        (MessageKind::JOIN, "Join", join(&attributes(b"\x01g", [7, 2, 2, 3, 1], &some(&sized8(b"source"))))),
        (MessageKind::SUBSCRIBE, "Subscribe", [&[0; 4][..], &sized8(b"group"), &[15]].concat()),
        (MessageKind::UNSUBSCRIBE, "Unsubscribe", signal.clone()),
        (MessageKind::PROPOSE, "Propose", propose(&some(&NUMBER), &[&[2][..], &expulsion].concat())),
        (MessageKind::VOTE, "Vote", vote(&some(&[1]), &some(&sized16(b"s")), &some(&sized16(b"m")))),
        (MessageKind::DEACTIVATED, "Deactivated", [&TOKEN[..], &NUMBER, &[1]].concat()),
        (MessageKind::GOODBYE, "Goodbye", signal.clone()),
        (MessageKind::QUIT, "Quit", Vec::new()),
        (MessageKind::PONG, "Pong", NUMBER.to_vec()),
        (MessageKind::ACKNOWLEDGE, "Acknowledge", [&TOKEN[..], &NUMBER].concat()),
        (MessageKind::RESYNCHRONISE, "Resynchronise", signal),
        (
            MessageKind::REPORT,
            "Report",
            [&[0; 4][..], &[1], &TOKEN, &some(&PROVIDER), &[0], &whole, &pasts, &some(&open)].concat(),
        ),
        (MessageKind::WELCOME, "Welcome", [NUMBER, NUMBER].concat()),
        (MessageKind::ACCEPTED, "Accepted", [&[0; 4][..], &TOKEN, &NUMBER].concat()),
        (
            MessageKind::DELAYED_ERROR,
            "DelayedError",
            [&[0; 4][..], &some(&TOKEN), &[2, 0, 11], &sized8(b"other attributes")].concat(),
        ),
        (MessageKind::PHASE, "Phase", phase(&full, &some(&ballot))),
        (MessageKind::APPROVED, "Approved", ended.clone()),
        (MessageKind::REJECTED, "Rejected", ended),
        (MessageKind::ANNOUNCEMENT, "Announcement", [&TOKEN[..], &NUMBER, &NUMBER, &[0, 1, 0, 1], &PROVIDER].concat()),
        (
            MessageKind::NOTICE,
            "Notice",
            [
                &TOKEN[..],
                &[NUMBER; 3].concat(),
                &some(&sized16(b"state")),
                &some(&[&[0, 1][..], &PROVIDER].concat()),
                &[0, 1],
                &PROVIDER,
                &[0, 1],
                &leave,
            ]
            .concat(),
        ),
        (MessageKind::PING, "Ping", NUMBER.to_vec()),
        (MessageKind::DISSOLVED, "Dissolved", [&some(&TOKEN)[..], &[1]].concat()),
        (MessageKind::REDIRECT, "Redirect", [&NUMBER[..], &sized8(b"10.0.0.2:4000")].concat()),
        (MessageKind::VIEW, "View", [&TOKEN[..], &whole, &some(&open)].concat()),
        (MessageKind::REPLICATE, "Replicate", [&NUMBER[..], &NUMBER, &past, &whole].concat()),
        (MessageKind::REPLICATED, "Replicated", [NUMBER; 3].concat()),
        (MessageKind::QUERY, "Query", NUMBER.to_vec()),
        (MessageKind::GRANT, "Grant", [&NUMBER[..], &[0; 4], &[1], &whole, &pasts].concat()),
        (MessageKind::REIGN, "Reign", [&NUMBER[..], &NUMBER, &sized8(b"10.0.0.2:4000")].concat()),
        (MessageKind::FENCED, "Fenced", NUMBER.to_vec()),
        (MessageKind::PROCLAIM, "Proclaim", [&NUMBER[..], &NUMBER, &[0; 8]].concat()),
    ]
}

/// Every message, at every place: short, or what it counts is.
#[test]
fn messages_that_are_cut_anywhere() {
    assert_eq!(good().len(), layout::KINDS.len());
    check_cut_anywhere(&good(), |error| {
        matches!(error.kind, DecodeErrorKind::Invalid { reason: "more than there is room for", .. })
    });
    short(MessageKind::GOODBYE, &TOKEN[..7], "Goodbye", "generation", 4, 3);
    short(MessageKind::ENTER, &[&[0; 32][..], &[0xff; 4]].concat(), "Enter", "credentials", u64::from(u32::MAX), 0);
}

#[test]
fn names_of_0_1_32_and_33_bytes() {
    let reason = "a name of 1 to 32 bytes is expected";
    for (size, good) in [(0, false), (1, true), (32, true), (33, false), (255, false)] {
        let name = sized8(&vec![b'n'; size]);
        let bodies = [
            (MessageKind::JOIN, "Join", "name", join(&attributes(&name, [0, 1, 1, 1, 1], b"\0"))),
            (MessageKind::JOIN, "Join", "source_group", join(&attributes(b"\x01g", [0, 1, 1, 1, 1], &some(&name)))),
            (MessageKind::SUBSCRIBE, "Subscribe", "group", [&[0; 4][..], &name, &[0]].concat()),
            (
                MessageKind::PROPOSE,
                "Propose",
                "name",
                propose(b"\0", &[&[5][..], &attributes(&name, [0; 5], b"\0")].concat()),
            ),
        ];
        for (kind, message, field, body) in bodies {
            if good {
                assert!(read(kind, &body).is_ok(), "{size}");
            } else {
                refused(kind, &body, message, field, reason, size as u64);
            }
        }
        assert_eq!(GroupName::new(vec![b'n'; size]).is_some(), good);
    }
    // Any bytes are a name, also those that no terminal should see; it is shown escaped.
    let body = join(&attributes(b"\x03\0\n\xff", [0, 1, 1, 1, 1], b"\0"));
    let Message::Join(join) = read(MessageKind::JOIN, &body).unwrap() else { panic!() };
    assert_eq!(join.attributes.name.as_bytes(), b"\0\n\xff");
    assert_eq!(format!("{:?}", join.attributes.name), r#""\x00\n\xff""#);
    short(MessageKind::SUBSCRIBE, &[0, 0, 0, 0, 32, b'x'], "Subscribe", "group", 32, 1);
}

#[test]
fn state_values_of_0_256_and_257_bytes() {
    let reason = "at most 256 bytes are expected";
    for (size, good) in [(0, true), (256, true), (257, false), (65_535, false)] {
        let state = sized16(&vec![7; size]);
        let phase_with = |rest: [&[u8]; 5]| phase(&proposal(b"\0", b"\0\0", b"\0\0", rest), b"\0");
        let bodies = [
            (MessageKind::PROPOSE, "Propose", "state", propose(b"\0", &[&[3][..], &state].concat())),
            (MessageKind::VOTE, "Vote", "state", vote(b"\0", &some(&state), b"\0")),
            (MessageKind::PHASE, "Phase", "state", phase_with([b"\0", &some(&state), b"\0", b"\0", b"\0"])),
            (MessageKind::PHASE, "Phase", "source_state", phase_with([b"\0", b"\0", &some(&state), b"\0", b"\0"])),
            (MessageKind::VIEW, "View", "state", [&TOKEN[..], &snapshot(&state, b"\0\0"), b"\0"].concat()),
        ];
        for (kind, message, field, body) in bodies {
            if good {
                assert!(read(kind, &body).is_ok(), "{size}");
            } else {
                refused(kind, &body, message, field, reason, size as u64);
            }
        }
    }
    short(MessageKind::PROPOSE, &propose(b"\0", &[3, 1, 0, 9]), "Propose", "state", 256, 1);
}

#[test]
fn messages_of_0_1_2048_and_2049_bytes() {
    let reason = "1 to 2048 bytes are expected";
    for (size, good) in [(0, false), (1, true), (2048, true), (2049, false), (65_535, false)] {
        let message = sized16(&vec![7; size]);
        let phase_with =
            phase(&proposal(b"\0", b"\0\0", b"\0\0", [b"\0", b"\0", b"\0", &some(&message), b"\0"]), b"\0");
        let bodies = [
            (MessageKind::PROPOSE, "Propose", propose(b"\0", &[&[4][..], &message].concat())),
            (MessageKind::VOTE, "Vote", vote(b"\0", b"\0", &some(&message))),
            (MessageKind::PHASE, "Phase", phase_with),
        ];
        for (kind, name, body) in bodies {
            if good {
                assert!(read(kind, &body).is_ok(), "{size}");
            } else {
                refused(kind, &body, name, "message", reason, size as u64);
            }
        }
    }
}

/// What may grow keeps its number, also if it is not known.
#[test]
fn numbers_that_are_not_known_are_kept() {
    let body = join(&attributes(b"\x01g", [0xff, 9, 0, 2, 77], b"\0"));
    let Message::Join(read_join) = read(MessageKind::JOIN, &body).unwrap() else { panic!() };
    let Attributes { batch_control, phases, reflection_phases, default_vote, merge_control, .. } = read_join.attributes;
    assert_eq!((batch_control.bits(), phases, reflection_phases), (0xff, Phases(9), Phases(0)));
    assert_eq!((default_vote, merge_control), (Vote::CONTINUE, MergeControl(77)));
    assert_eq!(format!("{phases:?} {default_vote:?} {merge_control:?}"), "Phases(9) CONTINUE MergeControl(77)");

    let mut body = vote(&some(&[0]), b"\0", b"\0");
    body[20] = 0xfe;
    let Message::Vote(vote) = read(MessageKind::VOTE, &body).unwrap() else { panic!() };
    assert_eq!((vote.ballot.vote, vote.ballot.default_vote), (Vote(0xfe), Some(Vote(0))));

    let body = [&[0; 4][..], &[0, 0x70, 0x9c, 0x40, 0]].concat();
    let Message::DelayedError(error) = read(MessageKind::DELAYED_ERROR, &body).unwrap() else { panic!() };
    assert_eq!((error.kind, error.code), (MessageKind(0x70), ErrorCode(40_000)));

    let mut body = phase(&no_proposal(), b"\0");
    body[32] = 200;
    body[40..42].copy_from_slice(&[0xff, 0x80]);
    let Message::Phase(phase) = read(MessageKind::PHASE, &body).unwrap() else { panic!() };
    assert_eq!((phase.open.kind, phase.open.summary), (ProtocolKind(200), Summary::from_bits_retain(0xff80)));

    let leave = [&PROVIDER[..], &[0, 0, 0, 0, 2]].concat();
    let body = [&TOKEN[..], &[NUMBER; 3].concat(), &[0, 0, 0, 0, 0, 1], &leave].concat();
    let Message::Notice(notice) = read(MessageKind::NOTICE, &body).unwrap() else { panic!() };
    assert_eq!((notice.left[0].reason, notice.left[0].code), (LeaveReason(0), 2));

    let Message::Dissolved(dissolved) = read(MessageKind::DISSOLVED, &[0, 99]).unwrap() else { panic!() };
    assert_eq!((dissolved.token, dissolved.reason), (None, DissolveReason(99)));
    let body = [&TOKEN[..], &NUMBER, &NUMBER, &[0x80, 1, 0, 0]].concat();
    let Message::Announcement(said) = read(MessageKind::ANNOUNCEMENT, &body).unwrap() else { panic!() };
    assert_eq!(said.flags, Announcement::from_bits_retain(0x8001));
    let Message::Subscribe(subscribe) = read(MessageKind::SUBSCRIBE, &[0, 0, 0, 0, 1, b'g', 0xf0]).unwrap() else {
        panic!()
    };
    assert_eq!(subscribe.subscription, Subscription::from_bits_retain(0xf0));
}

/// They are read, so that who takes them can say what is wrong with them.
#[test]
fn attributes_that_make_no_sense() {
    let cases = [
        ([0, 0, 1, 1, 1], AttributeError::Phases),
        ([0, 3, 1, 1, 1], AttributeError::Phases),
        ([0, 1, 255, 1, 1], AttributeError::Phases),
        ([0, 1, 1, 2, 1], AttributeError::DefaultVote),
        ([0, 1, 1, 0, 1], AttributeError::DefaultVote),
        ([0, 1, 1, 1, 0], AttributeError::MergeControl),
        ([0, 1, 1, 1, 2], AttributeError::MergeControl),
        ([8, 1, 1, 1, 1], AttributeError::BatchControl),
    ];
    for (numbers, expected) in cases {
        let body = join(&attributes(b"\x01g", numbers, b"\0"));
        let Message::Join(join) = read(MessageKind::JOIN, &body).unwrap() else { panic!() };
        assert_eq!(join.attributes.check(), Err(expected), "{numbers:?}");
        let all = BatchControl::JOINS | BatchControl::LEAVES | BatchControl::DEACTIVATE_ON_FAILURE;
        assert!(all.bits() == 7 && !join.attributes.matches(&Attributes::new(GroupName::new("other").unwrap())));
    }
    let body = join(&attributes(b"\x01g", [7, 2, 2, 3, 1], b"\x01\x01g"));
    let Message::Join(join) = read(MessageKind::JOIN, &body).unwrap() else { panic!() };
    assert_eq!(join.attributes.check(), Err(AttributeError::SourceGroup));
}

/// What a wish is says what follows: one that is not known cannot be skipped.
#[test]
fn wishes_that_are_not_known() {
    for number in [0, 6, 255] {
        let body = propose(b"\0", &[number, 0, 0, 0, 0, 0]);
        let reason = "a proposal that must be understood";
        refused(MessageKind::PROPOSE, &body, "Propose", "wish", reason, number.into());
        let error = read(MessageKind::PROPOSE, &body).unwrap_err();
        assert_eq!((error.kind.name(), CloseReason::for_error(&error)), ("unsupported", CloseReason::UNKNOWN));
    }
    short(MessageKind::PROPOSE, &propose(b"\0", b""), "Propose", "wish", 1, 0);
    short(MessageKind::PROPOSE, &propose(b"\0", &[1, 0, 0, 0]), "Propose", "code", 4, 3);
    let Message::Propose(leave) = read(MessageKind::PROPOSE, &propose(b"\0", &[1, 0, 0, 0, 9])).unwrap() else {
        panic!()
    };
    assert_eq!(leave.wish, Wish::Leave(9));
}

/// No number that is announced is room that is made.
#[test]
fn lists_of_more_than_there_is() {
    let room = "more than there is room for";
    let expel = |list: &[u8]| propose(b"\0", &[&[2][..], list].concat());
    let of_announcement = |list: &[u8]| [&TOKEN[..], &NUMBER, &NUMBER, &[0, 0], list].concat();
    for (count, left) in [(65_535_u16, 0), (65_535, 1000), (65_535, 262_000), (1, 13), (3, 41)] {
        let list = [&count.to_be_bytes()[..], &vec![0; left]].concat();
        let count = count.into();
        refused(MessageKind::PROPOSE, &expel(&list), "Propose", "targets", room, count);
        refused(MessageKind::ANNOUNCEMENT, &of_announcement(&list), "Announcement", "providers", room, count);
        let joins = phase(&proposal(b"\0", &list, b"", [b""; 5]), b"");
        refused(MessageKind::PHASE, &joins, "Phase", "joining", room, count);
        let view = [&TOKEN[..], &snapshot(b"\0\0", b"")[..], b""].concat();
        // In front of the member list and `last`.
        let view = [&view[..view.len() - 8], &list].concat();
        refused(MessageKind::VIEW, &view, "View", "members", room, count);
    }
    for (count, left) in [(65_535_u16, 50_000), (1, 18), (2, 37)] {
        let list = [&count.to_be_bytes()[..], &vec![0; left]].concat();
        let leaves = phase(&proposal(b"\0", b"\0\0", &list, [b""; 5]), b"");
        refused(MessageKind::PHASE, &leaves, "Phase", "leaving", room, count.into());
    }
    for (count, left) in [(65_535_u16, 262_000), (1, 49), (2, 99)] {
        let list = [&count.to_be_bytes()[..], &vec![0; left]].concat();
        let grant = [&NUMBER[..], &[0; 4], &[1], &snapshot(b"\0\0", b"\0\0"), &list].concat();
        refused(MessageKind::GRANT, &grant, "Grant", "recent", room, count.into());
    }
    // What there is room for is read; each that follows may lie again.
    let list = [&[0, 2][..], &[0; 28]].concat();
    assert!(read(MessageKind::ANNOUNCEMENT, &of_announcement(&list)).is_ok());
    let flag = [&[0, 0][..], &[0; 4], &[0xff; 4], b"now"].concat();
    short(MessageKind::PROPOSE, &expel(&flag), "Propose", "flag", u64::from(u32::MAX), 3);
}

#[test]
fn booleans_other_than_0_and_1() {
    let expected = "0 or 1 is expected";
    for byte in [2, 0x7f, 0x80, 0xff] {
        let neither = [byte];
        let cases: [(MessageKind, &str, &str, Vec<u8>); 15] = [
            (MessageKind::DEACTIVATED, "Deactivated", "successful", [&TOKEN[..], &NUMBER, &neither].concat()),
            (MessageKind::DISSOLVED, "Dissolved", "token", neither.to_vec()),
            (MessageKind::DELAYED_ERROR, "DelayedError", "token", [&[0; 4][..], &neither].concat()),
            (MessageKind::PROPOSE, "Propose", "view", propose(&neither, b"")),
            (MessageKind::VOTE, "Vote", "default_vote", vote(&neither, b"", b"")),
            (MessageKind::VOTE, "Vote", "state", vote(b"\0", &neither, b"")),
            (MessageKind::VOTE, "Vote", "message", vote(b"\0", b"\0", &neither)),
            (MessageKind::JOIN, "Join", "source_group", join(&attributes(b"\x01g", [0; 5], &neither))),
            (MessageKind::PHASE, "Phase", "proposer", phase(&neither, b"")),
            (
                MessageKind::PHASE,
                "Phase",
                "expulsion",
                phase(&proposal(b"\0", b"\0\0", b"\0\0", [&neither, b"", b"", b"", b""]), b""),
            ),
            (
                MessageKind::PHASE,
                "Phase",
                "attributes",
                phase(&proposal(b"\0", b"\0\0", b"\0\0", [b"\0", b"\0", b"\0", b"\0", &neither]), b""),
            ),
            (MessageKind::PHASE, "Phase", "vote", phase(&no_proposal(), &neither)),
            (MessageKind::APPROVED, "Approved", "snapshot", [&TOKEN[..], &NUMBER, &outcome(), &neither].concat()),
            (MessageKind::REPLICATE, "Replicate", "approved", [&NUMBER[..], &NUMBER, &neither].concat()),
            (MessageKind::GRANT, "Grant", "record", [&NUMBER[..], &[0; 4], &neither].concat()),
        ];
        for (kind, message, field, body) in cases {
            refused(kind, &body, message, field, expected, byte.into());
        }
    }
}

#[test]
fn texts_that_are_none() {
    for (text, reason, got) in NO_TEXTS {
        let body = [&[0; 4][..], &[0, 2, 0, 11], &sized8(text)].concat();
        refused(MessageKind::DELAYED_ERROR, &body, "DelayedError", "text", reason, got);
        let body = [&NUMBER[..], &sized8(text)].concat();
        refused(MessageKind::REDIRECT, &body, "Redirect", "address", reason, got);
        let body = [&NUMBER[..], &body].concat();
        refused(MessageKind::REIGN, &body, "Reign", "address", reason, got);
    }
}

#[test]
fn extensions_that_must_be_understood_and_are_not() {
    check_extensions(&good(), |message| match message {
        Message::Goodbye(signal) => Some(&signal.extensions),
        _ => None,
    });
}

/// What is not known and need not be is kept, and written as it came; what must be known ends the link.
#[test]
fn kinds_that_are_not_known() {
    check_unknown(&[0, 0x0e, 0x3f, 0x40, 0x80, 0x8d, 0xbf, 0xc7, 0xcf, 0xff].map(MessageKind));
    // Known ones may be called critical, and may have flags of tomorrow.
    assert!(Message::from_frame(&frame(MessageKind::GOODBYE, 0xff, &TOKEN)).is_ok());
}

/// Who sends what is in its number: a process below 0x40, a coordinator from 0x80 on, coordinators to each other between
/// 0xc0 and 0xcf. A frame of another protocol is none of these.
#[test]
fn frames_of_the_wrong_role_and_of_another_protocol() {
    let process = ["ENTER", "JOIN", "SUBSCRIBE", "UNSUBSCRIBE", "PROPOSE", "VOTE", "DEACTIVATED", "GOODBYE", "QUIT"];
    let process = [&process[..], &["PONG", "ACKNOWLEDGE", "RESYNCHRONISE", "REPORT"]].concat();
    let standby = ["REPLICATE", "REPLICATED", "QUERY", "GRANT", "REIGN", "FENCED", "PROCLAIM"];
    for (kind, _, body) in good() {
        let name = kind.name().unwrap();
        assert_eq!(process.contains(&name), kind.0 < 0x40, "{name}");
        assert_eq!(standby.contains(&name), (0xc0..=0xcf).contains(&kind.0), "{name}");
        check_other_protocols(kind, &body);
    }
}

/// G-S13: there is no field for a provider's local name. What stands where one could be is an extension, or malformed.
#[test]
fn a_local_name_is_nowhere_on_the_wire() {
    for (number, record) in layout::KINDS {
        let fields = record.fields.iter().map(|(field, _)| *field);
        assert!(fields.into_iter().all(|field| !field.contains("local")), "{number:#04x}");
    }
    let named = [&join(&good_attributes())[..], &sized8(b"local name")].concat();
    short(MessageKind::JOIN, &named, "Join", "extension_value", u64::from(u16::from_be_bytes(*b"oc")), 7);
    let Message::Join(read_join) = read(MessageKind::JOIN, &join(&good_attributes())).unwrap() else { panic!() };
    let fields = serde_json::to_value(&*read_join).unwrap();
    let names: Vec<&String> = fields.as_object().unwrap().keys().collect();
    assert_eq!(names, ["attributes", "extensions", "instance", "request"]);
}

/// What is not shown: credentials, and what is the application's.
#[test]
fn secrets_are_not_shown() {
    let expulsion = [&[0, 0][..], &[0, 0, 0, 1], &[0, 0, 0, 6], b"secret"].concat();
    let full = proposal(
        b"\0",
        b"\0\0",
        b"\0\0",
        [&some(&expulsion), &some(&sized16(b"secret")), &some(&sized16(b"secret")), &some(&sized16(b"secret")), b"\0"],
    );
    let messages = [
        read(MessageKind::ENTER, &[&[0; 32][..], &[0, 0, 0, 6], b"secret"].concat()),
        read(MessageKind::PROPOSE, &propose(b"\0", &[&[2][..], &expulsion].concat())),
        read(MessageKind::PROPOSE, &propose(b"\0", &[&[3][..], &sized16(b"secret")].concat())),
        read(MessageKind::PROPOSE, &propose(b"\0", &[&[4][..], &sized16(b"secret")].concat())),
        read(MessageKind::VOTE, &vote(b"\0", &some(&sized16(b"secret")), &some(&sized16(b"secret")))),
        read(MessageKind::PHASE, &phase(&full, b"\0")),
        read(MessageKind::VIEW, &[&TOKEN[..], &snapshot(&sized16(b"secret"), b"\0\0"), b"\0"].concat()),
        read(MessageKind(0x70), b"secret"),
    ];
    for message in messages {
        let message = message.unwrap();
        let shown = shown_without_secret(&message);
        if let Message::Enter(enter) = message {
            assert!(enter.credentials == "secret" && shown.contains("incarnation"), "{shown}");
        }
    }
}
