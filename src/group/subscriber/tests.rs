//! The items of spec/group.md 4.6, one by one.

use super::*;
use crate::frame::Text;
use crate::group::ids::MessageKind;
use crate::group::message::{Accepted, DelayedError, Dissolved, Ping};
use crate::group::name::ProviderId;

const TOKEN: Token = Token { index: 1, generation: 0 };
const ME: ProviderId = ProviderId { node: 1, instance: 0, incarnation: 1 };

/// A subscriber, and what it has said to whom.
struct One {
    subscriber: Subscriber,
    sent: Vec<Message>,
    events: Vec<Event>,
}

impl One {
    fn requested() -> Self {
        let subscriber = Subscriber::new(GroupName::new("g").unwrap(), Subscription::all(), RequestId(1));
        let mut one = Self { subscriber, sent: Vec::new(), events: Vec::new() };
        one.put(Input::Timeout).unwrap();
        one
    }

    fn active() -> Self {
        let mut one = Self::requested();
        let (request, group, extensions) = (RequestId(1), GroupId(3), Extensions::NONE);
        one.hear(Message::Accepted(Accepted { request, token: TOKEN, group, extensions }));
        one
    }

    fn put(&mut self, input: Input) -> Result<(), Error> {
        let result = self.subscriber.handle(Instant::ZERO, input);
        while let Some(output) = self.subscriber.poll_output() {
            match output {
                Output::Send(message) => self.sent.push(message),
                Output::Event(event) => self.events.push(event),
            }
        }
        result
    }

    fn hear(&mut self, message: Message) {
        self.put(Input::Message(message)).unwrap();
    }
}

fn notice(sequence: u64) -> Notice {
    Notice {
        token: TOKEN,
        group: GroupId(3),
        sequence: Sequence(sequence),
        view: ViewId(1),
        state: None,
        members: None,
        joined: Vec::from([ME]),
        left: Vec::new(),
        extensions: Extensions::NONE,
    }
}

#[test]
fn it_asks_and_is_told() {
    let mut one = One::active();
    assert!(matches!(one.sent[..], [Message::Subscribe(_)]));
    one.hear(Message::Notice(notice(4)));
    assert_eq!(one.events, [Event::Accepted(TOKEN), Event::Notice(notice(4))]);
}

#[test]
fn a_request_that_is_refused_is_over() {
    let mut one = One::requested();
    let (kind, code, text) = (MessageKind::SUBSCRIBE, ErrorCode::UNKNOWN_GROUP, Text::EMPTY);
    let (request, extensions) = (RequestId(1), Extensions::NONE);
    one.hear(Message::DelayedError(DelayedError { request, token: None, kind, code, text, extensions }));
    assert_eq!(one.events, [Event::Gone(Departure::Refused(code))]);
    assert!(matches!(one.put(Input::Lost), Err(Error::Misuse(_))));
}

#[test]
fn nothing_comes_twice() {
    let mut one = One::active();
    one.hear(Message::Notice(notice(4)));
    one.hear(Message::Notice(notice(4)));
    one.hear(Message::Notice(notice(3)));
    // What does not concern it leaves gaps.
    one.hear(Message::Notice(notice(9)));
    let twice = Event::Ignored("a notice that has come already");
    assert_eq!(one.events[2..], [twice.clone(), twice, Event::Notice(notice(9))]);
}

#[test]
fn the_notices_of_others_are_passed_over() {
    let mut one = One::active();
    let token = Token { generation: 1, ..TOKEN };
    one.hear(Message::Notice(Notice { token, ..notice(4) }));
    one.hear(Message::Dissolved(Dissolved {
        token: Some(token),
        reason: DissolveReason::EMPTY,
        extensions: Extensions::NONE,
    }));
    assert_eq!(
        one.events[1..],
        [Event::Ignored("a message that nobody waits for"), Event::Ignored("a message that nobody waits for")]
    );
}

#[test]
fn it_wants_to_know_no_more() {
    let mut one = One::active();
    one.put(Input::Unsubscribe).unwrap();
    assert!(matches!(one.sent.last(), Some(Message::Unsubscribe(_))));
    assert_eq!(one.events.last(), Some(&Event::Gone(Departure::Unsubscribed)));
    assert!(matches!(One::requested().put(Input::Unsubscribe), Err(Error::Misuse(_))));
}

#[test]
fn it_ends_with_the_group_and_with_the_domain() {
    for token in [Some(TOKEN), None] {
        let mut one = One::active();
        let reason = DissolveReason::EMPTY;
        one.hear(Message::Dissolved(Dissolved { token, reason, extensions: Extensions::NONE }));
        assert_eq!(one.events.last(), Some(&Event::Gone(Departure::Dissolved(reason))));
    }
}

#[test]
fn it_tells_another_coordinator_what_it_has_heard() {
    let mut one = One::active();
    one.hear(Message::Notice(notice(4)));
    let standing = one.subscriber.standing().unwrap();
    assert_eq!((standing.token, standing.provider, standing.subscription), (TOKEN, None, Subscription::all()));
    assert_eq!((standing.snapshot.group, standing.snapshot.sequence), (GroupId(3), Sequence(4)));
    assert_eq!(One::requested().subscriber.standing(), None);
}

#[test]
fn what_subscribers_are_not_told_is_a_violation() {
    let mut one = One::active();
    let ping = Message::Ping(Ping { nonce: 1, extensions: Extensions::NONE });
    assert!(matches!(one.put(Input::Message(ping)), Err(Error::Violation(_))));
    assert_eq!(one.events.last(), Some(&Event::Gone(Departure::Lost)));
}
