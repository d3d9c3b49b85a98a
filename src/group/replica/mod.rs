//! Coordinators among each other: who reigns, and what the others keep (spec/group.md 6.2).

mod handle;
mod reign;
mod table;
#[cfg(test)]
mod tests;
mod types;

pub use table::{Event as TableEvent, State, TABLE, step};
pub use types::{Config, Event, Input, Item, Memory, Output};

use super::coordinator::Durability;
use super::message::{Entry, GroupRecord};
use super::name::{CoordinatorId, Epoch};
use crate::frame::Text;
use crate::limits::GroupLimits;
use crate::machine::{LinkId, Outbox};
use crate::time::Instant;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

/// One of the coordinators of a domain. At most one reigns at a time; it has the others keep each outcome before anybody
/// is told, and who takes over asks enough of them to know every outcome that anybody may have been told.
///
/// How many that are, [`Durability`] says:
///
/// | | keep an outcome, beside who reigns | asked before a reign, the new one among them |
/// |---|---|---|
/// | `Survivors` | 0 | 1 |
/// | `Replicated(k)` of n | k | n - k |
/// | `Quorum` of n | n / 2 (and who reigns has stored it) | n / 2 + 1 |
///
/// Whether who reigns is still there is the caller's to find out, and it may be wrong. Then the old reign is over as soon
/// as it hears of the new one; with `Quorum` it was over before the new one began.
///
/// ```
/// use handover::group::CoordinatorId;
/// use handover::group::coordinator::Durability;
/// use handover::group::message::Message;
/// use handover::group::replica::{Config, Event, Input, Memory, Output, Replica, State};
/// use handover::machine::{LinkId, Machine};
/// use handover::time::Instant;
///
/// // One of two, which both keep every outcome.
/// let (now, link) = (Instant::ZERO, LinkId(1));
/// let mut config = Config::new(CoordinatorId(0), 2);
/// config.durability = Durability::Quorum;
/// let limits = config.limits.clone();
/// let (mut replica, mut disk) = (Replica::new(config, Memory::default(), now), Memory::default());
/// replica.handle(now, Input::Opened { link, coordinator: CoordinatorId(1) })?;
/// replica.handle(now, Input::TakeOver)?;
/// // First it promises itself what it asks of the other one.
/// let Some(Output::Store { number, item }) = replica.poll_output() else { panic!() };
/// disk.add(&item, &limits);
/// replica.handle(now, Input::Stored(number))?;
/// let Some(Output::Send { message: Message::Query(query), .. }) = replica.poll_output() else { panic!() };
/// assert_eq!((query.epoch, replica.state()), (disk.promised, State::Asking));
/// # Ok::<(), handover::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica {
    config: Config,
    state: State,
    now: Instant,
    links: BTreeMap<CoordinatorId, Other>,
    /// What it knows, stored or about to be.
    memory: Memory,
    /// The reign, or candidacy, that it has last heard of and agreed to, and when.
    heard: Option<(Epoch, Instant)>,
    /// Its promise: when it is stored.
    promise: u64,
    /// When it has asked the others first, in this candidacy.
    asked: Option<Instant>,
    /// When this candidacy fails.
    fails: Instant,
    leader: Option<(Epoch, Text)>,
    /// The last outcome of this epoch that has come, and the last that is stored.
    last: u64,
    stored: u64,
    kept: u64,
    /// What is to be done once something is stored.
    storing: VecDeque<(u64, Then)>,
    last_number: u64,
    /// The beat that was sent last, and when each of the last few was.
    beats: VecDeque<(u64, Instant)>,
    deadline: Option<Instant>,
    outbox: Outbox<Output>,
}

/// Another coordinator with a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Other {
    link: LinkId,
    /// What it has kept of this reign.
    kept: u64,
    /// When what it has answered last was sent.
    answered: Option<Instant>,
    /// Whether it has agreed to this candidacy, and has said all that it knows.
    granted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Then {
    /// Ask the others.
    Ask(Epoch),
    /// Agree.
    Grant(CoordinatorId, Epoch),
    /// Say that it is kept.
    Confirm(Epoch, u64),
    /// Count it.
    Count(Epoch, u64),
    /// Nothing.
    Nothing,
}

impl Replica {
    /// One that has no links, and knows what it knew before.
    #[must_use]
    pub fn new(config: Config, memory: Memory, now: Instant) -> Self {
        // It may have heard of a reign just before it stopped; of which, and when, is not stored.
        let heard = (memory.promised > Epoch(0)).then_some((Epoch(0), now));
        Self {
            config,
            state: State::Following,
            now,
            links: BTreeMap::new(),
            memory,
            heard,
            promise: 0,
            asked: None,
            fails: now,
            leader: None,
            last: 0,
            stored: 0,
            kept: 0,
            storing: VecDeque::new(),
            last_number: 0,
            beats: VecDeque::new(),
            deadline: None,
            outbox: Outbox::new(),
        }
    }

    /// The highest epoch that it has agreed to.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.memory.promised
    }

    /// Who reigns, as far as it knows: in which epoch, and where processes find it.
    #[must_use]
    pub const fn leader(&self) -> Option<&(Epoch, Text)> {
        self.leader.as_ref()
    }

    /// Until when it has promised another reign than this to have nobody else reign, if that is not over.
    fn owes_another(&self, epoch: Epoch) -> Option<Instant> {
        let (other, heard) = self.heard.filter(|_| self.config.durability == Durability::Quorum)?;
        let until = heard.saturating_add(self.config.lease);
        (other != epoch && self.now < until).then_some(until)
    }

    /// How many others keep an outcome before it is told.
    fn copies(&self) -> usize {
        match self.config.durability {
            Durability::Survivors => 0,
            Durability::Replicated(copies) => usize::from(copies),
            Durability::Quorum => usize::from(self.config.coordinators / 2),
        }
    }

    /// How many are asked before a reign, this one among them.
    fn askers(&self) -> usize {
        match self.config.durability {
            Durability::Survivors => 1,
            Durability::Replicated(copies) => usize::from(self.config.coordinators.saturating_sub(copies)).max(1),
            Durability::Quorum => usize::from(self.config.coordinators / 2).saturating_add(1),
        }
    }
}

impl Memory {
    /// Adds one thing that was [stored](Output::Store). All of them, in their order, are what a replica of these limits
    /// begins with that comes back.
    pub fn add(&mut self, item: &Item, limits: &GroupLimits) {
        match item {
            Item::Promise(epoch) => self.promised = self.promised.max(*epoch),
            Item::Entry(entry) => self.keep(entry, limits),
        }
    }

    fn keep(&mut self, entry: &Entry, limits: &GroupLimits) {
        let nothing = || GroupRecord { snapshot: entry.snapshot.clone(), recent: Vec::new() };
        add(self.records.entry(entry.snapshot.group).or_insert_with(nothing), entry, limits.recent);
        if self.records.len() > limits.groups {
            // Groups that are no more are kept so that nobody brings them back, as long as there is room.
            let ended = self.records.iter().find(|(_, record)| record.snapshot.members.is_empty());
            if let Some(id) = ended.map(|(id, _)| *id) {
                self.records.remove(&id);
            }
        }
    }
}

/// Adds an outcome to what is known of a group.
fn add(record: &mut GroupRecord, entry: &Entry, most: usize) {
    if entry.snapshot.sequence < record.snapshot.sequence {
        return;
    }
    record.snapshot = entry.snapshot.clone();
    // What another reign has decided, and was never kept, came out otherwise.
    record.recent.retain(|past| past.ended.protocol <= entry.snapshot.last);
    if record.recent.contains(&entry.past) {
        return;
    }
    record.recent.retain(|past| past.ended.protocol < entry.past.ended.protocol);
    record.recent.push(entry.past.clone());
    if record.recent.len() > most.max(1) {
        record.recent.remove(0);
    }
}
