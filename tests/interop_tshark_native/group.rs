//! Messages of the group protocol.

use crate::frames::{Fields, hex};
use crate::messages::Trial;
use crate::pdml::Node;
use crate::{messages, tshark};
use handover::frame::Native;
use handover::group::MessageKind;
use handover::group::message::Message;
use handover::testing::group as values;
use handover::testing::group::reference::{Is, parts};
use std::collections::BTreeSet;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/vectors/group");

/// Fields of bytes, which are shown in hexadecimal. All others are numbers, texts, or hold others.
const BYTES: [&str; 14] = [
    "attributes.name",
    "attributes.source_group",
    "ballot.message",
    "ballot.state",
    "enter.credentials",
    "expulsion.flag",
    "notice.state",
    "proposal.message",
    "proposal.source_state",
    "proposal.state",
    "snapshot.state",
    "subscribe.group",
    "wish.message",
    "wish.state",
];

/// Fields whose bits have names, from the lowest on.
const BITS: [(&str, &[&str]); 6] = [
    ("attributes.batch_control", &["joins", "leaves", "deactivate_on_failure"]),
    ("open.summary", &SUMMARY),
    ("outcome.summary", &SUMMARY),
    ("announcement.flags", &ANNOUNCEMENT),
    ("subscribe.subscription", &SUBSCRIPTION),
    ("standing.subscription", &SUBSCRIPTION),
];
const SUMMARY: [&str; 7] = [
    "explicit_approve",
    "default_approve",
    "explicit_reject",
    "default_reject",
    "time_limit_exceeded",
    "provider_failed",
    "too_many_phases",
];
const ANNOUNCEMENT: [&str; 7] = [
    "time_limit_exceeded",
    "no_response",
    "response",
    "deactivate_unsuccessful",
    "deactivate_time_limit_exceeded",
    "group_dissolved",
    "domain_died",
];
const SUBSCRIPTION: [&str; 4] = ["state", "delta_joins", "delta_leaves", "membership"];

/// Whether this is a single bit, which is shown again.
pub(crate) fn is_bit(name: &str) -> bool {
    name.split('.').count() == 3
}

/// What a node shows.
pub(crate) fn show(node: &Node) -> String {
    let name = node.name.strip_prefix("handover.group.").expect("it is the group's");
    let text = ["delayed_error.text", "redirect.address", "reign.address"].contains(&name);
    match name {
        _ if BYTES.contains(&name) => hex(&node.value),
        _ if text || node.show.is_empty() || name.ends_with(".instance") => node.show.clone(),
        _ => node.number().to_string(),
    }
}

/// What our decoder reads of a message.
pub(crate) fn fields(message: &Message) -> Fields {
    let mut list = Vec::new();
    let mut extension = 0;
    for part in parts(message).expect("it is known") {
        let name = format!("{}.{}", part.record, part.field);
        let mut push = |suffix: &str, show: String| list.push((format!("handover.group.{name}{suffix}"), show));
        match part.is {
            Is::Number(number) if part.record == "extensions" => extension = number,
            Is::Bytes(value) if part.record == "extensions" => {
                let critical = u64::from(extension >= 0x8000);
                list.push(("handover.extension".into(), String::new()));
                for (name, number) in [("type", extension), ("critical", critical), ("size", value.len() as u64)] {
                    list.push((format!("handover.extension.{name}"), number.to_string()));
                }
                // Nothing is shown of none.
                list.extend(Some(("handover.extension.value".into(), hex(&value))).filter(|_| !value.is_empty()));
            }
            Is::Begins => push("", String::new()),
            Is::Present(present) => push("_present", u8::from(present).to_string()),
            Is::Count(count) => push("_count", count.to_string()),
            Is::Size(size) => push("_size", size.to_string()),
            Is::Number(number) if part.field == "instance" => {
                let bits = u16::try_from(number).expect("it has two bytes");
                push("", i16::from_be_bytes(bits.to_be_bytes()).to_string());
            }
            Is::Number(number) => {
                push("", number.to_string());
                let bits = BITS.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, bits)| bits);
                for (at, bit) in bits.iter().enumerate() {
                    push(&format!(".{bit}"), (number >> at & 1).to_string());
                }
            }
            Is::Bytes(bytes) if bytes.is_empty() => {}
            Is::Bytes(bytes) => push("", hex(&bytes)),
            Is::Text(text) if text.is_empty() => {}
            Is::Text(text) => push("", text),
        }
    }
    list
}

#[test]
fn vectors_are_shown_as_we_read_them() {
    if !tshark::available() {
        return;
    }
    messages::vectors_are_shown(VECTORS, 79 + 75);
}

#[test]
fn vectors_that_are_refused_are_complained_of() {
    if !tshark::available() {
        return;
    }
    messages::refused_vectors_are_complained_of(VECTORS, 85);
}

#[test]
fn messages_are_shown_as_we_read_them() {
    if !tshark::available() {
        return;
    }
    let mut kinds = BTreeSet::new();
    messages::any_are_shown(|choices| {
        let message = values::message(choices);
        kinds.insert(message.kind());
        message
    });
    assert!((0..=u8::MAX).filter(|kind| MessageKind(*kind).name().is_some()).all(|kind| kinds.contains(&kind)));
}

#[test]
fn it_complains_of_what_we_refuse_and_of_nothing_else() {
    if !tshark::available() {
        return;
    }
    let trial = Trial { frames: 2000, bytes: 500, least: 50 };
    messages::refused_are_complained_of::<Message>(&trial, values::odd_message);
}
