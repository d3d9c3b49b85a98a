//! What a client does with each input.

use super::table::Event as TableEvent;
use super::{Cancelling, Client, Contact, Event, Failure, Input, Outcome, Output, Peer, Piece, Standing, State, step};
use crate::deferral::ids::{DeferKind, RefusalCode, RequestFlags};
use crate::deferral::message::{Defer, End, Message, Queued, Refused, Request, RequestKey, milliseconds};
use crate::deferral::uri::ServerUri;
use crate::error::{Error, Misuse, Violation, to_u64};
use crate::frame::{Extensions, Native as _};
use crate::machine::{LinkId, Machine, trace_transition};
use crate::time::Instant;
use alloc::boxed::Box;
use bytes::Bytes;
use core::time::Duration;

impl Machine for Client {
    type Input<'a> = Input;
    type Output = Output;
    type State = State;

    fn handle(&mut self, now: Instant, input: Input) -> Result<(), Error> {
        self.outbox.check_room(self.config.limits.outputs)?;
        self.validate(&input)?;
        let now = self.now.max(now);
        if matches!(input, Input::Timeout) && self.deadline.is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        self.now = now;
        match input {
            Input::Opened { peer, .. } => self.opened(peer),
            Input::Message { message, .. } => return self.message(message),
            Input::Closed(_) => self.lost(),
            Input::Wait(true) => self.go_round_again(),
            Input::Wait(false) => self.end(Outcome::Cancelled { carried_out: self.key.epoch }),
            Input::Cancel => self.cancel(),
            Input::Timeout => self.timeout(),
        }
        Ok(())
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    fn state(&self) -> State {
        self.state
    }
}

impl Client {
    /// Everything that our caller can do wrong; nothing changes.
    fn validate(&self, input: &Input) -> Result<(), Misuse> {
        let wrong_state = Err(Misuse::WrongState { state: self.state.name(), input: input.name() });
        match input {
            Input::Timeout => Ok(()),
            _ if self.is_over() => wrong_state,
            Input::Opened { link, .. } | Input::Message { link, .. } | Input::Closed(link)
                if self.link() != Some(*link) =>
            {
                Err(Misuse::Unknown { what: "link", id: link.0 })
            }
            Input::Opened { .. } if self.state != State::Dialling => wrong_state,
            Input::Message { .. } if self.state == State::Dialling => wrong_state,
            Input::Wait(_) if self.state != State::Asking => wrong_state,
            Input::Cancel if self.cancelling() == Some(Cancelling::User) => wrong_state,
            _ => Ok(()),
        }
    }

    fn link(&self) -> Option<LinkId> {
        self.contact.map(|contact| contact.link)
    }

    fn cancelling(&self) -> Option<Cancelling> {
        self.contact.and_then(|contact| contact.cancelling)
    }

    fn opened(&mut self, peer: Peer) {
        let Some(contact) = &mut self.contact else { return };
        contact.peer = peer;
        let Contact { link, server: index, before, .. } = *contact;
        match before {
            // It has forgotten, or is another: it must not be asked to do again what may have been done.
            Some(before) if before != peer => return self.indeterminate(index),
            Some(_) => {}
            None if self.is_alias(index, peer.id) => {
                self.file(index, Standing::Alias);
                self.outbox.push(Output::Close(link));
                return self.next();
            }
            None => {}
        }
        if let Some(server) = self.servers.get_mut(index) {
            server.id = peer.id;
        }
        self.ask(link, index, before.is_some(), peer.max_body);
    }

    /// Sends the request.
    fn ask(&mut self, link: LinkId, index: usize, again: bool, max_body: Option<u32>) {
        let Some(server) = self.servers.get(index) else { return };
        let mut flags = self.flags;
        flags.set(RequestFlags::PRIORITY, self.priority);
        flags.set(RequestFlags::AGAIN, again);
        let own = self.is_own(&server.uri);
        let deadline = self.task.deadline.map_or(0, |deadline| u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX));
        let request = Request {
            key: self.key,
            flags,
            // A deadline of no time at all would mean that there is none.
            deadline_ms: if self.task.deadline.is_some() { deadline.max(1) } else { 0 },
            receipt: server.receipt.clone(),
            credentials: if own { self.task.credentials.0.clone() } else { Bytes::new() },
            referrer: server.referrer.clone(),
            command: self.command.clone(),
            extensions: Extensions::NONE,
        };
        let message = Message::Request(Box::new(request));
        let size = to_u64(message.body_len());
        if max_body.is_some_and(|most| size > u64::from(most)) {
            return self.does_not_fit(link, index, again);
        }
        self.outbox.push(Output::Send { link, message });
        self.wait(self.config.answer_timeout);
        self.go(TableEvent::Opened);
    }

    /// The server does not take so large a request.
    fn does_not_fit(&mut self, link: LinkId, index: usize, again: bool) {
        if again {
            return self.indeterminate(index);
        }
        self.file(index, Standing::Declined);
        self.outbox.push(Output::Close(link));
        self.next();
    }

    fn message(&mut self, message: Message) -> Result<(), Error> {
        // What is about another command of the chain has crossed something.
        if message.key() != Some(self.key) {
            return Ok(());
        }
        let executing = self.state == State::Executing;
        match message {
            // (A refusal is the application's, which has looked at the command only now.)
            Message::Queued(_) | Message::Executing(_) | Message::Cancelled(_) if executing => {
                return Err(self.violated("the result, a continuation or a refusal", "something that comes before it"));
            }
            Message::Queued(queued) => self.queued(&queued),
            Message::Executing(_) => self.executing(),
            Message::Data(data) => {
                self.executing();
                self.event(Event::Data(Piece(data.bytes)));
            }
            Message::End(End { status, text, .. }) => {
                self.executing();
                let Some(server) = self.asked() else { return Ok(()) };
                let complete = self.contact.is_some_and(|contact| contact.before.is_none());
                self.end(Outcome::Done { server, status, text, complete });
            }
            Message::Defer(defer) => return self.deferred(*defer),
            Message::Cancelled(_) => return self.cancelled(),
            Message::Refused(refused) => self.refused(refused),
            Message::Request(_) | Message::Cancel(_) => {
                return Err(self.violated("an answer", "what clients send"));
            }
            Message::Unknown { .. } => {}
        }
        Ok(())
    }

    fn queued(&mut self, queued: &Queued) {
        let Some(server) = self.asked() else { return };
        let estimate = queued.estimate_ms.map(milliseconds);
        if self.state == State::Waiting && self.cancelling().is_none() {
            self.wait(self.config.queue_timeout);
        }
        self.go(TableEvent::Queued);
        self.event(Event::Queued { server, position: queued.position, estimate });
    }

    /// From here on nobody else is asked.
    fn executing(&mut self) {
        if self.state == State::Executing {
            return;
        }
        if self.cancelling() != Some(Cancelling::User) {
            self.wait(self.config.execute_timeout);
            if let Some(contact) = &mut self.contact {
                contact.cancelling = None;
            }
        }
        self.go(TableEvent::Executing);
        if let Some(server) = self.asked() {
            self.event(Event::Executing(server));
        }
    }

    fn deferred(&mut self, defer: Defer) -> Result<(), Error> {
        let Some(Contact { link, server: index, .. }) = self.contact else { return Ok(()) };
        let executing = self.state == State::Executing;
        let continues = defer.kind == DeferKind::CONTINUE;
        if executing && !continues {
            return Err(self.violated("the result, or a continuation", "a deferral"));
        }
        if continues != defer.next.is_some() {
            return Err(self.violated("a next command in a continuation, and only there", "a deferral"));
        }
        let Some(server) = self.servers.get(index) else { return Ok(()) };
        let event = Event::Deferred { server: server.uri.clone(), kind: defer.kind, reason: defer.reason };
        self.event(event);
        let user = self.is_given_up();
        if let Some(next) = defer.next {
            let carried_out = self.key.epoch.saturating_add(1);
            self.unsure = None;
            if user {
                self.end(Outcome::Cancelled { carried_out });
                return Ok(());
            }
            self.event(Event::Continued(next.clone()));
            if carried_out > self.config.limits.continuations {
                let report = self.report();
                self.end(Outcome::Failed(Failure::ContinuedTooOften, report));
                return Ok(());
            }
            self.command = next;
            self.flags = defer.next_flags & (RequestFlags::READ_ONLY | RequestFlags::IDEMPOTENT);
            self.key = RequestKey { id: self.key.id, epoch: carried_out };
            self.priority &= self.config.keep_priority;
            self.outbox.push(Output::Close(link));
            self.begin_epoch(index, defer.alternates, &defer.receipt);
            self.next();
            return Ok(());
        }
        if user {
            self.end(Outcome::Cancelled { carried_out: self.key.epoch });
            return Ok(());
        }
        let standing = match (defer.kind, self.priority) {
            (DeferKind::BUSY, false) => Standing::Busy,
            (DeferKind::PREFER_OTHER, false) => Standing::Lazy,
            // Who is able must not defer a client that has been round the block.
            (DeferKind::BUSY | DeferKind::PREFER_OTHER, true) => Standing::Violator,
            _ => Standing::Declined,
        };
        self.file(index, standing);
        self.note_load(index, defer.estimate_ms, defer.retry_after_ms);
        self.merge(index, defer.alternates, &defer.receipt);
        self.outbox.push(Output::Close(link));
        self.next();
        Ok(())
    }

    fn refused(&mut self, refused: Refused) {
        let Some(Contact { link, server: index, before, .. }) = self.contact else { return };
        self.file(index, Standing::Declined);
        // It has had it once, or is still busy with what was lost.
        let had = refused.code == RefusalCode::DUPLICATE && (before.is_some() || self.is_harmless());
        if had || refused.code == RefusalCode::FORGOTTEN {
            if !self.is_harmless() {
                return self.indeterminate(index);
            }
            self.may_have_run(index);
        }
        if self.is_given_up() {
            return self.end(Outcome::Cancelled { carried_out: self.key.epoch });
        }
        let Some(server) = self.asked() else { return };
        let elsewhere = match refused.code {
            RefusalCode::DEADLINE | RefusalCode::OVERLOADED | RefusalCode::FORGOTTEN => true,
            // A stranger was shown no credentials.
            RefusalCode::UNAUTHORIZED => !self.is_own(&server),
            RefusalCode::DUPLICATE => self.is_harmless(),
            _ => false,
        };
        if elsewhere {
            self.outbox.push(Output::Close(link));
            return self.next();
        }
        let report = self.report();
        let failure = Failure::Refused { server, code: refused.code, text: refused.text };
        self.end(Outcome::Failed(failure, report));
    }

    /// The server says that the request was not carried out, since it was told to forget it.
    fn cancelled(&mut self) -> Result<(), Error> {
        let Some(Contact { link, server, cancelling, .. }) = self.contact else { return Ok(()) };
        match cancelling {
            Some(Cancelling::User) => self.end(Outcome::Cancelled { carried_out: self.key.epoch }),
            Some(Cancelling::Impatience) => {
                self.file(server, Standing::Declined);
                self.outbox.push(Output::Close(link));
                self.next();
            }
            None => return Err(self.violated("an answer", "the answer to a cancel")),
        }
        Ok(())
    }

    fn cancel(&mut self) {
        match (self.state, self.contact) {
            (State::Dialling, Some(Contact { server, before: Some(_), .. })) if !self.is_read_only() => {
                self.indeterminate(server);
            }
            (State::Dialling | State::Pausing | State::Asking, _) => {
                self.end(Outcome::Cancelled { carried_out: self.key.epoch });
            }
            _ => self.send_cancel(Cancelling::User),
        }
    }

    fn send_cancel(&mut self, why: Cancelling) {
        let Some(contact) = &mut self.contact else { return };
        let first = contact.cancelling.replace(why).is_none();
        let link = contact.link;
        if first {
            self.outbox.push(Output::Send { link, message: Message::Cancel(self.key.into()) });
        }
        self.wait(self.config.cancel_timeout);
    }

    fn timeout(&mut self) {
        match (self.state, self.cancelling()) {
            (State::Asking, _) => self.end(Outcome::Cancelled { carried_out: self.key.epoch }),
            (State::Pausing, _) => self.next(),
            // It may be carried out at any moment: first it must be known that it is not.
            (State::Waiting | State::Queued, None) => self.send_cancel(Cancelling::Impatience),
            _ => {
                if let Some(Contact { link, .. }) = self.contact {
                    self.outbox.push(Output::Close(link));
                }
                self.lost();
            }
        }
    }

    fn lost(&mut self) {
        let given_up = self.is_given_up();
        let Some(Contact { server: index, peer, before, .. }) = self.contact.take() else { return };
        self.file(index, Standing::Dead);
        let sent_now = self.state != State::Dialling;
        if !sent_now && before.is_none() {
            self.next();
        } else if self.is_harmless() {
            self.may_have_run(index);
            self.next_unless(given_up);
        } else if sent_now && before.is_none() && peer.memory.is_some() && !given_up {
            self.dial(index, Some(peer));
        } else {
            self.indeterminate(index);
        }
    }

    /// A server that has broken the protocol: nothing that it says is to be relied on.
    #[cold]
    fn violated(&mut self, expected: &'static str, got: &'static str) -> Error {
        let violation = Violation { state: self.state.name(), expected, got };
        let given_up = self.is_given_up();
        if let Some(Contact { link, server: index, .. }) = self.contact.take() {
            self.outbox.push(Output::Close(link));
            self.file(index, Standing::Violator);
            if self.is_harmless() {
                self.may_have_run(index);
                self.next_unless(given_up);
            } else {
                self.indeterminate(index);
            }
        }
        violation.into()
    }

    /// What a server has had and has not said the end of may have changed something.
    const fn may_have_run(&mut self, index: usize) {
        if !self.is_read_only() {
            self.unsure = Some(index);
        }
    }

    fn next_unless(&mut self, given_up: bool) {
        if given_up { self.end(Outcome::Cancelled { carried_out: self.key.epoch }) } else { self.next() }
    }

    fn indeterminate(&mut self, index: usize) {
        let Some(server) = self.servers.get_mut(index) else { return };
        if server.standing == Standing::Asked {
            server.standing = Standing::Dead;
        }
        let server = server.uri.clone();
        let report = self.report();
        self.end(Outcome::Indeterminate { server, report });
    }

    /// Whether nothing is wrong with its being carried out twice.
    const fn is_harmless(&self) -> bool {
        self.flags.intersects(RequestFlags::READ_ONLY.union(RequestFlags::IDEMPOTENT))
    }

    pub(super) const fn is_read_only(&self) -> bool {
        self.flags.contains(RequestFlags::READ_ONLY)
    }

    /// Whether the user wants the command no longer.
    fn is_given_up(&self) -> bool {
        self.cancelling() == Some(Cancelling::User)
    }

    /// Whether a server is one of those that the command began with, and may see the credentials.
    fn is_own(&self, server: &ServerUri) -> bool {
        self.task.servers.iter().any(|own| own.same_origin(server))
    }

    /// The server that is asked.
    fn asked(&self) -> Option<ServerUri> {
        let index = self.contact?.server;
        self.servers.get(index).map(|server| server.uri.clone())
    }

    fn wait(&mut self, time: Duration) {
        self.deadline = Some(self.now.saturating_add(time));
    }

    pub(super) fn go(&mut self, event: TableEvent) {
        match step(self.state, event) {
            Ok(next) => {
                trace_transition!("deferral client", self.state, event, next);
                self.state = next;
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }
}
