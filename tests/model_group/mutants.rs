//! Machines and environments that are wrong in one way each. A property that no mutant refutes would prove nothing.

use super::talk::Step;
use super::world::Property;
use handover::group::message::{Ended, Message};
use handover::group::{Epoch, StateValue, coordinator, process};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Mutant {
    /// The shipped machines, in a world that is one.
    #[default]
    None,
    ToldBeforeKept,
}

/// Which property and setup show it.
pub(crate) const MUTANTS: &[(Property, Mutant, &str)] = &[];

impl Mutant {
    /// What a process says.
    pub(crate) fn person_says(self, outputs: Vec<process::Output>) -> Vec<process::Output> {
        outputs
    }

    /// What a coordinator says.
    pub(crate) fn seat_says(self, outputs: Vec<coordinator::Output>) -> Vec<coordinator::Output> {
        outputs
    }

    /// What reaches a process, and what reaches a coordinator, if it does.
    pub(crate) fn to_person(self, message: Message) -> Message {
        message
    }

    pub(crate) fn to_seat(self, message: Message) -> Option<Message> {
        Some(message)
    }

    /// The state value that a provider knows.
    pub(crate) fn value(self, known: &StateValue, _: &Ended, _: bool) -> StateValue {
        known.clone()
    }

    pub(crate) fn reigns(self, epoch: Epoch) -> Epoch {
        epoch
    }

    pub(crate) fn asks_nobody(self) -> bool {
        false
    }

    pub(crate) fn is_told_of_the_loss(self, _: &Step<'_>, _: usize, _: usize) -> bool {
        true
    }
}
