//! What has become of each message and each request.

use crate::repmgr::Segments;
use crate::repmgr::channel::{Event, Failure, Response};
use crate::repmgr::dispatcher;
use crate::repmgr::endpoint::ChannelId;
use std::collections::BTreeMap;

/// What something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Message,
    Request {
        bulk: bool,
        limit: Option<u32>,
    },
    /// A message back to where a message has come from.
    Reply,
}

/// What a responder has said to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Answer(Segments),
    /// It was through with it without an answer.
    Nothing,
}

/// What has become of something.
#[derive(Clone, Debug)]
struct Fate {
    site: usize,
    channel: Option<ChannelId>,
    kind: Kind,
    /// It was written on a link.
    written: bool,
    /// It has come to an application.
    came: bool,
    said: Option<Said>,
    /// What its sender was told, in the end: whether it had gone out.
    told: Option<bool>,
}

/// How often what has come about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were answered.
    pub answered: u32,
    /// Requests whose answer is an error.
    pub errors: u32,
    /// Requests whose time was up, that had gone out.
    pub late: u32,
    /// Requests that were on a link which was lost.
    pub lost: u32,
    /// Messages that came, replies among them.
    pub messages: u32,
    /// Messages that were told as sent and never came.
    pub missing: u32,
    /// Messages that were dropped.
    pub dropped: u32,
    /// Answers that nobody waited for.
    pub ignored: u32,
    /// How often a link was paused.
    pub paused: u32,
    /// How often a link was congested.
    pub congested: u32,
}

impl core::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let Self { answered, errors, late, lost, messages, missing, dropped, ignored, paused, congested } = other;
        self.answered += answered;
        self.errors += errors;
        self.late += late;
        self.lost += lost;
        self.messages += messages;
        self.missing += missing;
        self.dropped += dropped;
        self.ignored += ignored;
        self.paused += paused;
        self.congested += congested;
    }
}

/// Everything that is checked over the whole run.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    fates: BTreeMap<u32, Fate>,
    /// Bytes were others on the way: numbers mean nothing any more.
    pub(super) garbled: bool,
    /// A fault has happened, or a deadline.
    pub(super) faulty: bool,
    /// A channel was closed without waiting.
    pub(super) closed_now: bool,
    /// Some site has taken no messages.
    pub(super) refused: bool,
    pub(super) counts: Counts,
}

impl Ledger {
    /// Something was accepted.
    pub(super) fn accepted(&mut self, number: u32, site: usize, channel: Option<ChannelId>, kind: Kind) {
        let fate = Fate { site, channel, kind, written: false, came: false, said: None, told: None };
        assert!(self.fates.insert(number, fate).is_none(), "{number} is accepted twice");
    }

    fn fate(&mut self, number: u32) -> Option<&mut Fate> {
        let fate = self.fates.get_mut(&number);
        assert!(fate.is_some() || self.garbled, "{number} was never accepted");
        fate
    }

    /// Whether it is a message of a channel, and not a request or a reply.
    pub(super) fn is_message(&self, number: u32) -> bool {
        self.fates.get(&number).is_some_and(|fate| fate.kind == Kind::Message)
    }

    /// Whether it is a message back.
    pub(super) fn is_reply(&self, number: u32) -> bool {
        self.fates.get(&number).is_some_and(|fate| fate.kind == Kind::Reply)
    }

    /// A site writes something on a link.
    pub(super) fn written(&mut self, site: usize, number: u32) {
        let Some(fate) = self.fate(number) else { return };
        assert_eq!(fate.site, site, "P21: {number} is written by another site");
        assert!(!core::mem::replace(&mut fate.written, true), "P21: {number} is sent twice: {fate:?}");
        assert_ne!(fate.told, Some(false), "P17: {number} was told as not sent: {fate:?}");
    }

    /// Something has come to an application.
    pub(super) fn came(&mut self, number: u32, wanted: Option<(bool, Option<u32>)>) {
        if self.garbled {
            return;
        }
        let Some(fate) = self.fate(number) else { return };
        assert!(!core::mem::replace(&mut fate.came, true), "P21: {number} comes twice: {fate:?}");
        assert_ne!(fate.told, Some(false), "P17: {number} was told as not sent: {fate:?}");
        let asked = if let Kind::Request { bulk, limit } = fate.kind { Some((bulk, limit)) } else { None };
        assert_eq!(wanted, asked, "P14: what {number} wants");
        self.counts.messages += u32::from(wanted.is_none());
    }

    /// A responder has said something to a request.
    pub(super) fn said(&mut self, number: u32, said: Said) {
        if self.garbled {
            return;
        }
        if let Some(fate) = self.fate(number) {
            let before = fate.said.replace(said);
            assert!(before.is_none(), "P10: {number} is answered again, behind {before:?}");
        }
    }

    /// What a site's channel tells of something.
    pub(super) fn told(&mut self, site: usize, channel: ChannelId, event: &Event) {
        let (number, sent) = match event {
            Event::Sent(id) => (id.0, true),
            Event::Dropped { id, .. } => (id.0, false),
            Event::Completed { id, result } => (id.0, self.completed(id.0, result)),
            Event::Ignored => {
                self.counts.ignored += 1;
                return;
            }
            _ => return,
        };
        self.counts.dropped += u32::from(matches!(event, Event::Dropped { .. }));
        let fate = self.fates.get_mut(&number).unwrap_or_else(|| panic!("P15: {number} was never accepted"));
        assert_eq!((fate.site, fate.channel), (site, Some(channel)), "P15: {number} ends elsewhere");
        assert_eq!(fate.told.replace(sent), None, "P15: {number} ends twice, the second time with {event:?}");
        let is_request = matches!(fate.kind, Kind::Request { .. });
        assert_eq!(is_request, matches!(event, Event::Completed { .. }), "P15: {number} is no such thing");
        assert!(sent || !(fate.written || fate.came), "P17: {number} was sent, and it is told {event:?}");
    }

    /// Whether a request had gone out, by its result; and whether that can be.
    fn completed(&mut self, number: u32, result: &Result<Response, Failure>) -> bool {
        let (garbled, faulty, refused) = (self.garbled, self.faulty, self.refused);
        let Some(fate) = self.fates.get(&number) else { return true };
        let Kind::Request { bulk, limit } = fate.kind else { return true };
        let counts = &mut self.counts;
        let sent = match result {
            Err(Failure::Timeout { sent } | Failure::Unavailable { sent } | Failure::Closed { sent }) => *sent,
            _ => true,
        };
        match result {
            Ok(_) => counts.answered += 1,
            Err(Failure::Timeout { sent: true }) => counts.late += 1,
            Err(Failure::Unavailable { sent: true }) => counts.lost += 1,
            Err(Failure::NoServer | Failure::NoAnswer | Failure::TooLarge) => counts.errors += 1,
            Err(_) => {}
        }
        let fine = match (result, &fate.said) {
            (Ok(Response::Single(payload)), Some(Said::Answer(segments))) => {
                !bulk && payload.0 == segments.get(0).unwrap_or_default() && fits(segments, bulk, limit)
            }
            (Ok(Response::Bulk(answer)), Some(Said::Answer(segments))) => {
                bulk && answer == segments && fits(segments, bulk, limit)
            }
            (Err(Failure::TooLarge), Some(Said::Answer(segments))) => !fits(segments, bulk, limit),
            (Err(Failure::NoAnswer), said) => *said == Some(Said::Nothing),
            (Err(Failure::NoServer), said) => refused && said.is_none() && !fate.came,
            (Err(Failure::Timeout { .. }), _) => faulty,
            (Err(Failure::Unavailable { sent }), _) => faulty || !sent,
            (Err(Failure::Closed { .. }), _) => self.closed_now,
            _ => false,
        };
        assert!(fine || garbled, "P11: request {number} completes with {result:?}: {fate:?}");
        sent
    }

    /// Everything that was accepted has ended.
    pub(super) fn check_ended(&self) {
        let open = self.fates.iter().find(|(_, fate)| fate.told.is_none() && fate.kind != Kind::Reply);
        assert!(open.is_none(), "P15: {open:?} has not ended");
    }

    /// What was told as sent and has not come.
    pub(super) fn count_missing(&mut self) {
        let missing = |fate: &&Fate| fate.kind == Kind::Message && fate.told == Some(true) && !fate.came;
        self.counts.missing = u32::try_from(self.fates.values().filter(missing).count()).unwrap_or(u32::MAX);
    }

    /// Without a fault, and where all have taken messages, everything has come.
    pub(super) fn check_whole(&self) {
        let lost = self.fates.iter().find(|(_, fate)| fate.told == Some(true) && !fate.came);
        assert!(lost.is_none(), "P17: nothing went wrong, and {lost:?} has not come");
    }
}

/// Whether an answer is what was wanted (3.3).
fn fits(segments: &Segments, bulk: bool, limit: Option<u32>) -> bool {
    let size = super::super::words::answer_len(bulk, segments);
    let small = limit.and_then(|limit| usize::try_from(limit).ok()).is_none_or(|limit| size <= limit);
    small && (bulk || segments.len() < 2)
}

/// The number of something that has come, and what it wants.
pub(super) type Came = (u32, Option<(bool, Option<u32>)>);

/// What stands in an event of a dispatcher.
pub(super) fn came(event: &dispatcher::Event) -> Option<Came> {
    match event {
        dispatcher::Event::Message { segments, .. } => Some((content(segments), None)),
        dispatcher::Event::Request { segments, bulk, limit, .. } => Some((content(segments), Some((*bulk, *limit)))),
        _ => None,
    }
}

/// The number that stands in the first segment; 0 if there is none.
pub(super) fn content(segments: &Segments) -> u32 {
    segments.slice(0).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}
