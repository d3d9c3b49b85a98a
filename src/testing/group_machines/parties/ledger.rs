//! What was said to whom, and whether it is true.

use crate::group::message::{Ended, Notice, Outcome, Snapshot};
use crate::group::process::Event;
use crate::group::provider::{Departure, Event as ProviderEvent};
use crate::group::subscriber::Event as SubscriberEvent;
use crate::group::{
    GroupId, LeaveReason, MessageKind, ProtocolId, ProtocolKind, ProviderId, RequestId, StateValue, Token,
};
use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

/// How often what has come about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Protocols that were approved.
    pub approved: u32,
    /// Protocols that were rejected.
    pub rejected: u32,
    /// Phases beyond the first.
    pub continued: u32,
    /// Joins that were carried out.
    pub joined: u32,
    /// Providers that have left because they had failed.
    pub failed: u32,
    /// Providers that were expelled.
    pub expelled: u32,
    /// Providers that were cast out.
    pub cast_out: u32,
    /// Reflections.
    pub reflected: u32,
    /// Requests that were not carried out.
    pub refused: u32,
    /// Coordinators that have taken over with groups.
    pub taken_over: u32,
    /// Ends that somebody was told after a take-over.
    pub caught_up: u32,
    /// Wholes that were told to somebody who had missed something.
    pub healed: u32,
}

impl core::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let Self { approved, rejected, continued, joined, failed, expelled, .. } = other;
        self.approved += approved;
        self.rejected += rejected;
        self.continued += continued;
        self.joined += joined;
        self.failed += failed;
        self.expelled += expelled;
        self.cast_out += other.cast_out;
        self.reflected += other.reflected;
        self.refused += other.refused;
        self.taken_over += other.taken_over;
        self.caught_up += other.caught_up;
        self.healed += other.healed;
    }
}

/// Somebody's request: the start of a process, and its number for it.
pub(super) type Key = (u32, u64, RequestId);

/// The end of a protocol, as it was told.
#[derive(Clone, Debug)]
struct End {
    approved: bool,
    outcome: Outcome,
    /// Who has heard it.
    heard: BTreeSet<Key>,
    reign: u64,
}

/// Where somebody stands, by what it was told.
#[derive(Clone, Debug, Default)]
struct Seat {
    /// The last protocol whose end it has heard.
    last: Option<(GroupId, ProtocolId)>,
    gone: bool,
    proposed: BTreeSet<RequestId>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    ends: BTreeMap<(GroupId, ProtocolId), End>,
    seats: BTreeMap<Key, Seat>,
    /// Whom a token was given to, and in which reign.
    tokens: BTreeMap<Token, (Key, u64)>,
    survivors: BTreeSet<(u64, Key)>,
    /// Who has joined, in which protocol: what a coordinator has told, though nobody may have lived to hear it.
    joined: BTreeSet<(GroupId, ProviderId, ProtocolId)>,
    /// What subscribers know.
    known: BTreeMap<Key, (Option<Vec<ProviderId>>, Option<StateValue>)>,
    /// Whether outcomes are kept, and so hold whoever has heard of them.
    pub(super) durable: bool,
    pub(super) counts: Counts,
}

impl Ledger {
    pub(super) fn new(durable: bool) -> Self {
        Self { durable, ..Self::default() }
    }

    /// A provider or a subscriber has asked.
    pub(super) fn asks(&mut self, key: Key) {
        self.seats.insert(key, Seat::default());
    }

    /// A provider has told the coordinator of this reign what it knows, and was heard.
    pub(super) fn survives(&mut self, reign: u64, key: Key) {
        self.survivors.insert((reign, key));
    }

    /// It is told that this is over: it is no survivor any more.
    pub(super) fn is_fenced(&mut self, reign: u64, key: Key) {
        self.survivors.remove(&(reign, key));
    }

    pub(super) fn proposes(&mut self, key: Key, request: RequestId) {
        self.seats.entry(key).or_default().proposed.insert(request);
    }

    /// A coordinator tells the end of a protocol that was approved.
    pub(super) fn tells(&mut self, ended: &Ended) {
        let (group, outcome) = (ended.group, &ended.outcome);
        let joining = outcome.proposal.joining.iter();
        self.joined.extend(joining.map(|provider| (group, *provider, outcome.protocol)));
    }

    /// What a process was told.
    pub(super) fn hears(&mut self, (node, incarnation): (u32, u64), event: &Event, reign: u64) {
        match event {
            Event::Provider { request, event } => self.provider((node, incarnation, *request), event, reign),
            Event::Subscriber { request, event } => {
                let key = (node, incarnation, *request);
                match event {
                    SubscriberEvent::Accepted(token) => self.given(*token, key, reign),
                    SubscriberEvent::Notice(notice) => self.notice(key, notice),
                    SubscriberEvent::Gone(_) => {
                        self.known.remove(&key);
                        self.leaves(key);
                    }
                    SubscriberEvent::Ignored(_) => {}
                }
            }
            _ => {}
        }
    }

    /// The same number with the same generation is given again only in a later reign: who had it then and has not said so
    /// is out.
    fn given(&mut self, token: Token, key: Key, reign: u64) {
        let before = self.tokens.insert(token, (key, reign));
        let free = before.is_none_or(|(_, given)| given < reign);
        assert!(free, "G-S10: {token:?} was given to {before:?}, and then to {key:?}");
    }

    fn leaves(&mut self, key: Key) {
        let seat = self.seats.get_mut(&key).expect("it has asked");
        assert!(!seat.gone, "G-L4: {key:?} has gone twice");
        seat.gone = true;
    }

    fn provider(&mut self, key: Key, event: &ProviderEvent, reign: u64) {
        assert!(!self.seats[&key].gone, "G-S12: {key:?} hears {event:?} after it has gone");
        match event {
            ProviderEvent::Accepted(token) => self.given(*token, key, reign),
            ProviderEvent::Approved(ended) => self.ended(key, ended, true, reign),
            ProviderEvent::Rejected(ended) => self.ended(key, ended, false, reign),
            ProviderEvent::Gone(departure) => {
                if let Departure::Refused(_) = departure {
                    self.counts.refused += 1;
                }
                self.leaves(key);
            }
            ProviderEvent::Error { request, kind, .. } if *kind == MessageKind::PROPOSE => {
                let seat = self.seats.get_mut(&key).expect("it has asked");
                assert!(seat.proposed.remove(request), "G-L4: {key:?} has two answers to {request:?}");
                self.counts.refused += 1;
            }
            ProviderEvent::Phase(open) if open.phase > 1 => self.counts.continued += 1,
            ProviderEvent::Resynchronised(snapshot) => {
                self.counts.healed += 1;
                let seat = self.seats.get_mut(&key).expect("it has asked");
                seat.last = Some((snapshot.group, snapshot.last));
            }
            _ => {}
        }
    }

    fn ended(&mut self, key: Key, ended: &Ended, approved: bool, reign: u64) {
        let outcome = &ended.outcome;
        let place = (ended.group, outcome.protocol);
        let seat = self.seats.get_mut(&key).expect("it has asked");
        if let Some((group, last)) = seat.last {
            assert_eq!(group, ended.group, "G-S10: {key:?} hears of another group");
            assert!(last < outcome.protocol, "G-S3: {key:?} hears of {:?} after {last:?}", outcome.protocol);
        }
        seat.last = Some(place);
        if let Some(known) = self.ends.get_mut(&place) {
            let same = (known.approved, &known.outcome) == (approved, outcome);
            // Where nothing is kept, what nobody has reported may come out otherwise.
            let survives = |who: &Key| self.survivors.contains(&(reign, *who));
            let nobody = !self.durable && reign > known.reign && !known.heard.iter().any(survives);
            if !same && nobody {
                // And with it all that came after it then.
                self.ends.retain(|(group, protocol), end| {
                    *group != ended.group || *protocol < outcome.protocol || end.reign >= reign
                });
            } else {
                assert!(same, "G-S1: {:?} hears {approved} {outcome:?}, others {known:?}", key);
                known.heard.insert(key);
                self.counts.caught_up += u32::from(reign > known.reign);
                return;
            }
        }
        let heard = BTreeSet::from([key]);
        self.ends.insert(place, End { approved, outcome: outcome.clone(), heard, reign });
        let counts = &mut self.counts;
        if approved {
            counts.approved += 1;
        } else {
            counts.rejected += 1;
        }
        if approved || is_certain(outcome.kind) {
            for leave in &outcome.proposal.leaving {
                match leave.reason {
                    LeaveReason::EXPELLED => counts.expelled += 1,
                    LeaveReason::SOURCE_PROVIDER_LEAVE => counts.cast_out += 1,
                    LeaveReason::VOLUNTARY => {}
                    _ => counts.failed += 1,
                }
            }
            counts.joined += u32::try_from(outcome.proposal.joining.len()).unwrap_or(0);
        }
        counts.reflected += u32::from(outcome.kind == ProtocolKind::SOURCE_STATE_REFLECTION);
    }

    fn notice(&mut self, key: Key, notice: &Notice) {
        let known = self.known.entry(key).or_default();
        if let Some(members) = &notice.members {
            known.0 = Some(members.clone());
        }
        if let Some(state) = &notice.state {
            known.1 = Some(state.clone());
        }
    }

    /// S8: each provider is removed once.
    pub(super) fn check(&self) {
        let mut removed: BTreeMap<(GroupId, ProviderId), ProtocolId> = BTreeMap::new();
        for ((group, protocol), end) in &self.ends {
            let out = end.approved || is_certain(end.outcome.kind);
            for leave in end.outcome.proposal.leaving.iter().filter(|_| out) {
                // Who comes back under its own name has joined again.
                let before = removed.insert((*group, leave.provider), *protocol);
                let joined = |from: ProtocolId| {
                    let joins = |at| (*group, leave.provider, at);
                    self.joined.range(joins(from)..joins(*protocol)).next().is_some()
                };
                assert!(
                    before.is_none_or(joined),
                    "G-S8: {:?} is removed by {before:?} and by {protocol:?} of {group:?}",
                    leave.provider
                );
            }
        }
    }

    /// What a subscriber knows, who hears everything.
    pub(super) fn check_subscriber(&self, key: Key, snapshot: &Snapshot) {
        let Some((members, state)) = self.known.get(&key) else { panic!("G-L4: {key:?} hears nothing") };
        assert_eq!(members.as_ref(), Some(&snapshot.members), "G-S1: what {key:?} knows of the members");
        assert_eq!(state.as_ref(), Some(&snapshot.state), "G-S1: what {key:?} knows of the state value");
    }
}

pub(super) fn is_certain(kind: ProtocolKind) -> bool {
    super::super::words::is_certain(kind)
}
