//! What goes into a source and what comes out.

use crate::limits::SpiceLimits;
pub use crate::machine::AttemptId;
use crate::spice::DstInfo;
use crate::spice::header::Packet;
use crate::spice::ids::{ChannelId, ClientId, LinkId, MainCaps, MigrateFlags};
use crate::spice::message::{ClientMessage, ServerMessage};
use bytes::Bytes;
use core::time::Duration;

/// A source's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// Whether the seamless scheme may be used. Default true.
    #[doc(alias = "seamless-migration")]
    pub seamless: bool,
    /// The version that MIGRATE_BEGIN_SEAMLESS announces. Default 1.
    pub migration_version: u32,
    /// How long clients may take to link to the target. Default 10 s.
    pub connect_timeout: Duration,
    /// How long clients may take to leave once the virtual machine has gone. Default 10 s.
    pub disconnect_timeout: Duration,
    /// Bounds.
    pub limits: SpiceLimits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seamless: true,
            migration_version: 1,
            connect_timeout: Duration::from_secs(10),
            disconnect_timeout: Duration::from_secs(10),
            limits: SpiceLimits::DEFAULT,
        }
    }
}

/// What goes into a [`Source`](super::Source).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// A client's main channel is linked.
    Attached {
        /// The client's number, never used before.
        client: ClientId,
        /// The link of its main channel.
        link: LinkId,
        /// What it can do on its main channel.
        caps: MainCaps,
        /// Whether it is still arriving from another server: then [`Input::Settled`] follows.
        arriving: bool,
    },
    /// Another channel of a client is linked.
    ChannelAttached {
        /// The client.
        client: ClientId,
        /// The link.
        link: LinkId,
        /// The channel.
        channel: ChannelId,
        /// What its MIGRATE asks for; [`MigrateFlags::for_channel`] is what real servers ask.
        flags: MigrateFlags,
    },
    /// A client that was arriving has arrived.
    Settled(ClientId),
    /// A link has closed, or broken.
    Closed(LinkId),
    /// A client's message came.
    Message {
        /// The link.
        link: LinkId,
        /// The message.
        packet: Packet<ClientMessage>,
    },
    /// Send a message. Refused once the client was told to go: it would be lost.
    Send {
        /// The link.
        link: LinkId,
        /// The message; migration's own are refused.
        packet: Packet<ServerMessage>,
    },
    /// The virtual machine is going to move there. Again and again, if need be: the last one counts.
    #[doc(alias = "client_migrate_info")]
    #[doc(alias = "spice_server_migrate_connect")]
    MigrateInfo(DstInfo),
    /// The virtual machine runs at the destination now.
    #[doc(alias = "spice_server_migrate_end")]
    VmCompleted,
    /// The virtual machine could not be moved and stays here.
    VmFailed,
    /// Moving the virtual machine was given up; it stays here.
    VmCancelled,
    /// The state of a channel, as [`Event::MigrateDataWanted`] asked.
    MigrateData {
        /// The link of the channel.
        link: LinkId,
        /// What the target needs; not empty.
        data: Bytes,
    },
    /// The instant of [`poll_timeout`](crate::machine::Machine::poll_timeout) has come.
    Timeout,
}

/// What a [`Source`](super::Source) wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Send a message.
    Send {
        /// On this link.
        link: LinkId,
        /// The message.
        packet: Packet<ServerMessage>,
    },
    /// Close a link. What was sent before still goes out.
    Close(LinkId),
    /// Something that the application should know.
    Event(Event),
}

/// How an attempt ended. Each attempt ends exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The virtual machine has moved and every client is gone, at the latest after the disconnect timer.
    #[doc(alias = "SPICE_MIGRATE_COMPLETED")]
    #[doc(alias = "migrate_end_complete")]
    Completed,
    /// The virtual machine stays.
    Aborted,
    /// Another destination was announced.
    Superseded,
}

/// Why a client is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientLoss {
    /// Its main channel was closed or broke.
    Closed,
    /// It broke the protocol.
    Violation,
    /// It did not leave in time, or did not arrive in time.
    Deadline,
}

/// What the application should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// An attempt has begun.
    Started(AttemptId),
    /// Clients are as ready as they will be: all have answered, or the connect timer has passed. Once for
    /// each attempt, unless it ends before.
    #[doc(alias = "migrate_connect_complete")]
    ClientsReady {
        /// The attempt's number.
        attempt: AttemptId,
        /// Whether one client at least is linked to the target.
        connected: bool,
    },
    /// An attempt has ended.
    Ended {
        /// The attempt's number.
        attempt: AttemptId,
        /// How it ended.
        outcome: Outcome,
    },
    /// The client has sent its last message on this channel: answer with [`Input::MigrateData`].
    MigrateDataWanted {
        /// The link of the channel.
        link: LinkId,
        /// The channel.
        channel: ChannelId,
    },
    /// A message that is not about migration.
    Message {
        /// The link.
        link: LinkId,
        /// The message.
        packet: Packet<ClientMessage>,
    },
    /// A client is gone, with all its links.
    ClientGone {
        /// The client.
        client: ClientId,
        /// Why.
        reason: ClientLoss,
    },
}
