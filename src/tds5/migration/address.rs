//! Where a client is sent to.

use alloc::string::{String, ToString};
use core::fmt;
use core::num::NonZeroU16;

/// A host and a port.
///
/// Sent as `host:port`, an IPv6 address as `[addr]:port`. Read from that, from `host port`, and from
/// `tcp ether host port`, with any white space between (spec/tds5.md 4.3 a).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct Address {
    host: String,
    port: NonZeroU16,
}

impl Address {
    /// The longest host: with brackets, a colon and a port it fills a VARCHAR.
    pub const MAX_HOST: usize = 247;

    /// An address; `None` if the host is empty, too long, or holds anything but the visible characters of ASCII
    /// without `[` and `]` (IPv6 addresses come without brackets), or if the port is 0.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Option<Self> {
        let visible = host.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'[' | b']'));
        if host.is_empty() || host.len() > Self::MAX_HOST || !visible {
            return None;
        }
        // A colon is part of an IPv6 address only, which may have a zone behind a percent sign.
        let number = host.split_once('%').map_or(host, |(number, _zone)| number);
        if host.contains(':') && !number.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')) {
            return None;
        }
        Some(Self { host: host.to_string(), port: NonZeroU16::new(port)? })
    }

    /// The host's name or number, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port.get()
    }

    /// Reads an address in one of the forms that are known.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(text).ok()?.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\0');
        let mut words = text.split_ascii_whitespace();
        let (first, second, third, fourth) = (words.next()?, words.next(), words.next(), words.next());
        let (host, port) = match (second, third, fourth, words.next()) {
            (None, ..) => {
                let (host, port) = first.rsplit_once(':')?;
                match host.strip_prefix('[') {
                    Some(inner) => (inner.strip_suffix(']').filter(|inner| inner.contains(':'))?, port),
                    None if host.contains(':') => return None,
                    None => (host, port),
                }
            }
            (Some(port), None, ..) => (first, port),
            (Some(_network), Some(host), Some(port), None) if first.eq_ignore_ascii_case("tcp") => (host, port),
            _ => return None,
        };
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        Self::new(host, port.parse().ok().filter(|_| digits)?)
    }
}

/// The text is no address in a form that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("not an address: host:port is expected")]
pub struct NotAnAddress;

impl core::str::FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        Self::parse(text.as_bytes()).ok_or(NotAnAddress)
    }
}

impl TryFrom<String> for Address {
    type Error = NotAnAddress;

    fn try_from(text: String) -> Result<Self, NotAnAddress> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_forms_are_read_and_nothing_else() {
        let good = [
            ("127.0.0.1:5001", "127.0.0.1", 5001),
            ("[::1]:5000", "::1", 5000),
            ("db.example 5000", "db.example", 5000),
            ("tcp ether db.example 5000", "db.example", 5000),
            (" TCP tcp 10.0.0.1\t65535\0", "10.0.0.1", 65535),
            ("::1 5000", "::1", 5000),
        ];
        for (text, host, port) in good {
            assert_eq!(Address::parse(text.as_bytes()), Address::new(host, port), "{text}");
            assert!(Address::new(host, port).is_some());
        }
        for text in [
            "",
            ":",
            "host",
            "host:",
            ":5000",
            "host:0",
            "host:65536",
            "host:+5",
            "::1:5000",
            "[::1]",
            "[host]:5000",
            "host:5000 x",
            "udp ether host 5000",
            "tcp ether host",
            "tcp ether host 5000 x",
            "\u{e9}:1",
            "a b:1",
        ] {
            assert_eq!(Address::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for address in [Address::new("a", 1), Address::new("fe80::1%eth0", 65535)] {
            let address = address.unwrap();
            assert_eq!(Address::parse(address.to_string().as_bytes()), Some(address));
        }
    }
}
