//! What a process does with each input.

use super::table::Event as TableEvent;
use super::{Due, End, Event, Input, Output, Part, Process, State, step};
use crate::error::{Error, Misuse, Violation};
use crate::frame::Extensions;
use crate::group::message::{Enter, Message, Plain, Report, Standing, Welcome};
use crate::group::name::{ProviderId, RequestId, Token};
use crate::group::provider::{self, Provider};
use crate::group::subscriber::{self, Subscriber};
use crate::machine::{LinkId, Machine, trace_transition};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

impl Machine for Process {
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
            Input::Opened(link) => self.opened(link),
            Input::Message { link, message } if self.link == Some(link) => return self.message(link, message),
            Input::Message { .. } => self.event(Event::Ignored("a message on a link that is over")),
            Input::Closed(link) => {
                if self.link == Some(link) {
                    self.lost();
                }
            }
            Input::Join { request, attributes, instance, local_name } => {
                let provider = ProviderId { node: self.config.node, instance, incarnation: self.config.incarnation };
                let config = provider::Config { attributes, provider, local_name };
                let provider = Provider::new(config, request, now);
                self.parts.insert(request, Part::Provider(Box::new(provider), None));
                self.drain(request);
            }
            Input::Subscribe { request, group, subscription } => {
                let subscriber = Subscriber::new(group, subscription, request);
                self.parts.insert(request, Part::Subscriber(subscriber));
                self.drain(request);
            }
            Input::Provider { request, input } => return self.feed(request, input),
            Input::Unsubscribe(request) => return self.feed_subscriber(request, subscriber::Input::Unsubscribe),
            Input::Quit => self.quit(),
            Input::Timeout => self.timeout(),
        }
        Ok(())
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    fn state(&self) -> State {
        self.state
    }
}

impl Process {
    /// Everything that our caller can do wrong; nothing changes.
    fn validate(&self, input: &Input) -> Result<(), Misuse> {
        let wrong_state = Err(Misuse::WrongState { state: self.state.name(), input: input.name() });
        match input {
            Input::Timeout => Ok(()),
            _ if self.state == State::Over => wrong_state,
            Input::Opened(_) if self.state != State::Outside => wrong_state,
            Input::Join { .. } | Input::Subscribe { .. } if self.state != State::Inside => wrong_state,
            Input::Join { request, .. } | Input::Subscribe { request, .. } if self.parts.contains_key(request) => {
                Err(Misuse::Argument { what: "request", reason: "a number that no other has" })
            }
            Input::Join { attributes, .. } if attributes.check().is_err() => {
                Err(Misuse::Argument { what: "attributes", reason: "attributes that make sense" })
            }
            Input::Provider { request, input } => {
                use provider::Input::{Lost, Message, Reentered, Timeout};
                if matches!(input, Message(_) | Lost | Reentered | Timeout) {
                    return Err(Misuse::Argument { what: "input", reason: "what a provider says itself" });
                }
                let known = self.provider(*request).ok_or(Misuse::Unknown { what: "provider", id: request.0 })?;
                known.validate(input)
            }
            Input::Unsubscribe(request) => {
                let known = self.subscriber(*request).ok_or(Misuse::Unknown { what: "subscriber", id: request.0 })?;
                known.validate(&subscriber::Input::Unsubscribe)
            }
            _ => Ok(()),
        }
    }

    /// Tells a coordinator who it is, and what it knows.
    fn opened(&mut self, link: LinkId) {
        self.link = Some(link);
        self.reported = false;
        self.farewells.clear();
        self.go(TableEvent::Opened);
        let reports = self.tokens.len();
        let milliseconds = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        let enter = Enter {
            node: self.config.node,
            incarnation: self.config.incarnation,
            epoch: self.epoch,
            ping_interval_ms: milliseconds(self.config.ping_interval),
            pong_limit_ms: milliseconds(self.config.pong_limit),
            reports: u32::try_from(reports).unwrap_or(u32::MAX),
            credentials: self.config.credentials.0.clone(),
            extensions: Extensions::NONE,
        };
        self.send(link, Message::Enter(Box::new(enter)));
    }

    /// Says what it knows.
    fn report(&mut self, link: LinkId) {
        let standings = self.parts.values().filter_map(|part| match part {
            Part::Provider(provider, _) => provider.standing(),
            Part::Subscriber(subscriber) => subscriber.standing(),
        });
        let mut standings: Vec<Option<Box<Standing>>> = standings.map(|standing| Some(Box::new(standing))).collect();
        if standings.is_empty() {
            standings.push(None);
        }
        let mut remaining = u32::try_from(standings.len()).unwrap_or(u32::MAX);
        for standing in standings {
            remaining = remaining.saturating_sub(1);
            self.send(link, Message::Report(Report { remaining, standing, extensions: Extensions::NONE }));
        }
        self.reported = true;
    }

    fn message(&mut self, link: LinkId, message: Message) -> Result<(), Error> {
        match message {
            Message::Unknown { .. } => Ok(()),
            Message::Dissolved(dissolved) if dissolved.token.is_none() => {
                self.each(
                    |_| provider::Input::Message(Message::Dissolved(dissolved.clone())),
                    || subscriber::Input::Message(Message::Dissolved(dissolved.clone())),
                );
                self.outbox.push(Output::Close(link));
                self.end(End::Dissolved(dissolved.reason));
                Ok(())
            }
            Message::Redirect(redirect) => {
                if redirect.epoch < self.epoch {
                    self.event(Event::Ignored("an old reign"));
                } else {
                    self.event(Event::Redirected { epoch: redirect.epoch, address: redirect.address });
                }
                self.outbox.push(Output::Close(link));
                self.lost();
                Ok(())
            }
            Message::Query(query) if self.state == State::Entering && !self.reported && query.epoch >= self.epoch => {
                self.report(link);
                Ok(())
            }
            Message::Welcome(welcome) if self.state == State::Entering => self.welcomed(link, &welcome),
            message if self.state == State::Inside => self.inside(link, message),
            _ => Err(self.violated(link, "WELCOME", "something else")),
        }
    }

    fn welcomed(&mut self, link: LinkId, welcome: &Welcome) -> Result<(), Error> {
        if welcome.epoch < self.epoch {
            return Err(self.violated(link, "a reign that is not over", "an earlier one"));
        }
        if self.domain.is_some_and(|domain| domain != welcome.domain && !self.parts.is_empty()) {
            return Err(self.violated(link, "the same domain", "another one"));
        }
        (self.domain, self.epoch) = (Some(welcome.domain), welcome.epoch);
        self.deadlines.retain(|(_, due)| *due != Due::Reenter);
        self.go(TableEvent::Welcomed);
        self.event(Event::Entered { domain: welcome.domain, epoch: welcome.epoch });
        self.each_provider(|_| provider::Input::Reentered);
        // Who has gone since it was reported has not been heard.
        for message in core::mem::take(&mut self.farewells) {
            self.send(link, message);
        }
        Ok(())
    }

    /// Gives a message to whom it is for.
    fn inside(&mut self, link: LinkId, message: Message) -> Result<(), Error> {
        let token = match &message {
            Message::Ping(ping) => {
                self.send(link, Message::Pong(ping.clone()));
                return Ok(());
            }
            Message::Accepted(accepted) => {
                let (request, token) = (accepted.request, accepted.token);
                let waits = self.parts.contains_key(&request) && !self.held.contains_key(&request);
                if waits {
                    if self.tokens.contains_key(&token) {
                        return Err(self.violated(link, "a token that is nobody's", "one that somebody has"));
                    }
                    self.tokens.insert(token, request);
                    self.held.insert(request, token);
                }
                return self.deliver(Some(request), message);
            }
            Message::DelayedError(error) => match error.token {
                Some(token) => token,
                None => return self.deliver(Some(error.request), message),
            },
            Message::Phase(phase) => phase.token,
            Message::Approved(ended) | Message::Rejected(ended) => ended.token,
            Message::Announcement(announcement) => announcement.token,
            Message::Notice(notice) => notice.token,
            Message::View(view) => view.token,
            Message::Dissolved(dissolved) => dissolved.token.unwrap_or(Token { index: 0, generation: 0 }),
            _ => return Err(self.violated(link, "what coordinators send", "what processes send")),
        };
        let request = self.tokens.get(&token).copied();
        self.deliver(request, message)
    }

    fn deliver(&mut self, request: Option<RequestId>, message: Message) -> Result<(), Error> {
        let part = request.and_then(|request| Some((request, self.parts.get(&request)?)));
        let result = match part {
            Some((request, Part::Provider(..))) => self.feed(request, provider::Input::Message(message)),
            Some((request, Part::Subscriber(_))) => self.feed_subscriber(request, subscriber::Input::Message(message)),
            None => {
                self.event(Event::Ignored("a message for nobody who is there"));
                Ok(())
            }
        };
        if let (Err(_), Some(link)) = (&result, self.link) {
            self.outbox.push(Output::Close(link));
            self.lost();
        }
        result
    }

    /// Gives a provider something.
    fn feed(&mut self, request: RequestId, input: provider::Input) -> Result<(), Error> {
        let Some(Part::Provider(provider, _)) = self.parts.get_mut(&request) else { return Ok(()) };
        let result = provider.handle(self.now, input);
        self.drain(request);
        result
    }

    fn feed_subscriber(&mut self, request: RequestId, input: subscriber::Input) -> Result<(), Error> {
        let Some(Part::Subscriber(subscriber)) = self.parts.get_mut(&request) else { return Ok(()) };
        let result = subscriber.handle(self.now, input);
        self.drain(request);
        result
    }

    /// Passes on what a provider or a subscriber wants. Once it is gone it is forgotten.
    fn drain(&mut self, request: RequestId) {
        let Self { parts, tokens, held, deadlines, farewells, outbox, link, state, .. } = self;
        let link = link.filter(|_| *state == State::Inside);
        let reported = self.reported && *state == State::Entering;
        let mut send = |message: Message, outbox: &mut crate::machine::Outbox<Output>| match link {
            Some(link) => outbox.push(Output::Send { link, message }),
            None if reported && matches!(message, Message::Goodbye(_) | Message::Unsubscribe(_)) => {
                farewells.push(message);
            }
            None => {}
        };
        let gone = match parts.get_mut(&request) {
            Some(Part::Provider(provider, deadline)) => {
                while let Some(output) = provider.poll_output() {
                    match output {
                        provider::Output::Send(message) => send(message, outbox),
                        provider::Output::Event(event) => {
                            outbox.push(Output::Event(Event::Provider { request, event }));
                        }
                    }
                }
                let next = provider.poll_timeout();
                if next != *deadline {
                    if let Some(before) = core::mem::replace(deadline, next) {
                        deadlines.remove(&(before, Due::Provider(request)));
                    }
                    deadlines.extend(next.map(|at| (at, Due::Provider(request))));
                }
                provider.state() == provider::State::Gone
            }
            Some(Part::Subscriber(subscriber)) => {
                while let Some(output) = subscriber.poll_output() {
                    match output {
                        subscriber::Output::Send(message) => send(message, outbox),
                        subscriber::Output::Event(event) => {
                            outbox.push(Output::Event(Event::Subscriber { request, event }));
                        }
                    }
                }
                subscriber.state() == subscriber::State::Gone
            }
            None => false,
        };
        if gone {
            parts.remove(&request);
            if let Some(token) = held.remove(&request) {
                tokens.remove(&token);
            }
        }
    }

    /// The link is lost. Who has a place in a group keeps it for a while.
    fn lost(&mut self) {
        self.link = None;
        self.go(TableEvent::Lost);
        let requests: Vec<RequestId> = self.parts.keys().copied().collect();
        let stays = !self.config.reenter.is_zero();
        for request in requests {
            let has_token = self.parts.get(&request).is_some_and(|part| match part {
                Part::Provider(provider, _) => provider.token().is_some(),
                Part::Subscriber(subscriber) => subscriber.token().is_some(),
            });
            if !has_token || !stays {
                self.lose(request);
            }
        }
        self.event(Event::Orphaned);
        let is_waiting = self.deadlines.iter().any(|(_, due)| *due == Due::Reenter);
        if !self.parts.is_empty() && !is_waiting {
            self.deadlines.insert((self.now.saturating_add(self.config.reenter), Due::Reenter));
        }
    }

    fn lose(&mut self, request: RequestId) {
        // They take it in every state.
        _ = self.feed(request, provider::Input::Lost);
        _ = self.feed_subscriber(request, subscriber::Input::Lost);
    }

    fn each_provider(&mut self, input: impl Fn(RequestId) -> provider::Input) {
        let requests: Vec<RequestId> = self.parts.keys().copied().collect();
        for request in requests {
            _ = self.feed(request, input(request));
        }
    }

    fn each(&mut self, provider: impl Fn(RequestId) -> provider::Input, subscriber: impl Fn() -> subscriber::Input) {
        let requests: Vec<RequestId> = self.parts.keys().copied().collect();
        for request in requests {
            _ = self.feed(request, provider(request));
            _ = self.feed_subscriber(request, subscriber());
        }
    }

    fn quit(&mut self) {
        if let Some(link) = self.link {
            if self.state == State::Inside {
                self.send(link, Message::Quit(Plain { extensions: Extensions::NONE }));
            }
            self.outbox.push(Output::Close(link));
        }
        self.lose_all();
        self.end(End::Quit);
    }

    fn lose_all(&mut self) {
        let requests: Vec<RequestId> = self.parts.keys().copied().collect();
        for request in requests {
            self.lose(request);
        }
    }

    fn timeout(&mut self) {
        while let Some(&(at, due)) = self.deadlines.first() {
            if at > self.now {
                break;
            }
            match due {
                Due::Reenter => {
                    if let Some(link) = self.link {
                        self.outbox.push(Output::Close(link));
                    }
                    self.lose_all();
                    self.end(End::Lost);
                }
                Due::Provider(request) => _ = self.feed(request, provider::Input::Timeout),
            }
            self.deadlines.remove(&(at, due));
        }
    }

    fn end(&mut self, end: End) {
        self.link = None;
        self.deadlines.clear();
        self.go(TableEvent::Ended);
        self.event(Event::Ended(end));
    }

    /// The coordinator has broken the protocol: the link is over, and another one is looked for.
    #[cold]
    fn violated(&mut self, link: LinkId, expected: &'static str, got: &'static str) -> Error {
        let state = self.state.name();
        self.outbox.push(Output::Close(link));
        self.lost();
        Violation { state, expected, got }.into()
    }

    fn send(&mut self, link: LinkId, message: Message) {
        self.outbox.push(Output::Send { link, message });
    }

    fn event(&mut self, event: Event) {
        self.outbox.push(Output::Event(event));
    }

    fn go(&mut self, event: TableEvent) {
        match step(self.state, event) {
            Ok(next) => {
                trace_transition!("group process", self.state, event, next);
                self.state = next;
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }
}
