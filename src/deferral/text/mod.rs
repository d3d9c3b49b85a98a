//! The text protocol that ChangeSafe's client of 2000 speaks: what it asks, and what it is answered
//! (spec/deferral.md 6).
//!
//! A request is the target of an HTTP GET; an answer is a body of type [`CONTENT_TYPE`]. HTTP itself is a library's work.
//! Whoever serves the original client must know that it sends an absolute target, no Host header, and one byte a
//! segment.
//!
//! * [`Call`]: the target of a request. [`request_line`] finds it, also where HTTP libraries do not.
//! * [`Directive`]: a line of an answer; [`AnswerStream`] takes them off a body, however it is cut, and says how the
//!   answer ends. What the original mistakes for success is [unknown](Ending::Unknown) here. [`Line`] keeps the
//!   spelling that came.
//! * [`AgentRequest`], [`AgentReply`]: what is said while the client's file agent has the connection.
//! * [`Walk`]: the order in which the original asks servers.

mod agent;
mod answer;
mod call;
mod directive;
mod line;
#[cfg(test)]
mod tests;
mod url;
mod walk;

pub use agent::{AgentReplies, AgentReply, AgentRequest, AgentRequests};
pub use answer::{AnswerStream, BadUrl, Doubt, Ending, Item};
pub use call::{Call, CallError, Context, RcFile, request_line};
pub use directive::{Directive, Redirect, RedirectKind};
pub use line::{Argument, Line};
pub use walk::{Server, Step, Walk};

/// The type of an answer, exactly: the original client takes no parameter, and no other case.
#[doc(alias = "cli/response")]
pub const CONTENT_TYPE: &str = "cli/response";

/// Whether a body with this value of Content-Type is an answer. Blanks and tabs around it do not matter, all else does.
/// The original looks at nothing else in the head, not even at the status; of several Content-Types it takes the last.
/// A server whose answer has another type, or none, it counts as dead.
///
/// ```
/// use handover::deferral::text::is_answer;
///
/// assert!(is_answer(b"cli/response") && is_answer(b"\t cli/response "));
/// assert!(!is_answer(b"CLI/response") && !is_answer(b"cli/response; charset=utf-8") && !is_answer(b""));
/// ```
#[must_use]
pub fn is_answer(content_type: &[u8]) -> bool {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let begin = content_type.iter().position(|byte| !is_blank(byte)).unwrap_or_default();
    let end = content_type.iter().rposition(|byte| !is_blank(byte)).map_or(0, |last| last.saturating_add(1));
    content_type.get(begin..end) == Some(CONTENT_TYPE.as_bytes())
}
