//! What the floors of the crate's own protocols share: a cursor over a body, and a frame that is written into a slice.
//! Each floor adds what only its messages need.

use bytes::Bytes;

/// What is left of a body; numbers are big-endian.
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    #[inline(always)]
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    #[inline(always)]
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    #[inline(always)]
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline(always)]
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    #[inline(always)]
    pub(crate) fn bytes(&mut self, size: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(head)
    }
}

/// A part of a body, to be kept.
#[inline(always)]
pub(crate) fn share(body: &Bytes, part: &[u8]) -> Bytes {
    if part.is_empty() { Bytes::new() } else { body.slice_ref(part) }
}

/// What has room for all that is written.
pub(crate) struct Sink<'a>(&'a mut [u8]);

impl<'a> Sink<'a> {
    /// Room for a frame with a body of so many bytes; its header is written.
    #[inline(always)]
    pub(crate) fn frame(room: &'a mut [u8], protocol: u8, kind: u8, body: usize) -> Option<Self> {
        let mut sink = Self(room.get_mut(..8 + body)?);
        sink.put(&u32::try_from(body).ok()?.to_be_bytes());
        sink.put(&[1, protocol, kind, 0]);
        Some(sink)
    }

    #[inline(always)]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let (head, rest) = std::mem::take(&mut self.0).split_at_mut(bytes.len());
        head.copy_from_slice(bytes);
        self.0 = rest;
    }

    /// Bytes behind their size.
    #[inline(always)]
    pub(crate) fn sized(&mut self, bytes: &[u8]) -> Option<()> {
        self.put(&u16::try_from(bytes.len()).ok()?.to_be_bytes());
        self.put(bytes);
        Some(())
    }
}
