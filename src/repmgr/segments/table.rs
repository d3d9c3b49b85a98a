//! The table of a block of segments, borrowed (spec/repmgr.md 3.1).

use super::{TERMINATOR, table_len};
use crate::error::{DecodeError, to_u64};
use crate::wire::parse;

/// A data area with its table, borrowed and found in order: what [`Segments`](super::Segments) is when nothing is
/// kept. Decoding one allocates nothing.
///
/// ```
/// use handover::repmgr::SegmentTable;
///
/// let block = b"hi\0\0\0\0\0\0\xff\xff\xff\xff\0\0\0\x02\0\0\0\0";
/// let table = SegmentTable::parse(block)?;
/// assert_eq!(table.iter().collect::<Vec<_>>(), [b"hi"]);
/// # Ok::<(), handover::error::DecodeError>(())
/// ```
#[derive(Clone, Copy)]
pub struct SegmentTable<'a> {
    area: &'a [u8],
    /// Size and offset of each segment, the last one first.
    pairs: &'a [u8],
}

impl<'a> SegmentTable<'a> {
    /// Takes a data area with its table apart, by the rules of [`Segments::parse`](super::Segments::parse).
    ///
    /// # Errors
    /// As there.
    pub fn parse(block: &'a [u8]) -> Result<Self, DecodeError> {
        check("Segments", block, count("Segments", block)?)
    }

    /// The same, if the number of segments is known: it must be that of the table.
    #[inline]
    pub(crate) fn parse_counted(message: &'static str, block: &'a [u8], expected: u32) -> Result<Self, DecodeError> {
        let count = usize::try_from(expected).unwrap_or(usize::MAX);
        if table_len(count) > block.len() {
            return Err(DecodeError::short(message, "segments", table_len(count), block.len()));
        }
        check(message, block, count)
    }

    /// That of a block that was checked.
    #[inline]
    pub(super) fn of(block: &'a [u8], count: usize) -> Self {
        let (area, table) = block.split_at_checked(block.len().saturating_sub(table_len(count))).unwrap_or_default();
        Self { area, pairs: table.get(4..).unwrap_or_default() }
    }

    /// How many segments there are.
    #[must_use]
    #[inline]
    pub const fn len(&self) -> usize {
        self.pairs.len().wrapping_div(8)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// One of them, by its index from 0.
    #[must_use]
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let end = self.pairs.len().checked_sub(index.checked_mul(8)?)?;
        let (_, pair) = self.pairs.get(..end)?.split_last_chunk::<8>()?;
        self.segment(*pair)
    }

    /// All of them in order.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let table = *self;
        let (pairs, _) = self.pairs.as_chunks::<8>();
        pairs.iter().rev().map(move |pair| table.segment(*pair).unwrap_or_default())
    }

    /// Where each of them stands in the data area.
    pub(super) fn offsets(&self) -> impl Iterator<Item = u32> + use<'a> {
        let (pairs, _) = self.pairs.as_chunks::<8>();
        pairs.iter().rev().map(|pair| words(*pair).1)
    }

    /// What is in front of the table.
    pub(super) const fn area(&self) -> &'a [u8] {
        self.area
    }

    #[inline]
    fn segment(&self, pair: [u8; 8]) -> Option<&'a [u8]> {
        let (size, offset) = words(pair);
        self.area.get(usize::try_from(offset).ok()?..)?.get(..usize::try_from(size).ok()?)
    }
}

impl core::fmt::Debug for SegmentTable<'_> {
    /// Only the sizes are shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SegmentTable")?;
        f.debug_list().entries(self.iter().map(<[u8]>::len)).finish()
    }
}

impl PartialEq for SegmentTable<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for SegmentTable<'_> {}

/// Size and offset.
#[inline]
fn words([a, b, c, d, e, f, g, h]: [u8; 8]) -> (u32, u32) {
    (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
}

/// How many segments a table says there are: pairs from the end to the terminator. (A size of 2³²−1 would look like
/// it, and cannot be: the data area would have to be that large.)
fn count(message: &'static str, block: &[u8]) -> Result<usize, DecodeError> {
    let mut left = block;
    let mut count = 0_usize;
    // A pair is an offset at the end and a size before it: the word at the end of the table proper is an offset.
    loop {
        let Some((rest, word)) = left.split_last_chunk::<4>() else {
            return Err(DecodeError::short(message, "terminator", 4, left.len()));
        };
        if u32::from_be_bytes(*word) == TERMINATOR {
            return Ok(count);
        }
        let Some((rest, _)) = rest.split_last_chunk::<4>() else {
            return Err(DecodeError::short(message, "size", 4, rest.len()));
        };
        (left, count) = (rest, count.saturating_add(1));
    }
}

/// Whether a block has room for the table, a terminator where it must be, and all segments in its data area.
#[inline]
fn check<'a>(message: &'static str, block: &'a [u8], count: usize) -> Result<SegmentTable<'a>, DecodeError> {
    let Some((area, table)) = block.len().checked_sub(table_len(count)).and_then(|at| block.split_at_checked(at))
    else {
        return Err(DecodeError::short(message, "table", table_len(count), block.len()));
    };
    let Ok((pairs, terminator)) = parse::array::<4>(table) else {
        return Err(DecodeError::short(message, "terminator", 4, table.len()));
    };
    if u32::from_be_bytes(terminator) != TERMINATOR {
        let reason = "the table has more segments than were announced, or no end";
        return Err(DecodeError::invalid(message, "terminator", reason, u64::from(u32::from_be_bytes(terminator))));
    }
    let size = to_u64(area.len());
    let mut sum = 0_u64;
    for pair in pairs.as_chunks::<8>().0 {
        let (one, offset) = words(*pair);
        let (one, offset) = (u64::from(one), u64::from(offset));
        if offset.saturating_add(one) > size {
            return Err(outside(message, offset, one, size));
        }
        sum = sum.saturating_add(one);
    }
    if sum > size {
        let reason = "the segments are larger than what they are in";
        return Err(DecodeError::invalid(message, "size", reason, sum));
    }
    Ok(SegmentTable { area, pairs })
}

#[cold]
fn outside(message: &'static str, offset: u64, size: u64, area: u64) -> DecodeError {
    let reason = "reaches beyond the data area";
    if offset > area {
        DecodeError::invalid(message, "offset", reason, offset)
    } else {
        DecodeError::invalid(message, "size", reason, size)
    }
}
