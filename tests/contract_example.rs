//! The contract suite on a machine that keeps the contract, and on seventeen that each break one line of it.
//!
//! The machine is a door with a bell: ringing starts an attempt to get in, which an answer or a deadline ends.

use handover::error::{Error, Limit, Misuse, Violation};
use handover::machine::Machine;
use handover::testing::contract::{self, Attempt, Broken, Check, Subject};
use handover::testing::{Choices, Rng};
use handover::time::Instant;
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What is wrong with a door.
mod bug {
    pub(crate) const NONE: u8 = 0;
    pub(crate) const FORGETS_UNDRAINED: u8 = 1;
    pub(crate) const FIRES_EARLY: u8 = 2;
    pub(crate) const NEVER_FIRES: u8 = 3;
    pub(crate) const DEADLINE_WHEN_WALLED: u8 = 4;
    pub(crate) const COUNTS_MISUSE: u8 = 5;
    pub(crate) const VIOLATED_TWICE: u8 = 6;
    pub(crate) const DROPS_WHEN_VIOLATED: u8 = 7;
    pub(crate) const CLOCK_GOES_BACK: u8 = 8;
    pub(crate) const NO_LIMIT: u8 = 9;
    pub(crate) const HIDDEN_FROM_EQ: u8 = 10;
    pub(crate) const HASHES_MORE_THAN_EQ: u8 = 11;
    pub(crate) const CLONES_SHARE: u8 = 12;
    pub(crate) const ENDS_TWICE: u8 = 13;
    pub(crate) const NEVER_ENDS: u8 = 14;
    pub(crate) const REUSES_NUMBERS: u8 = 15;
    pub(crate) const OVERFLOWS: u8 = 16;
    pub(crate) const FLOODS: u8 = 17;
}

const QUEUE: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Shut,
    Ringing,
    Open,
    Failed,
    Walled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Output {
    Buzz,
    Started(u64),
    Ended { number: u64, inside: bool },
}

/// An input that borrows, as machines' inputs may.
#[derive(Clone, Copy, Debug)]
enum Input<'a> {
    Ring,
    Answer { word: &'a str, number: u64 },
    WallUp,
    Timeout,
}

#[derive(Clone, Debug)]
struct Door<const BUG: u8> {
    state: State,
    now: Instant,
    deadline: Option<Instant>,
    number: u64,
    queue: VecDeque<Output>,
    /// Seen by nothing but two of the bugs.
    hidden: u64,
    shared: Arc<AtomicU64>,
}

impl<const BUG: u8> PartialEq for Door<BUG> {
    fn eq(&self, other: &Self) -> bool {
        let hidden = BUG == bug::HIDDEN_FROM_EQ || BUG == bug::HASHES_MORE_THAN_EQ || self.hidden == other.hidden;
        let (one, two) = (self.shared.load(Ordering::Relaxed), other.shared.load(Ordering::Relaxed));
        (self.state, self.now, self.deadline, self.number) == (other.state, other.now, other.deadline, other.number)
            && (self.queue == other.queue && hidden && one == two)
    }
}

impl<const BUG: u8> Eq for Door<BUG> {}

impl<const BUG: u8> Hash for Door<BUG> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.state, self.now, self.deadline, self.number).hash(hasher);
        if BUG == bug::HASHES_MORE_THAN_EQ {
            self.hidden.hash(hasher);
        }
    }
}

impl<const BUG: u8> Door<BUG> {
    fn new() -> Self {
        Self {
            state: State::Shut,
            now: Instant::ZERO,
            deadline: None,
            number: 0,
            queue: VecDeque::new(),
            hidden: 0,
            shared: Arc::default(),
        }
    }

    fn refuse(&mut self, input: &'static str) -> Result<(), Error> {
        if BUG == bug::COUNTS_MISUSE {
            self.hidden += 1;
        }
        Err(Misuse::WrongState { state: "this one", input }.into())
    }

    fn after(&self, seconds: u64) -> Instant {
        if BUG == bug::OVERFLOWS {
            return Instant::from_micros(self.now.as_micros() + seconds * 1_000_000);
        }
        self.now.saturating_add(Duration::from_secs(seconds))
    }

    fn end(&mut self, inside: bool) {
        self.queue.push_back(Output::Ended { number: self.number, inside });
        if BUG == bug::ENDS_TWICE && !inside {
            self.queue.push_back(Output::Ended { number: self.number, inside });
        }
    }

    fn take(&mut self, input: Input<'_>) -> Result<(), Error> {
        match (self.state, input) {
            (State::Shut, Input::Ring) => {
                if BUG != bug::REUSES_NUMBERS || self.number == 0 {
                    self.number += 1;
                }
                self.queue.extend([Output::Started(self.number), Output::Buzz]);
                if BUG == bug::FLOODS && self.number == 3 {
                    self.queue.extend([Output::Buzz; 65]);
                }
                if BUG == bug::HIDDEN_FROM_EQ && self.hidden % 2 == 1 {
                    self.queue.push_back(Output::Buzz);
                }
                if BUG == bug::CLONES_SHARE {
                    self.shared.fetch_add(1, Ordering::Relaxed);
                }
                (self.state, self.deadline) = (State::Ringing, Some(self.after(5)));
            }
            (State::Ringing, Input::Answer { word, number }) if word == "come in" && number == self.number => {
                self.end(true);
                (self.state, self.deadline) = (State::Open, Some(self.after(3)));
            }
            (State::Shut | State::Ringing | State::Open, Input::Answer { .. }) => {
                if BUG == bug::DROPS_WHEN_VIOLATED {
                    self.queue.clear();
                }
                if self.state == State::Ringing {
                    self.end(false);
                }
                if BUG != bug::VIOLATED_TWICE || self.state != State::Shut {
                    (self.state, self.deadline) = (State::Failed, None);
                }
                return Err(Violation { state: "Ringing", expected: "its answer", got: "another" }.into());
            }
            (State::Walled, Input::WallUp) => return self.refuse("WallUp"),
            (_, Input::WallUp) => {
                if self.state == State::Ringing && BUG != bug::NEVER_ENDS {
                    self.end(false);
                }
                self.state = State::Walled;
                if BUG != bug::DEADLINE_WHEN_WALLED {
                    self.deadline = None;
                }
            }
            (_, Input::Timeout) => self.timeout(),
            (_, Input::Ring) => return self.refuse("Ring"),
            (_, Input::Answer { .. }) => return self.refuse("Answer"),
        }
        Ok(())
    }

    fn timeout(&mut self) {
        if BUG == bug::HIDDEN_FROM_EQ || BUG == bug::HASHES_MORE_THAN_EQ {
            self.hidden += 1;
        }
        let due = self.deadline.is_some_and(|deadline| deadline <= self.now);
        let early = BUG == bug::FIRES_EARLY && self.deadline.is_some();
        if (due || early) && BUG != bug::NEVER_FIRES {
            if self.state == State::Ringing {
                self.end(false);
            }
            (self.state, self.deadline) = (State::Shut, None);
        }
    }
}

impl<const BUG: u8> Machine for Door<BUG> {
    type Input<'a> = Input<'a>;
    type Output = Output;
    type State = State;

    fn handle(&mut self, now: Instant, input: Input<'_>) -> Result<(), Error> {
        if self.queue.len() >= QUEUE && BUG != bug::NO_LIMIT {
            let limit = Limit { what: "outputs", limit: QUEUE as u64, got: self.queue.len() as u64 };
            return Err(Misuse::Limit(limit).into());
        }
        if BUG == bug::FORGETS_UNDRAINED && self.queue.len() > 2 {
            self.queue.pop_front();
        }
        let before = self.now;
        self.now = if BUG == bug::CLOCK_GOES_BACK { now } else { now.max(before) };
        let result = self.take(input);
        if matches!(result, Err(Error::Misuse(_))) {
            self.now = before;
        }
        result
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    fn state(&self) -> State {
        self.state
    }
}

#[derive(Clone, Default)]
struct Visitor<const BUG: u8>;

#[derive(Clone, Debug)]
enum Visit {
    Ring,
    Answer { word: String, number: u64 },
    WallUp,
}

impl<const BUG: u8> Subject for Visitor<BUG> {
    type Machine = Door<BUG>;
    type Input = Visit;
    const QUEUE: usize = QUEUE + 8;

    fn machine(&mut self, _choices: &mut Choices<'_>) -> Door<BUG> {
        Door::new()
    }

    fn choose(&mut self, door: &Door<BUG>, choices: &mut Choices<'_>) -> Visit {
        match choices.below(16) {
            0..=7 => Visit::Ring,
            8..=12 => Visit::Answer { word: "come in".into(), number: door.number },
            13..=14 => Visit::Answer { word: choices.text(4), number: choices.u64() },
            _ => Visit::WallUp,
        }
    }

    fn lend(input: &Visit) -> Input<'_> {
        match input {
            Visit::Ring => Input::Ring,
            Visit::Answer { word, number } => Input::Answer { word, number: *number },
            Visit::WallUp => Input::WallUp,
        }
    }

    fn timeout() -> Input<'static> {
        Input::Timeout
    }

    fn is_terminal(door: &Door<BUG>) -> bool {
        matches!(door.state, State::Failed | State::Walled)
    }

    fn attempt(output: &Output) -> Option<Attempt> {
        match *output {
            Output::Started(number) => Some(Attempt::Started(number)),
            Output::Ended { number, .. } => Some(Attempt::Ended(number)),
            Output::Buzz => None,
        }
    }
}

handover::contract_tests!(door: Visitor<{ bug::NONE }>);

/// The first fault that `check` finds in a fixed list of scripts.
fn first_fault<const BUG: u8>(check: Check<Visitor<BUG>>) -> Option<Broken> {
    let mut rng = Rng::new(BUG.into());
    (0..400).find_map(|at| contract::check_one::<Visitor<BUG>>(&rng.bytes(at), check).err())
}

macro_rules! broken_doors {
    ($($test:ident: $bug:ident breaks $line:literal by $check:ident, $says:literal;)+) => {$(
        #[test]
        fn $test() {
            let broken = first_fault::<{ bug::$bug }>(contract::$check).expect("the suite must notice");
            assert_eq!(broken.line, $line, "{broken}");
            assert!(broken.to_string().contains($says), "{broken}");
            assert!(first_fault::<{ bug::NONE }>(contract::$check).is_none(), "the good door passes the same scripts");
        }
    )+};
}

broken_doors! {
    outputs_that_were_not_drained_are_lost: FORGETS_UNDRAINED breaks 1 by draining, "output";
    an_early_timeout_fires: FIRES_EARLY breaks 2 by timeouts, "then the timeout input";
    a_due_timeout_does_nothing: NEVER_FIRES breaks 2 by timeouts, "does nothing";
    a_terminal_state_has_a_deadline: DEADLINE_WHEN_WALLED breaks 2 by timeouts, "terminal";
    misuse_leaves_a_trace: COUNTS_MISUSE breaks 3 by errors, "misuse";
    a_violation_is_said_twice: VIOLATED_TWICE breaks 3 by errors, "said again";
    a_violation_drops_what_waits: DROPS_WHEN_VIOLATED breaks 3 by errors, "waits";
    time_runs_backwards: CLOCK_GOES_BACK breaks 5 by clock, "clamped";
    the_queue_has_no_bound: NO_LIMIT breaks 5 by clock, "wait";
    equality_does_not_see_all: HIDDEN_FROM_EQ breaks 6 by values, "equal";
    hash_sees_more_than_equality: HASHES_MORE_THAN_EQ breaks 6 by values, "hash";
    clones_share_a_counter: CLONES_SHARE breaks 6 by values, "clone";
    an_attempt_ends_twice: ENDS_TWICE breaks 7 by attempts, "not open";
    an_attempt_never_ends: NEVER_ENDS breaks 7 by attempts, "has not ended";
    an_attempt_number_is_used_again: REUSES_NUMBERS breaks 7 by attempts, "twice";
    time_overflows: OVERFLOWS breaks 8 by robustness, "panicked";
    one_input_floods: FLOODS breaks 8 by robustness, "more than";
}

#[test]
fn a_fault_says_which_inputs_lead_to_it() {
    let broken = first_fault::<{ bug::FIRES_EARLY }>(contract::timeouts).expect("the suite must notice");
    assert!(broken.to_string().starts_with("contract line 2 (poll_timeout agrees with the timeout input)"), "{broken}");
    assert!(broken.why.contains("Ring"), "{broken}");
}

#[test]
fn exploring_shrinks_a_fault_to_few_inputs() {
    let explored = std::panic::catch_unwind(|| contract::explore::<Visitor<{ bug::NEVER_ENDS }>>(contract::attempts));
    let message = *explored.expect_err("the suite must notice").downcast::<String>().expect("a text");
    assert!(message.contains("to repeat it: contract::run"), "{message}");
    let inputs = message.lines().filter(|line| line.contains(": t=")).count();
    assert!(inputs <= 3, "{message}");
}

#[test]
fn a_fuzzer_s_bytes_run_all_lines() {
    contract::run::<Visitor<{ bug::NONE }>>(&Rng::new(1).bytes(500));
    contract::run::<Visitor<{ bug::NONE }>>(&[]);
    let mut rng = Rng::new(2);
    let caught = (0..400).any(|_| contract::check::<Visitor<{ bug::CLOCK_GOES_BACK }>>(&rng.bytes(300)).is_err());
    assert!(caught);
}
