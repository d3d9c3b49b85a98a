//! The names of the properties, and what their observers remember.

use super::model::properties;
use super::world::{SESSION, Word, World};

properties! {
    /// What is asserted. The names are those of spec/spice.md section 8, and five more.
    for World;
    S1 "one farewell per client and attempt, after completion; CANCEL only to a client that said CONNECTED*";
    S2 "MIGRATE only if seamless was offered, possible and accepted in this attempt";
    S3 "every attempt of the source ends exactly once, at the latest at its deadline";
    S4 "each answer is booked for the oldest unanswered BEGIN, and only the newest decides";
    S5 "nothing else that was said in an earlier attempt has an effect";
    S6 "behind MIGRATE a channel carries MIGRATE_DATA and nothing else";
    S7 "an absent port is sent as 0";
    T1 "no data message to a client that arrives before MIGRATE_END or DO_SEAMLESS";
    T2 "INIT to such a client exactly once if MIGRATE_END is accepted, never otherwise";
    T3 "INIT carries the id that the link named";
    T4 "each DO_SEAMLESS has one answer, NACK if its version is newer";
    T5 "when a main link goes, all links of its client are closed";
    T6 "a protocol error closes the client that made it and no other";
    T7 "seamless is done exactly when every channel has its MIGRATE_DATA; else the deadline closes the client";
    K1 "one answer to each BEGIN";
    K2 "CONNECTED* only when every channel is linked and DO_SEAMLESS is answered";
    K3 "CONNECTED_SEAMLESS exactly after SEAMLESS_ACK";
    K4 "MIGRATE_END, or MIGRATE_DATA as it came, first on the target's link";
    K5 "FLUSH_MARK is the last message on its link";
    K6 "nothing from a target has an effect before the switch but its answer";
    K7 "after CANCEL: the source's links, the source's address, no target link";
    K8 "id 0 after SWITCH_HOST, else the id stays";
    K9 "the source is served while the client connects, which has a deadline below 10 s";
    K10 "seamless: no message lost, doubled or reordered";
    OneEnd "every attempt of the client ends exactly once";
    NoDeadlock "where nothing more happens, every machine and link is at rest, and nobody is stranded";
    NoMisuse "no misuse is reported for what an environment may do";
    NoViolation "our machines never violate each other's protocol";
}

/// How an attempt of the source stands with the virtual machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Move {
    #[default]
    Unknown,
    Completed,
    Stays,
}

/// Numbered messages that applications have got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Heard {
    pub(crate) count: u8,
    pub(crate) last: u8,
}

impl Heard {
    /// One more: whether it is neither an old one nor out of order.
    pub(crate) fn hear(&mut self, number: u8) -> bool {
        let follows = number > self.last;
        *self = Self { count: self.count + 1, last: number };
        follows
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ghost {
    /// Attempts that have begun and not ended.
    pub(crate) source_attempt: Option<u8>,
    pub(crate) client_attempt: Option<u8>,
    pub(crate) attempts: u8,
    pub(crate) outcome: Move,
    /// END 1, SWITCH_HOST 2, MIGRATE 4.
    pub(crate) farewell: u8,
    /// Attempt and kind (even: BEGIN, odd: BEGIN_SEAMLESS) of what is unanswered, oldest first; 0 is none.
    pub(crate) owed: [u8; 3],
    /// The answer that decides this attempt.
    pub(crate) decided: Option<Word>,
    /// The connect timer has fired in this attempt.
    pub(crate) late: bool,
    /// CONNECTED* came in this attempt.
    pub(crate) said: bool,
    /// CONNECTED* came and was not taken back.
    pub(crate) standing: bool,
    pub(crate) begins: u8,
    pub(crate) answers: u8,
    /// The id that the client must name.
    pub(crate) session: u8,
    pub(crate) client_channels: u8,
    /// How many numbered messages the applications have sent.
    pub(crate) client_said: u8,
    pub(crate) source_said: u8,
    pub(crate) target_said: u8,
    /// What the target has said to a client that was taken back: nobody may hear it (K6).
    pub(crate) target_unheard: u8,
    pub(crate) source_heard: Heard,
    pub(crate) target_heard: Heard,
    pub(crate) client_heard: Heard,
    /// A link was lost or refused, a peer has died, or a timer has fired.
    pub(crate) disturbed: bool,
    /// The session has been moved in another scheme than seamless.
    pub(crate) restarted: bool,
    pub(crate) rogue: bool,
}

impl Ghost {
    pub(crate) fn new(channels: u8) -> Self {
        Self { session: SESSION, client_channels: channels, ..Self::default() }
    }

    pub(crate) fn awaits_outcome(&self) -> bool {
        self.source_attempt.is_some() && self.outcome == Move::Unknown
    }

    pub(crate) fn is_completed(&self) -> bool {
        self.outcome == Move::Completed
    }
}
