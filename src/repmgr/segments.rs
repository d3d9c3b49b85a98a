//! The segments of a message, and the table that says where they are (spec/repmgr.md 3.1).
//!
//! ```text
//! data area:   segment 0, pad, segment 1, pad, …
//! table:       ff ff ff ff | size n-1, offset n-1 | … | size 0, offset 0      (big-endian u32)
//! ```
//!
//! The table is read backwards from its end. Sent tables are always laid out in the same way: segments in order, each
//! padded with zeros to a multiple of 8. Received ones may be laid out otherwise; see [`Segments::parse`].

mod table;

use crate::error::{DecodeError, EncodeError, to_u64};
use crate::wire::{Encode, Writer, fits_u32, length_u32, put, share};
use alloc::vec::Vec;
use bytes::Bytes;
use core::hash::{Hash, Hasher};
pub use table::SegmentTable;

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
    /// To be laid out, in so many bytes.
    Parts { parts: Vec<Bytes>, size: usize },
}

impl Segments {
    /// No segments.
    pub const EMPTY: Self = Self(Layout::Parts { parts: Vec::new(), size: table_len(0) });

    /// One segment.
    #[must_use]
    pub fn one(segment: impl Into<Bytes>) -> Self {
        Self::laid_out(alloc::vec![segment.into()])
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
        let count = SegmentTable::parse(block)?.len();
        Ok(Self(Layout::Block { block: block.clone(), count }))
    }

    /// The same, if the number of segments is known: it must be that of the table.
    pub(crate) fn parse_counted(message: &'static str, block: Bytes, expected: u32) -> Result<Self, DecodeError> {
        let count = SegmentTable::parse_counted(message, &block, expected)?.len();
        Ok(Self(Layout::Block { block, count }))
    }

    /// The data area with its table, if it was received as such.
    pub(crate) fn block(&self) -> Option<&Bytes> {
        match &self.0 {
            Layout::Block { block, .. } => Some(block),
            Layout::Parts { .. } => None,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Layout::Block { count, .. } => *count,
            Layout::Parts { parts, .. } => parts.len(),
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
            Layout::Block { block, count } => SegmentTable::of(block, *count).get(index).map(|part| share(block, part)),
            Layout::Parts { parts, .. } => parts.get(index).cloned(),
        }
    }

    /// One of them, borrowed.
    #[must_use]
    pub fn slice(&self, index: usize) -> Option<&[u8]> {
        match &self.0 {
            Layout::Block { block, count } => SegmentTable::of(block, *count).get(index),
            Layout::Parts { parts, .. } => parts.get(index).map(|part| &**part),
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
        let table = SegmentTable::of(block, *count);
        let mut at = 0_usize;
        for (segment, offset) in table.iter().zip(table.offsets()) {
            let end = at.saturating_add(segment.len());
            let next = end.saturating_add(padding(segment.len()));
            let pad = table.area().get(end..next);
            if to_u64(at) != u64::from(offset) || !pad.is_some_and(|pad| pad.iter().all(|byte| *byte == 0)) {
                return false;
            }
            at = next;
        }
        at == table.area().len()
    }

    fn laid_out(parts: Vec<Bytes>) -> Self {
        let size = parts.iter().fold(table_len(parts.len()), |sum, part| {
            sum.saturating_add(part.len()).saturating_add(padding(part.len()))
        });
        Self(Layout::Parts { parts, size })
    }
}

impl Encode for Segments {
    #[inline]
    fn encoded_len(&self) -> usize {
        match &self.0 {
            Layout::Block { block, .. } => block.len(),
            Layout::Parts { size, .. } => *size,
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
            Layout::Parts { parts, .. } => parts,
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
        Self::laid_out(parts.into_iter().map(Into::into).collect())
    }
}

impl From<Vec<Bytes>> for Segments {
    fn from(parts: Vec<Bytes>) -> Self {
        Self::laid_out(parts)
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
