//! Frames off a byte stream (spec/frame.md 1).

use super::header::{Frame, Header};
use crate::error::DecodeError;
use crate::limits::FrameLimits;
use crate::wire::StreamDecode;
use bytes::{Buf, BytesMut};

/// Takes frames off one direction of a link. Limits are tested on the header.
///
/// ```
/// use handover::frame::{Frame, FrameFlags, FrameStream, Protocol};
/// use handover::limits::FrameLimits;
/// use handover::wire::{Encode, Framer};
///
/// let frame = Frame { protocol: Protocol(200), kind: 7, flags: FrameFlags::empty(), body: "anything".into() };
/// let mut frames = Framer::new(FrameStream::new(&FrameLimits::DEFAULT));
/// frames.push(&frame.to_vec()?);
/// assert_eq!(frames.next_item()?, Some(frame));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FrameStream {
    limits: FrameLimits,
}

impl FrameStream {
    /// Frames within `limits`.
    #[must_use]
    pub const fn new(limits: &FrameLimits) -> Self {
        Self { limits: *limits }
    }
}

impl StreamDecode for FrameStream {
    type Item = Frame;

    #[inline]
    fn needed(&self, src: &[u8]) -> usize {
        match Header::parse(src, &self.limits) {
            Ok(Some(header)) => Header::SIZE.saturating_add(usize::try_from(header.length).unwrap_or(usize::MAX)),
            Ok(None) => Header::SIZE,
            Err(_) => 0,
        }
    }

    #[inline]
    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
        let Some(Header { length, protocol, kind, flags }) = Header::parse(src, &self.limits)? else { return Ok(None) };
        let whole = Header::SIZE.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        if src.len() < whole {
            return Ok(None);
        }
        let mut frame = src.split_to(whole);
        frame.advance(Header::SIZE);
        Ok(Some(Frame { protocol, kind, flags, body: frame.freeze() }))
    }
}

#[cfg(feature = "tokio-util")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio-util")))]
impl tokio_util::codec::Decoder for FrameStream {
    type Item = Frame;
    type Error = crate::wire::CodecError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Frame>, Self::Error> {
        Ok(self.decode_next(src)?)
    }
}

#[cfg(feature = "tokio-util")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio-util")))]
impl tokio_util::codec::Encoder<Frame> for FrameStream {
    type Error = crate::wire::CodecError;

    fn encode(&mut self, frame: Frame, dst: &mut BytesMut) -> Result<(), Self::Error> {
        use crate::wire::Encode as _;
        Ok(frame.encode_to(dst)?)
    }
}
