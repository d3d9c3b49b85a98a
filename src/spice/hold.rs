//! Packets that a machine holds back until their link may carry them, or may be acted upon.

use super::header::Packet;
use super::message::Message;
use crate::error::{Limit, Misuse, to_u64};
use crate::limits::SpiceLimits;
use alloc::collections::VecDeque;

/// A bounded queue of packets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Held<M> {
    queue: VecDeque<Packet<M>>,
    bytes: usize,
}

impl<M: Message> Held<M> {
    pub(crate) const fn new() -> Self {
        Self { queue: VecDeque::new(), bytes: 0 }
    }

    /// Whether `packet` may join; tested before the machine changes.
    pub(crate) fn check_room(&self, packet: &Packet<M>, limits: &SpiceLimits) -> Result<(), Misuse> {
        let refuse =
            |what, limit: usize, got: usize| Err(Misuse::Limit(Limit { what, limit: to_u64(limit), got: to_u64(got) }));
        let messages = self.queue.len().saturating_add(1);
        if messages > limits.held_messages {
            return refuse("held_messages", limits.held_messages, messages);
        }
        let bytes = self.bytes.saturating_add(packet.weight());
        // One packet may always wait, whatever its size: the decoder has bounded it already.
        if bytes > limits.held_bytes && !self.queue.is_empty() {
            return refuse("held_bytes", limits.held_bytes, bytes);
        }
        Ok(())
    }

    pub(crate) fn push(&mut self, packet: Packet<M>) {
        self.bytes = self.bytes.saturating_add(packet.weight());
        self.queue.push_back(packet);
    }

    pub(crate) fn pop(&mut self) -> Option<Packet<M>> {
        let packet = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(packet.weight());
        Some(packet)
    }
}
