//! Scripts: the inputs that one list of bytes stands for, and their replay.

use super::{Broken, Check, OutputOf, Subject};
use crate::error::Error;
use crate::machine::Machine;
use crate::testing::Choices;
use crate::time::Instant;
use core::fmt::{self, Write as _};
use core::time::Duration;
use std::boxed::Box;
use std::string::{String, ToString};
use std::vec::Vec;

/// Most steps of a script.
const MAX_STEPS: usize = 64;

/// One call of [`Machine::handle`].
#[derive(Clone, Debug)]
pub struct Step<I> {
    /// The time that the machine is told. It may go backwards.
    pub now: Instant,
    /// The input, `None` for the timeout input.
    pub input: Option<I>,
}

/// A fresh machine and the inputs for it.
///
/// The inputs are chosen once, beside a machine that takes them and is drained after each; every check then
/// replays the same list in its own way.
#[derive(Clone, Debug)]
pub struct Script<S: Subject> {
    /// As it was when the machine was made.
    pub(super) subject: S,
    pub(super) machine: S::Machine,
    pub(super) steps: Vec<Step<S::Input>>,
}

impl<S: Subject> Script<S> {
    /// The script that `bytes` stand for. It ends where the machine panics or gives out more than it may: the
    /// checks come across that again.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut choices = Choices::new(bytes);
        let mut subject = S::default();
        let machine = subject.machine(&mut choices);
        let mut script = Self { subject: subject.clone(), machine: machine.clone(), steps: Vec::new() };
        let _ = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
            script.fill(&mut subject, machine, &mut choices)
        }));
        script
    }

    fn fill(&mut self, subject: &mut S, mut machine: S::Machine, choices: &mut Choices<'_>) -> Result<(), Broken> {
        let mut now = Instant::ZERO;
        while !choices.is_empty() && self.steps.len() < MAX_STEPS {
            now = choose_time(now, machine.poll_timeout(), choices);
            let input = if choices.one_in(6) { None } else { Some(subject.choose(&machine, choices)) };
            self.steps.push(Step { now, input });
            let at = self.steps.len() - 1;
            // What it says is looked at by the checks.
            let _ = self.feed(&mut machine, at, now);
            for output in self.drain(&mut machine, at, 1)? {
                subject.observe(&output);
            }
        }
        Ok(())
    }

    /// The check on this script. A panic of the machine breaks line 8.
    ///
    /// # Errors
    /// The line is broken.
    pub fn check(&self, check: Check<S>) -> Result<(), Broken> {
        let result = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| check(self)));
        result.unwrap_or_else(|payload| {
            let said = panic_text(payload);
            Err(self.broken(8, self.steps.len(), format_args!("it panicked: {said}")))
        })
    }

    /// The same fault with as few steps as are found by leaving some out.
    pub(super) fn shrink(mut self, check: Check<S>, mut broken: Broken) -> Broken {
        let mut size = self.steps.len();
        while size > 0 {
            let mut from = 0;
            while from < self.steps.len() {
                let mut fewer = self.clone();
                fewer.steps.drain(from..self.steps.len().min(from + size));
                match fewer.check(check) {
                    Err(other) if other.line == broken.line => (self, broken) = (fewer, other),
                    _ => from += size,
                }
            }
            size /= 2;
        }
        broken
    }

    /// The fresh machine.
    #[must_use]
    pub fn machine(&self) -> &S::Machine {
        &self.machine
    }

    /// The inputs, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step<S::Input>] {
        &self.steps
    }

    /// Hands the input of step `at` to `machine`, at a time of the caller's.
    pub(super) fn feed(&self, machine: &mut S::Machine, at: usize, now: Instant) -> Result<(), Error> {
        match self.steps[at].input.as_ref() {
            Some(input) => machine.handle(now, S::lend(input)),
            None => machine.handle(now, S::timeout()),
        }
    }

    /// Takes out what waits after `inputs` inputs.
    pub(super) fn drain(&self, machine: &mut S::Machine, at: usize, inputs: usize) -> Result<Vec<OutputOf<S>>, Broken> {
        let most = S::OUTPUTS_PER_INPUT.saturating_mul(inputs.max(1));
        let mut outputs = Vec::new();
        while let Some(output) = machine.poll_output() {
            outputs.push(output);
            if outputs.len() > most {
                let why = format_args!("{inputs} inputs gave more than {most} outputs, the last {:?}", outputs.last());
                return Err(self.broken(8, at, why));
            }
        }
        Ok(outputs)
    }

    /// Line `line` is broken at step `at`.
    pub(super) fn broken(&self, line: u8, at: usize, why: fmt::Arguments<'_>) -> Broken {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write!(text, "{why}\nmachine: {:?}", self.machine);
        for (index, step) in self.steps.iter().enumerate().take(at.saturating_add(1)) {
            let now = step.now.as_micros();
            let _ = match &step.input {
                Some(input) => write!(text, "\n{index:4}: t={now} {input:?}"),
                None => write!(text, "\n{index:4}: t={now} (timeout)"),
            };
        }
        Broken::new(line, text)
    }
}

/// What a panic said.
fn panic_text(payload: Box<dyn core::any::Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref::<&str>().map_or("(no text)", |text| text).to_string(),
    }
}

/// The time of the next step: mostly later, now and then at a deadline, just before it, or in the past.
fn choose_time(now: Instant, deadline: Option<Instant>, choices: &mut Choices<'_>) -> Instant {
    let kind = choices.byte() % 16;
    let mut span = || Duration::from_micros(u64::from(choices.byte()) << (4 * (u32::from(kind) % 7)));
    match (kind, deadline) {
        (0, _) => now,
        (1..=8, _) | (9..=13, None) => now.saturating_add(span()),
        (9..=10, Some(deadline)) => deadline,
        (11, Some(deadline)) => Instant::from_micros(deadline.as_micros().saturating_sub(1)),
        (12..=13, Some(deadline)) => deadline.saturating_add(span()),
        _ => Instant::from_micros(now.as_micros().saturating_sub(u64::try_from(span().as_micros()).unwrap_or(0))),
    }
}
