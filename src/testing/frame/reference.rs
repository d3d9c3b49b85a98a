//! A second reading of spec/frame.md 1 to 4: slowly, field by field, over nothing but slices. It shares no code with
//! the codec.

use crate::frame::{Close, Frame, Hello};
use std::string::String;
use std::vec::Vec;

/// Why something is refused: the field, and the kind of error by its name in
/// [`DecodeErrorKind::name`](crate::error::DecodeErrorKind::name).
pub type Refused = (&'static str, &'static str);

/// A frame: protocol, kind, flags, body.
pub type Parts = (u8, u8, u8, Vec<u8>);

/// All that is read of a stream: its frames, and how many bytes are left or why it ends.
pub fn frames(mut bytes: &[u8], most: u64, most_of_link: u64) -> (Vec<Parts>, Result<usize, Refused>) {
    let mut frames = Vec::new();
    loop {
        if bytes.len() < 8 {
            return (frames, Ok(bytes.len()));
        }
        let length = bytes[..4].iter().fold(0_u64, |length, byte| length * 256 + u64::from(*byte));
        if bytes[4] != 1 {
            return (frames, Err(("version", "unsupported")));
        }
        if length > (if bytes[5] == 0 { most_of_link } else { most }) {
            return (frames, Err(("length", "limit")));
        }
        if (bytes.len() as u64) < 8 + length {
            return (frames, Ok(bytes.len()));
        }
        let end = 8 + length as usize;
        frames.push((bytes[5], bytes[6], bytes[7], bytes[8..end].to_vec()));
        bytes = &bytes[end..];
    }
}

/// A frame of the codec in parts.
pub fn parts(frame: &Frame) -> Parts {
    (frame.protocol.0, frame.kind, frame.flags.bits(), frame.body.to_vec())
}

/// Who reads a message: somebody who knows none of its extensions, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Today's.
    KnowsNone,
    /// One to whom no extension is new.
    KnowsAll,
}

/// What is left of a body.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, size: usize, field: &'static str) -> Result<&'a [u8], Refused> {
        if self.0.len() < size {
            return Err((field, "short"));
        }
        let (taken, rest) = self.0.split_at(size);
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, size: usize, field: &'static str) -> Result<u64, Refused> {
        Ok(self.take(size, field)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// 1.5.
    fn text(&mut self, field: &'static str) -> Result<String, Refused> {
        let size = self.number(1, field)? as usize;
        let text = String::from_utf8(self.take(size, field)?.to_vec()).map_err(|_| (field, "invalid"))?;
        let control = |c: char| matches!(u32::from(c), 0..0x20 | 0x7f..0xa0);
        if text.contains(control) { Err((field, "invalid")) } else { Ok(text) }
    }

    /// 2.
    fn extensions(&mut self, reader: Reader) -> Result<Vec<(u16, Vec<u8>)>, Refused> {
        let mut extensions = Vec::new();
        while !self.0.is_empty() {
            let ty = self.number(2, "extension_type")? as u16;
            let size = self.number(2, "extension_size")? as usize;
            extensions.push((ty, self.take(size, "extension_value")?.to_vec()));
            if ty >= 0x8000 && reader == Reader::KnowsNone {
                return Err(("extensions", "unsupported"));
            }
        }
        Ok(extensions)
    }
}

/// A hello in parts: max_body, boot, identity, agent, offers (protocol, lowest, highest, capabilities), extensions.
pub type HelloParts = (u32, u32, Vec<u8>, String, Vec<(u8, u16, u16, u64)>, Vec<(u16, Vec<u8>)>);

/// Reads the body of a hello (3.1).
///
/// # Errors
/// It is refused.
pub fn hello(body: &[u8], reader: Reader) -> Result<HelloParts, Refused> {
    let mut rest = Rest(body);
    let max_body = rest.number(4, "max_body")? as u32;
    let boot = rest.number(4, "boot")? as u32;
    let size = rest.number(1, "identity_size")? as usize;
    if max_body < 1024 {
        return Err(("max_body", "invalid"));
    }
    if size > 64 {
        return Err(("identity_size", "invalid"));
    }
    let identity = rest.take(size, "identity")?.to_vec();
    let agent = rest.text("agent")?;
    let count = rest.number(1, "count")?;
    let mut offers: Vec<(u8, u16, u16, u64)> = Vec::new();
    for _ in 0..count {
        let protocol = rest.number(1, "protocol")? as u8;
        let (min, max) = (rest.number(2, "min_version")? as u16, rest.number(2, "max_version")? as u16);
        let capabilities = rest.number(8, "capabilities")?;
        if protocol == 0 || offers.iter().any(|offer| offer.0 == protocol) {
            return Err(("protocol", "invalid"));
        }
        if min > max {
            return Err(("min_version", "invalid"));
        }
        offers.push((protocol, min, max, capabilities));
    }
    Ok((max_body, boot, identity, agent, offers, rest.extensions(reader)?))
}

/// A hello of the codec in parts.
pub fn hello_parts(hello: &Hello) -> HelloParts {
    let offers = hello
        .offers
        .iter()
        .map(|offer| (offer.protocol.0, offer.versions.min, offer.versions.max, offer.capabilities.bits()));
    let extensions = hello.extensions.iter().map(|extension| (extension.ty.0, extension.value.to_vec()));
    (
        hello.max_body,
        hello.boot,
        hello.identity.as_bytes().to_vec(),
        hello.agent.as_str().into(),
        offers.collect(),
        extensions.collect(),
    )
}

/// A close in parts: reason, text, extensions.
pub type CloseParts = (u16, String, Vec<(u16, Vec<u8>)>);

/// Reads the body of a close (4.1).
///
/// # Errors
/// It is refused.
pub fn close(body: &[u8], reader: Reader) -> Result<CloseParts, Refused> {
    let mut rest = Rest(body);
    let reason = rest.number(2, "reason")? as u16;
    let text = rest.text("text")?;
    Ok((reason, text, rest.extensions(reader)?))
}

/// A close of the codec in parts.
pub fn close_parts(close: &Close) -> CloseParts {
    let extensions = close.extensions.iter().map(|extension| (extension.ty.0, extension.value.to_vec()));
    (close.reason.0, close.text.as_str().into(), extensions.collect())
}

/// What two hellos settle (3.2), by trying every version: protocol, version and capabilities, by protocol.
pub fn settled(one: &HelloParts, other: &HelloParts) -> Vec<(u8, u16, u64)> {
    let find = |hello: &HelloParts, protocol: u8| hello.4.iter().find(|offer| offer.0 == protocol).copied();
    let spoken = (1..=u8::MAX).filter_map(|protocol| {
        let (one, other) = (find(one, protocol)?, find(other, protocol)?);
        let version = (one.1..=one.2).rev().find(|version| (other.1..=other.2).contains(version))?;
        Some((protocol, version, one.3 & other.3))
    });
    spoken.collect()
}
