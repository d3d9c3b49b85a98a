//! What a source keeps for a client.

use crate::spice::ids::{ChannelId, ClientId, LinkId, MainCaps, MigrateFlags};
use alloc::vec::Vec;

/// How a client stands in the current attempt. All of it is forgotten when the next one starts (property S5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    /// Not asked.
    None,
    /// To be asked once it has arrived.
    Postponed,
    /// Asked; the answer to come that decides is the last of those that are owed.
    Waiting,
    /// Linked to the target.
    Connected,
    /// Linked to the target, which has accepted to take over seamlessly.
    ConnectedSeamless,
    /// Could not link, or did not answer in time.
    Failed,
}

/// MIGRATE_BEGINs that a client has not answered, oldest first, with which of the two each was. They carry
/// no number on the wire, so that counting is the only way to tell which one an answer belongs to (property
/// S4). It survives attempts, as answers do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Owed {
    count: u8,
    /// Bit 0 is the oldest; set for MIGRATE_BEGIN_SEAMLESS.
    seamless: u32,
}

impl Owed {
    /// The most that can be told apart.
    pub(super) const MAX: u8 = 32;

    pub(super) const fn count(self) -> u8 {
        self.count
    }

    /// One more was sent.
    pub(super) fn push(&mut self, seamless: bool) {
        if self.count < Self::MAX {
            self.seamless |= u32::from(seamless).wrapping_shl(u32::from(self.count));
            self.count = self.count.saturating_add(1);
        }
    }

    /// An answer came: whether the oldest was seamless, `None` if none was owed.
    pub(super) fn pop(&mut self) -> Option<bool> {
        self.count = self.count.checked_sub(1)?;
        let seamless = self.seamless & 1 == 1;
        self.seamless = self.seamless.wrapping_shr(1);
        Some(seamless)
    }
}

/// Where a channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// It works.
    Live,
    /// MIGRATE was sent; FLUSH_MARK is awaited.
    AwaitFlush,
    /// The application was asked for the channel's state.
    AwaitData,
    /// Seamless: nothing more is sent.
    Done,
    /// MIGRATE_END or MIGRATE_SWITCH_HOST was sent: nothing more is sent, and what the client had under way
    /// still comes.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Channel {
    pub(super) link: LinkId,
    pub(super) id: ChannelId,
    pub(super) flags: MigrateFlags,
    pub(super) phase: Phase,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client {
    pub(super) id: ClientId,
    pub(super) caps: MainCaps,
    /// Still arriving from another server.
    pub(super) arriving: bool,
    /// It was told to go (or will be, as soon as it has arrived).
    pub(super) leaving: bool,
    pub(super) answer: Answer,
    pub(super) owed: Owed,
    pub(super) main: LinkId,
    /// The main channel is first.
    pub(super) channels: Vec<Channel>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_back_in_the_order_of_the_questions() {
        let mut owed = Owed::default();
        assert_eq!(owed.pop(), None);
        for seamless in [true, false, true] {
            owed.push(seamless);
        }
        assert_eq!([owed.pop(), owed.pop(), owed.pop(), owed.pop()], [Some(true), Some(false), Some(true), None]);
    }

    #[test]
    fn an_idle_client_costs_at_most_256_bytes() {
        // With its four usual channels (main, display, inputs, cursor), the heap part included.
        assert!(size_of::<Client>() + 4 * size_of::<Channel>() <= 256);
    }
}
