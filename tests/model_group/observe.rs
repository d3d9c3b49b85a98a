//! What is asserted of what processes are told.

use super::glue::{join_of, place_of};
use super::talk::{Step, provider_id};
use super::world::{Diary, Property, Reached};
use handover::group::coordinator::Durability;
use handover::group::message::{Ended, Message, Notice, Open};
use handover::group::process::{End, Event, Input};
use handover::group::{
    Attributes, DissolveReason, Epoch, ErrorCode, GroupId, MessageKind, ProtocolKind, ProviderId, RequestId,
    StateValue, provider, subscriber,
};
use std::hash::{DefaultHasher, Hash, Hasher};

fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// What a provider knew before the end that it is told of.
#[derive(Debug)]
pub(crate) struct Before {
    members: Vec<ProviderId>,
    value: StateValue,
    attributes: Attributes,
}

/// What processes are told.
impl Step<'_> {
    pub(crate) fn is_uniform(&self) -> bool {
        self.talk.setup.durability != Durability::Survivors
    }

    pub(crate) fn before_person(&mut self, person: usize, input: &Input) -> Option<Before> {
        if let Input::Message { message: Message::View(view), .. } = input {
            // It is told again what to do.
            let mine = |diary: &&mut Diary| diary.person == person && diary.token == Some(view.token);
            self.w.diaries.iter_mut().filter(mine).for_each(|diary| diary.deactivating = false);
        }
        let Input::Message { message: Message::Approved(ended) | Message::Rejected(ended), .. } = input else {
            return None;
        };
        let (_, place) = self.owner(person, ended.token)?;
        let provider = self.w.people[person].process.get().provider(join_of(place))?;
        let (members, attributes) = (provider.members().to_vec(), provider.attributes().clone());
        Some(Before { members, value: provider.value().clone(), attributes })
    }

    pub(crate) fn person_hears(&mut self, person: usize, event: Event, before: &Option<Before>) {
        match event {
            Event::Entered { .. } => {
                let wire = self.w.wires.iter().find(|wire| wire.person == person && wire.person_has);
                let epoch = wire.map_or(Epoch(0), |wire| self.w.seats[wire.seat].epoch);
                let known = &mut self.w.people[person];
                let is_later = epoch >= known.epoch;
                known.epoch = epoch;
                self.check(Property::S11, is_later);
                for at in 0..self.w.diaries.len() {
                    if self.w.diaries[at].person == person {
                        self.w.diaries[at].reopened = true;
                        self.compare(at);
                    }
                }
            }
            Event::Provider { request, event } => {
                let Some(at) = self.diary(person, request, false) else { return };
                self.check(Property::S12, !self.w.diaries[at].gone);
                self.provider_hears(at, request, event, before);
            }
            Event::Subscriber { request, event } => {
                let Some(at) = self.diary(person, request, true) else { return };
                self.check(Property::S12, !self.w.diaries[at].gone);
                match event {
                    subscriber::Event::Accepted(token) => self.w.diaries[at].token = Some(token),
                    subscriber::Event::Notice(notice) => self.subscriber_hears(at, &notice),
                    subscriber::Event::Gone(departure) => {
                        if departure == subscriber::Departure::Dissolved(DissolveReason::EMPTY) {
                            self.reach(Reached::Dissolved);
                        }
                        self.w.diaries[at].gone = true;
                    }
                    _ => {}
                }
            }
            Event::Ended(end) => {
                if end == End::Dissolved(DissolveReason::FENCED) {
                    self.reach(Reached::FencedMember);
                }
                self.w.people[person].over = true;
                let mine = |diary: &&Diary| diary.person == person;
                let all = self.w.diaries.iter().filter(mine).all(|diary| diary.gone);
                self.check(Property::S12, all);
            }
            _ => {}
        }
    }

    fn diary(&self, person: usize, request: RequestId, watches: bool) -> Option<usize> {
        let place = place_of(request);
        let mine = |diary: &Diary| (diary.person, diary.place, diary.watches) == (person, place, watches);
        self.w.diaries.iter().position(mine)
    }

    fn provider_hears(&mut self, at: usize, request: RequestId, event: provider::Event, before: &Option<Before>) {
        use provider::{Departure, Event};
        let person = self.w.diaries[at].person;
        match event {
            Event::Accepted(token) => {
                let standing = self.w.people[person].process.get().provider(request).and_then(|one| one.standing());
                let diary = &mut self.w.diaries[at];
                diary.token = Some(token);
                let owner = (provider_id(person, diary.incarnation), diary.place);
                diary.group = standing.map_or(GroupId(0), |standing| standing.snapshot.group);
                self.w.tokens.insert((person, token), owner);
            }
            Event::Phase(open) => {
                self.w.diaries[at].deactivating = false;
                self.phase_begins(at, &open);
            }
            Event::Watch { open, deactivate } => {
                self.w.diaries[at].deactivating = deactivate.is_some();
                self.phase_begins(at, &open);
            }
            Event::Approved(ended) => self.protocol_ends(at, request, &ended, true, before),
            Event::Rejected(ended) => self.protocol_ends(at, request, &ended, false, before),
            Event::Resynchronised(snapshot) => {
                let reopened = self.w.diaries[at].reopened;
                self.check(Property::S2, reopened);
                let diary = &mut self.w.diaries[at];
                (diary.last, diary.open, diary.deactivating) = (Some(snapshot.last), None, false);
            }
            Event::Error { kind, code, .. } => {
                if code == ErrorCode::COLLIDE {
                    self.reach(Reached::Collided);
                }
                self.check(Property::S14, kind != MessageKind::JOIN || code != ErrorCode::COLLIDE);
            }
            Event::Gone(departure) => {
                match departure {
                    Departure::Rejected => self.reach(Reached::JoinRejected),
                    Departure::Dissolved(DissolveReason::FENCED) => self.reach(Reached::FencedMember),
                    _ => {}
                }
                let diary = &mut self.w.diaries[at];
                (diary.gone, diary.open, diary.deactivating) = (true, None, false);
            }
            _ => {}
        }
    }

    fn phase_begins(&mut self, at: usize, open: &Open) {
        let diary = &self.w.diaries[at];
        let (protocol, phase) = (open.protocol, open.phase);
        let follows = match diary.open {
            Some((before, last)) if before == protocol => phase == last + 1 || (diary.reopened && phase >= last),
            Some(_) => diary.reopened && diary.last.is_none_or(|last| last < protocol),
            // Who joins has not been there before.
            None => diary.last.is_none_or(|last| protocol.0 == last.0 + 1),
        };
        let again = diary.open.is_some() && diary.reopened;
        self.check(Property::S3, follows);
        if again {
            self.reach(Reached::DrivenOn);
        }
        let diary = &mut self.w.diaries[at];
        (diary.open, diary.reopened) = (Some((protocol, phase)), false);
    }

    fn protocol_ends(&mut self, at: usize, request: RequestId, ended: &Ended, approved: bool, before: &Option<Before>) {
        let diary = &self.w.diaries[at];
        let person = diary.person;
        let me = provider_id(person, diary.incarnation);
        let outcome = &ended.outcome;
        let (protocol, proposal) = (outcome.protocol, &outcome.proposal);
        let follows = diary.last.is_none_or(|last| protocol.0 == last.0 + 1);
        let is_mine = diary.open.is_none_or(|(open, _)| open == protocol);
        if diary.reopened {
            self.reach(Reached::Adopted);
        }
        self.check(Property::S3, follows && is_mine);
        self.reach(if approved { Reached::Approved } else { Reached::Rejected });
        match outcome.kind {
            ProtocolKind::FAILURE_LEAVE => self.reach(Reached::FailureLeave),
            ProtocolKind::CAST_OUT => self.reach(Reached::CastOut),
            ProtocolKind::EXPEL if approved => self.reach(Reached::Expelled),
            ProtocolKind::SOURCE_STATE_REFLECTION => self.reach(Reached::Reflected),
            _ => {}
        }
        let provider = self.w.people[person].process.get().provider(request);
        let joins = proposal.joining.contains(&me);
        let certain = approved || outcome.kind.is_certain();
        let mut after = None;
        if let (Some(provider), Some(before)) = (provider, before) {
            let value = self.talk.setup.mutant.value(provider.value(), ended, approved);
            let members = provider.members().to_vec();
            let attributes = provider.attributes().clone();
            after = Some(hash(&(&members, &value, &attributes, provider.view())));
            if !(joins && approved) {
                let left = |one: &ProviderId| certain && proposal.leaving.iter().any(|leave| leave.provider == *one);
                let expected = before.members.iter().copied().filter(|one| !left(one));
                let joined = proposal.joining.iter().copied().filter(|_| approved);
                let is_right = members == expected.chain(joined).collect::<Vec<_>>();
                let new = proposal.state.clone().filter(|_| approved).unwrap_or_else(|| before.value.clone());
                let known = proposal.attributes.as_deref().filter(|_| approved).unwrap_or(&before.attributes);
                let same = value == new && attributes == *known;
                let whole = proposal.leaving.iter().all(|leave| before.members.contains(&leave.provider));
                let is_new = proposal.joining.iter().all(|one| !before.members.contains(one));
                self.check(Property::S6, is_right && same);
                self.check(Property::S8, (whole || !certain) && is_new);
            }
        }
        let hashed = hash(&(approved, outcome));
        let diary = &mut self.w.diaries[at];
        (diary.last, diary.open, diary.deactivating) = (Some(protocol), None, false);
        diary.ends.push((protocol, hashed, after));
        if self.is_uniform() {
            let key = (self.w.diaries[at].group, protocol);
            let known = *self.w.ends.entry(key).or_insert(hashed);
            self.check(Property::S1, known == hashed);
        }
        self.compare(at);
    }

    /// Whether everybody who is in the same reign was told the same.
    fn compare(&mut self, at: usize) {
        let mine = &self.w.diaries[at];
        let epoch = self.w.people[mine.person].epoch;
        let live = |diary: &Diary| {
            let person = &self.w.people[diary.person];
            !diary.gone && person.up && !person.over && person.epoch == epoch
        };
        if mine.watches || !live(mine) {
            return;
        }
        let others = self.w.diaries.iter().filter(|other| !other.watches && other.group == mine.group && live(other));
        let mut same = true;
        let mut attributes = true;
        let known = |diary: &Diary| {
            let process = self.w.people[diary.person].process.get();
            process.provider(join_of(diary.place)).map(|provider| provider.attributes())
        };
        for other in others {
            for (protocol, hash, after) in &other.ends {
                let Some((_, expected, also)) = mine.ends.iter().find(|(one, ..)| one == protocol) else { continue };
                same &= hash == expected && (after == also || after.is_none() || also.is_none());
            }
            if other.last == mine.last && mine.last.is_some() {
                attributes &= known(other).is_none() || known(mine).is_none() || known(other) == known(mine);
            }
        }
        self.check(Property::S1, same);
        self.check(Property::S9, attributes);
    }

    fn subscriber_hears(&mut self, at: usize, notice: &Notice) {
        self.reach(Reached::Noticed);
        let diary = &self.w.diaries[at];
        let is_whole = notice.joined.is_empty() && notice.left.is_empty();
        if let (Some(members), false) = (&notice.members, is_whole) {
            let left = |one: &ProviderId| notice.left.iter().any(|leave| leave.provider == *one);
            let expected = diary.members.iter().copied().filter(|one| !left(one));
            let expected: Vec<_> = expected.chain(notice.joined.iter().copied()).collect();
            let known = notice.left.iter().all(|leave| diary.members.contains(&leave.provider));
            let new = notice.joined.iter().all(|one| !diary.members.contains(one));
            let same = *members == expected;
            self.check(Property::S8, known && new);
            self.check(Property::S2, same);
        }
        if let Some(members) = &notice.members {
            let epoch = self.w.people[self.w.diaries[at].person].epoch;
            let providers = self.w.diaries.iter().filter(|diary| !diary.watches && !diary.gone);
            let same = providers.filter(|diary| self.w.people[diary.person].epoch == epoch).all(|diary| {
                let process = self.w.people[diary.person].process.get();
                let provider = process.provider(join_of(diary.place));
                let same = |one: &provider::Provider| one.view() != notice.view || one.members() == members;
                diary.group != notice.group || provider.is_none_or(same)
            });
            self.check(Property::S1, same);
        }
        let diary = &mut self.w.diaries[at];
        match &notice.members {
            Some(members) => diary.members = members.clone(),
            None => {
                diary.members.retain(|one| !notice.left.iter().any(|leave| leave.provider == *one));
                diary.members.extend(notice.joined.iter().copied());
            }
        }
        if let Some(state) = &notice.state {
            diary.value = Some(hash(state));
        }
        diary.group = notice.group;
    }

    pub(crate) fn value_of(value: &StateValue) -> u64 {
        hash(value)
    }
}
