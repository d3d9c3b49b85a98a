//! What a party has seen and done, in order: tests wait on it, and print it when they wait in vain.

use handover::time::Instant;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long any one thing may take: ample, machines that run tests are busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A note and when, by the clock of the party, it was written.
type Entry<N> = (Instant, N);

/// The notes of one party.
pub struct Log<N> {
    name: String,
    notes: Arc<(Mutex<Vec<Entry<N>>>, Condvar)>,
}

impl<N> Clone for Log<N> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), notes: Arc::clone(&self.notes) }
    }
}

impl<N: Clone + Debug> Log<N> {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), notes: Arc::default() }
    }

    pub fn push(&self, now: Instant, note: N) {
        self.locked().push((now, note));
        self.notes.1.notify_all();
    }

    /// All notes so far.
    pub fn all(&self) -> Vec<N> {
        self.locked().iter().map(|(_, note)| note.clone()).collect()
    }

    /// A point in time for [`Log::wait_after`].
    pub fn mark(&self) -> usize {
        self.locked().len()
    }

    /// Waits for a note that `find` finds something in. One that was there before the call counts.
    #[track_caller]
    pub fn wait<T>(&self, what: &str, find: impl FnMut(&N) -> Option<T>) -> T {
        self.wait_after(0, what, find)
    }

    /// The same, for notes behind `mark` only.
    #[track_caller]
    pub fn wait_after<T>(&self, mark: usize, what: &str, find: impl FnMut(&N) -> Option<T>) -> T {
        self.look(mark, PATIENCE, find).unwrap_or_else(|| panic!("{}: {what} did not come\n{self}", self.name))
    }

    /// The same, for a time of the caller's choice; `None` when it is up.
    pub fn look<T>(&self, mark: usize, time: Duration, mut find: impl FnMut(&N) -> Option<T>) -> Option<T> {
        let (mut from, end) = (mark, std::time::Instant::now() + time);
        let mut entries = self.locked();
        loop {
            if let Some(found) = entries[from..].iter().find_map(|(_, note)| find(note)) {
                return Some(found);
            }
            from = entries.len();
            let left = end.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return None;
            }
            let waited = self.notes.1.wait_timeout_while(entries, left, |entries| entries.len() <= from);
            entries = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// When the first note was written that `is` accepts.
    pub fn time_of(&self, mut is: impl FnMut(&N) -> bool) -> Option<Instant> {
        self.locked().iter().find(|(_, note)| is(note)).map(|(at, _)| *at)
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Entry<N>>> {
        self.notes.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<N: Debug> std::fmt::Display for Log<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entries = self.notes.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = entries.iter().fold(String::new(), |mut lines, (at, note)| {
            let _ = writeln!(lines, "{:>10.3} ms  {note:?}", at.as_micros() as f64 / 1000.0);
            lines
        });
        write!(f, "notes of {}:\n{lines}", self.name)
    }
}
