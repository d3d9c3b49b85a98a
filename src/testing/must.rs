//! What a model says must come out of an input, held against what does.

use core::fmt;
use std::format;
use std::string::String;
use std::vec::Vec;

/// A property does not hold.
pub(crate) fn broken<T>(property: &str, why: fmt::Arguments<'_>) -> Result<T, String> {
    Err(format!("{property}: {why}"))
}

/// What must come out of an input: for peers, and for the application, each in order.
#[derive(Debug)]
pub(crate) struct Must<O, E> {
    pub(crate) wire: Vec<O>,
    pub(crate) events: Vec<E>,
}

impl<O, E> Default for Must<O, E> {
    fn default() -> Self {
        Self { wire: Vec::new(), events: Vec::new() }
    }
}

impl<O: Clone + PartialEq + fmt::Debug, E: Clone + PartialEq + fmt::Debug> Must<O, E> {
    /// Whether just that has come out; `property` names what the first difference is about.
    pub(crate) fn check(
        &self,
        outputs: &[O],
        event: impl Fn(&O) -> Option<&E>,
        property: impl Fn(Result<&O, &E>) -> &'static str,
    ) -> Result<(), String> {
        let wire: Vec<O> = outputs.iter().filter(|output| event(output).is_none()).cloned().collect();
        let events: Vec<E> = outputs.iter().filter_map(event).cloned().collect();
        if let Some(at) = differ(&wire, &self.wire) {
            let one = wire.get(at).or_else(|| self.wire.get(at)).map_or("", |output| property(Ok(output)));
            return broken(one, format_args!("peers were told {wire:?}, not {:?}", self.wire));
        }
        if let Some(at) = differ(&events, &self.events) {
            let one = events.get(at).or_else(|| self.events.get(at)).map_or("", |event| property(Err(event)));
            return broken(one, format_args!("the application was told {events:?}, not {:?}", self.events));
        }
        Ok(())
    }
}

/// Where two lists differ first.
fn differ<T: PartialEq>(one: &[T], other: &[T]) -> Option<usize> {
    (0..one.len().max(other.len())).find(|&at| one.get(at) != other.get(at))
}
