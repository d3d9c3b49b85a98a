//! A framer and nothing else: finds the end of a message in a `BytesMut`, cuts it off.

use bytes::{Buf, BytesMut};

/// Bytes of a header.
pub(crate) const HEADER: usize = 9;

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
        let Some(&[_ty, a, b, c, d, ..]) = self.buffer.first_chunk::<HEADER>() else { return Ok(None) };
        let length = u32::from_be_bytes([a, b, c, d]);
        if length > self.limit {
            return Err(length);
        }
        let size = usize::try_from(length).unwrap();
        if self.buffer.len() - HEADER < size {
            return Ok(None);
        }
        self.buffer.advance(HEADER);
        Ok(Some(self.buffer.split_to(size)))
    }
}
