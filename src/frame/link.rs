//! A link over frames, from hello to close (spec/frame.md 5).

use super::close::{Close, CloseReason};
use super::header::{Frame, FrameFlags, Protocol, check_size};
use super::hello::{Hello, Settled};
use super::message::Native;
use crate::error::{DecodeError, EncodeError, Error, Misuse, Violation};
use crate::limits::FrameLimits;
use crate::machine::{Machine, Outbox, trace_transition};
use crate::time::Instant;
use crate::wire::Encode as _;
use core::time::Duration;

crate::transition_table! {
    /// The transitions of [`Link`].
    pub machine FrameLink;
    /// Where a [`Link`] stands.
    pub enum State {
        /// The transport is not there yet.
        Opening,
        /// The other end's hello is awaited.
        Greeting,
        /// Frames of the protocols that both ends speak can go both ways.
        Ready,
        /// The link is over.
        Closed,
    }
    /// What can happen to a [`Link`].
    pub enum TableEvent {
        /// The transport is there.
        Opened,
        /// The other end has said hello.
        Settled,
        /// The other end closes, or the transport has gone, or the link is closed from here.
        Closed,
        /// There is no protocol that both ends speak.
        NothingInCommon,
        /// The other end has sent what it may not.
        Violated,
        /// A deadline has passed.
        TimedOut,
    }
    rows {
        Opening + Opened => Greeting, "5";
        Opening + Closed => Closed, "5";
        Opening + TimedOut => Closed, "5";
        Greeting + Settled => Ready, "3.2";
        Greeting + Closed => Closed, "4";
        Greeting + NothingInCommon => Closed, "3.2";
        Greeting + Violated => Closed, "5";
        Greeting + TimedOut => Closed, "5";
        Ready + Closed => Closed, "4";
        Ready + Violated => Closed, "5";
    }
}

/// A link's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// What this end says first. Its `max_body` is lowered to `limits.frame`.
    pub hello: Hello,
    /// How long the transport may take to open. Default 10 s.
    pub open_timeout: Duration,
    /// How long the other end's hello may take. Default 10 s.
    pub hello_timeout: Duration,
    /// Whether frames of protocols that are not spoken here are passed on, as a proxy wants. Default false: they are a
    /// violation.
    pub pass_on: bool,
    /// Bounds.
    pub limits: FrameLimits,
}

impl Config {
    /// The defaults, with a hello.
    #[must_use]
    pub fn new(hello: Hello) -> Self {
        let timeout = Duration::from_secs(10);
        Self { hello, open_timeout: timeout, hello_timeout: timeout, pass_on: false, limits: FrameLimits::DEFAULT }
    }
}

/// What goes into a [`Link`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// The transport is there. Misuse if the hello of the settings cannot be said.
    Opened,
    /// A frame has come.
    Frame(Frame),
    /// Send a frame of a protocol that both ends speak.
    Send(Frame),
    /// What has come is refused by the decoder.
    Malformed(DecodeError),
    /// The transport has closed, broken, or could not be opened.
    Closed,
    /// Close the link. Misuse if that cannot be said.
    Close(Close),
    /// The instant of [`poll_timeout`](Machine::poll_timeout) has come.
    Timeout,
}

impl Input {
    const fn name(&self) -> &'static str {
        match self {
            Self::Opened => "Opened",
            Self::Frame(_) => "Frame",
            Self::Send(_) => "Send",
            Self::Malformed(_) => "Malformed",
            Self::Closed => "Closed",
            Self::Close(_) => "Close",
            Self::Timeout => "Timeout",
        }
    }
}

/// What a [`Link`] wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Send a frame.
    Send(Frame),
    /// Close the transport, once everything before is written. What still comes is best read and dropped: a socket that
    /// is closed with unread bytes may lose what was written.
    Close,
    /// Something that others should know.
    Event(Event),
}

/// What others should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// Frames can go both ways.
    Ready(Settled),
    /// A frame has come.
    Frame(Frame),
    /// The link is over. Exactly once.
    Closed(Ending),
}

/// How a link has ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// The other end has closed it, and says why.
    Peer(Close),
    /// It was closed from here, for this reason.
    Local(CloseReason),
    /// The transport has closed or broken without a word, or could not be opened.
    Lost,
}

/// A link over frames: both ends say hello, then frames of the protocols that both speak go both ways, until one end
/// closes.
///
/// ```
/// use handover::frame::link::{Config, Event, Input, Link, Output, State};
/// use handover::frame::{Capabilities, Frame, FrameFlags, Hello, Offer, Protocol};
/// use handover::machine::Machine;
/// use handover::time::Instant;
///
/// let now = Instant::ZERO;
/// let hello = Hello::new([Offer::new(Protocol::DEFERRAL, Capabilities::empty())]);
/// let mut ends = [Link::new(Config::new(hello.clone()), now), Link::new(Config::new(hello), now)];
/// for end in &mut ends {
///     end.handle(now, Input::Opened)?;
/// }
/// let [here, there] = &mut ends;
/// let (Some(Output::Send(from_here)), Some(Output::Send(from_there))) = (here.poll_output(), there.poll_output())
/// else { panic!() };
/// here.handle(now, Input::Frame(from_there))?;
/// there.handle(now, Input::Frame(from_here))?;
/// assert!(matches!(here.poll_output(), Some(Output::Event(Event::Ready(_)))));
/// assert_eq!((here.state(), there.state()), (State::Ready, State::Ready));
/// # Ok::<(), handover::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    config: Config,
    state: State,
    settled: Option<Settled>,
    now: Instant,
    deadline: Option<Instant>,
    outbox: Outbox<Output>,
}

impl Link {
    /// A link whose transport is being opened since `now`: [`Input::Opened`] comes next.
    #[must_use]
    pub fn new(mut config: Config, now: Instant) -> Self {
        let most = config.limits.frame.max(Hello::LEAST_BODY);
        config.hello.max_body = config.hello.max_body.min(most);
        let deadline = Some(now.saturating_add(config.open_timeout));
        Self { config, state: State::Opening, settled: None, now, deadline, outbox: Outbox::new() }
    }

    /// What both hellos have settled.
    #[must_use]
    pub const fn settled(&self) -> Option<&Settled> {
        self.settled.as_ref()
    }

    /// Whether [`Input::Send`] would take a frame.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, frame: &Frame) -> Result<(), Misuse> {
        self.check_body(frame.protocol, frame.body.len())
    }

    /// The same for a frame of that protocol, with a body of that size.
    pub(super) fn check_body(&self, protocol: Protocol, size: usize) -> Result<(), Misuse> {
        let Some(settled) = self.settled.as_ref().filter(|_| self.state == State::Ready) else {
            return Err(Misuse::WrongState { state: self.state.name(), input: "Send" });
        };
        if protocol == Protocol::LINK || (!self.config.pass_on && settled.protocol(protocol).is_none()) {
            return Err(Misuse::Argument { what: "protocol", reason: "not spoken on this link" });
        }
        check_size("Frame", size, settled.peer.max_body)
            .map_err(|_| Misuse::Argument { what: "body", reason: "larger than the other end takes" })
    }

    fn validate(&self, input: &Input) -> Result<(), Misuse> {
        let fits = match input {
            Input::Timeout => true,
            Input::Opened if self.state == State::Opening => return sayable("hello", &self.config.hello),
            Input::Close(close) if self.state != State::Closed => return sayable("close", close),
            Input::Send(frame) => return self.check(frame),
            Input::Frame(_) | Input::Malformed(_) => matches!(self.state, State::Greeting | State::Ready),
            Input::Closed => self.state != State::Closed,
            Input::Opened | Input::Close(_) => false,
        };
        if fits { Ok(()) } else { Err(Misuse::WrongState { state: self.state.name(), input: input.name() }) }
    }

    fn frame(&mut self, frame: Frame) -> Result<(), Error> {
        if frame.protocol == Protocol::LINK {
            return self.own(&frame);
        }
        if self.state == State::Greeting {
            return Err(self.violated("a hello", "another frame", CloseReason::VIOLATION));
        }
        if check_size("Frame", frame.body.len(), self.config.hello.max_body).is_err() {
            return Err(self.violated("a body within max_body", "a larger one", CloseReason::LIMIT));
        }
        let spoken = self.settled.as_ref().is_some_and(|settled| settled.protocol(frame.protocol).is_some());
        if !spoken && !self.config.pass_on {
            return Err(self.violated("a protocol that is spoken here", "another one", CloseReason::UNKNOWN));
        }
        self.outbox.push(Output::Event(Event::Frame(frame)));
        Ok(())
    }

    /// Frames of the link itself.
    fn own(&mut self, frame: &Frame) -> Result<(), Error> {
        match (frame.kind, self.state) {
            (Hello::KIND, State::Greeting) => match Hello::from_frame(frame) {
                Ok(theirs) => self.greeted(theirs),
                Err(error) => return Err(self.violated("a hello", "a malformed one", CloseReason::for_error(&error))),
            },
            (Hello::KIND, _) => return Err(self.violated("frames", "a second hello", CloseReason::VIOLATION)),
            (Close::KIND, _) => match Close::from_frame(frame) {
                Ok(close) => {
                    self.outbox.push(Output::Close);
                    self.end(TableEvent::Closed, Ending::Peer(close));
                }
                Err(error) => return Err(self.violated("a close", "a malformed one", CloseReason::for_error(&error))),
            },
            (_, State::Greeting) => return Err(self.violated("a hello", "another frame", CloseReason::VIOLATION)),
            _ if frame.flags.contains(FrameFlags::CRITICAL) => {
                return Err(self.violated("a kind that is known", "another one", CloseReason::UNKNOWN));
            }
            // Of a later version of the link: skipped.
            _ => {}
        }
        Ok(())
    }

    fn greeted(&mut self, theirs: Hello) {
        match self.config.hello.settle(theirs) {
            Some(settled) => {
                self.deadline = None;
                self.settled = Some(settled.clone());
                self.go(TableEvent::Settled);
                self.outbox.push(Output::Event(Event::Ready(settled)));
            }
            None => self.close(TableEvent::NothingInCommon, &Close::new(CloseReason::NOTHING_IN_COMMON)),
        }
    }

    #[cold]
    fn violated(&mut self, expected: &'static str, got: &'static str, reason: CloseReason) -> Error {
        let state = self.state.name();
        self.close(TableEvent::Violated, &Close::new(reason));
        Violation { state, expected, got }.into()
    }

    /// Says why, and closes the transport.
    fn close(&mut self, event: TableEvent, close: &Close) {
        self.say(close);
        self.outbox.push(Output::Close);
        self.end(event, Ending::Local(close.reason));
    }

    fn say(&mut self, message: &impl Native) {
        // Before the transport is there nobody would hear it.
        if self.state != State::Opening
            && let Ok(frame) = message.to_frame()
        {
            self.outbox.push(Output::Send(frame));
        }
    }

    fn end(&mut self, event: TableEvent, ending: Ending) {
        self.deadline = None;
        self.go(event);
        self.outbox.push(Output::Event(Event::Closed(ending)));
    }

    fn go(&mut self, event: TableEvent) {
        match step(self.state, event) {
            Ok(next) => {
                trace_transition!("frame link", self.state, event, next);
                self.state = next;
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }
}

impl Machine for Link {
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
            Input::Opened => {
                self.deadline = Some(now.saturating_add(self.config.hello_timeout));
                self.go(TableEvent::Opened);
                let hello = self.config.hello.clone();
                self.say(&hello);
            }
            Input::Frame(frame) => return self.frame(frame),
            Input::Send(frame) => self.outbox.push(Output::Send(frame)),
            Input::Malformed(error) => self.close(TableEvent::Violated, &Close::new(CloseReason::for_error(&error))),
            Input::Closed => self.end(TableEvent::Closed, Ending::Lost),
            Input::Close(close) => self.close(TableEvent::Closed, &close),
            Input::Timeout => self.close(TableEvent::TimedOut, &Close::new(CloseReason::TIMED_OUT)),
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

/// Whether a message of the link itself can be sent, and is of a size that every end takes.
fn sayable(what: &'static str, message: &impl Native) -> Result<(), Misuse> {
    let reason = match message.framed().check() {
        Err(EncodeError::Invalid { reason, .. }) => reason,
        Err(_) => "too long",
        Ok(()) if check_size(what, message.body_len(), FrameLimits::DEFAULT.hello).is_err() => "too long",
        Ok(()) => return Ok(()),
    };
    Err(Misuse::Argument { what, reason })
}
