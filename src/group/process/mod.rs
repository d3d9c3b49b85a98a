//! A process with its providers and subscribers (spec/group.md 4.7).

mod handle;
mod table;
#[cfg(test)]
mod tests;
mod types;

pub use table::{Event as TableEvent, State, TABLE, step};
pub use types::{Config, End, Event, Input, Output};

use super::message::Message;
use super::name::{DomainId, Epoch, RequestId, Token};
use super::provider::Provider;
use super::subscriber::Subscriber;
use crate::machine::{LinkId, Outbox};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// A process: its link to the coordinator, its place in the domain, and its providers and subscribers, in as many groups
/// as it likes.
///
/// They outlive the link: a coordinator that takes over is told what they know, and they go on.
///
/// ```
/// use handover::frame::Extensions;
/// use handover::group::message::{Message, Welcome};
/// use handover::group::process::{Config, Event, Input, Output, Process};
/// use handover::group::{DomainId, Epoch};
/// use handover::machine::{LinkId, Machine};
/// use handover::time::Instant;
///
/// let (now, link) = (Instant::ZERO, LinkId(1));
/// let mut process = Process::new(Config::new(1, 1));
/// process.handle(now, Input::Opened(link))?;
/// assert!(matches!(process.poll_output(), Some(Output::Send { message: Message::Enter(_), .. })));
/// let (domain, epoch) = (DomainId(7), Epoch(1 << 16));
/// let message = Message::Welcome(Welcome { domain, epoch, extensions: Extensions::NONE });
/// process.handle(now, Input::Message { link, message })?;
/// assert_eq!(process.poll_output(), Some(Output::Event(Event::Entered { domain, epoch })));
///
/// // The coordinator has died: the next one is looked for.
/// process.handle(now, Input::Closed(link))?;
/// assert_eq!(process.poll_output(), Some(Output::Event(Event::Orphaned)));
/// process.handle(now, Input::Opened(LinkId(2)))?;
/// let Some(Output::Send { message: Message::Enter(enter), .. }) = process.poll_output() else { panic!() };
/// assert_eq!(enter.epoch, epoch);
/// # Ok::<(), handover::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "ha_gs_init")]
pub struct Process {
    config: Config,
    state: State,
    now: Instant,
    link: Option<LinkId>,
    domain: Option<DomainId>,
    /// The highest reign that it was in.
    epoch: Epoch,
    parts: BTreeMap<RequestId, Part>,
    /// Whose a token is, and which token one has.
    tokens: BTreeMap<Token, RequestId>,
    held: BTreeMap<RequestId, Token>,
    /// Whether the coordinator that it enters at has heard what it knows, and what is to be said since then.
    reported: bool,
    farewells: Vec<Message>,
    deadlines: BTreeSet<(Instant, Due)>,
    outbox: Outbox<Output>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    Provider(Box<Provider>, Option<Instant>),
    Subscriber(Subscriber),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Due {
    /// A coordinator is to be found by then.
    Reenter,
    /// One of its providers.
    Provider(RequestId),
}

impl Process {
    /// A process without a link.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            state: State::Outside,
            now: Instant::ZERO,
            link: None,
            domain: None,
            epoch: Epoch(0),
            parts: BTreeMap::new(),
            tokens: BTreeMap::new(),
            held: BTreeMap::new(),
            reported: false,
            farewells: Vec::new(),
            deadlines: BTreeSet::new(),
            outbox: Outbox::new(),
        }
    }

    /// One of its providers; `None` once it is gone.
    #[must_use]
    pub fn provider(&self, request: RequestId) -> Option<&Provider> {
        match self.parts.get(&request)? {
            Part::Provider(provider, _) => Some(provider),
            Part::Subscriber(_) => None,
        }
    }

    /// One of its subscribers; `None` once it is gone.
    #[must_use]
    pub fn subscriber(&self, request: RequestId) -> Option<&Subscriber> {
        match self.parts.get(&request)? {
            Part::Subscriber(subscriber) => Some(subscriber),
            Part::Provider(..) => None,
        }
    }

    /// The highest reign that it was in.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }
}
