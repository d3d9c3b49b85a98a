//! What is explored.

use super::mutants::Mutant;

/// A server as it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) writes: bool,
    /// A bit for each that it names; bit 7: one that the policy denies; bit 6: itself, by another name.
    pub(crate) names: u8,
    /// How many of our commands go on with another.
    pub(crate) continues: u8,
    /// How many other clients came first.
    pub(crate) before: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    Plain,
    Idempotent,
    ReadOnly,
}

#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    pub(crate) places: Vec<Place>,
    pub(crate) harm: Harm,
    /// Whether servers know how requests ended that come again.
    pub(crate) memory: bool,
    pub(crate) deadline: bool,
    pub(crate) continuations: u16,
    pub(crate) losses: u8,
    pub(crate) crashes: u8,
    pub(crate) cancels: u8,
    pub(crate) leaves: u8,
    /// How often the client's and the servers' deadlines may pass although something else could happen.
    pub(crate) expires: u8,
    pub(crate) forgets: u8,
    pub(crate) others: u8,
    pub(crate) drains: u8,
    /// Whether somebody is able.
    pub(crate) able: bool,
    /// Whether it is small enough to be searched for circles too.
    pub(crate) small: bool,
    pub(crate) mutant: Mutant,
}

pub(crate) const DENIED: u8 = 0x80;
pub(crate) const ALIASED: u8 = 0x40;

const FREE: Place = Place { writes: true, names: 0b111, continues: 0, before: 0 };

pub(crate) fn setups() -> Vec<Setup> {
    let base = Setup {
        name: "a lone server, and everything at once",
        places: vec![Place { before: 1, ..FREE }],
        harm: Harm::Plain,
        memory: true,
        deadline: false,
        continuations: 2,
        losses: 1,
        crashes: 1,
        cancels: 1,
        leaves: 0,
        expires: 1,
        forgets: 0,
        others: 0,
        drains: 0,
        able: true,
        small: true,
        mutant: Mutant::None,
    };
    let calm = Setup { losses: 0, crashes: 0, cancels: 0, expires: 0, ..base.clone() };
    let busy = Place { before: 1, ..FREE };
    let reader = Place { writes: false, ..FREE };
    vec![
        base.clone(),
        Setup { name: "the same without a memory", memory: false, ..base.clone() },
        Setup { name: "the same, and it may be repeated", harm: Harm::Idempotent, ..base.clone() },
        Setup {
            name: "a lone server that continues",
            places: vec![Place { continues: 2, ..busy }],
            small: false,
            ..base.clone()
        },
        Setup {
            name: "a lone server that continues too often",
            places: vec![Place { continues: 9, ..FREE }],
            able: false,
            ..calm.clone()
        },
        Setup {
            name: "two busy servers and a reader",
            places: vec![busy, Place { before: 1, names: DENIED | 0b111, ..FREE }, reader],
            losses: 0,
            expires: 0,
            crashes: 0,
            cancels: 0,
            ..base.clone()
        },
        Setup {
            name: "two busy servers, and a user who gives up",
            places: vec![busy, busy],
            losses: 1,
            crashes: 0,
            leaves: 1,
            small: false,
            ..base.clone()
        },
        Setup {
            name: "three servers, and everything at once",
            places: vec![Place { before: 1, names: 0b110, ..FREE }, reader, FREE],
            small: false,
            ..base.clone()
        },
        Setup {
            name: "what changes nothing goes round",
            places: vec![busy, Place { names: 0b001, ..reader }, Place { before: 1, ..reader }],
            harm: Harm::ReadOnly,
            losses: 2,
            crashes: 0,
            cancels: 0,
            expires: 0,
            small: false,
            ..base.clone()
        },
        Setup {
            name: "a chain over two servers",
            places: vec![Place { continues: 1, ..FREE }, Place { continues: 1, ..FREE }],
            continuations: 2,
            losses: 2,
            cancels: 1,
            crashes: 0,
            expires: 0,
            small: false,
            ..base.clone()
        },
        Setup {
            name: "lines with deadlines, others, and a drain",
            places: vec![busy, Place { names: 0b001, ..FREE }],
            deadline: true,
            others: 2,
            drains: 1,
            forgets: 1,
            losses: 0,
            crashes: 0,
            cancels: 1,
            expires: 0,
            small: false,
            ..base.clone()
        },
        Setup {
            name: "another name of the same server",
            places: vec![Place { before: 1, names: ALIASED, ..FREE }],
            harm: Harm::ReadOnly,
            losses: 2,
            crashes: 0,
            ..base.clone()
        },
        Setup {
            name: "a memory that forgets",
            places: vec![FREE],
            forgets: 1,
            losses: 2,
            crashes: 0,
            cancels: 0,
            expires: 0,
            ..base.clone()
        },
        Setup {
            name: "who is able is named by who is not",
            places: vec![Place { names: 0b010, ..reader }, Place { names: 0b100, ..reader }, busy],
            cancels: 1,
            ..calm
        },
        Setup { name: "nobody is able", places: vec![reader, Place { names: DENIED, ..reader }], able: false, ..base },
    ]
}
