//! A client among three servers.

mod ledger;
mod world;

pub use ledger::Counts;
pub use world::Parties;

use crate::testing::Choices;
use crate::testing::trial::on_trial;

/// One thing that happens to the parties. Links are named by the order in which they were dialled, newest first; jobs by
/// their age, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartiesOp {
    /// Everything that is on its way arrives, and what follows from it.
    Settle,
    /// On one link and in one direction a number of messages arrive.
    Deliver {
        /// The link.
        link: u8,
        /// Whether to the server.
        up: bool,
        /// How many.
        messages: u8,
    },
    /// The link that is being dialled comes up, if somebody is there.
    Connect,
    /// A server is done with a job.
    Work {
        /// Which server.
        server: u8,
        /// Which job.
        job: u8,
    },
    /// A server has a piece of a result.
    Data {
        /// Which server.
        server: u8,
        /// Of which job.
        job: u8,
    },
    /// A job is done, and another command follows.
    Continue {
        /// Which server.
        server: u8,
        /// Which job.
        job: u8,
    },
    /// A job makes no sense.
    Refuse {
        /// Which server.
        server: u8,
        /// Which job.
        job: u8,
    },
    /// Somebody else wants something of a server.
    Load {
        /// Which server.
        server: u8,
        /// With what flags.
        flags: u8,
    },
    /// The user wants to wait, if asked.
    Wait,
    /// A server sends on whom it may.
    Drain(u8),
    /// A server takes requests.
    Serve(u8),
    /// Time passes, in milliseconds, but no deadline.
    Pass(u16),
    /// The user gives up.
    Cancel,
    /// A fault: the next deadline comes, with nothing arriving meanwhile.
    Deadline,
    /// A fault: a link breaks. What is on its way to the client is lost; what is on its way to the server may still come.
    Break {
        /// The link.
        link: u8,
        /// Whether what is on its way to the server is lost, too.
        both: bool,
    },
    /// A fault: a server comes to itself, and knows nothing.
    Crash(u8),
    /// A fault: nobody is there at a server any more, or somebody is again.
    Down(u8),
    /// A fault: a server takes nothing any more.
    Stop(u8),
}

impl PartiesOp {
    /// Any of these, faults seldom: half of all lists have none at all.
    pub fn choose_with(c: &mut Choices<'_>, faults: bool) -> Self {
        let low = |c: &mut Choices<'_>| if c.one_in(3) { c.byte() % 8 } else { 0 };
        match c.byte() {
            0..=39 => Self::Settle,
            40..=79 => Self::Deliver { link: low(c), up: !c.boolean(), messages: 1 + c.byte() % 2 },
            80..=99 => Self::Connect,
            100..=119 => Self::Work { server: c.byte(), job: low(c) },
            120..=127 => Self::Data { server: c.byte(), job: low(c) },
            128..=141 => Self::Continue { server: c.byte(), job: low(c) },
            142..=145 => Self::Refuse { server: c.byte(), job: low(c) },
            146..=181 => Self::Load { server: c.byte(), flags: c.byte() },
            182..=193 => Self::Wait,
            194..=197 => Self::Drain(c.byte()),
            198..=201 => Self::Serve(c.byte()),
            202..=207 => Self::Pass(u16::from(c.byte()) * 8),
            208..=209 => Self::Cancel,
            _ if !faults => Self::Settle,
            210..=221 => Self::Deadline,
            222..=241 => Self::Break { link: low(c), both: c.boolean() },
            242..=247 => Self::Crash(c.byte()),
            248..=252 => Self::Down(c.byte()),
            253..=255 => Self::Stop(c.byte()),
        }
    }

    /// Any operation.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        Self::choose_with(c, true)
    }

    /// Whether a command may not be carried out because of it.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        matches!(self, Self::Deadline | Self::Break { .. } | Self::Crash(_) | Self::Down(_) | Self::Stop(_))
    }
}

on_trial!(ops PartiesOp);

/// Most operations of a list.
const MOST: usize = 240;

/// A client and three servers on the operations that `bytes` stand for.
///
/// Checked is, whatever goes wrong: nobody panics, and nobody complains of another; the command ends exactly once, and
/// what is said of it is true: who is said to have carried it out has, and what is said to have failed or to be cancelled
/// was carried out by nobody; a server begins what may be done once only once at most, and so do all together; it is not
/// sent to another after it was lost; a command of the chain begins after the one before it; credentials are shown to the
/// servers that the command began with, and to no other; who is said to be a violator is one: nobody; the report has every
/// server once. Without a fault it is carried out if there is a server that is able.
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
