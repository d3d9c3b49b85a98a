//! The links of an endpoint (spec/frame.md 5).

use super::close::{Close, CloseReason};
use super::connection::{Connection, ConnectionError, Output};
use super::hello::Settled;
use super::link::{Config, Event};
use super::message::Native;
use crate::error::{DecodeError, EndpointError, Error};
use crate::machine::LinkId;
use crate::time::Instant;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use bytes::BytesMut;

/// What links want done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Write these bytes.
    Transmit { link: LinkId, bytes: BytesMut },
    /// Close the link, once everything before is written.
    Close(LinkId),
}

/// Any number of links, by number. What comes on them waits in one queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    links: BTreeMap<LinkId, Link>,
    last: u32,
    deadlines: BTreeSet<(Instant, LinkId)>,
    events: VecDeque<(LinkId, Event)>,
    effects: VecDeque<Effect>,
}

#[derive(Clone, Debug)]
struct Link {
    connection: Connection,
    deadline: Option<Instant>,
}

impl Links {
    /// A transport that is there. Its number is new.
    pub(crate) fn open(&mut self, config: Config, now: Instant) -> LinkId {
        loop {
            self.last = self.last.wrapping_add(1);
            if !self.links.contains_key(&LinkId(self.last)) {
                break;
            }
        }
        let link = LinkId(self.last);
        self.links.insert(link, Link { connection: Connection::new(config, now), deadline: None });
        // A hello that cannot be said is never heard: the other end will give up.
        _ = self.act(link, |connection| connection.opened(now));
        link
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = LinkId> {
        self.links.keys().copied()
    }

    /// What its ends have agreed on.
    pub(crate) fn settled(&self, link: LinkId) -> Option<&Settled> {
        self.links.get(&link).and_then(|found| found.connection.settled())
    }

    pub(crate) fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) -> Result<(), EndpointError> {
        self.act(link, |connection| connection.received(now, data))
    }

    pub(crate) fn closed(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        self.act(link, |connection| connection.closed(now))
    }

    pub(crate) fn send<M: Native>(&mut self, link: LinkId, message: &M) -> Result<(), EndpointError> {
        self.act(link, |connection| connection.send(message))
    }

    /// A frame that has come says nothing that is known.
    pub(crate) fn malformed(&mut self, now: Instant, link: LinkId, wrong: DecodeError) -> EndpointError {
        _ = self.act(link, |connection| connection.malformed(now, wrong));
        EndpointError::Decode { link, error: wrong }
    }

    /// A machine wants a link closed. It is not heard of any more.
    pub(crate) fn close(&mut self, now: Instant, link: LinkId, result: Result<(), Error>) {
        let reason =
            if matches!(result, Err(Error::Violation(_))) { CloseReason::VIOLATION } else { CloseReason::DONE };
        // One that is over already has nothing more to say.
        _ = self.act(link, |connection| connection.close(now, Close::new(reason)));
        self.forget(link);
    }

    /// The next thing that has come.
    pub(crate) fn poll_event(&mut self) -> Option<(LinkId, Event)> {
        let (link, event) = self.events.pop_front()?;
        if matches!(event, Event::Closed(_)) {
            self.forget(link);
        }
        Some((link, event))
    }

    /// The next thing that is to be done.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub(crate) fn timeout(&mut self, now: Instant) -> Result<(), EndpointError> {
        let mut result = Ok(());
        while let Some(&(at, link)) = self.deadlines.first() {
            if at > now {
                break;
            }
            self.deadlines.remove(&(at, link));
            if let Some(found) = self.links.get_mut(&link) {
                found.deadline = None;
            }
            result = result.and(self.act(link, |connection| connection.timeout(now)));
        }
        result
    }

    fn act(
        &mut self,
        link: LinkId,
        act: impl FnOnce(&mut Connection) -> Result<(), ConnectionError>,
    ) -> Result<(), EndpointError> {
        let Some(found) = self.links.get_mut(&link) else { return Ok(()) };
        let result = act(&mut found.connection).map_err(|wrong| wrong.on(link));
        while let Some(output) = found.connection.poll_output() {
            match output {
                Output::Transmit(bytes) => self.effects.push_back(Effect::Transmit { link, bytes }),
                Output::Close => self.effects.push_back(Effect::Close(link)),
                Output::Event(event) => self.events.push_back((link, event)),
            }
        }
        let deadline = found.connection.poll_timeout();
        if found.deadline != deadline {
            if let Some(before) = core::mem::replace(&mut found.deadline, deadline) {
                self.deadlines.remove(&(before, link));
            }
            self.deadlines.extend(deadline.map(|at| (at, link)));
        }
        result
    }

    fn forget(&mut self, link: LinkId) {
        self.events.retain(|(of, _)| *of != link);
        if let Some(Link { deadline: Some(at), .. }) = self.links.remove(&link) {
            self.deadlines.remove(&(at, link));
        }
    }
}
