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
    let watched = Place { watchers: vec![2], members: vec![0, 1], ..place.clone() };
    let _ = (&watched, BatchControl::JOINS, voted as fn(&mut Attributes), MUTE);
    vec![
        base.clone(),
        Setup {
            name: "the same, and two of three die",
            budget: Budget { kills: 2, ..Budget::default() },
            small: false,
            ..base.clone()
        },
        Setup {
            name: "a coordinator is lost",
            seats: 2,
            budget: Budget { crashes: 1, ..Budget::default() },
            small: false,
            ..base
        },
    ]
}
