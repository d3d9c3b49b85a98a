//! Machines with their connections: bytes in and bytes out.
//!
//! What a driver needs and nothing more: it dials and closes sockets, moves bytes, and wakes up at
//! [`poll_timeout`](ServerEndpoint::poll_timeout). All effects come out of one ordered queue.

mod client;
mod server;

pub use crate::error::EndpointError;
pub use client::{ClientEndpoint, ClientOutput};
pub use server::{ServerCommand, ServerConfig, ServerEndpoint, ServerEvent, ServerOutput};
