//! The native frame: what this crate's own protocols travel in.
//!
//! One small header, a hello by which both ends of a link say what they speak, and a close with a reason. A link can
//! carry several protocols, and whoever passes frames on need not know what is in them. The normative text is
//! spec/frame.md.
//!
//! * [`Frame`] and its [`Header`]; [`FrameStream`] takes frames off a byte stream.
//! * [`Hello`] and [`Close`], the two messages that every link has.
//! * [`Extensions`]: what a message may hold behind the fields that are known today.
//! * [`link::Link`]: a link over frames, from hello to close; [`connection::Connection`]: the same over bytes.

mod body;
mod close;
pub mod connection;
mod extension;
mod header;
mod hello;
pub mod link;
mod links;
mod message;
mod stream;
#[cfg(test)]
mod tests;
mod text;
mod value;

pub(crate) use body::Body;
pub use close::{Close, CloseReason};
pub use extension::{Extension, ExtensionType, Extensions};
pub use header::{Frame, FrameFlags, Header, Protocol};
pub use hello::{Capabilities, Hello, Identity, LongIdentity, Offer, Settled, Spoken, VersionRange};
pub(crate) use links::{Effect, Links};
pub(crate) use message::write_frame;
pub use message::{Framed, Native};
pub use stream::FrameStream;
pub use text::{InvalidText, Text};
pub(crate) use value::{Value, number_values, record, run};
