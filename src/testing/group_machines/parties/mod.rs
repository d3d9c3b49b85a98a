//! Processes with their coordinators, one after the other.

mod ledger;
mod world;

pub use ledger::Counts;
pub use world::Parties;

use crate::testing::Choices;
use crate::testing::trial::on_trial;

/// One thing that happens to the parties. Processes go by their number, what they have by its age, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartiesOp {
    /// Everything that is on its way arrives, and what follows from it.
    Settle,
    /// On the link of a process and in one direction a number of messages arrive.
    Deliver {
        /// Whose link.
        process: u8,
        /// Whether to the coordinator.
        up: bool,
        /// How many.
        messages: u8,
    },
    /// A process looks for the coordinator.
    Dial(u8),
    /// It joins a group.
    Join {
        /// Who.
        process: u8,
        /// Which group.
        group: u8,
        /// As whom, and what it says the group is like.
        shape: u8,
    },
    /// It wants to be told of a group.
    Subscribe {
        /// Who.
        process: u8,
        /// Which group.
        group: u8,
    },
    /// A provider of its wants something.
    Propose {
        /// Whose.
        process: u8,
        /// Which.
        provider: u8,
        /// What.
        wish: u8,
        /// How it is to be voted on.
        voting: u8,
    },
    /// A provider of its votes, if a vote is due.
    Vote {
        /// Whose.
        process: u8,
        /// How.
        ballot: u8,
    },
    /// A provider of its that is to be expelled has deactivated itself, or could not.
    Deactivate {
        /// Whose.
        process: u8,
        /// Whether it could.
        successful: bool,
    },
    /// A provider of its goes, or a subscriber.
    Leave {
        /// Whose.
        process: u8,
        /// Which.
        which: u8,
    },
    /// An outcome is kept.
    Kept,
    /// Time passes, in milliseconds, but no deadline.
    Pass(u16),
    /// A fault: the next deadline comes, with nothing arriving meanwhile.
    Deadline,
    /// A fault: a link breaks. What is on its way to the process is lost; what is on its way to the coordinator may come.
    Cut {
        /// Whose link.
        process: u8,
        /// Whether what is on its way to the coordinator is lost, too.
        both: bool,
    },
    /// A fault: a process dies, and comes back as somebody else.
    Die(u8),
    /// A fault: it is said to be dead.
    NodeDown(u8),
    /// A fault: the coordinator dies.
    Crash,
    /// Another one takes over, and processes find it: all but those whose bit is set.
    TakeOver(u8),
    /// It waits for nobody else.
    Recovered,
}

impl PartiesOp {
    /// Any of these, faults seldom: half of all lists have none at all.
    pub fn choose_with(c: &mut Choices<'_>, faults: bool) -> Self {
        let low = |c: &mut Choices<'_>| if c.one_in(3) { c.byte() % 8 } else { 0 };
        match c.byte() {
            0..=39 => Self::Settle,
            40..=79 => Self::Deliver { process: c.byte(), up: !c.boolean(), messages: 1 + c.byte() % 3 },
            80..=91 => Self::Dial(c.byte()),
            92..=119 => Self::Join { process: c.byte(), group: *c.pick(&[0, 0, 1, 1, 2, 3]), shape: c.byte() },
            120..=125 => Self::Subscribe { process: c.byte(), group: *c.pick(&[0, 0, 1, 1, 2, 3]) },
            126..=149 => Self::Propose { process: c.byte(), provider: low(c), wish: c.byte(), voting: c.byte() },
            150..=189 => Self::Vote { process: c.byte(), ballot: c.byte() },
            190..=193 => Self::Deactivate { process: c.byte(), successful: !c.boolean() },
            194..=200 => Self::Leave { process: c.byte(), which: low(c) },
            201..=206 => Self::Kept,
            207..=212 => Self::Pass(u16::from(c.byte()) * 8),
            _ if !faults => Self::Settle,
            213..=216 => Self::Deadline,
            217..=221 => Self::Cut { process: c.byte(), both: c.boolean() },
            222..=225 => Self::Die(c.byte()),
            226 | 227 => Self::NodeDown(c.byte()),
            228..=231 => Self::Crash,
            232..=239 => Self::TakeOver(if c.one_in(3) { c.byte() } else { 0 }),
            _ => Self::Recovered,
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

/// Four processes and their coordinators on the operations that `bytes` stand for.
///
/// Checked is, whatever goes wrong: nobody panics, and nobody complains of another; all that are told of the end of a
/// protocol are told the same (G-S1), each in one order, and once (S3); nobody votes twice in a phase, or for two phases
/// (G-S4); each provider is removed from its group once, for one reason (S8); no two have the same number at a time, and
/// nobody the same number with the same generation as another before (G-S10); every request ends once (L4). And in the end,
/// when all has arrived and everybody has voted: nothing runs any more (G-L2, G-L5), all that are in a group know the same
/// members, state value and attributes, those of the coordinator (G-S1, G-S9), and subscribers know them as well.
///
/// # Panics
/// It is not so.
pub fn run_parties(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let faults = choices.boolean();
    let mut parties = Parties::new(&mut choices);
    for _ in 0..MOST {
        if choices.is_empty() {
            break;
        }
        let op = PartiesOp::choose_with(&mut choices, faults);
        parties.apply(&op);
    }
    parties.finish();
}
