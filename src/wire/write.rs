//! Encoding: the size first, one check, then one pass.

use crate::error::{EncodeError, to_u64};
use alloc::vec;
use alloc::vec::Vec;
use bytes::BytesMut;

/// A value that can be put on the wire.
///
/// [`encode`](Self::encode) is the primitive: it allocates nothing, checks once and writes nothing on
/// error. The other functions put its result into a buffer of the usual kinds.
pub trait Encode {
    /// Exactly how many bytes [`encode`](Self::encode) writes.
    fn encoded_len(&self) -> usize;

    /// Whether the wire can carry the value at all.
    ///
    /// # Errors
    /// A length does not fit its field, or a value is not allowed.
    fn check(&self) -> Result<(), EncodeError> {
        Ok(())
    }

    /// Writes the value; called with room for exactly [`encoded_len`](Self::encoded_len) bytes, after
    /// [`check`](Self::check).
    fn write(&self, writer: &mut Writer<'_>);

    /// Encodes into the front of `dst` and returns how many bytes were written.
    ///
    /// # Errors
    /// The value cannot be carried, or `dst` is too short. Nothing was written.
    #[inline(always)]
    fn encode(&self, dst: &mut [u8]) -> Result<usize, EncodeError> {
        match encode(self, dst) {
            Some(written) => Ok(written),
            None => refused(self, dst.len()),
        }
    }

    /// Encodes behind what `dst` holds; does not allocate once `dst` has the capacity.
    ///
    /// # Errors
    /// The value cannot be carried. `dst` is as it was.
    #[inline(always)]
    fn encode_to(&self, dst: &mut BytesMut) -> Result<(), EncodeError> {
        if self.check().is_err() {
            return self.check();
        }
        let start = dst.len();
        dst.resize(start.saturating_add(self.encoded_len()), 0);
        Writer::fill(dst.get_mut(start..).unwrap_or_default(), |writer| self.write(writer));
        Ok(())
    }

    /// Encodes into a new vector.
    ///
    /// # Errors
    /// The value cannot be carried.
    fn to_vec(&self) -> Result<Vec<u8>, EncodeError> {
        self.check()?;
        let mut vec = vec![0; self.encoded_len()];
        self.encode(&mut vec).map(|_| vec)
    }
}

/// [`Encode::encode`] without the reason why not.
#[inline(always)]
pub(crate) fn encode<T: Encode + ?Sized>(value: &T, dst: &mut [u8]) -> Option<usize> {
    if value.check().is_err() {
        return None;
    }
    let needed = value.encoded_len();
    Writer::fill(dst.get_mut(..needed)?, |writer| value.write(writer));
    Some(needed)
}

/// Why a value is not encoded. Found only here, so that the good path need not carry it along.
#[cold]
#[inline(never)]
pub(crate) fn refused<T: Encode + ?Sized>(value: &T, got: usize) -> Result<usize, EncodeError> {
    value.check()?;
    Err(EncodeError::ShortBuffer { needed: value.encoded_len(), got })
}

/// Where [`Encode::write`] writes to. What does not fit is dropped; debug builds assert that nothing was, and that no room
/// is left: else [`Encode::encoded_len`] is wrong.
#[derive(Debug)]
pub struct Writer<'a> {
    rest: &'a mut [u8],
}

impl<'a> Writer<'a> {
    /// Has all of `room` written.
    #[inline(always)]
    pub(crate) fn fill(room: &mut [u8], write: impl FnOnce(&mut Writer<'_>)) {
        let mut writer = Writer { rest: room };
        write(&mut writer);
        debug_assert!(writer.rest.is_empty(), "encoded_len must be exact: it is too much");
    }

    /// Copies `bytes`.
    #[inline(always)]
    pub fn put(&mut self, bytes: &[u8]) {
        // What may be empty mostly is, and to copy nothing would take a call as well.
        if bytes.is_empty() {
            return;
        }
        match core::mem::take(&mut self.rest).split_at_mut_checked(bytes.len()) {
            Some((head, tail)) => {
                copy(head, bytes);
                self.rest = tail;
            }
            None => debug_assert!(false, "encoded_len must be exact: it is too little"),
        }
    }

    /// Has a value written that hands the writer on: what stays in registers need not go through memory with each field.
    #[inline(always)]
    pub(crate) fn pass(&mut self, write: impl FnOnce(Self) -> Self) {
        let rest = core::mem::take(&mut self.rest);
        *self = write(Self { rest });
    }

    /// Lends the next `size` bytes, so that the writes of several fixed fields share one check.
    #[inline(always)]
    pub(crate) fn lend(&mut self, size: usize) -> Writer<'a> {
        match core::mem::take(&mut self.rest).split_at_mut_checked(size) {
            Some((head, tail)) => {
                self.rest = tail;
                Writer { rest: head }
            }
            None => {
                debug_assert!(false, "encoded_len must be exact: it is too little");
                Writer { rest: &mut [] }
            }
        }
    }
}

/// Copies `from` to `to`, which is as long. A name or an address is shorter than the call that copies any number
/// of bytes takes.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8]) {
    if !(in_two::<8>(to, from) || in_two::<16>(to, from) || in_two::<32>(to, from)) {
        to.copy_from_slice(from);
    }
}

/// Copies `N` to 2 `N` bytes as two pieces that overlap; `false` if there are fewer or more.
#[inline(always)]
fn in_two<const N: usize>(to: &mut [u8], from: &[u8]) -> bool {
    match (from.first_chunk::<N>(), from.last_chunk::<N>()) {
        (Some(first), Some(last)) if from.len() <= N.saturating_mul(2) => {
            to.first_chunk_mut().into_iter().for_each(|to| *to = *first);
            to.last_chunk_mut().into_iter().for_each(|to| *to = *last);
            true
        }
        _ => false,
    }
}

/// Writes fixed fields, little-endian unless an order is given: `put!(writer, { a: u16 = a, b: u32 = b })`,
/// `put!(in order; writer, { … })`.
macro_rules! put {
    ($writer:expr, { $($field:ident: $type:ident = $value:expr),+ $(,)? }) => {
        $crate::wire::put!(in $crate::wire::ByteOrder::Little; $writer, { $($field: $type = $value),+ })
    };
    (in $order:expr; $writer:expr, { $($field:ident: $type:ident = $value:expr),+ $(,)? }) => {{
        const SIZE: usize = 0 $(+ size_of::<$type>())+;
        let order: $crate::wire::ByteOrder = $order;
        let mut fields = $crate::wire::Writer::lend($writer, SIZE);
        $( fields.put(&order.arrange::<$type>($value).to_ne_bytes()); )+
    }};
}
pub(crate) use put;

/// Two sizes of what is in memory, together. With 64 bits that cannot be too much, and to look for it would cost more than
/// the sum; with fewer it saturates.
#[inline(always)]
pub(crate) const fn together(one: usize, other: usize) -> usize {
    if usize::BITS < 64 { one.saturating_add(other) } else { one.wrapping_add(other) }
}

/// Whether a length fits the u32 that announces it.
pub(crate) fn fits_u32(message: &'static str, field: &'static str, length: usize) -> Result<(), EncodeError> {
    let (max, got) = (u64::from(u32::MAX), to_u64(length));
    if got > max {
        return Err(EncodeError::TooLong { message, field, max, got });
    }
    Ok(())
}

/// A length that [`fits_u32`].
pub(crate) fn length_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
