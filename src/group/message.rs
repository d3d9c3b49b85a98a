//! The messages of the group protocol (spec/group.md 2).

use super::attributes::Attributes;
use super::ids::{
    Announcement as AnnouncementFlags, DissolveReason, ErrorCode, MessageKind, ProtocolKind, Subscription, Summary,
    Vote as VoteValue,
};
use super::name::{
    DomainId, Epoch, GroupId, GroupName, ProtocolId, ProviderId, ProviderMessage, RequestId, Sequence, StateValue,
    Token, ViewId,
};
use super::proposal::{Proposal, Voting, Wish};
use crate::error::{DecodeError, EncodeError};
use crate::frame::{Body, Extensions, FrameFlags, Native, Protocol, Text, Value, record};
use crate::wire::Writer;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;

record! {
    /// A process enters the domain, for the first time or at another coordinator.
    #[derive(Clone, PartialEq, Eq, Hash)]
    pub struct Enter {
        /// Its machine.
        pub node: u32,
        /// Which start of it: a higher number each time.
        pub incarnation: u64,
        /// How often it is to be asked whether it is there, in ms; 0: never.
        #[doc(alias = "gs_responsiveness_interval")]
        pub ping_interval_ms: u32,
        /// How long its answer may take, in ms.
        #[doc(alias = "gs_responsiveness_response_time_limit")]
        pub pong_limit_ms: u32,
        /// What it is known by. Not shown by `Debug`.
        pub credentials: Bytes,
        /// What it knows of the groups that it was in, under the coordinator before this one.
        pub reports: Vec<Report>,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// What a process knows of a group that it is in.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Report {
        /// Its token.
        pub token: Token,
        /// Which provider it is; none: a subscriber, with what it wants to know.
        pub provider: Option<ProviderId>,
        /// What it wants to know, as a subscriber.
        pub subscription: Subscription,
        /// The group.
        pub snapshot: Snapshot,
        /// The protocol that runs, as far as it knows.
        pub open: Option<Open>,
    }

    /// A group as it is.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Snapshot {
        /// Which.
        pub group: GroupId,
        /// What it has been told.
        pub sequence: Sequence,
        /// Which membership it has.
        pub view: ViewId,
        /// What it is like.
        pub attributes: Attributes,
        /// What it agrees on.
        pub state: StateValue,
        /// Who is in it, in the order in which they have joined.
        pub members: Vec<ProviderId>,
        /// The protocol that has ended last.
        pub last: ProtocolId,
    }

    /// A protocol that runs.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Open {
        /// Which.
        pub protocol: ProtocolId,
        /// What it is about.
        pub kind: ProtocolKind,
        /// Its phase, from 1.
        pub phase: u32,
        /// How long a vote may take, in s; 0: for ever.
        pub time_limit: u16,
        /// What is voted on.
        pub proposal: Box<Proposal>,
        /// The vote that this process has given in this phase.
        pub vote: Option<Ballot>,
    }

    /// What a provider says in a phase: u8 vote, new default vote, state value and message, if it proposes them.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Ballot {
        /// Yes, no, or once more.
        pub vote: VoteValue,
        /// What is to count from now on for who does not vote.
        pub default_vote: Option<VoteValue>,
        /// Another state value.
        pub state: Option<StateValue>,
        /// A message, for the next notification.
        pub message: Option<ProviderMessage>,
    }

    /// A process is in the domain.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Welcome {
        /// Which domain.
        pub domain: DomainId,
        /// Who reigns.
        pub epoch: Epoch,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A process wants to be a provider of a group. (The provider's local name is nobody else's business.)
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Join {
        /// The process's number for it.
        pub request: RequestId,
        /// Which provider of the group it will be on its node.
        pub instance: i16,
        /// What the group is like, or is to be like.
        pub attributes: Attributes,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A join or subscription is accepted. It is not carried out yet.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Accepted {
        /// Which.
        pub request: RequestId,
        /// From now on.
        pub token: Token,
        /// The group.
        pub group: GroupId,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A request is not carried out.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct DelayedError {
        /// Which.
        pub request: RequestId,
        /// Whose it was; none before a token was given.
        pub token: Option<Token>,
        /// What it was.
        pub kind: MessageKind,
        /// Why not.
        pub code: ErrorCode,
        /// The same for people.
        pub text: Text,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A process wants to be told what becomes of a group.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Subscribe {
        /// The process's number for it.
        pub request: RequestId,
        /// The group.
        pub group: GroupName,
        /// What it wants to know.
        pub subscription: Subscription,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A message that says nothing but whose it is.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Signal {
        /// Whose.
        pub token: Token,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A message that says nothing.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Plain {
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A provider proposes something.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Propose {
        /// The process's number for it.
        pub request: RequestId,
        /// Whose it is.
        pub token: Token,
        /// How it is to be voted on.
        pub voting: Voting,
        /// In which view it makes sense; none: in any.
        pub view: Option<ViewId>,
        /// What.
        pub wish: Wish,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A provider votes.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Vote {
        /// Whose it is.
        pub token: Token,
        /// In which protocol.
        pub protocol: ProtocolId,
        /// In which phase.
        pub phase: u32,
        /// What it says.
        pub ballot: Ballot,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A provider that is to be expelled has deactivated itself, or could not.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Deactivated {
        /// Whose it is.
        pub token: Token,
        /// In which protocol.
        pub protocol: ProtocolId,
        /// Whether it could.
        pub successful: bool,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// Is the process still there? The same number comes back.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Ping {
        /// Any number.
        pub nonce: u64,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A process has taken everything of a group up to here.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Acknowledge {
        /// Whose it is.
        pub token: Token,
        /// Up to here.
        pub sequence: Sequence,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A phase of a protocol begins, and its voters are to vote.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Phase {
        /// For whom.
        pub token: Token,
        /// Which group.
        pub group: GroupId,
        /// What the group has been told with this.
        pub sequence: Sequence,
        /// How it has come here.
        pub summary: Summary,
        /// The protocol, with its phase.
        pub open: Open,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A protocol has ended.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Ended {
        /// For whom.
        pub token: Token,
        /// Which group.
        pub group: GroupId,
        /// What the group has been told with this.
        pub sequence: Sequence,
        /// Which protocol.
        pub protocol: ProtocolId,
        /// What it was about.
        pub kind: ProtocolKind,
        /// How many phases there were.
        pub phases: u32,
        /// How it has come here.
        pub summary: Summary,
        /// The membership from now on.
        pub view: ViewId,
        /// A digest of it, to be compared with one's own.
        pub digest: u64,
        /// What was proposed; approved, what is now.
        pub proposal: Box<Proposal>,
        /// The whole group, for those that have just joined.
        pub snapshot: Option<Box<Snapshot>>,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// Something else that the providers of a group should know.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Announcement {
        /// For whom.
        pub token: Token,
        /// Which group.
        pub group: GroupId,
        /// What the group has been told with this.
        pub sequence: Sequence,
        /// What.
        pub flags: AnnouncementFlags,
        /// Of whom.
        pub providers: Vec<ProviderId>,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// What has become of a group, for a subscriber.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Notice {
        /// For whom.
        pub token: Token,
        /// Which group.
        pub group: GroupId,
        /// What the group has been told with this.
        pub sequence: Sequence,
        /// The membership from now on.
        pub view: ViewId,
        /// The state value.
        pub state: Option<StateValue>,
        /// Who is there.
        pub members: Option<Vec<ProviderId>>,
        /// Who has joined.
        pub joined: Vec<ProviderId>,
        /// Who has gone, and why.
        pub left: Vec<super::proposal::Leave>,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A group, or the domain, is no more.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Dissolved {
        /// For whom; none: for everybody in the process.
        pub token: Option<Token>,
        /// Why.
        pub reason: DissolveReason,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// Another coordinator leads the domain.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Redirect {
        /// Its reign.
        pub epoch: Epoch,
        /// Where it is.
        pub address: Text,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A group as it is, for who asks for it.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct View {
        /// For whom.
        pub token: Token,
        /// The group.
        pub snapshot: Box<Snapshot>,
        /// What else is said.
        pub extensions: Extensions,
    }
}

impl core::fmt::Debug for Enter {
    /// Without the credentials.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { node, incarnation, reports, .. } = self;
        let mut shown = f.debug_struct("Enter");
        shown.field("node", node).field("incarnation", incarnation).field("reports", reports).finish_non_exhaustive()
    }
}

macro_rules! messages {
    ($(#[$doc:meta])* pub enum Message { $($(#[$variant_doc:meta])* $variant:ident($ty:ty) = $kind:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[non_exhaustive]
        pub enum Message {
            $($(#[$variant_doc])* $variant($ty),)+
            /// One that is not known, as it came. It is skipped.
            Unknown {
                /// Which it is.
                kind: MessageKind,
                /// Its body.
                body: Bytes,
            },
        }

        impl Native for Message {
            const PROTOCOL: Protocol = Protocol::GROUP;

            fn kind(&self) -> u8 {
                match self {
                    $(Self::$variant(_) => MessageKind::$kind.0,)+
                    Self::Unknown { kind, .. } => kind.0,
                }
            }

            fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => stringify!($variant),)+
                    Self::Unknown { .. } => "Unknown",
                }
            }

            fn parse(kind: u8, flags: FrameFlags, whole: &Bytes) -> Result<Self, DecodeError> {
                Ok(match MessageKind(kind) {
                    $(MessageKind::$kind => {
                        Self::$variant(Value::parse(&mut Body::new(stringify!($variant), whole), "body")?)
                    })+
                    _ if flags.contains(FrameFlags::CRITICAL) => {
                        let reason = "a message that must be understood";
                        return Err(DecodeError::unsupported("Header", "kind", reason, u64::from(kind)));
                    }
                    kind => Self::Unknown { kind, body: whole.clone() },
                })
            }

            fn body_len(&self) -> usize {
                match self {
                    $(Self::$variant(message) => message.encoded_len(),)+
                    Self::Unknown { body, .. } => body.len(),
                }
            }

            fn check(&self) -> Result<(), EncodeError> {
                match self {
                    $(Self::$variant(message) => message.check(stringify!($variant), "body"),)+
                    Self::Unknown { kind, .. } if kind.name().is_some() => {
                        Err(EncodeError::Invalid { message: "Unknown", field: "kind", reason: "a kind that is known" })
                    }
                    Self::Unknown { .. } => Ok(()),
                }
            }

            fn write_body(&self, writer: &mut Writer<'_>) {
                match self {
                    $(Self::$variant(message) => message.write(writer),)+
                    Self::Unknown { body, .. } => writer.put(body),
                }
            }
        }
    };
}

messages! {
    /// Any message between a process and its coordinator.
    pub enum Message {
        /// A process enters the domain.
        Enter(Box<Enter>) = ENTER,
        /// A process wants to be a provider.
        Join(Box<Join>) = JOIN,
        /// A process wants to be told.
        Subscribe(Subscribe) = SUBSCRIBE,
        /// It wants that no longer.
        Unsubscribe(Signal) = UNSUBSCRIBE,
        /// A provider proposes something.
        Propose(Box<Propose>) = PROPOSE,
        /// A provider votes.
        Vote(Vote) = VOTE,
        /// A provider has deactivated itself, or could not.
        Deactivated(Deactivated) = DEACTIVATED,
        /// A provider goes at once.
        Goodbye(Signal) = GOODBYE,
        /// A process leaves the domain.
        Quit(Plain) = QUIT,
        /// It is still there.
        Pong(Ping) = PONG,
        /// It has taken everything up to here.
        Acknowledge(Acknowledge) = ACKNOWLEDGE,
        /// It wants the whole of a group.
        Resynchronise(Signal) = RESYNCHRONISE,
        /// A process is in the domain.
        Welcome(Welcome) = WELCOME,
        /// A request is accepted.
        Accepted(Accepted) = ACCEPTED,
        /// A request is not carried out.
        DelayedError(DelayedError) = DELAYED_ERROR,
        /// A phase begins.
        Phase(Phase) = PHASE,
        /// A protocol has ended, approved.
        Approved(Box<Ended>) = APPROVED,
        /// A protocol has ended, rejected.
        Rejected(Box<Ended>) = REJECTED,
        /// Something else.
        Announcement(Announcement) = ANNOUNCEMENT,
        /// For a subscriber.
        Notice(Notice) = NOTICE,
        /// Is the process still there?
        Ping(Ping) = PING,
        /// A group, or the domain, is no more.
        Dissolved(Dissolved) = DISSOLVED,
        /// Another coordinator leads the domain.
        Redirect(Redirect) = REDIRECT,
        /// A group as it is.
        View(View) = VIEW,
    }
}
