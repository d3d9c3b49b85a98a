//! Decisions out of bytes.

use std::string::String;
use std::vec::Vec;

/// A source of decisions: bytes from wherever, taken from the front.
///
/// Nothing here fails. When the bytes are over, every question is answered with zero, which by convention is
/// the simplest answer: so fewer bytes, and smaller ones, give a simpler value, and an engine that knows
/// nothing but bytes shrinks well enough.
///
/// ```
/// use handover::testing::Choices;
///
/// let mut choices = Choices::new(&[3, 0, 200]);
/// assert_eq!(choices.byte(), 3);
/// assert_eq!(choices.pick(&["simple", "odd"]), &"simple");
/// assert!(choices.below(7) < 7);
/// assert!(choices.is_empty());
/// assert_eq!(choices.u32(), 0);
/// ```
#[derive(Clone, Debug)]
pub struct Choices<'a> {
    rest: &'a [u8],
}

/// Asks for an integer of this width, often one at an edge of its range.
macro_rules! integers {
    ($($raw:ident $edge:ident $type:ty;)+) => {$(
        #[doc = concat!("Any `", stringify!($type), "`, all values alike.")]
        pub fn $raw(&mut self) -> $type {
            <$type>::from_le_bytes(self.array())
        }

        #[doc = concat!("Any `", stringify!($type), "`, half of the time one at an edge of its range.")]
        pub fn $edge(&mut self) -> $type {
            match self.byte() {
                0 => 0,
                1..=32 => 1,
                33..=64 => <$type>::MAX,
                65..=96 => <$type>::MAX - 1,
                97..=112 => <$type>::MAX / 2 + 1,
                113..=128 => <$type>::from(self.byte()),
                _ => self.$raw(),
            }
        }
    )+};
}

impl<'a> Choices<'a> {
    /// The decisions that `bytes` hold.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether the bytes are over, so that all further answers are zero.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let (head, rest) = self.rest.split_at(self.rest.len().min(N));
        array[..head.len()].copy_from_slice(head);
        self.rest = rest;
        array
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    integers! {
        u16 edge_u16 u16;
        u32 edge_u32 u32;
        u64 edge_u64 u64;
    }

    /// Yes or no.
    pub fn boolean(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// True about once in `n` times (at most 256), never once the bytes are over.
    pub fn one_in(&mut self, n: usize) -> bool {
        let byte = usize::from(self.byte());
        byte != 0 && (n < 2 || byte % n == n - 1)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let answer = match bound {
            0 | 1 => return 0,
            2..=0x100 => u64::from(self.byte()),
            0x101..=0x1_0000 => u64::from(self.u16()),
            _ => self.u64(),
        };
        usize::try_from(answer % bound as u64).unwrap_or(0)
    }

    /// One of `items`, the first once the bytes are over.
    ///
    /// # Panics
    /// There are no items.
    pub fn pick<'b, T>(&mut self, items: &'b [T]) -> &'b T {
        &items[self.below(items.len())]
    }

    /// A length from 0 to `max`: mostly small, now and then anything, now and then `max` itself.
    pub fn length(&mut self, max: usize) -> usize {
        let byte = usize::from(self.byte());
        match byte {
            0..=239 => (byte % 24).min(max),
            240..=254 => self.below(max.saturating_add(1)),
            _ => max,
        }
    }

    /// Up to `max` bytes. Long ones are filled with a pattern, so that they use up few decisions.
    pub fn bytes(&mut self, max: usize) -> Vec<u8> {
        let length = self.length(max);
        if length > 32 {
            let seed = self.byte();
            return (0..length).map(|at| seed.wrapping_add((at % 251) as u8)).collect();
        }
        (0..length).map(|_| self.byte()).collect()
    }

    /// Text of 1 to `max` characters without NUL.
    pub fn text(&mut self, max: usize) -> String {
        let length = self.length(max).max(1);
        (0..length).map(|_| *self.pick(&['a', 'b', '.', '-', ':', '1', '9', 'Z', 'é', '漢', '=', ','])).collect()
    }

    /// A value of any type that is `Arbitrary`, `None` if the bytes do not suffice.
    #[cfg(feature = "arbitrary")]
    #[cfg_attr(docsrs, doc(cfg(feature = "arbitrary")))]
    pub fn arbitrary<T: arbitrary::Arbitrary<'a>>(&mut self) -> Option<T> {
        let mut unstructured = arbitrary::Unstructured::new(self.rest);
        let value = T::arbitrary(&mut unstructured).ok();
        self.rest = unstructured.take_rest();
        value
    }

    /// Lends the bytes of an [`Unstructured`](arbitrary::Unstructured) to a generator and takes the ones that
    /// it used from there: how a generator becomes an `Arbitrary` implementation.
    ///
    /// # Errors
    /// None today.
    #[cfg(feature = "arbitrary")]
    #[cfg_attr(docsrs, doc(cfg(feature = "arbitrary")))]
    pub fn lend<T>(
        unstructured: &mut arbitrary::Unstructured<'a>,
        generate: impl FnOnce(&mut Self) -> T,
    ) -> arbitrary::Result<T> {
        let all = unstructured.len();
        let mut choices = Self::new(unstructured.peek_bytes(all).unwrap_or_default());
        let value = generate(&mut choices);
        unstructured.bytes(all - choices.remaining())?;
        Ok(value)
    }
}

/// A proptest strategy out of a generator: up to `max_bytes` random bytes are its decisions. It shrinks by
/// dropping bytes and lowering them.
///
/// ```
/// use handover::testing::{Choices, strategy};
/// use proptest::prelude::*;
///
/// let words = strategy(64, |choices: &mut Choices<'_>| choices.text(8));
/// proptest!(|(word in words)| prop_assert!(!word.is_empty()));
/// ```
#[cfg(feature = "proptest")]
#[cfg_attr(docsrs, doc(cfg(feature = "proptest")))]
pub fn strategy<T: core::fmt::Debug>(
    max_bytes: usize,
    generate: impl Fn(&mut Choices<'_>) -> T,
) -> impl proptest::strategy::Strategy<Value = T> {
    use proptest::strategy::Strategy as _;
    proptest::collection::vec(proptest::num::u8::ANY, 0..=max_bytes)
        .prop_map(move |bytes| generate(&mut Choices::new(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_left_means_the_simplest_answer() {
        let mut choices = Choices::new(&[]);
        assert_eq!((choices.byte(), choices.u64(), choices.edge_u32(), choices.below(9)), (0, 0, 0, 0));
        assert!(!choices.boolean() && !choices.one_in(1) && !choices.one_in(3));
        assert_eq!((choices.length(100), choices.bytes(9).len(), choices.text(5)), (0, 0, "a".into()));
    }

    #[test]
    fn edges_come_up_and_bounds_hold() {
        let bytes = super::super::Rng::new(1).bytes(40_000);
        let mut choices = Choices::new(&bytes);
        let seen: std::collections::BTreeSet<u32> = (0..500).map(|_| choices.edge_u32()).collect();
        assert!([1, u32::MAX, u32::MAX - 1, 1 << 31].iter().all(|edge| seen.contains(edge)), "{seen:?}");
        for bound in [1, 2, 256, 257, 65_536, 65_537] {
            assert!((0..100).all(|_| choices.below(bound) < bound));
        }
        assert!((0..1000).any(|_| choices.length(2048) == 2048));
        assert!((0..1000).all(|_| choices.bytes(100).len() <= 100));
        assert!((0..100).any(|_| choices.one_in(2)));
    }

    #[cfg(feature = "arbitrary")]
    #[test]
    fn a_generator_takes_its_bytes_from_the_front() -> arbitrary::Result<()> {
        let mut unstructured = arbitrary::Unstructured::new(&[1, 2, 3, 4, 5, 6]);
        assert_eq!(Choices::lend(&mut unstructured, Choices::u32)?, 0x0403_0201);
        assert_eq!(unstructured.len(), 2);
        let mut choices = Choices::new(&[7, 8]);
        assert_eq!(choices.arbitrary::<u8>(), Some(7));
        assert_eq!(choices.remaining(), 1);
        Ok(())
    }
}
