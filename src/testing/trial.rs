//! One machine on a list of operations, beside its reference model.

use crate::error::Error;
use crate::machine::{Machine, Table};
use crate::testing::Choices;
use crate::testing::contract::{OutputOf, Subject};
use crate::time::Instant;
use core::fmt::Debug;
use core::time::Duration;
use std::collections::BTreeSet;
use std::string::String;
use std::vec::Vec;

/// What a model says about an input beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is fine.
    Fine,
    /// Our caller is wrong, and nothing changes.
    Misuse,
    /// The peer is wrong.
    Violation,
}

impl Expected {
    fn of(result: &Result<(), Error>) -> Self {
        match result {
            Ok(()) => Self::Fine,
            Err(Error::Misuse(_)) => Self::Misuse,
            Err(Error::Violation(_)) => Self::Violation,
        }
    }
}

/// How much time passes before an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// None.
    Now,
    /// Some milliseconds.
    Later(u16),
    /// Until the deadline, if there is one.
    Due,
    /// Until just before the deadline, if there is one.
    Early,
    /// The clock of our caller goes backwards.
    Back(u16),
}

impl When {
    /// Any of these, mostly no time at all.
    pub fn choose(choices: &mut Choices<'_>) -> Self {
        match choices.byte() {
            0..=159 => Self::Now,
            160..=239 => Self::Later(u16::from(choices.byte()) * 16),
            240..=246 => Self::Due,
            247..=250 => Self::Early,
            _ => Self::Back(u16::from(choices.byte())),
        }
    }

    fn apply(self, now: Instant, deadline: Option<Instant>) -> Instant {
        let due = deadline.unwrap_or(now);
        match self {
            Self::Now => now,
            Self::Later(millis) => now.saturating_add(Duration::from_millis(u64::from(millis))),
            Self::Due => now.max(due),
            Self::Early => now.max(Instant::from_micros(due.as_micros().saturating_sub(1))),
            Self::Back(millis) => {
                Instant::from_micros(now.as_micros().saturating_sub(u64::from(millis).saturating_mul(1000)))
            }
        }
    }
}

/// A second, simpler description of a machine. Its complaints begin with the name of the property.
pub trait Reference<M: Machine, I>: Clone + Debug {
    /// What will come of `input`, `None` where the model cannot say.
    fn expect(&self, input: &I) -> Option<Expected>;

    /// What came of it. Not asked after misuse, which changes nothing.
    ///
    /// # Errors
    /// A property does not hold.
    fn follow(&mut self, now: Instant, input: &I, outputs: &[M::Output], machine: &M) -> Result<(), String>;

    /// What must be true once everything is wound down.
    ///
    /// # Errors
    /// A property does not hold.
    fn at_rest(&self, machine: &M) -> Result<(), String>;
}

/// A subject of the contract suite with operations and a model: what a trial needs.
pub(crate) trait Trial: Subject<Machine: Machine<State: 'static>> {
    type Op: Clone + Debug;
    type Model: Reference<Self::Machine, Self::Input>;
    type Event: Copy + Debug + 'static;

    const TABLE: Table<<Self::Machine as Machine>::State, Self::Event>;

    fn op(choices: &mut Choices<'_>) -> Self::Op;
    /// What would come next if all went well; `number` chooses where there are several ways.
    fn forward(&self, number: u8, machine: &Self::Machine) -> Self::Op;
    fn resolve(&mut self, op: &Self::Op) -> Self::Input;
    fn input(&mut self, op: &Self::Op, machine: &Self::Machine) -> Self::Input;
    fn model(&self, machine: &Self::Machine) -> Self::Model;
}

/// What a module of operations says alike for every machine. It has `Input`, `State`, `TableEvent` and `TABLE` of its
/// machine, and a `Forward` among its operations.
///
/// `ops` stands beside the operations, `subject` in the implementation of [`Subject`] (with an input that the suite can
/// use instead of a timeout, of which it has its own), `trial` in that of [`Trial`].
macro_rules! on_trial {
    (ops $op:ident) => {
        #[cfg(feature = "arbitrary")]
        #[cfg_attr(docsrs, doc(cfg(feature = "arbitrary")))]
        impl<'a> arbitrary::Arbitrary<'a> for $op {
            fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
                Choices::lend(u, Self::choose)
            }
        }
    };
    (subject $machine:ident, $instead:expr) => {
        type Machine = $machine;
        type Input = Input;

        fn choose(&mut self, machine: &$machine, choices: &mut Choices<'_>) -> Input {
            match self.input(&Self::op(choices), machine) {
                Input::Timeout => $instead,
                other => other,
            }
        }

        fn lend(input: &Input) -> InputOf<'_, Self> {
            input.clone()
        }

        fn timeout() -> InputOf<'static, Self> {
            Input::Timeout
        }
    };
    (trial $machine:ident, $op:ident, $model:ident) => {
        type Op = $op;
        type Model = $model;
        type Event = TableEvent;
        const TABLE: Table<State, TableEvent> = TABLE;

        fn op(choices: &mut Choices<'_>) -> $op {
            $op::choose(choices)
        }

        fn input(&mut self, op: &$op, machine: &$machine) -> Input {
            match op {
                $op::Forward(number) => {
                    let op = self.forward(*number, machine);
                    self.resolve(&op)
                }
                other => self.resolve(other),
            }
        }
    };
}
pub(crate) use on_trial;

/// Most operations of a list.
const MOST: usize = 160;

/// One input, and what came of it.
struct Done<T: Trial> {
    now: Instant,
    /// `None` while winding down.
    op: Option<(When, T::Op)>,
    input: T::Input,
    outputs: Vec<OutputOf<T>>,
}

/// What was done, for the message of a panic, whoever panics.
struct Trace<T: Trial>(Vec<Done<T>>);

impl<T: Trial> Drop for Trace<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::eprintln!("what was done:");
            for (at, done) in self.0.iter().enumerate() {
                std::eprintln!("{at:4}: t={} {:?}: {:?}", done.now.as_micros(), done.op, done.input);
                done.outputs.iter().for_each(|output| std::eprintln!("        -> {output:?}"));
            }
        }
    }
}

struct Run<T: Trial> {
    subject: T,
    machine: T::Machine,
    model: T::Model,
    now: Instant,
    trace: Trace<T>,
    /// Where a state may lead, in any number of transitions.
    reach: Vec<(<T::Machine as Machine>::State, BTreeSet<usize>)>,
}

/// The list of operations that `bytes` stand for.
pub(crate) fn run<T>(bytes: &[u8])
where
    T: Trial,
    for<'a> T::Machine: Machine<Input<'a> = T::Input, State: 'static>,
{
    let mut choices = Choices::new(bytes);
    let mut subject = T::default();
    let machine = subject.machine(&mut choices);
    let model = subject.model(&machine);
    let trace = Trace(Vec::new());
    let mut run = Run { subject, machine, model, now: Instant::ZERO, trace, reach: reach::<T>() };
    for _ in 0..MOST {
        if choices.is_empty() {
            break;
        }
        let when = When::choose(&mut choices);
        let op = T::op(&mut choices);
        run.now = when.apply(run.now, run.machine.poll_timeout());
        let input = run.subject.input(&op, &run.machine);
        run.step(Some((when, op)), input);
    }
    run.wind_down();
}

/// Which states the table leads to from each state, as indices.
fn reach<T: Trial>() -> Vec<(<T::Machine as Machine>::State, BTreeSet<usize>)> {
    let table = T::TABLE;
    let at = |state| table.states.iter().position(|&other| other == state).unwrap_or(usize::MAX);
    let from = |state| {
        let mut reached = BTreeSet::from([at(state)]);
        loop {
            let more: Vec<usize> = table
                .rows
                .iter()
                .filter(|row| reached.contains(&at(row.from)) && !reached.contains(&at(row.to)))
                .map(|row| at(row.to))
                .collect();
            if more.is_empty() {
                return (state, reached);
            }
            reached.extend(more);
        }
    };
    table.states.iter().map(|&state| from(state)).collect()
}

impl<T> Run<T>
where
    T: Trial,
    for<'a> T::Machine: Machine<Input<'a> = T::Input, State: 'static>,
{
    fn step(&mut self, op: Option<(When, T::Op)>, input: T::Input) {
        let now = self.now;
        let expected = self.model.expect(&input);
        let before = self.machine.clone();
        self.trace.0.push(Done { now, op, input: input.clone(), outputs: Vec::new() });
        let result = self.machine.handle(now, input);
        let got = Expected::of(&result);
        if expected.is_some_and(|expected| expected != got) {
            panic!("{expected:?} was expected, not {result:?}\nmachine: {before:?}\nmodel: {:?}", self.model);
        }
        self.check_states(before.state());
        if got == Expected::Misuse {
            assert!(before == self.machine, "3: {result:?} has changed {before:?}");
            return;
        }
        let Some(done) = self.trace.0.last_mut() else { return };
        while let Some(output) = self.machine.poll_output() {
            self.subject.observe(&output);
            done.outputs.push(output);
        }
        if let Err(broken) = self.model.follow(now, &done.input, &done.outputs, &self.machine) {
            panic!("{broken}\nresult: {result:?}\nmachine: {:?}\nmodel: {:?}", self.machine, self.model);
        }
    }

    /// The table connects the states before and after.
    fn check_states(&self, before: <T::Machine as Machine>::State) {
        let after = self.machine.state();
        let to = T::TABLE.states.iter().position(|&state| state == after).unwrap_or(usize::MAX);
        let legal = self.reach.iter().any(|(state, reached)| *state == before && reached.contains(&to));
        assert!(legal, "the table does not lead from {before:?} to {after:?}");
    }

    /// Ends what can be ended, and lets every deadline pass.
    fn wind_down(&mut self) {
        for _ in 0..1024 {
            if let Some(input) = self.subject.wind_down(&self.machine) {
                self.step(None, input);
            } else if let Some(deadline) = self.machine.poll_timeout() {
                self.now = self.now.max(deadline);
                self.step(None, T::timeout());
            } else {
                break;
            }
        }
        assert_eq!(self.machine.poll_timeout(), None, "deadlines without end");
        if let Err(broken) = self.model.at_rest(&self.machine) {
            panic!("{broken}\nmachine: {:?}\nmodel: {:?}", self.machine, self.model);
        }
    }
}
