//! Coordinators among each other, and what they promise (spec/group.md 6.1 and 6.2).

use crate::group::coordinator::Durability;
use crate::group::message::{Entry, GroupRecord, Message, Outcome, Past, Snapshot};
use crate::group::proposal::Proposal;
use crate::group::replica::{Config, Event, Input, Memory, Output, Replica, State};
use crate::group::{
    Attributes, CoordinatorId, DissolveReason, Epoch, GroupId, ProtocolId, ProtocolKind, ProviderId, Sequence,
    StateValue, Summary, ViewId,
};
use crate::limits::GroupLimits;
use crate::machine::{LinkId, Machine};
use crate::testing::Choices;
use crate::testing::trial::on_trial;
use crate::time::Instant;
use core::time::Duration;
use std::boxed::Box;
use std::collections::{BTreeMap, VecDeque};
use std::string::String;
use std::vec::Vec;

/// One thing that happens to three coordinators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicasOp {
    /// Everything that is on its way arrives, and what follows from it.
    Settle,
    /// Some messages arrive, of one from another.
    Deliver {
        /// From whom.
        from: u8,
        /// To whom.
        to: u8,
        /// How many.
        messages: u8,
    },
    /// One wants to reign.
    TakeOver(u8),
    /// Who reigns has an outcome.
    Append(u8),
    /// Something is stored.
    Stored(u8),
    /// Reigns no more.
    Abdicate(u8),
    /// A link breaks, and what is on its way is lost; or it is there again.
    Link {
        /// One end.
        one: u8,
        /// The other.
        other: u8,
    },
    /// One dies, or comes back with what it has stored.
    Crash(u8),
    /// Time passes, in milliseconds, for all alike.
    Pass(u16),
}

impl ReplicasOp {
    /// Any of these.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        match c.byte() {
            0..=59 => Self::Settle,
            60..=109 => Self::Deliver { from: c.byte(), to: c.byte(), messages: 1 + c.byte() % 3 },
            110..=134 => Self::TakeOver(c.byte()),
            135..=174 => Self::Append(c.byte()),
            175..=189 => Self::Stored(c.byte()),
            190..=192 => Self::Abdicate(c.byte()),
            193..=212 => Self::Link { one: c.byte(), other: c.byte() },
            213..=222 => Self::Crash(c.byte()),
            _ => Self::Pass(u16::from(c.byte()) * 32),
        }
    }
}

on_trial!(ops ReplicasOp);

const COUNT: usize = 3;

#[derive(Clone, Debug)]
struct Seat {
    replica: Option<Replica>,
    memory: Memory,
    storing: VecDeque<(u64, crate::group::replica::Item)>,
    /// What it has promised, and has stored.
    promised: Epoch,
    /// Its group, while it reigns: the last outcome, and whether that is kept.
    reign: Option<(Epoch, Entry, bool)>,
}

/// What was done, for the message of a panic, whoever panics.
#[derive(Clone, Debug, Default)]
struct Trace(Vec<String>);

impl Drop for Trace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::eprintln!("what was done:");
            self.0.iter().for_each(|line| std::eprintln!("{line}"));
        }
    }
}

#[derive(Debug)]
struct Replicas {
    now: Instant,
    durability: Durability,
    seats: Vec<Seat>,
    /// Where there is a link, and what is on its way.
    links: BTreeMap<(usize, usize), VecDeque<Message>>,
    /// The outcomes that were kept, and so may have been told.
    told: BTreeMap<ProtocolId, StateValue>,
    elected: BTreeMap<Epoch, usize>,
    values: u32,
    trace: Trace,
}

fn link(to: usize) -> LinkId {
    LinkId(u32::try_from(to).unwrap_or(0))
}

fn id(of: usize) -> CoordinatorId {
    CoordinatorId(u16::try_from(of).unwrap_or(0))
}

/// A group before its first outcome.
fn nothing(epoch: Epoch) -> Entry {
    let member = ProviderId { node: 1, instance: 0, incarnation: 1 };
    let sequence = Sequence::before(epoch);
    let snapshot = Snapshot {
        group: GroupId(1),
        sequence,
        view: ViewId(1),
        attributes: Attributes::new(super::words::name(0)),
        state: StateValue::default(),
        members: std::vec![member],
        last: ProtocolId(0),
    };
    let ended = Outcome {
        sequence,
        protocol: ProtocolId(0),
        kind: ProtocolKind::STATE_VALUE_CHANGE,
        phases: 1,
        summary: Summary::empty(),
        view: ViewId(1),
        digest: 0,
        proposal: Box::new(Proposal::default()),
    };
    Entry { index: 0, past: Past { approved: true, ended }, snapshot }
}

impl Replicas {
    fn new(choices: &mut Choices<'_>) -> Self {
        let durability = *choices.pick(&[Durability::Quorum, Durability::Replicated(1), Durability::Survivors]);
        let seat = |_| Seat {
            replica: None,
            memory: Memory::default(),
            storing: VecDeque::new(),
            promised: Epoch(0),
            reign: None,
        };
        let mut replicas = Self {
            now: Instant::from_micros(60_000_000),
            durability,
            seats: (0..COUNT).map(seat).collect(),
            links: BTreeMap::new(),
            told: BTreeMap::new(),
            elected: BTreeMap::new(),
            values: 0,
            trace: Trace::default(),
        };
        (0..COUNT).for_each(|at| replicas.begin(at));
        replicas
    }

    fn begin(&mut self, at: usize) {
        let mut config = Config::new(id(at), u16::try_from(COUNT).unwrap_or(0));
        config.durability = self.durability;
        self.seats[at].replica = Some(Replica::new(config, self.seats[at].memory.clone(), self.now));
        (0..COUNT).filter(|other| *other != at).for_each(|other| self.connect(at, other));
    }

    fn connect(&mut self, one: usize, other: usize) {
        let there = self.links.contains_key(&(one, other));
        if there || self.seats[one].replica.is_none() || self.seats[other].replica.is_none() || one == other {
            return;
        }
        for (at, to) in [(one, other), (other, one)] {
            self.links.insert((at, to), VecDeque::new());
        }
        for (at, to) in [(one, other), (other, one)] {
            self.put(at, Input::Opened { link: link(to), coordinator: id(to) });
        }
    }

    fn cut(&mut self, one: usize, other: usize) {
        for (at, to) in [(one, other), (other, one)] {
            if self.links.remove(&(at, to)).is_some() && self.seats[at].replica.is_some() {
                self.put(at, Input::Closed(link(to)));
            }
        }
    }

    fn apply(&mut self, op: &ReplicasOp) {
        self.trace.0.push(std::format!("t={} {op:?}", self.now.as_micros()));
        let who = |number: u8| usize::from(number) % COUNT;
        match *op {
            ReplicasOp::Settle => self.settle(),
            ReplicasOp::Deliver { from, to, messages } => {
                for _ in 0..messages {
                    self.deliver(who(from), who(to));
                }
            }
            ReplicasOp::TakeOver(at) if self.state(who(at)) == Some(State::Following) => {
                self.put(who(at), Input::TakeOver);
            }
            ReplicasOp::Append(at) => {
                // Most want who reigns.
                let reigns = (0..COUNT).find(|at| self.seats[*at].reign.is_some()).unwrap_or(0);
                self.append(if at < 200 { reigns } else { who(at) });
            }
            ReplicasOp::Stored(at) => self.stored(who(at)),
            ReplicasOp::Abdicate(at) if self.state(who(at)) == Some(State::Reigning) => {
                self.seats[who(at)].reign = None;
                self.put(who(at), Input::Abdicate);
            }
            ReplicasOp::Link { one, other } => {
                if self.links.contains_key(&(who(one), who(other))) {
                    self.cut(who(one), who(other));
                } else {
                    self.connect(who(one), who(other));
                }
            }
            ReplicasOp::Crash(at) => self.crash(who(at)),
            ReplicasOp::Pass(millis) => {
                self.now = self.now.saturating_add(Duration::from_millis(millis.into()));
                for at in 0..COUNT {
                    if self.seats[at].replica.is_some() {
                        self.put(at, Input::Timeout);
                    }
                }
            }
            ReplicasOp::TakeOver(_) | ReplicasOp::Abdicate(_) => {}
        }
    }

    fn state(&self, at: usize) -> Option<State> {
        self.seats[at].replica.as_ref().map(Machine::state)
    }

    fn crash(&mut self, at: usize) {
        if self.seats[at].replica.is_none() {
            return self.begin(at);
        }
        (0..COUNT).filter(|other| *other != at).for_each(|other| {
            self.links.remove(&(at, other));
            if self.links.remove(&(other, at)).is_some() {
                self.put(other, Input::Closed(link(at)));
            }
        });
        let seat = &mut self.seats[at];
        (seat.replica, seat.reign) = (None, None);
        seat.storing.clear();
    }

    /// The next outcome of the group, once the one before is kept.
    fn append(&mut self, at: usize) {
        let Some((epoch, last, true)) = self.seats[at].reign.clone() else { return };
        self.values += 1;
        let state = StateValue::new(self.values.to_be_bytes().to_vec()).unwrap_or_default();
        let mut next = last;
        next.index += 1;
        next.snapshot.sequence = Sequence(next.snapshot.sequence.0.max(Sequence::before(epoch).0) + 1);
        next.snapshot.last.0 += 1;
        next.snapshot.state = state.clone();
        next.past.ended.sequence = next.snapshot.sequence;
        next.past.ended.protocol = next.snapshot.last;
        next.past.ended.proposal.state = Some(state);
        self.seats[at].reign = Some((epoch, next.clone(), false));
        self.put(at, Input::Append(Box::new(next)));
    }

    fn stored(&mut self, at: usize) {
        let Some((number, item)) = self.seats[at].storing.pop_front() else { return };
        self.seats[at].memory.add(&item, &GroupLimits::DEFAULT);
        let promised = self.seats[at].memory.promised;
        assert!(promised >= self.seats[at].promised, "6.2: {at} promises less than before");
        self.seats[at].promised = promised;
        self.put(at, Input::Stored(number));
    }

    fn put(&mut self, at: usize, input: Input) {
        let now = self.now;
        let Some(replica) = &mut self.seats[at].replica else { return };
        let result = replica.handle(now, input);
        assert_eq!(result, Ok(()), "nobody has made a mistake");
        while let Some(output) = self.seats[at].replica.as_mut().and_then(Machine::poll_output) {
            self.trace.0.push(std::format!("    {at}: {output:?}"));
            match output {
                Output::Send { link, message } => {
                    let to = usize::try_from(link.0).unwrap_or(0);
                    if matches!(message, Message::Grant(_) | Message::Query(_)) {
                        // Who dies now must remember.
                        let promised = self.seats[at].replica.as_ref().map(Replica::epoch);
                        assert_eq!(promised, Some(self.seats[at].promised), "6.2: said before it is stored");
                    }
                    if let Some(queue) = self.links.get_mut(&(at, to)) {
                        queue.push_back(message);
                    }
                }
                Output::Close(link) => self.cut(at, usize::try_from(link.0).unwrap_or(0)),
                Output::Store { number, item } => self.seats[at].storing.push_back((number, item)),
                Output::Event(event) => self.event(at, event),
            }
        }
    }

    fn event(&mut self, at: usize, event: Event) {
        match event {
            Event::Elected { epoch, records } => {
                let before = self.elected.insert(epoch, at);
                assert!(before.is_none(), "G-S11: {before:?} and {at} reign in {epoch:?}");
                if self.durability == Durability::Quorum {
                    let others = (0..COUNT).filter(|other| *other != at && self.state(*other) == Some(State::Reigning));
                    // Whose time is over may not have been told so.
                    let now = self.now;
                    let live = |other: &usize| {
                        self.seats[*other].replica.as_ref().and_then(Machine::poll_timeout).is_some_and(|due| due > now)
                    };
                    let others: Vec<usize> = others.filter(live).collect();
                    assert!(others.is_empty(), "6.1: {others:?} and {at} reign at once");
                }
                self.check(at, &records);
                let mut last = nothing(epoch);
                if let Some(record) = records.into_iter().next() {
                    last.snapshot = record.snapshot;
                }
                last.index = 0;
                self.seats[at].reign = Some((epoch, last, true));
            }
            Event::Kept(index) => {
                if let Some((_, last, kept)) = &mut self.seats[at].reign {
                    assert!(index <= last.index, "6.1: {index} is kept, of {}", last.index);
                    *kept = index == last.index;
                    if *kept && self.durability != Durability::Survivors {
                        let (protocol, value) = (last.snapshot.last, last.snapshot.state.clone());
                        let before = self.told.insert(protocol, value.clone());
                        let same = before.as_ref().is_none_or(|before| *before == value);
                        assert!(same, "G-S1: {protocol:?} was {before:?}, and is {value:?}");
                    }
                }
            }
            Event::Deposed(reason) => {
                assert!(reason != DissolveReason::STOPPED, "nobody has stopped it");
                self.seats[at].reign = None;
            }
            _ => {}
        }
    }

    /// 6.1: who reigns knows every outcome that anybody may have been told.
    fn check(&self, at: usize, records: &[GroupRecord]) {
        let Some((last, value)) = self.told.last_key_value() else { return };
        let known = records.first().map(|record| record.snapshot.last);
        assert!(known >= Some(*last), "6.1: {at} knows {known:?}, and {last:?} was told");
        let record = &records[0];
        if known == Some(*last) {
            assert_eq!(record.snapshot.state, *value, "G-S1: {at} knows another end of {last:?}");
        }
        for past in &record.recent {
            let told = self.told.get(&past.ended.protocol);
            let same = told.is_none_or(|told| past.ended.proposal.state.as_ref() == Some(told));
            assert!(same, "G-S1: {at} knows another end of {:?}", past.ended.protocol);
        }
    }

    fn deliver(&mut self, from: usize, to: usize) -> bool {
        let message = self.links.get_mut(&(from, to)).and_then(VecDeque::pop_front);
        let Some(message) = message else { return false };
        self.put(to, Input::Message { link: link(from), message });
        true
    }

    fn settle(&mut self) {
        for _ in 0..10_000 {
            let mut moved = false;
            for at in 0..COUNT {
                if !self.seats[at].storing.is_empty() {
                    self.stored(at);
                    moved = true;
                }
                for to in 0..COUNT {
                    moved |= self.deliver(at, to);
                }
            }
            if !moved {
                return;
            }
        }
        panic!("8: they talk without end");
    }

    /// Everybody is there and hears everybody: somebody reigns in the end, and has an outcome kept.
    fn finish(&mut self) {
        for at in 0..COUNT {
            if self.seats[at].replica.is_none() {
                self.begin(at);
            }
            (0..at).for_each(|other| self.connect(at, other));
        }
        self.settle();
        for _ in 0..8 {
            self.now = self.now.saturating_add(Duration::from_secs(20));
            (0..COUNT).for_each(|at| self.put(at, Input::Timeout));
            self.settle();
        }
        for _ in 0..4 {
            let Some(at) = (0..COUNT).find(|at| self.state(*at) == Some(State::Reigning)) else {
                self.put(0, Input::TakeOver);
                self.settle();
                continue;
            };
            self.append(at);
            self.settle();
        }
        let reigning: Vec<usize> = (0..COUNT).filter(|at| self.state(*at) == Some(State::Reigning)).collect();
        assert_eq!(reigning.len(), 1, "6.2: {reigning:?} reign");
        let kept = self.seats[reigning[0]].reign.as_ref().map(|(_, _, kept)| *kept);
        assert_eq!(kept, Some(true), "L5: an outcome is not kept");
    }
}

/// Most operations of a list.
const MOST: usize = 240;

/// Three coordinators on the operations that `bytes` stand for, with links that break and deaths.
pub(super) fn run(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let mut replicas = Replicas::new(&mut choices);
    for _ in 0..MOST {
        if choices.is_empty() {
            break;
        }
        let op = ReplicasOp::choose(&mut choices);
        replicas.apply(&op);
    }
    replicas.finish();
}
