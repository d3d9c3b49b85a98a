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

pub(crate) const YES: &[Say] = &[Say::Approve];
pub(crate) const NO: &[Say] = &[Say::Approve, Say::Reject];
pub(crate) const MORE: &[Say] = &[Say::Continue];
const MUTE: &[Say] = &[];

pub(crate) fn group(name: &'static str, change: impl FnOnce(&mut Attributes)) -> Attributes {
    let mut attributes = Attributes::new(GroupName::new(name).expect("a name"));
    change(&mut attributes);
    attributes
}

pub(crate) fn voted(attributes: &mut Attributes) {
    attributes.phases = Phases::N;
}

pub(crate) const fn wish(person: usize, ask: Ask, phases: Phases, limit: u16) -> Wish {
    Wish { person, place: 0, ask, phases, limit }
}

/// Three providers, and no votes on who is there.
pub(crate) fn place() -> Place {
    Place { attributes: group("kitchen", |_| ()), members: vec![0, 1, 2], joiners: Vec::new(), watchers: Vec::new() }
}

pub(crate) fn two() -> Place {
    Place { members: vec![0, 1], ..place() }
}

/// A third one joins, which is voted on.
pub(crate) fn joined() -> Place {
    Place { attributes: group("kitchen", voted), joiners: vec![2], ..two() }
}

fn base() -> Setup {
    Setup {
        name: "a value is changed, in two phases",
        seats: 1,
        durability: Durability::Survivors,
        people: 3,
        places: vec![place()],
        says: vec![YES, MORE, NO],
        wishes: vec![wish(0, Ask::State("soup"), Phases::N, 0)],
        budget: Budget::default(),
        late: false,
        disk: false,
        clock: false,
        small: true,
        mutant: Mutant::None,
    }
}

/// Everybody agrees.
pub(crate) fn calm() -> Setup {
    Setup { says: vec![YES, YES, YES], small: false, ..base() }
}

pub(crate) fn setups() -> Vec<Setup> {
    let mut all = undisturbed();
    all.extend(super::configs_lost::lost());
    all
}

/// One coordinator, which stays.
fn undisturbed() -> Vec<Setup> {
    let small = Budget::default();
    let reject = |attributes: &mut Attributes| attributes.default_vote = Vote::REJECT;
    let state = wish(0, Ask::State("soup"), Phases::N, 0);
    vec![
        base(),
        Setup { name: "the same, and two of three die", budget: Budget { kills: 2, ..small }, small: false, ..base() },
        Setup {
            name: "somebody never votes",
            says: vec![MORE, MUTE, NO],
            budget: Budget { kills: 1, ..small },
            ..base()
        },
        Setup {
            name: "somebody never votes, in time",
            says: vec![MORE, MUTE, &[Say::Approve, Say::ContinueDefault(Vote::REJECT)]],
            wishes: vec![wish(0, Ask::State("soup"), Phases::N, 1)],
            budget: Budget { expires: 1, echoes: 1, ..small },
            small: false,
            ..base()
        },
        Setup {
            name: "votes that come twice, and late, and who fails has rejected",
            places: vec![Place { attributes: group("kitchen", reject), ..two() }],
            people: 2,
            says: vec![MORE, &[Say::State("bread"), Say::Continue]],
            wishes: vec![wish(0, Ask::State("soup"), Phases::N, 1)],
            budget: Budget { expires: 1, echoes: 1, kills: 1, ..small },
            small: false,
            ..base()
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
            ..calm()
        },
        Setup {
            name: "one joins, and somebody dies in every phase",
            small: true,
            places: vec![joined()],
            says: vec![MORE, NO, MORE],
            wishes: vec![],
            budget: Budget { kills: 2, ..small },
            ..calm()
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
            ..calm()
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
            ..calm()
        },
        Setup {
            name: "who has failed is voted on",
            places: vec![Place { attributes: group("kitchen", voted), ..place() }],
            says: vec![NO, MORE, &[Say::Default(Vote::REJECT)]],
            wishes: vec![state],
            budget: Budget { kills: 2, ..small },
            ..calm()
        },
        Setup {
            name: "one is expelled, and deactivates itself first",
            small: true,
            says: vec![MORE, YES, NO],
            wishes: vec![wish(0, Ask::Expel(&[1], 2), Phases::N, 0)],
            budget: Budget { kills: 1, ..small },
            ..calm()
        },
        Setup {
            name: "one is expelled that says goodbye, and one leaves",
            says: vec![YES, YES, NO],
            wishes: vec![wish(0, Ask::Expel(&[1], 1), Phases::N, 1), wish(2, Ask::Leave, Phases::ONE, 0)],
            budget: Budget { goodbyes: 1, ..small },
            ..calm()
        },
        Setup {
            name: "a live process is declared dead, and comes back",
            small: true,
            budget: Budget { downs: 1, returns: 1, ..small },
            says: vec![YES, YES, YES],
            late: true,
            ..calm()
        },
        Setup {
            name: "a link breaks, and its process comes back",
            small: true,
            places: vec![Place { attributes: group("kitchen", voted), ..place() }],
            budget: Budget { breaks: 1, returns: 1, ..small },
            wishes: vec![],
            ..calm()
        },
        Setup {
            name: "one watches",
            small: true,
            people: 4,
            places: vec![Place { watchers: vec![3], ..two() }],
            says: vec![YES, NO, YES, YES],
            wishes: vec![state, wish(1, Ask::Leave, Phases::ONE, 0)],
            budget: Budget { kills: 1, ..small },
            ..calm()
        },
    ]
}
