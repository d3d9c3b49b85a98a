//! What is explored.

use super::mutants::Mutant;
use super::world::Budget;
use handover::group::coordinator::Durability;
use handover::group::{Attributes, BatchControl, GroupName, Phases, Vote};

/// How a provider may vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Say {
    Approve,
    Reject,
    /// Once more, in the first phase; then to approve.
    Continue,
    /// To approve, with another state value, and another default vote.
    State(&'static str),
    Default(Vote),
    /// Once more in the first phase, with another default vote.
    ContinueDefault(Vote),
}

/// What a provider may want, and how it is voted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    State(&'static str),
    Message,
    Leave,
    /// These people, and in which phase they deactivate themselves.
    Expel(&'static [usize], u32),
    /// Another client version.
    Version(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) person: usize,
    pub(crate) place: usize,
    pub(crate) ask: Ask,
    pub(crate) phases: Phases,
    pub(crate) limit: u16,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) attributes: Attributes,
    /// Who is in it when it begins, in this order, and who joins besides, or watches.
    pub(crate) members: Vec<usize>,
    pub(crate) joiners: Vec<usize>,
    pub(crate) watchers: Vec<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    pub(crate) seats: usize,
    pub(crate) durability: Durability,
    pub(crate) people: usize,
    pub(crate) places: Vec<Place>,
    /// What each of the people may say in a phase; nothing: it never votes.
    pub(crate) says: Vec<&'static [Say]>,
    pub(crate) wishes: Vec<Wish>,
    pub(crate) budget: Budget,
    /// Whether frames come on a link that the coordinator has closed.
    pub(crate) late: bool,
    /// Whether storing takes time.
    pub(crate) disk: bool,
    /// Whether deadlines pass in their order, everywhere.
    pub(crate) clock: bool,
    /// Whether it is small enough to be searched for circles too.
    pub(crate) small: bool,
    pub(crate) mutant: Mutant,
}

const YES: &[Say] = &[Say::Approve];
const NO: &[Say] = &[Say::Approve, Say::Reject];
const MORE: &[Say] = &[Say::Continue];
const MUTE: &[Say] = &[];

fn group(name: &'static str, change: impl FnOnce(&mut Attributes)) -> Attributes {
    let mut attributes = Attributes::new(GroupName::new(name).expect("a name"));
    change(&mut attributes);
    attributes
}

fn voted(attributes: &mut Attributes) {
    attributes.phases = Phases::N;
}

const fn wish(person: usize, ask: Ask, phases: Phases, limit: u16) -> Wish {
    Wish { person, place: 0, ask, phases, limit }
}

pub(crate) fn setups() -> Vec<Setup> {
    let place = Place {
        attributes: group("kitchen", |_| ()),
        members: vec![0, 1, 2],
        joiners: Vec::new(),
        watchers: Vec::new(),
    };
    let base = Setup {
        name: "a value is changed, in two phases",
        seats: 1,
        durability: Durability::Survivors,
        people: 3,
        places: vec![place.clone()],
        says: vec![YES, MORE, NO],
        wishes: vec![wish(0, Ask::State("soup"), Phases::N, 0)],
        budget: Budget::default(),
        late: false,
        disk: false,
        clock: false,
        small: true,
        mutant: Mutant::None,
    };
    let small = Budget::default();
    let reject = |attributes: &mut Attributes| attributes.default_vote = Vote::REJECT;
    let two = Place { members: vec![0, 1], ..place.clone() };
    let watched = Place { watchers: vec![3], ..two.clone() };
    let bar = Place {
        attributes: group("bar", |attributes| {
            attributes.source_group = GroupName::new("kitchen");
            attributes.reflection_phases = Phases::N;
        }),
        ..two.clone()
    };
    let joined = Place { attributes: group("kitchen", voted), members: vec![0, 1], joiners: vec![2], ..place.clone() };
    let state = wish(0, Ask::State("soup"), Phases::N, 0);
    let calm = Setup { says: vec![YES, YES, YES], small: false, ..base.clone() };
    let lost = Setup { seats: 2, budget: Budget { crashes: 1, ..small }, ..calm.clone() };
    vec![
        base.clone(),
        Setup {
            name: "the same, and two of three die",
            budget: Budget { kills: 2, ..small },
            small: false,
            ..base.clone()
        },
        Setup {
            name: "somebody never votes",
            says: vec![MORE, MUTE, NO],
            budget: Budget { kills: 1, ..small },
            ..base.clone()
        },
        Setup {
            name: "somebody never votes, in time",
            says: vec![MORE, MUTE, &[Say::Approve, Say::ContinueDefault(Vote::REJECT)]],
            wishes: vec![wish(0, Ask::State("soup"), Phases::N, 1)],
            budget: Budget { expires: 1, echoes: 1, ..small },
            small: false,
            ..base.clone()
        },
        Setup {
            name: "votes that come twice, and late, and who fails has rejected",
            places: vec![Place { attributes: group("kitchen", reject), ..two.clone() }],
            people: 2,
            says: vec![MORE, &[Say::State("bread"), Say::Continue]],
            wishes: vec![wish(0, Ask::State("soup"), Phases::N, 1)],
            budget: Budget { expires: 1, echoes: 1, kills: 1, ..small },
            small: false,
            ..base.clone()
        },
        Setup {
            name: "two want something",
            small: true,
            wishes: vec![
                wish(0, Ask::State("soup"), Phases::N, 0),
                wish(1, Ask::Message, Phases::ONE, 0),
                wish(2, Ask::Version(2), Phases::N, 0),
            ],
            budget: Budget { kills: 0, ..small },
            ..calm.clone()
        },
        Setup {
            name: "one joins, and somebody dies in every phase",
            small: true,
            places: vec![joined.clone()],
            says: vec![MORE, NO, MORE],
            wishes: vec![],
            budget: Budget { kills: 2, ..small },
            ..calm.clone()
        },
        Setup {
            name: "two join, one after the other",
            places: vec![Place {
                attributes: group("kitchen", voted),
                members: vec![0],
                joiners: vec![1, 2],
                watchers: vec![],
            }],
            wishes: vec![state],
            budget: Budget { kills: 1, ..small },
            ..calm.clone()
        },
        Setup {
            name: "two join together, and fail together",
            places: vec![Place {
                attributes: group("kitchen", |attributes| {
                    voted(attributes);
                    attributes.batch_control = BatchControl::JOINS | BatchControl::LEAVES;
                }),
                members: vec![0],
                joiners: vec![1, 2],
                watchers: vec![],
            }],
            wishes: vec![],
            budget: Budget { kills: 2, ..small },
            ..calm.clone()
        },
        Setup {
            name: "who has failed is voted on",
            places: vec![Place { attributes: group("kitchen", voted), ..place.clone() }],
            says: vec![NO, MORE, YES],
            wishes: vec![state],
            budget: Budget { kills: 2, ..small },
            ..calm.clone()
        },
        Setup {
            name: "one is expelled, and deactivates itself first",
            small: true,
            says: vec![MORE, YES, NO],
            wishes: vec![wish(0, Ask::Expel(&[1], 2), Phases::N, 0)],
            budget: Budget { kills: 1, ..small },
            ..calm.clone()
        },
        Setup {
            name: "one is expelled that says goodbye, and one leaves",
            says: vec![YES, YES, NO],
            wishes: vec![wish(0, Ask::Expel(&[1], 1), Phases::N, 1), wish(2, Ask::Leave, Phases::ONE, 0)],
            budget: Budget { goodbyes: 1, ..small },
            ..calm.clone()
        },
        Setup {
            name: "a live process is declared dead, and comes back",
            small: true,
            budget: Budget { downs: 1, returns: 1, ..small },
            says: vec![YES, YES, YES],
            late: true,
            ..calm.clone()
        },
        Setup {
            name: "a link breaks, and its process comes back",
            small: true,
            places: vec![Place { attributes: group("kitchen", voted), ..place.clone() }],
            budget: Budget { breaks: 1, returns: 1, ..small },
            wishes: vec![],
            ..calm.clone()
        },
        Setup {
            name: "one watches",
            small: true,
            people: 4,
            places: vec![watched.clone()],
            says: vec![YES, NO, YES, YES],
            wishes: vec![state, wish(1, Ask::Leave, Phases::ONE, 0)],
            budget: Budget { kills: 1, ..small },
            ..calm.clone()
        },
        Setup { name: "a coordinator is lost", says: vec![YES, MORE, NO], ..lost.clone() },
        Setup {
            name: "a coordinator and a provider are lost",
            small: true,
            people: 2,
            places: vec![two.clone()],
            says: vec![YES, MORE],
            budget: Budget { crashes: 1, kills: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator is lost while one joins",
            places: vec![joined.clone()],
            wishes: vec![],
            ..lost.clone()
        },
        Setup {
            name: "a coordinator is lost while one is expelled",
            wishes: vec![wish(0, Ask::Expel(&[1], 1), Phases::N, 0)],
            ..lost.clone()
        },
        Setup {
            name: "a coordinator is lost, and one watches",
            people: 3,
            places: vec![Place { members: vec![0, 1], watchers: vec![2], ..place.clone() }],
            says: vec![YES, NO, YES],
            ..lost.clone()
        },
        Setup {
            name: "two believe that they reign",
            small: true,
            people: 2,
            places: vec![two.clone()],
            budget: Budget { splits: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "two believe that they reign, and links break",
            people: 2,
            places: vec![two.clone()],
            wishes: vec![wish(0, Ask::State("soup"), Phases::ONE, 0)],
            budget: Budget { splits: 1, breaks: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "two believe that they reign, and somebody is new",
            people: 1,
            places: vec![Place { members: vec![0], ..place.clone() }],
            wishes: vec![wish(0, Ask::State("soup"), Phases::ONE, 0)],
            budget: Budget { splits: 1, breaks: 1, kills: 1, returns: 1, expires: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "outcomes are kept by another one",
            small: true,
            people: 2,
            places: vec![two.clone()],
            durability: Durability::Replicated(1),
            budget: Budget { crashes: 1, kills: 1, ..small },
            says: vec![NO, YES],
            ..lost.clone()
        },
        Setup {
            name: "outcomes are kept, and two believe that they reign",
            small: true,
            people: 2,
            places: vec![two.clone()],
            durability: Durability::Replicated(1),
            budget: Budget { splits: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "outcomes are kept by more than half",
            seats: 3,
            people: 2,
            places: vec![two.clone()],
            durability: Durability::Quorum,
            budget: Budget { crashes: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator and a provider of three are lost",
            wishes: vec![wish(0, Ask::State("soup"), Phases::N, 1)],
            budget: Budget { crashes: 1, kills: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "two coordinators are lost",
            seats: 3,
            people: 2,
            places: vec![two.clone()],
            wishes: vec![wish(0, Ask::State("soup"), Phases::ONE, 0)],
            budget: Budget { crashes: 2, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator is lost, and somebody is slow",
            wishes: vec![wish(0, Ask::State("soup"), Phases::N, 1)],
            people: 2,
            places: vec![two.clone()],
            says: vec![MORE, YES],
            budget: Budget { crashes: 1, expires: 2, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator and a provider are lost, and one watches",
            people: 3,
            places: vec![Place { members: vec![0, 1], watchers: vec![2], ..place.clone() }],
            says: vec![NO, YES, YES],
            budget: Budget { crashes: 1, kills: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator is lost while two join together",
            places: vec![Place {
                attributes: group("kitchen", |attributes| {
                    voted(attributes);
                    attributes.batch_control = BatchControl::JOINS;
                }),
                members: vec![0],
                joiners: vec![1, 2],
                watchers: vec![],
            }],
            wishes: vec![],
            ..lost.clone()
        },
        Setup {
            name: "a coordinator is lost, and one says goodbye",
            small: true,
            people: 2,
            places: vec![two.clone()],
            budget: Budget { crashes: 1, goodbyes: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator is lost, and one leaves",
            small: true,
            wishes: vec![wish(0, Ask::Leave, Phases::N, 0)],
            people: 2,
            places: vec![two.clone()],
            budget: Budget { crashes: 1, kills: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator is lost, and a link",
            people: 2,
            places: vec![two.clone()],
            budget: Budget { crashes: 1, breaks: 1, returns: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "more than half keep outcomes, and that takes time",
            seats: 3,
            people: 2,
            places: vec![two.clone()],
            durability: Durability::Quorum,
            budget: Budget { crashes: 1, kills: 1, ..small },
            wishes: vec![wish(0, Ask::State("soup"), Phases::ONE, 0)],
            disk: true,
            ..lost.clone()
        },
        Setup {
            name: "another one keeps outcomes, and that takes time",
            people: 2,
            places: vec![two.clone()],
            durability: Durability::Replicated(1),
            budget: Budget { crashes: 1, kills: 1, ..small },
            says: vec![NO, YES],
            disk: true,
            ..lost.clone()
        },
        Setup {
            name: "more than half keep outcomes, and two believe that they reign",
            seats: 2,
            people: 1,
            places: vec![Place { members: vec![0], ..place.clone() }],
            durability: Durability::Quorum,
            budget: Budget { splits: 1, replica_expires: 3, ..small },
            wishes: vec![wish(0, Ask::State("soup"), Phases::ONE, 0)],
            clock: true,
            ..lost.clone()
        },
        Setup {
            name: "a group with a source",
            small: true,
            people: 2,
            places: vec![two.clone(), bar.clone()],
            wishes: vec![wish(0, Ask::State("soup"), Phases::ONE, 0)],
            says: vec![YES, NO],
            budget: Budget { kills: 1, goodbyes: 1, ..small },
            ..calm.clone()
        },
        Setup {
            name: "a group with a source, and a coordinator is lost",
            people: 2,
            places: vec![two.clone(), bar.clone()],
            wishes: vec![wish(0, Ask::State("soup"), Phases::ONE, 0)],
            budget: Budget { goodbyes: 1, crashes: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator and a provider are lost, and that is voted on",
            places: vec![Place { attributes: group("kitchen", voted), ..two.clone() }],
            people: 2,
            says: vec![YES, NO],
            budget: Budget { crashes: 1, kills: 1, expires: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator and a provider are lost while one joins",
            places: vec![Place { members: vec![0], joiners: vec![1], watchers: vec![0], ..joined.clone() }],
            people: 2,
            says: vec![NO, YES],
            wishes: vec![],
            budget: Budget { crashes: 1, kills: 1, expires: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "two believe that they reign, and somebody dies",
            people: 2,
            places: vec![two.clone()],
            says: vec![YES, NO],
            budget: Budget { splits: 1, kills: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "somebody is declared dead, and a coordinator is lost",
            people: 2,
            places: vec![two.clone()],
            budget: Budget { crashes: 1, downs: 1, returns: 1, ..small },
            late: true,
            ..lost.clone()
        },
        Setup {
            name: "one watches while two believe that they reign",
            people: 2,
            places: vec![Place { members: vec![0], watchers: vec![1], ..place.clone() }],
            budget: Budget { splits: 1, expires: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "one joins again",
            small: true,
            people: 2,
            places: vec![Place { attributes: group("kitchen", voted), ..two.clone() }],
            says: vec![NO, YES],
            wishes: vec![wish(0, Ask::Expel(&[1], 0), Phases::ONE, 0)],
            budget: Budget { goodbyes: 1, rejoins: 2, ..small },
            ..calm.clone()
        },
        Setup {
            name: "one joins again, and a coordinator is lost",
            people: 2,
            places: vec![Place {
                attributes: group("kitchen", voted),
                members: vec![0],
                joiners: vec![1],
                ..two.clone()
            }],
            says: vec![NO, YES],
            wishes: vec![],
            budget: Budget { rejoins: 1, crashes: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a group with a source, and two losses",
            people: 2,
            places: vec![two.clone(), bar.clone()],
            wishes: vec![],
            budget: Budget { kills: 1, goodbyes: 1, crashes: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "outcomes are kept by more than half, and one comes back",
            seats: 2,
            people: 2,
            places: vec![two.clone()],
            wishes: vec![wish(0, Ask::State("soup"), Phases::ONE, 0)],
            durability: Durability::Quorum,
            budget: Budget { crashes: 2, restarts: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator is lost, and comes back",
            seats: 1,
            people: 2,
            places: vec![Place { members: vec![0, 1], watchers: vec![1], ..place.clone() }],
            says: vec![YES, NO],
            budget: Budget { crashes: 1, restarts: 1, kills: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a number that is free is another's",
            small: true,
            people: 2,
            places: vec![
                two.clone(),
                Place { attributes: group("bar", |_| ()), members: vec![], joiners: vec![1], watchers: vec![0] },
            ],
            wishes: vec![wish(0, Ask::Expel(&[1], 0), Phases::ONE, 0)],
            budget: Budget { goodbyes: 1, ..small },
            ..calm.clone()
        },
        Setup { name: "a larger domain is met", small: true, budget: Budget { merges: 1, ..small }, ..calm.clone() },
    ]
}
