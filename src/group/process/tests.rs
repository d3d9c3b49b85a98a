//! The items of spec/group.md 4.7, one by one.

use super::*;
use crate::error::{Error, Misuse};
use crate::frame::{Extensions, Text};
use crate::group::attributes::Attributes;
use crate::group::ids::{DissolveReason, ErrorCode, MessageKind, Subscription, Vote};
use crate::group::message::{Accepted, DelayedError, Dissolved, Notice, Ping, Plain, Query, Redirect, Welcome};
use crate::group::name::{GroupId, GroupName, ProtocolId, ProviderId, Sequence, ViewId};
use crate::group::proposal::Proposal;
use crate::group::{ProtocolKind, Summary, provider, subscriber};
use crate::machine::Machine;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

const ONE: LinkId = LinkId(1);
const TWO: LinkId = LinkId(2);
const EPOCH: Epoch = Epoch(1 << 16);
const NEXT: Epoch = Epoch((2 << 16) | 1);

/// A process, and what it has said to whom.
struct One {
    now: Instant,
    process: Process,
    sent: Vec<(LinkId, Message)>,
    closed: Vec<LinkId>,
    events: Vec<Event>,
}

impl One {
    fn outside() -> Self {
        let process = Process::new(Config::new(5, 9));
        let (sent, closed, events) = (Vec::new(), Vec::new(), Vec::new());
        Self { now: Instant::ZERO, process, sent, closed, events }
    }

    fn entering() -> Self {
        let mut one = Self::outside();
        one.put(Input::Opened(ONE));
        one
    }

    fn inside() -> Self {
        let mut one = Self::entering();
        one.hear(welcome(EPOCH));
        one
    }

    /// With a provider (request 1) that is accepted, and a subscriber (request 2).
    fn busy() -> Self {
        let mut one = Self::inside();
        one.put(join(1));
        one.put(subscribe(2));
        one.hear(accepted(1));
        one.hear(accepted(2));
        one.sent.clear();
        one.events.clear();
        one
    }

    fn put(&mut self, input: Input) {
        self.try_put(input).unwrap();
    }

    fn try_put(&mut self, input: Input) -> Result<(), Error> {
        let result = self.process.handle(self.now, input);
        while let Some(output) = self.process.poll_output() {
            match output {
                Output::Send { link, message } => self.sent.push((link, message)),
                Output::Close(link) => self.closed.push(link),
                Output::Event(event) => self.events.push(event),
            }
        }
        result
    }

    fn hear_on(&mut self, link: LinkId, message: Message) {
        self.put(Input::Message { link, message });
    }

    fn hear(&mut self, message: Message) {
        self.hear_on(ONE, message);
    }

    fn say(&mut self, request: u32, input: provider::Input) {
        self.put(Input::Provider { request: RequestId(request), input });
    }

    /// How its providers and subscribers have ended.
    fn gone(&self) -> Vec<(u32, String)> {
        let gone = self.events.iter().filter_map(|event| match event {
            Event::Provider { request, event: provider::Event::Gone(why) } => {
                Some((request.0, alloc::format!("{why:?}")))
            }
            Event::Subscriber { request, event: subscriber::Event::Gone(why) } => {
                Some((request.0, alloc::format!("{why:?}")))
            }
            _ => None,
        });
        gone.collect()
    }
}

fn attributes() -> Attributes {
    Attributes::new(GroupName::new("g").unwrap())
}

fn join(request: u32) -> Input {
    let (request, attributes) = (RequestId(request), attributes());
    Input::Join { request, attributes, instance: 3, local_name: String::new() }
}

fn subscribe(request: u32) -> Input {
    let (request, group) = (RequestId(request), GroupName::new("g").unwrap());
    Input::Subscribe { request, group, subscription: Subscription::all() }
}

const fn welcome(epoch: Epoch) -> Message {
    Message::Welcome(Welcome { domain: DomainId(7), epoch, extensions: Extensions::NONE })
}

const fn query(epoch: Epoch) -> Message {
    Message::Query(Query { epoch, extensions: Extensions::NONE })
}

const fn token(request: u32) -> Token {
    Token { index: request, generation: 0 }
}

fn accepted(request: u32) -> Message {
    let (extensions, group) = (Extensions::NONE, GroupId(1));
    Message::Accepted(Accepted { request: RequestId(request), token: token(request), group, extensions })
}

const fn dissolved(token: Option<Token>) -> Message {
    Message::Dissolved(Dissolved { token, reason: DissolveReason::FENCED, extensions: Extensions::NONE })
}

#[test]
fn it_says_who_it_is_and_is_welcome() {
    let mut one = One::entering();
    let [(ONE, Message::Enter(enter))] = &one.sent[..] else { panic!("{:?}", one.sent) };
    assert_eq!((enter.node, enter.incarnation, enter.epoch, enter.reports), (5, 9, Epoch(0), 0));
    one.hear(welcome(EPOCH));
    assert_eq!(one.events, [Event::Entered { domain: DomainId(7), epoch: EPOCH }]);
    assert_eq!((one.process.state(), one.process.epoch()), (State::Inside, EPOCH));
}

#[test]
fn nobody_joins_from_outside() {
    for mut one in [One::outside(), One::entering()] {
        assert!(matches!(one.try_put(join(1)), Err(Error::Misuse(Misuse::WrongState { .. }))));
        assert!(matches!(one.try_put(subscribe(1)), Err(Error::Misuse(Misuse::WrongState { .. }))));
    }
    let mut one = One::inside();
    assert!(matches!(one.try_put(Input::Opened(TWO)), Err(Error::Misuse(_))));
}

#[test]
fn requests_have_numbers_of_their_own() {
    let mut one = One::busy();
    for again in [join(1), subscribe(2), join(2)] {
        assert!(matches!(one.try_put(again), Err(Error::Misuse(Misuse::Argument { .. }))));
    }
    let Input::Join { request, mut attributes, instance, local_name } = join(3) else { panic!("a join") };
    attributes.default_vote = Vote::CONTINUE;
    assert!(matches!(
        one.try_put(Input::Join { request, attributes, instance, local_name }),
        Err(Error::Misuse(Misuse::Argument { .. }))
    ));
}

#[test]
fn only_what_a_provider_says_is_said_for_it() {
    let mut one = One::busy();
    let own = [provider::Input::Lost, provider::Input::Reentered, provider::Input::Timeout];
    for input in own.into_iter().chain([provider::Input::Message(welcome(EPOCH))]) {
        let input = Input::Provider { request: RequestId(1), input };
        assert!(matches!(one.try_put(input), Err(Error::Misuse(Misuse::Argument { .. }))));
    }
    // A subscriber is no provider, and the other way round.
    let input = Input::Provider { request: RequestId(2), input: provider::Input::Goodbye };
    assert!(matches!(one.try_put(input), Err(Error::Misuse(Misuse::Unknown { .. }))));
    assert!(matches!(one.try_put(Input::Unsubscribe(RequestId(1))), Err(Error::Misuse(Misuse::Unknown { .. }))));
}

#[test]
fn messages_go_to_whom_they_are_for() {
    let mut one = One::busy();
    let notice = |token: Token| Notice {
        token,
        group: GroupId(1),
        sequence: Sequence(1),
        view: ViewId(1),
        state: None,
        members: None,
        joined: Vec::new(),
        left: Vec::new(),
        extensions: Extensions::NONE,
    };
    one.hear(Message::Notice(notice(token(2))));
    assert!(matches!(one.events[..], [Event::Subscriber { request: RequestId(2), .. }]));
    one.hear(Message::Notice(notice(Token { generation: 1, ..token(2) })));
    one.hear_on(TWO, Message::Notice(notice(token(2))));
    let ignored = ["a message for nobody who is there", "a message on a link that is over"].map(Event::Ignored);
    assert_eq!(one.events[1..], ignored);
}

#[test]
fn a_request_that_is_refused_is_forgotten() {
    let mut one = One::inside();
    one.put(join(1));
    let (request, kind, text) = (RequestId(1), MessageKind::JOIN, Text::EMPTY);
    let (code, extensions) = (ErrorCode::COLLIDE, Extensions::NONE);
    one.hear(Message::DelayedError(DelayedError { request, token: None, kind, code, text, extensions }));
    assert_eq!(one.gone(), [(1, "Refused(COLLIDE)".into())]);
    assert!(one.process.provider(request).is_none());
    // The number is free again.
    one.put(join(1));
}

#[test]
fn it_answers_whether_it_is_there() {
    let mut one = One::busy();
    let ping = Ping { nonce: 77, extensions: Extensions::NONE };
    one.hear(Message::Ping(ping.clone()));
    assert_eq!(one.sent, [(ONE, Message::Pong(ping))]);
}

#[test]
fn who_has_a_token_outlives_the_link() {
    let mut one = One::busy();
    one.put(join(3));
    one.put(Input::Closed(ONE));
    // The third one has no answer yet, and nobody to wait for.
    assert_eq!((one.gone(), one.events.last()), ([(3, "Lost".into())].into(), Some(&Event::Orphaned)));
    one.sent.clear();
    one.put(Input::Opened(TWO));
    let [(TWO, Message::Enter(enter))] = &one.sent[..] else { panic!("{:?}", one.sent) };
    assert_eq!((enter.epoch, enter.reports), (EPOCH, 2));
    one.hear_on(TWO, query(NEXT));
    let remaining = |(_, message): &(LinkId, Message)| match message {
        Message::Report(report) => Some((report.remaining, report.standing.as_ref().map(|one| one.token))),
        _ => None,
    };
    let reports: Vec<_> = one.sent.iter().filter_map(remaining).collect();
    assert_eq!(reports, [(1, Some(token(1))), (0, Some(token(2)))]);
    one.hear_on(TWO, welcome(NEXT));
    assert_eq!(one.process.epoch(), NEXT);
    assert_eq!(one.process.poll_timeout(), None);
}

#[test]
fn without_a_coordinator_in_time_it_is_over() {
    let mut one = One::busy();
    one.put(Input::Closed(ONE));
    one.now = one.process.poll_timeout().unwrap();
    assert_eq!(one.now, Instant::ZERO.saturating_add(Duration::from_secs(30)));
    one.put(Input::Timeout);
    assert_eq!(one.gone(), [(1, "Lost".into()), (2, "Lost".into())]);
    assert_eq!((one.events.last(), one.process.state()), (Some(&Event::Ended(End::Lost)), State::Over));
    assert_eq!(one.process.poll_timeout(), None);
}

#[test]
fn a_welcome_that_does_not_come_is_none() {
    let mut one = One::busy();
    one.put(Input::Closed(ONE));
    let due = one.process.poll_timeout();
    one.put(Input::Opened(TWO));
    one.put(Input::Closed(TWO));
    // The time goes on from when it was lost first.
    assert_eq!(one.process.poll_timeout(), due);
}

#[test]
fn as_in_gsapi_nothing_outlives_the_link() {
    let mut config = Config::new(5, 9);
    config.reenter = Duration::ZERO;
    let mut one = One { process: Process::new(config), ..One::outside() };
    one.put(Input::Opened(ONE));
    one.hear(welcome(EPOCH));
    one.put(join(1));
    one.hear(accepted(1));
    one.put(Input::Closed(ONE));
    assert_eq!(one.gone(), [(1, "Lost".into())]);
    assert_eq!(one.process.state(), State::Outside);
}

#[test]
fn who_goes_while_it_is_reported_is_taken_back() {
    let mut one = One::busy();
    one.put(Input::Closed(ONE));
    one.put(Input::Opened(TWO));
    one.hear_on(TWO, query(NEXT));
    one.say(1, provider::Input::Goodbye);
    one.put(Input::Unsubscribe(RequestId(2)));
    one.sent.clear();
    one.hear_on(TWO, welcome(NEXT));
    assert!(matches!(one.sent[..], [(TWO, Message::Goodbye(_)), (TWO, Message::Unsubscribe(_))]), "{:?}", one.sent);
}

#[test]
fn who_goes_before_is_not_reported() {
    let mut one = One::busy();
    one.put(Input::Closed(ONE));
    one.say(1, provider::Input::Goodbye);
    one.put(Input::Opened(TWO));
    one.put(Input::Unsubscribe(RequestId(2)));
    one.sent.clear();
    one.hear_on(TWO, query(NEXT));
    one.hear_on(TWO, welcome(NEXT));
    let [(TWO, Message::Report(report))] = &one.sent[..] else { panic!("{:?}", one.sent) };
    assert_eq!((report.remaining, report.standing.is_none()), (0, true));
}

#[test]
fn an_earlier_reign_and_another_domain_are_not_entered() {
    let mut one = One::busy();
    one.put(Input::Closed(ONE));
    one.put(Input::Opened(TWO));
    let message = welcome(Epoch(1));
    assert!(matches!(one.try_put(Input::Message { link: TWO, message }), Err(Error::Violation(_))));
    assert_eq!((one.closed.last(), one.process.state()), (Some(&TWO), State::Outside));
    let three = LinkId(3);
    one.put(Input::Opened(three));
    let message = Message::Welcome(Welcome { domain: DomainId(8), epoch: NEXT, extensions: Extensions::NONE });
    assert!(matches!(one.try_put(Input::Message { link: three, message }), Err(Error::Violation(_))));
    assert_eq!(one.gone(), []);
}

#[test]
fn it_is_sent_on() {
    let mut one = One::busy();
    let redirect = |epoch: Epoch| {
        Message::Redirect(Redirect { epoch, address: Text::fitting("b:1"), extensions: Extensions::NONE })
    };
    one.hear(redirect(NEXT));
    let redirected = Event::Redirected { epoch: NEXT, address: Text::fitting("b:1") };
    assert_eq!((one.events.clone(), one.closed.clone()), ([redirected, Event::Orphaned].into(), [ONE].into()));
    let mut one = One::busy();
    one.hear(redirect(Epoch(1)));
    assert_eq!(one.events, [Event::Ignored("an old reign"), Event::Orphaned]);
}

#[test]
fn who_was_declared_dead_is_told_and_is_over() {
    let mut one = One::busy();
    one.hear(dissolved(None));
    let why = String::from("Dissolved(FENCED)");
    assert_eq!(one.gone(), [(1, why.clone()), (2, why)]);
    assert_eq!(one.events.last(), Some(&Event::Ended(End::Dissolved(DissolveReason::FENCED))));
    assert_eq!(one.closed, [ONE]);
    assert!(matches!(one.try_put(Input::Opened(TWO)), Err(Error::Misuse(_))));
}

#[test]
fn one_group_may_end_by_itself() {
    let mut one = One::busy();
    one.hear(dissolved(Some(token(2))));
    assert_eq!((one.gone().len(), one.process.state()), (1, State::Inside));
    // What was on its way is for nobody.
    one.hear(dissolved(Some(token(2))));
    assert_eq!(one.events.last(), Some(&Event::Ignored("a message for nobody who is there")));
}

#[test]
fn it_quits() {
    let mut one = One::busy();
    one.put(Input::Quit);
    assert!(matches!(one.sent[..], [(ONE, Message::Quit(_))]));
    assert_eq!((one.gone().len(), one.closed.clone()), (2, [ONE].into()));
    assert_eq!(one.events.last(), Some(&Event::Ended(End::Quit)));
}

#[test]
fn a_coordinator_that_breaks_the_protocol_is_left() {
    let mut one = One::busy();
    let message = Message::Quit(Plain { extensions: Extensions::NONE });
    assert!(matches!(one.try_put(Input::Message { link: ONE, message }), Err(Error::Violation(_))));
    assert_eq!((one.closed.clone(), one.process.state()), ([ONE].into(), State::Outside));
    assert_eq!(one.gone(), []);
}

#[test]
fn a_token_is_given_once() {
    // A second answer to the same request is passed over, and leaves the token with whom it is.
    let mut one = One::busy();
    let group = GroupId(1);
    let again = Accepted { request: RequestId(1), token: token(9), group, extensions: Extensions::NONE };
    one.hear(Message::Accepted(again));
    one.hear(dissolved(Some(token(9))));
    one.hear(dissolved(Some(token(1))));
    assert_eq!(one.gone(), [(1, "Dissolved(FENCED)".into())]);
    // One token for two is a violation.
    let mut one = One::busy();
    one.put(join(3));
    let message =
        Message::Accepted(Accepted { request: RequestId(3), token: token(1), group, extensions: Extensions::NONE });
    assert!(matches!(one.try_put(Input::Message { link: ONE, message }), Err(Error::Violation(_))));
    assert_eq!(one.process.state(), State::Outside);
}

#[test]
fn the_deadlines_of_providers_are_its_own() {
    let mut one = One::busy();
    let me = ProviderId { node: 5, instance: 3, incarnation: 9 };
    let open = crate::group::message::Open {
        protocol: ProtocolId(1),
        kind: ProtocolKind::JOIN,
        phase: 1,
        time_limit: 2,
        default_vote: Vote::APPROVE,
        summary: Summary::empty(),
        proposal: Proposal { joining: [me].into(), ..Proposal::default() }.into(),
        vote: None,
    };
    let sequence = Sequence(1);
    let phase = crate::group::message::Phase {
        token: token(1),
        group: GroupId(1),
        sequence,
        open,
        extensions: Extensions::NONE,
    };
    one.hear(Message::Phase(phase));
    one.now = one.process.poll_timeout().unwrap();
    assert_eq!(one.now, Instant::ZERO.saturating_add(Duration::from_secs(2)));
    one.put(Input::Timeout);
    assert_eq!(one.events.last(), Some(&Event::Provider { request: RequestId(1), event: provider::Event::TimeIsUp }));
    assert_eq!(one.process.poll_timeout(), None);
}
