//! The lines of the contract, each a function over a script.

use super::script::Script;
use super::{Attempt, Broken, OutputOf, Subject};
use crate::error::{Error, Misuse};
use crate::machine::Machine;
use crate::time::Instant;
use core::hash::{Hash, Hasher};
use core::time::Duration;
use std::collections::BTreeSet;
use std::vec::Vec;

/// Most timeout inputs that one deadline may need, and most inputs to wind an attempt down.
const ROUNDS: usize = 1024;

/// How many inputs a machine is fed without a drain.
const INPUTS: usize = 4096;

/// With so many machines that were equal one is compared, the latest ones.
const TWINS: usize = 4;

/// Beyond what the machine has seen, the latest time counts: but not that of a misuse, which changes nothing.
fn accepted(last: Instant, now: Instant, result: Result<(), Error>) -> Instant {
    if matches!(result, Err(Error::Misuse(_))) { last } else { last.max(now) }
}

/// What one replay gave.
struct Replay<S: Subject> {
    results: Vec<Result<(), Error>>,
    outputs: Vec<OutputOf<S>>,
    machine: S::Machine,
}

/// Replays a script, drained behind the steps for which `drain_behind` is true, and at the end.
fn replay<S: Subject>(script: &Script<S>, drain_behind: impl Fn(usize) -> bool) -> Result<Replay<S>, Broken> {
    let mut run = Replay { results: Vec::new(), outputs: Vec::new(), machine: script.machine.clone() };
    let mut undrained = 0;
    for (at, step) in script.steps.iter().enumerate() {
        undrained += 1;
        let mut result = script.feed(&mut run.machine, at, step.now);
        if matches!(result, Err(Error::Misuse(Misuse::Limit(_)))) && undrained > 1 {
            // A full queue is the one thing that may differ: drain it and offer the input again.
            run.outputs.extend(script.drain(&mut run.machine, at, undrained)?);
            undrained = 1;
            result = script.feed(&mut run.machine, at, step.now);
        }
        run.results.push(result);
        if drain_behind(at) {
            run.outputs.extend(script.drain(&mut run.machine, at, undrained)?);
            undrained = 0;
        }
    }
    let last = script.steps.len();
    run.outputs.extend(script.drain(&mut run.machine, last, undrained)?);
    Ok(run)
}

/// Says where two replays differ.
fn same<S: Subject>(script: &Script<S>, line: u8, what: &str, one: &Replay<S>, two: &Replay<S>) -> Result<(), Broken> {
    if let Some(at) = (0..one.results.len()).find(|&at| one.results[at] != two.results[at]) {
        let (one, two) = (&one.results[at], &two.results[at]);
        return Err(script.broken(line, at, format_args!("{what}: the last input gives {one:?} or {two:?}")));
    }
    let last = script.steps.len();
    let most = one.outputs.len().max(two.outputs.len());
    if let Some(at) = (0..most).find(|&at| one.outputs.get(at) != two.outputs.get(at)) {
        let (one, two) = (one.outputs.get(at), two.outputs.get(at));
        return Err(script.broken(line, last, format_args!("{what}: output {at} is {one:?} or {two:?}")));
    }
    if one.machine != two.machine {
        let (one, two) = (&one.machine, &two.machine);
        return Err(script.broken(line, last, format_args!("{what}: it ends as {one:?} or {two:?}")));
    }
    Ok(())
}

/// Line 1: drained after each input, now and then, or only at the end, a machine gives the same.
///
/// # Errors
/// It does not.
pub fn draining<S: Subject>(script: &Script<S>) -> Result<(), Broken> {
    let each = replay(script, |_| true)?;
    same(script, 1, "drained after each input, or only at the end", &each, &replay(script, |_| false)?)?;
    same(script, 1, "drained after each input, or after every third", &each, &replay(script, |at| at % 3 == 2)?)
}

/// Line 2: `poll_timeout` agrees with the timeout input.
///
/// Early calls change nothing; calls that are due do something, until the deadline has moved on or is gone;
/// then further calls change nothing. In a terminal state there is no deadline.
///
/// # Errors
/// It does not.
pub fn timeouts<S: Subject>(script: &Script<S>) -> Result<(), Broken> {
    let mut machine = script.machine.clone();
    let mut last = Instant::ZERO;
    for (at, step) in script.steps.iter().enumerate() {
        let result = script.feed(&mut machine, at, step.now);
        last = accepted(last, step.now, result);
        script.drain(&mut machine, at, 1)?;
        let deadline = machine.poll_timeout();
        if S::is_terminal(&machine) && deadline.is_some() {
            return Err(script.broken(2, at, format_args!("there is a deadline in a terminal state: {deadline:?}")));
        }
        let look = Look { script, at };
        match deadline {
            None => {
                look.quiet(&machine, last, true)?;
                look.quiet(&machine, last.saturating_add(Duration::from_secs(86_400)), false)?;
            }
            Some(deadline) => {
                if deadline > last {
                    look.quiet(&machine, last, true)?;
                }
                let before = Instant::from_micros(deadline.as_micros().saturating_sub(1));
                let due = deadline.max(last);
                if before > last {
                    let early = look.quiet(&machine, before, false)?;
                    look.same_when_due(&machine, &early, due)?;
                }
                look.progress(machine.clone(), due)?;
                look.progress(machine.clone(), due.saturating_add(Duration::from_secs(1)))?;
            }
        }
    }
    Ok(())
}

/// A place in a script at which the timeout input is tried out.
struct Look<'s, S: Subject> {
    script: &'s Script<S>,
    at: usize,
}

impl<S: Subject> Look<'_, S> {
    /// The timeout input at `now` must change nothing; not even the remembered time, if `exact`. The machine
    /// after it.
    fn quiet(&self, machine: &S::Machine, now: Instant, exact: bool) -> Result<S::Machine, Broken> {
        let mut after = machine.clone();
        let result = after.handle(now, S::timeout());
        let may_refuse = S::is_terminal(machine) && matches!(result, Err(Error::Misuse(_)));
        let outputs = self.script.drain(&mut after, self.at, 1)?;
        let why = if result.is_err() && !may_refuse {
            std::format!("gives {result:?}")
        } else if let Some(output) = outputs.first() {
            std::format!("gives {output:?}")
        } else if after.poll_timeout() != machine.poll_timeout() {
            std::format!("moves the deadline to {:?}", after.poll_timeout())
        } else if after.state() != machine.state() || (exact && after != *machine) {
            std::format!("leads to {after:?}")
        } else {
            return Ok(after);
        };
        let due = machine.poll_timeout();
        Err(self.script.broken(2, self.at, format_args!("then the timeout input at {now:?}, due {due:?}, {why}")))
    }

    /// An early call beforehand makes no difference to the one that is due.
    fn same_when_due(&self, machine: &S::Machine, early: &S::Machine, due: Instant) -> Result<(), Broken> {
        let (mut without, mut with) = (machine.clone(), early.clone());
        let results = (without.handle(due, S::timeout()), with.handle(due, S::timeout()));
        let outputs = (self.script.drain(&mut without, self.at, 1)?, self.script.drain(&mut with, self.at, 1)?);
        if results.0 != results.1 || outputs.0 != outputs.1 || without != with {
            let why = format_args!("then an early timeout input makes a difference: {without:?} or {with:?}");
            return Err(self.script.broken(2, self.at, why));
        }
        Ok(())
    }

    /// At `now`, when a deadline is due, timeout inputs get somewhere and come to an end.
    fn progress(&self, mut machine: S::Machine, now: Instant) -> Result<(), Broken> {
        for _ in 0..ROUNDS {
            let (state, deadline) = (machine.state(), machine.poll_timeout());
            if deadline.is_none_or(|deadline| deadline > now) {
                return self.quiet(&machine, now, true).map(|_| ());
            }
            let result = machine.handle(now, S::timeout());
            let outputs = self.script.drain(&mut machine, self.at, 1)?;
            if result.is_err() {
                let why = format_args!("then the timeout input at {now:?}, due {deadline:?}, gives {result:?}");
                return Err(self.script.broken(2, self.at, why));
            }
            if outputs.is_empty() && machine.state() == state && machine.poll_timeout() == deadline {
                let why = format_args!("then the timeout input at {now:?}, due {deadline:?}, does nothing");
                return Err(self.script.broken(2, self.at, why));
            }
        }
        let why = format_args!("then after {ROUNDS} timeout inputs at {now:?} the next one is still due");
        Err(self.script.broken(2, self.at, why))
    }
}

/// Line 3: misuse changes nothing; a violation is said once, with names, and loses nothing that waits.
///
/// # Errors
/// It is not so.
pub fn errors<S: Subject>(script: &Script<S>) -> Result<(), Broken> {
    let mut machine = script.machine.clone();
    for (at, step) in script.steps.iter().enumerate() {
        let before = machine.clone();
        match script.feed(&mut machine, at, step.now) {
            Ok(()) => {}
            Err(Error::Misuse(misuse)) if machine != before => {
                let why = format_args!("misuse ({misuse}) changed the machine from {before:?} to {machine:?}");
                return Err(script.broken(3, at, why));
            }
            Err(Error::Misuse(_)) => {}
            Err(Error::Violation(violation)) => {
                if violation.state.is_empty() || violation.expected.is_empty() || violation.got.is_empty() {
                    return Err(script.broken(3, at, format_args!("the violation does not say all: {violation:?}")));
                }
                let waited = script.drain(&mut before.clone(), at, script.steps.len())?;
                let waits = script.drain(&mut machine.clone(), at, script.steps.len())?;
                if !waits.starts_with(&waited) {
                    let why = format_args!("after the violation {waits:?} waits, before it {waited:?} did");
                    return Err(script.broken(3, at, why));
                }
                let again = script.feed(&mut machine.clone(), at, step.now);
                if matches!(again, Err(Error::Violation(_))) {
                    return Err(script.broken(3, at, format_args!("the same violation is said again: {again:?}")));
                }
            }
        }
        if at % 4 == 3 {
            script.drain(&mut machine, at, script.steps.len())?;
        }
    }
    Ok(())
}

/// Line 5: time going backwards is clamped, and queues are bounded.
///
/// # Errors
/// A machine that is told the clamped time itself does otherwise, or more outputs wait than may.
pub fn clock<S: Subject>(script: &Script<S>) -> Result<(), Broken> {
    let raw: Vec<Instant> = script.steps.iter().map(|step| step.now).collect();
    let rewound = raw.iter().enumerate().map(|(at, &now)| if at % 2 == 1 { Instant::ZERO } else { now }).collect();
    for times in [raw, rewound] {
        let mut strange = Replay::<S> { results: Vec::new(), outputs: Vec::new(), machine: script.machine.clone() };
        let mut clamped = Replay::<S> { results: Vec::new(), outputs: Vec::new(), machine: script.machine.clone() };
        let mut last = Instant::ZERO;
        for (at, &now) in times.iter().enumerate() {
            strange.results.push(script.feed(&mut strange.machine, at, now));
            strange.outputs.extend(script.drain(&mut strange.machine, at, 1)?);
            // A timeout input that is not due changes nothing, so that a machine may forget its time, too.
            let due = clamped.machine.poll_timeout().is_some_and(|deadline| deadline <= now.max(last));
            let result = script.feed(&mut clamped.machine, at, now.max(last));
            clamped.results.push(result);
            clamped.outputs.extend(script.drain(&mut clamped.machine, at, 1)?);
            if due || script.steps[at].input.is_some() {
                last = accepted(last, now, result);
            }
        }
        same(script, 5, "told times that go backwards, or the same times clamped", &strange, &clamped)?;
    }
    queue(script)
}

/// Repeated, a day later each time, and never drained: what waits stays below the subject's bound.
fn queue<S: Subject>(script: &Script<S>) -> Result<(), Broken> {
    let mut machine = script.machine.clone();
    let rounds = INPUTS / script.steps.len().max(1);
    for round in 0..u32::try_from(rounds).unwrap_or(0) {
        for (at, step) in script.steps.iter().enumerate() {
            // What it says is looked at by the other checks.
            let _ = script.feed(&mut machine, at, step.now.saturating_add(Duration::from_secs(86_400) * round));
        }
    }
    let waiting = core::iter::from_fn(|| machine.poll_output()).take(S::QUEUE.saturating_add(1)).count();
    if waiting > S::QUEUE {
        let why = format_args!("repeated without a drain, more than {} outputs wait", S::QUEUE);
        return Err(script.broken(5, script.steps.len(), why));
    }
    Ok(())
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Line 6: a clone is equal, hashes alike, prints alike and goes its own way; equal machines behave alike.
///
/// # Errors
/// It is not so.
pub fn values<S: Subject>(script: &Script<S>) -> Result<(), Broken> {
    let mut machine = script.machine.clone();
    let mut last = Instant::ZERO;
    let mut past: Vec<S::Machine> = Vec::new();
    for (at, step) in script.steps.iter().enumerate() {
        // What a timeout input leaves equal has to be the same.
        let mut twin = machine.clone();
        let _ = twin.handle(last, S::timeout());
        past.push(twin);
        let (clone, hash, text) = (machine.clone(), hash_of(&machine), std::format!("{machine:?}"));
        if clone != machine || hash_of(&clone) != hash || std::format!("{clone:?}") != text {
            return Err(script.broken(6, at, format_args!("before it, {machine:?} and its clone {clone:?} differ")));
        }
        if let Some(twin) = past.iter().find(|&twin| *twin == machine && hash_of(twin) != hash) {
            return Err(script.broken(6, at, format_args!("before it, {twin:?} is equal and has another hash")));
        }
        let result = script.feed(&mut machine, at, step.now);
        last = accepted(last, step.now, result);
        if hash_of(&clone) != hash || std::format!("{clone:?}") != text {
            return Err(script.broken(6, at, format_args!("it changed a clone of the machine, too: {clone:?}")));
        }
        // A machine that nothing changes has very many.
        for twin in past.iter().rev().filter(|&twin| *twin == clone).take(TWINS) {
            let (mut one, mut two) = (machine.clone(), twin.clone());
            let other = script.feed(&mut two, at, step.now);
            let outputs = (script.drain(&mut one, at, 1)?, script.drain(&mut two, at, 1)?);
            if other != result || outputs.0 != outputs.1 || one != two {
                let why = format_args!("{twin:?} was equal before it, {two:?} and {one:?} differ behind it");
                return Err(script.broken(6, at, why));
            }
        }
        past.push(clone);
        script.drain(&mut machine, at, 1)?;
    }
    Ok(())
}

/// Line 7: every attempt that starts ends exactly once, and no number is used twice.
///
/// Behind the script come the subject's inputs to wind down, and every deadline.
///
/// # Errors
/// It is not so.
pub fn attempts<S: Subject>(script: &Script<S>) -> Result<(), Broken> {
    let mut subject = script.subject.clone();
    let mut machine = script.machine.clone();
    let mut ledger = Ledger::default();
    let mut last = Instant::ZERO;
    for (at, step) in script.steps.iter().enumerate() {
        let result = script.feed(&mut machine, at, step.now);
        last = accepted(last, step.now, result);
        ledger.book(script, at, &mut subject, &mut machine)?;
    }
    let end = script.steps.len();
    for _ in 0..ROUNDS {
        if let Some(input) = subject.wind_down(&machine) {
            // An input that makes no sense any more is no fault.
            let _ = machine.handle(last, S::lend(&input));
        } else if ledger.open.is_empty() {
            return Ok(());
        } else if let Some(deadline) = machine.poll_timeout() {
            last = last.max(deadline);
            let _ = machine.handle(last, S::timeout());
        } else {
            break;
        }
        ledger.book(script, end, &mut subject, &mut machine)?;
    }
    match ledger.open.first() {
        None => Ok(()),
        Some(open) => {
            let why = format_args!("wound down, attempt {open} has not ended, and {machine:?} waits for nothing");
            Err(script.broken(7, end, why))
        }
    }
}

/// Which attempts have started and ended.
#[derive(Default)]
struct Ledger {
    seen: BTreeSet<u64>,
    open: BTreeSet<u64>,
}

impl Ledger {
    fn book<S: Subject>(
        &mut self,
        script: &Script<S>,
        at: usize,
        subject: &mut S,
        machine: &mut S::Machine,
    ) -> Result<(), Broken> {
        for output in script.drain(machine, at, 1)? {
            subject.observe(&output);
            match S::attempt(&output) {
                None => {}
                Some(Attempt::Started(number)) => {
                    if !self.seen.insert(number) {
                        return Err(script.broken(7, at, format_args!("attempt {number} has started twice")));
                    }
                    self.open.insert(number);
                    if self.open.len() > S::OPEN_ATTEMPTS {
                        return Err(script.broken(7, at, format_args!("attempts {:?} are open at once", self.open)));
                    }
                }
                Some(Attempt::Ended(number)) if !self.open.remove(&number) => {
                    return Err(script.broken(7, at, format_args!("attempt {number} ends and is not open")));
                }
                Some(Attempt::Ended(_)) => {}
            }
        }
        Ok(())
    }
}

/// Line 8: nothing panics or runs away, whatever the time is and however the machine is drained.
///
/// # Errors
/// One input gives more outputs than the subject allows. (A panic is caught by
/// [`check_one`](super::check_one).)
pub fn robustness<S: Subject>(script: &Script<S>) -> Result<(), Broken> {
    replay(script, |_| true)?;
    let edges = [Instant::from_micros(u64::MAX), Instant::ZERO, Instant::from_micros(u64::MAX - 1)];
    for first in 0..edges.len() {
        let mut machine = script.machine.clone();
        for at in 0..script.steps.len() {
            let _ = script.feed(&mut machine, at, edges[(first + at) % edges.len()]);
            let _ = (machine.poll_timeout(), machine.state(), S::is_terminal(&machine));
            if at % 2 == 0 {
                script.drain(&mut machine, at, 2)?;
            }
        }
    }
    Ok(())
}
