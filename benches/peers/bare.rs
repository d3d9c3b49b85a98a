//! A framer and nothing else: finds the end of a message behind a mini header in a `BytesMut`, cuts it off.

use bytes::{Buf, BytesMut};

/// Bytes of a mini header: u16 type, u32 size.
pub(crate) const HEADER: usize = 6;

/// The buffer, and the bound that any framer needs.
#[derive(Clone, Debug)]
pub(crate) struct BareFramer {
    buffer: BytesMut,
    limit: u32,
}

impl BareFramer {
    pub(crate) fn new(limit: u32) -> Self {
        Self { buffer: BytesMut::new(), limit }
    }

    #[inline]
    pub(crate) fn push(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
    }

    /// The next body, `Ok(None)` if it is not whole, `Err` if it is too large.
    #[inline]
    pub(crate) fn next_frame(&mut self) -> Result<Option<BytesMut>, u32> {
        let Some((_ty, rest)) = self.buffer.split_first_chunk::<2>() else { return Ok(None) };
        let Some((size, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let size = u32::from_le_bytes(*size);
        if size > self.limit {
            return Err(size);
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if rest.len() < size {
            return Ok(None);
        }
        self.buffer.advance(HEADER);
        Ok(Some(self.buffer.split_to(size)))
    }
}
