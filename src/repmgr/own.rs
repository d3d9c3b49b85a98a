//! Messages about membership of the group (spec/repmgr.md 4). A program that only uses channels needs none of them.

mod codec;

use super::host::SiteAddress;
use super::ids::{AckPolicy, ConnectionFlags, OwnMessageType, SiteStatus};
use alloc::vec::Vec;
use bytes::Bytes;

/// A message about membership.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum OwnMessage {
    /// The dialler is not a member. u32 membership version, u32 generation.
    #[doc(alias = "REPMGR_CONNECT_REJECT")]
    ConnectReject {
        /// The version of the rejecter's membership list; 0 makes it older than any.
        version: u32,
        /// Its generation.
        generation: u32,
    },
    /// The master is not known, or the change has failed. No body.
    #[doc(alias = "REPMGR_GM_FAILURE")]
    Failure,
    /// Ask the master. u32 host size with its zero, host, u16 port, u32 generation.
    #[doc(alias = "REPMGR_GM_FORWARD")]
    Forward {
        /// Where the master is.
        master: SiteAddress,
        /// Its generation: follow only while it grows.
        generation: u32,
    },
    /// A site wants to join. Never needed for channels: the master would count it in elections.
    #[doc(alias = "REPMGR_JOIN_REQUEST")]
    JoinRequest(SiteRequest),
    /// It has joined.
    #[doc(alias = "REPMGR_JOIN_SUCCESS")]
    JoinSuccess(Membership),
    /// A site's acknowledgement policy has changed. u32 policy, u32 flags.
    #[doc(alias = "REPMGR_PARM_REFRESH")]
    ParameterRefresh {
        /// Its policy from now on.
        ack_policy: AckPolicy,
        /// What it is. libdb sends another bit here than it looks for (spec/repmgr.md 7).
        flags: ConnectionFlags,
    },
    /// A site is to be removed.
    #[doc(alias = "REPMGR_REMOVE_REQUEST")]
    RemoveRequest(SiteRequest),
    /// It is removed. No body.
    #[doc(alias = "REPMGR_REMOVE_SUCCESS")]
    RemoveSuccess,
    /// A site's view of the membership.
    #[doc(alias = "REPMGR_SHARING")]
    Sharing(Membership),
    /// One that is not known, as it came. Never to be sent of one's own accord: a libdb site may not survive it.
    Unknown {
        /// Its kind.
        ty: OwnMessageType,
        /// Its body, never empty.
        body: Bytes,
    },
}

impl OwnMessage {
    /// Its kind.
    #[must_use]
    pub const fn ty(&self) -> OwnMessageType {
        match self {
            Self::ConnectReject { .. } => OwnMessageType::CONNECT_REJECT,
            Self::Failure => OwnMessageType::GM_FAILURE,
            Self::Forward { .. } => OwnMessageType::GM_FORWARD,
            Self::JoinRequest(_) => OwnMessageType::JOIN_REQUEST,
            Self::JoinSuccess(_) => OwnMessageType::JOIN_SUCCESS,
            Self::ParameterRefresh { .. } => OwnMessageType::PARM_REFRESH,
            Self::RemoveRequest(_) => OwnMessageType::REMOVE_REQUEST,
            Self::RemoveSuccess => OwnMessageType::REMOVE_SUCCESS,
            Self::Sharing(_) => OwnMessageType::SHARING,
            Self::Unknown { ty, .. } => *ty,
        }
    }
}

impl core::fmt::Debug for OwnMessage {
    /// Of what is not known, only the size is shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::ConnectReject { version, generation } => {
                f.debug_struct("ConnectReject").field("version", version).field("generation", generation).finish()
            }
            Self::Failure => f.write_str("Failure"),
            Self::Forward { master, generation } => {
                f.debug_struct("Forward").field("master", master).field("generation", generation).finish()
            }
            Self::JoinRequest(request) => f.debug_tuple("JoinRequest").field(request).finish(),
            Self::JoinSuccess(members) => f.debug_tuple("JoinSuccess").field(members).finish(),
            Self::ParameterRefresh { ack_policy, flags } => {
                f.debug_struct("ParameterRefresh").field("ack_policy", ack_policy).field("flags", flags).finish()
            }
            Self::RemoveRequest(request) => f.debug_tuple("RemoveRequest").field(request).finish(),
            Self::RemoveSuccess => f.write_str("RemoveSuccess"),
            Self::Sharing(members) => f.debug_tuple("Sharing").field(members).finish(),
            Self::Unknown { ty, body } => write!(f, "Unknown {{ ty: {ty}, {} bytes }}", body.len()),
        }
    }
}

/// Which site is to join or to be removed: u32 host size with its zero, host, u16 port, u32 flags.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SiteRequest {
    /// Where it listens.
    pub site: SiteAddress,
    /// 0.
    pub flags: u32,
}

impl SiteRequest {
    /// A request about a site.
    #[must_use]
    pub const fn new(site: SiteAddress) -> Self {
        Self { site, flags: 0 }
    }
}

/// A list of the members: u32 version, u32 generation, then each site to the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Membership {
    /// The version of the list.
    pub version: u32,
    /// The generation of the master that made it.
    pub generation: u32,
    /// The sites: u32 host size with its zero, host, u16 port, u32 status each.
    pub sites: Vec<Member>,
}

/// One site of a [`Membership`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Member {
    /// Where it listens.
    pub site: SiteAddress,
    /// Where it stands.
    pub status: SiteStatus,
}
