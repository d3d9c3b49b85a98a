//! Source groups (5.7).

use super::*;

fn target(name_of: &'static str, source: &'static str) -> Attributes {
    Attributes { source_group: Some(name(source)), ..one(name_of) }
}

/// Two machines with a provider each in "s", and in "t" whose source that is: requests 0 and 1.
fn pair(attributes: &Attributes) -> Domain {
    let mut domain = Domain::grouped(2, &one("s"));
    domain.join_as(A, 1, 0, attributes);
    domain.join_as(B, 1, 0, attributes);
    domain
}

/// From now on these processes speak as the providers of "t".
fn as_targets(domain: &mut Domain) {
    for link in [A, B] {
        let token = domain.tokens[&(link, 1)];
        domain.tokens.insert((link, 0), token);
    }
}

#[test]
fn there_must_be_a_source_on_the_machine() {
    let mut domain = Domain::new(2);
    domain.heard.clear();
    domain.join_as(A, 1, 0, &target("t", "s"));
    assert_eq!(domain.heard(A), ["error INVALID_SOURCE_GROUP"]);
    domain.join(A, &one("s"));
    domain.join_as(B, 1, 0, &target("t", "s"));
    assert_eq!(domain.heard(B), ["error NO_SOURCE_GROUP_PROVIDER"]);
    domain.join_as(A, 1, 0, &target("t", "s"));
    assert_eq!(domain.nodes("t"), [1]);
}

#[test]
fn without_its_source_a_provider_is_cast_out() {
    let mut domain = pair(&target("t", "s"));
    domain.heard.clear();
    domain.propose(B, UNVOTED, Wish::Leave(0));
    assert_eq!(domain.left(), [(2, LeaveReason::VOLUNTARY), (2, LeaveReason::SOURCE_PROVIDER_LEAVE)]);
    assert_eq!(domain.heard(B), ["approved LEAVE", "approved CAST_OUT"]);
    assert_eq!(domain.heard(A), ["approved LEAVE", "approved CAST_OUT"]);
    // And has a source no more.
    domain.join_as(B, 2, 0, &target("t", "s"));
    assert_eq!(domain.heard(B), ["error NO_SOURCE_GROUP_PROVIDER"]);
}

#[test]
fn when_the_source_ends_all_are_cast_out() {
    let mut domain = pair(&target("t", "s"));
    domain.goodbye(A);
    domain.goodbye(B);
    assert_eq!((domain.nodes("t"), domain.coordinator.groups()), ([].into(), 0));
}

#[test]
fn who_dies_with_its_source_goes_once() {
    let mut domain = pair(&target("t", "s"));
    domain.put(Input::NodeDown(2));
    assert_eq!(domain.left(), [(2, LeaveReason::HOST_FAILURE), (2, LeaveReason::HOST_FAILURE)]);
    assert_eq!((domain.nodes("s"), domain.nodes("t")), ([1].into(), [1].into()));
}

#[test]
fn who_is_to_be_expelled_is_cast_out_if_it_stays() {
    let mut domain = pair(&target("t", "s"));
    let source = domain.token(B);
    as_targets(&mut domain);
    let expulsion = Expulsion { targets: [id(B)].into(), deactivate_phase: 0, flag: Bytes::new() };
    domain.propose(A, VOTED, Wish::Expel(expulsion));
    domain.say(B, Message::Goodbye(signal(source)));
    domain.vote(A, REJECT);
    assert_eq!(domain.nodes("t"), [1]);
    assert_eq!(domain.left(), [(2, LeaveReason::SAID_GOODBYE), (2, LeaveReason::SOURCE_PROVIDER_LEAVE)]);
}

#[test]
fn a_join_that_waits_does_not_outlive_its_source() {
    let mut domain = Domain::grouped(2, &one("s"));
    domain.join_as(A, 1, 0, &target("t", "s"));
    let source = domain.token(B);
    let in_target = domain.tokens[&(A, 1)];
    domain.tokens.insert((A, 0), in_target);
    domain.propose(A, VOTED, Wish::State(value("x")));
    domain.join_as(B, 1, 0, &target("t", "s"));
    domain.heard.clear();
    domain.say(B, Message::Goodbye(signal(source)));
    domain.vote(A, APPROVE);
    assert_eq!(domain.nodes("t"), [1]);
    assert_eq!(domain.heard(B), ["error NO_SOURCE_GROUP_PROVIDER"]);
}

#[test]
fn a_join_that_is_voted_on_does_not_outlive_its_source() {
    let attributes = Attributes { phases: Phases::N, ..target("t", "s") };
    let mut domain = Domain::grouped(2, &one("s"));
    domain.join_as(A, 1, 0, &attributes);
    let source = domain.token(B);
    let in_target = domain.tokens[&(A, 1)];
    domain.tokens.insert((A, 0), in_target);
    domain.vote(A, APPROVE);
    domain.join_as(B, 1, 0, &attributes);
    as_targets(&mut domain);
    domain.say(B, Message::Goodbye(signal(source)));
    domain.vote(A, APPROVE);
    domain.vote(B, APPROVE);
    // It is in, and is cast out.
    domain.vote(A, APPROVE);
    assert_eq!(domain.nodes("t"), [1]);
    assert_eq!(domain.left().last(), Some(&(2, LeaveReason::SOURCE_PROVIDER_LEAVE)));
}

#[test]
fn a_state_value_is_reflected() {
    let mut domain = pair(&target("t", "s"));
    domain.heard.clear();
    domain.propose(A, UNVOTED, Wish::State(value("x")));
    assert_eq!(domain.heard(B), ["approved STATE_VALUE_CHANGE", "approved SOURCE_STATE_REFLECTION"]);
    // What is proposed and was so already is no change.
    domain.propose(A, UNVOTED, Wish::State(value("x")));
    assert_eq!(domain.heard(B), ["approved STATE_VALUE_CHANGE"]);
    as_targets(&mut domain);
    assert_eq!(domain.ended(B).proposal.source_state, Some(value("x")));
}

#[test]
fn only_the_newest_value_is_reflected() {
    let attributes = Attributes { reflection_phases: Phases::N, ..target("t", "s") };
    let mut domain = pair(&attributes);
    domain.propose(A, UNVOTED, Wish::State(value("1")));
    domain.propose(A, UNVOTED, Wish::State(value("2")));
    domain.propose(A, UNVOTED, Wish::State(value("3")));
    domain.heard.clear();
    as_targets(&mut domain);
    domain.vote(A, APPROVE);
    domain.vote(B, APPROVE);
    assert_eq!(domain.heard(A), ["approved SOURCE_STATE_REFLECTION", "phase 1 of SOURCE_STATE_REFLECTION"]);
    assert_eq!(domain.open(A).proposal.source_state, Some(value("3")));
}

#[test]
fn failures_go_before_joins_and_joins_before_reflections() {
    let attributes = Attributes { phases: Phases::N, reflection_phases: Phases::N, ..target("t", "s") };
    let mut domain = Domain::grouped(3, &one("s"));
    let source = domain.token(A);
    for link in [A, B] {
        domain.join_as(link, 1, 0, &attributes);
        let token = domain.tokens[&(link, 1)];
        domain.tokens.insert((link, 0), token);
        [A, B].into_iter().for_each(|other| domain.votes_if_due(other));
    }
    let own = domain.token(A);
    domain.propose(A, VOTED, Wish::State(value("x")));
    // All three come while that is voted on, the last one first.
    domain.tokens.insert((A, 0), source);
    domain.propose(A, UNVOTED, Wish::State(value("s")));
    domain.tokens.insert((A, 0), own);
    domain.join_as(C, 1, 0, &attributes);
    domain.tokens.insert((C, 0), domain.tokens[&(C, 1)]);
    domain.die(B);
    let mut kinds = Vec::new();
    for _ in 0..3 {
        [A, C].into_iter().for_each(|link| domain.votes_if_due(link));
        kinds.push(domain.open(A).kind);
    }
    assert_eq!(kinds, [ProtocolKind::FAILURE_LEAVE, ProtocolKind::JOIN, ProtocolKind::SOURCE_STATE_REFLECTION]);
}

#[test]
fn chains_end_somewhere() {
    let mut domain = Domain::with(|limits| limits.source_depth = 2);
    domain.enter(A);
    domain.join(A, &one("a"));
    domain.join_as(A, 1, 0, &target("b", "a"));
    domain.join_as(A, 2, 0, &target("c", "b"));
    assert_eq!(domain.nodes("c"), [1]);
    domain.heard.clear();
    domain.join_as(A, 3, 0, &target("d", "c"));
    assert_eq!(domain.heard(A), ["error INVALID_SOURCE_GROUP"]);
}

#[test]
fn no_group_is_its_own_source_by_a_detour() {
    // "a" ends while those of "b" are still voted out; a new "a" would like to have "b" as its source.
    let attributes = Attributes { phases: Phases::N, ..target("b", "a") };
    let mut domain = Domain::grouped(2, &one("a"));
    for link in [A, B] {
        domain.join_as(link, 1, 0, &attributes);
        as_targets_of(&mut domain, link);
        [A, B].into_iter().for_each(|other| domain.votes_if_due(other));
    }
    domain.say(A, Message::Goodbye(signal(domain.tokens[&(A, 5)])));
    domain.say(B, Message::Goodbye(signal(domain.tokens[&(B, 5)])));
    assert_eq!(domain.nodes("b"), [1, 2]);
    domain.heard.clear();
    domain.join_as(A, 6, 0, &target("a", "b"));
    assert_eq!(domain.heard(A), ["error INVALID_SOURCE_GROUP"]);
}

/// One process speaks as its provider in the second group; the token of the first is kept as request 5.
fn as_targets_of(domain: &mut Domain, link: LinkId) {
    let (first, second) = (domain.tokens[&(link, 0)], domain.tokens[&(link, 1)]);
    domain.tokens.insert((link, 5), first);
    domain.tokens.insert((link, 0), second);
}
