//! Values to bytes and back: [`Encode`], [`StreamDecode`] and the [`Framer`].
//!
//! Framing comes first, then parsing: only a [`StreamDecode`] may say "need more", and it says so by
//! `Ok(None)`. What is inside a whole frame is either a message or malformed.

mod codes;
mod fields;
mod write;

pub(crate) use codes::codes;
pub(crate) use fields::{bytes, fixed, parse, short_field};
pub use write::{Encode, Writer};
pub(crate) use write::{encode, fits_u32, length_u32, put, refused, together};

use crate::error::DecodeError;
use bytes::{Bytes, BytesMut};

/// The byte order of integers inside a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ByteOrder {
    /// Least significant byte first.
    #[default]
    Little,
    /// Most significant byte first: network order.
    Big,
}

/// Integers that stand on the wire in either order.
pub(crate) trait Integer: Sized {
    fn swapped(self) -> Self;
}

macro_rules! integers {
    ($($type:ty),+) => {$(
        impl Integer for $type {
            #[inline(always)]
            fn swapped(self) -> Self {
                self.swap_bytes()
            }
        }
    )+};
}
integers!(u8, u16, u32, u64, i32);

impl ByteOrder {
    /// From this machine's order to this one, or the other way round, which is the same.
    #[inline(always)]
    pub(crate) fn arrange<T: Integer>(self, value: T) -> T {
        if (self == Self::Big) == cfg!(target_endian = "big") { value } else { value.swapped() }
    }
}

/// Bytes that a message carries: `&[u8]` in a borrowed view, [`Bytes`] in a message that is kept.
pub trait Payload: AsRef<[u8]> {}

impl<T: AsRef<[u8]>> Payload for T {}

/// Takes whole items off the front of a byte stream.
///
/// The contract, which `testing::check_chunking` asserts for every decoder here:
/// `Ok(None)` means that more bytes are needed and nothing was lost; the same stream gives the same items
/// however it is cut; sizes beyond a limit fail before they are buffered; after an error the stream is
/// over (there is no resynchronisation on a binary stream).
pub trait StreamDecode {
    /// What the stream consists of.
    type Item;

    /// Removes the next item from the front of `src`.
    ///
    /// # Errors
    /// The bytes are malformed or announce more than the limits allow.
    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<Self::Item>, DecodeError>;

    /// How many bytes `src` must have at least before [`decode_next`](Self::decode_next) can say anything but
    /// `Ok(None)` about it; 0, the default, if that is not known. Bytes that come one by one are then counted
    /// and not looked at.
    #[inline]
    fn needed(&self, src: &[u8]) -> usize {
        let _ = src;
        0
    }
}

/// Any chunking in, whole items out: a [`StreamDecode`] with a buffer of its own.
///
/// The buffer grows as bytes arrive, never because a length was announced.
///
/// ```
/// use bytes::{Buf, BytesMut};
/// use handover::error::DecodeError;
/// use handover::wire::{Framer, StreamDecode};
///
/// /// One byte of length, then that many bytes.
/// #[derive(Default)]
/// struct Short;
/// impl StreamDecode for Short {
///     type Item = BytesMut;
///     fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<BytesMut>, DecodeError> {
///         let Some(&length) = src.first() else { return Ok(None) };
///         if src.len() <= usize::from(length) {
///             return Ok(None);
///         }
///         src.advance(1);
///         Ok(Some(src.split_to(usize::from(length))))
///     }
/// }
///
/// let mut framer = Framer::new(Short);
/// framer.push(&[2, 10]);
/// assert_eq!(framer.next_item()?, None);
/// framer.push(&[20, 0]);
/// assert_eq!(framer.next_item()?.as_deref(), Some(&[10, 20][..]));
/// assert_eq!(framer.next_item()?.as_deref(), Some(&[][..]));
/// # Ok::<(), DecodeError>(())
/// ```
#[derive(Clone)]
pub struct Framer<D> {
    decoder: D,
    buffer: BytesMut,
    /// What [`StreamDecode::needed`] said last; 0 if it is to be asked again.
    needed: usize,
    failed: Option<DecodeError>,
}

impl<D: core::fmt::Debug> core::fmt::Debug for Framer<D> {
    /// What waits in the buffer may hold a secret: it is not shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut shown = f.debug_struct("Framer");
        shown.field("decoder", &self.decoder).field("buffered", &self.buffer.len()).field("failed", &self.failed);
        shown.finish()
    }
}

impl<D: StreamDecode> Framer<D> {
    /// An empty buffer in front of `decoder`.
    #[must_use]
    pub fn new(decoder: D) -> Self {
        Self { decoder, buffer: BytesMut::new(), needed: 0, failed: None }
    }

    /// Appends bytes as they came from the transport. After an error they are dropped.
    pub fn push(&mut self, data: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(data);
        }
    }

    /// The buffer itself, to read into it without a copy.
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        self.needed = 0;
        &mut self.buffer
    }

    /// The next whole item, `None` if more bytes are needed.
    ///
    /// # Errors
    /// The decoder's error; from then on the same error again, since a binary stream has no way back.
    #[inline]
    pub fn next_item(&mut self) -> Result<Option<D::Item>, DecodeError> {
        if self.waits() {
            return Ok(None);
        }
        if self.failed.is_none() {
            self.needed = self.decoder.needed(&self.buffer);
            if self.waits() {
                return Ok(None);
            }
        }
        self.decode()
    }

    /// Whether [`next_item`](Self::next_item) has said how many bytes it needs, and they are not there yet.
    #[inline]
    pub(crate) fn waits(&self) -> bool {
        self.buffer.len() < self.needed
    }

    /// Apart from the above, so that "not yet" is said without a move of a whole item's size.
    #[inline(never)]
    fn decode(&mut self) -> Result<Option<D::Item>, DecodeError> {
        self.needed = 0;
        if let Some(error) = self.failed {
            return Err(error);
        }
        let next = self.decoder.decode_next(&mut self.buffer);
        if let Err(error) = &next {
            self.failed = Some(*error);
            self.buffer = BytesMut::new();
        }
        next
    }

    /// Bytes that are buffered and not yet part of a whole item.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The decoder.
    #[must_use]
    pub fn decoder(&self) -> &D {
        &self.decoder
    }

    /// The decoder, to tell it what the other direction has settled.
    pub fn decoder_mut(&mut self) -> &mut D {
        self.needed = 0;
        &mut self.decoder
    }
}

/// What a `tokio_util` codec can fail with.
#[cfg(feature = "tokio-util")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio-util")))]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The transport failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// What came is malformed.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// What was to be sent cannot be.
    #[error(transparent)]
    Encode(#[from] crate::error::EncodeError),
}

/// The part of `frame` that `part` is, without a copy. `part` must lie within `frame`.
#[inline]
pub(crate) fn share(frame: &Bytes, part: &[u8]) -> Bytes {
    if part.is_empty() { Bytes::new() } else { frame.slice_ref(part) }
}
