//! Groups: what waits in them, and what of it begins next (spec/group.md 5.3).

use super::table::group::{Event as GroupEvent, State as GroupState, step};
use super::{Coordinator, Event, Group};
use crate::group::attributes::Attributes;
use crate::group::ids::{BatchControl, DissolveReason, LeaveReason, Phases, ProtocolKind};
use crate::group::message::{Open, Snapshot};
use crate::group::name::{GroupId, ProtocolId, ProviderId, Sequence, StateValue, Token, ViewId};
use crate::group::proposal::{Leave, Proposal};
use crate::machine::trace_transition;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

impl Group {
    pub(super) fn new(attributes: Attributes, sequence: Sequence) -> Self {
        Self {
            attributes,
            state: GroupState::Idle,
            value: StateValue::default(),
            members: Vec::new(),
            view: ViewId(0),
            sequence,
            last_protocol: ProtocolId(0),
            last_ended: ProtocolId(0),
            announcements: Vec::new(),
            running: None,
            failed: VecDeque::new(),
            cast_out: VecDeque::new(),
            joining: VecDeque::new(),
            admitted: Vec::new(),
            reflection: None,
            subscribers: BTreeMap::new(),
        }
    }

    /// A group as it is, after all that was told.
    pub(super) fn snapshot(&self, id: GroupId) -> Snapshot {
        Snapshot {
            group: id,
            sequence: self.sequence,
            view: self.view,
            attributes: self.attributes.clone(),
            state: self.value.clone(),
            members: self.members.iter().map(|member| member.provider).collect(),
            last: self.last_ended,
        }
    }

    /// The phase that a provider is in.
    pub(super) fn open_for(&self, provider: ProviderId) -> Option<Open> {
        let running = self.running.as_ref().filter(|_| self.state == GroupState::Voting)?;
        let is_told = self.members.iter().any(|member| member.provider == provider)
            || self.admitted.iter().any(|joiner| joiner.provider == provider);
        let voter = running.voters.iter().find(|voter| voter.provider == provider);
        let vote = voter.and_then(|voter| voter.ballot.clone());
        is_told.then(|| Open { vote, ..running.open() })
    }

    pub(super) fn go(&mut self, event: GroupEvent) {
        match step(self.state, event) {
            Ok(next) => {
                trace_transition!("group", self.state, event, next);
                self.state = next;
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }

    /// The next thing that is told.
    pub(super) fn next_sequence(&mut self) -> Sequence {
        self.sequence = Sequence(self.sequence.0.saturating_add(1));
        self.sequence
    }

    /// What begins next of what waits.
    fn next_queued(&mut self) -> Option<(ProtocolKind, Phases, u16, Proposal)> {
        let Attributes { batch_control, phases, reflection_phases, time_limit, reflection_time_limit, .. } =
            self.attributes;
        let many = |batch: BatchControl| if batch_control.contains(batch) { usize::MAX } else { 1 };
        let mut proposal = Proposal::default();
        for (queue, kind) in
            [(&mut self.failed, ProtocolKind::FAILURE_LEAVE), (&mut self.cast_out, ProtocolKind::CAST_OUT)]
        {
            if !queue.is_empty() {
                let count = many(BatchControl::LEAVES).min(queue.len());
                proposal.leaving = queue.drain(..count).collect();
                return Some((kind, phases, time_limit, proposal));
            }
        }
        if !self.joining.is_empty() {
            let count = many(BatchControl::JOINS).min(self.joining.len());
            self.admitted = self.joining.drain(..count).collect();
            proposal.joining = self.admitted.iter().map(|joiner| joiner.provider).collect();
            return Some((ProtocolKind::JOIN, phases, time_limit, proposal));
        }
        proposal.source_state = Some(self.reflection.take()?);
        Some((ProtocolKind::SOURCE_STATE_REFLECTION, reflection_phases, reflection_time_limit, proposal))
    }
}

impl Coordinator {
    /// Begins what waits, wherever nothing runs.
    pub(super) fn begin_protocols(&mut self) {
        while let Some(id) = self.ready.pop_first() {
            if self.groups.get(&id).is_none_or(|group| group.state != GroupState::Idle) {
                continue;
            }
            self.recheck_joins(id);
            let Some(group) = self.groups.get_mut(&id) else { continue };
            match group.next_queued() {
                Some((kind, phases, time_limit, proposal)) => self.begin(id, kind, phases, time_limit, proposal),
                None => self.dissolve_if_empty(id),
            }
        }
    }

    /// A provider is gone, or is as good as gone.
    pub(super) fn provider_failed(&mut self, id: GroupId, provider: ProviderId, reason: LeaveReason) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        self.ready.insert(id);
        // Who has not begun to join never was.
        group.joining.retain(|joiner| joiner.provider != provider);
        for joiner in group.admitted.iter_mut().filter(|joiner| joiner.provider == provider) {
            joiner.failed = joiner.failed.or(Some(reason));
        }
        let mut leaves = false;
        for member in group.members.iter_mut().filter(|member| member.provider == provider && member.failed.is_none()) {
            member.failed = Some(reason);
            leaves = true;
        }
        if leaves {
            // Not twice, if it was to be cast out.
            group.cast_out.retain(|leave| leave.provider != provider);
            let goes_already = group.running.as_ref().is_some_and(|running| {
                let kind = running.kind;
                kind.is_certain() && running.proposal.leaving.iter().any(|leave| leave.provider == provider)
            });
            if !goes_already {
                group.failed.push_back(Leave { provider, reason, code: 0 });
            }
        }
        if let Some(running) = &mut group.running {
            running.fail(provider);
            self.decide(id);
        }
    }

    /// Without providers there is no group.
    pub(super) fn dissolve_if_empty(&mut self, id: GroupId) {
        let Some(group) = self.groups.get(&id) else { return };
        let empty = group.members.is_empty() && group.joining.is_empty() && group.admitted.is_empty();
        if !empty || group.state != GroupState::Idle {
            return;
        }
        let Some(mut group) = self.groups.remove(&id) else { return };
        group.go(GroupEvent::Dissolved);
        self.names.remove(&group.attributes.name);
        let subscribers: Vec<Token> = group.subscribers.values().map(|(token, _)| *token).collect();
        for token in subscribers {
            if let Some(link) = self.link_of(token) {
                self.tell_dissolved(link, Some(token), DissolveReason::EMPTY);
            }
            self.release(token);
        }
        if let Some(source) = &group.attributes.source_group
            && let Some(targets) = self.targets.get_mut(source)
        {
            targets.remove(&id);
            if targets.is_empty() {
                self.targets.remove(source);
            }
        }
        self.event(Event::Dissolved(group.attributes.name));
    }

    /// The providers of groups that have this one as their source go where this one has none any more.
    pub(super) fn cast_out(&mut self, id: GroupId) {
        let Some(source) = self.groups.get(&id) else { return };
        let targets = self.targets.get(&source.attributes.name).cloned().unwrap_or_default();
        for target in targets {
            self.cast_out_of(target);
        }
    }

    /// The providers of this group go where its source has none.
    pub(super) fn cast_out_of(&mut self, target: GroupId) {
        let source = self.groups.get(&target).and_then(|group| group.attributes.source_group.as_ref());
        let Some(source) = source else { return };
        let source = self.names.get(source).and_then(|id| self.groups.get(id));
        let members = source.into_iter().flat_map(|source| &source.members);
        let nodes: BTreeSet<u32> = members.filter(|one| one.failed.is_none()).map(|one| one.provider.node).collect();
        let Some(group) = self.groups.get_mut(&target) else { return };
        // Whether somebody who is to leave or to be expelled goes is not sure.
        let goes = |provider: ProviderId| {
            let queued = group.failed.iter().chain(&group.cast_out).any(|leave| leave.provider == provider);
            let running = group.running.as_ref().filter(|running| running.kind.is_certain());
            queued || running.is_some_and(|running| running.proposal.leaving.iter().any(|one| one.provider == provider))
        };
        let providers = group.members.iter().map(|member| member.provider);
        let alone: Vec<ProviderId> =
            providers.filter(|provider| !nodes.contains(&provider.node) && !goes(*provider)).collect();
        let reason = LeaveReason::SOURCE_PROVIDER_LEAVE;
        group.cast_out.extend(alone.into_iter().map(|provider| Leave { provider, reason, code: 0 }));
        self.ready.insert(target);
    }

    /// The state value of this group is reflected in those that have it as their source; only the newest one is.
    pub(super) fn reflect(&mut self, id: GroupId) {
        let Some(source) = self.groups.get(&id) else { return };
        let value = source.value.clone();
        let Some(targets) = self.targets.get(&source.attributes.name) else { return };
        for target in targets.clone() {
            if let Some(group) = self.groups.get_mut(&target) {
                group.reflection = Some(value.clone());
                self.ready.insert(target);
            }
        }
    }
}
