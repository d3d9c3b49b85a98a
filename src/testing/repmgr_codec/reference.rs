//! What the wire is, a second time: written by itself from spec/repmgr.md, slowly, in numbers that cannot overflow. It
//! shares nothing with the codec but the limits.

use crate::limits::RepmgrLimits;
use crate::repmgr::stream::Side;
use std::vec::Vec;

fn number(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// The segments of a data area with its table at the end; of `count`, if that is announced.
///
/// The table is read from its end: an offset, before it a size, and so on until the word where an offset would be is
/// all ones. Every segment lies in the data area, and together they are not larger than it.
pub(super) fn segments(block: &[u8], count: Option<u128>) -> Option<Vec<&[u8]>> {
    let (mut places, mut end) = (Vec::new(), block.len());
    loop {
        if end < 4 {
            return None;
        }
        end -= 4;
        let offset = number(&block[end..end + 4]);
        if offset == 0xffff_ffff {
            break;
        }
        if end < 4 {
            return None;
        }
        end -= 4;
        places.push((offset, number(&block[end..end + 4])));
    }
    let area = &block[..end];
    if count.is_some_and(|count| count != places.len() as u128) {
        return None;
    }
    if places.iter().map(|place| place.1).sum::<u128>() > area.len() as u128 {
        return None;
    }
    let mut segments = Vec::new();
    for (offset, size) in places {
        if offset + size > area.len() as u128 {
            return None;
        }
        segments.push(&area[offset as usize..(offset + size) as usize]);
    }
    Some(segments)
}

/// The block that a sender with aligned buffers makes of segments.
pub(super) fn canonical(segments: &[&[u8]]) -> Vec<u8> {
    let (mut area, mut table) = (Vec::new(), Vec::new());
    for segment in segments {
        let mut pair = (segment.len() as u32).to_be_bytes().to_vec();
        pair.extend((area.len() as u32).to_be_bytes());
        table.splice(0..0, pair);
        area.extend_from_slice(segment);
        while !area.len().is_multiple_of(8) {
            area.push(0);
        }
    }
    area.extend([0xff; 4]);
    area.extend(table);
    area
}

/// Which version a listener chooses; 1 and what is above 4 are never chosen.
pub(super) fn select(own: (u32, u32), proposed: (u32, u32)) -> Option<u32> {
    let own: Vec<u32> = (2..=4).filter(|version| own.0 <= *version && *version <= own.1).collect();
    let highest = *own.last()?;
    if proposed.0 <= highest && highest <= proposed.1 {
        return Some(highest);
    }
    own.contains(&proposed.1).then_some(proposed.1)
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    First,
    Answer,
    Second(u32),
    Ready(u32),
    /// There is no version in common: nothing may come.
    Over,
}

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// This many bytes are the beginning of a message.
    Open(usize),
    Malformed,
}

/// One direction of a connection.
pub(super) struct Reference {
    stage: Stage,
    own: (u32, u32),
    limits: RepmgrLimits,
}

impl Reference {
    pub(super) fn new(side: Side, own: (u32, u32), limits: RepmgrLimits) -> Self {
        let stage = if side == Side::Dialler { Stage::First } else { Stage::Answer };
        Self { stage, own, limits }
    }

    pub(super) fn established(version: u32, limits: RepmgrLimits) -> Self {
        Self { stage: Stage::Ready(version), own: (version, version), limits }
    }

    /// How long each message is, with its header, and how it ends.
    pub(super) fn judge(mut self, mut stream: &[u8]) -> (Vec<usize>, End) {
        let mut lengths = Vec::new();
        loop {
            if stream.len() < 9 {
                return (lengths, End::Open(stream.len()));
            }
            let (ty, word1, word2) = (stream[0], number(&stream[1..5]), number(&stream[5..9]));
            let Some(body) = self.announced(ty, word1, word2) else { return (lengths, End::Malformed) };
            if ((stream.len() - 9) as u128) < body {
                return (lengths, End::Open(stream.len()));
            }
            let (message, rest) = stream.split_at(9 + body as usize);
            if self.body(ty, word1 as usize, word2, &message[9..]).is_none() {
                return (lengths, End::Malformed);
            }
            lengths.push(message.len());
            stream = rest;
        }
    }

    /// How many bytes follow a header; `None` if it must not come.
    fn announced(&self, ty: u8, word1: u128, word2: u128) -> Option<u128> {
        let limit = |limit: usize| limit as u128;
        // First version, size of the body, and whether it can have that size at all.
        let (since, body, good) = match ty {
            1 => (1, word1 + word2, (word1, word2) == (12, 0)),
            2 => (1, word1 + word2, word2 > 0 && word1 + word2 <= limit(self.limits.handshake)),
            3 => (1, word1 + word2, word1 > 0 && word1 + word2 <= limit(self.limits.message)),
            4 => (2, word1 + word2, matches!((word1, word2), (0 | 12, 0))),
            5 => {
                let fits = 12 + 4 + 8 * word2 <= word1 && word2 <= u128::from(self.limits.segments);
                (4, word1, fits && word1 <= limit(self.limits.message))
            }
            6 => (4, word1, word1 <= limit(self.limits.message)),
            7 => (4, 0, true),
            8 => (4, word1, (word1 > 0 || word2 == 2 || word2 == 9) && word1 <= limit(self.limits.own)),
            _ => return None,
        };
        let expected = match self.stage {
            Stage::First => ty == 2 || ty == 4 && body == 0,
            Stage::Answer => ty == 2,
            Stage::Second(version) => ty == 2 || ty == 8 && version >= since,
            Stage::Ready(version) => ty != 2 && version >= since,
            Stage::Over => false,
        };
        (expected && good).then_some(body)
    }

    /// `None` if the body must not be.
    fn body(&mut self, ty: u8, word1: usize, word2: u128, body: &[u8]) -> Option<()> {
        match ty {
            2 => self.handshake(&body[..word1], &body[word1..]),
            5 => segments(&body[..body.len() - 12], Some(word2)).map(drop),
            8 => {
                if let Stage::Second(version) = self.stage {
                    self.stage = Stage::Ready(version);
                }
                own_message(word2, body)
            }
            _ => Some(()),
        }
    }

    fn handshake(&mut self, control: &[u8], record: &[u8]) -> Option<()> {
        let zero = record.iter().position(|byte| *byte == 0)?;
        let behind = &record[zero + 1..];
        let is_legacy = || {
            let control: &[u8; 12] = control.try_into().ok()?;
            matches!(control[..4], [1, 0, 0, 0] | [0, 0, 0, 1]).then_some(())
        };
        let least = |version| match version {
            2 => Some(6),
            3 => Some(10),
            4 => Some(12),
            _ => None,
        };
        self.stage = match (self.stage, behind.len()) {
            (Stage::First | Stage::Answer, 0) => {
                is_legacy()?;
                if self.own.0 <= 1 && self.own.1 >= 1 { Stage::Ready(1) } else { Stage::Over }
            }
            (Stage::First, 9) => {
                let proposed = (number(&behind[..4]) as u32, number(&behind[4..8]) as u32);
                select(self.own, proposed).map_or(Stage::Over, Stage::Second)
            }
            (Stage::Answer, 5) => {
                let version = number(&behind[..4]) as u32;
                if control.len() < least(version)? {
                    return None;
                }
                if version < self.own.0 || version > self.own.1 { Stage::Over } else { Stage::Ready(version) }
            }
            (Stage::Second(version), 0) if control.len() >= least(version)? => Stage::Ready(version),
            _ => return None,
        };
        Some(())
    }
}

/// A host with its size and its zero, and this many bytes: what is behind them.
fn host_and(size: usize, body: &[u8]) -> Option<&[u8]> {
    let length = number(body.get(..4)?);
    let rest = &body[4..];
    if length > rest.len() as u128 || length == 0 {
        return None;
    }
    let (host, rest) = rest.split_at(length as usize);
    if host.iter().position(|byte| *byte == 0) != Some(host.len() - 1) {
        return None;
    }
    rest.get(size..)
}

fn own_message(ty: u128, body: &[u8]) -> Option<()> {
    let good = match ty {
        1 | 6 => body.len() == 8,
        2 | 9 => body.is_empty(),
        // Port and number.
        3 | 4 | 8 => host_and(6, body)?.is_empty(),
        5 | 11 => {
            let mut rest = body.get(8..)?;
            while !rest.is_empty() {
                rest = host_and(6, rest)?;
            }
            true
        }
        _ => !body.is_empty(),
    };
    good.then_some(())
}
