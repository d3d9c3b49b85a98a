//! The link stage's messages (spec/spice.md 2).

use super::common::same;
use super::ids::{Capabilities, ChannelId, ChannelType, CommonCaps, LinkError};
use crate::error::{DecodeError, EncodeError, to_u64};
use crate::limits::SpiceLimits;
use crate::wire::length_u32;
use crate::wire::{Encode, Writer, fixed, put};
use bytes::Bytes;
use nom::Parser;

/// The first four bytes of a link header: "REDQ".
pub const MAGIC: [u8; 4] = *b"REDQ";
/// The only major version that is spoken.
pub const MAJOR: u32 = 2;
/// The minor version that we send. Any is accepted.
pub const MINOR: u32 = 2;

/// A link header: "REDQ", u32 major, u32 minor, u32 size of what follows. Both directions.
#[doc(alias = "SpiceLinkHeader")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkHeader {
    /// The minor version; the major version is always [`MAJOR`].
    pub minor: u32,
    /// Bytes that follow.
    pub size: u32,
}

impl LinkHeader {
    /// The size in bytes.
    pub const SIZE: usize = 16;

    /// Looks at as much of a header as is there: what is wrong is said as soon as it shows, before the
    /// rest comes. `None`: more bytes are needed.
    ///
    /// # Errors
    /// The magic or the major version is not ours, or `size` is outside `sizes`.
    pub fn parse(bytes: &[u8], sizes: core::ops::RangeInclusive<u32>) -> Result<Option<Self>, DecodeError> {
        const MESSAGE: &str = "LinkHeader";
        let right = bytes.iter().zip(MAGIC).take_while(|&(&got, expected)| got == expected).count();
        if right < bytes.len().min(MAGIC.len()) {
            // Up to the first wrong byte: the error must not depend on how many have come behind it.
            let mut magic = [0; 4];
            bytes.iter().zip(&mut magic).take(right.saturating_add(1)).for_each(|(&from, to)| *to = from);
            let got = u64::from(u32::from_le_bytes(magic));
            return Err(DecodeError::invalid(MESSAGE, "magic", "must be REDQ (0x51444552)", got));
        }
        use crate::wire::parse;
        if let Ok((_, (_, major))) = (parse::u32, parse::u32).parse(bytes)
            && major != MAJOR
        {
            return Err(DecodeError::unsupported(MESSAGE, "major", "only major version 2 is spoken", u64::from(major)));
        }
        let Ok((_, (_, _, minor, size))) = (parse::u32, parse::u32, parse::u32, parse::u32).parse(bytes) else {
            return Ok(None);
        };
        if size < *sizes.start() {
            return Err(DecodeError::invalid(MESSAGE, "size", "smaller than the fixed part", u64::from(size)));
        }
        if size > *sizes.end() {
            return Err(DecodeError::limit(MESSAGE, "size", "link_size", u64::from(*sizes.end()), u64::from(size)));
        }
        Ok(Some(Self { minor, size }))
    }

    fn write(minor: u32, size: usize, writer: &mut Writer<'_>) {
        writer.put(&MAGIC);
        put!(writer, { major: u32 = MAJOR, minor: u32 = minor, size: u32 = length_u32(size) });
    }
}

/// A client opens a channel: the first message of a link, with its header.
///
/// After the header: u32 connection id, u8 channel type, u8 channel id, u32 count of common words, u32
/// count of channel words, u32 offset of the words from the start of this part; then the words.
#[doc(alias = "SpiceLinkMess")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LinkMess {
    minor: u32,
    connection_id: u32,
    channel: ChannelId,
    common_caps: Capabilities,
    channel_caps: Capabilities,
    /// What followed the header, if it is not laid out as we would.
    verbatim: Option<Bytes>,
}

impl LinkMess {
    const FIXED_PART_SIZE: u32 = 18;

    /// A link message as we send it. A kind without capabilities sends no word.
    #[must_use]
    pub fn new(connection_id: u32, channel: ChannelId, common: CommonCaps, channel_caps: Capabilities) -> Self {
        Self { minor: MINOR, connection_id, channel, common_caps: common.into(), channel_caps, verbatim: None }
    }

    /// Sizes that the header may announce.
    #[must_use]
    pub const fn sizes(limits: &SpiceLimits) -> core::ops::RangeInclusive<u32> {
        Self::FIXED_PART_SIZE..=limits.link_size
    }

    /// Parses what follows the header.
    ///
    /// # Errors
    /// A count or offset is out of range.
    pub fn parse(minor: u32, body: &Bytes, limits: &SpiceLimits) -> Result<Self, DecodeError> {
        const MESSAGE: &str = "LinkMess";
        let (_, (connection_id, ty, id, num_common_caps, num_channel_caps, caps_offset)) = fixed!(MESSAGE, body, {
            connection_id: u32, channel_type: u8, channel_id: u8, num_common_caps: u32, num_channel_caps: u32, caps_offset: u32
        });
        let words = CapsRef { fixed: Self::FIXED_PART_SIZE, num_common_caps, num_channel_caps, caps_offset };
        let (common_caps, channel_caps) = words.read(MESSAGE, body, limits)?;
        let channel = ChannelId::new(ChannelType(ty), id);
        let message = Self { minor, connection_id, channel, common_caps, channel_caps, verbatim: None };
        Ok(keep_if_unusual(message, body, |message, body| message.verbatim = Some(body)))
    }

    /// The minor version in the header.
    #[must_use]
    pub const fn minor(&self) -> u32 {
        self.minor
    }

    /// 0 for a new session; otherwise the session's id, from INIT.
    #[must_use]
    pub const fn connection_id(&self) -> u32 {
        self.connection_id
    }

    /// The channel.
    #[must_use]
    pub const fn channel(&self) -> ChannelId {
        self.channel
    }

    /// What the client can do on every channel.
    #[must_use]
    pub const fn common_caps(&self) -> &Capabilities {
        &self.common_caps
    }

    /// What it can do on this channel.
    #[must_use]
    pub const fn channel_caps(&self) -> &Capabilities {
        &self.channel_caps
    }
}

impl Encode for LinkMess {
    fn encoded_len(&self) -> usize {
        let words = words_len(&self.common_caps, &self.channel_caps);
        let ours = words.saturating_add(usize::try_from(Self::FIXED_PART_SIZE).unwrap_or(0));
        self.verbatim.as_ref().map_or(ours, Bytes::len).saturating_add(LinkHeader::SIZE)
    }

    fn check(&self) -> Result<(), EncodeError> {
        check_words("LinkMess", &self.common_caps, &self.channel_caps)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        LinkHeader::write(self.minor, self.encoded_len().saturating_sub(LinkHeader::SIZE), writer);
        if let Some(body) = &self.verbatim {
            return writer.put(body);
        }
        put!(writer, {
            connection_id: u32 = self.connection_id,
            channel_type: u8 = self.channel.ty.0,
            channel_id: u8 = self.channel.id,
            num_common_caps: u32 = length_u32(self.common_caps.0.len()),
            num_channel_caps: u32 = length_u32(self.channel_caps.0.len()),
            caps_offset: u32 = Self::FIXED_PART_SIZE,
        });
        write_words(&self.common_caps, &self.channel_caps, writer);
    }
}

/// The server's public key: a DER SubjectPublicKeyInfo of an RSA key of 1024 bits, 162 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(pub [u8; PublicKey::SIZE]);

impl PublicKey {
    /// The size in bytes.
    pub const SIZE: usize = 162;
    /// What an error reply carries, and an OK reply where SASL takes the ticket's place.
    pub const ZERO: Self = Self([0; Self::SIZE]);
}

impl core::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(if *self == Self::ZERO { "PublicKey(zero)" } else { "PublicKey(162 bytes)" })
    }
}

/// The server's answer to [`LinkMess`], with its header.
///
/// After the header: u32 error, 162 bytes of public key, u32 count of common words, u32 count of channel
/// words, u32 offset of the words from the start of this part; then the words.
#[doc(alias = "SpiceLinkReply")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinkReply {
    minor: u32,
    error: LinkError,
    public_key: PublicKey,
    common_caps: Capabilities,
    channel_caps: Capabilities,
    /// What followed the header, if it is not laid out as we would.
    verbatim: Option<Bytes>,
}

impl LinkReply {
    const FIXED_PART_SIZE: u32 = 178;

    /// The link goes on.
    #[must_use]
    pub fn accept(public_key: PublicKey, common: CommonCaps, channel_caps: Capabilities) -> Self {
        Self { public_key, common_caps: common.into(), channel_caps, ..Self::refuse(LinkError::OK) }
    }

    /// The link is refused.
    #[must_use]
    pub fn refuse(error: LinkError) -> Self {
        Self {
            minor: MINOR,
            error,
            public_key: PublicKey::ZERO,
            common_caps: Capabilities::default(),
            channel_caps: Capabilities::default(),
            verbatim: None,
        }
    }

    /// Sizes that the header may announce.
    #[must_use]
    pub const fn sizes(limits: &SpiceLimits) -> core::ops::RangeInclusive<u32> {
        Self::FIXED_PART_SIZE..=limits.link_size
    }

    /// Parses what follows the header.
    ///
    /// # Errors
    /// A count or offset is out of range.
    pub fn parse(minor: u32, body: &Bytes, limits: &SpiceLimits) -> Result<Self, DecodeError> {
        const MESSAGE: &str = "LinkReply";
        let (rest, (error,)) = fixed!(MESSAGE, body, { error: u32 });
        let (rest, key) = crate::wire::parse::array(rest)
            .map_err(|_| DecodeError::short(MESSAGE, "public_key", PublicKey::SIZE, rest.len()))?;
        let (_, (num_common_caps, num_channel_caps, caps_offset)) =
            fixed!(MESSAGE, rest, { num_common_caps: u32, num_channel_caps: u32, caps_offset: u32 });
        let words = CapsRef { fixed: Self::FIXED_PART_SIZE, num_common_caps, num_channel_caps, caps_offset };
        let (common_caps, channel_caps) = words.read(MESSAGE, body, limits)?;
        let (error, public_key) = (LinkError(error), PublicKey(key));
        let message = Self { minor, error, public_key, common_caps, channel_caps, verbatim: None };
        Ok(keep_if_unusual(message, body, |message, body| message.verbatim = Some(body)))
    }

    /// The minor version in the header.
    #[must_use]
    pub const fn minor(&self) -> u32 {
        self.minor
    }

    /// [`LinkError::OK`], or why the link is refused.
    #[must_use]
    pub const fn error(&self) -> LinkError {
        self.error
    }

    /// The key for the ticket.
    #[must_use]
    pub const fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// What the server can do on every channel.
    #[must_use]
    pub const fn common_caps(&self) -> &Capabilities {
        &self.common_caps
    }

    /// What it can do on this channel.
    #[must_use]
    pub const fn channel_caps(&self) -> &Capabilities {
        &self.channel_caps
    }
}

impl Encode for LinkReply {
    fn encoded_len(&self) -> usize {
        let words = words_len(&self.common_caps, &self.channel_caps);
        let ours = words.saturating_add(usize::try_from(Self::FIXED_PART_SIZE).unwrap_or(0));
        self.verbatim.as_ref().map_or(ours, Bytes::len).saturating_add(LinkHeader::SIZE)
    }

    fn check(&self) -> Result<(), EncodeError> {
        check_words("LinkReply", &self.common_caps, &self.channel_caps)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        LinkHeader::write(self.minor, self.encoded_len().saturating_sub(LinkHeader::SIZE), writer);
        if let Some(body) = &self.verbatim {
            return writer.put(body);
        }
        put!(writer, { error: u32 = self.error.0 });
        writer.put(&self.public_key.0);
        put!(writer, {
            num_common_caps: u32 = length_u32(self.common_caps.0.len()),
            num_channel_caps: u32 = length_u32(self.channel_caps.0.len()),
            // An error reply of the real server has no offset.
            caps_offset: u32 = if self.error == LinkError::OK { Self::FIXED_PART_SIZE } else { 0 },
        });
        write_words(&self.common_caps, &self.channel_caps, writer);
    }
}

/// The encrypted ticket: 128 bytes, RSA-OAEP (SHA-1, MGF1 with SHA-1, empty label) of the password and a NUL.
/// Encryption and decryption are the caller's. Never printed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(pub [u8; Ticket::SIZE]);

impl Ticket {
    /// The size in bytes.
    pub const SIZE: usize = 128;
}

impl core::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Ticket(secret)")
    }
}

crate::spice::common::body! {
    /// The end of the link stage: OK, or why not. Server to client, four bytes. Where it reads "REDQ" there
    /// stands a whole link reply with an error instead (spec/spice.md 2.5).
    pub struct LinkResult {
        /// [`LinkError::OK`], or why the link is refused.
        error: LinkError => u32 = LinkError => |error: LinkError| error.0;
    }
}

crate::spice::common::body! {
    /// The client's choice of mechanism, four bytes; only if both sides have
    /// [`CommonCaps::AUTH_SELECTION`].
    pub struct AuthMechanism {
        /// The mechanism's number.
        mechanism: u32 => u32 = same => same;
    }
}

/// Where the capability words of a link message are said to stand.
struct CapsRef {
    fixed: u32,
    num_common_caps: u32,
    num_channel_caps: u32,
    caps_offset: u32,
}

impl CapsRef {
    fn read(
        &self,
        message: &'static str,
        body: &[u8],
        limits: &SpiceLimits,
    ) -> Result<(Capabilities, Capabilities), DecodeError> {
        for (field, count) in [("num_common_caps", self.num_common_caps), ("num_channel_caps", self.num_channel_caps)] {
            let most = limits.capability_words.min(SpiceLimits::DEFAULT.capability_words);
            if count > most {
                let (limit, got) = (u64::from(most), u64::from(count));
                return Err(DecodeError::limit(message, field, "capability_words", limit, got));
            }
        }
        let total = u64::from(self.num_common_caps).saturating_add(u64::from(self.num_channel_caps));
        if total == 0 {
            // The real server does not look at the offset then.
            return Ok(Default::default());
        }
        let start = u64::from(self.caps_offset);
        let end = start.saturating_add(total.saturating_mul(4));
        if self.caps_offset < self.fixed || end > to_u64(body.len()) {
            return Err(DecodeError::invalid(
                message,
                "caps_offset",
                "the words must lie behind the fixed part and within the message",
                start,
            ));
        }
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let words = body.get(at(start)..at(end)).unwrap_or_default();
        let (common, channel) =
            words.split_at_checked(at(u64::from(self.num_common_caps).saturating_mul(4))).unwrap_or_default();
        Ok((read_words(common), read_words(channel)))
    }
}

fn read_words(bytes: &[u8]) -> Capabilities {
    Capabilities(bytes.chunks_exact(4).filter_map(|word| Some(u32::from_le_bytes(word.try_into().ok()?))).collect())
}

fn words_len(common: &Capabilities, channel: &Capabilities) -> usize {
    common.0.len().saturating_add(channel.0.len()).saturating_mul(4)
}

fn write_words(common: &Capabilities, channel: &Capabilities, writer: &mut Writer<'_>) {
    common.0.iter().chain(&channel.0).for_each(|word| writer.put(&word.to_le_bytes()));
}

fn check_words(message: &'static str, common: &Capabilities, channel: &Capabilities) -> Result<(), EncodeError> {
    let max = u64::from(SpiceLimits::DEFAULT.capability_words);
    for (field, caps) in [("common_caps", common), ("channel_caps", channel)] {
        let got = to_u64(caps.0.len());
        if got > max {
            return Err(EncodeError::TooLong { message, field, max, got });
        }
    }
    Ok(())
}

/// Keeps the body of a message that our encoder would lay out in another way.
fn keep_if_unusual<M: Encode>(mut message: M, body: &Bytes, keep: impl FnOnce(&mut M, Bytes)) -> M {
    let ours = message.to_vec().unwrap_or_default();
    if ours.get(LinkHeader::SIZE..) != Some(body.as_ref()) {
        keep(&mut message, body.clone());
    }
    message
}
