//! postcard on messages of like content, in its best form: borrowed, byte strings as bytes, integers not as varints.

use super::raw::Raw;
use serde::{Deserialize, Serialize};

/// A destination.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Begin<'a> {
    #[serde(with = "::postcard::fixint::le")]
    pub(crate) port: u16,
    #[serde(with = "::postcard::fixint::le")]
    pub(crate) tls_port: u16,
    #[serde(borrow)]
    pub(crate) host: Raw<'a>,
    #[serde(borrow)]
    pub(crate) cert_subject: Option<Raw<'a>>,
    #[serde(with = "::postcard::fixint::le")]
    pub(crate) version: u32,
}

impl<'a> From<&'a super::Begin> for Begin<'a> {
    fn from(begin: &'a super::Begin) -> Self {
        Self {
            port: begin.port,
            tls_port: begin.tls_port,
            host: Raw(begin.host.as_bytes()),
            cert_subject: Some(Raw(begin.cert_subject.as_bytes())),
            version: begin.version,
        }
    }
}

/// A ping.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Ping<'a> {
    #[serde(with = "::postcard::fixint::le")]
    pub(crate) id: u32,
    #[serde(with = "::postcard::fixint::le")]
    pub(crate) timestamp: u64,
    #[serde(borrow)]
    pub(crate) padding: Raw<'a>,
}

impl From<&super::Ping> for Ping<'_> {
    fn from(ping: &super::Ping) -> Self {
        Self { id: ping.id, timestamp: ping.timestamp, padding: Raw(&[]) }
    }
}
