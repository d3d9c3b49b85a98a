//! tshark as the judge of what our TDS 5.0 encoder writes: it finds nothing malformed, and shows in each field what
//! our decoder reads there. It was tshark 4.0.17; where its dissector is known to err, `expected` says so.
//!
//! If tshark is missing the tests are skipped with a line on standard error; with `HANDOVER_REQUIRE_PEERS=1` they
//! fail.

#[path = "interop_tshark/capture.rs"]
mod capture;
#[path = "interop_tshark/compare.rs"]
mod compare;
#[path = "interop_tshark/expected.rs"]
mod expected;
#[path = "interop_tshark/pdml.rs"]
mod pdml;
#[path = "interop_tshark/script.rs"]
mod script;
mod support;
#[path = "interop_tshark/talk.rs"]
mod talk;
#[path = "interop_tshark/tshark.rs"]
mod tshark;

use handover::tds5::migration::Options;
use handover::wire::ByteOrder;
use std::panic::{AssertUnwindSafe, catch_unwind};
use talk::{Said, Talk};

/// How many tokens, and login records, a session has: so many must have been compared.
const TOKENS: usize = 129;

/// A session, cut into segments; tshark and we agree on each field of it.
fn session(order: ByteOrder, packet_size: u16, segment: Option<usize>) {
    let talk = script::session(order, packet_size);
    let packets = tshark::dissect(talk.capture(segment).bytes(), order);
    assert_eq!(compare::complaints(&packets), [""; 0], "{order:?}, {packet_size}, {segment:?}");
    assert_eq!(compare::compare(order, &talk.messages, &packets), TOKENS);
}

#[test]
fn little_endian() {
    if tshark::available() {
        for size in [512, 600, 2048, 65_535] {
            session(ByteOrder::Little, size, None);
        }
    }
}

#[test]
fn big_endian() {
    if tshark::available() {
        for size in [512, 600, 2048, 65_535] {
            session(ByteOrder::Big, size, None);
        }
    }
}

#[test]
fn in_segments_that_are_no_packets() {
    if tshark::available() {
        session(ByteOrder::Little, 512, Some(100));
        session(ByteOrder::Big, 2048, Some(1460));
    }
}

#[test]
fn all_capabilities_and_other_fields_of_a_login() {
    if !tshark::available() {
        return;
    }
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let mut talk = Talk::new(Options::DEFAULT);
        talk.client(Said::Login(script::other_login(order)));
        let packets = tshark::dissect(talk.capture(None).bytes(), order);
        assert_eq!(compare::complaints(&packets), [""; 0]);
        assert_eq!(compare::compare(order, &talk.messages, &packets), 2);
    }
}

/// The judge itself: what is wrong it does not let pass.
#[test]
fn what_is_wrong_is_noticed() {
    if !tshark::available() {
        return;
    }
    let talk = script::session(ByteOrder::Little, 512);
    let packets = tshark::dissect(talk.capture(None).bytes(), ByteOrder::Little);
    let compared = |messages: &[(bool, Vec<u8>)], packets: &[pdml::Node]| {
        catch_unwind(AssertUnwindSafe(|| compare::compare(ByteOrder::Little, messages, packets))).is_ok()
    };
    let agrees = |messages: &[(bool, Vec<u8>)]| compared(messages, &packets);
    assert!(agrees(&talk.messages));
    // A byte of a message that is not what tshark has seen: a name, a number, a bit, a value, a packet's channel.
    let response = &talk.messages[1].1;
    let capability = response.windows(5).position(|part| part == [0xe2, 24, 0, 1, 12]).expect("CAPABILITY");
    for (message, at) in [(0, 8), (0, 8 + 31), (1, 8 + 5), (1, capability + 5 + 10), (1, response.len() - 1), (2, 4)] {
        let mut messages = talk.messages.clone();
        messages[message].1[at] ^= 1;
        assert!(!agrees(&messages), "byte {at} of message {message}");
    }
    // A message less, and one more.
    assert!(!agrees(&talk.messages[1..]));
    assert!(!agrees(&[&talk.messages[..], &talk.messages[talk.messages.len() - 1..]].concat()));
    // The other byte order. (A login record would tell it.)
    let mut behind = Talk::new(Options::DEFAULT);
    behind.messages = talk.messages[1..].to_vec();
    let capture = behind.capture(None);
    assert!(compared(&behind.messages, &tshark::dissect(capture.bytes(), ByteOrder::Little)));
    assert!(!compared(&behind.messages, &tshark::dissect(capture.bytes(), ByteOrder::Big)));
    // A token that nobody knows in the place of DONE.
    let mut broken = Talk::new(Options::DEFAULT);
    broken.messages = talk.messages[..2].to_vec();
    broken.messages[1].1[response.len() - 9] = 0;
    let broken = tshark::dissect(broken.capture(None).bytes(), ByteOrder::Little);
    assert!(!compare::complaints(&broken).is_empty() && !compared(&talk.messages[..2], &broken));
}

/// Packets of type 17 are something else in later versions of TDS, and tshark reads them so: only their headers can
/// be compared, and one complaint is to be expected of each.
#[test]
fn the_exchange_in_packets_of_its_own() {
    if !tshark::available() {
        return;
    }
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let talk = script::migration(order);
        let packets = tshark::dissect(talk.capture(None).bytes(), order);
        let complaints = compare::complaints(&packets);
        assert_eq!(complaints.len(), talk.messages.len() - 1, "{complaints:?}");
        assert!(complaints.iter().all(|complaint| complaint.contains("Unknown header")), "{complaints:?}");
        compare::compare_headers(&talk.messages, &packets);
    }
}
