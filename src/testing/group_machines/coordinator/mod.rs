//! Operations for a coordinator.

mod model;

pub use model::CoordinatorModel;

use super::words::{self, GROUPS, ballot, changed, name, voting, wish};
use crate::frame::Extensions;
use crate::group::DissolveReason;
use crate::group::coordinator::reign::{Event as TableEvent, State, TABLE};
use crate::group::coordinator::{Config, Coordinator, Durability, Event, Input, Output};
use crate::group::message::{
    Acknowledge, Deactivated, Enter, Join, Message, Ping, Plain, Proclaim, Propose, Report, Signal, Standing,
    Subscribe, Vote,
};
use crate::group::{
    Attributes, DomainId, Epoch, GroupId, MessageKind, ProtocolId, ProviderId, RequestId, Sequence, Subscription,
    Token, ViewId,
};
use crate::machine::{LinkId, Machine, Table};
use crate::testing::Choices;
use crate::testing::contract::{InputOf, Subject};
use crate::testing::trial::{Trial, on_trial};
use bytes::Bytes;
use core::time::Duration;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::vec::Vec;

/// One thing that happens to a coordinator. Links are named by the order in which they came, tokens by that in which they
/// were given, both newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoordinatorOp {
    /// What would come next; the number chooses.
    Forward(u8),
    /// A process comes, on a new link.
    Enter {
        /// Which.
        who: u8,
        /// What it says of itself.
        shape: u8,
    },
    /// The application says whether one may enter.
    Admit {
        /// Which one.
        link: u8,
        /// Whether it may.
        allowed: bool,
    },
    /// A process wants to join a group.
    Join {
        /// On which link.
        link: u8,
        /// Which group.
        group: u8,
        /// As whom, and what it says the group is like.
        shape: u8,
    },
    /// A process wants to be told of a group.
    Subscribe {
        /// On which link.
        link: u8,
        /// Which group.
        group: u8,
        /// What.
        flags: u8,
    },
    /// A provider wants something.
    Propose {
        /// Whose token.
        token: u8,
        /// What.
        wish: u8,
        /// How it is to be voted on.
        voting: u8,
    },
    /// A provider votes.
    Vote {
        /// Whose token.
        token: u8,
        /// How.
        ballot: u8,
        /// In which phase: mostly the one that runs.
        place: u8,
    },
    /// A provider says something with its token.
    Say {
        /// Whose token.
        token: u8,
        /// What.
        what: u8,
    },
    /// A process says something for itself, or what processes do not say.
    Odd {
        /// On which link.
        link: u8,
        /// What.
        what: u8,
    },
    /// It says what it knows.
    Report {
        /// On which link.
        link: u8,
        /// What.
        shape: u8,
    },
    /// A link is over.
    Closed(u8),
    /// A machine has failed.
    NodeDown(u8),
    /// Outcomes are kept: all, or up to this one.
    Persisted(u8),
    /// Another coordinator is there.
    Proclaimed(u8),
    /// Nobody else is waited for.
    Recovered,
    /// The reign ends.
    End(u8),
    /// The timeout input, due or not.
    Timeout,
}

impl CoordinatorOp {
    /// Any operation.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        let low = |c: &mut Choices<'_>| if c.one_in(3) { c.byte() } else { c.byte() % 8 };
        match c.byte() {
            0..=89 => Self::Forward(c.byte()),
            90..=99 => Self::Enter { who: c.byte(), shape: c.byte() },
            100..=103 => Self::Admit { link: low(c), allowed: !c.one_in(4) },
            104..=129 => Self::Join { link: low(c), group: c.byte(), shape: c.byte() },
            130..=139 => Self::Subscribe { link: low(c), group: c.byte(), flags: c.byte() },
            140..=164 => Self::Propose { token: low(c), wish: c.byte(), voting: c.byte() },
            165..=189 => Self::Vote { token: low(c), ballot: c.byte(), place: c.byte() },
            190..=205 => Self::Say { token: low(c), what: c.byte() },
            206..=211 => Self::Odd { link: low(c), what: c.byte() },
            212..=216 => Self::Report { link: low(c), shape: c.byte() },
            217..=226 => Self::Closed(low(c)),
            227..=229 => Self::NodeDown(c.byte()),
            230..=238 => Self::Persisted(c.byte()),
            239..=241 => Self::Proclaimed(c.byte()),
            242..=244 => Self::Recovered,
            245 => Self::End(c.byte()),
            _ => Self::Timeout,
        }
    }
}

on_trial!(ops CoordinatorOp);

/// Somebody who has a token.
#[derive(Clone, Copy, Debug)]
struct Held {
    link: LinkId,
    token: Token,
    group: GroupId,
}

/// A coordinator for the contract suite and for [`run_coordinator`](super::run_coordinator).
#[derive(Clone, Debug)]
pub struct CoordinatorSubject {
    config: Config,
    /// How long the reign before this one is asked after; none: there was none.
    grace: Option<Duration>,
    groups: Vec<Attributes>,
    links: Vec<LinkId>,
    entering: Vec<LinkId>,
    tokens: Vec<Held>,
    open: BTreeMap<Token, (ProtocolId, u32)>,
    members: BTreeMap<GroupId, Vec<ProviderId>>,
    /// Which of the groups a request was about, and which a group is.
    asked: BTreeMap<RequestId, usize>,
    kinds: BTreeMap<GroupId, usize>,
    pings: BTreeMap<LinkId, u64>,
    decided: u64,
    kept: u64,
    over: bool,
    request: u32,
}

impl Default for CoordinatorSubject {
    fn default() -> Self {
        Self {
            config: Config::new(DomainId(7), Epoch(3 << 16)),
            grace: None,
            groups: Vec::new(),
            links: Vec::new(),
            entering: Vec::new(),
            tokens: Vec::new(),
            open: BTreeMap::new(),
            members: BTreeMap::new(),
            asked: BTreeMap::new(),
            kinds: BTreeMap::new(),
            pings: BTreeMap::new(),
            decided: 0,
            kept: 0,
            over: false,
            request: 0,
        }
    }
}

/// The machine and the start of a process.
fn process(who: u8) -> (u32, u64) {
    (u32::from(who % 4) + 1, u64::from(who / 4 % 3) + 1)
}

impl CoordinatorSubject {
    /// The link `number` from the newest; from 240 on one that nobody has.
    fn link(&self, number: u8) -> LinkId {
        let known = self.links.iter().rev().nth(usize::from(number) % self.links.len().max(1)).copied();
        known.filter(|_| number < 240).unwrap_or(LinkId(1000 + u32::from(number)))
    }

    /// The token `number` from the newest, now and then with another link, or of yesterday.
    fn held(&self, number: u8) -> Held {
        let known = self.tokens.iter().rev().nth(usize::from(number) % self.tokens.len().max(1)).copied();
        let mut held = known.unwrap_or(Held {
            link: self.link(number),
            token: Token { index: u32::from(number % 4), generation: u32::from(number % 2) },
            group: GroupId(1),
        });
        match number {
            240..=245 => held.link = self.link(number - 240),
            246..=250 => held.token.generation = held.token.generation.wrapping_add(1),
            251.. => held.token.index = held.token.index.wrapping_add(1),
            _ => {}
        }
        held
    }

    fn next_request(&mut self) -> RequestId {
        self.request += 1;
        RequestId(self.request)
    }

    fn say(link: LinkId, message: Message) -> Input {
        Input::Message { link, message }
    }

    fn enter(&mut self, who: u8, shape: u8) -> Input {
        let link = LinkId(u32::try_from(self.links.len()).unwrap_or(0));
        self.links.push(link);
        let (node, incarnation) = process(who);
        let message = Enter {
            node,
            incarnation,
            epoch: Epoch(match shape {
                0..=247 => u64::from(shape % 3) << 16,
                248..=250 => 9 << 16,
                _ => 3 << 16,
            }),
            ping_interval_ms: [0, 0, 300, 1000][usize::from(shape % 4)],
            pong_limit_ms: [0, 100][usize::from(shape / 4 % 2)],
            reports: [0, 0, 0, 1, 2][usize::from(shape / 8 % 5)] * u32::from(self.grace.is_some() || shape > 200),
            credentials: Bytes::from_static(b"secret"),
            extensions: Extensions::NONE,
        };
        Self::say(link, Message::Enter(Box::new(message)))
    }

    fn vote(&self, number: u8, shape: u8, place: u8) -> Input {
        // Mostly somebody whose vote is due.
        let due = self.tokens.iter().filter(|held| self.open.contains_key(&held.token));
        let due: Vec<Held> = due.copied().collect();
        let held = match due.get(usize::from(number) % due.len().max(1)) {
            Some(held) if number < 200 => *held,
            _ => self.held(number),
        };
        let (mut protocol, mut phase) = self.open.get(&held.token).copied().unwrap_or((ProtocolId(1), 1));
        match place {
            0..=239 => {}
            240..=243 => phase += 1,
            244..=247 => phase = phase.saturating_sub(1),
            248..=251 => protocol.0 += 1,
            _ => protocol.0 = protocol.0.saturating_sub(1),
        }
        let (token, ballot) = (held.token, ballot(shape));
        let vote = Vote { token, protocol, phase, ballot, extensions: Extensions::NONE };
        Self::say(held.link, Message::Vote(vote))
    }

    fn token_says(&self, number: u8, what: u8) -> Input {
        let Held { link, token, .. } = self.held(number);
        let extensions = Extensions::NONE;
        let signal = Signal { token, extensions: extensions.clone() };
        let protocol = self.open.get(&token).map_or(ProtocolId(1), |(protocol, _)| *protocol);
        let message = match what % 8 {
            0 | 1 => Message::Goodbye(signal),
            2 => Message::Unsubscribe(signal),
            3 => Message::Resynchronise(signal),
            4 => Message::Acknowledge(Acknowledge { token, sequence: Sequence(u64::from(what)), extensions }),
            _ => Message::Deactivated(Deactivated { token, protocol, successful: what < 200, extensions }),
        };
        Self::say(link, message)
    }

    fn odd(&self, number: u8, what: u8) -> Input {
        let link = self.link(number);
        let extensions = Extensions::NONE;
        let message = match what % 8 {
            0..=2 => {
                let nonce = self.pings.get(&link).copied().unwrap_or(0).wrapping_add(u64::from(what / 128));
                Message::Pong(Ping { nonce, extensions })
            }
            3 => Message::Quit(Plain { extensions }),
            4 | 5 => Message::Unknown { kind: MessageKind(0x3f), body: Bytes::new() },
            6 => Message::Ping(Ping { nonce: 1, extensions }),
            _ => {
                return Self::say(
                    link,
                    Message::Enter(Box::new(crate::testing::group::enter(&mut Choices::new(&[what])))),
                );
            }
        };
        Self::say(link, message)
    }

    fn report(&self, number: u8, shape: u8) -> Input {
        // Of a subscriber, or of nobody: what providers report is for the parties.
        let snapshot = crate::group::message::Snapshot {
            group: GroupId(u64::from(shape % 3) + 1),
            sequence: Sequence(4),
            view: ViewId(0),
            attributes: Attributes::new(name(shape)),
            state: words::value(0),
            members: Vec::new(),
            last: ProtocolId(0),
        };
        let standing = Standing {
            token: Token { index: u32::from(shape % 5), generation: 2 },
            provider: None,
            subscription: Subscription::all(),
            snapshot,
            recent: Vec::new(),
            open: None,
        };
        let standing = (shape % 4 != 0).then(|| Box::new(standing));
        let report = Report { remaining: u32::from(shape / 64 % 2), standing, extensions: Extensions::NONE };
        Self::say(self.link(number), Message::Report(report))
    }
}

impl Subject for CoordinatorSubject {
    on_trial!(subject Coordinator, Input::NodeDown(99));

    const OUTPUTS_PER_INPUT: usize = 2048;
    const QUEUE: usize = 4096;

    fn machine(&mut self, choices: &mut Choices<'_>) -> Coordinator {
        self.groups = words::attributes(choices);
        let config = &mut self.config;
        config.durability = *choices.pick(&[Durability::Survivors, Durability::Quorum, Durability::Replicated(1)]);
        config.limits.outputs = 2000;
        if choices.one_in(3) {
            config.limits.processes = 4 + choices.below(3);
            config.limits.groups = 1 + choices.below(4);
            config.limits.providers = 1 + choices.below(4);
            config.limits.tokens = choices.below(8);
            config.limits.source_depth = choices.below(3);
        }
        config.limits.phases = *choices.pick(&[1024, 3, 1]);
        self.grace = choices.one_in(3).then(|| Duration::from_secs(5));
        match self.grace {
            Some(grace) => Coordinator::take_over(config.clone(), Vec::new(), grace, crate::time::Instant::ZERO),
            None => Coordinator::new(config.clone(), crate::time::Instant::ZERO),
        }
    }

    fn is_terminal(machine: &Coordinator) -> bool {
        machine.state() == State::Over
    }

    fn observe(&mut self, output: &Output) {
        match output {
            Output::Send { link, message } => match message {
                Message::Accepted(accepted) => {
                    self.tokens.push(Held { link: *link, token: accepted.token, group: accepted.group });
                    let kind = self.asked.get(&accepted.request).copied().unwrap_or(0);
                    self.kinds.insert(accepted.group, kind);
                }
                Message::Phase(phase) => drop(self.open.insert(phase.token, words::place(&phase.open))),
                Message::Approved(ended) | Message::Rejected(ended) => {
                    self.open.remove(&ended.token);
                    if let Some(snapshot) = &ended.snapshot {
                        self.members.insert(ended.group, snapshot.members.clone());
                    }
                    let gone = &ended.outcome.proposal.leaving;
                    let members = self.members.entry(ended.group).or_default();
                    members.retain(|member| !gone.iter().any(|leave| leave.provider == *member));
                }
                Message::Ping(ping) => drop(self.pings.insert(*link, ping.nonce)),
                _ => {}
            },
            Output::Persist(entry) => self.decided = entry.index,
            Output::Event(Event::Entering { link, .. }) => self.entering.push(*link),
            Output::Event(Event::Ended(_)) => self.over = true,
            Output::Close(_) | Output::Event(_) => {}
        }
    }

    fn wind_down(&mut self, machine: &Coordinator) -> Option<Input> {
        // Pings go on without end.
        (machine.state() != State::Over).then_some(Input::End(DissolveReason::STOPPED))
    }
}

impl Trial for CoordinatorSubject {
    on_trial!(trial Coordinator, CoordinatorOp, CoordinatorModel);

    fn forward(&self, number: u8, machine: &Coordinator) -> CoordinatorOp {
        if machine.state() == State::Recovering && number % 8 == 0 {
            return CoordinatorOp::Recovered;
        }
        if let Some(at) = self.entering.last().and_then(|link| self.links.iter().rev().position(|one| one == link)) {
            return CoordinatorOp::Admit { link: u8::try_from(at).unwrap_or(0), allowed: true };
        }
        if self.decided > self.kept && number % 4 > 0 {
            return CoordinatorOp::Persisted(0);
        }
        if self.links.len() < 3 {
            return CoordinatorOp::Enter { who: number, shape: 0 };
        }
        let low = number / 16;
        match number % 16 {
            0..=6 if !self.open.is_empty() => CoordinatorOp::Vote { token: low, ballot: number % 16, place: 0 },
            7..=9 => CoordinatorOp::Join { link: low, group: low / 4, shape: number / 32 },
            10 => CoordinatorOp::Subscribe { link: low, group: low / 4, flags: 255 },
            11 | 12 => CoordinatorOp::Propose { token: low, wish: number.wrapping_mul(7), voting: number },
            13 => CoordinatorOp::Join { link: low, group: 0, shape: 0 },
            14 => CoordinatorOp::Say { token: low, what: 7 },
            _ => CoordinatorOp::Timeout,
        }
    }

    fn resolve(&mut self, op: &CoordinatorOp) -> Input {
        match *op {
            // `forward` gives no more than one step.
            CoordinatorOp::Forward(_) | CoordinatorOp::Timeout => Input::Timeout,
            CoordinatorOp::Enter { who, shape } => self.enter(who, shape),
            CoordinatorOp::Admit { link, allowed } => {
                let link = self.link(link);
                self.entering.retain(|one| *one != link);
                Input::Admit { link, allowed }
            }
            CoordinatorOp::Join { link, group, shape } => {
                let attributes = changed(&self.groups[usize::from(group) % GROUPS], shape);
                let (link, request, instance) = (self.link(link), self.next_request(), i16::from(shape % 2));
                self.asked.insert(request, usize::from(group) % GROUPS);
                let join = Join { request, instance, attributes, extensions: Extensions::NONE };
                Self::say(link, Message::Join(Box::new(join)))
            }
            CoordinatorOp::Subscribe { link, group, flags } => {
                let subscription = Subscription::from_bits_retain(if flags > 199 { 0xff } else { flags % 16 });
                let (link, request) = (self.link(link), self.next_request());
                self.asked.insert(request, usize::from(group) % GROUPS);
                let subscribe = Subscribe { request, group: name(group), subscription, extensions: Extensions::NONE };
                Self::say(link, Message::Subscribe(subscribe))
            }
            CoordinatorOp::Propose { token, wish: shape, voting: how } => {
                let Held { link, token, group } = self.held(token);
                let like = &self.groups[self.kinds.get(&group).copied().unwrap_or(0)];
                let members = self.members.get(&group).cloned().unwrap_or_default();
                let stranger = ProviderId { node: 9, instance: 0, incarnation: 1 };
                let wish = wish(shape, like, &members, &[stranger]);
                let view = (how > 230).then(|| ViewId(u64::from(how % 8)));
                let (request, extensions) = (self.next_request(), Extensions::NONE);
                let propose = Propose { request, token, voting: voting(how), view, wish, extensions };
                Self::say(link, Message::Propose(Box::new(propose)))
            }
            CoordinatorOp::Vote { token, ballot, place } => self.vote(token, ballot, place),
            CoordinatorOp::Say { token, what } => self.token_says(token, what),
            CoordinatorOp::Odd { link, what } => self.odd(link, what),
            CoordinatorOp::Report { link, shape } => self.report(link, shape),
            CoordinatorOp::Closed(link) => Input::Closed(self.link(link)),
            CoordinatorOp::NodeDown(node) => Input::NodeDown(u32::from(node % 5) + 1),
            CoordinatorOp::Persisted(number) => {
                let upto = if number < 200 { self.decided } else { u64::from(number % 8) };
                self.kept = self.kept.max(upto);
                Input::Persisted(upto)
            }
            CoordinatorOp::Proclaimed(shape) => Input::Proclaimed(Proclaim {
                domain: DomainId(u64::from(shape % 3) + 6),
                epoch: Epoch(u64::from(shape / 4 % 5) << 16),
                nodes: u32::from(shape / 32 % 4),
                lowest_node: u32::from(shape / 8 % 4),
                extensions: Extensions::NONE,
            }),
            CoordinatorOp::Recovered => Input::Recovered,
            CoordinatorOp::End(reason) => Input::End(DissolveReason(reason % 6)),
        }
    }

    fn model(&self, _machine: &Coordinator) -> CoordinatorModel {
        CoordinatorModel::new(self.config.clone(), self.grace)
    }
}
