//! The first message on a link, from both ends (spec/frame.md 3).

use super::extension::Extensions;
use super::header::{FrameFlags, Protocol};
use super::message::{Native, check_kind};
use super::text::Text;
use crate::error::{DecodeError, EncodeError, to_u64};
use crate::wire::ByteOrder::Big;
use crate::wire::{Writer, bytes, fixed, put, share};
use alloc::vec::Vec;
use bitflags::bitflags;
use bytes::Bytes;
use core::fmt;

bitflags! {
    /// What an end can do in one protocol; what a bit means is the protocol's business. Both ends have what both say.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct Capabilities: u64 {
        const _ = !0;
    }
}

/// The lowest and the highest version of a protocol that an end speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VersionRange {
    /// The lowest.
    pub min: u16,
    /// The highest.
    pub max: u16,
}

/// A protocol that an end speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Offer {
    /// Which.
    pub protocol: Protocol,
    /// In which versions.
    pub versions: VersionRange,
    /// What it can do there.
    pub capabilities: Capabilities,
}

impl Offer {
    /// Version 1 of a protocol.
    #[must_use]
    pub const fn new(protocol: Protocol, capabilities: Capabilities) -> Self {
        Self { protocol, versions: VersionRange { min: 1, max: 1 }, capabilities }
    }
}

/// Who an end is, in up to 64 bytes that only its peers need to understand: a key's digest, a name. Empty if it does not
/// say. The transport proves it, or nobody does.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "Bytes", into = "Bytes"))]
pub struct Identity(Bytes);

/// An identity has at most 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("an identity has at most 64 bytes")]
pub struct LongIdentity;

impl Identity {
    /// None.
    pub const NONE: Self = Self(Bytes::new());

    /// Most bytes.
    pub const MAX: usize = 64;

    /// An identity; `None` if it is too long.
    #[must_use]
    pub fn new(identity: impl Into<Bytes>) -> Option<Self> {
        Self::try_from(identity.into()).ok()
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<Bytes> for Identity {
    type Error = LongIdentity;

    fn try_from(identity: Bytes) -> Result<Self, LongIdentity> {
        if identity.len() > Self::MAX { Err(LongIdentity) } else { Ok(Self(identity)) }
    }
}

impl From<Identity> for Bytes {
    fn from(identity: Identity) -> Self {
        identity.0
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What an end says first: u32 largest body that it takes, u32 start number, u8 size and identity, u8 size and agent,
/// u8 number of protocols, for each u8 protocol, u16 lowest version, u16 highest version, u64 capabilities; extensions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Hello {
    /// The largest body that it takes, in bytes; 1024 at least.
    pub max_body: u32,
    /// A number that grows with every start of the program that says it; 0 if it does not count.
    pub boot: u32,
    /// Who it is.
    pub identity: Identity,
    /// The program, for people.
    pub agent: Text,
    /// What it speaks; each protocol once.
    pub offers: Vec<Offer>,
    /// What else is said.
    pub extensions: Extensions,
}

impl Hello {
    /// Its number among the link's messages.
    pub const KIND: u8 = 1;

    /// The smallest `max_body` that may be said.
    pub const LEAST_BODY: u32 = 1024;

    /// A hello of somebody who does not say who it is.
    #[must_use]
    pub fn new(offers: impl IntoIterator<Item = Offer>) -> Self {
        Self {
            max_body: crate::limits::FrameLimits::DEFAULT.frame,
            boot: 0,
            identity: Identity::NONE,
            agent: Text::EMPTY,
            offers: offers.into_iter().collect(),
            extensions: Extensions::NONE,
        }
    }

    /// What is settled between this end and one that says `theirs`; `None` if there is nothing that both speak. Both
    /// ends come to the same protocols, versions and capabilities.
    #[must_use]
    pub fn settle(&self, theirs: Self) -> Option<Settled> {
        let mut spoken: Vec<Spoken> = self
            .offers
            .iter()
            .filter_map(|ours| {
                let theirs = theirs.offers.iter().find(|theirs| theirs.protocol == ours.protocol)?;
                let version = ours.versions.max.min(theirs.versions.max);
                let both = version >= ours.versions.min.max(theirs.versions.min);
                let capabilities = ours.capabilities & theirs.capabilities;
                both.then_some(Spoken { protocol: ours.protocol, version, capabilities })
            })
            .collect();
        spoken.sort_unstable_by_key(|spoken| spoken.protocol);
        (!spoken.is_empty()).then_some(Settled { spoken, peer: theirs })
    }
}

/// A protocol that both ends of a link speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Spoken {
    /// Which.
    pub protocol: Protocol,
    /// The highest version that both speak.
    pub version: u16,
    /// What both can do.
    pub capabilities: Capabilities,
}

/// What both hellos of a link have settled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settled {
    /// The protocols that both ends speak, by number.
    pub spoken: Vec<Spoken>,
    /// What the other end has said.
    pub peer: Hello,
}

impl Settled {
    /// How a protocol is spoken; `None` if it is not.
    #[must_use]
    pub fn protocol(&self, protocol: Protocol) -> Option<Spoken> {
        self.spoken.iter().copied().find(|spoken| spoken.protocol == protocol)
    }
}

impl Native for Hello {
    const PROTOCOL: Protocol = Protocol::LINK;

    fn kind(&self) -> u8 {
        Self::KIND
    }

    fn flags(&self) -> FrameFlags {
        FrameFlags::CRITICAL
    }

    fn name(&self) -> &'static str {
        "HELLO"
    }

    fn parse(kind: u8, _flags: FrameFlags, body: &Bytes) -> Result<Self, DecodeError> {
        const MESSAGE: &str = "Hello";
        check_kind(kind, Self::KIND)?;
        let (rest, (max_body, boot, identity_size)) =
            fixed!(in Big; MESSAGE, body, { max_body: u32, boot: u32, identity_size: u8 });
        if max_body < Self::LEAST_BODY {
            return Err(DecodeError::invalid(MESSAGE, "max_body", "at least 1024", u64::from(max_body)));
        }
        if usize::from(identity_size) > Identity::MAX {
            return Err(DecodeError::invalid(MESSAGE, "identity_size", "at most 64", u64::from(identity_size)));
        }
        let (rest, identity) = bytes(MESSAGE, "identity", usize::from(identity_size), rest)?;
        let (rest, agent) = Text::parse(MESSAGE, "agent", rest)?;
        let (mut rest, (count,)) = fixed!(in Big; MESSAGE, rest, { count: u8 });
        let mut offers: Vec<Offer> = Vec::new();
        for _ in 0..count {
            let (after, (protocol, min, max, capabilities)) =
                fixed!(in Big; MESSAGE, rest, { protocol: u8, min_version: u16, max_version: u16, capabilities: u64 });
            rest = after;
            let protocol = Protocol(protocol);
            check_offer(&offers, protocol, min, max)?;
            let (versions, capabilities) = (VersionRange { min, max }, Capabilities::from_bits_retain(capabilities));
            offers.push(Offer { protocol, versions, capabilities });
        }
        let extensions = Extensions::parse(MESSAGE, body, rest, &[])?;
        Ok(Self { max_body, boot, identity: Identity(share(body, identity)), agent, offers, extensions })
    }

    fn body_len(&self) -> usize {
        let fixed = 4_usize.saturating_add(4).saturating_add(1).saturating_add(1);
        fixed
            .saturating_add(self.identity.0.len())
            .saturating_add(self.agent.encoded_len())
            .saturating_add(self.offers.len().saturating_mul(13))
            .saturating_add(self.extensions.as_bytes().len())
    }

    fn check(&self) -> Result<(), EncodeError> {
        let invalid = |field, reason| EncodeError::Invalid { message: "Hello", field, reason };
        if self.max_body < Self::LEAST_BODY {
            return Err(invalid("max_body", "at least 1024"));
        }
        if self.offers.len() > usize::from(u8::MAX) {
            let (max, got) = (u64::from(u8::MAX), to_u64(self.offers.len()));
            return Err(EncodeError::TooLong { message: "Hello", field: "offers", max, got });
        }
        for (index, offer) in self.offers.iter().enumerate() {
            let before = self.offers.get(..index).unwrap_or_default();
            if check_offer(before, offer.protocol, offer.versions.min, offer.versions.max).is_err() {
                return Err(invalid("offers", "each protocol once, not the link itself, versions in order"));
            }
        }
        Ok(())
    }

    fn write_body(&self, writer: &mut Writer<'_>) {
        let size = |length: usize| u8::try_from(length).unwrap_or(u8::MAX);
        put!(in Big; writer, {
            max_body: u32 = self.max_body, boot: u32 = self.boot, identity_size: u8 = size(self.identity.0.len())
        });
        writer.put(&self.identity.0);
        self.agent.write(writer);
        put!(in Big; writer, { count: u8 = size(self.offers.len()) });
        for Offer { protocol, versions, capabilities } in &self.offers {
            put!(in Big; writer, {
                protocol: u8 = protocol.0, min_version: u16 = versions.min, max_version: u16 = versions.max,
                capabilities: u64 = capabilities.bits()
            });
        }
        writer.put(self.extensions.as_bytes());
    }
}

fn check_offer(before: &[Offer], protocol: Protocol, min: u16, max: u16) -> Result<(), DecodeError> {
    let invalid = |field, reason, got| Err(DecodeError::invalid("Hello", field, reason, got));
    if protocol == Protocol::LINK {
        return invalid("protocol", "the link itself is not offered", 0);
    }
    if before.iter().any(|offer| offer.protocol == protocol) {
        return invalid("protocol", "offered twice", u64::from(protocol.0));
    }
    if min > max {
        return invalid("min_version", "higher than the highest", u64::from(min));
    }
    Ok(())
}
