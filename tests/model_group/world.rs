//! Coordinators, processes, what is under way between them, and what everybody was told.

use super::model::{Shared, properties};
use super::tally::Tally;
use handover::group::coordinator::Coordinator;
use handover::group::message::Message;
use handover::group::process::Process;
use handover::group::replica::{Item, Memory, Replica};
use handover::group::{Epoch, GroupId, ProtocolId, ProviderId, Token};
use handover::machine::{LinkId, Machine};
use handover::time::Instant;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

properties! {
    /// What is asserted. Those with an S or an L are of spec/group.md section 8.
    for World;
    S1 "of one protocol everybody is told the same end, and knows the same of the group after it";
    S2 "who goes from one membership to the next was told all that happened in it";
    S3 "ends come in their order and without gaps, and one protocol runs at a time";
    S4 "a phase is decided by one vote of each voter, given in it, and by nothing else";
    S5 "who votes to reject is heard, and what is not voted on is not rejected";
    S6 "nothing changes but by what is approved, and by removing who has failed";
    S7 "who is to be expelled has no vote";
    S8 "who leaves has joined before, leaves once, and for a reason that is true";
    S9 "all providers of a group know the same attributes";
    S10 "a token is never another's, and its number is the lowest that is free";
    S11 "a reign that is over is over: no process goes back to it, and no two have one number";
    S12 "nobody is told anything behind the end";
    S13 "the local name is never sent";
    S14 "proposals collide with what runs, joins and failures never do";
    L1 "with a time limit no phase goes on for ever";
    L2 "every protocol whose voters vote ends";
    L3 "who has failed is removed";
    L4 "every join that is accepted is carried out, rejected or answered with an error";
    L5 "what runs when a coordinator is lost ends under the next one";
    L6 "joins are served in the end";
    L7 "without a time limit it is said whose votes are missing";
    Batches "joins and leaves are never one protocol, and several are only if they may be";
    NoBlame "ends that keep to the rules do not accuse each other";
    NoMisuse "what an environment tells a machine is never misuse";
}

/// What a run has come to: shows that no property is vacuous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    Approved,
    Rejected,
    SecondPhase,
    DefaultVote,
    LateVote,
    Collided,
    Expelled,
    Deactivated,
    FailureLeave,
    JoinerDied,
    JoinRejected,
    Batch,
    CastOut,
    Reflected,
    TookOver,
    Adopted,
    DrivenOn,
    FencedMember,
    FencedCoordinator,
    Returned,
    Dissolved,
    Merged,
    Noticed,
    Kept,
    Stuck,
    TokenReused,
    NoQuorum,
}

impl Reached {
    pub(crate) const ALL: &[Self] = &[
        Self::Approved,
        Self::Rejected,
        Self::SecondPhase,
        Self::DefaultVote,
        Self::LateVote,
        Self::Collided,
        Self::Expelled,
        Self::Deactivated,
        Self::FailureLeave,
        Self::JoinerDied,
        Self::JoinRejected,
        Self::Batch,
        Self::CastOut,
        Self::Reflected,
        Self::TookOver,
        Self::Adopted,
        Self::DrivenOn,
        Self::FencedMember,
        Self::FencedCoordinator,
        Self::Returned,
        Self::Dissolved,
        Self::Merged,
        Self::Noticed,
        Self::Kept,
        Self::Stuck,
        Self::TokenReused,
        Self::NoQuorum,
    ];
}

/// Something under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Word {
    Message(Message),
    /// The sender has closed the link.
    End,
}

/// A link of a process to a coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wire {
    pub(crate) link: LinkId,
    pub(crate) person: usize,
    pub(crate) seat: usize,
    pub(crate) up: VecDeque<Word>,
    pub(crate) down: VecDeque<Word>,
    /// Whether each end still has it.
    pub(crate) person_has: bool,
    pub(crate) seat_has: bool,
    /// Whether the coordinator knows whose it is, and of which groups that has a provider.
    pub(crate) entered: bool,
    pub(crate) holds: u8,
    pub(crate) broken: bool,
}

/// A link between coordinators, in one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Peer {
    pub(crate) words: VecDeque<Message>,
    /// The sender is gone, and the receiver has not noticed.
    pub(crate) cut: bool,
}

/// A coordinator's machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Seat {
    pub(crate) replica: Shared<Replica>,
    pub(crate) reign: Option<Shared<Coordinator>>,
    pub(crate) epoch: Epoch,
    pub(crate) up: bool,
    /// How often it may still try to reign.
    pub(crate) tries: u8,
    pub(crate) now: Instant,
    /// What it has not stored yet, and what it has.
    pub(crate) storing: VecDeque<(u64, Item)>,
    pub(crate) stored: Memory,
    /// What is voted on in its groups, as it must be.
    pub(crate) tallies: Vec<Tally>,
    /// Who has said goodbye to it, and in which group.
    pub(crate) goodbyes: BTreeSet<(usize, ProviderId)>,
    /// Whose machine has failed, as it was told.
    pub(crate) downs: BTreeSet<ProviderId>,
    /// Who is in each group, as it has said to the application.
    pub(crate) places: Vec<Vec<ProviderId>>,
    /// Whose tokens are; unknown after a take-over.
    pub(crate) held: Option<BTreeMap<Token, LinkId>>,
    /// Outcomes that are being kept, and of which group.
    pub(crate) keeping: Vec<(u64, usize)>,
    /// The last protocol that it has ended in each group.
    pub(crate) ended: BTreeMap<usize, ProtocolId>,
    /// Whether it goes on with what another one has begun.
    pub(crate) takes_over: bool,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Person {
    pub(crate) process: Shared<Process>,
    pub(crate) incarnation: u64,
    pub(crate) up: bool,
    pub(crate) over: bool,
    pub(crate) links: u32,
    pub(crate) epoch: Epoch,
    /// Which groups it has asked to be in, a bit each.
    pub(crate) asked: u8,
    /// The vote that it has sent last, and on which link.
    pub(crate) voted: Option<(LinkId, Message)>,
}

/// What a provider or a subscriber was told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Diary {
    pub(crate) person: usize,
    pub(crate) incarnation: u64,
    pub(crate) place: usize,
    pub(crate) watches: bool,
    pub(crate) group: GroupId,
    pub(crate) token: Option<Token>,
    /// It was told of this end last; the first one may be any.
    pub(crate) last: Option<ProtocolId>,
    pub(crate) open: Option<(ProtocolId, u32)>,
    /// Another coordinator reigns, and has not yet said where the group stands.
    pub(crate) reopened: bool,
    pub(crate) deactivating: bool,
    /// Hashes of what was told of an end, and of what it knew then.
    pub(crate) ends: Vec<(ProtocolId, u64, Option<u64>)>,
    pub(crate) members: Vec<ProviderId>,
    /// Hash of the state value, of a subscriber.
    pub(crate) value: Option<u64>,
    pub(crate) gone: bool,
}

/// What may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Processes that die, and coordinators.
    pub(crate) kills: u8,
    pub(crate) crashes: u8,
    /// Coordinators that come back with what they had stored.
    pub(crate) restarts: u8,
    /// Live processes that are declared dead, and links that break.
    pub(crate) downs: u8,
    pub(crate) breaks: u8,
    /// Deadlines that pass although something else could happen.
    pub(crate) expires: u8,
    pub(crate) replica_expires: u8,
    /// Votes that come once more, at any time.
    pub(crate) echoes: u8,
    /// Processes that say goodbye, and that come back as somebody else.
    pub(crate) goodbyes: u8,
    pub(crate) returns: u8,
    /// Providers that are gone, and join again.
    pub(crate) rejoins: u8,
    /// Coordinators that take over although somebody reigns.
    pub(crate) splits: u8,
    /// Another domain is met, that is larger.
    pub(crate) merges: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) seats: Vec<Seat>,
    pub(crate) people: Vec<Person>,
    pub(crate) wires: Vec<Wire>,
    pub(crate) peers: BTreeMap<(usize, usize), Peer>,
    pub(crate) diaries: Vec<Diary>,
    /// The end of each protocol, where it is the same for the dead and the living.
    pub(crate) ends: BTreeMap<(GroupId, ProtocolId), u64>,
    /// Which group a number is.
    pub(crate) names: BTreeMap<GroupId, usize>,
    /// Whose a token is, or was.
    pub(crate) tokens: BTreeMap<(usize, Token), (ProviderId, usize)>,
    /// Which wishes were made, a bit each.
    pub(crate) wished: u32,
    pub(crate) budget: Budget,
    pub(crate) refuted: u32,
}

impl World {
    pub(crate) fn line(&self) -> String {
        let seats = self.seats.iter().map(|seat| {
            let reign = seat.reign.as_ref().map(|reign| reign.get().state());
            let tallies: Vec<String> = seat.tallies.iter().map(Tally::line).collect();
            let up = if seat.up { "" } else { " down" };
            format!("{:?} {reign:?}{up} {:x} {tallies:?}", seat.replica.get().state(), seat.epoch.0)
        });
        let people = self.people.iter().enumerate().map(|(at, person)| {
            let process = person.process.get();
            let diaries = self.diaries.iter().filter(|diary| diary.person == at);
            let diaries: Vec<String> = diaries
                .map(|diary| {
                    let provider = process.provider(super::glue::join_of(diary.place));
                    let state = provider.map(|one| {
                        (
                            one.state(),
                            one.view().0,
                            one.members().iter().map(|member| member.node).collect::<Vec<_>>(),
                            one.sequence().0,
                        )
                    });
                    let last = diary.ends.iter().map(|(protocol, hash, _)| (protocol.0, hash % 97)).collect::<Vec<_>>();
                    format!("{state:?} ends {last:?} open {:?}", diary.open)
                })
                .collect();
            format!("{:?}{} {}", process.state(), if person.up { "" } else { " dead" }, diaries.join(" / "))
        });
        let wires = self.wires.iter().map(|wire| {
            let ends = (if wire.person_has { ">" } else { "x" }, if wire.seat_has { ">" } else { "x" });
            format!("{}{}{:?}{}{} {:?}", wire.person, ends.0, kinds(&wire.up), ends.1, wire.seat, kinds(&wire.down))
        });
        let peers = self.peers.iter().filter(|(_, peer)| !peer.words.is_empty() || peer.cut);
        let peers = peers.map(|((from, to), peer)| {
            let words: Vec<String> = peer.words.iter().map(told).collect();
            format!("{from}>{to} {words:?}{}", if peer.cut { " cut" } else { "" })
        });
        let (seats, people): (Vec<_>, Vec<_>) = (seats.collect(), people.collect());
        let (wires, peers): (Vec<_>, Vec<_>) = (wires.collect(), peers.collect());
        let refuted: Vec<_> = PROPERTIES.iter().filter(|(one, _)| self.refuted & 1 << *one as u32 != 0).collect();
        format!(
            "\n    {}\n    {}\n    {} | {} {refuted:?}\n",
            seats.join("\n    "),
            people.join("\n    "),
            wires.join(", "),
            peers.join(", ")
        )
    }
}

fn kinds(words: &VecDeque<Word>) -> Vec<String> {
    let name = |word: &Word| match word {
        Word::Message(message) => told(message),
        Word::End => "End".into(),
    };
    words.iter().map(name).collect()
}

fn told(message: &Message) -> String {
    match message {
        Message::Phase(phase) => {
            format!("Phase {} {} #{} {:?}", phase.open.protocol.0, phase.open.phase, phase.sequence.0, phase.open.kind)
        }
        Message::Approved(ended) | Message::Rejected(ended) => {
            let approved = if matches!(message, Message::Approved(_)) { "Approved" } else { "Rejected" };
            format!("{approved} {} #{} {:?}", ended.outcome.protocol.0, ended.outcome.sequence.0, ended.outcome.kind)
        }
        Message::Vote(vote) => format!("Vote {} {} {:?}", vote.protocol.0, vote.phase, vote.ballot.vote),
        Message::Report(report) => {
            let standing = report.standing.as_ref();
            let open = standing.and_then(|one| one.open.as_ref()).map(|open| (open.protocol.0, open.phase));
            format!("Report last {:?} open {open:?}", standing.map(|one| one.snapshot.last.0))
        }
        Message::View(view) => format!("View last {} #{}", view.snapshot.last.0, view.snapshot.sequence.0),
        Message::DelayedError(error) => format!("Error {:?} {:?}", error.kind, error.code),
        _ => format!("{message:?}").split(['(', ' ']).next().unwrap_or_default().to_string(),
    }
}
