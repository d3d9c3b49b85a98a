//! Protocols: their phases, their ends, and what everybody is told (spec/group.md 5.4 and 5.5).

use super::table::group::{Event as GroupEvent, State as GroupState};
use super::tokens::Holder;
use super::votes::{Running, Verdict, Voter};
use super::{Coordinator, Due, Durability, Event, Group, Member, Output};
use crate::frame::Extensions;
use crate::group::ids::{Announcement as Flags, Phases, ProtocolKind, Subscription, Summary};
use crate::group::message::{
    Announcement, Ballot, Ended, Entry, Message, Notice, Open, Outcome, Past, Phase, Snapshot,
};
use crate::group::name::{GroupId, ProtocolId, ProviderId, Sequence, Token, ViewId};
use crate::group::proposal::{Leave, Proposal};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

impl Coordinator {
    /// A protocol begins. One without votes is approved at once.
    pub(super) fn begin(
        &mut self,
        id: GroupId,
        kind: ProtocolKind,
        phases: Phases,
        time_limit: u16,
        proposal: Proposal,
    ) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.last_protocol = ProtocolId(group.last_protocol.0.saturating_add(1));
        let voters = group.voters(kind, &proposal);
        let voted = phases == Phases::N && !voters.is_empty();
        let mut running = Running {
            protocol: group.last_protocol,
            kind,
            phase: 0,
            phases,
            time_limit,
            proposal: Box::new(proposal),
            voters,
            waiting: BTreeMap::new(),
            rejected: false,
            default_vote: group.attributes.default_vote,
            summary: Summary::empty(),
            deadline: None,
            verdict: None,
            late: BTreeSet::new(),
            deactivating: BTreeSet::new(),
            dead: BTreeSet::new(),
        };
        running.next_phase();
        group.running = Some(running);
        if voted {
            group.go(GroupEvent::Begins);
            self.tell_phase(id);
            self.decide(id);
        } else {
            self.conclude(id, true);
        }
    }

    /// Goes on as far as the votes that are there allow.
    pub(super) fn decide(&mut self, id: GroupId) {
        let votes = |group: &&Group| group.state == GroupState::Voting;
        let running = |this: &Self| {
            this.groups.get(&id).filter(votes).and_then(|group| group.running.as_ref()).is_some_and(Running::is_decided)
        };
        while running(self) {
            self.close(id);
        }
    }

    /// The time for votes is over.
    pub(super) fn phase_is_over(&mut self, id: GroupId) {
        let running = self.groups.get_mut(&id).and_then(|group| group.running.as_mut());
        let Some(running) = running else { return };
        running.deadline = None;
        let slow: Vec<ProviderId> = core::mem::take(&mut running.deactivating).into_iter().collect();
        if !slow.is_empty() {
            self.announce(id, Flags::DEACTIVATE_TIME_LIMIT_EXCEEDED, slow);
        }
        self.close(id);
        self.decide(id);
    }

    /// A phase ends.
    fn close(&mut self, id: GroupId) {
        let most = self.config.limits.phases;
        let Some(group) = self.groups.get_mut(&id) else { return };
        let Some(running) = &mut group.running else { return };
        if let Some(at) = running.deadline.take() {
            self.deadlines.remove(&(at, Due::Phase(id)));
        }
        match running.close(most) {
            Verdict::Continued => {
                running.next_phase();
                group.go(GroupEvent::Continues);
                self.tell_phase(id);
            }
            Verdict::Approved => self.conclude(id, true),
            Verdict::Rejected => self.conclude(id, false),
        }
    }

    /// Tells those that vote, and those that are to be expelled, that a phase begins. Votes that are known already come from
    /// the reign before.
    pub(super) fn tell_phase(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        let sequence = group.next_sequence();
        let Some(running) = &mut group.running else { return };
        if running.time_limit > 0 {
            let at = self.now.saturating_add(Duration::from_secs(u64::from(running.time_limit)));
            running.deadline = Some(at);
            self.deadlines.insert((at, Due::Phase(id)));
        }
        let open = running.open();
        let votes: BTreeMap<ProviderId, Ballot> =
            running.voters.iter().filter_map(|voter| Some((voter.provider, voter.ballot.clone()?))).collect();
        for token in group.hearers() {
            let Some(Holder { link, provider, .. }) = self.tokens.holder(token) else { continue };
            let vote = provider.and_then(|provider| votes.get(&provider)).cloned();
            let open = Open { vote, ..open.clone() };
            let phase = Phase { token, group: id, sequence, open, extensions: Extensions::NONE };
            self.send(link, Message::Phase(phase));
        }
    }

    /// A protocol is decided: everybody is told, once the outcome is kept as it is to be.
    fn conclude(&mut self, id: GroupId, approved: bool) {
        if self.config.durability == Durability::Survivors {
            return self.finish(id, approved);
        }
        let Some(group) = self.groups.get_mut(&id) else { return };
        let Some(mut running) = group.running.take() else { return };
        running.verdict = Some(approved);
        let mut after = group.clone();
        after.apply(&running, approved);
        let outcome = after.outcome(&running, approved);
        after.sequence = outcome.sequence;
        let snapshot = after.snapshot(id);
        group.running = Some(running);
        group.go(GroupEvent::Decided);
        self.last_entry = self.last_entry.saturating_add(1);
        self.keeping.insert(self.last_entry, id);
        let entry = Entry { index: self.last_entry, past: Past { approved, ended: outcome }, snapshot };
        self.outbox.push(Output::Persist(Box::new(entry)));
    }

    /// All outcomes up to this one are kept.
    pub(super) fn kept(&mut self, index: u64) {
        while let Some(first) = self.keeping.first_entry().filter(|first| *first.key() <= index) {
            let id = first.remove();
            let running = self.groups.get(&id).and_then(|group| group.running.as_ref());
            if let Some(approved) = running.and_then(|running| running.verdict) {
                self.finish(id, approved);
            }
        }
    }

    /// A protocol ends.
    fn finish(&mut self, id: GroupId, approved: bool) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        let Some(running) = group.running.take() else { return };
        let hearers = group.hearers();
        let joiners: Vec<Token> = group.admitted.iter().map(|joiner| joiner.token).collect();
        group.go(if approved { GroupEvent::Approved } else { GroupEvent::Rejected });
        let change = group.apply(&running, approved);
        let outcome = group.outcome(&running, approved);
        group.sequence = outcome.sequence;
        let name = group.attributes.name.clone();
        let snapshot = (approved && !joiners.is_empty()).then(|| group.snapshot(id));
        for token in hearers {
            let Some(link) = self.link_of(token) else { continue };
            let whole = snapshot.as_ref().filter(|_| joiners.contains(&token));
            let snapshot = whole.map(|snapshot: &Snapshot| Box::new(snapshot.clone()));
            let ended = Ended { token, group: id, outcome: outcome.clone(), snapshot, extensions: Extensions::NONE };
            let ended = Box::new(ended);
            self.send(link, if approved { Message::Approved(ended) } else { Message::Rejected(ended) });
        }
        for token in &change.released {
            self.release(*token);
        }
        if !approved {
            joiners.iter().for_each(|token| self.release(*token));
        }
        for provider in &change.joined {
            self.event(Event::Joined(name.clone(), *provider));
        }
        for leave in &change.left {
            self.event(Event::Left(name.clone(), leave.provider, leave.reason));
        }
        if change.state || !change.joined.is_empty() || !change.left.is_empty() {
            self.notify(id, &change);
        }
        let held = self.groups.get_mut(&id).map(|group| core::mem::take(&mut group.announcements));
        for (flags, providers) in held.unwrap_or_default() {
            self.announce(id, flags, providers);
        }
        if !running.late.is_empty() {
            self.announce(id, Flags::TIME_LIMIT_EXCEEDED, running.late.into_iter().collect());
        }
        if !change.left.is_empty() {
            self.cast_out(id);
        }
        if !change.joined.is_empty() {
            // The source may have gone during the join.
            self.cast_out_of(id);
        }
        if change.state {
            self.reflect(id);
        }
        self.ready.insert(id);
    }

    /// Tells the providers of a group something else.
    pub(super) fn announce(&mut self, id: GroupId, flags: Flags, providers: Vec<ProviderId>) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        // The outcome that is being kept has its number already.
        if group.state == GroupState::Keeping {
            return group.announcements.push((flags, providers));
        }
        let sequence = group.next_sequence();
        for token in group.hearers() {
            let Some(link) = self.link_of(token) else { continue };
            let providers = providers.clone();
            let extensions = Extensions::NONE;
            let announcement = Announcement { token, group: id, sequence, flags, providers, extensions };
            self.send(link, Message::Announcement(announcement));
        }
    }

    /// Tells the subscribers what has changed.
    fn notify(&mut self, id: GroupId, change: &Change) {
        let Some(group) = self.groups.get(&id) else { return };
        let subscribers: Vec<(Token, Subscription)> = group.subscribers.values().copied().collect();
        for (token, wanted) in subscribers {
            let Some(group) = self.groups.get(&id) else { return };
            let joined = if wanted.contains(Subscription::DELTA_JOINS) { change.joined.clone() } else { Vec::new() };
            let left = if wanted.contains(Subscription::DELTA_LEAVES) { change.left.clone() } else { Vec::new() };
            let changed = !change.joined.is_empty() || !change.left.is_empty();
            let whole = wanted.contains(Subscription::MEMBERSHIP) && changed;
            let state = (wanted.contains(Subscription::STATE) && change.state).then(|| group.value.clone());
            if joined.is_empty() && left.is_empty() && !whole && state.is_none() {
                continue;
            }
            let members = whole.then(|| group.members.iter().map(|member| member.provider).collect());
            let (sequence, view) = (group.sequence, group.view);
            let extensions = Extensions::NONE;
            let notice = Notice { token, group: id, sequence, view, state, members, joined, left, extensions };
            if let Some(link) = self.link_of(token) {
                self.send(link, Message::Notice(notice));
            }
        }
    }

    /// Tells a new subscriber what is there.
    pub(super) fn notify_one(&mut self, id: GroupId, token: Token, wanted: Subscription) {
        let (Some(group), Some(link)) = (self.groups.get(&id), self.link_of(token)) else { return };
        let members = wanted
            .contains(Subscription::MEMBERSHIP)
            .then(|| group.members.iter().map(|member| member.provider).collect());
        let notice = Notice {
            token,
            group: id,
            sequence: group.sequence,
            view: group.view,
            state: wanted.contains(Subscription::STATE).then(|| group.value.clone()),
            members,
            joined: Vec::new(),
            left: Vec::new(),
            extensions: Extensions::NONE,
        };
        self.send(link, Message::Notice(notice));
    }
}

/// What a protocol has changed.
#[derive(Debug, Default)]
struct Change {
    state: bool,
    joined: Vec<ProviderId>,
    left: Vec<Leave>,
    released: Vec<Token>,
}

impl Group {
    /// Who votes: all that are there or join, but not those that are removed against their will.
    pub(super) fn voters(&self, kind: ProtocolKind, proposal: &Proposal) -> Vec<Voter> {
        let removed =
            |provider: ProviderId| kind.removes() && proposal.leaving.iter().any(|leave| leave.provider == provider);
        let members = self.members.iter().map(|member| (member.provider, member.failed.is_some()));
        let joiners = self.admitted.iter().map(|joiner| (joiner.provider, joiner.failed.is_some()));
        let voters = members.chain(joiners).filter(|(provider, _)| !removed(*provider));
        voters.map(|(provider, failed)| Voter { provider, ballot: None, failed }).collect()
    }

    /// Who is told of phases and ends.
    fn hearers(&self) -> Vec<Token> {
        let members = self.members.iter().map(|member| member.token);
        members.chain(self.admitted.iter().map(|joiner| joiner.token)).collect()
    }

    /// What is told of a protocol that has ended, once its changes are made.
    fn outcome(&self, running: &Running, approved: bool) -> Outcome {
        let mut proposal = running.proposal.clone();
        // What is told is what is now.
        if approved && proposal.state.is_some() {
            proposal.state = Some(self.value.clone());
        }
        Outcome {
            sequence: Sequence(self.sequence.0.saturating_add(1)),
            protocol: running.protocol,
            kind: running.kind,
            phases: running.phase,
            summary: if running.phases == Phases::ONE { Summary::empty() } else { running.summary },
            view: self.view,
            digest: membership_digest(self.view, self.members.iter().map(|member| member.provider)),
            proposal,
        }
    }

    /// Makes the changes of a protocol that has ended.
    fn apply(&mut self, running: &Running, approved: bool) -> Change {
        let mut change = Change::default();
        self.last_ended = running.protocol;
        let Proposal { leaving, state, attributes, .. } = &*running.proposal;
        let admitted = core::mem::take(&mut self.admitted);
        // Who has failed is out, whatever the votes say.
        if approved || running.kind.is_certain() {
            for leave in leaving {
                let Some(at) = self.members.iter().position(|member| member.provider == leave.provider) else {
                    continue;
                };
                let member = self.members.remove(at);
                // It may have failed since: it is gone by this, once.
                self.failed.retain(|other| other.provider != leave.provider);
                self.cast_out.retain(|other| other.provider != leave.provider);
                change.released.push(member.token);
                change.left.push(*leave);
            }
        }
        if approved {
            for joiner in admitted {
                let failed = joiner.failed;
                self.members.push(Member {
                    acknowledged: Sequence(0),
                    provider: joiner.provider,
                    token: joiner.token,
                    failed,
                });
                change.joined.push(joiner.provider);
                if let Some(reason) = failed {
                    self.failed.push_back(Leave { provider: joiner.provider, reason, code: 0 });
                }
            }
            if let Some(state) = state.as_ref().filter(|state| **state != self.value) {
                self.value = state.clone();
                change.state = true;
            }
            if let Some(attributes) = attributes {
                self.attributes = (**attributes).clone();
            }
        }
        if !change.left.is_empty() || !change.joined.is_empty() {
            self.view = ViewId(self.view.0.saturating_add(1));
        }
        change
    }
}

/// FNV-1a over a membership: who has another one has missed something.
pub(in crate::group) fn membership_digest(view: ViewId, members: impl Iterator<Item = ProviderId>) -> u64 {
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            digest = (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    add(&view.0.to_be_bytes());
    for ProviderId { node, instance, incarnation } in members {
        add(&node.to_be_bytes());
        add(&instance.to_be_bytes());
        add(&incarnation.to_be_bytes());
    }
    digest
}
