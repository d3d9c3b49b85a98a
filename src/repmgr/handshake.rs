//! The three steps by which a connection is established (spec/repmgr.md 2).

use super::host::Host;
use super::ids::{AckPolicy, ConnectionFlags, Version};
use bytes::Bytes;

/// One step. Which one it is depends on who sends it and what came before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Handshake {
    /// The dialler's first: which versions it can speak.
    Proposal(Proposal),
    /// The only one of a dialler that knows no versions, or the answer to it.
    Legacy(LegacyHandshake),
    /// The listener's answer: the version, and what it is.
    Confirmation(Confirmation),
    /// The dialler's second: what it is.
    Parameters(Parameters),
}

/// Which versions a dialler can speak (spec/repmgr.md 2.2).
///
/// Control part: 12 bytes in the shape that version 1 had, in the dialler's own byte order, which nobody who knows
/// versions reads. Record: host with its zero, u32 lowest version, u32 highest version, one byte that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Proposal {
    /// The control part as it came; any bytes will do. [`Proposal::new`] makes what version 1 would understand.
    pub legacy: Bytes,
    /// Where the dialler listens; a channel needs none.
    pub host: Host,
    /// The versions that it can speak.
    pub versions: VersionRange,
    /// The byte at the end: any value, and there must be one.
    pub trailing: u8,
}

/// The lowest and the highest version that a site can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VersionRange {
    /// The lowest.
    pub min: Version,
    /// The highest.
    pub max: Version,
}

/// What version 1 has for all three steps (spec/repmgr.md 2.7): the record is the host with its zero and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LegacyHandshake {
    /// The control part as it came: 12 bytes in the sender's byte order.
    pub control: Bytes,
    /// Where the sender listens.
    pub host: Host,
}

/// Which version it is, and what the listener is (spec/repmgr.md 2.4).
///
/// Control part: as in [`Parameters`]. Record: host with its zero, u32 version, one zero byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Confirmation {
    /// The version from now on.
    pub version: Version,
    /// What the listener is.
    pub site: SiteParameters,
    /// The byte at the end: 0 when sent, any value on receipt.
    pub trailing: u8,
}

/// What the dialler is (spec/repmgr.md 2.5).
///
/// Control part: version 4 u16 port, u16 alignment, u32 acknowledgement policy, u32 flags; version 3 u16 port,
/// u32 priority, u32 flags; version 2 u16 port, u32 priority. Record: host with its zero.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Parameters {
    /// What the dialler is.
    pub site: SiteParameters,
}

/// What a site says of itself when a connection is established.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SiteParameters {
    /// Where it listens.
    pub host: Host,
    /// The port there.
    pub port: u16,
    /// What the version adds.
    pub control: Control,
    /// Bytes behind the control part's layout, which are not looked at.
    pub extra: Bytes,
}

/// What the control part holds besides the port, by version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Control {
    /// Version 2.
    V2 {
        /// The site's priority in elections; 0: it cannot become master.
        priority: u32,
    },
    /// Version 3.
    V3 {
        /// The site's priority in elections; 0: it cannot become master.
        priority: u32,
        /// What the connection is for.
        flags: ConnectionFlags,
    },
    /// Version 4.
    V4 {
        /// 8; never looked at.
        alignment: u16,
        /// Whose acknowledgements the site waits for.
        ack_policy: AckPolicy,
        /// What the connection is for.
        flags: ConnectionFlags,
    },
}

impl VersionRange {
    /// All that is known: 1 to 4.
    pub const ALL: Self = Self { min: Version::V1, max: Version::V4 };

    /// Version 4 only: what channels need.
    pub const CHANNELS: Self = Self { min: Version::V4, max: Version::V4 };
}

impl Control {
    /// What the connection is for; version 2 cannot say.
    #[must_use]
    pub const fn flags(&self) -> ConnectionFlags {
        match self {
            Self::V2 { .. } => ConnectionFlags::empty(),
            Self::V3 { flags, .. } | Self::V4 { flags, .. } => *flags,
        }
    }
}
