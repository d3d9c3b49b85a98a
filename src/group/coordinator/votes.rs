//! A protocol that is voted on (spec/group.md 5.4).

use crate::group::ids::{Phases, ProtocolKind, Summary, Vote};
use crate::group::message::{Ballot, Open};
use crate::group::name::{ProtocolId, ProviderId, ProviderMessage, StateValue};
use crate::group::proposal::Proposal;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// A protocol that runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Running {
    pub(super) protocol: ProtocolId,
    pub(super) kind: ProtocolKind,
    pub(super) phase: u32,
    pub(super) phases: Phases,
    /// In s; 0: for ever.
    pub(super) time_limit: u16,
    pub(super) proposal: Box<Proposal>,
    /// Those that vote, the oldest provider first.
    pub(super) voters: Vec<Voter>,
    /// Where those stand among them whose votes are awaited.
    pub(super) waiting: BTreeMap<ProviderId, usize>,
    /// Whether somebody has voted to reject, in this phase.
    pub(super) rejected: bool,
    /// What counts for who does not vote.
    pub(super) default_vote: Vote,
    pub(super) summary: Summary,
    pub(super) deadline: Option<Instant>,
    /// How it ends, once that is decided.
    pub(super) verdict: Option<bool>,
    /// Who has not voted in time, in any phase.
    pub(super) late: BTreeSet<ProviderId>,
    /// Those of the expelled that have not said yet that they have deactivated themselves.
    pub(super) deactivating: BTreeSet<ProviderId>,
    /// Those that have failed since it began: nothing is awaited of them.
    pub(super) dead: BTreeSet<ProviderId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Voter {
    pub(super) provider: ProviderId,
    pub(super) ballot: Option<Ballot>,
    /// It has failed: the default vote counts for it from now on.
    pub(super) failed: bool,
}

/// What comes of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Approved,
    Continued,
    Rejected,
}

impl Running {
    /// What is told of it.
    pub(super) fn open(&self) -> Open {
        let Self { protocol, kind, phase, time_limit, default_vote, summary, .. } = *self;
        Open { protocol, kind, phase, time_limit, default_vote, summary, proposal: self.proposal.clone(), vote: None }
    }

    /// Whether the phase can be closed: somebody rejects, or nobody is awaited.
    pub(super) fn is_decided(&self) -> bool {
        self.rejected || self.waiting.is_empty() && self.deactivating.is_empty()
    }

    /// The votes of a phase are awaited, as far as they are not known.
    pub(super) fn await_votes(&mut self) {
        let voters = self.voters.iter().enumerate();
        let waiting = voters.filter(|(_, voter)| voter.ballot.is_none() && !voter.failed);
        self.waiting = waiting.map(|(at, voter)| (voter.provider, at)).collect();
        let rejects = |voter: &Voter| voter.ballot.as_ref().is_some_and(|ballot| ballot.vote == Vote::REJECT);
        self.rejected = self.voters.iter().any(rejects);
    }

    /// Whose votes are awaited.
    pub(super) fn awaited(&self) -> impl Iterator<Item = ProviderId> {
        self.voters.iter().filter(|voter| voter.ballot.is_none() && !voter.failed).map(|voter| voter.provider)
    }

    /// Takes a vote; false if none is due from this provider.
    pub(super) fn take(&mut self, provider: ProviderId, ballot: Ballot) -> bool {
        let at = self.waiting.remove(&provider);
        let Some(voter) = at.and_then(|at| self.voters.get_mut(at)) else { return false };
        self.rejected |= ballot.vote == Vote::REJECT;
        voter.ballot = Some(ballot);
        true
    }

    /// Adds the votes up, and takes over what the voters propose. Who is missing by now has the default vote.
    pub(super) fn close(&mut self, most_phases: u32) -> Verdict {
        let ballots = || self.voters.iter().filter_map(|voter| voter.ballot.as_ref());
        let defaults: Vec<Vote> = ballots().filter_map(|ballot| ballot.default_vote).collect();
        // The oldest provider that proposes something wins: it does not matter whose vote came first.
        let state: Option<StateValue> = ballots().find_map(|ballot| ballot.state.clone());
        let message: Option<ProviderMessage> = ballots().find_map(|ballot| ballot.message.clone());
        let votes: BTreeSet<u8> = ballots().map(|ballot| ballot.vote.0).collect();
        if defaults.contains(&Vote::REJECT) {
            self.default_vote = Vote::REJECT;
        } else if defaults.contains(&Vote::APPROVE) {
            self.default_vote = Vote::APPROVE;
        }
        let given = |vote: Vote| votes.contains(&vote.0);
        self.summary
            .set(Summary::EXPLICIT_APPROVE, self.summary.contains(Summary::EXPLICIT_APPROVE) || given(Vote::APPROVE));
        let rejected = given(Vote::REJECT);
        self.summary.set(Summary::EXPLICIT_REJECT, rejected);
        let missing: Vec<(ProviderId, bool)> = self
            .voters
            .iter()
            .filter(|voter| voter.ballot.is_none())
            .map(|voter| (voter.provider, voter.failed))
            .collect();
        // A vote to reject decides at once: nobody else is missed.
        let by_default = !rejected && !missing.is_empty();
        if by_default {
            for (provider, failed) in &missing {
                if *failed {
                    self.summary |= Summary::PROVIDER_FAILED;
                } else {
                    self.summary |= Summary::TIME_LIMIT_EXCEEDED;
                    self.late.insert(*provider);
                }
            }
            self.summary |= match self.default_vote {
                Vote::REJECT => Summary::DEFAULT_REJECT,
                _ => Summary::DEFAULT_APPROVE,
            };
        }
        if state.is_some() {
            self.proposal.state = state;
        }
        if message.is_some() {
            self.proposal.message = message;
        }
        if rejected || (by_default && self.default_vote == Vote::REJECT) {
            return Verdict::Rejected;
        }
        if !given(Vote::CONTINUE) {
            return Verdict::Approved;
        }
        if self.phase >= most_phases {
            self.summary |= Summary::TOO_MANY_PHASES;
            return Verdict::Rejected;
        }
        Verdict::Continued
    }

    /// The next phase begins.
    pub(super) fn next_phase(&mut self) {
        self.phase = self.phase.saturating_add(1);
        for voter in &mut self.voters {
            voter.ballot = None;
        }
        self.await_votes();
        self.deactivating.clear();
        if let Some(expulsion) = self.proposal.expulsion.as_ref().filter(|one| one.deactivate_phase == self.phase) {
            self.deactivating =
                expulsion.targets.iter().copied().filter(|target| !self.dead.contains(target)).collect();
        }
    }

    /// A provider has failed. A vote that it has given in this phase counts.
    pub(super) fn fail(&mut self, provider: ProviderId) {
        for voter in self.voters.iter_mut().filter(|voter| voter.provider == provider) {
            voter.failed = true;
        }
        self.waiting.remove(&provider);
        self.deactivating.remove(&provider);
        self.dead.insert(provider);
    }
}
