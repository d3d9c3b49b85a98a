//! Machines with their connections: bytes in and bytes out, for all links of one party.
//!
//! What a driver needs and nothing more: it dials and closes sockets, moves bytes, encrypts or judges
//! tickets, and wakes up at [`poll_timeout`](ClientEndpoint::poll_timeout). All effects come out of one
//! ordered queue.

mod client;
mod server;

pub use client::{ClientEndpoint, ClientOutput};
pub use server::{ServerCommand, ServerConfig, ServerEndpoint, ServerEvent, ServerOutput};

use crate::error::{DecodeError, EncodeError, Error};
use crate::spice::ids::LinkId;

/// What an endpoint can report beside its outputs. Whatever it is, the endpoint is consistent and its
/// outputs are to be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The machine says that its caller or the peer is wrong.
    #[error(transparent)]
    Machine(#[from] Error),
    /// The peer sent something malformed; the link is closed.
    #[error("link {}: {error}", link.0)]
    Decode {
        /// The link.
        link: LinkId,
        /// What is wrong.
        error: DecodeError,
    },
    /// Something cannot be put on the wire. Nothing was sent.
    #[error("link {}: {error}", link.0)]
    Encode {
        /// The link.
        link: LinkId,
        /// What is wrong.
        error: EncodeError,
    },
}
