//! The items of spec/group.md 6.1 and 6.2, one by one.

use super::*;
use crate::error::{Error, Misuse};
use crate::frame::Extensions;
use crate::group::attributes::Attributes;
use crate::group::ids::{DissolveReason, ProtocolKind, Summary};
use crate::group::message::{Entry, Message, Outcome, Past, Plain, Snapshot};
use crate::group::name::{GroupId, GroupName, ProtocolId, ProviderId, Sequence, StateValue, ViewId};
use crate::group::proposal::Proposal;
use crate::machine::Machine;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

const ME: ProviderId = ProviderId { node: 1, instance: 0, incarnation: 1 };

/// Coordinators, and what is on its way between them. The link of one to another has the other's number.
struct Domain {
    now: Instant,
    durability: Durability,
    replicas: Vec<Option<Replica>>,
    flying: VecDeque<(usize, usize, Message)>,
    /// Between these nothing passes.
    cut: BTreeSet<(usize, usize)>,
    events: Vec<Vec<Event>>,
    memory: Vec<Memory>,
    /// Whether what is to be stored is.
    stores: bool,
}

fn link(to: usize) -> LinkId {
    LinkId(u32::try_from(to).unwrap())
}

fn id(of: usize) -> CoordinatorId {
    CoordinatorId(u16::try_from(of).unwrap())
}

impl Domain {
    fn new(count: usize, durability: Durability) -> Self {
        let mut domain = Self {
            now: Instant::from_micros(1_000_000_000),
            durability,
            replicas: Vec::new(),
            flying: VecDeque::new(),
            cut: BTreeSet::new(),
            events: (0..count).map(|_| Vec::new()).collect(),
            memory: (0..count).map(|_| Memory::default()).collect(),
            stores: true,
        };
        domain.replicas.resize_with(count, || None);
        (0..count).for_each(|at| domain.begin(at));
        domain
    }

    /// One begins, with what it has stored.
    fn begin(&mut self, at: usize) {
        let mut config = Config::new(id(at), u16::try_from(self.replicas.len()).unwrap());
        config.durability = self.durability;
        self.replicas[at] = Some(Replica::new(config, self.memory[at].clone(), self.now));
        for other in (0..self.replicas.len()).filter(|other| *other != at) {
            if self.replicas[other].is_some() {
                self.connect(at, other);
            }
        }
        self.settle();
    }

    fn connect(&mut self, one: usize, other: usize) {
        self.flying.retain(|(from, to, _)| ![(one, other), (other, one)].contains(&(*from, *to)));
        for (at, to) in [(one, other), (other, one)] {
            self.put(at, Input::Closed(link(to)));
            self.put(at, Input::Opened { link: link(to), coordinator: id(to) });
        }
    }

    fn put(&mut self, at: usize, input: Input) {
        self.try_put(at, input).unwrap();
    }

    fn try_put(&mut self, at: usize, input: Input) -> Result<(), Error> {
        let now = self.now;
        let result = self.replicas[at].as_mut().unwrap().handle(now, input);
        while let Some(output) = self.replicas[at].as_mut().unwrap().poll_output() {
            match output {
                Output::Send { link, message } => {
                    self.flying.push_back((at, usize::try_from(link.0).unwrap(), message));
                }
                Output::Close(_) => {}
                Output::Store { number, item } => {
                    if !self.stores {
                        continue;
                    }
                    self.memory[at].add(&item, &GroupLimits::DEFAULT);
                    self.replicas[at].as_mut().unwrap().handle(now, Input::Stored(number)).unwrap();
                }
                Output::Event(event) => self.events[at].push(event),
            }
        }
        result
    }

    fn settle(&mut self) {
        while let Some((from, to, message)) = self.flying.pop_front() {
            if self.replicas[to].is_some() && !self.cut.contains(&(from.min(to), from.max(to))) {
                self.put(to, Input::Message { link: link(from), message });
            }
        }
    }

    fn take_over(&mut self, at: usize) {
        self.put(at, Input::TakeOver);
        self.settle();
    }

    fn append(&mut self, at: usize, entry: Entry) {
        self.put(at, Input::Append(entry.into()));
        self.settle();
    }

    fn isolate(&mut self, at: usize) {
        self.cut.extend((0..self.replicas.len()).map(|other| (at.min(other), at.max(other))));
    }

    fn heal(&mut self, one: usize, other: usize) {
        self.cut.remove(&(one.min(other), one.max(other)));
        self.connect(one, other);
        self.settle();
    }

    /// Time passes; who has a deadline is told.
    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now = self.now.saturating_add(Duration::from_secs(1));
            for at in 0..self.replicas.len() {
                if self.replicas[at].is_some() {
                    self.put(at, Input::Timeout);
                }
            }
            self.settle();
        }
    }

    fn state(&self, at: usize) -> State {
        self.replicas[at].as_ref().unwrap().state()
    }

    /// What is known of the group by who was elected last.
    fn elected(&self, at: usize) -> Vec<GroupRecord> {
        let elected = self.events[at].iter().rev().find_map(|event| match event {
            Event::Elected { records, .. } => Some(records.clone()),
            _ => None,
        });
        elected.unwrap()
    }
}

/// The outcome of a protocol: a state value.
fn entry(index: u64, protocol: u64, state: &'static str) -> Entry {
    let (sequence, protocol) = (Sequence(protocol * 2), ProtocolId(protocol));
    let state = StateValue::new(state).unwrap();
    let snapshot = Snapshot {
        group: GroupId(1),
        sequence,
        view: ViewId(1),
        attributes: Attributes::new(GroupName::new("g").unwrap()),
        state: state.clone(),
        members: [ME].into(),
        last: protocol,
    };
    let proposal = Proposal { state: Some(state), ..Proposal::default() }.into();
    let (kind, summary, view) = (ProtocolKind::STATE_VALUE_CHANGE, Summary::empty(), ViewId(1));
    let ended = Outcome { sequence, protocol, kind, phases: 1, summary, view, digest: 0, proposal };
    Entry { index, past: Past { approved: true, ended }, snapshot }
}

/// The same, decided in a later reign.
fn in_reign(epoch: Epoch, mut entry: Entry) -> Entry {
    let before = Sequence::before(epoch);
    entry.snapshot.sequence.0 += before.0;
    entry.past.ended.sequence.0 += before.0;
    entry
}

fn value(record: &GroupRecord) -> &[u8] {
    record.snapshot.state.as_bytes()
}

const ALL: [Durability; 3] = [Durability::Survivors, Durability::Replicated(1), Durability::Quorum];

#[test]
fn one_reigns_and_the_others_follow() {
    for durability in ALL {
        let mut domain = Domain::new(3, durability);
        domain.take_over(1);
        assert_eq!([0, 1, 2].map(|at| domain.state(at)), [State::Following, State::Reigning, State::Following]);
        for at in [0, 2] {
            let replica = domain.replicas[at].as_ref().unwrap();
            assert_eq!((replica.epoch(), replica.leader().unwrap().0), (Epoch(1 << 16 | 1), Epoch(1 << 16 | 1)));
        }
    }
}

#[test]
fn how_many_must_agree() {
    for (durability, alone) in [(ALL[0], true), (ALL[1], false), (ALL[2], false)] {
        let mut domain = Domain::new(3, durability);
        domain.isolate(0);
        domain.take_over(0);
        assert_eq!(domain.state(0) == State::Reigning, alone, "{durability:?}");
        domain.pass(6);
        if !alone {
            assert_eq!((domain.state(0), domain.events[0].last()), (State::Following, Some(&Event::Failed)));
        }
    }
}

#[test]
fn how_many_must_keep_it() {
    for durability in ALL {
        let mut domain = Domain::new(3, durability);
        domain.take_over(0);
        domain.isolate(0);
        domain.append(0, entry(1, 1, "x"));
        let kept = domain.events[0].contains(&Event::Kept(1));
        assert_eq!(kept, durability == Durability::Survivors, "{durability:?}");
        // One is enough.
        domain.heal(0, 2);
        assert_eq!(domain.events[0].iter().filter(|event| **event == Event::Kept(1)).count(), 1, "{durability:?}");
    }
}

#[test]
fn what_is_kept_is_known_to_who_comes_next() {
    for durability in [ALL[1], ALL[2]] {
        let mut domain = Domain::new(3, durability);
        domain.take_over(0);
        domain.append(0, entry(1, 1, "x"));
        domain.replicas[0] = None;
        domain.pass(6);
        domain.take_over(2);
        let records = domain.elected(2);
        assert_eq!((records.len(), value(&records[0])), (1, &b"x"[..]), "{durability:?}");
    }
}

#[test]
fn who_was_not_there_is_brought_up() {
    let mut domain = Domain::new(3, Durability::Quorum);
    domain.isolate(2);
    domain.take_over(0);
    (1..4).for_each(|number| domain.append(0, entry(number, number, "x")));
    domain.heal(0, 2);
    domain.replicas[0] = None;
    domain.pass(6);
    domain.cut.clear();
    domain.connect(1, 2);
    domain.take_over(2);
    assert_eq!(domain.elected(2)[0].snapshot.last, ProtocolId(3));
    assert_eq!(domain.elected(2)[0].recent.len(), 3);
}

#[test]
fn an_outcome_that_nobody_else_has_does_not_come_back() {
    let mut domain = Domain::new(3, Durability::Quorum);
    domain.take_over(0);
    domain.append(0, entry(1, 1, "x"));
    // It is decided, and cannot be told to anybody.
    domain.isolate(0);
    domain.append(0, entry(2, 2, "lost"));
    domain.pass(7);
    domain.take_over(1);
    domain.append(1, in_reign(Epoch((2 << 16) + 1), entry(1, 2, "told")));
    assert!(domain.events[1].contains(&Event::Kept(1)));
    // Who had it hears of the new reign, or only of that after it.
    for hears in [true, false] {
        let mut domain = Domain { memory: domain.memory.clone(), ..Domain::new(3, Durability::Quorum) };
        (0..3).for_each(|at| domain.begin(at));
        domain.isolate(0);
        if hears {
            domain.pass(7);
            domain.take_over(1);
            domain.heal(0, 1);
        }
        domain.replicas[1] = None;
        domain.cut.clear();
        domain.pass(7);
        domain.take_over(0);
        if domain.state(0) != State::Reigning {
            // It has not known what has been promised meanwhile.
            domain.take_over(0);
        }
        assert_eq!(value(&domain.elected(0)[0]), b"told", "{hears}");
    }
}

#[test]
fn of_two_that_want_to_reign_the_later_one_does() {
    for durability in ALL {
        let mut domain = Domain::new(3, durability);
        domain.put(0, Input::TakeOver);
        domain.put(2, Input::TakeOver);
        domain.settle();
        let reigning: Vec<usize> = (0..3).filter(|at| domain.state(*at) == State::Reigning).collect();
        assert_eq!(reigning, [2], "{durability:?}");
    }
}

#[test]
fn an_old_reign_is_over_when_it_hears_of_the_new_one() {
    for durability in [ALL[0], ALL[1]] {
        let mut domain = Domain::new(3, durability);
        domain.take_over(0);
        domain.isolate(0);
        domain.take_over(1);
        assert_eq!((domain.state(0), domain.state(1)), (State::Reigning, State::Reigning));
        domain.heal(0, 2);
        assert_eq!(domain.events[0].last(), Some(&Event::Deposed(DissolveReason::FENCED)));
        assert_eq!(domain.state(0), State::Following);
    }
}

#[test]
fn with_a_quorum_the_old_reign_is_over_before_the_new_one_begins() {
    let mut domain = Domain::new(3, Durability::Quorum);
    domain.take_over(0);
    domain.pass(2);
    domain.isolate(0);
    // Nobody agrees as long as the old one may still reign.
    domain.take_over(1);
    assert_eq!(domain.state(1), State::Asking);
    domain.pass(6);
    assert!(domain.events[0].contains(&Event::Deposed(DissolveReason::NO_QUORUM)));
    // It has asked again, and again.
    assert_eq!((domain.state(0), domain.state(1)), (State::Following, State::Reigning));
}

#[test]
fn who_wants_to_reign_has_promised_something_too() {
    let mut domain = Domain::new(3, Durability::Quorum);
    domain.take_over(0);
    domain.pass(2);
    // Only 1 hears of the reign, and only 2 of the next.
    domain.isolate(2);
    domain.pass(5);
    domain.isolate(0);
    domain.heal(1, 2);
    domain.take_over(1);
    assert_eq!((domain.state(0), domain.state(1)), (State::Reigning, State::Asking));
    domain.pass(6);
    assert_eq!((domain.state(0), domain.state(1)), (State::Following, State::Reigning));
}

#[test]
fn who_comes_back_may_have_promised_something() {
    let mut domain = Domain::new(3, Durability::Quorum);
    domain.take_over(0);
    domain.isolate(2);
    domain.isolate(0);
    domain.heal(1, 2);
    domain.begin(2);
    domain.begin(1);
    domain.connect(1, 2);
    domain.take_over(1);
    assert_eq!((domain.state(0), domain.state(1)), (State::Reigning, State::Asking));
    domain.pass(6);
    assert_eq!((domain.state(0), domain.state(1)), (State::Following, State::Reigning));
}

#[test]
fn nothing_is_promised_before_it_is_stored() {
    let mut domain = Domain::new(3, Durability::Quorum);
    domain.stores = false;
    domain.take_over(0);
    assert_eq!((domain.state(0), domain.flying.len()), (State::Asking, 0));
    domain.put(0, Input::Stored(1));
    domain.settle();
    // The others have not stored theirs.
    assert_eq!(domain.state(0), State::Asking);
    domain.put(1, Input::Stored(1));
    domain.settle();
    assert_eq!(domain.state(0), State::Reigning);
}

#[test]
fn a_promise_outlives_its_process() {
    let mut domain = Domain::new(3, Durability::Replicated(1));
    domain.take_over(2);
    domain.begin(0);
    domain.begin(1);
    // An earlier epoch than the one it has agreed to is not begun.
    domain.take_over(0);
    assert_eq!(domain.replicas[0].as_ref().unwrap().epoch(), Epoch(2 << 16));
}

#[test]
fn a_link_that_comes_again_is_asked_again() {
    let mut domain = Domain::new(3, Durability::Quorum);
    domain.isolate(0);
    domain.take_over(0);
    // The question came, the answer did not.
    domain.cut.clear();
    domain.connect(0, 1);
    domain.flying.retain(|(from, ..)| *from == 0);
    let (_, _, query) = domain.flying.pop_front().unwrap();
    domain.put(1, Input::Message { link: link(0), message: query });
    domain.flying.clear();
    domain.connect(0, 1);
    domain.settle();
    assert_eq!(domain.state(0), State::Reigning);
}

#[test]
fn outcomes_have_numbers_without_gaps() {
    let mut domain = Domain::new(3, Durability::Replicated(1));
    let append = Input::Append(entry(1, 1, "x").into());
    assert!(matches!(domain.try_put(0, append.clone()), Err(Error::Misuse(Misuse::WrongState { .. }))));
    domain.take_over(0);
    let gap = Input::Append(entry(2, 1, "x").into());
    assert!(matches!(domain.try_put(0, gap), Err(Error::Misuse(Misuse::Argument { .. }))));
    domain.put(0, append);
    assert!(matches!(domain.try_put(0, Input::Stored(99)), Err(Error::Misuse(Misuse::Argument { .. }))));
    let own = Input::Opened { link: LinkId(9), coordinator: id(0) };
    assert!(matches!(domain.try_put(0, own), Err(Error::Misuse(Misuse::Argument { .. }))));
}

#[test]
fn what_coordinators_do_not_say_is_a_violation() {
    let mut domain = Domain::new(2, Durability::Survivors);
    let message = Message::Quit(Plain { extensions: Extensions::NONE });
    let input = Input::Message { link: link(1), message };
    assert!(matches!(domain.try_put(0, input.clone()), Err(Error::Violation(_))));
    // The link is over.
    domain.put(0, input);
    assert_eq!(domain.events[0].last(), Some(&Event::Ignored("a message on a link that is over")));
}

#[test]
fn nobody_reigns_in_anothers_name() {
    let mut domain = Domain::new(3, Durability::Survivors);
    let (epoch, extensions) = (Epoch(1 << 16 | 2), Extensions::NONE);
    let reign = crate::group::message::Reign { epoch, beat: 1, address: crate::frame::Text::EMPTY, extensions };
    domain.put(0, Input::Message { link: link(1), message: Message::Reign(reign) });
    assert_eq!(domain.events[0].last(), Some(&Event::Ignored("a reign of somebody else")));
    assert_eq!(domain.replicas[0].as_ref().unwrap().epoch(), Epoch(0));
}

#[test]
fn a_reign_ends_when_it_is_told_to() {
    let mut domain = Domain::new(2, Durability::Survivors);
    domain.take_over(0);
    domain.put(0, Input::Abdicate);
    assert_eq!((domain.state(0), domain.replicas[0].as_ref().unwrap().poll_timeout()), (State::Following, None));
    domain.take_over(0);
    domain.put(0, Input::Stop);
    assert_eq!(domain.events[0].last(), Some(&Event::Deposed(DissolveReason::STOPPED)));
    assert!(matches!(domain.try_put(0, Input::TakeOver), Err(Error::Misuse(_))));
}
