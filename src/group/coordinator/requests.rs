//! What processes ask for (spec/group.md 5.2 and 5.3).

use super::table::group::State as GroupState;
use super::tokens::Holder;
use super::{Coordinator, Event, Group, Joiner};
use crate::error::{Error, Violation};
use crate::frame::{Extensions, Text};
use crate::group::attributes::Attributes;
use crate::group::ids::{
    Announcement as Flags, BatchControl, ErrorCode, LeaveReason, MessageKind, Phases, ProtocolKind, Subscription,
};
use crate::group::message::{Accepted, Deactivated, DelayedError, Join, Message, Propose, Subscribe, View, Vote};
use crate::group::name::{GroupId, GroupName, ProviderId, RequestId, Sequence, Token};
use crate::group::proposal::{Expulsion, Leave, Proposal, Wish};
use crate::machine::LinkId;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Which request it is, for its error.
#[derive(Clone, Copy)]
struct Asked {
    link: LinkId,
    request: RequestId,
    token: Option<Token>,
    kind: MessageKind,
}

impl Coordinator {
    pub(super) fn message(&mut self, link: LinkId, message: Message) -> Result<(), Error> {
        if self.shut.contains(&link) {
            self.ignore(link, "a message on a link that is over");
            return Ok(());
        }
        if let Message::Enter(enter) = message {
            return self.enter(link, *enter);
        }
        if !self.clients.get(&link).is_some_and(|process| process.entered) {
            if let Some(process) = self.clients.get_mut(&link) {
                let is_due = process.admitted && !process.reported;
                if let (Message::Report(report), true) = (message, is_due) {
                    return self.report(link, report);
                }
                return Err(self.violated(link, "nothing before WELCOME", "a request"));
            }
            self.close_link(link);
            let (state, expected) = (self.state.name(), "ENTER");
            return Err(Violation { state, expected, got: "something else" }.into());
        }
        match message {
            Message::Join(join) => self.join(link, *join),
            Message::Subscribe(subscribe) => self.subscribe(link, subscribe),
            Message::Unsubscribe(signal) => match self.owned(link, signal.token) {
                Some(Holder { group, provider: None, .. }) => {
                    self.unsubscribe(group, signal.token.index);
                    self.release(signal.token);
                }
                _ => self.ignore(link, "UNSUBSCRIBE of a token that is nobody's"),
            },
            Message::Propose(propose) => self.propose(link, *propose),
            Message::Vote(vote) => self.vote(link, vote),
            Message::Deactivated(deactivated) => self.deactivated(link, &deactivated),
            Message::Goodbye(signal) => match self.owned(link, signal.token) {
                Some(Holder { group, provider: Some(provider), .. }) => {
                    self.release(signal.token);
                    self.provider_failed(group, provider, LeaveReason::SAID_GOODBYE);
                }
                _ => self.ignore(link, "GOODBYE of a token that is nobody's"),
            },
            Message::Quit(_) => {
                self.close_link(link);
                self.process_failed(link);
            }
            Message::Pong(pong) => self.pong(link, pong.nonce),
            Message::Acknowledge(taken) => match self.owned(link, taken.token) {
                Some(Holder { group, provider: Some(provider), .. }) => {
                    if let Some(group) = self.groups.get_mut(&group) {
                        let upto = taken.sequence.min(group.sequence);
                        let members = group.members.iter_mut();
                        for member in members.filter(|member| member.provider == provider) {
                            member.acknowledged = member.acknowledged.max(upto);
                        }
                    }
                }
                _ => self.ignore(link, "ACKNOWLEDGE of a token that is nobody's"),
            },
            Message::Unknown { .. } => {}
            Message::Resynchronise(signal) => match self.owned(link, signal.token) {
                Some(Holder { group, provider: Some(provider), .. }) => {
                    if let Some(known) = self.groups.get(&group) {
                        let (token, snapshot) = (signal.token, Box::new(known.snapshot(group)));
                        let open = known.open_for(provider);
                        self.send(link, Message::View(View { token, snapshot, open, extensions: Extensions::NONE }));
                    }
                }
                _ => self.ignore(link, "RESYNCHRONISE of a token that is nobody's"),
            },
            _ => return Err(self.violated(link, "what processes send", "what coordinators send")),
        }
        Ok(())
    }

    fn ignore(&mut self, link: LinkId, what: &'static str) {
        self.event(Event::Ignored { link, what });
    }

    /// Whose a token is, if it is that of a process on this link.
    fn owned(&self, link: LinkId, token: Token) -> Option<Holder> {
        self.tokens.holder(token).filter(|holder| holder.link == link)
    }

    fn refuse(&mut self, asked: Asked, code: ErrorCode) {
        let Asked { link, request, token, kind } = asked;
        let error = DelayedError { request, token, kind, code, text: Text::EMPTY, extensions: Extensions::NONE };
        self.send(link, Message::DelayedError(error));
    }

    fn join(&mut self, link: LinkId, join: Join) {
        let Join { request, instance, attributes, .. } = join;
        let asked = Asked { link, request, token: None, kind: MessageKind::JOIN };
        let Some(process) = self.clients.get(&link) else { return };
        let provider = ProviderId { node: process.node, instance, incarnation: process.incarnation };
        if attributes.check().is_err() {
            return self.refuse(asked, ErrorCode::BAD_GROUP_ATTRIBUTES);
        }
        if let Err(code) = self.check_source(&attributes, provider.node) {
            return self.refuse(asked, code);
        }
        let id = match self.check_join(&attributes, provider) {
            Ok(Some(id)) => id,
            Ok(None) => self.form(attributes.clone()),
            Err(code) => return self.refuse(asked, code),
        };
        let holder = Holder { link, group: id, provider: Some(provider) };
        let Some(token) = self.assign(holder) else {
            self.dissolve_if_empty(id);
            return self.refuse(asked, ErrorCode::NO_MEMORY);
        };
        self.send(link, Message::Accepted(Accepted { request, token, group: id, extensions: Extensions::NONE }));
        if let Some(group) = self.groups.get_mut(&id) {
            let attributes = Box::new(attributes);
            group.joining.push_back(Joiner { provider, token, request, attributes, failed: None });
            self.ready.insert(id);
        }
    }

    /// Those that are to join next, and may not any more: what the group is like, or its source, has changed meanwhile.
    pub(super) fn recheck_joins(&mut self, id: GroupId) {
        loop {
            let Some(group) = self.groups.get(&id) else { return };
            let refused: Vec<(Joiner, ErrorCode)> = group
                .next_joiners()
                .filter_map(|joiner| Some((joiner.clone(), self.recheck(group, joiner).err()?)))
                .collect();
            if refused.is_empty() {
                return;
            }
            for (Joiner { provider, token, request, .. }, code) in refused {
                if let Some(group) = self.groups.get_mut(&id) {
                    group.joining.retain(|joiner| joiner.provider != provider);
                }
                if let Some(link) = self.link_of(token) {
                    self.refuse(Asked { link, request, token: Some(token), kind: MessageKind::JOIN }, code);
                }
                self.release(token);
            }
        }
    }

    fn recheck(&self, group: &Group, joiner: &Joiner) -> Result<(), ErrorCode> {
        if !group.attributes.matches(&joiner.attributes) {
            return Err(ErrorCode::BAD_GROUP_ATTRIBUTES);
        }
        self.check_source(&joiner.attributes, joiner.provider.node)
    }

    fn assign(&mut self, holder: Holder) -> Option<Token> {
        let token = self.tokens.assign(holder, self.config.limits.tokens)?;
        if let Some(process) = self.clients.get_mut(&holder.link) {
            process.tokens.insert(token.index);
        }
        Some(token)
    }

    /// Which group it is, if there is one, and whether the provider may be in it.
    fn check_join(&self, attributes: &Attributes, provider: ProviderId) -> Result<Option<GroupId>, ErrorCode> {
        let Some(id) = self.names.get(&attributes.name).copied() else {
            return if self.groups.len() < self.config.limits.groups { Ok(None) } else { Err(ErrorCode::NO_MEMORY) };
        };
        let Some(group) = self.groups.get(&id) else { return Err(ErrorCode::UNKNOWN_GROUP) };
        if !group.attributes.matches(attributes) {
            return Err(ErrorCode::BAD_GROUP_ATTRIBUTES);
        }
        if group.providers().any(|other| (other.node, other.instance) == (provider.node, provider.instance)) {
            return Err(ErrorCode::DUPLICATE_INSTANCE_NUMBER);
        }
        if group.providers().count() >= self.config.limits.providers {
            return Err(ErrorCode::NO_MEMORY);
        }
        Ok(Some(id))
    }

    /// Whether a group may have that source group, and a provider on that node.
    fn check_source(&self, attributes: &Attributes, node: u32) -> Result<(), ErrorCode> {
        let mut next = attributes.source_group.as_ref();
        let mut depth = 0;
        while let Some(name) = next {
            if *name == attributes.name || depth >= self.config.limits.source_depth {
                return Err(ErrorCode::INVALID_SOURCE_GROUP);
            }
            let source = self.names.get(name).and_then(|id| self.groups.get(id));
            let Some(source) = source else { return Err(ErrorCode::INVALID_SOURCE_GROUP) };
            if depth == 0 && !source.is_on(node) {
                return Err(ErrorCode::NO_SOURCE_GROUP_PROVIDER);
            }
            next = source.attributes.source_group.as_ref();
            depth = depth.saturating_add(1);
        }
        Ok(())
    }

    fn subscribe(&mut self, link: LinkId, subscribe: Subscribe) {
        let Subscribe { request, group: name, subscription, .. } = subscribe;
        let asked = Asked { link, request, token: None, kind: MessageKind::SUBSCRIBE };
        let Some(id) = self.names.get(&name).copied() else { return self.refuse(asked, ErrorCode::UNKNOWN_GROUP) };
        let Some(token) = self.assign(Holder { link, group: id, provider: None }) else {
            return self.refuse(asked, ErrorCode::NO_MEMORY);
        };
        self.send(link, Message::Accepted(Accepted { request, token, group: id, extensions: Extensions::NONE }));
        if let Some(group) = self.groups.get_mut(&id) {
            group.subscribers.insert(token.index, (token, subscription));
        }
        // What is there already.
        let wanted = subscription.intersects(Subscription::STATE | Subscription::MEMBERSHIP);
        if wanted {
            self.notify_one(id, token, subscription);
        }
    }

    fn propose(&mut self, link: LinkId, propose: Propose) {
        let Propose { request, token, voting, view, wish, .. } = propose;
        let asked = Asked { link, request, token: Some(token), kind: MessageKind::PROPOSE };
        let Some(Holder { group: id, provider: Some(provider), .. }) = self.owned(link, token) else {
            return self.refuse(asked, ErrorCode::BAD_MEMBER_TOKEN);
        };
        let Some(group) = self.groups.get(&id) else { return self.refuse(asked, ErrorCode::BAD_MEMBER_TOKEN) };
        if !group.members.iter().any(|member| member.provider == provider && member.failed.is_none()) {
            return self.refuse(asked, ErrorCode::BAD_MEMBER_TOKEN);
        }
        if voting.phases.name().is_none() {
            return self.refuse(asked, ErrorCode::BAD_PARAMETER);
        }
        if group.state != GroupState::Idle || group.has_queued() {
            return self.refuse(asked, ErrorCode::COLLIDE);
        }
        if view.is_some_and(|view| view != group.view) {
            return self.refuse(asked, ErrorCode::STALE_VIEW);
        }
        let (kind, proposal) = match group.proposal(provider, wish, voting.phases) {
            Ok(proposal) => proposal,
            Err(code) => return self.refuse(asked, code),
        };
        self.begin(id, kind, voting.phases, voting.time_limit, proposal);
    }

    fn vote(&mut self, link: LinkId, vote: Vote) {
        let Vote { token, protocol, phase, ballot, .. } = vote;
        let Some(Holder { group: id, provider: Some(provider), .. }) = self.owned(link, token) else {
            return self.ignore(link, "VOTE with a token that is nobody's");
        };
        let asked = Asked { link, request: RequestId(0), token: Some(token), kind: MessageKind::VOTE };
        // Once it is decided, and while the outcome is kept, every vote is late.
        let group = self.groups.get_mut(&id).filter(|group| group.state == GroupState::Voting);
        match group.and_then(|group| group.running.as_mut()) {
            Some(running) if (running.protocol, running.phase) == (protocol, phase) => {
                let is_valid = ballot.vote.name().is_some()
                    && ballot
                        .default_vote
                        .is_none_or(|vote| vote.name().is_some() && vote != crate::group::ids::Vote::CONTINUE);
                if !is_valid {
                    return self.refuse(asked, ErrorCode::BAD_PARAMETER);
                }
                if running.take(provider, ballot) {
                    self.decide(id);
                } else {
                    self.refuse(asked, ErrorCode::VOTE_NOT_EXPECTED);
                }
            }
            // It has crossed the end of its phase.
            Some(running) if protocol < running.protocol || phase < running.phase => self.ignore(link, "a late vote"),
            None => self.ignore(link, "a late vote"),
            Some(_) => self.refuse(asked, ErrorCode::VOTE_NOT_EXPECTED),
        }
    }

    fn deactivated(&mut self, link: LinkId, deactivated: &Deactivated) {
        let Some(Holder { group: id, provider: Some(provider), .. }) = self.owned(link, deactivated.token) else {
            return self.ignore(link, "DEACTIVATED with a token that is nobody's");
        };
        let running = self.groups.get_mut(&id).and_then(|group| group.running.as_mut());
        let expected = running
            .filter(|running| running.protocol == deactivated.protocol)
            .is_some_and(|running| running.deactivating.remove(&provider));
        if !expected {
            return self.ignore(link, "DEACTIVATED that nobody waits for");
        }
        if !deactivated.successful {
            self.announce(id, Flags::DEACTIVATE_UNSUCCESSFUL, Vec::from([provider]));
        }
        self.decide(id);
    }
}

impl Group {
    /// Who is in it, or on the way into it.
    pub(super) fn providers(&self) -> impl Iterator<Item = ProviderId> {
        let members = self.members.iter().map(|member| member.provider);
        members.chain(self.admitted.iter().chain(&self.joining).map(|joiner| joiner.provider))
    }

    /// Whether it has a provider on a node.
    pub(super) fn is_on(&self, node: u32) -> bool {
        self.members.iter().any(|member| member.provider.node == node && member.failed.is_none())
    }

    /// Who joins, if a join begins next.
    fn next_joiners(&self) -> impl Iterator<Item = &Joiner> {
        let all = self.attributes.batch_control.contains(BatchControl::JOINS);
        let waits = !self.failed.is_empty() || !self.cast_out.is_empty();
        let most = match (waits, all) {
            (true, _) => 0,
            (false, true) => usize::MAX,
            (false, false) => 1,
        };
        self.joining.iter().take(most)
    }

    pub(super) fn has_queued(&self) -> bool {
        let leaving = !self.failed.is_empty() || !self.cast_out.is_empty();
        leaving || !self.joining.is_empty() || self.reflection.is_some()
    }

    /// What a provider wants, if it makes sense.
    fn proposal(
        &self,
        provider: ProviderId,
        wish: Wish,
        phases: Phases,
    ) -> Result<(ProtocolKind, Proposal), ErrorCode> {
        let mut proposal = Proposal { proposer: Some(provider), ..Proposal::default() };
        let kind = match wish {
            Wish::Leave(code) => {
                proposal.leaving.push(Leave { provider, reason: LeaveReason::VOLUNTARY, code });
                ProtocolKind::LEAVE
            }
            Wish::Expel(expulsion) => {
                self.check_expulsion(&expulsion, phases)?;
                let reason = LeaveReason::EXPELLED;
                let leaving = expulsion.targets.iter().map(|&provider| Leave { provider, reason, code: 0 });
                proposal.leaving = leaving.collect();
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
                let fixed = |attributes: &Attributes| (attributes.name.clone(), attributes.source_group.clone());
                if attributes.check().is_err() || fixed(&attributes) != fixed(&self.attributes) {
                    return Err(ErrorCode::BAD_GROUP_ATTRIBUTES);
                }
                proposal.attributes = Some(attributes);
                ProtocolKind::ATTRIBUTE_CHANGE
            }
        };
        Ok((kind, proposal))
    }

    fn check_expulsion(&self, expulsion: &Expulsion, phases: Phases) -> Result<(), ErrorCode> {
        let Expulsion { targets, deactivate_phase, .. } = expulsion;
        let distinct: BTreeSet<ProviderId> = targets.iter().copied().collect();
        if targets.is_empty() {
            return Err(ErrorCode::BAD_PARAMETER);
        }
        if distinct.len() != targets.len() {
            return Err(ErrorCode::PROVIDER_APPEARS_TWICE);
        }
        if !targets.iter().all(|target| self.members.iter().any(|member| member.provider == *target)) {
            return Err(ErrorCode::UNKNOWN_PROVIDER);
        }
        if *deactivate_phase > 0 && phases == Phases::ONE {
            return Err(ErrorCode::INVALID_DEACTIVATE_PHASE);
        }
        Ok(())
    }
}

/// For the map of groups by name.
impl Coordinator {
    pub(super) fn form(&mut self, attributes: Attributes) -> GroupId {
        self.last_group = self.last_group.saturating_add(1);
        let id = GroupId(self.last_group);
        let name: GroupName = attributes.name.clone();
        if let Some(source) = &attributes.source_group {
            self.targets.entry(source.clone()).or_default().insert(id);
        }
        self.names.insert(name.clone(), id);
        self.groups.insert(id, Group::new(attributes, Sequence::before(self.config.epoch)));
        self.event(Event::Formed(name));
        id
    }
}
