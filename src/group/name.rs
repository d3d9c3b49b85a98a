//! Names, values and numbers (spec/group.md 2.2).

use crate::error::DecodeError;
use crate::frame::{Body, Value, number_values, record};
use crate::wire::{ByteOrder::Big, Writer, put, together};
use bytes::Bytes;
use core::fmt;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident($repr:ty);)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
            #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
            pub struct $name(pub $repr);
        )+
        number_values! { $($name: $repr, $name, |value: $name| value.0;)+ }
    };
}

counters! {
    /// Which domain: no other has the same.
    DomainId(u64);
    /// Which reign in a domain: each coordinator that takes over begins a higher one. 48 bits of a count and 16 bits of
    /// the coordinator, so that no two ever reign in the same; 0: none.
    Epoch(u64);
    /// Which coordinator of its domain: 0 to 255.
    CoordinatorId(u16);
    /// Which group: one that is made anew under an old name has another, also in another reign. 32 bits of which reign
    /// it was made in (see [`Sequence`]), 32 bits of a count.
    GroupId(u64);
    /// Which protocol, in its group.
    ProtocolId(u64);
    /// Which request of a process; it chooses the number, and the answer has it too.
    RequestId(u32);
    /// Which of the things that a group has been told: each has the next number. A reign begins at one that is higher than
    /// any in the reigns before it: 24 bits of the epoch's count (the first is 0), 8 bits of who reigns, since two may reign
    /// at once that do not know of each other, and 32 bits of a count.
    Sequence(u64);
    /// Which membership of a group: it grows with each change.
    ViewId(u64);
}

record! {
    /// Who a request is from: a provider or a subscriber, for its coordinator. u32 index, u32 generation.
    ///
    /// Indexes are assigned as those of files are: the lowest that is free. The generation tells one holder of an index
    /// from the next.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    #[doc(alias = "ha_gs_token_t")]
    pub struct Token {
        /// The number that GSAPI has for it.
        pub index: u32,
        /// How many have had that index before.
        pub generation: u32,
    }

    /// Who a provider is, for its group. u32 node, i16 instance, u64 incarnation.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    #[doc(alias = "ha_gs_provider_t")]
    pub struct ProviderId {
        /// The machine that it runs on.
        #[doc(alias = "gs_node_number")]
        pub node: u32,
        /// Which provider of its group there.
        #[doc(alias = "gs_instance_number")]
        pub instance: i16,
        /// Which start of its process: one that comes back is somebody else.
        pub incarnation: u64,
    }
}

impl Epoch {
    /// The next reign, if `coordinator` takes over.
    #[must_use]
    pub const fn next(self, coordinator: CoordinatorId) -> Self {
        Self(((self.0 >> 16).wrapping_add(1) << 16) | widen(coordinator.0))
    }

    /// Whose reign it is.
    #[must_use]
    pub const fn coordinator(self) -> CoordinatorId {
        let [.., high, low] = self.0.to_be_bytes();
        CoordinatorId(u16::from_be_bytes([high, low]))
    }
}

impl Sequence {
    /// Where a reign begins: what is told in it comes after all that was told before it, whoever has heard that.
    #[must_use]
    pub const fn before(epoch: Epoch) -> Self {
        const MOST: u64 = (1 << 24) - 1;
        let count = (epoch.0 >> 16).saturating_sub(1);
        let count = if count < MOST { count } else { MOST };
        Self(((count << 8) | (epoch.0 & 0xff)) << 32)
    }
}

impl GroupId {
    /// Where a reign begins: a group that is formed in it is none that was there before, known to it or not.
    #[must_use]
    pub const fn before(epoch: Epoch) -> Self {
        Self(Sequence::before(epoch).0)
    }
}

const fn widen(number: u16) -> u64 {
    let [high, low] = number.to_be_bytes();
    u64::from_be_bytes([0, 0, 0, 0, 0, 0, high, low])
}

/// A group's name: u8 size and 1 to 32 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "Bytes", into = "Bytes"))]
#[doc(alias = "ha_gs_group_name_t")]
pub struct GroupName(Bytes);

/// A group's name has 1 to 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("a group's name has 1 to 32 bytes")]
pub struct InvalidName;

impl GroupName {
    /// Most bytes.
    #[doc(alias = "HA_GS_MAX_GROUP_NAME_LENGTH")]
    pub const MAX: usize = 32;

    /// A name; `None` if it is empty or too long.
    #[must_use]
    pub fn new(name: impl Into<Bytes>) -> Option<Self> {
        Self::try_from(name.into()).ok()
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<Bytes> for GroupName {
    type Error = InvalidName;

    fn try_from(name: Bytes) -> Result<Self, InvalidName> {
        if (1..=Self::MAX).contains(&name.len()) { Ok(Self(name)) } else { Err(InvalidName) }
    }
}

impl From<GroupName> for Bytes {
    fn from(name: GroupName) -> Self {
        name.0
    }
}

impl fmt::Debug for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl Value for GroupName {
    const LEAST: usize = 2;

    #[inline]
    fn parse(body: &mut Body<'_>, field: &'static str) -> Result<Self, DecodeError> {
        let size = body.u8(field)?;
        if !(1..=Self::MAX).contains(&usize::from(size)) {
            return Err(body.invalid(field, "a name of 1 to 32 bytes is expected", u64::from(size)));
        }
        body.share(field, usize::from(size)).map(Self)
    }

    #[inline]
    fn encoded_len(&self) -> usize {
        together(self.0.len(), 1)
    }

    #[inline]
    fn write<'w>(&self, mut writer: Writer<'w>) -> Writer<'w> {
        put!(&mut writer, { size: u8 = u8::try_from(self.0.len()).unwrap_or(u8::MAX) });
        writer.put(&self.0);
        writer
    }
}

/// A value is too long, or empty where it must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("a state value has up to 256 bytes, a message 1 to 2048")]
pub struct InvalidValue;

macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident { $least:literal ..= $most:literal, $reason:literal })+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(
            feature = "serde",
            derive(serde::Serialize, serde::Deserialize),
            serde(try_from = "Bytes", into = "Bytes")
        )]
        pub struct $name(Bytes);

        impl $name {
            /// Most bytes.
            pub const MAX: usize = $most;

            /// `None` if it is too long, or too short.
            #[must_use]
            pub fn new(bytes: impl Into<Bytes>) -> Option<Self> {
                Self::try_from(bytes.into()).ok()
            }

            /// Its bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &Bytes {
                &self.0
            }
        }

        impl TryFrom<Bytes> for $name {
            type Error = InvalidValue;

            fn try_from(bytes: Bytes) -> Result<Self, InvalidValue> {
                if ($least..=Self::MAX).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(InvalidValue) }
            }
        }

        impl From<$name> for Bytes {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Debug for $name {
            /// It is the application's: only its size is shown.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} bytes", self.0.len())
            }
        }

        impl Value for $name {
            const LEAST: usize = 2;

            #[inline]
            fn parse(body: &mut Body<'_>, field: &'static str) -> Result<Self, DecodeError> {
                let size = body.u16(field)?;
                if !($least..=Self::MAX).contains(&usize::from(size)) {
                    return Err(body.invalid(field, $reason, u64::from(size)));
                }
                body.share(field, usize::from(size)).map(Self)
            }

            #[inline]
            fn encoded_len(&self) -> usize {
                together(self.0.len(), 2)
            }

            #[inline]
            fn write<'w>(&self, mut writer: Writer<'w>) -> Writer<'w> {
                put!(in Big; &mut writer, { size: u16 = u16::try_from(self.0.len()).unwrap_or(u16::MAX) });
                writer.put(&self.0);
                writer
            }
        }
    )+};
}

opaque! {
    /// The value that a group agrees on: u16 size and up to 256 bytes. Empty: it has none yet.
    #[derive(Default)]
    #[doc(alias = "ha_gs_state_value_t")]
    StateValue { 0..=256, "at most 256 bytes are expected" }

    /// A message for all providers of a group: u16 size and 1 to 2048 bytes.
    #[doc(alias = "ha_gs_provider_message_t")]
    ProviderMessage { 1..=2048, "1 to 2048 bytes are expected" }
}
