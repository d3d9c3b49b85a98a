//! What every native message has.

use super::header::{Frame, FrameFlags, Header, Protocol};
use crate::error::{DecodeError, EncodeError};
use crate::wire::{Encode, Writer, fits_u32, length_u32, refused, together};
use alloc::vec;
use bytes::Bytes;

/// A message of one of this crate's own protocols.
pub trait Native: Sized {
    /// What it belongs to.
    const PROTOCOL: Protocol;

    /// Which message it is.
    fn kind(&self) -> u8;

    /// What is said of it besides.
    fn flags(&self) -> FrameFlags {
        FrameFlags::empty()
    }

    /// Its name in spec/.
    fn name(&self) -> &'static str;

    /// Reads a body.
    ///
    /// # Errors
    /// It is malformed, or the kind must be known and is not.
    fn parse(kind: u8, flags: FrameFlags, body: &Bytes) -> Result<Self, DecodeError>;

    /// Exactly how many bytes the body has.
    fn body_len(&self) -> usize;

    /// Whether the wire can carry it at all.
    ///
    /// # Errors
    /// A length does not fit its field, or a value is not allowed.
    fn check(&self) -> Result<(), EncodeError>;

    /// Writes the body.
    fn write_body(&self, writer: &mut Writer<'_>);

    /// Writes the message with its header to the front of `dst`: how many bytes that were; `None`, and nothing is
    /// written, if there is no room or the wire cannot carry it.
    #[inline]
    fn write_frame(&self, dst: &mut [u8]) -> Option<usize> {
        self.check().ok()?;
        let (protocol, kind, flags) = (Self::PROTOCOL, self.kind(), self.flags());
        write_frame(dst, protocol, kind, flags, self.body_len(), |writer| self.write_body(writer))
    }

    /// The message with its header.
    fn framed(&self) -> Framed<'_, Self> {
        Framed(self)
    }

    /// The message as a frame of its own.
    ///
    /// # Errors
    /// The wire cannot carry it.
    fn to_frame(&self) -> Result<Frame, EncodeError> {
        self.framed().check()?;
        let mut body = vec![0; self.body_len()];
        Writer::fill(&mut body, |writer| self.write_body(writer));
        Ok(Frame { protocol: Self::PROTOCOL, kind: self.kind(), flags: self.flags(), body: body.into() })
    }

    /// Reads a frame of this protocol.
    ///
    /// # Errors
    /// It belongs to another protocol, or [`parse`](Self::parse) fails.
    fn from_frame(frame: &Frame) -> Result<Self, DecodeError> {
        if frame.protocol != Self::PROTOCOL {
            let reason = "another protocol's frame";
            return Err(DecodeError::invalid("Header", "protocol", reason, u64::from(frame.protocol.0)));
        }
        Self::parse(frame.kind, frame.flags, &frame.body)
    }
}

/// Writes a header, and a body of so many bytes: how many that are together.
#[inline]
pub(crate) fn write_frame(
    dst: &mut [u8],
    protocol: Protocol,
    kind: u8,
    flags: FrameFlags,
    body: usize,
    write_body: impl FnOnce(&mut Writer<'_>),
) -> Option<usize> {
    let (length, needed) = (u32::try_from(body).ok()?, together(Header::SIZE, body));
    Writer::fill(dst.get_mut(..needed)?, |writer| {
        Header { length, protocol, kind, flags }.write(writer);
        write_body(writer);
    });
    Some(needed)
}

/// For protocols of which each kind is a type of its own.
pub(super) fn check_kind(kind: u8, expected: u8) -> Result<(), DecodeError> {
    if kind == expected {
        return Ok(());
    }
    Err(DecodeError::invalid("Header", "kind", "another message", u64::from(kind)))
}

/// A message with its header, to be encoded.
#[derive(Clone, Copy, Debug)]
pub struct Framed<'a, M>(&'a M);

impl<M: Native> Encode for Framed<'_, M> {
    #[inline]
    fn encoded_len(&self) -> usize {
        together(Header::SIZE, self.0.body_len())
    }

    #[inline]
    fn check(&self) -> Result<(), EncodeError> {
        fits_u32(self.0.name(), "body", self.0.body_len())?;
        self.0.check()
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        let (protocol, kind, flags) = (M::PROTOCOL, self.0.kind(), self.0.flags());
        Header { length: length_u32(self.0.body_len()), protocol, kind, flags }.write(writer);
        self.0.write_body(writer);
    }

    /// With the size of the body asked for once.
    #[inline]
    fn encode(&self, dst: &mut [u8]) -> Result<usize, EncodeError> {
        match self.0.write_frame(dst) {
            Some(written) => Ok(written),
            None => refused(self, dst.len()),
        }
    }
}
