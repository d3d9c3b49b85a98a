//! Scripts: the inputs that one list of bytes stands for, and their replay.

use super::{Broken, OutputOf, Subject};
use crate::error::Error;
use crate::machine::Machine;
use crate::testing::Choices;
use crate::time::Instant;
use core::fmt::{self, Write as _};
use core::time::Duration;
use std::string::String;
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
    /// The script that `bytes` stand for.
    ///
    /// # Errors
    /// The machine panicked while the script was made, or gave out more than it may: line 8 is broken.
    pub fn new(bytes: &[u8]) -> Result<Self, Broken> {
        let mut choices = Choices::new(bytes);
        let mut subject = S::default();
        let machine = subject.machine(&mut choices);
        let mut script = Self { subject: subject.clone(), machine: machine.clone(), steps: Vec::new() };
        let outcome = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
            script.fill(&mut subject, machine, &mut choices)
        }));
        match outcome {
            Ok(result) => result.map(|()| script),
            Err(payload) => {
                let said = super::panic_text(payload);
                Err(script.broken(8, script.steps.len(), format_args!("it panicked: {said}")))
            }
        }
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
