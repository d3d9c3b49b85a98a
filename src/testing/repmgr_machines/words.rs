//! What is said in trials, by number.

use crate::repmgr::handshake::{
    Confirmation, Control, Handshake, LegacyHandshake, Parameters, Proposal, SiteParameters, VersionRange,
};
use crate::repmgr::message::{AppMessage, AppResponse, Message, Permanent, Replication, ResponseError, Wanted};
use crate::repmgr::own::{Member, Membership, OwnMessage, SiteRequest};
use crate::repmgr::{
    AckPolicy, ConnectionFlags, ErrorCode, Host, OwnMessageType, Segments, SiteAddress, SiteStatus, Version,
};
use bytes::Bytes;
use std::vec::Vec;

pub(super) use crate::testing::must::{Must, broken};

/// One of a few sites.
pub(super) fn site(number: u8) -> SiteAddress {
    let hosts = ["a", "b", "c", "d"];
    SiteAddress::new(hosts[usize::from(number) % hosts.len()], 5000).expect("it is good")
}

/// Segments that are the only ones of their kind, by the number in the first one; mostly just one.
pub(super) fn segments(shape: u8, unique: u32) -> Segments {
    let first = Bytes::copy_from_slice(&unique.to_be_bytes());
    let more: &[usize] = match shape % 16 {
        0..=10 => &[],
        11 => &[0],
        12 => &[0, 5, 8],
        13 => &[40],
        14 => &[100],
        _ => &[0; 9],
    };
    core::iter::once(first).chain(more.iter().map(|size| Bytes::from(std::vec![shape; *size]))).collect()
}

/// Segments of an answer: mostly one that is the only one of its kind, often none, sometimes several.
pub(super) fn answer(shape: u8, unique: u32) -> Segments {
    match shape % 8 {
        0 => Segments::EMPTY,
        1 => Segments::one(""),
        2..=5 => {
            let mut bytes = Vec::from(unique.to_be_bytes());
            bytes.resize(4 + usize::from(shape / 8), shape);
            Segments::one(bytes)
        }
        _ => segments(shape / 8, unique),
    }
}

/// What a request wants besides its tag.
pub(super) fn wanted(number: u8, tag: u32) -> Wanted {
    let limits = [None, None, None, None, Some(0), Some(4), Some(16), Some(64)];
    Wanted { tag, bulk: number % 4 == 3, limit: limits[usize::from(number / 4) % limits.len()] }
}

/// Bytes of segments with their table (spec/repmgr.md 3.1).
pub(super) fn block_len(segments: &Segments) -> usize {
    let data: usize = segments.slices().map(|segment| segment.len().div_ceil(8) * 8).sum();
    data + 4 + 8 * segments.len()
}

/// An answer as its requester counts it (3.3).
pub(super) fn answer_len(bulk: bool, segments: &Segments) -> usize {
    if bulk { block_len(segments) } else { segments.slices().map(<[u8]>::len).sum() }
}

/// Flags of a handshake, mostly those of a channel.
pub(super) fn flags(number: u8) -> ConnectionFlags {
    match number % 8 {
        0..=4 => ConnectionFlags::APP_CHANNEL,
        5 => ConnectionFlags::all(),
        6 => ConnectionFlags::SUBORDINATE,
        _ => ConnectionFlags::ELECTABLE,
    }
}

/// Any message that a peer can send, sensible or not.
pub(super) fn said(number: u8, unique: u32) -> Message {
    let (kind, more) = (number % 32, number / 32);
    let tag = u32::from(more);
    let text = || segments(more, unique);
    let host = Host::new("peer").expect("it is good");
    match kind {
        0..=4 => {
            let ranges = [(4, 4), (1, 4), (2, 9), (1, 3), (1, 1), (5, 9), (0, 0), (1, 2)];
            let (min, max) = ranges[usize::from(more)];
            let versions = VersionRange { min: Version(min), max: Version(max) };
            let legacy = Bytes::from_static(&[7; 3]);
            Handshake::from(Proposal { legacy, host, versions, trailing: more }).into()
        }
        5..=7 => {
            let version = Version([4, 4, 4, 3, 2, 5, 1, 0][usize::from(more)]);
            let control = Control::v4(AckPolicy::ALL, flags(more));
            let site = SiteParameters::new(host, 1, control);
            Handshake::from(Confirmation { version, site, trailing: more }).into()
        }
        8..=11 => {
            let control = Control::v4(AckPolicy::QUORUM, flags(more));
            Handshake::from(Parameters { site: SiteParameters::new(host, 2, control) }).into()
        }
        12 => Handshake::from(LegacyHandshake::new(host, 3, 4)).into(),
        13 | 14 => AppMessage::new(text()).into(),
        15 | 16 => AppMessage::request(text(), wanted(more, tag)).into(),
        17 | 18 => AppResponse::single(tag, unique.to_be_bytes().to_vec()).into(),
        19 => ResponseError { tag, code: ErrorCode::KEY_EMPTY }.into(),
        20 => ResponseError { tag, code: ErrorCode([0, 1, 30989, 30999][usize::from(more) % 4]) }.into(),
        21 | 22 => Message::Heartbeat(None),
        23 => Message::Heartbeat(Some(Permanent { generation: tag, file: 1, offset: unique })),
        24 => Message::PermLsn(Permanent { generation: tag, file: 1, offset: unique }),
        25 => Replication { control: Bytes::from_static(b"control"), record: Bytes::new() }.into(),
        26 | 27 => OwnMessage::JoinRequest(SiteRequest::new(site(more))).into(),
        28 => OwnMessage::RemoveRequest(SiteRequest::new(site(more))).into(),
        _ => own(more + kind).into(),
    }
}

/// A message about membership.
pub(super) fn own(number: u8) -> OwnMessage {
    let members = || {
        let member = Member { site: site(number), status: SiteStatus::PRESENT };
        Membership { version: 3, generation: 2, sites: Vec::from([member]) }
    };
    match number % 12 {
        0 => OwnMessage::Failure,
        1 | 2 => OwnMessage::Forward { master: site(number), generation: 1 },
        3 => OwnMessage::JoinSuccess(members()),
        4 => OwnMessage::RemoveSuccess,
        5 => OwnMessage::ConnectReject { version: 0, generation: 0 },
        6 => OwnMessage::ParameterRefresh { ack_policy: AckPolicy::ONE, flags: ConnectionFlags::ELECTABLE },
        7 => OwnMessage::Sharing(members()),
        8 => OwnMessage::JoinRequest(SiteRequest::new(site(number))),
        9 => OwnMessage::RemoveRequest(SiteRequest::new(site(number))),
        _ => OwnMessage::Unknown { ty: OwnMessageType(12), body: Bytes::from_static(b"x") },
    }
}
