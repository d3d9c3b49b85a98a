//! How a direction begins: that tells who has opened the connection.

use handover::repmgr::handshake::VersionRange;
use handover::repmgr::{Header, MessageType, Version};

/// The first message of a direction, as far as it tells who sent it.
#[derive(Clone, Copy)]
pub(super) enum Begin {
    /// A dialler's: the versions that it proposes.
    Proposal(VersionRange),
    /// A listener's: the version that it has chosen.
    Confirmation(Version),
    /// A handshake of either, or one that is malformed or cut short; or no bytes at all.
    Handshake,
    /// Anything else: the connection was established before its bytes were captured.
    Inside,
}

impl Begin {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let Some((header, body)) = split(bytes) else { return Self::Handshake };
        match header.ty {
            // Empty ones may stand in front of a proposal.
            MessageType::HEARTBEAT if header.body_len() == 0 => match Self::of(body) {
                Self::Handshake if body.is_empty() => Self::Inside,
                other => other,
            },
            MessageType::HANDSHAKE => Self::handshake(&header, body).unwrap_or(Self::Handshake),
            _ => Self::Inside,
        }
    }

    /// The record tells: behind the host's name a proposal has two versions and a byte, a confirmation has one.
    fn handshake(header: &Header, body: &[u8]) -> Option<Self> {
        let size = |word| usize::try_from(word).ok();
        let record = body.get(size(header.word1)?..)?.get(..size(header.word2)?)?;
        let host = record.iter().position(|byte| *byte == 0)?;
        let word = |bytes: [u8; 4]| Version(u32::from_be_bytes(bytes));
        match *record.get(host + 1..)? {
            [a, b, c, d, e, f, g, h, _] => {
                Some(Self::Proposal(VersionRange { min: word([a, b, c, d]), max: word([e, f, g, h]) }))
            }
            [a, b, c, d, _] => Some(Self::Confirmation(word([a, b, c, d]))),
            _ => None,
        }
    }
}

fn split(bytes: &[u8]) -> Option<(Header, &[u8])> {
    Some((Header::parse(bytes)?, bytes.get(Header::SIZE..)?))
}

/// Whether bytes can be the beginning of a direction, or of what was captured of one.
pub(super) fn is_plausible(bytes: &[u8]) -> bool {
    const LARGEST: u32 = 64 << 20;
    let Some((Header { ty, word1, word2 }, _)) = split(bytes) else { return false };
    match ty {
        MessageType::HANDSHAKE => word1 <= 64 && (1..=4096).contains(&word2),
        MessageType::PERM_LSN => (word1, word2) == (12, 0),
        MessageType::HEARTBEAT => matches!(word1, 0 | 12) && word2 == 0,
        MessageType::REP_MESSAGE => word1 == 36 && word2 <= LARGEST,
        MessageType::APP_MESSAGE => word1 <= LARGEST && u64::from(word1) >= 16 + 8 * u64::from(word2),
        MessageType::RESPONSE_ERROR => (30_000..31_000).contains(&word1),
        MessageType::APP_RESPONSE => word1 <= LARGEST && word2 <= 0xffff,
        MessageType::OWN_MESSAGE => word1 <= 0xffff && (1..=11).contains(&word2),
        _ => false,
    }
}
