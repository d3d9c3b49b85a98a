//! The floor: fixed slices, written for this message and nothing else.

/// Zeros behind a segment.
fn padding(size: usize) -> usize {
    size.wrapping_neg() % 8
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// Reads the body of a message of `count` segments; shows each to `each`. Returns tag, limit and flags.
#[inline]
pub(crate) fn decode<'a>(count: u32, body: &'a [u8], mut each: impl FnMut(&'a [u8])) -> Option<(u32, u32, u32)> {
    let block = body.len().checked_sub(12)?;
    let (block, metadata) = body.split_at(block);
    let count = usize::try_from(count).ok()?;
    let area = block.len().checked_sub(4 + count.checked_mul(8)?)?;
    let (area, table) = block.split_at(area);
    if word(table, 0)? != u32::MAX {
        return None;
    }
    for pair in table.get(4..)?.rchunks_exact(8) {
        let (size, offset) = (usize::try_from(word(pair, 0)?).ok()?, usize::try_from(word(pair, 4)?).ok()?);
        each(area.get(offset..)?.get(..size)?);
    }
    Some((word(metadata, 0)?, word(metadata, 4)?, word(metadata, 8)?))
}

/// Writes a request with its header; returns how many bytes.
#[inline]
pub(crate) fn encode(tag: u32, segments: &[impl AsRef<[u8]>], room: &mut [u8]) -> Option<usize> {
    let data: usize = segments.iter().map(AsRef::as_ref).map(|segment| segment.len() + padding(segment.len())).sum();
    let body = data + 4 + 8 * segments.len() + 12;
    let room = room.get_mut(..9 + body)?;
    let (head, mut rest) = room.split_at_mut(9);
    head[0] = 5;
    head[1..5].copy_from_slice(&u32::try_from(body).ok()?.to_be_bytes());
    head[5..9].copy_from_slice(&u32::try_from(segments.len()).ok()?.to_be_bytes());
    for segment in segments.iter().map(AsRef::as_ref) {
        let (to, after) = rest.split_at_mut(segment.len());
        to.copy_from_slice(segment);
        let (pad, after) = after.split_at_mut(padding(segment.len()));
        pad.fill(0);
        rest = after;
    }
    let (terminator, table) = rest.split_at_mut(4);
    terminator.fill(0xff);
    let (table, metadata) = table.split_at_mut(8 * segments.len());
    let mut offset = 0;
    for (segment, pair) in segments.iter().map(AsRef::as_ref).zip(table.rchunks_exact_mut(8)) {
        pair[..4].copy_from_slice(&u32::try_from(segment.len()).ok()?.to_be_bytes());
        pair[4..].copy_from_slice(&u32::try_from(offset).ok()?.to_be_bytes());
        offset += segment.len() + padding(segment.len());
    }
    metadata[..4].copy_from_slice(&tag.to_be_bytes());
    metadata[4..8].fill(0);
    metadata[8..].copy_from_slice(&2_u32.to_be_bytes());
    Some(9 + body)
}
