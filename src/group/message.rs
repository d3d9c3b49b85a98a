//! The messages of the group protocol (spec/group.md 2).

mod coordinator;
mod parts;
mod process;
mod standby;

pub use coordinator::{Accepted, Announcement, DelayedError, Dissolved, Ended, Notice, Phase, Redirect, View, Welcome};
pub use parts::{Ballot, Open, Outcome, Past, Snapshot, Standing};
pub use process::{Acknowledge, Deactivated, Enter, Join, Ping, Plain, Propose, Report, Signal, Subscribe, Vote};
pub use standby::{Entry, Fenced, Grant, GroupRecord, Proclaim, Query, Reign, Replicate, Replicated};

use super::ids::MessageKind;
use crate::error::{DecodeError, EncodeError};
use crate::frame::{Body, FrameFlags, Native, Protocol, Value, write_frame};
use crate::wire::Writer;
use alloc::boxed::Box;
use bytes::Bytes;

macro_rules! messages {
    ($(#[$doc:meta])* pub enum Message { $($(#[$variant_doc:meta])* $variant:ident($ty:ty) = $kind:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[non_exhaustive]
        pub enum Message {
            $($(#[$variant_doc])* $variant($ty),)+
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
                    $(Self::$variant(message) => f.debug_tuple(stringify!($variant)).field(message).finish(),)+
                    Self::Unknown { kind, body } => write!(f, "Unknown {{ {kind:?}, {} bytes }}", body.len()),
                }
            }
        }

        impl Native for Message {
            const PROTOCOL: Protocol = Protocol::GROUP;

            #[inline]
            fn kind(&self) -> u8 {
                match self {
                    $(Self::$variant(_) => MessageKind::$kind.0,)+
                    Self::Unknown { kind, .. } => kind.0,
                }
            }

            /// Asks once which message it is.
            #[inline]
            fn write_frame(&self, dst: &mut [u8]) -> Option<usize> {
                match self {
                    $(Self::$variant(message) => {
                        message.check("", "").ok()?;
                        let size = message.encoded_len();
                        write_frame(dst, Protocol::GROUP, MessageKind::$kind.0, FrameFlags::empty(), size, |writer| {
                            writer.pass(|writer| message.write(writer));
                        })
                    })+
                    Self::Unknown { kind, body } => {
                        self.check().ok()?;
                        write_frame(dst, Protocol::GROUP, kind.0, FrameFlags::empty(), body.len(), |writer| {
                            writer.put(body);
                        })
                    }
                }
            }

            #[inline]
            fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => stringify!($variant),)+
                    Self::Unknown { .. } => "Unknown",
                }
            }

            #[inline]
            fn parse(kind: u8, flags: FrameFlags, whole: &Bytes) -> Result<Self, DecodeError> {
                Ok(match MessageKind(kind) {
                    $(MessageKind::$kind => {
                        Self::$variant(Value::parse(&mut Body::new(stringify!($variant), whole), "body")?)
                    })+
                    _ if flags.contains(FrameFlags::CRITICAL) => {
                        let reason = "a message that must be understood";
                        return Err(DecodeError::unsupported("Header", "kind", reason, u64::from(kind)));
                    }
                    kind => Self::Unknown { kind, body: whole.clone() },
                })
            }

            #[inline]
            fn body_len(&self) -> usize {
                match self {
                    $(Self::$variant(message) => message.encoded_len(),)+
                    Self::Unknown { body, .. } => body.len(),
                }
            }

            #[inline]
            fn check(&self) -> Result<(), EncodeError> {
                match self {
                    $(Self::$variant(message) => message.check(stringify!($variant), "body"),)+
                    Self::Unknown { kind, .. } if kind.name().is_some() => {
                        Err(EncodeError::Invalid { message: "Unknown", field: "kind", reason: "a kind that is known" })
                    }
                    Self::Unknown { .. } => Ok(()),
                }
            }

            #[inline]
            fn write_body(&self, writer: &mut Writer<'_>) {
                match self {
                    $(Self::$variant(message) => writer.pass(|writer| message.write(writer)),)+
                    Self::Unknown { body, .. } => writer.put(body),
                }
            }
        }
    };
}

messages! {
    /// Any message of the protocol.
    pub enum Message {
        /// A process enters the domain.
        Enter(Box<Enter>) = ENTER,
        /// A process wants to be a provider.
        Join(Box<Join>) = JOIN,
        /// A process wants to be told.
        Subscribe(Subscribe) = SUBSCRIBE,
        /// It wants that no longer.
        Unsubscribe(Signal) = UNSUBSCRIBE,
        /// A provider proposes something.
        Propose(Box<Propose>) = PROPOSE,
        /// A provider votes.
        Vote(Vote) = VOTE,
        /// A provider has deactivated itself, or could not.
        Deactivated(Deactivated) = DEACTIVATED,
        /// A provider goes at once.
        Goodbye(Signal) = GOODBYE,
        /// A process leaves the domain.
        Quit(Plain) = QUIT,
        /// It is still there.
        Pong(Ping) = PONG,
        /// It has taken everything up to here.
        Acknowledge(Acknowledge) = ACKNOWLEDGE,
        /// It wants the whole of a group.
        Resynchronise(Signal) = RESYNCHRONISE,
        /// What it knows of a group.
        Report(Report) = REPORT,
        /// A process is in the domain.
        Welcome(Welcome) = WELCOME,
        /// A request is accepted.
        Accepted(Accepted) = ACCEPTED,
        /// A request is not carried out.
        DelayedError(DelayedError) = DELAYED_ERROR,
        /// A phase begins.
        Phase(Phase) = PHASE,
        /// A protocol has ended, approved.
        Approved(Box<Ended>) = APPROVED,
        /// A protocol has ended, rejected.
        Rejected(Box<Ended>) = REJECTED,
        /// Something else.
        Announcement(Announcement) = ANNOUNCEMENT,
        /// For a subscriber.
        Notice(Notice) = NOTICE,
        /// Is the process still there?
        Ping(Ping) = PING,
        /// A group, or the domain, is no more.
        Dissolved(Dissolved) = DISSOLVED,
        /// Another coordinator leads the domain.
        Redirect(Redirect) = REDIRECT,
        /// A group as it is.
        View(View) = VIEW,
        /// An outcome to be kept.
        Replicate(Box<Replicate>) = REPLICATE,
        /// It is kept.
        Replicated(Replicated) = REPLICATED,
        /// A coordinator wants to know what others know.
        Query(Query) = QUERY,
        /// It may.
        Grant(Box<Grant>) = GRANT,
        /// A coordinator reigns.
        Reign(Reign) = REIGN,
        /// An epoch is over.
        Fenced(Fenced) = FENCED,
        /// A coordinator is there.
        Proclaim(Proclaim) = PROCLAIM,
    }
}
