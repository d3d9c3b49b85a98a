//! A link over native frames on trial: operation lists and a reference model.
//!
//! | oracle | what it runs |
//! |---|---|
//! | [`run_link`] | one link on a list of operations, beside a reference model |
//!
//! It takes bytes, which are its decisions, and panics with a readable list of what was done. The operations are legal
//! and illegal alike: a second hello, frames before the first one, bodies that nobody takes, critical kinds of
//! tomorrow.
//!
//! The model is a second description of a link, from spec/frame.md 3 to 5 and the properties F4 to F10, by whose names
//! its complaints begin. It reads hellos and closes with [`reference`](super::frame::reference), knows no state but what
//! has been said and heard, and says beforehand whether an input is fine, misuse or a violation, and what must come out;
//! `Table::step` says which states may follow.

mod link;

pub use link::{LinkModel, LinkOp, LinkSubject};

use super::trial;

/// One [`Link`](crate::frame::link::Link) on the operations that `bytes` stand for, beside its model.
///
/// # Panics
/// The machine and the model disagree, or a property (F4 to F8, F10) does not hold.
pub fn run_link(bytes: &[u8]) {
    trial::run::<LinkSubject>(bytes);
}
