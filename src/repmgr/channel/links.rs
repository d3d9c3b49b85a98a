//! A channel's links: which one is used, which ones are kept for answers, and when each is closed.

use super::table::Event as TableEvent;
use super::{Channel, Destination, DropReason, Event, Failure, Link, Master, Output, State, Timer, step};
use crate::machine::{LinkId, trace_transition};
use alloc::vec::Vec;

impl Channel {
    pub(super) fn dial_if_remote(&mut self) {
        if let Some(Destination::Remote(address)) = self.destination() {
            let address = address.clone();
            self.last_link = self.last_link.saturating_add(1);
            let link = LinkId(self.last_link);
            self.links.insert(link, Link::default());
            self.current = Some(link);
            self.outbox.push(Output::Dial { link, address });
            if self.state == State::Idle {
                self.go(TableEvent::Needed);
            }
        }
    }

    pub(super) fn link_ready(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.up = true;
        let congested = link.congested;
        self.go(TableEvent::Ready);
        if congested {
            self.go(TableEvent::Congested);
        }
        self.flush();
    }

    pub(super) fn link_congested(&mut self, id: LinkId, congested: bool) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let changed = core::mem::replace(&mut link.congested, congested) != congested;
        if !(changed && link.up && self.current == Some(id)) {
            return;
        }
        self.go(if congested { TableEvent::Congested } else { TableEvent::Drained });
        self.flush();
    }

    /// The master is another one.
    pub(super) fn move_to(&mut self, master: Option<Master>) {
        if self.master == master {
            return;
        }
        self.master = master;
        if let Some(id) = self.current.take() {
            self.leave(id);
        }
        match &self.master {
            Some(Master::Local) => {
                self.go(TableEvent::BecameLocal);
                self.flush();
            }
            Some(Master::Remote(_)) if !self.held.is_empty() => {
                self.go(TableEvent::MovedWhileWaiting);
                self.dial_if_remote();
            }
            Some(Master::Remote(_)) => self.go(TableEvent::Moved),
            None => {
                self.drop_held(DropReason::Unavailable, Failure::Unavailable { sent: false });
                self.go(TableEvent::Moved);
            }
        }
    }

    /// A link is not used for anything new.
    fn leave(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.up {
            link.leaving = true;
        } else {
            self.links.remove(&id);
            self.outbox.push(Output::Close(id));
        }
    }

    /// A link is gone, or is given up.
    pub(super) fn lose(&mut self, id: LinkId, close: bool) {
        let Some(mut link) = self.links.remove(&id) else { return };
        if let Some(at) = link.linger {
            self.timers.remove(&(at, Timer::Linger(id)));
        }
        if close {
            self.outbox.push(Output::Close(id));
        }
        for request in link.waiters.drain() {
            self.complete(request, Err(Failure::Unavailable { sent: true }));
        }
        self.event(Event::LinkLost { link: id, messages: link.messages });
        if self.current != Some(id) {
            return;
        }
        self.current = None;
        if !self.held.is_empty() && link.up {
            self.go(TableEvent::LostWhileWaiting);
            self.dial_if_remote();
        } else {
            self.drop_held(DropReason::Unavailable, Failure::Unavailable { sent: false });
            self.go(TableEvent::Lost);
        }
    }

    /// Closes the links that nobody needs any more, and the channel if it is to end.
    pub(super) fn settle(&mut self) {
        let drained = self.state == State::Draining && self.held.is_empty();
        if drained && let Some(id) = self.current.take() {
            self.leave(id);
        }
        let leaving: Vec<LinkId> = self.links.iter().filter(|(_, link)| link.leaving).map(|(id, _)| *id).collect();
        for id in leaving {
            self.settle_link(id);
        }
        if drained && self.links.is_empty() && self.local.live() == 0 {
            self.end(0, 0);
        }
    }

    fn settle_link(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.waiters.is_empty() {
            if let Some(at) = link.linger {
                self.timers.remove(&(at, Timer::Linger(id)));
            }
            self.links.remove(&id);
            self.outbox.push(Output::Close(id));
        } else if link.waiters.live() == 0 && link.linger.is_none() {
            let at = self.now.saturating_add(self.config.linger);
            link.linger = Some(at);
            self.timers.insert((at, Timer::Linger(id)));
        }
    }

    /// The channel is over.
    pub(super) fn end(&mut self, messages: u32, requests: u32) {
        for id in core::mem::take(&mut self.links).into_keys() {
            self.outbox.push(Output::Close(id));
        }
        self.current = None;
        self.timers.clear();
        self.requests.clear();
        self.local = Default::default();
        self.go(TableEvent::Closed);
        self.event(Event::Closed { messages, requests });
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outbox.push(Output::Event(event));
    }

    pub(super) fn go(&mut self, event: TableEvent) {
        // Once it ends, where it stands with the site no longer matters.
        if self.state == State::Draining && event != TableEvent::Closed {
            return;
        }
        match step(self.state, event) {
            Ok(next) => {
                trace_transition!("repmgr channel", self.state, event, next);
                self.state = next;
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }
}
