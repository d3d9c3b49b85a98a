//! Any value of the Replication Manager's room, and bytes in layouts that we would not write.
//!
//! | function | gives |
//! |---|---|
//! | [`message`], [`established`] | any message, any message of an established connection of a version |
//! | [`segments`], [`app_message`], [`app_response`], [`response_error`] | what applications say |
//! | [`permanent`], [`replication`], [`own_message`], [`membership`] | what sites say |
//! | [`handshake`], [`proposal`], [`legacy`], [`confirmation`], [`parameters`] | the steps of establishing a connection |
//! | [`host`], [`site_address`], [`site_parameters`], [`control`], [`version_range`] | their parts |
//! | [`conversation`] | all that one end of a connection sends |
//! | [`odd_block`], [`odd_app_message`] | segments laid out as a peer could, and we would not |
//! | [`damaged_message`] | one with a few changes to its bytes |
//!
//! The oracles are in [`repmgr_codec`](super::repmgr_codec). With the `proptest` feature each generator is a strategy
//! in `strategies`; with the `arbitrary` feature the types themselves are `Arbitrary`.

mod conversation;
mod handshake;
mod messages;
mod odd;
mod own;
#[cfg(feature = "proptest")]
#[cfg_attr(docsrs, doc(cfg(feature = "proptest")))]
pub mod strategies;

#[cfg(feature = "arbitrary")]
mod arbitrary;

pub use conversation::{Conversation, conversation};
pub use handshake::{
    confirmation, control, handshake, host, legacy, parameters, proposal, site_address, site_parameters, version,
    version_range,
};
pub use messages::{
    app_message, app_response, established, header, message, message_flags, permanent, replication, response_error,
    segments,
};
pub use odd::{damaged_message, odd_app_message, odd_block};
pub use own::{membership, own_message, site_request};
