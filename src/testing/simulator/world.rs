//! The parties, and what drives them.

use super::network::{Arrival, Context, Event, Key, Network, pair};
use super::{Chaos, Config, Fault, Link, Party, PartyId, Trace, What};
use crate::time::Instant;
use core::fmt;
use core::ops::RangeInclusive;
use core::time::Duration;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

/// Why a run ended before its time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It took more steps than [`Config::max_steps`].
    Livelock,
    /// The test's check failed.
    Check(String),
}

/// A run ended before its time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stopped {
    /// The seed that repeats it.
    pub seed: u64,
    /// When.
    pub at: Instant,
    /// Steps since the world began.
    pub steps: u64,
    /// Why.
    pub reason: Reason,
    /// The last lines of the trace.
    pub tail: String,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, at, steps, reason, tail } = self;
        match reason {
            Reason::Livelock => write!(f, "it does not come to rest")?,
            Reason::Check(why) => write!(f, "{why}")?,
        }
        write!(f, " (seed {seed}, at {} µs, {steps} steps); the end of the trace:\n{tail}", at.as_micros())
    }
}

impl core::error::Error for Stopped {}

/// A call that a test has put into the queue.
type Call<P> = Box<dyn FnOnce(&mut P, &mut Context<'_, <P as Party>::Message>) + Send>;

/// The world: parties, links, time. See [`simulator`](super).
pub struct Simulator<P: Party> {
    parties: Vec<P>,
    network: Network<P::Message>,
    calls: BTreeMap<u64, (PartyId, Call<P>)>,
    chaos: Option<Chaos>,
    steps: u64,
}

impl<P: Party> fmt::Debug for Simulator<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parties, network, steps, .. } = self;
        let (now, queued) = (network.now, network.queue.len());
        f.debug_struct("Simulator")
            .field("parties", &parties.len())
            .field("now", &now)
            .field("queued", &queued)
            .field("steps", steps)
            .finish_non_exhaustive()
    }
}

impl<P: Party> Simulator<P> {
    /// An empty world.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { parties: Vec::new(), network: Network::new(config), calls: BTreeMap::new(), chaos: None, steps: 0 }
    }

    /// Adds a party. It starts with the next step.
    pub fn add(&mut self, name: impl Into<String>, party: P) -> PartyId {
        let id = PartyId(self.parties.len());
        self.parties.push(party);
        self.network.trace.names.push(name.into());
        self.network.up.push((false, 0));
        self.network.schedule(self.network.now, Event::Start(id));
        id
    }

    /// A party, to look at.
    ///
    /// # Panics
    /// There is no such party.
    #[must_use]
    pub fn party(&self, id: PartyId) -> &P {
        &self.parties[id.0]
    }

    /// All parties, in the order in which they were added.
    #[must_use]
    pub fn parties(&self) -> &[P] {
        &self.parties
    }

    /// Whether a party has started and not crashed since.
    ///
    /// # Panics
    /// There is no such party.
    #[must_use]
    pub fn is_up(&self, id: PartyId) -> bool {
        self.network.up[id.0].0
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.network.now
    }

    /// Steps since the world began.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// What happened so far.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.network.trace
    }

    /// Has a party do something now. `None` if it is not up.
    ///
    /// # Panics
    /// There is no such party.
    pub fn with<R>(&mut self, id: PartyId, call: impl FnOnce(&mut P, &mut Context<'_, P::Message>) -> R) -> Option<R> {
        if !self.is_up(id) {
            return None;
        }
        Some(call(&mut self.parties[id.0], &mut Context { network: &mut self.network, me: id }))
    }

    /// Has a party do something at a time, if it is up then.
    pub fn call_at(
        &mut self,
        at: Instant,
        id: PartyId,
        call: impl FnOnce(&mut P, &mut Context<'_, P::Message>) + Send + 'static,
    ) {
        let number = self.calls.last_key_value().map_or(0, |(last, _)| last + 1);
        self.calls.insert(number, (id, Box::new(call)));
        self.network.schedule(at, Event::Call(number));
    }

    /// Has something go wrong at a time.
    pub fn fault_at(&mut self, at: Instant, fault: Fault) {
        self.network.schedule(at, Event::Fault(fault));
    }

    /// Has things go wrong at random.
    pub fn set_chaos(&mut self, chaos: Chaos) {
        self.chaos = Some(chaos);
    }

    /// Sets how long messages between two parties take, in place of [`Config::delay`].
    pub fn set_delay(&mut self, one: PartyId, two: PartyId, micros: RangeInclusive<u64>) {
        self.network.delays.insert(pair(one, two), micros);
    }

    /// When the next thing happens, `None` if nothing is left to happen.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        let event = self.network.queue.first_key_value().map(|(&(at, _), _)| at);
        let deadline = self.deadline().map(|(at, _)| at);
        event.into_iter().chain(deadline).min()
    }

    /// The first deadline of a party that is up. One that has passed is due now.
    fn deadline(&self) -> Option<(Instant, PartyId)> {
        let ids = (0..self.parties.len()).map(PartyId).filter(|&id| self.is_up(id));
        ids.filter_map(|id| Some((self.party(id).poll_timeout()?.max(self.network.now), id))).min()
    }

    /// Does the next thing. False if there is none.
    pub fn step(&mut self) -> bool {
        let event = self.network.queue.first_key_value().map(|(&key, _)| key);
        let deadline = self.deadline();
        let timeout = match (event, deadline) {
            (None, None) => return false,
            (Some((at, _)), Some((due, _))) => due < at || (due == at && self.network.rng.happens(500_000)),
            (_, due) => due.is_some(),
        };
        self.steps += 1;
        match (deadline, event) {
            (Some((due, id)), _) if timeout => {
                self.network.now = due;
                self.network.note(Some(id), None, None, What::Timeout);
                self.with(id, P::on_timeout);
            }
            (_, Some(key)) => {
                self.network.now = key.0;
                self.happen(key);
            }
            _ => {}
        }
        self.stir();
        true
    }

    /// What stands in the queue under `key` happens.
    fn happen(&mut self, key: Key) {
        match self.network.queue.remove(&key) {
            None => {}
            Some(Event::Start(id)) => self.start(id),
            Some(Event::Fault(fault)) => self.fault(fault),
            Some(Event::Call(number)) => {
                if let Some((id, call)) = self.calls.remove(&number) {
                    self.with(id, call);
                }
            }
            Some(Event::Arrive { link, end, what }) => {
                if matches!(what, Arrival::Up) {
                    self.network.older(link, end).into_iter().for_each(|older| self.happen(older));
                }
                self.arrive(link, end, key, what);
            }
        }
    }

    fn arrive(&mut self, link: Link, end: usize, key: Key, what: Arrival<P::Message>) {
        let Some((id, peer)) = self.network.arrived(link, end, key, &what) else { return };
        self.with(id, |party, cx| match what {
            Arrival::Up => party.on_link_up(cx, link, peer),
            Arrival::Message(message) => party.on_message(cx, link, message),
            Arrival::Down(why) => party.on_link_down(cx, link, why),
        });
    }

    fn start(&mut self, id: PartyId) {
        let (up, starts) = &mut self.network.up[id.0];
        if *up {
            return;
        }
        (*up, *starts) = (true, *starts + 1);
        let what = What::Started(*starts);
        self.network.note(Some(id), None, None, what);
        self.with(id, P::on_start);
    }

    fn fault(&mut self, fault: Fault) {
        match fault {
            Fault::Cut(link) => self.network.cut(link),
            Fault::CutBetween(one, two) => self.network.cut_between(one, two),
            Fault::Partition(one, two) => self.network.part(one, two),
            Fault::Heal(one, two) => self.network.heal(one, two),
            Fault::Restart(id) => self.start(id),
            Fault::Crash(id) => {
                if self.network.crash(id) {
                    self.parties[id.0].on_crash();
                }
            }
        }
    }

    /// Lets something go wrong, if its time has come.
    fn stir(&mut self) {
        let Some(chaos) = &self.chaos else { return };
        let (now, count) = (self.network.now, self.parties.len() as u64);
        let network = &mut self.network;
        if now >= chaos.until {
            return;
        }
        let (cut, crash, part) =
            (network.rng.happens(chaos.cut), network.rng.happens(chaos.crash), network.rng.happens(chaos.partition));
        let mut random = || PartyId(network.rng.below(count) as usize);
        let (victim, one, two) = (random(), random(), random());
        let over = now.saturating_add(Duration::from_micros(network.rng.within(&chaos.lasts)));
        let crash = crash && !chaos.spared.contains(&victim);
        if cut && let Some(link) = self.network.random_link() {
            self.fault(Fault::Cut(link));
        }
        if part && one != two {
            self.fault(Fault::Partition(one, two));
            self.fault_at(over, Fault::Heal(one, two));
        }
        if crash && self.is_up(victim) {
            self.fault(Fault::Crash(victim));
            self.fault_at(over, Fault::Restart(victim));
        }
    }

    /// Runs until `end`, that included; then it is `end`.
    ///
    /// # Errors
    /// It takes more than [`Config::max_steps`] steps.
    pub fn run_until(&mut self, end: Instant) -> Result<(), Stopped> {
        self.run_checked(Some(end), |_| Ok(()))
    }

    /// Runs until nothing is left to happen. A party that always has a deadline never lets it end.
    ///
    /// # Errors
    /// It takes more than [`Config::max_steps`] steps.
    pub fn run_until_idle(&mut self) -> Result<(), Stopped> {
        self.run_checked(None, |_| Ok(()))
    }

    /// Runs until `end`, or until nothing is left to happen, and calls `check` after each step.
    ///
    /// # Errors
    /// It takes more than [`Config::max_steps`] steps, or the check fails.
    pub fn run_checked(
        &mut self,
        end: Option<Instant>,
        mut check: impl FnMut(&Self) -> Result<(), String>,
    ) -> Result<(), Stopped> {
        let most = self.steps.saturating_add(self.network.config.max_steps);
        while let Some(at) = self.next_at().filter(|&at| end.is_none_or(|end| at <= end)) {
            debug_assert!(at >= self.network.now, "time goes forwards");
            if self.steps >= most {
                return Err(self.stopped(Reason::Livelock));
            }
            self.step();
            check(self).map_err(|why| self.stopped(Reason::Check(why)))?;
        }
        if let Some(end) = end {
            self.network.now = self.network.now.max(end);
        }
        Ok(())
    }

    fn stopped(&self, reason: Reason) -> Stopped {
        let Network { config, now, trace, .. } = &self.network;
        Stopped { seed: config.seed, at: *now, steps: self.steps, reason, tail: trace.tail(40) }
    }
}
