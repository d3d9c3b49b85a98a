//! Counting: whatever is numbered from 1 and sent in order.

/// One thing that is numbered, as one end sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// The last number that was sent.
    pub sent: u64,
    /// The last number that came.
    pub received: u64,
    /// Numbers that were skipped.
    pub lost: u64,
    /// Numbers that came again.
    pub doubled: u64,
}

impl Flow {
    pub fn take(&mut self, number: u64) {
        if number <= self.received {
            self.doubled += 1;
        } else {
            self.lost += number - self.received - 1;
            self.received = number;
        }
    }
}
