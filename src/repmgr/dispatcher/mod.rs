//! Messages and requests that come in, and exactly one answer for each request (spec/repmgr.md 6.3).

mod handle;
pub mod incoming;
mod table;
#[cfg(test)]
mod tests;
mod types;

pub use table::{Event as TableEvent, State, TABLE, step};
pub use types::{Config, Event, Handle, Input, Output};

use super::connection::Traffic;
use super::message::Wanted;
use super::segments::Segments;
use crate::error::to_u64;
use crate::hold::Held;
use crate::machine::{LinkId, Outbox};
use crate::wire::Encode;
use alloc::collections::{BTreeMap, BTreeSet};
use incoming::Progress;

/// Messages and requests that come in, on any number of links.
///
/// Every request is answered exactly once: by the application, or by the dispatcher in its place. A link whose messages
/// are not finished as fast as they come is paused.
///
/// ```
/// use handover::machine::{LinkId, Machine};
/// use handover::repmgr::Segments;
/// use handover::repmgr::dispatcher::{Config, Dispatcher, Event, Input, Output};
/// use handover::repmgr::message::{AppMessage, Wanted};
/// use handover::time::Instant;
///
/// let (now, link) = (Instant::ZERO, LinkId(1));
/// let mut dispatcher = Dispatcher::new(Config::default());
/// let wanted = Wanted { tag: 7, bulk: false, limit: None };
/// let message = AppMessage::request(Segments::one("balance?"), wanted);
/// dispatcher.handle(now, Input::Received { link, message })?;
/// let Some(Output::Event(Event::Request { handle, .. })) = dispatcher.poll_output() else { panic!() };
/// dispatcher.handle(now, Input::Answer { handle, segments: Segments::one("12") })?;
/// assert!(matches!(dispatcher.poll_output(), Some(Output::Send { .. })));
/// dispatcher.handle(now, Input::Finish(handle))?;
/// assert_eq!(dispatcher.poll_output(), None);
/// # Ok::<(), handover::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dispatcher {
    config: Config,
    state: State,
    last: u32,
    incoming: BTreeMap<Handle, Incoming>,
    links: BTreeMap<LinkId, Link>,
    paused: BTreeSet<LinkId>,
    outbox: Outbox<Output>,
}

/// A message or request that is not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Incoming {
    link: LinkId,
    progress: Progress,
    wanted: Option<Wanted>,
}

/// A link that something has come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Link {
    congested: bool,
    /// What has come from it and is not finished.
    unfinished: BTreeSet<Handle>,
    /// What waits to be sent to it.
    held: Held<Traffic>,
}

impl Link {
    /// What it makes us keep.
    fn load(&self) -> usize {
        self.unfinished.len().saturating_add(self.held.len())
    }
}

impl Dispatcher {
    /// A dispatcher to which nothing has come.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            state: if config.serving { State::Serving } else { State::Refusing },
            config,
            last: 0,
            incoming: BTreeMap::new(),
            links: BTreeMap::new(),
            paused: BTreeSet::new(),
            outbox: Outbox::new(),
        }
    }

    /// Whether an answer is what the requester allows; `Err` is its size in bytes. `None` if the request is not known
    /// any more.
    #[must_use]
    pub fn fits(&self, handle: Handle, segments: &Segments) -> Option<Result<(), u64>> {
        self.incoming.get(&handle)?.wanted.map(|wanted| fits(wanted, segments))
    }

    /// How many messages and requests are not finished.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.incoming.len()
    }

    /// Where a message or request that is not finished has come from.
    pub(super) fn link_of(&self, handle: Handle) -> Option<LinkId> {
        self.incoming.get(&handle).map(|incoming| incoming.link)
    }

    /// Whether nothing may come from a link now.
    #[must_use]
    pub fn is_paused(&self, link: LinkId) -> bool {
        self.paused.contains(&link)
    }
}

/// Whether an answer is what is wanted; `Err` is its size in bytes.
fn fits(wanted: Wanted, segments: &Segments) -> Result<(), u64> {
    let size = to_u64(answer_len(wanted, segments));
    let single = wanted.bulk || segments.len() <= 1;
    let small = wanted.limit.is_none_or(|limit| size <= u64::from(limit));
    if single && small { Ok(()) } else { Err(size) }
}

/// An answer's size as the requester counts it: of one segment, its bytes; of a block, with padding and table.
fn answer_len(wanted: Wanted, segments: &Segments) -> usize {
    if wanted.bulk { segments.encoded_len() } else { segments.payload_len() }
}
