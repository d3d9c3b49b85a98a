//! Where a server is, in one spelling (spec/deferral.md 2.8).

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
/// assert_eq!(uri.as_str(), "http://db1.example.org");
/// assert_eq!("handover://[0::1]:7999/cs/".parse::<ServerUri>()?.as_str(), "handover://[::1]:7999/cs");
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
    text: Box<str>,
    // Where its parts are, which the text says too: two with the same text are the same.
    scheme: u16,
    host: (u16, u16),
    port: u16,
    path: u16,
}

/// Why a text names no server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
#[error("{}", self.reason())]
pub enum UriError {
    /// It is longer than 1024 bytes, as it stands or in the spelling that is ours.
    TooLong,
    /// It holds something that is not a visible character of ASCII.
    Characters,
    /// It has no scheme followed by `://`.
    Scheme,
    /// It holds a user's name or password: these are nobody else's business.
    UserInfo,
    /// The host is empty, too long, or none.
    Host,
    /// The port is none, or is missing and the scheme has none of its own.
    Port,
    /// It has a query or a fragment.
    Path,
}

impl UriError {
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "longer than 1024 bytes",
            Self::Characters => "only visible characters of ASCII are allowed",
            Self::Scheme => "scheme:// is expected",
            Self::UserInfo => "a user's name is not allowed",
            Self::Host => "no host's name or address",
            Self::Port => "no port",
            Self::Path => "a query or fragment is not allowed",
        }
    }
}

/// Schemes with their ports, each weaker one with the stronger one that may take its place.
const SCHEMES: [(&str, Option<u16>, Option<&str>); 4] = [
    ("http", Some(80), Some("https")),
    ("https", Some(443), None),
    ("handover", None, Some("handovers")),
    ("handovers", None, None),
];

fn own_port(scheme: &str) -> Option<u16> {
    SCHEMES.iter().find(|(known, ..)| *known == scheme).and_then(|(_, port, _)| *port)
}

impl ServerUri {
    /// Most bytes.
    pub const MAX: usize = 1024;

    /// The whole of it.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn part(&self, start: u16, end: u16) -> &str {
        self.text.get(usize::from(start)..usize::from(end)).unwrap_or_default()
    }

    /// The scheme, in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.part(0, self.scheme)
    }

    /// The host's name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.part(self.host.0, self.host.1)
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The path, empty or with a slash at its front and none at its end.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text.get(usize::from(self.path)..).unwrap_or_default()
    }

    /// Whether scheme, host and port are the same.
    #[must_use]
    pub fn same_origin(&self, other: &Self) -> bool {
        self.scheme() == other.scheme() && self.same_host(other) && self.port == other.port
    }

    pub(super) fn same_host(&self, other: &Self) -> bool {
        self.host() == other.host()
    }

    /// Whether the scheme is that of `other`, or the stronger form of it.
    #[must_use]
    pub fn is_as_strong_as(&self, other: &Self) -> bool {
        let (own, theirs) = (self.scheme(), other.scheme());
        let stronger = SCHEMES.iter().find(|(scheme, ..)| *scheme == theirs).and_then(|(_, _, stronger)| *stronger);
        own == theirs || stronger == Some(own)
    }

    /// Whether it is on this machine or on its own network segment.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let host = self.host();
        let is_local = |v4: Ipv4Addr| v4.is_loopback() || v4.is_link_local() || v4.is_unspecified();
        match host.parse() {
            Ok(IpAddr::V4(v4)) => is_local(v4),
            Ok(IpAddr::V6(v6)) => {
                let local = v6.is_loopback() || v6.is_unspecified() || v6.is_unicast_link_local();
                local || v6.to_ipv4_mapped().is_some_and(is_local)
            }
            Err(_) => host == "localhost" || host.ends_with(".localhost"),
        }
    }

    /// One that stands on the wire, where it has the spelling that is ours: another one could not be sent on byte for
    /// byte. If not, the reason.
    pub(super) fn from_wire(raw: &[u8]) -> Result<Self, &'static str> {
        let text = core::str::from_utf8(raw).map_err(|_| UriError::Characters.reason())?;
        let parts = Parts::scan(text).map_err(UriError::reason)?;
        if parts.is_canonical() { Ok(parts.place(text.into())) } else { Err("another spelling is the canonical one") }
    }
}

/// A text that names a server, in any spelling.
#[derive(Clone, Copy)]
struct Parts<'a> {
    scheme: &'a str,
    host: Host<'a>,
    /// As it is written.
    digits: Option<&'a str>,
    port: u16,
    /// Behind the first slash; `None` if there is none.
    path: Option<&'a str>,
}

#[derive(Clone, Copy)]
enum Host<'a> {
    /// Without the dot at its end, if it has one.
    Name(&'a str, bool),
    V4(&'a str),
    V6(&'a str, Ipv6Addr),
}

impl<'a> Parts<'a> {
    fn scan(text: &'a str) -> Result<Self, UriError> {
        if text.len() > ServerUri::MAX {
            return Err(UriError::TooLong);
        }
        // No early way out: so it is done for many bytes at a time.
        let (mut other, mut query) = (false, false);
        for byte in text.bytes() {
            other |= !byte.is_ascii_graphic();
            query |= matches!(byte, b'?' | b'#' | b'\\');
        }
        if other {
            return Err(UriError::Characters);
        }
        let (scheme, rest) =
            split_where(text, |byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')));
        let rest = rest.strip_prefix("://").ok_or(UriError::Scheme)?;
        if !scheme.bytes().next().is_some_and(|first| first.is_ascii_alphabetic()) {
            return Err(UriError::Scheme);
        }
        if query {
            return Err(UriError::Path);
        }
        Self::scan_behind(scheme, rest).map_err(|error| {
            let (authority, _path) = split_where(rest, |byte| byte == b'/');
            if authority.bytes().any(|byte| byte == b'@') { UriError::UserInfo } else { error }
        })
    }

    /// What is behind the scheme.
    fn scan_behind(scheme: &'a str, rest: &'a str) -> Result<Self, UriError> {
        let (host, rest) = Host::scan(rest)?;
        let (digits, rest) = match rest.strip_prefix(':') {
            Some(rest) => {
                let (digits, rest) = split_where(rest, |byte| byte == b'/');
                (Some(digits), rest)
            }
            None => (None, rest),
        };
        let port = match digits {
            Some(digits) => digits.parse().ok().filter(|_| !digits.starts_with('+')),
            None => {
                SCHEMES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(scheme)).and_then(|(_, port, _)| *port)
            }
        };
        let port = port.filter(|port| *port != 0).ok_or(UriError::Port)?;
        let path = match rest.strip_prefix('/') {
            None if !rest.is_empty() => return Err(UriError::Host),
            path => path,
        };
        Ok(Self { scheme, host, digits, port, path })
    }

    fn is_canonical(&self) -> bool {
        let no_capitals = |text: &str| !text.bytes().any(|byte| byte.is_ascii_uppercase());
        let host = match self.host {
            Host::Name(name, dot) => !dot && no_capitals(name),
            Host::V4(_) => true,
            Host::V6(text, address) => is_written_as(&address, text),
        };
        let port =
            self.digits.is_none_or(|digits| !digits.starts_with('0') && own_port(self.scheme) != Some(self.port));
        let path = self.path.is_none_or(|path| !path.is_empty() && !path.ends_with('/'));
        no_capitals(self.scheme) && host && port && path
    }

    /// In the spelling that is ours.
    fn spelling(&self) -> String {
        let scheme = self.scheme.to_ascii_lowercase();
        let mut text = match self.host {
            Host::Name(name, _) => alloc::format!("{scheme}://{}", name.to_ascii_lowercase()),
            Host::V4(address) => alloc::format!("{scheme}://{address}"),
            Host::V6(_, address) => alloc::format!("{scheme}://[{address}]"),
        };
        if own_port(&scheme) != Some(self.port) {
            text = alloc::format!("{text}:{}", self.port);
        }
        match self.path.map(|path| path.trim_end_matches('/')) {
            None | Some("") => text,
            Some(path) => alloc::format!("{text}/{path}"),
        }
    }

    /// The parts of a text that has the spelling that is ours.
    fn place(&self, text: Box<str>) -> ServerUri {
        let at = |place: usize| u16::try_from(place).unwrap_or(u16::MAX);
        let (host, bracket) = match self.host {
            Host::Name(host, _) | Host::V4(host) => (host.len(), 0),
            Host::V6(host, _) => (host.len(), 1),
        };
        let start = self.scheme.len().saturating_add(3).saturating_add(bracket);
        let end = start.saturating_add(host);
        let behind = self.path.map_or(0, |path| path.len().saturating_add(1));
        let path = at(text.len().saturating_sub(behind));
        ServerUri { text, scheme: at(self.scheme.len()), host: (at(start), at(end)), port: self.port, path }
    }
}

impl<'a> Host<'a> {
    /// The host at the front, and what is behind it.
    fn scan(text: &'a str) -> Result<(Self, &'a str), UriError> {
        if let Some(inner) = text.strip_prefix('[') {
            let (address, rest) = split_where(inner, |byte| byte == b']');
            let host = Self::V6(address, address.parse().map_err(|_| UriError::Host)?);
            return rest.strip_prefix(']').map(|rest| (host, rest)).ok_or(UriError::Host);
        }
        // Where the label begins that is being read; the one before it, for a dot at the end.
        let (mut label, mut before, mut end) = (0_usize, 0_usize, text.len());
        for (at, byte) in text.bytes().enumerate() {
            if byte == b'.' {
                if !(1..=63).contains(&at.saturating_sub(label)) {
                    return Err(UriError::Host);
                }
                (before, label) = (label, at.saturating_add(1));
            } else if !(byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
                end = at;
                break;
            }
        }
        let (name, rest) = text.split_at_checked(end).ok_or(UriError::Host)?;
        let (name, last, dot) = match name.strip_suffix('.') {
            Some(name) => (name, before, true),
            None => (name, label, false),
        };
        if name.len() > 253 || !(1..=63).contains(&name.len().saturating_sub(last)) {
            return Err(UriError::Host);
        }
        if is_number(name.get(last..).unwrap_or_default()) {
            // What ends in a number is an address. There is one way to write it that everybody reads alike.
            let address = name.parse::<Ipv4Addr>().ok().filter(|_| !dot);
            return address.map(|_| (Self::V4(name), rest)).ok_or(UriError::Host);
        }
        Ok((Self::Name(name, dot), rest))
    }
}

/// What is in front of the first byte that is so, and the rest; all of it, if there is none. Of ASCII only.
fn split_where(text: &str, is_so: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(is_so).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Whether a label is a number where addresses are read as C libraries do: decimal, octal or hexadecimal.
fn is_number(label: &str) -> bool {
    let (prefix, digits) = label.split_at_checked(2).unwrap_or_default();
    let hexadecimal = prefix.eq_ignore_ascii_case("0x") && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hexadecimal || label.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether `text` is how `value` is written. Nothing is stored for it.
fn is_written_as(value: &impl fmt::Display, text: &str) -> bool {
    struct Rest<'a>(&'a str);
    impl fmt::Write for Rest<'_> {
        fn write_str(&mut self, piece: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(piece).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    let mut rest = Rest(text);
    fmt::write(&mut rest, format_args!("{value}")).is_ok() && rest.0.is_empty()
}

impl core::str::FromStr for ServerUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let parts = Parts::scan(text)?;
        if parts.is_canonical() {
            return Ok(parts.place(text.into()));
        }
        // An address may be longer in its normal form.
        let spelling = parts.spelling();
        Ok(Parts::scan(&spelling)?.place(spelling.as_str().into()))
    }
}

impl TryFrom<String> for ServerUri {
    type Error = UriError;

    fn try_from(text: String) -> Result<Self, UriError> {
        text.parse()
    }
}

impl From<ServerUri> for String {
    fn from(uri: ServerUri) -> Self {
        uri.text.into()
    }
}

impl fmt::Display for ServerUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ServerUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
