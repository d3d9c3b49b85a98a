//! Two ends, what is under way between them, and what has come of it.

use super::model::{Shared, properties};
use handover::frame::link::{Ending, Link};
use handover::frame::{CloseReason, Frame, Spoken};
use handover::machine::Machine;
use std::collections::VecDeque;

properties! {
    /// What is asserted. Those with an F are of spec/frame.md section 8.
    for World;
    F4 "hello first and once, close last and once, nothing behind it";
    F5 "both come to what 3.2 says";
    F6 "a body is sent if its receiver takes it, and never if not";
    F7 "frames are handed on unchanged, in order, each once; all of them while a link lives";
    F8 "one end of each link, nothing behind it, and the reason is the one that was said";
    F9 "ends that keep to the rules do not accuse each other";
    F10 "where nothing more happens nobody waits: both are ready, or both are over";
    NoMisuse "what an environment tells a link is never misuse";
}

/// What a run has come to: shows that no property is vacuous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    BothReady,
    ClosedByPeer,
    ClosedHere,
    Lost,
    NothingInCommon,
    TimedOut,
    ClosesCrossed,
    Refused,
    ReadyAtRest,
}

impl Reached {
    pub(crate) const ALL: &[Self] = &[
        Self::BothReady,
        Self::ClosedByPeer,
        Self::ClosedHere,
        Self::Lost,
        Self::NothingInCommon,
        Self::TimedOut,
        Self::ClosesCrossed,
        Self::Refused,
        Self::ReadyAtRest,
    ];
}

/// Something under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Word {
    Frame(Frame),
    /// The sender has closed its transport.
    End,
}

/// How an end sees its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Transport {
    Dialled,
    Open,
    Gone,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct End {
    pub(crate) link: Shared<Link>,
    pub(crate) transport: Transport,
    /// Under way to this end.
    pub(crate) incoming: VecDeque<Word>,
    /// Frames of its application: how many were sent, and which have come.
    pub(crate) sent: u8,
    pub(crate) got: Vec<u8>,
    /// What it has said of the link itself.
    pub(crate) hellos: u8,
    pub(crate) closed: Option<CloseReason>,
    pub(crate) settled: Option<Vec<Spoken>>,
    pub(crate) ends: Vec<Ending>,
    /// What its application may still do.
    pub(crate) sends: u8,
    pub(crate) closes: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) ends: [End; 2],
    /// Whether the transport has broken, and how often it still may.
    pub(crate) broken: bool,
    pub(crate) breaks: u8,
    pub(crate) refuted: u32,
}

impl World {
    pub(crate) fn line(&self) -> String {
        let ends = self.ends.iter().map(|end| {
            format!("{:?} {:?} in={:?} got={:?}", end.link.get().state(), end.transport, end.incoming, end.got)
        });
        format!("{} broken={}\n", ends.collect::<Vec<_>>().join(" | "), self.broken)
    }
}
