//! Machines and environments that are wrong in one way each. A property that no mutant refutes would prove nothing.

use super::talk::{LOCAL_NAME, Step};
use super::world::Property;
use handover::frame::{Extensions, Text};
use handover::group::message::{Ballot, DelayedError, Ended, Message};
use handover::group::proposal::Leave;
use handover::group::{
    Epoch, ErrorCode, GroupName, LeaveReason, MessageKind, Phases, ProtocolKind, ProviderId, StateValue, Summary,
    Token, Vote, coordinator, process, provider,
};
use handover::machine::LinkId;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Mutant {
    /// The shipped machines, in a world that is one.
    #[default]
    None,
    ToldBeforeKept,
    AsksNobody,
    EndIsLost,
    NumberIsSkipped,
    NumberComesTwice,
    DecidesEarly,
    CountsLateVotes,
    DefaultAsItWas,
    ForgetsWhoFailed,
    RejectIsUnheard,
    RejectsWithoutVotes,
    AppliesTheRejected,
    TargetVotes,
    LeavesTwice,
    OtherReason,
    OtherAttributes,
    NoGenerations,
    NotTheLowest,
    OneEpoch,
    OldWelcome,
    ForgetsPromises,
    GoneTwice,
    NameIsSent,
    JoinCollides,
    CollidesUnsaid,
    NoDeadline,
    VoteIsLost,
    DropsFailure,
    GhostJoiner,
    AcceptedIsLost,
    PhaseIsNotToldAgain,
    JoinIsUntold,
    BlockedOnNobody,
    Mixes,
    JoinsTwo,
    EntersTwice,
    OpenedTwice,
}

const TWO: &str = "a value is changed, in two phases";
const DEATHS: &str = "the same, and two of three die";
const MUTE: &str = "somebody never votes";
const TIMED: &str = "somebody never votes, in time";
const DEFAULTS: &str = "votes that come twice, and late, and who fails has rejected";
const WISHES: &str = "two want something";
const JOINS: &str = "one joins, and somebody dies in every phase";
const EXPELS: &str = "one is expelled, and deactivates itself first";
const LOST: &str = "a coordinator and a provider are lost";
const SPLIT: &str = "two believe that they reign";
const KEPT: &str = "outcomes are kept by another one";
const TOKENS: &str = "a number that is free is another's";
const DOWN: &str = "a live process is declared dead, and comes back";

/// Which property and setup show it.
pub(crate) const MUTANTS: &[(Property, Mutant, &str)] = &[
    (Property::S1, Mutant::ToldBeforeKept, KEPT),
    (Property::S1, Mutant::AsksNobody, LOST),
    (Property::S2, Mutant::EndIsLost, DEATHS),
    (Property::S3, Mutant::NumberIsSkipped, TWO),
    (Property::S3, Mutant::NumberComesTwice, LOST),
    (Property::S4, Mutant::DecidesEarly, TWO),
    (Property::S4, Mutant::CountsLateVotes, TIMED),
    (Property::S4, Mutant::DefaultAsItWas, TIMED),
    (Property::S4, Mutant::ForgetsWhoFailed, DEFAULTS),
    (Property::S5, Mutant::RejectIsUnheard, TWO),
    (Property::S5, Mutant::RejectsWithoutVotes, WISHES),
    (Property::S6, Mutant::AppliesTheRejected, TWO),
    (Property::S7, Mutant::TargetVotes, EXPELS),
    (Property::S8, Mutant::LeavesTwice, DEATHS),
    (Property::S8, Mutant::OtherReason, EXPELS),
    (Property::S9, Mutant::OtherAttributes, JOINS),
    (Property::S10, Mutant::NoGenerations, TOKENS),
    (Property::S10, Mutant::NotTheLowest, TWO),
    (Property::S11, Mutant::OneEpoch, SPLIT),
    (Property::S11, Mutant::OldWelcome, "two believe that they reign, and somebody is new"),
    (Property::S11, Mutant::ForgetsPromises, "a coordinator is lost, and comes back"),
    (Property::S12, Mutant::GoneTwice, DOWN),
    (Property::S13, Mutant::NameIsSent, TWO),
    (Property::S14, Mutant::JoinCollides, JOINS),
    (Property::S14, Mutant::CollidesUnsaid, WISHES),
    (Property::L1, Mutant::NoDeadline, TIMED),
    (Property::L2, Mutant::VoteIsLost, TWO),
    (Property::L3, Mutant::DropsFailure, DEATHS),
    (Property::L3, Mutant::GhostJoiner, JOINS),
    (Property::L4, Mutant::AcceptedIsLost, JOINS),
    (Property::L5, Mutant::PhaseIsNotToldAgain, LOST),
    (Property::L6, Mutant::JoinIsUntold, JOINS),
    (Property::L7, Mutant::BlockedOnNobody, MUTE),
    (Property::Batches, Mutant::Mixes, JOINS),
    (Property::Batches, Mutant::JoinsTwo, "two join, one after the other"),
    (Property::NoBlame, Mutant::EntersTwice, DOWN),
    (Property::NoMisuse, Mutant::OpenedTwice, DOWN),
];

impl Mutant {
    /// What a process says.
    pub(crate) fn person_says(self, outputs: Vec<process::Output>) -> Vec<process::Output> {
        use process::{Event, Output};
        let mut said = Vec::new();
        for mut output in outputs {
            let gone = matches!(output, Output::Event(Event::Provider { event: provider::Event::Gone(_), .. }));
            if self == Self::GoneTwice && gone {
                said.push(output.clone());
            }
            if let Output::Send { message, .. } = &mut output {
                match message {
                    Message::Join(join) if self == Self::NameIsSent => {
                        join.attributes.name = GroupName::new(LOCAL_NAME).expect("a name");
                    }
                    Message::Enter(_) if self == Self::EntersTwice => said.push(output.clone()),
                    _ => {}
                }
            }
            said.push(output);
        }
        said
    }

    /// What a coordinator says. Everything is as it says, but for one thing.
    pub(crate) fn seat_says(self, outputs: Vec<coordinator::Output>) -> Vec<coordinator::Output> {
        use coordinator::{Event, Output};
        let mut said = Vec::new();
        for mut output in outputs {
            match &mut output {
                Output::Send { message, .. } => self.seat_tells(message),
                Output::Event(Event::Left(_, _, reason)) => match self {
                    Self::LeavesTwice => said.push(output.clone()),
                    Self::OtherReason if *reason == LeaveReason::EXPELLED => *reason = LeaveReason::PROVIDER_FAILURE,
                    _ => {}
                },
                _ => {}
            }
            let collides = |error: &DelayedError| error.code == ErrorCode::COLLIDE;
            match &output {
                Output::Send { message: Message::DelayedError(error), .. }
                    if self == Self::CollidesUnsaid && collides(error) => {}
                Output::Send { message: Message::Accepted(_), .. } if self == Self::AcceptedIsLost => {}
                _ => said.push(output),
            }
        }
        said
    }

    fn seat_tells(self, message: &mut Message) {
        match message {
            Message::Accepted(accepted) => match self {
                Self::NotTheLowest => accepted.token.index += 1,
                Self::JoinCollides if accepted.request.0 <= 10 => {
                    *message = Message::DelayedError(DelayedError {
                        request: accepted.request,
                        token: None,
                        kind: MessageKind::JOIN,
                        code: ErrorCode::COLLIDE,
                        text: Text::EMPTY,
                        extensions: Extensions::NONE,
                    });
                }
                _ => {}
            },
            Message::Phase(phase) if self == Self::NoDeadline => phase.open.time_limit = 1,
            Message::Approved(ended) => {
                let kind = ended.outcome.kind;
                let proposal = &mut ended.outcome.proposal;
                match self {
                    Self::NumberIsSkipped => ended.outcome.protocol.0 *= 2,
                    Self::NumberComesTwice if kind == ProtocolKind::FAILURE_LEAVE => ended.outcome.protocol.0 -= 1,
                    Self::Mixes if kind == ProtocolKind::JOIN => {
                        let provider = proposal.joining[0];
                        proposal.leaving.push(Leave { provider, reason: LeaveReason::VOLUNTARY, code: 0 });
                    }
                    Self::JoinsTwo if kind == ProtocolKind::JOIN => {
                        let again = proposal.joining[0];
                        proposal.joining.push(again);
                    }
                    Self::OtherAttributes => {
                        if let Some(snapshot) = &mut ended.snapshot {
                            let members = snapshot.members.len();
                            snapshot.attributes.client_version = u32::try_from(members).expect("few");
                        }
                    }
                    Self::TargetVotes if kind == ProtocolKind::EXPEL => *message = Message::Rejected(ended.clone()),
                    Self::RejectsWithoutVotes if kind == ProtocolKind::PROVIDER_MESSAGE => {
                        *message = Message::Rejected(ended.clone());
                    }
                    _ => {}
                }
            }
            Message::Rejected(ended) if self == Self::ForgetsWhoFailed => {
                let by_default = Summary::DEFAULT_REJECT | Summary::PROVIDER_FAILED;
                if ended.outcome.summary.contains(by_default) && ended.outcome.phases > 1 {
                    *message = Message::Approved(ended.clone());
                }
            }
            _ => {}
        }
    }

    /// What reaches a process, if it does.
    pub(crate) fn reaches_person(self, mut message: Message, node: u32, takes_over: bool) -> Option<Message> {
        let first = |ended: &Ended| ended.outcome.kind == ProtocolKind::STATE_VALUE_CHANGE && node == 2;
        let mine = |ended: &Ended| ended.outcome.proposal.joining.iter().any(|one| one.node == node) && node == 3;
        match (self, &mut message) {
            (Self::EndIsLost, Message::Approved(ended)) if first(ended) => return None,
            (Self::JoinIsUntold, Message::Approved(ended)) if mine(ended) => return None,
            (Self::PhaseIsNotToldAgain, Message::Phase(_)) if takes_over => return None,
            (Self::OldWelcome, Message::Welcome(welcome)) => welcome.epoch = Epoch(u64::MAX),
            _ => {}
        }
        Some(message)
    }

    /// The state value that a provider knows.
    pub(crate) fn value(self, known: &StateValue, ended: &Ended, approved: bool) -> StateValue {
        let proposed = ended.outcome.proposal.state.as_ref().filter(|_| !approved && self == Self::AppliesTheRejected);
        proposed.unwrap_or(known).clone()
    }

    pub(crate) fn reigns(self, epoch: Epoch) -> Epoch {
        if self == Self::OneEpoch { Epoch(1 << 16) } else { epoch }
    }

    pub(crate) fn blocked(self, known: Vec<ProviderId>) -> Vec<ProviderId> {
        if self == Self::BlockedOnNobody { Vec::new() } else { known }
    }
}

impl Step<'_> {
    /// What reaches a coordinator, if it does.
    pub(crate) fn reaches_seat(&mut self, seat: usize, person: usize, mut message: Message) -> Option<Message> {
        let tally = self.w.seats[seat].tallies.first().map(|tally| (tally.protocol, tally.phase));
        let takes_over = self.w.seats[seat].takes_over;
        match (self.talk.setup.mutant, &mut message) {
            (Mutant::AsksNobody, Message::Enter(enter)) if takes_over => enter.reports = 0,
            (Mutant::OldWelcome, Message::Enter(enter)) => (enter.epoch, enter.reports) = (Epoch(0), 0),
            (Mutant::CountsLateVotes, Message::Vote(vote)) => {
                if let Some((protocol, phase)) = tally {
                    (vote.protocol, vote.phase) = (protocol, phase);
                }
            }
            (Mutant::DefaultAsItWas, Message::Vote(vote)) => vote.ballot.default_vote = None,
            (Mutant::RejectIsUnheard, Message::Vote(vote)) if vote.ballot.vote == Vote::REJECT => {
                vote.ballot.vote = Vote::APPROVE;
            }
            (Mutant::VoteIsLost, Message::Vote(_)) if person == 0 => return None,
            (Mutant::NoDeadline, Message::Propose(propose)) if propose.voting.phases == Phases::N => {
                propose.voting.time_limit = 0;
            }
            (Mutant::NoGenerations, Message::Goodbye(signal)) => {
                let now = self.w.seats[seat].held.iter().flat_map(|held| held.keys());
                let mut now = now.filter(|token| token.index == signal.token.index);
                signal.token = now.next().copied().unwrap_or(signal.token);
            }
            _ => {}
        }
        Some(message)
    }

    /// Votes that nobody has given.
    pub(crate) fn forged(&self, seat: usize, link: LinkId, message: &Message) -> Vec<(LinkId, Message)> {
        let Message::Vote(vote) = message else { return Vec::new() };
        if self.talk.setup.mutant != Mutant::DecidesEarly {
            return Vec::new();
        }
        let others = self.w.wires.iter().filter(|wire| wire.seat == seat && wire.seat_has && wire.link != link);
        let tokens = others.filter_map(|wire| {
            let mine = |diary: &&super::world::Diary| diary.person == wire.person && !diary.watches;
            Some((wire.link, self.w.diaries.iter().find(mine)?.token?))
        });
        let ballot = Ballot { vote: Vote::APPROVE, default_vote: None, state: None, message: None };
        let forge = |token: Token| {
            let mut forged = vote.clone();
            (forged.token, forged.ballot) = (token, ballot.clone());
            Message::Vote(forged)
        };
        tokens.map(|(link, token)| (link, forge(token))).collect()
    }

    /// Whether a coordinator is told that a link is lost.
    pub(crate) fn is_told_of_the_loss(&self, seat: usize, person: usize) -> bool {
        let provider = self.identity(person);
        match self.talk.setup.mutant {
            Mutant::DropsFailure => self.w.seats[seat].tallies.is_empty(),
            Mutant::GhostJoiner => self.w.seats[seat].places.iter().any(|members| members.contains(&provider)),
            _ => true,
        }
    }
}
