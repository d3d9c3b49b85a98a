//! A process for the contract suite, with what its coordinators say to it.

use super::words::{self, ballot, voting, wish};
use crate::frame::{Extensions, Text};
use crate::group::message::{
    Accepted, DelayedError, Dissolved, Message, Phase, Ping, Query, Redirect, Snapshot, View, Welcome,
};
use crate::group::process::{Config, Input, Output, Process, State};
use crate::group::{
    Attributes, DissolveReason, DomainId, Epoch, ErrorCode, GroupId, MessageKind, ProviderId, RequestId, Sequence,
    Subscription, Token, provider,
};
use crate::machine::{LinkId, Machine};
use crate::testing::contract::Subject;
use crate::testing::{Choices, group};
use core::time::Duration;
use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

/// A process for the contract suite.
#[derive(Clone, Debug, Default)]
pub struct ProcessSubject {
    link: u32,
    request: u32,
    asked: Vec<RequestId>,
    tokens: Vec<(RequestId, Token)>,
}

impl ProcessSubject {
    fn token(&self, choices: &mut Choices<'_>) -> (RequestId, Token) {
        let known = self.tokens.get(choices.below(self.tokens.len().max(1))).copied();
        known.unwrap_or((RequestId(1), Token { index: 0, generation: 0 }))
    }

    fn told(&mut self, machine: &Process, choices: &mut Choices<'_>) -> Message {
        let extensions = Extensions::NONE;
        let (request, token) = self.token(choices);
        let provider = machine.provider(request);
        let sequence = Sequence(provider.map_or(0, |one| one.sequence().0).saturating_add(1));
        let group = GroupId(1);
        match choices.byte() % 16 {
            0..=2 => {
                let request = self.asked.get(choices.below(self.asked.len().max(1))).copied().unwrap_or(RequestId(1));
                let token = Token { index: request.0, generation: 0 };
                self.tokens.push((request, token));
                Message::Accepted(Accepted { request, token, group, extensions })
            }
            3..=5 => {
                let mut open = group::open(choices);
                open.proposal.joining = std::vec![me(machine, request)];
                Message::Phase(Phase { token, group, sequence, open, extensions })
            }
            6..=8 => {
                let mut ended = group::ended(choices);
                (ended.token, ended.group, ended.outcome.sequence) = (token, group, sequence);
                ended.outcome.proposal.joining = std::vec![me(machine, request)];
                Message::Approved(Box::new(ended))
            }
            9 => {
                let snapshot: Snapshot = group::snapshot(choices);
                Message::View(View { token, snapshot: Box::new(snapshot), open: None, extensions })
            }
            10 => {
                let (kind, code, text) = (MessageKind::JOIN, ErrorCode::COLLIDE, Text::EMPTY);
                Message::DelayedError(DelayedError { request, token: None, kind, code, text, extensions })
            }
            11 => Message::Ping(Ping { nonce: choices.byte().into(), extensions }),
            12 => {
                let token = (!choices.one_in(8)).then_some(token);
                Message::Dissolved(Dissolved { token, reason: DissolveReason::EMPTY, extensions })
            }
            13 => {
                let epoch = Epoch(u64::from(choices.byte() % 3) << 16);
                Message::Redirect(Redirect { epoch, address: Text::EMPTY, extensions })
            }
            14 => Message::Query(Query { epoch: Epoch(1 << 16), extensions }),
            _ => group::message(choices),
        }
    }
}

fn me(machine: &Process, request: RequestId) -> ProviderId {
    let nobody = ProviderId { node: 1, instance: 0, incarnation: 1 };
    machine.provider(request).map_or(nobody, provider::Provider::id)
}

impl Subject for ProcessSubject {
    type Machine = Process;
    type Input = Input;

    const OUTPUTS_PER_INPUT: usize = 512;
    const QUEUE: usize = 4096;

    fn machine(&mut self, choices: &mut Choices<'_>) -> Process {
        let mut config = Config::new(1, 1);
        config.limits.outputs = 2000;
        config.reenter = Duration::from_secs(*choices.pick(&[30, 0]));
        Process::new(config)
    }

    fn choose(&mut self, machine: &Process, choices: &mut Choices<'_>) -> Input {
        let link = LinkId(if choices.one_in(12) { 0 } else { self.link });
        match (machine.state(), choices.byte()) {
            (State::Outside, 0..=199) => {
                self.link += 1;
                Input::Opened(LinkId(self.link))
            }
            (State::Entering, 0..=150) => {
                let (epoch, extensions) = (Epoch(u64::from(choices.byte() % 3) << 16), Extensions::NONE);
                let message = match choices.byte() % 3 {
                    0 => Message::Query(Query { epoch, extensions }),
                    _ => Message::Welcome(Welcome { domain: DomainId(1), epoch, extensions }),
                };
                Input::Message { link, message }
            }
            (_, 0..=99) => Input::Message { link, message: self.told(machine, choices) },
            (_, 100..=139) => {
                self.request += 1;
                let request = RequestId(self.request);
                self.asked.push(request);
                let attributes = Attributes::new(words::name(choices.byte()));
                Input::Join { request, attributes, instance: i16::from(choices.byte() % 3), local_name: String::new() }
            }
            (_, 140..=159) => {
                self.request += 1;
                let request = RequestId(self.request);
                self.asked.push(request);
                Input::Subscribe { request, group: words::name(0), subscription: Subscription::all() }
            }
            (_, 160..=219) => {
                let (request, _) = self.token(choices);
                Input::Provider { request, input: self.said(machine, request, choices) }
            }
            (_, 220..=229) => Input::Unsubscribe(self.token(choices).0),
            (_, 230..=249) => Input::Closed(link),
            (_, 250..=252) => Input::Quit,
            _ => Input::Opened(link),
        }
    }

    fn lend(input: &Input) -> Input {
        input.clone()
    }

    fn timeout() -> Input {
        Input::Timeout
    }

    fn is_terminal(machine: &Process) -> bool {
        machine.state() == State::Over
    }

    fn observe(&mut self, _output: &Output) {}
}

impl ProcessSubject {
    fn said(&mut self, machine: &Process, request: RequestId, choices: &mut Choices<'_>) -> provider::Input {
        let open = machine.provider(request).and_then(provider::Provider::open).map(words::place);
        match choices.byte() % 8 {
            0..=3 => {
                let (protocol, phase) = open.unwrap_or_default();
                provider::Input::Vote { protocol, phase, ballot: ballot(choices.byte()) }
            }
            4 | 5 => {
                self.request += 1;
                let (request, like) = (RequestId(self.request), Attributes::new(words::name(0)));
                let wish = wish(choices.byte(), &like, &[], &[]);
                provider::Input::Propose { request, voting: voting(choices.byte()), view: None, wish }
            }
            6 => provider::Input::Goodbye,
            _ => provider::Input::Acknowledge,
        }
    }
}
