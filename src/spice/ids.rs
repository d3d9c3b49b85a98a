//! Numbers of the SPICE wire (spec/spice.md 2.4 and 2.6), and the handles that machines use for links and clients.

use crate::wire::codes;
use alloc::vec::Vec;
use bitflags::bitflags;
use core::num::NonZeroU16;

pub use crate::machine::LinkId;

codes! {
    /// Kind of a channel, one byte on the wire (spec/spice.md 2.4).
    pub struct ChannelType(u8) {
        /// Session control, and all of migration's signalling.
        MAIN = 1, "SPICE_CHANNEL_MAIN";
        /// Screens.
        DISPLAY = 2, "SPICE_CHANNEL_DISPLAY";
        /// Keyboard and pointer.
        INPUTS = 3, "SPICE_CHANNEL_INPUTS";
        /// Pointer shape.
        CURSOR = 4, "SPICE_CHANNEL_CURSOR";
        /// Sound to the client.
        PLAYBACK = 5, "SPICE_CHANNEL_PLAYBACK";
        /// Sound from the client.
        RECORD = 6, "SPICE_CHANNEL_RECORD";
        /// No longer in use.
        TUNNEL = 7, "SPICE_CHANNEL_TUNNEL";
        /// Smart cards.
        SMARTCARD = 8, "SPICE_CHANNEL_SMARTCARD";
        /// Redirected USB devices.
        USBREDIR = 9, "SPICE_CHANNEL_USBREDIR";
        /// A character device with a name.
        PORT = 10, "SPICE_CHANNEL_PORT";
        /// Shared folders.
        WEBDAV = 11, "SPICE_CHANNEL_WEBDAV";
    }
}

codes! {
    /// Outcome of the link stage, a u32 in a link reply and in a link result (spec/spice.md 2.6).
    pub struct LinkError(u32) {
        /// No error.
        OK = 0, "SPICE_LINK_ERR_OK";
        /// Something else.
        ERROR = 1, "SPICE_LINK_ERR_ERROR";
        /// The first four bytes are not "REDQ".
        INVALID_MAGIC = 2, "SPICE_LINK_ERR_INVALID_MAGIC";
        /// A size, count or offset is out of range.
        INVALID_DATA = 3, "SPICE_LINK_ERR_INVALID_DATA";
        /// The major version is not ours.
        VERSION_MISMATCH = 4, "SPICE_LINK_ERR_VERSION_MISMATCH";
        /// This channel is served over TLS only.
        NEED_SECURED = 5, "SPICE_LINK_ERR_NEED_SECURED";
        /// This channel is served without TLS only.
        NEED_UNSECURED = 6, "SPICE_LINK_ERR_NEED_UNSECURED";
        /// The ticket is wrong, expired or cannot be decrypted.
        PERMISSION_DENIED = 7, "SPICE_LINK_ERR_PERMISSION_DENIED";
        /// No session has this connection id.
        BAD_CONNECTION_ID = 8, "SPICE_LINK_ERR_BAD_CONNECTION_ID";
        /// There is no such channel.
        CHANNEL_NOT_AVAILABLE = 9, "SPICE_LINK_ERR_CHANNEL_NOT_AVAILABLE";
    }
}

codes! {
    /// How the client authenticates, a u32 (spec/spice.md 2.5). The numbers are capability bits.
    pub struct Mechanism(u32) {
        /// The RSA-encrypted password.
        TICKET = 1, "SPICE_COMMON_CAP_AUTH_SPICE";
        /// SASL; what follows is outside this crate.
        SASL = 2, "SPICE_COMMON_CAP_AUTH_SASL";
    }
}

bitflags! {
    /// Capabilities of every channel: word 0 of the common words (spec/spice.md 2.4). Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct CommonCaps: u32 {
        /// The client names its mechanism before it authenticates.
        const AUTH_SELECTION = 1;
        /// Tickets are spoken. (The real client does not say so and uses them all the same.)
        const AUTH_SPICE = 1 << 1;
        /// SASL is spoken.
        const AUTH_SASL = 1 << 2;
        /// Six-byte data headers.
        const MINI_HEADER = 1 << 3;
        const _ = !0;
    }
}

bitflags! {
    /// Capabilities of the main channel: word 0 of its channel words (spec/spice.md 2.4). Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct MainCaps: u32 {
        /// MIGRATE_BEGIN and MIGRATE_END are understood.
        const SEMI_SEAMLESS_MIGRATE = 1;
        /// NAME and UUID are understood.
        const NAME_AND_UUID = 1 << 1;
        /// Agent tokens are told with the agent's connection.
        const AGENT_CONNECTED_TOKENS = 1 << 2;
        /// MIGRATE_BEGIN_SEAMLESS is understood.
        const SEAMLESS_MIGRATE = 1 << 3;
        const _ = !0;
    }
}

bitflags! {
    /// What a channel's MIGRATE asks of the client: a u32 (spec/spice.md 4.1). Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct MigrateFlags: u32 {
        /// Answer with MIGRATE_FLUSH_MARK as the last message to the source.
        const NEED_FLUSH = 1;
        /// MIGRATE_DATA follows and goes to the target unchanged.
        const NEED_DATA_TRANSFER = 2;
        const _ = !0;
    }
}

impl MigrateFlags {
    /// What the real server sends for a channel of this type: nothing for cursor, playback and record,
    /// both flags for the others.
    #[must_use]
    pub fn for_channel(ty: ChannelType) -> Self {
        match ty {
            ChannelType::CURSOR | ChannelType::PLAYBACK | ChannelType::RECORD => Self::empty(),
            _ => Self::NEED_FLUSH | Self::NEED_DATA_TRANSFER,
        }
    }
}

bitflags! {
    /// Who moves the pointer: a u16 on the wire. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct MouseModes: u16 {
        /// The server, from relative motion.
        const SERVER = 1;
        /// The client, with absolute positions.
        const CLIENT = 2;
        const _ = !0;
    }
}

/// Capability words as they are on the wire: bit `n` is bit `n % 32` of word `n / 32`, a missing word is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Capabilities(pub Vec<u32>);

impl Capabilities {
    /// Word `index`, 0 if it is missing.
    #[must_use]
    pub fn word(&self, index: usize) -> u32 {
        self.0.get(index).copied().unwrap_or(0)
    }

    /// Word 0 as the capabilities that every channel has.
    #[must_use]
    pub fn common(&self) -> CommonCaps {
        CommonCaps::from_bits_retain(self.word(0))
    }

    /// Word 0 as the main channel's capabilities.
    #[must_use]
    pub fn main(&self) -> MainCaps {
        MainCaps::from_bits_retain(self.word(0))
    }
}

impl From<CommonCaps> for Capabilities {
    fn from(caps: CommonCaps) -> Self {
        Self([caps.bits()].into())
    }
}

impl From<MainCaps> for Capabilities {
    fn from(caps: MainCaps) -> Self {
        Self([caps.bits()].into())
    }
}

/// A TCP port as the destination messages carry it: 0 and 65535 both mean "none" (spec/spice.md 4.5),
/// because the real server sends 65535 for a port that was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Port(u16);

impl Port {
    /// No port, as we send it.
    pub const ABSENT: Self = Self(0);

    /// A port by its number on the wire.
    #[must_use]
    pub const fn from_wire(raw: u16) -> Self {
        Self(raw)
    }

    /// The number on the wire.
    #[must_use]
    pub const fn wire(self) -> u16 {
        self.0
    }

    /// The port to dial, `None` if there is none.
    #[must_use]
    pub const fn get(self) -> Option<NonZeroU16> {
        if self.0 == u16::MAX { None } else { NonZeroU16::new(self.0) }
    }

    /// What we send for this port: the port itself, or 0 if there is none.
    #[must_use]
    pub const fn normalized(self) -> Self {
        if self.0 == u16::MAX { Self::ABSENT } else { self }
    }
}

/// One channel of a session: its kind and its number among those of the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ChannelId {
    /// The kind.
    pub ty: ChannelType,
    /// The number, from 0.
    pub id: u8,
}

impl ChannelId {
    /// The main channel.
    pub const MAIN: Self = Self { ty: ChannelType::MAIN, id: 0 };

    /// Channel `id` of kind `ty`.
    #[must_use]
    pub const fn new(ty: ChannelType, id: u8) -> Self {
        Self { ty, id }
    }

    /// Whether this is the main channel (whatever its number).
    #[must_use]
    pub fn is_main(self) -> bool {
        self.ty == ChannelType::MAIN
    }
}

/// One client of a server machine: all links with the same connection id. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ClientId(pub u32);
