//! Any value of the TDS 5.0 room, and bytes in layouts that we would not write.
//!
//! | function | gives |
//! |---|---|
//! | [`token`] | any token that needs no other, as this crate's types make it |
//! | [`Tokens`], [`tokens`] | tokens in a row, with values that fit the last format |
//! | [`format`](fn@format), [`columns`], [`cells`], [`values`] | formats of every data type, and what they describe |
//! | [`login`], [`login_record`], [`capabilities`], [`mask`] | the parts of a login message, in our layout and in odd ones |
//! | [`migration`], [`request`], [`address`], [`session_id`] | the messages of the exchange |
//! | [`odd_migration`], [`address_text`] | the same as a peer could lay it out |
//! | [`packet_header`], [`packets`], [`conversation`] | packets, and all that one end of a connection sends |
//! | [`odd_token`] | bytes that a peer could send and we would not |
//!
//! The oracles are in [`tds5_codec`](super::tds5_codec). With the `proptest` feature each generator is a strategy in
//! `strategies`; with the `arbitrary` feature the types themselves are `Arbitrary`.

mod conversation;
mod format;
mod login;
mod migration;
mod odd;
#[cfg(feature = "proptest")]
#[cfg_attr(docsrs, doc(cfg(feature = "proptest")))]
pub mod strategies;
mod token;

#[cfg(feature = "arbitrary")]
mod arbitrary;

pub use conversation::{Conversation, Said, Spoken, conversation, packet_header, packet_size, packets, payload_of};
pub use format::{
    Cell, cells, column, columns, data_type, format, format_kind, unknown_data_type, unreadable_format, values,
    values_of,
};
pub use login::{capabilities, login, login_record, login_record_bytes, mask, session_id};
pub use migration::{address, address_text, fail_reason, migration, odd_migration, options, request};
pub use odd::odd_token;
pub use token::{
    Tokens, byte_order, control, done, eed, environment_change, language, login_ack, message, message_id, notice,
    option_command, other, token, tokens,
};
