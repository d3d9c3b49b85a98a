//! SPICE tickets: the RSA step of the link stage, as an application would do it.
//!
//! The crate leaves cryptography to its caller. This file is that caller's part,
//! for the tests and the examples: it needs the crates `rsa`, `sha1` and `rand`
//! and nothing else of this repository.
//!
//! A ticket is the password and one NUL byte, sealed by RSA-OAEP (SHA-1 for the
//! hash and for MGF1, empty label) under the 1024-bit key the server sent in its
//! link reply. The protocol fixes these choices; they are no recommendation.

// Whoever includes this file, as a private module, uses one half of it: a client
// seals, a server opens.
#![allow(dead_code, unreachable_pub)]

use rand::rngs::OsRng;
use rsa::pkcs8::{DecodePublicKey, EncodePublicKey};
use rsa::{Oaep, RsaPrivateKey, RsaPublicKey};
use sha1::Sha1;

/// Bits of the modulus. The sizes below follow from it.
const KEY_BITS: usize = 1024;

/// Length of the public key in a link reply (a DER `SubjectPublicKeyInfo`).
pub const PUBLIC_KEY_LEN: usize = 162;

/// Length of a sealed ticket: one RSA block.
pub const TICKET_LEN: usize = 128;

/// Seals `password` for the server that owns `public_key_der`.
///
/// Fails if the key is not a usable RSA public key or the password does not fit
/// (85 bytes at most here; SPICE clients stop at 60).
pub fn encrypt(public_key_der: &[u8; PUBLIC_KEY_LEN], password: &[u8]) -> Result<[u8; TICKET_LEN], String> {
    let key = RsaPublicKey::from_public_key_der(public_key_der).map_err(|error| format!("public key: {error}"))?;
    let mut plain = password.to_vec();
    plain.push(0);
    let sealed = key.encrypt(&mut OsRng, Oaep::new::<Sha1>(), &plain).map_err(|error| format!("ticket: {error}"))?;
    sealed.try_into().map_err(|other: Vec<u8>| format!("ticket of {} bytes: not a 1024-bit key", other.len()))
}

/// The key pair of a server. Real servers make a fresh one for every connection.
pub struct ServerKey(RsaPrivateKey);

impl ServerKey {
    /// Makes a new 1024-bit key.
    pub fn generate() -> Self {
        Self(RsaPrivateKey::new(&mut OsRng, KEY_BITS).expect("the system's random numbers"))
    }

    /// The public half, in the form a link reply carries.
    pub fn public_key_der(&self) -> [u8; PUBLIC_KEY_LEN] {
        let der = self.0.to_public_key().to_public_key_der();
        let der = der.expect("an RSA public key has a DER form");
        // 1024 bits and the exponent 65537 leave the encoding no other length.
        der.as_bytes().try_into().expect("162 bytes")
    }

    /// Opens a ticket: the password up to the first NUL (all of it, if there is
    /// none), or `None` if these bytes were not sealed with this key.
    pub fn decrypt(&self, ticket: &[u8; TICKET_LEN]) -> Option<Vec<u8>> {
        let mut plain = self.0.decrypt(Oaep::new::<Sha1>(), ticket).ok()?;
        if let Some(end) = plain.iter().position(|&byte| byte == 0) {
            plain.truncate(end);
        }
        Some(plain)
    }
}
