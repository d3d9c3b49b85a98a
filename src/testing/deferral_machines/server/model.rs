//! What a server must do: one list of all that it has heard of, each with its place (spec/deferral.md 5).

mod checks;

use super::super::words::{broken, named, sort, sorted};
use crate::deferral::message::{Alternate, Command, Data, Defer, End, Message, Queued, Refused, Request, RequestKey};
use crate::deferral::server::{Config, Credentials, Event, Input, Job, JobId, Output, Server};
use crate::deferral::{DeferKind, RefusalCode, RequestFlags, ServerId, ServerUri};
use crate::frame::{Extensions, Text};
use crate::machine::{LinkId, Machine};
use crate::testing::trial::{Expected, Reference};
use crate::time::Instant;
use core::time::Duration;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

type Must = super::super::words::Must<Output, Event>;

/// Where a request is.
#[derive(Clone, Debug)]
enum Place {
    Waits(Box<Request>, Option<Instant>),
    Runs(JobId),
    /// It runs, and has begun anew meanwhile.
    Replaced(JobId),
    Over(Message, Instant),
    /// It came again and was not carried out, with or without priority.
    SentOn(bool, Instant),
}

/// A request that was not sent on.
#[derive(Clone, Debug)]
struct Entry {
    key: RequestKey,
    once: bool,
    /// Who wants to hear of it.
    link: Option<LinkId>,
    /// The application knows that nobody does.
    told: bool,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Serving,
    Draining,
    Stopped,
}

/// The reference model of a [`Server`].
#[derive(Clone, Debug)]
pub struct ServerModel {
    config: Config,
    mode: Mode,
    now: Instant,
    /// In the order in which they came, or began anew, or ended.
    entries: Vec<Entry>,
    forgotten: bool,
    jobs: u32,
    /// D10: the order that a number and a list give.
    orders: BTreeMap<(u64, Vec<ServerUri>), Vec<ServerUri>>,
    /// D6, D11: what has begun that must not begin twice, as long as nothing was forgotten.
    begun: Vec<RequestKey>,
    /// Closed, and not over yet.
    shut: Vec<LinkId>,
}

fn has(request: &Request, flag: RequestFlags) -> bool {
    request.flags.contains(flag)
}

fn is_once(request: &Request) -> bool {
    !has(request, RequestFlags::READ_ONLY) && !has(request, RequestFlags::IDEMPOTENT)
}

/// A time on the wire, if it can be said.
fn said(time: Duration) -> Option<u32> {
    u32::try_from(time.as_millis()).ok().filter(|ms| *ms < u32::MAX)
}

impl ServerModel {
    /// The model of a server with these settings.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            mode: Mode::Serving,
            now: Instant::ZERO,
            entries: Vec::new(),
            forgotten: false,
            jobs: 0,
            orders: BTreeMap::new(),
            begun: Vec::new(),
            shut: Vec::new(),
        }
    }

    fn find(&mut self, key: RequestKey) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key && !matches!(entry.place, Place::Replaced(_)))
    }

    fn at(&self, job: JobId) -> Option<usize> {
        let is = |place: &Place| matches!(place, Place::Runs(own) | Place::Replaced(own) if *own == job);
        self.entries.iter().position(|entry| is(&entry.place))
    }

    fn running(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry.place, Place::Runs(_) | Place::Replaced(_))).count()
    }

    fn line(&self) -> impl Iterator<Item = (usize, &Entry)> {
        self.entries.iter().enumerate().filter(|(_, entry)| matches!(entry.place, Place::Waits(..)))
    }

    fn first_in_line(&self) -> Option<usize> {
        self.line().map(|(at, _)| at).next()
    }

    fn oldest_end(&self) -> Option<(usize, Instant)> {
        self.over().next()
    }

    fn waiting(&self) -> usize {
        self.line().count()
    }

    fn slots(&self) -> usize {
        self.config.slots.max(1)
    }

    /// 5.3: how long somebody waits who has so many before him.
    fn estimate(&self, before: usize) -> Duration {
        let turns = before / self.slots() + 1;
        self.config.service_time.saturating_mul(u32::try_from(turns).unwrap_or(u32::MAX))
    }

    /// Those who may serve, sorted.
    fn fit(&self, read_only: bool) -> Vec<Alternate> {
        let own = |one: &Alternate| one.server == self.config.id && self.config.id != ServerId::UNKNOWN;
        let able = |one: &Alternate| match one.abilities.bits() {
            0 => true,
            bits => bits & 2 != 0 || (read_only && bits & 1 != 0),
        };
        let mut fit: Vec<Alternate> =
            self.config.alternates.iter().filter(|one| able(one) && !own(one)).cloned().collect();
        sort(&mut fit);
        fit
    }

    fn defer(&self, key: RequestKey, kind: DeferKind, read_only: bool, next: Option<Command>) -> Message {
        let busy = kind == DeferKind::BUSY;
        let millis = |time: Duration| said(time).unwrap_or(u32::MAX - 1);
        Message::Defer(Box::new(Defer {
            key,
            kind,
            server: self.config.id,
            reason: Text::EMPTY,
            queue_length: busy.then(|| u32::try_from(self.waiting()).unwrap_or(u32::MAX)),
            estimate_ms: busy.then(|| millis(self.estimate(self.waiting()))),
            retry_after_ms: self.config.retry_after.filter(|_| busy).map(millis),
            receipt: self.config.receipt.clone(),
            alternates: self.fit(read_only),
            next_flags: if next.is_some() && read_only { RequestFlags::READ_ONLY } else { RequestFlags::empty() },
            next,
            extensions: Extensions::NONE,
        }))
    }

    fn refusal(key: RequestKey, code: RefusalCode) -> Message {
        Message::Refused(Refused { key, code, text: Text::EMPTY, extensions: Extensions::NONE })
    }

    fn position(&self, key: RequestKey) -> Message {
        let before = self.line().take_while(|(_, entry)| entry.key != key).count();
        let (position, estimate_ms) = (u32::try_from(before).unwrap_or(u32::MAX), said(self.estimate(before)));
        Message::Queued(Queued { key, position, estimate_ms, extensions: Extensions::NONE })
    }

    /// 5.2: the table of admission.
    fn admit(&mut self, link: LinkId, request: &Request, must: &mut Must) {
        let key = request.key;
        let (read_only, priority) = (has(request, RequestFlags::READ_ONLY), has(request, RequestFlags::PRIORITY));
        let bits = self.config.abilities.bits();
        let able = self.mode != Mode::Stopped && (bits & 2 != 0 || (read_only && bits & 1 != 0));
        let readers = self.fit(read_only).iter().any(|one| one.abilities.bits() == 1);
        let prefers = self.config.prefer_readers && read_only && bits & 2 != 0 && readers;
        let room = self.running() < self.slots() && self.waiting() == 0;
        let full = self.waiting() >= self.config.limits.queue;
        let long = self.estimate(self.waiting()) > self.config.busy_threshold;
        let others = !self.fit(read_only).is_empty();
        let send = |message| Output::Send { link, message };
        let kind = match (able, priority) {
            (false, _) => Some(DeferKind::NO_SERVICE),
            (true, false) if self.mode == Mode::Draining || prefers => {
                Some(if room { DeferKind::PREFER_OTHER } else { DeferKind::BUSY })
            }
            (true, false) if !room && (full || (long && others)) => Some(DeferKind::BUSY),
            _ => None,
        };
        if let Some(kind) = kind {
            must.wire.push(send(self.defer(key, kind, read_only, None)));
            self.sends_on(request);
        } else if room {
            self.begin(Some(link), request, must);
        } else if full {
            must.wire.push(send(Self::refusal(key, RefusalCode::OVERLOADED)));
            self.sends_on(request);
        } else {
            let wait = Duration::from_millis(request.deadline_ms.into());
            let due = (request.deadline_ms > 0).then(|| self.now.saturating_add(wait));
            let place = Place::Waits(Box::new(request.clone()), due);
            self.entries.push(Entry { key, once: is_once(request), link: Some(link), told: false, place });
            must.wire.push(send(self.position(key)));
        }
    }

    fn begin(&mut self, link: Option<LinkId>, request: &Request, must: &mut Must) {
        self.jobs += 1;
        let (id, key) = (JobId(self.jobs), request.key);
        let once = is_once(request);
        self.entries.push(Entry { key, once, link, told: false, place: Place::Runs(id) });
        if let Some(link) = link {
            must.wire.push(Output::Send { link, message: Message::Executing(key.into()) });
        }
        must.events.push(Event::Execute(Box::new(Job {
            id,
            key,
            flags: request.flags,
            command: request.command.clone(),
            credentials: Credentials(request.credentials.clone()),
            receipt: request.receipt.clone(),
            referrer: request.referrer.clone(),
        })));
    }

    /// 5.3: who came first is let in first, unless it is too late for him.
    fn let_in(&mut self, must: &mut Must) {
        while self.running() < self.slots() {
            let Some(first) = self.first_in_line() else { return };
            let Entry { key, link, place: Place::Waits(request, due), .. } = self.entries.remove(first) else { return };
            if due.is_some_and(|due| due <= self.now) {
                let message = Self::refusal(key, RefusalCode::DEADLINE);
                must.wire.extend(link.map(|link| Output::Send { link, message }));
                self.sends_on(&request);
            } else {
                self.begin(link, &request, must);
            }
        }
    }

    fn asked(&mut self, link: LinkId, request: &Request, must: &mut Must) {
        let key = request.key;
        let (again, harmless) = (has(request, RequestFlags::AGAIN), !is_once(request));
        let send = |message| Output::Send { link, message };
        let forgotten = self.forgotten;
        let Some(entry) = self.find(key) else {
            if again && !harmless && forgotten {
                must.wire.push(send(Self::refusal(key, RefusalCode::FORGOTTEN)));
            } else {
                self.admit(link, request, must);
            }
            return;
        };
        if let Place::SentOn(before, _) = entry.place {
            if again || (has(request, RequestFlags::PRIORITY) && !before) {
                self.entries.retain(|entry| entry.key != key || matches!(entry.place, Place::Replaced(_)));
                return self.admit(link, request, must);
            }
            return must.wire.push(send(Self::refusal(key, RefusalCode::DUPLICATE)));
        }
        match (&entry.place, again || harmless) {
            (Place::Over(message, _), _) => must.wire.push(send(message.clone())),
            (Place::Waits(..), true) => {
                entry.link = Some(link);
                must.wire.push(send(self.position(key)));
            }
            (Place::Runs(job), _) if harmless && !entry.once => {
                let job = *job;
                entry.place = Place::Replaced(job);
                entry.link = None;
                if !core::mem::replace(&mut entry.told, true) {
                    must.events.push(Event::Abandoned(job));
                }
                self.admit(link, request, must);
            }
            (Place::Runs(_), _) if again || entry.link.is_none() => {
                entry.link = Some(link);
                must.wire.push(send(Message::Executing(key.into())));
            }
            _ => must.wire.push(send(Self::refusal(key, RefusalCode::DUPLICATE))),
        }
    }

    fn cancelled(&mut self, link: LinkId, key: RequestKey, must: &mut Must) {
        let cancelled = Output::Send { link, message: Message::Cancelled(key.into()) };
        let Some(entry) = self.find(key) else { return };
        if entry.link != Some(link) {
            return;
        }
        match &entry.place {
            Place::Waits(request, _) => {
                let request = request.clone();
                self.entries.retain(|entry| entry.key != key || matches!(entry.place, Place::Replaced(_)));
                must.wire.push(cancelled);
                self.sends_on(&request);
            }
            &Place::Runs(job) if !core::mem::replace(&mut entry.told, true) => must.events.push(Event::Abandoned(job)),
            _ => {}
        }
    }

    /// Takes out of the line all that `goes` says, in order.
    fn leave_line(&mut self, goes: impl Fn(&Entry) -> bool) -> Vec<(Option<LinkId>, Box<Request>)> {
        let mut left = Vec::new();
        self.entries.retain(|entry| match &entry.place {
            Place::Waits(request, _) if goes(entry) => {
                left.push((entry.link, request.clone()));
                false
            }
            _ => true,
        });
        left
    }

    fn gone(&mut self, link: LinkId, must: &mut Must) {
        let gone = |entry: &Entry| entry.link == Some(link);
        let left = self.leave_line(gone);
        left.iter().for_each(|(_, request)| self.sends_on(request));
        let mut jobs = Vec::new();
        for entry in self.entries.iter_mut().filter(|entry| gone(entry)) {
            if let Place::Runs(job) | Place::Replaced(job) = entry.place {
                entry.link = None;
                if !core::mem::replace(&mut entry.told, true) {
                    jobs.push(job);
                }
            }
        }
        jobs.sort();
        must.events.extend(jobs.into_iter().map(Event::Abandoned));
    }

    fn finished(&mut self, job: JobId, message: impl FnOnce(&Self, RequestKey) -> Message, must: &mut Must) {
        let Some(at) = self.at(job) else { return };
        let entry = self.entries.remove(at);
        let message = message(self, entry.key);
        must.wire.extend(entry.link.map(|link| Output::Send { link, message: message.clone() }));
        if entry.once && matches!(entry.place, Place::Runs(_)) {
            let until = self.now.saturating_add(self.config.remember);
            self.keeps(Entry { link: None, place: Place::Over(message, until), ..entry });
        }
        self.let_in(must);
    }

    fn keeps(&mut self, entry: Entry) {
        self.entries.push(entry);
        while self.over().count() > self.config.limits.remembered {
            self.forget();
        }
    }

    /// One that is not carried out here, and may still come on a link that was lost.
    fn sends_on(&mut self, request: &Request) {
        if has(request, RequestFlags::AGAIN) && is_once(request) {
            let until = self.now.saturating_add(self.config.remember);
            let place = Place::SentOn(has(request, RequestFlags::PRIORITY), until);
            self.keeps(Entry { key: request.key, once: true, link: None, told: false, place });
        }
    }

    fn over(&self) -> impl Iterator<Item = (usize, Instant)> {
        let until = |entry: &Entry| match entry.place {
            Place::Over(_, until) | Place::SentOn(_, until) => Some(until),
            _ => None,
        };
        self.entries.iter().enumerate().filter_map(move |(at, entry)| Some((at, until(entry)?)))
    }

    /// The oldest end.
    fn forget(&mut self) {
        if let Some((at, _)) = self.oldest_end() {
            let entry = self.entries.remove(at);
            self.begun.retain(|begun| *begun != entry.key);
            self.forgotten = true;
        }
    }

    fn due(&self) -> Option<Instant> {
        let line = self.line().filter_map(|(_, entry)| if let Place::Waits(_, due) = entry.place { due } else { None });
        line.chain(self.over().map(|(_, until)| until)).min()
    }

    fn time_is_up(&mut self, must: &mut Must) {
        let mut late: Vec<(Instant, usize)> = self
            .line()
            .filter_map(|(at, entry)| if let Place::Waits(_, due) = entry.place { Some((due?, at)) } else { None })
            .filter(|(due, _)| *due <= self.now)
            .collect();
        late.sort();
        let requests: Vec<(Option<LinkId>, Box<Request>)> = late
            .iter()
            .filter_map(|(_, at)| match &self.entries[*at] {
                Entry { link, place: Place::Waits(request, _), .. } => Some((*link, request.clone())),
                _ => None,
            })
            .collect();
        let mut at = 0;
        self.entries.retain(|_| {
            at += 1;
            !late.iter().any(|(_, late)| *late == at - 1)
        });
        for (link, request) in requests {
            let message = Self::refusal(request.key, RefusalCode::DEADLINE);
            must.wire.extend(link.map(|link| Output::Send { link, message }));
            self.sends_on(&request);
        }
        while self.oldest_end().is_some_and(|(_, until)| until <= self.now) {
            self.forget();
        }
    }

    fn stop(&mut self, must: &mut Must) {
        self.mode = Mode::Stopped;
        while let Some(first) = self.first_in_line() {
            let Entry { key, link, place: Place::Waits(request, _), .. } = self.entries.remove(first) else { return };
            let read_only = has(&request, RequestFlags::READ_ONLY);
            let message = self.defer(key, DeferKind::NO_SERVICE, read_only, None);
            must.wire.extend(link.map(|link| Output::Send { link, message }));
            self.sends_on(&request);
        }
    }

    /// What must come of an input that is not refused.
    fn input(&mut self, now: Instant, input: &Input) -> Must {
        let mut must = Must::default();
        let now = self.now.max(now);
        if *input == Input::Timeout && self.due().is_none_or(|due| now < due) {
            return must;
        }
        self.now = now;
        let extensions = Extensions::NONE;
        match input.clone() {
            Input::Message { link, message, .. } => match message {
                Message::Request(request) => self.asked(link, &request, &mut must),
                Message::Cancel(signal) => self.cancelled(link, signal.key, &mut must),
                Message::Unknown { .. } => {}
                _ => {
                    must.wire.push(Output::Close(link));
                    self.shut.push(link);
                    self.shut.sort();
                    if self.shut.len() > self.config.limits.outputs {
                        self.shut.remove(0);
                    }
                    self.gone(link, &mut must);
                }
            },
            Input::Closed(link) => {
                self.shut.retain(|shut| *shut != link);
                self.gone(link, &mut must);
            }
            Input::Data { job, bytes } => {
                let entry = self.at(job).map(|at| &self.entries[at]);
                if let Some((key, link)) = entry.and_then(|entry| Some((entry.key, entry.link?))) {
                    must.wire.push(Output::Send { link, message: Message::Data(Data { key, bytes, extensions }) });
                }
            }
            Input::End { job, status, text } => {
                self.finished(job, |_, key| Message::End(End { key, status, text, extensions }), &mut must);
            }
            Input::Continue { job, next, read_only, .. } => {
                let kind = DeferKind::CONTINUE;
                self.finished(job, |model, key| model.defer(key, kind, read_only, Some(next)), &mut must);
            }
            Input::Refuse { job, code, text } => {
                self.finished(job, |_, key| Message::Refused(Refused { key, code, text, extensions }), &mut must);
            }
            Input::Alternates(alternates) => self.config.alternates = alternates,
            Input::Drain => self.mode = Mode::Draining,
            Input::Serve => self.mode = Mode::Serving,
            Input::Stop { .. } => self.stop(&mut must),
            Input::Timeout => self.time_is_up(&mut must),
        }
        must
    }
}
