//! What a message may hold behind the fields that are known today (spec/frame.md 2).

use crate::error::DecodeError;
use crate::wire::ByteOrder::Big;
use crate::wire::{bytes, fixed, share};
use alloc::vec::Vec;
use bytes::Bytes;

/// Kind of an extension. Those with the highest bit must be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ExtensionType(pub u16);

impl ExtensionType {
    /// Whether who does not know it must not go on.
    #[must_use]
    pub const fn is_critical(self) -> bool {
        self.0 & 0x8000 != 0
    }
}

/// One extension, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Extension<'a> {
    /// Its kind.
    pub ty: ExtensionType,
    /// Its value, up to 65 535 bytes.
    pub value: &'a [u8],
}

/// The extensions of a message, in their order: u16 type, u16 size, value each, to the end of the body.
///
/// None is defined today. Received ones are kept, so that a message can be sent on byte for byte.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "Bytes", into = "Bytes"))]
pub struct Extensions(Bytes);

impl Extensions {
    /// None.
    pub const NONE: Self = Self(Bytes::new());

    /// Makes a list; `None` if a value is too long.
    #[must_use]
    pub fn new<'a>(extensions: impl IntoIterator<Item = Extension<'a>>) -> Option<Self> {
        let mut list = Vec::new();
        for Extension { ty, value } in extensions {
            list.extend_from_slice(&ty.0.to_be_bytes());
            list.extend_from_slice(&u16::try_from(value.len()).ok()?.to_be_bytes());
            list.extend_from_slice(value);
        }
        Some(Self(list.into()))
    }

    /// What follows the fields of `message` in its body. `known` are the critical ones that the receiver understands.
    pub(crate) fn parse(message: &'static str, body: &Bytes, rest: &[u8], known: &[u16]) -> Result<Self, DecodeError> {
        check(message, rest, known)?;
        Ok(Self(share(body, rest)))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Extension<'_>> + Clone {
        let mut left = &*self.0;
        core::iter::from_fn(move || {
            let (extension, rest) = next("Extensions", left).ok()??;
            left = rest;
            Some(extension)
        })
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As they stand on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl core::fmt::Debug for Extensions {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_map().entries(self.iter().map(|extension| (extension.ty.0, extension.value.len()))).finish()
    }
}

impl TryFrom<Bytes> for Extensions {
    type Error = DecodeError;

    fn try_from(list: Bytes) -> Result<Self, DecodeError> {
        let mut left = &*list;
        while let Some((_, rest)) = next("Extensions", left)? {
            left = rest;
        }
        Ok(Self(list))
    }
}

impl From<Extensions> for Bytes {
    fn from(extensions: Extensions) -> Self {
        extensions.0
    }
}

/// Whether `rest` is a list in which every critical extension is known.
fn check(message: &'static str, rest: &[u8], known: &[u16]) -> Result<(), DecodeError> {
    let mut left = rest;
    while let Some((Extension { ty, .. }, rest)) = next(message, left)? {
        if ty.is_critical() && !known.contains(&ty.0) {
            let reason = "an extension that must be understood";
            return Err(DecodeError::unsupported(message, "extensions", reason, u64::from(ty.0)));
        }
        left = rest;
    }
    Ok(())
}

/// The extension at the front, `None` at the end.
fn next<'a>(message: &'static str, input: &'a [u8]) -> Result<Option<(Extension<'a>, &'a [u8])>, DecodeError> {
    if input.is_empty() {
        return Ok(None);
    }
    let (rest, (extension_type, extension_size)) =
        fixed!(in Big; message, input, { extension_type: u16, extension_size: u16 });
    let (rest, value) = bytes(message, "extension_value", usize::from(extension_size), rest)?;
    Ok(Some((Extension { ty: ExtensionType(extension_type), value }, rest)))
}
