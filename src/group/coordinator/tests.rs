//! The items of spec/group.md 5, one by one.

mod expels;
mod joins;
mod processes;
mod sources;
mod subscribers;
mod take_over;
mod votes;

use super::*;
use crate::error::Error;
use crate::frame::Extensions;
use crate::group::ids::{BatchControl, Phases, ProtocolKind, Summary, Vote};
use crate::group::message::{
    Ballot, Deactivated, Enter, Entry, Join, Message, Open, Outcome, Plain, Propose, Signal, Subscribe,
};
use crate::group::name::{DomainId, RequestId};
use crate::group::proposal::{Expulsion, Voting, Wish};
use crate::limits::GroupLimits;
use crate::machine::Machine;
use alloc::format;
use alloc::string::String;
use bytes::Bytes;

/// The process on machine `number`, on the link of that number.
const fn on(number: u32) -> LinkId {
    LinkId(number)
}

const A: LinkId = on(1);
const B: LinkId = on(2);
const C: LinkId = on(3);

/// The provider that the process of a link is, in any group.
const fn id(link: LinkId) -> ProviderId {
    ProviderId { node: link.0, instance: 0, incarnation: 1 }
}

fn name(name: &'static str) -> GroupName {
    GroupName::new(name).unwrap()
}

/// Of a group without votes.
fn one(group: &'static str) -> Attributes {
    Attributes::new(name(group))
}

/// Of a group in which joins and failures are voted on.
fn many(group: &'static str) -> Attributes {
    Attributes { phases: Phases::N, ..one(group) }
}

fn value(text: &'static str) -> StateValue {
    StateValue::new(text).unwrap()
}

const fn ballot(vote: Vote) -> Ballot {
    Ballot { vote, default_vote: None, state: None, message: None }
}

const APPROVE: Ballot = ballot(Vote::APPROVE);
const CONTINUE: Ballot = ballot(Vote::CONTINUE);
const REJECT: Ballot = ballot(Vote::REJECT);

/// With votes, for ever.
const VOTED: Voting = Voting { phases: Phases::N, time_limit: 0 };
const UNVOTED: Voting = Voting { phases: Phases::ONE, time_limit: 0 };

/// A coordinator, and what it has told whom.
struct Domain {
    now: Instant,
    coordinator: Coordinator,
    heard: BTreeMap<LinkId, Vec<Message>>,
    events: Vec<Event>,
    closed: Vec<LinkId>,
    persist: Vec<Entry>,
    /// The tokens of providers and subscribers, by request.
    tokens: BTreeMap<(LinkId, u32), Token>,
    /// What each provider was told of last.
    open: BTreeMap<Token, Open>,
    ended: BTreeMap<Token, Outcome>,
}

impl Domain {
    fn of(coordinator: Coordinator) -> Self {
        Self {
            now: Instant::ZERO,
            coordinator,
            heard: BTreeMap::new(),
            events: Vec::new(),
            closed: Vec::new(),
            persist: Vec::new(),
            tokens: BTreeMap::new(),
            open: BTreeMap::new(),
            ended: BTreeMap::new(),
        }
    }

    fn with(change: impl FnOnce(&mut GroupLimits)) -> Self {
        let mut config = Config::new(DomainId(7), Epoch(1 << 16));
        change(&mut config.limits);
        Self::of(Coordinator::new(config, Instant::ZERO))
    }

    /// With so many processes, none in a group.
    fn new(processes: u32) -> Self {
        let mut domain = Self::with(|_| ());
        (1..=processes).for_each(|number| domain.enter(on(number)));
        domain
    }

    /// With so many providers in a group without votes.
    fn grouped(providers: u32, attributes: &Attributes) -> Self {
        let mut domain = Self::new(providers);
        for number in 1..=providers {
            domain.join(on(number), attributes);
            (1..=number).for_each(|other| domain.votes_if_due(on(other)));
        }
        domain.heard.clear();
        domain
    }

    fn put(&mut self, input: Input) {
        self.try_put(input).unwrap();
    }

    fn try_put(&mut self, input: Input) -> Result<(), Error> {
        let result = self.coordinator.handle(self.now, input);
        while let Some(output) = self.coordinator.poll_output() {
            match output {
                Output::Send { link, message } => self.tell(link, message),
                Output::Close(link) => self.closed.push(link),
                Output::Persist(entry) => self.persist.push(*entry),
                Output::Event(event) => self.events.push(event),
            }
        }
        result
    }

    fn tell(&mut self, link: LinkId, message: Message) {
        match &message {
            Message::Accepted(accepted) => {
                self.tokens.insert((link, accepted.request.0), accepted.token);
            }
            Message::Phase(phase) => {
                self.open.insert(phase.token, phase.open.clone());
            }
            Message::Approved(ended) | Message::Rejected(ended) => {
                self.open.remove(&ended.token);
                self.ended.insert(ended.token, ended.outcome.clone());
            }
            _ => {}
        }
        self.heard.entry(link).or_default().push(message);
    }

    fn say(&mut self, link: LinkId, message: Message) {
        self.put(Input::Message { link, message });
    }

    fn enter_as(&mut self, link: LinkId, enter: Enter) {
        self.say(link, Message::Enter(enter.into()));
        if matches!(self.events.last(), Some(Event::Entering { link: entering, .. }) if *entering == link) {
            self.put(Input::Admit { link, allowed: true });
        }
    }

    fn enter(&mut self, link: LinkId) {
        self.enter_as(link, enter(link.0, 1));
    }

    /// Joins as request 0.
    fn join(&mut self, link: LinkId, attributes: &Attributes) {
        self.join_as(link, 0, 0, attributes);
    }

    fn join_as(&mut self, link: LinkId, request: u32, instance: i16, attributes: &Attributes) {
        let (request, attributes) = (RequestId(request), attributes.clone());
        let join = Join { request, instance, attributes, extensions: Extensions::NONE };
        self.say(link, Message::Join(join.into()));
    }

    fn subscribe(&mut self, link: LinkId, request: u32, group: &'static str, subscription: Subscription) {
        let (request, group) = (RequestId(request), name(group));
        let subscribe = Subscribe { request, group, subscription, extensions: Extensions::NONE };
        self.say(link, Message::Subscribe(subscribe));
    }

    fn token(&self, link: LinkId) -> Token {
        self.tokens[&(link, 0)]
    }

    /// Proposes as request 9.
    fn propose(&mut self, link: LinkId, voting: Voting, wish: Wish) {
        self.propose_in(link, voting, None, wish);
    }

    fn propose_in(&mut self, link: LinkId, voting: Voting, view: Option<ViewId>, wish: Wish) {
        let (request, token, extensions) = (RequestId(9), self.token(link), Extensions::NONE);
        self.say(link, Message::Propose(Propose { request, token, voting, view, wish, extensions }.into()));
    }

    /// Votes in the phase that it was told of last.
    fn vote(&mut self, link: LinkId, ballot: Ballot) {
        let Open { protocol, phase, .. } = *self.open(link);
        self.vote_in(link, protocol, phase, ballot);
    }

    fn vote_in(&mut self, link: LinkId, protocol: ProtocolId, phase: u32, ballot: Ballot) {
        let (token, extensions) = (self.token(link), Extensions::NONE);
        let vote = crate::group::message::Vote { token, protocol, phase, ballot, extensions };
        self.say(link, Message::Vote(vote));
    }

    fn votes_if_due(&mut self, link: LinkId) {
        if self.votes(link) {
            self.vote(link, APPROVE);
        }
    }

    fn deactivated(&mut self, link: LinkId, successful: bool) {
        let (token, protocol) = (self.token(link), self.open(link).protocol);
        self.say(link, Message::Deactivated(Deactivated { token, protocol, successful, extensions: Extensions::NONE }));
    }

    /// Whether a provider is in a phase.
    fn votes(&self, link: LinkId) -> bool {
        self.tokens.get(&(link, 0)).is_some_and(|token| self.open.contains_key(token))
    }

    /// The phase that a provider is in.
    fn open(&self, link: LinkId) -> &Open {
        &self.open[&self.token(link)]
    }

    /// The last end that a provider was told of.
    fn ended(&self, link: LinkId) -> &Outcome {
        &self.ended[&self.token(link)]
    }

    fn goodbye(&mut self, link: LinkId) {
        let token = self.token(link);
        self.say(link, Message::Goodbye(signal(token)));
    }

    fn die(&mut self, link: LinkId) {
        self.put(Input::Closed(link));
    }

    /// Time passes up to the next deadline.
    fn deadline(&mut self) {
        self.now = self.coordinator.poll_timeout().unwrap();
        self.put(Input::Timeout);
    }

    /// What a process has heard since the last time, in short.
    fn heard(&mut self, link: LinkId) -> Vec<String> {
        self.heard.remove(&link).unwrap_or_default().iter().map(short).collect()
    }

    fn nodes(&self, group: &'static str) -> Vec<u32> {
        let members = self.coordinator.members(&name(group)).unwrap_or_default();
        members.iter().map(|provider| provider.node).collect()
    }

    /// Who has left, and why, in the order in which it was told.
    fn left(&self) -> Vec<(u32, LeaveReason)> {
        let left = self.events.iter().filter_map(|event| match event {
            Event::Left(_, provider, reason) => Some((provider.node, *reason)),
            _ => None,
        });
        left.collect()
    }

    fn ignored(&self) -> Vec<&'static str> {
        let ignored = self.events.iter().filter_map(|event| match event {
            Event::Ignored { what, .. } => Some(*what),
            _ => None,
        });
        ignored.collect()
    }
}

fn enter(node: u32, incarnation: u64) -> Enter {
    Enter {
        node,
        incarnation,
        epoch: Epoch(0),
        ping_interval_ms: 0,
        pong_limit_ms: 0,
        reports: 0,
        credentials: Bytes::new(),
        extensions: Extensions::NONE,
    }
}

const fn signal(token: Token) -> Signal {
    Signal { token, extensions: Extensions::NONE }
}

fn nodes(providers: &[ProviderId]) -> Vec<u32> {
    providers.iter().map(|provider| provider.node).collect()
}

/// A message in a few words.
fn short(message: &Message) -> String {
    match message {
        Message::Welcome(_) => "welcome".into(),
        Message::Accepted(_) => "accepted".into(),
        Message::DelayedError(error) => format!("error {:?}", error.code),
        Message::Phase(phase) => format!("phase {} of {:?}", phase.open.phase, phase.open.kind),
        Message::Approved(ended) => format!("approved {:?}", ended.outcome.kind),
        Message::Rejected(ended) => format!("rejected {:?}", ended.outcome.kind),
        Message::Announcement(said) => format!("{:?} {:?}", said.flags, nodes(&said.providers)),
        Message::Notice(notice) => {
            let left: Vec<ProviderId> = notice.left.iter().map(|leave| leave.provider).collect();
            let members = notice.members.as_deref().map(nodes);
            let state = notice.state.as_ref().map(|state| String::from_utf8_lossy(state.as_bytes()).into_owned());
            format!("notice +{:?} -{:?} {members:?} {state:?}", nodes(&notice.joined), nodes(&left))
        }
        Message::Dissolved(dissolved) => format!("dissolved {:?}", dissolved.reason),
        Message::View(view) => format!("view {:?} open {}", nodes(&view.snapshot.members), view.open.is_some()),
        Message::Ping(_) => "ping".into(),
        other => format!("{other:?}"),
    }
}
