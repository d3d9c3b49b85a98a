//! A client and three servers, over bytes.

mod apps;
mod ledger;
mod world;

pub use world::Parties;

use crate::testing::Choices;
use crate::testing::trial::on_trial;

/// One thing that happens to the parties. Links are named by the order in which they were dialled, newest first; so are
/// the connections of the servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartiesOp {
    /// Everything that is on its way arrives, and what follows from it.
    Settle,
    /// On one link and in one direction a number of bytes arrive; 0 stands for all of them.
    Deliver {
        /// The link.
        link: u8,
        /// Whether to the server.
        up: bool,
        /// How many bytes.
        bytes: u8,
    },
    /// A link that is being dialled comes up, if somebody is there.
    Connect(u8),
    /// The client's application gives a command, or the half of one, or the other half.
    Command(bool),
    /// It wants the command to be cancelled.
    Attention,
    /// A server wants the client to go elsewhere.
    Migrate {
        /// Which one, by its connection.
        link: u8,
        /// Where to.
        to: u8,
        /// Whether the connection's own thread says so.
        own: bool,
    },
    /// It does not want it any more.
    Cancel(u8, bool),
    /// The handler of a connection begins, if it was called.
    Enter(u8),
    /// It returns.
    Leave(u8),
    /// It begins and returns at once.
    Decide(u8),
    /// A server sends a row of the results that are waited for.
    Row(u8),
    /// A server completes the command that is waited for.
    Finish(u8),
    /// The next login that continues a session is refused.
    Refuse,
    /// Time passes, in milliseconds, but no deadline.
    Wait(u16),
    /// A fault: the next deadline comes, with nothing arriving meanwhile.
    Deadline,
    /// A fault: a link breaks, and what is on its way is lost. One end may hear of it later than the other.
    Break {
        /// The link.
        link: u8,
        /// Whether the client hears of it now.
        client: bool,
        /// Whether the server does.
        server: bool,
    },
    /// A fault: a byte on its way is another one.
    Garble {
        /// The link.
        link: u8,
        /// Whether to the server.
        up: bool,
        /// What becomes of the byte.
        with: u8,
    },
    /// A fault: a server closes a connection.
    Disconnect(u8),
    /// A fault: the client ends its session, with LOGOUT or without.
    Close(bool),
}

impl PartiesOp {
    /// Any of these, faults seldom: half of all lists have none at all.
    pub fn choose_with(c: &mut Choices<'_>, faults: bool) -> Self {
        let low = |c: &mut Choices<'_>| if c.one_in(4) { c.byte() % 6 } else { 0 };
        match c.byte() {
            0..=54 => Self::Settle,
            55..=104 => Self::Deliver { link: c.byte() % 6, up: c.boolean(), bytes: c.byte() },
            105..=114 => Self::Connect(low(c)),
            115..=139 => Self::Command(c.one_in(6)),
            140..=144 => Self::Attention,
            145..=162 => Self::Migrate { link: low(c), to: c.byte(), own: c.boolean() },
            163..=168 => Self::Cancel(low(c), c.boolean()),
            169..=174 => Self::Enter(low(c)),
            175..=180 => Self::Leave(low(c)),
            181..=205 => Self::Decide(low(c)),
            206..=221 => Self::Row(low(c)),
            222..=235 => Self::Finish(low(c)),
            236..=238 => Self::Refuse,
            239..=241 => Self::Wait(u16::from(c.byte()) * 8),
            _ if !faults => Self::Settle,
            242..=245 => Self::Deadline,
            246..=251 => Self::Break { link: c.byte() % 6, client: c.boolean(), server: c.boolean() },
            252..=253 => Self::Garble { link: c.byte() % 6, up: c.boolean(), with: c.byte() },
            254 => Self::Disconnect(low(c)),
            255 => Self::Close(c.boolean()),
        }
    }

    /// Any operation.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        Self::choose_with(c, true)
    }

    /// Whether something may be lost in a list with it.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        matches!(self, Self::Deadline | Self::Break { .. } | Self::Garble { .. } | Self::Disconnect(_) | Self::Close(_))
    }
}

on_trial!(ops PartiesOp);

/// Most operations of a list.
const MOST: usize = 240;

/// A client and three servers on the operations that `bytes` stand for.
///
/// Checked is: nobody panics; no command is delivered twice or out of order, none is completed by two servers, rows of
/// results are neither doubled nor out of order wherever they come from; each command is completed once, or told to be
/// unfinished once; each attempt ends once at each party. Without a fault nothing is unfinished, no row is missing, and
/// everything comes to rest without the help of a timer; with faults it does once the timers have passed.
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
