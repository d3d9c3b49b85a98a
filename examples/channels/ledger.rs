//! What was sent, and what has become of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// For all traffic to be through: ample, it is a matter of seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// Messages or requests that are numbered from 1.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    pub name: String,
    /// Whether answers are wanted.
    pub asks: bool,
    /// The last number that was sent.
    pub sent: u32,
    /// How many have arrived, by site.
    pub arrived: BTreeMap<&'static str, Arrivals>,
    seen: Vec<bool>,
    pub doubled: u32,
    /// Whose parts are not what was sent.
    pub spoiled: u32,
    /// Right answers.
    pub answered: u32,
    /// What has become of the others, and of messages that were dropped.
    pub failed: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    pub count: u32,
    last: u32,
    /// How many have come behind a later one.
    pub late: u32,
}

impl Stream {
    /// How many have arrived, each counted once.
    pub fn through(&self) -> u32 {
        self.arrived.values().map(|arrivals| arrivals.count).sum()
    }

    /// How many have not arrived anywhere.
    pub fn lost(&self) -> u32 {
        self.sent.saturating_sub(self.through())
    }

    fn late(&self) -> u32 {
        self.arrived.values().map(|arrivals| arrivals.late).sum()
    }

    /// Whether there is nothing to be waited for.
    fn is_through(&self, count: u32) -> bool {
        let answered = if self.asks { self.answered } else { count };
        (self.sent == count && self.through() == count && answered == count) || !self.failed.is_empty()
    }

    /// Something has arrived at `site`.
    pub fn arrive(&mut self, site: &'static str, number: u32, intact: bool) {
        let index = number as usize;
        if self.seen.len() <= index {
            self.seen.resize(index + 1, false);
        }
        if std::mem::replace(&mut self.seen[index], true) {
            self.doubled += 1;
            return;
        }
        let arrivals = self.arrived.entry(site).or_default();
        arrivals.count += 1;
        arrivals.late += u32::from(number < arrivals.last);
        arrivals.last = arrivals.last.max(number);
        self.spoiled += u32::from(!intact);
    }

    fn problem(&self) -> Option<String> {
        let counts = [
            ("lost", self.lost()),
            ("doubled", self.doubled),
            ("out of order", self.late()),
            ("spoiled", self.spoiled),
            ("not answered", if self.asks { self.sent - self.answered } else { 0 }),
        ];
        let bad = counts.iter().find(|(_, count)| *count > 0);
        let failed = self.failed.first().map(|what| format!("{}: {what}", self.name));
        failed.or_else(|| bad.map(|(what, count)| format!("{}: {count} {what}", self.name)))
    }
}

/// All streams, by letter. Whoever sends or takes something notes it here.
#[derive(Clone, Default)]
pub struct Ledger(Arc<(Mutex<BTreeMap<char, Stream>>, Condvar)>);

impl Ledger {
    pub fn open(&self, letter: char, name: &str, asks: bool) {
        let stream = Stream { name: name.to_owned(), asks, ..Stream::default() };
        self.locked().insert(letter, stream);
    }

    /// Notes something.
    pub fn note(&self, letter: char, note: impl FnOnce(&mut Stream)) {
        if let Some(stream) = self.locked().get_mut(&letter) {
            note(stream);
        }
        self.0.1.notify_all();
    }

    /// Waits until a stream is as far as `is` says.
    pub fn wait(&self, letter: char, is: impl Fn(&Stream) -> bool) -> Result<(), String> {
        let not_yet = |streams: &mut BTreeMap<char, Stream>| !streams.get(&letter).is_some_and(&is);
        let waited = self.0.1.wait_timeout_while(self.locked(), PATIENCE, not_yet);
        let (streams, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        match timeout.timed_out() {
            true => Err(format!("this goes no further: {:?}", streams.get(&letter))),
            false => Ok(()),
        }
    }

    /// Waits until `count` of each stream have arrived and are answered, or something has failed.
    pub fn wait_through(&self, count: u32) -> Result<(), String> {
        let letters: Vec<char> = self.locked().keys().copied().collect();
        letters.into_iter().try_for_each(|letter| self.wait(letter, |stream| stream.is_through(count)))
    }

    pub fn report(&self, since: Instant, notes: Vec<String>) -> Report {
        let streams = self.locked().values().cloned().collect();
        Report { streams, time: since.elapsed(), notes }
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<char, Stream>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has happened.
pub struct Report {
    pub streams: Vec<Stream>,
    pub time: Duration,
    pub notes: Vec<String>,
}

impl Report {
    /// What is wrong with it, if anything is.
    pub fn problem(&self) -> Option<String> {
        self.streams.iter().find_map(Stream::problem)
    }

    pub fn print(&self) -> Result<(), String> {
        for note in &self.notes {
            println!("{note}");
        }
        println!("\n{:<26}{:>8}{:>8}{:>8}{:>10}{:>6}{:>9}", "", "sent", "at A", "at B", "answered", "lost", "doubled");
        for stream in &self.streams {
            let at = |site| stream.arrived.get(site).map_or(0, |arrivals| arrivals.count);
            let answered = if stream.asks { stream.answered.to_string() } else { "-".to_owned() };
            let (name, sent, lost, doubled) = (&stream.name, stream.sent, stream.lost(), stream.doubled);
            println!("{name:<26}{sent:>8}{:>8}{:>8}{answered:>10}{lost:>6}{doubled:>9}", at("A"), at("B"));
        }
        let all: u32 = self.streams.iter().map(Stream::through).sum();
        println!("\n{all} messages and requests in {:.3} s", self.time.as_secs_f64());
        self.problem().map_or(Ok(()), Err)
    }
}
