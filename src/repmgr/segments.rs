//! The segments of a message, and the table that says where they are (spec/repmgr.md 3.1).
//!
//! ```text
//! data area:   segment 0, pad, segment 1, pad, …
//! table:       ff ff ff ff | size n-1, offset n-1 | … | size 0, offset 0      (big-endian u32)
//! ```
//!
//! The table is read backwards from its end. Sent tables are always laid out in the same way: segments in order, each
//! padded with zeros to a multiple of 8. Received ones may be laid out otherwise; see [`Segments::parse`].

use crate::error::{DecodeError, EncodeError, to_u64};
use crate::wire::{Encode, Writer, fits_u32, length_u32, parse, put, share};
use alloc::vec::Vec;
use bytes::Bytes;
use core::hash::{Hash, Hasher};

/// What stands in front of the table.
const TERMINATOR: u32 = u32::MAX;

/// Bytes of a table for `count` segments: a word, and two for each.
const fn table_len(count: usize) -> usize {
    count.saturating_mul(8).saturating_add(4)
}

/// Zeros that follow a segment of `size` bytes.
const fn padding(size: usize) -> usize {
    size.wrapping_neg() & 7
}

/// The parts of a message: any number of byte strings, each of any length.
///
/// Received segments are parts of the message's bytes: nothing is copied, and the layout is kept, so that the message
/// can be sent on byte for byte. Two values are equal if their segments are, however they are laid out.
///
/// ```
/// use bytes::Bytes;
/// use handover::repmgr::Segments;
/// use handover::wire::Encode;
///
/// let segments: Segments = ["hello", "", "world!"].into_iter().collect();
/// let block = Bytes::from(segments.to_vec()?);
/// assert_eq!(block.len(), 8 + 0 + 8 + 4 + 3 * 8);
/// let received = Segments::parse(&block)?;
/// assert_eq!(received, segments);
/// assert_eq!(received.get(2).as_deref(), Some(&b"world!"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[doc(alias = "DBT")]
pub struct Segments(Layout);

#[derive(Clone)]
enum Layout {
    /// A data area with its table, as received and found in order.
    Block { block: Bytes, count: usize },
    /// To be laid out.
    Parts(Vec<Bytes>),
}

impl Segments {
    /// No segments.
    pub const EMPTY: Self = Self(Layout::Parts(Vec::new()));

    /// One segment.
    #[must_use]
    pub fn one(segment: impl Into<Bytes>) -> Self {
        Self(Layout::Parts(alloc::vec![segment.into()]))
    }

    /// Takes a data area with its table apart: the body of a bulk response. The number of segments is where the
    /// terminator says.
    ///
    /// Segments may stand anywhere in the data area, in any order and with any bytes between them. Their sizes must
    /// not add up to more than the data area, so that nobody can make a small message look large.
    ///
    /// # Errors
    /// There is no terminator, a segment lies outside of the data area, or the segments together are larger than it.
    pub fn parse(block: &Bytes) -> Result<Self, DecodeError> {
        let count = count("Segments", block)?;
        check("Segments", block, count)?;
        Ok(Self(Layout::Block { block: block.clone(), count }))
    }

    /// The same, if the number of segments is known: it must be that of the table.
    pub(crate) fn parse_counted(message: &'static str, block: Bytes, expected: u32) -> Result<Self, DecodeError> {
        let count = usize::try_from(expected).unwrap_or(usize::MAX);
        if table_len(count) > block.len() {
            return Err(DecodeError::short(message, "segments", table_len(count), block.len()));
        }
        check(message, &block, count)?;
        Ok(Self(Layout::Block { block, count }))
    }

    /// The data area with its table, if it was received as such.
    pub(crate) fn block(&self) -> Option<&Bytes> {
        match &self.0 {
            Layout::Block { block, .. } => Some(block),
            Layout::Parts(_) => None,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Layout::Block { count, .. } => *count,
            Layout::Parts(parts) => parts.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them, by its index from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Bytes> {
        match &self.0 {
            Layout::Block { block, count } => (index < *count).then(|| share(block, segment(block, index))),
            Layout::Parts(parts) => parts.get(index).cloned(),
        }
    }

    /// One of them, borrowed.
    #[must_use]
    pub fn slice(&self, index: usize) -> Option<&[u8]> {
        match &self.0 {
            Layout::Block { block, count } => (index < *count).then(|| segment(block, index)),
            Layout::Parts(parts) => parts.get(index).map(|part| &**part),
        }
    }

    /// All of them in order, borrowed.
    pub fn slices(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        (0..self.len()).map(|index| self.slice(index).unwrap_or_default())
    }

    /// All of them in order; each shares the message's bytes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Bytes> + Clone + '_ {
        (0..self.len()).map(|index| self.get(index).unwrap_or_default())
    }

    /// Bytes of all segments together, without padding and table.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        self.slices().fold(0, |sum, segment| sum.saturating_add(segment.len()))
    }

    /// Whether they are laid out as this crate lays them out.
    #[must_use]
    pub fn is_canonical(&self) -> bool {
        let Layout::Block { block, count } = &self.0 else { return true };
        let mut at = 0_usize;
        for index in 0..*count {
            let slice = segment(block, index);
            let end = at.saturating_add(slice.len());
            let next = end.saturating_add(padding(slice.len()));
            let pad = block.get(end..next);
            if place(block, index).map(|(offset, _)| offset) != Some(at)
                || !pad.is_some_and(|pad| pad.iter().all(|byte| *byte == 0))
            {
                return false;
            }
            at = next;
        }
        at.saturating_add(table_len(*count)) == block.len()
    }
}

/// Offset and size of a segment, by the table at the end of `block`.
#[inline]
fn place(block: &[u8], index: usize) -> Option<(usize, usize)> {
    let end = block.len().checked_sub(index.checked_mul(8)?)?;
    let (_, words) = block.get(..end)?.split_last_chunk::<8>()?;
    let [a, b, c, d, e, f, g, h] = *words;
    let (size, offset) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
    Some((usize::try_from(offset).ok()?, usize::try_from(size).ok()?))
}

/// A segment of a block that was checked.
#[inline]
fn segment(block: &[u8], index: usize) -> &[u8] {
    place(block, index).and_then(|(offset, size)| block.get(offset..)?.get(..size)).unwrap_or_default()
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
fn check(message: &'static str, block: &[u8], count: usize) -> Result<(), DecodeError> {
    let Some((area, table)) = block.len().checked_sub(table_len(count)).and_then(|at| block.split_at_checked(at))
    else {
        return Err(DecodeError::short(message, "table", table_len(count), block.len()));
    };
    let Ok((mut pairs, terminator)) = parse::array::<4>(table) else {
        return Err(DecodeError::short(message, "terminator", 4, table.len()));
    };
    if u32::from_be_bytes(terminator) != TERMINATOR {
        let reason = "the table has more segments than were announced, or no end";
        return Err(DecodeError::invalid(message, "terminator", reason, u64::from(u32::from_be_bytes(terminator))));
    }
    let area = to_u64(area.len());
    let mut sum = 0_u64;
    while let Ok((rest, [a, b, c, d, e, f, g, h])) = parse::array::<8>(pairs) {
        pairs = rest;
        let (size, offset) = (u64::from(u32::from_be_bytes([a, b, c, d])), u64::from(u32::from_be_bytes([e, f, g, h])));
        let end = offset.saturating_add(size);
        if end > area {
            return Err(outside(message, offset, size, area));
        }
        sum = sum.saturating_add(size);
    }
    if sum > area {
        let reason = "the segments are larger than what they are in";
        return Err(DecodeError::invalid(message, "size", reason, sum));
    }
    Ok(())
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

impl Encode for Segments {
    #[inline]
    fn encoded_len(&self) -> usize {
        match &self.0 {
            Layout::Block { block, .. } => block.len(),
            Layout::Parts(parts) => parts.iter().fold(table_len(parts.len()), |sum, part| {
                sum.saturating_add(part.len()).saturating_add(padding(part.len()))
            }),
        }
    }

    #[inline]
    fn check(&self) -> Result<(), EncodeError> {
        fits_u32("Segments", "length", self.encoded_len())
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        use crate::wire::ByteOrder::Big;
        let parts = match &self.0 {
            Layout::Block { block, .. } => return writer.put(block),
            Layout::Parts(parts) => parts,
        };
        let mut at = 0_usize;
        for part in parts {
            writer.put(part);
            writer.put([0; 8].get(..padding(part.len())).unwrap_or_default());
            at = at.saturating_add(part.len()).saturating_add(padding(part.len()));
        }
        put!(in Big; writer, { terminator: u32 = TERMINATOR });
        for part in parts.iter().rev() {
            at = at.saturating_sub(part.len()).saturating_sub(padding(part.len()));
            put!(in Big; writer, { size: u32 = length_u32(part.len()), offset: u32 = length_u32(at) });
        }
    }
}

impl<T: Into<Bytes>> FromIterator<T> for Segments {
    fn from_iter<I: IntoIterator<Item = T>>(parts: I) -> Self {
        Self(Layout::Parts(parts.into_iter().map(Into::into).collect()))
    }
}

impl From<Vec<Bytes>> for Segments {
    fn from(parts: Vec<Bytes>) -> Self {
        Self(Layout::Parts(parts))
    }
}

impl Default for Segments {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl PartialEq for Segments {
    fn eq(&self, other: &Self) -> bool {
        self.slices().eq(other.slices())
    }
}

impl Eq for Segments {}

impl Hash for Segments {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len().hash(state);
        self.slices().for_each(|slice| slice.hash(state));
    }
}

impl core::fmt::Debug for Segments {
    /// What an application sends is nobody else's business: only the sizes are shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Segments")?;
        f.debug_list().entries(self.slices().map(<[u8]>::len)).finish()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Segments {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Segments {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Bytes>::deserialize(deserializer).map(Self::from)
    }
}
