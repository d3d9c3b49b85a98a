//! prost on messages of like content, in the form that people use: owned vectors; integers not as varints.

use ::prost::Message;

/// A destination.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Begin {
    #[prost(uint32, tag = "1")]
    pub(crate) port: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) tls_port: u32,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) host: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) cert_subject: Option<Vec<u8>>,
    #[prost(fixed32, tag = "5")]
    pub(crate) version: u32,
}

impl From<&super::Begin> for Begin {
    fn from(begin: &super::Begin) -> Self {
        Self {
            port: begin.port.into(),
            tls_port: begin.tls_port.into(),
            host: begin.host.clone().into(),
            cert_subject: Some(begin.cert_subject.clone().into()),
            version: begin.version,
        }
    }
}

/// A ping.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Ping {
    #[prost(fixed32, tag = "1")]
    pub(crate) id: u32,
    #[prost(fixed64, tag = "2")]
    pub(crate) timestamp: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) padding: Vec<u8>,
}

impl From<&super::Ping> for Ping {
    fn from(ping: &super::Ping) -> Self {
        Self { id: ping.id, timestamp: ping.timestamp, padding: Vec::new() }
    }
}
