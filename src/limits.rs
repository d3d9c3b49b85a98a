//! Every bound in one place, with its default and the reason for it.
//!
//! Bounds on sizes are tested on a header, before anything is buffered or allocated. Bounds on queues and
//! tables are tested before a machine changes: reaching one is an error, never growth.

/// Bounds of the SPICE room (spec/spice.md 2.6 and 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SpiceLimits {
    /// Largest `size` of a link header, in bytes. Default 4096: what the real server accepts.
    pub link_size: u32,
    /// Largest number of capability words of one kind. Default and maximum 1024: what the real server accepts.
    pub capability_words: u32,
    /// Largest body that a client may send, in bytes. Default 26 624 (4096 + 11 × 2048), what the real
    /// server accepts on its main channel, with one exception: see [`migrate_data`](Self::migrate_data).
    pub client_body: u32,
    /// Largest body that a server may send, in bytes. Default 64 MiB: a full-screen image fits, and the
    /// real server's net-test ping (256 012 bytes) does many times over.
    pub server_body: u32,
    /// Largest MIGRATE_DATA body in either direction, in bytes. Default 64 MiB: the channel's whole state
    /// (a display channel's caches) travels in it.
    pub migrate_data: u32,
    /// Most sub-messages in one list. Default 64; no known peer sends any.
    pub sub_messages: u16,
    /// Most channels of one client. Default 256 (a few per type are normal).
    pub channels: usize,
    /// Most clients of one server. Default 64 (one is normal).
    pub clients: usize,
    /// Most unanswered MIGRATE_BEGINs of one client. Default 8, at most 32: a client that leaves so many
    /// unanswered is sent no further one and is moved by switch-host.
    pub unanswered_begins: u8,
    /// Most messages that a machine holds back for one channel and direction while it is being moved.
    /// Default 1024. Beyond it, input is refused as misuse and can be offered again.
    pub held_messages: usize,
    /// Most bytes of payload in these messages. Default 4 MiB.
    pub held_bytes: usize,
    /// Most outputs that may wait to be drained before further input is refused. Default 4096. One input
    /// adds at most a few outputs for each channel.
    pub outputs: usize,
}

impl SpiceLimits {
    /// The documented defaults.
    pub const DEFAULT: Self = Self {
        link_size: 4096,
        capability_words: 1024,
        client_body: 26_624,
        server_body: 64 << 20,
        migrate_data: 64 << 20,
        sub_messages: 64,
        channels: 256,
        clients: 64,
        unanswered_begins: 8,
        held_messages: 1024,
        held_bytes: 4 << 20,
        outputs: 4096,
    };
}

impl Default for SpiceLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Bounds of the TDS 5.0 room (spec/tds5.md 1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Tds5Limits {
    /// Largest packet that is accepted, header included, in bytes. Default and maximum 65 535: what the header can
    /// say. Real receivers take more than was settled, so the default does too.
    pub packet_size: u16,
    /// Largest login message, in bytes. Default 4096: the record is 568, CAPABILITY with both masks at their
    /// largest is 517.
    pub login: usize,
    /// Largest token, or value list of one token, in bytes. Default 16 MiB. A LONGBINARY may announce 4 GiB.
    pub token: usize,
    /// Largest migration message, in bytes. Default 16 KiB.
    pub migration: usize,
    /// Most columns of one format. Default 4096.
    pub columns: u16,
    /// Most addresses of one migration request. Default 32.
    pub addresses: usize,
    /// Most requests to migrate that a client may leave unanswered. Default 8.
    pub unanswered_requests: u32,
    /// Most commands that a client may send before the first of them is answered. Default 64.
    pub pending: u32,
    /// Most pieces of requests that a client holds back while it is being moved or waits for results. Default 1024.
    pub held_messages: usize,
    /// Most bytes in these pieces. Default 4 MiB.
    pub held_bytes: usize,
    /// Most outputs that may wait to be drained before further input is refused. Default 4096.
    pub outputs: usize,
}

impl Tds5Limits {
    /// The documented defaults.
    pub const DEFAULT: Self = Self {
        packet_size: u16::MAX,
        login: 4096,
        token: 16 << 20,
        migration: 16 << 10,
        columns: 4096,
        addresses: 32,
        unanswered_requests: 8,
        pending: 64,
        held_messages: 1024,
        held_bytes: 4 << 20,
        outputs: 4096,
    };
}

impl Default for Tds5Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Bounds of the Replication Manager's room (spec/repmgr.md 1.3). The protocol itself has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RepmgrLimits {
    /// Largest handshake, in bytes without its header. Default 4096: a host's name and 20 bytes are normal.
    pub handshake: usize,
    /// Largest message about membership, in bytes without its header. Default 64 KiB: about 2000 sites.
    pub own: usize,
    /// Largest message, request, answer or replication message, in bytes without its header. Default 64 MiB. The
    /// header can announce 4 GiB.
    pub message: usize,
    /// Most segments of one message. Default 65 536. A libdb sender cannot send more than 1021.
    pub segments: u32,
    /// Most requests of one channel that are not answered, those whose time is up among them: their answers may still
    /// come. Default 65 536.
    pub requests: usize,
    /// Most messages and requests of one link that have come in and are not finished: beyond it the link is paused.
    /// Default 1024.
    pub incoming: usize,
    /// Most of them on all links together. Default 65 536.
    pub incoming_total: usize,
    /// Most messages that wait until a link is there or can be written to. Default 1024; libdb has room for 10, and
    /// loses what is beyond it.
    pub held_messages: usize,
    /// Most bytes in these messages. Default 16 MiB.
    pub held_bytes: usize,
    /// Most outputs that may wait to be drained before further input is refused. Default 4096.
    pub outputs: usize,
}

impl RepmgrLimits {
    /// The documented defaults.
    pub const DEFAULT: Self = Self {
        handshake: 4096,
        own: 64 << 10,
        message: 64 << 20,
        segments: 65_536,
        requests: 65_536,
        incoming: 1024,
        incoming_total: 65_536,
        held_messages: 1024,
        held_bytes: 16 << 20,
        outputs: 4096,
    };
}

impl Default for RepmgrLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Bounds of the native frame (spec/frame.md 1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct FrameLimits {
    /// Largest body, in bytes; a hello says no more. Default 256 KiB; at least 1024, which every hello promises.
    pub frame: u32,
    /// Largest body of the link's own messages that is taken, in bytes. Default 8 KiB: what all 255 protocols take, and
    /// some extensions. No end sends a larger one.
    pub hello: u32,
    /// Most outputs that may wait to be drained before further input is refused. Default 4096.
    pub outputs: usize,
}

impl FrameLimits {
    /// The documented defaults.
    pub const DEFAULT: Self = Self { frame: 256 << 10, hello: 8 << 10, outputs: 4096 };
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Bounds of the deferral room (spec/deferral.md 2.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DeferralLimits {
    /// Most servers that a client knows for one command, those that it began with among them. Default 16.
    pub servers: usize,
    /// Most continuations of one command. Default 4: a chain of three is normal.
    pub continuations: u16,
    /// Most other servers that a server has at its disposal to send clients on. Default 1024.
    pub alternates: usize,
    /// Most requests that wait in a server's line. Default 1024.
    pub queue: usize,
    /// Most requests whose end a server remembers, to say it again. Default 4096.
    pub remembered: usize,
    /// Most outputs that may wait to be drained before further input is refused. Default 4096.
    pub outputs: usize,
    /// Most bytes that may wait to be written, on all links of an endpoint together, before more is refused. Default
    /// 4 MiB.
    pub undrained: usize,
}

impl DeferralLimits {
    /// The documented defaults.
    pub const DEFAULT: Self = Self {
        servers: 16,
        continuations: 4,
        alternates: 1024,
        queue: 1024,
        remembered: 4096,
        outputs: 4096,
        undrained: 4 << 20,
    };
}

impl Default for DeferralLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Bounds of the group room (spec/group.md 2.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct GroupLimits {
    /// Most processes in a domain. Default 65 536.
    pub processes: usize,
    /// Most groups in a domain. Default 65 536.
    pub groups: usize,
    /// Most providers in a group. Default 4096.
    pub providers: usize,
    /// Most tokens in a domain: providers and subscribers of all groups. Default 1 048 576.
    pub tokens: usize,
    /// Most ends of protocols that a provider and a standby keep of a group, to tell those who have missed some.
    /// Default 8.
    pub recent: usize,
    /// Most phases of a protocol: who still wants to continue then has rejected it. Default 1024.
    pub phases: u32,
    /// Most source groups one behind the other. Default 8.
    pub source_depth: usize,
    /// Most outputs that may wait to be drained before further input is refused. Default 65 536: an end is told to every
    /// provider.
    pub outputs: usize,
}

impl GroupLimits {
    /// The documented defaults.
    pub const DEFAULT: Self = Self {
        processes: 65_536,
        groups: 65_536,
        providers: 4096,
        tokens: 1 << 20,
        recent: 8,
        phases: 1024,
        source_depth: 8,
        outputs: 65_536,
    };
}

impl Default for GroupLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
