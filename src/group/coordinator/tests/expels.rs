//! Expulsions (5.3 and 5.4).

use super::*;

fn expel(targets: &[LinkId], deactivate_phase: u32) -> Wish {
    let targets = targets.iter().map(|link| id(*link)).collect();
    Wish::Expel(Expulsion { targets, deactivate_phase, flag: Bytes::from_static(b"stop") })
}

#[test]
fn who_is_expelled_watches_and_has_no_vote() {
    let mut domain = Domain::grouped(3, &one("g"));
    domain.propose(A, VOTED, expel(&[C], 0));
    domain.vote(C, REJECT);
    assert_eq!(domain.heard(C), ["phase 1 of EXPEL", "error VOTE_NOT_EXPECTED"]);
    domain.vote(A, APPROVE);
    domain.vote(B, APPROVE);
    assert_eq!(domain.heard(C), ["approved EXPEL"]);
    assert_eq!(domain.left(), [(3, LeaveReason::EXPELLED)]);
    // Its token is nobody's.
    domain.propose(C, UNVOTED, Wish::State(value("x")));
    assert_eq!(domain.heard(C), ["error BAD_MEMBER_TOKEN"]);
}

#[test]
fn the_list_must_make_sense() {
    let mut domain = Domain::grouped(2, &one("g"));
    let wrong = [
        (expel(&[], 0), "error BAD_PARAMETER"),
        (expel(&[B, B], 0), "error PROVIDER_APPEARS_TWICE"),
        (expel(&[B, C], 0), "error UNKNOWN_PROVIDER"),
    ];
    for (wish, error) in wrong {
        domain.propose(A, VOTED, wish);
        assert_eq!(domain.heard(A), [error]);
    }
    // Without phases there is none in which anybody could deactivate itself.
    domain.propose(A, UNVOTED, expel(&[B], 1));
    assert_eq!(domain.heard(A), ["error INVALID_DEACTIVATE_PHASE"]);
}

#[test]
fn a_phase_waits_for_who_deactivates_itself() {
    let mut domain = Domain::grouped(2, &one("g"));
    domain.propose(A, VOTED, expel(&[B], 2));
    domain.vote(A, CONTINUE);
    domain.heard.clear();
    domain.vote(A, APPROVE);
    assert_eq!(domain.heard(A), [""; 0]);
    domain.deactivated(B, true);
    assert_eq!(domain.heard(A), ["approved EXPEL"]);
}

#[test]
fn who_cannot_deactivate_itself_is_announced_and_goes() {
    let mut domain = Domain::grouped(2, &one("g"));
    domain.propose(A, VOTED, expel(&[B], 1));
    domain.vote(A, APPROVE);
    domain.heard.clear();
    domain.deactivated(B, false);
    assert_eq!(domain.heard(A), ["Announcement(DEACTIVATE_UNSUCCESSFUL) [2]", "approved EXPEL"]);
}

#[test]
fn who_takes_too_long_to_deactivate_itself_is_announced_and_goes() {
    let mut domain = Domain::grouped(2, &one("g"));
    domain.propose(A, Voting { time_limit: 1, ..VOTED }, expel(&[B], 1));
    domain.vote(A, APPROVE);
    domain.heard.clear();
    domain.deadline();
    assert_eq!(domain.heard(A), ["Announcement(DEACTIVATE_TIME_LIMIT_EXCEEDED) [2]", "approved EXPEL"]);
    // It comes too late.
    let deactivated = Deactivated {
        token: domain.token(B),
        protocol: domain.ended(A).protocol,
        successful: true,
        extensions: Extensions::NONE,
    };
    domain.say(B, Message::Deactivated(deactivated));
    assert_eq!(domain.ignored(), ["DEACTIVATED with a token that is nobody's"]);
}

#[test]
fn who_fails_while_it_is_expelled_goes_once() {
    // By the expulsion, if that is approved.
    let mut domain = Domain::grouped(2, &one("g"));
    domain.propose(A, VOTED, expel(&[B], 1));
    domain.die(B);
    domain.vote(A, APPROVE);
    assert_eq!(domain.left(), [(2, LeaveReason::EXPELLED)]);
    assert!(!domain.votes(A));
    // Else by its failure.
    let mut domain = Domain::grouped(2, &one("g"));
    domain.propose(A, VOTED, expel(&[B], 1));
    domain.die(B);
    domain.vote(A, REJECT);
    assert_eq!(domain.left(), [(2, LeaveReason::PROVIDER_FAILURE)]);
}

#[test]
fn nobody_waits_for_the_dead_to_deactivate_themselves() {
    let mut domain = Domain::grouped(2, &one("g"));
    domain.propose(A, VOTED, expel(&[B], 2));
    domain.die(B);
    domain.vote(A, CONTINUE);
    domain.vote(A, APPROVE);
    assert_eq!(domain.left(), [(2, LeaveReason::EXPELLED)]);
}

#[test]
fn everybody_is_expelled_without_a_vote() {
    let mut domain = Domain::grouped(2, &one("g"));
    domain.propose(A, VOTED, expel(&[A, B], 0));
    assert_eq!(domain.left(), [(1, LeaveReason::EXPELLED), (2, LeaveReason::EXPELLED)]);
    assert_eq!((domain.heard(A), domain.coordinator.groups()), (["approved EXPEL".into()].into(), 0));
}

#[test]
fn one_may_expel_itself() {
    let mut domain = Domain::grouped(2, &one("g"));
    domain.propose(A, VOTED, expel(&[A], 0));
    domain.vote(B, APPROVE);
    assert_eq!(domain.nodes("g"), [2]);
}
