//! Open Server connection migration: moving a client of a Sybase-style server on the TDS 5.0 wire.
//!
//! The server asks the client to go to another server, the client says when it is ready, the server says go, and the
//! client logs in there and goes on in the middle of its results. Either of them can take it back until then. The
//! normative text is spec/tds5.md.
//!
//! * Packets, login record, capabilities and tokens: [`packet`], [`login`], [`capability`], [`token`]; the messages
//!   of the migration: [`migration`].
//! * Bytes to items of one link: [`connection`] for a live link, [`stream`] for a passive one.
//! * The roles, each a machine over items: [`server::Server`] (the one that is left), [`target::Target`] (the one that
//!   is come to), [`client::Client`].
//! * Machines with their connections, bytes in and bytes out: [`endpoint`].

pub mod capability;
pub mod client;
pub mod connection;
pub mod endpoint;
mod ids;
mod ledger;
pub mod login;
pub mod migration;
pub mod packet;
mod secret;
pub mod server;
pub mod stream;
pub mod target;
pub mod token;

pub use ids::{DoneStatus, MessageId, PacketStatus, PacketType, TokenType};
pub use secret::{SessionId, ZeroSessionId};
