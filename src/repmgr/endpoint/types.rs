//! What goes into a site's endpoint and what comes out.

use crate::machine::LinkId;
use crate::repmgr::channel::{self, Master, MessageId, RequestId, RequestOptions, To};
use crate::repmgr::connection::{self, CloseReason, Peer};
use crate::repmgr::dispatcher::{self, Handle};
use crate::repmgr::host::SiteAddress;
use crate::repmgr::own::OwnMessage;
use crate::repmgr::segments::Segments;
use bytes::BytesMut;

/// A site's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SiteConfig {
    /// For each link.
    pub connection: connection::Config,
    /// For each channel.
    pub channel: channel::Config,
    /// For what comes in.
    pub dispatcher: dispatcher::Config,
}

/// The number that the caller gives to a channel; it can be used again once the channel is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ChannelId(pub u32);

/// What the application wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SiteCommand {
    /// Have a channel. It is dialled when there is something to send; see [`SiteCommand::Connect`].
    #[doc(alias = "DB_ENV->repmgr_channel")]
    OpenChannel {
        /// The caller's number for it.
        channel: ChannelId,
        /// Which site it is for.
        to: To,
    },
    /// Dial a channel's site now.
    Connect(ChannelId),
    /// Send a message.
    #[doc(alias = "DB_CHANNEL->send_msg")]
    Send {
        /// On this channel.
        channel: ChannelId,
        /// The caller's number for it.
        id: MessageId,
        /// What it consists of.
        segments: Segments,
    },
    /// Send a request.
    #[doc(alias = "DB_CHANNEL->send_request")]
    Request {
        /// On this channel.
        channel: ChannelId,
        /// The caller's number for it.
        id: RequestId,
        /// What it consists of.
        segments: Segments,
        /// What it wants.
        options: RequestOptions,
    },
    /// Accept no more on a channel, and close it when all that was accepted has come to its end.
    #[doc(alias = "DB_CHANNEL->close")]
    CloseChannel(ChannelId),
    /// Close a channel now.
    CloseChannelNow(ChannelId),
    /// Another site is the master, or none is known.
    Master(Option<Master>),
    /// Something takes messages from now on, or nothing does.
    #[doc(alias = "DB_ENV->repmgr_msg_dispatch")]
    Serve(bool),
    /// Answer a request.
    #[doc(alias = "DB_CHANNEL->send_msg")]
    Answer {
        /// The request.
        handle: Handle,
        /// The answer.
        segments: Segments,
    },
    /// Send a message back to where a message has come from.
    Reply {
        /// The message.
        handle: Handle,
        /// What to send.
        segments: Segments,
    },
    /// A message or request is finished.
    Finish(Handle),
    /// Answer [`LinkEvent::MembershipRequest`].
    AnswerMembership {
        /// The link.
        link: LinkId,
        /// The answer.
        answer: OwnMessage,
    },
    /// Close a link that was accepted.
    Disconnect(LinkId),
}

/// What a [`SiteEndpoint`](super::SiteEndpoint) wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SiteOutput {
    /// Open a transport; answer with [`SiteEndpoint::connected`](super::SiteEndpoint::connected) or
    /// [`SiteEndpoint::closed`](super::SiteEndpoint::closed).
    Dial {
        /// The number of the new link.
        link: LinkId,
        /// Where.
        address: SiteAddress,
    },
    /// Write these bytes. When too many wait to be written, say
    /// [`SiteEndpoint::congested`](super::SiteEndpoint::congested).
    Transmit {
        /// On this link.
        link: LinkId,
        /// The bytes.
        bytes: BytesMut,
    },
    /// Close the link, or stop dialling it, once everything before is written. It is not heard of again.
    Close(LinkId),
    /// Stop reading from the link. (Bytes that come all the same are kept.)
    Pause(LinkId),
    /// Read from it again.
    Resume(LinkId),
    /// Something that the application should know.
    Event(SiteEvent),
}

/// What the application should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SiteEvent {
    /// Of a channel. The links in it are those of this endpoint.
    Channel {
        /// The channel.
        channel: ChannelId,
        /// The event.
        event: channel::Event,
    },
    /// Of what has come in. A link in it that is [local](super::SiteEndpoint::is_local) is this site itself.
    Dispatch(dispatcher::Event),
    /// Of a link.
    Link {
        /// The link.
        link: LinkId,
        /// The event.
        event: LinkEvent,
    },
}

/// What there is to know of a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkEvent {
    /// It is ready.
    Ready(Peer),
    /// The dialler wants something of the group: answer with [`SiteCommand::AnswerMembership`].
    MembershipRequest(OwnMessage),
    /// A message that has no meaning here, by its name on the wire.
    Ignored(&'static str),
    /// It is over.
    Closed(CloseReason),
}
