//! Time as an argument: the crate never reads a clock.

use core::time::Duration;

/// A point in time: microseconds since an epoch that the caller chooses.
///
/// Only differences mean anything. All arithmetic saturates, so a strange clock can make a deadline
/// late, never a panic.
///
/// ```
/// use core::time::Duration;
/// use handover::time::Instant;
///
/// let start = Instant::from_micros(5);
/// let later = start.saturating_add(Duration::from_millis(1));
/// assert_eq!(later.saturating_duration_since(start), Duration::from_millis(1));
/// assert_eq!(start.saturating_duration_since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Instant(u64);

impl Instant {
    /// The caller's epoch.
    pub const ZERO: Self = Self(0);

    /// The point `micros` microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The point `duration` later, or the last representable one. Parts of a microsecond are rounded up,
    /// so that a deadline is never early.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        let micros = duration.as_nanos().div_ceil(1_000);
        Self(self.0.saturating_add(u64::try_from(micros).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Maps the operating system's monotonic clock to [`Instant`].
///
/// ```
/// let clock = handover::time::Clock::start();
/// let first = clock.now();
/// assert!(clock.now() >= first);
/// ```
#[cfg(feature = "std")]
#[cfg_attr(docsrs, doc(cfg(feature = "std")))]
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    base: std::time::Instant,
}

#[cfg(feature = "std")]
impl Clock {
    /// A clock whose epoch is now.
    #[must_use]
    pub fn start() -> Self {
        Self { base: std::time::Instant::now() }
    }

    /// The time since the epoch.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::ZERO.saturating_add(self.base.elapsed())
    }

    /// How long to sleep until `deadline`; zero if it has passed.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Duration {
        deadline.saturating_duration_since(self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_never_early_and_never_wrap() {
        let at = Instant::from_micros(1);
        assert_eq!(at.saturating_add(Duration::from_nanos(1)).as_micros(), 2);
        assert_eq!(at.saturating_add(Duration::MAX).as_micros(), u64::MAX);
    }
}
