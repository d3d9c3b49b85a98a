//! How far counts are from even.

/// The chi-square statistic of counts that should all be the same.
pub(crate) fn statistic(counts: &[u64]) -> f64 {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum()
}

/// What it exceeds once in ten thousand times, by chance, with so many degrees of freedom (Wilson and Hilferty's
/// approximation).
pub(crate) fn bound(freedom: usize) -> f64 {
    let share = 2.0 / (9.0 * freedom as f64);
    freedom as f64 * (1.0 - share + 3.719 * share.sqrt()).powi(3)
}

#[test]
fn the_bound_is_that_of_the_tables() {
    for (freedom, table) in [(3, 21.108), (7, 29.878), (23, 57.8)] {
        assert!((bound(freedom) - table).abs() < 0.04 * table, "{freedom}: {}", bound(freedom));
    }
}

#[test]
fn what_is_not_even_is_found_out() {
    assert!(statistic(&[1000, 1000, 1000, 1200]) > bound(3));
    assert!(statistic(&[1000, 1020, 990, 1010]) < bound(3));
}
