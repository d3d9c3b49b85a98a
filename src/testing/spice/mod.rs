//! Any value of the SPICE room, and bodies in layouts that we would not write.
//!
//! | function | gives |
//! |---|---|
//! | [`server_message`], [`client_message`] | any message that fits a channel, as this crate's constructors make it |
//! | [`server_message_of`], [`client_message_of`] | one of a given type |
//! | [`server_packet`], [`client_packet`] | the same in a packet, with serials, extra bytes and sub-messages |
//! | [`dst_info`], [`link_mess`], [`link_reply`], … | the parts |
//! | [`odd_server_body`], [`odd_client_body`] | bodies that a peer could send and we would not |
//! | [`odd_link_mess`], [`odd_link_reply`] | the same for the link stage |
//!
//! The operation lists of the machines are in [`spice_machines`](super::spice_machines).
//!
//! With the `proptest` feature each generator is a strategy in `strategies`; with the `arbitrary` feature the
//! types themselves are `Arbitrary`.

mod link;
mod messages;
mod odd;
#[cfg(feature = "proptest")]
#[cfg_attr(docsrs, doc(cfg(feature = "proptest")))]
pub mod strategies;

#[cfg(feature = "arbitrary")]
mod arbitrary;

pub use link::{link_mess, link_reply, odd_link_mess, odd_link_reply, ticket};
pub use messages::{
    Sample, any_channel_type, capabilities, channel_id, client_message, client_message_of, client_packet, dst_info,
    migrate_begin_seamless, port, server_message, server_message_of, server_packet, sub_list,
};
pub use odd::{odd_client_body, odd_dst_info, odd_server_body};
