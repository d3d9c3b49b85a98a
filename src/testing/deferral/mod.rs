//! Any message of the deferral protocol, bytes that a peer could send and we would not, and oracles of the codec.
//!
//! | function | gives |
//! |---|---|
//! | [`message`], [`request`], [`defer`](fn@defer), [`signal`], [`queued`], [`data`], [`end`], [`refused`] | any message that the API can build and the wire can carry |
//! | [`key`], [`command`], [`server_uri`], [`alternate`], [`server_id`], [`abilities`], [`flags`], [`defer_kind`] | what is in them |
//! | [`odd_message`], [`odd_uri`] | a message or a URI as a peer could lay it out |
//! | [`stream`] | frames in a row, some of them damaged |
//!
//! | oracle | what the bytes are |
//! |---|---|
//! | [`run_messages`] | one message or one direction of a link, of anybody |
//! | [`run_roundtrip`] | decisions of the generators: a message through its bytes and back |
//!
//! [`reference`](mod@reference) reads the same bytes in another way: the oracles compare. With the `proptest` feature
//! each generator is a strategy in `strategies`; with the `arbitrary` feature the types themselves are `Arbitrary`.

#[cfg(feature = "arbitrary")]
mod arbitrary;
mod odd;
mod oracles;
pub mod reference;
#[cfg(feature = "proptest")]
#[cfg_attr(docsrs, doc(cfg(feature = "proptest")))]
pub mod strategies;
mod values;

pub use odd::{odd_message, odd_uri, stream};
pub use oracles::{check_message, check_uri, run_messages, run_roundtrip};
pub use values::{
    abilities, alternate, command, command_name, data, defer, defer_kind, end, flags, key, message, queued,
    refusal_code, refused, request, request_id, server_id, server_uri, signal, unknown,
};
