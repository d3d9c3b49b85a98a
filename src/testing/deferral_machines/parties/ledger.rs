//! What was asked for, what was carried out, and what was said of it.

use crate::deferral::RequestFlags;
use crate::deferral::client::{Failure, Outcome, Report, Task};
use crate::deferral::message::{Message, Request, RequestKey};
use crate::machine::LinkId;
use std::collections::BTreeSet;
use std::vec::Vec;

/// How often what has come about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Commands that were carried out.
    pub done: u32,
    /// Of these, those whose end was said again.
    pub said_again: u32,
    /// Commands that nobody could or would carry out.
    pub failed: u32,
    /// Commands that the user gave up in time.
    pub cancelled: u32,
    /// Commands of which nobody knows.
    pub indeterminate: u32,
    /// Deferrals that came.
    pub deferred: u32,
    /// Places in line that were told.
    pub queued: u32,
    /// Continuations that came.
    pub continued: u32,
    /// Requests that came again.
    pub again: u32,
    /// Requests with priority.
    pub priority: u32,
    /// Requests that arrived when nobody listened any more.
    pub late: u32,
}

impl core::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let Self { done, said_again, failed, cancelled, indeterminate, .. } = other;
        let Self { deferred, queued, continued, again, priority, late, .. } = other;
        self.done += done;
        self.said_again += said_again;
        self.failed += failed;
        self.cancelled += cancelled;
        self.indeterminate += indeterminate;
        self.deferred += deferred;
        self.queued += queued;
        self.continued += continued;
        self.again += again;
        self.priority += priority;
        self.late += late;
    }
}

/// How a job has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Done(i32),
    Continued,
    Refused,
}

/// Something that a server has begun.
#[derive(Clone, Debug)]
struct Begun {
    key: RequestKey,
    server: usize,
    /// Which life of that server.
    life: u32,
    end: Option<End>,
}

/// Something that the client has asked for.
#[derive(Clone, Debug)]
struct Sent {
    link: LinkId,
    key: RequestKey,
    server: usize,
    /// It has heard that it was not carried out there.
    cleared: bool,
}

/// Everything that is checked over the whole run.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    task: Task,
    begun: Vec<Begun>,
    sent: Vec<Sent>,
    /// A request that came again was sent on, or a copy of one has come when nobody listened any more.
    overtaken: bool,
    pub(super) outcome: Option<Outcome>,
    pub(super) counts: Counts,
}

impl Ledger {
    pub(super) fn new(task: Task) -> Self {
        let (begun, sent) = (Vec::new(), Vec::new());
        Self { task, begun, sent, overtaken: false, outcome: None, counts: Counts::default() }
    }

    fn harmless(&self) -> bool {
        self.task.read_only || self.task.idempotent
    }

    /// The client asks.
    pub(super) fn asks(&mut self, link: LinkId, server: usize, request: &Request) {
        let again = request.flags.contains(RequestFlags::AGAIN);
        let open = self.sent.iter().filter(|sent| sent.key == request.key && !sent.cleared);
        let elsewhere: Vec<&Sent> = open.filter(|sent| !again || sent.server != server).collect();
        assert!(self.harmless() || elsewhere.is_empty(), "D6: {request:?} is sent, and {elsewhere:?} may have it");
        self.counts.again += u32::from(again);
        self.counts.priority += u32::from(request.flags.contains(RequestFlags::PRIORITY));
        self.sent.push(Sent { link, key: request.key, server, cleared: false });
    }

    /// The client hears something.
    pub(super) fn hears(&mut self, link: LinkId, message: &Message) {
        let negative = match message {
            Message::Defer(defer) => {
                self.counts.deferred += 1;
                self.counts.continued += u32::from(defer.next.is_some());
                defer.next.is_none()
            }
            Message::Queued(_) => {
                self.counts.queued += 1;
                false
            }
            Message::Refused(_) | Message::Cancelled(_) => true,
            _ => false,
        };
        if negative {
            // Whoever knows nothing of it speaks for all links to it.
            let of = self.sent.iter().find(|sent| sent.link == link).map(|sent| (sent.key, sent.server));
            let same = |sent: &&mut Sent| Some((sent.key, sent.server)) == of;
            self.sent.iter_mut().filter(same).for_each(|sent| sent.cleared = true);
        }
    }

    /// A request comes to a server after its client has left.
    pub(super) fn is_late(&mut self) {
        self.counts.late += 1;
        // (It is not carried out: D6 is checked with such copies under way too.)
    }

    /// A server begins.
    pub(super) fn begins(&mut self, key: RequestKey, server: usize, life: u32) {
        let of = |begun: &&Begun| begun.key == key && begun.end != Some(End::Refused);
        if !self.harmless() {
            let here = self.begun.iter().filter(of).any(|begun| (begun.server, begun.life) == (server, life));
            assert!(!here, "D6: server {server} begins {key:?} twice: {:?}", self.begun);
            let anywhere = self.begun.iter().filter(of).count();
            assert!(anywhere == 0 || self.overtaken, "D6: {key:?} begins a second time: {:?}", self.begun);
        }
        let before = |begun: &Begun| begun.key.epoch + 1 == key.epoch && begun.end == Some(End::Continued);
        assert!(key.epoch == 0 || self.begun.iter().any(before), "7: {key:?} begins too early: {:?}", self.begun);
        self.begun.push(Begun { key, server, life, end: None });
    }

    /// A server is done.
    pub(super) fn ends(&mut self, key: RequestKey, server: usize, life: u32, end: End) {
        let is = |begun: &&mut Begun| (begun.key, begun.server, begun.life, begun.end) == (key, server, life, None);
        let begun = self.begun.iter_mut().find(is);
        assert!(begun.is_some(), "5.3: {key:?} ends, and has not begun");
        begun.into_iter().for_each(|begun| begun.end = Some(end));
    }

    /// The command has come to its end.
    pub(super) fn told(&mut self, outcome: Outcome) {
        assert_eq!(self.outcome, None, "7: {outcome:?} is a second end");
        self.outcome = Some(outcome);
    }

    /// What was said of it is true. `name` says which server is called so.
    pub(super) fn check(&mut self, epoch: u16, name: impl Fn(&crate::deferral::ServerUri) -> Option<usize>) {
        let outcome = self.outcome.clone().expect("7: it has come to an end");
        let key = RequestKey { id: self.task.id, epoch };
        let at = |epoch| self.begun.iter().filter(move |begun| begun.key.epoch == epoch);
        let untouched = |epoch| {
            let touched: Vec<&Begun> = at(epoch).filter(|begun| begun.end != Some(End::Refused)).collect();
            let fine = touched.is_empty() || self.task.read_only || self.overtaken;
            assert!(fine, "D6: {outcome:?}, and {touched:?}");
        };
        let continued = |epoch: u16| {
            let fine = (0..epoch).all(|epoch| at(epoch).any(|begun| begun.end == Some(End::Continued)));
            assert!(fine, "7: {outcome:?}, and {:?}", self.begun);
        };
        continued(epoch);
        match &outcome {
            Outcome::Done { server, status, complete, .. } => {
                let server = name(server);
                let is = |begun: &Begun| begun.key == key && Some(begun.server) == server;
                let done = self.begun.iter().any(|begun| is(begun) && begun.end == Some(End::Done(*status)));
                assert!(done, "7: {outcome:?}, and {:?}", self.begun);
                self.counts.done += 1;
                self.counts.said_again += u32::from(!complete);
            }
            Outcome::Failed(failure, report) => {
                match failure {
                    Failure::ContinuedTooOften => continued(epoch + 1),
                    _ => untouched(epoch),
                }
                check_report(report);
                self.counts.failed += 1;
            }
            Outcome::Cancelled { carried_out } => {
                continued(*carried_out);
                untouched(*carried_out);
                self.counts.cancelled += 1;
            }
            Outcome::Indeterminate { server, report } => {
                assert!(name(server).is_some(), "7: {outcome:?}, and there is none");
                check_report(report);
                self.counts.indeterminate += 1;
            }
        }
    }
}

/// D9, and nobody has broken the protocol.
pub(super) fn check_report(report: &Report) {
    let Report { declined, dead, violators, aliases, denied, busy, untried, .. } = report;
    assert!(violators.is_empty(), "D4: all keep to the rules: {report:?}");
    let lists = [declined, dead, aliases, denied, busy, untried];
    let all: Vec<_> = lists.into_iter().flatten().collect();
    let once: BTreeSet<_> = all.iter().collect();
    assert_eq!(once.len(), all.len(), "D9: somebody is in two lists: {report:?}");
}
