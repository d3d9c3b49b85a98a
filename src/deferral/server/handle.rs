//! What a server does with each input.

use super::table::Event as TableEvent;
use super::{Event, Fate, Input, JobId, Output, Running, Server, State, step};
use crate::deferral::ids::{DeferKind, RefusalCode};
use crate::deferral::message::{Data, End, Message, Refused, Request, RequestKey};
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
            Input::Closed(link) => self.closed(link),
            Input::Data { job, bytes } => self.data(job, bytes),
            Input::End { job, status, text } => {
                self.finish(job, |key| Message::End(End { key, status, text, extensions: Extensions::NONE }));
            }
            Input::Continue { job, next, read_only, random } => {
                let alternates = self.alternates(read_only, random);
                let defer = |server: &Self, key| server.defer(key, DeferKind::CONTINUE, alternates, Some(next));
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
            Input::Stop => self.stop(),
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
            Input::Alternates(alternates) if alternates.len() > 1024 => {
                let got = to_u64(alternates.len());
                Err(Misuse::Limit(Limit { what: "alternates", limit: 1024, got }))
            }
            Input::Message { .. } | Input::Closed(_) | Input::Alternates(_) => Ok(()),
            Input::Drain | Input::Serve | Input::Stop | Input::Timeout => {
                let _ = input.name();
                Ok(())
            }
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
                let (state, expected, got) = (self.state.name(), "a request or a cancel", "what servers send");
                return Err(Violation { state, expected, got }.into());
            }
        }
        Ok(())
    }

    fn request(&mut self, link: LinkId, request: Box<Request>, random: u64) {
        let key = request.key;
        match self.known.get(&key) {
            None => self.admit(link, request, random),
            Some(Fate::Ended(message)) => {
                let message = message.clone();
                self.send(link, message);
            }
            // It comes again, since its first link was lost.
            Some(Fate::Runs(job)) => {
                let running = self.running.get_mut(job).filter(|running| running.link.is_none());
                match running {
                    Some(running) => {
                        running.link = Some(link);
                        self.send(link, Message::Executing(key.into()));
                    }
                    None => self.duplicate(link, key),
                }
            }
            Some(Fate::Waits) => self.duplicate(link, key),
        }
    }

    fn duplicate(&mut self, link: LinkId, key: RequestKey) {
        let code = RefusalCode::DUPLICATE;
        self.send(link, Message::Refused(Refused { key, code, text: Text::EMPTY, extensions: Extensions::NONE }));
    }

    fn cancel(&mut self, link: LinkId, key: RequestKey) {
        match self.known.get(&key) {
            // Before it was carried out: it never will be.
            Some(Fate::Waits) => {
                let owner = self.queue.iter().find(|waiting| waiting.request.key == key).map(|waiting| waiting.link);
                if owner == Some(link) {
                    self.take(key);
                    self.send(link, Message::Cancelled(key.into()));
                }
            }
            // Too late: its result says so.
            Some(Fate::Runs(_) | Fate::Ended(_)) => {}
            // It was never here, or was sent on.
            None => self.send(link, Message::Cancelled(key.into())),
        }
    }

    fn data(&mut self, job: JobId, bytes: bytes::Bytes) {
        if let Some(&Running { key, link: Some(link) }) = self.running.get(&job) {
            self.send(link, Message::Data(Data { key, bytes, extensions: Extensions::NONE }));
        }
    }

    fn finish(&mut self, job: JobId, message: impl FnOnce(RequestKey) -> Message) {
        let Some(Running { key, link }) = self.running.remove(&job) else { return };
        let message = message(key);
        if let Some(link) = link {
            self.send(link, message.clone());
        }
        self.remember(key, message);
        self.let_in();
    }

    fn remember(&mut self, key: RequestKey, message: Message) {
        let limit = self.config.limits.remembered;
        while self.forget.len() >= limit.max(1) {
            self.forget_first();
        }
        self.known.insert(key, Fate::Ended(message));
        self.forget.push_back((self.now.saturating_add(self.config.remember), key));
    }

    fn forget_first(&mut self) {
        if let Some((_, key)) = self.forget.pop_front() {
            self.known.remove(&key);
        }
    }

    /// Who waits on the link waits no longer; what runs for it is remembered.
    fn closed(&mut self, link: LinkId) {
        let gone: Vec<RequestKey> =
            self.queue.iter().filter(|waiting| waiting.link == link).map(|waiting| waiting.request.key).collect();
        for key in gone {
            self.take(key);
        }
        let mut abandoned = Vec::new();
        for (job, running) in &mut self.running {
            if running.link == Some(link) {
                running.link = None;
                abandoned.push(*job);
            }
        }
        for job in abandoned {
            self.event(Event::Abandoned(job));
        }
    }

    /// Who waits is sent on; what runs goes on.
    fn stop(&mut self) {
        self.go(TableEvent::Stop);
        while let Some(key) = self.queue.front().map(|waiting| waiting.request.key) {
            let Some(waiting) = self.take(key) else { break };
            let defer = self.defer(key, DeferKind::NO_SERVICE, Vec::new(), None);
            self.send(waiting.link, Message::Defer(Box::new(defer)));
        }
    }

    fn timeout(&mut self) {
        while let Some(&(at, key)) = self.deadlines.first() {
            if at > self.now {
                break;
            }
            self.deadlines.remove(&(at, key));
            if let Some(waiting) = self.take(key) {
                let code = RefusalCode::DEADLINE;
                let refused = Refused { key, code, text: Text::EMPTY, extensions: Extensions::NONE };
                self.send(waiting.link, Message::Refused(refused));
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
