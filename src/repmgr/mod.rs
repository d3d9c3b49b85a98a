//! Berkeley DB message channels: applications' messages and requests between the sites of a replication group, on the
//! wire of the Replication Manager of libdb 5.3.
//!
//! A channel is a connection of its own to a site's ordinary port, and whoever opens it need not be a member of the
//! group: a Rust program talks to real sites, in both directions, and to other Rust programs. The normative text is
//! spec/repmgr.md.
//!
//! * Messages: [`message`], [`handshake`], [`own`]; the segments that they are made of: [`Segments`].
//! * Bytes to messages of one direction of a link: [`stream`].
//! * The machines over messages: [`connection::Connection`] (one link), [`channel::Channel`] (messages and requests to
//!   a site or to the master), [`dispatcher::Dispatcher`] (messages and requests that come in).
//! * All of them together, bytes in and bytes out: [`endpoint`].

pub mod channel;
pub mod connection;
pub mod dispatcher;
pub mod endpoint;
pub mod handshake;
mod header;
mod host;
mod ids;
pub mod message;
pub mod own;
mod segments;
pub mod stream;
mod via;

pub use header::Header;
pub use host::{Host, SiteAddress};
pub use ids::{AckPolicy, ConnectionFlags, ErrorCode, MessageFlags, MessageType, OwnMessageType, SiteStatus, Version};
pub use segments::{SegmentTable, Segments};
pub use via::Via;
