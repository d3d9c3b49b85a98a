//! What is going to happen, in order.

use handover::deferral::message::Message;
use handover::deferral::server::JobId;
use handover::machine::LinkId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

#[derive(Debug)]
pub(crate) enum What {
    Arrives(usize),
    Opened { client: usize, link: LinkId },
    ToServer { server: usize, link: LinkId, message: Message },
    ToClient { client: usize, link: LinkId, message: Message },
    ServerCloses { server: usize, link: LinkId },
    JobEnds { server: usize, job: JobId },
    ClientTimer(usize),
    ServerTimer(usize),
    Drain(usize),
    Serve(usize),
}

#[derive(Debug, Default)]
pub(crate) struct Future {
    /// When, in which order at one instant, and the place in `what`: small, so that they move fast.
    heap: BinaryHeap<Reverse<(u64, u64, usize)>>,
    what: Vec<Option<What>>,
    free: Vec<usize>,
    number: u64,
}

impl Future {
    pub(crate) fn put(&mut self, at: u64, what: What) {
        self.number += 1;
        let place = match self.free.pop() {
            Some(place) => {
                self.what[place] = Some(what);
                place
            }
            None => {
                self.what.push(Some(what));
                self.what.len() - 1
            }
        };
        self.heap.push(Reverse((at, self.number, place)));
    }

    pub(crate) fn next(&mut self) -> Option<(u64, What)> {
        let Reverse((at, _, place)) = self.heap.pop()?;
        self.free.push(place);
        Some((at, self.what[place].take()?))
    }

    pub(crate) const fn happened(&self) -> u64 {
        self.number
    }
}
