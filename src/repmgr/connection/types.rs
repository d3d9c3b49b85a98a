//! What goes into a connection and what comes out.

use crate::limits::RepmgrLimits;
use crate::repmgr::handshake::{Control, SiteParameters, VersionRange};
use crate::repmgr::host::{Host, SiteAddress};
use crate::repmgr::ids::{AckPolicy, ConnectionFlags, Version};
use crate::repmgr::message::{AppMessage, AppResponse, Message, ResponseError};
use crate::repmgr::own::OwnMessage;
use bytes::Bytes;
use core::time::Duration;

/// A connection's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// What this end says of itself.
    pub identity: Identity,
    /// The versions that this end proposes or accepts. Default [`VersionRange::CHANNELS`]: nothing below 4 is settled,
    /// since channels need it.
    pub versions: VersionRange,
    /// How long the transport may take to open. Default 10 s.
    pub dial_timeout: Duration,
    /// How long the peer may take for each step. Default 10 s. libdb waits for ever.
    pub handshake_timeout: Duration,
    /// What to do with a dialler that wants to join the group or to leave it. Default [`MembershipPolicy::Reject`].
    pub membership: MembershipPolicy,
    /// How long the application may take to answer such a dialler. Default 10 s.
    pub membership_timeout: Duration,
    /// Bounds.
    pub limits: RepmgrLimits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            identity: Identity::default(),
            versions: VersionRange::CHANNELS,
            dial_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            membership: MembershipPolicy::Reject,
            membership_timeout: Duration::from_secs(10),
            limits: RepmgrLimits::DEFAULT,
        }
    }
}

/// What an end says of itself. On a connection for channels nobody looks at it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Identity {
    /// Where it listens. Default `localhost`, port 0.
    pub address: SiteAddress,
    /// Its priority in elections. Default 0: it cannot become master.
    pub priority: u32,
    /// Whose acknowledgements it waits for. Default [`AckPolicy::QUORUM`], which is libdb's.
    pub ack_policy: AckPolicy,
}

impl Default for Identity {
    fn default() -> Self {
        let host = Host::new(Bytes::from_static(b"localhost")).unwrap_or_default();
        Self { address: SiteAddress { host, port: 0 }, priority: 0, ack_policy: AckPolicy::QUORUM }
    }
}

impl Identity {
    /// As it stands in a handshake of `version`.
    pub(super) fn parameters(&self, version: Version, flags: ConnectionFlags) -> SiteParameters {
        let mut flags = flags;
        flags.set(ConnectionFlags::ELECTABLE, self.priority > 0);
        let control = match version {
            Version::V2 => Control::V2 { priority: self.priority },
            Version::V3 => Control::V3 { priority: self.priority, flags },
            _ => Control::V4 { alignment: 8, ack_policy: self.ack_policy, flags },
        };
        let SiteAddress { host, port } = self.address.clone();
        SiteParameters { host, port, control, extra: Bytes::new() }
    }
}

/// What a listener does with a dialler that wants something of the group (spec/repmgr.md 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum MembershipPolicy {
    /// It is told that it is no member, by somebody whose list is older than any: it will try again elsewhere.
    Reject,
    /// The application answers.
    Ask,
}

/// What goes into a [`Connection`](super::Connection).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// The transport that was dialled is there.
    Opened,
    /// A message has come.
    Message(Message),
    /// Send a message of an application, or an answer.
    Send(Traffic),
    /// Answer [`Event::MembershipRequest`].
    AnswerMembership(OwnMessage),
    /// What has come is malformed.
    Malformed,
    /// The transport has closed, broken, or could not be opened.
    Closed,
    /// Close the connection.
    Disconnect,
    /// The instant of [`poll_timeout`](crate::machine::Machine::poll_timeout) has come.
    Timeout,
}

impl Input {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Opened => "Opened",
            Self::Message(_) => "Message",
            Self::Send(_) => "Send",
            Self::AnswerMembership(_) => "AnswerMembership",
            Self::Malformed => "Malformed",
            Self::Closed => "Closed",
            Self::Disconnect => "Disconnect",
            Self::Timeout => "Timeout",
        }
    }
}

/// What a [`Connection`](super::Connection) wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Send a message.
    Send(Message),
    /// Close the transport, once everything before is written.
    Close,
    /// Something that others should know.
    Event(Event),
}

/// What travels on a connection that is ready.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Traffic {
    /// A message or a request.
    Message(AppMessage),
    /// The answer to a request.
    Response(AppResponse),
    /// A request that cannot be answered.
    Error(ResponseError),
}

impl From<Traffic> for Message {
    fn from(traffic: Traffic) -> Self {
        match traffic {
            Traffic::Message(message) => Self::App(message),
            Traffic::Response(response) => Self::Response(response),
            Traffic::Error(error) => Self::Error(error),
        }
    }
}

impl crate::hold::Weight for Traffic {
    fn weight(&self) -> usize {
        use crate::wire::Encode as _;
        match self {
            Self::Message(message) => message.segments.encoded_len(),
            Self::Response(response) => response.body.len(),
            Self::Error(_) => 0,
        }
    }
}

/// What others should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// Messages of applications can go both ways.
    Ready(Peer),
    /// Something has come.
    Received(Traffic),
    /// The dialler wants something of the group: answer with [`Input::AnswerMembership`].
    MembershipRequest(OwnMessage),
    /// A message that has no meaning on a connection for channels, by its name on the wire.
    Ignored(&'static str),
    /// The connection is over. Exactly once.
    Closed(CloseReason),
}

/// What the other end says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The version of the protocol.
    pub version: Version,
    /// Where it listens, if it says so.
    pub address: SiteAddress,
    /// What it is, and what the connection is for.
    pub flags: ConnectionFlags,
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The transport could not be opened.
    Unreachable,
    /// It has closed or broken.
    Lost,
    /// It was closed from here.
    Local,
    /// A deadline has passed.
    TimedOut,
    /// There is no version that both can speak.
    Version,
    /// The dialler wanted to replicate; it was told that it is no member.
    NotAChannel,
    /// The dialler wanted something of the group, and was answered.
    Membership,
    /// The peer has sent what it may not.
    Violation,
}
