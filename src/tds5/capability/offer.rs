//! What this crate can read, as capabilities.

use super::{Capabilities, Mask, RequestCapability as Request, ResponseCapability as Response};
use core::ops::RangeInclusive;

/// What a client built on this crate may ask for and can read the answer to.
const REQUESTS: &[RangeInclusive<Request>] = &[
    Request::LANGUAGE..=Request::RPC,
    Request::MULTI_STATEMENT..=Request::MULTI_STATEMENT,
    Request::CURSOR..=Request::CURSOR_MULTIPLE,
    Request::IN_BAND..=Request::IN_BAND,
    Request::FLOATN..=Request::INT8,
    Request::COLUMN_STATUS..=Request::WIDE_TABLES,
    Request::UINT2..=Request::UINTN,
    Request::DATE..=Request::TIME,
    Request::UNITEXT..=Request::UNITEXT,
    Request::SINT1..=Request::LARGE_IDENTIFIERS,
    Request::XML..=Request::XML,
    Request::BIG_DATETIME..=Request::MICROSECONDS,
];

/// Objects in pieces: the end of such a value cannot be found.
const RESPONSES: &[RangeInclusive<Response>] = &[
    Response::NO_OBJECT_JAVA..=Response::NO_OBJECT_CHAR,
    Response::NO_OBJECT_BINARY..=Response::NO_OBJECT_BINARY,
    Response::NO_BLOB_NCHAR_16_OBSOLETE..=Response::NO_BLOB_NCHAR_SCSU,
    Response::NO_BLOB_NCHAR_16..=Response::NO_BLOB_NCHAR_16,
];

/// What a server can promise not to send: no machine of this crate sends any of it unasked.
const WITHHELD: &[RangeInclusive<Response>] =
    &[Response::NO_MESSAGE..=Response::NO_XNL_METADATA, Response::NO_BIG_DATETIME..=Response::NO_SELECT_ROW_COUNT];

impl Capabilities {
    /// What the codec of this crate can carry, for a client to send; with the capability to migrate, or without.
    #[must_use]
    pub fn offered(migration: bool) -> Self {
        Self::of(migration, RESPONSES)
    }

    /// What a server on this crate grants: the requests of [`offered`](Self::offered), and to leave out what a client
    /// does not want to be sent. That the latter is so is up to its application.
    #[must_use]
    pub fn served(migration: bool) -> Self {
        Self::of(migration, WITHHELD)
    }

    fn of(migration: bool, responses: &[RangeInclusive<Response>]) -> Self {
        let requests = REQUESTS.iter().flat_map(|range| range.start().0..=range.end().0);
        let migrate = migration.then_some(Request::MIGRATE.0);
        let responses = responses.iter().flat_map(|range| range.start().0..=range.end().0);
        let request = Mask::of(requests.chain(migrate)).unwrap_or_default();
        let response = Mask::of(responses).unwrap_or_default();
        Self::new(&request, &response)
    }
}
