//! Many numbers out of one that the caller gives: this crate has no randomness of its own.

/// SplitMix64, by Steele, Lea and Flood: not for secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SplitMix(pub(crate) u64);

impl SplitMix {
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, each as likely as any other.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // What would make the first few likelier is thrown away.
        let fair = u64::MAX.saturating_sub(u64::MAX.checked_rem(bound).unwrap_or(0));
        loop {
            let value = self.next();
            if value < fair {
                return value.checked_rem(bound).unwrap_or(0);
            }
        }
    }

    /// Every order is as likely as any other, as far as 64 bits can tell.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let bound = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
            list.swap(last, usize::try_from(self.below(bound)).unwrap_or(last));
        }
    }
}
