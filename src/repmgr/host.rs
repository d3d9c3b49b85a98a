//! Where a site listens.

use alloc::string::{String, ToString};
use bytes::Bytes;
use core::fmt;

/// A host's name or number as it stands on the wire: any bytes but zero. Empty where nobody wants to be called back.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "Bytes", into = "Bytes"))]
pub struct Host(Bytes);

/// A host's name must not hold a zero byte: it ends with one on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("a host's name holds no zero byte")]
pub struct ZeroInHost;

impl Host {
    /// No name.
    pub const EMPTY: Self = Self(Bytes::new());

    /// A name; `None` if it holds a zero byte.
    #[must_use]
    pub fn new(name: impl Into<Bytes>) -> Option<Self> {
        Self::try_from(name.into()).ok()
    }

    /// Its bytes, without the zero that ends it on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// It as text; `None` if it is none.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        core::str::from_utf8(&self.0).ok()
    }
}

impl TryFrom<Bytes> for Host {
    type Error = ZeroInHost;

    fn try_from(name: Bytes) -> Result<Self, ZeroInHost> {
        if name.contains(&0) { Err(ZeroInHost) } else { Ok(Self(name)) }
    }
}

impl From<Host> for Bytes {
    fn from(host: Host) -> Self {
        host.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

/// A site's identity: where it listens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "repmgr_site")]
#[doc(alias = "eid")]
pub struct SiteAddress {
    /// The host.
    pub host: Host,
    /// The TCP port.
    pub port: u16,
}

impl SiteAddress {
    /// A site's address; `None` if the host holds a zero byte.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Option<Self> {
        Some(Self { host: Host::new(host.to_string())?, port })
    }
}

impl fmt::Display for SiteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for SiteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
