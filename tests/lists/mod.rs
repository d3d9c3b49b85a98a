//! Lists of operations as bytes, out of fixed seeds.

use handover::testing::Rng;

/// Lists out of the seeds from 0 on.
pub fn lists(count: u64) -> impl Iterator<Item = Vec<u8>> {
    let times = std::env::var("MACHINES_LISTS").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    (0..count * times).map(|seed: u64| {
        let mut rng = Rng::new(seed);
        let length = usize::try_from(rng.below(600)).expect("it is small");
        rng.bytes(length)
    })
}
