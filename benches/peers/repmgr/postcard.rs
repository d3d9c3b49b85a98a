//! postcard on a message of like content, in its best form: borrowed, a fixed number of segments, integers not as
//! varints.

use super::raw::Raw;
use super::{Request, SEGMENTS};
use serde::{Deserialize, Serialize};

/// A request.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Message<'a> {
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) tag: u32,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) limit: u32,
    #[serde(with = "::postcard::fixint::be")]
    pub(crate) flags: u32,
    #[serde(borrow)]
    pub(crate) segments: [Raw<'a>; SEGMENTS],
}

impl<'a> From<&'a Request> for Message<'a> {
    fn from(request: &'a Request) -> Self {
        Self { tag: request.tag, limit: 0, flags: 2, segments: request.segments.each_ref().map(|segment| Raw(segment)) }
    }
}
