//! What is in the streams.

use super::{Stream, streams, streams_of};
use handover::repmgr::handshake::{Confirmation, Handshake, Parameters, Proposal, VersionRange};
use handover::repmgr::message::{Message, Permanent, Replication};
use handover::repmgr::own::{Member, Membership, OwnMessage, SiteRequest};
use handover::repmgr::{AckPolicy, ConnectionFlags, ErrorCode, SiteAddress, SiteStatus, Version};
use std::collections::{BTreeMap, BTreeSet};

fn localhost(port: u16) -> SiteAddress {
    SiteAddress::new("127.0.0.1", port).unwrap()
}

/// How many of each kind of message.
fn counts(stream: &Stream) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    stream.messages().iter().for_each(|message| *counts.entry(message.name()).or_default() += 1);
    counts
}

#[test]
fn a_site_joins_a_group() {
    let [asks, joins, ..] = &streams_of("s01_join_group")[..] else { panic!("six streams") };
    let request = SiteRequest::new(localhost(6102));
    assert_eq!(asks.messages().last(), Some(&Message::Own(OwnMessage::JoinRequest(request))));
    let present = |port| Member { site: localhost(port), status: SiteStatus::PRESENT };
    let sites = vec![present(6101), present(6102)];
    let expected = Membership { version: 3, generation: 1, sites };
    assert_eq!(joins.messages().last(), Some(&Message::Own(OwnMessage::JoinSuccess(expected))));
}

#[test]
fn replication_passes_through() {
    let streams = streams_of("s01_join_group");
    let replication = counts(&streams[2]);
    assert_eq!((replication["HANDSHAKE"], replication["HEARTBEAT"], replication["OWN_MSG"]), (2, 7, 1));
    assert_eq!(replication["REP_MESSAGE"], 69);
    let mut refreshed = false;
    for message in streams[2].messages().into_iter().chain(streams[3].messages()) {
        match message {
            // What every record of this library's version has: nine words, the first two of which are versions.
            Message::Replication(Replication { control, .. }) => {
                assert_eq!(control.len(), 36);
                assert_eq!(control[..8], [0, 0, 0, 7, 0, 0, 0, 19]);
            }
            Message::Own(own) => {
                let flags = ConnectionFlags::APP_CHANNEL;
                assert_eq!(own, OwnMessage::ParameterRefresh { ack_policy: AckPolicy::ONE, flags });
                refreshed = true;
            }
            Message::Heartbeat(at) => assert!(at.is_some()),
            Message::PermLsn(Permanent { generation, file, .. }) => assert_eq!((generation, file), (1, 1)),
            Message::Handshake(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(refreshed);
}

#[test]
fn who_opens_a_connection_says_the_same_everywhere() {
    let (mut confirmations, mut trailing_bytes) = (0, BTreeSet::new());
    for stream in streams().filter(|stream| stream.syn_seen) {
        match &stream.messages()[0] {
            Message::Handshake(Handshake::Proposal(Proposal { legacy, host, versions, trailing })) => {
                assert_eq!((stream.dir.as_str(), legacy.len()), ("a2b", 12));
                trailing_bytes.insert(*trailing);
                let stranger = host.as_bytes() == b"x";
                assert!(stranger || host.as_str() == Some("127.0.0.1"), "{host:?}");
                let spoken = if stranger { VersionRange::CHANNELS } else { VersionRange::ALL };
                assert_eq!(*versions, spoken, "{}", stream.name());
            }
            Message::Handshake(Handshake::Confirmation(Confirmation { version, site, trailing })) => {
                assert_eq!((stream.dir.as_str(), *version, *trailing), ("b2a", Version::V4, 0));
                assert_eq!(site.control.flags(), ConnectionFlags::ELECTABLE);
                assert!(site.extra.is_empty());
                confirmations += 1;
            }
            other => panic!("{}: {other:?}", stream.name()),
        }
    }
    assert_eq!(confirmations, 19);
    // Memory that libdb has never written to.
    assert!(trailing_bytes.into_iter().eq([0, 0x85]));
}

#[test]
fn connections_that_go_on_before_the_capture_begins() {
    let middle: Vec<Stream> = streams().filter(|stream| !stream.syn_seen).collect();
    assert_eq!(middle.len(), 2);
    for stream in &middle {
        assert_eq!(stream.file, "s10_master_change");
        assert!(!counts(stream).contains_key("HANDSHAKE"));
        // As a stream from its beginning it is none.
        let mut framer = handover::wire::Framer::new(handover::repmgr::stream::MessageStream::new(
            stream.side(),
            VersionRange::ALL,
            &super::LIMITS,
        ));
        framer.push(&stream.bytes());
        assert_eq!(framer.next_item().unwrap_err().field, "type");
    }
}

#[test]
fn requests_that_are_not_answered() {
    let error = |file| {
        let errors = streams_of(file).into_iter().flat_map(|stream| stream.messages());
        errors.filter_map(|message| if let Message::Error(error) = message { Some(error.code) } else { None }).collect()
    };
    let none: Vec<ErrorCode> = error("s05_request_no_response");
    assert_eq!(none, [ErrorCode::KEY_EMPTY]);
    let nobody: Vec<ErrorCode> = error("s07_no_dispatch");
    assert_eq!(nobody, [ErrorCode::NO_SERVER]);
}

#[test]
fn segments_of_all_sizes() {
    let messages = streams_of("s03_send_msg_multi")[0].messages();
    let sizes: Vec<Vec<usize>> = messages
        .iter()
        .filter_map(|message| match message {
            Message::App(message) => Some(message.segments.slices().map(<[u8]>::len).collect()),
            _ => None,
        })
        .collect();
    let expected: [&[usize]; 5] = [&[5, 0, 100_000, 5], &[0, 1], &[5, 6, 3], &[], &[0, 0]];
    assert_eq!(sizes, expected);
}

#[test]
fn answers_out_of_order() {
    let streams = streams_of("s16_python_interop");
    let tags: Vec<u32> = streams[1]
        .messages()
        .into_iter()
        .filter_map(|message| match message {
            Message::Response(answer) => Some(answer.tag),
            Message::Error(error) => Some(error.tag),
            _ => None,
        })
        .collect();
    assert!(tags.windows(2).any(|pair| pair[0] > pair[1]), "{tags:?}");
    let said = streams[0].messages();
    let Some(Message::Handshake(Handshake::Parameters(Parameters { site }))) = said.get(1) else { panic!("{said:?}") };
    assert_eq!(site.port, 0, "nobody calls a stranger back");
}
