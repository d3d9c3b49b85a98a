//! prost on messages of like content, in the form that people use for shared bytes.

use bytes::Bytes;

/// A request.
#[derive(Clone, PartialEq, ::prost::Message)]
pub(crate) struct Request {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) id: Bytes,
    #[prost(uint32, tag = "2")]
    pub(crate) epoch: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) flags: u32,
    #[prost(fixed32, tag = "4")]
    pub(crate) deadline_ms: u32,
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) receipt: Bytes,
    #[prost(bytes = "bytes", tag = "6")]
    pub(crate) credentials: Bytes,
    #[prost(string, tag = "7")]
    pub(crate) referrer: String,
    #[prost(string, tag = "8")]
    pub(crate) command: String,
    #[prost(bytes = "bytes", repeated, tag = "9")]
    pub(crate) arguments: Vec<Bytes>,
}

impl From<&super::Request> for Request {
    fn from(request: &super::Request) -> Self {
        Self {
            id: request.id.to_vec().into(),
            epoch: request.epoch.into(),
            flags: request.flags.into(),
            deadline_ms: request.deadline_ms,
            receipt: request.receipt.clone().into(),
            credentials: request.credentials.clone().into(),
            referrer: request.referrer.clone(),
            command: request.command.clone(),
            arguments: request.arguments.iter().map(|argument| argument.clone().into()).collect(),
        }
    }
}

/// A deferral.
#[derive(Clone, PartialEq, ::prost::Message)]
pub(crate) struct Defer {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) id: Bytes,
    #[prost(uint32, tag = "2")]
    pub(crate) epoch: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) kind: u32,
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) server: Bytes,
    #[prost(string, tag = "5")]
    pub(crate) reason: String,
    #[prost(fixed32, optional, tag = "6")]
    pub(crate) queue_length: Option<u32>,
    #[prost(fixed32, optional, tag = "7")]
    pub(crate) estimate_ms: Option<u32>,
    #[prost(fixed32, optional, tag = "8")]
    pub(crate) retry_after_ms: Option<u32>,
    #[prost(bytes = "bytes", tag = "9")]
    pub(crate) receipt: Bytes,
    #[prost(message, repeated, tag = "10")]
    pub(crate) alternates: Vec<Alternate>,
}

/// One that may be asked.
#[derive(Clone, PartialEq, ::prost::Message)]
pub(crate) struct Alternate {
    #[prost(uint32, tag = "1")]
    pub(crate) abilities: u32,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) server: Bytes,
    #[prost(string, tag = "3")]
    pub(crate) uri: String,
}

impl From<&super::Defer> for Defer {
    fn from(defer: &super::Defer) -> Self {
        let alternate = |one: &super::Alternate| Alternate {
            abilities: one.abilities.into(),
            server: one.server.to_vec().into(),
            uri: one.uri.clone(),
        };
        let optional = |number| Some(number).filter(|number| *number != u32::MAX);
        Self {
            id: defer.id.to_vec().into(),
            epoch: defer.epoch.into(),
            kind: defer.kind.into(),
            server: defer.server.to_vec().into(),
            reason: defer.reason.clone(),
            queue_length: optional(defer.queue_length),
            estimate_ms: optional(defer.estimate_ms),
            retry_after_ms: optional(defer.retry_after_ms),
            receipt: defer.receipt.clone().into(),
            alternates: defer.alternates.iter().map(alternate).collect(),
        }
    }
}
