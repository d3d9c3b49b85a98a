//! Directives (spec/deferral.md 6.2).

use super::url;
use crate::error::{EncodeError, to_u64};
use crate::wire::{Encode, Writer};
use alloc::vec::Vec;
use bytes::Bytes;

/// A line of an answer.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Directive {
    /// Show a text: any bytes; the original shows each as a character of Latin-1.
    #[doc(alias = "DISPLAY")]
    Display(Bytes),
    /// The command is done: 0 if all is well, below 10 000 (also below 0) a warning, from there on an error.
    #[doc(alias = "RETURN")]
    Return(i32),
    /// Say what happens, or no longer.
    #[doc(alias = "TRACE")]
    Trace(i32),
    /// The client's [file agent](super::AgentRequests) takes over the connection.
    #[doc(alias = "STARTFSA")]
    StartFileAgent,
    /// The current directory of the client is this from now on, for all contacts to come.
    #[doc(alias = "CD")]
    ChangeDirectory(Bytes),
    /// Ask others, or go on with another command.
    #[doc(alias = "REDIRECT")]
    Redirect(Redirect),
    /// One that is not known: the original says so, and goes on.
    Unknown {
        /// Its name: neither blanks nor newlines; to be sent, no control characters.
        token: Bytes,
        /// What follows.
        argument: Bytes,
    },
}

impl core::fmt::Debug for Directive {
    /// Texts are the application's: only their sizes are shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Display(text) => write!(f, "DISPLAY({} bytes)", text.len()),
            Self::Return(status) => write!(f, "RETURN({status})"),
            Self::Trace(level) => write!(f, "TRACE({level})"),
            Self::StartFileAgent => f.write_str("STARTFSA"),
            Self::ChangeDirectory(directory) => write!(f, "CD({} bytes)", directory.len()),
            Self::Redirect(redirect) => core::fmt::Debug::fmt(redirect, f),
            Self::Unknown { token, argument } => write!(f, "Unknown({} + {} bytes)", token.len(), argument.len()),
        }
    }
}

/// Where to go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Redirect {
    /// Why.
    pub kind: RedirectKind,
    /// The path of what is to be done next, in a continuation, and only there: no white space and no control
    /// characters.
    pub path: Option<Bytes>,
    /// The URLs of the servers to ask. The original asks the last one first. As to what the client does with one:
    /// [`ServerUri`](crate::deferral::ServerUri).
    pub servers: Vec<Bytes>,
}

impl Redirect {
    /// Most servers.
    pub const MAX_SERVERS: usize = 256;
    /// Most bytes of a URL, and of a path.
    pub const MAX_URL: usize = 1024;

    /// For a command that was not carried out, with others to ask.
    #[must_use]
    pub const fn new(kind: RedirectKind, servers: Vec<Bytes>) -> Self {
        Self { kind, path: None, servers }
    }

    fn check(&self) -> Result<(), EncodeError> {
        let Self { kind, path, servers } = self;
        let invalid = |field, reason| Err(EncodeError::Invalid { message: "Redirect", field, reason });
        if path.is_some() != (*kind == RedirectKind::Continue) {
            return invalid("path", "in a continuation, and only there");
        }
        let fits = |path: &Bytes| url::is_path(path) && !path.contains(&b' ') && !path.starts_with(b"/");
        if path.iter().any(|path| !fits(path)) {
            return invalid("path", "1 to 1024 bytes, no slash before it, no white space and no control characters");
        }
        if !servers.iter().all(|server| url::is_safe(server)) {
            return invalid("servers", "http://, a host, a slash at the end; no user's name, at most 1024 bytes");
        }
        if servers.len() > Self::MAX_SERVERS {
            let (max, got) = (to_u64(Self::MAX_SERVERS), to_u64(servers.len()));
            return Err(EncodeError::TooLong { message: "Redirect", field: "servers", max, got });
        }
        Ok(())
    }
}

/// Why a client is sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum RedirectKind {
    /// The server has too much to do.
    #[doc(alias = ":BUSY")]
    Busy,
    /// It is not able to.
    #[doc(alias = ":NO-SERVICE")]
    NoService,
    /// It could, and others are better suited.
    #[doc(alias = ":READ-ONLY")]
    ReadOnly,
    /// It is done, and another command follows.
    #[doc(alias = ":CONTINUE")]
    Continue,
}

impl RedirectKind {
    /// As it stands on the wire.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Busy => ":BUSY",
            Self::NoService => ":NO-SERVICE",
            Self::ReadOnly => ":READ-ONLY",
            Self::Continue => ":CONTINUE",
        }
    }

    /// The kind that stands on the wire as `token`, in exactly this case.
    #[must_use]
    pub fn from_token(token: &[u8]) -> Option<Self> {
        [Self::Busy, Self::NoService, Self::ReadOnly, Self::Continue]
            .into_iter()
            .find(|kind| kind.token().as_bytes() == token)
    }
}

/// What separates the words of a redirection.
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | 0x0c | b'\n')
}

/// Text in quotation marks: the marks and backslashes in it have a backslash before them.
struct Quoted<'a>(&'a [u8]);

impl Quoted<'_> {
    fn encoded_len(&self) -> usize {
        let escaped = self.0.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        self.0.len().saturating_add(escaped).saturating_add(2)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.put(b"\"");
        for byte in self.0 {
            if matches!(byte, b'"' | b'\\') {
                writer.put(b"\\");
            }
            writer.put(&[*byte]);
        }
        writer.put(b"\"");
    }
}

impl Directive {
    /// The name on the wire.
    #[must_use]
    pub fn token(&self) -> &[u8] {
        match self {
            Self::Display(_) => b"DISPLAY",
            Self::Return(_) => b"RETURN",
            Self::Trace(_) => b"TRACE",
            Self::StartFileAgent => b"STARTFSA",
            Self::ChangeDirectory(_) => b"CD",
            Self::Redirect(_) => b"REDIRECT",
            Self::Unknown { token, .. } => token,
        }
    }

    fn each(&self, mut put: impl FnMut(&[u8])) {
        put(self.token());
        match self {
            Self::Return(value) | Self::Trace(value) => {
                put(b" ");
                put(alloc::string::ToString::to_string(value).as_bytes());
            }
            Self::Redirect(Redirect { kind, path, servers }) => {
                put(b" ");
                put(kind.token().as_bytes());
                for word in path.iter().chain(servers) {
                    put(b" ");
                    put(word);
                }
            }
            Self::Unknown { argument, .. } if !argument.is_empty() => put(b" "),
            Self::Display(_) | Self::ChangeDirectory(_) => put(b" "),
            Self::StartFileAgent | Self::Unknown { .. } => {}
        }
    }

    fn quoted(&self) -> Option<Quoted<'_>> {
        match self {
            Self::Display(text) | Self::ChangeDirectory(text) => Some(Quoted(text)),
            Self::Unknown { argument, .. } if !argument.is_empty() => Some(Quoted(argument)),
            _ => None,
        }
    }
}

/// In the spelling that the original client reads safely: texts in quotation marks, one blank between words, and a
/// newline at the end. A server that serves the original ends with [`Directive::Return`] or [`Directive::Redirect`],
/// and names first what is to be asked last.
impl Encode for Directive {
    fn encoded_len(&self) -> usize {
        let mut length = 1_usize;
        self.each(|part| length = length.saturating_add(part.len()));
        length.saturating_add(self.quoted().map_or(0, |quoted| quoted.encoded_len()))
    }

    fn check(&self) -> Result<(), EncodeError> {
        match self {
            Self::Redirect(redirect) => redirect.check(),
            Self::Unknown { token, .. } => {
                let known: [&[u8]; 6] = [b"DISPLAY", b"RETURN", b"TRACE", b"STARTFSA", b"CD", b"REDIRECT"];
                let is_word = !token.is_empty() && !token.iter().any(|byte| *byte == b' ' || byte.is_ascii_control());
                if !is_word || known.contains(&&**token) {
                    let reason = "a word that is not known, without blanks and control characters";
                    return Err(EncodeError::Invalid { message: "Directive", field: "token", reason });
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        self.each(|part| writer.put(part));
        if let Some(quoted) = self.quoted() {
            quoted.write(writer);
        }
        writer.put(b"\n");
    }
}
