//! What a client must do: which links stand where, what is owed, and what waits, as spec/spice.md 5 and the
//! properties K1 to K8 and K10 have them.

use crate::machine::Machine;
use crate::spice::client::{Address, Client, Command, Config, Event, Input, Outcome, Output, Scheme, State};
use crate::spice::{ChannelId, ClientMessage, LinkId, MigrateFlags, Packet, ServerMessage};
use crate::testing::trial::{Expected, Reference};
use crate::time::Instant;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::format;
use std::string::String;
use std::vec::Vec;

/// A link that is there, or being made.
#[derive(Clone, Debug, Default)]
struct Link {
    linked: bool,
    /// FLUSH_MARK was sent (K5).
    flushed: bool,
    /// SET_ACK came on it, without which no ACK is due (spec/spice.md 5.8).
    has_window: bool,
    /// How many messages were sent.
    sent: usize,
}

/// A channel that the application has.
#[derive(Clone, Debug, Default)]
struct Channel {
    home: Option<LinkId>,
    target: Option<LinkId>,
    /// MIGRATE with bit 1 came: MIGRATE_DATA must be next.
    owes_data: bool,
    moved: bool,
    /// Taken from the application and not sent.
    outgoing: VecDeque<Bytes>,
    /// Came from the server in use and was not passed on yet.
    incoming: VecDeque<Packet<ServerMessage>>,
    /// Came from the target too early (K6).
    early: VecDeque<Packet<ServerMessage>>,
}

#[derive(Clone, Debug)]
struct Attempt {
    number: u32,
    scheme: Scheme,
    address: Address,
    ready: bool,
}

/// The reference model of a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientModel {
    config: Config,
    links: BTreeMap<LinkId, Link>,
    /// Links to the source whose channels have moved: they are closed at once, main's at the end of the move.
    leaving: BTreeSet<LinkId>,
    channels: BTreeMap<ChannelId, Channel>,
    /// Numbers of links are given out in order.
    next_link: u32,
    /// Who may be told about the session (K8).
    session_id: u32,
    address: Option<Address>,
    attempt: Option<Attempt>,
    attempts: u32,
    /// A BEGIN has no answer yet (K1).
    owes_answer: bool,
    /// What the target said to DO_SEAMLESS: not asked, asked, yes, no (K2, K3).
    asked: Asked,
    /// MIGRATE_END was sent, INIT has not come.
    awaits_init: bool,
    /// A MIGRATE has come in this attempt.
    moving: bool,
    connected: bool,
    over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Never,
    Waiting,
    Yes,
    No,
}

fn broken<T>(property: &str, why: core::fmt::Arguments<'_>) -> Result<T, String> {
    Err(format!("{property}: {why}"))
}

/// What makes a message of the application's the one that it is.
fn token_up(message: &ClientMessage) -> Option<&Bytes> {
    match message {
        ClientMessage::AgentData(body) => Some(&body.data),
        ClientMessage::Unknown(body) => Some(&body.body),
        _ => None,
    }
}

fn is_payload(message: &ServerMessage) -> bool {
    matches!(message, ServerMessage::AgentData(_) | ServerMessage::Unknown(_))
}

fn is_answer(message: &ServerMessage) -> bool {
    matches!(message, ServerMessage::DstSeamlessAck | ServerMessage::DstSeamlessNack)
}

impl ClientModel {
    /// The model of a client with these settings.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            links: BTreeMap::new(),
            leaving: BTreeSet::new(),
            channels: BTreeMap::new(),
            next_link: 1,
            session_id: 0,
            address: None,
            attempt: None,
            attempts: 0,
            owes_answer: false,
            asked: Asked::Never,
            awaits_init: false,
            moving: false,
            connected: false,
            over: false,
        }
    }

    /// The channel that a link is for, and whether it leads to the target.
    fn find(&self, link: LinkId) -> Option<(ChannelId, bool)> {
        self.channels.iter().find_map(|(&id, channel)| match Some(link) {
            home if channel.home == home => Some((id, false)),
            target if channel.target == target => Some((id, true)),
            _ => None,
        })
    }

    /// Whether what comes on a link has to wait.
    fn waits(&self, id: ChannelId, target: bool) -> bool {
        target || (self.awaits_init && !id.is_main())
    }

    fn linked(&self, link: Option<LinkId>) -> bool {
        link.and_then(|link| self.links.get(&link)).is_some_and(|link| link.linked)
    }

    /// Whether what the application sends goes out at once.
    fn is_live(&self, id: ChannelId) -> bool {
        let Some(channel) = self.channels.get(&id) else { return false };
        self.linked(channel.home) && !channel.owes_data && !self.awaits_init
    }

    /// A link is gone, whoever closed it.
    fn drop_link(&mut self, link: LinkId) {
        self.links.remove(&link);
        self.leaving.remove(&link);
        let Some((id, target)) = self.find(link) else { return };
        let Some(channel) = self.channels.get_mut(&id) else { return };
        if target {
            channel.target = None;
            channel.early.clear();
        } else {
            channel.home = None;
            if id.is_main() {
                self.owes_answer = false;
            }
        }
    }

    /// Seamless: the channel has no more to do with the source.
    fn move_channel(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        self.leaving.extend(channel.home.take());
        channel.owes_data = false;
        if id.is_main() {
            self.owes_answer = false;
        }
        if let Some(target) = channel.target.take() {
            channel.home = Some(target);
            channel.moved = true;
            channel.incoming = core::mem::take(&mut channel.early);
        } else if id.is_main() {
            // Only a new session helps.
            *channel = Channel::default();
        }
    }

    /// Its server's main link is closed, and with it the session: what waits is lost.
    fn drop_session(&mut self, link: LinkId) {
        if self.find(link) == Some((ChannelId::MAIN, false)) {
            self.awaits_init = false;
            let target = self.channels.get(&ChannelId::MAIN).and_then(|main| main.target);
            let main = Channel { home: Some(link), target, ..Channel::default() };
            self.channels.insert(ChannelId::MAIN, main);
        }
        self.drop_link(link);
    }
}

mod checks;
mod outputs;
