//! What a machine holds back until its link may carry it, or until it may be acted upon.

use crate::error::{Limit, Misuse, to_u64};
use alloc::collections::VecDeque;

/// Something that is held, and how many bytes of a peer or an application it keeps alive.
pub(crate) trait Weight {
    fn weight(&self) -> usize;
}

/// A queue bounded by number (`held_messages`) and by weight (`held_bytes`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Held<T> {
    queue: VecDeque<T>,
    bytes: usize,
}

impl<T: Weight> Held<T> {
    pub(crate) const fn new() -> Self {
        Self { queue: VecDeque::new(), bytes: 0 }
    }

    /// Whether `item` may join; tested before the machine changes.
    pub(crate) fn check_room(&self, item: &T, held_messages: usize, held_bytes: usize) -> Result<(), Misuse> {
        self.check_weight(item.weight(), held_messages, held_bytes)
    }

    /// The same for something that is not made yet.
    pub(crate) fn check_weight(&self, weight: usize, held_messages: usize, held_bytes: usize) -> Result<(), Misuse> {
        let refuse =
            |what, limit: usize, got: usize| Err(Misuse::Limit(Limit { what, limit: to_u64(limit), got: to_u64(got) }));
        let messages = self.queue.len().saturating_add(1);
        if messages > held_messages {
            return refuse("held_messages", held_messages, messages);
        }
        let bytes = self.bytes.saturating_add(weight);
        // One item may always wait, whatever its size: the decoder has bounded it already.
        if bytes > held_bytes && !self.queue.is_empty() {
            return refuse("held_bytes", held_bytes, bytes);
        }
        Ok(())
    }

    pub(crate) fn push(&mut self, item: T) {
        self.bytes = self.bytes.saturating_add(item.weight());
        self.queue.push_back(item);
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Takes the first item of which `wanted` is true.
    pub(crate) fn remove(&mut self, wanted: impl FnMut(&T) -> bool) -> Option<T> {
        let item = self.queue.iter().position(wanted).and_then(|at| self.queue.remove(at))?;
        self.bytes = self.bytes.saturating_sub(item.weight());
        Some(item)
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let item = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(item.weight());
        Some(item)
    }
}
