//! Links and what is on its way on them.

use super::{Config, Down, Entry, Fault, Link, PartyId, Trace, What};
use crate::testing::Rng;
use crate::time::Instant;
use core::fmt::Debug;
use core::ops::RangeInclusive;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::string::String;
use std::vec::Vec;

/// When, and in which order what was put into the queue for the same time.
pub(super) type Key = (Instant, u64);

/// What is to come.
pub(super) enum Event<M> {
    /// Something reaches an end of a link: 0 is the one that opened it, 1 the one that was called.
    Arrive { link: Link, end: usize, what: Arrival<M> },
    /// A party starts.
    Start(PartyId),
    /// A fault.
    Fault(Fault),
    /// A call of the test's, by its number.
    Call(u64),
}

/// What can reach the end of a link.
pub(super) enum Arrival<M> {
    Up,
    Message(M),
    Down(Down),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    Up,
    Over,
}

struct End {
    party: PartyId,
    phase: Phase,
    /// What is on its way to this end, in order.
    pending: VecDeque<Key>,
}

struct LinkState {
    ends: [End; 2],
    opened_at: Instant,
    /// Since when it is cut, or closed by one of its ends.
    dead_at: Option<Instant>,
    cut: bool,
}

/// Everything but the parties.
pub(super) struct Network<M> {
    pub(super) now: Instant,
    pub(super) rng: Rng,
    pub(super) config: Config,
    pub(super) queue: BTreeMap<Key, Event<M>>,
    pub(super) trace: Trace,
    /// For each party: whether it is up, and how often it has started.
    pub(super) up: Vec<(bool, u64)>,
    pub(super) delays: BTreeMap<(PartyId, PartyId), RangeInclusive<u64>>,
    links: Vec<LinkState>,
    parted: BTreeSet<(PartyId, PartyId)>,
    next: u64,
}

/// Two parties, in whatever order.
pub(super) fn pair(one: PartyId, two: PartyId) -> (PartyId, PartyId) {
    (one.min(two), one.max(two))
}

impl<M: Debug> Network<M> {
    pub(super) fn new(config: Config) -> Self {
        Self {
            now: Instant::ZERO,
            rng: Rng::new(config.seed),
            config,
            queue: BTreeMap::new(),
            trace: Trace::default(),
            up: Vec::new(),
            delays: BTreeMap::new(),
            links: Vec::new(),
            parted: BTreeSet::new(),
            next: 0,
        }
    }

    pub(super) fn note(&mut self, from: Option<PartyId>, to: Option<PartyId>, link: Option<Link>, what: What) {
        if self.config.trace {
            self.trace.entries.push(Entry { at: self.now, from, to, link, what });
        }
    }

    /// A message as the trace keeps it.
    fn print(&self, message: &M) -> String {
        if self.config.trace { std::format!("{message:?}") } else { String::new() }
    }

    pub(super) fn schedule(&mut self, at: Instant, event: Event<M>) -> Key {
        let key = (at.max(self.now), self.next);
        self.next += 1;
        self.queue.insert(key, event);
        key
    }

    fn state(&mut self, link: Link) -> &mut LinkState {
        &mut self.links[usize::try_from(link.0).expect("links have small numbers")]
    }

    /// Puts something on its way to an end: not before `at`, and behind what is on its way already.
    fn put(&mut self, link: Link, end: usize, at: Instant, what: Arrival<M>) {
        let last = self.state(link).ends[end].pending.back().map_or(Instant::ZERO, |&(at, _)| at);
        let key = self.schedule(at.max(last), Event::Arrive { link, end, what });
        self.state(link).ends[end].pending.push_back(key);
    }

    fn after(&mut self, range: &RangeInclusive<u64>) -> Instant {
        let micros = self.rng.within(range);
        self.now.saturating_add(Duration::from_micros(micros))
    }

    /// When something sent now between these two arrives.
    fn arrival(&mut self, one: PartyId, two: PartyId) -> Instant {
        let range = self.delays.get(&pair(one, two)).unwrap_or(&self.config.delay).clone();
        self.after(&range)
    }

    fn noticed(&mut self) -> Instant {
        let range = self.config.notice.clone();
        self.after(&range)
    }

    pub(super) fn open(&mut self, from: PartyId, to: PartyId) -> Link {
        assert!(from != to && to.0 < self.up.len(), "a link is between two parties of this world");
        let link = Link(self.links.len() as u64);
        let end = |party| End { party, phase: Phase::Waiting, pending: VecDeque::new() };
        let ends = [end(from), end(to)];
        self.links.push(LinkState { ends, opened_at: self.now, dead_at: None, cut: false });
        self.note(Some(from), Some(to), Some(link), What::Opened);
        let parted = self.parted.contains(&pair(from, to));
        if parted || !self.up[to.0].0 {
            let now = self.now;
            let state = self.state(link);
            state.ends[1].phase = Phase::Over;
            state.dead_at = Some(now);
            // Where nobody listens an answer comes, where there is no way one waits for it.
            let at = if parted { self.noticed() } else { self.arrival(from, to) };
            self.put(link, 0, at, Arrival::Down(Down::Refused));
        } else {
            let at = self.arrival(from, to);
            self.put(link, 1, at, Arrival::Up);
        }
        link
    }

    /// Which end of a link a party has.
    fn end_of(&mut self, link: Link, party: PartyId) -> usize {
        let state = self.state(link);
        let end = state.ends.iter().position(|end| end.party == party);
        end.expect("a party uses its own links only")
    }

    pub(super) fn peer(&mut self, link: Link, party: PartyId) -> PartyId {
        let end = self.end_of(link, party);
        self.state(link).ends[1 - end].party
    }

    pub(super) fn send(&mut self, from: PartyId, link: Link, message: M) -> bool {
        let end = self.end_of(link, from);
        let text = self.print(&message);
        let state = self.state(link);
        let (phase, to) = (state.ends[end].phase, state.ends[1 - end].party);
        let lost = state.cut || state.ends[1 - end].phase == Phase::Over;
        if phase != Phase::Up {
            self.note(Some(from), Some(to), Some(link), What::NotSent(text));
            return false;
        }
        if lost {
            self.note(Some(from), Some(to), Some(link), What::Lost(text));
            return true;
        }
        self.note(Some(from), Some(to), Some(link), What::Sent(text));
        let at = self.arrival(from, to);
        self.put(link, 1 - end, at, Arrival::Message(message));
        true
    }

    /// An end hears nothing more of its link.
    fn silence(&mut self, link: Link, end: usize) {
        self.state(link).ends[end].phase = Phase::Over;
        self.lose(link, end, 0);
    }

    /// Loses what is on its way to an end, but for the first `keep`.
    fn lose(&mut self, link: Link, end: usize, keep: usize) {
        let state = self.state(link);
        let (from, to) = (state.ends[1 - end].party, state.ends[end].party);
        let lost: Vec<Key> = state.ends[end].pending.drain(keep..).collect();
        for key in lost {
            if let Some(Event::Arrive { what: Arrival::Message(message), .. }) = self.queue.remove(&key) {
                let text = self.print(&message);
                self.note(Some(from), Some(to), Some(link), What::Lost(text));
            }
        }
    }

    pub(super) fn close(&mut self, from: PartyId, link: Link) {
        let end = self.end_of(link, from);
        let now = self.now;
        let state = self.state(link);
        if state.ends[end].phase == Phase::Over {
            return;
        }
        state.dead_at.get_or_insert(now);
        let to = state.ends[1 - end].party;
        let tell = !state.cut && state.ends[1 - end].phase != Phase::Over;
        self.note(Some(from), Some(to), Some(link), What::Closed);
        self.silence(link, end);
        if tell {
            let at = self.arrival(from, to);
            self.put(link, 1 - end, at, Arrival::Down(Down::Closed));
        }
    }

    /// Cuts a link, if there is such a link and it still can be.
    pub(super) fn cut(&mut self, link: Link) {
        if link.0 >= self.links.len() as u64 {
            return;
        }
        let now = self.now;
        let state = self.state(link);
        let (one, two) = (state.ends[0].party, state.ends[1].party);
        if state.cut || state.ends.iter().all(|end| end.phase == Phase::Over) {
            return;
        }
        state.cut = true;
        state.dead_at.get_or_insert(now);
        self.note(Some(one), Some(two), Some(link), What::Cut);
        for end in 0..2 {
            if self.state(link).ends[end].phase == Phase::Over {
                continue;
            }
            let on_its_way = self.state(link).ends[end].pending.len() as u64;
            let keep = self.rng.within(&(0..=on_its_way)) as usize;
            self.lose(link, end, keep);
            let kept: Vec<Key> = self.state(link).ends[end].pending.iter().copied().collect();
            let arrives = |wanted: fn(&Arrival<M>) -> bool| {
                kept.iter().any(|key| matches!(&self.queue[key], Event::Arrive { what, .. } if wanted(what)))
            };
            let (comes_up, goes_down) =
                (arrives(|what| matches!(what, Arrival::Up)), arrives(|what| matches!(what, Arrival::Down(_))));
            let unheard = self.state(link).ends[end].phase == Phase::Waiting && !comes_up;
            if goes_down {
                continue;
            }
            if unheard && end == 1 {
                // The call never reached it.
                self.silence(link, end);
                continue;
            }
            let at = self.noticed();
            self.put(link, end, at, Arrival::Down(if unheard { Down::Refused } else { Down::Broken }));
        }
    }

    /// Links between two parties that are not over at both ends.
    fn links_of(&self, is_it: impl Fn(PartyId, PartyId) -> bool) -> Vec<Link> {
        let links = self.links.iter().enumerate();
        let chosen = links.filter(|(_, state)| {
            is_it(state.ends[0].party, state.ends[1].party) && state.ends.iter().any(|end| end.phase != Phase::Over)
        });
        chosen.map(|(number, _)| Link(number as u64)).collect()
    }

    pub(super) fn cut_between(&mut self, one: PartyId, two: PartyId) {
        let links = self.links_of(|a, b| pair(a, b) == pair(one, two));
        links.into_iter().for_each(|link| self.cut(link));
    }

    pub(super) fn part(&mut self, one: PartyId, two: PartyId) {
        if one != two && self.parted.insert(pair(one, two)) {
            self.note(Some(one), Some(two), None, What::Parted);
            self.cut_between(one, two);
        }
    }

    pub(super) fn heal(&mut self, one: PartyId, two: PartyId) {
        if self.parted.remove(&pair(one, two)) {
            self.note(Some(one), Some(two), None, What::Healed);
        }
    }

    /// Whether the party was up.
    pub(super) fn crash(&mut self, party: PartyId) -> bool {
        if !self.up[party.0].0 {
            return false;
        }
        self.up[party.0].0 = false;
        self.note(Some(party), None, None, What::Crashed);
        for link in self.links_of(|a, b| a == party || b == party) {
            let end = self.end_of(link, party);
            if self.state(link).ends[end].phase != Phase::Over {
                self.silence(link, end);
                self.cut(link);
            }
        }
        true
    }

    /// A link that can still break, at random.
    pub(super) fn random_link(&mut self) -> Option<Link> {
        let mut links = self.links_of(|_, _| true);
        links.retain(|&link| !self.state(link).cut);
        let at = self.rng.below(links.len() as u64);
        links.get(at as usize).copied()
    }

    /// Takes what has arrived off the list of what is on its way. The party that it reaches, and the other one; none
    /// if the end hears nothing any more.
    pub(super) fn arrived(
        &mut self,
        link: Link,
        end: usize,
        key: Key,
        what: &Arrival<M>,
    ) -> Option<(PartyId, PartyId)> {
        let state = self.state(link);
        state.ends[end].pending.retain(|&other| other != key);
        let (to, from, cut) = (state.ends[end].party, state.ends[1 - end].party, state.cut);
        if state.ends[end].phase == Phase::Over {
            return None;
        }
        let seen = match what {
            Arrival::Up => {
                state.ends[end].phase = Phase::Up;
                if end == 1 && !cut && state.ends[0].phase == Phase::Waiting {
                    let at = self.arrival(to, from);
                    self.put(link, 0, at, Arrival::Up);
                }
                What::Up
            }
            Arrival::Message(message) => What::Received(self.print(message)),
            Arrival::Down(why) => {
                state.ends[end].phase = Phase::Over;
                What::Down(*why)
            }
        };
        self.note(Some(from), Some(to), Some(link), seen);
        Some((to, from))
    }

    /// What has to reach this end before `link` comes up there: the rest of older links between the same two
    /// parties that had died before it was opened.
    pub(super) fn older(&mut self, link: Link, end: usize) -> Vec<Key> {
        if !self.config.old_down_first {
            return Vec::new();
        }
        let state = self.state(link);
        let (me, peer, opened_at) = (state.ends[end].party, state.ends[1 - end].party, state.opened_at);
        let dead = self.links.iter().take(link.0 as usize);
        let dead = dead.filter(|state| state.dead_at.is_some_and(|at| at <= opened_at));
        let mine = dead.filter_map(|LinkState { ends: [one, two], .. }| match (one.party, two.party) {
            parties if parties == (me, peer) => Some(one),
            parties if parties == (peer, me) => Some(two),
            _ => None,
        });
        mine.flat_map(|end| end.pending.iter().copied()).collect()
    }
}

/// What a party can do, while it reacts.
pub struct Context<'a, M> {
    pub(super) network: &'a mut Network<M>,
    pub(super) me: PartyId,
}

impl<M> core::fmt::Debug for Context<'_, M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Context").field("me", &self.me).field("now", &self.network.now).finish_non_exhaustive()
    }
}

impl<M: Debug> Context<'_, M> {
    /// The time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.network.now
    }

    /// The party itself.
    #[must_use]
    pub const fn me(&self) -> PartyId {
        self.me
    }

    /// How often the party has started: 1 until its first crash.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.network.up[self.me.0].1
    }

    /// Opens a link to `peer`. It can be used when [`on_link_up`](super::Party::on_link_up) says so; if it never
    /// comes up, [`on_link_down`](super::Party::on_link_down) does.
    ///
    /// # Panics
    /// `peer` is the party itself, or none of this world.
    pub fn open(&mut self, peer: PartyId) -> Link {
        self.network.open(self.me, peer)
    }

    /// Sends a message. False if the link is not up at this end. True does not mean that it arrives.
    ///
    /// # Panics
    /// The link is not one of this party's.
    pub fn send(&mut self, link: Link, message: M) -> bool {
        self.network.send(self.me, link, message)
    }

    /// Closes a link: the other end is told so behind what was sent before, this end hears nothing more.
    ///
    /// # Panics
    /// The link is not one of this party's.
    pub fn close(&mut self, link: Link) {
        self.network.close(self.me, link);
    }

    /// Who is at the other end.
    ///
    /// # Panics
    /// The link is not one of this party's.
    #[must_use]
    pub fn peer(&mut self, link: Link) -> PartyId {
        self.network.peer(link, self.me)
    }

    /// Writes a line into the trace.
    pub fn note(&mut self, text: impl Into<String>) {
        let me = self.me;
        self.network.note(Some(me), None, None, What::Note(text.into()));
    }

    /// Random numbers, from the same seed as all others.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.network.rng
    }
}
