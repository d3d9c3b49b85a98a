//! The items of spec/group.md 4.1 to 4.5, one by one.

mod missed;

use super::*;
use crate::error::{Error, Misuse};
use crate::frame::Text;
use crate::group::coordinator::membership_digest;
use crate::group::ids::{
    Announcement as Flags, DissolveReason, ErrorCode, LeaveReason, MessageKind, Phases, ProtocolKind, Summary, Vote,
};
use crate::group::message::{
    Accepted, Announcement, Ballot, DelayedError, Dissolved, Ended, Outcome, Phase, Ping, View,
};
use crate::group::name::GroupName;
use crate::group::proposal::{Expulsion, Leave, Proposal, Voting, Wish};
use crate::machine::Machine;
use alloc::string::String;
use core::time::Duration;

const ME: ProviderId = ProviderId { node: 1, instance: 0, incarnation: 1 };
const OTHER: ProviderId = ProviderId { node: 2, instance: 0, incarnation: 1 };
const TOKEN: Token = Token { index: 4, generation: 2 };
const GROUP: GroupId = GroupId(8);

const APPROVE: Ballot = Ballot { vote: Vote::APPROVE, default_vote: None, state: None, message: None };

fn attributes() -> Attributes {
    Attributes::new(GroupName::new("g").unwrap())
}

fn value(text: &'static str) -> StateValue {
    StateValue::new(text).unwrap()
}

/// A provider, and what it has said to whom.
struct One {
    now: Instant,
    provider: Provider,
    sent: Vec<Message>,
    events: Vec<Event>,
}

impl One {
    /// It has asked to join.
    fn requested() -> Self {
        let config = Config { attributes: attributes(), provider: ME, local_name: String::from("secret name") };
        let provider = Provider::new(config, RequestId(1), Instant::ZERO);
        let mut one = Self { now: Instant::ZERO, provider, sent: Vec::new(), events: Vec::new() };
        one.drain();
        one
    }

    fn accepted() -> Self {
        let mut one = Self::requested();
        one.hear(accepted());
        one.events.clear();
        one
    }

    /// It is in the group with another one, after five things that were told and two protocols.
    fn member() -> Self {
        let mut one = Self::accepted();
        one.hear(joined(&[OTHER, ME]));
        one.events.clear();
        one
    }

    fn voting() -> Self {
        let mut one = Self::member();
        one.hear(phase(6, 1));
        one.events.clear();
        one
    }

    fn drain(&mut self) {
        while let Some(output) = self.provider.poll_output() {
            match output {
                Output::Send(message) => self.sent.push(message),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn try_put(&mut self, input: Input) -> Result<(), Error> {
        let result = self.provider.handle(self.now, input);
        self.drain();
        result
    }

    fn put(&mut self, input: Input) {
        self.try_put(input).unwrap();
    }

    fn hear(&mut self, message: Message) {
        self.put(Input::Message(message));
    }

    fn vote(&mut self, ballot: Ballot) -> Result<(), Error> {
        let open = self.provider.open().map(|open| (open.protocol, open.phase));
        let (protocol, phase) = open.unwrap_or_default();
        self.try_put(Input::Vote { protocol, phase, ballot })
    }

    fn propose(&mut self, request: u32) {
        let voting = Voting { phases: Phases::N, time_limit: 0 };
        self.put(Input::Propose { request: RequestId(request), voting, view: None, wish: Wish::State(value("x")) });
    }

    fn state(&self) -> State {
        self.provider.state()
    }
}

const fn accepted() -> Message {
    Message::Accepted(Accepted { request: RequestId(1), token: TOKEN, group: GROUP, extensions: Extensions::NONE })
}

fn open(number: u32, kind: ProtocolKind, proposal: Proposal) -> Open {
    Open {
        protocol: ProtocolId(3),
        kind,
        phase: number,
        time_limit: 2,
        default_vote: Vote::APPROVE,
        summary: Summary::empty(),
        proposal: proposal.into(),
        vote: None,
    }
}

fn change() -> Proposal {
    Proposal { proposer: Some(OTHER), state: Some(value("new")), ..Proposal::default() }
}

/// A state value is voted on.
fn phase(sequence: u64, number: u32) -> Message {
    said(sequence, open(number, ProtocolKind::STATE_VALUE_CHANGE, change()))
}

fn said(sequence: u64, open: Open) -> Message {
    let (sequence, extensions) = (Sequence(sequence), Extensions::NONE);
    Message::Phase(Phase { token: TOKEN, group: GROUP, sequence, open, extensions })
}

/// The end of protocol 3, or of a later one.
fn outcome(sequence: u64, members: &[ProviderId], kind: ProtocolKind, proposal: Proposal) -> Outcome {
    let view = ViewId(members.len() as u64);
    let digest = membership_digest(view, members.iter().copied());
    let (sequence, protocol, summary) = (Sequence(sequence), ProtocolId(3), Summary::empty());
    Outcome { sequence, protocol, kind, phases: 1, summary, view, digest, proposal: proposal.into() }
}

fn end(outcome: Outcome) -> alloc::boxed::Box<Ended> {
    Ended { token: TOKEN, group: GROUP, outcome, snapshot: None, extensions: Extensions::NONE }.into()
}

fn changed(sequence: u64) -> Message {
    Message::Approved(end(outcome(sequence, &[OTHER, ME], ProtocolKind::STATE_VALUE_CHANGE, change())))
}

fn snapshot(sequence: u64, members: &[ProviderId], state: &'static str) -> Snapshot {
    Snapshot {
        group: GROUP,
        sequence: Sequence(sequence),
        view: ViewId(members.len() as u64),
        attributes: attributes(),
        state: value(state),
        members: members.into(),
        last: ProtocolId(2),
    }
}

/// Its join is approved.
fn joined(members: &[ProviderId]) -> Message {
    let proposal = Proposal { joining: [ME].into(), ..Proposal::default() };
    let mut end = end(Outcome { protocol: ProtocolId(2), ..outcome(5, members, ProtocolKind::JOIN, proposal) });
    end.snapshot = Some(snapshot(5, members, "old").into());
    Message::Approved(end)
}

fn view(sequence: u64, members: &[ProviderId], state: &'static str, open: Option<Open>) -> Message {
    let snapshot = snapshot(sequence, members, state).into();
    Message::View(View { token: TOKEN, snapshot, open, extensions: Extensions::NONE })
}

fn error(request: u32, token: Option<Token>, kind: MessageKind, code: ErrorCode) -> Message {
    let (request, text) = (RequestId(request), Text::EMPTY);
    Message::DelayedError(DelayedError { request, token, kind, code, text, extensions: Extensions::NONE })
}

const fn resynchronise() -> Message {
    Message::Resynchronise(crate::group::message::Signal { token: TOKEN, extensions: Extensions::NONE })
}

#[test]
fn it_asks_to_join_and_keeps_its_own_name() {
    let one = One::requested();
    let [Message::Join(join)] = &one.sent[..] else { panic!("{:?}", one.sent) };
    assert_eq!((join.request, join.instance, &join.attributes), (RequestId(1), 0, &attributes()));
    assert!(!alloc::format!("{join:?}").contains("secret"));
}

#[test]
fn accepted_is_not_joined() {
    let mut one = One::requested();
    one.hear(accepted());
    assert_eq!((one.events.clone(), one.state()), ([Event::Accepted(TOKEN)].into(), State::Accepted));
    assert_eq!((one.provider.token(), one.provider.members()), (Some(TOKEN), &[][..]));
    // It may not do yet what providers do.
    let voting = Voting { phases: Phases::ONE, time_limit: 0 };
    let propose = Input::Propose { request: RequestId(2), voting, view: None, wish: Wish::Leave(0) };
    assert!(matches!(one.try_put(propose), Err(Error::Misuse(Misuse::WrongState { .. }))));
    assert!(matches!(one.vote(APPROVE), Err(Error::Misuse(_))));
}

#[test]
fn a_join_that_is_refused_is_over() {
    for (mut one, token) in [(One::requested(), None), (One::accepted(), Some(TOKEN))] {
        one.hear(error(1, token, MessageKind::JOIN, ErrorCode::BAD_GROUP_ATTRIBUTES));
        assert_eq!(one.events.last(), Some(&Event::Gone(Departure::Refused(ErrorCode::BAD_GROUP_ATTRIBUTES))));
        assert_eq!((one.state(), one.provider.token()), (State::Gone, None));
        assert!(matches!(one.try_put(Input::Lost), Err(Error::Misuse(_))));
    }
}

#[test]
fn a_join_that_is_rejected_is_over() {
    let mut one = One::accepted();
    let proposal = Proposal { joining: [ME].into(), ..Proposal::default() };
    one.hear(said(5, open(1, ProtocolKind::JOIN, proposal.clone())));
    one.vote(APPROVE).unwrap();
    one.hear(Message::Rejected(end(outcome(6, &[OTHER], ProtocolKind::JOIN, proposal))));
    assert_eq!(one.events.last(), Some(&Event::Gone(Departure::Rejected)));
}

#[test]
fn it_knows_the_whole_group_once_it_has_joined() {
    let one = One::member();
    let provider = &one.provider;
    assert_eq!((provider.members(), provider.view(), provider.value()), (&[OTHER, ME][..], ViewId(2), &value("old")));
    assert_eq!((provider.sequence(), one.state()), (Sequence(5), State::Member));
}

#[test]
fn one_vote_a_phase() {
    let mut one = One::member();
    one.hear(phase(6, 1));
    assert!(matches!(one.events[..], [Event::Phase(_)]));
    one.vote(APPROVE).unwrap();
    let Some(Message::Vote(vote)) = one.sent.last() else { panic!("{:?}", one.sent) };
    assert_eq!((vote.token, vote.protocol, vote.phase), (TOKEN, ProtocolId(3), 1));
    assert!(matches!(one.vote(APPROVE), Err(Error::Misuse(_))));
    one.hear(phase(7, 2));
    one.vote(APPROVE).unwrap();
}

#[test]
fn a_vote_for_a_phase_that_is_over_changes_nothing() {
    let mut one = One::voting();
    one.hear(phase(7, 2));
    let late = Input::Vote { protocol: ProtocolId(3), phase: 1, ballot: APPROVE };
    assert!(matches!(one.try_put(late), Err(Error::Misuse(_))));
    assert_eq!(one.state(), State::Voting);
}

#[test]
fn votes_are_approve_continue_or_reject_and_defaults_are_no_continue() {
    let mut one = One::voting();
    let bad = [
        Ballot { vote: Vote(0), ..APPROVE },
        Ballot { default_vote: Some(Vote::CONTINUE), ..APPROVE },
        Ballot { default_vote: Some(Vote(9)), ..APPROVE },
    ];
    for ballot in bad {
        assert!(matches!(one.vote(ballot), Err(Error::Misuse(Misuse::Argument { .. }))));
    }
}

#[test]
fn nobody_proposes_while_something_runs() {
    let mut one = One::voting();
    let voting = Voting { phases: Phases::ONE, time_limit: 0 };
    let propose = Input::Propose { request: RequestId(2), voting, view: None, wish: Wish::Leave(0) };
    assert!(matches!(one.try_put(propose.clone()), Err(Error::Misuse(_))));
    one.vote(APPROVE).unwrap();
    assert!(matches!(one.try_put(propose), Err(Error::Misuse(_))));
}

#[test]
fn its_time_is_told_once_and_a_vote_is_enough() {
    let mut one = One::voting();
    assert_eq!(one.provider.poll_timeout(), Some(Instant::ZERO.saturating_add(Duration::from_secs(2))));
    one.now = one.provider.poll_timeout().unwrap();
    one.put(Input::Timeout);
    one.put(Input::Timeout);
    assert_eq!(one.events, [Event::TimeIsUp]);
    // It may still be in time, at the coordinator.
    one.vote(APPROVE).unwrap();
    let mut one = One::voting();
    one.vote(APPROVE).unwrap();
    assert_eq!(one.provider.poll_timeout(), None);
}

#[test]
fn an_end_changes_what_it_knows_and_a_rejection_does_not() {
    let mut one = One::voting();
    one.hear(changed(7));
    assert_eq!((one.provider.value(), one.state()), (&value("new"), State::Member));
    let mut one = One::voting();
    one.hear(Message::Rejected(end(outcome(7, &[OTHER, ME], ProtocolKind::STATE_VALUE_CHANGE, change()))));
    assert_eq!((one.provider.value(), one.state()), (&value("old"), State::Member));
    assert!(matches!(one.events[..], [Event::Rejected(_)]));
}

#[test]
fn who_has_failed_is_out_though_it_was_rejected() {
    let mut one = One::member();
    let leave = Leave { provider: OTHER, reason: LeaveReason::PROVIDER_FAILURE, code: 0 };
    let proposal = Proposal { leaving: [leave].into(), ..Proposal::default() };
    one.hear(Message::Rejected(end(outcome(6, &[ME], ProtocolKind::FAILURE_LEAVE, proposal))));
    assert_eq!((one.provider.members(), &one.sent[1..]), (&[ME][..], &[][..]));
}

#[test]
fn who_leaves_is_gone_with_the_end() {
    let mut one = One::member();
    let leave = Leave { provider: ME, reason: LeaveReason::VOLUNTARY, code: 3 };
    let proposal = Proposal { leaving: [leave].into(), ..Proposal::default() };
    one.hear(Message::Approved(end(outcome(6, &[OTHER], ProtocolKind::LEAVE, proposal))));
    assert!(matches!(one.events[..], [Event::Approved(_), Event::Gone(Departure::Left)]), "{:?}", one.events);
}

#[test]
fn who_is_expelled_watches_and_deactivates_itself_when_it_is_time() {
    let leave = Leave { provider: ME, reason: LeaveReason::EXPELLED, code: 0 };
    let expulsion = Expulsion { targets: [ME].into(), deactivate_phase: 2, flag: bytes::Bytes::from_static(b"now") };
    let proposal = Proposal { leaving: [leave].into(), expulsion: Some(expulsion.clone()), ..Proposal::default() };
    let mut one = One::member();
    one.hear(said(6, open(1, ProtocolKind::EXPEL, proposal.clone())));
    assert!(matches!(&one.events[..], [Event::Watch { deactivate: None, .. }]));
    assert!(matches!(one.vote(APPROVE), Err(Error::Misuse(_))));
    assert!(matches!(one.try_put(Input::Deactivated(true)), Err(Error::Misuse(_))));
    assert_eq!(one.provider.poll_timeout(), None);
    one.hear(said(7, open(2, ProtocolKind::EXPEL, proposal)));
    let Some(Event::Watch { deactivate, .. }) = one.events.last() else { panic!("{:?}", one.events) };
    assert_eq!(deactivate.as_ref(), Some(&expulsion));
    one.put(Input::Deactivated(false));
    let Some(Message::Deactivated(said)) = one.sent.last() else { panic!("{:?}", one.sent) };
    assert_eq!((said.protocol, said.successful), (ProtocolId(3), false));
    assert!(matches!(one.try_put(Input::Deactivated(true)), Err(Error::Misuse(_))));
}

#[test]
fn a_goodbye_is_said_and_is_the_end() {
    for mut one in [One::accepted(), One::member(), One::voting()] {
        one.put(Input::Goodbye);
        assert!(matches!(one.sent.last(), Some(Message::Goodbye(_))));
        assert_eq!(one.events, [Event::Gone(Departure::Goodbye)]);
    }
    // Before it has a number it has nobody to say it for.
    assert!(matches!(One::requested().try_put(Input::Goodbye), Err(Error::Misuse(_))));
}

#[test]
fn announcements_and_errors_are_told() {
    let mut one = One::voting();
    let (flags, providers) = (Flags::NO_RESPONSE, Vec::from([OTHER]));
    let announcement = Announcement {
        token: TOKEN,
        group: GROUP,
        sequence: Sequence(7),
        flags,
        providers: providers.clone(),
        extensions: Extensions::NONE,
    };
    one.hear(Message::Announcement(announcement));
    one.hear(error(0, Some(TOKEN), MessageKind::VOTE, ErrorCode::VOTE_NOT_EXPECTED));
    let code = ErrorCode::VOTE_NOT_EXPECTED;
    let told = Event::Error { request: RequestId(0), kind: MessageKind::VOTE, code, text: Text::EMPTY };
    assert_eq!(one.events, [Event::Announcement { flags, providers }, told]);
    assert_eq!(one.state(), State::Voting);
}

#[test]
fn a_group_that_is_dissolved_is_the_end() {
    for token in [Some(TOKEN), None] {
        let mut one = One::voting();
        let reason = DissolveReason::MERGED;
        one.hear(Message::Dissolved(Dissolved { token, reason, extensions: Extensions::NONE }));
        assert_eq!(one.events, [Event::Gone(Departure::Dissolved(reason))]);
    }
    let mut one = One::voting();
    let token = Some(Token { generation: 1, ..TOKEN });
    one.hear(Message::Dissolved(Dissolved { token, reason: DissolveReason::EMPTY, extensions: Extensions::NONE }));
    assert_eq!(one.state(), State::Voting);
}

#[test]
fn what_providers_are_not_told_is_a_violation() {
    let mut one = One::member();
    let ping = Message::Ping(Ping { nonce: 1, extensions: Extensions::NONE });
    assert!(matches!(one.try_put(Input::Message(ping.clone())), Err(Error::Violation(_))));
    assert_eq!(one.events, [Event::Gone(Departure::Lost)]);
    assert!(matches!(one.try_put(Input::Message(ping)), Err(Error::Misuse(_))));
}

#[test]
fn it_says_what_it_has_taken() {
    let mut one = One::member();
    one.put(Input::Acknowledge);
    let Some(Message::Acknowledge(taken)) = one.sent.last() else { panic!("{:?}", one.sent) };
    assert_eq!((taken.token, taken.sequence), (TOKEN, Sequence(5)));
}
