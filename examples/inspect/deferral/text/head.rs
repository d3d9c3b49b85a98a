//! Heads, as far as this protocol needs them: a request's line, which may hold blanks, and an answer's Content-Type.

use super::reason;
use crate::deferral::text::fields::shown;
use bytes::Bytes;
use handover::deferral::text::{Call, is_answer, request_line};

/// A request's head.
pub(super) struct RequestHead {
    pub(super) length: usize,
    pub(super) method: &'static str,
    /// Scheme, host and slash.
    pub(super) base: Vec<u8>,
    /// Why it is none.
    pub(super) call: Result<Call, String>,
    pub(super) headers: Vec<String>,
    /// What stands before and behind the target.
    before: Vec<u8>,
    behind: Vec<u8>,
}

impl RequestHead {
    pub(super) fn with_target(&self, target: &[u8]) -> Vec<u8> {
        [&self.before[..], target, &self.behind].concat()
    }
}

/// An answer's head.
pub(super) struct ResponseHead {
    pub(super) length: usize,
    pub(super) bytes: Bytes,
    pub(super) status_line: String,
    pub(super) headers: Vec<String>,
    pub(super) content_type: Option<String>,
    pub(super) is_answer: bool,
}

/// A head's lines without their newlines, and its length; `None` if its end has not come. It ends with the first line
/// that has nothing but carriage returns.
fn lines(stream: &[u8]) -> Option<(Vec<&[u8]>, usize)> {
    let mut lines = Vec::new();
    let mut at = 0;
    loop {
        let rest = stream.get(at..)?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        at += end + 1;
        let line = rest.get(..end).unwrap_or_default();
        if line.iter().all(|byte| *byte == b'\r') {
            return Some((lines, at));
        }
        lines.push(line);
    }
}

pub(super) fn request(stream: &[u8]) -> Option<RequestHead> {
    let (lines, length) = lines(stream)?;
    let lines: Vec<&[u8]> = lines.into_iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
    let (line, headers) = lines.split_first()?;
    let (method, target) =
        request_line(line).map_or((line.split(|byte| *byte == b' ').next()?, &b""[..]), |parts| (parts.0, parts.1));
    let target_at = method.len() + 1;
    Some(RequestHead {
        length,
        method: super::super::METHODS.iter().find_map(|known| name(known, method)).unwrap_or("Request"),
        base: match Call::split(target) {
            Some((&[], _)) => b"/".to_vec(),
            Some((base, _)) => base.to_vec(),
            None => Vec::new(),
        },
        call: reason(target),
        headers: headers.iter().map(|line| header(line)).collect(),
        before: stream.get(..target_at).unwrap_or_default().to_vec(),
        behind: stream.get(target_at + target.len()..length).unwrap_or_default().to_vec(),
    })
}

/// A header. What would let somebody in is not shown.
fn header(line: &[u8]) -> String {
    let secret = ["authorization", "proxy-authorization", "cookie", "set-cookie"];
    let line = shown(line);
    match line.split_once(':') {
        Some((name, _)) if secret.contains(&name.trim().to_ascii_lowercase().as_str()) => format!("{name}: …"),
        _ => line,
    }
}

fn name(known: &'static [u8], method: &[u8]) -> Option<&'static str> {
    let known = std::str::from_utf8(known).ok()?.trim_end();
    (known.as_bytes() == method).then_some(known)
}

/// An answer may lack a status line, and the last Content-Type counts (spec/deferral.md 6.2.1).
pub(super) fn response(stream: &[u8]) -> Option<ResponseHead> {
    let (lines, length) = lines(stream)?;
    // A carriage return means nothing, wherever it stands.
    let lines: Vec<Vec<u8>> =
        lines.into_iter().map(|line| line.iter().copied().filter(|byte| *byte != b'\r').collect()).collect();
    let is_status = lines.first().is_some_and(|line| line.starts_with(b"HTTP/"));
    let (status, headers) = lines.split_at(usize::from(is_status));
    let content_type = headers.iter().rev().find_map(|header| {
        let colon = header.iter().position(|byte| *byte == b':')?;
        let (name, value) = header.split_at(colon);
        name.eq_ignore_ascii_case(b"content-type").then(|| value.get(1..).unwrap_or_default())
    });
    Some(ResponseHead {
        length,
        bytes: Bytes::copy_from_slice(stream.get(..length).unwrap_or_default()),
        status_line: status.first().map(|line| shown(line)).unwrap_or_default(),
        headers: headers.iter().map(|line| header(line)).collect(),
        content_type: content_type.map(|value| shown(value.trim_ascii())),
        is_answer: content_type.is_some_and(is_answer),
    })
}
