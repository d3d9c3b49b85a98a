//! The contract of [`StreamDecode`] (line 4 of the machines' contract): bytes cut at any point give the same.

use super::contract::Broken;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::StreamDecode;
use bytes::BytesMut;
use core::fmt::Debug;
use std::vec::Vec;

/// Decodes `bytes` in one piece, cut at `cuts` and byte by byte, and compares.
///
/// * The items are the same, in the same order, and so is the error: the same message, field and kind of error
///   behind the same items. (The numbers in an error may be about what had come so far.)
/// * A decoder that needs more says so again when asked again, and leaves the bytes in the buffer, so that a
///   stream that ends in the middle of an item can be told from one that ends behind it.
/// * It comes to an end: items do not come out of nothing for ever.
///
/// `cuts` may be in any order and of any size: they are taken modulo the length.
///
/// ```
/// use bytes::BytesMut;
/// use handover::error::DecodeError;
/// use handover::testing::check_chunking;
/// use handover::wire::StreamDecode;
///
/// struct Pairs;
/// impl StreamDecode for Pairs {
///     type Item = [u8; 2];
///     fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<[u8; 2]>, DecodeError> {
///         if src.len() < 2 {
///             return Ok(None);
///         }
///         Ok(src.split_to(2).first_chunk().copied())
///     }
/// }
/// check_chunking(|| Pairs, b"abcde", &[1, 3]);
/// ```
///
/// # Panics
/// The decoder does not keep the contract.
#[track_caller]
pub fn check_chunking<D>(make_decoder: impl Fn() -> D, bytes: &[u8], cuts: &[usize])
where
    D: StreamDecode<Item: PartialEq + Debug>,
{
    if let Err(broken) = compare_chunkings(make_decoder, bytes, cuts) {
        panic!("{broken}");
    }
}

/// [`check_chunking`] without the panic. How many items came out.
///
/// # Errors
/// The decoder does not keep the contract.
pub fn compare_chunkings<D>(make_decoder: impl Fn() -> D, bytes: &[u8], cuts: &[usize]) -> Result<usize, Broken>
where
    D: StreamDecode<Item: PartialEq + Debug>,
{
    let whole = decode(make_decoder(), [bytes])?;
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for cut in cuts {
        pieces.push(&bytes[from..cut]);
        from = cut;
    }
    pieces.push(&bytes[from..]);
    whole.compare("cut", &decode(make_decoder(), pieces)?)?;
    whole.compare("byte by byte", &decode(make_decoder(), bytes.chunks(1))?)?;
    Ok(whole.items.len())
}

/// What came out of a stream.
struct Decoded<I> {
    items: Vec<I>,
    error: Option<DecodeError>,
    left: usize,
}

/// An error without the numbers that depend on how much had come.
fn kind(error: &DecodeError) -> (&'static str, &'static str, &'static str, &'static str) {
    let reason = match error.kind {
        DecodeErrorKind::Invalid { reason, .. } | DecodeErrorKind::Unsupported { reason, .. } => reason,
        DecodeErrorKind::Limit(limit) => limit.what,
        DecodeErrorKind::Short { .. } => "",
    };
    (error.message, error.field, error.kind.name(), reason)
}

impl<I: PartialEq + Debug> Decoded<I> {
    fn compare(&self, how: &str, other: &Self) -> Result<(), Broken> {
        let most = self.items.len().max(other.items.len());
        if let Some(at) = (0..most).find(|&at| self.items.get(at) != other.items.get(at)) {
            let (whole, cut) = (self.items.get(at), other.items.get(at));
            return Err(Broken::new(4, std::format!("item {at} is {whole:?} in one piece and {cut:?} {how}")));
        }
        if self.error.as_ref().map(kind) != other.error.as_ref().map(kind) {
            let (whole, cut) = (self.error, other.error);
            return Err(Broken::new(4, std::format!("the error is {whole:?} in one piece and {cut:?} {how}")));
        }
        if self.error.is_none() && self.left != other.left {
            let (whole, cut) = (self.left, other.left);
            return Err(Broken::new(4, std::format!("{whole} bytes are left in one piece and {cut} {how}")));
        }
        Ok(())
    }
}

fn decode<'a, D: StreamDecode>(
    mut decoder: D,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Decoded<D::Item>, Broken> {
    let mut src = BytesMut::new();
    let mut out = Decoded { items: Vec::new(), error: None, left: 0 };
    let mut pushed = 0_usize;
    for piece in pieces {
        src.extend_from_slice(piece);
        pushed += piece.len();
        loop {
            let before = src.len();
            match decoder.decode_next(&mut src) {
                Ok(Some(item)) => out.items.push(item),
                Err(error) => {
                    out.error = Some(error);
                    return Ok(out);
                }
                Ok(None) if src.len() != before => {
                    let taken = before.abs_diff(src.len());
                    return Err(Broken::new(4, std::format!("it took {taken} bytes and gave nothing for them")));
                }
                Ok(None) => match decoder.decode_next(&mut src) {
                    Ok(None) if src.len() == before => break,
                    _ => return Err(Broken::new(4, "it needed more, and then did not although nothing had come")),
                },
            }
            if out.items.len() > pushed.saturating_mul(8) + 64 {
                return Err(Broken::new(8, std::format!("{} items came out of {pushed} bytes", out.items.len())));
            }
        }
    }
    out.left = src.len();
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One byte of length, then that many bytes; `fault` says what is wrong with it.
    #[derive(Default)]
    struct Lines {
        fault: u8,
        calls: usize,
    }

    impl StreamDecode for Lines {
        type Item = Vec<u8>;

        fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<Vec<u8>>, DecodeError> {
            self.calls += 1;
            let Some(&length) = src.first() else { return Ok(None) };
            if length == 255 {
                return Err(DecodeError::invalid("Lines", "length", "too long", 255));
            }
            let whole = usize::from(length) < src.len();
            match self.fault {
                // Loses the length if the rest is not there.
                1 if !whole => drop(src.split_to(1)),
                // Takes what is there for the whole.
                2 if src.len() > 1 => return Ok(Some(src.split().to_vec())),
                // Items out of nothing.
                3 => return Ok(Some(Vec::new())),
                // Changes its mind.
                4 if !whole && self.calls.is_multiple_of(2) => return Ok(Some(Vec::new())),
                // An error that only a short buffer gives.
                5 if !whole && src.len() > 2 => return Err(DecodeError::short("Lines", "line", 1, 0)),
                _ => {}
            }
            Ok(whole.then(|| src.split_to(usize::from(length) + 1).to_vec()))
        }
    }

    fn lines(fault: u8) -> Result<usize, u8> {
        let bytes = [3, 1, 2, 3, 0, 5, 1, 2, 3, 4, 5, 4, 1];
        compare_chunkings(|| Lines { fault, calls: 0 }, &bytes, &[6, 70, 2]).map_err(|broken| broken.line)
    }

    #[test]
    fn a_good_decoder_passes_and_broken_ones_do_not() {
        assert_eq!(lines(0), Ok(3));
        assert_eq!([lines(1), lines(2), lines(3), lines(4), lines(5)], [Err(4), Err(4), Err(8), Err(4), Err(4)]);
        check_chunking(Lines::default, &[1, 9, 255, 0], &[]);
        check_chunking(Lines::default, &[], &[4]);
    }
}
