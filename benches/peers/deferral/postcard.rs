//! postcard on messages of like content, in its best form: borrowed, fixed numbers of arguments and alternates, integers
//! not as varints.

use super::raw::Raw;
use super::{ALTERNATES, ARGUMENTS};
use serde::{Deserialize, Serialize};

/// A request.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Request<'a> {
    pub(crate) id: [u8; 16],
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) epoch: u16,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) flags: u16,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) deadline_ms: u32,
    #[serde(borrow)]
    pub(crate) receipt: Raw<'a>,
    #[serde(borrow)]
    pub(crate) credentials: Raw<'a>,
    pub(crate) referrer: &'a str,
    pub(crate) command: &'a str,
    #[serde(borrow)]
    pub(crate) arguments: [Raw<'a>; ARGUMENTS],
}

impl<'a> From<&'a super::Request> for Request<'a> {
    fn from(request: &'a super::Request) -> Self {
        Self {
            id: request.id,
            epoch: request.epoch,
            flags: request.flags,
            deadline_ms: request.deadline_ms,
            receipt: Raw(&request.receipt),
            credentials: Raw(&request.credentials),
            referrer: &request.referrer,
            command: &request.command,
            arguments: request.arguments.each_ref().map(|argument| Raw(argument)),
        }
    }
}

/// A deferral.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Defer<'a> {
    pub(crate) id: [u8; 16],
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) epoch: u16,
    pub(crate) kind: u8,
    pub(crate) server: [u8; 16],
    pub(crate) reason: &'a str,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) queue_length: u32,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) estimate_ms: u32,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) retry_after_ms: u32,
    #[serde(borrow)]
    pub(crate) receipt: Raw<'a>,
    #[serde(borrow)]
    pub(crate) alternates: [(u8, [u8; 16], &'a str); ALTERNATES],
}

impl<'a> From<&'a super::Defer> for Defer<'a> {
    fn from(defer: &'a super::Defer) -> Self {
        let alternate = |one: &'a super::Alternate| (one.abilities, one.server, &*one.uri);
        Self {
            id: defer.id,
            epoch: defer.epoch,
            kind: defer.kind,
            server: defer.server,
            reason: &defer.reason,
            queue_length: defer.queue_length,
            estimate_ms: defer.estimate_ms,
            retry_after_ms: defer.retry_after_ms,
            receipt: Raw(&defer.receipt),
            alternates: defer.alternates.each_ref().map(alternate),
        }
    }
}
