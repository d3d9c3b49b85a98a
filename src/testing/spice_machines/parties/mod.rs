//! A client and two servers, over bytes.

mod ledger;
mod world;

pub use world::Parties;

use crate::testing::Choices;

/// One thing that happens to the three. Links are named by the order in which they were dialled, newest first.
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
    /// A link that is being dialled comes up.
    Connect(u8),
    /// The client's application sends a message with a number on a channel.
    ClientSends(u8),
    /// The application of the server with the virtual machine does.
    ServerSends(u8),
    /// The client opens a channel.
    OpenChannel(u8),
    /// The virtual machine is going to move to the other server, perhaps once more.
    MigrateInfo,
    /// It has moved.
    Completed,
    /// It will not move.
    Cancelled,
    /// It could not be moved.
    Failed,
    /// The server to which it has moved is told that it runs there.
    Running,
    /// Time passes, in milliseconds.
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
    /// A fault: the next link that is asked for is refused, in its reply or after the ticket.
    Refuse(bool),
    /// A fault: a byte on its way is another one.
    Garble {
        /// The link.
        link: u8,
        /// Whether to the server.
        up: bool,
        /// What becomes of the byte.
        with: u8,
    },
    /// A fault: the client closes a channel, and what it had to say there is lost.
    CloseChannel(u8),
    /// The client gives an attempt up.
    Abandon,
    /// The client ends its session.
    Disconnect,
}

impl PartiesOp {
    /// Any of these, faults seldom: half of all lists have none at all.
    pub fn choose(c: &mut Choices<'_>, faults: bool) -> Self {
        let (kind, low) = (c.byte(), |c: &mut Choices<'_>| c.byte() % 8);
        match kind {
            0..=69 => Self::Settle,
            70..=119 => Self::Deliver { link: low(c), up: c.boolean(), bytes: c.byte() },
            120..=129 => Self::Connect(low(c)),
            130..=154 => Self::ClientSends(c.byte()),
            155..=179 => Self::ServerSends(c.byte()),
            180..=184 => Self::OpenChannel(c.byte()),
            185..=199 => Self::MigrateInfo,
            200..=214 => Self::Completed,
            215..=218 => Self::Cancelled,
            219 => Self::Failed,
            220..=222 => Self::Running,
            223..=227 => Self::Wait(u16::from(c.byte()) * 8),
            _ if !faults => Self::Settle,
            228..=231 => Self::Deadline,
            232..=241 => Self::Break { link: low(c), client: c.boolean(), server: c.boolean() },
            242..=245 => Self::Refuse(c.boolean()),
            246..=248 => Self::Garble { link: low(c), up: c.boolean(), with: c.byte() },
            249..=251 => Self::CloseChannel(c.byte()),
            252..=254 => Self::Abandon,
            255 => Self::Disconnect,
        }
    }

    /// Whether nothing may be lost in a list without it only.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Deadline
                | Self::Break { .. }
                | Self::Refuse(_)
                | Self::Garble { .. }
                | Self::CloseChannel(_)
                | Self::Abandon
                | Self::Disconnect
        )
    }
}

#[cfg(feature = "arbitrary")]
#[cfg_attr(docsrs, doc(cfg(feature = "arbitrary")))]
impl<'a> arbitrary::Arbitrary<'a> for PartiesOp {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        Choices::lend(u, |choices| Self::choose(choices, true))
    }
}

/// Most operations of a list.
const MOST: usize = 200;

/// A client and two servers on the operations that `bytes` stand for.
///
/// Checked is: nobody panics; messages with numbers are never doubled and never change their order; without a
/// fault, in sessions that move seamlessly or not at all, none is lost, and all attempts end without the help
/// of a timer; with faults all attempts end once the timers have passed, each exactly once at each party.
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
        let op = PartiesOp::choose(&mut choices, faults);
        parties.apply(&op);
    }
    parties.finish();
}
