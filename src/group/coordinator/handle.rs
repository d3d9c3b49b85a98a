//! What a coordinator does with each input.

use super::table::reign;
use super::{Coordinator, Due, Event, Input, Output};
use crate::error::{Error, Misuse, Violation};
use crate::frame::Extensions;
use crate::group::ids::DissolveReason;
use crate::group::message::{Dissolved, Message};
use crate::group::name::Token;
use crate::machine::{LinkId, Machine, trace_transition};
use crate::time::Instant;
use alloc::vec::Vec;

impl Machine for Coordinator {
    type Input<'a> = Input;
    type Output = Output;
    type State = reign::State;

    fn handle(&mut self, now: Instant, input: Input) -> Result<(), Error> {
        self.outbox.check_room(self.config.limits.outputs)?;
        self.validate(&input)?;
        let now = self.now.max(now);
        if matches!(input, Input::Timeout) && self.poll_timeout().is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        self.now = now;
        let result = match input {
            Input::Message { link, message } => self.message(link, message),
            Input::Admit { link, allowed } => {
                self.admit(link, allowed);
                Ok(())
            }
            Input::Closed(link) => {
                self.shut.remove(&link);
                self.process_failed(link);
                Ok(())
            }
            Input::Persisted(index) => {
                self.kept(index);
                Ok(())
            }
            Input::Recovered => {
                self.recovered();
                Ok(())
            }
            Input::Proclaimed(other) => {
                self.meet(&other);
                Ok(())
            }
            Input::NodeDown(node) => {
                self.node_failed(node);
                Ok(())
            }
            Input::End(reason) => {
                self.end(reason);
                Ok(())
            }
            Input::Timeout => {
                self.timeout();
                Ok(())
            }
        };
        self.begin_protocols();
        result
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    fn state(&self) -> reign::State {
        self.state
    }
}

impl Coordinator {
    /// Everything that our caller can do wrong; nothing changes.
    fn validate(&self, input: &Input) -> Result<(), Misuse> {
        match input {
            Input::Timeout => Ok(()),
            _ if self.state == reign::State::Over => {
                Err(Misuse::WrongState { state: self.state.name(), input: input.name() })
            }
            Input::Admit { link, .. } if self.clients.get(link).is_none_or(|process| process.admitted) => {
                Err(Misuse::Unknown { what: "link", id: link.0 })
            }
            Input::Persisted(index) if self.keeping.last_key_value().is_none_or(|(last, _)| last < index) => {
                Err(Misuse::Argument { what: "index", reason: "an outcome that is to be kept" })
            }
            Input::Recovered if self.state != reign::State::Recovering => {
                Err(Misuse::WrongState { state: self.state.name(), input: input.name() })
            }
            _ => Ok(()),
        }
    }

    fn timeout(&mut self) {
        // Each once: at the end of time what follows is due at once again.
        let now = self.now;
        let due: Vec<(Instant, Due)> = self.deadlines.iter().take_while(|(at, _)| *at <= now).copied().collect();
        for (at, due) in due {
            if !self.deadlines.remove(&(at, due)) {
                continue;
            }
            match due {
                Due::Phase(group) => self.phase_is_over(group),
                Due::Ping(link) => self.ping(link),
                Due::Pong(link) => self.is_silent(link),
                Due::Recover => self.recovered(),
            }
        }
    }

    /// The reign is over: everybody is told, and nobody is heard any more.
    pub(super) fn end(&mut self, reason: DissolveReason) {
        let links: Vec<LinkId> = self.clients.keys().copied().collect();
        for link in links {
            // Where another one reigns the groups live on: their processes find it.
            if reason != DissolveReason::FENCED {
                self.tell_dissolved(link, None, reason);
            }
            self.close_link(link);
        }
        let names: Vec<_> = self.names.keys().cloned().collect();
        for name in names {
            self.event(Event::Dissolved(name));
        }
        self.clients.clear();
        self.starts.clear();
        self.groups.clear();
        self.names.clear();
        self.ready.clear();
        self.deadlines.clear();
        self.keeping.clear();
        self.recovery = None;
        self.go(reign::Event::Ended);
        self.event(Event::Ended(reason));
    }

    /// Nothing is heard on a link any more.
    pub(super) fn close_link(&mut self, link: LinkId) {
        if self.shut.len() >= self.config.limits.outputs {
            self.shut.pop_first();
        }
        self.shut.insert(link);
        self.outbox.push(Output::Close(link));
    }

    pub(super) fn tell_dissolved(&mut self, link: LinkId, token: Option<Token>, reason: DissolveReason) {
        let message = Message::Dissolved(Dissolved { token, reason, extensions: Extensions::NONE });
        self.outbox.push(Output::Send { link, message });
    }

    /// A process that has broken the protocol has failed.
    #[cold]
    pub(super) fn violated(&mut self, link: LinkId, expected: &'static str, got: &'static str) -> Error {
        self.close_link(link);
        self.process_failed(link);
        Violation { state: self.state.name(), expected, got }.into()
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outbox.push(Output::Event(event));
    }

    pub(super) fn send(&mut self, link: LinkId, message: Message) {
        self.outbox.push(Output::Send { link, message });
    }

    pub(super) fn go(&mut self, event: reign::Event) {
        match reign::step(self.state, event) {
            Ok(next) => {
                trace_transition!("group coordinator", self.state, event, next);
                self.state = next;
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }
}
