//! CAPABILITY: what a client may ask and what it does not want to be sent (spec/tds5.md 2.2).
//!
//! A capability is a number, and a mask has one bit for each. Beware of Open Client's own constants (`CS_REQ_…`):
//! from 69 on they are one more than the number on the wire, but for `CS_REQ_MIGRATE`, which is 89 in both.

mod numbers;
mod offer;

pub use numbers::{CapabilityType, RequestCapability, ResponseCapability};

use super::token::{Compose, Parse, fits, length_u8};
use crate::error::{DecodeError, EncodeError};
use crate::wire::{ByteOrder, Payload, Writer, fixed};
use alloc::{vec, vec::Vec};
use bytes::Bytes;
use core::fmt;

/// A set of capability numbers as it stands on the wire: number `n` is bit `n % 8` of byte `n / 8`, counted from the
/// last byte. Masks have any length up to 255 bytes; what a mask is too short for is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mask<B = Bytes>(B);

impl Mask {
    /// An empty set in `length` bytes.
    #[must_use]
    pub fn zero(length: u8) -> Self {
        Self(vec![0; usize::from(length)].into())
    }

    /// The shortest mask with these numbers.
    ///
    /// # Errors
    /// A number is beyond 2039, the last of 255 bytes.
    pub fn of(numbers: impl IntoIterator<Item = u16>) -> Result<Self, EncodeError> {
        let mut mask = Self::default();
        numbers.into_iter().try_for_each(|number| mask.set(number, true))?;
        Ok(mask)
    }

    /// Adds or removes `number`. A mask that is too short grows.
    ///
    /// # Errors
    /// The number is beyond 2039, the last of 255 bytes. The mask is as it was.
    pub fn set(&mut self, number: u16, on: bool) -> Result<(), EncodeError> {
        let (index, bit) = place(number);
        let needed = index.saturating_add(1);
        let missing = needed.saturating_sub(self.0.len());
        if missing > 0 && !on {
            return Ok(());
        }
        fits("Mask", "bytes", u8::MAX, needed)?;
        let mut bytes = vec![0; missing];
        bytes.extend_from_slice(&self.0);
        if let Some(byte) = bytes.iter_mut().nth_back(index) {
            *byte = if on { *byte | bit } else { *byte & !bit };
        }
        self.0 = bytes.into();
        Ok(())
    }
}

/// Where a number stands: the byte, counted from the last one, and the bit.
fn place(number: u16) -> (usize, u8) {
    (usize::from(number / 8), 1_u8.rotate_left(u32::from(number % 8)))
}

impl<B: Payload> Mask<B> {
    /// A mask as it stands on the wire.
    ///
    /// # Errors
    /// It has more than 255 bytes.
    pub fn new(bytes: B) -> Result<Self, EncodeError> {
        fits("Mask", "bytes", u8::MAX, bytes.as_ref().len())?;
        Ok(Self(bytes))
    }

    /// The bytes, as they stand on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// Whether `number` is in the set.
    #[must_use]
    pub fn contains(&self, number: u16) -> bool {
        let (index, bit) = place(number);
        self.as_bytes().iter().nth_back(index).is_some_and(|byte| byte & bit != 0)
    }

    /// The numbers in the set, in rising order.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        let firsts = (0..=u16::MAX).step_by(8);
        self.as_bytes().iter().rev().zip(firsts).flat_map(|(&byte, first)| {
            (first..=first.saturating_add(7)).filter(move |&number| byte & place(number).1 != 0)
        })
    }

    /// The numbers that are in both sets, in a mask as long as this one.
    #[must_use]
    pub fn intersection<C: Payload>(&self, other: &Mask<C>) -> Mask {
        let mut bytes = self.as_bytes().to_vec();
        let others = other.as_bytes().iter().rev().chain(core::iter::repeat(&0));
        bytes.iter_mut().rev().zip(others).for_each(|(byte, other)| *byte &= other);
        Mask(bytes.into())
    }
}

/// The body of a CAPABILITY: masks, each behind its type and its length in one byte. They are kept as they stand, so
/// that the order, the lengths and types that are not known survive.
///
/// `Debug` shows the bytes; `Display` names what is in the masks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "TDS_CAPABILITY")]
pub struct Capabilities<B = Bytes>(B);

const MESSAGE: &str = "Capabilities";

impl Capabilities {
    /// The two masks that everyone sends.
    #[must_use]
    pub fn new<B: Payload, C: Payload>(request: &Mask<B>, response: &Mask<C>) -> Self {
        let (request, response) = (Mask(request.as_bytes()), Mask(response.as_bytes()));
        [(CapabilityType::REQUEST, request), (CapabilityType::RESPONSE, response)].into_iter().collect()
    }
}

impl<B: Payload> FromIterator<(CapabilityType, Mask<B>)> for Capabilities {
    fn from_iter<T: IntoIterator<Item = (CapabilityType, Mask<B>)>>(masks: T) -> Self {
        let mut bytes = Vec::new();
        for (ty, mask) in masks {
            bytes.extend_from_slice(&[ty.0, length_u8(mask.as_bytes().len())]);
            bytes.extend_from_slice(mask.as_bytes());
        }
        Self(bytes.into())
    }
}

impl<B> Capabilities<B> {
    /// The same capabilities with their bytes held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> Capabilities<C> {
        Capabilities(convert(self.0))
    }
}

impl<B: Payload> Capabilities<B> {
    /// The masks, in wire order.
    pub fn masks(&self) -> impl Iterator<Item = (CapabilityType, Mask<&[u8]>)> {
        let mut rest = self.0.as_ref();
        core::iter::from_fn(move || {
            let (entry, behind) = if rest.is_empty() { None } else { entry(rest).ok() }?;
            rest = behind;
            Some(entry)
        })
    }

    /// The first mask of type `ty`.
    #[must_use]
    pub fn mask(&self, ty: CapabilityType) -> Option<Mask<&[u8]>> {
        self.masks().find(|&(other, _)| other == ty).map(|(_, mask)| mask)
    }

    /// Whether the client may ask this.
    #[must_use]
    pub fn request(&self, capability: RequestCapability) -> bool {
        self.mask(CapabilityType::REQUEST).is_some_and(|mask| mask.contains(capability.0))
    }

    /// Whether the server shall not send this.
    #[must_use]
    pub fn response(&self, capability: ResponseCapability) -> bool {
        self.mask(CapabilityType::RESPONSE).is_some_and(|mask| mask.contains(capability.0))
    }

    /// What a server with the capabilities `ours` answers to these of a client: the client's masks, in its order and
    /// with its lengths, each cut down to what is in ours as well. A type of which we have no mask is left out.
    #[must_use]
    pub fn granted<C: Payload>(&self, ours: &Capabilities<C>) -> Capabilities {
        self.masks().filter_map(|(ty, mask)| Some((ty, mask.intersection(&ours.mask(ty)?)))).collect()
    }
}

impl<B: Payload> fmt::Display for Capabilities<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The numbers of one mask, by their names.
        struct Names<'a>(CapabilityType, Mask<&'a [u8]>);
        impl fmt::Debug for Names<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let numbers = self.1.iter();
                match self.0 {
                    CapabilityType::REQUEST => f.debug_set().entries(numbers.map(RequestCapability)).finish(),
                    CapabilityType::RESPONSE => f.debug_set().entries(numbers.map(ResponseCapability)).finish(),
                    _ => f.debug_set().entries(numbers).finish(),
                }
            }
        }
        f.debug_map().entries(self.masks().map(|(ty, mask)| (ty, Names(ty, mask)))).finish()
    }
}

/// The mask at the front of `input`, and what follows it.
#[allow(clippy::type_complexity)]
fn entry(input: &[u8]) -> Result<((CapabilityType, Mask<&[u8]>), &[u8]), DecodeError> {
    let (rest, (ty, length)) = fixed!(MESSAGE, input, { ty: u8, length: u8 });
    let (rest, mask) = crate::wire::bytes(MESSAGE, "mask", usize::from(length), rest)?;
    Ok(((CapabilityType(ty), Mask(mask)), rest))
}

impl<'a> Parse<'a> for Capabilities<&'a [u8]> {
    fn parse(_: ByteOrder, body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = body;
        while !rest.is_empty() {
            (_, rest) = entry(rest)?;
        }
        Ok(Self(body))
    }
}

impl<B: Payload> Compose for Capabilities<B> {
    fn body_len(&self) -> usize {
        self.0.as_ref().len()
    }

    fn check_body(&self) -> Result<(), EncodeError> {
        // Only what was deserialised can be malformed.
        let reason = "the masks do not fill the body";
        match Capabilities::parse(ByteOrder::Big, self.0.as_ref()) {
            Ok(_) => Ok(()),
            Err(error) => Err(EncodeError::Invalid { message: MESSAGE, field: error.field, reason }),
        }
    }

    fn write_body(&self, _: ByteOrder, writer: &mut Writer<'_>) {
        writer.put(self.0.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// As FreeTDS sends them.
    const CAPTURED: &[u8] =
        b"\x01\x0e\0\0\x60\x08\x81\x81\xe8\x0f\x6d\x7f\xff\xff\xff\xfe\x02\x0e\0\0\0\0\0\0\0\0\0\x02\x68\0\0\0";

    fn parse(body: &[u8]) -> Result<Capabilities<&[u8]>, DecodeError> {
        Capabilities::parse(ByteOrder::Little, body)
    }

    #[test]
    fn bits_stand_where_they_should() {
        let mut mask = Mask::zero(14);
        for number in [8, 81, 89] {
            mask.set(number, true).unwrap();
        }
        assert_eq!(mask.as_bytes(), [0, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(mask.iter().collect::<Vec<_>>(), [8, 81, 89]);
        mask.set(81, false).unwrap();
        assert_eq!(mask.iter().collect::<Vec<_>>(), [8, 89]);
        assert_eq!(Mask::of([8, 89]).unwrap().as_bytes(), &mask.as_bytes()[2..]);
    }

    #[test]
    fn masks_have_any_length() {
        let short = Mask::new(&[0xff; 11][..]).unwrap();
        assert!(short.contains(87) && !short.contains(89) && !short.contains(u16::MAX));
        let mut mask = Mask::zero(1);
        mask.set(2040, false).unwrap();
        assert_eq!(mask.set(2040, true).unwrap_err().to_string(), "Mask.bytes is too long: 256, at most 255");
        assert_eq!(mask.as_bytes(), [0]);
        mask.set(2039, true).unwrap();
        assert_eq!((mask.as_bytes().len(), mask.as_bytes()[0]), (255, 0x80));
        assert!(Mask::new([0; 256]).is_err());
        assert_eq!(Mask::zero(0).iter().count(), 0);
        let all = Mask::new(&[0xff; 255][..]).unwrap();
        assert!(all.iter().eq(0..=2039));
        assert_eq!(short.intersection(&Mask::of([1, 89]).unwrap()).iter().collect::<Vec<_>>(), [1]);
        assert_eq!(short.intersection(&all).as_bytes(), [0xff; 11]);
    }

    #[test]
    fn what_came_is_kept() {
        for body in [CAPTURED, b"", b"\x02\0\x01\x01\xff", b"\x09\x02ab\x01\x01\x02", b"\x01\x01\x02\x01\x01\x04"] {
            let capabilities = parse(body).unwrap();
            let again: Capabilities = capabilities.masks().collect();
            assert_eq!(again.0, body);
            assert_eq!(again.body_len(), body.len());
            again.check_body().unwrap();
        }
        let captured = parse(CAPTURED).unwrap();
        assert!(captured.request(RequestCapability::MESSAGE) && !captured.request(RequestCapability::MIGRATE));
        assert!(captured.request(RequestCapability::BIG_DATETIME) && captured.request(RequestCapability::DATE));
        assert!(!captured.response(ResponseCapability::NO_MESSAGE));
        assert!(captured.response(ResponseCapability::NO_TOKENISED_TEXT));
        assert_eq!(parse(b"\x02\x01\x02").unwrap().mask(CapabilityType::REQUEST), None);
    }

    #[test]
    fn masks_must_fill_the_body() {
        let error = |body| parse(body).unwrap_err().to_string();
        assert_eq!(error(b"\x01"), "Capabilities.length: needs 1 bytes, 0 are left");
        assert_eq!(error(b"\x01\x02\xff"), "Capabilities.mask: needs 2 bytes, 1 are left");
        assert_eq!(error(b"\x01\0\x02\x01"), "Capabilities.mask: needs 1 bytes, 0 are left");
        assert!(Capabilities(&b"\x01"[..]).check_body().is_err());
        assert_eq!(Capabilities(&b"\x01\0\x02\x01"[..]).masks().count(), 1);
    }

    #[test]
    fn a_server_cuts_down() {
        let theirs = parse(b"\x03\x01\xff\x02\x01\x06\x01\x02\x01\x0e").unwrap();
        let ours = Capabilities::new(&Mask::of([1, 2, 89]).unwrap(), &Mask::of([1]).unwrap());
        assert_eq!(theirs.granted(&ours).0, &b"\x02\x01\x02\x01\x02\0\x06"[..]);
        assert_eq!(theirs.granted(&ours).to_string(), "{RESPONSE: {NO_MESSAGE}, REQUEST: {LANGUAGE, RPC}}");
        assert_eq!(parse(b"\x09\x01\x02").unwrap().to_string(), "{CapabilityType(9): {1}}");
        assert_eq!(parse(b"\x01\x01\x01").unwrap().to_string(), "{REQUEST: {RequestCapability(0)}}");
    }
}
