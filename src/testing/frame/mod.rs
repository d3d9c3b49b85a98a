//! Any value of the native frame, bytes that a peer could send and we would not, and oracles of the codec.
//!
//! | function | gives |
//! |---|---|
//! | [`frame`](fn@frame), [`header`], [`protocol`], [`flags`] | any frame, known or not |
//! | [`hello`], [`offers`], [`identity`], [`capabilities`] | a hello that can be said |
//! | [`close`], [`close_reason`], [`text`] | a close |
//! | [`extensions`], [`critical_extensions`] | what a message has behind its fields |
//! | [`stream`] | frames in a row, some of them damaged |
//! | [`odd_hello`], [`odd_close`] | bodies as a peer could lay them out |
//!
//! | oracle | what the bytes are |
//! |---|---|
//! | [`run_stream`] | one direction of a link |
//! | [`run_roundtrip`] | decisions of the generators: values through their bytes and back |
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

pub use odd::{odd_close, odd_hello, stream};
pub use oracles::{check_message, run_roundtrip, run_stream};
pub use values::{
    capabilities, close, close_reason, critical_extensions, extensions, flags, frame, header, hello, identity, offers,
    protocol, text,
};
