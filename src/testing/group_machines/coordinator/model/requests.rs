//! What processes ask for (spec/group.md 5.2 and 5.3).

use super::super::super::words::is_ballot;
use super::*;
use crate::group::message::{Accepted, Join, Notice, Open, Propose, Snapshot, Subscribe, View};
use crate::group::proposal::{Expulsion, Wish};
use crate::group::{Phases, message};

impl CoordinatorModel {
    pub(super) fn message(&mut self, link: LinkId, message: &Message, must: &mut Must) {
        let of = |token: Token| self.holder(token).filter(|holder| holder.link == link);
        let provider = |token: Token| of(token).and_then(|holder| Some((holder.group, holder.who?)));
        match message {
            Message::Enter(enter) => self.enter(link, enter, must),
            Message::Report(report) => {
                if let Some(process) = self.processes.get_mut(&link) {
                    process.reported = report.remaining == 0;
                }
                let standing = report.standing.iter().map(|one| (link, one.snapshot.group, one.token));
                self.reports.extend(standing);
            }
            Message::Join(join) => self.join(link, join, must),
            Message::Subscribe(subscribe) => self.subscribe(link, subscribe, must),
            Message::Unsubscribe(signal) => match of(signal.token) {
                Some(Holder { group, who: None, .. }) => {
                    self.unsubscribed(group, signal.token);
                    self.free_token(signal.token);
                }
                _ => self.ignored(link, must),
            },
            Message::Propose(propose) => self.propose(link, propose, must),
            Message::Vote(vote) => self.vote(link, vote, must),
            Message::Deactivated(said) => {
                let waits = provider(said.token).filter(|(group, who)| {
                    let run = self.groups.get(group).and_then(|group| group.run.as_ref());
                    run.is_some_and(|run| run.id == said.protocol && run.deactivate.contains(who))
                });
                let Some((group, who)) = waits else { return self.ignored(link, must) };
                if let Some(run) = self.groups.get_mut(&group).and_then(|group| group.run.as_mut()) {
                    run.deactivate.remove(&who);
                }
                if !said.successful {
                    self.announce(group, Flags::DEACTIVATE_UNSUCCESSFUL, Vec::from([who]), must);
                }
                self.count(group, must);
            }
            Message::Goodbye(signal) => match provider(signal.token) {
                Some((group, who)) => {
                    self.free_token(signal.token);
                    self.failed(group, who, LeaveReason::SAID_GOODBYE, must);
                }
                None => self.ignored(link, must),
            },
            Message::Quit(_) => {
                self.close(link, must);
                self.gone(link, LeaveReason::PROVIDER_FAILURE, must);
            }
            Message::Pong(pong) => self.pong(link, pong.nonce, must),
            Message::Acknowledge(taken) if provider(taken.token).is_none() => self.ignored(link, must),
            Message::Resynchronise(signal) => {
                let Some((id, who)) = provider(signal.token) else { return self.ignored(link, must) };
                let Some(group) = self.groups.get(&id) else { return };
                let (token, snapshot) = (signal.token, boxed(group.snapshot(id)));
                let open = group.run.as_ref().filter(|run| run.verdict.is_none() && group.hears(who));
                let open = open.map(|run| Open { vote: run.vote_of(who), ..run.open() });
                self.send(link, Message::View(View { token, snapshot, open, extensions: none() }), must);
            }
            _ => {}
        }
    }

    fn join(&mut self, link: LinkId, join: &Join, must: &mut Must) {
        let Join { request, instance, attributes, .. } = join.clone();
        let what = (request, None, MessageKind::JOIN);
        let Some(process) = self.processes.get(&link) else { return };
        let who = ProviderId { node: process.node, instance, incarnation: process.incarnation };
        let named = self.named(&attributes.name);
        let checked = self.makes_sense(&attributes, who.node).and_then(|()| self.fits(named, &attributes, who));
        if let Err(code) = checked {
            return self.refused(link, what, code, must);
        }
        let id = named.unwrap_or(GroupId(self.last_group + 1));
        if named.is_none() {
            self.last_group += 1;
            must.events.push(Event::Formed(attributes.name.clone()));
        }
        let Some(token) = self.take_token(Holder { link, group: id, who: Some(who) }) else {
            if named.is_none() {
                must.events.push(Event::Dissolved(attributes.name));
            }
            return self.refused(link, what, ErrorCode::NO_MEMORY, must);
        };
        self.send(link, Message::Accepted(Accepted { request, token, group: id, extensions: none() }), must);
        let before = Sequence(super::first_number(self.config.epoch));
        let group = self.groups.entry(id).or_insert_with(|| Group::new(attributes.clone(), before));
        group.line.push(Waits::Join(Joiner { who, token, request, attributes, failed: None }));
    }

    /// 5.2 and 5.7: attributes, and a source that there is.
    fn makes_sense(&self, attributes: &Attributes, node: u32) -> Result<(), ErrorCode> {
        if attributes.check().is_err() {
            return Err(ErrorCode::BAD_GROUP_ATTRIBUTES);
        }
        self.has_source(attributes, node)
    }

    pub(super) fn has_source(&self, attributes: &Attributes, node: u32) -> Result<(), ErrorCode> {
        let Some(source) = &attributes.source_group else { return Ok(()) };
        // The chain of sources, up to where it ends.
        let mut chain = Vec::from([source.clone()]);
        while let Some(next) = chain.last() {
            let depth = chain.len();
            let group = self.named(next).and_then(|id| self.groups.get(&id));
            let Some(group) = group.filter(|_| *next != attributes.name && depth <= self.config.limits.source_depth)
            else {
                return Err(ErrorCode::INVALID_SOURCE_GROUP);
            };
            if depth == 1 && !group.members.iter().any(|member| member.who.node == node && !member.failed) {
                return Err(ErrorCode::NO_SOURCE_GROUP_PROVIDER);
            }
            match &group.attributes.source_group {
                Some(further) => chain.push(further.clone()),
                None => break,
            }
        }
        Ok(())
    }

    /// 5.2: like the group, and no other of its number.
    fn fits(&self, id: Option<GroupId>, attributes: &Attributes, who: ProviderId) -> Result<(), ErrorCode> {
        let Some(group) = id.and_then(|id| self.groups.get(&id)) else {
            let room = self.groups.len() < self.config.limits.groups;
            return if room { Ok(()) } else { Err(ErrorCode::NO_MEMORY) };
        };
        if !same(&group.attributes, attributes) {
            return Err(ErrorCode::BAD_GROUP_ATTRIBUTES);
        }
        let waiting =
            group.line.iter().filter_map(|one| if let Waits::Join(joiner) = one { Some(joiner.who) } else { None });
        let joining = group.run.iter().flat_map(|run| &run.joiners).map(|joiner| joiner.who);
        let all: Vec<ProviderId> = group.who().into_iter().chain(joining).chain(waiting).collect();
        if all.iter().any(|other| other.node == who.node && other.instance == who.instance) {
            return Err(ErrorCode::DUPLICATE_INSTANCE_NUMBER);
        }
        if all.len() >= self.config.limits.providers { Err(ErrorCode::NO_MEMORY) } else { Ok(()) }
    }

    fn subscribe(&mut self, link: LinkId, subscribe: &Subscribe, must: &mut Must) {
        let Subscribe { request, group: name, subscription, .. } = subscribe;
        let what = (*request, None, MessageKind::SUBSCRIBE);
        let Some(id) = self.named(name) else { return self.refused(link, what, ErrorCode::UNKNOWN_GROUP, must) };
        let Some(token) = self.take_token(Holder { link, group: id, who: None }) else {
            return self.refused(link, what, ErrorCode::NO_MEMORY, must);
        };
        let accepted = Accepted { request: *request, token, group: id, extensions: none() };
        self.send(link, Message::Accepted(accepted), must);
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.subscribers.push((token, *subscription));
        group.subscribers.sort_by_key(|(token, _)| token.index);
        let (whole, state) =
            (subscription.contains(Subscription::MEMBERSHIP), subscription.contains(Subscription::STATE));
        if whole || state {
            let notice = Notice {
                token,
                group: id,
                sequence: group.told,
                view: group.view,
                state: state.then(|| group.value.clone()),
                members: whole.then(|| group.who()),
                joined: Vec::new(),
                left: Vec::new(),
                extensions: none(),
            };
            self.send(link, Message::Notice(notice), must);
        }
    }

    fn propose(&mut self, link: LinkId, propose: &Propose, must: &mut Must) {
        let Propose { request, token, voting, view, wish, .. } = propose.clone();
        let what = (request, Some(token), MessageKind::PROPOSE);
        let holder = self.holder(token).filter(|holder| holder.link == link);
        let there = holder.and_then(|Holder { group: id, who, .. }| {
            let (group, who) = (self.groups.get(&id)?, who?);
            group.members.iter().any(|member| member.who == who && !member.failed).then_some((id, group, who))
        });
        let Some((id, group, who)) = there else {
            return self.refused(link, what, ErrorCode::BAD_MEMBER_TOKEN, must);
        };
        let checked = if ![Phases::ONE, Phases::N].contains(&voting.phases) {
            Err(ErrorCode::BAD_PARAMETER)
        } else if group.run.is_some() || !group.line.is_empty() {
            Err(ErrorCode::COLLIDE)
        } else if view.is_some_and(|view| view != group.view) {
            Err(ErrorCode::STALE_VIEW)
        } else {
            group.proposal(who, wish, voting.phases)
        };
        match checked {
            Err(code) => self.refused(link, what, code, must),
            Ok((kind, proposal)) => {
                self.begin(id, kind, voting.phases, voting.time_limit, proposal, Vec::new(), must);
            }
        }
    }

    fn vote(&mut self, link: LinkId, vote: &message::Vote, must: &mut Must) {
        let holder = self.holder(vote.token).filter(|holder| holder.link == link);
        let Some((id, who)) = holder.and_then(|holder| Some((holder.group, holder.who?))) else {
            return self.ignored(link, must);
        };
        let what = (RequestId(0), Some(vote.token), MessageKind::VOTE);
        let run = self.groups.get_mut(&id).and_then(|group| group.run.as_mut()).filter(|run| run.verdict.is_none());
        let Some(run) = run else { return self.ignored(link, must) };
        if (vote.protocol, vote.phase) != (run.id, run.phase) {
            if vote.protocol < run.id || vote.phase < run.phase {
                return self.ignored(link, must);
            }
            return self.refused(link, what, ErrorCode::VOTE_NOT_EXPECTED, must);
        }
        if !is_ballot(&vote.ballot) {
            return self.refused(link, what, ErrorCode::BAD_PARAMETER, must);
        }
        match run.votes.iter_mut().find(|(voter, given, failed)| *voter == who && given.is_none() && !failed) {
            Some((_, given, _)) => {
                *given = Some(vote.ballot.clone());
                self.count(id, must);
            }
            None => self.refused(link, what, ErrorCode::VOTE_NOT_EXPECTED, must),
        }
    }
}

/// 2.11: equal in every field that has a meaning.
pub(super) fn same(one: &Attributes, other: &Attributes) -> bool {
    let reflected = one.source_group.is_some();
    let voted = reflected && one.reflection_phases == Phases::N;
    one.client_version == other.client_version
        && one.name == other.name
        && one.batch_control == other.batch_control
        && one.phases == other.phases
        && one.default_vote == other.default_vote
        && one.merge_control == other.merge_control
        && one.time_limit == other.time_limit
        && one.source_group == other.source_group
        && (!reflected || one.reflection_phases == other.reflection_phases)
        && (!voted || one.reflection_time_limit == other.reflection_time_limit)
}

impl Group {
    fn new(attributes: Attributes, told: Sequence) -> Self {
        Self {
            attributes,
            value: StateValue::default(),
            members: Vec::new(),
            view: ViewId(0),
            told,
            begun: ProtocolId(0),
            ended: ProtocolId(0),
            line: Vec::new(),
            run: None,
            subscribers: Vec::new(),
            later: Vec::new(),
        }
    }

    pub(super) fn snapshot(&self, id: GroupId) -> Snapshot {
        Snapshot {
            group: id,
            sequence: self.told,
            view: self.view,
            attributes: self.attributes.clone(),
            state: self.value.clone(),
            members: self.who(),
            last: self.ended,
        }
    }

    /// 5.3: what somebody who is there wants.
    fn proposal(&self, who: ProviderId, wish: Wish, phases: Phases) -> Result<(ProtocolKind, Proposal), ErrorCode> {
        let mut proposal = Proposal { proposer: Some(who), ..Proposal::default() };
        let leave = |provider: ProviderId, reason: LeaveReason, code: u32| Leave { provider, reason, code };
        let kind = match wish {
            Wish::Leave(code) => {
                proposal.leaving = Vec::from([leave(who, LeaveReason::VOLUNTARY, code)]);
                ProtocolKind::LEAVE
            }
            Wish::Expel(expulsion) => {
                let Expulsion { targets, deactivate_phase, .. } = &expulsion;
                let members = self.who();
                if targets.is_empty() {
                    return Err(ErrorCode::BAD_PARAMETER);
                }
                if targets.iter().collect::<BTreeSet<_>>().len() < targets.len() {
                    return Err(ErrorCode::PROVIDER_APPEARS_TWICE);
                }
                if targets.iter().any(|target| !members.contains(target)) {
                    return Err(ErrorCode::UNKNOWN_PROVIDER);
                }
                if *deactivate_phase > 0 && phases == Phases::ONE {
                    return Err(ErrorCode::INVALID_DEACTIVATE_PHASE);
                }
                proposal.leaving = targets.iter().map(|target| leave(*target, LeaveReason::EXPELLED, 0)).collect();
                proposal.expulsion = Some(expulsion);
                ProtocolKind::EXPEL
            }
            Wish::State(state) => {
                proposal.state = Some(state);
                ProtocolKind::STATE_VALUE_CHANGE
            }
            Wish::Message(message) => {
                proposal.message = Some(message);
                ProtocolKind::PROVIDER_MESSAGE
            }
            Wish::Attributes(attributes) => {
                let fixed =
                    attributes.name == self.attributes.name && attributes.source_group == self.attributes.source_group;
                if attributes.check().is_err() || !fixed {
                    return Err(ErrorCode::BAD_GROUP_ATTRIBUTES);
                }
                proposal.attributes = Some(attributes);
                ProtocolKind::ATTRIBUTE_CHANGE
            }
        };
        Ok((kind, proposal))
    }
}
