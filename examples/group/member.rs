//! A process that is a provider of the group, or watches it.

use crate::wires::{Wire, Wires, tell};
use bytes::Bytes;
use handover::group::coordinator::Credentials;
use handover::group::endpoint::{ProcessConfig, ProcessEndpoint, ProcessOutput};
use handover::group::message::{Ballot, Ended, Open};
use handover::group::process::{Config, Event, Input};
use handover::group::proposal::{Expulsion, Voting, Wish};
use handover::group::provider::{Event as ProviderEvent, Input as ProviderInput};
use handover::group::subscriber::Event as SubscriberEvent;
use handover::group::{
    Attributes, BatchControl, GroupName, Phases, ProtocolId, ProtocolKind, ProviderId, ProviderMessage, RequestId,
    StateValue, Subscription, Vote,
};
use serde_json::{Value, json};
use std::error::Error;
use std::net::TcpStream;
use std::time::Duration;

/// The number of the only join or subscription.
const PLACE: RequestId = RequestId(1);

struct Member {
    endpoint: ProcessEndpoint,
    wires: Wires,
    addresses: Vec<String>,
    next_address: usize,
    requests: u32,
    /// Whether it leaves phases unanswered until it is told what to vote.
    holds: bool,
    /// What it was told last, as one that watches: who is there, and the state value.
    seen: (Option<Vec<u32>>, Option<String>),
}

/// The group's attributes: joins and failures are voted on, joins that come together are voted on together.
fn attributes() -> Attributes {
    let mut attributes = Attributes::new(GroupName::new("kitchen").expect("a name of 7 bytes"));
    (attributes.phases, attributes.batch_control) = (Phases::N, BatchControl::JOINS);
    attributes
}

/// Node `node` of the domain whose coordinators have these addresses.
pub fn run(node: u32, addresses: Vec<String>) -> Result<(), Box<dyn Error>> {
    let mut config = Config::new(node, 1);
    config.credentials = Credentials(Bytes::from_static(crate::SECRET));
    let endpoint = ProcessEndpoint::new(ProcessConfig::new(config));
    let wires = Wires::start();
    let mut member =
        Member { endpoint, wires, addresses, next_address: 0, requests: 1, holds: false, seen: (None, None) };
    member.dial();
    loop {
        member.carry_out();
        let wire = member.wires.next(member.endpoint.poll_timeout());
        let now = member.wires.clock.now();
        let result = match wire {
            Wire::Bytes(link, bytes) => member.endpoint.received(now, link, &bytes),
            Wire::Closed(link) => member.endpoint.closed(now, link),
            Wire::Timeout => member.endpoint.timeout(now),
            Wire::Line(line) => {
                member.order(&line)?;
                Ok(())
            }
            Wire::Accepted(..) => Ok(()),
        };
        if let Err(error) = result {
            tell(&json!({"event": "error", "text": error.to_string()}));
        }
    }
}

impl Member {
    /// Tries the coordinators one behind the other, until one is there.
    fn dial(&mut self) {
        loop {
            let address = self.addresses[self.next_address % self.addresses.len()].clone();
            if let Ok(stream) = TcpStream::connect(address) {
                let opened = self.endpoint.connected(self.wires.clock.now());
                return match opened.map(|link| self.wires.open(link, stream)) {
                    Ok(Ok(())) => {}
                    wrong => tell(&json!({"event": "error", "text": format!("{wrong:?}")})),
                };
            }
            self.next_address += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn command(&mut self, input: Input) {
        if let Err(error) = self.endpoint.command(self.wires.clock.now(), input) {
            tell(&json!({"event": "error", "text": error.to_string()}));
        }
    }

    fn say(&mut self, input: ProviderInput) {
        self.command(Input::Provider { request: PLACE, input });
    }

    fn propose(&mut self, phases: Phases, wish: Wish) {
        self.requests += 1;
        let voting = Voting { phases, time_limit: 0 };
        self.say(ProviderInput::Propose { request: RequestId(self.requests), voting, view: None, wish });
    }

    fn vote(&mut self, protocol: ProtocolId, phase: u32, vote: Vote) {
        // The phase may be over by now: another provider has rejected.
        if self.open().is_none_or(|open| (open.protocol, open.phase) != (protocol, phase)) {
            return;
        }
        let ballot = Ballot { vote, default_vote: None, state: None, message: None };
        self.say(ProviderInput::Vote { protocol, phase, ballot });
    }

    fn open(&self) -> Option<&Open> {
        self.endpoint.process().provider(PLACE)?.open()
    }

    /// A vote in whatever runs.
    fn vote_now(&mut self, vote: Vote) {
        if let Some((protocol, phase)) = self.open().map(|open| (open.protocol, open.phase)) {
            self.vote(protocol, phase, vote);
        }
    }

    fn order(&mut self, line: &str) -> Result<(), Box<dyn Error>> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "join" => {
                let local_name = format!("member {}", std::process::id());
                self.command(Input::Join { request: PLACE, attributes: attributes(), instance: 1, local_name });
            }
            "subscribe" => {
                let (group, subscription) = (attributes().name, Subscription::MEMBERSHIP | Subscription::STATE);
                self.command(Input::Subscribe { request: PLACE, group, subscription });
            }
            "state" => {
                let state = StateValue::new(rest.to_owned()).ok_or("a state value of 256 bytes at most")?;
                self.propose(Phases::N, Wish::State(state));
            }
            "say" => {
                let message = ProviderMessage::new(rest.to_owned()).ok_or("a message of 2048 bytes at most")?;
                self.propose(Phases::ONE, Wish::Message(message));
            }
            "expel" => {
                let targets = vec![ProviderId { node: rest.parse()?, instance: 1, incarnation: 1 }];
                let flag = Bytes::from_static(b"put the knives away");
                self.propose(Phases::N, Wish::Expel(Expulsion { targets, deactivate_phase: 2, flag }));
            }
            "hold" => self.holds = true,
            "approve" => self.vote_now(Vote::APPROVE),
            "reject" => self.vote_now(Vote::REJECT),
            "show" => self.show(),
            _ => return Err(format!("unknown command {line:?}").into()),
        }
        Ok(())
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                ProcessOutput::Transmit { link, bytes } => self.wires.write(link, &bytes),
                ProcessOutput::Close(link) => self.wires.close(link),
                ProcessOutput::Event(event) => self.event(event),
                other => unreachable!("a new kind of output: {other:?}"),
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Entered { epoch, .. } => tell(&json!({"event": "entered", "epoch": epoch.0})),
            Event::Orphaned => {
                self.next_address += 1;
                self.dial();
            }
            Event::Provider { event, .. } => self.provider(event),
            Event::Subscriber { event: SubscriberEvent::Notice(notice), .. } => {
                let members =
                    notice.members.map(|members| members.iter().map(|member| member.node).collect::<Vec<_>>());
                let state = notice.state.as_ref().map(|state| String::from_utf8_lossy(&state.as_bytes()[..]));
                tell(&json!({"event": "notice", "members": members, "state": state}));
                self.seen.0 = members.or(self.seen.0.take());
                self.seen.1 = state.map(std::borrow::Cow::into_owned).or(self.seen.1.take());
            }
            Event::Ended(end) => tell(&json!({"event": "ended", "why": format!("{end:?}")})),
            _ => {}
        }
    }

    fn provider(&mut self, event: ProviderEvent) {
        match event {
            ProviderEvent::Phase(open) => {
                tell(&phase("phase", &open));
                if !self.holds {
                    // Joins and expulsions take two phases, everything else one.
                    let two = [ProtocolKind::JOIN, ProtocolKind::EXPEL].contains(&open.kind);
                    let vote = if two && open.phase == 1 { Vote::CONTINUE } else { Vote::APPROVE };
                    self.vote(open.protocol, open.phase, vote);
                }
                self.holds = false;
            }
            ProviderEvent::Watch { open, deactivate } => {
                tell(&phase("watches", &open));
                if deactivate.is_some() {
                    self.say(ProviderInput::Deactivated(true));
                }
            }
            ProviderEvent::Approved(ended) => self.ended("approved", &ended),
            ProviderEvent::Rejected(ended) => self.ended("rejected", &ended),
            ProviderEvent::Error { code, .. } => tell(&json!({"event": "refused", "why": code.name()})),
            ProviderEvent::Gone(why) => tell(&json!({"event": "gone", "why": format!("{why:?}")})),
            _ => {}
        }
    }

    fn ended(&self, event: &str, ended: &Ended) {
        let outcome = &ended.outcome;
        let members = self.endpoint.process().provider(PLACE).map(|provider| nodes(provider.members()));
        let message = outcome.proposal.message.as_ref().map(|message| String::from_utf8_lossy(&message.as_bytes()[..]));
        tell(&json!({
            "event": event, "kind": outcome.kind.name(), "phases": outcome.phases, "members": members,
            "summary": format!("{:?}", outcome.summary), "message": message,
        }));
    }

    /// All that it knows of the group.
    fn show(&self) {
        let Some(provider) = self.endpoint.process().provider(PLACE) else {
            let (members, state) = &self.seen;
            return tell(&json!({"event": "view", "view": {"members": members, "state": state}}));
        };
        let view = json!({
            "view": provider.view().0,
            "sequence": provider.sequence().0,
            "members": nodes(provider.members()),
            "state": String::from_utf8_lossy(&provider.value().as_bytes()[..]),
            "epoch": self.endpoint.process().epoch().0,
        });
        tell(&json!({"event": "view", "view": view}));
    }
}

fn nodes(members: &[ProviderId]) -> Vec<u32> {
    members.iter().map(|member| member.node).collect()
}

fn phase(event: &str, open: &Open) -> Value {
    json!({"event": event, "kind": open.kind.name(), "phase": open.phase})
}
