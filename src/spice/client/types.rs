//! What goes into a client and what comes out.

use crate::limits::SpiceLimits;
pub use crate::machine::AttemptId;
use crate::spice::DstInfo;
use crate::spice::header::Packet;
use crate::spice::ids::{Capabilities, ChannelId, CommonCaps, LinkError, LinkId, MainCaps, Port};
use crate::spice::message::{ClientMessage, ServerMessage};
use crate::wire::Payload;
use bytes::Bytes;
use core::time::Duration;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Address {
    /// Name or address, as the server or the application gave it; UTF-8 in practice.
    pub host: Bytes,
    /// The port without TLS.
    pub port: Port,
    /// The port with TLS.
    pub tls_port: Port,
    /// The subject that the certificate must have; without one the host's name is verified.
    pub cert_subject: Option<Bytes>,
}

impl Address {
    /// An address of the application's.
    #[must_use]
    pub fn new(host: &str, port: Port, tls_port: Port, cert_subject: Option<&str>) -> Self {
        Self {
            host: Bytes::copy_from_slice(host.as_bytes()),
            port,
            tls_port,
            cert_subject: cert_subject.map(|subject| Bytes::copy_from_slice(subject.as_bytes())),
        }
    }
}

impl From<&DstInfo> for Address {
    fn from(dst: &DstInfo) -> Self {
        let own = |part: &[u8]| Bytes::copy_from_slice(part);
        Self {
            host: own(dst.host()),
            port: dst.port(),
            tls_port: dst.tls_port(),
            cert_subject: dst.cert_subject().map(own),
        }
    }
}

/// Which of a server's ports may be used (spec/spice.md 5.7). There is no way back from TLS to plain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum TlsPolicy {
    /// The plain port first, if there is one, and TLS where the server wants it. What real clients do.
    #[default]
    AsServerWants,
    /// TLS always; a server without a TLS port cannot be reached.
    Required,
}

/// A client's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// What the client can do on every channel. Default: AUTH_SELECTION, AUTH_SPICE, MINI_HEADER.
    pub common_caps: CommonCaps,
    /// What it can do on its main channel. Default: all four capabilities. Without
    /// [`MainCaps::SEAMLESS_MIGRATE`] servers use the semi-seamless scheme, without
    /// [`MainCaps::SEMI_SEAMLESS_MIGRATE`] switch-host.
    pub main_caps: MainCaps,
    /// Ports. Default: [`TlsPolicy::AsServerWants`].
    pub tls: TlsPolicy,
    /// Whether the machine answers PING and SET_ACK and counts acknowledgements by itself (default), or
    /// leaves all three to the application.
    pub auto_reply: bool,
    /// How long linking to a target, or to a first server, may take in all. Default 8 s: less than the 10 s
    /// after which the source stops waiting for the answer.
    pub connect_timeout: Duration,
    /// How long the switch itself may take: from MIGRATE_END to the target's INIT, or from the first
    /// channel's MIGRATE to the last channel's move. Default 10 s, as long as the source waits.
    pub switch_timeout: Duration,
    /// Bounds.
    pub limits: SpiceLimits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            common_caps: CommonCaps::AUTH_SELECTION | CommonCaps::AUTH_SPICE | CommonCaps::MINI_HEADER,
            main_caps: MainCaps::SEMI_SEAMLESS_MIGRATE
                | MainCaps::NAME_AND_UUID
                | MainCaps::AGENT_CONNECTED_TOKENS
                | MainCaps::SEAMLESS_MIGRATE,
            tls: TlsPolicy::default(),
            auto_reply: true,
            connect_timeout: Duration::from_secs(8),
            switch_timeout: Duration::from_secs(10),
            limits: SpiceLimits::DEFAULT,
        }
    }
}

/// Wishes of the application.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Command {
    /// Start a session. Once.
    Connect(Address),
    /// Open one more channel, with these channel capabilities. Between two servers it waits for the new one.
    OpenChannel {
        /// The channel; not the main channel, which [`Command::Connect`] opens.
        channel: ChannelId,
        /// What the client can do on it.
        caps: Capabilities,
    },
    /// Close one channel; not the main channel.
    CloseChannel(ChannelId),
    /// Send a message. Where the channel is on its way from one server to the other, the message waits and
    /// goes to the new one. Migration's own messages are refused.
    Send {
        /// The channel.
        channel: ChannelId,
        /// The message.
        packet: Packet<ClientMessage>,
    },
    /// Give up connecting to the target: the source is told that it failed.
    Abandon,
    /// Close everything.
    Disconnect,
}

/// Why a link could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkFailure {
    /// The transport (TCP or TLS) could not be set up, or broke.
    Transport,
    /// The server refused the link.
    Refused(LinkError),
    /// The server refused the ticket.
    Denied(LinkError),
    /// What the server sent was malformed.
    Malformed,
}

/// What goes into a [`Client`](super::Client).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// A wish of the application.
    Command(Command),
    /// The link stage of a link that was asked for is over.
    Opened {
        /// The link.
        link: LinkId,
        /// The server's capabilities for this channel.
        caps: Capabilities,
    },
    /// A link that was asked for cannot be had.
    OpenFailed {
        /// The link.
        link: LinkId,
        /// Why.
        reason: LinkFailure,
    },
    /// A link has closed, or broken.
    Closed(LinkId),
    /// A message came.
    Message {
        /// The link.
        link: LinkId,
        /// The message.
        packet: Packet<ServerMessage>,
    },
    /// The instant of [`poll_timeout`](crate::machine::Machine::poll_timeout) has come.
    Timeout,
}

/// What a [`Client`](super::Client) wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Dial `address` (its TLS port if `tls`, and then verify the certificate against it), and go through
    /// the link stage.
    Open {
        /// The number of the new link.
        link: LinkId,
        /// The channel.
        channel: ChannelId,
        /// Where.
        address: Address,
        /// Which of the two ports.
        tls: bool,
        /// For the link message: 0 for a new session.
        connection_id: u32,
        /// For the link message: capabilities of the channel.
        caps: Capabilities,
    },
    /// Send a message.
    Send {
        /// On this link.
        link: LinkId,
        /// The message.
        packet: Packet<ClientMessage>,
    },
    /// Close a link, or stop dialling it. What was sent before still goes out.
    Close(LinkId),
    /// Stop reading from a link: nothing may be acted upon before the switch. (What comes all the same is
    /// held, up to [`SpiceLimits::held_messages`].)
    Pause(LinkId),
    /// Read from it again.
    Resume(LinkId),
    /// Something that the application should know.
    Event(Event),
}

/// The three schemes of migration (spec/spice.md 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Scheme {
    /// Close, and start a new session at the new server.
    SwitchHost,
    /// Link first, then switch; channels start afresh.
    SemiSeamless,
    /// Link first, then move each channel with its state.
    Seamless,
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// A link to the target could not be had.
    Link(LinkFailure),
    /// There is no port that may be used.
    NoPort,
    /// The source moves a session that has no id yet.
    NoSession,
    /// The time for it has passed.
    Deadline,
    /// The target broke the protocol.
    Target,
    /// The application gave it up.
    Abandoned,
    /// The session ended.
    Disconnected,
}

/// How an attempt ended. Each attempt ends exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The session is at the new server.
    Switched(Scheme),
    /// The source took it back; the session is where it was.
    Cancelled,
    /// It could not be done; the session is where it was, unless it ended.
    Failed(Failure),
    /// The source started another attempt.
    Superseded,
}

/// Why a channel was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelLoss {
    /// Its link could not be had.
    Link(LinkFailure),
    /// Its link was closed or broke.
    Closed,
    /// The application closed it.
    Application,
    /// A new session has started, in which no channel but the main channel is open yet.
    NewSession,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Disconnect {
    /// The application wanted it.
    Application,
    /// The main channel could not be had.
    Link(LinkFailure),
    /// There is no port that may be used.
    NoPort,
    /// The main channel was closed or broke.
    Closed,
    /// The time for opening or switching has passed.
    Deadline,
    /// The server broke the protocol.
    Violation,
}

/// What the application should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A channel is open and starts afresh (at the first server, or at a new one).
    Linked {
        /// The channel.
        channel: ChannelId,
        /// The server's capabilities for it.
        caps: Capabilities,
    },
    /// A channel is closed.
    ChannelClosed {
        /// The channel.
        channel: ChannelId,
        /// Why.
        reason: ChannelLoss,
    },
    /// A message that is not about migration.
    Message {
        /// The channel.
        channel: ChannelId,
        /// The message.
        packet: Packet<ServerMessage>,
    },
    /// The server wants the session to move.
    MigrationStarted {
        /// The attempt's number.
        attempt: AttemptId,
        /// How.
        scheme: Scheme,
        /// Where to.
        address: Address,
    },
    /// Every channel is linked to the target; the source decides when to switch.
    MigrationReady {
        /// The attempt's number.
        attempt: AttemptId,
        /// How; a target that cannot do seamless has made it semi-seamless.
        scheme: Scheme,
    },
    /// An attempt has ended. After [`Scheme::SemiSeamless`] channels start afresh: caches are to be dropped.
    MigrationEnded {
        /// The attempt's number.
        attempt: AttemptId,
        /// How it ended.
        outcome: Outcome,
    },
    /// The session has ended; the last event.
    Disconnected(Disconnect),
}

/// Whether a message belongs to migration and is the machine's alone to send.
pub(super) fn is_reserved(message: &ClientMessage<impl Payload>) -> bool {
    matches!(
        message,
        ClientMessage::MigrateFlushMark
            | ClientMessage::MigrateData(_)
            | ClientMessage::MigrateConnected
            | ClientMessage::MigrateConnectError
            | ClientMessage::MigrateConnectedSeamless
            | ClientMessage::MigrateEnd
            | ClientMessage::MigrateDstDoSeamless(_)
    )
}
