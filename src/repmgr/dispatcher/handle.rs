//! What a dispatcher does with each input.

use super::incoming::{self, Happening, Progress};
use super::table::Event as TableEvent;
use super::{Dispatcher, Event, Handle, Incoming, Input, Link, Output, State, answer_len, fits, step};
use crate::error::{Error, Limit, Misuse, to_u64};
use crate::hold::Held;
use crate::machine::{LinkId, Machine, trace_transition};
use crate::repmgr::connection::Traffic;
use crate::repmgr::ids::ErrorCode;
use crate::repmgr::message::{AppMessage, AppResponse, ResponseError, Wanted};
use crate::repmgr::segments::Segments;
use crate::time::Instant;
use crate::wire::Encode;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

impl Machine for Dispatcher {
    type Input<'a> = Input;
    type Output = Output;
    type State = State;

    fn handle(&mut self, _now: Instant, input: Input) -> Result<(), Error> {
        self.outbox.check_room(self.config.limits.outputs)?;
        self.validate(&input)?;
        match input {
            Input::Serve(serve) => self.go(if serve { TableEvent::Served } else { TableEvent::Unserved }),
            Input::Received { link, message } => self.received(link, message),
            Input::Answer { handle, segments } => self.answer(handle, segments),
            Input::Reply { handle, segments } => {
                if let Some(link) = self.incoming.get(&handle).map(|incoming| incoming.link) {
                    self.send(link, Traffic::Message(AppMessage::new(segments)));
                    self.regulate(link);
                }
            }
            Input::Finish(handle) => self.finish(handle),
            Input::Closed(link) => self.closed(link),
            Input::Congested(link) => self.link(link).congested = true,
            Input::Drained(link) => self.drained(link),
            Input::Timeout => {}
        }
        Ok(())
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn state(&self) -> State {
        self.state
    }
}

impl Dispatcher {
    /// Everything that our caller can do wrong; nothing changes.
    fn validate(&self, input: &Input) -> Result<(), Misuse> {
        match input {
            Input::Received { link, .. } if self.paused.contains(link) => {
                let load = self.links.get(link).map_or(0, Link::load);
                let (limit, got) = (to_u64(self.config.limits.incoming), to_u64(load).saturating_add(1));
                Err(Misuse::Limit(Limit { what: "incoming", limit, got }))
            }
            Input::Answer { handle, segments } => {
                let incoming = self.known(*handle)?;
                match (incoming.progress, incoming.wanted) {
                    (Progress::Request, Some(wanted)) => self.check_answer(incoming.link, answer_len(wanted, segments)),
                    (progress, _) => Err(refused("Answer", progress)),
                }
            }
            Input::Reply { handle, segments } => {
                let incoming = self.known(*handle)?;
                match incoming.progress {
                    Progress::Message => {
                        AppMessage::check_bounds(segments, &self.config.limits)?;
                        self.check_room(incoming.link, segments.encoded_len(), self.config.limits.held_messages)
                    }
                    progress => Err(refused("Reply", progress)),
                }
            }
            Input::Finish(handle) => self.known(*handle).map(drop),
            Input::Serve(_)
            | Input::Received { .. }
            | Input::Closed(_)
            | Input::Congested(_)
            | Input::Drained(_)
            | Input::Timeout => Ok(()),
        }
    }

    fn known(&self, handle: Handle) -> Result<&Incoming, Misuse> {
        self.incoming.get(&handle).ok_or(Misuse::Unknown { what: "handle", id: handle.0 })
    }

    fn check_answer(&self, link: LinkId, size: usize) -> Result<(), Misuse> {
        let limit = self.config.limits.message;
        if size > limit || u32::try_from(size).is_err() {
            let (limit, got) = (to_u64(limit), to_u64(size));
            return Err(Misuse::Limit(Limit { what: "message", limit, got }));
        }
        self.check_room(link, size, usize::MAX)
    }

    /// Whether something can be sent to a link, or can wait until it can be.
    fn check_room(&self, link: LinkId, size: usize, held_messages: usize) -> Result<(), Misuse> {
        match self.links.get(&link) {
            Some(link) if link.congested => link.held.check_weight(size, held_messages, self.config.limits.held_bytes),
            _ => Ok(()),
        }
    }

    fn received(&mut self, link: LinkId, message: AppMessage) {
        let wanted = message.wanted();
        if self.state == State::Refusing {
            match wanted {
                Some(Wanted { tag, .. }) => self.send_error(link, tag, ErrorCode::NO_SERVER),
                None => self.event(Event::Unserved(link)),
            }
            return self.regulate(link);
        }
        self.last = self.last.wrapping_add(1);
        let handle = Handle(self.last);
        let progress = if wanted.is_some() { Progress::Request } else { Progress::Message };
        self.incoming.insert(handle, Incoming { link, progress, wanted });
        self.link(link).unfinished.insert(handle);
        let segments = message.segments;
        self.event(match wanted {
            Some(Wanted { bulk, limit, .. }) => Event::Request { handle, link, segments, bulk, limit },
            None => Event::Message { handle, link, segments },
        });
        self.regulate(link);
    }

    fn answer(&mut self, handle: Handle, segments: Segments) {
        let Some(incoming) = self.incoming.get_mut(&handle) else { return };
        let (link, Some(wanted)) = (incoming.link, incoming.wanted) else { return };
        advance(incoming, Happening::Answered);
        let Wanted { tag, .. } = wanted;
        match fits(wanted, &segments) {
            Ok(()) => self.send(link, Traffic::Response(response(wanted, &segments))),
            Err(size) => {
                self.send_error(link, tag, ErrorCode::BUFFER_SMALL);
                self.event(Event::TooLarge { handle, size });
            }
        }
        self.regulate(link);
    }

    fn finish(&mut self, handle: Handle) {
        let Some(mut incoming) = self.incoming.remove(&handle) else { return };
        let unanswered = incoming.progress == Progress::Request;
        advance(&mut incoming, Happening::Finished);
        if let Some(link) = self.links.get_mut(&incoming.link) {
            link.unfinished.remove(&handle);
        }
        if let Some(Wanted { tag, .. }) = incoming.wanted.filter(|_| unanswered) {
            self.send_error(incoming.link, tag, ErrorCode::KEY_EMPTY);
        }
        self.regulate(incoming.link);
    }

    fn closed(&mut self, link: LinkId) {
        self.paused.remove(&link);
        let Some(lost) = self.links.remove(&link) else { return };
        for handle in lost.unfinished {
            if let Some(incoming) = self.incoming.get_mut(&handle) {
                advance(incoming, Happening::Lost);
                self.event(Event::Lost(handle));
            }
        }
    }

    fn drained(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.congested = false;
        let mut held = core::mem::replace(&mut link.held, Held::new());
        while let Some(traffic) = held.pop() {
            self.outbox.push(Output::Send { link: id, traffic });
        }
        self.regulate(id);
    }

    /// Pauses a link that makes us keep too much, and lets go those that may go on.
    fn regulate(&mut self, id: LinkId) {
        let full = self.incoming.len() >= self.config.limits.incoming_total.max(1);
        let limit = self.config.limits.incoming.max(1);
        let load = self.links.get(&id).map_or(0, Link::load);
        if (full || load >= limit) && self.links.contains_key(&id) && self.paused.insert(id) {
            self.outbox.push(Output::Pause(id));
        }
        if full || self.paused.is_empty() {
            return;
        }
        let links = &self.links;
        let may_go_on = |id: &LinkId| links.get(id).is_none_or(|link| link.load() < limit);
        let resumed: Vec<LinkId> = self.paused.iter().copied().filter(may_go_on).collect();
        for id in resumed {
            self.paused.remove(&id);
            self.outbox.push(Output::Resume(id));
        }
    }

    fn link(&mut self, link: LinkId) -> &mut Link {
        let new = || Link { congested: false, unfinished: BTreeSet::new(), held: Held::new() };
        self.links.entry(link).or_insert_with(new)
    }

    fn send_error(&mut self, link: LinkId, tag: u32, code: ErrorCode) {
        self.send(link, Traffic::Error(ResponseError { tag, code }));
    }

    fn send(&mut self, id: LinkId, traffic: Traffic) {
        let link = self.link(id);
        if link.congested {
            link.held.push(traffic);
        } else {
            self.outbox.push(Output::Send { link: id, traffic });
        }
    }

    fn event(&mut self, event: Event) {
        self.outbox.push(Output::Event(event));
    }

    fn go(&mut self, event: TableEvent) {
        match step(self.state, event) {
            Ok(next) => {
                trace_transition!("repmgr dispatcher", self.state, event, next);
                self.state = next;
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }
}

fn advance(incoming: &mut Incoming, happening: Happening) {
    match incoming::step(incoming.progress, happening) {
        Ok(next) => {
            trace_transition!("repmgr incoming", incoming.progress, happening, next);
            incoming.progress = next;
        }
        Err(illegal) => debug_assert!(false, "{illegal:?}"),
    }
}

fn refused(what: &'static str, progress: Progress) -> Misuse {
    let reason = match progress {
        Progress::Message => "it wants no answer",
        Progress::Request => "it wants an answer",
        Progress::Answered => "it has its answer",
        Progress::Lost => "its sender has gone",
        Progress::Finished => "it is finished",
    };
    Misuse::Refused { what, reason }
}

/// An answer as it stands on the wire; whether it can be there was checked.
fn response(Wanted { tag, bulk, .. }: Wanted, segments: &Segments) -> AppResponse {
    let single = || AppResponse::single(tag, segments.get(0).unwrap_or_default());
    if bulk { AppResponse::bulk(tag, segments).unwrap_or_else(|_| single()) } else { single() }
}
