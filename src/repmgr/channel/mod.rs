//! Messages and requests to one site, or to whichever site is the master (spec/repmgr.md 6.2).

mod handle;
mod links;
mod table;
#[cfg(test)]
mod tests;
mod types;
mod waiters;

pub use table::{Event as TableEvent, State, TABLE, step};
pub use types::{
    Answer, Config, DropReason, Event, Failure, Input, Master, MessageId, Output, Payload, RequestId, RequestOptions,
    RequestTimeout, Response, To,
};

use super::host::SiteAddress;
use super::segments::Segments;
use super::via::Via;
use crate::hold::{Held, Weight};
use crate::machine::{LinkId, Outbox};
use crate::time::Instant;
use crate::wire::Encode;
use alloc::collections::{BTreeMap, BTreeSet};
use waiters::Waiters;

/// Messages and requests to one site, or to whichever site is the master, over links that it asks for.
///
/// Whatever is accepted comes to an end that is told: a message is [sent](Event::Sent) or [dropped](Event::Dropped), a
/// request is [completed](Event::Completed). What cannot be accepted is refused by an error. Nothing is ever sent twice.
/// A link that is lost is replaced as soon as there is something to send; when the master changes, what was not sent
/// goes to the new one, and the old one may still answer what it has.
///
/// ```
/// use handover::machine::{LinkId, Machine};
/// use handover::repmgr::channel::{Answer, Channel, Config, Event, Input, Output, RequestId, To};
/// use handover::repmgr::message::AppResponse;
/// use handover::repmgr::{Segments, SiteAddress, Via};
/// use handover::time::Instant;
///
/// let now = Instant::ZERO;
/// let site = SiteAddress::new("db1", 5000).unwrap();
/// let mut channel = Channel::new(Config::default(), To::Site(site.clone()));
/// let id = RequestId(1);
/// channel.handle(now, Input::Request { id, segments: Segments::one("balance?"), options: Default::default() })?;
/// let Some(Output::Dial { link, address }) = channel.poll_output() else { panic!() };
/// assert_eq!(address, site);
/// channel.handle(now, Input::Ready(link))?;
/// let Some(Output::Send { via, message }) = channel.poll_output() else { panic!() };
/// let answer = Answer::Response(AppResponse { tag: message.tag, body: "12".into() });
/// channel.handle(now, Input::Received { via, answer })?;
/// assert!(matches!(channel.poll_output(), Some(Output::Event(Event::Completed { result: Ok(_), .. }))));
/// # Ok::<(), handover::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "DB_CHANNEL")]
pub struct Channel {
    config: Config,
    to: To,
    master: Option<Master>,
    state: State,
    now: Instant,
    links: BTreeMap<LinkId, Link>,
    last_link: u32,
    /// The link to where things are sent now.
    current: Option<LinkId>,
    /// Who waits for this site's own answers.
    local: Waiters,
    /// What is accepted and not sent.
    held: Held<Item>,
    held_messages: BTreeSet<MessageId>,
    requests: BTreeMap<RequestId, Place>,
    timers: BTreeSet<(Instant, Timer)>,
    deadline: Option<Instant>,
    outbox: Outbox<Output>,
}

/// A link that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Link {
    up: bool,
    congested: bool,
    /// Whether it is kept for answers only.
    leaving: bool,
    /// Until when, if only answers are to come that nobody waits for.
    linger: Option<Instant>,
    /// How many messages were handed to it.
    messages: u32,
    waiters: Waiters,
}

/// Something that waits to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Item {
    Message { id: MessageId, segments: Segments, deadline: Option<Instant> },
    Request { id: RequestId, segments: Segments, limit: Option<u32>, bulk: bool },
}

impl Weight for Item {
    fn weight(&self) -> usize {
        let (Self::Message { segments, .. } | Self::Request { segments, .. }) = self;
        segments.encoded_len()
    }
}

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place {
    /// On which way and by which tag, if it was sent.
    sent: Option<(Via, u32)>,
    deadline: Option<Instant>,
}

/// Whose time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Timer {
    Request(RequestId),
    Message(MessageId),
    Linger(LinkId),
}

impl Channel {
    /// A channel to a site, or to the master, of which it is to be [told](Input::Master).
    #[must_use]
    pub fn new(config: Config, to: To) -> Self {
        Self {
            config,
            to,
            master: None,
            state: State::Idle,
            now: Instant::ZERO,
            links: BTreeMap::new(),
            last_link: 0,
            current: None,
            local: Waiters::default(),
            held: Held::new(),
            held_messages: BTreeSet::new(),
            requests: BTreeMap::new(),
            timers: BTreeSet::new(),
            deadline: None,
            outbox: Outbox::new(),
        }
    }

    /// Where things are sent now; `None` if no master is known.
    fn destination(&self) -> Option<Destination<'_>> {
        match (&self.to, &self.master) {
            (To::Site(address), _) | (To::Master, Some(Master::Remote(address))) => Some(Destination::Remote(address)),
            (To::Master, Some(Master::Local)) => Some(Destination::Local),
            (To::Master, None) => None,
        }
    }

    /// Which site it is for.
    #[must_use]
    pub const fn to(&self) -> &To {
        &self.to
    }

    /// How many requests have no answer, those whose time is up among them.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        let sent = self.links.values().fold(self.local.len(), |sum, link| sum.saturating_add(link.waiters.len()));
        let held = self.held.len().saturating_sub(self.held_messages.len());
        sent.saturating_add(held)
    }

    /// How many messages and requests wait to be sent.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }
}

#[derive(Clone, Copy)]
enum Destination<'a> {
    Local,
    Remote(&'a SiteAddress),
}
