//! A framer and nothing else: finds the end of a packet in a `BytesMut`, cuts it off.

use bytes::{Buf, BytesMut};

/// Bytes of a packet's header.
pub(crate) const HEADER: usize = 8;

/// The buffer, and the bound that any framer needs.
#[derive(Clone, Debug)]
pub(crate) struct BareFramer {
    buffer: BytesMut,
    limit: u16,
}

impl BareFramer {
    pub(crate) fn new(limit: u16) -> Self {
        Self { buffer: BytesMut::new(), limit }
    }

    #[inline]
    pub(crate) fn push(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
    }

    /// The next payload, `Ok(None)` if it is not whole, `Err` if it is too large or smaller than its header.
    #[inline]
    pub(crate) fn next_frame(&mut self) -> Result<Option<BytesMut>, u16> {
        let Some(&[_ty, _status, high, low, ..]) = self.buffer.first_chunk::<HEADER>() else { return Ok(None) };
        let length = u16::from_be_bytes([high, low]);
        let size = usize::from(length);
        if length > self.limit || size < HEADER {
            return Err(length);
        }
        if self.buffer.len() < size {
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(size);
        frame.advance(HEADER);
        Ok(Some(frame))
    }
}
