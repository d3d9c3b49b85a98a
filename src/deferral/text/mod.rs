//! The text protocol that ChangeSafe's client of 2000 speaks: what it asks, and what it is answered
//! (spec/deferral.md 6).
//!
//! A request is the target of an HTTP GET; an answer is a body of type [`CONTENT_TYPE`]. HTTP itself is a library's work.
//! Whoever serves the original client must know that it sends an absolute target, no Host header, and one byte a
//! segment.
//!
//! * [`Call`]: the target of a request.
//! * [`Directive`]: a line of an answer; [`AnswerStream`] takes them off a body, however it is cut, and says how the
//!   answer ends. What the original mistakes for success is [unknown](Ending::Unknown) here.
//! * [`Walk`]: the order in which the original asks servers.

mod answer;
mod call;
mod directive;
mod walk;

pub use answer::{AnswerStream, Doubt, Ending, Item};
pub use call::{Call, CallError, Context};
pub use directive::{Directive, Redirect, RedirectKind};
pub use walk::{Server, Step, Walk};

/// The type of an answer, exactly: the original client takes no parameter, and no other case.
pub const CONTENT_TYPE: &str = "cli/response";
