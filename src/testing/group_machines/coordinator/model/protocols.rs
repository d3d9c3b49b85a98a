//! Protocols, from what waits to what everybody is told (spec/group.md 5.3 to 5.7).

use super::super::super::words::{digest, is_certain};
use super::requests::same;
use super::*;
use crate::group::message::{Ended, Entry, Notice, Open, Outcome, Past, Phase};
use crate::group::{BatchControl, Phases};

/// What an end has changed.
#[derive(Debug, Default)]
struct Change {
    joined: Vec<ProviderId>,
    left: Vec<Leave>,
    freed: Vec<Token>,
    state: bool,
}

impl CoordinatorModel {
    /// 5.3: wherever nothing runs what waits begins, in the groups by their number.
    pub(super) fn begin_what_waits(&mut self, must: &mut Must) {
        let idle = |group: &Group| group.run.is_none() && (!group.line.is_empty() || group.members.is_empty());
        while let Some(id) = self.groups.iter().find(|(_, group)| idle(group)).map(|(id, _)| *id) {
            self.begin_next(id, must);
        }
    }

    fn begin_next(&mut self, id: GroupId, must: &mut Must) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        let (phases, limit, batch) =
            (group.attributes.phases, group.attributes.time_limit, group.attributes.batch_control);
        let most = |which: BatchControl| if batch.contains(which) { usize::MAX } else { 1 };
        let leaves = |group: &mut Group, which: &dyn Fn(&Waits) -> Option<Leave>| {
            let taken: Vec<Leave> = group.line.iter().filter_map(which).take(most(BatchControl::LEAVES)).collect();
            group.line.retain(|one| which(one).is_none_or(|leave| !taken.contains(&leave)));
            taken
        };
        let mut proposal = Proposal::default();
        let failures = leaves(group, &|one| if let Waits::Failure(leave) = one { Some(*leave) } else { None });
        if !failures.is_empty() {
            proposal.leaving = failures;
            return self.begin(id, ProtocolKind::FAILURE_LEAVE, phases, limit, proposal, Vec::new(), must);
        }
        let cast_out = leaves(group, &|one| if let Waits::CastOut(leave) = one { Some(*leave) } else { None });
        if !cast_out.is_empty() {
            proposal.leaving = cast_out;
            return self.begin(id, ProtocolKind::CAST_OUT, phases, limit, proposal, Vec::new(), must);
        }
        if let Some(joiners) = self.next_joiners(id, must) {
            proposal.joining = joiners.iter().map(|joiner| joiner.who).collect();
            return self.begin(id, ProtocolKind::JOIN, phases, limit, proposal, joiners, must);
        }
        let Some(group) = self.groups.get_mut(&id) else { return };
        if let Some(Waits::Reflection(value)) = group.line.pop() {
            proposal.source_state = Some(value);
            let (phases, limit) = (group.attributes.reflection_phases, group.attributes.reflection_time_limit);
            return self.begin(id, ProtocolKind::SOURCE_STATE_REFLECTION, phases, limit, proposal, Vec::new(), must);
        }
        if group.members.is_empty() {
            self.dissolve(id, must);
        }
    }

    /// Those that may still join, one or all; who may not any more is told.
    fn next_joiners(&mut self, id: GroupId, must: &mut Must) -> Option<Vec<Joiner>> {
        let mut joiners: Vec<Joiner> = Vec::new();
        loop {
            let group = self.groups.get_mut(&id)?;
            let all = group.attributes.batch_control.contains(BatchControl::JOINS);
            let next = group.line.iter().position(|one| matches!(one, Waits::Join(_)));
            let Some(at) = next.filter(|_| all || joiners.is_empty()) else { break };
            let Waits::Join(joiner) = group.line.remove(at) else { break };
            let alike = same(&group.attributes, &joiner.attributes);
            let checked = if alike { Ok(()) } else { Err(ErrorCode::BAD_GROUP_ATTRIBUTES) };
            match checked.and_then(|()| self.has_source(&joiner.attributes, joiner.who.node)) {
                Ok(()) => joiners.push(joiner),
                Err(code) => {
                    let what = (joiner.request, Some(joiner.token), MessageKind::JOIN);
                    if let Some(link) = self.link_of(joiner.token) {
                        self.refused(link, what, code, must);
                    }
                    self.free_token(joiner.token);
                }
            }
        }
        (!joiners.is_empty()).then_some(joiners)
    }

    fn dissolve(&mut self, id: GroupId, must: &mut Must) {
        let Some(group) = self.groups.remove(&id) else { return };
        for (token, _) in group.subscribers {
            if let Some(link) = self.link_of(token) {
                self.dissolved(link, Some(token), DissolveReason::EMPTY, must);
            }
            self.free_token(token);
        }
        must.events.push(Event::Dissolved(group.attributes.name));
    }

    #[allow(clippy::too_many_arguments, reason = "it is all that a protocol begins with")]
    pub(super) fn begin(
        &mut self,
        id: GroupId,
        kind: ProtocolKind,
        phases: Phases,
        limit: u16,
        proposal: Proposal,
        joiners: Vec<Joiner>,
        must: &mut Must,
    ) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.begun.0 += 1;
        // Who is removed against its will has no vote.
        let voiceless = |who: &ProviderId| {
            (is_certain(kind) || kind == ProtocolKind::EXPEL)
                && proposal.leaving.iter().any(|leave| leave.provider == *who)
        };
        let members = group.members.iter().map(|member| (member.who, None, member.failed));
        let joining = joiners.iter().map(|joiner| (joiner.who, None, joiner.failed.is_some()));
        let votes: Vec<_> = members.chain(joining).filter(|(who, ..)| !voiceless(who)).collect();
        let voted = phases == Phases::N && !votes.is_empty();
        let mut run = Run {
            id: group.begun,
            kind,
            voted: phases == Phases::N,
            phase: 1,
            limit,
            proposal,
            joiners,
            votes,
            default: group.attributes.default_vote,
            summary: Summary::empty(),
            due: None,
            late: BTreeSet::new(),
            deactivate: BTreeSet::new(),
            verdict: None,
        };
        run.deactivate = run.to_deactivate(&group.there());
        group.run = Some(run);
        if voted {
            self.tell_phase(id, must);
            self.count(id, must);
        } else {
            self.decided(id, true, must);
        }
    }

    fn tell_phase(&mut self, id: GroupId, must: &mut Must) {
        let now = self.now;
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.told.0 += 1;
        let (sequence, tokens) = (group.told, group.hearers());
        let Some(run) = &mut group.run else { return };
        run.due = (run.limit > 0).then(|| now.saturating_add(Duration::from_secs(u64::from(run.limit))));
        let open = run.open();
        for token in tokens {
            let Some(link) = self.link_of(token) else { continue };
            let phase = Phase { token, group: id, sequence, open: open.clone(), extensions: none() };
            self.send(link, Message::Phase(phase), must);
        }
    }

    /// 5.4: one no decides, and so does the last vote.
    pub(super) fn count(&mut self, id: GroupId, must: &mut Must) {
        loop {
            let run = self.groups.get(&id).and_then(|group| group.run.as_ref());
            let is_over = |run: &Run| {
                let no = run.votes.iter().filter_map(|(_, vote, _)| vote.as_ref()).any(|one| one.vote == Vote::REJECT);
                no || (run.awaited().is_empty() && run.deactivate.is_empty())
            };
            if !run.is_some_and(|run| run.verdict.is_none() && is_over(run)) {
                return;
            }
            self.close_phase(id, must);
        }
    }

    pub(super) fn phase_is_over(&mut self, id: GroupId, must: &mut Must) {
        let run = self.groups.get_mut(&id).and_then(|group| group.run.as_mut());
        let Some(run) = run else { return };
        run.due = None;
        let slow: Vec<ProviderId> = core::mem::take(&mut run.deactivate).into_iter().collect();
        if !slow.is_empty() {
            self.announce(id, Flags::DEACTIVATE_TIME_LIMIT_EXCEEDED, slow, must);
        }
        self.close_phase(id, must);
        self.count(id, must);
    }

    fn close_phase(&mut self, id: GroupId, must: &mut Must) {
        let most = self.config.limits.phases;
        let Some(group) = self.groups.get_mut(&id) else { return };
        let there = group.there();
        let Some(run) = &mut group.run else { return };
        run.due = None;
        match run.result(most) {
            Vote::CONTINUE => {
                run.phase += 1;
                run.votes.iter_mut().for_each(|(_, vote, _)| *vote = None);
                run.deactivate = run.to_deactivate(&there);
                self.tell_phase(id, must);
            }
            result => self.decided(id, result == Vote::APPROVE, must),
        }
    }

    /// 6.1: it is kept, and then it is told.
    fn decided(&mut self, id: GroupId, approved: bool, must: &mut Must) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        let Some(run) = &mut group.run else { return };
        run.verdict = Some(approved);
        if !is_kept_first(&self.config) {
            return self.tell_end(id, must);
        }
        let mut after = group.clone();
        after.apply(approved);
        let ended = after.outcome(group.run.as_ref(), approved);
        after.told = ended.sequence;
        self.decided += 1;
        self.keeping.push_back((self.decided, id));
        let entry = Entry { index: self.decided, past: Past { approved, ended }, snapshot: after.snapshot(id) };
        must.wire.push(Output::Persist(boxed(entry)));
    }

    /// 5.5: everybody is told, then those that watch, then what else there is to say.
    pub(super) fn tell_end(&mut self, id: GroupId, must: &mut Must) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        let Some(approved) = group.run.as_ref().and_then(|run| run.verdict) else { return };
        let tokens = group.hearers();
        let change = group.apply(approved);
        let Some(run) = group.run.take() else { return };
        let outcome = group.outcome(Some(&run), approved);
        group.told = outcome.sequence;
        let later = core::mem::take(&mut group.later);
        let (name, whole) = (group.attributes.name.clone(), group.snapshot(id));
        for token in tokens {
            let Some(link) = self.link_of(token) else { continue };
            let joins = approved && run.joiners.iter().any(|joiner| joiner.token == token);
            let snapshot = joins.then(|| boxed(whole.clone()));
            let ended = boxed(Ended { token, group: id, outcome: outcome.clone(), snapshot, extensions: none() });
            self.send(link, if approved { Message::Approved(ended) } else { Message::Rejected(ended) }, must);
        }
        change.freed.iter().for_each(|token| self.free_token(*token));
        if !approved {
            run.joiners.iter().for_each(|joiner| self.free_token(joiner.token));
        }
        must.events.extend(change.joined.iter().map(|who| Event::Joined(name.clone(), *who)));
        must.events.extend(change.left.iter().map(|leave| Event::Left(name.clone(), leave.provider, leave.reason)));
        self.notify(id, &change, must);
        for (flags, providers) in later {
            self.announce(id, flags, providers, must);
        }
        if !run.late.is_empty() {
            self.announce(id, Flags::TIME_LIMIT_EXCEEDED, run.late.into_iter().collect(), must);
        }
        let targets: Vec<GroupId> = {
            let mine = |group: &Group| group.attributes.source_group.as_ref() == Some(&name);
            self.groups.iter().filter(|(_, group)| mine(group)).map(|(id, _)| *id).collect()
        };
        if !change.left.is_empty() {
            targets.iter().for_each(|target| self.cast_out(*target));
        }
        if !change.joined.is_empty() {
            self.cast_out(id);
        }
        if change.state {
            for target in targets {
                let Some(group) = self.groups.get_mut(&target) else { continue };
                group.line.retain(|one| !matches!(one, Waits::Reflection(_)));
                group.line.push(Waits::Reflection(whole.state.clone()));
            }
        }
    }

    fn notify(&mut self, id: GroupId, change: &Change, must: &mut Must) {
        let Some(group) = self.groups.get(&id) else { return };
        for (token, wanted) in group.subscribers.clone() {
            let moved = !change.joined.is_empty() || !change.left.is_empty();
            let wants = |flag: Subscription| wanted.contains(flag);
            let notice = Notice {
                token,
                group: id,
                sequence: group.told,
                view: group.view,
                state: (change.state && wants(Subscription::STATE)).then(|| group.value.clone()),
                members: (moved && wants(Subscription::MEMBERSHIP)).then(|| group.who()),
                joined: if wants(Subscription::DELTA_JOINS) { change.joined.clone() } else { Vec::new() },
                left: if wants(Subscription::DELTA_LEAVES) { change.left.clone() } else { Vec::new() },
                extensions: none(),
            };
            let says = notice.state.is_some() || notice.members.is_some();
            let says = says || !notice.joined.is_empty() || !notice.left.is_empty();
            if let Some(link) = self.link_of(token).filter(|_| says) {
                self.send(link, Message::Notice(notice), must);
            }
        }
    }

    /// 5.7: who has no source on its machine goes, unless it goes already.
    fn cast_out(&mut self, id: GroupId) {
        let Some(source) = self.groups.get(&id).and_then(|group| group.attributes.source_group.clone()) else { return };
        let source = self.named(&source).and_then(|id| self.groups.get(&id));
        let there: Vec<u32> = source
            .iter()
            .flat_map(|source| &source.members)
            .filter(|member| !member.failed)
            .map(|member| member.who.node)
            .collect();
        let Some(group) = self.groups.get_mut(&id) else { return };
        for who in group.who() {
            let queued = group
                .line
                .iter()
                .any(|one| matches!(one, Waits::Failure(leave) | Waits::CastOut(leave) if leave.provider == who));
            let runs = group.run.as_ref().is_some_and(|run| is_certain(run.kind) && run.removes(who));
            if !there.contains(&who.node) && !queued && !runs {
                let reason = LeaveReason::SOURCE_PROVIDER_LEAVE;
                group.line.push(Waits::CastOut(Leave { provider: who, reason, code: 0 }));
            }
        }
    }

    /// 5.2: a provider has failed, wherever it was.
    pub(super) fn failed(&mut self, id: GroupId, who: ProviderId, reason: LeaveReason, must: &mut Must) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.line.retain(|one| !matches!(one, Waits::Join(joiner) if joiner.who == who));
        if let Some(run) = &mut group.run {
            for joiner in run.joiners.iter_mut().filter(|joiner| joiner.who == who) {
                joiner.failed = joiner.failed.or(Some(reason));
            }
            run.votes.iter_mut().filter(|(voter, ..)| *voter == who).for_each(|(_, _, failed)| *failed = true);
            run.deactivate.remove(&who);
        }
        let goes = group.run.as_ref().is_some_and(|run| is_certain(run.kind) && run.removes(who));
        if let Some(member) = group.members.iter_mut().find(|member| member.who == who && !member.failed) {
            member.failed = true;
            group.line.retain(|one| !matches!(one, Waits::CastOut(leave) if leave.provider == who));
            if !goes {
                group.line.push(Waits::Failure(Leave { provider: who, reason, code: 0 }));
            }
        }
        self.count(id, must);
    }
}

impl Run {
    pub(super) fn open(&self) -> Open {
        Open {
            protocol: self.id,
            kind: self.kind,
            phase: self.phase,
            time_limit: self.limit,
            default_vote: self.default,
            summary: self.summary,
            proposal: boxed(self.proposal.clone()),
            vote: None,
        }
    }

    pub(super) fn vote_of(&self, who: ProviderId) -> Option<Ballot> {
        self.votes.iter().find(|(voter, ..)| *voter == who).and_then(|(_, vote, _)| vote.clone())
    }

    pub(super) fn awaited(&self) -> Vec<ProviderId> {
        let missing = self.votes.iter().filter(|(_, vote, failed)| vote.is_none() && !failed);
        missing.map(|(who, ..)| *who).collect()
    }

    fn removes(&self, who: ProviderId) -> bool {
        self.proposal.leaving.iter().any(|leave| leave.provider == who)
    }

    /// Those that are to deactivate themselves in this phase, and can.
    fn to_deactivate(&self, there: &[ProviderId]) -> BTreeSet<ProviderId> {
        let now = self.proposal.expulsion.iter().filter(|one| one.deactivate_phase == self.phase);
        now.flat_map(|expulsion| &expulsion.targets).filter(|target| there.contains(target)).copied().collect()
    }

    /// 5.4: the votes of a phase together, and what they propose.
    fn result(&mut self, most: u32) -> Vote {
        let given: Vec<Ballot> = self.votes.iter().filter_map(|(_, vote, _)| vote.clone()).collect();
        let says = |vote: Vote| given.iter().any(|ballot| ballot.vote == vote);
        for wanted in [Vote::REJECT, Vote::APPROVE] {
            if given.iter().any(|ballot| ballot.default_vote == Some(wanted)) {
                self.default = wanted;
                break;
            }
        }
        if let Some(state) = given.iter().find_map(|ballot| ballot.state.clone()) {
            self.proposal.state = Some(state);
        }
        if let Some(message) = given.iter().find_map(|ballot| ballot.message.clone()) {
            self.proposal.message = Some(message);
        }
        if says(Vote::APPROVE) {
            self.summary |= Summary::EXPLICIT_APPROVE;
        }
        if says(Vote::REJECT) {
            self.summary |= Summary::EXPLICIT_REJECT;
            return Vote::REJECT;
        }
        let missing: Vec<(ProviderId, bool)> =
            self.votes.iter().filter(|(_, vote, _)| vote.is_none()).map(|(who, _, failed)| (*who, *failed)).collect();
        for (who, failed) in &missing {
            if *failed {
                self.summary |= Summary::PROVIDER_FAILED;
            } else {
                self.summary |= Summary::TIME_LIMIT_EXCEEDED;
                self.late.insert(*who);
            }
        }
        if !missing.is_empty() && self.default == Vote::REJECT {
            self.summary |= Summary::DEFAULT_REJECT;
            return Vote::REJECT;
        }
        if !missing.is_empty() {
            self.summary |= Summary::DEFAULT_APPROVE;
        }
        match says(Vote::CONTINUE) {
            true if self.phase >= most => {
                self.summary |= Summary::TOO_MANY_PHASES;
                Vote::REJECT
            }
            true => Vote::CONTINUE,
            false => Vote::APPROVE,
        }
    }
}

impl Group {
    /// Makes the changes of what has ended; the protocol stays as it is.
    fn apply(&mut self, approved: bool) -> Change {
        let mut change = Change::default();
        let Some(run) = self.run.clone() else { return change };
        self.ended = run.id;
        for leave in run.proposal.leaving.iter().filter(|_| approved || is_certain(run.kind)) {
            let Some(at) = self.members.iter().position(|member| member.who == leave.provider) else { continue };
            change.freed.push(self.members.remove(at).token);
            change.left.push(*leave);
            let goes = |one: &Waits| matches!(one, Waits::Failure(other) | Waits::CastOut(other) if other.provider == leave.provider);
            self.line.retain(|one| !goes(one));
        }
        if approved {
            for joiner in run.joiners {
                change.joined.push(joiner.who);
                self.members.push(Member { who: joiner.who, token: joiner.token, failed: joiner.failed.is_some() });
                if let Some(reason) = joiner.failed {
                    self.line.push(Waits::Failure(Leave { provider: joiner.who, reason, code: 0 }));
                }
            }
            if let Some(state) = run.proposal.state {
                change.state = state != self.value;
                self.value = state;
            }
            if let Some(attributes) = run.proposal.attributes {
                self.attributes = *attributes;
            }
        }
        if !change.joined.is_empty() || !change.left.is_empty() {
            self.view.0 += 1;
        }
        change
    }

    /// What is told of it, once the changes are made.
    fn outcome(&self, run: Option<&Run>, approved: bool) -> Outcome {
        let run = run.cloned().expect("something has ended");
        let _ = approved;
        Outcome {
            sequence: Sequence(self.told.0 + 1),
            protocol: run.id,
            kind: run.kind,
            phases: run.phase,
            summary: if run.voted { run.summary } else { Summary::empty() },
            view: self.view,
            digest: digest(self.view, &self.who()),
            proposal: boxed(run.proposal),
        }
    }
}
