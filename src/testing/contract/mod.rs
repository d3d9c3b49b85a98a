//! The contract of [`Machine`], as checks over any machine.
//!
//! Say once how to make and feed your machine ([`Subject`]), then join the suite with one line, which
//! becomes a module with a test for each line of the contract:
//!
//! ```
//! use handover::error::{Error, Misuse};
//! use handover::machine::Machine;
//! use handover::testing::contract::{self, Subject};
//! use handover::testing::Choices;
//! use handover::time::Instant;
//!
//! /// Burns once.
//! #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
//! struct Match {
//!     burnt: bool,
//!     flame: bool,
//! }
//!
//! enum Input {
//!     Strike,
//!     Timeout,
//! }
//!
//! impl Machine for Match {
//!     type Input<'a> = Input;
//!     type Output = &'static str;
//!     type State = bool;
//!     fn handle(&mut self, _now: Instant, input: Input) -> Result<(), Error> {
//!         match input {
//!             Input::Strike if self.burnt => {
//!                 return Err(Misuse::WrongState { state: "Burnt", input: "Strike" }.into());
//!             }
//!             Input::Strike => (self.burnt, self.flame) = (true, true),
//!             Input::Timeout => {}
//!         }
//!         Ok(())
//!     }
//!     fn poll_output(&mut self) -> Option<&'static str> {
//!         std::mem::take(&mut self.flame).then_some("flame")
//!     }
//!     fn poll_timeout(&self) -> Option<Instant> {
//!         None
//!     }
//!     fn state(&self) -> bool {
//!         self.burnt
//!     }
//! }
//!
//! #[derive(Clone, Default)]
//! struct Matches;
//!
//! impl Subject for Matches {
//!     type Machine = Match;
//!     type Input = ();
//!     fn machine(&mut self, _: &mut Choices<'_>) -> Match {
//!         Match::default()
//!     }
//!     fn choose(&mut self, _: &Match, _: &mut Choices<'_>) {}
//!     fn lend(_: &()) -> Input {
//!         Input::Strike
//!     }
//!     fn timeout() -> Input {
//!         Input::Timeout
//!     }
//!     fn is_terminal(machine: &Match) -> bool {
//!         machine.burnt
//!     }
//! }
//!
//! handover::contract_tests!(matches: Matches);
//!
//! // The same for a fuzz target, which brings its own bytes:
//! contract::run::<Matches>(&[1, 2, 3]);
//! ```
//!
//! What a line says that no generic test can see stays with the machine's own tests: that `poll_timeout` is
//! O(1), that each bound of [`limits`](crate::limits) is the right one, that `Debug` keeps secrets. Line 4, bytes
//! cut at any point, is about decoders: [`check_chunking`](super::check_chunking).

mod checks;
mod script;

pub use checks::{attempts, clock, draining, errors, robustness, timeouts, values};
pub use script::{Script, Step};

use super::Choices;
use crate::machine::Machine;
use core::fmt::{self, Debug};
use core::hash::Hash;
use std::string::String;
use std::vec::Vec;

/// What a machine gives out, by its subject.
pub type OutputOf<S> = <<S as Subject>::Machine as Machine>::Output;
/// What a machine takes, by its subject.
pub type InputOf<'a, S> = <<S as Subject>::Machine as Machine>::Input<'a>;

/// How the suite makes a machine, feeds it and reads it.
///
/// The value itself is the test's memory of one run, for choosing inputs that fit (links that are open,
/// numbers that were given out). It starts as its default and sees every output.
pub trait Subject: Clone + Default {
    /// The machine under test. The bounds are line 6 of the contract.
    type Machine: Machine<Output: PartialEq + Debug> + Clone + Eq + Hash + Debug + Send;
    /// An input as the suite keeps it: owned, where the machine's own may borrow.
    type Input: Clone + Debug;

    /// Most outputs that one input may add.
    const OUTPUTS_PER_INPUT: usize = 64;
    /// Most outputs that may wait before the machine refuses further input.
    const QUEUE: usize = 8192;
    /// Most attempts that may be open at a time.
    const OPEN_ATTEMPTS: usize = 1;

    /// A fresh machine, in any configuration.
    fn machine(&mut self, choices: &mut Choices<'_>) -> Self::Machine;

    /// Any input, legal or not, for a machine that stands where this one does.
    fn choose(&mut self, machine: &Self::Machine, choices: &mut Choices<'_>) -> Self::Input;

    /// The machine's own form of an input.
    fn lend(input: &Self::Input) -> InputOf<'_, Self>;

    /// The machine's timeout input.
    fn timeout() -> InputOf<'static, Self>;

    /// Whether nothing can happen any more.
    fn is_terminal(machine: &Self::Machine) -> bool;

    /// Takes note of what the machine gave out.
    fn observe(&mut self, _output: &OutputOf<Self>) {}

    /// Whether this output is the start or the end of an attempt.
    fn attempt(_output: &OutputOf<Self>) -> Option<Attempt> {
        None
    }

    /// The next input of those that end everything that is open, `None` when there are no more. Deadlines
    /// come by themselves: a machine whose attempts all have one needs nothing here.
    fn wind_down(&mut self, _machine: &Self::Machine) -> Option<Self::Input> {
        None
    }
}

/// What an output says about an attempt, by the attempt's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attempt {
    /// It has started.
    Started(u64),
    /// It has ended, in whatever way.
    Ended(u64),
}

/// A line of the contract that a machine does not keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The line's number.
    pub line: u8,
    /// What happened, and after which inputs.
    pub why: String,
}

impl Broken {
    /// Line `line` is broken.
    #[must_use]
    pub fn new(line: u8, why: impl Into<String>) -> Self {
        Self { line, why: why.into() }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = match self.line {
            1 => "drain whenever you like",
            2 => "poll_timeout agrees with the timeout input",
            3 => "an error changes nothing, or once",
            4 => "bytes cut at any point give the same",
            5 => "time is clamped, queues are bounded",
            6 => "a machine is a value",
            7 => "every attempt ends exactly once",
            _ => "no input panics or hangs",
        };
        write!(f, "contract line {} ({title}) is broken: {}", self.line, self.why)
    }
}

impl core::error::Error for Broken {}

/// One check over one script.
pub type Check<S> = fn(&Script<S>) -> Result<(), Broken>;

/// All checks on the script that `bytes` stand for.
///
/// # Errors
/// The first line that is broken.
pub fn check<S: Subject>(bytes: &[u8]) -> Result<(), Broken> {
    let checks: [Check<S>; 7] = [robustness, values, errors, timeouts, draining, clock, attempts];
    let script = Script::new(bytes);
    checks.into_iter().try_for_each(|check| script.check(check))
}

/// All checks on the script that `bytes` stand for: the whole of a fuzz target.
///
/// # Panics
/// A line is broken.
pub fn run<S: Subject>(bytes: &[u8]) {
    if let Err(broken) = check::<S>(bytes) {
        panic!("{broken}");
    }
}

/// One check on the script that `bytes` stand for. A panic of the machine is line 8.
///
/// # Errors
/// The line is broken.
pub fn check_one<S: Subject>(bytes: &[u8], check: Check<S>) -> Result<(), Broken> {
    Script::new(bytes).check(check)
}

/// Most bytes of a script that [`explore`] makes up.
const SCRIPT_BYTES: usize = 512;

/// One check on many scripts: by proptest if that feature is on (`PROPTEST_CASES` says how many), else on 256
/// fixed ones.
///
/// # Panics
/// The line is broken. The message has the inputs, as few as were found, and the bytes to repeat all of them.
pub fn explore<S: Subject>(check: Check<S>) {
    if let Some(bytes) = search(|bytes| check_one(bytes, check).is_ok()) {
        let script = Script::new(&bytes);
        let broken = script.check(check).err().unwrap_or_else(|| Broken::new(0, "not every time"));
        panic!("{}\nto repeat it: contract::run::<…>(&{bytes:?})", script.shrink(check, broken));
    }
}

/// The first bytes that are not `good`.
#[cfg(feature = "proptest")]
fn search(good: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let scripts = proptest::collection::vec(proptest::num::u8::ANY, 0..=SCRIPT_BYTES);
    let outcome = runner.run(&scripts, |bytes| if good(&bytes) { Ok(()) } else { Err(TestCaseError::fail("broken")) });
    match outcome {
        Ok(()) => None,
        Err(TestError::Fail(_, bytes)) => Some(bytes),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

/// The first bytes that are not `good`.
#[cfg(not(feature = "proptest"))]
fn search(good: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    (0..256).find_map(|seed| {
        let mut rng = super::Rng::new(seed);
        let length = usize::try_from(rng.below(1 + SCRIPT_BYTES as u64)).unwrap_or(0);
        let bytes = rng.bytes(length);
        (!good(&bytes)).then_some(bytes)
    })
}

/// Joins a machine to the contract suite: `contract_tests!(name: Subject);` becomes a module `name` with one
/// test for each line of the contract. See [`testing::contract`](crate::testing::contract).
#[cfg_attr(docsrs, doc(cfg(any(feature = "arbitrary", feature = "proptest"))))]
#[macro_export]
macro_rules! contract_tests {
    ($name:ident: $subject:ty) => {
        $crate::contract_tests! { @tests $name $subject;
            line_1_drain_whenever_you_like draining "1: draining late or early gives the same.",
            line_2_timeouts_agree timeouts "2: `poll_timeout` agrees with the timeout input.",
            line_3_errors_change_nothing_or_once errors "3: misuse changes nothing, a violation comes once.",
            line_5_time_is_clamped clock "5: time going backwards is clamped, queues are bounded.",
            line_6_a_machine_is_a_value values "6: clones, equality and hashes agree.",
            line_7_every_attempt_ends_once attempts "7: every attempt ends exactly once.",
            line_8_nothing_panics robustness "8: nothing panics or runs away.",
        }
    };
    (@tests $name:ident $subject:ty; $($test:ident $check:ident $doc:literal,)+) => {
        #[cfg(test)]
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $(
                #[doc = concat!("Line ", $doc)]
                #[test]
                fn $test() {
                    $crate::testing::contract::explore::<$subject>($crate::testing::contract::$check);
                }
            )+
        }
    };
}
