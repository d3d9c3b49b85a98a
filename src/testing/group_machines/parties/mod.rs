//! Processes and their coordinator, which may die and be replaced.

mod world;

pub use world::{Counts, Parties};

use crate::testing::Choices;
use crate::testing::trial::on_trial;

/// One thing that happens to the parties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartiesOp {
    /// Everything that is on its way arrives, and what follows from it.
    Settle,
    /// Some messages arrive, of one process.
    Deliver {
        /// Which.
        process: u8,
        /// Whether at the coordinator.
        up: bool,
        /// How many.
        messages: u8,
    },
    /// A process dials, if there is a coordinator.
    Dial(u8),
    /// A process wants to be a provider.
    Join(u8),
    /// A process wants to be told.
    Subscribe(u8),
    /// A provider votes: what it says comes out of the number.
    Vote {
        /// Which.
        process: u8,
        /// What.
        ballot: u8,
    },
    /// A provider proposes something: what, and how, comes out of the numbers.
    Propose {
        /// Which.
        process: u8,
        /// What.
        wish: u8,
        /// Whether it is voted on, and how fast.
        voting: u8,
    },
    /// A provider has deactivated itself, or could not.
    Deactivated {
        /// Which.
        process: u8,
        /// Whether it could.
        successful: bool,
    },
    /// A provider says that it has taken everything.
    Acknowledge(u8),
    /// A provider goes at once.
    Goodbye(u8),
    /// A process leaves the domain.
    Quit(u8),
    /// What is to be kept is kept.
    Keep,
    /// Time passes, in milliseconds.
    Pass(u16),
    /// The coordinator's next deadline comes.
    Deadline,
    /// A fault: a process dies, or one that is dead begins anew.
    Kill(u8),
    /// A fault: a process that is there is said to be dead.
    Suspect(u8),
    /// A fault: the coordinator dies.
    Crash,
    /// Another one takes over, if nobody reigns.
    TakeOver,
}

impl PartiesOp {
    /// Any of these, faults seldom: half of all lists have none at all.
    pub fn choose_with(c: &mut Choices<'_>, faults: bool) -> Self {
        match c.byte() {
            0..=39 => Self::Settle,
            40..=79 => Self::Deliver { process: c.byte(), up: !c.boolean(), messages: 1 + c.byte() % 3 },
            80..=99 => Self::Join(c.byte()),
            100..=105 => Self::Subscribe(c.byte()),
            106..=145 => Self::Vote { process: c.byte(), ballot: c.byte() },
            146..=181 => Self::Propose { process: c.byte(), wish: c.byte(), voting: c.byte() },
            182..=187 => Self::Deactivated { process: c.byte(), successful: !c.boolean() },
            188..=189 => Self::Acknowledge(c.byte()),
            190..=195 => Self::Goodbye(c.byte()),
            196..=197 => Self::Quit(c.byte()),
            198..=207 => Self::Keep,
            208..=211 => Self::Pass(u16::from(c.byte()) * 16),
            212..=217 => Self::Dial(c.byte()),
            _ if !faults => Self::Settle,
            218..=225 => Self::Deadline,
            226..=237 => Self::Kill(c.byte()),
            238..=240 => Self::Suspect(c.byte()),
            241..=246 => Self::Crash,
            247..=255 => Self::TakeOver,
        }
    }

    /// Any operation.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        Self::choose_with(c, true)
    }
}

on_trial!(ops PartiesOp);

/// Most operations of a list.
const MOST: usize = 240;

/// A coordinator and four processes on the operations that `bytes` stand for.
///
/// Checked is, whatever goes wrong: nobody panics, and nobody complains of another. Whoever is told how a protocol has ended
/// is told the same (of those that are still there, if outcomes are not kept), in the same order, each once; nobody is
/// removed from a group twice; a provider is told nothing before its join and nothing after its end, which comes once. When
/// faults end, everything comes to an end, and all providers of a group know the same: who is there, and nobody else.
///
/// # Panics
/// One of these does not hold. The text names the property (G-S1, G-S3, G-S8, G-L3 to G-L5).
pub fn run_parties(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let faults = choices.boolean();
    let mut parties = Parties::new(&mut choices);
    let mut left = MOST;
    while !choices.is_empty() && left > 0 {
        left -= 1;
        let op = PartiesOp::choose_with(&mut choices, faults);
        parties.apply(&op);
    }
    parties.finish();
}
