//! What was missed, and what comes twice (4.3 and 4.5).

use super::*;

#[test]
fn what_comes_twice_is_passed_over() {
    let mut one = One::voting();
    one.hear(phase(6, 1));
    one.hear(joined(&[OTHER, ME]));
    let twice = Event::Ignored("a message that has come already");
    assert_eq!((one.events.clone(), one.sent.len()), ([twice.clone(), twice].into(), 1));
    assert_eq!(one.state(), State::Voting);
}

#[test]
fn tokens_and_groups_of_others_are_passed_over() {
    for (token, group) in [(Token { generation: 1, ..TOKEN }, GROUP), (TOKEN, GroupId(9))] {
        let mut one = One::voting();
        let mut end = end(outcome(7, &[OTHER, ME], ProtocolKind::STATE_VALUE_CHANGE, change()));
        (end.token, end.group) = (token, group);
        one.hear(Message::Approved(end));
        assert_eq!(one.events, [Event::Ignored("another's message")]);
        assert_eq!(one.provider.value(), &value("old"));
    }
}

#[test]
fn a_gap_is_healed_by_the_whole() {
    let mut one = One::member();
    // An announcement was lost.
    one.hear(phase(7, 1));
    assert_eq!((one.sent.last(), &one.events[..]), (Some(&resynchronise()), &[][..]));
    // Whatever comes before the whole is part of it.
    one.hear(phase(8, 2));
    assert_eq!(one.state(), State::Member);
    one.hear(view(8, &[OTHER, ME], "old", Some(open(2, ProtocolKind::STATE_VALUE_CHANGE, change()))));
    assert!(matches!(one.events[..], [Event::Phase(_)]), "{:?}", one.events);
    one.vote(APPROVE).unwrap();
    one.hear(changed(9));
    assert_eq!(one.provider.value(), &value("new"));
    assert_eq!(one.sent.iter().filter(|message| **message == resynchronise()).count(), 1);
}

#[test]
fn a_membership_that_is_not_the_groups_is_healed_by_the_whole() {
    let mut one = One::member();
    let third = ProviderId { node: 3, ..OTHER };
    // There was somebody of whom it has not heard.
    let proposal = Proposal { joining: [third].into(), ..Proposal::default() };
    let unknown = ProviderId { node: 9, ..OTHER };
    one.hear(Message::Approved(end(outcome(6, &[OTHER, ME, unknown, third], ProtocolKind::JOIN, proposal))));
    assert!(matches!(one.events[..], [Event::Approved(_)]));
    assert_eq!(one.sent.last(), Some(&resynchronise()));
    one.hear(view(6, &[OTHER, ME, unknown, third], "old", None));
    assert!(matches!(one.events[1..], [Event::Resynchronised(_)]));
    assert_eq!(one.provider.members(), [OTHER, ME, unknown, third]);
}

#[test]
fn a_vote_that_is_known_is_not_asked_for_again() {
    let mut one = One::member();
    one.hear(phase(7, 2));
    let known = Open { vote: Some(APPROVE), ..open(2, ProtocolKind::STATE_VALUE_CHANGE, change()) };
    one.hear(view(8, &[OTHER, ME], "old", Some(known)));
    assert_eq!((&one.events[..], one.state()), (&[][..], State::Voted));
}

#[test]
fn a_whole_that_nobody_has_asked_for_changes_nothing() {
    let mut one = One::member();
    one.hear(view(9, &[OTHER, ME], "wrong", None));
    assert_eq!(one.events, [Event::Ignored("a message that nobody waits for")]);
    assert_eq!(one.provider.value(), &value("old"));
}

#[test]
fn who_is_not_in_the_whole_is_gone() {
    let mut one = One::member();
    one.hear(phase(7, 1));
    one.hear(view(8, &[OTHER], "old", None));
    assert_eq!(one.events.last(), Some(&Event::Gone(Departure::Left)));
}

#[test]
fn a_joiner_begins_with_its_own_join_and_not_with_what_follows() {
    let mut one = One::accepted();
    // It is in, and has missed it.
    one.hear(phase(9, 1));
    assert_eq!((one.state(), one.sent.last()), (State::Accepted, Some(&resynchronise())));
    one.hear(view(9, &[OTHER, ME], "old", Some(open(1, ProtocolKind::STATE_VALUE_CHANGE, change()))));
    assert_eq!((one.state(), one.provider.members()), (State::Voting, &[OTHER, ME][..]));
}

#[test]
fn a_joiner_that_resynchronises_waits_on() {
    let mut one = One::accepted();
    one.hear(phase(9, 1));
    one.hear(view(9, &[OTHER], "old", None));
    assert_eq!((one.state(), one.provider.members()), (State::Accepted, &[][..]));
    one.hear(joined_at(12));
    assert_eq!(one.state(), State::Member);
}

fn joined_at(sequence: u64) -> Message {
    let Message::Approved(mut end) = joined(&[OTHER, ME]) else { panic!("an end") };
    end.outcome.sequence = Sequence(sequence);
    end.snapshot.as_mut().unwrap().sequence = Sequence(sequence);
    Message::Approved(end)
}

/// The same after another protocol.
fn view_after(last: u64, view: Message) -> Message {
    let Message::View(mut view) = view else { panic!("a view") };
    view.snapshot.last = ProtocolId(last);
    Message::View(view)
}

/// Another coordinator reigns.
fn reentered(mut one: One) -> One {
    one.put(Input::Reentered);
    one
}

#[test]
fn it_tells_another_coordinator_all_that_it_knows() {
    let mut one = One::voting();
    one.vote(APPROVE).unwrap();
    let standing = one.provider.standing().unwrap();
    assert_eq!((standing.token, standing.provider), (TOKEN, Some(ME)));
    assert_eq!((standing.snapshot.members.len(), standing.snapshot.sequence), (2, Sequence(6)));
    assert_eq!(standing.open.and_then(|open| open.vote), Some(APPROVE));
    assert_eq!(standing.recent.len(), 1);
    assert_eq!(One::requested().provider.standing(), None);
}

#[test]
fn what_was_missed_is_told_end_by_end() {
    let mut one = reentered(One::voting());
    one.hear(changed(7));
    one.hear(view_after(3, view(7, &[OTHER, ME], "new", None)));
    assert!(matches!(one.events[..], [Event::Approved(_)]), "{:?}", one.events);
    assert_eq!(one.provider.value(), &value("new"));
}

#[test]
fn nothing_was_missed() {
    let mut one = reentered(One::member());
    one.hear(view(9, &[OTHER, ME], "old", None));
    assert_eq!(one.events, []);
    one.hear(phase(10, 1));
    assert_eq!(one.state(), State::Voting);
}

#[test]
fn more_was_missed_than_is_known() {
    let mut one = reentered(One::member());
    let third = ProviderId { node: 3, ..OTHER };
    one.hear(view(30, &[ME, third], "later", None));
    assert!(matches!(one.events[..], [Event::Resynchronised(_)]), "{:?}", one.events);
    assert_eq!((one.provider.members(), one.provider.value()), (&[ME, third][..], &value("later")));
}

#[test]
fn proposals_that_nobody_has_answered_end_with_the_reign() {
    let mut one = One::member();
    one.propose(2);
    one.propose(3);
    let mut one = reentered(one);
    // This one is for the new reign.
    one.propose(4);
    one.hear(view(9, &[OTHER, ME], "old", None));
    let error = |request: u32| Event::Error {
        request: RequestId(request),
        kind: MessageKind::PROPOSE,
        code: ErrorCode::NOT_OK,
        text: Text::EMPTY,
    };
    assert_eq!(one.events, [error(2), error(3)]);
}

#[test]
fn a_proposal_that_has_ended_under_the_old_reign_is_answered_by_its_end() {
    let mut one = One::member();
    one.propose(2);
    let mut one = reentered(one);
    let mut ended = outcome(9, &[OTHER, ME], ProtocolKind::STATE_VALUE_CHANGE, change());
    ended.phases = 3;
    ended.proposal.proposer = Some(ME);
    one.hear(Message::Approved(end(ended)));
    one.hear(view_after(3, view(9, &[OTHER, ME], "new", None)));
    assert!(matches!(one.events[..], [Event::Approved(_)]), "{:?}", one.events);
}

#[test]
fn only_so_many_proposals_wait_for_an_answer() {
    let mut one = One::member();
    (2..66).for_each(|request| one.propose(request));
    let voting = Voting { phases: Phases::ONE, time_limit: 0 };
    let propose = Input::Propose { request: RequestId(99), voting, view: None, wish: Wish::Leave(0) };
    assert!(matches!(one.try_put(propose.clone()), Err(Error::Misuse(Misuse::Argument { .. }))));
    one.hear(error(2, Some(TOKEN), MessageKind::PROPOSE, ErrorCode::COLLIDE));
    one.put(propose);
}

#[test]
fn a_coordinator_that_says_it_is_in_and_then_that_it_never_was_is_believed() {
    let mut one = One::accepted();
    one.hear(joined(&[]));
    assert_eq!(one.state(), State::Member);
    one.hear(view(5, &[], "old", None));
    one.hear(phase(7, 1));
    one.hear(view(7, &[], "old", None));
    assert_eq!(one.events.last(), Some(&Event::Gone(Departure::Left)));
}
