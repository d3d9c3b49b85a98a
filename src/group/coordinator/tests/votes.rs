//! Proposals, votes, and what comes of them (5.3 to 5.5).

use super::*;
use crate::group::name::ProviderMessage;

/// Three providers, and a state value that is voted on.
fn voting() -> Domain {
    let mut domain = Domain::grouped(3, &one("g"));
    domain.propose(A, VOTED, Wish::State(value("x")));
    domain.heard.clear();
    domain
}

#[test]
fn everybody_votes_and_then_it_is_approved() {
    let mut domain = voting();
    assert_eq!(domain.coordinator.blocked_on(&name("g")), [id(A), id(B), id(C)]);
    domain.vote(C, APPROVE);
    domain.vote(A, APPROVE);
    assert_eq!(domain.coordinator.blocked_on(&name("g")), [id(B)]);
    assert_eq!(domain.heard(A), [""; 0]);
    domain.vote(B, APPROVE);
    for link in [A, B, C] {
        assert_eq!(domain.heard(link), ["approved STATE_VALUE_CHANGE"]);
        assert_eq!(domain.ended(link).proposal.state, Some(value("x")));
    }
}

#[test]
fn one_no_decides_at_once_and_changes_nothing() {
    let mut domain = voting();
    domain.vote(C, REJECT);
    for link in [A, B, C] {
        assert_eq!(domain.heard(link), ["rejected STATE_VALUE_CHANGE"]);
        assert_eq!(domain.ended(link).summary, Summary::EXPLICIT_REJECT);
    }
    domain.enter(on(4));
    domain.join(on(4), &one("g"));
    let Some(Message::Approved(ended)) = domain.heard[&on(4)].last() else { panic!("{:?}", domain.heard) };
    assert_eq!(ended.snapshot.as_ref().unwrap().state, StateValue::default());
}

#[test]
fn one_that_wants_to_continue_brings_another_phase() {
    let mut domain = voting();
    domain.vote(A, APPROVE);
    domain.vote(B, CONTINUE);
    domain.vote(C, APPROVE);
    assert_eq!(domain.heard(A), ["phase 2 of STATE_VALUE_CHANGE"]);
    assert_eq!(domain.open(A).summary, Summary::EXPLICIT_APPROVE);
    [A, B, C].into_iter().for_each(|link| domain.vote(link, APPROVE));
    assert_eq!((domain.heard(A), domain.ended(A).phases), (["approved STATE_VALUE_CHANGE".into()].into(), 2));
}

#[test]
fn too_many_phases_are_a_no() {
    let mut domain = Domain::with(|limits| limits.phases = 2);
    domain.enter(A);
    domain.join(A, &one("g"));
    domain.propose(A, VOTED, Wish::State(value("x")));
    domain.vote(A, CONTINUE);
    domain.vote(A, CONTINUE);
    assert!(domain.ended(A).summary.contains(Summary::TOO_MANY_PHASES));
    assert_eq!(domain.heard(A).last().unwrap(), "rejected STATE_VALUE_CHANGE");
}

#[test]
fn one_phase_is_no_vote() {
    let mut domain = Domain::grouped(2, &one("g"));
    domain.propose(B, UNVOTED, Wish::Message(ProviderMessage::new("hello").unwrap()));
    for link in [A, B] {
        assert_eq!(domain.heard(link), ["approved PROVIDER_MESSAGE"]);
        assert_eq!((domain.ended(link).phases, domain.ended(link).summary), (1, Summary::empty()));
    }
}

#[test]
fn a_second_vote_is_not_expected() {
    let mut domain = voting();
    domain.vote(A, APPROVE);
    domain.vote(A, REJECT);
    assert_eq!(domain.heard(A), ["error VOTE_NOT_EXPECTED"]);
    domain.vote(B, APPROVE);
    domain.vote(C, APPROVE);
    assert_eq!(domain.heard(B), ["approved STATE_VALUE_CHANGE"]);
}

#[test]
fn a_vote_of_another_phase_does_not_count() {
    let mut domain = voting();
    let protocol = domain.open(A).protocol;
    // One that is still to come.
    domain.vote_in(A, protocol, 2, REJECT);
    domain.vote_in(A, ProtocolId(protocol.0 + 1), 1, REJECT);
    assert_eq!(domain.heard(A), ["error VOTE_NOT_EXPECTED", "error VOTE_NOT_EXPECTED"]);
    [A, B, C].into_iter().for_each(|link| domain.vote(link, CONTINUE));
    domain.heard.clear();
    // One that has crossed the end of its phase, and of its protocol.
    domain.vote_in(A, protocol, 1, REJECT);
    domain.vote_in(A, ProtocolId(protocol.0 - 1), 1, REJECT);
    assert_eq!((domain.heard(A), domain.ignored()), ([].into(), ["a late vote", "a late vote"].into()));
    [A, B, C].into_iter().for_each(|link| domain.vote(link, APPROVE));
    assert_eq!(domain.heard(A), ["approved STATE_VALUE_CHANGE"]);
}

#[test]
fn a_vote_after_the_end_is_late() {
    let mut domain = voting();
    let protocol = domain.open(A).protocol;
    domain.vote(C, REJECT);
    domain.heard.clear();
    domain.vote_in(A, protocol, 1, APPROVE);
    assert_eq!((domain.heard(A), domain.ignored()), ([].into(), ["a late vote"].into()));
}

#[test]
fn a_vote_that_is_none_is_told() {
    let mut domain = voting();
    domain.vote(A, ballot(Vote(0)));
    domain.vote(A, Ballot { default_vote: Some(Vote::CONTINUE), ..APPROVE });
    assert_eq!(domain.heard(A), ["error BAD_PARAMETER", "error BAD_PARAMETER"]);
    domain.vote(A, APPROVE);
    assert_eq!(domain.heard(A), [""; 0]);
}

#[test]
fn the_oldest_provider_has_the_last_word() {
    let mut domain = voting();
    let says = |text: &'static str| Ballot {
        state: Some(value(text)),
        message: Some(ProviderMessage::new(text).unwrap()),
        ..CONTINUE
    };
    domain.vote(C, says("c"));
    domain.vote(B, Ballot { message: None, ..says("b") });
    domain.vote(A, CONTINUE);
    let Open { proposal, .. } = domain.open(A).clone();
    assert_eq!((proposal.state, proposal.message), (Some(value("b")), ProviderMessage::new("c")));
    [A, B, C].into_iter().for_each(|link| domain.vote(link, APPROVE));
    assert_eq!(domain.ended(A).proposal.state, Some(value("b")));
}

/// Three providers and a state value, with a second for each vote.
fn hurried(default_vote: Vote) -> Domain {
    let mut domain = Domain::grouped(3, &Attributes { default_vote, ..one("g") });
    domain.propose(A, Voting { time_limit: 1, ..VOTED }, Wish::State(value("x")));
    domain.heard.clear();
    domain
}

#[test]
fn who_does_not_vote_in_time_has_the_default_vote() {
    let mut domain = hurried(Vote::APPROVE);
    domain.vote(A, APPROVE);
    domain.deadline();
    assert_eq!(domain.heard(A), ["approved STATE_VALUE_CHANGE", "Announcement(TIME_LIMIT_EXCEEDED) [2, 3]"]);
    let expected = Summary::EXPLICIT_APPROVE | Summary::DEFAULT_APPROVE | Summary::TIME_LIMIT_EXCEEDED;
    assert_eq!(domain.ended(A).summary, expected);

    let mut domain = hurried(Vote::REJECT);
    domain.vote(A, CONTINUE);
    domain.deadline();
    assert_eq!(domain.heard(A), ["rejected STATE_VALUE_CHANGE", "Announcement(TIME_LIMIT_EXCEEDED) [2, 3]"]);
    assert_eq!(domain.nodes("g"), [1, 2, 3]);
}

#[test]
fn who_was_late_votes_in_the_next_phase() {
    let mut domain = hurried(Vote::APPROVE);
    domain.vote(A, CONTINUE);
    domain.deadline();
    assert_eq!(domain.coordinator.blocked_on(&name("g")), [id(A), id(B), id(C)]);
    assert_eq!(domain.coordinator.poll_timeout(), Some(Instant::from_micros(2_000_000)));
    domain.vote(B, REJECT);
    // It was late in a phase: that is told all the same.
    assert_eq!(domain.heard(B).last().unwrap(), "Announcement(TIME_LIMIT_EXCEEDED) [2, 3]");
}

#[test]
fn a_new_default_vote_counts_from_its_phase_on() {
    let mut domain = hurried(Vote::REJECT);
    domain.vote(A, Ballot { default_vote: Some(Vote::APPROVE), ..CONTINUE });
    domain.deadline();
    assert_eq!(domain.open(A).default_vote, Vote::APPROVE);
    domain.vote(A, APPROVE);
    domain.deadline();
    assert_eq!(domain.heard(A)[1], "approved STATE_VALUE_CHANGE");
    // And no longer than that.
    domain.propose(A, VOTED, Wish::State(value("y")));
    assert_eq!(domain.open(A).default_vote, Vote::REJECT);
}

#[test]
fn of_two_new_default_votes_the_no_counts() {
    let mut domain = hurried(Vote::APPROVE);
    domain.vote(A, Ballot { default_vote: Some(Vote::REJECT), ..APPROVE });
    domain.vote(B, Ballot { default_vote: Some(Vote::APPROVE), ..APPROVE });
    domain.deadline();
    assert_eq!(domain.heard(A)[0], "rejected STATE_VALUE_CHANGE");
}

#[test]
fn who_fails_has_the_default_vote_in_every_phase_from_then_on() {
    let mut domain = voting();
    domain.vote(A, CONTINUE);
    domain.vote(B, CONTINUE);
    domain.die(C);
    assert_eq!(domain.open(A).phase, 2);
    domain.vote(A, CONTINUE);
    domain.vote(B, CONTINUE);
    assert_eq!(domain.open(A).phase, 3);
    assert!(domain.open(A).summary.contains(Summary::PROVIDER_FAILED | Summary::DEFAULT_APPROVE));
    domain.vote(A, APPROVE);
    domain.vote(B, APPROVE);
    assert_eq!(domain.heard(A).last().unwrap(), "approved FAILURE_LEAVE");
}

#[test]
fn a_vote_that_was_given_before_the_failure_counts() {
    let mut domain = voting();
    domain.vote(C, CONTINUE);
    domain.die(C);
    domain.vote(A, APPROVE);
    domain.vote(B, APPROVE);
    assert_eq!(domain.open(A).phase, 2);
}

#[test]
fn a_failure_with_a_no_by_default_ends_it_and_follows() {
    let mut domain = Domain::grouped(2, &Attributes { default_vote: Vote::REJECT, ..one("g") });
    domain.propose(A, VOTED, Wish::State(value("x")));
    domain.heard.clear();
    domain.vote(A, APPROVE);
    domain.die(B);
    assert_eq!(domain.heard(A), ["rejected STATE_VALUE_CHANGE", "approved FAILURE_LEAVE"]);
    assert_eq!(domain.left(), [(2, LeaveReason::PROVIDER_FAILURE)]);
}

#[test]
fn nobody_keeps_the_dead_by_a_no() {
    let mut domain = Domain::grouped(3, &many("g"));
    domain.die(C);
    domain.vote(A, Ballot { state: Some(value("y")), ..CONTINUE });
    domain.vote(B, CONTINUE);
    domain.vote(A, REJECT);
    assert_eq!(domain.heard(B).last().unwrap(), "rejected FAILURE_LEAVE");
    assert_eq!((domain.nodes("g"), domain.left()), ([1, 2].into(), [(3, LeaveReason::PROVIDER_FAILURE)].into()));
}

#[test]
fn proposals_collide_with_what_runs_and_with_what_waits() {
    let wishes = |of: LinkId| {
        [
            Wish::Leave(0),
            Wish::Expel(Expulsion { targets: [id(of)].into(), deactivate_phase: 0, flag: Bytes::new() }),
            Wish::State(value("y")),
            Wish::Message(ProviderMessage::new("m").unwrap()),
            Wish::Attributes(one("g").into()),
        ]
    };
    for wish in wishes(B) {
        let mut domain = voting();
        domain.propose(B, UNVOTED, wish);
        assert_eq!(domain.heard(B), ["error COLLIDE"]);
        assert_eq!(domain.heard(A), [""; 0]);
    }
}

#[test]
fn a_proposal_for_another_view_is_stale() {
    let mut domain = Domain::grouped(2, &one("g"));
    domain.propose_in(A, UNVOTED, Some(ViewId(1)), Wish::State(value("x")));
    domain.propose_in(A, UNVOTED, Some(ViewId(2)), Wish::State(value("x")));
    assert_eq!(domain.heard(A), ["error STALE_VIEW", "approved STATE_VALUE_CHANGE"]);
}

#[test]
fn name_and_source_of_a_group_do_not_change() {
    let mut domain = Domain::grouped(1, &one("g"));
    let others = [one("h"), Attributes { source_group: Some(name("s")), ..one("g") }];
    for other in others {
        domain.propose(A, UNVOTED, Wish::Attributes(other.into()));
        assert_eq!(domain.heard(A), ["error BAD_GROUP_ATTRIBUTES"]);
    }
    domain.propose(A, Voting { phases: Phases(9), time_limit: 0 }, Wish::State(value("x")));
    assert_eq!(domain.heard(A), ["error BAD_PARAMETER"]);
}

#[test]
fn tokens_of_others_and_of_yesterday_are_nobodys() {
    let mut domain = voting();
    let (protocol, theirs) = (domain.open(A).protocol, domain.token(B));
    let old = Token { generation: 7, ..domain.token(A) };
    for token in [theirs, old] {
        domain.tokens.insert((A, 0), token);
        domain.heard.clear();
        let before = domain.ignored().len();
        domain.propose(A, UNVOTED, Wish::Leave(0));
        domain.vote_in(A, protocol, 1, REJECT);
        let deactivated = Deactivated { token, protocol, successful: true, extensions: Extensions::NONE };
        domain.say(A, Message::Deactivated(deactivated));
        domain.say(A, Message::Goodbye(signal(token)));
        domain.say(A, Message::Unsubscribe(signal(token)));
        domain.say(A, Message::Resynchronise(signal(token)));
        assert_eq!((domain.heard(A), domain.ignored().len() - before), (["error BAD_MEMBER_TOKEN".into()].into(), 5));
    }
    assert_eq!(domain.nodes("g"), [1, 2, 3]);
}

#[test]
fn who_leaves_hears_of_it_and_says_why() {
    let mut domain = Domain::grouped(2, &one("g"));
    domain.propose(B, VOTED, Wish::Leave(42));
    domain.vote(B, APPROVE);
    domain.vote(A, APPROVE);
    assert_eq!(domain.heard(B), ["phase 1 of LEAVE", "approved LEAVE"]);
    let leave = domain.ended(A).proposal.leaving[0];
    assert_eq!((leave.provider, leave.reason, leave.code), (id(B), LeaveReason::VOLUNTARY, 42));
}

#[test]
fn a_goodbye_takes_effect_at_once_for_who_says_it() {
    let mut domain = voting();
    domain.goodbye(B);
    domain.vote(A, APPROVE);
    domain.vote(C, APPROVE);
    assert_eq!(domain.heard(B), [""; 0]);
    assert_eq!(domain.left(), [(2, LeaveReason::SAID_GOODBYE)]);
    assert_eq!(domain.heard(A), ["approved STATE_VALUE_CHANGE", "approved FAILURE_LEAVE"]);
    assert!(domain.ended(A).summary.is_empty());
}

#[test]
fn failures_are_made_one_by_one_or_together() {
    for (batch_control, protocols) in [(BatchControl::empty(), 2), (BatchControl::LEAVES, 1)] {
        let mut domain = Domain::grouped(3, &Attributes { batch_control, ..one("g") });
        domain.propose(A, VOTED, Wish::State(value("x")));
        domain.heard.clear();
        domain.die(B);
        domain.die(C);
        domain.vote(A, APPROVE);
        let heard = domain.heard(A);
        assert_eq!(heard.iter().filter(|one| *one == "approved FAILURE_LEAVE").count(), protocols);
        assert_eq!(domain.nodes("g"), [1]);
    }
}

#[test]
fn nobody_is_left_to_vote() {
    let mut domain = voting();
    [A, B, C].into_iter().for_each(|link| domain.die(link));
    assert_eq!(domain.coordinator.groups(), 0);
    let reason = LeaveReason::PROVIDER_FAILURE;
    assert_eq!(domain.left(), [(1, reason), (2, reason), (3, reason)]);
}
