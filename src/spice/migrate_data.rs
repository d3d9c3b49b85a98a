//! What servers put into MIGRATE_DATA (spec/spice.md 4.6). Opaque to a client; for servers and checkers.

use super::common::same;
use super::ids::ChannelType;
use super::message::Body;
use crate::error::{DecodeError, to_u64};
use crate::wire::{fixed, parse};

/// The start of every MIGRATE_DATA body: four bytes of magic, u32 version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MigrateDataHeader {
    /// Which kind of channel wrote it.
    pub magic: [u8; 4],
    /// The layout's version.
    pub version: u32,
}

/// What is known about one kind of channel's MIGRATE_DATA.
struct Layout {
    magic: [u8; 4],
    version: u32,
    /// The smallest whole body, in bytes.
    size: usize,
}

fn layout(channel: ChannelType) -> Option<Layout> {
    let (magic, size) = match channel {
        ChannelType::MAIN => (*b"MNMD", 65),
        ChannelType::DISPLAY => (*b"DCMD", 8),
        ChannelType::INPUTS => (*b"ICMD", 10),
        ChannelType::SMARTCARD => (*b"SCMD", 8 + 34),
        ChannelType::USBREDIR | ChannelType::PORT | ChannelType::WEBDAV => (*b"SVMD", 8 + 25),
        _ => return None,
    };
    Some(Layout { magic, version: 1, size })
}

impl MigrateDataHeader {
    /// The header that a server of today writes for this kind of channel, `None` if none is known.
    #[must_use]
    pub fn for_channel(channel: ChannelType) -> Option<Self> {
        layout(channel).map(|Layout { magic, version, .. }| Self { magic, version })
    }

    /// Parses the start of a body.
    ///
    /// # Errors
    /// The body is shorter than the header.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        Self::parse(body).map(|(header, _)| header)
    }

    /// Whether a target can take this body for this kind of channel: magic, version not newer than ours,
    /// and size. Kinds whose layout is not known pass.
    ///
    /// # Errors
    /// It cannot; which field, and why.
    pub fn check(channel: ChannelType, body: &[u8]) -> Result<(), DecodeError> {
        const MESSAGE: &str = "MigrateData";
        let Some(layout) = layout(channel) else { return Ok(()) };
        let header = Self::decode(body)?;
        if header.magic != layout.magic {
            let got = u64::from(u32::from_le_bytes(header.magic));
            return Err(DecodeError::invalid(MESSAGE, "magic", "not the magic of this kind of channel", got));
        }
        if header.version > layout.version {
            let got = u64::from(header.version);
            return Err(DecodeError::unsupported(MESSAGE, "version", "newer than this target", got));
        }
        if body.len() < layout.size {
            return Err(DecodeError::short(MESSAGE, "data", layout.size, body.len()));
        }
        Ok(())
    }
}

impl<'a> Body<'a> for MigrateDataHeader {
    fn parse(body: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let (rest, magic) =
            parse::array(body).map_err(|_| DecodeError::short("MigrateData", "magic", 4, body.len()))?;
        let (rest, (version,)) = fixed!("MigrateData", rest, { version: u32 });
        Ok((Self { magic, version }, rest))
    }
}

crate::spice::common::body! {
    /// The main channel's part, behind the header: the state of the conversation with the guest's agent.
    /// 57 bytes; all zero behind `version` if no agent is connected.
    #[doc(alias = "SpiceMigrateDataMain")]
    pub struct MainMigrateData {
        /// Version of the character-device part: 1.
        version: u32 => u32 = same => same;
        /// Whether the agent is connected (0 or 1).
        connected: u8 => u8 = same => same;
        /// Messages that the client may still send.
        num_client_tokens: u32 => u32 = same => same;
        /// Messages that the server may still send.
        num_send_tokens: u32 => u32 = same => same;
        /// Bytes that wait to be written to the agent.
        write_size: u32 => u32 = same => same;
        /// Client messages among them.
        write_num_client_tokens: u32 => u32 = same => same;
        /// Where they stand, counted from the start of the MIGRATE_DATA body.
        write_data_ptr: u32 => u32 = same => same;
        /// Whether the client has started the conversation (0 or 1).
        client_agent_started: u8 => u8 = same => same;
        /// Agent to client: bytes of the chunk header that have been read.
        chunk_header_size: u32 => u32 = same => same;
        /// The chunk's port.
        chunk_port: u32 => u32 = same => same;
        /// The chunk's size.
        chunk_size: u32 => u32 = same => same;
        /// Whether the message header is complete (0 or 1).
        msg_header_done: u8 => u8 = same => same;
        /// Bytes of the message header that have been read.
        msg_header_partial_len: u32 => u32 = same => same;
        /// Where they stand, counted from the start of the MIGRATE_DATA body.
        msg_header_ptr: u32 => u32 = same => same;
        /// Bytes of the message that are still to come.
        msg_remaining: u32 => u32 = same => same;
        /// What the filter decided about the message.
        filter_result: u8 => u8 = same => same;
        /// Client to agent: bytes of the message that are still to come.
        read_msg_remaining: u32 => u32 = same => same;
        /// What the filter decided about it.
        read_filter_result: u8 => u8 = same => same;
    }
}

impl MainMigrateData {
    /// The main channel's part of a whole MIGRATE_DATA body, after [`MigrateDataHeader::check`].
    ///
    /// # Errors
    /// It is not the main channel's, too new or too short, or an offset does not lie within the body.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        MigrateDataHeader::check(ChannelType::MAIN, body)?;
        let (_, rest) = MigrateDataHeader::parse(body)?;
        let (data, _) = Self::parse(rest)?;
        for (field, at, size) in [
            ("write_data_ptr", data.write_data_ptr, data.write_size),
            ("msg_header_ptr", data.msg_header_ptr, data.msg_header_partial_len),
        ] {
            if size > 0 && u64::from(at).saturating_add(u64::from(size)) > to_u64(body.len()) {
                return Err(DecodeError::invalid("MainMigrateData", field, "must lie within the body", u64::from(at)));
            }
        }
        Ok(data)
    }
}
