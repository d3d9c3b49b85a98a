//! The other machines for the contract suite: whatever may be said to them.

use super::words::{ballot, voting, wish};
use crate::frame::Extensions;
use crate::group::coordinator::Durability;
use crate::group::message::{Accepted, DelayedError, Dissolved, Ended, Message, Notice, Open, Phase, View};
use crate::group::provider::{self, Provider};
use crate::group::replica::{self, Memory, Replica};
use crate::group::subscriber::{self, Subscriber};
use crate::group::{
    Attributes, CoordinatorId, ErrorCode, GroupId, MessageKind, ProviderId, RequestId, Sequence, Subscription, Token,
};
use crate::machine::{LinkId, Machine};
use crate::testing::contract::Subject;
use crate::testing::{Choices, group};
use crate::time::Instant;
use std::boxed::Box;

const TOKEN: Token = Token { index: 3, generation: 1 };
const GROUP: GroupId = GroupId(2);
const ME: ProviderId = ProviderId { node: 1, instance: 0, incarnation: 1 };

fn attributes() -> Attributes {
    Attributes::new(super::words::name(0))
}

/// Something from a coordinator, mostly for whom it is about.
fn told(choices: &mut Choices<'_>, next: Sequence) -> Message {
    let token = if choices.one_in(12) { Token { generation: 0, ..TOKEN } } else { TOKEN };
    let sequence = Sequence(match choices.byte() % 8 {
        0 => next.0.saturating_sub(1),
        1 => next.0.saturating_add(1),
        _ => next.0,
    });
    let extensions = Extensions::NONE;
    let open = |choices: &mut Choices<'_>| {
        let mut open: Open = group::open(choices);
        if choices.boolean() {
            open.proposal.joining = std::vec![ME];
        }
        open
    };
    match choices.byte() % 12 {
        0 | 1 => Message::Accepted(Accepted { request: RequestId(1), token, group: GROUP, extensions }),
        2..=4 => Message::Phase(Phase { token, group: GROUP, sequence, open: open(choices), extensions }),
        5..=7 => {
            let mut ended: Ended = group::ended(choices);
            (ended.token, ended.group, ended.outcome.sequence) = (token, GROUP, sequence);
            if choices.boolean() {
                ended.outcome.proposal.joining = std::vec![ME];
            }
            if choices.boolean() { Message::Approved(Box::new(ended)) } else { Message::Rejected(Box::new(ended)) }
        }
        8 => {
            let open = choices.boolean().then(|| open(choices));
            let mut snapshot = group::snapshot(choices);
            if choices.boolean() {
                snapshot.members.push(ME);
            }
            Message::View(View { token, snapshot: Box::new(snapshot), open, extensions })
        }
        9 => {
            let kind = *choices.pick(&[MessageKind::PROPOSE, MessageKind::JOIN, MessageKind::VOTE]);
            let (request, code) = (RequestId(choices.byte().into()), ErrorCode::COLLIDE);
            let token = choices.boolean().then_some(token);
            let text = crate::frame::Text::EMPTY;
            Message::DelayedError(DelayedError { request, token, kind, code, text, extensions })
        }
        10 => {
            let token = choices.boolean().then_some(token);
            Message::Dissolved(Dissolved { token, reason: crate::group::DissolveReason::EMPTY, extensions })
        }
        _ => group::message(choices),
    }
}

/// A provider for the contract suite.
#[derive(Clone, Debug, Default)]
pub struct ProviderSubject {
    request: u32,
}

impl Subject for ProviderSubject {
    type Machine = Provider;
    type Input = provider::Input;

    const OUTPUTS_PER_INPUT: usize = 128;
    const QUEUE: usize = 70_000;

    fn machine(&mut self, _choices: &mut Choices<'_>) -> Provider {
        let local_name = std::string::String::from("mine");
        let config = provider::Config { attributes: attributes(), provider: ME, local_name };
        Provider::new(config, RequestId(1), Instant::ZERO)
    }

    fn choose(&mut self, machine: &Provider, choices: &mut Choices<'_>) -> provider::Input {
        let next = Sequence(machine.sequence().0.saturating_add(1));
        match choices.byte() % 16 {
            0..=7 => provider::Input::Message(told(choices, next)),
            8 | 9 => {
                let (protocol, phase) = machine.open().map(super::words::place).unwrap_or_default();
                provider::Input::Vote { protocol, phase, ballot: ballot(choices.byte()) }
            }
            10 | 11 => {
                self.request += 1;
                let wish = wish(choices.byte(), &attributes(), machine.members(), &[ME]);
                let (request, voting) = (RequestId(self.request), voting(choices.byte()));
                provider::Input::Propose { request, voting, view: None, wish }
            }
            12 => provider::Input::Deactivated(choices.boolean()),
            13 => provider::Input::Reentered,
            14 => provider::Input::Acknowledge,
            _ if choices.one_in(4) => provider::Input::Goodbye,
            _ if choices.one_in(4) => provider::Input::Lost,
            _ => provider::Input::Acknowledge,
        }
    }

    fn lend(input: &provider::Input) -> provider::Input {
        input.clone()
    }

    fn timeout() -> provider::Input {
        provider::Input::Timeout
    }

    fn is_terminal(machine: &Provider) -> bool {
        machine.state() == provider::State::Gone
    }
}

/// A subscriber for the contract suite.
#[derive(Clone, Debug, Default)]
pub struct SubscriberSubject;

impl Subject for SubscriberSubject {
    type Machine = Subscriber;
    type Input = subscriber::Input;

    const QUEUE: usize = 70_000;

    fn machine(&mut self, _choices: &mut Choices<'_>) -> Subscriber {
        Subscriber::new(super::words::name(0), Subscription::all(), RequestId(1))
    }

    fn choose(&mut self, _machine: &Subscriber, choices: &mut Choices<'_>) -> subscriber::Input {
        match choices.byte() % 16 {
            0..=6 => subscriber::Input::Message(told(choices, Sequence(1))),
            7..=12 => {
                let mut notice: Notice = group::notice(choices);
                notice.token = TOKEN;
                subscriber::Input::Message(Message::Notice(notice))
            }
            13 => subscriber::Input::Message(group::message(choices)),
            14 => subscriber::Input::Unsubscribe,
            _ => subscriber::Input::Lost,
        }
    }

    fn lend(input: &subscriber::Input) -> subscriber::Input {
        input.clone()
    }

    fn timeout() -> subscriber::Input {
        subscriber::Input::Timeout
    }

    fn is_terminal(machine: &Subscriber) -> bool {
        machine.state() == subscriber::State::Gone
    }
}

/// A coordinator among coordinators for the contract suite.
#[derive(Clone, Debug, Default)]
pub struct ReplicaSubject {
    stored: u64,
}

impl Subject for ReplicaSubject {
    type Machine = Replica;
    type Input = replica::Input;

    const OUTPUTS_PER_INPUT: usize = 4096;
    const QUEUE: usize = 8192;

    fn machine(&mut self, choices: &mut Choices<'_>) -> Replica {
        let mut config = replica::Config::new(CoordinatorId(1), 3);
        config.durability = *choices.pick(&[Durability::Survivors, Durability::Replicated(1), Durability::Quorum]);
        config.limits.outputs = 4000;
        let mut memory = Memory::default();
        if choices.boolean() {
            let record = group::group_record(choices);
            memory.records.insert(record.snapshot.group, record);
        }
        Replica::new(config, memory, Instant::ZERO)
    }

    fn choose(&mut self, machine: &Replica, choices: &mut Choices<'_>) -> replica::Input {
        use crate::group::message::{Fenced, Grant, Query, Reign, Replicate, Replicated};
        let link = LinkId(u32::from(choices.byte() % 4));
        let extensions = Extensions::NONE;
        let from = CoordinatorId(u16::try_from(link.0).unwrap_or(0));
        let epoch = match choices.byte() % 6 {
            0 => machine.epoch().next(from),
            1 => machine.epoch().next(CoordinatorId(2)),
            _ => machine.epoch(),
        };
        let message = match choices.byte() % 24 {
            0..=2 => Message::Query(Query { epoch, extensions }),
            3..=5 => {
                let (remaining, record) = (u32::from(choices.one_in(4)), choices.boolean());
                let record = record.then(|| group::group_record(choices));
                Message::Grant(Box::new(Grant { epoch, remaining, record, extensions }))
            }
            6 | 7 => Message::Replicate(Box::new(Replicate { epoch, entry: group::entry(choices), extensions })),
            8 => Message::Replicated(Replicated { epoch, index: choices.byte().into(), beat: 1, extensions }),
            9 | 10 => {
                let address = crate::frame::Text::EMPTY;
                Message::Reign(Reign { epoch, beat: choices.byte().into(), address, extensions })
            }
            11 => Message::Fenced(Fenced { epoch, extensions }),
            12 => group::message(choices),
            13..=15 => return replica::Input::TakeOver,
            16..=18 => return replica::Input::Stored(self.stored.saturating_sub(u64::from(choices.one_in(6)))),
            19 => {
                let mut entry = group::entry(choices);
                entry.index = u64::from(choices.byte() % 4) + 1;
                return replica::Input::Append(Box::new(entry));
            }
            20 | 21 => return replica::Input::Opened { link, coordinator: from },
            22 => return replica::Input::Closed(link),
            _ if choices.one_in(6) => return replica::Input::Stop,
            _ => return replica::Input::Abdicate,
        };
        replica::Input::Message { link, message }
    }

    fn lend(input: &replica::Input) -> replica::Input {
        input.clone()
    }

    fn timeout() -> replica::Input {
        replica::Input::Timeout
    }

    fn is_terminal(machine: &Replica) -> bool {
        machine.state() == replica::State::Stopped
    }

    fn observe(&mut self, output: &replica::Output) {
        if let replica::Output::Store { number, .. } = output {
            self.stored = *number;
        }
    }
}
