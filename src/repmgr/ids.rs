//! Numbers of the Replication Manager's wire (spec/repmgr.md 1.2, 2.4, 3.2, 3.4 and 4).

use crate::wire::codes;
use bitflags::bitflags;

codes! {
    /// Kind of a message, the first byte of its header (spec/repmgr.md 1.2).
    pub struct MessageType(u8) {
        /// How far a site's log is permanent.
        PERM_LSN = 1, "REPMGR_PERMLSN";
        /// A step of establishing a connection.
        HANDSHAKE = 2, "REPMGR_HANDSHAKE";
        /// A message of the replication itself.
        REP_MESSAGE = 3, "REPMGR_REP_MESSAGE";
        /// The master is alive.
        HEARTBEAT = 4, "REPMGR_HEARTBEAT";
        /// A message or request of an application.
        APP_MESSAGE = 5, "REPMGR_APP_MESSAGE";
        /// The answer to a request.
        APP_RESPONSE = 6, "REPMGR_APP_RESPONSE";
        /// A request that cannot be answered.
        RESPONSE_ERROR = 7, "REPMGR_RESP_ERROR";
        /// A message about membership.
        OWN_MESSAGE = 8, "REPMGR_OWN_MSG";
    }
}

impl MessageType {
    /// The first version of the protocol that has it; `None` if none has.
    #[must_use]
    pub const fn since(self) -> Option<Version> {
        match self {
            Self::PERM_LSN | Self::HANDSHAKE | Self::REP_MESSAGE => Some(Version::V1),
            Self::HEARTBEAT => Some(Version::V2),
            Self::APP_MESSAGE | Self::APP_RESPONSE | Self::RESPONSE_ERROR | Self::OWN_MESSAGE => Some(Version::V4),
            _ => None,
        }
    }
}

codes! {
    /// Kind of a message about membership, the second word of its header (spec/repmgr.md 4).
    pub struct OwnMessageType(u32) {
        /// The dialler is not a member.
        CONNECT_REJECT = 1, "REPMGR_CONNECT_REJECT";
        /// The master is not known, or the change has failed.
        GM_FAILURE = 2, "REPMGR_GM_FAILURE";
        /// Ask the master, which is there.
        GM_FORWARD = 3, "REPMGR_GM_FORWARD";
        /// A site wants to join.
        JOIN_REQUEST = 4, "REPMGR_JOIN_REQUEST";
        /// It has joined.
        JOIN_SUCCESS = 5, "REPMGR_JOIN_SUCCESS";
        /// A site's acknowledgement policy has changed.
        PARM_REFRESH = 6, "REPMGR_PARM_REFRESH";
        /// A site must join again. Never on the wire.
        REJOIN = 7, "REPMGR_REJOIN";
        /// A site is to be removed.
        REMOVE_REQUEST = 8, "REPMGR_REMOVE_REQUEST";
        /// It is removed.
        REMOVE_SUCCESS = 9, "REPMGR_REMOVE_SUCCESS";
        /// A change of membership is to be completed. Never on the wire.
        RESOLVE_LIMBO = 10, "REPMGR_RESOLVE_LIMBO";
        /// A site's view of the membership.
        SHARING = 11, "REPMGR_SHARING";
    }
}

codes! {
    /// Why a request is not answered (spec/repmgr.md 3.4). The numbers are those of libdb 5.3, without their sign.
    pub struct ErrorCode(u32) {
        /// No error, and never to be sent: libdb takes it for success with an empty answer.
        NONE = 0, "0";
        /// The responder has nothing that takes messages.
        NO_SERVER = 30_989, "DB_NOSERVER";
        /// What takes messages has returned without an answer.
        KEY_EMPTY = 30_995, "DB_KEYEMPTY";
        /// The answer is larger than the requester allows, or has more segments.
        BUFFER_SMALL = 30_999, "DB_BUFFER_SMALL";
    }
}

codes! {
    /// Whose acknowledgements a site waits for (spec/repmgr.md 2.4).
    pub struct AckPolicy(u32) {
        /// Every member's.
        ALL = 1, "DB_REPMGR_ACKS_ALL";
        /// Every connected member's.
        ALL_AVAILABLE = 2, "DB_REPMGR_ACKS_ALL_AVAILABLE";
        /// Every electable member's.
        ALL_PEERS = 3, "DB_REPMGR_ACKS_ALL_PEERS";
        /// Nobody's.
        NONE = 4, "DB_REPMGR_ACKS_NONE";
        /// One member's.
        ONE = 5, "DB_REPMGR_ACKS_ONE";
        /// One electable member's.
        ONE_PEER = 6, "DB_REPMGR_ACKS_ONE_PEER";
        /// Enough for the change to survive an election. The default.
        QUORUM = 7, "DB_REPMGR_ACKS_QUORUM";
    }
}

codes! {
    /// Where a site stands with its membership (spec/repmgr.md 4).
    pub struct SiteStatus(u32) {
        /// It is being added.
        ADDING = 1, "SITE_ADDING";
        /// It is being removed.
        DELETING = 2, "SITE_DELETING";
        /// It is a member.
        PRESENT = 4, "SITE_PRESENT";
    }
}

codes! {
    /// Version of the protocol (spec/repmgr.md 2.6). Channels need [`V4`](Self::V4).
    pub struct Version(u32) {
        /// Fixed structures, no negotiation.
        V1 = 1, "version 1";
        /// Negotiation, heartbeats.
        V2 = 2, "version 2";
        /// Flags in the parameters.
        V3 = 3, "version 3";
        /// Channels and membership.
        V4 = 4, "version 4";
    }
}

bitflags! {
    /// What a connection is for and what its dialler is (spec/repmgr.md 2.4). Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct ConnectionFlags: u32 {
        /// From a process without a listener of its own.
        #[doc(alias = "SITE_SUBORDINATE")]
        const SUBORDINATE = 0x01;
        /// For an application's messages, and nothing else.
        #[doc(alias = "APP_CHANNEL_CONNECTION")]
        const APP_CHANNEL = 0x02;
        /// The site can become master.
        #[doc(alias = "ELECTABLE_SITE")]
        const ELECTABLE = 0x04;
        const _ = !0;
    }
}

bitflags! {
    /// What the sender of a message wants (spec/repmgr.md 3.2). Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct MessageFlags: u32 {
        /// The answer is to be a block of segments.
        #[doc(alias = "REPMGR_MULTI_RESP")]
        #[doc(alias = "DB_MULTIPLE")]
        const BULK = 0x01;
        /// An answer is wanted.
        #[doc(alias = "REPMGR_REQUEST_MSG_TYPE")]
        #[doc(alias = "DB_REPMGR_NEED_RESPONSE")]
        const REQUEST = 0x02;
        /// The answer must not be larger than the limit.
        #[doc(alias = "REPMGR_RESPONSE_LIMIT")]
        #[doc(alias = "DB_DBT_USERMEM")]
        const RESPONSE_LIMIT = 0x04;
        const _ = !0;
    }
}
