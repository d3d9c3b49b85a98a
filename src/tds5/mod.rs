//! Open Server connection migration: moving a client of a Sybase-style server on the TDS 5.0 wire.
//!
//! The normative text is spec/tds5.md.

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
pub use secret::{Password, SessionId};
