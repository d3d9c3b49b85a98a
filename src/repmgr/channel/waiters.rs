//! Who waits for an answer on one way.

use super::types::RequestId;
use alloc::collections::BTreeMap;

/// A request that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Waiter {
    /// `None` once its time was up: the answer may still come.
    pub(super) request: Option<RequestId>,
    pub(super) bulk: bool,
    pub(super) limit: Option<u32>,
}

/// What an answer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// This request.
    Waiter(Waiter),
    /// One that has its answer.
    Done,
    /// None that was ever sent.
    Never,
}

/// The requests on one way, by their tags. A tag is not used again before all others were, so that an answer that comes
/// twice meets nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Waiters {
    waiting: BTreeMap<u32, Waiter>,
    next: u32,
    /// Whether all tags were used once.
    wrapped: bool,
    /// How many of them are not given up.
    live: usize,
}

impl Waiters {
    /// A tag for a request that is sent now. There are fewer requests than tags: `limits.requests` sees to it.
    pub(super) fn add(&mut self, waiter: Waiter) -> u32 {
        while self.waiting.contains_key(&self.next) {
            self.advance();
        }
        let tag = self.next;
        self.advance();
        self.live = self.live.saturating_add(usize::from(waiter.request.is_some()));
        self.waiting.insert(tag, waiter);
        tag
    }

    fn advance(&mut self) {
        self.wrapped |= self.next == u32::MAX;
        self.next = self.next.wrapping_add(1);
    }

    pub(super) fn take(&mut self, tag: u32) -> Match {
        match self.waiting.remove(&tag) {
            Some(waiter) => {
                self.live = self.live.saturating_sub(usize::from(waiter.request.is_some()));
                Match::Waiter(waiter)
            }
            None if self.wrapped || tag < self.next => Match::Done,
            None => Match::Never,
        }
    }

    /// Whether an answer with this tag could belong to a request.
    pub(super) fn was_given(&self, tag: u32) -> bool {
        self.wrapped || tag < self.next
    }

    /// The request's time is up. Its answer may still come.
    pub(super) fn abandon(&mut self, tag: u32) {
        if let Some(waiter) = self.waiting.get_mut(&tag)
            && waiter.request.take().is_some()
        {
            self.live = self.live.saturating_sub(1);
        }
    }

    /// The requests that are not given up, in the order of their tags; nobody waits any more.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = RequestId> + use<> {
        self.live = 0;
        core::mem::take(&mut self.waiting).into_values().filter_map(|waiter| waiter.request)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(id: u32) -> Waiter {
        Waiter { request: Some(RequestId(id)), bulk: false, limit: None }
    }

    #[test]
    fn where_tags_begin_anew_those_in_use_are_passed_over() {
        let mut waiters = Waiters::default();
        assert_eq!([waiters.add(waiter(0)), waiters.add(waiter(1)), waiters.add(waiter(2))], [0, 1, 2]);
        waiters.take(1);
        waiters.next = u32::MAX;
        assert_eq!(waiters.take(u32::MAX), Match::Never);
        assert_eq!([waiters.add(waiter(3)), waiters.add(waiter(4)), waiters.add(waiter(5))], [u32::MAX, 1, 3]);
        // From now on each of them was given once.
        assert_eq!((waiters.take(77), waiters.was_given(77)), (Match::Done, true));
        assert_eq!((waiters.len(), waiters.live()), (5, 5));
    }
}
