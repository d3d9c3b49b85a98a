//! How a reign begins after another one (6.3).

use super::*;
use crate::group::ids::DissolveReason;
use crate::group::message::{GroupRecord, Past, Report, Snapshot, Standing};
use crate::group::proposal::Proposal;

const GRACE: Duration = Duration::from_secs(5);

/// A coordinator that takes over.
fn heir(records: Vec<GroupRecord>) -> Domain {
    let config = Config::new(DomainId(7), Epoch(2 << 16 | 1));
    Domain::of(Coordinator::take_over(config, records, GRACE, Instant::ZERO))
}

/// A group of these after `last` protocols, and twice as many things that were told.
fn snapshot(members: &[LinkId], last: u64) -> Snapshot {
    Snapshot {
        group: GroupId(4),
        sequence: Sequence(last * 2),
        view: ViewId(members.len() as u64),
        attributes: one("g"),
        state: value("old"),
        members: members.iter().map(|link| id(*link)).collect(),
        last: ProtocolId(last),
    }
}

fn report(link: LinkId, snapshot: Snapshot) -> Standing {
    Standing {
        token: Token { index: link.0 + 10, generation: 3 },
        provider: Some(id(link)),
        subscription: Subscription::empty(),
        snapshot,
        recent: Vec::new(),
        open: None,
    }
}

fn open(protocol: u64, phase: u32, vote: Option<Ballot>) -> Open {
    Open {
        protocol: ProtocolId(protocol),
        kind: ProtocolKind::STATE_VALUE_CHANGE,
        phase,
        time_limit: 0,
        default_vote: Vote::APPROVE,
        summary: Summary::empty(),
        proposal: Proposal { state: Some(value("new")), ..Proposal::default() }.into(),
        vote,
    }
}

/// The end of that, as it was told.
fn ended(approved: bool) -> Past {
    let mut after = snapshot(&[A, B], 3);
    after.sequence = Sequence(7);
    let ended = Outcome {
        sequence: after.sequence,
        protocol: ProtocolId(3),
        kind: ProtocolKind::STATE_VALUE_CHANGE,
        phases: 1,
        summary: Summary::EXPLICIT_APPROVE,
        view: after.view,
        digest: membership_digest(after.view, after.members.iter().copied()),
        proposal: Proposal { state: Some(value("new")), ..Proposal::default() }.into(),
    };
    Past { approved, ended }
}

fn said(standing: Standing, remaining: u32) -> Message {
    Message::Report(Report { remaining, standing: Some(standing.into()), extensions: Extensions::NONE })
}

fn comes_back(domain: &mut Domain, link: LinkId, standing: Standing) {
    domain.tokens.insert((link, 0), standing.token);
    domain.enter_as(link, Enter { reports: 1, epoch: Epoch(1 << 16), ..enter(link.0, 1) });
    domain.say(link, said(standing, 0));
    // It was asked, unless it comes too late.
    let heard = domain.heard.entry(link).or_default();
    heard.retain(|message| !matches!(message, Message::Query(_)));
}

#[test]
fn everybody_has_the_grace_time() {
    let mut domain = heir(Vec::new());
    comes_back(&mut domain, A, report(A, snapshot(&[A, B], 2)));
    assert_eq!(domain.heard(A), [""; 0]);
    domain.deadline();
    assert_eq!(domain.now, Instant::ZERO.saturating_add(GRACE));
    // Who has not come has failed.
    assert_eq!(domain.heard(A), ["welcome", "view [1, 2] open false", "approved FAILURE_LEAVE"]);
    assert_eq!(domain.left(), [(2, LeaveReason::PROVIDER_FAILURE)]);
    // And comes too late.
    comes_back(&mut domain, B, report(B, snapshot(&[A, B], 2)));
    assert_eq!(domain.heard(B), ["dissolved FENCED"]);
}

#[test]
fn tokens_stay_with_who_has_them() {
    let mut domain = heir(Vec::new());
    for link in [A, B] {
        comes_back(&mut domain, link, report(link, snapshot(&[A, B], 2)));
    }
    domain.put(Input::Recovered);
    domain.propose(A, UNVOTED, Wish::State(value("x")));
    assert_eq!(domain.heard(B), ["welcome", "view [1, 2] open false", "approved STATE_VALUE_CHANGE"]);
    // Nobody gets a number with a generation that somebody may have had.
    domain.enter(C);
    domain.join(C, &one("g"));
    assert_eq!(domain.token(C), Token { index: 0, generation: 4 });
}

#[test]
fn an_end_that_one_was_told_of_holds_for_all() {
    for approved in [true, false] {
        let mut domain = heir(Vec::new());
        let mut after = snapshot(&[A, B], 3);
        after.sequence = Sequence(7);
        after.state = value(if approved { "new" } else { "old" });
        let told = Standing { recent: [ended(approved)].into(), ..report(A, after) };
        comes_back(&mut domain, A, told);
        let open = Some(open(3, 1, Some(APPROVE)));
        comes_back(&mut domain, B, Standing { open, ..report(B, snapshot(&[A, B], 2)) });
        domain.put(Input::Recovered);
        let end = if approved { "approved STATE_VALUE_CHANGE" } else { "rejected STATE_VALUE_CHANGE" };
        assert_eq!(domain.heard(A), ["welcome", "view [1, 2] open false"]);
        assert_eq!(domain.heard(B), ["welcome", end, "view [1, 2] open false"]);
    }
}

#[test]
fn what_runs_goes_on_from_the_last_phase_with_the_votes_that_are_known() {
    let mut domain = heir(Vec::new());
    let of = |link: LinkId, open: Open| Standing { open: Some(open), ..report(link, snapshot(&[A, B, C], 2)) };
    comes_back(&mut domain, A, of(A, open(3, 2, None)));
    comes_back(&mut domain, B, of(B, open(3, 2, Some(APPROVE))));
    // It has not heard of the second phase: its vote was for the first.
    comes_back(&mut domain, C, of(C, open(3, 1, Some(REJECT))));
    domain.put(Input::Recovered);
    for link in [A, B, C] {
        assert_eq!(domain.heard(link).last().unwrap(), "phase 2 of STATE_VALUE_CHANGE");
        assert_eq!(domain.open(link).vote, (link == B).then_some(APPROVE));
    }
    assert_eq!(domain.coordinator.blocked_on(&name("g")), [id(A), id(C)]);
    domain.vote(A, APPROVE);
    domain.vote(C, APPROVE);
    assert_eq!(domain.heard(B), ["approved STATE_VALUE_CHANGE"]);
}

#[test]
fn who_was_to_join_is_queued_again() {
    let mut domain = heir(Vec::new());
    comes_back(&mut domain, A, report(A, snapshot(&[A], 2)));
    let waiting = Snapshot { sequence: Sequence(0), last: ProtocolId(0), ..snapshot(&[], 0) };
    comes_back(&mut domain, B, report(B, waiting));
    domain.put(Input::Recovered);
    assert_eq!(domain.heard(B), ["welcome", "view [1] open false", "approved JOIN"]);
    assert_eq!(domain.nodes("g"), [1, 2]);
}

#[test]
fn a_group_that_nobody_is_in_is_no_more() {
    let mut domain = heir(Vec::new());
    let subscriber = Standing { provider: None, ..report(A, snapshot(&[], 0)) };
    comes_back(&mut domain, A, subscriber);
    domain.put(Input::Recovered);
    assert_eq!(domain.heard(A), ["welcome", "dissolved EMPTY"]);
}

#[test]
fn what_is_kept_holds_if_nobody_was_told() {
    let mut after = snapshot(&[A], 3);
    (after.sequence, after.state) = (Sequence(7), value("new"));
    let mut domain = heir([GroupRecord { snapshot: after, recent: [ended(true)].into() }].into());
    comes_back(&mut domain, A, report(A, snapshot(&[A], 2)));
    domain.put(Input::Recovered);
    assert_eq!(domain.heard(A), ["welcome", "approved STATE_VALUE_CHANGE", "view [1] open false"]);
}

#[test]
fn nobody_reports_for_another() {
    let mut domain = heir(Vec::new());
    domain.enter_as(A, Enter { reports: 1, ..enter(1, 1) });
    let message = said(report(B, snapshot(&[A, B], 2)), 0);
    assert!(matches!(domain.try_put(Input::Message { link: A, message }), Err(Error::Violation(_))));
    assert_eq!(domain.closed, [A]);
}

#[test]
fn who_says_too_little_in_time_is_turned_away() {
    let mut domain = heir(Vec::new());
    domain.enter_as(A, Enter { reports: 2, ..enter(1, 1) });
    domain.say(A, said(report(A, snapshot(&[A], 2)), 1));
    domain.deadline();
    assert_eq!(domain.heard(A).last().unwrap(), "dissolved FENCED");
    assert_eq!(domain.coordinator.groups(), 0);
}

#[test]
fn who_knows_of_a_later_reign_ends_this_one() {
    let mut domain = heir(Vec::new());
    domain.enter_as(A, Enter { epoch: Epoch(3 << 16), ..enter(1, 1) });
    assert_eq!(domain.events.last(), Some(&Event::Ended(DissolveReason::FENCED)));
}

#[test]
fn of_two_with_one_number_the_later_one_has_it() {
    let mut domain = heir(Vec::new());
    // A was turned down, and has not heard of it; its number is B's by now.
    let waiting = Snapshot { sequence: Sequence(0), last: ProtocolId(0), ..snapshot(&[], 0) };
    let number = |generation: u32| Token { index: 5, generation };
    comes_back(&mut domain, A, Standing { token: number(1), ..report(A, waiting) });
    comes_back(&mut domain, B, Standing { token: number(2), ..report(B, snapshot(&[B], 2)) });
    domain.put(Input::Recovered);
    assert_eq!(domain.heard(A), ["welcome", "dissolved FENCED"]);
    assert_eq!(
        (domain.heard(B), domain.nodes("g")),
        (["welcome".into(), "view [2] open false".into()].into(), [2].into())
    );
}

#[test]
fn who_missed_a_reign_is_out_of_its_groups() {
    let mut domain = heir(Vec::new());
    let failure = |of: LinkId, reign: u64| {
        let mut past = ended(true);
        past.ended.kind = ProtocolKind::FAILURE_LEAVE;
        past.ended.sequence.0 += reign << 40;
        past.ended.proposal.leaving =
            [Leave { provider: id(of), reason: LeaveReason::PROVIDER_FAILURE, code: 0 }].into();
        past
    };
    let after = |members: &[LinkId], reign: u64| {
        let mut after = snapshot(members, 3);
        after.sequence.0 += reign << 40;
        after
    };
    // Each was in a reign without the other. That of B was the later one; A was going on with something else in its own.
    let open = Some(open(4, 1, None));
    comes_back(&mut domain, A, Standing { recent: [failure(B, 0)].into(), open, ..report(A, after(&[A], 0)) });
    comes_back(&mut domain, B, Standing { recent: [failure(A, 1)].into(), ..report(B, after(&[B], 1)) });
    domain.put(Input::Recovered);
    assert_eq!(domain.heard(A), ["welcome", "dissolved FENCED"]);
    assert_eq!(domain.heard(B), ["welcome", "view [2] open false"]);
}
