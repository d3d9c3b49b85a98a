//! What can go wrong, and who is to blame.
//!
//! * [`DecodeError`]: bytes that no peer may send. Says which message and field, what was expected, what came.
//! * [`EncodeError`]: a value that the wire cannot carry, or a buffer that is too short.
//! * [`Misuse`]: our caller asked for something that makes no sense now. The machine is unchanged.
//! * [`Violation`]: the peer broke the protocol. Says what was expected and what came.
//! * [`Limit`]: a bound of [`limits`](crate::limits) was reached.
//!
//! None of them allocates and none carries bytes of the peer, so that logging one leaks no secret.

use crate::machine::LinkId;
use thiserror::Error;

/// A bound was reached: `limit` is what is allowed, `got` what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("{what}: limit {limit}, got {got}")]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Limit {
    /// The name of the bound, as in [`limits`](crate::limits).
    pub what: &'static str,
    /// The largest allowed value.
    pub limit: u64,
    /// The value that went beyond it.
    pub got: u64,
}

/// Why bytes could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum DecodeErrorKind {
    /// The field needs `needed` bytes and only `left` are there. (Framing never reports this: a frame
    /// that is not complete yet is not an error.)
    #[error("needs {needed} bytes, {left} are left")]
    Short {
        /// Bytes that the field needs.
        needed: u64,
        /// Bytes that are left in the body.
        left: u64,
    },
    /// The value is not allowed here.
    #[error("{reason} (got {got})")]
    Invalid {
        /// What the rule is.
        reason: &'static str,
        /// The value that came.
        got: u64,
    },
    /// A version, layout or feature that is recognised and not supported.
    #[error("not supported: {reason} (got {got})")]
    Unsupported {
        /// What it is.
        reason: &'static str,
        /// The value that came.
        got: u64,
    },
    /// A bound was reached.
    #[error("{0}")]
    Limit(Limit),
}

impl DecodeErrorKind {
    /// A stable one-word name: `short`, `invalid`, `unsupported` or `limit`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Short { .. } => "short",
            Self::Invalid { .. } => "invalid",
            Self::Unsupported { .. } => "unsupported",
            Self::Limit(_) => "limit",
        }
    }
}

/// Bytes that are malformed, in `field` of `message`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("{message}.{field}: {kind}")]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DecodeError {
    /// The message or header, by its type's name in this crate.
    pub message: &'static str,
    /// The field, by its name in this crate.
    pub field: &'static str,
    /// What is wrong with it.
    pub kind: DecodeErrorKind,
}

impl DecodeError {
    /// `field` needs `needed` bytes, `left` are left.
    #[cold]
    #[must_use]
    pub fn short(message: &'static str, field: &'static str, needed: usize, left: usize) -> Self {
        let (needed, left) = (to_u64(needed), to_u64(left));
        Self { message, field, kind: DecodeErrorKind::Short { needed, left } }
    }

    /// `field` has a value that is not allowed.
    #[cold]
    #[must_use]
    pub fn invalid(message: &'static str, field: &'static str, reason: &'static str, got: u64) -> Self {
        Self { message, field, kind: DecodeErrorKind::Invalid { reason, got } }
    }

    /// `field` shows something recognised and not supported.
    #[cold]
    #[must_use]
    pub fn unsupported(message: &'static str, field: &'static str, reason: &'static str, got: u64) -> Self {
        Self { message, field, kind: DecodeErrorKind::Unsupported { reason, got } }
    }

    /// `field` goes beyond the bound `what`.
    #[cold]
    #[must_use]
    pub fn limit(message: &'static str, field: &'static str, what: &'static str, limit: u64, got: u64) -> Self {
        Self { message, field, kind: DecodeErrorKind::Limit(Limit { what, limit, got }) }
    }
}

/// A value that cannot be put on the wire. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The destination has `got` bytes, `needed` are needed.
    #[error("the buffer has {got} bytes, {needed} are needed")]
    ShortBuffer {
        /// Exactly what the value takes.
        needed: usize,
        /// What the destination offers.
        got: usize,
    },
    /// `field` is longer than its length field, or than the protocol, allows.
    #[error("{message}.{field} is too long: {got}, at most {max}")]
    TooLong {
        /// The message, by its type's name.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// The largest allowed length.
        max: u64,
        /// The length of the value.
        got: u64,
    },
    /// `field` has a value that the protocol does not allow.
    #[error("{message}.{field}: {reason}")]
    Invalid {
        /// The message, by its type's name.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// What the rule is.
        reason: &'static str,
    },
}

/// Our caller is wrong. The machine has not changed in any way; the same call may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Misuse {
    /// `input` makes no sense in `state`.
    #[error("{input} is not possible in state {state}")]
    WrongState {
        /// The machine's state.
        state: &'static str,
        /// What was asked for.
        input: &'static str,
    },
    /// No such link, client or channel (any more).
    #[error("unknown {what} {id}")]
    Unknown {
        /// `link`, `client` or `channel`.
        what: &'static str,
        /// Its number.
        id: u32,
    },
    /// The link, client or channel exists already.
    #[error("{what} {id} exists already")]
    Duplicate {
        /// `link`, `client` or `channel`.
        what: &'static str,
        /// Its number.
        id: u32,
    },
    /// A bound was reached: drain the outputs, or honour `Pause`, and try again.
    #[error("{0}")]
    Limit(Limit),
    /// The protocol's rules do not allow it now, as its original told its caller.
    #[error("{what}: {reason}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// Why not.
        reason: &'static str,
    },
    /// An argument is not usable.
    #[error("{what}: {reason}")]
    Argument {
        /// The argument.
        what: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// The peer is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("the peer sent {got} in state {state}; expected {expected}")]
pub struct Violation {
    /// The state (of the machine, the client or the channel) in which it came.
    pub state: &'static str,
    /// What would have been legal.
    pub expected: &'static str,
    /// What came.
    pub got: &'static str,
}

/// What a machine's `handle` can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Error {
    /// Our caller is wrong; nothing has changed.
    #[error("misuse: {0}")]
    Misuse(#[from] Misuse),
    /// The peer is wrong; the machine has moved to the failed state of that peer, once, and outputs
    /// that are queued can still be sent.
    #[error("violation: {0}")]
    Violation(#[from] Violation),
}

/// What an endpoint can report beside its outputs. Whatever it is, the endpoint is consistent and its
/// outputs are to be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The machine says that its caller or the peer is wrong.
    #[error(transparent)]
    Machine(#[from] self::Error),
    /// The peer sent something malformed; the link is closed.
    #[error("link {}: {error}", link.0)]
    Decode {
        /// The link.
        link: LinkId,
        /// What is wrong.
        error: DecodeError,
    },
    /// Something cannot be put on the wire. Nothing was sent.
    #[error("link {}: {error}", link.0)]
    Encode {
        /// The link.
        link: LinkId,
        /// What is wrong.
        error: EncodeError,
    },
}

/// Lossless on every platform that Rust supports today; saturating where it would not be.
pub(crate) fn to_u64(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
