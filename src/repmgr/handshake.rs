//! The three steps by which a connection is established (spec/repmgr.md 2).

mod codec;

use super::host::Host;
use super::ids::{AckPolicy, ConnectionFlags, Version};
use bytes::{Bytes, BytesMut};

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

impl Proposal {
    /// A proposal as libdb makes it. The control part is what version 1 would understand, in little-endian whatever
    /// machine this is: nobody who knows versions reads it.
    ///
    /// ```
    /// use handover::repmgr::handshake::{Handshake, Proposal, VersionRange};
    /// use handover::repmgr::Host;
    /// use handover::wire::Encode;
    ///
    /// let host = Host::new("127.0.0.1").expect("no zero in it");
    /// let proposal = Handshake::from(Proposal::new(host, 6112, 100, VersionRange::ALL));
    /// let (header, control, record) = (
    ///     b"\x02\0\0\0\x0c\0\0\0\x13",
    ///     b"\x01\0\0\0\xe0\x17\0\0\0\0\0\x64",
    ///     b"127.0.0.1\0\0\0\0\x01\0\0\0\x04\0",
    /// );
    /// assert_eq!(proposal.to_vec()?, [&header[..], control, record].concat());
    /// # Ok::<(), handover::error::EncodeError>(())
    /// ```
    #[must_use]
    pub fn new(host: Host, port: u16, priority: u32, versions: VersionRange) -> Self {
        Self { legacy: legacy_control(port, priority), host, versions, trailing: 0 }
    }
}

impl LegacyHandshake {
    /// A handshake of version 1, in little-endian.
    #[must_use]
    pub fn new(host: Host, port: u16, priority: u32) -> Self {
        Self { control: legacy_control(port, priority), host }
    }
}

/// u32 version 1, u16 port, u16 nothing, all in the sender's byte order; u32 priority, big-endian.
fn legacy_control(port: u16, priority: u32) -> Bytes {
    let mut control = BytesMut::zeroed(LegacyHandshake::CONTROL_SIZE);
    crate::wire::Writer::fill(&mut control, |writer| {
        writer.put(&1_u32.to_le_bytes());
        writer.put(&port.to_le_bytes());
        writer.put(&[0; 2]);
        writer.put(&priority.to_be_bytes());
    });
    control.freeze()
}

impl Confirmation {
    /// The answer to a proposal: the version is the one that `site`'s control part is laid out for.
    ///
    /// ```
    /// use handover::repmgr::handshake::{Confirmation, Control, Handshake, SiteParameters};
    /// use handover::repmgr::{AckPolicy, ConnectionFlags, Host};
    /// use handover::wire::Encode;
    ///
    /// let control = Control::v4(AckPolicy::QUORUM, ConnectionFlags::ELECTABLE);
    /// let host = Host::new("127.0.0.1").expect("no zero in it");
    /// let confirmation = Handshake::from(Confirmation::new(SiteParameters::new(host, 6111, control)));
    /// let (header, control, record) = (
    ///     b"\x02\0\0\0\x0c\0\0\0\x0f",
    ///     b"\x17\xdf\0\x08\0\0\0\x07\0\0\0\x04",
    ///     b"127.0.0.1\0\0\0\0\x04\0",
    /// );
    /// assert_eq!(confirmation.to_vec()?, [&header[..], control, record].concat());
    /// # Ok::<(), handover::error::EncodeError>(())
    /// ```
    #[must_use]
    pub const fn new(site: SiteParameters) -> Self {
        Self { version: site.control.version(), site, trailing: 0 }
    }
}

impl Parameters {
    /// Those of a channel, which is opened by somebody who need not be a site at all.
    ///
    /// ```
    /// use handover::repmgr::handshake::{Handshake, Parameters};
    /// use handover::repmgr::Host;
    /// use handover::wire::Encode;
    ///
    /// let parameters = Handshake::from(Parameters::channel(Host::EMPTY, 0));
    /// assert_eq!(parameters.to_vec()?, b"\x02\0\0\0\x0c\0\0\0\x01\0\0\0\x08\0\0\0\x07\0\0\0\x02\0");
    /// # Ok::<(), handover::error::EncodeError>(())
    /// ```
    #[must_use]
    pub const fn channel(host: Host, port: u16) -> Self {
        let control = Control::v4(AckPolicy::QUORUM, ConnectionFlags::APP_CHANNEL);
        Self { site: SiteParameters::new(host, port, control) }
    }
}

impl SiteParameters {
    /// What a site says of itself, and nothing beyond.
    #[must_use]
    pub const fn new(host: Host, port: u16, control: Control) -> Self {
        Self { host, port, control, extra: Bytes::new() }
    }
}

impl VersionRange {
    /// All that is known: 1 to 4.
    pub const ALL: Self = Self { min: Version::V1, max: Version::V4 };

    /// Version 4 only: what channels need.
    pub const CHANNELS: Self = Self { min: Version::V4, max: Version::V4 };

    /// Whether `version` is in it.
    #[must_use]
    pub fn contains(&self, version: Version) -> bool {
        self.min <= version && version <= self.max
    }

    /// Which version a listener that speaks these chooses when a dialler proposes those: its own highest, else the
    /// dialler's highest, else none (spec/repmgr.md 2.3). Never 1, which has no proposals, and none above
    /// [`ALL`](Self::ALL).
    ///
    /// ```
    /// use handover::repmgr::Version;
    /// use handover::repmgr::handshake::VersionRange;
    ///
    /// let proposed = |min, max| VersionRange { min: Version(min), max: Version(max) };
    /// assert_eq!(VersionRange::ALL.select(proposed(2, 9)), Some(Version::V4));
    /// assert_eq!(VersionRange::ALL.select(proposed(1, 3)), Some(Version::V3));
    /// assert_eq!(VersionRange::ALL.select(proposed(5, 9)), None);
    /// assert_eq!(VersionRange::CHANNELS.select(proposed(1, 3)), None);
    /// ```
    #[must_use]
    pub fn select(&self, proposed: Self) -> Option<Version> {
        let own = Self { min: self.min.max(Version::V2), max: self.max.min(Self::ALL.max) };
        if proposed.contains(own.max) && own.min <= own.max {
            Some(own.max)
        } else {
            own.contains(proposed.max).then_some(proposed.max)
        }
    }
}

impl Control {
    /// What version 4 has.
    #[must_use]
    pub const fn v4(ack_policy: AckPolicy, flags: ConnectionFlags) -> Self {
        Self::V4 { alignment: 8, ack_policy, flags }
    }

    /// The version that it is laid out for.
    #[must_use]
    pub const fn version(&self) -> Version {
        match self {
            Self::V2 { .. } => Version::V2,
            Self::V3 { .. } => Version::V3,
            Self::V4 { .. } => Version::V4,
        }
    }

    /// What the connection is for; version 2 cannot say.
    #[must_use]
    pub const fn flags(&self) -> ConnectionFlags {
        match self {
            Self::V2 { .. } => ConnectionFlags::empty(),
            Self::V3 { flags, .. } | Self::V4 { flags, .. } => *flags,
        }
    }
}

impl Handshake {
    /// Its name, without contents.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Proposal(_) => "Proposal",
            Self::Legacy(_) => "LegacyHandshake",
            Self::Confirmation(_) => "Confirmation",
            Self::Parameters(_) => "Parameters",
        }
    }
}

macro_rules! steps {
    ($($step:ident($type:ty))+) => {$(
        impl From<$type> for Handshake {
            fn from(step: $type) -> Self {
                Self::$step(step)
            }
        }
    )+};
}
steps! { Proposal(Proposal) Legacy(LegacyHandshake) Confirmation(Confirmation) Parameters(Parameters) }
