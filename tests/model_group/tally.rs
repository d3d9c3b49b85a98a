//! What a phase must come to, counted beside the coordinator.

use super::talk::Step;
use super::world::{Property, Reached};
use handover::group::message::{Ballot, Message, Open, Outcome};
use handover::group::{GroupId, ProtocolId, ProtocolKind, ProviderId, Vote};
use handover::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A phase of a protocol.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tally {
    pub(crate) place: usize,
    pub(crate) group: GroupId,
    pub(crate) protocol: ProtocolId,
    pub(crate) kind: ProtocolKind,
    pub(crate) phase: u32,
    voters: Vec<ProviderId>,
    /// Who is told how it ends.
    hearers: Vec<ProviderId>,
    ballots: BTreeMap<ProviderId, (Vote, Option<Vote>)>,
    default: Vote,
    until: Option<Instant>,
    /// Who is to be expelled and has not deactivated itself.
    deactivating: BTreeSet<ProviderId>,
}

/// How a phase ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Approved,
    Continued,
    Rejected,
}

impl Tally {
    pub(crate) fn line(&self) -> String {
        let ballots: Vec<_> = self.ballots.iter().map(|(one, (vote, _))| (one.node, vote.0)).collect();
        format!("{:?} {} {} {ballots:?}", self.kind, self.protocol.0, self.phase)
    }

    /// Whether it waits for somebody who could still vote.
    pub(crate) fn awaits(&self, gone: impl Fn(ProviderId) -> bool) -> Vec<ProviderId> {
        self.voters.iter().copied().filter(|voter| !self.ballots.contains_key(voter) && !gone(*voter)).collect()
    }

    pub(crate) fn is_limited(&self) -> bool {
        self.until.is_some()
    }

    pub(crate) fn deactivates(&self) -> bool {
        !self.deactivating.is_empty()
    }
}

impl Step<'_> {
    /// A process's message reaches a coordinator.
    pub(crate) fn count(&mut self, seat: usize, person: usize, message: &Message) {
        match message {
            Message::Vote(vote) => {
                let Some((provider, place)) = self.owner(person, vote.token) else { return };
                let tally = self.w.seats[seat].tallies.iter_mut().find(|tally| tally.place == place);
                let Some(tally) = tally.filter(|tally| (tally.protocol, tally.phase) == (vote.protocol, vote.phase))
                else {
                    return self.reach(Reached::LateVote);
                };
                if tally.voters.contains(&provider) {
                    let Ballot { vote, default_vote, .. } = vote.ballot;
                    tally.ballots.entry(provider).or_insert((vote, default_vote));
                }
            }
            Message::Deactivated(done) => {
                let Some((provider, place)) = self.owner(person, done.token) else { return };
                let tally = self.w.seats[seat].tallies.iter_mut().find(|tally| tally.place == place);
                if let Some(tally) = tally.filter(|tally| tally.protocol == done.protocol) {
                    tally.deactivating.remove(&provider);
                }
            }
            _ => {}
        }
    }

    /// A coordinator says that a phase begins.
    pub(crate) fn phase_is_told(&mut self, seat: usize, person: usize, group: GroupId, open: &Open) {
        let Some(place) = self.place_of(group) else { return };
        let known = self.w.seats[seat].tallies.iter().find(|tally| tally.place == place);
        let is_new = known.is_none_or(|known| (known.protocol, known.phase) != (open.protocol, open.phase));
        if is_new {
            // Who ends it when nobody is there any more tells nobody.
            let before = known.cloned().filter(|known| !self.is_deserted(seat, known));
            if let Some(before) = &before {
                let same = before.protocol == open.protocol && open.phase == before.phase + 1;
                self.check(Property::S3, same);
                self.judge(seat, before, Verdict::Continued);
                self.reach(Reached::SecondPhase);
            }
            let members = self.w.seats[seat].places[place].clone();
            let gone = |one: &ProviderId| {
                let removes = open.kind.removes();
                removes && open.proposal.leaving.iter().any(|leave| leave.provider == *one)
            };
            let hearers: Vec<ProviderId> = members.into_iter().chain(open.proposal.joining.iter().copied()).collect();
            let voters: Vec<ProviderId> = hearers.iter().copied().filter(|one| !gone(one)).collect();
            let limit = Duration::from_secs(u64::from(open.time_limit));
            let now = self.w.seats[seat].now;
            let default = before.as_ref().map_or(open.default_vote, Tally::next_default);
            self.check(Property::S4, default == open.default_vote || before.is_none());
            let expulsion = open.proposal.expulsion.as_ref();
            let targets = expulsion.filter(|expulsion| expulsion.deactivate_phase == open.phase);
            let deactivating = targets.map(|expulsion| expulsion.targets.iter().copied().collect());
            let tally = Tally {
                place,
                group,
                protocol: open.protocol,
                kind: open.kind,
                phase: open.phase,
                voters,
                hearers,
                ballots: BTreeMap::new(),
                default,
                until: (!limit.is_zero()).then(|| now.saturating_add(limit)),
                deactivating: deactivating.unwrap_or_default(),
            };
            let tallies = &mut self.w.seats[seat].tallies;
            tallies.retain(|tally| tally.place != place);
            tallies.push(tally);
            tallies.sort_by_key(|tally| tally.place);
        }
        // What is known from the reign before.
        if let Some(ballot) = &open.vote {
            let provider = self.identity(person);
            let tally = self.w.seats[seat].tallies.iter_mut().find(|tally| tally.place == place);
            if let Some(tally) = tally {
                tally.ballots.entry(provider).or_insert((ballot.vote, ballot.default_vote));
            }
        }
    }

    /// A coordinator has decided.
    pub(crate) fn end_is_told(&mut self, seat: usize, group: GroupId, outcome: &Outcome, approved: bool) {
        let Some(place) = self.place_of(group) else { return };
        let at = self.w.seats[seat].tallies.iter().position(|tally| tally.place == place);
        let tallied = at.filter(|at| self.w.seats[seat].tallies[*at].protocol == outcome.protocol);
        let Some(at) = tallied else {
            // Without votes, or told once more.
            let is_new = self.w.seats[seat].ended.get(&place).is_none_or(|last| *last < outcome.protocol);
            if is_new && !self.w.seats[seat].takes_over {
                self.check(Property::S5, approved);
                self.check(Property::S3, at.is_none());
                self.w.seats[seat].ended.insert(place, outcome.protocol);
            }
            return;
        };
        self.w.seats[seat].ended.insert(place, outcome.protocol);
        let tally = self.w.seats[seat].tallies.remove(at);
        let verdict = if approved { Verdict::Approved } else { Verdict::Rejected };
        self.judge(seat, &tally, verdict);
        self.check(Property::S3, tally.phase == outcome.phases);
    }

    pub(crate) fn is_deserted(&self, seat: usize, tally: &Tally) -> bool {
        tally.hearers.iter().all(|one| self.is_gone(seat, tally.place, *one))
    }

    /// Whether that is what the votes come to.
    fn judge(&mut self, seat: usize, tally: &Tally, verdict: Verdict) {
        let mine = if tally.kind == ProtocolKind::EXPEL { Property::S7 } else { Property::S4 };
        let rejects = tally.ballots.values().any(|(vote, _)| *vote == Vote::REJECT);
        if rejects {
            return self.check(Property::S5, verdict == Verdict::Rejected);
        }
        let missing: Vec<ProviderId> =
            tally.voters.iter().copied().filter(|voter| !tally.ballots.contains_key(voter)).collect();
        let is_over = tally.until.is_some_and(|until| self.w.seats[seat].now >= until);
        let gone = |one: &ProviderId| self.is_gone(seat, tally.place, *one);
        let complete = missing.iter().all(gone) && tally.deactivating.iter().all(gone);
        if !missing.is_empty() {
            self.reach(Reached::DefaultVote);
        }
        let continues = tally.ballots.values().any(|(vote, _)| *vote == Vote::CONTINUE);
        let expected = match (missing.is_empty(), tally.next_default(), continues) {
            (false, Vote::REJECT, _) => Verdict::Rejected,
            (_, _, true) => Verdict::Continued,
            _ => Verdict::Approved,
        };
        self.check(mine, complete || is_over);
        self.check(mine, verdict == expected);
        self.check(Property::S5, verdict != Verdict::Approved || expected != Verdict::Rejected);
    }
}

impl Tally {
    /// The default vote once the phase is over.
    fn next_default(&self) -> Vote {
        let given = |vote: Vote| self.ballots.values().any(|(_, default)| *default == Some(vote));
        match (given(Vote::REJECT), given(Vote::APPROVE)) {
            (true, _) => Vote::REJECT,
            (_, true) => Vote::APPROVE,
            _ => self.default,
        }
    }
}
