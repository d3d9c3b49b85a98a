//! prost on a message of like content, in the form that people use for shared bytes.

use super::Request;
use bytes::Bytes;

/// A request.
#[derive(Clone, PartialEq, ::prost::Message)]
pub(crate) struct Message {
    #[prost(fixed32, tag = "1")]
    pub(crate) tag: u32,
    #[prost(fixed32, tag = "2")]
    pub(crate) limit: u32,
    #[prost(fixed32, tag = "3")]
    pub(crate) flags: u32,
    #[prost(bytes = "bytes", repeated, tag = "4")]
    pub(crate) segments: Vec<Bytes>,
}

impl From<&Request> for Message {
    fn from(request: &Request) -> Self {
        let segments = request.segments.iter().map(|segment| Bytes::from(segment.clone())).collect();
        Self { tag: request.tag, limit: 0, flags: 2, segments }
    }
}
