//! What a target keeps for a client.

use super::table::State;
use crate::hold::Held;
use crate::spice::header::Packet;
use crate::spice::ids::{ChannelId, ClientId, LinkId, MainCaps};
use crate::spice::message::ClientMessage;
use crate::time::Instant;
use alloc::vec::Vec;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Link {
    pub(super) id: LinkId,
    pub(super) channel: ChannelId,
    /// Seamless: its MIGRATE_DATA has not come.
    pub(super) awaits_data: bool,
    /// What came before the channel has started.
    pub(super) incoming: Held<Packet<ClientMessage>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Session {
    pub(super) id: ClientId,
    pub(super) state: State,
    pub(super) session_id: u32,
    /// It came from another server, so that INIT is the machine's to send (property T2).
    pub(super) arriving: bool,
    pub(super) caps: MainCaps,
    pub(super) deadline: Option<Instant>,
    /// Some MIGRATE_DATA has come. The client has linked all that it moves before, so that further channels
    /// are new ones.
    pub(super) has_data: bool,
    /// The main channel is first.
    pub(super) links: Vec<Link>,
}

impl Session {
    pub(super) fn link(&self, link: LinkId) -> Option<&Link> {
        self.links.iter().find(|entry| entry.id == link)
    }

    pub(super) fn link_mut(&mut self, link: LinkId) -> Option<&mut Link> {
        self.links.iter_mut().find(|entry| entry.id == link)
    }

    pub(super) fn main(&self) -> Option<LinkId> {
        self.links.first().map(|link| link.id)
    }

    /// Whether messages on a link wait for the start of its channel.
    pub(super) fn is_parked(&self, link: &Link) -> bool {
        let main = link.channel.is_main();
        matches!(self.state, State::MigWait | State::Starting) && !main
    }

    /// Whether nothing may be sent to the client yet (property T1).
    pub(super) fn is_silent(&self) -> bool {
        matches!(self.state, State::MigWait | State::Starting)
    }
}
