//! What a client asks (spec/deferral.md 6.1).

mod form;
mod target;

use crate::error::{EncodeError, to_u64};
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;

pub use target::{CallError, request_line};

/// What a client asks: a path, arguments, and what surrounds the client.
///
/// On the wire it is the target of a GET: base, path, `?`, pairs. The path stands there as it is, blanks, question marks
/// and all; keys and values of the pairs are encoded as forms are, and their order is fixed. Which bytes a character
/// has is the client's business, and it does not say.
///
/// ```
/// use handover::deferral::text::{Call, Context};
///
/// let call = Call { arguments: vec!["a b".into()], ..Call::new("ws_create", Context::default()) };
/// let target = call.target("http://db1:7999/")?;
/// assert!(target.starts_with(b"http://db1:7999/csf/command/ws_create?0=a+b&ALLOW-REDIRECT=T&USER-NAME=&"));
/// assert_eq!(Call::parse(&target)?, call);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Call {
    /// `csf/command/` and the command's name; or, after a continuation, what that says. Any bytes but control
    /// characters.
    pub path: Bytes,
    /// The arguments.
    pub arguments: Vec<Bytes>,
    /// Whether the client may be sent on: it has not been round the block.
    #[doc(alias = "ALLOW-REDIRECT")]
    pub allow_redirect: bool,
    /// What surrounds the client.
    pub context: Context,
    /// Pairs that are not known; servers pass over them. No key is a number, or one that is known.
    pub unknown: Vec<(Bytes, Bytes)>,
}

/// What surrounds a client.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Context {
    /// The user's name.
    #[doc(alias = "USER-NAME")]
    pub user_name: Bytes,
    /// The operating system.
    #[doc(alias = "CLIENT-PLATFORM")]
    pub client_platform: Bytes,
    /// The current directory, with a separator at its end if it exists.
    #[doc(alias = "CURRENT-DIRECTORY")]
    pub current_directory: Bytes,
    /// The user's own directory.
    #[doc(alias = "USER-HOME-DIRECTORY")]
    pub user_home_directory: Bytes,
    /// Minutes east of Greenwich, without daylight saving.
    #[doc(alias = "TIMEZONE-OFFSET")]
    pub timezone_offset: i32,
    /// The nearest `.csf` file, if there is one.
    pub rc: Option<RcFile>,
}

/// A `.csf` file. It is read anew for every contact.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RcFile {
    /// All that is in it.
    #[doc(alias = "CHANGESAFERC")]
    pub contents: Bytes,
    /// Where it is.
    #[doc(alias = "RCPATH")]
    pub path: Bytes,
}

impl core::fmt::Debug for Call {
    /// Arguments are the application's: only their number is shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { path, arguments, allow_redirect, context, unknown } = self;
        let mut shown = f.debug_struct("Call");
        shown.field("path", path).field("arguments", &arguments.len()).field("allow_redirect", allow_redirect);
        shown.field("context", context).field("unknown", &unknown.len()).finish()
    }
}

impl core::fmt::Debug for Context {
    /// Names and directories are the user's: only their sizes are shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { user_name, client_platform, current_directory, user_home_directory, timezone_offset, rc } = self;
        let mut shown = f.debug_struct("Context");
        shown.field("user_name", &user_name.len()).field("client_platform", client_platform);
        shown.field("current_directory", &current_directory.len());
        shown.field("user_home_directory", &user_home_directory.len());
        shown.field("timezone_offset", timezone_offset).field("rc", rc).finish()
    }
}

impl core::fmt::Debug for RcFile {
    /// What is in it is the user's: only the size is shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "RcFile({} bytes)", self.contents.len())
    }
}

impl Call {
    /// Most pairs.
    pub const MAX_PAIRS: usize = 1024;

    /// A command without arguments.
    #[must_use]
    pub fn new(command: impl AsRef<[u8]>, context: Context) -> Self {
        let path = [b"csf/command/", command.as_ref()].concat().into();
        Self { path, arguments: Vec::new(), allow_redirect: true, context, unknown: Vec::new() }
    }

    /// The command's name, if the path is one of a command.
    #[must_use]
    pub fn command(&self) -> Option<&[u8]> {
        self.path.strip_prefix(b"csf/command/")
    }

    /// The target for a server. Nothing is put between base and path: the base ends with a slash.
    ///
    /// Whoever writes it into a request line writes it as it is. Blanks, and bytes of 0x80 and more, may stand in it:
    /// the original sends them raw.
    ///
    /// # Errors
    /// The base is no URL with a slash behind its host, nor a `/`; or it holds a user's name, a blank or a control
    /// character. The path is empty or holds a control character: it could not stand in a request line. A key that is
    /// not known is one that is. There are more than [`MAX_PAIRS`](Self::MAX_PAIRS) pairs.
    pub fn target(&self, base: impl AsRef<[u8]>) -> Result<Vec<u8>, EncodeError> {
        let base = base.as_ref();
        self.check(base)?;
        let Self { path, arguments, allow_redirect, context, unknown } = self;
        let mut target = [base, path].concat();
        let mut separator = b'?';
        let mut pair = |key: &[u8], value: &[u8]| {
            target.push(separator);
            separator = b'&';
            form::encode(key, &mut target);
            target.push(b'=');
            form::encode(value, &mut target);
        };
        for (index, argument) in arguments.iter().enumerate() {
            pair(index.to_string().as_bytes(), argument);
        }
        pair(target::ALLOW_REDIRECT, if *allow_redirect { b"T" } else { b"NIL" });
        pair(target::USER_NAME, &context.user_name);
        pair(target::CLIENT_PLATFORM, &context.client_platform);
        pair(target::CURRENT_DIRECTORY, &context.current_directory);
        pair(target::USER_HOME_DIRECTORY, &context.user_home_directory);
        pair(target::TIMEZONE_OFFSET, context.timezone_offset.to_string().as_bytes());
        if let Some(RcFile { contents, path }) = &context.rc {
            pair(target::CHANGESAFERC, contents);
            pair(target::RCPATH, path);
        }
        unknown.iter().for_each(|(key, value)| pair(key, value));
        Ok(target)
    }

    fn check(&self, base: &[u8]) -> Result<(), EncodeError> {
        let invalid = |field, reason| Err(EncodeError::Invalid { message: "Call", field, reason });
        if base != b"/" {
            let reason = "a URL with a slash behind its host, and without a user's name";
            match target::split(base) {
                Some((origin, _)) if !origin.is_empty() && !origin.contains(&b'@') => {}
                _ => return invalid("base", reason),
            }
        }
        if base.iter().any(|byte| *byte == b' ' || byte.is_ascii_control()) {
            return invalid("base", "no blanks and no control characters");
        }
        if self.path.is_empty() || self.path.iter().any(u8::is_ascii_control) {
            return invalid("path", "not empty, and no control characters");
        }
        if self.unknown.iter().any(|(key, _)| target::is_known(key)) {
            return invalid("unknown", "a key that is known");
        }
        let context = if self.context.rc.is_some() { 8 } else { 6 };
        let pairs = self.arguments.len().saturating_add(self.unknown.len()).saturating_add(context);
        if pairs > Self::MAX_PAIRS {
            let (max, got) = (to_u64(Self::MAX_PAIRS), to_u64(pairs));
            return Err(EncodeError::TooLong { message: "Call", field: "arguments", max, got });
        }
        Ok(())
    }
}
