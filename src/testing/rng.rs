//! Random numbers that a seed reproduces exactly.

use crate::random::SplitMix;
use std::vec::Vec;

/// A small generator of random numbers (SplitMix64): the same seed gives the same numbers on every platform.
/// Not for secrets.
///
/// ```
/// use handover::testing::Rng;
///
/// let (mut one, mut other) = (Rng::new(7), Rng::new(7));
/// assert_eq!(one.next_u64(), other.next_u64());
/// assert!(one.below(10) < 10);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rng {
    numbers: SplitMix,
}

impl Rng {
    /// The numbers that belong to `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { numbers: SplitMix(seed) }
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.numbers.next()
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number in `range`; its start if it is empty.
    pub fn within(&mut self, range: &core::ops::RangeInclusive<u64>) -> u64 {
        let (start, end) = (*range.start(), *range.end());
        match end.saturating_sub(start).checked_add(1) {
            Some(span) => start + self.below(span),
            None => self.next_u64(),
        }
    }

    /// True in `per_million` of a million cases.
    pub fn happens(&mut self, per_million: u32) -> bool {
        self.below(1_000_000) < u64::from(per_million)
    }

    /// `length` random bytes, for [`Choices`](super::Choices).
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        core::iter::repeat_with(|| self.next_u64().to_le_bytes()).flatten().take(length).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequence() {
        // The first numbers of SplitMix64 for seed 1234567, as its author publishes them.
        let mut rng = Rng::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn ranges_are_kept_and_reached() {
        let mut rng = Rng::new(3);
        let seen: std::collections::BTreeSet<u64> = (0..100).map(|_| rng.within(&(5..=7))).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [5, 6, 7]);
        assert_eq!((rng.within(&(4..=4)), rng.below(0)), (4, 0));
        assert!(!rng.happens(0) && rng.happens(1_000_000));
        rng.within(&(0..=u64::MAX));
        assert_eq!(rng.bytes(11).len(), 11);
    }
}
