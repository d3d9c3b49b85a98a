//! Three sites, over bytes.

mod apps;
mod ledger;
mod world;

pub use ledger::Counts;
pub use world::Sites;

use crate::testing::Choices;
use crate::testing::trial::on_trial;

/// One thing that happens to the sites. Links are named by the order in which they were dialled, newest first; what has
/// come to a site and is not finished by its age, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SitesOp {
    /// Everything that is on its way arrives, and what follows from it.
    Settle,
    /// On one link and in one direction a number of bytes arrive; 0 stands for all of them.
    Deliver {
        /// The link.
        link: u8,
        /// Whether to the site that was dialled.
        up: bool,
        /// How many bytes.
        bytes: u8,
    },
    /// A link that is being dialled comes up, if somebody is there.
    Connect(u8),
    /// A site opens a channel, if it has none of that number.
    Open {
        /// Which site, and which number.
        site: u8,
        /// To whom: another one, itself, or the master.
        to: u8,
    },
    /// It dials for a channel, although there is nothing to send.
    Dial(u8),
    /// It sends a message.
    Send {
        /// Which site, on which channel.
        site: u8,
        /// What it consists of.
        shape: u8,
    },
    /// It sends a request.
    Request {
        /// Which site, on which channel.
        site: u8,
        /// What it consists of.
        shape: u8,
        /// What it wants.
        options: u8,
    },
    /// It closes a channel, when all is done there.
    Close(u8),
    /// All sites hear that this one is the master, or that none is.
    Elect(u8),
    /// One site hears of another master than the others.
    Tell {
        /// Which site.
        site: u8,
        /// Who is the master.
        master: u8,
    },
    /// A site's application answers a request.
    Answer {
        /// Which site.
        site: u8,
        /// What.
        which: u8,
        /// By what.
        shape: u8,
    },
    /// It replies to a message.
    Reply {
        /// Which site.
        site: u8,
        /// To what.
        which: u8,
        /// By what.
        shape: u8,
    },
    /// It is through with something, answered or not.
    Finish {
        /// Which site.
        site: u8,
        /// With what.
        which: u8,
    },
    /// It answers all that has come, and is through with it.
    Work(u8),
    /// It takes messages from now on, or does not.
    Serve(u8, bool),
    /// Time passes, in milliseconds, but no deadline.
    Wait(u16),
    /// A fault: the next deadline comes, with nothing arriving meanwhile.
    Deadline,
    /// A fault: a link breaks, and what is on its way is lost. One end may hear of it later than the other.
    Break {
        /// The link.
        link: u8,
        /// Whether the site that has dialled hears of it now.
        dialler: bool,
        /// Whether the other one does.
        listener: bool,
    },
    /// A fault: a byte on its way is another one.
    Garble {
        /// The link.
        link: u8,
        /// Whether to the site that was dialled.
        up: bool,
        /// What becomes of the byte.
        with: u8,
    },
    /// A fault: a site closes a link that it has accepted.
    Disconnect(u8),
    /// A fault: a site closes a channel without waiting for anything.
    CloseNow(u8),
    /// A fault: nobody is there at a site that is dialled next.
    Refuse,
}

impl SitesOp {
    /// Any of these, faults seldom: half of all lists have none at all.
    pub fn choose_with(c: &mut Choices<'_>, faults: bool) -> Self {
        let low = |c: &mut Choices<'_>| if c.one_in(4) { c.byte() % 8 } else { 0 };
        match c.byte() {
            0..=44 => Self::Settle,
            45..=84 => Self::Deliver { link: c.byte() % 8, up: c.boolean(), bytes: c.byte() },
            85..=90 => Self::Connect(low(c)),
            91..=98 => Self::Open { site: c.byte(), to: c.byte() },
            99 | 100 => Self::Dial(c.byte()),
            101..=128 => Self::Send { site: c.byte(), shape: c.byte() },
            129..=164 => Self::Request { site: c.byte(), shape: c.byte(), options: c.byte() },
            165..=167 => Self::Close(c.byte()),
            168..=173 => Self::Elect(c.byte()),
            174 | 175 => Self::Tell { site: c.byte(), master: c.byte() },
            176..=195 => Self::Answer { site: c.byte(), which: low(c), shape: c.byte() },
            196..=205 => Self::Reply { site: c.byte(), which: low(c), shape: c.byte() },
            206..=220 => Self::Finish { site: c.byte(), which: low(c) },
            221..=230 => Self::Work(c.byte()),
            231..=233 => Self::Serve(c.byte(), !c.one_in(2)),
            234..=236 => Self::Wait(u16::from(c.byte()) * 8),
            _ if !faults => Self::Settle,
            237..=241 => Self::Deadline,
            242..=249 => Self::Break { link: c.byte() % 8, dialler: c.boolean(), listener: c.boolean() },
            250 => Self::Garble { link: c.byte() % 8, up: c.boolean(), with: c.byte() },
            251 | 252 => Self::Disconnect(low(c)),
            253 | 254 => Self::CloseNow(c.byte()),
            255 => Self::Refuse,
        }
    }

    /// Any operation.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        Self::choose_with(c, true)
    }

    /// Whether something may be lost in a list with it.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Deadline
                | Self::Break { .. }
                | Self::Garble { .. }
                | Self::Disconnect(_)
                | Self::CloseNow(_)
                | Self::Refuse
        )
    }
}

on_trial!(ops SitesOp);

/// Most operations of a list.
const MOST: usize = 240;

/// Three sites on the operations that `bytes` stand for.
///
/// Checked is, whatever goes wrong: nobody panics, and no site complains of another; each request completes exactly
/// once, with the answer that its own responder gave to it, or with a failure that says rightly whether it had gone
/// out; each message is told as sent or as dropped, and that is so; nothing comes twice, and what comes on a link comes
/// in the order in which it was sent there; on a link a request has one answer, and no tag is in use twice; a congested
/// link is written nothing of an application; a link that is lost says how many messages it had; what was sent on a
/// link that nothing has happened to arrives; at the end no channel, link, deadline or handle is left. Without a fault
/// every request has an answer and all of this needs no timer.
///
/// # Panics
/// It is not so.
pub fn run_sites(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let faults = choices.boolean();
    let mut sites = Sites::new(&mut choices);
    for _ in 0..MOST {
        if choices.is_empty() {
            break;
        }
        let op = SitesOp::choose_with(&mut choices, faults);
        sites.apply(&op);
    }
    sites.finish();
}
