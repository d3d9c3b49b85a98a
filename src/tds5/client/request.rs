//! Commands of the application: sending, queueing, completing, cancelling.

use super::Client;
use super::table::{Event as TableEvent, State};
use super::types::{Event, Output, RequestId};
use crate::hold::Weight;
use crate::machine::LinkId;
use crate::tds5::ids::{DoneStatus, PacketType};
use crate::tds5::stream::Data;
use crate::tds5::token::Done;
use alloc::vec::Vec;

/// What became of the wish to cancel a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Attention {
    None,
    /// To be sent behind RESUME.
    Kept,
    /// Sent; the final DONE that acknowledges it is awaited.
    Sent,
}

/// The command that is being sent, or waits for its results.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Current {
    pub(super) id: RequestId,
    /// Whether its last piece has gone.
    pub(super) sent: bool,
    /// Whether its final DONE has come; it is completed at the end of that message.
    finished: bool,
    attention: Attention,
}

/// A piece of a command that waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Piece {
    pub(super) ty: PacketType,
    pub(super) data: Data,
    pub(super) end: bool,
}

impl Weight for Piece {
    fn weight(&self) -> usize {
        self.data.0.len()
    }
}

impl Client {
    /// Whether a new command may be sent at once.
    fn is_free(&self) -> bool {
        let open = self.home.as_ref().is_some_and(|home| home.open);
        self.state == State::Idle && self.owed.is_empty() && !open
    }

    /// Whether the next piece of the application's belongs to the command that is being sent.
    fn is_composing_current(&self) -> bool {
        self.composing.is_some() && self.begun == self.accepted
    }

    /// Whether a piece would have to wait.
    pub(super) fn must_hold(&self) -> bool {
        if self.composing.is_some() { !self.is_composing_current() } else { !self.is_free() }
    }

    /// Whether commands wait in the queue.
    pub(super) fn has_queue(&self) -> bool {
        self.begun != self.accepted
    }

    pub(super) fn request(&mut self, piece: Piece) {
        let hold = self.must_hold();
        if self.composing.is_none() {
            self.accepted = self.accepted.saturating_add(1);
        }
        self.composing = (!piece.end).then_some(piece.ty);
        if hold {
            self.queue.push(piece);
        } else {
            self.send(piece);
        }
    }

    /// Sends a piece of the current command; without one a new command begins.
    fn send(&mut self, piece: Piece) {
        let Some(link) = self.home.as_ref().map(|home| home.link) else { return };
        let Piece { ty, data, end } = piece;
        if let Some(current) = &mut self.current {
            current.sent = end;
        } else {
            self.go(TableEvent::Send);
            self.begun = self.begun.saturating_add(1);
            let id = RequestId(self.begun);
            self.current = Some(Current { id, sent: end, finished: false, attention: Attention::None });
        }
        self.outbox.push(Output::Send { link, ty, data, end });
    }

    /// Sends the next command of the queue, if it may be sent: as much of it as is there.
    pub(super) fn send_queued(&mut self) {
        if !self.is_free() {
            return;
        }
        while self.current.as_ref().is_none_or(|current| !current.sent) {
            let Some(piece) = self.queue.pop() else { return };
            self.send(piece);
        }
    }

    /// A DONE of the session.
    pub(super) fn done(&mut self, done: &Done) {
        let Some(current) = self.current.as_mut().filter(|current| current.sent && done.is_final()) else { return };
        // What was under way when the attention was sent does not acknowledge it: another final DONE comes.
        if current.attention != Attention::Sent || done.status.contains(DoneStatus::ATTENTION) {
            current.finished = true;
        }
    }

    /// The message was no response: a DONE in it is of no command.
    pub(super) fn forget_done(&mut self) {
        if let Some(current) = &mut self.current {
            current.finished = false;
        }
    }

    /// Completes the current command if its final DONE has come.
    pub(super) fn complete_finished(&mut self) {
        if let Some(current) = self.current.take_if(|current| current.finished) {
            self.go(TableEvent::Complete);
            self.event(Event::Completed(current.id));
        }
    }

    /// The application wants the current command to be cancelled. A command that has its final DONE needs no attention.
    pub(super) fn attention(&mut self) {
        let sends = matches!(self.state, State::Busy | State::Resuming);
        let link = self.home.as_ref().map(|home| home.link).filter(|_| sends);
        let Some(current) = self.current.as_mut().filter(|current| !current.finished) else { return };
        match (current.attention, link) {
            (Attention::None, None) => current.attention = Attention::Kept,
            (Attention::None, Some(link)) => {
                current.attention = Attention::Sent;
                self.outbox.push(Output::Attention(link));
            }
            (Attention::Kept | Attention::Sent, _) => {}
        }
    }

    /// Sends an attention that was kept, behind the RESUME on `link`. A new server has seen none yet: what the old one
    /// has not acknowledged is said again.
    pub(super) fn send_kept_attention(&mut self, link: LinkId, is_new: bool) {
        let Some(current) = &mut self.current else { return };
        if current.attention == Attention::Kept || (is_new && current.attention == Attention::Sent) {
            current.attention = Attention::Sent;
            self.outbox.push(Output::Attention(link));
        }
    }

    /// The commands that are not completed; they are forgotten.
    pub(super) fn take_unfinished(&mut self) -> Vec<RequestId> {
        let current = self.current.take().map(|current| current.id);
        let queued = (self.begun.saturating_add(1)..=self.accepted).map(RequestId);
        let unfinished = current.into_iter().chain(queued).collect();
        self.begun = self.accepted;
        self.composing = None;
        while self.queue.pop().is_some() {}
        unfinished
    }
}
