//! Both roles over bytes: each link says hello, and carries their messages (spec/deferral.md 1.2).

mod client;
mod server;
#[cfg(test)]
mod tests;

pub use client::{ClientConfig, ClientEndpoint, ClientOutput};
pub use server::{ServerConfig, ServerEndpoint, ServerOutput};

use super::capability::REPLAYS;
use super::ids::ServerId;
use crate::error::Error;
use crate::frame::{Close, CloseReason, Hello, Identity, Offer, Protocol};

/// A hello that offers this protocol, with all that this crate can do.
fn hello(identity: Identity, boot: u32) -> Hello {
    Hello { identity, boot, ..Hello::new([Offer::new(Protocol::DEFERRAL, REPLAYS)]) }
}

/// The id that a server says by its identity: all of its 16 bytes, or none.
fn server_id(identity: &Identity) -> ServerId {
    identity.as_bytes().try_into().map_or(ServerId::UNKNOWN, ServerId)
}

/// Why a machine wants a link closed.
fn close(result: Result<(), Error>) -> Close {
    Close::new(if matches!(result, Err(Error::Violation(_))) { CloseReason::VIOLATION } else { CloseReason::DONE })
}
