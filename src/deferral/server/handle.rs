//! What a server does with each input.

use super::admission::is_harmless;
use super::table::Event as TableEvent;
use super::{Event, Fate, Input, JobId, Output, Place, Running, Server, State, Waiting, step};
use crate::deferral::ids::{DeferKind, RefusalCode, RequestFlags};
use crate::deferral::message::{Data, Defer, End, Message, Refused, Request, RequestKey};
use crate::error::{Error, Limit, Misuse, Violation, to_u64};
use crate::frame::{Extensions, Text};
use crate::machine::{LinkId, Machine, trace_transition};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::vec::Vec;

impl Machine for Server {
    type Input<'a> = Input;
    type Output = Output;
    type State = State;

    fn handle(&mut self, now: Instant, input: Input) -> Result<(), Error> {
        self.outbox.check_room(self.config.limits.outputs)?;
        self.validate(&input)?;
        let now = self.now.max(now);
        if matches!(input, Input::Timeout) && self.poll_timeout().is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        self.now = now;
        match input {
            Input::Message { link, message, random } => return self.message(link, message, random),
            Input::Closed(link) => {
                self.shut.remove(&link);
                self.closed(link);
            }
            Input::Data { job, bytes } => self.data(job, bytes),
            Input::End { job, status, text } => {
                self.finish(job, |key| Message::End(End { key, status, text, extensions: Extensions::NONE }));
            }
            Input::Continue { job, next, read_only, random } => {
                let alternates = self.alternates(read_only, random);
                let mut next_flags = RequestFlags::empty();
                next_flags.set(RequestFlags::READ_ONLY, read_only);
                let defer = |server: &Self, key| {
                    let defer = server.defer(key, DeferKind::CONTINUE, alternates);
                    Defer { next: Some(next), next_flags, ..defer }
                };
                let key = self.running.get(&job).map(|running| running.key);
                if let Some(message) = key.map(|key| Message::Defer(Box::new(defer(self, key)))) {
                    self.finish(job, |_| message);
                }
            }
            Input::Refuse { job, code, text } => {
                self.finish(job, |key| Message::Refused(Refused { key, code, text, extensions: Extensions::NONE }));
            }
            Input::Alternates(alternates) => self.config.alternates = alternates,
            Input::Drain => self.go(TableEvent::Drain),
            Input::Serve => self.go(TableEvent::Serve),
            Input::Stop { random } => self.stop(random),
            Input::Timeout => self.timeout(),
        }
        Ok(())
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.deadlines.first().map(|(at, _)| *at);
        let remembered = self.forget.front().map(|(at, _)| *at);
        waiting.into_iter().chain(remembered).min()
    }

    fn state(&self) -> State {
        self.state
    }
}

impl Server {
    /// Everything that our caller can do wrong; nothing changes.
    fn validate(&self, input: &Input) -> Result<(), Misuse> {
        match input {
            Input::Data { job, .. }
            | Input::End { job, .. }
            | Input::Continue { job, .. }
            | Input::Refuse { job, .. } => {
                if self.running.contains_key(job) {
                    Ok(())
                } else {
                    Err(Misuse::Unknown { what: "job", id: job.0 })
                }
            }
            Input::Message { link, .. } if self.shut.contains(link) => {
                Err(Misuse::Unknown { what: "link", id: link.0 })
            }
            Input::Alternates(alternates) if alternates.len() > self.config.limits.alternates => {
                let (limit, got) = (to_u64(self.config.limits.alternates), to_u64(alternates.len()));
                Err(Misuse::Limit(Limit { what: "alternates", limit, got }))
            }
            _ => Ok(()),
        }
    }

    fn message(&mut self, link: LinkId, message: Message, random: u64) -> Result<(), Error> {
        match message {
            Message::Request(request) => self.request(link, request, random),
            Message::Cancel(signal) => self.cancel(link, signal.key),
            Message::Unknown { .. } => {}
            _ => {
                self.outbox.push(Output::Close(link));
                self.closed(link);
                self.shut.insert(link);
                if self.shut.len() > self.config.limits.outputs {
                    self.shut.pop_first();
                }
                let (state, expected, got) = (self.state.name(), "a request or a cancel", "what servers send");
                return Err(Violation { state, expected, got }.into());
            }
        }
        Ok(())
    }

    fn request(&mut self, link: LinkId, request: Box<Request>, random: u64) {
        let key = request.key;
        let again = request.flags.contains(RequestFlags::AGAIN);
        let harmless = is_harmless(&request);
        match self.known.get(&key) {
            // It may have been carried out, and nobody knows any more.
            None if again && !harmless && self.has_forgotten => self.refuse(link, key, RefusalCode::FORGOTTEN),
            None => self.admit(link, request, random),
            Some(&Fate::SentOn { priority }) => {
                if again || (request.flags.contains(RequestFlags::PRIORITY) && !priority) {
                    self.known.remove(&key);
                    self.forget.retain(|(_, other)| *other != key);
                    self.admit(link, request, random);
                } else {
                    self.refuse(link, key, RefusalCode::DUPLICATE);
                }
            }
            Some(Fate::Ended(message)) => {
                let message = message.clone();
                self.send(link, message);
            }
            Some(&Fate::Waits(place)) if again || harmless => {
                if let Some(waiting) = self.queue.get_mut(&place) {
                    waiting.link = link;
                }
                self.say_position(link, key, place);
            }
            // Who comes again wants the whole result: it begins anew.
            Some(&Fate::Runs(job)) if harmless && !self.is_once(job) => {
                self.abandon(job);
                self.known.remove(&key);
                self.admit(link, request, random);
            }
            Some(&Fate::Runs(job)) if again || self.is_orphan(job) => {
                if let Some(running) = self.running.get_mut(&job) {
                    running.link = Some(link);
                }
                self.send(link, Message::Executing(key.into()));
            }
            Some(Fate::Waits(_) | Fate::Runs(_)) => self.refuse(link, key, RefusalCode::DUPLICATE),
        }
    }

    /// Whether a job must not begin anew, as it was said when it began.
    fn is_once(&self, job: JobId) -> bool {
        self.running.get(&job).is_some_and(|running| running.once)
    }

    fn is_orphan(&self, job: JobId) -> bool {
        self.running.get(&job).is_some_and(|running| running.link.is_none())
    }

    pub(super) fn refuse(&mut self, link: LinkId, key: RequestKey, code: RefusalCode) {
        self.send(link, Message::Refused(Refused { key, code, text: Text::EMPTY, extensions: Extensions::NONE }));
    }

    /// Nobody wants the result of a job any more.
    fn abandon(&mut self, job: JobId) {
        let Some(running) = self.running.get_mut(&job) else { return };
        running.link = None;
        if !core::mem::replace(&mut running.abandoned, true) {
            self.event(Event::Abandoned(job));
        }
    }

    fn cancel(&mut self, link: LinkId, key: RequestKey) {
        match self.known.get(&key) {
            // Before it was carried out: it never will be.
            Some(&Fate::Waits(place)) => {
                if self.queue.get(&place).is_some_and(|waiting| waiting.link == link) {
                    if let Some(waiting) = self.take(place) {
                        self.sent_on(&waiting.request);
                    }
                    self.send(link, Message::Cancelled(key.into()));
                }
            }
            // Too late: its result says so.
            Some(&Fate::Runs(job)) => {
                if let Some(running) = self.running.get_mut(&job)
                    && running.link == Some(link)
                    && !core::mem::replace(&mut running.abandoned, true)
                {
                    self.event(Event::Abandoned(job));
                }
            }
            // It has had its answer, before the cancel came. That it was not carried out would not be known.
            Some(Fate::Ended(_) | Fate::SentOn { .. }) | None => {}
        }
    }

    fn data(&mut self, job: JobId, bytes: bytes::Bytes) {
        if let Some(&Running { key, link: Some(link), .. }) = self.running.get(&job) {
            self.send(link, Message::Data(Data { key, bytes, extensions: Extensions::NONE }));
        }
    }

    fn finish(&mut self, job: JobId, message: impl FnOnce(RequestKey) -> Message) {
        let Some(Running { key, once, link, .. }) = self.running.remove(&job) else { return };
        let message = message(key);
        if let Some(link) = link {
            self.send(link, message.clone());
        }
        // Unless the same request has begun anew.
        if self.known.get(&key) == Some(&Fate::Runs(job)) {
            self.known.remove(&key);
            if once {
                self.remember(key, Fate::Ended(message));
            }
        }
        self.let_in();
    }

    /// A request leaves that was not carried out.
    pub(super) fn sent_on(&mut self, request: &Request) {
        if request.flags.contains(RequestFlags::AGAIN) && !is_harmless(request) {
            let priority = request.flags.contains(RequestFlags::PRIORITY);
            self.remember(request.key, Fate::SentOn { priority });
        }
    }

    fn remember(&mut self, key: RequestKey, fate: Fate) {
        let limit = self.config.limits.remembered;
        if limit == 0 {
            self.has_forgotten = true;
            return;
        }
        while self.forget.len() >= limit {
            self.forget_first();
        }
        self.known.insert(key, fate);
        self.forget.push_back((self.now.saturating_add(self.config.remember), key));
    }

    fn forget_first(&mut self) {
        if let Some((_, key)) = self.forget.pop_front() {
            self.known.remove(&key);
            self.has_forgotten = true;
        }
    }

    /// Who waits on the link waits no longer; what runs for it is remembered.
    fn closed(&mut self, link: LinkId) {
        let gone: Vec<Place> =
            self.queue.iter().filter(|(_, waiting)| waiting.link == link).map(|(place, _)| *place).collect();
        for place in gone {
            if let Some(waiting) = self.take(place) {
                self.sent_on(&waiting.request);
            }
        }
        let wanted = |running: &Running| running.link == Some(link);
        let jobs: Vec<JobId> =
            self.running.iter().filter(|(_, running)| wanted(running)).map(|(job, _)| *job).collect();
        for job in jobs {
            self.abandon(job);
        }
    }

    /// Who waits is sent on; what runs goes on.
    fn stop(&mut self, random: u64) {
        self.go(TableEvent::Stop);
        while let Some(place) = self.queue.keys().next().copied() {
            let Some(Waiting { link, request, .. }) = self.take(place) else { break };
            let read_only = request.flags.contains(RequestFlags::READ_ONLY);
            let alternates = self.alternates(read_only, random.wrapping_add(place.0));
            let defer = self.defer(request.key, DeferKind::NO_SERVICE, alternates);
            self.send(link, Message::Defer(Box::new(defer)));
            self.sent_on(&request);
        }
    }

    fn timeout(&mut self) {
        while let Some(&(at, place)) = self.deadlines.first() {
            if at > self.now {
                break;
            }
            self.deadlines.remove(&(at, place));
            if let Some(Waiting { link, request, .. }) = self.take(place) {
                self.refuse(link, request.key, RefusalCode::DEADLINE);
                self.sent_on(&request);
            }
        }
        while self.forget.front().is_some_and(|(at, _)| *at <= self.now) {
            self.forget_first();
        }
    }

    fn go(&mut self, event: TableEvent) {
        match step(self.state, event) {
            Ok(next) => {
                trace_transition!("deferral server", self.state, event, next);
                self.state = next;
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }
}
