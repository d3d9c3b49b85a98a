//! What was asked for, what was carried out, and whether the two agree.

use handover::deferral::RequestId;
use handover::deferral::client::Outcome;
use handover::deferral::message::RequestKey;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A command that a server has begun to carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    pub server: char,
    pub read_only: bool,
    pub state: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Begun,
    Finished,
    /// Nobody wanted it any more, and it changes nothing.
    Dropped,
    /// Its server was killed.
    Killed,
}

/// How a request has ended, as its client sees it.
#[derive(Clone, Debug)]
pub struct Ending {
    pub id: RequestId,
    pub command: &'static str,
    /// The last command of its chain.
    pub epoch: u16,
    pub outcome: Result<Outcome, String>,
    /// Which server that names.
    pub server: Option<char>,
    /// Whether the result is the right one.
    pub intact: bool,
    /// How often a server was dialled, and what came of each.
    pub contacts: usize,
    pub walk: Vec<String>,
    pub time: Duration,
}

/// What servers and clients have noted.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Notes>>);

#[derive(Default)]
struct Notes {
    executions: BTreeMap<RequestKey, Vec<Execution>>,
    asked: usize,
    endings: Vec<Ending>,
    killed: Vec<char>,
    errors: Vec<String>,
}

impl Ledger {
    pub fn begin(&self, server: char, key: RequestKey, read_only: bool) {
        let execution = Execution { server, read_only, state: Progress::Begun };
        self.locked().executions.entry(key).or_default().push(execution);
    }

    /// The execution of a request by a server has come to an end.
    pub fn end(&self, server: char, key: RequestKey, state: Progress) {
        let mut notes = self.locked();
        let mut those = notes.executions.get_mut(&key).into_iter().flatten();
        if let Some(execution) = those.find(|one| one.server == server && one.state == Progress::Begun) {
            execution.state = state;
        }
    }

    /// A server is no more.
    pub fn killed(&self, server: char) {
        let mut notes = self.locked();
        notes.killed.push(server);
        for execution in notes.executions.values_mut().flatten() {
            if execution.server == server && execution.state == Progress::Begun {
                execution.state = Progress::Killed;
            }
        }
    }

    /// A client sets out.
    pub fn ask(&self) {
        self.locked().asked += 1;
    }

    pub fn ended(&self, ending: Ending) {
        self.locked().endings.push(ending);
    }

    /// Something was refused that should not have been.
    pub fn error(&self, error: String) {
        self.locked().errors.push(error);
    }

    /// How many have asked, and how many of them are through.
    pub fn progress(&self) -> (usize, usize) {
        let notes = self.locked();
        (notes.asked, notes.endings.len())
    }

    pub fn report(&self) -> Report {
        let notes = self.locked();
        Report::new(&notes)
    }

    fn locked(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How it all adds up.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub asked: usize,
    pub served: usize,
    /// Served requests, by the server that has carried out the last command.
    pub by_server: BTreeMap<char, usize>,
    /// How often servers were dialled for each request, in order of size.
    pub contacts: Vec<usize>,
    /// How long each request took that was served, in order of size.
    pub times: Vec<Duration>,
    /// What came of each contact of the longest walk.
    pub longest: Vec<String>,
    /// Served requests whose link was lost on the way: their server was asked again.
    pub came_again: usize,
    /// Commands that change nothing and were begun anew elsewhere.
    pub begun_anew: usize,
    /// Requests of which nobody knows.
    pub indeterminate: Indeterminate,
    /// What is wrong.
    pub lost: Vec<String>,
    pub twice: Vec<String>,
    pub errors: Vec<String>,
}

/// What has really become of the requests of which the clients say that nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indeterminate {
    pub not_begun: usize,
    pub cut: usize,
    pub carried_out: usize,
}

impl Indeterminate {
    pub const fn all(self) -> usize {
        self.not_begun + self.cut + self.carried_out
    }
}

impl Report {
    fn new(notes: &Notes) -> Self {
        let mut report = Self { asked: notes.asked, errors: notes.errors.clone(), ..Self::default() };
        for (key, those) in &notes.executions {
            report.check_executions(*key, those);
        }
        for ending in &notes.endings {
            report.check_ending(ending, notes);
            report.contacts.push(ending.contacts);
            if ending.walk.len() > report.longest.len() {
                report.longest.clone_from(&ending.walk);
            }
        }
        let silent = notes.asked.saturating_sub(notes.endings.len());
        if silent > 0 {
            report.lost.push(format!("{silent} requests have not ended"));
        }
        report.contacts.sort_unstable();
        report.times.sort_unstable();
        report
    }

    fn check_executions(&mut self, key: RequestKey, those: &[Execution]) {
        let finished = those.iter().filter(|one| one.state == Progress::Finished).count();
        // What changes something is never begun twice; what changes nothing may begin anew if it did not come to an end.
        let twice = if those.iter().any(|one| !one.read_only) { those.len() > 1 } else { finished > 1 };
        if twice {
            self.twice.push(format!("{key:?}: {those:?}"));
        } else {
            self.begun_anew += those.len() - 1;
        }
        if those.iter().any(|one| one.state == Progress::Begun) {
            self.lost.push(format!("{key:?} is still being carried out"));
        }
    }

    fn check_ending(&mut self, ending: &Ending, notes: &Notes) {
        let key = |epoch| RequestKey { id: ending.id, epoch };
        let of = |epoch| notes.executions.get(&key(epoch)).map_or(&[][..], Vec::as_slice);
        let finished = |epoch| of(epoch).iter().find(|one| one.state == Progress::Finished);
        let mut lost = |what: &str| self.lost.push(format!("{:?} {}: {what}", key(ending.epoch), ending.command));
        match &ending.outcome {
            Ok(Outcome::Done { status: 0, complete, .. }) => {
                let by = finished(ending.epoch).map(|one| one.server);
                if (0..ending.epoch).any(|epoch| finished(epoch).is_none()) {
                    lost("a command of its chain was not carried out");
                } else if by.is_none() || by != ending.server {
                    lost("it was not carried out by whom its client thinks");
                } else if *complete && !ending.intact {
                    lost("its result is wrong");
                } else {
                    self.served += 1;
                    self.came_again += usize::from(!complete);
                    *self.by_server.entry(by.unwrap_or_default()).or_default() += 1;
                    self.times.push(ending.time);
                }
            }
            Ok(Outcome::Indeterminate { .. })
                if !ending.server.is_some_and(|server| notes.killed.contains(&server)) =>
            {
                lost("nobody knows, and its server was not killed");
            }
            Ok(Outcome::Indeterminate { .. }) => match of(ending.epoch) {
                [] => self.indeterminate.not_begun += 1,
                [one] if one.state == Progress::Finished => self.indeterminate.carried_out += 1,
                [one] if one.state == Progress::Killed => self.indeterminate.cut += 1,
                _ => lost("nobody knows, and it does not look cut"),
            },
            Ok(outcome) => lost(&format!("{outcome:?}")),
            Err(error) => lost(error),
        }
    }

    /// What is wrong, if anything is.
    pub fn problem(&self) -> Option<String> {
        let all = [("lost", &self.lost), ("run twice", &self.twice), ("errors", &self.errors)];
        let (what, those) = all.into_iter().find(|(_, those)| !those.is_empty())?;
        Some(format!("{} {what}, the first: {}", those.len(), those[0]))
    }

    pub fn print(&self) {
        let each: Vec<String> = self.by_server.iter().map(|(server, count)| format!("{server} {count}")).collect();
        let mean = self.contacts.iter().sum::<usize>() as f64 / self.contacts.len().max(1) as f64;
        let most = self.contacts.last().copied().unwrap_or(0);
        let p99 = percentile(&self.contacts, 99).unwrap_or(0);
        let time = |percent| percentile(&self.times, percent).unwrap_or_default().as_secs_f64() * 1000.0;
        println!("requests              {:>7}", self.asked);
        println!("served                {:>7}   ({})", self.served, each.join(", "));
        println!("  came again          {:>7}   (their link was lost on the way)", self.came_again);
        println!("contacts for each     {mean:>9.1} mean, {p99} p99, {most} most");
        println!("time for each         {:>7.0} ms median, {:.0} ms p99", time(50), time(99));
        let Indeterminate { not_begun, cut, carried_out } = self.indeterminate;
        println!(
            "nobody knows          {:>7}   (in the killed server: {not_begun} not begun, {cut} cut, {carried_out} \
             carried out, none twice)",
            self.indeterminate.all()
        );
        println!("begun anew            {:>7}   (they change nothing, and their link was lost)", self.begun_anew);
        println!("lost                  {:>7}", self.lost.len());
        println!("run twice             {:>7}", self.twice.len());
        println!("longest walk          {}", self.longest.join(", "));
    }
}

/// The smallest of sorted values that is as large as so many of a hundred of them.
fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied()
}
