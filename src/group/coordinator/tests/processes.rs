//! Processes: how they enter, and how they fail (5.2).

use super::*;
use crate::group::ids::DissolveReason;
use crate::group::message::{Ping, Proclaim};

#[test]
fn nothing_comes_before_a_welcome() {
    let mut domain = Domain::new(0);
    let join = |domain: &mut Domain, link: LinkId| {
        let join = Join { request: RequestId(1), instance: 0, attributes: one("g"), extensions: Extensions::NONE };
        domain.try_put(Input::Message { link, message: Message::Join(join.into()) })
    };
    assert!(matches!(join(&mut domain, A), Err(Error::Violation(_))));
    domain.say(B, Message::Enter(enter(1, 1).into()));
    assert!(matches!(join(&mut domain, B), Err(Error::Violation(_))));
    assert_eq!(domain.closed, [A, B]);
}

#[test]
fn the_application_says_who_may_enter() {
    let mut domain = Domain::new(0);
    domain.say(A, Message::Enter(enter(1, 1).into()));
    domain.put(Input::Admit { link: A, allowed: false });
    assert_eq!((domain.heard(A), domain.closed.clone()), (["dissolved STOPPED".into()].into(), [A].into()));
    assert!(matches!(domain.try_put(Input::Admit { link: A, allowed: true }), Err(Error::Misuse(_))));
}

#[test]
fn what_coordinators_say_is_not_for_processes_to_say() {
    let mut domain = Domain::grouped(2, &one("g"));
    let message = Message::Ping(Ping { nonce: 1, extensions: Extensions::NONE });
    assert!(matches!(domain.try_put(Input::Message { link: B, message }), Err(Error::Violation(_))));
    assert_eq!((domain.closed.clone(), domain.nodes("g")), ([B].into(), [1].into()));
    assert!(matches!(
        domain.try_put(Input::Message { link: A, message: Message::Enter(enter(1, 1).into()) }),
        Err(Error::Violation(_))
    ));
    assert_eq!(domain.coordinator.groups(), 0);
}

#[test]
fn who_was_declared_dead_comes_back_as_somebody_else() {
    let mut domain = Domain::grouped(2, &one("g"));
    domain.put(Input::NodeDown(2));
    assert_eq!(domain.heard(B).last().unwrap(), "dissolved FENCED");
    // It was not dead at all, and does not believe it.
    domain.enter_as(on(22), enter(2, 1));
    assert_eq!((domain.heard(on(22)), domain.closed.last()), (["dissolved FENCED".into()].into(), Some(&on(22))));
    domain.enter_as(on(32), enter(2, 2));
    assert_eq!(domain.heard(on(32)), ["welcome"]);
    // What still comes on the old link is nobody's fault.
    let token = domain.token(B);
    domain.say(B, Message::Goodbye(signal(token)));
    assert_eq!(domain.ignored(), ["a message on a link that is over"]);
}

#[test]
fn nobody_is_there_twice() {
    let mut domain = Domain::new(1);
    domain.enter_as(on(22), enter(1, 1));
    assert_eq!(domain.heard(on(22)), ["dissolved FENCED"]);
    assert_eq!(domain.heard(A), ["welcome"]);
}

#[test]
fn there_are_only_so_many() {
    let mut domain = Domain::with(|limits| limits.processes = 1);
    domain.enter(A);
    domain.enter(B);
    assert_eq!(domain.heard(B), ["dissolved STOPPED"]);
}

#[test]
fn who_quits_has_failed() {
    let mut domain = Domain::grouped(2, &one("g"));
    domain.say(B, Message::Quit(Plain { extensions: Extensions::NONE }));
    assert_eq!((domain.closed.clone(), domain.nodes("g")), ([B].into(), [1].into()));
    assert_eq!(domain.left(), [(2, LeaveReason::PROVIDER_FAILURE)]);
    // The link is closed as well: that is no news.
    domain.die(B);
    assert_eq!(domain.heard(A), ["approved FAILURE_LEAVE"]);
}

#[test]
fn who_does_not_answer_is_announced_and_stays() {
    let mut domain = Domain::new(1);
    domain.enter_as(B, Enter { ping_interval_ms: 100, pong_limit_ms: 20, ..enter(2, 1) });
    domain.join(A, &one("g"));
    domain.join(B, &one("g"));
    domain.heard.clear();
    domain.deadline();
    assert_eq!(domain.heard(B), ["ping"]);
    domain.deadline();
    assert_eq!(domain.heard(A), ["Announcement(NO_RESPONSE) [2]"]);
    // Not again and again.
    domain.deadline();
    domain.deadline();
    assert_eq!(domain.heard(A), [""; 0]);
    let pong = |nonce: u64| Message::Pong(Ping { nonce, extensions: Extensions::NONE });
    domain.say(B, pong(1));
    assert_eq!(domain.ignored(), ["an old PONG"]);
    domain.say(B, pong(2));
    assert_eq!(domain.heard(A), ["Announcement(RESPONSE) [2]"]);
    assert_eq!(domain.nodes("g"), [1, 2]);
}

#[test]
fn who_only_waits_to_join_is_nobody_yet() {
    let mut domain = Domain::grouped(1, &one("g"));
    domain.enter_as(B, Enter { ping_interval_ms: 100, pong_limit_ms: 20, ..enter(2, 1) });
    domain.propose(A, VOTED, Wish::State(value("x")));
    domain.join(B, &one("g"));
    domain.heard.clear();
    domain.deadline();
    domain.deadline();
    assert_eq!((domain.heard(A), domain.heard(B)), ([].into(), ["ping".into()].into()));
}

#[test]
fn who_asks_for_the_whole_is_told_what_runs() {
    let mut domain = Domain::grouped(2, &one("g"));
    domain.propose(A, VOTED, Wish::State(value("x")));
    domain.vote(B, APPROVE);
    domain.heard.clear();
    let token = domain.token(B);
    domain.say(B, Message::Resynchronise(signal(token)));
    let Some(Message::View(view)) = domain.heard[&B].last() else { panic!("{:?}", domain.heard) };
    // Its own vote is known, and it has to give none.
    assert_eq!(view.open.as_ref().and_then(|open| open.vote.clone()), Some(APPROVE));
    assert_eq!(nodes(&view.snapshot.members), [1, 2]);
}

#[test]
fn outcomes_are_told_in_one_order_without_gaps() {
    let mut domain = Domain::grouped(2, &one("g"));
    domain.propose(A, VOTED, Wish::State(value("x")));
    domain.vote(A, APPROVE);
    domain.vote(B, CONTINUE);
    domain.die(A);
    domain.vote(B, APPROVE);
    let numbers = |message: &Message| match message {
        Message::Phase(phase) => Some(phase.sequence.0),
        Message::Approved(ended) => Some(ended.outcome.sequence.0),
        _ => None,
    };
    let heard: Vec<u64> = domain.heard[&B].iter().filter_map(numbers).collect();
    assert_eq!(heard, [3, 4, 5, 6]);
}

#[test]
fn a_domain_that_ends_tells_everybody() {
    let mut domain = Domain::grouped(2, &one("g"));
    domain.put(Input::End(DissolveReason::STOPPED));
    assert_eq!(domain.heard(A), ["dissolved STOPPED"]);
    assert_eq!(domain.closed, [A, B]);
    assert_eq!(domain.events.last(), Some(&Event::Ended(DissolveReason::STOPPED)));
    assert!(matches!(domain.try_put(Input::NodeDown(1)), Err(Error::Misuse(_))));
}

#[test]
fn of_two_domains_the_larger_one_stays() {
    let mut domain = Domain::grouped(2, &one("g"));
    let other = |nodes: u32, lowest_node: u32| Proclaim {
        domain: DomainId(8),
        epoch: Epoch(9 << 16),
        nodes,
        lowest_node,
        extensions: Extensions::NONE,
    };
    domain.put(Input::Proclaimed(other(1, 0)));
    assert_eq!(domain.events.last(), Some(&Event::Outranks(DomainId(8))));
    // Of as many machines: who has the lowest.
    domain.put(Input::Proclaimed(other(2, 2)));
    assert_eq!(domain.events.last(), Some(&Event::Outranks(DomainId(8))));
    domain.put(Input::Proclaimed(other(2, 0)));
    assert_eq!(domain.heard(A), ["dissolved MERGED"]);
    assert_eq!(domain.coordinator.state(), reign::State::Over);
}

#[test]
fn nobody_is_told_before_an_outcome_is_kept() {
    let mut config = Config::new(DomainId(7), Epoch(1 << 16));
    config.durability = Durability::Replicated(1);
    let mut domain = Domain::of(Coordinator::new(config, Instant::ZERO));
    domain.enter(A);
    domain.heard.clear();
    domain.join(A, &one("g"));
    assert_eq!((domain.heard(A), domain.persist.len()), (["accepted".into()].into(), 1));
    assert_eq!(nodes(&domain.persist[0].snapshot.members), [1]);
    assert!(matches!(domain.try_put(Input::Persisted(2)), Err(Error::Misuse(_))));
    domain.put(Input::Persisted(1));
    assert_eq!(domain.heard(A), ["approved JOIN"]);
    // What it says is what was kept.
    assert_eq!(&domain.persist[0].past.ended, domain.ended(A));
}

#[test]
fn who_dies_while_an_outcome_is_kept_changes_nothing_of_it() {
    let mut config = Config::new(DomainId(7), Epoch(1 << 16));
    config.durability = Durability::Quorum;
    let mut domain = Domain::of(Coordinator::new(config, Instant::ZERO));
    for (link, index) in [(A, 1), (B, 2)] {
        domain.enter(link);
        domain.join(link, &one("g"));
        domain.put(Input::Persisted(index));
    }
    domain.propose(A, VOTED, Wish::State(value("x")));
    domain.vote(A, APPROVE);
    domain.vote(B, APPROVE);
    domain.die(B);
    // A vote that comes now is late, whoever gives it.
    domain.vote(A, REJECT);
    assert_eq!(domain.ignored(), ["a late vote"]);
    domain.put(Input::Persisted(3));
    assert_eq!(&domain.persist[2].past.ended, domain.ended(A));
    assert_eq!(domain.persist[3].past.ended.kind, ProtocolKind::FAILURE_LEAVE);
}
