//! The messages of the deferral protocol (spec/deferral.md 2).

mod codec;

use super::ids::{DeferKind, MessageKind, RefusalCode, RequestFlags, RequestId, ServerAbilities, ServerId};
use super::uri::ServerUri;
use crate::frame::{Extensions, Text};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

/// Any message of the protocol.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Message {
    /// A client wants a command to be carried out.
    Request(Box<Request>),
    /// It wants that no longer. The answer is [`Message::Cancelled`], or the result if it comes too late.
    Cancel(Signal),
    /// The request waits in line.
    Queued(Queued),
    /// It is being carried out: from here on nothing but its result can come.
    Executing(Signal),
    /// A piece of the result.
    Data(Data),
    /// The end of the result.
    End(End),
    /// The server does not carry it out, or goes on with another command.
    Defer(Box<Defer>),
    /// It was not carried out, as the client wants.
    Cancelled(Signal),
    /// It was not carried out.
    Refused(Refused),
    /// One that is not known, as it came. It is skipped.
    Unknown {
        /// Which it is.
        kind: MessageKind,
        /// Its body.
        body: Bytes,
    },
}

impl core::fmt::Debug for Message {
    /// A body that is not known is the application's: only its size is shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Request(request) => request.fmt(f),
            Self::Cancel(signal) => f.debug_tuple("Cancel").field(signal).finish(),
            Self::Queued(queued) => queued.fmt(f),
            Self::Executing(signal) => f.debug_tuple("Executing").field(signal).finish(),
            Self::Data(data) => data.fmt(f),
            Self::End(end) => end.fmt(f),
            Self::Defer(defer) => defer.fmt(f),
            Self::Cancelled(signal) => f.debug_tuple("Cancelled").field(signal).finish(),
            Self::Refused(refused) => refused.fmt(f),
            Self::Unknown { kind, body } => write!(f, "Unknown {{ {kind:?}, {} bytes }}", body.len()),
        }
    }
}

/// Which request, and which command of it: 16 bytes id, u16 epoch. A request begins with epoch 0; each
/// [continuation](DeferKind::CONTINUE) is one more. A server carries each out once at most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestKey {
    /// The request.
    pub id: RequestId,
    /// Its command.
    pub epoch: u16,
}

impl core::fmt::Debug for RequestKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}/{}", self.id, self.epoch)
    }
}

/// A command with its arguments: u16 size and name, u16 number of arguments, for each u32 size and bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Command {
    /// What is to be done.
    pub name: CommandName,
    /// With what; at most 65 535.
    pub arguments: Vec<Bytes>,
}

impl core::fmt::Debug for Command {
    /// Arguments are the application's: only their number is shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}({} arguments)", self.name.as_str(), self.arguments.len())
    }
}

/// A command's name: 1 to 256 bytes of UTF-8 without control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct CommandName(String);

/// A command's name has 1 to 256 bytes and no control characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("a command's name has 1 to 256 bytes and no control characters")]
pub struct NoCommandName;

impl CommandName {
    /// Most bytes.
    pub const MAX: usize = 256;

    /// A name; `None` if it is empty, too long, or holds control characters.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Option<Self> {
        Self::try_from(name.into()).ok()
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CommandName {
    type Error = NoCommandName;

    fn try_from(name: String) -> Result<Self, NoCommandName> {
        let fits = (1..=Self::MAX).contains(&name.len()) && !name.chars().any(char::is_control);
        if fits { Ok(Self(name)) } else { Err(NoCommandName) }
    }
}

impl From<CommandName> for String {
    fn from(name: CommandName) -> Self {
        name.0
    }
}

impl core::fmt::Debug for CommandName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Debug::fmt(&self.0, f)
    }
}

/// A client wants a command to be carried out: key, u16 flags, u32 deadline in ms, u8 size and receipt, u16 size and
/// credentials, u16 size and referrer, command, extensions.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Request {
    /// Which request.
    pub key: RequestKey,
    /// What is said of it.
    pub flags: RequestFlags,
    /// How long the client waits for it to be carried out, in ms; 0: no matter how long.
    pub deadline_ms: u32,
    /// What the server that deferred it has given to be shown elsewhere; at most 64 bytes. Not shown by `Debug`.
    pub receipt: Bytes,
    /// What the server knows the client by. Never shown to a server of another origin, nor by `Debug`.
    pub credentials: Bytes,
    /// The server that has named this one.
    pub referrer: Option<ServerUri>,
    /// What is to be done.
    pub command: Command,
    /// What else is said.
    pub extensions: Extensions,
}

impl core::fmt::Debug for Request {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { key, flags, deadline_ms, referrer, command, .. } = self;
        let mut shown = f.debug_struct("Request");
        shown.field("key", key).field("flags", flags).field("deadline_ms", deadline_ms);
        shown.field("referrer", referrer).field("command", command).finish_non_exhaustive()
    }
}

impl Request {
    /// A request that has not been round the block, changes something, and may be carried out once only.
    #[must_use]
    pub const fn new(key: RequestKey, command: Command) -> Self {
        Self {
            key,
            flags: RequestFlags::empty(),
            deadline_ms: 0,
            receipt: Bytes::new(),
            credentials: Bytes::new(),
            referrer: None,
            command,
            extensions: Extensions::NONE,
        }
    }
}

/// A message that says nothing but which request it is about: key, extensions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Signal {
    /// Which request.
    pub key: RequestKey,
    /// What else is said.
    pub extensions: Extensions,
}

impl From<RequestKey> for Signal {
    fn from(key: RequestKey) -> Self {
        Self { key, extensions: Extensions::NONE }
    }
}

/// The request waits in line: key, u32 position, u32 estimate in ms, extensions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Queued {
    /// Which request.
    pub key: RequestKey,
    /// How many are before it.
    pub position: u32,
    /// How long it may take until its turn, in ms; largest value on the wire: not known.
    pub estimate_ms: Option<u32>,
    /// What else is said.
    pub extensions: Extensions,
}

/// A piece of the result: key, u32 size and bytes, extensions.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Data {
    /// Which request.
    pub key: RequestKey,
    /// The piece.
    pub bytes: Bytes,
    /// What else is said.
    pub extensions: Extensions,
}

impl core::fmt::Debug for Data {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Data {{ key: {:?}, {} bytes }}", self.key, self.bytes.len())
    }
}

/// The end of the result: key, i32 status, u8 size and text, extensions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct End {
    /// Which request.
    pub key: RequestKey,
    /// 0 if all is well; below 10 000 a warning, from there on an error.
    pub status: i32,
    /// The same for people.
    pub text: Text,
    /// What else is said.
    pub extensions: Extensions,
}

/// The server does not carry it out, or goes on with another command: key, u8 kind, 16 bytes server id, u8 size and
/// reason, u32 queue length, u32 estimate in ms, u32 retry after ms, u8 size and receipt, u8 number of alternates, for
/// each u8 abilities, 16 bytes server id, u16 size and URI; for a continuation u16 flags and the command; extensions.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Defer {
    /// Which request.
    pub key: RequestKey,
    /// Why.
    pub kind: DeferKind,
    /// Who says so.
    pub server: ServerId,
    /// The same for people.
    pub reason: Text,
    /// How many requests wait there.
    pub queue_length: Option<u32>,
    /// How long it may take until this one's turn, in ms.
    pub estimate_ms: Option<u32>,
    /// How long to leave this server alone, in ms.
    pub retry_after_ms: Option<u32>,
    /// To be shown to the next server; at most 64 bytes.
    pub receipt: Bytes,
    /// Who else may be asked, the best first; at most 32.
    pub alternates: Vec<Alternate>,
    /// What is to be done next: in a continuation, and only there.
    pub next: Option<Command>,
    /// What is said of that: [`READ_ONLY`](RequestFlags::READ_ONLY) and [`IDEMPOTENT`](RequestFlags::IDEMPOTENT); the
    /// client cannot know it. Nothing without a continuation.
    pub next_flags: RequestFlags,
    /// What else is said.
    pub extensions: Extensions,
}

impl core::fmt::Debug for Defer {
    /// Without the receipt: who has it has been round the block.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { key, kind, server, reason, queue_length, estimate_ms, retry_after_ms, alternates, next, .. } = self;
        let mut shown = f.debug_struct("Defer");
        shown.field("key", key).field("kind", kind).field("server", server).field("reason", reason);
        shown.field("queue_length", queue_length).field("estimate_ms", estimate_ms);
        shown.field("retry_after_ms", retry_after_ms).field("alternates", alternates).field("next", next);
        shown.finish_non_exhaustive()
    }
}

impl Defer {
    /// Most bytes of a receipt.
    pub const MAX_RECEIPT: usize = 64;
}

/// A server that may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Alternate {
    /// Where it is.
    pub uri: ServerUri,
    /// What it is able to do; none said: it may be able to do anything.
    pub abilities: ServerAbilities,
    /// Its id, if it is known.
    pub server: ServerId,
}

impl Alternate {
    /// A server of which nothing more is known.
    #[must_use]
    pub const fn new(uri: ServerUri) -> Self {
        Self { uri, abilities: ServerAbilities::empty(), server: ServerId::UNKNOWN }
    }

    /// Whether it may be able to carry out a request.
    #[must_use]
    pub fn may_serve(&self, read_only: bool) -> bool {
        let wanted = if read_only { ServerAbilities::READ | ServerAbilities::WRITE } else { ServerAbilities::WRITE };
        self.abilities.is_empty() || self.abilities.intersects(wanted)
    }
}

/// It was not carried out, and nobody else need be asked: key, u16 code, u8 size and text, extensions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Refused {
    /// Which request.
    pub key: RequestKey,
    /// Why.
    pub code: RefusalCode,
    /// The same for people.
    pub text: Text,
    /// What else is said.
    pub extensions: Extensions,
}

impl Message {
    /// Which request it is about.
    #[must_use]
    pub fn key(&self) -> Option<RequestKey> {
        Some(match self {
            Self::Request(request) => request.key,
            Self::Cancel(signal) | Self::Executing(signal) | Self::Cancelled(signal) => signal.key,
            Self::Queued(queued) => queued.key,
            Self::Data(data) => data.key,
            Self::End(end) => end.key,
            Self::Defer(defer) => defer.key,
            Self::Refused(refused) => refused.key,
            Self::Unknown { .. } => return None,
        })
    }
}

/// A time of the wire.
pub(super) fn milliseconds(value: u32) -> Duration {
    Duration::from_millis(u64::from(value))
}
