//! Numbers of the deferral protocol (spec/deferral.md 2).

use crate::wire::codes;
use bitflags::bitflags;

codes! {
    /// Kind of a message (spec/deferral.md 2.1).
    pub struct MessageKind(u8) {
        /// A client wants a command to be carried out.
        REQUEST = 0x01;
        /// It wants that no longer.
        CANCEL = 0x02;
        /// The request waits in line.
        QUEUED = 0x81;
        /// It is being carried out.
        EXECUTING = 0x82;
        /// A piece of the result.
        DATA = 0x83;
        /// The end of the result.
        END = 0x84;
        /// The server does not carry it out; others may.
        DEFER = 0x85;
        /// It was not carried out, as the client wants.
        CANCELLED = 0x86;
        /// It was not carried out, and nobody else need be asked.
        REFUSED = 0x87;
    }
}

codes! {
    /// Why a server defers a request (spec/deferral.md 2.7).
    pub struct DeferKind(u8) {
        /// It has too much to do.
        BUSY = 1, ":BUSY";
        /// It is not able to carry it out.
        NO_SERVICE = 2, ":NO-SERVICE";
        /// It has carried it out, and another command is to be carried out next, perhaps elsewhere.
        CONTINUE = 3, ":CONTINUE";
        /// It could, and others are better suited.
        PREFER_OTHER = 4, ":READ-ONLY";
    }
}

codes! {
    /// Why a server refuses a request for good (spec/deferral.md 2.9).
    pub struct RefusalCode(u16) {
        /// Its deadline has passed while it waited in line.
        DEADLINE = 1;
        /// There is no room in the line.
        OVERLOADED = 2;
        /// The command is not known or makes no sense.
        BAD_REQUEST = 3;
        /// The client may not do that.
        UNAUTHORIZED = 4;
        /// Another request has the same id.
        DUPLICATE = 5;
        /// It comes again, and whether it was carried out before is not known any more.
        FORGOTTEN = 6;
    }
}

bitflags! {
    /// What is said of a request (spec/deferral.md 2.2). Unknown bits are kept, and mean nothing.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct RequestFlags: u16 {
        /// The client has been round the block: who is able to carry it out must not defer it.
        #[doc(alias = "ALLOW-REDIRECT")]
        const PRIORITY = 0x0001;
        /// It changes nothing.
        const READ_ONLY = 0x0002;
        /// It may be carried out more than once.
        const IDEMPOTENT = 0x0004;
        /// It may have come before, on a link that was lost: who does not know how it ended, and cannot be sure that it
        /// never came, must not carry it out.
        const AGAIN = 0x0008;
        const _ = !0;
    }
}

/// What an end says of itself in the hello of a link (spec/deferral.md 1.2).
pub mod capability {
    use crate::frame::Capabilities;

    /// The server carries out a request once at most, as long as its boot number is the same, and says again how it
    /// ended if it comes again.
    pub const REPLAYS: Capabilities = Capabilities::from_bits_retain(1);
}

bitflags! {
    /// What a server is able to do (spec/deferral.md 2.8). Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct ServerAbilities: u8 {
        /// It carries out requests that change nothing.
        const READ = 0x01;
        /// It carries out all others.
        const WRITE = 0x02;
        const _ = !0;
    }
}

/// The id of a request; the client chooses it, and no other request has it. The continuation of a request keeps it, in
/// the next epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestId(pub [u8; 16]);

/// A server's own id, by which it is known under all its names. All zero: it does not say.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ServerId(pub [u8; 16]);

impl ServerId {
    /// It does not say.
    pub const UNKNOWN: Self = Self([0; 16]);

    /// Whether it says something.
    #[must_use]
    pub const fn is_known(self) -> bool {
        !matches!(self.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    }
}

macro_rules! hex {
    ($($name:ident),+) => {$(
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Debug::fmt(self, f)
            }
        }
    )+};
}

hex!(RequestId, ServerId);
