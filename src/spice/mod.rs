//! SPICE client migration: moving a remote-desktop client with the virtual machine that it watches.
//!
//! Spoken on the real wire (QEMU, spice-gtk), in the three schemes: semi-seamless, seamless and
//! switch-host. The normative text is spec/spice.md.
//!
//! * Messages: [`ServerMessage`], [`ClientMessage`] and the types of their variants; the link stage's in
//!   [`link`].
//! * Bytes to messages of one link: [`connection`] for a live link, [`stream`] for a passive one.
//! * The roles, each a machine over messages: [`source::Source`], [`target::Target`], [`client::Client`].
//! * Machines with their connections, bytes in and bytes out: [`endpoint`].

pub mod client;
pub mod common;
pub mod connection;
mod dst_info;
pub mod endpoint;
mod header;
mod ids;
pub mod link;
pub mod main_channel;
mod message;
pub mod migrate_data;
pub mod source;
pub mod stream;
mod sub_list;
pub mod target;

pub use dst_info::{DstInfo, MigrateBeginSeamless};
pub use header::{DataHeader, HeaderKind, Packet};
pub use ids::{
    Capabilities, ChannelId, ChannelType, ClientId, CommonCaps, LinkError, LinkId, MainCaps, Mechanism, MigrateFlags,
    MouseModes, Port,
};
pub use message::{ClientMessage, Message, ServerMessage, Unknown};
pub use sub_list::{SubList, sub_messages};
