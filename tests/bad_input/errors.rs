//! What errors are expected to be.

use handover::error::{DecodeError, DecodeErrorKind, Limit};

pub(crate) fn short(message: &'static str, field: &'static str, needed: u64, left: u64) -> DecodeError {
    DecodeError { message, field, kind: DecodeErrorKind::Short { needed, left } }
}

pub(crate) fn limit(
    message: &'static str,
    field: &'static str,
    what: &'static str,
    limit: u64,
    got: u64,
) -> DecodeError {
    DecodeError { message, field, kind: DecodeErrorKind::Limit(Limit { what, limit, got }) }
}

/// The parts of an error that a program can go by; the reason is for people.
pub(crate) fn facts(error: &DecodeError) -> (&'static str, &'static str, &'static str, Option<u64>) {
    let got = match error.kind {
        DecodeErrorKind::Invalid { got, .. } | DecodeErrorKind::Unsupported { got, .. } => Some(got),
        _ => None,
    };
    (error.kind.name(), error.message, error.field, got)
}

#[track_caller]
pub(crate) fn assert_invalid(error: &DecodeError, message: &'static str, field: &'static str, got: u64) {
    assert_eq!(facts(error), ("invalid", message, field, Some(got)), "{error}");
}

#[track_caller]
pub(crate) fn assert_unsupported(error: &DecodeError, message: &'static str, field: &'static str, got: u64) {
    assert_eq!(facts(error), ("unsupported", message, field, Some(got)), "{error}");
}
