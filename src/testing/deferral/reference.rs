//! A second reading of spec/deferral.md 2: a plain cursor, field by field. It shares no code with the codec.

use crate::deferral::message::{Command, Message};
use crate::frame::Extensions;
pub use crate::testing::frame::reference::{Reader, Refused};
use std::format;
use std::string::String;
use std::vec::Vec;

/// A field by its name: a number, or bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Any number; ids are numbers of 16 bytes, and what stands for none is as it stands.
    Number(&'static str, u128),
    /// Bytes without their size: texts, URIs, arguments.
    Bytes(&'static str, Vec<u8>),
}

/// What is read of a body, from the front.
struct Cursor<'a> {
    body: &'a [u8],
    at: usize,
    parts: Vec<Part>,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, size: u128, field: &'static str) -> Result<&'a [u8], Refused> {
        if (self.body.len() - self.at) as u128 >= size {
            let taken = &self.body[self.at..self.at + size as usize];
            self.at += taken.len();
            return Ok(taken);
        }
        Err((field, "short"))
    }

    fn size(&mut self, width: u128, field: &'static str) -> Result<u128, Refused> {
        Ok(self.take(width, field)?.iter().fold(0, |number, byte| number * 256 + u128::from(*byte)))
    }

    fn number(&mut self, width: u128, field: &'static str) -> Result<u128, Refused> {
        let number = self.size(width, field)?;
        self.parts.push(Part::Number(field, number));
        Ok(number)
    }

    fn bytes(&mut self, size: u128, field: &'static str) -> Result<&'a [u8], Refused> {
        let bytes = self.take(size, field)?;
        self.parts.push(Part::Bytes(field, bytes.to_vec()));
        Ok(bytes)
    }

    /// Text for people, or a command's name.
    fn plain(&mut self, size: u128, field: &'static str) -> Result<(), Refused> {
        let text = String::from_utf8(self.bytes(size, field)?.to_vec()).map_err(|_| (field, "invalid"))?;
        let control = |c: char| matches!(u32::from(c), 0..0x20 | 0x7f..0xa0);
        if text.contains(control) { Err((field, "invalid")) } else { Ok(()) }
    }

    fn text(&mut self, field: &'static str) -> Result<(), Refused> {
        let size = self.size(1, field)?;
        self.plain(size, field)
    }

    fn at_most(&mut self, most: u128, width: u128, field: &'static str) -> Result<u128, Refused> {
        let size = self.size(width, field)?;
        if size > most { Err((field, "invalid")) } else { Ok(size) }
    }

    fn receipt(&mut self) -> Result<(), Refused> {
        let size = self.at_most(64, 1, "receipt_size")?;
        self.bytes(size, "receipt").map(|_| ())
    }

    fn uri(&mut self, size_field: &'static str, field: &'static str, may_be_none: bool) -> Result<(), Refused> {
        let size = self.at_most(1024, 2, size_field)?;
        let uri = self.bytes(size, field)?;
        let fine = is_canonical_uri(uri) || (may_be_none && uri.is_empty());
        if fine { Ok(()) } else { Err((field, "invalid")) }
    }

    fn command(&mut self) -> Result<(), Refused> {
        let size = self.at_most(256, 2, "command_size")?;
        if size == 0 {
            return Err(("command_size", "invalid"));
        }
        self.plain(size, "command")?;
        let count = self.number(2, "arguments_count")?;
        if count * 4 > (self.body.len() - self.at) as u128 {
            return Err(("arguments_count", "invalid"));
        }
        for _ in 0..count {
            let size = self.size(4, "argument_size")?;
            self.bytes(size, "argument")?;
        }
        Ok(())
    }

    fn alternates(&mut self) -> Result<(), Refused> {
        let count = self.number(1, "alternates_count")?;
        if count > 32 || count * 19 > (self.body.len() - self.at) as u128 {
            return Err(("alternates_count", "invalid"));
        }
        for _ in 0..count {
            self.number(1, "abilities")?;
            self.number(16, "alternate_server")?;
            self.uri("uri_size", "uri", false)?;
        }
        Ok(())
    }

    fn extensions(&mut self, reader: Reader) -> Result<(), Refused> {
        while self.at < self.body.len() {
            let ty = self.number(2, "extension_type")?;
            let size = self.size(2, "extension_size")?;
            self.bytes(size, "extension_value")?;
            if ty >= 0x8000 && reader == Reader::KnowsNone {
                return Err(("extensions", "unsupported"));
            }
        }
        Ok(())
    }
}

/// Reads the body of a message of this kind; `None` if the kind is not known and the message is to be skipped.
///
/// # Errors
/// It is refused.
pub fn message(kind: u8, flags: u8, body: &[u8], reader: Reader) -> Result<Option<Vec<Part>>, Refused> {
    let mut cursor = Cursor { body, at: 0, parts: Vec::new() };
    let known = matches!(kind, 0x01 | 0x02 | 0x81..=0x87);
    if !known {
        return if flags & 1 == 1 { Err(("kind", "unsupported")) } else { Ok(None) };
    }
    cursor.number(16, "id")?;
    cursor.number(2, "epoch")?;
    match kind {
        0x01 => {
            cursor.number(2, "flags")?;
            cursor.number(4, "deadline_ms")?;
            cursor.receipt()?;
            let size = cursor.size(2, "credentials_size")?;
            cursor.bytes(size, "credentials")?;
            cursor.uri("referrer_size", "referrer", true)?;
            cursor.command()?;
        }
        0x81 => {
            cursor.number(4, "position")?;
            cursor.number(4, "estimate_ms")?;
        }
        0x83 => {
            let size = cursor.size(4, "size")?;
            cursor.bytes(size, "bytes")?;
        }
        0x84 => {
            cursor.number(4, "status")?;
            cursor.text("text")?;
        }
        0x85 => {
            let kind = cursor.number(1, "kind")?;
            if !(1..=4).contains(&kind) {
                return Err(("kind", "unsupported"));
            }
            cursor.number(16, "server")?;
            cursor.text("reason")?;
            cursor.number(4, "queue_length")?;
            cursor.number(4, "estimate_ms")?;
            cursor.number(4, "retry_after_ms")?;
            cursor.receipt()?;
            cursor.alternates()?;
            if kind == 3 {
                cursor.number(2, "next_flags")?;
                cursor.command()?;
            }
        }
        0x87 => {
            cursor.number(2, "code")?;
            cursor.text("text")?;
        }
        _ => {}
    }
    cursor.extensions(reader)?;
    Ok(Some(cursor.parts))
}

/// A message of the codec in parts; `None` for one that is not known.
pub fn parts(message: &Message) -> Option<Vec<Part>> {
    use Part::{Bytes, Number};
    let key = message.key()?;
    let mut parts = Vec::from([Number("id", u128::from_be_bytes(key.id.0)), Number("epoch", key.epoch.into())]);
    let optional = |value: Option<u32>| u128::from(value.unwrap_or(0xffff_ffff));
    let extensions = match message {
        Message::Request(request) => {
            parts.push(Number("flags", request.flags.bits().into()));
            parts.push(Number("deadline_ms", request.deadline_ms.into()));
            parts.push(Bytes("receipt", request.receipt.to_vec()));
            parts.push(Bytes("credentials", request.credentials.to_vec()));
            let referrer = request.referrer.as_ref().map(|uri| uri.as_str()).unwrap_or_default();
            parts.push(Bytes("referrer", referrer.into()));
            command(&request.command, &mut parts);
            &request.extensions
        }
        Message::Cancel(signal) | Message::Executing(signal) | Message::Cancelled(signal) => &signal.extensions,
        Message::Queued(queued) => {
            parts.push(Number("position", queued.position.into()));
            parts.push(Number("estimate_ms", optional(queued.estimate_ms)));
            &queued.extensions
        }
        Message::Data(data) => {
            parts.push(Bytes("bytes", data.bytes.to_vec()));
            &data.extensions
        }
        Message::End(end) => {
            parts.push(Number("status", u32::from_be_bytes(end.status.to_be_bytes()).into()));
            parts.push(Bytes("text", end.text.as_str().into()));
            &end.extensions
        }
        Message::Defer(defer) => {
            parts.push(Number("kind", defer.kind.0.into()));
            parts.push(Number("server", u128::from_be_bytes(defer.server.0)));
            parts.push(Bytes("reason", defer.reason.as_str().into()));
            parts.push(Number("queue_length", optional(defer.queue_length)));
            parts.push(Number("estimate_ms", optional(defer.estimate_ms)));
            parts.push(Number("retry_after_ms", optional(defer.retry_after_ms)));
            parts.push(Bytes("receipt", defer.receipt.to_vec()));
            parts.push(Number("alternates_count", defer.alternates.len() as u128));
            for alternate in &defer.alternates {
                parts.push(Number("abilities", alternate.abilities.bits().into()));
                parts.push(Number("alternate_server", u128::from_be_bytes(alternate.server.0)));
                parts.push(Bytes("uri", alternate.uri.as_str().into()));
            }
            if let Some(next) = &defer.next {
                parts.push(Number("next_flags", defer.next_flags.bits().into()));
                command(next, &mut parts);
            }
            &defer.extensions
        }
        Message::Refused(refused) => {
            parts.push(Number("code", refused.code.0.into()));
            parts.push(Bytes("text", refused.text.as_str().into()));
            &refused.extensions
        }
        Message::Unknown { .. } => return None,
    };
    list(extensions, &mut parts);
    Some(parts)
}

fn command(command: &Command, parts: &mut Vec<Part>) {
    parts.push(Part::Bytes("command", command.name.as_str().into()));
    parts.push(Part::Number("arguments_count", command.arguments.len() as u128));
    parts.extend(command.arguments.iter().map(|argument| Part::Bytes("argument", argument.to_vec())));
}

fn list(extensions: &Extensions, parts: &mut Vec<Part>) {
    for extension in extensions.iter() {
        parts.push(Part::Number("extension_type", extension.ty.0.into()));
        parts.push(Part::Bytes("extension_value", extension.value.to_vec()));
    }
}

/// Whether a text is how a server is named (2.8).
pub fn is_canonical_uri(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let visible = |c: char| ('!'..='~').contains(&c) && !"?#\\".contains(c);
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let of_scheme = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    if text.len() > 1024 || !text.chars().all(visible) || !scheme.chars().all(of_scheme) {
        return false;
    }
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let port_at = if authority.starts_with('[') { authority.find("]:").map(|at| at + 1) } else { authority.find(':') };
    let (host, port) = authority.split_at(port_at.unwrap_or(authority.len()));
    scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && !path.ends_with('/')
        && is_host(host)
        && match (port.strip_prefix(':'), scheme) {
            (None, "http" | "https") => true,
            (None, _) | (Some("80"), "http") | (Some("443"), "https") => false,
            (Some(port), _) => is_decimal(port, 65_535) && port != "0",
        }
}

/// Whether a text is a number up to this one, as it is written.
fn is_decimal(text: &str, most: u32) -> bool {
    text.parse::<u32>().is_ok_and(|number| number <= most && format!("{number}") == text)
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return groups(address).is_some_and(|groups| written(groups) == address);
    }
    let labels: Vec<&str> = host.split('.').collect();
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let fine = |label: &&str| !label.is_empty() && label.len() <= 63 && label.chars().all(letter);
    let last = labels.last().copied().unwrap_or_default();
    let is_number = last.chars().all(|c| c.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
    let is_address = labels.len() == 4 && labels.iter().all(|label| is_decimal(label, 255));
    host.len() <= 253 && labels.iter().all(fine) && (is_address || !is_number)
}

/// The groups of an IPv6 address, if this is one.
fn groups(text: &str) -> Option<[u16; 8]> {
    let list = |text: &str| -> Option<Vec<u16>> {
        let mut groups = Vec::new();
        let words: Vec<&str> = text.split(':').filter(|_| !text.is_empty()).collect();
        for (at, word) in words.iter().enumerate() {
            if at + 1 == words.len() && word.contains('.') {
                let bytes: Vec<u16> = word.split('.').map(|byte| byte.parse().ok()).collect::<Option<_>>()?;
                let &[a, b, c, d] = &bytes[..] else { return None };
                if bytes.iter().any(|byte| *byte > 255) {
                    return None;
                }
                groups.extend([a * 256 + b, c * 256 + d]);
            } else if (1..=4).contains(&word.len()) {
                groups.push(u16::from_str_radix(word, 16).ok()?);
            } else {
                return None;
            }
        }
        Some(groups)
    };
    let all = match text.split_once("::") {
        None => list(text)?,
        Some((front, back)) => {
            let (front, back) = (list(front)?, list(back)?);
            let zeros = 8_usize.checked_sub(front.len() + back.len())?;
            [front, std::vec![0; zeros], back].concat()
        }
    };
    all.try_into().ok()
}

/// An IPv6 address in its normal form: lower case, no zeros in front, the first of the longest runs of two or more
/// zeros left out, and an IPv4 address that is mapped into it with dots.
fn written(groups: [u16; 8]) -> String {
    if let [0, 0, 0, 0, 0, 0xffff, high, low] = groups {
        return format!("::ffff:{}.{}.{}.{}", high >> 8, high & 255, low >> 8, low & 255);
    }
    let words = |groups: &[u16]| groups.iter().map(|group| format!("{group:x}")).collect::<Vec<_>>().join(":");
    for size in (2..=8).rev() {
        for start in 0..=8 - size {
            if groups[start..start + size].iter().all(|group| *group == 0) {
                return format!("{}::{}", words(&groups[..start]), words(&groups[start + size..]));
            }
        }
    }
    words(&groups)
}
