//! Peers that want something else, or say what they may not.

use super::*;
use crate::error::Violation;
use crate::repmgr::handshake::{Handshake, LegacyHandshake, Parameters, Proposal, SiteParameters, VersionRange};
use crate::repmgr::message::{AppMessage, AppResponse, Permanent, ResponseError, Wanted};
use crate::repmgr::own::{OwnMessage, SiteRequest};
use crate::repmgr::{AckPolicy, ConnectionFlags, ErrorCode, Host};

fn proposal(max: u32) -> Message {
    let versions = VersionRange { min: crate::repmgr::Version(1), max: crate::repmgr::Version(max) };
    Handshake::from(Proposal::new(Host::EMPTY, 0, 0, versions)).into()
}

fn channel() -> Message {
    Handshake::from(Parameters::channel(Host::EMPTY, 0)).into()
}

fn replication() -> Message {
    let control = crate::repmgr::handshake::Control::v4(AckPolicy::ALL, ConnectionFlags::SUBORDINATE);
    Handshake::from(Parameters { site: SiteParameters::new(Host::EMPTY, 0, control) }).into()
}

fn join() -> Message {
    OwnMessage::JoinRequest(SiteRequest::new(address("x"))).into()
}

/// A site, and a peer that has dialled it and says this.
fn visited(config: SiteConfig, messages: &[Message]) -> (Site, Result<(), EndpointError>) {
    let mut site = Site::new(config);
    let link = site.endpoint.accept(site.now);
    let result = site.received(link, &bytes(messages));
    (site, result)
}

#[test]
fn who_wants_to_replicate_or_to_join_is_told_that_it_is_no_member() {
    for second in [replication(), join()] {
        let (mut site, result) = visited(SiteConfig::default(), &[proposal(4), second]);
        assert_eq!((result, site.log().join(", ")), (Ok(()), "close 1, 1 closed NotAChannel".into()));
        assert_eq!(names(Side::Listener, &site.take(LinkId(1))), ["HANDSHAKE", "OWN_MSG"]);
    }
}

#[test]
fn an_application_can_answer_about_membership() {
    let mut config = SiteConfig::default();
    config.connection.membership = MembershipPolicy::Ask;
    let (mut site, result) = visited(config, &[proposal(4), join()]);
    assert_eq!((result, site.log().join(", ")), (Ok(()), "1 membership".into()));
    let answer = |link, answer| SiteCommand::AnswerMembership { link, answer };
    assert!(site.command(answer(LinkId(2), OwnMessage::Failure)).is_err());
    assert!(site.command(answer(LinkId(1), OwnMessage::ConnectReject { version: 0, generation: 0 })).is_err());
    let forward = OwnMessage::Forward { master: address("m"), generation: 1 };
    site.fine(answer(LinkId(1), forward.clone()));
    site.logs(["close 1", "1 closed Membership"]);
    assert!(site.command(answer(LinkId(1), forward)).is_err());
    assert_eq!(names(Side::Listener, &site.take(LinkId(1))), ["HANDSHAKE", "OWN_MSG"]);
}

#[test]
fn who_speaks_no_version_with_channels_is_closed_without_a_word() {
    let legacy: Message = Handshake::from(LegacyHandshake::new(Host::EMPTY, 0, 0)).into();
    for first in [proposal(3), proposal(1), legacy] {
        let (mut site, result) = visited(SiteConfig::default(), &[first]);
        assert_eq!((result, site.log().join(", ")), (Ok(()), "close 1, 1 closed Version".into()));
        assert!(site.take(LinkId(1)).is_empty());
    }
}

#[test]
fn heartbeats_before_the_proposal_are_passed_over() {
    let (mut site, result) = visited(SiteConfig::default(), &[Message::Heartbeat(None), proposal(4), channel()]);
    assert_eq!((result, site.log().join(", ")), (Ok(()), "1 ignored HEARTBEAT, 1 ready :0".into()));
}

/// Each breaks the connection, whatever was said before.
#[test]
fn what_no_peer_may_say_closes_the_link() {
    let answer: Message = AppResponse::single(0, "x").into();
    let error: Message = ResponseError { tag: 0, code: ErrorCode::KEY_EMPTY }.into();
    // RESP_ERROR 0, which cannot be sent by accident.
    let nothing = b"\x07\0\0\0\0\0\0\0\0".to_vec();
    for (message, got) in [
        (bytes(&[Message::PermLsn(Permanent::default())]), "PERMLSN"),
        (nothing, "RESP_ERROR 0"),
        (bytes(&[OwnMessage::Failure.into()]), "OWN_MSG"),
        // Nothing was asked on a link that was accepted.
        (bytes(&[answer]), "an answer"),
        (bytes(&[error]), "an answer"),
    ] {
        let request = AppMessage::request(text(1), Wanted { tag: 0, bulk: false, limit: None });
        let before = bytes(&[proposal(4), channel(), request.into()]);
        let behind = bytes(&[AppMessage::new(text(2)).into()]);
        let mut site = Site::new(SiteConfig::default());
        let link = site.endpoint.accept(site.now);
        let result = site.received(link, &[before, message, behind].concat());
        let Err(EndpointError::Machine(Error::Violation(Violation { got: name, .. }))) = result else {
            panic!("{result:?}")
        };
        assert_eq!(name, got);
        // What came before it is still told, what comes behind it is not.
        site.logs(["1 ready :0", "request 1 1", "close 1", "1 closed Violation", "lost 1"]);
        site.finish();
        assert_eq!(names(Side::Listener, &site.take(link)), ["HANDSHAKE"]);
        assert_eq!(site.received(link, b"more"), Ok(()), "it is not listened to any more");
    }
}

#[test]
fn what_cannot_be_decoded_closes_the_link() {
    let handshakes = bytes(&[proposal(4), channel()]);
    let request = bytes(&[AppMessage::new(text(1)).into()]);
    for (at, rest) in
        [(0, &b"\x09\0\0\0\0\0\0\0\0"[..]), (1, b"\x05\0\0\0\x0b\0\0\0\0"), (1, b"\x02\0\0\0\0\0\0\0\x01x")]
    {
        let bytes = [&handshakes[..if at == 0 { 0 } else { handshakes.len() }], rest].concat();
        for piece in [1, bytes.len()] {
            let mut site = Site::new(SiteConfig::default());
            let link = site.endpoint.accept(site.now);
            let results: Vec<Result<(), EndpointError>> =
                bytes.chunks(piece).map(|bytes| site.received(link, bytes)).collect();
            let errors = results.iter().filter(|result| matches!(result, Err(EndpointError::Decode { .. }))).count();
            assert_eq!(errors, 1, "{results:?}");
            assert_eq!(site.log().split_off(at), ["close 1", "1 closed Violation"]);
            assert_eq!(site.received(link, &request), Ok(()));
            site.logs([]);
        }
    }
}

/// What a site says that one has dialled: its requests fail with the link, and the next one is another link.
#[test]
fn a_site_that_lies_loses_its_link() {
    for lie in [bytes(&[AppResponse::single(7, "x").into()]), b"\x09\0\0\0\0\0\0\0\0".to_vec()] {
        let mut pair = Pair::ready();
        pair.here.request(ONE, 1).unwrap();
        pair.here.send(ONE, 2).unwrap();
        pair.here.log();
        assert!(pair.here.received(pair.dialled, &lie).is_err());
        let mut log = pair.here.log();
        log.sort();
        let expected = ["#1 1 failed Unavailable { sent: true }", "#1 lost 2 with 1", "2 closed", "close 2"];
        assert!(log.iter().zip(expected).all(|(line, start)| line.starts_with(start)) && log.len() == 4, "{log:?}");
        pair.here.request(ONE, 3).unwrap();
        pair.here.logs(["dial 3 there:5000"]);
    }
}

/// Behind an answer to nothing there may be anything: it is not looked at.
#[test]
fn nothing_is_taken_off_a_link_that_was_given_up() {
    let mut pair = Pair::ready();
    pair.here.request(ONE, 1).unwrap();
    pair.here.log();
    let messages =
        [AppResponse::single(7, "x").into(), AppResponse::single(0, "x").into(), AppMessage::new(text(1)).into()];
    let result = pair.here.received(pair.dialled, &bytes(&messages));
    assert!(matches!(result, Err(EndpointError::Machine(Error::Violation(_)))), "{result:?}");
    pair.here.logs(["close 2", "2 closed Local", "#1 1 failed Unavailable { sent: true }", "#1 lost 2 with 0"]);
    assert!(pair.here.handles.is_empty());
}

#[test]
fn a_driver_that_mixes_things_up_is_told_so() {
    let mut pair = Pair::ready();
    let result = pair.here.endpoint.connected(Instant::ZERO, pair.dialled);
    assert!(matches!(result, Err(EndpointError::Machine(Error::Misuse(_)))), "{result:?}");
    for call in [SiteEndpoint::connected, SiteEndpoint::closed, SiteEndpoint::congested, SiteEndpoint::drained] {
        assert_eq!(call(&mut pair.here.endpoint, Instant::ZERO, LinkId(77)), Ok(()), "it may be over already");
    }
    let mut here = Site::with_channel(SiteConfig::default());
    here.fine(SiteCommand::Connect(ONE));
    for garbage in [bytes(&[proposal(4)]), b"\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()] {
        assert!(here.received(LinkId(2), &garbage).is_err(), "nothing comes before it is connected");
    }
    here.closed(LinkId(2));
}
