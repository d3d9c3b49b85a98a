//! What a connection must do: the table of spec/repmgr.md 6.1, and the numbers of 2.2 to 2.5.

use super::super::words::{Must, broken};
use crate::machine::Machine;
use crate::repmgr::connection::{
    CloseReason, Config, Connection, Event, Input, MembershipPolicy, Output, Peer, Traffic,
};
use crate::repmgr::handshake::{Confirmation, Control, Handshake, Parameters, Proposal, SiteParameters, VersionRange};
use crate::repmgr::message::Message;
use crate::repmgr::own::OwnMessage;
use crate::repmgr::{ConnectionFlags, SiteAddress, Version};
use crate::testing::trial::{Expected, Reference};
use crate::time::Instant;
use bytes::Bytes;
use std::string::String;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Dialling,
    Proposed,
    Negotiating,
    Introducing,
    Asked,
    Ready,
    Over,
}

/// What a message is, as far as a connection looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A proposal; one of which version 4 comes.
    Proposal,
    Settling,
    /// A confirmation; one of version 4, which was proposed.
    Confirmation,
    Confirming,
    Legacy,
    /// Parameters; those of a channel.
    Parameters,
    Channel,
    /// JOIN_REQUEST, REMOVE_REQUEST.
    Membership,
    /// CONNECT_REJECT, PARM_REFRESH, SHARING.
    News,
    EmptyHeartbeat,
    Heartbeat,
    /// APP_MESSAGE, APP_RESPONSE, RESP_ERROR with an error.
    Traffic,
    Other,
}

/// What follows.
#[derive(Clone, Copy, Debug)]
enum Act {
    Confirm,
    Introduce,
    Listen,
    Ask,
    Pass,
    Ignore(&'static str),
    Close(CloseReason),
}

/// The lines of 6.1 that begin with a message. What is not here is a violation.
const TABLE: &[(Stage, Kind, Act)] = &[
    (Stage::Proposed, Kind::Confirming, Act::Introduce),
    (Stage::Proposed, Kind::Confirmation, Act::Close(CloseReason::Version)),
    (Stage::Proposed, Kind::Legacy, Act::Close(CloseReason::Version)),
    (Stage::Negotiating, Kind::Settling, Act::Confirm),
    (Stage::Negotiating, Kind::Proposal, Act::Close(CloseReason::Version)),
    (Stage::Negotiating, Kind::Legacy, Act::Close(CloseReason::Version)),
    (Stage::Negotiating, Kind::EmptyHeartbeat, Act::Ignore("HEARTBEAT")),
    (Stage::Introducing, Kind::Channel, Act::Listen),
    (Stage::Introducing, Kind::Parameters, Act::Close(CloseReason::NotAChannel)),
    (Stage::Introducing, Kind::Membership, Act::Ask),
    (Stage::Ready, Kind::Traffic, Act::Pass),
    (Stage::Ready, Kind::EmptyHeartbeat, Act::Ignore("HEARTBEAT")),
    (Stage::Ready, Kind::Heartbeat, Act::Ignore("HEARTBEAT")),
    (Stage::Ready, Kind::News, Act::Ignore("OWN_MSG")),
];

/// The reference model of a [`Connection`].
#[derive(Clone, Debug)]
pub struct ConnectionModel {
    config: Config,
    stage: Stage,
    now: Instant,
    due: Option<Instant>,
    settled: bool,
    history: History,
}

/// What has gone out, whatever the model thinks.
#[derive(Clone, Copy, Debug, Default)]
struct History {
    ready: u32,
    closed: u32,
    closes: u32,
    handshakes: u32,
}

impl ConnectionModel {
    /// The model of a connection that begins now.
    #[must_use]
    pub fn new(config: Config, dialler: bool) -> Self {
        let (stage, time) = if dialler {
            (Stage::Dialling, config.dial_timeout)
        } else {
            (Stage::Negotiating, config.handshake_timeout)
        };
        let due = Some(Instant::ZERO.saturating_add(time));
        Self { config, stage, now: Instant::ZERO, due, settled: false, history: History::default() }
    }

    fn kind(&self, message: &Message) -> Kind {
        let VersionRange { min, max } = self.config.versions;
        match message {
            Message::Handshake(Handshake::Proposal(proposal)) => {
                let theirs = proposal.versions;
                // 2.3, for a listener that wants version 4 or nothing: it takes the highest of its own that is proposed,
                // or else the highest that is proposed, if that is one of its own.
                let top = max.0.min(4);
                let chosen = if (theirs.min.0..=theirs.max.0).contains(&top) { top } else { theirs.max.0 };
                let settles = chosen == 4 && (min.0..=max.0).contains(&4);
                if settles { Kind::Settling } else { Kind::Proposal }
            }
            Message::Handshake(Handshake::Confirmation(Confirmation { version, .. })) => {
                let fine = version.0 == 4 && min.0 <= 4 && 4 <= max.0;
                if fine { Kind::Confirming } else { Kind::Confirmation }
            }
            Message::Handshake(Handshake::Legacy(_)) => Kind::Legacy,
            Message::Handshake(Handshake::Parameters(parameters)) => {
                let channel = parameters.site.control.flags().bits() & 2 != 0;
                if channel { Kind::Channel } else { Kind::Parameters }
            }
            Message::Own(own) => match own.ty().0 {
                1 | 6 | 11 => Kind::News,
                4 | 8 => Kind::Membership,
                _ => Kind::Other,
            },
            Message::Heartbeat(None) => Kind::EmptyHeartbeat,
            Message::Heartbeat(Some(_)) => Kind::Heartbeat,
            Message::App(_) | Message::Response(_) => Kind::Traffic,
            Message::Error(error) if error.code.0 != 0 => Kind::Traffic,
            _ => Kind::Other,
        }
    }

    fn act(&self, message: &Message) -> Option<Act> {
        let kind = self.kind(message);
        let row = TABLE.iter().find(|(stage, on, _)| *stage == self.stage && *on == kind);
        row.map(|(_, _, act)| *act)
    }

    fn site(&self, flags: u32) -> SiteParameters {
        let identity = &self.config.identity;
        let electable = if identity.priority > 0 { 4 } else { 0 };
        let flags = ConnectionFlags::from_bits_retain(flags | electable);
        let control = Control::V4 { alignment: 8, ack_policy: identity.ack_policy, flags };
        let SiteAddress { host, port } = identity.address.clone();
        SiteParameters { host, port, control, extra: Bytes::new() }
    }

    fn wait(&mut self, stage: Stage) {
        let time = if stage == Stage::Asked { self.config.membership_timeout } else { self.config.handshake_timeout };
        (self.stage, self.due) = (stage, Some(self.now.saturating_add(time)));
    }

    fn ready(&mut self, site: &SiteParameters, must: &mut Must<Output, Event>) {
        (self.stage, self.due, self.settled) = (Stage::Ready, None, true);
        let address = SiteAddress { host: site.host.clone(), port: site.port };
        must.events.push(Event::Ready(Peer { version: Version(4), address, flags: site.control.flags() }));
    }

    fn end(&mut self, close: bool, reason: CloseReason, must: &mut Must<Output, Event>) {
        (self.stage, self.due) = (Stage::Over, None);
        if close {
            must.wire.push(Output::Close);
        }
        must.events.push(Event::Closed(reason));
    }

    fn reject(&mut self, must: &mut Must<Output, Event>) {
        must.wire.push(Output::Send(OwnMessage::ConnectReject { version: 0, generation: 0 }.into()));
        self.end(true, CloseReason::NotAChannel, must);
    }

    fn input(&mut self, now: Instant, input: &Input) -> Must<Output, Event> {
        let mut must = Must::default();
        let after = self.now.max(now);
        if *input == Input::Timeout && self.due.is_none_or(|due| due > after) {
            return must;
        }
        self.now = after;
        match input {
            Input::Opened => {
                let identity = &self.config.identity;
                let SiteAddress { host, port } = identity.address.clone();
                let proposal = Proposal::new(host, port, identity.priority, self.config.versions);
                must.wire.push(Output::Send(Handshake::from(proposal).into()));
                self.wait(Stage::Proposed);
            }
            Input::Message(message) => self.message(message, &mut must),
            Input::Send(traffic) => must.wire.push(Output::Send(traffic.clone().into())),
            Input::AnswerMembership(answer) => {
                must.wire.push(Output::Send(answer.clone().into()));
                self.end(true, CloseReason::Membership, &mut must);
            }
            Input::Malformed => self.end(true, CloseReason::Violation, &mut must),
            Input::Closed => {
                let had = self.stage != Stage::Dialling;
                self.end(false, if had { CloseReason::Lost } else { CloseReason::Unreachable }, &mut must);
            }
            Input::Disconnect => self.end(true, CloseReason::Local, &mut must),
            Input::Timeout => {
                if self.stage == Stage::Asked {
                    must.wire.push(Output::Send(OwnMessage::Failure.into()));
                }
                self.end(true, CloseReason::TimedOut, &mut must);
            }
        }
        must
    }

    fn message(&mut self, message: &Message, must: &mut Must<Output, Event>) {
        match (self.act(message), message) {
            (Some(Act::Confirm), _) => {
                self.settled = true;
                must.wire.push(Output::Send(Handshake::from(Confirmation::new(self.site(0))).into()));
                self.wait(Stage::Introducing);
            }
            (Some(Act::Introduce), Message::Handshake(Handshake::Confirmation(Confirmation { site, .. }))) => {
                must.wire.push(Output::Send(Handshake::from(Parameters { site: self.site(2) }).into()));
                self.ready(site, must);
            }
            (Some(Act::Listen), Message::Handshake(Handshake::Parameters(Parameters { site }))) => {
                self.ready(site, must);
            }
            (Some(Act::Ask), Message::Own(request)) if self.config.membership == MembershipPolicy::Ask => {
                must.events.push(Event::MembershipRequest(request.clone()));
                self.wait(Stage::Asked);
            }
            (Some(Act::Ask | Act::Close(CloseReason::NotAChannel)), _) => self.reject(must),
            (Some(Act::Close(reason)), _) => self.end(true, reason, must),
            (Some(Act::Ignore(name)), _) => must.events.push(Event::Ignored(name)),
            (Some(Act::Pass), Message::App(message)) => {
                must.events.push(Event::Received(Traffic::Message(message.clone())));
            }
            (Some(Act::Pass), Message::Response(response)) => {
                must.events.push(Event::Received(Traffic::Response(response.clone())));
            }
            (Some(Act::Pass), Message::Error(error)) => must.events.push(Event::Received(Traffic::Error(*error))),
            _ => self.end(true, CloseReason::Violation, must),
        }
    }

    /// P6, P19: what may go out, by what has gone out and nothing else.
    fn check_history(&mut self, outputs: &[Output]) -> Result<(), String> {
        let history = &mut self.history;
        for output in outputs {
            let over = history.closes > 0 || history.closed > 0;
            match output {
                Output::Send(message) => {
                    let of_application = matches!(message, Message::App(_) | Message::Response(_) | Message::Error(_));
                    history.handshakes += u32::from(matches!(message, Message::Handshake(_)));
                    // The dialler's parameters go out just before it is ready.
                    if over || history.handshakes > 2 || of_application != (history.ready > 0) {
                        return broken("P19", format_args!("{} is sent, behind {history:?}", message.name()));
                    }
                }
                Output::Close => history.closes += 1,
                Output::Event(Event::Ready(_)) => history.ready += 1,
                Output::Event(Event::Closed(_)) => history.closed += 1,
                Output::Event(_) if over => return broken("6.1", format_args!("{output:?}, behind {history:?}")),
                Output::Event(_) => {}
            }
        }
        if history.ready > 1 || history.closed > 1 || history.closes > history.closed {
            return broken("6.1", format_args!("{history:?}"));
        }
        Ok(())
    }
}

impl Reference<Connection, Input> for ConnectionModel {
    fn expect(&self, input: &Input) -> Option<Expected> {
        let fine = match (self.stage, input) {
            (_, Input::Timeout) => true,
            (Stage::Over, _) => false,
            (stage, Input::Opened) => stage == Stage::Dialling,
            (Stage::Dialling, Input::Message(_) | Input::Malformed) => false,
            (_, Input::Message(message)) if self.act(message).is_none() => return Some(Expected::Violation),
            (stage, Input::Send(Traffic::Error(error))) => stage == Stage::Ready && error.code.0 != 0,
            (stage, Input::Send(_)) => stage == Stage::Ready,
            (stage, Input::AnswerMembership(answer)) => stage == Stage::Asked && [2, 3, 5, 9].contains(&answer.ty().0),
            (_, Input::Message(_) | Input::Malformed | Input::Closed | Input::Disconnect) => true,
        };
        Some(if fine { Expected::Fine } else { Expected::Misuse })
    }

    fn follow(&mut self, now: Instant, input: &Input, outputs: &[Output], machine: &Connection) -> Result<(), String> {
        self.check_history(outputs)?;
        let must = self.input(now, input);
        must.check(outputs, as_event, property)?;
        let got = (machine.poll_timeout(), machine.is_ready(), machine.version());
        let version = self.settled.then_some(Version(4));
        let should = (self.due, self.stage == Stage::Ready, version);
        if got != should {
            return broken("6.1", format_args!("deadline, ready, version: {got:?}, not {should:?}"));
        }
        let (state, name) = (std::format!("{:?}", machine.state()), self.state());
        if state != name {
            return broken("6.1", format_args!("it is {state}, not {name}"));
        }
        Ok(())
    }

    fn at_rest(&self, machine: &Connection) -> Result<(), String> {
        if self.stage != Stage::Over || self.history.closed != 1 {
            return broken("6.1", format_args!("{machine:?} does not end, or not once: {:?}", self.history));
        }
        Ok(())
    }
}

impl ConnectionModel {
    const fn state(&self) -> &'static str {
        match self.stage {
            Stage::Dialling => "Dialling",
            Stage::Proposed => "Proposed",
            Stage::Negotiating => "Negotiating",
            Stage::Introducing => "Introducing",
            Stage::Asked => "Asked",
            Stage::Ready => "Ready",
            Stage::Over => "Closed",
        }
    }
}

fn as_event(output: &Output) -> Option<&Event> {
    if let Output::Event(event) = output { Some(event) } else { None }
}

/// The property that a difference is about.
fn property(difference: Result<&Output, &Event>) -> &'static str {
    match difference {
        Ok(Output::Send(Message::Handshake(_))) => "P7",
        Ok(Output::Send(_)) => "P19",
        Err(Event::Received(Traffic::Error(_))) => "P16",
        Err(Event::Closed(_)) | Ok(Output::Close) => "P6",
        _ => "6.1",
    }
}
