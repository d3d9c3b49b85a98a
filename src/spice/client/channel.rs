//! One channel of a client's session, at home and on its way.

use super::acks::Acks;
use crate::hold::Held;
use crate::spice::header::Packet;
use crate::spice::ids::{Capabilities, ChannelId, LinkId};
use crate::spice::message::{ClientMessage, ServerMessage};

/// A link that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Link {
    pub(super) id: LinkId,
    pub(super) tls: bool,
    /// Whether its link stage is over.
    pub(super) linked: bool,
}

/// Where a channel stands with the server in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// No link yet; one is asked for as soon as a server is in use.
    Waiting,
    /// Its link is being opened.
    Opening,
    /// It works.
    Live,
    /// Seamless: its MIGRATE has come, its MIGRATE_DATA has not.
    Flushing,
    /// Semi-seamless: it is at the target, which has not sent INIT yet.
    AwaitingInit,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Channel {
    pub(super) id: ChannelId,
    pub(super) caps: Capabilities,
    pub(super) phase: Phase,
    /// The link to the server in use; `None` in [`Phase::Waiting`].
    pub(super) home: Option<Link>,
    /// The link to the target of an attempt.
    pub(super) target: Option<Link>,
    /// Its link to the target has broken since it was there.
    pub(super) target_lost: bool,
    /// Seamless: already on the target.
    pub(super) moved: bool,
    /// What the target said that it can do.
    pub(super) target_caps: Capabilities,
    pub(super) acks: Acks,
    /// From the application, until the channel can carry it.
    pub(super) outgoing: Held<Packet<ClientMessage>>,
    /// From the target, until the switch.
    pub(super) incoming: Held<Packet<ServerMessage>>,
}

impl Channel {
    pub(super) fn new(id: ChannelId, caps: Capabilities) -> Self {
        Self {
            id,
            caps,
            phase: Phase::Waiting,
            home: None,
            target: None,
            target_lost: false,
            moved: false,
            target_caps: Capabilities::default(),
            acks: Acks::default(),
            outgoing: Held::new(),
            incoming: Held::new(),
        }
    }

    /// Whether its link to the target is past the link stage.
    pub(super) fn target_linked(&self) -> bool {
        self.target.is_some_and(|link| link.linked)
    }
}

/// Which of a channel's two links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Home,
    Target,
}
