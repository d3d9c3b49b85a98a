//! Any call and answer of the historical deferral protocol, spellings that a peer could choose and we would not, and
//! oracles.
//!
//! | function | gives |
//! |---|---|
//! | [`call`], [`context`] | a call that can be asked |
//! | [`base`] | where it may be asked |
//! | [`odd_target`] | a target as another client could write it |
//! | [`directive`], [`redirect`] | a directive that the original reads safely |
//! | [`line`](fn@line) | a line in any spelling |
//! | [`answer`] | lines in a row, some of them damaged |
//!
//! | oracle | what the bytes are |
//! |---|---|
//! | [`run_text_call`] | a target, or decisions of the generators |
//! | [`run_text_answer`] | a body, or decisions of the generators |
//!
//! [`reference`](mod@reference) reads the same bytes in another way: the oracles compare. With the `proptest` feature
//! each generator is a strategy in `strategies`; with the `arbitrary` feature the types themselves are `Arbitrary`.

#[cfg(feature = "arbitrary")]
mod arbitrary;
mod oracles;
pub mod reference;
#[cfg(feature = "proptest")]
#[cfg_attr(docsrs, doc(cfg(feature = "proptest")))]
pub mod strategies;
mod values;

pub use oracles::{check_answer, check_target, run_text_answer, run_text_call};
pub use values::{answer, base, call, context, directive, line, odd_target, redirect};
