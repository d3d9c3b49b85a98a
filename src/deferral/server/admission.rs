//! The admission table (spec/deferral.md 5.2), and the line.

use super::{Event, Fate, Job, JobId, Output, Place, Running, Server, State, Waiting};
use crate::deferral::ids::{DeferKind, RefusalCode, RequestFlags, ServerAbilities};
use crate::deferral::message::{Alternate, Defer, Message, Queued, Refused, Request, RequestKey};
use crate::frame::{Extensions, Text};
use crate::machine::LinkId;
use crate::random::SplitMix;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

/// What becomes of a request that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Execute,
    Queue,
    Defer(DeferKind),
    Refuse(RefusalCode),
}

impl Server {
    pub(super) fn admit(&mut self, link: LinkId, request: Box<Request>, random: u64) {
        let key = request.key;
        let read_only = request.flags.contains(RequestFlags::READ_ONLY);
        match self.verdict(&request) {
            Verdict::Execute => self.execute(link, *request),
            Verdict::Queue => self.queue(link, request),
            Verdict::Defer(kind) => {
                let alternates = self.alternates(read_only, random);
                let defer = self.defer(key, kind, alternates);
                self.send(link, Message::Defer(Box::new(defer)));
                self.sent_on(&request);
            }
            Verdict::Refuse(code) => {
                let refused = Refused { key, code, text: Text::EMPTY, extensions: Extensions::NONE };
                self.send(link, Message::Refused(refused));
                self.sent_on(&request);
            }
        }
    }

    fn verdict(&self, request: &Request) -> Verdict {
        let read_only = request.flags.contains(RequestFlags::READ_ONLY);
        let priority = request.flags.contains(RequestFlags::PRIORITY);
        let wanted = if read_only { ServerAbilities::READ | ServerAbilities::WRITE } else { ServerAbilities::WRITE };
        let able = self.config.abilities.intersects(wanted) && self.state != State::Stopped;
        if !able {
            return Verdict::Defer(DeferKind::NO_SERVICE);
        }
        let others = self.others(read_only);
        let room = self.running.len() < self.config.slots.max(1) && self.queue.is_empty();
        if !priority {
            // Who prefers others is the first to be asked with priority: only while that means no waiting.
            let sends_on = if room { DeferKind::PREFER_OTHER } else { DeferKind::BUSY };
            if self.state == State::Draining {
                return Verdict::Defer(sends_on);
            }
            let only_reads = |one: &&Alternate| one.abilities == ServerAbilities::READ;
            let writer = self.config.abilities.contains(ServerAbilities::WRITE);
            if self.config.prefer_readers && read_only && writer && others.iter().any(only_reads) {
                return Verdict::Defer(sends_on);
            }
        }
        if room {
            return Verdict::Execute;
        }
        let full = self.queue.len() >= self.config.limits.queue;
        let busy = full || self.estimate(self.queue.len()) > self.config.busy_threshold;
        match (priority, busy) {
            (false, true) if full || !others.is_empty() => Verdict::Defer(DeferKind::BUSY),
            (true, _) if full => Verdict::Refuse(RefusalCode::OVERLOADED),
            _ => Verdict::Queue,
        }
    }

    /// How long somebody waits who has so many before him in line.
    fn estimate(&self, before: usize) -> Duration {
        let slots = u32::try_from(self.config.slots.max(1)).unwrap_or(u32::MAX);
        let turns = u32::try_from(before).unwrap_or(u32::MAX).checked_div(slots).unwrap_or(0).saturating_add(1);
        self.config.service_time.saturating_mul(turns)
    }

    fn others(&self, read_only: bool) -> Vec<&Alternate> {
        let own = |one: &&Alternate| !one.server.is_known() || one.server != self.config.id;
        self.config.alternates.iter().filter(own).filter(|one| one.may_serve(read_only)).collect()
    }

    /// Those who may serve the request, in any order: each is as likely to be the first.
    pub(super) fn alternates(&self, read_only: bool, random: u64) -> Vec<Alternate> {
        let mut others = self.others(read_only);
        SplitMix(random).shuffle(&mut others);
        others.into_iter().take(32).cloned().collect()
    }

    pub(super) fn defer(&self, key: RequestKey, kind: DeferKind, alternates: Vec<Alternate>) -> Defer {
        let milliseconds = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX).min(u32::MAX - 1);
        let busy = kind == DeferKind::BUSY;
        Defer {
            key,
            kind,
            server: self.config.id,
            reason: Text::EMPTY,
            queue_length: u32::try_from(self.queue.len()).ok().filter(|_| busy),
            estimate_ms: busy.then(|| milliseconds(self.estimate(self.queue.len()))),
            retry_after_ms: self.config.retry_after.filter(|_| busy).map(milliseconds),
            receipt: self.config.receipt.slice(..self.config.receipt.len().min(Defer::MAX_RECEIPT)),
            alternates,
            next: None,
            next_flags: RequestFlags::empty(),
            extensions: Extensions::NONE,
        }
    }

    fn execute(&mut self, link: LinkId, request: Request) {
        let key = request.key;
        let id = loop {
            self.last_job = self.last_job.wrapping_add(1);
            let id = JobId(self.last_job);
            if !self.running.contains_key(&id) {
                break id;
            }
        };
        let once = !is_harmless(&request);
        self.running.insert(id, Running { key, once, link: Some(link), abandoned: false });
        self.known.insert(key, Fate::Runs(id));
        self.send(link, Message::Executing(key.into()));
        let Request { flags, command, credentials, receipt, referrer, .. } = request;
        let credentials = super::Credentials(credentials);
        self.event(Event::Execute(Box::new(Job { id, key, flags, command, credentials, receipt, referrer })));
    }

    fn queue(&mut self, link: LinkId, request: Box<Request>) {
        let key = request.key;
        self.last_place = self.last_place.saturating_add(1);
        let place = Place(self.last_place);
        let wait = Duration::from_millis(u64::from(request.deadline_ms));
        let deadline = (request.deadline_ms > 0).then(|| self.now.saturating_add(wait));
        if let Some(at) = deadline {
            self.deadlines.insert((at, place));
        }
        self.known.insert(key, Fate::Waits(place));
        self.queue.insert(place, Waiting { link, request, deadline });
        self.say_position(link, key, place);
    }

    /// Tells who waits how many are before it.
    pub(super) fn say_position(&mut self, link: LinkId, key: RequestKey, place: Place) {
        let before = self.queue.range(..place).count();
        let estimate_ms = u32::try_from(self.estimate(before).as_millis()).ok().filter(|ms| *ms < u32::MAX);
        let position = u32::try_from(before).unwrap_or(u32::MAX);
        self.send(link, Message::Queued(Queued { key, position, estimate_ms, extensions: Extensions::NONE }));
    }

    /// Lets in who has waited longest, as far as there is room.
    pub(super) fn let_in(&mut self) {
        while self.running.len() < self.config.slots.max(1) {
            let Some(place) = self.queue.keys().next().copied() else { break };
            let Some(Waiting { link, request, deadline }) = self.take(place) else { break };
            // Its timeout may be due and not have come yet.
            if deadline.is_some_and(|deadline| deadline <= self.now) {
                self.refuse(link, request.key, RefusalCode::DEADLINE);
                self.sent_on(&request);
            } else {
                self.execute(link, *request);
            }
        }
    }

    /// Takes a request out of the line; `None` if nobody has that place.
    pub(super) fn take(&mut self, place: Place) -> Option<Waiting> {
        let waiting = self.queue.remove(&place)?;
        if let Some(at) = waiting.deadline {
            self.deadlines.remove(&(at, place));
        }
        self.known.remove(&waiting.request.key);
        Some(waiting)
    }

    pub(super) fn send(&mut self, link: LinkId, message: Message) {
        self.outbox.push(Output::Send { link, message });
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outbox.push(Output::Event(event));
    }
}

/// Whether nothing is wrong with its being carried out twice.
pub(super) fn is_harmless(request: &Request) -> bool {
    request.flags.intersects(RequestFlags::READ_ONLY | RequestFlags::IDEMPOTENT)
}
