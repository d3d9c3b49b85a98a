//! A client's settings, and whom it trusts.

use crate::limits::Tds5Limits;
use crate::tds5::migration::Address;
use alloc::vec::Vec;
use core::time::Duration;

/// Which addresses a server may send the client to, and with it the client's password (spec/tds5.md 4.3 l).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Trust {
    /// Those that the application has named in [`Connect`](super::Command::Connect).
    #[default]
    Known,
    /// These.
    List(Vec<Address>),
    /// Every one.
    Any,
}

impl Trust {
    /// Whether a server may send a client that was told of the addresses `known` to `address`. Names of hosts are the
    /// same in upper and lower case.
    #[must_use]
    pub fn allows(&self, address: &Address, known: &[Address]) -> bool {
        let list = match self {
            Self::Known => known,
            Self::List(list) => list,
            Self::Any => return true,
        };
        list.iter().any(|one| one.port() == address.port() && one.host().eq_ignore_ascii_case(address.host()))
    }
}

/// Where the client may stop for a migration (spec/tds5.md 4.3 d).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum SafePoint {
    /// Between two messages, whether a command waits or not.
    #[default]
    BetweenMessages,
    /// When no command waits.
    WhenIdle,
}

/// A client's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// Whether the client may be migrated. Default true. Otherwise it does not ask for the capability and ignores
    /// every request.
    #[doc(alias = "CS_PROP_MIGRATABLE")]
    pub migratable: bool,
    /// Where it may be sent to. Default [`Trust::Known`].
    pub trust: Trust,
    /// Whether every connection, the first one and those that follow from it, is made with TLS. Default false.
    pub tls: bool,
    /// Where it may stop. Default [`SafePoint::BetweenMessages`].
    pub safe_point: SafePoint,
    /// How long the old server may take to say whether to go. Default 60 s.
    pub answer_timeout: Duration,
    /// How long one address may take, from dialling to the end of the login; and how long a server may take to answer
    /// LOGOUT. Default 15 s.
    pub login_timeout: Duration,
    /// Whether LOGOUT is sent to the old server before its connection is closed. Default false.
    pub logout_old: bool,
    /// Whether the old server is told why a migration has failed. Default true.
    pub send_reason: bool,
    /// Whether a server that is logged in to may send the client elsewhere (spec/tds5.md 5). Default false.
    pub follow_redirects: bool,
    /// How many times in one login. Default 4.
    pub max_redirects: u8,
    /// Bounds.
    pub limits: Tds5Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            migratable: true,
            trust: Trust::default(),
            tls: false,
            safe_point: SafePoint::default(),
            answer_timeout: Duration::from_secs(60),
            login_timeout: Duration::from_secs(15),
            logout_old: false,
            send_reason: true,
            follow_redirects: false,
            max_redirects: 4,
            limits: Tds5Limits::DEFAULT,
        }
    }
}
