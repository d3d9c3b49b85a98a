//! Fields of fixed size: names, passwords, flags.

use super::{ConnectionType, HaLogin, SecurityLogin};
use crate::error::{DecodeError, EncodeError, to_u64};
use crate::tds5::secret::SessionId;
use crate::wire::{Writer, parse};
use alloc::string::String;
use core::fmt;

pub(super) const MESSAGE: &str = "LoginRecord";

/// A name in a field of `N` bytes, with the byte of length behind it. What pads the name is kept as it came.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Text<const N: usize> {
    pub(super) bytes: [u8; N],
    /// At most `N`.
    pub(super) length: u8,
}

impl<const N: usize> Text<N> {
    /// No name.
    pub const EMPTY: Self = Self { bytes: [0; N], length: 0 };

    /// A name, in the client's character set.
    ///
    /// # Errors
    /// It is longer than `N` bytes.
    pub fn new(name: &[u8]) -> Result<Self, EncodeError> {
        Self::named("name", name)
    }

    pub(super) fn named(field: &'static str, name: &[u8]) -> Result<Self, EncodeError> {
        let mut text = Self::EMPTY;
        match (text.bytes.get_mut(..name.len()), u8::try_from(name.len())) {
            (Some(room), Ok(length)) => {
                room.copy_from_slice(name);
                text.length = length;
                Ok(text)
            }
            _ => Err(EncodeError::TooLong { message: MESSAGE, field, max: to_u64(N), got: to_u64(name.len()) }),
        }
    }

    /// The name, without padding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&self.bytes)
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(self.as_bytes()), f)
    }
}

/// A password in a field of `N` bytes, with the byte of length behind it. Never shown by `Debug`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PasswordText<const N: usize>(Text<N>);

impl<const N: usize> PasswordText<N> {
    /// A password, in the client's character set.
    ///
    /// # Errors
    /// It is longer than `N` bytes.
    pub fn new(password: &[u8]) -> Result<Self, EncodeError> {
        Text::named("password", password).map(Self)
    }

    /// The password, without padding.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl<const N: usize> fmt::Debug for PasswordText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordText(..)")
    }
}

/// Passwords for other servers: each a server's name and a password, both behind their lengths in one byte. An empty
/// name means every other server. Never shown by `Debug`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RemotePasswords(Text<255>);

impl RemotePasswords {
    /// The entries, of server and password.
    ///
    /// # Errors
    /// Together they are longer than 255 bytes.
    pub fn new<'a>(entries: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Result<Self, EncodeError> {
        let mut bytes = alloc::vec::Vec::new();
        for text in entries.into_iter().flat_map(|(server, password)| [server, password]) {
            // One whose length does not fit its byte does not fit the field either.
            bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(text);
        }
        Text::named("remote_passwords", &bytes).map(Self)
    }

    /// The entries, of server and password. Something malformed ends them.
    pub fn entries(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        fn text(input: &[u8]) -> Option<(&[u8], &[u8])> {
            let (&length, rest) = input.split_first()?;
            rest.split_at_checked(usize::from(length))
        }
        let mut rest = self.0.as_bytes();
        core::iter::from_fn(move || {
            let (server, behind) = text(rest)?;
            let (password, behind) = text(behind)?;
            rest = behind;
            Some((server, password))
        })
    }
}

impl fmt::Debug for RemotePasswords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RemotePasswords(..)")
    }
}

/// The type of a field of the record: always as many bytes.
pub(super) trait Field: Sized {
    const SIZE: usize;

    /// Reads the field; what is behind it is handed back.
    fn read<'a>(field: &'static str, input: &'a [u8]) -> Result<(&'a [u8], Self), DecodeError>;

    fn write(&self, writer: &mut Writer<'_>);
}

impl<const N: usize> Field for [u8; N] {
    const SIZE: usize = N;

    fn read<'a>(field: &'static str, input: &'a [u8]) -> Result<(&'a [u8], Self), DecodeError> {
        parse::array(input).map_err(|_| DecodeError::short(MESSAGE, field, N, input.len()))
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.put(self);
    }
}

/// Fields that are other fields with a meaning: how to make one and how to take it apart.
macro_rules! fields {
    ($([$($generics:tt)*] $type:ty: $inner:ty = $wrap:expr, $unwrap:expr;)+) => {$(
        impl<$($generics)*> Field for $type {
            const SIZE: usize = <$inner as Field>::SIZE;

            fn read<'a>(field: &'static str, input: &'a [u8]) -> Result<(&'a [u8], Self), DecodeError> {
                <$inner as Field>::read(field, input).map(|(rest, inner)| (rest, $wrap(inner)))
            }

            fn write(&self, writer: &mut Writer<'_>) {
                let unwrap: fn(&Self) -> $inner = $unwrap;
                unwrap(self).write(writer);
            }
        }
    )+};
}

fields! {
    [] u8: [u8; 1] = |[byte]: [u8; 1]| byte, |byte| [*byte];
    [] ConnectionType: u8 = Self::from_bits_retain, |flags| flags.bits();
    [] SecurityLogin: u8 = Self::from_bits_retain, |flags| flags.bits();
    [] HaLogin: u8 = Self::from_bits_retain, |flags| flags.bits();
    [] Option<SessionId>: [u8; 6] = SessionId::new, |id| id.map_or([0; 6], SessionId::bytes);
    [const N: usize] PasswordText<N>: Text<N> = Self, |password| password.0;
    [] RemotePasswords: Text<255> = Self, |passwords| passwords.0;
}

impl<const N: usize> Field for Text<N> {
    #[allow(clippy::arithmetic_side_effects, reason = "a constant")]
    const SIZE: usize = N + 1;

    fn read<'a>(field: &'static str, input: &'a [u8]) -> Result<(&'a [u8], Self), DecodeError> {
        let (rest, bytes) = <[u8; N]>::read(field, input)?;
        let (rest, length) = u8::read(field, rest)?;
        if usize::from(length) > N {
            return Err(DecodeError::invalid(MESSAGE, field, "longer than the field", u64::from(length)));
        }
        Ok((rest, Self { bytes, length }))
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.put(&self.bytes);
        self.length.write(writer);
    }
}

/// serde knows no arrays of these sizes: a text is its bytes, padding and length with them.
#[cfg(feature = "serde")]
mod serialised {
    use super::{Field, Text};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    impl<const N: usize> Serialize for Text<N> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut bytes = self.bytes.to_vec();
            bytes.push(self.length);
            serializer.serialize_bytes(&bytes)
        }
    }

    impl<'de, const N: usize> Deserialize<'de> for Text<N> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let bytes = bytes::Bytes::deserialize(deserializer)?;
            match Self::read("name", &bytes) {
                Ok(([], text)) => Ok(text),
                Ok(_) => Err(D::Error::invalid_length(bytes.len(), &"as many bytes as the field has")),
                Err(error) => Err(D::Error::custom(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        assert!(Text::<255>::new(&[1; 255]).is_ok() && Text::<255>::new(&[1; 256]).is_err());
        let entries = [(&b"a"[..], &b"pw"[..]), (b"", b"")];
        let remote = RemotePasswords::new(entries).unwrap();
        assert!(remote.entries().eq(entries));
        assert!(RemotePasswords::new([(&[0; 300][..], &b""[..])]).is_err());
        let cut = RemotePasswords(Text::new(b"\x01a\x02pw\x01b\x09").unwrap());
        assert_eq!(cut.entries().count(), 1);
    }
}
