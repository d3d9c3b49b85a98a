//! Joins, their queue and their batches (5.2 and 5.3).

use super::*;

#[test]
fn who_joins_first_forms_the_group() {
    let mut domain = Domain::new(1);
    domain.heard.clear();
    domain.join(A, &one("g"));
    assert_eq!(domain.heard(A), ["accepted", "approved JOIN"]);
    assert_eq!(domain.nodes("g"), [1]);
    let formed = [Event::Formed(name("g")), Event::Joined(name("g"), id(A))];
    assert!(domain.events.ends_with(&formed), "{:?}", domain.events);
}

#[test]
fn attributes_must_match_in_every_field() {
    let group = Attributes { source_group: None, ..many("g") };
    let others = [
        Attributes { client_version: 1, ..group.clone() },
        Attributes { batch_control: BatchControl::JOINS, ..group.clone() },
        Attributes { phases: Phases::ONE, ..group.clone() },
        Attributes { default_vote: Vote::REJECT, ..group.clone() },
        Attributes { time_limit: 1, ..group.clone() },
    ];
    for other in others {
        let mut domain = Domain::grouped(1, &group);
        domain.enter(B);
        domain.heard.clear();
        domain.join(B, &other);
        assert_eq!(domain.heard(B), ["error BAD_GROUP_ATTRIBUTES"], "{other:?}");
        assert_eq!(domain.heard(A), [""; 0]);
    }
}

#[test]
fn attributes_without_a_meaning_need_not_match() {
    let mut domain = Domain::grouped(1, &one("g"));
    domain.enter(B);
    domain.join(B, &Attributes { reflection_phases: Phases::N, reflection_time_limit: 9, ..one("g") });
    assert_eq!(domain.nodes("g"), [1, 2]);
}

#[test]
fn attributes_that_make_no_sense_form_no_group() {
    let bad = [
        Attributes { phases: Phases(3), ..one("g") },
        Attributes { reflection_phases: Phases(0), ..one("g") },
        Attributes { default_vote: Vote::CONTINUE, ..one("g") },
        Attributes { merge_control: crate::group::MergeControl(2), ..one("g") },
        Attributes { batch_control: BatchControl::from_bits_retain(0x80), ..one("g") },
        Attributes { source_group: Some(name("g")), ..one("g") },
    ];
    for attributes in bad {
        let mut domain = Domain::new(1);
        domain.heard.clear();
        domain.join(A, &attributes);
        assert_eq!(domain.heard(A), ["error BAD_GROUP_ATTRIBUTES"], "{attributes:?}");
        assert_eq!(domain.coordinator.groups(), 0);
    }
}

#[test]
fn an_application_of_another_version_is_kept_out() {
    let mut domain = Domain::grouped(1, &Attributes { client_version: 2, ..one("g") });
    domain.enter(B);
    domain.heard.clear();
    domain.join(B, &Attributes { client_version: 3, ..one("g") });
    assert_eq!(domain.heard(B), ["error BAD_GROUP_ATTRIBUTES"]);
    // The group goes over to it, and then it may.
    let newer = Attributes { client_version: 3, ..one("g") };
    domain.propose(A, UNVOTED, Wish::Attributes(newer.clone().into()));
    domain.join(B, &newer);
    assert_eq!(domain.nodes("g"), [1, 2]);
}

#[test]
fn a_join_that_waits_is_held_against_new_attributes() {
    let mut domain = Domain::grouped(1, &one("g"));
    domain.enter(B);
    let newer = Attributes { client_version: 3, ..one("g") };
    domain.propose(A, VOTED, Wish::Attributes(newer.into()));
    domain.heard.clear();
    domain.join(B, &one("g"));
    domain.vote(A, APPROVE);
    assert_eq!(domain.heard(B), ["accepted", "error BAD_GROUP_ATTRIBUTES"]);
    assert_eq!(domain.nodes("g"), [1]);
    // Its token is free again.
    domain.join(B, &Attributes { client_version: 3, ..one("g") });
    assert_eq!(domain.token(B), Token { index: 1, generation: 1 });
}

#[test]
fn no_two_of_one_instance_on_a_machine() {
    let mut domain = Domain::grouped(1, &one("g"));
    domain.enter_as(on(11), enter(1, 2));
    domain.heard.clear();
    domain.join(on(11), &one("g"));
    assert_eq!(domain.heard(on(11)), ["error DUPLICATE_INSTANCE_NUMBER"]);
    domain.join_as(on(11), 1, 5, &one("g"));
    assert_eq!(domain.nodes("g"), [1, 1]);
    // Once the other one is gone its number is free.
    domain.die(A);
    domain.join(on(11), &one("g"));
    assert_eq!(domain.nodes("g"), [1, 1]);
}

#[test]
fn the_number_of_one_that_waits_is_taken_too() {
    let mut domain = Domain::grouped(1, &one("g"));
    domain.enter(B);
    domain.enter_as(on(12), enter(2, 2));
    domain.propose(A, VOTED, Wish::State(value("x")));
    domain.join(B, &one("g"));
    domain.heard.clear();
    domain.join(on(12), &one("g"));
    assert_eq!(domain.heard(on(12)), ["error DUPLICATE_INSTANCE_NUMBER"]);
}

#[test]
fn joins_wait_and_never_collide() {
    let mut domain = Domain::grouped(1, &many("g"));
    (2..=3).for_each(|number| domain.enter(on(number)));
    domain.propose(A, VOTED, Wish::State(value("x")));
    domain.heard.clear();
    domain.join(B, &many("g"));
    domain.join(C, &many("g"));
    assert_eq!((domain.heard(B), domain.heard(C)), (["accepted".into()].into(), ["accepted".into()].into()));
    domain.vote(A, APPROVE);
    // One at a time.
    assert_eq!((domain.heard(B), domain.heard(C)), (["phase 1 of JOIN".into()].into(), [].into()));
    domain.vote(A, APPROVE);
    domain.vote(B, APPROVE);
    assert_eq!(domain.heard(C), ["phase 1 of JOIN"]);
}

#[test]
fn joins_are_made_together_if_they_may() {
    let attributes = Attributes { batch_control: BatchControl::JOINS, ..many("g") };
    let mut domain = Domain::grouped(1, &attributes);
    (2..=3).for_each(|number| domain.enter(on(number)));
    domain.propose(A, VOTED, Wish::State(value("x")));
    domain.join(B, &attributes);
    domain.join(C, &attributes);
    domain.vote(A, APPROVE);
    assert_eq!(domain.open(A).proposal.joining, [id(B), id(C)]);
    [A, B, C].into_iter().for_each(|link| domain.vote(link, APPROVE));
    assert_eq!(domain.nodes("g"), [1, 2, 3]);
}

#[test]
fn joins_and_failures_are_never_made_together() {
    let both = BatchControl::JOINS | BatchControl::LEAVES;
    let attributes = Attributes { batch_control: both, ..many("g") };
    let mut domain = Domain::grouped(4, &attributes);
    (5..=6).for_each(|number| domain.enter(on(number)));
    domain.propose(A, VOTED, Wish::State(value("x")));
    domain.join(on(5), &attributes);
    domain.die(C);
    domain.join(on(6), &attributes);
    domain.die(on(4));
    domain.vote(A, APPROVE);
    domain.vote(B, APPROVE);
    let Open { kind, proposal, .. } = domain.open(A).clone();
    assert_eq!((kind, proposal.joining.len(), proposal.leaving.len()), (ProtocolKind::FAILURE_LEAVE, 0, 2));
    domain.vote(A, APPROVE);
    domain.vote(B, APPROVE);
    let Open { kind, proposal, .. } = domain.open(A).clone();
    assert_eq!((kind, proposal.joining.len(), proposal.leaving.len()), (ProtocolKind::JOIN, 2, 0));
}

#[test]
fn who_dies_before_its_join_begins_never_was() {
    let mut domain = Domain::grouped(1, &many("g"));
    domain.enter(B);
    domain.propose(A, VOTED, Wish::State(value("x")));
    domain.join(B, &many("g"));
    domain.die(B);
    domain.vote(A, APPROVE);
    assert_eq!(domain.ended(A).kind, ProtocolKind::STATE_VALUE_CHANGE);
    assert!(!domain.votes(A) && domain.left().is_empty());
}

#[test]
fn who_dies_in_its_join_is_in_the_view_and_fails_from_it() {
    for phases in 1..=3 {
        let mut domain = Domain::grouped(1, &many("g"));
        domain.enter(B);
        domain.join(B, &many("g"));
        for _ in 1..phases {
            domain.vote(A, CONTINUE);
            domain.vote(B, CONTINUE);
        }
        domain.die(B);
        domain.vote(A, APPROVE);
        assert_eq!((domain.ended(A).kind, domain.ended(A).phases), (ProtocolKind::JOIN, phases));
        assert_eq!(domain.nodes("g"), [1, 2]);
        // Its failure follows, and is voted on.
        assert_eq!(domain.open(A).kind, ProtocolKind::FAILURE_LEAVE);
        domain.vote(A, APPROVE);
        assert_eq!(domain.nodes("g"), [1]);
        assert_eq!(domain.left(), [(2, LeaveReason::PROVIDER_FAILURE)]);
    }
}

#[test]
fn who_dies_in_its_join_is_rejected_by_a_default() {
    let attributes = Attributes { default_vote: Vote::REJECT, ..many("g") };
    let mut domain = Domain::grouped(1, &attributes);
    domain.enter(B);
    domain.join(B, &attributes);
    domain.die(B);
    domain.vote(A, APPROVE);
    assert_eq!(domain.ended(A).summary, Summary::EXPLICIT_APPROVE | Summary::DEFAULT_REJECT | Summary::PROVIDER_FAILED);
    assert_eq!(domain.nodes("g"), [1]);
    assert!(!domain.votes(A) && domain.left().is_empty());
}

#[test]
fn the_reason_of_a_joiner_that_dies_is_kept() {
    for reason in [LeaveReason::HOST_FAILURE, LeaveReason::SAID_GOODBYE] {
        let mut domain = Domain::grouped(1, &many("g"));
        domain.enter(B);
        domain.join(B, &many("g"));
        match reason {
            LeaveReason::HOST_FAILURE => domain.put(Input::NodeDown(2)),
            _ => domain.goodbye(B),
        }
        domain.vote(A, APPROVE);
        domain.vote(A, APPROVE);
        assert_eq!(domain.left(), [(2, reason)]);
    }
}

#[test]
fn a_rejected_join_frees_its_token() {
    let mut domain = Domain::grouped(1, &many("g"));
    domain.enter(B);
    domain.join(B, &many("g"));
    domain.vote(A, REJECT);
    assert_eq!(domain.heard(B), ["welcome", "accepted", "phase 1 of JOIN", "rejected JOIN"]);
    // The number comes again, the generation does not.
    domain.join(B, &many("g"));
    assert_eq!(domain.token(B), Token { index: 1, generation: 1 });
}

#[test]
fn limits_are_told() {
    let mut domain = Domain::with(|limits| (limits.groups, limits.providers, limits.tokens) = (1, 2, 3));
    (1..=4).for_each(|number| domain.enter(on(number)));
    domain.join(A, &one("g"));
    domain.heard.clear();
    domain.join_as(A, 1, 0, &one("other"));
    assert_eq!(domain.heard(A), ["error NO_MEMORY"]);
    domain.join(B, &one("g"));
    domain.heard.clear();
    domain.join(C, &one("g"));
    assert_eq!(domain.heard(C), ["error NO_MEMORY"]);
    domain.subscribe(C, 1, "g", Subscription::empty());
    domain.subscribe(C, 2, "g", Subscription::empty());
    assert_eq!(domain.heard(C), ["accepted", "error NO_MEMORY"]);
}

#[test]
fn a_group_that_finds_no_token_is_no_group() {
    let mut domain = Domain::with(|limits| limits.tokens = 0);
    domain.enter(A);
    domain.heard.clear();
    domain.join(A, &one("g"));
    assert_eq!(domain.heard(A), ["error NO_MEMORY"]);
    assert_eq!(domain.coordinator.groups(), 0);
}

#[test]
fn the_last_one_out_ends_the_group() {
    let mut domain = Domain::grouped(1, &one("g"));
    domain.propose(A, UNVOTED, Wish::State(value("x")));
    let first = domain.ended(A).sequence;
    domain.propose(A, UNVOTED, Wish::Leave(4));
    assert_eq!(domain.heard(A), ["approved STATE_VALUE_CHANGE", "approved LEAVE"]);
    assert_eq!(domain.events.last(), Some(&Event::Dissolved(name("g"))));
    // What comes after is a new group: it knows nothing of the old one.
    domain.join(A, &one("g"));
    let Some(Message::Approved(ended)) = domain.heard[&A].last() else { panic!("{:?}", domain.heard) };
    let snapshot = ended.snapshot.as_ref().unwrap();
    assert_eq!((snapshot.group, snapshot.state.clone()), (GroupId(2), StateValue::default()));
    assert!(snapshot.sequence < first);
}

/// The example of spec/group.md 2.2.
#[test]
fn the_digest_is_what_the_text_says() {
    assert_eq!(membership_digest(ViewId(2), [id(A), id(B)].into_iter()), 0xc6d6_5cfd_4073_6f3a);
}
