//! Redirect and deferral: a busy server sends its clients on, an able server never turns away one that has been round
//! the block, and the walk always ends.
//!
//! The design is ChangeSafe's, with its holes closed, on [native frames](crate::frame); its own text protocol of 2000 is
//! in [`text`]. The normative text is spec/deferral.md.
//!
//! * Messages: [`message`]; servers are named by [`ServerUri`].
//! * The roles, each a machine over messages: [`client::Client`] (the walk from server to server), [`server::Server`]
//!   (who is admitted, who waits, who is sent on).
//! * The same over bytes: [`endpoint`].

pub mod client;
pub mod endpoint;
mod ids;
pub mod message;
pub mod server;
pub mod text;
mod uri;

pub use ids::{DeferKind, MessageKind, RefusalCode, RequestFlags, RequestId, ServerAbilities, ServerId, capability};
pub use uri::{ServerUri, UriError};
