//! A link over bytes (spec/frame.md 5).

use super::close::Close;
use super::header::Frame;
use super::hello::Settled;
use super::link::{Config, Event, Input, Link, Output as LinkOutput, State};
use super::message::Native;
use super::stream::FrameStream;
use crate::error::{DecodeError, EncodeError, EndpointError, Error, Limit, Misuse, to_u64};
use crate::machine::{LinkId, Machine};
use crate::time::Instant;
use crate::wire::{Encode, Framer};
use alloc::collections::VecDeque;
use bytes::BytesMut;

/// What a [`Connection`] wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Write these bytes.
    Transmit(BytesMut),
    /// Close the transport, once everything before is written; see [`link::Output::Close`](super::link::Output::Close).
    Close,
    /// Something that others should know.
    Event(Event),
}

/// What can go wrong with a [`Connection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The link says that its caller or the other end is wrong.
    #[error(transparent)]
    Link(#[from] Error),
    /// The other end has sent something malformed; the link is closed.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Something cannot be put on the wire. Nothing was sent.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl ConnectionError {
    /// The same, of one of the links of an endpoint.
    pub(crate) fn on(self, link: LinkId) -> EndpointError {
        match self {
            Self::Link(error) => EndpointError::Machine(error),
            Self::Decode(error) => EndpointError::Decode { link, error },
            Self::Encode(error) => EndpointError::Encode { link, error },
        }
    }
}

/// A [`Link`] with its bytes: what has come goes in, what is to be written comes out. It serves every protocol on it.
///
/// ```
/// use handover::frame::connection::{Connection, Output};
/// use handover::frame::link::{Config, Event};
/// use handover::frame::{Capabilities, Frame, FrameFlags, Hello, Offer, Protocol};
/// use handover::time::Instant;
///
/// let now = Instant::ZERO;
/// let hello = Hello::new([Offer::new(Protocol(200), Capabilities::empty())]);
/// let (mut here, mut there) =
///     (Connection::new(Config::new(hello.clone()), now), Connection::new(Config::new(hello), now));
/// here.opened(now)?;
/// there.opened(now)?;
/// let frame = Frame { protocol: Protocol(200), kind: 7, flags: FrameFlags::empty(), body: "anything".into() };
/// let received = 'received: loop {
///     while let Some(output) = here.poll_output() {
///         match output {
///             Output::Transmit(bytes) => there.received(now, &bytes)?,
///             Output::Event(Event::Ready(_)) => here.send_frame(now, frame.clone())?,
///             _ => {}
///         }
///     }
///     while let Some(output) = there.poll_output() {
///         match output {
///             Output::Transmit(bytes) => here.received(now, &bytes)?,
///             Output::Event(Event::Frame(frame)) => break 'received frame,
///             _ => {}
///         }
///     }
/// };
/// assert_eq!(received, frame);
/// # Ok::<(), handover::frame::connection::ConnectionError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Connection {
    link: Link,
    incoming: Framer<FrameStream>,
    outputs: VecDeque<Output>,
    /// Most of them before more is refused.
    limit: usize,
}

impl Connection {
    /// A link whose transport is being opened since `now`.
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        let incoming = Framer::new(FrameStream::new(&config.limits));
        let limit = config.limits.outputs;
        Self { link: Link::new(config, now), incoming, outputs: VecDeque::new(), limit }
    }

    /// The transport is there.
    ///
    /// # Errors
    /// It is there already, or the hello of the settings cannot be said.
    pub fn opened(&mut self, now: Instant) -> Result<(), ConnectionError> {
        self.feed(now, Input::Opened)
    }

    /// The transport could not be opened, has closed, or has broken.
    ///
    /// # Errors
    /// The link is over already.
    pub fn closed(&mut self, now: Instant) -> Result<(), ConnectionError> {
        self.feed(now, Input::Closed)
    }

    /// Bytes have come. On a link that is over they are ignored.
    ///
    /// # Errors
    /// The other end has sent what it may not: the link is closed. Before the transport is there, and while too many
    /// outputs wait, it is our mistake: nothing is read.
    pub fn received(&mut self, now: Instant, data: &[u8]) -> Result<(), ConnectionError> {
        if self.is_over() {
            return Ok(());
        }
        let (limit, got) = (to_u64(self.limit), to_u64(self.outputs.len()));
        if got >= limit {
            return Err(Error::from(Misuse::Limit(Limit { what: "outputs", limit, got })).into());
        }
        self.incoming.push(data);
        while !self.is_over() {
            match self.incoming.next_item() {
                Ok(Some(frame)) => self.feed(now, Input::Frame(frame))?,
                Ok(None) => break,
                Err(error) => {
                    self.feed(now, Input::Malformed(error))?;
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }

    /// Sends a message of a protocol that both ends speak.
    ///
    /// # Errors
    /// The link is not ready, or over; the protocol is not spoken; or the message is too large for the other end or for
    /// the wire. Nothing is sent.
    pub fn send<M: Native>(&mut self, message: &M) -> Result<(), ConnectionError> {
        let framed = message.framed();
        framed.check()?;
        self.link.check_body(M::PROTOCOL, message.body_len()).map_err(Error::from)?;
        self.transmit(&framed)
    }

    /// Sends a frame as it is.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_frame(&mut self, now: Instant, frame: Frame) -> Result<(), ConnectionError> {
        self.feed(now, Input::Send(frame))
    }

    /// Closes the link, and says why.
    ///
    /// # Errors
    /// It is over already, or that cannot be said.
    pub fn close(&mut self, now: Instant, close: Close) -> Result<(), ConnectionError> {
        self.feed(now, Input::Close(close))
    }

    /// A message on the link cannot be read: the link is closed, and the other end is told why.
    ///
    /// # Errors
    /// It is over already.
    pub fn malformed(&mut self, now: Instant, error: DecodeError) -> Result<(), ConnectionError> {
        self.feed(now, Input::Malformed(error))
    }

    /// The instant of [`poll_timeout`](Self::poll_timeout) has come.
    ///
    /// # Errors
    /// None today.
    pub fn timeout(&mut self, now: Instant) -> Result<(), ConnectionError> {
        self.feed(now, Input::Timeout)
    }

    /// The next effect.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`timeout`](Self::timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.link.poll_timeout()
    }

    /// What both hellos have settled.
    #[must_use]
    pub const fn settled(&self) -> Option<&Settled> {
        self.link.settled()
    }

    /// Where the link stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.link.state()
    }

    fn is_over(&self) -> bool {
        self.link.state() == State::Closed
    }

    fn feed(&mut self, now: Instant, input: Input) -> Result<(), ConnectionError> {
        let result = self.link.handle(now, input);
        while let Some(output) = self.link.poll_output() {
            match output {
                LinkOutput::Send(frame) => self.transmit(&frame)?,
                LinkOutput::Close => self.outputs.push_back(Output::Close),
                LinkOutput::Event(event) => self.outputs.push_back(Output::Event(event)),
            }
        }
        Ok(result?)
    }

    fn transmit(&mut self, message: &impl Encode) -> Result<(), ConnectionError> {
        // What is written together goes into one piece.
        if let Some(Output::Transmit(bytes)) = self.outputs.back_mut() {
            return Ok(message.encode_to(bytes)?);
        }
        let mut bytes = BytesMut::new();
        message.encode_to(&mut bytes)?;
        self.outputs.push_back(Output::Transmit(bytes));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::link::Ending;
    use crate::frame::{Capabilities, CloseReason, FrameFlags, Hello, Offer, Protocol};
    use alloc::vec::Vec;
    use alloc::{vec, vec::IntoIter};

    const NOW: Instant = Instant::ZERO;
    const OURS: Protocol = Protocol(200);

    fn frame(size: usize) -> Frame {
        Frame { protocol: OURS, kind: 7, flags: FrameFlags::empty(), body: vec![1; size].into() }
    }

    fn connection(max_body: u32) -> Connection {
        let hello = Hello { max_body, ..Hello::new([Offer::new(OURS, Capabilities::empty())]) };
        Connection::new(Config::new(hello), NOW)
    }

    fn drain(connection: &mut Connection) -> IntoIter<Output> {
        core::iter::from_fn(|| connection.poll_output()).collect::<Vec<_>>().into_iter()
    }

    fn bytes(connection: &mut Connection) -> Vec<u8> {
        let written = drain(connection).filter_map(|output| match output {
            Output::Transmit(bytes) => Some(bytes),
            _ => None,
        });
        written.flatten().collect()
    }

    /// Two ends that are ready; the second one takes 1024 bytes.
    fn pair() -> [Connection; 2] {
        let mut ends = [connection(4096), connection(1024)];
        let [here, there] = &mut ends;
        here.opened(NOW).unwrap();
        there.opened(NOW).unwrap();
        here.received(NOW, &bytes(there)).unwrap();
        drain(here);
        let mut again = connection(4096);
        again.opened(NOW).unwrap();
        there.received(NOW, &bytes(&mut again)).unwrap();
        drain(there);
        ends
    }

    #[test]
    fn bytes_may_be_cut_anywhere_and_are_written_together() {
        let [mut here, mut there] = pair();
        here.send_frame(NOW, frame(10)).unwrap();
        here.send_frame(NOW, frame(0)).unwrap();
        let written = drain(&mut here).collect::<Vec<_>>();
        let [Output::Transmit(bytes)] = written.as_slice() else { panic!("{written:?}") };
        for byte in bytes.iter() {
            there.received(NOW, &[*byte]).unwrap();
        }
        let came: Vec<Output> = drain(&mut there).collect();
        assert_eq!(came, [frame(10), frame(0)].map(|frame| Output::Event(Event::Frame(frame))));
    }

    #[test]
    fn what_cannot_be_sent_is_not() {
        let [mut here, _] = pair();
        let before = here.clone();
        assert!(matches!(here.send_frame(NOW, frame(1025)), Err(ConnectionError::Link(Error::Misuse(_)))));
        assert!(matches!(here.send(&Close::new(CloseReason::DONE)), Err(ConnectionError::Link(Error::Misuse(_)))));
        assert_eq!(alloc::format!("{here:?}"), alloc::format!("{before:?}"));
        let mut early = connection(4096);
        assert!(early.send_frame(NOW, frame(1)).is_err());
        assert!(early.received(NOW, &[0; 8]).is_err());
    }

    #[test]
    fn what_cannot_be_read_closes_the_link_once() {
        let [mut here, _] = pair();
        let wrong = [0, 0, 0, 0, 9, 0, 0, 0];
        assert!(matches!(here.received(NOW, &wrong), Err(ConnectionError::Decode(_))));
        let mut came = drain(&mut here);
        let Some(Output::Transmit(written)) = came.next() else { panic!("a close") };
        let mut framer = Framer::new(FrameStream::new(&crate::limits::FrameLimits::DEFAULT));
        framer.push(&written);
        let close = Close::from_frame(&framer.next_item().unwrap().unwrap()).unwrap();
        assert_eq!(close.reason, CloseReason::UNKNOWN);
        let ended = Event::Closed(Ending::Local(CloseReason::UNKNOWN));
        assert_eq!(came.collect::<Vec<_>>(), [Output::Close, Output::Event(ended)]);
        // What comes behind it is ignored, and nothing more can be done.
        assert_eq!(here.received(NOW, &wrong), Ok(()));
        assert!(here.closed(NOW).is_err() && here.close(NOW, Close::new(CloseReason::DONE)).is_err());
        assert_eq!((here.poll_output(), here.poll_timeout()), (None, None));
    }

    #[test]
    fn frames_behind_the_close_are_not_handed_on() {
        let [mut here, mut there] = pair();
        here.send_frame(NOW, frame(1)).unwrap();
        let extra = bytes(&mut here);
        here.close(NOW, Close::new(CloseReason::DONE)).unwrap();
        let close = bytes(&mut here);
        there.received(NOW, &[&extra[..], &close, &extra].concat()).unwrap();
        let came: Vec<Output> = drain(&mut there).collect();
        assert_eq!(came.len(), 3, "{came:?}");
        assert!(matches!(came.last(), Some(Output::Event(Event::Closed(Ending::Peer(_))))));
    }

    #[test]
    fn outputs_that_nobody_takes_stop_the_reading() {
        let mut config = Config::new(Hello::new([Offer::new(OURS, Capabilities::empty())]));
        config.limits.outputs = 2;
        let mut here = Connection::new(config, NOW);
        here.opened(NOW).unwrap();
        let mut there = connection(4096);
        there.opened(NOW).unwrap();
        here.received(NOW, &bytes(&mut there)).unwrap();
        let full = here.received(NOW, &[0]);
        assert!(matches!(full, Err(ConnectionError::Link(Error::Misuse(Misuse::Limit(_))))), "{full:?}");
        drain(&mut here);
        here.received(NOW, &[0]).unwrap();
    }
}
