//! Machines with their connections: bytes in and bytes out, for all links of one party.
//!
//! What a driver needs and nothing more: it dials and closes sockets, moves bytes, encrypts or judges
//! tickets, and wakes up at [`poll_timeout`](ClientEndpoint::poll_timeout). All effects come out of one
//! ordered queue.

mod client;
mod server;

pub use client::{ClientEndpoint, ClientOutput};
pub use server::{ServerCommand, ServerConfig, ServerEndpoint, ServerEvent, ServerOutput};

pub use crate::error::EndpointError;
