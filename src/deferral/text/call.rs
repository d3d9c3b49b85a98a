//! The target of a request (spec/deferral.md 6.1).

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt::Write as _;

/// What a client asks: a path, arguments, and what surrounds the client.
///
/// On the wire it is `base` + path + `?` + pairs, in a fixed order; keys and values are encoded as forms are. Which
/// bytes a character has is the client's business, and it does not say.
///
/// ```
/// use handover::deferral::text::{Call, Context};
///
/// let call = Call { arguments: vec!["a b".into()], ..Call::new("ws_create", Context::default()) };
/// let target = call.target("http://db1:7999/");
/// assert!(target.starts_with("http://db1:7999/csf/command/ws_create?0=a+b&ALLOW-REDIRECT=T&USER-NAME=&"));
/// assert_eq!(Call::parse(target.as_bytes())?, call);
/// # Ok::<(), handover::deferral::text::CallError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Call {
    /// `csf/command/` and the command's name; or, after a continuation, what that says.
    pub path: Bytes,
    /// The arguments.
    pub arguments: Vec<Bytes>,
    /// Whether the client may be sent on: it has not been round the block.
    #[doc(alias = "ALLOW-REDIRECT")]
    pub allow_redirect: bool,
    /// What surrounds the client.
    pub context: Context,
    /// Pairs that are not known; servers pass over them.
    pub unknown: Vec<(Bytes, Bytes)>,
}

/// What surrounds a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Context {
    /// The user's name.
    #[doc(alias = "USER-NAME")]
    pub user_name: Bytes,
    /// The operating system.
    #[doc(alias = "CLIENT-PLATFORM")]
    pub client_platform: Bytes,
    /// The current directory.
    #[doc(alias = "CURRENT-DIRECTORY")]
    pub current_directory: Bytes,
    /// The user's own directory.
    #[doc(alias = "USER-HOME-DIRECTORY")]
    pub user_home_directory: Bytes,
    /// Minutes east of Greenwich, without daylight saving.
    #[doc(alias = "TIMEZONE-OFFSET")]
    pub timezone_offset: i32,
    /// What is in the nearest `.csf` file, and where that is.
    #[doc(alias = "CHANGESAFERC")]
    #[doc(alias = "RCPATH")]
    pub rc: Option<(Bytes, Bytes)>,
}

/// Why a target is no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// It has no path, or no question mark behind it.
    #[error("a path and a question mark are expected")]
    NoPath,
    /// A percent sign has no two hexadecimal digits behind it.
    #[error("a percent sign without two hexadecimal digits")]
    Percent,
    /// The arguments are not numbered from 0 on.
    #[error("the arguments are not numbered from 0 on")]
    Arguments,
    /// What the flag or the offset says is not known.
    #[error("a value that is not known: ALLOW-REDIRECT is T or NIL, TIMEZONE-OFFSET a number")]
    Value,
    /// There are more than 1024 pairs.
    #[error("more than 1024 pairs")]
    TooMany,
}

impl Call {
    /// A command without arguments.
    #[must_use]
    pub fn new(command: &str, context: Context) -> Self {
        let path = ["csf/command/", command].concat().into();
        Self { path, arguments: Vec::new(), allow_redirect: true, context, unknown: Vec::new() }
    }

    /// The target for a server: `base` ends with a slash, and nothing is put between.
    #[must_use]
    pub fn target(&self, base: &str) -> String {
        let mut target = base.to_string();
        // A path of ASCII is what it is; what is not is not encoded by the original either.
        target.extend(self.path.iter().map(|byte| char::from(*byte)));
        let mut separator = '?';
        let mut pair = |key: &str, value: &[u8]| {
            target.push(separator);
            separator = '&';
            encode(key.as_bytes(), &mut target);
            target.push('=');
            encode(value, &mut target);
        };
        for (index, argument) in self.arguments.iter().enumerate() {
            pair(&index.to_string(), argument);
        }
        let Context { user_name, client_platform, current_directory, user_home_directory, timezone_offset, rc } =
            &self.context;
        pair("ALLOW-REDIRECT", if self.allow_redirect { b"T" } else { b"NIL" });
        pair("USER-NAME", user_name);
        pair("CLIENT-PLATFORM", client_platform);
        pair("CURRENT-DIRECTORY", current_directory);
        pair("USER-HOME-DIRECTORY", user_home_directory);
        pair("TIMEZONE-OFFSET", timezone_offset.to_string().as_bytes());
        if let Some((contents, path)) = rc {
            pair("CHANGESAFERC", contents);
            pair("RCPATH", path);
        }
        for (key, value) in &self.unknown {
            let mut encoded = String::new();
            encode(key, &mut encoded);
            target.push(separator);
            target.push_str(&encoded);
            target.push('=');
            encode(value, &mut target);
        }
        target
    }

    /// Reads a target: absolute, as the original client sends it, or without scheme and host.
    ///
    /// # Errors
    /// It is no call.
    pub fn parse(target: &[u8]) -> Result<Self, CallError> {
        let path = path_of(target).ok_or(CallError::NoPath)?;
        let at = path.iter().position(|byte| *byte == b'?').ok_or(CallError::NoPath)?;
        let (path, query) = (path.get(..at).unwrap_or_default(), path.get(at..).unwrap_or_default());
        let mut call = Self {
            path: Bytes::copy_from_slice(path),
            arguments: Vec::new(),
            allow_redirect: true,
            context: Context::default(),
            unknown: Vec::new(),
        };
        let (mut rc, mut rc_path) = (None, None);
        let pairs = query.get(1..).unwrap_or_default().split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        for (index, pair) in pairs.enumerate() {
            if index >= 1024 {
                return Err(CallError::TooMany);
            }
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let key = decode(pair.get(..at).unwrap_or_default())?;
            let value = decode(pair.get(at.saturating_add(1)..).unwrap_or_default())?;
            match &*key {
                b"ALLOW-REDIRECT" => call.allow_redirect = flag(&value)?,
                b"USER-NAME" => call.context.user_name = value,
                b"CLIENT-PLATFORM" => call.context.client_platform = value,
                b"CURRENT-DIRECTORY" => call.context.current_directory = value,
                b"USER-HOME-DIRECTORY" => call.context.user_home_directory = value,
                b"TIMEZONE-OFFSET" => call.context.timezone_offset = number(&value)?,
                b"CHANGESAFERC" => rc = Some(value),
                b"RCPATH" => rc_path = Some(value),
                digits if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
                    if digits != call.arguments.len().to_string().as_bytes() {
                        return Err(CallError::Arguments);
                    }
                    call.arguments.push(value);
                }
                _ => call.unknown.push((key, value)),
            }
        }
        call.context.rc = rc.map(|contents| (contents, rc_path.unwrap_or_default()));
        Ok(call)
    }

    /// The command's name, if the path is one of a command.
    #[must_use]
    pub fn command(&self) -> Option<&[u8]> {
        self.path.strip_prefix(b"csf/command/")
    }
}

/// What is behind scheme and host, and the slash.
fn path_of(target: &[u8]) -> Option<&[u8]> {
    if let Some(path) = target.strip_prefix(b"/") {
        return Some(path);
    }
    let host = target.windows(3).position(|three| three == b"://")?.saturating_add(3);
    let rest = target.get(host..)?;
    let slash = rest.iter().position(|byte| *byte == b'/')?;
    rest.get(slash.saturating_add(1)..)
}

fn flag(value: &[u8]) -> Result<bool, CallError> {
    match value {
        b"T" => Ok(true),
        b"NIL" => Ok(false),
        _ => Err(CallError::Value),
    }
}

fn number(value: &[u8]) -> Result<i32, CallError> {
    core::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(CallError::Value)
}

/// As forms are encoded: letters, digits and four marks stand for themselves, a blank is a plus sign.
fn encode(bytes: &[u8], target: &mut String) {
    for byte in bytes {
        match byte {
            b' ' => target.push('+'),
            b'.' | b'-' | b'*' | b'_' => target.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => target.push(char::from(*byte)),
            // Writing to a string cannot fail.
            byte => _ = write!(target, "%{byte:02X}"),
        }
    }
}

fn decode(text: &[u8]) -> Result<Bytes, CallError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
                let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                    return Err(CallError::Percent);
                };
                u8::try_from(high.saturating_mul(16).saturating_add(low)).unwrap_or_default()
            }
            byte => *byte,
        });
    }
    Ok(bytes.into())
}
