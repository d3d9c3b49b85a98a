//! What a connection does with each input.

use super::table::Event as TableEvent;
use super::{CloseReason, Connection, Event, Input, MembershipPolicy, Output, Peer, State, Traffic, step};
use crate::error::{Error, Misuse, Violation};
use crate::machine::{Machine, trace_transition};
use crate::repmgr::handshake::{Confirmation, Handshake, Parameters, Proposal, SiteParameters};
use crate::repmgr::host::SiteAddress;
use crate::repmgr::ids::{ConnectionFlags, ErrorCode, OwnMessageType, Version};
use crate::repmgr::message::Message;
use crate::repmgr::own::OwnMessage;
use crate::time::Instant;
use core::time::Duration;

impl Machine for Connection {
    type Input<'a> = Input;
    type Output = Output;
    type State = State;

    fn handle(&mut self, now: Instant, input: Input) -> Result<(), Error> {
        self.outbox.check_room(self.config.limits.outputs)?;
        self.validate(&input)?;
        let now = self.now.max(now);
        if matches!(input, Input::Timeout) && self.deadline.is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        self.now = now;
        match input {
            Input::Opened => self.propose(),
            Input::Message(message) => return self.message(message),
            Input::Send(traffic) => self.send(traffic.into()),
            Input::AnswerMembership(answer) => {
                self.send(Message::Own(answer));
                self.finish(TableEvent::Answered, CloseReason::Membership);
            }
            Input::Malformed => self.finish(TableEvent::Violated, CloseReason::Violation),
            Input::Closed => {
                let opened = self.state != State::Dialling;
                self.end(TableEvent::Closed, if opened { CloseReason::Lost } else { CloseReason::Unreachable });
            }
            Input::Disconnect => self.finish(TableEvent::Closed, CloseReason::Local),
            Input::Timeout => {
                if self.state == State::Asked {
                    self.send(Message::Own(OwnMessage::Failure));
                }
                self.finish(TableEvent::TimedOut, CloseReason::TimedOut);
            }
        }
        Ok(())
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    fn state(&self) -> State {
        self.state
    }
}

impl Connection {
    /// Everything that our caller can do wrong; nothing changes.
    fn validate(&self, input: &Input) -> Result<(), Misuse> {
        let fits = match input {
            Input::Timeout => true,
            Input::Opened => self.state == State::Dialling,
            Input::Message(_) | Input::Malformed => !matches!(self.state, State::Dialling | State::Closed),
            Input::Send(_) => self.state == State::Ready,
            Input::AnswerMembership(_) => self.state == State::Asked,
            Input::Closed | Input::Disconnect => self.state != State::Closed,
        };
        if !fits {
            return Err(Misuse::WrongState { state: self.state.name(), input: input.name() });
        }
        match input {
            Input::Send(traffic) => check_traffic(traffic),
            Input::AnswerMembership(answer) if !is_answer(answer) => {
                Err(Misuse::Argument { what: "answer", reason: "no answer to a request about membership" })
            }
            _ => Ok(()),
        }
    }

    fn propose(&mut self) {
        let identity = &self.config.identity;
        let SiteAddress { host, port } = identity.address.clone();
        let proposal = Proposal::new(host, port, identity.priority, self.config.versions);
        self.send(Message::Handshake(Handshake::Proposal(proposal)));
        self.await_within(self.config.handshake_timeout);
        self.go(TableEvent::Opened);
    }

    fn message(&mut self, message: Message) -> Result<(), Error> {
        match (self.state, message) {
            (State::Ready, message) => self.traffic(message),
            (State::Proposed, Message::Handshake(Handshake::Confirmation(confirmation))) => {
                self.confirmed(confirmation);
                Ok(())
            }
            (State::Proposed, Message::Handshake(Handshake::Legacy(_))) => {
                self.finish(TableEvent::Refused, CloseReason::Version);
                Ok(())
            }
            (State::Proposed, got) => Err(self.violated("a confirmation", got.name())),
            (State::Negotiating, Message::Handshake(Handshake::Proposal(proposal))) => {
                self.proposed(&proposal);
                Ok(())
            }
            (State::Negotiating, Message::Handshake(Handshake::Legacy(_))) => {
                self.finish(TableEvent::Refused, CloseReason::Version);
                Ok(())
            }
            // libdb takes it for a sign of life, even before anything was said.
            (State::Negotiating, Message::Heartbeat(None)) => {
                self.event(Event::Ignored("HEARTBEAT"));
                Ok(())
            }
            (State::Negotiating, got) => Err(self.violated("a proposal", got.name())),
            (State::Introducing, Message::Handshake(Handshake::Parameters(Parameters { site }))) => {
                self.introduced(site);
                Ok(())
            }
            (State::Introducing, Message::Own(request)) if is_request(&request) => {
                self.asked(request);
                Ok(())
            }
            (State::Introducing, got) => Err(self.violated("parameters, or a request about membership", got.name())),
            (_, got) => Err(self.violated("nothing", got.name())),
        }
    }

    fn confirmed(&mut self, Confirmation { version, site, .. }: Confirmation) {
        let versions = self.config.versions;
        // Older ones have no messages of applications, and newer ones are not known.
        if version != Version::V4 || !versions.contains(version) {
            return self.finish(TableEvent::Refused, CloseReason::Version);
        }
        let ours = self.config.identity.parameters(version, ConnectionFlags::APP_CHANNEL);
        self.send(Message::Handshake(Handshake::Parameters(Parameters { site: ours })));
        self.ready(TableEvent::Confirmed, version, site);
    }

    fn proposed(&mut self, proposal: &Proposal) {
        let settled = self.config.versions.select(proposal.versions);
        let Some(version) = settled.filter(|version| *version >= Version::V4) else {
            return self.finish(TableEvent::Refused, CloseReason::Version);
        };
        let site = self.config.identity.parameters(version, ConnectionFlags::empty());
        self.send(Message::Handshake(Handshake::Confirmation(Confirmation { version, site, trailing: 0 })));
        self.version = Some(version);
        self.await_within(self.config.handshake_timeout);
        self.go(TableEvent::Proposed);
    }

    fn introduced(&mut self, site: SiteParameters) {
        let version = self.version.unwrap_or(Version::V4);
        if site.control.flags().contains(ConnectionFlags::APP_CHANNEL) {
            return self.ready(TableEvent::Introduced, version, site);
        }
        self.reject();
        self.finish(TableEvent::Refused, CloseReason::NotAChannel);
    }

    fn ready(&mut self, event: TableEvent, version: Version, site: SiteParameters) {
        self.version = Some(version);
        self.deadline = None;
        self.go(event);
        let flags = site.control.flags();
        let address = SiteAddress { host: site.host, port: site.port };
        self.event(Event::Ready(Peer { version, address, flags }));
    }

    fn asked(&mut self, request: OwnMessage) {
        match self.config.membership {
            MembershipPolicy::Reject => {
                self.reject();
                self.finish(TableEvent::Refused, CloseReason::NotAChannel);
            }
            MembershipPolicy::Ask => {
                self.await_within(self.config.membership_timeout);
                self.go(TableEvent::Asked);
                self.event(Event::MembershipRequest(request));
            }
        }
    }

    /// Says that the dialler is no member, by a list that is older than any: it is not to conclude that it was removed.
    fn reject(&mut self) {
        self.send(Message::Own(OwnMessage::ConnectReject { version: 0, generation: 0 }));
    }

    /// What may come once the connection is ready (spec/repmgr.md 6.1).
    fn traffic(&mut self, message: Message) -> Result<(), Error> {
        let traffic = match message {
            Message::App(message) => Traffic::Message(message),
            Message::Response(response) => Traffic::Response(response),
            // libdb would take it for success.
            Message::Error(error) if error.code == ErrorCode::NONE => {
                return Err(self.violated("an error code", "RESP_ERROR 0"));
            }
            Message::Error(error) => Traffic::Error(error),
            // They are about replication and membership, which this connection has no part in.
            Message::Heartbeat(_) => {
                self.event(Event::Ignored("HEARTBEAT"));
                return Ok(());
            }
            Message::Own(own) if is_broadcast(&own) => {
                self.event(Event::Ignored("OWN_MSG"));
                return Ok(());
            }
            got @ (Message::Own(_) | Message::PermLsn(_) | Message::Handshake(_) | Message::Replication(_)) => {
                return Err(self.violated("messages of applications", got.name()));
            }
        };
        self.event(Event::Received(traffic));
        Ok(())
    }

    #[cold]
    fn violated(&mut self, expected: &'static str, got: &'static str) -> Error {
        let state = self.state.name();
        self.finish(TableEvent::Violated, CloseReason::Violation);
        Violation { state, expected, got }.into()
    }

    /// Closes the transport.
    fn finish(&mut self, event: TableEvent, reason: CloseReason) {
        self.outbox.push(Output::Close);
        self.end(event, reason);
    }

    fn end(&mut self, event: TableEvent, reason: CloseReason) {
        self.deadline = None;
        self.go(event);
        self.event(Event::Closed(reason));
    }

    fn await_within(&mut self, time: Duration) {
        self.deadline = Some(self.now.saturating_add(time));
    }

    fn send(&mut self, message: Message) {
        self.outbox.push(Output::Send(message));
    }

    fn event(&mut self, event: Event) {
        self.outbox.push(Output::Event(event));
    }

    fn go(&mut self, event: TableEvent) {
        match step(self.state, event) {
            Ok(next) => {
                trace_transition!("repmgr connection", self.state, event, next);
                self.state = next;
            }
            Err(illegal) => debug_assert!(false, "{illegal:?}"),
        }
    }
}

/// What no caller may send: libdb would take it for success, or has no use for it.
fn check_traffic(traffic: &Traffic) -> Result<(), Misuse> {
    match traffic {
        Traffic::Error(error) if error.code == ErrorCode::NONE => {
            Err(Misuse::Argument { what: "code", reason: "0 is no error" })
        }
        _ => Ok(()),
    }
}

const fn is_request(own: &OwnMessage) -> bool {
    matches!(own, OwnMessage::JoinRequest(_) | OwnMessage::RemoveRequest(_))
}

fn is_answer(own: &OwnMessage) -> bool {
    matches!(
        own,
        OwnMessage::Failure | OwnMessage::Forward { .. } | OwnMessage::JoinSuccess(_) | OwnMessage::RemoveSuccess
    )
}

/// What libdb reads on any connection.
fn is_broadcast(own: &OwnMessage) -> bool {
    let ty = own.ty();
    ty == OwnMessageType::CONNECT_REJECT || ty == OwnMessageType::PARM_REFRESH || ty == OwnMessageType::SHARING
}
