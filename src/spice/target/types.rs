//! What goes into a target and what comes out.

use crate::limits::SpiceLimits;
use crate::spice::header::Packet;
use crate::spice::ids::{ChannelId, ClientId, LinkError, LinkId, MainCaps};
use crate::spice::main_channel::Init;
use crate::spice::message::{ClientMessage, ServerMessage};
use bytes::Bytes;
use core::time::Duration;

/// A target's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// The newest migration version that can be taken over seamlessly. Default 1.
    pub migration_version: u32,
    /// Whether several clients may be there at once. Then none is taken over seamlessly, and a new client
    /// does not close the old one. Default false.
    pub several_clients: bool,
    /// Whether the header of MIGRATE_DATA is checked for the kinds of channels whose layout is known. Default
    /// true.
    pub check_migrate_data: bool,
    /// How long a client may stay parked: from its main link to MIGRATE_END or the last MIGRATE_DATA. Default
    /// one hour: a large virtual machine takes long to move.
    pub parked_timeout: Duration,
    /// How long it may take once the virtual machine runs here ([`Input::VmRunning`]), and how long the
    /// application may take to give INIT. Default 10 s.
    pub switch_timeout: Duration,
    /// Bounds.
    pub limits: SpiceLimits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            migration_version: 1,
            several_clients: false,
            check_migrate_data: true,
            parked_timeout: Duration::from_secs(3600),
            switch_timeout: Duration::from_secs(10),
            limits: SpiceLimits::DEFAULT,
        }
    }
}

/// What goes into a [`Target`](super::Target).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// A link has passed authentication, and its link result is due: [`Output::Accept`] or
    /// [`Output::Refuse`] says which.
    Link {
        /// The link's number, never used before.
        link: LinkId,
        /// From the link message.
        connection_id: u32,
        /// From the link message.
        channel: ChannelId,
        /// From the link message; only looked at on the main channel.
        caps: MainCaps,
        /// A number for the session, should this be a new one: random, not 0, not in use.
        session_id: u32,
    },
    /// A link has closed, or broken.
    Closed(LinkId),
    /// A client's message came.
    Message {
        /// The link.
        link: LinkId,
        /// The message.
        packet: Packet<ClientMessage>,
    },
    /// Send a message. Refused while the client is parked.
    Send {
        /// The link.
        link: LinkId,
        /// The message. INIT is sent by [`Input::Init`] to a client that arrives.
        packet: Packet<ServerMessage>,
    },
    /// Answers [`Event::InitWanted`]. The session id in it is replaced by the client's.
    Init {
        /// The client.
        client: ClientId,
        /// The rest of INIT.
        init: Init,
    },
    /// A state that came with [`Event::MigrateData`] cannot be used: the client is closed.
    RejectData(LinkId),
    /// The virtual machine runs here now: clients that are parked have little time left.
    VmRunning,
    /// The instant of [`poll_timeout`](crate::machine::Machine::poll_timeout) has come.
    Timeout,
}

/// What a [`Target`](super::Target) wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Send link result 0.
    Accept(LinkId),
    /// Send this link result, then close.
    Refuse {
        /// The link.
        link: LinkId,
        /// The link result.
        error: LinkError,
    },
    /// Send a message.
    Send {
        /// On this link.
        link: LinkId,
        /// The message.
        packet: Packet<ServerMessage>,
    },
    /// Close a link. What was sent before still goes out.
    Close(LinkId),
    /// Stop reading from a link: its channel has not started. (What comes all the same is held, up to
    /// [`SpiceLimits::held_messages`].)
    Pause(LinkId),
    /// Read from it again.
    Resume(LinkId),
    /// Something that the application should know.
    Event(Event),
}

/// How a channel starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Start {
    /// From nothing, as at a first server.
    Afresh,
    /// It goes on from the state that its MIGRATE_DATA will bring.
    Seamless,
}

/// Why a client is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// Its main channel was closed or broke.
    Closed,
    /// It broke the protocol.
    Violation,
    /// Its MIGRATE_DATA cannot be used.
    BadData,
    /// It stayed parked for too long.
    Deadline,
    /// A new client has come, and only one may be there.
    Replaced,
}

/// What the application should know. Between `Attached` of a client that arrives and its `Settled` or `Gone`
/// lies one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A client is there.
    Attached {
        /// Its number.
        client: ClientId,
        /// The link of its main channel.
        link: LinkId,
        /// What it can do on its main channel.
        caps: MainCaps,
        /// The session's id: what INIT must say.
        session_id: u32,
        /// Whether it comes from another server. If not, the application sends INIT.
        arriving: bool,
    },
    /// Another channel of it is there.
    ChannelAttached {
        /// The client.
        client: ClientId,
        /// The link.
        link: LinkId,
        /// The channel.
        channel: ChannelId,
    },
    /// A channel starts: from here on messages pass. Not for main channels.
    ChannelStarted {
        /// The link.
        link: LinkId,
        /// How.
        start: Start,
    },
    /// The client has switched, semi-seamlessly: answer with [`Input::Init`].
    InitWanted {
        /// The client.
        client: ClientId,
        /// The session's id.
        session_id: u32,
    },
    /// A channel's state, to be restored. [`Input::RejectData`] if it cannot be.
    MigrateData {
        /// The link.
        link: LinkId,
        /// The channel.
        channel: ChannelId,
        /// What the source has written.
        data: Bytes,
    },
    /// The client has arrived for good.
    Settled {
        /// The client.
        client: ClientId,
        /// How its channels started.
        start: Start,
    },
    /// A message that is not about migration.
    Message {
        /// The link.
        link: LinkId,
        /// The message.
        packet: Packet<ClientMessage>,
    },
    /// A channel of a client is gone. Not for main channels.
    ChannelGone(LinkId),
    /// A client is gone, with all its links.
    Gone {
        /// The client.
        client: ClientId,
        /// Why.
        reason: Loss,
    },
}
