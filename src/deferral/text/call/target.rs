//! A target, and the line that it stands in.

use super::form::decode;
use super::{Call, Context, RcFile};
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;

pub(super) const ALLOW_REDIRECT: &[u8] = b"ALLOW-REDIRECT";
pub(super) const USER_NAME: &[u8] = b"USER-NAME";
pub(super) const CLIENT_PLATFORM: &[u8] = b"CLIENT-PLATFORM";
pub(super) const CURRENT_DIRECTORY: &[u8] = b"CURRENT-DIRECTORY";
pub(super) const USER_HOME_DIRECTORY: &[u8] = b"USER-HOME-DIRECTORY";
pub(super) const TIMEZONE_OFFSET: &[u8] = b"TIMEZONE-OFFSET";
pub(super) const CHANGESAFERC: &[u8] = b"CHANGESAFERC";
pub(super) const RCPATH: &[u8] = b"RCPATH";

const KNOWN: [&[u8]; 8] = [
    ALLOW_REDIRECT,
    USER_NAME,
    CLIENT_PLATFORM,
    CURRENT_DIRECTORY,
    USER_HOME_DIRECTORY,
    TIMEZONE_OFFSET,
    CHANGESAFERC,
    RCPATH,
];

/// Whether a key has a meaning: it is a number, or one of eight words.
pub(super) fn is_known(key: &[u8]) -> bool {
    is_number(key) || KNOWN.contains(&key)
}

fn is_number(key: &[u8]) -> bool {
    !key.is_empty() && key.iter().all(u8::is_ascii_digit)
}

/// Why a target is no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// It is not absolute and does not begin with a slash; or its path is empty, or has no question mark behind it.
    #[error("scheme, host and slash (or a slash), a path and a question mark are expected")]
    NoPath,
    /// The path holds a control character.
    #[error("a control character in the path")]
    Control,
    /// A percent sign has no two hexadecimal digits behind it.
    #[error("a percent sign without two hexadecimal digits")]
    Percent,
    /// The arguments are not numbered from 0 on, in order.
    #[error("the arguments are not numbered from 0 on")]
    Arguments,
    /// What the flag or the offset says is not known.
    #[error("a value that is not known: ALLOW-REDIRECT is T or NIL, TIMEZONE-OFFSET a number")]
    Value,
    /// A key that is known is there twice.
    #[error("the same key twice")]
    Twice,
    /// The contents of a `.csf` file are there without its path, or the path without them.
    #[error("CHANGESAFERC and RCPATH come together")]
    RcFile,
    /// There are more than [`Call::MAX_PAIRS`] pairs.
    #[error("more than 1024 pairs")]
    TooMany,
}

/// The method, the target and the version of a request line, without what ends the line. A target of the original may
/// hold blanks, at which a library for HTTP gives up: everything between the first and the last is the target.
///
/// ```
/// use handover::deferral::text::request_line;
///
/// let line = b"GET http://db1/csf/command/a b?ALLOW-REDIRECT=T HTTP/1.1";
/// let target = &b"http://db1/csf/command/a b?ALLOW-REDIRECT=T"[..];
/// assert_eq!(request_line(line), Some((&b"GET"[..], target, &b"HTTP/1.1"[..])));
/// assert_eq!(request_line(b"GET /"), None);
/// ```
#[must_use]
pub fn request_line(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = |byte: &u8| *byte == b' ';
    let (first, last) = (line.iter().position(blank)?, line.iter().rposition(blank)?);
    let target = line.get(first.saturating_add(1)..last).filter(|target| !target.is_empty())?;
    Some((line.get(..first)?, target, line.get(last.saturating_add(1)..)?))
}

/// Scheme, host and slash, and what is behind them. The first part is empty if there is only a slash, which then
/// belongs to neither.
pub(super) fn split(target: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(path) = target.strip_prefix(b"/") {
        return Some((&[], path));
    }
    let scheme = target.iter().position(|byte| !matches!(byte, b'+' | b'-' | b'.') && !byte.is_ascii_alphanumeric())?;
    let rest = target.get(scheme..)?.strip_prefix(b"://").filter(|_| scheme > 0)?;
    let host = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'))?;
    let path = rest.get(host..)?.strip_prefix(b"/").filter(|_| host > 0)?;
    Some((target.strip_suffix(path)?, path))
}

impl Call {
    /// Reads a target: absolute, as the original client sends it, or without scheme and host. The path is all that
    /// stands behind the slash of the host.
    ///
    /// The last question mark ends the path: one in a pair is encoded, and one in a path is not. Pairs may be missing,
    /// and may stand in any order: of what is not said the default is meant.
    ///
    /// # Errors
    /// It is no call.
    pub fn parse(target: &[u8]) -> Result<Self, CallError> {
        Self::parse_below(b"", target)
    }

    /// The same for a server whose base has a path: `directory` is what stands between the slash of the host and the
    /// call's own path, `pre/fix/`.
    ///
    /// # Errors
    /// It is no call, or none in that directory.
    pub fn parse_below(directory: &[u8], target: &[u8]) -> Result<Self, CallError> {
        let (_, path) = split(target).ok_or(CallError::NoPath)?;
        let path = path.strip_prefix(directory).ok_or(CallError::NoPath)?;
        let at = path.iter().rposition(|byte| *byte == b'?').filter(|at| *at > 0).ok_or(CallError::NoPath)?;
        let (path, query) = (path.get(..at).unwrap_or_default(), path.get(at.saturating_add(1)..).unwrap_or_default());
        if path.iter().any(u8::is_ascii_control) {
            return Err(CallError::Control);
        }
        let mut pairs = Pairs::default();
        for (index, pair) in query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).enumerate() {
            if index >= Self::MAX_PAIRS {
                return Err(CallError::TooMany);
            }
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let key = decode(pair.get(..at).unwrap_or_default())?;
            pairs.add(key, decode(pair.get(at.saturating_add(1)..).unwrap_or_default())?)?;
        }
        pairs.call(Bytes::copy_from_slice(path))
    }

    /// Scheme, host and the slash behind it, of a target or a URL; and what is behind. Empty, and what is behind the
    /// slash, if it begins with one. `None` if it is neither.
    #[must_use]
    pub fn split(target: &[u8]) -> Option<(&[u8], &[u8])> {
        split(target)
    }
}

/// What the pairs say.
#[derive(Default)]
struct Pairs {
    arguments: Vec<Bytes>,
    known: [Option<Bytes>; KNOWN.len()],
    unknown: Vec<(Bytes, Bytes)>,
}

impl Pairs {
    fn add(&mut self, key: Bytes, value: Bytes) -> Result<(), CallError> {
        if is_number(&key) {
            if key != self.arguments.len().to_string().as_bytes() {
                return Err(CallError::Arguments);
            }
            self.arguments.push(value);
            return Ok(());
        }
        let mut places = KNOWN.iter().zip(&mut self.known);
        match places.find(|(known, _)| key == **known) {
            Some((_, place @ None)) => *place = Some(value),
            Some(_) => return Err(CallError::Twice),
            None => self.unknown.push((key, value)),
        }
        Ok(())
    }

    fn call(self, path: Bytes) -> Result<Call, CallError> {
        let Self { arguments, known, unknown } = self;
        let [allow_redirect, user_name, client_platform, current_directory, user_home_directory, offset, rc, rc_path] =
            known;
        let rc = match (rc, rc_path) {
            (Some(contents), Some(path)) => Some(RcFile { contents, path }),
            (None, None) => None,
            _ => return Err(CallError::RcFile),
        };
        let context = Context {
            user_name: user_name.unwrap_or_default(),
            client_platform: client_platform.unwrap_or_default(),
            current_directory: current_directory.unwrap_or_default(),
            user_home_directory: user_home_directory.unwrap_or_default(),
            timezone_offset: offset.map_or(Ok(0), |value| number(&value))?,
            rc,
        };
        let allow_redirect = match allow_redirect.as_deref() {
            Some(b"T") | None => true,
            Some(b"NIL") => false,
            Some(_) => return Err(CallError::Value),
        };
        Ok(Call { path, arguments, allow_redirect, context, unknown })
    }
}

fn number(value: &[u8]) -> Result<i32, CallError> {
    core::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(CallError::Value)
}
