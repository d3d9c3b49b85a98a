//! The orders and items of spec/repmgr.md 6.1, one by one.

mod ends;
mod ready;

use super::*;
use crate::error::{Error, Misuse};
use crate::machine::Machine;
use crate::repmgr::handshake::{
    Confirmation, Control, Handshake, LegacyHandshake, Parameters, Proposal, SiteParameters, VersionRange,
};
use crate::repmgr::message::{AppMessage, AppResponse, Message, Permanent, Replication, ResponseError, Wanted};
use crate::repmgr::own::{Membership, OwnMessage, SiteRequest};
use crate::repmgr::{AckPolicy, ConnectionFlags, ErrorCode, Host, OwnMessageType, Segments, SiteAddress};
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

const ALL: [State; 7] = [
    State::Dialling,
    State::Proposed,
    State::Negotiating,
    State::Introducing,
    State::Asked,
    State::Ready,
    State::Closed,
];

fn address() -> SiteAddress {
    SiteAddress::new("db1", 6111).unwrap()
}

/// Each wait has a time of its own, and the dialler may become master.
fn config() -> Config {
    Config {
        identity: Identity { address: address(), priority: 100, ack_policy: AckPolicy::ONE },
        dial_timeout: Duration::from_secs(1),
        handshake_timeout: Duration::from_secs(2),
        membership_timeout: Duration::from_secs(3),
        membership: MembershipPolicy::Ask,
        ..Config::default()
    }
}

fn proposal(min: u32, max: u32) -> Message {
    let versions = VersionRange { min: Version(min), max: Version(max) };
    Handshake::from(Proposal { legacy: Bytes::new(), host: Host::EMPTY, versions, trailing: 0x4a }).into()
}

fn site(version: u32, flags: ConnectionFlags) -> SiteParameters {
    let control = match version {
        2 => Control::V2 { priority: 1 },
        3 => Control::V3 { priority: 1, flags },
        _ => Control::v4(AckPolicy::QUORUM, flags),
    };
    SiteParameters::new(Host::new("other").unwrap(), 7, control)
}

fn confirmation(version: u32) -> Message {
    let site = site(version, ConnectionFlags::ELECTABLE);
    Handshake::from(Confirmation { version: Version(version), site, trailing: 0 }).into()
}

fn parameters(version: u32, flags: ConnectionFlags) -> Message {
    Handshake::from(Parameters { site: site(version, flags) }).into()
}

fn legacy() -> Message {
    Handshake::from(LegacyHandshake::new(Host::EMPTY, 0, 0)).into()
}

fn join() -> OwnMessage {
    OwnMessage::JoinRequest(SiteRequest::new(address()))
}

fn members() -> Membership {
    Membership { version: 1, generation: 1, sites: Vec::new() }
}

fn reject() -> OwnMessage {
    OwnMessage::ConnectReject { version: 0, generation: 0 }
}

fn error(code: ErrorCode) -> ResponseError {
    ResponseError { tag: 3, code }
}

fn request() -> AppMessage {
    AppMessage::request(Segments::one("hi"), Wanted { tag: 3, bulk: false, limit: None })
}

/// A connection and what it wants.
struct Bench {
    connection: Connection,
    now: Instant,
}

impl Bench {
    fn new(connection: Connection) -> Self {
        Self { connection, now: Instant::ZERO }
    }

    fn dial(config: Config) -> Self {
        Self::new(Connection::dial(config, Instant::ZERO))
    }

    fn accept(config: Config) -> Self {
        Self::new(Connection::accept(config, Instant::ZERO))
    }

    /// A connection in a state, drained.
    fn at(state: State) -> Self {
        let (dialler, inputs): (bool, &[Input]) = match state {
            State::Dialling => (true, &[]),
            State::Proposed => (true, &[Input::Opened]),
            State::Negotiating => (false, &[]),
            State::Introducing => (false, &[Input::Message(proposal(1, 4))]),
            State::Asked => (false, &[Input::Message(proposal(1, 4)), Input::Message(Message::Own(join()))]),
            State::Ready => (true, &[Input::Opened, Input::Message(confirmation(4))]),
            State::Closed => (true, &[Input::Disconnect]),
        };
        let mut bench = if dialler { Self::dial(config()) } else { Self::accept(config()) };
        inputs.iter().for_each(|input| bench.give(input.clone()).unwrap());
        bench.outputs();
        assert_eq!(bench.connection.state(), state);
        bench
    }

    /// A listener's that is ready.
    fn ready_listener() -> Self {
        let mut bench = Self::at(State::Introducing);
        bench.message(parameters(4, ConnectionFlags::APP_CHANNEL)).unwrap();
        bench.outputs();
        bench
    }

    fn give(&mut self, input: Input) -> Result<(), Error> {
        let before = self.connection.clone();
        let result = self.connection.handle(self.now, input);
        if matches!(result, Err(Error::Misuse(_))) {
            assert!(before == self.connection, "a misuse changes nothing");
        }
        result
    }

    fn message(&mut self, message: Message) -> Result<(), Error> {
        self.give(Input::Message(message))
    }

    fn outputs(&mut self) -> Vec<Output> {
        core::iter::from_fn(|| self.connection.poll_output()).collect()
    }

    fn is_misuse(&mut self, input: Input) -> bool {
        matches!(self.give(input), Err(Error::Misuse(_)))
    }
}

fn sent(message: impl Into<Message>) -> Output {
    Output::Send(message.into())
}

fn closed(reason: CloseReason) -> Output {
    Output::Event(Event::Closed(reason))
}

fn received(traffic: Traffic) -> [Output; 1] {
    [Output::Event(Event::Received(traffic))]
}

#[test]
fn a_dialler_proposes_and_says_what_it_wants() {
    let mut bench = Bench::dial(config());
    bench.give(Input::Opened).unwrap();
    let SiteAddress { host, port } = address();
    let ours = Proposal::new(host.clone(), port, 100, VersionRange::CHANNELS);
    assert_eq!(bench.outputs(), [sent(Handshake::from(ours))]);
    assert_eq!(bench.connection.version(), None);

    bench.message(confirmation(4)).unwrap();
    let flags = ConnectionFlags::APP_CHANNEL | ConnectionFlags::ELECTABLE;
    let site = SiteParameters::new(host, port, Control::v4(AckPolicy::ONE, flags));
    let address = SiteAddress::new("other", 7).unwrap();
    let peer = Peer { version: Version::V4, address, flags: ConnectionFlags::ELECTABLE };
    let expected = [sent(Handshake::from(Parameters { site })), Output::Event(Event::Ready(peer))];
    assert_eq!(bench.outputs(), expected);
    assert_eq!((bench.connection.version(), bench.connection.is_ready()), (Some(Version::V4), true));
    assert_eq!(bench.connection.poll_timeout(), None);
}

/// A listener says nothing of channels, and nothing at all once it knows what the dialler wants.
#[test]
fn a_listener_confirms_and_waits_to_be_told() {
    let mut bench = Bench::accept(config());
    bench.message(proposal(1, 4)).unwrap();
    let SiteAddress { host, port } = address();
    let site = SiteParameters::new(host, port, Control::v4(AckPolicy::ONE, ConnectionFlags::ELECTABLE));
    assert_eq!(bench.outputs(), [sent(Handshake::from(Confirmation::new(site)))]);
    assert!(!bench.connection.is_ready());

    let flags = ConnectionFlags::APP_CHANNEL | ConnectionFlags::from_bits_retain(0x100);
    bench.message(parameters(4, flags)).unwrap();
    let address = SiteAddress::new("other", 7).unwrap();
    assert_eq!(bench.outputs(), [Output::Event(Event::Ready(Peer { version: Version::V4, address, flags }))]);
    assert_eq!((bench.connection.is_ready(), bench.connection.poll_timeout()), (true, None));
}

/// Nobody is electable whose priority is 0.
#[test]
fn who_has_no_priority_does_not_say_that_it_is_electable() {
    let flags_of = |outputs: Vec<Output>| match outputs.first() {
        Some(Output::Send(Message::Handshake(Handshake::Parameters(Parameters { site })))) => site.control.flags(),
        Some(Output::Send(Message::Handshake(Handshake::Confirmation(confirmation)))) => {
            confirmation.site.control.flags()
        }
        other => panic!("{other:?}"),
    };
    let mut dialler = Bench::dial(Config::default());
    dialler.give(Input::Opened).unwrap();
    dialler.outputs();
    dialler.message(confirmation(4)).unwrap();
    assert_eq!(flags_of(dialler.outputs()), ConnectionFlags::APP_CHANNEL);
    let mut listener = Bench::accept(Config::default());
    listener.message(proposal(4, 4)).unwrap();
    assert_eq!(flags_of(listener.outputs()), ConnectionFlags::empty());
}

/// spec/repmgr.md 2.3: what is proposed, and whether version 4 comes of it, without which there are no channels.
#[test]
fn a_listener_settles_version_4_or_closes_without_a_word() {
    for (min, max, expected) in [
        (1, 4, true),
        (4, 4, true),
        (2, 9, true),
        (1, 3, false),
        (1, 2, false),
        (1, 1, false),
        (5, 9, false),
        (0, 0, false),
    ] {
        for versions in [VersionRange::ALL, VersionRange::CHANNELS] {
            let mut bench = Bench::accept(Config { versions, ..config() });
            bench.message(proposal(min, max)).unwrap();
            let outputs = bench.outputs();
            if expected {
                let [Output::Send(Message::Handshake(Handshake::Confirmation(confirmation)))] = &outputs[..] else {
                    panic!("({min}, {max}): {outputs:?}")
                };
                assert_eq!((confirmation.version, confirmation.site.control.version()), (Version::V4, Version::V4));
                assert_eq!(bench.connection.version(), Some(Version::V4));
            } else {
                assert_eq!(outputs, [Output::Close, closed(CloseReason::Version)], "({min}, {max}) for {versions:?}");
            }
        }
    }
}

#[test]
fn a_dialler_takes_version_4_only_and_only_if_it_has_proposed_it() {
    let three = VersionRange { min: Version::V3, max: Version::V3 };
    let more = VersionRange { min: Version::V4, max: Version(9) };
    for (versions, fine) in [(VersionRange::CHANNELS, true), (VersionRange::ALL, true), (three, false), (more, true)] {
        for version in 0..=6 {
            let mut bench = Bench::dial(Config { versions, ..config() });
            bench.give(Input::Opened).unwrap();
            bench.outputs();
            bench.message(confirmation(version)).unwrap();
            assert_eq!(bench.connection.is_ready(), fine && version == 4, "{version} of {versions:?}");
            if !bench.connection.is_ready() {
                assert_eq!(bench.outputs(), [Output::Close, closed(CloseReason::Version)]);
            }
        }
    }
}

#[test]
fn who_knows_version_1_only_is_left_alone() {
    for state in [State::Proposed, State::Negotiating] {
        let mut bench = Bench::at(state);
        bench.message(legacy()).unwrap();
        assert_eq!(bench.outputs(), [Output::Close, closed(CloseReason::Version)], "{state:?}");
    }
}

#[test]
fn empty_heartbeats_before_the_proposal_are_passed_over() {
    let mut bench = Bench::at(State::Negotiating);
    let deadline = bench.connection.poll_timeout();
    for _ in 0..3 {
        bench.now = bench.now.saturating_add(Duration::from_millis(100));
        bench.message(Message::Heartbeat(None)).unwrap();
        assert_eq!(bench.outputs(), [Output::Event(Event::Ignored("HEARTBEAT"))]);
    }
    // Nobody keeps a connection open with them.
    assert_eq!((bench.connection.state(), bench.connection.poll_timeout()), (State::Negotiating, deadline));
    assert!(bench.message(Message::Heartbeat(Some(Permanent::default()))).is_err());
}

#[test]
fn who_wants_to_replicate_is_told_that_it_is_no_member() {
    for flags in [ConnectionFlags::empty(), ConnectionFlags::SUBORDINATE, ConnectionFlags::ELECTABLE] {
        let mut bench = Bench::at(State::Introducing);
        bench.message(parameters(4, flags)).unwrap();
        assert_eq!(bench.outputs(), [sent(reject()), Output::Close, closed(CloseReason::NotAChannel)], "{flags:?}");
    }
}

#[test]
fn requests_about_membership_are_rejected_unless_the_application_answers() {
    let remove = OwnMessage::RemoveRequest(SiteRequest::new(address()));
    for request in [join(), remove] {
        let mut bench = Bench::accept(Config { membership: MembershipPolicy::Reject, ..config() });
        bench.message(proposal(1, 4)).unwrap();
        bench.outputs();
        bench.message(Message::Own(request.clone())).unwrap();
        assert_eq!(bench.outputs(), [sent(reject()), Output::Close, closed(CloseReason::NotAChannel)]);

        let mut bench = Bench::at(State::Introducing);
        bench.message(Message::Own(request.clone())).unwrap();
        assert_eq!(bench.outputs(), [Output::Event(Event::MembershipRequest(request))]);
    }
}

#[test]
fn a_request_about_membership_has_one_answer() {
    let forward = OwnMessage::Forward { master: address(), generation: 2 };
    for answer in [OwnMessage::Failure, forward, OwnMessage::JoinSuccess(members()), OwnMessage::RemoveSuccess] {
        let mut bench = Bench::at(State::Asked);
        bench.give(Input::AnswerMembership(answer.clone())).unwrap();
        let expected = [sent(answer.clone()), Output::Close, closed(CloseReason::Membership)];
        assert_eq!(bench.outputs(), expected);
        assert!(bench.is_misuse(Input::AnswerMembership(answer)));
    }
    let mut bench = Bench::at(State::Asked);
    for no_answer in [reject(), join(), OwnMessage::Sharing(members())] {
        let result = bench.give(Input::AnswerMembership(no_answer));
        assert!(matches!(result, Err(Error::Misuse(Misuse::Argument { what: "answer", .. }))), "{result:?}");
    }
    for state in ALL.into_iter().filter(|state| *state != State::Asked) {
        assert!(Bench::at(state).is_misuse(Input::AnswerMembership(OwnMessage::Failure)), "{state:?}");
    }
}

#[test]
fn an_application_that_does_not_answer_has_failed() {
    let mut bench = Bench::at(State::Asked);
    assert_eq!(bench.connection.poll_timeout(), Some(Instant::from_micros(3_000_000)));
    bench.now = Instant::from_micros(3_000_000);
    bench.give(Input::Timeout).unwrap();
    let expected = [sent(OwnMessage::Failure), Output::Close, closed(CloseReason::TimedOut)];
    assert_eq!(bench.outputs(), expected);
}

/// Every kind of message, with what it is on a connection that is ready: `None` if the peer may not send it.
fn kinds() -> Vec<(Message, Option<Event>)> {
    let received = |traffic| Some(Event::Received(traffic));
    let answer = AppResponse::single(3, "hello");
    let refresh = OwnMessage::ParameterRefresh { ack_policy: AckPolicy::ALL, flags: ConnectionFlags::empty() };
    let unknown = OwnMessage::Unknown { ty: OwnMessageType(77), body: "x".into() };
    let forward = OwnMessage::Forward { master: address(), generation: 1 };
    let own = |message| (Message::Own(message), Some(Event::Ignored("OWN_MSG")));
    let replication = Replication { control: "c".into(), record: Bytes::new() };
    let empty = error(ErrorCode::KEY_EMPTY);
    Vec::from([
        (Message::App(request()), received(Traffic::Message(request()))),
        (Message::Response(answer.clone()), received(Traffic::Response(answer))),
        (Message::Error(empty), received(Traffic::Error(empty))),
        (Message::Error(error(ErrorCode::NONE)), None),
        (Message::Heartbeat(None), Some(Event::Ignored("HEARTBEAT"))),
        (Message::Heartbeat(Some(Permanent::default())), Some(Event::Ignored("HEARTBEAT"))),
        own(reject()),
        own(refresh),
        own(OwnMessage::Sharing(members())),
        (Message::Own(OwnMessage::Failure), None),
        (Message::Own(forward), None),
        (Message::Own(join()), None),
        (Message::Own(OwnMessage::JoinSuccess(members())), None),
        (Message::Own(OwnMessage::RemoveRequest(SiteRequest::new(address()))), None),
        (Message::Own(OwnMessage::RemoveSuccess), None),
        (Message::Own(unknown), None),
        (Message::PermLsn(Permanent::default()), None),
        (Message::Replication(replication), None),
        (proposal(1, 4), None),
        (legacy(), None),
        (confirmation(4), None),
        (parameters(4, ConnectionFlags::APP_CHANNEL), None),
    ])
}

/// All that may come before a connection is ready; whatever else does closes it.
#[test]
fn every_message_in_every_state_before() {
    for state in ALL.into_iter().filter(|state| *state != State::Ready) {
        for (message, _) in kinds() {
            let expected = match (state, &message) {
                (State::Dialling | State::Closed, _) => None,
                (State::Proposed, Message::Handshake(Handshake::Confirmation(_))) => Some(State::Ready),
                (State::Negotiating, Message::Handshake(Handshake::Proposal(_))) => Some(State::Introducing),
                (State::Negotiating, Message::Heartbeat(None)) => Some(State::Negotiating),
                (State::Introducing, Message::Handshake(Handshake::Parameters(_))) => Some(State::Ready),
                (State::Introducing, Message::Own(OwnMessage::JoinRequest(_) | OwnMessage::RemoveRequest(_))) => {
                    Some(State::Asked)
                }
                _ => Some(State::Closed),
            };
            let is_legacy = matches!(message, Message::Handshake(Handshake::Legacy(_)));
            let mut bench = Bench::at(state);
            let result = bench.message(message.clone());
            let what = std::format!("{state:?} {message:?} {result:?}");
            match expected {
                None => assert!(matches!(result, Err(Error::Misuse(Misuse::WrongState { .. }))), "{what}"),
                Some(State::Closed) if !(is_legacy && matches!(state, State::Proposed | State::Negotiating)) => {
                    assert!(matches!(result, Err(Error::Violation(_))), "{what}");
                    assert_eq!(bench.outputs(), [Output::Close, closed(CloseReason::Violation)], "{what}");
                }
                Some(next) => {
                    assert_eq!((result, bench.connection.state()), (Ok(()), next), "{what}");
                }
            }
        }
    }
}
