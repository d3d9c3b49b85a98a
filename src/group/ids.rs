//! Numbers of the group protocol (spec/group.md 2). They are ours; the names are GSAPI's, as far as it has them.

use crate::frame::number_values;
use crate::wire::codes;
use bitflags::bitflags;

codes! {
    /// Kind of a message (spec/group.md 2.1). Below 0x40 a process sends it, from 0x80 on a coordinator; between 0xc0 and
    /// 0xcf coordinators to each other, and one of these to processes too.
    pub struct MessageKind(u8) {
        /// A process enters the domain.
        ENTER = 0x01, "ha_gs_init";
        /// A process wants to be a provider of a group.
        JOIN = 0x02, "ha_gs_join";
        /// A process wants to be told what becomes of a group.
        SUBSCRIBE = 0x03, "ha_gs_subscribe";
        /// It wants that no longer.
        UNSUBSCRIBE = 0x04, "ha_gs_unsubscribe";
        /// A provider proposes something.
        PROPOSE = 0x05;
        /// A provider votes.
        VOTE = 0x06, "ha_gs_vote";
        /// A provider that is to be expelled has deactivated itself, or could not.
        DEACTIVATED = 0x07;
        /// A provider goes at once.
        GOODBYE = 0x08, "ha_gs_goodbye";
        /// A process leaves the domain.
        QUIT = 0x09, "ha_gs_quit";
        /// It is still there.
        PONG = 0x0a;
        /// It has taken everything of a group up to here.
        ACKNOWLEDGE = 0x0b;
        /// Its view of a group is not what it should be: it wants the whole.
        RESYNCHRONISE = 0x0c;
        /// What a process knows of a group.
        REPORT = 0x0d;
        /// A process is in the domain.
        WELCOME = 0x81;
        /// A request is accepted; it is not carried out yet.
        ACCEPTED = 0x82;
        /// A request is not carried out.
        DELAYED_ERROR = 0x83, "ha_gs_delayed_error_callback";
        /// A phase of a protocol begins.
        PHASE = 0x84, "ha_gs_n_phase_callback";
        /// A protocol has ended, approved.
        APPROVED = 0x85, "ha_gs_approved_callback";
        /// A protocol has ended, rejected.
        REJECTED = 0x86, "ha_gs_rejected_callback";
        /// Something else that the providers of a group should know.
        ANNOUNCEMENT = 0x87, "ha_gs_announcement_callback";
        /// What has become of a group, for a subscriber.
        NOTICE = 0x88, "ha_gs_subscriber_callback";
        /// Is the process still there?
        PING = 0x89;
        /// A group, or the domain, is no more.
        DISSOLVED = 0x8a;
        /// Another coordinator leads the domain.
        REDIRECT = 0x8b;
        /// A group as it is.
        VIEW = 0x8c;
        /// An outcome that other coordinators are to keep.
        REPLICATE = 0xc0;
        /// It is kept.
        REPLICATED = 0xc1;
        /// A coordinator asks what others know.
        QUERY = 0xc2;
        /// It may, and that is what is known.
        GRANT = 0xc3;
        /// A coordinator reigns.
        REIGN = 0xc4;
        /// An epoch is over: who still acts in it must stop.
        FENCED = 0xc5;
        /// A coordinator tells others, which may be of another domain, that it is there.
        PROCLAIM = 0xc6;
    }
}

codes! {
    /// What a protocol is about (spec/group.md 2.7).
    pub struct ProtocolKind(u8) {
        /// Providers join.
        JOIN = 1, "HA_GS_JOIN";
        /// Providers have failed.
        FAILURE_LEAVE = 2, "HA_GS_FAILURE_LEAVE";
        /// The source group has no provider on a node any more: those of this group there go.
        CAST_OUT = 3, "HA_GS_CAST_OUT";
        /// A provider leaves.
        LEAVE = 4, "HA_GS_LEAVE";
        /// Providers are expelled.
        EXPEL = 5, "HA_GS_EXPEL";
        /// The group's state value is to change.
        STATE_VALUE_CHANGE = 6, "HA_GS_STATE_VALUE_CHANGE";
        /// A provider has a message for all.
        PROVIDER_MESSAGE = 7, "HA_GS_PROVIDER_MESSAGE";
        /// The group's attributes are to change.
        ATTRIBUTE_CHANGE = 8, "HA_GS_GROUP_ATTRIBUTE_CHANGE";
        /// The state value of the source group has changed.
        SOURCE_STATE_REFLECTION = 9, "HA_GS_SOURCE_STATE_REFLECTION";
    }
}

impl ProtocolKind {
    /// Whether those that it removes are out whatever the votes say: they have failed.
    #[must_use]
    pub fn is_certain(self) -> bool {
        [Self::FAILURE_LEAVE, Self::CAST_OUT].contains(&self)
    }

    /// Whether it removes providers against their will: they have no vote.
    #[must_use]
    pub fn removes(self) -> bool {
        self == Self::EXPEL || self.is_certain()
    }
}

codes! {
    /// How many voting phases a protocol has (spec/group.md 2.8).
    pub struct Phases(u8) {
        /// None: it is approved at once.
        ONE = 1, "HA_GS_1_PHASE";
        /// As many as the votes want, one at least.
        N = 2, "HA_GS_N_PHASE";
    }
}

codes! {
    /// A vote (spec/group.md 2.8).
    pub struct Vote(u8) {
        /// As far as this provider is concerned, yes.
        APPROVE = 1, "HA_GS_VOTE_APPROVE";
        /// One more phase.
        CONTINUE = 2, "HA_GS_VOTE_CONTINUE";
        /// No.
        REJECT = 3, "HA_GS_VOTE_REJECT";
    }
}

codes! {
    /// What becomes of a group when domains meet (spec/group.md 2.11).
    pub struct MergeControl(u8) {
        /// It is dissolved on the losing side.
        DISSOLVE = 1, "HA_GS_DISSOLVE_MERGE";
    }
}

codes! {
    /// Why a request is not carried out (spec/group.md 2.10).
    pub struct ErrorCode(u16) {
        /// The connection to the coordinator is lost.
        NOT_OK = 1, "HA_GS_NOT_OK";
        /// The process has entered already.
        EXISTS = 2, "HA_GS_EXISTS";
        /// The process has not entered.
        NO_INIT = 3, "HA_GS_NO_INIT";
        /// A name or value is too long.
        NAME_TOO_LONG = 4, "HA_GS_NAME_TOO_LONG";
        /// A bound is reached.
        NO_MEMORY = 5, "HA_GS_NO_MEMORY";
        /// The token is nobody's, or another's.
        BAD_MEMBER_TOKEN = 6, "HA_GS_BAD_MEMBER_TOKEN";
        /// A field makes no sense.
        BAD_PARAMETER = 7, "HA_GS_BAD_PARAMETER";
        /// There is no such group.
        UNKNOWN_GROUP = 8, "HA_GS_UNKNOWN_GROUP";
        /// The group is the system's own.
        INVALID_GROUP = 9, "HA_GS_INVALID_GROUP";
        /// The source group has no provider on the node.
        NO_SOURCE_GROUP_PROVIDER = 10, "HA_GS_NO_SOURCE_GROUP_PROVIDER";
        /// The attributes make no sense, or are not the group's.
        BAD_GROUP_ATTRIBUTES = 11, "HA_GS_BAD_GROUP_ATTRIBUTES";
        /// A provider of that instance number is there on the node.
        DUPLICATE_INSTANCE_NUMBER = 12, "HA_GS_DUPLICATE_INSTANCE_NUMBER";
        /// Another protocol runs.
        COLLIDE = 13, "HA_GS_COLLIDE";
        /// Some provider cannot do that.
        BACKLEVEL_PROVIDERS = 14, "HA_GS_BACKLEVEL_PROVIDERS";
        /// The source group is the group itself, or goes back to it.
        INVALID_SOURCE_GROUP = 15, "HA_GS_INVALID_SOURCE_GROUP";
        /// No vote is due, or it was given.
        VOTE_NOT_EXPECTED = 16, "HA_GS_VOTE_NOT_EXPECTED";
        /// There is no such provider.
        UNKNOWN_PROVIDER = 17, "HA_GS_UNKNOWN_PROVIDER";
        /// A provider stands in a list twice.
        PROVIDER_APPEARS_TWICE = 18, "HA_GS_PROVIDER_APPEARS_TWICE";
        /// There is no such phase.
        INVALID_DEACTIVATE_PHASE = 19, "HA_GS_INVALID_DEACTIVATE_PHASE";
        /// The view that was expected is not the group's any more.
        STALE_VIEW = 20;
        /// The process may not do that.
        UNAUTHORIZED = 21;
    }
}

codes! {
    /// Why a provider is no longer in its group (spec/group.md 2.8).
    pub struct LeaveReason(u8) {
        /// It wanted to leave.
        VOLUNTARY = 1, "HA_GS_VOLUNTARY_LEAVE";
        /// Its process has failed.
        PROVIDER_FAILURE = 2, "HA_GS_PROVIDER_FAILURE";
        /// Its node has failed.
        HOST_FAILURE = 3, "HA_GS_HOST_FAILURE";
        /// It was expelled.
        EXPELLED = 4, "HA_GS_PROVIDER_EXPELLED";
        /// The source group has no provider on its node any more.
        SOURCE_PROVIDER_LEAVE = 5, "HA_GS_SOURCE_PROVIDER_LEAVE";
        /// It has said goodbye.
        SAID_GOODBYE = 6, "HA_GS_PROVIDER_SAID_GOODBYE";
    }
}

codes! {
    /// Why something was dissolved (spec/group.md 2.8).
    pub struct DissolveReason(u8) {
        /// Its last provider has gone.
        EMPTY = 1;
        /// The domain has met another one, and has lost.
        MERGED = 2;
        /// The domain has too few coordinators left.
        NO_QUORUM = 3;
        /// The process was declared dead.
        FENCED = 4;
        /// The coordinator ends.
        STOPPED = 5;
    }
}

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident($repr:ty) { $($(#[$($flag_doc:tt)*])* $flag:ident = $value:literal $(, $alias:literal)?;)+ })+) => {$(
        bitflags! {
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
            #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
            pub struct $name: $repr {
                $($(#[$($flag_doc)*])* $(#[doc(alias = $alias)])? const $flag = $value;)+
                const _ = !0;
            }
        }
    )+};
}

flags! {
    /// Which changes of the membership may be made in one protocol (spec/group.md 2.11). Unknown bits make attributes
    /// differ.
    BatchControl(u8) {
        /// Joins.
        JOINS = 0x01, "HA_GS_BATCH_JOINS";
        /// Failure leaves, and cast-outs.
        LEAVES = 0x02, "HA_GS_BATCH_LEAVES";
        /// A provider that fails is deactivated, if its process is still there.
        DEACTIVATE_ON_FAILURE = 0x04, "HA_GS_DEACTIVATE_ON_FAILURE";
    }
    /// How a protocol has come to where it is (spec/group.md 2.8).
    Summary(u16) {
        /// Somebody has voted to approve.
        EXPLICIT_APPROVE = 0x0001, "HA_GS_EXPLICIT_APPROVE";
        /// A default vote was to approve.
        DEFAULT_APPROVE = 0x0002, "HA_GS_DEFAULT_APPROVE";
        /// Somebody has voted to reject.
        EXPLICIT_REJECT = 0x0004, "HA_GS_EXPLICIT_REJECT";
        /// A default vote was to reject.
        DEFAULT_REJECT = 0x0008, "HA_GS_DEFAULT_REJECT";
        /// Somebody has not voted in time.
        TIME_LIMIT_EXCEEDED = 0x0010, "HA_GS_TIME_LIMIT_EXCEEDED";
        /// A provider has failed.
        PROVIDER_FAILED = 0x0020, "HA_GS_PROVIDER_FAILED";
        /// There were too many phases.
        TOO_MANY_PHASES = 0x0040;
    }
    /// What the providers of a group should know besides (spec/group.md 2.8).
    Announcement(u16) {
        /// Providers have not voted in time.
        TIME_LIMIT_EXCEEDED = 0x0001, "HA_GS_TIME_LIMIT_EXCEEDED";
        /// Processes do not answer.
        NO_RESPONSE = 0x0002, "HA_GS_RESPONSIVENESS_NO_RESPONSE";
        /// They answer again.
        RESPONSE = 0x0004, "HA_GS_RESPONSIVENESS_RESPONSE";
        /// Deactivation has failed.
        DEACTIVATE_UNSUCCESSFUL = 0x0008, "HA_GS_DEACTIVATE_UNSUCCESSFUL";
        /// Deactivation has taken too long.
        DEACTIVATE_TIME_LIMIT_EXCEEDED = 0x0010, "HA_GS_DEACTIVATE_TIME_LIMIT_EXCEEDED";
        /// The group is dissolved.
        GROUP_DISSOLVED = 0x0020, "HA_GS_GROUP_DISSOLVED";
        /// There is no coordinator any more.
        DOMAIN_DIED = 0x0040, "HA_GS_GROUP_SERVICES_HAS_DIED_HORRIBLY";
    }
    /// What a subscriber wants to know (spec/group.md 2.9).
    Subscription(u8) {
        /// The state value.
        STATE = 0x01, "HA_GS_SUBSCRIBE_STATE";
        /// Who joins.
        DELTA_JOINS = 0x02, "HA_GS_SUBSCRIBE_DELTA_JOINS";
        /// Who leaves.
        DELTA_LEAVES = 0x04, "HA_GS_SUBSCRIBE_DELTA_LEAVES";
        /// Who is there.
        MEMBERSHIP = 0x08, "HA_GS_SUBSCRIBE_MEMBERSHIP";
    }
}

number_values! {
    MessageKind: u8, MessageKind, |value: MessageKind| value.0;
    ProtocolKind: u8, ProtocolKind, |value: ProtocolKind| value.0;
    Phases: u8, Phases, |value: Phases| value.0;
    Vote: u8, Vote, |value: Vote| value.0;
    MergeControl: u8, MergeControl, |value: MergeControl| value.0;
    ErrorCode: u16, ErrorCode, |value: ErrorCode| value.0;
    LeaveReason: u8, LeaveReason, |value: LeaveReason| value.0;
    DissolveReason: u8, DissolveReason, |value: DissolveReason| value.0;
    BatchControl: u8, BatchControl::from_bits_retain, |value: BatchControl| value.bits();
    Summary: u16, Summary::from_bits_retain, |value: Summary| value.bits();
    Announcement: u16, Announcement::from_bits_retain, |value: Announcement| value.bits();
    Subscription: u8, Subscription::from_bits_retain, |value: Subscription| value.bits();
}
