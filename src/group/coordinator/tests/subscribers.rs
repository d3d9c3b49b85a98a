//! Subscribers (5.5 and 5.6).

use super::*;

#[test]
fn a_subscriber_of_no_group_is_told() {
    let mut domain = Domain::new(1);
    domain.heard.clear();
    domain.subscribe(A, 1, "g", Subscription::all());
    assert_eq!(domain.heard(A), ["error UNKNOWN_GROUP"]);
}

#[test]
fn what_is_there_and_what_changes() {
    let mut domain = Domain::grouped(1, &one("g"));
    domain.enter(B);
    domain.enter(C);
    domain.heard.clear();
    domain.subscribe(C, 1, "g", Subscription::all());
    domain.join(B, &one("g"));
    domain.propose(B, UNVOTED, Wish::State(value("x")));
    domain.propose(B, UNVOTED, Wish::Leave(0));
    let expected = [
        "accepted",
        "notice +[] -[] Some([1]) Some(\"\")",
        "notice +[2] -[] Some([1, 2]) None",
        "notice +[] -[] None Some(\"x\")",
        "notice +[] -[2] Some([1]) None",
    ];
    assert_eq!(domain.heard(C), expected);
    // Providers do not know of it.
    assert_eq!(domain.nodes("g"), [1]);
}

#[test]
fn only_what_it_wants_to_know() {
    let mut domain = Domain::grouped(1, &one("g"));
    domain.enter(B);
    let wanted = [
        (Subscription::STATE, "notice +[] -[] None Some(\"x\")"),
        (Subscription::DELTA_JOINS, "notice +[2] -[] None None"),
        (Subscription::DELTA_LEAVES, "notice +[] -[2] None None"),
    ];
    for (number, (subscription, _)) in wanted.iter().enumerate() {
        let link = on(u32::try_from(number).unwrap() + 10);
        domain.enter(link);
        domain.subscribe(link, 0, "g", *subscription);
        domain.heard.remove(&link);
    }
    domain.join(B, &one("g"));
    domain.propose(A, UNVOTED, Wish::State(value("x")));
    domain.goodbye(B);
    for (number, (_, expected)) in wanted.iter().enumerate() {
        assert_eq!(domain.heard(on(u32::try_from(number).unwrap() + 10)), [*expected]);
    }
}

#[test]
fn rejections_are_nobody_elses_business() {
    let mut domain = Domain::grouped(1, &one("g"));
    domain.enter(B);
    domain.subscribe(B, 0, "g", Subscription::all());
    domain.heard.clear();
    domain.propose(A, VOTED, Wish::State(value("x")));
    domain.vote(A, REJECT);
    assert_eq!(domain.heard(B), [""; 0]);
}

#[test]
fn it_ends_with_the_group() {
    let mut domain = Domain::grouped(1, &one("g"));
    domain.enter(B);
    domain.subscribe(B, 0, "g", Subscription::DELTA_LEAVES);
    domain.heard.clear();
    domain.goodbye(A);
    assert_eq!(domain.heard(B), ["notice +[] -[1] None None", "dissolved EMPTY"]);
    // Its token is free.
    domain.join(B, &one("g"));
    assert_eq!(domain.token(B).index, 0);
}

#[test]
fn who_wants_no_more_hears_no_more() {
    let mut domain = Domain::grouped(1, &one("g"));
    domain.enter(B);
    domain.subscribe(B, 0, "g", Subscription::all());
    domain.heard.clear();
    let token = domain.token(B);
    domain.say(B, Message::Unsubscribe(signal(token)));
    domain.propose(A, UNVOTED, Wish::State(value("x")));
    assert_eq!(domain.heard(B), [""; 0]);
    // Nobody has two tokens of one number.
    domain.subscribe(B, 0, "g", Subscription::empty());
    assert_eq!(domain.token(B), Token { generation: token.generation + 1, ..token });
}

#[test]
fn the_numbers_of_providers_and_subscribers_are_the_lowest_that_are_free() {
    let mut domain = Domain::new(1);
    for instance in 0..4 {
        domain.join_as(A, u32::try_from(instance).unwrap(), instance, &one("g"));
    }
    let token = |domain: &Domain, request: u32| domain.tokens[&(A, request)];
    for request in [2, 0] {
        domain.say(A, Message::Goodbye(signal(token(&domain, request))));
    }
    domain.subscribe(A, 10, "g", Subscription::empty());
    domain.subscribe(A, 11, "g", Subscription::empty());
    domain.subscribe(A, 12, "g", Subscription::empty());
    let indexes: Vec<(u32, u32)> =
        (10..13).map(|request| token(&domain, request)).map(|one| (one.index, one.generation)).collect();
    assert_eq!(indexes, [(0, 1), (2, 1), (4, 0)]);
}
