//! How the benches of all rooms measure one message: in passes over many.

use bytes::BytesMut;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

/// Messages in one pass. A pass in microseconds is a message in nanoseconds.
pub(crate) const PASS: usize = 1000;

/// What a pass consists of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pass {
    Same,
    Varied,
}

/// Both kinds.
pub(crate) const PASSES: [Pass; 2] = [Pass::Same, Pass::Varied];

impl std::fmt::Display for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Same => "same",
            Self::Varied => "varied",
        })
    }
}

impl Pass {
    /// The messages of a pass; `make` gets the number of each.
    pub(crate) fn items<T>(self, make: impl FnMut(usize) -> T) -> Vec<T> {
        match self {
            Self::Same => [0].into_iter().map(make).collect(),
            Self::Varied => (0..PASS).map(make).collect(),
        }
    }
}

/// Times a pass: `work` on each of `items`, round robin.
pub(crate) fn pass<'a, T, R>(bencher: Bencher<'_, '_>, items: &'a [T], work: impl Fn(&'a T) -> R) {
    let round: Vec<&'a T> = items.iter().cycle().take(PASS).collect();
    bencher.counter(ItemsCount::new(PASS)).bench_local(|| {
        for item in &round {
            black_box(&work(black_box(item)));
        }
    });
}

/// A buffer whose place does not depend on what else is on the stack: a store across cache lines costs more.
#[repr(align(64))]
pub(crate) struct Room(pub(crate) [u8; 512]);

/// The same with a buffer that is used again for each message.
pub(crate) fn pass_into<T, R>(bencher: Bencher<'_, '_>, items: &[T], work: impl Fn(&T, &mut [u8]) -> R) {
    let round: Vec<&T> = items.iter().cycle().take(PASS).collect();
    let mut room = Room([0; 512]);
    bencher.counter(ItemsCount::new(PASS)).bench_local(|| {
        for item in &round {
            black_box(&work(black_box(item), black_box(&mut room.0[..])));
        }
    });
}

/// The same with a growable buffer, empty before each message.
pub(crate) fn pass_onto<T, R>(bencher: Bencher<'_, '_>, items: &[T], work: impl Fn(&T, &mut BytesMut) -> R) {
    let round: Vec<&T> = items.iter().cycle().take(PASS).collect();
    let mut buffer = BytesMut::with_capacity(512);
    bencher.counter(ItemsCount::new(PASS)).bench_local(|| {
        for item in &round {
            buffer.clear();
            black_box(&work(black_box(item), black_box(&mut buffer)));
        }
    });
}
