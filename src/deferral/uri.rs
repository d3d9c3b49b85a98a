//! Where a server is, in one spelling (spec/deferral.md 2.8).

use alloc::string::{String, ToString};
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

/// Where a server is: a scheme, a host, a port and a path, in the one spelling that this crate has for it, so that the
/// same server named twice is the same. No name is looked up.
///
/// Scheme and host are in lower case, IP addresses in their normal form, a name has no dot at its end, a path no slash
/// at its end. The port is not written if it is the scheme's own.
///
/// ```
/// use handover::deferral::ServerUri;
///
/// let uri: ServerUri = "HTTP://DB1.Example.org.:80/".parse()?;
/// assert_eq!(uri.to_string(), "http://db1.example.org");
/// assert_eq!("handover://[0::1]:7999/cs/".parse::<ServerUri>()?.to_string(), "handover://[::1]:7999/cs");
/// assert!("http://guest@db1".parse::<ServerUri>().is_err());
/// # Ok::<(), handover::deferral::UriError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
#[doc(alias = "CHANGESAFE_SERVER_URI")]
pub struct ServerUri {
    scheme: String,
    host: Host,
    port: u16,
    path: String,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Host {
    Name(String),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

/// Why a text names no server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// It is longer than 1024 bytes.
    #[error("longer than 1024 bytes")]
    TooLong,
    /// It holds something that is not a visible character of ASCII.
    #[error("only visible characters of ASCII are allowed")]
    Characters,
    /// It has no scheme followed by `://`.
    #[error("scheme:// is expected")]
    Scheme,
    /// It holds a user's name or password: these are nobody else's business.
    #[error("a user's name is not allowed")]
    UserInfo,
    /// The host is empty, too long, or none.
    #[error("no host's name or address")]
    Host,
    /// The port is none, or is missing and the scheme has none of its own.
    #[error("no port")]
    Port,
    /// It has a query or a fragment.
    #[error("a query or fragment is not allowed")]
    Path,
}

/// Schemes with their ports, each weaker one with the stronger one that may take its place.
const SCHEMES: [(&str, Option<u16>, Option<&str>); 4] = [
    ("http", Some(80), Some("https")),
    ("https", Some(443), None),
    ("handover", None, Some("handovers")),
    ("handovers", None, None),
];

impl ServerUri {
    /// Most bytes.
    pub const MAX: usize = 1024;

    /// The scheme, in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The host's name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.host {
            Host::Name(name) => name.clone(),
            Host::V4(address) => address.to_string(),
            Host::V6(address) => address.to_string(),
        }
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The path, empty or with a slash at its front and none at its end.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether scheme, host and port are the same.
    #[must_use]
    pub fn same_origin(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.same_host(other) && self.port == other.port
    }

    pub(super) fn same_host(&self, other: &Self) -> bool {
        self.host == other.host
    }

    /// Whether the scheme is that of `other`, or the stronger form of it.
    #[must_use]
    pub fn is_as_strong_as(&self, other: &Self) -> bool {
        let stronger =
            SCHEMES.iter().find(|(scheme, ..)| *scheme == other.scheme).and_then(|(_, _, stronger)| *stronger);
        self.scheme == other.scheme || stronger == Some(self.scheme.as_str())
    }

    /// Whether it is on this machine or on its own network segment.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match &self.host {
            Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::V4(address) => address.is_loopback() || address.is_link_local() || address.is_unspecified(),
            Host::V6(address) => {
                let local = address.is_loopback() || address.is_unspecified() || address.is_unicast_link_local();
                local || address.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback() || v4.is_link_local())
            }
        }
    }

    /// The longest spelling's size in bytes is that of the text.
    pub(super) fn text(&self) -> String {
        self.to_string()
    }
}

impl core::str::FromStr for ServerUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        if text.len() > Self::MAX {
            return Err(UriError::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UriError::Characters);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UriError::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(letters) {
            return Err(UriError::Scheme);
        }
        if rest.contains(['?', '#', '\\']) {
            return Err(UriError::Path);
        }
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, path.trim_end_matches('/')),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err(UriError::UserInfo);
        }
        let (host, port) = authority_parts(authority)?;
        let own = SCHEMES.iter().find(|(known, ..)| *known == scheme).and_then(|(_, port, _)| *port);
        let port = match port {
            Some(digits) => digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit())),
            None => own,
        };
        let port = port.filter(|port| *port != 0).ok_or(UriError::Port)?;
        let path = if path.is_empty() { String::new() } else { alloc::format!("/{path}") };
        Ok(Self { scheme, host, port, path })
    }
}

/// The host, and the port as it is written.
fn authority_parts(authority: &str) -> Result<(Host, Option<&str>), UriError> {
    if let Some(inner) = authority.strip_prefix('[') {
        let (address, after) = inner.split_once(']').ok_or(UriError::Host)?;
        let address = address.parse().map_err(|_| UriError::Host)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((Host::V6(address), Some(port))),
            None if after.is_empty() => Ok((Host::V6(address), None)),
            None => Err(UriError::Host),
        };
    }
    let (name, port) = match authority.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (authority, None),
    };
    if let Ok(address) = name.parse() {
        return Ok((Host::V4(address), port));
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let labels = name.split('.').all(|label| (1..=63).contains(&label.len()) && label.bytes().all(letters));
    // What ends in a number is an address, and this one is none that everybody reads in the same way.
    let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    let hex = name.rsplit('.').next().is_some_and(|last| last.starts_with("0x"));
    if name.len() > 253 || !labels || numeric || hex {
        return Err(UriError::Host);
    }
    Ok((Host::Name(name), port))
}

impl TryFrom<String> for ServerUri {
    type Error = UriError;

    fn try_from(text: String) -> Result<Self, UriError> {
        text.parse()
    }
}

impl From<ServerUri> for String {
    fn from(uri: ServerUri) -> Self {
        uri.to_string()
    }
}

impl fmt::Display for ServerUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, path } = self;
        write!(f, "{scheme}://")?;
        match host {
            Host::Name(name) => f.write_str(name)?,
            Host::V4(address) => write!(f, "{address}")?,
            Host::V6(address) => write!(f, "[{address}]")?,
        }
        if !SCHEMES.iter().any(|(known, own, _)| known == scheme && *own == Some(*port)) {
            write!(f, ":{port}")?;
        }
        f.write_str(path)
    }
}

impl fmt::Debug for ServerUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
