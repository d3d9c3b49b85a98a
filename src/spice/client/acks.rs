//! Acknowledgement windows (spec/spice.md 5.8).

use crate::spice::common::SetAck;

/// One channel's window: set by the server's SET_ACK, and off until then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Acks {
    window: u32,
    pending: u32,
}

impl Acks {
    /// A new window, counted from the next message.
    pub(super) fn set(&mut self, set_ack: SetAck) {
        *self = Self { window: set_ack.window, pending: 0 };
    }

    /// Counts one message; true if it is the one that an ACK is due for.
    pub(super) fn count(&mut self) -> bool {
        if self.window == 0 {
            return false;
        }
        self.pending = self.pending.saturating_add(1);
        let due = self.pending >= self.window;
        if due {
            self.pending = 0;
        }
        due
    }
}
