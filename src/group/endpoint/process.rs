//! A process over bytes.

use super::hello;
use crate::error::{EndpointError, Error, Misuse};
use crate::frame::link::{Config as LinkConfig, Event as LinkEvent};
use crate::frame::{Effect, Links, Native as _};
use crate::group::message::Message;
use crate::group::process::{Config, Event, Input, Output, Process, State};
use crate::machine::{LinkId, Machine as _};
use crate::time::Instant;
use alloc::collections::VecDeque;
use bytes::BytesMut;

/// The settings of a [`ProcessEndpoint`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ProcessConfig {
    /// For the process.
    pub process: Config,
    /// For each link.
    pub link: LinkConfig,
}

impl ProcessConfig {
    /// The defaults.
    #[must_use]
    pub fn new(process: Config) -> Self {
        Self { process, link: LinkConfig::new(hello()) }
    }
}

/// What a [`ProcessEndpoint`] wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProcessOutput {
    /// Write these bytes.
    Transmit {
        /// On this link.
        link: LinkId,
        /// What is to be written.
        bytes: BytesMut,
    },
    /// Close the link, once everything before is written.
    Close(LinkId),
    /// Something that the application should know.
    Event(Event),
}

/// A [`Process`] with its link to a coordinator, bytes in and bytes out.
///
/// The application dials: at first, and again after [`Event::Orphaned`] and [`Event::Redirected`], the same coordinator
/// or the next one that it knows.
#[derive(Clone, Debug)]
pub struct ProcessEndpoint {
    config: ProcessConfig,
    process: Process,
    links: Links,
    outputs: VecDeque<ProcessOutput>,
}

impl ProcessEndpoint {
    /// A process without a link.
    #[must_use]
    pub fn new(config: ProcessConfig) -> Self {
        let process = Process::new(config.process.clone());
        Self { config, process, links: Links::default(), outputs: VecDeque::new() }
    }

    /// The machine, to look at.
    #[must_use]
    pub const fn process(&self) -> &Process {
        &self.process
    }

    /// A connection to a coordinator is there. Returns the number of its link.
    ///
    /// # Errors
    /// There is one already, or the process is over.
    pub fn connected(&mut self, now: Instant) -> Result<LinkId, EndpointError> {
        if self.process.state() != State::Outside || self.links.ids().next().is_some() {
            let wrong = Misuse::WrongState { state: self.process.state().name(), input: "connected" };
            return Err(Error::from(wrong).into());
        }
        let link = self.links.open(self.config.link.clone(), now);
        self.pump(now, Ok(())).map(|()| link)
    }

    /// Bytes have come. On a link that is over they are ignored.
    ///
    /// # Errors
    /// The coordinator has sent what it may not: the link is closed.
    pub fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) -> Result<(), EndpointError> {
        let result = self.links.received(now, link, data);
        self.pump(now, result)
    }

    /// A connection has closed or broken.
    ///
    /// # Errors
    /// None today.
    pub fn closed(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        let result = self.links.closed(now, link);
        self.pump(now, result)
    }

    /// What the application wants: any input that is not a message, about the link, or a timeout.
    ///
    /// # Errors
    /// It makes no sense now; nothing has changed.
    pub fn command(&mut self, now: Instant, command: Input) -> Result<(), EndpointError> {
        if matches!(command, Input::Opened(_) | Input::Message { .. } | Input::Closed(_) | Input::Timeout) {
            let wrong = Misuse::Argument { what: "command", reason: "comes from a link" };
            return Err(Error::from(wrong).into());
        }
        let result = self.feed(now, command);
        self.pump(now, result)
    }

    /// The instant of [`poll_timeout`](Self::poll_timeout) has come.
    ///
    /// # Errors
    /// None today.
    pub fn timeout(&mut self, now: Instant) -> Result<(), EndpointError> {
        let links = self.links.timeout(now);
        let fed = self.feed(now, Input::Timeout);
        self.pump(now, links.and(fed))
    }

    /// When to call [`timeout`](Self::timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.process.poll_timeout().into_iter().chain(self.links.poll_timeout()).min()
    }

    /// The next effect.
    pub fn poll_output(&mut self) -> Option<ProcessOutput> {
        self.outputs.pop_front()
    }

    /// Feeds the machine, and does what it wants.
    fn feed(&mut self, now: Instant, input: Input) -> Result<(), EndpointError> {
        let result = self.process.handle(now, input);
        let mut sent = Ok(());
        while let Some(output) = self.process.poll_output() {
            match output {
                Output::Send { link, message } => sent = sent.and(self.links.send(link, &message)),
                Output::Close(link) => self.links.close(now, link, result),
                Output::Event(event) => {
                    self.flush();
                    self.outputs.push_back(ProcessOutput::Event(event));
                }
            }
        }
        self.flush();
        Ok(result?).and(sent)
    }

    fn flush(&mut self) {
        while let Some(effect) = self.links.poll_effect() {
            self.outputs.push_back(match effect {
                Effect::Transmit { link, bytes } => ProcessOutput::Transmit { link, bytes },
                Effect::Close(link) => ProcessOutput::Close(link),
            });
        }
    }

    fn pump(&mut self, now: Instant, mut result: Result<(), EndpointError>) -> Result<(), EndpointError> {
        self.flush();
        while let Some((link, event)) = self.links.poll_event() {
            let done = match event {
                LinkEvent::Ready(_) => self.feed(now, Input::Opened(link)),
                LinkEvent::Frame(frame) => match Message::from_frame(&frame) {
                    Ok(message) => self.feed(now, Input::Message { link, message }),
                    Err(wrong) => Err(self.links.malformed(now, link, wrong)),
                },
                LinkEvent::Closed(_) => self.feed(now, Input::Closed(link)),
            };
            result = result.and(done);
        }
        self.flush();
        result
    }
}
