//! What a channel does with each input.

use super::table::Event as TableEvent;
use super::waiters::{Match, Waiter};
use super::{
    Answer, Channel, Destination, DropReason, Event, Failure, Input, Item, MessageId, Output, Payload, Place,
    RequestId, RequestOptions, RequestTimeout, Response, State, Timer, To,
};
use crate::error::{Error, Limit, Misuse, Violation, to_u64};
use crate::machine::{LinkId, Machine};
use crate::repmgr::ids::ErrorCode;
use crate::repmgr::message::{AppMessage, Wanted};
use crate::repmgr::segments::Segments;
use crate::repmgr::via::Via;
use crate::time::Instant;
use crate::wire::Encode;

impl Machine for Channel {
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
        let result = self.apply(input);
        self.settle();
        self.deadline = self.timers.first().map(|(at, _)| *at);
        result
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

impl Channel {
    /// Everything that our caller can do wrong; nothing changes.
    fn validate(&self, input: &Input) -> Result<(), Misuse> {
        let wrong_state = || Misuse::WrongState { state: self.state.name(), input: input.name() };
        if self.state == State::Closed {
            return if matches!(input, Input::Timeout) { Ok(()) } else { Err(wrong_state()) };
        }
        match input {
            Input::Timeout | Input::CloseNow => Ok(()),
            Input::Master(_) if !matches!(self.to, To::Master) => {
                Err(Misuse::Refused { what: "Master", reason: "the channel is for one site" })
            }
            Input::Master(_) => Ok(()),
            Input::Connect | Input::Send { .. } | Input::Request { .. } | Input::Close
                if self.state == State::Draining =>
            {
                Err(wrong_state())
            }
            Input::Close => Ok(()),
            Input::Connect => self.check_destination("Connect"),
            Input::Send { id, segments } => {
                self.check_destination("Send")?;
                AppMessage::check_bounds(segments, &self.config.limits)?;
                if self.held_messages.contains(id) {
                    return Err(Misuse::Duplicate { what: "message", id: id.0 });
                }
                self.check_room(segments)
            }
            Input::Request { id, segments, .. } => {
                self.check_destination("Request")?;
                AppMessage::check_bounds(segments, &self.config.limits)?;
                if self.requests.contains_key(id) {
                    return Err(Misuse::Duplicate { what: "request", id: id.0 });
                }
                let (limit, got) = (self.config.limits.requests, self.unanswered().saturating_add(1));
                if got > limit {
                    let (limit, got) = (to_u64(limit), to_u64(got));
                    return Err(Misuse::Limit(Limit { what: "requests", limit, got }));
                }
                self.check_room(segments)
            }
            Input::Ready(link) => match self.links.get(link) {
                Some(found) if !found.up => Ok(()),
                Some(_) => Err(wrong_state()),
                None => Err(unknown(*link)),
            },
            Input::Received { via: Via::Local, answer } if self.local.was_given(answer.tag()) => Ok(()),
            Input::Received { via: Via::Local, .. } => {
                Err(Misuse::Argument { what: "tag", reason: "no request of this site has it" })
            }
            Input::Received { via: Via::Link(link), .. } => match self.links.get(link) {
                Some(found) if found.up => Ok(()),
                Some(_) => Err(wrong_state()),
                None => Err(unknown(*link)),
            },
            Input::Closed(link) | Input::Congested(link) | Input::Drained(link) => {
                if self.links.contains_key(link) {
                    Ok(())
                } else {
                    Err(unknown(*link))
                }
            }
        }
    }

    fn check_destination(&self, what: &'static str) -> Result<(), Misuse> {
        match self.destination() {
            Some(_) => Ok(()),
            None => Err(Misuse::Refused { what, reason: "no master is known" }),
        }
    }

    fn check_room(&self, segments: &Segments) -> Result<(), Misuse> {
        if self.way().is_some() {
            return Ok(());
        }
        let limits = &self.config.limits;
        self.held.check_weight(segments.encoded_len(), limits.held_messages, limits.held_bytes)
    }

    fn apply(&mut self, input: Input) -> Result<(), Error> {
        match input {
            Input::Master(master) => self.move_to(master),
            Input::Connect => {
                if self.current.is_none() {
                    self.dial_if_remote();
                }
            }
            Input::Send { id, segments } => {
                let deadline = self.config.send_timeout.map(|time| self.now.saturating_add(time));
                self.accept(Item::Message { id, segments, deadline });
            }
            Input::Request { id, segments, options } => self.request(id, segments, options),
            Input::Ready(link) => self.link_ready(link),
            Input::Received { via, answer } => return self.answered(via, answer),
            Input::Closed(link) => self.lose(link, false),
            Input::Congested(link) => self.link_congested(link, true),
            Input::Drained(link) => self.link_congested(link, false),
            Input::Close => self.go(TableEvent::Closing),
            Input::CloseNow => self.close_now(),
            Input::Timeout => self.timeout(),
        }
        Ok(())
    }

    fn request(&mut self, id: RequestId, segments: Segments, options: RequestOptions) {
        let time = match options.timeout {
            RequestTimeout::Default => self.config.request_timeout,
            RequestTimeout::Never => None,
            RequestTimeout::After(time) => Some(time),
        };
        let deadline = time.map(|time| self.now.saturating_add(time));
        self.requests.insert(id, Place { sent: None, deadline });
        if let Some(at) = deadline {
            self.timers.insert((at, Timer::Request(id)));
        }
        self.accept(Item::Request { id, segments, limit: options.limit, bulk: options.bulk });
    }

    /// The way by which something can be sent at once, if nothing waits before it.
    pub(super) fn way(&self) -> Option<Via> {
        if !self.held.is_empty() {
            return None;
        }
        self.open_way()
    }

    /// The way by which something can be sent.
    pub(super) fn open_way(&self) -> Option<Via> {
        if matches!(self.destination(), Some(Destination::Local)) {
            return Some(Via::Local);
        }
        let current = self.current?;
        self.links.get(&current).filter(|link| link.up && !link.congested).map(|_| Via::Link(current))
    }

    fn accept(&mut self, item: Item) {
        match self.way() {
            Some(via) => self.transmit(via, item),
            None => {
                if let Item::Message { id, deadline, .. } = &item {
                    self.held_messages.insert(*id);
                    if let Some(at) = deadline {
                        self.timers.insert((*at, Timer::Message(*id)));
                    }
                }
                self.held.push(item);
                if self.current.is_none() {
                    self.dial_if_remote();
                }
            }
        }
    }

    /// Sends what waits, as far as that is possible now.
    pub(super) fn flush(&mut self) {
        let Some(via) = self.open_way() else { return };
        while let Some(item) = self.held.pop() {
            if let Item::Message { id, deadline, .. } = &item {
                self.forget_message(*id, *deadline);
            }
            self.transmit(via, item);
        }
    }

    fn transmit(&mut self, via: Via, item: Item) {
        match item {
            Item::Message { id, segments, .. } => {
                if let Via::Link(link) = via
                    && let Some(link) = self.links.get_mut(&link)
                {
                    link.messages = link.messages.saturating_add(1);
                }
                self.outbox.push(Output::Send { via, message: AppMessage::new(segments) });
                self.event(Event::Sent(id));
            }
            Item::Request { id, segments, limit, bulk } => {
                let waiters = match via {
                    Via::Local => Some(&mut self.local),
                    Via::Link(link) => self.links.get_mut(&link).map(|link| &mut link.waiters),
                };
                let Some(waiters) = waiters else { return };
                let tag = waiters.add(Waiter { request: Some(id), bulk, limit });
                if let Some(place) = self.requests.get_mut(&id) {
                    place.sent = Some((via, tag));
                }
                let message = AppMessage::request(segments, Wanted { tag, bulk, limit });
                self.outbox.push(Output::Send { via, message });
            }
        }
    }

    fn answered(&mut self, via: Via, answer: Answer) -> Result<(), Error> {
        let waiters = match via {
            Via::Local => Some(&mut self.local),
            Via::Link(link) => self.links.get_mut(&link).map(|link| &mut link.waiters),
        };
        match waiters.map_or(Match::Never, |waiters| waiters.take(answer.tag())) {
            Match::Waiter(Waiter { request: Some(id), bulk, limit }) => self.complete(id, result(answer, bulk, limit)),
            Match::Waiter(_) | Match::Done => self.event(Event::Ignored),
            Match::Never => {
                let state = self.state.name();
                if let Via::Link(link) = via {
                    self.lose(link, true);
                }
                return Err(Violation { state, expected: "an answer to a request", got: "another tag" }.into());
            }
        }
        Ok(())
    }

    pub(super) fn complete(&mut self, id: RequestId, result: Result<Response, Failure>) {
        if let Some(Place { deadline: Some(at), .. }) = self.requests.remove(&id) {
            self.timers.remove(&(at, Timer::Request(id)));
        }
        self.event(Event::Completed { id, result });
    }

    pub(super) fn forget_message(&mut self, id: MessageId, deadline: Option<Instant>) {
        self.held_messages.remove(&id);
        if let Some(at) = deadline {
            self.timers.remove(&(at, Timer::Message(id)));
        }
    }

    /// Gives up what waits to be sent; says how many messages and requests.
    pub(super) fn drop_held(&mut self, reason: DropReason, failure: Failure) -> (u32, u32) {
        let (mut messages, mut requests) = (0_u32, 0_u32);
        while let Some(item) = self.held.pop() {
            match item {
                Item::Message { id, deadline, .. } => {
                    self.forget_message(id, deadline);
                    self.event(Event::Dropped { id, reason });
                    messages = messages.saturating_add(1);
                }
                Item::Request { id, .. } => {
                    self.complete(id, Err(failure));
                    requests = requests.saturating_add(1);
                }
            }
        }
        (messages, requests)
    }

    fn close_now(&mut self) {
        let (messages, mut given_up) = self.drop_held(DropReason::Closed, Failure::Closed { sent: false });
        while let Some((&id, _)) = self.requests.first_key_value() {
            self.complete(id, Err(Failure::Closed { sent: true }));
            given_up = given_up.saturating_add(1);
        }
        self.end(messages, given_up);
    }

    fn timeout(&mut self) {
        while let Some(&(at, timer)) = self.timers.first() {
            if at > self.now {
                break;
            }
            self.timers.remove(&(at, timer));
            match timer {
                Timer::Request(id) => self.request_timed_out(id),
                Timer::Message(id) => {
                    self.held.remove(|item| matches!(item, Item::Message { id: held, .. } if *held == id));
                    self.held_messages.remove(&id);
                    self.event(Event::Dropped { id, reason: DropReason::TimedOut });
                }
                Timer::Linger(link) => self.lose(link, true),
            }
        }
    }

    fn request_timed_out(&mut self, id: RequestId) {
        let sent = self.requests.get(&id).and_then(|place| place.sent);
        match sent {
            Some((Via::Local, tag)) => self.local.abandon(tag),
            Some((Via::Link(link), tag)) => {
                if let Some(link) = self.links.get_mut(&link) {
                    link.waiters.abandon(tag);
                }
            }
            None => {
                self.held.remove(|item| matches!(item, Item::Request { id: held, .. } if *held == id));
            }
        }
        self.complete(id, Err(Failure::Timeout { sent: sent.is_some() }));
    }
}

fn unknown(link: LinkId) -> Misuse {
    Misuse::Unknown { what: "link", id: link.0 }
}

/// What an answer means to its requester.
fn result(answer: Answer, bulk: bool, limit: Option<u32>) -> Result<Response, Failure> {
    let response = match answer {
        Answer::Response(response) => response,
        Answer::Error(error) => {
            return Err(match error.code {
                ErrorCode::NO_SERVER => Failure::NoServer,
                ErrorCode::KEY_EMPTY => Failure::NoAnswer,
                ErrorCode::BUFFER_SMALL => Failure::TooLarge,
                other => Failure::Other(other),
            });
        }
    };
    if limit.is_some_and(|limit| to_u64(response.body.len()) > u64::from(limit)) {
        return Err(Failure::TooLarge);
    }
    if !bulk {
        return Ok(Response::Single(Payload(response.body)));
    }
    Segments::parse(&response.body).map(Response::Bulk).map_err(|_| Failure::Malformed)
}
