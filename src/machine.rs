//! The [`Machine`] trait, its contract, and the transition-table macro.

use crate::error::Error;
use crate::time::Instant;
use alloc::collections::VecDeque;
use core::fmt::Debug;
use core::hash::Hash;

/// A protocol role: inputs and time go in, one strictly ordered queue of outputs comes out.
///
/// The contract, which `testing::contract` asserts line by line for every
/// machine of this crate and for yours:
///
/// 1. Any number of [`handle`](Self::handle) calls may come before a drain; the result equals draining
///    after each.
/// 2. [`poll_timeout`](Self::poll_timeout) is O(1) and agrees with the timeout input: calling at that
///    instant makes progress or clears it; early or repeated calls change nothing. Past a terminal state
///    it is `None`.
/// 3. A [`Misuse`](crate::error::Misuse) leaves the machine bit-identical. A
///    [`Violation`](crate::error::Violation) moves it (or the part of it that serves that peer) to its
///    failed state once, and what is queued can still be sent.
/// 4. Bytes cut at any point give the same outputs.
/// 5. `now` going backwards is clamped. Queues and tables are bounded: reaching a bound is an error.
/// 6. A machine is `Clone + Eq + Hash + Debug + Send`: a checker explores the shipped code itself.
/// 7. Every attempt ends with exactly one terminal event, whatever crosses on the wire.
/// 8. No input, of any origin, panics, overflows, recurses without bound or hangs.
pub trait Machine {
    /// Messages by link, link events (opened, failed, closed), local commands, timeout.
    type Input<'a>;
    /// Effects, in order: send, open, close, pause, persist, event.
    type Output;
    /// The state, a name in the machine's transition table.
    type State: Copy + Eq + Hash + Debug;

    /// Takes one input.
    ///
    /// # Errors
    /// [`Misuse`](crate::error::Misuse) or [`Violation`](crate::error::Violation), see the contract.
    fn handle(&mut self, now: Instant, input: Self::Input<'_>) -> Result<(), Error>;

    /// The next effect, to be carried out before the ones behind it.
    fn poll_output(&mut self) -> Option<Self::Output>;

    /// When the timeout input is due, if nothing else comes first.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Where the machine stands.
    fn state(&self) -> Self::State;
}

/// One link, that is, one transport connection (in SPICE it carries one channel). A client machine gives the
/// number when it asks for a link, a server's driver when it accepts one; a number is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LinkId(pub u32);

/// The number of an attempt to migrate, from 1; never used again by its machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AttemptId(pub u32);

/// A (state, event) pair that the table does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Illegal {
    /// The state's name.
    pub state: &'static str,
    /// The event's name.
    pub event: &'static str,
}

/// One row of a transition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row<S, E> {
    /// The state before.
    pub from: S,
    /// What happens.
    pub event: E,
    /// The state after.
    pub to: S,
    /// The section of spec/ that says so.
    pub spec: &'static str,
}

/// A state machine's table as data, with its names: what tests and drawings need.
#[derive(Clone, Copy, Debug)]
pub struct Table<S: 'static, E: 'static> {
    /// The machine's name.
    pub name: &'static str,
    /// All states.
    pub states: &'static [S],
    /// All events.
    pub events: &'static [E],
    /// All legal transitions.
    pub rows: &'static [Row<S, E>],
    /// The pure function that the rows define.
    pub step: fn(S, E) -> Result<S, Illegal>,
}

impl<S: Copy + Debug, E: Copy + Debug> Table<S, E> {
    /// The table as a Graphviz drawing.
    #[must_use]
    pub fn dot(&self) -> alloc::string::String {
        use core::fmt::Write as _;
        let mut out = alloc::format!("digraph {} {{\n  rankdir=LR;\n  node [shape=box];\n", self.name);
        for row in self.rows {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "  {:?} -> {:?} [label=\"{:?}\"];", row.from, row.to, row.event);
        }
        out.push_str("}\n");
        out
    }

    /// The table in Markdown: one row a line, with its spec section.
    #[must_use]
    pub fn markdown(&self) -> alloc::string::String {
        use core::fmt::Write as _;
        let mut out = alloc::string::String::from("| state | event | next | spec |\n|---|---|---|---|\n");
        for row in self.rows {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "| {:?} | {:?} | {:?} | {} |", row.from, row.event, row.to, row.spec);
        }
        out
    }

    /// Every (state, event) pair with its result, one a line: the snapshot that a review reads once.
    #[must_use]
    pub fn snapshot(&self) -> alloc::string::String {
        use core::fmt::Write as _;
        let mut out = alloc::string::String::new();
        for &state in self.states {
            for &event in self.events {
                // Writing to a string cannot fail.
                let _ = match (self.step)(state, event) {
                    Ok(next) => writeln!(out, "{state:?} + {event:?} = {next:?}"),
                    Err(_) => writeln!(out, "{state:?} + {event:?} = illegal"),
                };
            }
        }
        out
    }
}

/// Declares a machine's states, events and legal transitions, one row a line.
///
/// Gives the two enums, a pure `const fn step`, the table as data (`TABLE`, from which come the DOT
/// drawing, the Markdown table and the snapshot of every pair), and the documentation table. A row that
/// stands twice does not compile.
///
/// ```
/// handover::transition_table! {
///     /// A door.
///     pub machine Door;
///     /// Where the door stands.
///     pub enum State { Open, Shut }
///     /// What is done to it.
///     pub enum Event { Push, Pull }
///     rows {
///         Open + Push => Shut, "1.1";
///         Shut + Pull => Open, "1.2";
///     }
/// }
/// assert_eq!(step(State::Open, Event::Push), Ok(State::Shut));
/// assert!(step(State::Open, Event::Pull).is_err());
/// assert!(TABLE.dot().contains("Open -> Shut"));
/// ```
#[macro_export]
macro_rules! transition_table {
    (
        $(#[$machine_doc:meta])*
        $vis:vis machine $machine:ident;
        $(#[$state_doc:meta])*
        $state_vis:vis enum $state:ident { $($(#[$s_doc:meta])* $s:ident),+ $(,)? }
        $(#[$event_doc:meta])*
        $event_vis:vis enum $event:ident { $($(#[$e_doc:meta])* $e:ident),+ $(,)? }
        rows { $($from:ident + $on:ident => $to:ident, $spec:literal;)+ }
    ) => {
        $(#[$state_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)]
        $state_vis enum $state { $($(#[$s_doc])* $s),+ }

        impl $state {
            /// The state's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$s => stringify!($s)),+ }
            }
        }

        $(#[$event_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)]
        $event_vis enum $event { $($(#[$e_doc])* $e),+ }

        impl $event {
            /// The event's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$e => stringify!($e)),+ }
            }
        }

        $(#[$machine_doc])*
        ///
        /// | state | event | next | spec |
        /// |---|---|---|---|
        $(#[doc = concat!("| ", stringify!($from), " | ", stringify!($on), " | ", stringify!($to), " | ", $spec, " |")])+
        $vis const TABLE: $crate::machine::Table<$state, $event> = $crate::machine::Table {
            name: stringify!($machine),
            states: &[$($state::$s),+],
            events: &[$($event::$e),+],
            rows: &[$($crate::machine::Row { from: $state::$from, event: $event::$on, to: $state::$to, spec: $spec }),+],
            step,
        };

        #[doc = concat!("The next state of `", stringify!($machine), "`, by [`TABLE`].")]
        ///
        /// # Errors
        /// The table has no such row.
        $vis const fn step(state: $state, event: $event) -> Result<$state, $crate::machine::Illegal> {
            match (state, event) {
                $(($state::$from, $event::$on) => Ok($state::$to),)+
                #[allow(unreachable_patterns, reason = "a table may be total")]
                _ => Err($crate::machine::Illegal { state: state.name(), event: event.name() }),
            }
        }
    };
}

/// A queue of outputs with a bound that is tested before a machine takes an input.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Outbox<O> {
    queue: VecDeque<O>,
}

impl<O> Outbox<O> {
    pub(crate) const fn new() -> Self {
        Self { queue: VecDeque::new() }
    }

    pub(crate) fn push(&mut self, output: O) {
        self.queue.push_back(output);
    }

    pub(crate) fn pop(&mut self) -> Option<O> {
        self.queue.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Refuses further input while `limit` outputs wait.
    pub(crate) fn check_room(&self, limit: usize) -> Result<(), crate::error::Misuse> {
        if self.queue.len() < limit {
            return Ok(());
        }
        let (limit, got) = (crate::error::to_u64(limit), crate::error::to_u64(self.queue.len()));
        Err(crate::error::Misuse::Limit(crate::error::Limit { what: "outputs", limit, got }))
    }
}

/// One event a transition, when the `tracing` feature is on; never with contents of messages.
macro_rules! trace_transition {
    ($machine:literal, $from:expr, $event:expr, $to:expr) => {{
        #[cfg(feature = "tracing")]
        tracing::debug!(machine = $machine, from = $from.name(), event = $event.name(), to = $to.name(), "transition");
        #[cfg(not(feature = "tracing"))]
        let _ = (&$from, &$event, &$to);
    }};
}
pub(crate) use trace_transition;
