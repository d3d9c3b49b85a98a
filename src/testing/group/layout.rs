//! The layouts of spec/group.md 2 as a table. Who reads it needs nothing of the codec.

/// What stands at a place of a layout. All numbers are big-endian.
#[derive(Clone, Copy, Debug)]
pub enum Field {
    /// A number of so many bytes.
    Number(usize),
    /// One byte, 0 or 1.
    Flag,
    /// The size in a number of so many bytes, within these bounds, and so many bytes.
    Sized(usize, u64, u64),
    /// The size in one byte, and so much text for people.
    Text,
    /// One byte, 0 or 1; if it is 1, this.
    Optional(&'static Self),
    /// The number of them in two bytes, and so many of these.
    List(&'static Record),
    /// What is laid out elsewhere.
    Record(&'static Record),
    /// One byte, and what that announces.
    Wish,
}

/// A layout: its name, and its fields one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// What it is called.
    pub name: &'static str,
    /// Name and form of each field.
    pub fields: &'static [(&'static str, Field)],
}

impl Field {
    /// The fewest bytes that it takes.
    #[must_use]
    pub fn least(&self) -> usize {
        match self {
            Self::Number(size) => *size,
            Self::Flag | Self::Text | Self::Optional(_) => 1,
            Self::Sized(width, least, _) => width + *least as usize,
            Self::List(_) => 2,
            Self::Record(record) => record.least(),
            Self::Wish => 4,
        }
    }
}

impl Record {
    /// The fewest bytes that it takes: what a list announces is compared with it.
    #[must_use]
    pub fn least(&self) -> usize {
        self.fields.iter().map(|(_, field)| field.least()).sum()
    }
}

use Field::{Flag, List, Number, Optional, Sized, Text, Wish};

const NAME: Field = Sized(1, 1, 32);
const STATE: Field = Sized(2, 0, 256);
const MESSAGE: Field = Sized(2, 1, 2048);
const BLOB: Field = Sized(4, 0, 0xffff_ffff);

macro_rules! layouts {
    ($($constant:ident = $name:literal { $($field:literal: $form:expr,)* })+) => {$(
        const $constant: Record = Record { name: $name, fields: &[$(($field, $form)),*] };
    )+};
}

layouts! {
    TOKEN = "token" { "index": Number(4), "generation": Number(4), }
    PROVIDER = "provider" { "node": Number(4), "instance": Number(2), "incarnation": Number(8), }
    LEAVE = "leave" { "provider": Field::Record(&PROVIDER), "reason": Number(1), "code": Number(4), }
    EXPULSION = "expulsion" { "targets": List(&PROVIDER), "deactivate_phase": Number(4), "flag": BLOB, }
    ATTRIBUTES = "attributes" {
        "client_version": Number(4),
        "name": NAME,
        "batch_control": Number(1),
        "phases": Number(1),
        "reflection_phases": Number(1),
        "default_vote": Number(1),
        "merge_control": Number(1),
        "time_limit": Number(2),
        "reflection_time_limit": Number(2),
        "source_group": Optional(&NAME),
    }
    PROPOSAL = "proposal" {
        "proposer": Optional(&Field::Record(&PROVIDER)),
        "joining": List(&PROVIDER),
        "leaving": List(&LEAVE),
        "expulsion": Optional(&Field::Record(&EXPULSION)),
        "state": Optional(&STATE),
        "source_state": Optional(&STATE),
        "message": Optional(&MESSAGE),
        "attributes": Optional(&Field::Record(&ATTRIBUTES)),
    }
    VOTING = "voting" { "phases": Number(1), "time_limit": Number(2), }
    BALLOT = "ballot" {
        "vote": Number(1),
        "default_vote": Optional(&Number(1)),
        "state": Optional(&STATE),
        "message": Optional(&MESSAGE),
    }
    OPEN = "open" {
        "protocol": Number(8),
        "kind": Number(1),
        "phase": Number(4),
        "time_limit": Number(2),
        "default_vote": Number(1),
        "summary": Number(2),
        "proposal": Field::Record(&PROPOSAL),
        "vote": Optional(&Field::Record(&BALLOT)),
    }
    OUTCOME = "outcome" {
        "sequence": Number(8),
        "protocol": Number(8),
        "kind": Number(1),
        "phases": Number(4),
        "summary": Number(2),
        "view": Number(8),
        "digest": Number(8),
        "proposal": Field::Record(&PROPOSAL),
    }
    PAST = "past" { "approved": Flag, "ended": Field::Record(&OUTCOME), }
    SNAPSHOT = "snapshot" {
        "group": Number(8),
        "sequence": Number(8),
        "view": Number(8),
        "attributes": Field::Record(&ATTRIBUTES),
        "state": STATE,
        "members": List(&PROVIDER),
        "last": Number(8),
    }
    ENTRY = "entry" {
        "index": Number(8),
        "past": Field::Record(&PAST),
        "snapshot": Field::Record(&SNAPSHOT),
    }
    GROUP_RECORD = "group_record" { "snapshot": Field::Record(&SNAPSHOT), "recent": List(&PAST), }

    REPORT = "report" { "remaining": Number(4), "standing": Optional(&Field::Record(&STANDING)), }
    ENTER = "enter" {
        "node": Number(4),
        "incarnation": Number(8),
        "epoch": Number(8),
        "ping_interval_ms": Number(4),
        "pong_limit_ms": Number(4),
        "reports": Number(4),
        "credentials": BLOB,
    }
    JOIN = "join" { "request": Number(4), "instance": Number(2), "attributes": Field::Record(&ATTRIBUTES), }
    SUBSCRIBE = "subscribe" { "request": Number(4), "group": NAME, "subscription": Number(1), }
    SIGNAL = "signal" { "token": Field::Record(&TOKEN), }
    PLAIN = "plain" {}
    PROPOSE = "propose" {
        "request": Number(4),
        "token": Field::Record(&TOKEN),
        "voting": Field::Record(&VOTING),
        "view": Optional(&Number(8)),
        "wish": Wish,
    }
    VOTE = "vote" {
        "token": Field::Record(&TOKEN),
        "protocol": Number(8),
        "phase": Number(4),
        "ballot": Field::Record(&BALLOT),
    }
    DEACTIVATED = "deactivated" { "token": Field::Record(&TOKEN), "protocol": Number(8), "successful": Flag, }
    PING = "ping" { "nonce": Number(8), }
    ACKNOWLEDGE = "acknowledge" { "token": Field::Record(&TOKEN), "sequence": Number(8), }
    STANDING = "standing" {
        "token": Field::Record(&TOKEN),
        "provider": Optional(&Field::Record(&PROVIDER)),
        "subscription": Number(1),
        "snapshot": Field::Record(&SNAPSHOT),
        "recent": List(&PAST),
        "open": Optional(&Field::Record(&OPEN)),
    }

    WELCOME = "welcome" { "domain": Number(8), "epoch": Number(8), }
    ACCEPTED = "accepted" { "request": Number(4), "token": Field::Record(&TOKEN), "group": Number(8), }
    DELAYED_ERROR = "delayed_error" {
        "request": Number(4),
        "token": Optional(&Field::Record(&TOKEN)),
        "kind": Number(1),
        "code": Number(2),
        "text": Text,
    }
    PHASE = "phase" {
        "token": Field::Record(&TOKEN),
        "group": Number(8),
        "sequence": Number(8),
        "open": Field::Record(&OPEN),
    }
    ENDED = "ended" {
        "token": Field::Record(&TOKEN),
        "group": Number(8),
        "outcome": Field::Record(&OUTCOME),
        "snapshot": Optional(&Field::Record(&SNAPSHOT)),
    }
    ANNOUNCEMENT = "announcement" {
        "token": Field::Record(&TOKEN),
        "group": Number(8),
        "sequence": Number(8),
        "flags": Number(2),
        "providers": List(&PROVIDER),
    }
    NOTICE = "notice" {
        "token": Field::Record(&TOKEN),
        "group": Number(8),
        "sequence": Number(8),
        "view": Number(8),
        "state": Optional(&STATE),
        "members": Optional(&List(&PROVIDER)),
        "joined": List(&PROVIDER),
        "left": List(&LEAVE),
    }
    DISSOLVED = "dissolved" { "token": Optional(&Field::Record(&TOKEN)), "reason": Number(1), }
    REDIRECT = "redirect" { "epoch": Number(8), "address": Text, }
    VIEW = "view" {
        "token": Field::Record(&TOKEN),
        "snapshot": Field::Record(&SNAPSHOT),
        "open": Optional(&Field::Record(&OPEN)),
    }

    REPLICATE = "replicate" { "epoch": Number(8), "entry": Field::Record(&ENTRY), }
    REPLICATED = "replicated" { "epoch": Number(8), "index": Number(8), "beat": Number(8), }
    QUERY = "query" { "epoch": Number(8), }
    GRANT = "grant" {
        "epoch": Number(8),
        "remaining": Number(4),
        "record": Optional(&Field::Record(&GROUP_RECORD)),
    }
    REIGN = "reign" { "epoch": Number(8), "beat": Number(8), "address": Text, }
    FENCED = "fenced" { "epoch": Number(8), }
    PROCLAIM = "proclaim" {
        "domain": Number(8),
        "epoch": Number(8),
        "nodes": Number(4),
        "lowest_node": Number(4),
    }
}

/// What a wish is, by its number.
pub const WISHES: [(u64, &str, Field); 5] = [
    (1, "code", Number(4)),
    (2, "expulsion", Field::Record(&EXPULSION)),
    (3, "state", STATE),
    (4, "message", MESSAGE),
    (5, "attributes", Field::Record(&ATTRIBUTES)),
];

/// Every kind of message, and how its body is laid out. Behind it come extensions.
pub const KINDS: [(u8, &Record); 32] = [
    (0x01, &ENTER),
    (0x02, &JOIN),
    (0x03, &SUBSCRIBE),
    (0x04, &SIGNAL),
    (0x05, &PROPOSE),
    (0x06, &VOTE),
    (0x07, &DEACTIVATED),
    (0x08, &SIGNAL),
    (0x09, &PLAIN),
    (0x0a, &PING),
    (0x0b, &ACKNOWLEDGE),
    (0x0c, &SIGNAL),
    (0x0d, &REPORT),
    (0x81, &WELCOME),
    (0x82, &ACCEPTED),
    (0x83, &DELAYED_ERROR),
    (0x84, &PHASE),
    (0x85, &ENDED),
    (0x86, &ENDED),
    (0x87, &ANNOUNCEMENT),
    (0x88, &NOTICE),
    (0x89, &PING),
    (0x8a, &DISSOLVED),
    (0x8b, &REDIRECT),
    (0x8c, &VIEW),
    (0xc0, &REPLICATE),
    (0xc1, &REPLICATED),
    (0xc2, &QUERY),
    (0xc3, &GRANT),
    (0xc4, &REIGN),
    (0xc5, &FENCED),
    (0xc6, &PROCLAIM),
];

/// How a kind of message is laid out; `None` if it is not known.
#[must_use]
pub fn of(kind: u8) -> Option<&'static Record> {
    KINDS.iter().find(|(known, _)| *known == kind).map(|(_, record)| *record)
}
