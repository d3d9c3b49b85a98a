//! A subscriber of a group (spec/group.md 4.5).

use super::attributes::Attributes;
use super::ids::{DissolveReason, ErrorCode, Subscription};
use super::message::{Message, Notice, Signal, Snapshot, Standing, Subscribe};
use super::name::{GroupId, GroupName, ProtocolId, RequestId, Sequence, StateValue, Token, ViewId};
use crate::error::{Error, Misuse, Violation};
use crate::frame::Extensions;
use crate::limits::GroupLimits;
use crate::machine::{Machine, Outbox, trace_transition};
use crate::time::Instant;
use alloc::vec::Vec;

crate::transition_table! {
    /// The transitions of [`Subscriber`].
    pub machine GroupSubscriber;
    /// Where a [`Subscriber`] stands.
    pub enum State {
        /// Its request has not been answered.
        Requested,
        /// It is told what becomes of the group.
        Active,
        /// It is told nothing any more.
        Gone,
    }
    /// What can happen to a [`Subscriber`].
    pub enum TableEvent {
        /// The coordinator has a token for it.
        Accepted,
        /// It ends.
        Gone,
    }
    rows {
        Requested + Accepted => Active, "4.5";
        Requested + Gone => Gone, "4.5";
        Active + Gone => Gone, "4.5";
    }
}

/// What goes into a [`Subscriber`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// A message for it has come: one with its token, or the answer to its request.
    Message(Message),
    /// It wants to know nothing any more.
    Unsubscribe,
    /// The link to the coordinator is lost.
    Lost,
    /// Nothing waits for an instant; there is no timeout.
    Timeout,
}

impl Input {
    const fn name(&self) -> &'static str {
        match self {
            Self::Message(_) => "Message",
            Self::Unsubscribe => "Unsubscribe",
            Self::Lost => "Lost",
            Self::Timeout => "Timeout",
        }
    }
}

/// What a [`Subscriber`] wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Send a message to the coordinator.
    Send(Message),
    /// Something that the application should know.
    Event(Event),
}

/// What the application should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// It will be told.
    Accepted(Token),
    /// What has become of the group, or what it is.
    Notice(Notice),
    /// Something has come that makes no sense any more, and was passed over.
    Ignored(&'static str),
    /// It is told nothing any more. Exactly once.
    Gone(Departure),
}

/// Why a subscriber is told nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Departure {
    /// Its request is not carried out.
    Refused(ErrorCode),
    /// It wanted so.
    Unsubscribed,
    /// The group, or the domain, is no more.
    Dissolved(DissolveReason),
    /// The link to the coordinator is lost.
    Lost,
}

/// A subscriber of a group, from its request on. The group does not know of it.
///
/// ```
/// use handover::frame::Extensions;
/// use handover::group::message::{Accepted, Message};
/// use handover::group::subscriber::{Event, Input, Output, Subscriber};
/// use handover::group::{GroupId, GroupName, RequestId, Subscription, Token};
/// use handover::machine::Machine;
/// use handover::time::Instant;
///
/// let (now, request, group) = (Instant::ZERO, RequestId(1), GroupName::new("fleet").unwrap());
/// let mut subscriber = Subscriber::new(group, Subscription::MEMBERSHIP, request);
/// assert!(matches!(subscriber.poll_output(), Some(Output::Send(Message::Subscribe(_)))));
/// let (token, group) = (Token { index: 0, generation: 1 }, GroupId(1));
/// let accepted = Accepted { request, token, group, extensions: Extensions::NONE };
/// subscriber.handle(now, Input::Message(Message::Accepted(accepted)))?;
/// assert_eq!(subscriber.poll_output(), Some(Output::Event(Event::Accepted(token))));
/// # Ok::<(), handover::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "ha_gs_subscribe")]
pub struct Subscriber {
    request: RequestId,
    group: GroupName,
    subscription: Subscription,
    state: State,
    /// The group's number.
    known: GroupId,
    token: Option<Token>,
    sequence: Option<Sequence>,
    outbox: Outbox<Output>,
}

impl Subscriber {
    /// Asks to be told. `request` is a number that no other request of the process has.
    #[must_use]
    pub fn new(group: GroupName, subscription: Subscription, request: RequestId) -> Self {
        let mut outbox = Outbox::new();
        let extensions = Extensions::NONE;
        let subscribe = Subscribe { request, group: group.clone(), subscription, extensions };
        outbox.push(Output::Send(Message::Subscribe(subscribe)));
        let (state, known) = (State::Requested, GroupId(0));
        Self { request, group, subscription, state, known, token: None, sequence: None, outbox }
    }

    /// Its number for the coordinator, once it has one.
    #[must_use]
    pub const fn token(&self) -> Option<Token> {
        self.token
    }

    /// The number of its request.
    #[must_use]
    pub const fn request(&self) -> RequestId {
        self.request
    }

    /// What it tells another coordinator; `None` before it has a token, or after.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        let token = self.token.filter(|_| self.state == State::Active)?;
        let snapshot = Snapshot {
            group: self.known,
            sequence: self.sequence.unwrap_or_default(),
            view: ViewId(0),
            attributes: Attributes::new(self.group.clone()),
            state: StateValue::default(),
            members: Vec::new(),
            last: ProtocolId(0),
        };
        let (provider, subscription) = (None, self.subscription);
        Some(Standing { token, provider, subscription, snapshot, recent: Vec::new(), open: None })
    }

    /// Everything that our caller can do wrong; nothing changes.
    pub(in crate::group) const fn validate(&self, input: &Input) -> Result<(), Misuse> {
        let wrong_state = Err(Misuse::WrongState { state: self.state.name(), input: input.name() });
        match (input, self.state) {
            (Input::Timeout, _) => Ok(()),
            (_, State::Gone) | (Input::Unsubscribe, State::Requested) => wrong_state,
            _ => Ok(()),
        }
    }

    fn message(&mut self, message: Message) -> Result<(), Error> {
        match message {
            Message::Accepted(accepted) if self.state == State::Requested => {
                self.token = Some(accepted.token);
                self.known = accepted.group;
                self.go(TableEvent::Accepted);
                self.event(Event::Accepted(accepted.token));
            }
            Message::DelayedError(error) if self.state == State::Requested => {
                self.leave(Departure::Refused(error.code));
            }
            Message::Notice(notice) if Some(notice.token) == self.token => {
                // Not all that a group is told concerns a subscriber, but nothing comes twice.
                if self.sequence.is_some_and(|last| notice.sequence <= last) {
                    self.event(Event::Ignored("a notice that has come already"));
                } else {
                    self.sequence = Some(notice.sequence);
                    self.event(Event::Notice(notice));
                }
            }
            Message::Dissolved(dissolved) if dissolved.token.is_none() || dissolved.token == self.token => {
                self.leave(Departure::Dissolved(dissolved.reason));
            }
            Message::Notice(_) | Message::Dissolved(_) | Message::Accepted(_) | Message::DelayedError(_) => {
                self.event(Event::Ignored("a message that nobody waits for"));
            }
            Message::Unknown { .. } => {}
            _ => {
                let (state, expected) = (self.state.name(), "what coordinators tell subscribers");
                self.leave(Departure::Lost);
                return Err(Violation { state, expected, got: "something else" }.into());
            }
        }
        Ok(())
    }

    fn leave(&mut self, departure: Departure) {
        self.token = None;
        self.go(TableEvent::Gone);
        self.event(Event::Gone(departure));
    }

    fn event(&mut self, event: Event) {
        self.outbox.push(Output::Event(event));
    }

    fn go(&mut self, event: TableEvent) {
        match step(self.state, event) {
            Ok(next) => {
                trace_transition!("group subscriber", self.state, event, next);
                self.state = next;
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }
}

impl Machine for Subscriber {
    type Input<'a> = Input;
    type Output = Output;
    type State = State;

    fn handle(&mut self, _now: Instant, input: Input) -> Result<(), Error> {
        self.outbox.check_room(GroupLimits::DEFAULT.outputs)?;
        self.validate(&input)?;
        match input {
            Input::Timeout => {}
            Input::Message(message) => return self.message(message),
            Input::Unsubscribe => {
                if let Some(token) = self.token {
                    let signal = Signal { token, extensions: Extensions::NONE };
                    self.outbox.push(Output::Send(Message::Unsubscribe(signal)));
                }
                self.leave(Departure::Unsubscribed);
            }
            Input::Lost => self.leave(Departure::Lost),
        }
        Ok(())
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn state(&self) -> State {
        self.state
    }
}

#[cfg(test)]
mod tests;
